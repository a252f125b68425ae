//! A condition as it is written: what it may hold, and what is wrong with one that is none, and where. What stays true: what
//! takes time that multiplies is refused before anything is read.

use std::iter::Enumerate;
use std::str::Bytes;

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

/// Of what follows a mistake, so many characters are shown.
const SHOWN_CHARS_MAX: usize = 20;

/// The field of a request that holds one.
const FIELD: &str = "filter";
const EXAMPLE: &str = r#"write it like @.data.amount > 100 && @.type != "ping""#;
const UNBALANCED: &str = "a bracket has no partner; write it like @.data.amount > 100 && (@.data.a || @.data.b)";

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
        check_shape(text).map_err(|(at, why)| wrong(format!("{}: {why}", place(text, at))))?;
        let start = text.len() - text.trim_start().len();
        let read = text::read(text.trim()).map(Self);
        read.map_err(|(at, why)| wrong(format!("{}: {}", place(text, start + at), unreadable(why))))
    }

    /// Whether it holds for an event of the form `{type, data, actor, metadata}`.
    pub fn holds(&self, event: &Node<'_>, steps: &mut Steps) -> Result<bool, TooCostly> {
        self.0.holds(event, steps)
    }
}

/// Where something is wrong, for people, who count characters from 1.
fn place(text: &str, at: usize) -> String {
    let rest = &text[text.floor_char_boundary(at)..];
    let (before, after) = text.split_at(text.len() - rest.trim_start().len());
    match after.trim_end() {
        "" => "is wrong at its end".into(),
        after => {
            let shown: String = after.chars().take(SHOWN_CHARS_MAX).collect();
            format!("is wrong at character {}, at {shown:?}", before.chars().count() + 1)
        }
    }
}

fn unreadable(why: Unreadable) -> String {
    match why {
        Unreadable::Form => format!("no condition as in RFC 9535 goes on so; {EXAMPLE}"),
        Unreadable::Function(name) => {
            format!("the function '{name}' is not defined, there are length, count and value; {EXAMPLE}")
        }
    }
}

/// Checks what must be right before the parser sees it: brackets match, and nothing in it multiplies. An error says also at
/// which byte.
fn check_shape(text: &str) -> Result<(), (usize, String)> {
    let mut open: Vec<(usize, u8)> = Vec::new();
    let (mut paths, mut wide, mut before) = (0, 0, b' ');
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        let wrong = |why: &str| Err((at, why.to_string()));
        let within = open.last().map(|(_, byte)| *byte);
        match byte {
            b'"' | b'\'' if !skip_string(&mut bytes, byte) => {
                return wrong(&format!("a text has no end: a {} is missing", char::from(byte)));
            }
            b'(' | b'[' => open.push((at, byte)),
            b')' if open.pop().is_none_or(|(_, byte)| byte != b'(') => return wrong(UNBALANCED),
            b']' if open.pop().is_none_or(|(_, byte)| byte != b'[') => return wrong(UNBALANCED),
            b',' if within == Some(b'[') => {
                return wrong("one selector may stand in a pair of brackets: join several conditions with ||");
            }
            b'-' if within == Some(b'[') => {
                return wrong("no negative number may stand in brackets: indexes count from the start, from 0");
            }
            b'.' if before == b'.' => return wrong("\"..\" is not taken: write the whole path, as in @.data.a.b"),
            b'?' => return wrong("\"?\" is not taken: it is a filter already; write it like @.data.amount > 100"),
            b'$' => return wrong("\"$\" is not taken: a path starts with @, the event, as in @.data.a"),
            b'@' => paths += 1,
            b'*' | b':' => wide += 1,
            _ => {}
        }
        if open.len() > DEPTH_MAX {
            return wrong(&format!("more than {DEPTH_MAX} brackets stand inside of each other"));
        }
        if paths > PATHS_MAX {
            return wrong(&format!("there are more than {PATHS_MAX} paths: share them out among webhooks"));
        }
        if wide > WIDE_MAX {
            return wrong(&format!(
                "there are more than {WIDE_MAX} of \"*\" and \":\": name the elements, or share them out among webhooks"
            ));
        }
        before = byte;
    }
    open.first().map_or(Ok(()), |(at, _)| Err((*at, UNBALANCED.into())))
}

/// Skips to the end of a text that started with `quote`; says whether there is one.
fn skip_string(bytes: &mut Enumerate<Bytes<'_>>, quote: u8) -> bool {
    while let Some((_, byte)) = bytes.next() {
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
