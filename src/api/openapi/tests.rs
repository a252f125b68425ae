//! The document, looked at as a whole: what each operation and each field must say.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::operations::{METHODS, SCOPE};
use super::schemas::walk;
use super::tags::{TAGS, tag_of};
use crate::api::http::code::Code;
use crate::domain::account::Scope;
use crate::domain::delivery::{Cause, DeliveryState, FAILURE_KINDS, SHOWN_STATES};
use crate::domain::webhook::{SHOWN_STATUSES, Status};

/// What can be done, as the last word of an operation's id.
const VERBS: &[&str] = &[
    "ack",
    "broadcast",
    "cancel",
    "change",
    "check",
    "create",
    "delete",
    "disable",
    "discard",
    "drain",
    "enable",
    "explain",
    "export",
    "extend",
    "follow",
    "get",
    "list",
    "load",
    "nack",
    "pause",
    "preview",
    "publish",
    "pull",
    "purge",
    "put",
    "reload",
    "replay",
    "resume",
    "revoke",
    "rotate",
    "test",
    "trust",
    "verify",
];

/// Every operation with its method and its path.
fn operations(document: &Value) -> Vec<(String, &Map<String, Value>)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("there are paths") {
        let there = METHODS.iter().filter_map(|(method, word)| Some((word, item.get(method)?.as_object()?)));
        found.extend(there.map(|(word, operation)| (format!("{word} {path}"), operation)));
    }
    found
}

fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let to = value.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#'));
    to.map_or(value, |pointer| document.pointer(pointer).unwrap_or_else(|| panic!("nothing is at {pointer}")))
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

#[test]
fn every_operation_has_an_id_of_its_own_noun_and_verb() {
    let document = crate::api::document();
    let (mut seen, mut used) = (BTreeSet::new(), BTreeSet::new());
    for (place, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap_or_default();
        let words: Vec<&str> = id.split('.').collect();
        let is_word =
            |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(words.len() > 1 && words.iter().all(is_word), "{place}: {id:?} is no noun.verb");
        assert!(VERBS.contains(words.last().unwrap()), "{place}: {id:?} ends in no verb that is known here");
        assert!(seen.insert(id), "{place}: {id:?} is there twice");
        let tag = tag_of(id).unwrap_or_else(|| panic!("{place}: {id:?} starts with no part in openapi/tags.rs"));
        used.insert(tag.name);
    }
    assert_eq!(used.len(), TAGS.len(), "a part without an operation");
}

#[test]
fn every_operation_says_what_it_does_and_with_which_scope_and_errors() {
    let document = crate::api::document();
    for (place, operation) in operations(&document) {
        assert!(is_text(&operation["summary"]) && is_text(&operation["description"]), "{place}: no words");
        let is_open = operation["security"] == serde_json::json!([{}]);
        let scope = operation.get(SCOPE).and_then(Value::as_str);
        let needs_none = is_open || place == "GET /api/v1/whoami";
        assert!(scope.map_or(needs_none, |one| Scope::WORDS.contains(&one)), "{place}: {scope:?} is no scope");
        let replies = operation["responses"].as_object().expect("replies");
        assert!(replies.keys().any(|status| status.starts_with('2')), "{place}: no success");
        let mut wanted =
            if is_open { vec!["414", "431", "500", "503"] } else { vec!["400", "401", "403", "429", "508"] };
        wanted.extend(operation.contains_key("requestBody").then_some(["408", "413", "415"]).into_iter().flatten());
        for status in wanted {
            assert!(replies.contains_key(status), "{place}: {status} is missing");
        }
        for (status, reply) in replies.iter().filter(|(status, _)| status.as_str() >= "400") {
            let reply = resolved(&document, reply);
            let schema = &reply["content"]["application/json"]["schema"];
            assert_eq!(schema["$ref"], super::common::ERROR_SCHEMA, "{place}: {status}");
        }
        for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            let parameter = resolved(&document, parameter);
            let name = &parameter["name"];
            assert!(is_text(&parameter["description"]), "{place}: parameter {name} without a description");
            let has_example =
                parameter.get("example").is_some() || resolved(&document, &parameter["schema"]).get("enum").is_some();
            assert!(has_example, "{place}: parameter {name} without an example");
        }
        if let Some(body) = operation.get("requestBody") {
            assert!(body["required"].is_boolean(), "{place}: is the body needed?");
            assert!(!body["content"]["application/json"]["schema"].to_string().contains("null"), "{place}");
        }
    }
}

#[test]
fn every_field_has_a_description_and_an_example() {
    let mut document = crate::api::document();
    let whole = document.clone();
    let mut bare = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object_mut().expect("there are schemas") {
        let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric()) && name.starts_with(char::is_uppercase);
        assert!(fits, "the schema {name:?} has no name that people would give it");
        assert!(is_text(&schema["description"]), "the schema {name} has no description");
        walk(schema, &mut |object| {
            for (field, schema) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
                let named = named(schema).map(|one| resolved(&whole, one));
                let is_told = is_text(&schema["description"]) || named.is_some_and(|one| is_text(&one["description"]));
                let is_shown = schema.get("examples").is_some() || named.is_some_and(is_shown);
                if !is_told || !is_shown {
                    let lacks = if is_told { "example" } else { "description" };
                    bare.push(format!("{name}.{field} has no {lacks}: {schema}"));
                }
            }
        });
    }
    assert!(bare.is_empty(), "an example can stand in openapi/examples.rs:\n{}", bare.join("\n"));
}

/// The schema that a field refers to, by itself, or null, or a list of.
fn named(schema: &Value) -> Option<&Value> {
    let of_some = schema["oneOf"].as_array().and_then(|all| all.iter().find(|one| one.get("$ref").is_some()));
    let of_list = schema.get("items").filter(|items| items.get("$ref").is_some());
    schema.get("$ref").map(|_| schema).or(of_some).or(of_list)
}

/// Whether a named schema has an example, of itself or of its fields.
fn is_shown(schema: &Value) -> bool {
    ["examples", "properties", "oneOf", "enum"].iter().any(|key| schema.get(key).is_some())
}

#[test]
fn a_selection_must_select() {
    let document = crate::api::document();
    for name in ["EventSelection", "WebhookSelection"] {
        let selection = &document["components"]["schemas"][name];
        assert!(selection.get("required").is_none() && selection["minProperties"] == 1, "{selection}");
    }
}

#[test]
fn every_word_of_the_program_is_in_the_document() {
    let document = crate::api::document();
    let words = |name: &str| -> Vec<&str> {
        let all = document["components"]["schemas"][name]["enum"].as_array();
        all.unwrap_or_else(|| panic!("no enum {name}")).iter().filter_map(Value::as_str).collect()
    };
    assert_eq!(words("ErrorCode"), Code::MEANINGS.iter().map(|(word, _)| *word).collect::<Vec<_>>());
    assert_eq!(words("DeliveryState"), SHOWN_STATES);
    assert!(DeliveryState::WORDS.iter().all(|word| SHOWN_STATES.contains(word)));
    assert_eq!(words("WebhookStatus"), SHOWN_STATUSES);
    assert!(Status::WORDS.iter().all(|word| *word == "deleted" || SHOWN_STATUSES.contains(word)));
    assert_eq!(words("DeliveryCause"), Cause::WORDS);
    assert_eq!(words("AttemptOutcome"), FAILURE_KINDS);
    assert_eq!(words("Scope"), Scope::WORDS);
}
