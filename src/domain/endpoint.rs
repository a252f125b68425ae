//! Where deliveries go, as its webhook says: a URL that can be dialled at all, and the headers that are sent along. What stays
//! true: nothing that people set here replaces what Hookwheel sends, steers the connection or splits a request.

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::Invalid;
use super::mail;
use super::names::is_host_name;

/// A URL, in bytes.
pub const URL_BYTES_MAX: usize = 2048;
/// Custom headers of one webhook.
pub const HEADERS_MAX: usize = 20;
/// Names and values of all custom headers of one webhook together.
pub const HEADERS_BYTES_MAX: usize = 4096;
/// What is kept in place of a value that nobody may see.
pub const MASK: &str = "***";
/// The header of every request that goes out: who gets one back from itself has a loop.
pub const HOP_HEADER: &str = "hookwheel-hop";

/// Which URLs a webhook may be given, beside `https://`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schemes {
    /// `http://`.
    pub http: bool,
    /// `mailto:`.
    pub mail: Mail,
}

/// Whether a webhook may be given a `mailto:` URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mail {
    /// It may.
    Allowed,
    /// There is no mail server to hand it to.
    NoServer,
    /// Only the operator may: mail goes out in the operator's name, to whomever the URL names.
    OperatorOnly,
}

/// A URL that deliveries can be sent to: `https://` (or `http://` where that is allowed), with a host, without user
/// name, password or fragment; or `mailto:` with addresses, for notices. Which *address* may be dialled is decided when it is
/// dialled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointUrl(String);

impl EndpointUrl {
    /// Reads and checks the URL of a webhook.
    pub fn of_webhook(text: &str, schemes: Schemes) -> Result<Self, Invalid> {
        let Some(addresses) = text.get(..mail::SCHEME.len()).filter(|start| start.eq_ignore_ascii_case(mail::SCHEME))
        else {
            return Self::parse(text, schemes.http);
        };
        let wrong = |message: &str| Err(Invalid::new("url", message));
        match schemes.mail {
            Mail::Allowed if text.len() > URL_BYTES_MAX => wrong("is longer than 2048 bytes"),
            Mail::Allowed => Ok(Self(format!("{}{}", mail::SCHEME, mail::vet(&text[addresses.len()..])?))),
            Mail::NoServer => wrong("cannot be mailto:, since this server has no [smtp] host to hand mail to"),
            Mail::OperatorOnly => wrong(
                "can be mailto: only with an admin key or in the account operator, unless [smtp] accounts is true",
            ),
        }
    }

    /// Whether it is `mailto:`.
    pub fn is_mail(&self) -> bool {
        self.0.starts_with(mail::SCHEME)
    }

    /// The addresses of a `mailto:` URL; none of another.
    pub fn recipients(&self) -> impl Iterator<Item = &str> {
        self.0.strip_prefix(mail::SCHEME).into_iter().flat_map(|addresses| addresses.split(','))
    }

    /// Where it leads, for those who need not know more: what its path and query hold may be a secret, as with the incoming
    /// webhooks of chats.
    pub fn place(&self) -> String {
        place_of(&self.0)
    }

    /// Reads and checks a URL that is dialled. `http_allowed` opens `http://`.
    pub fn parse(text: &str, http_allowed: bool) -> Result<Self, Invalid> {
        let wrong = |message: &str| Invalid::new("url", message.to_string());
        if text.len() > URL_BYTES_MAX {
            return Err(wrong("is longer than 2048 bytes"));
        }
        let url = Url::parse(text)
            .map_err(|error| wrong(&format!("is not a URL ({error}); write it like https://example.com/webhooks")))?;
        match url.scheme() {
            "https" => {}
            "http" if http_allowed => {}
            "http" => return Err(wrong("must be https://; http:// is allowed with --dev or [deliver] http_allowed")),
            _ => return Err(wrong("must start with https://")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("must not hold a user name or password; use a custom header"));
        }
        if url.fragment().is_some() {
            return Err(wrong("must not have a fragment (#…): it is never sent"));
        }
        match url.host() {
            None => Err(wrong("has no host")),
            Some(Host::Domain("")) => Err(wrong("has no host")),
            Some(Host::Domain(name)) if !is_host_name(name) => Err(wrong(
                "has no host name: that is made of letters, digits, hyphens and underscores, 1 to 63 between two dots",
            )),
            Some(_) if url.port() == Some(0) => Err(wrong("must not name port 0: nobody can listen there")),
            Some(_) => Ok(Self(url.into())),
        }
    }

    /// In the place of the URL of a webhook whose deliveries are pulled: it leads nowhere, and no request can have it.
    pub fn nowhere() -> Self {
        Self("pull:".into())
    }

    /// Whether it leads to the same host and port as another.
    pub fn is_at_place_of(&self, other: &Self) -> bool {
        let place = |url: &Self| {
            let url = url.parts();
            (url.host_str().map(str::to_string), url.port_or_known_default())
        };
        place(self) == place(other)
    }

    /// The URL, normalised.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same with more behind its `?`.
    pub fn with_query(&self, more: &[(String, String)]) -> Self {
        if more.is_empty() {
            return self.clone();
        }
        let mut url = self.parts();
        url.query_pairs_mut().extend_pairs(more);
        Self(url.into())
    }

    /// Its parts.
    pub fn parts(&self) -> Url {
        Url::parse(&self.0).expect("it was read from a URL's own text")
    }
}

/// Checks custom headers: names are tokens, values visible ASCII; none that HTTP, Hookwheel or the dialect sets itself, and
/// none that says how the connection or the message is to be treated on its way.
pub fn check_headers(headers: &[(String, String)]) -> Result<(), Invalid> {
    if headers.len() > HEADERS_MAX {
        return Err(Invalid::new("headers", format!("has more than {HEADERS_MAX} headers")));
    }
    if headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > HEADERS_BYTES_MAX {
        return Err(Invalid::new("headers", format!("is longer than {HEADERS_BYTES_MAX} bytes in all")));
    }
    for (name, value) in headers {
        let checked = check_header_name(name).and_then(|()| check_header_value(value));
        checked.map_err(|message| Invalid::new(format!("headers.{name}"), message))?;
    }
    Ok(())
}

/// Whether people may set a header of this name; an error says why not.
pub fn check_header_name(name: &str) -> Result<(), &'static str> {
    const OURS: [&str; 5] = ["host", "content-length", "content-type", "user-agent", HOP_HEADER];
    const STEERING: [&str; 8] =
        ["connection", "expect", "http2-settings", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let lower = name.to_ascii_lowercase();
    if name.is_empty() || !name.bytes().all(token) {
        return Err("is not a header name");
    }
    if OURS.contains(&&*lower) {
        return Err("is set by Hookwheel and cannot be replaced");
    }
    if STEERING.contains(&&*lower) || lower.starts_with("proxy-") {
        return Err("is about the connection, which is Hookwheel's, and not about the delivery");
    }
    Ok(())
}

/// Whether a header can have this value; an error says why not.
pub fn check_header_value(value: &str) -> Result<(), &'static str> {
    match value.bytes().all(|b| (0x20..0x7f).contains(&b) || b == b'\t') {
        true => Ok(()),
        false => Err("may hold visible ASCII characters only"),
    }
}

/// Whether a custom header of this name is likely to let its holder in, so that its value is not kept with attempts, and is
/// shown only to who may change it.
pub fn is_credential(name: &str) -> bool {
    const PARTS: [&str; 12] = [
        "token",
        "secret",
        "password",
        "passwd",
        "passphrase",
        "apikey",
        "auth",
        "bearer",
        "cookie",
        "credential",
        "jwt",
        "session",
    ];
    // Who wrote something is told by no credential; what is authorized is.
    let name = name.to_ascii_lowercase().replace("authori", "auth").replace("author", "");
    let is_key = name == "key" || name.ends_with("-key") || name.ends_with("_key");
    is_key && name != "idempotency-key" || PARTS.iter().any(|part| name.contains(part))
}

/// The same of a URL that a webhook has or had.
pub fn place_of(url: &str) -> String {
    match Url::parse(url) {
        Ok(parts) if parts.cannot_be_a_base() => url.to_string(),
        Ok(parts) if parts.path() == "/" && parts.query().is_none() => url.to_string(),
        Ok(parts) => format!("{}/{MASK}", parts.origin().ascii_serialization()),
        Err(_) => MASK.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_vetted() {
        assert_eq!(EndpointUrl::parse("https://Example.com/hook", false).unwrap().as_str(), "https://example.com/hook");
        assert!(EndpointUrl::parse("http://example.com/", true).is_ok());
        for bad in [
            "",
            "example.com",
            "http://example.com",
            "ftp://example.com",
            "https://a:b@example.com",
            "https://a@example.com",
            "https://:b@example.com",
            "https://*.example.com",
            "https://example.com:0",
            "https://e.com/#x",
            "https://",
        ] {
            assert_eq!(EndpointUrl::parse(bad, false).unwrap_err().field, "url", "{bad}");
        }
    }

    #[test]
    fn what_is_as_large_as_it_may_be_is_taken() {
        let url = |bytes: usize| EndpointUrl::parse(&format!("https://e.com/{}", "x".repeat(bytes - 14)), false);
        assert!(url(URL_BYTES_MAX).is_ok() && url(URL_BYTES_MAX + 1).is_err());
        let headers = |count: usize| (0..count).map(|n| (format!("x-{n}"), String::new())).collect::<Vec<_>>();
        assert!(check_headers(&headers(HEADERS_MAX)).is_ok() && check_headers(&headers(HEADERS_MAX + 1)).is_err());
        let long = |bytes: usize| check_headers(&[("x-a".into(), "1".repeat(bytes - 4)), ("x".into(), String::new())]);
        assert!(long(HEADERS_BYTES_MAX).is_ok() && long(HEADERS_BYTES_MAX + 1).is_err());
    }

    #[test]
    fn who_may_not_use_http_is_told_how_to_allow_it() {
        let refused = |url: &str| EndpointUrl::parse(url, false).unwrap_err().message;
        assert!(refused("http://example.com/").contains("http_allowed"));
        assert!(!refused("ftp://example.com/").contains("http_allowed"));
    }

    #[test]
    fn headers_that_let_their_holder_in_are_known_by_their_names() {
        for name in
            ["Authorization", "Cookie", "X-Api-Key", "x-functions-key", "X-Auth", "X-Shop-Token", "client_secret"]
        {
            assert!(is_credential(name), "{name}");
        }
        let more = ["Key", "api_key", "X-ApiKey", "Set-Cookie", "X-Session-Id", "X-JWT", "X-Bearer", "X-Author-Token"];
        for name in more.into_iter().chain(["X-Passwd", "X-Credentials", "X-Authority"]) {
            assert!(is_credential(name), "{name}");
        }
        for name in ["X-Team", "webhook-signature", "Idempotency-Key", "X-Keyboard", "webhook-id", "X-Author", "X-Keys"]
        {
            assert!(!is_credential(name), "{name}");
        }
    }

    #[test]
    fn custom_headers_cannot_split_a_request_or_replace_ours() {
        let check = |name: &str, value: &str| check_headers(&[(name.to_string(), value.to_string())]);
        assert!(check("X-Team", "blue").is_ok());
        for (name, value) in
            [("X", "a\r\nEvil: 1"), ("Content-Type", "text/plain"), ("a b", "c"), ("", "x"), ("X", "ä")]
        {
            assert!(check(name, value).is_err(), "{name}: {value}");
        }
        assert!(check("Connection", "close").is_err() && check("Proxy-Authorization", "x").is_err());
    }

    #[test]
    fn mail_is_for_those_who_may_send_it() {
        let read = |text: &str, mail| EndpointUrl::of_webhook(text, Schemes { http: false, mail });
        let url = read("MailTo:a@X.y,b@x.y", Mail::Allowed).unwrap();
        assert_eq!((url.as_str(), url.is_mail(), url.place()), ("mailto:a@x.y,b@x.y", true, url.as_str().to_string()));
        assert_eq!(url.recipients().collect::<Vec<_>>(), ["a@x.y", "b@x.y"]);
        assert!(read("mailto:a@x.y", Mail::NoServer).unwrap_err().message.contains("[smtp]"));
        assert!(read("mailto:a@x.y", Mail::OperatorOnly).unwrap_err().message.contains("admin key"));
        assert!(EndpointUrl::parse("mailto:a@x.y", true).is_err(), "it is no URL to be dialled");
        let dialled = read("https://x.y/z", Mail::NoServer).unwrap();
        assert!(!dialled.is_mail() && dialled.recipients().next().is_none());
    }

    #[test]
    fn where_it_leads_tells_no_secret() {
        let place = |text: &str| EndpointUrl::parse(text, true).unwrap().place();
        assert_eq!(place("https://hooks.slack.com/services/T0/B0/secret"), "https://hooks.slack.com/***");
        assert_eq!(place("https://e.com:8443/?token=secret"), "https://e.com:8443/***");
        assert_eq!(place("http://e.com"), "http://e.com/");
    }

    #[test]
    fn a_query_is_added_to_the_one_there_is() {
        let with = |url: &str, more: &[(&str, &str)]| {
            let more: Vec<_> = more.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            EndpointUrl::parse(url, false).unwrap().with_query(&more).as_str().to_string()
        };
        assert_eq!(with("https://e.com/a", &[]), "https://e.com/a");
        assert_eq!(with("https://e.com/a", &[("hub.mode", "x y"), ("b", "&")]), "https://e.com/a?hub.mode=x+y&b=%26");
        assert_eq!(with("https://e.com/?c=1", &[("b", "2")]), "https://e.com/?c=1&b=2");
    }

    #[test]
    fn a_place_is_a_host_and_a_port() {
        let url = |text: &str| EndpointUrl::parse(text, true).expect("a URL");
        let here = url("https://e.com/a");
        assert!(here.is_at_place_of(&url("https://e.com:443/b?c")));
        for elsewhere in ["https://e.com:444/a", "http://e.com/a", "https://f.com/a"] {
            assert!(!here.is_at_place_of(&url(elsewhere)), "{elsewhere}");
        }
    }
}
