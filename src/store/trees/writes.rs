//! What one commit writes. Each value gets its checksum here, wherever the trees lie.

use super::checksum;
use super::late::Change;
use crate::store::layout::{Key, Tree, VALUE_BYTES_MAX};

/// Keys of one tree with their new value, or `None` to remove them.
pub type Changes = Vec<(Key, Option<Vec<u8>>)>;

/// What one commit writes, for each tree.
#[derive(Debug, Default)]
pub struct Writes {
    by_tree: Vec<Changes>,
    /// Rows that are not written now, and those that are no longer held instead of being written.
    pub late: Change,
}

impl Writes {
    /// Adds one key. A key may be given once.
    pub fn push(&mut self, tree: Tree, key: Key, value: Option<Vec<u8>>) {
        debug_assert!(value.as_ref().is_none_or(|v| v.len() <= VALUE_BYTES_MAX + 64), "{tree:?}: a value is too long");
        let value = value.map(|value| checksum::with(tree, &key, value));
        self.push_as_it_is(tree, key, value);
    }

    /// As [`Self::push`], without a checksum: a row that could not be read cannot be read afterwards either.
    pub fn push_as_it_is(&mut self, tree: Tree, key: Key, value: Option<Vec<u8>>) {
        self.by_tree.resize_with(Tree::ALL.len(), Vec::new);
        self.by_tree[tree as usize].push((key, value));
    }

    /// Every change: its tree, its key, and the bytes of key and value; 0 where the key is removed.
    pub fn all(&self) -> impl Iterator<Item = (Tree, &Key, usize)> {
        Tree::ALL.iter().zip(&self.by_tree).flat_map(|((tree, _), changes)| {
            changes.iter().map(|(key, value)| {
                let bytes = value.as_ref().map_or(0, |value| key.len() + checksum::value_bytes(value));
                (*tree, key, bytes)
            })
        })
    }

    /// How many keys it touches.
    pub fn keys(&self) -> usize {
        self.by_tree.iter().map(Vec::len).sum()
    }

    /// The changes of each tree, in the order of [`Tree`]; empty if there are none at all.
    pub fn by_tree(&self) -> &[Changes] {
        &self.by_tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_with_the_bytes_of_its_row() {
        let mut writes = Writes::default();
        writes.push(Tree::Names, vec![7, 1], Some(vec![1; 5]));
        writes.push(Tree::Closed, vec![7], None);
        writes.push(Tree::Dead, vec![1, 2, 3], Some(Vec::new()));
        let told: Vec<_> = writes.all().map(|(tree, key, bytes)| (tree, key[0], bytes)).collect();
        let of = |tree| told.iter().find(|(of, ..)| *of == tree).map(|(_, key, bytes)| (*key, *bytes));
        assert_eq!([Tree::Names, Tree::Closed, Tree::Dead].map(of), [(7, 2 + 5), (7, 0), (1, 3)].map(Some));
        assert_eq!((told.len(), writes.keys()), (3, 3));
    }
}
