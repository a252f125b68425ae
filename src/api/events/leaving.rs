//! Events that leave: deleted with all that belongs to them, or purged of their payload while their history stays. One at a
//! time, or many that are named or that a filter selects.

use std::collections::HashSet;

use actix_web::{HttpResponse, delete, post, web};
use serde::Deserialize;

use super::filter::find;
use super::routes::no_event;
use super::view::{EventView, row};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::{Manage, May, Tenant};
use crate::api::http::body::Body;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::jobs::input::Range;
use crate::api::jobs::start::answer_without;
use crate::api::jobs::view::{CountView, JobView, view};
use crate::domain::Invalid;
use crate::domain::audit::Deed;
use crate::domain::id::{AccountNumber, EventId};
use crate::domain::job::{IDS_MAX, JobKind, Source};
use crate::store::{Leaving, Load, STEP_KEYS_MAX};

/// Which events: those that are named, or those that the other fields select together; at least one of them. All are
/// `{"type": "*"}`.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EventSelection)]
struct EventsInput {
    /// Event ids, the producer's own or ours, 1 to 1000; not together with a filter.
    #[serde(default)]
    ids: Option<Vec<String>>,
    /// Only this type, or those that a filter such as `task.*` lets through.
    #[serde(default)]
    r#type: Option<String>,
    /// Only events accepted at this time or later.
    #[serde(default)]
    #[schema(format = DateTime)]
    from: Option<String>,
    /// Only events accepted before this time.
    #[serde(default)]
    #[schema(format = DateTime)]
    to: Option<String>,
    /// Count, and do nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Delete an event, with its deliveries and all that is kept of them
///
/// Its open deliveries are cancelled first, so nothing of it is sent any more. Counters and statistics stay: what has happened
/// has happened. Its `Idempotency-Key` and its own id are free again. An event with more than 64 deliveries, or hundreds of
/// attempts, goes in steps: the reply is then a job, and its payload is gone already.
#[utoipa::path(
    operation_id = "events.delete", security(("key" = ["manage"])),
    params(("id" = String, Path)),
    responses(
        (status = 202, description = "It went to many webhooks: a job deletes it, its payload is gone already",
            body = Reply<JobView>),
        (status = 204, description = "Deleted"),
        (status = 409, description = "100 jobs of the account run already"),
    )
)]
#[delete("/api/v1/events/{id}")]
pub async fn delete(tenant: May<Manage>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(match leave(&api, &tenant, id.into_inner(), JobKind::Delete).await? {
        Leaving::Done(_) | Leaving::Before(_) => HttpResponse::NoContent().finish(),
        Leaving::Goes(_, job) => Reply::accepted(view(&api.store, &job)),
    })
}

/// Purge an event's payload, and keep its history
///
/// Its data, actor and metadata go, and of its attempts the headers of both sides and the start of the answer, which may
/// repeat them. That it was, and when and how it was delivered, stays. Open deliveries of it are cancelled, its dead letters
/// taken off their list; a replay of it is refused (410). An event with more than 64 deliveries, or hundreds of attempts, is
/// purged in steps: the reply is then a job, and the payload itself is gone already. Twice is once.
#[utoipa::path(
    operation_id = "events.purge", security(("key" = ["manage"])),
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "Purged", body = Reply<EventView<'static>>),
        (status = 202, description = "It went to many webhooks: a job purges what is kept of its attempts, its payload is \
            gone already", body = Reply<JobView>),
        (status = 409, description = "100 jobs of the account run already"),
    )
)]
#[post("/api/v1/events/{id}/purge")]
pub async fn purge(tenant: May<Manage>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(match leave(&api, &tenant, id.into_inner(), JobKind::Purge).await? {
        Leaving::Done(head) | Leaving::Before(head) => Reply::ok(row(*head)),
        Leaving::Goes(_, job) => Reply::accepted(view(&api.store, &job)),
    })
}

/// Delete many events: those of `ids`, or those that a filter selects
///
/// An id of which there is no event (any more) is `skipped`, so the same call can be made again.
#[utoipa::path(
    operation_id = "events.bulk.delete", security(("key" = ["manage"])),
    request_body = EventsInput,
    responses(
        (status = 200, description = "A dry run: how many there are", body = Reply<CountView>),
        (status = 202, description = "A job does it, the oldest first", body = Reply<JobView>),
        (status = 409, description = "100 jobs of the account run already"),
    )
)]
#[post("/api/v1/events/delete")]
pub async fn delete_many(Asked(tenant, body): Asked<Manage>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    leave_many(&tenant, api, JobKind::Delete, body).await
}

/// Purge the payload of many events: those of `ids`, or those that a filter selects
///
/// An id of which there is no event (any more) is `skipped`, so the same call can be made again.
#[utoipa::path(
    operation_id = "events.bulk.purge", security(("key" = ["manage"])),
    request_body = EventsInput,
    responses(
        (status = 200, description = "A dry run: how many there are", body = Reply<CountView>),
        (status = 202, description = "A job does it, the oldest first", body = Reply<JobView>),
        (status = 409, description = "100 jobs of the account run already"),
    )
)]
#[post("/api/v1/events/purge")]
pub async fn purge_many(Asked(tenant, body): Asked<Manage>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    leave_many(&tenant, api, JobKind::Purge, body).await
}

/// Deletes or purges the event of this id.
pub async fn leave(api: &Api, tenant: &Tenant, text: String, kind: JobKind) -> Result<Leaving, Problem> {
    let (store, account) = (api.store.clone(), tenant.account().number);
    let id = api.read(account, move || find(&store, account, &text)).await??.ok_or_else(no_event)?;
    // As much as a step may write, so that few of them are in one group.
    let load = Load { deliveries: STEP_KEYS_MAX, ..Load::of(account) };
    let left = api.change_of(tenant, load, move |staging| {
        let (left, action) = match kind {
            JobKind::Delete => (staging.delete_event(account, id)?, "event.deleted"),
            _ => (staging.purge_event(account, id)?, "event.purged"),
        };
        let deed = match &left {
            Leaving::Done(head) | Leaving::Goes(head, _) => Some(Deed::new(account, action, head.public_id())),
            Leaving::Before(_) => None,
        };
        Ok((deed, left))
    });
    Ok(left.await?)
}

async fn leave_many(tenant: &Tenant, api: web::Data<Api>, kind: JobKind, body: Body) -> Result<HttpResponse, Problem> {
    let input = body.read_or_empty::<EventsInput>()?;
    let range = Range::read(input.r#type.as_deref(), input.from.as_deref(), input.to.as_deref());
    let of_type = |invalid: Invalid| match invalid.field.as_str() {
        "event_type" => Invalid { field: "type".into(), ..invalid },
        _ => invalid,
    };
    let range = range.map_err(of_type)?;
    let (source, missing) = match input.ids {
        Some(_) if !range.is_open() => return Err(Invalid::new("ids", "cannot stand together with a filter").into()),
        Some(ids) => {
            let (reader, account) = (api.clone(), tenant.account().number);
            let found = api.read(account, move || events(&reader, account, &ids));
            let (there, missing) = found.await??;
            (Source::TheseEvents(there), missing)
        }
        None if range.is_open() => {
            let message = "must be there, or ids, from or to: they say which events; \"*\" is all of them";
            return Err(Invalid::new("type", message).into());
        }
        None => (Source::Events, 0),
    };
    answer_without(&api, tenant, range.bulk(tenant.account().number, kind, source), missing, input.dry_run).await
}

/// The events of these ids, ascending, each once; and how many of the ids are no event's.
fn events(api: &Api, account: AccountNumber, ids: &[String]) -> Result<(Vec<EventId>, u64), Problem> {
    if ids.is_empty() || ids.len() > IDS_MAX {
        return Err(Invalid::new("ids", format!("must be 1 to {IDS_MAX} event ids")).into());
    }
    let (mut found, mut missing) = (Vec::with_capacity(ids.len()), HashSet::new());
    for text in ids {
        match find(&api.store, account, text)? {
            Some(id) if api.store.event_head(account, id)?.is_some() => found.push(id),
            _ => {
                missing.insert(text);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok((found, missing.len() as u64))
}
