//! Whether the deliveries of a webhook that is imported go out. What stays true: one that was held where it comes from is held here,
//! for the same reason and until the same time.

use serde_json::{Map, Value, json};

use super::there::{Stop, There};
use crate::domain::time::{self, UnixMs};
use crate::domain::webhook::NAME_CHARS_MAX;

/// A step from one status to another: an operation's last word, and what it is told.
type Step = (&'static str, Value);

/// The steps that bring `shown`, a webhook as it is there, to what the line says.
pub fn steps(line: &Value, shown: &Value, now: UnixMs) -> Vec<Step> {
    let (is, resume_at) = (shown["status"].as_str().unwrap_or_default(), line["resume_at"].as_str());
    let is_over = resume_at.and_then(time::parse).is_some_and(|until| until <= now);
    match (line["status"].as_str(), is) {
        (Some("paused"), _) if is_over => let_out(is),
        (Some("paused"), "paused") if is_same_time(&line["resume_at"], &shown["resume_at"]) => Vec::new(),
        (Some("paused"), _) => {
            let mut steps = if is == "disabled" { let_out(is) } else { Vec::new() };
            let until: Map<String, Value> = resume_at.map(|at| ("until".to_owned(), json!(at))).into_iter().collect();
            steps.push(("pause", until.into()));
            steps
        }
        (Some("disabled"), "disabled") if reason(line) == reason(shown) => Vec::new(),
        (Some("disabled"), _) => {
            // A new one: what is disabled already keeps the reason that it has.
            let mut steps = if is == "disabled" { let_out(is) } else { Vec::new() };
            steps.push(("disable", json!({"reason": reason(line)})));
            steps
        }
        (Some("active"), _) => let_out(is),
        // Whether an endpoint wants deliveries it is asked anew.
        _ => Vec::new(),
    }
}

/// Whether one that is there is disabled, and the line wants it held too. Then it stays as it is: for another reason, or an end, it
/// would have to be let out for a moment, and what waits for it would go out.
pub fn is_held(line: &Value, known: &Value, now: UnixMs) -> bool {
    let wants = matches!(line["status"].as_str(), Some("disabled" | "paused"));
    wants && known["status"] == "disabled" && steps(line, known, now).len() != 1
}

/// To the second: each server writes it down by a clock of its own.
fn is_same_time(one: &Value, other: &Value) -> bool {
    let read = |time: &Value| time.as_str().and_then(time::parse);
    match (read(one), read(other)) {
        (Some(one), Some(other)) => one.abs_diff(other) < 1000,
        (one, other) => one == other,
    }
}

fn let_out(is: &str) -> Vec<Step> {
    match is {
        "disabled" => vec![("enable", Value::Null)],
        "paused" => vec![("resume", Value::Null)],
        _ => Vec::new(),
    }
}

fn reason(of: &Value) -> String {
    let reason = of["status_reason"].as_str().filter(|reason| !reason.is_empty());
    reason.unwrap_or("disabled where it was imported from").chars().take(NAME_CHARS_MAX).collect()
}

/// Takes the steps.
pub async fn take(there: &There, account: &str, id: &str, steps: Vec<Step>) -> Result<(), Stop> {
    for (word, fields) in steps {
        there.post(account, &format!("/api/v1/webhooks/{id}/{word}"), &fields).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: Value, shown: Value) -> Vec<&'static str> {
        steps(&line, &shown, 10_000).into_iter().map(|(word, _)| word).collect()
    }

    #[test]
    fn a_hold_is_kept_with_its_reason_and_its_end() {
        let later = "1970-01-01T00:01:00.000Z";
        let paused = json!({"status": "paused", "resume_at": later});
        assert_eq!(steps(&paused, &json!({"status": "active"}), 10_000), [("pause", json!({"until": later}))]);
        assert_eq!(words(paused.clone(), json!({"status": "disabled"})), ["enable", "pause"]);
        let shown = |at: &str| json!({"status": "paused", "resume_at": at});
        assert!(words(paused.clone(), shown("1970-01-01T00:01:00.003Z")).is_empty());
        assert_eq!(words(paused.clone(), shown("1970-01-01T00:02:00.000Z")), ["pause"]);
        assert_eq!(steps(&paused, &json!({"status": "paused"}), 90_000), [("resume", Value::Null)]);
        let disabled = json!({"status": "disabled", "status_reason": "gone"});
        assert_eq!(steps(&disabled, &json!({"status": "active"}), 0), [("disable", json!({"reason": "gone"}))]);
        assert!(words(disabled.clone(), disabled.clone()).is_empty());
        assert_eq!(
            words(disabled, json!({"status": "disabled", "status_reason": "by request"})),
            ["enable", "disable"]
        );
    }

    #[test]
    fn one_that_is_held_is_not_let_out_to_be_held_in_another_way() {
        let (later, past) = ("1970-01-01T00:01:00.000Z", "1970-01-01T00:00:01.000Z");
        let is = |line: Value, known: Value| is_held(&line, &known, 10_000);
        let disabled = |reason: &str| json!({"status": "disabled", "status_reason": reason});
        let paused = |at: &str| json!({"status": "paused", "resume_at": at});
        assert!(is(disabled("a"), disabled("b")) && is(disabled("a"), disabled("a")));
        assert!(is(paused(later), disabled("b")));
        // That pause is over, so it is to be let out.
        assert!(!is(paused(past), disabled("b")));
        assert!(!is(json!({"status": "active"}), disabled("b")) && !is(disabled("a"), json!({"status": "active"})));
        assert!(!is(disabled("a"), paused(later)), "one step brings it there");
    }

    #[test]
    fn one_that_is_active_or_says_nothing_is_let_out_or_left() {
        let active = json!({"status": "active"});
        assert_eq!(words(active.clone(), json!({"status": "disabled"})), ["enable"]);
        assert!(words(active.clone(), active).is_empty());
        assert!(words(json!({}), json!({"status": "disabled"})).is_empty());
        assert!(words(json!({"status": "unverified"}), json!({"status": "active"})).is_empty());
    }
}
