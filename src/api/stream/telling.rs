//! How what happened is told: an event and a delivery as lists show them, an attempt with where its delivery stood after it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::Serialize;

use super::input::Sought;
use crate::api::Api;
use crate::api::deliveries::history::{History, Row};
use crate::api::deliveries::view::view;
use crate::api::events::view::row;
use crate::domain::delivery::{AttemptSummary, Delivery, DeliveryState};
use crate::domain::happening::{Happening, What};
use crate::domain::id::{AccountNumber, DeliveryId, EventId, WebhookNumber};
use crate::domain::time::{self, UnixMs};
use crate::store::StoreError;

/// What is told of an attempt.
#[derive(Debug, Serialize)]
struct AttemptTold {
    delivery_id: String,
    event_id: String,
    event_type: Option<String>,
    webhook_id: String,
    attempt: u16,
    attempted_at: Option<String>,
    status_code: Option<u16>,
    response_time_ms: Option<u32>,
    outcome: &'static str,
    success: bool,
    error: Option<String>,
    /// Where the delivery stood after it.
    state: &'static str,
    next_attempt_at: Option<String>,
}

/// With its account, where those of all are told.
#[derive(Debug, Serialize)]
struct Told<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(flatten)]
    what: T,
}

/// Tells one thing after the other.
pub struct Teller<'a> {
    api: &'a Api,
    sought: &'a Sought,
    histories: HashMap<WebhookNumber, History>,
}

impl<'a> Teller<'a> {
    /// Tells of what is sought.
    pub fn of(api: &'a Api, sought: &'a Sought) -> Self {
        Self { api, sought, histories: HashMap::new() }
    }

    /// What is told of it, as JSON on one line; nothing where it is not asked for, or not kept any more.
    pub fn tell(&mut self, happening: &Happening) -> Result<Option<String>, StoreError> {
        if !self.sought.may_want(&happening.what) {
            return Ok(None);
        }
        let told = match happening.what {
            What::Event(id) => self.event(happening.account, id),
            What::Attempt { delivery, number, state, next_attempt_at } => {
                self.attempt(happening.account, delivery, number, (state, next_attempt_at))
            }
            What::Dead(id) => self.dead(happening.account, id),
        };
        match told {
            // It was put aside: nothing can be told of it, now or later.
            Err(StoreError::Damaged(_)) => Ok(None),
            told => told,
        }
    }

    fn event(&self, account: AccountNumber, id: EventId) -> Result<Option<String>, StoreError> {
        let head = self.api.store.event_head(account, id)?;
        let head = head.filter(|head| self.sought.wants_event(&head.event_type, &head.webhooks));
        Ok(head.map(|head| self.written(account, row(head))))
    }

    fn attempt(
        &mut self,
        account: AccountNumber,
        id: DeliveryId,
        number: u16,
        (state, next_attempt_at): (DeliveryState, Option<UnixMs>),
    ) -> Result<Option<String>, StoreError> {
        let Some(delivery) = self.api.store.delivery(id)? else { return Ok(None) };
        let Some(attempt) = self.summary(&delivery, number)? else { return Ok(None) };
        let Some(history) = self.history(id.webhook())? else { return Ok(None) };
        let shown = history.row(&delivery, Some(&attempt))?;
        if !self.sought.wants_attempt(shown.event_type.as_deref(), Some(&attempt.outcome)) {
            return Ok(None);
        }
        let Row { id, event_id, event_type, webhook_id, attempted_at, status_code, response_time_ms, error, .. } =
            shown;
        let success = state == DeliveryState::Succeeded;
        let told = AttemptTold {
            delivery_id: id,
            event_id,
            event_type,
            webhook_id,
            attempt: number,
            attempted_at,
            status_code,
            response_time_ms,
            outcome: attempt.outcome.kind(),
            success,
            error: error.filter(|_| !success),
            state: state.word(),
            next_attempt_at: next_attempt_at.map(|at| time::rfc3339(self.api.store.shown(at))),
        };
        Ok(Some(self.written(account, told)))
    }

    fn dead(&mut self, account: AccountNumber, id: DeliveryId) -> Result<Option<String>, StoreError> {
        let Some(delivery) = self.api.store.delivery(id)? else { return Ok(None) };
        let Some(history) = self.history(id.webhook())? else { return Ok(None) };
        let shown = view(history, &delivery)?;
        let outcome = delivery.latest_attempt().map(|attempt| &attempt.outcome);
        let wants = self.sought.wants_attempt(shown.event_type.as_deref(), outcome);
        Ok(wants.then(|| self.written(account, shown)))
    }

    /// The attempt of this number. Most are the latest.
    fn summary(&self, delivery: &Delivery, number: u16) -> Result<Option<AttemptSummary>, StoreError> {
        let known = [delivery.latest.as_ref(), delivery.first.as_ref().map(|first| &first.summary)];
        if let Some(known) = known.into_iter().flatten().find(|one| one.number == number) {
            return Ok(Some(known.clone()));
        }
        let all = self.api.store.attempts(delivery)?;
        Ok(all.into_iter().map(|attempt| attempt.summary).find(|one| one.number == number))
    }

    fn history(&mut self, number: WebhookNumber) -> Result<Option<&History>, StoreError> {
        Ok(match self.histories.entry(number) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(unknown) => {
                let webhook = self.api.store.registry().webhook(number);
                match webhook {
                    Some(webhook) => Some(unknown.insert(History::of(self.api, webhook)?)),
                    None => None,
                }
            }
        })
    }

    fn written(&self, account: AccountNumber, what: impl Serialize) -> String {
        let named = |number| self.api.store.registry().account(number).map(|account| account.id.clone());
        let account = if self.sought.account.is_none() { named(account) } else { None };
        serde_json::to_string(&Told { account, what }).expect("it has text for keys")
    }
}
