//! How one is sent on to another page.

use actix_web::HttpResponse;
use actix_web::http::header;

/// Sends on to this page, which is asked for with GET.
pub fn see_other(address: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, address)).finish()
}
