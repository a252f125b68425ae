//! The document, looked at as a whole.

use std::collections::BTreeSet;

use serde_json::Value;

use super::tags::tag_of;

fn document() -> Value {
    crate::api::document()
}

#[test]
fn print() {
    if let Ok(path) = std::env::var("DOC_OUT") {
        std::fs::write(path, serde_json::to_string_pretty(&document()).unwrap()).unwrap();
    }
}
