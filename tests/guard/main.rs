//! The guard over real sockets: names that change their mind, several answers, aliases, redirects, the own listener,
//! openings of one webhook, proxies. What stays true: what is not to be dialled never sees a connection.

#[path = "../support/mod.rs"]
mod support;

mod dns;
mod proxy;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dns::{Dns, Record};
use proxy::{Asked, Proxy, Speaks};
use serde_json::{Value, json};
use support::process::Running;
use support::{Answer, DEADLINE, Receiver, Stage};

/// Stands for a public address: the tests open it, and nothing else of this machine.
const OPEN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const CLOSED: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A port of which nobody may see a connection, at the address that is closed; and a listener at the open one.
struct Doors {
    closed: TcpListener,
    open: TcpListener,
    port: u16,
}

impl Doors {
    fn new() -> Self {
        let closed = TcpListener::bind((CLOSED, 0)).unwrap();
        closed.set_nonblocking(true).unwrap();
        let port = closed.local_addr().unwrap().port();
        Self { closed, open: TcpListener::bind((OPEN, port)).unwrap(), port }
    }

    #[track_caller]
    fn nobody_came(&self) {
        let came = self.closed.accept();
        assert!(came.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock), "somebody has connected");
    }

    /// Answers every connection to the open one with 503, and closes it. Gives how many there were.
    fn answer(&self) -> Arc<AtomicUsize> {
        let (open, count) = (self.open.try_clone().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = count.clone();
        std::thread::spawn(move || {
            for stream in open.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut stream = io::BufReader::new(stream.unwrap());
                // A peer that goes away ends this connection only.
                if support::http::read_message(&mut stream).is_ok() {
                    let reply = b"HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                    let _ = io::Write::write_all(stream.get_mut(), reply);
                }
            }
        });
        count
    }
}

fn strict(dns: &Dns, env: &[(&str, &str)]) -> Stage {
    let servers = dns.address.to_string();
    let base = [("HOOKWHEEL__DELIVER__NAME_SERVERS", servers.as_str()), ("HOOKWHEEL__DELIVER__ALLOW", "127.0.0.2/32")];
    Stage::start_strict(&[&base, env].concat())
}

fn outcomes(delivery: &Value) -> Vec<&str> {
    delivery["attempts"].as_array().unwrap().iter().map(|one| one["outcome"].as_str().unwrap()).collect()
}

#[test]
fn a_name_that_changes_its_mind_between_lookups_is_checked_each_time() {
    let dns = Dns::start(|_, n| vec![Record::Address(if n == 0 { OPEN } else { CLOSED })]);
    let doors = Doors::new();
    let came = doors.answer();
    let mut stage = strict(&dns, &[]);
    let url = format!("http://rebind.test:{}/", doors.port);
    let webhook = stage.webhook(&url, json!({"retry": {"delays": [0, 0], "jitter_percent": 0}}));
    stage.publish("e");
    let delivery = stage.ended(&webhook, "e");
    assert_eq!(outcomes(&delivery), ["status", "refused_address", "refused_address"], "{delivery}");
    let error = delivery["attempts"][1]["error"].as_str().unwrap();
    assert!(error.contains("special: loopback (127.0.0.0/8)") && !error.contains("127.0.0.1"), "{error}");
    assert_eq!(came.load(Ordering::SeqCst), 1);
    assert!(dns.asked("rebind.test") >= 3, "nothing was kept");
    // The health check goes past the same guard.
    let found = stage.client.post(&format!("/api/v1/webhooks/{webhook}/check"), &json!({})).data(200);
    assert!(found["error"].as_str().unwrap().contains("special: loopback"), "{found}");
    // And so does the ownership check.
    let asked = stage.try_webhook(&url, json!({"ownership_check": true})).data(201);
    assert!(asked["status_reason"].as_str().unwrap().contains("special: loopback"), "{asked}");
    doors.nobody_came();
}

#[test]
fn of_several_answers_only_those_that_are_open_are_dialled() {
    let dns = Dns::start(|name, _| match name {
        "open-first.test" => vec![Record::Address(OPEN), Record::Address(CLOSED)],
        "closed-first.test" => vec![Record::Address(CLOSED), Record::Address(OPEN)],
        "alias.test" => vec![Record::Alias("inner.test", CLOSED)],
        "closed.test" => vec![Record::Address(CLOSED), Record::Address(Ipv4Addr::new(169, 254, 169, 254))],
        _ => Vec::new(),
    });
    // Nobody listens at the open one: a dial that goes on to the next address would knock at the closed one.
    let Doors { closed, open, port } = Doors::new();
    drop(open);
    let mut stage = strict(&dns, &[]);
    let table = [
        ("open-first.test", "connect"),
        ("closed-first.test", "connect"),
        ("alias.test", "refused_address"),
        ("closed.test", "refused_address"),
        ("nobody.test", "dns"),
    ];
    let webhooks = table.map(|(host, _)| stage.webhook(&format!("http://{host}:{port}/"), json!({})));
    stage.publish("e");
    for (webhook, (host, expected)) in webhooks.iter().zip(table) {
        let (outcome, error) = stage.outcome(webhook, "e");
        assert_eq!(outcome, expected, "{host}: {error}");
    }
    let came = closed.accept();
    assert!(came.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock), "somebody has connected");
}

#[test]
fn a_name_server_that_does_not_answer_takes_no_longer_than_it_may() {
    let silent = std::net::UdpSocket::bind((CLOSED, 0)).unwrap();
    let servers = silent.local_addr().unwrap().to_string();
    let env = [("HOOKWHEEL__DELIVER__NAME_SERVERS", servers.as_str()), ("HOOKWHEEL__DELIVER__DNS_SECONDS", "1")];
    let mut stage = Stage::start(&env);
    let webhook = stage.webhook("http://slow.test/", json!({"timeout": 30}));
    stage.publish("e");
    let delivery = stage.ended(&webhook, "e");
    assert_eq!(outcomes(&delivery), ["dns"]);
    assert!(delivery["attempts"][0]["error"].as_str().unwrap().contains("no answer within 1 seconds"), "{delivery}");
    assert!(delivery["attempts"][0]["response_time_ms"].as_u64().unwrap() < 10_000, "{delivery}");
}

#[test]
fn a_name_that_leads_nowhere_is_told_in_words() {
    for (code, words) in [
        (0, "the name has no address"),
        (2, "the name servers failed to look it up (SERVFAIL)"),
        (3, "there is no such name"),
        (5, "the name servers refuse to look it up (REFUSED)"),
    ] {
        let servers = Dns::failing(code).address.to_string();
        let mut stage = Stage::start(&[("HOOKWHEEL__DELIVER__NAME_SERVERS", servers.as_str())]);
        let webhook = stage.webhook("http://nowhere.test/", json!({}));
        stage.publish("e");
        let expected = ("dns".to_owned(), format!("the host name could not be resolved: {words}"));
        assert_eq!(stage.outcome(&webhook, "e"), expected);
    }
}

#[test]
fn an_address_that_hangs_does_not_keep_the_next_from_being_tried() {
    let dns = Dns::start(|_, _| vec![Record::Address(Ipv4Addr::new(127, 0, 0, 3)), Record::Address(CLOSED)]);
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let port = receiver.address.port();
    let _full = full_port(SocketAddr::from((Ipv4Addr::new(127, 0, 0, 3), port)));
    let servers = dns.address.to_string();
    let mut stage = Stage::start(&[("HOOKWHEEL__DELIVER__NAME_SERVERS", servers.as_str())]);
    let webhook = stage.webhook(&format!("http://two.test:{port}/"), json!({"timeout": 30}));
    stage.publish("e");
    let delivery = stage.ended(&webhook, "e");
    assert_eq!(delivery["state"], "succeeded", "{delivery}");
    let took = delivery["attempts"][0]["response_time_ms"].as_u64().unwrap();
    assert!(took < 9_000, "less than the deadline of a connect: {delivery}");
}

/// A listener that takes no more connections: its queue is full, so who connects hangs.
fn full_port(at: SocketAddr) -> (TcpListener, Vec<TcpStream>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(at).unwrap();
    let listener = socket.listen(1).unwrap().into_std().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&at, Duration::from_millis(300)) {
        queued.push(stream);
        assert!(queued.len() < 64, "its queue does not fill up");
    }
    (listener, queued)
}

#[test]
fn of_a_name_with_many_addresses_a_few_are_knocked_at() {
    // Nobody listens at the first eight; whoever goes on is let in.
    let address = |n| Ipv4Addr::new(127, 0, 1, n);
    let dns = Dns::start(move |_, _| (1..=20).map(|n| Record::Address(address(n))).collect());
    let ninth = TcpListener::bind((address(9), 0)).unwrap();
    let port = ninth.local_addr().unwrap().port();
    let rest: Vec<TcpListener> = (10..=20).map(|n| TcpListener::bind((address(n), port)).unwrap()).collect();
    let mut stage = strict(&dns, &[("HOOKWHEEL__DELIVER__ALLOW", "127.0.1.0/24")]);
    let retry = json!({"retry": {"delays": [], "jitter_percent": 0}});
    let webhook = stage.webhook(&format!("http://many.test:{port}/"), retry);
    stage.publish("e");
    assert_eq!(outcomes(&stage.ended(&webhook, "e")), ["connect"]);
    for listener in rest.iter().chain([&ninth]) {
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock), "{listener:?}");
    }
}

#[test]
fn a_redirect_to_this_machine_is_not_followed() {
    let doors = Doors::new();
    let location =
        format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{}/\r\nContent-Length: 0\r\n\r\n", doors.port);
    let location: &'static [u8] = location.leak().as_bytes();
    let receiver = Receiver::start(move |_, _| Answer::Bytes(location));
    // Even where the address may be dialled.
    let mut stage = Stage::start(&[]);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    stage.publish("e");
    let delivery = stage.ended(&webhook, "e");
    assert_eq!(delivery["attempts"][0]["status_code"], 302, "{delivery}");
    doors.nobody_came();
}

#[test]
fn the_own_listener_is_never_dialled_even_in_development() {
    let dns = Dns::start(|_, _| vec![Record::Address(CLOSED)]);
    let servers = dns.address.to_string();
    let mut stage = Stage::start(&[("HOOKWHEEL__DELIVER__NAME_SERVERS", servers.as_str())]);
    let port = stage.server.address.port();
    for url in [
        format!("http://127.0.0.1:{port}/api/v1/events"),
        format!("http://0.0.0.0:{port}/"),
        format!("http://2130706433:{port}/"),
    ] {
        let refused = stage.try_webhook(&url, json!({}));
        let error = refused.json()["error"].clone();
        assert_eq!((refused.status, &error["field"]), (400, &json!("url")), "{url}: {error}");
        assert!(error["message"].as_str().unwrap().contains("own listener"), "{error}");
    }
    let webhook = stage.webhook(&format!("http://me.test:{port}/api/v1/events"), json!({}));
    stage.publish("e");
    let (outcome, error) = stage.outcome(&webhook, "e");
    assert_eq!(outcome, "refused_address", "{error}");
    assert!(error.contains("own listener"), "{error}");
}

#[test]
fn what_is_opened_for_one_webhook_is_closed_for_another_of_the_same_place() {
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let dns = Dns::start(|_, _| vec![Record::Address(CLOSED)]);
    let servers = dns.address.to_string();
    let env = [
        ("HOOKWHEEL__DELIVER__SENDERS", "1"),
        ("HOOKWHEEL__DELIVER__HTTP_ALLOWED", "true"),
        ("HOOKWHEEL__DELIVER__NAME_SERVERS", servers.as_str()),
    ];
    let mut stage = Stage::start_strict(&env);
    let url = format!("http://hook.example:{}/", receiver.address.port());
    let open = stage.webhook(&url, json!({"allow": ["127.0.0.0/8", "::1"]}));
    let closed = stage.webhook(&url, json!({}));
    let elsewhere = stage.webhook(&url, json!({"allow": ["10.0.0.0/8"]}));
    // The connection of the first is kept open, and is there for whoever would take it.
    for n in 0..5 {
        let event = format!("e{n}");
        stage.publish(&event);
        assert_eq!(stage.outcome(&open, &event).0, "ok");
        for refused in [&closed, &elsewhere] {
            assert_eq!(stage.outcome(refused, &event).0, "refused_address");
        }
    }
    assert_eq!(receiver.arrived.try_iter().count(), 5);
    // What was opened survives a restart, and is closed again at once.
    let Stage { server, dir, .. } = stage;
    server.kill();
    let server = support::Server::start_strict(dir.path(), &env);
    let mut stage = Stage { client: server.client(), server, dir };
    let path = format!("/api/v1/webhooks/{open}");
    assert_eq!(stage.client.get(&path).data(200)["allow"], json!(["127.0.0.0/8", "::1/128"]));
    stage.publish("again");
    assert_eq!(stage.outcome(&open, "again").0, "ok");
    let reset = stage.client.request("PATCH", &path, b"{\"allow\":null}").data(200);
    assert_eq!(reset["allow"], json!([]));
    stage.publish("closed");
    assert_eq!(stage.outcome(&open, "closed").0, "refused_address");
}

#[test]
fn deny_goes_over_every_opening_and_ports_can_be_bounded() {
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let port = receiver.address.port().to_string();
    let dns = Dns::start(|_, _| vec![Record::Address(CLOSED)]);
    let servers = dns.address.to_string();
    let env = [
        ("HOOKWHEEL__DELIVER__NAME_SERVERS", servers.as_str()),
        ("HOOKWHEEL__DELIVER__DENY", "127.0.0.1/32,::1/128"),
        ("HOOKWHEEL__DELIVER__ALLOW", "127.0.0.0/8"),
        ("HOOKWHEEL__DELIVER__PORTS", port.as_str()),
    ];
    let mut stage = Stage::start_strict(&env);
    let url = format!("http://hook.example:{port}/");
    let webhook = stage.webhook(&url, json!({"allow": ["127.0.0.0/8"]}));
    for (url, part) in [
        (format!("http://127.0.0.1:{port}/"), "denied by deliver.deny 127.0.0.1/32"),
        (format!("http://localhost:{port}/"), "denied by deliver.deny 127.0.0.1/32"),
        ("http://hook.example:9/".to_owned(), "port 9 is not in deliver.ports"),
        (format!("http://10.1.1.1:{port}/"), "special: private (10.0.0.0/8)"),
    ] {
        let refused = stage.try_webhook(&url, json!({}));
        let error = refused.json()["error"].clone();
        assert_eq!((refused.status, &error["field"]), (400, &json!("url")), "{url}: {error}");
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
    }
    stage.publish("e");
    let (outcome, error) = stage.outcome(&webhook, "e");
    assert_eq!(outcome, "refused_address", "{error}");
    assert!(error.contains("denied by the operator") && !error.contains("127.0.0.1"), "{error}");
    assert_eq!(receiver.arrived.try_iter().count(), 0);
}

#[test]
fn a_wide_opening_is_told_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let env = [
        ("HOOKWHEEL__DELIVER__ALLOW", "0.0.0.0/0"),
        ("HOOKWHEEL__DELIVER__PROXY", "http://user:hush-hush@127.0.0.1:9"),
        ("HOOKWHEEL__DELIVER__PROXY_RESOLVES", "true"),
    ];
    let mut process = support::Server::start_process(dir.path(), &env);
    process.line("deliveries go through the proxy 127.0.0.1:9");
    let ended = process.terminate();
    for line in ["warning: deliver.allow 0.0.0.0/0 opens nearly everything", "warning: deliver.proxy_resolves is on"] {
        assert!(ended.output.contains(line), "{}", ended.output);
    }
    let logged = ended.output.lines().filter(|line| line.contains("WARN") && line.contains("opens nearly")).count();
    assert_eq!(logged, 1, "{}", ended.output);
    assert!(!ended.output.contains("hush-hush"), "a password is never shown");
}

fn through(speaks: Speaks, scheme: &str, env: &[(&str, &str)]) -> (Stage, Proxy, Receiver) {
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let proxy = Proxy::start(speaks, receiver.address);
    let dns = Dns::start(|name, _| match name {
        "hook.test" => vec![Record::Address(OPEN)],
        _ => vec![Record::Address(Ipv4Addr::new(169, 254, 169, 254))],
    });
    let login = format!("{scheme}://user:pa%3Ass@{}", proxy.address);
    let stage = strict(&dns, &[&[("HOOKWHEEL__DELIVER__PROXY", login.as_str())], env].concat());
    (stage, proxy, receiver)
}

#[test]
fn a_proxy_is_asked_for_the_address_that_was_checked() {
    for (speaks, scheme, login) in
        [(Speaks::Http, "http", "Basic dXNlcjpwYTpzcw=="), (Speaks::Socks5, "socks5", "user:pa:ss")]
    {
        let (mut stage, proxy, receiver) = through(speaks, scheme, &[]);
        let open = stage.webhook("http://hook.test:8080/in", json!({}));
        let closed = stage.webhook("http://metadata.test/", json!({}));
        stage.publish("e");
        assert_eq!(stage.outcome(&open, "e").0, "ok", "{scheme}");
        let asked = proxy.asked.recv_timeout(DEADLINE).unwrap();
        assert_eq!(asked, Asked { goal: "127.0.0.2:8080".into(), login: login.into() });
        let arrived = receiver.next();
        assert_eq!((arrived.path.as_str(), arrived.header("host")), ("/in", Some("hook.test:8080")));
        let (outcome, error) = stage.outcome(&closed, "e");
        assert_eq!(outcome, "refused_address", "{error}");
        assert_eq!(proxy.asked.try_iter().count(), 0, "the proxy was not asked for what is closed");
        let attempt = stage.ended(&open, "e").to_string();
        assert!(!attempt.contains("pa:ss") && !attempt.contains("dXNlcjpwYTpzcw"), "{attempt}");
    }
}

#[test]
fn a_proxy_that_resolves_is_given_the_name_and_addresses_are_still_checked() {
    let on = [("HOOKWHEEL__DELIVER__PROXY_RESOLVES", "true")];
    for (speaks, scheme) in [(Speaks::Http, "http"), (Speaks::Socks5, "socks5")] {
        let (mut stage, proxy, _receiver) = through(speaks, scheme, &on);
        let webhook = stage.webhook("http://hook.test:8080/", json!({}));
        stage.publish("e");
        assert_eq!(stage.outcome(&webhook, "e").0, "ok", "{scheme}");
        assert_eq!(proxy.asked.recv_timeout(DEADLINE).unwrap().goal, "hook.test:8080");
        let refused = stage.try_webhook("http://169.254.169.254/", json!({}));
        assert_eq!(refused.status, 400);
    }
}

#[test]
fn what_goes_wrong_with_a_proxy_says_that_it_was_the_proxy_and_the_log_says_what() {
    let info = ("HOOKWHEEL__LOG__LEVEL", "info");
    let told = "the operator's proxy made no connection to it";
    let (mut stage, proxy, receiver) = through(Speaks::Refusal, "http", &[info]);
    let webhook = stage.webhook("http://hook.test:8080/", json!({}));
    stage.publish("e");
    let (outcome, error) = stage.outcome(&webhook, "e");
    assert_eq!((outcome.as_str(), error.ends_with(told)), ("connect", true), "{error}");
    let attempt = stage.ended(&webhook, "e").to_string();
    assert!(!attempt.contains(&proxy.address.to_string()) && !error.contains("403"), "{attempt}");
    stage
        .server
        .process
        .line(&format!("the proxy {} answered 403 when it was asked for 127.0.0.2:8080", proxy.address));
    assert_eq!(receiver.arrived.try_iter().count(), 0);
    // Who speaks no SOCKS, and nobody at all.
    let other = TcpListener::bind((CLOSED, 0)).unwrap();
    let speaks_no_socks = other.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in other.incoming() {
            // The peer may have gone.
            let _ = io::Write::write_all(&mut stream.unwrap(), b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let closed = TcpListener::bind((CLOSED, 0)).unwrap().local_addr().unwrap();
    for (address, url, part) in [
        (speaks_no_socks, format!("socks5://u:p@{speaks_no_socks}"), "opened no tunnel"),
        (closed, format!("http://{closed}"), "could not be reached"),
    ] {
        let mut stage = Stage::start(&[("HOOKWHEEL__DELIVER__PROXY", url.as_str()), info]);
        let webhook = stage.webhook("http://127.0.0.1:8080/", json!({"timeout": 5}));
        stage.publish("e");
        let (outcome, error) = stage.outcome(&webhook, "e");
        assert_eq!((outcome.as_str(), error.ends_with(told)), ("connect", true), "{error}");
        let attempt = stage.ended(&webhook, "e").to_string();
        assert!(!attempt.contains(&address.to_string()) && !attempt.contains(part), "{attempt}");
        stage.server.process.line(&format!("the proxy {address} {part}"));
    }
}

#[test]
fn the_guard_explains_itself_on_the_command_line_and_in_the_api() {
    let dns = Dns::start(|_, _| vec![Record::Address(OPEN), Record::Address(CLOSED)]);
    let servers = dns.address.to_string();
    let env = [
        ("HOOKWHEEL__DELIVER__NAME_SERVERS", servers.as_str()),
        ("HOOKWHEEL__DELIVER__ALLOW", "127.0.0.2/32"),
        ("HOOKWHEEL__DELIVER__HTTP_ALLOWED", "true"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let explain =
        |arguments: &[&str]| Running::start(dir.path(), &[&["guard", "explain"], arguments].concat(), &env).end();
    let mixed = explain(&["https://two.test/"]);
    assert_eq!(mixed.status.code(), Some(1), "{}", mixed.output);
    for line in [
        "https://two.test/ leads to two.test, port 443",
        "dialled  127.0.0.2  opened by deliver.allow 127.0.0.2/32",
        "refused  127.0.0.1  special: loopback (127.0.0.0/8)",
    ] {
        assert!(mixed.output.contains(line), "{line} in\n{}", mixed.output);
    }
    let opened = explain(&["https://two.test/", "--allow", "127.0.0.0/8"]);
    assert!(opened.status.success(), "{}", opened.output);
    assert!(opened.output.contains("opened by the webhook's allow 127.0.0.0/8"), "{}", opened.output);
    let shown = explain(&["http://0x7f.1:7080/", "--json", "--allow", "127.0.0.0/8"]);
    assert_eq!(shown.status.code(), Some(1), "{}", shown.output);
    let line = shown.output.lines().find(|line| line.starts_with('{')).expect("JSON");
    let said: Value = serde_json::from_str(line).unwrap();
    assert_eq!(said["data"]["addresses"][0]["rule"], "own_listener", "{said}");
    assert_eq!((&said["data"]["host"], &said["data"]["port"]), (&json!("127.0.0.1"), &json!(7080)));
    assert!(explain(&["https://8.8.8.8/"]).status.success());
    let local = Running::start(dir.path(), &["guard", "explain", "https://vault.internal/"], &env[..1]).end();
    assert_eq!(local.status.code(), Some(1), "{}", local.output);
    assert!(local.output.contains("no webhook may have this URL: local name"), "{}", local.output);
    assert_eq!(explain(&["nonsense"]).status.code(), Some(1));

    let mut stage = Stage::start_strict(&env);
    let webhook = stage.webhook("http://two.test/", json!({"allow": ["127.0.0.1"]}));
    let mut asked = |body: Value| stage.client.post("/api/v1/guard/explain", &body).data(200);
    let strict = asked(json!({"url": "http://two.test/"}));
    let rules =
        |said: &Value| said["addresses"].as_array().unwrap().iter().map(|one| one["rule"].clone()).collect::<Vec<_>>();
    let mut found = rules(&strict);
    found.sort_by_key(Value::to_string);
    assert_eq!((found, &strict["may_dial"]), (vec![json!("opened"), json!("special")], &json!(false)));
    let own = asked(json!({"url": "http://two.test/", "webhook": webhook}));
    assert_eq!(own["may_dial"], true, "{own}");
    let nobody = asked(json!({"url": "http://10.0.0.1/"}));
    assert_eq!(rules(&nobody), ["special"]);
}
