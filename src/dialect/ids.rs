//! How a dialect spells ids, as its file says it. What stays true: an id can be read back, and may stand in headers and paths.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::Dialect;
use super::native::Ids;
use crate::domain::Invalid;
use crate::domain::id::IdForm;

/// What ids begin with: up to 32 of `A-Z a-z 0-9 _`, the last one `_`; the digits of a UUID follow. `""` is a plain UUID.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Prefixes {
    /// Of webhooks.
    #[schemars(regex(pattern = ID_PREFIX), example = &"wh_")]
    webhook: String,
    /// Of events; a producer's own id is shown as it is.
    #[schemars(regex(pattern = ID_PREFIX), example = &"evt_")]
    event: String,
    /// Of deliveries.
    #[schemars(regex(pattern = ID_PREFIX), example = &"del_")]
    delivery: String,
}

/// What [`Dialect::check_ids`] lets through.
const ID_PREFIX: &str = "^([A-Za-z0-9_]{1,31}_)?$";

/// Reads them.
pub(super) fn ids<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ids, D::Error> {
    let form = |prefix: String| IdForm { prefix };
    let Prefixes { webhook, event, delivery } = Prefixes::deserialize(deserializer)?;
    Ok(Ids { webhook: form(webhook), event: form(event), delivery: form(delivery) })
}

impl Dialect {
    /// A prefix must let ids be read back, and end up in headers and paths.
    pub(super) fn check_ids(&self) -> Result<(), Invalid> {
        let Ids { webhook, event, delivery } = &self.ids;
        for (key, form) in [("webhook", webhook), ("event", event), ("delivery", delivery)] {
            let stem = form.prefix.strip_suffix('_').unwrap_or_default();
            let fits = !stem.is_empty() && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !form.prefix.is_empty() && (!fits || stem.len() > 31) {
                let message = "must be up to 32 of A-Z a-z 0-9 _ and end in _, such as \"wh_\"; \"\" is a plain UUID";
                return Err(Invalid::new(format!("ids.{key}"), message));
            }
        }
        Ok(())
    }
}
