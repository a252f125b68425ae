//! What people call things in words of their own: a webhook's own id, tags and metadata, and channels.

use crate::access::key;
use crate::server::{Server, id};
use serde_json::{Value, json};

async fn create(server: &Server, more: Value) -> Value {
    let mut body = json!({"url": "https://example.com/hook", "events": ["*"]});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    server.post("/api/v1/webhooks").json(body).send().await.data(201)
}

#[actix_web::test]
async fn a_webhooks_own_id_stands_wherever_its_id_does() {
    let server = Server::start().await;
    let made = create(&server, json!({"uid": "crm.prod_1", "rate_limit": {"per_second": 5}})).await;
    assert_eq!(made["uid"], "crm.prod_1");
    let event = server.post("/api/v1/events").json(json!({"type": "a", "data": 1})).send().await.data(202);
    let event = server.get(&format!("/api/v1/events/{}", id(&event))).send().await.data(200);
    let delivery = id(&event["deliveries"][0]);
    let path = "/api/v1/webhooks/crm.prod_1";
    assert_eq!(server.get(path).send().await.data(200)["id"], id(&made));
    for reading in ["deliveries", "logs", "secret", "stats"] {
        assert_eq!(server.get(&format!("{path}/{reading}")).send().await.status, 200, "{reading}");
    }
    for doing in ["pause", "resume", "disable", "enable", "check", "secret/rotate"] {
        let reply = server.post(&format!("{path}/{doing}")).send().await;
        assert_eq!(reply.status, 200, "{doing}: {}", reply.text);
    }
    server.post(&format!("{path}/test")).send().await.data(202);
    server.post(&format!("{path}/replay/{delivery}")).send().await.data(202);
    let dry = json!({"state": "missing", "dry_run": true});
    server.post(&format!("{path}/replay")).json(dry).send().await.data(200);
    server.post(&format!("{path}/discard")).json(json!({"dry_run": true})).send().await.data(200);
    server.get("/api/v1/dead-letters?webhook=crm.prod_1").send().await.data(200);
    let dry = json!({"webhook": "crm.prod_1", "dry_run": true});
    server.post("/api/v1/dead-letters/replay").json(dry).send().await.data(200);
    let told = server.get("/api/v1/audit?target=crm.prod_1").send().await.data(200);
    assert!(told.as_array().is_some_and(|rows| rows.len() > 5), "{told}");
    assert!(told.as_array().into_iter().flatten().all(|entry| entry["target"] == id(&made)), "{told}");
    let changed = server.ask("PATCH", path).json(json!({"name": "CRM"})).send().await.data(200);
    assert_eq!((&changed["name"], &changed["uid"]), (&json!("CRM"), &json!("crm.prod_1")));
    assert_eq!(server.ask("DELETE", path).send().await.status, 204);
    server.get(path).send().await.error(404, "not_found");
    server.stop().await;
}

#[actix_web::test]
async fn a_webhooks_own_id_is_its_accounts_alone_and_free_again_once_it_is_deleted() {
    let server = Server::start().await;
    let first = create(&server, json!({"uid": "one"})).await;
    let again = json!({"url": "https://example.com/", "events": ["*"], "uid": "one"});
    assert_eq!(server.post("/api/v1/webhooks").json(again.clone()).send().await.error(409, "uid_taken"), "uid");
    let second = create(&server, json!({"uid": "two"})).await;
    let change =
        async |id: &str, body: Value| server.ask("PATCH", &format!("/api/v1/webhooks/{id}")).json(body).send().await;
    assert_eq!(change("two", json!({"uid": "one", "name": "x"})).await.error(409, "uid_taken"), "uid");
    assert_eq!(server.get("/api/v1/webhooks/two").send().await.data(200)["name"], json!(null), "nothing was changed");
    assert_eq!(change("one", json!({"uid": "one"})).await.data(200)["uid"], "one", "it has it already");
    assert_eq!(change("one", json!({"uid": null})).await.data(200)["uid"], json!(null));
    server.get("/api/v1/webhooks/one").send().await.error(404, "not_found");
    assert_eq!(change(&id(&second), json!({"uid": "one"})).await.data(200)["uid"], "one");
    server.get("/api/v1/webhooks/two").send().await.error(404, "not_found");
    server.ask("DELETE", &format!("/api/v1/webhooks/{}", id(&second))).send().await;
    assert_eq!(change(&id(&first), json!({"uid": "one"})).await.data(200)["uid"], "one", "it is free again");

    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Acme"})).send().await.data(201);
    let acme = key(&server, "acme", &["manage"]).await;
    server.get("/api/v1/webhooks/one").key(&acme).send().await.error(404, "not_found");
    let theirs = server.post("/api/v1/webhooks").key(&acme).json(again).send().await.data(201);
    assert_eq!(server.get("/api/v1/webhooks/one").key(&acme).send().await.data(200)["id"], id(&theirs));
    for bad in ["", "a b", "a/b", "..", &id(&first), &format!("wh_{}", id(&first)), &"x".repeat(129)] {
        let reply = change(&id(&first), json!({ "uid": bad })).await;
        assert_eq!(reply.error(400, "invalid_field"), "uid", "{bad}");
    }
    server.stop().await;
}

#[actix_web::test]
async fn on_a_face_an_own_id_leads_to_webhooks_of_its_dialect_only() {
    let server = Server::start().await;
    let theirs = create(&server, json!({"uid": "mine", "dialect": "taskflow"})).await;
    create(&server, json!({"uid": "other"})).await;
    assert_eq!(server.get("/api/v1/webhooks/mine").send().await.data(200)["id"], id(&theirs));
    assert_eq!(server.get("/v2/webhooks/mine").send().await.status, 200);
    assert_eq!(server.get("/v2/webhooks/other").send().await.status, 404);
    server.stop().await;
}

#[actix_web::test]
async fn tags_and_metadata_are_kept_as_sets_and_texts_and_bounded() {
    let server = Server::start().await;
    let own = json!({"tags": ["b", "a", "b"], "metadata": {"customer": "c_42", "plan": "Größer"}});
    let made = create(&server, own).await;
    assert_eq!(made["tags"], json!(["a", "b"]));
    assert_eq!(made["metadata"], json!({"customer": "c_42", "plan": "Größer"}));
    let path = format!("/api/v1/webhooks/{}", id(&made));
    let change = async |body: Value| server.ask("PATCH", &path).json(body).send().await;
    let many = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>();
    let table = [
        (json!({"tags": many(17)}), "tags"),
        (json!({"tags": ["a", "b c"]}), "tags[1]"),
        (json!({"tags": ["x".repeat(65)]}), "tags[0]"),
        (json!({"channels": many(11)}), "channels"),
        (json!({"channels": [""]}), "channels[0]"),
        (json!({"metadata": {"a b": "x"}}), "metadata.a b"),
        (json!({"metadata": {"a": "x".repeat(4096)}}), "metadata"),
        (json!({"metadata": {"a": 1}}), "metadata.a"),
    ];
    for (body, field) in table {
        assert_eq!(change(body.clone()).await.error(400, "invalid_field"), field, "{body}");
    }
    let changed = change(json!({"tags": null, "metadata": {"plan": "none"}, "channels": ["c"]})).await.data(200);
    assert_eq!((&changed["tags"], &changed["metadata"]), (&json!([]), &json!({"plan": "none"})));
    let log = server.get(&format!("/api/v1/audit?target={}", id(&made))).send().await.data(200);
    assert_eq!(log[0]["fields"], json!(["channels", "tags", "metadata"]));
    let cleared = change(json!({"metadata": null, "channels": null})).await.data(200);
    assert_eq!((&cleared["metadata"], &cleared["channels"]), (&json!({}), &json!([])));
    server.stop().await;
}

#[actix_web::test]
async fn an_event_goes_to_webhooks_that_share_a_channel_or_have_none() {
    let server = Server::start().await;
    let none = create(&server, json!({})).await;
    let one = create(&server, json!({"channels": ["project/7"]})).await;
    let both = create(&server, json!({"channels": ["project/9", "project/7"], "filter": "@.data.n == 1"})).await;
    let name = |webhook: &Value| {
        [(&none, "none"), (&one, "one"), (&both, "both")]
            .into_iter()
            .find(|(known, _)| known["id"] == *webhook)
            .map_or("?", |(_, name)| name)
    };
    let reached = async |event: Value| {
        let event = server.post("/api/v1/events").json(event).send().await.data(202);
        let shown = server.get(&format!("/api/v1/events/{}", id(&event))).send().await.data(200);
        let mut names: Vec<&str> = shown["deliveries"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|delivery| name(&delivery["webhook_id"]))
            .collect();
        names.sort_unstable();
        (names.join(" "), shown["channels"].clone())
    };
    let of = |channels: Value, n: u8| json!({"type": "a", "data": {"n": n}, "channels": channels});
    assert_eq!(reached(of(json!(null), 1)).await, ("none".into(), json!([])));
    assert_eq!(reached(of(json!([]), 1)).await, ("none".into(), json!([])));
    assert_eq!(reached(of(json!(["project/8"]), 1)).await, ("none".into(), json!(["project/8"])));
    assert_eq!(reached(of(json!(["project/7"]), 1)).await.0, "both none one");
    assert_eq!(reached(of(json!(["project/7"]), 2)).await.0, "none one", "its filter is asked as well");
    let two = reached(of(json!(["project/9", "project/7", "project/9"]), 1)).await;
    assert_eq!(two, ("both none one".into(), json!(["project/7", "project/9"])), "one delivery each");
    assert_eq!(reached(of(json!(["project/9"]), 1)).await.0, "both none");
    let listed = server.get("/api/v1/events?limit=1").send().await.data(200);
    assert_eq!(listed[0]["channels"], json!(["project/9"]));

    // What a webhook missed is told by its channels, too.
    let late = create(&server, json!({"channels": ["project/8"]})).await;
    let path = format!("/api/v1/webhooks/{}", id(&late));
    let dry = json!({"state": "missing", "dry_run": true});
    let counted = server.post(&format!("{path}/replay")).json(dry.clone()).send().await.data(200);
    assert_eq!(counted["count"], 1, "{counted}");
    server.ask("PATCH", &path).json(json!({"channels": null})).send().await.data(200);
    let counted = server.post(&format!("{path}/replay")).json(dry).send().await.data(200);
    assert_eq!(counted["count"], 7, "{counted}");

    let many: Vec<String> = (0..11).map(|n| n.to_string()).collect();
    let reply = server.post("/api/v1/events").json(json!([of(json!(["a"]), 1), of(json!(many), 1)])).send().await;
    assert_eq!(reply.error(400, "invalid_field"), "[1].channels");
    let reply = server.post("/api/v1/events").json(of(json!(["a", "b c"]), 1)).send().await;
    assert_eq!(reply.error(400, "invalid_field"), "channels[1]");
    server.stop().await;
}

#[actix_web::test]
async fn the_same_event_has_the_same_channels() {
    let server = Server::start().await;
    let of = |channels: Value| json!({"type": "a", "data": 1, "id": "one", "channels": channels});
    server.post("/api/v1/events").json(of(json!(["a", "b"]))).send().await.data(202);
    let again = server.post("/api/v1/events").json(of(json!(["b", "a"]))).send().await.data(202);
    assert_eq!(again["duplicate"], true);
    for other in [json!(["a"]), json!(["ab"]), json!(null), json!(["a", "b", "c"])] {
        let reply = server.post("/api/v1/events").json(of(other.clone())).send().await;
        assert_eq!(reply.error(409, "event_id_conflict"), "id", "{other}");
    }
    server.stop().await;
}

#[actix_web::test]
async fn lists_are_asked_for_what_carries_a_word() {
    let server = Server::start().await;
    create(&server, json!({"name": "one", "uid": "one", "tags": ["a", "b"], "channels": ["x"]})).await;
    create(&server, json!({"name": "two", "uid": "two", "tags": ["b"], "channels": ["y", "z"]})).await;
    create(&server, json!({"name": "none"})).await;
    let found = async |list: &str, query: &str, field: &str| {
        let rows = server.get(&format!("/api/v1/{list}?order=oldest&{query}")).send().await.data(200);
        let named = rows.as_array().unwrap().iter().map(|row| row[field].as_str().unwrap_or_default().to_string());
        named.collect::<Vec<_>>().join(" ")
    };
    for (query, expected) in [
        ("uid=one", "one"),
        ("uid=o", ""),
        ("tag=b", "one two"),
        ("tag=a", "one"),
        ("tag=ab", ""),
        ("channel=z", "two"),
        ("channel=x", "one"),
        ("tag=b&channel=y", "two"),
        ("uid=one&tag=c", ""),
        ("uid=two&channel=x", ""),
    ] {
        assert_eq!(found("webhooks", query, "name").await, expected, "{query}");
    }
    for (n, channels) in [json!(["x"]), json!(["x", "y"]), json!(null)].into_iter().enumerate() {
        let event_type = if n == 0 { "task.done" } else { "note.done" };
        let event = json!({"type": event_type, "id": format!("e{n}"), "data": 1, "channels": channels});
        server.post("/api/v1/events").json(event).send().await.data(202);
    }
    for (query, expected) in [
        ("channel=x", "e0 e1"),
        ("channel=y", "e1"),
        ("channel=xy", ""),
        ("channel=x&type=task.*", "e0"),
        ("channel=y&id=e0", ""),
    ] {
        assert_eq!(found("events", query, "id").await, expected, "{query}");
    }
    server.stop().await;
}
