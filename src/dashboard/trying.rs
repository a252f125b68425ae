//! Operations of the API, tried with a session: what the pages of the documentation lead to. What stays true: a form that is sent does
//! what the API would do for a key with the same scopes, and the reply is shown as text.

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use maud::{Markup, html};
use serde::Deserialize;

use super::away::Away;
use super::frame::{Page, Part, token};
use super::links;
use super::parts::field::Field;
use super::parts::json::json;
use super::posted::{Fields, Posted};
use super::seat::{Looks, Seat};
use crate::api::access::auth::Any;
use crate::api::calling::{Answer, Call, call};
use crate::api::docs::site::asked_at;
use crate::api::{Api, Problem};
use crate::docs::Trial;
use crate::domain::Invalid;
use crate::domain::ability::Ability;

/// They go on without end, or hand out what is then waited for: no page can show that.
const NOT_HERE: &[&str] = &["stream.follow", "webhooks.leases.pull", "accounts.export"];

#[derive(Deserialize)]
struct Named {
    operation: String,
}

/// What a person must be able to do for an operation, where that is less than to manage.
fn ability(operation: &str) -> Option<Ability> {
    match operation {
        "webhooks.test" | "webhooks.check" | "webhooks.verify" => Some(Ability::Test),
        "webhooks.enable" | "webhooks.disable" | "webhooks.pause" | "webhooks.resume" => Some(Ability::Steer),
        "webhooks.secret.get" | "webhooks.secret.rotate" => Some(Ability::Rotate),
        "jobs.cancel"
        | "events.replay"
        | "deliveries.replay"
        | "webhooks.replay"
        | "webhooks.discard"
        | "dead_letters.replay"
        | "dead_letters.discard" => Some(Ability::Replay),
        _ => None,
    }
}

/// From the documentation to where one begins: see [`home`](super::people).
#[get("/dashboard/try/{operation}")]
pub async fn begin(seat: Looks<Any>, named: web::Path<Named>) -> HttpResponse {
    let page = format!("try/{}", links::part(&named.operation));
    links::see_other(&links::of_account(seat.first_account(), &page))
}

/// Its routes, below `/dashboard/@{account}/try`.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(show).service(send);
}

#[get("/{operation}")]
async fn show(seat: Looks<Any>, api: web::Data<Api>, named: web::Path<Named>) -> Result<HttpResponse, Away> {
    let trial = trial(&api, &named.operation)?;
    Ok(page(StatusCode::OK, &seat, &trial, &Fields::default(), None))
}

#[post("/{operation}")]
async fn send(
    posted: Posted<Any>,
    api: web::Data<Api>,
    named: web::Path<Named>,
    request: HttpRequest,
) -> Result<HttpResponse, Away> {
    let trial = trial(&api, &named.operation)?;
    let Posted { seat, fields, .. } = &posted;
    let told = match asked(&trial, fields, asked_at(&request)) {
        Ok(asked) => call(&api, seat.tenant(), ability(&trial.operation), asked).await,
        Err(problem) => Err(problem),
    };
    Ok(page(StatusCode::OK, seat, &trial, fields, Some(&told)))
}

/// What can be tried of an operation.
fn trial(api: &Api, operation: &str) -> Result<Trial, Problem> {
    let there = api.reference().trial(operation).filter(|_| !NOT_HERE.contains(&operation));
    there.ok_or_else(|| Problem::not_found("operation that can be tried here"))
}

/// The call that a form asks for.
fn asked(trial: &Trial, fields: &Fields, base_url: String) -> Result<Call, Problem> {
    let mut path = trial.path.clone();
    let mut query = Vec::new();
    for parameter in &trial.parameters {
        let name = field_name(parameter.is_in_path, &parameter.name);
        match (fields.text(&name), parameter.is_in_path) {
            (Some(text), true) => path = path.replace(&format!("{{{}}}", parameter.name), &links::part(text)),
            (None, true) => return Err(Invalid::new(&name, "must be filled in").into()),
            (text, false) => query.push((parameter.name.as_str(), text)),
        }
    }
    let method = Method::from_bytes(trial.method.as_bytes()).map_err(Problem::internal)?;
    let body = trial.body.as_ref().and_then(|_| fields.text("body")).unwrap_or_default().to_owned();
    Ok(Call { method, address: links::with_query(&path, query), body, base_url })
}

/// A parameter of the path and one of the query may be called the same.
fn field_name(is_in_path: bool, name: &str) -> String {
    format!("{}-{name}", if is_in_path { "path" } else { "query" })
}

fn page(
    status: StatusCode,
    seat: &Seat,
    trial: &Trial,
    fields: &Fields,
    told: Option<&Result<Answer, Problem>>,
) -> HttpResponse {
    let problem = told.and_then(|told| told.as_ref().err());
    let account = &seat.account().id;
    let body = html! {
        p {
            code { (trial.method) " " (trial.path) } " for the account " code { (account) } ", with what you may do there. "
            a href={ "/docs/api/" (trial.operation) } { "What it does, field by field" }
        }
        @if trial.method != "GET" { p.note { "This is no rehearsal: what the call changes is changed." } }
        form method="post" action=(seat.at(&format!("try/{}", links::part(&trial.operation)))) {
            (token(seat))
            @for parameter in &trial.parameters {
                (parameter_field(parameter.is_in_path, &parameter.name, fields, problem))
            }
            @if let Some(begun) = &trial.body {
                @let value = fields.raw("body").unwrap_or(begun);
                (Field { name: "body", label: "Body, as JSON", value, ..Field::default() }.lines(12, problem))
            }
            div.submit { button.main type="submit" { "Call" } }
        }
        @match told {
            Some(Ok(answer)) => (shown(answer)),
            Some(Err(problem)) => p.problem role="alert" { (problem) },
            None => {}
        }
    };
    Page::new(&format!("Try {}", trial.operation), Part::Elsewhere).show_with(status, seat, &body)
}

fn parameter_field(is_in_path: bool, name: &str, fields: &Fields, problem: Option<&Problem>) -> Markup {
    let (field, label) =
        (field_name(is_in_path, name), format!("{name}, in the {}", if is_in_path { "path" } else { "query" }));
    let value = fields.raw(&field).unwrap_or_default();
    Field { name: &field, label: &label, value, required: is_in_path, ..Field::default() }.line(problem)
}

fn shown(answer: &Answer) -> Markup {
    html! {
        h2 #answer { "Answered " (answer.status) }
        @match &answer.body {
            Ok(body) if body.is_empty() => p { "Without a body." },
            Ok(body) => (json(&String::from_utf8_lossy(body))),
            Err(why) => p.note { (why) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs::Parameter;

    fn trial() -> Trial {
        let parameter = |name: &str, is_in_path| Parameter { name: name.into(), is_in_path };
        Trial {
            operation: "a.b".into(),
            method: "PATCH".into(),
            path: "/api/v1/webhooks/{id}/x".into(),
            parameters: vec![parameter("id", true), parameter("id", false), parameter("state", false)],
            body: Some("{}".into()),
        }
    }

    #[test]
    fn a_form_becomes_a_call_and_what_is_in_it_stays_one_value() {
        let call = asked(
            &trial(),
            &Fields::read(b"path-id=a%2F..%2Fb%3Fx&query-id=&query-state=a%26b&body=%7B%22a%22%3A1%7D"),
            String::new(),
        )
        .expect("whole");
        assert_eq!((call.method.as_str(), call.body.as_str()), ("PATCH", "{\"a\":1}"));
        assert_eq!(call.address, "/api/v1/webhooks/a%2F..%2Fb%3Fx/x?state=a%26b");
        let problem = asked(&trial(), &Fields::read(b"query-state=x"), String::new()).expect_err("it has no id");
        assert_eq!(problem.field(), Some("path-id"));
    }
}
