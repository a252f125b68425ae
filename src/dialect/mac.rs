//! The keyed hashes that sign: which there are, and a secret prepared for those that a dialect uses. What stays true: a
//! key is worked in once a webhook, not once a delivery, and never prints itself.

use hmac::{Hmac, KeyInit, Mac as _};
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use std::fmt;
use std::sync::Arc;

/// The MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// HMAC-SHA1, which old contracts still send beside a better one.
    Sha1,
    /// HMAC-SHA256.
    Sha256,
    /// HMAC-SHA512.
    Sha512,
}

/// A secret, ready to sign with each algorithm of its dialect. A clone costs nothing.
#[derive(Clone)]
pub struct SigningKey(Arc<[(Algorithm, Mac)]>);

impl SigningKey {
    /// Works `key` into one state for each of `algorithms`.
    pub(super) fn new(key: &[u8], algorithms: impl Iterator<Item = Algorithm>) -> Self {
        let mut states: Vec<(Algorithm, Mac)> = Vec::new();
        for algorithm in algorithms {
            if !states.iter().any(|(known, _)| *known == algorithm) {
                states.push((algorithm, Mac::new(algorithm, key)));
            }
        }
        Self(states.into())
    }

    /// A MAC with the key already in it.
    ///
    /// # Panics
    /// If the key was made by a dialect that has no rule with this algorithm.
    pub(super) fn mac(&self, algorithm: Algorithm) -> Mac {
        let state = self.0.iter().find(|(known, _)| *known == algorithm);
        state.expect("a key is made for every rule of its dialect").1.clone()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// An HMAC that is being computed.
#[derive(Clone)]
pub(super) enum Mac {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
}

impl Mac {
    fn new(algorithm: Algorithm, key: &[u8]) -> Self {
        const ANY_LENGTH: &str = "HMAC takes keys of any length";
        match algorithm {
            Algorithm::Sha1 => Self::Sha1(Hmac::new_from_slice(key).expect(ANY_LENGTH)),
            Algorithm::Sha256 => Self::Sha256(Hmac::new_from_slice(key).expect(ANY_LENGTH)),
            Algorithm::Sha512 => Self::Sha512(Hmac::new_from_slice(key).expect(ANY_LENGTH)),
        }
    }

    /// Goes on with `bytes`.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(mac) => mac.update(bytes),
            Self::Sha256(mac) => mac.update(bytes),
            Self::Sha512(mac) => mac.update(bytes),
        }
    }

    /// Ends, and writes the MAC as `write` does.
    pub(super) fn finish(self, write: impl FnOnce(&[u8]) -> String) -> String {
        match self {
            Self::Sha1(mac) => write(&mac.finalize().into_bytes()),
            Self::Sha256(mac) => write(&mac.finalize().into_bytes()),
            Self::Sha512(mac) => write(&mac.finalize().into_bytes()),
        }
    }
}
