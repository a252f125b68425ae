//! Every command that prints, with outputs that take nothing more and with ones that nobody reads. What stays true: one that is
//! full ends it with a code that says so and one line why, one that is unread ends it in silence, and neither in a panic.

use std::fs::{self, File};
use std::process::Stdio;

use serde_json::{Value, json};

use super::help::helps;
use super::{Place, Said, text};

/// What prints, each by arguments that may be said again and again: `{n}` is another word each time.
const PRINTS: &[&str] = &[
    "--help",
    "--version",
    "webhooks list --help",
    "serve --check",
    "--config stopped.toml serve --check",
    "config check",
    "config show",
    "config explain server.listen",
    "config init begun-{n}.toml",
    "version",
    "health",
    "doctor --offline",
    "--config stopped.toml doctor --offline",
    "backup backup-{n}",
    "restore whole --check",
    "restore whole --to restored-{n}",
    "export -",
    "import moved.ndjson --dry-run",
    "--config stopped.toml store accept-loss --yes",
    "--config stopped.toml store upgrade",
    "master-key",
    "schema",
    "login --profile p{n}",
    "logout --profile p{n}",
    "status",
    "stats",
    "tail --no-follow --after {after}",
    "tail --no-follow --json --after {after}",
    "webhooks list",
    "webhooks list --json",
    "webhooks show {webhook}",
    "webhooks pause {webhook}",
    "events list",
    "deliveries list --webhook {webhook}",
    "dead-letters list",
    "jobs list",
    "audit list",
    "nodes list",
    "accounts list",
    "keys list",
    "users list",
    "dialects list",
    "event-types list",
    "send task.created",
    "replay --event {event} --yes",
    "dialect list",
    "dialect show standard",
    "dialect check own.toml",
    "dialect new own-{n}",
    "dialect reference",
    "dialect schema",
    "dialect diff standard standard",
    "dialect export standard --openapi",
    "dialect import document.json",
    "dialect docs standard",
    "verify --secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw --headers headers --body body",
    "openapi",
    "mock standard --to {endpoint} --count 1 --no-challenge",
    "guard explain http://127.0.0.1/",
    "completions bash",
];

/// What goes on until it is ended, and says so first.
const GOES_ON: &[&str] = &["listen", "receive --listen 127.0.0.1:0"];

/// Of what half is none, so that it fails also where nobody reads on.
const HALF_IS_NONE: &[&str] = &["backup -", "store export --from-damaged stopped"];

/// Where there is a verdict, it counts also where nobody reads why.
const JUDGES: &str = "dialect test standard --endpoint {endpoint} --secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The server's outputs have tests of their own; one needs a terminal, and one takes its time and prints as the others do.
const ELSEWHERE: &[&str] = &["serve", "top", "bench"];

/// Why an output takes nothing more.
const FULL: &str = "hookwheel: standard output: No space left on device (os error 28)";

/// A place with all that the commands above name, and what stands for their words.
struct Scene {
    place: Place,
    words: Vec<(&'static str, String)>,
}

impl Scene {
    fn new() -> Self {
        let place = Place::new(200);
        let webhook = place.webhook();
        let mut tail = place.start(&["tail", "--json", "--kind", "event"]);
        tail.line("following");
        let event = place.tool(&["send", "task.created"]).done().trim().to_owned();
        let seen: Value = serde_json::from_str(&tail.line("\"kind\":\"event\"")).expect("an object");
        tail.terminate();
        place.tool(&["send", "task.created"]).done();
        place.tool(&["backup", "whole"]).done();
        place.tool(&["restore", "whole", "--to", "stopped"]).done();
        let dir = place.dir.path();
        fs::copy(dir.join("data/master.key"), dir.join("stopped/master.key")).expect("copied");
        let write = |name: &str, text: &str| fs::write(dir.join(name), text).expect("written");
        write("stopped.toml", &format!("[store]\npath = {:?}\n", dir.join("stopped")));
        write("moved.ndjson", &place.tool(&["export", "-"]).done());
        write("own.toml", include_str!("../../src/dialect/standard.toml"));
        write("document.json", &place.tool(&["dialect", "export", "standard", "--openapi"]).done());
        // The example of the Standard Webhooks specification's own libraries.
        write("body", r#"{"test": 2432232314}"#);
        write(
            "headers",
            "Webhook-Id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\nWebhook-Timestamp: 1614265330\r\n\
             Webhook-Signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n",
        );
        let words = vec![
            ("{webhook}", webhook),
            ("{event}", event),
            ("{after}", text(&seen, "id")),
            ("{endpoint}", place.receiver.url("/")),
        ];
        Self { place, words }
    }

    /// Runs a command for the n-th time, with these outputs.
    fn run(&self, command: &str, n: usize, (out, err): (Stdio, Stdio)) -> Said {
        let number = n.to_string();
        let said = self.words.iter().fold(command.to_owned(), |said, (word, is)| said.replace(word, is));
        let said = said.replace("{n}", &number);
        let arguments: Vec<&str> = said.split(' ').collect();
        let url = self.place.server.url("");
        let env = [("HOOKWHEEL_URL", url.as_str()), ("HOOKWHEEL_KEY", self.place.server.key)];
        let ended = super::command(self.place.dir.path(), &arguments, &env).stdout(out).stderr(err).output();
        let ended = ended.expect("the binary can be started");
        // A backup is no text.
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let said = Said { code: ended.status.code(), out: text(ended.stdout), err: text(ended.stderr) };
        assert!(said.code != Some(101) && !said.err.contains("panicked"), "{command}: {said:?}");
        said
    }

    fn read(&self, command: &str) -> Said {
        self.run(command, 0, (Stdio::piped(), Stdio::piped()))
    }

    fn full(&self, command: &str) -> Said {
        self.run(command, 1, (full(), Stdio::piped()))
    }

    fn unread(&self, command: &str) -> Said {
        let (nobody, out) = std::io::pipe().expect("a pipe");
        drop(nobody);
        self.run(command, 2, (out.into(), Stdio::piped()))
    }
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("it is there").into()
}

#[test]
fn an_output_that_is_full_is_told_and_one_that_is_unread_is_not() {
    let scene = Scene::new();
    let is_told = |said: &Said| matches!(said.code, Some(1 | 2)) && said.err.lines().last() == Some(FULL);
    let is_silent = |said: &Said| said.code == Some(0) && !said.err.contains("standard output");
    for command in PRINTS {
        let read = scene.read(command);
        assert!(read.code == Some(0) && !read.out.is_empty(), "{command}: {read:?}");
    }
    for command in PRINTS.iter().chain(GOES_ON) {
        let said = scene.full(command);
        assert!(is_told(&said), "{command}: {said:?}");
    }
    for command in PRINTS.iter().chain(GOES_ON) {
        let said = scene.unread(command);
        assert!(is_silent(&said), "{command}: {said:?}");
    }
    for command in HALF_IS_NONE {
        assert!(!scene.read(command).out.is_empty(), "{command}");
        for said in [scene.full(command), scene.unread(command)] {
            assert!(said.code == Some(1) && said.err.contains("cannot be written"), "{command}: {said:?}");
        }
    }
    let verdict = scene.read(JUDGES);
    assert!(verdict.code == Some(1) && verdict.err.contains("the receiver fails"), "{verdict:?}");
    assert_eq!((scene.unread(JUDGES).code, scene.unread(JUDGES).err), (verdict.code, verdict.err));
}

#[test]
fn a_note_that_nobody_can_read_changes_nothing() {
    let scene = Scene::new();
    for command in ["send task.created", "export -", "import moved.ndjson --dry-run", "replay --event {event} --yes"] {
        let noted = scene.read(command);
        assert!(noted.code == Some(0) && !noted.err.is_empty(), "{command}: {noted:?}");
        let said = scene.run(command, 0, (Stdio::piped(), full()));
        assert!(said.code == Some(0) && !said.out.is_empty(), "{command}: {said:?}");
    }
    let refused = scene.run("webhooks show none", 0, (full(), full()));
    assert_eq!(refused.code, Some(1), "the code says it all the same");
}

#[test]
fn what_is_received_and_cannot_be_shown_ends_the_receiver() {
    let dir = tempfile::tempdir().expect("a directory");
    let (reader, out) = std::io::pipe().expect("a pipe");
    let mut receiving = super::command(dir.path(), &["receive", "--listen", "127.0.0.1:0", "--quiet"], &[]);
    let mut receiving = receiving.stdout(out).stderr(Stdio::piped()).spawn().expect("it can be started");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(reader));
    let address = lines.find_map(|line| {
        let line = line.expect("a line");
        line.rsplit_once("receiving on http://")
            .map(|(_, rest)| rest.trim_end_matches('/').parse().expect("an address"))
    });
    drop(lines);
    let mut client = super::support::Client::new(address.expect("it says where"), "");
    assert_eq!(client.request("POST", "/", json!({}).to_string().as_bytes()).status, 200);
    let ended = receiving.wait().expect("it ends");
    let mut err = String::new();
    std::io::Read::read_to_string(receiving.stderr.as_mut().expect("it is piped"), &mut err).expect("text");
    assert!(ended.success() && err.is_empty(), "nobody reads on: {ended}: {err}");
}

#[test]
fn each_command_has_its_place_among_these() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut all = Vec::new();
    helps(dir.path(), &[], &mut all);
    let said = |word: &str| all.iter().any(|(command, _)| command.join(" ") == word);
    let is_leaf =
        |command: &[String]| !all.iter().any(|(other, _)| other.len() > command.len() && other.starts_with(command));
    for (command, _) in all.iter().filter(|(command, _)| !command.is_empty() && is_leaf(command)) {
        let (noun, whole) = (&command[0], command.join(" "));
        // The verbs of a noun print by one table.
        let whole = if noun != "dialect" && said(&format!("{noun} list")) { format!("{noun} list") } else { whole };
        let begins = |line: &&&str| {
            let line = line.strip_prefix("--config stopped.toml ").unwrap_or(line);
            line == whole || line.starts_with(&format!("{whole} "))
        };
        let known = [PRINTS, GOES_ON, HALF_IS_NONE, &[JUDGES], ELSEWHERE].concat();
        assert!(known.iter().any(|line| begins(&line)), "{whole} has no place here");
    }
}
