//! A server of the taskflow contract, and what several rows look at.

use serde_json::{Value, json};

use super::super::acts::{self, body, digits, text};
use super::super::line::{Line, Silent, Stopped};
use super::super::{Wait, waits};
use crate::scene::Scene;
use crate::support::{Answer, Arrived, Receiver};

pub const SIGNATURE: &str = "x-taskflow-signature";
pub const DELIVERY: &str = "x-taskflow-delivery-id";

/// The call that the guide prints.
pub const CREATE: &str = r#"{
  "url": "https://yourapp.com/webhooks/taskflow",
  "events": ["task.created", "task.updated", "task.completed"],
  "secret": "your_generated_secret_key",
  "enabled": true
}"#;
pub const GUIDES_SECRET: &str = "your_generated_secret_key";

/// A server, and what several rows look at, made by the first that asks.
pub struct Stage {
    pub scene: Scene,
    pub receiver: Receiver,
    pub silent: Silent,
    pub made: Option<(String, Value)>,
    pub sent: Option<(Value, Arrived)>,
    pub waits: Vec<Wait>,
    pub stopped: Option<Stopped>,
}

impl Stage {
    pub fn start() -> Option<Self> {
        let mut scene = Scene::start()?;
        let silent = Silent::begin(&mut scene, "taskflow");
        let receiver = Receiver::start(|_, _| Answer::Status(200));
        Some(Self { scene, receiver, silent, made: None, sent: None, waits: Vec::new(), stopped: None })
    }

    /// The reply to the guide's create call, as text and as JSON.
    pub fn made(&mut self) -> (String, Value) {
        if self.made.is_none() {
            let url = self.receiver.url("/webhooks/taskflow");
            let create = CREATE.replace("https://yourapp.com/webhooks/taskflow", &url);
            let reply = self.scene.client.request("POST", "/v2/webhooks", create.as_bytes());
            assert_eq!(reply.status, 201);
            self.made = Some((String::from_utf8(reply.message.body.clone()).expect("UTF-8"), reply.json()));
        }
        self.made.clone().expect("just made")
    }

    /// A field of that reply.
    pub fn field(&mut self, name: &str) -> Value {
        self.made().1[name].clone()
    }

    /// The path of that webhook.
    pub fn path(&mut self) -> String {
        format!("/v2/webhooks/{}", text(&self.field("id")))
    }

    /// The guide's event: the reply to its publish, and what arrived.
    pub fn sent(&mut self) -> (Value, Arrived) {
        if self.sent.is_none() {
            self.made();
            let event = json!({
                "type": "task.created", "created_at": "2024-02-10T16:45:22Z",
                "data": {"id": "task_abc123", "title": "Deploy to production", "status": "open", "priority": "high"},
                "actor": {"user_id": "user_456"},
            });
            let reply = self.scene.publish_text(&event.to_string());
            let got = loop {
                let got = self.receiver.next();
                if digits(&text(&body(&got)["id"])) == digits(&text(&reply["data"]["id"])) {
                    break got;
                }
            };
            self.sent = Some((reply, got));
        }
        self.sent.clone().expect("just sent")
    }

    /// A header of that request.
    pub fn header(&mut self, name: &str) -> String {
        self.sent().1.header(name).unwrap_or_else(|| panic!("no {name}")).to_owned()
    }

    /// What the test call of a type sends, in its envelope.
    pub fn sample(&mut self, kind: &str) -> Value {
        let path = self.path();
        let test = self.scene.post(&format!("{path}/test"), json!({ "event_type": kind }), 202);
        let got = acts::arrival(&self.receiver, DELIVERY, &test["delivery_id"]);
        assert_eq!(got.header("x-taskflow-event"), Some(kind));
        body(&got)
    }

    /// Asserts that the sample of a type has these fields in its data.
    pub fn sample_has(&mut self, kind: &str, fields: &[&str]) -> String {
        let data = self.sample(kind)["data"].take();
        for field in fields {
            assert!(data.pointer(field).is_some_and(|value| !value.is_null()), "no {field} in {data}");
        }
        format!("arrived with {}", fields.join(", "))
    }

    /// What follows the n-th failed attempt.
    pub fn after(&mut self, n: usize) -> &Wait {
        if self.waits.is_empty() {
            self.waits = waits(&mut self.scene, "taskflow", 4, &json!({}));
        }
        &self.waits[n - 1]
    }

    pub fn stopped(&mut self) -> &Stopped {
        if self.stopped.is_none() {
            self.stopped = Some(Stopped::after_five(&mut self.scene, "taskflow", 5));
        }
        self.stopped.as_ref().expect("just made")
    }

    /// The rows of a delivery that needed two attempts, as the guide's call lists them: the newest first.
    pub fn listed(&mut self) -> Vec<Value> {
        let line = Line::open(
            &mut self.scene,
            "taskflow",
            json!({"retry": {"delays": [0, 900], "jitter_percent": 0}}),
            |_| Answer::Status(500),
        );
        line.send(&mut self.scene, json!({}));
        let path = format!("/v2/webhooks/{}/deliveries", line.id);
        let both = |reply: &Value| reply["data"].as_array().is_some_and(|rows| rows.len() == 2);
        self.scene.until(&path, both)["data"].as_array().expect("rows").clone()
    }

    /// What the guide's functions say of the request that arrived.
    pub fn printed(&mut self, secret: &str) -> Value {
        let (_, got) = self.sent();
        acts::printed(&self.scene, &got, SIGNATURE, secret)
    }
}
