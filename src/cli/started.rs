//! A process of a command's own, such as a server to measure or to try: this binary with other arguments, so that what it uses can
//! be told from what the command uses. It is ended, and its folder removed, however the command ends.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use awc::http::Method;
use rustix::process::{Pid, Signal, kill_process};

use crate::cli::error::CliError;
use crate::cli::server::ServerArgs;
use crate::cli::terminal::note;
use crate::client::{self, Call};
use crate::clock::Stopwatch;

/// A process that is not ready by then has failed.
const READY_MAX: Duration = Duration::from_secs(120);
/// Between looks whether it is ready: the precision of the measured start.
const READY_PAUSE: Duration = Duration::from_millis(1);

/// The running process.
pub struct Started(Child);

impl Started {
    /// Starts `command` and waits until it is ready at `server`. Says how long that took.
    pub async fn start(command: &mut Command, server: &ServerArgs) -> Result<(Self, Duration), CliError> {
        let begun = Stopwatch::start();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let mut started = Self(child.map_err(CliError::io("the process cannot be started"))?);
        started.wait_until_ready(server, begun).await?;
        Ok((started, begun.elapsed()))
    }

    /// Its id.
    pub fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    /// Asks it to stop, as an operator would, and waits for its end.
    pub fn stop(&mut self) -> Result<(), CliError> {
        if let Some(pid) = Pid::from_raw(self.pid()) {
            // An error means that it has ended already; waiting for it tells how.
            let _ = kill_process(pid, Signal::TERM);
        }
        let status = self.0.wait().map_err(CliError::io("the process that was started"))?;
        if status.success() { Ok(()) } else { Err(ended(status)) }
    }

    async fn wait_until_ready(&mut self, server: &ServerArgs, begun: Stopwatch) -> Result<(), CliError> {
        let api = server.client()?;
        let call = Call { method: Method::GET, path: "/health/ready", headers: Vec::new(), body: None };
        loop {
            match api.call(&call).await {
                Ok(_) => return Ok(()),
                // Any answer of its own means that it is up; only 503 means "not yet".
                Err(client::Error::Strange { status, .. }) if status.is_success() => return Ok(()),
                Err(error) if begun.elapsed() > READY_MAX => return Err(error.into()),
                Err(_) => {}
            }
            if let Some(status) = self.0.try_wait().map_err(CliError::io("the process that was started"))? {
                return Err(ended(status));
            }
            actix_rt::time::sleep(READY_PAUSE).await;
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // Not asked: what it has left to do is of no use to anybody. An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A directory that is removed in the end.
pub struct Folder(pub PathBuf);

impl Folder {
    /// Makes it below `place`, named after the command that wants it and its process.
    pub fn make(place: PathBuf, command: &str) -> Result<Self, CliError> {
        let folder = Self(place.join(format!("hookwheel-{command}-{}", std::process::id())));
        fs::create_dir_all(&folder.0).map_err(CliError::io(folder.0.display().to_string()))?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            note(format_args!("hookwheel: {} stays: {error}", self.0.display()));
        }
    }
}

/// This binary, to be started once more. It has no home: a server that goes with the command is nothing to keep a profile of.
pub fn this_program() -> Result<Command, CliError> {
    let mut program = Command::new(std::env::current_exe().map_err(CliError::io("this program"))?);
    program.env_remove("HOME").env_remove("XDG_CONFIG_HOME");
    Ok(program)
}

/// A port that nobody listens on.
pub fn free_port() -> Result<u16, CliError> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(CliError::io("no free port"))?;
    Ok(listener.local_addr().map_err(CliError::io("no free port"))?.port())
}

fn ended(status: std::process::ExitStatus) -> CliError {
    CliError::Failed(format!("the process that was started ended with {status}"))
}
