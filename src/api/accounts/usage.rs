//! What an account has used of what it may have.

use actix_web::{HttpResponse, get, web};
use serde::Serialize;

use super::operations::existing;
use crate::api::Api;
use crate::api::access::auth::{May, Read, Tenant};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::domain::account::Account;
use crate::domain::event_type::ACCOUNT_BYTES_MAX;
use crate::domain::time::{self, DAY_MS, UnixMs};

/// What an account has used of each quota.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Usage)]
pub struct UsageView {
    /// The account.
    pub account: String,
    /// Events of the last second.
    pub events_per_second: Used,
    /// New events of the day, UTC.
    pub events_per_day: Used,
    /// When that day ends, and the count begins again.
    #[schema(format = DateTime)]
    pub day_ends_at: String,
    /// Webhooks, without deleted ones.
    pub webhooks: Used,
    /// API keys, expired ones included.
    pub keys: Used,
    /// Event types of its own, retired ones included.
    pub event_types: Used,
    /// Bytes of their names, descriptions, samples and schemas.
    pub event_type_bytes: Used,
    /// Bytes of events, ended deliveries and attempts.
    pub kept_bytes: Used,
    /// The age of the oldest event in days, begun ones included; 0 without any event.
    pub kept_days: Used,
}

/// How much of a quota is used.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Used {
    /// So much; null where nobody counts, since there is no limit.
    #[schema(example = 1200)]
    pub used: Option<u64>,
    /// What the account may have; null: any number, or for ever.
    #[schema(example = 10_000)]
    pub limit: Option<u64>,
}

impl Used {
    fn of(used: impl Into<Option<u64>>, limit: u64) -> Self {
        Self { used: used.into(), limit: (limit > 0).then_some(limit) }
    }
}

/// Show what an account has used of what it may have
///
/// An admin's key may ask for any account, another only for its own. What is used up is refused: a further webhook, key or event
/// type with 409, further events with 429 and the time to come back. Of what is kept beyond its limits, the oldest goes.
#[utoipa::path(
    operation_id = "accounts.usage.get", security(("key" = ["read"])),
    params(("id" = String, Path)),
    responses((status = 200, description = "What is used of each quota, and its limit", body = Reply<UsageView>))
)]
#[get("/api/v1/accounts/{id}/usage")]
pub async fn show(tenant: May<Read>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let account = asked_for(&api, &tenant, &id)?;
    Ok(Reply::ok(usage(&api, account).await?))
}

/// What an account has used.
pub async fn usage(api: &web::Data<Api>, account: Account) -> Result<UsageView, Problem> {
    let (store, number) = (api.store.clone(), account.number);
    let (now, keeping) = (api.clock.now(), api.store.keeping());
    let stored = api.read(number, move || store.usage(number, now)).await??;
    let [webhooks, keys, event_types, event_type_bytes] = {
        let registry = api.store.registry();
        [
            registry.count_of_webhooks(number),
            registry.count_of_keys(number),
            registry.event_types_of(number).len(),
            registry.event_type_bytes_of(number),
        ]
        .map(|used| used as u64)
    };
    let quotas = api.settings().quotas.of(&account);
    let events = api.events_of_accounts.spent(number, quotas.events_per_second, now);
    Ok(UsageView {
        account: account.id,
        events_per_second: Used::of(events.map(u64::from), quotas.events_per_second.into()),
        events_per_day: Used::of(stored.events_today, quotas.events_per_day),
        day_ends_at: time::rfc3339(stored.day_ends_at),
        webhooks: Used::of(webhooks, quotas.webhooks_max as u64),
        keys: Used::of(keys, quotas.keys_max as u64),
        event_types: Used::of(event_types, quotas.event_types_max as u64),
        event_type_bytes: Used::of(event_type_bytes, ACCOUNT_BYTES_MAX as u64),
        kept_bytes: Used::of(stored.kept_bytes, quotas.kept_bytes_max),
        kept_days: Used::of(days(stored.oldest_event_at, keeping), quotas.kept_days_max),
    })
}

/// The account, if it is one of those that the key may ask for.
fn asked_for(api: &Api, tenant: &Tenant, id: &str) -> Result<Account, Problem> {
    if tenant.is_admin() {
        return existing(api, id);
    }
    let own = tenant.account();
    if own.id == id { Ok(own.clone()) } else { Err(Problem::not_found("account")) }
}

fn days(oldest: Option<UnixMs>, now: UnixMs) -> u64 {
    oldest.map_or(0, |at| now.saturating_sub(at) / DAY_MS + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_has_begun_counts() {
        let ages = [None, Some(5), Some(5 + DAY_MS), Some(6 + DAY_MS), Some(9 * DAY_MS)];
        assert_eq!(ages.map(|oldest| days(oldest, 5 + DAY_MS)), [0, 2, 1, 1, 1]);
    }
}
