//! Sums over all accounts and webhooks that the store holds in memory, so that nobody has to add up for an answer. Added
//! up when the store is opened; from then on each group changes them by what it writes. What stays true: what is shown is
//! that of a commit, and always what a look at all rows would add up to.

use super::error::StoreError;
use super::layout::Tree;
use super::trees::Trees;
use super::{record, rows};
use crate::domain::tally::{Tally, Totals};

/// The sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Of what retention can take.
    pub kept: Kept,
    /// Of the webhooks' counters, those of deleted ones included.
    pub totals: Totals,
}

/// Bytes that are kept of what retention can take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kept {
    /// Events, their pieces included.
    pub events: u64,
    /// Ended deliveries and their attempts.
    pub deliveries: u64,
}

impl Kept {
    /// All of it.
    pub fn total(self) -> u64 {
        self.events + self.deliveries
    }
}

impl Sums {
    /// Adds up all rows.
    pub fn of(trees: &Trees) -> Result<Self, StoreError> {
        let (_, events) = rows::last_id_and_event_bytes(trees)?;
        let mut sums = Self { kept: Kept { events, deliveries: 0 }, ..Self::default() };
        for row in trees.all(Tree::Tallies) {
            let tally = row.and_then(|(key, value)| record::read_grown::<Tally>(Tree::Tallies, &key, &value));
            let Some(tally) = trees.readable(tally)? else { continue };
            sums.kept.deliveries += tally.bytes;
            sums.totals.change(Totals::default(), Totals::of(&tally));
        }
        Ok(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::retry::Next;
    use crate::domain::time::HOUR_MS;
    use crate::store::bench::{Bench, START};
    use crate::store::layout;
    use crate::store::settings::Retention;

    #[test]
    fn what_is_added_up_is_that_of_each_webhook() {
        let bench = Bench::new();
        for (webhook, bytes) in [(1, 30), (2, 400)] {
            let tally = Tally { bytes, attempts: bytes + 1, ..Tally::default() };
            bench.put(Tree::Tallies, layout::number(webhook).to_vec(), record::encode(&tally));
        }
        let sums = Sums::of(&bench.trees()).unwrap();
        assert_eq!((sums.kept, sums.totals.attempts), (Kept { events: 0, deliveries: 430 }, 432));
    }

    #[test]
    fn what_is_held_is_what_all_rows_add_up_to_also_when_webhooks_are_forgotten() {
        let mut bench = Bench::keeping(Retention { events_ms: Some(1_000), ..Retention::default() });
        let account = 1;
        let ids: Vec<_> = (0..2).map(|_| bench.webhook_with(|_| {})).collect();
        let check = |bench: &Bench, what: &str| {
            let held = bench.store.0.sums();
            assert_eq!(Ok(held), Sums::of(&bench.trees()), "{what}");
            held.totals
        };
        let [one, two] = [(); 2].map(|()| bench.publish());
        check(&bench, "accepted");
        bench.settle(one.delivery_to(ids[0].number()), 1, Next::Succeeded);
        bench.settle(one.delivery_to(ids[1].number()), 1, Next::RetryAt(START + 5));
        bench.settle(two.delivery_to(ids[0].number()), 1, Next::Succeeded);
        bench.settle(two.delivery_to(ids[1].number()), 1, Next::Dead);
        let totals = check(&bench, "settled");
        assert_eq!((totals.deliveries, totals.succeeded, totals.dead, totals.failed_attempts), (4, 2, 1, 2));
        let gone = ids[1];
        bench.now(move |staging| staging.delete_webhook(account, gone));
        check(&bench, "deleted");
        // Its events go, then its last minute is over, then all of it goes.
        [(); 3].iter().for_each(|()| bench.turn(HOUR_MS));
        assert!(bench.store.registry().webhook(gone.number()).is_none(), "it is forgotten whole");
        let totals = check(&bench, "forgotten");
        assert_eq!((totals.deliveries, totals.dead, totals.cancelled, totals.attempts), (4, 1, 1, 4));
        // A crash, after what was not written.
        bench.committer.let_go();
        bench.rest();
        assert_eq!(check(&bench, "opened again"), totals);
        bench.publish();
        assert_eq!(check(&bench, "counted on").deliveries, 5);
    }
}
