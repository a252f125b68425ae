//! Cookies that a reply has a browser keep, or forget.

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};

/// With this value of `Set-Cookie`, beside those that there are.
pub fn keep(reply: &mut HttpResponse, cookie: &str) {
    let cookie = HeaderValue::from_str(cookie).expect("a cookie is visible ASCII");
    reply.headers_mut().append(header::SET_COOKIE, cookie);
}
