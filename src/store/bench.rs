//! A small store for the tests of this room. Its clock stands until it is turned, and its commit thread is turned by hand.

use std::sync::Arc;

use super::commit::Committer;
use super::error::Refusal;
use super::handle::Store;
use super::layout::{Key, Tree};
use super::message::{NewEvent, Settlement};
use super::opening::open;
use super::settings::{Retention, Settings};
use super::staging::Staging;
use super::trees::in_memory::Memory;
use super::trees::{Trees, Writes};
use crate::clock::{Clock, Dice};
use crate::domain::backoff::Strain;
use crate::domain::delivery::{Attempt, AttemptSummary, Outcome};
use crate::domain::disable::DisableRule;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::id::{AccountNumber, DeliveryId, EventId, WebhookId, WebhookNumber};
use crate::domain::retry::Next;
use crate::domain::time::UnixMs;
use crate::domain::walk::Walk;
use crate::domain::webhook::{EventFilter, Webhook};

/// Where its clock stands at first.
pub const START: UnixMs = 1_800_000_000_000;
/// More steps than any of these stores has work for.
const STEPS_MAX: usize = 10_000;

pub struct Bench {
    pub store: Store,
    pub committer: Committer,
    pub clock: Clock,
}

impl Bench {
    /// A store in memory with account 1.
    pub fn new() -> Self {
        Self::keeping(Retention::default())
    }

    pub fn keeping(retention: Retention) -> Self {
        Self::of(Settings { retention, ..in_memory() })
    }

    pub fn of(settings: Settings) -> Self {
        let clock = Clock::standing_at(START);
        let (store, committer) = open(settings, clock.clone(), Dice::seeded(1)).unwrap();
        let mut bench = Self { store, committer, clock };
        bench.now(|staging| staging.create_account(Store::default_account("standard")));
        bench
    }

    /// Until nothing is left to do.
    #[track_caller]
    pub fn rest(&mut self) {
        assert!((0..STEPS_MAX).any(|_| !self.committer.step()), "it never comes to rest");
    }

    pub fn turn(&mut self, ms: u64) {
        self.clock.turn_to(self.clock.now() + ms);
        self.rest();
    }

    #[track_caller]
    pub fn now<T: Send + 'static>(
        &mut self,
        change: impl FnOnce(&mut Staging<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> T {
        let mut answer = self.store.submit(change).unwrap();
        self.rest();
        answer.try_recv().expect("the committer answers").unwrap()
    }

    /// A webhook of account 1 that wants everything.
    pub fn webhook(&mut self) -> WebhookNumber {
        self.webhook_with(|_| {}).number()
    }

    pub fn webhook_with(&mut self, set: impl FnOnce(&mut Webhook)) -> WebhookId {
        let mut webhook = webhook();
        set(&mut webhook);
        self.now(move |staging| staging.create_webhook(webhook, None)).id
    }

    /// The operator's account, with a webhook that wants this notice.
    pub fn operator(&mut self, word: &str) -> AccountNumber {
        let account = self.now(|staging| staging.create_account(Store::operator_account("standard"))).number;
        let filter = EventFilter::parse(word).unwrap();
        self.webhook_with(|webhook| (webhook.account, webhook.events) = (account, vec![filter]));
        account
    }

    pub fn change(&mut self, id: WebhookId, change: impl FnOnce(&mut Webhook) + Send + 'static) {
        self.now(move |staging| {
            staging.update_webhook(1, id, |webhook, _| {
                change(webhook);
                Ok(())
            })
        });
    }

    /// An event of account 1.
    pub fn publish(&mut self) -> EventId {
        self.publish_as(event())
    }

    pub fn publish_as(&mut self, event: NewEvent) -> EventId {
        self.now(|staging| staging.accept(1, vec![event], None))[0].id
    }

    pub fn settle(&mut self, id: DeliveryId, number: u16, next: Next) {
        self.store.settle(settlement(id, number, self.clock.now(), next));
        self.rest();
    }

    /// Opens the store once more, so that every row is looked at; gives the differences that were found.
    pub fn scrub(self) -> Vec<String> {
        let (settings, clock) = (self.store.0.settings.clone(), self.clock);
        let (store, committer) = open(settings, clock.clone(), Dice::seeded(2)).unwrap();
        let mut again = Self { store, committer, clock };
        let ends = (0..STEPS_MAX).any(|_| {
            again.turn(100);
            again.store.soundness().is_scrubbed
        });
        assert!(ends, "the scrub never ends");
        again.store.soundness().differences
    }

    pub fn trees(&self) -> Arc<Trees> {
        self.store.0.trees().unwrap()
    }

    /// Puts a row there, past the commit thread.
    pub fn put(&self, tree: Tree, key: Key, value: Vec<u8>) {
        let mut writes = Writes::default();
        writes.push(tree, key, Some(value));
        self.trees().write(&writes).unwrap();
    }

    /// Puts a row there that cannot be read, and reports it as who meets it does.
    pub fn damage(&self, tree: Tree, key: &[u8]) {
        let mut writes = Writes::default();
        writes.push_as_it_is(tree, key.to_vec(), Some(vec![9; 9]));
        self.trees().write(&writes).unwrap();
        let read = self.trees().get(tree, key);
        assert_eq!(self.trees().readable(read), Ok(None));
    }

    pub fn keys(&self, tree: Tree) -> Vec<Key> {
        self.trees().all(tree).keys().map(|key| key.unwrap().to_vec()).collect()
    }

    /// How many events the account has.
    pub fn events(&self, account: AccountNumber) -> usize {
        self.store.events(account, Walk::newest(1000), None, |_| true).unwrap().rows.len()
    }
}

pub fn in_memory() -> Settings {
    Settings { memory: Some(Memory::default()), durable: false, ..Settings::at("unused") }
}

/// One of account 1 that wants everything.
pub fn webhook() -> Webhook {
    let url = EndpointUrl::parse("https://example.com", false).unwrap();
    Webhook::new(1, "standard", url, vec![EventFilter::All])
}

pub fn event() -> NewEvent {
    NewEvent {
        name: None,
        event_type: "a".into(),
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

/// An attempt that took no time.
pub fn settlement(delivery: DeliveryId, number: u16, started_at: UnixMs, next: Next) -> Settlement {
    let outcome = Outcome::Status(if next == Next::Succeeded { 200 } else { 500 });
    let summary = AttemptSummary { number, started_at, duration_ms: 0, outcome };
    let (url, request_headers, response_body) = ("u".into(), Default::default(), Vec::new());
    let attempt = Attempt { summary, url, request_headers, response_body, resent: false, trace: Default::default() };
    let (disable, strain) = (DisableRule::default(), Strain::Neutral);
    Settlement { delivery, attempt, next, disable, strain, dice: 0.0, rate_limited: false }
}
