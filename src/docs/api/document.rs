//! The document of the API, as its pages read it.

use serde_json::Value;

/// What the server says of its API: what `/openapi.json` shows.
#[derive(Debug, Clone)]
pub struct Reference(Value);

/// A part of the API.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noun<'r> {
    pub name: &'r str,
    pub description: &'r str,
}

/// An operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation<'r> {
    pub id: &'r str,
    pub method: &'r str,
    pub path: &'r str,
    /// As the document has it.
    pub said: &'r Value,
}

impl Reference {
    /// Reads a document; whatever is not in it is left out.
    pub fn of(document: Value) -> Self {
        Self(document)
    }

    /// Its parts, in a reader's order.
    pub(super) fn nouns(&self) -> Vec<Noun<'_>> {
        let tags = self.0["tags"].as_array().into_iter().flatten();
        let noun =
            |tag| Some(Noun { name: text(tag, "name")?, description: text(tag, "description").unwrap_or_default() });
        tags.filter_map(noun).filter(|noun| !self.operations_of(noun.name).is_empty()).collect()
    }

    /// The operations of a part, in the order of the document.
    pub(super) fn operations_of(&self, noun: &str) -> Vec<Operation<'_>> {
        self.operations().filter(|operation| operation.noun() == noun).collect()
    }

    /// An operation by its id.
    pub(super) fn operation(&self, id: &str) -> Option<Operation<'_>> {
        self.operations().find(|operation| operation.id == id)
    }

    fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let paths = self.0["paths"].as_object().into_iter().flatten();
        paths.flat_map(|(path, item)| {
            item.as_object().into_iter().flatten().filter_map(move |(method, said)| {
                Some(Operation { id: text(said, "operationId")?, method, path, said })
            })
        })
    }

    /// What stands where a `$ref` leads to.
    pub(super) fn resolved<'r>(&'r self, value: &'r Value) -> &'r Value {
        match value["$ref"].as_str().and_then(|to| to.strip_prefix('#')) {
            Some(to) => self.0.pointer(to).unwrap_or(&Value::Null),
            None => value,
        }
    }
}

impl<'r> Operation<'r> {
    /// The part that it belongs to.
    pub fn noun(self) -> &'r str {
        self.id.split('.').next().unwrap_or_default()
    }

    /// What it does, in a few words.
    pub fn summary(self) -> &'r str {
        text(self.said, "summary").unwrap_or(self.id)
    }

    /// Whether one needs a key for it.
    pub fn has_key(self) -> bool {
        self.said["security"].as_array().is_some_and(|all| all.iter().any(|one| one.get("key").is_some()))
    }

    /// The schema of its body, and whether it must have one.
    pub fn body(self) -> Option<(&'r Value, bool)> {
        let body = self.said.get("requestBody")?;
        let schema = body["content"].get("application/json")?.get("schema")?;
        Some((schema, body["required"].as_bool().unwrap_or_default()))
    }
}

/// A text of an object.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value[key].as_str()
}

/// A description on one line.
pub(super) fn described(value: &Value) -> String {
    text(value, "description").unwrap_or_default().replace('\n', " ")
}
