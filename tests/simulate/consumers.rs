//! Consumers that pull: one for each webhook that is pulled, which asks again as soon as it was given something. Some go away
//! while they wait, and say so or not; another comes in their place. What a consumer does with what it has, its mood says.

use std::collections::BTreeMap;
use std::time::Duration;

use hookwheel::deliver::polls::{Hand, Handed, Poll};
use hookwheel::domain::delivery::Outcome;
use hookwheel::domain::id::WebhookNumber;
use hookwheel::domain::pull::Ask;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::flights::Mood;
use crate::world::World;

/// How long a consumer has for a delivery.
pub const LEASE: Duration = Duration::from_secs(30);

/// All of them: where each waits, once it does.
#[derive(Default)]
pub struct Consumers(BTreeMap<WebhookNumber, Option<UnboundedReceiver<Handed>>>);

impl Consumers {
    /// The webhook has one.
    pub fn add(&mut self, webhook: WebhookNumber) {
        self.0.insert(webhook, None);
    }
}

impl World {
    /// Whoever does not wait asks.
    pub fn pull(&mut self) {
        let mut consumers = std::mem::take(&mut self.consumers);
        for (number, waiting) in &mut consumers.0 {
            let waits = waiting.as_ref().is_some_and(|handed| !handed.is_closed());
            if waits && self.throw(64) > 0 {
                continue;
            }
            *waiting = None;
            if waits && self.throw(2) == 0 {
                self.core.poll_left(*number);
            }
            let (hand, handed) = Hand::new(LEASE);
            let ask = Ask { webhook: *number, limit: 1 + self.throw(5), wait: LEASE, lease: LEASE };
            self.core.poll(Poll { ask, hand });
            *waiting = Some(handed);
        }
        self.consumers = consumers;
    }

    /// What its consumer makes of a delivery; `None`: it was never taken.
    pub fn consumed(&mut self, webhook: WebhookNumber) -> Option<Outcome> {
        let nacked = || Outcome::Nacked("not now".into());
        Some(match (self.moods[&webhook], self.throw(4)) {
            (Mood::Well, _) | (Mood::Flaky, 0) | (Mood::Busy, 0) => Outcome::Acked,
            (Mood::Flaky, 1) | (Mood::Busy, _) | (Mood::Gone, _) => nacked(),
            (Mood::Flaky, 2) => return None,
            (Mood::Flaky | Mood::Down | Mood::Hanging, _) => Outcome::LeaseRanOut,
        })
    }
}
