//! The audit log: every change has an entry that says who, what and from where; it holds no values.

use serde_json::{Value, json};

use crate::access::key;
use crate::server::{Server, id};

async fn entries(server: &Server, query: &str) -> Vec<Value> {
    server.get(&format!("/api/v1/audit?limit=250{query}")).send().await.data(200).as_array().unwrap().clone()
}

fn actions(entries: &[Value]) -> Vec<&str> {
    entries.iter().rev().map(|entry| entry["action"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn every_change_says_who_did_what() {
    let server = Server::start().await;
    let made = server.post("/api/v1/accounts/default/keys").json(json!({"scopes": ["manage"], "name": "ops"}));
    let made = made.send().await.data(201);
    let (ops, key_id) = (made["key"].as_str().unwrap().to_string(), id(&made));
    let body = json!({"url": "https://example.com/hook", "events": ["*"], "secret": "whsec_bWFya2VyLW1hcmtlci1tYXJrZXItbWFya2Vy"});
    let webhook = id(&server.post("/api/v1/webhooks").key(&ops).json(body).send().await.data(201));
    let path = format!("/api/v1/webhooks/{webhook}");
    let change = json!({"name": "Shop", "timeout": 7, "filter": "@.data.secret == 'marker'"});
    server.ask("PATCH", &path).key(&ops).json(change).send().await.data(200);
    for call in ["pause", "pause", "resume", "disable", "enable", "secret/rotate"] {
        server.post(&format!("{path}/{call}")).key(&ops).send().await;
    }
    server.get(&format!("{path}/secret")).key(&ops).send().await.data(200);
    let sent = server.post(&format!("{path}/test")).key(&ops).send().await.data(202);
    let delivery = sent["delivery_id"].as_str().unwrap();
    server.post(&format!("{path}/replay/{delivery}")).key(&ops).send().await.data(202);
    server.post("/api/v1/dead-letters/discard").key(&ops).send().await.data(202);
    server.ask("DELETE", &path).key(&ops).send().await;
    server.ask("DELETE", &format!("/api/v1/accounts/default/keys/{key_id}")).send().await;

    let all = entries(&server, "").await;
    let expected = [
        "key.created",
        "key.created",
        "webhook.created",
        "webhook.changed",
        "webhook.paused",
        "webhook.resumed",
        "webhook.disabled",
        "webhook.enabled",
        "webhook.secret_rotated",
        "webhook.secret_shown",
        "webhook.tested",
        "delivery.replayed",
        "discard.started",
        "webhook.deleted",
        "key.revoked",
    ];
    assert_eq!(actions(&all), expected, "the second pause changed nothing");
    let text = Value::from(all.clone()).to_string();
    assert!(!text.contains("marker") && !text.contains("bWFya2Vy") && !text.contains("Shop"), "no values: {text}");
    let changed = all.iter().find(|entry| entry["action"] == "webhook.changed").unwrap();
    assert_eq!(changed["fields"], json!(["name", "timeout", "filter"]));
    assert_eq!((&changed["target"], &changed["key_id"]), (&json!(webhook), &json!(key_id)));
    assert_eq!((&changed["key_name"], &changed["address"]), (&json!("ops"), &json!("127.0.0.1")));
    assert_eq!(all.last().unwrap()["key_id"], Value::Null, "the first key is the server's own deed");
    assert_eq!((&all[0]["key_name"], &all[0]["by"]), (&json!("first admin key"), &json!("operator")), "for an admin");
    assert_eq!((&changed["by"], &all.last().unwrap()["by"]), (&json!("key"), &json!("server")));

    let of_webhook = entries(&server, &format!("&target={webhook}&action=webhook.paused")).await;
    assert_eq!(actions(&of_webhook), ["webhook.paused"]);
    let first = server.get("/api/v1/audit?limit=1").send().await.json;
    let next = server.get(&format!("/api/v1/audit?limit=1&cursor={}", first["next_cursor"].as_str().unwrap()));
    assert_eq!(next.send().await.data(200)[0], all[1]);
    let reader = key(&server, "default", &["read"]).await;
    server.get("/api/v1/audit").key(&reader).send().await.error(403, "forbidden");
    server.stop().await;
}

#[actix_web::test]
async fn a_tenant_learns_of_an_operators_key_only_that_it_was_the_operator() {
    let server = Server::start().await;
    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "x"})).send().await.data(201);
    let made = server.post("/api/v1/accounts/acme/keys").json(json!({"scopes": ["manage"], "name": "ours"}));
    let made = made.send().await.data(201);
    let (ours, ours_id) = (made["key"].as_str().unwrap().to_string(), id(&made));
    let webhook = json!({"url": "https://example.com/", "events": ["*"]});
    let webhook = id(&server.post("/api/v1/webhooks").key(&ours).json(webhook).send().await.data(201));
    let pause = format!("/api/v1/webhooks/{webhook}/pause");
    server.post(&pause).header("Hookwheel-Account", "acme").send().await.data(200);

    let seen = server.get("/api/v1/audit").key(&ours).send().await;
    let text = seen.text.clone();
    let seen = seen.data(200);
    assert_eq!(
        actions(seen.as_array().unwrap()),
        ["account.created", "key.created", "webhook.created", "webhook.paused"]
    );
    for by_operator in [&seen[0], &seen[2], &seen[3]] {
        assert_eq!(by_operator["by"], "operator");
        for hidden in ["key_id", "key_name", "address"] {
            assert_eq!(by_operator[hidden], Value::Null, "{by_operator}");
        }
    }
    assert!(!text.contains("first admin key"), "{text}");
    assert_eq!((&seen[1]["by"], &seen[1]["key_id"]), (&json!("key"), &json!(ours_id)));
    assert_eq!((&seen[1]["key_name"], &seen[1]["address"]), (&json!("ours"), &json!("127.0.0.1")));
    // An admin sees who it was; and what a key has done is still shown to its account when it is gone.
    let all = server.get("/api/v1/audit").header("Hookwheel-Account", "acme").send().await.data(200);
    assert_eq!((&all[0]["by"], &all[0]["key_name"]), (&json!("operator"), &json!("first admin key")));
    assert_eq!(all[0]["address"], "127.0.0.1");
    let other = key(&server, "acme", &["manage"]).await;
    server.ask("DELETE", &format!("/api/v1/accounts/acme/keys/{ours_id}")).send().await;
    let seen = server.get("/api/v1/audit?action=webhook.created").key(&other).send().await.data(200);
    assert_eq!((&seen[0]["by"], &seen[0]["key_name"]), (&json!("key"), &json!("ours")));
    server.stop().await;
}

#[actix_web::test]
async fn what_was_refused_or_changed_nothing_has_no_entry() {
    let server = Server::start().await;
    let before = entries(&server, "").await;
    server
        .post("/api/v1/webhooks")
        .json(json!({"url": "https://example.com/"}))
        .send()
        .await
        .error(400, "invalid_field");
    server.post("/api/v1/webhooks/none/pause").send().await.error(404, "not_found");
    server
        .post("/api/v1/accounts")
        .json(json!({"id": "default", "name": "x"}))
        .send()
        .await
        .error(409, "account_exists");
    server.post("/api/v1/events").json(json!({"type": "a", "data": 1})).send().await.data(202);
    assert_eq!(entries(&server, "").await, before);
    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "x"})).send().await.data(201);
    let acme = server.get("/api/v1/audit").header("Hookwheel-Account", "acme").send().await.data(200);
    assert_eq!(actions(acme.as_array().unwrap()), ["account.created"], "it stands in the log of that account");
    server.stop().await;
}
