//! The JSON of each command, held against a stored file: which fields there are, and of which types. `HOOKWHEEL_REWRITE=1`
//! writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::Value;

/// Where they are stored.
const STORED: &str = "tests/tools/shapes.txt";

/// What is in these depends on what happened, such as whether a connection was kept.
const OPEN: &[&str] =
    &["request_headers", "response_headers", "timings", "failed_by_kind", "response_time_ms", "store"];

/// The types at each place of a command's answers. Where only null was seen there are none.
#[derive(Debug, Default)]
pub struct Shapes(BTreeMap<String, BTreeMap<String, BTreeSet<&'static str>>>);

impl Shapes {
    /// Takes in what a command printed.
    pub fn take(&mut self, arguments: &[&str], out: &str) {
        let words = arguments.iter().take(2).take_while(|word| !word.starts_with('-'));
        let command = words.copied().collect::<Vec<_>>().join(" ");
        let places = self.0.entry(command).or_default();
        for line in out.lines() {
            take(places, String::new(), &serde_json::from_str(line).expect("one value a line"));
        }
    }

    /// Holds them against what is stored.
    pub fn hold(&self) {
        let mut text = String::new();
        for (command, places) in &self.0 {
            let _ = writeln!(text, "=== {command}");
            for (place, types) in places {
                let types = types.iter().copied().collect::<Vec<_>>().join(" or ");
                let _ = writeln!(text, "{place}: {}", if types.is_empty() { "null" } else { &types });
            }
        }
        super::hold(STORED, &text);
    }
}

fn take(places: &mut BTreeMap<String, BTreeSet<&'static str>>, place: String, value: &Value) {
    let word = match value {
        Value::Null => None,
        Value::Bool(_) => Some("boolean"),
        Value::Number(_) => Some("number"),
        Value::String(_) => Some("string"),
        Value::Array(_) => Some("list"),
        Value::Object(_) => Some("object"),
    };
    match value {
        Value::Array(list) => list.iter().for_each(|one| take(places, format!("{place}[]"), one)),
        Value::Object(fields) => {
            let is_open = place.rsplit('.').next().is_some_and(|name| OPEN.contains(&name));
            let noted = fields.iter().filter(|_| !is_open);
            noted.for_each(|(name, one)| take(places, format!("{place}.{name}"), one));
        }
        _ => (),
    }
    places.entry(place).or_default().extend(word);
}
