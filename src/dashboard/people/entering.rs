//! What follows when somebody has come in, or is halfway in.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use maud::{Markup, html};

use super::fields::code;
use crate::api::Problem;
use crate::api::people::browser::Browser;
use crate::api::people::entering::{Begun, Entered};
use crate::dashboard::cookie::keep;
use crate::dashboard::frame::plain;
use crate::dashboard::links;
use crate::dashboard::links::see_other;
use crate::dashboard::parts::field::{Field, wrong};

/// Where the code is sent.
const CODE_AT: &str = "/dashboard/log-in/code";

/// The reply to whoever has come in, or the page that asks for a code.
pub fn entered(browser: &Browser, entered: Entered, next: Option<&str>) -> HttpResponse {
    match entered {
        Entered::In(begun) => begin(browser, &begun, next),
        Entered::Halfway(proof) => ask_code(StatusCode::OK, &proof, next, None),
    }
}

/// Sends on to where somebody wanted to go, with the cookie of the session.
pub fn begin(browser: &Browser, begun: &Begun, next: Option<&str>) -> HttpResponse {
    let mut reply = see_other(own(next));
    keep(&mut reply, &begun.cookie(browser));
    reply
}

/// A path of this server: the one that is wanted, or the beginning.
fn own(next: Option<&str>) -> &str {
    next.and_then(links::own_path).unwrap_or("/dashboard")
}

/// What a form carries along, so that one lands where one wanted to go.
pub fn next_field(next: Option<&str>) -> Markup {
    html! { @if let Some(next) = next.and_then(links::own_path) { input type="hidden" name="next" value=(next); } }
}

/// Asks for a code of the second factor.
pub fn ask_code(status: StatusCode, proof: &str, next: Option<&str>, problem: Option<&Problem>) -> HttpResponse {
    let hint = "Six digits that your app shows now; or a recovery code, which is good once.";
    let code = Field { hint, ..code("Code") };
    let body = html! {
        (wrong(problem, &["code"]))
        form method="post" action=(CODE_AT) {
            (next_field(next))
            input type="hidden" name="proof" value=(proof);
            (code.line(problem))
            div.submit { button.main type="submit" { "Log in" } a.button.quiet href="/dashboard/log-in" { "Begin again" } }
        }
        p.hint { "If app and recovery codes are lost, an owner of your account can take the second factor away." }
    };
    plain(status, "One more thing", &body)
}
