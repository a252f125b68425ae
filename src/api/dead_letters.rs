//! Dead letters that nobody has handled, over all webhooks of an account: a list, and replaying or discarding them, those
//! that are named or those that a filter selects. One of them in full is the delivery itself.

use std::collections::hash_map::{Entry, HashMap};

use actix_web::{HttpResponse, get, post, web};
use serde::Deserialize;

use super::Api;
use super::auth::{Manage, May, Read, Tenant};
use super::history::{History, Row};
use super::jobs::{CountView, JobView, Range, answer};
use super::page::{Listed, PageReply, Window};
use super::problem::{ErrorReply, Problem};
use super::reply::Reply;
use super::request::{Body, Query};
use crate::domain::Invalid;
use crate::domain::delivery::Delivery;
use crate::domain::id::{AccountNumber, DeliveryId, WebhookId, WebhookNumber};
use crate::domain::job::{IDS_MAX, JobKind, Source};
use crate::store::Page;

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DeadLettersQuery {
    /// Only those of this webhook, by its id.
    webhook: Option<String>,
    /// Only this type, or those that a filter such as `task.*` lets through.
    event_type: Option<String>,
    /// Only deliveries made at this time (RFC 3339) or later.
    from: Option<String>,
    /// Only deliveries made before this time (RFC 3339).
    to: Option<String>,
    /// Rows, 1 to 250; 50 if left out.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Which dead letters: those that are named, or those that the other fields select; all without any.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct DeadLettersInput {
    /// Delivery ids, 1 to 1000; not together with a filter.
    #[serde(default)]
    ids: Option<Vec<String>>,
    /// Only those of this webhook, by its id.
    #[serde(default)]
    webhook: Option<String>,
    /// Only this type, or those that a filter such as `task.*` lets through.
    #[serde(default)]
    event_type: Option<String>,
    /// Only deliveries made at this time or later.
    #[serde(default)]
    #[schema(format = DateTime)]
    from: Option<String>,
    /// Only deliveries made before this time.
    #[serde(default)]
    #[schema(format = DateTime)]
    to: Option<String>,
    /// Count, and do nothing.
    #[serde(default)]
    dry_run: bool,
}

/// List dead letters that nobody has handled, newest first
///
/// `GET /api/v1/deliveries/{id}` shows one of them with all of its attempts.
#[utoipa::path(tag = "dead letters", params(DeadLettersQuery), responses(
    (status = 200, description = "A page of dead letters, each with its latest attempt", body = PageReply<Row>),
    (status = 400, description = "A parameter cannot be read", body = ErrorReply<'static>),
    (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
))]
#[get("/api/v1/dead-letters")]
pub async fn list(
    tenant: May<Read>,
    api: web::Data<Api>,
    Query(query): Query<DeadLettersQuery>,
) -> Result<HttpResponse, Problem> {
    let window = Window::read(query.limit.as_deref(), query.cursor.as_deref())?;
    let range = Range::read(query.event_type.as_deref(), query.from.as_deref(), query.to.as_deref())?;
    let webhook = query.webhook.as_deref().map(|id| webhook_number(&api, &tenant, id)).transpose()?;
    let bulk = range.bulk(tenant.account().number, JobKind::Discard, Source::DeadLetters { webhook });
    let listed = web::block(move || {
        let page = api.store.dead_letters(&bulk, window.before.map(DeliveryId), window.limit)?;
        rows(&api, page)
    });
    Ok(HttpResponse::Ok().json(PageReply::from(listed.await??)))
}

/// Deliver dead letters again, as new deliveries
#[utoipa::path(tag = "dead letters", request_body = Option<DeadLettersInput>, responses(
    (status = 200, description = "A dry run: how many there are", body = Reply<CountView>),
    (status = 202, description = "A job does it, the oldest first", body = Reply<JobView>),
    (status = 400, description = "A field cannot be taken", body = ErrorReply<'static>),
    (status = 404, description = "There is no such webhook or delivery", body = ErrorReply<'static>),
    (status = 409, description = "100 jobs of the account run already", body = ErrorReply<'static>),
))]
#[post("/api/v1/dead-letters/replay")]
pub async fn replay(tenant: May<Manage>, api: web::Data<Api>, body: Body) -> Result<HttpResponse, Problem> {
    handle(&tenant, api, JobKind::Replay, body).await
}

/// Take dead letters off the list; the deliveries stay dead in their history
#[utoipa::path(tag = "dead letters", request_body = Option<DeadLettersInput>, responses(
    (status = 200, description = "A dry run: how many there are", body = Reply<CountView>),
    (status = 202, description = "A job does it, the oldest first", body = Reply<JobView>),
    (status = 400, description = "A field cannot be taken", body = ErrorReply<'static>),
    (status = 404, description = "There is no such webhook or delivery", body = ErrorReply<'static>),
    (status = 409, description = "100 jobs of the account run already", body = ErrorReply<'static>),
))]
#[post("/api/v1/dead-letters/discard")]
pub async fn discard(tenant: May<Manage>, api: web::Data<Api>, body: Body) -> Result<HttpResponse, Problem> {
    handle(&tenant, api, JobKind::Discard, body).await
}

async fn handle(tenant: &Tenant, api: web::Data<Api>, kind: JobKind, body: Body) -> Result<HttpResponse, Problem> {
    let input = body.read_or_empty::<DeadLettersInput>()?;
    let range = Range::read(input.event_type.as_deref(), input.from.as_deref(), input.to.as_deref())?;
    let is_filtered = input.webhook.is_some() || !range.is_open();
    let source = match (input.ids, input.webhook) {
        (Some(_), _) if is_filtered => {
            return Err(Invalid::new("ids", "cannot stand together with a filter").into());
        }
        (Some(ids), _) => {
            let (api, account) = (api.clone(), tenant.account().number);
            Source::TheseDeadLetters(web::block(move || deliveries(&api, account, &ids)).await??)
        }
        (None, webhook) => {
            let webhook = webhook.map(|id| webhook_number(&api, tenant, &id)).transpose()?;
            Source::DeadLetters { webhook }
        }
    };
    answer(&api, tenant, range.bulk(tenant.account().number, kind, source), input.dry_run).await
}

/// The webhook of this id in the account. A deleted one still has dead letters.
fn webhook_number(api: &Api, tenant: &Tenant, id: &str) -> Result<WebhookNumber, Problem> {
    let found = WebhookId::parse(id).and_then(|id| {
        let registry = api.store.registry();
        let webhook = registry.webhook(id.number())?;
        (webhook.id == id && webhook.account == tenant.account().number).then(|| webhook.number())
    });
    found.ok_or_else(|| Problem::not_found("webhook").with_field("webhook"))
}

/// The deliveries of these ids, ascending, each once. They are the account's; whether they are dead letters is seen when
/// their turn comes.
fn deliveries(api: &Api, account: AccountNumber, ids: &[String]) -> Result<Vec<DeliveryId>, Problem> {
    if ids.is_empty() || ids.len() > IDS_MAX {
        return Err(Invalid::new("ids", format!("must be 1 to {IDS_MAX} delivery ids")).into());
    }
    let mut found = Vec::with_capacity(ids.len());
    for (index, text) in ids.iter().enumerate() {
        let missing = || Problem::not_found("delivery").with_field(format!("ids[{index}]"));
        let id = DeliveryId::parse(text).ok_or_else(missing)?;
        let owner = api.store.registry().webhook(id.webhook()).map(|webhook| webhook.account);
        if owner != Some(account) || api.store.delivery(id)?.is_none() {
            return Err(missing());
        }
        found.push(id);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Rows as every history shows them, each from its own webhook's.
fn rows(api: &Api, page: Page<Delivery, DeliveryId>) -> Result<Listed<Row>, Problem> {
    let mut histories: HashMap<WebhookNumber, History> = HashMap::new();
    let mut rows = Vec::with_capacity(page.rows.len());
    for delivery in &page.rows {
        let number = delivery.id.webhook();
        let history = match histories.entry(number) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let webhook = api.store.registry().webhook(number).cloned();
                let webhook = webhook.ok_or_else(|| Problem::internal("a dead letter without a webhook"))?;
                unknown.insert(History::of(api, webhook)?)
            }
        };
        rows.push(history.row(delivery, delivery.latest_attempt())?);
    }
    Ok(Listed { rows, next: page.next.map(|id| (id.0, 0)) })
}
