//! Makes attempts. One deadline covers resolving, connect, TLS, request, headers and body; of the answer no more is read
//! than is kept. A try never "errors": it ends in an `Outcome`, or was none, for want of something of ours.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::http::header::AUTHORIZATION;
use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use futures_util::FutureExt;
use ipnet::IpNet;
use quick_cache::{UnitWeighter, unsync::Cache};
use tokio::sync::Mutex;
use url::Url;

use super::book::Unsent;
use super::carriers::Carriers;
use super::clients::{Client, Making};
use super::explain::explain;
use super::failure::Ours;
use super::grants::{Allotted, Asking, Shown};
use super::http::{Heard, Request};
use super::leases::Leases;
use super::letters;
use super::requests::Requests;
use super::resolve::Resolver;
use super::schedule::Claim;
use super::smtp::Smtp;
use super::target::Target;
use super::tokens::Tokens;
use super::verdict::{Made, asked_until, is_success};
use crate::clock::{Clock, Stopwatch};
use crate::dialect::{Dialect, Prepared, Shelf};
use crate::domain::byte_budget::{ByteBudget, Charge};
use crate::domain::delivery::{Attempt, AttemptSummary, Cause, Outcome};
use crate::domain::endpoint::MASK;
use crate::domain::event::Event;
use crate::domain::explain::Explained;
use crate::domain::id::{AccountNumber, EventId, WebhookNumber};
use crate::domain::probe::{Method, Probe, Probed};
use crate::domain::sent_headers::SentHeaders;
use crate::domain::shape::{Shape, Unshaped};
use crate::domain::time::UnixMs;
use crate::domain::trace::{SentBody, Trace};
use crate::domain::trace_context::{SpanOf, TRACEPARENT, TraceContext};
use crate::domain::webhook::Webhook;
use crate::store::{Store, StoreError};
use crate::telemetry::Telemetry;

mod lease;
mod shaping;

/// Events whose bodies a sender keeps at hand, so that one event to many webhooks is read and prepared once.
const PREPARED_MAX: usize = 64;
/// Webhooks that are kept ready before those that are not in use are let go.
const TARGETS_MAX_MIN: usize = 4096;
/// Bodies above this size are not kept at hand.
const PREPARED_BYTES_MAX: usize = 256 * 1024;
/// Why there is nothing to send.
const NOT_KEPT: &str = "its event, or its payload, is not kept any more";

/// What a sender shares with the others.
#[derive(Clone)]
pub struct Tools {
    /// Events are read from it.
    pub store: Store,
    /// Contracts.
    pub shelf: Arc<Shelf>,
    /// Now.
    pub clock: Clock,
    /// How connections are made.
    pub making: Making,
    /// Name servers that are asked; empty: the system's.
    pub name_servers: Vec<SocketAddr>,
    /// How long resolving a name may take.
    pub dns: Duration,
    /// Threads that send.
    pub senders: usize,
    /// What bodies that are out may hold.
    pub bodies: Arc<ByteBudget>,
    /// Access tokens.
    pub tokens: Arc<Tokens>,
    /// Other nodes that make requests.
    pub carriers: Arc<Carriers>,
    /// The mail server.
    pub smtp: Option<Arc<Smtp>>,
    /// What consumers hold that pull.
    pub leases: Arc<Leases>,
    /// Whether endpoints are told of traces.
    pub telemetry: Telemetry,
}

/// Sends on one arbiter: what it keeps stays on one thread.
pub struct Sender {
    tools: Tools,
    requests: Requests,
    targets: RefCell<HashMap<WebhookNumber, Rc<Target>>>,
    /// With so many it is looked which of them are in use.
    targets_max: Cell<usize>,
    prepared: RefCell<Cache<EventAndDialect, Rc<Ready>>>,
    /// Those that are out, so that all who send one share its body.
    out: RefCell<HashMap<EventAndDialect, Weak<Ready>>>,
    /// Above so many it is looked which of them are back.
    out_max: Cell<usize>,
    /// How often a payload had been deleted or purged when it was looked last.
    payloads_gone: Cell<u64>,
}

/// An event, and the dialect's place in memory.
type EventAndDialect = (EventId, usize);

/// An event, made ready for one dialect, or for one webhook with a shape of its own.
struct Ready {
    event: Arc<Event>,
    /// While it is kept here no other dialect can have its place in memory, which is a part of the key.
    dialect: Arc<Dialect>,
    /// Made once it is asked for, or shaped before.
    body: OnceCell<Result<Prepared, Unshaped>>,
    /// Whoever shapes it, so that others wait for that and do not shape it too.
    shaping: Mutex<()>,
    /// By what its body is known again, where all webhooks get the same.
    sent: OnceCell<SentBody>,
    /// What its body holds of the budget, as long as it is out.
    charge: RefCell<Weak<Charge>>,
}

/// An event whose body was made, and what it holds of the budget, if that was made elsewhere, until its body does.
type Shaped = (Rc<Ready>, Option<Charge>);

impl Ready {
    /// An event as this dialect sends it.
    fn of(event: Arc<Event>, dialect: Arc<Dialect>) -> Self {
        Self {
            event,
            dialect,
            body: OnceCell::new(),
            shaping: Mutex::default(),
            sent: OnceCell::new(),
            charge: RefCell::default(),
        }
    }

    /// The body, for webhooks without a shape of their own, or for the one whose it is.
    fn body(&self, account_id: &str, own: Option<&Shape>) -> Result<&Prepared, Unshaped> {
        let made = self.body.get_or_init(|| self.dialect.prepare_for(&self.event, account_id, own));
        made.as_ref().map_err(|unshaped| *unshaped)
    }

    /// By what this body is known again, which was made of it then.
    fn sent_body(&self, prepared: &Prepared, body: &[u8], at: UnixMs) -> SentBody {
        let of = || SentBody::of(body, at);
        if prepared.is_whole() { self.sent.get_or_init(of).made(at) } else { of() }
    }
}

impl Sender {
    /// A sender for the current arbiter.
    pub fn new(tools: Tools) -> Self {
        // hickory's sockets and tasks live on the runtime that made them: each sender has a resolver of its own.
        let resolver = Resolver::new(&tools.name_servers, tools.dns);
        let (tokens, clock) = (tools.tokens.clone(), tools.clock.clone());
        let shared = (tokens, tools.carriers.clone());
        let requests = Requests::new(tools.making.clone(), resolver, tools.senders, shared, clock);
        let prepared = RefCell::new(Cache::with(
            PREPARED_MAX,
            PREPARED_MAX as u64,
            UnitWeighter,
            Default::default(),
            Default::default(),
        ));
        let (targets, out) = (RefCell::default(), RefCell::default());
        let (targets_max, out_max) = (Cell::new(TARGETS_MAX_MIN), Cell::new(PREPARED_MAX));
        let payloads_gone = Cell::default();
        Self { tools, requests, targets, targets_max, prepared, out, out_max, payloads_gone }
    }

    /// Makes the next attempt of the claimed delivery. Says also by which dialect it was made. An error says that nothing
    /// was attempted.
    pub async fn attempt(&self, claim: &Claim) -> Result<(Made, Arc<Dialect>), Unsent> {
        let target = self.target(&claim.webhook);
        let begin = || (self.tools.clock.now(), Stopwatch::start());
        let (mut begun, mut sent) = (begin(), Sent::default());
        let attempt = async {
            let shaped = match self.shaped(claim, &target, || true).await {
                Ok(shaped) => shaped,
                Err(unsent) => return Ok(Err(unsent)),
            };
            // Its endpoint has nothing to do with how long that took.
            begun = begin();
            let request = self.request(claim, &target, (shaped, begun.1), &mut sent);
            actix_rt::time::timeout(self.deadline(&target), request).await
        };
        // A panic would keep the delivery's place for ever; as an outcome it is seen, and tried again.
        let attempt = AssertUnwindSafe(Box::pin(attempt)).catch_unwind();
        // A test goes out whatever its webhook's state, and so goes on.
        let may_be_broken_off = claim.delivery.cause != Cause::Test;
        let ended = tokio::select! {
            biased;
            ended = attempt => ended,
            () = target.broken_off.notified(), if may_be_broken_off => return Err(Unsent::BrokenOff),
        };
        let outcome = match ended {
            Ok(Ok(outcome)) => outcome?,
            Ok(Err(_)) => Outcome::TimedOut,
            Err(_panic) => Outcome::Unsendable("an internal error; see the log".into()),
        };
        let (started_at, watch) = begun;
        Ok((self.made(claim, started_at, &watch, outcome, sent), target.dialect.clone()))
    }

    /// The attempt, now that it has ended.
    fn made(&self, claim: &Claim, started_at: UnixMs, watch: &Stopwatch, outcome: Outcome, sent: Sent) -> Made {
        let summary = AttemptSummary {
            number: claim.delivery.attempts + 1,
            started_at,
            duration_ms: u32::try_from(watch.elapsed().as_millis()).unwrap_or(u32::MAX),
            outcome: outcome.cut(),
        };
        let url = claim.webhook.shown_url().unwrap_or_default().to_string();
        let (mut headers, heard, shown, named) = (sent.headers, sent.heard, sent.shown, sent.named);
        if shown.any {
            headers.push(AUTHORIZATION.as_str(), MASK);
        }
        let trace = Trace {
            response_headers: heard.headers,
            phases: heard.phases,
            body: sent.body,
            auth_us: shown.fetched_us,
            reauthorized: shown.again,
        };
        let (response_body, resent, by) = (heard.body, heard.resent, heard.by);
        let (now, wall) = (self.tools.clock.now(), self.tools.clock.wall());
        let retry_after = match summary.outcome {
            Outcome::Auth(_) => shown.asked_until,
            _ => heard.retry_after.as_deref().and_then(|text| asked_until(text, now, wall)),
        };
        let attempt = Attempt { summary, url, request_headers: headers, response_body, resent, trace };
        Made { attempt, retry_after, named, by }
    }

    /// What an attempt may take: the mail server has a limit of its own, which is told from an endpoint's.
    fn deadline(&self, target: &Target) -> Duration {
        let mail = self.tools.smtp.as_ref().filter(|_| target.webhook.url.is_mail());
        mail.map_or(target.deadline, |smtp| smtp.timeout() + Duration::from_secs(5))
    }

    async fn mail(&self, claim: &Claim, target: &Target, sent: &mut Sent) -> Result<Outcome, Unsent> {
        let event = match self.tools.store.event(claim.webhook.account, claim.delivery.event) {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(Outcome::Unsendable(NOT_KEPT.into())),
            Err(damaged @ (StoreError::Damaged(_) | StoreError::Broken(_))) => {
                return Ok(Outcome::Unsendable(damaged.to_string()));
            }
            Err(error) => return Err(error.into()),
        };
        sent.named = event.trace;
        let (smtp, now) = (self.tools.smtp.as_deref(), self.tools.clock.wall());
        let posted = letters::post(smtp, claim, &target.account_id, &event, now).await;
        (sent.headers, sent.body, sent.heard.body) = (posted.headers, posted.body, posted.said);
        Ok(posted.outcome)
    }

    async fn request(
        &self,
        claim: &Claim,
        target: &Target,
        (shaped, watch): (Option<Shaped>, Stopwatch),
        sent: &mut Sent,
    ) -> Result<Outcome, Unsent> {
        if claim.webhook.url.is_mail() {
            return self.mail(claim, target, sent).await;
        }
        let to = match &target.to {
            Ok(to) => to,
            Err(why) => return Ok(Outcome::Unsendable(why.clone())),
        };
        let Written { headers, body, charge: _charge, .. } = match self.write(claim, target, shaped, sent)? {
            Ok(written) => written,
            Err(outcome) => return Ok(outcome),
        };
        let webhook = &target.webhook;
        match self.requests.client(to.peer.profile, &webhook.allow, webhook.tls.as_ref()) {
            Ok(client) => {
                let request = Request { method: Method::Post, to, headers: &headers, upper_case: false, body };
                let is_first = claim.delivery.attempts == 0 && claim.delivery.cause != Cause::Test;
                let outcome = self.post(target, (watch, is_first), &client, &request, sent).await;
                outcome.map_err(|ours| match ours {
                    Ours::Lacks(why) => {
                        self.tools.making.descriptors.ran_out();
                        Unsent::Ours(why)
                    }
                    Ours::CarrierGone => Unsent::CarrierGone,
                })
            }
            Err(unfit) => Ok(Outcome::Unsendable(unfit.to_string())),
        }
    }

    /// Sends the request, with an access token where the webhook shows one.
    async fn post(
        &self,
        target: &Target,
        (watch, may_be_handed_on): (Stopwatch, bool),
        client: &Client,
        request: &Request<'_>,
        sent: &mut Sent,
    ) -> Result<Outcome, Ours> {
        let is_fine = |outcome: &Outcome| is_success(&target.webhook, &target.dialect, outcome);
        let allotted = Allotted { watch, limit: target.deadline };
        let asking = Asking { grant: target.grant.as_ref(), client, allotted, is_fine: &is_fine, may_be_handed_on };
        self.requests.post(&asking, request, &mut sent.heard, &mut sent.shown).await
    }

    /// Headers and body of the attempt, or what came of it in their place. `shaped`: what was made ready of its event before.
    fn write(
        &self,
        claim: &Claim,
        target: &Target,
        shaped: Option<Shaped>,
        sent: &mut Sent,
    ) -> Result<Result<Written, Outcome>, Unsent> {
        if let Err(why) = &target.fit {
            return Ok(Err(Outcome::Unsendable(why.clone())));
        }
        let (shaped, held) = shaped.unzip();
        let ready = match shaped.map_or_else(|| self.ready_for(claim, target), |ready| Ok(Some(ready))) {
            Ok(Some(ready)) => ready,
            Ok(None) => return Ok(Err(Outcome::Unsendable(NOT_KEPT.into()))),
            Err(Unsent::Store(damaged @ (StoreError::Damaged(_) | StoreError::Broken(_)))) => {
                return Ok(Err(Outcome::Unsendable(damaged.to_string())));
            }
            Err(unsent) => return Err(unsent),
        };
        sent.named = ready.event.trace;
        let prepared = match ready.body(&target.account_id, target.shape.as_deref()) {
            Ok(prepared) => prepared,
            Err(unshaped) => return Ok(Err(Outcome::ShapeTooCostly(unshaped.to_string()))),
        };
        let (facts, keys) = (target.facts(claim, &ready.event, &self.tools.clock), target.keys_at(&self.tools.clock));
        let body = target.dialect.body(prepared, &facts, &keys);
        // From here on its body holds what there is to hold.
        drop(held);
        let charge = self.charge(&ready, prepared, claim.webhook.account, body.len());
        let charge = charge.ok_or(Unsent::NoRoom)?;
        if let Some(limit) = target.dialect.limits.body_bytes_max.filter(|limit| body.len() > *limit) {
            return Ok(Err(Outcome::TooLarge(body.len() as u64, limit as u64)));
        }
        sent.body = Some(ready.sent_body(prepared, &body, facts.now));
        let mut headers = target.headers(&facts, &body, &keys);
        headers
            .extend(self.traceparent(claim, &ready.event).filter(|(name, _)| headers.iter().all(|(is, _)| is != name)));
        sent.headers = target.kept(&headers);
        Ok(Ok(Written { event: ready.event.clone(), headers, body, charge }))
    }

    /// By which its endpoint can join the trace of the event, where it is told.
    fn traceparent(&self, claim: &Claim, event: &Event) -> Option<(HeaderName, HeaderValue)> {
        let telemetry = &self.tools.telemetry;
        let context = telemetry.propagates.then(|| TraceContext {
            trace_id: TraceContext::trace_of(event.id, event.trace),
            span_id: SpanOf::Attempt(claim.delivery.id, claim.delivery.attempts + 1).id(),
            sampled: event.trace.map_or_else(|| telemetry.traces.wants(event.id, None), |named| named.sampled),
        })?;
        let value = HeaderValue::try_from(context.to_string()).expect("it is visible ASCII");
        Some((HeaderName::from_static(TRACEPARENT), value))
    }

    /// Breaks off what is under way for the webhook.
    pub fn break_off(&self, number: WebhookNumber) {
        if let Some(target) = self.targets.borrow().get(&number) {
            target.broken_off.notify_waiters();
        }
    }

    /// Makes a request that is no delivery.
    pub async fn probe(&self, probe: Probe) -> Probed {
        self.requests.probe(probe).await
    }

    /// Says where a URL leads and which rules decide there, for a webhook for which `opened` was opened.
    pub async fn explain(&self, url: &Url, opened: &[IpNet]) -> Explained {
        explain(url, opened, &self.tools.making.ways, self.requests.resolver()).await
    }

    fn target(&self, webhook: &Arc<Webhook>) -> Rc<Target> {
        let (mut targets, dialects) = (self.targets.borrow_mut(), self.tools.shelf.now());
        match targets.get(&webhook.number()) {
            Some(target) if target.is_of(webhook, &dialects) => target.clone(),
            _ => {
                self.let_go_of_idle(&mut targets);
                // What is under way as the webhook was before is broken off with the rest.
                let broken_off = targets.get(&webhook.number()).map(|before| before.broken_off.clone());
                let registry = self.tools.store.registry();
                let account = registry.account(webhook.account);
                let account_id = account.map_or(String::new(), |account| account.id.clone());
                let target =
                    Target::of(webhook.clone(), account_id, Arc::clone(&dialects), broken_off.unwrap_or_default());
                let target = Rc::new(target);
                targets.insert(webhook.number(), target.clone());
                target
            }
        }
    }

    /// Now and then: a webhook that is gone, or rests, leaves neither memory nor keys behind.
    fn let_go_of_idle(&self, targets: &mut HashMap<WebhookNumber, Rc<Target>>) {
        if targets.len() < self.targets_max.get() {
            return;
        }
        targets.retain(|_, target| Target::is_in_use(target));
        self.targets_max.set((targets.len() * 2).max(TARGETS_MAX_MIN));
    }

    /// The event, made ready for this webhook; `None` if it is not kept any more. Who has a shape of its own shares the event, and
    /// not the body.
    fn ready_for(&self, claim: &Claim, target: &Target) -> Result<Option<Rc<Ready>>, Unsent> {
        let ready = self.ready(claim, target)?;
        let own = |ready: Rc<Ready>| Rc::new(Ready::of(ready.event.clone(), ready.dialect.clone()));
        Ok(if target.shape.is_some() { ready.map(own) } else { ready })
    }

    /// The event, made ready for its dialect; `None` if it is not kept any more.
    fn ready(&self, claim: &Claim, target: &Target) -> Result<Option<Rc<Ready>>, Unsent> {
        fail::fail_point!("deliver.ready", |_| Err(StoreError::Unavailable.into()));
        // What was purged since is sent to nobody, so what is held of events is read anew.
        let gone = self.tools.store.meters().payloads_gone.load(Ordering::Relaxed);
        if self.payloads_gone.replace(gone) != gone {
            self.prepared.borrow_mut().clear();
            self.out.borrow_mut().clear();
        }
        let key = (claim.delivery.event, Arc::as_ptr(&target.dialect).addr());
        if let Some(ready) = self.prepared.borrow().get(&key) {
            return Ok(Some(ready.clone()));
        }
        if let Some(ready) = self.out.borrow().get(&key).and_then(Weak::upgrade) {
            return Ok(Some(ready));
        }
        let (account, id, room) = (claim.webhook.account, claim.delivery.event, &self.tools.bodies);
        // Only where much is out is it worth asking for the size before it is read.
        let is_tight = room.held_bytes() > room.max() / 2;
        if is_tight && room.charge(account).may_grow_to(self.tools.store.event_bytes(account, id)?).is_err() {
            return Err(Unsent::NoRoom);
        }
        let Some(event) = self.tools.store.event_to_send(account, id)? else { return Ok(None) };
        let many = event.webhooks.len() > 1;
        let is_small = event.data.len() <= PREPARED_BYTES_MAX;
        let ready = Rc::new(Ready::of(event, target.dialect.clone()));
        match (many, is_small) {
            (true, true) => self.prepared.borrow_mut().insert(key, ready.clone()),
            (true, false) => self.share(key, &ready),
            (false, _) => {}
        }
        Ok(Some(ready))
    }

    fn share(&self, key: EventAndDialect, ready: &Rc<Ready>) {
        let mut out = self.out.borrow_mut();
        if out.len() >= self.out_max.get() {
            out.retain(|_, ready| ready.strong_count() > 0);
            self.out_max.set((out.len() * 2).max(PREPARED_MAX));
        }
        out.insert(key, Rc::downgrade(ready));
    }

    /// What a body of so many bytes holds of the budget: nothing more than those that are out already, if it is the same.
    fn charge(&self, ready: &Ready, prepared: &Prepared, account: AccountNumber, bytes: usize) -> Option<Rc<Charge>> {
        let shared = || ready.charge.borrow().upgrade().filter(|_| prepared.is_whole());
        shared().or_else(|| {
            let mut charge = self.tools.bodies.charge(account);
            charge.grow_to(bytes).ok()?;
            let charge = Rc::new(charge);
            *ready.charge.borrow_mut() = Rc::downgrade(&charge);
            Some(charge)
        })
    }
}

/// What there is to keep of an attempt, filled in as it goes on.
#[derive(Default)]
struct Sent {
    headers: SentHeaders,
    body: Option<SentBody>,
    heard: Heard,
    shown: Shown,
    /// The trace that its event's producer named.
    named: Option<TraceContext>,
}

/// What an attempt sends.
struct Written {
    event: Arc<Event>,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    charge: Rc<Charge>,
}
