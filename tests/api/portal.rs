//! How a portal looks, as an account says it, and links into it: who makes them, of which account, and what they may say.

use serde_json::{Value, json};

use crate::server::{START_MS, Server};

async fn account(server: &Server, id: &str) {
    server.post("/api/v1/accounts").json(json!({"id": id, "name": id})).send().await.data(201);
}

async fn key(server: &Server, id: &str, scope: &str) -> String {
    let keys = format!("/api/v1/accounts/{id}/keys");
    let made = server.post(&keys).json(json!({"scopes": [scope]})).send().await.data(201);
    made["key"].as_str().expect("a key").to_string()
}

#[actix_web::test]
async fn an_accounts_own_key_makes_links_of_its_own_account() {
    let server = Server::start().await;
    account(&server, "acme").await;
    account(&server, "other").await;
    let (acme, reader) = (key(&server, "acme", "manage").await, key(&server, "acme", "read").await);
    let portal = |id: &str| format!("/api/v1/accounts/{id}/portal");
    for key in [&server.admin, &acme] {
        let made = server.post(&portal("acme")).key(key).json(json!({})).send().await.data(201);
        let url = made["url"].as_str().expect("a link");
        assert!(url.starts_with(&format!("{}/portal/enter/", server.url)), "{url}");
        assert_eq!(made["expires_at"], hookwheel::domain::time::rfc3339(START_MS + 10 * 60_000));
    }
    server.post(&portal("other")).key(&acme).json(json!({})).send().await.error(404, "not_found");
    server.ask("DELETE", &portal("other")).key(&acme).send().await.error(404, "not_found");
    server.post(&portal("acme")).key(&reader).json(json!({})).send().await.error(403, "forbidden");
    server.post(&portal("nobody")).json(json!({})).send().await.error(404, "not_found");
    let ended = server.ask("DELETE", &portal("acme")).key(&acme).send().await.data(200);
    assert_eq!(ended, json!({"sessions": 0, "links": 2}));
    server.stop().await;
}

#[actix_web::test]
async fn what_a_link_says_wrong_is_named() {
    let server = Server::start().await;
    for (asked, field) in [
        (json!({"abilities": ["admin"]}), "abilities[0]"),
        (json!({"abilities": ["view", "publish"]}), "abilities[1]"),
        (json!({"session_minutes": 4}), "session_minutes"),
        (json!({"session_minutes": 1441}), "session_minutes"),
        (json!({"return_url": "javascript:alert(1)"}), "return_url"),
        (json!({"return_url": "/settings"}), "return_url"),
        (json!({"name": "x".repeat(101)}), "name"),
        (json!({"origins": ["https://a.example", "*"]}), "origins[1]"),
        (json!({"origins": ["http://a.example"]}), "origins[0]"),
        (json!({"account": "other"}), "account"),
    ] {
        let refused = server.post("/api/v1/accounts/default/portal").json(asked.clone()).strange().send().await;
        assert_eq!(refused.error(400, "invalid_field"), field, "{asked}");
    }
    server.stop().await;
}

#[actix_web::test]
async fn a_portals_look_is_part_of_the_account_and_stays() {
    let png = "data:image/png;base64,iVBORw0KGgoAAAAAAAAAAA==";
    let server = Server::start().await;
    let look = json!({
        "title": "Acme", "colour": "#2F4FD0", "logo": png, "welcome": "Hello", "support_url": "https://acme.example/help",
        "origins": ["https://b.example", "https://A.example:443/"],
    });
    let asked = json!({"id": "acme", "name": "Acme", "portal": look});
    let made = server.post("/api/v1/accounts").json(asked).send().await.data(201);
    let shown = json!({
        "title": "Acme", "colour": "#2f4fd0", "logo": png, "welcome": "Hello", "support_url": "https://acme.example/help",
        "origins": ["https://a.example", "https://b.example"],
    });
    assert_eq!(made["portal"], shown);
    let server = server.restart().await;
    assert_eq!(server.get("/api/v1/accounts/acme").send().await.data(200)["portal"], shown);
    let rows = server.get("/api/v1/accounts").send().await.json["data"].clone();
    assert!(rows.as_array().expect("rows").iter().all(|row| row.get("portal").is_none()), "lists leave it out: {rows}");

    let change = |portal: Value| server.ask("PATCH", "/api/v1/accounts/acme").json(json!({"portal": portal})).send();
    let changed = change(json!({"title": null, "colour": "#fff"})).await.data(200);
    assert_eq!([&changed["portal"]["title"], &changed["portal"]["colour"]], [&Value::Null, &json!("#ffffff")]);
    assert_eq!(changed["portal"]["welcome"], "Hello", "what is left out stays");
    let log = server.get("/api/v1/audit?action=account.changed").header("Hookwheel-Account", "acme").send().await;
    assert_eq!(log.json["data"][0]["fields"], json!(["portal.title", "portal.colour"]));
    let reset = change(Value::Null).await.data(200);
    assert_eq!(reset["portal"]["origins"], json!([]));
    assert_eq!(reset["portal"]["logo"], Value::Null);
    server.stop().await;
}

#[actix_web::test]
async fn what_a_portals_look_says_wrong_is_named() {
    let server = Server::start().await;
    let svg = "data:image/svg+xml;base64,PHN2Zz4=";
    for (portal, field) in [
        (json!({"title": "x".repeat(61)}), "portal.title"),
        (json!({"colour": "red"}), "portal.colour"),
        (json!({"logo": svg}), "portal.logo"),
        (json!({"logo": "https://acme.example/logo.png"}), "portal.logo"),
        (json!({"welcome": "x".repeat(501)}), "portal.welcome"),
        (json!({"support_url": "javascript:alert(1)"}), "portal.support_url"),
        (json!({"origins": ["https://a.example", "*"]}), "portal.origins[1]"),
        (json!({"origins": ["http://a.example"]}), "portal.origins[0]"),
        (json!({"origins": ["https://a.example/path"]}), "portal.origins[0]"),
        (json!({"origins": vec!["https://a.example"; 17]}), "portal.origins"),
        (json!({"css": "x"}), "portal.css"),
    ] {
        let asked = json!({"name": "Acme", "portal": portal});
        let refused = server.post("/api/v1/accounts").json(asked.clone()).strange().send().await;
        assert_eq!(refused.error(400, "invalid_field"), field, "{asked}");
    }
    server.stop().await;
}
