//! The figures of an account in a range of time.

use maud::{Markup, html};

use crate::api::stats::view::StatsView;
use crate::dashboard::links::with_query;
use crate::dashboard::parts::amount;
use crate::dashboard::parts::figure::{Figure, figures};
use crate::dashboard::parts::time::span;
use crate::dashboard::seat::Seat;
use crate::domain::time::{self, UnixMs};

/// What they are made of.
pub struct Facts<'a> {
    /// What was counted in the range.
    pub stats: &'a StatsView,
    /// Dead letters, one more than `dead_max` at most.
    pub dead: usize,
    /// As many as are counted.
    pub dead_max: usize,
    /// Webhooks.
    pub webhooks: usize,
    /// When it is.
    pub now: UnixMs,
}

impl Facts<'_> {
    /// All of them.
    pub fn show(&self, seat: &Seat) -> Markup {
        figures(&[
            self.events(seat),
            self.deliveries(seat),
            self.success(seat),
            self.latency(seat),
            self.retries(seat),
            self.queue(seat),
            self.limited(seat),
            self.dead_letters(seat),
        ])
    }

    /// How much of the range is over, in milliseconds.
    fn elapsed(&self) -> u64 {
        let at = |text: &str| time::parse(text).unwrap_or(self.now);
        at(&self.stats.to).min(self.now).saturating_sub(at(&self.stats.from))
    }

    /// The list of deliveries or events of the range.
    fn since(&self, seat: &Seat, page: &str, state: Option<&str>) -> String {
        with_query(&seat.at(page), [("state", state), ("from", Some(self.stats.from.as_str()))])
    }

    fn events(&self, seat: &Seat) -> Figure<'static> {
        let accepted = self.stats.total.accepted;
        let of = amount::of(accepted, "event", "events");
        let is = amount::a_minute(accepted, self.elapsed());
        Figure { label: "Events a minute", is: shown(&is), of, href: self.since(seat, "events", None) }
    }

    fn deliveries(&self, seat: &Seat) -> Figure<'static> {
        let (made, webhooks) = (self.stats.total.deliveries, amount::of(self.webhooks as u64, "webhook", "webhooks"));
        let of = format!("{} to {webhooks}", amount::of(made, "delivery", "deliveries"));
        let is = amount::a_minute(made, self.elapsed());
        Figure { label: "Deliveries a minute", is: shown(&is), of, href: self.since(seat, "deliveries", None) }
    }

    fn success(&self, seat: &Seat) -> Figure<'static> {
        let total = &self.stats.total;
        let of = format!("of {}", amount::of(total.attempts, "attempt", "attempts"));
        let is = amount::share(total.succeeded, total.attempts);
        Figure { label: "Success rate", is: shown(&is), of, href: self.since(seat, "deliveries", Some("succeeded")) }
    }

    fn latency(&self, seat: &Seat) -> Figure<'static> {
        let times = self.stats.total.response_time_ms.as_ref();
        let took = |ms: u32| amount::took(ms.into());
        let is = times.map_or_else(|| "–".into(), |times| took(times.p50));
        let of = times.map_or_else(
            || "no answer yet".into(),
            |times| format!("half of the answers; p95 {}, p99 {}", took(times.p95), took(times.p99)),
        );
        Figure { label: "Response time", is: shown(&is), of, href: self.since(seat, "deliveries", Some("succeeded")) }
    }

    fn retries(&self, seat: &Seat) -> Figure<'static> {
        let href = with_query(&seat.at("deliveries"), [("state", Some("scheduled"))]);
        let (is, of) = (amount::count(self.stats.total.retried), "to what is scheduled now".into());
        Figure { label: "Retries", is: shown(&is), of, href }
    }

    fn queue(&self, seat: &Seat) -> Figure<'static> {
        let queue = &self.stats.queue;
        let since = [("order", Some("oldest")), ("from", queue.oldest_open_at.as_deref())];
        let (is, of, href) = match queue.age_ms {
            Some(age) => (span(age), "the oldest that has not ended".into(), with_query(&seat.at("deliveries"), since)),
            None => {
                ("0 s".into(), "nothing waits".into(), with_query(&seat.at("deliveries"), [("state", Some("pending"))]))
            }
        };
        Figure { label: "Queue age", is: shown(&is), of, href }
    }

    fn limited(&self, seat: &Seat) -> Figure<'static> {
        let is = amount::count(self.stats.total.rate_limited);
        Figure {
            label: "Waits for a rate limit",
            is: shown(&is),
            of: "set by webhooks".into(),
            href: seat.at("webhooks"),
        }
    }

    fn dead_letters(&self, seat: &Seat) -> Figure<'static> {
        let is = match self.dead > self.dead_max {
            true => format!("> {}", amount::count(self.dead_max as u64)),
            false => amount::count(self.dead as u64),
        };
        let of = if self.dead == 0 { "none to handle" } else { "to replay or discard" };
        Figure { label: "Dead letters", is: shown(&is), of: of.into(), href: seat.at("dead-letters") }
    }
}

fn shown(is: &str) -> Markup {
    html! { (is) }
}
