//! What is done to every operation: it gets its part, the scope in words, the header that names an account, and the errors
//! that it can give.

use serde_json::{Map, Value, json};

use super::common::{self, Shape};
use super::examples::example;
use super::tags::tag_of;
use crate::api::http::form::Form;

/// The methods of a path, as the document writes them and as `Allow` does.
pub const METHODS: [(&str, &str); 5] =
    [("delete", "DELETE"), ("get", "GET"), ("patch", "PATCH"), ("post", "POST"), ("put", "PUT")];

/// The field that names the scope which a key needs.
pub const SCOPE: &str = "x-scope";

/// Completes the operation at `path`.
pub fn complete(path: &str, operation: &mut Map<String, Value>) {
    let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default().to_string();
    let tag = tag_of(&id);
    operation.insert("tags".into(), tag.iter().map(|tag| tag.name).collect());
    let need = Need::take(operation);
    add_forms(operation);
    need.say(operation);
    relax_body(operation);
    let has_key = need != Need::Nothing;
    let parameters = parameters(path, operation, has_key && tag.is_some_and(|tag| tag.is_of_account));
    let shape = Shape {
        has_key,
        has_body: operation.contains_key("requestBody"),
        has_path_id: parameters.iter().any(|one| one["in"] == "path"),
        has_query: parameters.iter().any(|one| one["in"] == "query"),
    };
    if !parameters.is_empty() {
        operation.insert("parameters".into(), parameters.into());
    }
    let Some(Value::Object(responses)) = operation.get_mut("responses") else { return };
    for (status, reply) in responses.iter_mut().filter(|(status, _)| status.as_str() >= "400") {
        let description = reply["description"].as_str().unwrap_or_default().to_string();
        *reply = common::error_reply(status, &description);
    }
    for (status, reply) in common::errors_of(shape) {
        responses.entry(status).or_insert(reply);
    }
    responses.sort_keys();
}

/// A list can also be had line by line.
fn add_forms(operation: &mut Map<String, Value>) {
    let asked = operation.get("parameters").and_then(Value::as_array);
    if !asked.is_some_and(|all| all.iter().any(|one| one["name"] == "order")) {
        return;
    }
    for form in [Form::Lines, Form::Csv] {
        let kind = form.content_type().split(';').next().unwrap_or_default();
        operation["responses"]["200"]["content"][kind] = json!({"schema": {"type": "string"}});
    }
    let told = operation.get("description").and_then(Value::as_str).filter(|text| !text.is_empty());
    let forms = "With `Accept: application/x-ndjson` or `text/csv` all of the list comes, a row a line.";
    let told = told.map_or(forms.to_string(), |told| format!("{told}\n\n{forms}"));
    operation.insert("description".into(), told.into());
}

/// What it takes to be let in.
#[derive(Debug, PartialEq, Eq)]
enum Need {
    Nothing,
    /// A key, whatever its scopes.
    AnyKey,
    Scope(String),
}

impl Need {
    /// Keys of this kind have no scopes in OpenAPI, so one is told by a field of our own.
    fn take(operation: &mut Map<String, Value>) -> Self {
        let first = operation.get_mut("security").and_then(|all| all.get_mut(0)?.as_object_mut()?.values_mut().next());
        let Some(scopes) = first.and_then(Value::as_array_mut) else { return Self::Nothing };
        let Some(Value::String(scope)) = scopes.pop() else { return Self::AnyKey };
        operation.insert(SCOPE.into(), scope.as_str().into());
        Self::Scope(scope)
    }

    fn say(&self, operation: &mut Map<String, Value>) {
        let need = match self {
            Self::Nothing => "Needs no key.".to_string(),
            Self::AnyKey => "Needs a key, whatever its scopes.".to_string(),
            Self::Scope(scope) => format!("Needs a key with the scope `{scope}`."),
        };
        let told = operation.get("description").and_then(Value::as_str).filter(|text| !text.is_empty());
        let told = told.map_or(need.clone(), |told| format!("{told}\n\n{need}"));
        operation.insert("description".into(), told.into());
    }
}

/// A body that may be left out is one that need not be there, not one that may be null; lines of JSON are explained.
fn relax_body(operation: &mut Map<String, Value>) {
    let Some(body) = operation.get_mut("requestBody") else { return };
    let is_needed = body.get("required").is_some_and(|one| *one == true);
    body["required"] = json!(is_needed);
    if let Some(lines) = body["content"].get_mut("application/x-ndjson") {
        lines["schema"]["description"] = "One JSON object a line, each as the JSON form has it.".into();
    }
    take_null_away(&mut body["content"]["application/json"]["schema"]);
}

/// What may be left out has a value where it is there.
fn take_null_away(schema: &mut Value) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|one| one != "null");
        if let [one] = &types[..] {
            schema["type"] = one.clone();
        }
    }
    let parts = schema.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
    let (null, others): (Vec<_>, Vec<_>) = parts.into_iter().partition(|one| one["type"] == "null");
    if let ([_], [named]) = (&null[..], &others[..]) {
        *schema = named.clone();
    }
}

fn parameters(path: &str, operation: &mut Map<String, Value>, names_account: bool) -> Vec<Value> {
    let Some(Value::Array(mut all)) = operation.remove("parameters").or_else(|| Some(json!([]))) else {
        return Vec::new();
    };
    for parameter in &mut all {
        let name = parameter["name"].as_str().unwrap_or_default().to_string();
        let before = segment_before(path, &name);
        if parameter["in"] == "path" && parameter["description"].as_str().is_none_or(str::is_empty) {
            parameter["description"] = common::path_id(before).into();
        }
        take_null_away(&mut parameter["schema"]);
        if parameter.get("example").is_none()
            && let Some(one) = example(before, &name)
        {
            parameter["example"] = one;
        }
    }
    all.extend(names_account.then(common::account_parameter));
    all
}

/// The segment of a path before `{name}`.
fn segment_before<'p>(path: &'p str, name: &str) -> &'p str {
    let start = path.find(&format!("/{{{name}}}")).unwrap_or(0);
    path[..start].rsplit('/').next().unwrap_or_default()
}
