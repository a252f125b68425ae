//! What happened: an event was accepted, an attempt was recorded, a delivery died. Whoever watches is told of these, one by one
//! and in the order in which they were committed.

use serde::{Deserialize, Serialize};

use super::delivery::DeliveryState;
use super::id::{AccountNumber, DeliveryId, EventId};
use super::time::UnixMs;
use super::words::words;

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// Whose it is.
    pub account: AccountNumber,
    /// What it was.
    pub what: What,
}

/// What happened. What more there is to say of it lies with the event and the delivery; here stands what they do not tell later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// An event was accepted.
    Event(EventId),
    /// An attempt was recorded.
    Attempt {
        /// Of this delivery.
        delivery: DeliveryId,
        /// Which one, from 1.
        number: u16,
        /// Where the delivery stood after it.
        state: DeliveryState,
        /// When its next attempt was due then.
        next_attempt_at: Option<UnixMs>,
    },
    /// A delivery used up its retries, or could not be sent at all.
    Dead(DeliveryId),
}

words!(What {
    Self::Event(_) => "event",
    Self::Attempt { .. } => "attempt",
    Self::Dead(_) => "dead",
});
