//! How a webhook authenticates at its endpoint, as the API takes and shows it: whole, bounded, and never its secret.

use serde_json::{Value, json};

use crate::access::key;
use crate::server::{Server, id};

/// Stands in every secret.
const HUSH: &str = "hush-hush";

fn with(auth: Value) -> Value {
    json!({"url": "https://example.com/hook", "events": ["*"], "auth": auth})
}

fn oauth2() -> Value {
    json!({
        "type": "oauth2", "token_url": "https://id.example.com/token", "client_id": "client", "client_secret": HUSH,
        "scope": "a b", "audience": "here", "client_auth": "body", "extra": {"resource": "x", "x-token": HUSH},
    })
}

fn basic() -> Value {
    json!({"type": "basic", "username": "user", "password": HUSH})
}

/// What is shown of it, with null where nothing is said.
fn shown(said: Value) -> Value {
    let mut whole = json!({
        "type": null, "username": null, "password": null, "token": null, "name": null, "value": null, "token_url": null,
        "client_id": null, "client_secret": null, "scope": null, "audience": null, "client_auth": null, "extra": null,
    });
    whole.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
    whole
}

#[actix_web::test]
async fn each_way_is_shown_as_it_was_set_without_its_secret() {
    let server = Server::start().await;
    let reader = key(&server, "default", &["read"]).await;
    let mut oauth2_shown = oauth2();
    (oauth2_shown["client_secret"], oauth2_shown["extra"]["x-token"]) = (json!(true), json!(null));
    let table = [
        (basic(), json!({"type": "basic", "username": "user", "password": true})),
        (json!({"type": "bearer", "token": HUSH}), json!({"type": "bearer", "token": true})),
        (
            json!({"type": "header", "name": "X-Own", "value": HUSH}),
            json!({"type": "header", "name": "X-Own", "value": true}),
        ),
        (oauth2(), oauth2_shown),
        (
            json!({"type": "oauth2", "token_url": "https://id.example.com", "client_id": "c", "client_secret": HUSH}),
            json!({"type": "oauth2", "token_url": "https://id.example.com/", "client_id": "c", "client_secret": true,
                   "client_auth": "basic", "extra": {}}),
        ),
    ];
    for (auth, wanted) in table {
        let made = server.post("/api/v1/webhooks").json(with(auth.clone())).send().await.data(201);
        let path = format!("/api/v1/webhooks/{}", id(&made));
        let read = server.get(&path).key(&reader).send().await;
        assert!(!read.text.contains(HUSH), "{}", read.text);
        assert_eq!(read.data(200)["auth"], shown(wanted.clone()), "{auth}");
        // Sent back as it is shown, it stays as it is.
        let seen = server.get(&path).send().await.data(200)["auth"].clone();
        server.ask("PATCH", &path).json(json!({ "auth": seen })).send().await.data(200);
        let registry = server.store.registry();
        let webhook = registry.webhooks().find(|webhook| webhook.id.to_string() == id(&made));
        drop(registry);
        let kept = webhook.and_then(|webhook| webhook.auth.clone()).expect("it is kept");
        assert_eq!(kept.secret().reveal(), HUSH, "{auth}");
    }
    let reset = server.post("/api/v1/webhooks").json(with(json!(null))).send().await.data(201);
    assert_eq!(reset["auth"], Value::Null);
    for path in ["/api/v1/webhooks?limit=100", "/api/v1/audit", "/api/v1/accounts/default/export?secrets=true"] {
        let reply = server.get(path).send().await;
        let without = reply.text.replace(&format!("\"x-token\":\"{HUSH}\""), "");
        assert!(!without.contains(HUSH), "{path}: {}", reply.text);
    }
    server.stop().await;
}

#[actix_web::test]
async fn what_cannot_be_taken_is_named() {
    let server = Server::start().await;
    let change = |mut auth: Value, field: &str, value: Value| {
        auth[field] = value;
        auth
    };
    let without = |mut auth: Value, field: &str| {
        auth.as_object_mut().unwrap().remove(field);
        auth
    };
    let table = [
        (json!({}), "auth.type"),
        (json!({"type": "digest"}), "auth.type"),
        (json!({"type": "bearer"}), "auth.token"),
        (json!({"type": "bearer", "token": true}), "auth.token"),
        (json!({"type": "bearer", "token": false}), "auth.token"),
        (json!({"type": "bearer", "token": "a b"}), "auth.token"),
        (json!({"type": "bearer", "token": "x".repeat(4097)}), "auth.token"),
        (change(json!({"type": "bearer", "token": "a"}), "username", json!("u")), "auth.username"),
        (without(basic(), "username"), "auth.username"),
        (change(basic(), "username", json!("a:b")), "auth.username"),
        (change(basic(), "password", json!("a\nb")), "auth.password"),
        (change(basic(), "password", json!(5)), "auth.password"),
        (change(basic(), "scope", json!("a")), "auth.scope"),
        (json!({"type": "header", "value": "a"}), "auth.name"),
        (json!({"type": "header", "name": "Host", "value": "a"}), "auth.name"),
        (json!({"type": "header", "name": "Webhook-Id", "value": "a"}), "auth.name"),
        (json!({"type": "header", "name": "X-Own", "value": "a\r\nb"}), "auth.value"),
        (without(oauth2(), "token_url"), "auth.token_url"),
        (without(oauth2(), "client_id"), "auth.client_id"),
        (without(oauth2(), "client_secret"), "auth.client_secret"),
        (change(oauth2(), "token_url", json!("http://id.example.com/")), "auth.token_url"),
        (change(oauth2(), "token_url", json!("https://10.20.0.1/")), "auth.token_url"),
        (change(oauth2(), "token_url", json!("https://localhost/token")), "auth.token_url"),
        (change(oauth2(), "client_auth", json!("jwt")), "auth.client_auth"),
        (change(oauth2(), "extra", json!({"grant_type": "password"})), "auth.extra.grant_type"),
        (change(oauth2(), "more", json!(1)), "auth.more"),
        (json!("basic"), "auth"),
    ];
    for (auth, field) in table {
        let refused = server.post("/api/v1/webhooks").json(with(auth.clone())).send().await;
        assert_eq!(refused.error(400, "invalid_field"), field, "{auth}");
    }
    assert!(server.get("/api/v1/webhooks").send().await.data(200).as_array().unwrap().is_empty());
    server.stop().await;
}

#[actix_web::test]
async fn a_header_is_set_by_one_only() {
    let server = Server::start().await;
    let mut body = with(basic());
    body["headers"] = json!({"authorization": "x"});
    let refused = server.post("/api/v1/webhooks").json(body).send().await;
    assert_eq!(refused.error(400, "invalid_field"), "headers.authorization");
    let made = server.post("/api/v1/webhooks").json(with(basic())).send().await.data(201);
    let path = format!("/api/v1/webhooks/{}", id(&made));
    let header = json!({"headers": {"Authorization": "x"}});
    let refused = server.ask("PATCH", &path).json(header.clone()).send().await;
    assert_eq!(refused.error(400, "invalid_field"), "headers.Authorization");
    server.ask("PATCH", &path).json(json!({"auth": null, "headers": header["headers"]})).send().await.data(200);
    let refused = server.ask("PATCH", &path).json(json!({"auth": basic()})).send().await;
    assert_eq!(refused.error(400, "invalid_field"), "headers.Authorization");
    // This contract sets it itself.
    let mut body = with(basic());
    (body["dialect"], body["secret"]) = (json!("cloudevents"), json!("a-secret-of-good-length"));
    let refused = server.post("/api/v1/webhooks").json(body).send().await;
    assert_eq!(refused.error(400, "invalid_field"), "auth.type");
    server.stop().await;
}

#[actix_web::test]
async fn a_secret_is_kept_where_it_belongs_and_goes_nowhere_else() {
    let server = Server::start().await;
    let made = server.post("/api/v1/webhooks").json(with(oauth2())).send().await.data(201);
    let path = format!("/api/v1/webhooks/{}", id(&made));
    let mut auth = oauth2();
    auth.as_object_mut().unwrap().remove("client_secret");
    (auth["scope"], auth["token_url"]) = (json!("c"), json!("https://id.example.com/other"));
    let changed = server.ask("PATCH", &path).json(json!({ "auth": auth })).send().await.data(200);
    assert_eq!((&changed["auth"]["scope"], &changed["auth"]["client_secret"]), (&json!("c"), &json!(true)));
    auth["token_url"] = json!("https://elsewhere.example.com/token");
    let refused = server.ask("PATCH", &path).json(json!({ "auth": auth })).send().await;
    assert_eq!(refused.error(400, "invalid_field"), "auth.client_secret");
    let refused = server.ask("PATCH", &path).json(json!({"auth": {"type": "bearer", "token": true}})).send().await;
    assert_eq!(refused.error(400, "invalid_field"), "auth.token", "it is the secret of another way");

    // The log says that it was changed, also where no view shows a difference, and never to what.
    let mut other = oauth2();
    (other["client_secret"], other["scope"]) = (json!("hush-other"), json!("c"));
    other["token_url"] = json!("https://id.example.com/other");
    server.ask("PATCH", &path).json(json!({ "auth": other })).send().await.data(200);
    let log = server.get("/api/v1/audit?action=webhook.changed").send().await;
    assert!(!log.text.contains("hush"), "{}", log.text);
    let fields: Vec<Value> = log.data(200).as_array().unwrap().iter().map(|entry| entry["fields"].clone()).collect();
    assert_eq!(fields, [json!(["auth"]), json!(["auth"])]);
    server.stop().await;
}

#[actix_web::test]
async fn who_sends_a_webhook_elsewhere_brings_the_secret_or_none() {
    let server = Server::start().await;
    let ways = [
        (basic(), "auth.password"),
        (json!({"type": "bearer", "token": HUSH}), "auth.token"),
        (json!({"type": "header", "name": "X-Own", "value": HUSH}), "auth.value"),
        (oauth2(), "auth.client_secret"),
    ];
    for (auth, field) in ways {
        let made = server.post("/api/v1/webhooks").json(with(auth.clone())).send().await.data(201);
        let path = format!("/api/v1/webhooks/{}", id(&made));
        let change = |body: Value| server.ask("PATCH", &path).json(body).send();
        for elsewhere in ["https://mine.example.com/hook", "https://example.com:8443/hook"] {
            for kept in [json!({"url": elsewhere}), json!({"url": elsewhere, "auth": made["auth"]})] {
                assert_eq!(change(kept.clone()).await.error(400, "invalid_field"), field, "{kept}");
            }
        }
        assert_eq!(server.get(&path).send().await.data(200)["url"], "https://example.com/hook", "nothing has changed");
        let moved = change(json!({"url": "https://example.com/other"})).await.data(200);
        assert_eq!(moved["auth"], made["auth"], "it goes to the same host");
        change(json!({"url": "https://mine.example.com/", "auth": auth})).await.data(200);
        change(json!({"url": "https://example.com/", "auth": null})).await.data(200);
    }
    server.stop().await;
}

#[actix_web::test]
async fn what_is_opened_for_an_endpoint_opens_no_token_endpoint_to_who_may_not_open() {
    let server = Server::start().await;
    let manager = key(&server, "default", &["manage", "read"]).await;
    let body = json!({"url": "https://10.20.1.1/", "events": ["*"], "allow": ["10.20.0.0/16"]});
    let made = server.post("/api/v1/webhooks").json(body).send().await.data(201);
    let path = format!("/api/v1/webhooks/{}", id(&made));
    let at = |token_url: &str| {
        let mut auth = oauth2();
        auth["token_url"] = json!(token_url);
        json!({ "auth": auth })
    };
    for elsewhere in ["https://10.20.1.2/token", "https://10.20.1.1:8443/token", "https://id.example.com/token"] {
        let refused = server.ask("PATCH", &path).key(&manager).json(at(elsewhere)).send().await;
        assert_eq!(refused.error(403, "forbidden"), "auth.token_url", "{elsewhere}");
    }
    server.ask("PATCH", &path).key(&manager).json(at("https://10.20.1.1/token")).send().await.data(200);
    server.ask("PATCH", &path).json(at("https://10.20.1.2/token")).send().await.data(200);
    server.ask("PATCH", &path).key(&manager).json(at("https://10.20.1.2/other")).send().await.data(200);
    let refused = server.ask("PATCH", &path).json(at("https://10.30.1.2/token")).send().await;
    assert_eq!(refused.error(400, "invalid_field"), "auth.token_url", "nothing is opened there");
    server.stop().await;
}
