//! Lists come in pages, newest first. What stays true: a cursor is opaque, and a page that a filter left short still
//! says where to go on.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::api::http::problem::Problem;
use crate::domain::Invalid;
use crate::domain::id::{AccountNumber, AuditId, DeliveryId, EventId, JobId, WebhookId};
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
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250, default = 50)]
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
    /// Where the rows are attempts and the page before ended within a delivery: only earlier attempts than this of the
    /// first delivery. 0: all.
    pub below_attempt: u16,
}

/// Rows of a list, and where the next page starts: before this id and, within its delivery, below this attempt.
#[derive(Debug)]
pub struct Listed<T> {
    /// The rows, newest first.
    pub rows: Vec<T>,
    /// Where to go on; `None` at the end.
    pub next: Option<(u128, u16)>,
}

impl<T> Listed<T> {
    /// Each row as `show` shows it.
    pub fn map<U>(self, show: impl FnMut(T) -> U) -> Listed<U> {
        Listed { rows: self.rows.into_iter().map(show).collect(), next: self.next }
    }

    /// As [`Self::map`], where a row may fail to be shown.
    pub fn try_map<U, E>(self, show: impl FnMut(T) -> Result<U, E>) -> Result<Listed<U>, E> {
        Ok(Listed { rows: self.rows.into_iter().map(show).collect::<Result<_, E>>()?, next: self.next })
    }

    /// The cursor of the next page.
    pub fn cursor(&self) -> Option<String> {
        self.next.map(|(id, attempt)| write_cursor(id, attempt))
    }
}

impl<Row, Id: CursorId> From<Page<Row, Id>> for Listed<Row> {
    fn from(page: Page<Row, Id>) -> Self {
        Self { rows: page.rows, next: page.next.map(|id| (id.bits(), 0)) }
    }
}

impl Window {
    /// Reads `limit` and `cursor`.
    pub fn read(limit: Option<&str>, cursor: Option<&str>) -> Result<Self, Problem> {
        Self::read_with(LIMIT_DEFAULT, limit, cursor)
    }

    /// Reads `limit` and `cursor` where another limit is usual.
    pub fn read_with(usual: usize, limit: Option<&str>, cursor: Option<&str>) -> Result<Self, Problem> {
        let limit = limit.map_or(Some(usual), |text| text.parse().ok().filter(|n| (1..=LIMIT_MAX).contains(n)));
        let limit = limit.ok_or_else(|| Invalid::new("limit", format!("must be a number from 1 to {LIMIT_MAX}")))?;
        let next = cursor.map(read_cursor).transpose()?;
        Ok(Self { limit, before: next.map(|next| next.0), below_attempt: next.map_or(0, |next| next.1) })
    }
}

impl PageQuery {
    /// Reads it.
    pub fn window(&self) -> Result<Window, Problem> {
        Window::read(self.limit.as_deref(), self.cursor.as_deref())
    }
}

fn read_cursor(text: &str) -> Result<(u128, u16), Invalid> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
    let (id, attempt) = bytes.split_at_checked(16).unwrap_or_default();
    match (id.try_into(), attempt.try_into()) {
        (Ok(id), Ok(attempt)) => Ok((u128::from_be_bytes(id), u16::from_be_bytes(attempt))),
        _ => Err(Invalid::new("cursor", "is not a next_cursor that a list replied with")),
    }
}

fn write_cursor(id: u128, attempt: u16) -> String {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend(attempt.to_be_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
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
}

impl<T> From<Listed<T>> for PageReply<T> {
    fn from(listed: Listed<T>) -> Self {
        let next_cursor = listed.cursor();
        Self { data: listed.rows, next_cursor }
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

impl CursorId for JobId {
    fn bits(self) -> u128 {
        self.0
    }
}

impl CursorId for AuditId {
    fn bits(self) -> u128 {
        self.0
    }
}

impl CursorId for AccountNumber {
    fn bits(self) -> u128 {
        self.into()
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
        let cursor = write_cursor(1 << 100 | 7, 3);
        let window = Window::read(Some("3"), Some(&cursor)).unwrap();
        assert_eq!(window, Window { limit: 3, before: Some(1 << 100 | 7), below_attempt: 3 });
        let first = Window { limit: LIMIT_DEFAULT, before: None, below_attempt: 0 };
        assert_eq!(Window::read(None, None).unwrap(), first);
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
