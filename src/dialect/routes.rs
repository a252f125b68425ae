//! Which call of which face a request is. All faces are matched by one table; no base equals or lies under another, so
//! a path belongs to one face at most.

use matchit::Router;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Dialect;
use super::ordered::ordered;
use super::pattern;
use crate::domain::Invalid;

/// Paths that are Hookwheel's own: no face may start at, above or below one of them.
pub const OWN_PATHS: [&str; 6] = ["/api/v1", "/metrics", "/health", "/openapi.json", "/docs", "/dashboard"];

/// Where a face may start.
pub(super) fn base_schema(_: &mut SchemaGenerator) -> Schema {
    let own = OWN_PATHS.iter().flat_map(|own| {
        let below = format!("{}(/.*)?", own.replace('.', r"\."));
        let above = own.match_indices('/').skip(1).map(|(end, _)| own[..end].to_string());
        above.chain([below])
    });
    let own = own.collect::<Vec<_>>().join("|");
    json_schema!({ "type": "string", "pattern": format!("^(/{})+$", pattern::SEGMENT), "not": { "pattern": format!("^({own})$") } })
}

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Make a webhook.
    Create,
    /// List webhooks.
    List,
    /// Show one.
    Get,
    /// Change one: what is absent stays.
    Update,
    /// Delete one.
    Delete,
    /// Send it a sample event.
    Test,
    /// List its history.
    Deliveries,
    /// Deliver one of its deliveries again.
    Replay,
    /// Call its endpoint to see how it is.
    Check,
    /// Ask its endpoint again whether it wants deliveries.
    Verify,
}

impl Operation {
    /// All of them, with their names and what they do, as their own schema tells them.
    fn described(generator: &mut SchemaGenerator) -> Vec<(Self, String, String)> {
        let schema = Self::json_schema(generator);
        let text = |one: &Value, key: &str| one[key].as_str().map(String::from);
        let described = |one: &Value| {
            let operation = serde_json::from_value(one["const"].clone()).ok()?;
            Some((operation, text(one, "const")?, text(one, "description")?))
        };
        schema.get("oneOf").and_then(Value::as_array).into_iter().flatten().filter_map(described).collect()
    }

    /// As many products have it.
    fn example(self) -> &'static str {
        match self {
            Self::Create => "POST /",
            Self::List => "GET /",
            Self::Get => "GET /{id}",
            Self::Update => "PATCH /{id}",
            Self::Delete => "DELETE /{id}",
            Self::Test => "POST /{id}/test",
            Self::Deliveries => "GET /{id}/deliveries",
            Self::Replay => "POST /{id}/deliveries/{delivery_id}/replay",
            Self::Check => "POST /{id}/check",
            Self::Verify => "POST /{id}/verify",
        }
    }

    /// The path parameters it needs.
    fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Create | Self::List => &[],
            Self::Replay => &["{id}", "{delivery_id}"],
            _ => &["{id}"],
        }
    }

    /// The status of a reply to a call that went well.
    pub fn status(self) -> u16 {
        match self {
            Self::Create => 201,
            Self::List | Self::Get | Self::Update | Self::Deliveries | Self::Check | Self::Verify => 200,
            Self::Test | Self::Replay => 202,
            Self::Delete => 204,
        }
    }
}

/// A method and a path under the face's base, such as `POST /{id}/test`; `GET /` is the base itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The HTTP method, upper case.
    pub method: String,
    /// Empty for the base itself, else starting with a slash.
    pub path: String,
}

/// The calls of a face: each operation once, with one or more endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operations(pub Vec<(Operation, Vec<Endpoint>)>);

/// What a request is to the faces.
#[derive(Debug, Clone)]
pub enum Route<'p> {
    /// A call of a face.
    Found(FaceMatch<'p>),
    /// The path is a face's, but not with this method; these are the methods it takes.
    WrongMethod {
        /// Upper case, for the `Allow` header.
        allow: Vec<String>,
    },
}

/// A call of a face.
#[derive(Debug, Clone)]
pub struct FaceMatch<'p> {
    /// Whose face; its `face` is never `None`.
    pub dialect: Arc<Dialect>,
    /// What the call does.
    pub operation: Operation,
    /// The text in the place of the webhook's id; not yet known to be one.
    pub webhook_id: Option<&'p str>,
    /// The text in the place of the delivery's id.
    pub delivery_id: Option<&'p str>,
}

/// The table of all faces.
#[derive(Debug, Clone, Default)]
pub(super) struct Routes(Router<Vec<(String, Operation, Arc<Dialect>)>>);

impl Routes {
    /// Builds the table. The faces must have been checked, each alone and against the others.
    pub(super) fn of<'a>(dialects: impl Iterator<Item = &'a Arc<Dialect>>) -> Self {
        let mut paths: BTreeMap<String, Vec<(String, Operation, Arc<Dialect>)>> = BTreeMap::new();
        for dialect in dialects {
            let Some(face) = &dialect.face else { continue };
            for (operation, endpoints) in &face.operations.0 {
                for Endpoint { method, path } in endpoints {
                    let calls = paths.entry(format!("{}{path}", face.base)).or_default();
                    calls.push((method.clone(), *operation, dialect.clone()));
                }
            }
        }
        let mut router = Router::new();
        for (path, calls) in paths {
            router.insert(path, calls).expect("checked faces have no paths in conflict");
        }
        Self(router)
    }

    /// What a request is; `None` if no face has this path.
    pub(super) fn find<'p>(&self, method: &str, path: &'p str) -> Option<Route<'p>> {
        let found = self.0.at(path).ok()?;
        let Some((_, operation, dialect)) = found.value.iter().find(|(known, ..)| known == method) else {
            return Some(Route::WrongMethod { allow: found.value.iter().map(|(known, ..)| known.clone()).collect() });
        };
        Some(Route::Found(FaceMatch {
            dialect: dialect.clone(),
            operation: *operation,
            webhook_id: found.params.get("id"),
            delivery_id: found.params.get("delivery_id"),
        }))
    }
}

/// Whether one of two paths equals or lies under the other.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let under =
        |path: &str, base: &str| path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    under(one, other) || under(other, one)
}

/// Checks a face's base; `Invalid` names the key in the file.
pub(super) fn check_base(base: &str) -> Result<(), Invalid> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let segment = |segment: &str| !segment.is_empty() && segment.bytes().all(plain);
    let wrong = |message: String| Err(Invalid::new("face.base", message));
    if !base.strip_prefix('/').is_some_and(|rest| rest.split('/').all(segment)) {
        return wrong("must be a path such as /v2/webhooks, without a slash at its end".into());
    }
    match OWN_PATHS.iter().find(|own| overlap(base, own)) {
        Some(own) => wrong(format!("{own} is Hookwheel's own; start the face elsewhere")),
        None => Ok(()),
    }
}

impl Operations {
    /// Checks that each path has the parameters that its operation needs, and that no call is there twice.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let mut seen: Vec<&Endpoint> = Vec::new();
        for (operation, endpoints) in &self.0 {
            let key = format!("face.operations.{}", format!("{operation:?}").to_lowercase());
            if endpoints.is_empty() {
                return Err(Invalid::new(key, "names no call; write at least one, or leave the operation out"));
            }
            for endpoint in endpoints {
                let given: Vec<&str> = endpoint.path.split('/').filter(|segment| segment.starts_with('{')).collect();
                if given != operation.parameters() {
                    let needed = operation.parameters();
                    let needed = if needed.is_empty() { "none".into() } else { needed.join(" and ") };
                    return Err(Invalid::new(key, format!("has not the path parameters that it needs: {needed}")));
                }
                if seen.contains(&endpoint) {
                    let message = format!("{} {} is there twice", endpoint.method, endpoint.path);
                    return Err(Invalid::new(key, message));
                }
                seen.push(endpoint);
            }
        }
        Ok(())
    }
}

impl JsonSchema for Operations {
    fn schema_name() -> Cow<'static, str> {
        "Operations".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let call = |(operation, name, description): (Operation, String, String)| {
            let mut schema = pattern::call(operation.parameters());
            schema.insert("description".into(), description.into());
            schema.insert("examples".into(), json!([operation.example()]));
            (name, schema.to_value())
        };
        let calls: Map<String, Value> = Operation::described(generator).into_iter().map(call).collect();
        json_schema!({ "type": "object", "properties": calls, "additionalProperties": false })
    }
}

impl<'de> Deserialize<'de> for Operations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = ordered::<D, Operation, _>(deserializer, std::marker::PhantomData::<Endpoints>)?;
        Ok(Self(entries.into_iter().map(|(operation, endpoints)| (operation, endpoints.0)).collect()))
    }
}

/// One endpoint or a list of them.
struct Endpoints(Vec<Endpoint>);

impl<'de> Deserialize<'de> for Endpoints {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;
        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Endpoints;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"METHOD /path\" or a list of such")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Endpoints, E> {
                text.to_string().try_into().map(|endpoint| Endpoints(vec![endpoint])).map_err(E::custom)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Endpoints, A::Error> {
                let mut endpoints = Vec::new();
                while let Some(text) = seq.next_element::<String>()? {
                    endpoints.push(text.try_into().map_err(de::Error::custom)?);
                }
                Ok(Endpoints(endpoints))
            }
        }
        deserializer.deserialize_any(OneOrMore)
    }
}

impl TryFrom<String> for Endpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        let segment = |segment: &str| {
            matches!(segment, "{id}" | "{delivery_id}") || (!segment.is_empty() && segment.bytes().all(plain))
        };
        let wrong = || {
            format!(
                "{text:?} is no call; write \"POST /{{id}}/test\", or \"GET /\" for the base itself, with GET, POST, PUT, \
                 PATCH or DELETE and with {{id}} and {{delivery_id}} alone"
            )
        };
        let (method, path) = text.split_once(' ').ok_or_else(wrong)?;
        let rest = path.strip_prefix('/').ok_or_else(wrong)?;
        if !matches!(method, "GET" | "POST" | "PUT" | "PATCH" | "DELETE")
            || !(rest.is_empty() || rest.split('/').all(segment))
        {
            return Err(wrong());
        }
        Ok(Self { method: method.into(), path: if rest.is_empty() { String::new() } else { path.into() } })
    }
}
