//! The native routes of webhooks: each reads its request, calls one operation, and shows what came of it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, patch, post, put, web};

use super::create::WebhookCreate;
use super::filter::WebhooksFilter;
use super::input::WebhookInput;
use super::listing::page;
use super::reach::{reach, shown};
use super::view::WebhookView;
use super::{later, meant};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::{Manage, May, Read, Tenant};
use crate::api::http::body::Body;
use crate::api::http::list::{ListQuery, answer};
use crate::api::http::page::{PageQuery, PageReply};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;

/// Register a webhook
#[utoipa::path(
    operation_id = "webhooks.create", security(("key" = ["manage"])),
    request_body = WebhookCreate,
    responses(
        (status = 201, description = "Registered; `secret` is shown if it was generated", body = Reply<WebhookView>),
        (status = 409, description = "The account has as many as it or the dialect allows, or the `uid` is another's"),
    )
)]
#[post("/api/v1/webhooks")]
pub async fn create(Asked(tenant, body): Asked<Manage>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let made = match body.read::<WebhookInput>() {
        Ok(input) => make(&api, &tenant, input).await,
        Err(problem) => Err(problem),
    };
    let told = |problem| meant::told(&reach(&api, &tenant), &body.bytes, problem);
    let (data, warnings) = made.map_err(told)?;
    Ok(Reply::with(StatusCode::CREATED, data, warnings))
}

/// Makes a webhook: as it is shown, with its secret where that was generated, and what to tell about it. Where its endpoint is to
/// be asked once it can know the secret, that is done by and by.
pub async fn make(
    api: &web::Data<Api>,
    tenant: &Tenant,
    input: WebhookInput,
) -> Result<(WebhookView, Vec<String>), Problem> {
    let reach = reach(api, tenant);
    let created = reach.create(input).await?;
    let mut data = reach.view(&created.webhook)?;
    if created.generated {
        data = data.with_secret(&created.webhook.secrets[0].secret);
    }
    if let Some(turn) = created.asked_later {
        later::ask(api.clone(), tenant.clone(), &created.webhook, turn);
    }
    Ok((data, created.warnings))
}

/// List webhooks
#[utoipa::path(
    operation_id = "webhooks.list", security(("key" = ["read"])),
    params(WebhooksFilter, PageQuery),
    responses((status = 200, description = "A page of webhooks", body = PageReply<WebhookView>))
)]
#[get("/api/v1/webhooks")]
pub async fn list(
    tenant: May<Read>,
    api: web::Data<Api>,
    ListQuery { filter, part }: ListQuery<WebhooksFilter>,
) -> Result<HttpResponse, Problem> {
    let (account, sought) = (tenant.account().number, filter.read()?);
    answer(&api, account, part, move |api, window| page(api, &tenant, &sought, window)).await
}

/// Show a webhook, and how its deliveries stand
#[utoipa::path(
    operation_id = "webhooks.get", security(("key" = ["read"])),
    params(("id" = String, Path)),
    responses((status = 200, description = "The webhook", body = Reply<WebhookView>))
)]
#[get("/api/v1/webhooks/{id}")]
pub async fn show(tenant: May<Read>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(Reply::ok(alone(&api, &tenant, &id).await?))
}

/// A webhook with how its deliveries stand.
pub async fn alone(api: &Api, tenant: &Tenant, id: &str) -> Result<WebhookView, Problem> {
    let reach = reach(api, tenant);
    let standing = api.outbound.standing(reach.webhook(id)?.number()).await;
    // As it is now, so that it fits the counters: an outcome may have come in between.
    let webhook = reach.webhook(id)?;
    Ok(reach.view(&webhook)?.with_lane(&webhook, standing, |at| api.store.shown(at)))
}

async fn change(tenant: &Tenant, api: &Api, id: &str, body: Body) -> Result<HttpResponse, Problem> {
    let reach = reach(api, tenant);
    let (webhook, warnings) = reach.update(id, body.read::<WebhookInput>()?).await?;
    shown(&reach, &webhook, warnings)
}

/// Change a webhook: what is left out stays, null goes back to the dialect's
#[utoipa::path(
    operation_id = "webhooks.put", security(("key" = ["manage"])),
    params(("id" = String, Path)), request_body = WebhookInput,
    responses(
        (status = 200, description = "Changed", body = Reply<WebhookView>),
        (status = 409, description = "The `uid` is another webhook's, or its dialect is not loaded: its file is gone"),
    )
)]
#[put("/api/v1/webhooks/{id}")]
pub async fn put(
    Asked(tenant, body): Asked<Manage>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    change(&tenant, &api, &id, body).await
}

/// Change a webhook: the same as PUT
#[utoipa::path(
    operation_id = "webhooks.change", security(("key" = ["manage"])),
    params(("id" = String, Path)), request_body = WebhookInput,
    responses(
        (status = 200, description = "Changed", body = Reply<WebhookView>),
        (status = 409, description = "The `uid` is another webhook's, or its dialect is not loaded: its file is gone"),
    )
)]
#[patch("/api/v1/webhooks/{id}")]
pub async fn patch(
    Asked(tenant, body): Asked<Manage>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    change(&tenant, &api, &id, body).await
}

/// Delete a webhook; its open deliveries are cancelled
#[utoipa::path(
    operation_id = "webhooks.delete", security(("key" = ["manage"])),
    params(("id" = String, Path)),
    responses((status = 204, description = "Deleted"))
)]
#[delete("/api/v1/webhooks/{id}")]
pub async fn delete(tenant: May<Manage>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    reach(&api, &tenant).delete(&id).await?;
    Ok(HttpResponse::NoContent().finish())
}
