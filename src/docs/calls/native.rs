//! The native API as a face of its own: what serves the webhooks of a dialect without one.

use serde_json::{Map, Value};

use crate::dialect::{Endpoint, Operation};

/// Where it has its webhooks.
pub(super) const BASE: &str = "/api/v1/webhooks";

/// What create and update read.
pub(super) const REQUEST: [&str; 15] = [
    "url",
    "events",
    "secret",
    "enabled",
    "name",
    "description",
    "headers",
    "rate_limit",
    "max_in_flight",
    "timeout",
    "retry",
    "success",
    "max_retries",
    "test_mode",
    "ownership_check",
];

/// Its calls.
pub(super) fn operations() -> Vec<(Operation, Vec<Endpoint>)> {
    let of = |operation, calls: &[(&str, &str)]| {
        let endpoint = |(method, path): &(&str, &str)| Endpoint { method: (*method).into(), path: (*path).into() };
        (operation, calls.iter().map(endpoint).collect())
    };
    vec![
        of(Operation::Create, &[("POST", "")]),
        of(Operation::List, &[("GET", "")]),
        of(Operation::Get, &[("GET", "/{id}")]),
        of(Operation::Update, &[("PUT", "/{id}"), ("PATCH", "/{id}")]),
        of(Operation::Delete, &[("DELETE", "/{id}")]),
        of(Operation::Test, &[("POST", "/{id}/test")]),
        of(Operation::Deliveries, &[("GET", "/{id}/logs")]),
        of(Operation::Replay, &[("POST", "/{id}/replay/{delivery_id}")]),
        of(Operation::Check, &[("POST", "/{id}/check")]),
        of(Operation::Verify, &[("POST", "/{id}/verify")]),
    ]
}

/// A row of the native log.
pub(super) fn log_row(row: &Map<String, Value>) -> Value {
    const SHOWN: [&str; 8] =
        ["id", "event_id", "event_type", "delivered_at", "status_code", "response_time_ms", "attempts", "last_error"];
    let kept = SHOWN.iter().filter_map(|name| Some((*name, row.get(*name)?)));
    let kept = kept.filter(|(name, value)| *name != "last_error" || !value.is_null());
    Value::Object(kept.map(|(name, value)| (name.to_string(), value.clone())).collect())
}
