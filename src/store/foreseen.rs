//! Conditions that a bulk job asks about long events, or that take long: asked on a thread beside the commit thread, one at
//! a time, while the job waits before that event and others go on. What stays true: an answer is taken once, and only for
//! the very condition that was asked. Lost ones are asked again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::asking::{self, CONDITION_STEPS_MAX};
use crate::domain::condition::{Condition, Steps, TooCostly};
use crate::domain::event::Event;
use crate::domain::id::{EventId, WebhookNumber};

/// Answers that wait to be taken. A job that was stopped takes none.
const ANSWERS_MAX: usize = 64;

/// What is being asked, and what was.
#[derive(Default)]
pub struct Foreseen(Mutex<State>);

#[derive(Default)]
struct State {
    is_busy: bool,
    answers: HashMap<(WebhookNumber, EventId), Answered>,
}

struct Answered {
    of: Arc<Condition>,
    answer: Result<bool, TooCostly>,
}

impl Foreseen {
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
        if std::mem::replace(&mut self.lock().is_busy, true) {
            return;
        }
        let busy = Busy(self.clone());
        let asks = move || {
            fail::fail_point!("store.foresee");
            let (answer, _) = asking::holds(&condition, &event, Steps::new(CONDITION_STEPS_MAX));
            busy.0.keep((webhook, event.id), Answered { of: condition, answer });
        };
        if let Err(error) = std::thread::Builder::new().name("foresee".into()).spawn(asks) {
            tracing::warn!(%error, "there is no thread to ask a filter; it is tried again");
        }
    }

    fn keep(&self, key: (WebhookNumber, EventId), answered: Answered) {
        let mut state = self.lock();
        if state.answers.len() >= ANSWERS_MAX {
            state.answers.clear();
        }
        state.answers.insert(key, answered);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder of the lock panics")
    }
}

/// Until it is dropped, nothing else is asked.
struct Busy(Arc<Foreseen>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.lock().is_busy = false;
    }
}
