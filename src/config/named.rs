//! The names of knobs: in the environment, near to what somebody wrote, and which of them a running server takes.

use super::knobs::KNOBS;

/// What every variable of the environment that sets a knob begins with.
pub const ENVIRONMENT_PREFIX: &str = "HOOKWHEEL__";

/// The knobs that SIGHUP applies to a server that runs; every other needs a restart. A section's name stands for all of its knobs.
const LIVE: &[&str] = &[
    "server.calls_per_minute",
    "server.events_per_second",
    "server.url_bytes_max",
    "server.headers_max",
    "server.header_bytes_max",
    "server.body_seconds",
    "server.trusted_proxies",
    "server.proxy_protocol",
    "limits",
    "retention",
    "deliver.http_allowed",
    "deliver.allow",
    "deliver.deny",
    "deliver.ports",
    "log.level",
    "log.access",
    "traces.url_template",
];

/// Whether a running server takes a new value of the knob at SIGHUP.
pub fn is_live(knob: &str) -> bool {
    let section = knob.split('.').next().unwrap_or_default();
    LIVE.contains(&knob) || LIVE.contains(&section)
}

/// The name of a knob in the environment.
pub fn variable(knob: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", knob.replace('.', "__").to_uppercase())
}

/// The knob whose name is nearest to what somebody wrote.
pub fn nearest(key: &str) -> &'static str {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    // A right name under the wrong section is nearer than any spelling.
    let distance = |known: &str| {
        let whole = strsim::damerau_levenshtein(known, key);
        if last(known) == last(key) { whole.min(1) } else { whole }
    };
    KNOBS.iter().map(|(known, _)| *known).min_by_key(|known| distance(known)).unwrap_or_default()
}
