//! Where one begins.

use actix_web::{HttpResponse, get};

use crate::api::access::auth::Any;
use crate::dashboard::away::Away;
use crate::dashboard::links;
use crate::dashboard::links::see_other;
use crate::dashboard::seat::Looks;

/// The server's own address.
#[get("/")]
pub async fn front() -> HttpResponse {
    see_other("/dashboard")
}

/// The same where there is no dashboard.
#[get("/")]
pub async fn docs() -> HttpResponse {
    see_other("/docs")
}

/// The account that one begins with.
#[get("/dashboard")]
pub async fn show(seat: Looks<Any>) -> Result<HttpResponse, Away> {
    Ok(see_other(&links::of_account(seat.first_account(), "")))
}

/// With a slash too many.
#[get("/dashboard/")]
pub async fn with_slash() -> HttpResponse {
    see_other("/dashboard")
}
