//! Sending something to a webhook by hand: a test event of its own, or what an old delivery delivered.

use actix_web::{HttpResponse, post, web};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::reach::{Reach, reach};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::{Manage, May};
use crate::api::http::problem::{ErrorReply, Problem};
use crate::api::http::reply::Reply;
use crate::dialect::Dialect;
use crate::domain::audit::Deed;
use crate::domain::id::DeliveryId;
use crate::domain::webhook::{EventFilter, Webhook};
use crate::domain::{Invalid, event, json};
use crate::store::{Accepted, NewEvent};

/// What a test call says.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestInput {
    /// The type to send; the webhook's first exact one if left out.
    #[serde(default)]
    event_type: Option<String>,
    /// The data to send; the dialect's sample if left out.
    #[serde(default)]
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<Box<RawValue>>,
}

/// A test event on its way.
#[derive(Serialize, utoipa::ToSchema)]
struct TestView {
    event_id: String,
    event_type: String,
    delivery_id: String,
}

/// A replay on its way.
#[derive(Serialize, utoipa::ToSchema)]
struct ReplayView {
    /// The new delivery.
    delivery_id: String,
    /// The old one.
    replay_of: String,
}

/// Send a webhook a test event
#[utoipa::path(tag = "webhooks", params(("id" = String, Path)), request_body = Option<TestInput>, responses(
    (status = 202, description = "On its way", body = Reply<TestView>),
    (status = 400, description = "A field cannot be taken", body = ErrorReply<'static>),
    (status = 404, description = "There is no such webhook", body = ErrorReply<'static>),
))]
#[post("/api/v1/webhooks/{id}/test")]
pub async fn test(
    Asked(tenant, body): Asked<Manage>,
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (event, delivery) = reach(&api, &tenant).test(&id, body.read_or_empty::<TestInput>()?).await?;
    Ok(Reply::accepted(TestView {
        event_id: event.id.to_string(),
        event_type: event.event_type,
        delivery_id: delivery.to_string(),
    }))
}

/// Deliver again what a delivery delivered
#[utoipa::path(tag = "webhooks", params(("id" = String, Path), ("delivery_id" = String, Path)), responses(
    (status = 202, description = "On its way as a new delivery", body = Reply<ReplayView>),
    (status = 404, description = "There is no such webhook or delivery", body = ErrorReply<'static>),
))]
#[post("/api/v1/webhooks/{id}/replay/{delivery_id}")]
pub async fn replay(
    tenant: May<Manage>,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (new, old) = reach(&api, &tenant).replay(&path.0, &path.1).await?;
    Ok(Reply::accepted(ReplayView { delivery_id: new.to_string(), replay_of: old.to_string() }))
}

impl Reach<'_> {
    /// Sends a webhook a test event of its own.
    pub async fn test(&self, id: &str, input: TestInput) -> Result<(Accepted, DeliveryId), Problem> {
        let webhook = self.webhook(id)?;
        let dialect = self.api.loaded(&webhook.dialect)?;
        let event = test_event(&webhook, &dialect, input)?;
        let (account, id) = (self.tenant.account().number, webhook.id);
        let sent = self.api.change(self.tenant, move |staging| {
            let sent = staging.accept_test(account, id, event)?;
            Ok((Some(Deed::to_webhook(account, "tested", id)), sent))
        });
        Ok(sent.await?)
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

fn test_event(webhook: &Webhook, dialect: &Dialect, input: TestInput) -> Result<NewEvent, Invalid> {
    let event_type = input.event_type.unwrap_or_else(|| usual_type(webhook, dialect));
    event::check_type(&event_type).map_err(|invalid| Invalid { field: "event_type".into(), ..invalid })?;
    let data = match input.data {
        Some(data) => String::from(Box::<str>::from(data)),
        None => dialect.sample(&event_type).map_or(r#"{"test":true}"#, |known| known.sample.get()).to_string(),
    };
    json::check(data.as_bytes()).map_err(|refusal| Invalid::new("data", refusal.to_string()))?;
    let actor = dialect.sample_actor.as_ref().map(|actor| Bytes::from(actor.get().to_string()));
    let data = Bytes::from(data);
    Ok(NewEvent {
        name: None,
        event_type,
        created_at: None,
        data,
        actor,
        metadata: None,
        test: true,
        fingerprint: None,
    })
}

/// The webhook's first exact type, else the first of the catalogue that it wants.
fn usual_type(webhook: &Webhook, dialect: &Dialect) -> String {
    let exact = webhook.events.iter().find_map(|filter| match filter {
        EventFilter::Exact(exact) => Some(exact.as_str()),
        _ => None,
    });
    let documented = || dialect.catalogue.iter().map(|known| known.name.as_str());
    let wanted = || documented().find(|name| webhook.wants(name));
    exact.or_else(wanted).or_else(|| documented().next()).unwrap_or("test").to_string()
}
