//! Damage: a row that cannot be read. Whoever meets one goes on without it and reports it here; upkeep puts it aside
//! (`upkeep/quarantine`). What is known of the soundness of the whole store is kept here too, for readiness and metrics.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::layout::{Key, Tree};

/// Reports that may wait. What is not taken is met again.
const REPORTS_MAX: usize = 1024;

/// A row that cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Where it lies.
    pub(super) tree: Tree,
    /// Its key.
    pub(super) key: Key,
    /// What is wrong.
    pub(super) why: String,
}

impl Damage {
    /// Of the row at this key.
    pub(super) fn at(tree: Tree, key: &[u8], why: impl Into<String>) -> Self {
        Self { tree, key: key.to_vec(), why: why.into() }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.tree.name())?;
        self.key.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, ": {}", self.why)
    }
}

/// What is known of how sound the store is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Soundness {
    /// Rows in quarantine, by the tree that they were in.
    pub quarantined: BTreeMap<&'static str, u64>,
    /// Rows that the scrub after the start has looked at.
    pub scrubbed_rows: u64,
    /// Whether it has looked at all.
    pub is_scrubbed: bool,
    /// Where what is there and what was counted differ, in words.
    pub differences: Vec<String>,
}

/// Rows to be put aside, and what is known of all others.
#[derive(Debug, Default)]
pub struct Reports {
    waiting: Mutex<BTreeMap<(Tree, Key), String>>,
    count: AtomicUsize,
    soundness: Mutex<Soundness>,
    scrubbed_rows: AtomicU64,
}

impl Reports {
    /// Somebody met it.
    pub fn note(&self, damage: Damage) {
        let mut waiting = self.waiting.lock().expect("no holder of the lock panics");
        if waiting.len() < REPORTS_MAX {
            waiting.insert((damage.tree, damage.key), damage.why);
        }
        self.count.store(waiting.len(), Ordering::Relaxed);
    }

    /// Whether any waits.
    pub fn are_waiting(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Takes some.
    pub fn take(&self, limit: usize) -> Vec<Damage> {
        let mut waiting = self.waiting.lock().expect("no holder of the lock panics");
        let taken = std::iter::from_fn(|| waiting.pop_first()).take(limit);
        let taken = taken.map(|((tree, key), why)| Damage { tree, key, why }).collect();
        self.count.store(waiting.len(), Ordering::Relaxed);
        taken
    }

    /// Counts rows that were put aside.
    pub fn count_quarantined(&self, tree: &str, rows: u64) {
        if let Some((_, name)) = Tree::ALL.iter().find(|(_, name)| *name == tree) {
            *self.soundness.lock().expect("no holder of the lock panics").quarantined.entry(name).or_default() += rows;
        }
    }

    /// A row of this tree that was put aside is kept no more.
    pub fn count_forgotten(&self, tree: Tree) {
        let quarantined = &mut self.soundness.lock().expect("no holder of the lock panics").quarantined;
        if let Some(rows) = quarantined.get_mut(tree.name()) {
            *rows -= 1;
        }
        quarantined.retain(|_, rows| *rows > 0);
    }

    /// They are counted anew.
    pub fn forget_quarantined(&self) {
        self.soundness.lock().expect("no holder of the lock panics").quarantined.clear();
    }

    /// The scrub looked at so many more rows.
    pub fn count_scrubbed(&self, rows: u64) {
        self.scrubbed_rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// The scrub begins.
    pub fn begin_scrub(&self) {
        self.scrubbed_rows.store(0, Ordering::Relaxed);
    }

    /// The scrub is done, and found this.
    pub fn end_scrub(&self, differences: Vec<String>) {
        let mut soundness = self.soundness.lock().expect("no holder of the lock panics");
        (soundness.is_scrubbed, soundness.differences) = (true, differences);
    }

    /// All that is known.
    pub fn soundness(&self) -> Soundness {
        let mut known = self.soundness.lock().expect("no holder of the lock panics").clone();
        known.scrubbed_rows = self.scrubbed_rows.load(Ordering::Relaxed);
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_wait_until_they_are_taken_and_what_is_too_much_is_met_again() {
        let reports = Reports::default();
        assert!(!reports.are_waiting());
        for n in 0..=REPORTS_MAX {
            reports.note(Damage::at(Tree::Closed, &n.to_be_bytes(), "torn"));
        }
        assert!(reports.are_waiting());
        assert_eq!(reports.take(1).len(), 1);
        assert_eq!(reports.take(usize::MAX).len(), REPORTS_MAX - 1);
        assert!(!reports.are_waiting());
    }

    #[test]
    fn a_start_counts_anew_and_a_scrub_tells_what_it_found() {
        let reports = Reports::default();
        reports.count_scrubbed(5);
        reports.count_scrubbed(2);
        reports.count_quarantined("closed", 2);
        reports.count_quarantined("events", 1);
        reports.count_forgotten(Tree::Events);
        reports.end_scrub(vec!["a row is missing".into()]);
        let found = Soundness {
            quarantined: BTreeMap::from([("closed", 2)]),
            scrubbed_rows: 7,
            is_scrubbed: true,
            differences: vec!["a row is missing".into()],
        };
        assert_eq!(reports.soundness(), found);
        reports.begin_scrub();
        reports.forget_quarantined();
        assert_eq!(reports.soundness(), Soundness { quarantined: BTreeMap::new(), scrubbed_rows: 0, ..found });
    }
}
