//! Users over the API: who they are, the links that let them in, and that no other account has them.

use hookwheel::api::ACCOUNT_HEADER;
use hookwheel::domain::id::UserId;
use hookwheel::domain::session::{Holder, Session};
use hookwheel::domain::time::{DAY_MS, HOUR_MS};
use serde_json::{Value, json};

use crate::access::key;
use crate::dead_letters::ended_for;
use crate::server::{START_MS, Server, USERS_MAX, id};

async fn invite(server: &Server, account: &str, email: &str) -> Value {
    let user = json!({"email": email, "role": "operator"});
    server.post("/api/v1/users").header(ACCOUNT_HEADER, account).json(user).send().await.data(201)
}

async fn begin_session(server: &Server, user: &Value, n: u8) -> String {
    let user = UserId::parse(user["id"].as_str().unwrap()).unwrap();
    let begun = server.store.change(user.account(), move |staging| {
        staging.begin_session(&[n; 32], Session::new(Holder::User(user), staging.now(), DAY_MS))
    });
    begun.await.unwrap().id.to_string()
}

#[actix_web::test]
async fn a_user_is_invited_shown_changed_and_removed() {
    let server = Server::start().await;
    let made = invite(&server, "default", "Ada@Example.com").await;
    assert_eq!((&made["email"], &made["name"]), (&json!("ada@example.com"), &json!("ada@example.com")));
    assert_eq!((&made["role"], &made["state"]), (&json!("operator"), &json!("invited")));
    let url = made["link"]["url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{}/dashboard/ticket/", server.url)), "{url}");
    assert_eq!(made["link"]["ends_at"], json!(hookwheel::domain::time::rfc3339(START_MS + 7 * DAY_MS)));
    let path = format!("/api/v1/users/{}", id(&made));
    let shown = server.get(&path).send().await.data(200);
    assert_eq!((&shown["link"], &shown["email"]), (&Value::Null, &made["email"]), "the link is shown once");

    let change = json!({"name": "Ada", "role": "owner"});
    let changed = server.ask("PATCH", &path).json(change).send().await.data(200);
    assert_eq!(
        (&changed["name"], &changed["role"], &changed["state"]),
        (&json!("Ada"), &json!("owner"), &json!("invited"))
    );
    let locked = server.ask("PATCH", &path).json(json!({"disabled": true})).send().await.data(200);
    assert_eq!(locked["state"], "disabled");
    let field =
        server.ask("PATCH", &path).json(json!({"second_factor": true})).send().await.error(400, "invalid_field");
    assert_eq!(field, "second_factor");
    let field = server.ask("PATCH", &path).json(json!({"name": "a\nb"})).send().await.error(400, "invalid_field");
    assert_eq!(field, "name");

    let listed = server.get("/api/v1/users").send().await.data(200);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(server.ask("DELETE", &path).send().await.status, 204);
    server.get(&path).send().await.error(404, "not_found");
    let deeds = server.get("/api/v1/audit").send().await.data(200);
    let deeds: Vec<_> = deeds.as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(
        deeds[..5],
        ["user.removed", "user.changed", "user.changed", "user.role_changed", "user.invited"],
        "{deeds:?}"
    );
    server.stop().await;
}

#[actix_web::test]
async fn an_address_is_one_users_of_the_server_and_an_account_has_so_many() {
    let server = Server::start().await;
    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Acme"})).send().await.data(201);
    invite(&server, "default", "ada@example.com").await;
    let again = json!({"email": "ADA@example.com"});
    let asked = server.post("/api/v1/users").header(ACCOUNT_HEADER, "acme").json(again);
    assert_eq!(asked.send().await.error(409, "email_taken"), "email");
    for n in 0..USERS_MAX {
        invite(&server, "acme", &format!("user-{n}@example.com")).await;
    }
    let one_more = json!({"email": "one-more@example.com"});
    let asked = server.post("/api/v1/users").header(ACCOUNT_HEADER, "acme").json(one_more);
    let refused = asked.send().await;
    assert!(refused.text.contains("limits.users_max"), "{}", refused.text);
    refused.error(409, "quota");
    for bad in [json!({"email": "ada"}), json!({"email": ""}), json!({"email": "a@x.y", "role": "king"})] {
        server.post("/api/v1/users").json(bad).strange().send().await.error(400, "invalid_field");
    }
    server.stop().await;
}

#[actix_web::test]
async fn sessions_are_listed_and_ended_and_end_with_another_role() {
    let server = Server::start().await;
    let user = invite(&server, "default", "ada@example.com").await;
    let path = format!("/api/v1/users/{}/sessions", id(&user));
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(begin_session(&server, &user, n).await);
    }
    let listed = server.get(&format!("{path}?order=oldest")).send().await.data(200);
    let listed: Vec<_> = listed.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(listed, ids);
    assert_eq!(server.ask("DELETE", &format!("{path}/{}", ids[1])).send().await.status, 204);
    server.ask("DELETE", &format!("{path}/{}", ids[1])).send().await.error(404, "not_found");
    let count = |listed: Value| listed.as_array().unwrap().len();
    assert_eq!(count(server.get(&path).send().await.data(200)), 2);
    let user_path = format!("/api/v1/users/{}", id(&user));
    server.ask("PATCH", &user_path).json(json!({"name": "Ada"})).send().await.data(200);
    assert_eq!(count(server.get(&path).send().await.data(200)), 2, "a name is no right");
    server.ask("PATCH", &user_path).json(json!({"role": "viewer"})).send().await.data(200);
    assert_eq!(count(server.get(&path).send().await.data(200)), 0);
    begin_session(&server, &user, 9).await;
    assert_eq!(server.ask("DELETE", &path).send().await.status, 204);
    assert_eq!(count(server.get(&path).send().await.data(200)), 0);
    begin_session(&server, &user, 10).await;
    server.clock.turn_to(START_MS + 12 * HOUR_MS);
    assert_eq!(count(server.get(&path).send().await.data(200)), 0, "it was quiet for too long");
    server.stop().await;
}

#[actix_web::test]
async fn a_user_goes_with_the_account_and_is_in_its_export_without_what_is_secret() {
    let server = Server::start().await;
    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Acme"})).send().await.data(201);
    let user = invite(&server, "acme", "ada@example.com").await;
    let (manager, reader) = (key(&server, "acme", &["manage"]).await, key(&server, "acme", &["read"]).await);
    let manager = server.get("/api/v1/accounts/acme/export").key(&manager).send().await.text;
    let lines: Vec<Value> = manager.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let users: Vec<_> = lines.iter().filter(|line| line["kind"] == "user").collect();
    assert_eq!((users.len(), &users[0]["id"]), (1, &user["id"]));
    assert!(!manager.contains("argon2") && !manager.contains("/dashboard/ticket/"), "{manager}");
    let reader = server.get("/api/v1/accounts/acme/export").key(&reader).send().await.text;
    assert!(!reader.contains("ada@example.com"), "{reader}");

    begin_session(&server, &user, 1).await;
    let job = server.ask("DELETE", "/api/v1/accounts/acme").send().await.data(202);
    let of_acme = server.get(&format!("/api/v1/users/{}", id(&user))).header(ACCOUNT_HEADER, "acme");
    assert_eq!(of_acme.send().await.status, 400, "there is no such account");
    ended_for(&server, &server.admin, &job).await;
    invite(&server, "default", "ada@example.com").await;
    server.stop().await;
}
