//! What a request says of how a webhook authenticates at its endpoint, and how that is shown. What stays true: a secret is read
//! and never shown; it is kept only for who sends back what was shown, and goes only where it went before; and a field that belongs to another way is refused, so
//! nobody thinks that it counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::http::setting::Change;
use crate::api::masking::own_headers;
use crate::api::openapi::words::{AuthType, ClientAuthWay};
use crate::dialect::Dialect;
use crate::domain::Invalid;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::endpoint_auth::EndpointAuth;
use crate::domain::oauth2::{ClientAuth, OAuth2};
use crate::domain::secret::Secret;
use crate::domain::webhook::Webhook;

/// How a webhook authenticates at its endpoint, beside its signature. It is changed as a whole; only its secret stays where it is
/// left out, or `true` as it is shown, and the type and the place of the token endpoint stay the same.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuthChange)]
pub struct AuthInput {
    /// Which of the other fields belong to it: `basic` has `username` and `password`; `bearer` has `token`; `header` has `name`
    /// and `value`; `oauth2`, client credentials of RFC 6749, has the rest.
    #[serde(rename = "type")]
    #[schema(value_type = AuthType, required = true)]
    kind: Option<String>,
    /// Of `basic`: the user name, at most 256 bytes without a colon.
    #[schema(example = "hookwheel")]
    username: Option<String>,
    /// Of `basic`: the password, at most 4,096 bytes. It is never shown.
    password: Option<AuthSecret>,
    /// Of `bearer`: a token that stays the same, at most 4,096 bytes. It is never shown.
    token: Option<AuthSecret>,
    /// Of `header`: its name, which neither `headers` nor the dialect may set.
    #[schema(example = "X-Api-Key")]
    name: Option<String>,
    /// Of `header`: what it says, at most 4,096 bytes. It is never shown.
    value: Option<AuthSecret>,
    /// Of `oauth2`: who gives tokens: an `https://` URL, past the same guard as `url`.
    #[schema(example = "https://id.example.com/oauth2/token")]
    token_url: Option<String>,
    /// Of `oauth2`: who asks for them.
    #[schema(example = "hookwheel")]
    client_id: Option<String>,
    /// Of `oauth2`: what shows that it is them, at most 4,096 bytes. It is never shown.
    client_secret: Option<AuthSecret>,
    /// Of `oauth2`: what the tokens are for, in words with spaces between.
    #[schema(example = "webhooks:write")]
    scope: Option<String>,
    /// Of `oauth2`: whom the tokens are for, where the token endpoint wants to know.
    #[schema(example = "https://example.com/webhooks")]
    audience: Option<String>,
    /// Of `oauth2`: where `client_id` and `client_secret` are shown, in a header (`basic`, if left out) or among the parameters
    /// (`body`).
    #[schema(value_type = Option<ClientAuthWay>)]
    client_auth: Option<String>,
    /// Of `oauth2`: further parameters of the token endpoint, at most 8 of 2,048 bytes in all.
    #[schema(example = json!({"resource": "https://example.com"}))]
    extra: Option<BTreeMap<String, String>>,
}

/// A secret, or what is shown instead of one.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(untagged, expecting = "must be a text, or true as it is shown")]
pub enum AuthSecret {
    /// What is shown: true leaves it as it is.
    Is(bool),
    /// The secret.
    #[schema(value_type = String)]
    Text(Secret),
}

/// How a webhook authenticates at its endpoint. What belongs to another type is null; of a secret it is shown that there is one.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Auth)]
pub struct AuthView {
    /// `basic`, a user name and a password; `bearer`, a token; `header`, a header of any name; `oauth2`, tokens that are fetched
    /// by client credentials (RFC 6749).
    #[serde(rename = "type")]
    #[schema(value_type = AuthType)]
    kind: &'static str,
    /// Of `basic`.
    #[schema(example = "hookwheel")]
    username: Option<String>,
    /// Of `basic`: true. The password itself is never shown.
    password: Option<bool>,
    /// Of `bearer`: true. The token itself is never shown.
    token: Option<bool>,
    /// Of `header`: its name.
    #[schema(example = "X-Api-Key")]
    name: Option<String>,
    /// Of `header`: true. What it says is never shown.
    value: Option<bool>,
    /// Of `oauth2`: who gives tokens.
    #[schema(example = "https://id.example.com/oauth2/token")]
    token_url: Option<String>,
    /// Of `oauth2`: who asks for them.
    #[schema(example = "hookwheel")]
    client_id: Option<String>,
    /// Of `oauth2`: true. The secret itself is never shown.
    client_secret: Option<bool>,
    /// Of `oauth2`: what the tokens are for.
    #[schema(example = "webhooks:write")]
    scope: Option<String>,
    /// Of `oauth2`: whom the tokens are for.
    #[schema(example = "https://example.com/webhooks")]
    audience: Option<String>,
    /// Of `oauth2`: where the client shows itself.
    #[schema(value_type = Option<ClientAuthWay>)]
    client_auth: Option<&'static str>,
    /// Of `oauth2`: further parameters. The value of one that seems to let its holder in is null for a key that may not manage.
    #[schema(example = json!({"resource": "https://example.com"}))]
    extra: Option<BTreeMap<String, Option<String>>>,
}

impl AuthView {
    /// Which way it is.
    pub fn word(&self) -> &'static str {
        self.kind
    }

    /// As who may change it or not sees it.
    pub fn of(auth: &EndpointAuth, may_manage: bool) -> Self {
        let there = |field: &str| (auth.secret_field() == field).then_some(true);
        let (username, name) = match auth {
            EndpointAuth::Basic { username, .. } => (Some(username.clone()), None),
            EndpointAuth::Header { name, .. } => (None, Some(name.clone())),
            EndpointAuth::Bearer { .. } | EndpointAuth::OAuth2(_) => (None, None),
        };
        let oauth = auth.oauth2();
        Self {
            kind: auth.word(),
            username,
            password: there("password"),
            token: there("token"),
            name,
            value: there("value"),
            token_url: oauth.map(|oauth| oauth.token_url.as_str().to_string()),
            client_id: oauth.map(|oauth| oauth.client_id.clone()),
            client_secret: there("client_secret"),
            scope: oauth.and_then(|oauth| oauth.scope.clone()),
            audience: oauth.and_then(|oauth| oauth.audience.clone()),
            client_auth: oauth.map(|oauth| oauth.client_auth.word()),
            extra: oauth.map(|oauth| own_headers(&oauth.extra, may_manage)),
        }
    }
}

/// What was asked for, vetted but for a secret that is to be kept.
#[derive(Debug)]
pub struct NewAuth {
    auth: EndpointAuth,
    keeps_secret: bool,
}

impl AuthInput {
    /// Checks all but a secret that is to be kept.
    pub fn vet(self, dialect: &Dialect, http_allowed: bool) -> Result<NewAuth, Invalid> {
        let kind = self.kind.as_deref().ok_or_else(|| missing("type"))?;
        let fields: &[&str] = match kind {
            "basic" => &["username", "password"],
            "bearer" => &["token"],
            "header" => &["name", "value"],
            "oauth2" => &["token_url", "client_id", "client_secret", "scope", "audience", "client_auth", "extra"],
            _ => return Err(Invalid::new("auth.type", format!("must be one of {}", EndpointAuth::WORDS.join(", ")))),
        };
        if let Some(other) = self.given().find(|field| !fields.contains(field)) {
            let message = format!("does not belong to {kind}, which has {}", fields.join(", "));
            return Err(Invalid::new(format!("auth.{other}"), message));
        }
        let new = self.read(http_allowed)?;
        check_dialect(&new.auth, dialect)?;
        // Of one that is kept only the secret was not checked, and that was when it was set.
        let checked = if new.keeps_secret { new.auth.clone().with_secret(Secret::new("x")) } else { new.auth.clone() };
        checked.check().map(|()| new)
    }

    /// The names of what it says, beside the type.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let given = [
            ("username", self.username.is_some()),
            ("password", self.password.is_some()),
            ("token", self.token.is_some()),
            ("name", self.name.is_some()),
            ("value", self.value.is_some()),
            ("token_url", self.token_url.is_some()),
            ("client_id", self.client_id.is_some()),
            ("client_secret", self.client_secret.is_some()),
            ("scope", self.scope.is_some()),
            ("audience", self.audience.is_some()),
            ("client_auth", self.client_auth.is_some()),
            ("extra", self.extra.is_some()),
        ];
        given.into_iter().filter(|(_, is_given)| *is_given).map(|(field, _)| field)
    }

    fn read(self, http_allowed: bool) -> Result<NewAuth, Invalid> {
        let secret = |field: &str, given: Option<AuthSecret>| match given {
            Some(AuthSecret::Text(secret)) => Ok((secret, false)),
            None | Some(AuthSecret::Is(true)) => Ok((Secret::new(""), true)),
            Some(AuthSecret::Is(false)) => {
                Err(Invalid::new(format!("auth.{field}"), "must be a text; null for auth removes it"))
            }
        };
        let needed = |field: &str, given: Option<String>| given.ok_or_else(|| missing(field));
        let (auth, keeps_secret) = match self.kind.as_deref() {
            Some("basic") => {
                let (password, keeps) = secret("password", self.password)?;
                (EndpointAuth::Basic { username: needed("username", self.username)?, password }, keeps)
            }
            Some("bearer") => {
                let (token, keeps) = secret("token", self.token)?;
                (EndpointAuth::Bearer { token }, keeps)
            }
            Some("header") => {
                let (value, keeps) = secret("value", self.value)?;
                (EndpointAuth::Header { name: needed("name", self.name)?, value }, keeps)
            }
            _ => {
                let (client_secret, keeps) = secret("client_secret", self.client_secret)?;
                let oauth = OAuth2 {
                    token_url: token_url(&needed("token_url", self.token_url)?, http_allowed)?,
                    client_id: needed("client_id", self.client_id)?,
                    client_secret,
                    client_auth: self.client_auth.as_deref().map_or(Ok(ClientAuth::default()), client_auth)?,
                    scope: self.scope,
                    audience: self.audience,
                    extra: self.extra.unwrap_or_default().into_iter().collect(),
                };
                (EndpointAuth::OAuth2(Box::new(oauth)), keeps)
            }
        };
        Ok(NewAuth { auth, keeps_secret })
    }
}

/// Changes how a webhook authenticates. An error says what does not go with its other settings. `is_moved`: its URL leads to another
/// host or port than before, so what it kept would be told to whom nobody gave it.
pub fn apply(change: Change<NewAuth>, is_moved: bool, to: &mut Webhook) -> Result<(), Invalid> {
    let keeps = matches!(&change, Change::Keep | Change::To(NewAuth { keeps_secret: true, .. }));
    if let Some(kept) = to.auth.as_ref().filter(|_| keeps && is_moved) {
        let message = "must be given again with a url at another host or port: it would be sent there; or take auth away with null";
        return Err(Invalid::new(format!("auth.{}", kept.secret_field()), message));
    }
    match change {
        Change::Keep => {}
        Change::Reset => to.auth = None,
        Change::To(NewAuth { auth, keeps_secret: true }) => to.auth = Some(auth.with_secret_of(to.auth.as_ref())?),
        Change::To(NewAuth { auth, .. }) => to.auth = Some(auth),
    }
    let Some(auth) = &to.auth else { return Ok(()) };
    if to.url.is_mail() {
        return Err(Invalid::new("auth", "must be null with a mailto: url: the mail server is the operator's"));
    }
    match to.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(auth.header_name())) {
        Some((name, _)) => {
            Err(Invalid::new(format!("headers.{name}"), "is what `auth` sets: take it out of one of the two"))
        }
        None => Ok(()),
    }
}

fn missing(field: &str) -> Invalid {
    Invalid::new(format!("auth.{field}"), "is missing")
}

fn check_dialect(auth: &EndpointAuth, dialect: &Dialect) -> Result<(), Invalid> {
    if !dialect.sets_header(auth.header_name()) {
        return Ok(());
    }
    let field = if matches!(auth, EndpointAuth::Header { .. }) { "auth.name" } else { "auth.type" };
    let message = format!("sets {}, which the dialect {} sets itself", auth.header_name(), dialect.name);
    Err(Invalid::new(field, message))
}

fn token_url(text: &str, http_allowed: bool) -> Result<EndpointUrl, Invalid> {
    EndpointUrl::parse(text, http_allowed).map_err(|invalid| Invalid { field: "auth.token_url".into(), ..invalid })
}

fn client_auth(word: &str) -> Result<ClientAuth, Invalid> {
    let wrong = || Invalid::new("auth.client_auth", format!("must be one of {}", ClientAuth::WORDS.join(", ")));
    ClientAuth::parse(word).ok_or_else(wrong)
}
