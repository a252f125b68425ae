//! Goes over JSON without reading more of it than where values begin and end. What stays true: what is handed out are slices of
//! the bytes, so whatever is taken over is as the producer wrote it; one pass, no allocation, no recursion; and no input makes
//! it panic, though only checked JSON is ever given.

use std::borrow::Cow;

/// The value without white space around it.
pub(super) fn trimmed(json: &[u8]) -> &[u8] {
    json.trim_ascii()
}

/// The fields of an object: each name with its quotes, and its value.
pub(super) fn fields(object: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = inside(object);
    std::iter::from_fn(move || {
        let name = next(&mut rest)?;
        rest = after(rest, b':');
        let value = next(&mut rest)?;
        rest = after(rest, b',');
        Some((name, value))
    })
}

/// The elements of an array.
pub(super) fn elements(array: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = inside(array);
    std::iter::from_fn(move || {
        let value = next(&mut rest)?;
        rest = after(rest, b',');
        Some(value)
    })
}

/// The text that a JSON string stands for; borrowed where nothing in it is escaped.
pub(super) fn text(quoted: &[u8]) -> Cow<'_, str> {
    let inner = inside(quoted);
    if memchr::memchr(b'\\', inner).is_some()
        && let Ok(text) = serde_json::from_slice::<String>(quoted)
    {
        return Cow::Owned(text);
    }
    String::from_utf8_lossy(inner)
}

/// What stands between the first and the last byte.
pub(super) fn inside(json: &[u8]) -> &[u8] {
    let json = trimmed(json);
    json.get(1..json.len().saturating_sub(1)).unwrap_or_default()
}

fn after(json: &[u8], separator: u8) -> &[u8] {
    let json = json.trim_ascii_start();
    json.strip_prefix(&[separator]).unwrap_or(json)
}

/// Takes the next value off; none at the end.
fn next<'j>(rest: &mut &'j [u8]) -> Option<&'j [u8]> {
    let json = rest.trim_ascii_start();
    let (value, behind) = json.split_at(end(json));
    *rest = behind;
    (!value.is_empty()).then_some(value)
}

/// Where the value ends that begins with the first byte.
fn end(json: &[u8]) -> usize {
    match json.first() {
        None => 0,
        Some(b'"') => end_of_string(json, 0),
        Some(b'{' | b'[') => end_of_container(json),
        Some(_) => {
            let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b':' | b']' | b'}');
            // What begins with such a byte is no value: it is taken, so that whoever goes on comes to an end.
            json.iter().skip(1).position(is_end).map_or(json.len(), |at| at + 1)
        }
    }
}

fn end_of_container(json: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => {
                at = end_of_string(json, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

/// Where the string ends that begins at `at`.
fn end_of_string(json: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(found) = json.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if json[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn values_are_handed_out_as_they_are_written() {
        let object = br#" { "a" : 1.50 , "b\"," :[ 1, {"x":"]}"} ],"c":"\\","" : {} , "n":null} "#;
        let found: Vec<_> = fields(object).map(|(name, value)| (said(name), said(value))).collect();
        let expected = [
            ("\"a\"", "1.50"),
            ("\"b\\\",\"", "[ 1, {\"x\":\"]}\"} ]"),
            ("\"c\"", "\"\\\\\""),
            ("\"\"", "{}"),
            ("\"n\"", "null"),
        ];
        assert_eq!(found, expected);
        let list: Vec<_> = elements(b"[ 1,\n-2e5 ,true,[],\"x\" ]").map(said).collect();
        assert_eq!(list, ["1", "-2e5", "true", "[]", "\"x\""]);
        assert_eq!((fields(b"{ }").count(), elements(b"[]").count()), (0, 0));
        assert_eq!(text(br#""a\u00e4\n""#), "aä\n");
        assert_eq!(text(br#""plain""#), "plain");
    }

    proptest! {
        /// Whatever it is given, it ends.
        #[test]
        fn nothing_makes_it_panic_or_go_on_for_ever(bytes in prop::collection::vec(prop::sample::select(br#"{}[]":, \1a"#.to_vec()), 0..40)) {
            prop_assert!(fields(&bytes).count() <= bytes.len());
            prop_assert!(elements(&bytes).count() <= bytes.len());
            text(&bytes);
        }
    }
}
