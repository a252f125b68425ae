//! What a webhook is made of: an endpoint of Convoy and what its subscriptions want.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cli::moving::theirs::text;

/// What the subscriptions of an endpoint want.
#[derive(Debug, Default)]
pub struct Wanted {
    events: BTreeSet<String>,
    lacks: BTreeSet<&'static str>,
    left: Vec<String>,
}

impl Wanted {
    /// Takes a subscription, and its filters by event types.
    pub fn add(&mut self, row: &Value, filters: &Value) {
        let types = row["filter_config"]["event_types"].as_array().into_iter().flatten();
        self.events.extend(types.filter_map(Value::as_str).map(str::to_owned));
        let name = text(row, "name");
        let says = |filter: &Value| ["body", "headers", "query", "path"].iter().any(|part| !is_empty(&filter[*part]));
        let mut all = filters.as_array().into_iter().flatten().chain([&row["filter_config"]["filter"]]);
        if all.any(says) {
            self.lacks.insert("the filter of its subscription in Convoy (its `filter` here)");
            self.left.push(format!("the filter of the subscription {name:?}"));
        }
        if row["function"].as_str().is_some_and(|function| !function.is_empty()) {
            self.lacks
                .insert("what the function of its subscription in Convoy makes of the payload (its `shape` here)");
            self.left.push(format!("the function of the subscription {name:?}"));
        }
        for part in ["retry_config", "rate_limit_config"] {
            let is_said =
                row[part].as_object().is_some_and(|all| all.values().any(|value| value.as_u64().unwrap_or(0) > 0));
            self.left.extend(is_said.then(|| format!("{part} of the subscription {name:?}")));
        }
    }
}

/// The webhook of an endpoint, as the API would show it, and what of it is not carried over.
pub fn webhook(endpoint: &Value, dialect: &str, wanted: Wanted) -> (Value, Vec<String>) {
    let Wanted { mut events, lacks, mut left } = wanted;
    let mut lacks: Vec<&str> = lacks.into_iter().collect();
    let (mut status, mut reason) = match text(endpoint, "status") {
        "inactive" => ("disabled", Some("inactive in Convoy")),
        "paused" => ("paused", None),
        _ => ("active", None),
    };
    if events.is_empty() {
        (status, reason) = ("disabled", Some("no subscription in Convoy wanted anything for it"));
    }
    if events.is_empty() || events.contains("*") {
        events = BTreeSet::from(["*".to_owned()]);
    }
    for (name, what) in [
        ("slack_webhook_url", "its Slack alerts"),
        ("teams_webhook_url", "its Teams alerts"),
        ("support_email", "its support e-mail"),
    ] {
        left.extend((!text(endpoint, name).is_empty()).then(|| format!("{what}: see notices")));
    }
    if text(endpoint, "content_type").contains("form") {
        lacks.push("a body as a form, which its dialect has to say (body.format)");
    }
    if !endpoint["mtls_client_cert"].is_null() {
        lacks.push("its client certificate (tls)");
    }
    let secrets = secrets(&endpoint["secrets"]);
    if secrets.is_empty() {
        // With another one its receiver would take nothing.
        lacks.push("the secret that its receiver has, which Convoy does not show: rotate that in");
        left.push("its secret, which Convoy does not show".to_owned());
    }
    let auth = auth(&endpoint["authentication"]);
    if auth.is_none() {
        lacks.push("how it authenticates at its endpoint (auth)");
    }
    let timeout = number(&endpoint["http_timeout"]).filter(|seconds| *seconds > 0);
    left.extend(
        timeout.filter(|seconds| *seconds > 120).map(|seconds| format!("http_timeout {seconds}: 120 is the most")),
    );
    let rate = rate_limit(endpoint, &mut left);
    let line = json!({
        "id": endpoint["uid"], "url": endpoint["url"], "dialect": dialect, "events": events, "name": endpoint["name"],
        "description": endpoint["description"], "timeout": timeout.map(|seconds| seconds.min(120)), "rate_limit": rate,
        "auth": auth.unwrap_or_default(), "status": status, "status_reason": reason, "resume_at": null,
        "secrets": secrets, "lacks": lacks,
    });
    (line, left)
}

/// The most that a webhook may be sent in a second or a minute.
const RATE_MAX: u64 = 10_000;

/// So many requests in so many seconds.
fn rate_limit(endpoint: &Value, left: &mut Vec<String>) -> Value {
    let Some(count) = number(&endpoint["rate_limit"]).filter(|count| *count > 0) else { return Value::Null };
    let seconds = number(&endpoint["rate_limit_duration"]).filter(|seconds| *seconds > 0).unwrap_or(1);
    let limit = |name: &str, count: u64| {
        let mut limit = json!({"per_second": null, "per_minute": null, "burst": count.clamp(1, RATE_MAX)});
        limit[name] = json!(count.clamp(1, RATE_MAX));
        limit
    };
    left.extend((count > RATE_MAX).then(|| format!("rate_limit {count}: {RATE_MAX} is the most")));
    match seconds {
        1 => limit("per_second", count),
        60 => limit("per_minute", count),
        _ => {
            let in_a_minute = count.saturating_mul(60) / seconds;
            left.push(format!("rate_limit {count} in {seconds} s: {} a minute", in_a_minute.clamp(1, RATE_MAX)));
            limit("per_minute", in_a_minute)
        }
    }
}

/// How it authenticates; none, where that cannot be said here.
fn auth(of: &Value) -> Option<Value> {
    let full = |of: &Value, name: &str| of[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    match of["type"].as_str().unwrap_or_default() {
        "" => Some(Value::Null),
        "api_key" => {
            let (name, value) = (full(&of["api_key"], "header_name")?, full(&of["api_key"], "header_value")?);
            let token = value.strip_prefix("Bearer ").filter(|_| name.eq_ignore_ascii_case("authorization"));
            Some(token.map_or_else(
                || json!({"type": "header", "name": name, "value": value}),
                |token| json!({"type": "bearer", "token": token}),
            ))
        }
        "basic_auth" => {
            let (user, password) = (full(&of["basic_auth"], "username")?, full(&of["basic_auth"], "password")?);
            Some(json!({"type": "basic", "username": user, "password": password}))
        }
        "oauth2" => {
            let of = &of["oauth2"];
            let (url, id, secret) = (full(of, "url")?, full(of, "client_id")?, full(of, "client_secret")?);
            Some(json!({
                "type": "oauth2", "token_url": url, "client_id": id, "client_secret": secret, "scope": full(of, "scope"),
                "audience": full(of, "audience"), "client_auth": "body",
            }))
        }
        _ => None,
    }
}

/// The newest first, as Convoy signs with the last.
fn secrets(all: &Value) -> Vec<Value> {
    let living = all
        .as_array()
        .into_iter()
        .flatten()
        .filter(|one| one["deleted_at"].is_null() && !text(one, "value").is_empty());
    let mut read: Vec<Value> = living.map(|one| json!({"secret": one["value"], "until": one["expires_at"]})).collect();
    read.reverse();
    read.sort_by_key(|one| !one["until"].is_null());
    read
}

/// A number, or the digits of a text such as `10s`.
fn number(of: &Value) -> Option<u64> {
    let digits = |text: &str| text.strip_suffix('s').unwrap_or(text).parse().ok();
    of.as_u64().or_else(|| of.as_str().and_then(digits))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(all) => all.values().all(is_empty),
        Value::Array(all) => all.is_empty(),
        Value::Null => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Value {
        json!({
            "uid": "01HENDPOINT", "url": "https://a.example", "name": "n", "status": "active", "http_timeout": 10,
            "rate_limit": 5, "rate_limit_duration": 60, "authentication": null, "secrets": [
                {"value": "old", "expires_at": "2030-01-01T00:00:00Z"}, {"value": "gone", "deleted_at": "2020-01-01T00:00:00Z"},
                {"value": "new", "expires_at": null},
            ],
        })
    }

    fn wanted(rows: &[Value]) -> Wanted {
        let mut wanted = Wanted::default();
        rows.iter().for_each(|row| wanted.add(row, &Value::Null));
        wanted
    }

    #[test]
    fn an_endpoint_wants_what_its_subscriptions_want() {
        let rows = [
            json!({"name": "a", "filter_config": {"event_types": ["b.c"], "filter": {"body": {}, "headers": {}}}}),
            json!({"name": "b", "filter_config": {"event_types": ["a.b"]}, "function": null}),
        ];
        let (line, left) = webhook(&endpoint(), "convoy", wanted(&rows));
        assert_eq!((&line["events"], &line["status"], left), (&json!(["a.b", "b.c"]), &json!("active"), Vec::new()));
        assert_eq!((&line["timeout"], &line["rate_limit"]["per_minute"]), (&json!(10), &json!(5)));
        let secrets = json!([{"secret": "new", "until": null}, {"secret": "old", "until": "2030-01-01T00:00:00Z"}]);
        assert_eq!(line["secrets"], secrets);
        let (none, _) = webhook(&endpoint(), "convoy", Wanted::default());
        assert_eq!((&none["events"], &none["status"]), (&json!(["*"]), &json!("disabled")));
        let mut unshown = endpoint();
        (unshown["secrets"], unshown["rate_limit"]) = (json!([]), json!(10_001));
        let (line, left) = webhook(&unshown, "convoy", wanted(&rows));
        assert_eq!((line["lacks"].as_array().map(Vec::len), left.len()), (Some(1), 2), "{left:?}");
    }

    #[test]
    fn what_convoy_filters_or_changes_is_lacking_here() {
        let rows = [
            json!({"name": "a", "filter_config": {"event_types": ["*"], "filter": {"body": {"amount": {"$gt": 5}}}}}),
            json!({"name": "b", "filter_config": {"event_types": ["a.b"]}, "function": "function transform(x) {}"}),
        ];
        let (line, left) = webhook(&endpoint(), "convoy", wanted(&rows));
        assert_eq!((&line["events"], line["lacks"].as_array().map(Vec::len), left.len()), (&json!(["*"]), Some(2), 2));
    }

    #[test]
    fn ways_to_authenticate_are_those_that_there_are_here() {
        let bearer =
            json!({"type": "api_key", "api_key": {"header_name": "Authorization", "header_value": "Bearer t"}});
        assert_eq!(auth(&bearer), Some(json!({"type": "bearer", "token": "t"})));
        let key = json!({"type": "api_key", "api_key": {"header_name": "X-Key", "header_value": "k"}});
        assert_eq!(auth(&key), Some(json!({"type": "header", "name": "X-Key", "value": "k"})));
        assert_eq!(auth(&json!({"type": "basic_auth", "basic_auth": {"username": "u"}})), None);
        assert_eq!((auth(&Value::Null), auth(&json!({"type": "other"}))), (Some(Value::Null), None));
    }
}
