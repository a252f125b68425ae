//! Which webhooks a list or a bulk call is about. What stays true: both ask here, so what a list shows for a filter is what a
//! bulk call does something with.

use serde::{Deserialize, Serialize};

use super::webhook::Webhook;

/// Which webhooks: those of which all holds that is said here. It is a part of stored jobs, so it does not grow: a further
/// filter would be a further kind of source there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookSelection {
    /// What stands in their URL, in lower case.
    pub url: Option<String>,
    /// What stands in their name, in lower case.
    pub name: Option<String>,
    /// A type of events that they want.
    pub event_type: Option<String>,
    /// The word for their status.
    pub status: Option<String>,
    /// Their dialect.
    pub dialect: Option<String>,
    /// Their own id.
    pub uid: Option<String>,
    /// A tag that they have.
    pub tag: Option<String>,
    /// A channel that they have.
    pub channel: Option<String>,
}

impl WebhookSelection {
    /// Whether it lets every webhook through.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// What is said in it, by its names in the API.
    pub fn said(&self) -> Vec<&'static str> {
        let Self { url, name, event_type, status, dialect, uid, tag, channel } = self;
        let all = [
            ("url", url),
            ("name", name),
            ("event_type", event_type),
            ("status", status),
            ("dialect", dialect),
            ("uid", uid),
            ("tag", tag),
            ("channel", channel),
        ];
        all.into_iter().filter(|(_, said)| said.is_some()).map(|(name, _)| name).collect()
    }

    /// Whether a webhook is among them, of which whoever asks sees this URL: what is not shown is not sought by either.
    pub fn wants(&self, webhook: &Webhook, url: Option<&str>) -> bool {
        let has = |wanted: &Option<String>, text: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| text.is_some_and(|text| text.to_lowercase().contains(wanted)))
        };
        has(&self.url, url)
            && has(&self.name, webhook.name.as_deref())
            && self.event_type.as_ref().is_none_or(|event_type| webhook.wants(event_type))
            && self.status.as_ref().is_none_or(|status| webhook.status_word() == status)
            && self.dialect.as_ref().is_none_or(|dialect| webhook.dialect == *dialect)
            && self.uid.as_ref().is_none_or(|uid| webhook.uid.as_ref() == Some(uid))
            && self.tag.as_ref().is_none_or(|tag| webhook.tags.contains(tag))
            && self.channel.as_ref().is_none_or(|channel| webhook.channels.contains(channel))
    }
}
