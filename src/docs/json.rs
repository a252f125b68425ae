//! JSON as people read it: indented, and cut into what deserves a colour of its own.

use serde_json::Value;

/// What a piece of JSON text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// The name of a field, with its quotes.
    Key,
    /// A string, with its quotes.
    Text,
    /// A number, `true`, `false` or `null`.
    Word,
    /// Brackets, commas, white space.
    Other,
}

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

/// Cuts JSON text into pieces; together they are the text again, even where it is no JSON.
pub(super) fn tokens(text: &str) -> Vec<(Token, &str)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = match first {
            '"' => {
                let length = string_length(rest);
                let is_key = rest[length..].trim_start().starts_with(':');
                (if is_key { Token::Key } else { Token::Text }, length)
            }
            c if is_word(c) => (Token::Word, rest.find(|c| !is_word(c)).unwrap_or(rest.len())),
            _ => (Token::Other, rest.find(|c| c == '"' || is_word(c)).unwrap_or(rest.len())),
        };
        found.push((kind, &rest[..length]));
        rest = &rest[length..];
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')
}

/// The length of the string that `text` starts with, quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
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

    #[test]
    fn pieces_are_told_apart_and_lose_nothing() {
        let text = r#"{"a\"b": ["x", -1.5e3, null], "c" : {}}"#;
        let found = tokens(text);
        assert_eq!(found.iter().map(|(_, piece)| *piece).collect::<String>(), text);
        let of = |kind| found.iter().filter(|(k, _)| *k == kind).map(|(_, piece)| *piece).collect::<Vec<_>>();
        assert_eq!(of(Token::Key), [r#""a\"b""#, r#""c""#]);
        assert_eq!(of(Token::Text), [r#""x""#]);
        assert_eq!(of(Token::Word), ["-1.5e3", "null"]);
        assert_eq!(tokens("\"open é\\").len(), 1);
    }
}
