//! Sending something to a webhook by hand: a test event of its own, or what an old delivery delivered. What stays true: a
//! test goes out at once whatever the webhook's state, and its reply says what the endpoint answered; only where the endpoint
//! has not shown that it wants deliveries, or the rate of its contract or of mail is used up, it is refused, and then nothing is stored.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, post, web};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::probing::warning;
use super::reach::{Reach, reach};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::{Manage, May};
use crate::api::event_types::catalogue::Catalogue;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::dialect::{Dialect, Ids};
use crate::domain::audit::Deed;
use crate::domain::delivery::AttemptSummary;
use crate::domain::id::{AttemptId, DeliveryId};
use crate::domain::probe::Tried;
use crate::domain::webhook::{EventFilter, Webhook};
use crate::domain::{Invalid, event, json};
use crate::store::{Accepted, NewEvent};

/// What a test call says.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookTest)]
pub struct TestInput {
    /// The type to send; the webhook's first exact one if left out.
    #[serde(default)]
    pub event_type: Option<String>,
    /// The data to send; the sample of the type if left out, the dialect's or else the account's own.
    #[serde(default)]
    #[schema(value_type = Option<serde_json::Value>)]
    pub data: Option<Box<RawValue>>,
}

/// A test event that was sent, and what its endpoint answered.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = TestResult)]
pub struct TestView {
    /// The test event.
    pub event_id: String,
    /// Its type.
    pub event_type: String,
    /// Its delivery.
    pub delivery_id: String,
    /// Whether the webhook takes the answer for a success. A test is tried once.
    pub success: bool,
    /// Null where no answer came.
    pub status_code: Option<u16>,
    /// How long it took, in milliseconds.
    pub response_time_ms: u32,
    /// Why it was no success.
    pub error: Option<String>,
    /// The start of the answer, as text.
    pub response_body: String,
}

/// A replay on its way.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Replay)]
struct ReplayView {
    /// The new delivery.
    delivery_id: String,
    /// The old one.
    replay_of: String,
}

/// Send a webhook a test event
///
/// It goes out at once, also if the webhook is paused or disabled, is tried once, and counts for no rule that disables it.
#[utoipa::path(
    operation_id = "webhooks.test", security(("key" = ["manage"])),
    params(("id" = String, Path)), request_body = Option<TestInput>,
    responses(
        (status = 202, description = "It was sent, and this is what the endpoint answered", body = Reply<TestView>),
        (status = 409, description = "Its endpoint has not shown that it wants deliveries, or its deliveries are pulled"),
        (status = 429, description = "The rate of its contract, or of mail, is used up; nothing was stored"),
    )
)]
#[post("/api/v1/webhooks/{id}/test")]
pub async fn test(
    Asked(tenant, body): Asked<Manage>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let mut tested = reach(&api, &tenant).test(&id, body.read_or_empty::<TestInput>()?).await?;
    let warnings = std::mem::take(&mut tested.warnings);
    Ok(Reply::with(StatusCode::ACCEPTED, tested.view(), warnings))
}

/// Deliver again what a delivery delivered
#[utoipa::path(
    operation_id = "deliveries.replay", security(("key" = ["manage"])),
    params(("id" = String, Path), ("delivery_id" = String, Path)),
    responses(
        (status = 202, description = "On its way as a new delivery", body = Reply<ReplayView>),
        (status = 410, description = "The payload of its event was purged"),
    )
)]
#[post("/api/v1/webhooks/{id}/replay/{delivery_id}")]
pub async fn replay(
    tenant: May<Manage>,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (new, old) = reach(&api, &tenant).replay(&path.0, &path.1).await?;
    Ok(Reply::accepted(ReplayView { delivery_id: new.to_string(), replay_of: old.to_string() }))
}

/// A test that was sent.
pub struct Tested {
    event: Accepted,
    delivery: DeliveryId,
    tried: Tried,
    /// What to tell about it.
    pub warnings: Vec<String>,
}

impl Tested {
    /// How it is shown.
    pub fn view(self) -> TestView {
        self.view_with(&Ids::default(), false)
    }

    /// The same with ids of this form; `names_attempt`: in place of the delivery's id stands the attempt's.
    pub fn view_with(self, ids: &Ids, names_attempt: bool) -> TestView {
        let Tried { attempt, success } = self.tried;
        let id = AttemptId { delivery: self.delivery, number: attempt.summary.number };
        let AttemptSummary { outcome, duration_ms, .. } = attempt.summary;
        TestView {
            event_id: ids.event.spell(self.event.id.uuid()),
            event_type: self.event.event_type,
            delivery_id: match names_attempt {
                true => ids.delivery.spell_attempt(id),
                false => ids.delivery.spell(self.delivery.uuid()),
            },
            success,
            status_code: outcome.status(),
            response_time_ms: duration_ms,
            error: (!success).then(|| outcome.to_string()),
            response_body: String::from_utf8_lossy(&attempt.response_body).into_owned(),
        }
    }
}

impl Reach<'_> {
    /// Sends a webhook a test event of its own, and waits for what its endpoint answers.
    pub async fn test(&self, id: &str, input: TestInput) -> Result<Tested, Problem> {
        let webhook = self.with_endpoint(id)?;
        let dialect = self.api.loaded(&webhook.dialect)?;
        if let Some(warning) = warning(&webhook) {
            return Err(Problem::wrong_state(warning));
        }
        let (event, warnings) = match webhook.notices {
            Some(_) => (self.test_notice(&webhook, input)?, Vec::new()),
            None => self.test_event(&webhook, &dialect, input)?,
        };
        self.keep_to_rate(&webhook, &dialect)?;
        let (account, id) = (webhook.account, webhook.id);
        let accepted = self.api.change(self.tenant, move |staging| {
            let accepted = staging.accept_test(account, id, event)?;
            Ok((Some(Deed::to_webhook(account, "tested", id)), accepted))
        });
        let (event, delivery) = accepted.await?;
        let (id, sending, store) =
            (delivery.id, self.api.outbound.test(webhook, delivery.clone()), self.api.store.clone());
        // A task of its own: what was sent is written down, also where whoever asked has gone.
        let sent = actix_web::rt::spawn(async move {
            let tried = sending.await;
            let Tried { attempt, success } = tried.clone();
            store.change(account, move |staging| staging.put_tested(delivery, &attempt, success)).await.map(|()| tried)
        });
        let tried = sent.await.map_err(Problem::internal)??;
        Ok(Tested { event, delivery: id, tried, warnings })
    }

    /// What a webhook that hears notices is tested with: a notice, in nobody's words but the server's.
    fn test_notice(&self, webhook: &Webhook, input: TestInput) -> Result<NewEvent, Invalid> {
        let said = [("event_type", input.event_type.is_some()), ("data", input.data.is_some())];
        if let Some((field, _)) = said.into_iter().find(|(_, is_said)| *is_said) {
            let message =
                "cannot be chosen for a webhook that hears notices: it is tested with one of the server's own";
            return Err(Invalid::new(field, message));
        }
        let account = &self.tenant.account().id;
        Ok(NewEvent { test: true, ..NewEvent::test_notice(account, &webhook.id.to_string(), webhook.name.as_deref()) })
    }

    /// What to tell of a type that is asked for.
    fn unknown_type(&self, dialect: &Dialect, event_type: Option<&str>) -> Result<Option<String>, Invalid> {
        let Some(event_type) = event_type.filter(|text| event::check_type(text).is_ok()) else { return Ok(None) };
        let wanted = EventFilter::Exact(event_type.to_string());
        Catalogue { api: self.api, account: self.tenant.account(), dialects: &[dialect], search: &self.search }
            .check_heard("event_type", &wanted)
    }

    /// The event, and what to tell about its numbers.
    fn test_event(
        &self,
        webhook: &Webhook,
        dialect: &Dialect,
        input: TestInput,
    ) -> Result<(NewEvent, Vec<String>), Invalid> {
        let unknown_type = self.unknown_type(dialect, input.event_type.as_deref())?;
        let event_type = input.event_type.unwrap_or_else(|| usual_type(webhook, dialect));
        event::check_type(&event_type).map_err(|invalid| Invalid { field: "event_type".into(), ..invalid })?;
        let data = match input.data {
            Some(data) => String::from(Box::<str>::from(data)),
            None => self.sample(dialect, &event_type),
        };
        json::check(data.as_bytes()).map_err(|refusal| Invalid::new("data", refusal.to_string()))?;
        let mut warnings = dialect.check_numbers("data", data.as_bytes())?;
        warnings.extend(unknown_type);
        let actor = dialect.sample_actor.as_ref().map(|actor| Bytes::from(actor.get().to_string()));
        let data = Bytes::from(data);
        let event = NewEvent {
            name: None,
            event_type,
            created_at: None,
            data,
            actor,
            metadata: None,
            test: true,
            channels: Vec::new(),
            fingerprint: None,
            trace: None,
        };
        Ok((event, warnings))
    }

    /// What a test of this type sends where nobody says what: the sample of the dialect, or else the account's own.
    pub fn sample(&self, dialect: &Dialect, event_type: &str) -> String {
        if let Some(known) = dialect.sample(event_type) {
            return known.sample.get().to_string();
        }
        let registry = self.api.store.registry();
        let own = registry.event_type(self.tenant.account().number, event_type);
        own.and_then(|known| known.own().sample.clone()).unwrap_or_else(|| r#"{"test":true}"#.into())
    }

    /// Counts a test of its endpoint's rate limit. Where the contract promises callers what is left of it, it is kept to; and
    /// where it is mail, which goes out in the operator's name.
    fn keep_to_rate(&self, webhook: &Webhook, dialect: &Dialect) -> Result<(), Problem> {
        let Some(limit) = webhook.pace(dialect.rate_limit) else { return Ok(()) };
        let is_promised = dialect.face.as_ref().is_some_and(|face| face.rate_limit_headers);
        if !is_promised && !webhook.url.is_mail() {
            self.api.outbound.spend(webhook.number(), limit);
            return Ok(());
        }
        let message = "the endpoint's rate limit is used up; nothing was sent and nothing is stored, so ask again then";
        self.api.outbound.take(webhook.number(), limit).map_err(|wait_ms| Problem::rate_limited(message, wait_ms))
    }

    /// Delivers again what a delivery delivered.
    pub async fn replay(&self, id: &str, delivery: &str) -> Result<(DeliveryId, DeliveryId), Problem> {
        let (account, id) = (self.tenant.account().number, self.webhook(id)?.id);
        let old = DeliveryId::parse(delivery).ok_or_else(|| Problem::not_found("delivery"))?;
        let replayed = self.api.change(self.tenant, move |staging| {
            let new = staging.replay(account, id, old)?;
            Ok((Some(Deed::new(account, "delivery.replayed", old)), new))
        });
        Ok((replayed.await?, old))
    }
}

/// The webhook's first exact type, else the first of the catalogue that it wants.
pub fn usual_type(webhook: &Webhook, dialect: &Dialect) -> String {
    let exact = webhook.events.iter().find_map(|filter| match filter {
        EventFilter::Exact(exact) => Some(exact.as_str()),
        _ => None,
    });
    let documented = || dialect.catalogue.iter().map(|known| known.name.as_str());
    let wanted = || documented().find(|name| webhook.wants(name));
    exact.or_else(wanted).or_else(|| documented().next()).unwrap_or("test").to_string()
}
