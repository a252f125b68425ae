//! What one can do to a webhook, as buttons: what is done often at the top of its page, the rest below. Only for who may do it.

use maud::{Markup, html};

use super::ways;
use crate::api::webhooks::view::WebhookView;
use crate::dashboard::frame::token;
use crate::dashboard::links;
use crate::dashboard::seat::Seat;
use crate::domain::ability::Ability;

/// What there are buttons for below.
const ANY: [Ability; 5] = [Ability::Test, Ability::Rotate, Ability::Replay, Ability::Steer, Ability::Manage];

/// How long it can be paused, in seconds.
const LENGTHS: [(&str, &str); 6] = [
    ("900", "15 minutes"),
    ("3600", "an hour"),
    ("14400", "4 hours"),
    ("86400", "a day"),
    ("604800", "a week"),
    ("2592000", "30 days"),
];

/// At the top.
pub fn first(seat: &Seat, webhook: &WebhookView) -> Markup {
    let below = |page: &str| ways::below(seat, &webhook.id, page);
    html! {
        @if webhook.url.is_some() && seat.can(Ability::Test) { a.button.main href=(below("test")) { "Send a test event" } }
        @if seat.can(Ability::Manage) { a.button href=(below("edit")) { "Edit" } }
        @if seat.can(Ability::Steer) {
            @match webhook.status {
                "disabled" => (press(seat, &below("enable"), "Enable")),
                "paused" => (press(seat, &below("resume"), "Resume")),
                _ => (press(seat, &below("pause"), "Pause")),
            }
        }
        @if webhook.status == "unverified" && webhook.url.is_some() && seat.can(Ability::Test) { (press(seat, &below("verify"), "Verify")) }
    }
}

/// Below.
pub fn further(seat: &Seat, webhook: &WebhookView) -> Markup {
    let below = |page: &str| ways::below(seat, &webhook.id, page);
    let has_endpoint = webhook.url.as_deref().is_some_and(|url| !url.starts_with("mailto:"));
    let dead_letters = links::with_query(&seat.at("dead-letters"), [("webhook", Some(webhook.id.as_str()))]);
    let (tests, rotates, replays) = (seat.can(Ability::Test), seat.can(Ability::Rotate), seat.can(Ability::Replay));
    html! {
        @if ANY.into_iter().any(|ability| seat.can(ability)) { h2 { "More to do" } }
        div.acts.further {
            @if has_endpoint && tests { (press(seat, &below("check"), "Check the endpoint")) }
            @if has_endpoint && tests && webhook.ownership_check && webhook.status != "unverified" { (press(seat, &below("verify"), "Verify again")) }
            @if rotates {
                (press(seat, &below("secret"), "Show the secret"))
                a.button href=(below("rotate")) { "Rotate the secret" }
            }
            @if webhook.dead > 0 && replays { a.button href=(dead_letters) { "Replay or discard dead letters" } }
        }
        @if webhook.status != "disabled" && seat.can(Ability::Steer) {
            form.one-line method="post" action=(below("pause")) {
                (token(seat))
                label for="seconds" { "Pause it for" }
                select #seconds name="seconds" { @for (seconds, called) in LENGTHS { option value=(seconds) { (called) } } }
                button type="submit" { "Pause" }
            }
            form.one-line method="post" action=(below("pause")) {
                (token(seat))
                label for="until" { "Pause it until" }
                input #until type="datetime-local" name="until" required;
                span.hint { "UTC" }
                button type="submit" { "Pause" }
            }
            form.one-line method="post" action=(below("disable")) {
                (token(seat))
                label for="reason" { "Disable it, because" }
                input #reason name="reason" maxlength="200" placeholder="the endpoint moves on Friday";
                button type="submit" { "Disable" }
            }
        }
        div.acts.further {
            @if webhook.open > 0 && replays { a.button.danger href=(below("cancel")) { "Cancel open deliveries" } }
            @if seat.can(Ability::Manage) { a.button.danger href=(below("delete")) { "Delete" } }
        }
    }
}

fn press(seat: &Seat, action: &str, label: &str) -> Markup {
    html! { form method="post" action=(action) { (token(seat)) button type="submit" { (label) } } }
}
