//! The calls of the guide, and what they show.

use serde_json::{Value, json};

use super::super::acts::{has_fields, text};
use super::super::line::{Registered, SECRET};
use super::stage::Stage;
use crate::like::assert_like;
use crate::support::{Answer, Client, Receiver};

pub fn only_with_a_key(s: &mut Stage) -> String {
    let path = s.path();
    let mut nobody = Client::new(s.scene.server.address, "no key");
    let calls = [
        ("POST", "/webhooks".to_owned()),
        ("GET", "/webhooks".into()),
        ("GET", path.clone()),
        ("PATCH", path.clone()),
        ("DELETE", path.clone()),
        ("GET", format!("{path}/deliveries")),
        ("POST", format!("{path}/test")),
        ("GET", format!("{path}/logs?limit=50")),
        ("POST", format!("{path}/replay/delivery_123")),
    ];
    for (method, path) in &calls {
        assert_eq!(nobody.request(method, path, b"{}").status, 401, "{method} {path}");
    }
    format!("{} calls: 401", calls.len())
}

pub fn events(s: &mut Stage) -> String {
    s.made();
    let kinds = ["thought.created", "thought.updated", "reminder.due", "thought.deleted", "reminder.created"];
    let seen = kinds.map(|kind| s.scene.publish_text(&json!({"type": kind, "data": {}}).to_string()));
    let seen = seen.map(|reply| reply["data"]["deliveries"].as_u64().unwrap_or_default());
    assert_eq!(seen, [1, 1, 1, 0, 0], "{kinds:?}");
    "the three 1 each, thought.deleted 0, reminder.created 0".into()
}

pub fn active(s: &mut Stage) -> String {
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let made = json!({"url": receiver.url("/"), "events": ["row.active"], "active": false});
    let made = Registered::at(&mut s.scene, "/webhooks", made);
    let event = s.scene.publish(json!({"type": "row.active", "data": {}}));
    let delivery = s.scene.delivery_of(&event, &made.id);
    s.scene.delivery_in(&delivery, "held");
    assert!(receiver.arrived.try_recv().is_err(), "it was sent");
    s.scene.ask("PATCH", &made.path, json!({"active": true}), 200);
    receiver.next();
    "false: held; true: sent".into()
}

pub fn nine_fields(s: &mut Stage) -> String {
    let fields = ["id", "url", "events", "active", "secret", "created_at", "last_delivery", "delivery_count"];
    has_fields(&s.made(), &[fields.as_slice(), &["failure_count", "description"]].concat())
}

pub fn url(s: &mut Stage) -> String {
    let url = s.receiver.url("/webhooks/cathcr");
    s.shows("url", &json!(url))
}

pub fn secret(s: &mut Stage) -> String {
    let (path, made) = (s.path(), s.made());
    assert_eq!((&made["secret"], s.scene.get(&path).get("secret")), (&json!(SECRET), None));
    let list = s.scene.get("/webhooks").to_string();
    assert!(!list.contains(SECRET), "{list}");
    "in the reply to create; not in GET, nor in the list".into()
}

pub fn last_delivery(s: &mut Stage) -> String {
    assert_eq!(s.made()["last_delivery"], Value::Null);
    let path = format!("/webhooks/{}", s.sent().0.id);
    let after = s.scene.until(&path, |shown| !shown["last_delivery"].is_null())["last_delivery"].take();
    assert_like(&after, &json!("<time>"));
    format!("null, then {}", text(&after))
}

pub fn delivery_count(s: &mut Stage) -> String {
    assert_eq!(s.made()["delivery_count"], 0);
    let path = format!("/webhooks/{}", s.sent().0.id);
    assert_eq!(s.scene.get(&path)["delivery_count"], 1);
    "0, then 1".into()
}

pub fn failure_count(s: &mut Stage) -> String {
    assert_eq!(s.made()["failure_count"], 0);
    s.failing();
    let path = format!("/webhooks/{}", s.broken.as_ref().expect("made").id);
    assert_eq!(s.scene.get(&path)["failure_count"], 2);
    "0, then 2".into()
}

pub fn list(s: &mut Stage) -> String {
    let id = s.made()["id"].clone();
    let list = s.scene.get("/webhooks");
    has_fields(&list, &["webhooks", "pagination"]);
    assert!(list["webhooks"].as_array().expect("a list").iter().any(|webhook| webhook["id"] == id), "{list}");
    format!("it is there; pagination {}", list["pagination"])
}

pub fn get(s: &mut Stage) -> String {
    let path = s.path();
    assert_eq!(s.scene.get(&path)["url"], s.made()["url"]);
    s.scene.ask("GET", "/webhooks/webhook_00000000000000000000000000000000", Value::Null, 404);
    "200; 404 for another".into()
}

pub fn change(s: &mut Stage) -> String {
    let made = json!({"url": "https://your-app.com/", "events": ["*"], "description": "What it is for"});
    let made = Registered::at(&mut s.scene, "/webhooks", made);
    let change = json!({"events": ["thought.created", "reminder.due"], "active": false});
    let changed = s.scene.ask("PATCH", &made.path, change.clone(), 200);
    assert_eq!((&changed["events"], &changed["active"]), (&change["events"], &json!(false)));
    assert_eq!((&changed["url"], &changed["description"]), (&made.reply["url"], &made.reply["description"]));
    format!("200, active {}, events {}", changed["active"], changed["events"])
}

pub fn delete(s: &mut Stage) -> String {
    let made = Registered::at(&mut s.scene, "/webhooks", json!({"url": "https://your-app.com/", "events": ["*"]}));
    let reply = s.scene.client.request("DELETE", &made.path, b"");
    assert_eq!((reply.status, s.scene.client.get(&made.path).status), (204, 404));
    "204, then 404".into()
}

pub fn why_it_gets_nothing(s: &mut Stage) -> String {
    let id = s.stopped().line.id.clone();
    let shown = s.scene.get(&format!("/webhooks/{id}"));
    assert_eq!((&shown["active"], shown["events"].as_array().map(Vec::len)), (&json!(false), Some(1)));
    format!("active false, events {}, why: {}", shown["events"], text(&shown["disabled_reason"]))
}
