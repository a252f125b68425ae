//! Access tokens by client credentials (RFC 6749, 4.4): what is asked of a token endpoint, and what its answer means. Pure. What
//! stays true: an answer is never repeated but for the words of an error, and those never where they hold the secret.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::form_urlencoded;

use super::Invalid;
use super::endpoint::EndpointUrl;
use super::secret::Secret;
use super::words::words;

/// A client id, in bytes.
pub const CLIENT_ID_BYTES_MAX: usize = 512;
/// A scope or an audience, in bytes.
pub const SCOPE_BYTES_MAX: usize = 1024;
/// Parameters beside those of the standard.
pub const EXTRA_MAX: usize = 8;
/// Names and values of all of them together, in bytes.
pub const EXTRA_BYTES_MAX: usize = 2048;
/// An access token, in bytes: it is a header's value, and many servers take 8 KiB of headers.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// How long a token holds whose answer does not say, in seconds.
pub const LIFETIME_SECONDS_DEFAULT: u64 = 300;
/// A token is used no more so long before it runs out, or from half of its lifetime on, where that is later.
const MARGIN_MS: u64 = 30_000;
/// What is told of the words that go with an error, in characters.
const DESCRIPTION_CHARS_MAX: usize = 200;
/// The code of an error, in bytes.
const ERROR_BYTES_MAX: usize = 64;

/// How tokens for one webhook are granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OAuth2 {
    /// Who gives them.
    pub token_url: EndpointUrl,
    /// Who asks.
    pub client_id: String,
    /// What shows that it is them.
    pub client_secret: Secret,
    /// How both are shown.
    pub client_auth: ClientAuth,
    /// For what, in words with spaces between.
    pub scope: Option<String>,
    /// For whom.
    pub audience: Option<String>,
    /// Parameters beside these; ascending.
    pub extra: Vec<(String, String)>,
}

/// How a client shows its token endpoint who it is (RFC 6749, 2.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientAuth {
    /// In the header `Authorization`.
    #[default]
    Basic,
    /// Among the parameters.
    Body,
}

words!(ClientAuth {
    Self::Basic => "basic",
    Self::Body => "body",
});

impl ClientAuth {
    /// The way of this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Basic, Self::Body].into_iter().find(|way| way.word() == word)
    }
}

/// A token, and how long it holds from when it was given.
#[derive(Debug, PartialEq, Eq)]
pub struct Granted {
    /// Visible ASCII, 1 to [`TOKEN_BYTES_MAX`] bytes.
    pub token: Secret,
    /// In milliseconds.
    pub lifetime_ms: u64,
}

impl Granted {
    /// For how long it is used: a request is on its way for a while, and clocks differ.
    pub fn used_ms(&self) -> u64 {
        self.lifetime_ms - MARGIN_MS.min(self.lifetime_ms / 2)
    }
}

impl OAuth2 {
    /// Checks the bounds of all but the URL and the secret's length. The error names the field below `auth`.
    pub fn check(&self) -> Result<(), Invalid> {
        let wrong = |field: &str, message: String| Err(Invalid::new(format!("auth.{field}"), message));
        if !is_visible(&self.client_id, CLIENT_ID_BYTES_MAX) {
            return wrong("client_id", format!("must be 1 to {CLIENT_ID_BYTES_MAX} visible ASCII characters"));
        }
        if !is_visible(self.client_secret.reveal(), usize::MAX) {
            return wrong("client_secret", "may hold visible ASCII characters only".into());
        }
        for (field, text) in [("scope", &self.scope), ("audience", &self.audience)] {
            if text.as_ref().is_some_and(|text| !is_visible(text, SCOPE_BYTES_MAX)) {
                return wrong(field, format!("must be 1 to {SCOPE_BYTES_MAX} visible ASCII characters"));
            }
        }
        self.check_extra()
    }

    fn check_extra(&self) -> Result<(), Invalid> {
        const OURS: [&str; 5] = ["grant_type", "client_id", "client_secret", "scope", "audience"];
        let wrong = |message: String| Err(Invalid::new("auth.extra", message));
        if self.extra.len() > EXTRA_MAX {
            return wrong(format!("has more than {EXTRA_MAX} parameters"));
        }
        if self.extra.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > EXTRA_BYTES_MAX {
            return wrong(format!("is longer than {EXTRA_BYTES_MAX} bytes in all"));
        }
        for (name, value) in &self.extra {
            let wrong = |message: &str| Err(Invalid::new(format!("auth.extra.{name}"), message));
            if OURS.contains(&&**name) {
                return wrong("is a parameter that Hookwheel sets; scope and audience stand beside extra");
            }
            if name.is_empty() || name.chars().chain(value.chars()).any(char::is_control) {
                return wrong("must have a name, and no control characters");
            }
        }
        Ok(())
    }

    /// The bytes of all its texts.
    pub fn bytes(&self) -> usize {
        let optional: usize = [&self.scope, &self.audience].into_iter().flatten().map(String::len).sum();
        let extra: usize = self.extra.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let client = self.client_id.len() + self.client_secret.reveal().len();
        self.token_url.as_str().len() + client + optional + extra
    }

    /// The parameters, as a form.
    pub fn form(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        let optional = [("scope", &self.scope), ("audience", &self.audience)];
        for (name, value) in optional.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            form.append_pair(name, value);
        }
        form.extend_pairs(&self.extra);
        if self.client_auth == ClientAuth::Body {
            form.append_pair("client_id", &self.client_id);
            form.append_pair("client_secret", self.client_secret.reveal());
        }
        form.finish()
    }

    /// The value of `Authorization`, where the client shows itself there: both parts are encoded as in a form first.
    pub fn authorization(&self) -> Option<String> {
        let of = || basic(&encoded(&self.client_id), &encoded(self.client_secret.reveal()));
        (self.client_auth == ClientAuth::Basic).then(of)
    }

    /// Reads an answer of the token endpoint. An error is a sentence that goes on from its name.
    pub fn read(&self, status: u16, body: &[u8]) -> Result<Granted, String> {
        let answered = |what: &str| format!("the token endpoint answered {status}{what}");
        if !(200..300).contains(&status) {
            return Err(answered(&self.reason(body).map_or(String::new(), |why| format!(": {why}"))));
        }
        let answer: Answer =
            serde_json::from_slice(body).map_err(|_| answered(" with no JSON object that could be read"))?;
        let Some(token) = answer.access_token else { return Err(answered(" without an access_token")) };
        if answer.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err(answered(" with a token that is no bearer token"));
        }
        let text = token.reveal();
        if text.is_empty() || text.len() > TOKEN_BYTES_MAX {
            return Err(answered(&format!(" with a token that has not 1 to {TOKEN_BYTES_MAX} bytes")));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(answered(" with a token that no header can hold"));
        }
        Ok(Granted { token, lifetime_ms: lifetime_seconds(answer.expires_in).saturating_mul(1000) })
    }

    /// What an error says (RFC 6749, 5.2).
    fn reason(&self, body: &[u8]) -> Option<String> {
        let refusal: Refusal = serde_json::from_slice(body).ok()?;
        let is_code = |code: &String| !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_graphic());
        let code =
            refusal.error.filter(|code| is_code(code) && code.len() <= ERROR_BYTES_MAX && !self.is_told_by(code))?;
        let description = refusal.error_description.filter(|text| !self.is_told_by(text));
        let Some(description) = description else { return Some(code) };
        let plain = description.chars().map(|c| if c.is_control() { ' ' } else { c });
        Some(format!("{code} ({})", plain.take(DESCRIPTION_CHARS_MAX).collect::<String>()))
    }

    /// Whether a text holds the secret, in any way in which it was sent.
    fn is_told_by(&self, text: &str) -> bool {
        let secret = self.client_secret.reveal();
        let sent =
            [secret.to_string(), encoded(secret), self.authorization().unwrap_or_default().replacen("Basic ", "", 1)];
        sent.iter().any(|form| !form.is_empty() && text.contains(form))
    }
}

/// The value of `Authorization` for a user name and a password (RFC 7617).
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn is_visible(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// Some write the number as a text.
fn lifetime_seconds(expires_in: Option<Value>) -> u64 {
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    // What is below 0 or beyond all numbers becomes the nearest that there is.
    expires_in.as_ref().and_then(number).map_or(LIFETIME_SECONDS_DEFAULT, |seconds| seconds as u64)
}

/// What is read of an answer that grants a token.
#[derive(Deserialize)]
struct Answer {
    access_token: Option<Secret>,
    token_type: Option<String>,
    expires_in: Option<Value>,
}

/// What is read of one that does not.
#[derive(Deserialize)]
struct Refusal {
    error: Option<String>,
    error_description: Option<String>,
}

impl fmt::Display for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oauth(client_auth: ClientAuth) -> OAuth2 {
        OAuth2 {
            token_url: EndpointUrl::parse("https://id.example.com/token", false).expect("a URL"),
            client_id: "a client".into(),
            client_secret: Secret::new("p:w&d"),
            client_auth,
            scope: Some("hooks read".into()),
            audience: None,
            extra: vec![("resource".into(), "https://a.example/?x".into())],
        }
    }

    fn told(status: u16, body: &str) -> String {
        oauth(ClientAuth::Basic).read(status, body.as_bytes()).expect_err("it grants nothing")
    }

    fn lifetime(expires_in: &str) -> u64 {
        let body = format!("{{\"access_token\":\"t\",\"token_type\":\"BEARER\"{expires_in}}}");
        oauth(ClientAuth::Body).read(200, body.as_bytes()).expect("a token").lifetime_ms
    }

    #[test]
    fn a_client_shows_itself_in_one_of_two_places_and_never_in_both() {
        let form = "grant_type=client_credentials&scope=hooks+read&resource=https%3A%2F%2Fa.example%2F%3Fx";
        let basic = oauth(ClientAuth::Basic);
        assert_eq!(basic.form(), form);
        assert_eq!(
            basic.authorization().expect("a header"),
            format!("Basic {}", BASE64_STANDARD.encode("a+client:p%3Aw%26d"))
        );
        let body = oauth(ClientAuth::Body);
        assert_eq!(body.form(), format!("{form}&client_id=a+client&client_secret=p%3Aw%26d"));
        assert_eq!(body.authorization(), None);
    }

    #[test]
    fn a_token_holds_as_long_as_it_says_or_five_minutes() {
        let table = [
            ("", 300_000),
            (",\"expires_in\":60", 60_000),
            (",\"expires_in\":\"3599\"", 3_599_000),
            (",\"expires_in\":59.9", 59_000),
            (",\"expires_in\":0", 0),
            (",\"expires_in\":-5", 0),
            (",\"expires_in\":1e300", u64::MAX),
            (",\"expires_in\":null,\"refresh_token\":7", 300_000),
        ];
        for (expires_in, wanted) in table {
            assert_eq!(lifetime(expires_in), wanted, "{expires_in}");
        }
    }

    #[test]
    fn it_is_used_until_half_a_minute_before_or_for_half_of_its_time() {
        let used = |lifetime_ms| Granted { token: Secret::new("t"), lifetime_ms }.used_ms();
        assert_eq!([0, 2_000, 60_000, 100_000].map(used), [0, 1_000, 30_000, 70_000]);
    }

    #[test]
    fn what_grants_nothing_says_why() {
        let long = format!("{{\"access_token\":\"{}\"}}", "x".repeat(TOKEN_BYTES_MAX + 1));
        let table = [
            (400, r#"{"error":"invalid_client"}"#, "answered 400: invalid_client"),
            (
                401,
                r#"{"error":"invalid_client","error_description":"no\nsuch"}"#,
                "answered 401: invalid_client (no such)",
            ),
            (503, "<html>", "answered 503"),
            (400, r#"{"error":"a b"}"#, "answered 400"),
            (302, "", "answered 302"),
            (200, "t", "answered 200 with no JSON object that could be read"),
            (200, "{}", "answered 200 without an access_token"),
            (200, r#"{"access_token":""}"#, "answered 200 with a token that has not 1 to 8192 bytes"),
            (200, r#"{"access_token":"a b"}"#, "answered 200 with a token that no header can hold"),
            (200, r#"{"access_token":"t","token_type":"mac"}"#, "answered 200 with a token that is no bearer token"),
            (200, &long, "answered 200 with a token that has not 1 to 8192 bytes"),
        ];
        for (status, body, wanted) in table {
            assert_eq!(told(status, body), format!("the token endpoint {wanted}"));
        }
    }

    #[test]
    fn an_error_that_repeats_the_secret_is_not_repeated() {
        let shown = BASE64_STANDARD.encode("a+client:p%3Aw%26d");
        for echo in ["you sent p:w&d", "you sent p%3Aw%26d", &shown] {
            let body = serde_json::json!({"error": "invalid_client", "error_description": echo}).to_string();
            assert_eq!(told(400, &body), "the token endpoint answered 400: invalid_client", "{echo}");
        }
        assert_eq!(told(400, r#"{"error":"p:w&d"}"#), "the token endpoint answered 400");
    }

    #[test]
    fn what_is_as_large_as_it_may_be_is_taken() {
        let with = |change: &dyn Fn(&mut OAuth2)| {
            let mut oauth = oauth(ClientAuth::Basic);
            change(&mut oauth);
            oauth.check().err().map(|invalid| invalid.field)
        };
        let wrong = |field: &str| Some(format!("auth.{field}"));
        assert_eq!(with(&|_| {}), None);
        assert_eq!(with(&|one| one.client_id = "x".repeat(CLIENT_ID_BYTES_MAX)), None);
        assert_eq!(with(&|one| one.client_id = "x".repeat(CLIENT_ID_BYTES_MAX + 1)), wrong("client_id"));
        assert_eq!(with(&|one| one.client_secret = Secret::new("ä")), wrong("client_secret"));
        assert_eq!(with(&|one| one.scope = Some("x".repeat(SCOPE_BYTES_MAX))), None);
        assert_eq!(with(&|one| one.scope = Some("x".repeat(SCOPE_BYTES_MAX + 1))), wrong("scope"));
        assert_eq!(with(&|one| one.audience = Some(String::new())), wrong("audience"));
        let many = |count: usize| (0..count).map(|n| (format!("p{n}"), String::new())).collect();
        assert_eq!(with(&|one| one.extra = many(EXTRA_MAX)), None);
        assert_eq!(with(&|one| one.extra = many(EXTRA_MAX + 1)), wrong("extra"));
        let long = |bytes: usize| vec![("p".into(), "x".repeat(bytes - 1))];
        assert_eq!(with(&|one| one.extra = long(EXTRA_BYTES_MAX)), None);
        assert_eq!(with(&|one| one.extra = long(EXTRA_BYTES_MAX + 1)), wrong("extra"));
        assert_eq!(with(&|one| one.extra = vec![("scope".into(), "x".into())]), wrong("extra.scope"));
        assert_eq!(oauth(ClientAuth::Basic).bytes(), 28 + 8 + 5 + 10 + (8 + 20 + 4));
    }
}
