//! Where the pages of webhooks are, and how one gets to the next.

use actix_web::ResponseError;
use actix_web::http::StatusCode;

use crate::api::Problem;
use crate::dashboard::away::Away;
use crate::dashboard::links;
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

/// Whether a form can say what is wrong, and with which status; what is not its matter is a page of its own.
pub fn of_form(problem: Problem) -> Result<(StatusCode, Problem), Away> {
    let status = problem.status_code();
    let is_of_form = status.is_client_error() && !matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
        || problem.field().is_some();
    if is_of_form { Ok((status, problem)) } else { Err(problem.into()) }
}
