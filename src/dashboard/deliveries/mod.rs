//! Pages about deliveries: a list over all webhooks, and each delivery as a story. What stays true: what is shown of requests and
//! answers is text that others wrote, escaped or kept as a file, and never a part of a page.

mod all;
pub mod choosing;
mod compare;
mod curl;
mod difference;
pub mod endpoint;
mod exchange;
pub mod explained;
mod list;
pub mod of;
pub mod phases;
mod raw;
mod replay;
pub mod rows;
mod show;
mod story;
mod timeline;
#[cfg(test)]
mod trial;

use actix_web::web;

/// Their routes.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(list::list).service(replay::ask).service(replay::many);
    to.service(all::ask).service(all::start);
    to.service(show::show).service(replay::one).service(compare::compare);
    to.service(raw::request).service(raw::response);
}
