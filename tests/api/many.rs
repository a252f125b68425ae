//! One request for many: an event again to all who want it now, an event to many accounts, many webhooks made, changed and deleted.

use hookwheel::domain::delivery::Outcome;
use hookwheel::domain::retry::Next;
use serde_json::{Value, json};

use crate::access::key;
use crate::dead_letters::ended_for;
use crate::history::attempt;
use crate::server::{Ask, Reply, Server, WEBHOOKS_MAX, id};

async fn webhook(server: &Server, more: Value) -> String {
    let mut body = json!({"url": "https://example.com/hook", "events": ["*"]});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    id(&server.post("/api/v1/webhooks").json(body).send().await.data(201))
}

/// The deliveries of an event: to which webhook, why, and of which other; in the order in which they were made.
async fn deliveries(server: &Server, event: &str) -> Vec<(String, String, Value)> {
    let path = format!("/api/v1/events/{event}/deliveries?order=oldest&limit=250");
    let rows = server.get(&path).send().await.data(200);
    let text = |row: &Value, name: &str| row[name].as_str().expect("a text").to_string();
    let of = |row: &Value| (text(row, "webhook_id"), text(row, "cause"), row["replay_of"].clone());
    rows.as_array().unwrap().iter().map(of).collect()
}

async fn ended(server: &Server, job: &Value) -> Value {
    ended_for(server, &server.admin, job).await
}

#[actix_web::test]
async fn an_event_goes_again_to_all_who_want_it_now() {
    let server = Server::start().await;
    let done = webhook(&server, json!({"name": "done"})).await;
    let dead = webhook(&server, json!({})).await;
    let open = webhook(&server, json!({})).await;
    let gone = webhook(&server, json!({})).await;
    let not_any_more = webhook(&server, json!({})).await;
    server.post("/api/v1/events").json(json!({"type": "a", "id": "e", "data": {"n": 1}})).send().await.data(202);
    let first = server.get("/api/v1/events/e/deliveries?limit=250").send().await.data(200);
    let of = |hook: &str| id(first.as_array().unwrap().iter().find(|row| row["webhook_id"] == hook).unwrap());
    attempt(&server, &of(&done), 1, Outcome::Status(200), Next::Succeeded).await;
    attempt(&server, &of(&dead), 1, Outcome::Status(500), Next::Dead).await;
    attempt(&server, &of(&not_any_more), 1, Outcome::Status(200), Next::Succeeded).await;
    server.ask("DELETE", &format!("/api/v1/webhooks/{gone}")).send().await;
    let change = json!({"filter": "@.data.n == 2"});
    server.ask("PATCH", &format!("/api/v1/webhooks/{not_any_more}")).json(change).send().await.data(200);
    let late = webhook(&server, json!({"filter": "@.data.n == 1"})).await;
    webhook(&server, json!({"events": ["b"]})).await;

    let replay = |body: Value| server.post("/api/v1/events/e/replay").json(body);
    let count = replay(json!({"dry_run": true})).send().await.data(200);
    assert_eq!(count, json!({"count": 3, "skipped": 0, "examined": 6, "complete": true}));
    let before = deliveries(&server, "e").await.len();
    let job = replay(json!({})).header("Idempotency-Key", "once").send().await.data(202);
    assert_eq!((&job["kind"], &job["of"]), (&json!("replay"), &json!("event")));
    let shown = ended(&server, &job).await;
    assert_eq!((&shown["state"], &shown["done"], &shown["skipped"]), (&json!("done"), &json!(3), &json!(0)));
    let event = server.get("/api/v1/events/e").send().await.data(200);
    assert_eq!(shown["event_id"].as_str().map(str::len), Some(36), "{event}");
    let mut made = deliveries(&server, "e").await.split_off(before);
    let by_webhook = |one: &(String, String, Value)| one.0.clone();
    made.sort_by_key(by_webhook);
    let mut expected = vec![
        (done.clone(), "replay".to_string(), json!(of(&done))),
        (dead.clone(), "replay".to_string(), json!(of(&dead))),
        (late.clone(), "missed".to_string(), Value::Null),
    ];
    expected.sort_by_key(by_webhook);
    assert_eq!(made, expected, "{open} has it still before it, {not_any_more} wants it no more");
    let dead_letters = server.get("/api/v1/dead-letters").send().await.data(200);
    assert_eq!(dead_letters, json!([]), "the dead one is handled");

    let again = replay(json!({})).header("Idempotency-Key", "once").send().await.data(202);
    assert_eq!(again["id"], job["id"], "the same request makes one job");
    let other = server.post("/api/v1/events").json(json!({"type": "a", "data": 1})).header("Idempotency-Key", "once");
    assert_eq!(other.send().await.error(409, "idempotency_conflict"), "Idempotency-Key");
    let log = server.get("/api/v1/audit?action=replay.started").send().await.data(200);
    assert_eq!(log.as_array().unwrap().iter().map(|entry| &entry["target"]).collect::<Vec<_>>(), [&job["id"]]);

    server.post("/api/v1/events/none/replay").send().await.error(404, "not_found");
    assert_eq!(replay(json!({"to": "x"})).send().await.error(400, "invalid_field"), "to");
    server.post("/api/v1/events/e/purge").send().await;
    server.post("/api/v1/events/e/replay").send().await.error(410, "purged");
    server.stop().await;
}

#[actix_web::test]
async fn an_event_goes_to_all_accounts_or_to_those_with_a_tag() {
    let server = Server::start().await;
    let account = |name: &str, tags: Value| json!({"id": name, "name": name, "tags": tags});
    let accounts = [("one", json!(["beta", "a", "beta"])), ("two", json!([])), ("three", json!(["beta"]))];
    let mut keys = Vec::new();
    for (name, tags) in accounts {
        server.post("/api/v1/accounts").json(account(name, tags)).send().await.data(201);
        keys.push(key(&server, name, &["read", "manage"]).await);
        let body = json!({"url": "https://example.com/hook", "events": ["service.*"]});
        server.post("/api/v1/webhooks").key(&keys[keys.len() - 1]).json(body).send().await.data(201);
    }
    let events = async |n: usize| {
        let rows = server.get("/api/v1/events?order=oldest").key(&keys[n]).send().await.data(200);
        rows.as_array().unwrap().clone()
    };
    let told = json!({"type": "service.maintenance", "data": {"at": "noon"}, "id": "m1", "tag": "beta"});
    let ask = |body: &Value| server.post("/api/v1/events/broadcast").json(body.clone());
    let mut dry = told.clone();
    dry["dry_run"] = json!(true);
    let count = ask(&dry).send().await.data(200);
    assert_eq!(count, json!({"count": 2, "skipped": 0, "examined": 4, "complete": true}));
    let job = ask(&told).header("Idempotency-Key", "m").send().await.data(202);
    assert_eq!(
        [&job["kind"], &job["of"], &job["tag"], &job["accounts"]],
        [&json!("broadcast"), &json!("accounts"), &json!("beta"), &json!(2)]
    );
    let job = ended(&server, &job).await;
    assert_eq!([&job["state"], &job["done"], &job["skipped"]], [&json!("done"), &json!(2), &json!(0)]);
    let (one, two, three) = (events(0).await, events(1).await, events(2).await);
    assert_eq!((one.len(), two.len(), three.len()), (1, 0, 1));
    assert_eq!((&one[0]["id"], &one[0]["type"], &one[0]["webhooks"]), (&json!("m1"), &told["type"], &json!(1)));
    let shown = server.get("/api/v1/events/m1").key(&keys[0]).send().await.data(200);
    assert_eq!(shown["data"], told["data"]);
    assert_eq!(shown["deliveries"][0]["state"], "pending");
    let again = ask(&told).header("Idempotency-Key", "m").send().await.data(202);
    assert_eq!(again["id"], job["id"], "the same request makes one job");

    // The same event once more, now for all: who has it gets no other.
    let mut all = told.clone();
    all.as_object_mut().unwrap().remove("tag");
    let job = ended(&server, &ask(&all).send().await.data(202)).await;
    assert_eq!([&job["accounts"], &job["done"], &job["skipped"]], [&json!(4), &json!(2), &json!(0)]);
    assert_eq!((events(0).await.len(), events(1).await.len()), (1, 1));
    all["data"] = json!({"at": "midnight"});
    let job = ended(&server, &ask(&all).send().await.data(202)).await;
    assert_eq!([&job["done"], &job["skipped"]], [&json!(0), &json!(4)], "its id is another's");

    let kept = server.get(&format!("/api/v1/events/{}", job["event_id"].as_str().unwrap()));
    let kept = kept.header("Hookwheel-Account", "operator").send().await.data(200);
    assert_eq!((&kept["data"], &kept["webhooks"]), (&json!({"at": "midnight"}), &json!(0)));
    let log = server.get("/api/v1/audit?action=broadcast.started").send().await.data(200);
    assert_eq!(log.as_array().unwrap().len(), 3);
    let own = key(&server, "default", &["read", "manage"]).await;
    let hidden = server.get("/api/v1/audit?action=broadcast.started").key(&own).send().await.data(200);
    assert_eq!(hidden, json!([]), "it is the operator's matter");
    server.get(&format!("/api/v1/jobs/{}", id(&job))).key(&own).send().await.error(404, "not_found");
    ask(&told).key(&keys[0]).send().await.error(403, "forbidden");
    for (field, value) in
        [("type", json!("a..b")), ("tag", json!("a b")), ("account", json!("one")), ("actor", json!(1))]
    {
        let mut wrong = told.clone();
        wrong[field] = value;
        assert_eq!(ask(&wrong).send().await.error(400, "invalid_field"), field);
    }
    let nobody = json!({"type": "a", "data": 1, "tag": "none"});
    let job = ended(&server, &ask(&nobody).send().await.data(202)).await;
    assert_eq!([&job["state"], &job["accounts"], &job["done"]], [&json!("done"), &json!(0), &json!(0)]);
    server.stop().await;
}

#[actix_web::test]
async fn an_accounts_tags_are_kept_as_a_set_and_found() {
    let server = Server::start().await;
    let body = json!({"id": "acme", "name": "Acme", "tags": ["plan/pro", "beta", "beta"]});
    let made = server.post("/api/v1/accounts").json(body).send().await.data(201);
    assert_eq!(made["tags"], json!(["beta", "plan/pro"]));
    server.post("/api/v1/accounts").json(json!({"id": "other", "name": "Other"})).send().await.data(201);
    let found = async |query: &str| {
        let rows = server.get(&format!("/api/v1/accounts{query}")).send().await.data(200);
        rows.as_array().unwrap().iter().map(id).collect::<Vec<_>>()
    };
    assert_eq!(found("?tag=beta").await, ["acme"]);
    assert_eq!(found("?tag=plan").await, [""; 0]);
    let change = async |body: Value| server.ask("PATCH", "/api/v1/accounts/acme").json(body).send().await;
    assert_eq!(change(json!({"name": "ACME"})).await.data(200)["tags"], json!(["beta", "plan/pro"]), "they stay");
    assert_eq!(change(json!({"tags": ["gamma"]})).await.data(200)["tags"], json!(["gamma"]));
    let log = server.get("/api/v1/audit?target=acme").header("Hookwheel-Account", "acme").send().await.data(200);
    assert_eq!(log[0]["fields"], json!(["tags"]));
    assert_eq!((found("?tag=beta").await, found("?tag=gamma").await), (vec![], vec!["acme".to_string()]));
    assert_eq!(change(json!({"tags": null})).await.data(200)["tags"], json!([]));
    assert_eq!(change(json!({"tags": ["a b"]})).await.error(400, "invalid_field"), "tags[0]");
    let many: Vec<String> = (0..17).map(|n| n.to_string()).collect();
    let body = json!({"name": "x", "tags": many});
    assert_eq!(server.post("/api/v1/accounts").json(body).send().await.error(400, "invalid_field"), "tags");
    server.stop().await;
}

fn put<'s>(server: &'s Server, query: &str, body: &Value) -> Ask<'s> {
    server.post(&format!("/api/v1/webhooks/batch{query}")).json(body.clone())
}

fn lines<'s>(server: &'s Server, query: &str, body: &str) -> Ask<'s> {
    server.post(&format!("/api/v1/webhooks/batch{query}")).header("Content-Type", "application/x-ndjson").bytes(body)
}

async fn names(server: &Server) -> Vec<String> {
    let rows = server.get("/api/v1/webhooks?order=oldest&limit=250").send().await.data(200);
    rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap_or("-").to_string()).collect()
}

fn statuses(reply: Reply) -> Vec<u64> {
    reply.data(200).as_array().unwrap().iter().map(|row| row["status"].as_u64().unwrap()).collect()
}

#[actix_web::test]
async fn many_webhooks_are_made_and_changed_all_or_none() {
    let server = Server::start().await;
    let known = webhook(&server, json!({"uid": "known", "name": "before"})).await;
    let plain = webhook(&server, json!({"name": "plain"})).await;
    let of = |more: Value| {
        let mut one = json!({"url": "https://example.com/in", "events": ["task.*"]});
        one.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        one
    };
    let batch = json!([
        of(json!({"uid": "new", "name": "new"})),
        {"uid": "known", "name": "changed"},
        {"id": plain, "tags": ["t"]},
        of(json!({"name": "own", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})),
    ]);
    let rows = put(&server, "", &batch).send().await.data(200);
    let statuses: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["status"].clone()).collect();
    assert_eq!(statuses, [json!(201), json!(200), json!(200), json!(201)]);
    assert_eq!(
        rows.as_array().unwrap().iter().map(|row| row["index"].as_u64()).collect::<Vec<_>>(),
        [Some(0), Some(1), Some(2), Some(3)]
    );
    assert!(rows[0]["webhook"]["secret"].as_str().is_some_and(|text| text.starts_with("whsec_")), "{rows}");
    assert!(rows[3]["webhook"].get("secret").is_none(), "who brings one knows it: {rows}");
    assert_eq!((&rows[1]["webhook"]["id"], &rows[1]["webhook"]["uid"]), (&json!(known), &json!("known")));
    assert_eq!((&rows[2]["webhook"]["name"], &rows[2]["webhook"]["tags"]), (&json!("plain"), &json!(["t"])));
    assert_eq!(names(&server).await, ["changed", "plain", "new", "own"]);
    let log = server.get("/api/v1/audit?limit=4").send().await.data(200);
    let deeds: Vec<_> =
        log.as_array().unwrap().iter().rev().map(|entry| (&entry["action"], &entry["fields"])).collect();
    let (created, changed) = (json!("webhook.created"), json!("webhook.changed"));
    let (none, name, tags) = (json!([]), json!(["name"]), json!(["tags"]));
    assert_eq!(deeds, [(&created, &none), (&changed, &name), (&changed, &tags), (&created, &none)]);

    // Sent again as lines, without what has no id of its own: the same webhooks are changed.
    let again = format!("{}\n\n{}\n", batch[0], batch[1]);
    assert_eq!(self::statuses(lines(&server, "?mode=all", &again).send().await), [200, 200]);
    assert_eq!(names(&server).await.len(), 4);

    for (wrong, field) in [
        (json!({"uid": "new", "timeout": 0}), "[1].timeout"),
        (json!({"url": "https://example.com/"}), "[1].events"),
        (of(json!({"nme": "x"})), "[1].nme"),
        (of(json!({"url": "https://10.8.0.1/"})), "[1].url"),
        (of(json!({"uid": "known"})), "[1].uid"),
        (json!({"id": 5, "name": "x"}), "[1].id"),
        (of(json!({"id": plain, "dialect": "taskflow"})), "[1].dialect"),
        (json!(5), "[1]"),
    ] {
        let batch = json!([{"uid": "known", "name": "not this"}, wrong]);
        let reply = put(&server, "", &batch).send().await;
        assert_eq!(reply.json["error"]["field"], field, "{}", reply.text);
        assert_eq!(reply.status, 400, "{}", reply.text);
        let line = lines(&server, "?mode=all", &format!("{}\n\n{}", batch[0], batch[1])).send().await;
        assert_eq!(line.json["error"]["field"], field, "{}", line.text);
        assert!(line.json["error"]["message"].as_str().unwrap().starts_with("line 3: "), "{}", line.text);
    }
    let missing =
        put(&server, "", &json!([{"uid": "known", "name": "not this"}, {"id": "none", "name": "x"}])).send().await;
    assert_eq!(missing.error(404, "not_found"), "[1].id");
    let taken = put(&server, "", &json!([{"id": plain, "uid": "known"}])).send().await;
    assert_eq!(taken.error(409, "uid_taken"), "[0].uid");
    let too_many: Vec<Value> = (0..=WEBHOOKS_MAX - 4).map(|n| of(json!({"name": n.to_string()}))).collect();
    let over = put(&server, "", &json!(too_many)).send().await;
    assert_eq!(over.error(409, "quota"), format!("[{}]", WEBHOOKS_MAX - 4));
    assert_eq!(names(&server).await, ["changed", "plain", "new", "own"], "nothing of any was done");
    server.stop().await;
}

#[actix_web::test]
async fn of_many_webhooks_each_by_itself_the_good_ones_are_done() {
    let server = Server::start().await;
    let body = [
        r#"{"url": "https://example.com/a", "events": ["*"], "name": "a", "uid": "a"}"#,
        r#"{"url": "ftp://example.com/b", "events": ["*"]}"#,
        r#"{"url": "https://example.com/c", "events": ["*"], "name": "c"}"#,
        r#"{"uid": "a", "name": "twice"}"#,
        r#"{"id": "none", "name": "x"}"#,
        r#"{"url": "https://example.com/d", "events": ["*"], "name": "d", "ownership_check": true}"#,
    ];
    let rows = lines(&server, "?mode=each", &body.join("\n")).send().await.data(200);
    let statuses: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 400, 201, 400, 404, 201]);
    assert_eq!(names(&server).await, ["a", "c", "d"]);
    let error = |n: usize, name: &str| rows[n]["error"][name].clone();
    assert_eq!((error(1, "code"), error(1, "field")), (json!("invalid_field"), json!("[1].url")));
    assert!(error(1, "message").as_str().unwrap().starts_with("line 2: "), "{rows}");
    assert_eq!(error(3, "field"), "[3].uid", "a webhook is named once");
    assert_eq!((error(4, "code"), error(4, "field")), (json!("not_found"), json!("[4].id")));
    assert_eq!((&rows[1]["webhook"], &rows[0]["error"]), (&Value::Null, &Value::Null));
    let asked = &rows[5];
    assert_eq!(asked["webhook"]["status"], "unverified", "its endpoint is asked after the reply");
    assert!(asked["warnings"][0].as_str().is_some_and(|text| text.contains("not verified")), "{asked}");
    server.stop().await;
}

#[actix_web::test]
async fn a_batch_of_webhooks_is_bounded_and_told_what_it_must_be() {
    let server = Server::start().await;
    let manager = key(&server, "default", &["manage"]).await;
    let bad = async |reply: Ask<'_>, part: &str| {
        let reply = reply.send().await;
        assert!(reply.text.contains(part), "{part}: {}", reply.text);
        reply.error(400, "invalid_json");
    };
    let one = json!({"url": "https://example.com/in", "events": ["*"]});
    bad(put(&server, "", &one), "must be an array").await;
    bad(put(&server, "", &json!([])), "holds no webhook").await;
    bad(put(&server, "", &json!(vec![json!({}); 129])), "at most 128 webhooks").await;
    bad(put(&server, "?mode=each", &json!(vec![json!({}); 1001])), "at most 1000 webhooks").await;
    bad(lines(&server, "?mode=each", "{\"uid\": \"a\"}\n{"), "line 2").await;
    let reply = put(&server, "?mode=some", &json!([one])).send().await;
    assert_eq!(reply.error(400, "invalid_field"), "mode");
    assert_eq!(names(&server).await, [""; 0]);
    // What one request may not do, none of many may.
    let opened = json!([{"url": "https://example.com/in", "events": ["*"], "allow": ["10.20.0.0/16"]}]);
    assert_eq!(put(&server, "", &opened).key(&manager).send().await.error(403, "forbidden"), "[0].allow");
    assert_eq!(put(&server, "", &opened).send().await.data(200)[0]["status"], 201);
    server.stop().await;
}

#[actix_web::test]
async fn many_webhooks_are_deleted_by_their_ids_or_by_what_they_are() {
    let server = Server::start().await;
    let url = |host: &str| json!(format!("https://{host}/in"));
    let one =
        webhook(&server, json!({"name": "one", "url": url("a.example.com"), "tags": ["old"], "uid": "one"})).await;
    webhook(&server, json!({"name": "two", "url": url("b.example.com"), "tags": ["old"]})).await;
    webhook(&server, json!({"name": "three", "url": url("c.example.org"), "channels": ["x"]})).await;
    let four = webhook(&server, json!({"name": "four", "url": url("d.example.org")})).await;
    let five = webhook(&server, json!({"name": "five", "url": url("e.example.org")})).await;
    server.post(&format!("/api/v1/webhooks/{five}/pause")).send().await.data(200);
    let ask = |body: Value| server.post("/api/v1/webhooks/delete").json(body).send();
    for (body, field) in [
        (json!({}), "ids"),
        (json!({"dry_run": true}), "ids"),
        (json!({"url": ""}), "url"),
        (json!({"tag": ""}), "tag"),
        (json!({"name": "x".repeat(2049)}), "name"),
        (json!({"status": "open"}), "status"),
        (json!({"ids": [one], "tag": "old"}), "ids"),
        (json!({"ids": [one], "all": true}), "ids"),
        (json!({"all": true, "tag": "old"}), "all"),
        (json!({"ids": []}), "ids"),
    ] {
        assert_eq!(ask(body.clone()).await.error(400, "invalid_field"), field, "{body}");
    }
    let some = ask(json!({"ids": ["one", "none", "none"], "dry_run": true})).await.data(200);
    assert_eq!(some, json!({"count": 1, "skipped": 1, "examined": 2, "complete": true}));
    let count = async |body: Value| {
        let mut body = body;
        body["dry_run"] = json!(true);
        ask(body).await.data(200)["count"].clone()
    };
    for (body, expected) in [
        (json!({"all": true}), 5),
        (json!({"tag": "old"}), 2),
        (json!({"url": "EXAMPLE.org"}), 3),
        (json!({"name": "O"}), 3),
        (json!({"status": "paused"}), 1),
        (json!({"channel": "x"}), 1),
        (json!({"uid": "one"}), 1),
        (json!({"dialect": "taskflow"}), 0),
        (json!({"event_type": "a", "url": "example.com"}), 2),
        (json!({"ids": [one, "one", four]}), 2),
    ] {
        assert_eq!(count(body.clone()).await, expected, "{body}");
    }
    assert_eq!(names(&server).await.len(), 5, "a dry run does nothing");
    let job = ask(json!({"tag": "old"})).await.data(202);
    assert_eq!((&job["kind"], &job["of"]), (&json!("delete"), &json!("webhooks")));
    assert_eq!((&job["selection"]["all"], &job["selection"]["tag"]), (&json!(false), &json!("old")));
    let job = ended(&server, &job).await;
    assert_eq!([&job["state"], &job["examined"], &job["done"]], [&json!("done"), &json!(5), &json!(2)]);
    assert_eq!(names(&server).await, ["three", "four", "five"]);
    let job = ended(&server, &ask(json!({"ids": [four]})).await.data(202)).await;
    assert_eq!([&job["ids"], &job["done"], &job["selection"]], [&json!(1), &json!(1), &Value::Null]);
    let again = ended(&server, &ask(json!({"ids": [four, "one"]})).await.data(202)).await;
    assert_eq!([&again["state"], &again["ids"], &again["done"]], [&json!("done"), &json!(2), &json!(0)]);
    assert_eq!(again["skipped"], 2, "they are gone already");
    assert_eq!(names(&server).await, ["three", "five"]);
    // A key that may not manage is not told what stands in a URL.
    let of_url = ask(json!({"url": "/services/SECRET", "status": "active"})).await.data(202);
    let path = format!("/api/v1/jobs/{}", id(&of_url));
    let reader = key(&server, "default", &["read"]).await;
    for (key, url) in [(&server.admin, json!("/services/secret")), (&reader, Value::Null)] {
        let shown = server.get(&path).key(key).send().await.data(200);
        assert_eq!((&shown["selection"]["url"], &shown["selection"]["status"]), (&url, &json!("active")));
    }

    // Nothing of another account is among all.
    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Acme"})).send().await.data(201);
    let acme = key(&server, "acme", &["manage"]).await;
    let all = server.post("/api/v1/webhooks/delete").key(&acme).json(json!({"all": true})).send().await.data(202);
    let job = ended_for(&server, &acme, &all).await;
    assert_eq!([&job["examined"], &job["done"], &job["selection"]["all"]], [&json!(0), &json!(0), &json!(true)]);
    // Its ids are not there either.
    let these = json!({"ids": [five, "none"], "dry_run": true});
    let count = server.post("/api/v1/webhooks/delete").key(&acme).json(these).send().await.data(200);
    assert_eq!(count, json!({"count": 0, "skipped": 2, "examined": 2, "complete": true}));
    assert_eq!(names(&server).await, ["three", "five"]);
    ended(&server, &ask(json!({"all": true})).await.data(202)).await;
    assert_eq!(names(&server).await, [""; 0]);
    let log = server.get("/api/v1/audit?action=delete.started").send().await.data(200);
    let fields: Vec<_> = log.as_array().unwrap().iter().map(|entry| entry["fields"].clone()).collect();
    assert_eq!(json!(fields), json!([["all"], ["url", "status"], ["ids"], ["ids"], ["tag"]]), "the newest first");
    server.stop().await;
}
