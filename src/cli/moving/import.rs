//! `hookwheel import`: what an export holds, or what Svix or Convoy have, into a server.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::entry::What;
use super::importer::{Importer, Wanted};
use super::theirs::Theirs;
use super::there::There;
use super::told::Told;
use super::{convoy, file, svix};
use crate::cli::error::CliError;
use crate::cli::server::ServerArgs;

/// A longer token is none.
const TOKEN_BYTES_MAX: usize = 64 << 10;

/// Another webhook server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Other {
    /// Svix, hosted or your own
    Svix,
    /// Convoy, hosted or your own
    Convoy,
}

/// The arguments of `hookwheel import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The export; - is standard input
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    file: Option<String>,
    /// Read another webhook server by its API, in place of a file
    #[arg(long, value_enum, value_name = "SERVER", requires_all = ["from_url", "from_token_file"])]
    from: Option<Other>,
    /// Where its API is.
    #[arg(
        help = "Where its API is, such as https://api.eu.svix.com or https://us.getconvoy.cloud",
        long,
        value_name = "URL",
        requires = "from"
    )]
    from_url: Option<String>,
    /// The file with its API token: an authentication token of Svix, a personal or project key of Convoy
    #[arg(long, value_name = "FILE", requires = "from")]
    from_token_file: Option<PathBuf>,
    /// Convoy: the project [default: the only one]
    #[arg(long, value_name = "ID", requires = "from")]
    project: Option<String>,
    /// The dialect of what comes from another server [default: svix; for Convoy one that is made of the project's settings]
    #[arg(long, value_name = "NAME", requires = "from")]
    dialect: Option<String>,
    /// Only of these accounts, by the ids that they get here [default: all]
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    accounts: Vec<String>,
    /// What to import [default: all; events only with --publish-events]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    what: Vec<What>,
    /// Publish the events of the export, each under the id that it had: they are delivered, not kept as history
    #[arg(long, conflicts_with = "from")]
    publish_events: bool,
    /// Write dialects into this folder, the server's deliver.dialects; files that are there are left alone
    #[arg(long, value_name = "DIR")]
    dialects: Option<PathBuf>,
    /// Only say what would be made and changed; the server judges nothing
    #[arg(long)]
    dry_run: bool,
    /// Print an object a line
    #[arg(long)]
    json: bool,
}

/// Imports what the arguments say.
pub async fn run(args: ImportArgs, server: &ServerArgs) -> Result<(), CliError> {
    let what = if args.what.is_empty() { What::value_variants().to_vec() } else { args.what };
    let wanted = Wanted { what, accounts: args.accounts, publishes: args.publish_events, dialects: args.dialects };
    let theirs = match (args.from, &args.from_url, &args.from_token_file) {
        (Some(other), Some(url), Some(path)) => Some((other, Theirs::new(name(other), url, &token(path)?)?)),
        _ => None,
    };
    let mut to = Importer::new(There::of(server).await?, wanted, Told::new(args.json, args.dry_run));
    match theirs {
        None => file::read(args.file.as_deref().unwrap_or("-"), &mut to).await?,
        Some((Other::Svix, theirs)) => svix::read(&theirs, args.dialect.as_deref().unwrap_or("svix"), &mut to).await?,
        Some((Other::Convoy, theirs)) => {
            convoy::read(&theirs, args.project.as_deref(), args.dialect.as_deref(), &mut to).await?;
        }
    }
    to.end().await
}

fn name(other: Other) -> &'static str {
    match other {
        Other::Svix => "Svix",
        Other::Convoy => "Convoy",
    }
}

/// The first line of a file.
fn token(path: &std::path::Path) -> Result<String, CliError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(CliError::io(&shown))?;
    let token = text.lines().next().unwrap_or_default().trim();
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX || token.chars().any(char::is_control) {
        return Err(CliError::Usage(format!("{shown} holds no token in its first line")));
    }
    Ok(token.to_owned())
}
