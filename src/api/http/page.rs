//! Lists come in pages. What stays true: a cursor is opaque, and a page that a filter left short still says where to go on.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::api::http::problem::Problem;
use crate::api::openapi::words::ListOrder;
use crate::domain::Invalid;
use crate::domain::walk::{First, Walk};
use crate::store::Page;

/// Rows of one page.
pub const LIMIT_MAX: usize = 250;
/// Rows of one page where the caller does not say.
pub const LIMIT_DEFAULT: usize = 50;

/// Which rows of a list, and how many.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// Rows of the page, 1 to 250; 50 if left out. In NDJSON and CSV the rows of all of it: all there are if left out.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Which rows come first; `newest` if left out.
    #[param(value_type = Option<ListOrder>)]
    pub order: Option<String>,
    /// Whether the reply says how many rows there are in all that the filters let through; not in NDJSON and CSV.
    #[param(value_type = Option<bool>, default = false)]
    pub count: Option<String>,
}

/// The names of what a [`PageQuery`] says.
pub const PAGE_NAMES: [&str; 4] = ["limit", "cursor", "order", "count"];

/// Which page: how many rows, and past which id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Which rows come first.
    pub first: First,
    /// Rows, 1 to [`LIMIT_MAX`] in a page.
    pub limit: usize,
    /// Only rows that come behind this id.
    pub past: Option<u128>,
    /// Where the rows are attempts and the page before ended within a delivery: only earlier attempts than this of the
    /// first delivery. 0: all.
    pub below_attempt: u16,
}

/// Rows of a list, and where the next page starts: before this id and, within its delivery, below this attempt.
#[derive(Debug)]
pub struct Listed<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Where to go on; `None` at the end.
    pub next: Option<(u128, u16)>,
}

impl<T> Listed<T> {
    /// Each row as `show` shows it.
    pub fn map<U>(self, show: impl FnMut(T) -> U) -> Listed<U> {
        Listed { rows: self.rows.into_iter().map(show).collect(), next: self.next }
    }

    /// The cursor of the next page.
    pub fn cursor(&self) -> Option<String> {
        self.next.map(|(id, attempt)| write_cursor(id, attempt))
    }
}

impl<Row, Id: Into<u128>> From<Page<Row, Id>> for Listed<Row> {
    fn from(page: Page<Row, Id>) -> Self {
        Self { rows: page.rows, next: page.next.map(|id| (id.into(), 0)) }
    }
}

impl Window {
    /// The newest rows.
    pub fn newest(limit: usize) -> Self {
        Self { first: First::Newest, limit, past: None, below_attempt: 0 }
    }

    /// Reads `limit`, where `usual` is what is left out, and `cursor`.
    pub fn read(usual: usize, limit: Option<&str>, cursor: Option<&str>) -> Result<Self, Problem> {
        let limit = limit.map_or(Some(usual), |text| text.parse().ok().filter(|n| (1..=LIMIT_MAX).contains(n)));
        let limit = limit.ok_or_else(|| Invalid::new("limit", format!("must be a number from 1 to {LIMIT_MAX}")))?;
        Ok(Self::newest(limit).after(cursor.map(read_cursor).transpose()?))
    }

    /// The same from there on.
    pub fn after(self, next: Option<(u128, u16)>) -> Self {
        Self { past: next.map(|next| next.0), below_attempt: next.map_or(0, |next| next.1), ..self }
    }

    /// The same as the store walks.
    pub fn walk(&self) -> Walk {
        Walk::from_the(self.first, self.limit).past(self.past)
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
    /// The rows.
    pub data: Vec<T>,
    /// Where the next page starts; null at the end. A page may be short and still have one, where a filter let little
    /// through.
    pub next_cursor: Option<String>,
    /// How many rows there are in all; only where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = RowCount, required = false)]
    pub count: Option<RowCount>,
}

/// How many rows a list has that its filters let through, on all of its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RowCount {
    /// So many, or more if it is not exact.
    #[schema(example = 4711)]
    pub at_least: usize,
    /// Whether all rows were looked at: those of a list of at most 10,000 are.
    pub exact: bool,
}

impl<T> PageReply<T> {
    /// All there is.
    pub fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None, count: None }
    }
}

impl<T> From<Listed<T>> for PageReply<T> {
    fn from(listed: Listed<T>) -> Self {
        let next_cursor = listed.cursor();
        Self { data: listed.rows, next_cursor, count: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let cursor = write_cursor(1 << 100 | 7, 3);
        let window = Window::read(50, Some("3"), Some(&cursor)).unwrap();
        assert_eq!(window, Window { past: Some(1 << 100 | 7), below_attempt: 3, ..Window::newest(3) });
        assert_eq!(Window::read(50, None, None).unwrap(), Window::newest(50));
    }

    #[test]
    fn what_is_no_limit_or_cursor_is_named() {
        for limit in ["0", "251", "-1", "x", ""] {
            assert_eq!(Window::read(50, Some(limit), None).unwrap_err().field(), Some("limit"), "{limit}");
        }
        for cursor in ["", "abc", "!!", "AAAA"] {
            assert_eq!(Window::read(50, None, Some(cursor)).unwrap_err().field(), Some("cursor"), "{cursor}");
        }
    }
}
