//! A guide's own example receiver as a process: what it prints is what the tests wait for. It is killed when dropped.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::Value;

use crate::support::DEADLINE;

/// A request as the receiver saw it.
#[derive(Debug, Deserialize)]
pub struct Got {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// What it answered.
    pub status: u16,
    /// What the example printed meanwhile.
    #[serde(skip)]
    pub said: Vec<String>,
}

impl Got {
    /// A header that must be there.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    /// Asserts that the example took it: its signature was right.
    #[track_caller]
    pub fn verified(self) -> Self {
        assert_eq!(self.status, 200, "{self:?}");
        self
    }
}

/// A running receiver.
pub struct Endpoint {
    child: Child,
    lines: mpsc::Receiver<String>,
    complaints: mpsc::Receiver<String>,
    port: u64,
}

/// Where `scripts/test` has put what the receivers are made with; without it their tests are skipped, but never in CI.
pub fn test_env() -> Option<PathBuf> {
    let dir = std::env::var_os("HOOKWHEEL_TEST_ENV").map(PathBuf::from);
    let whole =
        dir.filter(|dir| dir.join("python/bin/flask").exists() && dir.join("node/node_modules/express").exists());
    if whole.is_none() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "HOOKWHEEL_TEST_ENV is not prepared: run scripts/test");
        eprintln!("contracts: SKIPPED: the guides' receivers need Express and Flask; scripts/test installs them");
    }
    whole
}

impl Endpoint {
    /// Starts `receivers/NAME` with this secret and waits until it listens.
    pub fn start(env: &Path, name: &str, secret: &str) -> Self {
        let mut command = match name.ends_with(".py") {
            true => Command::new(env.join("python/bin/python")),
            false => Command::new("node"),
        };
        let receivers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contracts/receivers");
        command.arg(receivers.join(name)).arg(env.join("node/node_modules"));
        command.env("WEBHOOK_SECRET", secret).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let lines = read_lines(child.stdout.take().expect("it is piped"));
        let complaints = read_lines(child.stderr.take().expect("it is piped"));
        let mut endpoint = Self { child, lines, complaints, port: 0 };
        let first: Value = serde_json::from_str(&endpoint.line()).expect("its first line is JSON");
        endpoint.port = first["port"].as_u64().expect("a port");
        endpoint
    }

    /// The URL of `path` here.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The next request that it answers.
    #[track_caller]
    pub fn next(&self) -> Got {
        let mut said = Vec::new();
        loop {
            let line = self.line();
            match serde_json::from_str::<Got>(&line) {
                Ok(got) => return Got { said, ..got },
                Err(_) => said.push(line),
            }
        }
    }

    /// Asserts that it has answered nothing that was not asked for.
    #[track_caller]
    pub fn has_no_more(&self) {
        let more: Vec<String> = self.lines.try_iter().collect();
        assert!(more.is_empty(), "{more:?}");
    }

    /// Stops it: it still listens, and never answers again.
    pub fn freeze(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).expect("it runs");
    }

    #[track_caller]
    fn line(&self) -> String {
        let deadline = Instant::now() + DEADLINE;
        let line = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        line.expect("the receiver prints a line in time")
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let complaints: Vec<String> = self.complaints.try_iter().collect();
            eprintln!("what the receiver complained of:\n{}", complaints.join("\n"));
        }
    }
}

fn read_lines(from: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (tell, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // Goes on reading when nobody listens any more, so that the process never waits for a reader.
            let _ = tell.send(line);
        }
    });
    lines
}
