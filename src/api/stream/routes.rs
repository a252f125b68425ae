//! The route.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, get, web};

use super::following::begin;
use super::input::StreamQuery;
use crate::api::Api;
use crate::api::access::auth::{May, Read, Tenant};
use crate::api::door::connections::Admitted;
use crate::api::http::problem::Problem;
use crate::api::http::request::Query;

/// Read what happens, as it happens
///
/// Server-sent events. Each message has an `id`, a kind (`event`) and `data`, a JSON object on one line: an `event` that was
/// accepted is told as lists show it, without its data; of an `attempt` that was recorded, `delivery_id`, `event_id`,
/// `event_type`, `webhook_id`, which `attempt` it was, `attempted_at`, `status_code`, `response_time_ms`, `outcome`, `success`,
/// `error`, and the `state` and `next_attempt_at` of its delivery after it; a delivery that is `dead`, as lists show it.
///
/// Who comes back with the header `Last-Event-ID`, or the parameter `last_event_id`, is told what happened since: for an hour after
/// somebody has read a stream, and for the last 262,144 messages of all accounts, or those of the last 65,536 commits. A message `gap`
/// says where something is missing, from when to when. One that reads too slowly is told so by a `gap`, and its stream ends.
#[utoipa::path(
    operation_id = "stream.follow", security(("key" = ["read"])),
    params(StreamQuery),
    responses(
        (status = 200, description = "Messages, until either side ends it", content_type = "text/event-stream", body = String),
        (status = 404, description = "There is no such webhook"),
    )
)]
#[get("/api/v1/stream")]
pub async fn follow(
    tenant: May<Read>,
    api: web::Data<Api>,
    request: HttpRequest,
    Query(query): Query<StreamQuery>,
) -> Result<HttpResponse, Problem> {
    let last = request.headers().get("Last-Event-ID").map(|id| id.to_str().unwrap_or_default());
    let asked = query.read(&api, &tenant, last)?;
    let reader: Tenant = (*tenant).clone();
    let let_in = Box::new(move |api: &Api| reader.is_still_let_in(api));
    begin(&api, &tenant, asked, connection(&request), let_in)
}

/// The connection of a request.
pub fn connection(request: &HttpRequest) -> Option<Arc<Admitted>> {
    request.conn_data::<Arc<Admitted>>().cloned()
}
