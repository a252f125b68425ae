//! How dialects are shown.

use ipnet::IpNet;
use serde::Serialize;

use crate::dialect::Dialect;
use crate::docs;
use crate::domain::disable::WrittenRule;
use crate::domain::rate_limit::RateLimit;
use crate::domain::retry::RetrySchedule;

/// A dialect.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Dialect)]
pub struct DialectView {
    /// Its name.
    pub name: String,
    /// For people, such as the product's name.
    pub title: String,
    /// What it is, in a sentence or two.
    pub description: String,
    /// Where its API starts; null if the native one serves it.
    pub base: Option<String>,
    /// Documented event types.
    pub events: usize,
    /// Where its documentation is.
    pub docs: String,
    /// The deadline of one attempt.
    pub timeout_seconds: u32,
    /// Which answers are a success.
    pub success: Vec<String>,
    /// When to try again.
    pub retry: RetrySchedule,
    /// When failures disable a webhook.
    pub disable: WrittenRule,
    /// A webhook's requests a second or a minute, at most; null: no limit.
    pub rate_limit: Option<RateLimit>,
    /// What an account may ask for.
    pub limits: LimitsView,
    /// What its requests carry.
    pub headers: Vec<HeaderView>,
    /// How requests are signed, in words.
    pub signature: String,
    /// Whether an endpoint must show that it wants deliveries.
    pub ownership_check: bool,
    /// Where requests come from; empty: no addresses are published.
    pub egress: Vec<String>,
    /// The types that it documents.
    pub event_types: Vec<String>,
    /// The text of its file; only where it is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub source: Option<String>,
}

impl DialectView {
    /// With the text of its file.
    pub fn with_source(self, dialect: &Dialect) -> Self {
        Self { source: Some(dialect.source.clone()), ..self }
    }
}

/// What an account may ask for; null is no limit.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = DialectLimits)]
pub struct LimitsView {
    /// Webhooks of one account.
    pub webhooks_per_account: Option<u32>,
    /// Of one webhook on one UTC day, retries not counted.
    pub deliveries_per_day: Option<u32>,
    /// Bytes of one request body.
    pub body_bytes: Option<usize>,
    /// Requests to one webhook under way at once.
    pub in_flight: u32,
}

/// A header.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = DialectHeader)]
pub struct HeaderView {
    /// Its name.
    pub name: String,
    /// With `{placeholders}`.
    pub value: String,
}

/// A dialect; `egress`: where requests come from.
pub fn view(dialect: &Dialect, egress: &[IpNet]) -> DialectView {
    let header = |name: &str, value: String| HeaderView { name: name.into(), value };
    let mut headers = vec![
        header("Content-Type", dialect.content_type().as_str().into()),
        header("User-Agent", dialect.user_agent.as_str().into()),
    ];
    headers.extend(dialect.headers.iter().map(|rule| header(&rule.key.spelled, rule.value.to_string())));
    let signed = dialect.signatures_in_headers();
    headers.extend(signed.map(|(rule, key)| header(&key.spelled, rule.value.to_string())));
    DialectView {
        name: dialect.name.clone(),
        title: dialect.title.clone(),
        description: dialect.description.clone(),
        base: dialect.face.as_ref().map(|face| face.base.clone()),
        events: dialect.catalogue.len(),
        docs: format!("/docs/webhooks/{}", dialect.name),
        timeout_seconds: dialect.timeout_seconds,
        success: dialect.success.clone().into(),
        retry: dialect.retry.clone(),
        disable: dialect.disable.into(),
        rate_limit: dialect.rate_limit,
        limits: LimitsView {
            webhooks_per_account: dialect.limits.webhooks_per_account,
            deliveries_per_day: dialect.limits.first_attempts_per_day,
            body_bytes: dialect.limits.body_bytes_max,
            in_flight: dialect.max_in_flight,
        },
        headers,
        signature: docs::signature_in_words(dialect),
        ownership_check: dialect.challenge.is_some(),
        egress: egress.iter().map(ToString::to_string).collect(),
        event_types: dialect.catalogue.iter().map(|known| known.name.clone()).collect(),
        source: None,
    }
}
