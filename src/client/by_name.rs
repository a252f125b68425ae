//! Operations by the names that the document gives them, for who has those as data, as the command line has.

use awc::http::Method;
use serde_json::Value;

use super::asked::Asked;
use super::calling::Client;
use super::error::Error;
use super::pages::Pages;
use super::verbs::{OPERATIONS, Query};

/// The path of an operation, such as `/api/v1/webhooks/{id}`; `None` where there is no such operation.
pub fn path_of(operation: &str) -> Option<&'static str> {
    OPERATIONS.iter().find(|(id, ..)| *id == operation).map(|(.., path)| *path)
}

impl Client {
    /// What an operation answers as `data`. `values` fill its path in.
    ///
    /// # Errors
    /// No answer, or one that it cannot be done.
    ///
    /// # Panics
    /// If [`OPERATIONS`] has no such operation.
    pub async fn by_name(
        &self,
        operation: &str,
        values: &[(&str, &str)],
        query: Query<'_>,
        fields: Option<&Value>,
    ) -> Result<Value, Error> {
        let asked = named(operation, values).with_query(query);
        let asked = match fields {
            Some(fields) => asked.with_body(fields),
            None => asked,
        };
        self.ask(asked).await
    }

    /// The rows that an operation lists.
    ///
    /// # Panics
    /// If [`OPERATIONS`] has no such operation.
    pub fn rows_by_name(&self, operation: &str, values: &[(&str, &str)], query: Query<'_>) -> Pages<'_> {
        Pages::new(self, named(operation, values), query)
    }
}

fn named(operation: &str, values: &[(&str, &str)]) -> Asked {
    let found = OPERATIONS.iter().find(|(id, ..)| *id == operation);
    let (_, method, path) = found.unwrap_or_else(|| panic!("there is no operation {operation}"));
    Asked::new(Method::from_bytes(method.as_bytes()).expect("the table has methods"), path, values)
}
