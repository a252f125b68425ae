//! Lengths of time and named values as people write them into forms. Pure.

use serde_json::{Map, Value};

use crate::domain::Invalid;

/// Units of time, the longest first, in seconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400), ("h", 3_600), ("m", 60), ("min", 60), ("s", 1)];

/// Lengths of time in seconds: `30s, 5m, 2h, 1d`, with commas or spaces between; a number alone is seconds.
pub fn spans(field: &str, text: &str) -> Result<Vec<u64>, Invalid> {
    let words = text.split([',', ' ', '\n', '\t']).map(str::trim).filter(|word| !word.is_empty());
    let read = |word: &str| {
        let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
        let (number, unit) = word.split_at(digits);
        let unit = if unit.is_empty() { "s" } else { unit };
        let (_, seconds) = UNITS.iter().find(|(known, _)| *known == unit)?;
        number.parse::<u64>().ok()?.checked_mul(*seconds)
    };
    let wrong = |word: &str| {
        Invalid::new(field, format!("must be lengths of time such as 30s, 5m, 2h or 1d, and {word:?} is none"))
    };
    words.map(|word| read(word).ok_or_else(|| wrong(word))).collect()
}

/// A length of time in the longest unit in which it is a whole number.
pub fn span_text(seconds: u64) -> String {
    let fits = |(_, length): &&(&str, u64)| seconds >= *length && seconds.is_multiple_of(*length);
    UNITS
        .iter()
        .find(fits)
        .map_or_else(|| format!("{seconds}s"), |(unit, length)| format!("{}{unit}", seconds / length))
}

/// Named values, one a line, with a colon behind the name. A value with lines or with quotes at its start is a JSON text.
pub fn pairs(field: &str, text: &str) -> Result<Map<String, Value>, Invalid> {
    let mut pairs = Map::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let wrong = || Invalid::new(field, format!("must be lines of the form name: value, and {line:?} is none"));
        let (name, value) = line.split_once(':').ok_or_else(wrong)?;
        let (name, value) = (name.trim(), value.trim());
        let quoted = value.starts_with('"').then(|| serde_json::from_str::<String>(value).ok()).flatten();
        let value = quoted.unwrap_or_else(|| value.to_owned());
        if pairs.insert(name.to_owned(), value.into()).is_some() {
            return Err(Invalid::new(field, format!("has {name:?} twice")));
        }
    }
    Ok(pairs)
}

/// The same, written; what is no text is left out.
pub fn pairs_text(pairs: &Map<String, Value>) -> String {
    let line = |(name, value): (&String, &Value)| {
        let text = value.as_str()?;
        let is_plain = text == text.trim() && !text.contains(['\n', '\r']) && !text.starts_with('"');
        Some(if is_plain { format!("{name}: {text}") } else { format!("{name}: {value}") })
    };
    pairs.iter().filter_map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lengths_of_time_are_read_as_they_are_written() {
        assert_eq!(spans("x", "5, 30s 5m\n2h,1d 10min"), Ok(vec![5, 30, 300, 7_200, 86_400, 600]));
        for bad in ["5x", "m", "-1", "1.5h", "99999999999999999999", "9999999999999999999d"] {
            assert_eq!(spans("x", bad).expect_err("it is none").field, "x", "{bad}");
        }
        for seconds in [0, 1, 59, 60, 90, 3_600, 5_400, 86_400, 100_000] {
            assert_eq!(spans("x", &span_text(seconds)), Ok(vec![seconds]));
        }
        assert_eq!([0, 90, 5_400, 172_800].map(span_text), ["0s", "90s", "90m", "2d"]);
    }

    #[test]
    fn named_values_come_back_as_they_were() {
        let Value::Object(all) =
            json!({"a": "b: c", "url": "https://x/", "two": "1\n2", "q": "\"x\"", "e": "", "s": " s "})
        else {
            unreachable!("it is an object")
        };
        assert_eq!(pairs("x", &pairs_text(&all)), Ok(all));
        assert_eq!(pairs("x", "a: 1\na: 2").expect_err("twice").field, "x");
        assert_eq!(pairs("x", "q: \"open"), Ok(Map::from_iter([("q".to_owned(), json!("\"open"))])));
    }
}
