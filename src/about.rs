//! What this build is: its version, and the formats of stores that it knows.

use crate::store;

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
