//! A server, a client, and what the contract tests ask of them again and again.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hookwheel::clock::Stopwatch;
use hookwheel::domain::time;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::endpoint::{Endpoint, test_env};
use crate::support::http::{Client, Reply};
use crate::support::{DEADLINE, Server};

/// A running server with its client.
pub struct Scene {
    pub server: Server,
    pub client: Client,
    env: PathBuf,
    _dir: TempDir,
}

impl Scene {
    /// Starts a server; `None` where the receivers cannot be run.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// The same with settings.
    pub fn start_with(settings: &[(&str, &str)]) -> Option<Self> {
        let env = test_env()?;
        let dir = tempfile::tempdir().expect("a folder");
        let server = Server::start(dir.path(), settings);
        Some(Self { client: server.client(), server, env, _dir: dir })
    }

    /// Starts a receiver.
    pub fn endpoint(&self, name: &str, secret: &str) -> Endpoint {
        Endpoint::start(&self.env, name, secret)
    }

    /// Posts `body` and gives the reply, which must have this status.
    #[track_caller]
    pub fn post(&mut self, path: &str, body: Value, status: u16) -> Value {
        let reply = self.client.post(path, &body);
        expect(&reply, status)
    }

    /// Any other request.
    #[track_caller]
    pub fn ask(&mut self, method: &str, path: &str, body: Value, status: u16) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        // A connection may have been closed for being idle; a second one asks again where that changes nothing.
        let idle = (method == "GET").then(|| self.client.try_request(method, path, b"").ok()).flatten();
        let reply = idle.unwrap_or_else(|| self.client.request(method, path, body.as_bytes()));
        expect(&reply, status)
    }

    /// Reads something.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Value {
        self.ask("GET", path, Value::Null, 200)
    }

    /// Publishes an event; gives its id.
    #[track_caller]
    pub fn publish(&mut self, event: Value) -> String {
        self.publish_text(&event.to_string())["data"]["id"].as_str().expect("an id").to_owned()
    }

    /// Publishes an event that is written so; gives the reply.
    #[track_caller]
    pub fn publish_text(&mut self, event: &str) -> Value {
        let reply = self.client.request("POST", "/api/v1/events", event.as_bytes());
        expect(&reply, 202)
    }

    /// Runs a command as a guide prints it, after replacing its host, its token and so on: the status of the reply, and
    /// the reply.
    #[track_caller]
    pub fn shell(&self, command: &str, replaced: &[(&str, &str)]) -> (u16, Value) {
        let mut command = command.replacen("curl ", "curl -sS -w '\\n%{http_code}' ", 1);
        for (from, to) in replaced {
            assert!(command.contains(from), "no {from} in {command}");
            command = command.replace(from, to);
        }
        let output = Command::new("sh").arg("-c").arg(&command).env("TOKEN", self.server.key).output();
        let output = output.expect("sh can be run");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let complaint = String::from_utf8_lossy(&output.stderr);
        let (reply, status) = text.rsplit_once('\n').unwrap_or_else(|| panic!("{command}: {complaint}"));
        (status.parse().expect("a status"), serde_json::from_str(reply).unwrap_or_default())
    }

    /// Runs a program of this folder, of Python or Node, over `input`; what it prints.
    #[track_caller]
    pub fn program(&self, name: &str, input: &str) -> String {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contracts").join(name);
        let mut command = match name.ends_with(".py") {
            true => Command::new(self.env.join("python/bin/python")),
            false => Command::new("node"),
        };
        command.arg(program).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it can be started");
        child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The delivery with all attempts, once it has made so many.
    #[track_caller]
    pub fn delivery_after(&mut self, id: &str, attempts: usize) -> Value {
        let path = format!("/api/v1/deliveries/{id}");
        let made = |delivery: &Value| delivery["attempts"].as_array().map_or(0, Vec::len);
        self.until(&path, |reply| made(&reply["data"]) >= attempts)["data"].take()
    }

    /// The same where that takes up to so many seconds: asks rarely.
    #[track_caller]
    pub fn delivery_within(&mut self, id: &str, attempts: usize, seconds: u64) -> Value {
        let watch = Stopwatch::start();
        loop {
            let mut shown = self.get(&format!("/api/v1/deliveries/{id}"));
            if shown["data"]["attempts"].as_array().map_or(0, Vec::len) >= attempts {
                return shown["data"].take();
            }
            assert!(watch.elapsed() < Duration::from_secs(seconds), "no attempt ends in time: {shown}");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// The delivery once it is in this state.
    #[track_caller]
    pub fn delivery_in(&mut self, id: &str, state: &str) -> Value {
        self.until(&format!("/api/v1/deliveries/{id}"), |reply| reply["data"]["state"] == state)["data"].take()
    }

    /// The delivery once it is held after so many attempts. Both are waited for: it may be shown with a webhook that was
    /// disabled a moment after the delivery was read.
    #[track_caller]
    pub fn delivery_held_after(&mut self, id: &str, attempts: usize) -> Value {
        self.delivery_in(id, "held");
        self.delivery_after(id, attempts)
    }

    /// The id of the one delivery of an event to a webhook.
    #[track_caller]
    pub fn delivery_of(&mut self, event: &str, webhook: &str) -> String {
        let digits = |id: &str| id.rsplit('_').next().unwrap_or_default().replace('-', "");
        let shown = self.get(&format!("/api/v1/events/{event}"));
        let rows = shown["data"]["deliveries"].as_array().cloned().unwrap_or_default();
        let mine = |row: &&Value| digits(row["webhook_id"].as_str().unwrap_or_default()) == digits(webhook);
        let row = rows.iter().find(mine).unwrap_or_else(|| panic!("{webhook} is not in {shown}"));
        row["id"].as_str().expect("an id").to_owned()
    }

    /// Reads `path` until it is as wanted.
    #[track_caller]
    pub fn until(&mut self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let watch = Stopwatch::start();
        loop {
            let reply = self.get(path);
            if wanted(&reply) {
                return reply;
            }
            assert!(watch.elapsed() < DEADLINE, "{path} does not come to be as wanted; at last {reply}");
            std::thread::yield_now();
        }
    }
}

#[track_caller]
fn expect(reply: &Reply, status: u16) -> Value {
    assert_eq!(reply.status, status, "{}", String::from_utf8_lossy(&reply.message.body));
    reply.json()
}

/// Asserts that the next attempt follows the last one after `seconds`, and at most a tenth later.
#[track_caller]
pub fn retries_after(delivery: &Value, seconds: u64) {
    assert_eq!(delivery["state"], "scheduled", "{delivery}");
    let at = |field: &Value| time::parse(field.as_str().expect("a time")).expect("a time");
    let last = delivery["attempts"].as_array().and_then(|all| all.last()).expect("an attempt");
    let ended = at(&last["started_at"]) + last["response_time_ms"].as_u64().expect("a duration");
    let delay = at(&delivery["next_attempt_at"]) - ended;
    // The duration that is shown leaves out what is less than a millisecond.
    assert!((seconds * 1000..=seconds * 1100 + 1).contains(&delay), "{delay} ms, not {seconds} s");
}

/// Every request of a type that a shipped dialect's catalogue documents, with the sample that it sends.
pub fn catalogue(dialect: &str) -> Vec<(String, Value)> {
    let dialects = hookwheel::dialect::Dialects::shipped();
    let dialect = dialects.get(dialect).expect("it is shipped");
    let sample = |text: &str| serde_json::from_str(text).expect("a sample is JSON");
    dialect.catalogue.iter().map(|known| (known.name.clone(), sample(known.sample.get()))).collect()
}

/// The delays of a shipped dialect's schedule.
pub fn delays(dialect: &str) -> Vec<u64> {
    let dialects = hookwheel::dialect::Dialects::shipped();
    dialects.get(dialect).expect("it is shipped").retry.delay_seconds.clone()
}

/// Settings that fail fast: retries at once, `n` of them.
pub fn at_once(n: usize) -> Value {
    json!({"delays": vec![0; n], "jitter_percent": 0})
}
