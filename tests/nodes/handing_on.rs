//! A node that owns nothing: any call can be made to it, as long as somebody owns the store. What stays true: whoever asks hears what the
//! owner says, or that nobody is there, in an error that says when to ask again; and nobody else than nodes gets in by their door.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hookwheel::clock::Stopwatch;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::lines::{self, until};
use crate::support::process::KEY;
use crate::support::raw::Raw;
use crate::support::{Client, Cut, DEADLINE, Postgres, Proxy};
use crate::{MASTER_KEY, Node, faults, publish, receiver, until_delivered, webhook};

/// The nodes and how they stand, as the owner tells through the one of this address; none while nobody does.
fn states(through: SocketAddr) -> Vec<(String, String)> {
    let nodes = Client::new(through, KEY).get("/api/v1/nodes").json();
    let text = |node: &Value, name: &str| node[name].as_str().unwrap_or_default().to_owned();
    let nodes = nodes["data"].as_array().into_iter().flatten();
    nodes.map(|node| (text(node, "name"), text(node, "state"))).collect()
}

#[test]
fn any_node_takes_any_call() {
    let Some(postgres) = Postgres::start("calls through any node") else { return };
    let (url, receiver) = (postgres.database("wheel"), receiver());
    let mut server = Node::of(&url, "one").start();
    let link = server.process.line("/dashboard/ticket/");
    let other = Node::of(&url, "other");
    let waits = other.stand_by();
    let mut through = waits.client();
    webhook(&mut through, &receiver);
    // The pages too, which say who is who.
    let mut browser = Browser::new(waits.address);
    let ticket = link.split_once("/dashboard/").and_then(|(_, rest)| rest.split_whitespace().next());
    browser.get(&format!("/dashboard/{}", ticket.expect("a link")));
    let page = browser.get("/dashboard/server/nodes").text;
    assert!(page.contains("owns the store") && page.contains("stands by"), "{page}");
    let key = format!("Authorization: Bearer {KEY}");
    let mut stream = lines::open(waits.address, "/api/v1/stream", &key);
    until(&mut stream, "retry: ");
    publish(&mut through, "through");
    assert!(until(&mut stream, "data: ").contains("through"), "a stream goes through it");
    until_delivered(&mut server.client(), "through");
    // A long body, and a long answer.
    let long = "x".repeat(200_000);
    through.post("/api/v1/events", &json!({"type": "a", "id": "long", "data": long})).data(202);
    assert_eq!(through.get("/api/v1/events/long").data(200)["data"], long.as_str());
    let expected =
        [("one", "owner"), ("other", "standing_by")].map(|(name, state)| (name.to_owned(), state.to_owned()));
    assert_eq!(states(waits.address), expected);
    // Whose call it is, is known to the owner.
    let mut from = Raw::connect_from(Ipv4Addr::new(127, 0, 0, 77), waits.address);
    let body = r#"{"url":"https://example.com/hook","events":["b"]}"#;
    let head = format!(
        "POST /api/v1/webhooks HTTP/1.1\r\nHost: x\r\n{key}\r\nConnection: close\r\nContent-Type: application/json"
    );
    assert!(from.send(format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes()));
    let mut heard = String::new();
    from.0.read_to_string(&mut heard).expect("an answer and an end");
    assert!(heard.starts_with("HTTP/1.1 201"), "{heard}");
    let entry = through.get("/api/v1/audit?action=webhook.created&limit=1").json()["data"][0].clone();
    assert_eq!(entry["address"], "127.0.0.77", "{entry}");
    // What is watched is said by the owner, whichever node is asked.
    let metrics = browser.get("/metrics").text;
    for said in [
        r#"hookwheel_node_info{node="one"} 1"#,
        r#"hookwheel_nodes{state="owner"} 1"#,
        r#"hookwheel_nodes{state="standing_by"} 1"#,
        r#"hookwheel_nodes{state="gone"} 0"#,
        "hookwheel_node_taken_total 1",
    ] {
        assert!(metrics.lines().any(|line| line == said), "{said}: {metrics}");
    }
    let value = |name: &str| -> f64 {
        let line = metrics.lines().find(|line| line.starts_with(name)).expect("it is there");
        line.rsplit_once(' ').and_then(|(_, value)| value.parse().ok()).expect("a number")
    };
    let lease = value("hookwheel_node_lease_seconds ");
    assert!(lease > 0.0 && lease <= 3.0, "{lease}");
    assert!(value("hookwheel_connections_handed_on_total ") >= 3.0);
    for question in ["read", "group"] {
        assert!(value(&format!("hookwheel_database_seconds_count{{question=\"{question}\"}}")) > 0.0, "{question}");
    }
    // One that stands by stops as others do.
    assert!(waits.process.terminate().status.success());
    assert_eq!(server.client().get("/health/ready").status, 200);
}

#[test]
fn who_is_no_node_does_not_get_in_by_their_door() {
    let Some(postgres) = Postgres::start("the door of the nodes") else { return };
    let url = postgres.database("wheel");
    let server = Node::of(&url, "one").start();
    let nodes = server.client().get("/api/v1/nodes").json();
    let door = nodes["data"][0]["address"].as_str().expect("it is found").to_owned();
    let mut plain = TcpStream::connect(&door).expect("it listens");
    plain.set_read_timeout(Some(DEADLINE)).expect("it is open");
    plain.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").expect("it is open");
    let mut heard = Vec::new();
    // A reset is an end too.
    let _ = plain.read_to_end(&mut heard);
    assert!(!heard.windows(4).any(|word| word == b"HTTP"), "{heard:?}");
    // A node with another key stands by as well, and reaches nobody.
    let stranger = Node::of(&url, "stranger").with(MASTER_KEY, "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=");
    let stranger = stranger.stand_by();
    let reply = stranger.client().get("/api/v1/webhooks");
    assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (503, Some("unavailable")), "{}", reply.json());
    assert_eq!(stranger.client().get("/health/live").status, 200);
    assert_eq!(server.client().get("/health/live").status, 200);
}

/// Says that it is over, however that comes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Publishes again and again, each time on a connection of its own, until it is to end. Gives the ids that were answered 202, and how
/// many were answered 503; anything else is an error.
fn publish_until(is_over: &AtomicBool, taken: &AtomicUsize, through: SocketAddr) -> (Vec<String>, usize) {
    let (mut accepted, mut refused) = (Vec::new(), 0);
    while !is_over.load(Ordering::Relaxed) {
        let id = format!("event-{}", accepted.len());
        let reply = Client::new(through, KEY).post("/api/v1/events", &json!({"type": "a", "id": id, "data": 1}));
        match reply.status {
            202 => {
                accepted.push(id);
                taken.store(accepted.len(), Ordering::Relaxed);
            }
            503 if reply.message.header("retry-after").is_some() => refused += 1,
            status => panic!("{status}: {}", reply.json()),
        }
    }
    (accepted, refused)
}

#[test]
fn who_publishes_through_a_third_node_meets_no_change_of_owners_but_a_later_answer() {
    let Some(postgres) = Postgres::start("a change of owners") else { return };
    let (url, receiver) = (postgres.database("wheel"), receiver());
    let (one, other, third) = (Node::of(&url, "one"), Node::of(&url, "other"), Node::of(&url, "third"));
    let server = one.start();
    webhook(&mut server.client(), &receiver);
    let other = other.stand_by();
    let third = third.stand_by();
    let (is_over, taken, address) = (AtomicBool::new(false), AtomicUsize::new(0), third.address);
    let until_taken = |count: usize| {
        let watch = Stopwatch::start();
        while taken.load(Ordering::Relaxed) < count {
            assert!(watch.elapsed() < DEADLINE, "nothing is taken");
            std::thread::yield_now();
        }
    };
    let (accepted, refused, owner) = std::thread::scope(|scope| {
        let over = Over(&is_over);
        let publishing = scope.spawn(|| publish_until(&is_over, &taken, address));
        until_taken(10);
        assert!(server.terminate().success());
        // Whichever is quicker.
        let watch = Stopwatch::start();
        let owner = loop {
            match states(other.address).iter().find(|(name, state)| state == "owner" && name != "one") {
                Some((name, _)) => break Some(name.clone()),
                None if publishing.is_finished() || watch.elapsed() > DEADLINE => break None,
                None => std::thread::yield_now(),
            }
        };
        until_taken(taken.load(Ordering::Relaxed) + 10);
        drop(over);
        let (accepted, refused) = publishing.join().expect("it does not panic");
        (accepted, refused, owner.expect("one of them goes on"))
    });
    println!("{} were taken through a change to {owner}, {refused} were asked to come again", accepted.len());
    let mut client = third.client();
    client.until_ready_says(200);
    accepted.iter().for_each(|id| until_delivered(&mut client, id));
}

#[test]
fn a_node_that_stands_by_outlives_its_connections_to_the_database() {
    let Some(postgres) = Postgres::start("connections that end") else { return };
    let url = postgres.database("wheel");
    let server = Node::of(&url, "one").start();
    let way = Proxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, postgres.port)));
    let other = Node::of(&url.replace(&postgres.port.to_string(), &way.address.port().to_string()), "other");
    let other = other.stand_by();
    let asking =
        "SELECT pid FROM pg_stat_activity WHERE query LIKE '%JOIN hookwheel_nodes%' AND pid <> pg_backend_pid()";
    let mut seen = Vec::new();
    for _ in 0..8 {
        faults::until("it asks nothing any more", || {
            let before = std::mem::replace(&mut seen, postgres.ask("wheel", asking));
            !seen.is_empty() && seen != before
        });
        // In the middle of a question: whose the store is, or that it stands by.
        way.cut(Cut::Answer);
        faults::until("it asks nothing any more", || way.has_cut());
    }
    assert!(server.terminate().success());
    other.turn().client().until_ready_says(200);
}

#[test]
fn an_owner_that_is_drained_lets_another_go_on_until_nobody_else_does() {
    let Some(postgres) = Postgres::start("an owner that is drained") else { return };
    let (url, receiver) = (postgres.database("wheel"), receiver());
    // Whoever has served before goes on though the database says for a moment what would end a start.
    let one = Node::of(&url, "one").with("FAILPOINTS", "post.open=1*off->1*return->off");
    let other = Node::of(&url, "other");
    let mut server = one.start();
    let mut client = server.client();
    webhook(&mut client, &receiver);
    let drain = |client: &mut Client, name: &str| client.post(&format!("/api/v1/nodes/{name}/drain"), &json!({}));
    let refused = drain(&mut client, "one");
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (409, Some("wrong_state")));
    assert_eq!(drain(&mut client, "two").status, 404);
    let other = other.stand_by();
    let mut through = other.client();
    assert_eq!(drain(&mut through, "other").data(200)["state"], "standing_by", "there is nothing to drain");
    let (is_over, taken, address) = (AtomicBool::new(false), AtomicUsize::new(0), server.address);
    let (accepted, refused) = std::thread::scope(|scope| {
        let over = Over(&is_over);
        let publishing = scope.spawn(|| publish_until(&is_over, &taken, address));
        assert_eq!(drain(&mut through, "one").data(200)["state"], "owner");
        // The socket of the one that was drained goes on: whoever comes there is served by the other.
        server.process.line("this node stands by");
        drop(over);
        publishing.join().expect("it does not panic")
    });
    println!("{} were taken through a drain, {refused} were asked to come again", accepted.len());
    let mut other = other.turn();
    let expected =
        [("one", "standing_by"), ("other", "owner")].map(|(name, state)| (name.to_owned(), state.to_owned()));
    faults::until("the nodes stand otherwise", || states(server.address) == expected);
    let mut client = server.client();
    accepted.iter().for_each(|id| until_delivered(&mut client, id));
    let entry = client.get("/api/v1/audit?action=node.drained&limit=1").json()["data"][0].clone();
    assert_eq!(entry["target"], "one", "{entry}");
    // It takes what nobody else could take.
    other.process.kill_now();
    server.process.line("events are taken again");
    server.client().until_ready_says(200);
    accepted.iter().for_each(|id| until_delivered(&mut server.client(), id));
}

#[test]
fn what_an_owner_has_read_again_holds_when_it_owns_the_store_again() {
    let Some(postgres) = Postgres::start("a configuration that was read again") else { return };
    let url = postgres.database("wheel");
    let one = Node::of(&url, "one");
    let a_day = |events: u32| {
        let text = format!("[limits]\nevents_per_day = {events}\n");
        std::fs::write(one.dir.path().join("config.toml"), text).expect("a file");
    };
    a_day(1);
    let mut server = one.start();
    let mut client = server.client();
    publish(&mut client, "first");
    let status = |client: &mut Client, id: &str| {
        client.post("/api/v1/events", &json!({"type": "a", "id": id, "data": 1})).status
    };
    assert_eq!(status(&mut client, "second"), 429);
    a_day(100);
    server.process.signal(Signal::HUP);
    server.process.line("the configuration was read again");
    faults::until("it does not hold", || status(&mut client, "third") == 202);
    let mut other = Node::of(&url, "other").stand_by();
    client.post("/api/v1/nodes/one/drain", &json!({})).data(200);
    server.process.line("this node stands by");
    other.process.kill_now();
    server.process.line("events are taken again");
    assert_eq!(status(&mut server.client(), "fourth"), 202);
}

#[test]
fn while_nobody_owns_the_store_a_node_lives_and_asks_to_come_again() {
    let Some(postgres) = Postgres::start("no owner") else { return };
    let (url, receiver) = (postgres.database("wheel"), receiver());
    let mut server = Node::of(&url, "one").start();
    webhook(&mut server.client(), &receiver);
    let waits = Node::of(&url, "other").stand_by();
    // Who says nothing any more is as good as away.
    server.process.signal(Signal::STOP);
    let mut client = waits.client();
    let reply = client.post("/api/v1/events", &json!({"type": "a", "id": "early", "data": 1}));
    assert_eq!((reply.status, reply.message.header("retry-after").is_some()), (503, true), "{}", reply.json());
    assert_eq!(client.get("/health/live").status, 200);
    let second = waits.turn();
    publish(&mut second.client(), "late");
    until_delivered(&mut second.client(), "late");
    // The first one hands on to it, also what comes to it as before.
    server.process.signal(Signal::CONT);
    server.process.line("the store failed; it is closed and opened again");
    server.process.line("this node stands by");
    let mut client = server.client();
    client.until_ready_says(200);
    assert_eq!(client.get("/api/v1/events/late").data(200)["id"], "late");
    assert_eq!(client.get("/api/v1/events/early").status, 404);
    // It stands by as others do, and the others hear of it.
    let expected =
        [("one", "standing_by"), ("other", "owner")].map(|(name, state)| (name.to_owned(), state.to_owned()));
    let watch = Stopwatch::start();
    while states(second.address) != expected {
        assert!(watch.elapsed() < DEADLINE, "{:?}", states(second.address));
    }
}

#[test]
fn a_node_whose_database_is_away_as_it_starts_lives_and_serves_once_it_is_there() {
    let Some(mut postgres) = Postgres::start("a start without a database") else { return };
    let url = postgres.database("wheel");
    postgres.crash();
    let node = Node::of(&url, "one");
    let waits = node.stand_by();
    let mut client = waits.client();
    assert_eq!((client.get("/health/live").status, client.get("/health/ready").status), (200, 503));
    let reply = client.post("/api/v1/events", &json!({"type": "a", "data": 1}));
    assert_eq!((reply.status, reply.message.header("retry-after").is_some()), (503, true), "{}", reply.json());
    postgres.go_on();
    let server = waits.turn();
    publish(&mut server.client(), "first");
    assert_eq!(server.client().get("/api/v1/events/first").status, 200);
}
