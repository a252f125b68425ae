//! Watching what happens. What stays true: the journal is written in the very transaction of what it tells of, so nobody is told
//! what did not happen; and while nobody has watched for an hour it costs one look at a number a group.

use tokio::sync::watch;

use super::error::StoreError;
use super::handle::Store;
use super::journal::{self, JournalRow, Rows};
use super::layout::{self, Tree};
use super::staging::Staging;
use crate::domain::delivery::Delivery;
use crate::domain::happening::{Happening, What};
use crate::domain::id::AccountNumber;

/// What one row tells of: it must stay far below what a stored value may be.
const ROW_HAPPENINGS_MAX: usize = 512;
/// Rows that one group removes.
const GROUP_REMOVES_MAX: usize = 64;

impl Staging<'_> {
    /// This happened, if anybody wants to know.
    pub(super) fn happens(&mut self, account: AccountNumber, what: What) {
        self.happened.iter_mut().for_each(|all| all.push(Happening { account, what }));
    }

    /// An attempt of this delivery is recorded.
    pub(super) fn attempt_happens(&mut self, delivery: &Delivery, number: u16) {
        let (state, next_attempt_at) = (delivery.state, delivery.next_attempt_at);
        self.happens_to(delivery, What::Attempt { delivery: delivery.id, number, state, next_attempt_at });
    }

    /// Something happens to a delivery. One whose webhook is forgotten is nobody's.
    pub(super) fn happens_to(&mut self, delivery: &Delivery, what: What) {
        if self.happened.is_some() {
            let account = self.registry().account_of_webhook(delivery.id.webhook());
            account.into_iter().for_each(|account| self.happens(account, what));
        }
    }

    /// Writes down what happened in this group, and removes what is too much. While nobody watches it is forgotten bit by bit.
    pub(super) fn put_journal(&mut self, happenings_max: usize) {
        let Some(happened) = self.happened.take() else {
            self.carried.journal.last = 0;
            if self.keys() > 0 {
                self.remove_rows(|_| true);
            }
            return;
        };
        for part in happened.chunks(ROW_HAPPENINGS_MAX) {
            let row = JournalRow { previous: self.carried.journal.last, happened: part.to_vec() };
            let id = self.next_id(0);
            self.put(Tree::Journal, layout::journal(id), &row);
            self.carried.journal.add(id, part.len());
        }
        self.remove_rows(|rows| rows.are_too_many(happenings_max));
    }

    fn remove_rows(&mut self, goes_on: impl Fn(&Rows) -> bool) {
        for _ in 0..GROUP_REMOVES_MAX {
            let gone = goes_on(&self.carried.journal).then(|| self.carried.journal.remove_oldest());
            let Some(id) = gone.flatten() else { return };
            self.stage(Tree::Journal, layout::journal(id), None);
        }
    }
}

impl Store {
    /// Somebody watches: for an hour from now on the journal is written. Says whether it was already, so that nothing is missing
    /// between its newest row and now.
    pub fn watch_journal(&self) -> bool {
        self.0.journal.watch(self.0.clock.now())
    }

    /// The newest row of the journal, told anew with each group that is written while somebody watches, once what was to be
    /// synced of it is; 0 while there is none. Rows behind it are not to be told yet.
    pub fn newest_of_journal(&self) -> watch::Receiver<u128> {
        self.0.journal.newest()
    }

    /// Up to so many rows of the journal, from this id on, with their ids. What cannot be read is left out: who goes on from row
    /// to row sees it.
    pub fn journal(&self, from: u128, limit: usize) -> Result<Vec<(u128, JournalRow)>, StoreError> {
        self.look(|trees| {
            let rows = trees.range(Tree::Journal, layout::journal(from)..layout::end_of_all());
            let read = |row: Result<_, StoreError>| {
                row.and_then(|(key, value): (sled::IVec, sled::IVec)| journal::read(&key, &value))
            };
            rows.take(limit).filter_map(|row| trees.readable(read(row)).transpose()).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::DeliveryState;
    use crate::domain::retry::Next;
    use crate::domain::time::HOUR_MS;
    use crate::store::bench::{Bench, START, in_memory};
    use crate::store::settings::Settings;

    fn told(bench: &Bench) -> Vec<What> {
        let rows = bench.store.journal(0, 1_000).unwrap();
        rows.into_iter().flat_map(|(_, row)| row.happened).map(|one| one.what).collect()
    }

    #[test]
    fn it_tells_in_order_what_happened_once_somebody_watches() {
        let mut bench = Bench::new();
        let webhook = bench.webhook();
        bench.publish();
        assert!(told(&bench).is_empty(), "nobody watched");
        assert!(!bench.store.watch_journal());
        let event = bench.publish();
        let delivery = event.delivery_to(webhook);
        bench.settle(delivery, 1, Next::RetryAt(START + 5));
        bench.settle(delivery, 2, Next::Dead);
        let attempt = |number, state, next_attempt_at| What::Attempt { delivery, number, state, next_attempt_at };
        let first = attempt(1, DeliveryState::Scheduled, Some(START + 5));
        let second = attempt(2, DeliveryState::Dead, None);
        assert_eq!(told(&bench), [What::Event(event), first, second, What::Dead(delivery)]);
    }

    #[test]
    fn each_row_names_the_one_before_unless_nobody_watched_in_between() {
        let mut bench = Bench::new();
        let chain = |bench: &Bench| {
            let rows = bench.store.journal(0, 1_000).unwrap();
            let ids: Vec<u128> = rows.iter().map(|(id, _)| *id).collect();
            let follows = |(id, row): &(u128, JournalRow)| {
                let before = ids.iter().position(|one| one == id).and_then(|n| n.checked_sub(1));
                before.is_some_and(|before| ids[before] == row.previous)
            };
            rows.iter().map(follows).collect::<Vec<_>>()
        };
        bench.store.watch_journal();
        bench.publish();
        bench.publish();
        assert_eq!(chain(&bench), [false, true]);
        bench.clock.turn_to(START + HOUR_MS);
        bench.publish();
        assert!(chain(&bench).is_empty(), "nobody goes on from what nobody watched on");
        assert!(!bench.store.watch_journal());
        bench.publish();
        assert_eq!(chain(&bench), [false]);
        assert_eq!(*bench.store.newest_of_journal().borrow(), bench.store.journal(0, 9).unwrap()[0].0);
    }

    #[test]
    fn a_journal_that_cannot_be_read_holds_up_nothing_and_lets_the_store_be_opened() {
        let mut bench = Bench::new();
        bench.store.watch_journal();
        bench.publish();
        let keys = bench.keys(Tree::Journal);
        bench.store.0.settings.memory.as_ref().unwrap().tear(Tree::Journal, &keys[0]);
        bench.committer.let_go();
        bench.rest();
        let event = bench.publish();
        assert_eq!(bench.store.event_head(1, event).unwrap().map(|head| head.id), Some(event));
        bench.turn(2 * HOUR_MS);
        bench.publish();
        assert!(bench.store.journal(0, 9).is_err(), "and who watches is told");
    }

    #[test]
    fn it_keeps_so_much_and_leaves_out_the_oldest() {
        let mut bench = Bench::of(Settings { journal_max: 3, ..in_memory() });
        bench.store.watch_journal();
        let events: Vec<What> = (0..5).map(|_| What::Event(bench.publish())).collect();
        assert_eq!(told(&bench), events[2..]);
    }
}
