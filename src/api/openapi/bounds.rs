//! What a field may be, and what a body must say at least: bounds and defaults of requests, from the constants that the program
//! itself checks them with.

use serde_json::{Value, json};

use crate::domain::condition::CONDITION_BYTES_MAX;
use crate::domain::disable::{ATTEMPTS_MAX, FAILURES_MAX, SECONDS_MAX};
use crate::domain::endpoint::{HEADERS_MAX, URL_BYTES_MAX};
use crate::domain::endpoint_auth::NAME_BYTES_MAX;
use crate::domain::job::IDS_MAX;
use crate::domain::notice::{QUIET_SECONDS_MAX, QUIET_SECONDS_USUAL};
use crate::domain::oauth2::{CLIENT_ID_BYTES_MAX, EXTRA_MAX, SCOPE_BYTES_MAX};
use crate::domain::order::KEY_PATH_BYTES_MAX;
use crate::domain::pull::{
    LEASE_SECONDS_DEFAULT, LEASE_SECONDS_MAX, LIMIT_MAX, REASON_CHARS_MAX, STATUSES_ACKED, STATUSES_NACKED,
};
use crate::domain::rate_limit::REQUESTS_MAX;
use crate::domain::retry::{DELAY_SECONDS_MAX, JITTER_PERCENT_MAX, RETRIES_MAX};
use crate::domain::secret::{OVERLAP_SECONDS_DEFAULT, OVERLAP_SECONDS_MAX};
use crate::domain::webhook::{
    ALLOW_MAX, DESCRIPTION_CHARS_MAX, FILTERS_MAX, MAX_IN_FLIGHT_MAX, NAME_CHARS_MAX, PAUSE_SECONDS_MAX,
    TIMEOUT_SECONDS_MAX,
};

/// What is said of an object as a whole, none of whose fields must be there by itself.
pub fn bounds_of_whole(of: &str) -> Option<Value> {
    // Not as a choice of required fields: that would be several types to those who generate clients.
    matches!(of, "EventSelection" | "WebhookSelection").then(|| json!({"minProperties": 1}))
}

/// What is said of the field beside its type.
pub fn bounds(of: &str, field: &str) -> Option<Value> {
    Some(match (of, field) {
        ("WebhookCreate" | "WebhookChange" | "WebhookPut", field) => return of_webhook(field),
        ("RateLimit", "per_second" | "per_minute") => json!({"minimum": 1, "maximum": REQUESTS_MAX}),
        ("RateLimit", "burst") => json!({"minimum": 0, "maximum": REQUESTS_MAX}),
        ("RetrySchedule", "delays") => json!({
            "maxItems": RETRIES_MAX,
            "items": {"type": "integer", "format": "int64", "minimum": 0, "maximum": DELAY_SECONDS_MAX},
        }),
        ("RetrySchedule", "jitter_percent") => json!({"minimum": 0, "maximum": JITTER_PERCENT_MAX, "default": 10}),
        ("DisableRule", "failures") => json!({"minimum": 1, "maximum": ATTEMPTS_MAX}),
        ("DisableRule", "consecutive_failures") => json!({"minimum": 1, "maximum": FAILURES_MAX}),
        ("DisableRule", "failing_seconds" | "probe_after_seconds") => json!({"minimum": 1, "maximum": SECONDS_MAX}),
        ("DisableRule", "gone" | "exhausted") => json!({"default": false}),
        ("WebhookPause", "seconds") => json!({"minimum": 1, "maximum": PAUSE_SECONDS_MAX}),
        ("WebhookDisable", "reason") => json!({"minLength": 1, "maxLength": NAME_CHARS_MAX}),
        ("SecretRotate", "overlap_seconds") => {
            json!({"minimum": 0, "maximum": OVERLAP_SECONDS_MAX, "default": OVERLAP_SECONDS_DEFAULT})
        }
        ("AuthChange", "username") => json!({"maxLength": NAME_BYTES_MAX}),
        ("AuthChange", "name") => json!({"minLength": 1, "maxLength": NAME_BYTES_MAX}),
        ("AuthChange", "token_url") => json!({"maxLength": URL_BYTES_MAX}),
        ("AuthChange", "client_id") => json!({"minLength": 1, "maxLength": CLIENT_ID_BYTES_MAX}),
        ("AuthChange", "scope" | "audience") => json!({"minLength": 1, "maxLength": SCOPE_BYTES_MAX}),
        ("AuthChange", "extra") => json!({"maxProperties": EXTRA_MAX}),
        (_, "leases") => json!({"minItems": 1, "maxItems": LIMIT_MAX}),
        ("LeasesAck", "status_code") => json!({"minimum": STATUSES_ACKED.start(), "maximum": STATUSES_ACKED.end()}),
        ("LeasesNack", "status_code") => json!({"minimum": STATUSES_NACKED.start(), "maximum": STATUSES_NACKED.end()}),
        ("LeasesAck" | "LeasesNack", "response_body") => json!({"maxLength": REASON_CHARS_MAX}),
        ("LeasesNack", "reason") => json!({"minLength": 1, "maxLength": REASON_CHARS_MAX}),
        ("LeasesExtend", "seconds") => {
            json!({"minimum": 1, "maximum": LEASE_SECONDS_MAX, "default": LEASE_SECONDS_DEFAULT})
        }
        ("DeadLettersSelect" | "EventSelection" | "WebhookSelection", "ids") => {
            json!({"minItems": 1, "maxItems": IDS_MAX})
        }
        ("EventPublish", "test") | (_, "dry_run") => json!({"default": false}),
        ("Notices", "quiet_seconds") => json!({"minimum": 0, "maximum": QUIET_SECONDS_MAX}),
        ("NoticesChange", "quiet_seconds") => {
            json!({"minimum": 0, "maximum": QUIET_SECONDS_MAX, "default": QUIET_SECONDS_USUAL})
        }
        ("Webhook", "success_rate") => json!({"minimum": 0, "maximum": 1}),
        _ => return None,
    })
}

fn of_webhook(field: &str) -> Option<Value> {
    Some(match field {
        "url" => json!({"maxLength": URL_BYTES_MAX}),
        "events" => json!({"minItems": 1, "maxItems": FILTERS_MAX}),
        "name" => json!({"minLength": 1, "maxLength": NAME_CHARS_MAX}),
        "description" => json!({"minLength": 1, "maxLength": DESCRIPTION_CHARS_MAX}),
        "headers" => json!({"maxProperties": HEADERS_MAX}),
        "max_in_flight" => json!({"minimum": 1, "maximum": MAX_IN_FLIGHT_MAX}),
        "timeout" => json!({"minimum": 1, "maximum": TIMEOUT_SECONDS_MAX}),
        "max_retries" => json!({"minimum": 0, "maximum": RETRIES_MAX}),
        "order_key" => json!({"maxLength": KEY_PATH_BYTES_MAX}),
        "filter" => json!({"maxLength": CONDITION_BYTES_MAX}),
        "allow" => json!({"maxItems": ALLOW_MAX}),
        _ => return None,
    })
}
