//! The clients. Those for Python and TypeScript as people install them: `scripts/clients` makes each from the document of this
//! very server and puts the package that comes of it through a day of use. The one for Rust as it is in the library.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use hookwheel::api;
use hookwheel::client::{Client, Error, verbs};
use serde_json::{Value, json};
use support::{Answer, DEADLINE, Receiver, Server, prepared, say};

/// Less would be no day of use.
const TESTS_MIN: u32 = 15;

#[test]
fn the_client_for_python_lives_through_a_day() {
    live_through_a_day("python", "Ran ");
}

#[test]
fn the_client_for_typescript_lives_through_a_day() {
    live_through_a_day("typescript", "# pass ");
}

/// Makes a client and runs its tests. How many ran stands in the line that starts with `counted`.
fn live_through_a_day(language: &str, counted: &str) {
    let parts = ["clients-python/bin/python", "clients-node/node_modules"];
    let Some(env) = prepared(&format!("the client for {language}"), &parts) else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let document = dir.path().join("openapi.json");
    fs::write(&document, api::document().to_string()).expect("it can be written");
    let server = Server::start(dir.path(), &[]);
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/clients"));
    command.args(["--test", language, "--document"]).arg(&document).arg("--to").arg(dir.path().join("made"));
    command.env("HOOKWHEEL_TEST_ENV", env).env("HOOKWHEEL_URL", server.url("")).env("HOOKWHEEL_KEY", server.key);
    let ended = command.output().expect("it can be started");
    let output = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{output}\n{}", String::from_utf8_lossy(&ended.stderr));
    let ran = output.lines().find_map(|line| line.strip_prefix(counted)?.split(' ').next()?.parse::<u32>().ok());
    say(&format!("{language}: {ran:?} tests"));
    assert!(ran.is_some_and(|ran| ran >= TESTS_MIN), "{output}");
    assert!(server.terminate().success());
}

#[test]
fn the_client_for_rust_has_every_operation() {
    let document = api::document();
    let mut described = BTreeSet::new();
    for (path, item) in
        document["paths"].as_object().expect("paths").iter().filter(|(path, _)| path.starts_with("/api/"))
    {
        for (method, operation) in item.as_object().expect("methods") {
            let id = operation["operationId"].as_str().expect("an id");
            described.insert((id.to_owned(), method.to_uppercase(), path.clone()));
        }
    }
    let mut known: BTreeSet<_> =
        verbs::OPERATIONS.iter().map(|(id, method, path)| ((*id).into(), (*method).into(), (*path).into())).collect();
    // One is written by hand, and the others give no JSON: whoever wants them reads them as they come.
    known.insert(("events.publish".into(), "POST".into(), "/api/v1/events".into()));
    known.insert(("accounts.export".into(), "GET".into(), "/api/v1/accounts/{id}/export".into()));
    known.insert(("server.backup.get".into(), "GET".into(), "/api/v1/backup".into()));
    known.insert(("stream.follow".into(), "GET".into(), "/api/v1/stream".into()));
    let missing: Vec<_> = described.symmetric_difference(&known).collect();
    assert!(missing.is_empty(), "src/client/verbs.rs and the document differ in {missing:#?}");
}

#[test]
fn the_client_for_rust_lives_through_a_day() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let receiver = Receiver::start(|_, _| Answer::Status(500));
    let admin = Client::new(&server.url(""), Some(server.key)).expect("an address");
    actix_rt::System::new().block_on(async {
        let account = admin.accounts().create(&json!({"id": "day", "name": "A day"})).await.expect("an account");
        assert_eq!(account["id"], "day");
        let scopes = json!({"scopes": ["publish", "manage", "read"]});
        let made = admin.accounts_keys().create("day", &scopes).await.expect("a key");
        let client = Client::new(&server.url("/"), made["key"].as_str()).expect("an address");
        a_day(&client, &receiver.url("/")).await;
        let Err(error) = client.accounts().list(&[]).next().await else { panic!("the operator's") };
        assert!(
            matches!(&error, Error::Refused { status, code, .. } if *status == 403 && code == "forbidden"),
            "{error}"
        );
        let acting = admin.acting_for("day");
        assert_eq!(rows(acting.events().list(&[("type", "task.*")])).await.len(), 7);
    });
    assert!(Client::new("127.0.0.1:7080", None).is_err());
    assert!(server.terminate().success());
}

async fn a_day(client: &Client, endpoint: &str) {
    let fields = json!({"url": endpoint, "events": ["*"], "max_retries": 0});
    let webhook = text(&client.webhooks().create(&fields).await.expect("a webhook"), "id");
    let receipt = client.events().publish("task.created", &json!({"n": 1})).await.expect("accepted");
    let batch: Vec<Value> = (0..6).map(|n| json!({"type": "task.done", "data": n})).collect();
    let receipts = client.events().publish_all(&batch.into()).await.expect("accepted");
    assert_eq!(receipts.as_array().map(Vec::len), Some(6));
    // Two rows a page.
    let listed = rows(client.events().list(&[("limit", "2")])).await;
    assert_eq!(listed.len(), 7);
    assert_eq!(listed[6]["id"], receipt["id"]);
    let begun = Instant::now();
    while rows(client.dead_letters().list(&[("webhook", &webhook)])).await.len() < 7 {
        assert!(begun.elapsed() < DEADLINE);
    }
    let job = client.dead_letters().discard(&json!({"webhook": webhook})).await.expect("a job");
    while client.jobs().get(&text(&job, "id")).await.expect("it is there")["state"] == "running" {
        assert!(begun.elapsed() < DEADLINE);
    }
    assert!(rows(client.dead_letters().list(&[])).await.is_empty());
    let mut said: Value =
        (0..2).map(|n| json!({"url": endpoint, "events": ["none"], "uid": format!("many-{n}")})).collect();
    let put = client.webhooks_bulk().put(&said, &[]).await.expect("made");
    assert_eq!((&put[0]["status"], &put[1]["status"]), (&json!(201), &json!(201)));
    said[1]["url"] = json!("no url");
    let put = client.webhooks_bulk().put(&said, &[("mode", "each")]).await.expect("one of them");
    assert_eq!((&put[0]["status"], &put[1]["status"]), (&json!(200), &json!(400)));
    let gone = client.webhooks_bulk().delete(&json!({"ids": ["many-0", "many-1"]})).await.expect("a job");
    assert_eq!(gone["ids"], 2);
    let event = text(&receipt, "id");
    let replay = async |key| client.events().replay(&event, &json!({}), key).await.expect("a job")["id"].clone();
    let once = replay(Some("again")).await;
    assert_eq!(replay(Some("again")).await, once);
    assert_ne!(replay(None).await, once, "a key of its own");
    let renamed = client.webhooks().change(&webhook, &json!({"name": "Mine"})).await.expect("changed");
    assert_eq!(renamed["name"], "Mine");
    assert_eq!(client.webhooks().delete(&webhook).await.expect("deleted"), Value::Null);
    let gone = client.webhooks().get(&webhook).await;
    assert!(matches!(gone, Err(Error::Refused { status, .. }) if status == 404), "{gone:?}");
}

async fn rows(mut pages: hookwheel::client::Pages<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    while let Some(row) = pages.next().await.expect("a page") {
        all.push(row);
    }
    all
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().expect("a text").to_owned()
}
