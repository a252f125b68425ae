//! What a stream is asked to tell. What stays true: its filters are those of the lists, read by the same code.

use serde::Deserialize;

use super::place::Place;
use crate::api::Api;
use crate::api::access::auth::Tenant;
use crate::api::deliveries::filter::{DeliveriesFilter, Sought as OfDeliveries, one_of};
use crate::api::http::problem::Problem;
use crate::api::openapi::words::{AttemptOutcome, StreamKind};
use crate::api::webhooks::reach::webhook_ever;
use crate::domain::Invalid;
use crate::domain::ability::Ability;
use crate::domain::account::Scope;
use crate::domain::delivery::Outcome;
use crate::domain::happening::{Happening, What};
use crate::domain::id::{AccountNumber, WebhookNumber};
use crate::domain::webhook::EventFilter;

/// What to tell.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub struct StreamQuery {
    /// Only what is about this webhook, by its id, also after it was deleted: events that it wanted, and what became of them there.
    pub webhook: Option<String>,
    /// Only of this event type, or of those that a filter such as `task.*` lets through.
    pub event_type: Option<String>,
    /// Only what is of this kind.
    #[param(value_type = Option<StreamKind>)]
    pub kind: Option<String>,
    /// Only attempts that were answered with this status, such as `503`, or one of a class, such as `5xx`, and deliveries that died
    /// of one; no events then.
    #[param(pattern = "^([1-9][0-9]{2}|[1-9]xx)$")]
    pub status_code: Option<String>,
    /// Only attempts of which this came, and deliveries that died of it; no events then.
    #[param(value_type = Option<AttemptOutcome>)]
    pub outcome: Option<String>,
    /// `all`: of all accounts, for the operator's key; each message names the `account` then.
    #[param(pattern = "^all$", example = "all")]
    pub accounts: Option<String>,
    /// Behind the message of this id, as the header `Last-Event-ID` says it, which goes before. Left out: from now on.
    #[param(example = "01980e5a-3c1f-7a2b-8c4d-000000000000")]
    pub last_event_id: Option<String>,
    /// `false`: ends once all is told that happened by now.
    #[param(value_type = Option<bool>, example = false)]
    pub follow: Option<String>,
}

/// The same, read.
pub struct Asked {
    /// What to tell.
    pub sought: Sought,
    /// Behind this.
    pub place: Option<Place>,
    /// Or from there on, as [`beginning`](super::following::beginning) said; none: from now on.
    pub since: Option<u128>,
    /// Whether it goes on.
    pub follows: bool,
}

/// Which of what happens is told.
pub struct Sought {
    /// Of this account; none: of all.
    pub account: Option<AccountNumber>,
    webhook: Option<WebhookNumber>,
    kind: Option<String>,
    outcomes: OfDeliveries,
    is_of_attempts: bool,
}

impl StreamQuery {
    /// Reads it for who asks, with what the header `Last-Event-ID` says.
    ///
    /// # Errors
    /// What cannot be read, a webhook that is not there, or `accounts` without the scope for it.
    pub fn read(self, api: &Api, tenant: &Tenant, header: Option<&str>) -> Result<Asked, Problem> {
        let is_of_all = match self.accounts.as_deref() {
            None => false,
            Some("all") if tenant.can(Ability::Server) => true,
            Some("all") => return Err(Problem::scope_missing(Scope::Admin).with_field("accounts")),
            Some(_) => return Err(Invalid::new("accounts", "must be all, or left out").into()),
        };
        let follows = match self.follow.as_deref() {
            None | Some("true") => true,
            Some("false") => false,
            Some(_) => return Err(Invalid::new("follow", "must be true or false").into()),
        };
        let (field, place) = match header {
            Some(_) => ("Last-Event-ID", header),
            None => ("last_event_id", self.last_event_id.as_deref()),
        };
        let wrong = || Invalid::new(field, "is no id of a message of this stream; leave it out to begin now");
        let place = place.map(|text| Place::parse(text.trim()).ok_or_else(wrong)).transpose()?;
        let is_of_attempts = self.status_code.is_some() || self.outcome.is_some();
        let webhook = self.webhook.as_deref().map(|id| webhook_ever(api, tenant, id)).transpose()?;
        let (event_type, status_code, outcome) = (self.event_type, self.status_code, self.outcome);
        let outcomes = DeliveriesFilter { event_type, status_code, outcome, ..DeliveriesFilter::default() }.read()?;
        let kind = one_of("kind", self.kind, What::WORDS)?;
        let account = (!is_of_all).then_some(tenant.account().number);
        Ok(Asked { sought: Sought { account, webhook, kind, outcomes, is_of_attempts }, place, since: None, follows })
    }
}

impl Sought {
    /// Whether it is of the account, and so has a number among what a row tells.
    pub fn is_seen(&self, happening: &Happening) -> bool {
        self.account.is_none_or(|account| account == happening.account)
    }

    /// Whether it may be asked for, for all that can be told without reading more about it.
    pub fn may_want(&self, what: &What) -> bool {
        let is_of_webhook = |wanted: WebhookNumber| match what {
            What::Event(_) => true,
            What::Attempt { delivery, .. } | What::Dead(delivery) => delivery.webhook() == wanted,
        };
        self.wants_kind(what.word()) && self.webhook.is_none_or(is_of_webhook)
    }

    /// Whether what is of this kind is asked for.
    pub fn wants_kind(&self, kind: &str) -> bool {
        let is_of_events = kind == What::WORDS[0];
        self.kind.as_deref().is_none_or(|wanted| wanted == kind) && !(is_of_events && self.is_of_attempts)
    }

    /// The webhook that it is to be about.
    pub fn webhook(&self) -> Option<WebhookNumber> {
        self.webhook
    }

    /// What is asked of deliveries.
    pub fn of_deliveries(&self) -> &OfDeliveries {
        &self.outcomes
    }

    /// Whether an event of this type is asked for that went to these webhooks.
    pub fn wants_event(&self, event_type: &str, webhooks: &[WebhookNumber]) -> bool {
        self.wants_type(Some(event_type)) && self.webhook.is_none_or(|wanted| webhooks.binary_search(&wanted).is_ok())
    }

    /// Whether an attempt of which this came is asked for, or a delivery with such a latest one.
    pub fn wants_attempt(&self, event_type: Option<&str>, outcome: Option<&Outcome>) -> bool {
        self.wants_type(event_type) && self.outcomes.wants_outcome(outcome)
    }

    fn wants_type(&self, event_type: Option<&str>) -> bool {
        let matches = |wanted: &EventFilter| event_type.is_some_and(|event_type| wanted.matches(event_type));
        self.outcomes.event_type.as_ref().is_none_or(matches)
    }
}
