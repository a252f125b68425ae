//! What is around every page of who has a seat: the bar above it and the way around.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use maud::{Markup, html};

use super::brand::Brand;
use super::parts::said;
use super::posted::TOKEN;
use super::seat::Seat;
pub use super::sheet::plain;
use super::sheet::{Sheet, name_of};
use crate::domain::account::Scope;

/// Which part of the dashboard a page belongs to: marked on the way around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Overview,
    Webhooks,
    Deliveries,
    Events,
    DeadLetters,
    Live,
    LiveOfAll,
    Contracts,
    Docs,
    Jobs,
    People,
    Keys,
    Notices,
    Audit,
    Accounts,
    Settings,
    Store,
    Nodes,
    You,
    /// On no way around.
    Elsewhere,
}

/// The pages of an account on the way around: their part, where they are, what they are called, and what one needs for them.
const OF_ACCOUNT: &[(Part, &str, &str, Scope)] = &[
    (Part::Overview, "", "Overview", Scope::Read),
    (Part::Webhooks, "webhooks", "Webhooks", Scope::Read),
    (Part::Deliveries, "deliveries", "Deliveries", Scope::Read),
    (Part::Events, "events", "Events", Scope::Read),
    (Part::DeadLetters, "dead-letters", "Dead letters", Scope::Read),
    (Part::Live, "live", "Live", Scope::Read),
    (Part::Contracts, "contracts", "Contracts", Scope::Read),
    (Part::Jobs, "jobs", "Jobs", Scope::Read),
];

/// Those that a portal does not have.
const OF_TEAM: &[(Part, &str, &str, Scope)] = &[
    (Part::Keys, "keys", "Keys", Scope::Admin),
    (Part::Notices, "notices", "Notices", Scope::Read),
    (Part::Audit, "audit", "Audit", Scope::Manage),
    (Part::People, "people", "People", Scope::Manage),
];

/// The operator's.
const OF_SERVER: &[(Part, &str, &str)] = &[
    (Part::Accounts, "accounts", "Accounts"),
    (Part::LiveOfAll, "live", "Live"),
    (Part::Store, "store", "Store"),
    (Part::Settings, "settings", "Settings"),
    (Part::Nodes, "nodes", "Nodes"),
];

/// A page.
#[derive(Debug)]
pub struct Page<'a> {
    /// Its title: what the tab and the heading say.
    pub title: &'a str,
    /// Where it belongs.
    pub part: Part,
    /// What one can do here, at the right of the heading.
    pub acts: Markup,
    /// Scripts beside the one that is on every page: their addresses.
    pub scripts: &'a [&'a str],
}

impl<'a> Page<'a> {
    /// One with nothing to do and no script of its own.
    pub fn new(title: &'a str, part: Part) -> Self {
        Self { title, part, acts: html! {}, scripts: &[] }
    }

    /// The reply, 200.
    pub fn show(&self, seat: &Seat, body: &Markup) -> HttpResponse {
        self.show_with(StatusCode::OK, seat, body)
    }

    /// The reply.
    pub fn show_with(&self, status: StatusCode, seat: &Seat, body: &Markup) -> HttpResponse {
        let inner = html! {
            (self.top(seat))
            div.shell {
                (self.around(seat))
                main #main tabindex="-1" {
                    (said::told(seat.asked()))
                    (self.welcome(seat))
                    div.heading {
                        h1 { (self.title) }
                        div.acts { (self.acts) }
                    }
                    (body)
                }
            }
        };
        let (nonce, scripts, brand) = (Some(seat.nonce()), self.scripts, seat.brand());
        Sheet { status, title: self.title, nonce, scripts, brand }.reply(&inner)
    }

    fn top(&self, seat: &Seat) -> Markup {
        html! {
            header.top {
                a.skip href="#main" { "To the content" }
                a.brand href=(seat.at("")) { (name_of(seat.brand())) }
                @if !seat.is_portal() {
                    span.where {
                        @if seat.is_operator() {
                            a href=(seat.at_server("accounts")) title="All accounts" { (seat.account().id) }
                        } @else { (seat.account().id) }
                    }
                }
                form.search role="search" method="get" action=(seat.at("find")) {
                    input #search type="search" name="text" aria-label="Find an id, a URL or a type" placeholder="Find an id, a URL, a type   /"
                        autocomplete="off" spellcheck="false" maxlength="200";
                }
                @if let Some(brand) = seat.brand() { (ways_out(seat, brand)) } @else {
                    a.you href="/dashboard/you" aria-current=[(self.part == Part::You).then_some("page")] { (seat.name()) }
                    form method="post" action="/dashboard/log-out" { (token(seat)) button.quiet type="submit" { "Log out" } }
                }
            }
        }
    }

    fn around(&self, seat: &Seat) -> Markup {
        let of_team = if seat.is_portal() { &[][..] } else { OF_TEAM };
        html! {
            nav.around aria-label="Pages" {
                ul {
                    @for (part, at, name, needs) in OF_ACCOUNT.iter().chain(of_team) {
                        @if seat.may(*needs) { (self.way(*part, &seat.at(at), name)) }
                    }
                }
                @if seat.is_operator() {
                    // No heading: the page's own comes first.
                    p #of-server { "Server" }
                    ul aria-labelledby="of-server" {
                        @for (part, at, name) in OF_SERVER { (self.way(*part, &seat.at_server(at), name)) }
                    }
                }
                ul {
                    @if seat.is_portal() { (self.way(Part::Docs, &seat.at("docs"), "Documentation")) } @else { li { a href="/docs" { "Guide" } } }
                }
            }
        }
    }

    /// The first words of a portal, on its first page.
    fn welcome(&self, seat: &Seat) -> Markup {
        let words = seat.brand().map(|brand| brand.welcome.as_str()).filter(|words| !words.is_empty());
        html! { @if let Some(words) = words.filter(|_| self.part == Part::Overview) { p.welcome { (words) } } }
    }

    fn way(&self, part: Part, at: &str, name: &str) -> Markup {
        html! { li { a href=(at) aria-current=[(self.part == part).then_some("page")] { (name) } } }
    }
}

/// What every form has in it.
pub fn token(seat: &Seat) -> Markup {
    html! { input type="hidden" name=(TOKEN) value=(seat.token()); }
}

/// How a guest gets help, goes back, and leaves.
fn ways_out(seat: &Seat, brand: &Brand) -> Markup {
    html! {
        @if !brand.support_url.is_empty() { a.you href=(brand.support_url) rel="noopener" target="_blank" { "Help" } }
        @if !brand.return_url.is_empty() { a.you href=(brand.return_url) rel="noopener" target="_top" { "Back" } }
        form method="post" action=(seat.at("leave")) { (token(seat)) button.quiet type="submit" { "Leave" } }
    }
}
