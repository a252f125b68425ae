//! The pages that people look at: the dashboard, and the same pages as a customer's portal. What stays true: a page asks the very
//! functions that the API's routes ask, in the name of who looks, so nobody sees or does here what a key of theirs could not; and
//! all that others wrote is escaped by the templates.

mod assets;
mod away;
mod brand;
mod contracts;
mod cookie;
mod dead_letters;
mod deliveries;
mod dry_run;
mod events;
mod find;
mod frame;
mod jobs;
mod links;
mod live;
mod may;
mod of;
mod overview;
mod parts;
mod people;
mod portal;
mod posted;
mod reading;
mod seat;
mod server;
mod sheet;
mod trying;
mod webhooks;

use actix_web::middleware::from_fn;
use actix_web::{Scope, web};

/// All pages.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(assets::show);
    to.service(trying::begin);
    to.service(
        web::scope("/dashboard/@{account}/try").configure(trying::routes).default_service(web::to(away::nowhere)),
    );
    to.configure(people::routes);
    to.configure(server::routes).configure(live::routes_of_all);
    let of_account = pages(web::scope("/dashboard/@{account}")).configure(server::of_team).configure(of_team);
    to.service(of_account.default_service(web::to(away::nowhere)));
    let portal = pages(web::scope("/portal")).configure(portal::routes).default_service(web::to(away::nowhere));
    to.service(portal.wrap(from_fn(portal::refused::dress)));
    // Behind all others.
    to.service(away::elsewhere);
}

/// None of them: the dashboard is switched off.
pub fn no_routes(to: &mut web::ServiceConfig) {
    to.configure(people::no_routes);
}

/// The pages of one account, below wherever they are: in the dashboard and in its portal.
fn pages(scope: Scope) -> Scope {
    scope
        .configure(overview::routes)
        .configure(find::routes)
        .configure(webhooks::routes)
        .configure(deliveries::routes)
        .configure(dead_letters::routes)
        .configure(jobs::routes)
        .configure(events::routes)
        .configure(live::routes)
        .configure(contracts::routes)
}

/// Those that a portal does not have: who is of the account, and what the operator sees of it.
fn of_team(to: &mut web::ServiceConfig) {
    to.configure(people::team::routes);
}
