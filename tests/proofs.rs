//! What contracts ask of an endpoint and show of themselves, over sockets: questions by GET and with a forged one beside them,
//! secrets that are shown and not kept, keys that are given, and bodies that say what each attempt is.

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{Answer, Message, Receiver, Server};

const FIRST: &str = "title = \"Own\"\ndescription = \"A contract of a test's.\"\ntimeout_seconds = 5\n\
                     retry = { delays = [0, 0], jitter_percent = 0 }\n";
const SHARED: &str = "secrets = { key = \"utf8\", bytes_min = 1, bytes_max = 256 }\n";
const SIGNED: &str = "[[signature]]\nheader = \"X-Signature\"\nalgorithm = \"sha256\"\nencoding = \"hex\"\n\
                      signed = \"{body}\"\nvalue = \"{signature}\"\n";

/// A server with one dialect of its own, `own`.
fn start(dir: &Path, parts: &str) -> Server {
    let dialects = dir.join("dialects");
    std::fs::create_dir(&dialects).expect("made");
    std::fs::write(dialects.join("own.toml"), format!("{FIRST}{parts}")).expect("written");
    Server::start(dir, &[])
}

fn wanted(receiver: &Receiver, more: &Value) -> Value {
    let mut input = json!({"url": receiver.url("/hook?own=1"), "events": ["*"], "dialect": "own"});
    let fields = input.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    input
}

/// The value of a parameter behind the `?` of a path.
fn parameter(path: &str, name: &str) -> Option<String> {
    let (_, query) = path.split_once('?')?;
    url::form_urlencoded::parse(query.as_bytes()).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

fn text(body: String) -> Answer {
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    // A few bytes of a test.
    Answer::Bytes((head + &body).leak().as_bytes())
}

#[test]
fn a_question_by_get_is_answered_with_its_random_text() {
    let dir = tempfile::tempdir().expect("a folder");
    let challenge = "[challenge]\nmethod = \"GET\"\nexpect = \"{challenge}\"\n\
                     query = { \"hub.mode\" = \"subscribe\", \"hub.challenge\" = \"{challenge}\" }\n";
    let server = start(dir.path(), &format!("{SHARED}envelope = \"{{event.data}}\"\n{challenge}"));
    let mut client = server.client();
    let receiver = Receiver::start(|path, message| match parameter(path, "hub.challenge") {
        Some(random) if message.start.starts_with("GET ") && parameter(path, "own").is_some() => text(random),
        _ => Answer::Status(200),
    });
    let made = client.post("/api/v1/webhooks", &wanted(&receiver, &json!({}))).data(201);
    let id = made["id"].as_str().expect("an id");
    let shown = client.post(&format!("/api/v1/webhooks/{id}/verify"), &json!({})).data(200);
    assert_eq!(shown["status"], "active", "{shown}");
    let asked = receiver.next();
    assert!(asked.message.body.is_empty() && asked.header("content-type").is_none(), "{:?}", asked.message);
    assert_eq!(parameter(&asked.path, "hub.mode").as_deref(), Some("subscribe"));
    let deaf = Receiver::start(|_, _| Answer::Status(200));
    let made = client.post("/api/v1/webhooks", &wanted(&deaf, &json!({}))).data(201);
    let id = made["id"].as_str().expect("an id");
    let shown = client.post(&format!("/api/v1/webhooks/{id}/verify"), &json!({})).data(200);
    assert_eq!(shown["status"], "unverified", "{shown}");
}

/// The signature is of the body as it came if it is that of the first of both questions.
fn is_genuine(message: &Message) -> bool {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"hush").expect("any length");
    mac.update(&message.body);
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    message.header("x-signature") == Some(&signature)
}

#[test]
fn an_endpoint_that_takes_what_is_wrongly_signed_is_not_verified() {
    let dir = tempfile::tempdir().expect("a folder");
    let challenge = "[challenge]\nsend = { entropy = \"{event.uuid}\" }\nforged_status = 401\n";
    let server = start(dir.path(), &format!("{SHARED}envelope = \"{{event.data}}\"\n{SIGNED}{challenge}"));
    let mut client = server.client();
    let careful = Receiver::start(|_, message| Answer::Status(if is_genuine(message) { 200 } else { 401 }));
    let careless = Receiver::start(|_, _| Answer::Status(200));
    for (receiver, status) in [(&careful, "active"), (&careless, "unverified")] {
        let made = client.post("/api/v1/webhooks", &wanted(receiver, &json!({"secret": "hush"}))).data(201);
        let id = made["id"].as_str().expect("an id");
        let shown = client.post(&format!("/api/v1/webhooks/{id}/verify"), &json!({})).data(200);
        assert_eq!(shown["status"], status, "{shown}");
    }
    let [first, second] = [careful.next(), careful.next()];
    assert_eq!((is_genuine(&first.message), is_genuine(&second.message)), (true, false));
    assert_eq!(first.message.body, second.message.body);
}

#[test]
fn a_secret_that_is_shown_is_sent_and_not_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let shown = "[[signature]]\nheader = \"X-Own\"\nalgorithm = \"secret\"\nencoding = \"plain\"\nvalue = \"own {signature}\"\n";
    let server = start(dir.path(), &format!("{SHARED}envelope = \"{{event.data}}\"\n{shown}"));
    let mut client = server.client();
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let made = client.post("/api/v1/webhooks", &wanted(&receiver, &json!({"secret": "hush-hush"}))).data(201);
    let id = made["id"].as_str().expect("an id");
    client.post(&format!("/api/v1/webhooks/{id}/check"), &json!({})).data(200);
    assert_eq!(receiver.next().header("x-own"), Some("own test"), "a health check shows none");
    let sent = client.post(&format!("/api/v1/webhooks/{id}/test"), &json!({})).data(202);
    assert_eq!(receiver.next().header("x-own"), Some("own hush-hush"));
    let delivery = sent["delivery_id"].as_str().expect("an id");
    let kept = loop {
        let kept = client.get(&format!("/api/v1/deliveries/{delivery}")).data(200);
        if kept["state"] == "succeeded" {
            break kept;
        }
    };
    assert!(!kept.to_string().contains("hush-hush"), "{kept}");
    assert!(kept.to_string().to_lowercase().contains("x-own"), "it is told that it was sent: {kept}");
}

#[test]
fn keys_that_are_not_made_here_must_be_given() {
    let dir = tempfile::tempdir().expect("a folder");
    let signed = SIGNED.replace("sha256", "ecdsa-p256").replace("hex", "base64");
    let pairs = "secrets = { key = \"pkcs8\", public = \"base64\" }\n";
    let server = start(dir.path(), &format!("{pairs}envelope = \"{{event.data}}\"\n{signed}"));
    let mut client = server.client();
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let refused = client.post("/api/v1/webhooks", &wanted(&receiver, &json!({})));
    let error = &refused.json()["error"];
    assert_eq!((refused.status, &error["field"]), (400, &json!("secret")), "{error}");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("must be given")), "{error}");
    let key = rcgen::KeyPair::generate().expect("a key of P-256").serialize_pem();
    let made = client.post("/api/v1/webhooks", &wanted(&receiver, &json!({"secret": key}))).data(201);
    let id = made["id"].as_str().expect("an id");
    let public = client.get(&format!("/api/v1/webhooks/{id}/secret")).data(200)["public_key"].clone();
    client.post(&format!("/api/v1/webhooks/{id}/test"), &json!({})).data(202);
    let arrived = receiver.next();
    let dialects = hookwheel::dialect::Dialects::load(Some(&dir.path().join("dialects"))).expect("it was taken");
    let header = |name: &str| arrived.header(name).map(str::to_owned);
    let received = hookwheel::dialect::Received { header: &header, url: None, body: &arrived.message.body };
    let public = hookwheel::domain::secret::Secret::new(public.as_str().expect("a key"));
    let own = dialects.get("own").expect("it is there");
    assert_eq!(own.verify(received, std::slice::from_ref(&public), 0, None), Ok(()));
    let rotate = format!("/api/v1/webhooks/{id}/secret/rotate");
    assert_eq!(client.post(&rotate, &json!({})).status, 400, "a new one must be given too");
}

#[test]
fn a_body_says_which_attempt_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let envelope = "[envelope]\ntry = \"{attempt.number}\"\ntoken = \"{attempt.token}\"\nmac = \"{signature}\"\n";
    let signed = SIGNED.replace("header = \"X-Signature\"\n", "").replace("{body}", "{attempt.token}");
    let server = start(dir.path(), &format!("{SHARED}{envelope}{signed}"));
    let mut client = server.client();
    let receiver = Receiver::start(|_, _| Answer::Status(500));
    client.post("/api/v1/webhooks", &wanted(&receiver, &json!({"secret": "hush"}))).data(201);
    client.post("/api/v1/events", &json!({"type": "thing.done", "data": {}})).data(202);
    let bodies: Vec<Value> =
        (0..3).map(|_| serde_json::from_slice(&receiver.next().message.body).expect("JSON")).collect();
    let tries: Vec<_> = bodies.iter().map(|body| body["try"].as_u64()).collect();
    assert_eq!(tries, [Some(1), Some(2), Some(3)]);
    assert!(bodies[0]["token"] != bodies[1]["token"] && bodies[0]["mac"] != bodies[1]["mac"]);
}
