//! Secrets at rest and on their way: what is stored is sealed with a master key that can be changed while the server runs,
//! a secret stands nowhere but in the replies that are to show it, and a key pair signs what others verify.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use hookwheel::clock::{Dice, Stopwatch};
use hookwheel::domain::secret::Secret;
use rustix::process::Signal;
use serde_json::{Value, json};
use support::{Answer, Client, DEADLINE, Receiver, Running, Server};

/// A secret that is to be found nowhere, as text and as what the text stands for.
const MARKER: &str = "marker-0123456789-0123456789-marker";
/// Stands in the query of a URL, and in a custom header that looks like none that is to be hidden.
const QUERY: &str = "query-0123456789-marker-query";
const TENANT: &str = "tenant-0123456789-marker-tenant";
/// The value of a custom header that lets its holder in.
const TOKEN: &str = "Bearer token-0123456789-marker-token";

fn whsec(text: &str) -> String {
    use base64::Engine;
    format!("whsec_{}", base64::prelude::BASE64_STANDARD.encode(text))
}

fn master_key() -> String {
    let mut random = [0; 32];
    Dice::from_system().fill(&mut random);
    Secret::master_key(&random).reveal().to_string()
}

fn in_use(client: &mut Client) -> Value {
    client.get("/api/v1/master-keys").data(200)
}

/// Asks until the master keys in use are as `is` says.
fn wait_for_keys(client: &mut Client, is: impl Fn(&Value) -> bool) -> Value {
    let watch = Stopwatch::start();
    loop {
        let keys = in_use(client);
        if is(&keys) {
            return keys;
        }
        assert!(watch.elapsed() < DEADLINE, "{keys}");
    }
}

/// All files under `dir`, each with what is in it.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false if path.is_file() => all.push((path.display().to_string(), fs::read(&path).expect("a file"))),
            // The socket that another process takes over by.
            false => {}
        }
    }
    all
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

fn create(client: &mut Client, url: &str, secret: &str) -> String {
    let body =
        json!({"url": url, "events": ["*"], "secret": secret, "headers": {"Authorization": TOKEN, "X-Place": TENANT}});
    client.post("/api/v1/webhooks", &body).data(201)["id"].as_str().expect("an id").to_string()
}

#[test]
fn a_secret_stands_nowhere_but_where_it_is_to_be_shown() {
    let dir = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start(|path, _| Answer::Status(if path == "/failing" { 500 } else { 200 }));
    let server = Server::start(dir.path(), &[("HOOKWHEEL__LOG__LEVEL", "trace,mio=info,sled=info")]);
    let mut client = server.client();
    let shared = whsec(MARKER);
    let webhook = create(&mut client, &receiver.url(&format!("/well?for={QUERY}")), &shared);
    let failing = create(&mut client, &receiver.url("/failing"), &shared);
    let taskflow = json!({"url": receiver.url("/well"), "events": ["*"], "secret": MARKER, "dialect": "taskflow"});
    client.post("/api/v1/webhooks", &taskflow).data(201);
    client.post("/api/v1/events", &json!({"type": "a.b", "data": 1})).data(202);
    for _ in 0..3 {
        assert_eq!(receiver.next().header("authorization").unwrap_or(TOKEN), TOKEN, "it is sent");
    }
    let mut replies = Vec::new();
    let path = format!("/api/v1/webhooks/{webhook}");
    client.post(&format!("{path}/secret/rotate"), &json!({})).data(200);
    let wrong =
        json!({"url": receiver.url("/"), "events": ["*"], "secret": format!("{MARKER}!"), "dialect": "standard"});
    for (method, path, body) in [
        ("GET", "/api/v1/webhooks".to_string(), Value::Null),
        ("GET", path.clone(), Value::Null),
        ("GET", format!("{path}/deliveries"), Value::Null),
        ("GET", format!("/api/v1/webhooks/{failing}/logs"), Value::Null),
        ("GET", "/api/v1/events".into(), Value::Null),
        ("GET", "/api/v1/audit".into(), Value::Null),
        ("GET", "/api/v1/master-keys".into(), Value::Null),
        ("GET", "/metrics".into(), Value::Null),
        ("GET", "/openapi.json".into(), Value::Null),
        ("GET", "/v2/webhooks".into(), Value::Null),
        ("POST", "/api/v1/webhooks".into(), wrong),
        ("PATCH", path.clone(), json!({"secret": 5})),
        ("PATCH", path.clone(), json!({"name": "changed"})),
        ("POST", format!("{path}/pause"), Value::Null),
        ("POST", format!("{path}/check"), Value::Null),
    ] {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        replies.push((path.clone(), client.request(method, &path, body.as_bytes()).message.body));
    }
    let deliveries = client.get(&format!("{path}/deliveries")).data(200);
    let delivery = format!("/api/v1/deliveries/{}", deliveries[0]["id"].as_str().expect("an id"));
    let shown = client.get(&delivery);
    assert!(holds(&shown.message.body, "authorization"), "that it was sent is kept: {}", shown.json());
    assert!(!holds(&shown.message.body, TOKEN), "its value is not: {}", shown.json());
    assert!(holds(&shown.message.body, QUERY), "where it went is shown: {}", shown.json());
    replies.push((delivery, shown.message.body));
    let secret = client.get(&format!("{path}/secret")).data(200);
    assert_eq!(secret["previous"][0]["secret"], shared, "here it is to be shown");
    let ended = server.process.terminate();
    replies.push(("the log".into(), ended.output.into_bytes()));
    replies.extend(files(dir.path()));
    for (what, bytes) in &replies {
        for text in [MARKER, shared.as_str(), &shared["whsec_".len()..]] {
            assert!(!holds(bytes, text), "{text} stands in {what}");
        }
    }
    for (what, bytes) in files(dir.path()) {
        for text in [TOKEN, QUERY, TENANT] {
            assert!(!holds(&bytes, text), "{text} stands in {what}");
        }
    }
    assert!(files(dir.path()).iter().any(|(_, bytes)| holds(bytes, "a.b")), "what is no secret can be found");
}

/// What a token endpoint gives, and what it is shown.
const ACCESS: &str = "access-0123456789-marker-access";
const CLIENT: &str = "client-0123456789-marker-client";

#[test]
fn what_a_webhook_authenticates_with_stands_in_no_reply_no_log_and_no_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start(|path, message| {
        let answer = |status: u16, body: Value| {
            let body = body.to_string();
            let head = format!("HTTP/1.1 {status} Told\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            Answer::Bytes((head + &body).leak().as_bytes())
        };
        match path {
            "/token" => answer(200, json!({"access_token": ACCESS, "token_type": "Bearer"})),
            // It repeats whatever it was sent.
            "/echo" => {
                let sent = String::from_utf8_lossy(&message.body).into_owned();
                answer(400, json!({"error": "invalid_client", "error_description": sent}))
            }
            _ => Answer::Status(200),
        }
    });
    let server = Server::start(dir.path(), &[("HOOKWHEEL__LOG__LEVEL", "trace,mio=info,sled=info")]);
    let mut client = server.client();
    let oauth2 = |path: &str| {
        json!({"type": "oauth2", "token_url": receiver.url(path), "client_id": "c", "client_secret": CLIENT,
               "client_auth": "body"})
    };
    let all = [
        json!({"type": "basic", "username": "u", "password": MARKER}),
        json!({"type": "bearer", "token": MARKER}),
        json!({"type": "header", "name": "X-Plain", "value": MARKER}),
        oauth2("/token"),
        oauth2("/echo"),
    ];
    let retry = json!({"delays": [], "jitter_percent": 0});
    let made: Vec<String> = all
        .iter()
        .map(|auth| {
            let body = json!({"url": receiver.url("/well"), "events": ["*"], "auth": auth, "retry": retry});
            client.post("/api/v1/webhooks", &body).data(201)["id"].as_str().expect("an id").to_string()
        })
        .collect();
    client.post("/api/v1/events", &json!({"type": "a.b", "id": "e", "data": 1})).data(202);
    let watch = Stopwatch::start();
    let has_ended = |row: &Value| row["ended_at"].is_string();
    while !client.get("/api/v1/events/e/deliveries").data(200).as_array().expect("rows").iter().all(has_ended) {
        assert!(watch.elapsed() < DEADLINE, "some do not end");
    }
    let mut replies = Vec::new();
    let deliveries = client.get("/api/v1/events/e/deliveries").data(200);
    let rows = deliveries.as_array().expect("rows");
    assert_eq!(rows.len(), all.len());
    let paths = rows.iter().map(|row| format!("/api/v1/deliveries/{}", row["id"].as_str().expect("an id")));
    let shown = made.iter().map(|id| format!("/api/v1/webhooks/{id}"));
    let lists = ["/api/v1/webhooks", "/api/v1/audit", "/metrics", "/api/v1/accounts/default/export?secrets=true"];
    for path in paths.chain(shown).chain(lists.map(String::from)) {
        let body = client.get(&path).message.body;
        replies.push((path, body));
    }
    for (id, auth) in made.iter().zip(&all) {
        let path = format!("/api/v1/webhooks/{id}");
        let wrong = json!({"auth": auth, "timeout": 0}).to_string();
        replies.push((
            format!("a refused change of {path}"),
            client.request("PATCH", &path, wrong.as_bytes()).message.body,
        ));
        let tried = client.post(&format!("{path}/test"), &json!({}));
        replies.push((format!("a test of {path}"), tried.message.body));
    }
    let seen: Vec<_> = receiver.arrived.try_iter().collect();
    let value = |name: &str| seen.iter().filter_map(|arrived| arrived.header(name)).collect::<Vec<_>>().join(" ");
    assert!(value("authorization").contains(ACCESS) && value("x-plain").contains(MARKER), "they are sent");
    replies.push(("the log".into(), server.process.terminate().output.into_bytes()));
    replies.extend(files(dir.path()));
    use base64::Engine;
    let basic = base64::prelude::BASE64_STANDARD.encode(format!("u:{MARKER}"));
    for (what, bytes) in &replies {
        for text in [MARKER, ACCESS, CLIENT, basic.as_str()] {
            assert!(!holds(bytes, text), "{text} stands in {what}: {}", String::from_utf8_lossy(bytes));
        }
    }
}

#[test]
fn the_master_key_is_changed_while_the_server_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("keys");
    let (old, new) = (master_key(), master_key());
    fs::write(&file, &old).expect("written");
    let env = [("HOOKWHEEL__STORE__MASTER_KEY_FILE", file.to_str().expect("a plain path"))];
    let server = Server::start(dir.path(), &env);
    let mut client = server.client();
    for n in 0..300 {
        let body = json!({"url": format!("https://example.com/{n}"), "events": ["a"], "secret": whsec(&format!("{MARKER}{n}"))});
        client.post("/api/v1/webhooks", &body).data(201);
    }
    // And the user that is there for development.
    let sealed = 300 + 1;
    let first = in_use(&mut client);
    let mark = first["current"].as_str().expect("a mark").to_string();
    assert_eq!((&first["in_use"][&mark], &first["known"]), (&json!(sealed), &json!([mark])));

    // Only the new one: the old one has sealed everything.
    fs::write(&file, &new).expect("written");
    let refused = client.post("/api/v1/master-keys/reload", &json!({}));
    assert_eq!((refused.status, &refused.json()["error"]["field"]), (400, &json!("master_keys")));
    fs::write(&file, "no key").expect("written");
    assert_eq!(client.post("/api/v1/master-keys/reload", &json!({})).status, 400);
    assert_eq!(in_use(&mut client), first, "all stays as it was");

    fs::write(&file, format!("{new}\n{old}\n")).expect("written");
    server.process.signal(Signal::HUP);
    let all_resealed = |keys: &Value| keys["current"] != mark && keys["in_use"].get(&mark).is_none();
    let keys = wait_for_keys(&mut client, all_resealed);
    assert_eq!(keys["in_use"][keys["current"].as_str().expect("a mark")], sealed);
    fs::write(&file, &new).expect("written");
    client.post("/api/v1/master-keys/reload", &json!({})).data(200);
    assert!(server.terminate().success());

    let server = Server::start(dir.path(), &env);
    let webhooks = server.client().get("/api/v1/webhooks?limit=1").data(200);
    let path = format!("/api/v1/webhooks/{}/secret", webhooks[0]["id"].as_str().expect("an id"));
    assert_eq!(server.client().get(&path).data(200)["secret"], whsec(&format!("{MARKER}299")));
    assert!(server.terminate().success());

    fs::write(&file, &old).expect("written");
    let ended = Server::start_process(dir.path(), &env).end();
    let expected = format!("sealed with the master key {}", keys["current"].as_str().expect("a mark"));
    assert!(!ended.status.success() && ended.output.contains(&expected), "{}", ended.output);
    let other = [("HOOKWHEEL__STORE__MASTER_KEY", new.as_str())];
    assert!(Server::start(dir.path(), &other).terminate().success(), "the key counts, not where it is");
}

#[test]
fn without_a_master_key_the_first_start_makes_one_and_systemd_can_give_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), &[]);
    let own = in_use(&mut server.client())["current"].clone();
    assert!(server.terminate().success());
    let file = Server::data(dir.path()).join("master.key");
    let credentials = dir.path().join("credentials");
    fs::create_dir(&credentials).expect("a folder");
    fs::rename(file, credentials.join("hookwheel-master-key")).expect("moved");
    let env = [("CREDENTIALS_DIRECTORY", credentials.to_str().expect("a plain path"))];
    let server = Server::start(dir.path(), &env);
    assert_eq!(in_use(&mut server.client())["current"], own);
    assert!(server.terminate().success());
    // Below a file nobody can look: a key of its own would be another one.
    let unknown = Server::data(dir.path()).join("mark/credentials");
    let env = [("CREDENTIALS_DIRECTORY", unknown.to_str().expect("a plain path"))];
    let fresh = tempfile::tempdir().expect("a folder");
    let ended = Server::run(fresh.path(), &["serve"], &env).end();
    assert!(
        !ended.status.success() && ended.output.contains("mark/credentials/hookwheel-master-key"),
        "{}",
        ended.output
    );
    assert!(!Server::data(fresh.path()).join("master.key").exists());
    let printed = Running::start(dir.path(), &["master-key"], &[]).end();
    let env = [("HOOKWHEEL__STORE__MASTER_KEY", printed.output.trim())];
    let other = tempfile::tempdir().expect("a folder");
    assert!(Server::start(other.path(), &env).terminate().success());
}

#[test]
fn where_a_service_has_credentials_and_none_with_the_master_key_no_key_is_made() {
    let dir = tempfile::tempdir().expect("a folder");
    let credentials = dir.path().join("credentials");
    fs::create_dir(&credentials).expect("a folder");
    let env = [("CREDENTIALS_DIRECTORY", credentials.to_str().expect("a plain path"))];
    let (credential, own) = (credentials.join("hookwheel-master-key"), Server::data(dir.path()).join("master.key"));
    let refused = |why: &str| {
        let ended = Server::start_process(dir.path(), &env).end();
        assert!(!ended.status.success(), "{}", ended.output);
        for part in [credential.to_str().expect("a plain path"), why, "LoadCredential=", "store.master_key_file"] {
            assert!(ended.output.contains(part), "{part}: {}", ended.output);
        }
        assert!(!own.exists(), "no key is made");
    };
    refused("No such file");
    // It is there, and cannot be read, whoever asks.
    fs::create_dir(&credential).expect("a folder");
    refused("Is a directory");
    fs::remove_dir(&credential).expect("it is empty");

    let server = Server::start(dir.path(), &[]);
    let before = in_use(&mut server.client())["current"].clone();
    assert!(server.terminate().success());
    let server = Server::start(dir.path(), &env);
    assert_eq!(in_use(&mut server.client())["current"], before, "a key that the data directory has is taken");
    assert!(server.terminate().success());
}

/// Verifies an Ed25519 signature with what Node brings along: a public key as 32 bytes in base64, the message, and the
/// signature in base64.
const VERIFY: &str = r#"
const crypto = require("crypto");
const [key, message, signature] = process.argv.slice(1);
const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(key, "base64")]);
const publicKey = crypto.createPublicKey({ key: der, format: "der", type: "spki" });
console.log(crypto.verify(null, Buffer.from(message, "base64"), publicKey, Buffer.from(signature, "base64")));
"#;

fn node_verifies(public_key: &str, message: &[u8], signature: &str) -> bool {
    use base64::Engine;
    let key = public_key.strip_prefix("whpk_").expect("its prefix");
    let message = base64::prelude::BASE64_STANDARD.encode(message);
    let ran = Command::new("node").args(["-e", VERIFY, key, &message, signature]).output().expect("node runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).trim() == "true"
}

/// The body is what follows the second dot: JSON, which begins with a brace.
fn arrived_body_bytes(message: &[u8]) -> usize {
    message.len() - message.iter().position(|byte| *byte == b'{').expect("a body")
}

#[test]
fn a_key_pair_signs_what_node_verifies_also_beside_a_shared_secret() {
    let dir = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let server = Server::start(dir.path(), &[]);
    let mut client = server.client();
    let body = json!({"url": receiver.url("/"), "events": ["*"], "signing": "ed25519"});
    let made = client.post("/api/v1/webhooks", &body).data(201);
    let path = format!("/api/v1/webhooks/{}", made["id"].as_str().expect("an id"));
    let public_key = made["public_key"].as_str().expect("a public key").to_string();
    assert!(made["secret"].as_str().expect("shown once").starts_with("whsk_"));
    let shown = client.get(&path).data(200);
    assert_eq!((&shown["public_key"], shown.get("secret")), (&json!(public_key), None));

    let deliver = |client: &mut Client| {
        client.post("/api/v1/events", &json!({"type": "a.b", "data": {"n": 1}})).data(202);
        let arrived = receiver.next();
        let header = |name: &str| arrived.header(name).expect("a header").to_string();
        let signed = format!("{}.{}.", header("webhook-id"), header("webhook-timestamp"));
        let message = [signed.as_bytes(), &arrived.message.body].concat();
        (message, header("webhook-signature"))
    };
    let (message, signature) = deliver(&mut client);
    let pair = signature.strip_prefix("v1a,").expect("signed with a key pair");
    assert!(node_verifies(&public_key, &message, pair));
    assert!(!node_verifies(&public_key, &[&message[..], b" "].concat(), pair), "another message");

    let shared = whsec(MARKER);
    client.post(&format!("{path}/secret/rotate"), &json!({"secret": shared})).data(200);
    let (message, both) = deliver(&mut client);
    let (one, two) = both.split_once(' ').expect("both sign for a while");
    assert!(
        one.starts_with("v1,") && node_verifies(&public_key, &message, two.strip_prefix("v1a,").expect("the pair"))
    );
    let (head, body) = message.split_at(message.len() - arrived_body_bytes(&message));
    let head = String::from_utf8_lossy(head).into_owned();
    let (id, unix) = head.trim_end_matches('.').rsplit_once('.').expect("id and time");
    let saved = dir.path().join("body");
    fs::write(&saved, body).expect("written");
    for secret in [shared.as_str(), public_key.as_str()] {
        let headers =
            [format!("webhook-id: {id}"), format!("webhook-timestamp: {unix}"), format!("webhook-signature: {both}")];
        let mut arguments = vec!["verify", "--dialect", "standard", "--secret", secret];
        arguments.extend(["--body", saved.to_str().expect("a plain path")]);
        arguments.extend(headers.iter().flat_map(|header| ["-H", header.as_str()]));
        let ended = Running::start(dir.path(), &arguments, &[]).end();
        assert!(ended.status.success(), "{secret}: {}", ended.output);
    }

    let refused = json!({"url": receiver.url("/"), "events": ["*"], "signing": "ed25519", "dialect": "taskflow"});
    let refused = client.post("/api/v1/webhooks", &refused);
    assert_eq!((refused.status, &refused.json()["error"]["field"]), (400, &json!("signing")));
    let refused =
        client.post("/api/v1/webhooks", &json!({"url": receiver.url("/"), "events": ["*"], "secret": public_key}));
    assert_eq!((refused.status, &refused.json()["error"]["field"]), (400, &json!("secret")));
    assert!(server.terminate().success());
}

#[test]
fn a_key_pair_is_rotated_into_another_one_and_both_sign_for_a_while() {
    let dir = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let server = Server::start(dir.path(), &[]);
    let mut client = server.client();
    let body = json!({"url": receiver.url("/"), "events": ["*"], "signing": "ed25519"});
    let made = client.post("/api/v1/webhooks", &body).data(201);
    let path = format!("/api/v1/webhooks/{}/secret", made["id"].as_str().expect("an id"));
    let rotated = client.request("POST", &format!("{path}/rotate"), b"").data(200);
    assert!(rotated["secret"].as_str().is_some_and(|text| text.starts_with("whsk_")), "of the same kind: {rotated}");
    assert_ne!(rotated["public_key"], made["public_key"]);
    let previous = &rotated["previous"][0];
    assert_eq!((&previous["secret"], &previous["public_key"]), (&made["secret"], &made["public_key"]), "{rotated}");
    assert_eq!(client.get(&path).data(200), rotated);

    client.post("/api/v1/events", &json!({"type": "a.b", "data": {"n": 1}})).data(202);
    let arrived = receiver.next();
    let header = |name: &str| arrived.header(name).expect("a header");
    let signed = format!("{}.{}.", header("webhook-id"), header("webhook-timestamp"));
    let message = [signed.as_bytes(), &arrived.message.body].concat();
    let signatures: Vec<&str> = header("webhook-signature").split(' ').collect();
    assert_eq!(signatures.len(), 2, "{signatures:?}");
    for (signature, key) in signatures.iter().zip([&rotated["public_key"], &made["public_key"]]) {
        let signature = signature.strip_prefix("v1a,").expect("signed with a key pair");
        assert!(node_verifies(key.as_str().expect("a public key"), &message, signature), "{key}");
    }

    // A secret that both sides share is asked for, and then stays of its kind.
    for body in [json!({"signing": "hmac"}), json!({})] {
        let shared = client.post(&format!("{path}/rotate"), &body).data(200);
        assert!(shared["secret"].as_str().is_some_and(|text| text.starts_with("whsec_")), "{shared}");
        assert_eq!(shared["public_key"], Value::Null);
    }
    let previous = client.get(&path).data(200)["previous"].as_array().expect("a list").clone();
    let keys: Vec<_> = previous.iter().map(|one| one.get("public_key")).collect();
    assert_eq!(keys, [None, Some(&rotated["public_key"]), Some(&made["public_key"])]);
    assert!(server.terminate().success());
}
