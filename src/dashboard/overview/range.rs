//! The range of time that an overview is of: in its address, so it can be sent to somebody.

use crate::api::stats::input::StatsQuery;
use crate::dashboard::links;
use crate::domain::stats::Step;
use crate::domain::time::{self, DAY_MS, UnixMs};

/// A range that ends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// An hour, by minute.
    Hour,
    /// A day, by hour.
    Day,
    /// A week, by hour.
    Week,
    /// 30 days, by day.
    Month,
}

impl Range {
    /// All, the shortest first.
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// The one that an address asks for; a day if it asks for none that there is.
    pub fn of(asked: &str) -> Self {
        let word = links::value(asked, "range");
        Self::ALL.into_iter().find(|range| Some(range.word()) == word.as_deref()).unwrap_or(Self::Day)
    }

    /// How an address asks for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// What it is called.
    pub fn called(self) -> &'static str {
        match self {
            Self::Hour => "1 h",
            Self::Day => "24 h",
            Self::Week => "7 d",
            Self::Month => "30 d",
        }
    }

    /// The same in a sentence.
    pub fn long(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "24 hours",
            Self::Week => "7 days",
            Self::Month => "30 days",
        }
    }

    /// What the API is asked for.
    pub fn query(self, now: UnixMs) -> StatsQuery {
        let (step, from) = match self {
            Self::Hour => (Step::Minute, None),
            Self::Day => (Step::Hour, None),
            Self::Week => (Step::Hour, Some(now.saturating_sub(7 * DAY_MS))),
            Self::Month => (Step::Day, None),
        };
        StatsQuery { from: from.map(time::rfc3339), to: None, step: Some(step.word().into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_range_is_as_long_as_it_says() {
        let now = 20_000 * DAY_MS + DAY_MS / 2;
        let points = |range: Range| {
            let span = range.query(now).span(now).unwrap();
            (span.starts().count(), now < span.to)
        };
        assert_eq!(Range::ALL.map(points), [(60, true), (24, true), (169, true), (30, true)]);
        assert_eq!(Range::ALL.map(|range| Range::of(&format!("/x?a=b&range={}", range.word()))), Range::ALL);
        assert_eq!((Range::of("/x"), Range::of("/x?range=1y")), (Range::Day, Range::Day));
    }
}
