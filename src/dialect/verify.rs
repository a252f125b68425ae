//! How a receiver verifies a request: by the same rules it was signed with, read backwards. Signatures are compared in
//! constant time, and every key is tried.

use ed25519_dalek::VerifyingKey;
use subtle::ConstantTimeEq;

use super::Dialect;
use super::keys::PublicKey;
use super::mac::{SigningKey, is_signed_by, message};
use super::placeholder::{Moment, Placeholder};
use super::received::{Facts, Received};
use super::refusal::VerifyError;
use super::secrets::KeyText;
use super::signature::{Fill, SignatureRule};
use super::template::Template;
use crate::domain::Invalid;
use crate::domain::secret::Secret;
use crate::domain::time::{self, TimeForm, UnixMs};

impl Dialect {
    /// Verifies a received request as a receiver should: every signature of the dialect must be there and match one
    /// of `secrets`, in constant time. Where the contract sends the attempt's time, it must be within
    /// `tolerance_seconds` of `now`; `None` skips that.
    pub fn verify(
        &self,
        received: Received<'_>,
        secrets: &[Secret],
        now: UnixMs,
        tolerance_seconds: Option<u64>,
    ) -> Result<(), VerifyError> {
        if self.signature.is_empty() {
            return Err(VerifyError::Unsigned);
        }
        let keys = secrets.iter().map(|secret| self.verifying_key(secret)).collect::<Result<Vec<_>, _>>();
        let keys = keys.map_err(VerifyError::Secret)?;
        let facts = self.received_facts(received)?;
        for rule in &self.signature {
            let clock = Clock { now, tolerance_seconds, times: self.times };
            rule.verify(received, &keys, &facts, clock)?;
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
            KeyText::PrivatePkcs8(key) => Verifier::Pkcs8(key.public()),
            KeyText::PublicPkcs8(key) => Verifier::Pkcs8(key),
        })
    }
}

/// What a receiver verifies with.
enum Verifier {
    Shared(SigningKey),
    Public(VerifyingKey),
    Pkcs8(PublicKey),
}

impl Verifier {
    /// Whether `given` is the signature of `body`.
    fn matches(&self, rule: &SignatureRule, body: &[u8], fill: Fill<'_>, given: &str) -> bool {
        match self {
            Self::Shared(key) => rule.sign(key, body, fill).as_bytes().ct_eq(given.as_bytes()).into(),
            Self::Public(key) => {
                let signature = rule.encoding.decode(given).unwrap_or_default();
                is_signed_by(key, |hear| rule.say_signed(body, fill, hear), &signature)
            }
            Self::Pkcs8(key) => {
                let signature = rule.encoding.decode(given).unwrap_or_default();
                key.has_signed(&message(|hear| rule.say_signed(body, fill, hear)), &signature)
            }
        }
    }

    /// How its signatures are written in the header.
    fn form<'r>(&self, rule: &'r SignatureRule) -> Option<&'r Template> {
        match self {
            Self::Shared(_) | Self::Pkcs8(_) => Some(&rule.value),
            Self::Public(_) => rule.ed25519.as_ref(),
        }
    }
}

/// What the attempt's time is compared with.
#[derive(Clone, Copy)]
struct Clock {
    now: UnixMs,
    tolerance_seconds: Option<u64>,
    times: TimeForm,
}

impl SignatureRule {
    fn verify(
        &self,
        received: Received<'_>,
        keys: &[Verifier],
        facts: &Facts,
        clock: Clock,
    ) -> Result<(), VerifyError> {
        let in_body = || facts.iter().find(|(slot, _)| *slot == Placeholder::Signature).map(|(_, text)| text.clone());
        let text = match &self.header {
            Some(key) => (received.header)(&key.spelled).ok_or(VerifyError::MissingHeader(key.spelled.clone()))?,
            None => in_body().unwrap_or_default(),
        };
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
            let is_own = |slot: &&Placeholder| found.iter().chain(&before).any(|(own, _)| own == slot);
            let times = self.own_slots().filter(is_own).chain(facts.iter().map(|(slot, _)| slot));
            for slot in times {
                clock.check(slot, of(slot).unwrap_or_default()).ok_or_else(|| self.wrong_form())??;
            }
            let given = of(&Placeholder::Signature).unwrap_or_default();
            matches |= key.matches(self, received.body, &|slot, out| out.push_str(of(slot).unwrap_or_default()), given);
        }
        match (understood, matches) {
            (false, _) => Err(self.wrong_form()),
            (true, false) => Err(VerifyError::Mismatch(self.place())),
            (true, true) => Ok(()),
        }
    }

    /// Where it stands.
    fn place(&self) -> String {
        self.header.as_ref().map_or("the body".into(), |key| key.spelled.clone())
    }

    fn wrong_form(&self) -> VerifyError {
        let before = self.before.as_ref().map_or(String::new(), Template::to_string);
        let header = self.header.as_ref().map_or_else(|| self.place(), |key| format!("the header {}", key.spelled));
        VerifyError::WrongForm { header, expected: format!("{before}{}", self.value) }
    }
}

impl Clock {
    /// Compares one fact, if it is an attempt's time; `None` if it should be one and is not.
    fn check(self, slot: &Placeholder, text: &str) -> Option<Result<(), VerifyError>> {
        let (Some((Moment::Attempt, form)), Some(allowed)) = (slot.moment(), self.tolerance_seconds) else {
            return Some(Ok(()));
        };
        let sent = time::read(text, form.unwrap_or(self.times))? / 1000;
        let here = self.now / 1000;
        let seconds = here.abs_diff(sent);
        let wrong = VerifyError::WrongTime { seconds, late: sent < here, allowed };
        Some(if seconds > allowed { Err(wrong) } else { Ok(()) })
    }
}
