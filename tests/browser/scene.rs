//! A server with people and a receiver, and what a store looks like after a while: many deliveries, some dead, and names and bodies
//! that somebody wrote who means no good.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Answer, Client, DEADLINE, Receiver, Server};

/// What does something where it is not escaped.
pub const HOSTILE: &str =
    "<img src=x onerror=alert(1)><script>alert(2)</script>\"'><a href=\"javascript:alert(3)\">x</a>";
/// Events of a filled store.
const EVENTS: usize = 300;

/// The server and what is around it.
pub struct Scene {
    server: Server,
    receiver: Receiver,
    api: Client,
    _dir: TempDir,
}

impl Scene {
    /// For development, with nothing in the store.
    pub fn start() -> Self {
        Self::of(|dir| Server::start(dir, &[]))
    }

    /// As one runs for others, but for endpoints on this machine.
    pub fn start_strict() -> Self {
        let open = [("HOOKWHEEL__DELIVER__HTTP_ALLOWED", "true"), ("HOOKWHEEL__DELIVER__ALLOW", "127.0.0.0/8")];
        Self::of(|dir| Server::start_strict(dir, &open))
    }

    fn of(start: impl FnOnce(&Path) -> Server) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let server = start(dir.path());
        let is_down = AtomicBool::new(false);
        let length = HOSTILE.len();
        let hostile =
            format!("HTTP/1.1 500 No\r\ncontent-type: text/html\r\ncontent-length: {length}\r\n\r\n{HOSTILE}");
        let hostile: &'static [u8] = hostile.into_bytes().leak();
        let receiver = Receiver::start(move |path, _| match path {
            "/down" => Answer::Status(500),
            "/hostile" => Answer::Bytes(hostile),
            // What a script asks of it.
            "/be-down" | "/be-up" => {
                is_down.store(path == "/be-down", Ordering::SeqCst);
                Answer::Status(200)
            }
            _ if is_down.load(Ordering::SeqCst) => Answer::Status(500),
            _ => Answer::Status(200),
        });
        let api = server.client();
        Self { server, receiver, api, _dir: dir }
    }

    /// What a script has to know.
    pub fn told(&self, modules: &str) -> Value {
        let url = self.server.url("/");
        let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        json!({"url": url, "host": host, "key": self.api.key(), "modules": modules, "receiver": self.receiver.url("")})
    }

    /// A link that makes a session of an owner of the server.
    pub fn link_for_an_owner(&mut self) -> String {
        let user = json!({"email": "ada@example.com", "name": "Ada", "role": "owner"});
        let invited = self.server.client().acting_for("operator").post("/api/v1/users", &user);
        invited.data(201)["link"]["url"].as_str().expect("a link").to_owned()
    }

    /// Fills the store.
    pub fn fill(&mut self) {
        let webhooks = [
            ("/in", json!({"name": "Globex billing", "events": ["*"]})),
            ("/down", json!({"name": "Acme tasks", "events": ["task.*"], "max_retries": 0})),
            (
                "/hostile",
                json!({"name": HOSTILE, "events": ["*"], "max_retries": 0, "metadata": {"team": "הצוות שלי"}}),
            ),
            (
                "/a/very/long/path/that/goes/on/and/on/and/on/for/longer/than/any/table/is/wide?with=a&query=too",
                json!({"name": "مرحبا 👋 Ελληνικά", "events": ["order.*"]}),
            ),
        ];
        for (path, mut settings) in webhooks {
            settings["url"] = self.receiver.url(path).into();
            self.api.post("/api/v1/webhooks", &settings).data(201);
        }
        let types = ["task.created", "task.done", "order.paid", "order.refunded"];
        for batch in (0..EVENTS).collect::<Vec<_>>().chunks(100) {
            let events: Vec<Value> = batch
                .iter()
                .map(|n| {
                    let data = json!({"n": n, "total": 12.50, "note": HOSTILE, "who": "דנה 👩‍🚀", "long": "x".repeat(400), "items": [{"sku": "a-1", "count": 3}, null, true]});
                    json!({"type": types[n % types.len()], "data": data})
                })
                .collect();
            self.api.post("/api/v1/events", &json!(events)).data(202);
        }
        let begun = Instant::now();
        while self.api.get("/api/v1/webhooks").json()["data"]
            .as_array()
            .expect("webhooks")
            .iter()
            .any(|one| one["open"] != 0)
        {
            assert!(begun.elapsed() < DEADLINE, "deliveries are left");
        }
    }
}
