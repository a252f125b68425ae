//! What one commit writes.

use crate::store::layout::{Key, Tree, VALUE_BYTES_MAX};

/// Keys of one tree with their new value, or `None` to remove them.
type Changes = Vec<(Key, Option<Vec<u8>>)>;

/// What one commit writes, for each tree.
#[derive(Debug, Default)]
pub struct Writes {
    by_tree: Vec<Changes>,
}

impl Writes {
    /// Adds one key. A key may be given once.
    pub fn push(&mut self, tree: Tree, key: Key, value: Option<Vec<u8>>) {
        debug_assert!(value.as_ref().is_none_or(|v| v.len() <= VALUE_BYTES_MAX + 64), "{tree:?}: a value is too long");
        self.by_tree.resize_with(Tree::ALL.len(), Vec::new);
        self.by_tree[tree as usize].push((key, value));
    }

    /// How many keys it touches.
    pub fn keys(&self) -> usize {
        self.by_tree.iter().map(Vec::len).sum()
    }

    /// The changes of each tree, in the order of [`Tree`]; empty if there are none at all.
    pub(super) fn by_tree(&self) -> &[Changes] {
        &self.by_tree
    }
}
