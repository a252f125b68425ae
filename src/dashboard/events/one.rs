//! One event: what it says, who got it and what came of that, and who did not and why.

use actix_web::{HttpResponse, get, web};
use bytes::Bytes;
use maud::{Markup, html};

use super::audience;
use crate::api::access::auth::Read;
use crate::api::deliveries::view::DeliveryView;
use crate::api::events::audience::{HearerView, page};
use crate::api::events::routes::{Found, deliveries_of, found};
use crate::api::events::view::row;
use crate::api::http::page::{Listed, Window};
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::deliveries::endpoint::Endpoints;
use crate::dashboard::deliveries::rows::latest;
use crate::dashboard::frame::{Page, Part, token};
use crate::dashboard::links::{changed, is_web, part, with_query};
use crate::dashboard::may::may_leave;
use crate::dashboard::of::Of;
use crate::dashboard::parts::state::{of_delivery, state};
use crate::dashboard::parts::{copy, json, pager, tick, time};
use crate::dashboard::posted::Fields;
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::ability::Ability;
use crate::domain::id::AccountNumber;

/// Deliveries that are shown at once, and webhooks without one.
const ROWS: usize = 25;
/// Of a raw payload so much is shown.
const RAW_BYTES_MAX: usize = 256 * 1024;

#[get("/events/{id}")]
pub async fn show(seat: Looks<Read>, api: web::Data<Api>, of: web::Path<Of>) -> Result<HttpResponse, Away> {
    let asked = Fields::asked(seat.asked());
    let (account, id) = (seat.account().number, of.into_inner().id);
    let found = found(&api, account, id.clone()).await?;
    let (cursor, further) = (asked.text("cursor"), asked.text("others"));
    let (deliveries, others) = lists(&api, account, id, (cursor, further)).await?;
    let (now, title) = (api.clock.wall(), found.head.event_type.clone());
    let is_raw = asked.text("raw").is_some();
    let trace_url = row(found.head.clone()).with_trace_url(api.settings().trace_url.as_deref()).trace_url;
    let trace_url = trace_url.as_deref().filter(|_| !seat.is_portal());
    let endpoints = Endpoints::of(&api, seat.tenant(), deliveries.rows.iter().map(|one| one.webhook_id.as_str()));
    let shown = Shown { seat: &seat, found: &found, deliveries: &deliveries, endpoints, trace_url, now, is_raw };
    let body = html! {
        (shown.story())
        (shown.facts())
        (shown.payload())
        (shown.deliveries())
        (audience::table(&seat, &others, further.is_none()))
    };
    Ok(Page { acts: shown.acts(), ..Page::new(&title, Part::Events) }.show(&seat, &body))
}

/// Deliveries, and webhooks without one: a page of each.
type Lists = (Listed<DeliveryView>, Listed<HearerView>);

async fn lists(
    api: &web::Data<Api>,
    account: AccountNumber,
    id: String,
    (cursor, further): (Option<&str>, Option<&str>),
) -> Result<Lists, Problem> {
    let windows = (Window::read(ROWS, None, cursor)?, Window::read(ROWS, None, further)?);
    let reader = api.clone();
    let read = move || {
        let deliveries = deliveries_of(&reader, account, &id, windows.0)?;
        Ok((deliveries, page(&reader, account, &id, Some(false), windows.1)?))
    };
    api.read(account, read).await?
}

struct Shown<'a> {
    seat: &'a Seat,
    found: &'a Found,
    deliveries: &'a Listed<DeliveryView>,
    endpoints: Endpoints,
    /// Where its trace is shown, if that is known.
    trace_url: Option<&'a str>,
    now: u64,
    is_raw: bool,
}

impl Shown<'_> {
    fn at(&self, more: &str) -> String {
        self.seat.at(&format!("events/{}{more}", part(&self.found.head.public_id())))
    }

    fn acts(&self) -> Markup {
        let is_there = self.found.head.purged_at.is_none();
        let may_leave = may_leave(self.seat);
        html! {
            @if is_there && self.seat.can(Ability::Replay) { a.button.main href=(self.at("/replay")) { "Replay to all" } }
            @if is_there && may_leave { a.button href=(self.at("/purge")) { "Purge" } }
            @if may_leave { a.button.danger href=(self.at("/delete")) { "Delete" } }
        }
    }

    /// What happened, in a sentence.
    fn story(&self) -> Markup {
        let (rows, head) = (&self.found.newest.rows, &self.found.head);
        let count = |word: &str| rows.iter().filter(|one| one.state == word).count();
        let more = if self.found.newest.next.is_some() { " or more" } else { "" };
        let words = [
            ("succeeded", "succeeded"),
            ("dead", "dead"),
            ("scheduled", "to be tried again"),
            ("pending", "on the way"),
            ("held", "held"),
            ("cancelled", "cancelled"),
        ];
        let told: Vec<String> = words
            .iter()
            .map(|(state, word)| (count(state), word))
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{n} {word}"))
            .collect();
        html! {
            p {
                "Accepted " (time::at(head.id.time(), self.now)) ". "
                @if head.webhooks.is_empty() && rows.is_empty() { "No webhook wanted it." } @else {
                    @if rows.len() == 1 { "1 delivery: " } @else { (rows.len()) (more) " deliveries: " }
                    (told.join(", ")) "."
                }
                @if self.found.to_come > 0 { " " (self.found.to_come) " are still to be made." }
            }
        }
    }

    fn facts(&self) -> Markup {
        let head = &self.found.head;
        let (public, ours) = (head.public_id(), head.id.to_string());
        html! {
            dl.facts {
                dt { "Type" }
                dd { a href=(with_query(&self.seat.at("events"), [("type", Some(head.event_type.as_str()))])) { (head.event_type) } @if head.test { " " span.tag { "test" } } @if head.notice { " " span.tag { "notice" } } }
                dt { "Id" }
                dd { (copy::text(&public)) }
                @if ours != public { dt { "Server's id" } dd { (copy::text(&ours)) } }
                dt { "Happened" }
                dd { (time::at(head.created_at, self.now)) }
                @if !head.channels.is_empty() { dt { "Channels" } dd { @for channel in &head.channels { span.tag { (channel) } " " } } }
                @if let Some(url) = self.trace_url.filter(|url| is_web(url)) { dt { "Trace" } dd { a href=(url) rel="noreferrer" { "Show its trace" } } }
                @if let Some(at) = head.purged_at { dt { "Purged" } dd { (time::at(at, self.now)) } }
            }
        }
    }

    fn payload(&self) -> Markup {
        let Some(event) = &self.found.payload else {
            return html! { p.note { "Its payload was purged: what it was about is gone, and it cannot be sent again." } };
        };
        let other = if self.is_raw { ("Folded", None) } else { ("Raw", Some("1")) };
        html! {
            div.heading { h2 { "Data" } a href=(changed(self.seat.asked(), &[("raw", other.1)])) { (other.0) } }
            (self.part(&event.data))
            @if let Some(actor) = &event.actor { h3 { "Actor" } (self.part(actor)) }
            @if let Some(metadata) = &event.metadata { h3 { "Metadata" } (self.part(metadata)) }
        }
    }

    fn part(&self, bytes: &Bytes) -> Markup {
        let text = String::from_utf8_lossy(bytes);
        if !self.is_raw {
            return json::json(&text);
        }
        json::plain(&text, RAW_BYTES_MAX)
    }

    fn deliveries(&self) -> Markup {
        let rows = &self.deliveries.rows;
        if rows.is_empty() {
            return html! {};
        }
        let may_replay = self.seat.can(Ability::Replay) && self.found.head.purged_at.is_none();
        html! {
            h2 { "Webhooks that got it" }
            form method="post" action=(self.at("/replay-chosen")) {
                (token(self.seat))
                div.table tabindex="0" {
                    table {
                        thead { tr {
                            @if may_replay { (tick::all()) }
                            th scope="col" { "Webhook" } th scope="col" { "State" } th scope="col" { "Answer" } th.number scope="col" { "Attempts" } th scope="col" { "Last attempt" } th scope="col" { "Delivery" }
                        } }
                        tbody { @for one in rows { (self.row(one, may_replay)) } }
                    }
                }
                @if may_replay { div.submit { button type="submit" { "Replay those that are chosen" } } }
            }
            (pager::pager(self.seat.asked(), self.deliveries.cursor().as_deref()))
        }
    }

    fn row(&self, one: &DeliveryView, may_replay: bool) -> Markup {
        let at = self.seat.at(&format!("deliveries/{}", part(&one.id)));
        let webhook = self.seat.at(&format!("webhooks/{}", part(&one.webhook_id)));
        html! {
            tr data-href=(at) {
                @if may_replay { td { input type="checkbox" name="delivery" value={ (one.webhook_id) " " (one.id) } aria-label={ "Choose the delivery " (copy::short(&one.id)) }; } }
                td.wide dir="auto" { a href=(webhook) { (self.endpoints.name(&one.webhook_id)) } }
                td { (state(of_delivery(one.state), one.state)) }
                td { @if one.attempt_count > 0 { (latest(one)) } @else { span.none { "–" } } }
                td.number { (one.attempt_count) }
                td { (time::text(one.attempted_at.as_deref(), self.now)) }
                td { (copy::linked_id(&at, &one.id)) }
            }
        }
    }
}
