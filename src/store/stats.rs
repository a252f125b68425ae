//! Reading statistics: the rows of a span, and the minutes that are not over on top.

use std::collections::BTreeMap;

use super::error::StoreError;
use super::handle::Store;
use super::layout::{self, Tree};
use super::rows::{self, account_tally, oldest_open};
use super::trees::Trees;
use crate::domain::id::{AccountNumber, WebhookNumber};
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

/// Minutes that are not over, or were not followed by another yet.
struct Current {
    minutes: Vec<Minute>,
    oldest_open_at: Option<UnixMs>,
}

impl Current {
    fn starts(&self) -> impl Iterator<Item = UnixMs> {
        self.minutes.iter().map(|minute| minute.start)
    }
}

impl Store {
    /// What was counted in the span. `now` is for the age of what waits.
    pub fn stats(&self, series: Series, span: Span, now: UnixMs) -> Result<Stats, StoreError> {
        let webhooks = match series {
            Series::Webhook(number) => vec![number],
            Series::Account(account) => self.webhooks_ever(account),
        };
        self.look(|trees| {
            let mut current = current(trees, series, &webhooks, now)?;
            let mut points = rows(trees, series, span)?;
            for _ in 1..LOOKS_MAX {
                // A minute that became rows meanwhile was seen twice or not at all.
                let again = self::current(trees, series, &webhooks, now)?;
                if again.starts().eq(current.starts()) {
                    break;
                }
                (current, points) = (again, rows(trees, series, span)?);
            }
            for minute in current.minutes {
                if let Some(point) = span.point_of(minute.start) {
                    points.entry(point).or_default().merge(&minute.counts);
                }
            }
            Ok(Stats { points, oldest_open_at: current.oldest_open_at })
        })
    }

    /// The account's webhooks, those included that were deleted.
    fn webhooks_ever(&self, account: AccountNumber) -> Vec<WebhookNumber> {
        let registry = self.registry();
        registry.webhooks().filter(|webhook| webhook.account == account).map(|webhook| webhook.number()).collect()
    }
}

fn current(trees: &Trees, series: Series, webhooks: &[WebhookNumber], now: UnixMs) -> Result<Current, StoreError> {
    let mut current = Current { minutes: Vec::new(), oldest_open_at: None };
    for number in webhooks {
        let mut minute = trees.readable(rows::tally(trees, *number))?.unwrap_or_default().minute;
        let oldest = oldest_open(trees, *number)?;
        current.oldest_open_at = current.oldest_open_at.into_iter().chain(oldest).min();
        if !minute.is_empty() {
            minute.counts.queue_age_ms = oldest.and_then(|at| minute.end().min(now).checked_sub(at));
            if matches!(series, Series::Account(_)) {
                minute.counts.accepted = 0;
            }
            current.minutes.push(minute);
        }
    }
    if let Series::Account(account) = series {
        current.minutes.extend(
            trees
                .readable(account_tally(trees, account))?
                .map(|tally| tally.minute)
                .filter(|minute| !minute.is_empty()),
        );
    }
    Ok(current)
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
