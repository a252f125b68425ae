//! Moments relative to now, as people tell them.

use crate::domain::time::{self, UnixMs};

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// "3 min ago" or "in 4 min"; what is no moment stays as it is.
pub fn relative(text: &str, now: UnixMs) -> String {
    let Some(at) = time::parse(text) else { return text.to_owned() };
    let (apart, is_past) = if at <= now { (now - at, true) } else { (at - now, false) };
    let told = match apart {
        ..SECOND => return "now".into(),
        SECOND..MINUTE => format!("{} s", apart / SECOND),
        MINUTE..HOUR => format!("{} min", apart / MINUTE),
        HOUR..DAY => format!("{} h", apart / HOUR),
        _ => format!("{} d", apart / DAY),
    };
    if is_past { format!("{told} ago") } else { format!("in {told}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_the_largest_unit_that_it_fills() {
        let now = time::parse("2026-01-15T09:30:00.000Z").expect("a moment");
        let told = |text| relative(text, now);
        assert_eq!(told("2026-01-15T09:29:01.000Z"), "59 s ago");
        assert_eq!(told("2026-01-15T09:29:00.000Z"), "1 min ago");
        assert_eq!(told("2026-01-15T11:30:00.000Z"), "in 2 h");
        assert_eq!(told("2026-01-13T09:30:00.000Z"), "2 d ago");
        assert_eq!((told("2026-01-15T09:30:00.000Z"), told("never")), ("now".into(), "never".into()));
    }
}
