//! Where the time of an attempt went: its phases one after the other, as bars and as numbers. Pure.

use maud::{Markup, html};

use crate::api::deliveries::view::AttemptView;
use crate::dashboard::parts::chart::{self, Phase};

/// Phases by their kind, and what they are called.
const NAMES: [(&str, &str); 6] = [
    ("auth", "access token"),
    ("resolve", "name"),
    ("connect", "connection"),
    ("tls", "TLS"),
    ("wait", "wait"),
    ("body", "answer"),
];

/// The phases of an attempt that took any time, in their order. What is left of the whole belongs to what it ended in.
pub fn phases(attempt: &AttemptView) -> Vec<Phase<'static>> {
    let timings = &attempt.timings;
    let known = [
        ("auth", timings.auth_ms),
        ("resolve", timings.resolve_ms),
        ("connect", timings.connect_ms),
        ("tls", timings.tls_ms),
        ("wait", timings.first_byte_ms),
    ];
    let mut phases = Vec::new();
    let mut from_ms = 0.0;
    for (kind, took_ms) in known.into_iter().filter_map(|(kind, took)| Some((kind, took?))) {
        phases.push(Phase { kind, from_ms, took_ms });
        from_ms += took_ms;
    }
    let took_ms = f64::from(timings.total_ms) - from_ms;
    if took_ms > 0.0 {
        phases.push(Phase { kind: rest(attempt), from_ms, took_ms });
    }
    phases
}

/// In which phase an attempt ended.
fn rest(attempt: &AttemptView) -> &'static str {
    match attempt.outcome {
        _ if attempt.timings.first_byte_ms.is_some() => "body",
        "dns" => "resolve",
        "connect" => "connect",
        "tls" => "tls",
        "auth" => "auth",
        _ => "wait",
    }
}

/// How long a phase took, with as many digits as tell something.
pub fn took(ms: f64) -> String {
    match ms {
        ..1.0 => format!("{ms:.2} ms"),
        1.0..100.0 => format!("{ms:.1} ms"),
        100.0..10_000.0 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1000.0),
    }
}

/// What a phase is called.
pub fn name(kind: &str) -> &'static str {
    NAMES.iter().find(|(known, _)| *known == kind).map_or("", |(_, name)| name)
}

/// A waterfall with its numbers, on a scale of `scale_ms`; nothing of an attempt that took no time.
pub fn waterfall(attempt: &AttemptView, scale_ms: f64) -> Markup {
    let phases = phases(attempt);
    if phases.is_empty() {
        return html! {};
    }
    let words: Vec<String> =
        phases.iter().map(|phase| format!("{} {}", name(phase.kind), took(phase.took_ms))).collect();
    html! {
        (chart::waterfall(&phases, scale_ms, &words.join(", ")))
        p.legend aria-hidden="true" {
            @for (phase, words) in phases.iter().zip(&words) {
                span { svg.swatch viewBox="0 0 8 8" width="8" height="8" { rect.{ "phase-" (phase.kind) } width="8" height="8" {} } " " (words) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::deliveries::trial::attempt;

    fn kinds(attempt: &AttemptView) -> Vec<(&'static str, f64)> {
        phases(attempt).iter().map(|phase| (phase.kind, phase.took_ms)).collect()
    }

    #[test]
    fn phases_follow_each_other_and_the_rest_is_what_it_ended_in() {
        let mut answered = attempt("status", Some(200), "");
        (answered.timings.resolve_ms, answered.timings.connect_ms) = (Some(1.0), Some(2.0));
        (answered.timings.first_byte_ms, answered.timings.total_ms) = (Some(30.0), 40);
        assert_eq!(kinds(&answered), [("resolve", 1.0), ("connect", 2.0), ("wait", 30.0), ("body", 7.0)]);
        assert_eq!(phases(&answered)[3].from_ms, 33.0);
        for (outcome, ends) in
            [("dns", "resolve"), ("connect", "connect"), ("tls", "tls"), ("auth", "auth"), ("timeout", "wait")]
        {
            assert_eq!(kinds(&attempt(outcome, None, "")), [(ends, 40.0)]);
        }
        let mut none = attempt("too_large", None, "");
        none.timings.total_ms = 0;
        assert!(kinds(&none).is_empty() && waterfall(&none, 1.0).into_string().is_empty());
        assert!(
            waterfall(&answered, 40.0)
                .into_string()
                .contains("aria-label=\"name 1.0 ms, connection 2.0 ms, wait 30.0 ms")
        );
    }

    #[test]
    fn lengths_have_the_digits_that_tell_something() {
        assert_eq!([0.25, 12.54, 999.7, 30_000.0].map(took), ["0.25 ms", "12.5 ms", "1000 ms", "30.0 s"]);
    }
}
