//! A dialect's rule for signing secrets, and the keys that come of them.

use base64::Engine as _;
use ed25519_dalek::VerifyingKey;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Dialect;
use super::SignatureRule;
use super::mac::SigningKey;
use super::signature::BASE64;
use crate::domain::Invalid;
use crate::domain::secret::Secret;

/// What the HMAC key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyForm {
    /// The secret's UTF-8 bytes, all of them.
    Utf8,
    /// What the text after the prefix decodes to.
    Base64,
}

/// What a secret of this dialect looks like.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretRule {
    /// What the HMAC key is made of.
    pub key: KeyForm,
    /// Generated secrets start with it. With `base64` every secret does, and it is no part of the key.
    #[serde(default)]
    pub prefix: String,
    /// The key's least length in bytes, at least 1.
    pub bytes_min: usize,
    /// The key's greatest length in bytes.
    pub bytes_max: usize,
    /// Shorter keys are taken with a warning.
    #[serde(default)]
    pub warn_below_bytes: usize,
    /// The other kind of secret, where a dialect has it.
    pub ed25519: Option<PairRule>,
}

/// What a generated secret is to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Signing {
    /// One that both sides share.
    #[default]
    Hmac,
    /// A key pair: the receiver gets the public key, and cannot sign.
    Ed25519,
}

/// What the keys of an Ed25519 pair look like (RFC 8032): a prefix, then base64. The private one is its 32 bytes of seed, or
/// the seed and the public key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairRule {
    /// Private keys begin with it, and no other secret does.
    pub prefix: String,
    /// Public keys begin with it.
    pub public_prefix: String,
}

/// What a text is, read as a key.
pub(super) enum KeyText {
    /// A key that both sides share.
    Shared(Zeroizing<Vec<u8>>),
    /// The private key of a pair.
    Private(ed25519_dalek::SigningKey),
    /// The public key of a pair: it verifies, and does not sign.
    Public(VerifyingKey),
}

impl PairRule {
    fn private(&self, text: &str) -> Option<Result<ed25519_dalek::SigningKey, Invalid>> {
        let body = text.strip_prefix(self.prefix.as_str())?;
        let bytes = Zeroizing::new(BASE64.decode(body).unwrap_or_default());
        let seed = <[u8; 32]>::try_from(bytes.as_slice()).map(|seed| ed25519_dalek::SigningKey::from_bytes(&seed));
        let pair =
            <[u8; 64]>::try_from(bytes.as_slice()).map(|pair| ed25519_dalek::SigningKey::from_keypair_bytes(&pair));
        let read = seed.ok().or(pair.ok().and_then(Result::ok));
        let message = format!(
            "must be the base64 of an Ed25519 private key after {:?}: 32 bytes, or 64 with its public key",
            self.prefix
        );
        Some(read.ok_or_else(|| Invalid::new("secret", message)))
    }

    fn public(&self, text: &str) -> Option<Result<VerifyingKey, Invalid>> {
        let bytes = BASE64.decode(text.strip_prefix(self.public_prefix.as_str())?).unwrap_or_default();
        let read = bytes.as_slice().try_into().ok().and_then(|bytes| VerifyingKey::from_bytes(bytes).ok());
        let message = format!("must be the base64 of an Ed25519 public key after {:?}: 32 bytes", self.public_prefix);
        Some(read.ok_or_else(|| Invalid::new("secret", message)))
    }

    fn check(&self, other: &str) -> Result<(), Invalid> {
        let wrong = |key: &str, message: &str| Err(Invalid::new(format!("secrets.ed25519.{key}"), message));
        if self.prefix.is_empty()
            || (!other.is_empty() && (other.starts_with(&self.prefix) || self.prefix.starts_with(other)))
        {
            return wrong("prefix", "must tell private keys from other secrets, such as \"whsk_\"");
        }
        let hides_other = !other.is_empty() && other.starts_with(&self.public_prefix);
        if self.public_prefix.is_empty() || self.public_prefix.starts_with(&self.prefix) || hides_other {
            return wrong("public_prefix", "must tell public keys from private ones, such as \"whpk_\"");
        }
        Ok(())
    }
}

impl SecretRule {
    pub(super) fn read(&self, text: &str) -> Result<KeyText, Invalid> {
        let pair = self.ed25519.as_ref();
        if let Some(key) = pair.and_then(|pair| pair.private(text)) {
            return key.map(KeyText::Private);
        }
        if let Some(key) = pair.and_then(|pair| pair.public(text)) {
            return key.map(KeyText::Public);
        }
        self.key_bytes(text).map(|bytes| KeyText::Shared(Zeroizing::new(bytes)))
    }

    fn key_bytes(&self, text: &str) -> Result<Vec<u8>, Invalid> {
        let wrong = |message: String| Err(Invalid::new("secret", message));
        match self.key {
            KeyForm::Utf8 => Ok(text.as_bytes().to_vec()),
            KeyForm::Base64 => match text.strip_prefix(self.prefix.as_str()).map(|body| BASE64.decode(body)) {
                Some(Ok(bytes)) => Ok(bytes),
                Some(Err(_)) => wrong(format!("must be base64{}", self.after_prefix())),
                None => wrong(format!("must start with {:?}{}", self.prefix, ", then base64")),
            },
        }
    }

    fn after_prefix(&self) -> String {
        if self.prefix.is_empty() { String::new() } else { format!(" after {:?}", self.prefix) }
    }

    /// Checks the rule itself; `Invalid` names the key in the file.
    pub(super) fn check(&self, signatures: &[SignatureRule]) -> Result<(), Invalid> {
        self.check_pair(signatures)?;
        if !self.prefix.bytes().all(|b| (0x21..0x7f).contains(&b)) {
            return Err(Invalid::new("secrets.prefix", "must be visible ASCII without spaces, such as \"whsec_\""));
        }
        if self.bytes_min == 0 {
            return Err(Invalid::new("secrets.bytes_min", "must be at least 1: an empty key signs nothing"));
        }
        if self.bytes_max < self.bytes_min {
            return Err(Invalid::new("secrets.bytes_max", "must not be less than bytes_min"));
        }
        let generated = self.key_bytes(self.generate(&[0; 32]).reveal())?.len();
        if !(self.bytes_min..=self.bytes_max).contains(&generated) {
            let message = format!("must let a generated secret through, whose key has {generated} bytes");
            let key = if generated > self.bytes_max { "secrets.bytes_max" } else { "secrets.bytes_min" };
            return Err(Invalid::new(key, message));
        }
        Ok(())
    }

    /// Every signature can be made with a key pair, or none.
    fn check_pair(&self, signatures: &[SignatureRule]) -> Result<(), Invalid> {
        let Some(pair) = &self.ed25519 else {
            return match signatures.iter().position(|rule| rule.ed25519.is_some()) {
                Some(n) => Err(Invalid::new(
                    format!("signature[{n}].ed25519"),
                    "needs [secrets.ed25519], the form of its keys",
                )),
                None => Ok(()),
            };
        };
        pair.check(&self.prefix)?;
        match signatures.iter().position(|rule| rule.ed25519.is_none()) {
            Some(n) => Err(Invalid::new(
                format!("signature[{n}].ed25519"),
                "is missing: [secrets.ed25519] lets key pairs sign",
            )),
            None => Ok(()),
        }
    }

    fn generate(&self, random: &[u8; 32]) -> Secret {
        let body = match self.key {
            KeyForm::Utf8 => random.iter().map(|byte| format!("{byte:02x}")).collect(),
            KeyForm::Base64 => BASE64.encode(random),
        };
        Secret::new(format!("{}{body}", self.prefix))
    }
}

impl Dialect {
    /// Checks a secret that a user chose. `Ok(Some(_))` is a warning to show.
    pub fn check_secret(&self, text: &str) -> Result<Option<String>, Invalid> {
        let rule = &self.secrets;
        let (min, max) = (rule.bytes_min, rule.bytes_max);
        let length = match rule.read(text)? {
            KeyText::Shared(key) => key.len(),
            KeyText::Private(_) => return Ok(None),
            KeyText::Public(_) => return Err(cannot_sign()),
        };
        if !(min..=max).contains(&length) {
            let what = match rule.key {
                KeyForm::Utf8 => "must be",
                KeyForm::Base64 => "must decode to",
            };
            return Err(Invalid::new("secret", format!("{what} {min} to {max} bytes; this has {length}")));
        }
        let short = length < rule.warn_below_bytes;
        Ok(short.then(|| {
            format!("the secret is short ({length} bytes): take {} or more random ones", rule.warn_below_bytes)
        }))
    }

    /// The key that a secret signs with. Done once a webhook. `Invalid` if the secret is not of this dialect's form,
    /// which can be after a webhook has changed its dialect.
    pub fn signing_key(&self, secret: &Secret) -> Result<SigningKey, Invalid> {
        match self.secrets.read(secret.reveal())? {
            KeyText::Shared(bytes) => Ok(SigningKey::shared(&bytes, self.signature.iter().map(|rule| rule.algorithm))),
            KeyText::Private(key) => Ok(SigningKey::pair(key)),
            KeyText::Public(_) => Err(cannot_sign()),
        }
    }

    /// The public key of a pair, for receivers; `None` for a secret that both sides share.
    pub fn public_key(&self, secret: &Secret) -> Option<String> {
        let pair = self.secrets.ed25519.as_ref()?;
        let key = pair.private(secret.reveal())?.ok()?;
        Some(format!("{}{}", pair.public_prefix, BASE64.encode(key.verifying_key().as_bytes())))
    }

    /// What a secret is: one that both sides share, or a key pair.
    pub fn signing_of(&self, secret: &Secret) -> Signing {
        if self.public_key(secret).is_some() { Signing::Ed25519 } else { Signing::Hmac }
    }

    fn generate_pair(&self, random: &[u8; 32]) -> Option<Secret> {
        let pair = self.secrets.ed25519.as_ref()?;
        let bytes = Zeroizing::new(ed25519_dalek::SigningKey::from_bytes(random).to_keypair_bytes());
        Some(Secret::new(format!("{}{}", pair.prefix, BASE64.encode(bytes.as_slice()))))
    }

    /// A new secret of 32 random bytes, in this dialect's form.
    pub fn generate_secret(&self, random: &[u8; 32]) -> Secret {
        self.secrets.generate(random)
    }

    /// A new secret of this kind; `Invalid` if the dialect has none of it.
    pub fn generate(&self, signing: Signing, random: &[u8; 32]) -> Result<Secret, Invalid> {
        match signing {
            Signing::Hmac => Ok(self.generate_secret(random)),
            Signing::Ed25519 => self.generate_pair(random).ok_or_else(|| {
                Invalid::new("signing", format!("must be \"hmac\": {} has no signatures with key pairs", self.name))
            }),
        }
    }
}

fn cannot_sign() -> Invalid {
    Invalid::new("secret", "is a public key, which cannot sign; give the private one")
}
