//! Asking an endpoint something at once: whether it wants deliveries (the ownership check), or how it is (the health
//! check). What stays true: a probe goes past the same guard as deliveries, and what it finds is never trusted more than
//! an answer can be.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, post, web};
use serde::Serialize;

use super::reach::Reach;
use super::reach::{reach, shown};
use super::view::WebhookView;
use crate::api::Api;
use crate::api::access::auth::{Manage, May};
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::dialect::{AttemptFacts, Challenge, Dialect, HEALTH_CHECK_BODY};
use crate::domain::delivery::{Outcome, RESPONSE_BODY_BYTES_MAX};
use crate::domain::endpoint::EndpointUrl;
use crate::domain::endpoint_auth::EndpointAuth;
use crate::domain::event::Event;
use crate::domain::id::{EventId, IdSource};
use crate::domain::probe::{Method, Probe, Probed};
use crate::domain::webhook::Webhook;

/// How TLS with an endpoint went: `none`, it was not tried, since the endpoint is an `http://` one.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "ok")]
pub enum TlsResult {
    /// It was made.
    Ok,
    /// It was not.
    Failed,
    /// It was not tried.
    None,
}

impl TlsResult {
    /// In words for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "made",
            Self::Failed => "failed",
            Self::None => "not tried: the endpoint is an http:// one",
        }
    }
}

/// How an endpoint is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = EndpointCheck)]
pub struct CheckView {
    /// Whether it answered at all, with any status.
    pub reachable: bool,
    /// How TLS went; null if it was not reached.
    pub tls: Option<TlsResult>,
    /// What it answered. A request without a true signature is rightly answered 401.
    pub status_code: Option<u16>,
    /// How long it took, in milliseconds.
    pub response_time_ms: u32,
    /// Why it was not reached, or not asked: without an access token it is not.
    pub error: Option<String>,
}

/// Call a webhook's endpoint to see how it is
///
/// Sends `{"test": true}` with `test` in the place of the signature; nothing is stored and nothing retried.
#[utoipa::path(
    operation_id = "webhooks.check", security(("key" = ["manage"])),
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "What was found, good or bad", body = Reply<CheckView>),
        (status = 409, description = "Its dialect is not loaded: its file is gone; or its deliveries are pulled"),
    )
)]
#[post("/api/v1/webhooks/{id}/check")]
pub async fn check(tenant: May<Manage>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    Ok(Reply::ok(reach(&api, &tenant).check(&id).await?))
}

/// Ask an endpoint again whether it wants deliveries
#[utoipa::path(
    operation_id = "webhooks.verify", security(("key" = ["manage"])),
    params(("id" = String, Path)),
    responses(
        (status = 200, description = "Its `status` says what came of it", body = Reply<WebhookView>),
        (status = 409, description = "Nobody asks it, or its deliveries are pulled"),
    )
)]
#[post("/api/v1/webhooks/{id}/verify")]
pub async fn verify(tenant: May<Manage>, api: web::Data<Api>, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let reach = reach(&api, &tenant);
    let webhook = reach.verify(&id).await?;
    shown(&reach, &webhook, warning(&webhook).into_iter().collect())
}

/// What to tell about a webhook whose endpoint did not pass.
pub fn warning(webhook: &Webhook) -> Option<String> {
    let reason = webhook.ownership.reason()?;
    Some(format!("the endpoint is not verified, so nothing is delivered: {reason}; POST …/verify tries again"))
}

/// Refuses to ask somebody who can only be written to.
fn refuse_mail(webhook: &Webhook) -> Result<(), Problem> {
    if !webhook.url.is_mail() {
        return Ok(());
    }
    Err(Problem::wrong_state("a mailto: webhook has no endpoint that could answer; POST …/test sends a mail"))
}

impl Reach<'_> {
    /// Asks the endpoint of a webhook again.
    pub async fn verify(&self, id: &str) -> Result<Webhook, Problem> {
        let webhook = self.with_endpoint(id)?;
        if !webhook.ownership.is_asked() {
            return Err(Problem::wrong_state(
                "this webhook has no ownership check; set ownership_check to true to ask its endpoint",
            ));
        }
        self.prove_ownership((*webhook).clone()).await
    }

    /// Asks the endpoint whether it wants deliveries, and records what came of it. If the webhook's URL has changed
    /// meanwhile the answer counts for nothing.
    pub async fn prove_ownership(&self, webhook: Webhook) -> Result<Webhook, Problem> {
        let dialect = self.api.loaded(&webhook.dialect)?;
        let rule = dialect.challenge.clone().unwrap_or_default();
        let event = self.probe_event(&webhook, rule.event_type());
        let keys: Vec<_> = webhook.secrets.iter().filter(|one| one.signs_at(self.api.clock.now())).collect();
        let keys = keys.iter().map(|one| dialect.signing_key(&one.secret)).collect::<Result<Vec<_>, _>>()?;
        let asked = dialect.ask(&rule, &self.facts(&webhook, &event), &keys, &self.random_text());
        let checked = self.put(&webhook, &dialect, asked, rule.timeout_seconds).await;
        let url = webhook.url.clone();
        let changed = self.change(&webhook, "verified", move |webhook, _| {
            if webhook.url == url {
                webhook.ownership = webhook.ownership.after(checked);
            }
            Ok(())
        });
        changed.await
    }

    /// Puts the question to the endpoint, and where the contract wants it, one that must be refused.
    async fn put(
        &self,
        webhook: &Webhook,
        dialect: &Dialect,
        asked: Challenge,
        timeout_seconds: u32,
    ) -> Result<(), String> {
        let url = webhook.url.with_query(&asked.query);
        let question = |headers| Question { method: asked.method, url: url.clone(), headers, body: asked.body.clone() };
        let probed = self.probe(webhook, question(asked.headers.clone()), timeout_seconds).await;
        match &probed.outcome {
            Outcome::Status(status) if webhook.success.as_ref().unwrap_or(&dialect.success).accepts(*status) => {
                asked.check(&probed.answer)?;
            }
            outcome => return Err(outcome.to_string()),
        }
        let Some((headers, wanted)) = asked.forged.clone() else { return Ok(()) };
        let probed = self.probe(webhook, question(headers), timeout_seconds).await;
        match &probed.outcome {
            Outcome::Status(status) if *status == wanted => Ok(()),
            outcome => Err(format!("a request with a wrong signature must be answered {wanted}, but: {outcome}")),
        }
    }

    /// Calls the endpoint of a webhook to see how it is.
    pub async fn check(&self, id: &str) -> Result<CheckView, Problem> {
        let webhook = self.with_endpoint(id)?;
        refuse_mail(&webhook)?;
        let dialect = self.api.loaded(&webhook.dialect)?;
        let event = self.probe_event(&webhook, "test");
        let headers = dialect.health_check_headers(&self.facts(&webhook, &event));
        let timeout = webhook.timeout_seconds.unwrap_or(dialect.timeout_seconds);
        let (method, url) = (Method::Post, webhook.url.clone());
        let question = Question { method, url, headers, body: HEALTH_CHECK_BODY.into() };
        let probed = self.probe(&webhook, question, timeout).await;
        Ok(CheckView::of(&webhook, &probed))
    }

    async fn probe(&self, webhook: &Webhook, question: Question, timeout_seconds: u32) -> Probed {
        let Question { method, url, headers, body } = question;
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_string();
        let own = headers.iter().map(|(name, value)| (name.to_string(), text(value)));
        let shown = webhook.auth.as_ref().and_then(EndpointAuth::fixed_header);
        let headers = webhook.headers.iter().cloned().chain(own).chain(shown).collect();
        let oauth2 = webhook.auth.as_ref().and_then(EndpointAuth::oauth2);
        let probe = Probe {
            method,
            account: webhook.account,
            url,
            headers,
            upper_case: false,
            body: body.into(),
            timeout_seconds,
            allow: webhook.allow.clone(),
            tls: webhook.tls.clone(),
            answer_bytes_max: RESPONSE_BODY_BYTES_MAX,
            oauth2: oauth2.map(|oauth2| (webhook.number(), oauth2.clone())),
        };
        self.api.outbound.probe(probe).await
    }

    fn random_text(&self) -> String {
        let mut random = [0; 16];
        self.api.with_dice(|dice| dice.fill(&mut random));
        random.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What stands for the event in the headers of a probe. It is not stored.
    fn probe_event(&self, webhook: &Webhook, event_type: &str) -> Event {
        let now = self.api.clock.now();
        let id = IdSource::after(0).next(now, 0, || self.api.with_dice(|dice| dice.bits()));
        Event {
            id: EventId(id),
            account: webhook.account,
            name: None,
            event_type: event_type.to_string(),
            created_at: self.api.clock.shown(now),
            test: true,
            webhooks: vec![webhook.number()],
            channels: Vec::new(),
            fingerprint: None,
            trace: None,
            data: "{}".into(),
            actor: None,
            metadata: None,
        }
    }

    fn facts<'f>(&'f self, webhook: &'f Webhook, event: &'f Event) -> AttemptFacts<'f> {
        let delivery = event.id.delivery_to(webhook.number());
        let (account_id, now) = (&self.tenant.account().id, self.api.clock.wall());
        AttemptFacts { event, webhook, account_id, delivery, attempt: 1, now }
    }
}

/// What an endpoint is asked.
struct Question {
    method: Method,
    url: EndpointUrl,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

impl CheckView {
    fn of(webhook: &Webhook, probed: &Probed) -> Self {
        let is_https = webhook.url.as_str().starts_with("https:");
        let reachable = probed.outcome.status().is_some();
        let tls = match &probed.outcome {
            Outcome::Tls(_) => Some(TlsResult::Failed),
            _ if !reachable => None,
            _ => Some(if is_https { TlsResult::Ok } else { TlsResult::None }),
        };
        Self {
            reachable,
            tls,
            status_code: probed.outcome.status(),
            response_time_ms: probed.duration_ms,
            error: (!reachable).then(|| probed.outcome.to_string()),
        }
    }
}

/// Whether a webhook of this dialect is asked, where its own setting is `wish`.
pub fn is_asked(dialect: &Dialect, wish: Option<bool>) -> bool {
    dialect.challenge.is_some() || wish == Some(true)
}
