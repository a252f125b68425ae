//! How a guest comes into the portal, and leaves it. A link is good once, and two things must not clash: a frame has to log in
//! without a press, and programs that look at links (mail scanners, chat previews, prefetching browsers) must not use it up. So a
//! link is used by a `GET` that a browser says it makes to show a page or a frame, and not ahead of time: `Sec-Fetch-Mode:
//! navigate`, `Sec-Fetch-Dest: document` or `iframe`, no `Sec-Purpose`. Those headers cannot be set by a page, and programs that
//! fetch links do not send them. Whatever else asks gets a page with one button, and is none the wiser; so does a browser too old
//! to say. A scanner that drives a whole browser would use a link up; then another one is made, as when any link has ended.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use maud::html;

use crate::api::Api;
use crate::api::Problem;
use crate::api::access::auth::Any;
use crate::api::access::seats::Jar;
use crate::api::access::way::Way;
use crate::api::people::browser::Browser;
use crate::api::people::entering::{Entered, log_out};
use crate::api::people::links;
use crate::dashboard::away::Away;
use crate::dashboard::brand;
use crate::dashboard::cookie::keep;
use crate::dashboard::links::{part, see_other};
use crate::dashboard::posted::{Posted, Sent};
use crate::dashboard::sheet::plain_by;
use crate::domain::session::Guest;
use crate::domain::ticket::Errand;

use super::refused::page;

/// Comes in, or asks for a press.
#[get("/enter/{link}")]
pub async fn ask(api: web::Data<Api>, request: HttpRequest, link: web::Path<String>) -> HttpResponse {
    let came = async {
        let browser = Browser::of(&request)?;
        // Of others' links nothing is said here, as of those that never were.
        let Errand::Portal(guest) = links::look(&api, &link)?.errand else { return Err(Problem::not_found("link")) };
        if is_shown(request.headers()) { come_in(&api, &browser, &link).await } else { Ok(button(&api, &guest, &link)) }
    };
    came.await.unwrap_or_else(|problem| page(&api, &request, &problem))
}

/// Comes in by the button.
#[post("/enter/{link}")]
pub async fn enter(sent: Sent, api: web::Data<Api>, request: HttpRequest, link: web::Path<String>) -> HttpResponse {
    let came = async {
        match links::look(&api, &link)?.errand {
            Errand::Portal(_) => come_in(&api, &sent.browser, &link).await,
            _ => Err(Problem::not_found("link")),
        }
    };
    came.await.unwrap_or_else(|problem| page(&api, &request, &problem))
}

async fn come_in(api: &Api, browser: &Browser, link: &str) -> Result<HttpResponse, Problem> {
    let Entered::In(begun) = links::come_in(api, browser, link).await? else { return Err(Problem::not_found("link")) };
    // Said so that a browser that keeps no cookies in frames can be told from one whose session is over.
    let mut reply = see_other("/portal/?entered=1");
    keep(&mut reply, &begun.cookie(browser));
    reply.headers_mut().insert(header::REFERRER_POLICY, header::HeaderValue::from_static("no-referrer"));
    reply.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(reply)
}

fn button(api: &Api, guest: &Guest, link: &str) -> HttpResponse {
    let body = html! {
        p { "This link is good once. Press to use it." }
        form method="post" action={ "/portal/enter/" (part(link)) } {
            div.submit { button.main type="submit" { "Open" } }
        }
    };
    plain_by(Some(&brand::of_guest(api, guest)), StatusCode::OK, "Your webhooks", &body)
}

/// Whether a browser shows somebody what it asks for here, now.
fn is_shown(headers: &HeaderMap) -> bool {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_ahead = ["sec-purpose", "purpose", "x-purpose", "x-moz"].iter().any(|name| headers.contains_key(*name));
    said("sec-fetch-mode") == Some("navigate")
        && matches!(said("sec-fetch-dest"), Some("document" | "iframe" | "frame"))
        && !is_ahead
}

/// Ends the session.
#[post("/leave")]
pub async fn leave(posted: Posted<Any>, api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Away> {
    let brand = brand::of_request(&api, &request);
    log_out(&api, posted.seat.seated(), posted.seat.tenant()).await?;
    let body = html! {
        p { "You have left." }
        @if !brand.return_url.is_empty() { p { a.button href=(brand.return_url) rel="noopener" target="_top" { "Back" } } }
    };
    let mut reply = plain_by(Some(&brand), StatusCode::OK, "Bye", &body);
    keep(&mut reply, &Jar::Portal.set(Way::of(&request), None));
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_link_is_used_by_who_is_shown_what_is_behind_it() {
        let shown = |said: &[(&'static str, &'static str)]| {
            let request = said.iter().fold(TestRequest::default(), |request, header| request.insert_header(*header));
            is_shown(request.to_http_request().headers())
        };
        let navigates = ("sec-fetch-mode", "navigate");
        assert!(
            shown(&[navigates, ("sec-fetch-dest", "document")]) && shown(&[navigates, ("sec-fetch-dest", "iframe")])
        );
        assert!(!shown(&[]), "a program");
        assert!(!shown(&[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")]), "a picture");
        assert!(!shown(&[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")]), "a script");
        for ahead in [
            ("sec-purpose", "prefetch"),
            ("sec-purpose", "prefetch;prerender"),
            ("purpose", "prefetch"),
            ("x-moz", "prefetch"),
        ] {
            assert!(!shown(&[navigates, ("sec-fetch-dest", "document"), ahead]), "{ahead:?}");
        }
    }
}
