//! The store in a database: what was read or written lately is kept near, since a question costs a hundred times what a look does. What
//! stays true: rows are read as they were written by this node, which alone writes them; and the memory of what is near is bounded.

use std::ops::{Bound, RangeBounds};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use sled::IVec;

use super::database::{Beside, End, Found, Lasting, Node, row};
use super::held::Row;
use super::lease::{KeptLease, Lease};
use super::ledger;
use super::member::Member;
use super::near::{Known, Near, Outer, Span};
use super::owned::Owned;
use super::placing::Placed;
use super::writes::Writes;
use crate::domain::time::UnixMs;
use crate::store::error::{OpenError, StoreError};
use crate::store::layout::{FORMAT_GROWN, FORMAT_VERSION, Key, META_FORMAT, Tree};

/// Rows that are asked for at once: few for who may want one alone, twice as many each time for who goes on.
const PAGE_MIN: usize = 4;
/// The most of them.
const PAGE_MAX: usize = 256;

/// The open trees.
#[derive(Clone)]
pub struct OnDatabase(Arc<Shared>);

struct Shared {
    owned: Owned,
    near: Vec<Mutex<Near<IVec>>>,
    /// Of all trees together.
    bytes: AtomicUsize,
    bytes_max: usize,
}

impl OnDatabase {
    /// Over rows of which nothing is known. What is near takes so many bytes.
    pub fn over(owned: Owned, bytes_max: usize) -> Self {
        let near = Tree::ALL.iter().map(|_| Mutex::default()).collect();
        Self(Arc::new(Shared { owned, near, bytes: AtomicUsize::new(0), bytes_max }))
    }

    /// Takes the rows for a node, and makes a store of them if there is none. What is near takes so many bytes.
    pub fn open(member: &Member, bytes_max: u64) -> Result<Self, OpenError> {
        let opened = Self::over(member.take()?, usize::try_from(bytes_max).unwrap_or(usize::MAX));
        let store = || member.to_string().into();
        let found = opened.format().map_err(|error| OpenError::Store(store(), error))?;
        match found {
            Some(FORMAT_VERSION) => Ok(opened),
            Some(found) if found > FORMAT_VERSION => {
                Err(OpenError::Newer { path: store(), found, known: FORMAT_VERSION })
            }
            Some(found) if found < FORMAT_GROWN => Err(OpenError::Older { path: store(), found }),
            // Of an older one all trees are there, and what is written from now on only newer builds can read.
            _ => {
                let put = opened.put_format(found.is_none());
                put.map(|()| opened).map_err(|error| OpenError::Store(store(), error))
            }
        }
    }

    fn format(&self) -> Result<Option<u32>, StoreError> {
        let found = self.get(Tree::Meta, META_FORMAT)?;
        Ok(found.map(|found| found.as_ref().try_into().map_or(u32::MAX, u32::from_be_bytes)))
    }

    /// Says that it is of the present format, before anything else is written. In a new store nothing has an id yet.
    fn put_format(&self, is_new: bool) -> Result<(), StoreError> {
        let ((tree, key), mut writes) = (ledger::PLACE, Writes::default());
        writes.push(Tree::Meta, META_FORMAT.to_vec(), Some(FORMAT_VERSION.to_be_bytes().to_vec()));
        if is_new {
            writes.push(tree, key.to_vec(), Some(vec![0; ledger::AT]));
        }
        self.write(&Placed::without_packs(&writes), Lasting::Answered, || ())
    }

    /// Under which all is read and written.
    pub fn lease(&self) -> &Arc<Lease> {
        self.0.owned.lease()
    }

    /// What the database's clock shows.
    pub fn wall(&self) -> UnixMs {
        self.0.owned.wall()
    }

    /// Renews the lease, if it is time to.
    pub fn renew(&self) -> Result<(), StoreError> {
        if self.lease().due_in().is_zero() { self.0.owned.renew() } else { Ok(()) }
    }

    /// Has all that was written outlive the database's end.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.0.owned.sync()
    }

    /// Keeps the lease for as long as what is given is there.
    pub fn keep_lease(&self) -> KeptLease {
        let of = self.clone();
        KeptLease::by(move || of.renew().is_ok())
    }

    /// Gives the store up for good: others need not wait.
    pub fn close(self) -> Result<(), StoreError> {
        self.0.owned.leave()
    }

    /// Reads one key.
    pub fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        let of = &*self.0;
        let read = {
            let mut near = of.near(tree);
            match near.get(key) {
                Known::Row(value) => return Ok(Some(value)),
                Known::Nothing => return Ok(None),
                Known::No => near.begin(),
            }
        };
        let found = of.owned.row(tree, key);
        of.changing(tree, |near| match found {
            Ok(Beside::Row(value)) => {
                near.learn(read, Span::one(key), vec![known(key.to_vec(), value.clone())]);
                Ok(Some(value))
            }
            // Who asks for one thing after the other that is not there asks once.
            Ok(Beside::Nothing(to)) => {
                near.learn(read, Span { from: key.to_vec(), to }, Vec::new());
                Ok(None)
            }
            Err(error) => {
                near.give_up(read);
                Err(error)
            }
        })
    }

    /// What lies at the greatest key that is not greater.
    pub fn at_or_before(&self, tree: Tree, key: &[u8]) -> Result<Option<Row>, StoreError> {
        let span = Span::of(Bound::Unbounded, Bound::Included(key));
        Ok(self.0.outer(tree, &span, End::Last, &mut 1)?.map(row))
    }

    /// The rows of a range.
    pub fn range(&self, tree: Tree, range: impl RangeBounds<Key>) -> DatabaseRows {
        let bound = |bound: Bound<&Key>| bound.map(Clone::clone);
        let (from, to) = (bound(range.start_bound()), bound(range.end_bound()));
        let span = Span::of(from.as_ref().map(Vec::as_slice), to.as_ref().map(Vec::as_slice));
        DatabaseRows { of: self.0.clone(), tree, span, page: PAGE_MIN, is_over: false }
    }

    /// Applies what is placed. `written`: once it can be read.
    pub fn write(&self, placed: &Placed<'_>, lasting: Lasting, written: impl FnOnce()) -> Result<(), StoreError> {
        let of = &*self.0;
        of.owned.write(placed, lasting)?;
        for (tree, changes) in placed.by_tree() {
            of.changing(tree, |near| {
                for (key, value) in changes {
                    let bytes = value.as_ref().map_or(0, Vec::len);
                    near.write(key.clone(), value.as_deref().map(IVec::from), bytes);
                }
            });
        }
        written();
        Ok(())
    }

    /// Who shares the rows.
    pub fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        self.0.owned.nodes()
    }

    /// Bytes that the rows take.
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        self.0.owned.size_bytes()
    }
}

impl Shared {
    /// The row at an end of a span. Where it is not known, a page of so many is asked for; the next has twice as many.
    fn outer(&self, tree: Tree, span: &Span, end: End, page: &mut usize) -> Result<Option<(Key, IVec)>, StoreError> {
        let look = |near: &mut Near<IVec>| match end {
            End::First => near.first(span),
            End::Last => near.last(span),
        };
        loop {
            let (read, part) = {
                let mut near = self.near(tree);
                match look(&mut near) {
                    Outer::Row(key, value) => return Ok(Some((key, value))),
                    Outer::None => return Ok(None),
                    Outer::In(part) => (near.begin(), part),
                }
            };
            let count_max = *page;
            let found = self.owned.rows(tree, &part, end, count_max);
            *page = (count_max * 2).min(PAGE_MAX);
            let found = self.changing(tree, |near| {
                let found = match found {
                    Ok(found) => found,
                    Err(error) => {
                        near.give_up(read);
                        return Err(error);
                    }
                };
                let learned = reached(part, &found, end, count_max);
                near.learn(read, learned, found.rows.into_iter().map(|(key, value)| known(key, value)).collect());
                // Before any of it is let go, so that each round comes to something.
                Ok(look(near))
            })?;
            match found {
                Outer::Row(key, value) => return Ok(Some((key, value))),
                Outer::None => return Ok(None),
                // Somebody wrote there meanwhile.
                Outer::In(_) => {}
            }
        }
    }

    fn near(&self, tree: Tree) -> MutexGuard<'_, Near<IVec>> {
        self.near[tree as usize].lock().expect("no holder of the lock panics")
    }

    /// Changes what is known near a tree, and lets go of what is too much.
    fn changing<T>(&self, tree: Tree, change: impl FnOnce(&mut Near<IVec>) -> T) -> T {
        let mut near = self.near(tree);
        let before = near.bytes();
        let done = change(&mut near);
        let all = self.bytes.fetch_add(near.bytes(), Ordering::Relaxed) + near.bytes() - before;
        self.bytes.fetch_sub(before, Ordering::Relaxed);
        if all > self.bytes_max {
            let grown = near.bytes();
            near.shrink(grown.saturating_sub(all - self.bytes_max));
            self.bytes.fetch_sub(grown - near.bytes(), Ordering::Relaxed);
        }
        done
    }
}

/// Where these are all rows that there are, of a span in which so many were asked for from this end: beyond its own end too, up to the next.
fn reached(span: Span, Found { rows, behind }: &Found, end: End, count_max: usize) -> Span {
    let to = span.to.and(behind.clone());
    match (rows.last(), end) {
        (Some((last, _)), End::First) if rows.len() == count_max => Span { to: Span::one(last).to, ..span },
        (Some((last, _)), End::Last) if rows.len() == count_max => Span { from: last.clone(), to },
        _ => Span { to, ..span },
    }
}

fn known(key: Key, value: IVec) -> (Key, IVec, usize) {
    let bytes = value.len();
    (key, value, bytes)
}

/// Rows of a range: each is looked up as it is come to.
pub struct DatabaseRows {
    of: Arc<Shared>,
    tree: Tree,
    span: Span,
    /// How many are asked for next.
    page: usize,
    is_over: bool,
}

impl DatabaseRows {
    fn take(&mut self, end: End) -> Option<Result<Row, StoreError>> {
        if self.is_over {
            return None;
        }
        let found = self.of.outer(self.tree, &self.span, end, &mut self.page);
        self.is_over = !matches!(found, Ok(Some(_)));
        let (key, value) = match found.transpose()? {
            Ok(found) => found,
            Err(error) => return Some(Err(error)),
        };
        match end {
            End::First => self.span.from = Span::one(&key).to.expect("one key has an end"),
            End::Last => self.span.to = Some(key.clone()),
        }
        Some(Ok(row((key, value))))
    }
}

impl Iterator for DatabaseRows {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take(End::First)
    }
}

impl DoubleEndedIterator for DatabaseRows {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.take(End::Last)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::virtual_database::VirtualDatabase;
    use super::*;
    use crate::clock::Clock;

    /// The rows of a virtual database, as a node of it has them that knows of none. What is near takes so many bytes.
    fn trees(database: &VirtualDatabase, bytes_max: usize) -> OnDatabase {
        let member = Member::of_virtual(database.clone(), "one", Clock::standing_at(0));
        OnDatabase::over(member.take().unwrap(), bytes_max)
    }

    fn writes(changes: &[(Key, Option<u8>)]) -> Writes {
        let mut writes = Writes::default();
        let by_key: BTreeMap<_, _> = changes.iter().cloned().collect();
        by_key
            .into_iter()
            .for_each(|(key, value)| writes.push_as_it_is(Tree::Names, key, value.map(|value| vec![value])));
        writes
    }

    fn key() -> impl Strategy<Value = Key> {
        prop::collection::vec(0..3_u8, 0..4)
    }

    #[derive(Debug, Clone)]
    enum Step {
        Write(Vec<(Key, Option<u8>)>),
        Get(Key),
        AtOrBefore(Key),
        /// Rows of a range, taken from its first end where it says so.
        Range(Key, Key, Vec<bool>),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let change = || (key(), prop::option::weighted(0.7, any::<u8>()));
        prop::collection::vec(
            prop_oneof![
                prop::collection::vec(change(), 1..6).prop_map(Step::Write),
                key().prop_map(Step::Get),
                key().prop_map(Step::AtOrBefore),
                (key(), key(), prop::collection::vec(any::<bool>(), 0..80))
                    .prop_map(|(a, b, ends)| Step::Range(a, b, ends)),
            ],
            1..60,
        )
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written_however_little_is_kept_near(
            before in prop::collection::btree_map(key(), any::<u8>(), 0..30), steps in steps(), bytes_max in 0..4000_usize,
        ) {
            let database = VirtualDatabase::by(Clock::standing_at(0), Clock::standing_at(0));
            let there: Vec<_> = before.iter().map(|(key, value)| (key.clone(), Some(*value))).collect();
            trees(&database, 0).write(&Placed::without_packs(&writes(&there)), Lasting::Later, || ()).unwrap();
            let (mut model, trees) = (before, trees(&database, bytes_max));
            for step in steps {
                match step {
                    Step::Write(changes) => {
                        let writes = writes(&changes);
                        trees.write(&Placed::without_packs(&writes), Lasting::Later, || ()).unwrap();
                        for (key, value) in changes.into_iter().collect::<BTreeMap<_, _>>() {
                            match value {
                                Some(value) => model.insert(key, value),
                                None => model.remove(&key),
                            };
                        }
                    }
                    Step::Get(key) => {
                        let found = trees.get(Tree::Names, &key).unwrap().map(|value| value[0]);
                        prop_assert_eq!(found, model.get(&key).copied());
                    }
                    Step::AtOrBefore(key) => {
                        let found = trees.at_or_before(Tree::Names, &key).unwrap();
                        let found = found.map(|(key, value)| (key.to_vec(), value[0]));
                        prop_assert_eq!(found, model.range(..=key).next_back().map(|(key, value)| (key.clone(), *value)));
                    }
                    Step::Range(one, other, ends) => {
                        let (from, to) = (one.clone().min(other.clone()), one.max(other));
                        let (mut rows, mut expected) = (trees.range(Tree::Names, from.clone()..to.clone()), model.range(from..to));
                        for is_first in ends {
                            let (found, row) = match is_first {
                                true => (rows.next(), expected.next()),
                                false => (rows.next_back(), expected.next_back()),
                            };
                            let found = found.map(|row| row.unwrap()).map(|(key, value)| (key.to_vec(), value[0]));
                            prop_assert_eq!(found, row.map(|(key, value)| (key.clone(), *value)));
                        }
                    }
                }
                prop_assert!(trees.0.bytes.load(Ordering::Relaxed) <= bytes_max.max(trees.0.near.iter().map(|near| near.lock().unwrap().bytes()).sum()));
            }
        }
    }

    #[test]
    fn what_was_written_or_read_is_not_asked_for_again_and_what_failed_is() {
        let database = VirtualDatabase::by(Clock::standing_at(0), Clock::standing_at(0));
        let (trees, asked) = (trees(&database, 1 << 20), || database.asked());
        let written: Vec<_> = (0..200_u8).map(|n| (vec![n], Some(n))).collect();
        trees.write(&Placed::without_packs(&writes(&written)), Lasting::Later, || ()).unwrap();
        asked();
        assert_eq!(trees.get(Tree::Names, &[7]).unwrap().unwrap(), [7]);
        assert_eq!(asked(), 0, "it was written");
        database.set_away(true);
        assert!(trees.at_or_before(Tree::Names, &[255]).is_err());
        assert!(trees.get(Tree::Names, &[7, 7]).is_err() && trees.range(Tree::Names, ..).any(|row| row.is_err()));
        database.set_away(false);
        assert_eq!(trees.get(Tree::Names, &[7, 7]).unwrap(), None);
        assert_eq!(trees.range(Tree::Names, ..).count(), 200);
        asked();
        assert_eq!(trees.range(Tree::Names, ..).rev().count(), 200);
        assert_eq!(trees.at_or_before(Tree::Names, &[255, 1]).unwrap().unwrap().1, [199]);
        assert_eq!(trees.get(Tree::Names, &[7, 7, 7]).unwrap(), None);
        assert_eq!(asked(), 0, "all of it is known by now");
    }

    #[test]
    fn who_looks_at_one_place_after_the_other_asks_once_for_what_lies_between() {
        let database = VirtualDatabase::by(Clock::standing_at(0), Clock::standing_at(0));
        let before: Vec<_> = (0..8_u8).map(|n| (vec![n * 20], Some(n))).collect();
        trees(&database, 0).write(&Placed::without_packs(&writes(&before)), Lasting::Later, || ()).unwrap();
        let (trees, asked) = (trees(&database, 1 << 20), || database.asked());
        asked();
        // As retention goes through what belongs to one event after the other.
        for key in 1..20_u8 {
            assert_eq!(trees.get(Tree::Names, &[key]).unwrap(), None);
        }
        assert_eq!(asked(), 1);
        for key in 21..40_u8 {
            assert_eq!(trees.at_or_before(Tree::Names, &[key]).unwrap().unwrap().1, [1]);
        }
        assert_eq!(asked(), 1);
        for key in 41..60_u8 {
            assert_eq!(trees.range(Tree::Names, vec![key]..vec![key + 1]).next().transpose().unwrap(), None);
        }
        assert_eq!(asked(), 1);
        for key in 141..200_u8 {
            assert_eq!(trees.range(Tree::Names, vec![key]..vec![key + 1]).next().transpose().unwrap(), None);
        }
        assert_eq!(asked(), 1, "to the end");
        // What is written there is met all the same.
        trees.write(&Placed::without_packs(&writes(&[(vec![50], Some(7))])), Lasting::Later, || ()).unwrap();
        assert_eq!(trees.get(Tree::Names, &[50]).unwrap().unwrap(), [7]);
        assert_eq!(trees.at_or_before(Tree::Names, &[55]).unwrap().unwrap().1, [7]);
        assert_eq!(asked(), 1, "nothing but to write it");
    }
}
