//! Somebody else: an account that posts a small event forty times a second, and how long each took.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::raw::held_beyond;
use crate::support::{Answer, Client, Receiver, Server, say};

/// What 99 of 100 posts may take, whatever the others do.
const WANTED: Duration = Duration::from_millis(100);
/// On a machine that is slow anyway: so many times what they take without the others.
const TIMES_ALONE: u32 = 5;
/// A stretch within that is enough, of so many at most: what stops the whole machine for a moment is nobody's doing, and what
/// the hostile ones can do they do in each.
const STRETCHES_MAX: u32 = 5;
/// Posts of a stretch.
const POSTS: u32 = 200;
/// From one to the next.
const EVERY: Duration = Duration::from_millis(25);
/// Connections that post by turns, so that one post that waits delays no other.
const CLIENTS: usize = 8;

/// An account with a webhook, and clients of it.
pub struct Stranger<'a> {
    server: &'a Server,
    clients: Vec<Client>,
    _receiver: Receiver,
}

impl<'a> Stranger<'a> {
    /// Makes it.
    pub fn new(server: &'a Server) -> Self {
        let mut client = account(server, "stranger");
        let receiver = Receiver::start(|_, _| Answer::Status(200));
        let hook = json!({"url": receiver.url("/"), "events": ["*"], "filter": "@.data.n >= 0"});
        client.post("/api/v1/webhooks", &hook).data(201);
        let clients = (0..CLIENTS).map(|_| Client::new(server.address, client.key())).collect();
        Self { server, clients, _receiver: receiver }
    }

    /// Asserts that its posts take no longer than they may while `hostile` goes on, which is told when to stop, and that the
    /// server holds no more than `bytes` beyond what it held before.
    #[track_caller]
    pub fn beside(mut self, bytes: u64, hostile: impl FnOnce(&AtomicBool) + Send) {
        let alone = self.p99();
        let most = WANTED.max(alone * TIMES_ALONE);
        let (stop, mut beside, mut tries) = (AtomicBool::new(false), Duration::MAX, 0);
        let held = held_beyond(self.server, || {
            std::thread::scope(|scope| {
                let going_on = scope.spawn(|| hostile(&stop));
                let stops = Stops(&stop);
                while beside >= most && tries < STRETCHES_MAX {
                    beside = self.p99();
                    tries += 1;
                    say(&format!("stretch {tries}: p99 {beside:?}"));
                }
                drop(stops);
                going_on.join().expect("the hostile ones are served or refused");
            });
        });
        say(&format!("p99 {beside:?}, alone {alone:?}; {} MiB held of {} MiB", held >> 20, bytes >> 20));
        assert!(beside < most, "99 of 100 posts took up to {beside:?}, alone {alone:?}");
        assert!(held < bytes, "{held} bytes are held");
    }

    /// What 99 of 100 of its posts take at most.
    fn p99(&mut self) -> Duration {
        let begun = Instant::now();
        let post = |client: &mut Client, n: u32| {
            // From when it should have been posted: what stops the server stops those behind as well.
            let due = EVERY * n;
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
            let sent = client.post("/api/v1/events", &json!({"type": "small", "data": {"n": n}})).data(202);
            assert_eq!(sent["deliveries"], 1);
            begun.elapsed() - due
        };
        let mut took: Vec<Duration> = std::thread::scope(|scope| {
            let posting = self.clients.iter_mut().zip(0..).map(|(client, first)| {
                scope.spawn(move || (first..POSTS).step_by(CLIENTS).map(|n| post(client, n)).collect::<Vec<_>>())
            });
            let posting: Vec<_> = posting.collect();
            posting.into_iter().flat_map(|one| one.join().expect("its posts are accepted")).collect()
        });
        took.sort();
        took[took.len() - 1 - took.len() / 100]
    }
}

/// Says so when this goes, also if something fails.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A new account, and a client with a key of its own.
pub fn account(server: &Server, name: &str) -> Client {
    let mut admin = server.client();
    admin.post("/api/v1/accounts", &json!({"id": name, "name": name})).data(201);
    let key = admin.post(&format!("/api/v1/accounts/{name}/keys"), &json!({"scopes": ["publish", "manage"]})).data(201);
    Client::new(server.address, key["key"].as_str().expect("a key"))
}
