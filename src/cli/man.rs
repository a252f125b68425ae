//! `hookwheel man`: the manual pages, one a subcommand, as packages ship them. What stays true: they say what `--help` says,
//! since both are made of the same definition.

use std::path::PathBuf;

use clap::{Args, Command};

use super::error::CliError;

/// Where to write them.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The directory, which is made if it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Writes the pages of `command` and of all below it that is not hidden.
pub fn run(args: &ManArgs, command: Command) -> Result<(), CliError> {
    let failed = || CliError::io(args.directory.display().to_string());
    std::fs::create_dir_all(&args.directory).map_err(failed())?;
    clap_mangen::generate_to(command, &args.directory).map_err(failed())
}
