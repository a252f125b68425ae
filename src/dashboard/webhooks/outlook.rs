//! What a page about one webhook reads beside its view: its statistics, its newest deliveries, and what waits. What stays true: all
//! of it is read in the account's turn, and a bounded part of each list.

use actix_web::web;

use super::rows::steps;
use crate::api::deliveries::history::Row;
use crate::api::http::page::Window;
use crate::api::stats::routes::of_each;
use crate::api::stats::view::StatsView;
use crate::api::webhooks::reach::reach;
use crate::api::{Api, Problem};
use crate::dashboard::parts::chart::Step;
use crate::dashboard::parts::range::Range;
use crate::dashboard::seat::Seat;
use crate::domain::job::{Bulk, JobKind, Source};
use crate::domain::rate_limit::Allowance;
use crate::domain::stats::Series;
use crate::domain::time::UnixMs;
use crate::domain::webhook::{Status, Webhook};

/// Deliveries that are shown.
const RECENT_MAX: usize = 20;
/// Dead letters that are counted.
pub const DEAD_COUNTED_MAX: usize = 100;

/// What is known of it.
pub struct Outlook {
    /// What it came to.
    pub stats: StatsView,
    /// The same, step by step.
    pub steps: Vec<Step>,
    /// Its newest deliveries.
    pub recent: Vec<Row>,
    /// When its next retry is due.
    pub next_at: Option<UnixMs>,
    /// Dead letters that nobody has handled, and whether there are more.
    pub dead: (usize, bool),
    /// Since when it is paused or disabled.
    pub since: Option<UnixMs>,
    /// What is left of its rate limit.
    pub rate: Option<Allowance>,
    /// First attempts that are left today, and of how many, where its contract has a limit.
    pub today: Option<(u32, u32)>,
}

impl Outlook {
    /// Reads it.
    pub async fn of(api: &web::Data<Api>, seat: &Seat, webhook: &Webhook, range: Range) -> Result<Self, Problem> {
        let (account, number, now) = (webhook.account, webhook.number(), api.clock.now());
        let mut stats = of_each(api, account, vec![Series::Webhook(number)], range.span(now)?).await?;
        let stats = stats.pop().ok_or_else(|| Problem::internal("statistics of nothing"))?;
        let history = reach(api, seat.tenant()).history(&webhook.id.to_string())?;
        let dialect = api.dialects.now().get(&webhook.dialect).cloned();
        let per_day = dialect.as_ref().and_then(|dialect| dialect.limits.first_attempts_per_day);
        let made = history.tally.first_attempts_today(now);
        let source = Source::DeadLetters { webhook: Some(number) };
        let bulk = Bulk { account, kind: JobKind::Discard, source, event_type: None, from: None, to: None };
        let has_dead = history.tally.dead > 0;
        let read = move || -> Result<_, Problem> {
            let recent = history.deliveries(Window::newest(RECENT_MAX), |_| true)?.rows;
            let next_at = history.store.next_due(number, None, |_| false)?.map(|at| history.store.shown(at));
            let dead = match has_dead {
                true => {
                    let page = history.store.dead_letters(&bulk, Window::newest(DEAD_COUNTED_MAX).walk())?;
                    (page.rows.len(), page.next.is_some())
                }
                false => (0, false),
            };
            Ok((recent, next_at, dead))
        };
        let (recent, next_at, dead) = api.read(account, read).await??;
        let pace = webhook.pace(dialect.as_ref().and_then(|dialect| dialect.rate_limit));
        let since = match &webhook.status {
            Status::Paused { since } | Status::Disabled { since, .. } => Some(api.store.shown(*since)),
            Status::Active | Status::Deleted { .. } => None,
        };
        Ok(Self {
            steps: steps(&stats),
            stats,
            recent,
            next_at,
            dead,
            since,
            rate: pace.map(|limit| api.outbound.left(number, limit)),
            today: per_day.map(|limit| (limit.saturating_sub(made), limit)),
        })
    }
}
