//! `hookwheel store`: what is done about a data directory while no server has it. What stays true: nothing is lost
//! unless it is told `--yes`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::error::CliError;
use super::moving;
use super::terminal::{note, print};
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
    /// Write what can still be read of a store: accounts, webhooks and events as NDJSON, on standard output
    ///
    /// For a store that no server opens. It goes on behind whatever cannot be read, and ends with 1 if anything was left out:
    /// how much, and where, is said on standard error. Webhooks need the master key that they are sealed with. The lines are those
    /// of `hookwheel export`, so `hookwheel import` takes them.
    Export {
        /// The data directory
        #[arg(long, value_name = "DIR")]
        from_damaged: PathBuf,
        /// Write the secrets of webhooks too, and headers that let somebody in
        #[arg(long)]
        secrets: bool,
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
        StoreCommand::Export { from_damaged, secrets } => export(&from_damaged, secrets, config),
        StoreCommand::Upgrade { no_copy } => upgrade(!no_copy, config),
    }
}

fn export(path: &Path, secrets: bool, config: &Config) -> Result<(), CliError> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut unwritten = None;
    let done = crate::rescue(config, path, secrets, |line| {
        let masked = (!secrets).then(|| moving::masked_line(line)).flatten();
        out.write_all(masked.as_deref().unwrap_or(line)).map_err(|error| {
            let stop = io::Error::from(error.kind());
            unwritten = Some(error);
            stop
        })
    });
    // Half of it is a failure even where nobody reads on.
    if let Some(error) = unwritten.or_else(|| out.flush().err()) {
        return Err(CliError::Failed(format!("the export cannot be written: {error}")));
    }
    let done = done.map_err(|error| CliError::Failed(error.to_string()))?;
    note(format_args!(
        "{} accounts, {} webhooks, {} event types and {} events were read",
        done.accounts, done.webhooks, done.event_types, done.events
    ));
    if done.lost == 0 {
        return Ok(());
    }
    done.places.iter().for_each(|place| note(format_args!("not read: {place}")));
    Err(CliError::Failed(format!("{} rows or pages could not be read and are left out", done.lost)))
}

fn upgrade(copies: bool, config: &Config) -> Result<(), CliError> {
    let path = config.store.path.display();
    let done = crate::upgrade(config, copies).map_err(|error| CliError::Failed(error.to_string()))?;
    print(&match done.found {
        None => format!("there is no store in {path}\n"),
        Some(found) if found == done.needed => format!("{path} has format {found} already\n"),
        Some(found) => format!("{path} had format {found}, and has {} now\n", done.needed),
    })
}

fn accept_loss(yes: bool, config: &Config) -> Result<(), CliError> {
    let path = config.store.path.display();
    if !yes {
        let why =
            format!("what is missing in {path} would be lost for good: say so with --yes, or put back a whole copy");
        return Err(CliError::Failed(why));
    }
    let loss = crate::accept_loss(config).map_err(|error| CliError::Failed(error.to_string()))?;
    print(&match (loss.left, loss.marked) {
        (None, _) => format!("nothing was left in {path}: the next start makes a new store there\n"),
        (Some(left), Some(marked)) if marked > left => {
            format!("{path} goes on with {left} group commits; {} are lost\n", marked - left)
        }
        (Some(left), _) => format!("{path} goes on with {left} group commits\n"),
    })
}
