//! A delivery (one event for one webhook) and its attempts (one HTTP request each).

use serde::{Deserialize, Serialize};
use std::fmt;

use super::id::{DeliveryId, EventId};
use super::order::Place;
use super::sent_headers::SentHeaders;
use super::time::UnixMs;
use super::trace::Trace;
use super::words::words;

/// Where a delivery stands. `held` is not among them: an open delivery of a webhook that is not active is *shown* as
/// held, so disabling a webhook rewrites nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryState {
    /// Never tried.
    Pending,
    /// Tried and failed; the next attempt is due at `next_attempt_at`.
    Scheduled,
    /// Ended well.
    Succeeded,
    /// Used up its retries, or was never sent since nobody knows whether its webhook wants it, or since its shape is too much
    /// for it: a dead letter.
    Dead,
    /// Ended without being sent, with a reason: somebody's, or its own, such as a body that is too large.
    Cancelled,
}

impl DeliveryState {
    /// Whether an attempt may still be made.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Scheduled)
    }
}

words!(DeliveryState {
    Self::Pending => "pending",
    Self::Scheduled => "scheduled",
    Self::Succeeded => "succeeded",
    Self::Dead => "dead",
    Self::Cancelled => "cancelled",
});

/// The word for an open delivery of a webhook that is not active.
pub const HELD: &str = "held";
/// What `state` says of a delivery.
pub const SHOWN_STATES: [&str; 6] = ["pending", "scheduled", HELD, "succeeded", "dead", "cancelled"];

/// Why a delivery exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// Its event was accepted while the webhook wanted it.
    Accept,
    /// A webhook's `test` call.
    Test,
    /// Somebody asked to deliver again what that delivery delivered.
    Replay(DeliveryId),
    /// Somebody asked for what the webhook wants and never got.
    Missed,
}

words!(Cause {
    Self::Accept => "accept",
    Self::Test => "test",
    Self::Replay(_) => "replay",
    Self::Missed => "missed",
});

/// A delivery as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Stable over its attempts; its low bits are its webhook's number.
    pub id: DeliveryId,
    /// What is delivered.
    pub event: EventId,
    /// Why.
    pub cause: Cause,
    /// Where it stands.
    pub state: DeliveryState,
    /// When the next attempt is due, while scheduled.
    pub next_attempt_at: Option<UnixMs>,
    /// Attempts made.
    pub attempts: u16,
    /// The first attempt, kept here so that a first-try success is one record.
    pub first: Option<SealedAttempt>,
    /// The latest attempt, in short, once there is more than one.
    pub latest: Option<AttemptSummary>,
    /// When it ended.
    pub ended_at: Option<UnixMs>,
    /// Why it was cancelled, or is dead without an attempt.
    pub reason: Option<String>,
    /// Its place in its webhook's order, if it has one.
    pub place: Option<Place>,
}

impl Delivery {
    /// A delivery that has not been tried.
    pub fn fresh(id: DeliveryId, event: EventId, cause: Cause) -> Self {
        Self {
            id,
            event,
            cause,
            state: DeliveryState::Pending,
            next_attempt_at: None,
            attempts: 0,
            first: None,
            latest: None,
            ended_at: None,
            reason: None,
            place: None,
        }
    }

    /// When it was made.
    pub fn created_at(&self) -> UnixMs {
        self.id.time()
    }

    /// When its first attempt started.
    pub fn first_attempt_at(&self) -> Option<UnixMs> {
        self.first.as_ref().map(|attempt| attempt.summary.started_at)
    }

    /// Its latest attempt, in short.
    pub fn latest_attempt(&self) -> Option<&AttemptSummary> {
        self.latest.as_ref().or(self.first.as_ref().map(|attempt| &attempt.summary))
    }

    /// Takes in an attempt that has ended, and where the delivery stands after it. The attempt is handed back if it
    /// is not the first and so has a record of its own.
    pub fn take_attempt(&mut self, attempt: SealedAttempt, next: super::retry::Next) -> Option<SealedAttempt> {
        use super::retry::Next;
        let ended_at = attempt.summary.ended_at();
        self.attempts = attempt.summary.number;
        (self.state, self.next_attempt_at, self.ended_at) = match next {
            Next::Succeeded => (DeliveryState::Succeeded, None, Some(ended_at)),
            Next::RetryAt(at) => (DeliveryState::Scheduled, Some(at), None),
            Next::Dead => (DeliveryState::Dead, None, Some(ended_at)),
            Next::NotSent => {
                let outcome = &attempt.summary.outcome;
                self.reason = Some(format!("{}: {outcome}; it was not sent", outcome.kind()));
                // A shape can be mended, and the delivery replayed: that is for somebody to see.
                let is_dead = matches!(outcome, Outcome::ShapeTooCostly(_));
                let state = if is_dead { DeliveryState::Dead } else { DeliveryState::Cancelled };
                (state, None, Some(ended_at))
            }
        };
        if attempt.summary.number == 1 {
            self.first = Some(attempt);
            None
        } else {
            self.latest = Some(attempt.summary.clone());
            Some(attempt)
        }
    }
}

/// The kinds of failure, in the order in which they are stored: a new one comes last.
pub const FAILURE_KINDS: [&str; 14] = [
    "status",
    "timeout",
    "dns",
    "refused_address",
    "connect",
    "tls",
    "broken",
    "unsendable",
    "too_large",
    "auth",
    "shape_too_costly",
    "nacked",
    "lease_ran_out",
    // Never a failure, but the word for what came of such an attempt.
    "acked",
];

/// What came of an attempt. A try never "errors": it ends in one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The endpoint answered with this status.
    Status(u16),
    /// The deadline passed before the whole answer was there.
    TimedOut,
    /// The name could not be resolved.
    Dns(String),
    /// The address may not be dialled (see `domain::guard`).
    Refused(String),
    /// No TCP connection.
    Connect(String),
    /// No TLS session.
    Tls(String),
    /// The connection broke, or the answer was not HTTP.
    Broken(String),
    /// The request could not be made from the webhook's settings, for example after its dialect was removed.
    Unsendable(String),
    /// The body is longer than the dialect allows: so many bytes, and the limit.
    TooLarge(u64, u64),
    /// There was no access token for it: the endpoint was not asked, or does not take those that there are.
    Auth(String),
    /// Shaping the event takes longer, or makes more of it, than it may.
    ShapeTooCostly(String),
    /// Whoever pulled it could not take it, and says why, or not (empty).
    Nacked(String),
    /// Whoever pulled it did not say what became of it in time.
    LeaseRanOut,
    /// Whoever pulled it has done what is to be done.
    Acked,
}

/// What an outcome says, in bytes: an endpoint chooses some of it, such as the names in its certificate.
pub const OUTCOME_TEXT_BYTES_MAX: usize = 1024;

impl Outcome {
    /// The same, its text cut to [`OUTCOME_TEXT_BYTES_MAX`].
    pub fn cut(mut self) -> Self {
        match &mut self {
            Self::Dns(text)
            | Self::Refused(text)
            | Self::Connect(text)
            | Self::Tls(text)
            | Self::Broken(text)
            | Self::Unsendable(text)
            | Self::Auth(text)
            | Self::ShapeTooCostly(text)
            | Self::Nacked(text) => text.truncate(text.floor_char_boundary(OUTCOME_TEXT_BYTES_MAX)),
            Self::Status(_) | Self::TimedOut | Self::TooLarge(..) | Self::LeaseRanOut | Self::Acked => {}
        }
        self
    }

    /// The status, if the endpoint answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status(status) => Some(*status),
            _ => None,
        }
    }

    /// Whether it says something of the endpoint, or of what stands before it by its webhook's own settings. The others are about
    /// us, or about one delivery.
    pub fn is_of_endpoint(&self) -> bool {
        !matches!(self, Self::Unsendable(_) | Self::TooLarge(..) | Self::ShapeTooCostly(_))
    }

    /// The kind of failure in one word, for counters and filters.
    pub fn kind(&self) -> &'static str {
        FAILURE_KINDS[self.kind_index()]
    }

    /// Its place in [`FAILURE_KINDS`].
    pub fn kind_index(&self) -> usize {
        match self {
            Self::Status(_) => 0,
            Self::TimedOut => 1,
            Self::Dns(_) => 2,
            Self::Refused(_) => 3,
            Self::Connect(_) => 4,
            Self::Tls(_) => 5,
            Self::Broken(_) => 6,
            Self::Unsendable(_) => 7,
            Self::TooLarge(..) => 8,
            Self::Auth(_) => 9,
            Self::ShapeTooCostly(_) => 10,
            Self::Nacked(_) => 11,
            Self::LeaseRanOut => 12,
            Self::Acked => 13,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "the endpoint answered {status}"),
            Self::TimedOut => f.write_str("the endpoint did not answer in time"),
            Self::Dns(why) => write!(f, "the host name could not be resolved: {why}"),
            Self::Refused(why) => write!(f, "the address may not be dialled: {why}"),
            Self::Connect(why) => write!(f, "no connection: {why}"),
            Self::Tls(why) => write!(f, "no TLS session: {why}"),
            Self::Broken(why) => write!(f, "the connection broke: {why}"),
            Self::Unsendable(why) => write!(f, "the request could not be made: {why}"),
            Self::TooLarge(bytes, limit) => write!(f, "the body has {bytes} bytes, the dialect allows {limit}"),
            Self::Auth(why) => write!(f, "no access token: {why}"),
            Self::ShapeTooCostly(why) => f.write_str(why),
            Self::Nacked(why) if why.is_empty() => f.write_str("the consumer could not take it"),
            Self::Nacked(why) => write!(f, "the consumer could not take it: {why}"),
            Self::LeaseRanOut => f.write_str("the lease ran out: the consumer did not say in time what became of it"),
            Self::Acked => f.write_str("the consumer has taken it"),
        }
    }
}

/// An attempt in short: what lists show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptSummary {
    /// From 1.
    pub number: u16,
    /// When it started.
    pub started_at: UnixMs,
    /// How long it took, in milliseconds.
    pub duration_ms: u32,
    /// What came of it.
    pub outcome: Outcome,
}

impl AttemptSummary {
    /// When it ended: from here the next delay counts.
    pub fn ended_at(&self) -> UnixMs {
        self.started_at + u64::from(self.duration_ms)
    }
}

/// One HTTP request of a delivery, in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When, how long, what came of it.
    pub summary: AttemptSummary,
    /// Where it went.
    pub url: String,
    /// The headers that were sent.
    pub request_headers: SentHeaders,
    /// The start of the answer's body, at most [`RESPONSE_BODY_BYTES_MAX`].
    pub response_body: Vec<u8>,
    /// The request was sent once more, on a fresh connection, before anything of an answer had come: a kept one had been
    /// closed.
    pub resent: bool,
    /// What more there is to see of it.
    pub trace: Trace,
}

impl Attempt {
    /// One that could not be made, at `now`.
    pub fn not_made(number: u16, url: &str, now: UnixMs, why: impl Into<String>) -> Self {
        let outcome = Outcome::Unsendable(why.into()).cut();
        Self {
            summary: AttemptSummary { number, started_at: now, duration_ms: 0, outcome },
            url: url.to_string(),
            request_headers: SentHeaders::default(),
            response_body: Vec::new(),
            resent: false,
            trace: Trace::default(),
        }
    }
}

/// An attempt as it is stored: where it went and what was sent can hold what only the webhook's owner may know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedAttempt {
    /// When, how long, what came of it.
    pub summary: AttemptSummary,
    /// Where it went, the headers that were sent and what more there is to see, sealed with the webhook's own key; empty if it
    /// had none any more.
    #[serde(with = "serde_bytes")]
    pub request: Vec<u8>,
    /// The start of the answer's body.
    #[serde(with = "serde_bytes")]
    pub response_body: Vec<u8>,
    /// The request was sent once more, before anything of an answer had come.
    pub resent: bool,
}

/// How much of an answer is read and kept.
pub const RESPONSE_BODY_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::retry::Next;

    #[test]
    fn what_an_endpoint_says_of_itself_is_cut_between_characters() {
        let Outcome::Tls(text) = Outcome::Tls("ä".repeat(40_000)).cut() else { panic!("it stays what it is") };
        assert!(text.len() <= OUTCOME_TEXT_BYTES_MAX && text.len() > OUTCOME_TEXT_BYTES_MAX - 2);
        assert_eq!(Outcome::Dns("short".into()).cut(), Outcome::Dns("short".into()));
        assert_eq!(Outcome::Status(200).cut(), Outcome::Status(200));
        let Outcome::Nacked(text) = Outcome::Nacked("x".repeat(2_000)).cut() else { panic!("it stays what it is") };
        assert_eq!(text.len(), OUTCOME_TEXT_BYTES_MAX);
    }

    #[test]
    fn a_delivery_knows_when_it_was_first_tried_and_what_came_of_it_last() {
        let attempt = |number, started_at| SealedAttempt {
            summary: AttemptSummary { number, started_at, duration_ms: 5, outcome: Outcome::Status(500) },
            request: Vec::new(),
            response_body: Vec::new(),
            resent: false,
        };
        let event = EventId(1 << 80);
        let mut delivery = Delivery::fresh(event.delivery_to(1), event, Cause::Accept);
        assert_eq!((delivery.first_attempt_at(), delivery.latest_attempt()), (None, None));
        assert_eq!(delivery.take_attempt(attempt(1, 70), Next::RetryAt(100)), None, "the first is kept with it");
        assert_eq!(delivery.latest_attempt().map(|latest| latest.number), Some(1));
        assert_eq!(delivery.take_attempt(attempt(2, 100), Next::Dead), Some(attempt(2, 100)));
        assert_eq!((delivery.first_attempt_at(), delivery.ended_at), (Some(70), Some(105)));
        assert_eq!(delivery.latest_attempt().map(|latest| latest.number), Some(2));
    }

    #[test]
    fn what_is_not_sent_ends_as_what_it_is() {
        let event = EventId(1 << 80);
        let mut delivery = Delivery::fresh(event.delivery_to(1), event, Cause::Accept);
        let summary = AttemptSummary { number: 1, started_at: 70, duration_ms: 5, outcome: Outcome::TooLarge(12, 10) };
        let attempt = SealedAttempt { summary, request: Vec::new(), response_body: Vec::new(), resent: false };
        assert_eq!(delivery.take_attempt(attempt, Next::NotSent), None);
        assert_eq!((delivery.state, delivery.ended_at), (DeliveryState::Cancelled, Some(75)));
        let reason = "too_large: the body has 12 bytes, the dialect allows 10; it was not sent";
        assert_eq!(delivery.reason.as_deref(), Some(reason));
        let mut delivery = Delivery::fresh(event.delivery_to(1), event, Cause::Accept);
        let outcome = Outcome::ShapeTooCostly("it is too much".into());
        let summary = AttemptSummary { number: 1, started_at: 70, duration_ms: 5, outcome };
        let attempt = SealedAttempt { summary, request: Vec::new(), response_body: Vec::new(), resent: false };
        assert_eq!(delivery.take_attempt(attempt, Next::NotSent), None);
        assert_eq!((delivery.state, delivery.ended_at), (DeliveryState::Dead, Some(75)));
        let reason = "shape_too_costly: it is too much; it was not sent";
        assert_eq!(delivery.reason.as_deref(), Some(reason));
    }
}
