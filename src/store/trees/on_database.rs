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
use super::walks::{PAGE_MIN, Walks, next_page};
use super::writes::Writes;
use crate::domain::time::UnixMs;
use crate::store::error::{OpenError, StoreError};
use crate::store::layout::{FORMAT_GROWN, FORMAT_VERSION, Key, META_FORMAT, Tree};

/// What a tree gives at most in one turn: no small one is emptied for a page of a large one.
const TURN_BYTES: usize = 64 << 10;

/// The open trees.
#[derive(Clone)]
pub struct OnDatabase(Arc<Shared>);

struct Shared {
    owned: Owned,
    near: Vec<Mutex<Near<IVec>>>,
    walks: Vec<Mutex<Walks>>,
    /// Of all trees together.
    bytes: AtomicUsize,
    bytes_max: usize,
    /// Whose turn it is to let go of something.
    turn: AtomicUsize,
}

impl OnDatabase {
    /// Over rows of which nothing is known. What is near takes so many bytes.
    pub fn over(owned: Owned, bytes_max: usize) -> Self {
        let near = Tree::ALL.iter().map(|_| Mutex::default()).collect();
        let walks = Tree::ALL.iter().map(|_| Mutex::default()).collect();
        let (bytes, turn) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self(Arc::new(Shared { owned, near, walks, bytes, bytes_max, turn }))
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
        Ok(self.0.at_or_before(tree, key)?.map(row))
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
        let mut found = look(&mut self.near(tree));
        loop {
            let part = match found {
                Outer::Row(key, value) => return Ok(Some((key, value))),
                Outer::None => return Ok(None),
                // Or somebody wrote there since it was asked for.
                Outer::In(part) => part,
            };
            let walk = if end == End::First { self.walks(tree).take_at(&part.from) } else { None };
            // Who has gone on knows how many rows are a small part of what may be near.
            let count_max = walk.as_ref().map(|step| step.page).filter(|page| *page > 1).unwrap_or(*page);
            *page = next_page(count_max);
            found = self.ask(tree, part, end, count_max, |near, page| {
                match (&walk, page.to) {
                    (Some(step), Some(to)) => {
                        self.walks(tree).went_on(step, to, count_max, (page.bytes, self.bytes_max));
                    }
                    (None, Some(to)) if end == End::First => self.walks(tree).begin(to),
                    _ => {}
                }
                look(near)
            })?;
        }
    }

    /// What lies at the greatest key that is not greater: with what lies behind it, for who has come there row by row.
    fn at_or_before(&self, tree: Tree, key: &[u8]) -> Result<Option<(Key, IVec)>, StoreError> {
        let span = Span::of(Bound::Unbounded, Bound::Included(key));
        let mut found = self.near(tree).last(&span);
        let walk = if matches!(found, Outer::In(_)) { self.walks(tree).take_before(key) } else { None };
        if let Some(step) = walk {
            let on = Span { from: step.at.clone(), to: None };
            found = self.ask(tree, on, End::First, step.page, |near, page| {
                if let Some(to) = page.to {
                    // Who was not on the way, but far ahead of it, leaves it there for whoever is, and takes along few rows again.
                    let count = if key < &to[..] { step.page } else { 1 };
                    self.walks(tree).went_on(&step, to, count, (page.bytes, self.bytes_max));
                }
                near.last(&span)
            })?;
        }
        loop {
            let part = match found {
                Outer::Row(key, value) => return Ok(Some((key, value))),
                Outer::None => return Ok(None),
                Outer::In(part) => part,
            };
            found = self.ask(tree, part, End::Last, 1, |near, page| {
                let mut walks = self.walks(tree);
                let step = page.outer.and_then(|found| walks.take_at(&found));
                match (step, page.to) {
                    (Some(step), Some(to)) => walks.went_on(&step, to, 1, (page.bytes, self.bytes_max)),
                    (None, Some(to)) => walks.begin(to),
                    (_, None) => {}
                }
                near.last(&span)
            })?;
        }
    }

    /// Asks for so many rows at an end of a span, and keeps them near. `then`: before any of them is let go, so that whoever asked finds what
    /// they asked for.
    fn ask<T>(
        &self,
        tree: Tree,
        span: Span,
        end: End,
        count_max: usize,
        then: impl FnOnce(&mut Near<IVec>, Page) -> T,
    ) -> Result<T, StoreError> {
        let read = self.near(tree).begin();
        let found = self.owned.rows(tree, &span, end, count_max);
        self.changing(tree, |near| {
            let found = match found {
                Ok(found) => found,
                Err(error) => {
                    near.give_up(read);
                    return Err(error);
                }
            };
            let learned = reached(span, &found, end, count_max);
            let bytes = found.rows.iter().map(|(_, value)| value.len()).sum();
            let page = Page { outer: found.rows.first().map(|(key, _)| key.clone()), to: learned.to.clone(), bytes };
            near.learn(read, learned, found.rows.into_iter().map(|(key, value)| known(key, value)).collect());
            Ok(then(near, page))
        })
    }

    fn walks(&self, tree: Tree) -> MutexGuard<'_, Walks> {
        self.walks[tree as usize].lock().expect("no holder of the lock panics")
    }

    fn near(&self, tree: Tree) -> MutexGuard<'_, Near<IVec>> {
        self.near[tree as usize].lock().expect("no holder of the lock panics")
    }

    /// Changes what is known near a tree, and lets go of what is too much, of whichever tree.
    fn changing<T>(&self, tree: Tree, change: impl FnOnce(&mut Near<IVec>) -> T) -> T {
        let done = {
            let mut near = self.near(tree);
            let before = near.bytes();
            let done = change(&mut near);
            self.count(before, near.bytes());
            done
        };
        while let Some(too_much) = self.too_much() {
            let Some(tree) = self.next_to_shrink() else { break };
            let mut near = self.near(tree);
            let before = near.bytes();
            near.shrink(before.saturating_sub(too_much.min(TURN_BYTES)));
            self.count(before, near.bytes());
        }
        done
    }

    fn count(&self, before: usize, after: usize) {
        // At once, so that nobody sees both.
        self.bytes.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
    }

    /// Bytes that are to be let go of.
    fn too_much(&self) -> Option<usize> {
        let all = self.bytes.load(Ordering::Relaxed);
        all.checked_sub(self.bytes_max).filter(|too_much| *too_much > 0)
    }

    /// Trees give by turns, each as often as it has bytes: who reads a few rows does not lose them to a large tree that nobody has used for
    /// long. `None`: nothing is near.
    fn next_to_shrink(&self) -> Option<Tree> {
        /// Its multiples are spread evenly over all numbers: the golden ratio's part of them.
        const SPREAD: usize = 0x9E37_79B9_7F4A_7C15;
        let bytes: Vec<usize> = Tree::ALL.iter().map(|(tree, _)| self.near(*tree).bytes()).collect();
        let all: usize = bytes.iter().sum();
        let mut at = self.turn.fetch_add(SPREAD, Ordering::Relaxed).checked_rem(all)?;
        let of_trees = Tree::ALL.iter().zip(bytes);
        of_trees.into_iter().find_map(|((tree, _), bytes)| match at.checked_sub(bytes) {
            Some(rest) => {
                at = rest;
                None
            }
            None => Some(*tree),
        })
    }
}

/// Rows that were asked for.
struct Page {
    /// The key of the first of them, from the end at which they were asked for.
    outer: Option<Key>,
    /// What lies behind them is not known from there on: the next row, or else the next key. `None`: nothing does.
    to: Option<Key>,
    /// Of their values.
    bytes: usize,
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
mod tests;
