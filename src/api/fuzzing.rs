//! What random input is thrown at from outside: readers of this room that have no other way in. Not for use.

use bytes::Bytes;

use crate::api::events::input as incoming;
use crate::api::http::page::{LIMIT_DEFAULT, Listed, Window};
use crate::api::http::problem::Problem;
use crate::store::NewEvent;

/// Reads the events of a body, as a publish does.
pub fn events(body: &Bytes, ndjson: bool) -> Result<Vec<NewEvent>, Problem> {
    let (form, inputs) = incoming::read(body, ndjson)?;
    incoming::vet_all(body, form, inputs)
}

/// Reads a cursor and writes it again.
pub fn cursor(text: &str) -> Result<Option<String>, Problem> {
    let window = Window::read(LIMIT_DEFAULT, None, Some(text))?;
    let next = window.past.map(|id| (id, window.below_attempt));
    Ok(Listed::<()> { rows: Vec::new(), next }.cursor())
}
