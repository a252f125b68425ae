//! The documentation that dialects write of themselves, held against what is sent: every fact of every document is
//! checked over real sockets, every command that it prints is run, and its code verifies real requests.

mod document;
mod languages;
mod pages;
mod requests;
#[path = "../support/mod.rs"]
mod support;
mod wire;

use std::fs;
use std::sync::Arc;

use document::Markdown;
use hookwheel::dialect::{Dialect, Dialects};
use serde_json::{Value, json};
use support::process::KEY;
use support::{Client, Server};

/// Dialects that are like no product's, in the directory of the server's own.
const OWN: [(&str, &str); 3] = [
    ("evil", include_str!("dialects/evil.toml")),
    ("timed", include_str!("dialects/timed.toml")),
    ("plain", include_str!("dialects/plain.toml")),
];
/// What is published of where requests come from.
const EGRESS: &str = "203.0.113.0/24";

/// One server for all dialects.
struct Scene {
    dir: tempfile::TempDir,
    server: Server,
    client: Client,
}

impl Scene {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir(dir.path().join("dialects")).expect("made");
        for (name, text) in OWN {
            fs::write(dir.path().join(format!("dialects/{name}.toml")), text).expect("written");
        }
        fs::write(dir.path().join("config.toml"), format!("[deliver]\negress = [\"{EGRESS}\"]\n")).expect("written");
        // The examples name hosts that are not there, which is found out sooner.
        let server = Server::start(
            dir.path(),
            &[("HOOKWHEEL__DELIVER__CONNECT_SECONDS", "1"), ("HOOKWHEEL__SERVER__TRUSTED_PROXIES", "127.0.0.0/8")],
        );
        let client = server.client();
        Self { dir, server, client }
    }

    /// All dialects, as the API tells of them.
    fn dialects(&mut self) -> Vec<Value> {
        let rows = self.client.get("/api/v1/dialects").data(200);
        let names: Vec<&str> = rows.as_array().expect("a list").iter().filter_map(|row| row["name"].as_str()).collect();
        assert!(
            ["standard", "taskflow", "evil", "timed", "plain"].iter().all(|name| names.contains(name)),
            "{names:?}"
        );
        names.into_iter().map(|name| self.client.get(&format!("/api/v1/dialects/{name}")).data(200)).collect()
    }

    /// An account that speaks a dialect, and a client of its own.
    fn account(&mut self, dialect: &str) -> (String, Client) {
        let account = self.client.post("/api/v1/accounts", &json!({"name": dialect, "dialect": dialect})).data(201);
        let path = format!("/api/v1/accounts/{}/keys", account["id"].as_str().expect("an id"));
        let key = self.client.post(&path, &json!({"scopes": ["read", "manage", "publish"]})).data(201);
        let key = key["key"].as_str().expect("a key").to_owned();
        let client = Client::new(self.server.address, &key);
        (key, client)
    }

    /// A dialect, as the server has it too.
    fn dialect(&self, name: &str) -> Arc<Dialect> {
        let dialects = Dialects::load(Some(&self.dir.path().join("dialects"))).expect("the server took them too");
        dialects.get(name).expect("it is there").clone()
    }

    /// A page, asked for without a key.
    fn page(&self, path: &str) -> String {
        let reply = Client::new(self.server.address, "no-key-at-all").get(path);
        assert_eq!(reply.status, 200, "{path}");
        String::from_utf8(reply.message.body).expect("UTF-8")
    }

    fn markdown(&self, dialect: &str) -> Markdown {
        Markdown::read(&self.page(&format!("/docs/webhooks/{dialect}?format=markdown")))
    }
}

fn name(dialect: &Value) -> &str {
    dialect["name"].as_str().expect("a name")
}

#[test]
fn every_fact_of_a_document_is_what_is_sent() {
    let mut scene = Scene::start();
    for dialect in scene.dialects() {
        let markdown = scene.markdown(name(&dialect));
        wire::numbers(&markdown, &dialect);
        wire::requests(&mut scene, &markdown, &dialect);
        wire::retries(&mut scene, &markdown, &dialect);
        wire::limit_of_webhooks(&mut scene, &markdown, &dialect);
    }
}

#[test]
fn a_contract_that_signs_nothing_asks_nobody_to_verify() {
    let scene = Scene::start();
    let texts = |dialect: &str| scene.page(&format!("/docs/webhooks/{dialect}?format=markdown")).to_lowercase();
    let plain = texts("plain");
    for word in [
        "verif",
        "answers 401",
        "answer is 401",
        "\"status_code\": 401",
        "--secret",
        "keep its secret",
        "keep the secret",
    ] {
        assert_eq!(plain.lines().find(|line| line.contains(word)), None, "{word}");
    }
    assert!(plain.contains("requests are not signed"));
    assert!(texts("timed").contains("verify"), "who signs does");
}

#[test]
fn every_printed_command_works_as_it_is_printed() {
    let mut scene = Scene::start();
    for dialect in scene.dialects() {
        let markdown = scene.markdown(name(&dialect));
        wire::commands(&mut scene, &markdown, &dialect);
    }
}

#[test]
fn documented_code_takes_what_is_genuine_and_nothing_else() {
    let mut scene = Scene::start();
    let dialects = scene.dialects();
    let signing = dialects.iter().map(name).filter(|name| *name != "plain");
    let documents: Vec<(String, Markdown)> = signing.map(|name| (name.to_owned(), scene.markdown(name))).collect();
    let cases = requests::cases(&mut scene, &documents);
    let dir = scene.dir.path().join("code");
    fs::create_dir(&dir).expect("made");
    fs::write(dir.join("cases.json"), json!(cases).to_string()).expect("written");
    let wrong: Vec<String> =
        languages::ALL.iter().flat_map(|language| language.wrong(&dir, &documents, &cases)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_page_is_sent_again_only_if_it_has_changed() {
    let scene = Scene::start();
    let ask = |path: &str, more: &str| {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: h\r\nX-Forwarded-Host: docs.example:8443\r\nX-Forwarded-Proto: https\r\n{more}"
        );
        document::ask(scene.server.address, &request)
    };
    let first = ask("/docs/webhooks/taskflow", "");
    let page = String::from_utf8_lossy(&first.body);
    assert!(first.start.contains(" 200 "), "{}", first.start);
    assert_eq!(first.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(first.header("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'none'")));
    assert!(page.contains("https://docs.example:8443/v2/webhooks"), "the address is the one that was asked at");
    assert!(scene.page("/docs/webhooks/taskflow?format=markdown").contains(EGRESS));
    let tag = first.header("etag").expect("a tag");
    let again = ask("/docs/webhooks/taskflow", &format!("If-None-Match: W/\"x\", {tag}\r\n"));
    assert!(again.start.contains(" 304 ") && again.body.is_empty(), "{}", again.start);
    let other = ask("/docs/webhooks/standard", &format!("If-None-Match: {tag}\r\n"));
    assert!(other.start.contains(" 200 "), "{}", other.start);
    assert!(ask("/docs/webhooks/nothing", "").start.contains(" 404 "));
    assert!(ask("/docs/webhooks/taskflow?format=pdf", "").start.contains(" 400 "));
    assert!(first.header("content-security-policy").is_some_and(|policy| policy.contains("frame-ancestors 'none'")));
    assert_eq!(first.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(first.header("cache-control"), Some("public, no-cache"));
    // What is no host gets into no page and into no command to copy, nor does one that only a client has named.
    let here = format!("http://{}/v2/webhooks", scene.server.address);
    for told in [
        "Host: a\"><b>",
        "Host: a;id",
        "Host: evil.example",
        "Host: evil.example\r\nX-Forwarded-Proto: https",
        "Host: docs.example\r\nX-Forwarded-Host: $(id)",
        "Host: docs.example\r\nX-Forwarded-Host: a`id`:80",
        "Host: docs.example\r\nForwarded: host=\"a b|id\"",
        "Host: docs.example\r\nX-Forwarded-Proto: http://evil.example/?",
    ] {
        let request = format!("GET /docs/webhooks/taskflow HTTP/1.1\r\n{told}\r\n");
        let reply = document::ask(scene.server.address, &request);
        let page = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(page.contains(&here) && !page.contains("evil.example"), "{told}");
        for part in ["\"><b>", "a;id", "$(id)", "a`id`", "b|id"] {
            assert!(!page.contains(part), "{told}");
        }
    }
}

#[test]
fn the_api_tells_what_a_dialect_is_and_what_events_there_are() {
    let mut scene = Scene::start();
    let taskflow = scene.client.get("/api/v1/dialects/taskflow").data(200);
    assert_eq!(taskflow["base"], "/v2/webhooks");
    assert_eq!((&taskflow["timeout_seconds"], &taskflow["egress"]), (&json!(5), &json!([EGRESS])));
    assert_eq!(taskflow["retry"], json!({"delays": [5, 30, 300, 3600, 21600], "jitter_percent": 10}));
    assert_eq!(taskflow["limits"]["webhooks_per_account"], 10);
    assert!(taskflow["signature"].as_str().expect("words").contains("HMAC-SHA256 of the raw body"));
    assert!(
        taskflow["headers"]
            .as_array()
            .expect("a list")
            .contains(&json!({"name": "X-TaskFlow-Signature", "value": "sha256={signature}"}))
    );
    assert_eq!(scene.client.get("/api/v1/dialects/nothing").status, 404);

    let types = scene.client.get("/api/v1/event-types?dialect=evil").data(200);
    let made = &types[0];
    assert_eq!((&types[1], &made["type"]), (&Value::Null, &json!("thing.made")));
    assert_eq!(made["sample"]["quote"], "it's \"fine\" & <ok>");
    assert_eq!(made["schema"]["properties"]["n"], json!({"type": "number"}));
    let own = scene.client.get("/api/v1/event-types").data(200);
    assert_eq!(own, scene.client.get("/api/v1/event-types?dialect=standard").data(200), "the account's");
    assert_eq!(scene.client.get("/api/v1/event-types?dialect=nothing").status, 400);
    assert_eq!(Client::new(scene.server.address, "no-key-at-all").get("/api/v1/dialects").status, 401);
    assert_ne!(KEY, "no-key-at-all");
}
