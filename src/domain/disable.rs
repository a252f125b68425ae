//! When a rule disables a webhook, and when its endpoint is tried again. Pure: a rule, and what is counted.

use serde::{Deserialize, Serialize};

use super::Invalid;
use super::time::UnixMs;

/// Failures in a row that a rule can name.
pub const FAILURES_MAX: u32 = 1_000_000;
/// Times that a rule can name: 30 days.
pub const SECONDS_MAX: u64 = 30 * 24 * 60 * 60;

/// When outcomes disable a webhook. Whatever holds first; a success resets all of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisableRule {
    /// An answer `410 Gone`, at once.
    #[serde(default)]
    pub gone: bool,
    /// A delivery that used up its retries, if none succeeded since its first attempt.
    #[serde(default)]
    pub exhausted: bool,
    /// So many failed attempts in a row, 1 to 1,000,000.
    #[serde(default)]
    pub consecutive_failures: Option<u32>,
    /// A failure so long after the first one since the last success, 1 second to 30 days.
    #[serde(default)]
    pub failing_seconds: Option<u64>,
    /// So long after a rule disabled it, and again so long after each failure, one delivery goes out; if that succeeds,
    /// the webhook is active again. Without it a person has to enable it.
    #[serde(default)]
    pub probe_after_seconds: Option<u64>,
}

/// What is known of an endpoint's failures when an attempt has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// The endpoint answered 410.
    pub gone: bool,
    /// The delivery has used up its retries.
    pub dead: bool,
    /// When its first attempt started.
    pub first_attempt_at: UnixMs,
    /// When the webhook last had a success, or was enabled.
    pub last_well_at: UnixMs,
    /// Failed attempts since then, this one included.
    pub in_a_row: u64,
    /// When the first of them ended.
    pub since: UnixMs,
    /// When this one ended.
    pub ended_at: UnixMs,
}

impl DisableRule {
    /// Checks the bounds.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.consecutive_failures.is_some_and(|n| !(1..=FAILURES_MAX).contains(&n)) {
            return Err(Invalid::new("disable.consecutive_failures", "must be between 1 and 1000000"));
        }
        for (field, seconds) in
            [("failing_seconds", self.failing_seconds), ("probe_after_seconds", self.probe_after_seconds)]
        {
            if seconds.is_some_and(|n| !(1..=SECONDS_MAX).contains(&n)) {
                let message = format!("must be between 1 and {SECONDS_MAX} (30 days)");
                return Err(Invalid::new(format!("disable.{field}"), message));
            }
        }
        Ok(())
    }

    /// Whether it ever disables a webhook.
    pub fn disables(&self) -> bool {
        self.gone || self.exhausted || self.consecutive_failures.is_some() || self.failing_seconds.is_some()
    }

    /// Why these failures disable the webhook, in one sentence, if they do.
    pub fn reason(&self, failures: &Failures) -> Option<String> {
        let failing_ms = failures.ended_at.saturating_sub(failures.since);
        if self.gone && failures.gone {
            return Some("the endpoint answered 410 Gone".into());
        }
        // A delivery from before the last success or enabling says nothing of the endpoint as it is now.
        if self.exhausted && failures.dead && failures.first_attempt_at > failures.last_well_at {
            return Some("a delivery used up its retries and none succeeded since its first attempt".into());
        }
        if let Some(n) = self.consecutive_failures.filter(|n| failures.in_a_row >= u64::from(*n)) {
            return Some(format!("{n} attempts failed in a row"));
        }
        let seconds = self.failing_seconds.filter(|seconds| failing_ms >= seconds * 1000)?;
        Some(format!("every attempt failed for {seconds} seconds"))
    }

    /// When the endpoint is tried again after it was disabled, or failed again, at `now`.
    pub fn probe_at(&self, now: UnixMs) -> Option<UnixMs> {
        self.probe_after_seconds.map(|seconds| now + seconds * 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: DisableRule = DisableRule {
        gone: false,
        exhausted: false,
        consecutive_failures: None,
        failing_seconds: None,
        probe_after_seconds: None,
    };
    const FAILED: Failures = Failures {
        gone: false,
        dead: false,
        first_attempt_at: 10_000,
        last_well_at: 9_000,
        in_a_row: 5,
        since: 12_000,
        ended_at: 20_000,
    };

    #[test]
    fn each_rule_disables_by_its_own_facts() {
        let disables = |rule: DisableRule, failures: Failures| rule.reason(&failures).is_some();
        assert!(!disables(NONE, Failures { gone: true, dead: true, in_a_row: 1_000, ..FAILED }));
        let gone = DisableRule { gone: true, ..NONE };
        assert!(disables(gone, Failures { gone: true, ..FAILED }) && !disables(gone, FAILED));
        let exhausted = DisableRule { exhausted: true, ..NONE };
        assert!(disables(exhausted, Failures { dead: true, ..FAILED }) && !disables(exhausted, FAILED));
        let old = Failures { dead: true, last_well_at: 10_000, ..FAILED };
        assert!(!disables(exhausted, old), "it was first tried before the webhook was last well");
        let five = DisableRule { consecutive_failures: Some(5), ..NONE };
        assert!(disables(five, FAILED) && !disables(five, Failures { in_a_row: 4, ..FAILED }));
        let eight_seconds = DisableRule { failing_seconds: Some(8), ..NONE };
        assert!(disables(eight_seconds, FAILED) && !disables(eight_seconds, Failures { ended_at: 19_999, ..FAILED }));
    }

    #[test]
    fn bounds_are_named() {
        let field = |rule: DisableRule| rule.check().unwrap_err().field;
        assert_eq!(field(DisableRule { consecutive_failures: Some(0), ..NONE }), "disable.consecutive_failures");
        assert_eq!(field(DisableRule { failing_seconds: Some(SECONDS_MAX + 1), ..NONE }), "disable.failing_seconds");
        assert_eq!(field(DisableRule { probe_after_seconds: Some(0), ..NONE }), "disable.probe_after_seconds");
    }

    #[test]
    fn each_rule_alone_disables() {
        let rules = [
            DisableRule { gone: true, ..NONE },
            DisableRule { exhausted: true, ..NONE },
            DisableRule { consecutive_failures: Some(3), ..NONE },
            DisableRule { failing_seconds: Some(3), ..NONE },
        ];
        assert!(rules.iter().all(DisableRule::disables));
        assert!(!DisableRule { probe_after_seconds: Some(60), ..NONE }.disables());
    }
}
