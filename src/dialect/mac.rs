//! What signs: keyed hashes, key pairs, or the secret as it is; and a secret prepared for those that a dialect uses. What
//! stays true: a key is worked in once a webhook, not once a delivery, and never prints itself.

use ed25519_dalek::{Signature, Signer, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac as _};
use schemars::JsonSchema;
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

use super::keys::{PairKind, PrivateKey};

/// What a proof is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// HMAC-SHA1, which old contracts still send beside a better one.
    Sha1,
    /// HMAC-SHA256.
    Sha256,
    /// HMAC-SHA512.
    Sha512,
    /// The secret itself: a bearer token, or a name and a password.
    Secret,
    /// Ed25519, with a key pair.
    Ed25519,
    /// ECDSA over P-256 with SHA-256, with a key pair.
    #[serde(rename = "ecdsa-p256")]
    EcdsaP256,
    /// RSA with SHA-256 (PKCS #1 v1.5), with a key pair.
    #[serde(rename = "rsa-sha256")]
    Rsa,
}

impl Algorithm {
    /// The kind of key pair that it needs, if it needs one.
    pub fn pair(self) -> Option<PairKind> {
        match self {
            Self::Sha1 | Self::Sha256 | Self::Sha512 | Self::Secret => None,
            Self::Ed25519 => Some(PairKind::Ed25519),
            Self::EcdsaP256 => Some(PairKind::EcdsaP256),
            Self::Rsa => Some(PairKind::Rsa),
        }
    }
}

/// A secret, ready to sign with each algorithm of its dialect. A clone costs nothing.
#[derive(Clone)]
pub struct SigningKey(Key);

#[derive(Clone)]
enum Key {
    /// A shared one, worked into a state for each algorithm.
    Shared(Arc<[(Algorithm, Mac)]>),
    /// The private one of a pair.
    Pair(Arc<ed25519_dalek::SigningKey>),
    /// The private one of a pair, where the dialect has nothing else.
    Private(PrivateKey),
}

impl SigningKey {
    /// Works `key` into one state for each of `algorithms`; `secret` is the text that it was made of.
    pub(super) fn shared(secret: &str, key: &[u8], algorithms: impl Iterator<Item = Algorithm>) -> Self {
        let mut states: Vec<(Algorithm, Mac)> = Vec::new();
        for algorithm in algorithms {
            if !states.iter().any(|(known, _)| *known == algorithm) {
                states.push((algorithm, Mac::new(algorithm, secret, key)));
            }
        }
        Self(Key::Shared(states.into()))
    }

    /// Signs with the private key of a pair.
    pub(super) fn pair(key: ed25519_dalek::SigningKey) -> Self {
        Self(Key::Pair(Arc::new(key)))
    }

    /// Signs with the private key of a pair, where the dialect has nothing else.
    pub(super) fn private(key: PrivateKey) -> Self {
        Self(Key::Private(key))
    }

    /// Whether it is the private key of a pair beside shared ones.
    pub(super) fn is_pair(&self) -> bool {
        matches!(self.0, Key::Pair(_))
    }

    /// The encoded signature of the message that `say` says, piece by piece.
    ///
    /// # Panics
    /// If the key was made by a dialect that has no rule with this algorithm.
    pub(super) fn sign(
        &self,
        algorithm: Algorithm,
        say: impl FnOnce(&mut dyn FnMut(&[u8])),
        encode: impl FnOnce(&[u8]) -> String,
    ) -> String {
        match &self.0 {
            Key::Shared(states) => {
                let state = states.iter().find(|(known, _)| *known == algorithm);
                let mut mac = state.expect("a key is made for every rule of its dialect").1.clone();
                say(&mut |piece| mac.update(piece));
                mac.finish(encode)
            }
            Key::Pair(key) => encode(&key.sign(&message(say)).to_bytes()),
            Key::Private(key) => encode(&key.sign(&message(say))),
        }
    }
}

/// All pieces of a message, for what has to read it twice.
pub(super) fn message(say: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Vec<u8> {
    let mut message = Vec::new();
    say(&mut |piece| message.extend_from_slice(piece));
    message
}

/// Whether `signature` is that of the message under the public key of a pair.
pub(super) fn is_signed_by(key: &VerifyingKey, say: impl FnOnce(&mut dyn FnMut(&[u8])), signature: &[u8]) -> bool {
    Signature::from_slice(signature).is_ok_and(|signature| key.verify_strict(&message(say), &signature).is_ok())
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// An HMAC that is being computed, or what stands in its place.
#[derive(Clone)]
pub(super) enum Mac {
    Secret(Arc<Zeroizing<String>>),
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha512(Hmac<Sha512>),
}

impl Mac {
    fn new(algorithm: Algorithm, secret: &str, key: &[u8]) -> Self {
        const ANY_LENGTH: &str = "HMAC takes keys of any length";
        match algorithm {
            Algorithm::Sha1 => Self::Sha1(Hmac::new_from_slice(key).expect(ANY_LENGTH)),
            Algorithm::Sha256 => Self::Sha256(Hmac::new_from_slice(key).expect(ANY_LENGTH)),
            Algorithm::Sha512 => Self::Sha512(Hmac::new_from_slice(key).expect(ANY_LENGTH)),
            Algorithm::Secret => Self::Secret(Arc::new(Zeroizing::new(secret.to_string()))),
            Algorithm::Ed25519 | Algorithm::EcdsaP256 | Algorithm::Rsa => {
                unreachable!("a dialect that signs with key pairs has no shared secrets")
            }
        }
    }

    /// Goes on with `bytes`.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Secret(_) => {}
            Self::Sha1(mac) => mac.update(bytes),
            Self::Sha256(mac) => mac.update(bytes),
            Self::Sha512(mac) => mac.update(bytes),
        }
    }

    /// Ends, and writes the MAC as `write` does.
    pub(super) fn finish(self, write: impl FnOnce(&[u8]) -> String) -> String {
        match self {
            Self::Secret(secret) => write(secret.as_bytes()),
            Self::Sha1(mac) => write(&mac.finalize().into_bytes()),
            Self::Sha256(mac) => write(&mac.finalize().into_bytes()),
            Self::Sha512(mac) => write(&mac.finalize().into_bytes()),
        }
    }
}
