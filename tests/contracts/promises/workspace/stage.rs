//! A server that publishes the guide's addresses and one of this machine, the guide's own receiver, and what several rows
//! look at.

use serde_json::{Value, json};

use super::super::own::SECRET;
use super::super::{Own, Wait, waits};
use super::printed;
use crate::endpoint::{Endpoint, Got};
use crate::scene::{Scene, at_once};
use crate::support::{Answer, Receiver};

/// Where requests come from, as the guide publishes it: of its own addresses this machine has none, so one more is set.
pub const FROM: &str = "127.0.0.9";

pub struct Stage {
    pub scene: Scene,
    /// The guide's receiver.
    pub endpoint: Endpoint,
    /// Its webhook for all events: the id as the guide's API spells it, and its path there.
    pub id: String,
    pub webhook: String,
    /// An endpoint that never answers, and its delivery.
    pub hanging: (Own, String),
    registered: Option<(Value, Receiver)>,
    printed: Option<Value>,
    waits: Vec<Wait>,
    /// How many events were published for the guide's receiver: each has a number of its own.
    published: u64,
}

impl Stage {
    pub fn start() -> Option<Self> {
        let egress = [printed::ADDRESSES.as_slice(), &["127.0.0.9/32"]].concat().join(",");
        let mut scene = Scene::start_with(&[("HOOKWHEEL__DELIVER__EGRESS", &egress)])?;
        // This goes on while other rows are checked.
        let hanging = Own::make(&mut scene, "workspace", "row.hanging", json!({}), |_| Answer::Hang);
        let (_, delivery) = hanging.publish(&mut scene, json!({}));
        let endpoint = scene.endpoint("workspace.mjs", SECRET);
        let body = json!({"url": endpoint.url("/webhooks"), "events": ["*"], "secret": SECRET});
        let id = scene.post("/v1/webhooks", body, 201)["data"]["id"].as_str().expect("an id").to_owned();
        let (webhook, hanging) = (format!("/v1/webhooks/{id}"), (hanging, delivery));
        let (registered, printed, waits) = (None, None, Vec::new());
        Some(Self { scene, endpoint, id, webhook, hanging, registered, printed, waits, published: 0 })
    }

    /// Makes the guide's create call, with a URL of this machine; the webhook in the reply.
    pub fn registered(&mut self) -> &(Value, Receiver) {
        let scene = &mut self.scene;
        self.registered.get_or_insert_with(|| {
            let receiver = Receiver::start(|_, _| Answer::Status(200));
            let body = printed::CREATE.replace("https://your-server.com/webhooks", &receiver.url("/webhooks"));
            let reply = scene.client.request("POST", "/v1/webhooks", body.as_bytes());
            (reply.data(201), receiver)
        })
    }

    /// The request that fits, as the guide's receiver took it.
    #[track_caller]
    fn arrival(&self, fits: impl Fn(&Value) -> bool) -> Got {
        loop {
            let got = self.endpoint.next();
            if fits(&got.json()) {
                return got.verified();
            }
        }
    }

    /// Publishes an event with this data and a number of its own in it, which no body of this contract has else; gives the
    /// request that it became, and the event's id.
    #[track_caller]
    pub fn published(&mut self, event_type: &str, mut data: Value) -> (Got, String) {
        self.published += 1;
        let n = json!(self.published);
        data["row"] = n.clone();
        let event = self.scene.publish(json!({"type": event_type, "data": data}));
        (self.arrival(|body| body["data"]["row"] == n), event)
    }

    /// Makes the guide's test call for this type; gives the request: what rows publish has a `row` in it, the samples have none.
    #[track_caller]
    pub fn tested(&mut self, event_type: &str) -> Got {
        let test = self.scene.post(&format!("{}/test", self.webhook), json!({"event": event_type}), 202);
        assert_eq!(test["data"]["event_type"], event_type);
        self.arrival(|body| body["event"] == event_type && body["data"].get("row").is_none())
    }

    /// What the guide's function, letter by letter, says of a request that the guide's receiver got.
    pub fn printed(&mut self) -> Value {
        if self.printed.is_none() {
            let (got, _) = self.published("task.created", json!({"n": 1.0, "ü": "x"}));
            let one = json!({"body": got.body, "signature": got.header("x-webhook-signature"), "secret": SECRET});
            // The program has the functions of all guides; what those of the others make of it is not looked at.
            let all =
                ["daycopilot", "workspace", "taskflow", "hub", "cathcr"].map(|name| (name.to_owned(), one.clone()));
            let text = self.scene.program("printed.mjs", &Value::Object(all.into_iter().collect()).to_string());
            self.printed = Some(serde_json::from_str(&text).expect("JSON"));
        }
        self.printed.as_ref().expect("just set")["workspace"].clone()
    }

    /// A webhook of a row's own, made by the native API, and where the guide's API has it.
    #[track_caller]
    pub fn own(
        &mut self,
        event_type: &'static str,
        retries: usize,
        answer: impl Fn(usize) -> Answer + Send + Sync + 'static,
    ) -> (Own, String) {
        let own = Own::make(&mut self.scene, "workspace", event_type, json!({"retry": at_once(retries)}), answer);
        let path = format!("/v1/webhooks/{}", own.id);
        (own, path)
    }

    /// What follows the n-th failed attempt where nothing is disabled before.
    pub fn after(&mut self, n: usize) -> &Wait {
        if self.waits.is_empty() {
            self.waits = waits(&mut self.scene, "workspace", 4, &json!({"disable": {"after": "deliveries"}}));
        }
        &self.waits[n - 1]
    }
}
