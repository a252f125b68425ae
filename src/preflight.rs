//! What must be right before a server starts: everything that its configuration names is read, and nothing is changed. A start
//! reads it so, and who only asks what a start would do reads the same.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::dialect::Dialects;
use crate::domain::time::{self, UnixMs};
use crate::{ServeError, api, deliver, settings, store};

/// 2026-01-01: a clock that shows less was not set, as on a machine without a battery before it has asked the network.
pub const EARLIEST: UnixMs = 1_767_225_600_000;

/// What was read.
pub struct Ready {
    /// What the API is served with, if over TLS.
    pub certificate: Option<Arc<api::Certificate>>,
    /// All dialects.
    pub dialects: Dialects,
    /// Whom deliveries trust.
    pub trust: deliver::Trust,
    /// The mail server, if there is one.
    pub smtp: Option<Arc<deliver::Smtp>>,
    /// How people log in.
    pub people: api::PeopleRules,
}

/// Reads all that a start needs but the store.
///
/// # Errors
/// The clock was not set yet, or a file that the configuration names is missing or wrong.
pub fn check(clock: &Clock, config: &Config) -> Result<Ready, ServeError> {
    if clock.wall() < EARLIEST {
        return Err(ServeError::Clock(time::rfc3339(clock.wall())));
    }
    let certificate = settings::certificate(config)?;
    let dialects = Dialects::load(Some(&config.deliver.dialects)).map_err(ServeError::Dialects)?;
    let unknown = |name: &String| dialects.get(name).is_none();
    let all = || dialects.names().collect::<Vec<_>>().join(", ");
    if let Some(name) = config.deliver.default_dialect.as_ref().filter(|name| unknown(name)) {
        return Err(ServeError::DefaultDialect(name.clone(), all()));
    }
    if let Some(name) = config.deliver.wanted_dialects().unwrap_or_default().iter().find(|name| unknown(name)) {
        return Err(ServeError::BuiltinDialects(name.clone(), all()));
    }
    let trust = settings::trust(config.deliver.roots).map_err(ServeError::Roots)?;
    let smtp = settings::smtp(config).map_err(ServeError::Smtp)?;
    let people = settings::people(config).map_err(ServeError::Pages)?;
    Ok(Ready { certificate, dialects, trust, smtp, people })
}

/// What a start would do, once nothing speaks against it.
pub struct Plan {
    /// How many dialects there are.
    pub dialects: usize,
    /// What it would find in the data directory; `None` where a server has it.
    pub store: Option<store::Upgrade>,
}

/// Reads all that a start needs, and looks at the store; changes nothing. A server that has the store may go on: it is asked for
/// nothing.
///
/// # Errors
/// As [`check`], and whatever keeps the store from being opened.
pub fn plan(clock: &Clock, config: &Config) -> Result<Plan, ServeError> {
    let ready = check(clock, config)?;
    let store = match store::foresee(&settings::of_store(config)) {
        Err(store::OpenError::InUse(_)) => None,
        foreseen => Some(foreseen?),
    };
    Ok(Plan { dialects: ready.dialects.names().count(), store })
}

/// What this build is.
#[derive(Debug, serde::Serialize)]
pub struct About {
    /// Its version.
    pub version: &'static str,
    /// The commit it was built from, if that is known.
    pub commit: Option<&'static str>,
    /// What was built in besides.
    pub features: Vec<&'static str>,
    /// The format of stores that it writes.
    pub store_format: u32,
    /// The oldest one that it brings to that.
    pub store_format_oldest: u32,
}

/// What this build is.
pub fn about() -> About {
    About {
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("HOOKWHEEL_BUILD_COMMIT"),
        features: if fail::has_failpoints() { vec!["failpoints"] } else { Vec::new() },
        store_format: store::FORMAT_VERSION,
        store_format_oldest: store::FORMAT_COPIED,
    }
}
