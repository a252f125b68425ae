//! When a rule disables a webhook, and when its endpoint is tried again. Pure: a rule, and what is counted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Invalid;
use super::retry::RETRIES_MAX;
use super::time::UnixMs;

/// Failures in a row that a rule can name.
pub const FAILURES_MAX: u32 = 1_000_000;
/// Times that a rule can name: 30 days.
pub const SECONDS_MAX: u64 = 30 * 24 * 60 * 60;
/// Failed attempts of one delivery that a rule can name: as many as there can be.
pub const ATTEMPTS_MAX: u32 = RETRIES_MAX as u32 + 1;

/// When outcomes disable a webhook. Whatever holds first; a success resets all of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisableRule {
    /// An answer `410 Gone`, at once.
    pub gone: bool,
    /// What one delivery says, if none succeeded since its first attempt.
    pub after: After,
    /// So many failed attempts in a row, of whichever deliveries, 1 to 1,000,000.
    pub consecutive_failures: Option<u32>,
    /// A failure so long after the first one since the last success, 1 second to 30 days.
    pub failing_seconds: Option<u64>,
    /// So long after a rule disabled it, and again so long after each failure, one delivery goes out; if that succeeds,
    /// the webhook is active again. Without it a person has to enable it.
    pub probe_after_seconds: Option<u64>,
}

/// Which failures of one delivery disable its webhook. It is stored where there was a flag, as a number: the first two
/// stand for its `false` and its `true`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum After {
    /// None.
    #[default]
    Never,
    /// All of them: it used up its retries.
    Deliveries,
    /// So many, or all if there are fewer.
    Attempts(u32),
}

/// A rule as dialect files and the API write it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DisableRule)]
pub struct WrittenRule {
    /// An answer `410 Gone`, at once.
    #[serde(default)]
    #[schemars(example = true)]
    pub gone: bool,
    /// A delivery that used up its retries, if none succeeded since its first attempt: the same as `after = "deliveries"`.
    #[serde(default)]
    #[schemars(example = true)]
    pub exhausted: bool,
    /// What of one delivery disables the webhook, if none succeeded since its first attempt: `deliveries`, that it used up
    /// its retries, or `attempts`, so many failed attempts as `failures` says.
    #[serde(default)]
    #[schemars(example = &"deliveries")]
    pub after: Option<Counted>,
    /// How many, where `after` is `attempts`: 1 to 51. What of its retries is left is made when the webhook is enabled.
    #[serde(default)]
    #[schemars(range(min = 1, max = ATTEMPTS_MAX), example = 3)]
    pub failures: Option<u32>,
    /// So many failed attempts in a row, of whichever deliveries, 1 to 1,000,000.
    #[serde(default)]
    #[schemars(range(min = 1, max = FAILURES_MAX), example = 20)]
    pub consecutive_failures: Option<u32>,
    /// A failure so long after the first one since the last success, 1 second to 30 days.
    #[serde(default)]
    #[schemars(range(min = 1, max = SECONDS_MAX), example = 86400)]
    pub failing_seconds: Option<u64>,
    /// So long after a rule disabled it, and again so long after each failure, one delivery goes out; if that succeeds,
    /// the webhook is active again. Without it a person has to enable it.
    #[serde(default)]
    #[schemars(range(min = 1, max = SECONDS_MAX), example = 3600)]
    pub probe_after_seconds: Option<u64>,
}

/// What of one delivery is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Counted {
    /// Its failed attempts.
    Attempts,
    /// Itself: whether it used up its retries.
    Deliveries,
}

impl TryFrom<WrittenRule> for DisableRule {
    type Error = Invalid;

    fn try_from(written: WrittenRule) -> Result<Self, Invalid> {
        let WrittenRule { gone, exhausted, after, failures, .. } = written;
        let after = match (after, failures) {
            (Some(Counted::Attempts), Some(n)) => After::Attempts(n),
            (Some(Counted::Attempts), None) => {
                return Err(Invalid::new("disable.failures", "is missing: after \"attempts\" needs how many"));
            }
            (_, Some(_)) => {
                return Err(Invalid::new("disable.failures", "goes with after \"attempts\" only"));
            }
            (Some(Counted::Deliveries), None) => After::Deliveries,
            (None, None) if exhausted => After::Deliveries,
            (None, None) => After::Never,
        };
        let WrittenRule { consecutive_failures, failing_seconds, probe_after_seconds, .. } = written;
        let rule = Self { gone, after, consecutive_failures, failing_seconds, probe_after_seconds };
        rule.check().map(|()| rule)
    }
}

impl From<DisableRule> for WrittenRule {
    fn from(rule: DisableRule) -> Self {
        let DisableRule { gone, after, consecutive_failures, failing_seconds, probe_after_seconds } = rule;
        let (counted, failures) = match after {
            After::Never => (None, None),
            After::Deliveries => (Some(Counted::Deliveries), None),
            After::Attempts(n) => (Some(Counted::Attempts), Some(n)),
        };
        let exhausted = after != After::Never;
        Self { gone, exhausted, after: counted, failures, consecutive_failures, failing_seconds, probe_after_seconds }
    }
}

/// What is known of an endpoint's failures when an attempt has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// The endpoint answered 410.
    pub gone: bool,
    /// The delivery has used up its retries.
    pub dead: bool,
    /// Its attempts, this one included.
    pub attempts: u16,
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
        if matches!(self.after, After::Attempts(n) if !(1..=ATTEMPTS_MAX).contains(&n)) {
            return Err(Invalid::new("disable.failures", format!("must be between 1 and {ATTEMPTS_MAX}")));
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
        self.gone || self.after != After::Never || self.consecutive_failures.is_some() || self.failing_seconds.is_some()
    }

    /// Why these failures disable the webhook, in one sentence, if they do.
    pub fn reason(&self, failures: &Failures) -> Option<String> {
        let failing_ms = failures.ended_at.saturating_sub(failures.since);
        if self.gone && failures.gone {
            return Some("the endpoint answered 410 Gone".into());
        }
        // A delivery from before the last success or enabling says nothing of the endpoint as it is now.
        if failures.first_attempt_at > failures.last_well_at {
            match self.after {
                After::Attempts(n) if u32::from(failures.attempts) >= n => {
                    return Some(format!("a delivery failed {n} times and none succeeded since its first attempt"));
                }
                After::Deliveries | After::Attempts(_) if failures.dead => {
                    return Some("a delivery used up its retries and none succeeded since its first attempt".into());
                }
                _ => {}
            }
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
        after: After::Never,
        consecutive_failures: None,
        failing_seconds: None,
        probe_after_seconds: None,
    };
    const FAILED: Failures = Failures {
        gone: false,
        dead: false,
        attempts: 2,
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
        let exhausted = DisableRule { after: After::Deliveries, ..NONE };
        assert!(disables(exhausted, Failures { dead: true, ..FAILED }) && !disables(exhausted, FAILED));
        let old = Failures { dead: true, last_well_at: 10_000, ..FAILED };
        assert!(!disables(exhausted, old), "it was first tried before the webhook was last well");
        let thrice = DisableRule { after: After::Attempts(3), ..NONE };
        let third = Failures { attempts: 3, ..FAILED };
        assert!(disables(thrice, third) && !disables(thrice, FAILED));
        assert!(!disables(thrice, Failures { last_well_at: 10_000, ..third }), "one succeeded since its first attempt");
        assert!(disables(thrice, Failures { dead: true, ..FAILED }), "there are fewer retries");
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
        assert_eq!(field(DisableRule { after: After::Attempts(52), ..NONE }), "disable.failures");
    }

    #[test]
    fn a_rule_is_shown_as_it_can_be_written() {
        let rules = [After::Never, After::Deliveries, After::Attempts(1)].map(|after| DisableRule { after, ..NONE });
        for rule in rules {
            assert_eq!(DisableRule::try_from(WrittenRule::from(rule)), Ok(rule));
        }
        let read = |written: WrittenRule| {
            DisableRule::try_from(written).map(|rule| rule.after).map_err(|invalid| invalid.field)
        };
        let none = WrittenRule::default();
        assert_eq!(read(WrittenRule { exhausted: true, ..none }), Ok(After::Deliveries));
        for after in [None, Some(Counted::Deliveries)] {
            assert_eq!(read(WrittenRule { after, failures: Some(3), ..none }), Err("disable.failures".into()));
        }
        let attempts = WrittenRule { after: Some(Counted::Attempts), ..none };
        assert_eq!(read(attempts), Err("disable.failures".into()));
        assert_eq!(read(WrittenRule { failures: Some(0), ..attempts }), Err("disable.failures".into()));
    }

    #[test]
    fn each_rule_alone_disables() {
        let rules = [
            DisableRule { gone: true, ..NONE },
            DisableRule { after: After::Deliveries, ..NONE },
            DisableRule { after: After::Attempts(3), ..NONE },
            DisableRule { consecutive_failures: Some(3), ..NONE },
            DisableRule { failing_seconds: Some(3), ..NONE },
        ];
        assert!(rules.iter().all(DisableRule::disables));
        assert!(!DisableRule { probe_after_seconds: Some(60), ..NONE }.disables());
    }
}
