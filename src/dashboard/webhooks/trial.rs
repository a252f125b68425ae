//! A test event: its type chosen from what there is, its data as one likes, and at once what the endpoint answers. What stays true:
//! it is the API's own test, which goes out whatever the webhook's state, once, and counts for no rule.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use maud::{Markup, html};
use serde_json::Value;
use serde_json::value::RawValue;

use super::answer::answer;
use super::ways;
use crate::api::access::auth::Tests;
use crate::api::deliveries::history::History;
use crate::api::deliveries::operations::find;
use crate::api::deliveries::view::{AttemptView, view};
use crate::api::event_types::offered::offered;
use crate::api::webhooks::reach::reach;
use crate::api::webhooks::sending::{TestInput, usual_type};
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::deliveries::endpoint::Endpoint;
use crate::dashboard::frame::{Page, Part, token};
use crate::dashboard::parts::copy;
use crate::dashboard::parts::field::{self, Field};
use crate::dashboard::posted::{Fields, Posted};
use crate::dashboard::seat::{Looks, Seat};
use crate::docs::pretty;
use crate::domain::Invalid;
use crate::domain::webhook::Webhook;

/// What was sent, and what came of it.
struct Sent {
    delivery: String,
    attempt: AttemptView,
    warnings: Vec<String>,
}

#[get("/webhooks/{id}/test")]
pub async fn ask(seat: Looks<Tests>, api: web::Data<Api>, of: web::Path<ways::Of>) -> Result<HttpResponse, Away> {
    let webhook = reach(&api, seat.tenant()).with_endpoint(&of.id)?;
    let fields = Fields::asked(seat.asked());
    Ok(page(&seat, &api, &webhook, StatusCode::OK, &fields, None, None))
}

#[post("/webhooks/{id}/test")]
pub async fn send(posted: Posted<Tests>, api: web::Data<Api>, of: web::Path<ways::Of>) -> Result<HttpResponse, Away> {
    let (seat, fields) = (&posted.seat, &posted.fields);
    let webhook = reach(&api, seat.tenant()).with_endpoint(&of.id)?;
    match tried(&api, seat, &of.id, fields).await {
        Ok(sent) => Ok(page(seat, &api, &webhook, StatusCode::OK, fields, None, Some(&sent))),
        Err(problem) => {
            let (status, problem) = ways::of_form(problem)?;
            Ok(page(seat, &api, &webhook, status, fields, Some(&problem), None))
        }
    }
}

async fn tried(api: &Api, seat: &Seat, id: &str, fields: &Fields) -> Result<Sent, Problem> {
    let tenant = seat.tenant();
    let mut tested = reach(api, tenant).test(id, said(fields)?).await?;
    let warnings = std::mem::take(&mut tested.warnings);
    let told = tested.view();
    // As it is written down, with all that is kept of it.
    let (delivery, webhook) = find(api, tenant, &told.delivery_id)?;
    let shown = view(&History::of(api, webhook.clone())?, &delivery)?;
    let attempts = shown.with_attempts(api, tenant, &webhook, &delivery)?.attempts.unwrap_or_default();
    let attempt = attempts.into_iter().last().ok_or_else(|| Problem::internal("a test without an attempt"))?;
    Ok(Sent { delivery: told.delivery_id, attempt, warnings })
}

fn said(fields: &Fields) -> Result<TestInput, Invalid> {
    let data = fields.text("data").map(|text| RawValue::from_string(text.to_owned())).transpose();
    let data = data.map_err(|error| Invalid::new("data", format!("is not JSON: {error}")))?;
    Ok(TestInput { event_type: fields.text("event_type").map(String::from), data })
}

fn page(
    seat: &Seat,
    api: &Api,
    webhook: &Webhook,
    status: StatusCode,
    fields: &Fields,
    problem: Option<&Problem>,
    sent: Option<&Sent>,
) -> HttpResponse {
    let id = webhook.id.to_string();
    let body = html! {
        (field::wrong(problem, &["event_type", "data"]))
        @if let Some(sent) = sent { (came_of(seat, sent, &Endpoint::shown(api, seat.tenant(), webhook))) }
        @if webhook.notices.is_some() { (notice_form(seat, &id)) }
        @else { (event_form(seat, api, webhook, fields, problem)) }
        p { a href=(ways::of(seat, &id)) { "Back to the webhook" } }
    };
    let title = format!("Test {}", webhook.label());
    Page::new(&title, Part::Webhooks).show_with(status, seat, &body)
}

fn notice_form(seat: &Seat, id: &str) -> Markup {
    html! {
        p { "It hears notices, and is tested with one of the server's own." }
        form method="post" action=(ways::below(seat, id, "test")) {
            (token(seat))
            div.submit { button.main type="submit" { "Send a test notice" } }
        }
    }
}

fn event_form(seat: &Seat, api: &Api, webhook: &Webhook, fields: &Fields, problem: Option<&Problem>) -> Markup {
    let id = webhook.id.to_string();
    let dialect = api.dialects.now().get(&webhook.dialect).cloned();
    let usual = dialect.as_deref().map_or_else(|| "test".into(), |dialect| usual_type(webhook, dialect));
    let event_type = fields.text("event_type").unwrap_or(&usual);
    let sample = || {
        let text = dialect.as_deref().map(|dialect| reach(api, seat.tenant()).sample(dialect, event_type));
        let text = text.unwrap_or_else(|| "{}".into());
        serde_json::from_str::<Value>(&text).map_or(text, |value| pretty(&value))
    };
    let data = fields.raw("data").map_or_else(sample, String::from);
    let all = offered(api, webhook.account, dialect.as_deref());
    let values: Vec<&str> = all.iter().map(|one| one.name.as_str()).filter(|name| webhook.wants(name)).collect();
    html! {
        form method="get" action=(ways::below(seat, &id, "test")) {
            datalist #types { @for name in &values { option value=(name); } }
            (Field {
                name: "event_type",
                label: "Event type",
                hint: "Those that it wants are offered; another one can be written.",
                value: event_type,
                list: "types",
                required: true,
                ..Field::default()
            }.line(problem))
            button type="submit" { "Show its sample" }
        }
        form method="post" action=(ways::below(seat, &id, "test")) {
            (token(seat))
            input type="hidden" name="event_type" value=(event_type);
            (Field { name: "data", label: "Data", hint: "What the event says: any JSON.", value: &data, required: true, ..Field::default() }
                .lines(12, problem))
            p.hint { "It goes out at once, also if the webhook is paused or disabled, is tried once, and counts for no rule." }
            div.submit { button.main type="submit" { "Send " (event_type) } }
        }
    }
}

fn came_of(seat: &Seat, sent: &Sent, endpoint: &Endpoint) -> Markup {
    html! {
        @for warning in &sent.warnings { p.note { (warning) } }
        section.answer role="status" {
            h2 { "What its endpoint answered" }
            (answer(&sent.attempt, endpoint))
            p {
                a href=(seat.at(&format!("deliveries/{}", sent.delivery))) { "The delivery" } " "
                (copy::id(&sent.delivery))
            }
        }
        h2 { "Once more" }
    }
}
