//! `hookwheel restore`: a store out of a backup, encrypted or not, and whether a backup is whole.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::age::{self, Keys};
use crate::cli::error::CliError;
use crate::cli::terminal::{note, print};
use crate::config::Config;
use crate::domain::time;

/// What an encrypted file begins with that was written as text.
const ARMORED: &[u8] = b"-----BEGIN AGE";
/// Of a file with keys, at most.
const IDENTITY_BYTES_MAX: u64 = 64 << 10;

/// The arguments of `hookwheel restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup; - is standard input
    file: PathBuf,
    /// The file with the key that an encrypted one was made for, as `backup --new-identity` or age-keygen writes it
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// The data directory that is made [default: the store of the configuration: store.url, else store.path]
    #[arg(long, value_name = "DIR", conflicts_with = "check")]
    to: Option<PathBuf>,
    /// Only read it to its end and say whether it is whole, and what it is
    #[arg(long)]
    check: bool,
    /// Restore also where the rows do not add up to those that were written, as those of a damaged store do not
    #[arg(long, conflicts_with = "check")]
    accept_differences: bool,
}

/// Restores a backup, or checks one.
pub fn restore(args: &RestoreArgs, mut config: Config) -> Result<(), CliError> {
    let shown = args.file.display();
    let keys = args.identity.as_deref().map(identities).transpose()?;
    if args.check {
        let (found, wrong) = check(&args.file, keys.as_ref())?;
        let printed = print(&format!("{shown}: {found}\n"));
        return wrong.map_or(printed, |wrong| {
            Err(CliError::Verdict(format!("something was wrong with the store when it was backed up: {wrong}")))
        });
    }
    if let Some(to) = &args.to {
        config.store.path.clone_from(to);
        config.store.url = None;
    }
    let from = open(&args.file, keys.as_ref())?;
    if crate::is_half_restored(&config) {
        note(format_args!("hookwheel: a restore into {} was broken off: it begins anew", config.store.path.display()));
    }
    let found = crate::restore(&config, from, args.accept_differences);
    let found = found.map_err(|error| CliError::Failed(format!("{shown}: {error}")))?;
    let (keys, path) = (found.header.master_keys.join(", "), crate::place_of_store(&config));
    let path = path.display();
    if let Some(wrong) = found.closing.wrong() {
        note(format_args!("hookwheel: something was wrong with the store when it was backed up: {wrong}"));
    }
    print(&format!(
        "{shown}: {} group commits are restored in {path}.\n\
        It needs the master keys {keys}, which are not in a backup: put them back before the server is started.\n",
        found.closing.group
    ))
}

/// Says what a backup is that is whole, and what was wrong with the store, if anything was.
pub fn check(file: &Path, keys: Option<&Keys>) -> Result<(String, Option<String>), CliError> {
    let found = crate::verify_backup(open(file, keys)?);
    let found = found.map_err(|error| CliError::Failed(format!("{}: {error}", file.display())))?;
    let (header, closing) = (found.header, found.closing);
    let put_aside = match closing.put_aside {
        0 => String::new(),
        rows => format!(", {rows} rows of it put aside as damaged"),
    };
    let text = format!(
        "whole{}; hookwheel {}, format {}, begun at {}, as of group commit {}, {} records{put_aside}, master keys {}",
        if keys.is_some() { ", encrypted" } else { "" },
        header.version,
        header.format,
        time::rfc3339(header.begun_at),
        closing.group,
        closing.records,
        header.master_keys.join(", ")
    );
    Ok((text, closing.wrong()))
}

/// A backup in the clear. `keys` are given if and only if it is encrypted.
fn open(file: &Path, keys: Option<&Keys>) -> Result<Box<dyn Read>, CliError> {
    let failed = |why: String| CliError::Failed(format!("{}: {why}", file.display()));
    let mut from: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let opened = File::open(file).map_err(CliError::io(file.display().to_string()))?;
        Box::new(BufReader::with_capacity(1 << 18, opened))
    };
    let mut start = Vec::new();
    let looked = from.by_ref().take(age::MAGIC.len() as u64).read_to_end(&mut start);
    looked.map_err(CliError::io(file.display().to_string()))?;
    let (is_encrypted, is_armored) = (start == age::MAGIC, start.starts_with(ARMORED));
    let whole = Cursor::new(start).chain(from);
    match keys {
        _ if is_armored => Err(failed("it is encrypted and written as text: decrypt it first by `age -d`".into())),
        Some(keys) if is_encrypted => {
            let plain = age::decrypt(whole, keys).map_err(|error| failed(error.to_string()))?;
            Ok(Box::new(plain))
        }
        Some(_) => Err(failed("it is not encrypted: leave --identity out if it is the one that you mean".into())),
        None if is_encrypted => {
            Err(failed("it is encrypted: name the file with the key that it was made for by --identity FILE".into()))
        }
        None => Ok(Box::new(whole)),
    }
}

/// The keys in a file.
fn identities(file: &Path) -> Result<Keys, CliError> {
    let cannot = || CliError::io(file.display().to_string());
    let mut text = Zeroizing::new(Vec::new());
    let opened = File::open(file).map_err(cannot())?;
    opened.take(IDENTITY_BYTES_MAX).read_to_end(&mut text).map_err(cannot())?;
    let none = || {
        CliError::Failed(format!(
            "--identity: {} is no file with keys of age: each line is AGE-SECRET-KEY-1… or a comment (#)",
            file.display()
        ))
    };
    let identities = std::str::from_utf8(&text).ok().and_then(age::identities);
    identities.map(Keys::Identities).ok_or_else(none)
}
