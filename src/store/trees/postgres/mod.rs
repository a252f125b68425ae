//! The trees in PostgreSQL, or what speaks its protocol: rows that one node owns at a time, under a lease. What stays true: a group is
//! there whole or not at all, and only if its writer owned the rows and had written the group before; and what was acknowledged once is
//! there afterwards, or it is said that it is not.

mod link;
mod owner;
mod sql;
mod taking;
mod target;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sled::IVec;
use tokio::sync::watch;
use tokio_postgres::{Client, Error, Row, Statement};

use super::database::{Database, End, Node};
use super::lease::{self, Lease};
use super::near::Span;
use super::placing::Placed;
use crate::clock::Stopwatch;
use crate::domain::secret::Secret;
use crate::domain::time::UnixMs;
use crate::store::error::{OpenError, StoreError};
use crate::store::layout::{Key, Tree};
use link::{Link, Unlinked};
use owner::Hearsay;
pub use owner::{Owner, Whereabouts};
pub use sql::SCHEMA;
use taking::{Asked, SHARD, Told, take, term_ms};
use target::Target;

/// For so long a node that was drained leaves the rows to others.
const REST: Duration = Duration::from_secs(60);

/// A database, and the name under which this node owns rows in it. Clones are the same node.
#[derive(Clone)]
pub struct Postgres(Arc<Own>);

struct Own {
    /// As it was understood, or why not.
    target: Result<Target, String>,
    /// Read at each connection, so that another password can be put there.
    password_file: Option<PathBuf>,
    name: String,
    /// Kept while the node waits for its turn, too.
    link: Mutex<Option<Arc<Link>>>,
    told: Mutex<Told>,
    hearsay: Hearsay,
    /// Since when it leaves the rows to others.
    rests: Mutex<Option<Stopwatch>>,
}

impl Postgres {
    /// The database of a URL, whose password may be in a file, for a node of this name.
    pub fn at(url: Secret, password_file: Option<PathBuf>, node: impl Into<String>) -> Self {
        let (target, name) = (Target::parse(&url), node.into());
        let (link, told, hearsay, rests) = Default::default();
        Self(Arc::new(Own { target, password_file, name, link, told, hearsay, rests }))
    }

    /// Whether it can be asked at all, as far as that is seen without asking.
    ///
    /// # Errors
    /// What is wrong with its URL or the files that this names, in words.
    pub fn vet(&self) -> Result<(), String> {
        self.target().and_then(|target| target.connector().map(drop))
    }

    /// With its password.
    fn target(&self) -> Result<Target, String> {
        let mut target = self.0.target.clone()?;
        if let Some(path) = &self.0.password_file {
            let read = std::fs::read_to_string(path).map(Secret::new);
            let password =
                read.map_err(|error| format!("store.password_file: {} cannot be read: {error}", path.display()))?;
            target.config.password(password.reveal().trim_end_matches(['\n', '\r']));
        }
        Ok(target)
    }

    /// The name of the node.
    pub fn node(&self) -> &str {
        &self.0.name
    }

    /// Other nodes find this one there. Said once, before the store is opened.
    pub fn is_found(&self, found: Whereabouts) {
        self.0.hearsay.is_found(found);
    }

    /// What went wrong as the store was opened: if a connection was lost meanwhile, or the lease ended, it may pass by itself, as where the
    /// database is away.
    pub fn excuse(&self, error: OpenError) -> OpenError {
        let link = self.0.link.lock().expect("no holder of the lock panics");
        let is_lost = link.as_ref().is_some_and(|link| link.is_lost());
        let away = |why| OpenError::Away { store: self.to_string(), why };
        match error {
            OpenError::Store(_, StoreError::Unavailable) => away("its lease ended while it was read".into()),
            OpenError::Store(_, why) if is_lost => away(why.to_string()),
            error => error,
        }
    }

    /// For a minute it takes nothing that another node could take.
    pub fn rest(&self) {
        *self.0.rests.lock().expect("no holder of the lock panics") = Some(Stopwatch::start());
    }

    /// Who owns the rows, as this node hears of it.
    pub fn owner(&self) -> watch::Receiver<Option<Arc<Owner>>> {
        self.0.hearsay.owner()
    }

    /// Tells the other nodes that this one stands by, and where it is found. That they hear nothing of it is no reason to stop.
    fn stand_by(&self, link: &Link) {
        if !self.0.hearsay.is_to_announce() {
            return;
        }
        let (name, address) = (self.0.name.clone(), self.0.hearsay.address());
        let told = link.converse(|client| async move { client.execute(sql::STAND_BY, &[&name, &address]).await });
        if let Err(error) = told {
            tracing::debug!(%error, "the other nodes are not told of this one");
        }
    }

    fn hear_of(&self, node: String, address: String) {
        let is_this = node == self.0.name && address == self.0.hearsay.address();
        self.0.hearsay.hear(Some(Owner { node, address, is_this }));
    }

    /// Takes the lease, if nobody else has it.
    pub(super) fn open(&self) -> Result<Owned, OpenError> {
        let link = self.link()?;
        let (lease, told) = (Arc::<Lease>::default(), *self.0.told());
        let (asked, name, address) = (lease.ask(), self.0.name.clone(), self.0.hearsay.address());
        let rests = self.0.rests.lock().expect("no holder of the lock panics").is_some_and(|at| at.elapsed() < REST);
        let taken = link.converse(|client| async move { take(&client, (&name, &address), (told, rests)).await });
        match taken.map_err(|error| self.failed(error))? {
            Asked::Given { standing, wall } => {
                self.hear_of(self.0.name.clone(), self.0.hearsay.address());
                lease.given(asked);
                *self.0.told() = Told { last: Some((standing.incarnation, standing.group)), was_fenced: false };
                tracing::info!(node = self.node(), incarnation = standing.incarnation, "this node owns the store now");
                let (node, group) = (self.clone(), AtomicI64::new(standing.group));
                Ok(Owned {
                    node,
                    link,
                    lease,
                    incarnation: standing.incarnation,
                    group,
                    wall: (wall, Stopwatch::start()),
                })
            }
            Asked::Held { by, left_ms, address } => {
                self.hear_of(by.clone(), address);
                self.stand_by(&link);
                Err(OpenError::Held { store: self.to_string(), by, left_ms: left_ms.max(0) as u64 })
            }
            Asked::Left { to } => {
                self.stand_by(&link);
                Err(OpenError::Held { store: self.to_string(), by: to, left_ms: 0 })
            }
            Asked::Lost { found, known } => {
                Err(OpenError::Forgotten { store: self.to_string(), found: found as u64, known: known as u64 })
            }
        }
    }

    /// The connections that are there, or new ones.
    fn link(&self) -> Result<Arc<Link>, OpenError> {
        let mut held = self.0.link.lock().expect("no holder of the lock panics");
        if let Some(link) = held.as_ref().filter(|link| !link.is_lost()) {
            return Ok(link.clone());
        }
        *held = None;
        let opened = self.target().map_err(Unlinked::Refused).and_then(|target| Link::open(&target));
        let opened = opened.map_err(|unlinked| match unlinked {
            Unlinked::Away(why) => OpenError::Away { store: self.to_string(), why },
            Unlinked::Refused(why) => self.failed(StoreError::Io(format!("the database: {why}"))),
        })?;
        if let Ok(target) = &self.0.target {
            self.0.hearsay.is_connected(&target.config);
        }
        Ok(held.insert(Arc::new(opened)).clone())
    }

    fn failed(&self, error: StoreError) -> OpenError {
        OpenError::Store(self.to_string().into(), error)
    }
}

impl Own {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().expect("no holder of the lock panics")
    }
}

impl fmt::Display for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.target {
            Ok(target) => write!(f, "{target}"),
            Err(_) => f.write_str("store.url"),
        }
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} as {}", self.0.name)
    }
}

/// Rows of a database that this node owns.
pub struct Owned {
    node: Postgres,
    link: Arc<Link>,
    lease: Arc<Lease>,
    incarnation: i64,
    /// The last group that was acknowledged.
    group: AtomicI64,
    /// What the database's clock showed as it was taken, and since.
    wall: (UnixMs, Stopwatch),
}

impl Owned {
    /// The database has renewed the lease, if this node is still the owner: else another has what it had, or the database forgot a group.
    fn renewed(&self, asked: lease::Asked, is_owner: bool) -> Result<(), StoreError> {
        if is_owner {
            self.lease.given(asked);
            return Ok(());
        }
        self.lease.lost();
        self.node.0.told().was_fenced = true;
        Err(StoreError::Io(format!(
            "the database: the lease of the node {} is over, or another process has its name",
            self.node.node()
        )))
    }

    /// What was written is known to be there.
    fn acknowledged(&self, group: i64) {
        self.group.store(group, Ordering::Relaxed);
        self.node.0.told().last = Some((self.incarnation, group));
    }
}

/// What a group changes, as the arrays of a statement.
#[derive(Default)]
struct Arrays {
    put: (Vec<i16>, Vec<Vec<u8>>, Vec<Vec<u8>>),
    gone: (Vec<i16>, Vec<Vec<u8>>),
}

impl Arrays {
    fn of(placed: &Placed<'_>) -> Self {
        let mut arrays = Self::default();
        for (tree, changes) in placed.by_tree() {
            for (key, value) in changes {
                match value {
                    Some(value) => {
                        arrays.put.0.push(tree as i16);
                        arrays.put.1.push(key.clone());
                        arrays.put.2.push(value.clone());
                    }
                    None => {
                        arrays.gone.0.push(tree as i16);
                        arrays.gone.1.push(key.clone());
                    }
                }
            }
        }
        arrays
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

impl Database for Owned {
    fn row(&self, tree: Tree, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        self.lease.check()?;
        let (tree, key) = (tree as i16, key.to_vec());
        let ask = |client: Arc<Client>, row: Statement| async move {
            let found = client.query_opt(&row, &[&SHARD, &tree, &key]).await?;
            Ok::<_, Error>(found.map(|row| IVec::from(row.get::<_, &[u8]>(0))))
        };
        self.link.ask(&self.link.reader, self.lease.left(), |of| &of.row, ask)
    }

    fn rows(&self, tree: Tree, span: &Span, end: End, count_max: usize) -> Result<Vec<(Key, IVec)>, StoreError> {
        self.lease.check()?;
        let (tree, Span { from, to }, count_max) = (tree as i16, span.clone(), count_max as i64);
        let of: fn(&link::Reading) -> &Statement = match (end, &to) {
            (End::First, Some(_)) => |of| &of.first,
            (End::First, None) => |of| &of.first_from,
            (End::Last, Some(_)) => |of| &of.last,
            (End::Last, None) => |of| &of.last_from,
        };
        let ask = |client: Arc<Client>, rows: Statement| async move {
            let found = match &to {
                Some(to) => client.query(&rows, &[&SHARD, &tree, &from, &count_max, to]).await?,
                None => client.query(&rows, &[&SHARD, &tree, &from, &count_max]).await?,
            };
            let rows = found.iter().map(|row| (row.get::<_, Vec<u8>>(0), IVec::from(row.get::<_, &[u8]>(1))));
            Ok::<_, Error>(rows.collect())
        };
        self.link.ask(&self.link.reader, self.lease.left(), of, ask)
    }

    fn write(&self, placed: &Placed<'_>) -> Result<(), StoreError> {
        self.lease.check()?;
        let (asked, within) = (self.lease.ask(), self.lease.left());
        let Arrays { put, gone } = Arrays::of(placed);
        let (name, incarnation) = (self.node.0.name.clone(), self.incarnation);
        let group = self.group.load(Ordering::Relaxed) + 1;
        let ask = |client: Arc<Client>, write: Statement| async move {
            let shards = (vec![SHARD; put.0.len()], vec![SHARD; gone.0.len()]);
            let own = (name, incarnation, group, term_ms());
            let row = client
                .query_one(
                    &write,
                    &[&own.0, &own.1, &own.2, &own.3, &shards.0, &put.0, &put.1, &put.2, &shards.1, &gone.0, &gone.1],
                )
                .await?;
            Ok::<i64, Error>(row.get(0))
        };
        let owners = self.link.ask(&self.link.writer, within, |of| &of.write, ask)?;
        self.renewed(asked, owners > 0)?;
        self.acknowledged(group);
        Ok(())
    }

    fn renew(&self) -> Result<(), StoreError> {
        self.lease.check()?;
        let (asked, within) = (self.lease.ask(), self.lease.left());
        let (name, incarnation, term_ms) = (self.node.0.name.clone(), self.incarnation, term_ms());
        let ask = |client: Arc<Client>, renew: Statement| async move {
            client.execute(&renew, &[&name, &incarnation, &term_ms]).await
        };
        let owners = self.link.ask(&self.link.writer, within, |of| &of.renew, ask)?;
        self.renewed(asked, owners > 0)
    }

    fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    fn wall(&self) -> UnixMs {
        let (at, since) = self.wall;
        at + since.elapsed().as_millis() as u64
    }

    fn leave(&self) -> Result<(), StoreError> {
        self.lease.lost();
        let (name, incarnation) = (self.node.0.name.clone(), self.incarnation);
        self.link.converse(|client| async move { client.execute(sql::LEAVE, &[&name, &incarnation]).await }).map(drop)
    }

    fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        let rows = self.link.converse(|client| async move { client.query(sql::NODES, &[]).await })?;
        let node = |row: &Row| Node {
            name: row.get(0),
            address: row.get(1),
            is_owner: row.get::<_, bool>(2) && row.get::<_, i64>(3) > 0,
            lease_ms: row.get::<_, i64>(3) as u64,
            seen_ms: row.get::<_, i64>(4) as u64,
        };
        Ok(rows.iter().map(node).collect())
    }

    fn size_bytes(&self) -> Result<u64, StoreError> {
        let size = self.link.converse(|client| async move { client.query_one(sql::SIZE, &[]).await })?;
        Ok(size.get::<_, i64>(0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By their numbers, from 0 on. A new tree goes to the end: a number is never given to another.
    const NUMBERED: &str = "meta accounts keys webhooks tallies events chunks names idempotency fresh waiting \
        due closed attempts replays ordered blocked dead jobs stats account_tallies audit \
        quarantine fan_out bodies quiet event_types users sessions tickets journal";

    #[test]
    fn what_lies_in_a_table_keeps_the_number_of_its_tree() {
        let named = |number: i16| Tree::ALL.into_iter().find(|(tree, _)| *tree as i16 == number).expect("it has one").1;
        let names: Vec<_> = (0..Tree::ALL.len() as i16).map(named).collect();
        assert_eq!(names, NUMBERED.split_whitespace().collect::<Vec<_>>());
    }
}
