//! Headers and URLs as they are shown. What stays true: the value of one that lets its holder in is shown to nobody who may not change
//! it; that it is sent, and under which name, is.

use std::collections::BTreeMap;

use actix_web::http::header::HeaderName;

use crate::dialect::{Dialect, Dialects};
use crate::domain::endpoint::{MASK, is_credential, place_of};
use crate::domain::sent_headers::SentHeaders;
use crate::domain::webhook::Webhook;

/// Headers by their names; null in place of a value that is not to be seen.
pub type Shown = BTreeMap<String, Option<String>>;

/// A webhook's own headers.
pub fn own_headers(headers: &[(String, String)], may_manage: bool) -> Shown {
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    shown(headers, may_manage, is_credential)
}

/// A URL of a webhook, as it is or was. It may be a secret: a contract says so, who hears notices may be a chat, whose incoming
/// webhooks have such URLs, and of a contract that is gone nobody knows.
pub fn own_url(webhook: &Webhook, url: &str, dialects: &Dialects, may_manage: bool) -> String {
    let is_secret = || dialects.get(&webhook.dialect).is_none_or(|dialect| dialect.url_is_secret);
    if !may_manage && (webhook.notices.is_some() || is_secret()) { place_of(url) } else { url.to_string() }
}

/// The headers of an attempt; `dialect` is that of its webhook, and may show a secret in a header of any name.
pub fn sent_headers(headers: &SentHeaders, dialect: Option<&Dialect>, may_manage: bool) -> Shown {
    let shows_secret = |name: &str| {
        let name = name.parse::<HeaderName>().ok();
        name.zip(dialect).is_some_and(|(name, dialect)| dialect.shows_secret(&name))
    };
    shown(headers.iter(), may_manage, |name| is_credential(name) || shows_secret(name))
}

fn shown<'h>(
    headers: impl Iterator<Item = (&'h str, &'h str)>,
    may_manage: bool,
    is_secret: impl Fn(&str) -> bool,
) -> Shown {
    // What an attempt did not keep is a secret whatever its name: a webhook's `auth` can set any.
    let value =
        |name: &str, value: &str| (may_manage || (value != MASK && !is_secret(name))).then(|| value.to_string());
    headers.map(|(name, text)| (name.to_string(), value(name, text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::endpoint::EndpointUrl;
    use crate::domain::webhook::EventFilter;

    fn headers(names: &[&str]) -> Vec<(String, String)> {
        names.iter().map(|name| (name.to_string(), "x".to_string())).collect()
    }

    fn seen(shown: Shown) -> Vec<(String, bool)> {
        shown.into_iter().map(|(name, value)| (name, value.is_some())).collect()
    }

    #[test]
    fn a_secret_url_is_masked_as_it_was_then() {
        let dialects = Dialects::shipped();
        let shown = |dialect: &str, url: &str, may_manage| {
            let now = EndpointUrl::parse("https://now.example.com/secret", false).unwrap();
            own_url(&Webhook::new(1, dialect, now, vec![EventFilter::All]), url, &dialects, may_manage)
        };
        let then = "https://then.example.com/secret?key=1";
        for dialect in ["slack_incoming", "teams_incoming", "discord_incoming", "gone"] {
            assert_eq!(shown(dialect, then, false), "https://then.example.com/***", "{dialect}");
            assert_eq!(shown(dialect, then, true), then, "{dialect}");
        }
        assert_eq!(shown("standard", then, false), then);
    }

    #[test]
    fn who_may_not_change_a_header_sees_its_name_and_no_secret() {
        let all = headers(&["Authorization", "X-Api-Key", "X-Team"]);
        let seen_by =
            |may_manage| seen(own_headers(&all, may_manage)).into_iter().map(|(_, is_seen)| is_seen).collect();
        let (manager, reader): (Vec<bool>, Vec<bool>) = (seen_by(true), seen_by(false));
        assert_eq!((manager, reader), (vec![true; 3], vec![false, false, true]));
        let not_kept: SentHeaders = [("x-own", MASK)].into_iter().collect();
        let is_seen = |may_manage| sent_headers(&not_kept, None, may_manage)["x-own"].is_some();
        assert_eq!((is_seen(true), is_seen(false)), (true, false));
    }

    #[test]
    fn a_header_in_which_a_contract_shows_a_secret_is_one_whatever_its_name() {
        let shipped = Dialects::shipped().get("cloudevents").unwrap().source.clone();
        let mut dialects = Dialects::shipped();
        dialects.add("own.toml", &shipped.replace("\"Authorization\"", "\"X-Two\"")).unwrap();
        let sent: SentHeaders = headers(&["x-one", "x-two"]).into_iter().collect();
        let shown = |dialect, may_manage| seen(sent_headers(&sent, dialect, may_manage));
        let with = |one, two| vec![("x-one".to_string(), one), ("x-two".to_string(), two)];
        let own = dialects.get("own").map(AsRef::as_ref);
        assert_eq!(shown(own, false), with(true, false));
        assert_eq!(shown(own, true), with(true, true));
        assert_eq!(shown(None, false), with(true, true));
    }
}
