//! What an engine asks of a database that other nodes write to as well. What stays true: a group is there whole or not at all, and only where
//! whoever writes it owns the rows at that moment.

use std::sync::Arc;

use sled::IVec;

use super::held::Row;
use super::lease::Lease;
use super::near::Span;
use super::placing::Placed;
use crate::domain::time::UnixMs;
use crate::store::error::StoreError;
use crate::store::layout::{Key, Tree};

/// From which end rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The least key first.
    First,
    /// The greatest key first.
    Last,
}

/// A database, as the node that owns the rows sees it. Each call waits for its answer; an error of one says that what comes next must be
/// read anew.
pub trait Database: Send + Sync {
    /// What lies at a key.
    fn row(&self, tree: Tree, key: &[u8]) -> Result<Option<IVec>, StoreError>;

    /// Of a span those at this end, in the order from there, at most so many.
    fn rows(&self, tree: Tree, span: &Span, end: End, count_max: usize) -> Result<Vec<(Key, IVec)>, StoreError>;

    /// Applies what is placed, and renews the lease. After an error it is there or not.
    fn write(&self, placed: &Placed<'_>) -> Result<(), StoreError>;

    /// Renews the lease.
    fn renew(&self) -> Result<(), StoreError>;

    /// Under which the rows are read and written.
    fn lease(&self) -> &Arc<Lease>;

    /// What its clock shows, by which all nodes go.
    fn wall(&self) -> UnixMs;

    /// Gives the rows up: others need not wait.
    fn leave(&self) -> Result<(), StoreError>;

    /// Who shares the rows.
    fn nodes(&self) -> Result<Vec<Node>, StoreError>;

    /// Bytes that the rows take.
    fn size_bytes(&self) -> Result<u64, StoreError>;
}

/// A node that shares a store with others, as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Where the others find it; empty if they do not.
    pub address: String,
    /// It owns the store.
    pub is_owner: bool,
    /// Milliseconds for which its lease is good yet, unless it renews it.
    pub lease_ms: u64,
    /// Milliseconds since it has said that it stands by, or begun to own the store.
    pub seen_ms: u64,
}

/// A row as engines give it.
pub fn row((key, value): (Key, IVec)) -> Row {
    (IVec::from(key), value)
}
