//! The faces as the guides show them.

use super::*;
use crate::dialect::{Operation, Page, Route, Rows};
use serde_json::{Map, Value, json};

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn native_webhook() -> Map<String, Value> {
    object(json!({
        "id": webhook().id.to_string(), "account": "default", "dialect": "taskflow",
        "url": "https://yourapp.com/webhooks/taskflow", "events": ["task.created"], "enabled": true,
        "status": "active", "status_reason": null, "created_at": "2024-02-10T15:00:00.987Z",
        "last_attempt_at": null, "success_rate": 0.0,
    }))
}

#[test]
fn taskflow_replies_as_its_guide_shows() {
    let dialect = shipped("taskflow");
    let face = dialect.face.as_ref().unwrap();
    let id = format!("wh_{}", webhook().id.uuid().simple());
    let expected = json!({
        "id": id, "url": "https://yourapp.com/webhooks/taskflow", "events": ["task.created"], "enabled": true,
        "created_at": "2024-02-10T15:00:00Z", "last_triggered": null, "delivery_success_rate": 0.0,
    });
    assert_eq!(face.webhook(&native_webhook()).to_string(), expected.to_string(), "in this order");
    assert_eq!(face.webhooks(&[native_webhook()], &Page::Cursor(None)), json!({ "data": [expected] }));
    let mut made = native_webhook();
    made.insert("secret".into(), json!("generated"));
    assert_eq!(face.webhook(&made)["secret"], "generated");
}

#[test]
fn taskflow_lists_attempts() {
    let dialect = shipped("taskflow");
    let face = dialect.face.as_ref().unwrap();
    let event = event("1", None, None);
    let row = |error: Value, event_id: &str| {
        object(json!({
            "id": event.id.delivery_to(1).to_string(), "attempt_id": format!("{}_2", event.id.delivery_to(1)), "event_id": event_id, "event_type": "task.created",
            "attempted_at": "2024-02-10T16:45:22.999Z", "attempt": 2, "attempts": 2, "status_code": null,
            "response_time_ms": 5000, "success": false, "error": error, "state": "scheduled",
        }))
    };
    let own = event.id.to_string();
    let rows = [row(json!("timed out"), &own), row(Value::Null, "3f2504e0-4f89-41d3-9a0c-0305e82c3301")];
    let shown = face.rows(&rows, &Page::Cursor(Some("next".into())));
    assert_eq!(shown["cursor"], "next");
    assert_eq!(
        shown["data"][0],
        json!({
            "id": format!("del_{}_2", event.id.delivery_to(1).uuid().simple()),
            "event_id": format!("evt_{}", event.id.uuid().simple()), "event_type": "task.created",
            "timestamp": "2024-02-10T16:45:22Z", "attempt": 2, "status_code": null, "response_time_ms": 5000,
            "success": false, "error": "timed out",
        })
    );
    assert_eq!(shown["data"][1]["event_id"], "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "a producer's own id stays");
    assert_eq!(shown["data"][1].get("error"), None);
    assert_eq!(face.deliveries.rows, Rows::Attempt);
}

#[test]
fn taskflow_reads_its_requests() {
    let dialect = shipped("taskflow");
    let face = dialect.face.as_ref().unwrap();
    let body = object(json!({"url": "https://a.b", "events": ["*"], "secret": "s", "enabled": false}));
    assert_eq!(face.read(body.clone()).unwrap(), body);
    let sent_back = object(face.webhook(&native_webhook()));
    let kept: Vec<_> = face.read(sent_back).unwrap().keys().cloned().collect();
    assert_eq!(kept, ["url", "events", "enabled"], "what it shows but does not take is passed over");
    let error = face.read(object(json!({"urls": 1}))).unwrap_err();
    assert_eq!(error.field, "urls");
    assert!(error.message.contains("did you mean url?"), "{error}");
    assert_eq!(face.read_test(json!({"event_type": "a"})).unwrap()["event_type"], "a");
    assert_eq!(face.read_test(Value::Null).unwrap(), Map::new());
    assert!(face.read_test(json!([])).is_err() && face.read_test(json!({"type": "a"})).is_err());
}

#[test]
fn requests_find_their_call() {
    let dialects = Dialects::shipped();
    for (method, path, operation, id) in [
        ("POST", "/v2/webhooks", Operation::Create, None),
        ("GET", "/v2/webhooks", Operation::List, None),
        ("GET", "/v2/webhooks/wh_1", Operation::Get, Some("wh_1")),
        ("PUT", "/v2/webhooks/wh_1", Operation::Update, Some("wh_1")),
        ("PATCH", "/v2/webhooks/wh_1", Operation::Update, Some("wh_1")),
        ("DELETE", "/v2/webhooks/wh_1", Operation::Delete, Some("wh_1")),
        ("POST", "/v2/webhooks/wh_1/test", Operation::Test, Some("wh_1")),
        ("GET", "/v2/webhooks/wh_1/deliveries", Operation::Deliveries, Some("wh_1")),
    ] {
        let Some(Route::Found(found)) = dialects.route(method, path) else { panic!("{method} {path}") };
        assert_eq!((found.dialect.name.as_str(), found.operation, found.webhook_id), ("taskflow", operation, id));
    }
    match dialects.route("DELETE", "/v2/webhooks") {
        Some(Route::WrongMethod { allow }) => assert_eq!(allow, ["POST", "GET"]),
        other => panic!("{other:?}"),
    }
    for path in ["/v2", "/v2/webhooks/", "/v2/webhooks/a/b/c", "/v3/webhooks", "/v2/webhooks/a/other"] {
        assert!(dialects.route("GET", path).is_none(), "{path}");
    }
}
