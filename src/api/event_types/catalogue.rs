//! Whether there is an event type, or one that a filter lets through: asked of what is published, tested and heard. What stays
//! true: a type that the account or one of the contracts has written down is never told of, unless it is retired.

use crate::api::Api;
use crate::dialect::{Dialect, Types, check_types, nearest_type};
use crate::domain::Invalid;
use crate::domain::account::Account;
use crate::domain::event_type::Validation;
use crate::domain::webhook::EventFilter;

/// What for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To publish it: what is not there is refused where the account says so.
    ToPublish,
    /// To hear of it: it may come one day.
    ToHear,
}

/// Whether the account has written any down.
pub fn has_own(api: &Api, account: &Account) -> bool {
    api.store.registry().event_types_of(account.number).len() > 0
}

/// What to tell of an event type, or of a filter for some, that nobody has written down or that is retired: a warning, or an
/// error where it is not to be published, or every contract is closed. Where an account says nothing of validation, and its
/// contracts nothing of types, a type that is not there is no matter.
pub fn check(
    api: &Api,
    account: &Account,
    dialects: &[&Dialect],
    field: &str,
    wanted: &EventFilter,
    asked: Asked,
) -> Result<Option<String>, Invalid> {
    let registry = api.store.registry();
    let own = registry.event_types_of(account.number);
    if own.len() == 0 || *wanted == EventFilter::All {
        return check_types(dialects, field, wanted);
    }
    let mut meant = own.clone().filter(|known| wanted.matches(&known.own().name)).peekable();
    if meant.peek().is_some() {
        let are_retired = meant.all(|known| known.own().retired_at.is_some());
        return Ok(are_retired.then(|| format!("{field}: {:?} is retired; use another type", wanted.to_string())));
    }
    let documented = |dialect: &&Dialect| dialect.catalogue.iter().any(|known| wanted.matches(&known.name));
    if dialects.iter().any(documented) {
        return Ok(None);
    }
    let telling: Vec<&&Dialect> = dialects.iter().filter(|dialect| dialect.tells_types()).collect();
    let validation = registry.account(account.number).map_or(account.validation, |account| account.validation);
    if validation == Validation::Off && telling.is_empty() {
        return Ok(None);
    }
    let in_use = own.filter(|known| known.own().retired_at.is_none()).map(|known| known.own().name.as_str());
    let of_contracts = telling.iter().flat_map(|dialect| &dialect.catalogue).map(|known| known.name.as_str());
    let more = match nearest_type(wanted, in_use.chain(of_contracts)) {
        Some(near) => format!("did you mean {near:?}?"),
        None => "GET /api/v1/event-types lists what there is".into(),
    };
    let message = format!("{:?} is not among the event types of this account; {more}", wanted.to_string());
    let found = Invalid::new(field, message);
    let is_closed = !telling.is_empty() && telling.iter().all(|dialect| dialect.types == Types::Closed);
    let is_refused = is_closed || (asked == Asked::ToPublish && validation == Validation::Refuse);
    if is_refused { Err(found) } else { Ok(Some(found.to_string())) }
}
