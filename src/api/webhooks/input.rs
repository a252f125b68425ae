//! What a create or a change of a webhook says. What stays true: it is vetted whole before anything is changed, and
//! what it leaves out stays as it is; `null` is the way back to what the dialect says.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::Deserialize;

use super::endpoint_auth::{self, AuthInput, NewAuth};
use super::noticing::{NoticesInput, apply_notices, check_kind};
use super::order::OrderChange;
use super::outgoing::{self, TlsInput};
use crate::api::http::request::{Object, vet_text};
use crate::api::http::setting::Change;
use crate::api::openapi::words::WebhookOrder;
use crate::dialect::{Dialect, Signing};
use crate::domain::Invalid;
use crate::domain::condition::Condition;
use crate::domain::disable::{DisableRule, WrittenRule};
use crate::domain::endpoint::{EndpointUrl, Schemes, check_headers};
use crate::domain::labels;
use crate::domain::mail;
use crate::domain::notice::Notices;
use crate::domain::order::OnDead;
use crate::domain::rate_limit::RateLimit;
use crate::domain::retry::{RetrySchedule, SuccessRule};
use crate::domain::secret::{Secret, SigningSecret};
use crate::domain::shape::{Shape, Written};
use crate::domain::time::UnixMs;
use crate::domain::webhook::{
    DESCRIPTION_CHARS_MAX, EventFilter, FILTERS_BYTES_MAX, FILTERS_MAX, MAX_IN_FLIGHT_MAX, Mode, NAME_CHARS_MAX,
    Status, TIMEOUT_SECONDS_MAX, Webhook,
};

mod mode;

/// What a create must say, and a URL unless its deliveries are pulled.
pub const NEEDED: [&str; 1] = ["events"];
/// Why a webhook is disabled that a request switched off.
const BY_REQUEST: &str = "disabled by request";

// A webhook to create has the same fields, of which `NEEDED` are needed.
/// What to change of a webhook: what is left out stays, null goes back to the dialect's.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookChange)]
pub struct WebhookInput {
    /// Where deliveries go: an `https://` URL; or `mailto:` with at most ten addresses, for notices. Needed to create, unless
    /// they are pulled.
    #[serde(default)]
    #[schema(value_type = String, example = "https://example.com/webhooks")]
    url: Change<String>,
    /// Which events: exact types, `task.*` for all that start so, or `*`. Needed to create; at most 200.
    #[serde(default)]
    #[schema(value_type = Vec<String>, example = json!(["task.*"]))]
    events: Change<Vec<String>>,
    /// The signing secret; generated if left out. Changing it here takes effect at once: see `secret/rotate` for both.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    secret: Change<String>,
    /// What secret is generated where none is given: `hmac`, which both sides share, or `ed25519`, a key pair, where the
    /// dialect has that.
    #[serde(default)]
    #[schema(value_type = Option<Signing>)]
    signing: Change<Signing>,
    /// The contract that it is served by; the account's if left out. It cannot be changed later.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub dialect: Change<String>,
    /// For people, at most 200 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    name: Change<String>,
    /// For people, at most 2,000 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    description: Change<String>,
    /// Sent with every attempt: at most 20 headers of 4,096 bytes in all.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    headers: Change<BTreeMap<String, String>>,
    /// Requests a second, at most.
    #[serde(default)]
    #[schema(value_type = Option<RateLimit>)]
    rate_limit: Change<RateLimit>,
    /// Deliveries in flight at once, 1 to 256.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    max_in_flight: Change<u32>,
    /// The deadline of one attempt in seconds, 1 to 120.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    timeout: Change<u32>,
    /// When to try again.
    #[serde(default)]
    #[schema(value_type = Option<RetrySchedule>)]
    retry: Change<RetrySchedule>,
    /// Which answers are a success, such as `["2xx", "304"]`.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    success: Change<Vec<String>>,
    /// How many of the dialect's retries to make; the short form of `retry`.
    #[serde(default)]
    #[schema(value_type = Option<u32>)]
    max_retries: Change<usize>,
    /// Whether it gets test events only; they go to no other webhook.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    test_mode: Change<bool>,
    /// Whether its endpoint is asked, before it gets anything, if it wants deliveries. Some dialects always ask.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    ownership_check: Change<bool>,
    /// When a rule disables it; the dialect's rule if left out.
    #[serde(default)]
    #[schema(value_type = Option<WrittenRule>)]
    disable: Change<WrittenRule>,
    /// `fifo`: one delivery at a time, in the order in which events were accepted.
    #[serde(default)]
    #[schema(value_type = Option<WebhookOrder>)]
    order: Change<String>,
    /// With `fifo`: only events with the same value there wait for each other, such as `data.task_id`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    order_key: Change<String>,
    /// With `fifo`: whether what is behind a delivery that used up its retries goes out (`skip`) or waits (`hold`).
    #[serde(default)]
    #[schema(value_type = Option<OnDead>)]
    on_dead: Change<OnDead>,
    /// A condition on the event: only events that it holds for are wanted. It is what stands inside of a filter of
    /// RFC 9535 (JSONPath), at most 1,024 bytes, where `@` is `{type, data, actor, metadata}`; without `..`, `match` and
    /// `search`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "@.data.amount > 100 && @.data.currency == \"EUR\"")]
    filter: Change<String>,
    /// What is made of an event's `data` for it, behind what the dialect makes of it.
    #[serde(default)]
    #[schema(value_type = Option<Written>)]
    shape: Change<Object<Written>>,
    /// Networks that may be dialled for it though they are not public, such as `["10.20.0.0/16"]`; at most 32. For admin
    /// keys only.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    allow: Change<Vec<String>>,
    /// TLS of its own: other authorities, and a certificate to show.
    #[serde(default)]
    #[schema(value_type = Option<TlsInput>)]
    tls: Change<TlsInput>,
    /// How it authenticates at its endpoint, beside its signature: with a password, a token, a header, or OAuth 2 client
    /// credentials. Null: not at all.
    #[serde(default)]
    #[schema(value_type = Option<AuthInput>)]
    auth: Change<AuthInput>,
    /// Your own id for it, which stands wherever its id does: 1 to 128 of `A-Z a-z 0-9 _ . -`, unlike a UUID. No other webhook of
    /// the account may have it; a deleted one has it no more.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_.-]{1,128}$", example = "crm-production")]
    uid: Change<String>,
    /// For your own lists: at most 16, each 1 to 64 of `A-Z a-z 0-9 _ . : / -`.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 16, example = json!(["beta", "team/7"]))]
    tags: Change<Vec<String>>,
    /// For your own systems: at most 32 texts of 4,096 bytes in all, under names of 1 to 64 of `A-Z a-z 0-9 _ . -`. Hookwheel does
    /// nothing with them.
    #[serde(default)]
    #[schema(value_type = Option<BTreeMap<String, String>>, example = json!({"customer": "c_42"}))]
    metadata: Change<BTreeMap<String, String>>,
    /// It wants only events that share one of these channels; without any, events of all channels and of none. At most 10, each 1
    /// to 128 of `A-Z a-z 0-9 _ . : / -`.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 10, example = json!(["project/7"]))]
    channels: Change<Vec<String>>,
    /// `{}`: it hears the server's notices about the account's webhooks, and no events. In `events` stand the kinds of notices
    /// then. With a `url` of `mailto:` it does so anyway.
    #[serde(default)]
    #[schema(value_type = Option<NoticesInput>)]
    notices: Change<NoticesInput>,
    /// Whether deliveries go out; true if left out.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    enabled: Change<bool>,
    /// How deliveries come to you: `push`, sent to the URL, or `pull`, handed over when you ask for them, for consumers that cannot
    /// be reached. Then it has no URL, nor anything else about an endpoint. It cannot be changed later.
    #[serde(default)]
    #[schema(value_type = Option<Mode>)]
    mode: Change<Mode>,
}

/// A vetted [`WebhookInput`].
#[derive(Debug)]
pub struct WebhookChange {
    url: Option<EndpointUrl>,
    events: Option<Vec<EventFilter>>,
    secret: Option<Secret>,
    /// What secret to generate, where the request says so.
    pub signing: Option<Signing>,
    name: Change<String>,
    description: Change<String>,
    headers: Change<Vec<(String, String)>>,
    rate_limit: Change<RateLimit>,
    max_in_flight: Change<u32>,
    timeout_seconds: Change<u32>,
    retry: Change<RetrySchedule>,
    success: Change<SuccessRule>,
    test_mode: Option<bool>,
    ownership_check: Option<bool>,
    disable: Change<DisableRule>,
    order: OrderChange,
    condition: Change<String>,
    shape: Change<String>,
    allow: Change<Vec<IpNet>>,
    tls: Change<TlsInput>,
    auth: Change<NewAuth>,
    uid: Change<String>,
    tags: Change<Vec<String>>,
    metadata: Change<BTreeMap<String, String>>,
    channels: Change<Vec<String>>,
    notices: Change<Notices>,
    enabled: Option<bool>,
    mode: Mode,
    /// What to tell about it, such as a short secret.
    pub warnings: Vec<String>,
}

/// What to tell of a filter for event types, by the field that it stands in: a warning, or that it cannot be taken.
pub type CheckTypes<'a> = &'a dyn Fn(&str, &EventFilter) -> Result<Option<String>, Invalid>;

impl WebhookInput {
    /// Checks everything but `dialect`, which decides what is right here; `types` tells what event types there are. `known`: the
    /// webhook that it changes. Which URLs it may have, `schemes` says; one that it has already it may keep.
    pub fn vet(
        mut self,
        dialect: &Dialect,
        types: CheckTypes<'_>,
        schemes: Schemes,
        known: Option<&Webhook>,
    ) -> Result<WebhookChange, Invalid> {
        self.fit()?;
        let (mode, mut warnings) = (self.asked_mode(), Vec::new());
        let hears_notices = self.hears_notices(known);
        let secret = self.secret.required("secret", |text| {
            warnings.extend(dialect.check_secret(&text)?);
            Ok(Secret::new(text))
        })?;
        let allow = self.allow.vet(outgoing::vet_allow)?;
        warnings.extend(outgoing::warnings(&allow));
        Ok(WebhookChange {
            mode,
            url: self.url.required("url", |text| match known.filter(|known| known.url.as_str() == text) {
                Some(known) => Ok(known.url.clone()),
                None => EndpointUrl::of_webhook(&text, schemes),
            })?,
            events: self.events.required("events", |texts| match hears_notices {
                true => vet_filters(texts, &|field, filter| check_kind(field, filter).map(|()| None), &mut warnings),
                false => vet_filters(texts, types, &mut warnings),
            })?,
            signing: self.signing.required("signing", Ok)?,
            secret,
            name: self.name.vet(|text| vet_text("name", text, NAME_CHARS_MAX))?,
            description: self.description.vet(|text| vet_text("description", text, DESCRIPTION_CHARS_MAX))?,
            headers: self.headers.vet(|headers| vet_headers(headers, dialect))?,
            rate_limit: self.rate_limit.vet(RateLimit::checked)?,
            max_in_flight: self.max_in_flight.vet(|n| vet_range("max_in_flight", n, MAX_IN_FLIGHT_MAX))?,
            timeout_seconds: self.timeout.vet(|n| vet_range("timeout", n, TIMEOUT_SECONDS_MAX))?,
            retry: vet_retry(self.retry, self.max_retries, dialect)?,
            success: self.success.vet(vet_success)?,
            test_mode: self.test_mode.vet(Ok)?.or_reset(false),
            ownership_check: vet_ownership(self.ownership_check, dialect)?,
            disable: self.disable.vet(DisableRule::try_from)?,
            order: OrderChange::vet(self.order, self.order_key, self.on_dead)?,
            condition: self.filter.vet(|text| Condition::parse(&text).map(|_| text))?,
            shape: self.shape.vet(|Object(written)| Shape::of(written).map(|shape| shape.written().to_json()))?,
            allow,
            tls: self.tls,
            auth: self.auth.vet(|auth| auth.vet(dialect, schemes.http))?,
            uid: self.uid.vet(|uid| labels::check_uid(&uid).map(|()| uid))?,
            tags: self.tags.vet(labels::vet_tags)?,
            metadata: self.metadata.vet(labels::vet_metadata)?,
            channels: self.channels.vet(labels::vet_channels)?,
            notices: self.notices.vet(NoticesInput::vet)?,
            enabled: self.enabled.required("enabled", Ok)?,
            warnings,
        })
    }

    /// Whether the webhook is for notices then.
    fn hears_notices(&self, known: Option<&Webhook>) -> bool {
        let is_mail = || matches!(&self.url, Change::To(text) if text.to_ascii_lowercase().starts_with(mail::SCHEME));
        match self.notices {
            Change::To(_) => true,
            Change::Reset => false,
            Change::Keep => known.map_or_else(is_mail, |known| known.notices.is_some()),
        }
    }
}

impl WebhookChange {
    /// Checks that all is there that a new webhook needs.
    pub fn is_whole(&self) -> Result<(), Invalid> {
        let needs_url = self.mode == Mode::Push;
        let missing = [("url", needs_url && self.url.is_none()), ("events", self.events.is_none())];
        let missing = missing.into_iter().find(|(_, missing)| *missing);
        missing.map_or(Ok(()), |(field, _)| Err(Invalid::new(field, "is missing")))
    }

    /// Whether it brings a secret.
    pub fn has_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// Whether its endpoint is to be asked, where the request says so.
    pub fn ownership_check(&self) -> Option<bool> {
        self.ownership_check
    }

    /// The URL, where there is one.
    pub fn url(&self) -> Option<&EndpointUrl> {
        self.url.as_ref()
    }

    /// How many may be in flight at once and after how many seconds a request is over, where it says so.
    pub fn demands(&self) -> (Option<u32>, Option<u32>) {
        let asked = |change: &Change<u32>| if let Change::To(n) = change { Some(*n) } else { None };
        (asked(&self.max_in_flight), asked(&self.timeout_seconds))
    }

    /// Whether it changes the openings from what they are, which only admins may. If not, it leaves them alone from now
    /// on: what was shown and is sent back must not undo what somebody else changes meanwhile.
    pub fn changes_allow(&mut self, known: &[IpNet]) -> bool {
        let changes = match &self.allow {
            Change::Keep => false,
            Change::Reset => !known.is_empty(),
            Change::To(nets) => nets != known,
        };
        if !changes {
            self.allow = Change::Keep;
        }
        changes
    }

    /// Changes `webhook`. An error says what does not go with the settings that it has.
    pub fn apply(self, webhook: &mut Webhook, now: UnixMs) -> Result<(), Invalid> {
        let is_moved = self.url.as_ref().is_some_and(|url| !url.is_at_place_of(&webhook.url));
        if let Some(url) = self.url {
            if url.is_mail() != webhook.url.is_mail() {
                let message = "cannot change between https:// and mailto:; make another webhook";
                return Err(Invalid::new("url", message));
            }
            webhook.url = url;
        }
        apply_notices(self.notices, webhook)?;
        if let Some(events) = self.events {
            webhook.events = events;
        }
        if let Some(secret) = self.secret {
            webhook.secrets = vec![SigningSecret { secret, until: None }];
        }
        self.name.apply(&mut webhook.name);
        self.description.apply(&mut webhook.description);
        self.headers.apply_or_empty(&mut webhook.headers);
        self.rate_limit.apply(&mut webhook.rate_limit);
        self.max_in_flight.apply(&mut webhook.max_in_flight);
        self.timeout_seconds.apply(&mut webhook.timeout_seconds);
        self.retry.apply(&mut webhook.retry);
        self.success.apply(&mut webhook.success);
        webhook.test_mode = self.test_mode.unwrap_or(webhook.test_mode);
        self.disable.apply(&mut webhook.disable);
        self.order.apply(&mut webhook.order);
        self.condition.apply(&mut webhook.condition);
        self.shape.apply(&mut webhook.shape);
        self.allow.apply_or_empty(&mut webhook.allow);
        outgoing::apply_tls(self.tls, &mut webhook.tls)?;
        endpoint_auth::apply(self.auth, is_moved, webhook)?;
        self.uid.apply(&mut webhook.uid);
        self.tags.apply_or_empty(&mut webhook.tags);
        self.metadata.apply_or_empty(&mut webhook.metadata);
        self.channels.apply_or_empty(&mut webhook.channels);
        match self.enabled {
            Some(true) => webhook.status = Status::Active,
            Some(false) if webhook.status == Status::Active => {
                webhook.status = Status::Disabled { since: now, reason: BY_REQUEST.into(), probe_at: None };
            }
            Some(false) | None => {}
        }
        if webhook.notices.is_some() && webhook.test_mode {
            return Err(Invalid::new("test_mode", "is about events, and this webhook hears notices"));
        }
        outgoing::check_size(webhook)
    }
}

/// A reason for disabling, as a person gives it.
pub fn vet_reason(reason: Option<String>) -> Result<String, Invalid> {
    reason.map_or(Ok(BY_REQUEST.to_string()), |text| vet_text("reason", text, NAME_CHARS_MAX))
}

fn vet_filters(
    texts: Vec<String>,
    types: CheckTypes<'_>,
    warnings: &mut Vec<String>,
) -> Result<Vec<EventFilter>, Invalid> {
    if texts.is_empty() || texts.len() > FILTERS_MAX {
        let message = format!("must name 1 to {FILTERS_MAX} event types; [\"*\"] means all");
        return Err(Invalid::new("events", message));
    }
    if texts.iter().map(String::len).sum::<usize>() > FILTERS_BYTES_MAX {
        return Err(Invalid::new(
            "events",
            format!("is longer than {FILTERS_BYTES_MAX} bytes in all; use \"task.*\" or \"*\""),
        ));
    }
    let mut filters: Vec<EventFilter> = Vec::with_capacity(texts.len());
    for (n, text) in texts.iter().enumerate() {
        let filter = EventFilter::parse(text);
        let filter = filter.map_err(|invalid| Invalid { field: format!("events[{n}]"), ..invalid })?;
        if !filters.contains(&filter) {
            warnings.extend(types(&format!("events[{n}]"), &filter)?);
            filters.push(filter);
        }
    }
    Ok(filters)
}

fn vet_headers(headers: BTreeMap<String, String>, dialect: &Dialect) -> Result<Vec<(String, String)>, Invalid> {
    let headers: Vec<(String, String)> = headers.into_iter().collect();
    check_headers(&headers)?;
    for (n, (name, _)) in headers.iter().enumerate() {
        let wrong = |message: &str| Err(Invalid::new(format!("headers.{name}"), message));
        if dialect.sets_header(name) {
            return wrong("is set by the dialect and cannot be replaced");
        }
        if headers[..n].iter().any(|(before, _)| before.eq_ignore_ascii_case(name)) {
            return wrong("is there twice; header names do not tell upper from lower case");
        }
    }
    Ok(headers)
}

/// The schedule in either of its forms.
fn vet_retry(
    retry: Change<RetrySchedule>,
    max_retries: Change<usize>,
    dialect: &Dialect,
) -> Result<Change<RetrySchedule>, Invalid> {
    match (retry, max_retries) {
        // Both, and they agree: a client sends back what it was shown.
        (Change::To(retry), Change::To(n)) if retry.delay_seconds.len() == n => {
            retry.check().map(|()| Change::To(retry))
        }
        (retry, Change::Keep) => retry.vet(|retry| retry.check().map(|()| retry)),
        (Change::Keep, max_retries) => max_retries.vet(|retries| dialect.schedule(retries)),
        _ => Err(Invalid::new("max_retries", "is not the number of retries in retry; one of the two is enough")),
    }
}

fn vet_ownership(wish: Change<bool>, dialect: &Dialect) -> Result<Option<bool>, Invalid> {
    match wish.or_reset(dialect.challenge.is_some()) {
        Some(false) if dialect.challenge.is_some() => {
            Err(Invalid::new("ownership_check", format!("cannot be false: {} always asks", dialect.name)))
        }
        wish => Ok(wish),
    }
}

fn vet_range(field: &str, n: u32, max: u32) -> Result<u32, Invalid> {
    if (1..=max).contains(&n) { Ok(n) } else { Err(Invalid::new(field, format!("must be between 1 and {max}"))) }
}

fn vet_success(texts: Vec<String>) -> Result<SuccessRule, Invalid> {
    SuccessRule::try_from(texts).map_err(|message| Invalid::new("success", message))
}
