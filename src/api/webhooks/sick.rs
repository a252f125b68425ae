//! Which webhooks of an account somebody should look at, the worst first: what is wrong with each, since when, and for how many
//! deliveries. What stays true: counters are read of a bounded number of webhooks, and the reply says if that were not all.

use std::sync::Arc;

use crate::api::Api;
use crate::api::access::auth::Tenant;
use crate::api::http::problem::Problem;
use crate::api::masking::own_url;
use crate::domain::account::Scope;
use crate::domain::tally::Tally;
use crate::domain::time::UnixMs;
use crate::domain::webhook::{Status, Webhook};

/// Webhooks whose counters are read.
pub const EXAMINED_MAX: usize = 2_000;
/// Failures in a row that are worth a look.
const FAILURES_MIN: u64 = 3;

/// What is wrong with a webhook, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ailment {
    /// It is disabled: what it should get is held.
    Disabled,
    /// Its endpoint keeps failing, or is spared.
    Failing,
    /// Its endpoint has not shown that it wants deliveries.
    Unverified,
    /// A person paused it.
    Paused,
}

/// A webhook that somebody should look at.
#[derive(Debug)]
pub struct Sick {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Where its deliveries go, as whoever asks may see it; `None` where they are pulled.
    pub url: Option<String>,
    /// What is wrong.
    pub ailment: Ailment,
    /// Since when, where that is known.
    pub since: Option<UnixMs>,
    /// Why, in words, where somebody said so.
    pub reason: Option<String>,
    /// Failures in a row.
    pub failures: u64,
    /// Until when its endpoint is spared, if it is.
    pub spared_until: Option<UnixMs>,
    /// When one delivery goes out to see whether it is well again, if one does.
    pub probe_at: Option<UnixMs>,
    /// Deliveries that have not ended.
    pub open: u64,
}

/// The webhooks of an account that somebody should look at.
#[derive(Debug)]
pub struct SickList {
    /// The worst of them.
    pub worst: Vec<Sick>,
    /// How many there are.
    pub count: usize,
    /// Webhooks of the account.
    pub of: usize,
    /// Whether all of them were looked at.
    pub is_whole: bool,
}

/// Looks for the `max` worst.
pub fn sick(api: &Api, tenant: &Tenant, max: usize) -> Result<SickList, Problem> {
    let (now, account) = (api.clock.now(), tenant.account().number);
    // What memory knows comes first: it costs nothing.
    let (of, all): (usize, Vec<Arc<Webhook>>) = {
        let registry = api.store.registry();
        let (ill, well) = (registry.webhooks_of_kind(account, false), registry.webhooks_of_kind(account, true).rev());
        (registry.count_of_webhooks(account), ill.chain(well).take(EXAMINED_MAX).collect())
    };
    let is_whole = of <= EXAMINED_MAX;
    let mut found = Vec::new();
    for webhook in all {
        let tally = api.store.tally(webhook.number())?;
        if let Some((ailment, since)) = ailment(&webhook, &tally, now) {
            found.push((ailment, since.unwrap_or(0), webhook, tally));
        }
    }
    found.sort_by_key(|(ailment, since, webhook, _)| (*ailment, *since, webhook.number()));
    let count = found.len();
    let (dialects, may_manage) = (api.dialects.now(), tenant.may(Scope::Manage));
    let worst = found.into_iter().take(max).map(|(ailment, since, webhook, tally)| Sick {
        id: webhook.id.to_string(),
        name: webhook.name.clone(),
        url: webhook.shown_url().map(|url| own_url(&webhook, url, &dialects, may_manage)),
        ailment,
        since: (since > 0).then(|| api.store.shown(since)),
        reason: webhook.status_reason().map(str::to_string),
        failures: tally.consecutive_failures,
        spared_until: spared_until(&tally, now).map(|at| api.store.shown(at)),
        probe_at: webhook.status.probe_at().map(|at| api.store.shown(at)),
        open: tally.open(),
    });
    Ok(SickList { worst: worst.collect(), count, of, is_whole })
}

/// What is wrong with a webhook, and since when.
pub fn ailment(webhook: &Webhook, tally: &Tally, now: UnixMs) -> Option<(Ailment, Option<UnixMs>)> {
    match &webhook.status {
        Status::Disabled { since, .. } => Some((Ailment::Disabled, Some(*since))),
        Status::Paused { since } => Some((Ailment::Paused, Some(*since))),
        Status::Deleted { .. } => None,
        Status::Active if !webhook.is_active() => Some((Ailment::Unverified, Some(webhook.updated_at))),
        Status::Active if tally.consecutive_failures >= FAILURES_MIN || spared_until(tally, now).is_some() => {
            Some((Ailment::Failing, tally.failing_since))
        }
        Status::Active => None,
    }
}

fn spared_until(tally: &Tally, now: UnixMs) -> Option<UnixMs> {
    Some(tally.backoff.until).filter(|until| tally.backoff.step > 0 && *until > now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::backoff::Backoff;
    use crate::domain::webhook::EventFilter;

    const NOW: UnixMs = 1_000_000;

    #[test]
    fn what_is_wrong_is_told_by_status_and_counters() {
        let of = |status: Status, tally: &Tally| {
            let webhook = Webhook { status, ..Webhook::pulled(1, "standard", vec![EventFilter::parse("*").unwrap()]) };
            ailment(&webhook, tally, NOW)
        };
        let well = Tally { consecutive_failures: FAILURES_MIN - 1, failing_since: Some(7), ..Tally::default() };
        let failing = Tally { consecutive_failures: FAILURES_MIN, ..well.clone() };
        let spared = |until| Tally { backoff: Backoff { step: 1, until, ..Backoff::default() }, ..Tally::default() };
        assert_eq!(of(Status::Active, &well), None);
        assert_eq!(of(Status::Active, &failing), Some((Ailment::Failing, Some(7))));
        assert_eq!(of(Status::Active, &spared(NOW + 1)), Some((Ailment::Failing, None)));
        assert_eq!(of(Status::Active, &spared(NOW)), None, "the pause is over");
        assert_eq!(of(Status::Paused { since: 5 }, &well), Some((Ailment::Paused, Some(5))));
        let disabled = Status::Disabled { since: 6, reason: "410".into(), probe_at: None };
        assert_eq!(of(disabled, &failing), Some((Ailment::Disabled, Some(6))));
        assert!(Ailment::Disabled < Ailment::Failing && Ailment::Failing < Ailment::Paused);
    }
}
