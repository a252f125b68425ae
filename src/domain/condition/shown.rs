//! Conditions and what they compare, as text. What stays true: a condition that is written and read again is the same.

use std::fmt::{self, Display, Formatter, Write};

use super::form::{Operand, Path, Relation, Segment, Test};
use super::tree::Node;

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('@')?;
        self.0.iter().try_for_each(|segment| segment.fmt(f))
    }
}

impl Display for Segment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) if is_bare(name) => write!(f, ".{name}"),
            Self::Field(name) => write!(f, "[{}]", quoted(name)),
            Self::Element(index) => write!(f, "[{index}]"),
            Self::Each => f.write_str("[*]"),
            Self::Slice { from, to, step } => {
                write!(f, "[{from}:")?;
                if *to < usize::MAX {
                    write!(f, "{to}")?;
                }
                if *step == 1 { f.write_char(']') } else { write!(f, ":{step}]") }
            }
        }
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(node) => node.fmt(f),
            Self::At(path) => path.fmt(f),
            Self::Length(of) => write!(f, "length({of})"),
            Self::Count(path) => write!(f, "count({path})"),
            Self::Value(path) => write!(f, "value({path})"),
        }
    }
}

impl Display for Relation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "==",
            Self::Other => "!=",
            Self::Less => "<",
            Self::Greater => ">",
            Self::AtMost => "<=",
            Self::AtLeast => ">=",
        })
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut Formatter<'_>, tests: &[Self], word: &str| {
            tests.iter().enumerate().try_for_each(|(n, test)| {
                f.write_str(if n > 0 { word } else { "" })?;
                if matches!(test, Self::Any(_) | Self::All(_)) { write!(f, "({test})") } else { test.fmt(f) }
            })
        };
        match self {
            Self::Any(tests) => joined(f, tests, " || "),
            Self::All(tests) => joined(f, tests, " && "),
            Self::Not(test) => match &**test {
                Self::Exists(path) => write!(f, "!{path}"),
                test => write!(f, "!({test})"),
            },
            Self::Exists(path) => path.fmt(f),
            Self::Compare(left, relation, right) => write!(f, "{left} {relation} {right}"),
        }
    }
}

/// As JSON.
impl Display for Node<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::List(elements) => {
                f.write_char('[')?;
                elements.iter().enumerate().try_for_each(|(n, element)| {
                    f.write_str(if n > 0 { "," } else { "" })?;
                    element.fmt(f)
                })?;
                f.write_char(']')
            }
            Self::Object(fields) => {
                f.write_char('{')?;
                fields.iter().enumerate().try_for_each(|(n, (name, value))| {
                    f.write_str(if n > 0 { "," } else { "" })?;
                    write!(f, "{}:{value}", quoted(name))
                })?;
                f.write_char('}')
            }
        }
    }
}

/// Whether a name can stand behind a dot.
fn is_bare(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii();
    name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(fits)
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text can be written")
}

#[cfg(test)]
mod tests {
    use super::super::written::Condition;
    use super::super::written::tests::conditions;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_is_written_as_it_is_read() {
        for text in ["@", "@.a.b", "@[\"a b\"][0]", "@.a[*][1:]", "@[0:3:2]", "@[\"0\"]", "@.ä[\"\"]"] {
            assert_eq!(Path::parse(text).map(|path| path.to_string()), Ok(text.to_string()));
        }
        for (text, at) in [("@.", 2), ("@.a b", 3), ("a", 0), ("@..a", 2), ("@[-1]", 2)] {
            assert_eq!(Path::parse(text), Err(at), "{text}");
        }
        assert_eq!(Path::at_start("@.a} and more").map(|(_, rest)| rest), Ok("} and more"));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(text in conditions()) {
            if let Ok(condition) = Condition::parse(&text) {
                let written = condition.0.to_string();
                // A test of one in parentheses is the same without them, so the second writing is the one to compare.
                prop_assert_eq!(Condition::parse(&written).map(|one| one.0.to_string()), Ok(written), "{}", text);
            }
        }
    }
}
