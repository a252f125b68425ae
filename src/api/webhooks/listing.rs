//! The webhooks of an account in a list: a page of them by their ids, how many there are, or the sick ones first. What stays true:
//! all of these look for the same webhooks, as whoever asks sees them, and look at a bounded number of them.

use std::cmp::Reverse;
use std::sync::Arc;

use super::filter::Sought;
use super::reach::reach;
use super::view::{WebhookView, view, views};
use crate::api::Api;
use crate::api::access::auth::Tenant;
use crate::api::http::page::{Listed, RowCount, Window};
use crate::api::http::problem::Problem;
use crate::api::masking::own_url;
use crate::domain::account::Scope;
use crate::domain::id::WebhookId;
use crate::domain::tally::Tally;
use crate::domain::webhook::{Status, Webhook};
use crate::store::{PAGE_ROWS_EXAMINED_MAX, Page};

/// Webhooks, the newest, of which the sick ones are sought: the counters of each are read.
pub const SICK_EXAMINED_MAX: usize = 2_000;

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
    let page = found(api, tenant, sought, Window::newest(SICK_EXAMINED_MAX));
    let mut all = Vec::with_capacity(page.rows.len());
    for webhook in page.rows {
        let tally = api.store.tally(webhook.number())?;
        all.push((sickness(&webhook, &tally), webhook, tally));
    }
    all.sort_by_key(|(sickness, ..)| Reverse(*sickness));
    all.truncate(limit);
    let by = reach(api, tenant).onlooker();
    let shown =
        |(_, webhook, tally): &(Sickness, Arc<Webhook>, Tally)| view(webhook, &by, tally, |at| api.store.shown(at));
    Ok((all.iter().map(shown).collect(), page.next.is_some()))
}

fn found(api: &Api, tenant: &Tenant, sought: &Sought, window: Window) -> Page<Arc<Webhook>, WebhookId> {
    let (dialects, may_manage) = (api.dialects.now(), tenant.may(Scope::Manage));
    reach(api, tenant).list(window, |webhook| {
        let url = webhook.shown_url().map(|url| own_url(webhook, url, &dialects, may_manage));
        sought.wants(webhook, url.as_deref())
    })
}

/// How sick one is: what it is, and how many attempts failed in a row.
type Sickness = (u8, u64);

fn sickness(webhook: &Webhook, tally: &Tally) -> Sickness {
    let rank = match &webhook.status {
        Status::Disabled { .. } => 4,
        Status::Active if !webhook.ownership.is_settled() => 3,
        Status::Active if tally.consecutive_failures > 0 => 2,
        Status::Paused { .. } => 1,
        Status::Active | Status::Deleted { .. } => 0,
    };
    (rank, tally.consecutive_failures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::endpoint::EndpointUrl;
    use crate::domain::webhook::{EventFilter, Ownership};

    #[test]
    fn what_delivers_nothing_is_sicker_than_what_fails_and_that_than_what_is_held_on_purpose() {
        let url = EndpointUrl::parse("https://example.com/", false).expect("a URL");
        let well = Webhook::new(1, "standard", url, vec![EventFilter::All]);
        let with = |status| Webhook { status, ..well.clone() };
        let fails = |times| Tally { consecutive_failures: times, ..Tally::default() };
        let disabled = with(Status::Disabled { since: 0, reason: "it failed".into(), probe_at: None });
        let unverified = Webhook { ownership: Ownership::Never { reason: "no answer".into() }, ..well.clone() };
        let all = [
            sickness(&disabled, &fails(0)),
            sickness(&unverified, &fails(0)),
            sickness(&well, &fails(9)),
            sickness(&well, &fails(1)),
            sickness(&with(Status::Paused { since: 0 }), &fails(0)),
            sickness(&well, &fails(0)),
        ];
        assert!(all.is_sorted_by(|a, b| a > b), "{all:?}");
    }
}
