//! Event types that nobody has written down, neither the account nor its contracts, and such as are retired, told to the producer
//! who posts them: as a warning with the nearest that there is, or as a refusal.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::api::Api;
use crate::api::event_types::catalogue::Catalogue;
use crate::api::events::input::{Form, at};
use crate::api::http::problem::Problem;
use crate::dialect::{Dialect, Dialects, Search};
use crate::domain::account::Account;
use crate::store::NewEvent;

/// Warnings about events to publish, one a type; an error if one of them is not to be published.
pub fn check(api: &Api, account: &Account, form: Form, events: &[NewEvent]) -> Result<Vec<String>, Problem> {
    let dialects = api.dialects.now();
    let spoken = spoken(api, &dialects, account);
    let spoken: Vec<&Dialect> = spoken.iter().map(AsRef::as_ref).collect();
    let search = Search::of_request();
    let catalogue = Catalogue { api, account, dialects: &spoken, search: &search };
    if !catalogue.tells_types() {
        return Ok(Vec::new());
    }
    let (mut warnings, mut seen) = (Vec::new(), HashSet::new());
    for (index, event) in events.iter().enumerate() {
        let event_type = event.event_type.as_str();
        if seen.insert(event_type) {
            let found = catalogue.check_published(&at(form, index, "type"), event_type);
            warnings.extend(found.map_err(Problem::from)?);
        }
    }
    Ok(warnings)
}

/// The account's contracts: its own, and those of its webhooks.
fn spoken<'d>(api: &Api, dialects: &'d Dialects, account: &Account) -> Vec<&'d Arc<Dialect>> {
    let registry = api.store.registry();
    let names: BTreeSet<&str> = registry.dialects_of(account.number).chain([account.dialect.as_str()]).collect();
    names.into_iter().filter_map(|name| dialects.get(name)).collect()
}
