//! The running server's side: it is found in the data directory, tells whoever wants to take over what it holds, and gives its
//! socket. What stays true: until that is given, whoever asks has disturbed nothing.

use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;

use super::wire::Wire;
use super::{HELLO, Holds, Place};
use crate::pulse::apart;

/// How long whoever connects may take to say what it wants.
const HELLO_WAIT: Duration = Duration::from_secs(5);
/// How long it may take to check whether it could go on.
const CHECKS_WAIT: Duration = Duration::from_secs(30);
/// How long it may take to open the store: one of an older format is brought to its own.
const OPENING_WAIT: Duration = Duration::from_secs(3600);
/// After somebody could not be let in.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What is told of the store; an error says why nobody can take over.
pub type Tell = Arc<dyn Fn() -> Result<Holds, String> + Send + Sync>;

/// Where the running server is found. The file goes with it.
pub struct Control {
    listener: UnixListener,
    place: Place,
}

/// A process that takes over, and has the socket.
pub struct Heir(Wire);

impl Control {
    /// In this data directory, which nobody else has. Must be called within an actix system.
    ///
    /// # Errors
    /// The file cannot be made there.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let place = Place::of(dir)?;
        // One that a crash has left.
        match std::fs::remove_file(place.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(place.path())?;
        let this = Self { listener, place };
        std::fs::set_permissions(this.place.path(), PermissionsExt::from_mode(0o600))?;
        Ok(this)
    }

    /// Waits until somebody takes over, and gives it `listener`. It is told what the store holds, and that the stop may take so
    /// many seconds.
    pub async fn heir(&self, listener: &TcpListener, tell: &Tell, stop_seconds: u64) -> Heir {
        loop {
            match self.next(listener, tell, stop_seconds).await {
                Ok(heir) => return heir,
                Err(error) => tracing::warn!(%error, "somebody wanted to take over, and did not"),
            }
        }
    }

    async fn next(&self, listener: &TcpListener, tell: &Tell, stop_seconds: u64) -> io::Result<Heir> {
        let stream = match self.listener.accept().await {
            Ok((stream, _)) => stream.into_std()?,
            Err(error) => {
                actix_rt::time::sleep(AGAIN_AFTER).await;
                return Err(error);
            }
        };
        let tell = tell.clone();
        let wire = apart("take-over", move || hear_out(stream, &tell)).await??;
        // Nothing comes in between: whoever waits for an heir has it once the socket is given, and gives none if it waits no more.
        wire.give(&format!("socket {stop_seconds}"), listener)?;
        Ok(Heir(wire))
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // It is found to be nobody's by whoever comes next.
        let _ = std::fs::remove_file(self.place.path());
    }
}

impl Heir {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.0.peer.unsigned_abs()
    }

    /// The store is closed: it may open it.
    pub fn released(&self) -> io::Result<()> {
        self.0.say("released")
    }

    /// Waits until it has opened the store and serves.
    ///
    /// # Errors
    /// It has failed, has gone, or takes for ever.
    pub async fn opened(self) -> io::Result<()> {
        apart("take-over", move || {
            let line = self.0.hear(OPENING_WAIT)?.line;
            if line == "opened" { Ok(()) } else { Err(io::Error::other(line)) }
        })
        .await?
    }
}

/// Talks to whoever wants to take over, until it asks for the socket.
fn hear_out(stream: UnixStream, tell: &Tell) -> io::Result<Wire> {
    let wire = Wire::over(stream)?;
    let refuse = |why: String| {
        // It may have gone.
        let _ = wire.say(&format!("refused {why}"));
        Err(io::Error::other(why))
    };
    if wire.hear(HELLO_WAIT)?.line != HELLO {
        return refuse(format!("it does not speak {HELLO:?}"));
    }
    match tell() {
        Ok(holds) => wire.say(&holds.write())?,
        Err(why) => return refuse(why),
    }
    if wire.hear(CHECKS_WAIT)?.line != "give" {
        return refuse("it did not say that it wants the socket".into());
    }
    Ok(wire)
}
