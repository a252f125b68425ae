//! How requests are made: what is a success, when is tried again, when it ends, and what bounds it all.

use super::block::{Draft, Text, row};
use super::calls::Calls;
use super::{Site, facts, words};
use crate::dialect::{Dialect, Operation, Placeholder};
use crate::domain::disable::After;
use crate::domain::rate_limit::RateLimit;

/// The whole section.
pub(super) fn write(draft: &mut Draft, dialect: &Dialect, calls: &Calls<'_>) {
    let timeout = words::duration(dialect.timeout_seconds.into());
    draft.say(format!(
        "An answer with a status of {} within {timeout} is a success. Anything else is a failure: another status, a \
         redirect (none is followed), no answer in time, or no connection. The body of your answer is not looked at.",
        facts::statuses(dialect)
    ));
    draft.heading(3, "Retries");
    retries(draft, dialect);
    draft.heading(3, "When deliveries stop");
    endings(draft, dialect, calls);
}

/// The greatest number of retries that a webhook can ask for.
pub(super) fn retries_max(dialect: &Dialect) -> usize {
    (dialect.retry.delay_seconds.len()..).take_while(|n| dialect.schedule(*n).is_ok()).last().unwrap_or(0)
}

fn retries(draft: &mut Draft, dialect: &Dialect) {
    let delays = &dialect.retry.delay_seconds;
    if delays.is_empty() {
        draft.say("A failed delivery is not tried again.");
        return;
    }
    let retries = words::count(delays.len() as u64, "retry");
    let same =
        if dialect.body_varies() { "ids, and what is said of the attempt anew" } else { "body and the same ids" };
    let but = match facts::header_of(dialect, &[Placeholder::AttemptId]) {
        Some(name) => format!("; `{name}` alone is another in each attempt"),
        None => String::new(),
    };
    draft.say(format!("A failed delivery is tried again, with the same {same}{but}. There are {retries} at most:"));
    let mut rows = vec![row!["1", "at once", "–"]];
    let mut since = 0;
    for (n, delay) in delays.iter().enumerate() {
        since += delay;
        rows.push(row![(n + 2).to_string(), words::after(*delay), words::duration(since)]);
    }
    draft.table("Attempts of a delivery", &["Attempt", "Follows the one before", "Since the first, at least"], rows);
    let jitter = match dialect.retry.jitter_percent {
        0 => "Nothing is added at random.".to_string(),
        percent => format!(
            "Up to {percent} % of the wait is added at random, so that retries of many deliveries do not come all at once; nothing is ever subtracted."
        ),
    };
    draft.say(format!("Each wait is counted from the end of the attempt before. {jitter}"));
    let most = retries_max(dialect);
    if most > delays.len() {
        draft.say(format!("A webhook can ask for up to {}.", words::count(most as u64, "retry")));
    }
}

fn endings(draft: &mut Draft, dialect: &Dialect, calls: &Calls<'_>) {
    let mut items: Vec<Text> = Vec::new();
    items.push(match calls.endpoint(Operation::Replay) {
        Some(call) => {
            format!("A delivery whose last attempt fails is dead: it is kept, and `{call}` sends it again.").into()
        }
        None => "A delivery whose last attempt fails is dead: it is kept, and can be sent again by hand.".into(),
    });
    match dialect.disable.after {
        After::Never => {}
        After::Deliveries => items.push(
            "If the webhook has had no success since that delivery's first attempt, the webhook is disabled too. What is \
             still open is held, and goes out when the webhook is enabled again."
                .into(),
        ),
        After::Attempts(failures) => {
            let failures = words::count(failures.into(), "failed attempt");
            items.push(
                format!(
                    "After {failures} of one delivery, if none succeeded since the first of them, the webhook is disabled. \
                     That delivery and all that is open is held; when the webhook is enabled again it goes out, with the \
                     retries that are left."
                )
                .into(),
            );
        }
    }
    if let Some(failures) = dialect.disable.consecutive_failures {
        let failures = words::grouped(failures.into());
        items.push(format!("After {failures} failed attempts in a row the webhook is disabled.").into());
    }
    if let Some(seconds) = dialect.disable.failing_seconds {
        let time = words::duration(seconds);
        items.push(format!("When all attempts have failed for {time}, the webhook is disabled.").into());
    }
    if !dialect.disable.disables() {
        items.push("The webhook itself stays active, however many deliveries fail.".into());
    }
    if dialect.disable.gone {
        items.push(
            "An answer of 410 (Gone) disables the webhook at once: say so when an endpoint is gone for good.".into(),
        );
    }
    if let Some(seconds) = dialect.disable.probe_after_seconds {
        let time = words::duration(seconds);
        items.push(
            format!("{time} after it was disabled one held delivery goes out; if it succeeds, the webhook is enabled.")
                .into(),
        );
    }
    if let (Some(field), Some(call)) = (calls.field("enabled"), calls.endpoint(Operation::Update)) {
        items.push(format!("To enable a webhook again, send `{{\"{field}\": true}}` with `{call}`.").into());
    }
    draft.list(items);
}

/// What bounds requests and webhooks.
pub(super) fn limits(draft: &mut Draft, dialect: &Dialect, site: &Site) {
    let mut rows = vec![
        row!["Time to answer", words::duration(dialect.timeout_seconds.into())],
        row!["Requests under way at once, to one webhook", words::grouped(dialect.max_in_flight.into())],
        row!["Requests to one webhook", dialect.rate_limit.map_or("no limit of their rate".into(), rate)],
    ];
    let limits = dialect.limits;
    let or_none = |limit: Option<u32>, thing: &str| limit.map_or("no limit".into(), |n| words::count(n.into(), thing));
    rows.push(row!["Webhooks of an account", or_none(limits.webhooks_per_account, "webhook")]);
    rows.push(row![
        "Deliveries to one webhook a day (UTC), retries not counted",
        limits.first_attempts_per_day.map_or("no limit".into(), |n| format!(
            "{}; what is over waits for the next day",
            words::grouped(n.into())
        ))
    ]);
    rows.push(row!["Length of a body", limits.body_bytes_max.map_or("no limit".into(), |n| words::bytes(n as u64))]);
    draft.table("Limits", &["What", "Limit"], rows);
    if dialect.rate_limit.is_some() {
        draft.say("What is over the rate waits its turn. It is not a failure and uses up no retry.");
    }
    if dialect.face.as_ref().is_some_and(|face| face.rate_limit_headers) {
        draft.say(
            "An answer of the API about one webhook says how much of its rate is left, every other how much of your key's: \
             `X-RateLimit-Limit` (the most requests in one period), `X-RateLimit-Remaining`, and `X-RateLimit-Reset` (when \
             nothing is spent any more, in Unix seconds). A test call over the rate is answered 429, and nothing is sent.",
        );
    }
    network(draft, dialect, site);
}

/// A rate in words.
pub(super) fn rate(limit: RateLimit) -> String {
    let (n, period) = match (limit.per_minute, limit.per_second) {
        (Some(n), _) => (n, "minute"),
        (None, n) => (n.unwrap_or(1), "second"),
    };
    let (n, burst, most) =
        (words::grouped(n.into()), words::grouped(limit.burst.into()), words::grouped(limit.most().into()));
    format!("{n} a {period}, {burst} of them at once after a quiet time: never more than {most} in one {period}")
}

/// Where requests come from and where they may go.
fn network(draft: &mut Draft, dialect: &Dialect, site: &Site) {
    draft.heading(3, "Addresses");
    if site.egress.is_empty() {
        draft.say(match facts::signs(dialect) {
            true => {
                "Requests come from no fixed addresses. Do not filter them by address: verify their signatures instead."
            }
            false => "Requests come from no fixed addresses, so they cannot be filtered by address.",
        });
    } else {
        draft.say(match facts::signs(dialect) {
            true => "Requests come from these addresses. Let them through your firewall, and verify signatures all the same.",
            false => "Requests come from these addresses. Let them through your firewall, and nobody else.",
        });
        draft.list(site.egress.iter().map(|network| format!("`{network}`")));
    }
    draft.heading(3, "HTTPS");
    draft.say(match site.https_only {
        true => {
            "The URL of an endpoint must start with `https://`, and its certificate must be valid: `http://` is refused. \
             Endpoints on private addresses are never called."
        }
        false => {
            "This server takes `http://` URLs too, for development. In production use `https://` with a valid certificate."
        }
    });
}
