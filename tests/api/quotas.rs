//! What an account may have, what it has used of that, and who asks.

use crate::access::key;
use crate::server::{EVENT_TYPES_MAX, KEYS_MAX, START_MS, Server, WEBHOOKS_MAX, id};
use serde_json::{Value, json};

/// Makes an account of this id.
async fn account(server: &Server, id: &str, limits: Value) {
    server.post("/api/v1/accounts").json(json!({"id": id, "name": id, "limits": limits})).send().await.data(201);
}

fn event() -> Value {
    json!({"type": "a", "data": 1})
}

fn message(reply: &crate::server::Reply) -> String {
    reply.json["error"]["message"].as_str().unwrap_or_default().to_string()
}

#[actix_web::test]
async fn an_account_publishes_so_many_events_a_day_and_is_told_when_to_come_back() {
    let server = Server::start().await;
    account(&server, "acme", json!({"events_per_day": 3})).await;
    let own = key(&server, "acme", &["publish", "read"]).await;
    let named = json!({"type": "a", "data": 1, "id": "one"});
    server.post("/api/v1/events").key(&own).json(json!([event(), named])).send().await.data(202);
    let refused = server.post("/api/v1/events").key(&own).json(json!([event(), event()])).send().await;
    let until_midnight = 86_400 - (START_MS / 1_000) % 86_400;
    assert_eq!(refused.header("Retry-After"), Some(&*until_midnight.to_string()));
    let told = message(&refused);
    assert!(
        told.contains("3 new events a day (limits.events_per_day), and 1 are left until 2023-11-15T00:00:00.000Z"),
        "{told}"
    );
    refused.error(429, "quota");
    server.post("/api/v1/events").key(&own).json(event()).send().await.data(202);
    server.post("/api/v1/events").key(&own).json(event()).send().await.error(429, "quota");
    let again = server.post("/api/v1/events").key(&own).json(named).send().await.data(202);
    assert_eq!(again["duplicate"], true, "what is not new is not counted");
    // An admin who publishes for the account publishes the account's events; of others there are as many as ever.
    let for_acme = server.post("/api/v1/events").header("Hookwheel-Account", "acme").json(event()).send().await;
    for_acme.error(429, "quota");
    server.post("/api/v1/events").json(event()).send().await.data(202);

    let used = server.get("/api/v1/accounts/acme/usage").key(&own).send().await.data(200);
    assert_eq!(used["events_per_day"], json!({"used": 3, "limit": 3}));
    assert_eq!(used["day_ends_at"], "2023-11-15T00:00:00.000Z");
    server.clock.turn_to(START_MS + until_midnight * 1_000);
    server.post("/api/v1/events").key(&own).json(event()).send().await.data(202);
    let used = server.get("/api/v1/accounts/acme/usage").key(&own).send().await.data(200);
    assert_eq!(used["events_per_day"], json!({"used": 1, "limit": 3}));
    server.stop().await;
}

#[actix_web::test]
async fn an_account_publishes_so_many_events_a_second_with_all_of_its_keys() {
    let server = Server::start().await;
    account(&server, "acme", json!({"events_per_second": 2})).await;
    let (one, other) = (key(&server, "acme", &["publish"]).await, key(&server, "acme", &["publish"]).await);
    let publish = async |key: &str| server.post("/api/v1/events").key(key).json(event()).send().await;
    publish(&one).await.data(202);
    publish(&other).await.data(202);
    let refused = publish(&other).await;
    assert_eq!(refused.header("Retry-After"), Some("1"));
    assert!(message(&refused).contains("2 events of the second (limits.events_per_second)"), "{}", refused.text);
    refused.error(429, "rate_limited");
    publish(&server.admin).await.data(202);
    let used = async || server.get("/api/v1/accounts/acme/usage").send().await.data(200)["events_per_second"].clone();
    assert_eq!(used().await, json!({"used": 2, "limit": 2}));
    server.clock.turn_to(START_MS + 1_000);
    assert_eq!(used().await, json!({"used": 0, "limit": 2}));
    publish(&one).await.data(202);
    server.stop().await;
}

#[actix_web::test]
async fn what_is_used_is_shown_with_its_limit_to_the_account_and_to_admins() {
    let server = Server::start().await;
    account(&server, "acme", json!({"webhooks_max": 5, "kept_days_max": 7, "kept_bytes_max": 1_000_000})).await;
    account(&server, "evil", json!({})).await;
    let own = key(&server, "acme", &["read"]).await;
    let webhook = json!({"url": "https://example.com/", "events": ["*"]});
    server.post("/api/v1/webhooks").header("Hookwheel-Account", "acme").json(webhook).send().await.data(201);
    let path = "/api/v1/accounts/acme/usage";
    let used = server.get(path).key(&own).send().await.data(200);
    let (none, day) = (json!({"used": null, "limit": null}), json!({"used": 0, "limit": null}));
    assert_eq!((&used["account"], &used["events_per_second"], &used["events_per_day"]), (&json!("acme"), &none, &day));
    assert_eq!(used["webhooks"], json!({"used": 1, "limit": 5}));
    assert_eq!(used["keys"], json!({"used": 1, "limit": KEYS_MAX}));
    assert_eq!(used["kept_bytes"], json!({"used": 0, "limit": 1_000_000}));
    assert_eq!(used["kept_days"], json!({"used": 0, "limit": 7}));
    server.post("/api/v1/events").header("Hookwheel-Account", "acme").json(event()).send().await.data(202);
    let used = server.get(path).send().await.data(200);
    assert!(used["kept_bytes"]["used"].as_u64().is_some_and(|bytes| bytes > 20), "{used}");
    assert_eq!(used["kept_days"], json!({"used": 1, "limit": 7}));
    let others = server.get("/api/v1/accounts/default/usage").send().await.data(200);
    assert_eq!(others["webhooks"], json!({"used": 0, "limit": WEBHOOKS_MAX}));

    let event_type = async |name: &str| {
        let body = json!({"type": name, "description": "It is."});
        server.post("/api/v1/event-types").header("Hookwheel-Account", "acme").json(body).send().await
    };
    event_type("a.b").await.data(201);
    assert_eq!(server.get(path).send().await.data(200)["event_types"], json!({"used": 1, "limit": EVENT_TYPES_MAX}));
    server.ask("PATCH", "/api/v1/accounts/acme").json(json!({"limits": {"event_types_max": 1}})).send().await.data(200);
    let used = server.get(path).key(&own).send().await.data(200);
    assert_eq!(used["event_types"], json!({"used": 1, "limit": 1}));
    assert_eq!(used["event_type_bytes"], json!({"used": "a.bIt is.".len(), "limit": 2 << 20}));
    assert!(message(&event_type("a.c").await).contains("limits.event_types_max"));
    event_type("a.c").await.error(409, "quota");
    let server = server.restart().await;
    assert_eq!(server.get(path).send().await.data(200)["event_types"], json!({"used": 1, "limit": 1}));

    let stranger = key(&server, "evil", &["read"]).await;
    server.get(path).key(&stranger).send().await.error(404, "not_found");
    server.get("/api/v1/accounts/none/usage").key(&stranger).send().await.error(404, "not_found");
    server.get("/api/v1/accounts/none/usage").send().await.error(404, "not_found");
    let publisher = key(&server, "acme", &["publish"]).await;
    server.get(path).key(&publisher).send().await.error(403, "forbidden");
    server.stop().await;
}

#[actix_web::test]
async fn a_key_is_told_what_it_is_and_whom_it_acts_for() {
    let server = Server::start().await;
    account(&server, "acme", json!({})).await;
    let body = json!({"scopes": ["publish"], "name": "ci", "expires_at": "2030-01-01T00:00:00Z"});
    let made = server.post("/api/v1/accounts/acme/keys").json(body).send().await.data(201);
    let own = made["key"].as_str().expect("its text");
    let reply = server.get("/api/v1/whoami").key(own).send().await;
    assert!(!reply.text.contains(own), "the key's text is never shown again");
    let told = reply.data(200);
    assert_eq!(told["key"]["id"], id(&made));
    assert_eq!((&told["key"]["name"], &told["key"]["scopes"]), (&json!("ci"), &json!(["publish"])));
    assert_eq!((&told["key"]["account"], &told["account"]["id"]), (&json!("acme"), &json!("acme")));
    assert_eq!(told["key"]["expires_at"], "2030-01-01T00:00:00.000Z");
    assert_eq!((&told["is_admin"], &told["acts_for_another"]), (&json!(false), &json!(false)));

    let admin = server.get("/api/v1/whoami").send().await.data(200);
    assert_eq!((&admin["is_admin"], &admin["acts_for_another"]), (&json!(true), &json!(false)));
    let acting = server.get("/api/v1/whoami").header("Hookwheel-Account", "acme").send().await.data(200);
    assert_eq!((&acting["key"]["account"], &acting["account"]["id"]), (&json!("default"), &json!("acme")));
    assert_eq!((&acting["is_admin"], &acting["acts_for_another"]), (&json!(true), &json!(true)));
    server.get("/api/v1/whoami").keyless().send().await.error(401, "unauthorized");
    server.stop().await;
}
