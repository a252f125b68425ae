//! An example for every field, by its name: a name means the same wherever it stands. Where it does not, the field has an
//! example of its own, `#[schema(example = …)]`, which goes before these.

use serde_json::{Value, json};

/// An id of any kind.
pub const ID: &str = "01980e5a-3c1f-7a2b-8c4d-000000000001";

/// What such a field can hold, such as `"2026-01-15T09:30:00.000Z"`. `of` is the schema that it stands in, or the segment of
/// the path before a parameter.
pub fn example(of: &str, field: &str) -> Option<Value> {
    special(of, field).or_else(|| usual(field))
}

fn special(of: &str, field: &str) -> Option<Value> {
    Some(match (of, field) {
        ("accounts" | "Account" | "AccountCreate", "id") => json!("acme"),
        ("events", "id") => json!("order-1042"),
        ("dialects", "name") | ("Dialect", "name") => json!("standard"),
        ("Header", "name") => json!("webhook-id"),
        ("Header", "value") => json!("{event.id}"),
        ("Key" | "KeyCreate", "name") => json!("backend"),
        ("Account" | "AccountCreate" | "AccountChange", "name") => json!("Acme Inc."),
        // In a query.
        ("", "status_code") => json!("5xx"),
        ("", "order_key") => json!("42"),
        ("", "count") => json!(true),
        ("Setting", "name") => json!("server.body_bytes_max"),
        ("Dialect", "description") => json!("The contract of Standard Webhooks 1.0."),
        ("EventType", "description") => json!("A task was created."),
        _ => return None,
    })
}

fn usual(field: &str) -> Option<Value> {
    Some(match field {
        "id" | "webhook" | "webhook_id" | "event_id" | "delivery_id" | "replay_of" | "key_id" | "target" => json!(ID),
        "cursor" | "next_cursor" | "deliveries_next_cursor" => json!("AZgOWjwfeiuMTQAAAAAAAQAA"),
        "limit" => json!(50),
        "type" | "event_type" => json!("task.created"),
        "from" | "created_at" => json!("2026-01-15T09:30:00.000Z"),
        "to" | "until" | "next_attempt_at" => json!("2026-01-16T09:30:00.000Z"),
        "account" => json!("acme"),
        "dialect" => json!("standard"),
        "url" => json!("https://example.com/webhooks"),
        "name" => json!("Orders"),
        "description" => json!("Tells the warehouse of orders."),
        "title" => json!("Standard Webhooks"),
        "secret" => json!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        "public_key" => json!("whpk_Q29uZ3JhdHVsYXRpb25zLCB5b3UgcmVhZCBpdA=="),
        "key" => json!("hw_Zm9yIGV4YW1wbGUsIDMyIGJ5dGVzIG9mIHJhbmRvbQ"),
        "key_name" => json!("backend"),
        "data" => json!({"task_id": 42, "title": "Write it down"}),
        "actor" => json!({"user_id": "u_17", "email": "ada@example.com"}),
        "metadata" => json!({"region": "eu"}),
        "headers" => json!({"x-team": "orders"}),
        "events" => json!(["task.*"]),
        "message" => json!("events: must name 1 to 200 event types; [\"*\"] means all"),
        "warnings" => json!(["type: \"task.craeted\" is not documented; did you mean task.created?"]),
        "reason" | "status_reason" => json!("moved to another endpoint"),
        "error" | "last_error" => json!("the endpoint answered 503"),
        "status_code" => json!(503),
        "response_time_ms" => json!(84),
        "response_body" => json!("try again later"),
        "attempts" | "attempt_count" | "attempt" | "number" => json!(2),
        "address" => json!("203.0.113.7"),
        "action" => json!("webhook.changed"),
        "fields" => json!(["url", "events"]),
        "ids" => json!([ID]),
        "egress" => json!(["203.0.113.0/24"]),
        "event_types" => json!(["task.created", "task.done"]),
        "success" => json!(["2xx"]),
        "timeout" | "timeout_seconds" => json!(15),
        "max_retries" => json!(5),
        "max_in_flight" | "in_flight" => json!(8),
        "order_key" => json!("data.task_id"),
        "filter" => json!("@.data.amount > 100 && @.data.currency == \"EUR\""),
        "allow" => json!(["10.20.0.0/16"]),
        "ca" | "client_certificate" => json!("-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n"),
        "success_rate" => json!(0.98),
        "overlap_seconds" => json!(86_400),
        _ => return None,
    })
}
