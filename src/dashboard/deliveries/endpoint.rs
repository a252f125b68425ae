//! The webhook that deliveries go to, as pages about them call it. What stays true: of its URL is shown what whoever looks may see.

use std::collections::HashMap;

use crate::api::Api;
use crate::api::access::auth::Tenant;
use crate::api::masking::own_url;
use crate::api::webhooks::reach::webhook_ever;
use crate::domain::account::Scope;
use crate::domain::webhook::Webhook;

/// Characters of a URL in a list.
const URL_CHARS_MAX: usize = 60;

/// The webhook of some deliveries.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its id.
    pub id: String,
    /// Its name, else where it leads.
    pub name: String,
    /// Who answers: a host, the addresses of a mail, or whoever pulls.
    pub host: String,
    /// Where its deliveries go, as whoever looks may see it; none where they are pulled.
    pub url: Option<String>,
    /// How its deliveries come to who wants them.
    pub way: Way,
    /// `active`, `paused`, `disabled`, `unverified` or `deleted`.
    pub status: &'static str,
    /// Why it is disabled or unverified.
    pub reason: Option<String>,
    /// Attempts that a delivery has at most; none where its contract is not known any more.
    pub attempts_max: Option<usize>,
}

/// How deliveries come to who wants them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// They are sent to a URL.
    Sent,
    /// They go out as mail.
    Mailed,
    /// They are asked for.
    Pulled,
}

impl Endpoint {
    /// The webhook of this id, also one that was deleted, if it is the account's.
    pub fn of(api: &Api, tenant: &Tenant, id: &str) -> Option<Self> {
        let number = webhook_ever(api, tenant, id).ok()?;
        let webhook = api.store.registry().webhook(number)?;
        Some(Self::shown(api, tenant, &webhook))
    }

    /// A webhook of the account.
    pub fn shown(api: &Api, tenant: &Tenant, webhook: &Webhook) -> Self {
        let dialects = api.dialects.now();
        let url = webhook.shown_url().map(|url| own_url(webhook, url, &dialects, tenant.may(Scope::Manage)));
        let way = match &url {
            None => Way::Pulled,
            Some(_) if webhook.url.is_mail() => Way::Mailed,
            Some(_) => Way::Sent,
        };
        let contract = dialects.get(&webhook.dialect);
        let schedule = webhook.retry.as_ref().or(contract.map(|dialect| &dialect.retry));
        let place = url.as_deref().map_or_else(|| webhook.id.to_string(), short);
        Self {
            id: webhook.id.to_string(),
            name: webhook.name.clone().unwrap_or(place),
            host: url.as_deref().map_or_else(|| "whoever pulls".into(), host),
            url,
            way,
            status: if webhook.is_deleted() { "deleted" } else { webhook.status_word() },
            reason: webhook.status_reason().map(String::from),
            attempts_max: schedule.map(|schedule| schedule.delay_seconds.len() + 1),
        }
    }

    /// Whether it can still be looked at and changed.
    pub fn is_there(&self) -> bool {
        self.status != "deleted"
    }
}

/// Those of a page's rows, each looked up once.
#[derive(Debug, Default)]
pub struct Endpoints(HashMap<String, Endpoint>);

impl Endpoints {
    /// The webhooks of these ids; one that nothing is left of is left out.
    pub fn of<'a>(api: &Api, tenant: &Tenant, ids: impl IntoIterator<Item = &'a str>) -> Self {
        let mut known = HashMap::new();
        for id in ids {
            if !known.contains_key(id) {
                known.extend(Endpoint::of(api, tenant, id).map(|endpoint| (id.to_owned(), endpoint)));
            }
        }
        Self(known)
    }

    /// What a webhook is called: its id, if nothing else is known.
    pub fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.0.get(id).map_or(id, |endpoint| &endpoint.name)
    }
}

/// Who answers at a URL.
pub fn host(url: &str) -> String {
    let parsed = url::Url::parse(url).ok();
    let host = parsed.as_ref().and_then(|url| url.host_str()).map(String::from);
    host.unwrap_or_else(|| url.trim_start_matches("mailto:").to_owned())
}

/// A URL without its scheme and query, cut.
fn short(url: &str) -> String {
    let place = url.split(['?', '#']).next().unwrap_or(url);
    let place = place.split_once("://").map_or(place, |(_, rest)| rest).trim_start_matches("mailto:");
    let place = place.strip_suffix('/').unwrap_or(place);
    if place.chars().count() <= URL_CHARS_MAX {
        return place.to_owned();
    }
    place.chars().take(URL_CHARS_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_called_by_what_tells_it_from_others() {
        assert_eq!(short("https://api.acme.com/hook?key=secret#x"), "api.acme.com/hook");
        assert_eq!(
            (short("https://api.acme.com/"), short("mailto:a@b.c,d@e.f")),
            ("api.acme.com".into(), "a@b.c,d@e.f".into())
        );
        let long = short(&format!("https://a.example/{}", "é".repeat(100)));
        assert_eq!((long.chars().count(), long.ends_with('…')), (60, true));
        assert_eq!(
            (host("https://api.acme.com:8443/x"), host("mailto:a@b.c")),
            ("api.acme.com".into(), "a@b.c".into())
        );
    }
}
