//! Where the rows go that a group writes: into the pack in which their keys belong, in a new one with their neighbours, or alone. What stays
//! true: packs never overlap, nothing lies between the rows of one, and no row moves to a smaller key.

use sled::IVec;

use super::held::Row;
use super::packs::{
    ENTRY_BYTES, KEY_BYTES, PREFIX_BYTES, Pack, ROW_BYTES_MAX, has_packs, is_of, is_place, pack_bytes, place, written,
};
use super::writes::{Changes, Writes};
use crate::store::error::StoreError;
use crate::store::layout::{Key, Tree};

/// A row that is changed: what was there, and what is there now.
#[derive(Debug, PartialEq, Eq)]
pub struct Changed {
    /// Its tree.
    pub tree: Tree,
    /// Its key.
    pub key: Key,
    /// As it was stored.
    pub before: Option<IVec>,
    /// As it is stored.
    pub after: Option<IVec>,
}

/// What lies in a tree, for who places rows in it.
pub trait Lying {
    /// What lies at the greatest key that is not greater.
    fn at_or_before(&self, tree: Tree, key: &[u8]) -> Result<Option<Row>, StoreError>;
    /// The first key after this one.
    fn after(&self, tree: Tree, key: &[u8]) -> Result<Option<IVec>, StoreError>;
}

/// What a group writes, by where it lies.
pub struct Placed<'a> {
    /// Of the trees without packs, as it is.
    writes: &'a Writes,
    /// Of those with packs.
    packed: Writes,
    /// What becomes of the rows of those.
    pub changed: Vec<Changed>,
}

impl<'a> Placed<'a> {
    /// What a group writes: rows of the trees that have packs go where they lie, or into packs.
    pub fn of(writes: &'a Writes, lying: &impl Lying) -> Result<Self, StoreError> {
        let mut placed = Self::without_packs(writes);
        for ((tree, _), changes) in
            Tree::ALL.into_iter().zip(writes.by_tree()).filter(|((tree, _), _)| has_packs(*tree))
        {
            let (to, changed) = (&mut placed.packed, &mut placed.changed);
            Placing { tree, lying, to, changed, at: At::Nowhere }.all(changes)?;
        }
        Ok(placed)
    }

    /// What a group writes that has no rows of trees with packs.
    pub fn without_packs(writes: &'a Writes) -> Self {
        Self { writes, packed: Writes::default(), changed: Vec::new() }
    }

    /// The changes of each tree that has any.
    pub fn by_tree(&self) -> impl Iterator<Item = (Tree, &Changes)> {
        let of_each = Tree::ALL.into_iter().filter_map(|(tree, _)| {
            let of = if has_packs(tree) { &self.packed } else { self.writes };
            Some((tree, of.by_tree().get(tree as usize)?))
        });
        of_each.filter(|(_, changes)| !changes.is_empty())
    }

    /// How many keys it touches: rows that lie together have one.
    pub fn keys(&self) -> usize {
        self.by_tree().map(|(_, changes)| changes.len()).sum()
    }
}

/// Places the rows of one tree, in the order of their keys.
struct Placing<'a, L> {
    tree: Tree,
    lying: &'a L,
    to: &'a mut Writes,
    changed: &'a mut Vec<Changed>,
    at: At,
}

/// Where the last row went.
enum At {
    Nowhere,
    /// Into a pack that was there: its place, its last key, its rows.
    Pack(Key, Key, Vec<(Key, IVec)>),
    /// Where nothing lies before that key, once it was looked up.
    Free(Option<Next>, Vec<(Key, IVec)>),
}

/// The next key at which something lies, if there is one.
type Next = Option<IVec>;

impl<L: Lying> Placing<'_, L> {
    fn all(mut self, changes: &Changes) -> Result<(), StoreError> {
        let mut changes: Vec<_> = changes.iter().collect();
        changes.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (key, value) in changes {
            let after = value.as_deref().map(IVec::from);
            let before = self.one(key, after.clone())?;
            self.changed.push(Changed { tree: self.tree, key: key.clone(), before, after });
        }
        self.leave();
        Ok(())
    }

    /// Places one row; gives what was there.
    fn one(&mut self, key: &Key, after: Option<IVec>) -> Result<Option<IVec>, StoreError> {
        match &mut self.at {
            At::Pack(_, last, rows) if key.len() == KEY_BYTES && key <= last => return Ok(put(rows, key, after)),
            At::Free(next, rows) if is_beside(rows, key) => {
                let next = match next {
                    Some(next) => next,
                    None => next.insert(self.lying.after(self.tree, &place(&rows[0].0))?),
                };
                if is_before(next.as_deref(), key) {
                    rows.extend(after.map(|after| (key.clone(), after)));
                    return Ok(None);
                }
                self.leave();
            }
            _ => self.leave(),
        }
        let there = if key.len() == KEY_BYTES { self.lying.at_or_before(self.tree, &place(key))? } else { None };
        match there {
            Some((at, stored)) if is_place(&at) => match Pack::read(self.tree, &at, stored.clone()) {
                Some(pack) if pack.reaches(key) => {
                    let mut rows: Vec<_> = pack.rows().map(|(key, stored)| (key.to_vec(), stored)).collect();
                    let last = rows.last().map(|(key, _)| key.clone()).unwrap_or_default();
                    let before = put(&mut rows, key, after);
                    self.at = At::Pack(at.to_vec(), last, rows);
                    return Ok(before);
                }
                // One of which nothing can be told is its first row.
                None if is_of(&at, key) => {
                    let rows = after.map(|after| (key.clone(), after)).into_iter().collect();
                    self.at = At::Pack(at.to_vec(), key.clone(), rows);
                    return Ok(Some(stored));
                }
                _ => {}
            },
            // A row that lies alone is changed where it is.
            Some((at, stored)) if at == *key => {
                self.to.push_as_it_is(self.tree, key.clone(), after.map(|after| after.to_vec()));
                return Ok(Some(stored));
            }
            _ => {}
        }
        if key.len() != KEY_BYTES {
            return self.elsewhere(key, after);
        }
        if let Some(after) = after {
            self.at = At::Free(None, vec![(key.clone(), after)]);
        }
        Ok(None)
    }

    /// What is no row's key lies where it does.
    fn elsewhere(&mut self, key: &Key, after: Option<IVec>) -> Result<Option<IVec>, StoreError> {
        let there = self.lying.at_or_before(self.tree, key)?.filter(|(at, _)| at == key);
        self.to.push_as_it_is(self.tree, key.clone(), after.map(|after| after.to_vec()));
        Ok(there.map(|(_, stored)| stored))
    }

    /// Writes what is not yet.
    fn leave(&mut self) {
        match std::mem::replace(&mut self.at, At::Nowhere) {
            At::Nowhere => {}
            At::Pack(place, _, rows) => self.write_pack(place, rows),
            At::Free(_, rows) => self.write_rows(rows),
        }
    }

    /// A pack that was there.
    fn write_pack(&mut self, at: Key, rows: Vec<(Key, IVec)>) {
        let bytes: usize = rows.iter().map(|(_, stored)| ENTRY_BYTES + stored.len()).sum();
        let is_fit = bytes <= 2 * pack_bytes(self.tree) && rows.iter().all(|(_, stored)| stored.len() <= ROW_BYTES_MAX);
        let mut parts = if is_fit { vec![rows] } else { parts(rows, pack_bytes(self.tree)) }.into_iter();
        // The first part stays where the pack was, also if it is one row: alone it would lie at a smaller key.
        let first = parts.next().filter(|part| !part.is_empty());
        let stays = first.map(|part| written(self.tree, &at, &part));
        self.to.push_as_it_is(self.tree, at, stays);
        parts.for_each(|part| self.write_part(part));
    }

    fn write_rows(&mut self, rows: Vec<(Key, IVec)>) {
        parts(rows, pack_bytes(self.tree)).into_iter().for_each(|part| self.write_part(part));
    }

    /// A new pack, or a row that lies alone.
    fn write_part(&mut self, mut part: Vec<(Key, IVec)>) {
        let (at, value) = match part.as_slice() {
            [_] => part.remove(0),
            rows => {
                let at = place(&rows[0].0);
                let value = written(self.tree, &at, rows);
                (at, IVec::from(value))
            }
        };
        self.to.push_as_it_is(self.tree, at, Some(value.to_vec()));
    }
}

/// Whether nothing lies at this key, nor a pack at its place, where this is the next that lies there.
fn is_before(next: Option<&[u8]>, key: &Key) -> bool {
    next.is_none_or(|next| key[..] < *next && !next.starts_with(key))
}

/// Whether a pack of these rows could have this one as its last.
fn is_beside(rows: &[(Key, IVec)], key: &Key) -> bool {
    key.len() == KEY_BYTES && rows.first().is_some_and(|(first, _)| first[..PREFIX_BYTES] == key[..PREFIX_BYTES])
}

/// Puts a row among others in order, or takes it out; gives what was there.
fn put(rows: &mut Vec<(Key, IVec)>, key: &Key, after: Option<IVec>) -> Option<IVec> {
    match (rows.binary_search_by(|(one, _)| one.cmp(key)), after) {
        (Ok(n), Some(after)) => Some(std::mem::replace(&mut rows[n].1, after)),
        (Ok(n), None) => Some(rows.remove(n).1),
        (Err(n), Some(after)) => {
            rows.insert(n, (key.clone(), after));
            None
        }
        (Err(_), None) => None,
    }
}

/// Rows in order, as many together as a pack has; those that are long alone.
fn parts(rows: Vec<(Key, IVec)>, pack_bytes: usize) -> Vec<Vec<(Key, IVec)>> {
    let mut parts: Vec<Vec<(Key, IVec)>> = Vec::new();
    let mut bytes = usize::MAX;
    for (key, stored) in rows {
        let is_long = stored.len() > ROW_BYTES_MAX;
        if is_long || bytes.saturating_add(stored.len()) > pack_bytes {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes = if is_long { usize::MAX } else { bytes + ENTRY_BYTES + stored.len() };
        parts.last_mut().expect("there is one by now").push((key, stored));
    }
    parts
}
