//! Events: the list, one with what became of it, what can be done with it, and publishing one.

mod acts;
mod audience;
mod list;
mod one;
mod publish;

use actix_web::web;

/// Their routes.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(list::show);
    to.service(publish::form).service(publish::publish);
    to.service(acts::replay_form).service(acts::replay).service(acts::replay_chosen);
    to.service(acts::leave_form).service(acts::leave);
    to.service(one::show);
}
