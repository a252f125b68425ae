//! The operator's pages: accounts and keys by forms, the settings without their secrets, the store, the machine; and that nobody
//! else gets them.

use crate::browser::{log_in, log_in_as};
use crate::server::{CONFIGURED_KEY, Server};
use serde_json::json;

/// The operator's pages.
const PAGES: [&str; 6] = ["accounts", "accounts/new", "accounts/default", "settings", "store", "nodes"];

#[actix_web::test]
async fn one_comes_in_where_one_belongs() {
    let server = Server::start().await;
    let location = |reply: &crate::server::Reply| reply.header("Location").unwrap_or_default().to_string();
    let root = server.get("/").keyless().strange().send().await;
    assert_eq!((root.status.as_u16(), location(&root).as_str()), (303, "/dashboard/"));
    let browser = log_in(&server).await;
    for path in ["/dashboard", "/dashboard/"] {
        let reply = browser.get(path).await;
        assert_eq!((reply.status.as_u16(), location(&reply).as_str()), (303, "/dashboard/@default/"), "{path}");
    }
    let reply = browser.get("/dashboard/@default").await;
    assert_eq!(location(&reply), "/dashboard/@default/");
    server.stop().await;
}

#[actix_web::test]
async fn an_account_and_a_key_are_made_changed_and_taken_away_by_forms() {
    let server = Server::start().await;
    let browser = log_in(&server).await;
    let accounts = "/dashboard/server/accounts";
    let wrong = [("id", "a b"), ("name", "Acme <Inc>"), ("limits.keys_max", "7")];
    let reply = browser.post(accounts, &wrong).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text.contains("id=\"field-id-wrong\"") && reply.text.contains("value=\"Acme &lt;Inc&gt;\""), "{}", reply.text);
    let wrong = [("id", "acme"), ("name", "Acme"), ("limits.timeout", "soon")];
    let reply = browser.post(accounts, &wrong).await;
    assert!(reply.text.contains("id=\"field-limits.timeout-wrong\""), "{}", reply.text);
    let right = [("id", "acme"), ("name", "Acme"), ("tags", "beta plan/pro"), ("limits.keys_max", "7"), ("limits.timeout", "")];
    let reply = browser.post(accounts, &right).await;
    assert_eq!((reply.status.as_u16(), reply.header("Location")), (303, Some("/dashboard/server/accounts/acme?said=created")));
    let told = server.get("/api/v1/accounts/acme").send().await.data(200);
    assert_eq!((&told["limits"]["keys_max"], &told["tags"]), (&json!(7), &json!(["beta", "plan/pro"])));

    // What is empty goes back to what the server says.
    let reply = browser.post("/dashboard/server/accounts/acme/edit", &[("name", "Acme 2"), ("validation", "warn")]).await;
    assert_eq!(reply.status, 303, "{}", reply.text);
    let told = server.get("/api/v1/accounts/acme").send().await.data(200);
    assert_eq!((&told["name"], &told["limits"]["keys_max"]), (&json!("Acme 2"), &json!(null)));
    let page = browser.get(accounts).await.text;
    assert!(page.contains("Acme 2") && page.contains("/dashboard/@acme/webhooks"), "{page}");
    assert!(!browser.get(&format!("{accounts}?text=nobody")).await.text.contains("Acme 2"));
    assert!(browser.get(&format!("{accounts}?text=ACME")).await.text.contains("Acme 2"));

    let keys = "/dashboard/@acme/keys";
    let reply = browser.post(keys, &[("name", "backend"), ("expires_at", "")]).await;
    assert_eq!(reply.status, 400, "a key without a scope: {}", reply.text);
    let reply = browser.post(keys, &[("name", "backend"), ("scopes", "publish"), ("scopes", "read")]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let key = reply.text.split("Bearer ").nth(1).unwrap().split(['&', '"', '<']).next().unwrap().to_string();
    let whoami = server.get("/api/v1/whoami").key(&key).send().await.data(200);
    assert_eq!((&whoami["key"]["scopes"], &whoami["account"]["id"]), (&json!(["publish", "read"]), &json!("acme")));
    let page = browser.get(keys).await.text;
    assert!(page.contains("backend") && !page.contains(&key), "it is shown once");
    let id = whoami["key"]["id"].as_str().unwrap();
    let asked = browser.get(&format!("{keys}/{id}/revoke")).await.text;
    assert!(asked.contains("backend") && asked.contains("Revoke the key"), "{asked}");
    server.get("/api/v1/whoami").key(&key).send().await.data(200);
    let reply = browser.post(&format!("{keys}/{id}/revoke"), &[]).await;
    assert_eq!(reply.status, 303, "{}", reply.text);
    server.get("/api/v1/whoami").key(&key).send().await.error(401, "unauthorized");

    let audit = browser.get("/dashboard/@acme/audit").await.text;
    let at = |action: &str| audit.find(action).unwrap_or_else(|| panic!("{action}: {audit}"));
    assert!(at(">key.revoked<") < at(">key.created<") && at(">key.created<") < at(">account.created<"));
    let some = browser.get("/dashboard/@acme/audit?action=key.revoked").await.text;
    assert!(some.contains(">key.revoked<") && !some.contains(">account.created<"), "{some}");

    let asked = browser.get(&format!("{accounts}/acme/delete")).await.text;
    assert!(asked.contains("0 webhooks") && asked.contains("There is no way back"), "{asked}");
    server.get("/api/v1/accounts/acme").send().await.data(200);
    let reply = browser.post(&format!("{accounts}/acme/delete"), &[]).await;
    assert!(reply.header("Location").is_some_and(|to| to.starts_with("/dashboard/@default/jobs/")), "{}", reply.text);
    server.get("/api/v1/accounts/acme").send().await.error(404, "not_found");
    assert_eq!(browser.get(&format!("{accounts}/default/delete")).await.status, 409);
    server.stop().await;
}

#[actix_web::test]
async fn an_export_is_a_file_without_secrets() {
    let server = Server::start().await;
    let browser = log_in(&server).await;
    let body = json!({"url": "https://example.com/", "events": ["*"], "secret": "whsec_bWFya2VyLW1hcmtlci1tYXJrZXItbWFya2Vy"});
    server.post("/api/v1/webhooks").json(body).send().await.data(201);
    let reply = browser.post("/dashboard/@default/export", &[]).await;
    assert_eq!(reply.header("Content-Disposition"), Some("attachment; filename=\"default.ndjson\""));
    assert!(reply.text.contains("{\"kind\":\"webhook\"") && reply.text.contains("{\"kind\":\"end\""), "{}", reply.text);
    assert!(!reply.text.contains("whsec_"), "{}", reply.text);
    server.stop().await;
}

#[actix_web::test]
async fn settings_are_all_there_and_no_secret_among_them() {
    let server = Server::start().await;
    let browser = log_in(&server).await;
    let page = browser.get("/dashboard/server/settings").await.text;
    for knob in server.get("/api/v1/settings").send().await.data(200).as_array().unwrap() {
        assert!(page.contains(&format!("<code>{}</code>", knob["name"].as_str().unwrap())), "{knob}");
    }
    assert!(!page.contains(CONFIGURED_KEY), "{page}");
    let some = browser.get("/dashboard/server/settings?changed=on").await.text;
    assert!(some.contains("auth.admin_key") && !some.contains("server.listen"), "{some}");
    let some = browser.get("/dashboard/server/settings?text=retention").await.text;
    assert!(some.contains("retention.event_days") && !some.contains("auth.admin_key"), "{some}");
    server.stop().await;
}

#[actix_web::test]
async fn the_store_and_the_machine_say_how_they_are() {
    let server = Server::start().await;
    let browser = log_in(&server).await;
    let store = browser.get("/dashboard/server/store").await.text;
    let keys = server.get("/api/v1/master-keys").send().await.data(200);
    assert!(store.contains(keys["current"].as_str().unwrap()) && store.contains("known an hour after a start"), "{store}");
    server.clock.turn_to(server.clock.now() + 2 * 3_600_000);
    let later = browser.get("/dashboard/server/store").await.text;
    assert!(later.contains(" a day, as in the last 2 h"), "{later}");
    assert!(browser.get("/dashboard/server/store/trust-clock").await.text.contains("Is the machine"));
    assert_eq!(browser.post("/dashboard/server/store/trust-clock", &[]).await.status, 303);
    assert_eq!(browser.post("/dashboard/server/store/master-keys", &[]).await.status, 303);
    let audit = server.get("/api/v1/audit?action=retention_clock.trusted").send().await.data(200);
    assert_eq!(audit.as_array().unwrap().len(), 1);
    let nodes = browser.get("/dashboard/server/nodes").await.text;
    let port = server.url.rsplit(':').next().unwrap();
    assert!(nodes.contains(env!("CARGO_PKG_VERSION")) && nodes.contains(port) && nodes.contains("commit"), "{nodes}");
    server.stop().await;
}

#[actix_web::test]
async fn notices_say_who_is_told_and_what() {
    let server = Server::start().await;
    let browser = log_in(&server).await;
    let page = browser.get("/dashboard/@default/notices").await.text;
    assert!(page.contains("Nobody is told") && page.contains("webhook.disabled"), "{page}");
    let body = json!({"url": "https://chat.example/notices", "events": ["*"], "name": "chat", "notices": {"quiet_seconds": 120}});
    server.post("/api/v1/webhooks").json(body).send().await.data(201);
    let other = json!({"url": "https://example.com/hook", "events": ["*"]});
    let other = crate::server::id(&server.post("/api/v1/webhooks").json(other).send().await.data(201));
    server.post(&format!("/api/v1/webhooks/{other}/disable")).json(json!({"reason": "gone"})).send().await.data(200);
    let page = browser.get("/dashboard/@default/notices").await.text;
    assert!(page.contains("chat") && page.contains("2 min") && page.contains("A webhook was disabled</a>"), "{page}");
    server.stop().await;
}

#[actix_web::test]
async fn an_accounts_owner_gets_none_of_the_operators_pages() {
    let server = Server::start().await;
    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Acme"})).send().await.data(201);
    let owner = log_in_as(&server, "acme", "owner").await;
    assert_eq!(owner.get("/dashboard/@acme/").await.status, 200);
    assert_eq!(owner.get("/dashboard").await.header("Location"), Some("/dashboard/@acme/"));
    for page in PAGES {
        let reply = owner.get(&format!("/dashboard/server/{page}")).await;
        assert!(matches!(reply.status.as_u16(), 403 | 404), "{page}: {}", reply.status);
    }
    for page in ["accounts", "accounts/acme/edit", "accounts/acme/delete", "store/trust-clock", "store/master-keys"] {
        let reply = owner.post(&format!("/dashboard/server/{page}"), &[("name", "x")]).await;
        assert!(matches!(reply.status.as_u16(), 403 | 404), "{page}: {}", reply.status);
    }
    for page in ["", "keys", "audit", "notices"] {
        let reply = owner.get(&format!("/dashboard/@default/{page}")).await;
        assert!(matches!(reply.status.as_u16(), 403 | 404), "{page}: {}", reply.status);
    }
    server.get("/api/v1/accounts/acme").send().await.data(200);
    server.stop().await;
}
