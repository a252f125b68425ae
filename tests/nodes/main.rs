//! Several nodes over one database, all of them processes: one owns the store, the others stand by. What stays true: what was
//! answered 202 is there whoever dies, no two nodes' commits are mixed, and a node without its database says so and hangs nobody.

mod carrying;
mod faults;
mod handing_on;
#[path = "../support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use hookwheel::clock::Stopwatch;
use rustix::process::Signal;
use serde_json::json;
use support::{Answer, Authority, Client, DEADLINE, Postgres, Receiver, Running, Server};

const MASTER_KEY: &str = "HOOKWHEEL__STORE__MASTER_KEY";
/// 32 bytes, the same on each node.
const A_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A node's own directory and the environment that it starts with.
struct Node {
    dir: tempfile::TempDir,
    env: Vec<(&'static str, String)>,
}

impl Node {
    fn of(url: &str, name: &str) -> Self {
        let env = vec![
            ("HOOKWHEEL__STORE__URL", url.to_owned()),
            ("HOOKWHEEL__CLUSTER__NODE", name.to_owned()),
            ("HOOKWHEEL__CLUSTER__LISTEN", "127.0.0.1:0".to_owned()),
            (MASTER_KEY, A_KEY.to_owned()),
            ("HOOKWHEEL__LOG__LEVEL", "info".to_owned()),
        ];
        Self { dir: tempfile::tempdir().expect("a directory"), env }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.env.push((name, value.to_owned()));
        self
    }

    fn env(&self) -> Vec<(&'static str, &str)> {
        self.env.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// It owns the store.
    fn start(&self) -> Server {
        Server::start(self.dir.path(), &self.env())
    }

    /// It stands by.
    fn stand_by(&self) -> StandingBy {
        let mut process = self.begin();
        let line = process.line("this node stands by");
        let address = line.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next());
        let address = address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("{line}"));
        StandingBy { process, address }
    }

    fn begin(&self) -> Running {
        Server::start_process(self.dir.path(), &self.env())
    }
}

/// A node that owns nothing yet.
struct StandingBy {
    process: Running,
    address: SocketAddr,
}

impl StandingBy {
    fn client(&self) -> Client {
        Client::new(self.address, support::process::KEY)
    }

    /// It owns the store.
    fn turn(self) -> Server {
        Server::of(self.process)
    }
}

fn webhook(client: &mut Client, receiver: &Receiver) -> String {
    let webhook = json!({"url": receiver.url("/in"), "events": ["*"]});
    client.post("/api/v1/webhooks", &webhook).data(201)["id"].as_str().expect("an id").to_owned()
}

#[track_caller]
fn publish(client: &mut Client, id: &str) {
    client.post("/api/v1/events", &json!({"type": "a", "id": id, "data": id})).data(202);
}

/// Asks until the event is delivered.
#[track_caller]
fn until_delivered(client: &mut Client, id: &str) {
    let watch = Stopwatch::start();
    loop {
        let shown = client.get(&format!("/api/v1/events/{id}")).data(200);
        if shown["deliveries"][0]["state"] == "succeeded" {
            return;
        }
        assert!(watch.elapsed() < DEADLINE, "{shown}");
    }
}

fn receiver() -> Receiver {
    Receiver::start(|_, _| Answer::Status(200))
}

#[test]
fn a_node_keeps_nothing_and_another_one_goes_on_where_it_was_killed() {
    let Some(postgres) = Postgres::start("nodes over a database") else { return };
    let (url, receiver) = (postgres.database("wheel"), receiver());
    let (one, other) = (Node::of(&url, "one"), Node::of(&url, "other"));
    let server = one.start();
    let mut client = server.client();
    let webhook = webhook(&mut client, &receiver);
    for n in 0..50 {
        publish(&mut client, &format!("before-{n}"));
    }
    until_delivered(&mut client, "before-49");
    let waits = other.stand_by();
    // What was answered and not delivered yet is delivered by the other one.
    client.post(&format!("/api/v1/webhooks/{webhook}/pause"), &json!({})).data(200);
    (0..50).for_each(|n| publish(&mut client, &format!("held-{n}")));
    server.kill();
    let server = waits.turn();
    let mut client = server.client();
    client.post(&format!("/api/v1/webhooks/{webhook}/resume"), &json!({})).data(200);
    for n in 0..50 {
        assert_eq!(client.get(&format!("/api/v1/events/before-{n}")).data(200)["deliveries"][0]["state"], "succeeded");
        until_delivered(&mut client, &format!("held-{n}"));
    }
    assert_eq!(std::fs::read_dir(one.dir.path()).expect("it is there").count(), 0, "a node keeps no files");
    let owners = postgres.ask("wheel", "SELECT node, dead FROM hookwheel_nodes ORDER BY node");
    assert_eq!(owners, ["one t", "other f"]);
    // The first is there again, and waits now.
    let waits = one.stand_by();
    assert!(server.terminate().success());
    let server = waits.turn();
    publish(&mut server.client(), "after");
    until_delivered(&mut server.client(), "after");
    // Who leaves in peace says so: nobody need wait until its lease ends.
    assert!(server.terminate().success());
    assert_eq!(postgres.ask("wheel", "SELECT node FROM hookwheel_nodes WHERE NOT dead"), [""; 0]);
}

#[test]
fn a_node_that_was_held_for_longer_than_its_lease_writes_nothing_any_more() {
    let Some(postgres) = Postgres::start("a fence") else { return };
    let (url, receiver) = (postgres.database("wheel"), receiver());
    let (one, other) = (Node::of(&url, "one"), Node::of(&url, "other"));
    let mut first = one.start();
    let mut client = first.client();
    webhook(&mut client, &receiver);
    publish(&mut client, "before");
    until_delivered(&mut client, "before");
    let waits = other.stand_by();
    first.process.signal(Signal::STOP);
    let second = waits.turn();
    publish(&mut second.client(), "meanwhile");
    until_delivered(&mut second.client(), "meanwhile");
    first.process.signal(Signal::CONT);
    // It sees that its time is over before it answers anything of what it has; and ends a connection on which nobody asks just then.
    let late = json!({"type": "a", "id": "late", "data": 1}).to_string();
    if let Ok(reply) = client.try_request("POST", "/api/v1/events", late.as_bytes()) {
        assert_eq!((reply.status, reply.message.header("retry-after").is_some()), (503, true), "{}", reply.json());
    }
    // From then on it stands by as any other, and hands on what comes.
    first.process.line("is sent again by who has the store");
    first.process.line("this node stands by");
    let mut client = first.client();
    client.until_ready_says(200);
    assert_eq!(client.get("/api/v1/events/meanwhile").status, 200);
    assert_eq!([client.get("/api/v1/events/late").status, second.client().get("/api/v1/events/late").status], [404; 2]);
    // It waits for its turn, and has it.
    second.kill();
    first.process.line("events are taken again");
    let mut client = first.client();
    client.until_ready_says(200);
    publish(&mut client, "after");
    until_delivered(&mut client, "after");
    until_delivered(&mut client, "meanwhile");
}

#[test]
fn nobody_who_is_slow_keeps_a_node_that_lost_the_store_from_standing_by() {
    let Some(postgres) = Postgres::start("slow clients") else { return };
    let url = postgres.database("wheel");
    // They may take as long as they like, and so may a stop that waits for them.
    let one = Node::of(&url, "one")
        .with("HOOKWHEEL__SERVER__SHUTDOWN_SECONDS", "3600")
        .with("HOOKWHEEL__SERVER__BODY_SECONDS", "3600");
    let mut first = one.start();
    let mut slow = TcpStream::connect(first.address).expect("it listens");
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 100\r\nexpect: 100-continue\r\n\r\n",
        support::process::KEY
    );
    slow.write_all(head.as_bytes()).expect("it is taken");
    let mut going_on = [0; 25];
    slow.read_exact(&mut going_on).expect("it waits for more");
    assert_eq!(&going_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    let waits = Node::of(&url, "other").stand_by();
    first.process.signal(Signal::STOP);
    let _second = waits.turn();
    first.process.signal(Signal::CONT);
    first.process.line("this node stands by");
}

#[test]
fn a_node_that_loses_its_database_before_it_serves_asks_it_again() {
    let Some(postgres) = Postgres::start("a database that is lost at once") else { return };
    let url = postgres.database("wheel");
    let server = Node::of(&url, "one").with("FAILPOINTS", "serving.first_key=2*return->off").start();
    assert_eq!(postgres.ask("wheel", "SELECT incarnation FROM hookwheel_nodes"), ["3"]);
    publish(&mut server.client(), "first");
}

#[test]
fn without_its_database_a_node_lives_and_says_so_and_goes_on_once_it_is_back() {
    let Some(mut postgres) = Postgres::start("a database that is away") else { return };
    let (url, receiver) = (postgres.database("wheel"), receiver());
    let node = Node::of(&url, "one");
    let server = node.start();
    let mut client = server.client();
    webhook(&mut client, &receiver);
    publish(&mut client, "before");
    postgres.crash();
    let refused = |client: &mut Client| {
        let reply = client.post("/api/v1/events", &json!({"type": "a", "data": 1}));
        assert_eq!((reply.status, reply.message.header("retry-after").is_some()), (503, true), "{}", reply.json());
    };
    refused(&mut client);
    client.until_ready_says(503);
    assert_eq!(client.get("/health/live").status, 200);
    refused(&mut client);
    postgres.go_on();
    client.until_ready_says(200);
    until_delivered(&mut client, "before");
    // Connections that say nothing any more are as bad as none.
    postgres.signal_all(Signal::STOP);
    refused(&mut client);
    assert_eq!(client.get("/health/live").status, 200);
    postgres.signal_all(Signal::CONT);
    client.until_ready_says(200);
    publish(&mut client, "after");
    until_delivered(&mut client, "after");
}

#[test]
fn a_standby_of_the_database_that_is_promoted_has_all_that_was_answered() {
    let Some(mut primary) = Postgres::start("a standby of the database") else { return };
    primary.database("wheel");
    let (standby, receiver) = (primary.follow(), receiver());
    let url = format!("postgres://postgres@127.0.0.1:{},127.0.0.1:{}/wheel", primary.port, standby.port);
    let server = Node::of(&url, "one").start();
    let mut client = server.client();
    webhook(&mut client, &receiver);
    (0..20).for_each(|n| publish(&mut client, &format!("before-{n}")));
    primary.crash();
    let reply = client.post("/api/v1/events", &json!({"type": "a", "data": 1}));
    assert_eq!((reply.status, reply.message.header("retry-after").is_some()), (503, true), "{}", reply.json());
    standby.promote();
    let mut client = server.client();
    client.until_ready_says(200);
    (0..20).for_each(|n| until_delivered(&mut client, &format!("before-{n}")));
    publish(&mut client, "after");
    until_delivered(&mut client, "after");
}

#[test]
fn a_database_that_forgot_what_it_acknowledged_is_told_and_not_gone_on_with() {
    let Some(postgres) = Postgres::start("a database that forgets") else { return };
    let (url, receiver) = (postgres.database("wheel"), receiver());
    let server = Node::of(&url, "one").start();
    let mut client = server.client();
    webhook(&mut client, &receiver);
    publish(&mut client, "before");
    until_delivered(&mut client, "before");
    // As a standby that was promoted and had not got the last groups.
    postgres.ask("wheel", "UPDATE hookwheel_nodes SET group_no = group_no - 2");
    // It may end before it says so.
    if let Ok(reply) = client.try_request("POST", "/api/v1/events", br#"{"type": "a", "data": 1}"#) {
        assert_eq!(reply.status, 503, "{}", reply.json());
    }
    let ended = server.process.end();
    assert_eq!(ended.status.code(), Some(70), "{}", ended.output);
    assert!(ended.output.contains("lacks what the database acknowledged"), "{}", ended.output);
}

#[test]
fn a_store_that_is_read_for_longer_than_a_lease_lasts_is_served() {
    let Some(postgres) = Postgres::start("a store that takes long to read") else { return };
    let url = postgres.database("wheel");
    let node = Node::of(&url, "one").with("FAILPOINTS", "store.read=sleep(5000)");
    let server = node.start();
    assert_eq!(server.client().get("/health/ready").status, 200);
    assert_eq!(postgres.ask("wheel", "SELECT incarnation FROM hookwheel_nodes"), ["1"], "it was its own all along");
}

#[test]
fn two_nodes_of_one_name_do_not_take_turns() {
    let Some(postgres) = Postgres::start("two nodes of one name") else { return };
    let url = postgres.database("wheel");
    let (one, same) = (Node::of(&url, "one"), Node::of(&url, "one"));
    let mut first = one.start();
    // A process that was killed and is there again has this name too, so it need not wait.
    let second = same.start();
    first.process.line("or another process has its name");
    second.client().get("/api/v1/webhooks").data(200);
    first.process.line("this node stands by");
    second.kill();
    first.process.line("events are taken again");
    first.client().until_ready_says(200);
}

#[test]
fn a_user_who_may_make_no_tables_is_told_and_serves_once_they_are_made() {
    let Some(postgres) = Postgres::start("a user without rights") else { return };
    postgres.database("wheel");
    postgres.ask("wheel", "CREATE USER plain; REVOKE CREATE ON SCHEMA public FROM PUBLIC, plain");
    let node = Node::of(&postgres.url("wheel", "plain"), "one");
    let ended = node.begin().end();
    assert!(!ended.status.success() && ended.output.contains("`hookwheel schema` prints"), "{}", ended.output);
    let schema = Running::start(node.dir.path(), &["schema"], &[]).end();
    postgres.ask("wheel", &schema.output);
    postgres.ask("wheel", "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO plain");
    node.start().client().get("/api/v1/webhooks").data(200);
}

#[test]
fn no_question_reads_a_whole_table_however_small_it_was_at_first() {
    let Some(postgres) = Postgres::start("how a database reads") else { return };
    let (url, receiver) = (postgres.database("wheel"), receiver());
    let server = Node::of(&url, "one").start();
    let mut client = server.client();
    webhook(&mut client, &receiver);
    for n in 0..50 {
        publish(&mut client, &format!("e-{n}"));
    }
    until_delivered(&mut client, "e-49");
    // What was counted is told within a second.
    let watch = Stopwatch::start();
    loop {
        let scans = "SELECT idx_scan, seq_scan FROM pg_stat_user_tables WHERE relname = 'hookwheel_rows'";
        let told = postgres.ask("wheel", scans).concat();
        let (by_key, whole) = told.split_once(' ').expect("two columns");
        // Once, as its index was made.
        assert!(whole.parse::<u64>().expect("a number") <= 1, "{told}");
        if by_key.parse::<u64>().expect("a number") > 50 {
            return;
        }
        assert!(watch.elapsed() < DEADLINE, "{told}");
    }
}

#[test]
fn the_doctor_asks_the_database_before_a_node_is_started_and_the_server_after() {
    let Some(postgres) = Postgres::start("the doctor over a database") else { return };
    postgres.database("wheel");
    postgres.ask("wheel", "CREATE USER plain; REVOKE CREATE ON SCHEMA public FROM PUBLIC, plain");
    let look = |node: &Node| {
        let ended = Server::run(node.dir.path(), &["doctor", "--offline"], &node.env()).end();
        (ended.status.code(), ended.output)
    };
    let (code, told) = look(&Node::of(&postgres.url("wheel", "plain"), "one"));
    assert!(code == Some(1) && told.contains("it has no tables, and this user may not make them"), "{told}");
    let url = postgres.url("wheel", "postgres");
    let (code, told) = look(&Node::of(&url.replace("/wheel", "/nowhere"), "one"));
    assert!(code == Some(1) && told.contains("it cannot be asked: database \"nowhere\" does not exist"), "{told}");
    let node = Node::of(&url, "one");
    let (code, told) = look(&node);
    assert!(code == Some(0) && told.contains("it has no tables yet"), "{told}");
    assert_eq!(postgres.ask("wheel", "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'hookwheel%'"), ["0"]);
    let server = node.start();
    let (code, told) = look(&node.with("HOOKWHEEL__SERVER__LISTEN", &server.address.to_string()));
    assert!(
        code == Some(0) && told.contains(&format!("the server at {}, which has postgres://", server.url(""))),
        "{told}"
    );
}

#[test]
fn what_cannot_be_reached_or_used_is_said_in_words_without_the_password() {
    let Some(postgres) = Postgres::start("what is wrong with a URL") else { return };
    let url = postgres.database("wheel");
    let told = |node: Node, words: &str| {
        let ended = node.begin().end();
        assert!(!ended.status.success() && ended.output.contains(words), "{words}: {}", ended.output);
        assert!(!ended.output.contains("hush-hush"), "{}", ended.output);
    };
    told(Node::of("mysql://u:hush-hush@h/wheel", "one"), "`HOOKWHEEL__STORE__URL` must be a database");
    told(Node::of("postgres://u:hush-hush@h/wheel?sslmode=prefer", "one"), "sslmode=prefer");
    told(Node::of(&url.replace("/wheel", "/nowhere"), "one"), "database \"nowhere\" does not exist");
    let none = Node::of(&url, "one").with("HOOKWHEEL__STORE__PASSWORD_FILE", "/no/such.password");
    told(none, "/no/such.password cannot be read");
    let mut keyless = Node::of(&url, "one");
    keyless.env.retain(|(name, _)| *name != MASTER_KEY);
    told(keyless, "set store.master_key_file or store.master_key");
    // What works on files says so.
    let node = Node::of(&url, "one");
    let ended = Running::start(node.dir.path(), &["store", "accept-loss", "--yes"], &node.env()).end();
    assert!(ended.output.contains("this is for data directories"), "{}", ended.output);
}

#[test]
fn the_way_to_the_database_is_encrypted_and_whoever_stands_there_is_checked() {
    let Some(mut postgres) = Postgres::start("a database behind TLS") else { return };
    postgres.database("wheel");
    postgres.ask("wheel", "CREATE USER guarded PASSWORD 'hush-hush'; GRANT ALL ON SCHEMA public TO guarded");
    let (known, stranger) = (Authority::new(), Authority::new());
    postgres.guard(&known.certify("127.0.0.1", |_| ()), "guarded");
    let files = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("a plain path").to_owned()
    };
    let (roots, others) = (file("known.pem", &known.pem), file("stranger.pem", &stranger.pem));
    let (right, wrong) = (file("right", "hush-hush\n"), file("wrong", "loud-loud\n"));
    let node = |host: &str, roots: &str, password: &str| {
        let url = postgres.url("wheel", "guarded").replace("127.0.0.1", host);
        Node::of(&format!("{url}?sslmode=verify-full&sslrootcert={roots}"), "one")
            .with("HOOKWHEEL__STORE__PASSWORD_FILE", password)
    };
    for (node, why) in [
        (node("127.0.0.1", &others, &right), "UnknownIssuer"),
        (node("localhost", &roots, &right), "not valid for name"),
        (node("127.0.0.1", &roots, &wrong), "password authentication failed"),
        (Node::of(&postgres.url("wheel", "guarded"), "one"), "no pg_hba.conf entry"),
    ] {
        let ended = node.begin().end();
        assert!(!ended.status.success() && ended.output.contains(why), "{why}: {}", ended.output);
        assert!(!ended.output.contains("loud-loud") && !ended.output.contains("hush-hush"), "{}", ended.output);
    }
    let server = node("127.0.0.1", &roots, &right).start();
    publish(&mut server.client(), "safe");
    let safe = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'hookwheel'";
    assert_eq!(postgres.ask("wheel", safe), ["t", "t"]);
}

/// A command of the binary with a node's configuration, or with a server's address.
fn done(node: &Node, server: Option<&Server>, arguments: &[&str]) -> support::process::Ended {
    let url = server.map(|server| server.url(""));
    let asked = url.as_deref().map(|url| [("HOOKWHEEL_URL", url), ("HOOKWHEEL_KEY", support::process::KEY)]);
    Running::start(node.dir.path(), arguments, &[node.env(), asked.iter().flatten().copied().collect()].concat()).end()
}

#[test]
fn a_directory_moves_into_a_database_and_back_with_all_that_it_has() {
    let Some(postgres) = Postgres::start("moving into a database") else { return };
    let (url, receiver, dir) = (postgres.database("wheel"), receiver(), tempfile::tempdir().expect("a directory"));
    let at_home = Server::start(dir.path(), &[(MASTER_KEY, A_KEY)]);
    let mut client = at_home.client();
    webhook(&mut client, &receiver);
    (0..300).for_each(|n| publish(&mut client, &format!("event-{n}")));
    (0..300).for_each(|n| until_delivered(&mut client, &format!("event-{n}")));
    let shown = |client: &mut Client| client.get("/api/v1/events/event-7").data(200);
    let before = shown(&mut client);
    let node = Node::of(&url, "one");
    let file = node.dir.path().join("a.backup");
    let file = file.to_str().expect("a plain path");
    let taken = done(&node, Some(&at_home), &["backup", file]);
    assert!(taken.status.success(), "{}", taken.output);
    at_home.kill();

    // Broken off, it is no store, and begins anew.
    let whole = std::fs::read(file).expect("it was taken");
    let half = node.dir.path().join("half.backup");
    std::fs::write(&half, &whole[..whole.len() / 2]).expect("a file");
    let broken = done(&node, None, &["restore", half.to_str().expect("a plain path")]);
    assert!(!broken.status.success(), "{}", broken.output);
    let refused = node.begin().end();
    assert!(refused.output.contains("was broken off, so there is no store in it"), "{}", refused.output);
    let restored = done(&node, None, &["restore", file]);
    assert!(
        restored.status.success() && restored.output.contains("are restored in postgres://"),
        "{}",
        restored.output
    );
    let again = done(&node, None, &["restore", file]);
    assert!(!again.status.success() && again.output.contains("there is a store in"), "{}", again.output);

    let server = node.start();
    let mut client = server.client();
    assert_eq!(shown(&mut client), before);
    publish(&mut client, "in-the-database");
    until_delivered(&mut client, "in-the-database");
    let taken = done(&node, Some(&server), &["backup", file, "--force"]);
    assert!(taken.status.success(), "{}", taken.output);
    server.kill();
    let data = dir.path().join("again/data");
    let restored = done(&node, None, &["restore", file, "--to", data.to_str().expect("a plain path")]);
    assert!(restored.status.success(), "{}", restored.output);
    let at_home = Server::start(&dir.path().join("again"), &[(MASTER_KEY, A_KEY)]);
    let mut client = at_home.client();
    assert_eq!(shown(&mut client), before);
    until_delivered(&mut client, "in-the-database");
    publish(&mut client, "at-home");
    until_delivered(&mut client, "at-home");
}

#[test]
fn a_database_of_an_older_format_is_brought_to_this_one_and_one_of_a_newer_is_left_to_others() {
    let Some(postgres) = Postgres::start("formats in a database") else { return };
    let url = postgres.database("wheel");
    let node = Node::of(&url, "one");
    assert!(node.start().terminate().success());
    let set = |format: u32| {
        let value = format!("decode('{format:08x}', 'hex')");
        postgres.ask("wheel", &format!("UPDATE hookwheel_rows SET value = {value} WHERE tree = 0 AND key = 'format'"));
    };
    set(12);
    assert!(node.start().terminate().success());
    let found =
        postgres.ask("wheel", "SELECT encode(value, 'hex') FROM hookwheel_rows WHERE tree = 0 AND key = 'format'");
    assert_eq!(found, [format!("{:08x}", hookwheel::store::FORMAT_VERSION)]);
    set(999);
    let ended = node.begin().end();
    assert!(!ended.status.success() && ended.output.contains("format 999"), "{}", ended.output);
    // Who can read it need not wait for this one's lease.
    assert_eq!(postgres.ask("wheel", "SELECT node FROM hookwheel_nodes WHERE NOT dead"), [""; 0]);
}
