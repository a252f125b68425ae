//! The pages over real sockets, as a browser asks for them: who is let in, what is refused, and what stays when. What stays true:
//! time is the test's own, and nothing waits for it.

#[path = "../support/mod.rs"]
mod support;

mod contracts;
mod dead_letters;
mod deliveries;
mod events;
mod here;
mod live;
mod markup;
mod oidc;
mod overview;
mod people;
mod people_codes;
mod people_links;
mod people_rights;
mod portal;
mod provider;
mod rights;
mod rights_pages;
mod rights_routes;
mod rights_world;
mod server;
mod trying;
mod webhooks;

use support::browser;
