//! What is a success, when is tried again, when a webhook is disabled, and what bounds it all.

use super::change::{Found, Kind, Number, Safe, Side};
use crate::dialect::Limits;
use crate::domain::disable::{After, DisableRule};
use crate::domain::rate_limit::RateLimit;
use crate::domain::retry::{RetrySchedule, SuccessRule};

const CONSECUTIVE_FAILURES: Number = Number {
    side: Side::Receivers,
    key: "disable.consecutive_failures",
    safe: Safe::Up,
    up: "a webhook is disabled later",
    down: "a webhook is disabled sooner",
};
const FAILING_SECONDS: Number = Number { key: "disable.failing_seconds", ..CONSECUTIVE_FAILURES };
const PROBE_AFTER: Number = Number {
    side: Side::Receivers,
    key: "disable.probe_after_seconds",
    safe: Safe::Down,
    up: "a disabled webhook comes back later, or by hand only",
    down: "a disabled webhook is tried again sooner",
};
const RATE: Number = Number {
    side: Side::Receivers,
    key: "rate_limit",
    safe: Safe::Neither,
    up: "an endpoint that is built for fewer requests a minute gets more",
    down: "what is over waits, so a busy webhook can fall behind",
};
const BURST: Number = Number {
    side: Side::Receivers,
    key: "rate_limit.burst",
    safe: Safe::Neither,
    up: "an endpoint that is built for fewer at once gets more",
    down: "what is over waits",
};
const WEBHOOKS: Number = Number {
    side: Side::Callers,
    key: "limits.webhooks_per_account",
    safe: Safe::Up,
    up: "an account can have more webhooks",
    down: "creating one more is refused where it was not",
};
const A_DAY: Number = Number {
    side: Side::Receivers,
    key: "limits.first_attempts_per_day",
    safe: Safe::Up,
    up: "more deliveries go out on one day",
    down: "what is over waits for the next day",
};
const BODY_BYTES: Number = Number {
    side: Side::Receivers,
    key: "limits.body_bytes_max",
    safe: Safe::Up,
    up: "longer bodies come too, which were not sent at all",
    down: "longer bodies are not sent any more",
};
const RETRIES_MAX: Number = Number {
    side: Side::Callers,
    key: "retry.delays",
    safe: Safe::Up,
    up: "a webhook can ask for more retries",
    down: "a call that asks for more retries is refused",
};

/// Which answers are a success.
pub(super) fn success(found: &mut Found, old: &SuccessRule, new: &SuccessRule) {
    let differs = |lost: &SuccessRule, kept: &SuccessRule| (200..=599).any(|n| lost.accepts(n) && !kept.accepts(n));
    let (lost, won) = (differs(old, new), differs(new, old));
    let said = |rule: &SuccessRule| Vec::<String>::from(rule.clone()).join(", ");
    let what = format!("{} → {}", said(old), said(new));
    if lost {
        let why = "an answer that was a success is a failure";
        found.breaking(Side::Receivers, Kind::Changed, "success", format!("{what}: {why}"));
    } else if won {
        found.compatible(Side::Receivers, Kind::Changed, "success", format!("{what}: more answers are a success"));
    }
}

/// When is tried again: usually, and all that a webhook can ask for.
pub(super) fn retry(
    found: &mut Found,
    (old, old_all): (&RetrySchedule, &[u64]),
    (new, new_all): (&RetrySchedule, &[u64]),
    other_number: bool,
) {
    let RetrySchedule { delay_seconds: old_delays, jitter_percent } = old;
    let RetrySchedule { delay_seconds: new_delays, jitter_percent: new_jitter } = new;
    if old_delays != new_delays {
        let key = if other_number && old_all == new_all { "retries" } else { "retry.delays" };
        let harm = harm(old_delays, new_delays);
        let what = format!("{old_delays:?} → {new_delays:?}");
        match harm {
            Some(harm) => found.breaking(Side::Receivers, Kind::Changed, key, format!("{what}: {harm}")),
            None => found.compatible(Side::Receivers, Kind::Changed, key, format!("{what}: no retry is lost or late")),
        }
    } else if old_all != new_all {
        let common = old_all.len().min(new_all.len());
        if let Some(harm) = harm(&old_all[..common], &new_all[..common]) {
            let what = format!("{old_all:?} → {new_all:?}, for webhooks that ask for more: {harm}");
            found.breaking(Side::Receivers, Kind::Changed, "retry.delays", what);
        } else if old_all[..common] != new_all[..common] {
            let what = format!("{old_all:?} → {new_all:?}: no retry is lost or late");
            found.compatible(Side::Receivers, Kind::Changed, "retry.delays", what);
        }
    }
    RETRIES_MAX.compare(found, Some(old_all.len() as u64), Some(new_all.len() as u64));
    if jitter_percent != new_jitter {
        let what =
            format!("{jitter_percent} → {new_jitter}: retries are spread otherwise, as chance spreads them anyway");
        found.compatible(Side::Receivers, Kind::Changed, "retry.jitter_percent", what);
    }
}

/// What an endpoint loses that fails for a while.
fn harm(old: &[u64], new: &[u64]) -> Option<String> {
    if new.len() < old.len() {
        return Some(format!("{} retries in the place of {}", new.len(), old.len()));
    }
    if let Some(n) = old.iter().zip(new).position(|(old, new)| new > old) {
        return Some(format!("retry {} comes later", n + 1));
    }
    let (before, after) = (old.iter().sum::<u64>(), new.iter().sum::<u64>());
    (after < before).then(|| format!("an endpoint that fails for {after} seconds loses events, not for {before}"))
}

/// When failures disable a webhook; beside each rule the schedule that it goes with.
pub(super) fn disable(
    found: &mut Found,
    (old, old_retry): (&DisableRule, &RetrySchedule),
    (new, new_retry): (&DisableRule, &RetrySchedule),
) {
    let DisableRule { gone, after, consecutive_failures, failing_seconds, probe_after_seconds } = *old;
    match (gone, new.gone) {
        (false, true) => {
            let what = "false → true: an answer of 410 disables the webhook";
            found.breaking(Side::Receivers, Kind::Changed, "disable.gone", what);
        }
        (true, false) => {
            let what = "true → false: an answer of 410 is a failure like any other";
            found.compatible(Side::Receivers, Kind::Changed, "disable.gone", what);
        }
        _ => {}
    }
    if after != new.after {
        let (before, now) = (failures(after, old_retry), failures(new.after, new_retry));
        let said = |n: Option<u64>| n.map_or("never".into(), |n| format!("after {n} failed attempts"));
        let what = format!("{} → {}", said(before), said(now));
        let sooner = now.unwrap_or(u64::MAX) < before.unwrap_or(u64::MAX);
        found.put(Side::Receivers, Kind::Changed, "disable.after".into(), what, !sooner);
    }
    CONSECUTIVE_FAILURES.compare(found, consecutive_failures.map(u64::from), new.consecutive_failures.map(u64::from));
    FAILING_SECONDS.compare(found, failing_seconds, new.failing_seconds);
    PROBE_AFTER.compare(found, probe_after_seconds, new.probe_after_seconds);
}

/// After how many failed attempts of one delivery its webhook is disabled.
fn failures(after: After, retry: &RetrySchedule) -> Option<u64> {
    let all = retry.delay_seconds.len() as u64 + 1;
    match after {
        After::Never => None,
        After::Deliveries => Some(all),
        After::Attempts(n) => Some(all.min(n.into())),
    }
}

/// How many requests an endpoint gets.
pub(super) fn rate(found: &mut Found, old: Option<RateLimit>, new: Option<RateLimit>) {
    let parts = |limit: Option<RateLimit>| {
        let RateLimit { per_second, per_minute, burst } = limit?;
        let a_minute = per_minute.map_or(u64::from(per_second.unwrap_or(1)) * 60, u64::from);
        Some((a_minute, u64::from(burst), if per_minute.is_some() { "minute" } else { "second" }))
    };
    let (old, new) = (parts(old), parts(new));
    RATE.compare(found, old.map(|(rate, ..)| rate), new.map(|(rate, ..)| rate));
    if let (Some((_, old, period)), Some((_, new, new_period))) = (old, new) {
        BURST.compare(found, Some(old), Some(new));
        let why = "what one of them can see at most is another number";
        found
            .must_stay(Side::Receivers, "rate_limit", (&period, &new_period), why, |period| format!("by the {period}"));
    }
}

/// What an account may ask for.
pub(super) fn limits(found: &mut Found, old: Limits, new: Limits) {
    let Limits { webhooks_per_account, first_attempts_per_day, body_bytes_max } = old;
    WEBHOOKS.compare(found, webhooks_per_account.map(u64::from), new.webhooks_per_account.map(u64::from));
    A_DAY.compare(found, first_attempts_per_day.map(u64::from), new.first_attempts_per_day.map(u64::from));
    BODY_BYTES.compare(found, body_bytes_max.map(|n| n as u64), new.body_bytes_max.map(|n| n as u64));
}
