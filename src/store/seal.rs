//! Sealing: a record that holds secrets is encrypted before it is written (XChaCha20-Poly1305), with a master key that no
//! record holds. What stays true: a sealed record names the key that opens it, and opens only in the place that it was
//! sealed for; the first of the master keys seals, all of them open.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::{Zeroize, Zeroizing};

use super::damage::Damage;
use super::error::StoreError;
use super::key_mark::{KeyMark, MARK_BYTES, SEAL_VERSION};
use super::layout::Tree;
use super::record;
use super::trees::Trees;
use crate::clock::Dice;

/// The trees whose records are sealed.
pub(super) const SEALED: [Tree; 2] = [Tree::Webhooks, Tree::Users];

const NONCE_BYTES: usize = 24;
const HEAD_BYTES: usize = 1 + MARK_BYTES + NONCE_BYTES;

/// The master keys, the one that seals first. They cannot print themselves.
#[derive(Clone)]
pub struct MasterKeys(Vec<(KeyMark, XChaCha20Poly1305)>);

impl MasterKeys {
    /// `None` without any key.
    pub(super) fn new(keys: &[Zeroizing<[u8; 32]>]) -> Option<Self> {
        let key = |key: &Zeroizing<[u8; 32]>| (KeyMark::of(key), XChaCha20Poly1305::new((&**key).into()));
        (!keys.is_empty()).then(|| Self(keys.iter().map(key).collect()))
    }

    /// The key that seals.
    pub fn current(&self) -> KeyMark {
        self.0[0].0
    }

    /// All of them, the one that seals first.
    pub fn marks(&self) -> impl Iterator<Item = KeyMark> {
        self.0.iter().map(|(mark, _)| *mark)
    }

    fn cipher(&self, mark: KeyMark) -> Option<&XChaCha20Poly1305> {
        self.0.iter().find(|(known, _)| *known == mark).map(|(_, cipher)| cipher)
    }

    /// The record of `value`, sealed for its place.
    pub(super) fn seal<T: Serialize>(&self, tree: Tree, key: &[u8], value: &T, dice: &mut Dice) -> Vec<u8> {
        let (mark, cipher) = &self.0[0];
        let mut nonce = [0; NONCE_BYTES];
        dice.fill(&mut nonce);
        let mut record = record::encode(value);
        let sealed = cipher.encrypt_in_place(&XNonce::from(nonce), &place(tree, key), &mut record);
        sealed.expect("a record is shorter than the cipher's bound of 256 GiB");
        [&[SEAL_VERSION], mark.bytes(), &nonce, &record].concat()
    }

    /// The value of a sealed record in its place.
    pub(super) fn open<T: DeserializeOwned>(&self, tree: Tree, key: &[u8], sealed: &[u8]) -> Result<T, StoreError> {
        let damaged = |why: &str| Damage::at(tree, key, why);
        let mark = KeyMark::on(sealed).ok_or_else(|| damaged("its form is not known"))?;
        let cipher = self.cipher(mark).ok_or_else(|| damaged(&format!("the master key {mark} is not here")))?;
        let (head, body) = sealed.split_at_checked(HEAD_BYTES).ok_or_else(|| damaged("it is too short"))?;
        let nonce = head.last_chunk::<NONCE_BYTES>().expect("the head ends with it");
        let mut record = body.to_vec();
        let opened = cipher.decrypt_in_place(&XNonce::from(*nonce), &place(tree, key), &mut record);
        let value = opened.map_err(|_| damaged("it was changed")).and_then(|()| {
            let value = record::decode_grown(&record);
            value.map_err(|why| damaged(&why))
        });
        record.zeroize();
        Ok(value?)
    }
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.marks()).finish()
    }
}

/// What a record is bound to: nobody can put one webhook's record in another's place.
fn place(tree: Tree, key: &[u8]) -> Vec<u8> {
    [tree.name().as_bytes(), &[0], key].concat()
}

/// How many webhooks and users each key has sealed.
pub(super) fn in_use(trees: &Trees) -> Result<BTreeMap<KeyMark, usize>, StoreError> {
    let mut counts = BTreeMap::new();
    for tree in SEALED {
        for row in trees.all(tree) {
            let mark = row.and_then(|(key, sealed)| {
                Ok(KeyMark::on(&sealed).ok_or_else(|| Damage::at(tree, &key, "its form is not known"))?)
            });
            trees.readable(mark)?.into_iter().for_each(|mark| *counts.entry(mark).or_default() += 1);
        }
    }
    Ok(counts)
}

/// The master keys in force, and whether others may have sealed what is stored.
#[derive(Debug)]
pub struct Seals {
    keys: ArcSwap<MasterKeys>,
    is_stale: AtomicBool,
}

impl Seals {
    /// These keys; what is stored is looked through.
    pub(super) fn new(keys: MasterKeys) -> Self {
        Self { keys: ArcSwap::from_pointee(keys), is_stale: AtomicBool::new(true) }
    }

    /// The keys in force.
    pub fn keys(&self) -> Arc<MasterKeys> {
        self.keys.load_full()
    }

    /// Whether others than the key in force may have sealed what is stored.
    pub(super) fn is_stale(&self) -> bool {
        self.is_stale.load(Ordering::Relaxed)
    }

    /// Says so, or that all is being looked at from here on.
    pub(super) fn set_stale(&self, is_stale: bool) {
        self.is_stale.store(is_stale, Ordering::Relaxed);
    }

    /// Other keys from now on. Every key that has sealed something must be among them.
    pub(super) fn change(&self, keys: MasterKeys) {
        self.keys.store(Arc::new(keys));
        self.is_stale.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::bench::Bench;

    fn keys(bytes: &[u8]) -> MasterKeys {
        let keys: Vec<_> = bytes.iter().map(|byte| Zeroizing::new([*byte; 32])).collect();
        MasterKeys::new(&keys).unwrap()
    }

    #[test]
    fn a_record_opens_with_its_key_and_in_its_place_only() {
        let (mut dice, value) = (Dice::seeded(1), ("hush".to_string(), 7u32));
        let sealed = keys(&[1]).seal(Tree::Webhooks, b"a", &value, &mut dice);
        let open = |keys: &MasterKeys, tree, key: &[u8], sealed: &[u8]| keys.open::<(String, u32)>(tree, key, sealed);
        assert!(!sealed.windows(4).any(|part| part == b"hush"));
        assert_eq!(open(&keys(&[2, 1]), Tree::Webhooks, b"a", &sealed).unwrap(), value);
        assert!(open(&keys(&[2]), Tree::Webhooks, b"a", &sealed).is_err(), "another key");
        assert!(open(&keys(&[1]), Tree::Webhooks, b"b", &sealed).is_err(), "another place");
        assert!(open(&keys(&[1]), Tree::Keys, b"a", &sealed).is_err(), "another tree");
        for n in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[n] ^= 1;
            assert!(open(&keys(&[1]), Tree::Webhooks, b"a", &changed).is_err(), "byte {n}");
            assert!(open(&keys(&[1]), Tree::Webhooks, b"a", &sealed[..n]).is_err(), "cut at {n}");
        }
    }

    #[test]
    fn no_two_seals_are_the_same() {
        let (mut dice, keys) = (Dice::seeded(1), keys(&[1]));
        let one = keys.seal(Tree::Webhooks, b"a", &1u8, &mut dice);
        assert_ne!(one, keys.seal(Tree::Webhooks, b"a", &1u8, &mut dice));
    }

    #[test]
    fn master_keys_cannot_print_themselves() {
        let text = format!("{:?}", keys(&[0xab]));
        assert!(!text.contains("abab") && !text.contains("171"), "{text}");
    }

    #[test]
    fn master_keys_print_their_names() {
        let of = |byte: u8| format!("{:?}", KeyMark::of(&[byte; 32]));
        assert_eq!(format!("{:?}", keys(&[1, 2])), format!("[{}, {}]", of(1), of(2)));
    }

    #[test]
    fn what_each_master_key_has_sealed_is_counted() {
        let bench = Bench::new();
        let sealed = [1, 1, 2].map(|byte| keys(&[byte]).seal(Tree::Webhooks, b"a", &1u8, &mut Dice::seeded(1)));
        for (n, sealed) in (1..).zip(sealed) {
            bench.put(Tree::Webhooks, vec![0, 0, 0, n], sealed);
        }
        let counts = BTreeMap::from([1, 2].map(|byte: u8| (KeyMark::of(&[byte; 32]), 3 - usize::from(byte))));
        assert_eq!(in_use(&bench.trees()), Ok(counts));
    }

    #[test]
    fn what_is_stored_is_looked_through_at_first_and_after_each_change() {
        let seals = Seals::new(keys(&[1]));
        assert!(seals.is_stale());
        seals.set_stale(false);
        assert!(!seals.is_stale());
        seals.change(keys(&[2, 1]));
        assert!(seals.is_stale());
    }
}
