//! What a line wants of a webhook: the fields to send, and what it lacks. What stays true: what is there already is not sent, and what
//! no export holds (a password, a client's key) is never guessed: it is kept where the webhook has it, and named where not.

use serde_json::{Map, Value, json};

use super::index::own_id;

/// What a line can say of a webhook, beside what has a rule of its own: headers, `auth` and `tls`.
const FIELDS: [&str; 24] = [
    "mode",
    "dialect",
    "url",
    "events",
    "name",
    "description",
    "rate_limit",
    "max_in_flight",
    "timeout",
    "retry",
    "success",
    "test_mode",
    "ownership_check",
    "disable",
    "order",
    "order_key",
    "on_dead",
    "filter",
    "shape",
    "allow",
    "tags",
    "metadata",
    "channels",
    "notices",
];
/// Of `auth`: what is never shown.
const HIDDEN: [&str; 4] = ["password", "token", "value", "client_secret"];

/// What is to be sent of a webhook, and what nobody can send.
#[derive(Debug, PartialEq)]
pub struct Wish {
    /// What differs from what is there.
    pub fields: Map<String, Value>,
    /// What it lacks to work as it did, in words.
    pub missing: Vec<String>,
}

impl Wish {
    /// What is to be sent so that `known`, or a new webhook, is as the line says. Why it cannot be, in words.
    pub fn of(line: &Value, known: Option<&Value>) -> Result<Self, String> {
        let mut said = Map::new();
        said.extend(FIELDS.iter().filter_map(|name| Some(((*name).to_owned(), line.get(*name)?.clone()))));
        said.extend(own_id(line).map(|uid| ("uid".to_owned(), json!(uid))));
        let mut missing = Vec::new();
        said.extend(headers(line, known, &mut missing).map(|headers| ("headers".to_owned(), headers)));
        said.extend(auth(line, known, &mut missing).map(|auth| ("auth".to_owned(), auth)));
        said.extend(tls(line, known, &mut missing).map(|tls| ("tls".to_owned(), tls)));
        let Some(known) = known else {
            missing.extend(lacks(line).map(str::to_owned));
            // What a webhook has by itself needs no words, and some of it cannot be said of some webhooks.
            said.retain(|name, value| !(is_usual(value) || name == "mode" && value == "push"));
            return Ok(Self { fields: said, missing });
        };
        for fixed in ["dialect", "mode"] {
            if said.remove(fixed).is_some_and(|value| value != known[fixed]) {
                let there = &known[fixed];
                return Err(format!(
                    "{fixed}: is {there} there, and cannot be changed: delete that webhook, or leave it as it is"
                ));
            }
        }
        Ok(Self { fields: differing(said, known), missing })
    }
}

/// What is known to be lacking where the line comes from another kind of server. Whether somebody has made up for it since nobody knows.
pub fn lacks(line: &Value) -> impl Iterator<Item = &str> {
    line["lacks"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Of what is said, what is not so yet.
pub fn differing(mut said: Map<String, Value>, known: &Value) -> Map<String, Value> {
    said.retain(|name, value| {
        let there = known.get(name).unwrap_or(&Value::Null);
        value != there && !(is_usual(value) && is_usual(there))
    });
    said
}

/// Whether it is what is meant where nothing is said.
fn is_usual(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is) => !is,
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Number(_) => false,
    }
}

/// Null stands for a value that is not shown.
fn headers(line: &Value, known: Option<&Value>, missing: &mut Vec<String>) -> Option<Value> {
    let said = line.get("headers")?;
    let mut all = Map::new();
    for (name, value) in said.as_object()? {
        let kept = || known.map(|known| &known["headers"][name]).filter(|kept| kept.is_string());
        match (value, kept()) {
            (Value::Null, Some(kept)) => drop(all.insert(name.clone(), kept.clone())),
            (Value::Null, None) => missing.push(format!("headers: the value of {name}")),
            _ => drop(all.insert(name.clone(), value.clone())),
        }
    }
    Some(all.into())
}

fn auth(line: &Value, known: Option<&Value>, missing: &mut Vec<String>) -> Option<Value> {
    let said = without_nulls(line.get("auth")?);
    let Some(fields) = said.as_object() else { return Some(Value::Null) };
    let shown: Map<String, Value> = fields
        .iter()
        .map(|(name, value)| (name.clone(), if HIDDEN.contains(&name.as_str()) { json!(true) } else { value.clone() }))
        .collect();
    if known.is_some_and(|known| without_nulls(&known["auth"]) == Value::Object(shown)) {
        return None;
    }
    let hidden = HIDDEN.iter().find(|name| said[**name] == true);
    if let Some(hidden) = hidden {
        missing.push(format!("auth: its {hidden}, which a server never shows"));
        return None;
    }
    Some(said)
}

fn tls(line: &Value, known: Option<&Value>, missing: &mut Vec<String>) -> Option<Value> {
    let said = line.get("tls")?;
    if known.is_some_and(|known| known["tls"] == *said) {
        return None;
    }
    if said["client_key"] == true {
        missing.push("tls: its client_key, which a server never shows".into());
        return None;
    }
    let mut said = without_nulls(said);
    if let Some(fields) = said.as_object_mut() {
        fields.retain(|_, value| *value != false);
    }
    Some(said)
}

fn without_nulls(value: &Value) -> Value {
    let Some(fields) = value.as_object() else { return value.clone() };
    fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(line: Value, known: Option<Value>) -> (Value, Vec<String>) {
        let Wish { fields, missing } = Wish::of(&line, known.as_ref()).expect("a wish");
        (fields.into(), missing)
    }

    #[test]
    fn a_new_webhook_is_told_only_what_is_not_usual() {
        let line = json!({
            "id": "ep_1", "url": "https://a.example", "events": ["*"], "name": null, "test_mode": false, "tags": [], "mode": "push",
            "rate_limit": {"per_second": 5, "per_minute": null, "burst": 5}, "succeeded": 9, "max_retries": 3,
        });
        let rate = json!({"per_second": 5, "per_minute": null, "burst": 5});
        let expected = json!({"url": "https://a.example", "events": ["*"], "rate_limit": rate, "uid": "ep_1"});
        assert_eq!(wish(line, None), (expected, Vec::new()));
    }

    #[test]
    fn one_that_is_there_is_told_what_differs() {
        let line =
            json!({"uid": "crm", "dialect": "hub", "url": "https://a.example", "name": null, "timeout": 9, "tags": []});
        let known = json!({"uid": "crm", "dialect": "hub", "url": "https://a.example", "name": "old", "timeout": 9, "tags": []});
        assert_eq!(wish(line.clone(), Some(known.clone())), (json!({"name": null}), Vec::new()));
        assert_eq!(wish(known.clone(), Some(known.clone())), (json!({}), Vec::new()));
        let moved = json!({"uid": "crm", "dialect": "standard"});
        assert!(Wish::of(&moved, Some(&known)).expect_err("another contract").starts_with("dialect: is \"hub\" there"));
    }

    #[test]
    fn what_no_export_holds_is_kept_or_named() {
        let line = json!({
            "uid": "crm", "headers": {"X-Team": "blue", "X-Key": null},
            "auth": {"type": "basic", "username": "u", "password": true, "token": null},
        });
        let (fields, missing) = wish(line.clone(), None);
        assert_eq!(fields, json!({"uid": "crm", "headers": {"X-Team": "blue"}}));
        assert_eq!(missing.len(), 2, "{missing:?}");
        let known = json!({
            "uid": "crm", "headers": {"X-Team": "red", "X-Key": "k"},
            "auth": {"type": "basic", "username": "u", "password": true, "value": null},
        });
        let (fields, missing) = wish(line, Some(known));
        assert_eq!((fields, missing.len()), (json!({"headers": {"X-Team": "blue", "X-Key": "k"}}), 0));
    }

    #[test]
    fn a_secret_that_somebody_has_written_into_the_line_is_sent() {
        let auth = json!({"type": "bearer", "token": "t", "username": null});
        let (fields, missing) = wish(json!({"uid": "crm", "auth": auth}), None);
        assert_eq!(fields["auth"], json!({"type": "bearer", "token": "t"}));
        assert!(missing.is_empty());
    }
}
