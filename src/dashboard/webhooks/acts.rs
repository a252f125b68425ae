//! What is done to a webhook at once: hold it, let it go on, ask its endpoint. What stays true: each is the API's own operation.

use actix_web::{HttpResponse, post, web};
use maud::html;
use serde::Deserialize;

use super::ways;
use crate::api::access::auth::{Steers, Tests};
use crate::api::webhooks::reach::reach;
use crate::api::webhooks::steering::PauseInput;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::parts::said::on_to;
use crate::dashboard::parts::state::{Meaning, of_status, state};
use crate::dashboard::posted::{Fields, Posted};
use crate::domain::{Invalid, time};

/// Which webhook, and what is done.
#[derive(Debug, Deserialize)]
struct Steered {
    id: String,
    act: String,
}

/// Pauses, resumes or enables.
#[post("/webhooks/{id}/{act}")]
pub async fn steer(
    posted: Posted<Steers>,
    api: web::Data<Api>,
    path: web::Path<Steered>,
) -> Result<HttpResponse, Away> {
    let (seat, id) = (&posted.seat, path.id.as_str());
    let reach = reach(&api, seat.tenant());
    let (done, said) = match path.act.as_str() {
        "pause" => (reach.pause(id, how_long(&posted.fields)?).await, "paused"),
        "resume" => (reach.resume(id).await, "resumed"),
        "enable" => (reach.enable(id).await, "enabled"),
        _ => return Err(Problem::not_found("page").into()),
    };
    done?;
    Ok(on_to(&ways::of(seat, id), said))
}

/// For how long, or until when: a browser's field has a time without a zone, which is in UTC here.
fn how_long(fields: &Fields) -> Result<PauseInput, Invalid> {
    let seconds = |text: &str| text.parse().map_err(|_| Invalid::new("seconds", "must be seconds"));
    let zoned = |text: &str| match time::parse(text) {
        Some(_) => text.to_owned(),
        None => format!("{text}Z"),
    };
    Ok(PauseInput { until: fields.text("until").map(zoned), seconds: fields.text("seconds").map(seconds).transpose()? })
}

/// Disables, with a reason.
#[post("/webhooks/{id}/disable")]
pub async fn disable(
    posted: Posted<Steers>,
    api: web::Data<Api>,
    of: web::Path<ways::Of>,
) -> Result<HttpResponse, Away> {
    let reason = posted.fields.text("reason").map(String::from);
    reach(&api, posted.seat.tenant()).disable(&of.id, reason).await?;
    Ok(on_to(&ways::of(&posted.seat, &of.id), "disabled"))
}

/// Asks its endpoint again whether it wants deliveries.
#[post("/webhooks/{id}/verify")]
pub async fn verify(posted: Posted<Tests>, api: web::Data<Api>, of: web::Path<ways::Of>) -> Result<HttpResponse, Away> {
    reach(&api, posted.seat.tenant()).verify(&of.id).await?;
    Ok(on_to(&ways::of(&posted.seat, &of.id), "asked"))
}

/// Calls its endpoint to see how it is, and shows what was found.
#[post("/webhooks/{id}/check")]
pub async fn check(posted: Posted<Tests>, api: web::Data<Api>, of: web::Path<ways::Of>) -> Result<HttpResponse, Away> {
    let seat = &posted.seat;
    let found = reach(&api, seat.tenant()).check(&of.id).await?;
    let (meaning, word) = match (found.reachable, found.status_code) {
        (true, Some(status)) => (of_status(Some(status)), format!("reached: it answered {status}")),
        (true, None) => (Meaning::Well, "reached".into()),
        (false, _) => (Meaning::Dead, "not reached".into()),
    };
    let body = html! {
        p { (state(meaning, &word)) }
        dl.facts {
            dt { "It took" } dd { (found.response_time_ms) " ms" }
            @if let Some(tls) = found.tls { dt { "TLS" } dd { (tls.word()) } }
            @if let Some(error) = &found.error { dt { "Why" } dd { (error) } }
        }
        p.hint {
            "A small test body was sent, with a signature that is none: an endpoint that verifies rightly answers 401. Nothing \
             was stored, and nothing is tried again."
        }
        p { a href=(ways::of(seat, &of.id)) { "Back to the webhook" } }
    };
    Ok(Page::new("Endpoint check", Part::Webhooks).show(seat, &body))
}
