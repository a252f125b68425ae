//! The overview of an account.

use actix_web::{HttpResponse, get, web};
use maud::html;

use super::away::Away;
use super::frame::{Page, Part};
use super::seat::Looks;
use crate::api::access::auth::Read;

/// Its routes.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(show);
}

#[get("/")]
async fn show(seat: Looks<Read>) -> Result<HttpResponse, Away> {
    Ok(Page::new("Overview", Part::Overview).show(&seat, &html! { p { "To be written." } }))
}
