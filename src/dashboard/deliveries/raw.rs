//! The body of one side of an attempt, as a file.

use actix_web::{HttpResponse, get, web};

use super::exchange::file;
use super::of::OfAttempt;
use crate::api::access::auth::Read;
use crate::api::deliveries::operations::{attempt, no_attempt};
use crate::api::deliveries::view::AttemptView;
use crate::api::{Api, Problem};
use crate::dashboard::away::Away;
use crate::dashboard::parts::download;
use crate::dashboard::seat::{Looks, Seat};

/// What was sent.
#[get("/deliveries/{id}/attempts/{number}/request")]
pub async fn request(seat: Looks<Read>, api: web::Data<Api>, of: web::Path<OfAttempt>) -> Result<HttpResponse, Away> {
    let attempt = find(&api, &seat, &of).await?;
    let name = file(&attempt, "request");
    let body = attempt.request_body.flatten().ok_or_else(|| Problem::not_found("body: its event is no longer kept"))?;
    Ok(download::text(&name, body.content))
}

/// What came back, as far as it is kept.
#[get("/deliveries/{id}/attempts/{number}/response")]
pub async fn response(seat: Looks<Read>, api: web::Data<Api>, of: web::Path<OfAttempt>) -> Result<HttpResponse, Away> {
    let attempt = find(&api, &seat, &of).await?;
    Ok(download::text(&file(&attempt, "response"), attempt.response_body))
}

async fn find(api: &web::Data<Api>, seat: &Seat, of: &OfAttempt) -> Result<AttemptView, Problem> {
    let number: u16 = of.number.parse().map_err(|_| no_attempt())?;
    attempt(api, seat.tenant(), &of.id, number).await
}
