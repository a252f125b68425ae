//! Ids. Every id is 128 bits, laid out as a UUID of version 7 (RFC 9562): 48 bits of milliseconds, then a 42-bit
//! counter, then 32 bits that name a webhook. What stays true:
//!
//! - Ids are given by one [`IdSource`] and only ever grow, even if the clock goes back; so id order is accept order.
//! - An event's low 32 bits are zero. The delivery of that event to webhook `w` has the same upper 96 bits and `w`
//!   below, so an event's delivery ids follow from the webhooks' numbers, and a delivery's key in the store follows
//!   from its id alone.

use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

use super::time::UnixMs;

/// The number of a webhook in the store, from 1; never used again after the webhook is deleted.
pub type WebhookNumber = u32;
/// The number of an account in the store, from 1; account `default` is 1.
pub type AccountNumber = u32;

const COUNTER_BITS: u32 = 42;
/// A millisecond's counter starts at random below half of its range, so that ids cannot be guessed (RFC 9562, 6.2).
const COUNTER_START_BITS: u32 = COUNTER_BITS - 1;

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident by $parse:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u128);

        impl $name {
            /// The key bytes: big-endian, so that byte order is time order.
            pub fn to_bytes(self) -> [u8; 16] { self.0.to_be_bytes() }
            /// The id whose key bytes these are.
            pub fn from_bytes(bytes: [u8; 16]) -> Self { Self(u128::from_be_bytes(bytes)) }
            /// When it was given, to the millisecond.
            pub fn time(self) -> UnixMs { (self.0 >> 80) as u64 }
            /// Reads any spelling: a UUID with or without hyphens, behind any prefix that ends in `_`; of a delivery also
            /// that of one of its attempts.
            pub fn parse(text: &str) -> Option<Self> { $parse(text).map(Self) }
            /// The id as a hyphenated UUID.
            pub fn uuid(self) -> Uuid { Uuid::from_u128(self.0) }
        }

        impl From<$name> for u128 {
            fn from(id: $name) -> u128 { id.0 }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.uuid().fmt(f) }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.uuid().fmt(f) }
        }
    };
}

id_type!(
    /// The id of an event.
    EventId by parse
);
id_type!(
    /// The id of an event's body that is written ahead of the event, which gets its own id only then.
    BodyId by parse
);
id_type!(
    /// The id of a delivery; stable over its attempts, what receivers deduplicate on.
    DeliveryId by parse_of_attempt
);
id_type!(
    /// The id of a webhook; its low 32 bits are the webhook's number.
    WebhookId by parse
);
id_type!(
    /// The id of an API key (not the key itself).
    KeyId by parse
);
id_type!(
    /// The id of a bulk job.
    JobId by parse
);
id_type!(
    /// The id of an entry of the audit log.
    AuditId by parse
);
id_type!(
    /// The id of an event type of an account's own: lists go by it, and nobody is told it.
    EventTypeId by parse
);

id_type!(
    /// The id of a user; its low 32 bits are the number of the user's account.
    UserId by parse
);
id_type!(
    /// The id of a session (not what its cookie holds).
    SessionId by parse
);
id_type!(
    /// The id of a link that is used once (not what the link holds).
    TicketId by parse
);

/// No id that is given at `ms` or later is smaller.
pub fn first_id_at(ms: UnixMs) -> u128 {
    u128::from(ms) << 80
}

impl EventId {
    /// The id of this event's own delivery to the webhook `number`.
    pub fn delivery_to(self, number: WebhookNumber) -> DeliveryId {
        DeliveryId(with_number(self.0, number))
    }
}

impl DeliveryId {
    /// The number of the webhook that it goes to.
    pub fn webhook(self) -> WebhookNumber {
        self.0 as u32
    }
    /// Lower than every id of that time and webhook, and not given to any.
    pub fn first_at(time: UnixMs, webhook: WebhookNumber) -> Self {
        Self(with_number(first_id_at(time), webhook))
    }
    /// The event id it was made with. Only right for a delivery made at accept: a replay has upper bits of its own.
    pub fn event_at_accept(self) -> EventId {
        EventId(with_number(self.0, 0))
    }
}

impl UserId {
    /// The number of the account that the user belongs to.
    pub fn account(self) -> AccountNumber {
        self.0 as u32
    }
}

impl WebhookId {
    /// The webhook's number in the store.
    pub fn number(self) -> WebhookNumber {
        self.0 as u32
    }
}

fn with_number(id: u128, number: u32) -> u128 {
    (id & !0xffff_ffff) | u128::from(number)
}

fn parse(text: &str) -> Option<u128> {
    let body = text.rsplit_once('_').map_or(text, |(_, body)| body);
    match body.len() {
        32 | 36 => Uuid::try_parse(body).ok().map(|uuid| uuid.as_u128()),
        _ => None,
    }
}

/// As [`parse`], or what [`AttemptId`] spells.
fn parse_of_attempt(text: &str) -> Option<u128> {
    parse(text).or_else(|| AttemptId::split(text).and_then(|(delivery, _)| parse(delivery)))
}

/// The id of one attempt: its delivery's, `_`, and its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptId {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// From 1.
    pub number: u16,
}

impl AttemptId {
    /// Reads what its `Display` writes, and any spelling of the delivery.
    pub fn parse(text: &str) -> Option<Self> {
        let (delivery, number) = Self::split(text)?;
        Some(Self { delivery: DeliveryId(parse(delivery)?), number })
    }

    fn split(text: &str) -> Option<(&str, u16)> {
        let (delivery, number) = text.rsplit_once('_')?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
        number.parse().ok().filter(|_| is_number).map(|number| (delivery, number))
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.delivery, self.number)
    }
}

/// How a face spells an id: a prefix, then the UUID with hyphens, or as 32 hexadecimal digits where there is a prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdForm {
    /// For example `wh_`; empty for a plain UUID.
    pub prefix: String,
}

impl IdForm {
    /// Spells `uuid` in this form.
    pub fn spell(&self, uuid: Uuid) -> String {
        if self.prefix.is_empty() { uuid.to_string() } else { format!("{}{}", self.prefix, uuid.simple()) }
    }

    /// Spells the id of an attempt, of a delivery in this form.
    pub fn spell_attempt(&self, id: AttemptId) -> String {
        format!("{}_{}", self.spell(id.delivery.uuid()), id.number)
    }
}

/// Gives the upper 96 bits of ids, each greater than all before.
#[derive(Debug)]
pub struct IdSource {
    ms: UnixMs,
    counter: u64,
}

impl IdSource {
    /// Starts after `last`, the greatest id ever given (0 when there is none).
    pub fn after(last: u128) -> Self {
        let ms = (last >> 80) as u64;
        let counter = (((last >> 64) & 0xfff) as u64) << 30 | ((last >> 32) & 0x3fff_ffff) as u64;
        Self { ms, counter }
    }

    /// The greatest id given so far, without its number.
    pub fn last(&self) -> u128 {
        Self::compose(self.ms, self.counter)
    }

    /// The next id with `number` in its low bits. `dice` is asked for random bits once a millisecond.
    pub fn next(&mut self, now: UnixMs, number: u32, dice: impl FnOnce() -> u64) -> u128 {
        if now > self.ms {
            self.ms = now;
            self.counter = dice() & ((1 << COUNTER_START_BITS) - 1);
        } else {
            self.counter += 1;
            if self.counter >> COUNTER_BITS != 0 {
                // Two trillion ids in one millisecond: borrow the next one rather than go back.
                self.ms += 1;
                self.counter = 0;
            }
        }
        Self::compose(self.ms, self.counter) | u128::from(number)
    }

    fn compose(ms: UnixMs, counter: u64) -> u128 {
        let high = u128::from(ms) << 80 | 7 << 76 | u128::from(counter >> 30) << 64;
        high | 0b10 << 62 | u128::from(counter & 0x3fff_ffff) << 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_even_when_the_clock_goes_back() {
        let mut source = IdSource::after(0);
        let mut last = 0;
        for now in [5, 5, 9, 3, 3, 10, 10] {
            let id = source.next(now, 7, || u64::MAX);
            assert!(id > last);
            assert_eq!(id as u32, 7);
            last = id;
        }
        let mut restarted = IdSource::after(last);
        assert!(restarted.next(1, 0, || 0) > last, "a restart goes on after the last id");
    }

    #[test]
    fn ids_of_a_new_millisecond_begin_at_random() {
        let random = 0x123_4567_89ab;
        let first = |dice: u64| IdSource::after(0).next(5, 0, || dice);
        let counter = |id: u128| ((id >> 64 & 0xfff) as u64) << 30 | (id >> 32 & 0x3fff_ffff) as u64;
        assert_eq!(counter(first(random)), random);
        assert_eq!(counter(first(u64::MAX)), (1 << COUNTER_START_BITS) - 1, "with room for as many more");
        let mut source = IdSource::after(first(random));
        assert_eq!(counter(source.next(5, 0, || 0)), random + 1);
        assert_eq!(counter(source.next(6, 0, || 77)), 77);
    }

    #[test]
    fn a_millisecond_that_is_used_up_borrows_from_the_next() {
        let mut source = IdSource { ms: 5, counter: (1 << COUNTER_BITS) - 1 };
        let id = source.next(5, 0, || 0);
        assert_eq!((EventId(id).time(), source.counter), (6, 0));
    }

    #[test]
    fn a_delivery_carries_its_event_and_its_webhook() {
        let event = EventId(IdSource::after(0).next(1_700_000_000_000, 0, || 12_345));
        let delivery = event.delivery_to(42);
        assert_eq!((delivery.webhook(), delivery.event_at_accept()), (42, event));
        assert_eq!((event.uuid().get_version_num(), event.uuid().get_variant()), (7, uuid::Variant::RFC4122));
        assert_eq!(event.time(), 1_700_000_000_000);
    }

    #[test]
    fn every_spelling_is_understood() {
        let id = DeliveryId(IdSource::after(0).next(1_700_000_000_000, 3, || 99));
        let spelled = IdForm { prefix: "del_".into() }.spell(id.uuid());
        for text in [id.to_string(), spelled, format!("delivery_{}", id)] {
            assert_eq!(DeliveryId::parse(&text), Some(id), "{text}");
        }
        assert_eq!(DeliveryId::parse("abc"), None);
    }

    #[test]
    fn an_attempts_id_leads_to_its_delivery_and_is_no_other_id() {
        let delivery = DeliveryId(IdSource::after(0).next(1_700_000_000_000, 3, || 99));
        let attempt = AttemptId { delivery, number: 12 };
        for text in [attempt.to_string(), IdForm { prefix: "del_".into() }.spell_attempt(attempt)] {
            assert_eq!((DeliveryId::parse(&text), AttemptId::parse(&text)), (Some(delivery), Some(attempt)), "{text}");
            assert_eq!(EventId::parse(&text), None, "{text}");
        }
        for text in
            [delivery.to_string(), format!("{delivery}_"), format!("{delivery}_+1"), format!("{delivery}_65536")]
        {
            assert_eq!(AttemptId::parse(&text), None, "{text}");
        }
    }
}
