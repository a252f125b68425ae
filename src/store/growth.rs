//! How fast the store's files grow, from looks at their size in the last days. What stays true: it is held in memory, so a start
//! begins anew, and before an hour is over nobody can tell.

use std::collections::VecDeque;

use crate::domain::time::{DAY_MS, HOUR_MS, UnixMs};

/// Between two looks that are kept.
const EVERY_MS: u64 = HOUR_MS;
/// Looks that are kept: a week of them.
const LOOKS_MAX: usize = 7 * 24 + 1;
/// Growth over less time says nothing.
const OVER_MS_MIN: u64 = HOUR_MS;

/// Looks at the size of the files, the oldest first.
#[derive(Debug, Default)]
pub struct Sizes(VecDeque<(UnixMs, u64)>);

/// By how much the files have grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// Bytes; negative: they have become smaller.
    pub bytes: i64,
    /// In so many milliseconds, at least an hour.
    pub over_ms: u64,
}

impl Sizes {
    /// Whether another look is to be kept.
    pub fn is_due(&self, now: UnixMs) -> bool {
        self.0.back().is_none_or(|(at, _)| now >= at + EVERY_MS)
    }

    /// They have this size.
    pub fn keep(&mut self, now: UnixMs, bytes: u64) {
        if self.0.len() == LOOKS_MAX {
            self.0.pop_front();
        }
        self.0.push_back((now, bytes));
    }

    /// How they have grown until they had this size; `None` if that is not known yet.
    pub fn growth(&self, now: UnixMs, bytes: u64) -> Option<Growth> {
        let (since, before) = self.0.front()?;
        let over_ms = now.saturating_sub(*since);
        (over_ms >= OVER_MS_MIN).then(|| Growth { bytes: bytes as i64 - *before as i64, over_ms })
    }
}

impl Growth {
    /// Bytes a day.
    pub fn a_day(self) -> i64 {
        (i128::from(self.bytes) * i128::from(DAY_MS) / i128::from(self.over_ms)) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_known_after_an_hour_and_is_that_of_the_last_week() {
        let mut sizes = Sizes::default();
        assert_eq!(sizes.growth(0, 7), None);
        assert!(sizes.is_due(0));
        sizes.keep(0, 100);
        assert!(!sizes.is_due(HOUR_MS - 1) && sizes.is_due(HOUR_MS));
        assert_eq!(sizes.growth(HOUR_MS - 1, 200), None);
        let growth = sizes.growth(2 * HOUR_MS, 150).unwrap();
        assert_eq!((growth, growth.a_day()), (Growth { bytes: 50, over_ms: 2 * HOUR_MS }, 600));
        assert_eq!(sizes.growth(DAY_MS, 40).unwrap().a_day(), -60);
        (1..=200).for_each(|hour| sizes.keep(hour * HOUR_MS, 100 + hour));
        let growth = sizes.growth(200 * HOUR_MS, 300).unwrap();
        assert_eq!((growth.over_ms, growth.bytes), (7 * DAY_MS, 168));
    }
}
