//! A dialect file that is being written: keys in order, values on one line, so that no table changes the order of fields.

use serde_json::Value;
use toml::Value as Toml;

use crate::docs;

/// A file that is being written, and what is to be told of it.
#[derive(Default)]
pub(super) struct Draft {
    pub text: String,
    pub guessed: Vec<String>,
    pub lost: Vec<String>,
}

/// JSON as TOML; there is no null.
pub(super) fn toml_of(value: &Value) -> Option<Toml> {
    match value {
        Value::Null => None,
        value => Toml::try_from(value).ok(),
    }
}

impl Draft {
    pub fn put(&mut self, key: &str, value: &Toml) {
        self.text.push_str(&format!("{} = {}\n", written(key), inline(value)));
    }

    pub fn json(&mut self, key: &str, value: &Value) {
        match toml_of(value) {
            Some(value) => self.put(key, &value),
            None => self.lost.push(format!("{key}: it holds a null, which a file cannot")),
        }
    }

    pub fn table<'a>(&mut self, name: &str, rows: impl Iterator<Item = (&'a str, Toml)>) {
        let rows: Vec<_> = rows.collect();
        if !rows.is_empty() || name == "envelope" {
            self.text.push_str(&format!("\n[{name}]\n"));
        }
        rows.iter().for_each(|(key, value)| self.put(key, value));
    }

    /// JSON as text, with a line a field where it can stand so.
    pub fn pretty(&mut self, key: &str, value: &Value) {
        let pretty = docs::pretty(value);
        if pretty.contains("'''") || !pretty.contains('\n') {
            return self.put(key, &Toml::String(value.to_string()));
        }
        self.text.push_str(&format!("{key} = '''{pretty}'''\n"));
    }
}

/// A key as TOML writes it.
fn written(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { key.to_string() } else { inline(&Toml::String(key.to_string())) }
}

/// A value on one line.
fn inline(value: &Toml) -> String {
    match value {
        Toml::Table(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("{} = {}", written(key), inline(value))).collect();
            if fields.is_empty() { "{}".into() } else { format!("{{ {} }}", fields.join(", ")) }
        }
        Toml::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Toml::String(text) => basic(text),
        plain => plain.to_string(),
    }
}

/// A basic string, which can hold anything.
fn basic(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}
