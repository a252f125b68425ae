//! What the guide promises of the calls that its readers make: registering, managing, testing and reading logs.

use hookwheel::domain::time;
use serde_json::{Value, json};

use super::super::own::is_question;
use super::super::{Own, body};
use super::printed;
use super::stage::{PATH, Stage};
use crate::like::is_uuid;
use crate::support::{Answer, Client, Receiver};

pub fn documented(s: &mut Stage) -> String {
    let reply = s.scene.client.get("/docs/webhooks/daycopilot?format=markdown");
    assert_eq!(reply.status, 200);
    let page = String::from_utf8(reply.message.body).expect("UTF-8");
    for word in ["X-DayCopilot-Signature", "task.comment_added", "webhook.verification"] {
        assert!(page.contains(word), "no {word}");
    }
    format!("/docs/webhooks/daycopilot, {} bytes, made from what is sent", page.len())
}

pub fn registers(s: &mut Stage) -> String {
    let made = s.registered();
    assert!(made.reply["data"].is_object(), "{}", made.reply);
    "201 to the guide's body, with a URL of this machine, and the webhook in `data`".into()
}

/// A field of the reply to the create call, once the listed ones say the same.
fn field(s: &mut Stage, name: &str) -> Value {
    let data = s.registered().reply["data"].clone();
    let value = data.get(name).unwrap_or_else(|| panic!("no {name} in {data}")).clone();
    let path = format!("/api/v1/webhooks/{}", data["id"].as_str().expect("an id"));
    assert_eq!(s.scene.get(&path)["data"][name], value, "read again");
    value
}

pub fn id(s: &mut Stage) -> String {
    let id = field(s, "id");
    assert!(id.as_str().is_some_and(is_uuid), "{id}");
    "a UUID".into()
}

pub fn url(s: &mut Stage) -> String {
    let url = field(s, "url");
    assert_eq!(url, s.registered().url.as_str());
    "the one that was posted".into()
}

pub fn events(s: &mut Stage) -> String {
    let events = field(s, "events");
    assert_eq!(events, json!(["task.created", "task.updated", "task.completed"]));
    events.to_string()
}

pub fn only_those_events(s: &mut Stage) -> String {
    let id = field(s, "id");
    let mut wanted = Vec::new();
    for event_type in
        ["task.created", "task.updated", "task.deleted", "task.completed", "task.assigned", "event.created"]
    {
        let event = s.scene.publish(json!({"type": event_type, "data": {}}));
        let shown = s.scene.get(&format!("/api/v1/events/{event}"));
        let rows = shown["data"]["deliveries"].as_array().expect("deliveries");
        if rows.iter().any(|row| row["webhook_id"] == id) {
            wanted.push(event_type);
        }
    }
    assert_eq!(wanted, ["task.created", "task.updated", "task.completed"]);
    format!("of six types published, deliveries for {}", wanted.join(", "))
}

pub fn the_secret_signs(s: &mut Stage) -> String {
    assert_eq!(s.registered().reply["data"].get("secret"), None, "what the caller knows is not repeated");
    let wrong = s.scene.endpoint("daycopilot.mjs", "your-webhook-secret");
    let body = json!({"url": wrong.url(PATH), "events": ["row.none"], "secret": "another-secret"});
    assert_eq!(s.scene.post("/api/v1/webhooks", body, 201)["data"]["status"], "unverified");
    let body = json!({"url": wrong.url(PATH), "events": ["row.none"], "secret": "your-webhook-secret"});
    assert_eq!(s.scene.post("/api/v1/webhooks", body, 201)["data"]["status"], "active");
    assert_eq!([wrong.next().status, wrong.next().status], [401, 200]);
    "the guide's receiver took what this secret signed, and nothing that another did; the reply does not repeat it"
        .into()
}

pub fn created_at(s: &mut Stage) -> String {
    let text = field(s, "created_at");
    let text = text.as_str().expect("a text");
    let at = time::parse(text).expect("RFC 3339");
    assert!(text.ends_with('Z') && at > time::parse("2025-11-02T12:00:00Z").expect("a time"), "{text}");
    format!("{text}: RFC 3339 in UTC, as the guide's, with milliseconds")
}

pub fn active(s: &mut Stage) -> String {
    assert_eq!(field(s, "status"), "active");
    assert!(is_question(&s.registered().question.message.body));
    "active in the reply, and the endpoint had been asked by then".into()
}

pub fn asked(s: &mut Stage) -> String {
    let question = &s.registered().question;
    assert_eq!((question.path.as_str(), question.message.start.starts_with("POST ")), (PATH, true));
    let body = body(question);
    let challenge = body["challenge"].as_str().expect("a text");
    let printed = format!(r#"{{"type":"webhook.verification","challenge":"{challenge}"}}"#);
    assert_eq!(question.message.body, printed.as_bytes());
    format!("POST to the URL: {printed}")
}

pub fn the_challenge_is_random(s: &mut Stage) -> String {
    let one = body(&s.registered().question)["challenge"].clone();
    let receiver = Receiver::start(|_, _| Answer::Challenge);
    s.scene.post(
        "/api/v1/webhooks",
        json!({"url": receiver.url("/"), "events": ["row.none"], "secret": "0123456789abcdef"}),
        201,
    );
    let two = body(&receiver.next())["challenge"].clone();
    let length = |text: &Value| text.as_str().map_or(0, str::len);
    assert!(one != two && length(&one) >= 16 && length(&two) >= 16, "{one} {two}");
    format!("two webhooks, two texts of {} characters", length(&one))
}

pub fn the_answer_decides(s: &mut Stage) -> String {
    assert_eq!(field(s, "status"), "active", "the endpoint of the guide's call answers with the challenge");
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let body = json!({"url": receiver.url("/"), "events": ["row.silent"], "secret": "0123456789abcdef"});
    let made = s.scene.post("/api/v1/webhooks", body, 201);
    assert_eq!(made["data"]["status"], "unverified", "{made}");
    assert!(is_question(&receiver.next().message.body));
    let event = s.scene.publish(json!({"type": "row.silent", "data": {}}));
    let shown = s.scene.get(&format!("/api/v1/events/{event}"))["data"]["deliveries"].to_string();
    assert!(!shown.contains(made["data"]["id"].as_str().expect("an id")), "{shown}");
    let why = made["data"]["status_reason"].as_str().expect("a reason");
    format!("the challenge makes it active; a 200 without it leaves it unverified ({why}), and it gets no events")
}

pub fn lists(s: &mut Stage) -> String {
    let made = s.registered().reply["data"].clone();
    let list = s.scene.get("/api/v1/webhooks?limit=100");
    let rows = list["data"].as_array().expect("a list");
    let row = rows.iter().find(|row| row["id"] == made["id"]).expect("the guide's webhook is in it");
    for name in ["id", "url", "events", "created_at", "status"] {
        assert_eq!(row[name], made[name], "{name}");
    }
    format!("200, {} webhooks in `data`, the guide's among them", rows.len())
}

/// A webhook of a row's own.
fn own(s: &mut Stage, event_type: &'static str) -> Own {
    Own::make(&mut s.scene, "daycopilot", event_type, json!({}), |_| Answer::Status(200))
}

pub fn updates(s: &mut Stage) -> String {
    let own = own(s, "row.updated");
    let new = Receiver::start(|_, message| match is_question(&message.body) {
        true => Answer::Challenge,
        false => Answer::Status(200),
    });
    let change = json!({"events": ["task.created", "task.deleted"], "url": new.url("/webhook")});
    let changed = s.scene.ask("PUT", &own.path, change.clone(), 200)["data"].take();
    for name in ["events", "url"] {
        assert_eq!(changed[name], change[name], "{name}");
    }
    assert_eq!(changed["status"], "active", "the new URL was asked, and what is absent stays");
    assert!(is_question(&new.next().message.body));
    let event = s.scene.publish(json!({"type": "task.deleted", "data": {}}));
    assert_eq!(body(&new.next())["id"], event);
    own.has_no_more();
    "200; the new URL was asked and got a task.deleted, the old one nothing".into()
}

pub fn deletes(s: &mut Stage) -> String {
    let own = own(s, "row.deleted");
    assert_eq!(s.scene.client.request("DELETE", &own.path, b"").status, 204);
    assert_eq!(s.scene.client.get(&own.path).status, 404);
    own.is_left_out(&mut s.scene);
    own.has_no_more();
    "204, then 404, and its events make no delivery".into()
}

pub fn tests(s: &mut Stage) -> String {
    let webhook = s.webhook.clone();
    let reply = s.scene.post(&format!("{webhook}/test"), json!({"event_type": "task.created"}), 202)["data"].take();
    let got = s.arrival(reply["event_id"].as_str().expect("an id"));
    assert_eq!(got.json()["type"], "task.created");
    assert_eq!(
        (&reply["success"], &reply["status_code"], &reply["response_body"]),
        (&json!(true), &json!(200), &json!("OK"))
    );
    "202; a task.created arrived, and the reply says that the endpoint answered 200 OK".into()
}

pub fn tests_any_type(s: &mut Stage) -> String {
    let got = s.tested("event.rsvp_changed").json();
    assert_eq!(got["type"], "event.rsvp_changed");
    "another type in event_type, and that type arrived".into()
}

pub fn shows_logs(s: &mut Stage) -> String {
    let logs = s.logs().clone();
    let rows = logs["data"].as_array().expect("rows").len();
    assert_eq!(rows, 2, "{logs}");
    let delivery = logs["data"][0]["id"].as_str().expect("an id").to_owned();
    let shown = s.scene.get(&format!("/api/v1/deliveries/{delivery}"));
    let attempts = shown["data"]["attempts"].as_array().expect("attempts");
    assert_eq!(attempts.len(), 2, "{shown}");
    "two deliveries; the failed one, by its id, shows both of its attempts".into()
}

pub fn bounds_logs(s: &mut Stage) -> String {
    let path = s.logs()["webhook"].as_str().expect("a path").to_owned();
    let newest = s.logs()["data"][0].clone();
    let one = s.scene.get(&format!("{path}/logs?limit=1"));
    assert_eq!(one["data"], json!([newest]));
    "?limit=50 gave both rows, ?limit=1 the newest".into()
}

/// A field of the logs: of the first delivery, which was taken, and of the second, which failed twice.
pub fn logged(s: &mut Stage, name: &str, fits: fn(&Value, &Value) -> bool) -> String {
    let rows = &s.logs()["data"];
    let field = |n: usize| rows[n].get(name).cloned();
    let (good, bad) = (field(1), field(0));
    let shown = |value: &Option<Value>| value.as_ref().map_or("not there".into(), Value::to_string);
    let (told, null) = (format!("{} of the first, {} of the second", shown(&good), shown(&bad)), Value::Null);
    assert!(fits(good.as_ref().unwrap_or(&null), bad.as_ref().unwrap_or(&null)), "{told}");
    told
}

/// Whether these are times, the first not after the second.
pub fn is_before(one: &Value, two: &Value) -> bool {
    let at = |value: &Value| value.as_str().and_then(time::parse);
    at(one).zip(at(two)).is_some_and(|(one, two)| one <= two)
}

pub fn no_answer_is_logged(s: &mut Stage) -> String {
    s.scene.delivery_within(&s.hanging.1, 1, 20);
    let row = s.scene.get(&format!("{}/logs", s.hanging.0.path))["data"][0].take();
    assert_eq!(row.get("status_code"), Some(&Value::Null), "{row}");
    let took = row["response_time_ms"].as_u64().expect("a duration");
    let why = row["last_error"].as_str().expect("a text");
    assert!(took >= 5000 && why.contains("time"), "{row}");
    let answered = s.logs()["data"][0]["last_error"].clone();
    format!("no answer: null, {took} ms, {why:?}; an answer of 500: {answered}")
}

/// The guide's command with these words replaced; the status and the reply.
fn curl(s: &mut Stage, url: &str, token: &str) -> (u16, Value) {
    let host = s.scene.server.url("");
    let replaced = [
        ("https://app.daycopilot.ai", &*host),
        ("https://abc123.ngrok.io/webhooks/daycopilot", url),
        ("$TOKEN", token),
    ];
    s.scene.shell(printed::CURL, &replaced)
}

pub fn the_curl_works(s: &mut Stage) -> String {
    let receiver = Receiver::start(|_, _| Answer::Challenge);
    let key = s.scene.client.key().to_owned();
    let (status, reply) = curl(s, &receiver.url(PATH), &key);
    assert_eq!(status, 201, "{reply}");
    assert_eq!(reply["data"]["events"], json!(["task.created"]));
    let id = reply["data"]["id"].as_str().expect("an id");
    assert_eq!(s.scene.client.request("DELETE", &format!("/api/v1/webhooks/{id}"), b"").status, 204);
    "201, though curl -d says that its JSON is a form".into()
}

pub fn a_wrong_token_is_refused(s: &mut Stage) -> String {
    let (status, reply) = curl(s, "https://example.com/", "nobody's");
    assert_eq!((status, &reply["error"]["code"]), (401, &json!("unauthorized")));
    let none = Client::new(s.scene.server.address, "").get("/api/v1/webhooks").status;
    assert_eq!(none, 401);
    "201 with the key, 401 with another word or none".into()
}

pub fn a_missing_secret_is_made(s: &mut Stage) -> String {
    let receiver = Receiver::start(|_, _| Answer::Challenge);
    let key = s.scene.client.key().to_owned();
    let (_, reply) = curl(s, &receiver.url(PATH), &key);
    let made = &reply["data"];
    assert_eq!(
        (&made["status"], made["secret"].as_str().is_some_and(|secret| secret.len() >= 16)),
        (&json!("unverified"), true)
    );
    let path = format!("/api/v1/webhooks/{}", made["id"].as_str().expect("an id"));
    let shown = s.scene.until(&path, |reply| reply["data"]["status"] == "active");
    assert_eq!(shown["data"].get("secret"), None);
    assert!(is_question(&receiver.next().message.body));
    assert_eq!(s.scene.client.request("DELETE", &path, b"").status, 204);
    "the reply shows the generated secret, once, and says unverified; then the endpoint was asked, and it is active"
        .into()
}

pub fn can_be_polled_as_well(s: &mut Stage) -> String {
    let got = s.published(json!({"type": "task.updated", "data": {}})).json();
    let list = s.scene.get("/api/v1/events?type=task.updated");
    assert_eq!(list["data"][0]["id"], got["id"], "{list}");
    "the webhook was served, and GET /api/v1/events lists the same event in `data`".into()
}

pub fn tasks_are_not_here(s: &mut Stage) -> String {
    let reply = s.scene.client.get("/api/v1/tasks?updated_after=2025-11-02T12:00:00Z");
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (404, &json!("not_found")));
    "404 in the usual shape".into()
}
