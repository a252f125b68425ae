//! The disk fills up, for real: the data directory lies on a small file system of the test's own. What stays true:
//! nothing is answered 202 that is not stored, what was answered 202 is delivered, the process stays up, and it goes
//! on by itself once there is space again. Mounting needs root; where it is not permitted, the tests say so and skip.

mod support;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use hookwheel::clock::Stopwatch;
use serde_json::{Value, json};
use support::{Answer, Client, DEADLINE, Receiver, Reply, Server};

/// The size of the file system.
const SIZE_BYTES: u64 = 96 << 20;
/// The reserve of the server that has one.
const RESERVE_BYTES: u64 = 24 << 20;

/// A small file system, and a file on it that takes its space.
struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts one; `None` where that is not permitted.
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={SIZE_BYTES}"), "tmpfs"]);
        let done = mount.arg(dir.path()).output().expect("mount can be started");
        if done.status.success() {
            return Some(Self { dir });
        }
        let why = String::from_utf8_lossy(&done.stderr).into_owned();
        let permitted = rustix::process::geteuid().is_root() && !why.contains("permission denied");
        assert!(!permitted, "no file system can be mounted: {why}");
        eprintln!("disk_full: skipped, a file system may not be mounted here: {}", why.trim());
        None
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn free_bytes(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.path()).unwrap();
        stat.f_bavail * stat.f_frsize
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Takes space until at most so many bytes are free.
    fn fill(&self, free_bytes_max: u64) {
        let mut filler = File::options().append(true).create(true).open(self.filler()).unwrap();
        let zeros = vec![0; 1 << 20];
        while self.free_bytes() > free_bytes_max {
            let piece = (self.free_bytes() - free_bytes_max).min(zeros.len() as u64) as usize;
            if let Err(error) = filler.write_all(&zeros[..piece]) {
                assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
                return;
            }
        }
    }

    /// Gives it back.
    fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("--lazy").arg(self.path()).status().expect("umount can be started");
        assert!(done.success() || std::thread::panicking(), "the file system cannot be unmounted");
    }
}

fn register(client: &mut Client, url: &str) -> String {
    let retry = json!({"delays": vec![1; 50], "jitter_percent": 0});
    let webhook = client.post("/api/v1/webhooks", &json!({"url": url, "events": ["*"], "retry": retry})).data(201);
    webhook["id"].as_str().unwrap().to_owned()
}

fn event(name: &str, data_bytes: usize) -> Value {
    json!({"type": "task.created", "id": name, "data": {"filling": "x".repeat(data_bytes)}})
}

/// Asks until the reply is as wanted.
#[track_caller]
fn ask_until(what: &str, mut ask: impl FnMut() -> Reply, wanted: impl Fn(&Reply) -> bool) -> Reply {
    let watch = Stopwatch::start();
    loop {
        let reply = ask();
        if wanted(&reply) {
            return reply;
        }
        assert!(watch.elapsed() < DEADLINE, "{what} does not come; at last {}: {}", reply.status, reply.json());
        std::thread::yield_now();
    }
}

/// Every delivery of the webhook ends.
#[track_caller]
fn all_end(client: &mut Client, webhook: &str) {
    let path = format!("/api/v1/webhooks/{webhook}");
    ask_until("the end of all deliveries", || client.get(&path), |reply| reply.json()["data"]["open"] == 0);
}

/// Every one of these events is kept, and its one delivery succeeded.
fn check_delivered(client: &mut Client, names: &[String]) {
    for name in names {
        let event = client.get(&format!("/api/v1/events/{name}")).data(200);
        let deliveries = event["deliveries"].as_array().unwrap();
        assert_eq!(deliveries.len(), 1, "{name}: {event}");
        assert_eq!(deliveries[0]["state"], "succeeded", "{name}: {event}");
    }
}

#[test]
fn below_the_reserve_nothing_is_accepted_and_deliveries_go_on() {
    let Some(disk) = SmallDisk::mount() else { return };
    let (entered, has_entered) = mpsc::channel();
    let (let_go, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let receiver = Receiver::start(move |_, _| {
        entered.send(()).unwrap();
        // Ends when the test lets go of its end.
        let _ = held.lock().unwrap().recv();
        Answer::Status(200)
    });
    let reserve = RESERVE_BYTES.to_string();
    let server = Server::start(disk.path(), &[("HOOKWHEEL__STORE__FREE_BYTES_MIN", &reserve)]);
    let mut client = server.client();
    let webhook = register(&mut client, &receiver.url("/"));
    let mut operator = server.client().acting_for("operator");
    register(&mut operator, &receiver.url("/told"));
    let mut accepted = vec!["first".to_owned()];
    client.post("/api/v1/events", &event("first", 1000)).data(202);
    has_entered.recv_timeout(DEADLINE).expect("the first attempt is under way");

    disk.fill(RESERVE_BYTES - (1 << 20));
    let refused = loop {
        let name = format!("e-{}", accepted.len());
        let reply = client.post("/api/v1/events", &event(&name, 1000));
        if reply.status != 202 {
            break reply;
        }
        // Noticed by the next commit: what came before it was stored.
        accepted.push(name);
        assert!(accepted.len() < 2_000, "the reserve is used up and nobody cares");
    };
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (503, &json!("no_space")));
    assert_eq!(refused.message.header("retry-after"), Some("10"));
    let ready = client.get("/health/ready");
    assert_eq!((ready.status, &ready.json()["error"]["code"]), (503, &json!("no_space")));
    assert_eq!(client.get("/health/live").status, 200);
    let told = ask_until(
        "the operator's notice",
        || operator.get("/api/v1/events?type=storage.low"),
        |reply| reply.json()["data"].as_array().is_some_and(|events| !events.is_empty()),
    );
    assert_eq!(told.json()["data"].as_array().map(Vec::len), Some(1), "told once");

    drop(let_go);
    all_end(&mut client, &webhook);
    check_delivered(&mut client, &accepted);
    assert_eq!(client.post("/api/v1/events", &event("still", 10)).status, 503);

    disk.free();
    assert_eq!(client.get("/health/ready").status, 200);
    client.post("/api/v1/events", &event("last", 1000)).data(202);
    all_end(&mut client, &webhook);
    check_delivered(&mut client, &["last".to_owned()]);
    assert!(server.terminate().success());
}

/// Posts events one after the other, of all sizes, until told to stop; gives the names of those that were accepted.
fn produce(server: &Server, prefix: String, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<Vec<String>> {
    let (mut client, stop) = (server.client(), stop.clone());
    std::thread::spawn(move || {
        let mut accepted = Vec::new();
        for n in 0.. {
            if stop.load(Ordering::SeqCst) {
                break;
            }
            let name = format!("{prefix}-{n}");
            let reply = client.post("/api/v1/events", &event(&name, [100, 3000, 100_000][n % 3]));
            match reply.status {
                202 => accepted.push(name),
                503 => assert!(reply.message.header("retry-after").is_some(), "{}", reply.json()),
                other => panic!("{other}: {}", reply.json()),
            }
        }
        accepted
    })
}

#[test]
fn a_full_disk_loses_nothing_and_the_store_comes_back() {
    let Some(disk) = SmallDisk::mount() else { return };
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let server = Server::start(disk.path(), &[("HOOKWHEEL__STORE__FREE_BYTES_MIN", "0")]);
    let mut client = server.client();
    let webhook = register(&mut client, &receiver.url("/"));
    let mut accepted = Vec::new();
    for round in 0..5 {
        let stop = Arc::new(AtomicBool::new(false));
        let producers: Vec<_> = (0..3).map(|n| produce(&server, format!("r{round}-{n}"), &stop)).collect();
        receiver.next();
        disk.fill(0);
        let ready = ask_until("503", || client.get("/health/ready"), |reply| reply.status == 503);
        assert_eq!(ready.json()["error"]["code"], "unavailable");
        assert_eq!(client.get("/health/live").status, 200);
        let refused = client.post("/api/v1/events", &event("refused", 10));
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (503, &json!("unavailable")));

        stop.store(true, Ordering::SeqCst);
        let before = accepted.len();
        accepted.extend(producers.into_iter().flat_map(|producer| producer.join().unwrap()));
        eprintln!("disk_full: round {round}: {} events accepted before the disk was full", accepted.len() - before);
        disk.free();
        ask_until("200", || client.get("/health/ready"), |reply| reply.status == 200);
        let name = format!("after-{round}");
        client.post("/api/v1/events", &event(&name, 1000)).data(202);
        accepted.push(name);
        all_end(&mut client, &webhook);
        check_delivered(&mut client, &accepted);
    }
    let shown = client.get(&format!("/api/v1/webhooks/{webhook}")).data(200);
    assert_eq!(shown["failed_attempts"], 0, "a store that is away costs no delivery an attempt");
    assert!(server.terminate().success());
}

#[test]
fn a_server_whose_disk_is_full_can_be_stopped() {
    let Some(disk) = SmallDisk::mount() else { return };
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let server = Server::start(disk.path(), &[("HOOKWHEEL__STORE__FREE_BYTES_MIN", "0")]);
    let mut client = server.client();
    let webhook = register(&mut client, &receiver.url("/"));
    let stop = Arc::new(AtomicBool::new(false));
    let producer = produce(&server, "e".to_owned(), &stop);
    receiver.next();
    disk.fill(0);
    ask_until("503", || client.get("/health/ready"), |reply| reply.status == 503);
    stop.store(true, Ordering::SeqCst);
    let accepted = producer.join().unwrap();
    assert!(server.terminate().success());

    disk.free();
    let server = Server::start(disk.path(), &[("HOOKWHEEL__STORE__FREE_BYTES_MIN", "0")]);
    let mut client = server.client();
    all_end(&mut client, &webhook);
    check_delivered(&mut client, &accepted);
    assert!(server.terminate().success());
}

#[test]
fn a_store_that_nothing_waits_for_comes_back_too() {
    let Some(disk) = SmallDisk::mount() else { return };
    let server = Server::start(disk.path(), &[("HOOKWHEEL__STORE__FREE_BYTES_MIN", "0")]);
    let mut client = server.client();
    let stop = Arc::new(AtomicBool::new(false));
    let producer = produce(&server, "e".to_owned(), &stop);
    disk.fill(0);
    ask_until("503", || client.get("/health/ready"), |reply| reply.status == 503);
    stop.store(true, Ordering::SeqCst);
    let accepted = producer.join().unwrap();
    disk.free();
    ask_until("200", || client.get("/health/ready"), |reply| reply.status == 200);
    for name in &accepted {
        client.get(&format!("/api/v1/events/{name}")).data(200);
    }
    assert!(server.terminate().success());
}
