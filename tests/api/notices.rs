//! Webhooks that hear notices, as the API makes and shows them: who may send mail to whom, and what a chat's secret URL tells
//! to whom.

use hookwheel::api::MailRule;
use hookwheel::domain::delivery::Outcome;
use hookwheel::domain::retry::Next;
use serde_json::{Value, json};

use crate::access::key;
use crate::history::attempt;
use crate::server::{Reply, Server, id};

const MAIL: &str = "mailto:ops@example.com,night@example.com";

async fn make(server: &Server, key: &str, body: Value) -> Reply {
    let mut webhook = json!({"url": "https://example.com/", "events": ["*"]});
    webhook.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    server.post("/api/v1/webhooks").key(key).json(webhook).send().await
}

fn message(reply: &Reply) -> &str {
    reply.json["error"]["message"].as_str().unwrap_or_default()
}

#[actix_web::test]
async fn how_a_webhook_hears_notices_is_a_setting_like_any_other() {
    let server = Server::start().await;
    let made = make(&server, &server.admin, json!({"notices": {}, "events": ["delivery.dead", "webhook.*"]})).await;
    let made = made.data(201);
    let path = format!("/api/v1/webhooks/{}", id(&made));
    assert_eq!(made["notices"], json!({"quiet_seconds": 300}));
    for (change, shown) in [
        (json!({"notices": {"quiet_seconds": 0}}), json!({"quiet_seconds": 0})),
        (json!({"name": "as it was"}), json!({"quiet_seconds": 0})),
        (json!({"notices": {}}), json!({"quiet_seconds": 300})),
        (json!({"notices": null, "events": ["*"]}), Value::Null),
    ] {
        let changed = server.ask("PATCH", &path).json(change.clone()).send().await.data(200);
        assert_eq!(changed["notices"], shown, "{change}");
    }
    let log = server.get("/api/v1/audit?limit=1").send().await.data(200);
    assert_eq!(log[0]["fields"], json!(["events", "notices"]));
    let export = server.get("/api/v1/accounts/default/export").send().await.text;
    assert!(export.contains("\"notices\":null"), "{export}");
    for (body, field) in [
        (json!({"notices": {"quiet_seconds": 86_401}}), "notices.quiet_seconds"),
        (json!({"notices": {}, "test_mode": true}), "test_mode"),
        (json!({"notices": {}, "events": ["task.created"]}), "events[0]"),
        (json!({"notices": {}, "events": ["webhook.*", "webhook.vanished"]}), "events[1]"),
    ] {
        assert_eq!(make(&server, &server.admin, body.clone()).await.error(400, "invalid_field"), field, "{body}");
    }
    for body in
        [json!({"notices": true}), json!({"notices": {"seconds": 1}}), json!({"notices": {"quiet_seconds": -1}})]
    {
        assert_eq!(make(&server, &server.admin, body.clone()).await.status, 400, "{body}");
    }
    server.stop().await;
}

#[actix_web::test]
async fn without_a_mail_server_nobody_sends_mail() {
    let server = Server::start().await;
    let refused = make(&server, &server.admin, json!({"url": MAIL})).await;
    assert!(message(&refused).contains("[smtp] host"), "{}", refused.text);
    assert_eq!(refused.error(400, "invalid_field"), "url");
    server.stop().await;
}

#[actix_web::test]
async fn mail_goes_to_whom_the_operator_says_unless_accounts_are_trusted() {
    for rule in [MailRule::Operator, MailRule::Accounts] {
        let server = Server::start_with(rule).await;
        server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Acme"})).send().await.data(201);
        let (own, operators) = (key(&server, "acme", &["manage"]).await, key(&server, "operator", &["manage"]).await);
        for key in [&server.admin, &operators] {
            let made = make(&server, key, json!({"url": MAIL})).await.data(201);
            assert_eq!((&made["url"], &made["notices"]), (&json!(MAIL), &json!({"quiet_seconds": 300})));
        }
        let of_account = make(&server, &own, json!({"url": MAIL})).await;
        if rule == MailRule::Accounts {
            of_account.data(201);
            server.stop().await;
            continue;
        }
        assert!(message(&of_account).contains("admin key"), "{}", of_account.text);
        assert_eq!(of_account.error(400, "invalid_field"), "url");
        // What an admin has made for it, it may keep and change otherwise, and send nowhere else.
        let body = json!({"url": MAIL, "events": ["*"]});
        let made =
            server.post("/api/v1/webhooks").header("Hookwheel-Account", "acme").json(body).send().await.data(201);
        let path = format!("/api/v1/webhooks/{}", id(&made));
        let change = |body: Value| server.ask("PATCH", &path).key(&own).json(body);
        change(json!({"url": MAIL, "name": "the team", "notices": {"quiet_seconds": 60}})).send().await.data(200);
        for url in ["mailto:ops@example.com", "mailto:ops@example.com,night@example.com,me@example.org"] {
            assert_eq!(change(json!({"url": url})).send().await.error(400, "invalid_field"), "url", "{url}");
        }
        server.stop().await;
    }
}

#[actix_web::test]
async fn mail_is_for_notices_and_never_for_many() {
    let server = Server::start_with(MailRule::Accounts).await;
    for (body, field) in [
        (json!({"notices": null}), "notices"),
        (json!({"notices": {"quiet_seconds": 0}}), "notices.quiet_seconds"),
        (json!({"notices": {"quiet_seconds": 59}}), "notices.quiet_seconds"),
        (json!({"events": ["task.created"]}), "events[0]"),
        (json!({"test_mode": true}), "test_mode"),
    ] {
        let mut body = body;
        body["url"] = json!(MAIL);
        assert_eq!(make(&server, &server.admin, body.clone()).await.error(400, "invalid_field"), field, "{body}");
    }
    let mail = make(&server, &server.admin, json!({"url": MAIL, "dialect": "zoom"})).await.data(201);
    assert_eq!(
        (&mail["status"], &mail["ownership_check"]),
        (&json!("active"), &json!(false)),
        "nobody is asked by mail"
    );
    let plain = make(&server, &server.admin, json!({})).await.data(201);
    for (webhook, url) in [(&mail, "https://example.com/"), (&plain, MAIL)] {
        let path = format!("/api/v1/webhooks/{}", id(webhook));
        let changed = server.ask("PATCH", &path).json(json!({"url": url})).send().await;
        assert!(message(&changed).contains("another webhook"), "{}", changed.text);
        assert_eq!(changed.error(400, "invalid_field"), "url");
    }
    let path = format!("/api/v1/webhooks/{}", id(&mail));
    server.post(&format!("{path}/check")).send().await.error(409, "wrong_state");
    for (field, value) in [("data", json!({"title": "Buy!", "text": "this"})), ("event_type", json!("task.created"))] {
        let test = server.post(&format!("{path}/test")).json(json!({field: value})).send().await;
        assert_eq!(test.error(400, "invalid_field"), field, "what a mail says is not the caller's to choose");
    }
    let tested = server.post(&format!("{path}/test")).send().await.data(202);
    assert_eq!(tested["event_type"], "notice.test");
    let event = server.get(&format!("/api/v1/events/{}", tested["event_id"].as_str().unwrap())).send().await.data(200);
    assert!(event["data"]["text"].as_str().is_some_and(|text| text.contains("account: default")), "{event}");
    server.stop().await;
}

#[actix_web::test]
async fn an_address_holds_nothing_but_an_address() {
    let server = Server::start_with(MailRule::Accounts).await;
    let many = format!("mailto:{}", (0..11).map(|n| format!("a{n}@example.com")).collect::<Vec<_>>().join(","));
    for url in [
        "mailto:",
        "mailto:ops",
        "mailto:ops@example.com?bcc=all@example.com",
        "mailto:ops@example.com?subject=Buy",
        "mailto:ops@example.com%0d%0aBcc:all@example.com",
        "mailto:ops@example.com\r\nBcc: all@example.com",
        "mailto:ops@example.com>\r\nRCPT TO:<all@example.com",
        "mailto:Ops <ops@example.com>",
        "mailto:ops@example.com,",
        "mailto://ops@example.com/",
        "smtp:ops@example.com",
        &many,
    ] {
        let refused = make(&server, &server.admin, json!({ "url": url })).await;
        assert_eq!(refused.error(400, "invalid_field"), "url", "{url:?}");
    }
    let made = make(&server, &server.admin, json!({"url": "MAILTO:Ops@Example.COM,ops@example.com"})).await.data(201);
    assert_eq!(made["url"], "mailto:Ops@example.com,ops@example.com");
    server.stop().await;
}

#[actix_web::test]
async fn the_secret_url_of_a_chat_is_seen_by_who_may_change_it() {
    const URL: &str = "https://hooks.slack.com/services/T0/B0/onlyforwhomanages";
    let server = Server::start().await;
    let (reader, manager) = (key(&server, "default", &["read"]).await, key(&server, "default", &["manage"]).await);
    let chat = json!({"url": URL, "dialect": "slack_incoming", "notices": {"quiet_seconds": 0}});
    let chat = make(&server, &manager, chat).await.data(201);
    assert_eq!(chat["url"], URL);
    let source = make(&server, &manager, json!({})).await.data(201);
    let event = json!({"type": "task.created", "data": {}});
    let event = server.post("/api/v1/events").json(event).send().await.data(202);
    let list = format!("/api/v1/webhooks/{}/deliveries", id(&source));
    let rows = server.get(&list).send().await.data(200);
    assert_eq!(rows.as_array().unwrap().len(), 1, "{event}");
    attempt(&server, &id(&rows[0]), 1, Outcome::Status(500), Next::Dead).await;
    let told = server.get(&format!("/api/v1/webhooks/{}/deliveries", id(&chat))).send().await.data(200);
    assert_eq!((told.as_array().unwrap().len(), &told[0]["event_type"]), (1, &json!("delivery.dead")));
    let told = id(&told[0]);
    attempt(&server, &told, 1, Outcome::Status(404), Next::Dead).await;
    let paths = [
        format!("/api/v1/webhooks/{}", id(&chat)),
        "/api/v1/webhooks".into(),
        format!("/api/v1/deliveries/{told}"),
        "/api/v1/deliveries".into(),
        "/api/v1/events".into(),
        "/api/v1/accounts/default/export".into(),
    ];
    for path in &paths {
        let seen = server.get(path).key(&reader).send().await;
        assert_eq!(seen.status, 200, "{path}: {}", seen.text);
        assert!(!seen.text.contains("onlyforwhomanages"), "{path}: {}", seen.text);
    }
    let shown = server.get(&paths[0]).key(&reader).send().await.data(200);
    assert_eq!(shown["url"], "https://hooks.slack.com/***");
    assert_eq!(server.get(&paths[0]).key(&manager).send().await.data(200)["url"], URL);
    for (key, found) in [(&reader, 0), (&manager, 1)] {
        let sought = server.get("/api/v1/webhooks?url=onlyfor").key(key).send().await.data(200);
        assert_eq!(sought.as_array().unwrap().len(), found, "it cannot be guessed letter by letter");
    }
    // What the operator hears of it does not hold it either.
    let operator = server.get("/api/v1/events").header("Hookwheel-Account", "operator").send().await;
    assert!(!operator.text.contains("onlyforwhomanages"), "{}", operator.text);
    server.stop().await;
}

#[actix_web::test]
async fn the_secret_url_of_a_chat_that_hears_events_is_seen_by_who_may_change_it() {
    const URL: &str = "https://hooks.slack.com/services/T0/B0/onlyforwhomanages";
    let server = Server::start().await;
    let (reader, manager) = (key(&server, "default", &["read"]).await, key(&server, "default", &["manage"]).await);
    for (dialect, seen) in [("slack_incoming", "https://hooks.slack.com/***"), ("standard", URL)] {
        let wish = json!({"url": URL, "dialect": dialect, "events": ["*"]});
        let made = server.post("/api/v1/webhooks").key(&manager).json(wish).send().await.data(201);
        let path = format!("/api/v1/webhooks/{}", id(&made));
        for (key, url) in [(&reader, seen), (&manager, URL)] {
            assert_eq!(server.get(&path).key(key).send().await.data(200)["url"], url, "{dialect}");
            let sought = server.get(&format!("/api/v1/webhooks?url=onlyfor&dialect={dialect}")).key(key).send().await;
            assert_eq!(sought.data(200).as_array().map(Vec::len), Some(usize::from(url == URL)), "{dialect}");
        }
    }
    server.stop().await;
}

#[actix_web::test]
async fn nobody_hears_what_is_said_of_anothers_webhooks() {
    let server = Server::start().await;
    let mut keys = Vec::new();
    for account in ["acme", "umbrella"] {
        server.post("/api/v1/accounts").json(json!({"id": account, "name": account})).send().await.data(201);
        let key = key(&server, account, &["manage", "publish", "read"]).await;
        make(&server, &key, json!({"notices": {"quiet_seconds": 0}, "name": "the ear"})).await.data(201);
        make(&server, &key, json!({"name": "the source"})).await.data(201);
        keys.push(key);
    }
    let events = json!({"type": "task.created", "data": {}});
    server.post("/api/v1/events").key(&keys[0]).json(events).send().await.data(202);
    let open = server.get("/api/v1/deliveries").key(&keys[0]).send().await.data(200);
    assert_eq!(open.as_array().unwrap().len(), 1, "an ear hears no events: {open}");
    attempt(&server, &id(&open[0]), 1, Outcome::Status(500), Next::Dead).await;
    let kinds = |events: Value| {
        let events = events.as_array().unwrap().clone();
        events.iter().map(|event| event["type"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    let of = |key: String| server.get("/api/v1/events").key(&key).send();
    assert_eq!(kinds(of(keys[0].clone()).await.data(200)), ["delivery.dead", "task.created"]);
    assert_eq!(kinds(of(keys[1].clone()).await.data(200)), [] as [String; 0]);
    // A webhook that hears events never gets a notice, by no way of asking for what it missed.
    let source = server.get("/api/v1/webhooks?name=source").key(&keys[0]).send().await.data(200);
    let missing = json!({"state": "missing", "dry_run": true});
    let path = format!("/api/v1/webhooks/{}/replay", id(&source[0]));
    let count = server.post(&path).key(&keys[0]).json(missing).send().await.data(200);
    assert_eq!(count["count"], 0, "{count}");
    let events = server.get("/api/v1/events?type=delivery.dead").key(&keys[0]).send().await.data(200);
    let path = format!("/api/v1/events/{}/replay", id(&events[0]));
    let count = server.post(&path).key(&keys[0]).json(json!({"dry_run": true})).send().await.data(200);
    assert_eq!(count["count"], 0, "{count}");
    server.stop().await;
}
