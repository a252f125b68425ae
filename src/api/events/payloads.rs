//! Whether what is published fits the schema of its type, told to the producer: as warnings, or as a refusal of all of it. What
//! stays true: what is told in a moment is asked where the request is; all else on another thread in the account's turn, so a
//! large event, or a schema that asks much, holds up nobody else; and never in the commit thread.

use std::sync::Arc;

use bytes::Bytes;

use crate::api::Api;
use crate::api::events::input::{Form, at};
use crate::api::http::problem::{ErrorPart, Problem};
use crate::domain::account::Account;
use crate::domain::event_type::Validation;
use crate::domain::schema::{FAULTS_MAX, Fault, WORK_AT_ONCE_MAX};
use crate::store::{KnownType, NewEvent};

/// What is asked in one turn; longer publishes take several.
const WORK_A_TURN: u64 = 1 << 22;

/// An event whose data a schema is asked about.
struct Asked {
    index: usize,
    known: Arc<KnownType>,
    mode: Validation,
    data: Bytes,
}

/// Warnings about events to publish; an error if one of them is to be refused.
pub async fn check(api: &Api, account: &Account, form: Form, events: &[NewEvent]) -> Result<Vec<String>, Problem> {
    let asked = to_be_asked(api, account, events);
    let (mut warnings, mut refused) = (Vec::new(), Vec::new());
    let is_quick = asks_at_once(&asked);
    let mut rest = asked.into_iter().peekable();
    while rest.peek().is_some() {
        let mut some = Vec::new();
        let mut work = 0;
        while let Some(one) = rest.next_if(|_| work < WORK_A_TURN) {
            work += work_of(&one).unwrap_or(WORK_A_TURN);
            some.push(one);
        }
        let ask = move || some.into_iter().map(answered).collect::<Vec<_>>();
        let answers = if is_quick { ask() } else { api.read(account.number, ask).await? };
        for (index, mode, faults) in answers {
            let data = at(form, index, "data");
            let part = |fault: Fault| ErrorPart { field: format!("{data}{}", fault.path), message: fault.message };
            match mode {
                Validation::Refuse => refused.extend(faults.into_iter().map(part)),
                _ => warnings.extend(
                    faults.into_iter().map(part).map(|ErrorPart { field, message }| format!("{field}: {message}")),
                ),
            }
        }
        if refused.len() >= FAULTS_MAX {
            break;
        }
    }
    refused.truncate(FAULTS_MAX);
    if refused.is_empty() { Ok(warnings) } else { Err(Problem::data(refused)) }
}

fn to_be_asked(api: &Api, account: &Account, events: &[NewEvent]) -> Vec<Asked> {
    let registry = api.store.registry();
    if registry.event_types_of(account.number).len() == 0 {
        return Vec::new();
    }
    // The account as it is now, not as it was when the request came.
    let validation = registry.account(account.number).map_or(account.validation, |account| account.validation);
    let of = |(index, event): (usize, &NewEvent)| {
        let known = registry.event_type(account.number, &event.event_type)?;
        let mode = known.own().validation(validation);
        let is_asked = known.own().schema.is_some() && mode != Validation::Off;
        is_asked.then(|| Asked { index, known: known.clone(), mode, data: event.data.clone() })
    };
    events.iter().enumerate().filter_map(of).collect()
}

fn asks_at_once(asked: &[Asked]) -> bool {
    let mut works = asked.iter().map(work_of);
    works.try_fold(0_u64, |sum, work| Some(sum.saturating_add(work?))).is_some_and(|sum| sum <= WORK_AT_ONCE_MAX)
}

/// What asking takes at most; none if its schema is yet to be compiled.
fn work_of(asked: &Asked) -> Option<u64> {
    let schema = asked.known.schema_at_hand()?;
    Some(schema.map_or(0, |schema| schema.work(asked.data.len())))
}

fn answered(asked: Asked) -> (usize, Validation, Vec<Fault>) {
    let faults = asked.known.schema().map_or(Vec::new(), |schema| schema.faults(&asked.data));
    (asked.index, asked.mode, faults)
}
