//! A server of the hub contract, and what several rows look at.

use serde_json::{Value, json};

use super::super::acts::{self, body, text};
use super::super::line::{Line, Silent};
use super::super::{Wait, waits};
use crate::endpoint::{Endpoint, Got};
use crate::like::assert_like;
use crate::scene::{Scene, at_once};
use crate::support::http::Reply;
use crate::support::{Answer, Arrived, Receiver};

pub const SIGNATURE: &str = "x-hub-signature";
pub const DELIVERY: &str = "x-delivery-id";

/// The call that the guide prints.
pub const CREATE: &str = r#"curl -X POST https://api.example.com/api/webhooks \
  -H "Authorization: Bearer your-token" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "My Webhook",
    "url": "https://your-domain.com/webhook",
    "events": ["task.completed", "task.updated"],
    "secret": "your-secret-key"
  }'"#;
pub const CREATE_TESTING: &str = r#"curl -X POST https://api.example.com/api/webhooks \
  -H "Authorization: Bearer your-token" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "Test Webhook",
    "url": "https://your-domain.com/webhook",
    "events": ["task.completed"],
    "secret": "test-secret",
    "testMode": true
  }'"#;
pub const SEND_TEST: &str = r#"curl -X POST https://api.example.com/api/webhooks/{webhook-id}/test \
  -H "Authorization: Bearer your-token" \
  -H "Content-Type: application/json" \
  -d '{
    "taskId": "123",
    "status": "completed"
  }'"#;
pub const GUIDES_SECRET: &str = "your-secret-key";

/// A server, and what several rows look at, made by the first that asks.
pub struct Stage {
    pub scene: Scene,
    pub silent: Silent,
    /// The guide's own receiver, and the webhook that its call makes for it.
    pub express: Option<(Endpoint, Value)>,
    /// A webhook in test mode, as the guide's second call makes it.
    pub testing: Option<(Receiver, Value)>,
    /// A webhook of one type, its delivery and the request.
    pub sent: Option<(Line, Arrived)>,
    pub limited: Option<Limited>,
    pub waits: Vec<Wait>,
    pub failing: Option<Line>,
}

/// A webhook whose sixty requests of the minute have gone out, and the sixty-first event.
pub struct Limited {
    pub line: Line,
    /// When it began, in Unix seconds.
    pub began: u64,
    pub waiting: String,
}

impl Stage {
    pub fn start() -> Option<Self> {
        let mut scene = Scene::start()?;
        let silent = Silent::begin(&mut scene, "hub");
        let stage = Self {
            scene,
            silent,
            express: None,
            testing: None,
            sent: None,
            limited: None,
            waits: Vec::new(),
            failing: None,
        };
        Some(stage)
    }

    /// Runs a command of the guide, for its host, its token, and these.
    pub fn shell(&self, command: &str, more: &[(&str, &str)]) -> (u16, Value) {
        let host = self.scene.server.url("");
        let ours = [("https://api.example.com", host.as_str()), ("your-token", self.scene.server.key)];
        self.scene.shell(command, &[ours.as_slice(), more].concat())
    }

    /// The reply to the guide's create call.
    pub fn made(&mut self) -> Value {
        if self.express.is_none() {
            let endpoint = self.scene.endpoint("hub.mjs", GUIDES_SECRET);
            let url = endpoint.url("/webhook");
            let (status, reply) = self.shell(CREATE, &[("https://your-domain.com/webhook", &url)]);
            assert_eq!(status, 201, "{reply}");
            self.express = Some((endpoint, reply));
        }
        self.express.as_ref().expect("just made").1.clone()
    }

    pub fn path(&mut self) -> String {
        format!("/api/webhooks/{}", text(&self.made()["id"]))
    }

    /// What the guide's receiver gets for an event of this data.
    pub fn express(&mut self, data: Value) -> Got {
        self.made();
        self.scene.publish(json!({"type": "task.updated", "data": data}));
        let endpoint = &self.express.as_ref().expect("just made").0;
        loop {
            let got = endpoint.next();
            if got.json() == data {
                return got;
            }
        }
    }

    /// A request, of a webhook of its own.
    pub fn sent(&mut self) -> &(Line, Arrived) {
        if self.sent.is_none() {
            let line = Line::open(&mut self.scene, "hub", json!({}), |_| Answer::Status(200));
            let delivery = line.send(&mut self.scene, json!({"taskId": "123"}));
            let got = acts::arrival(&line.receiver, DELIVERY, &json!(delivery));
            self.sent = Some((line, got));
        }
        self.sent.as_ref().expect("just sent")
    }

    pub fn header(&mut self, name: &str) -> String {
        self.sent().1.header(name).unwrap_or_else(|| panic!("no {name}")).to_owned()
    }

    /// The request that a test call of this type makes, without data of the caller's.
    pub fn sample(&mut self, kind: &str) -> Arrived {
        let line = Line::open(&mut self.scene, "hub", json!({"events": [kind]}), |_| Answer::Status(200));
        let path = format!("/api/webhooks/{}/test", line.id);
        let test = self.scene.ask("POST", &path, Value::Null, 202);
        let got = acts::arrival(&line.receiver, DELIVERY, &test["deliveryId"]);
        assert_eq!(got.header("x-event-type"), Some(kind));
        got
    }

    /// Asserts that the body of a type is like this, and nothing around it.
    pub fn sample_is(&mut self, kind: &str, expected: &Value) -> String {
        let got = self.sample(kind);
        assert_like(&body(&got), expected);
        String::from_utf8(got.message.body).expect("UTF-8")
    }

    /// What follows the n-th failed attempt.
    pub fn after(&mut self, n: usize) -> Wait {
        if self.waits.is_empty() {
            self.waits = waits(&mut self.scene, "hub", 4, &json!({}));
        }
        self.waits[n - 1].clone()
    }

    /// A webhook whose one delivery failed in all of its four attempts.
    pub fn failing(&mut self) -> &Line {
        if self.failing.is_none() {
            let settings = json!({"retry": at_once(3)});
            let line = Line::open(&mut self.scene, "hub", settings, |_| Answer::Status(503));
            let delivery = line.send(&mut self.scene, json!({"taskId": "123"}));
            self.scene.delivery_in(&delivery, "dead");
            self.failing = Some(line);
        }
        self.failing.as_ref().expect("just made")
    }

    /// Its row in the guide's API.
    pub fn history(&mut self) -> Value {
        let path = format!("/api/webhooks/{}/deliveries", self.failing().id);
        self.scene.get(&path)["data"][0].take()
    }

    /// What the native API has counted of it.
    pub fn counted(&mut self) -> Value {
        let path = format!("/api/v1/webhooks/{}/stats", self.failing().id);
        self.scene.until(&path, |reply| reply["data"]["total"]["attempts"] == 4)["data"]["total"].take()
    }

    /// Made anew before its minute is over.
    pub fn limited(&mut self) -> &Limited {
        if self.limited.as_ref().is_none_or(|limited| now() > limited.began + 40) {
            let line = Line::open(&mut self.scene, "hub", json!({}), |_| Answer::Status(200));
            let began = now();
            for n in 0..60 {
                self.scene.publish(json!({"type": line.kind, "data": {"n": n}}));
            }
            let waiting = line.send(&mut self.scene, json!({"n": 60}));
            self.scene.until(&line.webhook.path, |reply| {
                reply["data"]["succeeded"] == 60 && reply["data"]["lane"]["waits_for"] == "rate_limited"
            });
            self.limited = Some(Limited { line, began, waiting });
        }
        self.limited.as_ref().expect("just made")
    }

    /// The three headers of the reply about that webhook.
    pub fn limits(&mut self) -> [u64; 3] {
        let path = format!("/api/webhooks/{}", self.limited().line.id);
        limits(&self.scene.client.get(&path))
    }

    pub fn testing(&mut self) -> Value {
        if self.testing.is_none() {
            let receiver = Receiver::start(|_, _| Answer::Status(200));
            let url = receiver.url("/webhook");
            let (status, reply) = self.shell(CREATE_TESTING, &[("https://your-domain.com/webhook", &url)]);
            assert_eq!(status, 201, "{reply}");
            self.testing = Some((receiver, reply));
        }
        self.testing.as_ref().expect("just made").1.clone()
    }
}

pub fn limits(reply: &Reply) -> [u64; 3] {
    ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"].map(|name| {
        let value = reply.message.header(name).unwrap_or_else(|| panic!("no {name}"));
        value.parse().unwrap_or_else(|_| panic!("{name}: {value}"))
    })
}

pub fn now() -> u64 {
    hookwheel::clock::Clock::real().now() / 1000
}
