//! Who a request is from: keys, secrets, signatures, and the guide's own functions.

use serde_json::json;

use super::super::acts::{self, text};
use super::super::line::{Line, Registered, SECRET};
use super::stage::{DELIVERY, GUIDES_SECRET, SIGNATURE, Stage};
use crate::support::{Answer, Client, Server};

pub fn right_and_wrong_secret(s: &mut Stage) -> String {
    let endpoint = s.scene.endpoint("taskflow.mjs", SECRET);
    let made = json!({"url": endpoint.url("/webhooks/taskflow"), "events": ["row.verified"]});
    let made = Registered::at(&mut s.scene, "/v2/webhooks", made);
    s.scene.publish(json!({"type": "row.verified", "data": {"n": 9007199254740993_u64}}));
    let good = endpoint.next().status;
    s.scene.ask("PATCH", &made.path, json!({"secret": "another secret"}), 200);
    s.scene.publish(json!({"type": "row.verified", "data": {}}));
    let bad = endpoint.next().status;
    assert_eq!((good, bad), (200, 401));
    "a receiver in Express answers 200; with another secret 401".into()
}

pub fn flask(s: &mut Stage) -> String {
    let endpoint = s.scene.endpoint("taskflow.py", SECRET);
    let made = json!({"url": endpoint.url("/webhooks/taskflow"), "events": ["row.flask"]});
    let made = Registered::at(&mut s.scene, "/v2/webhooks", made);
    s.scene.post(&format!("{}/test", made.path), json!({"event_type": "task.created"}), 202);
    let got = endpoint.next();
    assert_eq!((got.status, got.said.as_slice()), (200, ["New task: Deploy to production".to_owned()].as_slice()));
    "200, and handle_task_created had the title".into()
}

pub fn flask_as_printed(s: &mut Stage) -> String {
    // Signed by the secret that it has in its code, so that the prefix is all that is wrong.
    let line = Line::open(&mut s.scene, "taskflow", json!({}), |_| Answer::Status(200));
    line.send(&mut s.scene, json!({}));
    let got = line.receiver.next();
    let with = acts::printed(&s.scene, &got, SIGNATURE, SECRET)["python"]["taskflow, endpoint"].clone();
    let text = String::from_utf8(got.message.body.clone()).expect("UTF-8");
    let bare = got.header(SIGNATURE).and_then(|value| value.strip_prefix("sha256=")).expect("the prefix");
    let without = acts::said_of(&s.scene, &text, bare, SECRET)["python"]["taskflow, endpoint"].clone();
    assert_eq!((with, without), (json!(false), json!(true)));
    "false as printed; true once the prefix is taken off".into()
}

pub fn secret(s: &mut Stage) -> String {
    let right = s.printed(GUIDES_SECRET)["node"]["taskflow"].clone();
    let wrong = s.printed("another secret")["node"]["taskflow"].clone();
    assert_eq!((right, wrong), (json!(true), json!(false)));
    "true, false".into()
}

pub fn of_another_library(s: &mut Stage) -> String {
    let (_, got) = s.sent();
    let expected = acts::hmac(&got.message.body, GUIDES_SECRET);
    assert_eq!(s.header(SIGNATURE), format!("sha256={expected}"));
    format!("ring says the same: {}…", &expected[..8])
}

pub fn on_every_request(s: &mut Stage) -> String {
    let kinds = crate::scene::catalogue("taskflow");
    let path = s.path();
    for (kind, _) in &kinds {
        let test = s.scene.post(&format!("{path}/test"), json!({ "event_type": kind }), 202);
        let got = acts::arrival(&s.receiver, DELIVERY, &test["delivery_id"]);
        acts::is_signature(got.header(SIGNATURE).unwrap_or_default());
    }
    let both = acts::twice(&mut s.scene, "taskflow");
    both.iter().for_each(|got| drop(acts::is_signature(got.header(SIGNATURE).unwrap_or_default())));
    format!("{} tests, and both attempts of a delivery", kinds.len())
}

pub fn one_header(s: &mut Stage) -> String {
    let (_, got) = s.sent();
    let count = got.message.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(SIGNATURE)).count();
    assert_eq!(count, 1);
    "one".into()
}

pub fn raw_body(s: &mut Stage) -> String {
    let line = Line::open(&mut s.scene, "taskflow", json!({}), |_| Answer::Status(200));
    let event = format!(r#"{{"type":"{}","data":{{"n":9007199254740993}}}}"#, line.kind);
    s.scene.publish_text(&event);
    let said = acts::printed(&s.scene, &line.receiver.next(), SIGNATURE, SECRET);
    let node = &said["node"];
    assert_eq!((&node["taskflow"], &node["taskflow, written again"]), (&json!(true), &json!(false)));
    "raw: true; parsed and written again: false".into()
}

pub fn changed_body(s: &mut Stage) -> String {
    let (_, got) = s.sent();
    let changed = String::from_utf8(got.message.body.clone()).expect("UTF-8").replace("open", "shut");
    let said = acts::said_of(&s.scene, &changed, got.header(SIGNATURE).unwrap_or_default(), GUIDES_SECRET);
    assert_eq!((&said["python"]["taskflow"], &said["node"]["taskflow"]), (&json!(false), &json!(false)));
    "Python false, Node.js false".into()
}

pub fn python(s: &mut Stage) -> String {
    let said = s.printed(GUIDES_SECRET)["python"]["taskflow"].clone();
    assert_eq!(said, true);
    "true".into()
}

pub fn languages(s: &mut Stage) -> String {
    let document = acts::document(&mut s.scene, "taskflow");
    let languages = ["JavaScript", "Python", "Go", "Ruby", "PHP", "Rust"];
    languages.iter().for_each(|name| assert!(document.contains(name), "no {name}"));
    languages.join(", ")
}

pub fn node(s: &mut Stage) -> String {
    let said = s.printed(GUIDES_SECRET)["node"]["taskflow"].clone();
    assert_eq!(said, true);
    "true".into()
}

pub fn https(_: &mut Stage) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start_strict(dir.path(), &[("HOOKWHEEL__DELIVER__BUILTIN_DIALECTS", "*")]);
    let create = |url: &str| json!({"url": url, "events": ["*"], "secret": SECRET});
    let plain = server.client().post("/v2/webhooks", &create("http://yourapp.com/"));
    let secure = server.client().post("/v2/webhooks", &create("https://yourapp.com/"));
    assert_eq!((plain.status, secure.status), (400, 201), "{}", plain.json());
    format!("http:// 400: {}", text(&plain.json()["error"]["message"]))
}

pub fn key(s: &mut Stage) -> String {
    let path = s.path();
    let (mine, nobody) = (s.scene.client.get(&path).status, Client::new(s.scene.server.address, "no key").get(&path));
    assert_eq!((mine, nobody.status), (200, 401));
    "200 with a key, 401 with another".into()
}
