//! The whole documentation of a dialect, section by section.

use super::block::{Document, Draft, Text, row};
use super::calls::Calls;
use super::sample::Example;
use super::site::Site;
use super::{advice, delivery, events, facts, json, sample, signing, snippets, words};

use crate::dialect::{Dialect, Placeholder};
use crate::domain::endpoint::{EndpointUrl, HOP_HEADER};
use crate::domain::probe::Method;

/// The whole documentation of a dialect's webhooks.
pub fn document(dialect: &Dialect, site: &Site) -> Document {
    let example = Example::of(dialect);
    let calls = Calls::new(dialect, &example, &site.base_url);
    let mut draft = Draft::new(format!("{} webhooks", dialect.title), dialect.description.clone());
    let d = &mut draft;
    d.heading(2, "Overview");
    overview(d, dialect, &calls, site);
    d.heading(2, "Events");
    events::write(d, dialect, &example);
    d.heading(2, "Managing webhooks");
    calls.write(d);
    if dialect.challenge.is_some() {
        d.heading(2, "Ownership check");
        ownership(d, dialect, &example);
    }
    d.heading(2, "Headers");
    headers(d, dialect, &example);
    d.heading(2, if facts::signs(dialect) { "Verifying signatures" } else { "Signatures" });
    signing::write(d, dialect, &example);
    d.heading(2, "Delivery and retries");
    delivery::write(d, dialect, &calls);
    d.heading(2, "Limits");
    delivery::limits(d, dialect, site);
    d.heading(2, "Duplicates and order");
    advice::duplicates(d, dialect);
    d.heading(2, "Testing");
    advice::testing(d, dialect, &calls, &example);
    d.heading(2, "Troubleshooting");
    advice::troubleshooting(d, dialect, &calls, site);
    d.heading(2, "Best practices");
    advice::best_practices(d, dialect);
    draft.done()
}

fn overview(draft: &mut Draft, dialect: &Dialect, calls: &Calls<'_>, site: &Site) {
    draft.say(
        "A webhook is a URL of yours that is called when something happens: no polling, and no delay. Each event comes as \
         an HTTP `POST`.",
    );
    let takes = Text::from("Write an endpoint that takes `POST` requests");
    let register = Text::from("Register it: ").link("create a webhook", "#create-a-webhook");
    draft.steps([
        match facts::signs(dialect) {
            true => {
                takes.and(", ").link("verifies their signature", "#verifying-signatures").and(" and answers at once.")
            }
            false => takes.and(" and answers at once."),
        },
        register.and(if facts::signs(dialect) { ", and keep its secret." } else { "." }),
        Text::from("Send yourself a ").link("test event", "#testing").and("."),
        Text::from("Make sure that an event which ")
            .link("comes twice", "#duplicates-and-order")
            .and(" is handled once."),
    ]);
    let retries = dialect.retry.delay_seconds.len() as u64;
    let signed = match snippets::best_rule(dialect) {
        Some(rule) => rule.header.as_ref().map_or("in the body".into(), |key| format!("`{}`", key.spelled)),
        None => "none".into(),
    };
    let rows = vec![
        row!["API", format!("`{}{}`", site.base_url.trim_end_matches('/'), calls.base())],
        row!["Requests", format!("`POST`, `{}`", dialect.content_type().as_str())],
        row!["User agent", format!("`{}`", dialect.user_agent.as_str())],
        row!["Signature", signed],
        row![
            "Success",
            format!("{} within {}", facts::statuses(dialect), words::duration(dialect.timeout_seconds.into()))
        ],
        row!["Retries", if retries == 0 { "none".into() } else { words::count(retries, "retry") }],
        row!["Guarantee", "at least once, in any order"],
    ];
    draft.table("At a glance", &["What", "Here"], rows);
}

fn headers(draft: &mut Draft, dialect: &Dialect, example: &Example<'_>) {
    draft.say("Every request carries these headers, beside those of HTTP itself:");
    let Some(first) = dialect.catalogue.first().cloned().or_else(|| Some(sample::nameless())) else { return };
    let own = |name: &str| {
        let header = dialect.headers.iter().find(|header| header.key.spelled == name)?;
        Some(match header.value.alone() {
            Some(slot) => words::capital(&facts::meaning(slot)),
            None if header.value.constant().is_some() => "Always this".into(),
            None => format!("`{}`", header.value),
        })
    };
    let always = example.headers(&first, 1);
    let (mut all, retry) = (always.clone(), example.headers(&first, 2));
    all.extend(retry.into_iter().filter(|(name, _)| !always.iter().any(|(known, _)| known == name)));
    // The sender adds it to whatever the dialect says.
    let hop = ("Hookwheel-Hop".to_string(), "1".to_string());
    debug_assert!(hop.0.eq_ignore_ascii_case(HOP_HEADER));
    let always: Vec<_> = always.into_iter().chain([hop.clone()]).collect();
    all.push(hop);
    let rows = all.into_iter().map(|(name, value)| {
        let mut said = own(&name).unwrap_or_else(|| match name.as_str() {
            "Content-Type" | "User-Agent" | "Hookwheel-Hop" => "Always this".into(),
            _ => "The signature: see below".into(),
        });
        if !always.iter().any(|(known, _)| *known == name) {
            said.push_str("; only in retries");
        }
        row![Text::code(name), said, Text::code(value)]
    });
    draft.table("Headers of a request", &["Header", "Meaning", "Example"], rows.collect());
    if dialect.signature.iter().any(|rule| rule.value.slots().any(|slot| *slot == Placeholder::Signature)) {
        draft.say(
            "HTTP does not tell upper from lower case in names of headers; your framework may show them in either.",
        );
    }
}

fn ownership(draft: &mut Draft, dialect: &Dialect, example: &Example<'_>) {
    let Some(rule) = &dialect.challenge else { return };
    let asked = example.question(rule, "2f7c1b9e5a8d4036");
    let signed = if rule.send.is_some() && facts::signs(dialect) { ", and signed like every other" } else { "" };
    draft.say(format!(
        "Before anything is sent, the endpoint must show that it wants deliveries. When a webhook is created, and when its \
         URL changes, it gets this request, with random text{signed}:"
    ));
    if !asked.query.is_empty() || asked.method != Method::Post {
        let url = EndpointUrl::parse(sample::ENDPOINT, false).map(|url| url.with_query(&asked.query));
        draft.code("http", format!("{} {}", asked.method.as_str(), url.as_ref().map_or("", EndpointUrl::as_str)));
    }
    if rule.send.is_some() {
        draft.code("json", json::pretty_bytes(&asked.body));
    }
    let time = words::duration(rule.timeout_seconds.into());
    match asked.expected() {
        None => draft.say(format!("It must answer with a success within {time}.")),
        Some(expected) => {
            draft.say(format!("It must answer with a success within {time}, and with this body, the same text in it:"));
            match expected.as_str() {
                Some(text) => draft.code("text", text),
                None => draft.code("json", json::pretty(expected)),
            }
        }
    }
    if let Some(signature) = rule.signature {
        let name = signing::mac_name(signature.algorithm);
        draft.say(format!("What is not the random text itself is its {name}, keyed with the secret."));
    }
    if let Some(status) = rule.forged_status {
        draft.say(format!("The same request with a wrong signature must be answered {status}."));
    }
    draft.say(
        "If it does, the webhook is active. If it does not, the webhook exists with the status `unverified`, the answer to \
         the call says why, and nothing is sent to it. After a change of the URL, what is open is held until the new \
         endpoint has passed.",
    );
    if dialect.challenge_needs_secret() {
        draft.say(
            "Where you give no secret when you create a webhook, one is made and shown in the answer. Then the endpoint is \
             asked a second after that answer, and twice more within a little over a minute if it does not pass, so that \
             it can be told the secret first.",
        );
    }
}
