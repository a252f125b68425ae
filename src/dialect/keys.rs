//! Key pairs as others write them: private keys in PKCS #8, public ones as SubjectPublicKeyInfo (RFC 5280), both in PEM or
//! base64. What stays true: a private key never prints itself, and a receiver gets the public one only.

use base64::Engine as _;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

use super::encoding::{BASE64, hex, unhex};
use crate::clock;
use crate::domain::Invalid;

/// A kind of key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairKind {
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// ECDSA over P-256 with SHA-256; signatures are DER.
    EcdsaP256,
    /// RSA with SHA-256 (PKCS #1 v1.5).
    Rsa,
}

/// How receivers are given a public key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PublicForm {
    /// `-----BEGIN PUBLIC KEY-----` and so on.
    #[default]
    Pem,
    /// The base64 that stands in PEM, on one line.
    Base64,
    /// The 32 bytes of an Ed25519 key in hexadecimal.
    Hex,
}

/// The private key of a pair.
#[derive(Clone)]
pub(super) struct PrivateKey(Arc<Private>);

enum Private {
    Ed25519(Ed25519KeyPair),
    EcdsaP256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// The public key of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicKey {
    kind: PairKind,
    /// The point or the PKCS #1 key, without what says which kind it is.
    raw: Vec<u8>,
}

impl PairKind {
    /// As it is called in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::EcdsaP256 => "ECDSA P-256",
            Self::Rsa => "RSA",
        }
    }

    /// What a SubjectPublicKeyInfo says of its kind.
    fn identifier(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => &[0x30, 5, 6, 3, 0x2b, 0x65, 0x70],
            Self::EcdsaP256 => {
                &[0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]
            }
            Self::Rsa => &[0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0],
        }
    }

    fn algorithm(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Ed25519 => &ED25519,
            Self::EcdsaP256 => &ECDSA_P256_SHA256_ASN1,
            Self::Rsa => &RSA_PKCS1_2048_8192_SHA256,
        }
    }

    /// A new private key, where any 32 bytes are one.
    pub(super) fn generate(self, random: &[u8; 32]) -> Option<Zeroizing<String>> {
        // PKCS #8 (RFC 8410, 7) up to the 32 bytes themselves.
        const HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let der = || Zeroizing::new([HEAD.as_slice(), random].concat());
        (self == Self::Ed25519).then(|| Zeroizing::new(BASE64.encode(der().as_slice())))
    }
}

impl PrivateKey {
    /// Reads one; what is wrong inside of it is not told.
    pub fn read(kind: PairKind, text: &str) -> Result<Self, Invalid> {
        let name = kind.name();
        let message =
            || format!("must be an {name} private key: PKCS #8, in PEM (-----BEGIN PRIVATE KEY-----) or base64");
        let wrong = || Invalid::new("secret", message());
        let der = match text.trim_start().starts_with("-----") {
            true => {
                let read = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| wrong())?;
                Zeroizing::new(read.secret_pkcs8_der().to_vec())
            }
            false => Zeroizing::new(BASE64.decode(text.trim()).map_err(|_| wrong())?),
        };
        let read = match kind {
            PairKind::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(Private::Ed25519),
            PairKind::EcdsaP256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der, &clock::system_random())
                    .map(Private::EcdsaP256)
            }
            PairKind::Rsa => RsaKeyPair::from_pkcs8(&der).map(Private::Rsa),
        };
        read.map(|key| Self(Arc::new(key))).map_err(|_| wrong())
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        const RANDOM: &str = "the system gives random bytes: it gave some when the server was started";
        match &*self.0 {
            Private::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Private::EcdsaP256(key) => key.sign(&clock::system_random(), message).expect(RANDOM).as_ref().to_vec(),
            Private::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &clock::system_random(), message, &mut signature).expect(RANDOM);
                signature
            }
        }
    }

    /// The other half.
    pub fn public(&self) -> PublicKey {
        let (kind, raw) = match &*self.0 {
            Private::Ed25519(key) => (PairKind::Ed25519, key.public_key().as_ref()),
            Private::EcdsaP256(key) => (PairKind::EcdsaP256, key.public_key().as_ref()),
            Private::Rsa(key) => (PairKind::Rsa, key.public_key().as_ref()),
        };
        PublicKey { kind, raw: raw.to_vec() }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

impl PublicKey {
    /// Reads one in any of the forms.
    pub fn read(kind: PairKind, text: &str) -> Option<Self> {
        let text = text.trim();
        let der = match text.starts_with("-----") {
            true => SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).ok()?.as_ref().to_vec(),
            false => BASE64.decode(text).ok().unwrap_or_default(),
        };
        let bare = || unhex(text).filter(|raw| kind == PairKind::Ed25519 && raw.len() == 32);
        let raw = spki_key(kind, &der).map(<[u8]>::to_vec).or_else(bare)?;
        Some(Self { kind, raw })
    }

    /// As receivers are given it.
    pub fn write(&self, form: PublicForm) -> String {
        let base64 = || {
            let key = der(3, &[&[0], self.raw.as_slice()].concat());
            BASE64.encode(der(0x30, &[self.kind.identifier(), &key].concat()))
        };
        match form {
            PublicForm::Hex => hex(&self.raw),
            PublicForm::Base64 => base64(),
            PublicForm::Pem => {
                let text = base64();
                let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line) + "\n");
                format!("-----BEGIN PUBLIC KEY-----\n{}-----END PUBLIC KEY-----\n", lines.collect::<String>())
            }
        }
    }

    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(self.kind.algorithm(), &self.raw).verify(message, signature).is_ok()
    }
}

/// The key inside of a SubjectPublicKeyInfo of this kind.
fn spki_key(kind: PairKind, info: &[u8]) -> Option<&[u8]> {
    let (inner, rest) = contents(0x30, info)?;
    let (bits, more) = contents(3, inner.strip_prefix(kind.identifier())?)?;
    bits.strip_prefix(&[0]).filter(|_| rest.is_empty() && more.is_empty())
}

/// What is in the DER value that `bytes` begins with, and what follows it.
fn contents(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.strip_prefix(&[tag])?.split_first()?;
    let (length, rest) = match usize::from(*first) {
        short @ 0..=0x7f => (short, rest),
        long @ 0x81..=0x82 => {
            let (length, rest) = rest.split_at_checked(long - 0x80)?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// A DER value of less than 64 KiB.
fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(contents.len()).expect("a public key is short").to_be_bytes();
    let mut value = match (high, low) {
        (0, 0..=0x7f) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    value.extend_from_slice(contents);
    value
}
