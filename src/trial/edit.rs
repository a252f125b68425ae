//! Edits of JSON that change one thing and leave it JSON, and as likely to be taken as it was: a receiver that does not
//! verify must not refuse it for another reason.

use std::ops::Range;

/// The field that no contract has.
pub const FIELD: &str = "hookwheel_test_field";
/// What it holds.
const VALUE: &str = r#"{"added":"later"}"#;

/// An object with one field more; `None` if it is no object.
pub fn with_field(json: &str) -> Option<String> {
    let open = json.trim_end().strip_suffix('}').filter(|_| json.starts_with('{'))?;
    let comma = if open.trim_end().len() == 1 { "" } else { "," };
    Some(format!("{open}{comma}\"{FIELD}\":{VALUE}}}"))
}

/// A form with one parameter more.
pub fn with_parameter(form: &str) -> String {
    let and = if form.is_empty() { "" } else { "&" };
    format!("{form}{and}{FIELD}=added+later")
}

/// The same with so many letters more in one of its texts; `None` if it has none.
pub fn lengthened(json: &str, letters: usize) -> Option<String> {
    let text = text(json)?;
    Some(format!("{}{}{}", &json[..text.end], "x".repeat(letters), &json[text.end..]))
}

/// The same with a letter of one of its texts in the other case; `None` if it has none.
pub fn changed(json: &str) -> Option<String> {
    let text = text(json)?;
    let at = text.start + json[text.clone()].rfind(|c: char| c.is_ascii_alphabetic())?;
    let mut bytes = json.as_bytes().to_vec();
    bytes[at] ^= 0x20;
    String::from_utf8(bytes).ok()
}

/// The same with a space that means nothing.
pub fn respaced(json: &str) -> Option<String> {
    let first = json.chars().next().filter(|c| matches!(c, '{' | '['))?;
    Some(format!("{first} {}", &json[1..]))
}

/// The same as hardly any program would write it: spaces between values, and a letter by its number.
pub fn respelled(json: &str) -> Option<String> {
    let text = text(json)?;
    let letter = text.start + json[text.clone()].find(|c: char| c.is_ascii_alphabetic())?;
    let mut out = String::with_capacity(json.len() * 2);
    let mut quoted = Quoted::default();
    for (at, c) in json.char_indices() {
        match quoted.is_inside(c) {
            true if at == letter => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            false if matches!(c, ':' | ',') => out.extend([c, ' ']),
            _ => out.push(c),
        }
    }
    Some(out)
}

/// A text of its values that may well be another one: with a space in it if there is one, and the longest of those.
fn text(json: &str) -> Option<Range<usize>> {
    let is_plain = |text: &str| !text.contains('\\') && text.contains(|c: char| c.is_ascii_alphabetic());
    let found = texts(json).into_iter().filter(|range| is_plain(&json[range.clone()]));
    found.max_by_key(|range| (json[range.clone()].contains(' '), range.len()))
}

/// What stands between the quotes of all texts that are no names.
fn texts(json: &str) -> Vec<Range<usize>> {
    let (mut found, mut start, mut quoted) = (Vec::new(), None, Quoted::default());
    for (at, c) in json.char_indices() {
        match (quoted.is_inside(c), start) {
            (true, None) => start = Some(at + 1),
            (false, Some(from)) if c == '"' => {
                let is_name = json[at + 1..].trim_start().starts_with(':');
                found.extend((!is_name).then_some(from..at));
                start = None;
            }
            _ => {}
        }
    }
    found
}

/// Knows while JSON is walked through whether a character belongs to a text, its first quote included.
#[derive(Default)]
struct Quoted {
    inside: bool,
    escaped: bool,
}

impl Quoted {
    fn is_inside(&mut self, c: char) -> bool {
        let ends = self.inside && c == '"' && !self.escaped;
        self.escaped = self.inside && c == '\\' && !self.escaped;
        self.inside = if self.inside { !ends } else { c == '"' };
        self.inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"a long name: of a field":"x","b":["two words","\"quoted\" and so much longer",1],"c":{}}"#;

    #[test]
    fn one_thing_changes_and_it_stays_json() {
        let value = |json: &str| serde_json::from_str::<serde_json::Value>(json).expect("JSON");
        assert_eq!(with_field("{}").unwrap(), format!("{{\"{FIELD}\":{VALUE}}}"));
        let more = with_field(JSON).unwrap();
        assert_eq!(
            (more.starts_with(&JSON[..JSON.len() - 1]), value(&more)[FIELD]["added"].as_str()),
            (true, Some("later"))
        );
        assert_eq!(with_field("[1]"), None);
        assert_eq!(with_parameter("a=b"), format!("a=b&{FIELD}=added+later"));
        assert_eq!(value(&lengthened(JSON, 3).unwrap())["b"][0], "two wordsxxx");
        assert_eq!(value(&changed(JSON).unwrap())["b"][0], "two wordS");
        assert_eq!(changed(r#"{"name":1,"at":"2024-01-01"}"#), None, "names and numbers stay");
        for same in [respaced(JSON).unwrap(), respelled(JSON).unwrap()] {
            assert_eq!(value(&same), value(JSON));
            assert_ne!(same, JSON);
        }
        let spelled = respelled(JSON).unwrap();
        assert!(
            spelled.contains(r#"["\u0074wo words", "\"quoted\""#) && spelled.contains("a long name: of"),
            "{spelled}"
        );
        assert_eq!(respaced("\"text\""), None);
    }
}
