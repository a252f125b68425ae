//! Delivery: wheel and lanes decide (`wheel`, `lane`, `schedule`, `verdict`: pure), a thread turns them (`engine`), and
//! senders make the requests (`errands`, `sender`, `target`, `book`), past the guard, with the access tokens that endpoints want
//! (`grants`, `tokens`), or hand over what is pulled (`polls`, `leases`, `pulling`). Some requests other nodes make (`carriers`, `carried`), as
//! this one does for them while it stands by (`carrying`).

pub mod allowances;
pub mod book;
mod carried;
mod carriers;
mod carrying;
mod clients;
mod descriptors;
mod dial;
mod egress;
pub mod engine;
pub mod errands;
mod explain;
mod failure;
mod grants;
mod headers;
mod http;
pub mod lane;
pub mod leases;
mod letters;
mod limiter;
pub mod mailbox;
pub mod meters;
mod oldest;
pub mod polls;
mod probes;
mod pulling;
mod requests;
mod resolve;
pub mod schedule;
mod sender;
mod settings;
pub mod shares;
mod smtp;
mod target;
mod tls;
mod tokens;
mod told;
mod tunnel;
pub mod verdict;
pub mod wheel;
pub mod window;
mod workload;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use actix_rt::Arbiter;
use ipnet::IpNet;
use tokio::sync::{mpsc, oneshot, watch};
use url::Url;

use crate::clock::Clock;
use crate::dialect::Shelf;
use crate::domain::byte_budget::ByteBudget;
use crate::domain::delivery::{Attempt, Delivery, Outcome};
use crate::domain::explain::Explained;
use crate::domain::id::WebhookNumber;
use crate::domain::lane::Standing;
use crate::domain::probe::{Probe, Probed, Tried};
use crate::domain::rate_limit::{Allowance, RateLimit};
use crate::domain::webhook::Webhook;
use crate::domain::workload::Carried;
use crate::pulse::{Pulse, Stuck, or_end, or_end_task};
use crate::store::{Listener, Notice, Store};
use crate::telemetry::Page;
use allowances::Allowances;
pub use carriers::Carriers;
pub use carrying::Carrying;
use descriptors::Descriptors;
pub use egress::may_be_here;
use engine::Engine;
use errands::Errand;
use leases::Leases;
use mailbox::Mailbox;
use meters::Meters;
use probes::{OPERATOR, Probes};
pub use requests::Requests;
use resolve::Resolver;
use schedule::{Claim, Scheduler};
use sender::Tools;
pub use settings::Settings;
pub use smtp::{Smtp, SmtpSettings, SmtpTls};
pub use tls::Trust;
use tokens::Tokens;

/// How long senders may take to let go of what is out.
const LETTING_GO: Duration = Duration::from_secs(1);
/// How long the engine may take to answer who asks how deliveries stand.
const PATIENCE: Duration = Duration::from_secs(1);

/// The running delivery.
pub struct Deliver {
    mailbox: Arc<Mailbox>,
    handle: Handle,
    engine: JoinHandle<()>,
    leases: Arc<Leases>,
    stopping: Arc<watch::Sender<bool>>,
    let_go: LetGo,
    senders: Vec<(Arbiter, oneshot::Receiver<usize>)>,
}

/// Has all that is out let go of; cheap to clone.
#[derive(Clone)]
pub struct LetGo(Arc<watch::Sender<bool>>);

impl LetGo {
    /// From now on: nothing is recorded of attempts that are out, and whoever waits for a test or another request hears that
    /// the server stops.
    pub fn now(&self) {
        self.0.send_replace(true);
    }

    /// Waits until somebody says so.
    pub async fn said(&self) {
        // It holds the sender, so there is no error.
        drop(self.0.subscribe().wait_for(|it| *it).await);
    }
}

/// Says where a URL leads and which rules decide there, without a running server, for a webhook for which `opened` was
/// opened. Must be called within an actix system.
pub async fn explain_alone(settings: &Settings, url: &Url, opened: &[IpNet]) -> Explained {
    let resolver = Resolver::new(&settings.name_servers, settings.dns);
    explain::explain(url, opened, &settings.ways(), &resolver).await
}

/// Makes requests as deliveries are made, without a running server. Must be called within an actix system.
pub fn requests_alone(settings: &Settings, trust: Trust) -> Requests {
    Requests::of(settings.making(Arc::new(trust)), &Settings { senders: 1, ..settings.clone() })
}

/// Starts delivering what the store holds, trusting those in `trust`. Must be called within an actix system.
pub fn start(settings: Settings, trust: Trust, store: Store, shelf: Arc<Shelf>, clock: Clock) -> Deliver {
    let (mailbox, meters) = (Arc::new(Mailbox::default()), Arc::new(Meters::new(settings.telemetry.clone())));
    let making = settings.making(Arc::new(trust));
    let descriptors = making.descriptors.clone();
    let bodies = ByteBudget::new(settings.bodies_bytes_max);
    let tokens = Arc::new(Tokens::default());
    store.listen(Arc::new(Ears { mailbox: mailbox.clone(), tokens: tokens.clone() }));
    let (leases, stopping) = (Arc::new(Leases::default()), Arc::new(watch::Sender::new(false)));
    let tools = Tools {
        store: store.clone(),
        shelf: shelf.clone(),
        clock: clock.clone(),
        making,
        name_servers: settings.name_servers,
        dns: settings.dns,
        senders: settings.senders.max(1),
        bodies: bodies.clone(),
        tokens,
        carriers: settings.carriers,
        smtp: settings.smtp,
        leases: leases.clone(),
        telemetry: settings.telemetry,
    };
    let carriers = tools.carriers.clone();
    let (mut senders, mut errands, mut desks) = (Vec::new(), Vec::new(), Vec::new());
    let let_go = LetGo(Arc::new(watch::Sender::new(false)));
    for n in 1..=settings.senders.max(1) {
        let (tools, meters, mailbox) = (tools.clone(), meters.clone(), mailbox.clone());
        let (errand, errands_in) = mpsc::unbounded_channel();
        let (done, is_done) = oneshot::channel();
        let pulse = Arc::new(Pulse::of(format!("sender {n}")));
        desks.push((errand.downgrade(), pulse.clone()));
        let (arbiter, let_go) = (Arbiter::new(), let_go.0.subscribe());
        arbiter.spawn_fn(move || {
            actix_rt::spawn(or_end_task("sender", async move {
                let interrupted = errands::send_all(errands_in, tools, meters, mailbox, pulse, let_go).await;
                // Nobody waits any more if the time to stop has run out.
                let _ = done.send(interrupted);
            }));
        });
        senders.push((arbiter, is_done));
        errands.push(errand);
    }
    let allowances = Arc::new(Allowances::default());
    let places = settings.in_flight_max.min(descriptors.max());
    let scheduler = Scheduler::new(store.clone(), shelf, places, allowances.clone(), clock.now());
    let scheduler = scheduler.with_meters(meters.clone());
    let pulse = Arc::new(Pulse::of("engine"));
    let (meters_seen, engine_pulse) = (meters.clone(), pulse.clone());
    let handle = Handle {
        senders: desks.into(),
        probes: Arc::default(),
        allowances,
        meters: meters_seen,
        descriptors,
        bodies,
        mailbox: mailbox.clone(),
        engine_pulse,
        clock: clock.clone(),
        store,
        leases: leases.clone(),
        carriers,
        stopping: stopping.clone(),
    };
    let engine = Engine::new(scheduler, clock, mailbox.clone(), meters, pulse, errands).with_leases(leases.clone());
    let engine = std::thread::Builder::new().name("engine".into()).spawn(|| or_end("engine", || engine.run()));
    let engine = engine.expect("a thread can be started");
    Deliver { mailbox, handle, engine, leases, stopping, let_go, senders }
}

/// Who hear of every commit.
struct Ears {
    mailbox: Arc<Mailbox>,
    tokens: Arc<Tokens>,
}

impl Listener for Ears {
    fn notice(&self, notice: Notice) {
        notice.changed.iter().for_each(|number| self.tokens.forget(*number));
        self.mailbox.notice(notice);
    }
}

impl Deliver {
    /// The server is about to stop: nothing more is handed out. What is out goes on, and what becomes of it is recorded.
    pub fn rest(&self) {
        self.mailbox.rest();
    }

    /// Waits until nothing is out after [`Self::rest`], or until what is out is let go of. What was pulled is not waited for.
    pub async fn at_rest(&self) {
        tokio::select! {
            () = self.mailbox.until_at_rest() => {}
            () = self.let_go.said() => {}
        }
    }

    /// Other nodes need make no more requests.
    pub fn dismiss_carriers(&self) {
        self.handle.carriers.dismiss();
    }

    /// Answers who waits for what is pulled, with nothing, from now on at once: the API is about to stop.
    pub fn answer_polls(&self) {
        self.stopping.send_replace(true);
    }

    /// What lets go of all that is out, while [`Self::stop`] waits for it or before.
    pub fn let_go(&self) -> LetGo {
        self.let_go.clone()
    }

    /// Sends nothing new and waits for what is out, at most `limit`; then lets go of it: it stays open in the store, nothing is
    /// recorded of it, and it goes out after the next start. So does what was pulled, since nobody can say any more what became of
    /// it.
    pub async fn stop(self, limit: Duration) {
        self.answer_polls();
        self.mailbox.stop();
        self.engine.join().expect("a panic of the engine ends the process");
        self.leases.close();
        let all_done = async {
            let mut interrupted = 0;
            for (arbiter, is_done) in self.senders {
                // An error means that the sender is gone, which is as good.
                interrupted += is_done.await.unwrap_or(0);
                arbiter.stop();
            }
            interrupted
        };
        let mut all_done = std::pin::pin!(all_done);
        let interrupted = match actix_rt::time::timeout(limit, &mut all_done).await {
            Ok(interrupted) => Ok(interrupted),
            Err(_) => {
                self.let_go.now();
                actix_rt::time::timeout(LETTING_GO, all_done).await
            }
        };
        match interrupted {
            Ok(0) => {}
            Ok(attempts) => {
                tracing::warn!(
                    attempts,
                    "attempts were interrupted by the stop; they are made again by who has the store next"
                );
            }
            Err(_) => tracing::error!("a sender does not stop; what it sends is sent again by who has the store next"),
        }
    }

    /// What others may ask of the sending side while it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The dialects were read again: webhooks are treated by the new ones from now on.
    pub fn dialects_changed(&self) {
        self.mailbox.dialects_changed();
    }
}

/// What others may ask of the sending side while it runs; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    senders: Arc<[Desk]>,
    probes: Arc<Probes>,
    allowances: Arc<Allowances>,
    meters: Arc<Meters>,
    descriptors: Arc<Descriptors>,
    bodies: Arc<ByteBudget>,
    mailbox: Arc<Mailbox>,
    engine_pulse: Arc<Pulse>,
    clock: Clock,
    store: Store,
    leases: Arc<Leases>,
    carriers: Arc<Carriers>,
    stopping: Arc<watch::Sender<bool>>,
}

/// Where a sender takes errands, and its pulse.
type Desk = (mpsc::WeakUnboundedSender<Errand>, Arc<Pulse>);

impl Handle {
    /// Makes a request that is no delivery, once its account has a place for it.
    pub fn probe(&self, probe: Probe) -> impl Future<Output = Probed> + Send + use<> {
        let (errands, probes) = (self.senders[0].0.clone(), self.probes.clone());
        async move {
            let _place = probes.place(probe.account).await;
            let (answer, answered) = oneshot::channel();
            let sent = errands.upgrade().is_some_and(|errands| errands.send(Errand::Probe(probe, answer)).is_ok());
            let stopping = || Outcome::Unsendable("the server is stopping".into());
            match answered.await {
                Ok(probed) if sent => probed,
                _ => Probed { outcome: stopping(), duration_ms: 0, answer: Vec::new() },
            }
        }
    }

    /// Makes the one attempt of a test, once the webhook's account has a place for it. No lane and no pause is asked.
    pub fn test(&self, webhook: Arc<Webhook>, delivery: Delivery) -> impl Future<Output = Tried> + Send + use<> {
        let this = self.clone();
        async move {
            let _place = this.probes.place(webhook.account).await;
            let (answer, answered) = oneshot::channel();
            let claim = Claim { delivery, webhook: webhook.clone(), rate_limited: false, awaited: true };
            let errands = this.senders[0].0.upgrade();
            let sent = errands.is_some_and(|errands| errands.send(Errand::Test(claim, answer)).is_ok());
            match answered.await {
                Ok(tried) if sent => {
                    this.mailbox.tested(webhook.number());
                    tried
                }
                _ => {
                    let (url, why) = (webhook.shown_url().unwrap_or_default(), "the server is stopping");
                    Tried { attempt: Attempt::not_made(1, url, this.clock.now(), why), success: false }
                }
            }
        }
    }

    /// Says where a URL leads and which rules decide there, for a webhook for which `opened` was opened. `None` while
    /// the server stops.
    pub fn explain(&self, url: Url, opened: Vec<IpNet>) -> impl Future<Output = Option<Explained>> + Send + use<> {
        let (errands, probes) = (self.senders[0].0.clone(), self.probes.clone());
        async move {
            let _place = probes.place(OPERATOR).await;
            let (answer, answered) = oneshot::channel();
            errands.upgrade()?.send(Errand::Explain(url, opened, answer)).ok()?;
            answered.await.ok()
        }
    }

    /// What is left of a webhook's rate limit now.
    pub fn left(&self, webhook: WebhookNumber, limit: RateLimit) -> Allowance {
        self.allowances.left(webhook, limit, self.clock.now())
    }

    /// Counts a request to a webhook, asked for by a person, of its rate limit; if none may be made now, says how long it would
    /// wait, in milliseconds.
    pub fn take(&self, webhook: WebhookNumber, limit: RateLimit) -> Result<(), u64> {
        let now = self.clock.now();
        self.allowances.limiter(webhook, now).take(limit, now).map_err(|at| at.saturating_sub(now))
    }

    /// Counts a request that is made whatever the limit says.
    pub fn spend(&self, webhook: WebhookNumber, limit: RateLimit) {
        let now = self.clock.now();
        self.allowances.limiter(webhook, now).spend(limit, now);
    }

    /// How a webhook's deliveries stand now; `None` if that is not known soon.
    pub fn standing(&self, webhook: WebhookNumber) -> impl Future<Output = Option<Standing>> + Send + use<> {
        let answered = self.mailbox.ask(webhook);
        async move { actix_rt::time::timeout(PATIENCE, answered).await.ok()?.ok()? }
    }

    /// What the sending side lacks now, in words; `None` if nothing.
    pub fn trouble(&self) -> Option<&'static str> {
        self.descriptors.is_short().then_some(
            "deliveries wait: this server has used up the descriptors or the ports that its connections need",
        )
    }

    /// Puts what is counted onto the page.
    pub fn show_metrics(&self, page: &mut Page) {
        self.meters.show(page);
        self.descriptors.show(page);
        page.gauge("hookwheel_bodies_out_bytes", "Bytes of larger bodies that are out.").one(self.bodies.held_bytes());
        page.gauge("hookwheel_bodies_out_bytes_max", "Bytes of them that there may be.").one(self.bodies.max());
        page.gauge("hookwheel_leases", "Deliveries that consumers hold who pulled them.").one(self.leases.count());
        self.meters.telemetry.traces.show(page);
        let oldest = self.meters.oldest.of_all(|webhook| self.store.oldest_open(webhook));
        // A store that is away tells nothing.
        if let Ok(oldest) = oldest {
            let age = oldest.map_or(0, |at| self.clock.now().saturating_sub(at));
            let help = "Age of the delivery that has been open for longest; 0: none is open.";
            page.gauge("hookwheel_oldest_open_seconds", help).one(age as f64 / 1000.0);
        }
    }

    /// What other nodes have made.
    pub fn carried(&self) -> Carried {
        self.carriers.carried()
    }

    /// A thread of delivery that is stuck. Each sender is asked for a sign, which it owes until the next call.
    pub fn stuck(&self) -> Option<Stuck> {
        for (errands, pulse) in &*self.senders {
            let Some(errands) = errands.upgrade().filter(|_| !pulse.ask()) else { continue };
            // An error means that the server stops.
            let _ = errands.send(Errand::Sign);
        }
        self.engine_pulse.stuck().or_else(|| self.senders.iter().find_map(|(_, pulse)| pulse.stuck()))
    }
}
