//! The example that a document shows: one event, one webhook, one delivery, with fixed ids, times and secret. What stays
//! true: bodies, headers and replies are made of it by the same code that makes the real ones.

use std::borrow::Cow;

use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::dialect::{AttemptFacts, BodyFormat, Challenge, ChallengeRule, Dialect, EventType, Face, SigningKey};
use crate::domain::endpoint::EndpointUrl;
use crate::domain::event::Event;
use crate::domain::id::{AttemptId, DeliveryId, EventId, WebhookId};
use crate::domain::secret::Secret;
use crate::domain::shape::Unshaped;
use crate::domain::time::{self, UnixMs};
use crate::domain::webhook::{EventFilter, Webhook};

/// Where the examples deliver to.
pub(super) const ENDPOINT: &str = "https://your-app.example/webhooks";
/// The account of the examples.
pub(super) const ACCOUNT: &str = "acc_123";
/// 2024-02-10T16:45:22.123Z: when the example event happened.
const HAPPENED: UnixMs = 1_707_583_522_123;
/// How long the example endpoint took to answer.
const RESPONSE_MS: u64 = 145;
const WEBHOOK_ID: WebhookId = WebhookId(0x018d_8ec2_694b_7a31_9f4e_0b6d_0000_0001);
/// A minute earlier, and the endpoint failed.
const FAILED_EVENT_ID: EventId = EventId(0x018d_93e7_dacb_7911_bc02_5f3e_0000_0000);
const EVENT_ID: EventId = EventId(0x018d_93e8_c54b_7c52_8a19_4d02_0000_0000);

/// The example of one dialect.
#[derive(Debug)]
pub(super) struct Example<'a> {
    dialect: &'a Dialect,
    webhook: Webhook,
    /// Only for examples: it is published. `None` where secrets must be given.
    pub secret: Option<Secret>,
}

impl<'a> Example<'a> {
    pub fn of(dialect: &'a Dialect) -> Self {
        let url = EndpointUrl::parse(ENDPOINT, false).expect("it is a URL");
        let exact = |known: &EventType| EventFilter::Exact(known.name.clone());
        let mut events: Vec<EventFilter> = dialect.catalogue.iter().take(2).map(exact).collect();
        if events.is_empty() {
            events.push(EventFilter::All);
        }
        let webhook = Webhook { id: WEBHOOK_ID, ..Webhook::new(1, dialect.name.clone(), url, events) };
        Self { dialect, webhook, secret: dialect.generate_secret(b"an example for documents, public") }
    }

    /// An event type as its receivers get it.
    pub fn received<'e>(&self, event_type: &'e EventType) -> Cow<'e, EventType> {
        self.dialect.received(event_type)
    }

    fn event(&self, event_type: &EventType) -> Event {
        let bytes = |json: &str| json.to_string().into();
        Event {
            id: EVENT_ID,
            account: 1,
            name: None,
            event_type: event_type.name.clone(),
            created_at: HAPPENED,
            test: false,
            webhooks: vec![WEBHOOK_ID.number()],
            channels: Vec::new(),
            fingerprint: None,
            trace: None,
            data: bytes(event_type.sample.get()),
            actor: self.dialect.sample_actor.as_ref().map(|actor| bytes(actor.get())),
            metadata: None,
        }
    }

    fn delivery(&self) -> DeliveryId {
        EVENT_ID.delivery_to(WEBHOOK_ID.number())
    }

    /// The body that is sent for an event of this type, byte for byte.
    pub fn body(&self, event_type: &EventType) -> Vec<u8> {
        let event = self.event(event_type);
        let prepared = self.dialect.prepare(&event, ACCOUNT);
        self.dialect.body(&prepared, &self.facts(&event), &self.keys()).to_vec()
    }

    /// The key of its secret; none where secrets must be given, and an example cannot be.
    fn keys(&self) -> Vec<SigningKey> {
        let key = |secret| self.dialect.signing_key(secret).expect("a generated secret is of the dialect's form");
        self.secret.iter().map(key).collect()
    }

    /// The question of the ownership check.
    pub fn question(&self, rule: &ChallengeRule, random: &str) -> Challenge {
        self.dialect.ask(rule, &self.facts(&self.event(&nameless())), &self.keys(), random)
    }

    /// Whether that is a form, not JSON.
    pub fn is_form(&self) -> bool {
        self.dialect.body.format == BodyFormat::Form
    }

    /// The headers that are sent with it at an attempt, as the contract spells them.
    pub fn headers(&self, event_type: &EventType, attempt: u16) -> Vec<(String, String)> {
        let event = self.event(event_type);
        let mut headers = Vec::new();
        let facts = AttemptFacts { attempt, ..self.facts(&event) };
        self.dialect.headers(&facts, &self.body(event_type), &self.keys(), &mut headers);
        self.spelled(&headers)
    }

    /// The headers of a health check.
    pub fn health_check_headers(&self) -> Vec<(String, String)> {
        self.spelled(&self.dialect.health_check_headers(&self.facts(&self.event(&nameless()))))
    }

    fn facts<'e>(&'e self, event: &'e Event) -> AttemptFacts<'e> {
        AttemptFacts {
            event,
            webhook: &self.webhook,
            account_id: ACCOUNT,
            delivery: self.delivery(),
            attempt: 1,
            now: HAPPENED + 1000,
        }
    }

    fn spelled(&self, headers: &[(HeaderName, HeaderValue)]) -> Vec<(String, String)> {
        let keys: Vec<_> = self.dialect.header_keys().collect();
        let spelled = |name: &HeaderName| match keys.iter().find(|key| key.name == *name) {
            Some(key) => key.spelled.clone(),
            None if *name == CONTENT_TYPE => "Content-Type".into(),
            None if *name == USER_AGENT => "User-Agent".into(),
            None => name.to_string(),
        };
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.iter().map(|(name, value)| (spelled(name), text(value))).collect()
    }

    /// The event filters of the example webhook.
    pub fn filters(&self) -> Vec<String> {
        self.webhook.events.iter().map(ToString::to_string).collect()
    }

    /// A secret to write into an example call, where one can be made up by hand.
    pub fn own_secret(&self) -> Option<&'static str> {
        const TEXT: &str = "a-long-random-secret-of-your-own";
        self.dialect.check_secret(TEXT).is_ok_and(|warning| warning.is_none()).then_some(TEXT)
    }

    /// What a create call says, with native names.
    pub fn request(&self, field: &str) -> Value {
        match field {
            "url" => json!(ENDPOINT),
            "events" => json!(self.filters()),
            "secret" => json!(self.own_secret()),
            "enabled" => json!(true),
            "test_mode" | "ownership_check" => json!(false),
            "name" => json!("Production"),
            "description" => json!("Keeps our own copy up to date"),
            "headers" => json!({"X-Environment": "production"}),
            "rate_limit" => json!({"per_second": 10}),
            "max_in_flight" => json!(8),
            "max_retries" => json!(self.dialect.retry.delay_seconds.len()),
            "timeout" => json!(self.dialect.timeout_seconds),
            "retry" => {
                json!({"delays": self.dialect.retry.delay_seconds, "jitter_percent": self.dialect.retry.jitter_percent})
            }
            "success" => json!(Vec::<String>::from(self.dialect.success.clone())),
            _ => Value::Null,
        }
    }

    /// A new webhook, with native names.
    pub fn created(&self) -> Map<String, Value> {
        let at = time::rfc3339(HAPPENED - 86_400_000);
        let mut native = Map::new();
        for (name, value) in [
            ("id", json!(WEBHOOK_ID.to_string())),
            ("uid", Value::Null),
            ("account", json!(ACCOUNT)),
            ("dialect", json!(self.dialect.name)),
            ("url", json!(ENDPOINT)),
            ("events", json!(self.filters())),
            ("name", Value::Null),
            ("description", Value::Null),
            ("headers", json!({})),
            ("rate_limit", Value::Null),
            ("max_in_flight", Value::Null),
            ("timeout", Value::Null),
            ("retry", Value::Null),
            ("max_retries", Value::Null),
            ("success", Value::Null),
            ("status", json!("active")),
            ("enabled", json!(true)),
            ("status_reason", Value::Null),
            ("test_mode", json!(false)),
            ("ownership_check", json!(self.dialect.challenge.is_some())),
            ("disable", Value::Null),
            ("order", Value::Null),
            ("order_key", Value::Null),
            ("on_dead", Value::Null),
            ("filter", Value::Null),
            ("shape", Value::Null),
            ("allow", json!([])),
            ("tls", Value::Null),
            ("auth", Value::Null),
            ("channels", json!([])),
            ("tags", json!([])),
            ("metadata", json!({})),
            ("notices", Value::Null),
            ("mode", json!("push")),
            ("created_at", json!(at)),
            ("updated_at", json!(at)),
            ("last_attempt_at", Value::Null),
            ("last_success_at", Value::Null),
            ("success_rate", json!(0.0)),
        ] {
            native.insert(name.into(), value);
        }
        for counter in COUNTERS {
            native.insert(counter.into(), json!(0));
        }
        native.insert("failing_since".into(), Value::Null);
        native.insert("probe_at".into(), Value::Null);
        native.insert("resume_at".into(), Value::Null);
        native.insert("pauses".into(), json!(0));
        native.insert("paused_until".into(), Value::Null);
        native
    }

    /// The same webhook after its first delivery.
    pub fn webhook(&self) -> Map<String, Value> {
        let mut native = self.created();
        let at = time::rfc3339(HAPPENED + 1000);
        for name in ["last_attempt_at", "last_success_at"] {
            native.insert(name.into(), json!(at));
        }
        for name in ["deliveries", "succeeded", "attempts"] {
            native.insert(name.into(), json!(1));
        }
        native.insert("success_rate".into(), json!(1.0));
        native
    }

    /// The same where nothing else is asked about, with how its deliveries stand.
    pub fn webhook_with_lane(&self) -> Map<String, Value> {
        let mut native = self.webhook();
        let lane = json!({"window": 7, "places": 0, "wanted": null, "waits_for": "nothing_to_send", "until": null});
        native.insert("lane".into(), lane);
        native
    }

    /// Rows of the history: one that went well, one that did not.
    pub fn rows(&self) -> [Map<String, Value>; 2] {
        let first = self.dialect.catalogue.first().map_or("example", |known| known.name.as_str());
        let row = |event: EventId, status: u16, at: UnixMs| {
            let attempts: u16 = 1;
            let success = status < 300;
            let error = (!success).then(|| format!("the endpoint answered {status}"));
            let again = (!success).then(|| self.dialect.retry.delay_seconds.get(usize::from(attempts) - 1)).flatten();
            let next = again.map(|delay| time::rfc3339(at + RESPONSE_MS + delay * 1000));
            let at = time::rfc3339(at);
            let log = json!([{
                "attempt": attempts, "timestamp": at, "status_code": status, "response_time_ms": RESPONSE_MS,
                "success": success, "error": error,
            }]);
            let row = json!({
                "id": event.delivery_to(WEBHOOK_ID.number()).to_string(),
                "attempt_id": AttemptId { delivery: event.delivery_to(WEBHOOK_ID.number()), number: attempts }.to_string(),
                "event_id": event.to_string(),
                "event_type": first,
                "webhook_id": WEBHOOK_ID.to_string(),
                "state": if success { "succeeded" } else { "scheduled" },
                "created_at": time::rfc3339(event.time()),
                "attempted_at": at,
                "attempt": attempts,
                "attempts": attempts,
                "status_code": status,
                "response_time_ms": RESPONSE_MS,
                "success": success,
                "error": error,
                "next_attempt_at": next,
                "at": at,
                "delivered_at": at,
                "last_error": error,
                "data": self.dialect.catalogue.first().map(|known| &known.sample),
                "attempt_log": log,
            });
            match row {
                Value::Object(row) => row,
                _ => unreachable!("an object was written"),
            }
        };
        [row(EVENT_ID, 200, HAPPENED + 1000), row(FAILED_EVENT_ID, 500, HAPPENED - 60_000)]
    }

    /// What a test call answers, with native names.
    pub fn tested(&self, event_type: &str) -> Value {
        let ids = &self.dialect.ids;
        let attempt = AttemptId { delivery: self.delivery(), number: 1 };
        let delivery_id = match self.dialect.face.as_ref().is_some_and(Face::names_attempts) {
            true => ids.delivery.spell_attempt(attempt),
            false => ids.delivery.spell(self.delivery().uuid()),
        };
        json!({
            "event_id": ids.event.spell(EVENT_ID.uuid()),
            "event_type": event_type,
            "delivery_id": delivery_id,
            "success": true,
            "status_code": 200,
            "response_time_ms": RESPONSE_MS,
            "error": null,
            "response_body": "OK",
        })
    }

    /// What a health check answers.
    pub fn checked(&self) -> Value {
        let status = if self.dialect.signature.is_empty() { 200 } else { 401 };
        json!({"reachable": true, "tls": "ok", "status_code": status, "response_time_ms": RESPONSE_MS, "error": null})
    }

    /// What a replay answers.
    pub fn replayed(&self) -> Value {
        let form = &self.dialect.ids.delivery;
        let new = DeliveryId(0x018d_93ea_24db_7d04_b3c8_71aa_0000_0001);
        json!({"delivery_id": form.spell(new.uuid()), "replay_of": form.spell(self.delivery().uuid())})
    }
}

const COUNTERS: [&str; 7] =
    ["deliveries", "succeeded", "dead", "open", "attempts", "failed_attempts", "consecutive_failures"];

/// What is sent for the sample of an event: the headers as the contract spells them, and the JSON of the body, which a form
/// is made of.
pub fn sent(dialect: &Dialect, event: &EventType, attempt: u16) -> (Vec<(String, String)>, Value) {
    let headers = Example::of(dialect).headers(event, attempt);
    let mut json = dialect.clone();
    json.body.format = BodyFormat::Json;
    let body = Example::of(&json).body(event);
    (headers, serde_json::from_slice(&body).expect("a body is JSON"))
}

/// What goes out for an event, as somebody sees it before there is a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Where it would go.
    pub url: &'static str,
    /// The headers as the contract spells them, the signature among them.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte.
    pub body: Vec<u8>,
    /// What signed it: known to everybody, and good for nothing else. `None` where nothing signs, or secrets must be given.
    pub secret: Option<Secret>,
}

/// The request that an event of this type with this data (JSON that `domain::json` lets through) would be, at an attempt: by the code
/// that makes the real ones.
///
/// # Errors
/// The event is too much for the dialect's shape, or for a moment.
pub fn preview(dialect: &Dialect, event_type: &str, data: Box<RawValue>, attempt: u16) -> Result<Preview, Unshaped> {
    let example = Example::of(dialect);
    let known = EventType { name: event_type.into(), description: String::new(), sample: data, stated_schema: None };
    let event = example.event(&known);
    let prepared = dialect.prepare_at_once(&event, ACCOUNT, None)?;
    let facts = AttemptFacts { attempt, ..example.facts(&event) };
    let (keys, mut headers) = (example.keys(), Vec::new());
    let body = dialect.body(&prepared, &facts, &keys).to_vec();
    dialect.headers(&facts, &body, &keys, &mut headers);
    let secret = example.secret.clone().filter(|_| !dialect.signature.is_empty());
    Ok(Preview { url: ENDPOINT, headers: example.spelled(&headers), body, secret })
}

/// What stands for an event where a dialect documents none.
pub(super) fn nameless() -> EventType {
    EventType {
        name: "example.event".into(),
        description: String::new(),
        sample: RawValue::from_string("{}".into()).expect("it is JSON"),
        stated_schema: None,
    }
}
