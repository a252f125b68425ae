//! What the operator is told: events of an account of its own, so they are stored, signed, retried and shown like any
//! other. Who wants them registers webhooks in the account `operator`. Nothing is said about that account's own
//! webhooks, so no notice leads to another.

use serde_json::{Value, json};

use super::error::StoreError;
use super::message::NewEvent;
use super::staging::Staging;
use crate::domain::account::OPERATOR_ACCOUNT;
use crate::domain::delivery::{Cause, Delivery};
use crate::domain::event::Event;
use crate::domain::webhook::Webhook;

impl Staging<'_> {
    /// Tells the operator about a webhook. `facts`, an object, goes beside what names the webhook.
    pub(super) fn notice_of(&mut self, webhook: &Webhook, word: &str, facts: Value) -> Result<(), StoreError> {
        let account = self.registry().account(webhook.account).map(|account| account.id.clone());
        let account = account.unwrap_or_default();
        if account == OPERATOR_ACCOUNT {
            return Ok(());
        }
        tracing::warn!(notice = word, webhook = %webhook.id, %facts, "notice");
        let mut data = json!({
            "webhook_id": webhook.id.to_string(), "account": account, "url": webhook.shown_url(), "name": webhook.name,
        });
        if let (Some(data), Value::Object(facts)) = (data.as_object_mut(), facts) {
            data.extend(facts);
        }
        self.tell_operator(word, data)
    }

    /// Tells the operator that a delivery used up its retries.
    pub(super) fn notice_of_dead(&mut self, webhook: &Webhook, delivery: &Delivery) -> Result<(), StoreError> {
        let word = "delivery.dead";
        if !self.operator_wants(word) {
            return Ok(());
        }
        let event = self.event(webhook.account, delivery.event)?;
        let facts = json!({
            "delivery_id": delivery.id.to_string(),
            "event_id": event.as_ref().map_or_else(|| delivery.event.to_string(), Event::public_id),
            "event_type": event.map(|event| event.event_type),
            "attempts": delivery.attempts,
            "last_error": delivery.latest_attempt().map(|last| last.outcome.to_string()).or(delivery.reason.clone()),
        });
        self.notice_of(webhook, word, facts)
    }

    /// Tells the operator. Without a webhook that wants it, nothing is stored.
    pub(super) fn tell_operator(&mut self, word: &str, data: Value) -> Result<(), StoreError> {
        if !self.operator_wants(word) {
            return Ok(());
        }
        let account = self.operator().expect("it wants something");
        let event = NewEvent {
            name: None,
            event_type: word.to_string(),
            created_at: None,
            data: data.to_string().into(),
            actor: None,
            metadata: None,
            test: false,
            channels: Vec::new(),
            fingerprint: None,
        };
        let wanting = self.wanting_of(account, &event);
        self.put_event(account, event, wanting, Cause::Accept).map(drop)
    }

    fn operator(&self) -> Option<u32> {
        self.registry().account_by_id(OPERATOR_ACCOUNT).map(|account| account.number)
    }

    fn operator_wants(&self, word: &str) -> bool {
        self.operator().is_some_and(|account| self.registry().any_wants(account, (word, &[], false)))
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::retry::Next;
    use crate::store::bench::Bench;

    #[test]
    fn whoever_wants_to_know_is_told_of_a_delivery_that_used_up_its_retries() {
        for wants in [false, true] {
            let mut bench = Bench::new();
            let webhook = bench.webhook();
            let operator = if wants { bench.operator("delivery.dead") } else { 2 };
            let [dead, delivered] = [(); 2].map(|()| bench.publish().delivery_to(webhook));
            bench.settle(delivered, 1, Next::Succeeded);
            assert_eq!(bench.events(operator), 0);
            bench.settle(dead, 1, Next::Dead);
            assert_eq!(bench.events(operator), usize::from(wants));
        }
    }
}
