//! Log filters, read more strictly than their interpreter does: to that any word is the name of somebody whose lines it shows, so
//! that a mistyped level would silence all others.

/// Levels as they are written; from the fourth on what went well is shown.
pub const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
/// Whose lines there are behind `hookwheel::`. A test holds it equal to the rooms of the crate.
const ROOMS: &[&str] = &[
    "about",
    "access",
    "api",
    "checked",
    "cli",
    "client",
    "clock",
    "cluster",
    "config",
    "dashboard",
    "deliver",
    "dialect",
    "docs",
    "doctor",
    "domain",
    "exchange",
    "greeting",
    "handover",
    "live",
    "log",
    "nodes",
    "post",
    "profile",
    "pulse",
    "serving",
    "settings",
    "store",
    "supervisor",
    "telemetry",
    "trial",
];
/// The name before them.
const OURS: &str = "hookwheel";
/// Words that are no further apart are taken for each other.
const NEAR: usize = 2;

/// What is wrong with a filter, and what was meant; `None` if nothing is.
pub fn mistake(filter: &str) -> Option<String> {
    let wrong = filter.split(',').find_map(|part| mistake_in(part.trim()));
    wrong.or_else(|| tracing_subscriber::EnvFilter::try_new(filter).err().map(|_| "it cannot be read".into()))
}

fn mistake_in(part: &str) -> Option<String> {
    if part.is_empty() {
        return Some("a part of it is empty".into());
    }
    let Some((target, level)) = part.rsplit_once('=') else {
        return match is_level(part) {
            true => None,
            false if part.contains("::") || part.starts_with(OURS) => Some(format!("write `{part}=debug`")),
            false => Some(meant(part, &LEVELS)),
        };
    };
    let target = target.split('[').next().unwrap_or_default();
    if !is_level(level) {
        return Some(meant(level, &LEVELS));
    }
    let (first, rest) = target.split_once("::").unwrap_or((target, ""));
    let room = rest.split("::").next().unwrap_or_default();
    if first != OURS && !first.is_empty() && strsim::damerau_levenshtein(first, OURS) <= NEAR {
        return Some(format!("did you mean `{OURS}`?"));
    }
    (first == OURS && !room.is_empty() && !ROOMS.contains(&room)).then(|| {
        let room = nearest(room, ROOMS);
        format!("did you mean `{OURS}::{room}`?")
    })
}

fn is_level(word: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word.trim()))
}

fn meant(word: &str, known: &[&'static str]) -> String {
    format!("did you mean `{}`?", nearest(word, known))
}

fn nearest(word: &str, known: &[&'static str]) -> &'static str {
    let word = word.to_lowercase();
    known.iter().min_by_key(|known| strsim::damerau_levenshtein(known, &word)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_levels_and_rooms_that_there_are() {
        for fits in [
            "info",
            "WARN",
            "off",
            "info,hookwheel::store=debug",
            "error,hookwheel::deliver::engine=trace,actix_http=warn",
            "hookwheel=debug",
            "info,hookwheel::access=off",
        ] {
            assert_eq!(mistake(fits), None, "{fits}");
        }
        for (wrong, meant) in [
            ("inf", "did you mean `info`?"),
            ("wran", "did you mean `warn`?"),
            ("info,", "a part of it is empty"),
            ("", "a part of it is empty"),
            ("info,hookwheel::stroe=debug", "did you mean `hookwheel::store`?"),
            ("info,hookwheel::store=debgu", "did you mean `debug`?"),
            ("info,hookwhel::store=debug", "did you mean `hookwheel`?"),
            ("info,hookwheel::store", "write `hookwheel::store=debug`"),
        ] {
            assert_eq!(mistake(wrong).as_deref(), Some(meant), "{wrong}");
        }
    }

    #[test]
    fn the_rooms_are_those_of_the_crate() {
        let rooms = include_str!("../lib.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod "))?.strip_suffix(';'));
        let mut rooms: Vec<_> = rooms.chain(["access"]).collect();
        rooms.sort_unstable();
        assert_eq!(rooms, ROOMS);
    }
}
