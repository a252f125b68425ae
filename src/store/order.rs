//! Order between the deliveries of a webhook. What stays true: of the open deliveries of one order key only the head
//! lies in `fresh` or `waiting`, where lanes look; all others lie in `blocked`. `ordered` lists all of them in accept
//! order, so the next head is one seek away. Ending the head sets the next one free in the same transaction.
//!
//! Where the webhook says so, a head that used up its retries keeps its row in `ordered`, and with it all behind it,
//! until it is replayed with success or discarded. The replay stands in its place.

use super::error::StoreError;
use super::layout::{self, Key, Tree};
use super::record::Fresh;
use super::rows;
use super::staging::Staging;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::id::{DeliveryId, WebhookNumber};
use crate::domain::order::Place;

impl Staging<'_> {
    /// Puts a delivery that was never tried where it belongs. One with a place is the head of its key, or blocked. Says whether its
    /// row follows from its event.
    pub(super) fn put_in_order(&mut self, delivery: &Delivery) -> Result<bool, StoreError> {
        let (id, webhook) = (delivery.id, delivery.id.webhook());
        let tree = match delivery.place {
            None => Tree::Fresh,
            Some(Place { key, instead_of: Some(dead) }) => {
                self.stage(Tree::Ordered, layout::ordered(webhook, key, dead), Some(id.to_bytes().to_vec()));
                Tree::Fresh
            }
            Some(Place { key, instead_of: None }) => {
                let is_head = self.head_of(webhook, key)?.is_none();
                self.stage(Tree::Ordered, layout::ordered(webhook, key, id), Some(Vec::new()));
                if is_head { Tree::Fresh } else { Tree::Blocked }
            }
        };
        let row = Fresh::of(delivery);
        self.put(tree, layout::delivery(id), &row);
        if tree == Tree::Fresh {
            self.notice.fresh.push(delivery.clone());
        }
        Ok(row.follows_from_event())
    }

    /// An ordered delivery has ended. Unless it used up its retries and its webhook holds then, the next one is free.
    pub(super) fn leave_order(&mut self, delivery: &Delivery) -> Result<(), StoreError> {
        if delivery.place.is_some() && delivery.state == DeliveryState::Dead && self.holds(delivery.id.webhook()) {
            return Ok(());
        }
        self.give_way(delivery)
    }

    /// Whether one that used up its retries holds up those behind it.
    pub(super) fn holds(&self, webhook: WebhookNumber) -> bool {
        let registry = self.registry();
        registry.has_order(webhook) && registry.webhook(webhook).is_some_and(|webhook| webhook.holds_order())
    }

    /// As [`Self::leave_order`], whatever the webhook says: somebody discarded it, or it is gone.
    pub(super) fn give_way(&mut self, delivery: &Delivery) -> Result<(), StoreError> {
        let Some(Place { key, instead_of }) = delivery.place else { return Ok(()) };
        let webhook = delivery.id.webhook();
        let row = layout::ordered(webhook, key, instead_of.unwrap_or(delivery.id));
        if self.get(Tree::Ordered, &row)?.is_some() {
            self.stage(Tree::Ordered, row, None);
            self.free_next(webhook, key)?;
        }
        Ok(())
    }

    /// Where a replay of `old` stands: in the place of one that used up its retries and holds up others, if nothing
    /// else stands there already; else where `usual` says.
    pub(super) fn place_of_replay(&self, old: &Delivery, usual: Option<Place>) -> Result<Option<Place>, StoreError> {
        let Some(Place { key, instead_of }) = old.place.filter(|_| old.state == DeliveryState::Dead) else {
            return Ok(usual);
        };
        let dead = instead_of.unwrap_or(old.id);
        let Some(standing_in) = self.get(Tree::Ordered, &layout::ordered(old.id.webhook(), key, dead))? else {
            return Ok(usual);
        };
        if standing_in.len() == 16
            && let Some(other) = self.delivery(layout::read_delivery(&standing_in))?
            && other.state.is_open()
        {
            return Ok(usual);
        }
        Ok(Some(Place { key, instead_of: Some(dead) }))
    }

    /// The head of a key goes to `fresh`, if it is blocked. One that is lost gives way to the next.
    pub(super) fn free_next(&mut self, webhook: WebhookNumber, key: u64) -> Result<(), StoreError> {
        while let Some(next) = self.head_of(webhook, key)? {
            let row = layout::delivery(next);
            if let Some(value) = self.get(Tree::Blocked, &row)? {
                self.stage(Tree::Blocked, row.clone(), None);
                self.stage(Tree::Fresh, row, Some(value.to_vec()));
                self.notice.freed.push(next);
                break;
            }
            if self.is_anywhere(&row)? {
                break;
            }
            self.stage(Tree::Ordered, layout::ordered(webhook, key, next), None);
        }
        Ok(())
    }

    /// Whether there is a delivery at this key, readable or not.
    fn is_anywhere(&self, row: &Key) -> Result<bool, StoreError> {
        for tree in rows::WAY {
            if self.is_there(tree, row)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn head_of(&self, webhook: WebhookNumber, key: u64) -> Result<Option<DeliveryId>, StoreError> {
        let first = self.first_key(Tree::Ordered, &layout::ordered_key(webhook, key))?;
        Ok(first.map(|row| layout::read_delivery(&row)))
    }

    /// The first key of a tree that begins so, changes of this group included.
    pub(super) fn first_key(&self, tree: Tree, prefix: &[u8]) -> Result<Option<Key>, StoreError> {
        let staged = self.staged_keys(tree, prefix).next().cloned();
        for key in self.trees().prefix(tree, prefix).keys() {
            let key = key?;
            if staged.as_ref().is_some_and(|staged| staged.as_slice() <= key.as_ref()) {
                break;
            }
            if self.is_there(tree, &key)? {
                return Ok(Some(key.to_vec()));
            }
        }
        Ok(staged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bench::Bench;

    #[test]
    fn the_first_key_is_the_one_that_the_group_leaves() {
        let mut bench = Bench::new();
        bench.put(Tree::Names, vec![7, 5], vec![1; 16]);
        bench.now(|staging| {
            let first = |staging: &Staging<'_>| staging.first_key(Tree::Names, &[7]).unwrap();
            let value = || Some(vec![1; 16]);
            assert_eq!(first(staging), Some(vec![7, 5]));
            staging.stage(Tree::Names, vec![7, 6], value());
            assert_eq!(first(staging), Some(vec![7, 5]), "what it adds behind is not the first");
            staging.stage(Tree::Names, vec![7, 4], value());
            assert_eq!(first(staging), Some(vec![7, 4]));
            staging.stage(Tree::Names, vec![7, 4], None);
            staging.stage(Tree::Names, vec![7, 5], None);
            assert_eq!(first(staging), Some(vec![7, 6]));
            staging.stage(Tree::Names, vec![7, 6], None);
            assert_eq!(first(staging), None);
            Ok(())
        });
    }
}
