//! The scrub: after a start every row is looked at once, at its own pace: whether its checksum fits and it can be read. On
//! the way what is there is counted and added up, and at the end compared with what was counted as it came and went, and
//! with the sum that the groups have written: sled leaves out parts of a damaged log without a word.
//!
//! Rows change meanwhile. Only the commit thread changes them, and it shows each group to the scrub before it writes it: what
//! the scrub has counted already is then corrected, what it has not it meets as it is. So at the end its counts are those
//! of that very moment.

use std::collections::BTreeSet;

use crate::domain::tally::Tally;
use crate::domain::time::UnixMs;
use crate::store::check::check;
use crate::store::duty::{Duty, STEP_ROWS_MAX};
use crate::store::error::StoreError;
use crate::store::layout::{self, Key, Tree};
use crate::store::record;
use crate::store::seal::MasterKeys;
use crate::store::staging::Staging;
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
        let mut rows = trees.range(tree, from.clone()..).stored();
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
            rows = trees.range(tree, from.clone()..).stored();
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
        Ok(changed.into_iter().chain(self.differences(staging)?).collect())
    }

    /// Where what is there is not what was counted as it came and went, before this group.
    fn differences(&self, staging: &Staging<'_>) -> Result<Vec<String>, StoreError> {
        let (mut delivery_bytes, mut open) = (0, 0);
        for row in staging.trees().all(Tree::Tallies) {
            let tally = row.and_then(|(key, value)| record::read_grown::<Tally>(Tree::Tallies, &key, &value));
            let tally = staging.trees().readable(tally)?.unwrap_or_default();
            delivery_bytes += tally.bytes;
            open += tally.open();
        }
        let Counted { event_bytes, delivery_bytes: there, open: open_there } = self.counted;
        let compared = [
            ("bytes of events", event_bytes, staging.kept_before().events),
            ("bytes of ended deliveries and attempts", there, delivery_bytes),
            ("open deliveries", open_there, open),
        ];
        let differences = compared.into_iter().filter(|(_, there, counted)| there != counted);
        Ok(differences
            .map(|(what, there, counted)| {
                let difference = format!("{there} {what} are there, and {counted} were counted");
                tracing::error!(difference, "the scrub of the store found a difference");
                difference
            })
            .collect())
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
