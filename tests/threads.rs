//! Threads that the server cannot do without, in the real binary, made to panic or to hang by failpoints. What stays true:
//! no event is taken that nobody will deliver. A thread that panics ends the process in words and with 70, so that whoever
//! supervises it starts it again; one that hangs shows in the readiness; and a panic over one delivery stops no other.

mod support;

use hookwheel::clock::Stopwatch;
use serde_json::{Value, json};
use support::{Answer, Client, DEADLINE, Receiver, Server};

/// A server in `dir` in which this fails, and a webhook for every event.
fn failing(dir: &std::path::Path, fault: &str, receiver: &Receiver) -> Server {
    let server = Server::start(dir, &[("FAILPOINTS", fault)]);
    let webhook = json!({"url": receiver.url("/"), "events": ["*"], "max_in_flight": 1});
    server.client().post("/api/v1/webhooks", &webhook).data(201);
    server
}

/// Publishes; the reply may get lost with the process.
fn publish(client: &mut Client, name: &str) {
    let event = json!({"type": "task.created", "id": name, "data": 1}).to_string();
    if let Ok(reply) = client.try_request("POST", "/api/v1/events", event.as_bytes()) {
        reply.data(202);
    }
}

/// The only delivery of an event once `wanted` holds of it.
#[track_caller]
fn delivery(client: &mut Client, event: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let watch = Stopwatch::start();
    loop {
        let shown = client.get(&format!("/api/v1/events/{event}")).data(200);
        let id = shown["deliveries"][0]["id"].as_str().expect("it has a delivery").to_owned();
        let delivery = client.get(&format!("/api/v1/deliveries/{id}")).data(200);
        if wanted(&delivery) {
            return delivery;
        }
        assert!(watch.elapsed() < DEADLINE, "it does not come: {delivery}");
        std::thread::yield_now();
    }
}

#[test]
fn a_thread_that_panics_ends_the_process_and_the_next_start_delivers() {
    for (point, thread) in [("engine.hand_out", "engine"), ("sender.take", "sender"), ("store.settle", "commit")] {
        let dir = tempfile::tempdir().unwrap();
        let receiver = Receiver::start(|_, _| Answer::Status(200));
        let server = failing(dir.path(), &format!("{point}=panic"), &receiver);
        publish(&mut server.client(), "e");
        let ended = server.process.end();
        assert_eq!(ended.status.code(), Some(70), "{thread}: {}", ended.output);
        assert!(ended.output.contains(&format!("the {thread} thread panicked")), "{}", ended.output);
        let told = ended.output.matches(&format!("failpoint {point} panic")).count();
        assert_eq!(told, 1, "a panic is told once: {}", ended.output);

        let server = Server::start(dir.path(), &[]);
        delivery(&mut server.client(), "e", |delivery| delivery["state"] == "succeeded");
        receiver.next();
    }
}

#[test]
fn an_io_thread_of_the_store_that_is_lost_ends_the_process_in_words_and_the_next_start_delivers() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    // Not before it serves: so many groups it takes to start.
    let mut server = failing(dir.path(), "store.io_thread=100*off->return", &receiver);
    let mut client = server.client();
    let watch = Stopwatch::start();
    while server.process.child.try_wait().unwrap().is_none() {
        assert!(watch.elapsed() < DEADLINE, "it goes on");
        publish(&mut client, "e");
    }
    let ended = server.process.end();
    assert_eq!(ended.status.code(), Some(70), "{}", ended.output);
    assert!(ended.output.contains("the store cannot go on: its files do not fit together"), "{}", ended.output);
    assert!(!ended.output.contains("a failpoint"), "nothing of its own words: {}", ended.output);

    let server = Server::start(dir.path(), &[]);
    delivery(&mut server.client(), "e", |delivery| delivery["state"] == "succeeded");
}

#[test]
fn a_panic_over_one_delivery_is_its_outcome_and_stops_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let server = failing(dir.path(), "sender.verdict=1*panic->off", &receiver);
    let mut client = server.client();
    publish(&mut client, "unlucky");
    publish(&mut client, "lucky");
    // The webhook has one place: it was given back.
    delivery(&mut client, "lucky", |delivery| delivery["state"] == "succeeded");
    let unlucky = delivery(&mut client, "unlucky", |delivery| delivery["state"] == "scheduled");
    assert_eq!(unlucky["attempts"][0]["outcome"], "unsendable", "{unlucky}");
    assert!(server.terminate().success());
}

#[test]
fn a_thread_that_hangs_is_named_by_the_readiness() {
    let faults = [("engine.hand_out", "engine"), ("sender.take", "sender"), ("store.settle", "commit")];
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let hanging: Vec<_> = faults
        .into_iter()
        .map(|(point, thread)| {
            let dir = tempfile::tempdir().unwrap();
            let server = failing(dir.path(), &format!("{point}=pause"), &receiver);
            server.client().get("/health/ready").data(200);
            publish(&mut server.client(), "e");
            (server, thread, dir)
        })
        .collect();
    for (server, thread, _) in &hanging {
        let (mut client, watch) = (server.client(), Stopwatch::start());
        let reply = loop {
            let reply = client.get("/health/ready");
            if reply.status != 200 {
                break reply;
            }
            assert!(watch.elapsed() < DEADLINE, "nothing is said of the {thread} thread");
            std::thread::yield_now();
        };
        let error = reply.json()["error"].take();
        assert_eq!((reply.status, &error["code"]), (503, &json!("stuck")), "{error}");
        assert!(error["message"].as_str().unwrap().contains(&format!("the {thread}")), "{error}");
    }
}
