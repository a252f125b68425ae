//! The doctor: each fault that is planted in a store is found, told with what to do, and mended where it follows from other rows;
//! nothing that is found in a store that is whole; and whatever bits flip in its files, it says so and never panics.

mod filled;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use filled::{Bench, Filled, START, change, copy, event, fill, remove, rows, sled_at, unknown_version};
use hookwheel::clock::Dice;
use hookwheel::domain::finding::{Finding, Severity};
use hookwheel::domain::id::{DeliveryId, EventId};
use hookwheel::store::{self, Examined, OpenError, Settings, Store};
use serde_json::{Value, json};
use support::{Answer, Receiver, Running, Server};

/// Some minutes after the last thing happened in a filled store.
const NOW: u64 = START + 61_000_000;

fn examine(data: &Path) -> Examined {
    examine_at(data, NOW)
}

fn examine_at(data: &Path, now: u64) -> Examined {
    loop {
        match store::examine(&Settings::at(data), now) {
            // sled's own threads let go of the file a moment after its last handle is gone.
            Err(OpenError::InUse(_)) => std::thread::yield_now(),
            examined => break examined.expect("it can be looked at"),
        }
    }
}

fn repair(data: &Path) -> store::Repaired {
    loop {
        match store::repair(&Settings::at(data), None) {
            Err(OpenError::InUse(_)) => std::thread::yield_now(),
            repaired => break repaired.expect("it can be mended"),
        }
    }
}

/// A value with a checksum that fits.
fn with_sum(tree: &str, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut sum = crc32fast::Hasher::new();
    [tree.as_bytes(), &[0], key, value].iter().for_each(|part| sum.update(part));
    [value, &sum.finalize().to_be_bytes()].concat()
}

fn put(data: &Path, tree: &str, key: &[u8], stored: &[u8]) {
    let db = sled_at(data);
    db.open_tree(tree).expect("a tree").insert(key, stored).expect("written");
    db.flush().expect("flushed");
}

/// All keys of a tree.
fn keys(data: &Path, tree: &str) -> Vec<Vec<u8>> {
    let db = sled_at(data);
    db.open_tree(tree).expect("a tree").iter().keys().map(|key| key.expect("a key").to_vec()).collect()
}

/// The stored value, without its checksum.
fn value(data: &Path, tree: &str, key: &[u8]) -> Vec<u8> {
    let db = sled_at(data);
    let stored = db.open_tree(tree).expect("a tree").get(key).expect("read").expect("a row").to_vec();
    stored[..stored.len() - 4].to_vec()
}

fn first(data: &Path, tree: &str) -> Vec<u8> {
    keys(data, tree).into_iter().next().expect("it has rows")
}

/// A fault: its name, how it is planted, which check finds it, a part of what that says, and whether a repair mends it.
type Fault = (&'static str, fn(&Path, &Filled), &'static str, &'static str, bool);

/// Another delivery than any.
const NOBODY: DeliveryId = DeliveryId(5 << 80 | 1);

const FAULTS: &[Fault] = &[
    ("a name is lost", |data, _| remove(data, "names", &first(data, "names")), "indexes", "(names)", true),
    (
        "a name leads nowhere",
        |data, _| {
            let key = [&1u32.to_be_bytes()[..], b"nobody"].concat();
            put(data, "names", &key, &with_sum("names", &key, &EventId(5 << 80).to_bytes()));
        },
        "indexes",
        "leads to an event that is not there (names)",
        true,
    ),
    (
        "what is due is lost",
        |data, _| remove(data, "due", &first(data, "due")),
        "indexes",
        "among what is due (waiting)",
        true,
    ),
    (
        "what is due is nothing",
        |data, filled| {
            let key = [&filled.plain.number().to_be_bytes()[..], &7u64.to_be_bytes(), &NOBODY.to_bytes()].concat();
            put(data, "due", &key, &[]);
        },
        "indexes",
        "no delivery that waits (due)",
        true,
    ),
    (
        "what is due has another time",
        |data, _| {
            let mut key = first(data, "due");
            key[11] ^= 1;
            put(data, "due", &key, &[]);
        },
        "indexes",
        "no delivery that waits (due)",
        true,
    ),
    (
        "a delivery is in two places",
        |data, filled| {
            let plain = filled.plain.number().to_be_bytes();
            let key = keys(data, "fresh").into_iter().find(|key| key.starts_with(&plain)).expect("one is open");
            let value = value(data, "fresh", &key);
            put(data, "blocked", &key, &with_sum("blocked", &key, &value));
        },
        "indexes",
        "in two places, or open and ended (blocked)",
        true,
    ),
    (
        "an event is lost",
        |data, filled| {
            let plain = filled.plain.number().to_be_bytes();
            let open = keys(data, "fresh").into_iter().rfind(|key| key.starts_with(&plain)).expect("one is open");
            let id = DeliveryId::from_bytes(open[4..].try_into().expect("an id")).event_at_accept();
            remove(data, "events", &[&1u32.to_be_bytes()[..], &id.to_bytes()].concat());
        },
        "events",
        "the event of an open delivery is not there (fresh)",
        false,
    ),
    (
        "a place in an order is lost",
        |data, _| {
            let blocked = first(data, "blocked");
            let ordered =
                keys(data, "ordered").into_iter().find(|key| key.ends_with(&blocked[4..])).expect("its place");
            remove(data, "ordered", &ordered);
        },
        "indexes",
        "has no place in the order",
        true,
    ),
    (
        "a place in an order is nobody's",
        |data, filled| {
            let key = [&filled.ordered.number().to_be_bytes()[..], &7u64.to_be_bytes(), &NOBODY.to_bytes()].concat();
            put(data, "ordered", &key, &[]);
        },
        "indexes",
        "belongs to no delivery",
        true,
    ),
    (
        "a dead letter is none",
        |data, _| put(data, "dead", &[&1u32.to_be_bytes()[..], &NOBODY.to_bytes()].concat(), &[]),
        "indexes",
        "a dead letter is no dead delivery",
        true,
    ),
    (
        "an attempt is nobody's",
        |data, _| {
            let (there, key) = (first(data, "attempts"), [&NOBODY.to_bytes()[..], &[0, 2]].concat());
            let value = value(data, "attempts", &there);
            put(data, "attempts", &key, &with_sum("attempts", &key, &value));
        },
        "indexes",
        "an attempt belongs to no delivery",
        true,
    ),
    (
        "a replay is lost",
        |data, _| remove(data, "replays", &first(data, "replays")),
        "indexes",
        "does not know a replay",
        true,
    ),
    (
        "a replay leads nowhere",
        |data, _| put(data, "replays", &[&EventId(5 << 80).to_bytes()[..], &NOBODY.to_bytes()].concat(), &[]),
        "indexes",
        "knows a replay that is not there",
        true,
    ),
    (
        "the counters of a webhook are lost",
        |data, filled| remove(data, "tallies", &filled.plain.number().to_be_bytes()),
        "counters",
        "the counters of a webhook",
        true,
    ),
    (
        "the counters of an account are lost",
        |data, _| remove(data, "account_tallies", &1u32.to_be_bytes()),
        "counters",
        "the bytes of an account's events",
        true,
    ),
    (
        "the greatest number is too small",
        |data, _| put(data, "meta", b"last_webhook", &with_sum("meta", b"last_webhook", &1u32.to_be_bytes())),
        "numbers",
        "a greater id or number",
        true,
    ),
    (
        "a key is none",
        |data, _| put(data, "fresh", &[1, 2, 3], &[1; 9]),
        "rows",
        "a key that is none of its kind (fresh)",
        true,
    ),
    (
        "an account is lost",
        |data, _| remove(data, "accounts", &1u32.to_be_bytes()),
        "owners",
        "belongs to an account",
        false,
    ),
    (
        "a row of statistics is lost",
        |data, _| remove(data, "stats", &first(data, "stats")),
        "sum",
        "rows that were written",
        true,
    ),
    (
        "the log is lost",
        |data, _| fs::remove_file(data.join("db")).expect("removed"),
        "store",
        "is missing or empty",
        false,
    ),
    (
        "the master key is lost",
        |data, _| fs::remove_file(data.join("master.key")).expect("removed"),
        "master_key",
        "master.key is missing",
        false,
    ),
];

fn names(findings: &[Finding], check: &str, part: &str) -> bool {
    findings.iter().any(|finding| {
        assert!(!finding.remedy.is_empty() && !finding.what.is_empty(), "{finding:?}");
        finding.counts() && finding.check == check && finding.what.contains(part)
    })
}

#[test]
fn each_planted_fault_is_found_and_mended_where_it_can_be() {
    let dir = tempfile::tempdir().expect("a folder");
    let origin = dir.path().join("origin");
    let filled = fill(&origin);
    let whole = examine(&origin);
    assert_eq!(whole.findings, [], "nothing is wrong with a store that is whole");
    assert!(whole.rows > 50, "{}", whole.rows);
    assert!(FAULTS.len() >= 15);
    for (name, plant, check, part, is_mended) in FAULTS {
        let data = dir.path().join(name);
        copy(&origin, &data);
        plant(&data, &filled);
        let found = examine(&data);
        assert!(names(&found.findings, check, part), "{name}: {:?}", found.findings);
        if *is_mended {
            repair(&data);
            let left = examine(&data).findings;
            let left: Vec<_> = left.iter().filter(|finding| finding.check != "quarantine").collect();
            assert!(left.is_empty(), "{name}: {left:?}");
            let mut bench = Bench::open(&data);
            assert_eq!(bench.scrubbed().differences, [""; 0], "{name}");
        }
        fs::remove_dir_all(&data).expect("removed");
    }
}

#[test]
fn a_flipped_bit_in_any_tree_is_found() {
    let dir = tempfile::tempdir().expect("a folder");
    let origin = dir.path().join("origin");
    fill(&origin);
    let (mut flipped, data) = (0, dir.path().join("data"));
    for (tree, keys) in rows(&origin) {
        // One is sled's own, and one says nothing.
        let Some(key) = keys.first().filter(|_| !["reclaim", "__sled__default"].contains(&tree.as_str())) else {
            continue;
        };
        for unknown in [false, true] {
            copy(&origin, &data);
            change(&data, &tree, key, |mut value| {
                *value.last_mut().expect("a value") ^= 1;
                if unknown && tree != "chunks" { unknown_version(&tree, key, value.len() - 4) } else { value }
            });
            let found = examine(&data).findings;
            let is_told = names(&found, "rows", &format!("a row cannot be read ({tree})"));
            // Nines are a number, an id and a delivery too.
            let fits = unknown && ["meta", "names", "ordered"].contains(&tree.as_str());
            assert!(is_told || fits, "{tree}: {found:?}");
            assert!(names(&found, "sum", "rows that were written"), "{tree}: {found:?}");
            fs::remove_dir_all(&data).expect("removed");
        }
        flipped += 1;
    }
    assert!(flipped >= 15, "{flipped} trees");
    for tree in ["due", "replays", "dead"] {
        copy(&origin, &data);
        let key = keys(&data, tree).into_iter().next().unwrap_or([0; 20].to_vec());
        put(&data, tree, &key, &[1]);
        assert!(names(&examine(&data).findings, "rows", &format!("({tree})")), "{tree}");
        fs::remove_dir_all(&data).expect("removed");
    }
}

#[test]
fn whatever_bits_flip_in_the_files_it_ends_with_words() {
    let dir = tempfile::tempdir().expect("a folder");
    let origin = dir.path().join("origin");
    fill(&origin);
    let (mut dice, mut found) = (Dice::seeded(7), 0);
    for round in 0..40 {
        let of_round = dir.path().join(format!("round-{round}"));
        let data = Server::data(&of_round);
        copy(&origin, &data);
        let file = if round % 4 == 0 { snapshot(&data).unwrap_or(data.join("db")) } else { data.join("db") };
        let mut bytes = fs::read(&file).expect("a file");
        // Where something is written: most of a segment is empty.
        let written: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        for _ in 0..=round % 3 {
            let at = written[dice.bits() as usize % written.len()];
            bytes[at] ^= 1 << (dice.bits() % 8);
        }
        fs::write(&file, bytes).expect("written");
        // A process of its own: a panic anywhere in it shows.
        let (code, output) = run(&of_round, &["doctor", "--offline", "--json"]);
        assert!(matches!(code, Some(0..=2)), "{round}: {code:?}: {output}");
        assert!(!output.contains("panicked"), "{round}: {output}");
        let of_store = ["store", "pages", "rows", "indexes", "sum", "counters"];
        found += usize::from(of_store.iter().any(|check| output.contains(&format!("\"check\": \"{check}\""))));
        let _ = fs::remove_dir_all(&of_round);
    }
    assert!(found > 0, "some of them hit what counts");
}

fn snapshot(data: &Path) -> Option<std::path::PathBuf> {
    let mut files = fs::read_dir(data).expect("a folder").map(|entry| entry.expect("one").path());
    files.find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snap.")))
}

#[test]
fn a_clock_before_the_last_id_is_found_and_what_was_put_aside_is_told() {
    let dir = tempfile::tempdir().expect("a folder");
    fill(dir.path());
    assert!(names(&examine_at(dir.path(), START).findings, "clock", "the last id was given at"));
    let key = [b"closed\0".as_slice(), &[7; 20]].concat();
    put(dir.path(), "quarantine", &key, &with_sum("quarantine", &key, &[1; 9]));
    let found = examine(dir.path()).findings;
    assert!(names(&found, "quarantine", "were put aside"), "{found:?}");
    repair(dir.path());
    assert!(names(&examine(dir.path()).findings, "quarantine", "were put aside"), "nobody can mend that");
}

/// Runs a subcommand over the data directory of a server; its exit code and output.
fn run(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let ended = Server::run(dir, arguments, &[]).end();
    (ended.status.code(), ended.output)
}

/// The JSON in what it printed: the lines of both outputs are there.
fn json_of(output: &str) -> Value {
    let lines: Vec<_> = output.lines().filter(|line| !line.starts_with("hookwheel: ")).collect();
    serde_json::from_str(&lines.join("\n")).unwrap_or_else(|error| panic!("{error}: {output}"))
}

#[test]
fn the_command_looks_mends_and_ends_with_what_scripts_go_by() {
    let dir = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let server = Server::start(dir.path(), &[]);
    let mut client = server.client();
    client.post("/api/v1/webhooks", &json!({"url": receiver.url("/hook"), "events": ["*"]})).data(201);
    client.post("/api/v1/events", &json!({"type": "a.a", "data": 1, "id": "e1"})).data(202);
    receiver.next();
    let url = server.url("");
    let (code, output) = run(dir.path(), &["doctor", "--offline", "--url", &url]);
    assert!(code == Some(0) && output.contains("the server at"), "{code:?}: {output}");
    // Without a word it is the one that the configuration starts, whoever has logged in where.
    let profiles = dir.path().join("hookwheel/profiles.toml");
    fs::create_dir(dir.path().join("hookwheel")).expect("made");
    fs::write(&profiles, "current = 'far'\n[profiles.far]\nurl = 'http://127.0.0.1:9'\nkey = 'hw_x'\n")
        .expect("written");
    fs::set_permissions(&profiles, fs::Permissions::from_mode(0o600)).expect("set");
    let address = server.address.to_string();
    let ended = Server::run(dir.path(), &["doctor", "--offline"], &[("HOOKWHEEL__SERVER__LISTEN", &address)]).end();
    assert!(ended.status.success() && ended.output.contains(&url), "{}", ended.output);
    // Where it is not reached, what is wrong around it is told all the same.
    let env = [("HOOKWHEEL__DELIVER__HTTP_ALLOWED", "true")];
    let ended = Server::run(dir.path(), &["doctor", "--offline", "--url", "http://127.0.0.1:9"], &env).end();
    assert_eq!(ended.status.code(), Some(2), "{}", ended.output);
    assert!(
        ended.output.contains("cannot be reached") && !ended.output.contains("nothing is wrong"),
        "{}",
        ended.output
    );
    assert!(ended.output.contains("deliver.http_allowed is looser than its default"), "{}", ended.output);
    let (code, output) = run(dir.path(), &["doctor", "--repair"]);
    assert!(code == Some(2) && output.contains("in use by another process"), "{code:?}: {output}");
    assert!(server.terminate().success());
    // Nor need a profile be fit that nobody asks for.
    fs::set_permissions(&profiles, fs::Permissions::from_mode(0o644)).expect("set");
    let (code, output) = run(dir.path(), &["doctor", "--offline"]);
    assert!(code == Some(0) && output.contains("nothing is wrong: looked at "), "{code:?}: {output}");

    let data = Server::data(dir.path());
    remove(&data, "names", &first(&data, "names"));
    let (code, output) = run(dir.path(), &["doctor", "--offline", "--json"]);
    let told = json_of(&output);
    let lost =
        told["findings"].as_array().expect("a list").iter().find(|one| one["check"] == "indexes").expect("it is told");
    assert_eq!((code, &lost["severity"], &lost["count"]), (Some(1), &json!("error"), &json!(1)), "{told}");
    assert!(!data.join("copies").exists(), "it has changed nothing");

    let (code, output) = run(dir.path(), &["doctor", "--offline", "--repair"]);
    assert!(code == Some(0) && output.contains("a copy from before is in"), "{code:?}: {output}");
    let copies: Vec<_> =
        fs::read_dir(data.join("copies")).expect("a folder").map(|one| one.expect("one").path()).collect();
    assert!(copies.len() == 1 && copies[0].join("db").exists() && !copies[0].join("master.key").exists());
    let (code, output) = run(dir.path(), &["doctor", "--offline", "--repair"]);
    assert!(code == Some(0) && output.contains("nothing was mended"), "{code:?}: {output}");
    assert_eq!(fs::read_dir(data.join("copies")).expect("a folder").count(), 1, "no further copy is kept");
    let server = Server::start(dir.path(), &[]);
    assert_eq!(server.client().get("/api/v1/events/e1").data(200)["id"], "e1", "it is found by its name again");
    assert!(server.terminate().success());

    let (code, output) = run(dir.path(), &["doctor", "--no-copy"]);
    assert_eq!(code, Some(2), "{output}");
    let file = dir.path().join("file");
    fs::write(&file, "").expect("written");
    let env = [("HOOKWHEEL__STORE__PATH", file.to_str().expect("a plain path"))];
    let ended = Running::start(dir.path(), &["doctor", "--offline"], &env).end();
    assert!(ended.status.code() != Some(0), "{}", ended.output);
}

/// A folder where there is some room and a floor below it can be said; in memory, if that can be, where others write little.
fn roomy() -> Option<tempfile::TempDir> {
    let places = [Path::new("/dev/shm").to_path_buf(), std::env::temp_dir()];
    let has_room = |place: &&std::path::PathBuf| {
        rustix::fs::statvfs(place.as_path())
            .is_ok_and(|stat| (1 << 30..1 << 40).contains(&(stat.f_bavail * stat.f_frsize)))
    };
    let place = places.iter().find(has_room);
    if place.is_none() {
        eprintln!("doctor: skipped, there is no disk with 1 GiB to 1 TiB of room");
    }
    place.map(|place| tempfile::tempdir_in(place).expect("a folder"))
}

#[test]
fn how_long_there_is_space_is_told_with_its_reckoning_unless_retention_ends_the_growth() {
    const DAY_MS: u64 = 24 * 3_600_000;
    let Some(dir) = roomy() else { return };
    let data = Server::data(dir.path());
    let mut bench = Bench::open(&data);
    bench.now(|staging| staging.create_account(Store::default_account("standard"))).expect("an account");
    bench.publish(event("a.a", "1"));
    bench.clock.turn_to(bench.clock.now() + DAY_MS + 3_600_000);
    bench.publish(event("a.a", "2"));
    bench.close();
    let grown = examine_at(&data, NOW + 2 * DAY_MS).grown.expect("all rows are met");
    assert!(grown.files_bytes > 1 << 20 && grown.kept_bytes > 0, "{grown:?}");
    assert!((DAY_MS..2 * DAY_MS).contains(&grown.over_ms), "{grown:?}");

    let told = |days_of_room: u64, event_days: &str| {
        let stat = rustix::fs::statvfs(&data).expect("it is there");
        let least = stat.f_bavail * stat.f_frsize - days_of_room * grown.files_bytes;
        let env = [
            ("HOOKWHEEL__STORE__FREE_BYTES_MIN", &*least.to_string()),
            ("HOOKWHEEL__RETENTION__EVENT_DAYS", event_days),
        ];
        let ended = Server::run(dir.path(), &["doctor", "--offline", "--json"], &env).end();
        let found: Vec<Finding> = serde_json::from_value(json_of(&ended.output)["findings"].take()).expect("findings");
        found
            .into_iter()
            .filter(|one| one.check == "space" && one.what.starts_with("no event is taken any more in "))
            .collect::<Vec<_>>()
    };
    let few = told(7, "0");
    assert!(few.len() == 1 && few[0].severity == Severity::Warning, "{few:?}");
    assert!(few[0].what.contains("for the events of a day") && few[0].places.len() == 1, "{few:?}");
    assert!(few[0].remedy.contains("[retention]"), "{few:?}");
    assert_eq!(told(40, "90")[0].severity, Severity::Note);
    assert_eq!(told(40, "1"), [], "the first events go before it is full");
}

#[test]
fn a_lost_master_key_makes_no_new_one_and_the_old_one_put_back_opens_all() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path(), &[]);
    let made =
        server.client().post("/api/v1/webhooks", &json!({"url": "http://127.0.0.1:9/x", "events": ["*"]})).data(201);
    assert!(server.terminate().success());
    let (key, elsewhere) = (Server::data(dir.path()).join("master.key"), dir.path().join("a-copy"));
    fs::rename(&key, &elsewhere).expect("moved");
    let ended = Server::start_process(dir.path(), &[]).end();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.output);
    assert!(
        ended.output.contains("master.key is missing") && ended.output.contains("Put the copy of it back"),
        "{}",
        ended.output
    );
    assert!(!key.exists(), "no other one is made");
    let (code, output) = run(dir.path(), &["doctor", "--offline", "--json"]);
    let found: Vec<Finding> = serde_json::from_value(json_of(&output)["findings"].take()).expect("findings");
    assert_eq!(code, Some(1), "{output}");
    let about_keys: Vec<_> = found.iter().filter(|one| one.check == "master_key").collect();
    assert!(about_keys.len() == 2 && about_keys.iter().all(|one| one.severity == Severity::Error), "{about_keys:?}");
    fs::rename(&elsewhere, &key).expect("put back");
    let server = Server::start(dir.path(), &[]);
    let id = made["id"].as_str().expect("an id");
    server.client().get(&format!("/api/v1/webhooks/{id}")).data(200);
}

#[test]
fn what_can_still_be_read_is_got_out_and_what_cannot_is_counted() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = Server::data(dir.path());
    fill(&data);
    let export = |arguments: &[&str]| {
        let path = data.to_str().expect("a plain path");
        let (code, output) = run(dir.path(), &[&["store", "export", "--from-damaged", path], arguments].concat());
        let lines: Vec<Value> = output.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).cloned().collect::<Vec<_>>();
        (code, of("account"), of("webhook"), of("event"), output)
    };
    let (code, accounts, webhooks, events, output) = export(&[]);
    assert_eq!(code, Some(0), "{output}");
    assert!(accounts.iter().any(|one| one["id"] == "other"), "{output}");
    assert!(
        webhooks.len() == 2 && webhooks.iter().all(|one| one.get("secrets").is_none() && one["account"] == "default")
    );
    assert!(
        events.iter().any(|one| one["id"] == "name-5" && one["data"].as_str().is_some_and(|data| data.len() == 70_000))
    );
    let (_, _, with_secrets, ..) = export(&["--secrets"]);
    assert!(with_secrets.iter().all(|one| one["secrets"].is_array()));

    change(&data, "events", &first(&data, "events"), |value| value.iter().map(|byte| !byte).collect());
    fs::remove_file(data.join("master.key")).expect("removed");
    let (code, _, webhooks, left, output) = export(&[]);
    assert_eq!((code, webhooks.len(), left.len()), (Some(1), 0, events.len() - 1), "{output}");
    assert!(output.contains("not read: ") && output.contains("could not be read and are left out"), "{output}");
    assert!(!data.join("master.key").exists());
}

#[test]
fn who_else_can_read_the_keys_is_told_and_a_look_changes_nothing_about_it() {
    let dir = tempfile::tempdir().expect("a folder");
    assert!(Server::start(dir.path(), &[]).terminate().success());
    let key = Server::data(dir.path()).join("master.key");
    let mode = || fs::metadata(&key).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((run(dir.path(), &["doctor", "--offline"]).0, mode()), (Some(0), 0o600));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("set");
    let (code, output) = run(dir.path(), &["doctor", "--offline"]);
    assert!(code == Some(1) && output.contains("can read the master keys"), "{code:?}: {output}");
    assert_eq!((run(dir.path(), &["serve", "--check"]).0, mode()), (Some(0), 0o644), "neither look mends it");
}

#[test]
fn where_no_store_ever_was_nobody_is_told_that_one_is_lost() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = Server::data(dir.path());
    let path = data.to_str().expect("a plain path");
    for command in [
        &["store", "export", "--from-damaged", path][..],
        &["store", "accept-loss", "--yes"],
        &["doctor", "--offline", "--repair"],
    ] {
        let (code, output) = run(dir.path(), command);
        assert!(matches!(code, Some(1 | 2)), "{command:?}: {output}");
        assert!(output.contains(&format!("there is no store in {path}: name the data directory")), "{output}");
        assert!(!data.exists(), "{command:?} makes nothing");
    }
}

#[test]
fn what_was_got_out_is_imported_as_it_was_and_sends_no_more_than_it_did() {
    let (old, new) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let server = Server::start(old.path(), &[]);
    let mut client = server.client();
    let made = client.post(
        "/api/v1/webhooks",
        &json!({
            "url": "http://127.0.0.1:9/x", "events": ["a.*"], "filter": "@.data.n > 1", "max_in_flight": 3,
            "headers": {"X-Team": "blue", "X-Api-Key": "a-key-of-theirs"},
        }),
    );
    let made = made.data(201);
    let (id, secret) = (made["id"].as_str().expect("an id"), made["secret"].as_str().expect("a secret"));
    client.post(&format!("/api/v1/webhooks/{id}/pause"), &json!({})).data(200);
    client.post("/api/v1/event-types", &json!({"type": "a.a", "description": "it happened"})).data(201);
    let body = "{\"type\": \"a.a\", \"id\": \"e1\", \"data\": {\n  \"n\": 1.0\r\n}}";
    assert_eq!(client.request("POST", "/api/v1/events", body.as_bytes()).status, 202);
    assert!(server.terminate().success());

    let data = Server::data(old.path());
    let export = |arguments: &[&str]| {
        let path = data.to_str().expect("a plain path");
        let (code, output) = run(old.path(), &[&["store", "export", "--from-damaged", path], arguments].concat());
        assert_eq!(code, Some(0), "{output}");
        output
    };
    let bare = export(&[]);
    assert!(!bare.contains(secret) && !bare.contains("a-key-of-theirs") && bare.contains("blue"), "{bare}");
    let lines: Vec<String> =
        export(&["--secrets"]).lines().filter(|line| !line.ends_with("were read")).map(str::to_owned).collect();
    let read = |line: &String| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let event = lines.iter().find(|line| read(line)["kind"] == "event").expect("an event");
    assert!(event.contains(r#""account":"default""#) && event.contains(r#""n": 1.0"#), "as it was published: {event}");

    let file = new.path().join("moved.ndjson");
    fs::write(&file, lines.join("\n")).expect("written");
    let server = Server::start(new.path(), &[]);
    let env = [("HOOKWHEEL_URL", &*server.url("")), ("HOOKWHEEL_KEY", server.key)];
    let imported = Running::start(new.path(), &["import", file.to_str().expect("a plain path")], &env).end();
    assert_eq!(imported.status.code(), Some(0), "{}", imported.output);
    let mut client = server.client();
    let there = client.get(&format!("/api/v1/webhooks/was-{id}")).data(200);
    for (name, value) in [
        ("status", json!("paused")),
        ("filter", json!("@.data.n > 1")),
        ("events", json!(["a.*"])),
        ("max_in_flight", json!(3)),
        ("headers", json!({"X-Team": "blue", "X-Api-Key": "a-key-of-theirs"})),
    ] {
        assert_eq!(there[name], value, "{name} of {there}");
    }
    assert_eq!(client.get(&format!("/api/v1/webhooks/was-{id}/secret")).data(200)["secret"], secret);
    assert_eq!(client.get("/api/v1/event-types/a.a").data(200)["description"], "it happened");
}
