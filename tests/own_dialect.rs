//! A contract that nobody shipped, written as a file beside the server: its routes, bodies, headers and signatures are
//! unlike any other's and work without a line of code. What stays true: a changed file takes effect at SIGHUP without
//! dropping a request, and a broken one changes nothing and is named in the log.

mod support;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use hmac::{Hmac, KeyInit, Mac};
use hookwheel::clock::Stopwatch;
use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::Sha512;
use support::{Answer, Arrived, Client, DEADLINE, Receiver, Reply, Server};

const BASE: &str = "/orbit/v9/listeners";
/// What the log says after a reload.
const AGAIN: &str = "dialects were read again";

const FILE: &str = r#"
title = "Orbit"
description = "Nothing here is as anywhere else."
timeout_seconds = 30
times = "millis"
retry = { delays = [0, 0], jitter_percent = 0 }
success = ["201", "204"]
user_agent = "Orbit (+https://orbit.example)"
secrets = { key = "utf8", prefix = "orb-", bytes_min = 4, bytes_max = 128 }
ids = { webhook = "sat_", event = "sig_", delivery = "hop_" }
envelope = ["orbit", 9, { at = "{event.unix}", what = "{event.type}", "..." = "{event.metadata}", ref = "{event.id}" }, "{event.data}"]

[headers]
X-Orbit-Path = "{webhook.id}/{delivery.id}"
X-Orbit-Tenant = "{account.id}"

[[signature]]
header = "X-Orbit-Seal"
algorithm = "sha512"
encoding = "hex"
signed = "{attempt.number}|{account.id}|{body}"
before = "try {attempt.number}: "
value = "<{signature}>"
several = "~"

[face]
base = "/orbit/v9/listeners"
wrap = "listener"
request = { target = "url", topics = "events", on = "enabled", key = "secret" }
test = "data"
list = { key = "listeners", paging = "offset", limit_default = 10 }

[face.operations]
create = "PUT /"
list = "GET /all"
get = "GET /{id}/card"
update = "POST /{id}"
delete = "DELETE /{id}"
test = "POST /{id}/poke"
deliveries = "GET /{id}/journal"
replay = "POST /{id}/journal/{delivery_id}/again"

[face.webhook]
ref = "id"
target = "url"
topics = "events"
mood = { of = "enabled", true = "listening", false = "asleep" }
kind = { constant = "satellite" }

[face.deliveries]
rows = "delivery"
list = { key = "hops", paging = "offset", limit_default = 2 }

[face.deliveries.fields]
hop = "id"
signal = "event_id"
tries = "attempts"
arrived = "success"

[[event]]
type = "probe.landed"
description = "A probe has landed."
sample = '{"where": "Titan"}'
"#;

/// A server with the file in its directory of dialects.
fn start(dir: &Path) -> Server {
    start_with(dir, FILE)
}

fn start_with(dir: &Path, text: &str) -> Server {
    let dialects = dir.join("contracts");
    std::fs::create_dir(&dialects).expect("made");
    std::fs::write(dialects.join("orbit.toml"), text).expect("written");
    let dialects = dialects.to_str().expect("a plain path");
    Server::start(dir, &[("HOOKWHEEL__DELIVER__DIALECTS", dialects), ("HOOKWHEEL__LOG__LEVEL", "info")])
}

fn ask(client: &mut Client, method: &str, path: &str, body: &Value) -> Reply {
    client.request(method, &format!("{BASE}{path}"), body.to_string().as_bytes())
}

fn json_of(reply: &Reply, status: u16) -> Value {
    assert_eq!(reply.status, status, "{}", String::from_utf8_lossy(&reply.message.body));
    reply.json()
}

/// As a receiver would do it that knows nothing of Hookwheel; gives the number of the attempt.
fn verify(arrived: &Arrived, secrets: &[&str]) -> u32 {
    let seal = arrived.header("x-orbit-seal").expect("sealed");
    let (attempt, seals) = seal.strip_prefix("try ").and_then(|rest| rest.split_once(": ")).expect("its form");
    let expected = secrets.iter().map(|secret| {
        let mut mac = Hmac::<Sha512>::new_from_slice(secret.as_bytes()).expect("any length");
        mac.update(format!("{attempt}|default|").as_bytes());
        mac.update(&arrived.message.body);
        format!("<{}>", mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    });
    assert_eq!(seals, expected.collect::<Vec<_>>().join("~"));
    attempt.parse().expect("a number")
}

#[test]
fn a_contract_of_ones_own_works_from_end_to_end() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path());
    let mut client = server.client();
    // 200 is no success here, so that the first attempt fails.
    let seen = AtomicUsize::new(0);
    let receiver = Receiver::start(move |_, _| Answer::Status([200, 204][seen.fetch_add(1, Ordering::SeqCst).min(1)]));

    let wish = json!({"target": receiver.url("/sink"), "topics": ["probe.*"], "key": "orb-first"});
    let listener = json_of(&ask(&mut client, "PUT", "", &wish), 201)["listener"].take();
    let id = listener["ref"].as_str().expect("an id").to_owned();
    assert!(id.starts_with("sat_"), "{id}");
    let shown = json!({
        "ref": id, "target": receiver.url("/sink"), "topics": ["probe.*"], "mood": "listening", "kind": "satellite",
    });
    assert_eq!(listener.to_string(), shown.to_string(), "in this order");
    assert_eq!(json_of(&ask(&mut client, "GET", &format!("/{id}/card"), &json!({})), 200), json!({"listener": shown}));
    let wrong = json_of(&ask(&mut client, "PUT", "", &json!({"target": "https://a.example", "topic": ["x"]})), 400);
    assert!(wrong.to_string().contains("did you mean topics?"), "{wrong}");
    for (mood, on) in [("asleep", false), ("listening", true)] {
        let changed = json_of(&ask(&mut client, "POST", &format!("/{id}"), &json!({ "on": on })), 200);
        assert_eq!(changed["listener"]["mood"], mood);
    }
    let all = json_of(&ask(&mut client, "GET", "/all?limit=5&offset=0", &json!({})), 200);
    assert_eq!(all, json!({"listeners": [shown], "pagination": {"total": 1, "limit": 5, "offset": 0}}));

    let event = r#"{"type":"probe.landed","id":"one","created_at":"2024-02-10T16:45:22.5Z",
        "metadata":{"crew":0},"data":{ "where" : "Titan", "n":1.0 }}"#;
    client.request("POST", "/api/v1/events", event.as_bytes()).data(202);
    let body =
        r#"["orbit",9,{"at":1707583522,"what":"probe.landed","crew":0,"ref":"one"},{ "where" : "Titan", "n":1.0 }]"#;
    let tries: Vec<Arrived> = (0..2).map(|_| receiver.next()).collect();
    for (n, arrived) in tries.iter().enumerate() {
        assert_eq!(verify(arrived, &["orb-first"]), n as u32 + 1);
        assert_eq!(String::from_utf8_lossy(&arrived.message.body), body);
        assert_eq!(arrived.header("user-agent"), Some("Orbit (+https://orbit.example)"));
        assert_eq!(arrived.header("x-orbit-tenant"), Some("default"));
    }
    let path = tries[0].header("x-orbit-path").expect("a path").to_owned();
    assert!(path.starts_with(&format!("{id}/hop_")) && tries[1].header("x-orbit-path") == Some(&path), "{path}");

    // Both secrets sign while the old one is rotated out; ids are understood in the contract's spelling everywhere.
    let rotate = json!({"secret": "orb-second"});
    client.post(&format!("/api/v1/webhooks/{id}/secret/rotate"), &rotate).data(200);
    json_of(&ask(&mut client, "POST", &format!("/{id}/poke"), &json!({"only": "a test"})), 202);
    let poked = receiver.next();
    assert_eq!(verify(&poked, &["orb-second", "orb-first"]), 1);
    let sent: Value = serde_json::from_slice(&poked.message.body).expect("JSON");
    assert_eq!((&sent[0], &sent[3]), (&json!("orbit"), &json!({"only": "a test"})));

    let hop = path.split_once('/').expect("two ids").1;
    let again = json_of(&ask(&mut client, "POST", &format!("/{id}/journal/{hop}/again"), &json!({})), 202);
    let replayed = receiver.next();
    assert_eq!(String::from_utf8_lossy(&replayed.message.body), body, "a replay sends the same");
    let new_path = format!("{id}/{}", again["listener"]["delivery_id"].as_str().expect("an id"));
    assert_eq!(replayed.header("x-orbit-path"), Some(new_path.as_str()));

    // The newest first, from any place in the whole.
    let journal = |client: &mut Client, query: &str| {
        json_of(&ask(client, "GET", &format!("/{id}/journal{query}"), &json!({})), 200)
    };
    let first = journal(&mut client, "");
    assert_eq!(first["pagination"], json!({"total": 3, "limit": 2, "offset": 0}));
    assert_eq!(first["hops"].as_array().expect("a list").len(), 2);
    let last = journal(&mut client, "?offset=2");
    assert_eq!(last["hops"], json!([{"hop": hop, "signal": "one", "tries": 2, "arrived": true}]));
    assert_eq!(journal(&mut client, "?offset=3&limit=1")["hops"], json!([]));

    assert_eq!(ask(&mut client, "DELETE", &format!("/{id}"), &json!({})).status, 204);
    assert_eq!(ask(&mut client, "GET", &format!("/{id}/card"), &json!({})).status, 404);
    assert_eq!(ask(&mut client, "PATCH", &format!("/{id}"), &json!({})).status, 405);
    assert!(server.terminate().success());
}

/// Threads that go on making requests until they are told to stop; each must be answered, and well.
struct Hammers {
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<usize>>,
}

impl Hammers {
    fn start(server: &Server, id: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |n: usize| {
            let (mut client, stop, id) = (server.client(), stop.clone(), id.to_owned());
            std::thread::spawn(move || {
                let mut made = 0;
                while !stop.load(Ordering::SeqCst) {
                    let (reply, status) = match (n + made) % 3 {
                        0 => (ask(&mut client, "GET", &format!("/{id}/card"), &json!({})), 200),
                        1 => (ask(&mut client, "GET", "/all", &json!({})), 200),
                        _ => (client.post("/api/v1/events", &json!({"type": "probe.lost", "data": made})), 202),
                    };
                    assert_eq!(reply.status, status, "{}", String::from_utf8_lossy(&reply.message.body));
                    made += 1;
                }
                made
            })
        };
        let threads = (0..3).map(start).collect();
        Self { stop, threads }
    }

    /// How many requests were made.
    fn end(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        self.threads.into_iter().map(|thread| thread.join().expect("every request is answered")).sum()
    }
}

#[test]
fn a_reload_takes_effect_without_dropping_a_request() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = start(dir.path());
    let file = dir.path().join("contracts/orbit.toml");
    let mut client = server.client();
    let ((tell, slow_began), (release, released)) = (mpsc::channel(), mpsc::channel::<()>());
    let slow = Mutex::new((tell, released));
    let receiver = Receiver::start(move |path, _| {
        if path == "/slow" {
            let (tell, released) = &*slow.lock().expect("one at a time");
            tell.send(()).expect("the test waits");
            released.recv().expect("and releases");
        }
        Answer::Status(204)
    });
    let wish = json!({"target": receiver.url("/slow"), "topics": ["probe.slow"], "key": "orb-only"});
    json_of(&ask(&mut client, "PUT", "", &wish), 201);
    client.post("/api/v1/events", &json!({"type": "probe.slow", "data": 0})).data(202);
    slow_began.recv_timeout(DEADLINE).expect("a delivery is in flight from now on");
    let wish = json!({"target": receiver.url("/"), "topics": ["probe.landed"], "key": "orb-only"});
    let created = json_of(&ask(&mut client, "PUT", "", &wish), 201);
    let id = created["listener"]["ref"].as_str().expect("an id").to_owned();
    let land = |client: &mut Client, n: usize| {
        client.post("/api/v1/events", &json!({"type": "probe.landed", "data": n})).data(202);
        receiver.next()
    };

    let hammers = Hammers::start(&server, &id);
    for n in 0..20 {
        let changed = FILE.replace("[headers]", &format!("[headers]\nX-Orbit-Version = \"v{n}\""));
        std::fs::write(&file, changed).expect("written");
        server.process.signal(Signal::HUP);
        server.process.line(AGAIN);
        let arrived = land(&mut client, n);
        assert_eq!(arrived.header("x-orbit-version"), Some(format!("v{n}").as_str()), "the next delivery has it");
        assert_eq!(verify(&arrived, &["orb-only"]), 1);
    }
    let made = hammers.end();
    assert!(made > 100, "only {made} requests were made meanwhile");
    release.send(()).expect("it waits");
    let slow = receiver.next();
    assert_eq!((slow.path.as_str(), slow.header("x-orbit-version")), ("/slow", None), "it ends as it began");

    // A broken file: the log names the file, the line and the key, and everything stays as it was.
    std::fs::write(&file, FILE.replace("algorithm = \"sha512\"", "algorithm = \"sha513\"")).expect("written");
    server.process.signal(Signal::HUP);
    let line = 1 + FILE.lines().position(|line| line.starts_with("algorithm")).expect("a line");
    let said = server.process.line("is broken");
    assert!(said.contains(&format!("{}:{line}: signature[0].algorithm: ", file.display())), "{said}");
    assert!(said.contains("the nearest is `sha512`"), "{said}");
    server.process.line(AGAIN);
    assert_eq!(land(&mut client, 0).header("x-orbit-version"), Some("v19"));
    json_of(&ask(&mut client, "GET", &format!("/{id}/card"), &json!({})), 200);

    // Other routes: the old ones are gone, the new ones are there, for the same webhook.
    std::fs::write(&file, FILE.replace(BASE, "/moved/here").replace("\"GET /{id}/card\"", "\"GET /{id}\""))
        .expect("written");
    server.process.signal(Signal::HUP);
    server.process.line(AGAIN);
    assert_eq!(ask(&mut client, "GET", &format!("/{id}/card"), &json!({})).status, 404);
    let moved = json_of(&client.get(&format!("/moved/here/{id}")), 200);
    assert_eq!(moved["listener"]["ref"], json!(id));
    assert_eq!(land(&mut client, 1).header("x-orbit-tenant"), Some("default"));
    assert!(server.terminate().success());
    assert!(receiver.arrived.try_recv().is_err(), "nothing is sent twice");
}

#[test]
fn a_reload_lets_out_what_the_old_limit_held() {
    let limited = |first_attempts: u32| format!("{FILE}\n[limits]\nfirst_attempts_per_day = {first_attempts}\n");
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("contracts/orbit.toml");
    let server = start_with(dir.path(), &limited(1));
    let (mut client, receiver) = (server.client(), Receiver::start(|_, _| Answer::Status(204)));
    let wish = json!({"target": receiver.url("/"), "topics": ["probe.landed"], "key": "orb-only"});
    json_of(&ask(&mut client, "PUT", "", &wish), 201);
    for n in 0..2 {
        client.post("/api/v1/events", &json!({"type": "probe.landed", "data": n})).data(202);
    }
    receiver.next();
    std::fs::write(&file, limited(2)).expect("written");
    server.process.signal(Signal::HUP);
    receiver.next();
}

#[test]
fn a_body_may_fill_what_the_contract_allows_and_one_that_is_longer_is_not_sent() {
    let limited = |bytes: usize| format!("{FILE}\n[limits]\nbody_bytes_max = {bytes}\n");
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("contracts/orbit.toml");
    let mut server = start_with(dir.path(), &limited(1 << 20));
    let (mut client, receiver) = (server.client(), Receiver::start(|_, _| Answer::Status(204)));
    let wish = json!({"target": receiver.url("/"), "topics": ["probe.landed"], "key": "orb-only"});
    json_of(&ask(&mut client, "PUT", "", &wish), 201);
    let publish = |client: &mut Client, id: &str, data: &str| {
        let event = json!({"type": "probe.landed", "id": id, "data": data});
        json_of(&client.post("/api/v1/events", &event), 202)
    };
    publish(&mut client, "e1", "x");
    let fits = receiver.next().message.body.len();
    std::fs::write(&file, limited(fits)).expect("written");
    server.process.signal(Signal::HUP);
    server.process.line(AGAIN);
    publish(&mut client, "e2", "y");
    assert_eq!(receiver.next().message.body.len(), fits);
    let told = publish(&mut client, "e3", "zz");
    let shown = client.get("/api/v1/webhooks").data(200);
    let id = shown[0]["id"].as_str().expect("an id");
    let warning = format!("data: webhook {id} is not sent it: its body has {} bytes, orbit allows {fits}", fits + 1);
    assert_eq!(told["warnings"], json!([warning]));
    let watch = Stopwatch::start();
    let delivery = loop {
        let row = client.get("/api/v1/events/e3").data(200)["deliveries"][0].clone();
        if row["state"] == "cancelled" {
            break client.get(&format!("/api/v1/deliveries/{}", row["id"].as_str().expect("an id"))).data(200);
        }
        assert!(watch.elapsed() < DEADLINE, "it is not given up: {row}");
        std::thread::yield_now();
    };
    assert_eq!(delivery["attempts"][0]["outcome"], "too_large", "{delivery}");
    assert!(delivery["reason"].as_str().is_some_and(|why| why.starts_with("too_large: ")), "{delivery}");
    // It is no failure: neither of the endpoint nor of the webhook, and no dead letter.
    let counted = ["success_rate", "attempts", "failed_attempts", "consecutive_failures", "dead", "open"];
    let shown = loop {
        let shown = client.get(&format!("/api/v1/webhooks/{id}")).data(200);
        // What came of the event before may be recorded later.
        if shown["open"] == 0 || watch.elapsed() > DEADLINE {
            break shown;
        }
        std::thread::yield_now();
    };
    assert_eq!(counted.map(|name| shown[name].as_f64()), [1.0, 2.0, 0.0, 0.0, 0.0, 0.0].map(Some), "{shown}");
    assert_eq!(client.get("/api/v1/dead-letters").data(200), json!([]));
    assert!(receiver.arrived.try_recv().is_err(), "nothing of it was sent");
}

#[test]
fn types_that_no_catalogue_has_are_answered_with_the_nearest_one() {
    let closed = FILE.replacen("times =", "event_types = \"closed\"\ntimes =", 1);
    for (text, is_closed) in [(FILE, false), (closed.as_str(), true)] {
        let dir = tempfile::tempdir().expect("a folder");
        let server = start_with(dir.path(), text);
        let (mut client, receiver) = (server.client(), Receiver::start(|_, _| Answer::Status(204)));
        let nearest = |field: &str, written: &str, near: &str| {
            format!("{field}: {written:?} is not among the event types of orbit; did you mean {near:?}?")
        };
        // What is told of a call that names a type that there is not: as an error, or as the warning beside its reply.
        let told = |reply: &Reply, status: u16| match is_closed {
            true => json_of(reply, 400)["error"]["message"].as_str().unwrap_or_default().to_owned(),
            false => json_of(reply, status)["warnings"][0].as_str().unwrap_or_default().to_owned(),
        };
        let wish = json!({"url": receiver.url("/"), "events": ["probe.*"], "dialect": "orbit", "secret": "orb-only"});
        let made = json_of(&client.post("/api/v1/webhooks", &wish), 201);
        assert_eq!(made.get("warnings"), None, "{made}");
        let path = format!("/api/v1/webhooks/{}", made["data"]["id"].as_str().expect("an id"));

        let events = json!({"events": ["probe.landed", "prob.*"]});
        let reply = client.request("PATCH", &path, events.to_string().as_bytes());
        assert_eq!(told(&reply, 200), nearest("events[1]", "prob.*", "probe.*"));
        let reply = client.post(&format!("{path}/test"), &json!({"event_type": "probe.lnded"}));
        assert_eq!(told(&reply, 202), nearest("event_type", "probe.lnded", "probe.landed"));
        let batch = json!([{"type": "probe.landed", "data": 1}, {"type": "probe.lande", "data": 2}]);
        let reply = client.post("/api/v1/events", &batch);
        assert_eq!(told(&reply, 202), nearest("[1].type", "probe.lande", "probe.landed"));

        // Its own API tells the same: an error in its words, a warning in a header.
        let wish = json!({"target": receiver.url("/"), "topics": ["probe.launched"], "key": "orb-only"});
        let reply = ask(&mut client, "PUT", "", &wish);
        let warning = reply.message.header("hookwheel-warning").map(str::to_owned);
        let told = match is_closed {
            true => json_of(&reply, 400)["error"]["message"].as_str().unwrap_or_default().to_owned(),
            false => warning.expect("a warning").replacen("events", "topics", 1),
        };
        assert_eq!(told, nearest("topics[0]", "probe.launched", "probe.landed"));
    }
}
