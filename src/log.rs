//! The log: lines on standard error, for people or for machines. A panic is a line of it like any other, and told once.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use crate::config::{LogConfig, LogFormat};

/// What is not logged unless a filter asks for it. What sled finds, the store says in its own words.
const QUIET: &str = "actix_http=off,h2=off,sled=off";

/// Starts the log. An error says what is wrong with the filter.
pub fn start(config: &LogConfig) -> Result<(), String> {
    // The HTTP server logs each broken request: whoever sends them would fill the disk. A filter may say otherwise.
    let filter = tracing_subscriber::EnvFilter::try_new(format!("{QUIET},{}", config.level));
    let filter = filter.map_err(|error| error.to_string())?;
    let is_terminal = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_terminal);
    match config.format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    std::panic::set_hook(Box::new(tell_panic));
    Ok(())
}

/// What became of the thread is told by who notices.
fn tell_panic(panic: &PanicHookInfo<'_>) {
    let (thread, backtrace) = (std::thread::current(), Backtrace::capture());
    let (thread, message) = (thread.name().unwrap_or("unnamed"), panic.payload_as_str().unwrap_or("no message"));
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    match backtrace.status() {
        BacktraceStatus::Captured => tracing::error!(thread, at, %backtrace, "panicked: {message}"),
        _ => tracing::error!(thread, at, "panicked: {message}"),
    }
}
