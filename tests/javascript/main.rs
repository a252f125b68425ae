//! JSON as JavaScript reads and writes it, held against JavaScript itself: one Node process says of each random document
//! what `JSON.stringify(JSON.parse(text))` gives and which numbers are lost on the way. `HOOKWHEEL_SEED=n` makes the
//! documents of one run again.

mod documents;
#[path = "../support/mod.rs"]
mod support;

use std::hash::{BuildHasher, RandomState};

use documents::Documents;
use hookwheel::dialect::{Numbers, canonical, first_lost_number};
use serde_json::{Value, json};
use support::{Answer, Client, Program, Receiver, Server, say, test_env};

/// Documents of one run.
const DOCUMENTS: usize = 3000;
/// Documents of one run through a server.
const PUBLISHED: usize = 120;

/// What Node says of a document.
struct Told {
    /// As `JSON.stringify(JSON.parse(text))` writes it.
    js: String,
    /// The same, but lost numbers are as they came.
    exact: String,
    /// Where the first lost number is.
    lost: Option<String>,
}

/// Documents and what Node says of them; `None` where there is no Node.
fn told(count: usize) -> Option<impl Iterator<Item = (String, Told)>> {
    let mut node = Program::node("javascript.mjs", &test_env("JSON as Node writes it")?);
    let seed = match std::env::var("HOOKWHEEL_SEED") {
        Ok(seed) => seed.parse().expect("HOOKWHEEL_SEED is a number"),
        Err(_) => RandomState::new().hash_one(count) >> 32,
    };
    say(&format!("{count} documents of HOOKWHEEL_SEED={seed}"));
    let mut documents = Documents::new(seed);
    Some((0..count).map(move |_| {
        let document = documents.next();
        let answer = node.ask(&json!(document).to_string());
        let (js, exact, lost) = serde_json::from_str(&answer).expect("three answers");
        (document, Told { js, exact, lost })
    }))
}

fn written(document: &str, numbers: Numbers) -> String {
    let mut out = Vec::new();
    canonical(document.as_bytes(), numbers, &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

#[test]
fn the_canonical_form_is_what_node_writes() {
    let Some(told) = told(DOCUMENTS) else { return };
    let mut lossy = 0;
    for (document, node) in told {
        assert_eq!(written(&document, Numbers::Js), node.js, "{document}");
        assert_eq!(written(&document, Numbers::Exact), node.exact, "{document}");
        assert_eq!(first_lost_number(document.as_bytes()), node.lost, "{document}");
        assert_eq!(written(&node.exact, Numbers::Exact), node.exact, "{document}");
        lossy += usize::from(node.lost.is_some());
    }
    assert!((DOCUMENTS / 10..DOCUMENTS).contains(&lossy), "{lossy} documents lose a number");
}

/// A contract whose body is the data, with this choice of numbers.
fn contract(numbers: &str) -> String {
    format!(
        r#"
title = "Numbers: {numbers}"
description = "The data alone, as JavaScript writes it."
timeout_seconds = 30
retry = {{ delays = [] }}
body = {{ json = "canonical", numbers = "{numbers}" }}
envelope = "{{event.data}}"
secrets = {{ key = "utf8", bytes_min = 1, bytes_max = 256 }}
headers = {{ X-Event = "{{event.id}}" }}
"#
    )
}

#[test]
fn a_server_warns_refuses_or_keeps_as_its_dialects_say() {
    let Some(told) = told(PUBLISHED) else { return };
    let dir = tempfile::tempdir().expect("a folder");
    for numbers in ["js", "exact", "refuse"] {
        std::fs::write(dir.path().join(format!("{numbers}.toml")), contract(numbers)).expect("written");
    }
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let server =
        Server::start(dir.path(), &[("HOOKWHEEL__DELIVER__DIALECTS", dir.path().to_str().expect("a plain path"))]);
    let mut client = server.client();
    for numbers in ["js", "exact", "refuse"] {
        let webhook = json!({"url": receiver.url("/"), "events": [format!("{numbers}.sent")], "dialect": numbers});
        client.post("/api/v1/webhooks", &webhook).data(201);
    }
    for (n, (document, node)) in told.enumerate() {
        let body = |numbers: &str| format!(r#"{{"type":"{numbers}.sent","id":"{numbers}-{n}","data":{document}}}"#);
        let mut publish = |numbers: &str| client.request("POST", "/api/v1/events", body(numbers).as_bytes());
        let path = node.lost.as_ref().map(|path| format!("data{path}"));

        let reply = publish("js").json();
        let warnings = reply["warnings"].as_array().cloned().unwrap_or_default();
        assert_eq!(!warnings.is_empty(), path.is_some(), "{reply} to {document}");
        if let (Some(path), Some(warning)) = (&path, warnings.first()) {
            assert!(warning.as_str().expect("text").starts_with(&format!("{path} is a number")), "{warning}");
        }
        // At most one of a number that becomes another, and one of a number that becomes nothing.
        let of_null = warnings.iter().filter(|warning| warning.as_str().expect("text").ends_with("get null")).count();
        assert!(of_null <= 1 && warnings.len() - of_null <= 1, "{reply} to {document}");
        assert_eq!(arrived(&receiver), (format!("js-{n}"), node.js.clone()));

        let reply = publish("exact");
        assert!(reply.json().get("warnings").is_none_or(|none| none == &json!([])), "{:?}", reply.json());
        reply.data(202);
        assert_eq!(arrived(&receiver), (format!("exact-{n}"), node.exact));

        let reply = publish("refuse");
        match path {
            None => assert_eq!((reply.status, arrived(&receiver)), (202, (format!("refuse-{n}"), node.js))),
            Some(path) => {
                assert_eq!((reply.status, &reply.json()["error"]["field"]), (400, &json!(path)), "{document}");
                assert_eq!(client.get(&format!("/api/v1/events/refuse-{n}")).status, 404, "nothing is stored");
            }
        }
    }
    assert!(receiver.arrived.try_recv().is_err(), "what was refused is not sent");
    assert!(server.terminate().success());
}

/// The next delivery: the event's id and the body.
fn arrived(receiver: &Receiver) -> (String, String) {
    let arrived = receiver.next();
    let body = String::from_utf8(arrived.message.body.clone()).expect("JSON is UTF-8");
    (arrived.header("x-event").expect("told").to_owned(), body)
}

/// A batch in which one dialect refuses one number stores none of its events.
#[test]
fn a_batch_with_a_refused_number_is_refused_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("refuse.toml"), contract("refuse")).expect("written");
    let server =
        Server::start(dir.path(), &[("HOOKWHEEL__DELIVER__DIALECTS", dir.path().to_str().expect("a plain path"))]);
    let mut client: Client = server.client();
    let webhook = json!({"url": "http://127.0.0.1:9/", "events": ["sent"], "dialect": "refuse"});
    client.post("/api/v1/webhooks", &webhook).data(201);
    let batch = br#"[{"type":"sent","id":"a","data":1},{"type":"sent","id":"b","data":{"n":[1,9007199254740993]}}]"#;
    let reply = client.request("POST", "/api/v1/events", batch);
    assert_eq!((reply.status, &reply.json()["error"]["field"]), (400, &json!("[1].data.n[1]")));
    let events: Value = client.get("/api/v1/events").data(200);
    assert_eq!(events, json!([]), "nothing is stored");
    assert!(server.terminate().success());
}
