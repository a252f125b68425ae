//! Dead letters: deliveries that used up their retries and that nobody has handled since. What stays true: a row is
//! added in the commit that ends a delivery as dead, and removed in the one that replays or discards it. The delivery
//! itself stays dead in its webhook's history.

use super::error::StoreError;
use super::handle::Store;
use super::layout::{self, Tree};
use super::page::{Filling, Page, keys_of};
use super::select::{Found, View};
use super::staging::Staging;
use super::trees::Trees;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::id::{AccountNumber, DeliveryId};
use crate::domain::job::{Bulk, Source};
use crate::domain::walk::Walk;

impl Staging<'_> {
    /// Enters a delivery that ended, if it is dead.
    pub(super) fn enter_dead_letters(&mut self, delivery: &Delivery) {
        if delivery.state == DeliveryState::Dead {
            self.stage_dead_letter(delivery.id, Some(Vec::new()));
        }
    }

    /// Somebody has handled a delivery: it is no dead letter any more, if it was one.
    pub(super) fn leave_dead_letters(&mut self, delivery: &Delivery) {
        if delivery.state == DeliveryState::Dead {
            self.stage_dead_letter(delivery.id, None);
        }
    }

    /// Discards a dead letter: whoever waits for somebody to handle it need not wait any longer.
    pub(super) fn discard_dead_letter(&mut self, delivery: &Delivery) -> Result<(), StoreError> {
        self.leave_dead_letters(delivery);
        self.give_way(delivery)
    }

    fn stage_dead_letter(&mut self, id: DeliveryId, value: Option<Vec<u8>>) {
        let account = self.registry().account_of_webhook(id.webhook());
        if let Some(account) = account {
            self.stage(Tree::Dead, layout::dead(account, id), value);
        }
    }
}

impl Store {
    /// How many dead letters the account has, of which `max` are counted at most: their keys alone are looked at.
    pub fn count_of_dead_letters(&self, account: AccountNumber, max: usize) -> Result<usize, StoreError> {
        self.look(|trees| {
            let keys = trees.prefix(Tree::Dead, &layout::number(account)).keys().take(max);
            keys.map(|key| key.map(drop)).try_fold(0, |count, key| key.map(|()| count + 1))
        })
    }

    /// The dead letters that `bulk` would discard.
    pub fn dead_letters(&self, bulk: &Bulk, walk: Walk) -> Result<Page<Delivery, DeliveryId>, StoreError> {
        self.page_of_dead_letters(bulk, walk, |trees, view, id| match trees.readable(view.look(bulk, id.0))? {
            Some(Found::Delivery(delivery)) => Ok(Some(*delivery)),
            _ => Ok(None),
        })
    }

    /// The same, where nobody looks at the rows: none is kept, so a page may have many; and unless a type of event is asked for, none
    /// is read. Without those of webhooks that are forgotten.
    pub fn dead_letters_counted(&self, bulk: &Bulk, walk: Walk) -> Result<Page<(), DeliveryId>, StoreError> {
        self.page_of_dead_letters(bulk, walk, |trees, view, id| {
            let is_found = match &bulk.source {
                _ if self.registry().account_of_webhook(id.webhook()).is_none() => false,
                Source::DeadLetters { webhook } if bulk.event_type.is_none() => {
                    webhook.is_none_or(|webhook| webhook == id.webhook())
                }
                _ => matches!(trees.readable(view.look(bulk, id.0))?, Some(Found::Delivery(_))),
            };
            Ok(is_found.then_some(()))
        })
    }

    fn page_of_dead_letters<T>(
        &self,
        bulk: &Bulk,
        walk: Walk,
        find: impl Fn(&Trees, &View<'_>, DeliveryId) -> Result<Option<T>, StoreError>,
    ) -> Result<Page<T, DeliveryId>, StoreError> {
        let mut page = Filling::of(walk);
        let window = bulk.window(None, u128::MAX);
        let walk = walk.within(Some(window.start), Some(window.end));
        if walk.is_empty() {
            return Ok(page.end());
        }
        self.viewed(|trees, view| {
            for key in walk.along(trees.range(Tree::Dead, keys_of(bulk.account, walk)).keys()) {
                if !page.goes_on() {
                    break;
                }
                let id = layout::read_delivery(&key?);
                page.at(id);
                if let Some(row) = find(trees, view, id)? {
                    page.push(row);
                }
            }
            Ok(page.end())
        })
    }
}
