//! `hookwheel backup`: a store into a file, of a running server or one that no server has. What stays true: a file has its name only
//! once it is whole, on the disk and verified, what is there is overwritten only if that is said, and of one that is encrypted
//! nothing reaches a disk in the clear.

mod age;
mod folder;
mod restore;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::error::CliError;
use super::server::ServerArgs;
use super::terminal::{note, print};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::time;
use age::{Identity, Keys, Recipient};
use folder::{PARTIAL, Steady};
pub use restore::{RestoreArgs, restore};

/// The arguments of `hookwheel backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The file that is made; - is standard output
    #[arg(required_unless_present_any = ["to", "new_identity"], conflicts_with = "to")]
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
    /// Encrypt it for this recipient of age (age1…), so that nobody reads it without the key; may be given again
    #[arg(long, value_name = "RECIPIENT", env = "HOOKWHEEL_BACKUP_ENCRYPT_TO", value_delimiter = ',')]
    encrypt_to: Vec<String>,
    /// Only make a key to encrypt for, in this file, and print its recipient
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "to", "offline", "force"])]
    pub new_identity: Option<PathBuf>,
}

/// What is backed up.
#[derive(Clone, Copy)]
pub enum Of<'a> {
    /// The store of a server that runs.
    Running(&'a ServerArgs),
    /// The store that is configured, which no server has.
    Stopped(&'a Config),
}

/// Takes a backup.
pub async fn run(args: BackupArgs, of: Of<'_>) -> Result<(), CliError> {
    let recipients = recipients(&args.encrypt_to)?;
    let (file, folder) = match (args.file, args.to) {
        (_, Some(folder)) => (folder.join(folder::name(Clock::real().wall(), !recipients.is_empty())), Some(folder)),
        (file, None) => (file.unwrap_or_default(), None),
    };
    if file == Path::new("-") {
        let mut out = io::stdout().lock();
        take(of, &mut out, &recipients).await?;
        return out.flush().map_err(unwritten);
    }
    if file.exists() && !args.force {
        return Err(CliError::Failed(format!(
            "{} is there already: name another file, or say --force",
            file.display()
        )));
    }
    if let Some(folder) = &folder {
        folder::remove_partial(folder)?;
    }
    let mut partial = file.clone().into_os_string();
    partial.push(format!(".{PARTIAL}"));
    let partial = PathBuf::from(partial);
    let out = folder::begin(&partial)?;
    let made = make(of, out, &recipients, &partial, &file).await;
    if made.is_err() {
        // It is of no use; if it cannot be removed, its name says so.
        let _ = fs::remove_file(&partial);
    }
    let (found, wrong) = made?;
    if let (None, Some(folder), Some(keep)) = (&wrong, &folder, args.keep) {
        folder::remove_older(folder, keep as usize)?;
    }
    // Last: it is made, whether or not anybody reads so.
    let printed = print(&format!("{}: {found}\n", file.display()));
    let Some(wrong) = wrong else { return printed };
    let kept = if args.keep.is_some() { "; no older one was removed" } else { "" };
    Err(CliError::Verdict(format!(
        "the backup is made, and something is wrong with the store: {wrong}{kept}. Ask `hookwheel doctor`"
    )))
}

/// Takes it, verifies it, and gives it its name. Says what it is, and what was wrong with the store, if anything was.
async fn make(
    of: Of<'_>,
    out: File,
    recipients: &[Recipient],
    partial: &Path,
    file: &Path,
) -> Result<(String, Option<String>), CliError> {
    let cannot = || CliError::io(partial.display().to_string());
    let mut steady = Steady::new(out);
    let keys = take(of, &mut steady, recipients).await?;
    steady.sync().map_err(cannot())?;
    let (found, wrong) = restore::check(partial, keys.as_ref())?;
    fs::rename(partial, file).map_err(cannot())?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(CliError::io(folder.display().to_string()))?;
    Ok((found, wrong))
}

/// Writes it, and says what it can be read with where it is encrypted: its recipients' keys need not be here.
async fn take(of: Of<'_>, out: &mut impl Write, recipients: &[Recipient]) -> Result<Option<Keys>, CliError> {
    if recipients.is_empty() {
        copy(of, out).await?;
        return Ok(None);
    }
    let (mut encrypting, key) = age::encrypt(out, recipients).map_err(unwritten)?;
    copy(of, &mut encrypting).await?;
    encrypting.finish().map_err(unwritten)?;
    Ok(Some(Keys::File(key)))
}

/// Half a backup is a failure even where nobody reads on.
fn unwritten(error: io::Error) -> CliError {
    CliError::Failed(format!("the backup cannot be written: {error}"))
}

async fn copy(of: Of<'_>, out: &mut impl Write) -> Result<(), CliError> {
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
    written.and_then(|()| out.flush()).map_err(unwritten)?;
    Ok(done?)
}

/// Those whom it is encrypted for. An empty one is unset, as in a file of variables.
fn recipients(said: &[String]) -> Result<Vec<Recipient>, CliError> {
    let said = said.iter().map(|one| one.trim()).filter(|one| !one.is_empty());
    // A secret half that was given by mistake is not repeated.
    said.map(|one| one.parse().map_err(|why| CliError::Usage(format!("--encrypt-to: {why}")))).collect()
}

/// Makes a key to encrypt for.
pub fn new_identity(file: &Path) -> Result<(), CliError> {
    let cannot = || CliError::io(file.display().to_string());
    let identity = Identity::new();
    let (recipient, made_at) = (identity.recipient(), time::rfc3339(Clock::real().wall()));
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(cannot())?;
    let said = format!("# created: {made_at}\n# public key: {recipient}\n");
    let secret = identity.reveal();
    let lines = [said.as_bytes(), secret.as_bytes(), b"\n"];
    lines.into_iter().try_for_each(|line| out.write_all(line)).map_err(cannot())?;
    out.sync_all().map_err(cannot())?;
    note(format_args!(
        "hookwheel: keep {} apart from the server: who has it reads the backups, and who lost it reads none",
        file.display()
    ));
    print(&format!("{recipient}\n"))
}
