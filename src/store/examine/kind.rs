//! What can be wrong in a store, as data: of each kind how bad it is, in which words it is told, and what to do about it.

use crate::domain::finding::Severity;

/// A kind of what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A page of the log cannot be read.
    Page,
    /// A row cannot be read.
    Row,
    /// A key is none of its tree.
    Key,
    /// A row was put aside.
    PutAside,
    /// A producer's id does not lead to its event.
    NameLost,
    /// It leads to an event that is not there.
    NameOfNothing,
    /// A delivery that waits for its time is not among what is due.
    DueLost,
    /// What is due is not what waits.
    DueOfNothing,
    /// A delivery lies in two places.
    TwoPlaces,
    /// An open delivery whose event is not there.
    EventLost,
    /// A delivery that waits for its turn is not in the order of its key.
    OrderLost,
    /// A place in an order that nobody has, or that nobody waits for.
    OrderOfNothing,
    /// The first of its order key waits for its turn.
    HeadBlocked,
    /// A dead letter that is no dead delivery.
    DeadOfNothing,
    /// An attempt of a delivery that is not there.
    AttemptOfNothing,
    /// A replay of an event does not lead to its delivery.
    ReplayLost,
    /// It leads to a delivery that is not there.
    ReplayOfNothing,
    /// What belongs to an account or user that is not there.
    OwnerLost,
    /// Counters of a webhook are not what is there.
    Tally,
    /// Those of an account.
    AccountTally,
    /// Bytes of all events.
    EventBytes,
    /// An id or number was given that is greater than the greatest that is known.
    Number,
}

/// How a kind is told.
pub struct Told {
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at, in a word.
    pub check: &'static str,
    /// What was found.
    pub what: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

const REPAIR: &str = "`hookwheel doctor --repair` builds it again from the records, with the server stopped";
const ASIDE: &str =
    "the next start puts them aside and everything else goes on; a whole copy of the data directory has them";

const fn told(severity: Severity, check: &'static str, what: &'static str, remedy: &'static str) -> Told {
    Told { severity, check, what, remedy }
}

impl Kind {
    /// How it is told.
    pub fn told(self) -> Told {
        use Severity::{Error, Warning};
        let index = |severity, what| told(severity, "indexes", what, REPAIR);
        match self {
            Self::Page => told(
                Error,
                "pages",
                "a page of the log cannot be read, with all rows on it",
                "put back a whole copy of the data directory; `hookwheel store export --from-damaged` gets out what can be read",
            ),
            Self::Row => told(Error, "rows", "a row cannot be read", ASIDE),
            Self::Key => told(
                Error,
                "rows",
                "a row has a key that is none of its kind",
                "`hookwheel doctor --repair` puts it aside",
            ),
            Self::PutAside => told(
                Warning,
                "quarantine",
                "rows that could not be read were put aside",
                "a whole copy of the data directory has them; they go when their events would have gone",
            ),
            Self::NameLost => index(Error, "an event is not found by the id that its producer gave it"),
            Self::NameOfNothing => index(Warning, "a producer's id leads to an event that is not there"),
            Self::DueLost => index(Error, "a delivery that waits for its next attempt is not among what is due"),
            Self::DueOfNothing => index(Warning, "what is due is no delivery that waits"),
            Self::TwoPlaces => index(Error, "a delivery is open in two places, or open and ended"),
            Self::EventLost => told(
                Error,
                "events",
                "the event of an open delivery is not there",
                "the next start cancels it and says so in its reason; a whole copy of the data directory has the event",
            ),
            Self::OrderLost => index(Error, "a delivery that waits for its turn has no place in the order of its key"),
            Self::OrderOfNothing => index(Error, "a place in an order belongs to no delivery that holds others up"),
            Self::HeadBlocked => index(Error, "the first of an order key waits for its turn, which never comes"),
            Self::DeadOfNothing => index(Warning, "a dead letter is no dead delivery"),
            Self::AttemptOfNothing => index(Warning, "an attempt belongs to no delivery"),
            Self::ReplayLost => index(Warning, "an event does not know a replay of it"),
            Self::ReplayOfNothing => index(Warning, "an event knows a replay that is not there"),
            Self::OwnerLost => told(
                Warning,
                "owners",
                "something belongs to an account or user that is not there",
                "nobody can use it; a whole copy of the data directory has the account",
            ),
            Self::Tally => told(Warning, "counters", "the counters of a webhook are not what is there", REPAIR),
            Self::AccountTally => {
                told(Warning, "counters", "the bytes of an account's events are not what is there", REPAIR)
            }
            Self::EventBytes => told(Warning, "counters", "the bytes of all events are not what is there", REPAIR),
            Self::Number => {
                told(Error, "numbers", "a greater id or number is in use than the greatest that was given", REPAIR)
            }
        }
    }
}
