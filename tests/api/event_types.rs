//! Event types that an account writes down itself: the one list of them, what is published held against their schemas, and what
//! a document brings.

use serde_json::{Value, json};

use crate::access::key;
use crate::dead_letters::ended_for;
use crate::server::{EVENT_TYPES_MAX, Reply, Server, id};

const TYPES: &str = "/api/v1/event-types";

/// The schema of an order.
fn order() -> Value {
    json!({"type": "object", "required": ["amount"], "properties": {
        "amount": {"type": "number", "minimum": 0}, "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}}},
        "$defs": {"line": {"type": "object", "properties": {"sku": {"type": "string", "pattern": "^[A-Z]+$"}}}}})
}

async fn create(server: &Server, body: Value) -> Reply {
    server.post(TYPES).json(body).send().await
}

async fn change(server: &Server, name: &str, body: Value) -> Reply {
    server.ask("PATCH", &format!("{TYPES}/{name}")).json(body).send().await
}

async fn publish(server: &Server, body: Value) -> Reply {
    server.post("/api/v1/events").json(body).send().await
}

fn warnings(reply: &Reply) -> Vec<&str> {
    reply.json["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The fields of the faults that a refusal names.
fn faults(reply: &Reply) -> Vec<&str> {
    assert_eq!((reply.status.as_u16(), &reply.json["error"]["code"]), (422, &json!("invalid_data")), "{}", reply.text);
    let all = reply.json["error"]["errors"].as_array().expect("faults").iter();
    all.map(|fault| fault["field"].as_str().expect("a field")).collect()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().filter_map(|row| row["type"].as_str()).collect()
}

#[actix_web::test]
async fn a_type_is_written_down_shown_changed_and_deleted() {
    let server = Server::start().await;
    let body = json!({"type": "order.paid", "description": "An order was paid.", "sample": {"amount": 1.50},
        "schema": order(), "validation": "warn"});
    let made = create(&server, body.clone()).await.data(201);
    assert_eq!(
        (&made["type"], &made["dialect"], &made["validation"]),
        (&json!("order.paid"), &json!(null), &json!("warn"))
    );
    assert_eq!(
        (&made["sample"]["amount"], &made["schema"], &made["retired_at"]),
        (&json!(1.5), &order(), &json!(null))
    );
    assert_eq!(create(&server, body).await.error(409, "event_type_exists"), "type");
    assert_eq!(server.get(&format!("{TYPES}/order.paid")).send().await.data(200), made);
    server.clock.turn_to(server.clock.now() + 1_000);
    let changed = change(&server, "order.paid", json!({"description": null, "validation": null})).await.data(200);
    assert_eq!(
        (&changed["description"], &changed["validation"], &changed["schema"]),
        (&json!(""), &json!(null), &order())
    );
    assert_ne!(changed["updated_at"], made["updated_at"]);
    let refused = change(&server, "order.paid", json!({"sample": {"amount": -1}})).await;
    assert!(refused.text.contains("/amount"), "{}", refused.text);
    assert_eq!(refused.error(400, "invalid_field"), "sample");
    let refused = change(&server, "order.paid", json!({"schema": {"required": ["id"]}})).await;
    assert_eq!(refused.error(400, "invalid_field"), "sample", "what is there does not fit any more");
    change(&server, "order.paid", json!({"sample": null, "schema": {"required": ["id"]}})).await.data(200);
    let log = server.get("/api/v1/audit?target=order.paid").send().await.data(200);
    let deeds: Vec<_> =
        log.as_array().unwrap().iter().map(|entry| (entry["action"].clone(), entry["fields"].clone())).collect();
    assert_eq!(deeds[0], (json!("event_type.changed"), json!(["sample", "schema"])));
    assert_eq!(deeds[2].0, "event_type.created");
    let path = format!("{TYPES}/order.paid");
    assert_eq!(server.ask("DELETE", &path).send().await.status, 204);
    server.get(&path).send().await.error(404, "not_found");
    server.ask("DELETE", &path).send().await.error(404, "not_found");
    change(&server, "order.paid", json!({})).await.error(404, "not_found");
    // A name may have what a path has.
    create(&server, json!({"type": "a/b:c"})).await.data(201);
    assert_eq!(server.get(&format!("{TYPES}/a%2Fb:c")).send().await.data(200)["type"], "a/b:c");
    server.stop().await;
}

#[actix_web::test]
async fn one_list_has_the_accounts_own_types_and_those_of_its_contract() {
    let server = Server::start().await;
    let of_contract = server.get(TYPES).send().await.data(200);
    let documented = names(&of_contract);
    assert!(of_contract.as_array().unwrap().iter().all(|row| row["dialect"] == "standard"), "{of_contract}");
    create(&server, json!({"type": "order.paid"})).await.data(201);
    create(&server, json!({"type": documented[0], "description": "Ours."})).await.data(201);
    let all = server.get(TYPES).send().await.data(200);
    let expected: Vec<&str> =
        [documented[0], "order.paid"].into_iter().chain(documented[1..].iter().copied()).collect();
    assert_eq!(names(&all), expected, "own ones first, the newest first, and each once");
    assert_eq!((&all[0]["description"], &all[0]["dialect"]), (&json!("Ours."), &json!(null)));
    let mut paged = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("{TYPES}?limit=1{cursor}")).send().await.json;
        paged.extend(names(&page["data"]).into_iter().map(String::from));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(paged, expected);
    let oldest = server.get(&format!("{TYPES}?order=oldest")).send().await.data(200);
    assert_eq!(names(&oldest), expected.iter().rev().copied().collect::<Vec<_>>());
    assert_eq!(names(&server.get(&format!("{TYPES}?dialect=standard")).send().await.data(200)), documented);
    change(&server, "order.paid", json!({"retired": true})).await.data(200);
    assert_eq!(names(&server.get(&format!("{TYPES}?retired=true")).send().await.data(200)), ["order.paid"]);
    let in_use = server.get(&format!("{TYPES}?retired=false")).send().await.data(200);
    assert_eq!(names(&in_use), documented);
    assert_eq!(server.get(&format!("{TYPES}?retired=maybe")).send().await.error(400, "invalid_field"), "retired");
    let csv = server.get(TYPES).header("Accept", "text/csv").send().await.text;
    assert_eq!(csv.lines().count(), 1 + expected.len(), "{csv}");
    server.stop().await;
}

#[actix_web::test]
async fn what_does_not_fit_is_told_or_refused_with_the_path_of_each_fault() {
    let server = Server::start().await;
    create(&server, json!({"type": "order.paid", "schema": order()})).await.data(201);
    let wrong = json!({"type": "order.paid", "data": {"amount": "secret", "lines": [{"sku": "A"}, {"sku": "b"}]}});
    let right = json!({"type": "order.paid", "data": {"amount": 1, "lines": [{"sku": "A"}]}});
    assert_eq!(warnings(&publish(&server, wrong.clone()).await), [""; 0], "off, where nobody says otherwise");
    let account = |validation: &str| json!({"validation": validation});
    let shown = server.ask("PATCH", TYPES).json(account("warn")).send().await.data(200);
    assert_eq!(shown["validation"], "warn");
    let warned = publish(&server, wrong.clone()).await;
    assert_eq!(warned.status, 202, "{}", warned.text);
    let told = warnings(&warned);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().any(|text| text.starts_with("data/amount: ")), "{told:?}");
    assert!(
        told.iter().any(|text| text.starts_with("data/lines/1/sku: ")) && !warned.text.contains("secret"),
        "{told:?}"
    );
    assert_eq!(warnings(&publish(&server, right.clone()).await), [""; 0]);

    server.ask("PATCH", "/api/v1/accounts/default").json(account("refuse")).send().await.data(200);
    assert_eq!(server.get("/api/v1/whoami").send().await.data(200)["account"]["validation"], "refuse");
    let refused = publish(&server, wrong.clone()).await;
    let mut at = faults(&refused);
    at.sort_unstable();
    assert_eq!(at, ["data/amount", "data/lines/1/sku"]);
    assert!(!refused.text.contains("secret"), "{}", refused.text);
    let before = server.get("/api/v1/events?count=true").send().await.json["count"].clone();
    let batch = publish(&server, json!([right, right, wrong])).await;
    assert!(faults(&batch).contains(&"[2].data/amount"), "{}", batch.text);
    let lines = format!("{right}\n{wrong}\n");
    let lines = server.post("/api/v1/events").header("Content-Type", "application/x-ndjson").bytes(lines).send().await;
    assert!(faults(&lines).contains(&"[1].data/amount"), "{}", lines.text);
    assert_eq!(
        server.get("/api/v1/events?count=true").send().await.json["count"],
        before,
        "nothing of it was accepted"
    );

    // What a type says goes before what its account says.
    change(&server, "order.paid", json!({"validation": "warn"})).await.data(200);
    assert_eq!(warnings(&publish(&server, wrong.clone()).await).len(), 2);
    change(&server, "order.paid", json!({"validation": "off"})).await.data(200);
    assert_eq!(warnings(&publish(&server, wrong.clone()).await), [""; 0]);
    change(&server, "order.paid", json!({"validation": "refuse"})).await.data(200);
    server.ask("PATCH", TYPES).json(account("off")).send().await.data(200);
    assert_eq!(faults(&publish(&server, wrong).await).len(), 2);
    assert_eq!(
        server.ask("PATCH", TYPES).json(account("maybe")).strange().send().await.error(400, "invalid_field"),
        "validation"
    );
    server.stop().await;
}

#[actix_web::test]
async fn a_large_event_is_asked_about_and_of_many_faults_some_are_told() {
    let server = Server::start().await;
    let schema = json!({"type": "array", "items": {"type": "integer"}});
    create(&server, json!({"type": "long", "schema": schema, "validation": "refuse"})).await.data(201);
    let of = |items: Vec<Value>| json!({"type": "long", "data": items});
    publish(&server, of(vec![json!(1); 20_000])).await.data(202);
    let refused = publish(&server, of(vec![json!("a"); 10_000])).await;
    assert_eq!(faults(&refused).len(), 20, "{}", refused.text);
    let mut late = vec![json!(1); 10_000];
    late.push(json!("a"));
    assert_eq!(faults(&publish(&server, of(late)).await), ["data/10000"]);
    server.stop().await;
}

#[actix_web::test]
async fn a_type_that_nobody_has_written_down_is_refused_only_where_the_account_says_so() {
    let server = Server::start().await;
    let unknown = json!({"type": "order.piad", "data": 1});
    server.ask("PATCH", TYPES).json(json!({"validation": "refuse"})).send().await.data(200);
    assert_eq!(warnings(&publish(&server, unknown.clone()).await), [""; 0], "while no types are written down");
    create(&server, json!({"type": "order.paid"})).await.data(201);
    let refused = publish(&server, json!([{"type": "order.paid", "data": 1}, unknown])).await;
    assert!(refused.text.contains("did you mean \\\"order.paid\\\"?"), "{}", refused.text);
    assert_eq!(refused.error(400, "invalid_field"), "[1].type");
    server.ask("PATCH", TYPES).json(json!({"validation": "warn"})).send().await.data(200);
    let warned = publish(&server, unknown.clone()).await;
    assert!(
        warnings(&warned).iter().any(|text| text.starts_with("type: \"order.piad\" is not among")),
        "{}",
        warned.text
    );
    server.ask("PATCH", TYPES).json(json!({"validation": "off"})).send().await.data(200);
    assert_eq!(warnings(&publish(&server, unknown).await), [""; 0]);
    server.stop().await;
}

#[actix_web::test]
async fn a_retired_type_is_published_with_a_warning_and_so_is_a_webhook_for_it_made() {
    let server = Server::start().await;
    create(&server, json!({"type": "order.paid", "sample": {"n": 7}})).await.data(201);
    let webhook = json!({"url": "https://example.com/hook", "events": ["order.paid"]});
    let made = server.post("/api/v1/webhooks").json(webhook.clone()).send().await;
    assert_eq!(warnings(&made), [""; 0], "{}", made.text);
    let tested = server.post(&format!("/api/v1/webhooks/{}/test", id(&made.json["data"]))).send().await;
    let event = tested.json["data"]["event_id"].as_str().expect("an event").to_string();
    let shown = server.get(&format!("/api/v1/events/{event}")).send().await.data(200);
    assert_eq!(shown["data"], json!({"n": 7}), "the sample of the account's own type");
    let retired = change(&server, "order.paid", json!({"retired": true})).await.data(200);
    assert!(retired["retired_at"].is_string());
    let published = publish(&server, json!({"type": "order.paid", "data": 1})).await;
    assert_eq!((published.status.as_u16(), published.json["data"]["deliveries"].as_u64()), (202, Some(1)));
    assert_eq!(warnings(&published), ["type: \"order.paid\" is retired; use another type"]);
    let made = server.post("/api/v1/webhooks").json(webhook).send().await;
    assert_eq!(warnings(&made), ["events[0]: \"order.paid\" is retired; use another type"]);
    assert!(change(&server, "order.paid", json!({"retired": false})).await.data(200)["retired_at"].is_null());
    assert_eq!(warnings(&publish(&server, json!({"type": "order.paid", "data": 1})).await), [""; 0]);
    server.stop().await;
}

#[actix_web::test]
async fn what_cannot_be_taken_is_refused_and_the_place_is_named() {
    let server = Server::start().await;
    let refused = async |body: Value, field: &str, said: &str| {
        let reply = create(&server, body.clone()).await;
        assert!(reply.text.contains(said), "{body}: {}", reply.text);
        assert_eq!(reply.error(400, "invalid_field"), field, "{body}");
    };
    let of = |schema: Value| json!({"type": "a.b", "schema": schema});
    refused(of(json!({"properties": {"a": {"$ref": "https://example.com/a.json"}}})), "schema", "#/properties/a/$ref")
        .await;
    refused(of(json!({"pattern": "(?=a)"})), "schema", "linear in time").await;
    refused(of(json!({"items": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}})), "schema", "more than 256").await;
    refused(of(json!({"type": "nonsense"})), "schema", "#/type").await;
    refused(of(json!(7)), "schema", "must be a JSON Schema").await;
    refused(of(json!({"const": "x".repeat(32_000)})), "schema", "too long").await;
    refused(json!({"type": "a b"}), "type", "characters").await;
    refused(json!({"type": "a", "sample": [1], "schema": {"items": false}}), "sample", "/0").await;
    refused(json!({"type": "a", "description": "x".repeat(1_001)}), "description", "1000").await;
    // A pattern that takes an engine which goes back for ever.
    let slow = json!({"type": "slow", "schema": {"pattern": "^(a+)+$"}, "validation": "refuse"});
    create(&server, slow).await.data(201);
    let long = publish(&server, json!({"type": "slow", "data": format!("{}b", "a".repeat(50_000))})).await;
    assert_eq!(faults(&long), ["data"]);
    for n in 1..EVENT_TYPES_MAX {
        create(&server, json!({"type": format!("t.{n}")})).await.data(201);
    }
    let over = create(&server, json!({"type": "one.more"})).await;
    assert!(over.text.contains("limits.event_types_max"), "{}", over.text);
    over.error(409, "quota");
    server.stop().await;
}

#[actix_web::test]
async fn they_are_the_accounts_alone_and_go_and_are_exported_with_it() {
    let server = Server::start().await;
    for account in ["acme", "other"] {
        server.post("/api/v1/accounts").json(json!({"id": account, "name": account})).send().await.data(201);
    }
    let (own, other) =
        (key(&server, "acme", &["manage", "publish"]).await, key(&server, "other", &["manage", "publish"]).await);
    let body = json!({"type": "order.paid", "schema": {"type": "object"}, "validation": "refuse"});
    server.post(TYPES).key(&own).json(body.clone()).send().await.data(201);
    server.get(&format!("{TYPES}/order.paid")).key(&other).send().await.error(404, "not_found");
    let list = server.get(TYPES).key(&other).send().await.data(200);
    assert!(!names(&list).contains(&"order.paid"));
    let event = json!({"type": "order.paid", "data": 1});
    server.post("/api/v1/events").key(&other).json(event.clone()).send().await.data(202);
    assert_eq!(server.post("/api/v1/events").key(&own).json(event).send().await.status, 422);
    server.post(TYPES).key(&other).json(body).send().await.data(201);

    let exported = server.get("/api/v1/accounts/acme/export").key(&own).send().await.text;
    let lines: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_kind: Vec<_> = lines.iter().filter(|line| line["kind"] == "event_type").collect();
    assert!(of_kind.len() == 1 && of_kind[0]["type"] == "order.paid", "{exported}");
    assert_eq!(lines.last().unwrap()["event_types"], 1);
    let job = server.ask("DELETE", "/api/v1/accounts/acme").send().await.data(202);
    ended_for(&server, &server.admin, &job).await;
    server.post("/api/v1/accounts").json(json!({"id": "acme", "name": "Again"})).send().await.data(201);
    let again = key(&server, "acme", &["read"]).await;
    assert!(!names(&server.get(TYPES).key(&again).send().await.data(200)).contains(&"order.paid"));
    server.stop().await;
}

#[actix_web::test]
async fn they_are_there_after_a_restart_and_their_schemas_are_asked() {
    let server = Server::start().await;
    create(&server, json!({"type": "order.paid", "schema": order(), "validation": "refuse"})).await.data(201);
    change(&server, "order.paid", json!({"retired": true})).await.data(200);
    let before = server.get(&format!("{TYPES}/order.paid")).send().await.data(200);
    server.ask("PATCH", TYPES).json(json!({"validation": "warn"})).send().await.data(200);
    let server = server.restart().await;
    assert_eq!(server.get(&format!("{TYPES}/order.paid")).send().await.data(200), before);
    assert_eq!(server.get("/api/v1/whoami").send().await.data(200)["account"]["validation"], "warn");
    let refused = publish(&server, json!({"type": "order.paid", "data": {"amount": -1}})).await;
    assert_eq!(faults(&refused), ["data/amount"]);
    server.stop().await;
}

#[actix_web::test]
async fn a_document_brings_its_types_all_or_none() {
    let server = Server::start().await;
    let body = |data: Value, example: Value| {
        let schema = json!({"type": "object", "properties": {"type": {"type": "string"}, "data": data}});
        let media = json!({"schema": schema, "example": {"type": "x", "data": example}});
        json!({"post": {"summary": "It came.", "requestBody": {"content": {"application/json": media}}}})
    };
    let mut document = json!({
        "openapi": "3.1.0", "info": {"title": "Orders", "version": "1"},
        "webhooks": {
            "order.paid": body(json!({"$ref": "#/components/schemas/Order"}), json!({"amount": 1})),
            "order.gone": body(json!({"type": "object"}), json!({})),
        },
        "components": {"schemas": {"Order": order(), "Line": {"type": "object"}}},
    });
    document["components"]["schemas"]["Order"]["properties"]["lines"]["items"] =
        json!({"$ref": "#/components/schemas/Line"});
    create(&server, json!({"type": "order.gone", "validation": "refuse"})).await.data(201);
    change(&server, "order.gone", json!({"retired": true})).await.data(200);
    let dry = server
        .post(&format!("{TYPES}/import"))
        .json(json!({"document": document, "dry_run": true}))
        .send()
        .await
        .data(200);
    let expected = json!({"created": ["order.paid"], "changed": ["order.gone"], "unchanged": [], "dry_run": true});
    assert_eq!(dry, expected);
    server.get(&format!("{TYPES}/order.paid")).send().await.error(404, "not_found");
    let import = async |document: &Value| {
        server.post(&format!("{TYPES}/import")).json(json!({"document": document})).send().await
    };
    assert_eq!(import(&document).await.data(200)["created"], json!(["order.paid"]));
    let paid = server.get(&format!("{TYPES}/order.paid")).send().await.data(200);
    assert_eq!((&paid["description"], &paid["sample"]), (&json!("It came."), &json!({"amount": 1})));
    assert_eq!(paid["schema"]["properties"]["lines"]["items"]["$ref"], "#/$defs/Line");
    let gone = server.get(&format!("{TYPES}/order.gone")).send().await.data(200);
    assert!(gone["retired_at"].is_string() && gone["validation"] == "refuse", "what it does not say stays: {gone}");
    let again = import(&document).await.data(200);
    assert_eq!((&again["unchanged"], &again["changed"]), (&json!(["order.paid", "order.gone"]), &json!([])));
    let log = server.get("/api/v1/audit").send().await.data(200);
    let loaded: Vec<_> =
        log.as_array().unwrap().iter().filter(|entry| entry["action"] == "event_types.loaded").collect();
    assert!(loaded.len() == 1 && loaded[0]["fields"] == json!(["order.paid", "order.gone"]), "{log}");

    let mut broken = document.clone();
    broken["webhooks"]["order.new"] = body(json!({"type": "object"}), json!({}));
    broken["webhooks"]["order.bad"] = body(json!({"$ref": "https://example.com/a.json"}), json!({}));
    let refused = import(&broken).await;
    assert!(refused.text.contains("order.bad"), "{}", refused.text);
    assert_eq!(refused.error(400, "invalid_field"), "document");
    broken["webhooks"]["order.bad"] = body(json!({"pattern": "(?=a)"}), json!({}));
    let field = import(&broken).await.error(400, "invalid_field");
    assert_eq!(field, "document: order.bad: schema");
    server.get(&format!("{TYPES}/order.new")).send().await.error(404, "not_found");
    let schema = json!({"$defs": {"Paid": {"x-event-type": "bill.paid", "type": "object"}}});
    assert_eq!(import(&schema).await.data(200)["created"], json!(["bill.paid"]));
    assert_eq!(import(&json!({"type": "object"})).await.error(400, "invalid_field"), "document");
    server.stop().await;
}
