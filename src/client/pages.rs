//! A list, row by row: the next page is asked for where one ends.

use std::vec;

use serde_json::Value;

use super::asked::Asked;
use super::calling::Client;
use super::error::Error;

/// The rows of a list, newest first.
pub struct Pages<'c> {
    client: &'c Client,
    asked: Asked,
    query: Vec<(String, String)>,
    rows: vec::IntoIter<Value>,
    is_last: bool,
}

impl<'c> Pages<'c> {
    pub(super) fn new(client: &'c Client, asked: Asked, query: &[(&str, &str)]) -> Self {
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { client, asked, query, rows: Vec::new().into_iter(), is_last: false }
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// As any call; the same row can be asked for again.
    pub async fn next(&mut self) -> Result<Option<Value>, Error> {
        loop {
            if let Some(row) = self.rows.next() {
                return Ok(Some(row));
            }
            if self.is_last {
                return Ok(None);
            }
            let query: Vec<_> = self.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let mut page = self.client.whole(&self.asked.clone().with_query(&query)).await?;
            if let Some(Value::Array(rows)) = page.get_mut("data").map(Value::take) {
                self.rows = rows.into_iter();
            }
            let cursor = page["next_cursor"].as_str().map(str::to_owned);
            self.is_last = cursor.is_none();
            self.query.retain(|(name, _)| name != "cursor");
            self.query.extend(cursor.map(|cursor| ("cursor".to_owned(), cursor)));
        }
    }
}
