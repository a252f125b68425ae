//! A condition on an event: what stands inside of a filter of RFC 9535 (JSONPath), such as `@.data.amount > 100`. Pure.
//! What stays true: what was read as a condition is nothing but a condition; asking it takes as many steps as it may, and
//! no more: then there is no answer, and nobody takes that for a yes or a no.
//!
//! For that some of the RFC is not taken. `..`, filters in filters and several selectors in one pair of brackets can
//! each take time that multiplies with every step. `match` and `search` take a pattern, which may stand in the event
//! itself, and even an engine without backtracking then takes pattern times text.

mod form;
mod index;
mod shown;
mod text;
mod told;
mod tree;
mod written;

pub use form::{Path, Segment, Steps, TooCostly};
pub use index::{Index, Numbers};
pub use told::Told;
pub use tree::Node;
pub use written::{CONDITION_BYTES_MAX, Condition};
