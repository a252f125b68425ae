//! Where one comes in: `/` leads to the pages, or to the documentation where there are none; `/dashboard` leads to the account of
//! who looks.

use actix_web::http::header;
use actix_web::{HttpResponse, get, web};

use super::away::Away;
use super::links;
use super::seat::Looks;
use crate::api::Api;
use crate::api::access::auth::Any;
use crate::domain::account::DEFAULT_ACCOUNT;

/// Its routes.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(root).service(whole).service(whole_with_slash);
}

/// Leads on to a page.
pub fn see_other(address: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, address))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

#[get("/")]
async fn root(api: web::Data<Api>) -> HttpResponse {
    see_other(if api.has_pages() { "/dashboard/" } else { "/docs" })
}

#[get("/dashboard")]
async fn whole(seat: Looks<Any>) -> Result<HttpResponse, Away> {
    Ok(see_other(&own(&seat)))
}

#[get("/dashboard/")]
async fn whole_with_slash(seat: Looks<Any>) -> Result<HttpResponse, Away> {
    Ok(see_other(&own(&seat)))
}

/// The overview of one's own account; of the server's people, that of the account that is there from the start, since their own
/// has nothing but notices.
fn own(seat: &Looks<Any>) -> String {
    let id = if seat.is_operator() { DEFAULT_ACCOUNT } else { &seat.account().id };
    links::of_account(id, "")
}
