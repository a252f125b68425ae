//! What was sent with an attempt and what came back, side by side. All of it is what others wrote: it is shown as text.

use actix_web::http::StatusCode;
use maud::{Markup, html};

use super::curl::{self, BODY_BYTES_MAX, Sent};
use crate::api::deliveries::view::AttemptView;
use crate::dashboard::links;
use crate::dashboard::parts::{copy, json};

/// Both sides of an attempt; `page` is the address of its delivery.
pub fn exchange(page: &str, attempt: &AttemptView) -> Markup {
    html! {
        div.two.exchange {
            section { h3 { "Request, as it was sent" } (request(page, attempt)) }
            section { h3 { "Response" } (response(page, attempt)) }
        }
    }
}

fn request(page: &str, attempt: &AttemptView) -> Markup {
    let body = attempt.request_body.as_ref().and_then(Option::as_ref);
    html! {
        @match &attempt.url {
            Some(url) if links::is_web(url) => p.line { code { "POST" } " " (copy::text(url)) },
            Some(url) => p.line { "A mail to " (copy::text(url.trim_start_matches("mailto:"))) },
            None => p.hint { "It was pulled, or where it went is not known any more." }
        }
        (headers(attempt.request_headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()))))
        @match body {
            Some(body) => {
                (json::json(&body.content))
                p.hint {
                    @if body.exact { "Made once more from the event: the same to the byte as what was sent." }
                    @else {
                        "Made once more from the event as it would be now. It may differ from what was sent: the webhook, its shape, a \
                         secret or its contract was changed since, or that is not known of this attempt."
                    }
                    " " a href=(raw(page, attempt, "request")) download { "Download" }
                }
            }
            None => p.hint { "What was sent cannot be made once more: its event is no longer kept, or nothing was made of it." },
        }
        @if let Some(url) = attempt.url.as_deref().filter(|url| links::is_web(url)) { (as_curl(attempt, url, body.map(|body| &*body.content))) }
    }
}

fn as_curl(attempt: &AttemptView, url: &str, body: Option<&str>) -> Markup {
    let file = file(attempt, "request");
    let headers: Vec<_> =
        attempt.request_headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
    let is_long = body.is_some_and(|body| body.len() > BODY_BYTES_MAX);
    html! {
        details.curl {
            summary { "As a curl command" }
            (copy::command(&curl::command(Sent { url, headers: &headers, body, file: &file })))
            p.hint {
                "The signature is the one of then: an endpoint that looks at its age refuses it, and a replay is signed anew."
                @if is_long { " The body is long: download it first, as " code { (file) } "." }
                @if headers.iter().any(|(_, value)| value.is_none()) { " Fill in what stands there as ***: it is not shown." }
            }
        }
    }
}

fn response(page: &str, attempt: &AttemptView) -> Markup {
    let Some(status) = attempt.status_code else {
        let why = attempt.error.as_deref().unwrap_or("nothing is known of one");
        return html! { p { "No answer came: " (why) "." } };
    };
    let phrase = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    html! {
        p.line { code { (status) } " " (phrase) }
        (headers(attempt.response_headers.iter().map(|(name, value)| (name.as_str(), Some(value.as_str())))))
        @if attempt.response_body.is_empty() { p.hint { "Its body is empty, or nothing of it was kept." } } @else {
            (json::json(&attempt.response_body))
            p.hint { "The start of it: at most 16 KiB are kept. " a href=(raw(page, attempt, "response")) download { "Download" } }
        }
    }
}

fn headers<'a>(headers: impl ExactSizeIterator<Item = (&'a str, Option<&'a str>)>) -> Markup {
    html! {
        @if headers.len() > 0 {
            div.table tabindex="0" {
                table.headers {
                    thead.visually-hidden { tr { th scope="col" { "Header" } th scope="col" { "Value" } } }
                    tbody {
                        @for (name, value) in headers {
                            tr {
                                th scope="row" { code { (name) } }
                                td.wide { @match value { Some(value) => code { (value) }, None => span.none { "not shown to you" } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Where the body of one side is kept as a file from.
fn raw(page: &str, attempt: &AttemptView, side: &str) -> String {
    format!("{page}/attempts/{}/{side}", attempt.number)
}

/// What that file is called.
pub fn file(attempt: &AttemptView, side: &str) -> String {
    format!("attempt-{}-{side}.txt", attempt.number)
}
