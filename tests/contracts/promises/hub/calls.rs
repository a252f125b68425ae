//! The calls of the guide, and what they show.

use serde_json::json;

use super::super::acts::{self, text};
use super::stage::{CREATE, Stage};

pub fn other_token(s: &mut Stage) -> String {
    let host = s.scene.server.url("");
    let (status, reply) = s.scene.shell(CREATE, &[("https://api.example.com", &host)]);
    assert_eq!(status, 401, "{reply}");
    format!("401: {}", text(&reply["error"]["message"]))
}

pub fn name(s: &mut Stage) -> String {
    let (path, made) = (s.path(), s.made());
    assert_eq!((&made["name"], &s.scene.get(&path)["name"]), (&json!("My Webhook"), &json!("My Webhook")));
    text(&made["name"])
}

pub fn events(s: &mut Stage) -> String {
    assert_eq!(s.made()["events"], json!(["task.completed", "task.updated"]));
    let seen = ["task.completed", "task.updated", "task.created"].map(|kind| {
        let reply = s.scene.publish_text(&json!({"type": kind, "data": {}}).to_string());
        reply["data"]["deliveries"].as_u64().unwrap_or_default()
    });
    assert_eq!(seen, [1, 1, 0]);
    "task.completed 1, task.updated 1, task.created 0".into()
}

pub fn documented(s: &mut Stage) -> String {
    let document = acts::document(&mut s.scene, "hub");
    for part in ["X-Hub-Signature", "X-Delivery-ID", "task.completed", "2 minutes 5 seconds"] {
        assert!(document.contains(part), "no {part}");
    }
    format!("/docs/webhooks/hub, {} lines", document.lines().count())
}
