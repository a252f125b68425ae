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
use super::grants::Grant;
use super::headers::{hop, parsed};
use super::http::Destination;
use super::schedule::Claim;
use crate::clock::Clock;
use crate::dialect::{AttemptFacts, Dialect, Dialects, SigningKey};
use crate::domain::endpoint::{MASK, is_credential};
use crate::domain::endpoint_auth::EndpointAuth;
use crate::domain::event::Event;
use crate::domain::secret::SigningSecret;
use crate::domain::sent_headers::SentHeaders;
use crate::domain::shape::Shape;
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
    /// Its own shape, behind its dialect's.
    pub shape: Option<Arc<Shape>>,
    keys: Vec<(SigningKey, Option<UnixMs>)>,
    custom_headers: Vec<(HeaderName, HeaderValue)>,
    /// What its auth sets.
    auth_header: Option<HeaderName>,
    /// The value of that, where it is always the same.
    auth_value: Option<HeaderValue>,
    /// How a token is granted for each request, where it is not.
    pub grant: Option<Grant>,
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
        let (shape, fit) = match webhook.own_shape() {
            Ok(shape) => (shape.map(Arc::new), fit),
            Err(invalid) => (None, Err(invalid.to_string())),
        };
        let to = Destination::of(webhook.url.as_str(), webhook.account, profile);
        let custom_headers: Vec<_> = webhook.headers.iter().filter_map(parsed).collect();
        let set = dialect.header_keys().map(|key| &key.name).chain(custom_headers.iter().map(|(name, _)| name));
        let all = [CONTENT_TYPE, USER_AGENT, hop().0].into_iter().chain(set.cloned());
        let auth = webhook.auth.as_ref();
        let grant = |of| Grant::new(webhook.number(), of, webhook.account, profile);
        let auth_header = auth.and_then(|auth| auth.header_name().parse().ok());
        Self {
            plain_headers: all.filter(|name| !is_secret(name, &dialect, auth_header.as_ref())).collect(),
            custom_headers,
            auth_header,
            auth_value: auth.and_then(EndpointAuth::fixed_header).and_then(|(_, value)| hidden(&value)),
            grant: auth.and_then(EndpointAuth::oauth2).map(grant),
            deadline: Duration::from_secs(webhook.timeout_seconds.unwrap_or(dialect.timeout_seconds).into()),
            webhook,
            dialects,
            dialect,
            account_id,
            fit,
            to,
            shape,
            keys,
            broken_off,
        }
    }

    /// Whether it was made of this webhook as it is, and of the dialects in force.
    pub fn is_of(&self, webhook: &Arc<Webhook>, dialects: &Arc<Dialects>) -> bool {
        // One that was not used for a while was unpacked anew.
        let is_same = || Arc::ptr_eq(&self.webhook, webhook) || self.webhook == *webhook;
        Arc::ptr_eq(&self.dialects, dialects) && is_same()
    }

    /// Whether something goes out by it, or by what its webhook was before.
    pub fn is_in_use(this: &Rc<Self>) -> bool {
        Rc::strong_count(this) > 1 || Rc::strong_count(&this.broken_off) > 1
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

    /// All headers of the attempt but those of HTTP itself, and but a token that is granted for it. What authenticates comes after
    /// the signature, which does not cover it.
    pub fn headers(
        &self,
        facts: &AttemptFacts<'_>,
        body: &Bytes,
        keys: &[SigningKey],
    ) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::with_capacity(10 + self.custom_headers.len());
        headers.extend(self.custom_headers.iter().cloned());
        self.dialect.headers(facts, body, keys, &mut headers);
        headers.extend(self.auth_header.clone().zip(self.auth_value.clone()));
        headers.push(hop());
        headers
    }

    /// Headers as they are kept: of one that lets its holder in, only that it was sent.
    pub fn kept(&self, headers: &[(HeaderName, HeaderValue)]) -> SentHeaders {
        let mut kept = SentHeaders::with_room_for(headers.len());
        for (name, value) in headers {
            let is_plain =
                self.plain_headers.contains(name) || !is_secret(name, &self.dialect, self.auth_header.as_ref());
            let value = if is_plain { String::from_utf8_lossy(value.as_bytes()) } else { MASK.into() };
            kept.push(name.as_str(), &value);
        }
        kept
    }
}

/// A value that is not to be printed.
fn hidden(text: &str) -> Option<HeaderValue> {
    let mut value: HeaderValue = text.parse().ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Whether the value of this header lets its holder in.
fn is_secret(name: &HeaderName, dialect: &Dialect, auth: Option<&HeaderName>) -> bool {
    is_credential(name.as_str()) || dialect.shows_secret(name) || auth == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::{Cause, Delivery};
    use crate::domain::endpoint::EndpointUrl;
    use crate::domain::id::EventId;
    use crate::domain::secret::Secret;

    const NOW: UnixMs = 1_800_000_000_000;

    fn webhook(dialect: &str) -> Webhook {
        let url = EndpointUrl::parse("https://example.com/", false).unwrap();
        Webhook::new(1, dialect, url, Vec::new())
    }

    fn of(dialects: Dialects, webhook: Webhook) -> Target {
        Target::of(Arc::new(webhook), "acc_1".into(), Arc::new(dialects), Rc::default())
    }

    fn target(dialects: Dialects, dialect: &str, secrets: Vec<SigningSecret>) -> Target {
        of(dialects, Webhook { secrets, ..webhook(dialect) })
    }

    #[test]
    fn a_target_is_of_its_webhook_as_it_is_wherever_that_lies_and_in_use_while_something_goes_out() {
        let target = Rc::new(target(Dialects::shipped(), "standard", Vec::new()));
        let is_of = |webhook: Webhook| target.is_of(&Arc::new(webhook), &target.dialects);
        assert!(is_of((*target.webhook).clone()));
        assert!(!is_of(Webhook { name: Some("another".into()), ..(*target.webhook).clone() }));
        assert!(!target.is_of(&target.webhook, &Arc::new(Dialects::shipped())));
        assert!(!Target::is_in_use(&target));
        let goes_out = target.clone();
        assert!(Target::is_in_use(&target));
        drop(goes_out);
        let as_it_was = target.broken_off.clone();
        assert!(Target::is_in_use(&target));
        drop(as_it_was);
        assert!(!Target::is_in_use(&target));
    }

    fn event() -> Event {
        Event {
            id: EventId(1 << 80),
            account: 1,
            name: None,
            event_type: "a".into(),
            created_at: NOW,
            test: false,
            webhooks: vec![1],
            channels: Vec::new(),
            fingerprint: None,
            trace: None,
            data: Bytes::from_static(b"{}"),
            actor: None,
            metadata: None,
        }
    }

    fn claim(event: &Event, target: &Target) -> Claim {
        let delivery = Delivery::fresh(event.id.delivery_to(1), event.id, Cause::Accept);
        Claim { delivery, webhook: target.webhook.clone(), rate_limited: false, awaited: true }
    }

    #[test]
    fn a_secret_that_was_rotated_out_signs_until_its_time_and_not_at_it() {
        let clock = Clock::standing_at(NOW);
        let signing = |until| SigningSecret { secret: Secret::new(format!("whsec_{}", "MTIz".repeat(8))), until };
        let target = target(Dialects::shipped(), "standard", vec![signing(None), signing(Some(NOW + 2))]);
        let event = event();
        let claim = claim(&event, &target);
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

    #[test]
    fn what_authenticates_comes_behind_the_signature_and_is_not_kept_whatever_its_name() {
        let (clock, event) = (Clock::standing_at(NOW), event());
        let auth = EndpointAuth::Header { name: "X-Own".into(), value: Secret::new("hush") };
        let secret = SigningSecret { secret: Secret::new(format!("whsec_{}", "MTIz".repeat(8))), until: None };
        let webhook = Webhook { auth: Some(auth), secrets: vec![secret], ..webhook("standard") };
        let target = of(Dialects::shipped(), webhook);
        let claim = claim(&event, &target);
        let headers =
            target.headers(&target.facts(&claim, &event, &clock), &Bytes::from_static(b"{}"), &target.keys_at(&clock));
        let at = |wanted: &str| headers.iter().position(|(name, _)| name == wanted).expect("it is sent");
        assert!(at("x-own") > at("webhook-signature"));
        assert_eq!(headers[at("x-own")].1, "hush");
        let kept = target.kept(&headers);
        assert!(kept.iter().any(|one| one == ("x-own", MASK)) && !kept.iter().any(|(_, value)| value == "hush"));
    }
}
