//! The contracts: what each promises in short, and what would go out for a payload. What stays true: what is shown is made by the
//! code that makes the real requests; and a portal shows the one contract of its account.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError, get, post, web};
use maud::{Markup, html};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::api::access::auth::Read;
use crate::api::dialects::view::{DialectView, view};
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part, token};
use crate::dashboard::links::{part, with_query};
use crate::dashboard::parts::field::{Field, wrong};
use crate::dashboard::parts::{copy, json, time};
use crate::dashboard::posted::{Fields, Posted};
use crate::dashboard::seat::{Looks, Seat};
use crate::dialect::Dialect;
use crate::docs::{self, Preview};
use crate::domain::{Invalid, event, json as checked};

/// A payload to be shown, in bytes.
const DATA_BYTES_MAX: usize = 64 * 1024;
/// What the fields are called that say what is wrong themselves.
const NAMES: [&str; 2] = ["type", "data"];

/// Its routes.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(list).service(show).service(try_out);
}

#[get("/contracts")]
async fn list(seat: Looks<Read>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let all: Vec<DialectView> = {
        let dialects = api.dialects.now();
        let shown = dialects.mounted().filter(|dialect| is_shown(&seat, &dialect.name));
        shown.map(|dialect| view(dialect, &api.settings().egress)).collect()
    };
    let body = html! {
        p { "A contract says what a webhook's receivers get: body, headers, signature, retries. Each writes its own documentation." }
        div.cards {
            @for one in &all {
                @let at = seat.at(&format!("contracts/{}", part(&one.name)));
                section.card {
                    h2 { a href=(at) { (one.title) } }
                    p { code { (one.name) } @if one.name == seat.account().dialect { " " span.tag { "this account's" } } }
                    p { (one.description) }
                    p.hint { (counted(one.events, "event type")) ", " (counted(one.retry.delay_seconds.len(), "retry")) }
                    p { a href=(at) { "Preview a request" } " · " a href=(seat.docs_page_of(&one.name)) { "Documentation" } }
                }
            }
        }
    };
    Ok(Page::new("Contracts", Part::Contracts).show(&seat, &body))
}

/// Which contract a path names.
#[derive(Debug, serde::Deserialize)]
struct OfContract {
    name: String,
}

#[get("/contracts/{name}")]
async fn show(seat: Looks<Read>, api: web::Data<Api>, of: web::Path<OfContract>) -> Result<HttpResponse, Away> {
    let dialect = shown(&seat, &api, &of.name)?;
    let asked = Fields::asked(seat.asked());
    let known = asked.text("type").and_then(|name| dialect.sample(name)).or_else(|| dialect.catalogue.first());
    let filled = Filled {
        event_type: known.map_or("example.event", |known| &known.name).into(),
        data: known.map_or_else(|| "{}".into(), |known| pretty(known.sample.get())),
        is_retry: false,
    };
    answer(&seat, &api, &dialect, filled).await
}

#[post("/contracts/{name}")]
async fn try_out(posted: Posted<Read>, api: web::Data<Api>, of: web::Path<OfContract>) -> Result<HttpResponse, Away> {
    let dialect = shown(&posted.seat, &api, &of.name)?;
    let text = |name: &str| posted.fields.raw(name).unwrap_or_default().trim().to_owned();
    let filled = Filled { event_type: text("type"), data: text("data"), is_retry: posted.fields.is_on("retry") };
    answer(&posted.seat, &api, &dialect, filled).await
}

/// What the form says.
#[derive(Debug, Clone)]
struct Filled {
    event_type: String,
    data: String,
    is_retry: bool,
}

impl Filled {
    fn made(&self, dialect: &Dialect) -> Result<Preview, Problem> {
        event::check_type(&self.event_type)?;
        if self.data.len() > DATA_BYTES_MAX {
            return Err(Invalid::new("data", format!("must be at most {DATA_BYTES_MAX} bytes to be shown here")).into());
        }
        let wrong = |why: String| Problem::from(Invalid::new("data", format!("cannot be taken: {why}")));
        let data = RawValue::from_string(self.data.clone()).map_err(|error| wrong(error.to_string()))?;
        checked::check(data.get().as_bytes()).map_err(|refusal| wrong(refusal.to_string()))?;
        let attempt = if self.is_retry { 2 } else { 1 };
        docs::preview(dialect, &self.event_type, data, attempt).map_err(|unshaped| wrong(unshaped.to_string()))
    }
}

/// In a portal there is one contract, and nothing of other products.
fn is_shown(seat: &Seat, name: &str) -> bool {
    !seat.is_portal() || seat.account().dialect == name
}

fn shown(seat: &Seat, api: &Api, name: &str) -> Result<Arc<Dialect>, Problem> {
    let found = api.mounted(name)?;
    if is_shown(seat, name) { Ok(found) } else { Err(Problem::not_found("dialect")) }
}

async fn answer(
    seat: &Seat,
    api: &web::Data<Api>,
    dialect: &Arc<Dialect>,
    filled: Filled,
) -> Result<HttpResponse, Away> {
    let (of, made) = (dialect.clone(), filled.clone());
    let made = api.read(seat.account().number, move || made.made(&of)).await?;
    let (status, problem) = match &made {
        Ok(_) => (StatusCode::OK, None),
        Err(problem) if problem.field().is_some() => (problem.status_code(), Some(problem.clone())),
        Err(problem) => return Err(problem.clone().into()),
    };
    let about = view(dialect, &api.settings().egress);
    let body = html! {
        p { (about.description) }
        p { a href=(seat.docs_page_of(&about.name)) { "Documentation for receivers" } }
        (at_a_glance(&about))
        h2 #preview { "What would go out" }
        (form(seat, dialect, &filled, problem.as_ref()))
        @if let Ok(preview) = &made { (request(preview)) }
        (headers(&about))
        (types(seat, dialect))
    };
    Ok(Page::new(&about.title, Part::Contracts).show_with(status, seat, &body))
}

fn at_a_glance(about: &DialectView) -> Markup {
    let delays = about.retry.delay_seconds.iter().map(|delay| time::span(delay * 1000)).collect::<Vec<_>>();
    html! {
        dl.facts {
            dt { "Name" } dd { code { (about.name) } }
            @if let Some(base) = &about.base { dt { "Its API" } dd { code { (base) } } }
            dt { "Signature" } dd { (about.signature) }
            dt { "Time to answer" } dd { (time::span(u64::from(about.timeout_seconds) * 1000)) }
            dt { "A success" } dd { (about.success.join(", ")) }
            dt { "Retries after" } dd { @if delays.is_empty() { "none" } @else { (delays.join(", ")) } }
            @if let Some(bytes) = about.limits.body_bytes { dt { "A body" } dd { "at most " (bytes) " bytes" } }
            @if about.ownership_check { dt { "Before anything is sent" } dd { "the endpoint shows that it wants deliveries" } }
        }
    }
}

fn form(seat: &Seat, dialect: &Dialect, filled: &Filled, problem: Option<&Problem>) -> Markup {
    let at = seat.at(&format!("contracts/{}", part(&dialect.name)));
    let field = |name, label, value, hint| Field { name, label, value, hint, ..Field::default() };
    html! {
        datalist #types { @for known in &dialect.catalogue { option value=(known.name) { (known.description) } } }
        form method="post" action={ (at) "#preview" } {
            (token(seat))
            (wrong(problem, &NAMES))
            (Field { required: true, list: "types", ..field("type", "Type", &filled.event_type, "") }.line(problem))
            (Field { required: true, ..field("data", "Data", &filled.data, "Any JSON, as you would publish it.") }.lines(8, problem))
            (field("retry", "As a retry", "", "Headers that only retries carry are shown.").tick(filled.is_retry))
            div.submit { button.main type="submit" { "Show the request" } }
        }
    }
}

fn request(preview: &Preview) -> Markup {
    let body = String::from_utf8_lossy(&preview.body);
    html! {
        h3 { "Request" }
        pre.raw tabindex="0" {
            "POST " (preview.url) "\n"
            @for (name, value) in &preview.headers { (name) ": " (value) "\n" }
            "\n" (body)
        }
        p { (copy::button(&body)) " " span.hint { "The body: " (preview.body.len()) " bytes" } }
        @if serde_json::from_str::<&RawValue>(&body).is_ok() { details { summary { "The body, folded" } (json::json(&body)) } }
        @if let Some(secret) = &preview.secret {
            p { "Signed with " (copy::text(secret.reveal())) " " span.hint { "a secret for examples, known to everybody: check your code with it" } }
        }
    }
}

fn headers(about: &DialectView) -> Markup {
    html! {
        h2 { "Headers" }
        div.table tabindex="0" { table {
            thead { tr { th scope="col" { "Header" } th scope="col" { "Value" } } }
            tbody { @for header in &about.headers { tr { td { code { (header.name) } } td.wide { code { (header.value) } } } } }
        } }
    }
}

fn types(seat: &Seat, dialect: &Dialect) -> Markup {
    let at = seat.at(&format!("contracts/{}", part(&dialect.name)));
    html! {
        @if !dialect.catalogue.is_empty() {
            h2 { "Event types" }
            div.table tabindex="0" { table {
                thead { tr { th scope="col" { "Type" } th scope="col" { "When" } } }
                tbody {
                    @for known in &dialect.catalogue {
                        tr {
                            td { a href={ (with_query(&at, [("type", Some(known.name.as_str()))])) "#preview" } { (known.name) } }
                            td.wide { (known.description) }
                        }
                    }
                }
            } }
        }
    }
}

fn pretty(text: &str) -> String {
    serde_json::from_str(text).map_or_else(|_| text.to_owned(), |value: Value| docs::pretty(&value))
}

fn counted(count: usize, thing: &str) -> String {
    match (count, thing.strip_suffix('y')) {
        (1, _) => format!("1 {thing}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        _ => format!("{count} {thing}s"),
    }
}
