//! What goes on: the live stream, replays and their jobs, and what is to be seen at a glance.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::support::{Answer, DEADLINE, Receiver, Running, Server};
use super::{Place, text};

#[test]
fn a_tail_tells_what_happens_and_goes_on_after_a_restart() {
    let mut place = Place::new(200);
    place.webhook();
    let mut tail = place.start(&["tail", "--json", "--kind", "event"]);
    tail.line("following");
    let first = place.tool(&["send", "task.created"]).done();
    let line = tail.line("\"kind\":\"event\"");
    let message: Value = serde_json::from_str(&line).expect("one object a line");
    assert_eq!(message["data"]["id"], json!(first.trim()));

    // The same place again, under the same address.
    let address = place.server.address.to_string();
    let dir = place.dir.path().to_owned();
    place.server.process.signal(Signal::KILL);
    place.server.process.child.wait().expect("it can be waited for");
    place.server = Server::start(&dir, &[("HOOKWHEEL__SERVER__LISTEN", &address)]);
    let second = place.tool(&["send", "task.created"]).done();
    let line = tail.line(second.trim());
    assert!(line.starts_with("{\"kind\":\"event\""), "{line}");
    tail.signal(Signal::INT);

    // From a message that was seen, and to what has happened by now.
    let after = text(&message, "id");
    let told = place.tool(&["tail", "--json", "--no-follow", "--kind", "event", "--after", &after]).objects();
    assert_eq!(told.last().expect("the second")["data"]["id"], json!(second.trim()));
    let watch = hookwheel::clock::Stopwatch::start();
    while place.tool(&["deliveries", "list", "--state", "succeeded", "--json"]).objects().len() < 2 {
        assert!(watch.elapsed() < DEADLINE, "they do not succeed");
    }
    let plain = place.tool(&["tail", "--no-follow", "--after", &after]).done();
    assert!(plain.contains("task.created") && plain.contains("succeeded") && !plain.contains('\u{1b}'), "{plain}");
}

#[test]
fn a_replay_counts_first_and_makes_them_anew() {
    let place = Place::new(500);
    let webhook = place.webhook();
    place.dead_letters(3);
    let dry = place.tool(&["replay", "--webhook", &webhook, "--dry-run"]).done();
    assert_eq!(dry, "3 would be delivered again\n");
    let unasked = place.tool(&["replay", "--webhook", &webhook]);
    assert!(unasked.code == Some(2) && unasked.err.contains("Deliver 3 again?"), "{unasked:?}");
    let job = place.tool(&["replay", "--webhook", &webhook, "--yes", "--json"]).object();
    assert_eq!((&job["state"], &job["done"]), (&json!("done"), &json!(3)), "{job}");
    let letters = place.tool(&["deliveries", "list", "--cause", "replay", "--json"]).objects();
    assert_eq!(letters.len(), 3);
    let one = text(&letters[0], "id");
    assert!(place.tool(&["replay", &one]).done().starts_with(&format!("{one} goes out again as ")));
    let event = text(&letters[0], "event_id");
    let job = place.tool(&["replay", "--event", &event, "--yes", "--json"]).object();
    assert_eq!(job["done"], 1, "{job}");
    let none = place.tool(&["replay", "--webhook", &webhook, "--state", "missing", "--yes"]);
    assert!(none.code == Some(1) && none.err.contains("nothing to deliver again"), "{none:?}");
}

#[test]
fn a_job_that_somebody_stopped_is_no_success() {
    let dir = tempfile::tempdir().expect("a directory");
    let job = r#"{"data":{"id":"j1","kind":"replay","state":"cancelled","done":1,"skipped":0,"count":9}}"#;
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", job.len());
    let reply: &'static [u8] = Box::leak((head + job).into_bytes().into_boxed_slice());
    let server = Receiver::start(move |_, _| Answer::Bytes(reply));
    let there = ["--yes", "--url", &server.url(""), "--key", "k"];
    for command in [&["replay", "--webhook", "w1"][..], &["dead-letters", "discard", "--all"]] {
        let ended = super::run(dir.path(), &[command, &there].concat(), &[], None);
        assert!(ended.code == Some(1) && ended.err.contains("was stopped before its end"), "{command:?}: {ended:?}");
        assert!(ended.out.contains("cancelled"), "how far it was is told: {ended:?}");
    }
}

/// A server whose jobs never end. It tells when it is asked after one.
fn never_done() -> (Receiver, mpsc::Receiver<()>) {
    let (tell, asked) = mpsc::channel();
    let tell = std::sync::Mutex::new(tell);
    let looks = Arc::new(AtomicUsize::new(0));
    let job = r#"{"data":{"id":"j1","kind":"replay","state":"running","done":1,"skipped":0,"count":9}}"#;
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", job.len());
    let reply: &'static [u8] = Box::leak((head + job).into_bytes().into_boxed_slice());
    let receiver = Receiver::start(move |path, _| {
        if path == "/api/v1/jobs/j1" && looks.fetch_add(1, Ordering::SeqCst) > 0 {
            // Who does not listen any more has heard enough.
            let _ = tell.lock().expect("not poisoned").send(());
        }
        Answer::Bytes(reply)
    });
    (receiver, asked)
}

#[test]
fn whoever_ends_a_replay_is_told_that_the_job_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let (server, asked) = never_done();
    let replay = ["replay", "--webhook", "w1", "--yes", "--url", &server.url(""), "--key", "k"];
    let replay = Running::start(dir.path(), &replay, &[]);
    // The second look comes after the signal is waited for.
    asked.recv_timeout(DEADLINE).expect("it looks again");
    replay.signal(Signal::INT);
    let ended = replay.end();
    assert_eq!(ended.status.code(), Some(130), "{}", ended.output);
    assert!(ended.output.contains("the job j1 runs on the server"), "{}", ended.output);
    assert!(ended.output.contains("the job goes on; `hookwheel jobs show j1`"), "{}", ended.output);
}

#[test]
fn status_and_stats_say_what_is_not_well() {
    let place = Place::new(500);
    let webhook = place.webhook();
    place.dead_letters(1);
    let status = place.tool(&["status", "--json"]).object();
    let keys: Vec<&String> = status.as_object().expect("an object").keys().collect();
    let expected = ["url", "version", "ready", "queue", "deliveries_per_minute", "webhooks_looked_at", "sick_webhooks"];
    assert_eq!(keys, expected);
    assert_eq!((&status["ready"]["status"], &status["webhooks_looked_at"]), (&json!("ready"), &json!(1)));
    let sick = &status["sick_webhooks"][0];
    assert_eq!((&sick["id"], &sick["state"]), (&json!(webhook), &json!("failing")), "{status}");
    let screen = place.tool(&["status"]).done();
    assert!(screen.contains("1 of 1 are not well") && screen.contains(&webhook), "{screen}");
    let stats = place.tool(&["stats", "--json"]).object();
    assert_eq!((&stats["total"]["accepted"], &stats["total"]["failed"]), (&json!(1), &json!(1)));
    let charts = place.tool(&["stats", "--webhook", &webhook]).done();
    let failed = charts.lines().find(|line| line.starts_with("failed ")).expect("a line");
    assert!(failed.contains(" 1  ") && failed.contains('█'), "{charts}");
    assert!(charts.contains("status "), "why they failed: {charts}");
}

#[test]
fn the_guard_is_asked_of_the_server_that_is_named() {
    let place = Place::new(200);
    // What is here allows nothing of this machine; the server, which is for development, does.
    let here = super::run(place.dir.path(), &["guard", "explain", "http://127.0.0.1/"], &[], None);
    assert!(here.code == Some(1) && here.out.contains("refused"), "{here:?}");
    let there = place.tool(&["guard", "explain", "http://127.0.0.1/", "--json"]).object();
    assert_eq!(there["data"]["may_dial"], true);
    assert_eq!(place.tool(&["guard", "explain", "http://127.0.0.1/", "--allow", "10.0.0.0/8"]).code, Some(2));
}
