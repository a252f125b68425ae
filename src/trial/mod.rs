//! A receiver's own test suite: what is sent to it, what a right one makes of that, and what follows from an answer. And a
//! product that it can be written against (`play`). What stays true: nothing here does I/O or knows a product; genuine
//! requests are made by the code that makes deliveries, and the others differ from them in one thing only; and a case that a
//! contract has no room for is told with the reason.

mod applies;
mod case;
mod edit;
mod judge;
mod kind;
mod make;
mod play;
mod subject;
mod vary;
mod words;

#[cfg(test)]
mod tests;

pub use case::Case;
pub use judge::{Finding, Must, Verdict, in_time, judge};
pub use kind::{Expect, Kind};
pub use make::Sent;
pub use play::{Move, Odds, Play, Player, Rules, Score, Trick};
pub use subject::{Given, Subject};

/// All cases, in the order in which they are sent: what must be taken, then what must be refused.
pub fn cases(subject: &Subject) -> Vec<Case> {
    let case = |(place, kind): (usize, Kind)| Case {
        name: words::name(kind, subject),
        title: words::title(kind, subject),
        not_applicable: applies::applies(kind, subject).err(),
        kind,
        place,
    };
    subject.kinds().enumerate().map(case).collect()
}
