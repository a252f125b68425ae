//! How a receiver verifies a request: by the same rules it was signed with, read backwards. Signatures are compared in
//! constant time, and every key is tried.

use ed25519_dalek::VerifyingKey;
use subtle::ConstantTimeEq;
use thiserror::Error;

use super::Dialect;
use super::headers::HeaderKey;
use super::mac::{SigningKey, is_signed_by};
use super::placeholder::Placeholder;
use super::secrets::KeyText;
use super::signature::{Fill, SignatureRule};
use super::template::Template;
use crate::domain::Invalid;
use crate::domain::secret::Secret;
use crate::domain::time::UnixMs;

/// Why a request was not verified.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VerifyError {
    /// The dialect has no signature.
    #[error("this dialect signs nothing, so nothing can be verified")]
    Unsigned,
    /// A header that the contract promises is not there.
    #[error("the header {0} is missing")]
    MissingHeader(String),
    /// A header does not look as the contract says.
    #[error("the header {header} does not look like {expected}")]
    WrongForm {
        /// The header's name.
        header: String,
        /// The contract's template.
        expected: String,
    },
    /// The attempt's time is too far from now: perhaps somebody sends an old request again.
    #[error("the timestamp is {seconds} seconds {side} the clock here; {allowed} are allowed", side = side(*.late))]
    WrongTime {
        /// How far.
        seconds: u64,
        /// Whether it lies in the past.
        late: bool,
        /// The tolerance, in seconds.
        allowed: u64,
    },
    /// No secret gives this signature.
    #[error(
        "the signature in {0} does not match: the body is not the exact bytes that were sent, or the secret is another"
    )]
    Mismatch(String),
    /// A secret is not of the dialect's form.
    #[error("{0}")]
    Secret(Invalid),
}

fn side(late: bool) -> &'static str {
    if late { "behind" } else { "ahead of" }
}

impl Dialect {
    /// Verifies a received request as a receiver should: every signature of the dialect must be there and match one
    /// of `secrets`, in constant time. Where the contract sends the attempt's time, it must be within
    /// `tolerance_seconds` of `now`; `None` skips that.
    pub fn verify(
        &self,
        header: &dyn Fn(&str) -> Option<String>,
        body: &[u8],
        secrets: &[Secret],
        now: UnixMs,
        tolerance_seconds: Option<u64>,
    ) -> Result<(), VerifyError> {
        if self.signature.is_empty() {
            return Err(VerifyError::Unsigned);
        }
        let keys = secrets.iter().map(|secret| self.verifying_key(secret)).collect::<Result<Vec<_>, _>>();
        let keys = keys.map_err(VerifyError::Secret)?;
        let facts = self.received_facts(header)?;
        for rule in &self.signature {
            rule.verify(header, body, &keys, &facts, (now, tolerance_seconds))?;
        }
        Ok(())
    }

    /// Checks that requests can be verified with `secret`: a shared one, or either key of a pair.
    pub fn check_verifies(&self, secret: &Secret) -> Result<(), Invalid> {
        self.verifying_key(secret).map(drop)
    }

    fn verifying_key(&self, secret: &Secret) -> Result<Verifier, Invalid> {
        Ok(match self.secrets.read(secret.reveal())? {
            KeyText::Shared(_) => Verifier::Shared(self.signing_key(secret)?),
            KeyText::Private(key) => Verifier::Public(key.verifying_key()),
            KeyText::Public(key) => Verifier::Public(key),
        })
    }

    /// Reads the facts back from the headers that a signature covers.
    fn received_facts(&self, header: &dyn Fn(&str) -> Option<String>) -> Result<Facts, VerifyError> {
        let mut facts = Facts::new();
        for rule in self.headers.iter().filter(|rule| self.covers(&rule.value)) {
            let text = header(&rule.key.spelled).ok_or(VerifyError::MissingHeader(rule.key.spelled.clone()))?;
            let found = rule.value.capture(&text).ok_or_else(|| wrong_form(&rule.key, &rule.value))?;
            for (slot, value) in found {
                if *slot == Placeholder::AttemptUnix && value.parse::<u64>().is_err() {
                    return Err(wrong_form(&rule.key, &rule.value));
                }
                facts.push((slot.clone(), value.to_string()));
            }
        }
        Ok(facts)
    }

    fn covers(&self, header: &Template) -> bool {
        header.slots().any(|slot| self.signature.iter().any(|rule| rule.signed.slots().any(|needed| needed == slot)))
    }
}

/// What a receiver verifies with.
enum Verifier {
    Shared(SigningKey),
    Public(VerifyingKey),
}

impl Verifier {
    /// Whether `given` is the signature of `body`.
    fn matches(&self, rule: &SignatureRule, body: &[u8], fill: Fill<'_>, given: &str) -> bool {
        match self {
            Self::Shared(key) => rule.sign(key, body, fill).as_bytes().ct_eq(given.as_bytes()).into(),
            Self::Public(key) => {
                let signature = rule.decode(given).unwrap_or_default();
                is_signed_by(key, |hear| rule.say_signed(body, fill, hear), &signature)
            }
        }
    }

    /// How its signatures are written in the header.
    fn form<'r>(&self, rule: &'r SignatureRule) -> Option<&'r Template> {
        match self {
            Self::Shared(_) => Some(&rule.value),
            Self::Public(_) => rule.ed25519.as_ref(),
        }
    }
}

/// What a request says of itself.
type Facts = Vec<(Placeholder, String)>;

impl SignatureRule {
    fn verify(
        &self,
        header: &dyn Fn(&str) -> Option<String>,
        body: &[u8],
        keys: &[Verifier],
        facts: &Facts,
        (now, tolerance): (UnixMs, Option<u64>),
    ) -> Result<(), VerifyError> {
        let name = &self.header.spelled;
        let text = header(name).ok_or(VerifyError::MissingHeader(name.clone()))?;
        let (before, rest) = match &self.before {
            Some(before) => before.capture_start(&text).ok_or_else(|| self.wrong_form())?,
            None => (Vec::new(), text.as_str()),
        };
        let items: Vec<&str> = match &self.several {
            Some(separator) => rest.split(separator.as_str()).collect(),
            None => vec![rest],
        };
        // Without a key, too, it is told whether there is a signature.
        let mut understood = keys.is_empty() && items.iter().any(|item| self.value.capture(item).is_some());
        let mut matches = false;
        for (item, key) in items.iter().flat_map(|item| keys.iter().map(move |key| (*item, key))) {
            let Some(found) = key.form(self).and_then(|form| form.capture(item)) else { continue };
            understood = true;
            let of = |wanted: &Placeholder| {
                let own = found.iter().chain(&before).find(|(slot, _)| *slot == wanted).map(|(_, value)| *value);
                own.or_else(|| facts.iter().find(|(slot, _)| slot == wanted).map(|(_, value)| value.as_str()))
            };
            if let (Some(unix), Some(allowed)) = (of(&Placeholder::AttemptUnix), tolerance) {
                check_time(unix, now, allowed).ok_or_else(|| self.wrong_form())??;
            }
            let given = of(&Placeholder::Signature).unwrap_or_default();
            matches |= key.matches(self, body, &|slot, out| out.push_str(of(slot).unwrap_or_default()), given);
        }
        match (understood, matches) {
            (false, _) => Err(self.wrong_form()),
            (true, false) => Err(VerifyError::Mismatch(name.clone())),
            (true, true) => Ok(()),
        }
    }

    fn wrong_form(&self) -> VerifyError {
        let before = self.before.as_ref().map_or(String::new(), Template::to_string);
        VerifyError::WrongForm { header: self.header.spelled.clone(), expected: format!("{before}{}", self.value) }
    }
}

/// `None` if `unix` is no time at all.
fn check_time(unix: &str, now: UnixMs, allowed: u64) -> Option<Result<(), VerifyError>> {
    let sent: u64 = unix.parse().ok()?;
    let here = now / 1000;
    let seconds = here.abs_diff(sent);
    let wrong = VerifyError::WrongTime { seconds, late: sent < here, allowed };
    Some(if seconds > allowed { Err(wrong) } else { Ok(()) })
}

fn wrong_form(key: &HeaderKey, template: &Template) -> VerifyError {
    VerifyError::WrongForm { header: key.spelled.clone(), expected: template.to_string() }
}
