//! What `verify` and `receive` share: a dialect and secrets, named by arguments. What stays true: requests are verified
//! here exactly as the server signs them, by the same dialect files.

use std::path::Path;
use std::sync::Arc;

use clap::Args;

use super::error::CliError;
use crate::clock::Clock;
use crate::dialect::{Dialect, Dialects, Received, VerifyError};
use crate::domain::secret::Secret;

/// Arguments that name a contract.
#[derive(Debug, Args)]
pub struct ContractArgs {
    /// The dialect that the webhook is served by
    #[arg(long, value_name = "NAME", default_value = "standard")]
    dialect: String,
    /// The webhook's secret, or @FILE; give it again for another one, while a secret rotates
    #[arg(long = "secret", value_name = "SECRET", value_parser = secret)]
    secrets: Vec<Secret>,
}

impl ContractArgs {
    /// Looks the dialect up among those that are compiled in and those in `dir`, and checks the secrets' form.
    pub fn read(self, dir: &Path) -> Result<Contract, CliError> {
        let dialect = dialect(&self.dialect, dir)?;
        for secret in &self.secrets {
            let checked = dialect.check_verifies(secret);
            checked.map_err(|wrong| CliError::Failed(format!("--secret for {}: {}", self.dialect, wrong.message)))?;
        }
        Ok(Contract { dialect, secrets: self.secrets })
    }
}

/// A dialect, and the secrets to verify with.
#[derive(Debug)]
pub struct Contract {
    /// The dialect.
    pub dialect: Arc<Dialect>,
    /// None: nothing can be verified.
    pub secrets: Vec<Secret>,
}

impl Contract {
    /// Verifies a request now; `tolerance_seconds` bounds how far its time may be from the clock's.
    pub fn verify(&self, received: Received<'_>, tolerance_seconds: Option<u64>) -> Result<(), VerifyError> {
        self.dialect.verify(received, &self.secrets, Clock::real().wall(), tolerance_seconds)
    }

    /// The names of the headers that the dialect sets, as the contract spells them.
    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        self.dialect.header_keys().map(|key| key.spelled.as_str())
    }
}

/// The dialect of this name, among those that are compiled in and those in `dir`.
pub fn dialect(name: &str, dir: &Path) -> Result<Arc<Dialect>, CliError> {
    let dialects = Dialects::load(Some(dir))
        .map_err(|errors| CliError::Failed(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    dialects.get(name).cloned().ok_or_else(|| {
        let known: Vec<_> = dialects.names().collect();
        CliError::Failed(format!("there is no dialect {name:?}; there are {}", known.join(", ")))
    })
}

/// Reads a secret that is given, or the file that holds it.
pub fn secret(text: &str) -> Result<Secret, String> {
    match text.strip_prefix('@') {
        None => Ok(Secret::new(text)),
        Some(path) => {
            let read = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
            Ok(Secret::new(read.trim_end_matches(['\r', '\n'])))
        }
    }
}
