//! JSON as `JSON.stringify(JSON.parse(text))` writes it, so that a receiver that verifies a signature over what it
//! has parsed and written again comes to the same bytes.
//!
//! What stays true: the input is valid JSON that `domain::json::check` has passed (so nesting is bounded and strings
//! are Unicode); the output is a fixed point; only a number that JavaScript cannot hold depends on the choice in
//! [`Numbers`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ops::Range;

use super::number::js;
use crate::domain::json::DEPTH_MAX;

/// How the JSON of the body is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JsonForm {
    /// The producer's bytes, unchanged.
    #[default]
    Verbatim,
    /// As `JSON.stringify(JSON.parse(body))` writes it.
    Canonical,
}

/// What becomes of a number that JavaScript cannot hold: a whole number that would change, or one beyond its range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Numbers {
    /// It is sent as the producer wrote it.
    #[default]
    Exact,
    /// The publish is refused with its path.
    Refuse,
    /// It is sent as JavaScript would hold it; the reply to the publish carries a warning.
    Js,
}

/// Appends `json` to `out` in the canonical form. Time and memory grow with its length (times the nesting at worst).
///
/// # Panics
/// If `json` is not valid JSON or deeper than [`DEPTH_MAX`].
pub fn canonical(json: &[u8], numbers: Numbers, out: &mut Vec<u8>) {
    Writer { json, at: 0, numbers, out, path: Vec::new(), lost: Vec::new() }.value();
}

/// A number that JavaScript cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostNumber {
    /// Where it is, such as `.items[3].amount`.
    pub path: String,
    /// What it becomes: another number, or `null` where it is beyond the range.
    pub becomes: String,
}

impl LostNumber {
    fn is_beyond(&self) -> bool {
        self.becomes == "null"
    }
}

/// Of the numbers in `json` that JavaScript cannot hold the first that becomes another, and the first that becomes null; in
/// their order.
///
/// # Panics
/// As [`canonical`].
pub fn lost_numbers(json: &[u8]) -> Vec<LostNumber> {
    let mut out = Vec::with_capacity(json.len());
    let mut writer = Writer { json, at: 0, numbers: Numbers::Js, out: &mut out, path: Vec::new(), lost: Vec::new() };
    writer.value();
    writer.lost
}

/// The path of the first number in `json` that JavaScript cannot hold.
///
/// # Panics
/// As [`canonical`].
pub fn first_lost_number(json: &[u8]) -> Option<String> {
    lost_numbers(json).into_iter().next().map(|lost| lost.path)
}

/// Whether `key` is an array index (0 to 2³²−2, no leading zeros): JavaScript puts these first, ascending.
pub(super) fn array_index(key: &[u8]) -> Option<u32> {
    if !matches!(key, [b'0'] | [b'1'..=b'9', ..]) || key.len() > 10 {
        return None;
    }
    std::str::from_utf8(key).ok()?.parse().ok().filter(|index| *index != u32::MAX)
}

/// Writes text as `JSON.stringify` writes a string: escapes for `"`, `\` and controls, nothing else.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a string can always be written");
}

struct Writer<'a> {
    json: &'a [u8],
    at: usize,
    numbers: Numbers,
    out: &'a mut Vec<u8>,
    path: Vec<Step<'a>>,
    lost: Vec<LostNumber>,
}

enum Step<'a> {
    Key(&'a [u8]),
    Index(usize),
}

/// Where a member of an object stands in the output.
#[derive(Clone)]
struct Member {
    key: Range<usize>,
    value: Range<usize>,
}

impl<'a> Writer<'a> {
    fn value(&mut self) {
        match self.peek() {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => {
                self.string();
            }
            b'-' | b'0'..=b'9' => self.number(),
            _ => {
                let word = self.take_while(|b| b.is_ascii_lowercase());
                assert!(!word.is_empty(), "valid JSON has a value here");
                self.out.extend_from_slice(word);
            }
        }
    }

    fn array(&mut self) {
        self.enter(Step::Index(0));
        self.out.push(b'[');
        let mut count = 0;
        while self.peek() != b']' {
            self.comma(count);
            *self.path.last_mut().expect("entered") = Step::Index(count);
            self.value();
            count += 1;
        }
        self.at += 1;
        self.out.push(b']');
        self.path.pop();
    }

    fn object(&mut self) {
        self.enter(Step::Index(0));
        let start = self.out.len();
        self.out.push(b'{');
        let mut members = Vec::new();
        while self.peek() != b'}' {
            self.comma(members.len());
            let key_start = self.out.len();
            assert_eq!(self.peek(), b'"', "valid JSON has a key here");
            *self.path.last_mut().expect("entered") = Step::Key(self.string());
            let key = key_start..self.out.len();
            assert_eq!(self.peek(), b':', "valid JSON has a colon here");
            self.at += 1;
            self.out.push(b':');
            let value_start = self.out.len();
            self.value();
            members.push(Member { key, value: value_start..self.out.len() });
        }
        self.at += 1;
        self.out.push(b'}');
        self.path.pop();
        if out_of_order(self.out, &members) {
            let ordered = in_order(self.out, &members);
            self.out.truncate(start);
            self.out.extend_from_slice(&ordered);
        }
    }

    /// Writes a string and hands back its source between the quotes. One without a backslash needs no change: valid
    /// JSON holds no raw controls.
    fn string(&mut self) -> &'a [u8] {
        let start = self.at + 1;
        let mut end = start;
        let mut escaped = false;
        loop {
            end += memchr::memchr2(b'"', b'\\', &self.json[end..]).expect("a valid JSON string ends");
            if self.json[end] == b'"' {
                break;
            }
            escaped = true;
            end += 2;
        }
        self.at = end + 1;
        let quoted = &self.json[start - 1..=end];
        if escaped {
            let text: String = serde_json::from_slice(quoted).expect("valid JSON has valid strings");
            string(&text, self.out);
        } else {
            self.out.extend_from_slice(quoted);
        }
        &self.json[start..end]
    }

    fn number(&mut self) {
        let digits = self.take_while(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
        let text = std::str::from_utf8(digits).expect("a number is ASCII");
        let mut buffer = ryu_js::Buffer::new();
        let number = js(text, &mut buffer);
        if !number.held {
            self.note_lost(number.text);
        }
        let exact = !number.held && self.numbers != Numbers::Js;
        self.out.extend_from_slice(if exact { digits } else { number.text.as_bytes() });
    }

    fn note_lost(&mut self, becomes: &str) {
        let is_known = self.lost.iter().any(|lost| lost.is_beyond() == (becomes == "null"));
        if !is_known {
            self.lost.push(LostNumber { path: written(&self.path), becomes: becomes.to_string() });
        }
    }

    fn enter(&mut self, step: Step<'a>) {
        self.at += 1;
        self.path.push(step);
        assert!(self.path.len() <= DEPTH_MAX, "nesting was checked at the door");
    }

    /// Passes over the comma before every member but the first.
    fn comma(&mut self, count: usize) {
        if count > 0 {
            assert_eq!(self.peek(), b',', "valid JSON has a comma here");
            self.at += 1;
            self.out.push(b',');
        }
        self.peek();
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> u8 {
        while matches!(self.json[self.at], b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.json[self.at]
    }

    fn take_while(&mut self, wanted: impl Fn(&u8) -> bool) -> &'a [u8] {
        let rest = &self.json[self.at..];
        let length = rest.iter().position(|b| !wanted(b)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }
}

/// Below this, comparing all pairs is cheaper than sorting.
const FEW_KEYS: usize = 12;

/// Whether JavaScript would list the members otherwise: one has an index for a key, or a key twice.
fn out_of_order(out: &[u8], members: &[Member]) -> bool {
    let key = |member: &Member| &out[member.key.clone()];
    if members.iter().any(|member| array_index(unquoted(key(member))).is_some()) {
        return true;
    }
    if members.len() <= FEW_KEYS {
        return (1..members.len()).any(|n| members[..n].iter().any(|before| key(before) == key(&members[n])));
    }
    let mut keys: Vec<&[u8]> = members.iter().map(key).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair[0] == pair[1])
}

/// The object again: indices first, ascending, then the others by their first place; of equal keys the last value.
fn in_order(out: &[u8], members: &[Member]) -> Vec<u8> {
    let mut kept: Vec<Member> = Vec::with_capacity(members.len());
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    for member in members {
        let place = *places.entry(&out[member.key.clone()]).or_insert(kept.len());
        match kept.get_mut(place) {
            Some(first) => first.value = member.value.clone(),
            None => kept.push(member.clone()),
        }
    }
    kept.sort_by_key(|member| array_index(unquoted(&out[member.key.clone()])).unwrap_or(u32::MAX));
    let mut ordered = vec![b'{'];
    for (n, member) in kept.iter().enumerate() {
        if n > 0 {
            ordered.push(b',');
        }
        ordered.extend_from_slice(&out[member.key.clone()]);
        ordered.push(b':');
        ordered.extend_from_slice(&out[member.value.clone()]);
    }
    ordered.push(b'}');
    ordered
}

fn unquoted(key: &[u8]) -> &[u8] {
    &key[1..key.len() - 1]
}

fn written(path: &[Step<'_>]) -> String {
    path.iter()
        .map(|step| match step {
            Step::Key(key) => format!(".{}", String::from_utf8_lossy(key)),
            Step::Index(n) => format!("[{n}]"),
        })
        .collect()
}
