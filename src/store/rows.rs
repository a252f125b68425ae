//! Rows as nouns: what lies at a key, put together and decoded, whether it is read from the trees or from a group in the
//! making.

use serde::Deserialize;
use sled::IVec;

use super::damage::Damage;
use super::error::StoreError;
use super::layout::{self, OPEN, Tree};
use super::record::{self, Fresh, Part};
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

pub(super) fn whole_event(get: Get<'_>, key: &[u8], head: &[u8]) -> Result<Event, StoreError> {
    match count_of_pieces(key, head)? {
        (0, whole) => record::read(Tree::Events, key, whole),
        _ => record::read(Tree::Events, key, &whole_record(get, key, head)?),
    }
}

/// A record that goes on in `chunks`.
fn whole_record(get: Get<'_>, key: &[u8], head: &[u8]) -> Result<Vec<u8>, StoreError> {
    let (count, first) = count_of_pieces(key, head)?;
    let mut bytes = Vec::with_capacity(layout::VALUE_BYTES_MAX * (usize::from(count) + 1));
    bytes.extend_from_slice(first);
    for n in 0..count {
        let piece = get(Tree::Chunks, &layout::chunk(key, n))?;
        let missing = || Damage::at(Tree::Events, key, format!("its piece {n} is missing"));
        bytes.extend_from_slice(&piece.ok_or_else(missing)?);
    }
    Ok(bytes)
}

/// The bytes of an event's record, which begins with `head`; up to a piece more.
pub(super) fn event_bytes(key: &[u8], head: &[u8]) -> Result<usize, StoreError> {
    let (count, first) = count_of_pieces(key, head)?;
    Ok(first.len() + usize::from(count) * layout::VALUE_BYTES_MAX)
}

/// The event in a row of `names`.
pub(super) fn read_name(key: &[u8], value: &[u8]) -> Result<EventId, StoreError> {
    let id = value.try_into().map_err(|_| Damage::at(Tree::Names, key, "it is no id"))?;
    Ok(EventId::from_bytes(id))
}

/// How many pieces follow the first, and the first.
fn count_of_pieces<'a>(key: &[u8], head: &'a [u8]) -> Result<(u16, &'a [u8]), Damage> {
    let parts = head.split_first_chunk().map(|(count, first)| (u16::from_be_bytes(*count), first));
    parts.ok_or_else(|| Damage::at(Tree::Events, key, "it is too short"))
}

/// Whether a row of `chunks` is a piece of an event that is there; what the event's own row says need not be readable else.
pub(super) fn is_piece(trees: &Trees, key: &[u8]) -> Result<bool, StoreError> {
    let Some((event, n)) = key.split_last_chunk::<2>() else { return Ok(false) };
    let head = match trees.get(Tree::Events, event) {
        Ok(head) => head,
        // It goes as a whole, its pieces included.
        Err(StoreError::Damaged(_)) => return Ok(true),
        Err(error) => return Err(error),
    };
    Ok(head.is_some_and(|head| count_of_pieces(event, &head).is_ok_and(|(count, _)| u16::from_be_bytes(*n) < count)))
}

/// What is wrong with a row of `due` that leads nowhere.
pub(super) const NOT_WAITED_FOR: &str = "no delivery waits for it";

/// Whether there is the delivery that a row of `due` leads to, readable or not.
pub(super) fn is_waited_for(trees: &Trees, due: &[u8]) -> Result<bool, StoreError> {
    Ok(trees.get_stored(Tree::Waiting, &layout::delivery(layout::read_delivery(due)))?.is_some())
}

pub(super) fn event_head(trees: &Trees, key: &[u8], head: &[u8]) -> Result<EventHead, StoreError> {
    event_head_by(&|tree, key| trees.get(tree, key), key, head)
}

pub(super) fn event_head_by(get: Get<'_>, key: &[u8], head: &[u8]) -> Result<EventHead, StoreError> {
    let (count, first) = count_of_pieces(key, head)?;
    match record::read(Tree::Events, key, first) {
        // Thousands of webhooks may fill the first piece by themselves.
        Err(_) if count > 0 => record::read(Tree::Events, key, &whole_record(get, key, head)?),
        read => read,
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

/// The greatest id given, and the bytes of all events that are kept. If their row cannot be read, they are what is there.
pub(super) fn last_id_and_event_bytes(trees: &Trees) -> Result<(u128, u64), StoreError> {
    let stored = trees
        .get(Tree::Meta, layout::META_LAST_ID)
        .and_then(|stored| stored.map_or(Ok((0, 0)), |stored| last(&stored)));
    trees.readable(stored)?.map_or_else(|| recount(trees), Ok)
}

pub(super) fn last(stored: &[u8]) -> Result<(u128, u64), StoreError> {
    // What comes behind is the ledger of the groups.
    let parts = stored.split_first_chunk::<16>().and_then(|(id, rest)| Some((*id, *rest.first_chunk::<8>()?)));
    let (id, bytes) = parts.ok_or_else(|| Damage::at(Tree::Meta, layout::META_LAST_ID, "it is no id and count"))?;
    Ok((u128::from_be_bytes(id), u64::from_be_bytes(bytes)))
}

fn recount(trees: &Trees) -> Result<(u128, u64), StoreError> {
    tracing::warn!("the greatest id cannot be read; looking for it in all that is there, which may take a while");
    let (mut greatest, mut event_bytes) = (0, 0);
    for tree in [Tree::Events, Tree::Blocked, Tree::Fresh, Tree::Waiting, Tree::Closed, Tree::Audit, Tree::Jobs] {
        for key in trees.all(tree).keys() {
            greatest = greatest.max(layout::read_id(&key?));
        }
    }
    for tree in [Tree::Events, Tree::Chunks] {
        for row in trees.all(tree) {
            event_bytes += trees.readable(row)?.map_or(0, |(key, value)| (key.len() + value.len()) as u64);
        }
    }
    Ok((greatest, event_bytes))
}

/// The greatest number that any key of these trees begins with, whatever has become of its own record.
pub(super) fn greatest_number(trees: &Trees, counter: &[u8]) -> Result<u32, StoreError> {
    use Tree::{
        AccountTallies, Accounts, Audit, Blocked, Closed, Dead, Events, Fresh, Names, Tallies, Waiting, Webhooks,
    };
    let (own, of) = match counter {
        layout::META_LAST_WEBHOOK => (Webhooks, [Webhooks, Tallies, Fresh, Waiting, Blocked, Closed]),
        _ => (Accounts, [Accounts, AccountTallies, Events, Names, Dead, Audit]),
    };
    let mut greatest = 0;
    for tree in of {
        let last = trees.all(tree).keys().next_back().transpose()?;
        greatest = greatest.max(last.map_or(0, |key| layout::read_number(&key)));
    }
    let prefix = layout::quarantined(own, &[]);
    let last = trees.prefix(Tree::Quarantine, &prefix).keys().next_back().transpose()?;
    Ok(greatest.max(last.map_or(0, |key| layout::read_number(&key[prefix.len()..]))))
}

/// A webhook's counters.
pub(super) fn tally(trees: &Trees, webhook: WebhookNumber) -> Result<Tally, StoreError> {
    let stored = trees.get(Tree::Tallies, &layout::number(webhook))?;
    stored.map_or(Ok(Tally::default()), |bytes| record::read_grown(Tree::Tallies, &layout::number(webhook), &bytes))
}

pub(super) fn delivery_row(tree: Tree, key: &[u8], value: &[u8]) -> Result<Delivery, StoreError> {
    match tree {
        Tree::Blocked | Tree::Fresh => {
            Ok(record::read::<Fresh>(tree, key, value)?.into_delivery(layout::read_delivery(key)))
        }
        _ => record::read(tree, key, value),
    }
}

/// Deliveries that are to come.
pub(super) fn part(key: &[u8], stored: &[u8]) -> Result<Part, StoreError> {
    record::read(Tree::FanOut, key, stored)
}

/// A row of the statistics.
pub(super) fn counts(key: &[u8], stored: &[u8]) -> Result<Counts, StoreError> {
    record::read_grown(Tree::Stats, key, stored)
}

/// An account's counters.
pub(super) fn account_tally(trees: &Trees, account: AccountNumber) -> Result<AccountTally, StoreError> {
    let stored = trees.get(Tree::AccountTallies, &layout::number(account))?;
    stored.map_or(Ok(AccountTally::default()), |bytes| read_account_tally(&layout::number(account), &bytes))
}

/// The counters in a row of `account_tallies`.
pub(super) fn read_account_tally(key: &[u8], value: &[u8]) -> Result<AccountTally, StoreError> {
    record::read_grown(Tree::AccountTallies, key, value)
}

/// When the oldest open delivery of the webhook was made.
pub(super) fn oldest_open(trees: &Trees, webhook: WebhookNumber) -> Result<Option<UnixMs>, StoreError> {
    let mut oldest = None;
    for tree in OPEN {
        if let Some(key) = trees.prefix(tree, &layout::number(webhook)).keys().next() {
            let made_at = layout::read_delivery(&key?).time();
            oldest = Some(oldest.map_or(made_at, |oldest: UnixMs| oldest.min(made_at)));
        }
    }
    Ok(oldest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::Cause;
    use crate::store::bench::{Bench, event};
    use crate::store::publish::Wanting;

    #[test]
    fn the_greatest_number_is_that_of_any_row_and_of_what_was_put_aside() {
        let bench = Bench::new();
        let greatest = |counter| greatest_number(&bench.trees(), counter).unwrap();
        assert_eq!((greatest(layout::META_LAST_WEBHOOK), greatest(layout::META_LAST_ACCOUNT)), (0, 1));
        bench.put(Tree::Closed, layout::numbered(5, 1), vec![1]);
        bench.put(Tree::Names, layout::name(6, "a"), vec![1]);
        assert_eq!((greatest(layout::META_LAST_WEBHOOK), greatest(layout::META_LAST_ACCOUNT)), (5, 6));
        bench.put(Tree::Quarantine, layout::quarantined(Tree::Webhooks, &layout::number(7)), vec![1]);
        bench.put(Tree::Quarantine, layout::quarantined(Tree::Accounts, &layout::number(8)), vec![1]);
        assert_eq!((greatest(layout::META_LAST_WEBHOOK), greatest(layout::META_LAST_ACCOUNT)), (7, 8));
    }

    #[test]
    fn a_head_that_goes_on_in_further_pieces_is_read_from_all_of_them() {
        let mut bench = Bench::new();
        // Five bytes each.
        let webhooks: Vec<WebhookNumber> = (100_000..110_000).collect();
        let wanted = Wanting { webhooks: webhooks.clone(), ..Wanting::default() };
        let id = bench.now(|staging| Ok(staging.put_event(1, event(), wanted, Cause::Accept)?.id));
        let head = bench.store.event_head(1, id).unwrap().unwrap();
        assert_eq!(head.webhooks, webhooks);
        bench.put(Tree::Events, layout::event(1, id), vec![0, 0, 9]);
        assert!(bench.store.event_head(1, id).is_err(), "one that has no further piece");
    }
}
