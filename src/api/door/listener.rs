//! The listening side: the HTTP server with its time limits, in the clear or over TLS. What stays true: no client holds a
//! connection for longer than the limits say, however slowly it sends or reads; and what is spoken is HTTP/1.1 only.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Request, Response};
use actix_service::boxed::{self, BoxServiceFactory};
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use actix_web::rt::time::timeout;
use actix_web::rt::{spawn, task::JoinHandle};
use actix_web::web;
use futures_util::future::LocalBoxFuture;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::certificate::{Certificate, CertificateError};
use super::connections::Admitted;
use super::front::Front;
use super::proxied;
use super::standing_by;
use super::stream::Paced;
pub use super::stream::Wire;
pub use super::workers::Door;
use super::workers::{THREAD, Workers};
use crate::api::access::limits::Limits;
use crate::api::{Api, Connections, app};
use crate::pulse::or_end_task;

/// How long a proxy may take to say whose connection it is.
const HEADER: Duration = Duration::from_secs(3);
/// How long a client may take over a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// Nodes, or who would pass for one, that may be at theirs at once: before it nobody is known, so nobody is bounded by address.
const NODE_HANDSHAKES_MAX: usize = 256;
/// How long a client may take over the end of a connection.
const FAREWELL: Duration = Duration::from_secs(1);
/// Between two looks at the certificate's files.
const CERTIFICATE_EVERY: Duration = Duration::from_secs(2);

/// Where connections come in, and where they may go.
pub struct Ways {
    /// Where clients come.
    pub listener: TcpListener,
    /// What they are answered with over TLS.
    pub certificate: Option<Arc<Certificate>>,
    /// Where other nodes hand on what their clients say.
    pub nodes: Option<Nodes>,
    /// Who has what this node does not serve.
    pub elsewhere: Option<Arc<dyn Elsewhere>>,
}

/// Where other nodes come, and how it is known that they are nodes.
pub struct Nodes {
    /// Where they come.
    pub listener: TcpListener,
    /// As of this moment.
    pub tls: NodeTls,
    /// Who takes a node that has come for something else than to hand on what a client says.
    pub comes: Comes,
}

/// Takes a node that says by its protocol (ALPN) what it has come for, until that is over.
pub type Comes = Arc<dyn Fn(&[u8], Box<dyn Wire>) -> LocalBoxFuture<'static, ()> + Send + Sync>;

/// How a node that comes is spoken to, or why it cannot be.
pub type NodeTls = Arc<dyn Fn() -> Result<TlsAcceptor, String> + Send + Sync>;

/// The other nodes.
pub trait Elsewhere: Send + Sync {
    /// Whether one of them may have what comes now.
    fn may_have(&self) -> bool;

    /// Hands a connection on that `client` has made, and is done once it is over; gives it back if it is to be answered here. Once
    /// `stops` is done it ends with the next answer.
    fn hand_on<'a>(
        &'a self,
        stream: TcpStream,
        client: SocketAddr,
        stops: LocalBoxFuture<'a, ()>,
    ) -> LocalBoxFuture<'a, Option<TcpStream>>;
}

/// A server that listens.
pub struct Listening {
    workers: Workers,
    /// What is done beside it until it stops.
    beside: Vec<JoinHandle<()>>,
    connections: Arc<Connections>,
    patience: Duration,
}

/// By which socket a connection came.
#[derive(Clone, Copy)]
enum By {
    Client,
    Node,
}

/// Who is let in, and how.
struct Entrance {
    connections: Arc<Connections>,
    /// What stands before the server, as it is in force.
    front: Box<dyn Fn() -> Front + Send + Sync>,
    tls: Option<TlsAcceptor>,
    nodes: Option<(NodeTls, Comes)>,
    node_handshakes: Semaphore,
    elsewhere: Option<Arc<dyn Elsewhere>>,
}

/// Serves the API, and the `pages` beside it, with so many workers, over TLS if there is a certificate. A stop waits for what is under
/// way for at most `shutdown_seconds`.
pub fn listen(
    api: web::Data<Api>,
    pages: fn(&mut web::ServiceConfig),
    ways: Ways,
    workers: usize,
    shutdown_seconds: u64,
) -> io::Result<Listening> {
    let (connections, patience) = (api.connections.clone(), Patience::of(&api.settings().limits));
    let of_api = api.clone();
    // Whoever is trusted now: SIGHUP may have changed that since the last connection.
    let front = Box::new(move || of_api.settings().front.clone());
    let app = move || {
        let app = app(api.clone(), pages).into_factory().map_err(|error| error.error_response());
        spoken(patience, map_config(app, |()| AppConfig::default()))
    };
    open(connections, (ways, front), app, workers, shutdown_seconds)
}

/// Hands on what comes, as a node that owns nothing does, and answers what nobody takes.
pub fn stand_by(
    (limits, front): (Limits, Front),
    ways: Ways,
    workers: usize,
    shutdown_seconds: u64,
) -> io::Result<Listening> {
    let (connections, patience) = (Arc::new(Connections::new(&limits)), Patience::of(&limits));
    let front = Box::new(move || front.clone());
    let app = move || spoken(patience, fn_service(standing_by::answer));
    open(connections, (ways, front), app, workers, shutdown_seconds)
}

/// Listens, and serves whoever is let in with what `app` makes.
fn open(
    connections: Arc<Connections>,
    (ways, front): (Ways, Box<dyn Fn() -> Front + Send + Sync>),
    app: impl Fn() -> Spoken + Clone + Send + 'static,
    workers: usize,
    shutdown_seconds: u64,
) -> io::Result<Listening> {
    let Ways { listener, certificate, nodes, elsewhere } = ways;
    let tls = certificate.as_ref().map(Certificate::server_config).transpose().map_err(io::Error::other)?;
    let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let (mut sockets, mut node_tls) = (vec![(listener, By::Client)], None);
    if let Some(nodes) = nodes {
        sockets.push((nodes.listener, By::Node));
        node_tls = Some((nodes.tls, nodes.comes));
    }
    let node_handshakes = Semaphore::new(NODE_HANDSHAKES_MAX);
    let entrance = Arc::new(Entrance {
        connections: connections.clone(),
        front,
        tls,
        nodes: node_tls,
        elsewhere,
        node_handshakes,
    });
    let served = move || {
        let entrance = entrance.clone();
        let let_in = move |(stream, by): (TcpStream, By)| {
            let entrance = entrance.clone();
            async move {
                match by {
                    By::Client => entrance.let_in(stream).await,
                    By::Node => entrance.let_in_by_node(stream).await,
                }
                .ok_or(())
            }
        };
        // What is wrong with a connection is its client's business.
        fn_service(let_in).and_then(app().map_err(drop))
    };
    let workers = Workers::start(sockets, workers, served)?;
    let mut beside = vec![spawn(or_end_task(THREAD, connections.clone().sweep()))];
    beside.extend(certificate.map(|certificate| spawn(or_end_task(THREAD, watch(certificate)))));
    Ok(Listening { workers, beside, connections, patience: Duration::from_secs(shutdown_seconds) })
}

/// How long a client may take over the first head, and over the next request.
#[derive(Clone, Copy)]
struct Patience {
    head: Duration,
    idle: Duration,
}

impl Patience {
    fn of(limits: &Limits) -> Self {
        Self { head: Duration::from_secs(limits.head_seconds), idle: Duration::from_secs(limits.idle_seconds) }
    }
}

/// What makes whatever speaks with those who are let in.
type Spoken = BoxServiceFactory<(), (Paced, Option<SocketAddr>), (), DispatchError, ()>;

/// HTTP/1.1 within these limits.
fn spoken<S, B>(patience: Patience, service: impl IntoServiceFactory<S, Request>) -> Spoken
where
    S: ServiceFactory<Request, Config = ()> + 'static,
    S::Error: Into<Response<BoxBody>> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let http = HttpService::build()
        .client_request_timeout(patience.head)
        .keep_alive(patience.idle)
        .client_disconnect_timeout(FAREWELL)
        .on_connect_ext(|stream: &Paced, extensions| drop(extensions.insert(stream.admitted.clone())))
        .h1(service);
    boxed::factory(http)
}

impl Entrance {
    /// A connection that there is room for, after its handshake, and whose it is. Another node may have it.
    async fn let_in(&self, mut stream: TcpStream) -> Option<(Paced, Option<SocketAddr>)> {
        answer_at_once(&stream);
        let (front, peer) = ((self.front)(), stream.peer_addr().ok()?);
        let admitted = self.connections.admit(&stream, self.tls.is_some(), &front)?;
        if let Some(elsewhere) = self.elsewhere.as_ref().filter(|elsewhere| elsewhere.may_have()) {
            // It is at it as long as somebody else is.
            let _under_way = admitted.begin();
            stream = elsewhere.hand_on(stream, peer, Box::pin(self.connections.stopping())).await?;
        }
        self.greet(stream, (peer, admitted), &front).await
    }

    /// The same of one that another node hands on.
    async fn let_in_by_node(&self, stream: TcpStream) -> Option<(Paced, Option<SocketAddr>)> {
        answer_at_once(&stream);
        let handshake = self.node_handshakes.try_acquire().ok()?;
        let (tls, comes) = self.nodes.as_ref()?;
        let tls = tls().map_err(|why| tracing::error!(why, "another node cannot be answered")).ok()?;
        // Whoever is no node is nobody's business.
        let mut stream = timeout(HANDSHAKE, tls.accept(stream)).await.ok()?.ok()?;
        if let Some(for_what) = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec) {
            drop(handshake);
            comes(&for_what, Box::new(stream)).await;
            return None;
        }
        let said = timeout(HEADER, proxied::read(&mut stream)).await.ok()?.ok()??;
        drop(handshake);
        let (front, between) = ((self.front)(), (said.client.ip(), said.here));
        let admitted = self.connections.admit_between(between, stream.get_ref().0, self.tls.is_some(), &front)?;
        self.greet(stream, (said.client, admitted), &front).await
    }

    /// What is said before the first request: whose it is, by a proxy, and the handshake.
    async fn greet(
        &self,
        mut stream: impl Wire + 'static,
        (peer, admitted): (SocketAddr, Admitted),
        front: &Front,
    ) -> Option<(Paced, Option<SocketAddr>)> {
        let (peer, admitted) = match front.begins_with_header(peer.ip()) {
            true => handed_on(&mut stream, (peer, admitted), front).await?,
            false => (peer, admitted),
        };
        let paced = match &self.tls {
            Some(tls) => Paced::new(timeout(HANDSHAKE, tls.accept(stream)).await.ok()?.ok()?, admitted),
            None => Paced::new(stream, admitted),
        };
        Some((paced, Some(peer)))
    }
}

/// What is written goes, and does not wait until the other side has acknowledged what went before: that may take it 40 ms, and after a
/// handshake there always is something.
fn answer_at_once(stream: &TcpStream) {
    // A connection that has ended shows as it is read.
    let _ = stream.set_nodelay(true);
}

/// The connection as its proxy says, if there is room for it with its client.
async fn handed_on(
    stream: &mut impl Wire,
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
