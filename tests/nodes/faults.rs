//! Three nodes over a database with a synchronous standby, publishers at all of them, and one fault after the other, in an order that dice
//! say. What stays true through all of them: what was answered 202 is delivered at least once, in its order, no two owners' groups are
//! mixed, and what is delivered twice is no more than was out as an owner lost what it had.
//!
//! `HOOKWHEEL_FAULTS=n` so many, `HOOKWHEEL_SEED=n` by these dice.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use hookwheel::clock::{Clock, Dice, Stopwatch};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::Node;
use crate::support::http::read_message;
use crate::support::process::KEY;
use crate::support::{
    Answer, Authority, Certified, Client, Cut, DEADLINE, Message, Postgres, Proxy, Receiver, Running, prepared, say,
};

/// As many nodes, by their clocks' differences: each is an hour from the next.
const CLOCKS: [&str; 3] = ["+1h", "+0", "-1h"];
/// Each publishes on connections of its own, at whichever node.
const PUBLISHERS: usize = 4;
/// And so often.
const EVERY: Duration = Duration::from_millis(40);
/// And waits for a reply no longer: a node may be held.
const PATIENCE: Duration = Duration::from_secs(2);
/// Webhooks: the path of each, its order, and how many deliveries are out at once.
const WEBHOOKS: [(&str, Order, usize); 3] =
    [("/plain", Order::None, 8), ("/fifo", Order::Accepted, 1), ("/keyed", Order::Keyed, 4)];

/// What comes of attempts is on the database's disk after 50 ms: so many more may be made again after each of its ends.
const UNSYNCED_MAX: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    None,
    Accepted,
    Keyed,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    KillOwner,
    KillAnother,
    StopOwner,
    /// Held for longer than its lease (SIGSTOP), then let go on.
    HoldOwner,
    /// Nothing gets through between the owner and the database, for longer than its lease.
    PartOwnerFromDatabase,
    /// The owner's connections to the database end.
    CutOwnerFromDatabase,
    /// One that stands by has no database for a while.
    PartAnotherFromDatabase,
    /// Nothing gets through to the owner from the others.
    PartNodes,
    /// A group is cut off in the middle, as it is written.
    CutQuestion,
    /// What became of a group is not told.
    CutAnswer,
    CrashDatabase,
    /// The primary is gone for good, and the standby takes its place; it gets a standby of its own.
    Promote,
}

impl Fault {
    const ALL: [Self; 12] = [
        Self::KillOwner,
        Self::KillAnother,
        Self::StopOwner,
        Self::HoldOwner,
        Self::PartOwnerFromDatabase,
        Self::CutOwnerFromDatabase,
        Self::PartAnotherFromDatabase,
        Self::PartNodes,
        Self::CutQuestion,
        Self::CutAnswer,
        Self::CrashDatabase,
        Self::Promote,
    ];
}

/// A number below `bound`.
fn below(dice: &mut Dice, bound: usize) -> usize {
    (dice.bits() % bound as u64) as usize
}

/// Faults without end: all of them, then all of them again, each time shuffled.
fn schedule(dice: &mut Dice) -> impl Iterator<Item = Fault> + '_ {
    std::iter::repeat_with(move || {
        let mut all = Fault::ALL;
        (1..all.len()).rev().for_each(|n| all.swap(n, below(dice, n + 1)));
        all
    })
    .flatten()
}

/// A node, whatever becomes of its process: it is always found at the same addresses.
struct Member {
    node: Node,
    process: Running,
    address: SocketAddr,
    /// Its ways to the two databases.
    databases: [Proxy; 2],
    /// The way of other nodes to it.
    door: Proxy,
}

impl Member {
    fn start(node: Node, clock: &str, faketime: &str, databases: [SocketAddr; 2]) -> Self {
        let databases = databases.map(Proxy::start);
        let (address, nodes) = (free_address(), free_address());
        let door = Proxy::start(nodes);
        let [one, other] = [&databases[0], &databases[1]].map(|proxy| proxy.address);
        let url = format!("postgres://postgres@{one},{other}/wheel?target_session_attrs=read-write");
        let node = node
            .with("HOOKWHEEL__STORE__URL", &url)
            .with("HOOKWHEEL__SERVER__LISTEN", &address.to_string())
            .with("HOOKWHEEL__CLUSTER__LISTEN", &nodes.to_string())
            .with("HOOKWHEEL__CLUSTER__ADVERTISE", &door.address.to_string())
            .with("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .with("LD_PRELOAD", faketime)
            .with("FAKETIME", clock);
        let process = node.begin();
        Self { node, process, address, databases, door }
    }

    /// It was ended, however; its process starts again.
    fn start_again(&mut self) {
        self.process = self.node.begin();
    }

    /// Whether calls are served through it, and what it takes is delivered.
    fn serves(&self) -> bool {
        let reply = Client::new(self.address, KEY).try_request("GET", "/health/ready", b"");
        reply.is_ok_and(|reply| reply.status == 200)
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address")
}

/// All of it.
struct World {
    /// What endpoints show, and whom nodes trust for that.
    certified: Certified,
    _roots: tempfile::NamedTempFile,
    primary: Postgres,
    standby: Postgres,
    members: Vec<Member>,
}

impl World {
    fn start(faketime: &str) -> Option<Self> {
        let primary = Postgres::start("faults of nodes and their database")?;
        primary.database("wheel");
        let standby = primary.follow();
        let databases = [at(&primary), at(&standby)];
        let (authority, roots) = (Authority::new(), tempfile::NamedTempFile::new().expect("a file"));
        std::fs::write(&roots, &authority.pem).expect("it can be written");
        let trusted = roots.path().to_str().expect("a plain path");
        let node = |(name, clock): (&str, &str)| {
            let node = Node::of("", name).with("HOOKWHEEL__DELIVER__ROOTS", "native").with("SSL_CERT_FILE", trusted);
            Member::start(node, clock, faketime, databases)
        };
        let members = ["one", "two", "three"].into_iter().zip(CLOCKS).map(node).collect();
        let certified = authority.certify("127.0.0.1", |_| ());
        let world = Self { certified, _roots: roots, primary, standby, members };
        until("a node does not serve", || world.members.iter().all(Member::serves));
        // Each group, and each change of owners, as they are committed.
        world.primary.ask("wheel", WATCH);
        Some(world)
    }

    /// The one that owns the store, as the database knows; none while nobody does.
    fn owner(&self) -> Option<usize> {
        let owner = self.primary.ask("wheel", "SELECT node FROM hookwheel_nodes WHERE NOT dead AND until > now()");
        let [owner] = &owner[..] else { return None };
        let named = |member: &Member| member.node.env.contains(&("HOOKWHEEL__CLUSTER__NODE", owner.clone()));
        self.members.iter().position(named)
    }

    /// Does it, and mends what is broken by it. Who publishes goes on meanwhile.
    fn meet(&mut self, fault: Fault, told: &Told) {
        let mut found = None;
        told.until("nobody owns the store", |_| {
            found = self.owner();
            found.is_some()
        });
        let owner = found.expect("somebody does");
        let another = (owner + 1) % self.members.len();
        let of_owner = |world: &mut Self, to: fn(&Proxy)| world.members[owner].databases.iter().for_each(to);
        match fault {
            Fault::KillOwner => {
                self.members[owner].process.kill_now();
                told.until("nobody takes over", |_| self.owner().is_some_and(|of| of != owner));
                self.members[owner].start_again();
            }
            Fault::KillAnother => {
                self.members[another].process.kill_now();
                self.members[another].start_again();
            }
            Fault::StopOwner => {
                self.members[owner].process.signal(Signal::TERM);
                let status = self.members[owner].process.child.wait().expect("it can be waited for");
                assert!(status.success(), "{status}");
                self.members[owner].start_again();
            }
            Fault::HoldOwner => {
                self.members[owner].process.signal(Signal::STOP);
                told.until("nobody takes over", |_| self.owner().is_some_and(|of| of != owner));
                self.members[owner].process.signal(Signal::CONT);
            }
            Fault::PartOwnerFromDatabase => {
                of_owner(self, Proxy::hold);
                told.until("nobody takes over", |_| self.owner().is_some_and(|of| of != owner));
                of_owner(self, Proxy::open);
            }
            Fault::CutOwnerFromDatabase => {
                of_owner(self, Proxy::close);
                told.until_more(|counts| counts.refused, 1);
                of_owner(self, Proxy::open);
            }
            Fault::PartAnotherFromDatabase => {
                self.members[another].databases.iter().for_each(Proxy::hold);
                told.until_more(|counts| counts.taken, 300);
                self.members[another].databases.iter().for_each(Proxy::open);
            }
            Fault::PartNodes => {
                self.members[owner].door.hold();
                told.until_more(|counts| counts.refused, 5);
                self.members[owner].door.open();
            }
            Fault::CutQuestion | Fault::CutAnswer => {
                let cut = if fault == Fault::CutAnswer { Cut::Answer } else { Cut::Question };
                let ways = &self.members[owner].databases;
                ways.iter().for_each(|way| way.cut(cut));
                told.until("nothing goes over it", |_| ways.iter().any(Proxy::has_cut));
                ways.iter().for_each(Proxy::cut_nothing);
            }
            Fault::CrashDatabase => {
                self.primary.crash();
                told.until_more(|counts| counts.refused, 1);
                self.primary.go_on();
            }
            Fault::Promote => {
                self.primary.crash();
                self.standby.promote();
                let next = self.standby.follow();
                self.primary = std::mem::replace(&mut self.standby, next);
                for member in &self.members {
                    // Whatever is where the old primary was, it is not there any more.
                    let to = [&self.primary, &self.standby].map(at);
                    member.databases.iter().zip(to).for_each(|(way, to)| way.lead_to(to));
                }
            }
        }
        told.until("a node does not serve", |_| self.members.iter().all(Member::serves));
    }
}

fn at(postgres: &Postgres) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, postgres.port))
}

/// Looks again and again until it is so.
#[track_caller]
pub fn until(otherwise: &str, mut is_so: impl FnMut() -> bool) {
    let watch = Stopwatch::start();
    while !is_so() {
        assert!(watch.elapsed() < DEADLINE, "{otherwise}");
        std::thread::yield_now();
    }
}

/// Writes down each group as it is committed, in the order in which that is so.
const WATCH: &str = "
CREATE TABLE groups (n bigserial PRIMARY KEY, node text, incarnation bigint, group_no bigint);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO groups (node, incarnation, group_no) VALUES (NEW.node, NEW.incarnation, NEW.group_no); RETURN NEW;
END $$;
CREATE TRIGGER watched AFTER UPDATE ON hookwheel_nodes FOR EACH ROW
    WHEN (OLD.group_no IS DISTINCT FROM NEW.group_no) EXECUTE FUNCTION watch()";

/// Those whose groups were mixed with those of others, or came out of their order, and how many owners there were.
const MIXED: &str = "
WITH next AS (SELECT n, node, incarnation, group_no,
    lag(group_no) OVER (PARTITION BY node ORDER BY n) AS before,
    lag((node, incarnation)) OVER (ORDER BY n) IS DISTINCT FROM (node, incarnation) AS is_other FROM groups)
SELECT count(*) FILTER (WHERE group_no <> before + 1), count(*) FILTER (WHERE is_other),
    count(DISTINCT (node, incarnation)) FROM next";

/// Publishes one event after the other, at whichever node takes it; each as long as it takes. Gives how many were taken.
fn publish_all(
    publisher: usize,
    nodes: &[SocketAddr],
    mut dice: Dice,
    over: &mpsc::Receiver<()>,
    told: &Told,
) -> usize {
    for serial in 0.. {
        let id = format!("{publisher}-{serial}");
        let data = json!({"publisher": publisher.to_string(), "serial": serial});
        let body = json!({"type": "a", "id": id, "data": data}).to_string();
        let watch = Stopwatch::start();
        loop {
            let node = nodes[below(&mut dice, nodes.len())];
            match post(node, &body) {
                Ok(reply) if reply.start.contains(" 202 ") => break,
                Ok(reply) if reply.start.contains(" 503 ") && reply.header("retry-after").is_some() => {
                    told.count(|counts| counts.refused += 1);
                }
                Ok(reply) => panic!("{id}: {reply:?}"),
                // The process is gone, or its connection, or it is held: whether the event was taken is unknown, so it is sent again.
                Err(_) => told.count(|_| ()),
            }
            assert!(watch.elapsed() < DEADLINE, "{id} is not taken by any node");
            std::thread::yield_now();
        }
        let took_ms = watch.elapsed().as_millis() as u64;
        told.count(|counts| (counts.taken, counts.longest_ms) = (counts.taken + 1, counts.longest_ms.max(took_ms)));
        match over.recv_timeout(EVERY) {
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            _ => return serial + 1,
        }
    }
    unreachable!("nobody publishes as many")
}

/// Publishes by a connection of its own.
fn post(node: SocketAddr, body: &str) -> io::Result<Message> {
    let mut stream = TcpStream::connect_timeout(&node, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close";
    let length = body.len();
    stream.write_all(
        format!("{head}\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes(),
    )?;
    read_message(&mut BufReader::new(stream))?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// What all publishers together tell while they publish.
#[derive(Default)]
struct Told {
    counts: Mutex<Counts>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    answers: u64,
    taken: u64,
    refused: u64,
    longest_ms: u64,
}

impl Told {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().expect("no holder of the lock panics")
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts();
        change(&mut counts);
        counts.answers += 1;
        self.changed.notify_all();
    }

    /// Looks whether it is so, now and after each answer that a publisher gets.
    #[track_caller]
    fn until(&self, otherwise: &str, mut is_so: impl FnMut(Counts) -> bool) {
        let (watch, mut seen) = (Stopwatch::start(), None);
        loop {
            let is_seen = |counts: &mut Counts| seen == Some(counts.answers);
            let waited = self.changed.wait_timeout_while(self.counts(), DEADLINE, is_seen);
            let counts = *waited.expect("no holder of the lock panics").0;
            if is_so(counts) {
                return;
            }
            seen = Some(counts.answers);
            assert!(watch.elapsed() < DEADLINE, "{otherwise}: {counts:?}");
        }
    }

    #[track_caller]
    fn until_more(&self, of: fn(Counts) -> u64, more: u64) {
        let goal = of(*self.counts()) + more;
        self.until("nothing is taken, or nothing refused", |counts| of(counts) >= goal);
    }
}

/// What has arrived: of each path, of each publisher, how often each event.
#[derive(Default)]
struct Heard(BTreeMap<(String, usize), Vec<usize>>);

impl Heard {
    /// An event whose order matters arrives for the first time only after the one before it of its publisher has.
    fn hear(&mut self, path: &str, message: &Message) {
        // All nodes go by the database's clock, whatever their own.
        let signed_at = message.header("webhook-timestamp").and_then(|text| text.parse::<u64>().ok());
        let off = signed_at.expect("seconds").abs_diff(Clock::real().wall() / 1000);
        assert!(off < 15 * 60, "it is signed {off} s off");
        let body: Value = serde_json::from_slice(&message.body).expect("JSON");
        let data = &body["data"];
        let number = |value: &Value| value.as_str().map_or(value.as_u64(), |text| text.parse().ok());
        let [publisher, serial] =
            [&data["publisher"], &data["serial"]].map(|of| number(of).expect("a number") as usize);
        let counts = self.0.entry((path.to_owned(), publisher)).or_default();
        let is_ordered = WEBHOOKS.iter().any(|(of, order, _)| *of == path && *order != Order::None);
        if is_ordered && serial > 0 && counts.get(serial).is_none_or(|count| *count == 0) {
            let before = counts.get(serial - 1).copied().unwrap_or_default();
            assert!(before > 0, "{path}: {publisher}-{serial} came before the one before it");
        }
        if counts.len() <= serial {
            counts.resize(serial + 1, 0);
        }
        counts[serial] += 1;
    }

    fn has(&self, path: &str, publisher: usize, count: usize) -> bool {
        let counts = self.0.get(&(path.to_owned(), publisher));
        counts.is_some_and(|counts| counts.len() >= count && counts[..count].iter().all(|count| *count > 0))
    }

    /// How many arrived more than once, each time counted.
    fn again(&self, path: &str) -> usize {
        let of = self.0.iter().filter(|((of, _), _)| of == path).flat_map(|(_, counts)| counts);
        of.map(|count| count.saturating_sub(1)).sum()
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn whatever_breaks_nothing_that_was_answered_is_lost_and_nothing_is_mixed() {
    let library = format!("faketime/usr/lib/{ARCH}-linux-gnu/faketime/libfaketimeMT.so.1");
    let Some(env) = prepared("nodes whose clocks differ", &[&library]) else { return };
    let Some(mut world) = World::start(env.join(&library).to_str().expect("a plain path")) else { return };
    let seed = number("HOOKWHEEL_SEED").unwrap_or_else(|| Dice::from_system().bits() >> 32);
    let faults = number("HOOKWHEEL_FAULTS").unwrap_or(15) as usize;
    say(&format!("{faults} faults by the dice of HOOKWHEEL_SEED={seed}"));
    let heard = Arc::new(Mutex::new(Heard::default()));
    let hears = heard.clone();
    // Over TLS, so that nodes that stand by make requests for the owner.
    let receiver = Receiver::start_tls(&world.certified, move |path, message| {
        hears.lock().expect("no request was wrong").hear(path, message);
        Answer::Status(200)
    });
    for (path, order, in_flight) in WEBHOOKS {
        let mut webhook = json!({"url": receiver.url(path), "events": ["*"], "max_in_flight": in_flight});
        if order != Order::None {
            webhook["order"] = json!("fifo");
        }
        if order == Order::Keyed {
            webhook["order_key"] = json!("data.publisher");
        }
        Client::new(world.members[0].address, KEY).post("/api/v1/webhooks", &webhook).data(201);
    }

    let told = Arc::new(Told::default());
    let nodes: Vec<SocketAddr> = world.members.iter().map(|member| member.address).collect();
    let publishers: Vec<(mpsc::Sender<()>, JoinHandle<usize>)> = (0..PUBLISHERS)
        .map(|n| {
            let (nodes, told, dice) = (nodes.clone(), told.clone(), Dice::seeded(seed + n as u64 + 1));
            let (end, over) = mpsc::channel();
            (end, std::thread::spawn(move || publish_all(n, &nodes, dice, &over, &told)))
        })
        .collect();
    told.until_more(|counts| counts.taken, 20);

    let mut dice = Dice::seeded(seed);
    let schedule: Vec<Fault> = schedule(&mut dice).take(faults).collect();
    let ends = schedule.iter().filter(|fault| [Fault::CrashDatabase, Fault::Promote].contains(fault)).count();
    for (n, fault) in schedule.into_iter().enumerate() {
        let watch = Stopwatch::start();
        world.meet(fault, &told);
        told.until_more(|counts| counts.taken, 20);
        receiver.arrived.try_iter().for_each(drop);
        let longest = std::mem::take(&mut told.counts().longest_ms);
        say(&format!(
            "{n}: {fault:?}: {:.1} s, no event taken for {longest} ms at most",
            watch.elapsed().as_secs_f64()
        ));
    }

    let taken: Vec<usize> = publishers
        .into_iter()
        .map(|(end, publisher)| {
            drop(end);
            publisher.join().expect("it does not panic")
        })
        .collect();
    for (path, ..) in WEBHOOKS {
        for (publisher, count) in taken.iter().enumerate() {
            until("not all has come", || heard.lock().expect("no request was wrong").has(path, publisher, *count));
        }
    }
    let mixed = world.primary.ask("wheel", MIXED);
    let [skipped, runs, owners] =
        mixed[0].split(' ').map(|of| of.parse::<usize>().expect("a number")).collect::<Vec<_>>()[..]
    else {
        panic!("{mixed:?}")
    };
    assert_eq!((skipped, runs), (0, owners), "groups were mixed or left out");
    for (path, _, in_flight) in WEBHOOKS {
        let again = heard.lock().expect("no request was wrong").again(path);
        say(&format!("{path}: {again} came again, of {}", taken.iter().sum::<usize>()));
        // With each fault an owner may be lost, or a node that was making its requests.
        let most = (owners + faults) * in_flight + ends * UNSYNCED_MAX;
        assert!(again <= most, "{path}: {again} came again over {owners} owners, {faults} faults and {ends} ends");
    }
    let refused = told.counts().refused;
    say(&format!("{} events were taken, {refused} times was it to be asked again", taken.iter().sum::<usize>()));
}
