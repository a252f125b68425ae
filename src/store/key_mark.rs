//! The name of a master key, which every record that it has sealed begins with.

use std::fmt;

use sha2::{Digest, Sha256};

/// The form of a sealed record: this byte, the key's mark, the nonce, the encrypted record and its tag.
pub(super) const SEAL_VERSION: u8 = 1;
pub(super) const MARK_BYTES: usize = 4;

/// Names a master key without telling anything of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyMark([u8; MARK_BYTES]);

impl KeyMark {
    /// The name of this key.
    pub(super) fn of(key: &[u8; 32]) -> Self {
        let hash = Sha256::new().chain_update(b"hookwheel master key").chain_update(key).finalize();
        Self(*hash.first_chunk().expect("a hash is longer than a mark"))
    }

    /// Its bytes in a sealed record.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The mark that a sealed record begins with.
    pub(super) fn on(sealed: &[u8]) -> Option<Self> {
        let (version, rest) = sealed.split_first()?;
        rest.first_chunk().copied().map(Self).filter(|_| *version == SEAL_VERSION)
    }
}

impl fmt::Display for KeyMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}
