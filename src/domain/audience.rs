//! Why a webhook did not get an event, as far as that can be told from how both are now. Pure.

use super::id::EventId;
use super::labels;
use super::webhook::{Deaf, Webhook};
use super::words::words;

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was deleted.
    Deleted,
    /// It is for notices.
    Notices,
    /// It hears test events only.
    TestMode,
    /// The event is a test event, and it is not in test mode.
    TestEvent,
    /// Its endpoint has never passed the ownership check.
    Unverified,
    /// The event is a notice of the server's, and it does not hear those.
    NoticeEvent,
    /// It is newer than the event.
    MadeLater,
    /// It does not want events of this type.
    Type,
    /// It and the event share no channel.
    Channels,
    /// Its filter does not hold for the event.
    Filter,
    /// Nobody knows: to ask its filter takes longer than it may.
    FilterTooCostly,
    /// Nobody knows any more: the event's payload is gone, so its filter cannot be asked.
    Purged,
    /// It was left in peace for a while.
    Quiet,
    /// It would get the event now: it was changed since.
    Changed,
}

words!(Why {
    Self::Deleted => "deleted",
    Self::Notices => "notices",
    Self::TestMode => "test_mode",
    Self::TestEvent => "test_event",
    Self::Unverified => "unverified",
    Self::NoticeEvent => "notice_event",
    Self::MadeLater => "made_later",
    Self::Type => "type",
    Self::Channels => "channels",
    Self::Filter => "filter",
    Self::FilterTooCostly => "filter_too_costly",
    Self::Purged => "purged",
    Self::Quiet => "quiet",
    Self::Changed => "changed",
});

impl From<Deaf> for Why {
    fn from(deaf: Deaf) -> Self {
        match deaf {
            Deaf::Deleted => Self::Deleted,
            Deaf::Notices => Self::Notices,
            Deaf::TestMode => Self::TestMode,
            Deaf::TestEvent => Self::TestEvent,
            Deaf::Unverified => Self::Unverified,
        }
    }
}

/// What decides of an event who gets it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Its id, and so when it was accepted.
    pub id: EventId,
    /// Its type.
    pub event_type: &'a str,
    /// Its channels.
    pub channels: &'a [String],
    /// Whether it is a test event.
    pub test: bool,
    /// Whether it is a notice of the server's.
    pub notice: bool,
}

/// What a webhook's filter says of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filtered {
    /// There is none, or it holds.
    Holds,
    /// It does not.
    HoldsNot,
    /// To ask takes too long.
    TooCostly,
    /// There is nothing any more that it could be asked about.
    Gone,
}

/// Why this webhook did not get that event; its filter is asked last, and only where nothing else says it.
pub fn why_not(webhook: &Webhook, event: Facts<'_>, filter: impl FnOnce() -> Filtered) -> Why {
    let is_for_it = event.notice && webhook.notices.is_some();
    let deaf = webhook.deaf_to(event.test).filter(|deaf| !(is_for_it && *deaf == Deaf::Notices));
    if webhook.id.0 > event.id.0 {
        return Why::MadeLater;
    }
    if event.notice && !is_for_it {
        return Why::NoticeEvent;
    }
    if let Some(deaf) = deaf {
        return deaf.into();
    }
    if !webhook.wants(event.event_type) {
        return Why::Type;
    }
    if !labels::hears(&webhook.channels, event.channels) {
        return Why::Channels;
    }
    match filter() {
        Filtered::HoldsNot => Why::Filter,
        Filtered::TooCostly => Why::FilterTooCostly,
        Filtered::Gone => Why::Purged,
        Filtered::Holds if is_for_it => Why::Quiet,
        Filtered::Holds => Why::Changed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::endpoint::EndpointUrl;
    use crate::domain::id::WebhookId;
    use crate::domain::webhook::EventFilter;

    #[test]
    fn the_first_reason_is_told() {
        let url = EndpointUrl::parse("https://example.com/", false).unwrap();
        let filters = vec![EventFilter::parse("task.*").unwrap()];
        let webhook = Webhook { id: WebhookId(5 << 80), ..Webhook::new(1, "standard", url, filters) };
        let facts = |event_type, test| Facts { id: EventId(9 << 80), event_type, channels: &[], test, notice: false };
        let why = |webhook: &Webhook, facts, filtered| why_not(webhook, facts, || filtered);
        let done = facts("task.done", false);
        assert_eq!(why(&webhook, facts("order.paid", false), Filtered::HoldsNot), Why::Type);
        assert_eq!(why(&webhook, facts("task.done", true), Filtered::Holds), Why::TestEvent);
        let answers = [Filtered::HoldsNot, Filtered::TooCostly, Filtered::Gone, Filtered::Holds];
        let told = answers.map(|filtered| why(&webhook, done, filtered));
        assert_eq!(told, [Why::Filter, Why::FilterTooCostly, Why::Purged, Why::Changed]);
        assert_eq!(why(&webhook, Facts { notice: true, ..done }, Filtered::Holds), Why::NoticeEvent);
        let younger = Webhook { id: WebhookId(10 << 80), ..webhook.clone() };
        assert_eq!(why(&younger, facts("order.paid", false), Filtered::Holds), Why::MadeLater);
        let other = Webhook { channels: vec!["b".into()], ..webhook };
        let of_a = ["a".to_string()];
        assert_eq!(why(&other, Facts { channels: &of_a, ..done }, Filtered::Holds), Why::Channels);
    }
}
