//! The listening side: the HTTP server with its time limits, in the clear or over TLS. What stays true: no client holds a
//! connection for longer than the limits say, however slowly it sends or reads.

use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::rt::{spawn, task::JoinHandle};
use actix_web::{HttpServer, web};
use rustix::net::{Shutdown, shutdown};

use super::certificate::{Certificate, CertificateError};
use crate::api::{Api, Connections, app};
use crate::pulse::or_end_task;

/// How long a client may take over a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// TLS handshakes that a worker has under way at once; further ones wait. They are counted for no address: the server's own
/// code tells of a connection once its handshake is done.
const HANDSHAKES_MAX: usize = 4096;
/// In which the server's own code stops to accept.
const LAST_ACCEPTS: Duration = Duration::from_millis(5);
/// Between two looks at the certificate's files.
const CERTIFICATE_EVERY: Duration = Duration::from_secs(2);

/// Where the listening side is turned. Its workers are started again by the HTTP server itself.
const THREAD: &str = "listening";

/// A server that listens.
pub struct Listening {
    handle: ServerHandle,
    /// A second descriptor of the listener: the first belongs to the server's own code.
    door: OwnedFd,
    serving: JoinHandle<std::io::Result<()>>,
    /// What is done beside it until it stops.
    beside: Vec<JoinHandle<()>>,
    connections: Arc<Connections>,
    patience: Duration,
}

/// Serves the API on `listener` with so many workers, over TLS if there is a certificate. A stop waits for what is under
/// way for at most `shutdown_seconds`.
pub fn listen(
    api: web::Data<Api>,
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
    workers: usize,
    shutdown_seconds: u64,
) -> std::io::Result<Listening> {
    let (limits, connections) = (api.settings.limits.clone(), api.connections.clone());
    let (door, patience) = (listener.as_fd().try_clone_to_owned()?, Duration::from_secs(shutdown_seconds));
    let server = HttpServer::new({
        let api = api.clone();
        move || app(api.clone())
    });
    let server = server
        .workers(workers)
        .disable_signals()
        .shutdown_timeout(shutdown_seconds)
        .client_request_timeout(Duration::from_secs(limits.head_seconds))
        .keep_alive(Duration::from_secs(limits.idle_seconds))
        .tls_handshake_timeout(HANDSHAKE)
        .max_connection_rate(HANDSHAKES_MAX)
        .on_connect({
            let connections = connections.clone();
            move |stream, extensions| connections.meet(stream, extensions)
        });
    let server = match &certificate {
        Some(certificate) => {
            let tls = certificate.server_config().map_err(std::io::Error::other)?;
            server.listen_rustls_0_23(listener, tls)?
        }
        None => server.listen(listener)?,
    };
    let server: Server = server.run();
    let mut beside = vec![spawn(or_end_task(THREAD, connections.clone().sweep()))];
    beside.extend(certificate.map(|certificate| spawn(or_end_task(THREAD, watch(certificate)))));
    let handle = server.handle();
    Ok(Listening { handle, door, serving: spawn(or_end_task(THREAD, server)), beside, connections, patience })
}

impl Listening {
    /// Accepts nothing more, finishes what is under way, and returns.
    ///
    /// The server's own code would close each connection that is between two requests at once, whatever is on its way there:
    /// so it is stopped only after all have had their last reply. Until then nobody may connect, who would hear nothing.
    pub async fn stop(self) -> std::io::Result<()> {
        self.handle.pause().await;
        actix_web::rt::time::sleep(LAST_ACCEPTS).await;
        // Where the system cannot do that, the listener closes with the server.
        let _ = shutdown(&self.door, Shutdown::Read);
        let all_ended = self.connections.drain(self.patience).await;
        self.handle.stop(all_ended).await;
        self.beside.iter().for_each(JoinHandle::abort);
        self.serving.await.map_err(std::io::Error::other)?
    }
}

async fn watch(certificate: Arc<Certificate>) {
    loop {
        actix_web::rt::time::sleep(CERTIFICATE_EVERY).await;
        certificate.look_again();
    }
}

impl Certificate {
    /// Reads the files again if they changed, and tells the log.
    pub fn look_again(&self) {
        match self.reload_if_changed() {
            Ok(false) => {}
            Ok(true) => tracing::warn!("the certificate was read again; new connections get the new one"),
            Err(error) => tell(&error),
        }
    }
}

fn tell(error: &CertificateError) {
    tracing::error!(%error, "the certificate's files changed but cannot be served; the one before stays");
}
