//! How a request is shown on a terminal. What stays true: what is shown is what was sent, but for white space between JSON's
//! members; and nothing that others wrote steers the terminal.

use std::io::Write;

use serde_json::value::RawValue;

/// Deeper JSON is indented no further.
const INDENTS_MAX: usize = 32;

/// Writes to standard output, at once. What others wrote is put into no other letters, as what we say is (`terminal::print`).
pub fn write(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// JSON with a line a member. Only white space is changed, so what is shown is what was sent; `None` if it is no JSON.
pub fn pretty(body: &[u8]) -> Option<String> {
    let text = serde_json::from_slice::<&RawValue>(body).ok()?.get();
    let (mut shown, mut depth, mut quoted, mut escaped) = (String::with_capacity(text.len() * 2), 0, false, false);
    for c in text.chars() {
        match c {
            _ if quoted => {
                shown.push(c);
                quoted = escaped || c != '"';
                escaped = c == '\\' && !escaped;
            }
            ' ' | '\t' | '\n' | '\r' => {}
            '{' | '[' => {
                depth += 1;
                shown.push(c);
                break_line(&mut shown, depth);
            }
            '}' | ']' => {
                depth -= 1;
                shown.truncate(shown.trim_end().len());
                if !shown.ends_with(['{', '[']) {
                    break_line(&mut shown, depth);
                }
                shown.push(c);
            }
            ',' => {
                shown.push(c);
                break_line(&mut shown, depth);
            }
            ':' => shown.push_str(": "),
            _ => {
                quoted = c == '"';
                shown.push(c);
            }
        }
    }
    Some(shown)
}

fn break_line(shown: &mut String, depth: usize) {
    shown.push('\n');
    shown.extend(std::iter::repeat_n("  ", depth.min(INDENTS_MAX)));
}

/// Escape sequences stay out of the terminal.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_what_was_sent() {
        let shown = |text: &str| pretty(text.as_bytes());
        let indented = "{\n  \"a{,\\\"\": [\n    1.0,\n    1e400\n  ],\n  \"b\": {},\n  \"b\": [\n    []\n  ]\n}";
        assert_eq!(shown(r#"{"a{,\"": [1.0,1e400],"b":{ },"b":[[]]}"#).as_deref(), Some(indented));
        assert_eq!(shown(" 18446744073709551616 ").as_deref(), Some("18446744073709551616"));
        assert_eq!(shown(r#""\\""#).as_deref(), Some(r#""\\""#));
        assert_eq!(shown("{a}"), None);
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert!(shown(&deep).expect("JSON").lines().all(|line| line.len() <= 2 * INDENTS_MAX + 2));
        assert_eq!(printable("a\u{1b}[31m\n\u{9b}"), "a\u{fffd}[31m\n\u{fffd}");
    }
}
