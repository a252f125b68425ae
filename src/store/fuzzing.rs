//! What random bytes are thrown at from outside: the reader of every stored noun. Not for use.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::damage::Damage;
use super::event_rows;
use super::layout::Tree;
use super::record::{Fresh, Idempotent, decode_grown, encode};
use crate::domain::account::{Account, ApiKey};
use crate::domain::delivery::{Delivery, SealedAttempt};
use crate::domain::job::Job;
use crate::domain::quiet::Quiet;
use crate::domain::stats::{AccountTally, Counts};
use crate::domain::tally::Tally;
use crate::domain::webhook::Webhook;

/// Reads and writes one kind of record: its bytes as they are written again.
type Again = fn(&[u8]) -> Result<Vec<u8>, String>;

/// Some damage.
pub fn damage() -> Damage {
    Damage::at(Tree::Closed, b"key", "/secret")
}

/// Every stored noun.
const NOUNS: [Again; 12] = [
    again::<Account>,
    again::<ApiKey>,
    again::<SealedAttempt>,
    again::<AccountTally>,
    again::<Counts>,
    again::<Delivery>,
    event_rows::again,
    again::<Fresh>,
    again::<Idempotent>,
    again::<Job>,
    again::<Webhook>,
    again::<Quiet>,
];

fn again<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<Vec<u8>, String> {
    decode_grown::<T>(bytes).map(|value| encode(&value))
}

/// Reads `bytes` as the `n`-th noun; one that can be read gives the bytes it is written as.
pub fn record(n: u8, bytes: &[u8]) -> Result<Vec<u8>, String> {
    // A tally is not compared again: it reads more than it writes.
    let _ = decode_grown::<Tally>(bytes);
    NOUNS[usize::from(n) % NOUNS.len()](bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_noun_is_read_by_its_number_round_and_round() {
        let written = encode(&Idempotent { at: 5, fingerprint: [7; 32], events: Vec::new(), job: None });
        let nouns = NOUNS.len() as u8;
        for n in [8, 8 + nouns] {
            assert_eq!(record(n, &written), Ok(written.clone()));
            assert!(record(n, &[]).is_err());
        }
        assert_ne!(record(0, &written), Ok(written));
    }
}
