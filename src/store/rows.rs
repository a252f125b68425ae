//! Rows as nouns: what lies at a key, decoded, whether it is read from the trees or from a group in the making. Events have a
//! file of their own (`event_rows`).

use super::damage::Damage;
use super::error::StoreError;
use super::event_rows::Get;
use super::layout::{self, OPEN, Tree};
use super::record::{self, Fresh, Part};
use super::trees::Trees;
use crate::domain::delivery::Delivery;
use crate::domain::id::{AccountNumber, DeliveryId, EventId, WebhookNumber};
use crate::domain::stats::{AccountTally, Counts};
use crate::domain::tally::Tally;
use crate::domain::time::UnixMs;

/// The event in a row of `names`.
pub(super) fn read_name(key: &[u8], value: &[u8]) -> Result<EventId, StoreError> {
    let id = value.try_into().map_err(|_| Damage::at(Tree::Names, key, "it is no id"))?;
    Ok(EventId::from_bytes(id))
}

/// What is wrong with a row of `due` that leads nowhere.
pub(super) const NOT_WAITED_FOR: &str = "no delivery waits for it";

/// Whether there is the delivery that a row of `due` leads to, readable or not.
pub(super) fn is_waited_for(trees: &Trees, due: &[u8]) -> Result<bool, StoreError> {
    Ok(trees.get_stored(Tree::Waiting, &layout::delivery(layout::read_delivery(due)))?.is_some())
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

/// The webhooks that have rows in a tree whose keys begin with their numbers, ascending: one look for each of them, however
/// many rows it has.
pub(super) fn webhooks_in(trees: &Trees, tree: Tree) -> impl Iterator<Item = Result<WebhookNumber, StoreError>> {
    let mut from = Some(0);
    std::iter::from_fn(move || {
        let start = layout::number(from?).to_vec();
        let first = trees.first(tree, start..layout::end_of(WebhookNumber::MAX), 1).keys().next()?;
        let number = first.map(|key| layout::read_number(&key));
        // An error is the last that is said.
        from = number.as_ref().ok().and_then(|number| number.checked_add(1));
        Some(number)
    })
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
    use Tree::{Audit, Blocked, Bodies, Closed, Events, Fresh, Jobs, Journal, Users, Waiting};
    for tree in [Events, Bodies, Blocked, Fresh, Waiting, Closed, Audit, Jobs, Users, Journal] {
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
        let (from, end) = (layout::number(webhook).to_vec(), layout::after_prefix(&layout::number(webhook)));
        if let Some(key) = trees.first(tree, from..end, 1).keys().next() {
            let made_at = layout::read_delivery(&key?).time();
            oldest = Some(oldest.map_or(made_at, |oldest: UnixMs| oldest.min(made_at)));
        }
    }
    Ok(oldest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bench::Bench;

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
    fn webhooks_are_found_by_one_look_each_however_many_rows_they_have() {
        let bench = Bench::new();
        let found = |tree| webhooks_in(&bench.trees(), tree).collect::<Result<Vec<_>, _>>().unwrap();
        assert!(found(Tree::Waiting).is_empty());
        for (webhook, rows) in [(1, 3), (2, 1), (7, 2), (WebhookNumber::MAX, 2)] {
            (0..rows).for_each(|n| bench.put(Tree::Waiting, layout::numbered(webhook, n), vec![1]));
        }
        bench.put(Tree::Due, layout::numbered(3, 1), vec![1]);
        assert_eq!(found(Tree::Waiting), [1, 2, 7, WebhookNumber::MAX]);
        let open = bench.store.webhooks_with_open().unwrap();
        assert!(open.into_iter().eq([1, 2, 3, 7, WebhookNumber::MAX]));
    }
}
