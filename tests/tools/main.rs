//! The daily tools as people and scripts use them, against a real server: each noun and verb, profiles, exit codes, the
//! live stream, replays, and the help.

mod each;
mod follow;
mod help;
mod login;
mod outputs;
mod pipes;
mod shapes;
#[path = "../support/mod.rs"]
mod support;
mod terminal;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};
use shapes::Shapes;
use support::{Answer, Receiver, Running, Server};

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Standard output of a command that did what it was told.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self.out
    }

    /// The objects that it printed, one a line.
    #[track_caller]
    pub fn objects(self) -> Vec<Value> {
        self.done().lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect()
    }

    /// The only one.
    #[track_caller]
    pub fn object(self) -> Value {
        let mut all = self.objects();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

/// Holds a text against the stored one.
pub fn hold(stored: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(stored);
    if std::env::var_os("HOOKWHEEL_REWRITE").is_some() {
        std::fs::write(&path, text).expect("it can be written");
    }
    let then = std::fs::read_to_string(&path).unwrap_or_default();
    let differing = text.lines().zip(then.lines()).find(|(now, then)| now != then);
    assert!(
        text == then,
        "what is said differs from {stored}, first in {differing:?}; if that is meant, run with HOOKWHEEL_REWRITE=1"
    );
}

/// A command in `dir`, where profiles lie too, that is told nothing of this test's own environment.
pub fn command(dir: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwheel"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HOOKWHEEL") {
            command.env_remove(name);
        }
    }
    command.args(arguments).current_dir(dir).env("XDG_CONFIG_HOME", dir).envs(env.iter().copied()).stdin(Stdio::null());
    command
}

/// Runs a command with this file as its standard input.
pub fn run(dir: &Path, arguments: &[&str], env: &[(&str, &str)], stdin: Option<&Path>) -> Said {
    let stdin = stdin.map_or_else(Stdio::null, |path| File::open(path).expect("a file").into());
    let ended = command(dir, arguments, env).stdin(stdin).output().expect("the binary can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Said { code: ended.status.code(), out: text(ended.stdout), err: text(ended.stderr) }
}

/// A server, an endpoint that answers so, and a directory.
pub struct Place {
    pub dir: tempfile::TempDir,
    pub server: Server,
    pub receiver: Receiver,
    /// Which nouns and verbs were said here.
    pub used: Mutex<BTreeSet<(String, String)>>,
    /// What their JSON was like.
    pub shapes: Mutex<Shapes>,
}

impl Place {
    pub fn new(status: u16) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let server = Server::start(dir.path(), &[]);
        let receiver = Receiver::start(move |_, _| Answer::Status(status));
        Self { dir, server, receiver, used: Mutex::default(), shapes: Mutex::default() }
    }

    /// Runs a command that is told server and key by the environment.
    pub fn tool(&self, arguments: &[&str]) -> Said {
        let url = self.server.url("");
        if let [noun, verb, ..] = arguments {
            self.used.lock().expect("not poisoned").insert(((*noun).into(), (*verb).into()));
        }
        let env = [("HOOKWHEEL_URL", url.as_str()), ("HOOKWHEEL_KEY", self.server.key)];
        let said = run(self.dir.path(), arguments, &env, None);
        if arguments.contains(&"--json") && said.code == Some(0) {
            self.shapes.lock().expect("not poisoned").take(arguments, &said.out);
        }
        said
    }

    /// Starts one that goes on.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let url = self.server.url("");
        Running::start(self.dir.path(), arguments, &[("HOOKWHEEL_URL", &url), ("HOOKWHEEL_KEY", self.server.key)])
    }

    /// A webhook that wants everything and tries once.
    pub fn webhook(&self) -> String {
        let fields = json!({"url": self.receiver.url("/"), "events": ["*"], "max_retries": 0});
        let made = self.tool(&["webhooks", "create", "--data", &fields.to_string(), "--json"]).object();
        made["id"].as_str().expect("an id").to_owned()
    }

    /// Publishes, and waits until there are so many dead letters.
    pub fn dead_letters(&self, count: usize) {
        for _ in 0..count {
            self.tool(&["send", "task.created"]).done();
        }
        let watch = hookwheel::clock::Stopwatch::start();
        let list = ["dead-letters", "list", "--event-type", "task.created", "--all", "--json"];
        while self.tool(&list).objects().len() < count {
            assert!(watch.elapsed() < support::DEADLINE, "they do not die");
        }
    }
}

/// The text at a key.
pub fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}")).to_owned()
}
