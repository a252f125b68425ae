//! A condition as it is written: what it may hold, and what is wrong with one that is none. What stays true: what takes time
//! that multiplies is refused before anything is read.

use super::form::{Steps, Test, TooCostly};
use super::text::{self, Unreadable};
use super::tree::Node;
use crate::domain::Invalid;

/// A condition, in bytes.
pub const CONDITION_BYTES_MAX: usize = 1024;
/// Brackets inside of each other.
const DEPTH_MAX: usize = 16;
/// Paths (`@…`) in one condition.
const PATHS_MAX: usize = 32;
/// `*` and `:`, which lead to many values at once.
const WIDE_MAX: usize = 4;

/// The field of a request that holds one.
const FIELD: &str = "filter";
const EXAMPLE: &str = r#"write it like @.data.amount > 100 && @.type != "ping""#;

/// A condition that can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition(pub(super) Test);

impl Condition {
    /// Reads a condition of at most [`CONDITION_BYTES_MAX`].
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = |message: String| Invalid::new(FIELD, message);
        if text.len() > CONDITION_BYTES_MAX {
            return Err(wrong(format!("is longer than {CONDITION_BYTES_MAX} bytes: share it out among webhooks")));
        }
        check_shape(text).map_err(wrong)?;
        text::read(text.trim()).map(Self).map_err(|why| wrong(unreadable(why)))
    }

    /// Whether it holds for an event of the form `{type, data, actor, metadata}`.
    pub fn holds(&self, event: &Node<'_>, steps: &mut Steps) -> Result<bool, TooCostly> {
        self.0.holds(event, steps)
    }
}

fn unreadable(why: Unreadable) -> String {
    match why {
        Unreadable::Form => format!("is not a condition as in RFC 9535: {EXAMPLE}"),
        Unreadable::Function(name) => {
            format!("has an unknown function ('{name}' is not defined): there are length, count and value; {EXAMPLE}")
        }
    }
}

/// Checks what must be right before the parser sees it: brackets match, and nothing in it multiplies.
fn check_shape(text: &str) -> Result<(), String> {
    let mut open: Vec<u8> = Vec::new();
    let (mut paths, mut wide, mut before) = (0, 0, b' ');
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' | b'\'' if !skip_string(&mut bytes, byte) => {
                return Err(format!("has a text without an end: a {} is missing", char::from(byte)));
            }
            b'(' | b'[' => open.push(byte),
            b')' if open.pop() != Some(b'(') => return Err(unbalanced()),
            b']' if open.pop() != Some(b'[') => return Err(unbalanced()),
            b',' if open.last() == Some(&b'[') => {
                return Err("may hold one selector in a pair of brackets: join several conditions with ||".into());
            }
            b'-' if open.last() == Some(&b'[') => {
                return Err("must not hold a negative number in brackets: indexes count from the start, from 0".into());
            }
            b'.' if before == b'.' => return Err("must not hold \"..\": write the whole path, as in @.data.a.b".into()),
            b'?' => return Err(format!("must not hold a \"?\": it is a filter already; {EXAMPLE}")),
            b'$' => return Err("must not hold a \"$\": a path starts with @, the event, as in @.data.a".into()),
            b'@' => paths += 1,
            b'*' | b':' => wide += 1,
            _ => {}
        }
        if open.len() > DEPTH_MAX {
            return Err(format!("has more than {DEPTH_MAX} brackets inside of each other"));
        }
        before = byte;
    }
    if paths > PATHS_MAX {
        return Err(format!("holds more than {PATHS_MAX} paths: share them out among webhooks"));
    }
    if wide > WIDE_MAX {
        return Err(format!(
            "holds more than {WIDE_MAX} of \"*\" and \":\": name the elements, or share them out among webhooks"
        ));
    }
    if open.is_empty() { Ok(()) } else { Err(unbalanced()) }
}

fn unbalanced() -> String {
    format!("has a bracket without its partner; {EXAMPLE}")
}

/// Skips to the end of a text that started with `quote`; says whether there is one.
fn skip_string(bytes: &mut std::str::Bytes<'_>, quote: u8) -> bool {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            _ if byte == quote => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
pub(super) mod tests;
