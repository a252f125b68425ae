//! What Svix has: its applications are accounts, its endpoints webhooks, with their secrets and headers, and its event types. What
//! stays true: receivers go on with what they have, since the dialect is Svix's; and what has no counterpart is named.

use serde_json::{Map, Value, json};

use super::entry::{Entry, Item, What};
use super::importer::Importer;
use super::theirs::{Paging, Theirs, text};
use crate::cli::error::CliError;
use crate::domain::account::NAME_CHARS_MAX;
use crate::domain::labels;

/// Its lists.
const PAGING: Paging = Paging {
    query: &[("limit", "100")],
    cursor: "iterator",
    rows: "/data",
    next: "/iterator",
    goes_on: ("/done", false),
};
/// Event types are held, since each account gets them.
const TYPES_MAX: usize = 10_000;
/// The most that a webhook may be sent in a second.
const RATE_MAX: u64 = 10_000;

/// Hands over all that Svix has.
pub async fn read(theirs: &Theirs, dialect: &str, to: &mut Importer) -> Result<(), CliError> {
    let types = if to.wants(What::EventTypes) { event_types(theirs, to).await? } else { Vec::new() };
    let mut apps = theirs.list(&PAGING, &["app"], &[]);
    while let Some(app) = apps.next().await? {
        let (account, left) = account(&app, dialect);
        let id = account["id"].as_str().unwrap_or_default().to_owned();
        if !to.wants_of(&id) {
            continue;
        }
        let app_id = text(&app, "id");
        to.take(Entry { place: format!("app {app_id}"), account: None, item: Item::Account(account), left }).await?;
        for known in &types {
            let (place, item) = (format!("event type {}", text(known, "type")), Item::EventType(known.clone()));
            to.take(Entry { place, account: Some(id.clone()), item, left: Vec::new() }).await?;
        }
        if to.wants(What::Webhooks) {
            endpoints(theirs, app_id, (&id, dialect), to).await?;
        }
    }
    to.left("Svix", "messages and their attempts: publish here from now on, and let Svix deliver what it has");
    to.left("Svix", "what is not read: OAuth and client certificates of endpoints, connectors, the portal's looks");
    Ok(())
}

async fn endpoints(
    theirs: &Theirs,
    app: &str,
    (account, dialect): (&str, &str),
    to: &mut Importer,
) -> Result<(), CliError> {
    let mut endpoints = theirs.list(&PAGING, &["app", app, "endpoint"], &[]);
    while let Some(endpoint) = endpoints.next().await? {
        let id = text(&endpoint, "id");
        let below = ["app", app, "endpoint", id];
        let part = |last: &'static str| [below.as_slice(), &[last]].concat();
        let secret = theirs.get(&part("secret"), &[]).await?.unwrap_or_default();
        let headers = theirs.get(&part("headers"), &[]).await?.unwrap_or_default();
        // Only the hosted one has it.
        let transformation = theirs.get(&part("transformation"), &[]).await?.unwrap_or_default();
        let (line, left) = webhook(&endpoint, dialect, &Besides { secret, headers, transformation });
        let entry = Entry {
            place: format!("endpoint {id}"),
            account: Some(account.to_owned()),
            item: Item::Webhook(line),
            left,
        };
        to.take(entry).await?;
    }
    Ok(())
}

/// The event types of all accounts; what is left of them is told once.
async fn event_types(theirs: &Theirs, to: &mut Importer) -> Result<Vec<Value>, CliError> {
    let mut types = Vec::new();
    let asked = [("with_content", "true"), ("include_archived", "true")];
    let mut pages = theirs.list(&PAGING, &["event-type"], &asked);
    while let Some(known) = pages.next().await? {
        if types.len() == TYPES_MAX {
            let why = format!("Svix has more than {TYPES_MAX} event types: import without them (--what)");
            return Err(CliError::Failed(why));
        }
        let (line, left) = event_type(&known);
        left.iter().for_each(|left| to.left(&format!("event type {}", text(&known, "name")), left));
        types.push(line);
    }
    Ok(types)
}

/// What an endpoint has besides.
#[derive(Debug, Default)]
struct Besides {
    secret: Value,
    headers: Value,
    transformation: Value,
}

/// An account of an application: its own id is the application's, where that can be one.
fn account(app: &Value, dialect: &str) -> (Value, Vec<String>) {
    let mut left = Vec::new();
    let is_plain = |uid: &&str| {
        (1..=64).contains(&uid.len())
            && uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    let uid = app["uid"].as_str();
    let id = uid.filter(is_plain).unwrap_or_else(|| text(app, "id"));
    if let Some(uid) = uid.filter(|uid| !is_plain(uid)) {
        left.push(format!(
            "its uid {uid:?}: the account is called {id}, since ids of accounts are 1 to 64 of A-Z a-z 0-9 _ -"
        ));
    }
    if app["throttleRate"].as_u64().is_some_and(|rate| rate > 0) {
        left.push(format!(
            "throttleRate {} of the whole application: limit each webhook (rate_limit)",
            app["throttleRate"]
        ));
    }
    if app["metadata"].as_object().is_some_and(|metadata| !metadata.is_empty()) {
        left.push(format!("metadata of the application: {}", keys(&app["metadata"])));
    }
    let name: String = text(app, "name").chars().take(NAME_CHARS_MAX).collect();
    let name = if name.is_empty() { id.to_owned() } else { name };
    (json!({"id": id, "name": name, "dialect": dialect}), left)
}

fn event_type(known: &Value) -> (Value, Vec<String>) {
    let mut left = Vec::new();
    let versions = known["schemas"].as_object();
    // They are called 1, 2, 3 …
    let newest = versions.and_then(|all| all.iter().max_by_key(|(version, _)| version.parse::<u64>().unwrap_or(0)));
    if versions.is_some_and(|all| all.len() > 1) {
        left.push(format!("its schemas but the newest, which is {}", newest.map_or("none", |(version, _)| version)));
    }
    for (name, what) in [("featureFlag", "its feature flag"), ("groupName", "its group")] {
        left.extend(known[name].as_str().map(|value| format!("{what} {value}")));
    }
    let is_retired = known["archived"] == true || known["deprecated"] == true;
    let line = json!({
        "type": known["name"], "description": known["description"], "schema": newest.map(|(_, schema)| schema),
        "retired_at": is_retired.then_some(&known["updatedAt"]),
    });
    (line, left)
}

/// A webhook of an endpoint: where no own id stands, the endpoint's id goes on to name it.
fn webhook(endpoint: &Value, dialect: &str, besides: &Besides) -> (Value, Vec<String>) {
    let (mut left, mut lacks) = (Vec::new(), Vec::new());
    let mut headers: Map<String, Value> = besides.headers["headers"].as_object().cloned().unwrap_or_default();
    for name in besides.headers["sensitive"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        headers.insert(name.to_owned(), Value::Null);
    }
    if besides.transformation["enabled"] == true {
        lacks.push("what its transformation in Svix makes of the payload (its `shape` here)");
        left.push("its transformation".to_owned());
    }
    let key = besides.secret["key"].as_str();
    let key = key.map(|key| if key.contains('_') { key.to_owned() } else { format!("whsec_{key}") });
    if key.is_none() {
        // With another one its receiver would take nothing.
        lacks.push("the secret that its receiver has, which Svix does not show: rotate that in");
        left.push("its secret, which Svix does not show".to_owned());
    }
    let uid = endpoint["uid"].as_str().filter(|uid| match labels::check_uid(uid) {
        Ok(()) => true,
        Err(why) => {
            left.push(format!("its uid {uid:?}, which {}: its id is its own id here", why.message));
            false
        }
    });
    let rate = endpoint["throttleRate"].as_u64().or_else(|| endpoint["rateLimit"].as_u64()).filter(|rate| *rate > 0);
    if let Some(rate) = rate.filter(|rate| *rate > RATE_MAX) {
        left.push(format!("throttleRate {rate}: {RATE_MAX} is the most"));
    }
    let rate = rate.map(|rate| rate.min(RATE_MAX));
    let is_disabled = endpoint["disabled"] == true;
    let types = endpoint["eventTypes"].as_array().or_else(|| endpoint["filterTypes"].as_array());
    let line = json!({
        "id": endpoint["id"], "uid": uid, "url": endpoint["url"], "dialect": dialect,
        "events": types.filter(|types| !types.is_empty()).map_or(json!(["*"]), |types| json!(types)),
        "description": endpoint["description"], "channels": sorted(&endpoint["channels"]), "metadata": endpoint["metadata"],
        "rate_limit": rate.map(|rate| json!({"per_second": rate, "per_minute": null, "burst": rate})), "headers": headers,
        "status": if is_disabled { "disabled" } else { "active" }, "status_reason": is_disabled.then_some("disabled in Svix"),
        "secrets": key.map(|key| json!([key])), "lacks": lacks,
    });
    (line, left)
}

/// As they are shown here.
fn sorted(channels: &Value) -> Vec<&str> {
    let mut all: Vec<&str> = channels.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    all.sort_unstable();
    all
}

fn keys(of: &Value) -> String {
    of.as_object().into_iter().flat_map(Map::keys).cloned().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_an_account_under_its_own_id_where_it_can_be() {
        let of = |app: Value| account(&app, "svix");
        let plain = of(json!({"id": "app_1", "uid": "acme", "name": "Acme", "metadata": {}}));
        assert_eq!(plain, (json!({"id": "acme", "name": "Acme", "dialect": "svix"}), Vec::new()));
        let (line, left) =
            of(json!({"id": "app_2", "uid": "acme.eu", "name": "", "throttleRate": 5, "metadata": {"k": "v"}}));
        assert_eq!((&line["id"], &line["name"], left.len()), (&json!("app_2"), &json!("app_2"), 3));
    }

    #[test]
    fn an_endpoint_is_a_webhook_and_says_what_it_lacks() {
        let endpoint = json!({
            "id": "ep_1", "uid": null, "url": "https://a.example", "description": "d", "disabled": true, "eventTypes": null,
            "channels": ["b", "a"], "metadata": {"k": "v"}, "throttleRate": 7,
        });
        let besides = Besides {
            secret: json!({"key": "c2VjcmV0"}),
            headers: json!({"headers": {"X-Team": "blue"}, "sensitive": ["X-Key"]}),
            transformation: json!({"enabled": true, "code": "handler"}),
        };
        let (line, left) = webhook(&endpoint, "svix", &besides);
        assert_eq!((&line["events"], &line["channels"]), (&json!(["*"]), &json!(["a", "b"])));
        assert_eq!(
            (&line["secrets"], &line["headers"]),
            (&json!(["whsec_c2VjcmV0"]), &json!({"X-Team": "blue", "X-Key": null}))
        );
        assert_eq!((&line["status"], &line["rate_limit"]["burst"]), (&json!("disabled"), &json!(7)));
        assert_eq!((left, line["lacks"].as_array().map(Vec::len)), (vec!["its transformation".to_owned()], Some(1)));
        let unshown = json!({"id": "ep_1", "uid": "acme/1", "url": "https://a.example"});
        let (line, left) = webhook(&unshown, "svix", &Besides::default());
        assert_eq!((&line["uid"], &line["secrets"], left.len()), (&Value::Null, &Value::Null, 2), "{left:?}");
        assert_eq!(line["lacks"].as_array().map(Vec::len), Some(1), "it would sign with what nobody knows");
    }

    #[test]
    fn an_event_type_has_its_newest_schema_and_names_the_others() {
        let known = json!({"name": "a.b", "description": "d", "archived": true, "updatedAt": "t", "featureFlag": "beta",
            "schemas": {"9": {"type": "object"}, "10": {"type": "array"}}});
        let (line, left) = event_type(&known);
        assert_eq!((&line["schema"], &line["retired_at"]), (&json!({"type": "array"}), &json!("t")));
        assert_eq!(left.len(), 2, "{left:?}");
    }
}
