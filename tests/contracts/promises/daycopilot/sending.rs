//! What the guide promises of the requests that an endpoint gets: events, bodies, signatures, time-outs and retries.

use hookwheel::clock::Stopwatch;
use hookwheel::domain::time;
use serde_json::{Value, json};

use super::super::{Own, body, refuses_forgeries};
use super::stage::{IN_TIME, PATH, Stage};
use crate::like::{assert_like, is_uuid};
use crate::scene::{at_once, catalogue};
use crate::support::Answer;

/// The fields of every event's body, in the guide's order.
const ENVELOPE: [&str; 5] = ["id", "type", "created_at", "data", "actor"];

fn fields(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

pub fn in_real_time(s: &mut Stage) -> String {
    let watch = Stopwatch::start();
    s.published(json!({"type": "task.created", "data": {"n": 1}}));
    let millis = watch.elapsed().as_millis();
    assert!(millis < 60_000, "{millis} ms: the guide's own polling would have had it sooner");
    format!("it was there {millis} ms after its publish began; the guide's polling asks each minute")
}

pub fn no_call_is_needed(s: &mut Stage) -> String {
    let data = json!({"task_id": "t-1", "title": "all of it", "nested": {"list": [1, 2, 3]}});
    let got = s.published(json!({"type": "task.created", "data": data})).json();
    assert_eq!(got["data"], data);
    "all of the event's data was in the request".into()
}

pub fn driven_by_events(s: &mut Stage) -> String {
    let own = Own::make(&mut s.scene, "daycopilot", "row.driven", json!({}), |_| Answer::Status(200));
    s.published(json!({"type": "task.created", "data": {}}));
    own.has_no_more();
    let (event, delivery) = own.publish(&mut s.scene, json!({}));
    s.scene.delivery_in(&delivery, "succeeded");
    assert_eq!(body(&own.next())["id"], event);
    own.has_no_more();
    "nothing without an event that it asked for, one request for one event".into()
}

/// A type of the guide's list, with its words.
pub fn listed(s: &mut Stage, event_type: &str, words: &str) -> String {
    let types = s.scene.get("/api/v1/event-types?dialect=daycopilot");
    let types = types["data"].as_array().expect("a list");
    let shown = types.iter().find(|shown| shown["type"] == event_type);
    let shown = shown.expect("a type of the catalogue, which it is not");
    let description = shown["description"].as_str().expect("a description");
    assert!(description.starts_with(words), "{description:?}");
    let got = s.tested(event_type).json();
    assert_eq!(got["type"], event_type);
    assert_like(&got["data"], &shown["sample"]);
    format!("listed as {description:?}; its test call arrived with the sample")
}

pub fn posted(s: &mut Stage) -> String {
    let got = s.tested("task.created");
    assert_eq!((got.method.as_str(), got.path.as_str()), ("POST", PATH));
    format!("{} {}, {}", got.method, got.path, got.header("content-type"))
}

pub fn status_200_is_enough(s: &mut Stage) -> String {
    let own = Own::make(&mut s.scene, "daycopilot", "row.ok", json!({}), |_| Answer::Status(200));
    let (_, delivery) = own.publish(&mut s.scene, json!({}));
    let shown = s.scene.delivery_in(&delivery, "succeeded");
    assert_eq!(shown["attempts"][0]["status_code"], 200);
    own.next();
    own.has_no_more();
    "an empty 200 ends the delivery as succeeded, after one request".into()
}

pub fn given_up_after_5_seconds(s: &mut Stage) -> String {
    let shown = s.scene.delivery_within(&s.hanging.1, 1, 20);
    let attempt = &shown["attempts"][0];
    assert_eq!((&attempt["outcome"], &attempt["status_code"]), (&json!("timeout"), &Value::Null), "{attempt}");
    let took = attempt["response_time_ms"].as_u64().expect("a duration");
    assert!((5000..10_000).contains(&took), "{took} ms");
    format!("an endpoint that says nothing was given up after {took} ms")
}

pub fn waited_for_up_to_5_seconds(s: &mut Stage) -> String {
    let shown = s.scene.delivery_within(&s.slow.1, 1, 20);
    let attempt = &shown["attempts"][0];
    assert_eq!((&shown["state"], &attempt["status_code"]), (&json!("succeeded"), &json!(200)), "{shown}");
    let took = attempt["response_time_ms"].as_u64().expect("a duration");
    assert!(took >= IN_TIME.as_millis() as u64, "{took} ms");
    format!("a 200 after {took} ms was a success")
}

pub fn forgeries_are_refused(s: &mut Stage) -> String {
    let got = s.tested("task.created");
    refuses_forgeries(&s.endpoint, &got, "x-daycopilot-signature")
}

pub fn the_answer_alone_counts(s: &mut Stage) -> String {
    let id = s.scene.publish(json!({"type": "task.created", "data": {"title": "Later"}}));
    let got = s.arrival(&id);
    assert_eq!(got.said, ["Received event: task.created", "New task: Later"]);
    let delivery = s.scene.delivery_of(&id, s.webhook.rsplit('/').next().expect("an id"));
    let shown = s.scene.delivery_in(&delivery, "succeeded");
    assert_eq!(shown["attempts"][0]["response_body"], "OK", "{shown}");
    "the guide's receiver answered OK, handled `event.type` and `event.data` after that, and the delivery succeeded"
        .into()
}

pub fn a_401_is_a_failure(s: &mut Stage) -> String {
    let own = Own::make(&mut s.scene, "daycopilot", "row.401", json!({}), |_| Answer::Status(401));
    let (_, delivery) = own.publish(&mut s.scene, json!({}));
    let shown = s.scene.delivery_after(&delivery, 1);
    assert_eq!((&shown["state"], &shown["attempts"][0]["status_code"]), (&json!("scheduled"), &json!(401)), "{shown}");
    "401 was recorded as a failed attempt, and a retry is scheduled".into()
}

pub fn printed(s: &mut Stage, example: &str, expected: Value) -> String {
    let result = s.printed(example);
    assert_eq!(result, expected);
    format!("fed with a real request, the printed call gave {result}")
}

pub fn all_have_this_structure(s: &mut Stage) -> String {
    let all = catalogue("daycopilot");
    for (event_type, _) in &all {
        let got = s.tested(event_type).json();
        assert_eq!(fields(&got), ENVELOPE, "{event_type}");
    }
    format!("{} in each of {} types", ENVELOPE.join(", "), all.len())
}

/// An example of the guide, published as it is printed.
pub fn example(s: &mut Stage, printed: &str) -> String {
    let printed: Value = serde_json::from_str(printed).expect("the guide's JSON");
    let got = s.published(printed.clone());
    assert_eq!(got.body, printed.to_string());
    format!("published as printed it arrived letter by letter, {} bytes", got.body.len())
}

/// The one example without an actor.
pub fn example_without_actor(s: &mut Stage, printed: &str) -> String {
    let mut printed: Value = serde_json::from_str(printed).expect("the guide's JSON");
    let got = s.published(printed.clone());
    printed["actor"] = Value::Null;
    assert_eq!(got.body, printed.to_string());
    "published as printed it arrived letter by letter, and with \"actor\":null behind".into()
}

/// The sample of a type holds the data of the guide's example.
pub fn sampled(s: &mut Stage, event_type: &str, printed: &str) -> String {
    let printed: Value = serde_json::from_str(printed).expect("the guide's JSON");
    let got = s.tested(event_type).json();
    let (data, sample) = (&printed["data"], got["data"].as_object().expect("an object"));
    for (name, value) in data.as_object().expect("an object") {
        assert_eq!(sample.get(name), Some(value), "{name}");
    }
    let more: Vec<&str> = sample.keys().map(String::as_str).filter(|name| data.get(name).is_none()).collect();
    match more.is_empty() {
        true => "the test call's data is the guide's".into(),
        false => format!("the test call's data is the guide's, and {}", more.join(", ")),
    }
}

pub fn ids_are_unique(s: &mut Stage) -> String {
    let mut id =
        || s.published(json!({"type": "task.created", "data": {}})).json()["id"].as_str().expect("a text").to_owned();
    let (one, two) = (id(), id());
    assert!(is_uuid(&one) && is_uuid(&two) && one != two, "{one} {two}");
    "two events, two UUIDs".into()
}

pub fn the_type_is_the_events(s: &mut Stage) -> String {
    let got = s.published(json!({"type": "context.shared", "data": {}})).json();
    assert_eq!(got["type"], "context.shared");
    format!("{}", got["type"])
}

pub fn the_time_is_the_events(s: &mut Stage) -> String {
    let then = "2025-11-02T12:00:00Z";
    let given = s.published(json!({"type": "task.created", "created_at": then, "data": {}})).json();
    assert_eq!(given["created_at"], then);
    let id = s.scene.publish(json!({"type": "task.created", "data": {}}));
    let own = s.arrival(&id).json();
    let accepted = s.scene.get(&format!("/api/v1/events/{id}"));
    let millis = |text: &Value| text.as_str().and_then(time::parse).expect("a time");
    assert_eq!(millis(&own["created_at"]), millis(&accepted["data"]["created_at"]) / 1000 * 1000);
    format!("{then} where the producer says so, else when it was accepted")
}

pub fn the_data_is_the_producers(s: &mut Stage) -> String {
    let data = json!({"z": 1, "a": {"b": [true, null, "ü"]}});
    let got = s.published(json!({"type": "task.updated", "data": data}));
    assert!(got.body.contains(&format!(r#""data":{data}"#)), "{}", got.body);
    format!("{data} as it was published")
}

pub fn the_actor_is_the_producers(s: &mut Stage) -> String {
    let actor = json!({"user_id": "user-uuid", "email": "user@example.com"});
    let got = s.published(json!({"type": "task.created", "data": {}, "actor": actor})).json();
    assert_eq!(got["actor"], actor);
    let nobody = s.published(json!({"type": "task.created", "data": {}})).json();
    assert_eq!((nobody.get("actor"), fields(&nobody).len()), (Some(&Value::Null), 5));
    "the producer's; null where nobody is named".into()
}

pub fn all_are_signed(s: &mut Stage) -> String {
    let question = s.registered().question.header("x-daycopilot-signature").map(str::to_owned);
    let test = s.tested("event.created").header("x-daycopilot-signature").to_owned();
    let event = s.published(json!({"type": "event.created", "data": {}})).header("x-daycopilot-signature").to_owned();
    for signature in [question.as_deref().unwrap_or_default(), &test, &event] {
        let hex = signature.strip_prefix("sha256=").unwrap_or_else(|| panic!("{signature:?}"));
        assert!(hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{signature}");
    }
    format!("verification request, test and event; such as {}…", &event[..15])
}

pub fn a_repeated_event_has_its_id(s: &mut Stage) -> String {
    let answer = |before| Answer::Status(if before == 0 { 500 } else { 200 });
    let own = Own::make(&mut s.scene, "daycopilot", "row.repeated", json!({"retry": at_once(1)}), answer);
    let (event, delivery) = own.publish(&mut s.scene, json!({}));
    s.scene.delivery_in(&delivery, "succeeded");
    s.scene.ask("POST", &format!("{}/replay/{delivery}", own.path), Value::Null, 202);
    let ids = [own.next(), own.next(), own.next()].map(|got| body(&got)["id"].clone());
    assert!(ids.iter().all(|id| *id == event), "{ids:?} of {event}");
    "the first try, its retry and a replay had the same id".into()
}

pub fn longer_each_time(s: &mut Stage) -> String {
    let waits: Vec<u64> = (1..=5).map(|n| s.after(n).millis.expect("a retry follows")).collect();
    assert!(waits.windows(2).all(|pair| pair[1] > 2 * pair[0]), "{waits:?} ms");
    format!("each wait is more than twice the one before: {:?} s", waits.iter().map(|ms| ms / 1000).collect::<Vec<_>>())
}

pub fn the_fifth_is_the_last(s: &mut Stage) -> String {
    let after = s.after(6);
    assert_eq!((after.state.as_str(), after.millis), ("dead", None));
    "after the sixth failed attempt the delivery is dead, kept as a dead letter, and no retry is due".into()
}

/// What a reader of the guide takes from the data of these types.
pub fn read_by(s: &mut Stage, types: &[&str], fields: &[&str]) -> String {
    for event_type in types {
        let got = s.tested(event_type).json();
        for field in fields {
            assert!(got.pointer(field).is_some_and(|value| !value.is_null()), "no {field} in {event_type}");
        }
    }
    format!("{} in the samples of {}", fields.join(", "), types.join(", "))
}

pub fn as_it_is_mocked(s: &mut Stage) -> String {
    let got = s.published(json!({
        "id": "mock-1762084800000", "type": "task.created", "created_at": "2025-11-02T12:00:00.000Z",
        "data": {"task_id": "test-task", "title": "Test Task"},
        "actor": {"user_id": "test-user", "email": "test@example.com"},
    }));
    let sent = got.json();
    assert_eq!((fields(&sent), fields(&sent["actor"])), (ENVELOPE.to_vec(), vec!["user_id", "email"]));
    assert_eq!((&sent["id"], &sent["data"]["title"]), (&json!("mock-1762084800000"), &json!("Test Task")));
    "a real request has the mock's fields in its order; the time has whole seconds, as in the guide's payloads".into()
}
