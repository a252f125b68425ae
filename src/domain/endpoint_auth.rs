//! How a webhook shows its endpoint who it is, beside the signature. What stays true: what lets its holder in is a `Secret`,
//! which cannot print itself; and one header says it all, which nothing else may set.

use serde::{Deserialize, Serialize};

use super::Invalid;
use super::endpoint::{check_header_name, check_header_value};
use super::oauth2::{OAuth2, basic};
use super::secret::Secret;
use super::words::words;

/// A user name or a header's name, in bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// A password, a token, a header's value or a client's secret, in bytes.
pub const SECRET_BYTES_MAX: usize = 4096;

/// The header of all but a header of one's own.
const AUTHORIZATION: &str = "Authorization";

/// How a webhook authenticates at its endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndpointAuth {
    /// With a user name and a password (RFC 7617).
    Basic {
        /// Who.
        username: String,
        /// What shows it.
        password: Secret,
    },
    /// With a token that stays the same (RFC 6750).
    Bearer {
        /// The token.
        token: Secret,
    },
    /// With a header of any name.
    Header {
        /// Its name.
        name: String,
        /// What it says.
        value: Secret,
    },
    /// With a token that is fetched, and again before it runs out.
    OAuth2(Box<OAuth2>),
}

words!(EndpointAuth {
    Self::Basic { .. } => "basic",
    Self::Bearer { .. } => "bearer",
    Self::Header { .. } => "header",
    Self::OAuth2(_) => "oauth2",
});

impl EndpointAuth {
    /// Checks the bounds. The error names the field below `auth`.
    pub fn check(&self) -> Result<(), Invalid> {
        let field = self.secret_field();
        if self.secret().reveal().is_empty() || self.secret().reveal().len() > SECRET_BYTES_MAX {
            return Err(Invalid::new(format!("auth.{field}"), format!("must be 1 to {SECRET_BYTES_MAX} bytes")));
        }
        match self {
            Self::Basic { username, password } => check_basic(username, password),
            Self::Bearer { token } if !token.reveal().bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err(Invalid::new("auth.token", "may hold visible ASCII characters only, and no spaces"))
            }
            Self::Bearer { .. } => Ok(()),
            Self::Header { name, value } => check_header(name, value),
            Self::OAuth2(oauth) => oauth.check(),
        }
    }

    /// The name of the header that it sets.
    pub fn header_name(&self) -> &str {
        if let Self::Header { name, .. } = self { name } else { AUTHORIZATION }
    }

    /// The header with its value, where that is always the same.
    pub fn fixed_header(&self) -> Option<(String, String)> {
        let value = match self {
            Self::Basic { username, password } => basic(username, password.reveal()),
            Self::Bearer { token } => format!("Bearer {}", token.reveal()),
            Self::Header { value, .. } => value.reveal().to_string(),
            Self::OAuth2(_) => return None,
        };
        Some((self.header_name().to_string(), value))
    }

    /// How tokens are granted, where they are fetched.
    pub fn oauth2(&self) -> Option<&OAuth2> {
        if let Self::OAuth2(oauth) = self { Some(oauth) } else { None }
    }

    /// What lets its holder in.
    pub fn secret(&self) -> &Secret {
        match self {
            Self::Basic { password: secret, .. }
            | Self::Bearer { token: secret }
            | Self::Header { value: secret, .. } => secret,
            Self::OAuth2(oauth) => &oauth.client_secret,
        }
    }

    /// What the API calls that.
    pub fn secret_field(&self) -> &'static str {
        match self {
            Self::Basic { .. } => "password",
            Self::Bearer { .. } => "token",
            Self::Header { .. } => "value",
            Self::OAuth2(_) => "client_secret",
        }
    }

    /// The same with the secret of what it takes the place of, which its writer need not know. So that secret goes nowhere else
    /// than before: to the same host and port of a token endpoint.
    pub fn with_secret_of(self, before: Option<&Self>) -> Result<Self, Invalid> {
        let wrong = |message: &str| Err(Invalid::new(format!("auth.{}", self.secret_field()), message));
        let Some(before) = before.filter(|before| before.word() == self.word()) else {
            return wrong("is missing: there is none to keep");
        };
        match (self.oauth2(), before.oauth2()) {
            (Some(new), Some(old)) if !new.token_url.is_at_place_of(&old.token_url) => {
                wrong("must be given again with another token_url: it would be sent there")
            }
            _ => Ok(self.with_secret(before.secret().clone())),
        }
    }

    /// The same with this secret.
    pub fn with_secret(mut self, secret: Secret) -> Self {
        match &mut self {
            Self::Basic { password: to, .. } | Self::Bearer { token: to } | Self::Header { value: to, .. } => {
                *to = secret
            }
            Self::OAuth2(oauth) => oauth.client_secret = secret,
        }
        self
    }

    /// The bytes of all its texts.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Basic { username: name, password: secret } | Self::Header { name, value: secret } => {
                name.len() + secret.reveal().len() + 4
            }
            Self::Bearer { token } => token.reveal().len() + 4,
            Self::OAuth2(oauth) => oauth.bytes() + 16,
        }
    }
}

fn check_basic(username: &str, password: &Secret) -> Result<(), Invalid> {
    let is_plain = |text: &str| !text.chars().any(char::is_control);
    if username.len() > NAME_BYTES_MAX || username.contains(':') || !is_plain(username) {
        let message = format!("must be at most {NAME_BYTES_MAX} bytes, without a colon and control characters");
        return Err(Invalid::new("auth.username", message));
    }
    match is_plain(password.reveal()) {
        true => Ok(()),
        false => Err(Invalid::new("auth.password", "may hold no control characters")),
    }
}

fn check_header(name: &str, value: &Secret) -> Result<(), Invalid> {
    if name.len() > NAME_BYTES_MAX {
        return Err(Invalid::new("auth.name", format!("is longer than {NAME_BYTES_MAX} bytes")));
    }
    check_header_name(name).map_err(|message| Invalid::new("auth.name", message))?;
    check_header_value(value.reveal()).map_err(|message| Invalid::new("auth.value", message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::endpoint::EndpointUrl;
    use crate::domain::oauth2::ClientAuth;

    fn basic_of(username: &str, password: &str) -> EndpointAuth {
        EndpointAuth::Basic { username: username.into(), password: Secret::new(password) }
    }

    fn header(name: &str, value: &str) -> EndpointAuth {
        EndpointAuth::Header { name: name.into(), value: Secret::new(value) }
    }

    fn bearer(token: &str) -> EndpointAuth {
        EndpointAuth::Bearer { token: Secret::new(token) }
    }

    fn oauth2(token_url: &str, secret: &str) -> EndpointAuth {
        EndpointAuth::OAuth2(Box::new(OAuth2 {
            token_url: EndpointUrl::parse(token_url, false).expect("a URL"),
            client_id: "c".into(),
            client_secret: Secret::new(secret),
            client_auth: ClientAuth::Basic,
            scope: None,
            audience: None,
            extra: Vec::new(),
        }))
    }

    #[test]
    fn one_header_says_it() {
        let said = |auth: EndpointAuth| auth.fixed_header().expect("it is always the same");
        assert_eq!(
            said(basic_of("Aladdin", "open sesame")),
            ("Authorization".into(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".into())
        );
        assert_eq!(said(bearer("abc")), ("Authorization".into(), "Bearer abc".into()));
        assert_eq!(said(header("X-Own", "v")), ("X-Own".into(), "v".into()));
        let fetched = oauth2("https://e.com/", "s");
        assert_eq!((fetched.fixed_header(), fetched.header_name()), (None, "Authorization"));
    }

    #[test]
    fn what_no_header_can_hold_is_refused() {
        let field = |auth: EndpointAuth| auth.check().err().map(|invalid| invalid.field);
        for good in [
            basic_of("", "p"),
            basic_of("ü", "ä:b"),
            bearer("a.b-c~+/="),
            header("X-Own", "a b"),
            oauth2("https://e.com/", "s"),
        ] {
            assert_eq!(field(good.clone()), None, "{good:?}");
        }
        let long = "x".repeat(SECRET_BYTES_MAX + 1);
        let table = [
            (basic_of("a:b", "p"), "auth.username"),
            (basic_of("a\n", "p"), "auth.username"),
            (basic_of(&"x".repeat(NAME_BYTES_MAX + 1), "p"), "auth.username"),
            (basic_of("a", "p\r\n"), "auth.password"),
            (basic_of("a", &long), "auth.password"),
            (bearer(""), "auth.token"),
            (bearer("a b"), "auth.token"),
            (header("Host", "a"), "auth.name"),
            (header("a b", "a"), "auth.name"),
            (header("Connection", "a"), "auth.name"),
            (header("X-A", "a\r\nX-B: c"), "auth.value"),
            (oauth2("https://e.com/", &long), "auth.client_secret"),
        ];
        for (bad, wanted) in table {
            assert_eq!(field(bad.clone()).as_deref(), Some(wanted), "{bad:?}");
        }
        assert_eq!(field(bearer(&long[1..])), None, "as long as it may be");
    }

    #[test]
    fn a_secret_is_kept_where_it_goes_to_the_same_place_as_before() {
        let kept = |auth: EndpointAuth, before: Option<&EndpointAuth>| {
            auth.with_secret_of(before).map(|auth| auth.secret().reveal().to_string()).map_err(|invalid| invalid.field)
        };
        assert_eq!(kept(basic_of("b", ""), Some(&basic_of("a", "hush"))), Ok("hush".into()));
        assert_eq!(kept(bearer(""), Some(&basic_of("a", "hush"))), Err("auth.token".into()), "it is of another kind");
        assert_eq!(kept(bearer(""), None), Err("auth.token".into()));
        let before = oauth2("https://e.com/a", "hush");
        assert_eq!(kept(oauth2("https://e.com/b", ""), Some(&before)), Ok("hush".into()));
        assert_eq!(kept(oauth2("https://f.com/a", ""), Some(&before)), Err("auth.client_secret".into()));
    }

    #[test]
    fn it_cannot_print_its_secret() {
        for auth in [basic_of("a", "hush"), bearer("hush"), header("X", "hush"), oauth2("https://e.com/", "hush")] {
            let said = format!("{auth:?}");
            assert!(said.contains("Secret(…)") && !said.contains("hush"), "{said}");
        }
    }
}
