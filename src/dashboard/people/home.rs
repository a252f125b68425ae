//! Where one begins.

use actix_web::{HttpResponse, get};

use crate::api::access::auth::Any;
use crate::dashboard::away::Away;
use crate::dashboard::links;
use crate::dashboard::links::see_other;
use crate::dashboard::seat::Looks;
use crate::domain::account::DEFAULT_ACCOUNT;

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

/// One's account, or, of the server's own people, the one that exists from the start.
#[get("/dashboard")]
pub async fn show(seat: Looks<Any>) -> Result<HttpResponse, Away> {
    let account = if seat.is_operator() { DEFAULT_ACCOUNT } else { &seat.account().id };
    Ok(see_other(&format!("/dashboard/@{}/", links::part(account))))
}

/// With a slash too many.
#[get("/dashboard/")]
pub async fn with_slash() -> HttpResponse {
    see_other("/dashboard")
}
