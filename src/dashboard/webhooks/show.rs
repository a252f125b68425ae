//! The page of one webhook, read from above: how it stands, what one can do, what it came to, what waits and why, what it delivered
//! last, and how it is set.

use actix_web::{HttpResponse, get, web};
use maud::{Markup, html};

use super::outlook::{DEAD_COUNTED_MAX, Outlook};
use super::standing::{Known, sentence, waits_for, word};
use super::{buttons, limits, settings, ways};
use crate::api::Api;
use crate::api::access::auth::Read;
use crate::api::webhooks::reach::reach;
use crate::api::webhooks::routes::alone;
use crate::api::webhooks::view::WebhookView;
use crate::dashboard::away::Away;
use crate::dashboard::deliveries::explained::failures;
use crate::dashboard::frame::{Page, Part};
use crate::dashboard::links;
use crate::dashboard::parts::figure::{Figure, figures};
use crate::dashboard::parts::range::Range;
use crate::dashboard::parts::state::{mark, of_delivery, of_status, state};
use crate::dashboard::parts::{amount, chart, copy, empty, time};
use crate::dashboard::seat::{Looks, Seat};
use crate::dialect::Dialect;
use crate::domain::time::UnixMs;

/// Seconds after which the page looks again how it stands.
const REFRESH_SECONDS: u32 = 15;

#[get("/webhooks/{id}")]
pub async fn show(seat: Looks<Read>, api: web::Data<Api>, of: web::Path<ways::Of>) -> Result<HttpResponse, Away> {
    let webhook = reach(&api, seat.tenant()).webhook(&of.id)?;
    let range = Range::of(seat.asked());
    let outlook = Outlook::of(&api, &seat, &webhook, range).await?;
    let shown = alone(&api, seat.tenant(), &webhook.id.to_string()).await?;
    let dialect = api.dialects.now().get(&webhook.dialect).cloned();
    let scene = Scene {
        seat: &seat,
        webhook: &shown,
        outlook: &outlook,
        dialect: dialect.as_deref(),
        range,
        now: api.clock.wall(),
    };
    let body = html! {
        section #standing data-refresh=(REFRESH_SECONDS) { (scene.standing()) (scene.figures()) (scene.lane()) }
        (scene.chart())
        @if let Some(dialect) = scene.dialect { (limits::disabling(&shown, dialect, scene.now)) }
        (scene.recent())
        h2 { "Settings" }
        (settings::facts(&seat, &shown, scene.dialect))
        (buttons::further(&seat, &shown))
    };
    let acts = buttons::first(&seat, &shown);
    let title = webhook.label();
    Ok(Page { acts, ..Page::new(&title, Part::Webhooks) }.show(&seat, &body))
}

/// What the page shows, and to whom.
struct Scene<'a> {
    seat: &'a Seat,
    webhook: &'a WebhookView,
    outlook: &'a Outlook,
    dialect: Option<&'a Dialect>,
    range: Range,
    now: UnixMs,
}

impl Scene<'_> {
    fn standing(&self) -> Markup {
        let (meaning, _) = word(self.webhook, self.now);
        let failed = self.outlook.recent.iter().find(|row| row.success == Some(false));
        let known = Known {
            since: self.outlook.since,
            error: failed.and_then(|row| row.error.as_deref()),
            next_at: self.outlook.next_at,
        };
        html! {
            p.standing {
                (mark(meaning)) " "
                (sentence(self.webhook, known, self.now))
            }
            @if let Some(url) = &self.webhook.url { p { (copy::text(url)) } }
        }
    }

    /// Numbers, each of which leads to what it counts.
    fn figures(&self) -> Markup {
        let (webhook, total) = (self.webhook, &self.outlook.stats.total);
        let deliveries = |state: Option<&str>| {
            links::with_query(&self.seat.at("deliveries"), [("webhook", Some(webhook.id.as_str())), ("state", state)])
        };
        let is_held = webhook.status != "active";
        let (dead, more) = self.outlook.dead;
        let dead = if more { format!("{DEAD_COUNTED_MAX}+") } else { dead.to_string() };
        let dead_letters = links::with_query(&self.seat.at("dead-letters"), [("webhook", Some(webhook.id.as_str()))]);
        let states = if is_held { "held" } else { "waiting or out" };
        let next = self.outlook.next_at.map_or_else(none, |at| time::at(at, self.now));
        let times = total.response_time_ms.as_ref();
        let tail = times.map_or_else(
            || "no answer yet".into(),
            |times| format!("half of the answers; p95 {}, p99 {}", took(times.p95), took(times.p99)),
        );
        let half = times.map_or_else(none, |times| html! { (took(times.p50)) });
        let ever = format!("{} ever used up their retries", amount::count(webhook.dead));
        let from = [("from", Some(self.outlook.stats.from.as_str()))];
        let succeeded = links::with_query(&deliveries(Some("succeeded")), from);
        figures(&[
            figure(
                "Open",
                html! { (amount::count(webhook.open)) },
                states.into(),
                deliveries(is_held.then_some("held")),
            ),
            figure("Next retry", next, "when it is due".into(), deliveries(Some("scheduled"))),
            figure(
                "Success rate",
                html! { (amount::share(total.succeeded, total.attempts)) },
                format!("of {}", amount::of(total.attempts, "attempt", "attempts")),
                succeeded.clone(),
            ),
            figure("Response time", half, tail, succeeded),
            figure("Dead letters", html! { (dead) }, ever, dead_letters),
        ])
    }

    /// What is out, and what the next one waits for.
    fn lane(&self) -> Markup {
        let lane = self.webhook.lane.as_ref().and_then(Option::as_ref);
        html! {
            dl.facts {
                @if let Some(lane) = lane {
                    @match lane.wanted {
                        Some(wanted) => {
                            dt { "Leases out" } dd { (lane.places) }
                            dt { "Consumers" } dd {
                                @if wanted == 0 { "none waits for deliveries now" }
                                @else { "wait for " (amount::of(wanted as u64, "more delivery", "more deliveries")) }
                            }
                        }
                        None => { dt { "Out now" } dd { (lane.places) " of " (lane.window) " that its endpoint is given at once" } }
                    }
                    dt { "The next one waits for" }
                    dd {
                        @match lane.waits_for {
                            Some(word) => { (waits_for(word)) @if lane.until.is_some() { ", until " (time::text(lane.until.as_deref(), self.now)) } }
                            None => { "nothing: it goes out now" }
                        }
                    }
                }
                (limits::left(self.outlook, self.now))
            }
        }
    }

    fn chart(&self) -> Markup {
        let total = &self.outlook.stats.total;
        let (attempts, failed) = (amount::of(total.attempts, "attempt", "attempts"), amount::count(total.failed));
        let words = format!("{attempts} in the last {}, {failed} of them no success", self.range.long());
        html! {
            section.over-time {
                h2 { "Attempts" }
                (self.range.choice(self.seat))
                (chart::wide(&self.outlook.steps, &words))
                p.legend { (words) "."
                    @if let Some(words) = failures(&total.failed_by_kind) { " " (words) }
                    @if total.rate_limited > 0 { " " (amount::count(total.rate_limited)) " waited for the rate limit." }
                }
            }
        }
    }

    fn recent(&self) -> Markup {
        let all = links::with_query(&self.seat.at("deliveries"), [("webhook", Some(self.webhook.id.as_str()))]);
        html! {
            h2 { "Recent deliveries" }
            @if self.outlook.recent.is_empty() {
                (empty::empty("None yet. Send it a test event to see one.", None))
            } @else {
                div.table tabindex="0" {
                    table {
                        thead { tr {
                            th scope="col" { "State" }
                            th scope="col" { "Event type" }
                            th scope="col" { "Answer" }
                            th.number scope="col" { "Took" }
                            th.number scope="col" { "Attempts" }
                            th scope="col" { "Made" }
                        } }
                        tbody { @for row in &self.outlook.recent { (self.row(row)) } }
                    }
                }
                p { a href=(all) { "All deliveries" } }
            }
        }
    }

    fn row(&self, row: &crate::api::deliveries::history::Row) -> Markup {
        let at = self.seat.at(&format!("deliveries/{}", links::part(&row.id)));
        html! {
            tr data-href=(at) {
                td { a href=(at) { (state(of_delivery(row.state), row.state)) } }
                td.wide { code { (row.event_type.as_deref().unwrap_or("no longer kept")) } }
                td.wide {
                    @match (row.status_code, &row.error) {
                        (Some(status), None) => (state(of_status(Some(status)), &status.to_string())),
                        (_, Some(error)) => span.hint { (error) },
                        (None, None) => span.none { "–" },
                    }
                }
                td.number { @if let Some(took) = row.response_time_ms { (took) " ms" } }
                td.number { (row.attempts) }
                td { (time::text(Some(&row.created_at), self.now)) }
            }
        }
    }
}

fn figure(label: &str, is: Markup, of: String, href: String) -> Figure<'_> {
    Figure { label, is, of, href }
}

fn took(ms: u32) -> String {
    amount::took(ms.into())
}

fn none() -> Markup {
    html! { span.none { "–" } }
}
