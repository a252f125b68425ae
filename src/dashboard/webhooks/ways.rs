//! Where the pages of webhooks are, and how one gets to the next.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};

use crate::api::Problem;
use crate::dashboard::away::Away;
use crate::dashboard::links;
use crate::dashboard::posted::Fields;
use crate::dashboard::seat::Seat;

pub use crate::dashboard::of::Of;

/// The page of a webhook.
pub fn of(seat: &Seat, id: &str) -> String {
    seat.at(&format!("webhooks/{}", links::part(id)))
}

/// A page below that, such as `edit`.
pub fn below(seat: &Seat, id: &str, page: &str) -> String {
    format!("{}/{page}", of(seat, id))
}

/// Sends on to a page, which tells in fixed words what was done.
pub fn on_to(address: &str, said: &str) -> HttpResponse {
    links::see_other(&links::with_query(address, [("said", Some(said))]))
}

/// What the address asks for.
pub fn asked(seat: &Seat) -> Fields {
    Fields::read(seat.asked().split_once('?').map_or("", |(_, query)| query).as_bytes())
}

/// Whether a form can say what is wrong, and with which status; what is not its matter is a page of its own.
pub fn of_form(problem: Problem) -> Result<(StatusCode, Problem), Away> {
    let status = problem.status_code();
    let is_of_form = status.is_client_error() && !matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
        || problem.field().is_some();
    if is_of_form { Ok((status, problem)) } else { Err(problem.into()) }
}
