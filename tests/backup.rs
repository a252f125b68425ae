//! A backup of a server under load, restored and compared event by event: it holds what was kept as of one moment, without a hole,
//! and a server goes on with it.

#[path = "backup/encrypted.rs"]
mod encrypted;
#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use hookwheel::clock::Stopwatch;
use rustix::net;
use serde_json::{Value, json};
use support::{Server, Stage};

/// Threads that publish.
const PRODUCERS: usize = 3;
/// Events that are there before the load.
const BEFORE: usize = 300;

fn hookwheel(server: Option<&Server>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwheel"));
    if let Some(server) = server {
        command.env("HOOKWHEEL_URL", server.url("")).env("HOOKWHEEL_KEY", server.key);
    }
    command.args(arguments).output().expect("it can be started")
}

#[track_caller]
fn done(output: &Output) -> String {
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
    said(&output.stdout)
}

#[track_caller]
fn refused(output: &Output, with: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(with), "{said}");
}

fn plain(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// What a server says of the account `default`, by kind, in its order.
fn exported(server: &Server) -> BTreeMap<String, Vec<Value>> {
    let reply = server.client().get("/api/v1/accounts/default/export");
    let mut rows: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&reply.message.body).lines() {
        let row: Value = serde_json::from_str(line).expect("JSON");
        rows.entry(row["kind"].as_str().expect("a kind").to_owned()).or_default().push(row);
    }
    assert!(rows.contains_key("end"), "it was broken off");
    rows
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["id"].as_str().expect("an id")).collect()
}

/// Does something while events are published; says how many were.
fn under_load<T>(server: &Server, act: impl FnOnce() -> T) -> (T, usize) {
    let over = &AtomicBool::new(false);
    thread::scope(|scope| {
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|producer| {
                let (mut client, mut count) = (server.client(), 0);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        let id = format!("meanwhile-{producer}-{count}");
                        let event = json!({"type": "task.created", "id": id, "data": {"name": id}});
                        client.post("/api/v1/events", &event).data(202);
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        let acted = act();
        over.store(true, Ordering::Relaxed);
        (acted, producers.into_iter().map(|producer| producer.join().expect("it published")).sum())
    })
}

/// What was restored is what there was before its newest events.
#[track_caller]
fn as_of_one_moment(old: &BTreeMap<String, Vec<Value>>, new: &BTreeMap<String, Vec<Value>>) {
    assert_eq!(ids(&new["webhook"]), ids(&old["webhook"]));
    let (before, after) = (ids(&old["event"]), ids(&new["event"]));
    assert!(after.len() >= BEFORE && before.ends_with(&after), "the newest are missing, and none in between");
    let known: BTreeMap<_, _> = old["event"].iter().map(|event| (event["id"].as_str(), event)).collect();
    for event in &new["event"] {
        let same = known[&event["id"].as_str()];
        assert!(!event["data"].is_null());
        assert_eq!((&event["type"], &event["data"]), (&same["type"], &same["data"]));
    }
    // Each event has its deliveries, and what had been tried stays tried.
    assert_eq!(new["delivery"].len(), 2 * new["event"].len());
    let known: BTreeMap<_, _> = old["delivery"].iter().map(|row| (row["id"].as_str(), row)).collect();
    for delivery in &new["delivery"] {
        let same = known[&delivery["id"].as_str()];
        assert_eq!(delivery["event_id"], same["event_id"]);
    }
}

#[test]
fn what_is_restored_is_what_was_kept_as_of_one_moment() {
    let mut stage = Stage::start(&[]);
    // Nobody listens there: each delivery fails once, and is dead.
    stage.webhook("http://127.0.0.1:9/a", json!({}));
    stage.webhook("http://127.0.0.1:9/b", json!({}));
    (0..BEFORE).for_each(|number| stage.publish(&format!("before-{number}")));
    let file = stage.dir.path().join("whole.backup");
    let (taken, published) = under_load(&stage.server, || hookwheel(Some(&stage.server), &["backup", plain(&file)]));
    assert!(done(&taken).contains("whole"));
    assert!(published > 0);
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    let left: Vec<_> = fs::read_dir(Server::data(stage.dir.path())).expect("a folder").flatten().collect();
    assert!(!left.iter().any(|entry| entry.file_name().to_string_lossy().contains("spool")));
    refused(&hookwheel(Some(&stage.server), &["backup", plain(&file)]), "--force");

    let old = exported(&stage.server);
    let to = tempfile::tempdir().expect("a directory");
    let data = Server::data(to.path());
    done(&hookwheel(None, &["restore", plain(&file), "--to", plain(&data)]));
    refused(&hookwheel(None, &["restore", plain(&file), "--to", plain(&data)]), "not empty");
    refused_without_its_key(to.path());
    fs::copy(Server::data(stage.dir.path()).join("master.key"), data.join("master.key")).expect("copied");
    let restored = Server::start(to.path(), &[]);
    let new = exported(&restored);

    as_of_one_moment(&old, &new);
    let event = json!({"type": "task.created", "id": "afterwards", "data": {}});
    restored.client().post("/api/v1/events", &event).data(202);
    assert_eq!(exported(&restored)["event"].len(), new["event"].len() + 1);
    assert!(restored.terminate().success());
}

/// A store whose webhooks nobody can read is not opened as if it had none.
fn refused_without_its_key(dir: &Path) {
    let ended = Server::start_process(dir, &[]).end();
    assert!(!ended.status.success() && ended.output.contains("master key"), "{}", ended.output);
    let _ = fs::remove_file(Server::data(dir).join("master.key"));
}

#[test]
fn a_folder_keeps_so_many_and_a_file_that_is_not_whole_is_refused() {
    let mut stage = Stage::start(&[]);
    stage.publish("one");
    let folder = stage.dir.path().join("backups");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("notes"), "mine").expect("written");
    for _ in 0..4 {
        done(&hookwheel(Some(&stage.server), &["backup", "--to", plain(&folder), "--keep", "2"]));
    }
    let mut files: Vec<_> = fs::read_dir(&folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "backup"));
    assert_eq!(files.len(), 2);
    assert!(folder.join("notes").exists());

    assert!(done(&hookwheel(None, &["restore", plain(&files[0]), "--check"])).contains("whole"));
    let whole = fs::read(&files[0]).expect("read");
    fs::write(&files[0], &whole[..whole.len() / 2]).expect("written");
    refused(&hookwheel(None, &["restore", plain(&files[0]), "--check"]), "broken off");
    let data = stage.dir.path().join("restored");
    refused(&hookwheel(None, &["restore", plain(&files[0]), "--to", plain(&data)]), "broken off");
    assert_eq!(fs::read_dir(&data).expect("a folder").count(), 0, "nothing is left of it");
    let piped = hookwheel(Some(&stage.server), &["backup", "-"]);
    fs::write(&files[0], piped.stdout).expect("written");
    done(&hookwheel(None, &["restore", plain(&files[0]), "--to", plain(&data)]));
}

/// Text that cannot be packed much: more of it than sockets and pipes take.
fn publish_much(stage: &mut Stage) {
    let mut state = 1_u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'0' + u8::try_from(state >> 58).expect("six bits"))
    };
    for number in 0..80 {
        let text: String = (0..300_000).map(|_| letter()).collect();
        let event = json!({"type": "task.created", "id": format!("long-{number}"), "data": {"text": text}});
        stage.client.post("/api/v1/events", &event).data(202);
    }
}

/// A backup that has begun and goes on only as far as somebody reads it: its reader takes little ahead.
struct Begun {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Begun {
    fn of(server: &Server) -> Self {
        let socket = net::socket(net::AddressFamily::INET, net::SocketType::STREAM, None).expect("a socket");
        net::sockopt::set_socket_recv_buffer_size(&socket, 64 << 10).expect("it is set");
        net::connect(&socket, &server.address).expect("it listens");
        let mut stream = TcpStream::from(socket);
        let key = server.key;
        let head = format!("GET /api/v1/backup HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("it takes the head");
        let (mut bytes, mut some) = (Vec::new(), [0; 512]);
        while !bytes.windows(8).any(|at| at == b"hwbackup") {
            let count = stream.read(&mut some).expect("it answers");
            assert!(count > 0, "it ended: {}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&some[..count]);
        }
        Self { stream, bytes }
    }

    /// All that comes of it, once nobody sends any more.
    fn left(mut self) -> Vec<u8> {
        // However it ends.
        let _ = self.stream.read_to_end(&mut self.bytes);
        let body = self.bytes.windows(4).position(|at| at == b"\r\n\r\n").expect("a head") + 4;
        let (mut rest, mut file) = (&self.bytes[body..], Vec::new());
        while let Some(end) = rest.windows(2).position(|at| at == b"\r\n") {
            let size = std::str::from_utf8(&rest[..end]).expect("a size");
            let size = usize::from_str_radix(size, 16).expect("a size in hexadecimal digits");
            assert!(size > 0, "it has its end");
            let chunk = &rest[end + 2..];
            file.extend_from_slice(&chunk[..size.min(chunk.len())]);
            rest = chunk.get(size + 2..).unwrap_or_default();
        }
        file
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn one_is_taken_at_a_time_and_what_a_killed_server_left_is_no_backup() {
    let mut stage = Stage::start(&[]);
    publish_much(&mut stage);
    let file = stage.dir.path().join("other.backup");
    let first = Begun::of(&stage.server);
    refused(&hookwheel(Some(&stage.server), &["backup", plain(&file)]), "another backup is being taken");
    assert!(names(stage.dir.path()).iter().all(|name| !name.contains("other.backup")), "nothing is left of it");
    // Who took it is gone: others can have their turn, at once.
    drop(first);
    done(&hookwheel(Some(&stage.server), &["backup", plain(&file)]));

    let second = Begun::of(&stage.server);
    let Stage { server, dir, .. } = stage;
    refused(&offline(dir.path(), &file), "in use");
    server.kill();
    let broken = dir.path().join("broken.backup");
    fs::write(&broken, second.left()).expect("written");
    refused(&hookwheel(None, &["restore", plain(&broken), "--check"]), "broken off");
    let server = Server::start(dir.path(), &[]);
    assert!(names(&Server::data(dir.path())).iter().all(|name| !name.contains("spool")));
    done(&hookwheel(Some(&server), &["backup", plain(&file), "--force"]));
}

/// Takes a backup of a data directory.
fn offline(dir: &Path, file: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwheel"));
    command.current_dir(dir).env("HOOKWHEEL__STORE__PATH", Server::data(dir));
    command.args(["backup", "--offline", "--force", plain(file)]).output().expect("it can be started")
}

#[test]
fn a_store_that_no_server_has_is_backed_up_as_it_lies_there() {
    let mut stage = Stage::start(&[]);
    stage.webhook("http://127.0.0.1:9/a", json!({}));
    (0..20).for_each(|number| stage.publish(&format!("event-{number}")));
    let Stage { server, dir, .. } = stage;
    assert!(server.terminate().success());
    let file = dir.path().join("whole.backup");
    let said = done(&offline(dir.path(), &file));
    assert!(said.contains("whole") && !said.contains(" 0 records"), "{said}");
    let to = tempfile::tempdir().expect("a directory");
    done(&hookwheel(None, &["restore", plain(&file), "--to", plain(&Server::data(to.path()))]));
    fs::copy(Server::data(dir.path()).join("master.key"), Server::data(to.path()).join("master.key")).expect("copied");
    let [old, new] = [dir.path(), to.path()].map(|dir| exported(&Server::start(dir, &[])));
    for kind in ["webhook", "event", "delivery"] {
        assert_eq!(ids(&new[kind]), ids(&old[kind]), "{kind}");
    }
    assert_eq!(new["event"].len(), 20);
}

#[test]
fn a_restore_that_was_killed_is_no_empty_store_and_begins_anew() {
    let mut stage = Stage::start(&[]);
    stage.publish("one");
    let file = stage.dir.path().join("whole.backup");
    done(&hookwheel(Some(&stage.server), &["backup", plain(&file)]));
    let bytes = fs::read(&file).expect("read");
    let to = tempfile::tempdir().expect("a directory");
    let data = Server::data(to.path());
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwheel"));
    command.args(["restore", "-", "--to", plain(&data)]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut restoring = command.spawn().expect("it can be started");
    let mut half = restoring.stdin.take().expect("a pipe");
    half.write_all(&bytes[..bytes.len() / 2]).expect("it reads");
    let watch = Stopwatch::start();
    while !data.join("migrating").exists() {
        assert!(watch.elapsed() < support::DEADLINE, "it never begins");
        thread::yield_now();
    }
    restoring.kill().expect("it runs");
    restoring.wait().expect("it ends");

    let ended = Server::start_process(to.path(), &[]).end();
    assert!(!ended.status.success() && ended.output.contains("was broken off"), "{}", ended.output);
    assert!(!data.join("db").exists(), "no empty store was made in its place");
    assert!(!data.join("master.key").exists(), "nor a key that opens nothing");
    let again = hookwheel(None, &["restore", plain(&file), "--to", plain(&data)]);
    done(&again);
    assert!(String::from_utf8_lossy(&again.stderr).contains("begins anew"));
    let key = Server::data(stage.dir.path()).join("master.key");
    fs::copy(key, data.join("master.key")).expect("copied");
    let restored = Server::start(to.path(), &[]);
    let (old, new) = (exported(&stage.server), exported(&restored));
    assert_eq!(ids(&new["event"]), ids(&old["event"]));
    // What the old server makes from now on has another id than what the new one makes.
    let made = [&stage.server, &restored].map(|server| {
        let webhook = json!({"url": "http://127.0.0.1:9/a", "events": ["*"]});
        server.client().post("/api/v1/webhooks", &webhook).data(201)["id"].clone()
    });
    assert_ne!(made[0], made[1]);
}
