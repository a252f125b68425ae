//! The document held against what is said: every exchange that a test makes with the native API is checked against
//! `hookwheel::api::document()`. What stays true: a reply has a status, a shape and fields that the document names, and no
//! others; a request that was taken is one that the document allows.
//!
//! A request that was refused may be as wrong as its test wants. What is at no path of the document (a dialect's face, a path
//! that does not exist) is nothing that it speaks of.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use boon::{Compiler, SchemaIndex, Schemas};
use hookwheel::api;
use serde_json::{Map, Value, json};

/// What was asked, and what came back.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// Such as `POST`.
    pub method: &'a str,
    /// With its query.
    pub path: &'a str,
    /// What the request said its body is; empty where it said nothing.
    pub content_type: &'a str,
    /// The request's body.
    pub asked: &'a [u8],
    /// The reply's status.
    pub status: u16,
    /// What the reply says its body is; only JSON is looked into.
    pub told_type: &'a str,
    /// The reply's body.
    pub told: &'a [u8],
}

impl Exchange<'_> {
    /// Notes which operation was done, if one was.
    #[allow(dead_code, reason = "not every test asks what was done")]
    pub fn note(&self) {
        if let Some(operation) = CONTRACT.operation(self).filter(|_| self.status < 400) {
            DONE.with_borrow_mut(|done| done.insert(operation.id.clone()));
        }
    }

    /// Asserts that it is as the document says.
    #[track_caller]
    pub fn check(&self) {
        let Some(operation) = CONTRACT.operation(self) else { return };
        if let Err(fault) = CONTRACT.fault(self, operation) {
            let (asked, told) = (String::from_utf8_lossy(self.asked), String::from_utf8_lossy(self.told));
            panic!(
                "not as /openapi.json says: {fault}\n{} {}\n{asked:.2000}\n{} {told:.2000}",
                self.method, self.path, self.status
            );
        }
    }
}

static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::new);

thread_local! {
    static DONE: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// The ids of the operations that were asked for on this thread, and done.
#[allow(dead_code, reason = "not every test asks")]
pub fn done() -> BTreeSet<String> {
    DONE.with_borrow(Clone::clone)
}

/// The document, ready to judge.
struct Contract {
    schemas: Schemas,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    segments: Vec<String>,
    query: Vec<Parameter>,
    body: Option<Body>,
    /// By status: the schema, where the reply is JSON.
    replies: BTreeMap<String, Option<SchemaIndex>>,
}

struct Parameter {
    name: String,
    required: bool,
    is_text: bool,
    schema: SchemaIndex,
}

struct Body {
    required: bool,
    schema: SchemaIndex,
}

impl Contract {
    fn new() -> Self {
        let mut document = api::document();
        close(&mut document["components"]["schemas"]);
        let mut parts = Parts::default();
        let mut drafts = Vec::new();
        for (path, item) in document["paths"].as_object().expect("there are paths") {
            for (method, operation) in item.as_object().expect("there are operations") {
                drafts.push(Draft::of(&document, path, method, operation, &mut parts));
            }
        }
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        let whole = json!({"components": document["components"], "parts": parts.0});
        compiler.add_resource("document.json", whole).expect("it is JSON");
        let mut compile = |part: usize| {
            let compiled = compiler.compile(&format!("document.json#/parts/{part}"), &mut schemas);
            compiled.unwrap_or_else(|error| panic!("{error:#}"))
        };
        let operations = drafts.into_iter().map(|draft| draft.compiled(&mut compile)).collect();
        Self { schemas, operations }
    }

    /// The operation that it asks for: a path without a placeholder goes before one with.
    fn operation(&self, exchange: &Exchange<'_>) -> Option<&Operation> {
        let path = exchange.path.split('?').next().unwrap_or_default();
        let asked: Vec<&str> = path.split('/').collect();
        let fits = |one: &&Operation| {
            let is_same =
                |(known, asked): (&String, &&str)| known == asked || (known.starts_with('{') && !asked.is_empty());
            one.method == exchange.method
                && one.segments.len() == asked.len()
                && one.segments.iter().zip(&asked).all(is_same)
        };
        let all = self.operations.iter().filter(fits);
        all.min_by_key(|one| one.segments.iter().filter(|segment| segment.starts_with('{')).count())
    }

    fn fault(&self, exchange: &Exchange<'_>, operation: &Operation) -> Result<(), String> {
        let status = exchange.status.to_string();
        let reply = operation.replies.get(&status).ok_or_else(|| format!("no reply {status} is described"))?;
        if let Some(schema) = reply
            && exchange.told_type.starts_with("application/json")
            && let Some(told) = read(exchange.told).map_err(|error| format!("the reply: {error}"))?
        {
            self.vet("the reply", *schema, &told)?;
        }
        if exchange.status >= 400 {
            return Ok(());
        }
        self.vet_query(exchange, operation)?;
        self.vet_body(exchange, operation)
    }

    fn vet_query(&self, exchange: &Exchange<'_>, operation: &Operation) -> Result<(), String> {
        let query = exchange.path.split_once('?').map_or("", |(_, query)| query);
        let asked: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        for (name, text) in &asked {
            let known = operation.query.iter().find(|known| known.name == *name);
            let known = known.ok_or_else(|| format!("no parameter {name} is described"))?;
            let value = if known.is_text { Value::from(text.as_str()) } else { read_word(text) };
            self.vet(&format!("the parameter {name}"), known.schema, &value)?;
        }
        let missing =
            operation.query.iter().find(|one| one.required && asked.iter().all(|(name, _)| *name != one.name));
        missing.map_or(Ok(()), |one| Err(format!("the parameter {} is needed and was not there", one.name)))
    }

    fn vet_body(&self, exchange: &Exchange<'_>, operation: &Operation) -> Result<(), String> {
        let is_blank = exchange.asked.iter().all(u8::is_ascii_whitespace);
        let Some(body) = &operation.body else {
            // An object in which nothing is said is passed over.
            return if is_blank || exchange.asked == b"{}" { Ok(()) } else { Err("no body is described".into()) };
        };
        if is_blank {
            return if body.required { Err("a body is needed and was not there".into()) } else { Ok(()) };
        }
        let all = match read_all(exchange.asked) {
            Ok(Some(all)) => all,
            Ok(None) => return Ok(()),
            Err(error) => return Err(format!("the body: {error}")),
        };
        match &all[..] {
            // Taken for none.
            [Value::Null] if !body.required => Ok(()),
            [asked] if !exchange.content_type.contains("ndjson") => self.vet("the body", body.schema, asked),
            // One after another, whatever they were said to be: as an array of them.
            _ => self.vet("the body", body.schema, &Value::Array(all.clone())),
        }
    }

    fn vet(&self, what: &str, schema: SchemaIndex, value: &Value) -> Result<(), String> {
        self.schemas.validate(value, schema).map_err(|error| format!("{what}: {error:#}"))
    }
}

/// An operation whose schemas are named by their place among the parts.
struct Draft {
    id: String,
    method: String,
    segments: Vec<String>,
    query: Vec<(String, bool, bool, usize)>,
    body: Option<(bool, usize)>,
    replies: BTreeMap<String, Option<usize>>,
}

impl Draft {
    fn of(document: &Value, path: &str, method: &str, operation: &Value, parts: &mut Parts) -> Self {
        let resolved = |value: &Value| {
            let to = value["$ref"].as_str().map(|to| to.trim_start_matches('#'));
            to.map_or(value.clone(), |pointer| document.pointer(pointer).expect("it is there").clone())
        };
        let parameters = operation["parameters"].as_array().into_iter().flatten().map(resolved);
        let query = parameters.filter(|one| one["in"] == "query").map(|one| {
            let kind = &one["schema"]["type"];
            let is_text = *kind != "integer" && *kind != "number" && *kind != "boolean";
            let name = one["name"].as_str().expect("a name").to_owned();
            (name, one["required"] == true, is_text, parts.add(&one["schema"]))
        });
        let query = query.collect();
        let body = operation
            .get("requestBody")
            .map(|body| (body["required"] == true, parts.add(&body["content"]["application/json"]["schema"])));
        let replies = operation["responses"].as_object().expect("there are replies").iter();
        let replies = replies.map(|(status, reply)| {
            let schema = resolved(reply)["content"]["application/json"].get("schema").map(|schema| parts.add(schema));
            (status.clone(), schema)
        });
        let replies = replies.collect();
        let segments = path.split('/').map(String::from).collect();
        let id = operation["operationId"].as_str().expect("an id").to_owned();
        Self { id, method: method.to_uppercase(), segments, query, body, replies }
    }

    fn compiled(self, compile: &mut impl FnMut(usize) -> SchemaIndex) -> Operation {
        let query = self.query.into_iter().map(|(name, required, is_text, part)| {
            let schema = compile(part);
            Parameter { name, required, is_text, schema }
        });
        let query = query.collect();
        let body = self.body.map(|(required, part)| Body { required, schema: compile(part) });
        let replies = self.replies.into_iter().map(|(status, part)| (status, part.map(&mut *compile)));
        let replies = replies.collect();
        Operation { id: self.id, method: self.method, segments: self.segments, query, body, replies }
    }
}

/// Schemas that stand alone.
#[derive(Default)]
struct Parts(Vec<Value>);

impl Parts {
    fn add(&mut self, schema: &Value) -> usize {
        self.0.push(schema.clone());
        self.0.len() - 1
    }
}

/// Lets no object have a field that its schema does not name.
fn close(schema: &mut Value) {
    let close_all = |object: &mut Map<String, Value>| {
        if object.get("properties").is_some_and(Value::is_object) && object.contains_key("type") {
            object.entry("additionalProperties").or_insert(Value::Bool(false));
        }
        object.values_mut().for_each(close);
    };
    match schema {
        Value::Object(object) => close_all(object),
        Value::Array(all) => all.iter_mut().for_each(close),
        _ => {}
    }
}

/// JSON; `None` where it holds a number that no double is, which nobody here can read.
fn read(text: &[u8]) -> Result<Option<Value>, String> {
    match read_all(text)? {
        Some(all) if all.len() == 1 => Ok(all.into_iter().next()),
        Some(all) => Err(format!("{} values of JSON", all.len())),
        None => Ok(None),
    }
}

/// The same for values that follow one another.
fn read_all(text: &[u8]) -> Result<Option<Vec<Value>>, String> {
    match serde_json::Deserializer::from_slice(text).into_iter().collect::<Result<_, _>>() {
        Ok(all) => Ok(Some(all)),
        Err(error) if error.to_string().contains("number out of range") => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// A number or a flag as a query writes it.
fn read_word(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}
