//! Rows of a database that this node owns for the time being. What stays true: it asks for nothing once its lease may be over, and knows
//! which group of its own was acknowledged last.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use super::database::{Beside, Database, End, Found, Lasting, Node, Tenure};
use super::lease::{Asked, Lease};
use super::near::Span;
use super::placing::Placed;
use super::remembered::Remembered;
use crate::clock::Clock;
use crate::domain::time::UnixMs;
use crate::store::error::StoreError;
use crate::store::layout::Tree;

/// What a node took.
pub struct Owned {
    remembered: Arc<Remembered>,
    database: Arc<dyn Database>,
    lease: Arc<Lease>,
    tenure: Tenure,
    /// The last group that was answered.
    group: AtomicI64,
    /// Whether that may not outlive the database's end yet.
    is_fleeting: AtomicBool,
    /// What the database's clock showed when it was taken, and by what is told how much has passed since, from when on.
    wall: (UnixMs, Clock, Duration),
}

impl Owned {
    /// From now on. With the last group that is there, and what the database's clock shows.
    pub fn begin(
        remembered: Arc<Remembered>,
        database: Arc<dyn Database>,
        lease: Arc<Lease>,
        (tenure, group): (Tenure, i64),
        (wall, clock): (UnixMs, Clock),
    ) -> Self {
        let since = clock.up();
        Self {
            remembered,
            database,
            lease,
            tenure,
            group: AtomicI64::new(group),
            is_fleeting: AtomicBool::new(false),
            wall: (wall, clock, since),
        }
    }

    /// What lies at a key, or behind it.
    pub fn row(&self, tree: Tree, key: &[u8]) -> Result<Beside, StoreError> {
        let left = self.left()?;
        self.remembered.answers.timed(|of| &of.reads, || self.database.row(tree, key, left))
    }

    /// Of a span those at this end, in the order from there, at most so many.
    pub fn rows(&self, tree: Tree, span: &Span, end: End, count_max: usize) -> Result<Found, StoreError> {
        let left = self.left()?;
        self.remembered.answers.timed(|of| &of.reads, || self.database.rows(tree, span, end, count_max, left))
    }

    /// Applies what is placed, and renews the lease. After an error it is there or not.
    pub fn write(&self, placed: &Placed<'_>, lasting: Lasting) -> Result<(), StoreError> {
        let (left, asked) = (self.left()?, self.lease.ask());
        let group = self.group.load(Ordering::Relaxed) + 1;
        let write = || self.database.write(&self.tenure, group, placed, lasting, left);
        let is_owner = self.remembered.answers.timed(|of| &of.groups, write)?;
        self.renewed(asked, is_owner)?;
        self.group.store(group, Ordering::Relaxed);
        match lasting {
            Lasting::Answered => self.lasts(),
            Lasting::Later => self.is_fleeting.store(true, Ordering::Relaxed),
        }
        Ok(())
    }

    /// Renews the lease; then all that was written lasts.
    pub fn renew(&self) -> Result<(), StoreError> {
        let (left, asked) = (self.left()?, self.lease.ask());
        let renew = || self.database.renew(&self.tenure, left);
        let is_owner = self.remembered.answers.timed(|of| &of.renewals, renew)?;
        self.renewed(asked, is_owner)?;
        self.lasts();
        Ok(())
    }

    /// Has all that was written outlive the database's end.
    pub fn sync(&self) -> Result<(), StoreError> {
        if self.is_fleeting.load(Ordering::Relaxed) { self.renew() } else { Ok(()) }
    }

    /// A database that does not know of it afterwards has lost what it acknowledged.
    fn lasts(&self) {
        self.is_fleeting.store(false, Ordering::Relaxed);
        self.remembered.acknowledged(&self.tenure, self.group.load(Ordering::Relaxed));
    }

    /// Under which the rows are read and written.
    pub fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    /// What the database's clock shows, by which all nodes go.
    pub fn wall(&self) -> UnixMs {
        let (at, clock, since) = &self.wall;
        at + clock.up().saturating_sub(*since).as_millis() as u64
    }

    /// Gives the rows up: others need not wait.
    pub fn leave(&self) -> Result<(), StoreError> {
        self.lease.lost();
        self.database.leave(&self.tenure)
    }

    /// Who shares the rows.
    pub fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        self.database.nodes()
    }

    /// Bytes that the rows take.
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        self.database.size_bytes()
    }

    /// How long they are this node's yet.
    fn left(&self) -> Result<Duration, StoreError> {
        self.lease.check().map(|()| self.lease.left())
    }

    /// The database has renewed the lease, if this node is still the owner: else another has what it had, or the database forgot a group.
    fn renewed(&self, asked: Asked, is_owner: bool) -> Result<(), StoreError> {
        if is_owner {
            self.lease.given(asked);
            return Ok(());
        }
        self.lease.lost();
        self.remembered.fenced();
        Err(StoreError::Io(format!(
            "the database: the lease of the node {} is over, or another process has its name",
            self.tenure.node
        )))
    }
}

impl Drop for Owned {
    /// Who could not open a store that it has taken, or closes it since something else failed, holds nobody up.
    fn drop(&mut self) {
        if self.lease.check().is_ok() {
            let _ = self.leave();
        }
    }
}
