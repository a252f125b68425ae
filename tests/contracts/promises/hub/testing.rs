//! What the guide offers to those who try their endpoint.

use serde_json::{Value, json};

use super::super::acts::{body, text};
use super::super::line::Line;
use super::stage::{SEND_TEST, Stage};
use crate::support::Answer;

pub fn no_live_events(s: &mut Stage) -> String {
    s.testing();
    let id = text(&s.testing()["id"]);
    let event = s.scene.publish(json!({"type": "task.completed", "data": {"row": 142}}));
    let shown = s.scene.get(&format!("/api/v1/events/{event}"));
    assert!(!shown["data"]["deliveries"].to_string().contains(&id), "{shown}");
    "no delivery is made for it".into()
}

pub fn of_signatures(s: &mut Stage) -> String {
    let path = s.path();
    let test = s.scene.ask("POST", &format!("{path}/test"), Value::Null, 202);
    assert_eq!((&test["success"], &test["statusCode"]), (&json!(true), &json!(200)));
    format!("success, 200, {}", text(&test["responseBody"]))
}

pub fn of_rate_limits(s: &mut Stage) -> String {
    let settings = json!({"rate_limit": {"per_minute": 2, "burst": 2}});
    let line = Line::open(&mut s.scene, "hub", settings, |_| Answer::Status(200));
    let path = format!("/api/webhooks/{}/test", line.id);
    let seen = [(); 3].map(|()| s.scene.client.request("POST", &path, b"{}").status);
    assert_eq!(seen, [202, 202, 429]);
    "202, 202, 429".into()
}

pub fn registered(s: &mut Stage) -> String {
    let made = s.testing();
    assert_eq!(made["testMode"], true);
    "201, testMode true".into()
}

pub fn test_events_only(s: &mut Stage) -> String {
    s.testing();
    s.scene.publish(json!({"type": "task.completed", "data": {"row": "none"}}));
    s.scene.publish(json!({"type": "task.completed", "test": true, "data": {"row": 151}}));
    let got = s.testing.as_ref().expect("made").0.next();
    assert_eq!(body(&got), json!({"row": 151}));
    "the test event alone".into()
}

pub fn call(s: &mut Stage) -> String {
    let id = text(&s.made()["id"]);
    let (status, reply) = s.shell(SEND_TEST, &[("{webhook-id}", &id)]);
    assert_eq!((status, &reply["statusCode"]), (202, &json!(200)), "{reply}");
    format!("202, the endpoint answered {}", reply["statusCode"])
}

pub fn body_of_the_call(s: &mut Stage) -> String {
    let id = text(&s.made()["id"]);
    s.shell(SEND_TEST, &[("{webhook-id}", &id)]);
    let endpoint = &s.express.as_ref().expect("made").0;
    let got = loop {
        let got = endpoint.next();
        if got.json()["status"] == "completed" {
            break got.verified();
        }
    };
    assert_eq!(got.body, r#"{"taskId":"123","status":"completed"}"#);
    format!("{} as {}", got.body, got.header("x-event-type"))
}
