//! Pages about dead letters: what used up its retries, until somebody replays or discards it. What stays true: before something is
//! done with many, it is said with how many.

mod bulk;
mod list;

use actix_web::web;

/// Their routes.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(list::list).service(bulk::ask).service(bulk::start);
}
