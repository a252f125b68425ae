//! The live page, and the stream that it reads.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::here::Here;
use crate::support::Client;
use crate::support::lines::{self, Lines, until};
use crate::support::process::KEY;

const LIVE: &str = "/dashboard/@default/live";

/// The stream that the page's script reads, in the browser's session.
fn open(here: &Here, browser: &Browser, query: &str) -> Lines {
    let cookies: Vec<String> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut stream =
        lines::open(here.address, &format!("{LIVE}/stream{query}"), &format!("Cookie: {}", cookies.join("; ")));
    until(&mut stream, "retry: ");
    stream
}

#[test]
fn without_scripts_it_shows_what_happened_last_and_with_them_what_to_read() {
    let mut here = Here::start();
    let mut browser = here.first();
    let empty = browser.get(LIVE);
    assert!(empty.status == 200 && empty.text.contains("Nothing has happened yet"), "{}", empty.text);
    for (name, event_type) in [("alpha-1", "order.paid"), ("beta-1", "task.done")] {
        here.client.post("/api/v1/events", &json!({"type": event_type, "id": name, "data": 1})).data(202);
    }
    let page = browser.get(&format!("{LIVE}?event_type=task.*"));
    assert!(page.text.contains("beta-1") && !page.text.contains("alpha-1"), "{}", page.text);
    assert!(page.text.contains("<noscript>") && page.text.contains("live/stream?event_type=task.%2A"), "{}", page.text);
    let wrong = browser.get(&format!("{LIVE}?status_code=5"));
    assert!(wrong.status == 400 && wrong.text.contains("role=\"alert\""), "{}", wrong.text);
    let since = page.between("since=", "\"").to_owned();
    here.client.post("/api/v1/events", &json!({"type": "task.done", "id": "gamma-1", "data": 1})).data(202);
    let told = browser.get(&format!("{LIVE}/stream?follow=false&since={since}"));
    assert!(
        told.text.contains("gamma-1") && !told.text.contains("event: gap"),
        "nothing is missed between: {}",
        told.text
    );
    assert!(!told.text.contains("beta-1"), "what was there is not told again: {}", told.text);
    let script = page.between("src=\"/dashboard/assets/live-", "\"").to_owned();
    assert_eq!(browser.get(&format!("/dashboard/assets/live-{script}")).status, 200);
    here.stop();
}

#[test]
fn its_stream_tells_what_happens_until_the_session_ends() {
    let mut here = Here::start();
    let mut browser = here.first();
    let mut stream = open(&here, &browser, "?kind=event");
    here.client.post("/api/v1/events", &json!({"type": "task.done", "id": "told", "data": 1})).data(202);
    let data: Value = serde_json::from_str(&until(&mut stream, "data: ")["data: ".len()..]).expect("JSON");
    assert_eq!(data["id"], "told");
    browser.submit("/dashboard/you", "/dashboard/log-out", &[]);
    // What happens next wakes it, and it looks whether it may still be read.
    here.client.post("/api/v1/events", &json!({"type": "task.done", "data": 1})).data(202);
    assert!(until(&mut stream, ": ").contains("let in"));
    let mut stranger = Browser::new(here.address);
    assert_ne!(stranger.get(&format!("{LIVE}/stream?follow=false")).status, 200);
    here.stop();
}

#[test]
fn nobody_watches_another_account() {
    let mut here = Here::start();
    here.client.post("/api/v1/accounts", &json!({"id": "acme", "name": "Acme"})).data(201);
    let (mut user, _) = here.user("acme", "ada@example.com", "owner");
    assert_eq!(user.get("/dashboard/@acme/live/stream?follow=false").status, 200);
    assert_eq!(user.get("/dashboard/@default/live/stream?follow=false").status, 404);
    here.stop();
}

#[test]
fn the_servers_own_people_watch_all_accounts_and_nobody_else_does() {
    const ALL: &str = "/dashboard/server/live";
    let mut here = Here::start();
    let mut operator = here.first();
    here.client.post("/api/v1/accounts", &json!({"id": "acme", "name": "Acme"})).data(201);
    let (mut looks_on, _) = here.user("operator", "eve@example.com", "viewer");
    let (mut owner, _) = here.user("acme", "ada@example.com", "owner");
    let page = operator.get(ALL);
    assert!(page.status == 200 && page.text.contains("data-in=\"all\""), "{}", page.text);
    let since = page.between("since=", "\"").to_owned();
    let mut acme = Client::new(here.address, KEY).acting_for("acme");
    acme.post("/api/v1/events", &json!({"type": "task.done", "id": "theirs", "data": 1})).data(202);
    here.client.post("/api/v1/events", &json!({"type": "task.done", "id": "ours", "data": 1})).data(202);
    let stream = format!("{ALL}/stream?follow=false&since={since}");
    for browser in [&mut operator, &mut looks_on] {
        let told = browser.get(&stream);
        assert!(told.text.contains("\"account\":\"acme\"") && told.text.contains("\"ours\""), "{}", told.text);
    }
    assert_eq!((owner.get(ALL).status, owner.get(&stream).status), (403, 403));
    here.stop();
}
