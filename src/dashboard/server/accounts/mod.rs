//! Accounts: all of them, one with what it has used, and making, changing and deleting one.

mod form;
mod leaving;
mod list;
mod one;
mod writing;

use actix_web::web;

/// Their routes. What is fixed comes before what is an id.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(list::show).service(writing::create).service(writing::ask_create);
    to.service(writing::ask_change).service(writing::change);
    to.service(leaving::ask).service(leaving::delete);
    to.service(one::show);
}
