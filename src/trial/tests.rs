//! Cases of real contracts, without a receiver: which there are, that genuine requests are what the contract's own verifier
//! takes, and that it refuses each of the others.

mod play;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::clock::Dice;
use crate::dialect::{Dialect, Dialects, Received};
use crate::domain::delivery::Outcome;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::probe::Probed;
use crate::domain::retry::SuccessRule;
use crate::domain::secret::Secret;
use crate::domain::webhook::EventFilter;

const NOW: u64 = 1_800_000_000_000;
const URL: &str = "http://127.0.0.1:3000/hook";

fn dialect(name: &str) -> Arc<Dialect> {
    Dialects::shipped().get(name).expect("it is shipped").clone()
}

fn secrets(dialect: &Dialect) -> Option<(Secret, Secret)> {
    Some((dialect.generate_secret(&[1; 32])?, dialect.generate_secret(&[2; 32])?))
}

fn subject(dialect: &Arc<Dialect>, events: &[&str]) -> Subject {
    let secrets = secrets(dialect);
    let given = Given {
        dialect: dialect.clone(),
        endpoint: EndpointUrl::parse(URL, true).unwrap(),
        secret: secrets.clone().map(|(new, _)| new),
        old_secret: secrets.map(|(_, old)| old),
        events: events.iter().map(|text| EventFilter::parse(text).unwrap()).collect(),
    };
    Subject::new(given, NOW, &mut Dice::seeded(1)).unwrap()
}

/// Whether the contract's own verifier, which knows both secrets, takes the request.
fn is_taken(dialect: &Dialect, sent: &Sent) -> bool {
    let (new, old) = secrets(dialect).unwrap();
    let headers = &sent.probe.headers;
    let header =
        |name: &str| headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone());
    let received = Received { header: &header, url: Some(URL), body: &sent.probe.body };
    dialect.verify(received, &[new, old], NOW, Some(300)).is_ok()
}

#[test]
fn a_contracts_own_verifier_takes_what_must_be_taken_and_refuses_the_rest() {
    let mut applied = BTreeMap::new();
    for dialect in Dialects::shipped().iter().filter(|dialect| !dialect.signature.is_empty()) {
        let subject = subject(dialect, &[]);
        for case in cases(&subject) {
            let is_question = matches!(case.kind, Kind::Challenge | Kind::ForgedChallenge);
            let Some(sent) = subject.request(&case, NOW) else {
                let why = case.not_applicable.is_some() || case.kind == Kind::InTime;
                assert!(why, "{}: {} is neither sent nor explained", dialect.name, case.name);
                continue;
            };
            assert_eq!(case.not_applicable, None, "{}: {}", dialect.name, case.name);
            *applied.entry(case.name.split(':').next().unwrap().to_string()).or_insert(0) += 1;
            // A question by GET is not signed.
            if !is_question || case.kind == Kind::ForgedChallenge {
                let expected = case.kind.expect() == Expect::Taken;
                assert_eq!(is_taken(dialect, &sent), expected, "{}: {}", dialect.name, case.name);
            }
        }
    }
    let rare: Vec<_> = Kind::AFTER.map(|kind| words::name(kind, &subject(&dialect("standard"), &[]))).into();
    let never: Vec<_> = rare.iter().filter(|name| !applied.contains_key(*name)).collect();
    assert!(never.is_empty(), "no shipped contract has {never:?}");
}

#[test]
fn a_case_differs_from_a_delivery_in_what_it_is_named_for() {
    let standard = dialect("standard");
    let subject = subject(&standard, &[]);
    let sent = |name: &str| {
        let case = cases(&subject).into_iter().find(|case| case.name == name).unwrap();
        subject.request(&case, NOW).unwrap().probe
    };
    let header = |probe: &crate::domain::probe::Probe, name: &str| {
        probe.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    let first = sent(&format!("event:{}", standard.catalogue[0].name));
    let again = sent("repeated");
    assert_eq!((header(&first, "webhook-id"), &first.body), (header(&again, "webhook-id"), &again.body));
    let other = sent("upper_case");
    assert_ne!(header(&first, "webhook-id"), header(&other, "webhook-id"), "each case is an event of its own");
    assert!(other.upper_case && !first.upper_case);
    assert_eq!(header(&sent("no_signature"), "webhook-signature"), None);
    assert_eq!(header(&sent("empty_signature"), "webhook-signature").as_deref(), Some("v1,"));
    let signature = header(&sent("cut_signature"), "webhook-signature").unwrap();
    assert_eq!(signature.len(), "v1,".len() + 22, "half of the base64 of 32 bytes");
    let old = header(&sent("old_time"), "webhook-timestamp").unwrap();
    let moved = header(&sent("moved_time"), "webhook-timestamp").unwrap();
    assert_eq!((old.as_str(), moved.as_str()), ("1799996400", "1800000000"));
    let both = header(&sent("second_signature"), "webhook-signature").unwrap();
    let turned = header(&sent("first_signature"), "webhook-signature").unwrap();
    assert_eq!((both.split(' ').count(), turned.split(' ').count()), (2, 2));
}

#[test]
fn the_biggest_body_is_exactly_as_long_as_the_contract_allows() {
    for name in ["taskflow", "github"] {
        let dialect = dialect(name);
        let subject = subject(&dialect, &[]);
        let case = cases(&subject).into_iter().find(|case| case.kind == Kind::Big).unwrap();
        let sent = subject.request(&case, NOW).unwrap();
        assert_eq!(Some(sent.probe.body.len()), dialect.limits.body_bytes_max, "{name}");
    }
}

#[test]
fn what_a_contract_has_no_room_for_is_told_with_the_reason() {
    let none = |name: &str, events: &[&str]| -> BTreeMap<String, String> {
        let subject = subject(&dialect(name), events);
        cases(&subject).into_iter().filter_map(|case| Some((case.name, case.not_applicable?))).collect()
    };
    let github = none("github", &[]);
    assert!(github["old_time"].contains("not signed") && github["challenge"].contains("asks nothing"), "{github:?}");
    assert!(none("daycopilot", &[])["respaced_body"].contains("JSON.stringify"));
    assert!(none("twilio", &[])["respaced_body"].contains("form"));
    assert!(none("mailgun", &[])["changed_body"].contains("nothing vouches for it"));
    assert!(none("taskflow", &["task.created"])["other_body"].contains("one event"));
    let chosen = cases(&subject(&dialect("taskflow"), &["task.created"]));
    assert_eq!(chosen.iter().filter(|case| case.name.starts_with("event:")).count(), 1);
    let wrong = |events: &[&str], secret: Option<Secret>| {
        let events = events.iter().map(|text| EventFilter::parse(text).unwrap()).collect();
        let endpoint = EndpointUrl::parse(URL, true).unwrap();
        let given = Given { dialect: dialect("taskflow"), endpoint, secret, old_secret: None, events };
        Subject::new(given, NOW, &mut Dice::seeded(1)).unwrap_err()
    };
    assert!(wrong(&[], None).contains("--secret is needed"));
    let near = wrong(&["task.creatd"], Some(Secret::new("0123456789abcdef0123456789abcdef")));
    assert!(near.ends_with("did you mean task.created?"), "{near}");
}

#[test]
fn an_unsigned_contract_has_nothing_that_must_be_refused() {
    let text = "title = \"Small\"\ndescription = \"A small one.\"\ntimeout_seconds = 5\nenvelope = \"{event.data}\"\n\
                retry = { delays = [5] }\nsecrets = { key = \"utf8\", bytes_min = 1, bytes_max = 256 }\n";
    let dialect = Arc::new(Dialect::parse("small.toml", text).unwrap());
    let endpoint = EndpointUrl::parse(URL, true).unwrap();
    let given = Given { dialect, endpoint, secret: None, old_secret: None, events: Vec::new() };
    let subject = Subject::new(given, NOW, &mut Dice::seeded(1)).unwrap();
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for case in cases(&subject) {
        let list = if case.kind.expect() == Expect::Taken { &mut taken } else { &mut refused };
        list.extend(subject.request(&case, NOW).map(|_| case.name.clone()));
    }
    assert_eq!(taken, ["event:example.event", "repeated", "unknown_field", "exact_bytes"]);
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn only_a_success_is_a_taking_and_only_4xx_a_clean_refusal() {
    let success = SuccessRule::default();
    let answer = |outcome| Probed { outcome, duration_ms: 1, answer: Vec::new() };
    let take = |outcome| judge(&Must::Take(success.clone()), &answer(outcome));
    let refuse = |outcome| judge(&Must::Refuse(success.clone()), &answer(outcome));
    assert_eq!(take(Outcome::Status(204)), Verdict::Passed);
    assert!(matches!(take(Outcome::Status(302)), Verdict::Failed(why) if why.contains("redirects")));
    for wrong in [Outcome::Status(401), Outcome::Status(500), Outcome::TimedOut, Outcome::Broken("x".into())] {
        assert!(matches!(take(wrong.clone()), Verdict::Failed(_)), "{wrong}");
    }
    assert_eq!((refuse(Outcome::Status(401)), refuse(Outcome::Status(422))), (Verdict::Passed, Verdict::Passed));
    assert!(matches!(refuse(Outcome::Status(200)), Verdict::Failed(_)));
    for odd in [Outcome::Status(500), Outcome::Status(302), Outcome::Status(429), Outcome::TimedOut] {
        assert!(matches!(refuse(odd.clone()), Verdict::Warned(_)), "{odd}");
    }
    let forged = |status| judge(&Must::Answer(401), &answer(Outcome::Status(status)));
    assert!(forged(401) == Verdict::Passed && matches!(forged(400), Verdict::Failed(_)));
}

#[test]
fn a_challenge_needs_its_answer_and_not_only_a_success() {
    let slack = dialect("slack");
    let subject = subject(&slack, &[]);
    let case = cases(&subject).into_iter().find(|case| case.kind == Kind::Challenge).unwrap();
    let sent = subject.request(&case, NOW).unwrap();
    let right = serde_json::json!({ "challenge": subject.random }).to_string();
    let judged = |answer: &str, status| {
        judge(&sent.must, &Probed { outcome: Outcome::Status(status), duration_ms: 1, answer: answer.into() })
    };
    assert_eq!(judged(&right, 200), Verdict::Passed);
    assert!(matches!(judged(&right, 500), Verdict::Failed(_)) && matches!(judged("ok", 200), Verdict::Failed(_)));
}

#[test]
fn an_answer_that_never_came_is_too_late() {
    let subject = subject(&dialect("taskflow"), &[]);
    let all = cases(&subject);
    let last = all.last().unwrap().clone();
    let finding =
        |status, duration_ms| Finding { status, duration_ms, ..Finding::unsent(all[1].clone(), Verdict::Passed) };
    let judged = |findings: &[Finding]| in_time(last.clone(), 5, findings);
    let right = judged(&[finding(Some(200), Some(4999)), finding(None, Some(10))]);
    assert_eq!((right.verdict, right.duration_ms), (Verdict::Passed, Some(4999)));
    assert!(matches!(judged(&[finding(None, Some(5000))]).verdict, Verdict::Failed(_)));
}
