//! Forgets idempotency keys that are old enough.

use super::sweep::{Fate, Swept, sweep_rows};
use crate::store::error::StoreError;
use crate::store::layout::{Key, Tree};
use crate::store::message::IDEMPOTENCY_MS;
use crate::store::record::{self, Idempotent};
use crate::store::staging::Staging;

/// The idempotency keys.
pub struct OldKeys;

impl Swept for OldKeys {
    type Place = Key;

    fn some(&mut self, staging: &mut Staging<'_>, from: Key) -> Result<Option<Key>, StoreError> {
        sweep_rows(staging, Tree::Idempotency, from, |staging, key, value| {
            let stored: Idempotent = record::read_grown(Tree::Idempotency, key, value)?;
            let rewritten = staging.get(Tree::Idempotency, key)?.as_ref() != Some(value);
            let goes = !rewritten && staging.keeping() >= stored.at + IDEMPOTENCY_MS;
            Ok(if goes { Fate::Goes } else { Fate::Stays })
        })
    }
}
