//! The listening side: the HTTP server with its time limits, in the clear or over TLS. What stays true: no client holds a
//! connection for longer than the limits say, however slowly it sends or reads; and what is spoken is HTTP/1.1 only.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use actix_web::rt::time::timeout;
use actix_web::rt::{spawn, task::JoinHandle};
use actix_web::web;
use tokio_rustls::TlsAcceptor;

use super::certificate::{Certificate, CertificateError};
use super::connections::Admitted;
use super::front::Front;
use super::proxied;
use super::stream::Paced;
pub use super::workers::Door;
use super::workers::{THREAD, Workers};
use crate::api::{Api, Connections, app};
use crate::pulse::or_end_task;

/// How long a proxy may take to say whose connection it is.
const HEADER: Duration = Duration::from_secs(3);
/// How long a client may take over a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// How long a client may take over the end of a connection.
const FAREWELL: Duration = Duration::from_secs(1);
/// Between two looks at the certificate's files.
const CERTIFICATE_EVERY: Duration = Duration::from_secs(2);

/// A server that listens.
pub struct Listening {
    workers: Workers,
    /// What is done beside it until it stops.
    beside: Vec<JoinHandle<()>>,
    connections: Arc<Connections>,
    patience: Duration,
}

/// Serves the API, and the `pages` beside it, on `listener` with so many workers, over TLS if there is a certificate. A stop waits for what is under
/// way for at most `shutdown_seconds`.
pub fn listen(
    api: web::Data<Api>,
    pages: fn(&mut web::ServiceConfig),
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
    workers: usize,
    shutdown_seconds: u64,
) -> std::io::Result<Listening> {
    let (connections, patience) = (api.connections.clone(), Duration::from_secs(shutdown_seconds));
    let tls = certificate.as_ref().map(Certificate::server_config).transpose().map_err(std::io::Error::other)?;
    let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let workers = Workers::start(listener, workers, move || served(&api, pages, tls.clone()))?;
    let mut beside = vec![spawn(or_end_task(THREAD, connections.clone().sweep()))];
    beside.extend(certificate.map(|certificate| spawn(or_end_task(THREAD, watch(certificate)))));
    Ok(Listening { workers, beside, connections, patience })
}

/// What is done with each connection.
fn served(
    api: &web::Data<Api>,
    pages: fn(&mut web::ServiceConfig),
    tls: Option<TlsAcceptor>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = (), InitError = ()> + use<> {
    let limits = &api.settings().limits;
    let app = app(api.clone(), pages).into_factory().map_err(|error| error.error_response());
    let http = HttpService::build()
        .client_request_timeout(Duration::from_secs(limits.head_seconds))
        .keep_alive(Duration::from_secs(limits.idle_seconds))
        .client_disconnect_timeout(FAREWELL)
        .on_connect_ext(|stream: &Paced, extensions| drop(extensions.insert(stream.admitted.clone())))
        .h1(map_config(app, |()| AppConfig::default()));
    let api = api.clone();
    let let_in = move |stream: TcpStream| {
        let (api, tls) = (api.clone(), tls.clone());
        async move { let_in(stream, &api, tls).await.ok_or(()) }
    };
    // What is wrong with a connection is its client's business.
    fn_service(let_in).and_then(http.map_err(drop))
}

/// A connection that there is room for, after its handshake, and whose it is.
async fn let_in(mut stream: TcpStream, api: &Api, tls: Option<TlsAcceptor>) -> Option<(Paced, Option<SocketAddr>)> {
    // Whoever is trusted now: SIGHUP may have changed that since the last connection.
    let front = &api.settings().front;
    let (peer, admitted) = (stream.peer_addr().ok()?, api.connections.admit(&stream, tls.is_some(), front)?);
    let (peer, admitted) = match front.begins_with_header(peer.ip()) {
        true => handed_on(&mut stream, (peer, admitted), front).await?,
        false => (peer, admitted),
    };
    let paced = match tls {
        Some(tls) => Paced::new(timeout(HANDSHAKE, tls.accept(stream)).await.ok()?.ok()?, admitted),
        None => Paced::new(stream, admitted),
    };
    Some((paced, Some(peer)))
}

/// The connection as its proxy says, if there is room for it with its client.
async fn handed_on(
    stream: &mut TcpStream,
    (peer, admitted): (SocketAddr, Admitted),
    front: &Front,
) -> Option<(SocketAddr, Admitted)> {
    let why = match timeout(HEADER, proxied::read(stream)).await {
        Ok(Ok(Some(said))) => return Some((said.client, admitted.handed_on(&said, front)?)),
        Ok(Ok(None)) => return Some((peer, admitted)),
        // Some proxies look in this way whether somebody is there.
        Ok(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => return None,
        Ok(Err(_)) => {
            "it did not begin with a header of the PROXY protocol (server.proxy_protocol), which its proxy must send"
        }
        Err(_) => "its proxy said too slowly whose it is (server.proxy_protocol)",
    };
    admitted.tell_refused(why);
    None
}

impl Listening {
    /// Accepts nothing more, answers whoever has connected, ends their connections, and returns.
    pub async fn stop(self, door: Door) {
        let mut last = self.workers.accept_no_more(door).await;
        self.connections.drain(self.patience, last.ended()).await;
        last.stop();
        self.beside.iter().for_each(JoinHandle::abort);
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
