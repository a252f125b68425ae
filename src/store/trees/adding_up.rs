//! The sum of the rows that a pass over all of them has met, to be held against the one that the groups have written. The
//! pass is the scrub's (`upkeep/scrub`), by who writes, so nothing moves between two steps; what is written to a row that it
//! has met changes both sums alike.

use super::ledger::{Ledger, PLACE, Sum};
use crate::store::layout::{Key, Tree};

/// How far it is.
#[derive(Debug, Clone, Default)]
pub struct AddingUp {
    /// What lies before it is added; `None` while nothing is.
    before: Option<(Tree, Key)>,
    sum: Sum,
}

impl AddingUp {
    /// A row changed the sum of all rows by so much.
    pub fn changed(&mut self, tree: Tree, key: &[u8], change: Sum) {
        if self.before.as_ref().is_some_and(|(of, from)| (tree, key) < (*of, from.as_slice())) {
            self.sum = self.sum.and(change);
        }
    }

    /// Adds a row that the pass has met.
    pub fn add(&mut self, tree: Tree, key: &[u8], stored: &[u8]) {
        if (tree, key) != PLACE {
            self.sum = self.sum.and(Sum::of(tree, key, stored));
        }
    }

    /// The pass goes on from there; all before is added.
    pub fn go_on_from(&mut self, place: (Tree, Key)) {
        self.before = Some(place);
    }

    /// All rows are added: what is wrong, if anything, is told once. What was not known before is known then.
    pub fn end(&mut self, ledger: &mut Ledger) -> Option<String> {
        let Self { sum, .. } = std::mem::take(self);
        let written = ledger.sum.replace(sum).filter(|written| *written != sum)?;
        let (written, found) = (written.rows, sum.rows);
        Some(format!("of {written} rows that were written {found} are there, and not all of them as they were written"))
    }
}
