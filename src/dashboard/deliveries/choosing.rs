//! Which webhook a list is about: a choice where there are few, an id where there are many, and a search where the API lists none
//! together.

use actix_web::web;
use maud::{Markup, html};

use super::endpoint::Endpoint;
use crate::api::http::page::Window;
use crate::api::masking::own_url;
use crate::api::webhooks::reach::reach;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::links;
use crate::dashboard::parts::asked::Asked;
use crate::dashboard::parts::empty;
use crate::dashboard::parts::filter::Filter;
use crate::dashboard::seat::Seat;
use crate::domain::account::Scope;
use crate::domain::webhook::Webhook;

/// The name of what is searched for.
pub const FIND: &str = "find";
/// Webhooks that one can choose from.
const CHOICE_MAX: usize = 50;
/// Webhooks that a search shows.
const FOUND_MAX: usize = 20;

/// The field of a filter: a choice of all webhooks, or, where they are many, an id.
pub fn field(api: &Api, seat: &Seat, chosen: &str, problem: Option<&Problem>) -> Markup {
    let filter =
        Filter { name: "webhook", label: "Webhook", value: chosen, example: "id or own id", ..Filter::default() };
    let page = reach(api, seat.tenant()).list(Window::newest(CHOICE_MAX), |_| true);
    let known: Vec<_> = page.rows.iter().map(|webhook| Endpoint::shown(api, seat.tenant(), webhook)).collect();
    let is_choice = page.next.is_none() && (chosen.is_empty() || known.iter().any(|one| one.id == chosen));
    if !is_choice {
        return filter.text(problem);
    }
    filter.choice(&known.iter().map(|one| (one.id.as_str(), one.name.as_str())).collect::<Vec<_>>())
}

/// Whether a list is refused because it is of too many webhooks.
pub fn is_needed(problem: &Problem) -> bool {
    problem.is_of_field() && problem.field() == Some("webhook")
}

/// Asks for one webhook, and shows those with what is searched for in their name, their URL or their id.
pub async fn ask(api: &web::Data<Api>, seat: &Seat, asked: &Asked, why: &str) -> Result<Markup, Away> {
    let text = asked.text(FIND);
    let found = if text.is_empty() {
        html! {}
    } else {
        listed(asked, &found(api, seat, text).await?)
    };
    Ok(html! {
        div.note {
            p { (why) ". Choose a webhook: by its name, its URL or its id." }
            form.filters method="get" action=(seat.at("deliveries")) {
                @for (name, value) in asked.filters(&[FIND, "webhook"]) { input type="hidden" name=(name) value=(value); }
                (Filter { name: FIND, label: "Find a webhook", value: text, example: "acme", ..Filter::default() }.text(None))
                button type="submit" { "Find" }
            }
        }
        (found)
    })
}

/// The newest that are found, and whether there are more.
async fn found(api: &web::Data<Api>, seat: &Seat, text: &str) -> Result<(Vec<Endpoint>, bool), Away> {
    let (reader, tenant, text) = (api.clone(), seat.tenant().clone(), text.to_lowercase());
    let found = api.read(tenant.account().number, move || {
        let (dialects, may_manage) = (reader.dialects.now(), tenant.may(Scope::Manage));
        let has = |place: &str| place.to_lowercase().contains(&text);
        let wants = |webhook: &Webhook| {
            // What is not shown is not sought by either.
            let url = webhook.shown_url().map(|url| own_url(webhook, url, &dialects, may_manage));
            [webhook.name.as_deref(), url.as_deref()].into_iter().flatten().any(has) || has(&webhook.id.to_string())
        };
        let page = reach(&reader, &tenant).list(Window::newest(FOUND_MAX), wants);
        let rows = page.rows.iter().map(|webhook| Endpoint::shown(&reader, &tenant, webhook)).collect();
        (rows, page.next.is_some())
    });
    Ok(found.await?)
}

fn listed(asked: &Asked, (rows, are_more): &(Vec<Endpoint>, bool)) -> Markup {
    if rows.is_empty() {
        return empty::empty("No webhook has that in its name, its URL or its id.", None);
    }
    let list = asked.first_page(false);
    let of = |one: &Endpoint| links::changed(&list, &[("webhook", Some(one.id.as_str())), (FIND, None)]);
    html! {
        ul.found {
            @for one in rows { li { a href=(of(one)) { (one.name) } @if let Some(url) = &one.url { " " code { (url) } } } }
            @if *are_more { li.hint { "There are more: write more of it." } }
        }
    }
}
