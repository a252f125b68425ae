//! A server and its webhooks, as tests of single deliveries need them.

use hookwheel::clock::Stopwatch;
use serde_json::{Value, json};

use super::{Client, DEADLINE, Server};

/// A server over a directory of its own.
pub struct Stage {
    /// The server.
    pub server: Server,
    /// A client of its API with the admin key.
    pub client: Client,
    /// Goes when this is dropped.
    pub dir: tempfile::TempDir,
}

impl Stage {
    /// One that may dial this machine.
    pub fn start(env: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let server = Server::start(dir.path(), env);
        Self { client: server.client(), server, dir }
    }

    /// One that may not, but that takes `http://` URLs.
    pub fn start_strict(env: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let env = [&[("HOOKWHEEL__DELIVER__HTTP_ALLOWED", "true")], env].concat();
        let server = Server::start_strict(dir.path(), &env);
        Self { client: server.client(), server, dir }
    }

    /// Makes a webhook that wants every event; without other `settings` it is not tried again. Gives its id.
    #[track_caller]
    pub fn webhook(&mut self, url: &str, settings: Value) -> String {
        let made = self.try_webhook(url, settings);
        made.data(201)["id"].as_str().expect("an id").to_owned()
    }

    /// The same, where it may be refused.
    pub fn try_webhook(&mut self, url: &str, settings: Value) -> super::Reply {
        let mut webhook = json!({"url": url, "events": ["*"], "retry": {"delays": [], "jitter_percent": 0}});
        webhook.as_object_mut().expect("an object").extend(settings.as_object().expect("an object").clone());
        self.client.post("/api/v1/webhooks", &webhook)
    }

    /// Publishes an event of this id to every webhook.
    #[track_caller]
    pub fn publish(&mut self, name: &str) {
        let event = json!({"type": "task.created", "id": name, "data": {"name": name}});
        self.client.post("/api/v1/events", &event).data(202);
    }

    /// The webhook's delivery of the event once it has ended, with all attempts.
    #[track_caller]
    pub fn ended(&mut self, webhook: &str, event: &str) -> Value {
        let watch = Stopwatch::start();
        loop {
            let row = self.row(webhook, event);
            if matches!(row["state"].as_str(), Some("succeeded" | "dead" | "cancelled")) {
                let id = row["id"].as_str().expect("an id").to_owned();
                return self.client.get(&format!("/api/v1/deliveries/{id}")).data(200);
            }
            assert!(watch.elapsed() < DEADLINE, "it does not end: {row}");
            std::thread::yield_now();
        }
    }

    /// The row of the webhook's delivery among those of the event; null while it is to come.
    fn row(&mut self, webhook: &str, event: &str) -> Value {
        let path = format!("/api/v1/events/{event}/deliveries?limit=250");
        let mut next = path.clone();
        loop {
            let page = self.client.get(&next).json();
            let rows = page["data"].as_array().expect("deliveries");
            if let Some(row) = rows.iter().find(|row| row["webhook_id"] == webhook) {
                return row.clone();
            }
            let Some(cursor) = page["next_cursor"].as_str() else { return Value::Null };
            next = format!("{path}&cursor={cursor}");
        }
    }

    /// Outcome and error of the last attempt of a delivery that has ended; `ok` for a success.
    #[track_caller]
    pub fn outcome(&mut self, webhook: &str, event: &str) -> (String, String) {
        let delivery = self.ended(webhook, event);
        let last = delivery["attempts"].as_array().and_then(|all| all.last()).expect("an attempt").clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let kind = if last["success"] == true { "ok".to_owned() } else { text(&last["outcome"]) };
        (kind, text(&last["error"]))
    }
}
