//! Leaving: events and accounts that are deleted, payloads that are purged, and all of an account as NDJSON.

use crate::access::key;
use crate::dead_letters::ended_for;
use crate::history::attempt;
use crate::server::{Server, id};
use hookwheel::domain::delivery::Outcome;
use hookwheel::domain::retry::Next;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn webhook(server: &Server, key: &str) -> String {
    let body = json!({"url": "https://example.com/hook", "events": ["*"]});
    id(&server.post("/api/v1/webhooks").key(key).json(body).send().await.data(201))
}

/// Publishes under an id of its own; gives the ids of the deliveries.
async fn publish(server: &Server, key: &str, name: &str, event_type: &str) -> Vec<String> {
    let body = json!({
        "type": event_type, "id": name, "data": {"secret": "the payload"}, "actor": {"name": "the payload"},
        "metadata": {"of": "the payload"},
    });
    server.post("/api/v1/events").key(key).json(body).send().await.data(202);
    let shown = server.get(&format!("/api/v1/events/{name}")).key(key).send().await.data(200);
    shown["deliveries"].as_array().unwrap().iter().map(id).collect()
}

async fn listed(server: &Server, query: &str) -> Vec<String> {
    let rows = server.get(&format!("/api/v1/events{query}")).send().await.data(200);
    rows.as_array().unwrap().iter().map(id).collect()
}

async fn audited(server: &Server, action: &str) -> Vec<Value> {
    let rows = server.get(&format!("/api/v1/audit?action={action}")).send().await.data(200);
    rows.as_array().unwrap().iter().map(|row| row["target"].clone()).collect()
}

#[actix_web::test]
async fn a_deleted_event_is_gone_with_its_deliveries() {
    let server = Server::start().await;
    let admin = server.admin.clone();
    let hook = webhook(&server, &admin).await;
    let tried = publish(&server, &admin, "one", "task.done").await.remove(0);
    let open = publish(&server, &admin, "other", "task.done").await.remove(0);
    attempt(&server, &tried, 1, Outcome::Status(500), Next::Dead).await;
    let delete = |event: &str| server.ask("DELETE", &format!("/api/v1/events/{event}"));
    for scope in ["read", "publish"] {
        delete("one").key(&key(&server, "default", &[scope]).await).send().await.error(403, "forbidden");
    }
    let manager = key(&server, "default", &["manage"]).await;
    for event in ["one", "other"] {
        let reply = delete(event).key(&manager).send().await;
        assert_eq!((reply.status.as_u16(), reply.text.as_str()), (204, ""));
        delete(event).send().await.error(404, "not_found");
        server.get(&format!("/api/v1/events/{event}")).send().await.error(404, "not_found");
    }
    for delivery in [tried, open] {
        server.get(&format!("/api/v1/deliveries/{delivery}")).send().await.error(404, "not_found");
    }
    assert_eq!(listed(&server, "").await, [""; 0]);
    assert_eq!(server.get("/api/v1/dead-letters").send().await.data(200), json!([]));
    let shown = server.get(&format!("/api/v1/webhooks/{hook}")).send().await.data(200);
    assert_eq!(
        [&shown["deliveries"], &shown["dead"], &shown["open"], &shown["attempts"]],
        [&json!(2), &json!(1), &json!(0), &json!(1)],
        "what has happened has happened"
    );
    assert_eq!(audited(&server, "event.deleted").await, [json!("other"), json!("one")]);
    assert_eq!(publish(&server, &admin, "one", "task.new").await.len(), 1, "its id is free again");
    server.stop().await;
}

#[actix_web::test]
async fn a_purged_event_shows_its_history_without_its_payload() {
    let server = Server::start().await;
    let admin = server.admin.clone();
    let (first, second) = (webhook(&server, &admin).await, webhook(&server, &admin).await);
    let deliveries = publish(&server, &admin, "one", "task.done").await;
    let of = |hook: &str| {
        let number = &hook[hook.len() - 8..];
        deliveries.iter().find(|id| id.ends_with(number)).expect("each has one").clone()
    };
    let (done, open) = (of(&first), of(&second));
    attempt(&server, &done, 1, Outcome::Status(200), Next::Succeeded).await;
    let before = server.get("/api/v1/events/one").send().await.data(200);
    assert_eq!(before["purged_at"], Value::Null);
    let purge = || server.post("/api/v1/events/one/purge");
    let row = purge().send().await.data(200);
    assert_eq!(row["id"], "one");
    let purged_at = row["purged_at"].as_str().expect("a time").to_string();
    server.clock.turn_to(server.clock.now() + 5000);
    assert_eq!(purge().send().await.data(200)["purged_at"], json!(purged_at), "twice is once");

    let shown = server.get("/api/v1/events/one").send().await;
    assert!(!shown.text.contains("the payload"), "{}", shown.text);
    let shown = shown.data(200);
    assert_eq!([&shown["data"], &shown["actor"], &shown["metadata"]], [&Value::Null; 3]);
    assert_eq!((&shown["purged_at"], &shown["type"]), (&json!(purged_at), &json!("task.done")));
    let list = server.get("/api/v1/events").send().await.data(200);
    assert_eq!(list[0]["purged_at"], json!(purged_at));
    let cancelled = server.get(&format!("/api/v1/deliveries/{open}")).send().await.data(200);
    assert_eq!(
        (&cancelled["state"], &cancelled["reason"]),
        (&json!("cancelled"), &json!("its event's payload was purged"))
    );
    let kept = server.get(&format!("/api/v1/deliveries/{done}")).send().await.data(200);
    let attempt = &kept["attempts"][0];
    assert_eq!((&kept["state"], &attempt["status_code"]), (&json!("succeeded"), &json!(200)));
    assert_eq!((&attempt["response_body"], &attempt["request_headers"]), (&json!(""), &json!({})));
    assert_eq!(attempt["url"], "https://example.com/hook");

    server.post(&format!("/api/v1/webhooks/{first}/replay/{done}")).send().await.error(410, "purged");
    let again = json!({"state": "succeeded", "dry_run": true});
    let count = server.post(&format!("/api/v1/webhooks/{first}/replay")).json(again).send().await.data(200);
    assert_eq!((&count["count"], &count["skipped"]), (&json!(0), &json!(1)));
    server.post("/api/v1/events/none/purge").send().await.error(404, "not_found");
    assert_eq!(audited(&server, "event.purged").await, [json!("one")]);
    server.stop().await;
}

#[actix_web::test]
async fn many_events_leave_by_a_filter_or_by_their_ids_once_it_is_said_which() {
    let server = Server::start().await;
    let admin = server.admin.clone();
    webhook(&server, &admin).await;
    for n in 0..6 {
        publish(&server, &admin, &format!("n{n}"), if n % 2 == 0 { "task.done" } else { "note.added" }).await;
        server.clock.turn_to(server.clock.now() + 1000);
    }
    let ask = |verb: &str, body: Value| server.post(&format!("/api/v1/events/{verb}")).json(body).send();
    for (body, field) in [
        (json!({}), "type"),
        (json!({"dry_run": true}), "type"),
        (json!({"type": "a..b"}), "type"),
        (json!({"from": "x"}), "from"),
        (json!({"type": "*", "ids": ["n0"]}), "ids"),
        (json!({"ids": []}), "ids"),
        (json!({"event_type": "*"}), "event_type"),
    ] {
        for verb in ["delete", "purge"] {
            assert_eq!(ask(verb, body.clone()).await.error(400, "invalid_field"), field, "{verb} {body}");
        }
    }
    let count = ask("delete", json!({"ids": ["n0", "none"], "dry_run": true})).await.data(200);
    assert_eq!(count, json!({"count": 1, "skipped": 1, "examined": 2, "complete": true}));
    let count = ask("delete", json!({"type": "task.*", "dry_run": true})).await.data(200);
    assert_eq!(count, json!({"count": 3, "skipped": 0, "examined": 6, "complete": true}));
    assert_eq!(listed(&server, "").await.len(), 6, "a dry run does nothing");

    let job = ask("purge", json!({"type": "task.*", "to": "2023-11-14T22:13:23Z"})).await.data(202);
    assert_eq!((&job["kind"], &job["of"]), (&json!("purge"), &json!("events")));
    let job = ended_for(&server, &admin, &job).await;
    assert_eq!((&job["state"], &job["done"], &job["examined"]), (&json!("done"), &json!(2), &json!(3)));
    let rows = server.get("/api/v1/events").send().await.data(200);
    let purged = rows.as_array().unwrap().iter().filter(|row| !row["purged_at"].is_null()).map(id);
    assert_eq!(purged.collect::<Vec<_>>(), ["n2", "n0"]);

    let job = ask("delete", json!({"ids": ["n1", "n0"]})).await.data(202);
    assert_eq!((&job["kind"], &job["ids"]), (&json!("delete"), &json!(2)));
    ended_for(&server, &admin, &job).await;
    assert_eq!(listed(&server, "").await, ["n5", "n4", "n3", "n2"]);
    let again = ended_for(&server, &admin, &ask("delete", json!({"ids": ["n1", "n0"]})).await.data(202)).await;
    assert_eq!((&again["ids"], &again["done"], &again["skipped"]), (&json!(2), &json!(0), &json!(2)));
    let job = ask("delete", json!({"type": "*"})).await.data(202);
    ended_for(&server, &admin, &job).await;
    assert_eq!(listed(&server, "").await, [""; 0]);
    assert_eq!(audited(&server, "delete.started").await.len(), 3);
    server.stop().await;
}

#[actix_web::test]
async fn an_event_to_many_webhooks_leaves_as_a_job() {
    let server = Server::start().await;
    server
        .post("/api/v1/accounts")
        .json(json!({"id": "wide", "name": "Wide", "limits": {"webhooks_max": 0}}))
        .send()
        .await
        .data(201);
    let manager = key(&server, "wide", &["manage", "publish"]).await;
    for _ in 0..70 {
        webhook(&server, &manager).await;
    }
    for (verb, path, method) in
        [("purge", "/api/v1/events/many/purge", "POST"), ("delete", "/api/v1/events/many", "DELETE")]
    {
        let body = json!({"type": "a", "id": "many", "data": {"n": 1}});
        server.post("/api/v1/events").key(&manager).json(body).send().await.data(202);
        let job = server.ask(method, path).key(&manager).send().await.data(202);
        assert_eq!((&job["kind"], &job["of"], &job["ids"]), (&json!(verb), &json!("events"), &json!(1)));
        let job = ended_for(&server, &manager, &job).await;
        assert_eq!((&job["state"], &job["done"]), (&json!("done"), &json!(1)));
        let shown = server.get("/api/v1/events/many").key(&manager).send().await;
        match verb {
            "purge" => {
                let shown = shown.data(200);
                assert!(shown["purged_at"].is_string(), "{shown}");
                let states = shown["deliveries"].as_array().unwrap().iter().map(|one| one["state"].clone());
                assert_eq!(states.collect::<Vec<_>>(), vec![json!("cancelled"); 70]);
            }
            _ => drop(shown.error(404, "not_found")),
        }
    }
    server.stop().await;
}

#[actix_web::test]
async fn a_deleted_account_is_not_there_for_anybody_and_its_id_comes_back() {
    let server = Server::start().await;
    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Acme"})).send().await.data(201);
    let tenant = key(&server, "acme", &["manage", "publish", "read"]).await;
    let own_admin = key(&server, "acme", &["admin"]).await;
    let hook = webhook(&server, &tenant).await;
    let delivery = publish(&server, &tenant, "one", "task.done").await.remove(0);
    attempt(&server, &delivery, 1, Outcome::Status(500), Next::Dead).await;
    publish(&server, &tenant, "two", "task.done").await;
    let delete = |account: &str| server.ask("DELETE", &format!("/api/v1/accounts/{account}"));
    delete("acme").key(&tenant).send().await.error(403, "forbidden");
    delete("acme").key(&own_admin).send().await.error(409, "wrong_state");
    delete("default").send().await.error(409, "wrong_state");
    delete("operator").send().await.error(409, "wrong_state");
    delete("none").send().await.error(404, "not_found");

    let job = delete("acme").send().await.data(202);
    assert_eq!((&job["kind"], &job["of"], &job["account_id"]), (&json!("delete"), &json!("account"), &json!("acme")));
    for key in [&tenant, &own_admin] {
        server.get("/api/v1/webhooks").key(key).send().await.error(401, "unauthorized");
        server.get("/v2/webhooks").key(key).send().await.error(401, "unauthorized");
    }
    server.get("/api/v1/accounts/acme").send().await.error(404, "not_found");
    delete("acme").send().await.error(404, "not_found");
    server.get("/api/v1/webhooks").header("Hookwheel-Account", "acme").send().await.error(400, "invalid_field");
    let job = ended_for(&server, &server.admin, &job).await;
    assert_eq!((&job["state"], &job["done"]), (&json!("done"), &json!(3)), "two events and a webhook");
    let other = key(&server, "default", &["manage", "read"]).await;
    let path = format!("/api/v1/jobs/{}", id(&job));
    server.get(&path).key(&other).send().await.error(404, "not_found");
    server.post(&format!("{path}/cancel")).key(&other).send().await.error(404, "not_found");
    for path in ["/api/v1/jobs", "/api/v1/audit?action=account.deleted", "/api/v1/accounts/default/export"] {
        let seen = server.get(path).key(&other).send().await;
        assert!(
            seen.status == 200 && !seen.text.contains("acme"),
            "another account is the operator's matter: {}",
            seen.text
        );
    }
    assert_eq!(audited(&server, "account.deleted").await, [json!("acme")]);
    let ids = server.get("/api/v1/accounts").send().await.data(200);
    assert_eq!(ids.as_array().unwrap().iter().map(id).collect::<Vec<_>>(), ["operator", "default"]);

    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Another"})).send().await.data(201);
    let acme = |path: &str| server.get(path).header("Hookwheel-Account", "acme").send();
    for path in ["/api/v1/webhooks", "/api/v1/events", "/api/v1/dead-letters", "/api/v1/jobs"] {
        assert_eq!(acme(path).await.data(200), json!([]), "{path}");
    }
    for path in
        [format!("/api/v1/webhooks/{hook}"), format!("/api/v1/deliveries/{delivery}"), "/api/v1/events/one".into()]
    {
        acme(&path).await.error(404, "not_found");
    }
    assert_eq!(acme("/api/v1/audit").await.data(200).as_array().unwrap().len(), 1, "of the new one");
    server.get("/api/v1/webhooks").key(&tenant).send().await.error(401, "unauthorized");
    server.stop().await;
}

/// The lines of an export, after a look at its end.
async fn exported(server: &Server, key: &str, query: &str) -> Vec<Value> {
    let reply = server.get(&format!("/api/v1/accounts/acme/export{query}")).key(key).send().await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("Content-Type")),
        (200, Some("application/x-ndjson")),
        "{}",
        reply.text
    );
    let lines: Vec<Value> =
        reply.text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(lines.last().expect("lines")["kind"], "end", "{}", reply.text);
    lines
}

#[actix_web::test]
async fn an_account_is_exported_whole_one_row_a_line() {
    let server = Server::start().await;
    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Acme"})).send().await.data(201);
    let manager = key(&server, "acme", &["manage", "publish"]).await;
    let reader = key(&server, "acme", &["read"]).await;
    let made = json!({"url": "https://example.com/hook", "events": ["*"], "headers": {"X-Team": "a"}});
    let made = server.post("/api/v1/webhooks").key(&manager).json(made).send().await.data(201);
    let secret = made["secret"].as_str().expect("it was made").to_string();
    // More events than are read at once, one of them longer than what is made at once.
    for n in 0..40 {
        let padding = if n == 7 { 60_000 } else { 3 };
        let body = format!(
            "{{\"type\": \"a\", \"id\": \"n{n}\",\n \"data\": {{\n\"n\": 1.{n}0, \"x\": \"{}\"\n}}}}",
            "x".repeat(padding)
        );
        server.post("/api/v1/events").key(&manager).bytes(body).send().await.data(202);
    }
    let shown = server.get("/api/v1/events/n3").key(&manager).send().await.data(200);
    attempt(&server, &id(&shown["deliveries"][0]), 1, Outcome::Status(500), Next::Dead).await;
    server.post("/api/v1/events/n4/purge").key(&manager).send().await.data(200);

    let lines = exported(&server, &manager, "").await;
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).collect::<Vec<_>>();
    assert_eq!(
        (&lines[0]["kind"], &lines[0]["id"], &lines[0]["name"]),
        (&json!("account"), &json!("acme"), &json!("Acme"))
    );
    assert_eq!(of("key").len(), 2);
    assert!(of("key").iter().all(|key| key["key"].is_null() && key["scopes"].is_array()));
    assert_eq!((&of("webhook")[0]["id"], &of("webhook")[0]["headers"]), (&made["id"], &made["headers"]));
    let events: Vec<String> = of("event").iter().map(|event| id(event)).collect();
    assert_eq!(events, (0..40).rev().map(|n| format!("n{n}")).collect::<Vec<_>>());
    assert!(of("event").iter().all(|event| event["data"]["n"].is_number() || !event["purged_at"].is_null()));
    assert_eq!(of("delivery").len(), 40);
    let place = |kind: &str, id: &str| lines.iter().position(|line| line["kind"] == kind && line["id"] == id);
    let event = place("event", "n3").expect("it is there");
    let delivery = &lines[event + 1];
    assert_eq!((&delivery["kind"], &delivery["event_id"]), (&json!("delivery"), &json!("n3")), "behind its event");
    assert_eq!((&delivery["state"], &delivery["attempts"][0]["status_code"]), (&json!("dead"), &json!(500)));
    let actions: Vec<&Value> = of("audit").iter().map(|entry| &entry["action"]).collect();
    assert!(actions.contains(&&json!("event.purged")) && actions.contains(&&json!("account.exported")), "{actions:?}");
    let end = lines.last().expect("lines");
    assert_eq!(
        [&end["keys"], &end["webhooks"], &end["events"], &end["deliveries"]],
        [&json!(2), &json!(1), &json!(40), &json!(40)]
    );
    let is_told = |lines: &[Value]| lines.iter().any(|line| line.to_string().contains(&secret));
    assert!(!is_told(&lines), "without its secrets");
    let with = exported(&server, &manager, "?secrets=true").await;
    assert_eq!(with.iter().find(|line| line["kind"] == "webhook").unwrap()["secrets"][0]["secret"], json!(secret));

    // As a reader, as a stranger, as the operator.
    let read = exported(&server, &reader, "").await;
    assert!(read.iter().all(|line| line["kind"] != "audit") && read.len() > 80);
    let path = "/api/v1/accounts/acme/export";
    let field = server.get(&format!("{path}?secrets=true")).key(&reader).send().await.error(403, "forbidden");
    assert_eq!(field, "secrets");
    server.post("/api/v1/accounts").json(json!({"id": "other", "name": "Other"})).send().await.data(201);
    let stranger = key(&server, "other", &["manage", "read"]).await;
    server.get(path).key(&stranger).send().await.error(404, "not_found");
    server.get(path).key(&key(&server, "acme", &["publish"]).await).send().await.error(403, "forbidden");
    assert!(is_told(&exported(&server, &server.admin, "?secrets=true").await));
    server.get(&format!("{path}?secrets=maybe")).send().await.error(400, "invalid_field");
    server.stop().await;
}

#[actix_web::test]
async fn an_account_that_is_deleted_while_it_is_exported_ends_without_the_last_line() {
    let server = Server::start().await;
    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Acme"})).send().await.data(201);
    let publisher = key(&server, "acme", &["publish"]).await;
    // More than what the connection holds on its way.
    for n in 0..400 {
        let body = json!({"type": "a", "id": format!("n{n}"), "data": "x".repeat(60_000)});
        server.post("/api/v1/events").key(&publisher).json(body).send().await.data(202);
    }
    // Read as it comes: what is broken off lacks the last chunk, of no bytes.
    let mut reply = tokio::net::TcpStream::connect(server.url.trim_start_matches("http://")).await.unwrap();
    let asked = format!(
        "GET /api/v1/accounts/acme/export HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {}\r\n\r\n",
        server.admin
    );
    reply.write_all(asked.as_bytes()).await.unwrap();
    let has_begun = |text: &[u8]| String::from_utf8_lossy(text).contains("{\"kind\":\"account\"");
    let mut told = Vec::new();
    while !has_begun(&told) {
        assert_ne!(reply.read_buf(&mut told).await.unwrap(), 0, "{}", String::from_utf8_lossy(&told));
    }
    server.ask("DELETE", "/api/v1/accounts/acme").send().await.data(202);
    // It ends, in order or not.
    let _ = reply.read_to_end(&mut told).await;
    assert!(!told.ends_with(b"0\r\n\r\n") && !String::from_utf8_lossy(&told).contains("\"kind\":\"end\""));
    drop(reply);
    server.stop().await;
}
