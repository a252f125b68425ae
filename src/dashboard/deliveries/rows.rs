//! A table of deliveries, wherever there is one: each row leads to its delivery.

use maud::{Markup, html};

use super::endpoint::Endpoints;
use super::explained::short;
use super::of::{page, webhook_page};
use super::timeline::failed;
use crate::api::Api;
use crate::api::deliveries::view::DeliveryView;
use crate::dashboard::parts::state::{Meaning, of_delivery, state};
use crate::dashboard::parts::{tick, time};
use crate::dashboard::seat::Seat;
use crate::domain::time::UnixMs;

/// What a row has beside what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// Nothing.
    Plain,
    /// A box to tick, for the form around the table.
    Ticks,
}

/// What a row says.
const HEADS: [&str; 7] = ["State", "Event", "Webhook", ATTEMPTS, "Latest answer", "When", "Next"];
/// The column of numbers.
const ATTEMPTS: &str = "Attempts";

/// The table.
pub fn table(api: &Api, seat: &Seat, rows: &[DeliveryView], columns: Columns, now: UnixMs) -> Markup {
    let endpoints = Endpoints::of(api, seat.tenant(), rows.iter().map(|row| row.webhook_id.as_str()));
    let ticks = columns == Columns::Ticks;
    html! {
        div.table tabindex="0" {
            table {
                thead {
                    tr {
                        @if ticks { (tick::all()) }
                        @for head in HEADS { th scope="col" class=[(head == ATTEMPTS).then_some("number")] { (head) } }
                    }
                }
                tbody { @for row in rows { (one(seat, row, &endpoints, ticks, now)) } }
            }
        }
    }
}

fn one(seat: &Seat, row: &DeliveryView, endpoints: &Endpoints, ticks: bool, now: UnixMs) -> Markup {
    let (page, webhook) = (page(seat, &row.id), webhook_page(seat, &row.webhook_id));
    let name = row.event_type.as_deref().unwrap_or("an event that is no longer kept");
    html! {
        tr data-href=(page) {
            @if ticks { td { input type="checkbox" name="ids" value=(row.id) aria-label={ "Tick " (name) }; } }
            td { (state(of_delivery(row.state), row.state)) }
            td.wide { a href=(page) { (name) } }
            td.wide { a.plain href=(webhook) { (endpoints.name(&row.webhook_id)) } }
            td.number { (row.attempt_count) }
            td { @if row.attempt_count > 0 { (latest(row)) } @else { span.none { "–" } } }
            td { (time::text(row.attempted_at.as_deref().or(Some(&row.created_at)), now)) }
            td { (time::text(row.next_attempt_at.as_deref(), now)) }
        }
    }
}

/// What came of the latest attempt.
pub fn latest(row: &DeliveryView) -> Markup {
    let meaning = if row.success == Some(true) { Meaning::Well } else { failed(row.status_code) };
    state(meaning, &short(row.outcome, row.status_code))
}
