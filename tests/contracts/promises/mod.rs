//! What the guides promise, as tables: a row for each sentence, header, status, delay and type that says what the service does, with
//! the line of the guide and its words. What stays true: every row is checked by itself, in the run that prints it, and none
//! keeps another from being checked; what a guide asks of its reader, and where it contradicts itself, is a row as well, and says so.
//! To see the tables: `scripts/test --test contracts promises -- --show-output`.

mod acts;
mod cathcr;
mod daycopilot;
mod forge;
mod hub;
mod line;
mod own;
mod taskflow;
mod waits;
mod workspace;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::say;
pub use forge::refuses_forgeries;
pub use own::{Own, body};
pub use waits::{Wait, waits};

/// One promise of a guide, checked on a stage `S`.
pub struct Row<S> {
    /// The line of the guide.
    line: u32,
    /// Its words there.
    promise: &'static str,
    how: How<S>,
}

/// Asserts that a promise is held, and says what was seen, in a few words.
type Check<S> = fn(&mut S) -> String;

enum How<S> {
    /// What is checked, and how.
    Held(&'static str, Check<S>),
    /// The guide says something else elsewhere, or leaves it open: what was decided, which is checked.
    Decided(&'static str, Check<S>),
    /// It is the reader's to do, and nothing of the service could show it: why.
    Reader(&'static str),
}

/// A promise that is held: what is checked, and how.
pub const fn held<S>(line: u32, promise: &'static str, what: &'static str, check: Check<S>) -> Row<S> {
    Row { line, promise, how: How::Held(what, check) }
}

/// A promise that cannot be taken as it stands: why, what is done instead, and the check of that.
pub const fn decided<S>(line: u32, promise: &'static str, why: &'static str, check: Check<S>) -> Row<S> {
    Row { line, promise, how: How::Decided(why, check) }
}

/// What the guide asks of its reader alone: why there is nothing to check.
pub const fn reader<S>(line: u32, promise: &'static str, why: &'static str) -> Row<S> {
    Row { line, promise, how: How::Reader(why) }
}

/// Checks every row, prints the table, and fails if a row did.
pub fn hold<S>(guide: &str, mut stage: S, rows: &[Row<S>]) {
    let (table, broken) = tell(guide, &mut stage, rows);
    println!("{table}");
    assert!(broken.is_empty(), "{} of {} promises are not held:\n{}", broken.len(), rows.len(), broken.join("\n"));
}

/// Says of a whole guide that it was not checked.
pub fn not_run<S>(guide: &str, rows: &[Row<S>]) {
    say(&format!("promises: NOT CHECKED: {} rows of {guide}; scripts/test installs what they need", rows.len()));
}

/// The table, and the rows that are not held.
fn tell<S>(guide: &str, stage: &mut S, rows: &[Row<S>]) -> (String, Vec<String>) {
    let mut table = format!("## {guide}\n\n| line | promise | what was checked | result |\n|---|---|---|---|\n");
    let mut broken = Vec::new();
    for Row { line, promise, how } in rows {
        let (what, result) = match how {
            How::Held(what, check) => ((*what).to_owned(), seen(stage, *check).map(|seen| format!("held: {seen}"))),
            How::Decided(why, check) => {
                (format!("decided: {why}"), seen(stage, *check).map(|seen| format!("as decided: {seen}")))
            }
            How::Reader(why) => (format!("the reader's: {why}"), Ok("nothing to check".to_owned())),
        };
        let result = result.unwrap_or_else(|instead| {
            broken.push(format!("{guide}, line {line}, {promise}: {instead}"));
            format!("NOT HELD: {instead}")
        });
        let cells = [*promise, &what, &result].map(|text| text.replace('|', "\\|").replace('\n', " "));
        writeln!(table, "| {line} | {} |", cells.join(" | ")).expect("a String takes all");
    }
    let (count, kept) = (rows.len(), rows.len() - broken.len());
    write!(table, "\n{guide}: {count} rows, {kept} as they should be").expect("a String takes all");
    (table, broken)
}

/// What a check saw, or what was there instead.
fn seen<S>(stage: &mut S, check: Check<S>) -> Result<String, String> {
    let seen = catch_unwind(AssertUnwindSafe(|| check(stage))).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".into())
    })?;
    match seen.is_empty() {
        true => Err("its check does not say what it saw".into()),
        false => Ok(seen),
    }
}

/// Asserts that a table follows its guide, and says nothing twice.
fn in_order<S>(guide: &str, rows: &[Row<S>]) {
    assert!(
        rows.is_sorted_by_key(|row| row.line),
        "{guide}: {:?}",
        rows.iter().map(|row| row.line).collect::<Vec<_>>()
    );
    let mut known = BTreeSet::new();
    for Row { line, promise, how } in rows {
        let (How::Held(words, _) | How::Decided(words, _) | How::Reader(words)) = how;
        assert!(!promise.is_empty() && !words.is_empty(), "{guide}, line {line}: a row without words");
        assert!(known.insert(promise), "{guide}, line {line}: twice {promise}");
    }
}

#[test]
fn the_tables_follow_their_guides_and_say_nothing_twice() {
    in_order("daycopilot", daycopilot::ROWS);
    in_order("workspace", workspace::ROWS);
    in_order("taskflow", taskflow::ROWS);
    in_order("hub", hub::ROWS);
    in_order("cathcr", cathcr::ROWS);
}

#[test]
fn a_row_that_fails_keeps_no_other_from_being_checked_and_is_told() {
    let rows = [
        held(1, "one", "that it counts", |ran: &mut u32| {
            *ran += 1;
            "1 | one".into()
        }),
        held(2, "two", "that it fails", |_| panic!("{} instead", 7)),
        held(3, "three", "nothing", |_| String::new()),
        decided(4, "four", "it is five", |ran| {
            *ran += 1;
            ran.to_string()
        }),
        reader(5, "five", "it is theirs"),
    ];
    let mut ran = 0;
    let (table, broken) = tell("the guide", &mut ran, &rows);
    assert_eq!(ran, 2);
    assert_eq!(
        broken,
        ["the guide, line 2, two: 7 instead", "the guide, line 3, three: its check does not say what it saw"]
    );
    let lines: Vec<&str> = table.lines().skip(4).collect();
    assert_eq!(
        lines,
        [
            "| 1 | one | that it counts | held: 1 \\| one |",
            "| 2 | two | that it fails | NOT HELD: 7 instead |",
            "| 3 | three | nothing | NOT HELD: its check does not say what it saw |",
            "| 4 | four | decided: it is five | as decided: 2 |",
            "| 5 | five | the reader's: it is theirs | nothing to check |",
            "",
            "the guide: 5 rows, 3 as they should be",
        ]
    );
    let twice = [reader::<()>(2, "one", "x"), reader(1, "two", "x")];
    assert!(catch_unwind(|| in_order("the guide", &twice)).is_err(), "not in order");
    let twice = [reader::<()>(1, "one", "x"), reader(2, "one", "x")];
    assert!(catch_unwind(|| in_order("the guide", &twice)).is_err(), "twice the same");
}
