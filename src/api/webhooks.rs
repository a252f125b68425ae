//! The native routes of webhooks: each reads its request, calls one operation, and shows what came of it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, get, patch, post, put, web};
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::{Manage, May, Read, Tenant};
use super::history::{LogRow, Row, STATES, shown_state};
use super::operations::{Reach, RotateInput, TestInput};
use super::page::{Listed, PageQuery, PageReply, Window};
use super::problem::{ErrorReply, Problem};
use super::reply::Reply;
use super::request::{Body, Query};
use super::webhook_input::WebhookInput;
use super::webhook_view::{WebhookView, views};
use crate::domain::Invalid;
use crate::domain::time;
use crate::domain::webhook::Webhook;

/// A test event on its way.
#[derive(Serialize, utoipa::ToSchema)]
struct TestView {
    event_id: String,
    event_type: String,
    delivery_id: String,
}

/// A replay on its way.
#[derive(Serialize, utoipa::ToSchema)]
struct ReplayView {
    /// The new delivery.
    delivery_id: String,
    /// The old one.
    replay_of: String,
}

/// The secrets that sign.
#[derive(Serialize, utoipa::ToSchema)]
struct SecretView {
    /// The newest.
    secret: Option<String>,
    /// Older ones that still sign.
    previous: Vec<PreviousSecret>,
}

/// An older secret.
#[derive(Serialize, utoipa::ToSchema)]
struct PreviousSecret {
    secret: String,
    /// It signs until then.
    #[schema(format = DateTime)]
    until: Option<String>,
}

#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct DisableInput {
    /// Why, in one sentence.
    #[serde(default)]
    reason: Option<String>,
}

/// What to list of a webhook's deliveries.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DeliveriesQuery {
    /// Only those that are `pending`, `scheduled`, `held`, `succeeded`, `dead` or `cancelled`.
    state: Option<String>,
    /// Rows, 1 to 250; 50 if left out.
    #[param(value_type = Option<u16>)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

fn reach<'a>(api: &'a Api, tenant: &'a Tenant) -> Reach<'a> {
    Reach { api, tenant, dialect: None }
}

fn shown(reach: &Reach<'_>, webhook: &Webhook, warnings: Vec<String>) -> Result<HttpResponse, Problem> {
    Ok(Reply::with(StatusCode::OK, reach.view(webhook)?, warnings))
}

/// Register a webhook
#[utoipa::path(tag = "webhooks", request_body = WebhookInput, responses(
    (status = 201, description = "Registered; `secret` is shown if it was generated", body = Reply<WebhookView>),
    (status = 400, description = "A field cannot be taken", body = ErrorReply<'static>),
    (status = 409, description = "The account has as many as the dialect allows", body = ErrorReply<'static>),
))]
#[post("/api/v1/webhooks")]
pub async fn create(tenant: May<Manage>, api: web::Data<Api>, body: Body) -> Result<HttpResponse, Problem> {
    let reach = reach(&api, &tenant);
    let created = reach.create(body.read::<WebhookInput>()?).await?;
    let mut data = reach.view(&created.webhook)?;
    if created.generated {
        data = data.with_secret(&created.webhook.secrets[0].secret);
    }
    Ok(Reply::with(StatusCode::CREATED, data, created.warnings))
}

/// List webhooks, newest first
#[utoipa::path(tag = "webhooks", params(PageQuery), responses(
    (status = 200, description = "A page of webhooks", body = PageReply<WebhookView>),
))]
#[get("/api/v1/webhooks")]
pub async fn list(
    tenant: May<Read>,
    api: web::Data<Api>,
    Query(query): Query<PageQuery>,
) -> Result<HttpResponse, Problem> {
    let window = query.window()?;
    let listed = web::block(move || {
        let page = reach(&api, &tenant).list(window, 0);
        let listed = Listed::from(page);
        let rows = views(&api.store, &tenant.account().id, &listed.rows)?;
        Ok::<_, Problem>(Listed { rows, next: listed.next })
    });
    Ok(HttpResponse::Ok().json(PageReply::from(listed.await??)))
}

/// Show a webhook
#[utoipa::path(tag = "webhooks", params(("id" = String, Path)), responses(
    (status = 200, description = "The webhook", body = Reply<WebhookView>),
    (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
))]
#[get("/api/v1/webhooks/{id}")]
pub async fn show(tenant: May<Read>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let reach = reach(&api, &tenant);
    shown(&reach, &*reach.webhook(&id)?, Vec::new())
}

async fn change(tenant: &Tenant, api: &Api, id: &str, body: Body) -> Result<HttpResponse, Problem> {
    let reach = reach(api, tenant);
    let (webhook, warnings) = reach.update(id, body.read::<WebhookInput>()?).await?;
    shown(&reach, &webhook, warnings)
}

/// Change a webhook: what is left out stays, null goes back to the dialect's
#[utoipa::path(tag = "webhooks", params(("id" = String, Path)), request_body = WebhookInput,
    responses(
        (status = 200, description = "Changed", body = Reply<WebhookView>),
        (status = 400, description = "A field cannot be taken", body = ErrorReply<'static>),
        (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
    ))]
#[put("/api/v1/webhooks/{id}")]
pub async fn put(
    tenant: May<Manage>,
    api: web::Data<Api>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    change(&tenant, &api, &id, body).await
}

/// Change a webhook: the same as PUT
#[utoipa::path(tag = "webhooks", params(("id" = String, Path)), request_body = WebhookInput, responses(
    (status = 200, description = "Changed", body = Reply<WebhookView>),
    (status = 400, description = "A field cannot be taken", body = ErrorReply<'static>),
    (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
))]
#[patch("/api/v1/webhooks/{id}")]
pub async fn patch(
    tenant: May<Manage>,
    api: web::Data<Api>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    change(&tenant, &api, &id, body).await
}

/// Delete a webhook; its open deliveries are cancelled
#[utoipa::path(tag = "webhooks", params(("id" = String, Path)), responses(
    (status = 204, description = "Deleted"),
    (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
))]
#[delete("/api/v1/webhooks/{id}")]
pub async fn delete(tenant: May<Manage>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    reach(&api, &tenant).delete(&id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Send a webhook a test event
#[utoipa::path(tag = "webhooks", params(("id" = String, Path)), request_body = Option<TestInput>, responses(
    (status = 202, description = "On its way", body = Reply<TestView>),
    (status = 400, description = "A field cannot be taken", body = ErrorReply<'static>),
    (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
))]
#[post("/api/v1/webhooks/{id}/test")]
pub async fn test(
    tenant: May<Manage>,
    api: web::Data<Api>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (event, delivery) = reach(&api, &tenant).test(&id, body.read_or_empty::<TestInput>()?).await?;
    Ok(Reply::accepted(TestView {
        event_id: event.id.to_string(),
        event_type: event.event_type,
        delivery_id: delivery.to_string(),
    }))
}

/// List a webhook's deliveries, newest first
#[utoipa::path(tag = "webhooks", params(("id" = String, Path), DeliveriesQuery), responses(
    (status = 200, description = "A page of deliveries, each with its latest attempt", body = PageReply<Row>),
    (status = 400, description = "A parameter cannot be read", body = ErrorReply<'static>),
    (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
))]
#[get("/api/v1/webhooks/{id}/deliveries")]
pub async fn deliveries(
    tenant: May<Read>,
    api: web::Data<Api>,
    id: web::Path<String>,
    Query(query): Query<DeliveriesQuery>,
) -> Result<HttpResponse, Problem> {
    let window = Window::read(query.limit.as_deref(), query.cursor.as_deref())?;
    if query.state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
        return Err(Invalid::new("state", format!("must be one of {}", STATES.join(", "))).into());
    }
    let history = reach(&api, &tenant).history(&id)?;
    let listed = web::block(move || {
        let webhook = history.webhook.clone();
        let state = |delivery: &_| shown_state(delivery, Some(&webhook));
        history.deliveries(window, |delivery| query.state.as_deref().is_none_or(|wanted| wanted == state(delivery)))
    });
    Ok(HttpResponse::Ok().json(PageReply::from(listed.await??)))
}

/// List what was sent to a webhook, newest first: deliveries that were tried
#[utoipa::path(tag = "webhooks", params(("id" = String, Path), PageQuery), responses(
    (status = 200, description = "A page of deliveries that were tried, each with its latest attempt",
        body = PageReply<LogRow>),
    (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
))]
#[get("/api/v1/webhooks/{id}/logs")]
pub async fn logs(
    tenant: May<Read>,
    api: web::Data<Api>,
    id: web::Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<HttpResponse, Problem> {
    let window = query.window()?;
    let history = reach(&api, &tenant).history(&id)?;
    let listed = web::block(move || history.deliveries(window, |delivery| delivery.attempts > 0));
    Ok(HttpResponse::Ok().json(PageReply::from(listed.await??.map(LogRow::from))))
}

/// Deliver again what a delivery delivered
#[utoipa::path(tag = "webhooks", params(("id" = String, Path), ("delivery_id" = String, Path)), responses(
    (status = 202, description = "On its way as a new delivery", body = Reply<ReplayView>),
    (status = 404, description = "There is no such webhook or delivery", body = ErrorReply<'static>),
))]
#[post("/api/v1/webhooks/{id}/replay/{delivery_id}")]
pub async fn replay(
    tenant: May<Manage>,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (new, old) = reach(&api, &tenant).replay(&path.0, &path.1).await?;
    Ok(Reply::accepted(ReplayView { delivery_id: new.to_string(), replay_of: old.to_string() }))
}

/// Let the deliveries of a disabled webhook out again
#[utoipa::path(tag = "webhooks", params(("id" = String, Path)), responses(
    (status = 200, description = "Active", body = Reply<WebhookView>),
    (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
    (status = 409, description = "It is paused", body = ErrorReply<'static>),
))]
#[post("/api/v1/webhooks/{id}/enable")]
pub async fn enable(tenant: May<Manage>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let reach = reach(&api, &tenant);
    shown(&reach, &reach.enable(&id).await?, Vec::new())
}

/// Hold the deliveries of a webhook, with a reason
#[utoipa::path(tag = "webhooks", params(("id" = String, Path)), request_body = Option<DisableInput>, responses(
    (status = 200, description = "Disabled", body = Reply<WebhookView>),
    (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
))]
#[post("/api/v1/webhooks/{id}/disable")]
pub async fn disable(
    tenant: May<Manage>,
    api: web::Data<Api>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let reach = reach(&api, &tenant);
    let input = body.read_or_empty::<DisableInput>()?;
    shown(&reach, &reach.disable(&id, input.reason).await?, Vec::new())
}

/// Hold the deliveries of a webhook for a while
#[utoipa::path(tag = "webhooks", params(("id" = String, Path)), responses(
    (status = 200, description = "Paused", body = Reply<WebhookView>),
    (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
    (status = 409, description = "It is disabled", body = ErrorReply<'static>),
))]
#[post("/api/v1/webhooks/{id}/pause")]
pub async fn pause(tenant: May<Manage>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let reach = reach(&api, &tenant);
    shown(&reach, &reach.pause(&id).await?, Vec::new())
}

/// Let the deliveries of a paused webhook out again
#[utoipa::path(tag = "webhooks", params(("id" = String, Path)), responses(
    (status = 200, description = "Active", body = Reply<WebhookView>),
    (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
    (status = 409, description = "It is disabled", body = ErrorReply<'static>),
))]
#[post("/api/v1/webhooks/{id}/resume")]
pub async fn resume(tenant: May<Manage>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let reach = reach(&api, &tenant);
    shown(&reach, &reach.resume(&id).await?, Vec::new())
}

/// Show a webhook's signing secret, and older ones that still sign
#[utoipa::path(tag = "webhooks", params(("id" = String, Path)), responses(
    (status = 200, description = "The secrets that sign", body = Reply<SecretView>),
    (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
))]
#[get("/api/v1/webhooks/{id}/secret")]
pub async fn secret(tenant: May<Manage>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let webhook = reach(&api, &tenant).webhook(&id)?;
    Ok(Reply::ok(secrets(&webhook, &api)))
}

/// Give a webhook a new signing secret; the old one signs beside it for a while
#[utoipa::path(tag = "webhooks", params(("id" = String, Path)), request_body = Option<RotateInput>, responses(
    (status = 200, description = "The secrets that sign", body = Reply<SecretView>),
    (status = 400, description = "A field cannot be taken", body = ErrorReply<'static>),
    (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
))]
#[post("/api/v1/webhooks/{id}/secret/rotate")]
pub async fn rotate(
    tenant: May<Manage>,
    api: web::Data<Api>,
    id: web::Path<String>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (webhook, warnings) = reach(&api, &tenant).rotate(&id, body.read_or_empty::<RotateInput>()?).await?;
    Ok(Reply::with(StatusCode::OK, secrets(&webhook, &api), warnings))
}

fn secrets(webhook: &Webhook, api: &Api) -> SecretView {
    let now = api.clock.now();
    let mut signing = webhook.secrets.iter().filter(|one| one.signs_at(now));
    let newest = signing.next().map(|one| one.secret.reveal().to_string());
    let previous = signing
        .map(|one| PreviousSecret { secret: one.secret.reveal().to_string(), until: one.until.map(time::rfc3339) });
    SecretView { secret: newest, previous: previous.collect() }
}
