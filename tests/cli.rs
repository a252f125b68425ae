//! The binary as a person meets it: its subcommands as processes, their output and their exit codes.

mod filled;
mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, mpsc};

use hookwheel::clock::Stopwatch;
use rustix::process::Signal;
use serde_json::json;
use support::{Answer, Client, DEADLINE, Receiver, Running, Server};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Starts a server that is to fail and gives what it says.
fn refused(dir: &Path, env: &[(&str, &str)]) -> String {
    let ended = Server::start_process(dir, env).end();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.output);
    ended.output
}

#[test]
fn a_wrong_configuration_is_refused_and_named() {
    let dir = folder();
    let output = refused(dir.path(), &[("HOOKWHEEL__SERVER__LISTNE", "127.0.0.1:0")]);
    assert!(output.contains("unknown key `HOOKWHEEL__SERVER__LISTNE`"), "{output}");
    assert!(output.contains("did you mean `HOOKWHEEL__SERVER__LISTEN`?"), "{output}");
    std::fs::write(dir.path().join("config.toml"), "[deliver]\nin_flight_max = 0\n").expect("written");
    let output = refused(dir.path(), &[]);
    assert!(output.contains("`deliver.in_flight_max` must be a whole number from 1"), "{output}");
    assert!(!Server::data(dir.path()).exists(), "nothing is made before the configuration is known to be right");
}

#[test]
fn a_start_chooses_the_dialect_of_the_account_default() {
    let dir = folder();
    let dialect_of = |arguments: &[&str]| {
        let server = Server::start_by_arguments(dir.path(), arguments);
        let shown = server.client().get("/api/v1/accounts/default").data(200)["dialect"].take();
        assert!(server.terminate().success());
        shown
    };
    assert_eq!(dialect_of(&["serve", "--dialect", "hub"]), "hub");
    assert_eq!(dialect_of(&["serve"]), "hub", "nothing is said, so it stays");
    assert_eq!(dialect_of(&["serve", "--dialect", "daycopilot"]), "daycopilot");
    let ended = Server::run(dir.path(), &["serve", "--dialect", "klingon"], &[]).end();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.output.contains("\"klingon\" is not known; there are: cathcr, cloudevents"), "{}", ended.output);
}

#[test]
fn a_data_directory_has_one_process_at_a_time() {
    let dir = folder();
    let first = Server::start(dir.path(), &[]);
    let output = refused(dir.path(), &[]);
    assert!(output.contains("another process"), "{output}");
    assert_eq!(first.client().get("/health/ready").status, 200, "the first one goes on");
    first.kill();
    assert!(Server::start(dir.path(), &[]).terminate().success(), "a killed process leaves no lock behind");
}

#[test]
fn a_data_directory_of_a_newer_version_is_refused() {
    let dir = folder();
    Server::start(dir.path(), &[]).terminate();
    let db = sled::Config::new().path(Server::data(dir.path())).segment_size(4 << 20).open().expect("nobody has it");
    db.open_tree("meta").and_then(|meta| meta.insert("format", &999u32.to_be_bytes())).expect("written");
    drop(db);
    filled::let_go(&Server::data(dir.path()));
    let output = refused(dir.path(), &[]);
    assert!(output.contains("has format 999") && output.contains("use the newer hookwheel"), "{output}");
}

#[test]
fn a_stop_is_heard_as_soon_as_the_server_can_be_used() {
    let dir = folder();
    for _ in 0..10 {
        let status = Server::start(dir.path(), &[]).terminate();
        assert!(status.success(), "{status}");
    }
}

#[test]
fn a_stop_finishes_what_is_in_flight() {
    let dir = folder();
    let (came, arrived) = mpsc::channel();
    let (go, held) = mpsc::channel::<()>();
    let (came, held) = (Mutex::new(came), Mutex::new(held));
    let receiver = Receiver::start(move |_, _| {
        came.lock().expect("not poisoned").send(()).expect("the test waits for it");
        // An error says that the test has let go.
        let _ = held.lock().expect("not poisoned").recv_timeout(DEADLINE);
        Answer::Status(200)
    });
    let mut server = Server::start(dir.path(), &[("HOOKWHEEL__LOG__LEVEL", "info")]);
    let mut client = server.client();
    client.post("/api/v1/webhooks", &json!({"url": receiver.url("/hook"), "events": ["*"]})).data(201);
    client.post("/api/v1/events", &json!({"type": "task.created", "data": {}, "id": "e1"})).data(202);
    arrived.recv_timeout(DEADLINE).expect("the attempt is made");
    server.process.signal(Signal::TERM);
    server.process.line("stopping");
    drop(go);
    assert!(server.process.end().status.success());
    assert_eq!(receiver.next().header("webhook-id"), Some("e1"));

    let server = Server::start(dir.path(), &[]);
    let event = server.client().get("/api/v1/events/e1").data(200);
    let delivery = &event["deliveries"][0];
    assert_eq!((&delivery["state"], &delivery["attempt_count"]), (&json!("succeeded"), &json!(1)), "{event}");
}

/// The example of the Standard Webhooks specification's own libraries.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &str = r#"{"test": 2432232314}"#;
const HEADERS: &str = "POST /hook HTTP/1.1\r\nHost: example.com\r\nWebhook-Id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\n\
    Webhook-Timestamp: 1614265330\r\nWebhook-Signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n";

/// Runs `hookwheel verify` in a folder that has the example in files; gives its exit code and output.
fn verify(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let ended = Running::start(dir, &[&["verify"], arguments].concat(), &[]).end();
    (ended.status.code(), ended.output)
}

fn folder_with_example() -> tempfile::TempDir {
    let dir = folder();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("written");
    write("secret", &format!("{SECRET}\n"));
    write("headers", HEADERS);
    write("body", BODY);
    write("edited", &format!("{BODY}\n"));
    write("other", r#"{"test":2432232314}"#);
    write("task", r#"{"id":"evt_xyz789","type":"task.created"}"#);
    dir
}

#[test]
fn verify_says_valid() {
    let dir = folder_with_example();
    let valid = (Some(0), "valid".to_owned());
    assert_eq!(verify(dir.path(), &["--secret", SECRET, "--headers", "headers", "--body", "body"]), valid);
    let rotated = ["--secret", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "--secret", "@secret"];
    assert_eq!(verify(dir.path(), &[&rotated[..], &["--headers", "headers", "--body", "body"]].concat()), valid);
    let signature = "X-TaskFlow-Signature: sha256=fd43ea39ad77b612f83665234aeac788beb8814aa3a68631bd5b2592b6aa144c";
    let taskflow = ["--dialect", "taskflow", "--secret", "your_webhook_secret", "-H", signature, "--body", "task"];
    assert_eq!(verify(dir.path(), &taskflow), valid);
    std::fs::create_dir(dir.path().join("dialects")).expect("made");
    let own = include_str!("../src/dialect/standard.toml").replace("webhook-", "x-own-");
    std::fs::write(dir.path().join("dialects/own.toml"), own).expect("written");
    std::fs::write(dir.path().join("headers"), HEADERS.replace("Webhook-", "X-Own-")).expect("written");
    let own = ["--dialect", "own", "--secret", SECRET, "--headers", "headers", "--body", "body"];
    assert_eq!(verify(dir.path(), &own), valid, "a dialect of the user's own");
}

#[test]
fn verify_says_why_not() {
    let dir = folder_with_example();
    let headers = ["--headers", "headers"];
    for (arguments, reason) in [
        (&["--secret", SECRET, "--body", "other"][..], "not valid: the signature in webhook-signature does not match"),
        (&["--secret", SECRET, "--body", "edited"], "without its last line break the body is valid"),
        (
            &["--secret", SECRET, "--body", "body", "--tolerance", "300"],
            "seconds behind the clock here; 300 are allowed",
        ),
        (&["--secret", "whsec_AAAA", "--body", "body"], "does not match"),
        (&["--secret", "plain", "--body", "body"], "--secret for standard: must start with \"whsec_\""),
        (&["--body", "body"], "--secret is needed"),
        (&["--secret", SECRET, "--body", "nowhere"], "nowhere: No such file"),
        (&["--secret", SECRET, "--dialect", "nope"], "there is no dialect \"nope\"; there are cathcr, "),
        (&["--secret", "x", "--dialect", "taskflow", "--body", "body"], "the header X-TaskFlow-Signature is missing"),
        (&["--secret", SECRET, "--dialect", "square", "--body", "body"], "the URL is signed, so it must be given"),
    ] {
        let (code, output) = verify(dir.path(), &[arguments, &headers].concat());
        assert_eq!(code, Some(1), "{arguments:?}: {output}");
        assert!(output.contains(reason), "{arguments:?}: {output}");
    }
    assert_eq!(verify(dir.path(), &["--header", "nonsense"]).0, Some(2), "no arguments of ours");
}

/// Starts `hookwheel receive` on a free port; gives it and its address.
fn receive(arguments: &[&str]) -> (Running, SocketAddr) {
    let dir = folder();
    let all = [&["receive", "--listen", "127.0.0.1:0"], arguments].concat();
    let mut receiving = Running::start(dir.path(), &all, &[]);
    let line = receiving.line("receiving on http://");
    let address = line.rsplit("http://").next().and_then(|rest| rest.trim_end_matches('/').parse().ok());
    (receiving, address.expect("an address"))
}

#[test]
fn what_is_sent_is_received_after_retries() {
    let dir = folder();
    let arguments = ["--secret", SECRET, "--fail-first", "2", "--delay", "1", "--count", "1"];
    let (receiving, address) = receive(&arguments);
    let server = Server::start(dir.path(), &[]);
    let url = format!("http://{address}/hook?a=b");
    let retry = json!({"delays": [1, 1, 1], "jitter_percent": 0});
    let webhook = json!({"url": url, "events": ["task.*"], "secret": SECRET, "retry": retry});
    server.client().post("/api/v1/webhooks", &webhook).data(201);

    let send = ["send", "task.created", "--data", r#"{"n":1.0,"s":"ä"}"#, "--id", "e1"];
    let sent = Running::start(dir.path(), &send, &[("HOOKWHEEL_URL", &server.url("")), ("HOOKWHEEL_KEY", server.key)]);
    let sent = sent.end();
    let mut lines: Vec<_> = sent.output.lines().collect();
    lines.sort_unstable();
    assert_eq!((sent.status.code(), lines), (Some(0), vec!["e1", "hookwheel: 1 webhook wants it"]));

    let received = receiving.end();
    assert_eq!(received.status.code(), Some(0), "{}", received.output);
    for line in [
        "1: POST /hook?a=b answered 500",
        "2: POST /hook?a=b answered 500",
        "3: POST /hook?a=b answered 200",
        "  webhook-id: e1",
        "  signature valid",
        "    \"n\": 1.0,",
        "    \"s\": \"ä\"",
    ] {
        assert!(received.output.lines().any(|one| one == line), "no line {line:?} in\n{}", received.output);
    }

    assert!(server.terminate().success());
    let server = Server::start(dir.path(), &[]);
    let event = server.client().get("/api/v1/events/e1").data(200);
    let delivery = &event["deliveries"][0];
    assert_eq!((&delivery["state"], &delivery["attempt_count"]), (&json!("succeeded"), &json!(3)), "{event}");
}

#[test]
fn the_receiver_answers_when_it_is_asked_whether_it_wants_deliveries() {
    let dir = folder();
    let (mut receiving, address) = receive(&["--quiet", "--dialect", "daycopilot", "--fail-first", "1"]);
    let server = Server::start(dir.path(), &[]);
    for dialect in ["daycopilot", "standard"] {
        let url = format!("http://{address}/");
        let webhook = json!({"url": url, "events": ["*"], "dialect": dialect, "ownership_check": true});
        let webhook = server.client().post("/api/v1/webhooks", &webhook).data(201);
        receiving.line("asked whether deliveries are wanted here; answered 200 {\"challenge\":");
        let path = format!("/api/v1/webhooks/{}", webhook["id"].as_str().expect("an id"));
        let watch = Stopwatch::start();
        while server.client().get(&path).data(200)["status"] != "active" {
            assert!(watch.elapsed() < DEADLINE, "the answer is not taken");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_signed_url_is_the_one_that_was_called_unless_another_is_named() {
    let dir = folder();
    let server = Server::start(dir.path(), &[]);
    const OTHER: [&str; 2] = ["--webhook-url", "https://hooks.example.com/square"];
    for (named, verdict) in [(&[][..], "  signature valid"), (&OTHER[..], "  signature NOT valid: ")] {
        let (mut receiving, address) = receive(&[&["--dialect", "square", "--secret", SECRET], named].concat());
        let url = format!("http://{address}/hook?a=b");
        let webhook = json!({"url": url, "events": ["*"], "dialect": "square", "secret": SECRET});
        let webhook = server.client().post("/api/v1/webhooks", &webhook).data(201);
        let id = webhook["id"].as_str().expect("an id");
        server.client().post(&format!("/api/v1/webhooks/{id}/test"), &json!({})).data(202);
        let said = receiving.line("  signature");
        assert!(said.starts_with(verdict), "{named:?}: {said}");
    }
}

#[test]
fn the_receiver_tells_what_it_did_not_verify() {
    let (mut receiving, address) = receive(&["--quiet", "--status", "410"]);
    receiving.line("start again with --secret");
    assert_eq!(Client::new(address, "").request("PUT", "/x", b"{}").status, 410);
    assert_eq!(receiving.line("1: "), "1: PUT /x answered 410, signature not checked: no --secret was given");
    assert!(receiving.terminate().status.success());

    let (mut receiving, address) = receive(&["--secret", SECRET, "--raw"]);
    assert_eq!(Client::new(address, "").request("POST", "/", b"{\"a\" :1}\x1b").status, 200);
    receiving.line("1: POST / answered 200");
    assert_eq!(receiving.line("signature"), "  signature NOT valid: the header webhook-id is missing");
    assert_eq!(receiving.line("a"), "{\"a\" :1}\u{fffd}", "nothing that a terminal would obey");

    let taken = address.to_string();
    let second = Running::start(folder().path(), &["receive", "--listen", &taken], &[]).end();
    assert_eq!(second.status.code(), Some(1), "{}", second.output);
    assert!(second.output.contains(&format!("cannot listen on {taken}: ")), "{}", second.output);
}

/// Runs `hookwheel bench` with these arguments, and gives its line of figures.
fn bench(arguments: &[&str]) -> serde_json::Value {
    let dir = folder();
    let data = dir.path().to_string_lossy().into_owned();
    let has_own = ["--own", "--neighbours"].iter().any(|word| arguments.contains(word));
    let own: &[&str] = if has_own { &["--data", &data] } else { &[] };
    let ended = Running::start(dir.path(), &[&["bench", "--json"], arguments, own].concat(), &[]).end();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.output);
    let figures = ended.output.lines().find(|line| line.starts_with('{')).expect("a line of JSON");
    assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 0, "nothing stays behind");
    serde_json::from_str(figures).expect("is JSON")
}

#[test]
fn bench_measures_who_is_well_beside_who_is_sick() {
    let words = ["--own", "--events", "50", "--webhooks", "5", "--spread", "--failing", "20", "--producers", "4"];
    let figures = bench(&words);
    assert_eq!((&figures["webhooks"], &figures["failing"], &figures["hanging"]), (&json!(5), &json!(1), &json!(0)));
    assert_eq!((&figures["events"], &figures["deliveries"], &figures["missing"]), (&json!(50), &json!(40), &json!(0)));
    assert!(figures["cpu_us_per_delivery"].is_f64(), "{figures}");

    let figures = bench(&["--own", "--events", "50", "--webhooks", "4", "--hanging", "25", "--producers", "4"]);
    assert_eq!((&figures["events"], &figures["deliveries"]), (&json!(50), &json!(150)), "all but one webhook");
    assert_eq!(figures["missing"], 0);
}

#[test]
fn bench_measures_a_relay_in_the_same_terms() {
    let figures = bench(&["--relay", "--events", "200", "--producers", "4"]);
    assert_eq!(
        (&figures["events"], &figures["deliveries"], &figures["repeated"]),
        (&json!(200), &json!(200), &json!(0))
    );
    assert!(figures["cpu_us_per_event"].is_f64() && figures["memory_mib"].is_f64(), "{figures}");
}

#[test]
fn bench_measures_who_is_well_beside_neighbours_row_by_row() {
    let rows = ["--row", "hang-20", "--row", "checks-64", "--row", "alone-5s", "--row", "slow-600"];
    let figures = bench(&[&["--neighbours", "--seconds", "2"], &rows[..]].concat());
    let names: Vec<_> = figures["rows"].as_array().expect("rows").iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["hang-20", "checks-64", "alone-5s", "slow-600"]);
    for row in figures["rows"].as_array().expect("rows") {
        assert_eq!((&row["sent"], &row["undelivered"], &row["refused"]), (&json!(40), &json!(0), &json!(0)), "{row}");
        assert!(row["publish_ms"]["p99"].as_f64() > Some(0.0) && row["memory_mib_max"].as_f64() > Some(1.0), "{row}");
    }
    let looked = |row: usize, what: &str| figures["rows"][row]["looked"][what].clone();
    // Each of the 20 begins with four under way, beside what the server has open anyway.
    assert!(figures["rows"][0]["descriptors_max"].as_u64() > Some(80), "{figures}");
    assert!(looked(1, "check")["beside"]["p50"].as_f64() > Some(0.0), "{figures}");
    let share = looked(2, "share")["whole_percent"].as_f64().expect("a share");
    assert!(share > 0.0 && share < 50.0, "a window begins small: {share}");
    assert_eq!(looked(3, "behind")["webhooks"], 600);
    assert!((1..=8).contains(&looked(3, "behind")["open_max"].as_u64().expect("open")), "three a second, for 2 s");
}

#[test]
fn bench_draws_a_hostile_hour() {
    let dir = folder();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (csv, plot, data) = (path("hour.csv"), path("hour.svg"), path(""));
    let words = ["bench", "--hostile-hour", "--seconds", "3", "--seed", "7"];
    let words = [&words[..], &["--csv", &csv, "--plot", &plot, "--data", &data]].concat();
    let ended = Running::start(dir.path(), &words, &[]).end();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.output);
    assert!(ended.output.contains("--seed 7") && ended.output.contains("publish     p99 within"), "{}", ended.output);
    let lines = std::fs::read_to_string(&csv).expect("figures");
    let rows: Vec<Vec<&str>> = lines.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert!(rows.len() >= 3 && rows.iter().all(|row| row.len() == 11), "{lines}");
    let last = rows.last().expect("a line");
    assert!(last[5].parse::<u64>().expect("a number") >= 1 && last[10].matches('+').count() == 4, "{lines}");
    assert_eq!(std::fs::read_to_string(&plot).expect("a picture").matches("fill=\"none\"").count(), 8);
}

#[test]
fn bench_restarts_a_server_with_a_backlog() {
    let figures = bench(&["--own", "--backlog", "200", "--webhooks", "20"]);
    assert_eq!((&figures["backlog"], &figures["open"], &figures["repeated"]), (&json!(200), &json!(200), &json!(0)));
    assert!(figures["due_late_ms"].as_f64().is_some_and(|late| late > -1.0), "never early: {figures}");
}
