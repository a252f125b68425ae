//! The settings of a webhook in words: its own, and what its contract says where it has none.

use maud::{Markup, html};

use super::fields::Usual;
use crate::api::webhooks::view::WebhookView;
use crate::dashboard::links;
use crate::dashboard::parts::copy;
use crate::dashboard::seat::Seat;
use crate::dialect::Dialect;
use crate::docs::{duration, list};
use crate::domain::disable::{After, DisableRule};
use crate::domain::rate_limit::RateLimit;
use crate::domain::retry::RetrySchedule;

/// What the contract says; nothing is known of one that is not loaded.
pub fn usual(dialect: Option<&Dialect>) -> Usual {
    let Some(dialect) = dialect else { return Usual::default() };
    let says = |what: String| format!("the contract says {what}");
    Usual {
        retry: says(retries(&dialect.retry)),
        timeout: says(dialect.timeout_seconds.to_string()),
        max_in_flight: says(dialect.max_in_flight.to_string()),
        success: says(list(&Vec::<String>::from(dialect.success.clone()))),
        disable: rule(&dialect.disable),
    }
}

/// A schedule in words.
pub fn retries(retry: &RetrySchedule) -> String {
    match retry.delay_seconds.as_slice() {
        [] => "never".into(),
        delays => list(&delays.iter().map(|seconds| duration(*seconds)).collect::<Vec<_>>()),
    }
}

/// A rule in words.
pub fn rule(rule: &DisableRule) -> String {
    if !rule.disables() {
        return "never".into();
    }
    let mut said = Vec::new();
    said.extend(rule.gone.then(|| "an answer 410".to_owned()));
    match rule.after {
        After::Never => {}
        After::Deliveries => said.push("a delivery that used up its retries, if none succeeded meanwhile".into()),
        After::Attempts(n) => said.push(format!("{n} failed attempts of one delivery, if none succeeded meanwhile")),
    }
    said.extend(rule.consecutive_failures.map(|n| format!("{n} failed attempts in a row")));
    said.extend(rule.failing_seconds.map(|seconds| format!("failing for {}", duration(seconds))));
    let probe = rule.probe_after_seconds.map_or(String::new(), |seconds| {
        format!("; then one delivery goes out every {} to see whether it is well again", duration(seconds))
    });
    format!("{}{probe}", said.join(", or "))
}

/// A limit in words.
pub fn pace(limit: RateLimit) -> String {
    let (n, per) = match limit.per_minute {
        Some(n) => (n, "a minute"),
        None => (limit.per_second.unwrap_or(1), "a second"),
    };
    format!("{n} requests {per}, {} of them at once", limit.burst)
}

/// All settings as facts. Secrets are not in a view, or masked in it.
pub fn facts(seat: &Seat, webhook: &WebhookView, dialect: Option<&Dialect>) -> Markup {
    html! {
        dl.facts {
            dt { "Id" } dd { (copy::text(&webhook.id)) }
            @if let Some(uid) = &webhook.uid { dt { "Your own id" } dd { (copy::text(uid)) } }
            dt { "Delivered" } dd { @match &webhook.url { Some(url) => (copy::text(url)), None => "pulled by consumers" } }
            dt { "Event types" } dd { @for one in &webhook.events { span.tag { (one) } " " } }
            dt { "Contract" } dd {
                a href=(seat.docs_of(&webhook.dialect)) { (dialect.map_or(webhook.dialect.as_str(), |dialect| dialect.title.as_str())) }
                @if dialect.is_none() { " (its file is gone)" }
            }
            @if let Some(text) = &webhook.description { dt { "Description" } dd { (text) } }
            @if !webhook.tags.is_empty() { dt { "Tags" } dd { @for one in &webhook.tags { span.tag { (one) } " " } } }
            @if !webhook.channels.is_empty() { dt { "Channels" } dd { @for one in &webhook.channels { span.tag { (one) } " " } } }
            @for (name, value) in &webhook.metadata { dt { (name) } dd { (linked(value)) } }
            @if let Some(filter) = &webhook.filter { dt { "Filter" } dd { code { (filter) } } }
            @if let Some(shape) = &webhook.shape { dt { "Shape" } dd { pre { (shape.to_json()) } } }
            @for (name, value) in &webhook.headers {
                dt { "Header " (name) } dd { @match value { Some(value) => code { (value) }, None => "is there, not shown" } }
            }
            @if let Some(auth) = &webhook.auth { dt { "Logs in" } dd { (auth.word()) ", its secret is not shown" } }
            @if let Some(order) = webhook.order {
                dt { "Order" } dd { (order) @if let Some(key) = &webhook.order_key { ", by " code { (key) } } }
            }
            (limits(webhook, dialect))
            @if webhook.test_mode { dt { "Test mode" } dd { "it gets test events only" } }
            @if webhook.notices.is_some() { dt { "Notices" } dd { "it hears the server's notices, and no events" } }
            @if webhook.ownership_check { dt { "Ownership check" } dd { "its endpoint is asked whether it wants deliveries" } }
            @if !webhook.allow.is_empty() { dt { "Opened networks" } dd { (webhook.allow.join(", ")) } }
            @if webhook.tls.is_some() { dt { "TLS" } dd { "of its own" } }
            dt { "Made" } dd { time datetime=(webhook.created_at) title=(webhook.created_at) { (webhook.created_at) } }
            dt { "Last changed" } dd { time datetime=(webhook.updated_at) title=(webhook.updated_at) { (webhook.updated_at) } }
        }
    }
}

fn limits(webhook: &WebhookView, dialect: Option<&Dialect>) -> Markup {
    let retry = webhook.retry.as_ref().or(dialect.map(|dialect| &dialect.retry));
    let timeout = webhook.timeout.or(dialect.map(|dialect| dialect.timeout_seconds));
    let success = webhook.success.clone().or(dialect.map(|dialect| dialect.success.clone().into()));
    let rate_limit = webhook.rate_limit.or(dialect.and_then(|dialect| dialect.rate_limit));
    let own = |is_own: bool| html! { @if is_own { " " span.hint { "its own" } } };
    html! {
        @if let Some(retry) = retry { dt { "Retries" } dd { "after " (retries(retry)) (own(webhook.retry.is_some())) } }
        @if webhook.url.is_some() {
            @if let Some(seconds) = timeout { dt { "Time-out" } dd { (duration(seconds.into())) (own(webhook.timeout.is_some())) } }
            @if let Some(success) = success { dt { "Success" } dd { (list(&success)) (own(webhook.success.is_some())) } }
        }
        @if let Some(limit) = rate_limit { dt { "Rate limit" } dd { (pace(limit)) (own(webhook.rate_limit.is_some())) } }
    }
}

/// A text that others wrote: a link if it is an address of the web.
fn linked(text: &str) -> Markup {
    html! { @if links::is_web(text) { a href=(text) rel="noreferrer noopener nofollow" { (text) } } @else { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_limits_are_said_in_words() {
        let none = DisableRule::default();
        assert_eq!(rule(&none), "never");
        let some = DisableRule { gone: true, failing_seconds: Some(86_400), probe_after_seconds: Some(3_600), ..none };
        let said = rule(&some);
        assert!(said.starts_with("an answer 410, or failing for 24 hours; then"), "{said}");
        let limit = RateLimit { per_second: None, per_minute: Some(50), burst: 10 };
        assert_eq!(pace(limit), "50 requests a minute, 10 of them at once");
    }

    #[test]
    fn only_addresses_of_the_web_are_links() {
        assert!(linked("https://a.example/x").into_string().contains("href"));
        for text in ["javascript:alert(1)", "data:text/html,x", "<b>", "a.example"] {
            assert!(!linked(text).into_string().contains("href"), "{text}");
        }
    }
}
