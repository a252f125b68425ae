//! Sick webhooks: what is wrong with each, since when, for how many deliveries, and what to do.

use maud::{Markup, html};

use crate::api::webhooks::sick::{Ailment, Sick, SickList};
use crate::dashboard::links::{part, with_query};
use crate::dashboard::parts::state::{Meaning, state};
use crate::dashboard::parts::{amount, time};
use crate::dashboard::seat::Seat;
use crate::domain::ability::Ability;
use crate::domain::time::UnixMs;

/// The list; nothing where all are well.
pub fn show(seat: &Seat, list: &SickList, now: UnixMs) -> Markup {
    if list.of == 0 {
        return html! {};
    }
    html! {
        @if list.worst.is_empty() {
            p.verdict {
                (state(Meaning::Well, "well")) " "
                @if list.is_whole { (all_well(list.of)) } @else { "Those of your webhooks that were looked at are well." }
            }
        } @else {
            h2 { (amount::of(list.count as u64, "webhook needs", "webhooks need")) " a look" }
            ul.sick { @for sick in &list.worst { (one(seat, sick, now)) } }
            @if list.count > list.worst.len() {
                p { "And " (amount::count((list.count - list.worst.len()) as u64)) " more. "
                    a href=(seat.at("webhooks")) { "All webhooks" } }
            }
            @if !list.is_whole { p.hint { "Not all of your webhooks were looked at: there are very many." } }
        }
    }
}

fn all_well(of: usize) -> String {
    match of {
        1 => "Your webhook takes its deliveries.".into(),
        of => format!("All of your {} webhooks take their deliveries.", amount::count(of as u64)),
    }
}

fn one(seat: &Seat, sick: &Sick, now: UnixMs) -> Markup {
    let page = seat.at(&format!("webhooks/{}", part(&sick.id)));
    let name = sick.name.as_deref().or(sick.url.as_deref()).unwrap_or("A webhook that is pulled");
    html! {
        li data-row {
            p.what {
                (mark(sick)) " " a href=(page) dir="auto" { (name) }
                @if sick.name.is_some() { @if let Some(url) = &sick.url { " " span.url { (url) } } }
            }
            p { (wrong(sick, now)) " " (waits(sick)) }
            p.remedy { (remedy(seat, sick, &page, now)) }
        }
    }
}

fn mark(sick: &Sick) -> Markup {
    match sick.ailment {
        Ailment::Disabled => state(Meaning::Dead, "disabled"),
        Ailment::Failing => state(Meaning::Trouble, "failing"),
        Ailment::Unverified => state(Meaning::Trouble, "unverified"),
        Ailment::Paused => state(Meaning::Waiting, "paused"),
    }
}

/// What is wrong, and since when.
fn wrong(sick: &Sick, now: UnixMs) -> Markup {
    let since = html! { @if let Some(since) = sick.since { " " (time::at(since, now)) } };
    let why = html! { @if let Some(reason) = &sick.reason { ": " (reason) } };
    match sick.ailment {
        Ailment::Disabled => html! { "Disabled" (since) (why) "." },
        Ailment::Paused => html! { "A person paused it" (since) "." },
        Ailment::Unverified => html! { "Its endpoint has not shown that it wants deliveries" (why) "." },
        Ailment::Failing if sick.failures == 0 => html! { "Its endpoint asked for a pause, or could not be reached." },
        Ailment::Failing => html! {
            (amount::of(sick.failures, "attempt", "attempts")) " in a row failed"
            @if let Some(since) = sick.since { ", the first " (time::at(since, now)) } "."
        },
    }
}

/// For how many deliveries.
fn waits(sick: &Sick) -> String {
    match (sick.open, sick.ailment) {
        (0, _) => "Nothing waits for it.".into(),
        (open, Ailment::Failing) => format!("{} for it.", amount::of(open, "delivery waits", "deliveries wait")),
        (open, _) => format!("{} for it.", amount::of(open, "delivery is held", "deliveries are held")),
    }
}

/// What to do.
fn remedy(seat: &Seat, sick: &Sick, page: &str, now: UnixMs) -> Markup {
    let latest = with_query(&seat.at("deliveries"), [("webhook", Some(sick.id.as_str()))]);
    let latest = html! { a href=(latest) { "Look at its latest deliveries" } };
    let act = |needs: Ability, verb: &str| html! { @if seat.can(needs) { a href=(page) { (verb) } } @else { "somebody who may can " (verb.to_lowercase()) } };
    match sick.ailment {
        Ailment::Disabled => html! {
            @if let Some(at) = sick.probe_at { "One delivery goes out " (time::at(at, now)) " to see whether it is well again. " }
            "Mend the endpoint, then: " (act(Ability::Steer, "Enable it")) ". " (latest) "."
        },
        Ailment::Paused => html! { "It waits until it is resumed: " (act(Ability::Steer, "Resume it")) "." },
        Ailment::Unverified => {
            html! { "Let the endpoint answer the check of its contract, then: " (act(Ability::Test, "Verify it")) "." }
        }
        Ailment::Failing => html! {
            @if let Some(at) = sick.spared_until { "It is spared; the next goes out " (time::at(at, now)) ". " }
            @else { "Each is tried again on its schedule; nothing is lost yet. " }
            (latest) "."
        },
    }
}
