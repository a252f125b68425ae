//! What a change of a contract means for those who rely on it. What stays true: a change is breaking where it can make
//! somebody who was right before lose, refuse or misread what he gets today without doing anything; and each key of a
//! dialect is looked at, since the types are taken apart whole: a new key does not compile before it has a rule here.

mod challenge;
mod change;
mod envelope;
mod events;
mod face;
mod limits;
mod message;
mod schema;
mod secrets;
mod whole;

#[cfg(test)]
mod tests;

pub use change::{Change, Kind, Side};
pub use whole::changes;
