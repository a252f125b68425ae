//! This node, as one of those that share a database: how it takes the rows, and what it knows of the others. What stays true: it begins to own
//! them only where nobody else does, and never where the database lacks what it acknowledged to this process.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::answers::Answers;
use super::database::{Called, Database, Seen, Tables, Taken, Tenure, Unlinked};
use super::lease::Lease;
use super::owned::Owned;
use super::owner::{Hearsay, Owner, Whereabouts};
use super::postgres::{Link, Target, look};
use super::remembered::Remembered;
use super::virtual_database::VirtualDatabase;
use crate::clock::{Clock, Stopwatch};
use crate::domain::secret::Secret;
use crate::store::error::{OpenError, StoreError};

/// For so long a node that was drained leaves the rows to others.
const REST: Duration = Duration::from_secs(60);

/// A node among those that share a database. Clones are the same node.
#[derive(Clone)]
pub struct Member(Arc<Own>);

struct Own {
    of: Of,
    name: String,
    /// Tells what has passed.
    clock: Clock,
    /// Kept while the node waits for its turn, too.
    database: Mutex<Option<Arc<dyn Database>>>,
    remembered: Arc<Remembered>,
    hearsay: Hearsay,
    /// Since when it leaves the rows to others.
    rests: Mutex<Option<Stopwatch>>,
}

/// Of which database.
enum Of {
    Postgres {
        /// As its URL was understood, or why not.
        target: Box<Result<Target, String>>,
        /// Read at each connection, so that another password can be put there.
        password_file: Option<PathBuf>,
    },
    Virtual(VirtualDatabase),
}

impl Of {
    /// With its password.
    fn target(target: &Result<Target, String>, password_file: Option<&PathBuf>) -> Result<Target, String> {
        let mut target = target.clone()?;
        if let Some(path) = password_file {
            let read = std::fs::read_to_string(path).map(Secret::new);
            let password =
                read.map_err(|error| format!("store.password_file: {} cannot be read: {error}", path.display()))?;
            target.config.password(password.reveal().trim_end_matches(['\n', '\r']));
        }
        Ok(target)
    }

    fn vet(&self) -> Result<(), String> {
        match self {
            Self::Postgres { target, password_file } => {
                Self::target(target, password_file.as_ref()).and_then(|target| target.connector().map(drop))
            }
            Self::Virtual(_) => Ok(()),
        }
    }

    fn connect(&self, clock: &Clock) -> Result<Arc<dyn Database>, Unlinked> {
        match self {
            Self::Postgres { target, password_file } => {
                let target = Self::target(target, password_file.as_ref())?;
                Ok(Arc::new(Link::open(&target)?))
            }
            Self::Virtual(database) => Ok(Arc::new(database.connect(clock.clone()))),
        }
    }

    fn own_ip(&self) -> Option<IpAddr> {
        match self {
            Self::Postgres { target, .. } => target.as_ref().as_ref().ok()?.own_ip(),
            Self::Virtual(_) => None,
        }
    }
}

impl Member {
    /// A node of this name, of the database of a URL, whose password may be in a file.
    pub fn of_postgres(url: &Secret, password_file: Option<PathBuf>, name: impl Into<String>) -> Self {
        Self::new(Of::Postgres { target: Box::new(Target::parse(url)), password_file }, name.into(), Clock::real())
    }

    /// A node of this name, of a virtual database, on a machine with this clock.
    pub fn of_virtual(database: VirtualDatabase, name: impl Into<String>, clock: Clock) -> Self {
        Self::new(Of::Virtual(database), name.into(), clock)
    }

    fn new(of: Of, name: String, clock: Clock) -> Self {
        let (database, remembered, hearsay, rests) = Default::default();
        Self(Arc::new(Own { of, name, clock, database, remembered, hearsay, rests }))
    }

    /// Whether the database can be asked at all, as far as that is seen without asking.
    ///
    /// # Errors
    /// What is wrong with its URL or the files that this names, in words.
    pub fn vet(&self) -> Result<(), String> {
        self.0.of.vet()
    }

    /// Looks at the database, and changes nothing there.
    ///
    /// # Errors
    /// Why it cannot be asked, in words.
    pub fn look(&self) -> Result<Seen, String> {
        let seen = match &self.0.of {
            Of::Postgres { target, password_file } => look(&Of::target(target, password_file.as_ref())?),
            Of::Virtual(_) => Ok(Seen { tables: Tables::There, answer: Duration::ZERO }),
        };
        seen.map_err(|(Unlinked::Away(why) | Unlinked::Refused(why))| why)
    }

    /// The name of the node.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Other nodes find this one there. Said once, before the store is opened.
    pub fn is_found(&self, found: Whereabouts) {
        self.0.hearsay.is_found(found);
    }

    /// Who owns the rows, as this node hears of it.
    pub fn owner(&self) -> watch::Receiver<Option<Arc<Owner>>> {
        self.0.hearsay.owner()
    }

    /// How long the database takes to answer it.
    pub fn answers(&self) -> &Answers {
        &self.0.remembered.answers
    }

    /// For a minute it takes nothing that another node could take.
    pub fn rest(&self) {
        *self.0.rests.lock().expect("no holder of the lock panics") = Some(Stopwatch::start());
    }

    /// What went wrong as the store was opened: if a connection was lost meanwhile, or the lease ended, it may pass by itself, as where the
    /// database is away.
    pub fn excuse(&self, error: OpenError) -> OpenError {
        let database = self.0.database.lock().expect("no holder of the lock panics");
        let is_lost = database.as_ref().is_some_and(|database| database.is_lost());
        let away = |why| OpenError::Away { store: self.to_string(), why };
        match error {
            OpenError::Store(_, StoreError::Unavailable) => away("its lease ended while it was read".into()),
            OpenError::Store(_, why) if is_lost => away(why.to_string()),
            error => error,
        }
    }

    /// Takes the rows, if nobody else has them.
    pub(super) fn take(&self) -> Result<Owned, OpenError> {
        let (database, lease) = (self.database()?, Arc::new(Lease::by(self.0.clock.clone())));
        let (asked, remembered, called) = (lease.ask(), &self.0.remembered, self.called());
        let rests = self.0.rests.lock().expect("no holder of the lock panics").is_some_and(|at| at.elapsed() < REST);
        match database.take(&called, remembered.told(), rests).map_err(|error| self.failed(error))? {
            Taken::Given { incarnation, group, wall } => {
                self.hear_of(called);
                lease.given(asked);
                remembered.took(incarnation, group);
                tracing::info!(node = self.name(), incarnation, "this node owns the store now");
                let tenure = Tenure { node: self.0.name.clone(), incarnation };
                let wall = (wall, self.0.clock.clone());
                Ok(Owned::begin(remembered.clone(), database, lease, (tenure, group), wall))
            }
            Taken::Held { by, left_ms, address } => {
                self.hear_of(Called { name: by.clone(), address });
                self.stand_by(&*database);
                Err(OpenError::Held { store: self.to_string(), by, left_ms: left_ms.max(0) as u64 })
            }
            Taken::Left { to } => {
                self.stand_by(&*database);
                Err(OpenError::Held { store: self.to_string(), by: to, left_ms: 0 })
            }
            Taken::Lost { found, known } => {
                Err(OpenError::Forgotten { store: self.to_string(), found: found as u64, known: known as u64 })
            }
        }
    }

    fn called(&self) -> Called {
        Called { name: self.0.name.clone(), address: self.0.hearsay.address() }
    }

    /// Tells the other nodes that this one stands by, and where it is found. That they hear nothing of it is no reason to stop.
    fn stand_by(&self, database: &dyn Database) {
        if self.0.hearsay.is_to_announce()
            && let Err(error) = database.stand_by(&self.called())
        {
            tracing::debug!(%error, "the other nodes are not told of this one");
        }
    }

    fn hear_of(&self, owner: Called) {
        let is_this = owner == self.called();
        self.0.hearsay.hear(Some(Owner { node: owner.name, address: owner.address, is_this }));
    }

    /// The connections that are there, or new ones.
    fn database(&self) -> Result<Arc<dyn Database>, OpenError> {
        let mut held = self.0.database.lock().expect("no holder of the lock panics");
        if let Some(database) = held.as_ref().filter(|database| !database.is_lost()) {
            return Ok(database.clone());
        }
        *held = None;
        let connected = self.0.of.connect(&self.0.clock).map_err(|unlinked| match unlinked {
            Unlinked::Away(why) => OpenError::Away { store: self.to_string(), why },
            Unlinked::Refused(why) => self.failed(StoreError::Io(format!("the database: {why}"))),
        })?;
        self.0.hearsay.is_connected(|| self.0.of.own_ip());
        Ok(held.insert(connected).clone())
    }

    fn failed(&self, error: StoreError) -> OpenError {
        OpenError::Store(self.to_string().into(), error)
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.of {
            Of::Postgres { target, .. } => match &**target {
                Ok(target) => write!(f, "{target}"),
                Err(_) => f.write_str("store.url"),
            },
            Of::Virtual(_) => f.write_str("a virtual database"),
        }
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} as {}", self.0.name)
    }
}
