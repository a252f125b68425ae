//! The ceiling: the smallest relay that can be made of the same crates. It accepts an event, answers 202, and posts the
//! body on. What stays true: it runs as a process of its own like a server, what waits and what is out is bounded as a
//! server's is, and it does nothing else: no store, no signature, no retry.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use awc::http::Uri;
use bytes::Bytes;
use clap::Args;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use crate::cli::error::CliError;
use crate::cli::server::ServerArgs;
use crate::cli::started::{Started, free_port, this_program};
use crate::cli::terminal::note;
use crate::config::threads;

/// Bodies out at once: as many as deliveries of a server that nobody has configured.
const IN_FLIGHT_MAX: usize = 512;
/// Bodies of one worker that wait to be sent; who brings more waits for the answer.
const WAITING_MAX: usize = 4096;
/// The largest body: a server's.
const BODY_BYTES_MAX: usize = 10 << 20;
/// How long a stop waits for what is out.
const SHUTDOWN_SECONDS: u64 = 1;

/// The running relay.
pub struct Relay {
    /// How to post to it.
    pub server: ServerArgs,
    /// From its start to its first "ready".
    pub ready: Duration,
    process: Started,
}

impl Relay {
    /// Starts one that posts to `url`, and waits until it is ready.
    pub async fn start(url: &str) -> Result<Self, CliError> {
        let listen = format!("127.0.0.1:{}", free_port()?);
        let server = ServerArgs::at(format!("http://{listen}"), None);
        let mut command = this_program()?;
        command.args(["relay", "--listen", &listen, "--to", url]);
        let (process, ready) = Started::start(&mut command, &server).await?;
        Ok(Self { server, ready, process })
    }

    /// Its process.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Stops it.
    pub fn stop(mut self) -> Result<(), CliError> {
        self.process.stop()
    }
}

/// The arguments of `hookwheel relay`, which only the bench gives.
#[derive(Debug, Args)]
pub struct RelayArgs {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where bodies are posted to
    #[arg(long, value_name = "URL")]
    to: Uri,
}

/// Relays until it is stopped.
pub async fn serve(args: RelayArgs) -> Result<(), CliError> {
    let workers = threads(0);
    let out_max = (IN_FLIGHT_MAX / workers).max(1);
    let app = move || {
        let waiting = send_on(args.to.clone(), out_max);
        App::new()
            .app_data(web::Data::new(waiting))
            .app_data(web::PayloadConfig::new(BODY_BYTES_MAX))
            .route("/api/v1/events", web::post().to(accept))
            .route("/health/ready", web::get().to(HttpResponse::Ok))
    };
    let listening = HttpServer::new(app).workers(workers).shutdown_timeout(SHUTDOWN_SECONDS).bind(args.listen);
    let listening = listening.map_err(CliError::io(format!("cannot listen on {}", args.listen)))?;
    listening.run().await.map_err(CliError::io("relaying"))
}

async fn accept(waiting: web::Data<mpsc::Sender<Bytes>>, body: Bytes) -> HttpResponse {
    match waiting.send(body).await {
        Ok(()) => HttpResponse::Accepted().content_type("application/json").body(r#"{"data":{}}"#),
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    }
}

/// Posts what is put into the channel, on the thread of the worker that takes it in, `out_max` at once.
fn send_on(to: Uri, out_max: usize) -> mpsc::Sender<Bytes> {
    let (waiting, mut bodies) = mpsc::channel::<Bytes>(WAITING_MAX);
    let connector = awc::Connector::new().limit(out_max);
    let client = awc::Client::builder().connector(connector).disable_timeout().disable_redirects().finish();
    let bodies = stream::poll_fn(move |context| bodies.poll_recv(context));
    actix_rt::spawn(bodies.for_each_concurrent(out_max, move |body| {
        let sent = client.post(to.clone()).content_type("application/json").send_body(body);
        async move {
            let read = match sent.await {
                // Read to its end, so that the connection is used again.
                Ok(mut answer) => answer.body().await.map(drop).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = read {
                note(format_args!("hookwheel: the relay lost a body: {error}"));
            }
        }
    }));
    waiting
}
