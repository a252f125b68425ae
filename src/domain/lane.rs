//! How one webhook's deliveries stand on the sending side: how many may be out at once, how many are, and what the others
//! wait for. The lane knows it, the API shows it.

use super::time::UnixMs;
use super::words::words;

/// How they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Deliveries that may be out at once, for now.
    pub window: usize,
    /// Deliveries that are out.
    pub places: usize,
    /// Of one that is pulled: how many more the consumers ask for that wait now; 0 of others.
    pub wanted: usize,
    /// What the next one waits for; `None`: it goes out now.
    pub wait: Option<Wait>,
}

/// What the next delivery waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// What it is.
    pub why: Why,
    /// Until when, where that is known.
    pub until: Option<UnixMs>,
}

/// Why a delivery does not go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There is none that is not out.
    NothingToSend,
    /// Its webhook is paused, disabled or not verified.
    Held,
    /// As many are out as may be.
    WindowFull,
    /// The endpoint is spared: it was in trouble or asked for it.
    Paused,
    /// The webhook's rate limit is used up.
    RateLimited,
    /// The first attempts of the day are used up.
    DailyLimit,
    /// Those that are left are retries, and due later.
    RetryLater,
    /// Those that are left wait for the head of their order.
    BehindHead,
    /// Others hold the places: all of them, its account's share, or those for which it is not quick enough.
    NoPlace,
    /// The bodies that are out leave no room.
    NoBytes,
    /// The server has no connection for it.
    NoConnection,
    /// Deliveries of its webhook are pulled, and nobody asks for any.
    NotPulled,
}

words!(Why {
    Self::NothingToSend => "nothing_to_send",
    Self::Held => "held",
    Self::WindowFull => "window_full",
    Self::Paused => "paused",
    Self::RateLimited => "rate_limited",
    Self::DailyLimit => "daily_limit",
    Self::RetryLater => "retry_later",
    Self::BehindHead => "behind_head",
    Self::NoPlace => "no_place",
    Self::NoBytes => "no_bytes",
    Self::NoConnection => "no_connection",
    Self::NotPulled => "not_pulled",
});

impl Why {
    /// As a wait whose end nobody knows.
    pub fn for_now(self) -> Wait {
        Wait { why: self, until: None }
    }

    /// As a wait until then.
    pub fn until(self, at: UnixMs) -> Wait {
        Wait { why: self, until: Some(at) }
    }
}

impl Standing {
    /// The same by what the counters say: so many deliveries have not ended, and in an order some may wait for others. What
    /// waits on disk the lane knows only where it has looked.
    pub fn with_open(self, open: u64, is_ordered: bool) -> Self {
        let all_are_out = open <= self.places as u64;
        let wait = match self.wait.map(|wait| wait.why) {
            Some(Why::Held) => self.wait,
            _ if all_are_out => Some(Why::NothingToSend.for_now()),
            // Of others the lane has not heard yet.
            Some(Why::NothingToSend) => is_ordered.then(|| Why::BehindHead.for_now()),
            _ => self.wait,
        };
        Self { wait, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_there_is_anything_left_to_send_the_counters_say() {
        let waits = |wait, open, is_ordered| {
            let standing = Standing { window: 4, places: 2, wanted: 0, wait }.with_open(open, is_ordered);
            standing.wait.map(|wait| (wait.why.word(), wait.until))
        };
        let full = Some(Why::WindowFull.for_now());
        assert_eq!(waits(full, 3, false), Some(("window_full", None)));
        assert_eq!(waits(full, 2, false), Some(("nothing_to_send", None)));
        let none = Some(Why::NothingToSend.for_now());
        assert_eq!(waits(none, 3, false), None, "it goes out in a moment");
        assert_eq!(waits(none, 3, true), Some(("behind_head", None)));
        assert_eq!(waits(Some(Why::Held.until(7)), 0, true), Some(("held", Some(7))));
        assert_eq!(waits(Some(Why::Paused.until(7)), 9, true), Some(("paused", Some(7))));
        assert_eq!(waits(None, 2, false), Some(("nothing_to_send", None)));
    }
}
