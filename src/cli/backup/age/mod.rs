//! Encryption as the `age` tool does it (age-encryption.org/v1), for X25519 keys: what is written here it reads, and the other way
//! round. What stays true: nothing of a payload is given out before it is authenticated, and an end that is missing is an error.
//!
//! The crate `age` would bring 75 others along, most of them for translations, plugins and other kinds of keys. What a
//! backup needs of the format is a header and a chain of sealed chunks, out of primitives that are here anyway.

mod error;
mod header;
mod keys;
mod payload;

use std::io::{self, Read, Write};

use crate::clock::Dice;
pub use error::AgeError;
pub use header::{FileKey, Keys, MAGIC};
pub use keys::{Identity, Recipient, identities};
pub use payload::{Decrypting, Encrypting};

/// Encrypts all that is written for each of `recipients`, of whom there is at least one. [`Encrypting::finish`] writes its end.
pub fn encrypt<W: Write>(mut out: W, recipients: &[Recipient]) -> io::Result<(Encrypting<W>, FileKey)> {
    let mut dice = Dice::from_system();
    let key = FileKey::new(&mut dice);
    out.write_all(&header::written(&key, recipients, &mut dice))?;
    let mut nonce = [0; payload::NONCE_BYTES];
    dice.fill(&mut nonce);
    out.write_all(&nonce)?;
    Ok((Encrypting::new(out, key.payload_cipher(&nonce)), key))
}

/// What was encrypted, in the clear. `from` is read in small pieces at first.
pub fn decrypt<R: Read>(mut from: R, keys: &Keys) -> Result<Decrypting<R>, AgeError> {
    let key = header::read(&mut from, keys)?;
    let mut nonce = [0; payload::NONCE_BYTES];
    from.read_exact(&mut nonce).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => AgeError::Header,
        _ => AgeError::Io(error),
    })?;
    let cipher = key.payload_cipher(&nonce);
    Ok(Decrypting::new(from, cipher))
}

#[cfg(test)]
mod tests;
