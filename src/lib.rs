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
//! `dialect` and `config` know `domain` (and `store` the `clock`); `docs` knows `dialect`, `trial` and `exchange` know both, `api`
//! and `cli` know `docs`, and `cli` both of the others, and the `client`; `domain` and `clock` know nobody else. `pulse` is known to all whose threads
//! must live, `telemetry` to `store`, `deliver` and `api`. Only this file and
//! `settings`, `greeting` see the whole [`Config`].

pub mod api;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod dashboard;
pub mod deliver;
pub mod dialect;
pub mod docs;
pub mod domain;
pub mod exchange;
mod greeting;
mod log;
pub mod pulse;
mod settings;
pub mod store;
pub mod telemetry;
pub mod trial;

use std::net::TcpListener;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_rt::task::JoinHandle;
use actix_web::web;
use ipnet::IpNet;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use url::Url;

use clock::{Clock, Dice, Stopwatch};
use config::{Config, threads};
use dialect::{DialectError, Dialects, Shelf};
use domain::audit::Actor;
use domain::delivery::{Delivery, Outcome};
use domain::explain::Explained;
use domain::guard::Guard;
use domain::id::WebhookNumber;
use domain::lane::Standing;
use domain::probe::{Probe, Probed, Tried};
use domain::pull::{Ask, LeaseId, Leased, Pulled, Word};
use domain::rate_limit::{Allowance, RateLimit};
use domain::time::{self, UnixMs};
use domain::webhook::Webhook;
use domain::workload::Workload;
use futures_util::future::BoxFuture;
use pulse::{Stuck, or_end, or_end_task};
use telemetry::traces::{Exporter, Untaken};

/// 2026-01-01: a clock that shows less was not set, as on a machine without a battery before it has asked the network.
const EARLIEST: UnixMs = 1_767_225_600_000;
/// How long a stop waits for the last spans to be taken.
const LAST_SPANS: Duration = Duration::from_secs(2);
/// The dialect of the accounts that exist from the start, where none is configured.
const DEFAULT_DIALECT: &str = "standard";

/// Why the server could not start or go on.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}; set another HOOKWHEEL__SERVER__LISTEN")]
    Listen(std::net::SocketAddr, std::io::Error),
    /// The machine's clock was not set yet.
    #[error(
        "the machine's clock shows {0}, which is before this program was made: set it, or start after it is set \
         (time-sync.target); no receiver would take a signature of that time"
    )]
    Clock(String),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] store::OpenError),
    /// Dialect files are broken; all mistakes are named.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Dialects(Vec<DialectError>),
    /// A dialect is to be served that there is not.
    #[error("deliver.builtin_dialects: {0:?} is not known; there are: {1}")]
    BuiltinDialects(String, String),
    /// The account that exists from the start is to have a dialect that there is not.
    #[error("deliver.default_dialect: {0:?} is not known; there are: {1}")]
    DefaultDialect(String, String),
    /// The certificate that the API is to be served with is broken.
    #[error("server.tls_certificate: {0}")]
    Certificate(#[from] api::CertificateError),
    /// The first account or key could not be stored.
    #[error("the first admin key cannot be made: {0}")]
    FirstKey(store::Refusal),
    /// The user of a development server could not be stored.
    #[error("the first user cannot be made: {0}")]
    FirstUser(store::Refusal),
    /// There is nobody to trust.
    #[error("deliver.roots: {0}")]
    Roots(String),
    /// Mail cannot be handed to the mail server that is configured.
    #[error("smtp: {0}")]
    Smtp(String),
    /// What pages show, or who logs in by a provider, cannot be read.
    #[error("{0}")]
    Pages(String),
    /// A log filter is not one.
    #[error("log.level: {0}")]
    Log(String),
    /// The system failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Serves until SIGTERM or SIGINT: what `hookwheel serve` does.
pub fn serve(config: Config) -> Result<(), ServeError> {
    let log = log::start(&config.log).map_err(ServeError::Log)?;
    prepare_process();
    greeting::warn_of(&config);
    // What the environment tells to fail, in a build for tests: in any other there is nothing that could.
    let _faults = fail::has_failpoints().then(fail::FailScenario::setup);
    let address = config.server.listen;
    let listener = TcpListener::bind(address).map_err(|error| ServeError::Listen(address, error))?;
    let served = actix_rt::System::new().block_on(async {
        let shutdown = signalled()?;
        or_end_task("main", run(config, listener, shutdown)).await
    });
    log.end();
    served
}

/// Runs the server on `listener` until `shutdown` is done; then accepts nothing more, finishes what is in flight or
/// leaves it for the next start, writes all that is known, and returns.
pub async fn run(config: Config, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
    run_by(Clock::real(), config, listener, shutdown).await
}

/// The same by another clock: for tests.
#[doc(hidden)]
pub async fn run_by(
    clock: Clock,
    config: Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    if clock.wall() < EARLIEST {
        return Err(ServeError::Clock(time::rfc3339(clock.wall())));
    }
    let certificate = settings::certificate(&config)?;
    let shelf = Dialects::load(Some(&config.deliver.dialects)).map_err(ServeError::Dialects)?;
    if let Some(name) = config.deliver.default_dialect.as_ref().filter(|name| shelf.get(name).is_none()) {
        return Err(ServeError::DefaultDialect(name.clone(), shelf.names().collect::<Vec<_>>().join(", ")));
    }
    let wanted = config.deliver.wanted_dialects();
    if let Some(name) = wanted.unwrap_or_default().iter().find(|name| shelf.get(name).is_none()) {
        return Err(ServeError::BuiltinDialects(name.clone(), shelf.names().collect::<Vec<_>>().join(", ")));
    }
    let shelf = Arc::new(Shelf::new(shelf));
    let (address, trust) = (listener.local_addr()?, settings::trust(config.deliver.roots).map_err(ServeError::Roots)?);
    let guard = Arc::new(settings::guard(&config, address));
    let smtp = settings::smtp(&config).map_err(ServeError::Smtp)?;
    let people = settings::people(&config).map_err(ServeError::Pages)?;
    let (store, committer) = store::open(settings::of_store(&config), clock.clone(), Dice::from_system())?;
    let committing = std::thread::Builder::new().name("commit".into());
    let committing = committing.spawn(move || or_end("commit", || committer.run()))?;
    let (telemetry, exporter) = settings::telemetry(&config);
    let exporting = exporter.map(|exporter| export(&config, exporter)).transpose()?;
    let watched = telemetry.clone();
    let sending = deliver::Settings { smtp, telemetry: watched, ..settings::of_deliver(&config, guard.clone()) };
    let deliver = deliver::start(sending, trust, store.clone(), shelf.clone(), clock.clone());

    let mut dice = Dice::from_system();
    let configured = config.auth.admin_key.as_ref().map(|key| key.reveal());
    let dialect = config.deliver.default_dialect.as_deref();
    let first_key = api::first_admin_key(&store, &mut dice, configured, (dialect, DEFAULT_DIALECT)).await;
    let first_key = first_key.map_err(ServeError::FirstKey)?;
    if let Some(wanted) = wanted {
        let mut mounted = store.registry().dialects_in_use();
        mounted.extend(wanted.iter().cloned().chain([DEFAULT_DIALECT.to_string()]));
        shelf.mount_only(mounted);
    }
    let outbound = Box::new(deliver.handle());
    let serving = api::Settings { people, ..settings::of_api(&config, guard, telemetry.clone()) };
    let api = api::Api::new(store.clone(), shelf.clone(), clock, dice, serving, outbound);
    let api = web::Data::new(api);

    let grace = Duration::from_secs(config.server.shutdown_seconds);
    let (workers, patience) = (threads(config.server.workers), config.server.shutdown_seconds);
    let pages = if config.dashboard.enabled { dashboard::routes } else { dashboard::no_routes };
    let listening = api::listen(api.clone(), pages, listener, certificate.clone(), workers, patience)?;
    // From here on SIGHUP no longer ends the process.
    let hangups = signal(SignalKind::hangup())?;
    let dialects = shelf.now();
    let served: Vec<&str> = dialects.mounted().map(|dialect| dialect.name.as_str()).collect();
    let log_in = match config.is_dev && config.dashboard.enabled {
        true => Some(api::people::links::dev_path(&api).await.map_err(ServeError::FirstUser)?),
        false => None,
    };
    greeting::greet(&config, address, (first_key.as_deref(), log_in.as_deref()), &served);

    tokio::select! {
        () = shutdown => {}
        () = reload_when_asked(hangups, &config.deliver.dialects, &shelf, &deliver, &store, certificate.as_deref()) => {}
    }
    tracing::info!("stopping");
    let watch = Stopwatch::start();
    deliver.answer_polls();
    let served = listening.stop().await;
    deliver.stop(grace.saturating_sub(watch.elapsed())).await;
    store.close();
    committing.join().expect("a panic of the commit thread ends the process");
    telemetry.traces.close();
    if let Some(exporting) = exporting {
        // A collector that is away keeps nobody.
        let _ = actix_rt::time::timeout(LAST_SPANS, exporting).await;
    }
    served?;
    tracing::info!("stopped");
    Ok(())
}

/// Hands spans over to the operator's own collector until the traces are closed. It is dialled wherever it is: no guard stands
/// between, and no proxy.
fn export(config: &Config, exporter: Exporter) -> Result<JoinHandle<()>, ServeError> {
    let (requests, traces) = (Rc::new(requests(config)?), Rc::new(config.traces.clone()));
    let post = move |spans| {
        let (requests, probe) = (requests.clone(), settings::of_spans(&traces, spans));
        async move {
            let Some(probe) = probe else { return Err(Untaken { why: "its URL is none".into(), again: false }) };
            match requests.probe(probe).await.outcome {
                Outcome::Status(200..=299) => Ok(()),
                outcome => {
                    let again = outcome.status().is_none_or(|status| matches!(status, 429 | 502 | 503 | 504));
                    Err(Untaken { why: outcome.to_string(), again })
                }
            }
        }
    };
    Ok(actix_rt::spawn(exporter.run(post)))
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

/// Says where a URL leads and which rules decide there, for a webhook for which `opened` was opened: what `hookwheel
/// guard explain` does. No server need run.
pub async fn explain(config: &Config, url: &Url, opened: &[IpNet]) -> Explained {
    let guard = Arc::new(settings::guard(config, config.server.listen));
    deliver::explain_alone(&settings::of_deliver(config, guard), url, opened).await
}

/// Makes requests as deliveries are made, to wherever the one who asks for them says: what `hookwheel dialect test` does.
/// No server need run, and no guard stands between.
pub fn requests(config: &Config) -> Result<deliver::Requests, ServeError> {
    let everywhere = ["0.0.0.0/0", "::/0"].map(|net| net.parse().expect("it is a network"));
    let guard = Arc::new(Guard::new(everywhere.into(), Vec::new(), Vec::new()));
    let (proxy, egress, listener_descriptors) = (None, Vec::new(), 0);
    let configured = settings::of_deliver(config, guard);
    let settings = deliver::Settings { proxy, egress, listener_descriptors, ..configured };
    let trust = settings::trust(config.deliver.roots).map_err(ServeError::Roots)?;
    Ok(deliver::requests_alone(&settings, trust))
}

/// Lets the store that is configured be opened with what is left in it: what `hookwheel store accept-loss` does.
pub fn accept_loss(config: &Config) -> Result<store::Loss, store::OpenError> {
    store::accept_loss(&settings::of_store(config))
}

/// Makes the store that is configured out of a backup: what `hookwheel restore` does.
pub fn restore(config: &Config, from: impl std::io::Read) -> Result<store::Found, store::BackupError> {
    store::restore(&settings::of_store(config), from)
}

/// Reads a backup to its end, and says what it is if it is whole.
pub fn verify_backup(from: impl std::io::Read) -> Result<store::Found, store::BackupError> {
    store::verify(from)
}

impl api::Outbound for deliver::Handle {
    fn probe(&self, probe: Probe) -> BoxFuture<'static, Probed> {
        Box::pin(Self::probe(self, probe))
    }
    fn test(&self, webhook: Arc<Webhook>, delivery: Delivery) -> BoxFuture<'static, Tried> {
        Box::pin(Self::test(self, webhook, delivery))
    }
    fn take(&self, webhook: WebhookNumber, limit: RateLimit) -> Result<(), u64> {
        Self::take(self, webhook, limit)
    }
    fn spend(&self, webhook: WebhookNumber, limit: RateLimit) {
        Self::spend(self, webhook, limit);
    }
    fn explain(&self, url: Url, opened: Vec<IpNet>) -> BoxFuture<'static, Option<Explained>> {
        Box::pin(Self::explain(self, url, opened))
    }
    fn left(&self, webhook: WebhookNumber, limit: RateLimit) -> Allowance {
        Self::left(self, webhook, limit)
    }
    fn pull(&self, ask: Ask, is_there: Box<dyn Fn() -> bool + Send>) -> BoxFuture<'static, Vec<Pulled>> {
        Box::pin(Self::pull(self, ask, is_there))
    }
    fn say(&self, leases: Vec<LeaseId>, word: Word) -> BoxFuture<'static, Vec<Leased>> {
        Box::pin(Self::say(self, leases, word))
    }
    fn standing(&self, webhook: WebhookNumber) -> BoxFuture<'static, Option<Standing>> {
        Box::pin(Self::standing(self, webhook))
    }
    fn trouble(&self) -> Option<&'static str> {
        Self::trouble(self)
    }
    fn stuck(&self) -> Option<Stuck> {
        Self::stuck(self)
    }
    fn workload(&self) -> Workload {
        Self::workload(self)
    }
    fn show_metrics(&self, page: &mut telemetry::Page) {
        Self::show_metrics(self, page);
    }
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
