//! The tenant walk: every route of the OpenAPI document and of every dialect's face, asked with the key of one account for
//! what belongs to another. Nothing of it may be seen, reached or changed, by any id, cursor, filter, header or body.

use std::collections::BTreeSet;

use hookwheel::api::ACCOUNT_HEADER;
use hookwheel::dialect::Dialects;
use hookwheel::domain::delivery::Outcome;
use hookwheel::domain::id::UserId;
use hookwheel::domain::retry::Next;
use hookwheel::domain::session::{Holder, Session};
use hookwheel::domain::time::DAY_MS;
use serde_json::{Value, json};

use crate::access::key;
use crate::dead_letters::ended_for;
use crate::history::attempt;
use crate::server::{START_MS, Server};

/// Stands in everything that the owner has: if a stranger reads it anywhere, something leaks.
pub const MARK: &str = "owned-by-acme";

/// What the owner has.
pub struct Owned {
    pub account: String,
    pub key: String,
    /// Every id, by the name of the parameter that it fits first.
    pub ids: Vec<String>,
    pub webhook: String,
    pub event: String,
    pub delivery: String,
    pub job: String,
    pub event_type: String,
    pub key_id: String,
    pub user: String,
    pub session: String,
    /// Cursors of the owner's own lists.
    cursors: Vec<String>,
}

/// Makes the account with something of everything in it, and a webhook of each dialect that is `wanted`, as `standard` must be.
pub async fn owned(server: &Server, account: &str, wanted: impl Fn(&str) -> bool) -> Owned {
    server.post("/api/v1/accounts").json(json!({"id": account, "name": MARK})).send().await.data(201);
    let scopes = json!({"scopes": ["manage", "publish", "read"], "name": MARK});
    let made = server.post(&format!("/api/v1/accounts/{account}/keys")).json(scopes).send().await.data(201);
    let (key, key_id) = (text(&made["key"]), text(&made["id"]));
    let url = format!("https://{MARK}.example.com/hook");
    let mut ids = vec![account.to_string(), key_id.clone()];
    for dialect in Dialects::shipped().iter().filter(|dialect| wanted(&dialect.name)) {
        let mut body =
            json!({"url": url, "events": ["*"], "dialect": dialect.name, "name": MARK, "headers": {"X-Team": MARK}});
        body["uid"] = json!(format!("{MARK}-{}", dialect.name));
        (body["tags"], body["metadata"]) = (json!([MARK]), json!({"team": MARK}));
        // With a secret that was made for it, an endpoint would be asked again and again while this walks.
        if dialect.challenge.is_some() {
            body["secret"] = json!(dialect.generate_secret(&[9; 32]).expect("it can be generated").reveal());
        }
        ids.push(text(&server.post("/api/v1/webhooks").key(&key).json(body).send().await.data(201)["id"]));
    }
    let webhook = ids[2].clone();
    ids.push(format!("{MARK}-standard"));
    for n in 0..3 {
        let event = json!({"type": "task.done", "id": format!("{MARK}-{n}"), "data": {"text": MARK}});
        server.post("/api/v1/events").key(&key).json(event).send().await.data(202);
    }
    let list = format!("/api/v1/webhooks/{webhook}/deliveries");
    let rows = server.get(&list).key(&key).send().await.data(200);
    for row in rows.as_array().unwrap() {
        let id = text(&row["id"]);
        attempt(server, &id, 1, Outcome::Broken(MARK.into()), Next::Dead).await;
        ids.push(id);
    }
    let delivery = text(&rows[0]["id"]);
    let replay = format!("/api/v1/webhooks/{webhook}/replay/{delivery}");
    ids.push(text(&server.post(&replay).key(&key).send().await.data(202)["delivery_id"]));
    let one = json!({"ids": [ids[ids.len() - 2]]});
    let job = server.post("/api/v1/dead-letters/replay").key(&key).json(one).send().await.data(202);
    // What it changes must not look as if a stranger did.
    let job = ended_for(server, &key, &job).await;
    let (job, event) = (text(&job["id"]), format!("{MARK}-0"));
    let event_type = format!("{MARK}.made");
    let own = json!({"type": event_type, "description": MARK, "sample": {"text": MARK}, "schema": {"type": "object"}});
    server.post("/api/v1/event-types").key(&key).json(own).send().await.data(201);
    let (user, session) = user_with_session(server, account).await;
    ids.extend([job.clone(), event.clone(), event_type.clone(), user.clone(), session.clone()]);
    let mut cursors = Vec::new();
    for path in ["/api/v1/events", "/api/v1/webhooks", "/api/v1/audit", "/api/v1/dead-letters", &list] {
        let page = server.get(&format!("{path}?limit=1")).key(&key).send().await.json;
        cursors.extend(page["next_cursor"].as_str().map(str::to_string));
    }
    assert!(cursors.len() >= 3, "the owner's lists have further pages: {cursors:?}");
    Owned {
        account: account.into(),
        key,
        ids,
        webhook,
        event,
        delivery,
        job,
        event_type,
        key_id,
        user,
        session,
        cursors,
    }
}

/// A user of the account, and a session of that user: their ids.
async fn user_with_session(server: &Server, account: &str) -> (String, String) {
    let user = json!({"email": format!("{account}@example.com"), "name": MARK});
    let made = server.post("/api/v1/users").header(ACCOUNT_HEADER, account).json(user).send().await.data(201);
    let user = UserId::parse(&text(&made["id"])).expect("an id");
    let begun = server.store.change(user.account(), move |staging| {
        let session = Session::new(Holder::User(user), staging.now(), DAY_MS);
        staging.begin_session(&user.0.to_be_bytes().repeat(2).try_into().expect("32 bytes"), session)
    });
    (user.to_string(), begun.await.expect("it begins").id.to_string())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_string()
}

/// Everything that the owner can see, to see that nothing of it changes.
async fn seen_by(server: &Server, owned: &Owned) -> Vec<String> {
    let mut seen = Vec::new();
    let webhook = format!("/api/v1/webhooks/{}", owned.webhook);
    let paths = [
        "/api/v1/webhooks?limit=250".to_string(),
        "/api/v1/events?limit=250".into(),
        "/api/v1/dead-letters?limit=250".into(),
        "/api/v1/jobs".into(),
        "/api/v1/event-types?limit=250".into(),
        "/api/v1/audit?limit=250".into(),
        "/api/v1/deliveries?limit=250".into(),
        format!("{webhook}/deliveries?limit=250"),
        format!("/api/v1/deliveries/{}", owned.delivery),
    ];
    for path in paths {
        let reply = server.get(&path).key(&owned.key).send().await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        assert!(reply.text.contains(MARK) || path.ends_with("jobs"), "the mark is to be found: {path}: {}", reply.text);
        seen.push(reply.text);
    }
    seen
}

/// Paths with every id of the owner in every place.
fn filled(path: &str, owned: &Owned) -> Vec<String> {
    let path = path.replace("{delivery_id}", &owned.delivery).replace("{key_id}", &owned.key_id);
    let path = path.replace("{session_id}", &owned.session);
    let path = path.replace("event-types/{name}", &format!("event-types/{}", owned.event_type));
    let path = path.replace("{name}", "standard").replace("{number}", "1");
    // A stream that follows never ends.
    let path = path.replace("/v1/stream", "/v1/stream?follow=false");
    match path.contains("{id}") {
        true => owned.ids.iter().map(|id| path.replace("{id}", id)).collect(),
        false => vec![path],
    }
}

/// Each route, as method and path.
async fn routes(server: &Server) -> Vec<(String, String)> {
    let document = server.get("/openapi.json").keyless().send().await.json;
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        routes.extend(item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())));
    }
    for dialect in Dialects::shipped().iter() {
        let Some(face) = &dialect.face else { continue };
        let endpoints = face.operations.0.iter().flat_map(|(_, endpoints)| endpoints);
        routes.extend(endpoints.map(|one| (one.method.clone(), format!("{}{}", face.base, one.path))));
    }
    routes
}

/// What a stranger may say: nothing, ids of the owner, and filters that name them.
fn bodies(owned: &Owned) -> Vec<Value> {
    vec![
        Value::Null,
        json!({"ids": [owned.delivery]}),
        json!({"webhook": owned.webhook}),
        json!({"account": "acme", "type": "task.done", "data": 1}),
    ]
}

fn queries(owned: &Owned) -> Vec<String> {
    let cursors = owned.cursors.iter().map(|cursor| format!("?cursor={cursor}"));
    let filters = [format!("?webhook={}", owned.webhook), format!("?target={}", owned.webhook), "?limit=250".into()];
    let filters = filters.into_iter().chain([format!("?webhook={MARK}-standard")]);
    cursors.chain(filters).chain([String::new()]).collect()
}

#[actix_web::test]
async fn no_route_shows_or_changes_what_another_account_has() {
    let server = Server::start().await;
    let owned = owned(&server, "acme", |_| true).await;
    let before = seen_by(&server, &owned).await;
    server.post("/api/v1/accounts").json(json!({"id": "evil", "name": "Stranger"})).send().await.data(201);
    let stranger = key(&server, "evil", &["manage", "publish", "read"]).await;
    let (mut calls, mut reached) = (0u64, BTreeSet::new());
    for (method, route) in routes(&server).await {
        let extras = if method == "GET" { queries(&owned) } else { vec![String::new()] };
        let bodies = if method == "GET" { vec![Value::Null] } else { bodies(&owned) };
        for path in filled(&route, &owned) {
            for (query, body) in extras.iter().flat_map(|query| bodies.iter().map(move |body| (query, body))) {
                for account in [None, Some("acme")] {
                    calls += 1;
                    server.clock.turn_to(START_MS + 60_000 + calls * 20);
                    let asked = server
                        .ask(
                            &method,
                            &format!(
                                "{path}{}",
                                if path.contains('?') { query.replacen('?', "&", 1) } else { query.clone() }
                            ),
                        )
                        .key(&stranger)
                        .strange();
                    let asked = if body.is_null() { asked } else { asked.json(body.clone()) };
                    let asked = account.into_iter().fold(asked, |asked, id| asked.header("Hookwheel-Account", id));
                    let reply = asked.send().await;
                    let status = reply.status.as_u16();
                    let said = format!("{method} {path}{query} {body} as {account:?}: {status} {}", reply.text);
                    assert!(status < 500, "{said}");
                    let is_echo = status == 404 && reply.text.contains("nothing is at");
                    assert!(is_echo || !reply.text.contains(MARK), "{said}");
                    let leaked = owned.ids.iter().find(|id| id.len() > 8 && reply.text.contains(*id) && !is_echo);
                    assert_eq!(leaked, None, "{said}");
                    let is_secured = status != 200 || !needs_no_key(&route);
                    if account.is_some() && is_secured {
                        assert!((400..500).contains(&status), "an account of its own only: {said}");
                    }
                    if route.contains("{id}") && is_secured {
                        assert!((400..500).contains(&status), "there is no such thing for a stranger: {said}");
                    }
                    reached.extend((status < 300).then(|| format!("{method} {route}")));
                }
            }
        }
    }
    assert!(reached.len() > 15, "the stranger's key works for what is its own: {reached:?}");
    assert_eq!(seen_by(&server, &owned).await, before, "after {calls} calls");
    server.stop().await;
}

/// What describes the server and shows no account.
pub fn needs_no_key(route: &str) -> bool {
    ["/health", "/metrics", "/docs", "/openapi.json"].iter().any(|start| route.starts_with(start))
}
