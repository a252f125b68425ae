//! Shapes that take long: the whole server in this process, over real sockets. While an account's events are being shaped, which
//! here takes as long as the test likes, the account reads.

use std::sync::{Mutex, mpsc};

use fail::FailScenario;
use serde_json::json;

use crate::support::{Answer, DEADLINE, Receiver};
use crate::whole::Whole;

const EVENTS: usize = 3;

#[test]
fn what_waits_to_be_shaped_keeps_nobody_from_reading() {
    let scenario = FailScenario::setup();
    let server = Whole::start("senders = 1");
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
    drop(go_on);
    for _ in 0..EVENTS {
        assert!(receiver.next().message.body.len() > 400_000);
    }
    server.stop();
    scenario.teardown();
}
