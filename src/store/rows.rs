//! Rows as nouns: what lies at a key, put together and decoded, whether it is read from the trees or from a group in the
//! making.

use serde::Deserialize;
use sled::IVec;

use super::error::StoreError;
use super::layout::{self, OPEN, Tree};
use super::record::{self, Fresh};
use super::trees::Trees;
use crate::domain::delivery::Delivery;
use crate::domain::event::Event;
use crate::domain::id::{AccountNumber, DeliveryId, EventId, WebhookNumber};
use crate::domain::stats::{AccountTally, Counts};
use crate::domain::tally::Tally;
use crate::domain::time::UnixMs;

/// The first fields of an [`Event`], in its order: they lie in the first piece of its record, however long the data is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EventHead {
    /// Given by the commit thread.
    pub id: EventId,
    /// Whose it is.
    pub account: AccountNumber,
    /// The producer's own id.
    pub name: Option<String>,
    /// For example `task.created`.
    pub event_type: String,
    /// When it happened.
    pub created_at: UnixMs,
    /// Made by a webhook's `test` call.
    pub test: bool,
    /// The webhooks that wanted it at accept.
    pub webhooks: Vec<WebhookNumber>,
}

impl EventHead {
    /// The id that the API shows.
    pub fn public_id(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.id.to_string())
    }
}

/// Reads a key.
pub(super) type Get<'a> = &'a dyn Fn(Tree, &[u8]) -> Result<Option<IVec>, StoreError>;

/// The event at `(account, id)`, put together from its pieces.
pub(super) fn event_by(get: Get<'_>, account: AccountNumber, id: EventId) -> Result<Option<Event>, StoreError> {
    let key = layout::event(account, id);
    match get(Tree::Events, &key)? {
        Some(head) => whole_event(get, &key, &head).map(Some),
        None => Ok(None),
    }
}

fn whole_event(get: Get<'_>, key: &[u8], head: &[u8]) -> Result<Event, StoreError> {
    match head.split_at(2) {
        ([0, 0], whole) => record::decode(whole),
        _ => record::decode(&whole_record(get, key, head)?),
    }
}

/// A record that goes on in `chunks`.
fn whole_record(get: Get<'_>, key: &[u8], head: &[u8]) -> Result<Vec<u8>, StoreError> {
    let (count, first) = head.split_at(2);
    let count = u16::from_be_bytes([count[0], count[1]]);
    let mut bytes = Vec::with_capacity(layout::VALUE_BYTES_MAX * (usize::from(count) + 1));
    bytes.extend_from_slice(first);
    for n in 0..count {
        let piece = get(Tree::Chunks, &layout::chunk(key, n))?;
        bytes
            .extend_from_slice(&piece.ok_or_else(|| StoreError::Damaged(format!("piece {n} of an event is missing")))?);
    }
    Ok(bytes)
}

pub(super) fn event_head(trees: &Trees, key: &[u8], head: &[u8]) -> Result<EventHead, StoreError> {
    let (count, first) = head.split_at(2);
    match record::decode(first) {
        // Thousands of webhooks may fill the first piece by themselves.
        Err(_) if count != [0, 0] => record::decode(&whole_record(&|tree, key| trees.get(tree, key), key, head)?),
        decoded => decoded,
    }
}

/// The trees through which a delivery moves, in that order; few begin in the first.
pub(super) const WAY: [Tree; 4] = [Tree::Blocked, Tree::Fresh, Tree::Waiting, Tree::Closed];

/// The delivery of this id. It only moves forward, so looking along its way finds it even while it moves. Few are ever
/// blocked, so that is looked at last, and then the way once more.
pub(super) fn delivery_by(get: Get<'_>, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
    let key = layout::delivery(id);
    for tree in WAY[1..].iter().chain(&WAY) {
        if let Some(bytes) = get(*tree, &key)? {
            return delivery_row(*tree, &key, &bytes).map(Some);
        }
    }
    Ok(None)
}

/// The greatest id given, and the bytes of all events that are kept.
pub(super) fn last_id_and_event_bytes(trees: &Trees) -> Result<(u128, u64), StoreError> {
    let Some(stored) = trees.get(Tree::Meta, layout::META_LAST_ID)? else { return Ok((0, 0)) };
    let parts = stored.split_first_chunk::<16>().and_then(|(id, bytes)| Some((*id, <[u8; 8]>::try_from(bytes).ok()?)));
    let (id, bytes) = parts.ok_or_else(|| StoreError::Damaged("the greatest id".into()))?;
    Ok((u128::from_be_bytes(id), u64::from_be_bytes(bytes)))
}

/// A webhook's counters.
pub(super) fn tally(trees: &Trees, webhook: WebhookNumber) -> Result<Tally, StoreError> {
    let stored = trees.get(Tree::Tallies, &layout::number(webhook))?;
    stored.map_or(Ok(Tally::default()), |bytes| record::decode_grown(&bytes))
}

pub(super) fn delivery_row(tree: Tree, key: &[u8], value: &[u8]) -> Result<Delivery, StoreError> {
    match tree {
        Tree::Blocked | Tree::Fresh => Ok(record::decode::<Fresh>(value)?.into_delivery(layout::read_delivery(key))),
        _ => record::decode(value),
    }
}

/// Bytes that are kept of what retention can take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Events, their pieces included.
    pub events: u64,
    /// Ended deliveries and their attempts.
    pub deliveries: u64,
}

impl Kept {
    /// All of it.
    pub fn total(self) -> u64 {
        self.events + self.deliveries
    }
}

/// What is kept, read anew.
pub(super) fn kept(trees: &Trees) -> Result<Kept, StoreError> {
    let (_, events) = last_id_and_event_bytes(trees)?;
    let mut deliveries = 0;
    for row in trees.all(Tree::Tallies) {
        deliveries += record::decode_grown::<Tally>(&row?.1)?.bytes;
    }
    Ok(Kept { events, deliveries })
}

/// A row of the statistics. One that cannot be read counts as nothing: failing the group would fail every group from now on.
pub(super) fn counts(stored: &[u8]) -> Counts {
    record::decode_grown(stored).unwrap_or_else(|error| {
        tracing::error!(%error, "a row of the statistics starts again from zero");
        Counts::default()
    })
}

/// An account's counters.
pub(super) fn account_tally(trees: &Trees, account: AccountNumber) -> Result<AccountTally, StoreError> {
    let stored = trees.get(Tree::AccountTallies, &layout::number(account))?;
    stored.map_or(Ok(AccountTally::default()), |bytes| record::decode_grown(&bytes))
}

/// When the oldest open delivery of the webhook was made.
pub(super) fn oldest_open(trees: &Trees, webhook: WebhookNumber) -> Result<Option<UnixMs>, StoreError> {
    let mut oldest = None;
    for tree in OPEN {
        if let Some(row) = trees.prefix(tree, &layout::number(webhook)).next() {
            let made_at = layout::read_delivery(&row?.0).time();
            oldest = Some(oldest.map_or(made_at, |oldest: UnixMs| oldest.min(made_at)));
        }
    }
    Ok(oldest)
}
