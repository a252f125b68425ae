//! Times, as people say them: how long ago, with the exact one on hover. A script writes it in the viewer's zone, and keeps it true.

use maud::{Markup, html};

use crate::domain::time::{self, UnixMs};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A moment of the wall clock, seen at `now`.
pub fn at(moment: UnixMs, now: UnixMs) -> Markup {
    let exact = time::rfc3339(moment);
    html! { time datetime=(exact) title=(exact) { (ago(moment, now)) } }
}

/// The same of a time as the API writes it; what is none is shown as a dash.
pub fn text(moment: Option<&str>, now: UnixMs) -> Markup {
    match moment.map(|text| (text, time::parse(text))) {
        Some((_, Some(moment))) => at(moment, now),
        Some((text, None)) => html! { (text) },
        None => html! { span.none { "–" } },
    }
}

/// How long ago it was, or in how long it will be.
pub fn ago(moment: UnixMs, now: UnixMs) -> String {
    let (ms, is_past) = if moment <= now { (now - moment, true) } else { (moment - now, false) };
    if ms < SECOND {
        return "now".into();
    }
    let span = span(ms);
    if is_past { format!("{span} ago") } else { format!("in {span}") }
}

/// A length of time in its greatest unit.
pub fn span(ms: u64) -> String {
    match ms {
        0..SECOND => format!("{ms} ms"),
        SECOND..MINUTE => format!("{} s", ms / SECOND),
        MINUTE..HOUR => format!("{} min", ms / MINUTE),
        HOUR..DAY => format!("{} h", ms / HOUR),
        _ => format!("{} d", ms / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_their_greatest_unit() {
        let now = 10 * DAY;
        let said = [0, 999, SECOND, 59 * SECOND, MINUTE, HOUR - 1, 23 * HOUR, 3 * DAY].map(|ms| ago(now - ms, now));
        assert_eq!(said, ["now", "now", "1 s ago", "59 s ago", "1 min ago", "59 min ago", "23 h ago", "3 d ago"]);
        assert_eq!([ago(now + 250_000, now), span(45)], ["in 4 min", "45 ms"]);
    }
}
