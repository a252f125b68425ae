//! Dead letters and bulk jobs over the API: lists, dry runs, jobs, and what is refused.

use crate::access::key;
use crate::history::attempt;
use crate::server::{START_MS, Server, id};
use hookwheel::domain::delivery::Outcome;
use hookwheel::domain::retry::Next;
use serde_json::{Value, json};

async fn webhook(server: &Server, filter: &str) -> String {
    let body = json!({"url": "https://example.com/hook", "events": [filter]});
    id(&server.post("/api/v1/webhooks").json(body).send().await.data(201))
}

/// Publishes and gives the ids of the deliveries.
async fn publish(server: &Server, event_type: &str) -> Vec<String> {
    let body = json!({"type": event_type, "data": 1});
    let event = id(&server.post("/api/v1/events").json(body).send().await.data(202));
    let shown = server.get(&format!("/api/v1/events/{event}")).send().await.data(200);
    shown["deliveries"].as_array().unwrap().iter().map(id).collect()
}

/// A dead letter a second.
async fn dead(server: &Server, event_type: &str, count: u64) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        for delivery in publish(server, event_type).await {
            attempt(server, &delivery, 1, Outcome::Status(500), Next::Dead).await;
            ids.push(delivery);
        }
        server.clock.turn_to(server.clock.now() + 1000);
    }
    ids
}

async fn listed(server: &Server, query: &str) -> Vec<String> {
    let rows = server.get(&format!("/api/v1/dead-letters{query}")).send().await.data(200);
    rows.as_array().unwrap().iter().map(id).collect()
}

/// The job once it has ended.
async fn ended(server: &Server, job: &Value) -> Value {
    ended_for(server, &server.admin, job).await
}

/// The same, of whoever has this key.
pub async fn ended_for(server: &Server, key: &str, job: &Value) -> Value {
    loop {
        // Each change is a group, and a group has a step.
        server.store.change(0, |_| Ok(())).await.unwrap();
        let job = server.get(&format!("/api/v1/jobs/{}", id(job))).key(key).send().await.data(200);
        if job["state"] != "running" {
            return job;
        }
    }
}

#[actix_web::test]
async fn dead_letters_are_listed_filtered_and_paged() {
    let server = Server::start().await;
    let first = webhook(&server, "task.*").await;
    let tasks = dead(&server, "task.done", 3).await;
    let second = webhook(&server, "note.*").await;
    let notes = dead(&server, "note.added", 2).await;
    let all: Vec<String> = tasks.iter().chain(&notes).rev().cloned().collect();
    assert_eq!(listed(&server, "").await, all);
    assert_eq!(listed(&server, &format!("?webhook={second}")).await, all[..2]);
    assert_eq!(listed(&server, "?event_type=task.*").await, all[2..]);
    assert_eq!(listed(&server, "?from=2023-11-14T22:13:21Z&to=2023-11-14T22:13:24Z").await, all[1..4]);
    let row = server.get("/api/v1/dead-letters?limit=1").send().await;
    let shown = &row.json["data"][0];
    assert_eq!(
        (&shown["state"], &shown["error"], &shown["webhook_id"], &shown["event_type"]),
        (&json!("dead"), &json!("the endpoint answered 500"), &json!(second), &json!("note.added"))
    );
    let cursor = row.json["next_cursor"].as_str().unwrap();
    assert_eq!(listed(&server, &format!("?cursor={cursor}&limit=4")).await, all[1..]);
    server.get(&format!("/api/v1/deliveries/{}", all[0])).send().await.data(200);

    for (query, field) in [
        ("?from=x", "from"),
        ("?to=x", "to"),
        ("?from=2023-11-14T22:13:21Z&to=2023-11-14T22:13:21Z", "to"),
        ("?event_type=a..b", "event_type"),
        ("?limit=0", "limit"),
        ("?cursor=x", "cursor"),
        ("?state=dead", "state"),
    ] {
        let reply = server.get(&format!("/api/v1/dead-letters{query}")).send().await;
        assert_eq!(reply.error(400, "invalid_field"), field, "{query}");
    }
    assert_eq!(server.get("/api/v1/dead-letters?webhook=x").send().await.error(404, "not_found"), "webhook");
    server.ask("DELETE", &format!("/api/v1/webhooks/{first}")).send().await;
    assert_eq!(listed(&server, &format!("?webhook={first}")).await, all[2..], "also of a webhook that was deleted");
    server.stop().await;
}

#[actix_web::test]
async fn dead_letters_are_replayed_and_discarded() {
    let server = Server::start().await;
    let webhook = webhook(&server, "*").await;
    let ids = dead(&server, "task.done", 5).await;
    let replay = |body: Value| server.post("/api/v1/dead-letters/replay").json(body).send();
    let discard = |body: Value| server.post("/api/v1/dead-letters/discard").json(body).send();

    let count = replay(json!({"dry_run": true})).await.data(200);
    assert_eq!(count, json!({"count": 5, "skipped": 0, "examined": 5, "complete": true}));
    let count = discard(json!({"ids": [ids[0], ids[0]], "dry_run": true})).await.data(200);
    assert_eq!(count, json!({"count": 1, "skipped": 0, "examined": 1, "complete": true}));
    assert_eq!(listed(&server, "").await.len(), 5, "a dry run does nothing");

    let job = replay(json!({"ids": [ids[3], format!("del_{}", ids[1])]})).await.data(202);
    assert_eq!((&job["kind"], &job["of"], &job["ids"]), (&json!("replay"), &json!("dead_letters"), &json!(2)));
    let job = ended(&server, &job).await;
    assert_eq!((&job["state"], &job["done"], &job["ids"]), (&json!("done"), &json!(2), &json!(2)));
    assert_eq!(job["ended_at"], job["created_at"], "the clock stands");
    assert_eq!(listed(&server, "").await, [&*ids[4], &*ids[2], &*ids[0]]);
    let made = server.get(&format!("/api/v1/webhooks/{webhook}/deliveries?state=pending")).send().await.data(200);
    let newest = server.get(&format!("/api/v1/deliveries/{}", id(&made[0]))).send().await.data(200);
    assert_eq!((&newest["cause"], &newest["replay_of"]), (&json!("replay"), &json!(ids[3])), "the oldest first");

    let from = json!({"from": "2023-11-14T22:13:22Z", "webhook": webhook, "event_type": "task.done"});
    let job = ended(&server, &discard(from).await.data(202)).await;
    assert_eq!((&job["kind"], &job["done"], &job["webhook_id"]), (&json!("discard"), &json!(2), &json!(webhook)));
    assert_eq!((&job["from"], &job["event_type"]), (&json!("2023-11-14T22:13:22.000Z"), &json!("task.done")));
    assert_eq!(listed(&server, "").await, [&*ids[0]]);
    let old = server.get(&format!("/api/v1/deliveries/{}", ids[4])).send().await.data(200);
    assert_eq!(old["state"], "dead");
    let job = ended(&server, &server.post("/api/v1/dead-letters/replay").send().await.data(202)).await;
    assert_eq!(job["done"], 1, "no body means all");
    // A replay of one delivery handles it too.
    let ids = dead(&server, "task.done", 1).await;
    server.post(&format!("/api/v1/webhooks/{webhook}/replay/{}", ids[0])).send().await.data(202);
    assert_eq!(listed(&server, "").await, [""; 0]);

    let many = vec![ids[0].clone(); 1001];
    for (body, field) in [
        (json!({"ids": []}), "ids"),
        (json!({"ids": many}), "ids"),
        (json!({"ids": ids, "webhook": webhook}), "ids"),
        (json!({"ids": ids, "to": "2023-11-14T22:13:22Z"}), "ids"),
        (json!({"ids": [7]}), "ids[0]"),
        (json!({"from": "x"}), "from"),
        (json!({"event_type": ""}), "event_type"),
        (json!({"dry_run": "yes"}), "dry_run"),
        (json!({"state": "dead"}), "state"),
    ] {
        assert_eq!(replay(body.clone()).await.error(400, "invalid_field"), field, "{body}");
        assert_eq!(discard(body.clone()).await.error(400, "invalid_field"), field, "{body}");
    }
    assert_eq!(replay(json!({"ids": [ids[0], "x"]})).await.error(404, "not_found"), "ids[1]");
    assert_eq!(discard(json!({"webhook": "x"})).await.error(404, "not_found"), "webhook");
    server.stop().await;
}

#[actix_web::test]
async fn a_webhooks_deliveries_are_replayed_by_state_and_discarded() {
    let server = Server::start().await;
    publish(&server, "task.early").await;
    let webhook = webhook(&server, "task.*").await;
    let path = format!("/api/v1/webhooks/{webhook}");
    let good = publish(&server, "task.done").await.remove(0);
    attempt(&server, &good, 1, Outcome::Status(200), Next::Succeeded).await;
    dead(&server, "task.done", 2).await;
    let replay = |body: Value| server.post(&format!("{path}/replay")).json(body).send();
    let discard = |body: Value| server.post(&format!("{path}/discard")).json(body).send();

    for (state, count) in [("dead", 2), ("succeeded", 1), ("cancelled", 0), ("missing", 1)] {
        let counted = replay(json!({"state": state, "dry_run": true})).await.data(200);
        assert_eq!((&counted["count"], &counted["complete"]), (&json!(count), &json!(true)), "{state}");
    }
    let job = ended(&server, &replay(json!({"state": "missing"})).await.data(202)).await;
    assert_eq!((&job["of"], &job["done"]), (&json!("missing"), &json!(1)));
    let row = server.get(&format!("{path}/deliveries?limit=1")).send().await.data(200)[0].clone();
    assert_eq!((&row["event_type"], &row["state"]), (&json!("task.early"), &json!("pending")));
    let shown = server.get(&format!("/api/v1/deliveries/{}", id(&row))).send().await.data(200);
    assert_eq!((&shown["cause"], &shown["replay_of"]), (&json!("missed"), &json!(null)));
    let event = server.get(&format!("/api/v1/events/{}", row["event_id"].as_str().unwrap())).send().await.data(200);
    assert_eq!(event["deliveries"][0]["id"], row["id"]);

    server.post(&format!("{path}/pause")).send().await.data(200);
    let body = json!({"state": "dead", "from": "2023-11-14T22:13:21Z", "event_type": "task.done"});
    let job = ended(&server, &replay(body).await.data(202)).await;
    assert_eq!((&job["of"], &job["done"], &job["webhook_id"]), (&json!("dead"), &json!(1), &json!(webhook)));
    assert_eq!(listed(&server, "").await.len(), 1, "the replayed one is handled");

    let some = json!({"event_type": "task.early", "dry_run": true});
    assert_eq!(discard(some).await.data(200)["count"], 1);
    let job = ended(&server, &server.post(&format!("{path}/discard")).send().await.data(202)).await;
    assert_eq!((&job["kind"], &job["of"], &job["done"]), (&json!("discard"), &json!("open"), &json!(2)));
    let shown = server.get(&format!("/api/v1/deliveries/{}", id(&row))).send().await.data(200);
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("cancelled"), &json!("discarded by request")));

    for (body, field) in [
        (json!({}), "state"),
        (json!({"state": "pending"}), "state"),
        (json!({"state": "dead", "from": 5}), "from"),
        (json!({"state": "dead", "to": "soon"}), "to"),
        (json!({"state": "dead", "event_type": "*.a"}), "event_type"),
        (json!({"state": "dead", "ids": []}), "ids"),
    ] {
        assert_eq!(replay(body.clone()).await.error(400, "invalid_field"), field, "{body}");
    }
    assert_eq!(discard(json!({"state": "dead"})).await.error(400, "invalid_field"), "state");
    for verb in ["replay", "discard"] {
        server.post(&format!("/api/v1/webhooks/x/{verb}")).json(json!({})).send().await.error(404, "not_found");
    }
    server.stop().await;
}

#[actix_web::test]
async fn no_body_means_all_and_what_is_no_json_means_nothing() {
    let server = Server::start().await;
    let discard = |body: &str| server.post("/api/v1/dead-letters/discard").bytes(body).send();
    for nothing in ["", " \t\r\n", "{}", " {} "] {
        discard(nothing).await.data(202);
    }
    for wrong in ["\u{c}", "\u{c}{}", "[]", "null", "nul"] {
        assert_eq!(discard(wrong).await.status, 400, "{wrong:?}");
    }
    server.stop().await;
}

#[actix_web::test]
async fn jobs_are_listed_shown_and_cancelled() {
    let server = Server::start().await;
    webhook(&server, "*").await;
    let mut jobs = Vec::new();
    for _ in 0..3 {
        let job = server.post("/api/v1/dead-letters/discard").send().await.data(202);
        jobs.push(id(&ended(&server, &job).await));
    }
    let page = server.get("/api/v1/jobs?limit=2").send().await;
    assert_eq!(page.json["data"].as_array().unwrap().iter().map(id).collect::<Vec<_>>(), [&*jobs[2], &*jobs[1]]);
    let cursor = page.json["next_cursor"].as_str().unwrap();
    let rest = server.get(&format!("/api/v1/jobs?cursor={cursor}")).send().await;
    assert_eq!((rest.json["data"][0]["id"].as_str(), &rest.json["next_cursor"]), (Some(&*jobs[0]), &json!(null)));
    assert_eq!(server.get("/api/v1/jobs?cursor=x").send().await.error(400, "invalid_field"), "cursor");
    server.post(&format!("/api/v1/jobs/{}/cancel", jobs[0])).send().await.error(409, "wrong_state");
    for path in ["x".to_string(), jobs[0].replace('7', "8")] {
        server.get(&format!("/api/v1/jobs/{path}")).send().await.error(404, "not_found");
        server.post(&format!("/api/v1/jobs/{path}/cancel")).send().await.error(404, "not_found");
    }

    // A hundred that are made in one group, before any has had its step.
    let (account, made) = (1, 100);
    let bulk = hookwheel::domain::job::Bulk {
        account,
        kind: hookwheel::domain::job::JobKind::Discard,
        source: hookwheel::domain::job::Source::DeadLetters { webhook: None },
        event_type: None,
        from: None,
        to: None,
    };
    let cancelled = server.store.change(0, move |staging| {
        let made: Result<Vec<_>, _> = (0..made).map(|_| staging.create_job(bulk.clone())).collect();
        let made = made?;
        let refused = staging.create_job(bulk).unwrap_err();
        staging.cancel_job(account, made[0].id)?;
        Ok((refused, made[0].id))
    });
    let (refused, cancelled) = cancelled.await.unwrap();
    assert!(refused.to_string().contains("100 running jobs"), "{refused}");
    let again = server.post(&format!("/api/v1/jobs/{cancelled}/cancel")).send().await.data(200);
    assert_eq!((&again["state"], again["ended_at"].is_string()), (&json!("cancelled"), true));
    server.stop().await;
}

#[actix_web::test]
async fn who_may_and_whose_they_are() {
    let server = Server::start().await;
    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Acme"})).send().await.data(201);
    let acme = key(&server, "acme", &["manage"]).await;
    let webhook = webhook(&server, "*").await;
    let dead = dead(&server, "task.done", 1).await;
    let job = id(&server.post("/api/v1/dead-letters/discard").json(json!({"ids": dead})).send().await.data(202));
    let ids = json!({ "ids": dead });
    let other = |method: &str, path: String| server.ask(method, &path).key(&acme);
    for verb in ["replay", "discard"] {
        let path = format!("/api/v1/dead-letters/{verb}");
        let reply = other("POST", path.clone()).json(ids.clone()).send().await;
        assert_eq!(reply.error(404, "not_found"), "ids[0]");
        let reply = other("POST", path).json(json!({ "webhook": webhook })).send().await;
        assert_eq!(reply.error(404, "not_found"), "webhook");
        let body = json!({"state": "dead"});
        let path = format!("/api/v1/webhooks/{webhook}/{verb}");
        other("POST", path).json(body).send().await.error(404, "not_found");
    }
    other("GET", format!("/api/v1/jobs/{job}")).send().await.error(404, "not_found");
    other("POST", format!("/api/v1/jobs/{job}/cancel")).send().await.error(404, "not_found");
    other("GET", format!("/api/v1/dead-letters?webhook={webhook}")).send().await.error(404, "not_found");
    for list in ["/api/v1/jobs", "/api/v1/dead-letters"] {
        assert_eq!(other("GET", list.into()).send().await.data(200), json!([]));
    }

    let reads = key(&server, "default", &["read"]).await;
    for path in ["/api/v1/jobs", "/api/v1/dead-letters"] {
        server.get(path).key(&reads).send().await.data(200);
    }
    for path in [
        "/api/v1/dead-letters/replay".to_string(),
        "/api/v1/dead-letters/discard".into(),
        format!("/api/v1/webhooks/{webhook}/replay"),
        format!("/api/v1/webhooks/{webhook}/discard"),
        format!("/api/v1/jobs/{job}/cancel"),
    ] {
        server.post(&path).key(&reads).json(json!({"dry_run": true})).send().await.error(403, "forbidden");
    }
    assert_eq!(server.clock.now(), START_MS + 1000);
    server.stop().await;
}
