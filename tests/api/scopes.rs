//! The scopes: every operation of the OpenAPI document, asked for what an account has without a key, with a key of each scope
//! of that account, and with the key of another. What the document says of its key is what the server does; what it says of
//! its replies is asserted of each of them where they are read (`server`).

use std::collections::BTreeSet;

use hookwheel::api::{self, ACCOUNT_HEADER};
use serde_json::{Value, json};

use crate::access::{key, suffices};
use crate::server::{Ask, Reply, START_MS, Server};
use crate::tenants::{MARK, Owned, needs_no_key, owned};

/// In this order a key that has just what is needed goes first.
const SCOPES: [&str; 5] = ["consume", "read", "publish", "manage", "admin"];

/// All that the key of another account may do.
const STRANGER: [&str; 3] = ["read", "publish", "manage"];

/// An operation of the document.
struct Operation {
    id: String,
    method: String,
    route: String,
    need: Need,
    body: Value,
}

/// What it needs of a key.
#[derive(Debug, PartialEq, Eq)]
enum Need {
    NoKey,
    AnyKey,
    Scope(String),
}

impl Need {
    fn of(operation: &Value) -> Self {
        match (operation["security"][0].get("key"), operation["x-scope"].as_str()) {
            (None, None) => Self::NoKey,
            (Some(_), None) => Self::AnyKey,
            (Some(_), Some(scope)) => Self::Scope(scope.into()),
            (None, Some(scope)) => panic!("a scope without a key: {scope}"),
        }
    }

    fn is_met_by(&self, scope: &str) -> bool {
        match self {
            Self::NoKey | Self::AnyKey => true,
            Self::Scope(needed) => suffices(scope, needed),
        }
    }
}

fn operations() -> Vec<Operation> {
    let document = api::document();
    let mut all = Vec::new();
    for (route, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_string();
            let body = body(&id);
            let is_needed = operation["requestBody"]["required"] == true;
            assert!(!is_needed || !body.is_null(), "{id} needs a body: `body` below has none for it");
            let (method, route) = (method.to_uppercase(), route.clone());
            all.push(Operation { id, method, route, need: Need::of(operation), body });
        }
    }
    all
}

/// A body that the operation takes, with nothing in it of what anybody has.
fn body(operation: &str) -> Value {
    let webhook = json!({"url": "https://example.com/hook", "events": ["*"]});
    match operation {
        "events.publish" => json!({"type": "task.done", "data": 1}),
        "events.bulk.delete" | "events.bulk.purge" => json!({"type": "*"}),
        "events.broadcast" => json!({"type": "task.done", "data": 1, "tag": "nobody"}),
        "webhooks.bulk.put" => json!([webhook]),
        "webhooks.bulk.delete" => json!({"tag": "none"}),
        "webhooks.create" | "webhooks.put" | "webhooks.change" => webhook,
        "webhooks.replay" => json!({"state": "dead"}),
        "webhooks.leases.ack" | "webhooks.leases.nack" | "webhooks.leases.extend" => json!({"leases": ["none_1"]}),
        "accounts.create" => json!({"id": "made", "name": "Made"}),
        "accounts.change" => json!({"name": "Changed"}),
        "accounts.keys.create" => json!({"scopes": ["read"]}),
        "accounts.portal.create" => json!({"abilities": ["view"]}),
        "shape.preview" => json!({"shape": {"drop": ["@.data.a"]}, "event": {"type": "a", "data": {}}}),
        "filter.preview" => json!({"filter": "@.data.a == 1", "event": {"type": "a", "data": {}}}),
        "event_types.create" => json!({"type": "task.made"}),
        "event_types.change" => json!({"description": "Changed"}),
        "event_types.load" => json!({"document": {"$defs": {"task.read": true}}}),
        "event_types.validation.change" => json!({"validation": "warn"}),
        "users.create" => json!({"email": "somebody@example.com", "role": "viewer"}),
        "users.change" => json!({"name": "Changed"}),
        "guard.explain" => json!({"url": "https://example.com/"}),
        _ => Value::Null,
    }
}

impl Operation {
    /// Its path to what the owner has.
    fn path(&self, owned: &Owned) -> String {
        let mut parts: Vec<&str> = self.route.split('/').collect();
        for at in 1..parts.len() {
            parts[at] = match (parts[at - 1], parts[at]) {
                ("accounts", "{id}") => &owned.account,
                ("events", "{id}") => &owned.event,
                ("webhooks", "{id}") => &owned.webhook,
                ("deliveries", "{id}") => &owned.delivery,
                ("jobs", "{id}") => &owned.job,
                ("users", "{id}") => &owned.user,
                (_, "{session_id}") => &owned.session,
                ("event-types", "{name}") => &owned.event_type,
                (_, "{delivery_id}") => &owned.delivery,
                (_, "{key_id}") => &owned.key_id,
                (_, "{name}") => "standard",
                (_, "{number}") => "1",
                (before, part) if part.starts_with('{') => panic!("what {before} is {part} of? {}", self.route),
                (_, part) => part,
            };
        }
        // A stream that follows never ends.
        if self.id == "stream.follow" { "/api/v1/stream?follow=false".into() } else { parts.join("/") }
    }

    /// The request, still with the admin's key.
    fn ask<'s>(&self, server: &'s Server, owned: &Owned) -> Ask<'s> {
        let asked = server.ask(&self.method, &self.path(owned));
        if self.body.is_null() { asked } else { asked.json(self.body.clone()) }
    }

    /// Asserts what holds of every reply, and gives what to say of it where more does not.
    fn said(&self, who: &str, reply: &Reply) -> String {
        let Self { id, method, route, need, .. } = self;
        let said = format!("{id} ({method} {route}, {need:?}) by {who}: {} {}", reply.status, reply.text);
        assert!(reply.status.as_u16() < 500, "{said}");
        said
    }

    /// Whoever has no key sees nothing of the owner's, and nothing at all where one is needed.
    async fn refuses_who_has_no_key(&self, server: &Server, owned: &Owned) {
        let reply = self.ask(server, owned).keyless().send().await;
        let said = self.said("nobody", &reply);
        assert!(!shows(&reply, owned), "{said}");
        match self.need {
            Need::NoKey => assert!(reply.status.is_success(), "{said}"),
            _ => assert_eq!((reply.status.as_u16(), code(&reply)), (401, "unauthorized"), "{said}"),
        }
    }

    /// Nor does another account, whatever its key may do: none of it exists for it.
    async fn shows_nothing_to_a_stranger(&self, server: &Server, owned: &Owned, stranger: &str) {
        let reply = self.ask(server, owned).key(stranger).send().await;
        let said = self.said("a stranger", &reply);
        assert!(!shows(&reply, owned), "{said}");
        let is_met = STRANGER.iter().any(|scope| self.need.is_met_by(scope));
        let names_owned = self.route.contains("{id}") || self.route.contains("event-types/{name}");
        let expected = match (is_met, names_owned) {
            (false, _) => (403, "forbidden"),
            (true, true) => (404, "not_found"),
            (true, false) => return assert!(reply.status.is_success(), "{said}"),
        };
        assert_eq!((reply.status.as_u16(), code(&reply)), expected, "{said}");
    }

    /// A key of the owner's own whose scope does not do.
    async fn refuses_scope(&self, server: &Server, owned: &Owned, scope: &str) {
        let own = key(server, &owned.account, &[scope]).await;
        let reply = self.ask(server, owned).key(&own).send().await;
        let said = self.said(scope, &reply);
        assert!(!shows(&reply, owned), "{said}");
        assert_eq!((reply.status.as_u16(), code(&reply)), (403, "forbidden"), "{said}");
        let Need::Scope(needed) = &self.need else { panic!("any key does: {said}") };
        let is_named = reply.json["error"]["message"].as_str().is_some_and(|text| text.contains(needed));
        assert!(is_named, "it is said which scope is missing: {said}");
    }

    /// One whose scope does. What an earlier one has done may stand in its way, or that what it asks for is not to be done
    /// to things in this state; a scope never does.
    async fn obeys_scope(&self, server: &Server, owned: &Owned, scope: &str) -> Reply {
        let own = key(server, &owned.account, &[scope]).await;
        let reply = self.ask(server, owned).key(&own).header(ACCOUNT_HEADER, &owned.account).send().await;
        let said = self.said(scope, &reply);
        assert!(reply.status.is_success() || matches!(reply.status.as_u16(), 404 | 409 | 410), "{said}");
        reply
    }
}

fn code(reply: &Reply) -> &str {
    reply.json["error"]["code"].as_str().unwrap_or_default()
}

/// Whether there is anything of the owner's in it.
fn shows(reply: &Reply, owned: &Owned) -> bool {
    reply.text.contains(MARK) || owned.ids.iter().any(|id| reply.text.contains(id))
}

#[actix_web::test]
async fn every_operation_does_for_each_key_what_the_document_says_of_it() {
    let server = Server::start().await;
    server.post("/api/v1/accounts").json(json!({"id": "evil", "name": "Stranger"})).send().await.data(201);
    let stranger = key(&server, "evil", &STRANGER).await;
    let mut shown = BTreeSet::<&str>::new();
    let operations = operations();
    for (n, operation) in operations.iter().enumerate() {
        server.clock.turn_to(START_MS + 60_000 * (n as u64 + 1));
        let owned = owned(&server, &format!("{MARK}-{n}"), |dialect| dialect == "standard").await;
        operation.refuses_who_has_no_key(&server, &owned).await;
        operation.shows_nothing_to_a_stranger(&server, &owned, &stranger).await;
        let (may, may_not): (Vec<&str>, Vec<&str>) =
            SCOPES.into_iter().partition(|scope| operation.need.is_met_by(scope));
        for scope in may_not {
            operation.refuses_scope(&server, &owned, scope).await;
        }
        for (nth, scope) in may.into_iter().enumerate() {
            let reply = operation.obeys_scope(&server, &owned, scope).await;
            // Whatever was refused before has left the way clear for the first.
            let is_first_heard = nth > 0 || reply.status.is_success() || reply.status == 409;
            assert!(is_first_heard, "{}", operation.said(scope, &reply));
            shown.extend(shows(&reply, &owned).then_some(operation.id.as_str()));
        }
    }
    assert!(shown.len() > 30, "the owner sees what nobody else may: {shown:?}");
    server.stop().await;
}

#[test]
fn no_operation_needs_less_than_what_it_does() {
    for Operation { id, method, route, need, .. } in operations() {
        assert_eq!(need == Need::NoKey, needs_no_key(&route), "{id} ({route}) needs {need:?}");
        let is_enough =
            ["publish", "manage", "consume", "admin"].iter().any(|scope| need == Need::Scope((*scope).into()));
        // They say what would be.
        let changes_nothing = ["shape.preview", "filter.preview"].contains(&id.as_str());
        assert!(
            method == "GET" || is_enough || changes_nothing,
            "{id} changes something: {need:?} is too little for {method} {route}"
        );
    }
}
