//! How much there may be of what.

use serde_json::json;

use super::super::acts::{self, text};
use super::super::line::{Line, Registered};
use super::stage::{Stage, limits, now};
use crate::support::Answer;

pub fn sixty_a_minute(s: &mut Stage) -> String {
    let limited = s.limited();
    assert_eq!(limited.line.receiver.arrived.try_iter().count(), 60);
    let (id, path, began) = (limited.waiting.clone(), limited.line.webhook.path.clone(), limited.began);
    let delivery = s.scene.get(&format!("/api/v1/deliveries/{id}"))["data"].take();
    assert_eq!((&delivery["state"], &delivery["attempts"]), (&json!("pending"), &json!([])), "{delivery}");
    let until = text(&s.scene.get(&path)["data"]["lane"]["until"]);
    let seconds = hookwheel::domain::time::parse(&until).expect("a time") / 1000;
    assert!((began + 59..=now() + 61).contains(&seconds), "{until}");
    format!("60 requests; the next waits until {until}, {} s after the first", seconds - began)
}

pub fn of_one_endpoint(s: &mut Stage) -> String {
    s.limited();
    let seen = acts::arrives(&mut s.scene, "hub");
    assert_eq!(s.limits()[1], 0, "the first waits still");
    seen
}

pub fn another_limit(s: &mut Stage) -> String {
    let made = json!({"name": "Less", "url": "https://your-domain.com/", "events": ["row.less"], "rateLimit": {"perMinute": 30}});
    let made = Registered::at(&mut s.scene, "/api/webhooks", made);
    let limit = limits(&s.scene.client.get(&made.path))[0];
    assert_eq!(limit, 30);
    format!("rateLimit.perMinute 30: X-RateLimit-Limit {limit}")
}

pub fn headers(s: &mut Stage) -> String {
    let [all, _, _] = limits(&s.scene.client.get("/api/webhooks"));
    let path = s.path();
    let [one, _, _] = limits(&s.scene.client.get(&path));
    assert!(all != 60 && one == 60, "{all}, {one}");
    format!("list {all}, webhook {one}")
}

pub fn limit_header(s: &mut Stage) -> String {
    let [limit, _, _] = s.limits();
    assert_eq!(limit, 60);
    limit.to_string()
}

pub fn remaining_header(s: &mut Stage) -> String {
    let line = Line::open(&mut s.scene, "hub", json!({}), |_| Answer::Status(200));
    let path = format!("/api/webhooks/{}", line.id);
    let [_, idle, _] = limits(&s.scene.client.get(&path));
    line.first(&mut s.scene);
    let [_, after, _] = limits(&s.scene.client.get(&path));
    let [_, none, _] = s.limits();
    assert_eq!([idle, after, none], [60, 59, 0]);
    "60, 59, 0".into()
}

pub fn reset_header(s: &mut Stage) -> String {
    let began = s.limited().began;
    let [_, _, reset] = s.limits();
    assert!((began + 59..=now() + 61).contains(&reset), "{reset}, now {}", now());
    format!("{} s after its first request", reset - began)
}

pub fn too_many_requests(s: &mut Stage) -> String {
    let path = format!("/api/webhooks/{}/test", s.limited().line.id);
    let reply = s.scene.client.request("POST", &path, b"{}");
    assert_eq!((reply.status, limits(&reply)[1]), (429, 0), "{}", reply.json());
    format!("429, Retry-After {}", reply.message.header("retry-after").expect("it says when"))
}

pub fn tried_again(s: &mut Stage) -> String {
    let asked = |_: &crate::support::Message| {
        Answer::Bytes(b"HTTP/1.1 429 Told\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
    };
    let line = Line::open(&mut s.scene, "hub", json!({}), asked);
    let shown = line.first(&mut s.scene);
    assert_eq!((&shown["state"], &shown["attempts"][0]["status_code"]), (&json!("scheduled"), &json!(429)));
    format!("after 429 the delivery is scheduled for {}", text(&shown["next_attempt_at"]))
}
