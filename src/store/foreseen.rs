//! What a bulk job asks about long events, or what takes long: asked on a thread beside the commit thread, one question at
//! a time, while the job waits before that event and others go on. What stays true: an answer is taken once, and whether a
//! condition holds only for the very condition that was asked. Lost ones are asked again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use super::asking::{self, Budget, CONDITION_STEPS_MAX};
use super::message::NewEvent;
use super::parsed::Parsed;
use super::publish::Asked;
use super::registry::{Mode, Registry};
use crate::domain::condition::{Condition, Steps, TooCostly};
use crate::domain::event::Event;
use crate::domain::id::{AccountNumber, EventId, WebhookNumber};

/// Answers of a kind that wait to be taken. A job that was stopped takes none.
const ANSWERS_MAX: usize = 64;

/// What is being asked, and what was.
pub struct Foreseen {
    registry: Arc<RwLock<Registry>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_busy: bool,
    answers: HashMap<(WebhookNumber, EventId), Answered>,
    wanting: HashMap<(AccountNumber, EventId), Asked>,
}

struct Answered {
    of: Arc<Condition>,
    answer: Result<bool, TooCostly>,
}

impl Foreseen {
    /// Nothing was asked yet of what this registry holds.
    pub fn over(registry: Arc<RwLock<Registry>>) -> Self {
        Self { registry, state: Mutex::default() }
    }

    /// The answer, if it is there.
    pub fn take(
        &self,
        webhook: WebhookNumber,
        event: EventId,
        condition: &Arc<Condition>,
    ) -> Option<Result<bool, TooCostly>> {
        let answered = self.lock().answers.remove(&(webhook, event))?;
        Arc::ptr_eq(&answered.of, condition).then_some(answered.answer)
    }

    /// Begins to ask, unless something else is being asked.
    pub fn ask(self: &Arc<Self>, webhook: WebhookNumber, condition: Arc<Condition>, event: Event) {
        self.beside(move |foreseen| {
            let (answer, _) = asking::holds(&condition, &event, Steps::new(CONDITION_STEPS_MAX));
            keep(&mut foreseen.lock().answers, (webhook, event.id), Answered { of: condition, answer });
        });
    }

    /// Who of the account wants the event that is kept under this id, as far as is known by now.
    pub fn take_wanting(&self, account: AccountNumber, id: EventId) -> Option<Asked> {
        self.lock().wanting.remove(&(account, id))
    }

    /// Begins to ask who does, unless something else is being asked.
    pub fn ask_wanting(self: &Arc<Self>, account: AccountNumber, id: EventId, event: NewEvent) {
        self.beside(move |foreseen| {
            let registry = &*foreseen.registry;
            let version = registry.read().expect("not poisoned").version();
            let (mut parsed, mut budget) = (Parsed::of(&event), Budget::EVENT);
            let wanting = asking::ask(registry, account, Mode::of(event.test), &mut parsed, &mut budget);
            let wanting = vec![wanting.expect("any length is read")];
            keep(&mut foreseen.lock().wanting, (account, id), Asked { version, wanting });
        });
    }

    fn beside(self: &Arc<Self>, ask: impl FnOnce(&Self) + Send + 'static) {
        if std::mem::replace(&mut self.lock().is_busy, true) {
            return;
        }
        let busy = Busy(self.clone());
        let asks = move || {
            fail::fail_point!("store.foresee");
            ask(&busy.0);
        };
        if let Err(error) = std::thread::Builder::new().name("foresee".into()).spawn(asks) {
            tracing::warn!(%error, "there is no thread to ask a filter; it is tried again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }
}

fn keep<K: Eq + Hash, V>(answers: &mut HashMap<K, V>, of: K, answer: V) {
    if answers.len() >= ANSWERS_MAX {
        answers.clear();
    }
    answers.insert(of, answer);
}

/// Until it is dropped, nothing else is asked.
struct Busy(Arc<Foreseen>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.lock().is_busy = false;
    }
}
