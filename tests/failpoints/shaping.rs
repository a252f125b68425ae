//! Shapes that take long: the whole server in this process, over real sockets. While an account's events are being shaped, which
//! here takes as long as the test likes, the account reads; and what waits is counted. What nobody takes is not shaped.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use fail::FailScenario;
use serde_json::json;

use crate::support::{Answer, DEADLINE, Receiver};
use crate::whole::Whole;

const EVENTS: usize = 3;

#[test]
fn what_waits_to_be_shaped_is_counted_and_keeps_nobody_from_reading() {
    let scenario = FailScenario::setup();
    let server = Whole::start("senders = 1\nbodies_bytes_max = 1048576");
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let mut client = server.client();
    let shape = json!({"rename": {"@.data.items[*].sku": "code"}, "drop": ["@.data.source"]});
    client.post("/api/v1/webhooks", &json!({"url": receiver.url("/"), "events": ["*"], "shape": shape})).data(201);
    let (begun, begins) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let (begun, goes_on) = (Mutex::new(begun), Mutex::new(goes_on));
    fail::cfg_callback("deliver.shape", move || {
        let _ = begun.lock().unwrap().send(());
        // Whoever does not say so any more lets it go on.
        let _ = goes_on.lock().unwrap().recv();
    })
    .unwrap();
    let event = json!({"type": "order.paid", "data": {"items": vec![json!({"sku": "a", "cost": 1}); 20_000]}});
    for _ in 0..EVENTS {
        client.post("/api/v1/events", &event).data(202);
    }
    begins.recv_timeout(DEADLINE).expect("it is shaped elsewhere");
    assert!(client.get("/api/v1/stats").data(200)["points"].is_array());
    assert!(begins.try_recv().is_err(), "the account's next turn comes after its first");
    let metrics = String::from_utf8(client.get("/metrics").message.body).unwrap();
    let held = metrics.lines().find_map(|line| line.strip_prefix("hookwheel_bodies_out_bytes ")).unwrap();
    assert!((400_000..=1 << 20).contains(&held.parse::<usize>().unwrap()), "{held}");
    drop(go_on);
    for _ in 0..EVENTS {
        assert!(receiver.next().message.body.len() > 400_000);
    }
    server.stop();
    scenario.teardown();
}

#[test]
fn what_a_full_hand_does_not_take_is_not_shaped_for_it() {
    let scenario = FailScenario::setup();
    let server = Whole::start("senders = 1");
    let mut client = server.client();
    let shape = json!({"rename": {"@.data.items[*].sku": "code"}, "drop": ["@.data.source"]});
    let webhook = client.post("/api/v1/webhooks", &json!({"mode": "pull", "events": ["*"], "shape": shape})).data(201);
    let shaped = Arc::new(AtomicUsize::new(0));
    let counted = shaped.clone();
    fail::cfg_callback("deliver.shape", move || {
        counted.fetch_add(1, Ordering::SeqCst);
    })
    .unwrap();
    // Each of them fills a hand.
    let event = json!({"type": "order.paid", "data": {"items": vec![json!({"sku": "a", "cost": 1}); 60_000]}});
    for _ in 0..2 {
        client.post("/api/v1/events", &event).data(202);
    }
    let pull = format!("/api/v1/webhooks/{}/pull", webhook["id"].as_str().unwrap());
    for pulled in 1..=2 {
        let leases = client.get(&format!("{pull}?limit=2&wait=30")).data(200);
        assert_eq!(leases.as_array().unwrap().len(), 1);
        assert_eq!(shaped.load(Ordering::SeqCst), pulled, "one for each hand");
        client.post(&format!("{pull}/ack"), &json!({"leases": [leases[0]["lease"]]})).data(200);
    }
    server.stop();
    scenario.teardown();
}
