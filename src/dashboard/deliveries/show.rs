//! One delivery as a story: what happened, what one can do, its attempts, what was sent and what came back, and its event.

use actix_web::{HttpResponse, get, web};
use maud::{Markup, html};

use super::endpoint::Endpoint;
use super::exchange::exchange;
use super::explained::explain;
use super::of::{Of, event_page, page, webhook_page};
use super::rows::{self, Columns};
use super::story::{Story, why_then};
use super::timeline::{head, timeline};
use crate::api::access::auth::Read;
use crate::api::deliveries::operations::{attempt, one};
use crate::api::deliveries::view::{AttemptView, DeliveryView};
use crate::api::events::routes::deliveries_of;
use crate::api::http::list::{ListQuery, NoFilter, page_of};
use crate::api::http::page::PageReply;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part, token};
use crate::dashboard::links;
use crate::dashboard::may::{may_replay, may_steer};
use crate::dashboard::parts::asked::Asked;
use crate::dashboard::parts::state::{of_delivery, state};
use crate::dashboard::parts::{amount, copy, time};
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::time::UnixMs;

/// Seconds after which the story of an open delivery is looked at again.
const AGAIN_SECONDS: u8 = 5;
/// Other deliveries of its event that are shown.
const SIBLINGS: &str = "limit=6";

/// Its page.
#[get("/deliveries/{id}")]
pub async fn show(seat: Looks<Read>, api: web::Data<Api>, of: web::Path<Of>) -> Result<HttpResponse, Away> {
    let delivery = one(&api, seat.tenant(), &of.id)?;
    let Some(endpoint) = Endpoint::of(&api, seat.tenant(), &delivery.webhook_id) else {
        return Err(Problem::not_found("webhook").into());
    };
    let chosen = match Asked::of(&seat).text("attempt").parse() {
        Ok(number) => Some(number),
        Err(_) => delivery.attempts.iter().flatten().map(|attempt| attempt.number).max(),
    };
    let attempt = match chosen {
        Some(number) => Some(attempt(&api, seat.tenant(), &delivery.id, number).await?),
        None => None,
    };
    let siblings = siblings(&api, &seat, &delivery).await;
    let now = api.clock.wall();
    let body = html! {
        (told(&seat, &delivery, &endpoint, attempt.as_ref().map(|attempt| attempt.number), now))
        @if let Some(attempt) = &attempt { (sent(&seat, &delivery, attempt, now)) }
        (event(&api, &seat, &delivery, siblings, now))
    };
    let title = format!("Delivery {}", copy::short(&delivery.id));
    let acts = acts(&seat, &delivery, &endpoint);
    Ok(Page { acts, ..Page::new(&title, Part::Deliveries) }.show(&seat, &body))
}

/// What one can do.
fn acts(seat: &Seat, delivery: &DeliveryView, endpoint: &Endpoint) -> Markup {
    let webhook = webhook_page(seat, &endpoint.id);
    let replay = if is_open(delivery) { "Send again now" } else { "Replay" };
    let discard =
        links::with_query(&seat.at("dead-letters/discard"), [("ticked", Some("yes")), ("ids", Some(&*delivery.id))]);
    html! {
        @if may_replay(seat) && endpoint.is_there() {
            (press(seat, &format!("{}/replay", page(seat, &delivery.id)), replay, "main"))
        }
        @if may_replay(seat) && delivery.state == "dead" { a.button href=(discard) { "Discard…" } }
        @if may_steer(seat) && endpoint.status == "active" { (press(seat, &format!("{webhook}/pause"), "Pause its webhook", "other")) }
        @if endpoint.is_there() { a.button href=(webhook) { "Its webhook" } }
    }
}

/// Whether an attempt may still be made.
fn is_open(delivery: &DeliveryView) -> bool {
    matches!(delivery.state, "pending" | "scheduled" | "held")
}

fn press(seat: &Seat, action: &str, label: &str, class: &str) -> Markup {
    html! { form method="post" action=(action) { (token(seat)) button.(class) type="submit" { (label) } } }
}

/// What happened and what is next, with the attempts: it keeps itself true while the delivery is open.
fn told(seat: &Seat, delivery: &DeliveryView, endpoint: &Endpoint, chosen: Option<u16>, now: UnixMs) -> Markup {
    let latest = delivery.attempts.iter().flatten().last();
    let advice =
        latest.filter(|attempt| !attempt.success).map(|attempt| explain(attempt, &endpoint.host, endpoint.way));
    html! {
        section #story data-refresh=[is_open(delivery).then_some(AGAIN_SECONDS)] {
            p.story { (state(of_delivery(delivery.state), delivery.state)) ": " (Story::of(delivery, endpoint).show(now)) }
            @if let Some(advice) = advice.filter(|advice| !advice.todo.is_empty()) {
                p.note { (advice.what) " " (advice.todo) }
            }
            (facts(seat, delivery, endpoint, now))
            h2 #attempts { "Attempts" }
            @if latest.is_none() { p.hint { "There is none yet." } }
            (timeline(seat, delivery, endpoint, chosen, now))
        }
    }
}

fn facts(seat: &Seat, delivery: &DeliveryView, endpoint: &Endpoint, now: UnixMs) -> Markup {
    let webhook = webhook_page(seat, &endpoint.id);
    let event = event_page(seat, &delivery.event_id);
    html! {
        dl.facts {
            dt { "To" }
            dd {
                @if endpoint.is_there() { a href=(webhook) { (endpoint.name) } } @else { (endpoint.name) " (deleted)" }
                @if let Some(url) = &endpoint.url { " " (copy::text(url)) }
            }
            dt { "Event" }
            dd {
                @match &delivery.event_type { Some(event_type) => span.tag { (event_type) }, None => span.none { "no longer kept" } }
                " " (copy::linked_id(&event, &delivery.event_id))
            }
            dt { "Because" }
            dd { (cause(seat, delivery)) }
            dt { "Made" }
            dd { (time::text(Some(&delivery.created_at), now)) }
            @if let Some(ended) = &delivery.ended_at { dt { "Ended" } dd { (time::text(Some(ended), now)) } }
            @if let Some(next) = &delivery.next_attempt_at { dt { "Next try" } dd { (time::text(Some(next), now)) ", " (why_then(delivery)) } }
            dt { "Attempts" }
            dd {
                (delivery.attempt_count)
                @if let Some(most) = endpoint.attempts_max.filter(|most| *most >= usize::from(delivery.attempt_count)) {
                    " of at most " (most)
                }
            }
            dt { "Id" }
            dd { (copy::text(&delivery.id)) }
        }
    }
}

/// Why it exists.
fn cause(seat: &Seat, delivery: &DeliveryView) -> Markup {
    html! {
        @match (delivery.cause, &delivery.replay_of) {
            ("replay", Some(old)) => { "somebody replayed " a href=(page(seat, old)) { (copy::short(old)) } }
            ("test", _) => "somebody tested the webhook",
            ("missed", _) => "somebody asked for what the webhook wants and never got",
            (_, _) => "its webhook wanted the event when it was accepted",
        }
    }
}

fn sent(seat: &Seat, delivery: &DeliveryView, attempt: &AttemptView, now: UnixMs) -> Markup {
    html! {
        section #exchange {
            h2 { "Request and response" }
            (head(attempt, now))
            (exchange(&page(seat, &delivery.id), attempt))
        }
    }
}

/// The newest deliveries of its event; none, if that is not kept any more.
async fn siblings(api: &web::Data<Api>, seat: &Seat, delivery: &DeliveryView) -> Option<PageReply<DeliveryView>> {
    let account = seat.account().number;
    let part = ListQuery::<NoFilter>::of_pages(SIBLINGS).ok()?.part;
    let event = delivery.event_id.clone();
    page_of(api, account, part, move |api, window| deliveries_of(api, account, &event, window)).await.ok()
}

/// The event, and who else got it.
fn event(
    api: &Api,
    seat: &Seat,
    delivery: &DeliveryView,
    siblings: Option<PageReply<DeliveryView>>,
    now: UnixMs,
) -> Markup {
    let event = event_page(seat, &delivery.event_id);
    let Some(mut siblings) = siblings else {
        return html! { h2 { "Its event" } p.hint { "It is no longer kept." } };
    };
    siblings.data.retain(|sibling| sibling.id != delivery.id);
    html! {
        h2 { "Its event" }
        p { a href=(event) { "Look at the event" } ", and which webhooks took it." }
        @if !siblings.data.is_empty() {
            h3 { (amount::of(siblings.data.len() as u64, "other delivery of it", "other deliveries of it")) @if siblings.next_cursor.is_some() { ", the newest" } }
            (rows::table(api, seat, &siblings.data, Columns::Plain, now))
        }
    }
}
