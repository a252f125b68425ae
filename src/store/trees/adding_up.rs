//! The sum of the rows that a pass over all of them has met, to be held against the one that the groups have written. The
//! pass is the scrub's (`upkeep/scrub`), by who writes, so nothing moves between two steps; what is written to a row that it
//! has met changes both sums alike. What it has met is also counted, tree by tree; once it has met all, those counts go on with
//! each group, so that nobody has to look again at how much there is of what.

use super::ledger::{Ledger, PLACE, Sum};
use crate::store::layout::{Key, Tree};

/// How far it is.
#[derive(Debug, Clone, Default)]
pub struct AddingUp {
    /// What lies before it is added; `None` while nothing is.
    before: Option<(Tree, Key)>,
    sum: Sum,
    amounts: Amounts,
    /// A pass has met all rows since the opening: the amounts are those of all.
    is_whole: bool,
}

/// How much there is of something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Rows.
    pub rows: u64,
    /// Their bytes: keys, values and checksums.
    pub bytes: u64,
}

/// How much there is in each tree.
#[derive(Debug, Clone)]
struct Amounts([Amount; Tree::ALL.len()]);

impl Default for Amounts {
    fn default() -> Self {
        Self([Amount { rows: 0, bytes: 0 }; Tree::ALL.len()])
    }
}

impl Amount {
    fn change(&mut self, key: &[u8], before: Option<usize>, after: Option<usize>) {
        let of = |bytes: Option<usize>| bytes.map_or((0, 0), |bytes| (1, (key.len() + bytes) as u64));
        let ((rows_before, bytes_before), (rows, bytes)) = (of(before), of(after));
        self.rows = (self.rows + rows).saturating_sub(rows_before);
        self.bytes = (self.bytes + bytes).saturating_sub(bytes_before);
    }
}

impl AddingUp {
    /// A row changed the sum of all rows by so much; and the bytes of its value, if there is one, from these to those.
    pub fn changed(&mut self, tree: Tree, key: &[u8], change: Sum, (before, after): (Option<usize>, Option<usize>)) {
        let is_met = self.before.as_ref().is_some_and(|(of, from)| (tree, key) < (*of, from.as_slice()));
        if is_met {
            self.sum = self.sum.and(change);
        }
        if is_met || self.is_whole {
            self.amounts.0[tree as usize].change(key, before, after);
        }
    }

    /// Adds a row that the pass has met.
    pub fn add(&mut self, tree: Tree, key: &[u8], stored: &[u8]) {
        if (tree, key) != PLACE {
            self.sum = self.sum.and(Sum::of(tree, key, stored));
            self.amounts.0[tree as usize].change(key, None, Some(stored.len()));
        }
    }

    /// How much there is in each tree that has anything; `None` before a pass has met all.
    pub fn amounts(&self) -> Option<Vec<(Tree, Amount)>> {
        let all = Tree::ALL.iter().map(|(tree, _)| *tree).zip(self.amounts.0);
        self.is_whole.then(|| all.filter(|(_, amount)| amount.rows > 0).collect())
    }

    /// The pass goes on from there; all before is added.
    pub fn go_on_from(&mut self, place: (Tree, Key)) {
        self.before = Some(place);
    }

    /// All rows are added: what is wrong, if anything, is told once. What was not known before is known then.
    pub fn end(&mut self, ledger: &mut Ledger) -> Option<String> {
        let Self { sum, amounts, .. } = std::mem::take(self);
        (self.amounts, self.is_whole) = (amounts, true);
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
            pass.changed(ROW.0, &ROW.1, of(b"new"), (None, Some(3)));
            assert_eq!(pass.amounts.0[ROW.0 as usize].rows > 0, pass.sum != Sum::default());
            pass.sum != Sum::default()
        };
        assert!(!met(None) && !met(Some((Tree::Fresh, 4))) && !met(Some((Tree::Fresh, 5))));
        assert!(met(Some((Tree::Fresh, 6))) && met(Some((Tree::Waiting, 0))));
        assert!(!met(Some((Tree::Events, 9))), "a tree that comes before");
    }

    #[test]
    fn what_there_is_is_known_once_all_is_met_and_follows_what_is_written() {
        let mut pass = AddingUp::default();
        pass.add(ROW.0, &ROW.1, b"four");
        pass.add(PLACE.0, PLACE.1, b"the ledger itself");
        assert_eq!(pass.amounts(), None);
        pass.end(&mut Ledger::default());
        let of = |rows, bytes| Some(vec![(ROW.0, Amount { rows, bytes })]);
        assert_eq!(pass.amounts(), of(1, 5));
        pass.changed(ROW.0, &[6], Sum::default(), (None, Some(10)));
        assert_eq!(pass.amounts(), of(2, 16));
        pass.changed(ROW.0, &[6], Sum::default(), (Some(10), Some(2)));
        pass.changed(ROW.0, &ROW.1, Sum::default(), (Some(4), None));
        assert_eq!(pass.amounts(), of(1, 3));
        pass.changed(ROW.0, &[6], Sum::default(), (Some(2), None));
        assert_eq!(pass.amounts(), Some(Vec::new()));
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
