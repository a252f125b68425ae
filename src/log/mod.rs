//! The log: lines on standard error, for people or for machines. A panic is a line of it like any other, and told once. What
//! stays true: libraries say only what they warn of, and a line for each event, attempt and call costs nothing where it is off.

mod lines;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::time::Duration;

use lines::{ACCESS, Kind, Lines};
use tracing_subscriber::EnvFilter;

use crate::config::{Access, LEVELS, LogConfig, LogFormat};
use crate::pulse;

/// What is not logged unless a filter asks for it. What sled finds, the store says in its own words; and the HTTP server logs each
/// broken request: whoever sends them would fill the disk.
const QUIET: &str = "actix_http=off,h2=off,sled=off";
/// How long the end of the process waits for lines that wait to be written.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Puts another filter in the place of that of the running log.
type Change = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

/// How the log of this process is changed, where its lines go, and whether they are JSON. There is one log in a process.
static STARTED: OnceLock<(Change, Lines, bool)> = OnceLock::new();

/// Starts the log. An error says what is wrong with the filter.
pub fn start(config: &LogConfig) -> Result<(), String> {
    let (is_terminal, is_json) = (std::io::stderr().is_terminal(), is_json(config));
    let (filter, lines) = (read(config, is_json)?, Lines::default());
    // An error means that there can be no thread: then nothing is queued.
    let _ = lines.queue();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines.clone()).with_ansi(is_terminal);
    let change: Change = match is_json {
        false => {
            let log = log.with_filter_reloading();
            let handle = log.reload_handle();
            log.init();
            Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string()))
        }
        true => {
            let log = log.json().flatten_event(true).with_filter_reloading();
            let handle = log.reload_handle();
            log.init();
            Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string()))
        }
    };
    // An error means that the process has a log already.
    let _ = STARTED.set((change, lines, is_json));
    std::panic::set_hook(Box::new(|panic| {
        tell_panic(panic);
        // What the process did last is what somebody will want to see.
        end();
    }));
    pulse::before_end(end);
    Ok(())
}

/// The running log shows what these settings say from now on; its format stays. Where none was started, nothing is done.
///
/// # Errors
/// The filter is none.
pub fn apply(config: &LogConfig) -> Result<(), String> {
    let Some((change, _, is_json)) = STARTED.get() else { return Ok(()) };
    change(read(config, *is_json)?)
}

/// A line that is written whatever the filter says, as it is.
pub fn line(text: &str) {
    let unstarted = Lines::default();
    let lines = STARTED.get().map_or(&unstarted, |(_, lines, _)| lines);
    // It takes all.
    let _ = lines.way(Kind::Own).write_all(format!("{text}\n").as_bytes());
}

/// What waits to be written is written, in a second: the process may end now.
pub fn end() {
    if let Some((_, lines, _)) = STARTED.get() {
        lines.flush(LAST_LINES);
    }
}

/// Whether lines are JSON.
pub fn is_json(config: &LogConfig) -> bool {
    match config.format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    }
}

fn read(config: &LogConfig, is_json: bool) -> Result<EnvFilter, String> {
    EnvFilter::try_new(filter(config, is_json)).map_err(|error| error.to_string())
}

/// The level that is set, as its place among [`LEVELS`]; `None` where a filter is.
fn word(config: &LogConfig) -> Option<usize> {
    LEVELS.iter().position(|known| config.level.trim().eq_ignore_ascii_case(known))
}

/// Whether there is a line for each event, attempt and call, as far as a filter does not say otherwise.
fn has_access(config: &LogConfig, is_json: bool) -> bool {
    match config.access {
        Access::Auto => is_json && word(config).is_none_or(|word| word >= 3),
        Access::On => true,
        Access::Off => false,
    }
}

/// What is logged. A level alone is that of the server; what a filter says goes before all that is said here.
fn filter(config: &LogConfig, is_json: bool) -> String {
    let level = config.level.trim();
    let access = if has_access(config, is_json) { "info" } else { "off" };
    match word(config) {
        Some(0) => format!("off,{ACCESS}={access}"),
        Some(_) => format!("warn,{QUIET},hookwheel={level},{ACCESS}={access}"),
        None => format!("warn,{QUIET},{ACCESS}={access},{level}"),
    }
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What is written.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("nobody panics").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What of each kind is logged with these settings.
    fn logged(level: &str, access: Access, is_json: bool) -> String {
        let lines = Lines::default();
        let to = lines.clone();
        let config = LogConfig { level: level.into(), access, ..LogConfig::default() };
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter(&config, is_json).parse::<EnvFilter>().expect("a filter"))
            .with_ansi(false)
            .with_writer(move || to.clone())
            .finish();
        tracing::subscriber::with_default(log, || {
            tracing::info!(target: "hookwheel::access", "a call");
            tracing::debug!(target: "hookwheel::store", "ours, in detail");
            tracing::info!(target: "hookwheel::deliver", "ours");
            tracing::info!(target: "actix_server", "theirs");
            tracing::warn!(target: "hickory_resolver", "they warn");
            tracing::error!(target: "actix_http", "a broken request");
        });
        let text = lines.0.lock().expect("nobody panics").clone();
        String::from_utf8(text).expect("it is text")
    }

    #[test]
    fn libraries_warn_only_and_calls_are_logged_where_lines_are_json_or_somebody_says_so() {
        let all = ["a call", "ours, in detail", "hookwheel::deliver: ours", "theirs", "they warn", "a broken request"];
        for (level, access, is_json, expected) in [
            ("info", Access::Auto, false, "001010"),
            ("info", Access::Auto, true, "101010"),
            ("info", Access::On, false, "101010"),
            ("info", Access::Off, true, "001010"),
            ("warn", Access::Auto, true, "000010"),
            ("warn", Access::On, true, "100010"),
            ("debug", Access::Auto, false, "011010"),
            ("info,hookwheel::store=debug", Access::Auto, false, "011110"),
            ("info,hookwheel::access=off", Access::Auto, true, "001110"),
            ("error,hookwheel::deliver=info", Access::Auto, false, "001000"),
            ("off", Access::Auto, true, "000000"),
        ] {
            let text = logged(level, access, is_json);
            let found: String = all.iter().map(|part| if text.contains(part) { '1' } else { '0' }).collect();
            assert_eq!(found, expected, "{level} {access:?} {is_json}:\n{text}");
        }
    }
}
