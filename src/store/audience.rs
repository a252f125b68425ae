//! Which webhooks of an account want which events, by channel. What stays true: what an event costs depends on its own channels
//! and on those that come into question for it; without channels anywhere nothing is paid for them.

use std::collections::HashMap;

use super::wants::Wants;
use crate::domain::condition::{Condition, Node};
use crate::domain::id::WebhookNumber;
use crate::domain::webhook::Webhook;

/// The webhooks of an account.
#[derive(Debug, Default)]
pub struct Audience {
    /// Those without channels: they hear of every event.
    open: Wants,
    /// The others, each in all of its channels.
    channels: HashMap<String, Wants>,
}

impl Audience {
    /// Enters a webhook.
    pub fn learn(&mut self, webhook: &Webhook, condition: Option<&Condition>) {
        let number = webhook.number();
        if webhook.channels.is_empty() {
            self.open.learn(number, &webhook.events, condition);
        }
        for channel in &webhook.channels {
            self.channels.entry(channel.clone()).or_default().learn(number, &webhook.events, condition);
        }
    }

    /// Takes out a webhook that was entered so.
    pub fn forget(&mut self, webhook: &Webhook, condition: Option<&Condition>) {
        let number = webhook.number();
        if webhook.channels.is_empty() {
            self.open.forget(number, &webhook.events, condition);
        }
        for channel in &webhook.channels {
            let Some(wants) = self.channels.get_mut(channel) else { continue };
            wants.forget(number, &webhook.events, condition);
            if wants.is_empty() {
                self.channels.remove(channel);
            }
        }
    }

    /// Whether anybody wants events of this type and of these channels.
    pub fn any(&self, event_type: &str, channels: &[String]) -> bool {
        self.heard(channels).any(|wants| wants.any(event_type))
    }

    /// Whether anybody wants them on a condition.
    pub fn has_conditions(&self, event_type: &str, channels: &[String]) -> bool {
        self.heard(channels).any(|wants| wants.has_conditions(event_type))
    }

    /// Those that want all of them, ascending.
    pub fn sure(&self, event_type: &str, channels: &[String]) -> Vec<WebhookNumber> {
        self.gathered(channels, |wants| wants.sure(event_type))
    }

    /// Those whose condition is to be asked about this event, ascending.
    pub fn to_be_asked(&self, event_type: &str, channels: &[String], event: &Node<'_>) -> Vec<WebhookNumber> {
        self.gathered(channels, |wants| wants.to_be_asked(event_type, event))
    }

    fn heard<'a>(&'a self, channels: &'a [String]) -> impl Iterator<Item = &'a Wants> {
        [&self.open].into_iter().chain(channels.iter().filter_map(|channel| self.channels.get(channel)))
    }

    /// A webhook may share several channels with an event.
    fn gathered(&self, channels: &[String], of: impl Fn(&Wants) -> Vec<WebhookNumber>) -> Vec<WebhookNumber> {
        let mut heard = self.heard(channels).map(of);
        let mut numbers = heard.next().unwrap_or_default();
        let open = numbers.len();
        heard.for_each(|more| numbers.extend(more));
        if numbers.len() > open {
            numbers.sort_unstable();
            numbers.dedup();
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::WebhookId;
    use crate::domain::webhook::EventFilter;
    use crate::store::bench;
    use proptest::prelude::*;

    const CHANNELS: [&str; 3] = ["a", "b", "c"];
    const CONDITION: &str = "@.data.n == 1";

    fn words(chosen: &[usize]) -> Vec<String> {
        let mut words: Vec<String> = chosen.iter().map(|at| CHANNELS[*at].to_string()).collect();
        words.sort_unstable();
        words.dedup();
        words
    }

    fn webhook(number: u32, channels: Vec<String>, event_type: &str) -> Webhook {
        let events = vec![EventFilter::parse(event_type).unwrap()];
        Webhook { id: WebhookId(number.into()), channels, events, ..bench::webhook() }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// However webhooks come, change and go, those are found that share a channel with the event or have none.
        #[test]
        fn webhooks_are_found_by_their_channels(
            changes in prop::collection::vec(
                (0u32..6, prop::collection::vec(0..CHANNELS.len(), 0..3), any::<bool>(), any::<bool>()), 1..30),
            of in prop::collection::vec(0..CHANNELS.len(), 0..3),
        ) {
            let condition = Condition::parse(CONDITION).unwrap();
            let mut audience = Audience::default();
            let mut known: HashMap<u32, (Webhook, bool)> = HashMap::new();
            for (number, channels, is_asked, wants_it) in changes {
                if let Some((webhook, is_asked)) = known.remove(&number) {
                    audience.forget(&webhook, is_asked.then_some(&condition));
                }
                let webhook = webhook(number, words(&channels), if wants_it { "t.*" } else { "u" });
                audience.learn(&webhook, is_asked.then_some(&condition));
                known.insert(number, (webhook, is_asked));
            }
            let channels = words(&of);
            let event = Node::read(br#"{"type":"t.x","data":{"n":1}}"#);
            let expected = |asked: bool| {
                let hears = |(webhook, is_asked): &&(Webhook, bool)| {
                    *is_asked == asked && webhook.hears_of("t.x", &channels, false)
                };
                let mut numbers: Vec<u32> = known.values().filter(hears).map(|(webhook, _)| webhook.number()).collect();
                numbers.sort_unstable();
                numbers
            };
            prop_assert_eq!(audience.sure("t.x", &channels), expected(false));
            prop_assert_eq!(audience.to_be_asked("t.x", &channels, &event), expected(true));
            prop_assert_eq!(audience.has_conditions("t.x", &channels), !expected(true).is_empty());
            let any = !(expected(true).is_empty() && expected(false).is_empty());
            prop_assert_eq!(audience.any("t.x", &channels), any);
            for (webhook, is_asked) in known.values() {
                audience.forget(webhook, is_asked.then_some(&condition));
            }
            prop_assert!(audience.channels.is_empty() && audience.open.is_empty());
        }
    }
}
