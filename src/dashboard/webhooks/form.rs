//! Making and changing a webhook. What stays true: what the form says goes to the same operation as a request of the API, so what
//! is wrong is said at its field; of a change only what was changed is said; and a secret that was generated is shown once, in the
//! reply to the form.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use maud::{Markup, html};

use super::fields::{Filled, all, is_shown, placed};
use super::settings::usual;
use super::sheet::Sheet;
use super::ways;
use crate::api::access::auth::Manage;
use crate::api::event_types::offered::{Offered, offered};
use crate::api::http::request::read_map;
use crate::api::webhooks::input::WebhookInput;
use crate::api::webhooks::reach::reach;
use crate::api::webhooks::routes::make;
use crate::api::webhooks::view::{WebhookView, object};
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part, token};
use crate::dashboard::links;
use crate::dashboard::parts::copy;
use crate::dashboard::parts::said::on_to;
use crate::dashboard::posted::{Fields, Posted};
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::ability::Ability;
use crate::domain::notice;

/// The name of the field that holds what the form was filled with.
const BEFORE: &str = "before";

#[get("/webhooks/new")]
pub async fn new(seat: Looks<Manage>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let asked = Fields::asked(seat.asked());
    let before = Sheet::blank(&seat.account().dialect);
    let sheet = written(&seat, &asked, &before);
    Ok(Form { seat: &seat, api: &api, sheet, before, id: None }.show(StatusCode::OK, None))
}

#[post("/webhooks/new")]
pub async fn create(posted: Posted<Manage>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let seat = &posted.seat;
    let before = Sheet::blank(&seat.account().dialect);
    let sheet = written(seat, &posted.fields, &before);
    let is_asked_again = posted.fields.is_on("again");
    let made = match said(&sheet, &before) {
        Ok(input) if !is_asked_again => Some(make(&api, seat.tenant(), input).await),
        Err(problem) if !is_asked_again => Some(Err(problem)),
        _ => None,
    };
    let form = Form { seat, api: &api, sheet: sheet.without_secrets(), before, id: None };
    match made {
        None => Ok(form.show(StatusCode::OK, None)),
        Some(Ok((webhook, warnings))) => Ok(done(seat, "Webhook created", &webhook, &warnings)),
        Some(Err(problem)) => form.refuse(problem),
    }
}

#[get("/webhooks/{id}/edit")]
pub async fn edit(seat: Looks<Manage>, api: web::Data<Api>, of: web::Path<ways::Of>) -> Result<HttpResponse, Away> {
    let webhook = reach(&api, seat.tenant()).webhook(&of.id)?;
    let before = Sheet::of(&object(&reach(&api, seat.tenant()).view(&webhook)?));
    let id = Some(webhook.id.to_string());
    Ok(Form { seat: &seat, api: &api, sheet: before.clone(), before, id }.show(StatusCode::OK, None))
}

#[post("/webhooks/{id}/edit")]
pub async fn save(posted: Posted<Manage>, api: web::Data<Api>, of: web::Path<ways::Of>) -> Result<HttpResponse, Away> {
    let (seat, reach) = (&posted.seat, reach(&api, posted.seat.tenant()));
    let webhook = reach.webhook(&of.id)?;
    let now = Sheet::of(&object(&reach.view(&webhook)?));
    // What the form was filled with: what somebody else has changed since is no matter of this form.
    let before = posted.fields.raw(BEFORE).and_then(Sheet::from_json).unwrap_or(now);
    let sheet = written(seat, &posted.fields, &before);
    let id = webhook.id.to_string();
    let saved = match said(&sheet, &before) {
        Ok(input) => reach.update(&id, input).await,
        Err(problem) => Err(problem),
    };
    match saved {
        Ok((_, warnings)) if warnings.is_empty() => Ok(on_to(&ways::of(seat, &id), "saved")),
        Ok((webhook, warnings)) => Ok(done(seat, "Webhook changed", &reach.view(&webhook)?, &warnings)),
        Err(problem) => Form { seat, api: &api, sheet: sheet.without_secrets(), before, id: Some(id) }.refuse(problem),
    }
}

/// What was written. Who may not make secrets gives none, and a customer knows of one contract only.
fn written(seat: &Seat, fields: &Fields, before: &Sheet) -> Sheet {
    let mut sheet = Sheet::read(fields, before);
    if seat.is_portal() {
        sheet.speak(before.get("dialect"));
    }
    if seat.can(Ability::Rotate) { sheet } else { sheet.without(&["secret", "signing"]) }
}

/// What a form says, as the API takes it.
fn said(sheet: &Sheet, before: &Sheet) -> Result<WebhookInput, Problem> {
    read_map(sheet.changes(before)?)
}

/// A form that is shown.
struct Form<'a> {
    seat: &'a Seat,
    api: &'a Api,
    sheet: Sheet,
    before: Sheet,
    /// Of the webhook that it changes; none: it makes one.
    id: Option<String>,
}

impl Form<'_> {
    /// Again, with what is wrong.
    fn refuse(&self, problem: Problem) -> Result<HttpResponse, Away> {
        let (status, problem) = ways::of_form(problem)?;
        Ok(self.show(status, Some(&placed(problem))))
    }

    fn show(&self, status: StatusCode, problem: Option<&Problem>) -> HttpResponse {
        let (seat, sheet) = (self.seat, &self.sheet);
        let dialect = self.api.dialects.now().get(sheet.get("dialect")).cloned();
        let offered = self.offered();
        let dialects = self.id.is_none().then(|| self.dialects());
        let is_pulled = sheet.get("mode") == "pull";
        let filled = Filled {
            sheet,
            problem,
            offered: &offered,
            dialects: dialects.as_deref(),
            usual: &usual(dialect.as_deref()),
            is_pulled,
            may_open: seat.tenant().is_admin(),
            may_make_secrets: seat.can(Ability::Rotate),
        };
        let (title, button) =
            if self.id.is_some() { ("Edit webhook", "Save") } else { ("New webhook", "Create webhook") };
        let (action, back) = match &self.id {
            Some(id) => (ways::below(seat, id, "edit"), ways::of(seat, id)),
            None => (seat.at("webhooks/new"), seat.at("webhooks")),
        };
        let body = html! {
            @if let Some(problem) = problem.filter(|problem| !is_shown(problem)) {
                p.problem role="alert" { (problem.to_string()) }
            }
            @if self.id.is_none() { (self.modes(is_pulled)) }
            form.webhook method="post" action=(action) {
                (token(seat))
                @if self.id.is_some() { input type="hidden" name=(BEFORE) value=(self.before.to_json()); }
                @else { input type="hidden" name="mode" value=(sheet.get("mode")); }
                (all(filled))
                div.submit {
                    button.main type="submit" { (button) }
                    a.button.quiet href=(back) { "Not now" }
                }
            }
        };
        Page::new(title, Part::Webhooks).show_with(status, seat, &body)
    }

    /// Sent or pulled: it cannot be changed later, and decides which fields there are.
    fn modes(&self, is_pulled: bool) -> Markup {
        let address = |mode: Option<&str>| links::with_query(&self.seat.at("webhooks/new"), [("mode", mode)]);
        html! {
            p.modes {
                "Deliveries are "
                a href=(address(None)) aria-current=[(!is_pulled).then_some("true")] { "sent to a URL" }
                ", or "
                a href=(address(Some("pull"))) aria-current=[is_pulled.then_some("true")] { "pulled" }
                " by consumers that cannot be reached."
            }
        }
    }

    fn offered(&self) -> Vec<Offered> {
        if self.sheet.is_on("notices.on") {
            return notice::words().map(|word| Offered { name: word.into(), description: String::new() }).collect();
        }
        let dialect = self.api.dialects.now().get(self.sheet.get("dialect")).cloned();
        offered(self.api, self.seat.account().number, dialect.as_deref())
    }

    /// Contracts that whoever sees the form may choose.
    fn dialects(&self) -> Vec<(String, String)> {
        let dialects = self.api.dialects.now();
        let (seat, own) = (self.seat, &self.seat.account().dialect);
        let may_choose = |name: &str| match seat.is_portal() {
            true => name == own,
            false => seat.tenant().is_admin() || dialects.is_mounted(name),
        };
        let known = dialects.iter().filter(|dialect| may_choose(&dialect.name));
        known.map(|dialect| (dialect.name.clone(), dialect.title.clone())).collect()
    }
}

/// What came of a form where there is something to tell.
fn done(seat: &Seat, title: &str, webhook: &WebhookView, warnings: &[String]) -> HttpResponse {
    let acts = html! {
        @if webhook.url.is_some() && seat.can(Ability::Test) {
            a.button href=(ways::below(seat, &webhook.id, "test")) { "Send a test event" }
        }
        a.button.main href=(ways::of(seat, &webhook.id)) { "Open the webhook" }
    };
    let body = html! {
        @for warning in warnings { p.note { (warning) } }
        p {
            @match &webhook.url { Some(url) => { (copy::text(url)) }, None => { "Whoever pulls" } }
            " gets " (webhook.events.join(", ")) " from now on."
        }
        @if let Some(secret) = webhook.secret.as_ref().filter(|_| seat.can(Ability::Rotate)) {
            h2 { "Its secret" }
            p { "It signs every request, and receivers verify with it. Copy it now: this page shows it once." }
            p { (copy::text(secret)) }
        }
        @if let Some(key) = &webhook.public_key {
            h2 { "Its public key" }
            p { (copy::text(key)) }
        }
        p { a href=(seat.docs_of(&webhook.dialect)) { "How a receiver verifies requests, with code to copy" } }
    };
    Page { acts, ..Page::new(title, Part::Webhooks) }.show(seat, &body)
}
