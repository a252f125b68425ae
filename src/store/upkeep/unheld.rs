//! Sets free what waits behind heads that used up their retries, where a webhook does not hold any more.

use std::collections::VecDeque;

use crate::domain::id::{DeliveryId, WebhookNumber};
use crate::domain::order::{OnDead, Order};
use crate::domain::time::UnixMs;
use crate::store::duty::{Duty, STEP_ROWS_MAX};
use crate::store::error::StoreError;
use crate::store::layout::{self, Key, Tree, end_of};
use crate::store::registry::Registry;
use crate::store::staging::Staging;

/// Sets free what waits behind heads that used up their retries, where a webhook does not hold any more.
pub struct Unheld {
    /// Webhooks to look at, each with where to go on.
    webhooks: VecDeque<(WebhookNumber, Key)>,
}

impl Unheld {
    /// Every webhook is looked at again.
    pub fn at_start(registry: &Registry) -> Self {
        let mut unheld = Self { webhooks: VecDeque::new() };
        let numbers: Vec<WebhookNumber> = registry.webhooks().map(|webhook| webhook.number()).collect();
        unheld.look_at(&numbers, registry);
        unheld
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

    fn look_at(&mut self, changed: &[WebhookNumber], registry: &Registry) {
        let holds = |order: &Order| order.on_dead == OnDead::Hold;
        let looked_at = changed.iter().filter(|number| {
            let webhook = registry.webhook(**number).filter(|webhook| !webhook.is_deleted());
            webhook.is_some_and(|webhook| !webhook.order.as_ref().is_some_and(holds))
        });
        self.webhooks.extend(looked_at.map(|number| (*number, layout::number(*number).to_vec())));
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
            let has_ended =
                self.trees().readable(head)?.is_some_and(|head| head.is_none_or(|head| !head.state.is_open()));
            if has_ended {
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
