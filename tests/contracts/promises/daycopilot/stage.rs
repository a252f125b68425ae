//! A fresh server of this contract, the guide's own receiver, and what several rows look at.

use serde_json::{Value, json};

use super::super::own::{SECRET, is_question};
use super::super::{Own, Wait, waits};
use super::printed;
use crate::endpoint::{Endpoint, Got};
use crate::scene::{Scene, at_once};
use crate::support::{Answer, Arrived, Receiver};
use std::time::Duration;

/// Where the guide's receiver listens.
pub const PATH: &str = "/webhooks/daycopilot";
/// An endpoint that is slow but in time takes so long.
pub const IN_TIME: Duration = Duration::from_secs(3);

/// The guide's create call, and what came of it.
pub struct Registered {
    pub reply: Value,
    pub url: String,
    /// The verification request.
    pub question: Arrived,
    _receiver: Receiver,
}

pub struct Stage {
    pub scene: Scene,
    /// The guide's receiver, which has a webhook for all events.
    pub endpoint: Endpoint,
    /// That webhook, at the native API.
    pub webhook: String,
    /// An endpoint that never answers, and its delivery.
    pub hanging: (Own, String),
    /// One that takes its time, and its delivery.
    pub slow: (Own, String),
    registered: Option<Registered>,
    logs: Option<Value>,
    printed: Option<Value>,
    waits: Vec<Wait>,
}

impl Stage {
    pub fn start() -> Option<Self> {
        let mut scene = Scene::start_with(&[("HOOKWHEEL__DELIVER__DEFAULT_DIALECT", "daycopilot")])?;
        let mut slow = |event_type, answer: fn(usize) -> Answer| {
            let own = Own::make(&mut scene, "daycopilot", event_type, json!({}), answer);
            let (_, delivery) = own.publish(&mut scene, json!({}));
            (own, delivery)
        };
        // Both go on while other rows are checked.
        let hanging = slow("row.hanging", |_| Answer::Hang);
        let slow = slow("row.slow", |_| {
            std::thread::sleep(IN_TIME);
            Answer::Status(200)
        });
        let endpoint = scene.endpoint("daycopilot.mjs", SECRET);
        let body = json!({"url": endpoint.url(PATH), "events": ["*"], "secret": SECRET});
        let made = scene.post("/api/v1/webhooks", body, 201);
        let webhook = format!("/api/v1/webhooks/{}", made["data"]["id"].as_str().expect("an id"));
        let nothing = (None, None, None, Vec::new());
        let (registered, logs, printed, waits) = nothing;
        Some(Self { scene, endpoint, webhook, hanging, slow, registered, logs, printed, waits })
    }

    /// Makes the guide's create call, with a URL of this machine.
    pub fn registered(&mut self) -> &Registered {
        let scene = &mut self.scene;
        self.registered.get_or_insert_with(|| {
            let receiver = Receiver::start(|_, message| match is_question(&message.body) {
                true => Answer::Challenge,
                false => Answer::Status(200),
            });
            let url = receiver.url(PATH);
            let body = printed::CREATE.replace("https://your-app.com/webhooks/daycopilot", &url);
            let reply = scene.client.request("POST", "/api/v1/webhooks", body.as_bytes());
            let (status, reply) = (reply.status, reply.json());
            assert_eq!(status, 201, "{reply}");
            let question = receiver.next();
            Registered { reply, url, question, _receiver: receiver }
        })
    }

    /// The request with this event, as the guide's receiver took it.
    #[track_caller]
    pub fn arrival(&self, event: &str) -> Got {
        loop {
            let got = self.endpoint.next();
            if got.json()["id"] == event {
                return got.verified();
            }
        }
    }

    /// Publishes an event; gives the request that it became.
    #[track_caller]
    pub fn published(&mut self, event: Value) -> Got {
        let id = self.scene.publish(event);
        self.arrival(&id)
    }

    /// Makes the guide's test call for this type; gives the request.
    #[track_caller]
    pub fn tested(&mut self, event_type: &str) -> Got {
        let test =
            self.scene.post(&format!("{}/test", self.webhook), json!({"event_type": event_type}), 202)["data"].take();
        assert_eq!(test["event_type"], event_type);
        self.arrival(test["event_id"].as_str().expect("an id"))
    }

    /// What the guide's functions, letter by letter, say of a request that the guide's receiver got.
    pub fn printed(&mut self, example: &str) -> Value {
        if self.printed.is_none() {
            let got = self.published(json!({"type": "task.created", "data": {"n": 1.0, "ü": "x"}}));
            let one = json!({"body": got.body, "signature": got.header("x-daycopilot-signature"), "secret": SECRET});
            // The program has the functions of all guides; what those of the others make of it is not looked at.
            let all =
                ["daycopilot", "workspace", "taskflow", "hub", "cathcr"].map(|name| (name.to_owned(), one.clone()));
            let text = self.scene.program("printed.mjs", &Value::Object(all.into_iter().collect()).to_string());
            self.printed = Some(serde_json::from_str(&text).expect("JSON"));
        }
        self.printed.as_ref().expect("just set")[format!("daycopilot, {example}")].clone()
    }

    /// The logs of a webhook that took its first event, and failed the second twice: newest first.
    pub fn logs(&mut self) -> &Value {
        let scene = &mut self.scene;
        self.logs.get_or_insert_with(|| {
            let answer = |before| Answer::Status(if before == 0 { 200 } else { 500 });
            let own = Own::make(scene, "daycopilot", "row.logged", json!({"retry": at_once(1)}), answer);
            let (_, first) = own.publish(scene, json!({"n": 1}));
            scene.delivery_in(&first, "succeeded");
            let (_, second) = own.publish(scene, json!({"n": 2}));
            scene.delivery_in(&second, "dead");
            let mut logs = scene.get(&format!("{}/logs?limit=50", own.path));
            // What a row needs to know beside.
            logs["webhook"] = json!(own.path);
            logs
        })
    }

    /// What follows the n-th failed attempt.
    pub fn after(&mut self, n: usize) -> &Wait {
        if self.waits.is_empty() {
            self.waits = waits(&mut self.scene, "daycopilot", 6, &json!({}));
        }
        &self.waits[n - 1]
    }
}
