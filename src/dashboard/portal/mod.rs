//! The portal: the pages of one account for its customer, whoever that is. What stays true: all that a guest sees is of the account
//! that the link was for; there is no way from here to another account, to the server, or to another product's contract.

mod docs;
mod entering;
pub mod refused;

use actix_web::web;

/// What it has beside the pages of the account, below `/portal`.
pub fn routes(to: &mut web::ServiceConfig) {
    to.service(docs::show).service(super::brand::show);
    to.service(entering::ask).service(entering::enter).service(entering::leave);
}
