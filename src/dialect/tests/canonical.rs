//! Holds the canonical form against a table, against itself and against real JavaScript where there is Node.

use crate::dialect::{Numbers, canonical, first_lost_number};
use crate::domain::json::DEPTH_MAX;
use proptest::prelude::*;
use std::io::Write as _;
use std::process::{Command, Stdio};

fn form(json: &str, numbers: Numbers) -> String {
    let mut out = Vec::new();
    canonical(json.as_bytes(), numbers, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn it_is_what_json_stringify_writes() {
    for (json, written) in [
        (" { \"b\" : 1.0 , \"a\" : [ true , null , 1e16 ] } ", r#"{"b":1,"a":[true,null,10000000000000000]}"#),
        (
            r#"{"b":1,"10":2,"2":3,"01":4,"4294967294":5,"4294967295":6}"#,
            r#"{"2":3,"10":2,"4294967294":5,"b":1,"01":4,"4294967295":6}"#,
        ),
        (r#"{"a":1,"b":2,"a":{"z":1,"1":2}}"#, r#"{"a":{"1":2,"z":1},"b":2}"#),
        (r#"{"\u0061":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
        (r#"{"\u0031":1,"0":2}"#, r#"{"0":2,"1":1}"#),
        (r#"{"__proto__":{"a":1},"constructor":2}"#, r#"{"__proto__":{"a":1},"constructor":2}"#),
        (
            r#""\u00e4\/\u001F\u0008\u000c\n\"\\\u007f\u2028\ud83d\ude00""#,
            "\"ä/\\u001f\\b\\f\\n\\\"\\\\\u{7f}\u{2028}😀\"",
        ),
        ("{}", "{}"),
        (" [ ] ", "[]"),
        (r#"{"":{"":[]}}"#, r#"{"":{"":[]}}"#),
    ] {
        assert_eq!(form(json, Numbers::Js), written, "{json}");
    }
}

#[test]
fn a_number_that_javascript_cannot_hold_is_the_dialects_choice() {
    let json = r#"{"n": [1, {"id": 12345678901234567890, "x": 1e400, "ok": 1.50}]}"#;
    assert_eq!(form(json, Numbers::Exact), r#"{"n":[1,{"id":12345678901234567890,"x":1e400,"ok":1.5}]}"#);
    assert_eq!(form(json, Numbers::Js), r#"{"n":[1,{"id":12345678901234567000,"x":null,"ok":1.5}]}"#);
    assert_eq!(first_lost_number(json.as_bytes()).as_deref(), Some(".n[1].id"));
    assert_eq!(first_lost_number(b"[1.0,0.1,-0,9007199254740992]"), None);
}

#[test]
fn the_deepest_json_is_written() {
    let deep = format!("{}{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
    assert_eq!(form(&deep, Numbers::Exact), deep);
}

/// A string with every kind of character and escape, quotes included.
fn any_string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-c0-9]{1,3}",
        1 => prop::sample::select(vec![
            "\\u0000", "\\u001F", "\\b", "\\f", "\\n", "\\r", "\\t", "\\/", "\\\\", "\\\"", "\\u0041", "\\u00e9",
            "\\ud83d\\ude00", "\u{2028}", "é", "\u{7f}", "😀", "\\u2029", "__proto__",
        ]).prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..3).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// Keys from a small world, so that equal keys and indices happen often.
fn any_key() -> impl Strategy<Value = String> {
    let indices =
        prop::sample::select(vec!["0", "7", "10", "007", "-1", "4294967294", "4294967295", "99999999999", "1e3"]);
    prop_oneof![
        indices.prop_map(|key| format!("\"{key}\"")),
        prop::sample::select(vec!["a", "b", "\\u0061", "__proto__", "toString"]).prop_map(|key| format!("\"{key}\"")),
        any_string(),
    ]
}

fn any_number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i32>().prop_map(|n| n.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| format!("{n:e}")),
        any::<f32>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| n.to_string()),
        "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?",
    ]
}

pub(super) fn any_json() -> impl Strategy<Value = String> {
    let space = "[ \t]{0,1}";
    let scalar = prop_oneof![
        prop::sample::select(vec!["true", "false", "null"]).prop_map(String::from),
        any_number(),
        any_string(),
    ];
    scalar.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..6), space)
                .prop_map(|(items, space)| format!("[{space}{}{space}]", items.join(&format!("{space},")))),
            (prop::collection::vec((any_key(), inner), 0..16), space).prop_map(|(members, space)| {
                let members: Vec<_> = members.iter().map(|(key, value)| format!("{space}{key}:{value}")).collect();
                format!("{{{}{space}}}", members.join(","))
            }),
        ]
    })
}

/// What Node makes of each document; `None` where there is no Node.
fn in_node(documents: &[String]) -> Option<Vec<String>> {
    const SCRIPT: &str = "const lines = require('fs').readFileSync(0, 'utf8').split('\\n');\
        process.stdout.write(lines.map(line => JSON.stringify(JSON.parse(line))).join('\\n'))";
    let mut node =
        Command::new("node").args(["-e", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    let mut stdin = node.stdin.take().unwrap();
    let input = documents.join("\n");
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = node.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "node could not read what we made");
    Some(String::from_utf8(output.stdout).unwrap().split('\n').map(String::from).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn node_writes_the_same_bytes(documents in prop::collection::vec(any_json(), 250)) {
        let Some(written) = in_node(&documents) else {
            println!("skipped: there is no node on this machine");
            return Ok(());
        };
        prop_assert_eq!(written.len(), documents.len());
        for (document, written) in documents.iter().zip(written) {
            prop_assert_eq!(form(document, Numbers::Js), written, "{}", document);
        }
    }
}

proptest! {
    #[test]
    fn it_is_valid_json_and_a_fixed_point(document in any_json()) {
        for numbers in [Numbers::Exact, Numbers::Js] {
            let once = form(&document, numbers);
            prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(&once).is_ok());
            prop_assert_eq!(form(&once, numbers), once);
        }
    }

    #[test]
    fn it_loses_a_number_only_where_it_says_so(document in any_json()) {
        if first_lost_number(document.as_bytes()).is_none() {
            prop_assert_eq!(form(&document, Numbers::Exact), form(&document, Numbers::Js));
        }
    }
}
