//! Reads a condition: the part of a filter of RFC 9535 that is taken. Pure. `written.rs` has looked at its shape, so brackets
//! match, and none stand deeper inside of each other than they may.

use std::borrow::Cow;

use serde_json::Number;

use super::form::{Operand, Path, Relation, Segment, Test};
use super::tree::Node;

/// The greatest index, as in the RFC.
const INDEX_MAX: u64 = (1 << 53) - 1;

/// Why a text is no condition.
#[derive(Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is written in another way.
    Form,
    /// It has a function that there is not.
    Function(String),
}

type Read<T> = Result<T, Unreadable>;

/// Reads all of a text. An error says also at which byte it was met.
pub fn read(text: &str) -> Result<Test, (usize, Unreadable)> {
    let mut reader = Reader { rest: text };
    let read = match reader.any() {
        Ok(_) if !reader.rest.is_empty() => Err(Unreadable::Form),
        read => read,
    };
    read.map_err(|why| (text.len() - reader.rest.len(), why))
}

impl Path {
    /// Reads a path, such as `@.data.items[0].id`. An error is the byte at which it is none.
    pub fn parse(text: &str) -> Result<Self, usize> {
        let mut reader = Reader { rest: text };
        match reader.path() {
            Ok(path) if reader.rest.is_empty() => Ok(path),
            _ => Err(text.len() - reader.rest.len()),
        }
    }

    /// Reads the path that a text starts with, and gives what is behind it.
    pub fn at_start(text: &str) -> Result<(Self, &str), usize> {
        let mut reader = Reader { rest: text };
        let path = reader.path();
        path.map(|path| (path, reader.rest)).map_err(|_| text.len() - reader.rest.len())
    }
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn eat(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn must(&mut self, token: &str) -> Read<()> {
        if self.eat(token) { Ok(()) } else { Err(Unreadable::Form) }
    }

    /// A token with space around it; without the token, nothing is taken.
    fn eat_between(&mut self, token: &str) -> bool {
        let before = self.rest;
        self.space();
        if !self.eat(token) {
            self.rest = before;
            return false;
        }
        self.space();
        true
    }

    /// The longest start whose characters all fit.
    fn eat_while(&mut self, fits: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn any(&mut self) -> Read<Test> {
        let mut tests = vec![self.all()?];
        while self.eat_between("||") {
            tests.push(self.all()?);
        }
        Ok(if tests.len() == 1 { tests.remove(0) } else { Test::Any(tests) })
    }

    fn all(&mut self) -> Read<Test> {
        let mut tests = vec![self.one()?];
        while self.eat_between("&&") {
            tests.push(self.one()?);
        }
        Ok(if tests.len() == 1 { tests.remove(0) } else { Test::All(tests) })
    }

    fn one(&mut self) -> Read<Test> {
        if self.eat("!") {
            self.space();
            let not = if self.eat("(") { self.in_parentheses()? } else { Test::Exists(self.path()?) };
            return Ok(Test::Not(Box::new(not)));
        }
        if self.eat("(") {
            return self.in_parentheses();
        }
        if !self.rest.starts_with('@') {
            let left = self.operand()?;
            let relation = self.relation().ok_or(Unreadable::Form)?;
            return Ok(Test::Compare(left, relation, self.operand()?));
        }
        let path = self.path()?;
        match self.relation() {
            None => Ok(Test::Exists(path)),
            Some(relation) => Ok(Test::Compare(at(path)?, relation, self.operand()?)),
        }
    }

    /// What stands in parentheses, the first of which was taken.
    fn in_parentheses(&mut self) -> Read<Test> {
        self.space();
        let test = self.any()?;
        self.space();
        self.must(")")?;
        Ok(test)
    }

    fn relation(&mut self) -> Option<Relation> {
        use Relation::{AtLeast, AtMost, Equal, Greater, Less, Other};
        let known = [("==", Equal), ("!=", Other), ("<=", AtMost), (">=", AtLeast), ("<", Less), (">", Greater)];
        known.into_iter().find(|(token, _)| self.eat_between(token)).map(|(_, relation)| relation)
    }

    fn operand(&mut self) -> Read<Operand> {
        match self.rest.chars().next().ok_or(Unreadable::Form)? {
            '@' => at(self.path()?),
            '\'' | '"' => Ok(Operand::Literal(Node::Text(Cow::Owned(self.string()?)))),
            '-' | '0'..='9' => Ok(Operand::Literal(Node::Number(self.number()?))),
            _ => {
                for (word, node) in [("true", Node::Bool(true)), ("false", Node::Bool(false)), ("null", Node::Null)] {
                    if self.eat(word) {
                        return Ok(Operand::Literal(node));
                    }
                }
                self.function()
            }
        }
    }

    fn function(&mut self) -> Read<Operand> {
        let name = self.eat_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if name.is_empty() {
            return Err(Unreadable::Form);
        }
        self.must("(")?;
        self.space();
        let function = match name {
            "length" => Operand::Length(Box::new(self.operand()?)),
            "count" => Operand::Count(self.path()?),
            "value" => Operand::Value(self.path()?),
            _ => return Err(Unreadable::Function(name.to_string())),
        };
        self.space();
        self.must(")")?;
        Ok(function)
    }

    fn path(&mut self) -> Read<Path> {
        self.must("@")?;
        let mut segments = Vec::new();
        loop {
            let before = self.rest;
            self.space();
            segments.push(if self.eat(".*") {
                Segment::Each
            } else if self.eat(".") {
                Segment::Field(self.name()?)
            } else if self.eat("[") {
                self.selector()?
            } else {
                self.rest = before;
                return Ok(Path(segments));
            });
        }
    }

    fn name(&mut self) -> Read<Box<str>> {
        if self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(Unreadable::Form);
        }
        let name = self.eat_while(|c| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii());
        if name.is_empty() { Err(Unreadable::Form) } else { Ok(name.into()) }
    }

    /// What stands in brackets, the first of which was taken.
    fn selector(&mut self) -> Read<Segment> {
        self.space();
        let segment = if self.eat("*") {
            Segment::Each
        } else if self.rest.starts_with(['\'', '"']) {
            Segment::Field(self.string()?.into())
        } else {
            let from = self.index()?;
            match (from, self.eat_between(":")) {
                (Some(index), false) => Segment::Element(index),
                (None, false) => return Err(Unreadable::Form),
                (from, true) => {
                    let to = self.index()?;
                    let step = if self.eat_between(":") { self.index()? } else { None };
                    Segment::Slice { from: from.unwrap_or(0), to: to.unwrap_or(usize::MAX), step: step.unwrap_or(1) }
                }
            }
        };
        self.space();
        self.must("]")?;
        Ok(segment)
    }

    /// A number from 0 on, if there is any.
    fn index(&mut self) -> Read<Option<usize>> {
        let digits = self.eat_while(|c| c.is_ascii_digit());
        match digits.parse::<u64>() {
            _ if digits.is_empty() => Ok(None),
            Ok(index) if index <= INDEX_MAX && (digits == "0" || !digits.starts_with('0')) => {
                usize::try_from(index).map(Some).map_err(|_| Unreadable::Form)
            }
            _ => Err(Unreadable::Form),
        }
    }

    fn number(&mut self) -> Read<Number> {
        let before = self.rest;
        self.eat("-");
        if !self.eat("0") {
            self.digits()?;
        }
        let whole = self.rest;
        if self.eat(".") && self.digits().is_err() {
            self.rest = whole;
        }
        if self.eat("e") || self.eat("E") {
            let _ = self.eat("+") || self.eat("-");
            self.digits()?;
        }
        let text = &before[..before.len() - self.rest.len()];
        text.parse().map_err(|_| Unreadable::Form)
    }

    fn digits(&mut self) -> Read<()> {
        if self.eat_while(|c| c.is_ascii_digit()).is_empty() { Err(Unreadable::Form) } else { Ok(()) }
    }

    fn string(&mut self) -> Read<String> {
        let quote = self.rest.chars().next().ok_or(Unreadable::Form)?;
        self.rest = &self.rest[1..];
        let mut text = String::new();
        loop {
            text.push_str(self.eat_while(|c| c >= ' ' && c != '\\' && c != quote));
            if self.eat(quote.encode_utf8(&mut [0; 4])) {
                return Ok(text);
            }
            self.must("\\")?;
            text.push(self.escaped(quote)?);
        }
    }

    /// What stands behind a backslash.
    fn escaped(&mut self, quote: char) -> Read<char> {
        let escape = self.rest.chars().next().ok_or(Unreadable::Form)?;
        self.rest = &self.rest[escape.len_utf8()..];
        Ok(match escape {
            'b' => '\u{8}',
            't' => '\t',
            'n' => '\n',
            'f' => '\u{c}',
            'r' => '\r',
            '/' | '\\' => escape,
            'u' => return self.unicode(),
            _ if escape == quote => quote,
            _ => return Err(Unreadable::Form),
        })
    }

    fn unicode(&mut self) -> Read<char> {
        let first = self.unit()?;
        let mut units = vec![first];
        if (0xd800..0xdc00).contains(&first) {
            self.must("\\u")?;
            units.push(self.unit()?);
        }
        let decoded: Option<Vec<char>> = char::decode_utf16(units).map(Result::ok).collect();
        decoded.filter(|chars| chars.len() == 1).map(|chars| chars[0]).ok_or(Unreadable::Form)
    }

    fn unit(&mut self) -> Read<u16> {
        let digits = self.rest.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let unit = u16::from_str_radix(digits.ok_or(Unreadable::Form)?, 16).map_err(|_| Unreadable::Form)?;
        self.rest = &self.rest[4..];
        Ok(unit)
    }
}

/// A path that stands where one value is compared.
fn at(path: Path) -> Read<Operand> {
    if path.is_single() { Ok(Operand::At(path)) } else { Err(Unreadable::Form) }
}
