//! Adding up all rows, some at a time, to hold the sum against the one that the groups have written. It is done by who
//! writes, so nothing moves between two steps; what is written to a row that was added up already changes both sums alike.

use std::ops::Bound;

use super::held::SledRows;
use super::ledger::{Ledger, PLACE, Sum};
use crate::store::error::StoreError;
use crate::store::layout::{Key, Tree};

/// How far it is.
#[derive(Debug, Clone, Default)]
pub struct AddingUp {
    /// The tree that is looked at, and the last key of it that was added.
    tree: usize,
    last: Option<Key>,
    sum: Sum,
    unread: Vec<&'static str>,
}

impl AddingUp {
    /// A row changed the sum of all rows by so much.
    pub fn changed(&mut self, tree: Tree, key: &[u8], change: Sum) {
        let is_added = match (tree as usize).cmp(&self.tree) {
            std::cmp::Ordering::Equal => self.last.as_deref().is_some_and(|last| key <= last),
            order => order.is_lt(),
        };
        if is_added {
            self.sum = self.sum.and(change);
        }
    }

    /// Adds up to `limit` rows. At the end of all, says what is wrong and begins again; what was not known before is known
    /// then, and what was wrong is told once.
    pub fn step(
        &mut self,
        limit: usize,
        ledger: &mut Ledger,
        rows: impl Fn(Tree, (Bound<Key>, Bound<Key>)) -> SledRows,
    ) -> Option<Result<(), StoreError>> {
        let mut left = limit;
        while left > 0 {
            let Some((tree, name)) = Tree::ALL.get(self.tree).copied() else { return Some(self.end(ledger)) };
            let from = self.last.clone().map_or(Bound::Unbounded, Bound::Excluded);
            let mut rows = rows(tree, (from, Bound::Unbounded));
            while left > 0 && tree as usize == self.tree {
                left -= 1;
                match rows.next_row() {
                    Some(Ok((key, value))) => {
                        if (tree, key.as_ref()) != PLACE {
                            self.sum = self.sum.and(Sum::of(tree, &key, &value));
                        }
                        self.last = Some(key.to_vec());
                    }
                    Some(Err(StoreError::Broken(_))) => {
                        self.unread.push(name);
                        self.next_tree();
                    }
                    Some(Err(error)) => return Some(Err(error)),
                    None => self.next_tree(),
                }
            }
        }
        None
    }

    fn next_tree(&mut self) {
        (self.tree, self.last) = (self.tree + 1, None);
    }

    fn end(&mut self, ledger: &mut Ledger) -> Result<(), StoreError> {
        let Self { sum, unread, .. } = std::mem::take(self);
        if !unread.is_empty() {
            let trees = unread.join(", ");
            return Err(StoreError::Broken(format!(
                "a page of the log cannot be read, with all rows on it, in {trees}"
            )));
        }
        match ledger.sum.replace(sum) {
            Some(written) if written != sum => {
                let (written, found) = (written.rows, sum.rows);
                Err(StoreError::Broken(format!(
                    "of {written} rows that were written {found} are there, and not all of them as they were written"
                )))
            }
            _ => Ok(()),
        }
    }
}
