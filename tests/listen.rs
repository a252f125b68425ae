//! `hookwheel listen`: deliveries for a machine that nobody can reach, through a restart of the server, and what is left of it.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use support::process::KEY;
use support::{Answer, Client, Receiver, Running, Server};

fn listen(dir: &std::path::Path, server: &str, arguments: &[&str]) -> Running {
    let all = [&["--url", server, "--key", KEY, "listen"], arguments].concat();
    Running::start(dir, &all, &[])
}

fn publish(client: &mut Client, name: &str) {
    client.post("/api/v1/events", &json!({"type": "task.created", "id": name, "data": {"name": name}})).data(202);
}

fn webhooks(client: &mut Client) -> usize {
    client.get("/api/v1/webhooks").data(200).as_array().expect("webhooks").len()
}

#[test]
fn a_delivery_reaches_the_local_url_as_it_would_have_been_sent_and_its_answer_is_the_attempts() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let asked = AtomicUsize::new(0);
    let local = Receiver::start(move |_, _| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::Status(503),
        _ => Answer::Status(200),
    });
    let arguments = ["--forward", &local.url("/hook"), "--events", "task.*", "--count", "1"];
    let mut listening = listen(dir.path(), &server.url(""), &arguments);
    listening.line("listening for task.*");
    let mut client = server.client();
    client.post("/api/v1/events", &json!({"type": "other", "data": {}})).data(202);
    publish(&mut client, "one");
    let (refused, taken) = (local.next(), local.next());
    assert_eq!(refused.message.start, "POST /hook HTTP/1.1");
    assert_eq!((refused.header("webhook-id"), taken.header("webhook-id")), (Some("one"), Some("one")));
    let ended = listening.end();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.output);
    assert_eq!(ended.output.matches("signature valid").count(), 2, "{}", ended.output);
    let event = client.get("/api/v1/events/one").data(200);
    let delivery = &event["deliveries"][0];
    assert_eq!(delivery["state"], "succeeded", "{event}");
    let shown = client.get(&format!("/api/v1/deliveries/{}", delivery["id"].as_str().expect("an id"))).data(200);
    let statuses: Vec<_> =
        shown["attempts"].as_array().expect("attempts").iter().map(|one| &one["status_code"]).collect();
    assert_eq!(statuses, [503, 200], "what the local URL answered: {shown}");
    assert_eq!(webhooks(&mut client), 0, "it was made for this alone");
    assert!(server.terminate().success());
}

#[test]
fn it_goes_on_after_a_restart_of_the_server_and_takes_its_webhook_away() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let address = server.address.to_string();
    let mut listening = listen(dir.path(), &server.url(""), &["--quiet"]);
    listening.line("listening for *");
    publish(&mut server.client(), "before");
    listening.line("signature valid");
    assert!(server.terminate().success());
    listening.line("trying again until it is there");

    let server = Server::start(dir.path(), &[("HOOKWHEEL__SERVER__LISTEN", &address)]);
    publish(&mut server.client(), "after");
    listening.line("the server is there again");
    listening.line("signature valid");
    let ended = listening.terminate();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.output);
    assert_eq!(webhooks(&mut server.client()), 0);
    assert!(server.terminate().success());
}

#[test]
fn what_a_killed_run_left_goes_with_the_next_and_what_another_uses_stays() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let mut client = server.client();
    client.post("/api/v1/webhooks", &json!({"mode": "pull", "events": ["*"], "tags": ["hookwheel-listen"]})).data(201);
    let mut killed = listen(dir.path(), &server.url(""), &["--quiet"]);
    killed.line("listening for *");
    killed.child.kill().expect("it runs");
    killed.child.wait().expect("it ends");
    assert_eq!(webhooks(&mut client), 2, "nobody took it away");
    let mut next = listen(dir.path(), &server.url(""), &["--quiet"]);
    next.line("taken away: 1");
    next.line("listening for *");
    let mut other = listen(dir.path(), &server.url(""), &["--quiet"]);
    other.line("listening for *");
    assert_eq!(webhooks(&mut client), 3, "both listen, and what no run has marked is nobody's here");
    for running in [next, other] {
        let ended = running.terminate();
        assert_eq!(ended.status.code(), Some(0), "{}", ended.output);
    }
    assert_eq!(webhooks(&mut client), 1);
    assert!(server.terminate().success());
}

#[test]
fn it_ends_while_the_server_is_away_and_says_what_stays() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let mut listening = listen(dir.path(), &server.url(""), &["--quiet"]);
    listening.line("listening for *");
    drop(server);
    listening.line("trying again until it is there");
    let ended = listening.terminate();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.output);
    assert!(ended.output.contains("stays, the next `hookwheel listen`"), "{}", ended.output);
    let nobody = listen(dir.path(), "http://127.0.0.1:1", &["--quiet"]).end();
    assert_eq!((nobody.status.code(), nobody.output.lines().count()), (Some(3), 1), "{}", nobody.output);
}

#[test]
fn for_development_it_brings_a_server_of_its_own() {
    let dir = tempfile::tempdir().expect("a directory");
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let url = format!("http://127.0.0.1:{port}");
    let mut listening = listen(dir.path(), &url, &["--dev", "--quiet", "--count", "1"]);
    let line = listening.line("send task.created");
    let key = line.split_whitespace().skip_while(|word| *word != "--key").nth(1).expect("a key").to_owned();
    let sent = Running::start(dir.path(), &["--url", &url, "--key", &key, "send", "task.created"], &[]).end();
    assert_eq!(sent.status.code(), Some(0), "{}", sent.output);
    let ended = listening.end();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.output);
    std::net::TcpStream::connect(("127.0.0.1", port)).expect_err("it has gone");
}

#[test]
fn one_command_shows_a_delivery() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let ended = listen(dir.path(), &server.url(""), &["--send", "task.created", "--count", "1"]).end();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.output);
    for part in ["signature valid", "webhook-signature: v1,", r#""type": "task.created""#] {
        assert!(ended.output.contains(part), "no {part:?} in\n{}", ended.output);
    }
    let refused = listen(dir.path(), &server.url(""), &["--events", "a b"]).end();
    assert_eq!(refused.status.code(), Some(1), "{}", refused.output);
    assert!(refused.output.contains("events[0]"), "{}", refused.output);
    let local = "http://127.0.0.1:1/";
    let mut unheard = listen(dir.path(), &server.url(""), &["--send", "task.created", "--forward", local, "--quiet"]);
    unheard.line("no answer: ");
    unheard.terminate();
    let mut client = server.client();
    let deliveries = client.get("/api/v1/deliveries").data(200);
    let gone = deliveries.as_array().expect("deliveries").iter().all(|delivery| delivery["state"] != "pending");
    assert!(gone, "{deliveries}");
    assert!(server.terminate().success());
}
