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
//! must live, `telemetry` to `store`, `deliver` and `api`; `cluster` knows `store`, and is known to `nodes`, as that is to `post` and
//! `serving`; `handover` to `post` and `serving`, `supervisor` to `serving` and `live`.
//! Only this file and `checked`, `serving`, `post`, `nodes`, `settings`, `greeting`, `live`, `doctor` see the whole [`Config`].

mod about;
pub mod api;
mod checked;
pub mod cli;
pub mod client;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod dashboard;
pub mod deliver;
pub mod dialect;
pub mod docs;
mod doctor;
pub mod domain;
pub mod exchange;
mod greeting;
mod handover;
mod live;
mod log;
mod nodes;
mod post;
mod profile;
pub mod pulse;
mod serving;
mod settings;
pub mod store;
mod supervisor;
pub mod telemetry;
pub mod trial;

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use url::Url;

use checked::Checked;
use clock::Clock;
use config::Config;
use dialect::DialectError;
use domain::delivery::Delivery;
use domain::explain::Explained;
use domain::guard::Guard;
use domain::id::WebhookNumber;
use domain::lane::Standing;
use domain::probe::{Probe, Probed, Tried};
use domain::pull::{Ask, LeaseId, Leased, Pulled, Word};
use domain::rate_limit::{Allowance, RateLimit};
use domain::webhook::Webhook;
use domain::workload::{Carried, Workload};
use futures_util::future::BoxFuture;
use handover::TakeOverError;
use post::Post;
use pulse::{Stuck, or_end_task};
pub use store::SCHEMA;

/// Why the server could not start or go on.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}; set another HOOKWHEEL__SERVER__LISTEN")]
    Listen(std::net::SocketAddr, std::io::Error),
    /// Nor is there a place for the other nodes.
    #[error("cannot listen for the other nodes on {0}: {1}; set another HOOKWHEEL__CLUSTER__LISTEN")]
    ListenForNodes(std::net::SocketAddr, std::io::Error),
    /// The socket that was given to this process cannot be used.
    #[error("{0}")]
    Given(String),
    /// The running server goes on.
    #[error(transparent)]
    TakeOver(#[from] TakeOverError),
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
    /// The database cannot be asked as it is configured.
    #[error("store.url: {0}")]
    Database(String),
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
    /// What a configuration names cannot be used; each is told.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<Self>),
    /// The system failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Serves until SIGTERM or SIGINT, or until another process has taken over: what `hookwheel serve` does.
pub fn serve(mut config: Config) -> Result<(), ServeError> {
    let given = handover::given();
    log::start(&config.log).map_err(ServeError::Log)?;
    prepare_process();
    greeting::mend(&config);
    greeting::warn_of(&config);
    // What the environment tells to fail, in a build for tests: in any other there is nothing that could.
    let _faults = fail::has_failpoints().then(fail::FailScenario::setup);
    let served = actix_rt::System::new().block_on(or_end_task("main", serving::serve_by(&mut config, given)));
    log::end();
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
    mut config: Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let checked = Checked::of(&config, &clock)?;
    let (ask, asked) = watch::channel(0);
    let mut hangups = signal(SignalKind::hangup())?;
    let mut post = Post::alone(listener);
    let running = serving::run_at(clock, &mut config, &checked, &mut post, (asked, &mut hangups));
    let asking = async {
        shutdown.await;
        ask.send_replace(1);
        std::future::pending().await
    };
    tokio::select! {
        ended = running => ended.map(drop),
        () = asking => unreachable!("it is never done"),
    }
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

/// Gives what can be read of the store in `path`, a line each, its end included: what `hookwheel store export --from-damaged` does.
pub fn rescue(
    config: &Config,
    path: &Path,
    secrets: bool,
    mut line: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> Result<store::Rescued, store::OpenError> {
    let settings = store::Settings { path: path.into(), ..settings::of_store(config) };
    let told = |saved: &store::Saved<'_>| api::saved_line(saved, secrets).map_err(|problem| problem.to_string());
    store::rescue(&settings, &told, &mut line)
}

/// Brings the store that is configured to the present format, with a copy before or without: what `hookwheel store upgrade` does.
pub fn upgrade(config: &Config, copies: bool) -> Result<store::Upgrade, store::OpenError> {
    store::upgrade(&store::Settings { upgrade_copy: copies, ..settings::of_store(config) })
}

/// Lets the store that is configured be opened with what is left in it: what `hookwheel store accept-loss` does.
pub fn accept_loss(config: &Config) -> Result<store::Loss, store::OpenError> {
    store::accept_loss(&settings::of_store(config))
}

/// Writes a backup of the store that is configured, which no server has: what `hookwheel backup --offline` does.
///
/// # Errors
/// As [`store::back_up_stopped`].
pub fn back_up_stopped(config: &Config, out: &mut impl std::io::Write) -> Result<(), store::BackupError> {
    store::back_up_stopped(&settings::of_store(config), clock::Clock::real().wall(), out)
}

/// Makes the store that is configured out of a backup: what `hookwheel restore` does.
///
/// # Errors
/// As [`store::restore`].
pub fn restore(
    config: &Config,
    from: impl std::io::Read,
    accepts_differences: bool,
) -> Result<store::Found, store::BackupError> {
    store::restore(&settings::of_store(config), from, accepts_differences)
}

/// Where the store is that is configured: a data directory, or the URL of a database without its password.
pub fn place_of_store(config: &Config) -> std::path::PathBuf {
    settings::of_store(config).path
}

/// Whether a restore into the data directory that is configured was broken off, so that there is no store in it.
pub fn is_half_restored(config: &Config) -> bool {
    config.store.url.is_none() && store::is_half_restored(&config.store.path)
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
    fn carried(&self) -> Carried {
        Self::carried(self)
    }
    fn show_metrics(&self, page: &mut telemetry::Page) {
        Self::show_metrics(self, page);
    }
}
