//! Every value that is not empty ends with a CRC32 over its tree's name, its key and itself: so a flipped bit is seen, and
//! so is a row that came to lie at another's key. A row without a value has nothing to check; sled's own checksums of its
//! pages hold those.
//!
//! The row of the format's number stays bare: every version of Hookwheel must be able to read it.

use sled::IVec;

use crate::store::damage::Damage;
use crate::store::layout::{META_FORMAT, Tree};

const SUM_BYTES: usize = 4;

/// The value as it is stored.
pub fn with(tree: Tree, key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    if !value.is_empty() && !is_bare(tree, key) {
        value.extend_from_slice(&sum(tree, key, &value));
    }
    value
}

/// The value of what is stored.
pub fn without(tree: Tree, key: &[u8], stored: IVec) -> Result<IVec, Damage> {
    if stored.is_empty() || is_bare(tree, key) {
        return Ok(stored);
    }
    match stored.split_last_chunk::<SUM_BYTES>() {
        Some((value, found)) if *found == sum(tree, key, value) => Ok(stored.subslice(0, stored.len() - SUM_BYTES)),
        _ => Err(Damage::at(tree, key, "its checksum does not fit")),
    }
}

/// How many bytes of what is stored are its value.
pub fn value_bytes(stored: &[u8]) -> usize {
    stored.len().saturating_sub(SUM_BYTES)
}

fn sum(tree: Tree, key: &[u8], value: &[u8]) -> [u8; SUM_BYTES] {
    let mut sum = crc32fast::Hasher::new();
    for part in [tree.name().as_bytes(), &[0], key, value] {
        sum.update(part);
    }
    sum.finalize().to_be_bytes()
}

fn is_bare(tree: Tree, key: &[u8]) -> bool {
    tree == Tree::Meta && key == META_FORMAT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bit_can_flip_and_no_row_can_move_unseen() {
        let stored = with(Tree::Names, b"key", b"value".to_vec());
        let read = |tree, key: &[u8], stored: &[u8]| without(tree, key, IVec::from(stored));
        assert_eq!(read(Tree::Names, b"key", &stored).unwrap(), b"value");
        assert!(read(Tree::Names, b"kez", &stored).is_err() && read(Tree::Meta, b"key", &stored).is_err());
        for bit in 0..stored.len() * 8 {
            let mut flipped = stored.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read(Tree::Names, b"key", &flipped).is_err(), "bit {bit}");
        }
        for len in 1..stored.len() {
            assert!(read(Tree::Names, b"key", &stored[..len]).is_err(), "cut at {len}");
        }
        assert_eq!(with(Tree::Due, b"key", Vec::new()), b"", "a row without a value stays without one");
    }
}
