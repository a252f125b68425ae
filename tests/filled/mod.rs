//! A store with rows in every tree, made by the library itself, and sled's own means to change what lies in it.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::BTreeMap;
use std::path::Path;

use hookwheel::clock::{Clock, Dice};
use hookwheel::domain::account::{Account, ApiKey, Scope};
use hookwheel::domain::audit::{Actor, Deed};
use hookwheel::domain::backoff::Strain;
use hookwheel::domain::delivery::{Attempt, AttemptSummary, DeliveryState, Outcome};
use hookwheel::domain::disable::DisableRule;
use hookwheel::domain::endpoint::EndpointUrl;
use hookwheel::domain::id::{DeliveryId, KeyId, WebhookId};
use hookwheel::domain::job::{Bulk, JobKind, Source};
use hookwheel::domain::order::{OnDead, Order};
use hookwheel::domain::retry::Next;
use hookwheel::domain::webhook::{EventFilter, Webhook};
use hookwheel::store::{
    self, Accepted, Committer, Idempotency, NewEvent, OpenError, Refusal, Settings, Settlement, Staging, Store,
};

pub const START: u64 = 1_800_000_000_000;
/// More steps than any of these stores has work for.
pub const STEPS_MAX: usize = 10_000;

pub struct Bench {
    pub store: Store,
    pub committer: Committer,
    pub clock: Clock,
}

/// Opens a directory that was closed a moment ago: sled's own threads let go of the file after its last handle is gone.
pub fn once_free(settings: &Settings, clock: &Clock) -> Result<(Store, Committer), OpenError> {
    loop {
        match store::open(settings.clone(), clock.clone(), Dice::seeded(1)) {
            Err(OpenError::InUse(_)) => std::thread::yield_now(),
            opened => break opened,
        }
    }
}

impl Bench {
    pub fn open(path: &Path) -> Self {
        Self::open_with(Settings::at(path))
    }

    pub fn open_with(settings: Settings) -> Self {
        let clock = Clock::standing_at(START + 60_000_000);
        let (store, committer) = once_free(&settings, &clock).expect("it opens");
        Self { store, committer, clock }
    }

    /// Closes it as a stop does: what is not written yet is written.
    pub fn close(self) {
        self.store.close();
        self.committer.run();
    }

    /// Until nothing is left to do; a store that never comes to rest is one that turns in circles.
    #[track_caller]
    pub fn rest(&mut self) {
        assert!((0..STEPS_MAX).any(|_| !self.committer.step()), "it never comes to rest");
    }

    #[track_caller]
    pub fn now<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let mut answer = self.store.submit(change)?;
        self.rest();
        answer.try_recv().expect("the committer answers")
    }

    pub fn webhook(&mut self, filter: &str, order: Option<Order>) -> WebhookId {
        let url = EndpointUrl::parse("https://example.com", false).expect("a URL");
        let filter = EventFilter::parse(filter).expect("a filter");
        let webhook = Webhook { order, ..Webhook::new(1, "standard", url, vec![filter]) };
        self.now(|staging| staging.create_webhook(webhook, None)).expect("a webhook").id
    }

    pub fn publish(&mut self, event: NewEvent) -> Accepted {
        self.now(|staging| staging.accept(1, vec![event], None)).expect("it is accepted").remove(0)
    }

    pub fn settle(&mut self, id: DeliveryId, number: u16, next: Next) {
        self.queue(id, number, next);
        self.rest();
    }

    /// Its outcome waits.
    pub fn queue(&self, id: DeliveryId, number: u16, next: Next) {
        let outcome = Outcome::Status(if next == Next::Succeeded { 200 } else { 500 });
        let summary = AttemptSummary { number, started_at: self.clock.now(), duration_ms: 3, outcome };
        let (url, request_headers) = ("https://example.com/x".into(), [("a", "b")].into_iter().collect());
        self.store.settle(Settlement {
            delivery: id,
            attempt: Attempt {
                summary,
                url,
                request_headers,
                response_body: b"said".to_vec(),
                resent: false,
                trace: Default::default(),
            },
            next,
            disable: DisableRule::default(),
            strain: Strain::Neutral,
            dice: 0.0,
            rate_limited: false,
        });
    }

    /// Turns the clock until the scrub has seen all.
    pub fn scrubbed(&mut self) -> store::Soundness {
        for _ in 0..STEPS_MAX {
            self.rest();
            if self.store.soundness().is_scrubbed {
                return self.store.soundness();
            }
            self.clock.turn_to(self.clock.now() + 100);
        }
        panic!("the scrub never ends");
    }
}

pub fn event(event_type: &str, data: impl Into<bytes::Bytes>) -> NewEvent {
    NewEvent {
        name: None,
        event_type: event_type.into(),
        created_at: None,
        data: data.into(),
        actor: None,
        metadata: None,
        test: false,
        channels: Vec::new(),
        fingerprint: None,
        trace: None,
    }
}

/// What a filled store has that is looked for afterwards.
pub struct Filled {
    pub plain: WebhookId,
    pub ordered: WebhookId,
    pub deleted: WebhookId,
}

/// A store with rows in every tree.
pub fn fill(path: &Path) -> Filled {
    let mut bench = Bench::open(path);
    bench.clock.turn_to(START + 60_000_000);
    let other = Account { id: "other".into(), ..Store::default_account("standard") };
    bench.now(|staging| staging.create_account(Store::default_account("standard"))).expect("an account");
    bench.now(|staging| staging.create_account(other)).expect("an account");
    let key = ApiKey {
        id: KeyId(0),
        account: 1,
        scopes: vec![Scope::Read],
        name: None,
        expires_at: None,
        created_at: 0,
        last_used_at: None,
    };
    bench.now(move |staging| staging.create_key([7; 32], key)).expect("a key");
    let order = Order { key: None, on_dead: OnDead::Hold };
    let (plain, ordered, deleted) =
        (bench.webhook("plain.*", None), bench.webhook("ordered.*", Some(order)), bench.webhook("deleted.*", None));
    let of = |accepted: &Accepted, webhook: WebhookId| accepted.id.delivery_to(webhook.number());
    for n in 0..6u8 {
        let mut new = event("plain.a", if n == 5 { format!("\"{}\"", "x".repeat(70_000)) } else { "1".into() });
        (new.name, new.fingerprint) = (Some(format!("name-{n}")), Some([n; 32]));
        let id = of(&bench.publish(new), plain);
        let later = Next::RetryAt(bench.clock.now() + 1000);
        match n {
            0 => bench.settle(id, 1, Next::Succeeded),
            1 => bench.settle(id, 1, later),
            2 | 3 => {
                bench.settle(id, 1, later);
                bench.settle(id, 2, if n == 2 { later } else { Next::Dead });
            }
            _ => {}
        }
        if n == 3 {
            bench.now(move |staging| staging.replay(1, plain, id)).expect("a replay");
        }
    }
    let first = bench.publish(event("ordered.a", "1"));
    bench.publish(event("ordered.a", "2"));
    bench.publish(event("ordered.a", "3"));
    bench.settle(of(&first, ordered), 1, Next::Dead);
    let dead = of(&first, ordered);
    bench.now(move |staging| staging.replay(1, ordered, dead)).expect("it stands in its place");
    bench.publish(event("deleted.a", "1"));
    let idempotency = Idempotency { key: [9; 32], fingerprint: [1; 32] };
    bench.now(|staging| staging.accept(1, vec![event("nobody.a", "1")], Some(idempotency))).expect("accepted");
    let source = Source::Ended { webhook: plain.number(), state: DeliveryState::Cancelled };
    let bulk = Bulk { account: 1, kind: JobKind::Replay, source, event_type: None, from: None, to: None };
    bench.now(|staging| staging.create_job(bulk)).expect("a job");
    let noted = |staging: &mut Staging<'_>| {
        staging.note_deed(Actor::default(), Deed::new(1, "something.done", "it"));
        Ok(())
    };
    bench.now(noted).expect("noted");
    bench.clock.turn_to(bench.clock.now() + 120_000);
    bench.publish(event("plain.b", "1"));
    assert_eq!(bench.scrubbed().differences, [""; 0], "what is there is what was counted");
    // Its open delivery is not cancelled before the next start.
    let _answer = bench.store.submit(move |staging| staging.delete_webhook(1, deleted)).expect("taken");
    bench.committer.step();
    bench.close();
    Filled { plain, ordered, deleted }
}

/// Waits until whoever has closed the store there has let go of its log: sled's own threads do so a moment later.
pub fn let_go(path: &Path) {
    std::fs::File::open(path.join("db")).and_then(|log| log.lock()).expect("it can be locked");
}

pub fn sled_at(path: &Path) -> sled::Db {
    for _ in 0..1000 {
        let_go(path);
        match sled::Config::new().path(path).segment_size(4 << 20).open() {
            Ok(db) => return db,
            Err(_) => std::thread::yield_now(),
        }
    }
    panic!("sled does not let go of it");
}

/// Rows with a value, by tree.
pub fn rows(path: &Path) -> BTreeMap<String, Vec<Vec<u8>>> {
    let db = sled_at(path);
    let mut all = BTreeMap::new();
    for name in db.tree_names() {
        let tree = db.open_tree(&name).expect("a tree");
        let keys = tree.iter().map(|row| row.expect("a row")).filter(|(_, value)| !value.is_empty());
        let name = String::from_utf8_lossy(&name).into_owned();
        let known = |key: &[u8]| name != "meta" || [&b"last_webhook"[..], b"last_account"].contains(&key);
        all.insert(name.clone(), keys.map(|(key, _)| key.to_vec()).filter(|key| known(key)).collect());
    }
    all
}

/// Changes the value at a key with sled's own means.
pub fn change(path: &Path, tree: &str, key: &[u8], change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let db = sled_at(path);
    let rows = db.open_tree(tree).expect("a tree");
    let value = rows.get(key).expect("it can be read").expect("a row").to_vec();
    rows.insert(key, change(value)).expect("written");
    db.flush().expect("flushed");
    drop((rows, db));
    let_go(path);
}

/// Removes a row with sled's own means.
pub fn remove(path: &Path, tree: &str, key: &[u8]) {
    let db = sled_at(path);
    assert!(db.open_tree(tree).expect("a tree").remove(key).expect("removed").is_some());
    db.flush().expect("flushed");
    drop(db);
    let_go(path);
}

pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copy(&path, &target),
            false if path.is_file() => assert!(std::fs::copy(&path, &target).is_ok(), "copied"),
            // The socket that another process takes over by.
            false => {}
        }
    }
}

/// With a checksum that fits.
pub fn unknown_version(tree: &str, key: &[u8], bytes: usize) -> Vec<u8> {
    let value = vec![9; bytes];
    let mut sum = crc32fast::Hasher::new();
    [tree.as_bytes(), &[0], key, value.as_slice()].iter().for_each(|part| sum.update(part));
    [&value[..], &sum.finalize().to_be_bytes()].concat()
}
