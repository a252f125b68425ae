//! What is tested, and with what: a contract, an endpoint, secrets, and the documented events that were chosen. What stays
//! true: every case has an event with an id of its own, so that no receiver takes it for another one's repetition.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::kind::Kind;
use crate::clock::Dice;
use crate::dialect::{Dialect, EventType, SigningKey, nearest};
use crate::domain::endpoint::EndpointUrl;
use crate::domain::event::Event;
use crate::domain::id::{EventId, IdSource, WebhookId};
use crate::domain::secret::Secret;
use crate::domain::time::UnixMs;
use crate::domain::webhook::{EventFilter, Webhook};

/// Documented events that are sent where none were chosen.
pub(super) const EVENTS_MAX: usize = 100;
/// Whose the events are.
pub(super) const ACCOUNT: &str = "default";

/// What a test is made of.
#[derive(Debug, Clone)]
pub struct Given {
    /// The contract.
    pub dialect: Arc<Dialect>,
    /// Where the receiver listens, as it knows it.
    pub endpoint: EndpointUrl,
    /// What genuine requests are signed with.
    pub secret: Option<Secret>,
    /// What the receiver takes as well, while its secret rotates.
    pub old_secret: Option<Secret>,
    /// Which of the documented events are sent; none: all, as far as there is room.
    pub events: Vec<EventFilter>,
}

/// A receiver under test.
#[derive(Debug)]
pub struct Subject {
    pub(super) dialect: Arc<Dialect>,
    pub(super) webhook: Webhook,
    /// What genuine requests are signed with; none where the contract has no signatures.
    pub(super) keys: Vec<SigningKey>,
    pub(super) old: Option<SigningKey>,
    /// What somebody else signs with, where such a key can be made.
    pub(super) stranger: Option<SigningKey>,
    pub(super) events: Vec<EventType>,
    left_out: usize,
    started: UnixMs,
    ids: Vec<EventId>,
    /// The random text of its challenge.
    pub(super) random: String,
}

impl Subject {
    /// Checks what was given, and makes up what differs from run to run. An error is for the person who gave it.
    pub fn new(given: Given, now: UnixMs, dice: &mut Dice) -> Result<Self, String> {
        let Given { dialect, endpoint, secret, old_secret, events: filters } = given;
        let (events, left_out) = chosen(&dialect, &filters)?;
        let key = |name: &str, secret: &Secret| {
            let checked = dialect.signing_key(secret);
            checked.map_err(|wrong| format!("{name} for {}: {}", dialect.name, wrong.message))
        };
        let secret = secret.filter(|_| !dialect.signature.is_empty());
        if secret.is_none() && !dialect.signature.is_empty() {
            return Err(format!("--secret is needed: {} signs, and the receiver must know with what", dialect.name));
        }
        let keys = secret.iter().map(|secret| key("--secret", secret)).collect::<Result<Vec<_>, _>>()?;
        let old = old_secret.as_ref().map(|secret| key("--old-secret", secret)).transpose()?;
        let mut random = [0; 32];
        dice.fill(&mut random);
        let stranger = secret.and_then(|secret| dialect.generate(dialect.signing_of(&secret), &random).ok());
        let stranger = stranger.and_then(|secret| dialect.signing_key(&secret).ok());
        let mut source = IdSource::after(0);
        let count = Kind::BEFORE.len() + events.len() + 1 + Kind::AFTER.len();
        let ids = (0..count).map(|_| EventId(source.next(now, 0, || dice.bits()))).collect();
        let id = WebhookId(source.next(now, 1, || dice.bits()));
        let webhook = Webhook { id, ..Webhook::new(1, dialect.name.clone(), endpoint, vec![EventFilter::All]) };
        let random = format!("{:016x}{:016x}", dice.bits(), dice.bits());
        Ok(Self { dialect, webhook, keys, old, stranger, events, left_out, started: now, ids, random })
    }

    /// What it is tested by.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// All kinds of cases, in order.
    pub(super) fn kinds(&self) -> impl Iterator<Item = Kind> {
        let events = (0..self.events.len()).map(Kind::Event);
        let left_out = (self.left_out > 0).then_some(Kind::EventsLeftOut(self.left_out));
        let last = [Kind::InTime];
        Kind::BEFORE.into_iter().chain(events).chain(left_out).chain(Kind::AFTER).chain(last)
    }

    /// The event of the case at `place`, with the type and the sample of the chosen one at `chosen`.
    pub(super) fn event(&self, place: usize, chosen: usize) -> Event {
        self.event_of(self.ids[place], chosen)
    }

    /// The same with an id of its own.
    pub(super) fn event_of(&self, id: EventId, chosen: usize) -> Event {
        let known = &self.events[chosen];
        let bytes = |json: &str| json.to_string().into();
        Event {
            id,
            account: self.webhook.account,
            name: None,
            event_type: known.name.clone(),
            created_at: self.started,
            test: false,
            webhooks: vec![self.webhook.number()],
            channels: Vec::new(),
            fingerprint: None,
            trace: None,
            data: bytes(known.sample.get()),
            actor: self.dialect.sample_actor.as_ref().map(|actor| bytes(actor.get())),
            metadata: None,
        }
    }
}

/// The documented events that are meant, and how many more there are.
fn chosen(dialect: &Dialect, filters: &[EventFilter]) -> Result<(Vec<EventType>, usize), String> {
    let names = || dialect.catalogue.iter().map(|known| known.name.as_str());
    for filter in filters {
        if !names().any(|name| filter.matches(name)) {
            let near =
                nearest(&filter.to_string(), names()).map_or(String::new(), |near| format!("; did you mean {near}?"));
            return Err(format!("--events {filter}: {} documents no such event{near}", dialect.name));
        }
    }
    if dialect.catalogue.is_empty() {
        return Ok((vec![nameless()], 0));
    }
    if !filters.is_empty() {
        let meant = |known: &&EventType| filters.iter().any(|filter| filter.matches(&known.name));
        return Ok((dialect.catalogue.iter().filter(meant).cloned().collect(), 0));
    }
    let left_out = dialect.catalogue.len().saturating_sub(EVENTS_MAX);
    Ok((dialect.catalogue.iter().take(EVENTS_MAX).cloned().collect(), left_out))
}

/// What is sent where a dialect documents nothing.
fn nameless() -> EventType {
    EventType {
        name: "example.event".into(),
        description: String::new(),
        sample: RawValue::from_string(r#"{"text":"an example"}"#.into()).expect("it is JSON"),
        stated_schema: None,
    }
}
