//! What is asked of the store: by number, so that a case can be shrunk, and then by name, of what there is.

use hookwheel::domain::backoff::Strain;
use hookwheel::domain::delivery::{Attempt, AttemptSummary, DeliveryState, Outcome};
use hookwheel::domain::disable::DisableRule;
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::id::{DeliveryId, EventId, WebhookId};
use hookwheel::domain::retry::Next;
use hookwheel::domain::webhook::{EventFilter, Status, Webhook};
use hookwheel::store::{Idempotency, NewEvent, Settlement};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::plain::Plain;

const TYPES: [&str; 4] = ["task.created", "task.sub.done", "note.added", "ping"];
const FILTERS: [&str; 4] = ["task.created", "task.*", "*", "note.added"];
/// A condition, and what it says of the number in an event's data.
type Condition = (&'static str, fn(u8) -> bool);
/// Those that webhooks have here.
pub const CONDITIONS: [Condition; 3] =
    [("@.data.n > 4", |n| n > 4), ("@.data.n == 3 || @.data['n']<2", |n| n == 3 || n < 2), ("!@.data.x", |_| true)];
/// Channels of events and webhooks, most of which have none.
const CHANNELS: [&[&str]; 6] = [&[], &[], &[], &["a"], &["b"], &["a", "b"]];
/// Failures in a row that disable a webhook here.
pub const FAILURES_MAX: u32 = 3;
/// How long a disabled one waits for its probe.
pub const PROBE_SECONDS: u64 = 60;

#[derive(Debug, Clone)]
pub enum Turn {
    /// All in one group commit.
    Group(Vec<Deed>),
    /// The same, and the next group comes before upkeep can go on.
    Hasty(Vec<Deed>),
    /// The same, and the store is opened again before upkeep can go on.
    Crash(Vec<Deed>),
    /// A publish as the API does it, some of it written ahead; the store may be opened again after so many groups.
    Publish(Deed, Option<usize>),
    /// Time, in milliseconds.
    Pass(u64),
}

#[derive(Debug, Clone)]
pub enum Deed {
    Accept {
        events: Vec<Post>,
        key: Option<(u8, u8)>,
    },
    Test(Index, Post, bool),
    Settle {
        which: Index,
        end: u8,
        wait: u64,
        again: bool,
    },
    Replay {
        which: Index,
        by: Option<Index>,
    },
    Create(Wish),
    Change(Index, Wish),
    Steer(Index, u8),
    Delete(Index),
    /// An event is deleted, or purged.
    Leave(Index, bool),
}

#[derive(Debug, Clone)]
pub struct Post {
    name: Option<u8>,
    fingerprint: u8,
    kind: usize,
    n: u8,
    long: bool,
    test: bool,
    channels: usize,
}

#[derive(Debug, Clone)]
pub struct Wish {
    filter: usize,
    condition: Option<usize>,
    test_mode: bool,
    channels: usize,
}

/// What is asked, by name.
#[derive(Debug, Clone)]
pub enum Ask {
    Accept(Vec<NewEvent>, Option<Idempotency>),
    Test(WebhookId, NewEvent, bool),
    Replay(WebhookId, DeliveryId),
    Create(Webhook),
    Change(WebhookId, Webhook),
    Steer(WebhookId, Status),
    Delete(WebhookId),
    DeleteEvent(EventId),
    PurgeEvent(EventId),
}

pub fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        8 => prop::collection::vec(deed(), 1..6).prop_map(Turn::Group),
        2 => prop::collection::vec(deed(), 1..6).prop_map(Turn::Hasty),
        1 => prop::collection::vec(deed(), 0..4).prop_map(Turn::Crash),
        1 => (accept(0.3), prop::option::of(0..5_usize)).prop_map(|(deed, crash)| Turn::Publish(deed, crash)),
        2 => prop_oneof![0..200_u64, Just(60_000), Just(24 * 3_600_000)].prop_map(Turn::Pass),
    ];
    // Without a webhook little happens.
    let first = wish().prop_map(|wish| Turn::Group(vec![Deed::Create(wish)]));
    (first, prop::collection::vec(turn, 1..30)).prop_map(|(first, rest)| [vec![first], rest].concat())
}

fn deed() -> impl Strategy<Value = Deed> {
    let by = prop::option::weighted(0.2, any::<Index>());
    prop_oneof![
        6 => accept(0.03),
        1 => (any::<Index>(), post(0.03), any::<bool>()).prop_map(|(which, post, well)| Deed::Test(which, post, well)),
        9 => (any::<Index>(), 0..6_u8, 0..90_000_u64, prop::bool::weighted(0.1))
            .prop_map(|(which, end, wait, again)| Deed::Settle { which, end, wait, again }),
        2 => (any::<Index>(), by).prop_map(|(which, by)| Deed::Replay { which, by }),
        1 => wish().prop_map(Deed::Create),
        1 => (any::<Index>(), wish()).prop_map(|(which, wish)| Deed::Change(which, wish)),
        2 => (any::<Index>(), 0..4_u8).prop_map(|(which, word)| Deed::Steer(which, word)),
        1 => any::<Index>().prop_map(Deed::Delete),
        2 => (any::<Index>(), any::<bool>()).prop_map(|(which, is_purge)| Deed::Leave(which, is_purge)),
    ]
}

/// Of whose events so many are long.
fn accept(long: f64) -> impl Strategy<Value = Deed> {
    let key = prop::option::weighted(0.3, (0..3_u8, 0..2_u8));
    (prop::collection::vec(post(long), 1..5), key).prop_map(|(events, key)| Deed::Accept { events, key })
}

fn post(long: f64) -> impl Strategy<Value = Post> {
    let name = prop::option::weighted(0.4, 0..5_u8);
    let is = prop::bool::weighted;
    let parts = (name, 0..2_u8, 0..TYPES.len(), 0..9_u8, is(long), is(0.1), 0..CHANNELS.len());
    parts.prop_map(|(name, fingerprint, kind, n, long, test, channels)| Post {
        name,
        fingerprint,
        kind,
        n,
        long,
        test,
        channels,
    })
}

fn wish() -> impl Strategy<Value = Wish> {
    let condition = prop::option::weighted(0.3, 0..CONDITIONS.len());
    let parts = (0..FILTERS.len(), condition, prop::bool::weighted(0.1), 0..CHANNELS.len());
    parts.prop_map(|(filter, condition, test_mode, channels)| Wish { filter, condition, test_mode, channels })
}

impl Deed {
    /// The outcome that this deed is, if it is one and there is something to try.
    pub fn settlement(&self, plain: &Plain, now: u64) -> Option<Settlement> {
        let Self::Settle { which, end, wait, again } = self else { return None };
        // A delivery that was cancelled may have been out at that time; one that has ended otherwise was not.
        let can_be_out = |state: DeliveryState| state.is_open() || state == DeliveryState::Cancelled;
        let out: Vec<_> = plain.deliveries.values().filter(|delivery| can_be_out(delivery.state)).collect();
        let delivery = (!out.is_empty()).then(|| which.get(&out))?;
        let number = if *again { delivery.attempts.max(1) } else { delivery.attempts + 1 };
        let next = match end {
            0 | 1 => Next::Succeeded,
            2 => Next::Dead,
            _ => Next::RetryAt(now + 3 + wait),
        };
        let outcome = match end {
            0 | 1 => Outcome::Status(200),
            2 | 3 => Outcome::Status(500),
            _ => Outcome::Connect("refused".into()),
        };
        let summary = AttemptSummary { number, started_at: now, duration_ms: 3, outcome };
        let headers = [("a", number.to_string())].into_iter().collect();
        let attempt = Attempt {
            summary,
            url: "u".into(),
            request_headers: headers,
            response_body: vec![*end],
            resent: false,
            trace: Default::default(),
        };
        let disable = DisableRule {
            consecutive_failures: Some(FAILURES_MAX),
            probe_after_seconds: Some(PROBE_SECONDS),
            ..DisableRule::default()
        };
        let strain = if next == Next::Succeeded { Strain::Well } else { Strain::Down };
        Some(Settlement { delivery: delivery.id, attempt, next, disable, strain, dice: 0.5, rate_limited: false })
    }

    /// The request that this deed is, if it is one and there is something to ask about.
    pub fn ask(&self, plain: &Plain, now: u64) -> Option<Ask> {
        // Deleted webhooks are asked about, too.
        let webhooks: Vec<WebhookId> = plain.webhooks.values().map(|webhook| webhook.id).collect();
        let webhook = |which: &Index| (!webhooks.is_empty()).then(|| *which.get(&webhooks));
        Some(match self {
            Self::Settle { .. } => return None,
            Self::Accept { events, key } => {
                let idempotency = key.map(|(key, print)| Idempotency { key: [key; 32], fingerprint: [print; 32] });
                Ask::Accept(events.iter().map(Post::event).collect(), idempotency)
            }
            Self::Test(which, post, well) => {
                Ask::Test(webhook(which)?, NewEvent { name: None, test: true, ..post.event() }, *well)
            }
            Self::Replay { which, by } => {
                let all: Vec<_> = plain.deliveries.keys().copied().collect();
                let old = (!all.is_empty()).then(|| *which.get(&all))?;
                let own = plain.webhooks[&old.webhook()].id;
                Ask::Replay(by.as_ref().and_then(webhook).unwrap_or(own), old)
            }
            Self::Create(wish) => Ask::Create(wish.webhook()),
            Self::Change(which, wish) => Ask::Change(webhook(which)?, wish.webhook()),
            Self::Steer(which, word) => Ask::Steer(webhook(which)?, status(*word, now)),
            Self::Delete(which) => Ask::Delete(webhook(which)?),
            Self::Leave(which, is_purge) => {
                let all: Vec<_> = plain.events.keys().copied().collect();
                let id = (!all.is_empty()).then(|| *which.get(&all))?;
                if *is_purge { Ask::PurgeEvent(id) } else { Ask::DeleteEvent(id) }
            }
        })
    }
}

/// The one attempt of a test that is made at `now`.
pub fn test_attempt(now: u64, well: bool) -> Attempt {
    let outcome = Outcome::Status(if well { 200 } else { 500 });
    let summary = AttemptSummary { number: 1, started_at: now, duration_ms: 3, outcome };
    Attempt {
        summary,
        url: "u".into(),
        request_headers: Default::default(),
        response_body: Vec::new(),
        resent: false,
        trace: Default::default(),
    }
}

fn status(word: u8, now: u64) -> Status {
    match word {
        0 => Status::Paused { since: now },
        1 => Status::Disabled { since: now, reason: "by hand".into(), probe_at: None },
        _ => Status::Active,
    }
}

fn channels(of: usize) -> Vec<String> {
    CHANNELS[of].iter().map(|channel| channel.to_string()).collect()
}

impl Post {
    fn event(&self) -> NewEvent {
        // A long one lies in several pieces.
        let padding = if self.long { "x".repeat(70_000) } else { String::new() };
        NewEvent {
            name: self.name.map(|name| format!("name{name}")),
            event_type: TYPES[self.kind].into(),
            created_at: (self.n == 1).then_some(5),
            data: format!("{{\"n\":{}, \"padding\":\"{padding}\"}}", self.n).into(),
            actor: (self.n == 2).then(|| "{}".into()),
            metadata: None,
            test: self.test,
            channels: channels(self.channels),
            fingerprint: self.name.map(|_| [self.fingerprint; 32]),
            trace: None,
        }
    }
}

impl Wish {
    fn webhook(&self) -> Webhook {
        let url = EndpointUrl::parse("https://example.com/", false).unwrap();
        Webhook {
            condition: self.condition.map(|n| CONDITIONS[n].0.to_string()),
            test_mode: self.test_mode,
            channels: channels(self.channels),
            ..Webhook::new(1, "standard", url, vec![EventFilter::parse(FILTERS[self.filter]).unwrap()])
        }
    }
}
