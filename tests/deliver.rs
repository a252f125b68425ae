//! Delivery from end to end: the server as a process, endpoints on real sockets, good ones and bad ones. What stays
//! true: what went wrong is recorded as what it was and tried again when the schedule says, no webhook stands in
//! another's way, and nothing goes where it must not.

mod support;

use std::fs;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use hookwheel::clock::{Clock, Stopwatch};
use hookwheel::dialect::{Dialects, Received};
use hookwheel::domain::secret::Secret;
use hookwheel::domain::time::parse;
use rustix::process::Signal;
use serde_json::{Value, json};
use support::{Answer, Arrived, Client, DEADLINE, Message, Receiver, Server};

/// A server and an endpoint.
struct Scene {
    server: Server,
    client: Client,
    receiver: Receiver,
    dir: tempfile::TempDir,
}

impl Scene {
    /// Starts both; the endpoint answers as `answer` says.
    fn start(answer: impl Fn(&str, &Message) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_with(&[], answer)
    }

    fn start_with(env: &[(&str, &str)], answer: impl Fn(&str, &Message) -> Answer + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(dir.path(), env);
        Self { client: server.client(), server, receiver: Receiver::start(answer), dir }
    }

    /// A webhook to `path` of the endpoint, with these settings too.
    fn webhook(&mut self, path: &str, settings: Value) -> Webhook {
        let url = self.receiver.url(path);
        Webhook::create(&mut self.client, &url, settings)
    }

    /// Publishes an event of this id to every webhook.
    fn publish(&mut self, name: &str) {
        let event = json!({"type": "task.created", "id": name, "data": {"name": name}});
        self.client.post("/api/v1/events", &event).data(202);
    }

    /// Posts `body` to `verb` of the webhook and gives the reply's data.
    fn steer(&mut self, webhook: &Webhook, verb: &str, body: Value) -> Value {
        self.client.post(&format!("{}/{verb}", webhook.path), &body).data(200)
    }

    /// How many deliveries are out.
    fn out(&mut self) -> usize {
        let metrics = String::from_utf8(self.client.get("/metrics").message.body).unwrap();
        let out = metrics.lines().find_map(|line| line.strip_prefix("hookwheel_in_flight "));
        out.expect("it is measured").parse().unwrap()
    }

    /// Waits until nothing is out.
    #[track_caller]
    fn nothing_is_out(&mut self) {
        self.so_many_are_out(0);
    }

    /// Waits until so many are out: the engine says so at the end of a pass, when an endpoint may have one already.
    #[track_caller]
    fn so_many_are_out(&mut self, wanted: usize) {
        let watch = Stopwatch::start();
        while self.out() != wanted {
            assert!(watch.elapsed() < DEADLINE, "{} are out, not {wanted}", self.out());
        }
    }

    /// The webhook as it is shown.
    fn shown(&mut self, webhook: &Webhook) -> Value {
        self.client.get(&webhook.path).data(200)
    }

    /// The webhook's delivery of the event, with all attempts.
    fn delivery(&mut self, webhook: &Webhook, event: &str) -> Value {
        let event = self.client.get(&format!("/api/v1/events/{event}")).data(200);
        let rows = event["deliveries"].as_array().unwrap();
        let row =
            rows.iter().find(|row| row["webhook_id"] == webhook.id.as_str()).expect("the webhook wants the event");
        self.client.get(&format!("/api/v1/deliveries/{}", row["id"].as_str().unwrap())).data(200)
    }

    /// The same once its state is `state`.
    #[track_caller]
    fn delivery_in(&mut self, webhook: &Webhook, event: &str, state: &str) -> Value {
        ask_until(state, || self.delivery(webhook, event), |delivery| delivery["state"] == state)
    }
}

/// A webhook that wants every event.
struct Webhook {
    id: String,
    path: String,
}

impl Webhook {
    /// Creates one; without other `settings` it is tried again once, at once.
    fn create(client: &mut Client, url: &str, settings: Value) -> Self {
        let mut webhook = json!({"url": url, "events": ["*"], "retry": {"delays": [0], "jitter_percent": 0}});
        webhook.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let id = client.post("/api/v1/webhooks", &webhook).data(201)["id"].as_str().unwrap().to_owned();
        Self { path: format!("/api/v1/webhooks/{id}"), id }
    }
}

/// Asks until the reply is as wanted.
#[track_caller]
fn ask_until(what: &str, mut ask: impl FnMut() -> Value, wanted: impl Fn(&Value) -> bool) -> Value {
    let watch = Stopwatch::start();
    loop {
        let reply = ask();
        if wanted(&reply) {
            return reply;
        }
        assert!(watch.elapsed() < DEADLINE, "{what:?} does not come; at last {reply}");
        std::thread::yield_now();
    }
}

/// One field of every attempt of a delivery.
fn attempts(delivery: &Value, field: &str) -> Vec<Value> {
    delivery["attempts"].as_array().unwrap().iter().map(|attempt| attempt[field].clone()).collect()
}

/// When an attempt of a delivery began and ended, in milliseconds.
fn times(delivery: &Value) -> Vec<(u64, u64)> {
    let time = |attempt: &Value| {
        let started_at = parse(attempt["started_at"].as_str().unwrap()).unwrap();
        (started_at, started_at + attempt["response_time_ms"].as_u64().unwrap())
    };
    delivery["attempts"].as_array().unwrap().iter().map(time).collect()
}

/// The event's id in a request of `standard`.
fn event_of(arrived: &Arrived) -> &str {
    arrived.header("webhook-id").expect("a delivery names its event")
}

/// A port that nobody listens on.
fn closed_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A port that resets every connection: it is closed while there is something to read.
fn resetting_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            stream.unwrap().read_exact(&mut [0]).unwrap();
        }
    });
    port
}

#[test]
fn what_goes_wrong_is_recorded_as_what_it_was_and_tried_again() {
    let mut scene = Scene::start(|path, _| match path {
        "/hang" => Answer::Hang,
        "/close" => Answer::Close,
        "/garbage" => Answer::Bytes(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        "/bad-chunk" => Answer::Bytes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        "/moved" => Answer::Bytes(b"HTTP/1.1 307 Moved\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n"),
        "/error" => Answer::Status(503),
        _ => Answer::Status(200),
    });
    let at = |port: u16| format!("http://127.0.0.1:{port}/");
    let table = [
        (scene.receiver.url("/hang"), "timeout", json!(null)),
        (at(closed_port()), "connect", json!(null)),
        (at(resetting_port()), "broken", json!(null)),
        (scene.receiver.url("/close"), "broken", json!(null)),
        (scene.receiver.url("/garbage"), "broken", json!(null)),
        (scene.receiver.url("/bad-chunk"), "broken", json!(null)),
        (scene.receiver.url("/moved"), "status", json!(307)),
        (scene.receiver.url("/error"), "status", json!(503)),
    ];
    let webhooks: Vec<Webhook> =
        table.iter().map(|(url, ..)| Webhook::create(&mut scene.client, url, json!({"timeout": 1}))).collect();
    scene.publish("e");
    for (webhook, (url, outcome, status)) in webhooks.iter().zip(&table) {
        let delivery = scene.delivery_in(webhook, "e", "dead");
        assert_eq!(attempts(&delivery, "outcome"), [*outcome; 2], "{url}: {delivery}");
        assert_eq!(attempts(&delivery, "status_code"), [status.clone(), status.clone()], "{url}: {delivery}");
        assert_eq!(attempts(&delivery, "success"), [false; 2], "{url}");
        assert!(attempts(&delivery, "error").iter().all(Value::is_string), "{url}: {delivery}");
        for (started_at, ended_at) in times(&delivery) {
            let full = *outcome == "timeout";
            assert!(!full || (1000..5000).contains(&(ended_at - started_at)), "{url}: {delivery}");
        }
    }
    assert!(scene.receiver.arrived.try_iter().all(|arrived| arrived.path != "/new"), "a redirect was followed");
}

#[test]
fn an_endless_answer_is_read_as_far_as_it_is_kept() {
    let mut scene = Scene::start(|_, _| Answer::Endless);
    let webhook = scene.webhook("/", json!({"timeout": 60}));
    scene.publish("e");
    let delivery = scene.delivery_in(&webhook, "e", "succeeded");
    let kept = delivery["attempts"][0]["response_body"].as_str().unwrap();
    assert_eq!(kept, "x".repeat(16 * 1024));
}

#[test]
fn an_answer_that_is_cut_short_counts_by_its_status() {
    let mut scene = Scene::start(|_, _| Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nonly"));
    let webhook = scene.webhook("/", json!({}));
    scene.publish("e");
    let delivery = scene.delivery_in(&webhook, "e", "succeeded");
    assert_eq!(delivery["attempts"][0]["response_body"], "only");
}

#[test]
fn an_attempt_can_be_seen_whole_and_its_body_is_what_arrived() {
    const NO: &[u8] =
        b"HTTP/1.1 500 No\r\nX-Trace: t1\r\nX-Trace: t2\r\nSet-Cookie: hush\r\nContent-Length: 2\r\n\r\nno";
    let count = AtomicUsize::new(0);
    // A connection that was kept is one of its sender.
    let one = [("HOOKWHEEL__DELIVER__SENDERS", "1")];
    let mut scene = Scene::start_with(&one, move |_, _| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::Bytes(NO),
        _ => Answer::Status(200),
    });
    let webhook = scene.webhook("/", json!({"headers": {"X-Token": "hush", "X-Team": "blue"}}));
    let seen = |scene: &mut Scene, event: &str, number: usize| {
        let id = scene.delivery_in(&webhook, event, "succeeded")["id"].as_str().unwrap().to_owned();
        let arrived = scene.receiver.next();
        let path = format!("/api/v1/deliveries/{id}/attempts/{number}");
        (scene.client.get(&path).data(200), arrived, scene.client.get(&format!("/api/v1/deliveries/{id}")).data(200))
    };
    scene.client.post("/api/v1/events", &json!({"type": "task.created", "id": "e", "data": {"n": 1.50}})).data(202);
    let (first, arrived, whole) = seen(&mut scene, "e", 1);
    let body = String::from_utf8(arrived.message.body.clone()).unwrap();
    assert_eq!(first["request_body"], json!({"content": body, "exact": true}));
    let sent = &first["request_headers"];
    assert_eq!((sent["x-token"].as_str(), sent["x-team"].as_str()), (Some("***"), Some("blue")));
    assert_eq!(sent["webhook-signature"].as_str(), arrived.header("webhook-signature"));
    assert_eq!(first["response_headers"], json!({"content-length": "2", "set-cookie": "***", "x-trace": "t1, t2"}));
    assert_eq!((&first["status_code"], &first["response_body"]), (&json!(500), &json!("no")));
    let phase = |attempt: &Value, name: &str| attempt["timings"][name].as_f64();
    let ms = ["resolve_ms", "connect_ms", "first_byte_ms"].map(|name| phase(&first, name).expect(name));
    assert!(ms.iter().sum::<f64>() <= phase(&first, "total_ms").unwrap() + 1.0, "{first}");
    assert_eq!((phase(&first, "tls_ms"), &first["timings"]["total_ms"]), (None, &first["response_time_ms"]));
    let listed = &whole["attempts"][0];
    assert_eq!((&listed["timings"], listed.get("request_body")), (&first["timings"], None));

    assert_eq!(seen(&mut scene, "e", 2).0["request_body"]["exact"], true);
    scene.publish("f");
    let (kept, ..) = seen(&mut scene, "f", 1);
    assert_eq!(["resolve_ms", "connect_ms", "tls_ms"].map(|name| phase(&kept, name)), [None; 3], "{kept}");
    assert!(phase(&kept, "first_byte_ms").is_some(), "{kept}");
}

#[test]
fn attempts_follow_the_schedule() {
    let count = AtomicUsize::new(0);
    let mut scene = Scene::start(move |_, _| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::Status(500),
        1 => Answer::Hang,
        // Not closed without a word: on a connection that was kept that would be no attempt.
        2 => Answer::Bytes(b"HTTP/1.1 2"),
        _ => Answer::Status(204),
    });
    let delays = [1, 2, 0];
    let webhook = scene.webhook("/", json!({"timeout": 1, "retry": {"delays": delays, "jitter_percent": 20}}));
    scene.publish("e");
    let delivery = scene.delivery_in(&webhook, "e", "succeeded");
    assert_eq!(attempts(&delivery, "outcome"), ["status", "timeout", "broken", "status"]);
    assert_eq!(attempts(&delivery, "number"), [1, 2, 3, 4]);
    for (pair, delay) in times(&delivery).windows(2).zip(delays) {
        let waited = pair[1].0 - pair[0].1;
        assert!(waited >= delay * 1000, "waited {waited} ms of {delay} s: {delivery}");
    }
}

#[test]
fn gone_disables_and_enabling_sends_what_was_held() {
    let gone = Arc::new(AtomicBool::new(true));
    let is_gone = gone.clone();
    let mut scene = Scene::start(move |path, _| match path {
        "/maybe" if is_gone.load(Ordering::SeqCst) => Answer::Status(410),
        _ => Answer::Status(200),
    });
    let webhook = scene.webhook("/maybe", json!({}));
    let other = scene.webhook("/other", json!({}));
    scene.publish("first");
    // It may be shown with a webhook that was disabled a moment after the delivery was read.
    let is_told = |delivery: &Value| delivery["state"] == "held" && !attempts(delivery, "number").is_empty();
    let delivery = ask_until("held after an attempt", || scene.delivery(&webhook, "first"), is_told);
    assert_eq!(attempts(&delivery, "status_code"), [410]);
    let shown = scene.shown(&webhook);
    assert_eq!(shown["status"], "disabled");
    assert!(shown["status_reason"].as_str().unwrap().contains("410"), "{shown}");

    scene.publish("second");
    scene.delivery_in(&other, "second", "succeeded");
    assert_eq!(scene.delivery(&webhook, "second")["state"], "held");
    assert_eq!(scene.shown(&webhook)["attempts"], 1);
    gone.store(false, Ordering::SeqCst);
    assert_eq!(scene.steer(&webhook, "enable", json!({}))["status"], "active");
    scene.delivery_in(&webhook, "first", "succeeded");
    scene.delivery_in(&webhook, "second", "succeeded");
}

#[test]
fn taskflow_disables_after_its_retries_and_what_it_held_goes_out_oldest_first() {
    let works = Arc::new(AtomicBool::new(false));
    let is_working = works.clone();
    let mut scene = Scene::start(move |_, _| Answer::Status(if is_working.load(Ordering::SeqCst) { 200 } else { 500 }));
    let retry = json!({"delays": [0, 0], "jitter_percent": 0});
    let webhook = scene.webhook("/", json!({"dialect": "taskflow", "retry": retry, "max_in_flight": 1}));
    scene.publish("first");
    let dead = scene.delivery_in(&webhook, "first", "dead");
    assert_eq!(attempts(&dead, "status_code"), [500, 500, 500]);
    let shown = scene.shown(&webhook);
    assert_eq!((&shown["status"], &shown["dead"]), (&json!("disabled"), &json!(1)));
    assert_eq!(scene.receiver.arrived.try_iter().count(), 3);

    let names: Vec<String> = (0..40).map(|n| format!("held-{n}")).collect();
    names.iter().for_each(|name| scene.publish(name));
    assert_eq!(scene.delivery(&webhook, "held-0")["state"], "held");
    works.store(true, Ordering::SeqCst);
    scene.steer(&webhook, "enable", json!({}));
    for name in &names {
        let arrived = scene.receiver.next();
        let body: Value = serde_json::from_slice(&arrived.message.body).unwrap();
        assert_eq!(body["data"]["name"], name.as_str());
    }
    scene.delivery_in(&webhook, "held-39", "succeeded");
    assert_eq!(scene.delivery(&webhook, "first")["state"], "dead", "what is dead stays so");
}

#[test]
fn a_paused_webhook_holds_and_a_resumed_one_sends() {
    let mut scene = Scene::start(|_, _| Answer::Status(200));
    let webhook = scene.webhook("/paused", json!({"max_in_flight": 1}));
    let other = scene.webhook("/other", json!({}));
    scene.steer(&webhook, "pause", json!({}));
    for name in ["a", "b", "c"] {
        scene.publish(name);
        scene.delivery_in(&other, name, "succeeded");
        assert_eq!(scene.delivery(&webhook, name)["state"], "held");
    }
    assert!(scene.receiver.arrived.try_iter().all(|arrived| arrived.path == "/other"));
    scene.steer(&webhook, "resume", json!({}));
    for name in ["a", "b", "c"] {
        let arrived = scene.receiver.next();
        assert_eq!((arrived.path.as_str(), event_of(&arrived)), ("/paused", name));
    }
    scene.delivery_in(&webhook, "c", "succeeded");
}

#[test]
fn a_webhook_that_hangs_delays_no_other() {
    let mut scene = Scene::start(|path, _| if path == "/hang" { Answer::Hang } else { Answer::Status(200) });
    let hanging = scene.webhook("/hang", json!({"timeout": 120}));
    let fine = scene.webhook("/fine", json!({}));
    for n in 0..100 {
        scene.publish(&format!("e-{n}"));
    }
    for n in 0..100 {
        scene.delivery_in(&fine, &format!("e-{n}"), "succeeded");
    }
    let shown = scene.shown(&hanging);
    assert_eq!((&shown["open"], &shown["attempts"]), (&json!(100), &json!(0)), "not one of them has ended yet");
}

#[test]
fn what_is_under_way_is_broken_off_when_its_webhook_is_paused_disabled_or_deleted() {
    let mut scene = Scene::start(|_, _| Answer::Hang);
    let webhook = scene.webhook("/hang", json!({"timeout": 120}));
    scene.publish("e");
    let again = |scene: &mut Scene, verb: &str| {
        assert_eq!(event_of(&scene.receiver.next()), "e");
        scene.so_many_are_out(1);
        scene.steer(&webhook, verb, json!({}));
        scene.nothing_is_out();
        let delivery = scene.delivery(&webhook, "e");
        assert_eq!((&delivery["state"], attempts(&delivery, "number").len()), (&json!("held"), 0), "{verb}");
    };
    again(&mut scene, "pause");
    scene.steer(&webhook, "resume", json!({}));
    again(&mut scene, "disable");
    scene.steer(&webhook, "enable", json!({}));
    scene.receiver.next();
    // As it is before a change and after it: both are broken off.
    scene.client.request("PATCH", &webhook.path, br#"{"max_in_flight":2}"#).data(200);
    scene.publish("f");
    assert_eq!(event_of(&scene.receiver.next()), "f");
    assert_eq!(scene.client.request("DELETE", &webhook.path, b"").status, 204);
    scene.nothing_is_out();
}

#[test]
fn a_rate_limit_spreads_attempts() {
    let mut scene = Scene::start(|_, _| Answer::Status(200));
    let webhook = scene.webhook("/", json!({"rate_limit": {"per_second": 2, "burst": 2}}));
    let names = ["a", "b", "c", "d", "e", "f"];
    names.iter().for_each(|name| scene.publish(name));
    let mut started: Vec<u64> =
        names.iter().map(|name| times(&scene.delivery_in(&webhook, name, "succeeded"))[0].0).collect();
    started.sort_unstable();
    // Two at once and then four, half a second apart; half of one is left for a first that starts late.
    let took = started[5] - started[0];
    assert!(took >= 1750, "six attempts within {took} ms: {started:?}");
}

#[test]
fn an_endpoint_that_asks_for_a_pause_gets_it_for_all_of_its_deliveries() {
    const BUSY: Answer = Answer::Bytes(b"HTTP/1.1 429 Busy\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n");
    let asked = AtomicBool::new(false);
    let first_is_busy = move |_: &str, _: &Message| match asked.swap(true, Ordering::SeqCst) {
        false => BUSY,
        true => Answer::Status(200),
    };
    let mut scene = Scene::start(first_is_busy);
    let webhook = scene.webhook("/", json!({}));
    scene.publish("first");
    let scheduled = scene.delivery_in(&webhook, "first", "scheduled");
    scene.publish("second");
    let rows = scene.client.get(&format!("{}/deliveries?state=pending", webhook.path)).data(200);
    assert!(rows[0]["error"].as_str().unwrap().contains("pause"), "{rows}");
    let shown = scene.shown(&webhook);
    assert_eq!(shown["pauses"], 1, "{shown}");
    let end = parse(shown["paused_until"].as_str().unwrap()).unwrap();
    let busy_at = times(&scheduled)[0].1;
    assert!(end >= busy_at + 5000, "{end} is five seconds after {busy_at}");
    assert_eq!(parse(scheduled["next_attempt_at"].as_str().unwrap()), Some(end), "the retry is due at its end");
    for name in ["first", "second"] {
        let delivery = scene.delivery_in(&webhook, name, "succeeded");
        let (started, _) = *times(&delivery).last().unwrap();
        assert!(started >= end, "{name} went out at {started}, in the pause until {end}");
    }
    let shown = scene.shown(&webhook);
    assert_eq!((&shown["pauses"], &shown["paused_until"]), (&json!(0), &json!(null)), "a success ends it");
}

#[test]
fn connections_leave_from_the_published_address() {
    let egress = [("HOOKWHEEL__DELIVER__EGRESS", "198.51.100.0/24,127.0.0.9")];
    let mut scene = Scene::start_with(&egress, |_, _| Answer::Status(200));
    scene.webhook("/", json!({}));
    scene.publish("a");
    assert_eq!(scene.receiver.next().peer, IpAddr::from([127, 0, 0, 9]));
}

#[test]
fn what_is_over_the_daily_limit_waits_for_tomorrow_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("dialects")).unwrap();
    let limited = include_str!("../src/dialect/standard.toml").to_owned() + "\n[limits]\nfirst_attempts_per_day = 2\n";
    fs::write(dir.path().join("dialects/limited.toml"), limited).unwrap();
    let server = Server::start(dir.path(), &[]);
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let mut scene = Scene { client: server.client(), server, receiver, dir };
    let webhook = scene.webhook("/", json!({"dialect": "limited"}));
    ["a", "b", "c"].iter().for_each(|name| scene.publish(name));
    ["a", "b"].iter().for_each(|name| drop(scene.delivery_in(&webhook, name, "succeeded")));
    let rows = scene.client.get(&format!("{}/deliveries?state=pending", webhook.path)).data(200);
    let waiting = &rows.as_array().unwrap()[0];
    assert_eq!((&waiting["event_id"], &waiting["attempt_count"]), (&json!("c"), &json!(0)), "{rows}");
    assert_eq!(waiting["error"], "waits for tomorrow: the 2 deliveries of today are used up");
    assert!(waiting["next_attempt_at"].as_str().unwrap().ends_with("T00:00:00.000Z"), "{waiting}");
    // What a person asks for does not wait, and counts.
    let test = scene.client.post(&format!("{}/test", webhook.path), &json!({})).data(202);
    assert_eq!(test["success"], true, "{test}");
    let other = scene.webhook("/other", json!({"dialect": "limited"}));
    scene.publish("d");
    scene.delivery_in(&other, "d", "succeeded");
    let tested = scene.client.post(&format!("{}/test", other.path), &json!({})).data(202);
    assert_eq!(tested["success"], true);
    scene.publish("e");
    ask_until("waiting", || scene.shown(&other), |shown| shown["lane"]["waits_for"] == "daily_limit");
    assert_eq!(scene.delivery(&other, "e")["state"], "pending");
}

/// Asks for a test of the webhook; what its reply says.
fn tested(scene: &mut Scene, webhook: &Webhook) -> Value {
    scene.client.post(&format!("{}/test", webhook.path), &json!({})).data(202)
}

#[test]
fn a_test_goes_out_at_once_whatever_the_state_and_says_what_was_answered() {
    let status = Arc::new(AtomicUsize::new(500));
    let answered = status.clone();
    let mut scene = Scene::start(move |path, _| match path {
        "/hangs" => Answer::Hang,
        _ => Answer::Status(answered.load(Ordering::SeqCst) as u16),
    });
    // Disabled by its rule, and a probe is to come.
    let rule = json!({"consecutive_failures": 2, "probe_after_seconds": 3600});
    let webhook = scene.webhook("/", json!({"disable": rule}));
    scene.publish("a");
    for _ in 0..2 {
        scene.receiver.next();
    }
    // What is held in memory shows a moment before what is counted with it on the disk.
    let is_counted = |shown: &Value| shown["status"] == "disabled" && shown["consecutive_failures"] == 2;
    let disabled = ask_until("disabled", || scene.shown(&webhook), is_counted);
    let failed = tested(&mut scene, &webhook);
    let told = ["success", "status_code", "error", "response_body"].map(|name| &failed[name]);
    assert_eq!(told, [&json!(false), &json!(500), &json!("the endpoint answered 500"), &json!("")]);
    scene.receiver.next();
    status.store(200, Ordering::SeqCst);
    let well = tested(&mut scene, &webhook);
    assert_eq!((&well["success"], &well["error"]), (&json!(true), &Value::Null));
    scene.receiver.next();
    let delivery = scene.client.get(&format!("/api/v1/deliveries/{}", well["delivery_id"].as_str().unwrap())).data(200);
    assert_eq!((&delivery["cause"], &delivery["state"]), (&json!("test"), &json!("succeeded")));
    let shown = scene.shown(&webhook);
    for same in ["status", "status_reason", "probe_at", "consecutive_failures", "failing_since"] {
        assert_eq!(shown[same], disabled[same], "a test is no probe: {same}");
    }
    // Nor does it matter that it is paused.
    scene.steer(&webhook, "enable", json!({}));
    scene.steer(&webhook, "pause", json!({}));
    assert_eq!(tested(&mut scene, &webhook)["success"], true);
    assert_eq!(scene.shown(&webhook)["status"], "paused");

    // Failed tests disable nothing, pause nothing, and are tried once.
    let active = scene.webhook("/", json!({"disable": {"consecutive_failures": 2}}));
    status.store(503, Ordering::SeqCst);
    for _ in 0..12 {
        assert_eq!(tested(&mut scene, &active)["status_code"], 503);
    }
    let shown = scene.shown(&active);
    assert_eq!(
        (&shown["status"], &shown["pauses"], &shown["consecutive_failures"]),
        (&json!("active"), &json!(0), &json!(0))
    );
    assert_eq!((&shown["attempts"], &shown["failed_attempts"], &shown["open"]), (&json!(12), &json!(12), &json!(0)));
    let dead = scene.client.get("/api/v1/dead-letters").data(200);
    assert_eq!(dead.as_array().unwrap().len(), 1, "there is nothing to handle but what was published: {dead}");
    let slow = scene.webhook("/hangs", json!({"timeout": 1}));
    let hung = tested(&mut scene, &slow);
    assert_eq!((&hung["status_code"], &hung["error"]), (&Value::Null, &json!("the endpoint did not answer in time")));
}

#[test]
fn only_an_endpoint_that_has_not_said_that_it_wants_deliveries_is_not_tested() {
    let mut scene = Scene::start(|_, _| Answer::Status(404));
    let webhook = scene.webhook("/", json!({"ownership_check": true}));
    scene.receiver.next();
    let refused = scene.client.post(&format!("{}/test", webhook.path), &json!({}));
    let error = refused.json()["error"].take();
    assert_eq!((refused.status, &error["code"]), (409, &json!("wrong_state")), "{error}");
    assert!(error["message"].as_str().unwrap().contains("the endpoint answered 404"), "the reason: {error}");
    assert_eq!(scene.client.get("/api/v1/events").data(200), json!([]), "nothing is stored");
    assert!(scene.receiver.arrived.try_recv().is_err(), "and nothing is sent");
}

#[test]
fn without_dev_no_address_of_this_machine_is_dialled() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = Server::start_strict(dir.path(), &[]);
    let plain = json!({"url": format!("http://127.0.0.1:{port}/"), "events": ["*"]});
    let refused = server.client().post("/api/v1/webhooks", &plain);
    assert_eq!((refused.status, &refused.json()["error"]["field"]), (400, &json!("url")), "{}", refused.json());
    assert!(server.terminate().success());

    let server = Server::start_strict(dir.path(), &[("HOOKWHEEL__DELIVER__HTTP_ALLOWED", "true")]);
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let mut scene = Scene { client: server.client(), server, receiver, dir };
    let literals = [
        format!("http://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://[::1]:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
    ];
    for url in &literals {
        let refused = scene.client.post("/api/v1/webhooks", &json!({"url": url, "events": ["*"]}));
        assert_eq!((refused.status, &refused.json()["error"]["field"]), (400, &json!("url")), "{}", refused.json());
    }
    // What was made while it was open is refused at the dial.
    let Scene { server, receiver, dir, .. } = scene;
    assert!(server.terminate().success());
    let server = Server::start(dir.path(), &[("HOOKWHEEL__DELIVER__ALLOW", "169.254.0.0/16")]);
    let mut client = server.client();
    let names = [format!("http://localhost:{port}/"), format!("http://localhost.:{port}/")];
    let urls = [&literals[..], &names].concat();
    let webhooks: Vec<Webhook> = urls.iter().map(|url| Webhook::create(&mut client, url, json!({}))).collect();
    assert!(server.terminate().success());
    let server = Server::start_strict(dir.path(), &[("HOOKWHEEL__DELIVER__HTTP_ALLOWED", "true")]);
    let mut scene = Scene { client: server.client(), server, receiver, dir };
    scene.publish("e");
    for (webhook, url) in webhooks.iter().zip(&urls) {
        let delivery = scene.delivery_in(webhook, "e", "dead");
        assert_eq!(attempts(&delivery, "outcome"), ["refused_address"; 2], "{url}: {delivery}");
    }
    let knocked = listener.accept();
    assert!(knocked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "somebody has connected");
}

#[test]
fn a_stop_lets_an_attempt_finish() {
    let (entered, has_entered) = mpsc::channel();
    let (let_go, held) = mpsc::channel();
    let held = Mutex::new(held);
    let mut scene = Scene::start_with(&[("HOOKWHEEL__LOG__LEVEL", "info")], move |_, _| {
        entered.send(()).unwrap();
        held.lock().unwrap().recv().unwrap();
        Answer::Status(200)
    });
    let webhook = scene.webhook("/", json!({"timeout": 60}));
    scene.publish("e");
    has_entered.recv_timeout(DEADLINE).expect("the attempt is under way");
    scene.server.process.signal(Signal::TERM);
    scene.server.process.line("stopping");
    let_go.send(()).unwrap();
    let Scene { server, receiver, dir, .. } = scene;
    let ended = server.process.end();
    assert!(ended.status.success(), "{}", ended.output);

    let server = Server::start(dir.path(), &[]);
    let mut scene = Scene { client: server.client(), server, receiver, dir };
    let delivery = scene.delivery(&webhook, "e");
    assert_eq!((&delivery["state"], attempts(&delivery, "number")), (&json!("succeeded"), vec![json!(1)]));
    assert_eq!(scene.receiver.arrived.try_iter().count(), 1);
}

#[test]
fn while_a_secret_rotates_both_sign() {
    let mut scene = Scene::start(|_, _| Answer::Status(200));
    let old = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let webhook = scene.webhook("/", json!({"secret": old}));
    let rotated = scene.steer(&webhook, "secret/rotate", json!({"overlap_seconds": 3600}));
    let new = rotated["secret"].as_str().unwrap();
    assert_ne!(new, old);
    scene.publish("e");
    let arrived = scene.receiver.next();
    let signatures = arrived.header("webhook-signature").unwrap();
    assert_eq!(signatures.split(' ').filter(|one| one.starts_with("v1,")).count(), 2, "{signatures}");
    let dialects = Dialects::shipped();
    let verifies = |secret: &str| {
        let header = |name: &str| arrived.header(name).map(str::to_owned);
        let (now, body) = (Clock::real().now(), &arrived.message.body);
        let received = Received { header: &header, url: None, body };
        dialects.get("standard").unwrap().verify(received, &[Secret::new(secret)], now, None)
    };
    for secret in [old, new] {
        verifies(secret).unwrap_or_else(|error| panic!("{secret}: {error}"));
    }
    assert!(verifies("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").is_err());
}
