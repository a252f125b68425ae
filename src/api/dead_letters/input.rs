//! Which dead letters are asked for.

use serde::Deserialize;

use crate::api::Api;
use crate::api::access::auth::Tenant;
use crate::api::http::problem::Problem;
use crate::domain::Invalid;
use crate::domain::id::{AccountNumber, DeliveryId, WebhookId, WebhookNumber};
use crate::domain::job::IDS_MAX;

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeadLettersQuery {
    /// Only those of this webhook, by its id or its own id.
    pub webhook: Option<String>,
    /// Only this type, or those that a filter such as `task.*` lets through.
    pub event_type: Option<String>,
    /// Only deliveries made at this time (RFC 3339) or later.
    #[param(format = DateTime)]
    pub from: Option<String>,
    /// Only deliveries made before this time (RFC 3339).
    #[param(format = DateTime)]
    pub to: Option<String>,
    /// Rows, 1 to 250; 50 if left out.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 250, default = 50)]
    pub limit: Option<String>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Which dead letters: those that are named, or those that the other fields select; all without any.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeadLettersSelect)]
pub struct DeadLettersInput {
    /// Delivery ids, 1 to 1000; not together with a filter.
    #[serde(default)]
    pub ids: Option<Vec<String>>,
    /// Only those of this webhook, by its id or its own id.
    #[serde(default)]
    pub webhook: Option<String>,
    /// Only this type, or those that a filter such as `task.*` lets through.
    #[serde(default)]
    pub event_type: Option<String>,
    /// Only deliveries made at this time or later.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub from: Option<String>,
    /// Only deliveries made before this time.
    #[serde(default)]
    #[schema(format = DateTime)]
    pub to: Option<String>,
    /// Count, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// The webhook of this id in the account, ours or its own. A deleted one still has dead letters, and ours alone.
pub fn webhook_number(api: &Api, tenant: &Tenant, id: &str) -> Result<WebhookNumber, Problem> {
    let (registry, account) = (api.store.registry(), tenant.account().number);
    let found = match WebhookId::parse(id) {
        Some(id) => registry.webhook(id.number()).filter(|webhook| webhook.id == id && webhook.account == account),
        None => registry.webhook_of_uid(account, id),
    };
    let found = found.map(|webhook| webhook.number());
    found.ok_or_else(|| Problem::not_found("webhook").with_field("webhook"))
}

/// The deliveries of these ids, ascending, each once. They are the account's; whether they are dead letters is seen when
/// their turn comes.
pub fn deliveries(api: &Api, account: AccountNumber, ids: &[String]) -> Result<Vec<DeliveryId>, Problem> {
    if ids.is_empty() || ids.len() > IDS_MAX {
        return Err(Invalid::new("ids", format!("must be 1 to {IDS_MAX} delivery ids")).into());
    }
    let mut found = Vec::with_capacity(ids.len());
    for (index, text) in ids.iter().enumerate() {
        let missing = || Problem::not_found("delivery").with_field(format!("ids[{index}]"));
        let id = DeliveryId::parse(text).ok_or_else(missing)?;
        let owner = api.store.registry().webhook(id.webhook()).map(|webhook| webhook.account);
        if owner != Some(account) || api.store.delivery(id)?.is_none() {
            return Err(missing());
        }
        found.push(id);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
