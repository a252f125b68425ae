//! What a bulk job asks about long events, or what takes long: asked on a thread beside the commit thread, one question at
//! a time, while the job waits before that event and others go on. What stays true: an answer is taken once, and whether a
//! condition holds only for the very condition that was asked. Lost ones are asked again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use arc_swap::ArcSwapOption;

use super::asking::{self, Budget, CONDITION_STEPS_MAX, EVENT_STEPS_MAX};
use super::error::StoreError;
use super::event_rows;
use super::message::NewEvent;
use super::parsed::Parsed;
use super::publish::Asked;
use super::registry::{Mode, Registry};
use super::trees::Trees;
use crate::domain::condition::{Condition, Steps, TooCostly};
use crate::domain::event::Event;
use crate::domain::id::{AccountNumber, EventId, WebhookNumber};

/// Answers of a kind that wait to be taken. A job that was stopped takes none.
const ANSWERS_MAX: usize = 16_384;
/// The same of who wants an event.
const WANTING_MAX: usize = 64;
/// How often who wants an event is asked anew since webhooks changed meanwhile.
const AGAIN_MAX: u32 = 5;

/// What is being asked, and what was.
pub struct Foreseen {
    trees: Arc<ArcSwapOption<Trees>>,
    registry: Arc<RwLock<Registry>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_busy: bool,
    /// How many questions there were.
    questions: u64,
    answers: HashMap<(WebhookNumber, EventId), Answered>,
    wanting: HashMap<(AccountNumber, EventId), Asked>,
    /// How often an answer was asked for anew.
    again: HashMap<(AccountNumber, EventId), u32>,
}

/// Whether a condition holds for an event; none if the event is not there.
pub type Answer = Result<Option<Result<bool, TooCostly>>, StoreError>;

struct Answered {
    of: Arc<Condition>,
    answer: Answer,
}

impl Foreseen {
    /// Nothing was asked yet of what these hold.
    pub fn over(trees: Arc<ArcSwapOption<Trees>>, registry: Arc<RwLock<Registry>>) -> Self {
        Self { trees, registry, state: Mutex::default() }
    }

    /// The answer, if it is there.
    pub fn take(&self, webhook: WebhookNumber, event: EventId, condition: &Arc<Condition>) -> Option<Answer> {
        let answered = self.lock().answers.remove(&(webhook, event))?;
        Arc::ptr_eq(&answered.of, condition).then_some(answered.answer)
    }

    /// Begins to ask these conditions of an event of the account, which is read there and once for all of them, unless something
    /// else is being asked. What takes too long for one turn is asked in another.
    pub fn ask(
        self: &Arc<Self>,
        account: AccountNumber,
        id: EventId,
        asked: impl FnOnce() -> Vec<(WebhookNumber, Arc<Condition>)>,
    ) {
        if self.lock().is_busy {
            return;
        }
        let asked = asked();
        self.beside(move |foreseen| match foreseen.read(account, id) {
            Ok(Some(event)) => foreseen.answer(&event, asked),
            // It is tried again.
            Err(error) if !matches!(error, StoreError::Damaged(_)) => {}
            none => {
                let answer: Answer = none.map(|_| None);
                for (webhook, of) in asked {
                    keep(&mut foreseen.lock().answers, (webhook, id), Answered { of, answer: answer.clone() });
                }
            }
        });
    }

    fn read(&self, account: AccountNumber, id: EventId) -> Result<Option<Event>, StoreError> {
        let trees = self.trees.load_full().ok_or(StoreError::Unavailable)?;
        event_rows::event_by(&|tree, key| trees.get(tree, key), account, id)
    }

    fn answer(&self, event: &Event, asked: Vec<(WebhookNumber, Arc<Condition>)>) {
        let (mut parsed, mut left) = (Parsed::of_stored(event), EVENT_STEPS_MAX);
        for (webhook, of) in asked {
            let mut steps = Steps::new(CONDITION_STEPS_MAX);
            let answer = of.holds(parsed.tree(), &mut steps);
            keep(&mut self.lock().answers, (webhook, event.id), Answered { of, answer: Ok(Some(answer)) });
            left = left.saturating_sub(CONDITION_STEPS_MAX - steps.left());
            if left == 0 {
                return;
            }
        }
    }

    /// Whether who of the account wants that event may be asked anew since webhooks changed meanwhile. Somebody who changes them
    /// all the time ends that: then what could not be asked any more is told.
    pub fn may_ask_again(&self, account: AccountNumber, id: EventId) -> bool {
        let again = &mut self.lock().again;
        let times = again.get(&(account, id)).copied().unwrap_or_default();
        if times >= AGAIN_MAX {
            again.remove(&(account, id));
            return false;
        }
        true
    }

    /// It is.
    pub fn asks_again(&self, account: AccountNumber, id: EventId) {
        let again = &mut self.lock().again;
        if again.len() >= WANTING_MAX && !again.contains_key(&(account, id)) {
            again.clear();
        }
        *again.entry((account, id)).or_default() += 1;
    }

    /// How many questions were begun, and whether one still is.
    #[cfg(test)]
    pub fn questions(&self) -> (u64, bool) {
        let state = self.lock();
        (state.questions, state.is_busy)
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
            let waiting = &mut foreseen.lock().wanting;
            if waiting.len() >= WANTING_MAX {
                waiting.clear();
            }
            waiting.insert((account, id), Asked { version, wanting });
        });
    }

    fn beside(self: &Arc<Self>, ask: impl FnOnce(&Self) + Send + 'static) {
        {
            let mut state = self.lock();
            if state.is_busy {
                return;
            }
            (state.is_busy, state.questions) = (true, state.questions + 1);
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

fn keep(answers: &mut HashMap<(WebhookNumber, EventId), Answered>, of: (WebhookNumber, EventId), answer: Answered) {
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
