//! A change is planted for each key of a dialect, and must be found and classed as somebody who runs webhooks would.

mod plants;

use super::{Kind, Side, changes};
use crate::dialect::{Dialect, Dialects};
use plants::{PLANTS, Plant};

const WHOLE: &str = include_str!("../../tests/whole.toml");

fn parse(text: &str) -> Dialect {
    Dialect::parse("whole.toml", text).unwrap_or_else(|error| panic!("{error}"))
}

/// Each change in a line: whether it breaks, for whom, what happened, and where.
fn found(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (parse(old), parse(new));
    let line = |change: super::Change| {
        let word = if change.compatible { "compatible" } else { "breaking" };
        let side = if change.side == Side::Receivers { "receivers" } else { "callers" };
        let kind = match change.kind {
            Kind::Added => "+",
            Kind::Removed => "-",
            Kind::Renamed => ">",
            Kind::Changed => "~",
        };
        assert!(!change.what.is_empty());
        format!("{word} {side} {kind} {}", change.key)
    };
    changes(&old, &new).into_iter().map(line).collect()
}

/// A planted change as it stands in the whole.
fn planted((from, to, ..): &Plant) -> String {
    assert!(WHOLE.contains(from), "{from:?} is not there");
    WHOLE.replacen(from, to, 1)
}

#[test]
fn each_planted_change_is_found_and_classed() {
    let mut wrong = Vec::new();
    for plant in PLANTS {
        let (from, to, there, back) = *plant;
        let new = planted(plant);
        if let Err(error) = Dialect::parse("whole.toml", &new) {
            wrong.push(format!("{from} → {to}: {error}"));
            continue;
        }
        for (old, new, expected) in [(WHOLE, new.as_str(), there), (new.as_str(), WHOLE, back)] {
            let found = found(old, new);
            if found != expected {
                wrong.push(format!("{from} → {to}:\n  found    {found:?}\n  expected {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_key_of_the_whole_has_a_change_planted() {
    for (n, line) in WHOLE.lines().enumerate().filter(|(_, line)| line.contains(" = ") && !line.starts_with('#')) {
        let touched = PLANTS.iter().any(|plant| {
            let lines: Vec<String> = planted(plant).lines().map(String::from).collect();
            !lines.iter().any(|other| other == line) || plant.0.contains(line) || line.contains(plant.0)
        });
        assert!(touched, "line {}: {line}", n + 1);
    }
}

#[test]
fn what_is_there_or_not_as_a_whole_is_one_change() {
    let without = |start: &str, end: &str| {
        let (before, rest) = WHOLE.split_once(start).expect("it is there");
        let (_, after) = rest.split_once(end).expect("it ends");
        format!("{before}{end}{after}")
    };
    let rate = without("[rate_limit]", "[limits]");
    assert_eq!(found(&rate, WHOLE), ["breaking receivers + rate_limit"]);
    assert_eq!(found(WHOLE, &rate), ["breaking receivers - rate_limit"]);
    let challenge = without("[challenge]", "[envelope]");
    assert_eq!(found(&challenge, WHOLE), ["breaking receivers + challenge"]);
    assert_eq!(found(WHOLE, &challenge), ["compatible receivers - challenge"]);
    let face = without("[face]", "[[event]]");
    assert_eq!(found(&face, WHOLE), ["compatible callers + face"]);
    assert_eq!(found(WHOLE, &face), ["breaking callers - face"]);
}

#[test]
fn the_form_of_times_is_told_where_it_is_sent() {
    let file = |times: &str| {
        format!(
            "title = \"T\"\ndescription = \"T\"\ntimeout_seconds = 5\ntimes = \"{times}\"\nretry = {{ delays = [5] }}\n\
             secrets = {{ key = \"utf8\", bytes_min = 1, bytes_max = 256 }}\n\
             envelope = {{ at = \"{{event.time}}\", sent = \"{{attempt.time:unix}}\" }}\n"
        )
    };
    assert_eq!(found(&file("seconds"), &file("unix")), ["breaking receivers ~ envelope.at"]);
    let silent = |times: &str| file(times).replace("{event.time}", "{event.id}");
    assert_eq!(found(&silent("seconds"), &silent("unix")), ["compatible receivers ~ times"]);
}

#[test]
fn key_pairs_beside_secrets_come_without_harm_and_do_not_go() {
    let standard = Dialects::shipped().get("standard").expect("it is shipped").source.clone();
    let none = standard
        .replace("[secrets.ed25519]\nprefix = \"whsk_\"\npublic_prefix = \"whpk_\"\n", "")
        .replace("ed25519 = \"v1a,{signature}\"\n", "");
    let both = ["secrets.ed25519", "signature (webhook-signature).ed25519"];
    assert_eq!(found(&none, &standard), both.map(|key| format!("compatible receivers + {key}")));
    let gone = [format!("breaking receivers - {}", both[0]), format!("breaking receivers ~ {}", both[1])];
    assert_eq!(found(&standard, &none), gone);
    let other = |from: &str, to: &str| found(&standard, &standard.replace(from, to));
    assert_eq!(other("\"whsk_\"", "\"sk_\""), ["breaking receivers ~ secrets.ed25519.prefix"]);
    assert_eq!(other("\"whpk_\"", "\"pk_\""), ["breaking receivers ~ secrets.ed25519.public_prefix"]);
    let discord = Dialects::shipped().get("discord").expect("it is shipped").source.clone();
    let base64 = discord.replace("public = \"hex\"", "public = \"base64\"");
    assert_eq!(found(&discord, &base64), ["breaking receivers ~ secrets.public"]);
}

#[test]
fn what_says_the_same_is_no_change() {
    for dialect in Dialects::shipped().iter() {
        assert_eq!(changes(dialect, dialect), [], "{}", dialect.name);
    }
    // Comments and the order of keys and tables mean nothing.
    let (before, rest) = WHOLE.split_once("[limits]").expect("it is there");
    let (limits, after) = rest.split_once("[secrets]").expect("it follows");
    let moved = format!("# another comment\n{before}[secrets]{after}\n[limits]{limits}");
    assert_eq!(found(WHOLE, &moved), [""; 0]);
    let swapped = WHOLE.replace("timeout_seconds = 30\nretries = 2", "retries = 2 # fewer\ntimeout_seconds = 30");
    assert_eq!(found(WHOLE, &swapped), [""; 0]);
}

#[test]
fn schemas_break_where_they_let_more_through() {
    let file = |schema: &str| {
        let old = "schema = '{\"type\": \"object\"}'";
        assert!(WHOLE.contains(old));
        WHOLE.replace(old, &format!("schema = '{schema}'"))
    };
    let of = |inner: &str| format!(r#"{{"type":"object","properties":{{"a":{inner}}},"required":["a"]}}"#);
    for (old, new, there, back) in [
        (of(r#"{"type":"integer"}"#), of(r#"{"type":"number"}"#), "breaking ~ .a", "compatible ~ .a"),
        (of(r#"{"enum":["x"]}"#), of(r#"{"enum":["x","y"]}"#), "breaking ~ .a", "compatible ~ .a"),
        (of(r#"{"const":1}"#), of(r#"{"const":2}"#), "breaking ~ .a", "breaking ~ .a"),
        (of(r#"{"format":"uri"}"#), of("{}"), "breaking ~ .a", "compatible ~ .a"),
        (of(r#"{"items":{"type":"string"}}"#), of(r#"{"items":{}}"#), "breaking ~ .a[]", "compatible ~ .a[]"),
        (of("{}"), of("{}").replace(r#","required":["a"]"#, r#","required":[]"#), "breaking ~ .a", "compatible ~ .a"),
        (
            of(r#"{"additionalProperties":true}"#),
            of(r#"{"additionalProperties":false}"#),
            "compatible ~ .a",
            "compatible ~ .a",
        ),
        (of("{}"), of(r#"{"allOf":[]}"#), "breaking ~ .a", "breaking ~ .a"),
        (of("true"), of("{}"), "breaking ~ .a", "breaking ~ .a"),
    ] {
        let line = |said: &str| {
            let (word, rest) = said.split_once(' ').expect("a word");
            let (kind, path) = rest.split_once(' ').expect("a kind");
            vec![format!("{word} receivers {kind} event (task.created).data{path}")]
        };
        assert_eq!(found(&file(&old), &file(&new)), line(there), "{old} → {new}");
        assert_eq!(found(&file(&new), &file(&old)), line(back), "{new} → {old}");
    }
}
