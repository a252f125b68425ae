//! Everything of an account as a file, without the secrets of its webhooks. It is asked for by a form, since it is noted in the
//! audit log.

use actix_web::http::header;
use actix_web::{HttpResponse, post, web};

use crate::api::Api;
use crate::api::access::auth::Read;
use crate::api::accounts::export::begin;
use crate::dashboard::away::Away;
use crate::dashboard::posted::Posted;

/// Its route.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(export);
}

#[post("/export")]
async fn export(posted: Posted<Read>, api: web::Data<Api>) -> Result<HttpResponse, Away> {
    let seat = posted.seat;
    // An id of an account has no character that would need quotes.
    let id = seat.account().id.clone();
    let mut reply = begin(seat.tenant(), api, &id, false).await?;
    let name = format!("attachment; filename=\"{id}.ndjson\"");
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_DISPOSITION, name.parse().map_err(crate::api::Problem::internal)?);
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(reply)
}
