//! The head of what is encrypted: the key of the file, wrapped for each recipient, and a checksum that only this key makes. What
//! stays true: nothing behind the head is read before the checksum fits.

use std::io::{self, Read};

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::AgeError;
use super::keys::{Identity, KEY_BYTES, Recipient};
use super::payload::NONCE_BYTES;
use crate::clock::Dice;

/// What it begins with.
pub const MAGIC: &[u8] = b"age-encryption.org/v1\n";
/// Of a file's key.
const FILE_KEY_BYTES: usize = 16;
/// Of the whole head, at most: hundreds of recipients.
const HEADER_BYTES_MAX: usize = 64 << 10;
/// A full line of what belongs to a recipient.
const COLUMNS: usize = 64;
/// What the line of an X25519 key begins with.
const X25519: &str = "-> X25519 ";
/// What the last line begins with.
const END: &str = "---";

/// The key of one file. It cannot print itself.
#[derive(Clone)]
pub struct FileKey(Zeroizing<[u8; FILE_KEY_BYTES]>);

impl FileKey {
    /// A new one.
    pub fn new(dice: &mut Dice) -> Self {
        let mut key = Zeroizing::new([0; FILE_KEY_BYTES]);
        dice.fill(&mut *key);
        Self(key)
    }

    /// What the payload is sealed with.
    pub fn payload_cipher(&self, nonce: &[u8; NONCE_BYTES]) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new((&*self.derived(Some(nonce), b"payload")).into())
    }

    fn mac(&self, header: &[u8]) -> Hmac<Sha256> {
        let key = self.derived(None, b"header");
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(&*key).expect("a key of any length will do");
        mac.update(header);
        mac
    }

    fn derived(&self, salt: Option<&[u8]>, purpose: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        Hkdf::<Sha256>::new(salt, &*self.0).expand(purpose, &mut *key).expect("a key is short");
        key
    }
}

/// What something is decrypted with.
pub enum Keys {
    /// One of these, if it was encrypted for it.
    Identities(Vec<Identity>),
    /// Its own key, which whoever encrypted it still has.
    File(FileKey),
}

/// The head that wraps `key` for each of `recipients`.
pub fn written(key: &FileKey, recipients: &[Recipient], dice: &mut Dice) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    for recipient in recipients {
        let (share, wrapped) = recipient.wrap(&*key.0, dice);
        let [share, wrapped] = [&share[..], &wrapped].map(|bytes| BASE64_STANDARD_NO_PAD.encode(bytes));
        header.extend_from_slice(format!("{X25519}{share}\n{wrapped}\n").as_bytes());
    }
    header.extend_from_slice(END.as_bytes());
    let mac = BASE64_STANDARD_NO_PAD.encode(key.mac(&header).finalize().into_bytes());
    header.extend_from_slice(format!(" {mac}\n").as_bytes());
    header
}

/// Reads a head to its end, and not further: the key of the file.
pub fn read(from: &mut impl Read, keys: &Keys) -> Result<FileKey, AgeError> {
    let mut lines = Lines { from, left: HEADER_BYTES_MAX };
    let mut header = lines.line()?;
    if header.as_bytes() != MAGIC {
        return Err(AgeError::Header);
    }
    let mut found = None;
    loop {
        let line = lines.line()?;
        if let Some(mac) = line.strip_prefix(END) {
            header.push_str(END);
            let mac = mac.strip_prefix(' ').and_then(|mac| mac.strip_suffix('\n')).ok_or(AgeError::Header)?;
            let mac = BASE64_STANDARD_NO_PAD.decode(mac).map_err(|_| AgeError::Header)?;
            let key = match keys {
                Keys::File(key) => key.clone(),
                Keys::Identities(_) => found.ok_or(AgeError::WrongKey)?,
            };
            key.mac(header.as_bytes()).verify_slice(&mac).map_err(|_| AgeError::Header)?;
            return Ok(key);
        }
        let body = lines.body()?;
        found = found.or_else(|| unwrapped(&line, &body, keys));
        header.push_str(&line);
        header.push_str(&body);
    }
}

/// The key of the file, if this wraps it for somebody whom we have.
fn unwrapped(line: &str, body: &str, keys: &Keys) -> Option<FileKey> {
    let Keys::Identities(identities) = keys else { return None };
    let decoded = |text: &str| BASE64_STANDARD_NO_PAD.decode(text).ok();
    let share: [u8; KEY_BYTES] = decoded(line.strip_prefix(X25519)?.trim_end())?.try_into().ok()?;
    let wrapped = decoded(body.trim_end())?;
    let key = identities.iter().find_map(|identity| identity.unwrap(share, &wrapped))?;
    Some(FileKey(Zeroizing::new(key.as_slice().try_into().ok()?)))
}

/// The lines of a head, each with its end.
struct Lines<'a, R> {
    from: &'a mut R,
    left: usize,
}

impl<R: Read> Lines<'_, R> {
    fn line(&mut self) -> Result<String, AgeError> {
        let (mut line, mut byte) = (Vec::new(), [0]);
        while byte != *b"\n" {
            self.left = self.left.checked_sub(1).ok_or(AgeError::Header)?;
            self.from.read_exact(&mut byte).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => AgeError::Header,
                _ => AgeError::Io(error),
            })?;
            line.extend_from_slice(&byte);
        }
        String::from_utf8(line).map_err(|_| AgeError::Header)
    }

    /// What belongs to a recipient: full lines, and one that is not.
    fn body(&mut self) -> Result<String, AgeError> {
        let mut body = String::new();
        loop {
            let line = self.line()?;
            body.push_str(&line);
            if line.len() <= COLUMNS {
                return Ok(body);
            }
        }
    }
}
