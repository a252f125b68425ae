//! `/openapi.json`: the document of the native API. It is made from the routes as they are registered, so a route that
//! is not in it does not exist; what every route has in common (the key, error replies) is added here.

use std::collections::BTreeMap;

use bytes::Bytes;
use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi as Document, RefOr, ResponseBuilder};

pub const ERROR_SCHEMA: &str = "#/components/schemas/ErrorReply";

pub const KEY_SCHEME: &str = "key";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hookwheel",
        description = "Webhook delivery: post events, register webhooks, see and replay every delivery.",
    ),
    security(("key" = [])),
    components(schemas(crate::api::http::problem::ErrorReply<'static>)),
)]
pub struct Base;

/// The document before any route.
pub fn base() -> Document {
    let mut document = Base::openapi();
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API key, `hw_…`")).build();
    let components = document.components.get_or_insert_with(Components::new);
    components.add_security_scheme(KEY_SCHEME, SecurityScheme::Http(scheme));
    document
}

/// What the server tells of its own routes.
#[derive(Debug)]
pub struct Described {
    pub json: Bytes,
    pub methods: matchit::Router<Vec<&'static str>>,
}

impl Described {
    /// Completes the document of all routes.
    pub fn of(mut document: Document) -> Self {
        let mut methods = matchit::Router::new();
        for (path, item) in &mut document.paths.paths {
            let operations = operations(item);
            let words = operations.keys().copied().collect();
            methods.insert(path.clone(), words).expect("two routes do not overlap");
            for (method, operation) in operations {
                operation.operation_id = Some(operation_id(method, path));
                complete(operation);
            }
        }
        let json = document.to_json().expect("the document is plain data");
        Self { json: json.into(), methods }
    }

    /// The methods that the path answers to, as the `Allow` header lists them; `None` if there is no such path.
    pub fn allowed(&self, path: &str) -> Option<String> {
        self.methods.at(path).ok().map(|found| found.value.join(", "))
    }
}

pub fn operations(item: &mut PathItem) -> BTreeMap<&'static str, &mut Operation> {
    let PathItem { get, post, put, patch, delete, .. } = item;
    let all = [("GET", get), ("POST", post), ("PUT", put), ("PATCH", patch), ("DELETE", delete)];
    all.into_iter().filter_map(|(word, operation)| Some((word, operation.as_mut()?))).collect()
}

/// A name for code generators: the method, then the words of the path, such as `post_webhooks_id_test`.
pub fn operation_id(method: &str, path: &str) -> String {
    let words = path.trim_start_matches("/api/v1").split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    format!("{}_{}", method.to_lowercase(), words.join("_"))
}

/// Adds the error replies that any route can give.
pub fn complete(operation: &mut Operation) {
    let error = |text: &str| {
        let schema = utoipa::openapi::Ref::new(ERROR_SCHEMA);
        let content = utoipa::openapi::ContentBuilder::new().schema(Some(schema)).build();
        RefOr::T(ResponseBuilder::new().description(text).content("application/json", content).build())
    };
    let mut add = |status: &str, text: &str| {
        operation.responses.responses.entry(status.into()).or_insert_with(|| error(text));
    };
    add("default", "Any other error has this shape too");
    if operation.security.is_none() {
        let mut add = |status: &str, text: &str| {
            operation.responses.responses.entry(status.into()).or_insert_with(|| error(text));
        };
        add("401", "No key, or one that is not known or has expired");
        add("403", "The key lacks the scope");
    }
}
