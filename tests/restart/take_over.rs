//! Who wants to take over and cannot: the running server is not disturbed, or goes on where it was.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::process::Signal;

use crate::notify::Supervisor;
use crate::support::{Answer, DEADLINE, Receiver, Server};
use crate::{publish, webhook};

const HELLO: &str = "hookwheel take-over 1";

/// A process that speaks as one that takes over does.
struct Fake(BufReader<UnixStream>);

impl Fake {
    fn connect(dir: &Path) -> Self {
        let stream = UnixStream::connect(Server::data(dir).join("control.sock")).expect("the server is there");
        stream.set_read_timeout(Some(DEADLINE)).expect("it can be set");
        Self(BufReader::new(stream))
    }

    fn says(&mut self, line: &str) -> String {
        writeln!(self.0.get_mut(), "{line}").expect("it reads");
        self.hears()
    }

    fn hears(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("it answers");
        line.trim_end().to_owned()
    }
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn who_could_not_serve_leaves_the_running_server_undisturbed() {
    let dir = directory();
    let broken = dir.path().join("broken");
    fs::create_dir(&broken).expect("a folder");
    fs::write(broken.join("x.toml"), "this is no dialect").expect("a file");
    let broken = broken.to_str().expect("a plain path");
    let another_key = "A".repeat(43) + "=";
    let server = Server::start(dir.path(), &[]);
    // On one connection: a server that had stopped in between would have ended it.
    let mut client = server.client();
    client.post("/api/v1/webhooks", &serde_json::json!({"url": "http://127.0.0.1:9/", "events": ["*"]})).data(201);
    for (n, (name, value, words)) in [
        ("HOOKWHEEL__DELIVER__DIALECTS", broken, "x.toml"),
        ("HOOKWHEEL__DELIVER__DEFAULT_DIALECT", "unheard_of", "deliver.default_dialect"),
        ("HOOKWHEEL__STORE__MASTER_KEY", &another_key, "put it back"),
        ("HOOKWHEEL__SERVER__TLS_CERTIFICATE", "/nowhere.pem", "nowhere.pem"),
    ]
    .into_iter()
    .enumerate()
    {
        let key = ("HOOKWHEEL__SERVER__TLS_KEY", "/nowhere.key");
        let mut env = vec![(name, value)];
        env.extend(name.contains("CERTIFICATE").then_some(key));
        let ended = Server::start_taking_over(dir.path(), &env).end();
        assert!(!ended.status.success() && ended.output.contains(words), "{name}: {}", ended.output);
        publish(&mut client, "order.paid", &format!("after-{n}"));
    }
    let ended = server.process.terminate();
    assert!(ended.status.success(), "{}", ended.output);
}

#[test]
fn who_says_something_else_or_leaves_before_it_has_the_socket_disturbs_nothing() {
    let dir = directory();
    let server = Server::start(dir.path(), &[]);
    let mode = fs::metadata(Server::data(dir.path()).join("control.sock")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut client = server.client();
    publish(&mut client, "order.paid", "one");
    assert!(Fake::connect(dir.path()).says("hookwheel take-over 99").starts_with("refused "));
    drop(Fake::connect(dir.path()));
    let mut leaves = Fake::connect(dir.path());
    let holds = leaves.says(HELLO);
    assert!(holds.starts_with("server "), "{holds}");
    drop(leaves);
    let mut says = Fake::connect(dir.path());
    says.says(HELLO);
    assert!(says.says("something else").starts_with("refused "));
    publish(&mut client, "order.paid", "two");
    assert!(server.terminate().success());
    assert!(!Server::data(dir.path()).join("control.sock").exists(), "nobody is found there");
}

#[test]
fn who_has_the_socket_and_goes_leaves_a_server_that_opens_its_store_again() {
    let dir = directory();
    let mut server = Server::start(dir.path(), &[]);
    publish(&mut server.client(), "order.paid", "before");
    for (between, last_word) in [("between-1", "failed it was not to be"), ("between-2", "")] {
        let mut fake = Fake::connect(dir.path());
        fake.says(HELLO);
        // The socket that comes beside it is dropped by the system, since nobody takes it.
        let socket = fake.says("give");
        assert!(socket.starts_with("socket "), "{socket}");
        assert_eq!(fake.hears(), "released");
        // It is between two servers: who connects now is served by the one that goes on.
        let mut client = server.client();
        let asking = std::thread::spawn(move || publish(&mut client, "order.paid", between));
        if !last_word.is_empty() {
            writeln!(fake.0.get_mut(), "{last_word}").expect("it reads");
        }
        drop(fake);
        asking.join().expect("it is taken");
        server.process.line("events are taken again");
    }
    // One that dies with the store open: the system takes it back from it.
    let dies = Server::start_taking_over(dir.path(), &[("FAILPOINTS", "take_over.opened=panic")]);
    let ended = dies.end();
    assert_eq!(ended.status.code(), Some(70), "{}", ended.output);
    server.process.line("events are taken again");
    for event in ["before", "between-1", "between-2"] {
        assert_eq!(server.client().get(&format!("/api/v1/events/{event}")).status, 200, "{event}");
    }
    // And one that gets far.
    let next = Server::take_over(dir.path(), &[]);
    let ended = server.process.end();
    assert!(ended.status.success(), "{}", ended.output);
    assert_eq!(next.client().get("/api/v1/events/before").status, 200);
    assert!(next.terminate().success());
}

#[test]
fn who_has_the_socket_goes_on_if_the_server_that_gave_it_dies_before_it_has_closed_its_store() {
    let dir = directory();
    let server = Server::start(dir.path(), &[("FAILPOINTS", "take_over.given=panic")]);
    publish(&mut server.client(), "order.paid", "before");
    let next = Server::take_over(dir.path(), &[]);
    let ended = server.process.end();
    assert_eq!(ended.status.code(), Some(70), "{}", ended.output);
    let mut client = next.client();
    publish(&mut client, "order.paid", "after");
    assert_eq!(client.get("/api/v1/events/before").status, 200);
    let ended = next.process.terminate();
    assert!(ended.status.success() && ended.output.contains("has ended before"), "{}", ended.output);
}

#[test]
fn who_is_stopped_while_it_opens_the_store_leaves_it_to_the_server_that_gave_it() {
    let dir = directory();
    let mut server = Server::start(dir.path(), &[]);
    publish(&mut server.client(), "order.paid", "before");
    let supervisor = Supervisor::listen(dir.path());
    let env = [("NOTIFY_SOCKET", supervisor.address.as_str()), ("FAILPOINTS", "post.open=sleep(3600000)")];
    let heir = Server::start_taking_over(dir.path(), &env);
    supervisor.hears("STATUS=opening the store");
    let ended = heir.terminate();
    assert!(ended.status.success(), "{}", ended.output);
    assert!(ended.output.contains("stopped while the store was opened"), "{}", ended.output);
    let why = server.process.line("the process that took over does not serve");
    assert!(why.contains("asked to stop"), "{why}");
    server.process.line("events are taken again");
    assert_eq!(server.client().get("/api/v1/events/before").status, 200);
    assert!(server.terminate().success());
}

#[test]
fn who_is_stopped_while_another_opens_the_store_leaves_it_to_that_one() {
    let dir = directory();
    let server = Server::start(dir.path(), &[]);
    let mut fake = Fake::connect(dir.path());
    fake.says(HELLO);
    fake.says("give");
    assert_eq!(fake.hears(), "released");
    let ended = server.process.terminate();
    assert!(ended.status.success(), "{}", ended.output);
    // Then it is gone, and the store is free.
    assert_eq!(fake.hears(), "");
    assert!(Server::start(dir.path(), &[]).terminate().success());
}

#[test]
fn who_asks_for_the_socket_of_a_server_that_was_asked_to_stop_meanwhile_does_not_get_it() {
    let dir = directory();
    let hanging = Receiver::start(|_, _| Answer::Hang);
    let hour = ["HOOKWHEEL__SERVER__SHUTDOWN_SECONDS", "HOOKWHEEL__SERVER__SHUTDOWN_ATTEMPT_SECONDS"];
    let server = Server::start(dir.path(), &hour.map(|name| (name, "3600")));
    let mut client = server.client();
    webhook(&mut client, &hanging, "/", "slow");
    publish(&mut client, "slow", "e");
    hanging.next();
    let mut fake = Fake::connect(dir.path());
    assert!(fake.says(HELLO).starts_with("server "));
    server.process.signal(Signal::TERM);
    client.until_ready_says(503);
    // It would listen on a socket that is shut down, over a store that is not its own.
    assert_eq!(fake.says("give"), "");
    let ended = server.process.terminate();
    assert!(ended.status.success(), "{}", ended.output);
}

#[test]
fn a_data_directory_with_a_path_that_is_too_long_for_a_socket_is_taken_over() {
    let dir = directory();
    let deep = dir.path().join("d".repeat(120));
    fs::create_dir(&deep).expect("it can be made");
    let server = Server::start(&deep, &[]);
    publish(&mut server.client(), "order.paid", "before");
    let next = Server::take_over(&deep, &[]);
    let ended = server.process.end();
    assert!(ended.status.success() && !ended.output.contains("no other process can take over"), "{}", ended.output);
    assert_eq!(next.client().get("/api/v1/events/before").status, 200);
    assert!(next.terminate().success());
}

#[test]
fn a_given_socket_is_listened_on_and_not_taken_over() {
    let dir = directory();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut process =
        Server::start_process_given(dir.path(), &listener, &[("HOOKWHEEL__SERVER__LISTEN", "127.0.0.1:1")]);
    process.line(&format!(" listens on http://{}", listener.local_addr().expect("it is bound")));
    let ended = Server::start_taking_over(dir.path(), &[]).end();
    assert!(!ended.status.success() && ended.output.contains("systemctl restart"), "{}", ended.output);
    let ended = process.terminate();
    assert!(ended.status.success() && ended.output.contains("server.listen is not used"), "{}", ended.output);
}

#[test]
fn where_no_server_runs_one_starts_as_usual() {
    let dir = directory();
    let server = Server::take_over(dir.path(), &[]);
    publish(&mut server.client(), "order.paid", "e");
    server.kill();
    // What a crash has left is nobody.
    assert!(Server::data(dir.path()).join("control.sock").exists());
    let server = Server::take_over(dir.path(), &[]);
    assert_eq!(server.client().get("/api/v1/events/e").status, 200);
    assert!(server.terminate().success());
}
