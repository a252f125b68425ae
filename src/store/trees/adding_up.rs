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

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: (Tree, [u8; 1]) = (Tree::Fresh, [5]);

    fn of(value: &[u8]) -> Sum {
        Sum::of(ROW.0, &ROW.1, value)
    }

    #[test]
    fn a_change_counts_where_the_pass_has_been() {
        let met = |place: Option<(Tree, u8)>| {
            let mut pass = AddingUp::default();
            place.into_iter().for_each(|(tree, key)| pass.go_on_from((tree, vec![key])));
            pass.changed(ROW.0, &ROW.1, of(b"new"));
            pass.sum != Sum::default()
        };
        assert!(!met(None) && !met(Some((Tree::Fresh, 4))) && !met(Some((Tree::Fresh, 5))));
        assert!(met(Some((Tree::Fresh, 6))) && met(Some((Tree::Waiting, 0))));
        assert!(!met(Some((Tree::Events, 9))), "a tree that comes before");
    }

    #[test]
    fn a_difference_is_told_once_and_what_was_not_known_is_known_then() {
        let pass = |ledger: &mut Ledger| {
            let mut pass = AddingUp::default();
            pass.add(ROW.0, &ROW.1, b"old");
            pass.add(PLACE.0, PLACE.1, b"the ledger itself");
            pass.end(ledger)
        };
        let told = |sum: Option<Sum>| {
            let mut ledger = Ledger { sum, ..Ledger::default() };
            let told = pass(&mut ledger);
            assert_eq!(ledger.sum, Some(of(b"old")));
            assert_eq!(pass(&mut ledger), None);
            told.is_some()
        };
        assert_eq!([None, Some(of(b"old")), Some(of(b"new"))].map(told), [false, false, true]);
    }
}
