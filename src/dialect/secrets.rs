//! A dialect's rule for signing secrets, and the keys that come of them.

use base64::Engine as _;
use ed25519_dalek::VerifyingKey;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::Dialect;
use super::SignatureRule;
use super::encoding::{BASE64, Encoding};
use super::keys::{PairKind, PrivateKey, PublicForm, PublicKey};
use super::mac::{Algorithm, SigningKey};
use super::pairs::PairRule;
use super::pattern;
use super::wording;
use crate::domain::Invalid;
use crate::domain::secret::Secret;

/// The longest text of a key in PKCS #8: more than RSA needs.
const PAIR_BYTES_MAX: usize = 16 * 1024;

/// What the key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyForm {
    /// The secret's UTF-8 bytes, all of them.
    Utf8,
    /// What the text after the prefix decodes to.
    Base64,
    /// Each secret is the private key of a pair, in PKCS #8; receivers get the public one.
    Pkcs8,
}

/// What a secret of this dialect looks like.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRule {
    /// What the key is made of.
    #[schemars(example = &"utf8")]
    pub key: KeyForm,
    /// How receivers are given the public key, where there are pairs only.
    #[serde(default)]
    #[schemars(example = &"pem")]
    pub public: PublicForm,
    /// The kind of those pairs, which the signatures say.
    #[serde(skip)]
    pub pair: Option<PairKind>,
    /// Generated secrets start with it. With `base64` every secret does, and it is no part of the key.
    #[serde(default)]
    #[schemars(regex(pattern = pattern::VISIBLE), example = &"whsec_")]
    pub prefix: String,
    /// The key's least length in bytes; must be there unless `key` is `pkcs8`. A generated secret has 32 random bytes, with
    /// `utf8` as 64 digits, and must be let through.
    #[schemars(range(min = 1), example = 16)]
    pub bytes_min: Option<usize>,
    /// The key's greatest length in bytes; must be there unless `key` is `pkcs8`.
    #[schemars(example = 256)]
    pub bytes_max: Option<usize>,
    /// Keys of fewer bytes are taken with a warning.
    #[serde(default)]
    #[schemars(example = 32)]
    pub warn_below_bytes: usize,
    /// Ed25519 key pairs beside shared secrets; left out: none.
    #[schemars(example = json!({ "prefix": "whsk_", "public_prefix": "whpk_" }))]
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

/// What a text is, read as a key.
pub(super) enum KeyText {
    /// A key that both sides share.
    Shared(Zeroizing<Vec<u8>>),
    /// The private key of a pair.
    Private(ed25519_dalek::SigningKey),
    /// The public key of a pair: it verifies, and does not sign.
    Public(VerifyingKey),
    /// The private key of a pair, where there are pairs only.
    PrivatePkcs8(PrivateKey),
    /// The public key of such a pair.
    PublicPkcs8(PublicKey),
}

impl SecretRule {
    pub(super) fn read(&self, text: &str) -> Result<KeyText, Invalid> {
        if let Some(kind) = self.pair {
            if text.len() > PAIR_BYTES_MAX {
                return Err(Invalid::new("secret", format!("is longer than {PAIR_BYTES_MAX} bytes")));
            }
            let public = PublicKey::read(kind, text).map(|key| Ok(KeyText::PublicPkcs8(key)));
            return public.unwrap_or_else(|| PrivateKey::read(kind, text).map(KeyText::PrivatePkcs8));
        }
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
            KeyForm::Utf8 | KeyForm::Pkcs8 => Ok(text.as_bytes().to_vec()),
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
    pub(super) fn check(&mut self, signatures: &[SignatureRule]) -> Result<(), Invalid> {
        if self.key == KeyForm::Pkcs8 {
            return self.check_pkcs8(signatures);
        }
        if self.public != PublicForm::default() {
            return Err(Invalid::new("secrets.public", "is for key = \"pkcs8\", where receivers get a public key"));
        }
        if let Some(n) = signatures.iter().position(|rule| rule.algorithm.pair().is_some()) {
            let message = "needs secrets.key = \"pkcs8\": it signs with private keys";
            return Err(Invalid::new(format!("signature[{n}].algorithm"), message));
        }
        self.check_pair(signatures)?;
        if !self.prefix.bytes().all(|b| (0x21..0x7f).contains(&b)) {
            return Err(Invalid::new("secrets.prefix", "must be visible ASCII without spaces, such as \"whsec_\""));
        }
        let (min, max) = self.bounds()?;
        if min == 0 {
            return Err(Invalid::new("secrets.bytes_min", "must be at least 1: an empty key signs nothing"));
        }
        if max < min {
            return Err(Invalid::new("secrets.bytes_max", "must not be less than bytes_min"));
        }
        let generated = self.key_bytes(self.generate(&[0; 32]).reveal())?.len();
        if !(min..=max).contains(&generated) {
            let message = format!("must let a generated secret through, whose key has {generated} bytes");
            let key = if generated > max { "secrets.bytes_max" } else { "secrets.bytes_min" };
            return Err(Invalid::new(key, message));
        }
        Ok(())
    }

    fn bounds(&self) -> Result<(usize, usize), Invalid> {
        let missing = |key: &str| Invalid::new(key, wording::missing(key));
        let min = self.bytes_min.ok_or_else(|| missing("secrets.bytes_min"))?;
        Ok((min, self.bytes_max.ok_or_else(|| missing("secrets.bytes_max"))?))
    }

    fn generate(&self, random: &[u8; 32]) -> Secret {
        let body = match self.key {
            KeyForm::Utf8 | KeyForm::Pkcs8 => random.iter().map(|byte| format!("{byte:02x}")).collect(),
            KeyForm::Base64 => BASE64.encode(random),
        };
        Secret::new(format!("{}{body}", self.prefix))
    }
}

impl Dialect {
    /// Checks a secret that a user chose. `Ok(Some(_))` is a warning to show.
    pub fn check_secret(&self, text: &str) -> Result<Option<String>, Invalid> {
        let rule = &self.secrets;
        let length = match rule.read(text)? {
            KeyText::Shared(key) => key.len(),
            KeyText::Private(_) | KeyText::PrivatePkcs8(_) => return Ok(None),
            KeyText::Public(_) | KeyText::PublicPkcs8(_) => return Err(cannot_sign()),
        };
        self.check_shown(text)?;
        let (min, max) = rule.bounds()?;
        if !(min..=max).contains(&length) {
            let what = match rule.key {
                KeyForm::Utf8 | KeyForm::Pkcs8 => "must be",
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
        let text = secret.reveal();
        match self.secrets.read(text)? {
            KeyText::Shared(bytes) => {
                self.check_shown(text)?;
                let asked = self.challenge.iter().filter_map(|rule| rule.signature).map(|rule| rule.algorithm);
                let algorithms = self.signature.iter().map(|rule| rule.algorithm).chain(asked);
                Ok(SigningKey::shared(text, &bytes, algorithms))
            }
            KeyText::Private(key) => Ok(SigningKey::pair(key)),
            KeyText::PrivatePkcs8(key) => Ok(SigningKey::private(key)),
            KeyText::Public(_) | KeyText::PublicPkcs8(_) => Err(cannot_sign()),
        }
    }

    /// A secret that is sent as it is must be able to stand in a header.
    fn check_shown(&self, text: &str) -> Result<(), Invalid> {
        let shown = |rule: &SignatureRule| rule.algorithm == Algorithm::Secret && rule.encoding == Encoding::Plain;
        let fits = text.bytes().all(|b| (0x20..0x7f).contains(&b)) && text.trim() == text;
        match fits || !self.signature.iter().any(shown) {
            true => Ok(()),
            false => Err(Invalid::new("secret", "must be visible ASCII: it is sent in a header as it is")),
        }
    }

    /// The public key of a pair, for receivers; `None` for a secret that both sides share.
    pub fn public_key(&self, secret: &Secret) -> Option<String> {
        if let Some(kind) = self.secrets.pair {
            let key = PrivateKey::read(kind, secret.reveal()).ok()?;
            return Some(key.public().write(self.secrets.public));
        }
        let pair = self.secrets.ed25519.as_ref()?;
        let key = pair.private(secret.reveal())?.ok()?;
        Some(format!("{}{}", pair.public_prefix, BASE64.encode(key.verifying_key().as_bytes())))
    }

    /// What a secret is: one that both sides share, or a key pair.
    pub fn signing_of(&self, secret: &Secret) -> Signing {
        if self.public_key(secret).is_some() { Signing::Ed25519 } else { Signing::Hmac }
    }

    /// A new secret of 32 random bytes, in this dialect's form; `None` where it must be given.
    pub fn generate_secret(&self, random: &[u8; 32]) -> Option<Secret> {
        match self.secrets.pair {
            Some(kind) => kind.generate(random).map(|text| Secret::new(text.as_str())),
            None => Some(self.secrets.generate(random)),
        }
    }

    /// A new secret of this kind; `Invalid` if the dialect has none of it. Where there are pairs only it is one.
    pub fn generate(&self, signing: Signing, random: &[u8; 32]) -> Result<Secret, Invalid> {
        match (self.secrets.pair, signing) {
            (Some(kind), _) => self.generate_secret(random).ok_or_else(|| {
                let (name, dialect) = (kind.name(), &self.name);
                Invalid::new(
                    "secret",
                    format!("must be given: {dialect} signs with {name} keys, which are not made here"),
                )
            }),
            (None, Signing::Hmac) => Ok(self.secrets.generate(random)),
            (None, Signing::Ed25519) => self.generate_pair(random).ok_or_else(|| {
                Invalid::new("signing", format!("must be \"hmac\": {} has no signatures with key pairs", self.name))
            }),
        }
    }
}

fn cannot_sign() -> Invalid {
    Invalid::new("secret", "is a public key, which cannot sign; give the private one")
}
