//! Bodies that are over what a contract allows, told to the producer who posts them: such a delivery ends without being
//! sent. What stays true: only what comes near a limit is written to be measured, what is long on another thread in the
//! account's turn, and its request keeps its share of the budget of bodies until then. So a large event costs others nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::Api;
use crate::api::events::input::{Form, at};
use crate::api::http::problem::Problem;
use crate::dialect::{Dialect, Dialects};
use crate::domain::account::Account;
use crate::domain::event::Event;
use crate::domain::id::{AccountNumber, EventId};
use crate::domain::shape::{OUTPUT_BYTES_MORE, OUTPUT_TIMES};
use crate::domain::webhook::Webhook;
use crate::store::{NewEvent, Publish};

/// A body has at most about so many times the bytes of what the producer posted: numbers may be written out.
const GROWTH_MAX: usize = 8;
/// What a contract puts around them has at most about so many.
const ENVELOPE_BYTES_MAX: usize = 4096;
/// So much of a request is measured where it is.
const AT_ONCE_BYTES_MAX: usize = 64 * 1024;

/// Webhooks with a shape of their own have bodies of their own: so many of one request are looked at…
const SHAPED_MAX: usize = 256;
/// … and of so many different shapes it is told.
const SHAPES_MAX: usize = 16;

/// An event whose body may be over a contract's limit, and the webhooks of that contract that want it, in the same shape.
struct Suspect {
    index: usize,
    dialect: Arc<Dialect>,
    limit: usize,
    webhooks: Vec<Arc<Webhook>>,
}

impl Suspect {
    /// Whether its body is made by a shape, which may take long however short the event is.
    fn is_shaped(&self) -> bool {
        self.dialect.shape.is_some() || self.webhooks[0].shape.is_some()
    }
}

/// The least bytes of an event above which one of the account's contracts may have a body over its limit, if one of these events
/// has as many, so that it is worth asking.
pub fn near_limit(api: &Api, account: AccountNumber, events: &[NewEvent]) -> Option<usize> {
    let (dialects, registry) = (api.dialects.now(), api.store.registry());
    let has_shapes = registry.has_shapes(account);
    let bytes = |name: &str| limit(dialects.get(name)?, has_shapes).map(|(_, bytes)| bytes);
    let least = registry.dialects_of(account).filter_map(bytes).min();
    least.filter(|least| events.iter().any(|event| event.bytes() > *least))
}

/// The limit of a contract, and the bytes of an event above which a body may be over it; `is_shaped`: by a webhook's own shape.
fn limit(dialect: &Dialect, is_shaped: bool) -> Option<(usize, usize)> {
    let limit = dialect.limits.body_bytes_max?;
    let sent = limit.saturating_sub(ENVELOPE_BYTES_MAX) / GROWTH_MAX;
    let shaped = sent.saturating_sub(OUTPUT_BYTES_MORE) / OUTPUT_TIMES;
    Some((limit, if is_shaped || dialect.shape.is_some() { shaped } else { sent }))
}

/// Warnings about events to publish, one a webhook; `least` is what [`near_limit`] said.
pub async fn check(
    api: &Api,
    account: &Account,
    form: Form,
    publish: &Publish,
    least: usize,
) -> Result<Vec<String>, Problem> {
    let (mut warnings, mut at_once) = (Vec::new(), AT_ONCE_BYTES_MAX);
    for suspect in suspects(api, publish, least) {
        let is_shaped = suspect.is_shaped();
        let Suspect { index, dialect, limit, webhooks } = suspect;
        let event = event(&publish.events[index], account.number, api.clock.now());
        let (of, account_id, one) = (dialect.clone(), account.id.clone(), webhooks[0].clone());
        let measure = move || {
            let own = one.own_shape().ok();
            let body = own.map(|own| of.first_body((&event, event.created_at), &one, own.as_ref(), &account_id));
            // What cannot be shaped ends for that reason.
            body.and_then(Result::ok).map_or(0, |body| body.len())
        };
        let bytes = match at_once.checked_sub(publish.events[index].bytes()) {
            Some(left) if !is_shaped => {
                at_once = left;
                measure()
            }
            _ => api.read(account.number, measure).await?,
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
    let dialects = api.dialects.now();
    let mut chosen = Chosen::default();
    let sizes = publish.events.iter().map(NewEvent::bytes).enumerate();
    for (index, bytes) in sizes.filter(|(_, bytes)| *bytes > least) {
        // The commit thread waits for whoever holds the registry, so it is held for a look at each webhook and no longer.
        let wanting: Vec<_> = {
            let registry = api.store.registry();
            let all = publish.webhooks(index).iter().filter_map(|number| registry.webhook(*number));
            all.filter(|webhook| chosen.takes(&dialects, webhook, bytes)).collect()
        };
        chosen.group(&dialects, index, &wanting);
    }
    chosen.suspects
}

/// The suspects of a request, as they are found.
#[derive(Default)]
struct Chosen {
    suspects: Vec<Suspect>,
    /// Webhooks with shapes of their own.
    shaped: usize,
    /// Such shapes.
    shapes: usize,
}

impl Chosen {
    /// Whether the body of an event of so many bytes may be over the webhook's limit, and it is told of that.
    fn takes(&mut self, dialects: &Dialects, webhook: &Webhook, bytes: usize) -> bool {
        let is_shaped = webhook.shape.is_some();
        let limit = dialects.get(&webhook.dialect).and_then(|dialect| limit(dialect, is_shaped));
        let is_near = limit.is_some_and(|(_, least)| bytes > least);
        self.shaped += usize::from(is_near && is_shaped);
        is_near && (!is_shaped || self.shaped <= SHAPED_MAX)
    }

    /// Puts those together that get the same body.
    fn group(&mut self, dialects: &Dialects, index: usize, webhooks: &[Arc<Webhook>]) {
        let mut alike: BTreeMap<(&str, Option<&str>), Vec<Arc<Webhook>>> = BTreeMap::new();
        for webhook in webhooks {
            alike.entry((&webhook.dialect, webhook.shape.as_deref())).or_default().push(webhook.clone());
        }
        for ((name, shape), webhooks) in alike {
            self.shapes += usize::from(shape.is_some());
            let dialect = dialects.get(name).filter(|_| shape.is_none() || self.shapes <= SHAPES_MAX);
            if let Some((dialect, (limit, _))) = dialect.and_then(|one| Some((one, limit(one, shape.is_some())?))) {
                self.suspects.push(Suspect { index, dialect: dialect.clone(), limit, webhooks });
            }
        }
    }
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
        trace: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::endpoint::EndpointUrl;
    use crate::domain::webhook::EventFilter;

    /// `standard` has no limit; `bounded` is the same with one.
    fn dialects(limit: usize) -> Dialects {
        let mut dialects = Dialects::shipped();
        let standard = dialects.get("standard").expect("it is shipped").source.clone();
        dialects
            .add("bounded.toml", &format!("{standard}\n[limits]\nbody_bytes_max = {limit}\n"))
            .expect("it is right");
        dialects
    }

    fn webhooks(dialect: &str, count: usize, shape: impl Fn(usize) -> Option<String>) -> Vec<Arc<Webhook>> {
        let url = EndpointUrl::parse("https://e.com/", false).expect("a URL");
        let of = |n| Webhook { shape: shape(n), ..Webhook::new(1, dialect, url.clone(), vec![EventFilter::All]) };
        (0..count).map(|n| Arc::new(of(n))).collect()
    }

    fn shape(n: usize) -> Option<String> {
        Some(format!("{{\"set\":{{\"n\":{n}}}}}"))
    }

    fn chosen(dialects: &Dialects, webhooks: &[Arc<Webhook>], bytes: usize) -> Vec<(String, usize)> {
        let mut chosen = Chosen::default();
        for index in 0..2 {
            let near: Vec<_> = webhooks.iter().filter(|one| chosen.takes(dialects, one, bytes)).cloned().collect();
            chosen.group(dialects, index, &near);
        }
        chosen.suspects.into_iter().map(|one| (one.dialect.name.clone(), one.webhooks.len())).collect()
    }

    #[test]
    fn shapes_of_contracts_without_a_limit_take_nobodys_place() {
        let dialects = dialects(100_000);
        let mut all = webhooks("standard", 10_000, shape);
        all.extend(webhooks("bounded", 1, shape));
        all.extend(webhooks("bounded", 3, |_| None));
        let once = [("bounded".to_string(), 3), ("bounded".to_string(), 1)];
        assert_eq!(chosen(&dialects, &all, 50_000), [once.clone(), once].concat());
    }

    #[test]
    fn of_many_shapes_few_are_measured() {
        let dialects = dialects(100_000);
        assert_eq!(chosen(&dialects, &webhooks("bounded", 10_000, shape), 50_000).len(), SHAPES_MAX);
        // Those that have the same are one.
        let same = chosen(&dialects, &webhooks("bounded", 10_000, |_| shape(1)), 50_000);
        assert_eq!(same, [("bounded".to_string(), SHAPED_MAX)]);
    }

    #[test]
    fn what_a_shape_may_add_is_foreseen() {
        let dialects = dialects(1_000_000);
        let (plain, shaped) = (webhooks("bounded", 1, |_| None), webhooks("bounded", 1, shape));
        let near = |webhooks: &[Arc<Webhook>], bytes| !chosen(&dialects, webhooks, bytes).is_empty();
        assert_eq!([50_000, 130_000].map(|bytes| near(&plain, bytes)), [false, true]);
        assert_eq!([10_000, 50_000].map(|bytes| near(&shaped, bytes)), [false, true]);
    }
}
