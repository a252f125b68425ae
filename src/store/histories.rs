//! The deliveries of any number of webhooks as one list, in the order of their ids. There is no index of them by account: each
//! webhook's own are read a few ids ahead, and a heap says whose comes next. What stays true: memory follows from how many
//! webhooks there are and how many rows are looked at, never from how many rows there are; and a delivery that moves from tree
//! to tree meanwhile is seen, once.

use std::collections::BinaryHeap;

use super::error::StoreError;
use super::event_rows::event_head;
use super::handle::Store;
use super::layout::{self, Tree};
use super::page::{Filling, Page, keys_of};
use super::rows::{WAY, delivery_by};
use super::trees::Trees;
use crate::domain::delivery::Delivery;
use crate::domain::id::{DeliveryId, WebhookNumber};
use crate::domain::walk::{First, Walk};
use crate::domain::webhook::EventFilter;

/// Webhooks whose deliveries are listed together. For each of them every page begins with a look into four trees: some
/// ten microseconds, a few tenths of a second for all of them.
pub const WEBHOOKS_TOGETHER_MAX: usize = 20_000;
/// Ids of one webhook that are read ahead.
const AHEAD_MAX: usize = 256;

impl Store {
    /// Deliveries of these webhooks, at most [`WEBHOOKS_TOGETHER_MAX`], each named once. Only those of events of this type, if
    /// one is asked for, which are still kept; `wanted` filters further. Without those that cannot be read.
    pub fn deliveries(
        &self,
        webhooks: &[WebhookNumber],
        walk: Walk,
        event_type: Option<&EventFilter>,
        wanted: impl Fn(&Delivery) -> bool,
    ) -> Result<Page<Delivery, DeliveryId>, StoreError> {
        self.look(|trees| page(trees, webhooks, walk, |id| self.found(trees, id, event_type, &wanted)))
    }

    /// The same, where nobody looks at the rows: none is kept, so a page may have many. Without a type and without `wanted` none is
    /// read either; then those that cannot be read are counted too, until they are put aside.
    pub fn deliveries_counted(
        &self,
        webhooks: &[WebhookNumber],
        walk: Walk,
        event_type: Option<&EventFilter>,
        wanted: Option<impl Fn(&Delivery) -> bool>,
    ) -> Result<Page<(), DeliveryId>, StoreError> {
        let is_wanted = |delivery: &Delivery| wanted.as_ref().is_none_or(|wanted| wanted(delivery));
        let is_read = event_type.is_some() || wanted.is_some();
        self.look(|trees| {
            page(trees, webhooks, walk, |id| match is_read {
                true => Ok(self.found(trees, id, event_type, is_wanted)?.map(drop)),
                false => Ok(Some(())),
            })
        })
    }

    /// The delivery of this id, if it is asked for.
    fn found(
        &self,
        trees: &Trees,
        id: DeliveryId,
        event_type: Option<&EventFilter>,
        wanted: impl Fn(&Delivery) -> bool,
    ) -> Result<Option<Delivery>, StoreError> {
        let delivery = trees.readable(delivery_by(&|tree, key| trees.get(tree, key), id))?.flatten();
        let Some(delivery) = delivery.filter(wanted) else { return Ok(None) };
        let Some(filter) = event_type else { return Ok(Some(delivery)) };
        let account = self.registry().account_of_webhook(id.webhook());
        let Some(account) = account else { return Ok(None) };
        let key = layout::event(account, delivery.event);
        let head = trees.get(Tree::Events, &key);
        let head = head.and_then(|stored| stored.map(|stored| event_head(trees, &key, &stored)).transpose());
        let is_of_type = trees.readable(head)?.flatten().is_some_and(|head| filter.matches(&head.event_type));
        Ok(is_of_type.then_some(delivery))
    }
}

/// A page of what `find` has for the ids of a walk.
fn page<T>(
    trees: &Trees,
    webhooks: &[WebhookNumber],
    walk: Walk,
    find: impl Fn(DeliveryId) -> Result<Option<T>, StoreError>,
) -> Result<Page<T, DeliveryId>, StoreError> {
    let mut page = Filling::of(walk);
    let mut merged = Merged::of(trees, webhooks, walk)?;
    while let Some(id) = merged.next()? {
        if !page.goes_on() {
            break;
        }
        page.at(id);
        if let Some(row) = find(id)? {
            page.push(row);
        }
    }
    Ok(page.end())
}

/// The ids of several webhooks' deliveries, in the order of the walk.
struct Merged<'a> {
    trees: &'a Trees,
    walk: Walk,
    lines: Vec<Line>,
    /// The next id of each line by its rank, and which line that is.
    heads: BinaryHeap<(u128, usize)>,
}

/// The ids of one webhook's.
struct Line {
    webhook: WebhookNumber,
    ahead: std::vec::IntoIter<u128>,
    /// How many ids were read last, and there may be more; 0: those were all. `None`: nothing was read yet.
    read: Option<usize>,
}

impl<'a> Merged<'a> {
    fn of(trees: &'a Trees, webhooks: &[WebhookNumber], walk: Walk) -> Result<Self, StoreError> {
        let begin = |webhook: &WebhookNumber| Line { webhook: *webhook, ahead: Vec::new().into_iter(), read: None };
        let lines = webhooks.iter().map(begin).collect();
        let mut merged = Self { trees, walk, lines, heads: BinaryHeap::with_capacity(webhooks.len()) };
        for line in 0..webhooks.len() {
            merged.advance(line, None)?;
        }
        Ok(merged)
    }

    fn next(&mut self) -> Result<Option<DeliveryId>, StoreError> {
        let Some((rank, line)) = self.heads.pop() else { return Ok(None) };
        let id = self.rank(rank);
        self.advance(line, Some(id))?;
        Ok(Some(DeliveryId(id)))
    }

    /// What comes first has the greatest rank. The id of a rank is the rank of that.
    fn rank(&self, id: u128) -> u128 {
        if self.walk.first == First::Newest { id } else { !id }
    }

    /// Puts the id of this line into the heap that comes past `last`. Reads twice as many ahead each time, so a page of few
    /// webhooks is read in few looks, and of many webhooks not more is read than twice what is shown.
    fn advance(&mut self, at: usize, last: Option<u128>) -> Result<(), StoreError> {
        let single = self.lines.len() == 1;
        let line = &mut self.lines[at];
        let mut next = line.ahead.next();
        let count = match line.read {
            None if single => AHEAD_MAX,
            None => 1,
            Some(0) => 0,
            Some(before) => (before * 2).min(AHEAD_MAX),
        };
        if next.is_none() && count > 0 {
            let ids = ids(self.trees, line.webhook, self.walk.past(last), count)?;
            line.read = Some(if ids.len() < count { 0 } else { count });
            line.ahead = ids.into_iter();
            next = line.ahead.next();
        }
        if let Some(id) = next {
            let rank = self.rank(id);
            self.heads.push((rank, at));
        }
        Ok(())
    }
}

/// The webhook's next `count` ids, from all trees in which deliveries lie. Those are read in the order in which a delivery moves,
/// so one that moves meanwhile is met at least once.
fn ids(trees: &Trees, webhook: WebhookNumber, walk: Walk, count: usize) -> Result<Vec<u128>, StoreError> {
    let mut found = Vec::new();
    if walk.is_empty() {
        return Ok(found);
    }
    for tree in WAY {
        let range = keys_of(webhook, walk);
        let rows = match walk.first {
            First::Newest => trees.last(tree, range, count),
            First::Oldest => trees.first(tree, range, count),
        };
        for key in walk.along(rows.keys()).take(count) {
            found.push(layout::read_id(&key?));
        }
    }
    found.sort_unstable();
    found.dedup();
    if walk.first == First::Newest {
        found.reverse();
    }
    found.truncate(count);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::Cause;
    use crate::domain::retry::Next;
    use crate::store::bench::{Bench, event};
    use crate::store::page::PAGE_ROWS_EXAMINED_MAX;
    use crate::store::record::{self, Fresh};
    use crate::store::trees::Writes;

    const EVERY: Option<fn(&Delivery) -> bool> = None;

    /// All pages of a walk; asserts that none but the last is short.
    fn all(bench: &Bench, webhooks: &[WebhookNumber], walk: Walk) -> Vec<DeliveryId> {
        let (mut seen, mut past) = (Vec::new(), None);
        loop {
            let page = bench.store.deliveries(webhooks, walk.past(past), None, |_| true).unwrap();
            seen.extend(page.rows.iter().map(|row| row.id));
            let Some(next) = page.next else { return seen };
            assert_eq!(page.rows.len(), walk.limit);
            past = Some(next.0);
        }
    }

    #[test]
    fn deliveries_of_several_webhooks_and_trees_come_in_one_order_from_either_end() {
        let mut bench = Bench::new();
        let webhooks = [(); 3].map(|()| bench.webhook());
        let mut expected = Vec::new();
        for n in 0..40 {
            let event = bench.publish();
            for webhook in webhooks {
                let id = event.delivery_to(webhook);
                expected.push(id);
                match n % 3 {
                    0 => bench.settle(id, 1, Next::Succeeded),
                    1 => bench.settle(id, 1, Next::RetryAt(u64::MAX / 2)),
                    _ => {}
                }
            }
        }
        expected.sort_unstable();
        for limit in [1, 7, 1_000] {
            let oldest = Walk::from_the(First::Oldest, limit);
            assert_eq!(all(&bench, &webhooks, oldest), expected, "{limit}");
            let [read, counted] = [Some(|_: &Delivery| true), None].map(|wanted| {
                let page = bench.store.deliveries_counted(&webhooks, oldest, None, wanted).unwrap();
                (page.rows.len(), page.next)
            });
            let page = bench.store.deliveries(&webhooks, oldest, None, |_| true).unwrap();
            assert_eq!([read, counted], [(page.rows.len(), page.next); 2], "{limit}");
        }
        let two: Vec<_> = expected.iter().rev().copied().filter(|id| id.webhook() != webhooks[1]).collect();
        assert_eq!(all(&bench, &[webhooks[0], webhooks[2]], Walk::newest(7)), two);
        let middle = Walk::newest(7).within(Some(expected[10].0), Some(expected[20].0));
        assert_eq!(all(&bench, &webhooks, middle), expected[10..20].iter().rev().copied().collect::<Vec<_>>());
        assert_eq!(all(&bench, &[], Walk::newest(7)), []);
    }

    #[test]
    fn those_of_a_type_are_of_events_that_are_kept() {
        let mut bench = Bench::new();
        let webhook = bench.webhook();
        let [wanted, other, gone] = ["task.done", "note.done", "task.done"].map(|event_type| {
            let event = crate::store::NewEvent { event_type: event_type.into(), ..event() };
            bench.publish_as(event).delivery_to(webhook)
        });
        bench.now(move |staging| {
            staging.stage(Tree::Events, layout::event(1, gone.event_at_accept()), None);
            Ok(())
        });
        let listed = |filter: &str| {
            let filter = EventFilter::parse(filter).unwrap();
            let page = bench.store.deliveries(&[webhook], Walk::newest(9), Some(&filter), |_| true).unwrap();
            let counted = bench.store.deliveries_counted(&[webhook], Walk::newest(9), Some(&filter), EVERY).unwrap();
            assert_eq!(counted.rows.len(), page.rows.len());
            page.rows.iter().map(|row| row.id).collect::<Vec<_>>()
        };
        assert_eq!((listed("task.*"), listed("note.done")), (vec![wanted], vec![other]));
    }

    #[test]
    fn a_page_that_looked_at_enough_leads_on_from_there() {
        let bench = Bench::new();
        let id = |n: usize| DeliveryId((n as u128) << 32 | 7);
        let mut writes = Writes::default();
        for n in 0..=PAGE_ROWS_EXAMINED_MAX {
            let delivery = Delivery::fresh(id(n), id(n).event_at_accept(), Cause::Accept);
            writes.push(Tree::Fresh, layout::delivery(id(n)), Some(record::encode(&Fresh::of(&delivery))));
        }
        bench.trees().write(&writes).unwrap();
        let page = |past: Option<DeliveryId>, wanted: bool| {
            let walk = Walk::newest(5_000).past(past);
            let page = bench.store.deliveries(&[7], walk, None, |_| wanted).unwrap();
            (page.rows.len(), page.next)
        };
        assert_eq!(page(None, false), (0, Some(id(1))));
        assert_eq!(page(Some(id(1)), true), (1, None));
        let counted = bench.store.deliveries_counted(&[7], Walk::newest(PAGE_ROWS_EXAMINED_MAX), None, EVERY).unwrap();
        assert_eq!((counted.rows.len(), counted.next), (PAGE_ROWS_EXAMINED_MAX, Some(id(1))));
    }
}
