//! How a server hands its listening socket to the next one, so that a restart refuses nobody: systemd keeps it and gives it to
//! each (`LISTEN_FDS`), or a new process takes it over from the running one, over a Unix socket in the data directory.
//!
//! ```text
//!  new ─► old   hookwheel take-over 1
//!  old ─► new   server <format of the store> <master keys in use, or ->      or: refused <why>
//!                 (the new one checks whether it could go on; if not, it leaves, and nothing has happened)
//!  new ─► old   give
//!  old ─► new   socket <seconds that its stop may take>, and the listening socket beside it
//!                 (the old one accepts no more, answers, writes, and closes the store; who connects waits in the listen queue)
//!  old ─► new   released                                                     or: its end, which lets go of the store as well
//!  new ─► old   opened                                                       or: failed <why>, or its end
//! ```
//!
//! What stays true: whoever has the store has the socket as well; the old one ends only once it has heard `opened`, and goes on
//! where it was if it does not; only a process of the same user is talked to; and every wait has an end.

mod control;
mod taking;
mod wire;

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use listenfd::ListenFd;

pub use control::{Control, Heir};
pub use taking::{TakeOverError, Taken, find};

/// Where the running server is found, in the data directory.
const SOCKET: &str = "control.sock";
/// The longest path of a Unix socket that the system takes, in bytes.
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// Which of these conversations it is.
const HELLO: &str = "hookwheel take-over 1";

/// How a data directory's socket is reached: by its path, or by way of the open directory where that is too long for a socket.
struct Place {
    path: PathBuf,
    _dir: Option<File>,
}

impl Place {
    /// That of a directory.
    ///
    /// # Errors
    /// Its path is too long, and it cannot be opened.
    fn of(dir: &Path) -> io::Result<Self> {
        let path = dir.join(SOCKET);
        if path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
            return Ok(Self { path, _dir: None });
        }
        let dir = File::open(dir)?;
        Ok(Self { path: format!("/proc/self/fd/{}/{SOCKET}", dir.as_raw_fd()).into(), _dir: Some(dir) })
    }

    /// A path that leads there, for as long as this is kept.
    fn path(&self) -> &Path {
        &self.path
    }
}

/// What the store holds that its next opener must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holds {
    /// Its format.
    pub format: u32,
    /// The names of the master keys that have sealed something.
    pub keys: Vec<String>,
}

impl Holds {
    fn write(&self) -> String {
        let keys = if self.keys.is_empty() { "-".into() } else { self.keys.join(",") };
        format!("server {} {keys}", self.format)
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("server ")?.split(' ');
        let (format, keys) = (words.next()?.parse().ok()?, words.next()?);
        let keys = keys.split(',').filter(|key| *key != "-").map(String::from).collect();
        Some(Self { format, keys })
    }
}

/// The listening socket that whoever started this process has given to it, if any. To be called before any thread is there: it
/// takes the variables that tell of it out of the environment.
///
/// # Errors
/// What was given is no listening TCP socket, or there are several; in words.
pub fn given() -> Result<Option<TcpListener>, String> {
    let mut given = ListenFd::from_env();
    match given.len() {
        0 => Ok(None),
        1 => given.take_tcp_listener(0).map_err(|error| format!("the socket in LISTEN_FDS cannot be used: {error}")),
        several => {
            Err(format!("LISTEN_FDS gives {several} sockets, and this server listens on one: give it one ListenStream"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::control::Tell;
    use super::*;

    #[actix_rt::test]
    async fn a_socket_goes_from_one_to_the_other_and_both_hear_when() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().to_owned();
        assert!(find(&path).expect("nothing is wrong").is_none());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let control = Control::open(&path).expect("it can be made");
        let holds = Holds { format: 10, keys: vec!["1a2b3c4d".into()] };
        let held = holds.clone();
        let tell: Tell = Arc::new(move || Ok(held.clone()));
        let (from, to) = (path.clone(), listener.local_addr().expect("it is bound"));
        let taking = std::thread::spawn(move || {
            let offer = find(&from).expect("it answers").expect("it is there");
            assert_eq!(offer.holds, holds);
            let taken = offer.take().expect("it gives");
            let address = taken.listener.local_addr().expect("it is bound");
            taken.opened();
            address
        });
        let heir = control.heir(&listener, &tell, 0).await;
        assert_eq!(heir.pid(), std::process::id());
        heir.released().expect("it listens");
        heir.opened().await.expect("it says so");
        assert_eq!(taking.join().expect("it does not panic"), to);

        let refuses: Tell = Arc::new(|| Err("it is mine".into()));
        let asking = tokio::task::spawn_blocking({
            let path = path.clone();
            move || find(&path)
        });
        let found = tokio::select! {
            _ = control.heir(&listener, &refuses, 0) => unreachable!("nobody is given anything"),
            found = asking => found.expect("it does not panic"),
        };
        assert!(matches!(found, Err(TakeOverError::Refused(why)) if why == "it is mine"));
        drop(control);
        assert!(find(&path).expect("nothing is wrong").is_none(), "the file goes with it");
    }

    #[test]
    fn a_place_is_named_as_it_is_unless_that_is_too_long_for_a_socket() {
        let dir = tempfile::tempdir().expect("a directory");
        let room = SOCKET_PATH_BYTES_MAX - dir.path().as_os_str().len() - SOCKET.len() - "//".len();
        for (length, is_named) in [(room, true), (room + 1, false)] {
            let deep = dir.path().join("d".repeat(length));
            std::fs::create_dir(&deep).expect("it can be made");
            let place = Place::of(&deep).expect("it is there");
            assert_eq!(place.path() == deep.join(SOCKET), is_named, "{length}");
            std::os::unix::net::UnixListener::bind(place.path()).expect("it is short enough");
            assert!(deep.join(SOCKET).exists());
        }
    }

    #[test]
    fn what_a_store_holds_is_read_as_it_was_written() {
        for keys in [vec![], vec!["1a2b3c4d".to_string()], vec!["1a2b3c4d".to_string(), "00000000".to_string()]] {
            let holds = Holds { format: 10, keys };
            assert_eq!(Holds::read(&holds.write()), Some(holds));
        }
        for wrong in ["", "server", "server x -", "server 10", "refused 10 -"] {
            assert_eq!(Holds::read(wrong), None, "{wrong:?}");
        }
    }
}
