//! What all handlers share: the store, the dialects, the settings, and what is kept in mind of keys and connections. What
//! stays true: it knows no route.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};

use actix_web::error::BlockingError;
use actix_web::web;
use arc_swap::ArcSwap;
use ipnet::IpNet;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;
use zeroize::Zeroizing;

use crate::api::access::failures::Failures;
use crate::api::access::guesses::Guesses;
use crate::api::access::limits::{AccountEvents, KeyLimits, Limits};
use crate::api::access::oidc::{Provider, SignOn};
use crate::api::access::passwords::Passwords;
use crate::api::access::uses::KeyUses;
use crate::api::door::connections::Connections;
use crate::api::door::front::Front;
use crate::api::health::served::Served;
use crate::api::http::problem::Problem;
use crate::api::openapi::described::Described;
use crate::api::outbound::Outbound;
use crate::api::people::halfway::Halfway;
use crate::clock::{Clock, Dice};
use crate::dialect::{Dialect, Shelf, Signing};
use crate::docs::ConfigurationKey;
use crate::domain::Invalid;
use crate::domain::account::Account;
use crate::domain::byte_budget::{ByteBudget, Charge, NoRoom};
use crate::domain::guard::Guard;
use crate::domain::id::{AccountNumber, KeyId};
use crate::domain::portal::Portal;
use crate::domain::secret::Secret;
use crate::domain::time::{DAY_MS, HOUR_MS, UnixMs};
use crate::store::Store;
use crate::telemetry::Telemetry;

/// What webhooks may hold whose endpoints wait to be asked after their reply: some thousands of them.
const ASKED_LATER_BYTES_MAX: usize = 32 << 20;

/// What one call holds that waits for deliveries, about: its connection is bounded elsewhere.
const POLL_BYTES: usize = 8 * 1024;
/// Such calls that may wait at once.
const POLLS_MAX: usize = 2048;

/// What one stream holds, about: its connection is bounded elsewhere, and what it tells lies in the store.
const STREAM_BYTES: usize = 64 * 1024;
/// Streams that may be read at once.
const STREAMS_MAX: usize = 256;

/// A setting of the server.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Setting)]
pub struct Knob {
    /// Its section and its key in the configuration, such as `server.body_bytes_max`.
    pub name: String,
    /// What it is set to; of a secret only "set" or null.
    pub value: Value,
    /// What it is where nobody sets it.
    pub default: Value,
}

/// How much one account may have; 0, but of what a webhook may ask for: any number, or for ever.
#[derive(Debug, Clone)]
pub struct Quotas {
    /// Webhooks.
    pub webhooks_max: usize,
    /// API keys.
    pub keys_max: usize,
    /// What an account's own key may ask for one webhook.
    pub max_in_flight: u32,
    /// The same of its time-out, in seconds.
    pub timeout_seconds: u32,
    /// Bytes of events, deliveries and attempts that are kept.
    pub kept_bytes_max: u64,
    /// Days that events are kept.
    pub kept_days_max: u64,
    /// Event types that it may write down.
    pub event_types_max: usize,
    /// People who may look at its pages; the same for every account.
    pub users_max: usize,
    /// Events that may be published in a second.
    pub events_per_second: u32,
    /// New events that may be published in a day, UTC.
    pub events_per_day: u64,
}

impl Quotas {
    /// Those of an account: what the operator set for it goes before.
    pub fn of(&self, account: &Account) -> Self {
        let limits = &account.limits;
        Self {
            webhooks_max: limits.webhooks_max.map_or(self.webhooks_max, |max| max as usize),
            keys_max: limits.keys_max.map_or(self.keys_max, |max| max as usize),
            max_in_flight: limits.max_in_flight.unwrap_or(self.max_in_flight),
            timeout_seconds: limits.timeout.unwrap_or(self.timeout_seconds),
            kept_bytes_max: limits.kept_bytes_max.unwrap_or(self.kept_bytes_max),
            kept_days_max: limits.kept_days_max.map_or(self.kept_days_max, u64::from),
            event_types_max: account.event_types_max.map_or(self.event_types_max, |max| max as usize),
            users_max: self.users_max,
            events_per_second: limits.events_per_second.unwrap_or(self.events_per_second),
            events_per_day: limits.events_per_day.unwrap_or(self.events_per_day),
        }
    }

    /// Asserts that an account's own key may set what `change` makes of a webhook that had `before`, `max_in_flight` and
    /// seconds: what an operator has given stays.
    pub fn vet(&self, before: (Option<u32>, Option<u32>), asked: (Option<u32>, Option<u32>)) -> Result<(), Invalid> {
        let too_much = |field: &str, asked: Option<u32>, before, max| match asked {
            Some(asked) if asked > max && before != Some(asked) => Err(Invalid::new(
                field,
                format!("must be at most {max} (limits.{field}); the operator's key may give more"),
            )),
            _ => Ok(()),
        };
        too_much("max_in_flight", asked.0, before.0, self.max_in_flight)?;
        too_much("timeout", asked.1, before.1, self.timeout_seconds)
    }
}

/// What the API needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The body of a request, in bytes.
    pub body_bytes_max: usize,
    /// Bodies of requests that are on their way, in bytes.
    pub bodies_bytes_max: usize,
    /// Whether webhooks may have `http://` URLs.
    pub http_allowed: bool,
    /// Who may make webhooks that send mail.
    pub mail: MailRule,
    /// The addresses that deliveries come from, for receivers' firewalls.
    pub egress: Vec<IpNet>,
    /// What stands before the server.
    pub front: Front,
    /// Which addresses may be dialled.
    pub guard: Arc<Guard>,
    /// What one client may ask for.
    pub limits: Limits,
    /// What one account may have.
    pub quotas: Quotas,
    /// How people log in.
    pub people: PeopleRules,
    /// Every setting of the server, to be shown to admins.
    pub knobs: Vec<Knob>,
    /// What is watched.
    pub telemetry: Telemetry,
    /// Where people look at a trace, with `{trace_id}` in it.
    pub trace_url: Option<String>,
    /// What there can be set, to be shown to everybody.
    pub documented: Vec<ConfigurationKey>,
}

/// How people log in.
#[derive(Debug, Clone)]
pub struct PeopleRules {
    /// Whether anybody can: whether there is a dashboard.
    pub are_let_in: bool,
    /// A session ends in which nothing was asked for so long.
    pub session_idle_ms: u64,
    /// A session ends after so long in any case.
    pub session_ms: u64,
    /// How portals look where an account says nothing.
    pub portal: Portal,
    /// The identity provider by which people log in too, if there is one.
    pub sign_on: Option<SignOn>,
}

impl Default for PeopleRules {
    fn default() -> Self {
        let (session_idle_ms, session_ms) = (12 * HOUR_MS, 14 * DAY_MS);
        Self { are_let_in: true, session_idle_ms, session_ms, portal: Portal::default(), sign_on: None }
    }
}

/// Who may make webhooks that send mail: it goes out in the operator's name, to whomever their URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailRule {
    /// Nobody: there is no mail server.
    NoServer,
    /// Admin keys, and the account `operator`.
    Operator,
    /// Any account.
    Accounts,
}

/// What all handlers share.
pub struct Api {
    pub(crate) store: Store,
    pub(crate) dialects: Arc<Shelf>,
    pub(crate) clock: Clock,
    /// When it was made: with the server.
    pub(crate) started_at: UnixMs,
    pub(crate) dice: Mutex<Dice>,
    settings: ArcSwap<Settings>,
    pub(crate) outbound: Box<dyn Outbound>,
    pub(crate) calls: KeyLimits,
    pub(crate) events: KeyLimits,
    pub(crate) events_of_accounts: AccountEvents,
    pub(crate) uses: KeyUses,
    pub(crate) failures: Failures,
    pub(crate) guesses: Guesses,
    pub(crate) passwords: Passwords,
    pub(crate) halfway: Halfway,
    /// The operator's identity provider, if there is one.
    pub(crate) provider: Option<Provider>,
    pub(crate) connections: Arc<Connections>,
    /// Told once this node is to let another one own the store.
    pub(crate) draining: Notify,
    /// What bodies that are on their way hold.
    pub(crate) bodies: Arc<ByteBudget>,
    /// Room for webhooks whose endpoints are asked after the reply that made them.
    pub(crate) asked_later: Arc<ByteBudget>,
    /// Room for calls that wait for deliveries.
    polls: Arc<ByteBudget>,
    /// Room for streams.
    streams: Arc<ByteBudget>,
    /// Streams that were ended since their readers were too slow.
    pub(crate) streams_dropped: AtomicU64,
    pub(crate) served: Served,
    pub(crate) described: OnceLock<Described>,
}

impl Api {
    /// The API over `store`.
    pub fn new(
        store: Store,
        dialects: Arc<Shelf>,
        clock: Clock,
        dice: Dice,
        settings: Settings,
        outbound: Box<dyn Outbound>,
    ) -> Self {
        let (mut dice, mut halfway) = (dice, [0; 32]);
        dice.fill(&mut halfway);
        Self {
            store,
            dialects,
            started_at: clock.now(),
            clock,
            dice: Mutex::new(dice),
            calls: KeyLimits::calls_per_minute(settings.limits.calls_per_minute),
            events: KeyLimits::events_per_second(settings.limits.events_per_second),
            events_of_accounts: AccountEvents::default(),
            uses: KeyUses::default(),
            failures: Failures::default(),
            guesses: Guesses::default(),
            passwords: Passwords::default(),
            halfway: Halfway::new(halfway),
            provider: settings.people.sign_on.clone().map(Provider::new),
            connections: Arc::new(Connections::new(&settings.limits)),
            draining: Notify::new(),
            bodies: ByteBudget::new(settings.bodies_bytes_max),
            asked_later: ByteBudget::new(ASKED_LATER_BYTES_MAX),
            polls: ByteBudget::new(POLLS_MAX * POLL_BYTES),
            streams: ByteBudget::new(STREAMS_MAX * STREAM_BYTES),
            streams_dropped: AtomicU64::new(0),
            settings: ArcSwap::from_pointee(settings),
            outbound,
            served: Served::default(),
            described: OnceLock::new(),
        }
    }

    /// The settings in force now, for a moment: do not hold them across an await.
    pub fn settings(&self) -> arc_swap::Guard<Arc<Settings>> {
        self.settings.load()
    }

    /// These are in force from now on: for calls that come, not for what the listener and the identity provider were made with.
    pub fn apply(&self, settings: Settings) {
        self.calls.apply(settings.limits.calls_per_minute);
        self.events.apply(settings.limits.events_per_second);
        self.settings.store(Arc::new(settings));
    }

    /// Waits until somebody wants another node to own the store.
    pub async fn drained(&self) {
        self.draining.notified().await;
    }

    /// Who is connected.
    pub fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Reads for an account on another thread, in the account's turn.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        account: AccountNumber,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BlockingError> {
        let turn = self.store.turn_to_read(account).await;
        web::block(move || {
            let _turn = turn;
            read()
        })
        .await
    }

    /// Lets a call wait for deliveries, until what is returned is dropped.
    pub(crate) fn may_poll(&self, account: AccountNumber) -> Result<Charge, NoRoom> {
        let mut place = self.polls.charge(account);
        place.grow_to(POLL_BYTES).map(|()| place)
    }

    /// Calls that wait for deliveries.
    pub(crate) fn polls(&self) -> usize {
        self.polls.held_bytes() / POLL_BYTES
    }

    /// Lets somebody read a stream, until what is returned is dropped.
    pub(crate) fn may_stream(&self, account: AccountNumber) -> Result<Charge, NoRoom> {
        let mut place = self.streams.charge(account);
        place.grow_to(STREAM_BYTES).map(|()| place)
    }

    /// Streams that are read.
    pub(crate) fn streams(&self) -> usize {
        self.streams.held_bytes() / STREAM_BYTES
    }

    /// Forgets what was counted for a key that is gone.
    pub(crate) fn forget_key(&self, key: KeyId) {
        self.uses.forget(key);
        self.calls.forget(key);
        self.events.forget(key);
    }

    pub(crate) fn with_dice<T>(&self, throw: impl FnOnce(&mut Dice) -> T) -> T {
        throw(&mut self.dice.lock().expect("no holder panics"))
    }

    pub(crate) fn new_secret(&self, dialect: &Dialect, signing: Signing) -> Result<Secret, Invalid> {
        let mut random = Zeroizing::new([0; 32]);
        self.with_dice(|dice| dice.fill(&mut *random));
        dialect.generate(signing, &random)
    }

    /// The dialect that a request names, of those that are served.
    pub(crate) fn served_dialect(&self, name: &str) -> Result<Arc<Dialect>, Invalid> {
        let dialects = self.dialects.now();
        self.mounted(name).map_err(|_| {
            let served = dialects.mounted().map(|dialect| dialect.name.as_str()).collect::<Vec<_>>().join(", ");
            let message = match dialects.get(name) {
                Some(_) => format!(
                    "{name:?} is not served here: with an admin key it can be taken into use, and deliver.builtin_dialects can \
                     name it; there are: {served}"
                ),
                None => format!("{name:?} is not known; there are: {served}"),
            };
            Invalid::new("dialect", message)
        })
    }

    /// The dialect that a path names, if it is served.
    pub(crate) fn mounted(&self, name: &str) -> Result<Arc<Dialect>, Problem> {
        let dialects = self.dialects.now();
        dialects.get(name).filter(|_| dialects.is_mounted(name)).cloned().ok_or_else(|| Problem::not_found("dialect"))
    }

    /// The dialect that an admin names: any that there is. What speaks it from now on brings it into use (see
    /// [`Shelf::mount`]).
    pub(crate) fn any_dialect(&self, name: &str) -> Result<Arc<Dialect>, Invalid> {
        let dialects = self.dialects.now();
        dialects.get(name).cloned().ok_or_else(|| {
            let known = dialects.names().collect::<Vec<_>>().join(", ");
            Invalid::new("dialect", format!("{name:?} is not known; there are: {known}"))
        })
    }

    /// The dialect that a webhook or an account has; its file may have gone since.
    pub(crate) fn loaded(&self, name: &str) -> Result<Arc<Dialect>, Problem> {
        let gone = || Problem::wrong_state(format!("the dialect {name:?} is not loaded; put its file back"));
        self.dialects.now().get(name).cloned().ok_or_else(gone)
    }
}
