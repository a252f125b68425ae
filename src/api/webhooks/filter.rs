//! Which webhooks a list asks for.

use serde::Deserialize;

use crate::api::deliveries::filter::one_of;
use crate::api::openapi::words::WebhookStatus;
use crate::domain::Invalid;
use crate::domain::event::check_type;
use crate::domain::selection::WebhookSelection;
use crate::domain::webhook::{SHOWN_STATUSES, Webhook};

/// Which webhooks to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WebhooksFilter {
    /// Only those with this in their name, their URL, your own id or ours; upper and lower case are the same.
    pub text: Option<String>,
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

/// Which webhooks, read.
#[derive(Debug, Clone, Default)]
pub struct Sought {
    selection: WebhookSelection,
    /// In lower case.
    text: Option<String>,
}

impl Sought {
    /// Whether a webhook is among them, of which whoever asks sees this URL.
    pub fn wants(&self, webhook: &Webhook, url: Option<&str>) -> bool {
        let has = |text: &str, place: &str| place.to_lowercase().contains(text);
        let is_found = |text: &String| {
            let id = webhook.id.to_string();
            let places = [webhook.name.as_deref(), url, webhook.uid.as_deref(), Some(id.as_str())];
            places.into_iter().flatten().any(|place| has(text, place))
        };
        self.selection.wants(webhook, url) && self.text.as_ref().is_none_or(is_found)
    }
}

impl WebhooksFilter {
    /// Reads it.
    pub fn read(mut self) -> Result<Sought, Invalid> {
        let text = self.text.take().map(|text| text.to_lowercase());
        Ok(Sought { selection: self.selection()?, text })
    }

    /// Reads all but `text`.
    pub fn selection(self) -> Result<WebhookSelection, Invalid> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::endpoint::EndpointUrl;
    use crate::domain::webhook::EventFilter;

    #[test]
    fn a_text_is_sought_wherever_people_would_look_for_it() {
        let url = EndpointUrl::parse("https://api.example.com/Hook", false).expect("a URL");
        let mut webhook = Webhook::new(1, "standard", url, vec![EventFilter::All]);
        (webhook.name, webhook.uid) = (Some("Acme production".into()), Some("crm-7".into()));
        let shown = "https://api.example.com/Hook";
        let finds = |text: &str| {
            let filter = WebhooksFilter { text: Some(text.into()), ..WebhooksFilter::default() };
            filter.read().expect("a filter").wants(&webhook, Some(shown))
        };
        assert!(["ACME", "/hook", "CRM-", "00000000-0000"].into_iter().all(finds));
        assert!(!finds("globex"));
        let both =
            WebhooksFilter { text: Some("acme".into()), status: Some("paused".into()), ..WebhooksFilter::default() };
        assert!(!both.read().expect("a filter").wants(&webhook, Some(shown)), "all that is said must hold");
    }
}
