//! What the guide promises of the requests that an endpoint gets: events, bodies, signatures, retries, addresses.

use std::net::IpAddr;

use hookwheel::clock::Stopwatch;
use hookwheel::domain::time;
use serde_json::{Value, json};

use super::super::refuses_forgeries;
use super::printed;
use super::stage::{FROM, Stage};
use crate::like::assert_like;
use crate::scene::catalogue;
use crate::support::{Answer, Server};

fn fields(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// The answer of a check where one is needed: a 200 with nothing else.
fn ok(_: usize) -> Answer {
    Answer::Status(200)
}

pub fn in_real_time(s: &mut Stage) -> String {
    let watch = Stopwatch::start();
    s.published("task.created", json!({}));
    let millis = watch.elapsed().as_millis();
    assert!(millis < 60_000, "{millis} ms");
    format!("it was there {millis} ms after its publish began")
}

pub fn posted(s: &mut Stage) -> String {
    let (got, _) = s.published("task.created", json!({}));
    assert_eq!((got.method.as_str(), got.path.as_str()), ("POST", "/webhooks"));
    format!("{} {}, {}", got.method, got.path, got.header("content-type"))
}

pub fn unasked(s: &mut Stage) -> String {
    let (own, _) = s.own("row.unasked", 0, ok);
    s.published("task.created", json!({}));
    own.has_no_more();
    let (_, delivery) = own.publish(&mut s.scene, json!({"all": "of it"}));
    s.scene.delivery_in(&delivery, "succeeded");
    assert_eq!(super::super::body(&own.next())["data"], json!({"all": "of it"}));
    own.has_no_more();
    "nothing without an event that it asked for; one request for one event, with all of its data".into()
}

/// A type of the guide's list; where the guide has words for it, with these.
pub fn listed(s: &mut Stage, event_type: &str, words: &str) -> String {
    let types = s.scene.get("/api/v1/event-types?dialect=workspace");
    let types = types["data"].as_array().expect("a list");
    let shown = types.iter().find(|shown| shown["type"] == event_type);
    let shown = shown.expect("a type of the catalogue, which it is not");
    let description = shown["description"].as_str().expect("a description");
    assert!(description.starts_with(words), "{description:?}");
    let got = s.tested(event_type).json();
    assert_like(&got["data"], &shown["sample"]);
    format!("listed as {description:?}; its test call arrived with the sample")
}

pub fn example(s: &mut Stage) -> String {
    let mut printed: Value = serde_json::from_str(printed::PAYLOAD).expect("the guide's JSON");
    printed["webhook_id"] = json!(s.id);
    let (event_type, time, data) = (&printed["event"], &printed["timestamp"], &printed["data"]);
    s.scene.publish(json!({"type": event_type, "created_at": time, "data": data}));
    let got = loop {
        let got = s.endpoint.next().verified();
        if got.json()["timestamp"] == *time {
            break got;
        }
    };
    assert_eq!(got.body, printed.to_string());
    assert_eq!(got.said, ["New task: Design homepage"]);
    format!("with the webhook's own id it arrived letter by letter, {} bytes", got.body.len())
}

pub fn the_sample(s: &mut Stage) -> String {
    let printed: Value = serde_json::from_str(printed::PAYLOAD).expect("the guide's JSON");
    let got = s.tested("task.created").json();
    assert_like(&got["data"], &printed["data"]);
    "the test call of task.created sends exactly these".into()
}

pub fn the_envelope(s: &mut Stage) -> String {
    let all = catalogue("workspace");
    for (event_type, _) in &all {
        let got = s.tested(event_type).json();
        assert_eq!(fields(&got), ["event", "timestamp", "webhook_id", "data"], "{event_type}");
        assert_eq!(got["event"], event_type.as_str());
    }
    format!("event, timestamp, webhook_id, data in each of {} types", all.len())
}

pub fn the_time_is_the_events(s: &mut Stage) -> String {
    let (got, event) = s.published("task.updated", json!({}));
    let shown = s.scene.get(&format!("/api/v1/events/{event}"));
    let millis = |text: &Value| text.as_str().and_then(time::parse).expect("a time");
    let body = got.json();
    assert_eq!(millis(&body["timestamp"]), millis(&shown["data"]["created_at"]) / 1000 * 1000);
    format!("{}, the event's time in whole seconds; one that the producer gives is line 75", body["timestamp"])
}

pub fn the_webhooks_id(s: &mut Stage) -> String {
    let (got, _) = s.published("task.created", json!({}));
    let spelled = got.json()["webhook_id"].as_str().expect("a text").to_owned();
    assert_eq!(spelled, s.id);
    assert!(spelled.starts_with("webhook_"), "{spelled}");
    assert_eq!(s.scene.get(&format!("/v1/webhooks/{spelled}"))["data"]["id"], spelled.as_str());
    format!("webhook_ and {} digits, which the API knows it by", spelled.len() - "webhook_".len())
}

pub fn the_data_is_the_producers(s: &mut Stage) -> String {
    let (got, _) = s.published("task.updated", json!({"z": 1, "a": {"b": [true, null, "ü"]}}));
    assert!(got.body.contains(r#""data":{"z":1,"a":{"b":[true,null,"ü"]},"row":"#), "{}", got.body);
    "as it was published, in its order".into()
}

pub fn forgeries_are_refused(s: &mut Stage) -> String {
    let got = s.tested("task.created");
    refuses_forgeries(&s.endpoint, &got, "x-webhook-signature")
}

pub fn the_printed_function_throws(s: &mut Stage) -> String {
    let result = s.printed();
    assert_eq!(result, "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH");
    forgeries_are_refused(s);
    format!("as printed it throws {result}, over a request that it takes with the prefix")
}

pub fn survives_stringify(s: &mut Stage) -> String {
    let text = r#"{"type": "task.created", "data": {"b": 1.0, "2": 1e16, "1": "\u00fc\/", "row": "strange"}}"#;
    s.scene.publish_text(text);
    let got = loop {
        let got = s.endpoint.next().verified();
        if got.json()["data"]["row"] == "strange" {
            break got;
        }
    };
    assert!(got.body.ends_with(r#""data":{"1":"ü/","2":10000000000000000,"b":1,"row":"strange"}}"#), "{}", got.body);
    "numbers, key order and escapes were posted otherwise; what was sent is what JSON.stringify makes, and verified"
        .into()
}

pub fn a_401_is_a_failure(s: &mut Stage) -> String {
    let (own, _) = s.own("row.401", 1, |n| Answer::Status(if n == 0 { 401 } else { 200 }));
    let (_, delivery) = own.publish(&mut s.scene, json!({}));
    let shown = s.scene.delivery_in(&delivery, "succeeded");
    let statuses: Vec<&Value> =
        shown["attempts"].as_array().expect("attempts").iter().map(|a| &a["status_code"]).collect();
    assert_eq!(statuses, [401, 200]);
    "an attempt that was answered 401 was tried again".into()
}

pub fn the_answer_alone_counts(s: &mut Stage) -> String {
    let (got, event) = s.published("task.created", json!({"name": "Later"}));
    assert_eq!(got.said, ["New task: Later"]);
    let delivery = s.scene.delivery_of(&event, &s.id);
    let shown = s.scene.delivery_in(&delivery, "succeeded");
    assert_eq!(shown["attempts"][0]["response_body"], "OK", "{shown}");
    "the guide's receiver read `event` and `data.name`, answered 200 OK, and the delivery succeeded".into()
}

pub fn given_up_after_5_seconds(s: &mut Stage) -> String {
    let shown = s.scene.delivery_within(&s.hanging.1, 1, 20);
    let attempt = &shown["attempts"][0];
    assert_eq!((&attempt["outcome"], &attempt["status_code"]), (&json!("timeout"), &Value::Null), "{attempt}");
    let took = attempt["response_time_ms"].as_u64().expect("a duration");
    assert!((5000..10_000).contains(&took), "{took} ms");
    format!("an endpoint that says nothing was given up after {took} ms")
}

pub fn retried(s: &mut Stage) -> String {
    let (own, _) = s.own("row.retried", 2, |n| Answer::Status(if n < 2 { 500 } else { 200 }));
    let (_, delivery) = own.publish(&mut s.scene, json!({}));
    let shown = s.scene.delivery_in(&delivery, "succeeded");
    assert_eq!(shown["attempts"].as_array().expect("attempts").len(), 3);
    "500, 500, 200: one delivery, three attempts".into()
}

pub fn the_third_failure_disables(s: &mut Stage) -> String {
    let (own, path) = s.own("row.third", 3, |n| Answer::Status(if n < 3 { 500 } else { 200 }));
    let (_, delivery) = own.publish(&mut s.scene, json!({}));
    let held = s.scene.delivery_held_after(&delivery, 3);
    assert_eq!(held["attempts"].as_array().expect("attempts").len(), 3);
    let shown = s.scene.get(&path)["data"].take();
    assert_eq!((&shown["active"], &shown["status"]), (&json!(false), &json!("disabled")), "{shown}");
    for _ in 0..3 {
        own.next();
    }
    own.has_no_more();
    s.scene.ask("PATCH", &path, json!({"active": true}), 200);
    s.scene.delivery_in(&delivery, "succeeded");
    let why = shown["disabled_reason"].as_str().expect("a reason");
    format!("disabled with the third failed attempt ({why:?}); the last retry was made once it was enabled")
}

pub fn the_last_retry(s: &mut Stage) -> String {
    let after = s.after(4);
    assert_eq!((after.state.as_str(), after.millis), ("dead", None));
    "with `disable.after = \"deliveries\"` all three are made, and after the fourth failed attempt none is due".into()
}

pub fn only_failures_in_a_row_count(s: &mut Stage) -> String {
    // Two failures and a success, twice; then failures only.
    let answer = |n| Answer::Status(if n < 6 && n % 3 == 2 { 200 } else { 500 });
    let (own, path) = s.own("row.in_a_row", 3, answer);
    for _ in 0..2 {
        let (_, delivery) = own.publish(&mut s.scene, json!({}));
        s.scene.delivery_in(&delivery, "succeeded");
    }
    assert_eq!(s.scene.get(&path)["data"]["active"], true, "four failures, and never three in a row");
    let (_, delivery) = own.publish(&mut s.scene, json!({}));
    s.scene.delivery_held_after(&delivery, 3);
    assert_eq!(s.scene.get(&path)["data"]["active"], false);
    "four failures with successes between left it active; three in a row disabled it".into()
}

pub fn the_signature(s: &mut Stage) -> String {
    let (got, _) = s.published("task.created", json!({}));
    let signature = got.header("x-webhook-signature");
    let hex = signature.strip_prefix("sha256=").unwrap_or_else(|| panic!("{signature}"));
    assert!(hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{signature}");
    format!("{}…, 64 hex digits", &signature[..15])
}

pub fn the_id_header(s: &mut Stage) -> String {
    let (got, _) = s.published("task.created", json!({}));
    assert_eq!(got.header("x-webhook-id"), s.id);
    format!("{}…, as in the body", &s.id[..16])
}

pub fn the_time_header(s: &mut Stage) -> String {
    let (got, event) = s.published("task.created", json!({}));
    let unix: u64 = got.header("x-webhook-timestamp").parse().expect("a number");
    let delivery = s.scene.delivery_of(&event, &s.id);
    let shown = s.scene.delivery_in(&delivery, "succeeded");
    let started = shown["attempts"][0]["started_at"].as_str().and_then(time::parse).expect("a time") / 1000;
    assert!((started..=started + 1).contains(&unix), "{unix}, not {started}");
    format!("{unix}: Unix seconds, when the attempt began")
}

pub fn from_published_addresses(s: &mut Stage) -> String {
    let shown = s.scene.get("/api/v1/dialects/workspace")["data"]["egress"].take();
    let page =
        String::from_utf8(s.scene.client.get("/docs/webhooks/workspace?format=markdown").message.body).expect("UTF-8");
    for address in printed::ADDRESSES {
        assert!(shown.as_array().expect("a list").contains(&json!(address)), "{address} is not in {shown}");
        assert!(page.contains(address), "{address} is not in the documentation");
    }
    let (own, _) = s.own("row.from", 0, ok);
    own.publish(&mut s.scene, json!({}));
    let from = own.next().peer;
    assert_eq!(from, FROM.parse::<IpAddr>().expect("an address"));
    format!(
        "the API and /docs name {}; a request came from {from}, which is this machine's among them",
        printed::ADDRESSES.join(" and ")
    )
}

pub fn only_https_in_production(_: &mut Stage) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start_strict(dir.path(), &[("HOOKWHEEL__DELIVER__BUILTIN_DIALECTS", "*")]);
    let create = |url: &str| server.client().post("/v1/webhooks", &json!({"url": url, "events": ["*"]}));
    let (plain, right) = (create("http://example.com/"), create("https://example.com/"));
    let error = plain.json()["error"].take();
    assert_eq!((plain.status, &error["field"], right.status), (400, &json!("url"), 201), "{error}");
    format!("without --dev: http:// is 400, {}; https:// is 201", error["message"])
}

pub fn repeats_are_the_same(s: &mut Stage) -> String {
    let (own, _) = s.own("row.repeated", 1, |n| if n == 0 { Answer::Close } else { Answer::Status(200) });
    let (_, delivery) = own.publish(&mut s.scene, json!({"id": "task_789"}));
    s.scene.delivery_in(&delivery, "succeeded");
    let [one, two] = [own.next(), own.next()];
    assert_eq!(one.message.body, two.message.body);
    assert_eq!(one.header("x-webhook-signature"), two.header("x-webhook-signature"));
    "an endpoint that took the event and lost the answer got it again, the same body and signature".into()
}
