//! JSON as people read it: indented, with what is short on one line.

use serde_json::Value;

/// A short list or object stays on its line up to this column.
const COLUMNS: usize = 80;

/// JSON with a line a field, but for what is short and plain.
pub fn pretty(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, 0, &mut out);
    out
}

fn write(value: &Value, depth: usize, column: usize, out: &mut String) {
    let is_plain = |value: &Value| !value.is_array() && !value.is_object();
    let items: Vec<(Option<&String>, &Value)> = match value {
        Value::Array(items) if !items.is_empty() => items.iter().map(|item| (None, item)).collect(),
        Value::Object(fields) if !fields.is_empty() => fields.iter().map(|(name, value)| (Some(name), value)).collect(),
        plain => return out.push_str(&plain.to_string()),
    };
    let key = |name: Option<&String>| name.map_or(String::new(), |name| format!("{}: ", Value::from(name.as_str())));
    let (open, close) = if value.is_array() { ("[", "]") } else { ("{", "}") };
    if depth > 0 && items.iter().all(|(_, item)| is_plain(item)) {
        let pad = if value.is_array() { "" } else { " " };
        let items: Vec<String> = items.iter().map(|(name, item)| format!("{}{item}", key(*name))).collect();
        let line = format!("{open}{pad}{}{pad}{close}", items.join(", "));
        if column + line.chars().count() <= COLUMNS {
            return out.push_str(&line);
        }
    }
    let indent = "  ".repeat(depth + 1);
    out.push_str(open);
    for (n, (name, item)) in items.iter().enumerate() {
        let start = format!("{indent}{}", key(*name));
        out.push_str(if n == 0 { "\n" } else { ",\n" });
        out.push_str(&start);
        write(item, depth + 1, start.chars().count(), out);
    }
    out.push_str(&format!("\n{}{close}", "  ".repeat(depth)));
}

/// JSON bytes with a line a field.
pub(super) fn pretty_bytes(json: &[u8]) -> String {
    serde_json::from_slice::<Value>(json).map_or_else(|_| String::from_utf8_lossy(json).into_owned(), |v| pretty(&v))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_stays_on_its_line() {
        let value =
            serde_json::json!({"a": ["x", 1], "b": {"c": null, "d": {"e": "y".repeat(80)}}, "f": [], "g": [{"h": 1}]});
        let expected = format!(
            "{{\n  \"a\": [\"x\", 1],\n  \"b\": {{\n    \"c\": null,\n    \"d\": {{\n      \"e\": \"{}\"\n    }}\n  }},\n  \
             \"f\": [],\n  \"g\": [\n    {{ \"h\": 1 }}\n  ]\n}}",
            "y".repeat(80)
        );
        assert_eq!(pretty(&value), expected);
        assert_eq!(serde_json::from_str::<Value>(&pretty(&value)).unwrap(), value);
    }
}
