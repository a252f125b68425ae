//! What a receiver should do and how to find out what is wrong: testing, duplicates, order, troubleshooting. All of it
//! in the dialect's own names for things.

use super::block::{Draft, Text, row};
use super::calls::Calls;
use super::sample::{ENDPOINT, Example};
use super::snippets::TOLERANCE_SECONDS;
use super::{Site, facts, words};
use crate::dialect::{Dialect, HEALTH_CHECK_BODY, Operation, Placeholder};

const DELIVERY: [Placeholder; 2] = [Placeholder::DeliveryId, Placeholder::DeliveryUuid];
const EVENT: [Placeholder; 2] = [Placeholder::EventId, Placeholder::EventUuid];

/// Trying things out.
pub(super) fn testing(draft: &mut Draft, dialect: &Dialect, calls: &Calls<'_>, example: &Example<'_>) {
    if let Some(call) = calls.endpoint(Operation::Test) {
        draft.heading(3, "Send yourself an event");
        draft.say(format!(
            "`{call}` sends a sample to one webhook at once, made like a real event, and says what your endpoint answered. It \
             is tried once, also if the webhook is disabled, and counts for no rule. Every documented type can be sent; its \
             sample is the one that stands above."
        ));
    }
    if let Some(call) = calls.endpoint(Operation::Check) {
        draft.heading(3, "Check the endpoint");
        let right = if facts::signs(dialect) { "; its signature is none, so the right answer is 401" } else { "" };
        draft.say(format!(
            "`{call}` calls the endpoint at once and says what it found. The request is the same as this one{right}:"
        ));
        draft.code("bash", health_check(example));
    }
    if let Some(field) = calls.field("test_mode") {
        draft.heading(3, "Test mode");
        draft.say(format!(
            "A webhook with `{field}: true` gets test events only, and they go to no other webhook: register one for your \
             test environment."
        ));
    }
    draft.heading(3, "On your own machine");
    let name = &dialect.name;
    let (says, secret) = match facts::signs(dialect) {
        true => (" and says whether its signature is valid", " --secret \"$WEBHOOK_SECRET\""),
        false => ("", ""),
    };
    draft.say(format!("This endpoint prints every request{says}; `--fail-first 1` shows a retry:"));
    draft.code("bash", format!("hookwheel receive --dialect {name}{secret} --fail-first 1"));
    if facts::signs(dialect) {
        draft.say("A request that was saved can be verified later, its body byte for byte:");
        let url = if dialect.signs_url() { format!(" --webhook-url '{ENDPOINT}'") } else { String::new() };
        draft.code(
            "bash",
            format!("hookwheel verify --dialect {name}{secret}{url} \\\n  --headers headers.txt --body body.json"),
        );
    }
    draft.say(
        "To have events sent to your machine from outside, open a tunnel such as `ngrok http 9000` and register its \
         `https://` URL.",
    );
}

/// The health check as a command.
fn health_check(example: &Example<'_>) -> String {
    let mut text = format!("curl -X POST '{ENDPOINT}' \\\n");
    for (name, value) in example.health_check_headers() {
        text.push_str(&format!("  -H '{}' \\\n", format!("{name}: {value}").replace('\'', "'\\''")));
    }
    text.push_str(&format!("  -d '{HEALTH_CHECK_BODY}'"));
    text
}

/// Duplicates and order.
pub(super) fn duplicates(draft: &mut Draft, dialect: &Dialect) {
    draft.say(
        "Every event is delivered at least once: when an answer gets lost on its way, the same event comes again. Order is \
         not guaranteed either: a retry comes later than what happened meanwhile.",
    );
    draft.say("So handle each event once, however often it comes:");
    draft.steps([
        "Take the id that tells duplicates apart (see below).".to_string(),
        "Insert it into a table with a unique key, in the same transaction as what you do for the event.".to_string(),
        format!("If it is there already, answer {} and do nothing.", first_status(dialect)),
        format!("Keep ids for longer than retries go on: {} at least.", words::duration(keep_seconds(dialect))),
    ]);
    let delivery = facts::header_of(dialect, &DELIVERY).map(|name| format!("the header `{name}`"));
    let event = facts::header_of(dialect, &EVENT)
        .map(|name| format!("the header `{name}`"))
        .or_else(|| facts::field_of(dialect, &EVENT).map(|path| format!("`{path}` in the body")));
    let mut rows = Vec::new();
    if let Some(place) = event {
        rows.push(row!["the event", Text::from(place.as_str()), "attempts and replays are the same", "this one"]);
    }
    if let Some(place) = delivery {
        let when = if rows.is_empty() { "this one" } else { "replays are to be handled again" };
        rows.push(row!["the delivery", Text::from(place.as_str()), "attempts are the same, a replay is another", when]);
    }
    if let Some(name) = facts::header_of(dialect, &[Placeholder::AttemptId]) {
        let place = format!("the header `{name}`");
        rows.push(row!["the attempt", Text::from(place.as_str()), "each attempt has another", "you look one up"]);
    }
    if rows.is_empty() {
        rows.push(row![
            "the body",
            "a SHA-256 of the raw body",
            "attempts and replays have the same bytes; so have two events that say the very same",
            "requests carry no id of the event or the delivery"
        ]);
    }
    draft.table("Ids that tell duplicates apart", &["Id of", "Where", "Duplicates", "Take it when"], rows);
    let time = facts::field_of(dialect, &[Placeholder::EventTime]);
    draft.say(match time {
        Some(path) => format!(
            "Where order matters, compare `{path}`, and pass over what is older than what you have; or take the event as a \
             hint and read the current state."
        ),
        None => "Where order matters, take the event as a hint and read the current state.".into(),
    });
}

/// The first status that is a success.
fn first_status(dialect: &Dialect) -> String {
    let usual = (200..600).find(|status| dialect.success.accepts(*status));
    usual.map_or("2xx".into(), |status| status.to_string())
}

/// How long attempts of one delivery can go on, rounded up to hours, and a day at least.
fn keep_seconds(dialect: &Dialect) -> u64 {
    let retry = &dialect.retry;
    let waits: u64 = retry.delay_seconds.iter().sum();
    let whole = waits + waits * u64::from(retry.jitter_percent) / 100;
    whole.div_ceil(86_400).max(1) * 86_400
}

/// What can be wrong.
pub(super) fn troubleshooting(draft: &mut Draft, dialect: &Dialect, calls: &Calls<'_>, site: &Site) {
    draft.heading(3, "Nothing arrives");
    let mut items = Vec::new();
    if let Some(call) = calls.endpoint(Operation::Deliveries) {
        items.push(format!("Look at `{call}`: it lists every attempt's status and error."));
    }
    if let Some(call) = calls.endpoint(Operation::Get) {
        items.push(format!("Look at `{call}`: is the webhook active, and do its events let this type through?"));
    }
    if dialect.challenge.is_some() {
        items.push("Has the endpoint passed the ownership check? Until then nothing is sent.".into());
    }
    items.push(match site.https_only {
        true => "The URL must be reachable from outside, over `https://`, with a valid certificate.".into(),
        false => "The URL must be reachable from the server.".into(),
    });
    if !site.egress.is_empty() {
        items.push("Your firewall must let the published addresses through.".into());
    }
    draft.list(items);
    if !dialect.signature.is_empty() {
        draft.heading(3, "The signature does not match");
        let mut items = vec![
            "The body must be the raw bytes. A body that was parsed and written again is another one.".to_string(),
            "The secret must be this webhook's: each has its own. Look for a line break or a space at its end.".into(),
        ];
        if let Some(rule) = super::snippets::best_rule(dialect) {
            let is_decoded = rule.algorithm.pair().is_some();
            if rule.several.is_none() && rule.value.alone().is_none() && !is_decoded {
                items.push(format!(
                    "`{}` is all of the header: compare it whole.",
                    super::signing::spelled(&rule.value)
                ));
            }
            if is_decoded {
                items.push("You verify with the public key, not with the private one.".into());
            }
            if dialect.signs_url() {
                items.push(
                    "The URL is signed: take the webhook's own, character by character, not what a proxy makes of it."
                        .into(),
                );
            }
            if super::signing::signs_time(dialect, rule) {
                let minutes = TOLERANCE_SECONDS / 60;
                items.push(format!(
                    "Your clock must be right: a request is refused that is more than {minutes} minutes from it."
                ));
            }
        }
        items.push(format!(
            "`hookwheel verify --dialect {}` says of a saved request what is wrong with it.",
            dialect.name
        ));
        draft.list(items);
    }
    draft.heading(3, "Answers come too late");
    draft.say(format!(
        "After {} an attempt counts as failed, even if your endpoint goes on working. Answer first, then work: put the event \
         into a queue and return.",
        words::duration(dialect.timeout_seconds.into())
    ));
    if dialect.disable.disables() {
        draft.heading(3, "The webhook is disabled");
        let test = calls
            .endpoint(Operation::Test)
            .map_or(String::new(), |call| format!(", see with `{call}` that it is well"));
        draft.say(format!(
            "Mend the endpoint{test}, then enable the webhook again. What was held meanwhile is delivered then."
        ));
    }
}

/// What good receivers do.
pub(super) fn best_practices(draft: &mut Draft, dialect: &Dialect) {
    let mut items = Vec::new();
    if facts::signs(dialect) {
        items.push("Verify the signature of every request, in constant time, before anything else.".to_string());
    }
    items.push(format!(
        "Answer {} as soon as the event is stored, and work afterwards. You have {}.",
        facts::statuses(dialect),
        words::duration(dialect.timeout_seconds.into())
    ));
    items.extend(
        [
            "Store the raw request before you work on it, so that you can go over it again.",
            "Handle each event once: expect duplicates and any order.",
            "Pass over types and fields that you do not know: new ones come without notice.",
            "Answer with an error only when you want the event again.",
            "Be told when deliveries fail, and keep what you could not handle in a queue of its own.",
            "Use `https://` everywhere.",
        ]
        .map(String::from),
    );
    if facts::signs(dialect) {
        items.push("Keep the secret out of your code and logs, and rotate it when people leave.".into());
    }
    draft.list(items);
}
