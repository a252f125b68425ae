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

/// Where they wait.
#[derive(Default)]
pub struct Consumers(BTreeMap<WebhookNumber, UnboundedReceiver<Handed>>);

impl World {
    /// Whoever does not wait asks.
    pub fn pull(&mut self) {
        let numbers = self.webhooks.iter().map(|id| id.number());
        let pulled: Vec<WebhookNumber> = numbers.filter(|number| self.webhook(*number).is_pulled()).collect();
        for number in pulled {
            let waits = self.consumers.0.get(&number).is_some_and(|handed| !handed.is_closed());
            if waits && self.throw(64) > 0 {
                continue;
            }
            if waits && self.throw(2) == 0 {
                self.consumers.0.remove(&number);
                self.core.poll_left(number);
            }
            let (hand, handed) = Hand::new(LEASE);
            let ask = Ask { webhook: number, limit: 1 + self.throw(5), wait: LEASE, lease: LEASE };
            self.core.poll(Poll { ask, hand });
            self.consumers.0.insert(number, handed);
        }
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
