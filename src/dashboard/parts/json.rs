//! JSON as people read it: indented, coloured, objects and lists that fold. Order and the form of numbers stay as they were written,
//! and what is not JSON is shown as text.

use maud::{Markup, html};
use serde_json::Value;
use serde_json::value::RawValue;

use super::amount;

/// Objects and lists deeper than this are closed at first.
const OPEN_DEPTH: usize = 3;
/// Longer documents are shown as they are: a page must stay a page.
const FOLDED_BYTES_MAX: usize = 24 * 1024;
/// So are those with more values: each takes some fifty bytes of a page to fold and colour.
const VALUES_MAX: usize = 600;
/// Of what is longer, so much is shown.
const SHOWN_BYTES_MAX: usize = 32 * 1024;

/// A text that may be JSON.
pub fn json(text: &str) -> Markup {
    let values = text.bytes().filter(|byte| matches!(byte, b',' | b'{' | b'[')).count();
    if text.len() > FOLDED_BYTES_MAX || values > VALUES_MAX {
        return plain(text, SHOWN_BYTES_MAX);
    }
    match serde_json::from_str::<&RawValue>(text) {
        Ok(value) => html! { div.json tabindex="0" { (folded(value, 0)) } },
        Err(_) => plain(text, SHOWN_BYTES_MAX),
    }
}

/// As it is, up to a bound in bytes.
pub fn plain(text: &str, bytes_max: usize) -> Markup {
    let end = text.floor_char_boundary(bytes_max.min(text.len()));
    let (shown, whole) = (amount::count(end as u64), amount::of(text.len() as u64, "byte", "bytes"));
    html! {
        pre.raw tabindex="0" { (&text[..end]) }
        @if end < text.len() { p.hint { "The first " (shown) " of " (whole) "." } }
    }
}

fn folded(value: &RawValue, depth: usize) -> Markup {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'{') => match serde_json::from_str::<Members>(text) {
            Ok(members) => nested(
                '{',
                '}',
                depth,
                members.0.len(),
                &html! {
                    @for (name, value) in &members.0 { li { span.key { (Value::from(name.as_str()).to_string()) } ": " (folded(value, depth + 1)) } }
                },
            ),
            Err(_) => html! { (text) },
        },
        Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(items) => nested(
                '[',
                ']',
                depth,
                items.len(),
                &html! {
                    @for value in &items { li { (folded(value, depth + 1)) } }
                },
            ),
            Err(_) => html! { (text) },
        },
        Some(b'"') => html! { span.string { (text) } },
        Some(b't' | b'f' | b'n') => html! { span.word { (text) } },
        _ => html! { span.number { (text) } },
    }
}

fn nested(open: char, close: char, depth: usize, count: usize, inner: &Markup) -> Markup {
    html! {
        @if count == 0 { (open) (close) } @else {
            details open[depth < OPEN_DEPTH] {
                summary { (open) span.count { " " (count) " " } span.closed { "… " (close) } }
                ul { (inner) }
                (close)
            }
        }
    }
}

/// The members of an object in their order, with names that may be there twice.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> serde::de::Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_numbers_and_repeated_names_stay_and_nothing_gets_out_of_its_quotes() {
        let shown = json(r#"{"b":1.10,"a":[true,null,{}],"b":"<script>&\u003c"}"#).into_string();
        let at = |text: &str| shown.find(text).unwrap_or_else(|| panic!("{text} in {shown}"));
        assert!(at("1.10") < at("true") && at("true") < at("&lt;script&gt;&amp;\\u003c"));
        assert!(!shown.contains("<script"));
        assert_eq!(shown.matches("&quot;b&quot;").count(), 2);
    }

    #[test]
    fn what_is_no_json_or_long_is_text_up_to_a_bound() {
        assert_eq!(json("<b>").into_string(), "<pre class=\"raw\" tabindex=\"0\">&lt;b&gt;</pre>");
        let long = format!("\"{}\"", "é".repeat(SHOWN_BYTES_MAX));
        assert!(json(&long).into_string().len() < SHOWN_BYTES_MAX + 1_000);
        let many = format!("[{}1]", "1,".repeat(VALUES_MAX));
        assert!(json(&many).into_string().starts_with("<pre"), "as long as it is on the page");
    }
}
