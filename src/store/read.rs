//! The reading verbs: point reads and short range scans. They take no lock, so a list sees what was committed when it
//! looked. Lists of deliveries have a file of their own (`histories`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::asking::{self, CONDITION_STEPS_MAX};
use super::damage::Damage;
use super::error::StoreError;
use super::event_rows::{self, EventHead, event_by, event_head};
use super::handle::Store;
use super::layout::{self, OPEN, Tree, end_of};
use super::page::{Filling, Page, keys_of};
use super::rows::{NOT_WAITED_FOR, delivery_by, delivery_row, is_waited_for, read_name, tally};
use super::trees::member::Member;
use super::trees::{Amount, Node, Trees};
use super::{attempts, record, rows};
use crate::domain::condition::{Condition, Steps};
use crate::domain::delivery::{Attempt, Delivery, SealedAttempt};
use crate::domain::event::Event;
use crate::domain::id::{AccountNumber, DeliveryId, EventId, WebhookNumber};
use crate::domain::tally::Tally;
use crate::domain::time::UnixMs;
use crate::domain::walk::{First, Walk};

/// Steps of a condition that take as long as looking at one more row.
const ROW_STEPS: u64 = 1 << 11;

/// A place in a webhook's order of retries.
pub type DueAt = (UnixMs, DeliveryId);

fn due_start(webhook: WebhookNumber, after: Option<DueAt>) -> layout::Key {
    after.map_or(layout::number(webhook).to_vec(), |(at, id)| layout::just_after(&layout::due(at, id)))
}

impl Store {
    /// An event of the account; none also if its payload was purged, for then nothing can be sent of it.
    pub fn event(&self, account: AccountNumber, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        self.look(|trees| {
            let read = || event_by(&|tree, key| trees.get(tree, key), account, id);
            // Its payload may be going at this moment: then it is read as it is afterwards.
            let event =
                read().or_else(|error| if matches!(error, StoreError::Damaged(_)) { read() } else { Err(error) });
            Ok(event?.map(Arc::new))
        })
    }

    /// The same for who sends it, the only one who does: it may be at hand, and is not afterwards.
    pub fn event_to_send(&self, account: AccountNumber, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        self.0.trees()?.check()?;
        self.0.handed.take(account, id).map_or_else(|| self.event(account, id), |event| Ok(Some(event)))
    }

    /// How large an event of the account is, in bytes of its record, without reading it; 0 if there is none.
    pub fn event_bytes(&self, account: AccountNumber, id: EventId) -> Result<usize, StoreError> {
        let key = layout::event(account, id);
        self.look(|trees| {
            let bytes = |stored: sled::IVec| event_rows::event_bytes(&|tree, key| trees.get(tree, key), &key, &stored);
            trees.get(Tree::Events, &key)?.map_or(Ok(0), bytes)
        })
    }

    /// The event that the producer named so.
    pub fn event_named(&self, account: AccountNumber, name: &str) -> Result<Option<Arc<Event>>, StoreError> {
        self.id_of_event_named(account, name)?.map_or(Ok(None), |id| self.event(account, id))
    }

    /// The id of the event that the producer named so.
    pub fn id_of_event_named(&self, account: AccountNumber, name: &str) -> Result<Option<EventId>, StoreError> {
        let key = layout::name(account, name);
        self.look(|trees| trees.get(Tree::Names, &key)?.map(|id| read_name(&key, &id)).transpose())
    }

    /// A delivery of any webhook; the caller checks whose it is.
    pub fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.look(|trees| delivery_by(&|tree, key| trees.get(tree, key), id))
    }

    /// Whether an open delivery waits behind another one of its order key.
    pub fn is_blocked(&self, delivery: &Delivery) -> Result<bool, StoreError> {
        let is_ordered = delivery.place.is_some();
        self.look(|trees| Ok(is_ordered && trees.get(Tree::Blocked, &layout::delivery(delivery.id))?.is_some()))
    }

    /// All attempts of a delivery, the first first, without those that cannot be read.
    pub fn attempts(&self, delivery: &Delivery) -> Result<Vec<Attempt>, StoreError> {
        let mut sealed: Vec<SealedAttempt> = delivery.first.iter().cloned().collect();
        // What was recorded since `delivery` was read is no part of it.
        let more = usize::from(delivery.attempts).saturating_sub(sealed.len());
        self.look(|trees| {
            for row in trees.prefix(Tree::Attempts, &delivery.id.to_bytes()).take(more) {
                let attempt = row.and_then(|(key, value)| record::read(Tree::Attempts, &key, &value));
                sealed.extend(trees.readable(attempt)?);
            }
            Ok(())
        })?;
        let webhook = self.registry().webhook(delivery.id.webhook());
        let key = webhook.as_ref().and_then(|webhook| webhook.attempts_key.as_ref());
        Ok(sealed.into_iter().map(|attempt| attempts::open(key, delivery.id, attempt)).collect())
    }

    /// All deliveries of an event: those made at accept, then replays; without those that cannot be read. For tests: what
    /// serves others reads pages.
    #[doc(hidden)]
    pub fn deliveries_of(&self, event: &Event) -> Result<Vec<Delivery>, StoreError> {
        self.look(|trees| {
            let mut ids: Vec<DeliveryId> = event.deliveries().collect();
            for key in trees.prefix(Tree::Replays, &event.id.to_bytes()).keys() {
                ids.push(layout::read_delivery(&key?));
            }
            let found = ids.into_iter().map(|id| trees.readable(delivery_by(&|tree, key| trees.get(tree, key), id)));
            found.filter_map(|found| found.map(Option::flatten).transpose()).collect()
        })
    }

    /// Deliveries of an event that went to these webhooks at accept, replays included; without those that cannot be read.
    pub fn deliveries_of_event(
        &self,
        event: EventId,
        webhooks: &[WebhookNumber],
        walk: Walk,
    ) -> Result<Page<Delivery, DeliveryId>, StoreError> {
        let mut page = Filling::of(walk);
        if walk.is_empty() {
            return Ok(page.end());
        }
        let mut at_accept: Vec<DeliveryId> = webhooks.iter().map(|number| event.delivery_to(*number)).collect();
        at_accept.retain(|id| walk.has(id.0));
        at_accept.sort_unstable();
        let replay = |id| layout::replay(event, DeliveryId(id));
        self.look(|trees| {
            // All of them are younger than the event.
            let replays = trees.range(Tree::Replays, replay(walk.from)..replay(walk.to)).keys();
            let replays = walk.along(replays).map(|key| key.map(|key| layout::read_delivery(&key)));
            let at_accept = walk.along(at_accept.into_iter()).map(Ok);
            let ids: Box<dyn Iterator<Item = Result<DeliveryId, StoreError>>> = match walk.first {
                First::Newest => Box::new(replays.chain(at_accept)),
                First::Oldest => Box::new(at_accept.chain(replays)),
            };
            for id in ids {
                if !page.goes_on() {
                    break;
                }
                let id = id?;
                page.at(id);
                let found = trees.readable(delivery_by(&|tree, key| trees.get(tree, key), id))?;
                if let Some(delivery) = found.flatten() {
                    page.push(delivery);
                }
            }
            Ok(page.end())
        })
    }

    /// The webhooks that have open deliveries, those of deleted ones included. It takes a look at each of them, and none at
    /// the others.
    pub fn webhooks_with_open(&self) -> Result<BTreeSet<WebhookNumber>, StoreError> {
        self.look(|trees| {
            let rows = OPEN.into_iter().chain([Tree::Due]).flat_map(|tree| rows::webhooks_in(trees, tree));
            rows.collect()
        })
    }

    /// A webhook's counters.
    pub fn tally(&self, webhook: WebhookNumber) -> Result<Tally, StoreError> {
        self.look(|trees| tally(trees, webhook))
    }

    /// Up to `limit` deliveries of the webhook that were never tried, in accept order, after `after`.
    pub fn fresh(
        &self,
        webhook: WebhookNumber,
        after: Option<DeliveryId>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let start = after.map_or(layout::number(webhook).to_vec(), |id| layout::just_after(&layout::delivery(id)));
        self.look(|trees| {
            let rows = trees.first(Tree::Fresh, start..end_of(webhook), limit);
            let fresh =
                rows.map(|row| trees.readable(row.and_then(|(key, value)| delivery_row(Tree::Fresh, &key, &value))));
            fresh.filter_map(Result::transpose).take(limit).collect()
        })
    }

    /// Up to `limit` deliveries of the webhook whose next attempt is due at `now` and comes after `after`, the earliest
    /// first, without those that `skip` names.
    pub fn due(
        &self,
        webhook: WebhookNumber,
        after: Option<DueAt>,
        now: UnixMs,
        limit: usize,
        skip: impl Fn(DeliveryId) -> bool,
    ) -> Result<Vec<Delivery>, StoreError> {
        let range = due_start(webhook, after)..layout::due_end(webhook, now);
        let mut due = Vec::new();
        if range.start >= range.end {
            return Ok(due);
        }
        self.look(|trees| {
            for row in trees.range(Tree::Due, range).keys() {
                let row = row?;
                let id = layout::read_delivery(&row);
                if skip(id) {
                    continue;
                }
                let key = layout::delivery(id);
                let waiting = trees
                    .get(Tree::Waiting, &key)
                    .and_then(|bytes| bytes.map(|bytes| record::read(Tree::Waiting, &key, &bytes)).transpose());
                match trees.readable(waiting)? {
                    Some(None) => report_lost(trees, &row),
                    waiting => due.extend(waiting.flatten()),
                }
                if due.len() == limit {
                    break;
                }
            }
            Ok(due)
        })
    }

    /// When the webhook's last retry is due.
    pub fn latest_due(&self, webhook: WebhookNumber) -> Result<Option<UnixMs>, StoreError> {
        let range = layout::number(webhook).to_vec()..end_of(webhook);
        self.look(|trees| {
            let last = trees.range(Tree::Due, range).keys().next_back().transpose()?;
            Ok(last.map(|key| layout::read_due(&key)))
        })
    }

    /// When the webhook's next retry after `after` is due, leaving out those that `skip` names.
    pub fn next_due(
        &self,
        webhook: WebhookNumber,
        after: Option<DueAt>,
        skip: impl Fn(DeliveryId) -> bool,
    ) -> Result<Option<UnixMs>, StoreError> {
        let range = due_start(webhook, after)..end_of(webhook);
        self.look(|trees| {
            for key in trees.range(Tree::Due, range).keys() {
                let key = key?;
                if !skip(layout::read_delivery(&key)) && leads_somewhere(trees, &key)? {
                    return Ok(Some(layout::read_due(&key)));
                }
            }
            Ok(None)
        })
    }

    /// Events of the account; `wanted` filters, for which their data is not read, and then `condition`, for which it is: that
    /// takes the longer, and so fewer events of a page are looked at. One about which it is too costly to ask is left out.
    pub fn events(
        &self,
        account: AccountNumber,
        walk: Walk,
        condition: Option<&Condition>,
        wanted: impl Fn(&EventHead) -> bool,
    ) -> Result<Page<EventHead, EventId>, StoreError> {
        let mut page = Filling::of(walk);
        if walk.is_empty() {
            return Ok(page.end());
        }
        self.look(|trees| {
            let get: event_rows::Get<'_> = &|tree, key| trees.get(tree, key);
            for row in walk.along(trees.range(Tree::Events, keys_of(account, walk))) {
                if !page.goes_on() {
                    break;
                }
                let head = row.and_then(|(key, head)| {
                    page.at(layout::read_event(&key));
                    event_head(trees, &key, &head)
                });
                let Some(head) = trees.readable(head)?.filter(&wanted) else { continue };
                if let Some(condition) = condition {
                    let Some(event) = trees.readable(event_by(get, account, head.id))?.flatten() else { continue };
                    let (answer, steps) = asking::holds(condition, &event, Steps::new(CONDITION_STEPS_MAX));
                    page.took(steps / ROW_STEPS);
                    if answer != Ok(true) {
                        continue;
                    }
                }
                page.push(head);
            }
            Ok(page.end())
        })
    }

    /// How many deliveries of an accepted event are still to be made.
    pub fn deliveries_to_come(&self, account: AccountNumber, event: EventId) -> Result<usize, StoreError> {
        self.look(|trees| {
            let mut to_come = 0;
            for row in trees.prefix(Tree::FanOut, &layout::event(account, event)) {
                let part = row.and_then(|(key, value)| rows::part(&key, &value));
                to_come += trees.readable(part)?.map_or(0, |part| part.count as usize);
            }
            Ok(to_come)
        })
    }

    /// What the rows of a history say of their event, without reading its data.
    pub fn event_head(&self, account: AccountNumber, id: EventId) -> Result<Option<EventHead>, StoreError> {
        let key = layout::event(account, id);
        self.look(|trees| trees.get(Tree::Events, &key)?.map(|head| event_head(trees, &key, &head)).transpose())
    }

    /// The nodes that share the store, by name, 1,000 at most; none where it is kept in a directory. Waits for the database.
    pub fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        self.look(Trees::nodes)
    }

    /// This node, where others share the store with it.
    pub fn member(&self) -> Option<&Member> {
        self.0.settings.database.as_ref()
    }

    /// How long it may own the store yet without a word of the database; zero while it does not, none where nobody shares the store.
    pub fn lease_left(&self) -> Option<Duration> {
        self.member().map(|_| self.look(|trees| Ok(trees.lease_left())).ok().flatten().unwrap_or_default())
    }

    /// Bytes of the store's files.
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        self.look(Trees::size_bytes)
    }

    /// How much there is in each tree, by name; none before the scrub after the start has met all rows. It is kept up by each
    /// group, so nothing is looked at.
    pub fn amounts(&self) -> Result<Vec<(&'static str, Amount)>, StoreError> {
        let amounts = self.look(|trees| Ok(trees.amounts()))?.unwrap_or_default();
        Ok(amounts.into_iter().map(|(tree, amount)| (tree.name(), amount)).collect())
    }

    /// When the oldest delivery of the webhook was made that has not ended.
    pub fn oldest_open(&self, webhook: WebhookNumber) -> Result<Option<UnixMs>, StoreError> {
        self.look(|trees| rows::oldest_open(trees, webhook))
    }
}

/// Whether a row of `due` leads to a delivery, readable or not. One that does not is reported.
fn leads_somewhere(trees: &Trees, row: &[u8]) -> Result<bool, StoreError> {
    let leads = is_waited_for(trees, row)?;
    if !leads {
        report_lost(trees, row);
    }
    Ok(leads)
}

/// The delivery that a row of `due` led to was lost, and nobody knew when it was due.
fn report_lost(trees: &Trees, row: &[u8]) {
    trees.reports().note(Damage::at(Tree::Due, row, NOT_WAITED_FOR));
}

#[cfg(test)]
mod tests {
    use crate::domain::order::{OnDead, Order};
    use crate::domain::retry::Next;
    use crate::store::bench::{Bench, START};

    #[test]
    fn what_is_due_is_one_webhooks_own_from_a_place_on_and_up_to_a_limit() {
        let mut bench = Bench::new();
        let [one, other] = [(); 2].map(|()| bench.webhook());
        let mut due = Vec::new();
        for n in 0..3 {
            let event = bench.publish();
            for webhook in [one, other] {
                bench.settle(event.delivery_to(webhook), 1, Next::RetryAt(START + n));
            }
            due.push(event.delivery_to(other));
        }
        let ids = |after, limit| {
            let due = bench.store.due(other, after, START + 5, limit, |_| false).unwrap();
            due.iter().map(|delivery| delivery.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(None, 10), due);
        assert_eq!(ids(None, 2), due[..2]);
        assert_eq!(ids(Some((START, due[0])), 10), due[1..]);
        assert_eq!(bench.store.next_due(other, None, |id| id == due[0]), Ok(Some(START + 1)));
    }

    #[test]
    fn of_an_order_all_but_the_head_wait() {
        let mut bench = Bench::new();
        let order = Order { key: None, on_dead: OnDead::Skip };
        let webhook = bench.webhook_with(|webhook| webhook.order = Some(order)).number();
        let waits = [(); 2].map(|()| {
            let delivery = bench.publish().delivery_to(webhook);
            bench.store.is_blocked(&bench.store.delivery(delivery).unwrap().unwrap())
        });
        assert_eq!(waits, [Ok(false), Ok(true)]);
    }
}
