//! A sender that panics, and one that cannot read its event: the whole server in this process, over real sockets. With one
//! place for all that is out, a place that were not given back would be the end of all sending.

use fail::FailScenario;
use serde_json::{Value, json};

use crate::support::{Answer, Client, DEADLINE, Receiver};
use crate::whole::Whole;
use hookwheel::clock::Stopwatch;

#[test]
fn a_panic_is_no_success_and_what_could_not_be_read_goes_out_later() {
    let scenario = FailScenario::setup();
    let server = Whole::start("in_flight_max = 1\nsenders = 1");

    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let mut client = server.client();
    let retry = json!({"delays": [0, 0], "jitter_percent": 0});
    client.post("/api/v1/webhooks", &json!({"url": receiver.url("/"), "events": ["*"], "retry": retry})).data(201);
    fail::cfg("deliver.ready", "1*panic->1*return->off").unwrap();
    client.post("/api/v1/events", &json!({"type": "task.created", "id": "e", "data": {}})).data(202);
    let delivery = succeeded(&mut client);
    let outcomes: Vec<&Value> =
        delivery["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["outcome"]).collect();
    assert_eq!(outcomes, ["unsendable", "status"], "what could not be read is no attempt: {delivery}");
    assert_eq!(receiver.arrived.try_iter().count(), 1);
    server.stop();
    scenario.teardown();
}

/// The event's delivery once it has succeeded.
fn succeeded(client: &mut Client) -> Value {
    let watch = Stopwatch::start();
    loop {
        let event = client.get("/api/v1/events/e").data(200);
        let row = &event["deliveries"][0];
        if row["state"] == "succeeded" {
            return client.get(&format!("/api/v1/deliveries/{}", row["id"].as_str().unwrap())).data(200);
        }
        assert!(watch.elapsed() < DEADLINE, "{event}");
        std::thread::yield_now();
    }
}
