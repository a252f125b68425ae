//! What the engine does on its own, over real sockets: it disables a webhook and finds out when its endpoint is well
//! again, tells the operator, and keeps deliveries in order. What stays true: nothing that was accepted is lost on the
//! way, no notice leads to another, and of one order key never two deliveries are out at once.

mod support;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use hookwheel::clock::{Clock, Stopwatch};
use hookwheel::dialect::{Dialects, Received};
use hookwheel::domain::secret::Secret;
use hookwheel::domain::time::{UnixMs, parse};
use serde_json::{Value, json};
use support::{Answer, Arrived, Client, DEADLINE, Message, Receiver, Server};

/// A server and an endpoint.
struct Scene {
    client: Client,
    receiver: Receiver,
    server: Server,
    _dir: tempfile::TempDir,
}

/// A webhook that wants every event, unless its settings say otherwise.
struct Webhook {
    id: String,
    path: String,
    secret: String,
    url: String,
}

impl Webhook {
    fn create(client: &mut Client, url: &str, settings: Value) -> Self {
        let mut webhook = json!({"url": url, "events": ["*"], "retry": {"delays": [0], "jitter_percent": 0}});
        webhook.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let created = client.post("/api/v1/webhooks", &webhook).data(201);
        let text = |field: &str| created[field].as_str().unwrap().to_owned();
        let id = text("id");
        Self { path: format!("/api/v1/webhooks/{id}"), id, secret: text("secret"), url: text("url") }
    }
}

impl Scene {
    /// Starts both; the endpoint answers as `answer` says.
    fn start(answer: impl Fn(&str, &Message) -> Answer + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(dir.path(), &[]);
        Self { client: server.client(), receiver: Receiver::start(answer), server, _dir: dir }
    }

    /// A webhook to `path` of the endpoint.
    fn webhook(&mut self, path: &str, settings: Value) -> Webhook {
        Webhook::create(&mut self.client, &self.receiver.url(path), settings)
    }

    /// Publishes an event of this id.
    fn publish(&mut self, name: &str, data: Value) {
        let event = json!({"type": "task.created", "id": name, "data": data});
        self.client.post("/api/v1/events", &event).data(202);
    }

    /// The webhook as it is shown.
    fn shown(&mut self, webhook: &Webhook) -> Value {
        self.client.get(&webhook.path).data(200)
    }

    /// The webhook once it is as wanted.
    #[track_caller]
    fn shown_once(&mut self, webhook: &Webhook, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        ask_until(what, || self.shown(webhook), wanted)
    }

    /// The webhook's first delivery of the event, with all attempts.
    fn delivery(&mut self, webhook: &Webhook, event: &str) -> Value {
        let event = self.client.get(&format!("/api/v1/events/{event}")).data(200);
        let rows = event["deliveries"].as_array().unwrap();
        let row = rows.iter().find(|row| row["webhook_id"] == webhook.id.as_str()).expect("the webhook wants it");
        self.client.get(&format!("/api/v1/deliveries/{}", row["id"].as_str().unwrap())).data(200)
    }

    /// The same once its state is `state`.
    #[track_caller]
    fn delivery_in(&mut self, webhook: &Webhook, event: &str, state: &str) -> Value {
        ask_until(state, || self.delivery(webhook, event), |delivery| delivery["state"] == state)
    }

    /// The next request that arrives at `path`.
    #[track_caller]
    fn next_at(&self, path: &str) -> Arrived {
        loop {
            let arrived = self.receiver.next();
            if arrived.path == path {
                return arrived;
            }
        }
    }

    /// The events whose next requests arrive at `path`, so many.
    #[track_caller]
    fn next_events_at(&self, path: &str, count: usize) -> Vec<String> {
        (0..count).map(|_| event_of(&self.next_at(path).message)).collect()
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

/// The event's id in a request of `standard`.
fn event_of(message: &Message) -> String {
    message.header("webhook-id").expect("a delivery names its event").to_owned()
}

fn time(value: &Value) -> UnixMs {
    value.as_str().and_then(parse).unwrap_or_else(|| panic!("{value} is no time"))
}

/// When each attempt of a delivery began and ended.
fn times(delivery: &Value) -> Vec<(UnixMs, UnixMs)> {
    let span = |attempt: &Value| {
        let started_at = time(&attempt["started_at"]);
        (started_at, started_at + attempt["response_time_ms"].as_u64().unwrap())
    };
    delivery["attempts"].as_array().unwrap().iter().map(span).collect()
}

/// An endpoint of which a test can say whether it is well.
fn moody(is_well: bool) -> (Arc<AtomicBool>, impl Fn(&str) -> Answer + Send + Sync + 'static) {
    let well = Arc::new(AtomicBool::new(is_well));
    let asked = well.clone();
    (well, move |path| Answer::Status(if path == "/bad" && !asked.load(Ordering::SeqCst) { 500 } else { 200 }))
}

#[test]
fn three_failures_disable_a_webhook_and_a_delivery_finds_out_that_its_endpoint_is_well_again() {
    let (well, answer) = moody(false);
    let mut scene = Scene::start(move |path, _| answer(path));
    let settings = json!({
        "disable": {"consecutive_failures": 3, "probe_after_seconds": 1},
        "retry": {"delays": vec![0; 50], "jitter_percent": 0},
    });
    let webhook = scene.webhook("/bad", settings);
    scene.publish("first", json!({}));
    let disabled = scene.shown_once(&webhook, "disabled", |shown| shown["status"] == "disabled");
    assert_eq!(disabled["status_reason"], "3 attempts failed in a row");
    let first_probe_at = time(&disabled["probe_at"]);
    let third_ended_at = times(&scene.delivery(&webhook, "first"))[2].1;
    assert!((third_ended_at + 1000..third_ended_at + 60_000).contains(&first_probe_at), "{disabled}");

    let held: Vec<String> = (0..5).map(|n| format!("held-{n}")).collect();
    held.iter().for_each(|name| scene.publish(name, json!({})));
    assert_eq!(scene.delivery(&webhook, "held-4")["state"], "held");
    // One delivery finds that it is no better, and the next look is put off.
    let again = scene.shown_once(&webhook, "a failed probe", |shown| shown["attempts"].as_u64() > Some(3));
    assert_eq!((&again["status"], &again["consecutive_failures"]), (&json!("disabled"), &again["attempts"]));
    assert!(time(&again["probe_at"]) > first_probe_at, "{again}");

    well.store(true, Ordering::SeqCst);
    let active = scene.shown_once(&webhook, "active", |shown| shown["status"] == "active");
    assert_eq!((&active["status_reason"], &active["probe_at"]), (&json!(null), &json!(null)));
    let names = held.iter().map(String::as_str).chain(["first"]);
    let mut went: Vec<Value> = names.map(|name| scene.delivery_in(&webhook, name, "succeeded")).collect();
    let succeeded_at = |delivery: &Value| *times(delivery).last().unwrap();
    went.sort_by_key(succeeded_at);
    let (_, well_again_at) = succeeded_at(&went[0]);
    let early = went[1..].iter().filter(|delivery| succeeded_at(delivery).0 < well_again_at).count();
    assert_eq!(early, 0, "until one has succeeded no other goes out: {went:?}");
    let mut probes: Vec<_> =
        went.iter().flat_map(times).filter(|(started_at, _)| *started_at >= first_probe_at).collect();
    probes.sort_unstable();
    assert!(probes[1].0 >= probes[0].1 + 1000, "a second lies between two looks: {probes:?}");
}

#[test]
fn the_operator_is_told_and_not_about_the_operators_own_webhooks() {
    let (well, answer) = moody(false);
    let mut scene = Scene::start(move |path, _| if path == "/deaf" { Answer::Status(500) } else { answer(path) });
    let mut operator = scene.server.client().acting_for("operator");
    let told = json!({"events": ["webhook.*", "delivery.dead"], "order": "fifo"});
    let told = Webhook::create(&mut operator, &scene.receiver.url("/told"), told);
    let deaf = json!({"events": ["webhook.disabled"], "retry": {"delays": []}, "disable": {"consecutive_failures": 1}});
    let deaf = Webhook::create(&mut operator, &scene.receiver.url("/deaf"), deaf);
    let disable = json!({"consecutive_failures": 2, "probe_after_seconds": 1});
    let webhook = scene.webhook("/bad", json!({"name": "the shop", "disable": disable}));
    let about = |mut facts: Value| {
        let facts = facts.as_object_mut().unwrap();
        facts.extend([
            ("webhook_id".to_owned(), json!(webhook.id)),
            ("account".to_owned(), json!("default")),
            ("url".to_owned(), json!(webhook.url.replace("/bad", "/***"))),
            ("name".to_owned(), json!("the shop")),
        ]);
        Value::from(facts.clone())
    };
    let notice = |scene: &Scene, kind: &str| {
        let arrived = scene.next_at("/told");
        verify(&arrived, &told.secret);
        let mut body: Value = serde_json::from_slice(&arrived.message.body).unwrap();
        assert_eq!(body["type"], kind, "{body}");
        let data = body["data"].as_object_mut().unwrap();
        let (title, text) = (data.shift_remove("title").unwrap(), data.shift_remove("text").unwrap());
        assert!(title.as_str().unwrap().ends_with(": the shop"), "{title}");
        assert!(text.as_str().unwrap().contains("account: default\n"), "{text}");
        body["data"].take()
    };

    scene.publish("lost", json!({}));
    let lost = scene.delivery_in(&webhook, "lost", "dead");
    let facts = json!({
        "delivery_id": lost["id"], "event_id": "lost", "event_type": "task.created", "attempts": 2,
        "last_error": "the endpoint answered 500",
    });
    assert_eq!(notice(&scene, "delivery.dead"), about(facts));
    let data = notice(&scene, "webhook.disabled");
    let facts = json!({
        "reason": "2 attempts failed in a row", "consecutive_failures": 2, "failing_since": data["failing_since"], "open": 0,
    });
    assert_eq!(data, about(facts));
    assert_eq!(time(&data["failing_since"]), times(&lost)[0].1, "when the first of them had failed");

    scene.publish("held", json!({}));
    well.store(true, Ordering::SeqCst);
    let data = notice(&scene, "webhook.recovered");
    assert_eq!(data, about(json!({"disabled_since": data["disabled_since"], "by": "probe"})));
    assert!(time(&data["disabled_since"]) >= times(&lost)[1].1);
    scene.delivery_in(&webhook, "held", "succeeded");

    well.store(false, Ordering::SeqCst);
    scene.publish("lost-too", json!({}));
    assert_eq!(notice(&scene, "delivery.dead")["event_id"], "lost-too");
    assert_eq!(notice(&scene, "webhook.disabled")["consecutive_failures"], 2);
    scene.client.post(&format!("{}/enable", webhook.path), &json!({})).data(200);
    assert_eq!(notice(&scene, "webhook.recovered")["by"], "request");

    // One of the operator's own was disabled by its first notice; nobody was told of that, nor of its dead letter.
    let mut shown_deaf = || operator.get(&deaf.path).data(200);
    let disabled = ask_until("disabled", &mut shown_deaf, |shown| shown["status"] == "disabled");
    assert_eq!((&disabled["dead"], &disabled["attempts"]), (&json!(1), &json!(1)));
    let events = operator.get("/api/v1/events").data(200);
    let mut kinds: Vec<&str> = events.as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    let twice = ["delivery.dead", "webhook.disabled", "webhook.recovered"].map(|kind| [kind; 2]).concat();
    assert_eq!(kinds, twice);
}

/// Verifies a request of `standard`.
#[track_caller]
fn verify(arrived: &Arrived, secret: &str) {
    let header = |name: &str| arrived.header(name).map(str::to_owned);
    let dialects = Dialects::shipped();
    let standard = dialects.get("standard").unwrap();
    let received = Received { header: &header, url: None, body: &arrived.message.body };
    let verified = standard.verify(received, &[Secret::new(secret)], Clock::real().now(), None);
    verified.unwrap_or_else(|error| panic!("{error}: {arrived:?}"));
}

#[test]
fn in_fifo_order_each_succeeds_before_the_next_goes_out() {
    let seen = Mutex::new(HashSet::new());
    let mut scene = Scene::start(move |_, message| {
        let is_first = seen.lock().unwrap().insert(event_of(message));
        Answer::Status(if is_first { 500 } else { 200 })
    });
    let webhook = scene.webhook("/", json!({"order": "fifo", "max_in_flight": 20}));
    let names: Vec<String> = (0..20).map(|n| format!("e-{n}")).collect();
    // All of them wait before the first goes out.
    scene.client.post(&format!("{}/pause", webhook.path), &json!({})).data(200);
    names.iter().for_each(|name| scene.publish(name, json!({})));
    scene.client.post(&format!("{}/resume", webhook.path), &json!({})).data(200);
    let twice: Vec<String> = names.iter().flat_map(|name| [name.clone(), name.clone()]).collect();
    assert_eq!(scene.next_events_at("/", 40), twice, "an attempt that fails, then one that succeeds");
    let spans: Vec<_> = names.iter().flat_map(|name| times(&scene.delivery_in(&webhook, name, "succeeded"))).collect();
    for pair in spans.windows(2) {
        assert!(pair[1].0 >= pair[0].1, "two at once: {spans:?}");
    }
    assert_eq!(scene.receiver.arrived.try_iter().count(), 0);
}

#[test]
fn a_key_that_fails_holds_up_no_other_key() {
    let well = Arc::new(AtomicBool::new(false));
    let is_well = well.clone();
    let mut scene = Scene::start(move |_, message| {
        let fails = event_of(message).starts_with('a') && !is_well.load(Ordering::SeqCst);
        Answer::Status(if fails { 500 } else { 200 })
    });
    let retry = json!({"delays": vec![1; 50], "jitter_percent": 0});
    let webhook = scene.webhook("/", json!({"order": "fifo", "order_key": "data.k", "retry": retry}));
    for n in 0..10 {
        scene.publish(&format!("a-{n}"), json!({"k": "a"}));
        scene.publish(&format!("b-{n}"), json!({"k": {"of": ["b"]}}));
        scene.publish(&format!("none-{n}"), json!({"k": null}));
    }
    for n in 0..10 {
        scene.delivery_in(&webhook, &format!("b-{n}"), "succeeded");
        scene.delivery_in(&webhook, &format!("none-{n}"), "succeeded");
    }
    let head = scene.delivery_in(&webhook, "a-0", "scheduled");
    assert!(!times(&head).is_empty());
    for n in 1..10 {
        let behind = scene.delivery(&webhook, &format!("a-{n}"));
        assert_eq!((&behind["state"], &behind["attempts"]), (&json!("pending"), &json!([])));
    }

    well.store(true, Ordering::SeqCst);
    let spans: Vec<_> =
        (0..10).map(|n| *times(&scene.delivery_in(&webhook, &format!("a-{n}"), "succeeded")).last().unwrap()).collect();
    assert!(spans.windows(2).all(|pair| pair[1].0 >= pair[0].1), "{spans:?}");
    let arrived: Vec<String> = scene.receiver.arrived.try_iter().map(|one| event_of(&one.message)).collect();
    for key in ["a", "b"] {
        let mut of_key: Vec<&str> = arrived.iter().map(String::as_str).filter(|name| name.starts_with(key)).collect();
        of_key.dedup();
        assert_eq!(of_key, (0..10).map(|n| format!("{key}-{n}")).collect::<Vec<_>>(), "in the order of accept");
    }
}

#[test]
fn what_is_behind_a_dead_letter_waits_until_somebody_handles_it() {
    let well = Arc::new(AtomicBool::new(false));
    let is_well = well.clone();
    let mut scene = Scene::start(move |path, message| {
        let fails = path == "/held" && event_of(message).starts_with("bad") && !is_well.load(Ordering::SeqCst);
        Answer::Status(if fails { 500 } else { 200 })
    });
    let webhook = scene.webhook("/held", json!({"order": "fifo", "on_dead": "hold"}));
    let other = scene.webhook("/other", json!({}));
    let names = ["bad-1", "then-1", "then-2", "bad-2", "then-3"];
    names.iter().for_each(|name| scene.publish(name, json!({})));
    let dead = scene.delivery_in(&webhook, "bad-1", "dead");
    assert_eq!(scene.next_events_at("/held", 2), ["bad-1"; 2]);
    assert_held(&mut scene, &webhook, &other, "then-1");

    let discarded = scene.client.post("/api/v1/dead-letters/discard", &json!({"ids": [dead["id"]]}));
    discarded.data(202);
    assert_eq!(scene.next_events_at("/held", 4), ["then-1", "then-2", "bad-2", "bad-2"]);
    let dead = scene.delivery_in(&webhook, "bad-2", "dead");
    assert_held(&mut scene, &webhook, &other, "then-3");

    // A replay that fails too holds them up as before; one that succeeds lets them go.
    scene.client.post("/api/v1/dead-letters/replay", &json!({"ids": [dead["id"]]})).data(202);
    assert_eq!(scene.next_events_at("/held", 2), ["bad-2"; 2]);
    scene.shown_once(&webhook, "its third dead letter", |shown| shown["dead"] == 3);
    assert_held(&mut scene, &webhook, &other, "then-3");
    well.store(true, Ordering::SeqCst);
    scene.client.post("/api/v1/dead-letters/replay", &json!({"webhook": webhook.id})).data(202);
    assert_eq!(scene.next_events_at("/held", 2), ["bad-2", "then-3"]);
    scene.delivery_in(&webhook, "then-3", "succeeded");
    assert_eq!(scene.client.get("/api/v1/dead-letters").data(200), json!([]));
}

/// The event waits behind another, also while an event that comes later has gone out elsewhere.
#[track_caller]
fn assert_held(scene: &mut Scene, webhook: &Webhook, other: &Webhook, event: &str) {
    let later = format!("later-than-{event}-{}", scene.shown(other)["deliveries"]);
    scene.publish(&later, json!({}));
    scene.delivery_in(other, &later, "succeeded");
    let waiting = scene.delivery(webhook, event);
    assert_eq!((&waiting["state"], &waiting["attempts"]), (&json!("pending"), &json!([])), "{waiting}");
}
