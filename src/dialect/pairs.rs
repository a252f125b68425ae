//! Ed25519 key pairs beside secrets that both sides share, in a form of the dialect's own. What stays true: one glance at a key
//! tells which half it is, and that it is no shared secret.

use base64::Engine as _;
use ed25519_dalek::VerifyingKey;
use schemars::JsonSchema;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::encoding::BASE64;
use crate::domain::Invalid;

/// What the keys of an Ed25519 pair look like (RFC 8032): a prefix, then base64. The private one is its 32 bytes of seed, or
/// the seed and the public key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PairRule {
    /// Private keys begin with it, and no other secret does.
    #[schemars(length(min = 1), example = &"whsk_")]
    pub prefix: String,
    /// Public keys begin with it.
    #[schemars(length(min = 1), example = &"whpk_")]
    pub public_prefix: String,
}

impl PairRule {
    pub(super) fn private(&self, text: &str) -> Option<Result<ed25519_dalek::SigningKey, Invalid>> {
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

    pub(super) fn public(&self, text: &str) -> Option<Result<VerifyingKey, Invalid>> {
        let bytes = BASE64.decode(text.strip_prefix(self.public_prefix.as_str())?).unwrap_or_default();
        let read = bytes.as_slice().try_into().ok().and_then(|bytes| VerifyingKey::from_bytes(bytes).ok());
        let message = format!("must be the base64 of an Ed25519 public key after {:?}: 32 bytes", self.public_prefix);
        Some(read.ok_or_else(|| Invalid::new("secret", message)))
    }

    pub(super) fn check(&self, other: &str) -> Result<(), Invalid> {
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
