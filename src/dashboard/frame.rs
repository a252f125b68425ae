//! What is around every page: the head, the way around, and the headers that keep what others wrote from doing anything. No other
//! file makes a reply of a page.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use maud::{DOCTYPE, Markup, html};

use super::assets::{SCRIPT_AT, STYLE_AT};
use super::parts::mark;
use super::parts::said;
use super::posted::TOKEN;
use super::seat::Seat;
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
    Contracts,
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
                    div.heading {
                        h1 { (self.title) }
                        div.acts { (self.acts) }
                    }
                    (body)
                }
            }
        };
        reply(status, self.title, Some(seat.nonce()), self.scripts, &inner)
    }

    fn top(&self, seat: &Seat) -> Markup {
        html! {
            header.top {
                a.skip href="#main" { "To the content" }
                a.brand href=(seat.at("")) { (mark()) span { "Hookwheel" } }
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
                @if !seat.is_portal() {
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
                    h2 { "Server" }
                    ul {
                        @for (part, at, name) in OF_SERVER { (self.way(*part, &seat.at_server(at), name)) }
                    }
                }
                ul { li { a href="/docs" { "Guide" } } }
            }
        }
    }

    fn way(&self, part: Part, at: &str, name: &str) -> Markup {
        html! { li { a href=(at) aria-current=[(self.part == part).then_some("page")] { (name) } } }
    }
}

/// What every form has in it.
pub fn token(seat: &Seat) -> Markup {
    html! { input type="hidden" name=(TOKEN) value=(seat.token()); }
}

/// A page for who has no seat: to log in, or why there is nothing.
pub fn plain(status: StatusCode, title: &str, body: &Markup) -> HttpResponse {
    let inner = html! {
        main.alone #main {
            p.brand { (mark()) span { "Hookwheel" } }
            h1 { (title) }
            (body)
        }
    };
    reply(status, title, None, &[], &inner)
}

/// Without a nonce there are no scripts.
fn reply(status: StatusCode, title: &str, nonce: Option<&str>, scripts: &[&str], inner: &Markup) -> HttpResponse {
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · Hookwheel" }
                link rel="stylesheet" href=(*STYLE_AT);
                link rel="icon" href="data:,";
                @if let Some(nonce) = nonce {
                    @for script in std::iter::once(SCRIPT_AT.as_str()).chain(scripts.iter().copied()) {
                        script src=(script) nonce=(nonce) defer {}
                    }
                }
            }
            body { (inner) }
        }
    };
    let allowed = nonce.map_or_else(|| "'none'".to_owned(), |nonce| format!("'nonce-{nonce}'"));
    let policy = format!(
        "default-src 'none'; script-src {allowed}; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=()"))
        .insert_header(("cross-origin-opener-policy", "same-origin"))
        .body(whole.into_string())
}
