//! Many webhooks in one request: each line makes one, or changes the one that it names. What stays true: a line says and is asked
//! what a request for one webhook says and is asked; what is wrong with one is named by its index, its field and its line; and
//! nobody waits for an endpoint: those that are to be asked whether they want deliveries are asked after the reply.

use std::collections::HashSet;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, post, web};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::create::WebhookPutBody;
use super::input::WebhookInput;
use super::later;
use super::operations::{Draft, Revision, asks};
use super::probing::warning;
use super::reach::{Reach, reach};
use super::view::{WebhookView, changed_settings};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::Manage;
use crate::api::deliveries::filter::one_of;
use crate::api::http::batch::{self, Form, Of, in_line, is_ndjson, line_of};
use crate::api::http::problem::{ErrorBody, Problem};
use crate::api::http::reply::Reply;
use crate::api::http::request::{Object, Query, read_json, read_map};
use crate::domain::Invalid;
use crate::domain::audit::Deed;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::webhook::{Ownership, Webhook};
use crate::store::{Load, WHOLE_BYTES_MAX, WebhookPut, WebhookThere};

/// Webhooks of one batch.
pub const BATCH_MAX: usize = 1000;
/// Webhooks of one that is done whole or not at all: a row and an entry of the audit log each, in one step of the store.
pub const WHOLE_MAX: usize = 128;
/// Webhooks that are put there at once, where each goes by itself.
const AT_ONCE: usize = 16;

/// What becomes of a batch of which one cannot be done: `all`, nothing is done; `each`, the others are.
#[derive(Debug, utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it stands in the document only")]
enum BatchMode {
    All,
    Each,
}

/// How a batch is done.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct BatchQuery {
    /// `all`, which is meant if it is left out: all of it or nothing, at most 128 webhooks in 524,288 bytes, what they have already
    /// included; `each`: each by itself, at most 1,000.
    #[param(inline, value_type = Option<BatchMode>, example = "each")]
    mode: Option<String>,
}

/// What became of one webhook of a batch.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = WebhookResult)]
struct Row<'a> {
    /// Which one it was, from 0.
    #[schema(example = 0)]
    index: usize,
    /// The status that it would have been answered with alone: 201, made; 200, changed; otherwise that of the error.
    #[schema(example = 201)]
    status: u16,
    /// The webhook as it is now, with its `secret` if that was generated; null where it could not be done.
    webhook: Option<WebhookView>,
    /// Why it could not be done.
    error: Option<ErrorBody<'a>>,
    /// What to know about it.
    warnings: Vec<String>,
}

/// Make or change many webhooks
///
/// An array, or one object a line (`application/x-ndjson`). One that names a webhook by its `id` changes it, as one with the `uid` of
/// a webhook does; any other makes one, with that `uid` where it has one. So a batch in which each has an `id` or a
/// `uid` can be sent again; one with neither is made anew each time, and `Idempotency-Key` is not heeded here. A webhook can be
/// named once. A change leaves what is not said as it is. Whether endpoints want deliveries is asked after the
/// reply: such a webhook is `unverified` in it. A body that is not JSON is refused whole.
#[utoipa::path(
    operation_id = "webhooks.bulk.put", security(("key" = ["manage"])),
    params(BatchQuery),
    request_body(content((Vec<WebhookPutBody> = "application/json"), (String = "application/x-ndjson"))),
    responses(
        (status = 200, description = "What became of each, in their order; with `mode=all`, all are done", body = Reply<Vec<Row<'static>>>),
        (status = 400, description = "`mode=all`: one of them cannot be taken, and nothing is done"),
        (status = 404, description = "`mode=all`: one of them names a webhook that there is not"),
        (status = 409, description = "`mode=all`: the account would have more than it or the dialect allows, or a `uid` is another's"),
    )
)]
#[post("/api/v1/webhooks/batch")]
pub async fn put_many(
    Asked(tenant, body): Asked<Manage>,
    api: web::Data<Api>,
    request: HttpRequest,
    Query(query): Query<BatchQuery>,
) -> Result<HttpResponse, Problem> {
    let is_whole = one_of("mode", query.mode, &["all", "each"])?.as_deref() != Some("each");
    let of = Of { noun: "webhook", max: BATCH_MAX };
    let (form, said) = batch::read::<&RawValue>(&body.bytes, is_ndjson(&request), of)?;
    if form == Form::One {
        return Err(Problem::json("the body must be an array, or one object a line with application/x-ndjson"));
    }
    if is_whole && (said.len() > WHOLE_MAX || body.bytes.len() > WHOLE_BYTES_MAX) {
        let message = format!(
            "all or nothing is done of at most {WHOLE_MAX} webhooks in {WHOLE_BYTES_MAX} bytes; send several batches, or take \
             mode=each"
        );
        return Err(Problem::json(message));
    }
    let reach = reach(&api, &tenant);
    let placed = |index: usize, problem: Problem| match form {
        Form::Lines => in_line(problem, index, line_of(&body.bytes, start_of(&body.bytes, said[index]))),
        _ => {
            let field = problem.field().map_or(format!("[{index}]"), |field| batch::at(form, index, field));
            problem.with_field(field)
        }
    };
    let mut named = HashSet::new();
    let mut ready = Vec::with_capacity(said.len());
    for (index, raw) in said.iter().enumerate() {
        // Others are served by this thread as well, and one may have hundreds of filters.
        tokio::task::yield_now().await;
        let vetted = vet(&reach, raw, &mut named).map_err(|problem| placed(index, problem));
        ready.push(if is_whole { Ok(vetted?) } else { vetted });
    }
    let done: Vec<Result<Made, Problem>> = if is_whole {
        let ready = ready.into_iter().collect::<Result<Vec<_>, _>>()?;
        let made = put_there(&api, &reach, ready).await;
        let made = made.map_err(|(index, problem)| match index {
            Some(index) => placed(index, problem),
            None => problem,
        });
        made?.into_iter().map(Ok).collect()
    } else {
        let each = ready.into_iter().enumerate().map(async |(index, ready)| {
            let made = put_there(&api, &reach, vec![ready?]).await;
            let mut made = made.map_err(|(_, problem)| placed(index, problem))?;
            made.pop().ok_or_else(|| Problem::internal("a webhook that was put there is gone"))
        });
        stream::iter(each).buffered(AT_ONCE).collect().await
    };
    told(&reach, &done)
}

/// Where in the body it begins.
fn start_of(body: &[u8], said: &RawValue) -> usize {
    said.get().as_ptr() as usize - body.as_ptr() as usize
}

/// A webhook that is vetted, to be put there.
struct Ready {
    put: WebhookPut,
    rest: Rest,
    /// Bytes that say it, and of what it is already: all of it is written.
    bytes: usize,
}

/// What is to be done about it once it is there.
struct Rest {
    generated: bool,
    warnings: Vec<String>,
    /// Of a new one: its turn to be asked.
    turn: Option<later::Turn>,
    /// Of one that was there: where, and whether its endpoint was asked.
    before: Option<(EndpointUrl, bool)>,
}

/// A webhook that was put there.
struct Made {
    webhook: Webhook,
    is_new: bool,
    generated: bool,
    warnings: Vec<String>,
}

/// Vets what is said of one; `named`: those that are in the batch before it.
fn vet(reach: &Reach<'_>, raw: &RawValue, named: &mut HashSet<String>) -> Result<Ready, Problem> {
    let json = raw.get().as_bytes();
    let Object(mut said) = read_json::<Object<Map<String, Value>>>(json)?;
    let id = said.remove("id");
    let uid = said.get("uid").and_then(Value::as_str).map(String::from);
    let known = match (&id, &uid) {
        (Some(Value::String(id)), _) => Some(reach.webhook(id).map_err(|problem| problem.with_field("id"))?),
        (Some(_), _) => return Err(Invalid::new("id", "must be the id of a webhook; leave it out to make one").into()),
        (None, Some(uid)) => reach.called(uid),
        (None, None) => None,
    };
    let name = known.as_ref().map(|known| known.id.to_string()).or(uid);
    if name.is_some_and(|name| !named.insert(name)) {
        let field = if id.is_some() { "id" } else { "uid" };
        return Err(Invalid::new(field, "names a webhook that is in this batch before; say all of it at once").into());
    }
    let input = match id {
        Some(_) => read_map::<WebhookInput>(said)?,
        None => read_json::<Object<WebhookInput>>(json)?.0,
    };
    let bytes = json.len() + known.as_ref().map_or(0, |known| known.texts_bytes());
    Ok(match known {
        Some(known) => {
            let Revision { edit, warnings, before } = reach.revision(&known, input)?;
            let rest = Rest { generated: false, warnings, turn: None, before: Some(before) };
            Ready { put: WebhookPut::Change(known.id, edit), rest, bytes }
        }
        None => {
            let Draft { mut webhook, limit, generated, warnings, asked, asked_later } =
                reach.draft(input, |_, _| true)?;
            if asked && asked_later.is_none() {
                webhook.ownership = Ownership::Never { reason: later::NO_TURN.into() };
            }
            let rest = Rest { generated, warnings, turn: asked_later, before: None };
            Ready { put: WebhookPut::Create(Box::new(webhook), limit), rest, bytes }
        }
    })
}

/// Puts them there, all or none; the index of the one that is refused.
async fn put_there(
    api: &web::Data<Api>,
    reach: &Reach<'_>,
    ready: Vec<Ready>,
) -> Result<Vec<Made>, (Option<usize>, Problem)> {
    let (account, quota) = (reach.tenant.account().number, reach.quotas().webhooks_max);
    let bytes = ready.iter().map(|one| one.bytes).sum();
    let (puts, rests): (Vec<_>, Vec<_>) = ready.into_iter().map(|one| (one.put, one.rest)).unzip();
    let load = Load { bytes, deliveries: 2 * puts.len(), ..Load::of(account) };
    let put = api.change_many(reach.tenant, load, move |staging| {
        Ok(match staging.put_webhooks(account, puts, quota)? {
            Ok(there) => (there.iter().map(deed).collect(), Ok(there)),
            Err(refused) => (Vec::new(), Err(refused)),
        })
    });
    let there = put.await.map_err(|refusal| (None, refusal.into()))?;
    let there = there.map_err(|(index, refusal)| (Some(index), refusal.into()))?;
    Ok(there
        .into_iter()
        .zip(rests)
        .map(|((before, webhook), rest)| made(api, reach, before.is_none(), webhook, rest))
        .collect())
}

fn deed((before, after): &WebhookThere) -> Deed {
    match before {
        None => Deed::to_webhook(after.account, "created", after.id),
        Some(before) => {
            Deed::to_webhook(after.account, "changed", after.id).with_fields(changed_settings(before, after))
        }
    }
}

/// It is there: its dialect is served, and its endpoint asked in its turn.
fn made(api: &web::Data<Api>, reach: &Reach<'_>, is_new: bool, webhook: Webhook, rest: Rest) -> Made {
    let Rest { generated, mut warnings, turn, before } = rest;
    if is_new {
        api.dialects.mount(&webhook.dialect);
    }
    let is_to_be_asked = before.is_some_and(|before| asks(&before, &webhook));
    let turn = if is_to_be_asked { later::turn(api, webhook.account) } else { turn };
    if let Some(turn) = turn {
        later::ask(api.clone(), reach.tenant.clone(), &webhook, turn);
    }
    warnings.extend(warning(&webhook));
    Made { webhook, is_new, generated, warnings }
}

fn told(reach: &Reach<'_>, done: &[Result<Made, Problem>]) -> Result<HttpResponse, Problem> {
    let rows = done.iter().enumerate().map(|(index, one)| row(reach, index, one));
    Ok(Reply::ok(rows.collect::<Result<Vec<_>, Problem>>()?))
}

fn row<'a>(reach: &Reach<'_>, index: usize, done: &'a Result<Made, Problem>) -> Result<Row<'a>, Problem> {
    let made = match done {
        Ok(made) => made,
        Err(problem) => {
            let (status, error) = (problem.status_code().as_u16(), Some(problem.body()));
            return Ok(Row { index, status, webhook: None, error, warnings: Vec::new() });
        }
    };
    let view = reach.view(&made.webhook)?;
    let webhook = match made.webhook.secrets.first().filter(|_| made.generated) {
        Some(one) => view.with_secret(&one.secret),
        None => view,
    };
    let status = if made.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let (status, warnings) = (status.as_u16(), made.warnings.clone());
    Ok(Row { index, status, webhook: Some(webhook), error: None, warnings })
}
