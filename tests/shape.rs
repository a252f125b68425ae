//! Shapes on their way: what a dialect and a webhook make of an event arrives signed, in the dialect's order and numbers, at
//! the first attempt and at a retry; and what is too much for a shape is a dead letter that can be sent once it is mended.

mod support;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use hookwheel::clock::Stopwatch;
use hookwheel::dialect::{Dialect, Received};
use hookwheel::domain::secret::Secret;
use serde_json::{Value, json};
use support::{Answer, Arrived, Client, DEADLINE, Receiver, Server};

const SECRET: &str = "a secret of sixteen";
const FILE: &str = r#"
title = "Shaped"
description = "Data is not sent as it is published."
timeout_seconds = 30
retry = { delays = [0, 0], jitter_percent = 0 }
secrets = { key = "utf8", bytes_min = 4, bytes_max = 128 }
body = { json = "canonical", numbers = "js" }
envelope = { what = "{event.type}", data = "{event.data}" }

[shape]
drop = ["@.data.internal", "@.data.items[*].cost"]

[shape.set]
source = "shop"
total = "{@.data.amount.total}"

[[signature]]
header = "X-Signature"
algorithm = "sha256"
encoding = "hex"
signed = "{attempt.number}.{body}"
value = "{signature}"

[headers]
X-Attempt = "{attempt.number}"
"#;

fn start(dir: &Path) -> Server {
    let dialects = dir.join("contracts");
    std::fs::create_dir(&dialects).expect("made");
    std::fs::write(dialects.join("shaped.toml"), FILE).expect("written");
    let bounded = format!("{FILE}\n[limits]\nbody_bytes_max = 50000\n");
    std::fs::write(dialects.join("bounded.toml"), bounded).expect("written");
    Server::start(dir, &[("HOOKWHEEL__DELIVER__DIALECTS", dialects.to_str().expect("a plain path"))])
}

/// The body, once its signature was verified as a receiver would.
fn verified(arrived: &Arrived) -> String {
    let dialect = Dialect::parse("shaped.toml", FILE).expect("it is right");
    let header = |name: &str| arrived.header(name).map(String::from);
    let received = Received { header: &header, url: None, body: &arrived.message.body };
    dialect.verify(received, &[Secret::new(SECRET)], 0, None).unwrap_or_else(|why| panic!("{why}"));
    String::from_utf8(arrived.message.body.clone()).expect("text")
}

fn webhook(client: &mut Client, url: &str, shape: &Value) -> String {
    let wish = json!({"url": url, "events": ["*"], "dialect": "shaped", "secret": SECRET, "shape": shape});
    client.post("/api/v1/webhooks", &wish).data(201)["id"].as_str().expect("an id").to_string()
}

const EVENT: &str = r#"{"type": "order.paid", "id": "o1", "data":
    {"id": 7, "internal": {"x": 1}, "items": [{"sku": "a", "cost": 1}, {"sku": "b", "cost": 2}], "amount": {"total": 12.50}, "9": 1e3}}"#;

/// The delivery to this webhook, once it has ended so.
fn ended(client: &mut Client, event: &str, webhook: &str, state: &str) -> Value {
    let watch = Stopwatch::start();
    loop {
        let rows = client.get(&format!("/api/v1/events/{event}")).data(200)["deliveries"].clone();
        let row =
            rows.as_array().into_iter().flatten().find(|row| row["webhook_id"] == webhook && row["state"] == state);
        if let Some(row) = row {
            return client.get(&format!("/api/v1/deliveries/{}", row["id"].as_str().expect("an id"))).data(200);
        }
        assert!(watch.elapsed() < DEADLINE, "it is not {state}: {rows}");
        std::thread::yield_now();
    }
}

#[test]
fn what_a_dialect_and_a_webhook_make_of_an_event_arrives_signed() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path());
    let mut client = server.client();
    let plain = Receiver::start(|_, _| Answer::Status(204));
    let tried = AtomicUsize::new(0);
    let own =
        Receiver::start(move |_, _| Answer::Status(if tried.fetch_add(1, Ordering::Relaxed) == 0 { 500 } else { 204 }));
    webhook(&mut client, &plain.url("/"), &json!(null));
    let shape = json!({
        "pick": ["@.data.id", "@.data.items", "@.data.internal", "@.data.source"],
        "rename": {"@.data.items[*].sku": "code"},
        "set": {"1": "{@.data.amount.total}", "inside": "{@.data.internal}", "text": "{@.type} of {@.data.source}"},
    });
    let shaped = webhook(&mut client, &own.url("/"), &shape);
    assert_eq!(client.request("POST", "/api/v1/events", EVENT.as_bytes()).status, 202);
    let by_dialect = r#"{"what":"order.paid","data":{"9":1000,"id":7,"items":[{"sku":"a"},{"sku":"b"}],"amount":{"total":12.5},"source":"shop","total":12.5}}"#;
    assert_eq!(verified(&plain.next()), by_dialect);
    // Behind the dialect's: what that leaves out is not to be had again.
    let by_both = r#"{"what":"order.paid","data":{"1":12.5,"id":7,"items":[{"code":"a"},{"code":"b"}],"source":"shop","text":"order.paid of shop"}}"#;
    for attempt in ["1", "2"] {
        let arrived = own.next();
        assert_eq!((verified(&arrived).as_str(), arrived.header("x-attempt")), (by_both, Some(attempt)));
    }
    let delivery = ended(&mut client, "o1", &shaped, "succeeded");
    let attempt = format!("/api/v1/deliveries/{}/attempts/2", delivery["id"].as_str().expect("an id"));
    let body = |client: &mut Client| client.get(&attempt).data(200)["request_body"].clone();
    assert_eq!(body(&mut client), json!({"content": by_both, "exact": true}));
    let path = format!("/api/v1/webhooks/{shaped}");
    assert_eq!(client.request("PATCH", &path, br#"{"shape": null}"#).status, 200);
    assert_eq!(body(&mut client), json!({"content": by_dialect, "exact": false}));
    // What it is tried on comes out as what is sent.
    let asked = json!({"shape": shape, "webhook": shaped, "event_id": "o1"});
    assert_eq!(client.post("/api/v1/shape/try", &asked).data(200)["body"], by_both);
}

#[test]
fn what_is_shaped_is_shown_though_looking_for_each_path_would_take_too_long() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path());
    let mut client = server.client();
    // The paths have all but their ends in common: shaping goes there once, and looking for each as often as there are.
    let drop: Vec<String> = (0..64).map(|n| format!("@.data{}.f{n}", ".a".repeat(9))).collect();
    let text = "x".repeat(300_000);
    let data = (0..9).fold(json!({"f0": 1, "text": text}), |inner, _| json!({"a": inner}));
    let event = json!({"type": "a", "data": data});
    let tried = |client: &mut Client, drop: &[String]| {
        client.post("/api/v1/shape/try", &json!({"shape": {"drop": drop}, "event": event})).data(200)
    };
    let made = tried(&mut client, &drop);
    assert_eq!((&made["missing"], &made["error"]), (&json!(null), &json!(null)));
    let inner = (0..9).fold(&made["data"], |outer, _| &outer["a"]);
    assert_eq!(inner, &json!({"text": text}));
    assert_eq!(tried(&mut client, &drop[..2])["missing"], json!([drop[1]]));
}

#[test]
fn what_is_too_much_for_a_shape_is_a_dead_letter_until_the_shape_is_mended() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path());
    let (mut client, receiver) = (server.client(), Receiver::start(|_, _| Answer::Status(204)));
    let copies = json!({"set": {"copies": vec!["{@.data.text}"; 8]}});
    let id = webhook(&mut client, &receiver.url("/"), &copies);
    let event = json!({"type": "a", "id": "long", "data": {"text": "x".repeat(70_000)}});
    assert_eq!(client.post("/api/v1/events", &event).status, 202);
    let delivery = ended(&mut client, "long", &id, "dead");
    assert_eq!(
        (&delivery["attempts"][0]["outcome"], &delivery["attempt_count"]),
        (&json!("shape_too_costly"), &json!(1))
    );
    assert!(delivery["reason"].as_str().is_some_and(|why| why.starts_with("shape_too_costly: ")), "{delivery}");
    // It says nothing of the endpoint.
    let path = format!("/api/v1/webhooks/{id}");
    let shown = client.get(&path).data(200);
    assert_eq!(
        ["attempts", "consecutive_failures", "dead"].map(|name| shown[name].as_u64()),
        [Some(0), Some(0), Some(1)]
    );
    let letters = client.get("/api/v1/dead-letters").data(200);
    assert_eq!(letters[0]["id"], delivery["id"]);
    assert_eq!(client.request("PATCH", &path, br#"{"shape": {"pick": [], "set": {"ok": true}}}"#).status, 200);
    client.post("/api/v1/dead-letters/replay", &json!({"ids": [delivery["id"]]}));
    assert_eq!(verified(&receiver.next()), r#"{"what":"a","data":{"ok":true}}"#);
}

#[test]
fn the_producer_is_told_of_a_short_event_of_which_a_shape_makes_too_long_a_body() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path());
    let (mut client, receiver) = (server.client(), Receiver::start(|_, _| Answer::Status(204)));
    let wish = json!({"url": receiver.url("/"), "events": ["*"], "dialect": "bounded", "secret": SECRET,
        "shape": {"set": {"copies": vec!["{@.data.text}"; 10]}}});
    let id = client.post("/api/v1/webhooks", &wish).data(201)["id"].as_str().expect("an id").to_string();
    let reply = client.post("/api/v1/events", &json!({"type": "a", "id": "short", "data": {"text": "x".repeat(5500)}}));
    assert_eq!(reply.status, 202);
    let told = reply.json()["warnings"].clone();
    let warning = format!("data: webhook {id} is not sent it: its body has ");
    assert!(told[0].as_str().is_some_and(|one| one.starts_with(&warning)), "{told}");
    ended(&mut client, "short", &id, "cancelled");
}

#[test]
fn what_takes_long_to_shape_arrives_like_the_rest() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path());
    let mut client = server.client();
    let [by_dialect, by_both] = [(), ()].map(|()| Receiver::start(|_, _| Answer::Status(204)));
    webhook(&mut client, &by_dialect.url("/"), &json!(null));
    webhook(
        &mut client,
        &by_both.url("/"),
        &json!({"rename": {"@.data.items[*].sku": "code"}, "drop": ["@.data.source"]}),
    );
    let many = |item: &Value| json!({"items": vec![item; 20_000]});
    let event = json!({"type": "order.paid", "data": many(&json!({"sku": "a", "cost": 1}))});
    assert_eq!(client.post("/api/v1/events", &event).status, 202);
    let data = |arrived: &Arrived| serde_json::from_str::<Value>(&verified(arrived)).expect("JSON")["data"].clone();
    let mut of_dialect = many(&json!({"sku": "a"}));
    of_dialect["source"] = json!("shop");
    assert!(data(&by_dialect.next()) == of_dialect, "the dialect's shape");
    assert!(data(&by_both.next()) == many(&json!({"code": "a"})), "both shapes");
}

#[test]
fn what_is_tried_is_bounded_and_a_filter_that_takes_too_long_says_what_its_delivery_would() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path());
    let mut client = server.client();
    let filter = "count(@.data[*]) == 1 || count(@.data[*]) == 2 || count(@.data[*]) == 3";
    let event = json!({"type": "a", "data": vec![1; 400_000]});
    let tried = client.post("/api/v1/filter/try", &json!({"filter": filter, "event": event})).data(200);
    assert_eq!((&tried["matches"], &tried["holds"], &tried["why"]), (&json!(null), &json!(null), &json!([])));
    assert!(tried["error"].as_str().is_some_and(|why| why.starts_with("filter_too_costly: ")), "{tried}");
    assert_eq!(tried["steps"], tried["steps_max"]);
    let long = json!({"type": "a", "id": "long", "data": "x".repeat(1 << 20)});
    assert_eq!(client.post("/api/v1/events", &long).status, 202);
    let shape = json!({"drop": ["@.data.a"]});
    let asked = [
        json!({"shape": shape, "event": {"type": "a", "data": long["data"]}}),
        json!({"shape": shape, "event_id": "long"}),
    ];
    let fields = asked.map(|body| {
        let reply = client.post("/api/v1/shape/try", &body);
        assert_eq!(reply.status, 400);
        reply.json()["error"]["field"].clone()
    });
    assert_eq!(fields, ["event.data", "event_id"]);
}
