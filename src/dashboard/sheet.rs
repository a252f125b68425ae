//! What every page is written on: its head, and the headers that keep what others wrote from doing anything. What stays true: no
//! other file makes a reply of a page; and none may stand in a frame but a portal's, on the pages of those whom somebody named.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use maud::{DOCTYPE, Markup, html};

use super::assets::{SCRIPT_AT, STYLE_AT};
use super::brand::Brand;
use super::parts::mark;

/// A page without anything around it.
#[derive(Debug)]
pub struct Sheet<'a> {
    /// The status.
    pub status: StatusCode,
    /// What the tab says.
    pub title: &'a str,
    /// What allows its scripts; without it there are none.
    pub nonce: Option<&'a str>,
    /// Scripts beside the one that is on every page: their addresses.
    pub scripts: &'a [&'a str],
    /// How it looks in a portal.
    pub brand: Option<&'a Brand>,
}

/// A page for who has no seat: to log in, or why there is nothing.
pub fn plain(status: StatusCode, title: &str, body: &Markup) -> HttpResponse {
    plain_by(None, status, title, body)
}

/// The same, in a portal.
pub fn plain_by(brand: Option<&Brand>, status: StatusCode, title: &str, body: &Markup) -> HttpResponse {
    let inner = html! {
        main.alone #main {
            p.brand { (name_of(brand)) }
            h1 { (title) }
            (body)
        }
    };
    Sheet { status, title, nonce: None, scripts: &[], brand }.reply(&inner)
}

/// Whose pages they are: the mark and the name, or what a portal has in their place.
pub fn name_of(brand: Option<&Brand>) -> Markup {
    html! {
        @match brand {
            Some(brand) => {
                @if let Some(logo) = &brand.logo_at { img.logo src=(logo) alt="" height="28"; }
                span { (brand.title) }
            }
            None => { (mark()) span { "Hookwheel" } }
        }
    }
}

impl Sheet<'_> {
    /// The reply.
    pub fn reply(&self, inner: &Markup) -> HttpResponse {
        let mut reply = HttpResponse::build(self.status);
        reply
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CONTENT_SECURITY_POLICY, self.policy()))
            .insert_header((header::REFERRER_POLICY, "same-origin"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header(("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=()"))
            .insert_header(("cross-origin-opener-policy", "same-origin"));
        // What a page with COEP may frame must say so.
        let is_framed = self.brand.is_some_and(|brand| !brand.origins.is_empty());
        reply.insert_header(("cross-origin-resource-policy", if is_framed { "cross-origin" } else { "same-origin" }));
        if is_framed {
            reply.insert_header(("cross-origin-embedder-policy", "require-corp"));
        }
        reply.body(self.whole(inner).into_string())
    }

    fn whole(&self, inner: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    title { (self.title) " · " (self.brand.map_or("Hookwheel", |brand| brand.title.as_str())) }
                    link rel="stylesheet" href=(*STYLE_AT);
                    @if let Some(style) = self.brand.and_then(|brand| brand.style_at.as_ref()) { link rel="stylesheet" href=(style); }
                    link rel="icon" href="data:,";
                    @if let Some(nonce) = self.nonce {
                        @for script in std::iter::once(SCRIPT_AT.as_str()).chain(self.scripts.iter().copied()) {
                            script src=(script) nonce=(nonce) defer {}
                        }
                    }
                }
                body { (inner) }
            }
        }
    }

    fn policy(&self) -> String {
        let scripts = self.nonce.map_or_else(|| "'none'".to_owned(), |nonce| format!("'nonce-{nonce}'"));
        let framed_by = self.brand.map(|brand| brand.origins.join(" ")).filter(|origins| !origins.is_empty());
        format!(
            "default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors {}",
            framed_by.as_deref().unwrap_or("'none'")
        )
    }
}
