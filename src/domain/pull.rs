//! Pulling: a consumer that cannot be reached asks for deliveries, is handed some, each with a lease, and says what became of
//! each. What stays true: a lease is an attempt that is out. It ends as an attempt does, and whoever holds it answers for the
//! endpoint; whoever lost it does not, though the attempt is the same that is handed out again.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;

use super::byte_budget::Charge;
use super::delivery::Outcome;
use super::id::{AttemptId, WebhookNumber};
use super::time::UnixMs;

/// Deliveries that one call may ask for.
pub const LIMIT_MAX: usize = 100;
/// Deliveries that are asked for where nobody says how many.
pub const LIMIT_DEFAULT: usize = 10;
/// How long a call may wait for something to come, in seconds.
pub const WAIT_SECONDS_MAX: u64 = 30;
/// How long it waits where nobody says.
pub const WAIT_SECONDS_DEFAULT: u64 = 20;
/// How long a lease may be, in seconds; it can be extended again and again.
pub const LEASE_SECONDS_MAX: u64 = 3600;
/// How long it is where nobody says.
pub const LEASE_SECONDS_DEFAULT: u64 = 30;
/// Bodies that are handed over at once, in bytes; one that is longer is handed over alone.
pub const HANDED_BYTES_MAX: usize = 1 << 20;
/// Why somebody could not take a delivery, in characters.
pub const REASON_CHARS_MAX: usize = 500;
/// The statuses with which who passes a delivery on acknowledges it.
pub const STATUSES_ACKED: RangeInclusive<u16> = 200..=299;
/// The statuses with which who passes a delivery on refuses it.
pub const STATUSES_NACKED: RangeInclusive<u16> = 300..=599;

/// What a consumer asks for.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// Deliveries of this webhook.
    pub webhook: WebhookNumber,
    /// So many at most.
    pub limit: usize,
    /// How long it waits where there is none; zero: it does not.
    pub wait: Duration,
    /// How long it has for each.
    pub lease: Duration,
}

/// The id of a lease: its attempt's, `_`, and eight digits that tell it from other leases of the same attempt, of which all but the
/// last are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseId {
    /// The attempt that is out.
    pub attempt: AttemptId,
    /// By chance, so that nobody has the same after a restart.
    pub mark: u32,
}

impl LeaseId {
    /// Reads what its `Display` writes, and any spelling of the delivery.
    pub fn parse(text: &str) -> Option<Self> {
        let (attempt, mark) = text.rsplit_once('_')?;
        let is_mark = mark.len() == 8 && mark.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mark = u32::from_str_radix(mark, 16).ok().filter(|_| is_mark)?;
        Some(Self { attempt: AttemptId::parse(attempt)?, mark })
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{:08x}", self.attempt, self.mark)
    }
}

/// A delivery that is handed over: what a request to an endpoint would have carried.
#[derive(Debug)]
pub struct Pulled {
    /// The lease.
    pub lease: LeaseId,
    /// The event: the own id of its producer where it gave one, else ours.
    pub event: String,
    /// Its type.
    pub event_type: String,
    /// When the lease runs out, by the wall clock.
    pub expires_at: UnixMs,
    /// All headers of the request but those of HTTP itself.
    pub headers: Vec<(String, String)>,
    /// The exact bytes of its body, which the headers may sign.
    pub body: Bytes,
    /// What it holds of the budget of bodies that are out, until it has left this server.
    pub charge: Charge,
}

/// What the holder of a lease says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It is done.
    Ack,
    /// It could not be done, perhaps for this reason.
    Nack(Option<String>),
    /// Who passed it on was answered with this status, which says whether it is done, and with this.
    Answered(u16, Option<String>),
    /// It takes longer: so long from now.
    Extend(Duration),
}

impl Word {
    /// What it makes of the attempt; `None`: it is not over.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Ack => Some(Outcome::Acked),
            Self::Nack(reason) => Some(Outcome::Nacked(reason.clone().unwrap_or_default())),
            Self::Answered(status, _) => Some(Outcome::Status(*status)),
            Self::Extend(_) => None,
        }
    }

    /// What stands in the attempt as the answer's body.
    pub fn answer(self) -> Option<String> {
        match self {
            Self::Answered(_, body) => body,
            Self::Ack | Self::Nack(_) | Self::Extend(_) => None,
        }
    }
}

/// Where a lease stands after something was said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leased {
    /// It was acknowledged, now or before, and that is recorded.
    Acked,
    /// It was refused, now or before, and that is recorded.
    Nacked,
    /// It goes on until then, by the wall clock.
    Until(UnixMs),
    /// It is none any more: it ran out, or the server was started anew, or its webhook was held or deleted.
    Lost,
    /// What was said is not recorded yet: the store is away. It can be said again.
    Unrecorded,
}

impl Leased {
    /// Where the lease of an attempt stands that is recorded with this outcome.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Acked => Self::Acked,
            Outcome::Nacked(_) => Self::Nacked,
            Outcome::Status(status) if STATUSES_ACKED.contains(status) => Self::Acked,
            Outcome::Status(_) => Self::Nacked,
            _ => Self::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::EventId;

    #[test]
    fn a_lease_is_read_as_it_was_written_and_nothing_else_is_one() {
        let attempt = AttemptId { delivery: EventId(1 << 80).delivery_to(7), number: 12 };
        let lease = LeaseId { attempt, mark: 0x0a1b };
        assert_eq!(LeaseId::parse(&lease.to_string()), Some(lease));
        for text in
            [attempt.to_string(), format!("{attempt}_a1b"), format!("{attempt}_+0000a1b"), format!("{attempt}_")]
        {
            assert_eq!(LeaseId::parse(&text), None, "{text}");
        }
    }

    #[test]
    fn what_is_said_of_a_lease_is_found_again_in_its_outcome() {
        let said = |word: Word| word.outcome().map(|outcome| Leased::of(&outcome));
        assert_eq!(said(Word::Ack), Some(Leased::Acked));
        assert_eq!(said(Word::Nack(Some("full".into()))), Some(Leased::Nacked));
        assert_eq!(said(Word::Answered(204, None)), Some(Leased::Acked));
        assert_eq!(said(Word::Answered(503, Some("busy".into()))), Some(Leased::Nacked));
        assert_eq!(said(Word::Extend(Duration::from_secs(1))), None);
        assert_eq!(Leased::of(&Outcome::LeaseRanOut), Leased::Lost);
    }
}
