//! A server of the cathcr contract, and what several rows look at.

use serde_json::{Value, json};

use super::super::acts::{self, body, has_fields, text};
use super::super::line::{Line, Registered, SECRET, Silent, Stopped};
use super::super::{Wait, waits};
use crate::endpoint::{Endpoint, Got};
use crate::like::assert_like;
use crate::scene::Scene;
use crate::support::{Answer, Arrived, Receiver};

pub const SIGNATURE: &str = "x-cathcr-signature-256";
pub const DELIVERY: &str = "x-cathcr-delivery";

/// The call that the guide prints.
pub const CREATE: &str = r#"{
  "url": "https://your-app.com/webhooks/cathcr",
  "events": [
    "thought.created",
    "thought.updated",
    "reminder.due"
  ],
  "secret": "your_webhook_secret",
  "active": true,
  "description": "Main application webhook"
}"#;

/// The addresses that the guide prints, and one of this machine, which requests of the test then come from.
pub const EGRESS: [&str; 5] =
    ["52.89.214.238/32", "54.187.174.169/32", "54.187.205.235/32", "52.89.218.196/32", "127.0.0.9/32"];

/// A server, and what several rows look at, made by the first that asks.
pub struct Stage {
    pub scene: Scene,
    pub silent: Silent,
    pub receiver: Receiver,
    /// The reply to the guide's create call.
    pub made: Option<Value>,
    /// A webhook of one type, its delivery's id and the request.
    pub sent: Option<(Line, String, Arrived)>,
    pub waits: Vec<Wait>,
    pub stopped: Option<Stopped>,
    /// A webhook whose endpoint breaks off, after two attempts.
    pub broken: Option<Line>,
}

impl Stage {
    pub fn start() -> Option<Self> {
        let mut scene = Scene::start_with(&[("HOOKWHEEL__DELIVER__EGRESS", &EGRESS.join(","))])?;
        let silent = Silent::begin(&mut scene, "cathcr");
        let receiver = Receiver::start(|_, _| Answer::Status(200));
        let waits = Vec::new();
        Some(Self { scene, silent, receiver, made: None, sent: None, waits, stopped: None, broken: None })
    }

    pub fn made(&mut self) -> Value {
        if self.made.is_none() {
            let url = self.receiver.url("/webhooks/cathcr");
            let create = CREATE.replace("https://your-app.com/webhooks/cathcr", &url);
            let reply = self.scene.client.request("POST", "/webhooks", create.as_bytes());
            assert_eq!(reply.status, 201, "{}", reply.json());
            self.made = Some(reply.json());
        }
        self.made.clone().expect("just made")
    }

    pub fn path(&mut self) -> String {
        format!("/webhooks/{}", text(&self.made()["id"]))
    }

    /// Asserts a field of the reply to create and of GET.
    pub fn shows(&mut self, field: &str, expected: &Value) -> String {
        let (path, made) = (self.path(), self.made());
        assert_like(&made[field], expected);
        assert_like(&self.scene.get(&path)[field], expected);
        made[field].to_string()
    }

    /// The request of a test call of this type.
    pub fn sample(&mut self, kind: &str) -> Arrived {
        let path = self.path();
        let test = self.scene.post(&format!("{path}/test"), json!({ "event": kind }), 202);
        let got = acts::arrival(&self.receiver, DELIVERY, &test["delivery_id"]);
        assert_eq!(got.header("x-cathcr-event"), Some(kind));
        got
    }

    /// Asserts that the whole body of a type is the guide's, but for its time and the webhook's id.
    pub fn body_is(&mut self, kind: &str, data: &str) -> String {
        let id = self.made()["id"].clone();
        let data: Value = serde_json::from_str(data).expect("the guide's JSON");
        let whole = json!({"event": kind, "timestamp": "<time>", "data": data, "webhook_id": id});
        assert_like(&body(&self.sample(kind)), &whole);
        format!("the whole body, data {} …", data.to_string().chars().take(40).collect::<String>())
    }

    /// Asserts that a type that the guide shows no body of comes in the same envelope, and has these in its data.
    pub fn body_has(&mut self, kind: &str, fields: &[&str]) -> String {
        let got = body(&self.sample(kind));
        has_fields(&got, &["event", "timestamp", "data", "webhook_id"]);
        for field in fields {
            assert!(got["data"].pointer(field).is_some_and(|value| !value.is_null()), "no {field} in {got}");
        }
        format!("the envelope, data with {}", fields.join(", "))
    }

    pub fn sent(&mut self) -> &(Line, String, Arrived) {
        if self.sent.is_none() {
            let line = Line::open(&mut self.scene, "cathcr", json!({}), |_| Answer::Status(200));
            let event = json!({"type": line.kind, "created_at": "2024-01-15T10:30:00Z", "data": {"n": 1}});
            let event = self.scene.publish(event);
            let delivery = self.scene.delivery_of(&event, &line.id);
            let got = line.receiver.next();
            self.scene.delivery_in(&delivery, "succeeded");
            self.sent = Some((line, delivery, got));
        }
        self.sent.as_ref().expect("just sent")
    }

    pub fn header(&mut self, name: &str) -> String {
        self.sent().2.header(name).unwrap_or_else(|| panic!("no {name}")).to_owned()
    }

    /// What follows the n-th failed attempt, when only used-up retries disable.
    pub fn after(&mut self, n: usize) -> &Wait {
        if self.waits.is_empty() {
            self.waits = waits(&mut self.scene, "cathcr", 6, &json!({"disable": {"after": "deliveries"}}));
        }
        &self.waits[n - 1]
    }

    pub fn stopped(&mut self) -> &Stopped {
        if self.stopped.is_none() {
            self.stopped = Some(Stopped::after_five(&mut self.scene, "cathcr", 6));
        }
        self.stopped.as_ref().expect("just made")
    }

    /// What the guide's API lists of the delivery that was taken.
    pub fn listed(&mut self) -> Value {
        let path = format!("/webhooks/{}/deliveries", self.sent().0.id);
        self.scene.get(&path)
    }

    /// The row of a delivery whose endpoint broke off twice.
    pub fn failing(&mut self) -> Value {
        if self.broken.is_none() {
            let settings = json!({"retry": {"delays": [0, 900], "jitter_percent": 0}});
            let line = Line::open(&mut self.scene, "cathcr", settings, |_| Answer::Close);
            let delivery = line.send(&mut self.scene, json!({}));
            self.scene.delivery_after(&delivery, 2);
            self.broken = Some(line);
        }
        let path = format!("/webhooks/{}/deliveries", self.broken.as_ref().expect("just made").id);
        self.scene.get(&path)["deliveries"][0].take()
    }

    /// A receiver of the guide, and what it makes of the test event of this type.
    pub fn taken_by(&mut self, name: &str, secret: &str, kind: &str) -> Got {
        let endpoint: Endpoint = self.scene.endpoint(name, secret);
        let made = json!({"url": endpoint.url("/webhooks/cathcr"), "events": ["row.taken"]});
        let made = Registered::at(&mut self.scene, "/webhooks", made);
        self.scene.post(&format!("{}/test", made.path), json!({ "event": kind }), 202);
        endpoint.next()
    }

    /// What the guide's functions say of the request that arrived.
    pub fn printed(&mut self, secret: &str) -> Value {
        let got = self.sent().2.clone();
        acts::printed(&self.scene, &got, SIGNATURE, secret)
    }
}

/// A receiver that says of a signature whether it is one.
pub fn statuses(s: &mut Stage, name: &str) -> String {
    let right = s.taken_by(name, SECRET, "thought.created");
    let wrong = s.taken_by(name, "another secret", "thought.created");
    assert_eq!((right.status, wrong.status), (200, 401));
    format!("200; with another secret {}", wrong.status)
}
