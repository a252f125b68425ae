//! What can be checked of a configuration before anything is opened or anybody is disturbed: by a start, by whoever takes over, by
//! `serve --check` and by `config check`. What stays true: all of them read the same, all mistakes are told at once, nothing is
//! changed, and what was found right is kept, so a server that opens its store again needs none of these files.

use std::sync::Arc;

use crate::api::{Certificate, PeopleRules};
use crate::clock::Clock;
use crate::config::Config;
use crate::deliver::{Smtp, Trust};
use crate::dialect::{Dialects, Shelf};
use crate::domain::time::{self, UnixMs};
use crate::{ServeError, settings, store};

/// 2026-01-01: a clock that shows less was not set, as on a machine without a battery before it has asked the network.
pub const EARLIEST: UnixMs = 1_767_225_600_000;

/// What was found right.
pub struct Checked {
    /// What the API is served with, if it is served over TLS.
    pub certificate: Option<Arc<Certificate>>,
    /// The contracts.
    pub shelf: Arc<Shelf>,
    /// Whom is trusted where a webhook says nothing.
    pub trust: Trust,
    /// The mail server, if there is one.
    pub smtp: Option<Arc<Smtp>>,
    /// How people log in, and how portals look.
    pub people: PeopleRules,
}

impl Checked {
    /// Of a configuration, on a machine whose clock was set.
    ///
    /// # Errors
    /// All that is wrong, in words, with its remedy.
    pub fn of(config: &Config, clock: &Clock) -> Result<Self, ServeError> {
        if clock.wall() < EARLIEST {
            return Err(ServeError::Clock(time::rfc3339(clock.wall())));
        }
        read(config).map_err(ServeError::Several)
    }
}

/// What a configuration names, or all that is wrong with it.
fn read(config: &Config) -> Result<Checked, Vec<ServeError>> {
    let dialects = dialects(config);
    let certificate = settings::certificate(config).map_err(ServeError::from);
    let trust = settings::trust(config.deliver.roots).map_err(ServeError::Roots);
    let smtp = settings::smtp(config).map_err(ServeError::Smtp);
    let people = settings::people(config).map_err(ServeError::Pages);
    let database = settings::of_store(config).database.map_or(Ok(()), |database| database.vet());
    let database = database.map_err(ServeError::Database);
    match (dialects, certificate, trust, smtp, people, database) {
        (Ok(dialects), Ok(certificate), Ok(trust), Ok(smtp), Ok(people), Ok(())) => {
            Ok(Checked { certificate, shelf: Arc::new(Shelf::new(dialects)), trust, smtp, people })
        }
        (dialects, certificate, trust, smtp, people, database) => {
            let all = [dialects.err(), certificate.err(), trust.err(), smtp.err(), people.err(), database.err()];
            Err(all.into_iter().flatten().collect())
        }
    }
}

/// What is wrong with the files that a configuration names, the master keys among them, in sentences.
pub fn mistakes(config: &Config) -> Vec<String> {
    let of_store = settings::of_store(config);
    let of_keys = |why| store::OpenError::MasterKeys(of_store.master_keys.to_string(), why).into();
    let keys = store::vet_master_keys(&of_store).map_err(of_keys);
    let found = read(config).err().into_iter().flatten().chain(keys.err());
    found.map(|error: ServeError| error.to_string()).collect()
}

/// What a start would do, once nothing speaks against it.
pub struct Plan {
    /// How many dialects there are.
    pub dialects: usize,
    /// The database that has the store, if one does: it is not asked.
    pub database: Option<String>,
    /// What it would find in the data directory; `None` where a server has it, or a database.
    pub store: Option<store::Upgrade>,
}

/// Reads all that a start needs, and looks at the store. A server that has the store may go on: it is asked for nothing.
///
/// # Errors
/// As [`Checked::of`], and whatever keeps the store from being opened.
pub fn plan(clock: &Clock, config: &Config) -> Result<Plan, ServeError> {
    let checked = Checked::of(config, clock)?;
    let of_store = settings::of_store(config);
    let database = of_store.database.as_ref().map(ToString::to_string);
    let store = match store::foresee(&of_store) {
        Err(store::OpenError::InUse(_) | store::OpenError::InDatabase(_)) => None,
        foreseen => Some(foreseen?),
    };
    Ok(Plan { dialects: checked.shelf.now().names().count(), database, store })
}

/// The dialects of a configuration. An error names all that is wrong with their files, or the one that is missing.
fn dialects(config: &Config) -> Result<Dialects, ServeError> {
    let dialects = Dialects::load(Some(&config.deliver.dialects)).map_err(ServeError::Dialects)?;
    let names = || dialects.names().collect::<Vec<_>>().join(", ");
    if let Some(name) = config.deliver.default_dialect.as_ref().filter(|name| dialects.get(name).is_none()) {
        return Err(ServeError::DefaultDialect(name.clone(), names()));
    }
    let wanted = config.deliver.wanted_dialects().unwrap_or_default();
    if let Some(name) = wanted.iter().find(|name| dialects.get(name).is_none()) {
        return Err(ServeError::BuiltinDialects(name.clone(), names()));
    }
    Ok(dialects)
}
