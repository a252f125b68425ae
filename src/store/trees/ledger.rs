//! What the store knows of its own writes: how many groups there were, a chain over them, and a sum over all rows that are
//! there. It is written by each group in its own transaction, beside the greatest id. The number and the chain show
//! whether a store is the one that was left, whole or cut short; the sum shows whether a row is missing or is not the
//! one that was written, wherever it is: sled leaves out parts of a damaged log without a word.

use sha2::{Digest, Sha256};

use crate::store::layout::{META_LAST_ID, Tree};

/// The record that it is a part of: with each group that is the last id given.
pub const PLACE: (Tree, &[u8]) = (Tree::Meta, META_LAST_ID);
/// Where its part of the record begins: behind the greatest id and the bytes of events.
pub const AT: usize = 24;

/// The last group: equal numbers with other chains are two histories.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Group {
    /// Groups since the store was made.
    pub number: u64,
    /// A hash of the one before and of what this one changed.
    pub chain: [u8; 32],
}

/// Of any number of rows, in any order: what was added can be taken away again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub rows: u64,
    hash: u64,
}

impl Sum {
    /// Of one row.
    pub fn of(tree: Tree, key: &[u8], value: &[u8]) -> Self {
        let mut of_key = crc32fast::Hasher::new_with_initial(tree as u32 + 1);
        of_key.update(key);
        let both = u64::from(of_key.finalize()) << 32 | u64::from(crc32fast::hash(value));
        Self { rows: 1, hash: mixed(both) }
    }

    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self { rows: self.rows.wrapping_add(other.rows), hash: self.hash.wrapping_add(other.hash) }
    }

    /// This without the other.
    pub fn without(self, other: Self) -> Self {
        Self { rows: self.rows.wrapping_sub(other.rows), hash: self.hash.wrapping_sub(other.hash) }
    }

    /// Its bytes.
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.rows) << 64 | u128::from(self.hash)).to_be_bytes()
    }

    fn from_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_be_bytes(bytes);
        Self { rows: (both >> 64) as u64, hash: both as u64 }
    }
}

/// Spreads what differs in few bits over all of them (the last steps of splitmix64).
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// All that is known after a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The group.
    pub group: Group,
    /// The sum of all rows but the ledger's own; unknown where a store was made before there were ledgers.
    pub sum: Option<Sum>,
}

impl Ledger {
    /// Of a store that is being made.
    pub fn new() -> Self {
        Self { sum: Some(Sum::default()), ..Self::default() }
    }

    /// From the record that it is a part of; of an older one, nothing is known.
    pub fn read(record: &[u8]) -> Option<Self> {
        let Some(bytes) = record.get(AT..).filter(|bytes| !bytes.is_empty()) else { return Some(Self::default()) };
        let (number, bytes) = bytes.split_first_chunk::<8>()?;
        let (chain, bytes) = bytes.split_first_chunk::<32>()?;
        let sum = if bytes.is_empty() { None } else { Some(Sum::from_bytes(bytes.try_into().ok()?)) };
        Some(Self { group: Group { number: u64::from_be_bytes(*number), chain: *chain }, sum })
    }

    /// The record with its part.
    pub fn write(&self, record: &[u8]) -> Vec<u8> {
        let mut bytes = record[..AT].to_vec();
        bytes.extend_from_slice(&self.group.number.to_be_bytes());
        bytes.extend_from_slice(&self.group.chain);
        if let Some(sum) = self.sum {
            bytes.extend_from_slice(&sum.to_bytes());
        }
        bytes
    }

    /// After one more group that changed the sum of the rows by so much.
    pub fn after(&self, change: Sum) -> Self {
        let mut hash = Sha256::new();
        hash.update(self.group.chain);
        hash.update(change.to_bytes());
        let group = Group { number: self.group.number + 1, chain: hash.finalize().into() };
        Self { group, sum: self.sum.map(|sum| sum.and(change)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_knows_each_row_and_not_their_order() {
        let one = |tree, key: &str, value: &str| Sum::of(tree, key.as_bytes(), value.as_bytes());
        let (a, b) = (one(Tree::Fresh, "a", "1"), one(Tree::Closed, "a", "1"));
        assert_eq!(a.and(b), b.and(a));
        assert_eq!(a.and(b).without(a), b);
        assert_eq!(a.and(b).without(a).without(b), Sum::default());
        for other in [one(Tree::Waiting, "a", "1"), one(Tree::Fresh, "b", "1"), one(Tree::Fresh, "a", "2"), b] {
            assert_ne!(a, other);
        }
    }

    #[test]
    fn what_is_written_is_read_and_an_older_record_has_nothing() {
        let record = [7; AT];
        let ledger = Ledger::new().after(Sum::of(Tree::Fresh, b"a", b"1"));
        assert_eq!(Ledger::read(&ledger.write(&record)), Some(ledger));
        let unknown = Ledger { sum: None, ..ledger };
        assert_eq!(Ledger::read(&unknown.write(&record)), Some(unknown));
        assert_eq!(Ledger::read(&record), Some(Ledger::default()));
        assert_eq!(Ledger::read(&ledger.write(&record)[..60]), None, "a part of it");
        assert_eq!(ledger.write(&ledger.write(&record)), ledger.write(&record));
    }

    #[test]
    fn the_chain_tells_histories_apart() {
        let (a, b) = (Sum::of(Tree::Fresh, b"a", b"1"), Sum::of(Tree::Fresh, b"b", b"1"));
        let start = Ledger::new();
        assert_ne!(start.after(a).after(b).group, start.after(b).after(a).group);
        assert_eq!(start.after(a).after(b).sum, start.after(b).after(a).sum);
        assert_eq!(start.after(a).after(b).group.number, 2);
    }

    #[test]
    fn bits_are_mixed_as_splitmix64_does() {
        let first_of = |seed: u64| mixed(seed.wrapping_add(0x9e37_79b9_7f4a_7c15));
        assert_eq!([0, 1_234_567].map(first_of), [0xe220_a839_7b1d_cdaf, 0x599e_d017_fb08_fc85]);
    }

    #[test]
    fn sums_that_are_stored_stay_what_they_are() {
        let sum = Sum::of(Tree::Closed, b"key", b"value");
        assert_eq!(u128::from_be_bytes(sum.to_bytes()), 0x1_d8e8_467e_b219_32f1);
        assert_eq!(Sum::from_bytes(sum.to_bytes()), sum);
    }
}
