//! What whoever supervises the process is told: systemd, in its own words (`sd_notify`), where `NOTIFY_SOCKET` is set. What stays
//! true: it hears `READY` only while events are taken, and of the watchdog only while no thread is stuck; it is asked for time
//! by whatever may take long; and one that does not listen holds up nobody.

use std::convert::Infallible;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;

use crate::pulse::Stuck;

/// How long the supervisor may take to take a message.
const PATIENCE: Duration = Duration::from_secs(1);
/// The same for one that is said again soon.
const PATIENCE_FOR_SIGNS: Duration = Duration::from_millis(1);
/// How long it is asked to wait for the next sign of what takes long. It ends no server before that, whatever its unit says.
const TIME_ASKED_FOR: Duration = Duration::from_secs(60);
/// How often it gets such a sign, where no watchdog wants one sooner.
const SIGN_EVERY: Duration = Duration::from_secs(10);

/// Events are taken, from the start or again.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// What can be read again is being read, until [`ready`] is said.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now, NotifyState::Status("reading again what can be read again")]),
        Err(error) => tracing::debug!(%error, "there is no monotonic clock"),
    }
}

/// Nothing more is accepted.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("finishing what is under way")]);
}

/// What the server is at.
pub fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// Another process goes on in the place of this one.
pub fn goes_on_as(pid: u32) {
    tell(&[NotifyState::MainPid(pid)]);
}

/// Keeps the watchdog quiet, where there is one, as long as nothing is stuck. Never returns.
pub async fn keep_awake(stuck: impl Fn() -> Option<Stuck>) {
    match sd_notify::watchdog_enabled() {
        Some(patience) => match sign_every(patience / 2, &[NotifyState::Watchdog], stuck).await {},
        None => std::future::pending().await,
    }
}

/// Does what may take long, such as opening the store of many events or closing it, and asks for time meanwhile, as long as
/// nothing is stuck: `TimeoutStartSec` and `TimeoutStopSec` end a server that hangs, and not one that works.
pub async fn patient_with<T>(work: impl Future<Output = T>, stuck: impl Fn() -> Option<Stuck>) -> T {
    let every = sd_notify::watchdog_enabled().map_or(SIGN_EVERY, |patience| SIGN_EVERY.min(patience / 2));
    let signs = [NotifyState::Watchdog, NotifyState::ExtendTimeoutUsec(TIME_ASKED_FOR.as_micros() as u32)];
    tokio::select! {
        done = work => done,
        never = sign_every(every, &signs, stuck) => match never {},
    }
}

/// Says this again and again, as long as nothing is stuck.
async fn sign_every(every: Duration, signs: &[NotifyState<'_>], stuck: impl Fn() -> Option<Stuck>) -> Infallible {
    loop {
        match stuck() {
            None => tell_within(signs, PATIENCE_FOR_SIGNS),
            Some(stuck) => tracing::error!(%stuck, "the watchdog is not told that all is well"),
        }
        actix_rt::time::sleep(every.max(Duration::from_millis(1))).await;
    }
}

fn tell(states: &[NotifyState<'_>]) {
    tell_within(states, PATIENCE);
}

/// Where nobody is told, nothing happens.
fn tell_within(states: &[NotifyState<'_>], patience: Duration) {
    match send(states, patience) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            tracing::debug!("the supervisor in NOTIFY_SOCKET does not listen");
        }
        Err(error) => tracing::warn!(%error, "the supervisor in NOTIFY_SOCKET cannot be told how the server is"),
        Ok(()) => {}
    }
}

/// Sends a message. `sd_notify`'s own call waits for as long as the supervisor does not read.
fn send(states: &[NotifyState<'_>], patience: Duration) -> io::Result<()> {
    let Some(address) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let message: String = states.iter().map(|state| format!("{state}\n")).collect();
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(patience))?;
    match address.as_bytes().strip_prefix(b"@") {
        Some(name) => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
        None => socket.connect(&address)?,
    }
    socket.send(message.as_bytes()).map(drop)
}
