//! A condition, tried on an event by whoever writes it. What stays true: it is asked as when the event is accepted, with the
//! steps that one condition may take.

use super::asking::{CONDITION_STEPS_MAX, EVENT_STEPS_MAX};
use super::parsed::Parsed;
use crate::domain::condition::{Condition, Steps, Told};
use crate::domain::event::Event;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TriedCondition {
    /// Whether it holds; none: it takes longer than it may.
    pub holds: Option<bool>,
    /// What asking took, without reading the event.
    pub steps: u64,
    /// The comparisons that are to blame that it does not.
    pub told: Vec<Told>,
}

/// Asks a condition about an event, and why it does not hold.
pub fn try_condition(condition: &Condition, event: &Event) -> TriedCondition {
    let (mut parsed, mut left) = (Parsed::of_stored(event), Steps::new(CONDITION_STEPS_MAX));
    let tree = parsed.tree();
    let holds = condition.holds(tree, &mut left).ok();
    // Looking for who is to blame asks again, and more than once.
    let blame = || condition.told(tree, &mut Steps::new(EVENT_STEPS_MAX)).unwrap_or_default();
    let told = if holds == Some(false) { blame() } else { Vec::new() };
    TriedCondition { holds, steps: CONDITION_STEPS_MAX - left.left(), told }
}
