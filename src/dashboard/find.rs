//! The search box: the id of anything leads straight to its page; anything else is looked for among webhooks and event types. What
//! stays true: one finds only what one could have looked at anyway.

use actix_web::{HttpResponse, get, web};
use maud::{Markup, html};

use super::away::Away;
use super::frame::{Page, Part};
use super::links;
use super::parts::{amount, empty};
use super::posted::Fields;
use super::seat::{Looks, Seat};
use crate::api::access::auth::Read;
use crate::api::deliveries::operations::find as delivery;
use crate::api::event_types::offered::{Offered, offered};
use crate::api::http::page::Window;
use crate::api::webhooks::filter::WebhooksFilter;
use crate::api::webhooks::listing;
use crate::api::webhooks::reach::reach;
use crate::api::webhooks::view::WebhookView;
use crate::api::{Api, Problem};
use crate::domain::id::{AttemptId, EventId, JobId};

/// Webhooks and event types that are shown, of each.
const FOUND_MAX: usize = 20;

/// Its route.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(show);
}

#[get("/find")]
async fn show(seat: Looks<Read>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let fields = Fields::asked(seat.asked());
    let Some(text) = fields.text("text") else {
        return Ok(Page::new("Find", Part::Elsewhere).show(&seat, &empty::empty("Write an id, a URL or a type.", None)));
    };
    let (reader, looker, sought) = (api.clone(), (*seat).clone(), text.to_owned());
    let found = api.read(seat.account().number, move || thing(&reader, &looker, &sought)).await??;
    if let Some(page) = found {
        return Ok(links::see_other(&page));
    }
    let (webhooks, more) = webhooks(&seat, &api, text).await?;
    let types = types(&seat, &api, text);
    let body = html! {
        @if webhooks.is_empty() && types.is_empty() {
            (empty::empty("Nothing is called so. Ids are looked for whole: of a webhook, an event, a delivery or a job.", None))
        }
        @if !webhooks.is_empty() { (found_webhooks(&seat, &webhooks, more, text)) }
        @if !types.is_empty() { (found_types(&seat, &types)) }
    };
    Ok(Page::new(&format!("Find “{text}”"), Part::Elsewhere).show(&seat, &body))
}

/// The page of what has this id.
fn thing(api: &Api, seat: &Seat, text: &str) -> Result<Option<String>, Problem> {
    let (tenant, account) = (seat.tenant(), seat.account().number);
    let at = |page: &str, id: &str| Some(seat.at(&format!("{page}/{}", links::part(id))));
    if let Some(webhook) = reach(api, tenant).called(text) {
        return Ok(at("webhooks", &webhook.id.to_string()));
    }
    let of_attempt = AttemptId::parse(text).map(|attempt| attempt.delivery.to_string());
    for id in [Some(text), of_attempt.as_deref()].into_iter().flatten() {
        if let Ok((delivery, _)) = delivery(api, tenant, id) {
            return Ok(at("deliveries", &delivery.id.to_string()));
        }
    }
    let event = match EventId::parse(text) {
        Some(id) => api.store.event_head(account, id)?.map(|head| head.id),
        None => None,
    };
    let event = event.map_or_else(|| api.store.id_of_event_named(account, text), |id| Ok(Some(id)))?;
    if let Some(id) = event {
        return Ok(at("events", &id.to_string()));
    }
    if let Some(id) = JobId::parse(text)
        && api.store.job(account, id)?.is_some()
    {
        return Ok(at("jobs", &id.to_string()));
    }
    let is_account = seat.is_operator() && api.store.registry().account_by_id(text).is_some();
    Ok(is_account.then(|| links::of_account(text, "")))
}

async fn webhooks(seat: &Seat, api: &web::Data<Api>, text: &str) -> Result<(Vec<WebhookView>, bool), Problem> {
    let sought = WebhooksFilter { text: Some(text.to_owned()), ..WebhooksFilter::default() }.read()?;
    let (reader, tenant) = (api.clone(), seat.tenant().clone());
    let read = move || listing::page(&reader, &tenant, &sought, Window::newest(FOUND_MAX));
    let page = api.read(seat.account().number, read).await??;
    Ok((page.rows, page.next.is_some()))
}

fn types(seat: &Seat, api: &Api, text: &str) -> Vec<Offered> {
    let text = text.to_lowercase();
    let dialect = api.dialects.now().get(&seat.account().dialect).cloned();
    let all = offered(api, seat.account().number, dialect.as_deref());
    all.into_iter().filter(|one| one.name.to_lowercase().contains(&text)).take(FOUND_MAX).collect()
}

fn found_webhooks(seat: &Seat, webhooks: &[WebhookView], more: bool, text: &str) -> Markup {
    html! {
        h2 { "Webhooks" }
        ul {
            @for one in webhooks {
                li data-row {
                    a href=(seat.at(&format!("webhooks/{}", one.id))) { (one.name.as_deref().or(one.url.as_deref()).unwrap_or(&one.id)) }
                    @if one.name.is_some() { @if let Some(url) = &one.url { " " span.hint { (url) } } }
                }
            }
        }
        @if more {
            p { a href=(links::with_query(&seat.at("webhooks"), [("text", Some(text))])) { "All of them: more than " (amount::count(FOUND_MAX as u64)) } }
        }
    }
}

fn found_types(seat: &Seat, types: &[Offered]) -> Markup {
    html! {
        h2 { "Event types" }
        ul {
            @for one in types {
                li data-row {
                    code { (one.name) } @if !one.description.is_empty() { " " span.hint { (one.description) } } " "
                    a href=(links::with_query(&seat.at("deliveries"), [("event_type", Some(one.name.as_str()))])) { "its deliveries" } ", "
                    a href=(links::with_query(&seat.at("webhooks"), [("event_type", Some(one.name.as_str()))])) { "who wants it" }
                }
            }
        }
    }
}
