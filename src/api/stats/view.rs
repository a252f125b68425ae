//! How statistics are shown.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::api::openapi::words::StatsStep;
use crate::domain::latency::Latencies;
use crate::domain::stats::{Counts, Span};
use crate::domain::time::{self, UnixMs};
use crate::store::Stats;

/// What was counted in a span of time.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Stats)]
pub struct StatsView {
    /// When the first point starts.
    #[schema(format = DateTime)]
    pub from: String,
    /// When the last point ends.
    #[schema(format = DateTime)]
    pub to: String,
    /// How long one point is.
    #[schema(value_type = StatsStep)]
    pub step: &'static str,
    /// All points together.
    pub total: CountsView,
    /// What waits now.
    pub queue: QueueView,
    /// One a step, the oldest first.
    pub points: Vec<PointView>,
}

/// What waits now, whatever the span is: held deliveries too.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Queue)]
pub struct QueueView {
    /// When the oldest delivery was made that has not ended; null if there is none.
    #[schema(format = DateTime)]
    pub oldest_open_at: Option<String>,
    /// How long ago that is, in milliseconds.
    pub age_ms: Option<u64>,
}

/// What was counted in one minute, hour or day.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = StatsPoint)]
pub struct PointView {
    /// When it starts.
    #[schema(format = DateTime)]
    pub at: String,
    #[serde(flatten)]
    pub counts: CountsView,
}

/// Counts. An attempt is counted when it is recorded.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Counts)]
pub struct CountsView {
    /// Events: of an account those accepted, of a webhook those that it wanted. Tests included, duplicates not.
    pub accepted: u64,
    /// Deliveries made, replays included.
    pub deliveries: u64,
    /// HTTP requests.
    pub attempts: u64,
    /// Attempts that were a success.
    pub succeeded: u64,
    /// Attempts that were none.
    pub failed: u64,
    /// The same by kind, as in `outcome` of an attempt; kinds that did not occur are left out.
    pub failed_by_kind: BTreeMap<&'static str, u64>,
    /// Attempts after a delivery's first.
    pub retried: u64,
    /// Attempts whose delivery had to wait for its webhook's rate limit.
    pub rate_limited: u64,
    /// Of the attempts that got an answer; null if none did.
    pub response_time_ms: Option<ResponseTimes>,
    /// The greatest age of the oldest open delivery at the end of a minute in which something was counted; null where
    /// nothing was open then.
    pub queue_age_ms: Option<u64>,
}

/// Response times in milliseconds. Average and greatest are exact, the others within 6 %.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ResponseTimes {
    /// The average.
    pub average: f64,
    /// Half took at most this.
    pub p50: u32,
    /// 90 of 100 took at most this.
    pub p90: u32,
    /// 95 of 100 took at most this.
    pub p95: u32,
    /// 99 of 100 took at most this.
    pub p99: u32,
    /// The longest.
    pub max: u32,
}

pub fn view(span: Span, stats: &Stats, now: UnixMs) -> StatsView {
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
    pub fn of(answers: &Latencies) -> Option<Self> {
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
