//! Bodies that are over what a contract allows, told to the producer who posts them: such a delivery ends without being
//! sent. What stays true: only what comes near a limit is written to be measured, what is long on another thread in the
//! account's turn, and its request keeps its share of the budget of bodies until then. So a large event costs others nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::Api;
use crate::api::events::input::{Form, at};
use crate::api::http::problem::Problem;
use crate::dialect::Dialect;
use crate::domain::account::Account;
use crate::domain::event::Event;
use crate::domain::id::{AccountNumber, EventId};
use crate::domain::shape::Shape;
use crate::domain::webhook::Webhook;
use crate::store::{NewEvent, Publish};

/// A body has at most about so many times the bytes of what the producer posted: numbers may be written out.
const GROWTH_MAX: usize = 8;
/// What a contract puts around them has at most about so many.
const ENVELOPE_BYTES_MAX: usize = 4096;
/// So much of a request is measured where it is.
const AT_ONCE_BYTES_MAX: usize = 64 * 1024;

/// Webhooks with a shape of their own have bodies of their own: of so many of one request it is told.
const SHAPES_MAX: usize = 16;

/// An event whose body may be over a contract's limit, and the webhooks of that contract that want it, in the same shape.
struct Suspect {
    index: usize,
    dialect: Arc<Dialect>,
    limit: usize,
    shape: Option<Shape>,
    webhooks: Vec<Arc<Webhook>>,
}

/// The least limit of the account's contracts, if one of these events comes near it, so that it is worth asking.
pub fn near_limit(api: &Api, account: AccountNumber, events: &[NewEvent]) -> Option<usize> {
    let (dialects, registry) = (api.dialects.now(), api.store.registry());
    let limits = registry.dialects_of(account).filter_map(|name| dialects.get(name)?.limits.body_bytes_max);
    limits.min().filter(|least| events.iter().any(|event| comes_near(event.bytes(), *least)))
}

fn comes_near(bytes: usize, limit: usize) -> bool {
    bytes * GROWTH_MAX + ENVELOPE_BYTES_MAX > limit
}

/// Warnings about events to publish, one a webhook; `least` is the account's least limit.
pub async fn check(
    api: &Api,
    account: &Account,
    form: Form,
    publish: &Publish,
    least: usize,
) -> Result<Vec<String>, Problem> {
    let (mut warnings, mut at_once) = (Vec::new(), AT_ONCE_BYTES_MAX);
    for Suspect { index, dialect, limit, shape, webhooks } in suspects(api, publish, least) {
        let event = event(&publish.events[index], account.number, api.clock.now());
        let (of, account_id, one) = (dialect.clone(), account.id.clone(), webhooks[0].clone());
        let measure = move || {
            let body = of.first_body((&event, event.created_at), &one, shape.as_ref(), &account_id);
            // What cannot be shaped ends for that reason.
            body.map_or(0, |body| body.len())
        };
        let bytes = match at_once.checked_sub(publish.events[index].bytes()) {
            Some(left) => {
                at_once = left;
                measure()
            }
            None => api.read(account.number, measure).await?,
        };
        if bytes > limit {
            let (field, name) = (at(form, index, "data"), &dialect.name);
            warnings.extend(webhooks.iter().map(|webhook| {
                let id = webhook.id;
                format!("{field}: webhook {id} is not sent it: its body has {bytes} bytes, {name} allows {limit}")
            }));
        }
    }
    Ok(warnings)
}

fn suspects(api: &Api, publish: &Publish, least: usize) -> Vec<Suspect> {
    let (dialects, registry) = (api.dialects.now(), api.store.registry());
    let (mut suspects, mut shapes) = (Vec::new(), 0);
    let sizes = publish.events.iter().map(NewEvent::bytes).enumerate();
    for (index, bytes) in sizes.filter(|(_, bytes)| comes_near(*bytes, least)) {
        let mut by_dialect: BTreeMap<(&str, Option<&str>), Vec<Arc<Webhook>>> = BTreeMap::new();
        for webhook in publish.webhooks(index).iter().filter_map(|number| registry.webhook(*number)) {
            by_dialect.entry((&webhook.dialect, webhook.shape.as_deref())).or_default().push(webhook.clone());
        }
        for ((name, shape), webhooks) in by_dialect {
            let Some(dialect) = dialects.get(name).cloned() else { continue };
            shapes += usize::from(shape.is_some());
            let Ok(shape) = shape.map(Shape::read).transpose() else { continue };
            if shape.is_some() && shapes > SHAPES_MAX {
                continue;
            }
            if let Some(limit) = dialect.limits.body_bytes_max.filter(|limit| comes_near(bytes, *limit)) {
                suspects.push(Suspect { index, dialect, limit, shape, webhooks });
            }
        }
    }
    suspects
}

/// The event as it will be; its own id is as long as any.
fn event(new: &NewEvent, account: AccountNumber, now: u64) -> Event {
    Event {
        id: EventId(0),
        account,
        name: new.name.clone(),
        event_type: new.event_type.clone(),
        created_at: new.created_at.unwrap_or(now),
        data: new.data.clone(),
        actor: new.actor.clone(),
        metadata: new.metadata.clone(),
        test: new.test,
        channels: Vec::new(),
        webhooks: Vec::new(),
        fingerprint: None,
    }
}
