//! How two texts, or two sets of headers, differ: side by side, line by line. Pure.

use std::collections::BTreeSet;

use serde_json::value::RawValue;
use similar::{Algorithm, DiffTag, capture_diff_slices};

/// A longer text is not compared line by line: a page must stay a page.
pub const COMPARED_BYTES_MAX: usize = 32 * 1024;
/// Lines that are compared.
const LINES_MAX: usize = 1_500;

/// A line of each side: none where the other side has one more.
pub type Pair<'a> = (Option<&'a str>, Option<&'a str>);

/// The lines of two texts, what is the same beside each other; none where they are too long for that.
pub fn lines<'a>(one: &'a str, other: &'a str) -> Option<Vec<Pair<'a>>> {
    let (old, new): (Vec<&str>, Vec<&str>) = (one.lines().collect(), other.lines().collect());
    let is_long = one.len().max(other.len()) > COMPARED_BYTES_MAX || old.len().max(new.len()) > LINES_MAX;
    if is_long {
        return None;
    }
    let mut pairs = Vec::with_capacity(old.len().max(new.len()));
    for operation in capture_diff_slices(Algorithm::Myers, &old, &new) {
        let (tag, from, to) = operation.as_tag_tuple();
        let (left, right) = (&old[from], &new[to]);
        debug_assert!(tag != DiffTag::Equal || left.len() == right.len());
        pairs.extend((0..left.len().max(right.len())).map(|at| (left.get(at).copied(), right.get(at).copied())));
    }
    Some(pairs)
}

/// JSON with a line for each member and item, in its own order and with its own numbers; another text stays as it is.
pub fn laid_out(text: &str) -> String {
    if text.len() > COMPARED_BYTES_MAX || serde_json::from_str::<&RawValue>(text).is_err() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    let new_line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if in_text {
            out.push(c);
            (in_text, is_escaped) = (is_escaped || c != '"', c == '\\' && !is_escaped);
            continue;
        }
        match c {
            '"' => {
                in_text = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                while chars.next_if(char::is_ascii_whitespace).is_some() {}
                // Nothing is in it.
                if let Some(end) = chars.next_if(|end| matches!(end, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

/// Each name that one of them has, ascending, with both values.
pub fn by_name<'a>(
    one: impl IntoIterator<Item = (&'a str, &'a str)>,
    other: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<(&'a str, Option<&'a str>, Option<&'a str>)> {
    let (one, other): (Vec<_>, Vec<_>) = (one.into_iter().collect(), other.into_iter().collect());
    let names: BTreeSet<&str> = one.iter().chain(&other).map(|(name, _)| *name).collect();
    let of =
        |pairs: &[(&str, &'a str)], name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    names.into_iter().map(|name| (name, of(&one, name), of(&other, name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_stands_beside_each_other() {
        let pairs = lines("a\nb\nc\nd", "a\nx\nc\nd\ne").unwrap();
        let same = |text| (Some(text), Some(text));
        assert_eq!(pairs, [same("a"), (Some("b"), Some("x")), same("c"), same("d"), (None, Some("e"))]);
        assert_eq!(lines("", "a").unwrap(), [(None, Some("a"))]);
        assert_eq!(lines("a", &"x\n".repeat(COMPARED_BYTES_MAX)), None);
        assert_eq!(lines("a", &"\n".repeat(LINES_MAX + 1)), None);
    }

    #[test]
    fn json_is_laid_out_without_a_change_of_what_it_says() {
        let laid = laid_out(r#"{"b":1.10,"a":[ 1,{"x":"},[\"\\"} ],"e":{ },"l":[]}"#);
        let expected = "{\n  \"b\": 1.10,\n  \"a\": [\n    1,\n    {\n      \"x\": \"},[\\\"\\\\\"\n    }\n  ],\n  \"e\": {},\n  \"l\": []\n}";
        assert_eq!(laid, expected);
        assert_eq!((laid_out("no json"), laid_out("{\"a\":")), ("no json".into(), "{\"a\":".into()));
    }

    #[test]
    fn headers_are_matched_by_their_names() {
        let pairs = by_name([("a", "1"), ("b", "2")], [("b", "3"), ("c", "4")]);
        assert_eq!(pairs, [("a", Some("1"), None), ("b", Some("2"), Some("3")), ("c", None, Some("4"))]);
    }
}
