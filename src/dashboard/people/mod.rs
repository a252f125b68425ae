//! How people come in, what they change of themselves, and the users of an account. What stays true: a page that asks for a
//! password is never shown where others could read on; and one is sent on within this server only.

mod codes;
mod codes_shown;
mod entering;
mod fields;
mod first;
mod home;
mod log_in;
mod sign_on;
pub mod team;
mod ticket;
mod you;

use actix_web::web;

/// The pages that are of no account.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(home::front).service(home::show).service(home::with_slash);
    to.service(log_in::show).service(log_in::post).service(log_in::code).service(log_in::out);
    to.service(first::show).service(first::post);
    to.service(sign_on::there).service(sign_on::back);
    to.service(ticket::show).service(ticket::post);
    to.service(you::show).service(you::rename).service(you::password).service(you::end_others).service(you::end);
    to.service(codes::begin).service(codes::confirm).service(codes::renew);
    to.service(codes::give_up_page).service(codes::give_up);
}

/// Where there is no dashboard, one begins at what there is to read.
pub fn no_routes(to: &mut web::ServiceConfig) {
    to.service(home::docs);
}
