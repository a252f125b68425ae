//! A webhook of a row's own, for events of a type of its own, at an endpoint that answers as the row needs: so no row sees
//! what another has done.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::scene::Scene;
use crate::support::{Answer, Arrived, Receiver};

/// The secret of these webhooks; the guides' receivers have it too.
pub const SECRET: &str = "your_webhook_secret";

pub struct Own {
    pub receiver: Receiver,
    pub id: String,
    /// Where the native API has it.
    pub path: String,
    event_type: &'static str,
}

impl Own {
    /// Makes it, with these settings too. `answer` is told how many deliveries came before; the question of an ownership
    /// check is always answered as it should be, and taken in.
    #[track_caller]
    pub fn make(
        scene: &mut Scene,
        dialect: &str,
        event_type: &'static str,
        settings: Value,
        answer: impl Fn(usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let before = AtomicUsize::new(0);
        let receiver = Receiver::start(move |_, message| match is_question(&message.body) {
            true => Answer::Challenge,
            false => answer(before.fetch_add(1, Ordering::SeqCst)),
        });
        let mut body = json!({"url": receiver.url("/"), "events": [event_type], "dialect": dialect, "secret": SECRET});
        body.as_object_mut().expect("an object").extend(settings.as_object().expect("an object").clone());
        let made = scene.post("/api/v1/webhooks", body, 201);
        assert_eq!(made["data"]["status"], "active", "{made}");
        if dialect == "daycopilot" {
            assert!(is_question(&receiver.next().message.body));
        }
        let id = made["data"]["id"].as_str().expect("an id").to_owned();
        Self { receiver, path: format!("/api/v1/webhooks/{id}"), id, event_type }
    }

    /// Publishes an event for it; gives the event's id and its delivery's.
    #[track_caller]
    pub fn publish(&self, scene: &mut Scene, data: Value) -> (String, String) {
        let event = scene.publish(json!({"type": self.event_type, "data": data}));
        let delivery = scene.delivery_of(&event, &self.id);
        (event, delivery)
    }

    /// Asserts that a new event for it makes no delivery.
    #[track_caller]
    pub fn is_left_out(&self, scene: &mut Scene) {
        let event = scene.publish(json!({"type": self.event_type, "data": {}}));
        let shown = scene.get(&format!("/api/v1/events/{event}"));
        assert!(!shown["data"]["deliveries"].to_string().contains(&self.id), "{shown}");
    }

    /// The next request.
    #[track_caller]
    pub fn next(&self) -> Arrived {
        self.receiver.next()
    }

    /// Asserts that nothing else has come.
    #[track_caller]
    pub fn has_no_more(&self) {
        let more: Vec<Arrived> = self.receiver.arrived.try_iter().collect();
        assert!(more.is_empty(), "{more:?}");
    }
}

/// The body of a request as JSON.
#[track_caller]
pub fn body(arrived: &Arrived) -> Value {
    serde_json::from_slice(&arrived.message.body).expect("the body is JSON")
}

/// Whether this is the daycopilot guide's verification request.
pub fn is_question(body: &[u8]) -> bool {
    body.starts_with(br#"{"type":"webhook.verification""#)
}
