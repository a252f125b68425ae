//! The two halves of a key: a recipient, for whom something is encrypted, and the identity that decrypts it. What stays true: an
//! identity shows itself only where it is written to its file.

use std::str::FromStr;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use hkdf::Hkdf;
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::clock::Dice;

/// What a recipient begins with.
const RECIPIENT: &str = "age";
/// What an identity begins with.
const IDENTITY: &str = "age-secret-key-";
/// Of each half, and of what wraps a file's key.
pub const KEY_BYTES: usize = 32;
/// What the wrapping key is derived for.
const PURPOSE: &[u8] = b"age-encryption.org/v1/X25519";

/// Whoever can decrypt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient([u8; KEY_BYTES]);

impl FromStr for Recipient {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.to_ascii_lowercase().starts_with(IDENTITY) {
            return Err("that is the secret half of a key: the recipient is its public half, which begins with age1");
        }
        let wrong =
            "it is no recipient of age: such a one begins with age1, has 62 characters and ends with a checksum";
        let bytes = decoded(RECIPIENT, text).ok_or(wrong)?;
        // With a point of a small order everybody would agree on the same.
        let agreed = StaticSecret::from([1; KEY_BYTES]).diffie_hellman(&PublicKey::from(*bytes));
        if agreed.was_contributory() { Ok(Self(*bytes)) } else { Err(wrong) }
    }
}

impl std::fmt::Display for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&encoded(RECIPIENT, &self.0))
    }
}

impl Recipient {
    /// A file's key, which nobody but the recipient unwraps, and the share that it takes for that.
    pub fn wrap(&self, file_key: &[u8], dice: &mut Dice) -> ([u8; KEY_BYTES], Vec<u8>) {
        let once = secret(dice);
        let share = PublicKey::from(&once);
        let agreed = once.diffie_hellman(&PublicKey::from(self.0));
        let mut wrapped = file_key.to_vec();
        let cipher = wrapping(agreed.as_bytes(), share.as_bytes(), &self.0);
        cipher.encrypt_in_place(&Nonce::default(), b"", &mut wrapped).expect("a key is short");
        (share.to_bytes(), wrapped)
    }
}

/// Who decrypts. It cannot print itself.
pub struct Identity(StaticSecret);

impl Identity {
    /// A new one.
    pub fn new() -> Self {
        Self(secret(&mut Dice::from_system()))
    }

    /// Its public half.
    pub fn recipient(&self) -> Recipient {
        Recipient(PublicKey::from(&self.0).to_bytes())
    }

    /// As its file holds it.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(encoded(IDENTITY, self.0.as_bytes()).to_ascii_uppercase())
    }

    /// A file's key that was wrapped for this one.
    pub fn unwrap(&self, share: [u8; KEY_BYTES], wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let agreed = self.0.diffie_hellman(&PublicKey::from(share));
        // A share of a small order would agree on nothing.
        if !agreed.was_contributory() {
            return None;
        }
        let mut key = Zeroizing::new(wrapped.to_vec());
        let cipher = wrapping(agreed.as_bytes(), &share, &self.recipient().0);
        cipher.decrypt_in_place(&Nonce::default(), b"", &mut *key).ok()?;
        Some(key)
    }
}

/// The identities in a file: one a line, beside comments; `None` if a line is none.
pub fn identities(text: &str) -> Option<Vec<Identity>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let all: Option<Vec<_>> = lines.map(|line| Some(Identity(StaticSecret::from(*decoded(IDENTITY, line)?)))).collect();
    all.filter(|all| !all.is_empty())
}

fn secret(dice: &mut Dice) -> StaticSecret {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    dice.fill(&mut *bytes);
    StaticSecret::from(*bytes)
}

fn wrapping(agreed: &[u8], share: &[u8], recipient: &[u8]) -> ChaCha20Poly1305 {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    let salt = [share, recipient].concat();
    Hkdf::<Sha256>::new(Some(&salt), agreed).expand(PURPOSE, &mut *key).expect("a key is short");
    ChaCha20Poly1305::new((&*key).into())
}

pub(super) fn encoded(kind: &str, bytes: &[u8]) -> String {
    bech32::encode::<Bech32>(Hrp::parse_unchecked(kind), bytes).expect("a key is short")
}

fn decoded(kind: &str, text: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let checked = CheckedHrpstring::new::<Bech32>(text).ok()?;
    let bytes = Zeroizing::new(checked.byte_iter().collect::<Vec<_>>());
    let bytes: [u8; KEY_BYTES] = bytes.as_slice().try_into().ok()?;
    (checked.hrp().to_lowercase() == kind).then(|| Zeroizing::new(bytes))
}
