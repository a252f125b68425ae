//! SIGHUP and the configuration: what a running server takes of a changed file, what it names as waiting for a restart, and that a
//! wrong file changes nothing. What stays true: the words of `hookwheel config explain` about each key are so.

mod support;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use hookwheel::clock::Stopwatch;
use hookwheel::config::documented;
use rustix::process::Signal;
use serde_json::{Value, json};
use support::{Answer, Client, DEADLINE, Receiver, Server, raw};

/// What the file says all the while.
const BASE: &[(&str, &str)] = &[("log.level", "'info'"), ("traces.endpoint", "'http://127.0.0.1:9'")];
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Writes a file with these and those of [`BASE`] that are not among them.
fn write(dir: &Path, set: &[(&str, &str)]) {
    let base = BASE.iter().filter(|(name, _)| !set.iter().any(|(other, _)| other == name));
    let lines: Vec<String> = base.chain(set).map(|(name, value)| format!("{name} = {value}\n")).collect();
    std::fs::write(dir.join("config.toml"), lines.concat()).expect("written");
}

/// A server by the file, of which nothing is said in the environment that it could change.
fn start(dir: &Path) -> Server {
    start_by(dir, &[])
}

fn start_by(dir: &Path, set: &[(&str, &str)]) -> Server {
    write(dir, set);
    Server::start_strict(dir, &[("HOOKWHEEL__LOG__LEVEL", ""), ("HOOKWHEEL__SERVER__CALLS_PER_MINUTE", "")])
}

fn reload(server: &mut Server) {
    server.process.signal(Signal::HUP);
    server.process.line("dialects were read again");
}

/// A server, and what is asked of it.
struct Asked {
    server: Server,
    client: Client,
    /// A key of the account itself, which may not ask for any number.
    own: Client,
    /// So that no two things have one name.
    made: usize,
}

impl Asked {
    fn number(&mut self) -> usize {
        self.made += 1;
        self.made
    }

    /// Whether such a webhook is made; nothing is ever sent to it.
    fn takes(&mut self, url: &str) -> bool {
        let webhook = json!({"url": url, "events": ["none.such"]});
        self.client.post("/api/v1/webhooks", &webhook).status == 201
    }

    fn gives(&mut self, field: &str, value: u32) -> bool {
        let url = format!("https://example.com/{}", self.number());
        let webhook = json!({"url": url, "events": ["none.such"], field: value});
        self.own.post("/api/v1/webhooks", &webhook).status == 201
    }

    fn publish(&mut self) -> (String, u16) {
        let id = format!("e{}", self.number());
        let event = json!({"type": "task.created", "id": id, "data": "x".repeat(100)});
        let producer = Client::new(self.server.address, self.client.key());
        let mut producer = producer.with_header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01"));
        let sent = producer.post("/api/v1/events", &event);
        (id, sent.status)
    }

    fn head(&self, name: &str, value: &str, times: usize) -> u16 {
        let client = Client::new(self.server.address, self.client.key());
        let with = |client: Client, n| client.with_header(&format!("{name}-{n}"), value);
        (0..times).fold(client, with).get("/api/v1/webhooks").status
    }

    fn usage(&mut self) -> Value {
        self.client.get("/api/v1/accounts/default/usage").data(200)
    }
}

/// Whether what the knob bounds is bounded.
type Bounds = fn(&mut Asked) -> bool;

/// Each knob that a running server takes, a value, and how it shows. Where only time would show it, the settings in force do. The
/// last ones leave a key without calls for a while.
const LIVE: &[(&str, &str, Bounds)] = &[
    ("server.url_bytes_max", "256", |on| {
        on.client.get(&format!("/api/v1/webhooks?cursor={}", "x".repeat(300))).status == 414
    }),
    ("server.headers_max", "16", |on| on.head("x-more", "x", 30) == 431),
    ("server.header_bytes_max", "1024", |on| on.head("x-more", &"x".repeat(2000), 1) == 431),
    ("limits.webhooks_max", "1", |on| !on.takes("https://example.com/")),
    ("limits.keys_max", "1", |on| {
        on.client.post("/api/v1/accounts/default/keys", &json!({"scopes": ["read"]})).status != 201
    }),
    ("limits.event_types_max", "1", |on| {
        let event_type = json!({"type": format!("a.b{}", on.number()), "description": "It is."});
        on.client.post("/api/v1/event-types", &event_type).status != 201
    }),
    ("limits.users_max", "1", |on| {
        let user = json!({"email": format!("ada{}@example.com", on.number())});
        on.client.post("/api/v1/users", &user).status != 201
    }),
    ("limits.max_in_flight", "1", |on| !on.gives("max_in_flight", 50)),
    ("limits.timeout", "1", |on| !on.gives("timeout", 50)),
    ("limits.kept_bytes_max", "1000000", |on| on.usage()["kept_bytes"]["limit"] == 1_000_000),
    ("limits.events_per_second", "1", |on| (0..5).any(|_| on.publish().1 == 429)),
    ("limits.events_per_day", "1", |on| (0..3).any(|_| on.publish().1 == 429)),
    ("retention.event_days", "7", |on| on.usage()["kept_days"]["limit"] == 7),
    ("retention.bytes_max", "1", |on| {
        let bounds = on.client.get("/api/v1/settings").data(200);
        let is_bounded = bounds
            .as_array()
            .expect("a list")
            .iter()
            .any(|knob| knob["name"] == "retention.bytes_max" && knob["value"] == 1);
        // Only a bound takes it; where there is one, it takes what was there before.
        let id = if is_bounded { format!("e{}", on.made) } else { on.publish().0 };
        let watch = Stopwatch::start();
        while is_bounded && on.client.get(&format!("/api/v1/events/{id}")).status != 404 {
            assert!(watch.elapsed() < DEADLINE, "it stays");
            std::thread::yield_now();
        }
        on.client.get(&format!("/api/v1/events/{id}")).status == 404
    }),
    ("deliver.http_allowed", "true", |on| on.takes("http://example.com/")),
    ("deliver.allow", "['10.0.0.0/8']", |on| on.takes("https://10.1.2.3/")),
    ("deliver.deny", "['8.8.8.8/32']", |on| !on.takes("https://8.8.8.8/")),
    ("deliver.ports", "[8443]", |on| !on.takes("https://8.8.4.4/")),
    ("traces.url_template", "'https://traces.example.com/{trace_id}'", |on| {
        let id = on.publish().0;
        let shown = on.client.get(&format!("/api/v1/events/{id}")).data(200);
        shown["trace_url"] == format!("https://traces.example.com/{TRACE}")
    }),
    ("server.trusted_proxies", "['127.0.0.0/8']", |on| {
        let mut client = Client::new(on.server.address, on.client.key()).with_header("x-forwarded-for", "198.51.100.7");
        let webhook = json!({"url": "https://example.com/", "events": ["none.such"]});
        client.post("/api/v1/webhooks", &webhook).data(201);
        on.client.get("/api/v1/audit?limit=1").data(200)[0]["address"] == "198.51.100.7"
    }),
    ("server.proxy_protocol", "true\nserver.trusted_proxies = ['127.0.0.9/32']", |on| {
        let header = "PROXY TCP4 198.51.100.7 203.0.113.1 40000 443\r\n";
        let asked = format!("{header}GET /health/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        raw::say_from(std::net::Ipv4Addr::new(127, 0, 0, 9), on.server.address, asked.as_bytes()).statuses() == [200]
    }),
    ("server.events_per_second", "1", |on| (0..5).any(|_| on.publish().1 == 429)),
    ("server.calls_per_minute", "1", |on| (0..5).any(|_| on.client.get("/api/v1/webhooks").status == 429)),
];

/// Those whose effect takes longer than a test may, or has one of its own below.
const ELSEWHERE: &[&str] = &[
    "log.access",
    "log.level",
    "retention.audit_days",
    "retention.audit_entries_max",
    "retention.hold_days_max",
    "server.body_seconds",
];

#[test]
fn each_setting_that_is_said_to_be_applied_while_running_is() {
    let named: BTreeSet<String> =
        LIVE.iter().map(|(name, ..)| *name).chain(ELSEWHERE.iter().copied()).map(Into::into).collect();
    let said: BTreeSet<String> = documented().into_iter().filter(|key| key.is_live).map(|key| key.name).collect();
    assert_eq!(named, said, "each has a row here");
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path());
    let mut client = server.client();
    let own = client.post("/api/v1/accounts/default/keys", &json!({"scopes": ["manage"]})).data(201);
    let own = Client::new(server.address, own["key"].as_str().expect("a key"));
    let mut on = Asked { server, client, own, made: 0 };
    on.takes("https://example.com/");
    for (name, value, bounds) in LIVE {
        write(dir.path(), &[]);
        reload(&mut on.server);
        assert!(!bounds(&mut on), "{name} is not set");
        write(dir.path(), &[(name, value)]);
        on.server.process.signal(Signal::HUP);
        let told = on.server.process.line("the configuration was read again");
        assert!(told.contains(name), "{told}");
        on.server.process.line("dialects were read again");
        assert!(bounds(&mut on), "{name} = {value} is in force");
    }
    assert!(on.server.terminate().success());
}

#[test]
fn connections_of_a_proxy_are_bounded_in_all_only_once_it_is_trusted() {
    let dir = tempfile::tempdir().expect("a folder");
    let bounds = [("server.connections_per_address_max", "1"), ("server.body_seconds", "600")];
    let mut server = start_by(dir.path(), &bounds);
    // A request whose body does not come holds the one place.
    let mut busy = raw::Raw::connect(server.address);
    let head = "POST /api/v1/events HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 21\r\n";
    assert!(busy.send(format!("{head}Authorization: Bearer {}\r\n\r\n", server.key).as_bytes()), "it reads");
    busy.0.read_exact(&mut [0; 25]).expect("it wants the body");
    let asked = |server: &Server| {
        raw::say(server.address, b"GET /health/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").statuses()
    };
    assert_eq!(asked(&server), [0_u16; 0], "there is no room for another");
    write(dir.path(), &[bounds[0], bounds[1], ("server.trusted_proxies", "['127.0.0.1/32']")]);
    reload(&mut server);
    assert_eq!(asked(&server), [200]);
    drop(busy);
    assert!(server.terminate().success());
}

#[test]
fn a_kept_connection_does_not_outlive_what_allowed_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let open = [("deliver.http_allowed", "true"), ("deliver.allow", "['127.0.0.0/8']")];
    let mut server = start_by(dir.path(), &open);
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let mut client = server.client();
    let retry = json!({"delays": [], "jitter_percent": 0});
    let webhook = json!({"url": receiver.url("/"), "events": ["task.created"], "retry": retry});
    client.post("/api/v1/webhooks", &webhook).data(201);
    let publish = |client: &mut Client, id: &str| {
        client.post("/api/v1/events", &json!({"type": "task.created", "id": id, "data": {}})).data(202);
        let watch = Stopwatch::start();
        loop {
            let state = client.get(&format!("/api/v1/events/{id}")).data(200)["deliveries"][0]["state"].take();
            if state == "succeeded" || state == "dead" {
                return state;
            }
            assert!(watch.elapsed() < DEADLINE, "{id} is {state}");
            std::thread::yield_now();
        }
    };
    assert_eq!(publish(&mut client, "e1"), "succeeded");
    let denied = [open[0], open[1], ("deliver.deny", "['127.0.0.1/32']")];
    write(dir.path(), &denied);
    reload(&mut server);
    assert_eq!(publish(&mut client, "e2"), "dead");
    write(dir.path(), &open);
    reload(&mut server);
    assert_eq!(publish(&mut client, "e3"), "succeeded");
    receiver.next();
    receiver.next();
    assert!(receiver.arrived.try_recv().is_err(), "the second was never sent");
}

#[test]
fn what_only_shows_later_is_among_the_settings_in_force() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = start(dir.path());
    let new = [
        ("retention.audit_days", "7"),
        ("retention.audit_entries_max", "8"),
        ("retention.hold_days_max", "9"),
        ("server.body_seconds", "1"),
    ];
    write(dir.path(), &new);
    reload(&mut server);
    let settings = server.client().get("/api/v1/settings").data(200);
    for (name, value) in new {
        let knob = settings.as_array().expect("a list").iter().find(|knob| knob["name"] == name).expect("it is there");
        assert_eq!(knob["value"].to_string(), value, "{name}");
    }
    let head = format!("POST /api/v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\n", server.key);
    let mut slow = raw::Raw::connect(server.address);
    assert!(slow.send(format!("{head}Content-Length: 100\r\n\r\n{{").as_bytes()), "it takes the head");
    let heard = slow.hear();
    assert!(heard.text.starts_with("HTTP/1.1 408"), "{heard:?}");
    assert!(server.terminate().success());
}

#[test]
fn the_log_shows_as_much_as_the_file_says_now() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = start_by(dir.path(), &[("log.level", "'error'")]);
    // What went well is not shown, until the file says so.
    write(dir.path(), &[("log.access", "'on'")]);
    reload(&mut server);
    assert_eq!(server.client().get("/api/v1/webhooks?limit=3").status, 200);
    server.process.line(" call ");
    std::fs::write(dir.path().join("config.toml"), "[log]\nlevel = 'inf'\n").expect("written");
    server.process.signal(Signal::HUP);
    let told = server.process.line("all stays as it was");
    assert!(told.contains("config.toml:2: `log.level`") && told.contains("did you mean `info`?"), "{told}");
    assert!(server.terminate().success());
}

#[test]
fn what_waits_for_a_restart_is_named_and_left_alone() {
    const WAITING: &[(&str, &str)] = &[
        ("server.workers", "3"),
        ("server.body_bytes_max", "4096"),
        ("server.idle_seconds", "7"),
        ("server.shutdown_seconds", "3"),
        ("store.cache_bytes", "2097152"),
        ("store.group_events_max", "7"),
        ("deliver.in_flight_max", "7"),
        ("deliver.egress", "['192.0.2.1']"),
        ("deliver.connect_seconds", "7"),
        ("deliver.dialects", "'elsewhere'"),
        ("deliver.dns_seconds", "3"),
        ("deliver.proxy", "'http://u:hunter2@proxy.example:1'"),
        ("smtp.timeout_seconds", "7"),
        ("dashboard.enabled", "false"),
        ("dashboard.session_days", "3"),
        ("portal.title", "'Ours'"),
        ("oidc.label", "'Come in'"),
        ("metrics.accounts_max", "3"),
        ("traces.sample_ratio", "0.5"),
    ];
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = start(dir.path());
    let before = server.client().get("/api/v1/settings").data(200);
    write(dir.path(), WAITING);
    server.process.signal(Signal::HUP);
    for (name, _) in WAITING {
        let told = server.process.line("after a restart only");
        assert!(told.contains(name) && !told.contains("hunter2"), "{name}: {told}");
    }
    server.process.line("dialects were read again");
    assert_eq!(server.client().get("/api/v1/settings").data(200), before);
    assert!(server.terminate().success());
}

#[test]
fn a_wrong_file_changes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = start(dir.path());
    let before = server.client().get("/api/v1/settings").data(200);
    for text in ["[limits]\nwebhooks_max = 1\n[server]\nlisten_on = 'x'\n", "[limits]\nwebhooks_max = 1\nno TOML"] {
        std::fs::write(dir.path().join("config.toml"), text).expect("written");
        server.process.signal(Signal::HUP);
        let told = server.process.line("all stays as it was");
        assert!(told.contains("config.toml:"), "{told}");
        assert_eq!(server.client().get("/api/v1/settings").data(200), before);
    }
    write(dir.path(), &[("limits.webhooks_max", "3")]);
    reload(&mut server);
    assert_ne!(server.client().get("/api/v1/settings").data(200), before);
    assert!(server.terminate().success());
}
