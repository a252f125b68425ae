//! A server of the bench's own: this binary, an empty store, a free port, a key of its own. It is ended, and what it
//! wrote is removed, however the bench ends.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::args::BenchArgs;
use crate::cli::error::CliError;
use crate::cli::server::ServerArgs;
use crate::cli::started::{Folder, Started, free_port, this_program};
use crate::clock::{Dice, Stopwatch};

/// The running server.
pub struct OwnServer {
    /// How to talk to it.
    pub server: ServerArgs,
    /// From its start to its first "ready".
    pub ready: Duration,
    // Before the folder: it ends first.
    process: Started,
    command: Command,
    folder: Folder,
    bytes_at_start: u64,
}

/// What a stop and a new start on the same data took.
pub struct Restarted {
    /// From the word to stop to the end of the process.
    pub stop: Duration,
    /// From the new start to its first "ready".
    pub ready: Duration,
}

impl OwnServer {
    /// Starts it, with its data where it was asked for or in a new directory, and waits until it is ready. `settings` go
    /// over what is set here.
    pub async fn start(args: &BenchArgs, settings: &[(&str, &str)]) -> Result<Self, CliError> {
        let folder = Folder::make(args.data.clone().unwrap_or_else(std::env::temp_dir), "bench")?;
        let (port, key) = (free_port()?, format!("bench-{:016x}", Dice::from_system().bits()));
        let server = ServerArgs::at(format!("http://127.0.0.1:{port}"), Some(key.clone()));
        let mut command = match &args.server_binary {
            // It is started in another directory.
            Some(binary) => Command::new(binary.canonicalize().map_err(CliError::io(binary.display().to_string()))?),
            None => this_program()?,
        };
        command
            .args(["serve", "--dev"])
            // Not where somebody keeps a config.toml.
            .current_dir(&folder.0)
            .env("HOOKWHEEL__SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .env("HOOKWHEEL__STORE__PATH", folder.0.join("data"))
            .env("HOOKWHEEL__AUTH__ADMIN_KEY", &key)
            // What is measured is the server, not its limits: all producers have one key and one address.
            .env("HOOKWHEEL__SERVER__EVENTS_PER_SECOND", "0")
            .env("HOOKWHEEL__SERVER__CONNECTIONS_MAX", "0")
            .env("HOOKWHEEL__SERVER__CONNECTIONS_PER_ADDRESS_MAX", "0")
            .env("HOOKWHEEL__LOG__LEVEL", "error")
            .envs(settings.iter().copied());
        let (process, ready) = Started::start(&mut command, &server).await?;
        let bytes_at_start = disk_bytes(&folder.0)?;
        Ok(Self { server, ready, process, command, folder, bytes_at_start })
    }

    /// Its process.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Bytes on disk that its data grew by.
    pub fn data_bytes_written(&self) -> Result<u64, CliError> {
        Ok(self.data_bytes()?.saturating_sub(self.bytes_at_start))
    }

    /// Bytes on disk of its data.
    pub fn data_bytes(&self) -> Result<u64, CliError> {
        disk_bytes(&self.folder.0)
    }

    /// Stops it and starts it again on the same data. Its process is another one then.
    pub async fn restart(&mut self) -> Result<Restarted, CliError> {
        let begun = Stopwatch::start();
        self.process.stop()?;
        let stop = begun.elapsed();
        let (process, ready) = Started::start(&mut self.command, &self.server).await?;
        self.process = process;
        Ok(Restarted { stop, ready })
    }

    /// Stops it for good.
    pub fn stop(mut self) -> Result<(), CliError> {
        self.process.stop()
    }
}

/// What the files below `folder` take on the disk.
fn disk_bytes(folder: &Path) -> Result<u64, CliError> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).map_err(CliError::io(folder.display().to_string()))? {
        let path = entry.map_err(CliError::io(folder.display().to_string()))?.path();
        // A file may go away while it is looked at.
        let Ok(metadata) = path.symlink_metadata() else { continue };
        bytes += if metadata.is_dir() { disk_bytes(&path)? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}
