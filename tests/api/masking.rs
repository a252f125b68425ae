//! Who sees what a webhook's headers hold: whoever may change them, and of those that let their holder in nobody else.

use hookwheel::dialect::Dialects;
use hookwheel::domain::delivery::Outcome;
use hookwheel::domain::retry::Next;
use serde_json::{Value, json};

use crate::access::key;
use crate::history::attempt_with;
use crate::server::{Server, id};

/// Stands in every header that lets its holder in.
const SECRET: &str = "only-for-who-manages";

#[actix_web::test]
async fn a_key_that_reads_sees_which_secret_headers_there_are_and_not_what_they_hold() {
    let server = Server::start().await;
    let (reader, manager) = (key(&server, "default", &["read"]).await, key(&server, "default", &["manage"]).await);
    let mut lists = vec!["/api/v1/webhooks?limit=100".to_string(), "/api/v1/audit".into()];
    let (mut shown, mut webhook) = (Vec::new(), Value::Null);
    for dialect in Dialects::shipped().iter() {
        let headers = json!({"X-Api-Token": SECRET, "X-Cookie": SECRET, "X-Team": "blue"});
        let mut body =
            json!({"url": "https://example.com/", "events": ["*"], "dialect": dialect.name, "headers": headers});
        if dialect.challenge.is_some() {
            body["secret"] = json!(dialect.generate_secret(&[9; 32]).expect("it can be generated").reveal());
        }
        webhook = server.post("/api/v1/webhooks").json(body).send().await.data(201);
        assert_eq!(webhook["headers"], headers, "who makes it sees them");
        shown.push(format!("/api/v1/webhooks/{}", id(&webhook)));
        let Some(face) = &dialect.face else { continue };
        for (_, endpoints) in &face.operations.0 {
            let read = endpoints.iter().filter(|one| one.method == "GET");
            lists.extend(read.map(|one| format!("{}{}", face.base, one.path.replace("{id}", &id(&webhook)))));
        }
    }
    for path in shown.iter().chain(&lists) {
        let of_reader = server.get(path).key(&reader).send().await;
        assert!(!of_reader.text.contains(SECRET), "{path}: {}", of_reader.text);
        let of_manager = server.get(path).key(&manager).send().await;
        assert_eq!(of_manager.status, 200, "{path}: {}", of_manager.text);
        let expected = of_manager.text.contains("X-Team").then_some(SECRET);
        assert!(expected.is_none_or(|secret| of_manager.text.contains(secret)), "{path}: {}", of_manager.text);
    }
    let seen = server.get(&shown[0]).key(&reader).send().await.data(200);
    assert_eq!(seen["headers"], json!({"X-Api-Token": null, "X-Cookie": null, "X-Team": "blue"}));

    // A change by its sender shows them, and leaves them where it does not say.
    let path = format!("/api/v1/webhooks/{}", id(&webhook));
    let changed = server.ask("PATCH", &path).key(&manager).json(json!({"name": "Mine"})).send().await.data(200);
    assert_eq!(changed["headers"]["X-Api-Token"], SECRET);
    let refused = server.ask("PATCH", &path).key(&manager).json(json!({"headers": {"X-Api-Token": null}})).send().await;
    assert_eq!(refused.error(400, "invalid_field"), "headers.X-Api-Token", "what a reader was shown is no value");
    server.stop().await;
}

#[actix_web::test]
async fn of_an_attempt_a_reader_sees_which_secret_headers_were_sent() {
    let server = Server::start().await;
    let (reader, manager) = (key(&server, "default", &["read"]).await, key(&server, "default", &["manage"]).await);
    let body = json!({"url": "https://example.com/hook", "events": ["*"]});
    server.post("/api/v1/webhooks").json(body).send().await.data(201);
    let event = server.post("/api/v1/events").json(json!({"type": "a", "data": 1})).send().await.data(202);
    let event = server.get(&format!("/api/v1/events/{}", id(&event))).send().await.data(200);
    let delivery = id(&event["deliveries"][0]);
    let sent = [("x-api-key", "***"), ("x-team", "blue")];
    attempt_with(&server, &delivery, (1, Outcome::Status(200), Next::Succeeded), &sent).await;
    let headers = async |key: &str| {
        let shown = server.get(&format!("/api/v1/deliveries/{delivery}")).key(key).send().await.data(200);
        shown["attempts"][0]["request_headers"].clone()
    };
    assert_eq!(headers(&reader).await, json!({"x-api-key": null, "x-team": "blue"}));
    assert_eq!(headers(&manager).await, json!({"x-api-key": "***", "x-team": "blue"}));
    server.stop().await;
}
