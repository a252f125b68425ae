//! What whoever supervises the process is told: systemd, in its own words (`sd_notify`), where `NOTIFY_SOCKET` is set. What stays
//! true: it hears `READY` only while events are taken, and of the watchdog only while no thread is stuck.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::pulse::Stuck;

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
    let Some(patience) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    loop {
        match stuck() {
            None => tell(&[NotifyState::Watchdog]),
            Some(stuck) => tracing::error!(%stuck, "the watchdog is not told that all is well"),
        }
        actix_rt::time::sleep((patience / 2).max(Duration::from_millis(1))).await;
    }
}

/// Where nobody is told, nothing happens.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the supervisor in NOTIFY_SOCKET cannot be told how the server is");
    }
}
