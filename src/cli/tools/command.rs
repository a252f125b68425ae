//! The command line of the table: each noun a command, each verb a command below it, all with the same flags for the same.

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, Command, value_parser};

use super::table::{Flag, Holds, Kind, Noun, Verb};
use crate::client::path_of;

/// Keys belong to an account, which their path names first: it is the caller's own, or `--account`.
const OF_AN_ACCOUNT: &str = "accounts.keys.";
/// Rows that a list shows, unless it is told.
const LIMIT: &str = "50";

/// The command of a noun.
pub fn noun(noun: &'static Noun) -> Command {
    let verbs = noun.verbs.iter().map(|one| verb(noun, one));
    Command::new(noun.name)
        .about(noun.about)
        .before_help(format!("Examples:\n  {}", noun.examples.trim_start()))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(verbs)
}

/// What of an operation's path stands on the command line.
pub fn places(verb: &Verb) -> Vec<&'static str> {
    let path = path_of(verb.operation).expect("a test holds that it is there");
    let named = path.split(['{', '}']).skip(1).step_by(2);
    named.skip(usize::from(needs_account(verb))).collect()
}

/// Whether the account stands in the path.
pub fn needs_account(verb: &Verb) -> bool {
    verb.operation.starts_with(OF_AN_ACCOUNT)
}

fn verb(noun: &Noun, verb: &'static Verb) -> Command {
    let mut command = Command::new(verb.name).about(verb.about);
    let places = places(verb);
    for (at, place) in places.iter().enumerate() {
        let is_many = verb.kind == Kind::Gone && at + 1 == places.len();
        let arg = Arg::new(*place).value_name(in_capitals(place)).required(true).help(meaning(noun, place));
        command = command.arg(if is_many { arg.num_args(1..).action(ArgAction::Append) } else { arg });
    }
    if verb.kind == Kind::Many && places.is_empty() {
        command = command.arg(Arg::new("ids").value_name("ID").num_args(1..).help("Those, or what a filter selects"));
    }
    command = verb.flags.iter().fold(command, |command, flag| command.arg(of_flag(flag)));
    if noun.name != "accounts" && noun.name != "dialects" {
        let help = "Act for this account; for an admin key";
        command = command.arg(Arg::new("account").long("account").value_name("ID").help(help));
    }
    of_kind(verb, command).arg(yes("json", "Print JSON, one object a line"))
}

/// What goes with how a verb goes.
fn of_kind(verb: &Verb, command: Command) -> Command {
    match verb.kind {
        Kind::Rows => command
            .arg(
                Arg::new("limit")
                    .long("limit")
                    .value_name("ROWS")
                    .default_value(LIMIT)
                    .help("At most so many")
                    .value_parser(value_parser!(u64).range(1..)),
            )
            .arg(yes("all", "All there are, page by page").conflicts_with("limit")),
        Kind::Write => with_fields(command),
        Kind::Act if !verb.flags.is_empty() => with_fields(command),
        Kind::One | Kind::Act => command,
        Kind::Gone => command.arg(yes("yes", "Do not ask")),
        Kind::Many => command
            .arg(yes("yes", "Do not ask"))
            .arg(yes("dry-run", "Only say how many").conflicts_with("yes"))
            .arg(yes("no-wait", "Do not wait until the server has done it")),
    }
}

fn with_fields(command: Command) -> Command {
    let set = Arg::new("set").long("set").value_name("FIELD=VALUE").action(ArgAction::Append);
    let data = Arg::new("data").long("data").value_name("JSON");
    command
        .arg(set.help("Any field of the API: JSON, else a text; a.b=1 goes deeper; give it once for each"))
        .arg(data.help("All fields as an object: JSON, @FILE, or - for standard input; what is said beside it wins"))
}

fn of_flag(flag: &Flag) -> Arg {
    let arg = Arg::new(flag.word).help(flag.help);
    if flag.is_alone() {
        return arg.value_name(flag.word);
    }
    let arg = arg.long(flag.word);
    match flag.holds {
        Holds::Yes => arg.action(ArgAction::SetTrue),
        Holds::Text => arg.value_name("TEXT"),
        Holds::Texts => arg.value_name("TEXT").action(ArgAction::Append),
        Holds::Number => arg.value_name("NUMBER").value_parser(ValueParser::new(value_parser!(u64))),
    }
}

fn yes(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn meaning(noun: &Noun, place: &str) -> String {
    match place {
        "number" => "The number of the attempt, from 1".into(),
        _ => format!("The {}", noun.one),
    }
}

fn in_capitals(place: &str) -> &'static str {
    match place {
        "name" => "NAME",
        "number" => "NUMBER",
        _ => "ID",
    }
}
