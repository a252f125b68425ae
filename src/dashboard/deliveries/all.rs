//! Replaying all deliveries of a webhook that ended in one way, or all events that it missed: first it is said how many, then the
//! API's own job does it.

use actix_web::{HttpResponse, get, post, web};
use maud::{Markup, html};

use super::endpoint::Endpoint;
use crate::api::jobs::start as jobs;
use crate::api::webhooks::bulk::{ReplayInput, ReplayedState, replayed};
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::dry_run::{self, dry_run, further};
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::links;
use crate::dashboard::may::ToReplay;
use crate::dashboard::parts::asked::Asked;
use crate::dashboard::parts::confirm::Confirm;
use crate::dashboard::parts::filter;
use crate::dashboard::parts::said::on_to;
use crate::dashboard::posted::{Fields, Posted};
use crate::dashboard::seat::{Looks, Seat};
use crate::domain::Invalid;

/// What says which: the webhook, how they ended, and what the API's bulk call can be asked beside.
const NAMES: [&str; 5] = ["webhook", "state", "event_type", "from", "to"];
/// The state of what a webhook never got.
const MISSING: &str = "missing";

/// The ways to here from a list of deliveries: to replay all that it shows, where that can be asked, and all that was missed.
pub fn ways(seat: &Seat, asked: &Asked) -> Markup {
    let webhook = asked.text("webhook");
    let is_asked = asked.filters(&[]).all(|(name, _)| NAMES.contains(&name));
    if webhook.is_empty() || !is_asked {
        return html! {};
    }
    let page = seat.at("deliveries/replay-all");
    let same = asked.filters(&["state"]).map(|(name, value)| (name, Some(value)));
    let with = |state| links::changed(&links::with_query(&page, same), &[("state", Some(state))]);
    let state = asked.text("state");
    html! {
        @if state.is_empty() { a.button href=(with(MISSING)) { "Replay what it missed…" } }
        @else if ReplayedState::of(state).is_some() { a.button href=(with(state)) { "Replay all that match…" } }
    }
}

/// Asks, and says how many there are.
#[get("/deliveries/replay-all")]
pub async fn ask(seat: Looks<ToReplay>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let fields = Fields::asked(seat.asked());
    let (webhook, input) = input(&fields)?;
    let call = replayed(&api, seat.tenant(), webhook, &input)?;
    let count = dry_run(&api, &seat, call).await?;
    let many = match input.state {
        ReplayedState::Missing => dry_run::many(&count, "event", "events"),
        _ => dry_run::many(&count, "delivery", "deliveries"),
    };
    let name = Endpoint::of(&api, seat.tenant(), webhook).map_or_else(|| webhook.to_owned(), |endpoint| endpoint.name);
    let words = html! {
        p {
            b { (many) } (what(input.state, &name))
            @for (words, name) in [("of type", "event_type"), ("from", "from"), ("before", "to")] {
                @if let Some(text) = fields.text(name) { " " (words) " " code { (text) } }
            }
            "."
        }
        (further(&seat, &count))
        p { "Each goes out as a new delivery, the oldest first. An endpoint that took it before gets it once more." }
    };
    let said: Vec<_> = fields.iter().filter(|(name, value)| NAMES.contains(name) && !value.is_empty()).collect();
    let action = seat.at("deliveries/replay-all");
    let back = links::with_query(&seat.at("deliveries"), [("webhook", Some(webhook))]);
    let button = format!("Replay {many}");
    let confirm = Confirm { words: &words, action: &action, button: &button, back: &back, fields: &said };
    let body = if count.count > 0 {
        confirm.show(&seat)
    } else {
        html! { (words) p { a.button href=(back) { "Back" } } }
    };
    Ok(Page::new("Replay deliveries", Part::Deliveries).show(&seat, &body))
}

/// Starts the job, and leads to it.
#[post("/deliveries/replay-all")]
pub async fn start(form: Posted<ToReplay>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let (webhook, input) = input(&form.fields)?;
    let call = replayed(&api, form.seat.tenant(), webhook, &input)?;
    let job = jobs::start(&api, form.seat.tenant(), call, 0, None).await?;
    let page = form.seat.at(&format!("jobs/{}", links::part(&job.id)));
    Ok(on_to(&page, "started"))
}

/// Of which webhook, and what the API is asked.
fn input(fields: &Fields) -> Result<(&str, ReplayInput), Problem> {
    let missing = |name: &str| Invalid::new(name, "is missing: filter by it first");
    let webhook = fields.text("webhook").ok_or_else(|| missing("webhook"))?;
    let state = fields.text("state").and_then(ReplayedState::of);
    let state = state.ok_or_else(|| Invalid::new("state", "must be dead, succeeded, cancelled or missing"))?;
    let (event_type, time) =
        (fields.text("event_type").map(String::from), |name| fields.text(name).map(filter::moment));
    Ok((webhook, ReplayInput { state, from: time("from"), to: time("to"), event_type, dry_run: false }))
}

/// Which they are, behind their number.
fn what(state: ReplayedState, webhook: &str) -> String {
    match state {
        ReplayedState::Dead => format!(" to {webhook} that used up their retries"),
        ReplayedState::Succeeded => format!(" to {webhook} that succeeded"),
        ReplayedState::Cancelled => format!(" to {webhook} that were cancelled"),
        ReplayedState::Missing => format!(" that {webhook} wants and never got"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_and_a_state_must_be_said() {
        let read = |text: &str| {
            input(&Fields::read(text.as_bytes())).map(|(webhook, input)| (webhook.to_owned(), input.state))
        };
        assert_eq!(read("webhook=w&state=dead").unwrap(), ("w".into(), ReplayedState::Dead));
        assert_eq!(read("state=dead").unwrap_err().field(), Some("webhook"));
        for state in ["", "pending", "held"] {
            assert_eq!(read(&format!("webhook=w&state={state}")).unwrap_err().field(), Some("state"), "{state}");
        }
    }
}
