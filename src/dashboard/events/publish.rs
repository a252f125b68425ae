//! Publishing an event by hand: its type from the catalogue, with its sample to edit, and what the server says of it. What stays
//! true: it goes the way of any event; and a form that is sent twice publishes once.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, get, post, web};
use maud::{Markup, html};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::api::access::auth::Publish;
use crate::api::event_types::routes::{TypesSought, page};
use crate::api::event_types::view::EventTypeView;
use crate::api::events::publish::{Published, accept};
use crate::api::events::traced::Publishing;
use crate::api::http::body::Body;
use crate::api::http::idempotency::keyed;
use crate::api::http::page::{LIMIT_MAX, Window};
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part, token};
use crate::dashboard::links::part;
use crate::dashboard::parts::copy;
use crate::dashboard::parts::field::{Field, wrong};
use crate::dashboard::posted::{Fields, Posted};
use crate::dashboard::seat::{Looks, Seat};
use crate::docs;
use crate::domain::Invalid;

/// What the data is where no sample is known.
const ANY_DATA: &str = "{\n  \"id\": 1\n}";
/// The fields that say what is wrong themselves.
const NAMES: [&str; 6] = ["type", "data", "id", "channels", "actor", "metadata"];

#[get("/publish")]
pub async fn form(seat: Looks<Publish>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let asked = Fields::asked(seat.asked());
    let types = types(&api, &seat).await?;
    let chosen = asked.text("type").unwrap_or_default();
    let sample = types.iter().find(|known| known.r#type == chosen).and_then(|known| known.sample.as_ref());
    let data = sample.map_or_else(|| ANY_DATA.to_owned(), |sample| pretty(sample.get()));
    let filled = Filled { data, r#type: chosen.to_owned(), once: once(&api), ..Filled::default() };
    Ok(shown(&seat, StatusCode::OK, &types, &filled, None))
}

#[post("/publish")]
pub async fn publish(posted: Posted<Publish>, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let publishing = Publishing::begin(&api.clock, &request);
    let (seat, filled) = (&posted.seat, Filled::of(&posted.fields));
    match published(&api, seat, publishing, &filled).await {
        Ok(published) => Ok(told(seat, &published)),
        Err(problem) if problem.status_code().is_client_error() => {
            let types = types(&api, seat).await?;
            Ok(shown(seat, problem.status_code(), &types, &filled, Some(&problem)))
        }
        Err(problem) => Err(problem.into()),
    }
}

/// What the form says.
#[derive(Debug, Default)]
struct Filled {
    r#type: String,
    data: String,
    id: String,
    channels: String,
    actor: String,
    metadata: String,
    test: bool,
    /// The same for all times that this form is sent.
    once: String,
}

impl Filled {
    fn of(fields: &Fields) -> Self {
        let text = |name: &str| fields.raw(name).unwrap_or_default().trim().to_owned();
        Self {
            r#type: text("type"),
            data: text("data"),
            id: text("id"),
            channels: text("channels"),
            actor: text("actor"),
            metadata: text("metadata"),
            test: fields.is_on("test"),
            once: text("once"),
        }
    }

    /// The body of the request that it stands for.
    fn body(&self) -> Result<Vec<u8>, Problem> {
        #[derive(Serialize)]
        struct Event<'a> {
            r#type: &'a str,
            data: &'a RawValue,
            #[serde(skip_serializing_if = "Option::is_none")]
            id: Option<&'a str>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            channels: Vec<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            actor: Option<&'a RawValue>,
            #[serde(skip_serializing_if = "Option::is_none")]
            metadata: Option<&'a RawValue>,
            test: bool,
        }
        let is_parting = |char: char| char.is_whitespace() || char == ',';
        let event = Event {
            r#type: &self.r#type,
            data: json("data", &self.data)?,
            id: Some(self.id.as_str()).filter(|id| !id.is_empty()),
            channels: self.channels.split(is_parting).filter(|one| !one.is_empty()).collect(),
            actor: optional("actor", &self.actor)?,
            metadata: optional("metadata", &self.metadata)?,
            test: self.test,
        };
        serde_json::to_vec(&event).map_err(Problem::internal)
    }
}

fn optional<'t>(field: &str, text: &'t str) -> Result<Option<&'t RawValue>, Problem> {
    if text.is_empty() { Ok(None) } else { json(field, text).map(Some) }
}

fn json<'t>(field: &str, text: &'t str) -> Result<&'t RawValue, Problem> {
    serde_json::from_str(text).map_err(|error| Invalid::new(field, format!("is not JSON: {error}")).into())
}

async fn published(
    api: &web::Data<Api>,
    seat: &Seat,
    publishing: Publishing,
    filled: &Filled,
) -> Result<Published, Problem> {
    let body = Body::made(api, seat.account().number, filled.body()?.into())?;
    let once = keyed(format!("form {}", filled.once).as_bytes(), &[&body.bytes]);
    accept(api, seat.tenant(), publishing, (body, false, Some(once))).await
}

/// The types that are in use, the account's own and those of its contract.
async fn types(api: &web::Data<Api>, seat: &Seat) -> Result<Vec<EventTypeView>, Problem> {
    let account = seat.account().number;
    let dialect = api.loaded(&seat.account().dialect)?;
    let sought = TypesSought { dialect, with_own: true, retired: Some(false) };
    let reader = api.clone();
    let listed = api.read(account, move || page(&reader, account, &sought, Window::newest(LIMIT_MAX))).await??;
    Ok(listed.rows)
}

fn once(api: &Api) -> String {
    api.with_dice(|dice| format!("{:016x}{:016x}", dice.bits(), dice.bits()))
}

fn pretty(text: &str) -> String {
    serde_json::from_str(text).map_or_else(|_| text.to_owned(), |value: Value| docs::pretty(&value))
}

fn shown(
    seat: &Seat,
    status: StatusCode,
    types: &[EventTypeView],
    filled: &Filled,
    problem: Option<&Problem>,
) -> HttpResponse {
    let field = |name, label, value, hint| Field { name, label, value, hint, ..Field::default() };
    let body = html! {
        datalist #types { @for known in types { option value=(known.r#type) { (known.description) } } }
        form.filters method="get" action=(seat.at("publish")) {
            label { "Start from the sample of" input type="search" name="type" value=(filled.r#type) list="types" autocomplete="off" spellcheck="false"; }
            button type="submit" { "Fill it in" }
        }
        form method="post" action=(seat.at("publish")) {
            (token(seat))
            input type="hidden" name="once" value=(filled.once);
            (wrong(problem, &NAMES))
            (Field { required: true, list: "types", ..field("type", "Type", &filled.r#type, "Such as task.created.") }.line(problem))
            (Field { required: true, ..field("data", "Data", &filled.data, "Any JSON. Receivers get it as it is written here.") }.lines(12, problem))
            details open[!(filled.id.is_empty() && filled.channels.is_empty() && filled.actor.is_empty() && filled.metadata.is_empty()) || problem.is_some()] {
                summary { "More about it" }
                (field("id", "Your own id", &filled.id, "The same event published twice is accepted once.").line(problem))
                (field("channels", "Channels", &filled.channels, "Webhooks with channels hear of it only if they share one.").line(problem))
                (field("actor", "Actor", &filled.actor, "A JSON object: who did it.").lines(3, problem))
                (field("metadata", "Metadata", &filled.metadata, "A JSON object: anything else about it.").lines(3, problem))
            }
            (field("test", "A test event", "", "It goes to webhooks in test mode only.").tick(filled.test))
            div.submit { button.main type="submit" { "Publish" } a.button.quiet href=(seat.at("events")) { "Not now" } }
        }
    };
    Page::new("Publish an event", Part::Events).show_with(status, seat, &body)
}

/// What the server says of it.
fn told(seat: &Seat, published: &Published) -> HttpResponse {
    let body: Markup = html! {
        @for one in &published.accepted {
            @let id = one.name.clone().unwrap_or_else(|| one.id.to_string());
            p.said role="status" {
                @if one.duplicate { "This event was accepted before; it is not delivered again." } @else {
                    "Accepted: safe on disk. " @match one.deliveries {
                        0 => "No webhook wants it.",
                        1 => "It goes to 1 webhook.",
                        count => { "It goes to " (count) " webhooks." }
                    }
                }
            }
            dl.facts { dt { "Type" } dd { (one.event_type) } dt { "Id" } dd { (copy::text(&id)) } }
            p { a.button.main href=(seat.at(&format!("events/{}", part(&id)))) { "Show what becomes of it" } " " a.button href=(seat.at("publish")) { "Publish another" } }
        }
        @for warning in &published.warnings { p.note { (warning) } }
    };
    Page::new("Published", Part::Events).show(seat, &body)
}
