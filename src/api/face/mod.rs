//! What answers where no native route does: the faces of the dialects, then 405 and 404. A face renames and reshapes;
//! what is done is the same operation as the native route's, and only webhooks of its dialect are there.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};

mod limits;
mod lists;

use crate::api::Api;
use crate::api::access::auth;
use crate::api::http::body::Body;
use crate::api::http::problem::Problem;
use crate::api::http::request::{Object as JsonObject, read_json, read_map};
use crate::api::webhooks::operations::Created;
use crate::api::webhooks::reach::Reach;
use crate::api::webhooks::view::{Object, object};
use crate::api::webhooks::{later, meant};
use crate::dialect::{Face, FaceMatch, Operation, Route, View};
use crate::domain::Invalid;
use crate::domain::account::Scope;

/// What there is to know of what was done, such as that a secret is short; the native API has `warnings` for it.
const WARNING_HEADER: HeaderName = HeaderName::from_static("hookwheel-warning");
/// Headers with a warning in one reply.
const WARNINGS_MAX: usize = 8;
/// Characters of one warning in a header.
const WARNING_CHARS_MAX: usize = 400;

/// Answers a request that no native route is for. A body is read only for who may send one.
pub async fn answer(api: web::Data<Api>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    match route(&api, &request, payload).await {
        Ok(reply) => reply,
        Err(problem) => HttpResponse::from_error(problem),
    }
}

async fn route(api: &web::Data<Api>, request: &HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let (method, path) = (request.method().as_str(), request.path());
    let found = api.dialects.now().route(method, path);
    match found {
        Some(Route::Found(call)) => {
            let face = call.dialect.face.as_ref().ok_or_else(|| Problem::internal("a route without a face"))?;
            let tenant = auth::tenant(request, scope(call.operation)).await?;
            let body = Body::receive(request, &mut payload.into_inner(), tenant.account().number).await;
            let reach = Reach::of(api, &tenant, Some(&call.dialect));
            let reply = serve(&reach, api, request, body, &call, face).await;
            let mut reply = answered(reply);
            if face.rate_limit_headers {
                limits::tell(&reach, call.webhook_id, &mut reply);
            }
            Ok(reply)
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
        // What there is besides is listed by its native names.
        Some(rest) if rest.starts_with(": is not known here") => format!("{}{}", said.field, face.names.write(rest)),
        Some(rest) => format!("{}{rest}", said.field),
        None => message.to_string(),
    };
    problem.with_message(in_message).with_field(said.field)
}

async fn serve(
    reach: &Reach<'_>,
    api: &web::Data<Api>,
    request: &HttpRequest,
    body: Result<Body, Problem>,
    call: &FaceMatch<'_>,
    face: &Face,
) -> Result<HttpResponse, Problem> {
    let id = call.webhook_id.unwrap_or_default();
    let (mut about, mut warnings) = (None, Vec::new());
    let body = body?;
    // What the face itself does not know it tells in its own words already.
    let said = |problem| in_words(face, problem);
    let shown = match call.operation {
        Operation::Create => {
            let created = create(reach, face, &body).await;
            let mut created = created.map_err(|problem| meant::told(reach, &body.bytes, problem))?;
            about = Some(created.webhook.id);
            warnings.append(&mut created.warnings);
            if let Some(turn) = created.asked_later.take() {
                later::ask(api.clone(), reach.tenant.clone(), &created.webhook, turn);
            }
            face.webhook(&created_view(reach, face, &created)?)
        }
        Operation::Get => face.webhook(&object(&reach.view(&*reach.webhook(id)?)?)),
        Operation::Update => {
            // An unknown webhook is told before what is wrong with the body.
            reach.webhook(id)?;
            let input = read_map(face.read(body_object(&body)?)?).map_err(said)?;
            let (webhook, told) = reach.update(id, input).await.map_err(said)?;
            warnings.extend(told);
            face.webhook(&object(&reach.view(&webhook)?))
        }
        Operation::Delete => {
            reach.delete(id).await?;
            return Ok(HttpResponse::NoContent().finish());
        }
        Operation::List => lists::webhooks(reach, face, request).await?,
        Operation::Deliveries => lists::deliveries(reach, face, id, request).await?,
        Operation::Test => {
            // An unknown webhook is told before what is wrong with the body.
            reach.webhook(id)?;
            let input = read_map(face.read_test(any(&body)?)?).map_err(said)?;
            let mut tested = reach.test(id, input).await.map_err(said)?;
            warnings.append(&mut tested.warnings);
            let shown = tested.view_with(&call.dialect.ids, face.names_attempts());
            face.reply(&serde_json::to_value(shown).map_err(Problem::internal)?)
        }
        Operation::Check => face.reply(&serde_json::to_value(reach.check(id).await?).map_err(Problem::internal)?),
        Operation::Verify => face.webhook(&object(&reach.view(&reach.verify(id).await?)?)),
        Operation::Replay => {
            let (new, old) = reach.replay(id, call.delivery_id.unwrap_or_default()).await?;
            let form = &call.dialect.ids.delivery;
            let data = json!({"delivery_id": form.spell(new.uuid()), "replay_of": form.spell(old.uuid())});
            face.reply(&data)
        }
    };
    let status = StatusCode::from_u16(call.operation.status()).map_err(Problem::internal)?;
    let mut reply = HttpResponse::build(status).json(shown);
    tell(&warnings, &mut reply);
    if let Some(id) = about {
        reply.extensions_mut().insert(limits::About(id));
    }
    Ok(reply)
}

/// Writes what is to be told into headers: a contract's replies have no other place for it.
fn tell(warnings: &[String], reply: &mut HttpResponse) {
    for warning in warnings.iter().take(WARNINGS_MAX) {
        let plain = |c: char| if (' '..='~').contains(&c) { c } else { '?' };
        let text: String = warning.chars().take(WARNING_CHARS_MAX).map(plain).collect();
        reply.headers_mut().append(WARNING_HEADER, HeaderValue::from_str(&text).expect("it is visible ASCII"));
    }
}

fn answered(reply: Result<HttpResponse, Problem>) -> HttpResponse {
    reply.unwrap_or_else(HttpResponse::from_error)
}

async fn create(reach: &Reach<'_>, face: &Face, body: &Body) -> Result<Created, Problem> {
    let said = |problem| in_words(face, problem);
    let input = read_map(face.read(body_object(body)?)?).map_err(said)?;
    reach.create(input).await.map_err(said)
}

/// What a key must be allowed.
fn scope(operation: Operation) -> Scope {
    match operation {
        Operation::List | Operation::Get | Operation::Deliveries => Scope::Read,
        _ => Scope::Manage,
    }
}

fn body_object(body: &Body) -> Result<Map<String, Value>, Problem> {
    read_json::<JsonObject<Map<String, Value>>>(&body.bytes).map(|object| object.0)
}

fn any(body: &Body) -> Result<Value, Problem> {
    if body.is_blank() { Ok(Value::Null) } else { read_json(&body.bytes) }
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
