//! A dialect's rule for signing secrets, and the keys that come of them.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::Dialect;
use super::mac::SigningKey;
use crate::domain::Invalid;
use crate::domain::secret::Secret;

/// Standard base64, with or without its `=`.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

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
}

impl SecretRule {
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
    pub(super) fn check(&self) -> Result<(), Invalid> {
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
        let length = rule.key_bytes(text)?.len();
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
        let bytes = self.secrets.key_bytes(secret.reveal())?;
        Ok(SigningKey::new(&bytes, self.signature.iter().map(|rule| rule.algorithm)))
    }

    /// A new secret of 32 random bytes, in this dialect's form.
    pub fn generate_secret(&self, random: &[u8; 32]) -> Secret {
        self.secrets.generate(random)
    }
}
