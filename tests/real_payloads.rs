//! The main job on real input: GitHub's webhook payloads through a running server to an endpoint that fails now and
//! then, in two dialects. Every one arrives, byte for byte as promised, and verifies with libraries that are not ours.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use hookwheel::dialect::{Numbers, canonical};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use support::{Answer, Arrived, Client, Message, Receiver, Server, say, test_env};

/// Decides which attempts fail.
const SEED: u64 = 20_240_210;
/// A delivery fails this often at most; the webhooks' schedules allow more.
const FAILURES_MAX: usize = 3;
/// The dialects, each with a secret of its form.
const DIALECTS: [(&str, &str); 2] =
    [("standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), ("taskflow", "a secret that taskflow's users chose")];

/// One payload: the event's type, and its data byte for byte as the package has it, spaces and line breaks included.
struct Payload {
    event_type: String,
    data: String,
}

#[test]
fn every_payload_arrives_as_promised_and_verifies_elsewhere() {
    let Some(env) = test_env("the real payloads and the verifiers that are not ours") else { return };
    let payloads = payloads(&env);
    assert!(payloads.len() > 300, "the package has hundreds of payloads, not {}", payloads.len());
    let dir = tempfile::tempdir().expect("a folder");
    let receiver = failing_receiver();
    let server = Server::start(dir.path(), &[]);
    let mut client = server.client();
    let webhooks = DIALECTS.map(|(dialect, secret)| create_webhook(&mut client, &receiver, dialect, secret));
    publish(&mut client, &payloads);

    let arrived = receive_all(&receiver, &payloads);
    assert!(server.terminate().success());
    for one in &arrived {
        check_body(one, &payloads);
    }
    let failed = arrived.iter().filter(|one| one.answer != Answer::Status(200)).count();
    assert!(failed > payloads.len() / 5, "only {failed} attempts were made to fail");

    let saved = dir.path().join("received");
    save(&saved, &arrived, &payloads);
    let counts = DIALECTS.map(|(dialect, _)| format!("{dialect} {}\n", of(&arrived, dialect).count())).concat();
    for mut verifier in verifiers(&env, &saved) {
        assert_eq!(output(&mut verifier), Ok(counts.clone()));
    }
    for (dialect, _) in DIALECTS {
        spoil_one(&saved, dialect);
        for mut verifier in verifiers(&env, &saved) {
            let complaint = output(&mut verifier).expect_err("a changed body does not verify");
            assert!(complaint.contains(dialect), "{complaint}");
        }
        save(&saved, &arrived, &payloads);
    }

    let server = Server::start(dir.path(), &[]);
    for webhook in &webhooks {
        assert_eq!(states(&mut server.client(), webhook), BTreeMap::from([("succeeded".to_owned(), payloads.len())]));
    }
    assert!(receiver.arrived.try_recv().is_err(), "nothing is sent again after its success");
    say(&format!("{} payloads, {} requests of which {failed} failed", payloads.len(), arrived.len()));
}

/// All payloads of the package, of github.com and of GitHub's server editions.
fn payloads(env: &Path) -> Vec<Payload> {
    #[derive(Deserialize)]
    struct Kind {
        name: String,
        examples: Vec<Box<RawValue>>,
    }
    let package = env.join("node/node_modules/@octokit/webhooks-examples");
    let entries = fs::read_dir(package).expect("the package is installed");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path().join("index.json")).collect();
    files.retain(|file| file.exists());
    files.sort();
    let mut payloads = Vec::new();
    for file in files {
        let kinds: Vec<Kind> = serde_json::from_slice(&fs::read(file).expect("readable")).expect("kinds with examples");
        for kind in kinds {
            payloads.extend(kind.examples.into_iter().map(|data| Payload::new(&kind.name, data.get())));
        }
    }
    payloads
}

impl Payload {
    fn new(name: &str, data: &str) -> Self {
        let parsed: Value = serde_json::from_str(data).expect("JSON");
        let action = parsed["action"].as_str().map_or(String::new(), |action| format!(".{action}"));
        Self { event_type: format!("github.{name}{action}"), data: data.to_owned() }
    }
}

fn event_id(number: usize) -> String {
    format!("gh-{number}")
}

/// An endpoint that fails up to [`FAILURES_MAX`] times a delivery, as the seed says: half with 500, half without answer.
fn failing_receiver() -> Receiver {
    let tries: Mutex<HashMap<String, usize>> = Mutex::default();
    Receiver::start(move |path, message| {
        let id = id_of(message);
        let mut tries = tries.lock().expect("not poisoned");
        let before = tries.entry(format!("{path} {id}")).or_default();
        *before += 1;
        let draw = hash(&(SEED, path, id, *before));
        match (*before <= FAILURES_MAX, draw % 8) {
            (true, 0) => Answer::Status(500),
            (true, 1) => Answer::Close,
            _ => Answer::Status(200),
        }
    })
}

fn hash(what: &impl std::hash::Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(what)
}

/// Creates a webhook that wants everything and tries again fast; gives its id.
fn create_webhook(client: &mut Client, receiver: &Receiver, dialect: &str, secret: &str) -> String {
    let webhook = client.post(
        "/api/v1/webhooks",
        &json!({
            "url": receiver.url(&format!("/{dialect}")),
            "events": ["github.*"],
            "dialect": dialect,
            "secret": secret,
            "retry": {"delays": [1, 1, 1, 1, 1], "jitter_percent": 0},
        }),
    );
    webhook.data(201)["id"].as_str().expect("an id").to_owned()
}

/// Posts every payload: by turns one alone and twenty in an array.
fn publish(client: &mut Client, payloads: &[Payload]) {
    let event = |number: usize| {
        let Payload { event_type, data } = &payloads[number];
        format!(r#"{{"type":"{event_type}","id":"{}","data":{data}}}"#, event_id(number))
    };
    let mut next = 0;
    while next < payloads.len() {
        let end = (next + if next % 21 == 0 { 1 } else { 20 }).min(payloads.len());
        let events: Vec<String> = (next..end).map(event).collect();
        let body = if next % 21 == 0 { events.concat() } else { format!("[{}]", events.join(",")) };
        client.request("POST", "/api/v1/events", body.as_bytes()).data(202);
        next = end;
    }
}

/// Takes requests until every payload was accepted once in each dialect.
fn receive_all(receiver: &Receiver, payloads: &[Payload]) -> Vec<Arrived> {
    let (mut arrived, mut accepted) = (Vec::new(), 0);
    while accepted < payloads.len() * DIALECTS.len() {
        let one = receiver.next();
        accepted += usize::from(one.answer == Answer::Status(200));
        arrived.push(one);
    }
    let by_event = |dialect: &str| -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for one in of(&arrived, dialect).filter(|one| one.answer == Answer::Status(200)) {
            *times.entry(id_of(&one.message)).or_default() += 1;
        }
        times
    };
    let once: BTreeMap<String, usize> = (0..payloads.len()).map(|number| (event_id(number), 1)).collect();
    for (dialect, _) in DIALECTS {
        assert_eq!(by_event(dialect), once, "{dialect}");
    }
    arrived
}

fn of<'a>(arrived: &'a [Arrived], dialect: &str) -> impl Iterator<Item = &'a Arrived> {
    let path = format!("/{dialect}");
    arrived.iter().filter(move |one| one.path == path)
}

/// The event's id: a header of `standard`, a member of `taskflow`'s body.
fn id_of(message: &Message) -> String {
    message.header("webhook-id").map(str::to_owned).unwrap_or_else(|| {
        let body: Value = serde_json::from_slice(&message.body).expect("JSON");
        body["id"].as_str().expect("an id").to_owned()
    })
}

/// The body is, byte for byte, what the dialect promises of this payload.
fn check_body(one: &Arrived, payloads: &[Payload]) {
    let id = id_of(&one.message);
    let number: usize = id.strip_prefix("gh-").and_then(|text| text.parse().ok()).expect("an id of ours");
    let Payload { event_type, data } = &payloads[number];
    let body = std::str::from_utf8(&one.message.body).expect("JSON is UTF-8");
    let parsed: Value = serde_json::from_str(body).expect("JSON");
    let time = parsed["timestamp"].as_str().expect("a time");
    let expected = match one.path.as_str() {
        "/standard" => format!(r#"{{"type":"{event_type}","timestamp":"{time}","data":{data}}}"#),
        _ => {
            let mut written = Vec::new();
            canonical(data.as_bytes(), Numbers::Exact, &mut written);
            let data = String::from_utf8(written).expect("JSON is UTF-8");
            let metadata = r#"{"account_id":"default","triggered_by":null}"#;
            format!(r#"{{"id":"{id}","type":"{event_type}","timestamp":"{time}","data":{data},"metadata":{metadata}}}"#)
        }
    };
    assert_eq!(body, expected, "{} {id}", one.path);
    assert_eq!(one.message.start, format!("POST {} HTTP/1.1", one.path));
    assert_eq!(one.header("content-type"), Some("application/json"));
}

/// Writes requests and payloads to files for programs that are not ours.
fn save(to: &Path, arrived: &[Arrived], payloads: &[Payload]) {
    for folder in DIALECTS.map(|(dialect, _)| dialect).into_iter().chain(["payloads"]) {
        fs::create_dir_all(to.join(folder)).expect("made");
    }
    let write = |path: String, bytes: &[u8]| fs::write(to.join(path), bytes).expect("written");
    write("secrets.json".into(), json!(BTreeMap::from(DIALECTS)).to_string().as_bytes());
    for (number, payload) in payloads.iter().enumerate() {
        write(format!("payloads/{}", event_id(number)), payload.data.as_bytes());
    }
    for (number, one) in arrived.iter().enumerate() {
        let headers: BTreeMap<String, &String> =
            one.message.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        write(format!("{}/{number}.headers", &one.path[1..]), json!(headers).to_string().as_bytes());
        write(format!("{}/{number}.body", &one.path[1..]), &one.message.body);
    }
}

/// Changes one byte of a saved body.
fn spoil_one(saved: &Path, dialect: &str) {
    let mut entries = fs::read_dir(saved.join(dialect)).expect("saved").map(|entry| entry.expect("an entry").path());
    let path = entries.find(|path| path.extension().is_some_and(|end| end == "body")).expect("a body");
    let mut body = fs::read(&path).expect("readable");
    let at = body.len() / 2;
    body[at] ^= 1;
    fs::write(path, body).expect("written");
}

/// Programs that verify what was saved with code that is not ours.
fn verifiers(env: &Path, saved: &Path) -> [Command; 2] {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/env");
    let (mut python, mut node) = (Command::new(env.join("python/bin/python")), Command::new("node"));
    python.arg(scripts.join("verify_received.py")).arg(saved);
    node.arg(scripts.join("verify_received.mjs")).arg(saved).arg(env.join("node/node_modules"));
    [python, node]
}

/// What a program prints, or what it complains of.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// How many of a webhook's deliveries are in which state.
fn states(client: &mut Client, webhook: &str) -> BTreeMap<String, usize> {
    let (mut states, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = client.get(&format!("/api/v1/webhooks/{webhook}/deliveries?limit=250{cursor}")).json();
        for delivery in page["data"].as_array().expect("a list") {
            *states.entry(delivery["state"].as_str().expect("a state").to_owned()).or_default() += 1;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return states,
        }
    }
}
