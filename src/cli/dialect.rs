//! `hookwheel dialect`: everything about dialect files that needs no server. What stays true: a file is judged here by
//! the code that the server reads it with, and nothing that exists is overwritten.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};

use super::dialect_diff::{self, DiffArgs};
use super::dialect_exchange::{self, ExportArgs, ImportArgs};
use super::error::CliError;
use super::server::ServerArgs;
use super::terminal::{note, print};
use super::trial::{self, TrialArgs};
use crate::config::Config;
use crate::dialect::{Dialect, DialectError, Dialects, SCHEMA};
use crate::docs::{self, Document, Site};

/// The arguments of `hookwheel dialect`.
#[derive(Debug, Args)]
pub struct DialectArgs {
    #[command(subcommand)]
    command: DialectCommand,
}

#[derive(Debug, Subcommand)]
enum DialectCommand {
    /// List all dialects
    List,
    /// Print a dialect's file
    Show {
        /// Its name
        name: String,
    },
    /// Check a file; a mistake is told with its line, its key and what would be right
    Check {
        /// The file
        file: PathBuf,
    },
    /// Start a dialect of your own from one that there is
    New {
        /// Its name: 1 to 64 of a-z 0-9 _ -
        name: String,
        /// The dialect to start from
        #[arg(long, value_name = "NAME", default_value = "standard")]
        from: String,
    },
    /// Print what every key of a dialect file means, what it may be and what stands for it when it is left out
    Reference {
        /// How it is written
        #[arg(long, value_enum, default_value_t = Format::Markdown)]
        format: Format,
    },
    /// Print the JSON Schema of dialect files, by which editors complete and check
    Schema,
    /// Test a receiver: which requests it takes that it should not, or the reverse
    Test(TrialArgs),
    /// Tell what changes for receivers and for callers of the API, and what of it breaks them
    Diff(DiffArgs),
    /// Write a contract as an OpenAPI 3.1 or AsyncAPI 3 document
    Export(ExportArgs),
    /// Make a first dialect of an OpenAPI or AsyncAPI document
    Import(ImportArgs),
    /// Print the documentation for a dialect's receivers, of the server at --url
    Docs {
        /// Its name
        name: String,
        /// How it is written
        #[arg(long, value_enum, default_value_t = Format::Markdown)]
        format: Format,
    },
}

/// How documentation is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// One HTML file
    Html,
    /// Markdown
    Markdown,
}

impl Format {
    fn write(self, document: &Document) -> String {
        match self {
            Self::Html => document.to_html(),
            Self::Markdown => document.to_markdown(),
        }
    }
}

impl DialectArgs {
    /// Whether its failure is an answer: a receiver or a change is not as it should be.
    pub fn judges(&self) -> bool {
        matches!(self.command, DialectCommand::Test(_) | DialectCommand::Diff(_))
    }
}

/// Does what was asked for. Dialects are those that are compiled in and those in the configured directory.
pub fn run(args: DialectArgs, all: &Config, server: &ServerArgs) -> Result<(), CliError> {
    let config = &all.deliver;
    let dir = &config.dialects;
    match args.command {
        DialectCommand::Test(args) => actix_rt::System::new().block_on(trial::run(args, all)),
        DialectCommand::List => print(&list(&load(dir)?)),
        DialectCommand::Show { name } => print(&known(&load(dir)?, &name)?.source),
        DialectCommand::Check { file } => check(&file, dir),
        DialectCommand::New { name, from } => new(&name, &from, dir),
        DialectCommand::Reference { format } => print(&format.write(&docs::reference())),
        DialectCommand::Schema => print(&format!("{:#}\n", *SCHEMA)),
        DialectCommand::Diff(args) => {
            let told = dialect_diff::run(&args, dir)?;
            // The verdict counts even where nobody reads why.
            let printed = print(&told.text);
            told.verdict().and(printed)
        }
        DialectCommand::Export(args) => print(&dialect_exchange::export(&args, dir)?),
        DialectCommand::Import(args) => {
            let (text, verdict) = dialect_exchange::import(&args)?;
            let printed = print(&text);
            verdict.and(printed)
        }
        DialectCommand::Docs { name, format } => {
            let site = Site {
                base_url: server.url.trim_end_matches('/').to_string(),
                egress: config.egress.iter().map(ToString::to_string).collect(),
                https_only: !config.http_allowed,
            };
            print(&format.write(&docs::document(&*known(&load(dir)?, &name)?, &site)))
        }
    }
}

fn load(dir: &Path) -> Result<Dialects, CliError> {
    Dialects::load(Some(dir)).map_err(|errors| CliError::Failed(lines(&errors)))
}

fn lines(errors: &[DialectError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn known(dialects: &Dialects, name: &str) -> Result<Arc<Dialect>, CliError> {
    dialects.get(name).cloned().ok_or_else(|| {
        let names: Vec<_> = dialects.names().collect();
        CliError::Failed(format!("there is no dialect {name:?}; there are {}", names.join(", ")))
    })
}

/// A table, a line a dialect.
fn list(dialects: &Dialects) -> String {
    let head = ["name", "title", "base", "events"].map(String::from);
    let row = |dialect: &Arc<Dialect>| {
        [dialect.name.clone(), dialect.title.clone(), base(dialect).to_string(), dialect.catalogue.len().to_string()]
    };
    let rows: Vec<[String; 4]> = std::iter::once(head).chain(dialects.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let line = |[name, title, base, events]: &[String; 4]| {
        format!("{name:0$}  {title:1$}  {base:2$}  {events}\n", widths[0], widths[1], widths[2])
    };
    rows.iter().map(line).collect()
}

/// Where its API starts; that of a dialect without a face is the native one.
fn base(dialect: &Dialect) -> &str {
    dialect.face.as_ref().map_or("-", |face| &face.base)
}

fn check(file: &Path, dir: &Path) -> Result<(), CliError> {
    let shown = file.display().to_string();
    let text = fs::read_to_string(file).map_err(CliError::io(&shown))?;
    let wrong = |error: DialectError| CliError::Failed(error.to_string());
    let dialect = Dialect::parse(&shown, &text).map_err(wrong)?;
    // What else is broken in the directory is not this file's fault.
    let mut others = Dialects::load(Some(dir)).unwrap_or_else(|errors| {
        note(format_args!(
            "hookwheel: not checked against {}, where files are broken:\n{}",
            dir.display(),
            lines(&errors)
        ));
        Dialects::shipped()
    });
    others.add(&shown, &text).map_err(wrong)?;
    print(&format!("ok: {}\n", summary(&dialect)))
}

/// A dialect in one line.
fn summary(dialect: &Dialect) -> String {
    let Dialect { name, title, .. } = dialect;
    let (signatures, retries) = (dialect.signature.len(), dialect.retry.delay_seconds.len());
    let face = match &dialect.face {
        Some(face) => format!("{} calls at {}", face.operations.0.len(), face.base),
        None => "no API of its own".into(),
    };
    let events = dialect.catalogue.len();
    format!("{name} ({title}): {events} events, {signatures} signature headers, {retries} retries, {face}")
}

fn new(name: &str, from: &str, dir: &Path) -> Result<(), CliError> {
    let mut dialects = load(dir)?;
    let source = &known(&dialects, from)?.source;
    let path = dir.join(format!("{name}.toml"));
    let shown = path.display().to_string();
    if path.exists() {
        return Err(CliError::Failed(format!("{shown} is there already; it stays as it is")));
    }
    if dialects.get(name).is_some() {
        let message =
            "is the name of a dialect that there is; to replace that one, save `hookwheel dialect show` of it as";
        return Err(CliError::Failed(format!("{name} {message} {shown}")));
    }
    let text = adapted(source, name);
    dialects.add(&shown, &text).map_err(|error| CliError::Failed(error.to_string()))?;
    if dialects.get(name).is_none() {
        return Err(CliError::Failed(format!("{name:?} is no name; a name is 1 to 64 of a-z 0-9 _ -")));
    }
    fs::create_dir_all(dir).map_err(CliError::io(dir.display().to_string()))?;
    let created = fs::OpenOptions::new().write(true).create_new(true).open(&path);
    created.and_then(|mut file| file.write_all(text.as_bytes())).map_err(CliError::io(&shown))?;
    print(&format!(
        "{shown} is made from {from}. Next:\n  \
         edit it: description, headers, signature, events and the rest are still those of {from}\n  \
         hookwheel dialect check {shown}\n  \
         hookwheel dialect docs {name}\n  \
         start the server, or send it SIGHUP if it runs\n"
    ))
}

/// A dialect's file with a title and a base path of its own. Comments and everything else stay.
fn adapted(source: &str, name: &str) -> String {
    let words = name.replace(['-', '_'], " ");
    let mut letters = words.chars();
    let title: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    let (mut section, mut out) = (String::new(), String::with_capacity(source.len() + 64));
    for line in source.split_inclusive('\n') {
        if line.starts_with('[') {
            section = line.trim().to_string();
        }
        let key = line.split('=').next().unwrap_or_default().trim();
        match (section.as_str(), key) {
            ("", "title") => out.push_str(&format!("title = \"{title}\"\n")),
            ("[face]", "base") => out.push_str(&format!("base = \"/{name}/webhooks\"\n")),
            _ => out.push_str(line),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_dialect_differs_in_title_and_base_alone() {
        let source =
            "# c\ntitle = \"A\" # x\ndescription = \"title = no\"\n\n[face]\nbase = \"/a\"\n\n[face.list]\nbase = 1\n";
        let expected = "# c\ntitle = \"My app\"\ndescription = \"title = no\"\n\n[face]\nbase = \"/my-app/webhooks\"\n\n[face.list]\nbase = 1\n";
        assert_eq!(adapted(source, "my-app"), expected);
    }
}
