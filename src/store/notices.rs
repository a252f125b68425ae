//! What people are told when something is wrong: events that the server makes itself, so they are stored, sent, retried and shown
//! like any other. An account hears of its own webhooks by those of them that hear notices; the operator hears of all accounts
//! and of the server by the webhooks of the account `operator`. What stays true: nothing is said to an account about webhooks
//! that hear notices, nothing to anybody about the operator's, and nothing about a notice that could not be delivered, so no
//! notice leads to another.

use serde_json::{Map, Value, json};

use super::error::StoreError;
use super::message::NewEvent;
use super::publish::Wanting;
use super::registry::Mode;
use super::staging::Staging;
use crate::domain::account::OPERATOR_ACCOUNT;
use crate::domain::delivery::{AttemptSummary, Delivery};
use crate::domain::id::{AccountNumber, WebhookNumber};
use crate::domain::notice::{self, TOLD_AT_ONCE_MAX};
use crate::domain::time;
use crate::domain::webhook::Webhook;

/// A notice that is to be told.
struct Telling<'a> {
    kind: &'a str,
    data: Map<String, Value>,
    about: Option<WebhookNumber>,
}

impl Staging<'_> {
    /// Tells about a webhook. `facts`, an object, goes beside what names the webhook.
    pub(super) fn notice_of(&mut self, webhook: &Webhook, kind: &str, facts: Value) -> Result<(), StoreError> {
        let account = self.registry().account(webhook.account).map(|account| account.id.clone()).unwrap_or_default();
        if account == OPERATOR_ACCOUNT {
            return Ok(());
        }
        tracing::warn!(notice = kind, webhook = %webhook.id, %facts, "notice");
        let url = webhook.shown_url().map(|_| webhook.url.place());
        let mut data = object(json!({
            "webhook_id": webhook.id.to_string(), "account": account, "url": url, "name": webhook.name,
        }));
        data.extend(object(facts));
        let data = notice::with_text(kind, Some(&webhook.label()), data);
        let telling = Telling { kind, data, about: Some(webhook.number()) };
        self.tell_operator_of(&telling)?;
        match webhook.notices {
            None => self.tell(webhook.account, &telling, &webhook.channels),
            Some(_) => Ok(()),
        }
    }

    /// Tells that a delivery used up its retries; not one of a notice, or each that is lost would make another.
    pub(super) fn notice_of_dead(&mut self, webhook: &Webhook, delivery: &Delivery) -> Result<(), StoreError> {
        let kind = "delivery.dead";
        if webhook.notices.is_some() || !self.anybody_hears(webhook, kind) {
            return Ok(());
        }
        let event = self.event_head(webhook.account, delivery.event)?;
        let facts = json!({
            "delivery_id": delivery.id.to_string(),
            "event_id": event.as_ref().map_or_else(|| delivery.event.to_string(), |event| event.public_id()),
            "event_type": event.map(|event| event.event_type),
            "attempts": delivery.attempts,
            "last_error": delivery.latest_attempt().map(|last| last.outcome.to_string()).or(delivery.reason.clone()),
        });
        self.notice_of(webhook, kind, facts)
    }

    /// Tells once that a webhook's endpoint keeps failing, if this attempt says so.
    pub(super) fn notice_of_failing(&mut self, webhook: &Webhook, attempt: &AttemptSummary) -> Result<(), StoreError> {
        let tally = self.tally(webhook.number());
        if !tally.begins_to_be_failing(attempt.ended_at()) {
            return Ok(());
        }
        let facts = json!({
            "consecutive_failures": tally.consecutive_failures,
            "failing_since": tally.failing_since.map(time::rfc3339),
            "open": tally.open(),
            "last_error": attempt.outcome.to_string(),
        });
        self.notice_of(webhook, "endpoint.failing", facts)
    }

    /// Tells that it takes deliveries again, if it was told that it did not.
    pub(super) fn notice_of_recovery(&mut self, webhook: &Webhook) -> Result<(), StoreError> {
        let tally = self.tally(webhook.number());
        let Some(told_at) = tally.ends_to_be_failing() else { return Ok(()) };
        let facts = json!({"failing_told_at": time::rfc3339(told_at), "open": tally.open()});
        self.notice_of(webhook, "endpoint.recovered", facts)
    }

    /// Tells about an account: its own webhooks and the operator's.
    pub(super) fn notice_of_account(
        &mut self,
        account: AccountNumber,
        kind: &str,
        facts: Value,
    ) -> Result<(), StoreError> {
        let Some(id) = self.registry().account(account).map(|account| account.id.clone()) else { return Ok(()) };
        if id == OPERATOR_ACCOUNT {
            return Ok(());
        }
        tracing::warn!(notice = kind, account = id, %facts, "notice");
        let mut data = object(json!({"account": id}));
        data.extend(object(facts));
        let telling = Telling { kind, data: notice::with_text(kind, Some(&id), data), about: None };
        self.tell_operator_of(&telling)?;
        self.tell(account, &telling, &[])
    }

    /// Tells the operator about the server. `facts` is an object.
    pub(super) fn tell_operator(&mut self, kind: &str, facts: Value) -> Result<(), StoreError> {
        let data = notice::with_text(kind, None, object(facts));
        self.tell_operator_of(&Telling { kind, data, about: None })
    }

    fn tell_operator_of(&mut self, telling: &Telling<'_>) -> Result<(), StoreError> {
        match self.operator() {
            Some(operator) => self.tell(operator, telling, &[]),
            None => Ok(()),
        }
    }

    /// Tells those webhooks of the account that hear it. Without any, nothing is stored.
    fn tell(&mut self, account: AccountNumber, telling: &Telling<'_>, channels: &[String]) -> Result<(), StoreError> {
        if !self.registry().is_served(account) || !self.hears(account, telling.kind, channels) {
            return Ok(());
        }
        let event = NewEvent::notice(telling.kind, telling.data.clone(), channels.to_vec());
        let mut wanting = Wanting::default();
        for mode in self.modes(account) {
            let of = self.wanting_in(account, &event, *mode);
            if !of.webhooks.is_empty() {
                wanting.order_keys = of.order_keys;
            }
            wanting.webhooks.extend(of.webhooks);
            wanting.too_costly.extend(of.too_costly);
        }
        wanting.webhooks.sort_unstable();
        wanting.too_costly.sort_unstable();
        let told = self.told.get(&account).copied().unwrap_or_default();
        self.keep_quiet(&mut wanting, (telling.kind, telling.about), told >= TOLD_AT_ONCE_MAX)?;
        if wanting.webhooks.is_empty() {
            return Ok(());
        }
        self.told.insert(account, told + 1);
        self.put_told(account, event, wanting)
    }

    fn operator(&self) -> Option<AccountNumber> {
        self.registry().account_by_id(OPERATOR_ACCOUNT).map(|account| account.number)
    }

    /// In the account `operator` all webhooks hear notices, whether they say so or not.
    fn modes(&self, account: AccountNumber) -> &'static [Mode] {
        if self.operator() == Some(account) { &[Mode::Events, Mode::Notices] } else { &[Mode::Notices] }
    }

    fn hears(&self, account: AccountNumber, kind: &str, channels: &[String]) -> bool {
        let modes = self.modes(account);
        let registry = self.registry();
        modes.iter().any(|mode| registry.any_wants(account, (kind, channels, *mode)))
    }

    /// Whether it is worth the while to find out what is to be told about the webhook.
    fn anybody_hears(&self, webhook: &Webhook, kind: &str) -> bool {
        self.operator().is_some_and(|operator| self.hears(operator, kind, &[]))
            || self.hears(webhook.account, kind, &webhook.channels)
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => unreachable!("facts are an object: {other}"),
    }
}

#[cfg(test)]
mod tests;
