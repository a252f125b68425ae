//! What a consumer that pulls asks for and says. What stays true: a lease is one of the webhook that is named with it.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;

use crate::api::http::request::vet_text;
use crate::domain::Invalid;
use crate::domain::id::WebhookNumber;
use crate::domain::pull::{
    Ask, LEASE_SECONDS_DEFAULT, LEASE_SECONDS_MAX, LIMIT_DEFAULT, LIMIT_MAX, LeaseId, REASON_CHARS_MAX, STATUSES_ACKED,
    STATUSES_NACKED, WAIT_SECONDS_DEFAULT, WAIT_SECONDS_MAX, Word,
};
use crate::domain::webhook::Webhook;

/// What a consumer asks for.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PullQuery {
    /// Deliveries, 1 to 100; 10 if left out. There are fewer where their bodies are more than a mebibyte together.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 100)]
    limit: Option<String>,
    /// How long to wait where there is none, in seconds, 0 to 30; 20 if left out.
    #[param(value_type = Option<u16>, minimum = 0, maximum = 30)]
    wait: Option<String>,
    /// How long you have for each, in seconds, 1 to 3,600; 30 if left out. It can be extended.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 3600)]
    lease: Option<String>,
}

impl PullQuery {
    /// What that is, of a webhook.
    pub fn read(&self, webhook: WebhookNumber) -> Result<Ask, Invalid> {
        let limit = number("limit", self.limit.as_deref(), 1..=LIMIT_MAX as u64, LIMIT_DEFAULT as u64)?;
        let wait = number("wait", self.wait.as_deref(), 0..=WAIT_SECONDS_MAX, WAIT_SECONDS_DEFAULT)?;
        let lease = number("lease", self.lease.as_deref(), 1..=LEASE_SECONDS_MAX, LEASE_SECONDS_DEFAULT)?;
        let (wait, lease) = (Duration::from_secs(wait), Duration::from_secs(lease));
        Ok(Ask { webhook, limit: limit as usize, wait, lease })
    }
}

fn number(field: &str, text: Option<&str>, may_be: RangeInclusive<u64>, usual: u64) -> Result<u64, Invalid> {
    let read = text.map_or(Some(usual), |text| text.parse().ok().filter(|n| may_be.contains(n)));
    let (least, most) = (may_be.start(), may_be.end());
    read.ok_or_else(|| Invalid::new(field, format!("must be a number from {least} to {most}")))
}

/// Leases of deliveries that are done.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeasesAck)]
pub struct AckInput {
    /// The leases, 1 to 100.
    pub leases: Vec<String>,
    /// What you were answered where you passed them on, 200 to 299: it is the attempt's `status_code`, as if it was sent there.
    #[serde(default)]
    status_code: Option<u16>,
    /// The start of that answer, in at most 500 characters: it is the attempt's `response_body`. Only with `status_code`.
    #[serde(default)]
    response_body: Option<String>,
}

/// Leases of deliveries that could not be done.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeasesNack)]
pub struct NackInput {
    /// The leases, 1 to 100.
    pub leases: Vec<String>,
    /// Why, in at most 500 characters: it stands in the attempt. Not with `status_code`, which says why.
    #[serde(default)]
    reason: Option<String>,
    /// What you were answered where you passed them on, 300 to 599: it is the attempt's `status_code`, as if it was sent there.
    #[serde(default)]
    status_code: Option<u16>,
    /// The start of that answer, in at most 500 characters: it is the attempt's `response_body`. Only with `status_code`.
    #[serde(default)]
    response_body: Option<String>,
}

/// Leases of deliveries that take longer.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeasesExtend)]
pub struct ExtendInput {
    /// The leases, 1 to 100.
    pub leases: Vec<String>,
    /// How long each goes on from now, in seconds, 1 to 3,600; 30 if left out.
    #[serde(default)]
    seconds: Option<u64>,
}

impl AckInput {
    /// What is said with it.
    pub fn word(&self) -> Result<Word, Invalid> {
        Ok(answered(self.status_code, self.response_body.as_deref(), STATUSES_ACKED)?.unwrap_or(Word::Ack))
    }
}

impl NackInput {
    /// What is said with it.
    pub fn word(&self) -> Result<Word, Invalid> {
        if let Some(answered) = answered(self.status_code, self.response_body.as_deref(), STATUSES_NACKED)? {
            return match self.reason {
                Some(_) => {
                    Err(Invalid::new("reason", "cannot stand together with status_code; say it in response_body"))
                }
                None => Ok(answered),
            };
        }
        let reason = self.reason.clone().map(|text| vet_text("reason", text, REASON_CHARS_MAX)).transpose()?;
        Ok(Word::Nack(reason))
    }
}

/// What a status says that who passed a delivery on was answered with, if it says one.
fn answered(status: Option<u16>, body: Option<&str>, may_be: RangeInclusive<u16>) -> Result<Option<Word>, Invalid> {
    let Some(status) = status else {
        return match body {
            Some(_) => Err(Invalid::new("response_body", "stands only together with status_code")),
            None => Ok(None),
        };
    };
    if !may_be.contains(&status) {
        let (least, most) = (may_be.start(), may_be.end());
        let message = format!("must be from {least} to {most} here: ack takes 200 to 299, nack takes 300 to 599");
        return Err(Invalid::new("status_code", message));
    }
    match body.filter(|body| body.chars().nth(REASON_CHARS_MAX).is_some()) {
        Some(_) => Err(Invalid::new("response_body", format!("must be at most {REASON_CHARS_MAX} characters; cut it"))),
        None => Ok(Some(Word::Answered(status, body.map(str::to_owned)))),
    }
}

impl ExtendInput {
    /// What is said with it.
    pub fn word(&self) -> Result<Word, Invalid> {
        let seconds = self.seconds.unwrap_or(LEASE_SECONDS_DEFAULT);
        if !(1..=LEASE_SECONDS_MAX).contains(&seconds) {
            return Err(Invalid::new("seconds", format!("must be a number from 1 to {LEASE_SECONDS_MAX}")));
        }
        Ok(Word::Extend(Duration::from_secs(seconds)))
    }
}

/// Reads leases of deliveries of this webhook.
pub fn vet_leases(texts: &[String], webhook: &Webhook) -> Result<Vec<LeaseId>, Invalid> {
    if texts.is_empty() || texts.len() > LIMIT_MAX {
        return Err(Invalid::new("leases", format!("must name 1 to {LIMIT_MAX} leases")));
    }
    let read = |(n, text): (usize, &String)| {
        let lease = LeaseId::parse(text).filter(|lease| lease.attempt.delivery.webhook() == webhook.number());
        lease.ok_or_else(|| Invalid::new(format!("leases[{n}]"), "is no lease of a delivery of this webhook"))
    };
    texts.iter().enumerate().map(read).collect()
}
