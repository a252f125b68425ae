//! The kinds of cases. What stays true: each has a name that scripts may count on.

/// What a receiver is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whether it wants deliveries.
    Challenge,
    /// The same, wrongly signed.
    ForgedChallenge,
    /// A documented event, by its place among those that were chosen.
    Event(usize),
    /// How many documented events are not sent, which is told.
    EventsLeftOut(usize),
    /// A delivery that it had before.
    Repeated,
    /// A field beside those of the contract.
    UnknownField,
    /// A field beside those that the event's data has had.
    UnknownDataField,
    /// A body that other JSON writers would write otherwise.
    ExactBytes,
    /// An event of another type.
    UnknownType,
    /// Header names as something on the way may write them.
    UpperCase,
    /// As long a body as there may be.
    Big,
    /// Another's signature and the right one.
    SecondSignature,
    /// The right signature and another's.
    FirstSignature,
    /// Signed as before the secret was rotated.
    OldSecret,
    /// Whether all answers came in time.
    InTime,
    /// Not signed.
    NoSignature,
    /// Signed with nothing.
    EmptySignature,
    /// Signed by somebody else.
    WrongSignature,
    /// Signed with the start of the right signature.
    CutSignature,
    /// A body with another text in it.
    ChangedBody,
    /// The headers of one delivery, the body of another.
    OtherBody,
    /// The same JSON in other bytes.
    RespacedBody,
    /// As it was an hour ago.
    OldTime,
    /// The same, which says that it is new.
    MovedTime,
    /// Another id than the one that is signed.
    ChangedId,
    /// Made for another URL.
    OtherUrl,
}

/// What a right receiver does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// It takes it: it answers with what the dialect counts as success.
    Taken,
    /// It refuses it, with 4xx.
    Refused,
}

impl Kind {
    /// Those beside the events, in the order in which they are sent, before and after them.
    pub(super) const BEFORE: [Self; 1] = [Self::Challenge];
    pub(super) const AFTER: [Self; 22] = [
        Self::Repeated,
        Self::UnknownField,
        Self::UnknownDataField,
        Self::ExactBytes,
        Self::UnknownType,
        Self::UpperCase,
        Self::Big,
        Self::FirstSignature,
        Self::SecondSignature,
        Self::OldSecret,
        Self::NoSignature,
        Self::EmptySignature,
        Self::WrongSignature,
        Self::CutSignature,
        Self::ChangedBody,
        Self::OtherBody,
        Self::RespacedBody,
        Self::OldTime,
        Self::MovedTime,
        Self::ChangedId,
        Self::OtherUrl,
        Self::ForgedChallenge,
    ];

    /// What a right receiver does.
    pub fn expect(self) -> Expect {
        match self {
            Self::ForgedChallenge
            | Self::NoSignature
            | Self::EmptySignature
            | Self::WrongSignature
            | Self::CutSignature
            | Self::ChangedBody
            | Self::OtherBody
            | Self::RespacedBody
            | Self::OldTime
            | Self::MovedTime
            | Self::ChangedId
            | Self::OtherUrl => Expect::Refused,
            _ => Expect::Taken,
        }
    }
}
