//! Space that was freed within the files is used again. A segment of sled's log can be written anew once all that counts of it
//! lies elsewhere. sled sees to that for one page each time that it writes a page whole, which is too seldom where rows come and
//! go in many places, and takes the segments in the order of the file, so the last ones wait for ever: the files grew to
//! twenty times of what was kept in them. (sled's own flusher would help, but it also syncs and drops the error, and then a sync
//! of ours succeeds that should not.) So a thread has sled write a page whole again and again that nobody reads. What stays true:
//! it does so while the files grow by more than is explained by what they hold; it takes a fifth of a core, more the larger the files
//! are against what they hold, and half of the time at most; a sync has its turn before the next few pages, and after one that
//! failed nothing more is reclaimed. Where much is written the thread hardly gets a turn between the syncs, so while the files are
//! larger than they need be, who writes cleans too: each group pays for its keys before it is synced.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::inner::Inner;
use super::trees::files::SEGMENT_BYTES;
use crate::clock::{Effort, Stopwatch};
use crate::pulse::or_end;

/// Between two looks at the files.
const PACE: Duration = Duration::from_secs(1);
/// Pages that are cleaned before it rests, for each degree of haste: a sync waits for them, about half a millisecond.
const SLICE: usize = 8;
/// How many times as long as it had a processor it rests where there is no haste. (How long it waited for a sync, or for the
/// disk, does not count: where one sync follows another it would come to next to nothing.)
const RESTS: u32 = 4;
/// For how long it lets a sync go before it looks again.
const YIELDS: Duration = Duration::from_micros(200);
/// The highest degree of haste: it rests as long as it works.
const HASTE: u32 = RESTS;
/// Pages a second, at least where there is a reason to reclaim, and at most.
const PAGES: std::ops::RangeInclusive<usize> = 1_000..=32_000;
/// With every second in which there is none, one of so many pages less.
const FADES: usize = 32;
/// While the files are larger than they need be, so many keys that are written pay for one page, and half as many with each further
/// degree of haste. (sled cleans one for ten by itself.)
const KEYS_A_PAGE: usize = 16;
/// So many times as much as what is held may the files take: a log with segments that are half full.
const GROWS: u64 = 3;
/// What an open delivery takes: its row, and one that says what waits or when it is due.
const OPEN_BYTES: u64 = 256;

/// The thread. It ends when this is dropped.
pub struct Reclaimer(Option<(Sender<()>, JoinHandle<()>)>);

impl Reclaimer {
    /// Reclaims space of the store from now on.
    pub fn start(inner: Arc<Inner>) -> Self {
        let (stop, stopped) = mpsc::channel();
        let reclaims = move || or_end("reclaim", || reclaim(&inner, &stopped));
        match std::thread::Builder::new().name("reclaim".into()).spawn(reclaims) {
            Ok(thread) => Self(Some((stop, thread))),
            Err(error) => {
                tracing::warn!(%error, "there is no thread for it, so the store's files may grow");
                Self(None)
            }
        }
    }
}

impl Drop for Reclaimer {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.0.take() {
            drop(stop);
            thread.join().expect("a panic of it ends the process");
        }
    }
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
struct Size {
    /// Bytes of the files.
    files: u64,
    /// Bytes of what they hold.
    held: u64,
}

impl Size {
    /// How much haste there is: one degree while the files are as large as may be, and one more with each half of what they hold
    /// that they could hold beyond that. The larger they are, the fewer pages stand in the way of a segment that is freed, so
    /// somewhere they are reclaimed as fast as they are written.
    fn haste(self) -> u32 {
        u32::try_from((self.halves() + 2).saturating_sub(2 * GROWS)).unwrap_or(u32::MAX).clamp(1, HASTE)
    }

    /// For how many keys that are written a page is paid; 0: none is.
    fn keys_a_page(self) -> usize {
        if self.is_large() { KEYS_A_PAGE >> (self.haste() - 2) } else { 0 }
    }

    /// Whether the files are larger than they need be.
    fn is_large(self) -> bool {
        self.halves() >= 2 * GROWS
    }

    /// How many times the files could hold a half of what they hold.
    fn halves(self) -> u64 {
        2 * self.files / self.held.max(SEGMENT_BYTES as u64)
    }
}

/// How many pages are to be reclaimed in a second.
#[derive(Debug, Default)]
struct Pages {
    now: usize,
    /// The size at the last look.
    before: Option<Size>,
    /// The most that they held. For what came and went there was room: if they grow for it again, it was not used.
    most: u64,
}

impl Pages {
    /// The store has this size now.
    fn after(&mut self, size: Size) -> usize {
        let before = self.before.replace(size).unwrap_or(size);
        let explained = if size.is_large() { 0 } else { GROWS * size.held.saturating_sub(self.most) };
        self.most = self.most.max(size.held);
        let grown = size.files.saturating_sub(before.files).saturating_sub(explained);
        self.now = match grown >= SEGMENT_BYTES as u64 {
            true => (self.now * 2).clamp(*PAGES.start(), *PAGES.end()),
            false => self.now - self.now.div_ceil(FADES),
        };
        self.now
    }
}

fn reclaim(inner: &Inner, stopped: &Receiver<()>) {
    let mut pages = Pages::default();
    let mut rest = PACE;
    while stopped.recv_timeout(rest) == Err(RecvTimeoutError::Timeout) {
        let watch = Stopwatch::start();
        let size = size(inner);
        inner.fare.set(size.map_or(0, Size::keys_a_page));
        let (mut left, haste) = size.map_or((0, 1), |size| (pages.after(size), size.haste()));
        let slice = SLICE * haste as usize;
        while left > 0 && watch.elapsed() < PACE {
            let effort = Effort::start();
            // Who writes meets the same error, and has to do something about it.
            let Ok(is_done) = inner.trees().and_then(|trees| trees.reclaim(slice)) else { break };
            left = left.saturating_sub(if is_done { slice } else { 0 });
            let rests = if is_done { effort.spent() * RESTS / haste } else { YIELDS };
            if stopped.recv_timeout(rests) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
        rest = PACE.saturating_sub(watch.elapsed());
    }
}

/// The size of the store; none while it is closed.
fn size(inner: &Inner) -> Option<Size> {
    let sums = inner.sums();
    let files = inner.trees().and_then(|trees| trees.size_bytes()).ok()?;
    Some(Size { files, held: sums.kept.total() + OPEN_BYTES * sums.totals.open() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::layout::{self, Tree};
    use crate::store::settings::Settings;
    use crate::store::trees::{Trees, Writes};

    const SEGMENT: u64 = SEGMENT_BYTES as u64;

    /// The files' bytes after rows have come and gone in many places, where so many pages are reclaimed each time.
    fn size_after_rows_that_come_and_go(reclaims: usize) -> u64 {
        const PLACES: u32 = 1_000;
        const KEPT: u128 = 60;
        let dir = tempfile::tempdir().unwrap();
        let trees = Trees::open(&Settings::at(dir.path()), Arc::default()).unwrap();
        for round in 0..5 * KEPT {
            let mut writes = Writes::default();
            for place in 0..PLACES {
                writes.push(Tree::Closed, layout::numbered(place, round), Some(vec![7; 120]));
                let gone = round.checked_sub(KEPT);
                gone.into_iter().for_each(|gone| writes.push(Tree::Closed, layout::numbered(place, gone), None));
            }
            trees.write(&writes).unwrap();
            trees.reclaim(reclaims).unwrap();
            // As after every group: sled uses a segment again once what lies elsewhere is written.
            trees.sync().unwrap();
        }
        assert_eq!(trees.all(Tree::Closed).count(), PLACES as usize * KEPT as usize);
        trees.size_bytes().unwrap()
    }

    #[test]
    fn a_store_whose_space_is_reclaimed_uses_it_again() {
        let (reclaimed, not) = (size_after_rows_that_come_and_go(1_000), size_after_rows_that_come_and_go(0));
        println!("{} MiB, {} MiB if nobody reclaims", reclaimed >> 20, not >> 20);
        assert!(reclaimed < not * 4 / 5, "{} of {} MiB", reclaimed >> 20, not >> 20);
    }

    #[test]
    fn the_larger_the_files_are_against_what_they_hold_the_more_haste_there_is() {
        let haste = |files, held| Size { files: files * SEGMENT, held: held * SEGMENT }.haste();
        assert_eq!([0, 10, 29, 30, 34, 35, 40, 1000].map(|files| haste(files, 10)), [1, 1, 1, 2, 2, 3, 4, 4]);
        assert_eq!([1, 2, 3, 4].map(|files| haste(files, 0)), [1, 1, 2, 4], "nothing held is a segment");
    }

    #[test]
    fn of_files_that_grow_for_no_reason_ever_more_is_reclaimed_and_of_others_ever_less() {
        let mut pages = Pages::default();
        let mut after = |files, held| pages.after(Size { files: files * SEGMENT, held: held * SEGMENT });
        assert_eq!(after(1000, 400), 0, "nobody knows how they grew");
        assert_eq!(after(1010, 404), 0, "what is held explains it");
        assert_eq!(after(1010, 405), 0, "they do not grow");
        let growing = [1011, 1013, 1015, 1017, 1019, 1021].map(|files| after(files, 405));
        assert_eq!(growing, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000]);
        assert_eq!(after(1030, 400), 32_000);
        assert_eq!(after(1031, 405), 32_000, "there was room for what came again");
        assert_eq!([after(1034, 406), after(1031, 406)], [31_000, 30_031]);
        let faded = std::iter::from_fn(|| Some(after(1000, 406))).take(500).last();
        assert_eq!(faded, Some(0));
        assert_eq!(after(1300, 433), 1_000, "of more than they may hold nothing is explained");
    }

    #[test]
    fn the_larger_the_files_are_the_fewer_keys_pay_for_a_page() {
        let keys = |files| Size { files: files * SEGMENT, held: 10 * SEGMENT }.keys_a_page();
        assert_eq!([29, 30, 34, 35, 39, 40, 1_000].map(keys), [0, 16, 16, 8, 8, 4, 4]);
    }
}
