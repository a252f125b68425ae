//! An event for many: delivered again to all webhooks of its account that want it now, or published to many accounts.

use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::filter::find;
use super::input::{EventInput, Form, vet_all};
use super::routes::no_event;
use super::traced;
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::{Admin, Manage};
use crate::api::http::idempotency::idempotency;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::http::request::{Object, read_json};
use crate::api::jobs::start::{answer_once, deed};
use crate::api::jobs::view::{CountView, JobView, view};
use crate::domain::account::OPERATOR_ACCOUNT;
use crate::domain::id::AccountNumber;
use crate::domain::job::{Bulk, JobKind, Source};
use crate::domain::labels;
use crate::store::{EventHead, Load, Refusal};

/// To whom to deliver an event again: all webhooks that want it now.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EventReplay)]
struct ReplayInput {
    /// Count, and do nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Deliver an event again, to all webhooks that want it now
///
/// Each webhook that wants it as it is now gets a new delivery, also one that was made or changed after the event: its `cause` is
/// `replay` where the webhook got the event when it was accepted, else `missed`. One for which that first delivery is still open
/// gets no other, since it goes out anyway. With an `Idempotency-Key` the same request can be sent again for 24 hours and makes
/// one job.
#[utoipa::path(
    operation_id = "events.replay", security(("key" = ["manage"])),
    params(
        ("id" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters", pattern = "^[!-~]{1,255}$"),
    ),
    request_body = Option<ReplayInput>,
    responses(
        (status = 200, description = "A dry run: how many webhooks there are", body = Reply<CountView>),
        (status = 202, description = "A job does it, the oldest webhook first", body = Reply<JobView>),
        (status = 409, description = "100 jobs of the account run already, or the Idempotency-Key was used for something else"),
        (status = 410, description = "Its payload was purged"),
    )
)]
#[post("/api/v1/events/{id}/replay")]
pub async fn replay(
    Asked(tenant, body): Asked<Manage>,
    api: web::Data<Api>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let input = body.read_or_empty::<ReplayInput>()?;
    let head = to_replay(&api, tenant.account().number, id.into_inner()).await?;
    let once = idempotency(&request, &[b"events.replay\n", &head.id.to_bytes(), &body.bytes])?;
    answer_once(&api, &tenant, replay_of(&head), input.dry_run, once).await
}

/// The account's event of this id, if it can be delivered again.
pub async fn to_replay(api: &web::Data<Api>, account: AccountNumber, id: String) -> Result<EventHead, Problem> {
    let reader = api.clone();
    let found = api.read(account, move || {
        let Some(id) = find(&reader.store, account, &id)? else { return Ok(None) };
        reader.store.event_head(account, id)
    });
    let head = found.await??.ok_or_else(no_event)?;
    if head.purged_at.is_some() { Err(Refusal::Purged.into()) } else { Ok(head) }
}

/// To deliver an event again, to all webhooks that want it now.
pub fn replay_of(event: &EventHead) -> Bulk {
    let source = Source::Audience { event: event.id };
    Bulk { account: event.account, kind: JobKind::Replay, source, event_type: None, from: None, to: None }
}

/// An event to publish to many accounts.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EventBroadcast)]
struct BroadcastInput<'a> {
    /// 1 to 200 of `A-Z a-z 0-9 _ . : / -`.
    #[schema(example = "service.maintenance", pattern = "^[A-Za-z0-9_.:/-]{1,200}$")]
    r#type: String,
    /// Any JSON; receivers get it as it is written here. With `actor` and `metadata` at most 1,048,576 bytes.
    #[serde(borrow)]
    #[schema(value_type = serde_json::Value)]
    data: &'a RawValue,
    /// Who did it, such as `user_id` and `email`.
    #[serde(borrow, default)]
    #[schema(value_type = Option<serde_json::Map<String, serde_json::Value>>)]
    actor: Option<&'a RawValue>,
    /// Anything else about it.
    #[serde(borrow, default)]
    #[schema(value_type = Option<serde_json::Map<String, serde_json::Value>>)]
    metadata: Option<&'a RawValue>,
    /// The own id of each account's event, 1 to 128 of `A-Z a-z 0-9 _ -`: an account that has this event already gets no other.
    #[serde(default)]
    #[schema(pattern = "^[A-Za-z0-9_-]{1,128}$")]
    id: Option<String>,
    /// When it happened, RFC 3339; now, if left out.
    #[serde(default)]
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// Webhooks with channels hear of it only if they share one of these; those without any hear of it too. At most 10.
    #[serde(default)]
    #[schema(max_items = 10, example = json!(["project/7"]))]
    channels: Option<Vec<String>>,
    /// A test event goes to webhooks in test mode only; those get no others.
    #[serde(default)]
    test: bool,
    /// Only to accounts with this tag; to all of them if left out.
    #[serde(default)]
    #[schema(pattern = "^[A-Za-z0-9_.:/-]{1,64}$", example = "beta")]
    tag: Option<String>,
    /// Count the accounts, and do nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Publish an event to all accounts, or to those with a tag
///
/// A job publishes it to each account that there is now, the oldest first: `examined` counts accounts that it has looked at,
/// `done` those that got it, `skipped` those where another event has its `id`. Each account gets an event of its own with an id
/// of its own, as if it had been published there, and exactly once, also if the server stops in between. It counts in what an
/// account publishes in its day, and no limit of an account keeps it away; what the account's contract allows is not asked. The
/// event is kept as one of the account `operator`, which delivers it to nobody; if it is deleted or purged while the job runs, the
/// job stops. The job belongs to the account `default`. With an `Idempotency-Key` the same request can be sent again for 24 hours
/// and makes one job.
#[utoipa::path(
    operation_id = "events.broadcast", security(("key" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters", pattern = "^[!-~]{1,255}$")),
    request_body = BroadcastInput,
    responses(
        (status = 200, description = "A dry run: how many accounts there are", body = Reply<CountView>),
        (status = 202, description = "Safe on disk; a job publishes it to one account after the other", body = Reply<JobView>),
        (status = 409, description = "100 jobs of the account `default` run already, or the Idempotency-Key was used for \
            something else"),
    )
)]
#[post("/api/v1/events/broadcast")]
pub async fn broadcast(
    Asked(tenant, body): Asked<Admin>,
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let once = idempotency(&request, &[b"events.broadcast\n", &body.bytes])?;
    let Object(input) = read_json::<Object<BroadcastInput<'_>>>(&body.bytes)?;
    let tag = input.tag.map(|tag| labels::check_tag("tag", &tag).map(|()| tag)).transpose()?;
    let event = EventInput {
        r#type: input.r#type,
        data: input.data,
        actor: input.actor,
        metadata: input.metadata,
        id: input.id,
        created_at: input.created_at,
        channels: input.channels,
        test: input.test,
        account: None,
    };
    let mut events = vet_all(&body.bytes, Form::One, vec![event])?;
    let mut event = events.pop().ok_or_else(|| Problem::internal("an event that was vetted is gone"))?;
    event.trace = traced::named(&request);
    if input.dry_run {
        return Ok(Reply::ok(counted(&api, tag.as_deref())));
    }
    if !api.store.has_space() {
        return Err(Refusal::NoSpace.into());
    }
    let load = Load { bytes: event.bytes(), ..Load::of(tenant.account().number) };
    let made = api.change_of(&tenant, load, move |staging| {
        let (job, is_new) = staging.create_broadcast(event, tag, once)?;
        Ok((is_new.then(|| deed(&job, "started")), job))
    });
    Ok(Reply::accepted(view(&api.store, &made.await?)))
}

/// What it would reach now.
fn counted(api: &Api, tag: Option<&str>) -> CountView {
    let registry = api.store.registry();
    let operator = registry.account_by_id(OPERATOR_ACCOUNT).map_or(0, |account| account.number);
    let count = registry.accounts_to_reach(operator, tag) as u64;
    let examined = registry.accounts_to_reach(operator, None) as u64;
    CountView { count, skipped: 0, examined, complete: true }
}
