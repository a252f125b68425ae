//! A webhook of a row's own, which wants one type of event of its own: so that no row hears what another published. What stays
//! true: it goes with its row, also when that fails, since a contract may bound how many there are.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::acts::{extend, text};
pub use super::own::SECRET;
use crate::scene::{Scene, at_once};
use crate::support::{Answer, Client, Message, Receiver};

/// A webhook that is deleted when this is dropped.
pub struct Registered {
    /// The reply to its create call.
    pub reply: Value,
    pub id: String,
    /// Where its face or the native API has it.
    pub path: String,
    client: Client,
}

impl Registered {
    /// Makes it by a create call at `base`, with the secret of all where the body names none.
    #[track_caller]
    pub fn at(scene: &mut Scene, base: &str, mut body: Value) -> Self {
        if body.get("secret").is_none() {
            extend(&mut body, json!({ "secret": SECRET }));
        }
        let reply = scene.post(base, body, 201);
        let id = text(&reply.get("data").unwrap_or(&reply)["id"]);
        Self { path: format!("{base}/{id}"), reply, id, client: scene.server.client() }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // An error means that the server is gone before it.
        let _ = self.client.try_request("DELETE", &self.path, b"");
    }
}

/// A webhook, the one type that it wants, and its endpoint.
pub struct Line {
    pub webhook: Registered,
    pub id: String,
    pub kind: String,
    pub receiver: Receiver,
}

impl Line {
    /// With these settings of the native API; where they do not say, what fails is tried again in a quarter of an hour.
    #[track_caller]
    pub fn open(
        scene: &mut Scene,
        dialect: &str,
        settings: Value,
        answer: impl Fn(&Message) -> Answer + Send + Sync + 'static,
    ) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let kind = format!("row.n{}", COUNT.fetch_add(1, Ordering::SeqCst));
        let receiver = Receiver::start(move |_, message| answer(message));
        let mut body = json!({
            "url": receiver.url("/"), "events": [kind], "dialect": dialect,
            "retry": {"delays": [900], "jitter_percent": 0},
        });
        extend(&mut body, settings);
        let webhook = Registered::at(scene, "/api/v1/webhooks", body);
        Self { id: webhook.id.clone(), webhook, kind, receiver }
    }

    /// Publishes an event for it; the id of its delivery.
    #[track_caller]
    pub fn send(&self, scene: &mut Scene, data: Value) -> String {
        let event = scene.publish(json!({"type": self.kind, "data": data}));
        scene.delivery_of(&event, &self.id)
    }

    /// The delivery of an event, once the first attempt has been made.
    #[track_caller]
    pub fn first(&self, scene: &mut Scene) -> Value {
        let delivery = self.send(scene, json!({}));
        scene.delivery_after(&delivery, 1)
    }

    /// It as the native API shows it.
    #[track_caller]
    pub fn shown(&self, scene: &mut Scene) -> Value {
        scene.get(&self.webhook.path)["data"].take()
    }
}

/// A delivery to an endpoint that never answers, which is begun long before anybody looks: it takes as long as the guide says.
pub struct Silent {
    /// It would be deleted.
    _line: Line,
    delivery: String,
}

impl Silent {
    pub fn begin(scene: &mut Scene, dialect: &str) -> Self {
        let line = Line::open(scene, dialect, json!({}), |_| Answer::Hang);
        let delivery = line.send(scene, json!({}));
        Self { _line: line, delivery }
    }

    /// Asserts that the attempt was given up after so many seconds, and failed.
    #[track_caller]
    pub fn is_given_up_after(&self, scene: &mut Scene, seconds: u64) -> String {
        let shown = scene.delivery_within(&self.delivery, 1, seconds + 30);
        let attempt = &shown["attempts"][0];
        assert_eq!(attempt["outcome"], "timeout", "{attempt}");
        let took = attempt["response_time_ms"].as_u64().expect("a duration");
        assert!((seconds * 1000..seconds * 2000).contains(&took), "given up after {took} ms");
        format!("no answer: {} after {:.1} s", text(&attempt["outcome"]), took as f64 / 1000.0)
    }

    /// Asserts that what was given up is tried again.
    #[track_caller]
    pub fn is_tried_again(&self, scene: &mut Scene) -> String {
        let shown = scene.delivery_within(&self.delivery, 1, 60);
        assert_eq!(shown["state"], "scheduled", "{shown}");
        format!("{}, next try {}", text(&shown["attempts"][0]["error"]), text(&shown["next_attempt_at"]))
    }
}

/// What is seen of a webhook after five failed attempts of one delivery, when its retries would go on at once.
pub struct Stopped {
    pub line: Line,
    /// The delivery that failed.
    pub delivery: Value,
    /// The delivery of an event that was published after that.
    pub later: Value,
    /// How many requests its endpoint got.
    pub requests: usize,
}

impl Stopped {
    #[track_caller]
    pub fn after_five(scene: &mut Scene, dialect: &str, retries: usize) -> Self {
        let settings = json!({"retry": at_once(retries)});
        let line = Line::open(scene, dialect, settings, |_| Answer::Status(500));
        let id = line.send(scene, json!({"n": 1}));
        let delivery = scene.delivery_held_after(&id, 5);
        let later = line.send(scene, json!({"n": 2}));
        let later = scene.delivery_in(&later, "held");
        let requests = line.receiver.arrived.try_iter().count();
        Self { line, delivery, later, requests }
    }
}
