//! When to try again. Pure: what follows an attempt is a function of the schedule, the attempt and one throw of dice.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Invalid;
use super::time::UnixMs;

/// Retries in a schedule.
pub const RETRIES_MAX: usize = 50;
/// The longest delay: 30 days.
pub const DELAY_SECONDS_MAX: u64 = 30 * 24 * 60 * 60;
/// Jitter, in per cent of the delay.
pub const JITTER_PERCENT_MAX: u8 = 100;

/// The delays between attempts. Attempt `n + 1` follows `delays[n - 1]` after the end of attempt `n`, never early, at
/// most `jitter_percent` late; after the last delay's attempt the delivery is dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetrySchedule {
    /// Seconds to wait before each retry, each counted from the end of the attempt before; at most 50 of at most 30 days.
    #[serde(rename = "delays")]
    #[schemars(length(max = RETRIES_MAX), inner(range(max = DELAY_SECONDS_MAX)), example = [5, 300, 3600])]
    pub delay_seconds: Vec<u64>,
    /// Up to this share of the delay is added at random, 0–100.
    #[serde(default = "default_jitter")]
    #[schemars(range(max = JITTER_PERCENT_MAX), example = 10)]
    pub jitter_percent: u8,
}

fn default_jitter() -> u8 {
    10
}

impl RetrySchedule {
    /// Checks the bounds.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.delay_seconds.len() > RETRIES_MAX {
            return Err(Invalid::new("retry.delays", format!("has more than {RETRIES_MAX} retries")));
        }
        if let Some(n) = self.delay_seconds.iter().position(|delay| *delay > DELAY_SECONDS_MAX) {
            let message = format!("is longer than {DELAY_SECONDS_MAX} seconds (30 days)");
            return Err(Invalid::new(format!("retry.delays[{n}]"), message));
        }
        if self.jitter_percent > JITTER_PERCENT_MAX {
            return Err(Invalid::new("retry.jitter_percent", "must be between 0 and 100"));
        }
        Ok(())
    }

    /// The longest time between the end of an attempt and the next: what a due time can never lie beyond.
    pub fn longest_ms(&self) -> u64 {
        let longest = self.delay_seconds.iter().copied().max().unwrap_or(0) * 1000;
        longest + longest * u64::from(self.jitter_percent) / 100
    }

    /// What follows attempt `number`, which ended at `ended_at`. `dice` is even in 0.0..1.0.
    pub fn after(&self, number: u16, success: bool, ended_at: UnixMs, dice: f64) -> Next {
        assert!(number >= 1, "attempts are counted from 1");
        assert!((0.0..1.0).contains(&dice), "dice are in 0..1");
        if success {
            return Next::Succeeded;
        }
        match self.delay_seconds.get(usize::from(number) - 1) {
            Some(seconds) => {
                let delay = seconds * 1000;
                let jitter = (delay as f64 * f64::from(self.jitter_percent) / 100.0 * dice) as u64;
                Next::RetryAt(ended_at + delay + jitter)
            }
            None => Next::Dead,
        }
    }
}

/// What follows an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The delivery has ended well.
    Succeeded,
    /// Try again, not before then.
    RetryAt(UnixMs),
    /// The retries are used up.
    Dead,
    /// It was not sent, and never can be as it is: it ends without having been tried.
    NotSent,
}

/// Which answers count as a success, as ranges of statuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
#[schemars(extend("minItems" = 1, "items" = { "type": "string", "pattern": STATUSES }))]
pub struct SuccessRule(Vec<(u16, u16)>);

/// What [`status_range`] reads: `2xx`, `204`, `200-204`.
const STATUSES: &str = "^([2-5]xx|[2-5][0-9][0-9](-[2-5][0-9][0-9])?)$";

impl SuccessRule {
    /// Whether `status` is a success.
    pub fn accepts(&self, status: u16) -> bool {
        self.0.iter().any(|(low, high)| (*low..=*high).contains(&status))
    }
}

impl Default for SuccessRule {
    fn default() -> Self {
        Self(vec![(200, 299)])
    }
}

impl TryFrom<Vec<String>> for SuccessRule {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        if texts.is_empty() {
            return Err("success names no status; the usual rule is [\"2xx\"]".into());
        }
        texts.iter().map(|text| status_range(text)).collect::<Result<_, _>>().map(Self)
    }
}

impl From<SuccessRule> for Vec<String> {
    fn from(rule: SuccessRule) -> Self {
        let word = |(low, high): (u16, u16)| match (low, high) {
            (low, high) if low == high => low.to_string(),
            (low, high) if low % 100 == 0 && high == low + 99 => format!("{}xx", low / 100),
            (low, high) => format!("{low}-{high}"),
        };
        rule.0.into_iter().map(word).collect()
    }
}

fn status_range(text: &str) -> Result<(u16, u16), String> {
    let status = |digits: &str| digits.parse::<u16>().ok().filter(|status| (200..=599).contains(status));
    let range = match text.split_once('-') {
        Some((low, high)) => status(low).zip(status(high)).filter(|(low, high)| low <= high),
        None => match text.strip_suffix("xx") {
            Some(class) => status(&format!("{class}00")).map(|low| (low, low + 99)),
            None => status(text).map(|one| (one, one)),
        },
    };
    range.ok_or_else(|| format!("{text:?} is no status; write \"2xx\", \"204\" or \"200-204\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_schedule_runs_out() {
        let schedule = RetrySchedule { delay_seconds: vec![5, 30], jitter_percent: 0 };
        assert_eq!(schedule.after(1, false, 1_000, 0.9), Next::RetryAt(6_000));
        assert_eq!(schedule.after(2, false, 1_000, 0.9), Next::RetryAt(31_000));
        assert_eq!(schedule.after(3, false, 1_000, 0.9), Next::Dead);
        assert_eq!(schedule.after(3, true, 1_000, 0.9), Next::Succeeded);
    }

    #[test]
    fn retries_are_spread_by_chance() {
        let schedule = RetrySchedule { delay_seconds: vec![100], jitter_percent: 50 };
        let waited = |dice| schedule.after(1, false, 0, dice);
        assert_eq!([0.0, 0.5, 0.9].map(waited), [100_000, 125_000, 145_000].map(Next::RetryAt));
        assert_eq!(schedule.longest_ms(), 150_000);
    }

    #[test]
    fn schedules_are_bounded() {
        let check = |delay_seconds, jitter_percent| RetrySchedule { delay_seconds, jitter_percent }.check();
        assert!(check(vec![DELAY_SECONDS_MAX; RETRIES_MAX], JITTER_PERCENT_MAX).is_ok());
        assert!(check(vec![0; RETRIES_MAX + 1], 0).is_err());
        assert!(
            check(vec![0, DELAY_SECONDS_MAX + 1], 0).is_err_and(|invalid| invalid.to_string().contains("delays[1]"))
        );
        assert!(check(vec![], JITTER_PERCENT_MAX + 1).is_err());
    }

    #[test]
    fn success_rules_are_written_as_people_do() {
        let rule = SuccessRule::try_from(vec!["2xx".to_string(), "304".into(), "410-412".into()]).unwrap();
        assert!(rule.accepts(299) && rule.accepts(304) && rule.accepts(411));
        assert!(!rule.accepts(300) && !rule.accepts(413) && !rule.accepts(199));
        assert_eq!(Vec::<String>::from(rule), ["2xx", "304", "410-412"]);
        for bad in ["", "abc", "1xx", "99", "204-200"] {
            assert!(SuccessRule::try_from(vec![bad.to_string()]).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_retry_is_never_early_and_at_most_the_jitter_late(
            seconds in 0..=DELAY_SECONDS_MAX, jitter in 0..=100u8, dice in 0.0..1.0f64, ended in 0..1u64 << 42,
        ) {
            let schedule = RetrySchedule { delay_seconds: vec![seconds], jitter_percent: jitter };
            let Next::RetryAt(at) = schedule.after(1, false, ended, dice) else { panic!("one retry is left") };
            prop_assert!(at >= ended + seconds * 1000);
            prop_assert!(at <= ended + schedule.longest_ms());
        }
    }

    #[test]
    fn a_success_rule_is_shown_as_it_was_written() {
        for text in ["204", "2xx", "200-204", "250-349"] {
            let rule = SuccessRule::try_from(vec![text.to_string()]).expect("a rule");
            assert_eq!(Vec::<String>::from(rule), [text]);
        }
    }
}
