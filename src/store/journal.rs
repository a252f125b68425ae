//! The journal: what happened, commit by commit, for who watches it live. What stays true: each row names the one before, so who
//! reads on from a row sees whether anything is missing in between; there are only so many; and where its tree cannot be read,
//! nothing is written there, so that the store goes on without it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::error::StoreError;
use super::layout::{self, Tree};
use super::record;
use super::trees::Trees;
use crate::domain::happening::Happening;
use crate::domain::time::{HOUR_MS, UnixMs};

/// It is written so long after somebody has looked at it: who comes back by then has missed nothing.
const WATCHED_MS: u64 = HOUR_MS;
/// Rows that are kept: where little happens at once each tells of one thing, and an hour of that is to be kept.
const ROWS_MAX: usize = 1 << 16;

/// What one commit, or a part of it, tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRow {
    /// The row before it; 0 where nobody watched before, so what happened then is in none.
    pub previous: u128,
    /// In the order in which it happened.
    pub happened: Vec<Happening>,
}

/// Whether somebody watches, and how far the journal is. Shared by all.
#[derive(Debug)]
pub struct Journal {
    /// It is written until then.
    until: AtomicU64,
    /// The newest row, told anew with each group while somebody watches; 0: there is none.
    newest: watch::Sender<u128>,
}

impl Journal {
    /// As what is on the disk says: a server that was started anew goes on with it.
    pub fn at_start(rows: &Rows, now: UnixMs) -> Self {
        Self { until: AtomicU64::new(rows.written_until(now)), newest: watch::Sender::new(rows.newest()) }
    }

    /// Whether it is written.
    pub fn is_watched(&self, now: UnixMs) -> bool {
        now < self.until.load(Ordering::Relaxed)
    }

    /// Somebody watches. Says whether it was written already.
    pub fn watch(&self, now: UnixMs) -> bool {
        self.until.fetch_max(now + WATCHED_MS, Ordering::Relaxed) > now
    }

    /// A group is written.
    pub fn tell(&self, newest: u128) {
        self.newest.send_replace(newest);
    }

    /// Hears of each.
    pub fn newest(&self) -> watch::Receiver<u128> {
        self.newest.subscribe()
    }
}

/// What the commit thread knows of the rows that there are.
#[derive(Debug, Default)]
pub struct Rows {
    /// Each with how much it tells of, the oldest first.
    all: VecDeque<(u128, usize)>,
    happenings: usize,
    /// The row that the next one follows; 0 where it follows none without a gap.
    pub last: u128,
    /// There is a page of them that cannot be read. None is written or removed then: that would fail, and with it the whole
    /// group that it is for.
    pub are_torn: bool,
}

impl Rows {
    /// As they are on the disk.
    pub fn read(trees: &Trees, now: UnixMs) -> Result<Self, StoreError> {
        let mut rows = Self::default();
        for row in trees.all(Tree::Journal) {
            let row = row.and_then(|(key, value)| read(&key, &value));
            let row = match trees.readable(row) {
                Err(StoreError::Broken(why)) => {
                    tracing::error!(why, "the journal cannot be read, so streams tell nothing; all else goes on");
                    return Ok(Self { are_torn: true, ..Self::default() });
                }
                row => row?,
            };
            row.into_iter().for_each(|(id, row)| rows.add(id, row.happened.len()));
        }
        rows.last = if now < rows.written_until(now) { rows.newest() } else { 0 };
        Ok(rows)
    }

    /// The newest; 0 if there is none.
    pub fn newest(&self) -> u128 {
        self.all.back().map_or(0, |(id, _)| *id)
    }

    /// Until when the journal was to be written, at least, when the newest was. Seen from now that is no longer than an hour,
    /// whatever the clock was set back by.
    fn written_until(&self, now: UnixMs) -> UnixMs {
        self.all.back().map_or(0, |(id, _)| ((id >> 80) as u64).min(now) + WATCHED_MS)
    }

    /// A row is added.
    pub fn add(&mut self, id: u128, happenings: usize) {
        self.all.push_back((id, happenings));
        self.happenings += happenings;
        self.last = id;
    }

    /// Takes the oldest away.
    pub fn remove_oldest(&mut self) -> Option<u128> {
        let (id, happenings) = self.all.pop_front()?;
        self.happenings -= happenings;
        Some(id)
    }

    /// Whether they are more than may be; the newest always may.
    pub fn are_too_many(&self, happenings_max: usize) -> bool {
        self.all.len() > 1 && (self.all.len() > ROWS_MAX || self.happenings > happenings_max)
    }
}

/// A row, with its id.
pub fn read(key: &[u8], value: &[u8]) -> Result<(u128, JournalRow), StoreError> {
    Ok((layout::read_id(key), record::read(Tree::Journal, key, value)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_rows_go_where_they_are_too_many_and_the_newest_never() {
        let mut rows = Rows::default();
        rows.add(1, 10);
        assert!(!rows.are_too_many(5), "it is the only one");
        rows.add(2, 3);
        assert!(rows.are_too_many(12) && !rows.are_too_many(13));
        assert_eq!((rows.remove_oldest(), rows.newest(), rows.last), (Some(1), 2, 2));
        assert!(!rows.are_too_many(3));
        (3..3 + ROWS_MAX as u128).for_each(|id| rows.add(id, 0));
        assert!(rows.are_too_many(usize::MAX));
    }

    #[test]
    fn it_is_written_for_an_hour_after_the_last_look() {
        let journal = Journal::at_start(&Rows::default(), 1);
        assert!(!journal.is_watched(1));
        assert_eq!([journal.watch(100), journal.watch(200), journal.watch(50)], [false, true, true]);
        assert!(journal.is_watched(199 + WATCHED_MS) && !journal.is_watched(200 + WATCHED_MS));
        assert!(!journal.watch(200 + WATCHED_MS), "what happened before may be missing");
    }

    #[test]
    fn a_clock_that_was_set_back_lets_it_be_written_for_no_longer() {
        let (mut rows, now) = (Rows::default(), 5_000);
        rows.add(u128::from(now + 10 * WATCHED_MS) << 80, 1);
        let journal = Journal::at_start(&rows, now);
        assert!(journal.is_watched(now + WATCHED_MS - 1) && !journal.is_watched(now + WATCHED_MS));
    }
}
