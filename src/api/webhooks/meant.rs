//! A body that one contract does not take and another does: who follows a product's guide on a server that speaks another
//! contract is told so, and how to get what the guide says. What stays true: it is asked only when a create was refused.

use serde_json::{Map, Value};

use super::input::WebhookInput;
use super::reach::Reach;
use crate::api::http::problem::Problem;
use crate::api::http::request::{Object, read_json, read_map};
use crate::dialect::{Dialect, Operation, Search, check_types};
use crate::domain::endpoint::Schemes;
use crate::domain::webhook::EventFilter;

/// A longer body is not tried with other contracts.
const TRIED_BYTES_MAX: usize = 64 * 1024;

/// The refusal of a create, with the contracts that take its body as it is.
pub fn told(reach: &Reach<'_>, body: &[u8], problem: Problem) -> Problem {
    if !problem.is_of_field() || body.len() > TRIED_BYTES_MAX {
        return problem;
    }
    let Ok(Object(body)) = read_json::<Object<Map<String, Value>>>(body) else { return problem };
    let own = match reach.dialect {
        Some(dialect) => dialect.name.clone(),
        None if body.contains_key("dialect") => return problem,
        None => reach.tenant.account().dialect.clone(),
    };
    let schemes = reach.schemes();
    let dialects = reach.api.dialects.now();
    let takes = |dialect: &&Dialect| takes(dialect, &body, schemes, &reach.search);
    // What another contract would refuse for the same reason is no matter of contracts.
    if dialects.get(&own).is_none_or(|dialect| takes(&dialect.as_ref())) {
        return problem;
    }
    let fitting: Vec<&Dialect> = dialects.mounted().map(AsRef::as_ref).filter(takes).collect();
    match hint(&fitting, &own) {
        Some(hint) => problem.with_message(|message| format!("{message}; {hint}")),
        None => problem,
    }
}

/// Whether its create call would take this body.
fn takes(dialect: &Dialect, body: &Map<String, Value>, schemes: Schemes, search: &Search) -> bool {
    let native = match &dialect.face {
        Some(face) => face.read(body.clone()).ok(),
        None => Some(body.clone()),
    };
    let types = |field: &str, wanted: &EventFilter| check_types(&[dialect], field, wanted, search);
    let input = native.and_then(|native| read_map::<WebhookInput>(native).ok());
    input
        .and_then(|input| input.vet(dialect, &types, schemes, None).ok())
        .is_some_and(|change| change.is_whole().is_ok())
}

fn hint(fitting: &[&Dialect], own: &str) -> Option<String> {
    let native: Vec<&str> =
        fitting.iter().filter(|dialect| dialect.face.is_none()).map(|dialect| dialect.name.as_str()).collect();
    let mut ways: Vec<String> = fitting.iter().filter_map(|dialect| own_call(dialect)).collect();
    if let Some(first) = native.first() {
        let names = native.join(" or ");
        ways.insert(
            0,
            format!(
                "POST /api/v1/webhooks with \"dialect\": {names}, or without it where that is the account's dialect \
                 (PATCH /api/v1/accounts/{{id}}; for the account default also hookwheel serve --dialect {first})"
            ),
        );
    }
    (!ways.is_empty()).then(|| format!("this is {own}, and the body is right for other contracts: {}", ways.join("; ")))
}

/// The create call of a dialect's own API.
fn own_call(dialect: &Dialect) -> Option<String> {
    let face = dialect.face.as_ref()?;
    let (_, calls) = face.operations.0.iter().find(|(operation, _)| *operation == Operation::Create)?;
    let call = calls.first()?;
    Some(format!("{} {}{} ({})", call.method, face.base, call.path, dialect.name))
}
