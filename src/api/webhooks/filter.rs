//! Which webhooks a list asks for.

use serde::Deserialize;

use crate::api::deliveries::filter::one_of;
use crate::api::openapi::words::WebhookStatus;
use crate::domain::Invalid;
use crate::domain::event::check_type;
use crate::domain::selection::WebhookSelection;
use crate::domain::webhook::SHOWN_STATUSES;

/// Which webhooks to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WebhooksFilter {
    /// Only those with this in their URL, such as its host; upper and lower case are the same.
    pub url: Option<String>,
    /// Only those with this in their name; upper and lower case are the same.
    pub name: Option<String>,
    /// Only those that want events of this type, whatever their `filter` says.
    pub event_type: Option<String>,
    /// Only those whose deliveries go out, or do not, so.
    #[param(value_type = Option<WebhookStatus>)]
    pub status: Option<String>,
    /// Only those of this dialect.
    pub dialect: Option<String>,
    /// Only the one of this own id.
    pub uid: Option<String>,
    /// Only those with this tag.
    pub tag: Option<String>,
    /// Only those of this channel; not those without any.
    pub channel: Option<String>,
}

impl WebhooksFilter {
    /// Reads it.
    pub fn read(self) -> Result<WebhookSelection, Invalid> {
        let checked = self.event_type.as_deref().map_or(Ok(()), check_type);
        checked.map_err(|invalid| Invalid { field: "event_type".into(), ..invalid })?;
        Ok(WebhookSelection {
            url: self.url.map(|text| text.to_lowercase()),
            name: self.name.map(|text| text.to_lowercase()),
            event_type: self.event_type,
            status: one_of("status", self.status, &SHOWN_STATUSES)?,
            dialect: self.dialect,
            uid: self.uid,
            tag: self.tag,
            channel: self.channel,
        })
    }
}
