//! What keeps sled open: its own handles, and the rows of a range. They are used and dropped where a panic is an error.

use std::ops::{Deref, DerefMut};

use sled::IVec;

use super::caught::caught;
use crate::store::error::StoreError;

/// A key and its value.
pub type Row = (IVec, IVec);

/// sled's own handles.
pub struct Sled {
    /// In the order of the trees.
    pub trees: Vec<sled::Tree>,
    /// One that nobody reads.
    pub reclaim: sled::Tree,
    /// All together.
    pub db: sled::Db,
}

/// What keeps sled open. The last one writes and syncs when it is dropped, and panics if that fails.
pub struct Handle<T>(Option<T>);

impl<T> Handle<T> {
    /// Holds it.
    pub fn of(held: T) -> Self {
        Self(Some(held))
    }
}

impl<T> Deref for Handle<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("held until it is dropped")
    }
}

impl<T> DerefMut for Handle<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("held until it is dropped")
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        let held = self.0.take();
        if let Err(error) = caught(|| drop(held)) {
            tracing::error!(%error, "the store could not be closed as it should");
        }
    }
}

/// Rows of a range.
pub struct SledRows(Handle<sled::Iter>);

impl SledRows {
    /// Rows that sled has found.
    pub fn of(rows: sled::Iter) -> Self {
        Self(Handle::of(rows))
    }

    /// The next row from the front.
    pub fn next_row(&mut self) -> Option<Result<Row, StoreError>> {
        self.take(Iterator::next)
    }

    /// The next row from the back.
    pub fn next_back_row(&mut self) -> Option<Result<Row, StoreError>> {
        self.take(DoubleEndedIterator::next_back)
    }

    fn take(
        &mut self,
        one: impl FnOnce(&mut sled::Iter) -> Option<sled::Result<Row>>,
    ) -> Option<Result<Row, StoreError>> {
        match caught(|| one(&mut self.0)) {
            Ok(row) => row.map(|row| row.map_err(StoreError::from)),
            Err(error) => Some(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_as_it_is_closed_takes_nobody_with_it() {
        struct Fails;
        impl Drop for Fails {
            fn drop(&mut self) {
                panic!("a full disk");
            }
        }
        drop(Handle::of(Fails));
    }
}
