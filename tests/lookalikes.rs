//! Deliveries of each look-alike dialect, over sockets, verified by the library that the company itself publishes for
//! its receivers: accepted as they came, refused with one byte changed or with another secret.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookwheel::dialect::{Dialect, Dialects};
use hookwheel::domain::secret::Secret;
use serde_json::{Value, json};
use support::{Answer, Client, Endpoint, Message, Program, Receiver, Server, test_env};

/// Of those that are compiled in, the ones that no library is asked about: `tests/contracts` holds five and
/// `tests/real_payloads.rs` the standard one; Mailgun's libraries verify nothing, `src/dialect/tests/published.rs` has its values;
/// chats verify nothing either, `src/dialect/tests/chats.rs` has what they document.
const OTHERS: [&str; 10] = [
    "standard",
    "cathcr",
    "daycopilot",
    "hub",
    "taskflow",
    "workspace",
    "mailgun",
    "slack_incoming",
    "teams_incoming",
    "discord_incoming",
];
/// Verified by a library for Python; the others by one for Node.
const IN_PYTHON: [&str; 2] = ["slack", "paddle"];

#[test]
fn the_companies_own_libraries_accept_what_is_sent_and_nothing_else() {
    let Some(env) = test_env("the look-alikes' own libraries") else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), &[]);
    let mut client = server.client();
    let mut libraries = Libraries::start(&env);
    let shipped = Dialects::shipped();
    for dialect in shipped.iter().filter(|dialect| !OTHERS.contains(&dialect.name.as_str())) {
        Case::of(dialect.clone()).hold(&mut client, &mut libraries);
    }
    assert!(server.terminate().success());
}

/// A look-alike with two secrets: both sign, where the contract can carry both.
struct Case {
    dialect: Arc<Dialect>,
    old: Endpoint,
    new: Endpoint,
}

impl Case {
    fn of(dialect: Arc<Dialect>) -> Self {
        let secret = |byte: u8| dialect.generate_secret(&[byte; 32]).expect("it can be generated");
        let endpoint = |secret: Secret| Endpoint { dialect: dialect.clone(), secret };
        let (old, new) = (endpoint(secret(1)), endpoint(secret(2)));
        Self { old, new, dialect }
    }

    /// Publishes each documented sample and has the library verify what arrives.
    fn hold(&self, client: &mut Client, libraries: &mut Libraries) {
        let name = self.dialect.name.as_str();
        let asked = self.old.clone();
        // The Slack look-alike counts its retries in a header; its first attempts fail here.
        let is_slack = name == "slack";
        let receiver = Receiver::start(move |_, message| {
            let fails = is_slack && message.header("x-slack-retry-num").is_none();
            asked.answer(message, Answer::Status(if fails { 500 } else { 200 }))
        });
        let url = receiver.url(&format!("/{name}?from=us"));
        let id = self.create(client, &url);
        if name == "zoom" {
            // The library itself answers what the endpoint was asked; the server took the very same.
            let asked = receiver.next().message;
            let answer = libraries.verify(name, &asked, &asked.body, &self.old.known(), &url).expect("it answers");
            let read = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
            assert_eq!(read(&answer), read(&self.old.proof(&asked).expect("it is a question")));
        }
        let mut sent: Vec<String> = self.dialect.catalogue.iter().map(|known| publish(client, name, known)).collect();
        let times = if is_slack { 2 } else { 1 };
        let mut understood: Vec<String> =
            (0..sent.len() * times).map(|_| self.check(libraries, &self.old.next(&receiver), &url)).collect();
        sent = sent.iter().flat_map(|one| std::iter::repeat_n(one.clone(), times)).collect();
        sent.sort();
        understood.sort();
        assert_eq!(understood, sent, "{name}");
        client.request("PATCH", &format!("/api/v1/webhooks/{id}"), br#"{"enabled":false}"#).data(200);
    }

    /// Creates a webhook for the types that the dialect documents, and rotates its secret.
    fn create(&self, client: &mut Client, url: &str) -> String {
        let types: Vec<_> = self.dialect.catalogue.iter().map(|known| known.name.as_str()).collect();
        let (old, new) = (self.old.secret.reveal(), self.new.secret.reveal());
        let webhook = json!({"url": url, "events": types, "dialect": self.dialect.name, "secret": old});
        let made = client.post("/api/v1/webhooks", &webhook).data(201);
        assert_eq!(made["status"], "active", "{}: {made}", self.dialect.name);
        let id = made["id"].as_str().expect("an id").to_owned();
        client.post(&format!("/api/v1/webhooks/{id}/secret/rotate"), &json!({ "secret": new })).data(200);
        id
    }

    /// Has a request verified, as it came and otherwise. Gives what the library understood.
    fn check(&self, libraries: &mut Libraries, message: &Message, url: &str) -> String {
        let (name, rule) = (self.dialect.name.as_str(), &self.dialect.signature[0]);
        let mut verify = |body: &[u8], secret: &str, url: &str| libraries.verify(name, message, body, secret, url);
        let (body, new) = (&message.body[..], self.new.known());
        let understood = verify(body, &new, url).unwrap_or_else(|error| panic!("{name} as it came: {error}"));
        let old = verify(body, &self.old.known(), url);
        assert_eq!(old.is_ok(), rule.several.is_some(), "{name} with the old secret: {old:?}");
        let stranger = self.dialect.generate_secret(&[3; 32]).expect("it can be generated");
        let stranger = Endpoint { dialect: self.dialect.clone(), secret: stranger };
        assert!(verify(body, &stranger.known(), url).is_err(), "{name} accepts the secret of somebody else");
        if rule.signs_body() {
            let mut changed = body.to_vec();
            // In a text of the JSON, so that it stays JSON.
            let at = changed.iter().rposition(u8::is_ascii_alphabetic).expect("a letter");
            changed[at] ^= 0x20;
            assert!(verify(&changed, &new, url).is_err(), "{name} accepts {}", String::from_utf8_lossy(&changed));
        }
        if self.dialect.signs_url() {
            assert!(verify(body, &new, &format!("{url}x")).is_err(), "{name} accepts another URL");
        }
        understood
    }
}

/// Publishes a documented sample; gives what the dialect's library is to understand of it.
fn publish(client: &mut Client, dialect: &str, known: &hookwheel::dialect::EventType) -> String {
    let body = format!(r#"{{"type":"{}","data":{}}}"#, known.name, known.sample);
    client.request("POST", "/api/v1/events", body.as_bytes()).data(202);
    let data: Value = serde_json::from_str(known.sample.get()).expect("JSON");
    let text = |field: &str| data[field].as_str().map(str::to_owned);
    match dialect {
        "slack" => text("type").expect("an inner type"),
        "shopify" => known.name.to_uppercase().replace('/', "_"),
        "twilio" => text("MessageSid").or(text("CallSid")).expect("an id"),
        "svix" => data.as_object().expect("an object").keys().cloned().collect::<Vec<_>>().join(","),
        _ => known.name.clone(),
    }
}

/// The companies' own libraries.
struct Libraries {
    node: Program,
    python: Program,
}

impl Libraries {
    fn start(env: &Path) -> Self {
        Self { node: Program::node("lookalikes.mjs", env), python: Program::python("lookalikes.py", env) }
    }

    fn verify(
        &mut self,
        dialect: &str,
        message: &Message,
        body: &[u8],
        secret: &str,
        url: &str,
    ) -> Result<String, String> {
        let headers = message.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
        let headers: BTreeMap<_, _> = headers.collect();
        let body = STANDARD.encode(body);
        let question = json!({"dialect": dialect, "secret": secret, "headers": headers, "body": body, "url": url});
        let program = if IN_PYTHON.contains(&dialect) { &mut self.python } else { &mut self.node };
        let answer = program.ask(&question.to_string());
        match answer.strip_prefix("accepted ") {
            Some(understood) => Ok(understood.to_owned()),
            None => Err(answer),
        }
    }
}
