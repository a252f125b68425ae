//! What a start would find and do, for whoever asks before it, and what this build is. What stays true: what a start reads is read, and
//! nothing is changed.

use crate::checked::Checked;
use crate::clock::Clock;
use crate::config::Config;
use crate::{ServeError, settings, store};

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
/// As [`Checked::of`], and whatever keeps the store from being opened.
pub fn plan(clock: &Clock, config: &Config) -> Result<Plan, ServeError> {
    let checked = Checked::of(config, clock)?;
    let store = match store::foresee(&settings::of_store(config)) {
        Err(store::OpenError::InUse(_)) => None,
        foreseen => Some(foreseen?),
    };
    Ok(Plan { dialects: checked.shelf.now().names().count(), store })
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
