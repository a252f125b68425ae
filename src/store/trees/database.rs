//! What an engine asks of a database that other nodes write to as well, one method a statement or transaction. What stays true: a group is
//! there whole or not at all, and only where whoever writes it owns the rows at that moment; and a database that lacks what it
//! acknowledged is found out by the next who takes the rows.

use std::time::Duration;

use sled::IVec;

use super::held::Row;
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

/// Whether what is written outlives the database's own end, such as a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// Once it is answered.
    Answered,
    /// With the next group or renewal that does, which is synced behind it, or by itself within moments.
    Later,
}

/// Connections to a database, as one node has them. Each call waits for its answer, where it says so no longer than `within`; after an error
/// what was asked has happened or not.
pub trait Database: Send + Sync {
    /// Whether a connection ended, or an answer did not come: then nothing is asked here any more.
    fn is_lost(&self) -> bool;

    /// Takes the rows for a node, after whatever their owner writes right now, if nobody is alive who has them. Not from others than the dead
    /// if it `rests`, and somebody else is there who could.
    fn take(&self, node: &Called, told: Told, rests: bool) -> Result<Taken, StoreError>;

    /// A node stands by, and is found there.
    fn stand_by(&self, node: &Called) -> Result<(), StoreError>;

    /// What lies at a key, and else the first key behind it at which something does.
    fn row(&self, tree: Tree, key: &[u8], within: Duration) -> Result<Beside, StoreError>;

    /// Of a span those at this end, in the order from there, at most so many, and the first key behind the span.
    fn rows(&self, tree: Tree, span: &Span, end: End, count_max: usize, within: Duration) -> Result<Found, StoreError>;

    /// Applies what is placed and renews the lease, if this is the owner and the group before is the last one that is there. Says whether.
    fn write(
        &self,
        of: &Tenure,
        group: i64,
        placed: &Placed<'_>,
        lasting: Lasting,
        within: Duration,
    ) -> Result<bool, StoreError>;

    /// Renews the lease, if this is the owner; then all that it wrote before lasts. Says whether.
    fn renew(&self, of: &Tenure, within: Duration) -> Result<bool, StoreError>;

    /// Gives the rows up: others need not wait.
    fn leave(&self, of: &Tenure) -> Result<(), StoreError>;

    /// Who shares the rows.
    fn nodes(&self) -> Result<Vec<Node>, StoreError>;

    /// Bytes that the rows take.
    fn size_bytes(&self) -> Result<u64, StoreError>;
}

/// What lies at a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beside {
    /// This does.
    Row(IVec),
    /// Nothing, up to this key, at which something lies; without one, to the end.
    Nothing(Option<Key>),
}

/// Rows of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Those at the end that was asked for.
    pub rows: Vec<(Key, IVec)>,
    /// The first key behind the span: who asks again a little further on need not ask. `None`: nothing lies there, or the span has no end.
    pub behind: Option<Key>,
}

/// Under which name a node is known, and where the others find it: empty if they do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    pub name: String,
    pub address: String,
}

/// A node that took the rows, each time another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    pub node: String,
    pub incarnation: i64,
}

/// What the database has told this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// The incarnation that it was last, and the last group of that which was acknowledged.
    pub last: Option<(i64, i64)>,
    /// Another process took what it had, though this one was alive.
    pub was_fenced: bool,
}

impl Told {
    /// Whether a node may take what another has, which is alive for so many milliseconds yet. A process that was killed and is there again need
    /// not wait for itself; two of one name must not take turns.
    pub fn may_take(&self, name: &str, (owner, left_ms): (&str, i64)) -> bool {
        left_ms <= 0 || (owner == name && !self.was_fenced)
    }

    /// Why the rows are not what this process knows of, if it knew of more than the incarnation and the group that are there.
    pub fn misses(&self, (incarnation, group): (i64, i64)) -> Option<Taken> {
        let (last, known) = self.last?;
        let is_there = incarnation > last || (incarnation == last && group >= known);
        (!is_there).then_some(Taken::Lost { found: group, known })
    }
}

/// What came of trying to take the rows.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// They are this node's.
    Given {
        incarnation: i64,
        /// The last group that it wrote, whichever it was then.
        group: i64,
        /// What the database's clock shows.
        wall: UnixMs,
    },
    /// Another has them.
    Held {
        by: String,
        /// For so long, unless it goes on.
        left_ms: i64,
        /// Where it is found, as far as is known.
        address: String,
    },
    /// Nobody has them, and another may take them before.
    Left { to: String },
    /// The database does not know of what it acknowledged.
    Lost { found: i64, known: i64 },
}

/// Why there is no connection, in a sentence.
#[derive(Debug)]
pub enum Unlinked {
    /// Nobody is there who could answer, or not yet: it may pass by itself.
    Away(String),
    /// Something is wrong that somebody has to mend.
    Refused(String),
}

impl From<String> for Unlinked {
    fn from(why: String) -> Self {
        Self::Refused(why)
    }
}

/// A database as a look from outside finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What there is of its tables.
    pub tables: Tables,
    /// How long it takes to answer anything.
    pub answer: Duration,
}

/// What there is of a database's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    /// Those that this build knows.
    There,
    /// None: the first node makes them.
    ToBeMade,
    /// None, and this user may not make them.
    NotToBeMade,
    /// Others.
    OfVersion { found: i32, known: i32 },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_has_is_taken_once_it_is_dead_and_what_oneself_had_at_once() {
        let (new, fenced) = (Told::default(), Told { was_fenced: true, ..Told::default() });
        for (told, name, left_ms, may) in
            [(new, "b", 1, false), (new, "b", 0, true), (new, "a", 4_000, true), (fenced, "a", 1, false)]
        {
            assert_eq!(told.may_take(name, ("a", left_ms)), may, "{told:?} {name} {left_ms}");
        }
    }

    #[test]
    fn a_database_that_knows_less_than_it_acknowledged_is_found_out() {
        let told = Told { last: Some((3, 17)), was_fenced: false };
        assert_eq!(Told::default().misses((0, 0)), None);
        for (found, is_whole) in [((3, 17), true), ((3, 18), true), ((4, 2), true), ((3, 16), false), ((2, 99), false)]
        {
            let misses = told.misses(found);
            assert_eq!(misses.is_none(), is_whole, "{found:?}");
            assert!(misses.is_none_or(|lost| lost == Taken::Lost { found: found.1, known: 17 }));
        }
    }
}
