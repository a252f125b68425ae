//! Statistics of an account and of a webhook, by minute, hour or day. What stays true: a reply has every point of the
//! span that it names, those in which nothing happened too, and never more than `POINTS_MAX`.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, get, web};
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::{May, Read};
use super::events::bound;
use super::problem::{ErrorReply, Problem};
use super::reply::Reply;
use super::request::Query;
use super::webhooks::reach;
use crate::domain::Invalid;
use crate::domain::latency::Latencies;
use crate::domain::stats::{Counts, NoSpan, POINTS_MAX, Series, Span, Step};
use crate::domain::time::{self, UnixMs};
use crate::store::Stats;

/// Which points.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct StatsQuery {
    /// Since this time (RFC 3339), widened to a whole step; 60 minutes, 24 hours or 30 days before `to` if left out.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Before this time (RFC 3339), widened to a whole step; now if left out.
    #[param(format = DateTime)]
    to: Option<String>,
    /// `minute` (kept for 3 days), `hour` (90 days) or `day` (3 years), in UTC. If left out, the finest with at most
    /// 360 points.
    #[param(pattern = "^(minute|hour|day)$")]
    step: Option<String>,
}

impl StatsQuery {
    fn span(&self, now: UnixMs) -> Result<Span, Invalid> {
        let wrong = || Invalid::new("step", "must be minute, hour or day");
        let step = self.step.as_deref().map(|word| Step::parse(word).ok_or_else(wrong)).transpose()?;
        let (from, to) = (bound("from", self.from.as_deref())?, bound("to", self.to.as_deref())?);
        Span::new(step, from, to, now).map_err(|why| match why {
            NoSpan::Backward if to.is_some() => Invalid::new("to", "must be later than from"),
            NoSpan::Backward => Invalid::new("from", "must be earlier than now, or than to"),
            NoSpan::TooMany(points) => {
                let message = format!(
                    "gives {points} points until to, at most {POINTS_MAX} can be asked for; ask from later on, or for a longer step"
                );
                Invalid::new("from", message)
            }
        })
    }
}

/// What was counted in a span of time.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct StatsView {
    /// When the first point starts.
    #[schema(format = DateTime)]
    from: String,
    /// When the last point ends.
    #[schema(format = DateTime)]
    to: String,
    /// `minute`, `hour` or `day`.
    step: &'static str,
    /// All points together.
    total: CountsView,
    queue: QueueView,
    /// One a step, the oldest first.
    points: Vec<PointView>,
}

/// What waits now, whatever the span is: held deliveries too.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct QueueView {
    /// When the oldest delivery was made that has not ended; null if there is none.
    #[schema(format = DateTime)]
    oldest_open_at: Option<String>,
    /// How long ago that is, in milliseconds.
    age_ms: Option<u64>,
}

/// What was counted in one minute, hour or day.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct PointView {
    /// When it starts.
    #[schema(format = DateTime)]
    at: String,
    #[serde(flatten)]
    counts: CountsView,
}

/// Counts. An attempt is counted when it is recorded.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct CountsView {
    /// Events: of an account those accepted, of a webhook those that it wanted. Tests included, duplicates not.
    accepted: u64,
    /// Deliveries made, replays included.
    deliveries: u64,
    /// HTTP requests.
    attempts: u64,
    /// Attempts that were a success.
    succeeded: u64,
    /// Attempts that were none.
    failed: u64,
    /// The same by kind, as in `outcome` of an attempt; kinds that did not occur are left out.
    failed_by_kind: BTreeMap<&'static str, u64>,
    /// Attempts after a delivery's first.
    retried: u64,
    /// Attempts whose delivery had to wait for its webhook's rate limit.
    rate_limited: u64,
    /// Of the attempts that got an answer; null if none did.
    response_time_ms: Option<ResponseTimes>,
    /// The greatest age of the oldest open delivery at the end of a minute in which something was counted; null where
    /// nothing was open then.
    queue_age_ms: Option<u64>,
}

/// Response times in milliseconds. Average and greatest are exact, the others within 6 %.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ResponseTimes {
    average: f64,
    p50: u32,
    p90: u32,
    p95: u32,
    p99: u32,
    max: u32,
}

/// Show what the account's events and deliveries came to, over time
///
/// Webhooks that were deleted are counted as long as they were there.
#[utoipa::path(tag = "stats", params(StatsQuery), responses(
    (status = 200, description = "One point a minute, hour or day", body = Reply<StatsView>),
    (status = 400, description = "A parameter cannot be read, or there would be too many points",
        body = ErrorReply<'static>),
))]
#[get("/api/v1/stats")]
pub async fn of_account(
    tenant: May<Read>,
    api: web::Data<Api>,
    Query(query): Query<StatsQuery>,
) -> Result<HttpResponse, Problem> {
    answer(api, Series::Account(tenant.account().number), query).await
}

/// Show what a webhook's deliveries came to, over time
#[utoipa::path(tag = "stats", params(("id" = String, Path), StatsQuery), responses(
    (status = 200, description = "One point a minute, hour or day", body = Reply<StatsView>),
    (status = 400, description = "A parameter cannot be read, or there would be too many points",
        body = ErrorReply<'static>),
    (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
))]
#[get("/api/v1/webhooks/{id}/stats")]
pub async fn of_webhook(
    tenant: May<Read>,
    api: web::Data<Api>,
    id: web::Path<String>,
    Query(query): Query<StatsQuery>,
) -> Result<HttpResponse, Problem> {
    let number = reach(&api, &tenant).webhook(&id)?.number();
    answer(api, Series::Webhook(number), query).await
}

async fn answer(api: web::Data<Api>, series: Series, query: StatsQuery) -> Result<HttpResponse, Problem> {
    let now = api.clock.now();
    let span = query.span(now)?;
    let view = web::block(move || api.store.stats(series, span, now).map(|stats| view(span, &stats, now)));
    Ok(Reply::ok(view.await??))
}

fn view(span: Span, stats: &Stats, now: UnixMs) -> StatsView {
    let (mut total, none) = (Counts::default(), Counts::default());
    stats.points.values().for_each(|counts| total.merge(counts));
    let point = |start| PointView {
        at: time::rfc3339(start),
        counts: CountsView::from(stats.points.get(&start).unwrap_or(&none)),
    };
    StatsView {
        from: time::rfc3339(span.from),
        to: time::rfc3339(span.to),
        step: span.step.word(),
        total: CountsView::from(&total),
        queue: QueueView {
            oldest_open_at: stats.oldest_open_at.map(time::rfc3339),
            age_ms: stats.oldest_open_at.map(|at| now.saturating_sub(at)),
        },
        points: span.starts().map(point).collect(),
    }
}

impl From<&Counts> for CountsView {
    fn from(counts: &Counts) -> Self {
        Self {
            accepted: counts.accepted,
            deliveries: counts.deliveries,
            attempts: counts.attempts(),
            succeeded: counts.succeeded,
            failed: counts.failures(),
            failed_by_kind: counts.failed().collect(),
            retried: counts.retried,
            rate_limited: counts.rate_limited,
            response_time_ms: ResponseTimes::of(&counts.answers),
            queue_age_ms: counts.queue_age_ms,
        }
    }
}

impl ResponseTimes {
    fn of(answers: &Latencies) -> Option<Self> {
        Some(Self {
            average: (answers.average()? * 10.0).round() / 10.0,
            p50: answers.quantile(0.5)?,
            p90: answers.quantile(0.9)?,
            p95: answers.quantile(0.95)?,
            p99: answers.quantile(0.99)?,
            max: answers.max()?,
        })
    }
}
