//! The binary as a person meets it: its subcommands as processes, their output and their exit codes.

mod support;

use std::path::Path;
use std::sync::{Mutex, mpsc};

use rustix::process::Signal;
use serde_json::json;
use support::{Answer, DEADLINE, Receiver, Server};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Starts a server that is to fail and gives what it says.
fn refused(dir: &Path, env: &[(&str, &str)]) -> String {
    let ended = Server::start_process(dir, env).end();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.output);
    ended.output
}

#[test]
fn a_wrong_configuration_is_refused_and_named() {
    let dir = folder();
    let output = refused(dir.path(), &[("HOOKWHEEL__SERVER__LISTNE", "127.0.0.1:0")]);
    assert!(output.contains("unknown key `HOOKWHEEL__SERVER__LISTNE`"), "{output}");
    assert!(output.contains("did you mean `HOOKWHEEL__SERVER__LISTEN`?"), "{output}");
    std::fs::write(dir.path().join("config.toml"), "[deliver]\nin_flight_max = 0\n").expect("written");
    let output = refused(dir.path(), &[]);
    assert!(output.contains("`deliver.in_flight_max` must be a whole number from 1"), "{output}");
    assert!(!Server::data(dir.path()).exists(), "nothing is made before the configuration is known to be right");
}

#[test]
fn a_data_directory_has_one_process_at_a_time() {
    let dir = folder();
    let first = Server::start(dir.path(), &[]);
    let output = refused(dir.path(), &[]);
    assert!(output.contains("another process"), "{output}");
    assert_eq!(first.client().get("/health/ready").status, 200, "the first one goes on");
    first.kill();
    assert!(Server::start(dir.path(), &[]).terminate().success(), "a killed process leaves no lock behind");
}

#[test]
fn a_data_directory_of_a_newer_version_is_refused() {
    let dir = folder();
    Server::start(dir.path(), &[]).terminate();
    let db = sled::Config::new().path(Server::data(dir.path())).segment_size(4 << 20).open().expect("nobody has it");
    db.open_tree("meta").and_then(|meta| meta.insert("format", &999u32.to_be_bytes())).expect("written");
    drop(db);
    let output = refused(dir.path(), &[]);
    assert!(output.contains("has format 999") && output.contains("use the newer hookwheel"), "{output}");
}

#[test]
fn a_stop_finishes_what_is_in_flight() {
    let dir = folder();
    let (came, arrived) = mpsc::channel();
    let (go, held) = mpsc::channel::<()>();
    let (came, held) = (Mutex::new(came), Mutex::new(held));
    let receiver = Receiver::start(move |_, _| {
        came.lock().expect("not poisoned").send(()).expect("the test waits for it");
        // An error says that the test has let go.
        let _ = held.lock().expect("not poisoned").recv_timeout(DEADLINE);
        Answer::Status(200)
    });
    let mut server = Server::start(dir.path(), &[("HOOKWHEEL__LOG__LEVEL", "info")]);
    let mut client = server.client();
    client.post("/api/v1/webhooks", &json!({"url": receiver.url("/hook"), "events": ["*"]})).data(201);
    client.post("/api/v1/events", &json!({"type": "task.created", "data": {}, "id": "e1"})).data(202);
    arrived.recv_timeout(DEADLINE).expect("the attempt is made");
    server.process.signal(Signal::TERM);
    server.process.line("stopping");
    drop(go);
    assert!(server.process.end().status.success());
    assert_eq!(receiver.next().header("webhook-id"), Some("e1"));

    let server = Server::start(dir.path(), &[]);
    let event = server.client().get("/api/v1/events/e1").data(200);
    let delivery = &event["deliveries"][0];
    assert_eq!((&delivery["state"], &delivery["attempts"]), (&json!("succeeded"), &json!(1)), "{event}");
}
