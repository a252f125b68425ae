//! A webhook: a registered endpoint, what it wants to hear of, and how it is treated.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Invalid;
use super::disable::DisableRule;
use super::endpoint::EndpointUrl;
use super::endpoint_auth::EndpointAuth;
use super::id::{AccountNumber, WebhookId, WebhookNumber};
use super::labels;
use super::mail;
use super::notice::Notices;
use super::order::{OnDead, Order};
use super::rate_limit::RateLimit;
use super::retry::{RetrySchedule, SuccessRule};
use super::secret::{DataKey, SigningSecret};
use super::shape::Shape;
use super::time::UnixMs;
use super::tls::Tls;
use super::words::words;

/// A webhook's name, in characters.
pub const NAME_CHARS_MAX: usize = 200;
/// A webhook's description, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 2000;
/// Event filters of one webhook.
pub const FILTERS_MAX: usize = 200;
/// All event filters of one webhook together, in bytes: a webhook is one stored value.
pub const FILTERS_BYTES_MAX: usize = 8192;
/// Deliveries of one webhook in flight at once.
pub const MAX_IN_FLIGHT_MAX: u32 = 256;
/// Networks that are opened for one webhook.
pub const ALLOW_MAX: usize = 32;
/// All texts of one webhook together, in bytes: it is one stored value, which may have 32 KiB.
pub const TEXTS_BYTES_MAX: usize = 30 * 1024;
/// The deadline of one attempt.
pub const TIMEOUT_SECONDS_MAX: u32 = 120;

/// How long a webhook may be paused where that has an end: 30 days.
pub const PAUSE_SECONDS_MAX: u64 = 30 * 24 * 60 * 60;

/// A webhook as it is stored. `None` in a setting means the dialect's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its low 32 bits are the webhook's number.
    pub id: WebhookId,
    /// Whose it is.
    pub account: AccountNumber,
    /// The contract it is served by.
    pub dialect: String,
    /// Where its deliveries go.
    pub url: EndpointUrl,
    /// Which events it wants.
    pub events: Vec<EventFilter>,
    /// The newest first; those that have not run out sign.
    pub secrets: Vec<SigningSecret>,
    /// For people.
    pub name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Sent with every attempt.
    pub headers: Vec<(String, String)>,
    /// Requests a second, at most.
    pub rate_limit: Option<RateLimit>,
    /// Deliveries in flight at once.
    pub max_in_flight: Option<u32>,
    /// The deadline of one attempt, in seconds.
    pub timeout_seconds: Option<u32>,
    /// When to try again.
    pub retry: Option<RetrySchedule>,
    /// Which answers are a success.
    pub success: Option<SuccessRule>,
    /// Whether deliveries go out.
    pub status: Status,
    /// When it was created.
    pub created_at: UnixMs,
    /// When a person last changed it.
    pub updated_at: UnixMs,
    /// It gets test events only, and they go to no other webhook.
    pub test_mode: bool,
    /// Whether its endpoint has shown that it wants deliveries.
    pub ownership: Ownership,
    /// When a rule disables it.
    pub disable: Option<DisableRule>,
    /// In which order its deliveries go out; `None`: in none.
    pub order: Option<Order>,
    /// It wants only events that this holds for.
    pub condition: Option<String>,
    /// Networks that an admin opened for it though they are not public.
    pub allow: Vec<IpNet>,
    /// What TLS is made with, where it is not as for all.
    pub tls: Option<Tls>,
    /// What its attempts are sealed with; given when it is stored.
    pub attempts_key: Option<DataKey>,
    /// Its own id in the account's words, unique among the account's webhooks.
    pub uid: Option<String>,
    /// For people and their lists; ascending.
    pub tags: Vec<String>,
    /// For people and their systems.
    pub metadata: BTreeMap<String, String>,
    /// It wants only events that share one of them; empty: whatever theirs are. Ascending.
    pub channels: Vec<String>,
    /// How it shows its endpoint who it is, beside the signature.
    pub auth: Option<EndpointAuth>,
    /// What is made of an event's data for it, behind what its dialect makes: a [`Shape`] as JSON.
    pub shape: Option<String>,
    /// It hears notices of the server, and no events.
    pub notices: Option<Notices>,
    /// How its deliveries come to who wants them.
    pub mode: Mode,
    /// When it goes on by itself; only of one that is paused.
    pub resumes_at: Option<UnixMs>,
}

impl Webhook {
    /// An active webhook with the dialect's settings throughout. Its id and times are given when it is stored.
    pub fn new(account: AccountNumber, dialect: impl Into<String>, url: EndpointUrl, events: Vec<EventFilter>) -> Self {
        Self {
            id: WebhookId(0),
            account,
            dialect: dialect.into(),
            url,
            events,
            secrets: Vec::new(),
            name: None,
            description: None,
            headers: Vec::new(),
            rate_limit: None,
            max_in_flight: None,
            timeout_seconds: None,
            retry: None,
            success: None,
            status: Status::Active,
            created_at: 0,
            updated_at: 0,
            test_mode: false,
            ownership: Ownership::NotAsked,
            disable: None,
            order: None,
            condition: None,
            allow: Vec::new(),
            tls: None,
            attempts_key: None,
            uid: None,
            tags: Vec::new(),
            metadata: BTreeMap::new(),
            channels: Vec::new(),
            auth: None,
            shape: None,
            notices: None,
            mode: Mode::Push,
            resumes_at: None,
        }
    }

    /// One whose deliveries are pulled.
    pub fn pulled(account: AccountNumber, dialect: impl Into<String>, events: Vec<EventFilter>) -> Self {
        Self { mode: Mode::Pull, ..Self::new(account, dialect, EndpointUrl::nowhere(), events) }
    }

    /// Whether its deliveries are pulled, so that it has no endpoint.
    pub fn is_pulled(&self) -> bool {
        self.mode == Mode::Pull
    }

    /// Where its deliveries go; none where they are pulled.
    pub fn shown_url(&self) -> Option<&str> {
        (!self.is_pulled()).then(|| self.url.as_str())
    }

    /// What people know it by: its name, else the host that it leads to, else its id.
    pub fn label(&self) -> String {
        let place = || self.shown_url().map(|_| self.url.place());
        self.name.clone().or_else(place).unwrap_or_else(|| self.id.to_string())
    }

    /// The rate limit that its endpoint is spared by, in a dialect with this one. Mail has always the same: it goes out in the
    /// operator's name, whoever asks for it and however.
    pub fn pace(&self, of_dialect: Option<RateLimit>) -> Option<RateLimit> {
        if self.url.is_mail() { Some(mail::PACE) } else { self.rate_limit.or(of_dialect) }
    }

    /// Its number in the store.
    pub fn number(&self) -> WebhookNumber {
        self.id.number()
    }
    /// Whether it wants events of this type.
    pub fn wants(&self, event_type: &str) -> bool {
        self.events.iter().any(|filter| filter.matches(event_type))
    }
    /// Whether a delivery is made for it when such an event is accepted, of these channels, a test event or another: also
    /// while it is paused or disabled, but not before its endpoint has ever passed the ownership check, and never where it is
    /// for notices.
    pub fn hears_of(&self, event_type: &str, channels: &[String], test: bool) -> bool {
        self.deaf_to(test).is_none() && self.wants(event_type) && labels::hears(&self.channels, channels)
    }
    /// Why it hears of no such event, a test event or another, whatever its types, channels and filter say; none where it may.
    pub fn deaf_to(&self, test: bool) -> Option<Deaf> {
        let reasons = [
            (self.is_deleted(), Deaf::Deleted),
            (self.notices.is_some(), Deaf::Notices),
            (self.test_mode && !test, Deaf::TestMode),
            (!self.test_mode && test, Deaf::TestEvent),
            (matches!(self.ownership, Ownership::Never { .. }), Deaf::Unverified),
        ];
        reasons.into_iter().find_map(|(holds, why)| holds.then_some(why))
    }
    /// Whether its deliveries go out.
    pub fn is_active(&self) -> bool {
        self.status == Status::Active && self.ownership.is_settled()
    }
    /// The word in the API for whether they do.
    pub fn status_word(&self) -> &'static str {
        match self.status {
            Status::Active if !self.ownership.is_settled() => UNVERIFIED,
            _ => self.status.word(),
        }
    }
    /// Why they do not, where a rule, a person or the ownership check said so.
    pub fn status_reason(&self) -> Option<&str> {
        self.status.reason().or(self.ownership.reason())
    }
    /// Whether a delivery that used up its retries holds up those behind it.
    pub fn holds_order(&self) -> bool {
        self.order.as_ref().is_some_and(|order| order.on_dead == OnDead::Hold)
    }
    /// Its own shape, ready. It was vetted when it was set; an error says that a version before knew more of shapes.
    pub fn own_shape(&self) -> Result<Option<Shape>, Invalid> {
        self.shape.as_deref().map(Shape::read).transpose()
    }
    /// The bytes of all texts that people set, which bound its size on disk.
    pub fn texts_bytes(&self) -> usize {
        let optional = [&self.name, &self.description, &self.condition, &self.shape];
        let optional: usize = optional.into_iter().flatten().map(String::len).sum();
        let filters: usize = self.events.iter().map(|filter| filter.to_string().len() + 2).sum();
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let secrets: usize = self.secrets.iter().map(|one| one.secret.reveal().len() + 16).sum();
        let tls = self.tls.as_ref().map_or(0, Tls::bytes) + self.auth.as_ref().map_or(0, EndpointAuth::bytes);
        let words: usize = self.tags.iter().chain(&self.channels).chain(&self.uid).map(|word| word.len() + 2).sum();
        let labels = words + labels::metadata_bytes(&self.metadata) + self.metadata.len() * 4;
        self.url.as_str().len() + optional + filters + headers + secrets + tls + labels + self.allow.len() * 18
    }

    /// Whether it was deleted; then it is seen nowhere, and its open deliveries are being cancelled.
    pub fn is_deleted(&self) -> bool {
        matches!(self.status, Status::Deleted { .. })
    }
}

/// Why a webhook hears of no events of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deaf {
    /// It was deleted.
    Deleted,
    /// It is for notices.
    Notices,
    /// It hears test events only.
    TestMode,
    /// The event is a test event, and it is not in test mode.
    TestEvent,
    /// Its endpoint has never passed the ownership check.
    Unverified,
}

words!(Deaf {
    Self::Deleted => "deleted",
    Self::Notices => "notices",
    Self::TestMode => "test_mode",
    Self::TestEvent => "test_event",
    Self::Unverified => "unverified",
});

/// How a webhook's deliveries come to who wants them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = WebhookMode, example = "push")]
pub enum Mode {
    /// They are sent to its URL.
    #[default]
    Push,
    /// A consumer asks for them, and says what became of each.
    Pull,
}

/// Whether a webhook's deliveries go out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// They do.
    Active,
    /// A person paused it: they are held.
    Paused {
        /// Since when.
        since: UnixMs,
    },
    /// A rule or a person disabled it: they are held.
    Disabled {
        /// Since when.
        since: UnixMs,
        /// Why, in one sentence.
        reason: String,
        /// One delivery goes out then, and if that succeeds the webhook is active again. `None`: a person enables it.
        probe_at: Option<UnixMs>,
    },
    /// It was deleted: they are cancelled.
    Deleted {
        /// Since when.
        since: UnixMs,
    },
}

words!(Status {
    Self::Active => "active",
    Self::Paused { .. } => "paused",
    Self::Disabled { .. } => "disabled",
    Self::Deleted { .. } => "deleted",
});

/// What `status` says of a webhook that is there: nobody sees a deleted one.
pub const SHOWN_STATUSES: [&str; 4] = ["active", "paused", "disabled", UNVERIFIED];
/// What it says of one whose endpoint has not shown that it wants deliveries.
const UNVERIFIED: &str = "unverified";

impl Status {
    /// When one delivery goes out to see whether its endpoint is well again.
    pub fn probe_at(&self) -> Option<UnixMs> {
        match self {
            Self::Disabled { probe_at, .. } => *probe_at,
            _ => None,
        }
    }

    /// Why it is disabled.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Disabled { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

/// Whether an endpoint has shown that it wants deliveries, where the contract or the webhook asks for that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ownership {
    /// Nobody asks.
    NotAsked,
    /// It has.
    Proven,
    /// It never has: no deliveries are made for it.
    Never {
        /// Why, in one sentence.
        reason: String,
    },
    /// It had, at another URL: its deliveries are held.
    Again {
        /// Why, in one sentence.
        reason: String,
    },
}

impl Ownership {
    /// Whether deliveries may go out.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::NotAsked | Self::Proven)
    }

    /// Whether the endpoint is asked.
    pub fn is_asked(&self) -> bool {
        *self != Self::NotAsked
    }

    /// Where it stands after a check that ended so. What was proven once is held, not dropped.
    pub fn after(&self, checked: Result<(), String>) -> Self {
        match (checked, self) {
            (Ok(()), _) => Self::Proven,
            (Err(reason), Self::NotAsked | Self::Never { .. }) => Self::Never { reason },
            (Err(reason), Self::Proven | Self::Again { .. }) => Self::Again { reason },
        }
    }

    /// Why deliveries do not go out.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Never { reason } | Self::Again { reason } => Some(reason),
            Self::NotAsked | Self::Proven => None,
        }
    }
}

/// An event filter: an exact type, `task.*` for every type that starts with `task.`, or `*` for all.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventFilter {
    /// Every type.
    All,
    /// Every type that starts with this, which ends with a dot.
    Prefix(String),
    /// This type.
    Exact(String),
}

impl EventFilter {
    /// Reads a filter.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong =
            || Invalid::new("events", "must be an event type, \"task.*\" for all that start so, or \"*\" for all");
        if text == "*" {
            return Ok(Self::All);
        }
        if let Some(stem) = text.strip_suffix(".*") {
            super::event::check_type(stem).map_err(|_| wrong())?;
            return Ok(Self::Prefix(format!("{stem}.")));
        }
        super::event::check_type(text).map_err(|_| wrong())?;
        Ok(Self::Exact(text.to_string()))
    }

    /// Whether it lets this type through.
    pub fn matches(&self, event_type: &str) -> bool {
        match self {
            Self::All => true,
            Self::Prefix(prefix) => event_type.len() > prefix.len() && event_type.starts_with(prefix),
            Self::Exact(exact) => event_type == exact,
        }
    }
}

impl std::fmt::Display for EventFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
            Self::Exact(exact) => f.write_str(exact),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::Secret;

    #[test]
    fn filters_match_as_documented() {
        let wants = |filter: &str, event_type: &str| EventFilter::parse(filter).unwrap().matches(event_type);
        assert!(wants("*", "anything"));
        assert!(wants("task.*", "task.created") && wants("task.*", "task.sub.created"));
        assert!(!wants("task.*", "task") && !wants("task.*", "tasks.created") && !wants("task.*", "task."));
        assert!(wants("task.created", "task.created") && !wants("task.created", "task.createdx"));
        for bad in ["", "*.created", "task.*.x", "task.**", ".*", "a b"] {
            assert_eq!(EventFilter::parse(bad).unwrap_err().field, "events", "{bad}");
        }
    }

    #[test]
    fn all_texts_that_people_set_are_counted() {
        let url = EndpointUrl::parse("https://e.com/", false).expect("a URL");
        let mut webhook = Webhook::new(1, "standard", url, vec![EventFilter::All, EventFilter::Exact("ab".into())]);
        assert_eq!(webhook.texts_bytes(), 14 + (1 + 2) + (2 + 2));
        let before = webhook.texts_bytes();
        (webhook.name, webhook.description) = (Some("four".into()), Some("three".into()));
        webhook.condition = Some("@.a".into());
        assert_eq!(webhook.texts_bytes(), before + 4 + 5 + 3);
        let before = webhook.texts_bytes();
        webhook.shape = Some("{}".into());
        assert_eq!((webhook.texts_bytes(), webhook.own_shape().map(|shape| shape.is_some())), (before + 2, Ok(true)));
        let before = webhook.texts_bytes();
        webhook.headers = vec![("X-A".into(), "12345".into())];
        webhook.secrets = vec![SigningSecret { secret: Secret::new("secret"), until: None }];
        assert_eq!(webhook.texts_bytes(), before + (3 + 5 + 2) + (6 + 16));
        let before = webhook.texts_bytes();
        webhook.allow = vec!["10.0.0.0/8".parse().expect("a network"); 2];
        webhook.tls = Some(Tls { ca: Some("a PEM".into()), identity: None });
        assert_eq!(webhook.texts_bytes(), before + 2 * 18 + 5);
        let before = webhook.texts_bytes();
        (webhook.uid, webhook.tags, webhook.channels) = (Some("own".into()), vec!["t".into()], vec!["ch".into()]);
        webhook.metadata = BTreeMap::from([("a".into(), "bc".into())]);
        assert_eq!(webhook.texts_bytes(), before + (3 + 2) + (1 + 2) + (2 + 2) + (1 + 2 + 4));
        let before = webhook.texts_bytes();
        webhook.auth = Some(EndpointAuth::Bearer { token: Secret::new("token") });
        assert_eq!(webhook.texts_bytes(), before + 5 + 4);
    }

    #[test]
    fn what_a_webhook_is_deaf_to_has_a_word_and_makes_no_delivery() {
        let url = EndpointUrl::parse("https://e.com/", false).expect("a URL");
        let plain = Webhook::new(1, "standard", url, vec![EventFilter::All]);
        let never = Ownership::Never { reason: "not yet".into() };
        let webhooks = [
            plain.clone(),
            Webhook { test_mode: true, ..plain.clone() },
            Webhook { notices: Some(Notices { quiet_seconds: 0 }), ..plain.clone() },
            Webhook { ownership: never, ..plain.clone() },
            Webhook { status: Status::Deleted { since: 0 }, ..plain.clone() },
            // What is held is made all the same.
            Webhook { status: Status::Paused { since: 0 }, mode: Mode::Pull, ..plain },
        ];
        for (test, words) in [
            (false, ["", "test_mode", "notices", "unverified", "deleted", ""]),
            (true, ["test_event", "", "notices", "test_event", "deleted", "test_event"]),
        ] {
            for (webhook, word) in webhooks.iter().zip(words) {
                assert_eq!(webhook.deaf_to(test).map_or("", |why| why.word()), word);
                assert_eq!(webhook.hears_of("a", &[], test), word.is_empty());
            }
        }
    }

    #[test]
    fn an_order_holds_where_it_says_so() {
        let url = EndpointUrl::parse("https://e.com/", false).expect("a URL");
        let holds =
            |order| Webhook { order, ..Webhook::new(1, "standard", url.clone(), vec![EventFilter::All]) }.holds_order();
        let order = |on_dead| Some(Order { key: None, on_dead });
        assert_eq!([order(OnDead::Hold), order(OnDead::Skip), None].map(holds), [true, false, false]);
    }
}
