//! The pages of whoever runs the server: accounts, their keys, what was done, the settings, the store, the machine. What stays
//! true: each asks for the scope that its route of the API asks for, and what is of no single account is the operator's alone.

mod accounts;
mod audit;
mod export;
mod keys;
mod nodes;
mod notices;
mod settings;
mod store;

use actix_web::web;

/// The operator's pages, at `/dashboard/server/…`.
pub fn routes(to: &mut web::ServiceConfig) {
    accounts::routes(to);
    settings::routes(to);
    store::routes(to);
    nodes::routes(to);
}

/// The pages of an account that no portal has.
pub fn of_team(to: &mut web::ServiceConfig) {
    keys::routes(to);
    audit::routes(to);
    notices::routes(to);
    export::routes(to);
}
