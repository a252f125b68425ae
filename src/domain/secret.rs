//! Secrets: values that cannot print themselves, and are wiped from memory when they are dropped.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroize;

use super::time::UnixMs;

/// How long old secrets go on signing where the caller does not say: a day.
pub const OVERLAP_SECONDS_DEFAULT: u64 = 24 * 60 * 60;
/// The longest that they may: 30 days.
pub const OVERLAP_SECONDS_MAX: u64 = 30 * 24 * 60 * 60;

/// The text of a secret, as the user knows it. Its `Debug` shows nothing, and it has no `Display`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text; the bounds are checked by the dialect.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// A new master key of 32 random bytes, as the store reads it.
    pub fn master_key(random: &[u8; 32]) -> Self {
        Self(BASE64_STANDARD.encode(random))
    }
    /// The text itself, for signing and for the one reply that shows it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A random key that the store seals something of its own with. Nobody is ever shown it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataKey([u8; 32]);

impl DataKey {
    /// Of these random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }
    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Drop for DataKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// A secret and how long it signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningSecret {
    /// The secret.
    pub secret: Secret,
    /// It signs until then; `None`: until it is rotated out.
    pub until: Option<UnixMs>,
}

impl SigningSecret {
    /// Whether it signs at `now`.
    pub fn signs_at(&self, now: UnixMs) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_cannot_print_itself() {
        let secret = SigningSecret { secret: Secret::new("hush"), until: None };
        let said = format!("{secret:?} {:?}", DataKey::new([0x41; 32]));
        assert!(said.contains("Secret(…)") && said.contains("DataKey(…)"), "{said}");
        assert!(!said.contains("hush") && !said.contains("65") && !said.contains("AA"), "{said}");
    }
}
