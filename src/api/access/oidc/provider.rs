//! The identity provider: what it says of itself and which keys it shows, both kept for a while, and a code exchanged for a token.
//! What stays true: of many who log in at once one asks and the others wait for the answer; for keys that are not known it is
//! asked at most once a minute, whatever tokens name.

use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Deserializer};
use url::Url;

use super::begun::Begun;
use super::claims::{Expected, Known, Unfit, read};
use super::keys::Keys;
use crate::api::http::problem::Problem;
use crate::api::outbound::Outbound;
use crate::clock::Clock;
use crate::domain::delivery::Outcome;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::id::AccountNumber;
use crate::domain::probe::{Method, Probe};
use crate::domain::secret::Secret;
use crate::domain::sign_on::{Rule, is_safe};
use crate::domain::time::{HOUR_MS, UnixMs};

/// What the provider says of itself, and its keys, are asked for anew after so long.
const KEPT_MS: u64 = HOUR_MS;
/// Between two times that it is asked for keys.
const KEYS_EVERY_MS: u64 = 60_000;
/// After it could not be asked, it is left alone for so long.
const SPARED_MS: u64 = 2_000;
/// How long one answer may take.
const TIMEOUT_SECONDS: u32 = 10;
/// So much of an answer is read: some show a certificate beside each key.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// The longest code and the longest token that are looked at.
const CODE_BYTES_MAX: usize = 4_096;
const TOKEN_BYTES_MAX: usize = 64 * 1024;

/// How people log in by the operator's identity provider.
#[derive(Debug, Clone)]
pub struct SignOn {
    /// Its name, as its discovery document says it.
    pub issuer: String,
    /// Whom it knows this server as.
    pub client_id: String,
    /// What it is shown; none: this server has no secret there.
    pub client_secret: Option<Secret>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Who is let in, and as what.
    pub rules: Vec<Rule>,
    /// The id of the account whose users they are.
    pub account: String,
    /// What the button says.
    pub label: String,
}

/// By what it is asked.
pub struct Means<'a> {
    /// When it is.
    pub clock: &'a Clock,
    /// Who makes the requests.
    pub outbound: &'a dyn Outbound,
    /// In whose name: no connection serves two accounts.
    pub account: AccountNumber,
}

/// The provider, and what is known of it.
#[derive(Debug)]
pub struct Provider {
    /// How people log in by it.
    pub settings: SignOn,
    kept: Mutex<Kept>,
    /// Held by the one who asks.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Kept {
    said: Option<(Arc<Said>, UnixMs)>,
    keys: Option<(Arc<Keys>, UnixMs)>,
    /// Why it could not be asked, and until when it is left alone.
    away: Option<(String, UnixMs)>,
}

/// What a provider says of itself.
#[derive(Debug, Clone, Deserialize)]
struct Said {
    issuer: String,
    #[serde(deserialize_with = "web_address")]
    authorization_endpoint: Url,
    #[serde(deserialize_with = "web_address")]
    token_endpoint: Url,
    #[serde(deserialize_with = "web_address")]
    jwks_uri: Url,
    #[serde(default, deserialize_with = "some_web_address")]
    userinfo_endpoint: Option<Url>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

fn web_address<'de, D: Deserializer<'de>>(from: D) -> Result<Url, D::Error> {
    Url::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

fn some_web_address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Url>, D::Error> {
    web_address(from).map(Some)
}

#[derive(Deserialize)]
struct Granted {
    id_token: String,
    #[serde(default)]
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
    #[serde(default)]
    error_description: Option<String>,
}

impl Provider {
    /// One of which nothing is known yet.
    pub fn new(settings: SignOn) -> Self {
        Self { settings, kept: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    /// Where a browser is sent to log in, to come back to `back` with a code.
    pub async fn address(&self, by: &Means<'_>, begun: &Begun, back: &str) -> Result<String, Problem> {
        let mut address = self.said(by).await?.authorization_endpoint.clone();
        let scopes = self.settings.scopes.join(" ");
        address.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.settings.client_id),
            ("redirect_uri", back),
            ("scope", &scopes),
            ("state", &begun.state()),
            ("nonce", &begun.nonce()),
            ("code_challenge", &begun.challenge()),
            ("code_challenge_method", "S256"),
        ]);
        Ok(address.into())
    }

    /// Who came back with this code. `issuer`: who says to have sent them, if that is said (RFC 9207).
    pub async fn known(
        &self,
        by: &Means<'_>,
        begun: &Begun,
        code: &str,
        issuer: Option<&str>,
        back: &str,
    ) -> Result<Known, Problem> {
        let said = self.said(by).await?;
        if issuer.is_some_and(|issuer| issuer != said.issuer) {
            return Err(not_believed("it comes from another provider than the one that was asked"));
        }
        let Granted { id_token: token, access_token } = self.exchange(by, &said, begun, code, back).await?;
        let nonce = begun.nonce();
        let expected = Expected {
            issuer: &said.issuer,
            client_id: &self.settings.client_id,
            nonce: &nonce,
            now: by.clock.wall() as f64 / 1000.0,
        };
        let keys = self.keys(by, &said, None).await?;
        let known = match read(&token, &keys, &expected) {
            Err(Unfit::UnknownKey) => read(&token, &*self.keys(by, &said, Some(&keys)).await?, &expected),
            known => known,
        };
        let known = known.map_err(told)?;
        match (&said.userinfo_endpoint, access_token) {
            // Some say next to nothing in the token, and the rest when they are asked.
            (Some(url), Some(token)) if known.email.is_none() => {
                let headers = vec![("authorization".to_string(), format!("Bearer {token}"))];
                match self.ask(by, Method::Get, url, headers, String::new()).await.map_err(|why| away(&why))? {
                    (200, answer) => known.completed_by(&answer).map_err(told),
                    (status, answer) => Err(not_believed(&refusal(status, &answer))),
                }
            }
            _ => Ok(known),
        }
    }

    /// The token for a code.
    async fn exchange(
        &self,
        by: &Means<'_>,
        said: &Said,
        begun: &Begun,
        code: &str,
        back: &str,
    ) -> Result<Granted, Problem> {
        if code.len() > CODE_BYTES_MAX {
            return Err(not_believed("its code is too long"));
        }
        let settings = &self.settings;
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs([
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", back),
            ("code_verifier", &begun.verifier()),
        ]);
        let mut headers = vec![("content-type".to_string(), "application/x-www-form-urlencoded".to_string())];
        match &settings.client_secret {
            Some(secret) if said.takes_basic() => {
                headers.push(("authorization".into(), basic(&settings.client_id, secret.reveal())));
            }
            secret => {
                form.append_pair("client_id", &settings.client_id);
                if let Some(secret) = secret {
                    form.append_pair("client_secret", secret.reveal());
                }
            }
        }
        let body = form.finish();
        match self.ask(by, Method::Post, &said.token_endpoint, headers, body).await.map_err(|why| away(&why))? {
            (200, answer) => {
                let granted: Granted =
                    serde_json::from_slice(&answer).map_err(|_| not_believed("there is no id_token in the answer"))?;
                let fits = granted.id_token.len() <= TOKEN_BYTES_MAX;
                if fits { Ok(granted) } else { Err(not_believed("its token is too long")) }
            }
            (status, answer) => Err(not_believed(&refusal(status, &answer))),
        }
    }

    /// What it says of itself.
    async fn said(&self, by: &Means<'_>) -> Result<Arc<Said>, Problem> {
        let fresh = |kept: &Kept| {
            let now = by.clock.now();
            kept.said.as_ref().filter(|(_, at)| now < at.saturating_add(KEPT_MS)).map(|(said, _)| said.clone())
        };
        if let Some(said) = fresh(&self.kept()) {
            return Ok(said);
        }
        let _asking = self.asking.lock().await;
        if let Some(said) = fresh(&self.kept()) {
            return Ok(said);
        }
        self.spare(by)?;
        let address = format!("{}/.well-known/openid-configuration", self.settings.issuer.trim_end_matches('/'));
        let url = Url::parse(&address).map_err(Problem::internal)?;
        let said = self.document(by, &url).await.and_then(|answer| self.read(&answer));
        match said {
            Ok(said) => {
                let said = Arc::new(said);
                self.kept().said = Some((said.clone(), by.clock.now()));
                Ok(said)
            }
            Err(why) => Err(self.is_away(by, why)),
        }
    }

    fn read(&self, answer: &[u8]) -> Result<Said, String> {
        let said: Said =
            serde_json::from_slice(answer).map_err(|_| "its discovery document cannot be read".to_string())?;
        if said.issuer.trim_end_matches('/') != self.settings.issuer.trim_end_matches('/') {
            return Err(format!(
                "its discovery document is of {:?}, and oidc.issuer says {:?}",
                said.issuer, self.settings.issuer
            ));
        }
        let all = [&said.authorization_endpoint, &said.token_endpoint, &said.jwks_uri];
        let in_the_clear = all.into_iter().chain(&said.userinfo_endpoint).find(|url| !is_safe(url)).map(Url::to_string);
        in_the_clear.map_or(Ok(said), |url| Err(format!("its discovery document leads to {url}, in the clear")))
    }

    /// The keys that it shows; others than `known` if it is time to ask for them.
    async fn keys(&self, by: &Means<'_>, said: &Said, known: Option<&Arc<Keys>>) -> Result<Arc<Keys>, Problem> {
        let other = |kept: &Kept| {
            let (keys, at) = kept.keys.as_ref()?;
            let is_other = known.is_some_and(|known| !Arc::ptr_eq(keys, known));
            let kept_ms = if known.is_some() { KEYS_EVERY_MS } else { KEPT_MS };
            (is_other || by.clock.now() < at.saturating_add(kept_ms)).then(|| keys.clone())
        };
        if let Some(keys) = other(&self.kept()) {
            return Ok(keys);
        }
        let _asking = self.asking.lock().await;
        if let Some(keys) = other(&self.kept()) {
            return Ok(keys);
        }
        self.spare(by)?;
        let shown = self.document(by, &said.jwks_uri).await;
        let read = shown.and_then(|answer| Keys::read(&answer).ok_or_else(|| "its keys cannot be read".into()));
        match read {
            Ok(keys) => {
                let keys = Arc::new(keys);
                self.kept().keys = Some((keys.clone(), by.clock.now()));
                Ok(keys)
            }
            Err(why) => Err(self.is_away(by, why)),
        }
    }

    /// A document of it; an error says in words why there is none.
    async fn document(&self, by: &Means<'_>, url: &Url) -> Result<Vec<u8>, String> {
        match self.ask(by, Method::Get, url, Vec::new(), String::new()).await? {
            (200, answer) => Ok(answer),
            (status, _) => Err(format!("{url} is answered {status}")),
        }
    }

    /// Asks it, over the connections and by the proxy that deliveries have. The guard lets it through wherever it is: the operator has
    /// said so; what `deliver.deny` names stays closed.
    async fn ask(
        &self,
        by: &Means<'_>,
        method: Method,
        url: &Url,
        headers: Vec<(String, String)>,
        body: String,
    ) -> Result<(u16, Vec<u8>), String> {
        let to = EndpointUrl::parse(url.as_str(), true).map_err(|error| error.to_string())?;
        let fixed = [("accept", "application/json"), ("user-agent", concat!("Hookwheel/", env!("CARGO_PKG_VERSION")))];
        let fixed = fixed.into_iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let probe = Probe {
            method,
            account: by.account,
            url: to,
            headers: fixed.chain(headers).collect(),
            upper_case: false,
            body: body.into(),
            timeout_seconds: TIMEOUT_SECONDS,
            allow: ["0.0.0.0/0", "::/0"].map(|net| net.parse().expect("it is a network")).into(),
            tls: None,
            answer_bytes_max: ANSWER_BYTES_MAX,
            oauth2: None,
        };
        let probed = by.outbound.probe(probe).await;
        match probed.outcome {
            Outcome::Status(_) if probed.answer.len() >= ANSWER_BYTES_MAX => {
                Err(format!("the answer of {url} is too long"))
            }
            Outcome::Status(status) => Ok((status, probed.answer)),
            outcome => Err(format!("{url}: {outcome}")),
        }
    }

    /// Whoever could not be asked a moment ago is left alone.
    fn spare(&self, by: &Means<'_>) -> Result<(), Problem> {
        let kept = self.kept();
        let why = kept.away.as_ref().filter(|(_, until)| by.clock.now() < *until);
        why.map_or(Ok(()), |(why, _)| Err(away(why)))
    }

    fn is_away(&self, by: &Means<'_>, why: String) -> Problem {
        tracing::warn!(%why, "the identity provider cannot be asked");
        let problem = away(&why);
        self.kept().away = Some((why, by.clock.now().saturating_add(SPARED_MS)));
        problem
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("no holder of the lock panics")
    }
}

impl Said {
    /// Whether the secret is shown in `Authorization`: what is taken where nothing is said.
    fn takes_basic(&self) -> bool {
        let takes = |way: &str| {
            self.token_endpoint_auth_methods_supported.as_ref().is_none_or(|all| all.iter().any(|one| one == way))
        };
        takes("client_secret_basic") || !takes("client_secret_post")
    }
}

fn told(unfit: Unfit) -> Problem {
    match unfit {
        Unfit::UnknownKey => not_believed("it is signed by a key that the provider does not show"),
        Unfit::Because(why) => not_believed(&why),
    }
}

/// The value of `Authorization`, both parts written as in a form (RFC 6749).
fn basic(id: &str, secret: &str) -> String {
    use base64::Engine;
    let coded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("{}:{}", coded(id), coded(secret))))
}

/// What a provider says when it gives no token, cut and on one line.
fn refusal(status: u16, answer: &[u8]) -> String {
    let said = serde_json::from_slice::<Refused>(answer).ok();
    let said = said.map(|refused| match refused.error_description {
        Some(description) => format!("{}: {description}", refused.error),
        None => refused.error,
    });
    let plain = |text: String| text.chars().filter(|one| !one.is_control()).take(200).collect::<String>();
    said.map_or_else(|| format!("the provider answers {status}"), |said| format!("the provider says {}", plain(said)))
}

fn not_believed(why: &str) -> Problem {
    tracing::warn!(why, "a log-in by the identity provider is not believed");
    Problem::forbidden(format!("what came back from the identity provider is not believed: {why}; log in anew"))
}

fn away(why: &str) -> Problem {
    Problem::provider_away(format!(
        "the identity provider cannot be asked: {why}; try again, or log in with a password"
    ))
}
