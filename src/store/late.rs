//! Deliveries whose rows are written late, or never (`trees/late.rs`): those that accept makes of an event with few webhooks. What
//! stays true: each such row follows from its event, which says that some of its rows may be late; and no event below the floor
//! has one. So what a crash loses of them is found again by a look at the events from the floor on: an open delivery without
//! any row is one that was never tried.

use std::ops::Range;

use super::error::StoreError;
use super::event_rows::{self, EventHead};
use super::layout::{self, Key, META_LATE, Tree};
use super::record::{self, Fresh};
use super::rows;
use super::staging::Staging;
use super::trees::late::{Change, HELD_MAX, LATE};
use super::trees::{Row, Trees, Writes};
use crate::domain::delivery::{Cause, Delivery};
use crate::domain::id::{AccountNumber, DeliveryId, EventId, WebhookNumber};
use crate::domain::time::UnixMs;

/// An event with more deliveries than this has them written at once.
const DELIVERIES_MAX: usize = 64;
/// A row that is held for so long is written with the next group: it will stay.
const HELD_MS: u64 = 5_000;
/// So many of those in one group.
const WRITTEN_MAX: usize = 256;
/// Between two moves of the floor, each of which costs a key.
const FLOOR_MS: u64 = 1_000;

impl Staging<'_> {
    /// Whether the rows of deliveries that accept makes of an event for these webhooks may be late. Not where one of them has an order:
    /// what has a place in it does not follow from the event, and one that was lost must not be taken for one that has none.
    pub(super) fn may_be_late(&self, webhooks: &[WebhookNumber]) -> bool {
        let (registry, count) = (self.registry(), webhooks.len());
        let has_order = |webhook: &WebhookNumber| registry.has_order(*webhook);
        count <= DELIVERIES_MAX
            && self.trees().late().count() + self.late.len() + count <= HELD_MAX
            && !webhooks.iter().any(has_order)
    }

    /// The row of this delivery is late, which this group makes and which follows from its event.
    pub(super) fn be_late(&mut self, id: DeliveryId) {
        self.late.insert(layout::delivery(id));
    }

    /// Writes the rows of an event that are late, so that nothing follows from it any more: what it says is about to change.
    pub(super) fn end_being_late(&mut self, head: &mut EventHead) {
        head.rows_are_late = false;
        for id in head.deliveries() {
            let key = layout::delivery(id);
            self.late.remove(&key);
            if self.trees().late().holds(&key) && !self.is_staged(LATE, &key) {
                self.stage(LATE, key, Some(row_of(id)));
            }
        }
    }

    /// All that is held is written, since the store is being closed.
    pub(super) fn end_all_being_late(&mut self) {
        for key in self.trees().late().keys(usize::MAX, |_| true) {
            let id = layout::read_delivery(&key);
            self.stage(LATE, key, Some(row_of(id)));
        }
        self.stage(Tree::Meta, META_LATE.to_vec(), None);
    }

    /// Writes what is held for long, and moves the floor: to be done once all else is staged.
    pub(super) fn look_at_late(&mut self) {
        let (now, late) = (self.now(), self.trees().late());
        // One of a time that is still to come was made by a clock that was ahead: it would be held, and the floor with it, until then.
        let is_old = |key: &Key| now.abs_diff(layout::read_delivery(key).time()) >= HELD_MS;
        for key in late.keys(WRITTEN_MAX, is_old) {
            if !self.is_staged(LATE, &key) {
                let id = layout::read_delivery(&key);
                self.stage(LATE, key, Some(row_of(id)));
            }
        }
        let stays = late.first(|key| !self.is_staged(LATE, key));
        let comes = self.late.iter().filter(|key| self.is_put(LATE, key)).min_by_key(|key| layout::read_id(key));
        let lowest =
            stays.as_ref().into_iter().chain(comes).map(|key| layout::read_delivery(key).event_at_accept()).min();
        let floor = late.floor();
        let has_moved_before = floor.is_some_and(|(_, at)| now >= at && now - at < FLOOR_MS);
        let next = match (lowest, floor) {
            (None, None) => return,
            (Some(lowest), None) => lowest,
            (_, Some(_)) if has_moved_before => return,
            (Some(lowest), Some(_)) => lowest,
            (None, Some(_)) => self.next_event_at_least(),
        };
        if floor.is_none_or(|(floor, _)| next.0 > floor) {
            self.stage(Tree::Meta, META_LATE.to_vec(), Some(next.to_bytes().to_vec()));
            self.floor = Some((next.0, now));
        }
    }

    /// The ids of all events to come are as great, or greater.
    fn next_event_at_least(&self) -> EventId {
        EventId((self.carried.ids.last() | u128::from(u32::MAX)) + 1)
    }

    /// Adds a staged row to what is written: one that is late is held instead, and what was held is held no more.
    pub(super) fn write_late(&self, writes: &mut Writes, key: Key, value: Option<Vec<u8>>) {
        let is_held = self.trees().late().holds(&key);
        if is_held {
            writes.late.gone.push(key.clone());
        }
        match value {
            Some(row) if self.late.contains(&key) => writes.late.come.push((key, row)),
            // It was never written.
            None if is_held || self.late.contains(&key) => {}
            value => writes.push(LATE, key, value),
        }
    }
}

/// What is held of a delivery that accept has made: the row that is not written.
fn row_of(id: DeliveryId) -> Vec<u8> {
    record::encode(&Fresh::of(&Delivery::fresh(id, id.event_at_accept(), Cause::Accept)))
}

/// Finds what was held when the store was left: open deliveries of events from the floor on that have no row. To be done before
/// anything is written. `has` says which webhooks there are.
pub fn find(
    trees: &Trees,
    accounts: impl Iterator<Item = AccountNumber>,
    has: impl Fn(WebhookNumber) -> bool,
) -> Result<(), StoreError> {
    let Some(floor) = floor(trees)? else { return Ok(()) };
    let mut found = Change { floor: Some((floor.0, UnixMs::MAX)), ..Change::default() };
    for account in accounts {
        let range = layout::event(account, floor)..layout::after_prefix(&layout::number(account));
        each_head(trees, range, |head| {
            for id in head.deliveries().filter(|id| head.rows_are_late && has(id.webhook())) {
                if !has_row(trees, id)? {
                    found.come.push((layout::delivery(id), row_of(id)));
                }
            }
            Ok(())
        })?;
    }
    found.come.sort_unstable_by_key(|(key, _)| layout::read_id(key));
    if !found.come.is_empty() {
        tracing::info!(deliveries = found.come.len(), "deliveries that were not written yet follow from their events");
    }
    trees.late().change(&found);
    Ok(())
}

/// Each event of a range that can be read. A page that cannot be is told, and what lies behind it is met from the other end.
fn each_head(
    trees: &Trees,
    range: Range<Key>,
    mut each: impl FnMut(EventHead) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut met = range.start.clone();
    let mut look = |row: Result<Row, StoreError>| {
        let head =
            row.and_then(|(key, stored)| event_rows::event_head_by(&|tree, key| trees.get(tree, key), &key, &stored));
        trees.readable(head)?.map_or(Ok(()), &mut each)
    };
    for row in trees.range(Tree::Events, range.clone()) {
        let key = row.as_ref().map(|(key, _)| layout::just_after(key)).ok();
        match look(row) {
            Err(StoreError::Broken(why)) => {
                tracing::error!(
                    why,
                    "events cannot be read; deliveries of theirs that were not written yet are not made"
                );
                let behind = trees.range(Tree::Events, met..range.end).rev().map(&mut look);
                return behind.take_while(|looked| !matches!(looked, Err(StoreError::Broken(_)))).collect();
            }
            looked => looked?,
        }
        met = key.unwrap_or(met);
    }
    Ok(())
}

/// The floor that stands on the disk. Where it cannot be read, all events are looked at.
fn floor(trees: &Trees) -> Result<Option<EventId>, StoreError> {
    let stored = trees.get(Tree::Meta, META_LATE);
    let Some(stored) = trees.readable(stored)? else { return Ok(Some(EventId(0))) };
    Ok(stored.map(|stored| stored.as_ref().try_into().map_or(EventId(0), EventId::from_bytes)))
}

/// Whether it has a row; most have ended. One that could not be read and was put aside is one too: its delivery was tried, or counts as
/// ended. And where a page cannot be read it may be there: what was sent is not sent again because nobody can tell.
fn has_row(trees: &Trees, id: DeliveryId) -> Result<bool, StoreError> {
    let key = layout::delivery(id);
    let places = rows::WAY.into_iter().rev().map(|tree| (tree, key.clone()));
    let aside = rows::WAY.into_iter().map(|tree| (Tree::Quarantine, layout::quarantined(tree, &key)));
    for (tree, at) in places.chain(aside) {
        match trees.get_stored(tree, &at) {
            Ok(None) => {}
            Ok(Some(_)) => return Ok(true),
            Err(StoreError::Broken(why)) => {
                tracing::error!(why, delivery = %id, "whether it was tried cannot be read; it is not made again");
                return Ok(true);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
