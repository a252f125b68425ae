//! The new process's side: finds the running server, hears what it holds, and takes its socket once it has nothing to fear. All
//! of it waits: nothing else is done meanwhile.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::wire::Wire;
use super::{HELLO, Holds, Place, SOCKET};

/// How long the running server may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(15);
/// How long it may take to close the store, once its answers are given and its attempts are over.
const CLOSING_WAIT: Duration = Duration::from_secs(60);

/// Why the running server was not taken over. It goes on.
#[derive(Debug, Error)]
pub enum TakeOverError {
    /// It cannot be reached, or something broke on the way.
    #[error("the running server cannot be taken over at {0}: {1}")]
    Broken(PathBuf, io::Error),
    /// It does not want to be taken over.
    #[error("the running server is not taken over: {0}")]
    Refused(String),
    /// It said something that is not known here.
    #[error(
        "the running server cannot be taken over: it says {0:?}, which this version does not know; stop it and start this one"
    )]
    Unknown(String),
}

/// A running server that may be taken over.
pub struct Offer {
    wire: Wire,
    path: PathBuf,
    /// What its store holds.
    pub holds: Holds,
}

/// A socket that was taken over, and whoever waits to hear what became of it.
pub struct Taken {
    /// The socket.
    pub listener: TcpListener,
    wire: Wire,
}

/// The server that runs over this data directory; `None` if there is none.
pub fn find(dir: &Path) -> Result<Option<Offer>, TakeOverError> {
    let path = dir.join(SOCKET);
    let stream = match Place::of(dir).and_then(|place| UnixStream::connect(place.path())) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(TakeOverError::Broken(path, error)),
    };
    let asked = Wire::over(stream).and_then(|wire| {
        wire.say(HELLO)?;
        Ok((wire.hear(ANSWER_WAIT)?.line, wire))
    });
    let (line, wire) = asked.map_err(|error| TakeOverError::Broken(path.clone(), error))?;
    if let Some(why) = line.strip_prefix("refused ") {
        return Err(TakeOverError::Refused(why.into()));
    }
    let holds = Holds::read(&line).ok_or(TakeOverError::Unknown(line))?;
    Ok(Some(Offer { wire, path, holds }))
}

impl Offer {
    /// Takes the socket, and waits until the store is closed, or the process that had it has ended.
    ///
    /// # Errors
    /// The other one goes on, or opens the store again.
    pub fn take(self) -> Result<Taken, TakeOverError> {
        let Self { wire, path, .. } = self;
        let broken = |error| TakeOverError::Broken(path.clone(), error);
        wire.say("give").map_err(broken)?;
        let given = wire.hear(ANSWER_WAIT).map_err(broken)?;
        let seconds = given.line.strip_prefix("socket ").and_then(|seconds| seconds.parse().ok());
        let (Some(seconds), Some(socket)) = (seconds, given.socket) else {
            return Err(TakeOverError::Unknown(given.line));
        };
        match wire.hear(Duration::from_secs(seconds) + CLOSING_WAIT) {
            Ok(said) if said.line == "released" => {}
            Ok(said) => return Err(TakeOverError::Unknown(said.line)),
            // Its end has let go of the store, and only this process has the socket now. If it lives, the store is in use, and is
            // not opened.
            Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
                tracing::warn!(
                    "the server that is taken over has ended before it had closed its store; this one goes on"
                );
            }
            Err(error) => return Err(broken(error)),
        }
        Ok(Taken { listener: socket.into(), wire })
    }
}

impl Taken {
    /// This process has the store and serves.
    pub fn opened(self) {
        // It may have ended meanwhile; whoever has the store serves.
        if let Err(error) = self.wire.say("opened") {
            tracing::warn!(%error, "the server that was taken over has not heard that this one serves");
        }
    }

    /// This process ends.
    pub fn failed(self, why: &str) {
        // Then it sees that nobody is here.
        let _ = self.wire.say(&format!("failed {why}"));
    }
}
