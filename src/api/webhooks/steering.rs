//! Holding a webhook's deliveries and letting them out again. The commit thread decides, so that two who change a
//! webhook at once do not undo each other; nothing that is held is lost.

use actix_web::{HttpResponse, post, web};
use serde::Deserialize;

use super::input::vet_reason;
use super::reach::{Reach, reach, shown};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::{Manage, May};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::http::request::bound;
use crate::api::webhooks::view::WebhookView;
use crate::domain::Invalid;
use crate::domain::audit::Deed;
use crate::domain::time::UnixMs;
use crate::domain::webhook::{PAUSE_SECONDS_MAX, Status, Webhook};
use crate::store::Refusal;

/// Why a webhook is disabled.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookDisable)]
struct DisableInput {
    /// Why, in one sentence.
    #[serde(default)]
    reason: Option<String>,
}

/// How long a webhook is paused; until somebody resumes it, if nothing is said.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookPause)]
pub struct PauseInput {
    /// Until this time, at most 30 days from now. Either this or `seconds`.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub until: Option<String>,
    /// For so many seconds, 1 to 2,592,000 (30 days).
    #[serde(default)]
    pub seconds: Option<u64>,
}

impl PauseInput {
    /// When it goes on, in the server's time, which is `now` where the wall clock shows `wall`.
    fn resumes_at(&self, now: UnixMs, wall: UnixMs) -> Result<Option<UnixMs>, Invalid> {
        let ms = match (bound("until", self.until.as_deref())?, self.seconds) {
            (Some(_), Some(_)) => return Err(Invalid::new("seconds", "cannot stand together with until")),
            (None, None) => return Ok(None),
            (Some(until), None) => until.saturating_sub(wall),
            (None, Some(seconds)) => seconds.saturating_mul(1000),
        };
        if (1..=PAUSE_SECONDS_MAX * 1000).contains(&ms) {
            return Ok(Some(now + ms));
        }
        let (field, message) = match self.until {
            Some(_) => ("until", "must lie in the future, at most 30 days ahead".to_owned()),
            None => ("seconds", format!("must be between 1 and {PAUSE_SECONDS_MAX} (30 days)")),
        };
        Err(Invalid::new(field, message))
    }
}

/// Let the deliveries of a disabled webhook out again
#[utoipa::path(
    operation_id = "webhooks.enable", security(("key" = ["manage"])),
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "Active", body = Reply<WebhookView>),
        (status = 409, description = "It is paused"),
    )
)]
#[post("/api/v1/webhooks/{id}/enable")]
pub async fn enable(tenant: May<Manage>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let reach = reach(&api, &tenant);
    shown(&reach, &reach.enable(&id).await?, Vec::new())
}

/// Hold the deliveries of a webhook, with a reason
#[utoipa::path(
    operation_id = "webhooks.disable", security(("key" = ["manage"])),
    params(("id" = String, Path)), request_body = Option<DisableInput>,
    responses((status = 200, description = "Disabled", body = Reply<WebhookView>))
)]
#[post("/api/v1/webhooks/{id}/disable")]
pub async fn disable(
    Asked(tenant, body): Asked<Manage>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let reach = reach(&api, &tenant);
    let input = body.read_or_empty::<DisableInput>()?;
    shown(&reach, &reach.disable(&id, input.reason).await?, Vec::new())
}

/// Hold the deliveries of a webhook for a while
///
/// Until somebody resumes it, or until a time that is given; said again, that is another one.
#[utoipa::path(
    operation_id = "webhooks.pause", security(("key" = ["manage"])),
    params(("id" = String, Path)), request_body = Option<PauseInput>,
    responses(
        (status = 200, description = "Paused", body = Reply<WebhookView>),
        (status = 409, description = "It is disabled"),
    )
)]
#[post("/api/v1/webhooks/{id}/pause")]
pub async fn pause(
    Asked(tenant, body): Asked<Manage>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let reach = reach(&api, &tenant);
    let input = body.read_or_empty::<PauseInput>()?;
    shown(&reach, &reach.pause(&id, input).await?, Vec::new())
}

/// Let the deliveries of a paused webhook out again
#[utoipa::path(
    operation_id = "webhooks.resume", security(("key" = ["manage"])),
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "Active", body = Reply<WebhookView>),
        (status = 409, description = "It is disabled"),
    )
)]
#[post("/api/v1/webhooks/{id}/resume")]
pub async fn resume(tenant: May<Manage>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let reach = reach(&api, &tenant);
    shown(&reach, &reach.resume(&id).await?, Vec::new())
}

impl Reach<'_> {
    /// Lets the deliveries of a disabled webhook out again.
    pub async fn enable(&self, id: &str) -> Result<Webhook, Problem> {
        let decide = |webhook: &Webhook| match webhook.status {
            Status::Paused { .. } => Err("the webhook is paused; resume it instead"),
            _ => Ok(Status::Active),
        };
        self.set_status(id, "enabled", move |webhook, _| decide(webhook)).await
    }

    /// Holds the deliveries of a webhook, with a reason.
    pub async fn disable(&self, id: &str, reason: Option<String>) -> Result<Webhook, Problem> {
        let reason = vet_reason(reason)?;
        let decide = |webhook: &Webhook, now| match &webhook.status {
            Status::Disabled { .. } => Ok(webhook.status.clone()),
            _ => Ok(Status::Disabled { since: now, reason, probe_at: None }),
        };
        self.set_status(id, "disabled", decide).await
    }

    /// Holds the deliveries of a webhook for a while.
    pub async fn pause(&self, id: &str, input: PauseInput) -> Result<Webhook, Problem> {
        let resumes_at = input.resumes_at(self.api.clock.now(), self.api.clock.wall())?;
        let decide = |webhook: &Webhook, now| match &webhook.status {
            Status::Disabled { .. } => Err("the webhook is disabled, so nothing goes out; enable it first"),
            Status::Paused { .. } => Ok(webhook.status.clone()),
            _ => Ok(Status::Paused { since: now }),
        };
        self.set_status_until(id, "paused", resumes_at, decide).await
    }

    /// Lets the deliveries of a paused webhook out again.
    pub async fn resume(&self, id: &str) -> Result<Webhook, Problem> {
        let decide = |webhook: &Webhook, _| match webhook.status {
            Status::Disabled { .. } => Err("the webhook is disabled; enable it instead"),
            _ => Ok(Status::Active),
        };
        self.set_status(id, "resumed", decide).await
    }

    async fn set_status(
        &self,
        id: &str,
        verb: &'static str,
        decide: impl FnOnce(&Webhook, UnixMs) -> Result<Status, &'static str> + Send + 'static,
    ) -> Result<Webhook, Problem> {
        self.set_status_until(id, verb, None, decide).await
    }

    /// The same until then, where it is a pause.
    async fn set_status_until(
        &self,
        id: &str,
        verb: &'static str,
        resumes_at: Option<UnixMs>,
        decide: impl FnOnce(&Webhook, UnixMs) -> Result<Status, &'static str> + Send + 'static,
    ) -> Result<Webhook, Problem> {
        let webhook = self.webhook(id)?;
        let (account, id) = (webhook.account, webhook.id);
        let changed = self.api.change(self.tenant, move |staging| {
            let webhook = staging.registry().webhook_of(account, id).ok_or(Refusal::NotFound("webhook"))?;
            match decide(&webhook, staging.now()) {
                Ok(status) if status == webhook.status && resumes_at == webhook.resumes_at => {
                    Ok((None, Ok((*webhook).clone())))
                }
                Ok(status) => {
                    let webhook = staging.update_webhook(account, id, |webhook, _| {
                        (webhook.status, webhook.resumes_at) = (status, resumes_at);
                        Ok(())
                    })?;
                    Ok((Some(Deed::to_webhook(account, verb, id)), Ok(webhook)))
                }
                Err(message) => Ok((None, Err(message))),
            }
        });
        changed.await?.map_err(Problem::wrong_state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time;

    #[test]
    fn a_pause_ends_in_the_servers_time_and_within_bounds() {
        let (now, wall) = (1_000_000, 1_700_000_000_000);
        let until = |ms: u64| PauseInput { until: Some(time::rfc3339(wall + ms)), seconds: None };
        let seconds = |seconds| PauseInput { until: None, seconds: Some(seconds) };
        let ends = |input: &PauseInput| input.resumes_at(now, wall).map_err(|invalid| invalid.field);
        assert_eq!(ends(&PauseInput::default()), Ok(None));
        assert_eq!((ends(&until(5_000)), ends(&seconds(5))), (Ok(Some(now + 5_000)), Ok(Some(now + 5_000))));
        assert_eq!(ends(&seconds(PAUSE_SECONDS_MAX)), Ok(Some(now + PAUSE_SECONDS_MAX * 1000)));
        for bad in [seconds(0), seconds(PAUSE_SECONDS_MAX + 1), seconds(u64::MAX)] {
            assert_eq!(ends(&bad), Err("seconds".into()));
        }
        for bad in
            [until(0), until(PAUSE_SECONDS_MAX * 1000 + 1), PauseInput { until: Some("soon".into()), seconds: None }]
        {
            assert_eq!(ends(&bad), Err("until".into()));
        }
        assert_eq!(ends(&PauseInput { seconds: Some(1), ..until(1) }), Err("seconds".into()));
    }
}
