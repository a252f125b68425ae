//! Who a request is from: keys, secrets, signatures, and the guide's own functions.

use serde_json::{Value, json};

use super::super::acts::{self, text};
use super::super::line::{Line, Registered, SECRET};
use super::stage::{GUIDES_SECRET, SIGNATURE, Stage};
use crate::scene::catalogue;
use crate::support::{Answer, Arrived};

pub fn secret(s: &mut Stage) -> String {
    let got = s.express(json!({"row": 23}));
    assert_eq!(got.header(SIGNATURE), format!("sha256={}", acts::hmac(got.body.as_bytes(), GUIDES_SECRET)));
    let (path, made) = (s.path(), s.made());
    assert_eq!((made.get("secret"), s.scene.get(&path).get("secret")), (None, None));
    "the same; not shown again".into()
}

pub fn on_every_request(s: &mut Stage) -> String {
    let mut all: Vec<Arrived> = catalogue("hub").iter().map(|(kind, _)| s.sample(kind)).collect();
    all.extend(acts::twice(&mut s.scene, "hub"));
    let line = Line::open(&mut s.scene, "hub", json!({}), |_| Answer::Status(200));
    let delivery = line.send(&mut s.scene, json!({}));
    s.scene.delivery_in(&delivery, "succeeded");
    s.scene.ask("POST", &format!("{}/replay/{delivery}", line.webhook.path), Value::Null, 202);
    all.extend([line.receiver.next(), line.receiver.next()]);
    all.iter().for_each(|got| drop(acts::is_signature(got.header(SIGNATURE).unwrap_or_default())));
    format!("all of {}", all.len())
}

pub fn as_printed(s: &mut Stage) -> String {
    let got = s.sent().1.clone();
    let said = acts::printed(&s.scene, &got, SIGNATURE, SECRET)["node"]["hub"].clone();
    let signature = got.header(SIGNATURE).unwrap_or_default();
    let changed = acts::said_of(&s.scene, r#"{"taskId":"124"}"#, signature, SECRET)["node"]["hub"].clone();
    assert_eq!((said, changed), (json!(true), json!(false)));
    "true; changed: false".into()
}

pub fn survives_stringify(s: &mut Stage) -> String {
    s.made();
    let event =
        r#"{"type": "task.updated", "data": {"row": 61, "b": 1.0, "2": 1e16, "1": 9007199254740993, "ä": "\u00e9\/"}}"#;
    let reply = s.scene.publish_text(event);
    let endpoint = &s.express.as_ref().expect("made").0;
    let got = loop {
        let got = endpoint.next();
        if got.json()["row"] == 61 {
            break got;
        }
    };
    assert_eq!((got.status, reply["warnings"].as_array().map(Vec::len)), (200, Some(1)), "{reply}");
    format!("200 for {}", got.body)
}

pub fn wrong_secret(s: &mut Stage) -> String {
    let endpoint = s.scene.endpoint("hub.mjs", "another secret");
    let made = json!({"name": "Other", "url": endpoint.url("/webhook"), "events": ["task.created"]});
    let made = Registered::at(&mut s.scene, "/api/webhooks", made);
    let test = s.scene.ask("POST", &format!("{}/test", made.path), Value::Null, 202);
    assert_eq!((&test["success"], &test["statusCode"]), (&json!(false), &json!(401)));
    format!("401: {}", text(&test["responseBody"]))
}

pub fn of_another_library(s: &mut Stage) -> String {
    let got = &s.sent().1;
    let expected = acts::hmac(&got.message.body, SECRET);
    assert_eq!(got.header(SIGNATURE), Some(format!("sha256={expected}").as_str()));
    format!("ring says the same: {}…", &expected[..8])
}
