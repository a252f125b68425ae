//! One server, from the opening of its store to its close, and whoever asks it to stop. What stays true: events are taken only
//! between the two, a stop writes all that is known, and who was taken over goes on where the next one does not.

use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_rt::task::JoinHandle;
use actix_web::web;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::api::{self, Door};
use crate::checked::Checked;
use crate::clock::{Clock, Dice};
use crate::config::{self, Config, threads};
use crate::domain::delivery::Outcome;
use crate::domain::guard::Guard;
use crate::handover::{Control, Heir};
use crate::live::Live;
use crate::post::Post;
use crate::pulse::{apart, or_end, or_end_task};
use crate::store::{Committer, Refusal, Store, StoreError};
use crate::telemetry::Telemetry;
use crate::telemetry::traces::{Exporter, Untaken};
use crate::{ServeError, dashboard, deliver, greeting, requests, settings, supervisor};

/// How long a stop waits for the last spans to be taken.
const LAST_SPANS: Duration = Duration::from_secs(2);
/// Until a database is asked again that was lost before anything was served.
const LOST: Duration = Duration::from_secs(1);
/// The dialect of the accounts that exist from the start, where none is configured.
const DEFAULT_DIALECT: &str = "standard";

/// Serves by signals, on the socket that was given or another, within an actix system. If another process takes over and does not
/// get far, this one goes on.
pub async fn serve_by(config: &mut Config, given: Result<Option<TcpListener>, String>) -> Result<(), ServeError> {
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
            Ok(Left::Stopped) => return Ok(()),
            Ok(Left::ToHeir(heir)) => heir,
            Ok(Left::ToOthers | Left::Taken) => {
                post.is_resumed = true;
                continue;
            }
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

/// Why a server does not serve any more.
pub enum Left {
    /// It was asked to stop.
    Stopped,
    /// Another process has the store now.
    ToHeir(Heir),
    /// It was drained: another node has the store, or soon will.
    ToOthers,
    /// Another node has taken the store while it was not this one's: it was held up, cut off from the database, or opened it again.
    Taken,
}

/// Runs a server at a post, until it is asked to stop or to let others serve, or another process takes over. Asked to stop once more, it
/// stops at once. At each of `hangups` it reads again what it can.
pub async fn run_at(
    clock: Clock,
    config: &mut Config,
    checked: &Checked,
    post: &mut Post,
    (asked, hangups): (watch::Receiver<u32>, &mut Signal),
) -> Result<Left, ServeError> {
    let mut serving = loop {
        let opened = open(&clock, config, checked, post, (asked.clone(), hangups)).await?;
        let Some(opened) = opened else { return Ok(Left::Stopped) };
        if let Some(serving) = Serving::start(&clock, config, checked, post, opened).await? {
            break serving;
        }
    };
    let left = serving.until_asked(config, checked, post, (asked.clone(), hangups)).await;
    serving.stop(config, post, &left, asked).await?;
    Ok(left)
}

/// Opens the store, unless it is asked to stop before.
async fn open(
    clock: &Clock,
    config: &mut Config,
    checked: &Checked,
    post: &mut Post,
    (mut asked, hangups): (watch::Receiver<u32>, &mut Signal),
) -> Result<Option<(Store, Committer)>, ServeError> {
    supervisor::status("opening the store");
    let pulses = post.pulses();
    let stuck = || pulses.stuck();
    tokio::select! {
        opened = supervisor::patient_with(post.open(config, checked, clock, hangups), stuck) => return opened.map(Some),
        _ = asked.wait_for(|asked| *asked > 0) => {}
    }
    if let Some(standing_by) = post.stood_by() {
        tracing::info!("stopping");
        supervisor::stopping();
        let door = if post.is_given { Door::GoesOn } else { Door::Closes };
        supervisor::patient_with(standing_by.stop(door), || None).await;
        return Ok(None);
    }
    // What it was at may take long, and is made again after whatever moment a process ends at.
    tracing::warn!("stopped while the store was opened; the next start opens it");
    post.give_up("it was asked to stop before it served");
    Ok(None)
}

/// A server that takes events.
struct Serving {
    guard: Arc<Guard>,
    store: Store,
    committing: std::thread::JoinHandle<()>,
    telemetry: Telemetry,
    exporting: Option<JoinHandle<()>>,
    deliver: deliver::Deliver,
    api: web::Data<api::Api>,
    listening: api::Listening,
    control: Option<Control>,
}

impl Serving {
    /// Starts all threads over the store that was opened, listens, and says so. `None`: its database was lost just then, and the store
    /// is to be opened again.
    async fn start(
        clock: &Clock,
        config: &Config,
        checked: &Checked,
        post: &mut Post,
        (store, committer): (Store, Committer),
    ) -> Result<Option<Self>, ServeError> {
        let address = post.listener.local_addr()?;
        let (certificate, shelf) = (checked.certificate.clone(), checked.shelf.clone());
        let guard = Arc::new(settings::guard(config, address));
        fail::fail_point!("take_over.opened");
        let committing = std::thread::Builder::new().name("commit".into());
        let committing = committing.spawn(move || or_end("commit", || committer.run()))?;
        let mut dice = Dice::from_system();
        let configured = config.auth.admin_key.as_ref().map(|key| key.reveal());
        let dialect = config.deliver.default_dialect.as_deref();
        let first_key = first_key(&store, &mut dice, configured, dialect).await;
        let first_key = match first_key {
            Err(Refusal::Failed(error @ (StoreError::Io(_) | StoreError::Unavailable))) if post.nodes.is_some() => {
                tracing::warn!(%error, "the database was lost before this node served; it is asked again");
                store.close();
                apart("close", || committing.join().expect("a panic of the commit thread ends the process")).await?;
                actix_rt::time::sleep(LOST).await;
                return Ok(None);
            }
            first_key => first_key.map_err(ServeError::FirstKey)?,
        };

        let (telemetry, exporter) = settings::telemetry(config);
        let exporting = exporter.map(|exporter| export(config, exporter)).transpose()?;
        let watched = telemetry.clone();
        let (smtp, carriers) = (checked.smtp.clone(), Arc::new(deliver::Carriers::default()));
        let of_nodes = carriers.clone();
        let sending =
            deliver::Settings { smtp, telemetry: watched, carriers, ..settings::of_deliver(config, guard.clone()) };
        let deliver = deliver::start(sending, checked.trust.clone(), store.clone(), shelf.clone(), clock.clone());

        if let Some(wanted) = config.deliver.wanted_dialects() {
            let mut mounted = store.registry().dialects_in_use();
            mounted.extend(wanted.iter().cloned().chain([DEFAULT_DIALECT.to_string()]));
            shelf.mount_only(mounted);
        }
        let outbound = Box::new(deliver.handle());
        let people = checked.people.clone();
        let answering = api::Settings { people, ..settings::of_api(config, guard.clone(), telemetry.clone()) };
        let api = web::Data::new(api::Api::new(store.clone(), shelf.clone(), clock.clone(), dice, answering, outbound));

        let (workers, patience) = (threads(config.server.workers), config.server.shutdown_seconds);
        let pages = if config.dashboard.enabled { dashboard::routes } else { dashboard::no_routes };
        let (listener, own) = (post.listener.try_clone()?, store.clone());
        let nodes = post.nodes.as_ref().map(|nodes| nodes.door(of_nodes, store.clone())).transpose()?;
        let elsewhere = post.nodes.as_ref().map(|nodes| nodes.way().unless(move || own.is_open()));
        let elsewhere = elsewhere.map(|way| Arc::new(way) as Arc<dyn api::Elsewhere>);
        let ways = api::Ways { listener, certificate, nodes, elsewhere };
        let listening = api::listen(api.clone(), pages, ways, workers, patience)?;
        if let Some(standing_by) = post.stood_by() {
            // From here on whoever comes is served.
            actix_rt::spawn(or_end_task("main", standing_by.stop(Door::GoesOn)));
        }
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
        Ok(Some(Self { guard, store, committing, telemetry, exporting, deliver, api, listening, control }))
    }

    /// Serves until it is asked to stop or to let others serve, or another process takes over. What is read again meanwhile stays in
    /// `config`, if this process goes on after all.
    async fn until_asked(
        &mut self,
        config: &mut Config,
        checked: &Checked,
        post: &Post,
        (mut asked, hangups): (watch::Receiver<u32>, &mut Signal),
    ) -> Left {
        let mut now = config.clone();
        let live = Live {
            config: &mut now,
            guard: self.guard.clone(),
            api: self.api.clone(),
            shelf: &checked.shelf,
            deliver: &self.deliver,
            store: self.store.clone(),
            certificate: checked.certificate.as_deref(),
        };
        let handle = self.deliver.handle();
        let stuck = || self.store.pulse().stuck().or_else(|| handle.stuck());
        let left = tokio::select! {
            biased;
            _ = asked.wait_for(|asked| *asked > 0) => Left::Stopped,
            heir = post.heir(config, self.control.as_ref(), &self.store) => Left::ToHeir(heir),
            () = self.api.drained() => Left::ToOthers,
            () = post.taken() => Left::Taken,
            () = live.reload_when_asked(hangups) => Left::Stopped,
            () = supervisor::keep_awake(stuck) => Left::Stopped,
        };
        *config = now;
        // Whoever looks for a server here finds the next one.
        self.control = None;
        left
    }

    /// Stops in order, and leaves the socket to whoever goes on with it.
    async fn stop(
        self,
        config: &Config,
        post: &Post,
        left: &Left,
        mut asked: watch::Receiver<u32>,
    ) -> Result<(), ServeError> {
        match left {
            Left::Stopped => {
                tracing::info!("stopping");
                supervisor::stopping();
            }
            Left::ToHeir(_) => {
                tracing::info!("stopping");
                fail::fail_point!("take_over.given");
                // It may come to nothing.
                supervisor::status("another process takes over");
            }
            Left::ToOthers => {
                tracing::info!("this node is drained: another one is to own the store");
                supervisor::status("another node takes over");
                post.rest();
            }
            Left::Taken => {
                tracing::warn!("another node has taken the store meanwhile: this one is to stand by");
                supervisor::status("another node has taken over");
            }
        }
        let is_stopped = matches!(left, Left::Stopped);
        let door = if post.is_given || !is_stopped { Door::GoesOn } else { Door::Closes };
        // The first signal stops, and the next one hastens; while somebody takes over the first does.
        let next_signal = u32::from(is_stopped) + 1;
        let hastened = async {
            if matches!(left, Left::Taken) {
                // Nothing that it is at can be recorded, nor answered but for the refusal.
                return true;
            }
            let is_asked = asked.wait_for(|asked| *asked >= next_signal).await.is_ok();
            if is_asked {
                tracing::warn!("stopping at once");
            }
            is_asked
        };
        let Self { store, committing, deliver, listening, api, .. } = self;
        // Nothing of it lasts for longer than it may.
        supervisor::patient_with(stop_serving(&config.server, (listening, door), deliver, &api, hastened), || None)
            .await;
        store.close();
        let closed = apart("close", || committing.join().expect("a panic of the commit thread ends the process"));
        supervisor::patient_with(closed, || store.pulse().stuck()).await?;
        if let Left::ToHeir(heir) = left {
            tracing::info!(pid = heir.pid(), "the store is closed for the process that takes over");
            // An error means that it has gone, which shows as it is waited for.
            let _ = heir.released();
        }
        self.telemetry.traces.close();
        if let Some(exporting) = self.exporting {
            // A collector that is away keeps nobody.
            let _ = actix_rt::time::timeout(LAST_SPANS, exporting).await;
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// The accounts that are there from the start, and the key to them; gives it if it was made now.
async fn first_key(
    store: &Store,
    dice: &mut Dice,
    configured: Option<&str>,
    dialect: Option<&str>,
) -> Result<Option<String>, Refusal> {
    fail::fail_point!("serving.first_key", |_| Err(Refusal::Failed(StoreError::Unavailable)));
    api::first_admin_key(store, dice, configured, (dialect, DEFAULT_DIALECT)).await
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
        deliver.dismiss_carriers();
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
            let_go.now();
            api.connections().hasten();
        }
        std::future::pending().await
    };
    tokio::select! {
        () = stopping => {}
        () = letting_go => {}
        () = hastening => {}
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
