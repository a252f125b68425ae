//! `hookwheel store`: what is done about a data directory while no server has it. What stays true: nothing is lost
//! unless it is told `--yes`.

use clap::{Args, Subcommand};

use super::error::CliError;
use crate::config::Config;

/// The arguments of `hookwheel store`.
#[derive(Debug, Args)]
pub struct StoreArgs {
    #[command(subcommand)]
    command: StoreCommand,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Let a store that lacks what was there before be opened again, with what is left
    ///
    /// For a store that the server refuses to open since group commits are missing in it: what they wrote is lost. Where
    /// there is a whole copy of the data directory, put that back instead. The server must not be running.
    AcceptLoss {
        /// What is missing may be lost
        #[arg(long)]
        yes: bool,
    },
    /// Bring a store to the format of this build, as a start does
    ///
    /// A copy of its files is made first, in the folder `copies` of the data directory. The server must not be running.
    Upgrade {
        /// Make no copy first: an older version cannot read the store afterwards
        #[arg(long)]
        no_copy: bool,
    },
}

/// Does what is asked for.
pub fn run(args: StoreArgs, config: &Config) -> Result<(), CliError> {
    match args.command {
        StoreCommand::AcceptLoss { yes } => accept_loss(yes, config),
        StoreCommand::Upgrade { no_copy } => upgrade(!no_copy, config),
    }
}

fn upgrade(copies: bool, config: &Config) -> Result<(), CliError> {
    let path = config.store.path.display();
    let done = crate::upgrade(config, copies).map_err(|error| CliError::Failed(error.to_string()))?;
    match done.found {
        None => println!("there is no store in {path}"),
        Some(found) if found == done.needed => println!("{path} has format {found} already"),
        Some(found) => println!("{path} had format {found}, and has {} now", done.needed),
    }
    Ok(())
}

fn accept_loss(yes: bool, config: &Config) -> Result<(), CliError> {
    let path = config.store.path.display();
    if !yes {
        let why =
            format!("what is missing in {path} would be lost for good: say so with --yes, or put back a whole copy");
        return Err(CliError::Failed(why));
    }
    let loss = crate::accept_loss(config).map_err(|error| CliError::Failed(error.to_string()))?;
    match (loss.left, loss.marked) {
        (None, _) => println!("nothing was left in {path}: the next start makes a new store there"),
        (Some(left), Some(marked)) if marked > left => {
            println!("{path} goes on with {left} group commits; {} are lost", marked - left);
        }
        (Some(left), _) => println!("{path} goes on with {left} group commits"),
    }
    Ok(())
}
