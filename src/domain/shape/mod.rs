//! What a webhook or a dialect makes of an event's `data` before it is sent: some of it, without some of it, under other
//! names, with fields of its own. Pure. What stays true: it is data and no program, so it takes time that grows with the event
//! and no faster, and its result has a bound; whatever it takes over is the producer's bytes.

mod facts;
mod keep;
mod place;
mod scan;
mod seek;
mod spend;
mod template;
mod whole;
mod written;

#[cfg(test)]
mod tests;

pub use facts::Facts;
pub use spend::{Budget, OUTPUT_BYTES_MORE, OUTPUT_TIMES, STEPS_MAX, Unshaped, output_bytes_max};
pub use whole::Shape;
pub use written::{Missing, PATHS_MAX, SHAPE_BYTES_MAX, Written};
