//! How what a request says is read: JSON, the query, texts, times. What stays true: what cannot be taken is named by its field,
//! line and column.

use std::fmt;
use std::marker::PhantomData;

use actix_web::{FromRequest, HttpRequest, dev, web};
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::api::http::plainly::plainly;
use crate::api::http::problem::Problem;
use crate::domain::Invalid;
use crate::domain::time::{self, UnixMs};

/// Reads JSON text. An error says where it is: field, line and column.
pub fn read_json<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(json_problem)?;
    deserializer.end().map_err(|error| Problem::json(format!("the body is not JSON: {error}")))?;
    Ok(value)
}

/// Reads what a dialect's face has made of a body.
pub fn read_map<T: DeserializeOwned>(map: Map<String, Value>) -> Result<T, Problem> {
    serde_path_to_error::deserialize(Value::Object(map)).map_err(json_problem)
}

fn json_problem(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    let inner = error.into_inner();
    let message = inner.to_string();
    if inner.is_syntax() || inner.is_eof() {
        return Problem::json(format!("the body is not JSON: {message}"));
    }
    match field(&path, &message) {
        Some(field) => Invalid::new(field, plainly(&message)).into(),
        None => Problem::json(format!("the body {}", plainly(&message))),
    }
}

/// The field that an error is about. serde tells of a missing or repeated field at the object that lacks it, so the
/// name is taken from the message then.
fn field(path: &str, message: &str) -> Option<String> {
    let named = ["missing field `", "duplicate field `", "unknown field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start))
        .and_then(|rest| rest.split_once('`'))
        .map(|(name, _)| name);
    match (path, named) {
        (".", None) => None,
        (".", Some(name)) => Some(name.to_string()),
        (path, Some(name)) if path != name && !path.ends_with(&format!(".{name}")) => Some(format!("{path}.{name}")),
        (path, _) => Some(path.to_string()),
    }
}

/// A `T` that is written as a JSON object. Without it, serde would take an array for a struct as well.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InMap<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for InMap<T> {
            type Value = T;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(InMap(PhantomData)).map(Self)
    }
}

/// The query of a request; parameters that are not known are refused.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Query<T> {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        std::future::ready(query(request).map(Self))
    }
}

/// Reads the query of a request.
pub fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Problem> {
    read_query(request.query_string(), &[])
}

/// Reads a part of a query; `beside` are the names that its other parts have.
pub fn read_query<T: DeserializeOwned>(query: &str, beside: &[&str]) -> Result<T, Problem> {
    let read = web::Query::<T>::from_query(query);
    read.map(web::Query::into_inner).map_err(|error| query_problem(&error.to_string(), beside))
}

fn query_problem(text: &str, beside: &[&str]) -> Problem {
    let message = text.rsplit_once("error: ").map_or(text, |(_, message)| message);
    match field(".", message) {
        Some(field) => {
            let is_unknown = message.starts_with("unknown field ");
            let others = beside.iter().filter(|_| is_unknown).map(|name| format!(", `{name}`"));
            Invalid::new(field, plainly(&format!("{message}{}", others.collect::<String>()))).into()
        }
        None => Problem::json(format!("the query cannot be read: {message}")),
    }
}

/// Text for people: not empty, at most `max` characters.
pub fn vet_text(field: &str, text: String, max: usize) -> Result<String, Invalid> {
    let fits = !text.trim().is_empty() && text.chars().count() <= max;
    if fits { Ok(text) } else { Err(Invalid::new(field, format!("must be 1 to {max} characters"))) }
}

/// A bound in time of a list or a bulk call.
pub fn bound(field: &str, text: Option<&str>) -> Result<Option<UnixMs>, Invalid> {
    let wrong = || Invalid::new(field, "must be a time in RFC 3339, such as 2024-02-10T16:45:22Z");
    text.map(|text| time::parse(text).ok_or_else(wrong)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only its being read is tested")]
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only its being read is tested")]
        n: u8,
    }

    #[test]
    fn errors_name_their_field() {
        let table = [
            (r#"{}"#, "inner"),
            (r#"{"inner":[],"x":1}"#, "x"),
            (r#"{"inner":[],"inner":[]}"#, "inner"),
            (r#"{"inner":5}"#, "inner"),
            (r#"{"inner":[{"n":1},{"n":"x"}]}"#, "inner[1].n"),
            (r#"{"inner":[{}]}"#, "inner[0].n"),
            (r#"{"inner":[{"n":1,"m":2}]}"#, "inner[0].m"),
        ];
        for (json, expected) in table {
            let problem = read_json::<Object<Outer>>(json.as_bytes()).unwrap_err();
            assert_eq!(problem.field(), Some(expected), "{json}: {problem}");
            let (field, said) =
                problem.to_string().split_once(": ").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
            assert_eq!(field, expected);
            assert!(!said.contains(&format!("`{}`", expected.rsplit('.').next().unwrap())), "named once: {problem}");
        }
    }

    #[test]
    fn broken_json_is_placed() {
        for json in ["", "{", "{\"inner\":[]} x", "[1,2]", "null", "\"a\""] {
            let problem = read_json::<Object<Outer>>(json.as_bytes()).unwrap_err();
            assert!(problem.to_string().contains("line 1 column"), "{json}: {problem}");
            assert_eq!(problem.field(), None, "{json}");
        }
    }
}
