//! What `hookwheel doctor` looks at: the store that no server has, the machine, and the configuration. What stays true: it is one
//! list of findings, whatever was looked at; nothing is changed unless a repair is asked for, and then a copy is made first.

mod certificate;
mod configuration;
mod database;
mod machine;
mod running;
mod space;

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::finding::{Finding, worst_first};
use crate::{settings, store};
pub use running::{findings as of_running, findings_of_metrics as of_metrics};

/// What was looked at, and what was found.
pub struct Looked {
    /// Rows of the store that were looked at; `None` where a server has it: that is to be asked.
    pub rows: Option<u64>,
    /// Where the store is: a directory, or a database.
    pub place: String,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
}

/// Looks at everything that is here. `asks_resolver`: whether a name is looked up.
///
/// # Errors
/// The data directory cannot be read.
pub async fn look(config: &Config, asks_resolver: bool) -> Result<Looked, store::OpenError> {
    let clock = Clock::real();
    let of_store = settings::of_store(config);
    let mut findings = Vec::new();
    let (rows, grown) = match store::examine(&of_store, clock.wall()) {
        Ok(examined) => {
            findings.extend(examined.findings);
            (Some(examined.rows), examined.grown)
        }
        Err(store::OpenError::InUse(_) | store::OpenError::InDatabase(_)) => (None, None),
        Err(error) => return Err(error),
    };
    findings.extend(store::advice(&of_store));
    findings.extend(of_store.database.iter().flat_map(database::findings));
    findings.extend(machine::findings(config, clock.wall()));
    findings.extend(space::findings(config, grown.as_ref()));
    findings.extend(configuration::findings(config));
    findings.extend(certificate::findings(config, clock.wall()));
    if asks_resolver {
        findings.extend(machine::resolver(config).await);
    }
    worst_first(&mut findings);
    Ok(Looked { rows, place: of_store.path.display().to_string(), findings })
}

/// What a repair did.
pub struct Repaired {
    /// Where the copy is that was made first; `None` where none was wanted, or nothing was changed.
    pub copy: Option<String>,
    /// Rows that were written or removed.
    pub changed: u64,
    /// What was mended.
    pub mended: Vec<Finding>,
}

/// Builds again what follows from other rows, after a copy of the store unless none is wanted.
///
/// # Errors
/// A server has the store, it lacks what was there before, it is of an older format, there is no room for the copy, or it cannot be
/// written.
pub fn repair(config: &Config, copies: bool) -> Result<Repaired, store::OpenError> {
    let of_store = settings::of_store(config);
    let store::Repaired { copy, changed, mended } = store::repair(&of_store, copies.then(|| Clock::real().wall()))?;
    Ok(Repaired { copy: copy.map(|copy| copy.display().to_string()), changed, mended })
}
