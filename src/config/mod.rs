//! Every knob of the server, with its unit and bound in its name. Read once at start: the file, then the environment
//! over it; what neither names has its default. What stays true: a [`Config`] that [`load`] returned is within every
//! bound of the table of knobs (`knobs`), and nothing that somebody wrote was ignored (`reading`).

mod documented;
mod exposed;
mod filter;
mod knobs;
mod mistake;
mod named;
mod pages;
mod reading;
mod sections;
#[cfg(test)]
mod tests;
mod together;
mod written;

use std::path::Path;

pub use documented::{Documented, commented, documented};
pub use exposed::Exposed;
pub use filter::LEVELS;
pub use mistake::ConfigError;
pub use named::{ENVIRONMENT_PREFIX, is_live, nearest, variable};
pub use pages::{OidcConfig, PortalConfig};
use reading::from_sources;
pub use sections::{
    Access, AuthConfig, Config, DashboardConfig, DeliverConfig, LimitsConfig, LogConfig, LogFormat, MetricsConfig,
    RetentionConfig, Roots, ServerConfig, SmtpConfig, SmtpTls, StoreConfig, TracesConfig,
};

/// The file that is read when none is named, if it is there.
pub const DEFAULT_FILE: &str = "config.toml";

/// Reads the file at `path` (without one: `config.toml` in the working directory if it exists) and the environment.
///
/// # Errors
/// The file cannot be read, or a key is unknown or its value is not what the knob takes.
pub fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
    let default = Path::new(DEFAULT_FILE);
    // A link that leads nowhere is there: whoever made it meant what it led to.
    match path.or_else(|| default.symlink_metadata().is_ok().then_some(default)) {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Unreadable { path: path.display().to_string(), source })?;
            let config = from_sources(Some((path, &text)), None)?;
            Ok(Config { read_from: Some(path.to_path_buf()), ..config })
        }
        None => from_sources(None, None),
    }
}

/// The number of threads that a setting of 0 or more means: 0 is one a core.
pub fn threads(setting: usize) -> usize {
    if setting > 0 { setting } else { std::thread::available_parallelism().map_or(1, usize::from) }
}
