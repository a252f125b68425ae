//! A server of the bench's own: this binary, an empty store, a free port, a key of its own. It is stopped, and what it
//! wrote is removed, however the bench ends.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use awc::http::Method;
use rustix::process::{Pid, Signal, kill_process};

use super::{CliError, ServerArgs};
use crate::cli::client::{Api, Call, CallError};
use crate::clock::{Dice, Stopwatch};

/// A server that is not ready by then has failed.
const READY_MAX: Duration = Duration::from_secs(30);
/// Between looks whether it is ready: the precision of the measured start.
const READY_PAUSE: Duration = Duration::from_millis(1);

/// The running server.
pub struct OwnServer {
    /// How to talk to it.
    pub server: ServerArgs,
    /// From its start to its first "ready".
    pub ready: Duration,
    child: Child,
    folder: PathBuf,
    bytes_at_start: u64,
}

impl OwnServer {
    /// Starts it, with its data in `data` or in a new directory, and waits until it is ready.
    pub async fn start(data: Option<PathBuf>) -> Result<Self, CliError> {
        let name = format!("hookwheel-bench-{}", std::process::id());
        let folder = data.unwrap_or_else(std::env::temp_dir).join(name);
        fs::create_dir_all(&folder).map_err(CliError::io(folder.display().to_string()))?;
        let (port, key) = (free_port()?, format!("bench-{:016x}", Dice::from_system().bits()));
        let server = ServerArgs { url: format!("http://127.0.0.1:{port}"), key: Some(key.clone()) };
        let begun = Stopwatch::start();
        let child = Command::new(std::env::current_exe().map_err(CliError::io("this program"))?)
            .args(["serve", "--dev"])
            // Not where somebody keeps a config.toml.
            .current_dir(&folder)
            .env("HOOKWHEEL__SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .env("HOOKWHEEL__STORE__PATH", folder.join("data"))
            .env("HOOKWHEEL__AUTH__ADMIN_KEY", &key)
            .env("HOOKWHEEL__LOG__LEVEL", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(CliError::io("the server cannot be started"))?;
        let mut own = Self { server, ready: Duration::ZERO, child, folder, bytes_at_start: 0 };
        own.wait_until_ready(begun).await?;
        own.bytes_at_start = disk_bytes(&own.folder)?;
        Ok(own)
    }

    /// Its process.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Bytes on disk that its data grew by.
    pub fn data_bytes_written(&self) -> Result<u64, CliError> {
        Ok(disk_bytes(&self.folder)?.saturating_sub(self.bytes_at_start))
    }

    /// Asks it to stop, as an operator would, and waits for its end.
    pub fn stop(mut self) -> Result<(), CliError> {
        self.terminate();
        let status = self.child.wait().map_err(CliError::io("the server"))?;
        if status.success() { Ok(()) } else { Err(CliError::Failed(format!("the server ended with {status}"))) }
    }

    async fn wait_until_ready(&mut self, begun: Stopwatch) -> Result<(), CliError> {
        let api = Api::new(&self.server)?;
        let call = Call { method: Method::GET, path: "/health/ready", headers: Vec::new(), body: None };
        loop {
            match api.call(&call).await {
                Ok(_) => break,
                // Any answer of its own means that it is up; only 503 means "not yet".
                Err(CallError::Strange { status, .. }) if status.is_success() => break,
                Err(error) if begun.elapsed() > READY_MAX => return Err(error.into()),
                Err(_) => {}
            }
            if let Some(status) = self.child.try_wait().map_err(CliError::io("the server"))? {
                return Err(CliError::Failed(format!("the server ended at once, with {status}")));
            }
            actix_rt::time::sleep(READY_PAUSE).await;
        }
        self.ready = begun.elapsed();
        Ok(())
    }

    fn terminate(&self) {
        if let Some(pid) = Pid::from_raw(self.pid()) {
            // An error means that it has ended already; waiting for it tells how.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.terminate();
            let _ = self.child.wait();
        }
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("hookwheel: {} stays: {error}", self.folder.display());
        }
    }
}

fn free_port() -> Result<u16, CliError> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(CliError::io("no free port"))?;
    Ok(listener.local_addr().map_err(CliError::io("no free port"))?.port())
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
