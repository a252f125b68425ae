//! How far a webhook has got: towards being disabled by its rule, and into what it may send.

use maud::{Markup, html};

use super::outlook::Outlook;
use super::settings::rule;
use crate::api::webhooks::view::WebhookView;
use crate::dashboard::parts::{amount, time};
use crate::dialect::Dialect;
use crate::docs::duration;
use crate::domain::disable::{After, DisableRule};
use crate::domain::time::{self as times, UnixMs};

/// The rule that disables it, and how far it has got.
pub fn disabling(webhook: &WebhookView, dialect: &Dialect, now: UnixMs) -> Markup {
    let own = webhook.disable.and_then(|written| DisableRule::try_from(written).ok());
    let in_force = own.unwrap_or(dialect.disable);
    let whose = if own.is_some() { "its own rule" } else { "the contract's rule" };
    let so_far = so_far(&in_force, webhook, now);
    html! {
        h2 { "When it is disabled" }
        p { (crate::docs::capital(&rule(&in_force))) ": " (whose) "." }
        @if webhook.status != "disabled" && !so_far.is_empty() {
            ul.so-far {
                @for one in &so_far {
                    li { meter min="0" max=(one.of) value=(one.is.min(one.of)) aria-label=(one.words) {} " " (one.words) }
                }
            }
        }
    }
}

/// How far it has got towards one part of a rule.
#[derive(Debug, PartialEq, Eq)]
struct SoFar {
    is: u64,
    of: u64,
    words: String,
}

fn so_far(rule: &DisableRule, webhook: &WebhookView, now: UnixMs) -> Vec<SoFar> {
    let mut all = Vec::new();
    if let Some(n) = rule.consecutive_failures {
        let is = webhook.consecutive_failures;
        let words = format!("{} of {} failed attempts in a row", amount::count(is), amount::count(n.into()));
        all.push(SoFar { is, of: n.into(), words });
    }
    if let Some(seconds) = rule.failing_seconds {
        let since = webhook.failing_since.as_deref().and_then(times::parse);
        let is = since.map_or(0, |since| now.saturating_sub(since) / 1000);
        let failing = if is == 0 { "not failing".to_owned() } else { format!("failing for {}", time::span(is * 1000)) };
        all.push(SoFar { is, of: seconds, words: format!("{failing}; it may be {}", duration(seconds)) });
    }
    if rule.after != After::Never && webhook.consecutive_failures > 0 {
        let words =
            "nothing succeeded since the first failure: a delivery that began since then can disable it".to_owned();
        all.push(SoFar { is: 1, of: 2, words });
    }
    all
}

/// What is left of its limits, as facts.
pub fn left(outlook: &Outlook, now: UnixMs) -> Markup {
    html! {
        @if let Some(rate) = outlook.rate {
            dt { "Rate limit" }
            dd {
                (rate.remaining) " of " (rate.limit) " requests are left now"
                @if rate.remaining == 0 { ", the next " (time::at(rate.next_at, now)) }
            }
        }
        @if let Some((left, of)) = outlook.today {
            dt { "Today" } dd { (amount::count(left.into())) " of " (amount::count(of.into())) " first attempts are left" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::webhooks::view::{Onlooker, view};
    use crate::domain::endpoint::EndpointUrl;
    use crate::domain::tally::Tally;
    use crate::domain::webhook::{EventFilter, Webhook};

    const NOW: UnixMs = 1_700_000_000_000;

    #[test]
    fn each_part_of_a_rule_says_how_far_it_has_got() {
        let url = EndpointUrl::parse("https://example.com/", false).expect("a URL");
        let webhook = Webhook::new(1, "standard", url, vec![EventFilter::All]);
        let by = Onlooker { account: "a".into(), may_manage: true, dialects: std::sync::Arc::default() };
        let shown = |tally: &Tally| view(&webhook, &by, tally, |at| at);
        let rule =
            DisableRule { consecutive_failures: Some(20), failing_seconds: Some(3_600), ..DisableRule::default() };
        let failing = Tally { consecutive_failures: 3, failing_since: Some(NOW - 720_000), ..Tally::default() };
        let far: Vec<_> = so_far(&rule, &shown(&failing), NOW).into_iter().map(|one| (one.is, one.of)).collect();
        assert_eq!(far, [(3, 20), (720, 3_600)]);
        assert!(so_far(&rule, &shown(&Tally::default()), NOW).iter().all(|one| one.is == 0));
        assert_eq!(
            so_far(&DisableRule { after: After::Deliveries, ..DisableRule::default() }, &shown(&failing), NOW).len(),
            1
        );
    }
}
