//! `hookwheel completions`: what a shell completes the command line with, as packages ship it.

use clap::{Args, Command};
use clap_complete::Shell;

use super::error::CliError;
use super::terminal::print;

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
    print(&String::from_utf8_lossy(&script))
}
