//! The webhooks of an account in a list: a page of them by their ids, how many there are, or the sick ones first. What stays true:
//! all of these look for the same webhooks, as whoever asks sees them, and look at a bounded number of them.

use std::sync::Arc;

use super::filter::Sought;
use super::reach::reach;
use super::sick::{Ailment, EXAMINED_MAX, ailment};
use super::view::{WebhookView, view, views};
use crate::api::Api;
use crate::api::access::auth::Tenant;
use crate::api::http::page::{Listed, RowCount, Window};
use crate::api::http::problem::Problem;
use crate::api::masking::own_url;
use crate::domain::account::Scope;
use crate::domain::id::WebhookId;
use crate::domain::tally::Tally;
use crate::domain::time::UnixMs;
use crate::domain::webhook::Webhook;
use crate::store::{PAGE_ROWS_EXAMINED_MAX, Page};

/// A page of those that are sought.
pub fn page(api: &Api, tenant: &Tenant, sought: &Sought, window: Window) -> Result<Listed<WebhookView>, Problem> {
    let listed = Listed::from(found(api, tenant, sought, window));
    let rows = views(&api.store, &reach(api, tenant).onlooker(), &listed.rows)?;
    Ok(Listed { rows, next: listed.next })
}

/// How many are sought.
pub fn count(api: &Api, tenant: &Tenant, sought: &Sought) -> RowCount {
    let page = found(api, tenant, sought, Window::newest(PAGE_ROWS_EXAMINED_MAX));
    RowCount { at_least: page.rows.len(), exact: page.next.is_none() }
}

/// Of the newest that are sought, the sickest first, `limit` of them at most; and whether there are more than were looked at.
/// Those that are well come last, the newest first.
pub fn sickest(api: &Api, tenant: &Tenant, sought: &Sought, limit: usize) -> Result<(Vec<WebhookView>, bool), Problem> {
    let page = found(api, tenant, sought, Window::newest(EXAMINED_MAX));
    let now = api.clock.now();
    let mut all = Vec::with_capacity(page.rows.len());
    for webhook in page.rows {
        let tally = api.store.tally(webhook.number())?;
        all.push((place(&webhook, &tally, now), webhook, tally));
    }
    all.sort_by_key(|(place, ..)| *place);
    all.truncate(limit);
    let by = reach(api, tenant).onlooker();
    let shown =
        |(_, webhook, tally): &(Place, Arc<Webhook>, Tally)| view(webhook, &by, tally, |at| api.store.shown(at));
    Ok((all.iter().map(shown).collect(), page.next.is_some()))
}

fn found(api: &Api, tenant: &Tenant, sought: &Sought, window: Window) -> Page<Arc<Webhook>, WebhookId> {
    let (dialects, may_manage) = (api.dialects.now(), tenant.may(Scope::Manage));
    reach(api, tenant).list(window, |webhook| {
        let url = webhook.shown_url().map(|url| own_url(webhook, url, &dialects, may_manage));
        sought.wants(webhook, url.as_deref())
    })
}

/// Where one stands: those that are well come behind all others.
type Place = (bool, Option<Ailment>, UnixMs);

fn place(webhook: &Webhook, tally: &Tally, now: UnixMs) -> Place {
    match ailment(webhook, tally, now) {
        Some((ailment, since)) => (false, Some(ailment), since.unwrap_or(0)),
        None => (true, None, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::webhook::{EventFilter, Status};

    #[test]
    fn the_sickest_come_first_then_those_that_are_so_for_longer_and_those_that_are_well_last() {
        let well = Webhook::pulled(1, "standard", vec![EventFilter::All]);
        let with = |status| Webhook { status, ..well.clone() };
        let disabled = |since| with(Status::Disabled { since, reason: "it failed".into(), probe_at: None });
        let failing = Tally { consecutive_failures: 9, failing_since: Some(1), ..Tally::default() };
        let none = Tally::default();
        let all = [
            place(&disabled(5), &none, 10),
            place(&disabled(6), &none, 10),
            place(&well, &failing, 10),
            place(&with(Status::Paused { since: 1 }), &none, 10),
            place(&well, &none, 10),
        ];
        assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
    }
}
