//! `hookwheel completions`: what a shell completes the command line with, as packages ship it.

use std::io::Write;

use clap::{Args, Command};
use clap_complete::Shell;

use super::error::CliError;

/// For which shell.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Writes the completions of `command` to standard output.
pub fn run(args: &CompletionsArgs, mut command: Command) -> Result<(), CliError> {
    let (name, mut script) = (command.get_name().to_owned(), Vec::new());
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    std::io::stdout().lock().write_all(&script).map_err(CliError::io("standard output"))
}
