//! The range of time that a page is of: in its address, so it can be sent to somebody.

use maud::{Markup, html};

use crate::api::Problem;
use crate::dashboard::links;
use crate::dashboard::seat::Seat;
use crate::domain::stats::{Span, Step};
use crate::domain::time::{DAY_MS, HOUR_MS, UnixMs};

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

    /// Its whole steps, of which the last is the one that `now` lies in.
    pub fn span(self, now: UnixMs) -> Result<Span, Problem> {
        let (step, length_ms) = match self {
            Self::Hour => (Step::Minute, HOUR_MS),
            Self::Day => (Step::Hour, DAY_MS),
            Self::Week => (Step::Hour, 7 * DAY_MS),
            Self::Month => (Step::Day, 30 * DAY_MS),
        };
        let from = (step.start_of(now) + step.ms()).saturating_sub(length_ms);
        Span::new(Some(step), Some(from), None, now).map_err(|_| Problem::internal("a range that is none"))
    }

    /// All, to choose from on the page that was asked for.
    pub fn choice(self, seat: &Seat) -> Markup {
        html! {
            nav.ranges aria-label="Range of time" {
                @for range in Self::ALL {
                    a href=(links::changed(seat.asked(), &[("range", Some(range.word())), ("said", None)]))
                        aria-current=[(range == self).then_some("true")] { (range.called()) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_range_is_as_long_as_it_says_up_to_now() {
        let now = 20_000 * DAY_MS + DAY_MS / 2 + 7;
        let points = |range: Range| {
            let span = range.span(now).unwrap();
            (span.starts().count(), span.point_of(now).is_some())
        };
        assert_eq!(Range::ALL.map(points), [(60, true), (24, true), (7 * 24, true), (30, true)]);
        assert_eq!(Range::ALL.map(|range| Range::of(&format!("/x?a=b&range={}", range.word()))), Range::ALL);
        assert_eq!((Range::of("/x"), Range::of("/x?range=1y")), (Range::Day, Range::Day));
    }
}
