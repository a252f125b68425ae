//! Lists come in pages, newest first. What stays true: a cursor is opaque, and a page that a filter left short still
//! says where to go on.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::domain::Invalid;
use crate::domain::id::{DeliveryId, EventId, WebhookId};
use crate::store::Page;

/// Rows of one page.
pub const LIMIT_MAX: usize = 250;
/// Rows of one page where the caller does not say.
pub const LIMIT_DEFAULT: usize = 50;

/// What a caller asks of a list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// Rows, 1 to 250; 50 if left out.
    #[param(value_type = Option<u16>)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Which page: how many rows, and before which id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Rows, 1 to [`LIMIT_MAX`].
    pub limit: usize,
    /// Only older rows than this id.
    pub before: Option<u128>,
}

impl Window {
    /// Reads `limit` and `cursor`.
    pub fn read(limit: Option<&str>, cursor: Option<&str>) -> Result<Self, Problem> {
        let limit = limit.map_or(Some(LIMIT_DEFAULT), |text| text.parse().ok().filter(|n| (1..=LIMIT_MAX).contains(n)));
        let limit = limit.ok_or_else(|| Invalid::new("limit", format!("must be a number from 1 to {LIMIT_MAX}")))?;
        Ok(Self { limit, before: cursor.map(read_cursor).transpose()? })
    }
}

impl PageQuery {
    /// Reads it.
    pub fn window(&self) -> Result<Window, Problem> {
        Window::read(self.limit.as_deref(), self.cursor.as_deref())
    }
}

fn read_cursor(text: &str) -> Result<u128, Problem> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    let bytes = bytes.ok_or_else(|| Invalid::new("cursor", "is not a next_cursor that a list replied with"))?;
    Ok(u128::from_be_bytes(bytes))
}

fn write_cursor(id: u128) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(id.to_be_bytes())
}

/// The reply to a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PageReply<T> {
    /// The rows, newest first.
    pub data: Vec<T>,
    /// Where the next page starts; null at the end. A page may be short and still have one, where a filter let little
    /// through.
    pub next_cursor: Option<String>,
}

impl<T> PageReply<T> {
    /// All there is.
    pub fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None }
    }

    /// The rows of a page as they are shown.
    pub fn of<Row, Id: CursorId>(page: Page<Row, Id>, show: impl FnMut(Row) -> T) -> Self {
        let next_cursor = page.next.map(|id| write_cursor(id.bits()));
        Self { data: page.rows.into_iter().map(show).collect(), next_cursor }
    }
}

/// An id that a list goes on after.
pub trait CursorId {
    /// Its bits.
    fn bits(self) -> u128;
}

impl CursorId for EventId {
    fn bits(self) -> u128 {
        self.0
    }
}

impl CursorId for DeliveryId {
    fn bits(self) -> u128 {
        self.0
    }
}

impl CursorId for WebhookId {
    fn bits(self) -> u128 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let cursor = write_cursor(1 << 100 | 7);
        let window = Window::read(Some("3"), Some(&cursor)).unwrap();
        assert_eq!(window, Window { limit: 3, before: Some(1 << 100 | 7) });
        assert_eq!(Window::read(None, None).unwrap(), Window { limit: LIMIT_DEFAULT, before: None });
    }

    #[test]
    fn what_is_no_limit_or_cursor_is_named() {
        for limit in ["0", "251", "-1", "x", ""] {
            assert_eq!(Window::read(Some(limit), None).unwrap_err().field(), Some("limit"), "{limit}");
        }
        for cursor in ["", "abc", "!!", "AAAA"] {
            assert_eq!(Window::read(None, Some(cursor)).unwrap_err().field(), Some("cursor"), "{cursor}");
        }
    }
}
