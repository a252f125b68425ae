//! Publishes behind a proxy while the server restarts: none is lost by who publishes the same again under its key.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::Instant;

use serde_json::json;

use crate::asking::Asking;
use crate::each;
use crate::front::Front;
use crate::support::DEADLINE;

/// What a publisher is at.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Sent,
    Answered(u16),
}

/// Publishes again until the event is taken; its id.
fn publish(front: &Front, key: &str, tell: &Sender<Step>) -> String {
    let begun = Instant::now();
    while begun.elapsed() < DEADLINE {
        let asking = Asking::new("POST", "/api/v1/events").with(&format!("Idempotency-Key: {key}\r\n"));
        let sent = asking.json(&json!({"type": "order.paid", "data": key})).sent(front);
        // Nobody listens once the test has heard enough.
        let _ = tell.send(Step::Sent);
        let reply = Asking::reply(sent);
        let _ = tell.send(Step::Answered(reply.status));
        match reply.status {
            202 => return reply.data(202)["id"].as_str().expect("an id").to_owned(),
            status => assert!([502, 503, 504].contains(&status), "{status}: {}", reply.text()),
        }
    }
    panic!("{key} is not taken");
}

#[test]
fn a_publish_that_finds_no_server_is_taken_once_there_is_one() {
    each("", |mut behind| {
        let front = behind.front.clone();
        publish(&front, "before", &mpsc::channel().0);
        behind.stop();
        let (tell, told) = mpsc::channel();
        let publishing = std::thread::spawn(move || publish(&front, "between", &tell));
        assert_eq!(told.recv_timeout(DEADLINE), Ok(Step::Sent));
        // It says so at once.
        assert_eq!(told.recv_timeout(DEADLINE), Ok(Step::Answered(502)));
        behind.restart();
        let id = publishing.join().expect("it is taken");
        assert_eq!(publish(&behind.front, "between", &mpsc::channel().0), id);
        let events = behind.client().get("/api/v1/events?type=order.paid").data(200);
        assert_eq!(events.as_array().map(Vec::len), Some(2), "{events}");
    });
}

#[test]
fn publishes_through_a_take_over_are_all_there() {
    const EVENTS: usize = 20;
    each("", |mut behind| {
        let (front, is_over) = (behind.front.clone(), &AtomicBool::new(false));
        let (tell, told) = mpsc::channel();
        let until_more = || {
            told.try_iter().for_each(drop);
            let answers = std::iter::repeat_with(|| told.recv_timeout(DEADLINE).expect("it goes on"));
            answers.filter(|step| *step == Step::Answered(202)).take(EVENTS).for_each(drop);
        };
        let ids = std::thread::scope(|scope| {
            let publish_all = move || {
                let keys = (0..).map(|n| format!("key-{n}")).take_while(|_| !is_over.load(Ordering::Relaxed));
                keys.map(|key| publish(&front, &key, &tell)).collect::<Vec<_>>()
            };
            let publishing = scope.spawn(publish_all);
            // What goes wrong here ends the other thread too.
            let taken_over = catch_unwind(AssertUnwindSafe(|| {
                until_more();
                behind.take_over();
                until_more();
            }));
            is_over.store(true, Ordering::Relaxed);
            let ids = publishing.join().expect("all are taken");
            taken_over.expect("it is taken over");
            ids
        });
        let mut client = behind.client();
        for id in ids {
            client.get(&format!("/api/v1/events/{id}")).data(200);
        }
    });
}
