//! What a supervisor hears over `NOTIFY_SOCKET`.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::mpsc;

use rustix::process::Signal;

use crate::support::{Answer, DEADLINE, Receiver, Server};
use crate::{publish, webhook};

/// A supervisor's socket. All that comes is taken at once, so that no message is left out since others wait.
pub struct Supervisor {
    messages: mpsc::Receiver<Vec<String>>,
    pub address: String,
}

impl Supervisor {
    pub fn listen(dir: &Path) -> Self {
        let path = dir.join("notify");
        let socket = UnixDatagram::bind(&path).expect("it can be made");
        let (tell, messages) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length) = socket.recv(&mut bytes) {
                let lines = String::from_utf8_lossy(&bytes[..length]).lines().map(str::to_owned).collect();
                if tell.send(lines).is_err() {
                    return;
                }
            }
        });
        Self { messages, address: path.to_str().expect("a plain path").to_owned() }
    }

    /// The lines of all that has come.
    fn heard(&self) -> Vec<String> {
        self.messages.try_iter().flatten().collect()
    }

    /// Waits for a message with this line.
    #[track_caller]
    pub fn hears(&self, line: &str) -> Vec<String> {
        loop {
            let message = self.messages.recv_timeout(DEADLINE);
            let message = message.unwrap_or_else(|_| panic!("{line:?} is not heard"));
            if message.iter().any(|said| said == line) {
                return message;
            }
        }
    }
}

#[test]
fn a_supervisor_hears_of_the_start_of_reading_again_of_the_watchdog_and_of_the_stop() {
    let dir = tempfile::tempdir().expect("a directory");
    let supervisor = Supervisor::listen(dir.path());
    let env = [("NOTIFY_SOCKET", supervisor.address.as_str()), ("WATCHDOG_USEC", "200000")];
    let process = Server::start_process(dir.path(), &env);
    let ready = supervisor.hears("READY=1");
    assert!(ready.iter().any(|line| line.starts_with("STATUS=serving on 127.0.0.1:")), "{ready:?}");
    (0..3).for_each(|_| drop(supervisor.hears("WATCHDOG=1")));
    process.signal(Signal::HUP);
    let reloading = supervisor.hears("RELOADING=1");
    let at = reloading.iter().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    assert!(at.is_some_and(|at| at.parse::<u64>().is_ok()), "{reloading:?}");
    assert!(supervisor.hears("READY=1").iter().any(|line| line == "STATUS=serving; what can be read again was"));
    std::fs::write(dir.path().join("config.toml"), "[server]\nworkers = -1\n").expect("written");
    process.signal(Signal::HUP);
    let wrong = supervisor.hears("READY=1");
    assert!(wrong.iter().any(|line| line.starts_with("STATUS=serving; the configuration is wrong")), "{wrong:?}");
    process.signal(Signal::TERM);
    supervisor.hears("STOPPING=1");
    assert!(process.end().status.success());
}

#[test]
fn a_development_server_that_is_a_service_keeps_no_profile() {
    for is_service in [true, false] {
        let dir = tempfile::tempdir().expect("a directory");
        let supervisor = Supervisor::listen(dir.path());
        let mut env = vec![("HOOKWHEEL__AUTH__ADMIN_KEY", "")];
        env.extend(is_service.then_some(("NOTIFY_SOCKET", supervisor.address.as_str())));
        let mut process = Server::start_process(dir.path(), &env);
        process.line("admin key: hw_");
        process.line("try it");
        assert_eq!(dir.path().join("hookwheel/profiles.toml").exists(), !is_service, "{is_service}");
        assert!(process.terminate().status.success());
    }
}

#[test]
fn who_asks_to_read_again_before_a_server_serves_is_heard_once_it_does() {
    let dir = tempfile::tempdir().expect("a directory");
    let supervisor = Supervisor::listen(dir.path());
    let env = [("NOTIFY_SOCKET", supervisor.address.as_str()), ("FAILPOINTS", "take_over.opened=sleep(1000)")];
    let process = Server::start_process(dir.path(), &env);
    supervisor.hears("STATUS=opening the store");
    process.signal(Signal::HUP);
    for line in ["READY=1", "RELOADING=1", "READY=1"] {
        supervisor.hears(line);
    }
    let ended = process.terminate();
    assert!(ended.status.success(), "{}", ended.output);
}

#[test]
fn the_watchdog_is_not_told_that_all_is_well_while_the_engine_is_stuck() {
    is_not_told_of("engine", "engine.hand_out=sleep(3600000)");
}

#[test]
fn the_watchdog_is_not_told_that_all_is_well_while_the_commit_thread_is_stuck() {
    is_not_told_of("commit", "store.settle=sleep(3600000)");
}

fn is_not_told_of(thread: &str, failpoint: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let supervisor = Supervisor::listen(dir.path());
    let env = [("NOTIFY_SOCKET", supervisor.address.as_str()), ("WATCHDOG_USEC", "200000"), ("FAILPOINTS", failpoint)];
    let mut server = Server::start(dir.path(), &env);
    // What is answered in between leaves nobody stuck.
    for event in ["one", "two", "three"] {
        publish(&mut server.client(), "nobody.wants", event);
        supervisor.hears("WATCHDOG=1");
    }
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    webhook(&mut server.client(), &receiver, "/", "order.paid");
    publish(&mut server.client(), "order.paid", "e");
    let line = server.process.line("the watchdog is not told");
    assert!(line.contains(&format!("the {thread} thread")), "{line}");
    supervisor.heard();
    // It looks again and again, and finds the same.
    (0..3).for_each(|_| drop(server.process.line("the watchdog is not told")));
    assert_eq!(supervisor.heard(), Vec::<String>::new());
    server.kill();
}

/// The lines of a sign of life of what takes long.
fn asks_for_time(supervisor: &Supervisor) {
    let sign = supervisor.hears("EXTEND_TIMEOUT_USEC=60000000");
    assert!(sign.iter().any(|line| line == "WATCHDOG=1"), "{sign:?}");
}

#[test]
fn a_supervisor_is_asked_for_time_while_the_store_is_opened_for_the_first_time_or_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let supervisor = Supervisor::listen(dir.path());
    // Each opening takes longer than the watchdog is told to wait.
    let env = [
        ("NOTIFY_SOCKET", supervisor.address.as_str()),
        ("WATCHDOG_USEC", "200000"),
        ("FAILPOINTS", "post.open=sleep(1000)"),
    ];
    let mut server = Server::start(dir.path(), &env);
    for _ in 0..3 {
        asks_for_time(&supervisor);
    }
    supervisor.hears("READY=1");
    let fails = Server::start_taking_over(dir.path(), &[("FAILPOINTS", "post.open=panic")]).end();
    assert_eq!(fails.status.code(), Some(70), "{}", fails.output);
    // As it was told that this server was ready, its watchdog waits for it while it opens its store again.
    supervisor.hears("STATUS=opening the store");
    for _ in 0..3 {
        asks_for_time(&supervisor);
    }
    supervisor.hears("READY=1");
    server.process.line("events are taken again");
    assert!(server.terminate().success());
}

#[test]
fn a_supervisor_is_asked_for_time_by_a_stop_as_long_as_it_gets_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let supervisor = Supervisor::listen(dir.path());
    let env = [
        ("NOTIFY_SOCKET", supervisor.address.as_str()),
        ("WATCHDOG_USEC", "200000"),
        ("FAILPOINTS", "store.close=sleep(3600000)"),
    ];
    let mut server = Server::start(dir.path(), &env);
    server.process.signal(Signal::TERM);
    supervisor.hears("STOPPING=1");
    for _ in 0..3 {
        asks_for_time(&supervisor);
    }
    // One step of it that takes for ever is none: nobody is asked to wait for that.
    server.process.line("the commit thread has been at one thing");
    supervisor.heard();
    (0..3).for_each(|_| drop(server.process.line("the watchdog is not told")));
    assert_eq!(supervisor.heard(), Vec::<String>::new());
    server.kill();
}

#[test]
fn a_supervisor_hears_which_process_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let supervisor = Supervisor::listen(dir.path());
    let server = Server::start(dir.path(), &[("NOTIFY_SOCKET", supervisor.address.as_str())]);
    let next = Server::take_over(dir.path(), &[]);
    supervisor.hears(&format!("MAINPID={}", next.process.child.id()));
    assert!(server.process.end().status.success());
    assert!(next.terminate().success());
}
