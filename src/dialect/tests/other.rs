//! A contract unlike the shipped ones, to hold the schema to its promise: another product is another file.

use super::*;
use crate::dialect::{Operation, Page, Route, Rows, TestBody};
use serde_json::{Map, Value, json};

const FILE: &str = r#"
title = "Other"
description = "Everything the shipped dialects do not do."
timeout_seconds = 30
times = "millis"
user_agent = "Other-Webhooks/1.0"
success = ["200", "204-206"]
rate_limit = { per_second = 5 }
retry = { delays = [0, 300] }
secrets = { key = "utf8", prefix = "sk_", bytes_min = 1, bytes_max = 256 }
ids = { webhook = "webhook_", delivery = "delivery_" }
body = { json = "canonical", numbers = "refuse" }

[envelope]
event = "{event.type}"
"10" = true
webhook_id = "{webhook.id}"
link = "https://example.com/hooks/{webhook.uuid}/\"{actor.name}\""
by = "{event.actor}"
list = [1, "x", "{event.id}", "{event.unix}", "at {event.unix}"]
"2" = 0.50
data = "{event.data}"

[headers]
X-Static = "yes"
X-Delivery = "{delivery.uuid}"
X-Try = "{attempt.number}"
X-Created = "{event.unix}"
X-Account = "{account.id}"

[[signature]]
header = "X-Signature"
algorithm = "sha256"
encoding = "hex"
signed = "{attempt.unix}.{delivery.uuid}.{account.id}.{event.unix}.{body}"
value = "t={attempt.unix},v1={signature}"
several = ";"

[[signature]]
header = "X-Old-Signature"
algorithm = "sha256"
encoding = "base64"
signed = "{body}"
value = "{signature}"

[face]
base = "/hooks"
wrap = "webhook"
request = { target = "url", active = "enabled" }
test = "data"
list = { key = "webhooks", paging = "offset", limit_default = 20 }

[face.operations]
create = "POST /"
deliveries = ["GET /{id}/deliveries", "GET /{id}/logs"]
replay = "POST /{id}/replay/{delivery_id}"

[face.webhook]
id = "id"
active = "enabled"
kind = { constant = "webhook" }

[face.deliveries]
rows = "delivery"
list = { key = "deliveries", paging = "offset" }

[face.deliveries.fields]
id = "id"
timestamp = "attempted_at"
status = { of = "success", true = "success", false = "failed" }
"#;

fn other() -> Dialect {
    Dialect::parse("other.toml", FILE).unwrap()
}

#[test]
fn its_body_holds_the_webhook_and_its_keys_are_in_javascripts_order() {
    let event = event("{\"b\":1, \"0\": 1.0}", Some("{\"name\": \"A \\\"B\\\"\"}"), None);
    let (webhook, id) = (webhook().id, event.id);
    let body = format!(
        "{{\"2\":0.5,\"10\":true,\"event\":\"task.created\",\"webhook_id\":\"webhook_{}\",\
         \"link\":\"https://example.com/hooks/{webhook}/\\\"A \\\"B\\\"\\\"\",\"by\":{{\"name\":\"A \\\"B\\\"\"}},\
         \"list\":[1,\"x\",\"{id}\",1707583522,\"at 1707583522\"],\"data\":{{\"0\":1,\"b\":1}}}}",
        webhook.uuid().simple(),
    );
    let sent = send(&other(), &event, &[], NOW).body;
    assert_eq!(sent, body);
    serde_json::from_slice::<Value>(&sent).unwrap();
}

#[test]
fn its_body_may_be_the_data_alone() {
    let start = FILE.find("[envelope]").unwrap();
    let end = FILE.find("[headers]").unwrap();
    let text = format!("envelope = \"{{event.data}}\"\n{}{}", &FILE[..start], &FILE[end..]);
    let dialect = Dialect::parse("bare.toml", &text).unwrap();
    assert_eq!(send(&dialect, &event(" { \"taskId\": \"123\" } ", None, None), &[], NOW).body, "{\"taskId\":\"123\"}");
}

#[test]
fn its_signatures_are_verified_with_the_time_they_carry() {
    let dialect = other();
    let request = send(&dialect, &event("1", None, None), &["new", "old"], NOW);
    assert_eq!(request.header("X-Static").unwrap(), "yes");
    assert_eq!(request.header("X-Try").unwrap(), "1");
    assert_eq!(request.header("X-Created").unwrap(), "1707583522");
    assert_eq!(request.header("X-Account").unwrap(), "acc_123");
    assert_eq!(request.header("User-Agent").unwrap(), "Other-Webhooks/1.0");
    let signature = request.header("X-Signature").unwrap();
    assert_eq!(signature.split(';').filter(|one| one.starts_with("t=1707583522,v1=")).count(), 2, "{signature}");
    let verify = |secret: &str, now| {
        check(&dialect, &|name| request.header(name), &request.body, &[Secret::new(secret)], (now, Some(60)))
    };
    assert_eq!(verify("new", NOW), Ok(()));
    assert_eq!(verify("old", NOW), Err(VerifyError::Mismatch("X-Old-Signature".into())), "it carries the newest alone");
    assert!(matches!(verify("new", NOW + 61_000), Err(VerifyError::WrongTime { late: true, .. })));
}

#[test]
fn its_numbers_are_refused_with_their_path() {
    let error = other().check_numbers("data", b"{\"a\":[0,12345678901234567890]}").unwrap_err();
    assert_eq!(error.field, "data.a[1]");
    assert_eq!(other().check_numbers("data", b"[1.5]"), Ok(Vec::new()));
    let lenient = Dialect::parse("js.toml", &FILE.replace("\"refuse\"", "\"js\"")).unwrap();
    let warnings = lenient.check_numbers("metadata", b"{\"n\":1e999,\"m\":[9007199254740993,1e400]}").unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("metadata.n ") && warnings[0].ends_with(" get null"), "{warnings:?}");
    assert!(
        warnings[1].starts_with("metadata.m[0] ") && warnings[1].ends_with(" get 9007199254740992"),
        "{warnings:?}"
    );
}

#[test]
fn its_face_has_its_own_words() {
    let dialect = other();
    let face = dialect.face.as_ref().unwrap();
    assert_eq!(face.test, TestBody::Data);
    assert_eq!(face.read_test(json!({"taskId": "1"})).unwrap()["data"]["taskId"], "1");
    let object = |value: Value| -> Map<String, Value> { value.as_object().unwrap().clone() };
    let native = face.read(object(json!({"target": "https://a.b", "active": true}))).unwrap();
    assert_eq!(Value::Object(native), json!({"url": "https://a.b", "enabled": true}));
    let invalid = crate::domain::Invalid::new("url", "is not a URL");
    assert_eq!(face.in_its_words(invalid).field, "target");

    let shown = face.webhook(&object(json!({"id": webhook().id.to_string(), "enabled": true})));
    let id = format!("webhook_{}", webhook().id.uuid().simple());
    assert_eq!(shown, json!({"webhook": {"id": id, "active": true, "kind": "webhook"}}));

    let page = Page::Offset { total: 256, limit: 20, offset: 0 };
    let row = json!({"id": null, "timestamp": "2024-02-10T16:45:22.500Z", "status": "failed"});
    let rows = face.rows(&[object(json!({"attempted_at": "2024-02-10T16:45:22.5Z", "success": false}))], &page);
    assert_eq!(rows, json!({"deliveries": [row], "pagination": {"total": 256, "limit": 20, "offset": 0}}));
    assert_eq!((face.deliveries.rows, face.list.limit_default), (Rows::Delivery, 20));
}

#[test]
fn its_calls_are_found_beside_the_others() {
    let mut dialects = Dialects::shipped();
    dialects.add("other.toml", FILE).unwrap();
    let Some(Route::Found(found)) = dialects.route("POST", "/hooks/w/replay/d") else { panic!("no call") };
    assert_eq!((found.operation, found.webhook_id, found.delivery_id), (Operation::Replay, Some("w"), Some("d")));
    for path in ["/hooks/w/deliveries", "/hooks/w/logs"] {
        let Some(Route::Found(found)) = dialects.route("GET", path) else { panic!("no call") };
        assert_eq!(found.operation, Operation::Deliveries);
    }
    assert!(dialects.route("GET", "/v2/webhooks").is_some());
    assert!(matches!(dialects.route("GET", "/hooks"), Some(Route::WrongMethod { .. })));
}
