//! What is encrypted, as a chain of sealed chunks. What stays true: a chunk opens only in its place, and the last one only as
//! the last: what is cut off, put elsewhere or put behind is seen.

use std::io::{self, Read, Write};

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, Nonce};

/// What stands before the chunks.
pub const NONCE_BYTES: usize = 16;
/// In the clear, of each chunk but the last one.
const CHUNK_BYTES: usize = 64 << 10;
/// What sealing adds to it.
const TAG_BYTES: usize = 16;

/// The nonce of a chunk: its number, and whether it is the last one.
fn place(number: u64, is_last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[3..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = u8::from(is_last);
    Nonce::from(nonce)
}

/// Seals what is written to it.
pub struct Encrypting<W> {
    out: W,
    cipher: ChaCha20Poly1305,
    number: u64,
    chunk: Vec<u8>,
}

impl<W: Write> Encrypting<W> {
    pub(super) fn new(out: W, cipher: ChaCha20Poly1305) -> Self {
        Self { out, cipher, number: 0, chunk: Vec::with_capacity(CHUNK_BYTES + TAG_BYTES) }
    }

    /// Writes its end, without which it is broken off.
    pub fn finish(mut self) -> io::Result<()> {
        self.seal(true)?;
        self.out.flush()
    }

    fn seal(&mut self, is_last: bool) -> io::Result<()> {
        let sealed = self.cipher.encrypt_in_place(&place(self.number, is_last), b"", &mut self.chunk);
        sealed.expect("a chunk is short");
        self.out.write_all(&self.chunk)?;
        self.chunk.clear();
        self.number += 1;
        Ok(())
    }
}

impl<W: Write> Write for Encrypting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Only once more comes, since the last one must not be empty.
        if self.chunk.len() == CHUNK_BYTES && !bytes.is_empty() {
            self.seal(false)?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// What does not fill a chunk stays.
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Opens what is read through it.
pub struct Decrypting<R> {
    from: R,
    cipher: ChaCha20Poly1305,
    number: u64,
    /// What comes behind the chunk that was opened last.
    ahead: Vec<u8>,
    chunk: Vec<u8>,
    /// So much of it has been given out.
    given: usize,
    is_over: bool,
}

impl<R: Read> Decrypting<R> {
    pub(super) fn new(from: R, cipher: ChaCha20Poly1305) -> Self {
        Self { from, cipher, number: 0, ahead: Vec::new(), chunk: Vec::new(), given: 0, is_over: false }
    }

    /// Opens the next one.
    fn open(&mut self) -> io::Result<()> {
        let mut sealed = std::mem::take(&mut self.ahead);
        let wanted = CHUNK_BYTES + TAG_BYTES + 1 - sealed.len();
        self.from.by_ref().take(wanted as u64).read_to_end(&mut sealed)?;
        // A byte more than a chunk has: there is another one.
        let is_last = sealed.len() <= CHUNK_BYTES + TAG_BYTES;
        if !is_last {
            self.ahead.extend(sealed.pop());
        }
        let opened = self.cipher.decrypt_in_place(&place(self.number, is_last), b"", &mut sealed);
        if opened.is_err() || (sealed.is_empty() && self.number > 0) {
            let why =
                format!("it was broken off or changed: its encrypted part {} is not as it was written", self.number);
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        (self.chunk, self.given, self.is_over) = (sealed, 0, is_last);
        self.number += 1;
        Ok(())
    }
}

impl<R: Read> Read for Decrypting<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.given == self.chunk.len() && !self.is_over {
            self.open()?;
        }
        let left = &self.chunk[self.given..];
        let given = left.len().min(bytes.len());
        bytes[..given].copy_from_slice(&left[..given]);
        self.given += given;
        Ok(given)
    }
}
