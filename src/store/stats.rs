//! Reading statistics: the rows of a span, and the minutes that are not over on top.

use std::collections::BTreeMap;

use super::error::StoreError;
use super::handle::Store;
use super::layout::{self, Tree};
use super::rows::{self, account_tally, oldest_open};
use super::trees::Trees;
use crate::domain::id::WebhookNumber;
use crate::domain::stats::{Counts, Minute, Series, Span};
use crate::domain::time::UnixMs;

/// Looks at a span while minutes go over. After so many it is taken as it is.
const LOOKS_MAX: usize = 4;

/// What was counted in a span.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// What was counted in each point, by its start; those in which nothing was are left out.
    pub points: BTreeMap<UnixMs, Counts>,
    /// When the oldest delivery was made that is open now.
    pub oldest_open_at: Option<UnixMs>,
}

impl Store {
    /// What was counted in the span. `now` is for the age of what waits.
    pub fn stats(&self, series: Series, span: Span, now: UnixMs) -> Result<Stats, StoreError> {
        let webhooks = match series {
            Series::Webhook(number) => vec![number],
            Series::Account(account) => self.registry().webhooks_ever_of(account).collect(),
        };
        self.look(|trees| {
            let mut minutes = minutes(trees, series, &webhooks)?;
            let mut points = rows(trees, series, span)?;
            for _ in 1..LOOKS_MAX {
                // A minute that became rows meanwhile was seen twice or not at all.
                let again = self::minutes(trees, series, &webhooks)?;
                if starts(&again).eq(starts(&minutes)) {
                    break;
                }
                (minutes, points) = (again, rows(trees, series, span)?);
            }
            let waiting = Waiting::of(trees, &webhooks)?;
            for (webhook, mut minute) in minutes {
                if let Some(point) = span.point_of(minute.start) {
                    let oldest = webhook.and_then(|number| waiting.since(number));
                    minute.counts.queue_age_ms = oldest.and_then(|at| minute.end().min(now).checked_sub(at));
                    points.entry(point).or_default().merge(&minute.counts);
                }
            }
            Ok(Stats { points, oldest_open_at: waiting.oldest() })
        })
    }
}

/// Minutes that are not over, or were not followed by another yet: of webhooks, and what the account counts itself.
type Minutes = Vec<(Option<WebhookNumber>, Minute)>;

fn minutes(trees: &Trees, series: Series, webhooks: &[WebhookNumber]) -> Result<Minutes, StoreError> {
    let mut minutes = Vec::new();
    for number in webhooks {
        let mut minute = trees.readable(rows::tally(trees, *number))?.unwrap_or_default().minute;
        if minute.is_empty() {
            continue;
        }
        if matches!(series, Series::Account(_)) {
            minute.counts.accepted = 0;
        }
        minutes.push((Some(*number), minute));
    }
    if let Series::Account(account) = series {
        let own = trees.readable(account_tally(trees, account))?.map(|tally| tally.minute);
        minutes.extend(own.filter(|minute| !minute.is_empty()).map(|minute| (None, minute)));
    }
    Ok(minutes)
}

fn starts(minutes: &Minutes) -> impl Iterator<Item = UnixMs> {
    minutes.iter().map(|(_, minute)| minute.start)
}

/// When the oldest open delivery of each webhook was made, of those that have one.
struct Waiting(BTreeMap<WebhookNumber, UnixMs>);

impl Waiting {
    fn of(trees: &Trees, webhooks: &[WebhookNumber]) -> Result<Self, StoreError> {
        let since = webhooks.iter().map(|number| Ok(oldest_open(trees, *number)?.map(|at| (*number, at))));
        since.filter_map(Result::transpose).collect::<Result<_, _>>().map(Self)
    }

    fn since(&self, webhook: WebhookNumber) -> Option<UnixMs> {
        self.0.get(&webhook).copied()
    }

    fn oldest(&self) -> Option<UnixMs> {
        self.0.values().min().copied()
    }
}

fn rows(trees: &Trees, series: Series, span: Span) -> Result<BTreeMap<UnixMs, Counts>, StoreError> {
    fail::fail_point!("store.stats");
    let Span { step, from, to } = span;
    let range = layout::stats(series, step, from)..layout::stats(series, step, to);
    let rows = trees.range(Tree::Stats, range).map(|row| {
        trees.readable(row.and_then(|(key, value)| Ok((layout::read_stats(&key).2, rows::counts(&key, &value)?))))
    });
    rows.filter_map(Result::transpose).collect()
}
