//! Where and as whom a webhook's requests go: its URL, keys and headers, parsed and keyed once and not once a delivery; and
//! what of such a request may be kept. True of the webhook as it is and of the dialects in force; what has changed since is
//! made anew.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use bytes::Bytes;
use tokio::sync::Notify;

use super::clients::Profile;
use super::http::Destination;
use super::schedule::Claim;
use crate::clock::Clock;
use crate::dialect::{AttemptFacts, Dialect, Dialects, SigningKey};
use crate::domain::endpoint::{HOP_HEADER, MASK, is_credential};
use crate::domain::event::Event;
use crate::domain::secret::SigningSecret;
use crate::domain::sent_headers::SentHeaders;
use crate::domain::time::UnixMs;
use crate::domain::webhook::Webhook;

/// A webhook, made ready for sending.
pub struct Target {
    /// As it was then.
    pub webhook: Arc<Webhook>,
    /// Those in force when it was made.
    dialects: Arc<Dialects>,
    /// Its own, or the one that stands in for it.
    pub dialect: Arc<Dialect>,
    /// Its account's public id.
    pub account_id: String,
    /// Whether anything can be made for it, or why not.
    pub fit: Result<(), String>,
    /// Where its requests go, or why none can be sent.
    pub to: Result<Destination, String>,
    keys: Vec<(SigningKey, Option<UnixMs>)>,
    custom_headers: Vec<(HeaderName, HeaderValue)>,
    /// Headers that let nobody in, whose values may be kept: that is found out once. Of one that is not among them it is again.
    plain_headers: Vec<HeaderName>,
    /// What an attempt may take.
    pub deadline: Duration,
    /// Told when what is under way is to be broken off; the same for all targets of one webhook.
    pub broken_off: Rc<Notify>,
}

impl Target {
    /// Makes the webhook ready, by its dialect among these.
    pub fn of(webhook: Arc<Webhook>, account_id: String, dialects: Arc<Dialects>, broken_off: Rc<Notify>) -> Self {
        let known = dialects.get(&webhook.dialect);
        let dialect = known.or(dialects.get("standard")).expect("standard is compiled in").clone();
        let profile = Profile::of(&webhook.allow, webhook.tls.as_ref());
        let gone = || format!("there is no dialect {:?} any more", webhook.dialect);
        let signing = |one: &SigningSecret| dialect.signing_key(&one.secret).map(|key| (key, one.until));
        let (keys, fit) = match webhook.secrets.iter().map(signing).collect::<Result<Vec<_>, _>>() {
            Ok(keys) => (keys, known.map(drop).ok_or_else(gone)),
            Err(invalid) => (Vec::new(), Err(invalid.to_string())),
        };
        let to = Destination::of(webhook.url.as_str(), webhook.account, profile);
        let custom_headers: Vec<_> = webhook.headers.iter().filter_map(parsed).collect();
        let set = dialect.header_keys().map(|key| &key.name).chain(custom_headers.iter().map(|(name, _)| name));
        let all = [CONTENT_TYPE, USER_AGENT, hop().0].into_iter().chain(set.cloned());
        Self {
            plain_headers: all.filter(|name| !is_secret(name, &dialect)).collect(),
            custom_headers,
            deadline: Duration::from_secs(webhook.timeout_seconds.unwrap_or(dialect.timeout_seconds).into()),
            webhook,
            dialects,
            dialect,
            account_id,
            fit,
            to,
            keys,
            broken_off,
        }
    }

    /// Whether it was made of this webhook as it is, and of the dialects in force.
    pub fn is_of(&self, webhook: &Arc<Webhook>, dialects: &Arc<Dialects>) -> bool {
        Arc::ptr_eq(&self.webhook, webhook) && Arc::ptr_eq(&self.dialects, dialects)
    }

    /// The keys that sign now, the newest first.
    pub fn keys_at(&self, clock: &Clock) -> Vec<SigningKey> {
        let now = clock.now();
        let signs = |until: &Option<UnixMs>| until.is_none_or(|until| now < until);
        self.keys.iter().filter(|(_, until)| signs(until)).map(|(key, _)| key.clone()).collect()
    }

    /// What body and headers say of the attempt: the time is read once, so both say the same.
    pub fn facts<'f>(&'f self, claim: &Claim, event: &'f Event, clock: &Clock) -> AttemptFacts<'f> {
        let (webhook, account_id) = (&*self.webhook, self.account_id.as_str());
        let (delivery, attempt) = (claim.delivery.id, claim.delivery.attempts + 1);
        AttemptFacts { event, webhook, account_id, delivery, attempt, now: clock.wall() }
    }

    /// All headers of the attempt but those of HTTP itself.
    pub fn headers(
        &self,
        facts: &AttemptFacts<'_>,
        body: &Bytes,
        keys: &[SigningKey],
    ) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::with_capacity(9 + self.custom_headers.len());
        headers.extend(self.custom_headers.iter().cloned());
        self.dialect.headers(facts, body, keys, &mut headers);
        headers.push(hop());
        headers
    }

    /// Headers as they are kept: of one that lets its holder in, only that it was sent.
    pub fn kept(&self, headers: &[(HeaderName, HeaderValue)]) -> SentHeaders {
        let mut kept = SentHeaders::with_room_for(headers.len());
        for (name, value) in headers {
            let is_plain = self.plain_headers.contains(name) || !is_secret(name, &self.dialect);
            let value = if is_plain { String::from_utf8_lossy(value.as_bytes()) } else { MASK.into() };
            kept.push(name.as_str(), &value);
        }
        kept
    }
}

/// Whether the value of this header lets its holder in.
fn is_secret(name: &HeaderName, dialect: &Dialect) -> bool {
    is_credential(name.as_str()) || dialect.shows_secret(name)
}

/// A header that was vetted when it was set.
pub fn parsed((name, value): &(String, String)) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, value.parse().ok()?))
}

/// Marks a request as one of ours.
pub fn hop() -> (HeaderName, HeaderValue) {
    (HeaderName::from_static(HOP_HEADER), HeaderValue::from_static("1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::{Cause, Delivery};
    use crate::domain::endpoint::EndpointUrl;
    use crate::domain::id::EventId;
    use crate::domain::secret::Secret;

    const NOW: UnixMs = 1_800_000_000_000;

    fn target(dialects: Dialects, dialect: &str, secrets: Vec<SigningSecret>) -> Target {
        let url = EndpointUrl::parse("https://example.com/", false).unwrap();
        let webhook = Arc::new(Webhook { secrets, ..Webhook::new(1, dialect, url, Vec::new()) });
        Target::of(webhook, "acc_1".into(), Arc::new(dialects), Rc::default())
    }

    #[test]
    fn a_secret_that_was_rotated_out_signs_until_its_time_and_not_at_it() {
        let clock = Clock::standing_at(NOW);
        let signing = |until| SigningSecret { secret: Secret::new(format!("whsec_{}", "MTIz".repeat(8))), until };
        let target = target(Dialects::shipped(), "standard", vec![signing(None), signing(Some(NOW + 2))]);
        let event = Event {
            id: EventId(1 << 80),
            account: 1,
            name: None,
            event_type: "a".into(),
            created_at: NOW,
            test: false,
            webhooks: vec![1],
            channels: Vec::new(),
            fingerprint: None,
            data: Bytes::from_static(b"{}"),
            actor: None,
            metadata: None,
        };
        let delivery = Delivery::fresh(event.id.delivery_to(1), event.id, Cause::Accept);
        let claim = Claim { delivery, webhook: target.webhook.clone(), rate_limited: false };
        let signatures = [NOW + 1, NOW + 2].map(|now| {
            clock.turn_to(now);
            let (facts, keys) = (target.facts(&claim, &event, &clock), target.keys_at(&clock));
            let headers = target.headers(&facts, &Bytes::from_static(b"{}"), &keys);
            let (_, value) = headers.iter().find(|(name, _)| name == "webhook-signature").unwrap();
            value.to_str().unwrap().split(' ').count()
        });
        assert_eq!(signatures, [2, 1]);
    }

    #[test]
    fn of_a_header_that_lets_its_holder_in_it_is_kept_only_that_it_was_sent() {
        let shipped = Dialects::shipped().get("cloudevents").unwrap().source.clone();
        // It shows its secret in a header whose name does not tell.
        let mut dialects = Dialects::shipped();
        dialects.add("own.toml", &shipped.replace("\"Authorization\"", "\"X-Two\"")).unwrap();
        let target = target(dialects, "own", Vec::new());
        let sent = |name: &str| (name.parse().unwrap(), HeaderValue::from_static("Bearer x"));
        let kept = target.kept(&["authorization", "x-two", "x-one", "content-type"].map(sent));
        let wanted = [("authorization", MASK), ("x-two", MASK), ("x-one", "Bearer x"), ("content-type", "Bearer x")];
        assert_eq!(kept.iter().collect::<Vec<_>>(), wanted);
    }
}
