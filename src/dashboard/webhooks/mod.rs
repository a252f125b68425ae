//! The pages of webhooks: the list, one of them, the forms that make and change one, and all that is done to one. What stays true:
//! what a page does is what the API's operation does, and a button is there only for who may press it.

mod acts;
mod answer;
mod buttons;
mod ends;
mod fields;
mod form;
mod known;
mod limits;
mod list;
mod many;
mod outlook;
mod rows;
mod secret;
mod settings;
mod sheet;
mod show;
mod standing;
mod trial;
mod ways;
mod written;

use actix_web::web;

/// Their routes. Those with a word in the place of an id come first.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(list::show);
    to.service(form::new).service(form::create);
    to.service(many::ticked);
    to.service(form::edit).service(form::save);
    to.service(trial::ask).service(trial::send);
    to.service(secret::show).service(secret::ask_rotate).service(secret::rotate);
    to.service(ends::ask_delete).service(ends::delete).service(ends::ask_cancel).service(ends::cancel);
    to.service(acts::disable).service(acts::check).service(acts::verify).service(acts::steer);
    to.service(show::show);
}
