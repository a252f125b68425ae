//! What the API answers, as a table or field by field. What stays true: cells hold one line, and nothing that could steer a
//! terminal, whoever wrote it.

use serde_json::Value;

use super::table::{Column, Shows};
use crate::cli::terminal::Screen;
use crate::cli::terminal::grid::{Head, grid};

/// Rows as a table.
pub fn rows(screen: &Screen, columns: &[Column], rows: &[Value]) -> String {
    if columns.is_empty() {
        return rows.iter().map(|row| one(screen, row, None)).collect::<Vec<_>>().join("\n");
    }
    let heads: Vec<Head> = columns.iter().map(|column| column.head).collect();
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|at| cell(screen, at, row)).collect()).collect();
    grid(&heads, &cells, screen.width)
}

/// One thing, field by field; a list inside of it as a table of its own.
pub fn one(screen: &Screen, value: &Value, inner: Option<(&'static str, &'static [Column])>) -> String {
    let Some(fields) = value.as_object() else { return format!("{}\n", plain(value)) };
    let is_inner = |name: &str| inner.is_some_and(|(key, _)| key == name);
    let told: Vec<_> = fields.iter().filter(|(name, value)| !value.is_null() && !is_inner(name)).collect();
    let wide = told.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in told {
        let shown = match name.as_str() {
            "status" | "state" => screen.state(&plain(value)),
            name if name.ends_with("_at") => screen.when(&plain(value)),
            _ => plain(value),
        };
        text += &format!("{name:wide$}  {shown}\n");
    }
    if let Some((key, columns)) = inner {
        let list = value[key].as_array().map_or(&[][..], Vec::as_slice);
        if !list.is_empty() {
            text += &format!("\n{}", rows(screen, columns, list));
        }
    }
    text
}

fn cell(screen: &Screen, column: &Column, row: &Value) -> String {
    let value = row.pointer(&format!("/{}", column.at)).unwrap_or(&Value::Null);
    let text = plain(value);
    match column.shows {
        Shows::Plain => text,
        Shows::When => screen.when(&text),
        Shows::State => screen.state(&text),
        Shows::Share => value.as_f64().map_or(text, |share| format!("{:.0} %", share * 100.0)),
    }
}

/// A value in one line.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.iter().all(|one| !one.is_object() && !one.is_array()) => {
            list.iter().map(plain).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    text.chars().map(|one| if one.is_control() { '\u{fffd}' } else { one }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cell_is_one_line_and_steers_nothing() {
        assert_eq!(plain(&json!("a\u{1b}[31mb\nc")), "a\u{fffd}[31mb\u{fffd}c");
        assert_eq!(plain(&json!(["a", 1, true])), "a, 1, true");
        assert_eq!(plain(&json!({"a": [1.50]})), r#"{"a":[1.5]}"#);
    }
}
