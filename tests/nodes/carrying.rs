//! Nodes that stand by make requests for the owner. What stays true: whoever makes one, an endpoint sees the same; and whatever becomes of
//! such a node, no attempt fails by it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Condvar, Mutex};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::faults::until;
use crate::support::{Answer, Arrived, Authority, Certified, Client, Message, Postgres, Receiver, Server};
use crate::{Node, StandingBy, publish, until_delivered};

/// Endpoints: it is by chance who asks which of them.
const ENDPOINTS: usize = 16;
/// Where the owner's requests come from, and the other node's.
const FROM: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(127, 0, 0, 8)), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9))];

/// An owner and a node that stands by, over one database, and where they send to.
struct Scene {
    _postgres: Postgres,
    _roots: tempfile::NamedTempFile,
    certified: Certified,
    owner: Server,
    node: Node,
    other: StandingBy,
    client: Client,
}

impl Scene {
    /// Both trust the endpoints that are made here; the other node is started so.
    fn start(what_for: &str, so: impl FnOnce(Node) -> Node) -> Option<Self> {
        let postgres = Postgres::start(what_for)?;
        let (url, authority) = (postgres.database("wheel"), Authority::new());
        let roots = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(&roots, &authority.pem).expect("it can be written");
        let node = |name, from: IpAddr| {
            Node::of(&url, name)
                .with("HOOKWHEEL__DELIVER__ROOTS", "native")
                .with("SSL_CERT_FILE", roots.path().to_str().expect("a plain path"))
                .with("HOOKWHEEL__DELIVER__EGRESS", &from.to_string())
        };
        let owner = node("one", FROM[0]).start();
        let node = so(node("other", FROM[1]));
        let other = node.stand_by();
        let (client, certified) = (owner.client(), authority.certify("127.0.0.1", |_| ()));
        Some(Self { _postgres: postgres, _roots: roots, certified, owner, node, other, client })
    }

    /// So many attempts were made by the other node, which is there for it; none: it is not.
    fn carried(&mut self) -> Option<u64> {
        let nodes = self.client.get("/api/v1/nodes").json();
        let other =
            nodes["data"].as_array().and_then(|nodes| nodes.iter().find(|node| node["name"] == "other")).cloned();
        other.and_then(|other| other["carried"].as_u64())
    }

    fn until_it_carries(&mut self) {
        until("it makes no requests", || self.carried().is_some());
    }

    /// Endpoints, each with a webhook of its own.
    fn endpoints(&mut self, answer: impl Fn(&Message) -> Answer + Clone + Send + Sync + 'static) -> Vec<Receiver> {
        let endpoint = |_| {
            let answer = answer.clone();
            let receiver = Receiver::start_tls(&self.certified, move |_, message| answer(message));
            let retry = json!({"delays": [0], "jitter_percent": 0});
            let webhook = json!({"url": receiver.url("/in"), "events": ["*"], "retry": retry});
            self.client.post("/api/v1/webhooks", &webhook).data(201);
            receiver
        };
        (0..ENDPOINTS).map(endpoint).collect()
    }

    /// How the deliveries of an event stand: in which state so many are, and after how many attempts.
    fn stand(&mut self, id: &str) -> BTreeMap<(String, u64), usize> {
        let deliveries = self.client.get(&format!("/api/v1/events/{id}/deliveries")).json();
        let mut stand = BTreeMap::new();
        for delivery in deliveries["data"].as_array().into_iter().flatten() {
            let state = delivery["state"].as_str().unwrap_or_default().to_owned();
            *stand.entry((state, delivery["attempt_count"].as_u64().unwrap_or_default())).or_default() += 1;
        }
        stand
    }

    /// Waits until all deliveries of an event have succeeded with so many attempts each.
    #[track_caller]
    fn until_all_succeeded(&mut self, id: &str, attempts: u64) {
        let wanted = BTreeMap::from([(("succeeded".to_owned(), attempts), ENDPOINTS)]);
        let mut stand = BTreeMap::new();
        until("not all has come", || {
            stand = self.stand(id);
            stand == wanted || stand.keys().any(|(state, made)| state == "succeeded" && *made > attempts)
        });
        assert_eq!(stand, wanted);
    }
}

/// From where each endpoint's next request comes.
fn from_where(endpoints: &[Receiver]) -> Vec<IpAddr> {
    endpoints.iter().map(|endpoint| endpoint.next().peer).collect()
}

fn count(all: &[IpAddr], from: IpAddr) -> usize {
    all.iter().filter(|peer| **peer == from).count()
}

#[test]
fn a_node_that_stands_by_makes_requests_for_the_owner() {
    let Some(mut scene) = Scene::start("requests by another node", |node| node) else { return };
    scene.until_it_carries();
    let endpoints = scene.endpoints(|_| Answer::Status(200));
    publish(&mut scene.client, "first");
    let from = from_where(&endpoints);
    let carried = count(&from, FROM[1]);
    assert!(carried > 0 && count(&from, FROM[0]) == ENDPOINTS - carried, "{from:?}");
    scene.until_all_succeeded("first", 1);
    assert_eq!(scene.carried(), Some(carried as u64));
    let metrics = scene.client.get("/metrics").message;
    let metrics = String::from_utf8(metrics.body).expect("text");
    assert!(metrics.contains(&format!("\nhookwheel_attempts_handed_on_total {carried}\n")), "{metrics}");
    // Whom it asks stays the same, so that connections are used again; and what is kept of an attempt is all there.
    publish(&mut scene.client, "second");
    assert_eq!(from_where(&endpoints), from);
    scene.until_all_succeeded("second", 1);
    let deliveries = scene.client.get("/api/v1/events/first/deliveries").json();
    for delivery in deliveries["data"].as_array().expect("a list") {
        let id = delivery["id"].as_str().expect("an id");
        let attempt = scene.client.get(&format!("/api/v1/deliveries/{id}/attempts/1")).data(200);
        assert_eq!(
            (&attempt["status_code"], attempt["timings"]["tls_ms"].is_null()),
            (&json!(200), false),
            "{attempt}"
        );
    }
}

#[test]
fn a_node_that_lost_the_store_makes_requests_for_whoever_took_it() {
    let Some(mut scene) = Scene::start("requests by who was held up", |node| node) else { return };
    let endpoints = scene.endpoints(|_| Answer::Status(200));
    scene.owner.process.signal(Signal::STOP);
    let StandingBy { process, .. } = scene.other;
    let (now, was) = (Server::of(process), scene.owner);
    was.process.signal(Signal::CONT);
    let mut client = now.client();
    let carries = |nodes: Value| {
        let mut nodes = nodes["data"].as_array().into_iter().flatten();
        nodes.any(|node| node["name"] == "one" && node["carried"].is_u64())
    };
    until("it makes no requests", || carries(client.get("/api/v1/nodes").json()));
    publish(&mut client, "first");
    let from = from_where(&endpoints);
    let carried = count(&from, FROM[0]);
    assert!(carried > 0 && count(&from, FROM[1]) == ENDPOINTS - carried, "{from:?}");
}

#[test]
fn what_failed_is_made_again_by_the_owner_itself() {
    let Some(mut scene) = Scene::start("attempts after the first", |node| node) else { return };
    scene.until_it_carries();
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let endpoints = scene.endpoints(move |message| {
        let whom = message.header("host").map(str::to_owned);
        let is_first = seen.lock().expect("no holder of the lock panics").insert(whom);
        Answer::Status(if is_first { 500 } else { 200 })
    });
    publish(&mut scene.client, "one");
    scene.until_all_succeeded("one", 2);
    let from: Vec<[IpAddr; 2]> =
        endpoints.iter().map(|endpoint| [endpoint.next().peer, endpoint.next().peer]).collect();
    assert!(from.iter().any(|[first, _]| *first == FROM[1]), "{from:?}");
    assert!(from.iter().all(|[_, second]| *second == FROM[0]), "{from:?}");
    // Who made an attempt is told.
    let told = scene.owner.process.line("by=\"other\"");
    assert!(told.contains("attempt=1") && told.contains("next=\"retry\""), "{told}");
}

/// What it was at is made again by the owner, though every endpoint had it, and no attempt has failed.
#[track_caller]
fn is_no_attempt(what_for: &str, signal: Signal) {
    let Some(mut scene) = Scene::start(what_for, |node| node) else { return };
    scene.until_it_carries();
    let hangs = Arc::new(Mutex::new(true));
    let hang = hangs.clone();
    let endpoints = scene.endpoints(move |_| match *hang.lock().expect("no holder of the lock panics") {
        true => Answer::Hang,
        false => Answer::Status(200),
    });
    publish(&mut scene.client, "one");
    let from = from_where(&endpoints);
    *hangs.lock().expect("no holder of the lock panics") = false;
    scene.other.process.signal(signal);
    let of_other = endpoints.iter().zip(&from).filter(|(_, from)| **from == FROM[1]);
    let again: Vec<Arrived> = of_other.map(|(endpoint, _)| endpoint.next()).collect();
    assert!(!again.is_empty() && again.iter().all(|arrived| arrived.peer == FROM[0]), "{from:?}");
    let done = BTreeMap::from([(("succeeded".to_owned(), 1), again.len())]);
    until("they do not succeed", || {
        let stand = scene.stand("one");
        done.iter().all(|(state, count)| stand.get(state) == Some(count))
    });
    assert_eq!(scene.carried(), None, "it is not there any more");
}

#[test]
fn what_a_node_was_at_that_is_killed_is_made_again() {
    is_no_attempt("a node that is killed amid requests", Signal::KILL);
}

#[test]
fn what_a_node_is_at_that_is_held_is_made_again() {
    is_no_attempt("a node that is held amid requests", Signal::STOP);
}

#[test]
fn a_node_whose_thread_is_stuck_amid_requests_is_told_of_and_they_are_made_again() {
    let stuck = |node: Node| {
        // Whoever watches it is told as often that all is well.
        node.with("WATCHDOG_USEC", "200000").with("FAILPOINTS", "carrying.take=sleep(3600000)")
    };
    let Some(mut scene) = Scene::start("a node that is stuck amid requests", stuck) else { return };
    scene.until_it_carries();
    let endpoints = scene.endpoints(|_| Answer::Status(200));
    publish(&mut scene.client, "one");
    scene.until_all_succeeded("one", 1);
    assert_eq!(from_where(&endpoints), [FROM[0]; ENDPOINTS]);
    let told = scene.other.process.line("the watchdog is not told");
    assert!(told.contains("the carrying"), "{told}");
}

#[test]
fn a_node_that_is_stopped_ends_what_it_is_at() {
    let Some(mut scene) = Scene::start("a node that is stopped amid requests", |node| node) else { return };
    scene.until_it_carries();
    let gate = Arc::new((Mutex::new((false, 0)), Condvar::new()));
    let held = gate.clone();
    let _endpoints = scene.endpoints(move |_| {
        let mut state = held.0.lock().expect("no holder of the lock panics");
        state.1 += 1;
        held.1.notify_all();
        drop(held.1.wait_while(state, |(is_open, _)| !*is_open).expect("no holder of the lock panics"));
        Answer::Status(200)
    });
    publish(&mut scene.client, "one");
    let until_all_came = gate.1.wait_while(gate.0.lock().expect("it is free"), |(_, came)| *came < ENDPOINTS);
    drop(until_all_came.expect("no holder of the lock panics"));
    scene.other.process.signal(Signal::TERM);
    // It takes no more from then on.
    until("it still takes requests", || scene.carried().is_none());
    gate.0.lock().expect("no holder of the lock panics").0 = true;
    gate.1.notify_all();
    assert!(scene.other.process.child.wait().expect("it can be waited for").success());
    scene.until_all_succeeded("one", 1);
    assert_eq!(gate.0.lock().expect("no holder of the lock panics").1, ENDPOINTS, "each was asked once");
    assert!(scene.owner.terminate().success());
}

#[test]
fn whom_a_node_may_not_reach_the_owner_asks() {
    let denied = |node: Node| node.with("HOOKWHEEL__DELIVER__DENY", "127.0.0.1/32");
    let Some(mut scene) = Scene::start("a node whose way out is closed", denied) else { return };
    scene.until_it_carries();
    let endpoints = scene.endpoints(|_| Answer::Status(200));
    for id in ["one", "two"] {
        publish(&mut scene.client, id);
        scene.until_all_succeeded(id, 1);
        assert_eq!(count(&from_where(&endpoints), FROM[0]), ENDPOINTS);
    }
    assert_eq!(scene.carried(), Some(0));
}

#[test]
fn whom_it_may_reach_is_read_again_while_it_stands_by() {
    let deny = |node: &Node, list: &str| {
        std::fs::write(node.dir.path().join("config.toml"), format!("[deliver]\ndeny = [{list}]\n")).expect("a file");
    };
    let open = |node: Node| {
        deny(&node, "");
        node
    };
    let Some(mut scene) = Scene::start("a guard that is changed", open) else { return };
    scene.until_it_carries();
    let endpoints = scene.endpoints(|_| Answer::Status(200));
    publish(&mut scene.client, "one");
    assert!(count(&from_where(&endpoints), FROM[1]) > 0);
    scene.until_all_succeeded("one", 1);
    // Its connections are there, and are not used any more.
    deny(&scene.node, "\"127.0.0.1/32\"");
    scene.other.process.signal(Signal::HUP);
    scene.other.process.line("the configuration was read again");
    publish(&mut scene.client, "two");
    scene.until_all_succeeded("two", 1);
    assert_eq!(count(&from_where(&endpoints), FROM[0]), ENDPOINTS);
}

#[test]
fn a_node_that_is_not_to_make_requests_makes_none() {
    let none = |node: Node| node.with("HOOKWHEEL__CLUSTER__CARRIES", "false");
    let Some(mut scene) = Scene::start("a node that makes no requests", none) else { return };
    let endpoints = scene.endpoints(|_| Answer::Status(200));
    publish(&mut scene.client, "one");
    assert_eq!(count(&from_where(&endpoints), FROM[0]), ENDPOINTS);
    assert_eq!(scene.carried(), None);
    // It would go on where the owner ends, all the same.
    drop(scene.client);
    scene.owner.kill();
    let next = scene.other.turn();
    publish(&mut next.client(), "two");
    until_delivered(&mut next.client(), "two");
    let said: Value = next.client().get("/api/v1/nodes").json();
    assert_eq!(said["data"].as_array().map(Vec::len), Some(2), "{said}");
}
