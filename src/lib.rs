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
//! must live, `telemetry` to `store`, `deliver` and `api`; `handover` to `post`, and that and `supervisor` to this file alone.
//! Only it and `checked`, `post`, `settings`, `greeting`, `live` see the whole [`Config`].

pub mod api;
mod checked;
pub mod cli;
pub mod client;
pub mod clock;
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
mod post;
mod preflight;
mod profile;
pub mod pulse;
mod settings;
pub mod store;
mod supervisor;
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
use tokio::sync::watch;
use url::Url;

use api::Door;
use checked::Checked;
use clock::{Clock, Dice};
use config::{Config, threads};
use dialect::DialectError;
use domain::delivery::{Delivery, Outcome};
use domain::explain::Explained;
use domain::guard::Guard;
use domain::id::WebhookNumber;
use domain::lane::Standing;
use domain::probe::{Probe, Probed, Tried};
use domain::pull::{Ask, LeaseId, Leased, Pulled, Word};
use domain::rate_limit::{Allowance, RateLimit};
use domain::webhook::Webhook;
use domain::workload::Workload;
use futures_util::future::BoxFuture;
use handover::{Heir, TakeOverError};
use live::Live;
pub use live::check;
use post::Post;
use pulse::{Stuck, or_end, or_end_task};
use telemetry::traces::{Exporter, Untaken};

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

/// Serves until SIGTERM or SIGINT, or until another process has taken over: what `hookwheel serve` does.
pub fn serve(mut config: Config) -> Result<(), ServeError> {
    let given = handover::given();
    let log = log::start(&config.log).map_err(ServeError::Log)?;
    prepare_process();
    greeting::mend(&config);
    greeting::warn_of(&config);
    // What the environment tells to fail, in a build for tests: in any other there is nothing that could.
    let _faults = fail::has_failpoints().then(fail::FailScenario::setup);
    let served = actix_rt::System::new().block_on(or_end_task("main", serve_by(&mut config, given)));
    log.end();
    served
}

/// The same within an actix system. If another process takes over and does not get far, this one goes on.
async fn serve_by(config: &mut Config, given: Result<Option<TcpListener>, String>) -> Result<(), ServeError> {
    let given = given.map_err(ServeError::Given)?;
    // From here on SIGHUP does not end the process: while the store is opened or handed over, it waits until it can be heard.
    let mut hangups = signal(SignalKind::hangup())?;
    let checked = Checked::of(config, &Clock::real())?;
    let mut post = Post::find(config, given)?;
    let asked = match asked_to_stop() {
        Ok(asked) => asked,
        Err(error) => return Err(post.failed(error.into())),
    };
    loop {
        let heir = match run_at(Clock::real(), config, &checked, &mut post, (asked.clone(), &mut hangups)).await {
            Ok(None) => return Ok(()),
            Ok(Some(heir)) => heir,
            Err(error) => return Err(post.failed(error)),
        };
        let (pid, mut asked) = (heir.pid(), asked.clone());
        tokio::select! {
            opened = heir.opened() => match opened {
                Ok(()) => {
                    supervisor::goes_on_as(pid);
                    tracing::info!(pid, "another process has taken over");
                    return Ok(());
                }
                Err(error) => tracing::error!(pid, %error, "the process that took over does not serve; this one goes on"),
            },
            // Who is asked to stop leaves the rest to the other process.
            _ = asked.wait_for(|asked| *asked > 0) => return Ok(()),
            () = supervisor::keep_awake(|| None) => {}
        }
        post.is_resumed = true;
    }
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
    let running = run_at(clock, &mut config, &checked, &mut post, (asked, &mut hangups));
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

/// The same at a post, until it is asked to stop or somebody takes over: whoever does, and has the store now, is given back.
/// Asked once more, it stops at once. At each of `hangups` it reads again what it can.
async fn run_at(
    clock: Clock,
    config: &mut Config,
    checked: &Checked,
    post: &mut Post,
    (mut asked, hangups): (watch::Receiver<u32>, &mut Signal),
) -> Result<Option<Heir>, ServeError> {
    let address = post.listener.local_addr()?;
    let (certificate, shelf) = (checked.certificate.clone(), checked.shelf.clone());
    let guard = Arc::new(settings::guard(config, address));
    supervisor::status("opening the store");
    let (store, committer) = post.open(config, &clock).await?;
    fail::fail_point!("take_over.opened");
    let committing = std::thread::Builder::new().name("commit".into());
    let committing = committing.spawn(move || or_end("commit", || committer.run()))?;
    let (telemetry, exporter) = settings::telemetry(config);
    let exporting = exporter.map(|exporter| export(config, exporter)).transpose()?;
    let watched = telemetry.clone();
    let smtp = checked.smtp.clone();
    let sending = deliver::Settings { smtp, telemetry: watched, ..settings::of_deliver(config, guard.clone()) };
    let deliver = deliver::start(sending, checked.trust.clone(), store.clone(), shelf.clone(), clock.clone());

    let mut dice = Dice::from_system();
    let configured = config.auth.admin_key.as_ref().map(|key| key.reveal());
    let dialect = config.deliver.default_dialect.as_deref();
    let first_key = api::first_admin_key(&store, &mut dice, configured, (dialect, DEFAULT_DIALECT)).await;
    let first_key = first_key.map_err(ServeError::FirstKey)?;
    if let Some(wanted) = config.deliver.wanted_dialects() {
        let mut mounted = store.registry().dialects_in_use();
        mounted.extend(wanted.iter().cloned().chain([DEFAULT_DIALECT.to_string()]));
        shelf.mount_only(mounted);
    }
    let outbound = Box::new(deliver.handle());
    let people = checked.people.clone();
    let serving = api::Settings { people, ..settings::of_api(config, guard.clone(), telemetry.clone()) };
    let api = api::Api::new(store.clone(), shelf.clone(), clock, dice, serving, outbound);
    let api = web::Data::new(api);

    let (workers, patience) = (threads(config.server.workers), config.server.shutdown_seconds);
    let pages = if config.dashboard.enabled { dashboard::routes } else { dashboard::no_routes };
    let listener = post.listener.try_clone()?;
    let listening = api::listen(api.clone(), pages, listener, certificate.clone(), workers, patience)?;
    let log_in = match config.is_dev && config.dashboard.enabled && !post.is_resumed {
        true => Some(api::people::links::dev_path(&api).await.map_err(ServeError::FirstUser)?),
        false => None,
    };
    // From here on nothing fails any more. Who reads what follows may take over.
    let control = post.open_to_others(config);
    supervisor::ready(&format!("serving on {address}"));
    if post.is_resumed {
        tracing::warn!("events are taken again");
    } else {
        let dialects = shelf.now();
        let served: Vec<&str> = dialects.mounted().map(|dialect| dialect.name.as_str()).collect();
        let takes = |key: &str| api::is_known_key(&store, key);
        greeting::greet(config, address, (first_key.as_deref(), log_in.as_deref()), &served, takes);
    }

    let mut now = config.clone();
    let (store_now, certificate) = (store.clone(), certificate.as_deref());
    let (api_now, config_now) = (api.clone(), &mut now);
    let live = Live {
        config: config_now,
        guard,
        api: api_now,
        shelf: &shelf,
        deliver: &deliver,
        store: store_now,
        certificate,
    };
    let handle = deliver.handle();
    let stuck = || store.pulse().stuck().or_else(|| handle.stuck());
    let heir = tokio::select! {
        biased;
        _ = asked.wait_for(|asked| *asked > 0) => None,
        heir = post.heir(config, control.as_ref(), &store) => Some(heir),
        () = live.reload_when_asked(hangups) => None,
        () = supervisor::keep_awake(stuck) => None,
    };
    // What was read again stays, if this process goes on after all.
    *config = now;
    // Whoever looks for a server here finds the next one.
    drop(control);
    tracing::info!("stopping");
    if heir.is_some() {
        fail::fail_point!("take_over.given");
    }
    match &heir {
        None => supervisor::stopping(),
        // It may come to nothing.
        Some(_) => supervisor::status("another process takes over"),
    }
    let door = if post.is_given || heir.is_some() { Door::GoesOn } else { Door::Closes };
    // The first signal stops, and the next one hastens; while another process takes over the first does.
    let next_signal = u32::from(heir.is_none()) + 1;
    let hastened = async { asked.wait_for(|asked| *asked >= next_signal).await.is_ok() };
    stop_serving(&config.server, (listening, door), deliver, &api, hastened).await;
    store.close();
    committing.join().expect("a panic of the commit thread ends the process");
    if let Some(heir) = &heir {
        tracing::info!(pid = heir.pid(), "the store is closed for the process that takes over");
        // An error means that it has gone, which shows as it is waited for.
        let _ = heir.released();
    }
    telemetry.traces.close();
    if let Some(exporting) = exporting {
        // A collector that is away keeps nobody.
        let _ = actix_rt::time::timeout(LAST_SPANS, exporting).await;
    }
    tracing::info!("stopped");
    Ok(heir)
}

/// Gives attempts that are out a moment, while events are still taken: so nobody waits for a slow endpoint. Then accepts nothing
/// more, and answers what was asked. Attempts that take longer are let go of, and so is everything once it is `hastened`.
async fn stop_serving(
    config: &config::ServerConfig,
    (listening, door): (api::Listening, Door),
    deliver: deliver::Deliver,
    api: &api::Api,
    hastened: impl Future<Output = bool>,
) {
    let let_go = deliver.let_go();
    let for_attempts = Duration::from_secs(config.shutdown_attempt_seconds.min(config.shutdown_seconds));
    api.connections().announce_stop();
    deliver.rest();
    let stopping = async {
        deliver.at_rest().await;
        deliver.answer_polls();
        listening.stop(door).await;
        deliver.stop(Duration::ZERO).await;
    };
    // After it the API may still answer: who waits for a test, or for another request to somebody's endpoint, is answered then.
    let letting_go = async {
        actix_rt::time::sleep(for_attempts).await;
        let_go.now();
        std::future::pending().await
    };
    let hastening = async {
        if hastened.await {
            tracing::warn!("stopping at once");
            let_go.now();
            api.connections().hasten();
        }
        std::future::pending().await
    };
    tokio::select! {
        () = stopping => {}
        () = letting_go => {}
        () = hastening => {}
        // Nothing of it lasts for longer than it may.
        () = supervisor::keep_awake(|| None) => {}
    }
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

/// Whether a restore into the data directory that is configured was broken off, so that there is no store in it.
pub fn is_half_restored(config: &Config) -> bool {
    store::is_half_restored(&config.store.path)
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

/// Listens for SIGTERM and SIGINT from now on. Gives how often they have come.
fn asked_to_stop() -> std::io::Result<watch::Receiver<u32>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (ask, asked) = watch::channel(0_u32);
    actix_rt::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            ask.send_modify(|asked| *asked = asked.saturating_add(1));
        }
    });
    Ok(asked)
}
