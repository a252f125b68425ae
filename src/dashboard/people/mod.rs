//! How people come in, what they change of themselves, and the users of an account. What stays true: a page that asks for a
//! password is never shown where others could read on; and one is sent on within this server only.

mod codes;
mod entering;
mod first;
mod log_in;
pub mod team;
mod ticket;
mod you;

use actix_web::http::header;
use actix_web::{HttpResponse, get, web};

use super::away::Away;
use super::links;
use super::seat::Looks;
use crate::api::access::auth::Any;
use crate::domain::account::DEFAULT_ACCOUNT;

/// The pages that are of no account.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(front).service(home);
    to.service(log_in::show).service(log_in::post).service(log_in::code).service(log_in::out);
    to.service(first::show).service(first::post);
    to.service(ticket::show).service(ticket::post);
    to.service(you::show).service(you::rename).service(you::password).service(you::end).service(you::end_others);
    to.service(codes::begin)
        .service(codes::confirm)
        .service(codes::renew)
        .service(codes::give_up_page)
        .service(codes::give_up);
}

#[get("/")]
async fn front() -> HttpResponse {
    see_other("/dashboard")
}

/// Where one begins: at one's account, or, of the server's own people, at the one that exists from the start.
#[get("/dashboard")]
async fn home(seat: Looks<Any>) -> Result<HttpResponse, Away> {
    let account = if seat.is_operator() { DEFAULT_ACCOUNT } else { &seat.account().id };
    Ok(see_other(&format!("/dashboard/@{}/", links::part(account))))
}

/// Sends on to another page.
pub fn see_other(address: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, address)).finish()
}
