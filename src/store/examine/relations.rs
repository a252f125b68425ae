//! What a row owes to others: each index row leads to a record, and each record is led to by its index rows. What stays true: it
//! asks for single keys, so nothing that is large is ever held; and it says nothing of what is on its way out, such as webhooks
//! that were deleted, of which some rows go before others.

use super::kind::Kind;
use super::known::{Known, readable};
use super::noted::Wrong;
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::id::{DeliveryId, EventId};
use crate::domain::order::Place;
use crate::store::error::StoreError;
use crate::store::event_rows;
use crate::store::layout::{self, Key, Tree};
use crate::store::record::{self, Fresh};
use crate::store::rows::{self, WAY};
use crate::store::trees::Trees;

/// What is wrong between one row and others.
pub struct Relations<'a> {
    /// The rows.
    pub trees: &'a Trees,
    /// What was read before.
    pub known: &'a Known,
}

impl Relations<'_> {
    /// What is wrong between this row, which can be read, and others.
    pub fn of(&self, tree: Tree, key: &[u8], value: &[u8]) -> Result<Vec<Wrong>, StoreError> {
        match tree {
            Tree::Events => self.event(key, value),
            Tree::Names => self.name(key, value),
            Tree::Fresh | Tree::Waiting | Tree::Blocked => self.open(tree, key, value),
            Tree::Closed => self.ended(key, value),
            Tree::Due => self.due(key),
            Tree::Ordered => self.ordered(key, value),
            Tree::Dead => self.dead(key),
            Tree::Attempts => self.attempt(key),
            Tree::Replays => self.replay(key),
            Tree::Keys | Tree::Webhooks | Tree::Users | Tree::EventTypes => Ok(self.owned(tree, key, value)),
            _ => Ok(Vec::new()),
        }
    }

    fn event(&self, key: &[u8], value: &[u8]) -> Result<Vec<Wrong>, StoreError> {
        let head = event_rows::event_head(self.trees, key, value)?;
        let Some(name) = head.name.filter(|_| self.known.is_served(head.account)) else { return Ok(Vec::new()) };
        let at = layout::name(head.account, &name);
        if self.read(Tree::Names, &at)?.is_some_and(|id| id == head.id.to_bytes()) {
            return Ok(Vec::new());
        }
        let lost = Wrong::of(Kind::NameLost, Tree::Names, &at);
        Ok(vec![lost.mended_by([(Tree::Names, at, Some(head.id.to_bytes().to_vec()))])])
    }

    fn name(&self, key: &[u8], value: &[u8]) -> Result<Vec<Wrong>, StoreError> {
        let (account, id) = (layout::read_number(key), rows::read_name(key, value)?);
        Ok(unless(self.is_there(Tree::Events, &layout::event(account, id))?, Kind::NameOfNothing, Tree::Names, key))
    }

    fn open(&self, tree: Tree, key: &[u8], value: &[u8]) -> Result<Vec<Wrong>, StoreError> {
        let delivery = rows::delivery_row(tree, key, value)?;
        let further = WAY.iter().skip_while(|one| **one != tree).skip(1);
        for other in further {
            // One that cannot be read is put aside, and this one goes on.
            if self.read(*other, key)?.is_some() {
                let mut gone = vec![(tree, key.to_vec(), None)];
                gone.extend(delivery.next_attempt_at.map(|at| (Tree::Due, layout::due(at, delivery.id), None)));
                return Ok(vec![Wrong::of(Kind::TwoPlaces, tree, key).mended_by(gone)]);
            }
        }
        let Some(account) = self.known.account_of(delivery.id.webhook()) else { return Ok(Vec::new()) };
        let mut wrong = self.replayed(&delivery)?;
        if !self.is_there(Tree::Events, &layout::event(account, delivery.event))? {
            wrong.push(Wrong::of(Kind::EventLost, tree, key));
        }
        if let Some(at) = delivery.next_attempt_at.filter(|_| tree == Tree::Waiting) {
            let due = layout::due(at, delivery.id);
            if !self.is_there(Tree::Due, &due)? {
                let lost = Wrong::of(Kind::DueLost, tree, key);
                wrong.push(lost.mended_by([(Tree::Due, due, Some(Vec::new()))]));
            }
        }
        if tree == Tree::Blocked {
            wrong.extend(self.blocked(key, &delivery)?);
        }
        Ok(wrong)
    }

    fn blocked(&self, key: &[u8], delivery: &Delivery) -> Result<Option<Wrong>, StoreError> {
        let (id, webhook) = (delivery.id, delivery.id.webhook());
        let free = || {
            let fresh = record::encode(&Fresh::of(delivery));
            [(Tree::Blocked, key.to_vec(), None), (Tree::Fresh, key.to_vec(), Some(fresh))]
        };
        let Some(Place { key: of, instead_of }) = delivery.place else {
            return Ok(Some(Wrong::of(Kind::HeadBlocked, Tree::Blocked, key).mended_by(free())));
        };
        let row = layout::ordered(webhook, of, instead_of.unwrap_or(id));
        if !self.is_there(Tree::Ordered, &row)? {
            let lost = Wrong::of(Kind::OrderLost, Tree::Blocked, key);
            return Ok(Some(lost.mended_by([(Tree::Ordered, row, Some(Vec::new()))])));
        }
        let head = self.trees.prefix(Tree::Ordered, &layout::ordered_key(webhook, of)).keys().next().transpose()?;
        let is_head = head.is_some_and(|head| head == row);
        Ok(is_head.then(|| Wrong::of(Kind::HeadBlocked, Tree::Blocked, key).mended_by(free())))
    }

    fn ended(&self, key: &[u8], value: &[u8]) -> Result<Vec<Wrong>, StoreError> {
        let delivery = rows::delivery_row(Tree::Closed, key, value)?;
        if self.known.account_of(delivery.id.webhook()).is_none() { Ok(Vec::new()) } else { self.replayed(&delivery) }
    }

    /// One that was made after accept is known to its event.
    fn replayed(&self, delivery: &Delivery) -> Result<Vec<Wrong>, StoreError> {
        let (id, event) = (delivery.id, delivery.event);
        let Some(account) = self.known.account_of(id.webhook()).filter(|_| event != id.event_at_accept()) else {
            return Ok(Vec::new());
        };
        let row = layout::replay(event, id);
        if !self.is_there(Tree::Events, &layout::event(account, event))? || self.is_there(Tree::Replays, &row)? {
            return Ok(Vec::new());
        }
        let lost = Wrong::of(Kind::ReplayLost, Tree::Replays, &row);
        Ok(vec![lost.mended_by([(Tree::Replays, row, Some(Vec::new()))])])
    }

    fn due(&self, key: &[u8]) -> Result<Vec<Wrong>, StoreError> {
        let waiting = layout::delivery(layout::read_delivery(key));
        let Some(stored) = self.read(Tree::Waiting, &waiting)? else {
            // One that cannot be read goes with its delivery.
            let is_there = self.is_there(Tree::Waiting, &waiting)?;
            return Ok(unless(is_there, Kind::DueOfNothing, Tree::Due, key));
        };
        let delivery = rows::delivery_row(Tree::Waiting, &waiting, &stored)?;
        let fits = delivery.next_attempt_at == Some(layout::read_due(key));
        Ok(unless(fits, Kind::DueOfNothing, Tree::Due, key))
    }

    fn ordered(&self, key: &[u8], value: &[u8]) -> Result<Vec<Wrong>, StoreError> {
        let delivery = match self.delivery(layout::read_delivery(key))? {
            Found::Unreadable => return Ok(Vec::new()),
            Found::Nothing => None,
            Found::This(delivery) => Some(delivery),
        };
        let holds = delivery.is_some_and(|delivery| value.len() == 16 || delivery.state != DeliveryState::Succeeded);
        Ok(unless(holds, Kind::OrderOfNothing, Tree::Ordered, key))
    }

    fn dead(&self, key: &[u8]) -> Result<Vec<Wrong>, StoreError> {
        let is_dead = match self.delivery(layout::read_delivery(key))? {
            Found::Unreadable => true,
            Found::Nothing => false,
            Found::This(delivery) => delivery.state == DeliveryState::Dead,
        };
        Ok(unless(is_dead, Kind::DeadOfNothing, Tree::Dead, key))
    }

    fn attempt(&self, key: &[u8]) -> Result<Vec<Wrong>, StoreError> {
        let (id, n) = key.split_last_chunk::<2>().expect("an attempt's key ends with its number");
        let id = DeliveryId::from_bytes(id.try_into().expect("it begins with an id"));
        let belongs = match self.delivery(id)? {
            Found::Unreadable => true,
            Found::Nothing => false,
            Found::This(delivery) => u16::from_be_bytes(*n) <= delivery.attempts,
        };
        Ok(unless(belongs, Kind::AttemptOfNothing, Tree::Attempts, key))
    }

    fn replay(&self, key: &[u8]) -> Result<Vec<Wrong>, StoreError> {
        let event = EventId::from_bytes(*key.first_chunk().expect("a replay's key begins with an event"));
        let leads = match self.delivery(layout::read_delivery(key))? {
            Found::Unreadable => true,
            Found::Nothing => false,
            Found::This(delivery) => delivery.event == event,
        };
        Ok(unless(leads, Kind::ReplayOfNothing, Tree::Replays, key))
    }

    fn owned(&self, tree: Tree, key: &[u8], value: &[u8]) -> Vec<Wrong> {
        let owner = match tree {
            Tree::Keys => self.known.account_in_key(key, value),
            Tree::Webhooks => self.known.account_in_webhook(layout::read_number(key)),
            _ => Some(layout::read_number(key)),
        };
        let is_there = owner.is_none_or(|account| self.known.has_account(account));
        if is_there { Vec::new() } else { vec![Wrong::of(Kind::OwnerLost, tree, key)] }
    }

    fn is_there(&self, tree: Tree, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.trees.get_stored(tree, key)?.is_some())
    }

    /// What is there and can be read.
    fn read(&self, tree: Tree, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        readable(self.trees.get(tree, key)).map(Option::flatten)
    }

    fn delivery(&self, id: DeliveryId) -> Result<Found, StoreError> {
        let found = readable(rows::delivery_by(&|tree, key| self.trees.get(tree, key), id))?;
        Ok(found.map_or(Found::Unreadable, |found| found.map_or(Found::Nothing, |found| Found::This(Box::new(found)))))
    }
}

/// What was looked for.
enum Found {
    /// It is there and cannot be read, so nobody can say.
    Unreadable,
    /// It is not there.
    Nothing,
    /// It is this.
    This(Box<Delivery>),
}

/// An index row that leads nowhere goes.
fn unless(is_right: bool, kind: Kind, tree: Tree, key: &[u8]) -> Vec<Wrong> {
    let gone = || Wrong::of(kind, tree, key).mended_by([(tree, Key::from(key), None)]);
    if is_right { Vec::new() } else { vec![gone()] }
}
