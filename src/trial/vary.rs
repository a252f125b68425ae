//! Samples that differ from event to event, as a product's do. What stays true: only ids and times change, each into another of
//! the same form; what was one id stays one, and times keep their distances.

use std::collections::HashMap;

use uuid::Uuid;

use crate::clock::Dice;
use crate::domain::time::{self, TimeForm, UnixMs};

/// What members that hold an id of their own are called.
const IDS: [&str; 5] = ["id", "ID", "uuid", "guid", "sid"];
/// Where a UUID says of what kind it is.
const UUID_KIND: [usize; 2] = [14, 19];
/// The digits of an id that is a number, at least.
const DIGITS_MIN: usize = 6;
/// An id that is a number has at most so many: JavaScript holds each of those.
const DIGITS_MAX: usize = 15;

/// The sample with other ids, and with its last time at `at`.
pub(super) fn varied(json: &str, at: UnixMs, dice: &mut Dice) -> String {
    let values = values(json);
    let mut others: HashMap<&str, String> = HashMap::new();
    for value in values.iter().filter(|value| value.name.is_some_and(|name| IDS.contains(&name))) {
        others.entry(value.text).or_insert_with(|| other(value, dice));
    }
    let last = values.iter().filter_map(moment).map(|(ms, _)| ms).max();
    let (mut out, mut written) = (String::with_capacity(json.len()), 0);
    for value in &values {
        let moved =
            || last.zip(moment(value)).map(|(last, (ms, form))| time::write(at.saturating_sub(last - ms), form));
        // A number may be anything but for where it is named as an id.
        let is_id = value.is_text || value.name.is_some_and(|name| IDS.contains(&name) || name.ends_with("_id"));
        let Some(text) = others.get(value.text).filter(|_| is_id).cloned().or_else(moved) else { continue };
        out.push_str(&json[written..value.start]);
        out.push_str(&text);
        written = value.start + value.text.len();
    }
    out + &json[written..]
}

/// A text or a number of a JSON value.
struct Value<'j> {
    /// The member that holds it, if one does.
    name: Option<&'j str>,
    /// Without its quotes.
    text: &'j str,
    /// Where that begins.
    start: usize,
    is_text: bool,
}

/// All texts and numbers, in order.
fn values(json: &str) -> Vec<Value<'_>> {
    let (bytes, mut found, mut name, mut at) = (json.as_bytes(), Vec::new(), None, 0);
    while at < bytes.len() {
        let rest = &json[at..];
        if bytes[at] == b'"' {
            let length = text_length(&rest[1..]);
            let (text, start) = (&rest[1..=length], at + 1);
            at += length + 2;
            if json[at..].trim_start().starts_with(':') {
                name = Some(text);
                continue;
            }
            found.push(Value { name: name.take(), text, start, is_text: true });
        } else if bytes[at].is_ascii_digit() || bytes[at] == b'-' {
            let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(rest.len());
            found.push(Value { name: name.take(), text: &rest[..length], start: at, is_text: false });
            at += length;
        } else {
            if matches!(bytes[at], b',' | b'{' | b'[') {
                name = None;
            }
            at += 1;
        }
    }
    found
}

/// The bytes of a text before the quote that ends it.
fn text_length(rest: &str) -> usize {
    let mut escaped = false;
    let end = rest.bytes().position(|b| {
        let ends = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(rest.len().saturating_sub(1))
}

/// Another id of the same form.
fn other(value: &Value<'_>, dice: &mut Dice) -> String {
    let text = value.text;
    if value.is_text {
        let is_uuid = text.len() == 36 && Uuid::try_parse(text).is_ok();
        let is_kept = |at: usize| is_uuid && UUID_KIND.contains(&at);
        let mut digit =
            |(at, c): (usize, char)| match c.is_ascii_digit() && !is_kept(at) && !follows_backslash(text, at) {
                true => other_digit(at == 0 && c != '0', dice),
                false => c,
            };
        return text.char_indices().map(&mut digit).collect();
    }
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && text != "0" && text.len() <= DIGITS_MAX;
    match is_plain {
        true => (0..text.len().max(DIGITS_MIN)).map(|at| other_digit(at == 0, dice)).collect(),
        false => text.to_owned(),
    }
}

/// A letter that is spelled by its number stays what it is.
fn follows_backslash(text: &str, at: usize) -> bool {
    text.as_bytes()[at.saturating_sub(5)..at].contains(&b'\\')
}

fn other_digit(not_zero: bool, dice: &mut Dice) -> char {
    let least = u64::from(not_zero);
    char::from(b'0' + (least + dice.bits() % (10 - least)) as u8)
}

/// When it is, and how that is written, if it is a time.
fn moment(value: &Value<'_>) -> Option<(UnixMs, TimeForm)> {
    let forms: &[TimeForm] = match (value.is_text, value.text.len()) {
        (true, 20..=27) => &[TimeForm::Seconds, TimeForm::Millis, TimeForm::Micros],
        (false, 10) if value.name.is_some_and(is_time) => &[TimeForm::Unix],
        (false, 13) if value.name.is_some_and(is_time) => &[TimeForm::UnixMs],
        _ => return None,
    };
    // What is not written back as it was is left alone.
    forms.iter().find_map(|form| {
        let ms = time::read(value.text, *form)?;
        (time::write(ms, *form) == value.text).then_some((ms, *form))
    })
}

/// Whether a member of this name holds a time, where it holds a number.
fn is_time(name: &str) -> bool {
    matches!(name, "created" | "updated" | "timestamp" | "time" | "date")
        || name.ends_with("_at")
        || name.ends_with("At")
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: UnixMs = 1_800_000_000_000;

    #[test]
    fn ids_and_times_change_and_nothing_else_does() {
        let sample = r#"{"id": "task_120", "n": 1.0, "user": {"id": 7, "name": "id 120"}, "user_id": 7, "count": 7,
            "parent": "task_120", "at": "2024-01-01T00:00:00Z", "until": "2024-01-01T00:01:00.000Z", "created": 1704067200, "b": null}"#;
        let one = varied(sample, AT, &mut Dice::seeded(1));
        let value: serde_json::Value = serde_json::from_str(&one).expect("JSON");
        let id = value["id"].as_str().expect("a text");
        assert!(id.starts_with("task_") && id.len() == 8 && id != "task_120", "{one}");
        assert_eq!(value["parent"], id);
        assert!(value["user"]["id"].as_u64().expect("a number") >= 100_000);
        assert_eq!(value["user_id"], value["user"]["id"]);
        assert_eq!((&value["count"], &value["user"]["name"]), (&7.into(), &"id 120".into()));
        assert_eq!(value["until"], time::rfc3339(AT), "the last time is the event's");
        assert_eq!(value["at"], time::write(AT - 60_000, TimeForm::Seconds));
        assert_eq!(value["created"], (AT - 60_000) / 1000);
        assert!(one.contains(r#""n": 1.0, "user""#) && one.ends_with("\"b\": null}"), "{one}");
        assert_eq!(one, varied(sample, AT, &mut Dice::seeded(1)));
        assert_ne!(one, varied(sample, AT, &mut Dice::seeded(2)));
    }

    #[test]
    fn an_id_stays_one_of_its_kind() {
        let sample =
            r#"[{"id":"0b1e4c1a-90d2-4f3a-8e21-77a6d0c1b2e3"},{"id":"\u00e4 9"},{"id":"abc"},{"id":-1.5e3},{"id":0}]"#;
        let text = varied(sample, AT, &mut Dice::seeded(3));
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let uuid = Uuid::try_parse(value[0]["id"].as_str().expect("a text")).expect("a UUID");
        assert_eq!((uuid.get_version_num(), &text[26..28]), (4, "-8"), "{text}");
        assert!(value[1]["id"].as_str().expect("a text").starts_with("ä "), "{text}");
        assert!(text.ends_with(r#"{"id":"abc"},{"id":-1.5e3},{"id":0}]"#), "{text}");
        for odd in ["\"\"", "\"\\\"", "1", "", "{\"id\":\"\\\\\"}"] {
            assert_eq!(varied(odd, AT, &mut Dice::seeded(1)).len(), odd.len());
        }
    }
}
