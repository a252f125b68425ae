//! The bytes of a request: what a dialect makes of an event, once an event and dialect; only the webhook's
//! id, where a contract has it in the body, is filled in per webhook. A body never depends on the delivery or the
//! attempt, so every attempt sends the same bytes.

use bytes::Bytes;
use serde::Deserialize;

use super::Dialect;
use super::canonical::{JsonForm, LostNumber, Numbers, lost_numbers};
use super::maker::Maker;
use super::placeholder::Placeholder;
use crate::domain::Invalid;
use crate::domain::event::Event;
use crate::domain::webhook::Webhook;

/// How the body is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyRule {
    /// Unchanged or canonical.
    #[serde(default)]
    pub json: JsonForm,
    /// What becomes of numbers that JavaScript cannot hold.
    #[serde(default)]
    pub numbers: Numbers,
}

/// A body that may still lack the webhook's id.
#[derive(Debug, Clone)]
pub struct Prepared {
    bytes: Bytes,
    /// Where in `bytes` an id of the webhook goes, ascending.
    holes: Vec<(usize, Placeholder)>,
}

impl Prepared {
    /// Whether all webhooks get the very same bytes.
    pub fn is_whole(&self) -> bool {
        self.holes.is_empty()
    }
}

impl Dialect {
    /// Makes the body of an accepted event, but for what depends on the webhook. Done once an event.
    ///
    /// # Panics
    /// If the event's `data`, `actor` or `metadata` is not JSON that `domain::json` lets through.
    pub fn prepare(&self, event: &Event, account_id: &str) -> Prepared {
        let (bytes, holes) = Maker::make(self, event, account_id);
        Prepared { bytes: bytes.into(), holes }
    }

    /// The body for one webhook: a cheap clone where it does not depend on the webhook.
    pub fn body(&self, prepared: &Prepared, webhook: &Webhook) -> Bytes {
        if prepared.holes.is_empty() {
            return prepared.bytes.clone();
        }
        let mut body = Vec::with_capacity(prepared.bytes.len() + 64 * prepared.holes.len());
        let mut from = 0;
        for (at, slot) in &prepared.holes {
            body.extend_from_slice(&prepared.bytes[from..*at]);
            body.extend_from_slice(self.webhook_id(webhook, slot).as_bytes());
            from = *at;
        }
        body.extend_from_slice(&prepared.bytes[from..]);
        body.into()
    }

    /// How many bytes [`Self::body`] would have.
    pub fn body_bytes(&self, prepared: &Prepared, webhook: &Webhook) -> usize {
        let filled = prepared.holes.iter().map(|(_, slot)| self.webhook_id(webhook, slot).len());
        prepared.bytes.len() + filled.sum::<usize>()
    }

    /// The event's id as receivers see it: the producer's own as it is, ours in this dialect's form.
    pub fn event_id(&self, event: &Event) -> String {
        event.name.clone().unwrap_or_else(|| self.ids.event.spell(event.id.uuid()))
    }

    /// Looks for numbers in `json` (valid, the value of the event's `field`) that JavaScript cannot hold. A dialect with
    /// `numbers = "refuse"` refuses the first with its path; one with `"js"` hands back warnings that say what they become.
    pub fn check_numbers(&self, field: &str, json: &[u8]) -> Result<Vec<String>, Invalid> {
        let lost = if self.body.numbers == Numbers::Exact { Vec::new() } else { lost_numbers(json) };
        let warning = |LostNumber { path, becomes }| {
            let (path, name) = (format!("{field}{path}"), &self.name);
            match self.body.numbers {
                Numbers::Refuse => {
                    Err(Invalid::new(path, "is a number that JavaScript cannot hold; send it as a string"))
                }
                _ => Ok(format!("{path} is a number that JavaScript cannot hold; {name} webhooks get {becomes}")),
            }
        };
        lost.into_iter().map(warning).collect()
    }

    pub(super) fn webhook_id(&self, webhook: &Webhook, slot: &Placeholder) -> String {
        match slot {
            Placeholder::WebhookId => self.ids.webhook.spell(webhook.id.uuid()),
            Placeholder::WebhookUuid => webhook.id.to_string(),
            _ => unreachable!("{slot} does not name the webhook"),
        }
    }
}
