//! What a provider says of somebody, and whether it is believed. Pure: the time is passed in.

use jsonwebtoken::{Validation, decode, decode_header};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::keys::{ALGORITHMS, Keys, install};

/// Seconds by which the provider's clock may be off.
const LEEWAY_SECONDS: f64 = 60.0;
/// The provider's own id of somebody, in bytes: what the specification allows.
const SUBJECT_BYTES_MAX: usize = 255;
/// Groups that are looked at.
const GROUPS_MAX: usize = 1_000;

/// Whom a provider says that somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The provider's own id of the user, which never changes.
    pub subject: String,
    /// An address that the provider has seen to be theirs.
    pub email: Option<String>,
    /// A name for people.
    pub name: Option<String>,
    /// Which groups they are of.
    pub groups: Vec<String>,
}

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Who made it.
    pub issuer: &'a str,
    /// For whom.
    pub client_id: &'a str,
    /// For which log-in.
    pub nonce: &'a str,
    /// When it is, in seconds.
    pub now: f64,
}

/// Why a token is not believed.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It names a key that is not known: perhaps the provider has a new one.
    UnknownKey,
    /// In words.
    Because(String),
}

impl Unfit {
    fn because(why: &str) -> Self {
        Self::Because(why.into())
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    #[serde(default)]
    iat: Option<f64>,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    nonce: Option<String>,
    aud: Audience,
    #[serde(default)]
    azp: Option<String>,
    #[serde(flatten)]
    facts: Facts,
}

/// What is said of somebody, in a token or beside it.
#[derive(Deserialize)]
struct Facts {
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    email_verified: Option<Flag>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    groups: Option<Groups>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(#[allow(dead_code, reason = "the crate has compared it")] String),
    Many(Vec<String>),
}

/// Some providers write truth as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Flag {
    Is(bool),
    Says(String),
}

impl Flag {
    fn is_set(&self) -> bool {
        match self {
            Self::Is(is) => *is,
            Self::Says(text) => text == "true",
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Groups {
    One(String),
    Many(Vec<String>),
}

/// What a token says, if it is believed.
pub fn read(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<Known, Unfit> {
    install();
    let header = decode_header(token).map_err(|_| Unfit::because("it is no token"))?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(Unfit::Because(format!("it is signed by {:?}; RS256, ES256 and EdDSA are taken", header.alg)));
    }
    let key = keys.find(header.kid.as_deref(), header.alg).ok_or(Unfit::UnknownKey)?;
    let mut validation = Validation::new(header.alg);
    // By the crate the machine's clock would count, and not the server's: times are compared below.
    validation.validate_exp = false;
    validation.set_required_spec_claims(&["exp", "sub", "iss", "aud"]);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client_id]);
    let claims = decode::<Claims>(token, key, &validation).map_err(|error| Unfit::Because(format!("{error}")))?.claims;
    check(&claims, expected)?;
    Ok(claims.facts.of(claims.sub))
}

impl Facts {
    fn of(self, subject: String) -> Known {
        let is_verified = self.email_verified.as_ref().is_some_and(Flag::is_set);
        let mut groups = match self.groups {
            Some(Groups::One(group)) => vec![group],
            Some(Groups::Many(groups)) => groups,
            None => Vec::new(),
        };
        groups.truncate(GROUPS_MAX);
        Known { subject, email: self.email.filter(|_| is_verified), name: self.name, groups }
    }
}

/// What a provider says of the bearer of a token, where it is asked for it.
#[derive(Deserialize)]
struct Told {
    sub: String,
    #[serde(flatten)]
    facts: Facts,
}

impl Known {
    /// The same with what the provider said when it was asked, where the token does not say it.
    pub fn completed_by(self, answer: &[u8]) -> Result<Self, Unfit> {
        let told: Told =
            serde_json::from_slice(answer).map_err(|_| Unfit::because("what it says of you cannot be read"))?;
        if told.sub != self.subject {
            return Err(Unfit::because("what it says of you is of somebody else"));
        }
        let told = told.facts.of(told.sub);
        let groups = if self.groups.is_empty() { told.groups } else { self.groups };
        Ok(Self { subject: self.subject, email: self.email.or(told.email), name: self.name.or(told.name), groups })
    }
}

fn check(claims: &Claims, expected: &Expected<'_>) -> Result<(), Unfit> {
    let now = expected.now;
    if !(1..=SUBJECT_BYTES_MAX).contains(&claims.sub.len()) {
        return Err(Unfit::because("its subject is empty or too long"));
    }
    if !matches!(claims.exp.partial_cmp(&(now - LEEWAY_SECONDS)), Some(std::cmp::Ordering::Greater)) {
        return Err(Unfit::because("it is over"));
    }
    let is_to_come = |at: Option<f64>| at.is_some_and(|at| at > now + LEEWAY_SECONDS);
    if is_to_come(claims.iat) || is_to_come(claims.nbf) {
        return Err(Unfit::because("it is of a time to come: one of the two clocks is wrong"));
    }
    let nonce = claims.nonce.as_deref().unwrap_or_default();
    if nonce.is_empty() || !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
        return Err(Unfit::because("it was made for another log-in"));
    }
    let is_for_several = matches!(&claims.aud, Audience::Many(all) if all.len() > 1);
    let is_ours = claims.azp.as_deref().map_or(!is_for_several, |party| party == expected.client_id);
    if is_ours { Ok(()) } else { Err(Unfit::because("it was made for several, and first for another")) }
}
