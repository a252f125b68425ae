//! Who an answer belongs to, with Node's own servers at the other end and with sockets of the test's own. What stays true:
//! each delivery gets its own answer whatever came before it, no connection serves two accounts, a connection that was
//! closed while it waited is no failed attempt, and a want of descriptors is charged to nobody.

#[path = "../support/mod.rs"]
mod support;

mod descriptors;

use std::collections::BTreeSet;
use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hookwheel::clock::Stopwatch;
use serde_json::{Value, json};
use support::http::read_message;
use support::{Authority, Client, DEADLINE, Program, Stage, say};

/// A Node server; see `peer.mjs`.
struct Node {
    program: Program,
    port: u16,
    authority: Option<Authority>,
    _dir: tempfile::TempDir,
}

impl Node {
    /// Starts one; none where Node is missing, but never in CI.
    fn start(mode: &str, argument: u64) -> Option<Self> {
        if Command::new("node").arg("--version").output().is_err() {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "Node is missing: run scripts/test");
            say("SKIPPED: an endpoint in Node; scripts/test installs it");
            return None;
        }
        let authority = matches!(mode, "tls" | "goaway" | "idletwo" | "held").then(Authority::new);
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = (dir.path().join("certificate.pem"), dir.path().join("key.pem"));
        if let Some(authority) = &authority {
            let certified = authority.certify("localhost", |_| {});
            std::fs::write(&certificate, certified.certificate).unwrap();
            std::fs::write(&key, certified.key).unwrap();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exchange/peer.mjs");
        let mut program = Program::start(
            Command::new("node").arg(script).arg(mode).arg(argument.to_string()).arg(certificate).arg(key),
        );
        let port = program.ask("port").parse().unwrap();
        Some(Self { program, port, authority, _dir: dir })
    }

    fn url(&self, path: &str) -> String {
        match self.authority {
            Some(_) => format!("https://localhost:{}{path}", self.port),
            None => format!("http://127.0.0.1:{}{path}", self.port),
        }
    }

    /// Settings of a webhook that trusts it.
    fn trusted(&self, settings: Value) -> Value {
        let mut settings = settings;
        if let Some(authority) = &self.authority {
            settings["tls"] = json!({"ca": authority.pem});
        }
        settings
    }

    fn number(&mut self, question: &str) -> usize {
        self.program.ask(question).parse().unwrap()
    }
}

/// A counter or gauge of the server.
#[track_caller]
fn metric(stage: &mut Stage, name: &str) -> u64 {
    let text = String::from_utf8(stage.client.get("/metrics").message.body).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

/// The one attempt of a delivery that has ended.
#[track_caller]
fn only_attempt(stage: &mut Stage, webhook: &str, event: &str) -> Value {
    let delivery = stage.ended(webhook, event);
    let attempts = delivery["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 1, "{delivery}");
    attempts[0].clone()
}

/// What the Node server says that it was asked.
#[track_caller]
fn told(attempt: &Value) -> Value {
    serde_json::from_str(attempt["response_body"].as_str().unwrap()).unwrap_or_else(|_| panic!("{attempt}"))
}

#[test]
fn an_answer_before_the_answer_is_not_the_answer() {
    let Some(node) = Node::start("interim", 0) else { return };
    let mut stage = Stage::start(&[("HOOKWHEEL__DELIVER__SENDERS", "1")]);
    let paths = ["/500/1/hints", "/500/3/every-kind", "/503/60/many", "/200/2/well", "/500/0/none"];
    let webhooks = paths.map(|path| (stage.webhook(&node.url(path), json!({"max_in_flight": 2})), path));
    for n in 0..6 {
        stage.publish(&format!("e{n}"));
    }
    for (webhook, path) in &webhooks {
        for n in 0..6 {
            let event = format!("e{n}");
            let attempt = only_attempt(&mut stage, webhook, &event);
            let told = told(&attempt);
            assert_eq!((&told["path"], &told["event"]), (&json!(path), &json!(event)), "{attempt}");
            assert_eq!(attempt["status_code"].as_u64().unwrap().to_string(), path[1..4], "{attempt}");
        }
    }
}

#[test]
fn two_accounts_at_one_place_share_no_connection_and_see_no_answer_of_each_other() {
    let Some(node) = Node::start("interim", 0) else { return };
    let mut stage = Stage::start(&[("HOOKWHEEL__DELIVER__SENDERS", "1")]);
    let tenants = ["alpha", "beta"].map(|account| {
        stage.client.post("/api/v1/accounts", &json!({"id": account, "name": account})).data(201);
        let mut client = stage.server.client().acting_for(account);
        let url = node.url(&format!("/500/1/{account}"));
        let webhook = json!({"url": url, "events": ["*"], "retry": {"delays": [], "jitter_percent": 0}});
        client.post("/api/v1/webhooks", &webhook).data(201);
        (account, client)
    });
    let mut ports = Vec::new();
    for (account, mut client) in tenants {
        let mut own = BTreeSet::new();
        for n in 0..20 {
            let attempt = delivered(&mut client, &format!("{account}-{n}"));
            let told = told(&attempt);
            assert_eq!(told["path"], format!("/500/1/{account}"), "{attempt}");
            assert_eq!(told["event"], format!("{account}-{n}"), "{attempt}");
            own.insert(told["port"].as_u64().unwrap());
        }
        assert_eq!(own.len(), 1, "deliveries one after the other use one connection: {own:?}");
        ports.push(own);
    }
    assert!(ports[0].is_disjoint(&ports[1]), "{ports:?}");
}

/// Publishes an event and gives the only attempt of its only delivery.
fn delivered(client: &mut Client, event: &str) -> Value {
    client.post("/api/v1/events", &json!({"type": "task.created", "id": event, "data": {}})).data(202);
    let watch = Stopwatch::start();
    loop {
        let shown = client.get(&format!("/api/v1/events/{event}")).data(200);
        let row = &shown["deliveries"][0];
        if matches!(row["state"].as_str(), Some("succeeded" | "dead")) {
            let delivery = client.get(&format!("/api/v1/deliveries/{}", row["id"].as_str().unwrap())).data(200);
            assert_eq!(delivery["attempts"].as_array().unwrap().len(), 1, "{delivery}");
            return delivery["attempts"][0].clone();
        }
        assert!(watch.elapsed() < DEADLINE, "it does not end: {shown}");
        std::thread::yield_now();
    }
}

/// An endpoint whose connections answer `answers` requests each, and are closed when the next one has come.
fn closing_after(answers: usize) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reading = BufReader::new(stream.unwrap());
            std::thread::spawn(move || -> std::io::Result<()> {
                for _ in 0..answers {
                    read_message(&mut reading)?;
                    reading.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
                }
                read_message(&mut reading).map(drop)
            });
        }
    });
    port
}

#[test]
fn a_kept_connection_that_is_dead_is_no_failed_attempt_and_a_fresh_one_that_is_is_one() {
    let mut stage = Stage::start(&[("HOOKWHEEL__DELIVER__SENDERS", "1")]);
    let (once, never) = (closing_after(1), closing_after(0));
    let settings = json!({"max_in_flight": 1});
    let kept = stage.webhook(&format!("http://127.0.0.1:{once}/"), settings.clone());
    let fresh = stage.webhook(&format!("http://127.0.0.1:{never}/"), settings);
    for n in 0..5 {
        let event = format!("e{n}");
        stage.publish(&event);
        // Each but the first finds the connection of the one before. Where nothing was sent again, nothing is said of it.
        let resent = if n > 0 { json!(true) } else { Value::Null };
        let attempt = only_attempt(&mut stage, &kept, &event);
        assert_eq!((&attempt["success"], &attempt["resent"]), (&json!(true), &resent), "{attempt}");
        let attempt = only_attempt(&mut stage, &fresh, &event);
        assert_eq!((&attempt["outcome"], &attempt["resent"]), (&json!("broken"), &Value::Null), "{attempt}");
    }
    assert_eq!(metric(&mut stage, "hookwheel_resent_total"), 4);
}

#[test]
fn an_endpoint_that_closes_about_when_the_next_delivery_comes_is_delivered_to() {
    const INTERVAL: Duration = Duration::from_millis(100);
    let Some(mut node) = Node::start("idle", INTERVAL.as_millis() as u64) else { return };
    let mut stage = Stage::start(&[]);
    let webhook = stage.webhook(&node.url("/"), json!({}));
    for n in 0..100 {
        // Not waiting for anything: this is the load, now a little earlier and now a little later than the closing.
        std::thread::sleep(INTERVAL - Duration::from_millis(10) + Duration::from_micros(n * 200));
        stage.publish(&format!("e{n}"));
    }
    for n in 0..100 {
        let attempt = only_attempt(&mut stage, &webhook, &format!("e{n}"));
        assert_eq!(attempt["success"], true, "{attempt}");
    }
    assert!(node.number("count") > 1, "it never closed one");
}

#[test]
fn over_tls_a_connection_is_used_again() {
    let Some(mut node) = Node::start("tls", 0) else { return };
    let mut stage = Stage::start(&[("HOOKWHEEL__DELIVER__SENDERS", "1")]);
    let webhook = stage.webhook(&node.url("/"), node.trusted(json!({"max_in_flight": 1})));
    for n in 0..20 {
        let event = format!("e{n}");
        stage.publish(&event);
        assert_eq!(stage.outcome(&webhook, &event).0, "ok");
    }
    // Tickets that come after the handshake are no answer.
    assert_eq!(node.number("count"), 1);
}

#[test]
fn many_deliveries_to_one_host_share_a_session() {
    for (streams, sessions) in [(1000, 1), (20, 3)] {
        let Some(mut node) = Node::start("held", streams) else { return };
        let mut stage = Stage::start(&[("HOOKWHEEL__DELIVER__SENDERS", "1")]);
        // Each begins with four at once.
        let trusted = |stage: &mut Stage| stage.webhook(&node.url("/"), node.trusted(json!({"timeout": 60})));
        let webhooks: Vec<String> = (0..15).map(|_| trusted(&mut stage)).collect();
        for n in 0..4 {
            stage.publish(&format!("e{n}"));
        }
        let watch = Stopwatch::start();
        while node.number("held") < 60 {
            assert!(watch.elapsed() < DEADLINE, "only {} are there at once", node.number("held"));
        }
        assert_eq!(node.number("count"), sessions);
        node.program.ask("open");
        for webhook in &webhooks {
            for n in 0..4 {
                let event = format!("e{n}");
                let attempt = only_attempt(&mut stage, webhook, &event);
                assert_eq!((&attempt["success"], &told(&attempt)["event"]), (&json!(true), &json!(event)), "{attempt}");
            }
        }
    }
}

#[test]
fn a_session_that_ends_after_some_requests_costs_no_attempt() {
    // Many at once on each session, and it takes ten of them along.
    let Some(mut node) = Node::start("goaway", 10) else { return };
    let mut stage = Stage::start(&[]);
    let webhook = stage.webhook(&node.url("/"), node.trusted(json!({"max_in_flight": 60})));
    let of_it = |act: &str| format!("/api/v1/webhooks/{webhook}/{act}");
    stage.client.post(&of_it("pause"), &json!({})).data(200);
    for n in 0..200 {
        stage.publish(&format!("e{n}"));
    }
    stage.client.post(&of_it("resume"), &json!({})).data(200);
    for n in 0..200 {
        let event = format!("e{n}");
        let attempt = only_attempt(&mut stage, &webhook, &event);
        assert_eq!((&attempt["success"], &told(&attempt)["event"]), (&json!(true), &json!(event)), "{attempt}");
    }
    let sessions = node.number("count");
    assert!((10..=100).contains(&sessions), "{sessions} sessions for 200 deliveries");
}

#[test]
fn a_session_that_is_closed_while_it_waits_costs_no_attempt() {
    const INTERVAL: Duration = Duration::from_millis(100);
    let Some(mut node) = Node::start("idletwo", INTERVAL.as_millis() as u64) else { return };
    let mut stage = Stage::start(&[]);
    let webhook = stage.webhook(&node.url("/"), node.trusted(json!({})));
    for n in 0..60 {
        std::thread::sleep(INTERVAL - Duration::from_millis(10) + Duration::from_micros(n * 400));
        stage.publish(&format!("e{n}"));
    }
    for n in 0..60 {
        let attempt = only_attempt(&mut stage, &webhook, &format!("e{n}"));
        assert_eq!(attempt["success"], true, "{attempt}");
    }
    assert!(node.number("count") > 1, "it never closed one");
}

#[test]
fn a_session_on_which_somebody_waited_in_vain_gets_no_more_and_keeps_what_it_has() {
    let Some(mut node) = Node::start("held", 1000) else { return };
    let mut stage = Stage::start(&[("HOOKWHEEL__DELIVER__SENDERS", "1")]);
    let hasty = stage.webhook(&node.url("/"), node.trusted(json!({"timeout": 1})));
    let patient = stage.webhook(&node.url("/"), node.trusted(json!({"timeout": 60})));
    stage.publish("first");
    assert_eq!(stage.outcome(&hasty, "first").0, "timeout");
    stage.client.post(&format!("/api/v1/webhooks/{hasty}/pause"), &json!({})).data(200);
    stage.publish("second");
    let watch = Stopwatch::start();
    while node.number("held") < 3 {
        assert!(watch.elapsed() < DEADLINE, "the second does not come");
    }
    assert_eq!(node.number("count"), 2, "it goes by a session of its own");
    node.program.ask("open");
    for event in ["first", "second"] {
        let attempt = only_attempt(&mut stage, &patient, event);
        assert_eq!((&attempt["success"], &told(&attempt)["event"]), (&json!(true), &json!(event)), "{attempt}");
    }
}
