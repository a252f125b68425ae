//! The rows of a range, as whoever reads them meets them: those that are held among those that are written, in order, each checked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sled::IVec;

use super::checksum;
use super::held::Row;
use super::late::Merged;
use super::lease::Lease;
use super::lying::RowsOf;
use super::unpacking::Unpacking;
use crate::store::error::StoreError;
use crate::store::layout::Tree;

/// Whether the store is being closed, or another may have it by now; clones know it of the same trees.
#[derive(Clone, Default)]
pub struct Closing {
    has_begun: Arc<AtomicBool>,
    lease: Option<Arc<Lease>>,
}

impl Closing {
    /// Of trees that are read under a lease.
    pub fn under(lease: Arc<Lease>) -> Self {
        Self { lease: Some(lease), ..Self::default() }
    }

    /// From now on it is.
    pub fn begin(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// An error, once it is.
    pub fn check(&self) -> Result<(), StoreError> {
        if self.has_begun.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable);
        }
        self.lease.as_ref().map_or(Ok(()), |lease| lease.check())
    }
}

/// Rows of a range. Owns what it needs: no lock is held between two rows. One whose checksum does not fit is an error in
/// its turn, and the others follow; any other error is the end: what cannot be read once would be tried for ever.
pub struct Rows {
    tree: Tree,
    of: Merged<Unpacking<RowsOf>>,
    closing: Closing,
    has_failed: bool,
}

impl Rows {
    /// What is met in this tree, as long as it is not being closed.
    pub fn of(tree: Tree, of: Merged<Unpacking<RowsOf>>, closing: Closing) -> Self {
        Self { tree, of, closing, has_failed: false }
    }

    /// The keys alone: for who does not ask for the values, they need not be readable.
    pub fn keys(self) -> impl DoubleEndedIterator<Item = Result<IVec, StoreError>> {
        Keys(self)
    }

    /// The rows as they lie there, their checksums at their ends: [`super::value_of`] checks them.
    pub fn stored(mut self) -> impl Iterator<Item = Result<Row, StoreError>> {
        std::iter::from_fn(move || self.next_stored_or_fail())
    }

    /// The same from the other end.
    pub fn stored_back(mut self) -> impl Iterator<Item = Result<Row, StoreError>> {
        std::iter::from_fn(move || self.next_back_stored())
    }

    fn checked(&self, row: Result<Row, StoreError>) -> Result<Row, StoreError> {
        let (key, stored) = row?;
        let value = checksum::without(self.tree, &key, stored)?;
        Ok((key, value))
    }

    fn next_stored_or_fail(&mut self) -> Option<Result<Row, StoreError>> {
        fail::fail_point!("store.page", !self.has_failed, |_| {
            self.has_failed = true;
            Some(Err(StoreError::Broken("a failpoint".into())))
        });
        self.next_stored()
    }

    fn next_stored(&mut self) -> Option<Result<Row, StoreError>> {
        self.take(|of| of.next(Iterator::next))
    }

    fn next_back_stored(&mut self) -> Option<Result<Row, StoreError>> {
        self.take(|of| of.next_back(DoubleEndedIterator::next_back))
    }

    fn take(
        &mut self,
        one: impl FnOnce(&mut Merged<Unpacking<RowsOf>>) -> Option<Result<Row, StoreError>>,
    ) -> Option<<Self as Iterator>::Item> {
        if self.has_failed {
            return None;
        }
        let row = self.closing.check().map_or_else(|closed| Some(Err(closed)), |()| one(&mut self.of));
        self.has_failed = matches!(row, Some(Err(_)));
        row
    }
}

impl Iterator for Rows {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.next_stored()?;
        Some(self.checked(row))
    }
}

impl DoubleEndedIterator for Rows {
    fn next_back(&mut self) -> Option<Self::Item> {
        let row = self.next_back_stored()?;
        Some(self.checked(row))
    }
}

/// Keys of a range.
struct Keys(Rows);

impl Iterator for Keys {
    type Item = Result<IVec, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.0.next_stored()?.map(|(key, _)| key))
    }
}

impl DoubleEndedIterator for Keys {
    fn next_back(&mut self) -> Option<Self::Item> {
        Some(self.0.next_back_stored()?.map(|(key, _)| key))
    }
}
