//! A webhook's signing secrets. What stays true: a secret is in the reply to a form only, never in a page that an address leads to;
//! and that it was shown is written down.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use maud::{Markup, html};

use super::ways;
use crate::api::access::auth::Rotates;
use crate::api::webhooks::reach::reach;
use crate::api::webhooks::secrets::{RotateInput, SecretView, secrets};
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part, token};
use crate::dashboard::parts::field::{self, Field};
use crate::dashboard::parts::{copy, time};
use crate::dashboard::posted::{Fields, Posted};
use crate::dashboard::seat::{Looks, Seat};
use crate::dialect::Signing;
use crate::domain::Invalid;
use crate::domain::webhook::Webhook;

/// How long the old secret may go on signing, in seconds, and how that is called.
const OVERLAPS: [(&str, &str); 5] = [
    ("0", "not at all: it leaked"),
    ("3600", "an hour"),
    ("86400", "a day"),
    ("604800", "a week"),
    ("2592000", "30 days"),
];

#[post("/webhooks/{id}/secret")]
pub async fn show(posted: Posted<Rotates>, api: web::Data<Api>, of: web::Path<ways::Of>) -> Result<HttpResponse, Away> {
    let reach = reach(&api, posted.seat.tenant());
    let webhook = reach.webhook(&of.id)?;
    let shown = reach.secret(&of.id).await?;
    Ok(told(&posted.seat, &api, "Secret", &webhook, &shown, &[]))
}

#[get("/webhooks/{id}/rotate")]
pub async fn ask_rotate(
    seat: Looks<Rotates>,
    api: web::Data<Api>,
    of: web::Path<ways::Of>,
) -> Result<HttpResponse, Away> {
    reach(&api, seat.tenant()).webhook(&of.id)?;
    Ok(ask(&seat, &of.id, StatusCode::OK, &Fields::default(), None))
}

#[post("/webhooks/{id}/rotate")]
pub async fn rotate(
    posted: Posted<Rotates>,
    api: web::Data<Api>,
    of: web::Path<ways::Of>,
) -> Result<HttpResponse, Away> {
    let (seat, fields) = (&posted.seat, &posted.fields);
    let rotated = match said(fields) {
        Ok(input) => reach(&api, seat.tenant()).rotate(&of.id, input).await,
        Err(invalid) => Err(invalid.into()),
    };
    match rotated {
        Ok((webhook, warnings)) => {
            Ok(told(seat, &api, "Secret rotated", &webhook, &secrets(&webhook, &api), &warnings))
        }
        Err(problem) => {
            let (status, problem) = ways::of_form(problem)?;
            Ok(ask(seat, &of.id, status, fields, Some(&problem)))
        }
    }
}

fn said(fields: &Fields) -> Result<RotateInput, Invalid> {
    let seconds = |text: &str| text.parse().map_err(|_| Invalid::new("overlap_seconds", "must be seconds"));
    let signing = match fields.text("signing") {
        None => None,
        Some("hmac") => Some(Signing::Hmac),
        Some("ed25519") => Some(Signing::Ed25519),
        Some(_) => return Err(Invalid::new("signing", "must be hmac or ed25519")),
    };
    Ok(RotateInput {
        secret: fields.text("secret").map(String::from),
        signing,
        overlap_seconds: fields.text("overlap_seconds").map(seconds).transpose()?,
    })
}

fn ask(seat: &Seat, id: &str, status: StatusCode, fields: &Fields, problem: Option<&Problem>) -> HttpResponse {
    let overlap = fields.text("overlap_seconds").unwrap_or("86400");
    let body = html! {
        (field::wrong(problem, &["overlap_seconds", "secret", "signing"]))
        p { "A new secret signs from now on. The old one signs beside it for a while, so that no receiver misses a signature." }
        form method="post" action=(ways::below(seat, id, "rotate")) {
            (token(seat))
            (Field { name: "overlap_seconds", label: "The old secret goes on signing", value: overlap, required: true, ..Field::default() }
                .choice(&OVERLAPS, problem))
            (Field {
                name: "secret",
                label: "New secret",
                hint: "Generated if left empty.",
                kind: "password",
                autocomplete: "new-password",
                ..Field::default()
            }.line(problem))
            (Field { name: "signing", label: "What is generated", required: true, ..Field::default() }.choice(&[
                ("", "the same as before"),
                ("hmac", "a secret that both sides share"),
                ("ed25519", "a key pair: receivers get the public key"),
            ], problem))
            div.submit {
                button.main type="submit" { "Rotate the secret" }
                a.button.quiet href=(ways::of(seat, id)) { "Not now" }
            }
        }
    };
    Page::new("Rotate the secret", Part::Webhooks).show_with(status, seat, &body)
}

/// The secrets that sign, this once.
fn told(
    seat: &Seat,
    api: &Api,
    title: &str,
    webhook: &Webhook,
    shown: &SecretView,
    warnings: &[String],
) -> HttpResponse {
    let now = api.clock.wall();
    let body = html! {
        @for warning in warnings { p.note { (warning) } }
        @match &shown.secret {
            Some(secret) => { p { "It signs every request. This page shows it once." } (pair(secret, shown.public_key.as_deref())) }
            None => { p { "No secret signs its requests." } }
        }
        @if !shown.previous.is_empty() {
            h2 { "Older ones that still sign" }
            @for one in &shown.previous {
                (pair(&one.secret, one.public_key.as_deref()))
                @if one.until.is_some() { p { "Signs until " (time::text(one.until.as_deref(), now)) "." } }
            }
        }
        p { a href=(seat.docs_of(&webhook.dialect)) { "How a receiver verifies requests, with code to copy" } }
        p { a href=(ways::of(seat, &webhook.id.to_string())) { "Back to the webhook" } }
    };
    Page::new(title, Part::Webhooks).show(seat, &body)
}

fn pair(secret: &str, public_key: Option<&str>) -> Markup {
    html! {
        dl.facts {
            dt { "Secret" } dd { (copy::text(secret)) }
            @if let Some(key) = public_key { dt { "Public key" } dd { (copy::text(key)) } }
        }
    }
}
