//! Stored values: one byte of format version, then bincode. The golden test below pins the bytes: changing a stored
//! noun means a new version byte and a reader for the old one.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::damage::Damage;
use super::error::StoreError;
use super::layout::Tree;
use crate::domain::delivery::{Cause, Delivery};
use crate::domain::id::{DeliveryId, EventId, JobId, WebhookNumber};
use crate::domain::order::{OrderKeys, Place};
use crate::domain::time::UnixMs;

const RECORD_VERSION: u8 = 1;
/// No record takes more memory than this. A damaged length must not be believed: asking for so much would end the process.
const MEMORY_MAX: usize = 256 << 20;
/// Room for most records with their checksums: to grow a small one byte by byte would take longer than to encode it.
pub const USUAL_BYTES: usize = 512;
/// Fields that a record can lack, in bytes of zeros.
const GROWTH_BYTES_MAX: usize = 64;

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<MEMORY_MAX>()
}

/// Encodes a value.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    encode_onto(&mut bytes, value);
    bytes
}

/// Encodes a value behind what is there.
pub fn encode_onto<T: Serialize>(bytes: &mut Vec<u8>, value: &T) {
    bytes.push(RECORD_VERSION);
    push_part(bytes, value);
}

/// Encodes a part of a record behind what is there: the record's version comes before the first.
pub fn push_part<T: Serialize>(bytes: &mut Vec<u8>, part: &T) {
    bincode::serde::encode_into_std_write(part, bytes, config()).expect("writing to memory cannot fail");
}

/// Takes a part of a record off its front; an error says what is wrong with the bytes.
pub fn take_part<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, String> {
    let (part, taken) = bincode::serde::decode_from_slice(bytes, config())
        .map_err(|error| format!("{}: {error}", std::any::type_name::<T>()))?;
    *bytes = &bytes[taken..];
    Ok(part)
}

/// The value at a key; an unknown version or damaged bytes are an error that names the place.
pub fn read<T: DeserializeOwned>(tree: Tree, key: &[u8], bytes: &[u8]) -> Result<T, StoreError> {
    Ok(decode(bytes).map_err(|why| Damage::at(tree, key, why))?)
}

/// As [`read`], for a noun that grows at its end.
pub fn read_grown<T: DeserializeOwned>(tree: Tree, key: &[u8], bytes: &[u8]) -> Result<T, StoreError> {
    Ok(decode_grown(bytes).map_err(|why| Damage::at(tree, key, why))?)
}

/// Decodes a value; an error says what is wrong with the bytes.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let damaged = |why: String| format!("{}: {why}", std::any::type_name::<T>());
    match bytes.split_first() {
        Some((&RECORD_VERSION, rest)) => {
            let (value, _) =
                bincode::serde::decode_from_slice(rest, config()).map_err(|error| damaged(error.to_string()))?;
            Ok(value)
        }
        Some((version, _)) => Err(damaged(format!("record version {version} is not known"))),
        None => Err(damaged("the record is empty".into())),
    }
}

/// As [`decode`], for a noun that grows at its end: what an older record lacks reads as zeros, which are `None`,
/// `false`, 0, an empty text or list, or the first of several.
pub fn decode_grown<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    decode(&[bytes, &[0; GROWTH_BYTES_MAX]].concat())
}

/// What `fresh` keeps of a delivery; the rest follows from its key. An accept costs four bytes here.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fresh {
    cause: Cause,
    /// Only where it does not follow from the delivery's id.
    event: Option<EventId>,
    place: Option<Place>,
}

impl Fresh {
    /// What to keep.
    pub fn of(delivery: &Delivery) -> Self {
        let follows = delivery.event == delivery.id.event_at_accept();
        Self { cause: delivery.cause, event: (!follows).then_some(delivery.event), place: delivery.place }
    }

    /// Whether it says nothing that the event does not: accept has made it, and it has no place in an order.
    pub fn follows_from_event(&self) -> bool {
        self.cause == Cause::Accept && self.event.is_none() && self.place.is_none()
    }

    /// The delivery again.
    pub fn into_delivery(self, id: DeliveryId) -> Delivery {
        let event = self.event.unwrap_or(id.event_at_accept());
        Delivery { place: self.place, ..Delivery::fresh(id, event, self.cause) }
    }
}

/// What was made with an `Idempotency-Key`. It grows at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotent {
    /// When; it is forgotten after 24 hours.
    pub at: UnixMs,
    /// A hash of the request's body.
    pub fingerprint: [u8; 32],
    /// The events, in the order of the request.
    pub events: Vec<EventId>,
    /// The job, where the request made one.
    pub job: Option<JobId>,
}

/// What was written ahead of an event: in `chunks`, piece by piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// How many pieces of it there are.
    pub pieces: u16,
    /// Whose it is.
    pub owner: Owner,
}

/// Whose body it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// Nobody's yet: it is being written, or its event is on its way.
    Nobody,
    /// This event's.
    Event(EventId),
    /// Nobody's any more: no event may have it, since its pieces go.
    GivenUp,
}

/// Deliveries of an event that are still to be made. To whom, the event tells: from the webhook on that the key names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// How many.
    pub count: u32,
    /// The webhooks among them whose delivery is dead from the start, since their filter is too costly; ascending.
    pub too_costly: Vec<WebhookNumber>,
    /// What the event says at the paths of its account's order keys.
    pub order_keys: OrderKeys,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::{AttemptSummary, Outcome, SealedAttempt};
    use crate::domain::retry::Next;

    const DELIVERY: &str = "01fe030000002301ef8dbc7a1a7c6e5b9301fe000000002301ef8dbc7a1a7c6e5b9301000200010101050200c801750101000001070000";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn stored_bytes_stay_as_they_are() {
        let event = EventId(0x0193_5b6e_7c1a_7abc_8def_0123_0000_0000);
        let mut delivery = Delivery::fresh(event.delivery_to(3), event, Cause::Accept);
        assert_eq!(hex(&encode(&Fresh::of(&delivery))), "01000000");
        let summary = AttemptSummary { number: 1, started_at: 5, duration_ms: 2, outcome: Outcome::Status(200) };
        let attempt = SealedAttempt { summary, request: vec![b'u'], response_body: vec![1], resent: false };
        delivery.take_attempt(attempt, Next::Succeeded);
        assert_eq!(hex(&encode(&delivery)), DELIVERY);
        assert_eq!(decode::<Delivery>(&encode(&delivery)).unwrap(), delivery);

        let owners = [Owner::Nobody, Owner::Event(EventId(7)), Owner::GivenUp];
        let bodies = owners.map(|owner| hex(&encode(&Body { pieces: 5, owner })));
        assert_eq!(bodies, ["010500", "01050107", "010502"]);
    }

    #[test]
    fn what_a_shorter_record_lacks_reads_as_zeros() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Grown(String, Option<u64>, bool, Vec<u8>, Choice);
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        enum Choice {
            First,
            Second,
        }
        let old = encode(&"a");
        assert!(decode::<Grown>(&old).is_err());
        let read = decode_grown::<Grown>(&old).unwrap();
        assert_eq!(read, Grown("a".into(), None, false, Vec::new(), Choice::First));
        let whole = Grown("a".into(), Some(3), true, vec![1], Choice::Second);
        assert_eq!(decode_grown::<Grown>(&encode(&whole)).unwrap(), whole);
    }

    #[test]
    fn a_length_that_cannot_be_is_damage_and_not_the_end() {
        for length in [[0xff; 8], [0x7f; 8]] {
            let bytes = [&[RECORD_VERSION, 0xfd], &length[..]].concat();
            assert!(decode::<String>(&bytes).is_err());
            assert!(decode::<Vec<u64>>(&bytes).is_err());
            assert!(decode::<serde_bytes::ByteBuf>(&bytes).is_err());
        }
    }

    #[test]
    fn an_unknown_version_is_refused() {
        assert!(decode::<Fresh>(&[9, 0, 0]).is_err());
        assert!(decode::<Fresh>(&[]).is_err());
    }
}
