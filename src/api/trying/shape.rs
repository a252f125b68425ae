//! `POST /api/v1/shape/try`: what a shape makes of an event, and the whole body that would be sent.

use std::sync::Arc;

use actix_web::{HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::input::{TriedEvent, Which};
use crate::api::Api;
use crate::api::access::asked::Asked;
use crate::api::access::auth::Read;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::api::http::request::Object;
use crate::api::webhooks::reach::reach;
use crate::dialect::Dialect;
use crate::domain::Invalid;
use crate::domain::account::Account;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::event::Event;
use crate::domain::shape::{Budget, Facts, STEPS_MAX, Shape, Unshaped, Written, output_bytes_max};
use crate::domain::time::UnixMs;
use crate::domain::webhook::{EventFilter, Webhook};

/// A shape to try on an event.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ShapeTry)]
struct ShapeTryInput {
    /// The shape; the webhook's own if left out.
    #[serde(default)]
    #[schema(value_type = Option<Written>)]
    shape: Option<Object<Written>>,
    /// The id of a webhook, to see what it would be sent: its dialect shapes the event first.
    #[serde(default)]
    webhook: Option<String>,
    /// The name of a dialect instead, to see what webhooks of it would be sent.
    #[serde(default)]
    dialect: Option<String>,
    /// An event to try it on.
    #[serde(default)]
    #[schema(value_type = Option<TriedEvent>)]
    event: Option<Object<TriedEvent>>,
    /// The id of a stored event instead.
    #[serde(default)]
    event_id: Option<String>,
}

/// What came of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ShapeTried)]
struct ShapeTriedView {
    /// What is made of the event's `data`; null where it is too much.
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<Box<RawValue>>,
    /// The whole body of a first attempt, as it would be sent, but for a signature in it; null where no webhook and no dialect was
    /// named.
    #[schema(example = "{\"type\":\"order.paid\",\"data\":{\"id\":7}}")]
    body: Option<String>,
    /// Paths of the shape that led to nothing in this event; null where they were not looked for, since following each alone takes
    /// longer than shaping may.
    #[schema(example = json!(["@.data.customer.name"]))]
    missing: Option<Vec<String>>,
    /// What it took, by the dialect's shape and the other together.
    #[schema(example = 42)]
    steps: u64,
    /// What it may take; above, the delivery would be dead.
    #[schema(example = 2_097_152)]
    steps_max: u64,
    /// How long the data is that was made, in bytes.
    #[schema(example = 120)]
    bytes: usize,
    /// How long it may be for this event; above, the delivery would be dead.
    #[schema(example = 66_016)]
    bytes_max: usize,
    /// Why nothing was made, as the delivery would say.
    #[schema(example = "shape_too_costly: shaping the event takes longer than it may")]
    error: Option<String>,
}

/// Show what a shape makes of an event
///
/// With the `id` of a webhook or the name of a dialect, also the whole body as it would be sent. Nothing is stored or sent.
#[utoipa::path(
    operation_id = "shape.preview", security(("key" = ["read"])),
    request_body = ShapeTryInput,
    responses(
        (status = 200, description = "What came of it", body = Reply<ShapeTriedView>),
        (status = 404, description = "There is no such webhook or event"),
        (status = 409, description = "The webhook's dialect is not loaded: its file is gone"),
        (status = 410, description = "The event's payload was purged"),
    )
)]
#[post("/api/v1/shape/try")]
pub async fn try_shape(Asked(tenant, body): Asked<Read>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let input = body.read::<ShapeTryInput>()?;
    let given = input.shape.map(|Object(written)| Shape::of(written)).transpose()?;
    let account = tenant.account().clone();
    let (webhook, dialect) = match (&input.webhook, &input.dialect) {
        (Some(_), Some(_)) => return Err(Invalid::new("dialect", "is the webhook's; one of the two is enough").into()),
        (Some(id), None) => {
            let missing = |problem: Problem| problem.with_field("webhook");
            let webhook = reach(&api, &tenant).webhook(id).map_err(missing)?;
            let dialect = api.loaded(&webhook.dialect)?;
            (Some(webhook), Some(dialect))
        }
        (None, Some(name)) => (None, Some(api.served_dialect(name)?)),
        (None, None) => (None, None),
    };
    let own = match (given, &webhook) {
        (None, Some(webhook)) => webhook.own_shape()?,
        (given, _) => given,
    };
    if own.is_none() && dialect.is_none() {
        let message = "is missing: bring a shape, or name the webhook or the dialect whose shape is to be tried";
        return Err(Invalid::new("shape", message).into());
    }
    let which = Which { event: input.event.map(|Object(event)| event), event_id: input.event_id };
    let event = which.find(&api, account.number).await?;
    let (number, now) = (account.number, api.clock.wall());
    let trial = Trial { event, own, dialect, webhook, account, now };
    Ok(Reply::ok(api.read(number, move || trial.made()).await??))
}

/// All that it is made of.
struct Trial {
    event: Arc<Event>,
    own: Option<Shape>,
    dialect: Option<Arc<Dialect>>,
    webhook: Option<Arc<Webhook>>,
    account: Account,
    now: UnixMs,
}

impl Trial {
    fn made(&self) -> Result<ShapeTriedView, Problem> {
        let bytes_max = output_bytes_max(self.facts(&self.event.data).bytes());
        let mut view = ShapeTriedView {
            data: None,
            body: None,
            missing: Some(Vec::new()),
            steps: 0,
            steps_max: STEPS_MAX,
            bytes: 0,
            bytes_max,
            error: None,
        };
        match self.shaped(&mut view).and_then(|data| Ok((data, self.body()?))) {
            Ok((data, body)) => {
                view.bytes = data.len();
                let text = String::from_utf8(data).map_err(Problem::internal)?;
                view.data = Some(RawValue::from_string(text).map_err(Problem::internal)?);
                view.body = body;
            }
            Err(unshaped) => view.error = Some(format!("shape_too_costly: {unshaped}")),
        }
        Ok(view)
    }

    fn facts<'f>(&'f self, data: &'f [u8]) -> Facts<'f> {
        Facts::of(&self.event.event_type, data, self.event.actor.as_deref(), self.event.metadata.as_deref())
    }

    /// The data, by the dialect's shape and then the other; notes what it took.
    fn shaped(&self, view: &mut ShapeTriedView) -> Result<Vec<u8>, Unshaped> {
        let shapes = self.dialect.iter().filter_map(|dialect| dialect.shape.as_ref()).chain(&self.own);
        let mut data = self.event.data.to_vec();
        let mut budget = Budget::of(self.facts(&data).bytes());
        for shape in shapes {
            let facts = self.facts(&data);
            view.missing = view.missing.take().zip(shape.missing(&facts).ok()).map(|all| [all.0, all.1].concat());
            let shaped = shape.apply(&facts, &mut budget);
            view.steps = budget.steps();
            data = shaped?;
        }
        Ok(data)
    }

    /// Nobody gets a signature over what he made up.
    fn body(&self) -> Result<Option<String>, Unshaped> {
        let Some(dialect) = &self.dialect else { return Ok(None) };
        let any = || {
            let url = EndpointUrl::parse("https://example.com/webhooks", false).expect("it is a URL");
            Arc::new(Webhook::new(self.account.number, dialect.name.clone(), url, vec![EventFilter::All]))
        };
        let webhook = self.webhook.clone().unwrap_or_else(any);
        let body = dialect.first_body((&self.event, self.now), &webhook, self.own.as_ref(), &self.account.id)?;
        Ok(Some(String::from_utf8_lossy(&body).into_owned()))
    }
}
