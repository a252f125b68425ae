//! Data directories of earlier formats: each opens, with all that was in it, whatever moment a crash comes at; and what
//! attempts say of their requests stands in no file of it any more.

mod filled;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use filled::once_free;
use hookwheel::clock::Clock;
use hookwheel::domain::id::{DeliveryId, EventId};
use hookwheel::domain::job::{Bulk, JobKind, Source};
use hookwheel::domain::time;
use hookwheel::domain::walk::Walk;
use hookwheel::store::{Committer, MasterKeySource, NewEvent, OpenError, Settings, Store};
use serde_json::{Value, json};

/// Stands in URLs and custom headers of the fixture.
const MARKER: &[u8] = b"a-path-that-only-the-owner-knows";
/// Some minutes after the directory of format 4 was made.
const THEN: u64 = 1_795_645_900_000;
/// And after those of formats 5 to 12 were.
const LATER: [(u32, u64); 8] = [
    (5, 1_795_681_500_000),
    (6, 1_795_701_000_000),
    (7, 1_795_737_300_000),
    (8, 1_795_748_280_000),
    (9, 1_795_761_600_000),
    (10, 1_795_790_421_000),
    (11, 1_795_813_200_000),
    (12, 1_795_868_400_000),
];
/// The number of the account that exists from the start.
const DEFAULT: u32 = 1;

fn fixture(format: u32, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/format-{format}")).join(name)
}

/// A copy of the data directory of format 4 as it was left.
fn unpacked() -> (tempfile::TempDir, PathBuf) {
    unpacked_of(4)
}

fn unpacked_of(format: u32) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let ran = Command::new("tar").arg("-xJf").arg(fixture(format, "data.tar.xz")).arg("-C").arg(dir.path()).status();
    assert!(ran.expect("tar runs").success());
    let data = dir.path().join("data");
    (dir, data)
}

fn found() -> Value {
    found_in(4)
}

fn found_in(format: u32) -> Value {
    serde_json::from_slice(&fs::read(fixture(format, "found.json")).expect("the list")).expect("JSON")
}

fn try_open(data: &Path) -> Result<(Store, Committer), OpenError> {
    try_open_at(data, THEN)
}

fn try_open_at(data: &Path, now: u64) -> Result<(Store, Committer), OpenError> {
    once_free(&Settings::at(data), &Clock::standing_at(now))
}

fn open(data: &Path) -> (Store, Committer) {
    let (store, mut committer) = try_open(data).expect("it opens");
    while committer.step() {}
    (store, committer)
}

fn texts(value: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(value.clone()).expect("an object of texts")
}

fn id(value: &Value) -> uuid::Uuid {
    value["id"].as_str().and_then(|text| text.parse().ok()).expect("an id")
}

/// Asserts that what the list names is there.
fn assert_all_found(store: &Store) {
    assert_found(store, &found());
}

fn assert_found(store: &Store, found: &Value) {
    for webhook in found["webhooks"].as_array().expect("webhooks") {
        let of = hookwheel::domain::id::WebhookId(id(webhook).as_u128());
        let stored = store.registry().webhook_of(DEFAULT, of).expect("a webhook");
        assert_eq!(stored.url.as_str(), webhook["url"]);
        assert_eq!(stored.headers.iter().cloned().collect::<BTreeMap<_, _>>(), texts(&webhook["headers"]));
        if let Some(words) = webhook.get("tags") {
            assert_eq!((json!(stored.uid), json!(stored.tags)), (webhook["uid"].clone(), words.clone()));
            assert_eq!(
                (json!(stored.metadata), json!(stored.channels)),
                (webhook["metadata"].clone(), webhook["channels"].clone())
            );
        }
        let secrets = stored.secrets.iter().map(|one| one.secret.reveal()).collect::<Vec<_>>();
        let shown = &found["secrets"][webhook["name"].as_str().expect("a name")];
        assert_eq!(shown["secret"].as_str(), secrets.first().copied());
        let previous = shown["previous"].as_array().map_or(0, Vec::len);
        assert_eq!(secrets.len(), 1 + previous);
    }
    for event in found["events"].as_array().expect("events") {
        let named = event["id"].as_str().expect("an id");
        let stored = match named.parse::<uuid::Uuid>() {
            Ok(id) => store.event(DEFAULT, EventId(id.as_u128())),
            Err(_) => store.event_named(DEFAULT, named),
        };
        let stored = stored.expect("it can be read").expect("an event");
        let data: Value = serde_json::from_slice(&stored.data).expect("JSON");
        assert_eq!(
            (data, stored.event_type.as_str()),
            (event["data"].clone(), event["type"].as_str().expect("a type"))
        );
    }
    for delivery in
        found["deliveries"].as_object().expect("deliveries").values().flat_map(|all| all.as_array()).flatten()
    {
        assert_delivery(store, delivery);
    }
    let source = Source::DeadLetters { webhook: None };
    let all = Bulk { account: DEFAULT, kind: JobKind::Discard, source, event_type: None, from: None, to: None };
    let letters = store.dead_letters(&all, Walk::newest(100)).expect("a list").rows;
    let letters: Vec<String> = letters.iter().map(|letter| letter.id.to_string()).collect();
    assert_eq!(json!(letters), found["dead_letters"]);
    let audit = store.audit_log(DEFAULT, Walk::newest(100), |_| true).expect("a list").rows.len();
    assert_eq!(json!(audit), found["audit"]);
    assert!(store.soundness().quarantined.is_empty());
}

fn assert_delivery(store: &Store, found: &Value) {
    let stored = store.delivery(DeliveryId(id(found).as_u128())).expect("it can be read").expect("a delivery");
    let state = if found["state"] == "held" { json!("pending") } else { found["state"].clone() };
    assert_eq!(stored.state.word(), state);
    assert_eq!(json!(stored.next_attempt_at.map(time::rfc3339)), found["next_attempt_at"]);
    let attempts = store.attempts(&stored).expect("they can be read");
    let shown = found["attempts"].as_array().expect("attempts");
    assert_eq!(attempts.len(), shown.len());
    for (attempt, shown) in attempts.iter().zip(shown) {
        assert_eq!(
            (attempt.url.as_str(), attempt.summary.number),
            (shown["url"].as_str().expect("a URL"), shown["number"].as_u64().expect("a number") as u16)
        );
        assert_eq!(
            attempt.request_headers.iter().map(|(name, value)| (name.into(), value.into())).collect::<BTreeMap<_, _>>(),
            texts(&shown["request_headers"])
        );
        assert_eq!(String::from_utf8_lossy(&attempt.response_body), shown["response_body"].as_str().expect("a body"));
    }
}

/// The files below a folder, and what is in them.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push((path.clone(), fs::read(&path).expect("a file"))),
        }
    }
    all
}

fn hold_marker(data: &Path) -> Vec<PathBuf> {
    let holds = |bytes: &[u8]| bytes.windows(MARKER.len()).any(|part| part == MARKER);
    // The copy from before the upgrade is as the store was, and goes after a clean stop.
    let of_store = files(data).into_iter().filter(|(path, _)| !path.starts_with(data.join("copies")));
    of_store.filter(|(_, bytes)| holds(bytes)).map(|(path, _)| path).collect()
}

/// Turns the clock until the scrub has seen everything, and asserts that it found nothing.
fn assert_sound(data: &Path, now: u64) {
    let clock = Clock::standing_at(now);
    let (store, mut committer) = once_free(&Settings::at(data), &clock).expect("it opens");
    while !store.soundness().is_scrubbed {
        while committer.step() {}
        clock.turn_to(clock.now() + 1000);
    }
    let soundness = store.soundness();
    assert_eq!((soundness.differences.clone(), soundness.quarantined.len()), (Vec::new(), 0));
    assert!(soundness.scrubbed_rows > 100, "{soundness:?}");
}

/// Failpoints count for all threads: one test after the other.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn a_directory_of_format_4_opens_with_all_that_was_in_it() {
    let _alone = ALONE.lock();
    let (_dir, data) = unpacked();
    assert!(!hold_marker(&data).is_empty(), "the fixture holds what is to be sealed");
    drop(open(&data));
    let (store, mut committer) = open(&data);
    assert_all_found(&store);
    let greatest = store.registry().webhooks().map(|webhook| webhook.number()).max().expect("webhooks");
    let another = (*store.registry().webhooks().next().expect("one")).clone();
    let mut made = store.submit(|staging| staging.create_webhook(another, None)).expect("taken");
    while committer.step() {}
    let made = made.try_recv().expect("answered").expect("made").number();
    assert!(made > greatest, "no number is given again");
    drop((store, committer));
    assert_eq!(hold_marker(&data), Vec::<PathBuf>::new());
    assert_sound(&data, THEN);
    let names: Vec<_> = fs::read_dir(&data).expect("a folder").map(|entry| entry.expect("one").file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with("migrat")), "{names:?}");

    let points =
        ["store.write", "migrate.copied", "migrate.renamed", "migrate.cleared", "migrate.moving", "migrate.moved"];
    for point in points {
        for nth in 0..4 {
            let (_dir, data) = unpacked();
            fail::cfg(point, &format!("{nth}*off->return")).expect("a failpoint");
            let stopped = try_open(&data).is_err();
            fail::remove(point);
            assert!(stopped || nth > 0, "{point} is passed");
            let (store, committer) = open(&data);
            assert_all_found(&store);
            drop((store, committer));
            assert_eq!(hold_marker(&data), Vec::<PathBuf>::new(), "{point}, {nth}");
            if !stopped {
                break;
            }
        }
    }
}

#[test]
fn a_directory_of_format_5_to_12_gets_what_it_lacks_where_it_is_and_says_so() {
    let _alone = ALONE.lock();
    for (format, now) in LATER {
        let (_dir, data) = unpacked_of(format);
        let (store, mut committer) = try_open_at(&data, now).expect("it opens");
        while committer.step() {}
        assert_found(&store, &found_in(format));
        let mut accepted = store.accept(DEFAULT, vec![event_of("task.created")], None).expect("taken");
        while committer.step() {}
        assert!(accepted.try_recv().expect("answered").is_ok());
        drop((store, committer));
        assert_sound(&data, now);
        let db = loop {
            // sled's own threads let go of the file a moment after its last handle is gone.
            match sled::Config::new().path(&data).segment_size(4 << 20).open() {
                Ok(db) => break db,
                Err(_) => std::thread::yield_now(),
            }
        };
        let stored = db.open_tree("meta").expect("a tree").get("format").expect("it can be read");
        assert_eq!(stored.expect("a format"), &13u32.to_be_bytes());
    }
}

fn event_of(event_type: &str) -> NewEvent {
    NewEvent {
        name: None,
        event_type: event_type.into(),
        created_at: None,
        data: "{}".into(),
        actor: None,
        metadata: None,
        test: false,
        channels: Vec::new(),
        fingerprint: None,
        trace: None,
    }
}

#[test]
fn without_its_master_key_a_directory_of_format_4_stays_as_it_is() {
    let _alone = ALONE.lock();
    let (_dir, data) = unpacked();
    let before = fs::read(data.join("db")).expect("the log");
    let text = hookwheel::domain::secret::Secret::master_key(&[7; 32]).reveal().to_string();
    let other = Settings {
        master_keys: MasterKeySource::Text(hookwheel::domain::secret::Secret::new(text)),
        ..Settings::at(&data)
    };
    let refused = once_free(&other, &Clock::standing_at(THEN)).err().expect("it is refused");
    assert!(matches!(refused, OpenError::MasterKeyMissing { .. }), "{refused}");
    assert_eq!(fs::read(data.join("db")).expect("the log").len(), before.len());
    assert_all_found(&open(&data).0);
}

#[test]
fn without_space_for_a_copy_a_directory_of_format_4_stays_as_it_is_and_the_words_say_how_much_is_needed() {
    let _alone = ALONE.lock();
    let (_dir, data) = unpacked();
    let before = files(&data);
    fail::cfg("migrate.free_bytes", "return").expect("a failpoint");
    let refused = try_open(&data).err().expect("it is refused").to_string();
    fail::remove("migrate.free_bytes");
    let after = files(&data);
    let bytes: usize = after.iter().map(|(_, bytes)| bytes.len()).sum();
    let needed = format!("needs {} free bytes beside; {} are free", bytes + (64 << 20), 64 << 20);
    assert!(refused.contains(&needed), "{refused}: not {needed}");
    // But for sled's snapshots, which it makes anew whenever it opens its log.
    let kept = |files: &[(PathBuf, Vec<u8>)]| {
        let is_kept = |path: &Path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snap."));
        files.iter().filter(|(path, _)| is_kept(path)).cloned().collect::<BTreeMap<_, _>>()
    };
    assert!(kept(&before) == kept(&after), "not a byte of it is another");
    assert_all_found(&open(&data).0);
}

#[test]
fn a_row_that_cannot_be_read_comes_along_is_put_aside_and_told_and_the_rest_is_whole() {
    let _alone = ALONE.lock();
    let (_dir, data) = unpacked();
    let db = sled::Config::new().path(&data).segment_size(4 << 20).open().expect("the old store");
    let closed = db.open_tree("closed").expect("a tree");
    let (key, _) = closed.first().expect("it can be read").expect("a row");
    closed.insert(&key, vec![9; 40]).expect("written");
    drop((closed, db));
    let lost = DeliveryId::from_bytes(key[4..].try_into().expect("an id"));

    let clock = Clock::standing_at(THEN);
    let (store, mut committer) = once_free(&Settings::at(&data), &clock).expect("it opens");
    while !store.soundness().is_scrubbed {
        while committer.step() {}
        clock.turn_to(clock.now() + 1000);
    }
    let soundness = store.soundness();
    assert_eq!(soundness.quarantined.into_iter().collect::<Vec<_>>(), [("closed", 1)]);
    assert_eq!(soundness.differences, [""; 0]);
    assert_eq!(store.delivery(lost).expect("read"), None);
    let found = found();
    let all = found["deliveries"].as_object().expect("deliveries").values().flat_map(|all| all.as_array()).flatten();
    let others: Vec<&Value> = all.filter(|delivery| id(delivery).into_bytes() != lost.to_bytes()).collect();
    assert!(others.len() > 10, "there are others");
    others.into_iter().for_each(|delivery| assert_delivery(&store, delivery));
}
