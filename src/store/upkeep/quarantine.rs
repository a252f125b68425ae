//! Puts rows aside that cannot be read, with what depends on them, so that all others go on. What is left of a row lies in
//! `quarantine` as it was. What stays true: nothing that is readable is put aside, and what counts and orders rows never
//! counts on one that is.

use std::sync::Arc;

use serde_json::json;

use crate::domain::delivery::DeliveryState;
use crate::domain::id::DeliveryId;
use crate::domain::time::UnixMs;
use crate::store::check::check;
use crate::store::damage::{Damage, Reports};
use crate::store::duty::Duty;
use crate::store::error::StoreError;
use crate::store::event_rows;
use crate::store::layout::{self, META_LAST_ACCOUNT, META_LAST_WEBHOOK, Tree};
use crate::store::record::{Body, Owner};
use crate::store::rows;
use crate::store::staging::Staging;

/// Rows that one step puts aside.
const STEP_ROWS_MAX: usize = 16;
/// Puts aside what was reported.
pub struct Quarantine {
    reports: Arc<Reports>,
    /// The operator was told of one since the start.
    is_told: bool,
}

impl Quarantine {
    /// What is reported there.
    pub fn new(reports: Arc<Reports>) -> Self {
        Self { reports, is_told: false }
    }
}

impl Duty for Quarantine {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        self.reports.are_waiting().then_some(0)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        for damage in self.reports.take(STEP_ROWS_MAX) {
            let Some(damage) = staging.still_damaged(damage)? else { continue };
            tracing::error!(%damage, "a record cannot be read and is put aside; the rest goes on");
            // What people made is told of one by one, all else once.
            let is_told = matches!(damage.tree, Tree::Webhooks | Tree::Accounts | Tree::Keys);
            if is_told || !std::mem::replace(&mut self.is_told, true) {
                staging.tell_operator("store.damaged", json!({"record": damage.to_string()}))?;
            }
            staging.quarantine(&damage)?;
        }
        Ok(())
    }
}

impl Staging<'_> {
    /// The row that is to be put aside for this report; none if it was replaced or removed since.
    fn still_damaged(&self, mut damage: Damage) -> Result<Option<Damage>, StoreError> {
        if damage.tree == Tree::Chunks
            && let Some(event) = event_rows::event_of_piece(self.trees(), &damage.key)?
            && self.is_there(Tree::Events, &event)?
            && event_rows::is_piece(self.trees(), &damage.key)?
        {
            // An event is read as a whole, and goes as a whole.
            (damage.tree, damage.key) = (Tree::Events, event);
        }
        let (tree, key) = (damage.tree, damage.key.as_slice());
        if self.is_staged(tree, key) {
            return Ok(None);
        }
        let read = match self.trees().get(tree, key) {
            Ok(None) => return Ok(None),
            Ok(Some(value)) => check(self.trees(), &self.master_keys(), tree, key, &value),
            Err(error) => Err(error),
        };
        match read {
            Ok(()) => Ok(None),
            Err(StoreError::Damaged(found)) => Ok(Some(Damage { why: found.why, ..damage })),
            Err(error) => Err(error),
        }
    }

    fn quarantine(&mut self, damage: &Damage) -> Result<(), StoreError> {
        let (tree, key) = (damage.tree, damage.key.as_slice());
        let bytes = self.put_aside(tree, key)?;
        match tree {
            Tree::Events => {
                let mut bytes = bytes;
                let stored = self.trees().get(tree, key).ok().flatten();
                let head = stored.and_then(|stored| event_rows::event_head(self.trees(), key, &stored).ok());
                let body = head.and_then(|head| Some(layout::body(head.account, head.body?.id)));
                for of in body.as_ref().into_iter().chain([&damage.key]) {
                    for piece in self.keys_that_begin(Tree::Chunks, of)? {
                        bytes += self.put_aside(Tree::Chunks, &piece)?;
                    }
                }
                body.map_or(Ok(0), |body| self.put_aside(Tree::Bodies, &body))?;
                self.event_bytes_gone(layout::read_number(key), bytes);
            }
            Tree::Bodies => {
                let read = self.trees().get(tree, key).ok().flatten();
                let body = read.and_then(|stored| event_rows::body_of(key, &stored).ok());
                if let Some(body) = body {
                    // It is whole, and the event is gone that it belongs to: its pieces go. If it cannot be read, the event knows
                    // its body all the same.
                    self.put(tree, key.to_vec(), &Body { owner: Owner::GivenUp, ..body });
                }
            }
            Tree::Blocked | Tree::Fresh | Tree::Waiting => {
                let id = layout::read_delivery(key);
                self.tally(id.webhook()).count_end(DeliveryState::Cancelled);
                self.lose_delivery(id, 0)?;
            }
            Tree::Chunks => self.event_bytes_gone(layout::read_number(key), bytes),
            Tree::Closed => self.lose_delivery(layout::read_delivery(key), bytes)?,
            Tree::Attempts => {
                let id = key.first_chunk().map(|id| DeliveryId::from_bytes(*id));
                id.into_iter().for_each(|id| self.delivery_bytes_gone(id.webhook(), bytes));
            }
            Tree::Ordered => self.free_next(layout::read_number(key), layout::read_order_key(key))?,
            Tree::FanOut => self.put_part_again(key)?,
            Tree::Jobs => self.registry_mut().forget_job(layout::read_number(key), layout::read_id(key)),
            Tree::Meta if [META_LAST_WEBHOOK, META_LAST_ACCOUNT].contains(&key) => {
                let greatest = rows::greatest_number(self.trees(), key)?;
                self.stage(tree, key.to_vec(), Some(layout::number(greatest).to_vec()));
            }
            Tree::Accounts
            | Tree::Keys
            | Tree::Webhooks
            | Tree::Users
            | Tree::Tallies
            | Tree::AccountTallies
            | Tree::EventTypes => self.write_again(tree, key),
            _ => {}
        }
        Ok(())
    }

    /// Moves a row into quarantine, whatever is left of it. Gives its bytes.
    fn put_aside(&mut self, tree: Tree, key: &[u8]) -> Result<usize, StoreError> {
        let bytes = self.bytes_at(tree, key)?;
        if let Some(stored) = self.trees().get_stored(tree, key)? {
            self.stage(Tree::Quarantine, layout::quarantined(tree, key), Some(stored.to_vec()));
            self.stage(tree, key.to_vec(), None);
            self.trees().reports().count_quarantined(tree.name(), 1);
        }
        Ok(bytes)
    }

    /// A delivery is gone: so are its further attempts.
    fn lose_delivery(&mut self, id: DeliveryId, mut bytes: usize) -> Result<(), StoreError> {
        let webhook = id.webhook();
        for attempt in self.keys_that_begin(Tree::Attempts, &id.to_bytes())? {
            bytes += self.put_aside(Tree::Attempts, &attempt)?;
        }
        self.delivery_bytes_gone(webhook, bytes);
        let account = self.registry().account_of_webhook(webhook);
        if let Some(account) = account {
            self.stage(Tree::Dead, layout::dead(account, id), None);
        }
        // Its row in `due` is met by whoever looks what is due, and goes then; that in `ordered` by who sets free what waits.
        // Whoever has read it ahead reads again.
        self.notice.changed.push(webhook);
        Ok(())
    }

    /// What is held in memory about it is whole, if anything is: it is written anew.
    fn write_again(&mut self, tree: Tree, key: &[u8]) {
        match tree {
            Tree::Webhooks | Tree::Users => self.seal_again(tree, &key.to_vec()),
            Tree::Tallies => drop(self.tally(layout::read_number(key)).clone()),
            Tree::AccountTallies => self.put_account_tally_again(layout::read_number(key)),
            Tree::Accounts => {
                let account = self.registry().account(layout::read_number(key)).cloned();
                if let Some(account) = account {
                    self.put(tree, key.to_vec(), &*account);
                }
            }
            Tree::EventTypes => {
                let (account, name) = (layout::read_number(key), layout::read_text(key));
                let known = self.registry().event_type(account, name).cloned();
                if let Some(known) = known {
                    self.put(tree, key.to_vec(), known.own());
                }
            }
            _ => {
                let known = key.try_into().ok().and_then(|hash| self.registry().key(&hash).cloned());
                if let Some(known) = known {
                    self.put(tree, key.to_vec(), &*known);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::{ApiKey, Scope};
    use crate::domain::id::{JobId, KeyId};
    use crate::domain::job::{Bulk, Job, JobKind, Source};
    use crate::domain::order::{OnDead, Order};
    use crate::domain::retry::Next;
    use crate::store::bench::{Bench, START, event};
    use crate::store::message::NewEvent;
    use crate::store::sums::{Kept, Sums};
    use std::collections::BTreeMap;

    fn kept(bench: &mut Bench) -> Kept {
        bench.rest();
        Sums::of(&bench.trees()).unwrap().kept
    }

    #[test]
    fn an_event_goes_with_its_pieces_and_is_kept_no_more() {
        let mut bench = Bench::new();
        let small = bench.publish();
        let before = kept(&mut bench);
        let long = vec![b'1'; 3 * layout::VALUE_BYTES_MAX];
        let large = bench.publish_as(NewEvent { data: long.into(), ..event() });
        assert_eq!(bench.keys(Tree::Chunks).len(), 3);
        bench.put(Tree::Events, layout::event(1, large), {
            let stored = bench.trees().get(Tree::Events, &layout::event(1, large)).unwrap().unwrap();
            [&stored[..2], &vec![9; stored.len() - 2]].concat()
        });
        assert!(bench.store.event(1, large).is_err());
        assert_eq!(kept(&mut bench), before);
        assert_eq!((bench.keys(Tree::Events), bench.keys(Tree::Chunks)), (vec![layout::event(1, small)], vec![]));
        assert_eq!(bench.store.soundness().quarantined, BTreeMap::from([("chunks", 3), ("events", 1)]));
    }

    #[test]
    fn an_ended_delivery_goes_with_its_attempts_and_is_kept_no_more() {
        let mut bench = Bench::new();
        let webhook = bench.webhook();
        let [id, other] = [(); 2].map(|()| bench.publish().delivery_to(webhook));
        bench.settle(other, 1, Next::Succeeded);
        let before = kept(&mut bench);
        (1..=3).for_each(|n| bench.settle(id, n, Next::RetryAt(START + 1)));
        bench.settle(id, 4, Next::Dead);
        assert_eq!((bench.keys(Tree::Attempts).len(), bench.keys(Tree::Dead).len()), (3, 1));
        // As many bytes as lay there.
        let key = layout::delivery(id);
        let stored = bench.trees().get(Tree::Closed, &key).unwrap().unwrap();
        bench.put(Tree::Closed, key, vec![9; stored.len()]);
        assert!(bench.store.delivery(id).is_err());
        assert_eq!(kept(&mut bench), before);
        assert_eq!(bench.keys(Tree::Closed), [layout::delivery(other)]);
        assert_eq!((bench.keys(Tree::Attempts).len(), bench.keys(Tree::Dead).len()), (0, 0));
        assert_eq!(bench.store.soundness().quarantined, BTreeMap::from([("attempts", 3), ("closed", 1)]));
    }

    #[test]
    fn an_attempt_goes_alone_and_is_kept_no_more() {
        let mut bench = Bench::new();
        let webhook = bench.webhook();
        let id = bench.publish().delivery_to(webhook);
        bench.settle(id, 1, Next::RetryAt(START + 1));
        let before = kept(&mut bench);
        bench.settle(id, 2, Next::RetryAt(START + 1));
        assert_ne!(kept(&mut bench), before);
        let key = layout::attempt(id, 2);
        let stored = bench.trees().get(Tree::Attempts, &key).unwrap().unwrap();
        bench.put(Tree::Attempts, key, vec![9; stored.len()]);
        let delivery = bench.store.delivery(id).unwrap().unwrap();
        assert_eq!(bench.store.attempts(&delivery).unwrap().len(), 1);
        // Somebody wakes the commit thread.
        assert_eq!(kept(&mut bench), before);
    }

    #[test]
    fn what_waits_behind_a_row_of_the_order_is_set_free() {
        let mut bench = Bench::new();
        let order = Order { key: None, on_dead: OnDead::Skip };
        let webhook = bench.webhook_with(|webhook| webhook.order = Some(order)).number();
        let [head, behind] = [(); 2].map(|()| bench.publish().delivery_to(webhook));
        bench.put(Tree::Ordered, layout::ordered(webhook, 0, head), vec![9; 9]);
        let row = layout::ordered(webhook, 0, head);
        bench.store.0.reports.note(Damage::at(Tree::Ordered, &row, "its length is wrong"));
        bench.rest();
        assert_eq!(bench.keys(Tree::Ordered), [layout::ordered(webhook, 0, behind)]);
        assert_eq!(bench.keys(Tree::Fresh), [layout::delivery(head), layout::delivery(behind)]);
    }

    #[test]
    fn a_job_whose_record_is_lost_goes_on_no_more() {
        let mut bench = Bench::new();
        let source = Source::DeadLetters { webhook: None };
        let bulk = Bulk { account: 1, kind: JobKind::Discard, source, event_type: None, from: None, to: None };
        let job = Job::new(JobId(7), bulk, START);
        bench.store.0.registry.write().unwrap().put_job(&job);
        assert_eq!(bench.store.registry().running_jobs(1), 1);
        bench.damage(Tree::Jobs, &layout::job(1, JobId(7)));
        bench.rest();
        assert_eq!(bench.store.registry().running_jobs(1), 0);
    }

    #[test]
    fn the_greatest_number_is_looked_for_and_of_other_rows_of_meta_nothing_is_made() {
        let mut bench = Bench::new();
        let [first, second] = [(); 2].map(|()| bench.webhook());
        assert_eq!((first, second), (1, 2));
        for lost in [META_LAST_WEBHOOK, META_LAST_ACCOUNT, b"of a later build"] {
            bench.damage(Tree::Meta, lost);
        }
        bench.rest();
        let stored = |key: &[u8]| bench.trees().get(Tree::Meta, key).unwrap().map(|stored| stored.to_vec());
        assert_eq!(stored(META_LAST_WEBHOOK), Some(vec![0, 0, 0, 2]));
        assert_eq!(stored(META_LAST_ACCOUNT), Some(vec![0, 0, 0, 1]));
        assert_eq!(stored(b"of a later build"), None);
    }

    #[test]
    fn what_is_whole_in_memory_is_written_again_and_the_operator_told_of_what_people_made() {
        let mut bench = Bench::new();
        let operator = bench.operator("store.damaged");
        let webhooks = [(); 2].map(|()| bench.webhook());
        let key = ApiKey {
            id: KeyId(0),
            account: 1,
            scopes: vec![Scope::Read],
            name: None,
            expires_at: None,
            created_at: 0,
            last_used_at: None,
        };
        bench.now(|staging| staging.create_key([7; 32], key));
        let id = bench.publish().delivery_to(webhooks[0]);
        bench.settle(id, 1, Next::Succeeded);
        let number = |number| layout::number(number).to_vec();
        let made = [(Tree::Accounts, number(1)), (Tree::Keys, vec![7; 32])];
        let made =
            made.into_iter().chain(webhooks.map(|webhook| (Tree::Webhooks, number(webhook)))).collect::<Vec<_>>();
        let counted = [(Tree::Tallies, number(webhooks[0])), (Tree::AccountTallies, number(1))];
        let rows: Vec<_> = made.iter().chain(&counted).cloned().collect();
        rows.iter().for_each(|(tree, key)| bench.damage(*tree, key));
        bench.rest();
        for (tree, key) in &rows {
            let value = bench.trees().get(*tree, key).unwrap().unwrap_or_else(|| panic!("{tree:?} is gone"));
            check(&bench.trees(), &bench.store.master_keys(), *tree, key, &value).unwrap();
        }
        assert_eq!(bench.store.tally(webhooks[0]).unwrap().succeeded, 1);
        assert_eq!(rows::account_tally(&bench.trees(), 1).unwrap().accepted, 1);
        bench.damage(Tree::Names, &layout::name(1, "a"));
        bench.rest();
        assert_eq!(bench.events(operator), made.len() + 1, "of each that people made, and once of all else");
    }

    #[test]
    fn a_row_that_was_replaced_since_stays() {
        let mut bench = Bench::new();
        let key = layout::name(1, "a");
        bench.damage(Tree::Names, &key);
        let replaced = key.clone();
        bench.now(|staging| {
            staging.stage(Tree::Names, replaced, Some(vec![1; 16]));
            Ok(())
        });
        assert_eq!((bench.keys(Tree::Names), bench.keys(Tree::Quarantine)), (vec![key], vec![]));
    }
}
