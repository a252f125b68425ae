//! Who got an event, and why the others did not, as the API tells it.

use serde_json::{Value, json};

use crate::server::{Server, id};

async fn webhook(server: &Server, name: &str, more: Value) -> String {
    let mut body = json!({"url": "https://example.com/hook", "events": ["*"], "name": name});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    id(&server.post("/api/v1/webhooks").json(body).send().await.data(201))
}

/// Of each webhook its name, whether it got it, and why not; the oldest first.
async fn told(server: &Server, event: &str, query: &str) -> Vec<(String, bool, String)> {
    let path = format!("/api/v1/events/{event}/audience?order=oldest{query}");
    let rows = server.get(&path).send().await.data(200);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let row = |row: &Value| (text(&row["name"]), row["got"] == true, text(&row["why"]));
    rows.as_array().unwrap().iter().map(row).collect()
}

#[actix_web::test]
async fn each_webhook_is_told_whether_it_got_an_event_and_why_not() {
    let server = Server::start().await;
    let got = webhook(&server, "got", json!({})).await;
    webhook(&server, "type", json!({"events": ["order.*"]})).await;
    webhook(&server, "channels", json!({"channels": ["b"]})).await;
    webhook(&server, "filter", json!({"filter": "@.data.amount > 100"})).await;
    webhook(&server, "test_mode", json!({"test_mode": true})).await;
    let changed = webhook(&server, "changed", json!({"events": ["order.paid"]})).await;
    let event = json!({"type": "task.done", "id": "e", "data": {"amount": 50}, "channels": ["a"]});
    server.post("/api/v1/events").json(event).send().await.data(202);
    webhook(&server, "made_later", json!({})).await;
    let wider = json!({"events": ["*"]});
    server.ask("PATCH", &format!("/api/v1/webhooks/{changed}")).json(wider).send().await.data(200);

    let all = told(&server, "e", "").await;
    let expected = ["got", "type", "channels", "filter", "test_mode", "changed", "made_later"];
    assert_eq!(all.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(), expected);
    for (name, has_got, why) in &all {
        let reason = if name == "got" { "" } else { name.as_str() };
        assert_eq!((*has_got, why.as_str()), (name == "got", reason), "{name}");
    }
    assert_eq!(told(&server, "e", "&got=true").await, all[..1]);
    assert_eq!(told(&server, "e", "&got=false&limit=2").await, all[1..3]);

    let rows = server.get("/api/v1/events/e/audience?order=oldest").send().await.data(200);
    assert_eq!((&rows[0]["webhook_id"], &rows[0]["state"]), (&json!(got), &json!("pending")));
    let blamed = &rows[3]["comparisons"][0];
    assert_eq!((&blamed["comparison"], &blamed["left"]), (&json!("@.data.amount > 100"), &json!("50")));
    server.get("/api/v1/events/none/audience").send().await.error(404, "not_found");
    let field = server.get("/api/v1/events/e/audience?got=maybe").strange().send().await.error(400, "invalid_field");
    assert_eq!(field, "got");

    server.post("/api/v1/events/e/purge").send().await.data(200);
    let purged = told(&server, "e", "&got=false").await;
    assert_eq!(purged[2], ("filter".into(), false, "purged".into()), "nobody can ask it any more");
    server.stop().await;
}
