//! Sets free what waits behind heads that used up their retries, where a webhook does not hold any more, and behind those
//! that are lost.

use std::collections::VecDeque;

use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::id::{DeliveryId, WebhookNumber};
use crate::domain::time::UnixMs;
use crate::store::duty::{Duty, STEP_ROWS_MAX};
use crate::store::error::StoreError;
use crate::store::layout::{self, Key, Tree, end_of};
use crate::store::registry::Registry;
use crate::store::rows;
use crate::store::staging::Staging;
use crate::store::trees::{Trees, Writes};

/// Where heads lie, and what says who is one.
const LOST: [Tree; 5] = [Tree::Fresh, Tree::Blocked, Tree::Waiting, Tree::Closed, Tree::Ordered];

/// Goes through the order keys of webhooks where something may wait for nobody.
pub struct Unheld {
    /// Webhooks to look at, each with where to go on.
    webhooks: VecDeque<(WebhookNumber, Key)>,
}

impl Unheld {
    /// Every webhook that has an order key is looked at again.
    pub fn at_start(trees: &Trees, registry: &Registry) -> Self {
        let mut unheld = Self { webhooks: VecDeque::new() };
        let ordered = rows::webhooks_in(trees, Tree::Ordered).map_while(Result::ok);
        unheld.add(ordered.filter(|number| registry.has_webhook(*number)));
        unheld
    }

    fn add(&mut self, webhooks: impl Iterator<Item = WebhookNumber>) {
        self.webhooks.extend(webhooks.map(|number| (number, layout::number(number).to_vec())));
    }
}

impl Duty for Unheld {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        (!self.webhooks.is_empty()).then_some(0)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        for _ in 0..STEP_ROWS_MAX {
            let Some((webhook, from)) = self.webhooks.pop_front() else { return Ok(()) };
            if let Some(next) = staging.free_after_dead(webhook, &from)? {
                self.webhooks.push_front((webhook, next));
            }
        }
        Ok(())
    }

    /// What is put aside may have been a head, whether its webhook holds or not.
    fn see(&mut self, writes: &Writes, _trees: &Trees) -> Result<(), StoreError> {
        let aside = writes.by_tree().get(Tree::Quarantine as usize).into_iter().flatten();
        let of =
            |row: &Key| LOST.iter().find_map(|tree| layout::read_quarantined_of(*tree, row)).map(layout::read_number);
        self.add(aside.filter_map(|(row, _)| of(row)));
        Ok(())
    }

    fn look_at(&mut self, changed: &[WebhookNumber], registry: &Registry) {
        let lets_go = |number: &WebhookNumber| {
            let webhook = registry.webhook(*number);
            webhook.is_some_and(|webhook| !webhook.is_deleted() && !webhook.holds_order())
        };
        self.add(changed.iter().copied().filter(lets_go));
    }
}

impl Staging<'_> {
    /// Looks at the first order key of the webhook from `from` on: a head that has ended gives way. Gives where to go on.
    fn free_after_dead(&mut self, webhook: WebhookNumber, from: &Key) -> Result<Option<Key>, StoreError> {
        let end = end_of(webhook);
        let Some(row) = self.trees().range(Tree::Ordered, from.clone()..end).keys().next().transpose()? else {
            return Ok(None);
        };
        let key = layout::read_order_key(&row);
        // What cannot be read is put aside, and the next head set free then.
        let head = self.head_at(&row);
        if let Some(Some(head)) = self.trees().readable(head)? {
            let head = self.delivery(head);
            let gives_way = |head: Option<Delivery>| match head {
                Some(head) if head.state == DeliveryState::Dead => !self.holds(webhook),
                Some(head) => !head.state.is_open(),
                None => true,
            };
            if self.trees().readable(head)?.is_some_and(gives_way) {
                self.stage(Tree::Ordered, row.to_vec(), None);
                self.free_next(webhook, key)?;
            }
        }
        Ok(layout::after_order_key(webhook, key))
    }

    /// The delivery that a row of `ordered` stands for.
    fn head_at(&self, row: &[u8]) -> Result<Option<DeliveryId>, StoreError> {
        let head = |standing_in: sled::IVec| {
            layout::read_delivery(if standing_in.len() == 16 { &standing_in[..] } else { row })
        };
        Ok(self.get(Tree::Ordered, row)?.map(head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::{OnDead, Order};
    use crate::domain::retry::Next;
    use crate::store::bench::Bench;

    #[test]
    fn what_waits_behind_one_that_used_up_its_retries_goes_out_once_its_webhook_does_not_hold_any_more() {
        let mut bench = Bench::new();
        let order = |on_dead| Some(Order { key: None, on_dead });
        let id = bench.webhook_with(|webhook| webhook.order = order(OnDead::Hold));
        let [head, behind] = [(); 2].map(|()| bench.publish().delivery_to(id.number()));
        bench.settle(head, 1, Next::Dead);
        bench.change(id, |webhook| webhook.name = Some("it still holds".into()));
        assert_eq!((bench.keys(Tree::Fresh), bench.keys(Tree::Blocked)), (vec![], vec![layout::delivery(behind)]));
        bench.change(id, move |webhook| webhook.order = order(OnDead::Skip));
        assert_eq!((bench.keys(Tree::Fresh), bench.keys(Tree::Blocked)), (vec![layout::delivery(behind)], vec![]));
    }
}
