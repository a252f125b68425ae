//! The server and the clocks: the whole of it in this process, by a clock that the test sets. What stays true: a wall clock
//! that is set, or a machine that slept, puts no signature and no due time wrong, and a start with a wrong clock costs
//! nothing that is kept.

mod support;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::thread::JoinHandle;

use hookwheel::ServeError;
use hookwheel::clock::{Clock, Stopwatch};
use hookwheel::config::Config;
use hookwheel::domain::secret::Secret;
use hookwheel::domain::time::{DAY_MS, parse};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::{Value, json};
use support::process::KEY;
use support::{Answer, Client, DEADLINE, Receiver, Server};
use tokio::sync::oneshot;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// A server in this process.
struct Here {
    address: SocketAddr,
    client: Client,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), ServeError>>,
}

impl Here {
    /// Starts it over `dir` by this clock; it may dial this machine.
    fn start(dir: &Path, clock: Clock) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let client = Client::new(address, KEY);
        let mut config = Config::default();
        config.for_development();
        config.store.path = Server::data(dir);
        config.auth.admin_key = Some(Secret::new(KEY));
        config.deliver.dialects = dir.join("dialects");
        (config.server.workers, config.deliver.senders, config.server.calls_per_minute) = (1, 1, 0);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = std::thread::spawn(move || {
            let until = async move { drop(stopped.await) };
            actix_rt::System::new().block_on(hookwheel::run_by(clock, config, listener, until))
        });
        Self { address, client, stop, running }
    }

    fn webhook(&mut self, receiver: &Receiver, delay_seconds: u64) {
        let retry = json!({"delays": [delay_seconds], "jitter_percent": 0});
        let webhook = json!({"url": receiver.url("/"), "events": ["*"], "retry": retry});
        self.client.post("/api/v1/webhooks", &webhook).data(201);
    }

    fn publish(&mut self, name: &str) {
        let event = json!({"type": "task.created", "id": name, "data": 1});
        self.client.post("/api/v1/events", &event).data(202);
    }

    /// The only delivery of an event once it is in this state.
    #[track_caller]
    fn delivery(&mut self, event: &str, state: &str) -> Value {
        let watch = Stopwatch::start();
        loop {
            let shown = self.client.get(&format!("/api/v1/events/{event}")).data(200);
            let row = shown["deliveries"][0].clone();
            if row["state"] == state {
                return self.client.get(&format!("/api/v1/deliveries/{}", row["id"].as_str().unwrap())).data(200);
            }
            assert!(watch.elapsed() < DEADLINE, "{row} does not become {state}");
            std::thread::yield_now();
        }
    }

    fn stop(self) {
        self.stop.send(()).unwrap();
        self.running.join().unwrap().unwrap();
    }
}

/// Seconds between two times in milliseconds.
fn seconds_between(one: u64, other: u64) -> u64 {
    one.abs_diff(other) / 1000
}

#[test]
fn signatures_and_what_is_written_of_an_event_follow_a_wall_clock_that_is_set() {
    let (dir, receiver) = (tempfile::tempdir().unwrap(), Receiver::start(|_, _| Answer::Status(200)));
    let clock = Clock::real();
    let mut here = Here::start(dir.path(), clock.clone());
    here.webhook(&receiver, 1);
    for (name, ahead) in [("before", 0), ("ahead", 3 * HOUR_MS), ("back", -5 * HOUR_MS)] {
        clock.set_wall_ahead(ahead);
        here.publish(name);
        let arrived = receiver.next();
        let signed_at: u64 = arrived.header("webhook-timestamp").unwrap().parse().unwrap();
        let body: Value = serde_json::from_slice(&arrived.message.body).unwrap();
        let written_at = parse(body["timestamp"].as_str().unwrap()).unwrap();
        for at in [signed_at * 1000, written_at] {
            assert!(seconds_between(at, clock.wall()) < 300, "{name}: a receiver with a tolerance takes it: {body}");
        }
        let shown = here.delivery(name, "succeeded");
        let started_at = parse(shown["attempts"][0]["started_at"].as_str().unwrap()).unwrap();
        assert!(seconds_between(started_at, clock.wall()) < 300, "{name}: {shown}");
    }
    here.stop();
}

#[test]
fn dates_that_others_write_are_read_by_the_wall_clock() {
    let clock = Clock::real();
    clock.set_wall_ahead(3 * HOUR_MS);
    let dir = tempfile::tempdir().unwrap();
    let date = |ms: u64| {
        let at = Timestamp::from_millisecond(ms as i64).unwrap();
        DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap()
    };
    let asked = clock.wall() + 120_000;
    let answer = format!("HTTP/1.1 503 Busy\r\nRetry-After: {}\r\nContent-Length: 0\r\n\r\n", date(asked));
    let answer: &'static [u8] = answer.into_bytes().leak();
    let receiver = Receiver::start(move |_, _| Answer::Bytes(answer));
    let mut here = Here::start(dir.path(), clock.clone());
    here.webhook(&receiver, 1);
    here.publish("e");
    let waiting = here.delivery("e", "scheduled");
    let next_at = parse(waiting["next_attempt_at"].as_str().unwrap()).unwrap();
    assert!(seconds_between(next_at, asked) < 60, "{waiting}");

    let expires_at = Timestamp::from_millisecond(clock.wall() as i64 + HOUR_MS).unwrap().to_string();
    let key = json!({"scopes": ["read"], "expires_at": expires_at});
    let key = here.client.post("/api/v1/accounts/default/keys", &key).data(201)["key"].as_str().unwrap().to_owned();
    let mut guest = Client::new(here.address, &key);
    guest.get("/api/v1/events").data(200);
    clock.set_wall_ahead(2 * HOUR_MS);
    assert_eq!(guest.get("/api/v1/events").status, 401, "its hour is over");
    here.stop();
}

#[test]
fn what_came_due_while_the_machine_slept_goes_out_when_it_wakes() {
    let (dir, receiver) = (tempfile::tempdir().unwrap(), Receiver::start(|_, _| Answer::Status(500)));
    let clock = Clock::standing_at(Clock::real().wall());
    let mut here = Here::start(dir.path(), clock.clone());
    here.webhook(&receiver, 12 * 60 * 60);
    here.publish("e");
    receiver.next();
    here.delivery("e", "scheduled");
    // To whoever waits, no time has passed.
    clock.turn_to(clock.now() + 12 * HOUR_MS as u64 + 1_000);
    receiver.next();
    here.delivery("e", "dead");
    here.stop();
}

#[test]
fn a_start_with_a_clock_that_is_ahead_is_told_and_retention_waits_for_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let mut here = Here::start(dir.path(), Clock::real());
    here.publish("e");
    assert_eq!(here.client.get("/health/ready").data(200)["retention_clock_behind_seconds"], Value::Null);
    here.stop();

    let mut here = Here::start(dir.path(), Clock::real_ahead(8 * DAY_MS as i64));
    let ready = here.client.get("/health/ready").data(200);
    let behind = ready["retention_clock_behind_seconds"].as_u64().unwrap();
    assert!(behind.abs_diff(7 * DAY_MS / 1000) < 300, "{ready}");
    let metrics = here.client.get("/metrics").message;
    let line = format!("hookwheel_retention_clock_behind_seconds {}", behind / 1000);
    assert!(String::from_utf8_lossy(&metrics.body).contains(&line), "{line}");
    let trusted = here.client.post("/api/v1/retention-clock/trust", &json!({})).data(200);
    assert_eq!(trusted["behind_seconds"], 0);
    assert_eq!(here.client.get("/health/ready").data(200)["retention_clock_behind_seconds"], Value::Null);
    here.stop();
}

#[test]
fn a_clock_that_was_never_set_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let here = Here::start(dir.path(), Clock::standing_at(20_000));
    let error = here.running.join().unwrap().unwrap_err().to_string();
    assert!(error.contains("shows 1970-01-01T00:00:20.000Z"), "{error}");
    assert!(!Server::data(dir.path()).exists(), "and nothing was made");
}
