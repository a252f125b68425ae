//! Deliveries of each look-alike dialect, over sockets, verified by the library that the company itself publishes for
//! its receivers: accepted as they came, refused with one byte changed or with another secret.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookwheel::dialect::Dialects;
use serde_json::{Value, json};
use support::{Answer, Arrived, Client, Message, Program, Receiver, Server, test_env};

const DIALECTS: [&str; 4] = ["github", "stripe", "slack", "shopify"];
const OLD_SECRET: &str = "a secret that is rotated out";
const SECRET: &str = "the secret that is rotated in";

#[test]
fn the_companies_own_libraries_accept_what_is_sent_and_nothing_else() {
    let Some(env) = test_env("the look-alikes' own libraries") else { return };
    let dir = tempfile::tempdir().expect("a folder");
    // The Slack look-alike asks before it delivers, and counts its retries in a header; its first attempts fail here.
    let receiver = Receiver::start(|path, message| match path {
        "/slack" if is_question(message) => Answer::Challenge,
        "/slack" if message.header("x-slack-retry-num").is_none() => Answer::Status(500),
        _ => Answer::Status(200),
    });
    let server = Server::start(dir.path(), &[]);
    let mut client = server.client();
    for dialect in DIALECTS {
        create_webhook(&mut client, &receiver, dialect);
    }
    let mut sent = publish_samples(&mut client);
    let slack: Vec<_> = sent.iter().filter(|(dialect, _)| *dialect == "slack").cloned().collect();
    sent.extend(slack);

    let mut libraries = Libraries::start(&env);
    let question = receiver.next();
    assert!(is_question(&question.message), "{:?}", question.message.start);
    libraries.verify("slack", &question, &question.message.body, OLD_SECRET).expect("a question is signed too");
    let mut accepted: Vec<(&str, String)> = Vec::new();
    for _ in 0..sent.len() {
        let arrived = receiver.next();
        let dialect = DIALECTS.into_iter().find(|name| arrived.path == format!("/{name}")).expect("a path of ours");
        accepted.push((dialect, libraries.check(dialect, &arrived)));
    }
    sent.sort();
    accepted.sort();
    assert_eq!(accepted, sent);
    assert!(server.terminate().success());
}

fn is_question(message: &Message) -> bool {
    serde_json::from_slice::<Value>(&message.body).is_ok_and(|body| body["type"] == "url_verification")
}

/// Creates a webhook for the types that the dialect documents. Its secret is rotated: both sign now, where the contract
/// can carry both.
fn create_webhook(client: &mut Client, receiver: &Receiver, dialect: &str) {
    let types: Vec<_> = Dialects::shipped().get(dialect).expect("shipped").catalogue.clone();
    let types: Vec<_> = types.iter().map(|known| known.name.as_str()).collect();
    let url = receiver.url(&format!("/{dialect}"));
    let webhook = json!({
        "url": url, "events": types, "dialect": dialect, "secret": OLD_SECRET,
    });
    let id = client.post("/api/v1/webhooks", &webhook).data(201)["id"].clone();
    let rotate = format!("/api/v1/webhooks/{}/secret/rotate", id.as_str().expect("an id"));
    client.post(&rotate, &json!({ "secret": SECRET })).data(200);
}

/// Publishes each documented sample; gives, for each, what the dialect's library is to understand of it.
fn publish_samples(client: &mut Client) -> Vec<(&'static str, String)> {
    let mut sent = Vec::new();
    for dialect in DIALECTS {
        for known in &Dialects::shipped().get(dialect).expect("shipped").catalogue {
            let body = format!(r#"{{"type":"{}","data":{}}}"#, known.name, known.sample);
            client.request("POST", "/api/v1/events", body.as_bytes()).data(202);
            let data: Value = serde_json::from_str(known.sample.get()).expect("JSON");
            let understood = match dialect {
                "slack" => data["type"].as_str().expect("an inner type").to_owned(),
                "shopify" => known.name.to_uppercase().replace('/', "_"),
                _ => known.name.clone(),
            };
            sent.push((dialect, understood));
        }
    }
    sent
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

    /// Has a request verified, as it came and otherwise. Gives what the library understood.
    fn check(&mut self, dialect: &str, arrived: &Arrived) -> String {
        let body = &arrived.message.body;
        let understood = self.verify(dialect, arrived, body, SECRET).expect("as it came it is accepted");
        let old = self.verify(dialect, arrived, body, OLD_SECRET);
        assert_eq!(old.is_ok(), dialect == "stripe", "{dialect} with the old secret: {old:?}");
        let mut changed = body.clone();
        // In a text of the JSON, so that it stays JSON.
        let at = changed.iter().rposition(u8::is_ascii_alphabetic).expect("a letter");
        changed[at] ^= 0x20;
        for (body, secret) in [(&changed, SECRET), (body, "the secret of somebody else")] {
            let refused = self.verify(dialect, arrived, body, secret);
            assert!(refused.is_err(), "{dialect} accepts {}", String::from_utf8_lossy(body));
        }
        understood
    }

    fn verify(&mut self, dialect: &str, arrived: &Arrived, body: &[u8], secret: &str) -> Result<String, String> {
        let headers = arrived.message.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
        let headers: BTreeMap<_, _> = headers.collect();
        let body = STANDARD.encode(body);
        let question = json!({"dialect": dialect, "secret": secret, "headers": headers, "body": body}).to_string();
        let program = if dialect == "slack" { &mut self.python } else { &mut self.node };
        let answer = program.ask(&question);
        match answer.strip_prefix("accepted ") {
            Some(understood) => Ok(understood.to_owned()),
            None => Err(answer),
        }
    }
}
