//! `hookwheel mock` against real receivers: what it sends is what the contract's own verifier takes, a seed repeats it byte for
//! byte, and its output and exit codes tell whether the receiver is right.

mod support;

use std::fs;
use std::net::TcpListener;

use hookwheel::clock::Clock;
use hookwheel::dialect::{Dialect, Dialects, Received};
use hookwheel::domain::secret::Secret;
use serde_json::Value;
use support::process::Ended;
use support::{Answer, Arrived, Receiver, Running};

/// How old a request may be, in seconds.
const TOLERANCE: u64 = 300;
/// A contract that signs nothing.
const UNSIGNED: &str = r#"
title = "Unsigned"
description = "One that does not sign."
timeout_seconds = 5
envelope = "{event.data}"
retry = { delays = [5] }
secrets = { key = "utf8", bytes_min = 1, bytes_max = 256 }
"#;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Plays `dialect` to `url`, fast, until it ends.
fn mock(dialect: &str, url: &str, arguments: &[&str]) -> Ended {
    let all = [&["mock", dialect, "--to", url, "--rate", "1000/s", "--quiet"], arguments].concat();
    Running::start(folder().path(), &all, &[]).end()
}

#[track_caller]
fn ends(ended: &Ended, code: i32, saying: &str) {
    assert_eq!(ended.status.code(), Some(code), "{}", ended.output);
    assert!(ended.output.contains(saying), "no {saying:?} in\n{}", ended.output);
}

fn is_valid(dialect: &Dialect, secret: &Secret, url: &str, arrived: &Arrived) -> bool {
    let header = |name: &str| arrived.header(name).map(str::to_owned);
    let received = Received { header: &header, url: Some(url), body: &arrived.message.body };
    dialect.verify(received, std::slice::from_ref(secret), Clock::real().wall(), Some(TOLERANCE)).is_ok()
}

fn known(name: &str) -> std::sync::Arc<Dialect> {
    Dialects::shipped().get(name).expect("it is shipped").clone()
}

#[test]
fn each_shipped_contract_arrives_as_its_own_verifier_takes_it_and_forged_it_does_not() {
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let url = receiver.url("/hook?a=b");
    let mut signing = 0;
    for dialect in Dialects::shipped().iter().filter(|dialect| !dialect.signature.is_empty()) {
        let Some(secret) = dialect.generate_secret(&[7; 32]) else { continue };
        signing += 1;
        let arguments = ["--secret", secret.reveal(), "--no-challenge", "--count", "2"];
        ends(&mock(&dialect.name, &url, &arguments), 0, "2 requests, each answered as it should be");
        for _ in 0..2 {
            let arrived = receiver.next();
            assert!(is_valid(dialect, &secret, &url, &arrived), "{}: {:?}", dialect.name, arrived.message);
        }
        let forged = [&arguments[..], &["--bad-signature", "100%"]].concat();
        ends(&mock(&dialect.name, &url, &forged), 1, "2 with a wrong signature were taken");
        for _ in 0..2 {
            let arrived = receiver.next();
            assert!(!is_valid(dialect, &secret, &url, &arrived), "{}: {:?}", dialect.name, arrived.message);
        }
    }
    assert!(signing > 5, "{signing}");
}

#[test]
fn a_seed_sends_the_same_events_again_and_the_same_secret() {
    let receiver = Receiver::start(|_, _| Answer::Status(204));
    let odds = ["--duplicates", "50%", "--out-of-order", "50%"];
    let told = |one: Arrived| (one.header("webhook-id").map(str::to_owned), one.message.body);
    let play = |seed: &str| {
        let ended = mock("standard", &receiver.url("/"), &[&["--seed", seed, "--count", "6"][..], &odds].concat());
        ends(&ended, 0, "its secret, made for this: whsec_");
        let secret = ended.output.rsplit("whsec_").next().expect("it is shown").lines().next().map(str::to_owned);
        let sent = ended.output.lines().filter(|line| line.contains(" answered 204 in ")).count();
        let arrived: Vec<Arrived> = (0..sent).map(|_| receiver.next()).collect();
        let secret_said = Secret::new(format!("whsec_{}", secret.clone().expect("it is shown")));
        assert!(arrived.iter().all(|one| is_valid(&known("standard"), &secret_said, "", one)));
        (secret, arrived.into_iter().map(told).collect::<Vec<_>>())
    };
    let first = play("5");
    assert!(first.1.len() >= 6);
    assert_eq!(first, play("5"));
    assert_ne!(first, play("6"));
    // Who keeps the secret that it made gets the same with it.
    let secret = format!("whsec_{}", first.0.expect("it is shown"));
    let kept = mock(
        "standard",
        &receiver.url("/"),
        &[&["--seed", "5", "--count", "6", "--secret", &secret][..], &odds].concat(),
    );
    ends(&kept, 0, "each answered as it should be");
    let again: Vec<_> = (0..first.1.len()).map(|_| told(receiver.next())).collect();
    assert_eq!(first.1, again);
}

#[test]
fn what_is_not_taken_is_told_and_comes_again_where_that_is_wanted() {
    let receiver = Receiver::start(|_, _| Answer::Status(500));
    let url = receiver.url("/");
    let refused = mock("standard", &url, &["--count", "2"]);
    ends(&refused, 1, "2 of 2 requests were not taken");
    assert!(
        refused.output.lines().any(|line| line.starts_with("1: ") && line.ends_with(" ms, NOT taken")),
        "{}",
        refused.output
    );

    let count = std::sync::atomic::AtomicU32::new(0);
    let second = Receiver::start(move |_, _| {
        let is_first = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        Answer::Status(if is_first { 503 } else { 200 })
    });
    let all = ["mock", "standard", "--to", &second.url("/"), "--count", "1", "--retry-speed", "1000000", "--json"];
    let again = Running::start(folder().path(), &all, &[]).end();
    ends(&again, 0, "its secret, made for this");
    let lines: Vec<Value> = again.output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let told: Vec<_> = lines.iter().map(|line| (&line["attempt"], &line["status"], &line["result"])).collect();
    assert_eq!(told, [(&1.into(), &503.into(), &"again".into()), (&2.into(), &200.into(), &"taken".into())]);
    assert_eq!(second.next().header("webhook-id"), second.next().header("webhook-id"), "it is the same delivery");
}

#[test]
fn who_refuses_what_is_forged_is_right() {
    let receiver = Receiver::start(|_, _| Answer::Status(401));
    let ended = mock("stripe", &receiver.url("/"), &["--count", "3", "--bad-signature", "100"]);
    ends(&ended, 0, "wrongly signed answered 401 in ");
    assert!(ended.output.contains(", refused as it should be"), "{}", ended.output);
}

#[test]
fn the_question_of_a_contract_comes_first() {
    let secret = known("daycopilot").generate_secret(&[3; 32]).expect("it can be made");
    let dir = folder();
    let listen =
        ["receive", "--listen", "127.0.0.1:0", "--dialect", "daycopilot", "--secret", secret.reveal(), "--count", "1"];
    let mut receiving = Running::start(dir.path(), &listen, &[]);
    let line = receiving.line("receiving on http://");
    let url = line.trim_start_matches("receiving on ");
    ends(&mock("daycopilot", url, &["--secret", secret.reveal(), "--count", "1"]), 0, "answered 200 in ");
    let received = receiving.end();
    ends(&received, 0, "asked whether deliveries are wanted here; answered 200");
    assert!(received.output.contains("  signature valid"), "{}", received.output);

    let deaf = Receiver::start(|_, _| Answer::Status(200));
    ends(&mock("daycopilot", &deaf.url("/"), &["--count", "1"]), 1, "--no-challenge goes on without it");
    ends(&mock("daycopilot", &deaf.url("/"), &["--count", "1", "--no-challenge"]), 0, "1 request, each");
}

#[test]
fn it_goes_on_until_it_is_stopped_and_says_what_makes_no_sense() {
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let dir = folder();
    let endless = ["mock", "standard", "--to", &receiver.url("/"), "--rate", "1000/s", "--quiet"];
    let mut playing = Running::start(dir.path(), &endless, &[]);
    playing.line("20: ");
    ends(&playing.terminate(), 0, "each answered as it should be");

    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let gone = format!("http://{closed}/");
    ends(&mock("standard", &gone, &["--count", "1"]), 1, "there is no receiver to play for");
    ends(&mock("nobody", &gone, &[]), 1, "there is no dialect \"nobody\"");
    ends(&mock("standard", &gone, &["--events", "no.such"]), 1, "--events no.such: standard documents no such event");
    let slow = ["mock", "standard", "--to", &gone, "--rate", "2/day"];
    ends(&Running::start(dir.path(), &slow, &[]).end(), 2, "must be such as 2/s or 30/min");
    ends(&mock("standard", "ftp://127.0.0.1/", &[]), 2, "--to");
    let own = dir.path().join("unsigned.toml");
    fs::write(&own, UNSIGNED).expect("written");
    let own = own.to_str().expect("a plain path");
    ends(&mock(own, &gone, &["--bad-signature", "5%"]), 2, "unsigned does not sign");
    ends(&mock(own, &receiver.url("/"), &["--count", "1"]), 0, "playing Unsigned to ");
}
