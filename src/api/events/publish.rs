//! `POST /api/v1/events`: the way in. What stays true: a batch is accepted whole or not at all, and 202 is written after
//! the commit has reached the disk.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::Serialize;
use utoipa::openapi::schema::{ArrayBuilder, OneOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::{Publish, Tenant};
use crate::api::events::input::{self as incoming, BATCH_EVENTS_MAX, EventInput, Form};
use crate::api::events::traced::Publishing;
use crate::api::events::{numbers, payloads, too_large, types};
use crate::api::http::batch::is_ndjson;
use crate::api::http::body::Body;
use crate::api::http::idempotency::idempotency;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::domain::Invalid;
use crate::domain::id::AccountNumber;
use crate::domain::time;
use crate::store::{Accepted, Idempotency, Refusal};

/// Warnings of one reply that are told one by one.
const WARNINGS_MAX: usize = 50;

/// What became of an event.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = EventReceipt)]
struct Receipt {
    /// Your own id where you gave one, else ours.
    id: String,
    /// Its type.
    r#type: String,
    /// When it happened.
    #[schema(format = DateTime)]
    created_at: String,
    /// How many webhooks it goes to.
    deliveries: usize,
    /// True if it was accepted before; it is not delivered again then.
    #[serde(skip_serializing_if = "is_false")]
    duplicate: bool,
}

/// One event, or several as an array.
struct EventOrBatch;

impl PartialSchema for EventOrBatch {
    fn schema() -> RefOr<Schema> {
        let event = Ref::from_schema_name(EventInput::name());
        let batch = ArrayBuilder::new().items(event.clone()).min_items(Some(1)).max_items(Some(BATCH_EVENTS_MAX));
        let batch = batch.description(Some("A batch: all of it is accepted, or nothing."));
        OneOfBuilder::new().item(event).item(batch).description(Some("One event, or a batch.")).into()
    }
}

impl ToSchema for EventOrBatch {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((EventInput::name().into(), EventInput::schema()));
    }
}

/// What became of one event, or of those of a batch in their order.
#[derive(utoipa::ToSchema)]
#[schema(as = Published)]
#[serde(untagged)]
#[expect(dead_code, reason = "it stands in the document only")]
enum PublishReply {
    /// Of one.
    One(Reply<Receipt>),
    /// Of a batch.
    Batch(Reply<Vec<Receipt>>),
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Publish an event
///
/// One event as a JSON object, up to 1,000 as an array, or as one object a line (`application/x-ndjson`). The answer
/// comes once they are safe on disk. With an `Idempotency-Key` the same request can be sent again for 24 hours and is
/// accepted once, whatever is asked of events meanwhile.
#[utoipa::path(
    operation_id = "events.publish", security(("key" = ["publish"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters", pattern = "^[!-~]{1,255}$")),
    request_body(content((EventOrBatch = "application/json"), (String = "application/x-ndjson"))),
    responses(
        (status = 202, description = "Accepted: safe on disk", body = PublishReply),
        (status = 400, description = "Not an event; nothing was accepted"),
        (status = 409, description = "The id or the Idempotency-Key was used for something else"),
        (status = 422, description = "Data does not fit the schema of its type, and is to; nothing was accepted"),
        (status = 429, description = "More events than the key or its account may publish in a second, or the account in a day"),
    )
)]
#[post("/api/v1/events")]
pub async fn publish(
    Asked(tenant, body): Asked<Publish>,
    api: web::Data<Api>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let publishing = Publishing::begin(&api.clock, &request);
    let idempotency = idempotency(&request, &[&body.bytes])?;
    let given = (body, is_ndjson(&request), idempotency);
    let Published { form, accepted, warnings } = accept(&api, &tenant, publishing, given).await?;
    Ok(reply(form, accepted, warnings))
}

/// What became of a body of events.
pub struct Published {
    /// Whether it was one event, or several.
    form: Form,
    /// What was accepted, in the order of the body.
    pub accepted: Vec<Accepted>,
    /// What their producer should know.
    pub warnings: Vec<String>,
}

/// Accepts the events of a body, all or none, for who may publish; returns once they are safe on disk.
///
/// # Errors
/// What is wrong with one of them, by its field; or why none is taken now.
pub async fn accept(
    api: &Api,
    tenant: &Tenant,
    mut publishing: Publishing,
    (body, is_ndjson, idempotency): (Body, bool, Option<Idempotency>),
) -> Result<Published, Problem> {
    let (form, inputs) = incoming::read(&body.bytes, is_ndjson)?;
    api.events.take(tenant.key(), inputs.len(), api.clock.now())?;
    let tenant = acting_tenant(api, tenant, form, &inputs)?;
    let quotas = api.settings().quotas.of(tenant.account());
    api.events_of_accounts.take(tenant.account().number, quotas.events_per_second, inputs.len(), api.clock.now())?;
    let mut events = incoming::vet_all(&body.bytes, form, inputs)?;
    events.iter_mut().for_each(|event| event.trace = publishing.named);
    let account = tenant.account();
    let unless_accepted = |told| unless_accepted(api, account.number, idempotency.as_ref(), told);
    let mut warnings = unless_accepted(types::check(api, account, form, &events))?;
    warnings.extend(unless_accepted(payloads::check(api, account, form, &events).await)?);
    // From here on the store counts what waits, but for what is still to be measured.
    let measured = too_large::near_limit(api, account.number, &events).map(|least| (least, body));
    let asked = api.store.ask(account.number, events).await?;
    warnings.extend(unless_accepted(numbers::check(api, account.number, form, &asked))?);
    if let Some((least, _body)) = measured {
        warnings.extend(too_large::check(api, account, form, &asked, least).await?);
    }
    let accepted = publishing.committed(api.store.publish(account.number, asked, idempotency)).await;
    let accepted = accepted.map_err(|refusal| placed(refusal, form))?;
    publishing.accepted(api, &tenant, &accepted);
    Ok(Published { form, accepted, warnings: bounded(warnings) })
}

/// What a check tells. What it refuses may have been accepted before with the same key, when less was asked of it: then the answer
/// is what it was.
fn unless_accepted(
    api: &Api,
    account: AccountNumber,
    idempotency: Option<&Idempotency>,
    told: Result<Vec<String>, Problem>,
) -> Result<Vec<String>, Problem> {
    match (told, idempotency) {
        (Err(_), Some(same)) if api.store.is_accepted(account, same)? => Ok(Vec::new()),
        (told, _) => told,
    }
}

/// The first of many warnings, and how many there are more.
fn bounded(mut warnings: Vec<String>) -> Vec<String> {
    let more = warnings.len().saturating_sub(WARNINGS_MAX);
    warnings.truncate(WARNINGS_MAX);
    warnings.extend((more > 0).then(|| format!("and {more} more warnings like these")));
    warnings
}

/// Whose events these are: all of one request belong to one account.
fn acting_tenant(api: &Api, tenant: &Tenant, form: Form, inputs: &[EventInput<'_>]) -> Result<Tenant, Problem> {
    let first = inputs[0].account.as_deref();
    if let Some(index) = inputs.iter().position(|input| input.account.as_deref() != first) {
        let message = "all events of a batch must be of the same account";
        return Err(Invalid::new(incoming::at(form, index, "account"), message).into());
    }
    match first {
        None => Ok(tenant.clone()),
        Some(id) => {
            tenant.acting_for(&api.store, id).map_err(|problem| problem.with_field(incoming::at(form, 0, "account")))
        }
    }
}

/// A refusal that is about one event of a batch says about which.
fn placed(refusal: Refusal, form: Form) -> Problem {
    let index = if let Refusal::EventIdConflict { index } = refusal { Some(index) } else { None };
    let problem = Problem::from(refusal);
    index.map_or(problem.clone(), |index| problem.with_field(incoming::at(form, index, "id")))
}

fn reply(form: Form, accepted: Vec<Accepted>, warnings: Vec<String>) -> HttpResponse {
    let mut receipts = accepted.into_iter().map(|one| Receipt {
        id: one.name.unwrap_or_else(|| one.id.to_string()),
        r#type: one.event_type,
        created_at: time::rfc3339(one.created_at),
        deliveries: one.deliveries,
        duplicate: one.duplicate,
    });
    match (form, receipts.next()) {
        (Form::One, Some(receipt)) => Reply::with(StatusCode::ACCEPTED, receipt, warnings),
        (_, first) => {
            let all = first.into_iter().chain(receipts).collect::<Vec<_>>();
            Reply::with(StatusCode::ACCEPTED, all, warnings)
        }
    }
}
