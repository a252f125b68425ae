//! Which webhooks want an event: who wants its type, and whose condition holds. What stays true: an event takes a bounded
//! number of steps, whatever it says and whatever it is asked; a webhook whose condition gets no answer within them is
//! neither left out nor sent to: it gets a dead delivery that says so. The registry is not held while anybody asks.

use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};

use super::error::Refusal;
use super::message::NewEvent;
use super::parsed::Parsed;
use super::publish::{Asked, Publish, Wanting};
use super::registry::{Mode, Question, Registry};
use crate::domain::condition::{Condition, Node, Steps, TooCostly};
use crate::domain::event::Event;
use crate::domain::id::{AccountNumber, WebhookNumber};
use crate::domain::order::{KeyPath, OrderKeys};

/// Steps that one condition may take on one event: a few milliseconds.
pub const CONDITION_STEPS_MAX: u64 = 1 << 20;
/// Steps that all conditions of an account may take on one event.
pub const EVENT_STEPS_MAX: u64 = 1 << 24;

/// Bytes that are read in the time of a step.
const READING_BYTES: usize = 4;
/// Steps that are taken in one turn, reading included: longer publishes take several.
const TURN_STEPS_MAX: u64 = 1 << 20;
/// Deliveries that a publish may make to be asked about by the thread that serves its caller.
const AT_ONCE_DELIVERIES_MAX: usize = 1 << 14;
/// Deliveries that several events of one publish may make: their webhooks' numbers are held until all are stored. One event
/// may go to all webhooks of its account.
const DELIVERIES_MAX: usize = 1 << 21;
/// Webhooks that are looked at, once for each event.
const AGAIN_WEBHOOKS_MAX: usize = 10_000;

/// Why a delivery is dead that was never tried.
pub const TOO_COSTLY: &str = "filter_too_costly: asking the webhook's filter about this event takes longer than it may, so \
    nobody knows whether it holds; replay the delivery if it should go out, and make the filter look at less of the event";

/// What asking about an event may cost.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Bytes of events that are read.
    pub bytes: usize,
    /// Steps that their conditions take.
    pub steps: u64,
}

impl Budget {
    /// Of one event, where nobody waits for it.
    pub const EVENT: Budget = Budget { bytes: usize::MAX, steps: EVENT_STEPS_MAX };
    /// Of one publish, by the thread that serves its caller.
    pub const AT_ONCE: Budget = Budget { bytes: 64 * 1024, steps: 1 << 14 };
    /// Of one publish, by the commit thread: a fraction of a millisecond.
    const AGAIN: Budget = Self::AT_ONCE;
}

/// Asks about an event, and takes off what it took; none if it is too long to be read.
pub fn ask(
    registry: &RwLock<Registry>,
    account: AccountNumber,
    mode: Mode,
    event: &mut Parsed<'_>,
    budget: &mut Budget,
) -> Option<Wanting> {
    let (event_type, channels) = (event.event_type(), event.channels());
    let question = |tree: Option<&Node<'_>>| {
        registry.read().expect("not poisoned").question(account, (event_type, channels, mode), tree)
    };
    let mut wanting = Wanting::default();
    if let Some(Question { sure, .. }) = question(None) {
        wanting.webhooks = sure;
    } else {
        budget.bytes = budget.bytes.checked_sub(event.bytes())?;
        let tree = event.tree();
        let Question { sure, asked } = question(Some(tree)).unwrap_or_default();
        wanting.webhooks = sure;
        wanting.too_costly = answer(asked, tree, &mut budget.steps, &mut wanting.webhooks);
        wanting.webhooks.sort_unstable();
        wanting.webhooks.dedup();
    }
    if !wanting.webhooks.is_empty() {
        let paths: Vec<KeyPath> = registry.read().expect("not poisoned").order_paths(account).cloned().collect();
        learn_order_keys(&paths, event, budget, &mut wanting.order_keys)?;
    }
    Some(wanting)
}

/// What the event says at those of the paths that nobody has looked at yet; none if it is too long to be read.
fn learn_order_keys(
    paths: &[KeyPath],
    event: &mut Parsed<'_>,
    budget: &mut Budget,
    known: &mut OrderKeys,
) -> Option<()> {
    if !paths.iter().all(|path| known.knows(path)) {
        budget.bytes = budget.bytes.checked_sub(event.bytes())?;
        event.learn_order_keys(known, paths);
    }
    Some(())
}

/// Asks about the events of a publish if that is done in a moment.
pub fn at_once(registry: &RwLock<Registry>, account: AccountNumber, events: &[NewEvent]) -> Option<Asked> {
    let version = registry.read().expect("not poisoned").version();
    let (mut budget, mut wanting) = (Budget::AT_ONCE, Vec::with_capacity(events.len()));
    let mut deliveries = 0;
    for event in events {
        let of = ask(registry, account, Mode::of(event.test), &mut Parsed::of(event), &mut budget)?;
        deliveries += of.webhooks.len();
        if !of.too_costly.is_empty() || deliveries > AT_ONCE_DELIVERIES_MAX {
            return None;
        }
        wanting.push(of);
    }
    Some(Asked { version, wanting })
}

/// Events of a publish that are asked about in turn.
pub struct Asking {
    account: AccountNumber,
    publish: Publish,
}

impl Asking {
    /// Of these events.
    pub fn of(registry: &RwLock<Registry>, account: AccountNumber, events: Vec<NewEvent>) -> Self {
        let asked = Asked { version: registry.read().expect("not poisoned").version(), wanting: Vec::new() };
        Self { account, publish: Publish::asked(events, asked) }
    }

    /// Asks about some more of them: the whole publish once nothing is left to ask, unless they make too many deliveries.
    pub fn go_on(mut self, registry: &RwLock<Registry>) -> Result<Result<Publish, Refusal>, Self> {
        fail::fail_point!("store.ask");
        let Publish { events, asked: Some(asked), .. } = &mut self.publish else { return Ok(Ok(self.publish)) };
        let mut deliveries = asked.deliveries();
        let mut spent = 0;
        for event in &events[asked.wanting.len()..] {
            if spent >= TURN_STEPS_MAX {
                return Err(self);
            }
            let (mut parsed, mut budget) = (Parsed::of(event), Budget::EVENT);
            let of = ask(registry, self.account, Mode::of(event.test), &mut parsed, &mut budget);
            let of = of.expect("any length is read");
            deliveries += of.webhooks.len();
            if deliveries > DELIVERIES_MAX && events.len() > 1 {
                return Ok(Err(Refusal::FanOutTooWide { limit: DELIVERIES_MAX }));
            }
            spent += EVENT_STEPS_MAX - budget.steps + reading(event.bytes()) + of.webhooks.len() as u64;
            asked.wanting.push(of);
        }
        Ok(Ok(self.publish))
    }
}

/// Who wants events by the registry as it is now, from what was asked by it as it was. What changed since is asked again
/// within few steps; none if they are not enough, and the caller `may_ask_again`.
pub fn bring_up(
    registry: &Registry,
    account: AccountNumber,
    events: &[NewEvent],
    asked: Asked,
    may_ask_again: bool,
) -> Option<Vec<Wanting>> {
    let Some(changed) = registry.changed_since(account, asked.version) else { return Some(asked.wanting) };
    let mut budget = Budget::AGAIN;
    if may_ask_again && changed.len() * events.len() > AGAIN_WEBHOOKS_MAX {
        return None;
    }
    let changed: BTreeSet<WebhookNumber> = changed.into_iter().collect();
    let paths: Vec<KeyPath> = registry.order_paths(account).cloned().collect();
    let is_as_it_was = |number: &WebhookNumber| !changed.contains(number) && registry.has_webhook(*number);
    let mut wanting = asked.wanting;
    for (event, wanting) in events.iter().zip(&mut wanting) {
        wanting.webhooks.retain(is_as_it_was);
        wanting.too_costly.retain(is_as_it_was);
        let hears = |number: &&WebhookNumber| {
            let webhook = registry.webhook(**number);
            webhook.is_some_and(|webhook| webhook.hears_of(&event.event_type, &event.channels, event.test))
        };
        let hearing = changed.iter().filter(hears);
        let (asked, sure): (Vec<_>, Vec<_>) =
            hearing.map(|number| (*number, registry.condition(*number).cloned())).partition(|(_, one)| one.is_some());
        wanting.webhooks.extend(sure.into_iter().map(|(number, _)| number));
        let asked: Vec<_> = asked.into_iter().filter_map(|(number, one)| Some((number, one?))).collect();
        if !asked.is_empty() {
            let costly = match budget.bytes.checked_sub(event.bytes()) {
                Some(left) => {
                    budget.bytes = left;
                    answer(asked, Parsed::of(event).tree(), &mut budget.steps, &mut wanting.webhooks)
                }
                None => {
                    let costly: Vec<_> = asked.into_iter().map(|(number, _)| number).collect();
                    wanting.webhooks.extend(&costly);
                    costly
                }
            };
            if may_ask_again && !costly.is_empty() {
                return None;
            }
            wanting.too_costly.extend(costly);
            wanting.too_costly.sort_unstable();
        }
        wanting.webhooks.sort_unstable();
        // An order that nobody knew of when it was asked is kept as well, at the latest here.
        let mut order_budget = if may_ask_again { budget } else { Budget::EVENT };
        if !wanting.webhooks.is_empty() {
            learn_order_keys(&paths, &mut Parsed::of(event), &mut order_budget, &mut wanting.order_keys)?;
        }
    }
    Some(wanting)
}

/// Whether a condition holds for an event that is stored; and the steps that it took to read and to ask.
pub fn holds(condition: &Condition, event: &Event, steps: Steps) -> (Result<bool, TooCostly>, u64) {
    let mut parsed = Parsed::of_stored(event);
    let (answer, taken) = holds_for(condition, &mut parsed, steps);
    (answer, taken + reading(parsed.bytes()))
}

/// The same for one that is read once for many conditions; and the steps that it took to ask.
pub fn holds_for(condition: &Condition, event: &mut Parsed<'_>, steps: Steps) -> (Result<bool, TooCostly>, u64) {
    let mut left = steps;
    let answer = condition.holds(event.tree(), &mut left);
    (answer, steps.left() - left.left())
}

/// Whether it does, if that is told in a moment.
pub fn holds_at_once(condition: &Condition, event: &Event) -> (Option<bool>, u64) {
    if Parsed::of_stored(event).bytes() > Budget::AT_ONCE.bytes {
        return (None, 0);
    }
    let (answer, steps) = holds(condition, event, Steps::new(Budget::AT_ONCE.steps));
    (answer.ok(), steps)
}

/// What reading so many bytes takes, in steps.
pub fn reading(bytes: usize) -> u64 {
    (bytes / READING_BYTES) as u64
}

/// Asks conditions. Each may take its even share of `steps`, and those that need more share what the others leave. Adds
/// those that hold and those that got no answer to `webhooks`, and gives the latter.
pub fn answer(
    asked: Vec<(WebhookNumber, Arc<Condition>)>,
    event: &Node<'_>,
    steps: &mut u64,
    webhooks: &mut Vec<WebhookNumber>,
) -> Vec<WebhookNumber> {
    let (mut open, mut share_before) = (asked, 0);
    while !open.is_empty() {
        let share = (*steps / open.len() as u64).min(CONDITION_STEPS_MAX);
        if share <= share_before {
            break;
        }
        open.retain(|(number, condition)| {
            let mut left = Steps::new(share);
            let answer = condition.holds(event, &mut left);
            *steps -= share - left.left();
            if answer == Ok(true) {
                webhooks.push(*number);
            }
            answer.is_err()
        });
        share_before = share;
    }
    let too_costly: Vec<WebhookNumber> = open.into_iter().map(|(number, _)| number).collect();
    webhooks.extend(&too_costly);
    too_costly
}

#[cfg(test)]
mod tests;
