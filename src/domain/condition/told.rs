//! Why a condition does not hold, for the person who wrote it: the comparisons that are to blame, with what they compared.
//! Pure. What stays true: it takes steps as asking does.

use std::fmt::Write;

use super::form::{Operand, Steps, Test, TooCostly};
use super::tree::Node;
use super::written::Condition;

/// Of a value that was compared, so many characters are shown.
const SHOWN_CHARS_MAX: usize = 200;

/// A comparison that is to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// As it can be written, such as `@.data.amount > 100`.
    pub comparison: String,
    /// Whether it holds: one behind a `!` is to blame if it does.
    pub holds: bool,
    /// What stood on its left, as JSON, cut; none if nothing is there.
    pub left: Option<String>,
    /// What stood on its right; none also where there is no right.
    pub right: Option<String>,
}

impl Condition {
    /// Which comparisons are to blame that it does not hold; none if it does.
    pub fn told<'e>(&'e self, event: &'e Node<'e>, steps: &mut Steps) -> Result<Vec<Told>, TooCostly> {
        let mut found = Vec::new();
        blame(&self.0, true, event, steps, &mut found)?;
        Ok(found)
    }
}

fn blame<'e>(
    test: &'e Test,
    wanted: bool,
    event: &'e Node<'e>,
    steps: &mut Steps,
    found: &mut Vec<Told>,
) -> Result<(), TooCostly> {
    if test.holds(event, steps)? == wanted {
        return Ok(());
    }
    match test {
        Test::Any(tests) | Test::All(tests) => {
            tests.iter().try_for_each(|test| blame(test, wanted, event, steps, found))?;
        }
        Test::Not(test) => blame(test, !wanted, event, steps, found)?,
        Test::Exists(_) => found.push(Told { comparison: test.to_string(), holds: !wanted, left: None, right: None }),
        Test::Compare(left, _, right) => {
            let mut shown = |operand: &'e Operand| {
                let value = operand.of(event, steps)?;
                Ok::<_, TooCostly>(value.map(|value| cut(value.node())))
            };
            let (left, right) = (shown(left)?, shown(right)?);
            found.push(Told { comparison: test.to_string(), holds: !wanted, left, right });
        }
    }
    Ok(())
}

/// The start of a value as JSON: no more of it is written than is shown.
fn cut(node: &Node<'_>) -> String {
    struct Cut(String, usize);
    impl Write for Cut {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            for c in text.chars() {
                self.1 = self.1.checked_sub(1).ok_or(std::fmt::Error)?;
                self.0.push(c);
            }
            Ok(())
        }
    }
    let mut cut = Cut(String::new(), SHOWN_CHARS_MAX);
    // It ends early where there is more.
    let _ = write!(cut, "{node}");
    cut.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_comparisons_are_to_blame_without_which_it_would_hold() {
        let event = Node::read(br#"{"type":"a","data":{"n":50,"list":[1,2],"x":null}}"#);
        let told = |text: &str| {
            let condition = Condition::parse(text).unwrap();
            let told = condition.told(&event, &mut Steps::new(1000)).unwrap();
            let line = |told: Told| {
                let shown = |one: Option<String>| one.unwrap_or("–".into());
                format!("{} {} {} {}", told.comparison, told.holds, shown(told.left), shown(told.right))
            };
            told.into_iter().map(line).collect::<Vec<_>>()
        };
        assert_eq!(told("@.data.n == 50"), [""; 0]);
        assert_eq!(told("@.data.n > 100 && @.type == 'a'"), ["@.data.n > 100 false 50 100"]);
        assert_eq!(
            told("(@.data.n > 100 || @.data.m == 'x') && !(@.data.list == @.data.list && @.data.x)"),
            [
                "@.data.n > 100 false 50 100",
                "@.data.m == \"x\" false – \"x\"",
                "@.data.list == @.data.list true [1,2] [1,2]",
                "@.data.x true – –",
            ]
        );
        assert_eq!(
            told("length(@.data.list) > 2 || @.none"),
            ["length(@.data.list) > 2 false 2 2", "@.none false – –"]
        );
        let list = format!("{{\"l\":[{}1]}}", "1111111111,".repeat(50));
        let long = Node::read(list.as_bytes());
        let shown = Condition::parse("@.l == 1").unwrap().told(&long, &mut Steps::new(1000)).unwrap()[0].left.clone();
        assert_eq!(shown.map(|text| text.len()), Some(SHOWN_CHARS_MAX));
        let costly = Condition::parse("@.data.n > 100").unwrap();
        assert_eq!(costly.told(&event, &mut Steps::new(2)), Err(TooCostly));
    }
}
