//! Addresses of pages. What stays true: no other file writes one by hand, and what others wrote gets into them only as what it is, a
//! part of a path or a value of a query.

use std::fmt::Write;

use actix_web::HttpResponse;
use actix_web::http::header;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands for itself in a part of a path.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One part of a path, such as an id.
pub fn part(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}

/// A path with a query; what is `None` or empty is left out.
pub fn with_query<'a>(path: &str, query: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let mut address = path.to_owned();
    let mut sign = if path.contains('?') { '&' } else { '?' };
    for (name, value) in query {
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        write!(address, "{sign}{}={}", part(name), part(value)).expect("a text takes all");
        sign = '&';
    }
    address
}

/// The address of a page of an account in the dashboard, such as `webhooks/…`.
pub fn of_account(id: &str, page: &str) -> String {
    format!("/dashboard/@{}/{page}", part(id))
}

/// What an address says of a name in its query; none if that is empty.
pub fn value(asked: &str, name: &str) -> Option<String> {
    let (_, query) = asked.split_once('?')?;
    let mut values = url::form_urlencoded::parse(query.as_bytes()).filter(|(known, _)| known == name);
    values.next().map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// The same address with other values of some names: without those that have none.
pub fn changed(asked: &str, changes: &[(&str, Option<&str>)]) -> String {
    let (path, query) = asked.split_once('?').unwrap_or((asked, ""));
    let kept: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let kept = kept.iter().map(|(name, value)| (name.as_str(), Some(value.as_str())));
    with_query(path, kept.chain(changes.iter().copied()))
}

/// Sends on to another page.
pub fn see_other(address: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, address)).finish()
}

/// The documentation of a contract.
pub fn docs_of(dialect: &str) -> String {
    format!("/docs/webhooks/{}", part(dialect))
}

/// Whether it is an address that may be a link: others may have written it.
pub fn is_web(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// A path of this server that one may be sent on to; anything else is nowhere.
pub fn own_path(text: &str) -> Option<&str> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_own = text.starts_with("/dashboard") || text.starts_with("/portal") || text.starts_with("/docs");
    (is_plain && is_own).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_one_value() {
        let address =
            with_query("/dashboard/@a/webhooks", [("text", Some("a&b=c d\"<é")), ("type", None), ("x", Some(""))]);
        assert_eq!(address, "/dashboard/@a/webhooks?text=a%26b%3Dc%20d%22%3C%C3%A9");
        assert_eq!(changed(&address, &[("text", None), ("page", Some("2"))]), "/dashboard/@a/webhooks?page=2");
        assert_eq!(changed("/x?a=1&b=2", &[("a", Some("3"))]), "/x?b=2&a=3");
        assert_eq!((value(&address, "text").as_deref(), value(&address, "x")), (Some("a&b=c d\"<é"), None));
        assert_eq!(of_account("a b", "webhooks"), "/dashboard/@a%20b/webhooks");
    }

    #[test]
    fn one_is_sent_on_within_the_server_only() {
        assert_eq!(own_path("/dashboard/@a/webhooks?x=1"), Some("/dashboard/@a/webhooks?x=1"));
        for bad in
            ["//evil.example", "https://evil.example/dashboard", "/\\evil", "/dash", "/dashboard\r\nx", "javascript:1"]
        {
            assert_eq!(own_path(bad), None, "{bad}");
        }
        assert!(is_web("https://a.example/x") && !is_web("javascript:alert(1)") && !is_web("data:text/html,x"));
    }
}
