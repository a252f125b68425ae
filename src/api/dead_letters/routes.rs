//! Dead letters that nobody has handled, over all webhooks of an account: a list, and replaying or discarding them, those
//! that are named or those that a filter selects. One of them in full is the delivery itself.

use std::sync::Arc;

use actix_web::{HttpResponse, get, post, web};

use super::input::{DeadLettersFilter, DeadLettersInput, deliveries};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::{Manage, May, Read, Tenant};
use crate::api::deliveries::view::{DeliveryView, views};
use crate::api::http::body::Body;
use crate::api::http::list::{List, ListQuery};
use crate::api::http::page::{PageQuery, PageReply};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::jobs::input::Range;
use crate::api::jobs::start::answer;
use crate::api::jobs::view::CountView;
use crate::api::jobs::view::JobView;
use crate::api::webhooks::reach::webhook_ever;
use crate::domain::Invalid;
use crate::domain::job::{Bulk, JobKind, Source};

/// List dead letters that nobody has handled
///
/// `GET /api/v1/deliveries/{id}` shows one of them with all of its attempts.
#[utoipa::path(
    operation_id = "dead_letters.list", security(("key" = ["read"])),
    params(DeadLettersFilter, PageQuery),
    responses(
        (status = 200, description = "A page of dead letters, each with its latest attempt",
            body = PageReply<DeliveryView>),
        (status = 404, description = "There is no such webhook"),
    )
)]
#[get("/api/v1/dead-letters")]
pub async fn list(
    tenant: May<Read>,
    api: web::Data<Api>,
    ListQuery { filter, part }: ListQuery<DeadLettersFilter>,
) -> Result<HttpResponse, Problem> {
    listed(&api, &tenant, &filter)?.answer(part).await
}

/// The dead letters that a filter asks for.
pub fn listed(
    api: &web::Data<Api>,
    tenant: &Tenant,
    filter: &DeadLettersFilter,
) -> Result<List<DeliveryView>, Problem> {
    let range = Range::read(filter.event_type.as_deref(), filter.from.as_deref(), filter.to.as_deref())?;
    let webhook = filter.webhook.as_deref().map(|id| webhook_ever(api, tenant, id)).transpose()?;
    let account = tenant.account().number;
    let bulk = Arc::new(range.bulk(account, JobKind::Discard, Source::DeadLetters { webhook }));
    let counted = bulk.clone();
    let letters =
        List::of(api, account, move |api, window| Ok(views(api, api.store.dead_letters(&bulk, window.walk())?)?));
    Ok(letters.counted_by(move |api, window| Ok(api.store.dead_letters_counted(&counted, window.walk())?.into())))
}

/// Deliver dead letters again, as new deliveries
#[utoipa::path(
    operation_id = "dead_letters.replay", security(("key" = ["manage"])),
    request_body = Option<DeadLettersInput>,
    responses(
        (status = 200, description = "A dry run: how many there are", body = Reply<CountView>),
        (status = 202, description = "A job does it, the oldest first", body = Reply<JobView>),
        (status = 404, description = "There is no such webhook or delivery"),
        (status = 409, description = "100 jobs of the account run already"),
    )
)]
#[post("/api/v1/dead-letters/replay")]
pub async fn replay(Asked(tenant, body): Asked<Manage>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    handle(&tenant, api, JobKind::Replay, body).await
}

/// Take dead letters off the list; the deliveries stay dead in their history
#[utoipa::path(
    operation_id = "dead_letters.discard", security(("key" = ["manage"])),
    request_body = Option<DeadLettersInput>,
    responses(
        (status = 200, description = "A dry run: how many there are", body = Reply<CountView>),
        (status = 202, description = "A job does it, the oldest first", body = Reply<JobView>),
        (status = 404, description = "There is no such webhook or delivery"),
        (status = 409, description = "100 jobs of the account run already"),
    )
)]
#[post("/api/v1/dead-letters/discard")]
pub async fn discard(Asked(tenant, body): Asked<Manage>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    handle(&tenant, api, JobKind::Discard, body).await
}

async fn handle(tenant: &Tenant, api: web::Data<Api>, kind: JobKind, body: Body) -> Result<HttpResponse, Problem> {
    let input = body.read_or_empty::<DeadLettersInput>()?;
    let dry_run = input.dry_run;
    answer(&api, tenant, bulk(&api, tenant, kind, input).await?, dry_run).await
}

/// The bulk call that does `kind` with the dead letters that are asked for.
pub async fn bulk(
    api: &web::Data<Api>,
    tenant: &Tenant,
    kind: JobKind,
    input: DeadLettersInput,
) -> Result<Bulk, Problem> {
    let range = Range::read(input.event_type.as_deref(), input.from.as_deref(), input.to.as_deref())?;
    let is_filtered = input.webhook.is_some() || !range.is_open();
    let source = match (input.ids, input.webhook) {
        (Some(_), _) if is_filtered => {
            return Err(Invalid::new("ids", "cannot stand together with a filter").into());
        }
        (Some(ids), _) => {
            let (reader, account) = (api.clone(), tenant.account().number);
            let found = api.read(account, move || deliveries(&reader, account, &ids));
            Source::TheseDeadLetters(found.await??)
        }
        (None, webhook) => {
            let webhook = webhook.map(|id| webhook_ever(api, tenant, &id)).transpose()?;
            Source::DeadLetters { webhook }
        }
    };
    Ok(range.bulk(tenant.account().number, kind, source))
}
