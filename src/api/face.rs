//! What answers where no native route does: the faces of the dialects, then 405 and 404. A face renames and reshapes;
//! what is done is the same operation as the native route's, and only webhooks of its dialect are there.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Api;
use super::auth;
use super::history::{History, Row};
use super::page::{Listed, Window};
use super::problem::Problem;
use super::request::{Body, Object as JsonObject, read_json, read_map};
use super::webhooks::operations::{Created, Reach};
use super::webhooks::view::{Object, object, views};
use crate::dialect::{Face, FaceMatch, ListRule, Operation, Page, Paging, Route, Rows, View};
use crate::domain::Invalid;
use crate::domain::account::Scope;

/// Rows that an offset may skip.
const OFFSET_MAX: usize = 10_000;

/// What a list of a face is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    limit: Option<String>,
    cursor: Option<String>,
    offset: Option<String>,
}

/// Which part of a list.
#[derive(Debug, Clone, Copy)]
struct Part {
    window: Window,
    offset: usize,
}

/// Answers a request that no native route is for.
pub async fn answer(api: web::Data<Api>, request: HttpRequest, body: Result<Body, Problem>) -> HttpResponse {
    match route(&api, &request, body).await {
        Ok(reply) => reply,
        Err(problem) => HttpResponse::from_error(problem),
    }
}

async fn route(api: &Api, request: &HttpRequest, body: Result<Body, Problem>) -> Result<HttpResponse, Problem> {
    let (method, path) = (request.method().as_str(), request.path());
    match api.dialects.route(method, path) {
        Some(Route::Found(call)) => {
            let face = call.dialect.face.as_ref().ok_or_else(|| Problem::internal("a route without a face"))?;
            serve(api, request, body, &call, face).await.map_err(|problem| in_words(face, problem))
        }
        Some(Route::WrongMethod { allow }) => Err(Problem::method_not_allowed(method, path, allow.join(", "))),
        None => Err(native_problem(api, method, path)),
    }
}

fn native_problem(api: &Api, method: &str, path: &str) -> Problem {
    match api.described.get().and_then(|described| described.allowed(path)) {
        Some(allow) => Problem::method_not_allowed(method, path, allow),
        None => Problem::no_route(path),
    }
}

/// An error about a native field, with the face's name for it.
fn in_words(face: &Face, problem: Problem) -> Problem {
    let Some(native) = problem.field().map(str::to_string) else { return problem };
    let said = face.in_its_words(Invalid::new(native.clone(), ""));
    let in_message = |message: &str| match message.strip_prefix(&native) {
        Some(rest) => format!("{}{rest}", said.field),
        None => message.to_string(),
    };
    problem.with_message(in_message).with_field(said.field)
}

async fn serve(
    api: &Api,
    request: &HttpRequest,
    body: Result<Body, Problem>,
    call: &FaceMatch<'_>,
    face: &Face,
) -> Result<HttpResponse, Problem> {
    let needed = match call.operation {
        Operation::List | Operation::Get | Operation::Deliveries => Scope::Read,
        _ => Scope::Manage,
    };
    let tenant = auth::tenant(request, needed)?;
    let reach = Reach { api, tenant: &tenant, dialect: Some(&call.dialect) };
    let id = call.webhook_id.unwrap_or_default();
    let body = body?;
    let shown = match call.operation {
        Operation::Create => {
            let created = reach.create(read_map(face.read(body_object(&body)?)?)?).await?;
            face.webhook(&created_view(&reach, face, &created)?)
        }
        Operation::Get => face.webhook(&object(&reach.view(&*reach.webhook(id)?)?)),
        Operation::Update => {
            // An unknown webhook is told before what is wrong with the body.
            reach.webhook(id)?;
            let (webhook, _) = reach.update(id, read_map(face.read(body_object(&body)?)?)?).await?;
            face.webhook(&object(&reach.view(&webhook)?))
        }
        Operation::Delete => {
            reach.delete(id).await?;
            return Ok(HttpResponse::NoContent().finish());
        }
        Operation::List => webhooks(&reach, face, request).await?,
        Operation::Deliveries => deliveries(&reach, face, id, request).await?,
        Operation::Test => {
            reach.webhook(id)?;
            let (event, delivery) = reach.test(id, read_map(face.read_test(any(&body)?)?)?).await?;
            let ids = &call.dialect.ids;
            let data = json!({
                "event_id": ids.event.spell(event.id.uuid()),
                "event_type": event.event_type,
                "delivery_id": ids.delivery.spell(delivery.uuid()),
            });
            wrapped(face, data)
        }
        Operation::Replay => {
            let (new, old) = reach.replay(id, call.delivery_id.unwrap_or_default()).await?;
            let form = &call.dialect.ids.delivery;
            let data = json!({"delivery_id": form.spell(new.uuid()), "replay_of": form.spell(old.uuid())});
            wrapped(face, data)
        }
    };
    let status = StatusCode::from_u16(call.operation.status()).map_err(Problem::internal)?;
    Ok(HttpResponse::build(status).json(shown))
}

fn wrapped(face: &Face, data: Value) -> Value {
    match &face.wrap {
        Some(key) => json!({ key: data }),
        None => data,
    }
}

fn body_object(body: &Body) -> Result<Map<String, Value>, Problem> {
    read_json::<JsonObject<Map<String, Value>>>(&body.0).map(|object| object.0)
}

fn any(body: &Body) -> Result<Value, Problem> {
    if body.0.trim_ascii().is_empty() { Ok(Value::Null) } else { read_json(&body.0) }
}

/// A new webhook shows its secret where it was generated, and where the contract always shows it then.
fn created_view(reach: &Reach<'_>, face: &Face, created: &Created) -> Result<Object, Problem> {
    let always =
        face.webhook.iter().any(|(_, view)| matches!(view, View::Native { field: "secret", optional: false, .. }));
    let shown = reach.view(&created.webhook)?;
    let secret = created.webhook.secrets.first().filter(|_| created.generated || always);
    Ok(object(&match secret {
        Some(one) => shown.with_secret(&one.secret),
        None => shown,
    }))
}

async fn webhooks(reach: &Reach<'_>, face: &Face, request: &HttpRequest) -> Result<Value, Problem> {
    let part = part(request, &face.list)?;
    let listed = Listed::from(reach.list(part.window, part.offset));
    let total = || reach.list(Window { limit: usize::MAX - 1, ..part.window }, 0).rows.len() as u64;
    let page = match face.list.paging {
        Paging::Cursor => Page::Cursor(listed.cursor()),
        Paging::Offset => offset_page(total(), part),
    };
    let (store, account) = (reach.api.store.clone(), reach.tenant.account().id.clone());
    let shown = web::block(move || views(&store, &account, &listed.rows)).await??;
    Ok(face.webhooks(&shown.iter().map(object).collect::<Vec<_>>(), &page))
}

async fn deliveries(reach: &Reach<'_>, face: &Face, id: &str, request: &HttpRequest) -> Result<Value, Problem> {
    let rule = &face.deliveries;
    let part = part(request, &rule.list)?;
    let history = reach.history(id)?;
    let tally = reach.api.store.tally(history.webhook.number())?;
    let (kind, paging) = (rule.rows, rule.list.paging);
    let listed = web::block(move || match paging {
        Paging::Cursor => rows(&history, kind, part.window),
        Paging::Offset => rows_from(&history, kind, part),
    });
    let listed = listed.await??;
    let page = match (paging, kind) {
        (Paging::Cursor, _) => Page::Cursor(listed.cursor()),
        (Paging::Offset, Rows::Delivery) => offset_page(tally.deliveries, part),
        (Paging::Offset, Rows::Attempt) => offset_page(tally.attempts, part),
    };
    Ok(face.rows(&listed.rows.iter().map(object).collect::<Vec<_>>(), &page))
}

fn rows(history: &History, kind: Rows, window: Window) -> Result<Listed<Row>, Problem> {
    Ok(match kind {
        Rows::Delivery => history.deliveries(window, |_| true)?,
        Rows::Attempt => history.attempts(window)?,
    })
}

/// Walks from the newest row; an offset has a bound for this reason.
fn rows_from(history: &History, kind: Rows, part: Part) -> Result<Listed<Row>, Problem> {
    let (mut skip, mut shown) = (part.offset, Vec::new());
    let mut window = Window { before: None, below_attempt: 0, limit: super::page::LIMIT_MAX };
    loop {
        let listed = rows(history, kind, window)?;
        let skipped = skip.min(listed.rows.len());
        skip -= skipped;
        shown.extend(listed.rows.into_iter().skip(skipped).take(part.window.limit - shown.len()));
        match listed.next {
            Some((before, below_attempt)) if shown.len() < part.window.limit => {
                window = Window { before: Some(before), below_attempt, ..window };
            }
            _ => return Ok(Listed { rows: shown, next: None }),
        }
    }
}

fn part(request: &HttpRequest, rule: &ListRule) -> Result<Part, Problem> {
    let query = super::request::query::<ListQuery>(request)?;
    let unknown = |field: &str| Err(Invalid::new(field, "is not known here").into());
    match (rule.paging, &query) {
        (Paging::Cursor, ListQuery { offset: Some(_), .. }) => return unknown("offset"),
        (Paging::Offset, ListQuery { cursor: Some(_), .. }) => return unknown("cursor"),
        _ => {}
    }
    let offset = query.offset.as_deref().map_or(Some(0), |text| text.parse().ok().filter(|n| *n <= OFFSET_MAX));
    let offset = offset.ok_or_else(|| Invalid::new("offset", format!("must be a number from 0 to {OFFSET_MAX}")))?;
    let usual = rule.limit_default as usize;
    let window = Window::read_with(usual, query.limit.as_deref(), query.cursor.as_deref())?;
    Ok(Part { window, offset })
}

fn offset_page(total: u64, part: Part) -> Page {
    Page::Offset { total, limit: part.window.limit as u32, offset: part.offset as u64 }
}
