//! What a process remembers of the database that it shares, over all times that it owned the rows. What stays true: a group that was
//! acknowledged to it is never forgotten here.

use std::sync::{Mutex, MutexGuard};

use super::answers::Answers;
use super::database::{Tenure, Told};

/// For as long as the process lives.
#[derive(Debug, Default)]
pub struct Remembered {
    told: Mutex<Told>,
    /// How long the database took to answer.
    pub answers: Answers,
}

impl Remembered {
    /// What the database has told.
    pub fn told(&self) -> Told {
        *self.lock()
    }

    /// It owns the rows from now on, in which this is the last group of its own.
    pub fn took(&self, incarnation: i64, group: i64) {
        *self.lock() = Told { last: Some((incarnation, group)), was_fenced: false };
        self.answers.took();
    }

    /// A group is known to be there.
    pub fn acknowledged(&self, of: &Tenure, group: i64) {
        self.lock().last = Some((of.incarnation, group));
    }

    /// Another has what this process had.
    pub fn fenced(&self) {
        self.lock().was_fenced = true;
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().expect("no holder of the lock panics")
    }
}
