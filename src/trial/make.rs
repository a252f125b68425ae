//! The requests. What stays true: a genuine one is what a delivery is, byte for byte but for ids and times, and each of the
//! others differs from such a one in what it is named for.

use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;

use super::case::Case;
use super::edit;
use super::judge::Must;
use super::kind::{Expect, Kind};
use super::subject::{ACCOUNT, Subject};
use crate::dialect::{AttemptFacts, BodyFormat, Harm, Proof, SigningKey};
use crate::domain::delivery::RESPONSE_BODY_BYTES_MAX;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::event::Event;
use crate::domain::id::EventId;
use crate::domain::probe::{Method, Probe};
use crate::domain::time::UnixMs;
use crate::domain::webhook::Webhook;

/// How old an old request is: older than any receiver should take one.
pub(super) const OLD_MS: u64 = 3_600_000;
/// The last part of a type that no contract has.
const UNKNOWN_TYPE: &str = "hookwheel_test";
/// What another URL has behind the right one.
const ELSEWHERE: &str = "of";

/// A request on its way.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The request.
    pub probe: Probe,
    /// How it must be answered.
    pub must: Must,
}

/// A request as it will be made.
struct Plan<'s> {
    event: Event,
    attempt: u16,
    /// When it says that it is made.
    now: UnixMs,
    keys: Vec<&'s SigningKey>,
    harm: Harm,
    /// What is signed in the place of what is told.
    signed_at: UnixMs,
    signed_id: EventId,
    signed_url: EndpointUrl,
    /// Sent in the place of the body that is signed.
    sent: Option<Bytes>,
    has_more: bool,
    has_signature: bool,
    upper_case: bool,
}

impl Subject {
    /// The request of a case, made at `now`; `None` for a case that needs none or does not apply.
    pub fn request(&self, case: &Case, now: UnixMs) -> Option<Sent> {
        match case.kind {
            _ if case.not_applicable.is_some() => None,
            Kind::InTime | Kind::EventsLeftOut(_) => None,
            Kind::Challenge | Kind::ForgedChallenge => self.question(case, now),
            kind => {
                let plan = self.plan(kind, case.place, now)?;
                let success = self.dialect.success.clone();
                let must = if kind.expect() == Expect::Taken { Must::Take(success) } else { Must::Refuse(success) };
                Some(Sent { probe: self.delivery(&plan), must })
            }
        }
    }

    /// A delivery of an event that was made up, as its contract makes it at `now`; `forged` is signed by somebody else.
    pub(super) fn played(&self, event: Event, attempt: u16, now: UnixMs, forged: bool) -> Probe {
        let mut plan = Plan { signed_id: event.id, event, attempt, ..self.genuine(0, now) };
        if forged {
            self.forge(&mut plan);
        }
        self.delivery(&plan)
    }

    /// Signed by somebody else; where no such key can be made, with one character changed.
    fn forge<'s>(&'s self, plan: &mut Plan<'s>) {
        match &self.stranger {
            Some(stranger) => plan.keys = vec![stranger],
            None => plan.harm = Harm::Changed,
        }
    }

    /// What differs from a genuine first attempt of the first event; `None` if it cannot be made.
    fn plan(&self, kind: Kind, place: usize, now: UnixMs) -> Option<Plan<'_>> {
        let mut plan = self.genuine(place, now);
        let data = String::from_utf8_lossy(&plan.event.data).into_owned();
        match kind {
            Kind::Event(chosen) => plan.event = self.event(place, chosen),
            Kind::Repeated => {
                plan.event = self.event(Kind::BEFORE.len(), 0);
                plan.signed_id = plan.event.id;
                plan.attempt = 2;
            }
            Kind::UnknownField => plan.has_more = true,
            Kind::UnknownDataField => plan.event.data = edit::with_field(&data)?.into(),
            Kind::ExactBytes => plan.event.data = edit::respelled(&data)?.into(),
            Kind::UnknownType => plan.event.event_type = unknown_type(&plan.event.event_type),
            Kind::UpperCase => plan.upper_case = true,
            Kind::Big => plan.event.data = self.biggest(&plan, &data)?.into(),
            Kind::FirstSignature => plan.keys = vec![self.keys.first()?, self.stranger.as_ref()?],
            Kind::SecondSignature => plan.keys = vec![self.stranger.as_ref()?, self.keys.first()?],
            Kind::OldSecret => plan.keys = vec![self.old.as_ref()?],
            Kind::NoSignature => plan.has_signature = false,
            Kind::EmptySignature => plan.harm = Harm::Empty,
            Kind::CutSignature => plan.harm = Harm::Cut,
            Kind::WrongSignature => self.forge(&mut plan),
            Kind::ChangedBody => plan.sent = Some(self.changed_body(&plan, &data)),
            Kind::OtherBody => {
                plan.sent = Some(self.body(&Plan { event: self.event(place, 1), ..self.genuine(place, now) }))
            }
            Kind::RespacedBody => {
                plan.sent = Some(edit::respaced(&String::from_utf8_lossy(&self.body(&plan)))?.into());
            }
            Kind::OldTime => {
                plan.now -= OLD_MS;
                plan.signed_at = plan.now;
                plan.event.created_at -= OLD_MS;
            }
            Kind::MovedTime => plan.signed_at -= OLD_MS,
            Kind::ChangedId => plan.signed_id = self.event(0, 0).id,
            Kind::OtherUrl => plan.signed_url = self.webhook.url.with_query(&[(ELSEWHERE.into(), "another".into())]),
            Kind::Challenge | Kind::ForgedChallenge | Kind::InTime | Kind::EventsLeftOut(_) => return None,
        }
        Some(plan)
    }

    fn genuine(&self, place: usize, now: UnixMs) -> Plan<'_> {
        let event = self.event(place, 0);
        Plan {
            signed_id: event.id,
            event,
            attempt: 1,
            now,
            keys: self.keys.iter().collect(),
            harm: Harm::None,
            signed_at: now,
            signed_url: self.webhook.url.clone(),
            sent: None,
            has_more: false,
            has_signature: true,
            upper_case: false,
        }
    }

    fn delivery(&self, plan: &Plan<'_>) -> Probe {
        let signed = self.body(plan);
        let headers = self.headers(plan, &signed);
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_string();
        Probe {
            method: Method::Post,
            account: self.webhook.account,
            url: self.webhook.url.clone(),
            headers: headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            upper_case: plan.upper_case,
            body: plan.sent.clone().unwrap_or(signed),
            timeout_seconds: self.dialect.timeout_seconds,
            allow: Vec::new(),
            tls: None,
            answer_bytes_max: RESPONSE_BODY_BYTES_MAX,
            oauth2: None,
        }
    }

    fn headers(&self, plan: &Plan<'_>, body: &Bytes) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        self.with_proof(plan, body, |told, proof| match proof {
            Some(proof) => self.dialect.headers_with(told, proof, &mut headers),
            None => self.dialect.headers(told, body, &[], &mut headers),
        });
        headers
    }

    /// The body that is signed.
    pub(super) fn body_of(&self, event: Event, now: UnixMs) -> Bytes {
        self.body(&Plan { signed_id: event.id, event, ..self.genuine(0, now) })
    }

    fn body(&self, plan: &Plan<'_>) -> Bytes {
        let prepared = self.dialect.prepare(&plan.event, ACCOUNT);
        let body = self.with_proof(plan, b"", |told, proof| match proof {
            Some(proof) => self.dialect.body_with(&prepared, told, proof),
            None => self.dialect.body(&prepared, told, &[]),
        });
        if !plan.has_more {
            return body;
        }
        let text = String::from_utf8_lossy(&body).into_owned();
        match self.dialect.body.format {
            BodyFormat::Json => edit::with_field(&text).unwrap_or(text).into(),
            BodyFormat::Form => edit::with_parameter(&text).into(),
        }
    }

    /// Hands over what the attempt tells of itself, and its proof if it has one.
    fn with_proof<T>(
        &self,
        plan: &Plan<'_>,
        body: &[u8],
        make: impl FnOnce(&AttemptFacts<'_>, Option<&Proof<'_>>) -> T,
    ) -> T {
        let event = Event { id: plan.signed_id, ..plan.event.clone() };
        let webhook = Webhook { url: plan.signed_url.clone(), ..self.webhook.clone() };
        let told = self.facts(&plan.event, &self.webhook, plan.attempt, plan.now);
        let of = self.facts(&event, &webhook, plan.attempt, plan.signed_at);
        let keys: Vec<SigningKey> = plan.keys.iter().map(|key| (*key).clone()).collect();
        let proof = Proof { of: &of, body, keys: &keys, harm: plan.harm };
        make(&told, (plan.has_signature && !keys.is_empty()).then_some(&proof))
    }

    fn facts<'f>(&self, event: &'f Event, webhook: &'f Webhook, attempt: u16, now: UnixMs) -> AttemptFacts<'f> {
        let delivery = event.id.delivery_to(webhook.number());
        AttemptFacts { event, webhook, account_id: ACCOUNT, delivery, attempt, now }
    }

    /// The same with another text in it; where there is none, with a field more.
    fn changed_body(&self, plan: &Plan<'_>, data: &str) -> Bytes {
        let with = |data: String| self.body_of(Event { data: data.into(), ..plan.event.clone() }, plan.now);
        // A shape may leave out just what was changed.
        let is_same =
            |body: &Bytes| self.dialect.shape.is_some() && *body == self.body_of(plan.event.clone(), plan.now);
        match edit::changed(data).map(with).filter(|body| !is_same(body)) {
            Some(body) => body,
            None => self.body(&Plan { has_more: true, event: plan.event.clone(), ..self.genuine(0, plan.now) }),
        }
    }

    /// The data of which a body becomes as long as the contract allows.
    fn biggest(&self, plan: &Plan<'_>, data: &str) -> Option<String> {
        let limit = self.dialect.limits.body_bytes_max?;
        let length = |data: String| self.body_of(Event { data: data.into(), ..plan.event.clone() }, plan.now).len();
        let (short, longer) = (length(data.to_string()), length(edit::lengthened(data, 1)?));
        let letters = limit.checked_sub(short)?.checked_div(longer.checked_sub(short)?)?;
        edit::lengthened(data, letters)
    }

    fn question(&self, case: &Case, now: UnixMs) -> Option<Sent> {
        let rule = self.dialect.challenge.as_ref()?;
        let event = Event {
            event_type: rule.event_type().to_string(),
            data: "{}".into(),
            actor: None,
            test: true,
            ..self.event(case.place, 0)
        };
        let facts = self.facts(&event, &self.webhook, 1, now);
        let asked = self.dialect.ask(rule, &facts, &self.keys, &self.random);
        let (headers, must) = match (case.kind, asked.forged.clone()) {
            (Kind::ForgedChallenge, Some((headers, status))) => (headers, Must::Answer(status)),
            (Kind::ForgedChallenge, None) => return None,
            _ => (asked.headers.clone(), Must::Prove(self.dialect.success.clone(), Box::new(asked.clone()))),
        };
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_string();
        let probe = Probe {
            method: asked.method,
            account: self.webhook.account,
            url: self.webhook.url.with_query(&asked.query),
            headers: headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            upper_case: false,
            body: asked.body.into(),
            timeout_seconds: rule.timeout_seconds,
            allow: Vec::new(),
            tls: None,
            answer_bytes_max: RESPONSE_BODY_BYTES_MAX,
            oauth2: None,
        };
        Some(Sent { probe, must })
    }
}

/// A type that no catalogue has, like one that there is.
pub(super) fn unknown_type(known: &str) -> String {
    let stem = known.rfind(['.', '/']).map_or("", |at| &known[..=at]);
    format!("{stem}{UNKNOWN_TYPE}")
}
