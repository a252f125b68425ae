//! What can be checked of a configuration before anything is opened or anybody is disturbed. What stays true: what was found
//! right is kept, so a server that opens its store again needs none of these files.

use std::sync::Arc;

use crate::ServeError;
use crate::api::{Certificate, PeopleRules};
use crate::clock::Clock;
use crate::config::Config;
use crate::deliver::{Smtp, Trust};
use crate::dialect::{Dialects, Shelf};
use crate::domain::time::{self, UnixMs};
use crate::settings;

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
    /// Of a configuration.
    ///
    /// # Errors
    /// What is wrong, in words, with its remedy.
    pub fn of(config: &Config, clock: &Clock) -> Result<Self, ServeError> {
        if clock.wall() < EARLIEST {
            return Err(ServeError::Clock(time::rfc3339(clock.wall())));
        }
        let certificate = settings::certificate(config)?;
        let shelf = dialects(config)?;
        Ok(Self {
            certificate,
            shelf: Arc::new(Shelf::new(shelf)),
            trust: settings::trust(config.deliver.roots).map_err(ServeError::Roots)?,
            smtp: settings::smtp(config).map_err(ServeError::Smtp)?,
            people: settings::people(config).map_err(ServeError::Pages)?,
        })
    }
}

/// The dialects of a configuration. An error names all that is wrong with their files, or the one that is missing.
pub fn dialects(config: &Config) -> Result<Dialects, ServeError> {
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
