//! `hookwheel dialect export` and `import`: contracts as documents of other formats. What stays true: what goes on standard
//! output is the document alone, and what is not in it is told beside it.

use std::path::Path;

use clap::Args;

use super::error::CliError;
use super::named;
use super::terminal::note;
use crate::docs;
use crate::exchange::{self, Format, Imported};

/// The arguments of `hookwheel dialect export`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hookwheel dialect export --openapi taskflow > taskflow.openapi.json
  hookwheel dialect export --asyncapi dialects/my-app.toml > my-app.asyncapi.json

What a field of the format can say stands in that field; x-hookwheel beside it says what
fills it. What the document does not say is listed on
standard error.")]
pub struct ExportArgs {
    /// A file, the name of a dialect, or - for standard input
    dialect: String,
    /// As OpenAPI 3.1: a webhook for each event
    #[arg(long, required_unless_present = "asyncapi", conflicts_with = "asyncapi")]
    openapi: bool,
    /// As AsyncAPI 3: a message for each event
    #[arg(long)]
    asyncapi: bool,
}

/// The arguments of `hookwheel dialect import`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hookwheel dialect import taskflow.openapi.json > dialects/copy.toml
  yq -o json theirs.yaml | hookwheel dialect import - > dialects/theirs.toml

Reads OpenAPI 3 (webhooks) and AsyncAPI 2 and 3 (messages of channels), in JSON. What had
to be guessed and what the dialect does not carry is listed on
standard error: read it before you send anything.")]
pub struct ImportArgs {
    /// The document, or - for standard input
    document: String,
}

/// The document, ending in a line feed.
pub fn export(args: &ExportArgs, dir: &Path) -> Result<String, CliError> {
    let format = if args.openapi { Format::OpenApi } else { Format::AsyncApi };
    let dialect = named::dialect(&args.dialect, dir).map_err(CliError::Failed)?;
    let document = exchange::export(&dialect, format).map_err(CliError::Failed)?;
    let left = exchange::left_out(&dialect);
    let width = left.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    let lines = left.iter().map(|(key, what)| format!("{key:width$}  {what}"));
    tell("not in the document", lines);
    Ok(docs::pretty(&document) + "\n")
}

/// The dialect file, and whether a server would take it.
pub fn import(args: &ImportArgs) -> Result<(String, Result<(), CliError>), CliError> {
    let failed = |wrong: String| CliError::Failed(format!("{}: {wrong}", args.document));
    let text = named::text(&args.document).map_err(CliError::Failed)?;
    let Imported { text, guessed, lost, broken } = exchange::import(&text).map_err(failed)?;
    tell("guessed", guessed.into_iter());
    tell("not in the dialect", lost.into_iter());
    let verdict = match broken {
        None => Ok(()),
        Some(wrong) => Err(CliError::Failed(format!("the dialect needs a hand before it can be used: {wrong}"))),
    };
    Ok((text, verdict))
}

/// A list on standard error, if there is anything in it.
fn tell(title: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        note(format_args!("{title}:"));
    }
    lines.for_each(|line| note(format_args!("  {line}")));
}
