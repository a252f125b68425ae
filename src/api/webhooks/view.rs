//! How webhooks are shown: one function makes the native view, and the dialects' faces pick from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::endpoint_auth::AuthView;
use super::noticing::NoticesView;
use super::outgoing::TlsView;
use crate::api::http::list::ListRow;
use crate::api::masking::{own_headers, own_url};
use crate::api::openapi::words::{LaneWait, WebhookOrder, WebhookStatus};
use crate::dialect::Dialects;
use crate::domain::disable::WrittenRule;
use crate::domain::lane::Standing;
use crate::domain::order::OnDead;
use crate::domain::rate_limit::RateLimit;
use crate::domain::retry::RetrySchedule;
use crate::domain::secret::Secret;
use crate::domain::shape::Written;
use crate::domain::tally::Tally;
use crate::domain::time::{self, UnixMs};
use crate::domain::webhook::{Mode, Status, Webhook};
use crate::store::{Store, StoreError};

/// A JSON object with native names, for a face to pick from.
pub type Object = Map<String, Value>;

/// A webhook with its settings and counters. A setting that is the dialect's is null.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookView {
    /// Its id.
    pub id: String,
    /// Your own id for it, which stands wherever its id does.
    #[schema(example = "crm-production")]
    pub uid: Option<String>,
    /// Whose it is.
    pub account: String,
    /// The contract that it is served by.
    pub dialect: String,
    /// Where deliveries go; null where they are pulled. Of one that hears notices a key that may not manage sees only the host,
    /// since the URL of a chat's incoming webhook is a secret.
    pub url: Option<String>,
    /// Which events: exact types, `task.*` for all that start so, or `*`.
    pub events: Vec<String>,
    /// For people.
    pub name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Sent with every attempt. The value of one that seems to let its holder in is null for a key that may not manage.
    pub headers: BTreeMap<String, Option<String>>,
    /// Requests a second or a minute, at most.
    pub rate_limit: Option<RateLimit>,
    /// Deliveries in flight at once.
    pub max_in_flight: Option<u32>,
    /// In seconds.
    pub timeout: Option<u32>,
    /// When to try again.
    pub retry: Option<RetrySchedule>,
    /// How many retries `retry` has.
    pub max_retries: Option<usize>,
    /// Which answers are a success.
    pub success: Option<Vec<String>>,
    /// Whether its deliveries go out.
    #[schema(value_type = WebhookStatus)]
    pub status: &'static str,
    /// Whether nobody paused it and nobody and no rule disabled it.
    pub enabled: bool,
    /// Why it is disabled or unverified.
    pub status_reason: Option<String>,
    /// Whether it gets test events only.
    pub test_mode: bool,
    /// Whether its endpoint is asked if it wants deliveries.
    pub ownership_check: bool,
    /// When a rule disables it.
    pub disable: Option<WrittenRule>,
    /// `fifo`, or null where its deliveries are in no order.
    #[schema(value_type = Option<WebhookOrder>)]
    pub order: Option<&'static str>,
    /// Only events with the same value there wait for each other.
    pub order_key: Option<String>,
    /// Whether what is behind a delivery that used up its retries goes out (`skip`) or waits (`hold`).
    pub on_dead: Option<OnDead>,
    /// A condition on the event: only events that it holds for are wanted.
    pub filter: Option<String>,
    /// What is made of an event's `data` for it, behind what the dialect makes of it.
    pub shape: Option<Written>,
    /// Networks that were opened for it though they are not public.
    pub allow: Vec<String>,
    /// TLS of its own.
    pub tls: Option<TlsView>,
    /// How it authenticates at its endpoint, beside its signature.
    pub auth: Option<AuthView>,
    /// It wants only events that share one of these channels; without any, events of all channels and of none.
    #[schema(example = json!(["project/7"]))]
    pub channels: Vec<String>,
    /// For your own lists.
    #[schema(example = json!(["beta", "team/7"]))]
    pub tags: Vec<String>,
    /// For your own systems.
    #[schema(example = json!({"customer": "c_42"}))]
    pub metadata: BTreeMap<String, String>,
    /// How it hears notices; null for one that hears events.
    pub notices: Option<NoticesView>,
    /// How deliveries come to who wants them: `push`, sent to the URL, or `pull`, asked for.
    pub mode: Mode,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When a person last changed it.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// When its latest attempt ended; null before the first.
    #[schema(format = DateTime)]
    pub last_attempt_at: Option<String>,
    /// When its latest success ended; null before the first.
    #[schema(format = DateTime)]
    pub last_success_at: Option<String>,
    /// Succeeded of ended deliveries, 0 to 1.
    pub success_rate: f64,
    /// Deliveries made, replays and tests included.
    pub deliveries: u64,
    /// Deliveries that succeeded.
    pub succeeded: u64,
    /// Deliveries that used up their retries.
    pub dead: u64,
    /// Deliveries that have not ended.
    pub open: u64,
    /// HTTP requests made.
    pub attempts: u64,
    /// Attempts that were no success.
    pub failed_attempts: u64,
    /// Failed attempts since the last success or enabling.
    pub consecutive_failures: u64,
    /// When the first of them ended.
    #[schema(format = DateTime)]
    pub failing_since: Option<String>,
    /// When one delivery goes out to see whether the endpoint of a disabled webhook is well again.
    #[schema(format = DateTime)]
    pub probe_at: Option<String>,
    /// When it goes on by itself, where it was paused until then; null where somebody resumes it.
    #[schema(format = DateTime)]
    pub resume_at: Option<String>,
    /// Pauses since the last success, because its endpoint could not be reached or asked for one, or there was no access token
    /// for it.
    pub pauses: u8,
    /// When the latest of them ends, or ended.
    #[schema(format = DateTime)]
    pub paused_until: Option<String>,
    /// How its deliveries stand on the sending side; only in the reply about this one webhook, and null if that is not
    /// known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<LaneView>)]
    pub lane: Option<Option<LaneView>>,
    /// The public key of the newest secret, where that is a key pair; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub public_key: Option<String>,
    /// Only in the reply to a create that generated it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub secret: Option<String>,
}

/// How a webhook's deliveries stand on the sending side.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Lane)]
pub struct LaneView {
    /// Deliveries that may be out at once: few at first, more as the endpoint takes them, at most `max_in_flight`.
    pub window: usize,
    /// Deliveries that are out.
    pub places: usize,
    /// Of one that is pulled: how many more the consumers ask for that wait now; null of others.
    pub wanted: Option<usize>,
    /// What the next one waits for; null if it goes out now.
    #[schema(value_type = Option<LaneWait>)]
    pub waits_for: Option<&'static str>,
    /// Until when, where that is known.
    #[schema(format = DateTime)]
    pub until: Option<String>,
}

impl ListRow for WebhookView {
    const ALONE: &'static [&'static str] = &["lane", "public_key", "secret"];
}

/// For whom a webhook is shown.
#[derive(Debug, Clone)]
pub struct Onlooker {
    /// The id of the webhook's account.
    pub account: String,
    /// Whether who asks may change it.
    pub may_manage: bool,
    /// Those in force, which say what is a secret.
    pub dialects: Arc<Dialects>,
}

/// All that is known of a webhook but its secrets; `shown` says what the wall clock shows at a moment.
pub fn view(webhook: &Webhook, by: &Onlooker, tally: &Tally, shown: impl Fn(UnixMs) -> UnixMs) -> WebhookView {
    let shown = |at| time::rfc3339(shown(at));
    WebhookView {
        id: webhook.id.to_string(),
        uid: webhook.uid.clone(),
        account: by.account.clone(),
        dialect: webhook.dialect.clone(),
        url: webhook.shown_url().map(|url| own_url(webhook, url, &by.dialects, by.may_manage)),
        events: webhook.events.iter().map(ToString::to_string).collect(),
        name: webhook.name.clone(),
        description: webhook.description.clone(),
        headers: own_headers(&webhook.headers, by.may_manage),
        rate_limit: webhook.rate_limit,
        max_in_flight: webhook.max_in_flight,
        timeout: webhook.timeout_seconds,
        retry: webhook.retry.clone(),
        max_retries: webhook.retry.as_ref().map(|retry| retry.delay_seconds.len()),
        success: webhook.success.clone().map(Into::into),
        status: webhook.status_word(),
        enabled: webhook.status == Status::Active,
        status_reason: webhook.status_reason().map(str::to_string),
        test_mode: webhook.test_mode,
        ownership_check: webhook.ownership.is_asked(),
        disable: webhook.disable.map(Into::into),
        order: webhook.order.as_ref().map(|_| "fifo"),
        order_key: webhook.order.as_ref().and_then(|order| order.key.as_ref()).map(|key| key.as_str().to_string()),
        on_dead: webhook.order.as_ref().map(|order| order.on_dead),
        filter: webhook.condition.clone(),
        shape: webhook.shape.as_deref().and_then(|text| serde_json::from_str(text).ok()),
        allow: webhook.allow.iter().map(ToString::to_string).collect(),
        tls: webhook.tls.as_ref().map(TlsView::from),
        auth: webhook.auth.as_ref().map(|auth| AuthView::of(auth, by.may_manage)),
        channels: webhook.channels.clone(),
        tags: webhook.tags.clone(),
        metadata: webhook.metadata.clone(),
        notices: webhook.notices.map(NoticesView::from),
        mode: webhook.mode,
        created_at: time::rfc3339(webhook.created_at),
        updated_at: time::rfc3339(webhook.updated_at),
        last_attempt_at: tally.last_attempt_at.map(shown),
        last_success_at: tally.last_success_at.map(shown),
        success_rate: tally.success_rate(),
        deliveries: tally.deliveries,
        succeeded: tally.succeeded,
        dead: tally.dead,
        open: tally.open(),
        attempts: tally.attempts,
        failed_attempts: tally.failed_attempts,
        consecutive_failures: tally.consecutive_failures,
        failing_since: tally.failing_since.map(shown),
        probe_at: webhook.status.probe_at().map(shown),
        resume_at: webhook.resumes_at.map(shown),
        pauses: tally.backoff.step,
        paused_until: (tally.backoff.step > 0).then(|| shown(tally.backoff.until)),
        lane: None,
        public_key: None,
        secret: None,
    }
}

impl WebhookView {
    /// With the public key that receivers verify with.
    pub fn with_public_key(self, public_key: Option<String>) -> Self {
        Self { public_key, ..self }
    }

    /// With how its deliveries stand.
    pub fn with_lane(self, webhook: &Webhook, standing: Option<Standing>, shown: impl Fn(UnixMs) -> UnixMs) -> Self {
        let standing = standing.map(|standing| standing.with_open(self.open, webhook.order.is_some()));
        let lane = standing.map(|Standing { window, places, wanted, wait }| LaneView {
            window,
            places,
            wanted: webhook.is_pulled().then_some(wanted),
            waits_for: wait.map(|wait| wait.why.word()),
            until: wait.and_then(|wait| wait.until).map(|at| time::rfc3339(shown(at))),
        });
        Self { lane: Some(lane), ..self }
    }

    /// With the secret, for the one reply that shows it.
    pub fn with_secret(self, secret: &Secret) -> Self {
        Self { secret: Some(secret.reveal().to_string()), ..self }
    }
}

/// As [`view`], for several; reads their counters.
pub fn views(store: &Store, by: &Onlooker, webhooks: &[Arc<Webhook>]) -> Result<Vec<WebhookView>, StoreError> {
    let shown = |at| store.shown(at);
    webhooks.iter().map(|webhook| Ok(view(webhook, by, &store.tally(webhook.number())?, shown))).collect()
}

/// What a face picks from.
pub fn object(view: &impl Serialize) -> Object {
    match serde_json::to_value(view) {
        Ok(Value::Object(object)) => object,
        other => unreachable!("a view is an object: {other:?}"),
    }
}

/// The names of the settings that differ, as the API calls them. What a change of the record alone says counts for nothing.
pub fn changed_settings(before: &Webhook, after: &Webhook) -> Vec<String> {
    let by = Onlooker { account: String::new(), may_manage: true, dialects: Arc::default() };
    let shown = |webhook: &Webhook| {
        object(&view(&Webhook { updated_at: 0, ..webhook.clone() }, &by, &Tally::default(), |at| at))
    };
    let (old, new) = (shown(before), shown(after));
    let differs = |name: &&String| old.get(*name) != new.get(*name);
    let mut names: Vec<String> = new.keys().filter(differs).cloned().collect();
    names.extend((before.secrets != after.secrets).then(|| "secret".to_string()));
    // Its secret alone may be another one, which no view shows.
    let is_hidden = before.auth != after.auth && !names.iter().any(|name| name == "auth");
    names.extend(is_hidden.then(|| "auth".to_string()));
    names
}
