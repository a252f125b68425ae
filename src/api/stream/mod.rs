//! What happens, as it happens: events that are accepted, attempts that are recorded, deliveries that die, as server-sent events.
//! What stays true: what is told was committed, in that order; who comes back with the id of the last message is told all that
//! happened since, or that something is missing; and however slow who reads it, nobody else waits, and nothing is kept for it but
//! its place.

mod following;
mod input;
mod place;
pub mod recent;
pub mod routes;
mod telling;

pub use following::{LetIn, begin, beginning};
pub use input::{Asked, StreamQuery};
