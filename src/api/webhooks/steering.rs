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
use crate::api::webhooks::view::WebhookView;
use crate::domain::audit::Deed;
use crate::domain::time::UnixMs;
use crate::domain::webhook::{Status, Webhook};
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
#[utoipa::path(
    operation_id = "webhooks.pause", security(("key" = ["manage"])),
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "Paused", body = Reply<WebhookView>),
        (status = 409, description = "It is disabled"),
    )
)]
#[post("/api/v1/webhooks/{id}/pause")]
pub async fn pause(tenant: May<Manage>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let reach = reach(&api, &tenant);
    shown(&reach, &reach.pause(&id).await?, Vec::new())
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
    pub async fn pause(&self, id: &str) -> Result<Webhook, Problem> {
        let decide = |webhook: &Webhook, now| match &webhook.status {
            Status::Disabled { .. } => Err("the webhook is disabled, so nothing goes out; enable it first"),
            Status::Paused { .. } => Ok(webhook.status.clone()),
            _ => Ok(Status::Paused { since: now }),
        };
        self.set_status(id, "paused", decide).await
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
        let webhook = self.webhook(id)?;
        let (account, id) = (webhook.account, webhook.id);
        let changed = self.api.change(self.tenant, move |staging| {
            let webhook = staging.registry().webhook_of(account, id).cloned().ok_or(Refusal::NotFound("webhook"))?;
            match decide(&webhook, staging.now()) {
                Ok(status) if status == webhook.status => Ok((None, Ok((*webhook).clone()))),
                Ok(status) => {
                    let webhook = staging.update_webhook(account, id, |webhook, _| {
                        webhook.status = status;
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
