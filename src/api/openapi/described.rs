//! `/openapi.json`: the document of the native API. It is made from the routes as they are registered, so a route that
//! is not in it does not exist; what every route has in common (the account, error replies, examples) is added here.

use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use serde_json::Value;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi as Document};

use super::operations::{self, METHODS};
use super::{common, schemas, tags, words};
use crate::dialect::Dialect;
use crate::docs::{Index, Reference};

const KEY_SCHEME: &str = "key";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hookwheel",
        description = "Webhook delivery: publish events, register webhooks, see and replay every delivery.\n\nReplies are \
                       `{\"data\": …}`, with `warnings` where there is something to know; lists come in pages, with \
                       `next_cursor`; errors are `{\"error\": {code, message, field?}}`. Times are RFC 3339 in UTC.",
        contact(name = "Hookwheel"),
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "The server that this document was read from")),
    components(schemas(crate::api::http::problem::ErrorReply<'static>)),
)]
struct Base;

/// The document before any route.
pub fn base() -> Document {
    let mut document = Base::openapi();
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API key, `hw_…`")).build();
    let components = document.components.get_or_insert_with(Components::new);
    components.add_security_scheme(KEY_SCHEME, SecurityScheme::Http(scheme));
    components.schemas.extend(words::all().into_iter().map(|(name, schema)| (name.into_owned(), schema)));
    document
}

/// The document of all routes, with what they have in common.
pub fn complete(document: &Document) -> Value {
    let mut document = serde_json::to_value(document).expect("the document is plain data");
    schemas::rename(&mut document);
    schemas::merge(&mut document);
    schemas::require(&mut document);
    schemas::detail(&mut document);
    document["tags"] = tags::described();
    document["components"]["responses"] = common::responses().into();
    document["components"]["parameters"] = common::parameters().into();
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, _) in METHODS {
            if let Some(Value::Object(operation)) = item.get_mut(method) {
                operations::complete(path, operation);
            }
        }
    }
    document
}

/// What the server tells of its own routes. It is written when it is first asked for, once for all workers: few servers are
/// ever asked, and what writing it takes would stay with each that was not.
#[derive(Debug)]
pub struct Described {
    document: fn() -> Value,
    written: OnceLock<Written>,
    reference: OnceLock<Reference>,
    searched: Mutex<Option<Arc<Searched>>>,
}

/// What the pages of the documentation say, to be searched.
#[derive(Debug)]
pub struct Searched {
    /// The contracts that are served.
    contracts: Vec<Arc<Dialect>>,
    /// What is found.
    pub index: Index,
    /// The same, as scripts read it.
    pub json: Bytes,
}

#[derive(Debug)]
struct Written {
    json: Bytes,
    methods: matchit::Router<Vec<&'static str>>,
}

impl Described {
    /// What the document says, which `document` writes.
    pub fn of(document: fn() -> Value) -> Self {
        Self { document, written: OnceLock::new(), reference: OnceLock::new(), searched: Mutex::default() }
    }

    /// The document.
    pub fn json(&self) -> Bytes {
        self.written().json.clone()
    }

    /// The document, as the pages of the reference are made from it.
    pub fn reference(&self) -> &Reference {
        self.reference.get_or_init(|| Reference::of((self.document)()))
    }

    /// What is searched while these contracts are served, which `make` makes.
    pub fn searched(&self, contracts: Vec<Arc<Dialect>>, make: impl FnOnce(&[Arc<Dialect>]) -> Index) -> Arc<Searched> {
        let mut known = self.searched.lock().expect("no holder panics");
        let is_same = |known: &&Arc<Searched>| {
            let (had, has) = (&known.contracts, &contracts);
            had.len() == has.len() && had.iter().zip(has).all(|(had, has)| Arc::ptr_eq(had, has))
        };
        if let Some(known) = known.as_ref().filter(is_same) {
            return Arc::clone(known);
        }
        let index = make(&contracts);
        let json = index.to_json().to_string().into();
        Arc::clone(known.insert(Arc::new(Searched { contracts, index, json })))
    }

    /// The methods that the path answers to, as the `Allow` header lists them; `None` if there is no such path.
    pub fn allowed(&self, path: &str) -> Option<String> {
        self.written().methods.at(path).ok().map(|found| found.value.join(", "))
    }

    fn written(&self) -> &Written {
        self.written.get_or_init(|| Written::of(&(self.document)()))
    }
}

impl Written {
    fn of(document: &Value) -> Self {
        let mut methods = matchit::Router::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            let there = METHODS.into_iter().filter(|(method, _)| item.get(method).is_some());
            methods.insert(path.clone(), there.map(|(_, word)| word).collect()).expect("two routes do not overlap");
        }
        Self { json: document.to_string().into(), methods }
    }
}
