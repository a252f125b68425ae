//! Numbers that JavaScript cannot hold, told to the producer who posts them: as a warning, or as a refusal where a
//! dialect says so. Asked only where a webhook that wants the event has a dialect that cares.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::Api;
use crate::api::events::input::{Form, at};
use crate::api::http::problem::Problem;
use crate::dialect::{Dialect, Dialects, Numbers};
use crate::domain::id::{AccountNumber, WebhookNumber};
use crate::store::{Publish, Registry};

/// Warnings about events to publish; an error if a dialect refuses one.
pub fn check(api: &Api, account: AccountNumber, form: Form, publish: &Publish) -> Result<Vec<String>, Problem> {
    let dialects = api.dialects.now();
    if !api.store.registry().dialects_of(account).any(|name| cares(&dialects, name).is_some()) {
        return Ok(Vec::new());
    }
    let mut warnings = Vec::new();
    for (index, event) in publish.events.iter().enumerate() {
        // The registry is let go before the JSON is read.
        let caring = caring(&api.store.registry(), &dialects, publish.webhooks(index));
        for dialect in caring {
            let fields =
                [("data", Some(&event.data)), ("actor", event.actor.as_ref()), ("metadata", event.metadata.as_ref())];
            for (field, json) in fields {
                let checked = json.map_or(Ok(Vec::new()), |json| dialect.check_numbers(&at(form, index, field), json));
                warnings.extend(checked.map_err(Problem::from)?);
            }
        }
    }
    Ok(warnings)
}

fn cares<'d>(dialects: &'d Dialects, name: &str) -> Option<&'d Arc<Dialect>> {
    dialects.get(name).filter(|dialect| dialect.body.numbers != Numbers::Exact)
}

/// The dialects that care, of webhooks that want an event.
fn caring<'d>(registry: &Registry, dialects: &'d Dialects, webhooks: &[WebhookNumber]) -> Vec<&'d Arc<Dialect>> {
    let webhooks = webhooks.iter().filter_map(|number| registry.webhook(*number));
    let names: BTreeSet<String> = webhooks.map(|webhook| webhook.dialect.clone()).collect();
    names.iter().filter_map(|name| cares(dialects, name)).collect()
}
