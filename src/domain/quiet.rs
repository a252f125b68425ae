//! A quiet time of one webhook and one kind of notice: what is counted in it. What stays true: it stays small however much is
//! counted.

use serde::{Deserialize, Serialize};

use super::id::WebhookNumber;
use super::notice::{Notices, QUIET_SECONDS_MAX};
use super::time::UnixMs;

/// Webhooks that are told apart in what is counted.
const ABOUT_MAX: usize = 100;

/// What one webhook was not told one by one, of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    /// When one was told.
    pub since: UnixMs,
    /// When what was counted is told.
    pub until: UnixMs,
    /// How many were not told.
    pub count: u64,
    /// The webhooks that they are about, at most a hundred; ascending.
    pub about: Vec<WebhookNumber>,
    /// Whether there are more of them.
    pub more: bool,
}

impl Quiet {
    /// One that begins at `now`.
    pub fn from(now: UnixMs, of: Notices) -> Self {
        let until = now + u64::from(of.quiet_seconds) * 1000;
        Self { since: now, until, count: 0, about: Vec::new(), more: false }
    }

    /// Counts a notice about this webhook, or about none.
    pub fn count(&mut self, about: Option<WebhookNumber>) {
        self.count += 1;
        let Some(about) = about else { return };
        if let Err(place) = self.about.binary_search(&about) {
            match self.about.len() < ABOUT_MAX {
                true => self.about.insert(place, about),
                false => self.more = true,
            }
        }
    }

    /// How many webhooks they are about, in words; none if they are about none.
    pub fn webhooks(&self) -> Option<String> {
        match (self.about.len(), self.more) {
            (0, _) => None,
            (1, _) => Some("1 webhook".into()),
            (count, false) => Some(format!("{count} webhooks")),
            (count, true) => Some(format!("more than {count} webhooks")),
        }
    }

    /// When it is over, seen from `now`: a clock that was set back makes none longer than any may be.
    pub fn ends_at(&self, now: UnixMs) -> UnixMs {
        let longest = u64::from(QUIET_SECONDS_MAX) * 1000;
        if self.until.saturating_sub(now) > longest { now } else { self.until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = 1_000_000_000;

    #[test]
    fn however_much_is_counted_a_hundred_webhooks_are_told_apart() {
        let mut quiet = Quiet::from(NOW, Notices { quiet_seconds: 60 });
        assert_eq!((quiet.webhooks(), quiet.until), (None, NOW + 60_000));
        quiet.count(None);
        assert_eq!((quiet.webhooks(), quiet.count), (None, 1));
        for (upto, wanted) in [(1, "1 webhook"), (100, "100 webhooks"), (5000, "more than 100 webhooks")] {
            (1..=upto).rev().for_each(|number| quiet.count(Some(number)));
            assert_eq!(quiet.webhooks().as_deref(), Some(wanted));
        }
        assert_eq!((quiet.count, quiet.about.len()), (5102, 100));
        assert!(quiet.about.is_sorted());
    }

    #[test]
    fn a_clock_that_was_set_back_makes_it_no_longer() {
        let quiet = Quiet::from(NOW, Notices { quiet_seconds: 60 });
        assert_eq!([NOW, NOW + 60_000].map(|now| quiet.ends_at(now)), [quiet.until; 2]);
        let long_ago = NOW - u64::from(QUIET_SECONDS_MAX) * 1000;
        assert_eq!(quiet.ends_at(long_ago), long_ago);
    }
}
