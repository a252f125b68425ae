//! `hookwheel dialect diff`: what a change of a contract means for those who rely on it. What stays true: the exit code says
//! it too, and a contract that cannot be read is never taken for one that breaks nobody.

use std::fmt::Write as _;
use std::path::Path;

use clap::Args;

use super::error::CliError;
use super::named;
use crate::dialect::{Change, ChangeKind, Side, changes};

/// The arguments of `hookwheel dialect diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hookwheel dialect diff taskflow dialects/my-app.toml
  git show main:dialects/my-app.toml | hookwheel dialect diff - dialects/my-app.toml

A change is breaking where it can make somebody who was right before lose, refuse or misread what he gets today.

Exit code: 0 nothing breaks, 1 something does, 2 one of them cannot be read.")]
pub struct DiffArgs {
    /// What it was: a file, the name of a dialect, or - for standard input
    old: String,
    /// What it is to be: the same
    new: String,
    /// Print an object a line: for, kind, key, what, compatible
    #[arg(long)]
    json: bool,
}

/// What there is to say, and whether anything breaks.
pub struct Told {
    pub text: String,
    pub breaking: usize,
    all: usize,
}

impl Told {
    /// Fails where something breaks.
    pub fn verdict(self) -> Result<(), CliError> {
        match self.breaking {
            0 => Ok(()),
            n => Err(CliError::Verdict(format!(
                "{n} of {} changes {} breaking",
                self.all,
                if n == 1 { "is" } else { "are" }
            ))),
        }
    }
}

/// Compares two contracts; names are those of dialects that are compiled in and of those in `dir`.
pub fn run(args: &DiffArgs, dir: &Path) -> Result<Told, CliError> {
    let read = |named: &str| named::dialect(named, dir).map_err(CliError::Failed);
    let changes = changes(&*read(&args.old)?, &*read(&args.new)?);
    let breaking = changes.iter().filter(|change| !change.compatible).count();
    let text = if args.json { lines(&changes) } else { table(&changes) };
    Ok(Told { text, breaking, all: changes.len() })
}

fn lines(changes: &[Change]) -> String {
    let line = |change| serde_json::to_string(change).expect("a change can be written") + "\n";
    changes.iter().map(line).collect()
}

/// How wide a line is at most, but for a word that is longer.
const WIDTH: usize = 100;
/// Where what a change means begins.
const INDENT: usize = 16;

/// Those for receivers, then those for callers; what breaks first.
fn table(changes: &[Change]) -> String {
    let mut text = String::new();
    for (side, title) in [(Side::Receivers, "For receivers"), (Side::Callers, "For callers of the API")] {
        let mut concerned: Vec<&Change> = changes.iter().filter(|change| change.side == side).collect();
        concerned.sort_by_key(|change| change.compatible);
        if !concerned.is_empty() {
            let _ = writeln!(text, "{title}");
        }
        for Change { kind, key, what, compatible, .. } in concerned {
            let word = if *compatible { "● compatible" } else { "■ breaking  " };
            let kind = match kind {
                ChangeKind::Added => "added",
                ChangeKind::Removed => "removed",
                ChangeKind::Renamed => "renamed",
                ChangeKind::Changed => "changed",
            };
            let _ = writeln!(text, "  {word}  {key} {kind}");
            wrapped(what, &mut text);
        }
    }
    let breaking = changes.iter().filter(|change| !change.compatible).count();
    let _ = match changes.len() {
        0 => writeln!(text, "Both say the same."),
        all => writeln!(text, "{breaking} breaking, {} compatible.", all - breaking),
    };
    text
}

fn wrapped(what: &str, text: &mut String) {
    let mut column = 0;
    for word in what.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length <= WIDTH {
            text.push(' ');
            column += 1;
        } else {
            let line = if column > 0 { "\n" } else { "" };
            let _ = write!(text, "{line}{:INDENT$}", "");
            column = INDENT;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}
