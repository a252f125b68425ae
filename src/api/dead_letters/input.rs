//! Which dead letters are asked for.

use serde::Deserialize;

use crate::api::Api;
use crate::api::http::problem::Problem;
use crate::domain::Invalid;
use crate::domain::id::{AccountNumber, DeliveryId};
use crate::domain::job::IDS_MAX;

/// Which dead letters to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeadLettersFilter {
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
        let owner = api.store.registry().account_of_webhook(id.webhook());
        if owner != Some(account) || api.store.delivery(id)?.is_none() {
            return Err(missing());
        }
        found.push(id);
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
