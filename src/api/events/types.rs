//! Event types that the account's contracts do not document, told to the producer who posts them: as a warning with the
//! nearest that they do, or as a refusal where every catalogue is closed.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::api::Api;
use crate::api::events::input::{Form, at};
use crate::api::http::problem::Problem;
use crate::dialect::{Dialect, Dialects, check_types};
use crate::domain::Invalid;
use crate::domain::account::Account;
use crate::domain::webhook::EventFilter;
use crate::store::NewEvent;

/// Warnings about events to publish, one a type; an error if no contract of the account takes one of them.
pub fn check(api: &Api, account: &Account, form: Form, events: &[NewEvent]) -> Result<Vec<String>, Problem> {
    let dialects = api.dialects.now();
    let telling = telling(api, &dialects, account);
    let telling: Vec<&Dialect> = telling.iter().map(AsRef::as_ref).collect();
    if telling.is_empty() {
        return Ok(Vec::new());
    }
    let (mut warnings, mut seen) = (Vec::new(), HashSet::new());
    for (index, event) in events.iter().enumerate() {
        if seen.insert(event.event_type.as_str()) {
            let wanted = EventFilter::Exact(event.event_type.clone());
            let found = check_types(&telling, &at(form, index, "type"), &wanted);
            warnings.extend(found.map_err(|invalid: Invalid| Problem::from(invalid))?);
        }
    }
    Ok(warnings)
}

/// The account's contracts that say which types there are: its own, and those of its webhooks.
fn telling<'d>(api: &Api, dialects: &'d Dialects, account: &Account) -> Vec<&'d Arc<Dialect>> {
    let registry = api.store.registry();
    let names: BTreeSet<&str> = registry.dialects_of(account.number).chain([account.dialect.as_str()]).collect();
    names.into_iter().filter_map(|name| dialects.get(name)).filter(|dialect| dialect.tells_types()).collect()
}
