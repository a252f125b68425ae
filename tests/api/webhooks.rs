//! Registering, changing and steering webhooks.

use crate::server::{START_MS, Server, WEBHOOKS_MAX, id};
use serde_json::{Value, json};

fn plain() -> Value {
    json!({"url": "https://example.com/hook", "events": ["task.*"]})
}

async fn made(server: &Server, body: Value) -> String {
    id(&server.post("/api/v1/webhooks").json(body).send().await.data(201))
}

#[actix_web::test]
async fn a_webhook_is_created_with_what_was_said_and_a_secret() {
    let server = Server::start().await;
    let body = json!({
        "url": "https://Example.com/hook", "events": ["task.*", "note.added", "task.*"], "name": "n",
        "description": "d", "headers": {"X-Team": "blue"}, "rate_limit": {"per_second": 5}, "max_in_flight": 2,
        "timeout": 9, "retry": {"delays": [1, 2]}, "success": ["2xx", "304"],
    });
    let created = server.post("/api/v1/webhooks").json(body).send().await;
    let data = created.data(201);
    let said = json!({
        "account": "default", "dialect": "standard", "url": "https://example.com/hook",
        "events": ["task.*", "note.added"], "name": "n", "description": "d", "headers": {"X-Team": "blue"},
        "rate_limit": {"per_second": 5, "per_minute": null, "burst": 5}, "max_in_flight": 2, "timeout": 9,
        "retry": {"delays": [1, 2], "jitter_percent": 10}, "success": ["2xx", "304"], "status": "active",
        "enabled": true, "status_reason": null, "created_at": "2023-11-14T22:13:20.000Z",
        "updated_at": "2023-11-14T22:13:20.000Z", "last_attempt_at": null, "success_rate": 0.0, "deliveries": 0,
        "consecutive_failures": 0,
    });
    for (field, value) in said.as_object().unwrap() {
        assert_eq!(&data[field], value, "{field}");
    }
    assert!(data["secret"].as_str().unwrap().starts_with("whsec_"));
    let path = format!("/api/v1/webhooks/{}", id(&data));
    let shown = server.get(&path).send().await.data(200);
    assert_eq!(shown.get("secret"), None, "the secret is shown once");
    assert_eq!(server.get(&format!("{path}/secret")).send().await.data(200)["secret"], data["secret"]);
    server.stop().await;
}

#[actix_web::test]
async fn a_given_secret_is_not_repeated_and_a_short_one_is_warned_of() {
    let server = Server::start().await;
    let body =
        |secret: &str| json!({"url": "https://example.com/", "events": ["*"], "dialect": "taskflow", "secret": secret});
    let reply = server.post("/api/v1/webhooks").json(body("short")).send().await;
    assert!(reply.json["warnings"][0].as_str().unwrap().contains("short"), "{}", reply.text);
    assert!(!reply.text.contains("\"secret\":"), "{}", reply.text);
    let reply = server.post("/api/v1/webhooks").json(body("a-secret-of-good-length")).send().await;
    assert_eq!(reply.json.get("warnings"), None);
    server.stop().await;
}

#[actix_web::test]
async fn a_bad_webhook_is_refused_and_the_field_is_named() {
    let server = Server::start().await;
    let with = |field: &str, value: Value| {
        let mut body = plain();
        body[field] = value;
        body
    };
    let table = [
        (json!({"events": ["*"]}), "url"),
        (json!({"url": "https://example.com/"}), "events"),
        (with("url", json!("http://example.com/")), "url"),
        (with("url", json!("nonsense")), "url"),
        (with("url", json!(7)), "url"),
        (with("url", json!(null)), "url"),
        (with("events", json!([])), "events"),
        (with("events", json!("*")), "events"),
        (with("events", json!(["ok", "not ok"])), "events[1]"),
        (with("events", json!(["ok", 5])), "events[1]"),
        (with("secret", json!("plain")), "secret"),
        (with("secret", json!(null)), "secret"),
        (with("dialect", json!("klingon")), "dialect"),
        (with("name", json!("")), "name"),
        (with("name", json!("x".repeat(201))), "name"),
        (with("headers", json!({"Host": "x"})), "headers.Host"),
        (with("headers", json!({"X": "a\nb"})), "headers.X"),
        (with("headers", json!({"Webhook-Id": "x"})), "headers.Webhook-Id"),
        (with("headers", json!({"X-A": "1", "x-a": "2"})), "headers.x-a"),
        (with("headers", json!(["X"])), "headers"),
        (with("rate_limit", json!({"per_second": 0})), "rate_limit.per_second"),
        (with("rate_limit", json!({"burst": 1})), "rate_limit"),
        (with("rate_limit", json!({"per_second": 1, "per_minute": 1})), "rate_limit"),
        (with("max_retries", json!(99)), "max_retries"),
        (with("ownership_check", json!("yes")), "ownership_check"),
        (with("rate_limit", json!({"per_second": 1, "x": 1})), "rate_limit.x"),
        (with("max_in_flight", json!(0)), "max_in_flight"),
        (with("timeout", json!(121)), "timeout"),
        (with("timeout", json!(-1)), "timeout"),
        (with("retry", json!({"delays": [1, 99_999_999]})), "retry.delays[1]"),
        (with("retry", json!({})), "retry.delays"),
        (with("success", json!(["1xx"])), "success"),
        (with("enabled", json!("yes")), "enabled"),
        (with("filter", json!("amount > 100")), "filter"),
        (with("filter", json!("@.a], $[?@.b")), "filter"),
        (with("filter", json!("@..a")), "filter"),
        (with("filter", json!("")), "filter"),
        (with("filter", json!({"a": 1})), "filter"),
        (with("colour", json!(1)), "colour"),
    ];
    for (body, field) in table {
        let reply = server.post("/api/v1/webhooks").json(body.clone()).send().await;
        assert_eq!(reply.error(400, "invalid_field"), field, "{body}");
    }
    for body in ["", "[]", "{", "\"x\"", "{} {}"] {
        server.post("/api/v1/webhooks").bytes(body).send().await.error(400, "invalid_json");
    }
    assert_eq!(server.get("/api/v1/webhooks").send().await.data(200), json!([]), "nothing was created");
    server.stop().await;
}

#[actix_web::test]
async fn what_a_change_leaves_out_stays_and_null_resets() {
    let server = Server::start().await;
    let mut body = plain();
    body["timeout"] = json!(9);
    body["name"] = json!("before");
    let path = format!("/api/v1/webhooks/{}", made(&server, body).await);
    server.clock.turn_to(START_MS + 1_000);
    let changed = server.ask("PATCH", &path).json(json!({"name": "after"})).send().await.data(200);
    assert_eq!((&changed["name"], &changed["timeout"]), (&json!("after"), &json!(9)));
    assert_eq!(changed["updated_at"], "2023-11-14T22:13:21.000Z");
    let changed = server.ask("PUT", &path).json(json!({"timeout": null})).send().await.data(200);
    assert_eq!((&changed["name"], &changed["timeout"]), (&json!("after"), &json!(null)));
    let changed = server.ask("PATCH", &path).json(json!({"enabled": false})).send().await.data(200);
    assert_eq!((&changed["status"], &changed["status_reason"]), (&json!("disabled"), &json!("disabled by request")));
    let changed = server.ask("PATCH", &path).json(json!({"enabled": true})).send().await.data(200);
    assert_eq!((&changed["status"], &changed["status_reason"]), (&json!("active"), &json!(null)));
    server.ask("PATCH", &path).json(json!({"dialect": "standard"})).send().await.data(200);
    for (body, field) in [(json!({"dialect": "taskflow"}), "dialect"), (json!({"url": "http://x/"}), "url")] {
        assert_eq!(server.ask("PATCH", &path).json(body).send().await.error(400, "invalid_field"), field);
    }
    server.ask("PATCH", "/api/v1/webhooks/x").json(json!({})).send().await.error(404, "not_found");
    assert_eq!(server.ask("DELETE", &path).send().await.status, 204);
    for method in ["GET", "DELETE"] {
        server.ask(method, &path).send().await.error(404, "not_found");
    }
    server.stop().await;
}

#[actix_web::test]
async fn webhooks_are_listed_newest_first_page_by_page() {
    let server = Server::start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, made(&server, plain()).await);
    }
    let gone = ids.remove(1);
    server.ask("DELETE", &format!("/api/v1/webhooks/{gone}")).send().await;
    let (mut seen, mut query) = (Vec::new(), "limit=3".to_string());
    loop {
        let reply = server.get(&format!("/api/v1/webhooks?{query}")).send().await;
        seen.extend(reply.json["data"].as_array().unwrap().iter().map(id));
        match reply.json["next_cursor"].as_str() {
            Some(cursor) => query = format!("limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    server.stop().await;
}

#[actix_web::test]
async fn a_webhook_is_steered_by_hand() {
    let server = Server::start().await;
    let path = format!("/api/v1/webhooks/{}", made(&server, plain()).await);
    let call = async |verb: &str| server.post(&format!("{path}/{verb}")).send().await;
    let disable =
        async |reason: &str| server.post(&format!("{path}/disable")).json(json!({"reason": reason})).send().await;
    let status = |data: Value| data["status"].as_str().unwrap().to_string();
    assert_eq!(status(call("pause").await.data(200)), "paused");
    call("enable").await.error(409, "wrong_state");
    assert_eq!(status(call("resume").await.data(200)), "active");
    let disabled = disable("moving house").await.data(200);
    assert_eq!((&disabled["status"], &disabled["status_reason"]), (&json!("disabled"), &json!("moving house")));
    let again = disable("other").await.data(200);
    assert_eq!(again["status_reason"], "moving house", "it is disabled already");
    call("pause").await.error(409, "wrong_state");
    call("resume").await.error(409, "wrong_state");
    assert_eq!(status(call("enable").await.data(200)), "active");
    assert_eq!(disable("").await.error(400, "invalid_field"), "reason");
    server.post(&format!("{path}/disable")).send().await.data(200);
    server.stop().await;
}

#[actix_web::test]
async fn a_secret_rotates_and_the_old_one_signs_for_a_while() {
    let server = Server::start().await;
    let created = server.post("/api/v1/webhooks").json(plain()).send().await.data(201);
    let path = format!("/api/v1/webhooks/{}/secret", id(&created));
    let rotated = server.post(&format!("{path}/rotate")).json(json!({"overlap_seconds": 60})).send().await.data(200);
    assert_ne!(rotated["secret"], created["secret"]);
    let previous = json!([{"secret": created["secret"], "until": "2023-11-14T22:14:20.000Z"}]);
    assert_eq!(rotated["previous"], previous);
    assert_eq!(server.get(&path).send().await.data(200), rotated);
    server.clock.turn_to(START_MS + 60_000);
    assert_eq!(server.get(&path).send().await.data(200)["previous"], json!([]));
    for (body, field) in [
        (json!({"overlap_seconds": 2_592_001}), "overlap_seconds"),
        (json!({"secret": "nonsense"}), "secret"),
        (json!({"overlap": 1}), "overlap"),
    ] {
        let reply = server.post(&format!("{path}/rotate")).json(body).send().await;
        assert_eq!(reply.error(400, "invalid_field"), field);
    }
    server.stop().await;
}

#[actix_web::test]
async fn a_dialects_limit_on_webhooks_holds() {
    let server = Server::start().await;
    let body = json!({"url": "https://example.com/", "events": ["*"], "dialect": "taskflow"});
    for _ in 0..10 {
        made(&server, body.clone()).await;
    }
    server.post("/api/v1/webhooks").json(body).send().await.error(409, "webhook_limit");
    made(&server, plain()).await;
    server.stop().await;
}

#[actix_web::test]
async fn an_accounts_own_key_asks_for_no_more_than_the_operator_allows() {
    let server = Server::start().await;
    let own = crate::access::key(&server, "default", &["manage"]).await;
    let with = |more: Value| {
        let mut body = plain();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (most, more, field) in [
        (json!({"max_in_flight": 64}), json!({"max_in_flight": 65}), "max_in_flight"),
        (json!({"timeout": 60}), json!({"timeout": 61}), "timeout"),
    ] {
        let path = format!("/api/v1/webhooks/{}", made(&server, with(more.clone())).await);
        let ask = |method, path: &str, body: &Value| server.ask(method, path).key(&own).json(body.clone()).send();
        ask("POST", "/api/v1/webhooks", &with(most.clone())).await.data(201);
        assert_eq!(ask("POST", "/api/v1/webhooks", &with(more.clone())).await.error(400, "invalid_field"), field);
        // What the operator gave can be sent back as it was shown.
        ask("PUT", &path, &with(more.clone())).await.data(200);
        let further = json!({field: more[field].as_u64().unwrap() + 1});
        assert_eq!(ask("PATCH", &path, &further).await.error(400, "invalid_field"), field);
        ask("PATCH", &path, &most).await.data(200);
        assert_eq!(ask("PATCH", &path, &more).await.error(400, "invalid_field"), field);
    }
    server.stop().await;
}

#[actix_web::test]
async fn an_account_has_so_many_webhooks_and_another_has_its_own() {
    let server = Server::start().await;
    let mut last = String::new();
    for _ in 0..WEBHOOKS_MAX {
        last = made(&server, plain()).await;
    }
    let refused = server.post("/api/v1/webhooks").json(plain()).send().await;
    let message = refused.json["error"]["message"].as_str().unwrap_or_default().to_owned();
    refused.error(409, "quota");
    assert!(message.contains("40 webhooks") && message.contains("(limits.webhooks_max); delete one"), "{message}");
    server.post("/api/v1/accounts").json(json!({"id": "other", "name": "Other"})).send().await.data(201);
    let other = server.post("/api/v1/webhooks").header("Hookwheel-Account", "other").json(plain()).send().await;
    other.data(201);
    let gone = server.ask("DELETE", &format!("/api/v1/webhooks/{last}")).send().await;
    assert_eq!(gone.status.as_u16(), 204);
    made(&server, plain()).await;
    server.stop().await;
}

#[actix_web::test]
async fn an_endpoint_that_does_not_answer_its_check_leaves_the_webhook_unverified() {
    let server = Server::start().await;
    let body = json!({"url": "https://example.com/", "events": ["*"], "ownership_check": true});
    let created = server.post("/api/v1/webhooks").json(body).send().await;
    let warning = created.json["warnings"][0].as_str().unwrap().to_string();
    assert!(warning.contains("no connection: there is no network"), "{warning}");
    let data = created.data(201);
    assert_eq!((&data["status"], &data["enabled"]), (&json!("unverified"), &json!(true)));
    assert_eq!(data["status_reason"], "no connection: there is no network");
    let event = server.post("/api/v1/events").json(json!({"type": "a", "data": 1})).send().await.data(202);
    assert_eq!(event["deliveries"], 0, "nothing is made for an endpoint that never said yes");
    let path = format!("/api/v1/webhooks/{}", id(&data));
    let again = server.post(&format!("{path}/verify")).send().await;
    assert!(again.json["warnings"][0].is_string(), "{}", again.text);
    assert_eq!(again.data(200)["status"], "unverified");
    let change = server.ask("PATCH", &path).json(json!({"ownership_check": false})).send().await.data(200);
    assert_eq!((&change["status"], &change["status_reason"]), (&json!("active"), &json!(null)));
    server.post(&format!("{path}/verify")).send().await.error(409, "wrong_state");
    let event = server.post("/api/v1/events").json(json!({"type": "a", "data": 1})).send().await.data(202);
    assert_eq!(event["deliveries"], 1);
    let change = server.ask("PATCH", &path).json(json!({"ownership_check": true})).send().await.data(200);
    assert_eq!(change["status"], "unverified");
    let event = server.post("/api/v1/events").json(json!({"type": "a", "data": 1})).send().await.data(202);
    assert_eq!(event["deliveries"], 1, "what went out before is held meanwhile, not dropped");
    server.stop().await;
}

#[actix_web::test]
async fn a_check_says_what_was_found() {
    let server = Server::start().await;
    let body = json!({"url": "https://example.com/", "events": ["*"]});
    let webhook = id(&server.post("/api/v1/webhooks").json(body).send().await.data(201));
    let found = server.post(&format!("/api/v1/webhooks/{webhook}/check")).send().await.data(200);
    let unreachable = json!({
        "reachable": false, "tls": null, "status_code": null, "response_time_ms": 1,
        "error": "no connection: there is no network",
    });
    assert_eq!(found, unreachable);
    server.stop().await;
}

#[actix_web::test]
async fn test_events_go_to_webhooks_in_test_mode_alone() {
    let server = Server::start().await;
    let create = |test_mode: bool| json!({"url": "https://example.com/", "events": ["*"], "test_mode": test_mode});
    server.post("/api/v1/webhooks").json(create(true)).send().await.data(201);
    for _ in 0..2 {
        server.post("/api/v1/webhooks").json(create(false)).send().await.data(201);
    }
    for (test, deliveries) in [(true, 1), (false, 2)] {
        let event = json!({"type": "a", "data": 1, "test": test});
        assert_eq!(server.post("/api/v1/events").json(event).send().await.data(202)["deliveries"], deliveries);
    }
    server.stop().await;
}

#[actix_web::test]
async fn max_retries_is_the_short_form_of_retry() {
    let server = Server::start().await;
    let with = |more: Value| {
        let mut body = json!({"url": "https://example.com/", "events": ["*"]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let created = server.post("/api/v1/webhooks").json(with(json!({"max_retries": 2}))).send().await.data(201);
    assert_eq!(created["retry"]["delays"], json!([5, 300]));
    let both = with(json!({"max_retries": 2, "retry": {"delays": [1]}}));
    assert_eq!(server.post("/api/v1/webhooks").json(both).send().await.error(400, "invalid_field"), "max_retries");
    server.stop().await;
}

#[actix_web::test]
async fn only_events_that_a_filter_holds_for_make_a_delivery() {
    let server = Server::start().await;
    let body = json!({"url": "https://example.com/", "events": ["order.*"], "filter": "@.data.amount > 100"});
    let created = server.post("/api/v1/webhooks").json(body).send().await.data(201);
    assert_eq!(created["filter"], "@.data.amount > 100");
    let path = format!("/api/v1/webhooks/{}", id(&created));
    let deliveries =
        async |event: Value| server.post("/api/v1/events").json(event).send().await.data(202)["deliveries"].clone();
    let order = |amount: Value| json!({"type": "order.paid", "data": {"amount": amount}, "actor": {"id": "u"}});
    assert_eq!(deliveries(order(json!(101))).await, 1);
    assert_eq!(deliveries(order(json!(100))).await, 0);
    assert_eq!(deliveries(order(json!("200"))).await, 0);
    assert_eq!(deliveries(json!({"type": "task.paid", "data": {"amount": 101}})).await, 0);
    let batch = server.post("/api/v1/events").json(json!([order(json!(1)), order(json!(1000))])).send().await.data(202);
    assert_eq!((&batch[0]["deliveries"], &batch[1]["deliveries"]), (&json!(0), &json!(1)));

    let change = async |filter: Value| server.ask("PATCH", &path).json(json!({"filter": filter})).send().await;
    assert_eq!(change(json!("@.data.amount >")).await.error(400, "invalid_field"), "filter");
    assert_eq!(server.get(&path).send().await.data(200)["filter"], "@.data.amount > 100", "it stays as it was");
    assert_eq!(
        change(json!("@.actor.id == 'u' && !@.metadata")).await.data(200)["filter"],
        "@.actor.id == 'u' && !@.metadata"
    );
    assert_eq!(deliveries(order(json!(1))).await, 1);
    assert_eq!(deliveries(json!({"type": "order.paid", "data": 1})).await, 0);
    server.ask("PATCH", &path).json(json!({"name": "other"})).send().await.data(200);
    assert_eq!(deliveries(json!({"type": "order.paid", "data": 1})).await, 0, "a change of something else leaves it");

    server.post(&format!("{path}/test")).json(json!({"data": {"amount": 1}})).send().await.data(202);
    let made = server.get(&format!("{path}/deliveries")).send().await.data(200).as_array().unwrap().len();
    assert_eq!(made, 4, "three that it held for, and the test");
    assert_eq!(change(json!(null)).await.data(200)["filter"], json!(null));
    assert_eq!(deliveries(json!({"type": "order.paid", "data": 1})).await, 1);
    server.stop().await;
}

#[actix_web::test]
async fn a_webhooks_own_reply_says_how_its_deliveries_stand() {
    let server = Server::start().await;
    let body = json!({"url": "https://example.com/hook", "events": ["a"]});
    let path = format!("/api/v1/webhooks/{}", id(&server.post("/api/v1/webhooks").json(body).send().await.data(201)));
    let lane = async || server.get(&path).send().await.data(200)["lane"].clone();
    let nothing = json!({"window": 4, "places": 0, "wanted": null, "waits_for": "nothing_to_send", "until": null});
    assert_eq!(lane().await, nothing, "none is open, whatever the lane would wait for");
    server.post("/api/v1/events").json(json!({"type": "a", "data": 1})).send().await.data(202);
    let limited = json!({"window": 4, "places": 0, "wanted": null, "waits_for": "rate_limited", "until": "2023-11-14T22:13:21.000Z"});
    assert_eq!(lane().await, limited);
    server.stop().await;
}

#[actix_web::test]
async fn a_mistake_is_said_once_with_what_is_nearest_and_where_it_is() {
    let server = Server::start().await;
    let url = "https://example.com/hook";
    for (path, body, field, message) in [
        ("/api/v1/events", r#"{"data":1}"#.to_string(), "type", "type: is missing (line 1 column 10)"),
        (
            "/api/v1/events",
            r#"[{"type":"a","data":1},{"type":"a b","data":1}]"#.to_string(),
            "[1].type",
            "[1].type: must be 1 to 200 of the characters A-Z a-z 0-9 _ . : / -, such as \"task.created\"",
        ),
        (
            "/api/v1/events",
            "{\"type\":\"a\",\"data\":1}\n{\"typ\":\"a\",\"data\":1}\n".to_string(),
            "[1].typ",
            "line 2: typ: is not known here; did you mean type? There are: type, data, actor, metadata, id, created_at, \
             channels, test, account (column 6)",
        ),
        (
            "/api/v1/webhooks",
            json!({"url": 7, "events": ["*"]}).to_string(),
            "url",
            "url: must be a text, not the number 7 (line 1 column 8)",
        ),
        (
            "/api/v1/webhooks",
            json!({"url": url, "events": ["*"], "filter": "@.data.amount = 3"}).to_string(),
            "filter",
            "filter: is wrong at character 15, at \"= 3\": no condition as in RFC 9535 goes on so; write it like \
             @.data.amount > 100 && @.type != \"ping\"",
        ),
        (
            "/v2/webhooks",
            json!({"url": url, "events": ["*"], "timeout": "x"}).to_string(),
            "timeout",
            "timeout: must be a whole number from 0 up, not the text \"x\"",
        ),
        (
            "/api/webhooks",
            json!({"name": "n", "url": url, "events": ["*"], "rateLimit": {"perMinut": 1}}).to_string(),
            "rateLimit.perMinut",
            "rateLimit.perMinut: is not known here; did you mean perMinute? There are: perSecond, perMinute, burst",
        ),
    ] {
        let reply = server.post(path).bytes(body).send().await;
        assert_eq!(reply.json["error"]["message"], message);
        assert_eq!(reply.error(400, "invalid_field"), field);
    }
    let unknown = server.post("/api/v1/webhooks").json(json!({"url": url, "event": ["*"]})).send().await;
    let message = unknown.json["error"]["message"].as_str().unwrap_or_default().to_string();
    assert!(message.starts_with("event: is not known here; did you mean events? There are: url, events,"), "{message}");
    let query = server.get("/api/v1/webhooks?limt=3").send().await;
    let message = "limt: is not known here; did you mean limit? There are: text, url, name, event_type, status, dialect, uid, \
                   tag, channel, limit, cursor, order, count";
    assert_eq!(query.json["error"]["message"], message);
    server.stop().await;
}

#[actix_web::test]
async fn a_pause_may_have_an_end_and_said_again_it_is_another() {
    let server = Server::start().await;
    let body = json!({"url": "https://example.com/hook", "events": ["a"]});
    let path = format!("/api/v1/webhooks/{}", id(&server.post("/api/v1/webhooks").json(body).send().await.data(201)));
    let pause = async |how: Value| server.post(&format!("{path}/pause")).json(how).send().await;
    let paused = pause(json!({"seconds": 60})).await.data(200);
    assert_eq!((&paused["status"], &paused["resume_at"]), (&json!("paused"), &json!("2023-11-14T22:14:20.000Z")));
    let paused = pause(json!({"until": "2023-11-14T22:15:20Z"})).await.data(200);
    assert_eq!(paused["resume_at"], "2023-11-14T22:15:20.000Z");
    assert_eq!(pause(json!({})).await.data(200)["resume_at"], Value::Null, "until somebody resumes it");
    for (how, field) in [
        (json!({"seconds": 0}), "seconds"),
        (json!({"seconds": 2_592_001}), "seconds"),
        (json!({"until": "2023-11-14T22:13:20Z"}), "until"),
        (json!({"until": "2024-11-14T22:13:20Z"}), "until"),
        (json!({"until": "2023-11-14T22:15:20Z", "seconds": 1}), "seconds"),
    ] {
        assert_eq!(pause(how).await.error(400, "invalid_field"), field);
    }
    pause(json!({"seconds": 60})).await.data(200);
    server.clock.turn_to(START_MS + 60_000);
    // Whatever is written wakes who lets it go on.
    server.ask("PATCH", &path).json(json!({"name": "x"})).send().await.data(200);
    let mut status = json!("paused");
    for _ in 0..1_000 {
        status = server.get(&path).send().await.data(200)["status"].clone();
        if status == "active" {
            break;
        }
    }
    assert_eq!(status, "active");
    let audit = server.get("/api/v1/audit?action=webhook.resumed").send().await;
    assert_eq!(audit.json["data"].as_array().map(Vec::len), Some(1), "{}", audit.text);
    server.stop().await;
}
