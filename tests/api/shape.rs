//! What webhooks make of events, and trying that and filters on an event before anybody gets it.

use serde_json::{Value, json};

use crate::access::key;
use crate::server::{Reply, Server, id};

async fn create(server: &Server, more: Value) -> Value {
    let mut body = json!({"url": "https://example.com/hook", "events": ["*"]});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    server.post("/api/v1/webhooks").json(body).send().await.data(201)
}

async fn try_shape(server: &Server, body: Value) -> Reply {
    server.post("/api/v1/shape/try").json(body).send().await
}

async fn try_filter(server: &Server, body: Value) -> Reply {
    server.post("/api/v1/filter/try").json(body).send().await
}

fn order() -> Value {
    json!({"type": "order.paid", "data": {"id": 7, "total": 12.5, "card": "4242"}, "actor": {"id": "u_1"}})
}

#[actix_web::test]
async fn a_webhook_keeps_its_shape_as_it_was_written() {
    let server = Server::start().await;
    let shape = json!({"pick": ["@.data.id"], "set": {"z": 1, "a": "{@.actor.id}"}, "missing": "null"});
    let made = create(&server, json!({"shape": shape})).await;
    assert_eq!(made["shape"], shape);
    let path = format!("/api/v1/webhooks/{}", id(&made));
    let shown = server.get(&path).send().await;
    assert!(shown.text.contains(r#""set":{"z":1,"a":"{@.actor.id}"}"#), "in its order: {}", shown.text);
    let change = async |shape: Value| server.ask("PATCH", &path).json(json!({"shape": shape})).send().await;
    for (wrong, field) in [
        (json!({"drop": ["@.data.a", "$.card"]}), "shape.drop[1]"),
        (json!({"rename": {"@.actor.id": "x"}}), "shape.rename"),
        (json!({"set": {"a": "{@.data.}"}}), "shape.set"),
        (json!({"pik": []}), "shape.pik"),
        (json!({"missing": "none"}), "shape.missing"),
        (json!({"set": {"a": "x".repeat(9000)}}), "shape"),
        (json!([]), "shape"),
        (json!("x"), "shape"),
    ] {
        let reply = server.ask("PATCH", &path).json(json!({"shape": wrong})).send().await;
        assert_eq!(reply.error(400, "invalid_field"), field, "{wrong}");
    }
    assert_eq!(server.get(&path).send().await.data(200)["shape"], shape, "it stays as it was");
    assert_eq!(change(json!({"drop": ["@.data.card"]})).await.data(200)["shape"], json!({"drop": ["@.data.card"]}));
    let entry = server.get("/api/v1/audit?limit=1").send().await.data(200);
    assert_eq!(entry[0]["fields"], json!(["shape"]));
    assert_eq!(change(json!(null)).await.data(200)["shape"], json!(null));
    assert_eq!(create(&server, json!({})).await["shape"], json!(null));
    server.stop().await;
}

#[actix_web::test]
async fn a_shape_is_tried_alone_with_a_dialect_and_with_a_webhook() {
    let server = Server::start().await;
    let shape =
        json!({"drop": ["@.data.card", "@.data.none"], "set": {"by": "{@.actor.id}", "note": "{@.metadata.x}"}});
    let made = try_shape(&server, json!({"shape": shape, "event": order()})).await.data(200);
    assert_eq!(made["data"], json!({"id": 7, "total": 12.5, "by": "u_1"}));
    assert_eq!((&made["body"], &made["error"]), (&json!(null), &json!(null)));
    assert_eq!(made["missing"], json!(["@.data.none", "@.metadata.x"]));
    assert!(
        made["steps"].as_u64() > Some(0) && made["bytes"] == 32 && made["bytes_max"].as_u64() > Some(65_536),
        "{made}"
    );

    let in_dialect = json!({"shape": shape, "dialect": "standard", "event": order()});
    let made = try_shape(&server, in_dialect).await.data(200);
    let body: Value = serde_json::from_str(made["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!((&body["type"], &body["data"]), (&json!("order.paid"), &made["data"]));

    // A webhook's own, and another one in its place.
    let webhook = create(&server, json!({"uid": "own", "shape": {"pick": ["@.data.id"]}})).await;
    for (asked, data) in [
        (json!({"webhook": id(&webhook), "event": order()}), json!({"id": 7})),
        (json!({"webhook": "own", "event": order(), "shape": {"pick": ["@.data.total"]}}), json!({"total": 12.5})),
    ] {
        let made = try_shape(&server, asked).await.data(200);
        let body: Value = serde_json::from_str(made["body"].as_str().expect("a body")).expect("JSON");
        assert_eq!((&made["data"], &body["data"]), (&data, &data));
    }
    // A stored event, as it was published.
    let event = json!({"type": "a", "id": "stored", "data": [1.50, 2]});
    server.post("/api/v1/events").json(event).send().await.data(202);
    let stored = try_shape(&server, json!({"shape": {"pick": ["@.data[0]"]}, "event_id": "stored"})).await;
    assert_eq!(stored.data(200)["data"], json!([1.5]));
    assert_eq!(
        server.get("/api/v1/deliveries?state=pending").send().await.data(200).as_array().map(Vec::len),
        Some(1),
        "that of the published one"
    );
    server.stop().await;
}

#[actix_web::test]
async fn what_cannot_be_tried_is_told_with_its_field() {
    let server = Server::start().await;
    let shape = json!({"drop": ["@.data.card"]});
    for (asked, status, code, field) in [
        (json!({"event": order()}), 400, "invalid_field", "shape"),
        (json!({"shape": shape}), 400, "invalid_field", "event"),
        (json!({"shape": shape, "event": order(), "event_id": "x"}), 400, "invalid_field", "event_id"),
        (json!({"shape": shape, "event_id": "none"}), 404, "not_found", "event_id"),
        (json!({"shape": shape, "event": order(), "webhook": "none"}), 404, "not_found", "webhook"),
        (json!({"shape": shape, "event": order(), "dialect": "none"}), 400, "invalid_field", "dialect"),
        (json!({"shape": shape, "event": {"type": "a b", "data": 1}}), 400, "invalid_field", "event.type"),
        (json!({"shape": {"drop": ["@"]}, "event": order()}), 400, "invalid_field", "shape.drop[0]"),
    ] {
        assert_eq!(try_shape(&server, asked.clone()).await.error(status, code), field, "{asked}");
    }
    let both = create(&server, json!({"uid": "own"})).await;
    let asked = json!({"webhook": id(&both), "dialect": "standard", "event": order(), "shape": shape});
    assert_eq!(try_shape(&server, asked).await.error(400, "invalid_field"), "dialect");
    // More than a shape may make of an event is told as its delivery would tell it.
    let text = "x".repeat(30_000);
    let copies = json!({"shape": {"set": {"a": vec!["{@.data.t}"; 8]}}, "event": {"type": "a", "data": {"t": text}}});
    let made = try_shape(&server, copies).await.data(200);
    assert!(made["error"].as_str().is_some_and(|why| why.starts_with("shape_too_costly: ")), "{made}");
    assert_eq!((&made["data"], &made["body"]), (&json!(null), &json!(null)));
    // What is another account's is not there.
    server.post("/api/v1/accounts").json(json!({"id": "other", "name": "Other"})).send().await.data(201);
    let stranger = key(&server, "other", &["read"]).await;
    for path in ["/api/v1/shape/try", "/api/v1/filter/try"] {
        let asked = json!({"webhook": id(&both), "event": order()});
        assert_eq!(server.post(path).key(&stranger).json(asked).send().await.error(404, "not_found"), "webhook");
    }
    server.stop().await;
}

#[actix_web::test]
async fn a_filter_is_tried_with_what_else_its_webhook_hears() {
    let server = Server::start().await;
    for (more, deaf) in [
        (json!({}), json!(null)),
        (json!({"mode": "pull"}), json!(null)),
        (json!({"test_mode": true}), json!("test_mode")),
        (json!({"notices": {}}), json!("notices")),
    ] {
        let mut body = json!({"events": ["*"], "filter": "@.data.id == 7"});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        if more["mode"].is_null() {
            body["url"] = json!("https://example.com/hook");
        }
        let webhook = server.post("/api/v1/webhooks").json(body).send().await.data(201);
        let asked = json!({"webhook": id(&webhook), "event": order()});
        let tried = try_filter(&server, asked.clone()).await.data(200);
        assert_eq!(
            (&tried["deaf"], &tried["matches"], &tried["holds"]),
            (&deaf, &json!(deaf.is_null()), &json!(true)),
            "{more}"
        );
        // What is held is delivered once it goes on.
        let paused = server.post(&format!("/api/v1/webhooks/{}/pause", id(&webhook))).send().await;
        assert_eq!(paused.status, 200, "{}", paused.text);
        assert_eq!(try_filter(&server, asked).await.data(200)["matches"], json!(deaf.is_null()), "{more}");
    }
    let alone = try_filter(&server, json!({"events": ["*"], "event": order()})).await.data(200);
    assert_eq!((&alone["deaf"], &alone["matches"]), (&json!(null), &json!(true)));
    server.stop().await;
}

#[actix_web::test]
async fn a_filter_that_does_not_hold_says_which_comparison_is_to_blame() {
    let server = Server::start().await;
    let filter = "@.data.total > 100 && (@.data.tenant == \"acme\" || @.data.id == 7)";
    let tried = try_filter(&server, json!({"filter": filter, "events": ["order.*"], "event": order()})).await.data(200);
    assert_eq!(
        (&tried["matches"], &tried["type_matches"], &tried["holds"]),
        (&json!(false), &json!(true), &json!(false))
    );
    let why = json!([{"comparison": "@.data.total > 100", "holds": false, "left": "12.5", "right": "100"}]);
    assert_eq!(tried["why"], why);
    assert_eq!(tried["index"], json!([["@.data.tenant == \"acme\""], ["@.data.id == 7"]]));
    assert!(tried["steps"].as_u64() > Some(0) && tried["steps_max"].as_u64() >= Some(1 << 20), "{tried}");

    let matched = try_filter(&server, json!({"filter": "@.data.total > 10", "event": order()})).await.data(200);
    assert_eq!((&matched["matches"], &matched["why"], &matched["index"]), (&json!(true), &json!([]), &json!(null)));
    let by_type = try_filter(&server, json!({"events": ["task.*"], "event": order()})).await.data(200);
    assert_eq!(
        (&by_type["matches"], &by_type["type_matches"], &by_type["holds"]),
        (&json!(false), &json!(false), &json!(null))
    );

    // As a webhook has it, on a stored event; and another filter in its place.
    let more = json!({"filter": "@.data.id == 8", "channels": ["eu"], "uid": "w"});
    create(&server, more).await;
    let event = json!({"type": "a", "id": "stored", "data": {"id": 8}, "channels": ["us"]});
    server.post("/api/v1/events").json(event).send().await.data(202);
    let tried = try_filter(&server, json!({"webhook": "w", "event_id": "stored"})).await.data(200);
    assert_eq!(
        (&tried["holds"], &tried["channels_match"], &tried["matches"]),
        (&json!(true), &json!(false), &json!(false))
    );
    let tried =
        try_filter(&server, json!({"webhook": "w", "filter": "@.data.id == 9", "event": order()})).await.data(200);
    assert_eq!(tried["holds"], json!(false));
    for (asked, field) in [
        (json!({"event": order()}), "filter"),
        (json!({"filter": "@.a >", "event": order()}), "filter"),
        (json!({"events": ["a b"], "event": order()}), "events[0]"),
        (json!({"events": [], "event": order()}), "events"),
        (json!({"filter": "@.a"}), "event"),
    ] {
        assert_eq!(try_filter(&server, asked.clone()).await.error(400, "invalid_field"), field, "{asked}");
    }
    server.stop().await;
}
