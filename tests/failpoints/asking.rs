//! Filters that take long: the whole server in this process, over real sockets. While an account's event is being asked
//! about, which here takes as long as the test likes, everybody else publishes, and so does that account what takes no
//! time. What changes meanwhile counts.

use std::sync::{Mutex, mpsc};

use fail::FailScenario;
use serde_json::{Value, json};

use crate::support::{Answer, Client, DEADLINE, Receiver};
use crate::whole::Whole;

/// It compares all of the data, as often as a filter may.
const COSTLY: &str = "@.data.a == @.data.b && @.data.a == @.data.b && @.data.a == @.data.b && @.data.a == @.data.b && \
    @.data.a == @.data.b && @.data.a == @.data.b && @.data.a == @.data.b && @.data.a == @.data.b";

#[test]
fn nobody_waits_for_filters_that_take_long() {
    let scenario = FailScenario::setup();
    let server = Whole::start("");
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let mut client = server.client();
    for account in ["busy", "other"] {
        client.post("/api/v1/accounts", &json!({"id": account, "name": account})).data(201);
    }
    let (mut busy, mut other) = (server.client().acting_for("busy"), server.client().acting_for("other"));
    let webhook = |client: &mut Client, filter: Value| {
        let made =
            client.post("/api/v1/webhooks", &json!({"url": receiver.url("/"), "events": ["*"], "filter": filter}));
        made.data(201)["id"].as_str().unwrap().to_string()
    };
    webhook(&mut other, json!("@.data.n == 1"));
    let costly: Vec<String> = (0..10).map(|_| webhook(&mut busy, json!(COSTLY))).collect();
    let [gone, changed] = [(); 2].map(|()| webhook(&mut busy, json!("@.data.a[0] == 1")));

    let (begun, begins) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let (begun, goes_on) = (Mutex::new(begun), Mutex::new(goes_on));
    fail::cfg_callback("store.ask", move || {
        let _ = begun.lock().unwrap().send(());
        // Whoever does not say so any more lets it go on.
        let _ = goes_on.lock().unwrap().recv();
    })
    .unwrap();
    let mut publisher = server.client().acting_for("busy");
    let publishing = std::thread::spawn(move || {
        let ones = vec!["1"; 2_500_000].join(",");
        let event = format!(r#"{{"type":"a","id":"large","data":{{"a":[{ones}],"b":[{ones}]}}}}"#);
        publisher.request("POST", "/api/v1/events", event.as_bytes()).data(202)
    });
    begins.recv_timeout(DEADLINE).expect("it is asked elsewhere");
    for n in 0..100 {
        let sent = other.post("/api/v1/events", &json!({"type": "a", "data": {"n": n % 2}})).data(202);
        assert_eq!(sent["deliveries"], n % 2);
    }
    assert_eq!(busy.post("/api/v1/events", &json!({"type": "a", "data": {"a": [1]}})).data(202)["deliveries"], 2);
    busy.request("DELETE", &format!("/api/v1/webhooks/{gone}"), b"");
    let patch = json!({"filter": null}).to_string();
    busy.request("PATCH", &format!("/api/v1/webhooks/{changed}"), patch.as_bytes()).data(200);
    let new = webhook(&mut busy, json!(null));
    drop(go_on);

    assert_eq!(publishing.join().unwrap()["deliveries"], 12, "ten dead ones, the changed one and the new one");
    let event = busy.get("/api/v1/events/large").data(200);
    let to =
        |id: &String| event["deliveries"].as_array().unwrap().iter().find(|one| one["webhook_id"] == **id).cloned();
    assert!(to(&gone).is_none() && to(&changed).is_some() && to(&new).is_some());
    for id in &costly {
        let dead = to(id).expect("it is not passed over");
        assert_eq!((&dead["state"], &dead["attempt_count"]), (&json!("dead"), &json!(0)));
        let whole = busy.get(&format!("/api/v1/deliveries/{}", dead["id"].as_str().unwrap())).data(200);
        assert!(whole["reason"].as_str().unwrap().starts_with("filter_too_costly: "), "{whole}");
    }
    let letters = busy.get("/api/v1/dead-letters").data(200);
    assert_eq!(letters.as_array().unwrap().len(), 10);
    assert!(letters[0]["error"].as_str().unwrap().starts_with("filter_too_costly: "), "{letters}");
    let replay = format!("/api/v1/webhooks/{}/replay/{}", costly[0], to(&costly[0]).unwrap()["id"].as_str().unwrap());
    busy.post(&replay, &json!({})).data(202);
    let is_large = |arrived: &crate::support::Arrived| arrived.message.body.len() > 1_000_000;
    let large = std::iter::from_fn(|| Some(receiver.next())).filter(is_large).take(3).count();
    assert_eq!(large, 3, "to the changed one and the new one, and the replay");
    server.stop();
    scenario.teardown();
}

#[test]
fn nobody_waits_for_a_job_that_asks_a_filter() {
    let scenario = FailScenario::setup();
    let server = Whole::start("");
    let mut client = server.client();
    let ones = vec!["1"; 100_000].join(",");
    let event = format!(r#"{{"type":"a","id":"large","data":{{"a":[{ones}],"b":[{ones}]}}}}"#);
    client.request("POST", "/api/v1/events", event.as_bytes()).data(202);
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let hook = json!({"url": receiver.url("/"), "events": ["a"], "filter": "@.data.a == @.data.b"});
    let webhook = client.post("/api/v1/webhooks", &hook).data(201)["id"].as_str().unwrap().to_string();
    let (begun, begins) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let (begun, goes_on) = (Mutex::new(begun), Mutex::new(goes_on));
    fail::cfg_callback("store.foresee", move || {
        let _ = begun.lock().unwrap().send(());
        let _ = goes_on.lock().unwrap().recv();
    })
    .unwrap();
    client.post(&format!("/api/v1/webhooks/{webhook}/replay"), &json!({"state": "missing"})).data(202);
    begins.recv_timeout(DEADLINE).expect("it is asked beside the commit thread");
    for _ in 0..10 {
        client.post("/api/v1/events", &json!({"type": "b", "data": {}})).data(202);
    }
    assert!(receiver.arrived.try_recv().is_err(), "the job waits");
    drop(go_on);
    assert!(receiver.next().message.body.len() > 400_000);
    server.stop();
    scenario.teardown();
}
