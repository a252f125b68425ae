//! The help of each command, held against a stored file. `HOOKWHEEL_REWRITE=1` writes it anew.

use std::fmt::Write;
use std::path::Path;

use super::run;

/// Where it is stored.
const STORED: &str = "tests/tools/help.txt";

/// The commands that the help of `command` lists.
fn below(help: &str, command: &[String]) -> Vec<Vec<String>> {
    // The first help has groups; the others have one.
    let is_head = |line: &str| line.ends_with(':') && !line.starts_with(' ');
    let (mut found, mut is_in) = (Vec::new(), false);
    for line in help.lines() {
        if is_head(line) {
            is_in = line == "Commands:" || (command.is_empty() && line != "Global options:");
        } else if is_in && line.starts_with("  ") && !line.starts_with("   ") {
            let word = line.split_whitespace().next().expect("the line is not empty");
            if word != "help" {
                found.push([command, &[word.to_owned()]].concat());
            }
        }
    }
    found
}

/// The help of a command and of all below it.
pub fn helps(dir: &Path, command: &[String], all: &mut Vec<(Vec<String>, String)>) {
    let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    arguments.push("--help");
    let help = run(dir, &arguments, &[], None).done();
    let next = below(&help, command);
    all.push((command.to_vec(), help));
    for command in next {
        helps(dir, &command, all);
    }
}

#[test]
fn each_command_has_a_help_and_it_is_as_it_is_stored() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut all = Vec::new();
    helps(dir.path(), &[], &mut all);
    assert!(all.len() > 60, "{} commands", all.len());
    let (first, whole) = &all[0];
    assert!(first.is_empty());
    for head in ["Serve:", "Look:", "Change:", "Contracts:", "Global options:", "Exit codes:"] {
        assert!(whole.lines().any(|line| line.starts_with(head)), "{head} in\n{whole}");
    }
    for (command, help) in &all[1..] {
        assert!(help.contains("Global options:"), "{command:?} keeps the global flags apart:\n{help}");
    }
    for noun in ["webhooks", "send", "tail", "replay", "stats", "status", "login", "serve"] {
        let (_, help) = all.iter().find(|(command, _)| *command == [noun]).expect("it is there");
        assert!(help.starts_with(&format!("Examples:\n  hookwheel {noun}")), "{help}");
    }
    let text = all.iter().fold(String::new(), |mut text, (command, help)| {
        let _ = write!(text, "=== hookwheel {}\n{}\n", command.join(" "), help.trim_end());
        text
    });
    super::hold(STORED, &text);
}
