//! What a supervisor hears over `NOTIFY_SOCKET`.

use std::os::unix::net::UnixDatagram;
use std::path::Path;

use rustix::process::Signal;

use crate::support::{Answer, DEADLINE, Receiver, Server};
use crate::{publish, webhook};

/// A supervisor's socket.
struct Supervisor {
    socket: UnixDatagram,
    address: String,
}

impl Supervisor {
    fn listen(dir: &Path) -> Self {
        let path = dir.join("notify");
        let socket = UnixDatagram::bind(&path).expect("it can be made");
        socket.set_read_timeout(Some(DEADLINE)).expect("it can be set");
        Self { socket, address: path.to_str().expect("a plain path").to_owned() }
    }

    /// The lines of the next message; empty if there is none now.
    fn message(&self) -> Vec<String> {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).unwrap_or(0);
        String::from_utf8_lossy(&bytes[..length]).lines().map(str::to_owned).collect()
    }

    /// Waits for a message with this line.
    #[track_caller]
    fn hears(&self, line: &str) -> Vec<String> {
        loop {
            let message = self.message();
            assert!(!message.is_empty(), "{line:?} is not heard");
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
    supervisor.hears("READY=1");
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
fn the_watchdog_is_not_told_that_all_is_well_while_a_thread_is_stuck() {
    let dir = tempfile::tempdir().expect("a directory");
    let supervisor = Supervisor::listen(dir.path());
    let env = [
        ("NOTIFY_SOCKET", supervisor.address.as_str()),
        ("WATCHDOG_USEC", "200000"),
        ("FAILPOINTS", "engine.hand_out=sleep(3600000)"),
    ];
    let mut server = Server::start(dir.path(), &env);
    supervisor.hears("WATCHDOG=1");
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    webhook(&mut server.client(), &receiver, "/", "order.paid");
    publish(&mut server.client(), "order.paid", "e");
    let line = server.process.line("the watchdog is not told");
    assert!(line.contains("engine"), "{line}");
    supervisor.socket.set_nonblocking(true).expect("it can be set");
    while !supervisor.message().is_empty() {}
    // It looks again and again, and finds the same.
    (0..3).for_each(|_| drop(server.process.line("the watchdog is not told")));
    assert_eq!(supervisor.message(), Vec::<String>::new());
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
