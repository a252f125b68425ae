//! Who a request is from: keys, secrets, signatures, and the guide's own functions.

use serde_json::{Value, json};

use super::super::acts;
use super::super::line::{Line, SECRET};
use super::stage::{SIGNATURE, Stage};
use crate::scene::catalogue;
use crate::support::{Answer, Arrived};

pub fn of_another_library(s: &mut Stage) -> String {
    let got = &s.sent().2;
    let expected = acts::hmac(&got.message.body, SECRET);
    assert_eq!(got.header(SIGNATURE), Some(format!("sha256={expected}").as_str()));
    format!("ring says the same: {}…", &expected[..8])
}

pub fn secret(s: &mut Stage) -> String {
    let right = s.printed(SECRET)["node"]["cathcr"].clone();
    let wrong = s.printed("another secret")["node"]["cathcr"].clone();
    assert_eq!((right, wrong), (json!(true), json!(false)));
    "true, false".into()
}

pub fn on_every_request(s: &mut Stage) -> String {
    let mut all: Vec<Arrived> = catalogue("cathcr").iter().map(|(kind, _)| s.sample(kind)).collect();
    all.extend(acts::twice(&mut s.scene, "cathcr"));
    let line = Line::open(&mut s.scene, "cathcr", json!({}), |_| Answer::Status(200));
    let delivery = line.send(&mut s.scene, json!({}));
    s.scene.delivery_in(&delivery, "succeeded");
    s.scene.ask("POST", &format!("/webhooks/{}/replay/{delivery}", line.id), Value::Null, 202);
    all.extend([line.receiver.next(), line.receiver.next()]);
    all.iter().for_each(|got| drop(acts::is_signature(got.header(SIGNATURE).unwrap_or_default())));
    format!("all of {}", all.len())
}

pub fn node(s: &mut Stage) -> String {
    let said = s.printed(SECRET)["node"]["cathcr"].clone();
    assert_eq!(said, true);
    "true".into()
}

pub fn python(s: &mut Stage) -> String {
    let said = s.printed(SECRET)["python"]["cathcr"].clone();
    assert_eq!(said, true);
    "true".into()
}

pub fn without_the_secret(s: &mut Stage) -> String {
    let said = s.printed(SECRET)["node"]["cathcr, error handling"].clone();
    assert_eq!(said, "ERR_INVALID_ARG_TYPE");
    "ERR_INVALID_ARG_TYPE as printed; true with the secret (line 312)".into()
}

pub fn raw_bytes(s: &mut Stage) -> String {
    let line = Line::open(&mut s.scene, "cathcr", json!({}), |_| Answer::Status(200));
    s.scene.publish_text(&format!(r#"{{"type":"{}","data":{{"n":9007199254740993}}}}"#, line.kind));
    let got = line.receiver.next();
    let raw = acts::printed(&s.scene, &got, SIGNATURE, SECRET)["node"]["cathcr"].clone();
    let sent = String::from_utf8(got.message.body.clone()).expect("UTF-8");
    assert!(sent.contains("9007199254740993"), "{sent}");
    let parsed = sent.replace("9007199254740993", "9007199254740992");
    let signature = got.header(SIGNATURE).unwrap_or_default();
    let parsed = acts::said_of(&s.scene, &parsed, signature, SECRET)["node"]["cathcr"].clone();
    assert_eq!((raw, parsed), (json!(true), json!(false)));
    "raw: true; as a parser of JavaScript has it: false".into()
}
