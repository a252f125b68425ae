//! Who may do what: keys, scopes, accounts that never see each other.

use crate::server::{CALLS_PER_MINUTE, KEYS_MAX, START_MS, Server, id};
use serde_json::json;

/// Makes a key and gives its text.
pub async fn key(server: &Server, account: &str, scopes: &[&str]) -> String {
    let asked = server.post(&format!("/api/v1/accounts/{account}/keys")).json(json!({ "scopes": scopes }));
    asked.send().await.data(201)["key"].as_str().unwrap().to_string()
}

/// Whether a key of this scope may do what needs that one.
pub fn suffices(scope: &str, needed: &str) -> bool {
    scope == "admin" || scope == needed || (scope == "manage" && matches!(needed, "read" | "consume"))
}

#[actix_web::test]
async fn without_a_known_key_nothing_is_served() {
    let server = Server::start().await;
    for path in ["/api/v1/events", "/api/v1/webhooks", "/api/v1/accounts", "/api/v1/deliveries/x", "/v2/webhooks"] {
        let reply = server.get(path).keyless().send().await;
        assert_eq!(reply.header("WWW-Authenticate"), Some("Bearer"), "{path}");
        reply.error(401, "unauthorized");
        server.get(path).key("hw_wrong").send().await.error(401, "unauthorized");
        server.get(path).header("Authorization", "Basic eDp5").send().await.error(401, "unauthorized");
    }
    let lower = server.get("/api/v1/events").header("Authorization", &format!("bearer {}", server.admin));
    lower.send().await.data(200);
    server.stop().await;
}

#[actix_web::test]
async fn a_key_does_what_its_scopes_allow() {
    let server = Server::start().await;
    let calls = [
        ("POST", "/api/v1/events", "publish"),
        ("GET", "/api/v1/events", "read"),
        ("GET", "/api/v1/webhooks", "read"),
        ("POST", "/api/v1/webhooks", "manage"),
        ("GET", "/api/v1/webhooks/x/secret", "manage"),
        ("GET", "/v2/webhooks", "read"),
        ("POST", "/v2/webhooks", "manage"),
        ("GET", "/api/v1/accounts", "admin"),
        ("GET", "/api/v1/webhooks/x/pull", "consume"),
    ];
    for scope in ["admin", "publish", "manage", "read", "consume"] {
        let key = key(&server, "default", &[scope]).await;
        for (method, path, needed) in calls {
            let reply = server.ask(method, path).key(&key).send().await;
            if suffices(scope, needed) {
                assert_ne!(reply.status, 403, "{scope} {method} {path}");
            } else {
                let message = reply.json["error"]["message"].as_str().unwrap_or_default().to_string();
                reply.error(403, "forbidden");
                assert!(message.contains(needed), "{scope} {method} {path}: {message}");
            }
        }
    }
    server.stop().await;
}

#[actix_web::test]
async fn accounts_never_see_each_other() {
    let server = Server::start().await;
    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Acme"})).send().await.data(201);
    let acme = key(&server, "acme", &["publish", "manage"]).await;
    let webhook = json!({"url": "https://example.com/", "events": ["*"]});
    let webhook = server.post("/api/v1/webhooks").key(&acme).json(webhook).send().await.data(201);
    assert_eq!(webhook["account"], "acme");
    let event = server.post("/api/v1/events").key(&acme).json(json!({"type": "a", "data": 1})).send().await.data(202);
    assert_eq!(event["deliveries"], 1);
    let shown = server.get(&format!("/api/v1/events/{}", id(&event))).key(&acme).send().await.data(200);
    let delivery = id(&shown["deliveries"][0]);

    // The admin acts for `default`, where none of it is.
    let paths = [
        format!("/api/v1/webhooks/{}", id(&webhook)),
        format!("/api/v1/webhooks/{}/deliveries", id(&webhook)),
        format!("/api/v1/events/{}", id(&event)),
        format!("/api/v1/deliveries/{delivery}"),
    ];
    for path in &paths {
        server.get(path).send().await.error(404, "not_found");
        server.get(path).header("Hookwheel-Account", "acme").send().await.data(200);
        server.get(path).key(&acme).send().await.data(200);
    }
    assert_eq!(server.get("/api/v1/webhooks").send().await.data(200), json!([]));
    let unknown = server.get("/api/v1/webhooks").header("Hookwheel-Account", "nobody").send().await;
    assert_eq!(unknown.error(400, "invalid_field"), "Hookwheel-Account");

    // Acme's key cannot act for anybody else.
    let other = server.get("/api/v1/webhooks").key(&acme).header("Hookwheel-Account", "default").send().await;
    assert_eq!(other.error(403, "forbidden"), "Hookwheel-Account");
    server.get("/api/v1/webhooks").key(&acme).header("Hookwheel-Account", "acme").send().await.data(200);
    let named = |account: &str| json!({"type": "a", "data": 1, "account": account});
    let reply = server.post("/api/v1/events").key(&acme).json(named("default")).send().await;
    assert_eq!(reply.error(403, "forbidden"), "account");
    let posted = server.post("/api/v1/events").json(named("acme")).send().await.data(202);
    assert_eq!(posted["deliveries"], 1, "an admin may post for another account");
    let torn = server.post("/api/v1/events").header("Hookwheel-Account", "default").json(named("acme")).send().await;
    assert_eq!(torn.error(400, "invalid_field"), "account");
    server.stop().await;
}

#[actix_web::test]
async fn an_account_has_so_many_keys_and_another_has_its_own() {
    let server = Server::start().await;
    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Acme"})).send().await.data(201);
    for _ in 0..KEYS_MAX {
        key(&server, "acme", &["read"]).await;
    }
    let keys = "/api/v1/accounts/acme/keys";
    let refused = server.post(keys).json(json!({"scopes": ["read"]})).send().await;
    let message = refused.json["error"]["message"].as_str().unwrap_or_default().to_owned();
    refused.error(409, "quota");
    assert!(message.contains("20 keys") && message.contains("(limits.keys_max); revoke one"), "{message}");
    key(&server, "default", &["read"]).await;
    let first = id(&server.get(keys).send().await.data(200)[0]);
    assert_eq!(server.ask("DELETE", &format!("{keys}/{first}")).send().await.status, 204);
    key(&server, "acme", &["read"]).await;
    server.stop().await;
}

#[actix_web::test]
async fn keys_are_shown_once_expire_and_are_revoked() {
    let server = Server::start().await;
    let keys = "/api/v1/accounts/default/keys";
    let body = json!({"scopes": ["read", "read"], "name": "ci", "expires_at": "2023-11-14T22:13:30Z"});
    let made = server.post(keys).json(body).send().await.data(201);
    let text = made["key"].as_str().unwrap().to_string();
    assert!(text.starts_with("hw_") && text.len() == 46);
    assert_eq!(made["scopes"], json!(["read"]));
    let listed = server.get(keys).send().await;
    assert!(!listed.text.contains(&text), "a list shows no key");
    assert_eq!(listed.data(200).as_array().unwrap().len(), 2);
    server.get("/api/v1/webhooks").key(&text).send().await.data(200);
    server.clock.turn_to(START_MS + 10_000);
    server.get("/api/v1/webhooks").key(&text).send().await.error(401, "unauthorized");

    let other = key(&server, "default", &["admin"]).await;
    let rows = server.get(keys).send().await.data(200);
    let first = rows.as_array().unwrap().iter().find(|row| row["name"] == "first admin key").unwrap();
    let path = format!("{keys}/{}", id(first));
    server.ask("DELETE", &path).send().await.error(409, "wrong_state");
    assert_eq!(server.ask("DELETE", &path).key(&other).send().await.status, 204);
    server.get("/api/v1/webhooks").send().await.error(401, "unauthorized");
    server.ask("DELETE", &path).key(&other).send().await.error(404, "not_found");
    server.stop().await;
}

#[actix_web::test]
async fn a_bad_account_or_key_names_its_field() {
    let server = Server::start().await;
    let table = [
        ("/api/v1/accounts", json!({"id": "a b", "name": "x"}), "id"),
        ("/api/v1/accounts", json!({"name": ""}), "name"),
        ("/api/v1/accounts", json!({"id": "x"}), "name"),
        ("/api/v1/accounts", json!({"name": "x", "dialect": "klingon"}), "dialect"),
        ("/api/v1/accounts", json!({"name": "x", "extra": 1}), "extra"),
        ("/api/v1/accounts/default/keys", json!({"scopes": []}), "scopes"),
        ("/api/v1/accounts/default/keys", json!({"scopes": ["read", "fly"]}), "scopes[1]"),
        (
            "/api/v1/accounts/default/keys",
            json!({"scopes": ["read"], "expires_at": "2001-01-01T00:00:00Z"}),
            "expires_at",
        ),
    ];
    for (path, body, field) in table {
        let reply = server.post(path).json(body.clone()).send().await;
        assert_eq!(reply.error(400, "invalid_field"), field, "{body}");
    }
    server
        .post("/api/v1/accounts")
        .json(json!({"id": "default", "name": "x"}))
        .send()
        .await
        .error(409, "account_exists");
    server.post("/api/v1/accounts/none/keys").json(json!({"scopes": ["read"]})).send().await.error(404, "not_found");
    let made = server.post("/api/v1/accounts").json(json!({"name": "Made up"})).send().await.data(201);
    assert_eq!(made["dialect"], "standard");
    let shown = server.get(&format!("/api/v1/accounts/{}", id(&made))).send().await.data(200);
    assert_eq!(shown, made);
    let first = server.get("/api/v1/accounts?limit=1").send().await;
    let mut listed = made.clone();
    // A row has no logo in it.
    listed.as_object_mut().unwrap().remove("portal").unwrap();
    assert_eq!(first.json["data"], json!([listed]));
    let next = first.json["next_cursor"].as_str().unwrap();
    let rest = server.get(&format!("/api/v1/accounts?limit=2&cursor={next}")).send().await;
    assert_eq!((&rest.json["data"][0]["id"], &rest.json["data"][1]["id"]), (&json!("operator"), &json!("default")));
    assert_eq!(rest.json["next_cursor"], json!(null));
    for (text, ids) in
        [("MADE", vec![id(&made)]), ("opera", vec!["operator".into()]), ("none-is-so", Vec::<String>::new())]
    {
        let found = server.get(&format!("/api/v1/accounts?text={text}")).send().await.data(200);
        assert_eq!(found.as_array().unwrap().iter().map(id).collect::<Vec<_>>(), ids, "{text}");
    }
    server.stop().await;
}

#[actix_web::test]
async fn a_key_may_make_so_many_calls_and_publishing_is_not_among_them() {
    let server = Server::start().await;
    let at_once = CALLS_PER_MINUTE / 10;
    for _ in 0..at_once {
        assert_eq!(server.get("/api/v1/webhooks").send().await.status, 200);
    }
    let refused = server.get("/api/v1/webhooks").send().await;
    assert_eq!(refused.header("Retry-After"), Some("1"));
    refused.error(429, "rate_limited");
    server.post("/api/v1/events").json(json!({"type": "a", "data": 1})).send().await.data(202);
    server.clock.turn_to(START_MS + 60_000);
    assert_eq!(server.get("/api/v1/webhooks").send().await.status, 200);
    server.stop().await;
}

#[actix_web::test]
async fn an_operator_sets_what_one_account_may_have() {
    let server = Server::start().await;
    let limits = json!({"webhooks_max": 1, "keys_max": 1, "max_in_flight": 100, "timeout": null, "kept_bytes_max": 0,
        "events_per_second": 10, "events_per_day": 0, "kept_days_max": null, "event_types_max": null});
    let account = json!({"id": "big", "name": "Big", "limits": limits});
    let made = server.post("/api/v1/accounts").json(account).send().await.data(201);
    assert_eq!(made["limits"], limits);
    let own = key(&server, "big", &["manage"]).await;
    let another = server.post("/api/v1/accounts/big/keys").json(json!({"scopes": ["read"]})).send().await;
    another.error(409, "quota");
    let create = async |max_in_flight: u32| {
        let webhook = json!({"url": "https://example.com", "events": ["*"], "max_in_flight": max_in_flight});
        server.post("/api/v1/webhooks").key(&own).json(webhook).send().await
    };
    assert_eq!(create(101).await.error(400, "invalid_field"), "max_in_flight");
    create(100).await.data(201);
    create(1).await.error(409, "quota");
    let stranger = json!({"url": "https://example.com", "events": ["*"], "max_in_flight": 100});
    let of_default = key(&server, "default", &["manage"]).await;
    let refused = server.post("/api/v1/webhooks").key(&of_default).json(stranger).send().await;
    assert_eq!(refused.error(400, "invalid_field"), "max_in_flight", "it is set for one account only");

    let change = async |body: serde_json::Value| {
        server.ask("PATCH", "/api/v1/accounts/big").json(json!({ "limits": body })).send().await
    };
    assert_eq!(change(json!({"max_in_flight": 257})).await.error(400, "invalid_field"), "limits.max_in_flight");
    assert_eq!(change(json!([null])).await.error(400, "invalid_field"), "limits");
    assert_eq!(change(json!({"timeout": 0})).await.error(400, "invalid_field"), "limits.timeout");
    assert_eq!(change(json!({"keys_max": 10_000_001})).await.error(400, "invalid_field"), "limits.keys_max");
    assert_eq!(change(json!({"kept_days_max": 36_501})).await.error(400, "invalid_field"), "limits.kept_days_max");
    assert_eq!(
        change(json!({"event_types_max": 10_000_001})).await.error(400, "invalid_field"),
        "limits.event_types_max"
    );
    let kept = json!({"webhooks_max": null, "keys_max": 1, "max_in_flight": 100, "timeout": 90, "kept_bytes_max": 0,
        "events_per_second": 10, "events_per_day": 5, "kept_days_max": 7, "event_types_max": 8});
    let asked =
        json!({"webhooks_max": null, "timeout": 90, "events_per_day": 5, "kept_days_max": 7, "event_types_max": 8});
    assert_eq!(change(asked).await.data(200)["limits"], kept);
    create(1).await.data(201);
    let reset = change(json!(null)).await.data(200)["limits"].clone();
    assert_eq!((&reset["max_in_flight"], &reset["event_types_max"]), (&json!(null), &json!(null)));
    assert_eq!(create(65).await.error(400, "invalid_field"), "max_in_flight", "the server's again");
    let named = server.ask("PATCH", "/api/v1/accounts/big").json(json!({"name": "Bigger"})).send().await.data(200);
    assert_eq!((&named["name"], &named["id"]), (&json!("Bigger"), &json!("big")));

    let log = server.get("/api/v1/audit").header("Hookwheel-Account", "big").send().await.data(200);
    let changes: Vec<_> = log.as_array().unwrap().iter().filter(|entry| entry["action"] == "account.changed").collect();
    assert_eq!(changes[0]["fields"], json!(["name"]));
    assert_eq!(
        changes[2]["fields"],
        json!([
            "limits.webhooks_max",
            "limits.timeout",
            "limits.events_per_day",
            "limits.kept_days_max",
            "limits.event_types_max"
        ])
    );
    let refused = server.ask("PATCH", "/api/v1/accounts/big").key(&own).json(json!({"name": "x"})).send().await;
    refused.error(403, "forbidden");
    server.ask("PATCH", "/api/v1/accounts/none").json(json!({})).send().await.error(404, "not_found");
    server.stop().await;
}
