//! `hookwheel backup` and `hookwheel restore`: a store into a file, of a running server or one that no server has, and a store out of
//! one. What stays true: a file has its name only once it is whole, on the disk and verified, and what is there is overwritten only
//! if that is said.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use rustix::fs::{FlockOperation, flock};

use super::error::CliError;
use super::server::ServerArgs;
use super::terminal::{note, print};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::time;

/// What the name of a backup in a folder begins with.
const PREFIX: &str = "hookwheel-";
/// What it ends with.
const SUFFIX: &str = ".backup";
/// What stands between: year to milliseconds, in digits.
const DIGITS: usize = 17;
/// What a name ends with until the file is whole.
const PARTIAL: &str = "partial";

/// The arguments of `hookwheel backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The file that is made; - is standard output
    #[arg(required_unless_present = "to", conflicts_with = "to")]
    file: Option<PathBuf>,
    /// A folder that gets a file named by the time, as a timer needs it
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// How many such files stay in the folder: older ones go once the new one is verified [default: all]
    #[arg(long, value_name = "N", requires = "to", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
    /// Of the data directory that is configured, while no server has it
    #[arg(long)]
    pub offline: bool,
    /// Overwrite the file if it is there
    #[arg(long)]
    force: bool,
}

/// What is backed up.
#[derive(Clone, Copy)]
pub enum Of<'a> {
    /// The store of a server that runs.
    Running(&'a ServerArgs),
    /// The store that is configured, which no server has.
    Stopped(&'a Config),
}

/// The arguments of `hookwheel restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup; - is standard input
    file: PathBuf,
    /// The data directory that is made [default: store.path of the configuration]
    #[arg(long, value_name = "DIR", conflicts_with = "check")]
    to: Option<PathBuf>,
    /// Only read it to its end and say whether it is whole, and what it is
    #[arg(long)]
    check: bool,
    /// Restore also where the rows do not add up to those that were written, as those of a damaged store do not
    #[arg(long, conflicts_with = "check")]
    accept_differences: bool,
}

/// Takes a backup.
pub async fn run(args: BackupArgs, of: Of<'_>) -> Result<(), CliError> {
    let (file, folder) = match (args.file, args.to) {
        (_, Some(folder)) => (folder.join(name(Clock::real().wall())), Some(folder)),
        (file, None) => (file.unwrap_or_default(), None),
    };
    if file == Path::new("-") {
        let mut out = io::stdout().lock();
        take(of, &mut out).await?;
        // Half a backup is a failure even where nobody reads on.
        return out.flush().map_err(|error| CliError::Failed(format!("the backup cannot be written: {error}")));
    }
    if file.exists() && !args.force {
        return Err(CliError::Failed(format!(
            "{} is there already: name another file, or say --force",
            file.display()
        )));
    }
    if let Some(folder) = &folder {
        remove_partial(folder)?;
    }
    let mut partial = file.clone().into_os_string();
    partial.push(format!(".{PARTIAL}"));
    let partial = PathBuf::from(partial);
    let out = begin(&partial)?;
    let made = make(of, out, &partial, &file).await;
    if made.is_err() {
        // It is of no use; if it cannot be removed, its name says so.
        let _ = fs::remove_file(&partial);
    }
    let (found, wrong) = made?;
    if let (None, Some(folder), Some(keep)) = (&wrong, &folder, args.keep) {
        remove_older(folder, keep as usize)?;
    }
    // Last: it is made, whether or not anybody reads so.
    let printed = print(&format!("{}: {found}\n", file.display()));
    let Some(wrong) = wrong else { return printed };
    let kept = if args.keep.is_some() { "; no older one was removed" } else { "" };
    Err(CliError::Verdict(format!(
        "the backup is made, and something is wrong with the store: {wrong}{kept}. Ask `hookwheel doctor`"
    )))
}

/// A file for its owner alone, in place of what a backup that was killed left; refused while another one writes it.
fn begin(partial: &Path) -> Result<File, CliError> {
    let cannot = || CliError::io(partial.display().to_string());
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(partial);
    let out = opened.map_err(cannot())?;
    if !is_left(&out) {
        return Err(CliError::Failed(format!("another backup is being written to {}", partial.display())));
    }
    out.set_len(0).and_then(|()| out.set_permissions(fs::Permissions::from_mode(0o600))).map_err(cannot())?;
    Ok(out)
}

/// Whether nobody writes it any more; if so, it is ours until it is closed.
fn is_left(partial: &File) -> bool {
    flock(partial, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// Takes it, verifies it, and gives it its name. Says what it is, and what was wrong with the store, if anything was.
async fn make(of: Of<'_>, mut out: File, partial: &Path, file: &Path) -> Result<(String, Option<String>), CliError> {
    let cannot = || CliError::io(partial.display().to_string());
    take(of, &mut out).await?;
    out.sync_all().map_err(cannot())?;
    let (found, wrong) = check(partial)?;
    fs::rename(partial, file).map_err(cannot())?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(CliError::io(folder.display().to_string()))?;
    Ok((found, wrong))
}

async fn take(of: Of<'_>, out: &mut impl Write) -> Result<(), CliError> {
    match of {
        Of::Running(server) => download(server, out).await,
        Of::Stopped(config) => crate::back_up_stopped(config, out).map_err(|error| CliError::Failed(error.to_string())),
    }
}

async fn download(server: &ServerArgs, out: &mut impl Write) -> Result<(), CliError> {
    // It is drawn on a terminal only.
    let style = ProgressStyle::with_template("{spinner} {bytes} ({bytes_per_sec})").expect("a template");
    let bar = ProgressBar::new_spinner().with_style(style);
    let mut written = Ok(());
    let client = server.client()?;
    let done = client.download("/api/v1/backup", |bytes| {
        bar.inc(bytes.len() as u64);
        written = out.write_all(bytes);
        written.is_ok()
    });
    let done = done.await;
    bar.finish_and_clear();
    // Half a backup is a failure even where nobody reads on.
    written
        .and_then(|()| out.flush())
        .map_err(|error| CliError::Failed(format!("the backup cannot be written: {error}")))?;
    Ok(done?)
}

/// Restores a backup, or checks one.
pub fn restore(args: &RestoreArgs, mut config: Config) -> Result<(), CliError> {
    let shown = args.file.display();
    if args.check {
        let (found, wrong) = check(&args.file)?;
        let printed = print(&format!("{shown}: {found}\n"));
        return wrong.map_or(printed, |wrong| {
            Err(CliError::Verdict(format!("something was wrong with the store when it was backed up: {wrong}")))
        });
    }
    if let Some(to) = &args.to {
        config.store.path.clone_from(to);
    }
    if crate::is_half_restored(&config) {
        note(format_args!("hookwheel: a restore into {} was broken off: it begins anew", config.store.path.display()));
    }
    let found = crate::restore(&config, open(&args.file)?, args.accept_differences);
    let found = found.map_err(|error| CliError::Failed(format!("{shown}: {error}")))?;
    let (keys, path) = (found.header.master_keys.join(", "), config.store.path.display());
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
fn check(file: &Path) -> Result<(String, Option<String>), CliError> {
    let found = crate::verify_backup(open(file)?);
    let found = found.map_err(|error| CliError::Failed(format!("{}: {error}", file.display())))?;
    let (header, closing) = (found.header, found.closing);
    let put_aside = match closing.put_aside {
        0 => String::new(),
        rows => format!(", {rows} rows of it put aside as damaged"),
    };
    let text = format!(
        "whole; hookwheel {}, format {}, begun at {}, as of group commit {}, {} records{put_aside}, master keys {}",
        header.version,
        header.format,
        time::rfc3339(header.begun_at),
        closing.group,
        closing.records,
        header.master_keys.join(", ")
    );
    Ok((text, closing.wrong()))
}

fn open(file: &Path) -> Result<Box<dyn Read>, CliError> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let opened = File::open(file).map_err(CliError::io(file.display().to_string()))?;
    Ok(Box::new(BufReader::with_capacity(1 << 18, opened)))
}

/// The name of one that is taken now: names are in order of time.
fn name(now: u64) -> String {
    let digits: String = time::rfc3339(now).chars().filter(char::is_ascii_digit).collect();
    format!("{PREFIX}{digits}{SUFFIX}")
}

/// Whether a file in a folder was made by `--to`.
fn is_ours(name: &str) -> bool {
    let digits = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX));
    digits.is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Removes what backups that were killed left in a folder: each had a name of its own, so they would add up.
fn remove_partial(folder: &Path) -> Result<(), CliError> {
    let cannot = || CliError::io(folder.display().to_string());
    for entry in fs::read_dir(folder).map_err(cannot())? {
        let path = entry.map_err(cannot())?.path();
        let whole = path.file_name().and_then(|name| name.to_str()?.strip_suffix(&format!(".{PARTIAL}")));
        let is_partial = whole.is_some_and(is_ours);
        // One that another command writes is locked.
        if is_partial && File::open(&path).is_ok_and(|file| is_left(&file)) {
            fs::remove_file(&path).map_err(cannot())?;
        }
    }
    Ok(())
}

fn remove_older(folder: &Path, keep: usize) -> Result<(), CliError> {
    let cannot = || CliError::io(folder.display().to_string());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot())? {
        let name = entry.map_err(cannot())?.file_name();
        names.extend(name.to_str().filter(|name| is_ours(name)).map(str::to_owned));
    }
    names.sort_unstable();
    let older = names.len().saturating_sub(keep);
    names[..older].iter().try_for_each(|name| fs::remove_file(folder.join(name))).map_err(cannot())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_older_ones_that_are_ours_go() {
        let dir = tempfile::tempdir().expect("a folder");
        let own = [1_000, 2_000, 3_000].map(name);
        assert!(own.is_sorted() && own.iter().all(|name| is_ours(name)), "{own:?}");
        let others = ["hookwheel-1.backup", "hookwheel-19700101000001000.backup.partial", "notes"];
        own.iter()
            .map(String::as_str)
            .chain(others)
            .for_each(|name| fs::write(dir.path().join(name), "x").expect("written"));
        remove_older(dir.path(), 2).expect("removed");
        let is_there = |name: &str| dir.path().join(name).exists();
        assert!(!is_there(&own[0]) && is_there(&own[1]) && is_there(&own[2]));
        assert!(others.into_iter().all(is_there));
        remove_older(dir.path(), 9).expect("nothing to do");
        assert!(is_there(&own[1]));
    }

    #[test]
    fn what_a_killed_one_left_goes_and_what_is_being_written_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        let partial = |name: String| dir.path().join(name + ".partial");
        let (left, written, other) = (partial(name(1_000)), partial(name(2_000)), partial("mine".into()));
        [&left, &other].into_iter().for_each(|file| fs::write(file, "half").expect("written"));
        let out = begin(&written).expect("begun");
        assert!(begin(&written).is_err_and(|error| error.to_string().contains("another backup")));
        remove_partial(dir.path()).expect("removed");
        assert_eq!([&left, &written, &other].map(|file| file.exists()), [false, true, true]);
        drop(out);
        fs::write(&written, "half").expect("written");
        fs::set_permissions(&written, fs::Permissions::from_mode(0o644)).expect("changed");
        let out = begin(&written).expect("nobody writes it").metadata().expect("known");
        assert_eq!((out.len(), out.permissions().mode() & 0o777), (0, 0o600));
    }
}
