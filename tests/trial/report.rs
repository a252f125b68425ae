//! What the command says, and how it ends.

use std::path::Path;

use quick_junit::{Report, TestCaseStatus};
use serde_json::Value;

use crate::support::{Answer, Receiver, Running};

/// A contract that signs its bodies, and waits for a second.
const OWN: &str = r#"
title = "Own"
description = "A contract of a test's."
timeout_seconds = 1
envelope = { type = "{event.type}", data = "{event.data}" }
retry = { delays = [5] }
secrets = { key = "utf8", bytes_min = 1, bytes_max = 256 }
[[signature]]
header = "X-Signature"
algorithm = "sha256"
encoding = "hex"
signed = "{body}"
value = "{signature}"
[[event]]
type = "thing.made"
description = "Something was made."
sample = '{"name": "A thing of some kind"}'
[[event]]
type = "thing.lost"
description = "Something was lost."
sample = '{"name": "Another thing"}'
"#;

/// Runs `hookwheel dialect test own.toml` with these arguments; gives its exit code and what it said.
#[track_caller]
fn test(dir: &Path, arguments: &[&str]) -> (i32, String) {
    std::fs::write(dir.join("own.toml"), OWN).expect("written");
    let ended = Running::start(dir, &[&["dialect", "test", "own.toml"], arguments].concat(), &[]).end();
    (ended.status.code().expect("it ended by itself"), ended.output)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn the_table_fits_a_terminal_and_tells_all_of_it() {
    let (dir, receiver) = (folder(), Receiver::start(|_, _| Answer::Status(200)));
    let (code, output) = test(dir.path(), &["--endpoint", &receiver.url("/hook"), "--secret", "s"]);
    assert_eq!(code, 1, "{output}");
    assert!(output.lines().all(|line| line.chars().count() <= 80), "{output}");
    assert!(!output.contains('\u{1b}'), "no colour where nobody sees it: {output:?}");
    for line in
        ["Own receiver at ", "must be taken", "must be refused", "not applicable", "– a request of an hour ago: "]
    {
        assert!(output.lines().any(|found| found.starts_with(line)), "no {line:?} in\n{output}");
    }
    let row = |mark: &str, title: &str| {
        let found = output.lines().find(|line| line.starts_with(mark) && line.contains(title));
        found.unwrap_or_else(|| panic!("no {title:?} in\n{output}")).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(row("● ok", "thing.made").starts_with("● ok thing.made 200 "));
    assert!(row("■ fails", "no signature").starts_with("■ fails no signature 200 "));
    assert!(output.contains("■ no signature: answered 200, so it was taken"), "{output}");
    assert!(
        output.contains("own making.") && output.contains("→ Answer 401"),
        "what it means, and what to do:\n{output}"
    );
    let last = output.lines().rev().find(|line| line.starts_with("hookwheel: "));
    assert_eq!(last, Some("hookwheel: the receiver fails 7 of 16 cases"), "{output}");
}

#[test]
fn junit_xml_has_each_case_with_what_was_found() {
    let (dir, receiver) = (
        folder(),
        Receiver::start(|_, message| Answer::Status(if message.header("x-signature").is_some() { 500 } else { 200 })),
    );
    let arguments =
        ["--endpoint", &receiver.url("/"), "--secret", "s", "--junit", "found.xml", "--events", "thing.made"];
    let (code, output) = test(dir.path(), &arguments);
    assert_eq!(code, 1, "{output}");
    let xml = std::fs::read_to_string(dir.path().join("found.xml")).expect("written");
    let report = Report::deserialize_from_str(&xml).expect("JUnit XML");
    let cases: Vec<_> = report.test_suites.iter().flat_map(|suite| &suite.test_cases).collect();
    let of = |name: &str| {
        cases.iter().find(|case| case.classname.as_ref().is_some_and(|own| own.as_str() == format!("own.{name}")))
    };
    let status = |name: &str| &of(name).unwrap_or_else(|| panic!("no {name} in\n{xml}")).status;
    let failed = |status: &TestCaseStatus| matches!(status, TestCaseStatus::NonSuccess { message: Some(_), .. });
    assert!(failed(status("event:thing.made")) && failed(status("no_signature")), "{xml}");
    // It is refused, if not well.
    assert!(matches!(status("wrong_signature"), TestCaseStatus::Success { .. }), "{xml}");
    assert!(of("wrong_signature").is_some_and(|case| case.system_out.is_some()), "{xml}");
    assert!(matches!(status("old_time"), TestCaseStatus::Skipped { message: Some(_), .. }), "{xml}");
    assert!(of("event:thing.lost").is_none(), "only what was chosen is sent");
    assert!(output.contains("No genuine delivery was taken: is --secret"), "{output}");
}

#[test]
fn a_receiver_that_never_answers_is_not_waited_for_again_and_again() {
    let (dir, receiver) = (folder(), Receiver::start(|_, _| Answer::Hang));
    let (code, output) = test(dir.path(), &["--endpoint", &receiver.url("/"), "--secret", "s", "--json"]);
    let cases: Vec<Value> = output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let count = |result: &str| cases.iter().filter(|case| case["result"] == result).count();
    assert_eq!((code, receiver.arrived.try_iter().count()), (1, 3), "{output}");
    // Three that were waited for, and that it does not answer in time.
    assert_eq!((count("failed"), count("passed"), count("warned")), (4, 0, 0), "{output}");
    assert!(count("not_sent") > 0 && cases.last().is_some_and(|case| case["case"] == "in_time"), "{output}");
}

#[test]
fn what_cannot_be_tested_ends_with_two() {
    let dir = folder();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let nobody = format!("http://{free}/");
    for (arguments, reason) in [
        (&["--endpoint", &nobody, "--secret", "s"][..], "there is no receiver to test"),
        (&["--endpoint", &nobody], "--secret is needed"),
        (&["--endpoint", &nobody, "--secret", "s", "--events", "thing.mad"], "did you mean thing.made?"),
        (&["--endpoint", "ftp://x/", "--secret", "s"], "must start with https://"),
        (&["--endpoint", &nobody, "--secret", "@missing"], "missing: No such file"),
        (&["--endpoint", &nobody, "--config", "missing.toml"], "missing.toml"),
    ] {
        let (code, output) = test(dir.path(), arguments);
        assert_eq!(code, 2, "{arguments:?}: {output}");
        assert!(output.contains(reason), "{arguments:?}: {output}");
    }
    let unknown = ["dialect", "test", "standrd", "--endpoint", &nobody];
    let ended = Running::start(dir.path(), &unknown, &[]).end();
    assert_eq!((ended.status.code(), ended.output.contains("there is no dialect \"standrd\"")), (Some(2), true));
}
