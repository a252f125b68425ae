//! Hookwheel: a webhook delivery server in one binary.
//!
//! The rooms, in the order in which an event walks through them:
//!
//! ```text
//!  producer ─► api ─► store (one atomic, synced group commit) ─► 202
//!                       │ new work for webhook W
//!                       ▼
//!                    deliver: wheel ─► lane(W) ─► sender ─► the endpoint
//!                       ▲                            │
//!                       └─ retry, pause, disable ◄─ verdict ─► store (attempt, counters)
//! ```
//!
//! A delivery's states: `pending` ─► `succeeded`, or `pending` ─► `scheduled` (as often as the schedule says) ─►
//! `succeeded` or `dead`; an open one is shown as `held` while its webhook is not active, and ends as `cancelled` when
//! its webhook is deleted, when somebody discards it, or when it was held for too long.
//!
//! Imports go one way: `api` and `deliver` know `store`, `dialect`, `domain` and `clock`, and never each other; `store`,
//! `dialect` and `config` know `domain` (and `store` the `clock`); `docs` knows `dialect`, and `api` and `cli` know
//! `docs`; `domain` and `clock` know nobody else. Only this file sees the whole [`Config`].

pub mod api;
pub mod cli;
pub mod clock;
pub mod config;
pub mod deliver;
pub mod dialect;
pub mod docs;
pub mod domain;
pub mod store;

use std::io::IsTerminal;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use ipnet::IpNet;
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use url::Url;

use clock::{Clock, Dice, Stopwatch};
use config::{Config, DeliverConfig, LogFormat, Roots, threads};
use dialect::{DialectError, Dialects, Shelf};
use domain::audit::Actor;
use domain::explain::Explained;
use domain::guard::{Guard, OwnListener, is_wide};
use domain::id::WebhookNumber;
use domain::probe::{Probe, Probed};
use domain::rate_limit::{Allowance, RateLimit};
use domain::time::DAY_MS;
use futures_util::future::BoxFuture;

/// The name of systemd's credential that holds the master keys.
const MASTER_KEY_CREDENTIAL: &str = "hookwheel-master-key";
/// What is not logged unless a filter asks for it.
const QUIET: &str = "actix_http=off,h2=off";
/// The dialect of the account that exists from the start.
const DEFAULT_DIALECT: &str = "standard";

/// Why the server could not start or go on.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}; set another HOOKWHEEL__SERVER__LISTEN")]
    Listen(std::net::SocketAddr, std::io::Error),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] store::OpenError),
    /// Dialect files are broken; all mistakes are named.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Dialects(Vec<DialectError>),
    /// The certificate that the API is to be served with is broken.
    #[error("server.tls_certificate: {0}")]
    Certificate(#[from] api::CertificateError),
    /// The first account or key could not be stored.
    #[error("the first admin key cannot be made: {0}")]
    FirstKey(store::Refusal),
    /// There is nobody to trust.
    #[error("deliver.roots: {0}")]
    Roots(String),
    /// A log filter is not one.
    #[error("log.level: {0}")]
    Log(String),
    /// The system failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Serves until SIGTERM or SIGINT: what `hookwheel serve` does.
pub fn serve(config: Config) -> Result<(), ServeError> {
    start_log(&config)?;
    prepare_process();
    warn_of(&config);
    let address = config.server.listen;
    let listener = TcpListener::bind(address).map_err(|error| ServeError::Listen(address, error))?;
    actix_rt::System::new().block_on(async {
        let shutdown = signalled()?;
        run(config, listener, shutdown).await
    })
}

/// Runs the server on `listener` until `shutdown` is done; then accepts nothing more, finishes what is in flight or
/// leaves it for the next start, writes all that is known, and returns.
pub async fn run(config: Config, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
    let clock = Clock::real();
    let certificate = certificate(&config)?;
    let shelf = Dialects::load(Some(&config.deliver.dialects)).map_err(ServeError::Dialects)?;
    let shelf = Arc::new(Shelf::new(shelf));
    let (address, trust) = (listener.local_addr()?, trust(config.deliver.roots)?);
    let guard = Arc::new(guard(&config, address));
    let (store, committer) = store::open(store_settings(&config), clock.clone(), Dice::from_system())?;
    let committing = std::thread::Builder::new().name("commit".into()).spawn(move || or_end(|| committer.run()))?;
    let deliver =
        deliver::start(deliver_settings(&config, guard.clone()), trust, store.clone(), shelf.clone(), clock.clone());

    let mut dice = Dice::from_system();
    let configured = config.auth.admin_key.as_ref().map(|key| key.reveal());
    let first_key = api::first_admin_key(&store, &mut dice, configured, DEFAULT_DIALECT).await;
    let first_key = first_key.map_err(ServeError::FirstKey)?;
    let outbound = Box::new(deliver.handle());
    let api = api::Api::new(store.clone(), shelf.clone(), clock, dice, api_settings(&config, guard), outbound);
    let api = web::Data::new(api);

    let grace = Duration::from_secs(config.server.shutdown_seconds);
    let (workers, patience) = (threads(config.server.workers), config.server.shutdown_seconds);
    let listening = api::listen(api, listener, certificate.clone(), workers, patience)?;
    // From here on SIGHUP no longer ends the process.
    let hangups = signal(SignalKind::hangup())?;
    greet(&config, address, first_key.as_deref());

    tokio::select! {
        () = shutdown => {}
        () = reload_when_asked(hangups, &config.deliver.dialects, &shelf, &deliver, &store, certificate.as_deref()) => {}
    }
    tracing::info!("stopping");
    let watch = Stopwatch::start();
    let served = listening.stop().await;
    deliver.stop(grace.saturating_sub(watch.elapsed())).await;
    store.close();
    if committing.join().is_err() {
        tracing::error!("the commit thread panicked");
    }
    served?;
    tracing::info!("stopped");
    Ok(())
}

/// Runs what the server cannot do without. If it panics, the process ends at once: nothing more would be stored, and
/// whoever supervises the process starts it again over what is on disk.
fn or_end(work: impl FnOnce()) {
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
        tracing::error!("the commit thread panicked; the server ends");
        std::process::exit(70);
    }
}

fn store_settings(config: &Config) -> store::Settings {
    let from = &config.store;
    store::Settings {
        path: from.path.clone(),
        cache_bytes: from.cache_bytes,
        free_bytes_min: from.free_bytes_min,
        queue_events_max: from.queue_events_max,
        queue_bytes_max: from.queue_bytes_max,
        group_events_max: from.group_events_max,
        group_bytes_max: from.group_bytes_max,
        master_keys: master_keys(from),
        memory: None,
        retention: store::Retention {
            events_ms: days(config.retention.event_days),
            bytes_max: (config.retention.bytes_max > 0).then_some(config.retention.bytes_max),
            hold_ms: days(config.retention.hold_days_max).expect("it is at least a day"),
            audit_ms: days(config.retention.audit_days),
        },
        durable: true,
    }
}

/// Where the master keys are: as it is configured, else in the credentials that systemd hands over, else in the data
/// directory.
fn master_keys(config: &config::StoreConfig) -> store::MasterKeySource {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(|dir| Path::new(&dir).join(MASTER_KEY_CREDENTIAL));
    let file = config.master_key_file.clone().or(credentials.filter(|path| path.exists()));
    match (&config.master_key, file) {
        (Some(text), _) => store::MasterKeySource::Text(text.clone()),
        (None, Some(path)) => store::MasterKeySource::File(path),
        (None, None) => store::MasterKeySource::Own,
    }
}

/// Milliseconds of so many days; `None` for none.
fn days(days: u64) -> Option<u64> {
    (days > 0).then_some(days * DAY_MS)
}

fn api_settings(config: &Config, guard: Arc<Guard>) -> api::Settings {
    api::Settings {
        body_bytes_max: config.server.body_bytes_max,
        http_allowed: config.deliver.http_allowed,
        egress: config.deliver.egress.clone(),
        guard,
        limits: limits(&config.server),
        knobs: config.knobs().into_iter().map(|(name, value, default)| knob(name, value, default)).collect(),
    }
}

fn limits(from: &config::ServerConfig) -> api::Limits {
    api::Limits {
        calls_per_minute: from.calls_per_minute,
        events_per_second: from.events_per_second,
        url_bytes_max: from.url_bytes_max,
        headers_max: from.headers_max,
        header_bytes_max: from.header_bytes_max,
        head_seconds: from.head_seconds,
        body_seconds: from.body_seconds,
        idle_seconds: from.idle_seconds,
        connections_max: from.connections_max,
        connections_per_address_max: from.connections_per_address_max,
    }
}

fn knob(name: &str, value: serde_json::Value, default: serde_json::Value) -> api::Knob {
    api::Knob { name: name.into(), value, default }
}

/// What the API is served with, if it is served over TLS.
fn certificate(config: &Config) -> Result<Option<Arc<api::Certificate>>, ServeError> {
    let files = config.server.tls_certificate.as_ref().zip(config.server.tls_key.as_ref());
    Ok(files.map(|(chain, key)| api::Certificate::load(chain, key)).transpose()?)
}

/// Memory holds secrets and payloads, so no core of it is ever written; and a connection costs two descriptors, so as many
/// may be open as the system allows.
fn prepare_process() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::debug!(%error, "core dumps could not be turned off");
    }
    let open_files = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: open_files.maximum, ..open_files }) {
        tracing::debug!(%error, "the limit of open files could not be raised");
    }
}

/// Tells the log what is less strict than it could be.
fn warn_of(config: &Config) {
    if geteuid().is_root() {
        tracing::warn!("runs as root: start it as a user of its own that owns {}", config.store.path.display());
    }
    for (knob, meaning) in config.loosened() {
        tracing::warn!(knob, "a setting is looser than its default: {meaning}");
    }
}

/// Which addresses may be dialled by a server that listens at `address`.
fn guard(config: &Config, address: SocketAddr) -> Guard {
    let from = &config.deliver;
    let guard = Guard::new(from.allow.clone(), from.deny.clone(), from.ports.clone());
    guard.with_listener(OwnListener { bound: address, is_here: deliver::may_be_here })
}

/// Whom is trusted where a webhook says nothing.
fn trust(roots: Roots) -> Result<deliver::Trust, ServeError> {
    match roots {
        Roots::Webpki => Ok(deliver::Trust::webpki()),
        Roots::Native => deliver::Trust::native().map_err(ServeError::Roots),
    }
}

/// Says where a URL leads and which rules decide there, for a webhook for which `opened` was opened: what `hookwheel
/// guard explain` does. No server need run.
pub async fn explain(config: &Config, url: &Url, opened: &[IpNet]) -> Explained {
    let guard = Arc::new(guard(config, config.server.listen));
    deliver::explain_alone(&deliver_settings(config, guard), url, opened).await
}

impl api::Outbound for deliver::Handle {
    fn probe(&self, probe: Probe) -> BoxFuture<'static, Probed> {
        Box::pin(Self::probe(self, probe))
    }
    fn explain(&self, url: Url, opened: Vec<IpNet>) -> BoxFuture<'static, Option<Explained>> {
        Box::pin(Self::explain(self, url, opened))
    }
    fn left(&self, webhook: WebhookNumber, limit: RateLimit) -> Allowance {
        Self::left(self, webhook, limit)
    }
    fn trouble(&self) -> Option<&'static str> {
        Self::trouble(self)
    }
    fn write_metrics(&self, out: &mut String) {
        Self::write_metrics(self, out);
    }
}

fn deliver_settings(config: &Config, guard: Arc<Guard>) -> deliver::Settings {
    let from = &config.deliver;
    deliver::Settings {
        in_flight_max: from.in_flight_max,
        senders: threads(from.senders),
        connect: Duration::from_secs(from.connect_seconds),
        guard,
        egress: from.egress.clone(),
        name_servers: from.name_servers.clone(),
        dns: Duration::from_secs(from.dns_seconds),
        proxy: from.proxy(),
        proxy_resolves: from.proxy_resolves,
        listener_descriptors: listener_descriptors(config.server.connections_max),
    }
}

/// A connection to the API costs two descriptors, and 0 is no limit.
fn listener_descriptors(connections_max: usize) -> usize {
    if connections_max == 0 { usize::MAX } else { connections_max.saturating_mul(2) }
}

/// Says where the server is and how to try it, on standard output, once it can be used.
fn greet(config: &Config, address: std::net::SocketAddr, first_key: Option<&str>) {
    let scheme = if config.server.tls_certificate.is_some() { "https" } else { "http" };
    println!("hookwheel {} listens on {scheme}://{address}", env!("CARGO_PKG_VERSION"));
    println!("data directory: {}", config.store.path.display());
    if let store::MasterKeySource::Own = master_keys(&config.store) {
        println!("master key: {} (keep a copy elsewhere)", config.store.path.join(store::OWN_MASTER_KEYS).display());
    }
    if config.deliver.http_allowed {
        println!("http:// endpoints are allowed");
    }
    if !config.deliver.allow.is_empty() {
        let allow: Vec<String> = config.deliver.allow.iter().map(ToString::to_string).collect();
        println!("endpoints that are not public are allowed in {}", allow.join(", "));
    }
    for warning in warnings(&config.deliver) {
        println!("warning: {warning}");
        tracing::warn!("{warning}");
    }
    if let Some(proxy) = config.deliver.proxy() {
        println!("deliveries go through the proxy {proxy}");
    }
    match first_key {
        Some(key) => println!("admin key: {key} (shown this once; keep it)"),
        None => println!("admin key: the one of the first start, or HOOKWHEEL__AUTH__ADMIN_KEY"),
    }
    let key = first_key.unwrap_or("$HOOKWHEEL_KEY");
    println!("try it:");
    println!("  curl -sS {scheme}://{address}/api/v1/events -H \"Authorization: Bearer {key}\" \\");
    println!("    -d '{{\"type\":\"task.created\",\"data\":{{\"id\":1}}}}'");
}

/// What of the settings opens more than most want.
fn warnings(deliver: &DeliverConfig) -> Vec<String> {
    let wide = deliver.allow.iter().filter(|net| is_wide(net));
    let wide =
        wide.map(|net| format!("deliver.allow {net} opens nearly everything: webhooks may reach your own network"));
    let proxy = (deliver.proxy.is_some() && deliver.proxy_resolves).then(|| {
        "deliver.proxy_resolves is on: where names lead is not checked, so the proxy must keep webhooks out of your own \
         network"
            .to_string()
    });
    wide.chain(proxy).collect()
}

fn start_log(config: &Config) -> Result<(), ServeError> {
    // The HTTP server logs each broken request: whoever sends them would fill the disk. A filter may say otherwise.
    let filter = tracing_subscriber::EnvFilter::try_new(format!("{QUIET},{}", config.log.level));
    let filter = filter.map_err(|error| ServeError::Log(error.to_string()))?;
    let is_terminal = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_terminal);
    match config.log.format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}

/// Reads the master keys, the dialect files and the certificate again at each SIGHUP. A broken file keeps what there was,
/// and the log says what is wrong.
async fn reload_when_asked(
    mut hangups: Signal,
    dir: &Path,
    shelf: &Shelf,
    deliver: &deliver::Deliver,
    store: &store::Store,
    certificate: Option<&api::Certificate>,
) {
    while hangups.recv().await.is_some() {
        match store.reload_master_keys(Actor::default()).await {
            Ok(keys) => tracing::info!(current = %keys.current(), "master keys were read again"),
            Err(error) => tracing::error!(%error, "the master keys stay as they were"),
        }
        let errors = shelf.reload(dir);
        for error in &errors {
            tracing::error!(%error, "a dialect file is broken; its dialect stays as it was");
        }
        deliver.dialects_changed();
        if let Some(certificate) = certificate {
            certificate.look_again();
        }
        tracing::warn!(dialects = shelf.now().names().count(), broken = errors.len(), "dialects were read again");
    }
    std::future::pending().await
}

/// Listens for SIGTERM and SIGINT from now on; what it returns is done when one has come.
fn signalled() -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
