//! The scrub: after a start every row is looked at once, at its own pace: whether its checksum fits and it can be read. On
//! the way what is there is counted and added up, and at the end compared with what was counted as it came and went, and
//! with the sum that the groups have written: sled leaves out parts of a damaged log without a word.
//!
//! Rows change meanwhile. Only the commit thread changes them, and it shows each group to the scrub before it writes it: what
//! the scrub has counted already is then corrected, what it has not it meets as it is. So at the end its counts are those
//! of that very moment.

use std::collections::BTreeSet;

use crate::domain::time::UnixMs;
use crate::store::check::check;
use crate::store::duty::{Duty, STEP_ROWS_MAX};
use crate::store::error::StoreError;
use crate::store::layout::{self, Key, Tree};
use crate::store::seal::MasterKeys;
use crate::store::staging::Staging;
use crate::store::sums::Sums;
use crate::store::trees::{Trees, Writes, bytes_of, value_of};

/// Between two steps: so it takes some hundredths of the commit thread's time.
const PAUSE_MS: u64 = 50;
/// Bytes that one step looks at, or one row more.
const STEP_BYTES_MAX: u64 = 1 << 20;
/// What to do about rows that are missing.
const PUT_BACK: &str = "the store is not as it was written; put back a whole copy of the data directory";
/// Where it begins.
const START: (Tree, Key) = (Tree::ALL[0].0, Key::new());

/// A look at every row.
pub struct Scrub {
    /// What lies before it is counted; `None` once all is.
    place: Option<(Tree, Key)>,
    counted: Counted,
    /// Trees with a page that cannot be read.
    unread: BTreeSet<&'static str>,
    /// When its next step is due.
    at: UnixMs,
}

/// What is there.
#[derive(Default)]
struct Counted {
    event_bytes: u64,
    delivery_bytes: u64,
    open: u64,
}

impl Scrub {
    /// One that begins at once.
    pub fn at_start() -> Self {
        Self { place: Some(START), counted: Counted::default(), unread: BTreeSet::new(), at: 0 }
    }

    /// One that has nothing to do.
    pub fn none() -> Self {
        Self { place: None, ..Self::at_start() }
    }
}

impl Duty for Scrub {
    fn due_at(&self, _kept: u64) -> Option<UnixMs> {
        self.place.as_ref().map(|_| self.at)
    }

    fn step(&mut self, staging: &mut Staging<'_>) -> Result<(), StoreError> {
        let Some(place) = self.place.take() else { return Ok(()) };
        let trees = staging.trees();
        if place == START {
            trees.begin_to_add_up();
        }
        match self.look(trees, &staging.master_keys(), place)? {
            Some(next) => {
                trees.add_up_from(next.clone());
                (self.place, self.at) = (Some(next), staging.now() + PAUSE_MS);
            }
            None => trees.reports().end_scrub(self.wrong(staging)?),
        }
        Ok(())
    }

    fn see(&mut self, writes: &Writes, trees: &Trees) -> Result<(), StoreError> {
        let Some((tree, from)) = &self.place else { return Ok(()) };
        for (of, key, bytes) in writes.all() {
            if Counted::counts(of) && (of, key) < (*tree, from) {
                self.counted.change(of, trees.bytes_at(of, key)? as u64, bytes as u64);
            }
        }
        Ok(())
    }

    fn not_written(&mut self) {
        if self.place.is_some() {
            *self = Self::at_start();
        }
    }
}

impl Scrub {
    /// Looks at the next rows; gives where to go on, or `None` at the end of all.
    fn look(
        &mut self,
        trees: &Trees,
        keys: &MasterKeys,
        (mut tree, mut from): (Tree, Key),
    ) -> Result<Option<(Tree, Key)>, StoreError> {
        let (mut looked_at, mut bytes) = (0, 0);
        let mut rows = trees.written(tree, from.clone()..).stored();
        while looked_at < STEP_ROWS_MAX && bytes < STEP_BYTES_MAX {
            match rows.next() {
                Some(Ok((key, stored))) => {
                    looked_at += 1;
                    trees.add_up(tree, &key, &stored);
                    let there = bytes_of(&key, &stored) as u64;
                    self.counted.change(tree, 0, there);
                    bytes += there;
                    from = layout::just_after(&key);
                    let read = value_of(tree, &key, stored).and_then(|value| check(trees, keys, tree, &key, &value));
                    self.known(tree, trees.readable(read))?;
                    continue;
                }
                Some(Err(error)) => self.known(tree, Err(error))?,
                None => {}
            }
            let Some(next) = Tree::ALL.get(tree as usize + 1) else {
                trees.reports().count_scrubbed(looked_at as u64);
                return Ok(None);
            };
            (tree, from) = (next.0, Key::new());
            rows = trees.written(tree, from.clone()..).stored();
        }
        trees.reports().count_scrubbed(looked_at as u64);
        Ok(Some((tree, from)))
    }

    /// What lies on a page that cannot be read is left out, and told in the end.
    fn known(&mut self, tree: Tree, read: Result<Option<()>, StoreError>) -> Result<(), StoreError> {
        match read {
            Err(StoreError::Broken(_)) => {
                self.unread.insert(tree.name());
                Ok(())
            }
            read => read.map(drop),
        }
    }

    /// What is wrong with all rows together, in words, before this group.
    fn wrong(&self, staging: &Staging<'_>) -> Result<Vec<String>, StoreError> {
        if !self.unread.is_empty() {
            let trees = self.unread.iter().copied().collect::<Vec<_>>().join(", ");
            let why = format!("a page of the log cannot be read, with all rows on it, in {trees}");
            tracing::error!(why, "{PUT_BACK}");
            return Ok(vec![why]);
        }
        let changed = staging.trees().end_adding_up();
        if let Some(why) = &changed {
            tracing::error!(why, "{PUT_BACK}");
        }
        Ok(changed.into_iter().chain(self.differences(staging)).collect())
    }

    /// Where what is there is not what was counted as it came and went, before this group.
    fn differences(&self, staging: &Staging<'_>) -> Vec<String> {
        let Counted { event_bytes, delivery_bytes, open } = self.counted;
        let Sums { kept, totals } = staging.sums_before();
        let open = open + staging.trees().late().count() as u64;
        let compared = [
            ("bytes of events", event_bytes, kept.events),
            ("bytes of ended deliveries and attempts", delivery_bytes, kept.deliveries),
            ("open deliveries", open, totals.open()),
        ];
        let differences = compared.into_iter().filter(|(_, there, counted)| there != counted);
        differences
            .map(|(what, there, counted)| {
                let difference = format!("{there} {what} are there, and {counted} were counted");
                tracing::error!(difference, "the scrub of the store found a difference");
                difference
            })
            .collect()
    }
}

impl Counted {
    fn counts(tree: Tree) -> bool {
        use Tree::{Attempts, Blocked, Chunks, Closed, Events, Fresh, Waiting};
        matches!(tree, Events | Chunks | Closed | Attempts | Blocked | Fresh | Waiting)
    }

    /// A row of so many bytes is now one of so many; 0 is no row.
    fn change(&mut self, tree: Tree, before: u64, after: u64) {
        let (count, before, after) = match tree {
            Tree::Events | Tree::Chunks => (&mut self.event_bytes, before, after),
            Tree::Closed | Tree::Attempts => (&mut self.delivery_bytes, before, after),
            Tree::Blocked | Tree::Fresh | Tree::Waiting => (&mut self.open, before.min(1), after.min(1)),
            _ => return,
        };
        *count = (*count + after).saturating_sub(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::retry::Next;
    use crate::domain::tally::Tally;
    use crate::store::bench::{self, Bench};
    use crate::store::record;

    #[test]
    fn every_row_is_looked_at_some_a_step() {
        let bench = Bench::new();
        for n in 0..=STEP_ROWS_MAX as u16 {
            bench.put(Tree::Names, n.to_be_bytes().to_vec(), vec![1; 16]);
        }
        let (trees, keys) = (bench.trees(), bench.store.master_keys());
        let scrubbed = || bench.store.soundness().scrubbed_rows as usize;
        let (before, mut scrub) = (scrubbed(), Scrub::at_start());
        let place = scrub.look(&trees, &keys, (Tree::Names, Key::new())).unwrap();
        assert_eq!(scrubbed() - before, STEP_ROWS_MAX);
        let last = (STEP_ROWS_MAX as u16 - 1).to_be_bytes();
        assert_eq!(place, Some((Tree::Names, layout::just_after(&last))));
        assert_eq!(scrub.look(&trees, &keys, place.unwrap()), Ok(None), "the rest fits into a step");
        let rows: usize = Tree::ALL[Tree::Names as usize..].iter().map(|(tree, _)| bench.keys(*tree).len()).sum();
        assert_eq!(scrubbed() - before, rows);
    }

    #[test]
    fn a_step_looks_at_so_many_bytes_or_one_row_more() {
        let bench = Bench::new();
        let bytes = 32 << 10;
        (0..40).for_each(|n| bench.put(Tree::Names, vec![n], vec![1; bytes - 1]));
        let mut scrub = Scrub::at_start();
        let place = scrub.look(&bench.trees(), &bench.store.master_keys(), (Tree::Names, Key::new())).unwrap();
        let rows = (STEP_BYTES_MAX as usize / bytes) as u8;
        assert_eq!(place, Some((Tree::Names, layout::just_after(&[rows - 1]))));
    }

    #[test]
    fn what_is_written_where_it_has_been_is_counted_and_what_comes_is_met() {
        let bench = Bench::new();
        bench.put(Tree::Closed, vec![5], vec![1; 9]);
        let mut writes = Writes::default();
        writes.push(Tree::Closed, vec![5], Some(vec![1; 20]));
        let counted = |place: (Tree, Key)| {
            let mut scrub = Scrub { place: Some(place), ..Scrub::at_start() };
            scrub.counted.delivery_bytes = 100;
            scrub.see(&writes, &bench.trees()).unwrap();
            scrub.counted.delivery_bytes
        };
        assert_eq!(counted((Tree::Closed, vec![5])), 100, "it meets the row itself");
        assert_eq!(counted((Tree::Events, vec![9])), 100);
        assert_eq!(counted((Tree::Closed, vec![6])), 100 + 20 - 9);
        assert_eq!(counted((Tree::Attempts, vec![0])), 100 + 20 - 9);
    }

    #[test]
    fn it_begins_again_if_what_it_counted_could_not_be_written_unless_it_is_done() {
        let mut scrub = Scrub::at_start();
        (scrub.place, scrub.counted.open) = (Some((Tree::Closed, vec![5])), 7);
        scrub.not_written();
        assert_eq!((scrub.place.clone(), scrub.counted.open), (Some(START), 0));
        scrub.place = None;
        scrub.not_written();
        assert_eq!(scrub.place, None);
    }

    #[test]
    fn what_is_there_and_was_not_counted_is_told_and_nothing_else() {
        let mut bench = Bench::new();
        let webhook = bench.webhook();
        for next in [Next::Succeeded, Next::RetryAt(bench::START + 1)] {
            let id = bench.publish().delivery_to(webhook);
            bench.settle(id, 1, next);
        }
        bench.publish();
        assert_eq!(bench.scrub(), [""; 0]);

        let bench = Bench::new();
        let tally = Tally { bytes: 7, ..Tally::default() };
        bench.put(Tree::Tallies, layout::number(9).to_vec(), record::encode(&tally));
        assert_eq!(bench.scrub(), ["0 bytes of ended deliveries and attempts are there, and 7 were counted"]);
    }
}
