//! What the dialects are, for programs: their rules in numbers and words, and their documented events. What stays true:
//! this says the same as the documents under `/docs`, since both are made from the compiled dialect.

use actix_web::{HttpResponse, get, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Api;
use super::auth::{May, Read};
use super::page::PageReply;
use super::problem::{ErrorReply, Problem};
use super::reply::Reply;
use super::request::Query;
use crate::dialect::{Dialect, EventType};
use crate::docs;
use crate::domain::disable::DisableRule;
use crate::domain::rate_limit::RateLimit;
use crate::domain::retry::RetrySchedule;

/// A dialect in a list.
#[derive(Serialize, utoipa::ToSchema)]
struct DialectRow {
    name: String,
    /// For people, such as the product's name.
    title: String,
    description: String,
    /// Where its API starts; null if the native one serves it.
    base: Option<String>,
    /// Documented event types.
    events: usize,
    /// Where its documentation is.
    docs: String,
}

/// A dialect.
#[derive(Serialize, utoipa::ToSchema)]
struct DialectView {
    #[serde(flatten)]
    row: DialectRow,
    /// The deadline of one attempt.
    timeout_seconds: u32,
    /// Which answers are a success.
    success: Vec<String>,
    retry: RetrySchedule,
    /// When failures disable a webhook.
    disable: DisableRule,
    rate_limit: Option<RateLimit>,
    limits: LimitsView,
    /// What its requests carry.
    headers: Vec<HeaderView>,
    /// How requests are signed, in words.
    signature: String,
    /// Whether an endpoint must show that it wants deliveries.
    ownership_check: bool,
    /// Where requests come from; empty: no addresses are published.
    egress: Vec<String>,
    event_types: Vec<String>,
}

/// What an account may ask for; null is no limit.
#[derive(Serialize, utoipa::ToSchema)]
struct LimitsView {
    webhooks_per_account: Option<u32>,
    /// Of one webhook on one UTC day, retries not counted.
    deliveries_per_day: Option<u32>,
    body_bytes: Option<usize>,
    /// Requests to one webhook under way at once.
    in_flight: u32,
}

/// A header.
#[derive(Serialize, utoipa::ToSchema)]
struct HeaderView {
    name: String,
    /// With `{placeholders}`.
    value: String,
}

/// A documented event type.
#[derive(Serialize, utoipa::ToSchema)]
struct EventTypeView {
    r#type: String,
    description: String,
    /// An example of its data.
    #[schema(value_type = Value)]
    sample: Box<RawValue>,
    /// The JSON Schema (2020-12) of its data.
    schema: Value,
}

/// Whose event types.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct EventTypesQuery {
    /// The account's if left out.
    dialect: Option<String>,
}

/// List all dialects, by name
#[utoipa::path(tag = "dialects", responses(
    (status = 200, description = "All of them", body = PageReply<DialectRow>),
))]
#[get("/api/v1/dialects")]
pub async fn list(_: May<Read>, api: web::Data<Api>) -> HttpResponse {
    let rows = api.dialects.now().iter().map(|dialect| row(dialect)).collect();
    HttpResponse::Ok().json(PageReply::whole(rows))
}

/// Show a dialect
#[utoipa::path(tag = "dialects", params(("name" = String, Path)), responses(
    (status = 200, description = "The dialect", body = Reply<DialectView>),
    (status = 404, description = "There is no such dialect", body = ErrorReply<'static>),
))]
#[get("/api/v1/dialects/{name}")]
pub async fn show(_: May<Read>, api: web::Data<Api>, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let dialect = api.dialects.now().get(&name).cloned().ok_or_else(|| Problem::not_found("dialect"))?;
    let egress = api.settings.egress.iter().map(ToString::to_string).collect();
    Ok(Reply::ok(view(&dialect, egress)))
}

/// List the documented event types of a dialect, with samples and schemas
#[utoipa::path(tag = "dialects", params(EventTypesQuery), responses(
    (status = 200, description = "All of them, in the order of the documentation", body = PageReply<EventTypeView>),
    (status = 400, description = "There is no such dialect", body = ErrorReply<'static>),
))]
#[get("/api/v1/event-types")]
pub async fn event_types(
    tenant: May<Read>,
    api: web::Data<Api>,
    Query(query): Query<EventTypesQuery>,
) -> Result<HttpResponse, Problem> {
    let dialect = match query.dialect {
        Some(name) => api.known_dialect(&name)?,
        None => api.loaded(&tenant.account().dialect)?,
    };
    Ok(HttpResponse::Ok().json(PageReply::whole(dialect.catalogue.iter().map(event_type).collect())))
}

fn row(dialect: &Dialect) -> DialectRow {
    DialectRow {
        name: dialect.name.clone(),
        title: dialect.title.clone(),
        description: dialect.description.clone(),
        base: dialect.face.as_ref().map(|face| face.base.clone()),
        events: dialect.catalogue.len(),
        docs: format!("/docs/webhooks/{}", dialect.name),
    }
}

fn view(dialect: &Dialect, egress: Vec<String>) -> DialectView {
    let header = |name: &str, value: String| HeaderView { name: name.into(), value };
    let mut headers = vec![
        header("Content-Type", "application/json".into()),
        header("User-Agent", dialect.user_agent.as_str().into()),
    ];
    headers.extend(dialect.headers.iter().map(|rule| header(&rule.key.spelled, rule.value.to_string())));
    headers.extend(dialect.signature.iter().map(|rule| header(&rule.header.spelled, rule.value.to_string())));
    DialectView {
        row: row(dialect),
        timeout_seconds: dialect.timeout_seconds,
        success: dialect.success.clone().into(),
        retry: dialect.retry.clone(),
        disable: dialect.disable,
        rate_limit: dialect.rate_limit,
        limits: LimitsView {
            webhooks_per_account: dialect.limits.webhooks_per_account,
            deliveries_per_day: dialect.limits.first_attempts_per_day,
            body_bytes: dialect.limits.body_bytes_max,
            in_flight: dialect.max_in_flight,
        },
        headers,
        signature: docs::signature_in_words(dialect),
        ownership_check: dialect.challenge.is_some(),
        egress,
        event_types: dialect.catalogue.iter().map(|known| known.name.clone()).collect(),
    }
}

fn event_type(known: &EventType) -> EventTypeView {
    EventTypeView {
        r#type: known.name.clone(),
        description: known.description.clone(),
        sample: known.sample.clone(),
        schema: known.schema(),
    }
}
