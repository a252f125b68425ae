//! Rows about accounts and their keys.

use serde_json::{Value, json};

use super::kit::{account, column, endpoint, id, key, list, publish, until};
use super::support::{Client, Stage};
use super::types::document;

fn made(stage: &mut Stage) -> Value {
    let body = json!({"id": "acme", "name": "Acme", "limits": {"webhooks_max": 3}});
    stage.client.post("/api/v1/accounts", &body).data(201)
}

pub fn create_an_account(stage: &mut Stage) {
    let receiver = endpoint(200);
    assert_eq!(made(stage)["id"], "acme");
    let mut acting = stage.server.client().acting_for("acme");
    let webhook = json!({"url": receiver.url("/"), "events": ["*"]});
    assert_eq!(acting.post("/api/v1/webhooks", &webhook).data(201)["account"], "acme");
    publish(&mut acting, json!({"type": "task.created", "data": 1}));
    receiver.next();
    assert_eq!(list(&mut stage.client, "/api/v1/webhooks"), [Value::Null; 0], "it is no other's");
}

pub fn list_accounts(stage: &mut Stage) {
    made(stage);
    let mut ids = column(&mut stage.client, "/api/v1/accounts", "id");
    ids.sort_by_key(|id| id.as_str().map(str::to_owned));
    assert_eq!(ids, ["acme", "default", "operator"]);
}

pub fn look_at_an_account(stage: &mut Stage) {
    let made = made(stage);
    assert_eq!(stage.client.get("/api/v1/accounts/acme").data(200), made);
    assert_eq!((&made["name"], &made["limits"]["webhooks_max"]), (&json!("Acme"), &json!(3)));
}

pub fn change_an_account(stage: &mut Stage) {
    made(stage);
    let change = json!({"name": "Acme & Sons", "limits": {"webhooks_max": 7}});
    stage.client.request("PATCH", "/api/v1/accounts/acme", change.to_string().as_bytes()).data(200);
    let shown = stage.client.get("/api/v1/accounts/acme").data(200);
    assert_eq!((&shown["name"], &shown["limits"]["webhooks_max"]), (&change["name"], &json!(7)));
}

pub fn delete_an_account(stage: &mut Stage) {
    let mut own = account(stage, "acme");
    let job = id(&stage.client.request("DELETE", "/api/v1/accounts/acme", b"").data(202));
    assert_eq!(stage.client.get("/api/v1/accounts/acme").status, 404);
    assert_eq!(own.get("/api/v1/whoami").status, 401);
    until(&mut stage.client, &format!("/api/v1/jobs/{job}"), |job| job["state"] == "done");
}

pub fn make_a_key(stage: &mut Stage) {
    made(stage);
    let wanted = json!({"scopes": ["read"], "name": "a reader", "expires_at": "2100-01-01T00:00:00.000Z"});
    let made = stage.client.post("/api/v1/accounts/acme/keys", &wanted).data(201);
    for field in ["scopes", "name", "expires_at"] {
        assert_eq!(made[field], wanted[field], "{field}");
    }
    let mut holder = Client::new(stage.server.address, made["key"].as_str().expect("it is shown once"));
    assert_eq!(holder.get("/api/v1/events").status, 200);
    assert_eq!(holder.post("/api/v1/events", &json!({"type": "a", "data": 1})).status, 403);
}

pub fn make_a_key_that_may_only_publish(stage: &mut Stage) {
    let mut publisher = key(stage, "default", &["publish"]);
    publish(&mut publisher, json!({"type": "task.created", "data": 1}));
    for path in ["/api/v1/events", "/api/v1/webhooks", "/api/v1/accounts/default/keys"] {
        assert_eq!(publisher.get(path).status, 403, "{path}");
    }
}

pub fn list_keys(stage: &mut Stage) {
    made(stage);
    for name in ["one", "two"] {
        stage.client.post("/api/v1/accounts/acme/keys", &json!({"scopes": ["read"], "name": name})).data(201);
    }
    let rows = list(&mut stage.client, "/api/v1/accounts/acme/keys");
    let mut names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["one", "two"]);
    assert!(rows.iter().all(|row| row.get("key").is_none_or(Value::is_null)), "none is shown again");
}

/// Makes a key with this scope; gives where it is, and a client that shows it.
fn keyed(stage: &mut Stage, name: &str, scope: &str) -> (String, Client) {
    let wanted = json!({"scopes": [scope], "name": name});
    let made = stage.client.post("/api/v1/accounts/acme/keys", &wanted).data(201);
    let client = Client::new(stage.server.address, made["key"].as_str().expect("a key"));
    (format!("/api/v1/accounts/acme/keys/{}", id(&made)), client)
}

pub fn revoke_a_key(stage: &mut Stage) {
    made(stage);
    let (path, mut holder) = keyed(stage, "a reader", "read");
    assert_eq!(holder.get("/api/v1/events").status, 200);
    assert_eq!(stage.client.request("DELETE", &path, b"").status, 204);
    assert_eq!(holder.get("/api/v1/events").status, 401);
}

pub fn ask_whose_key_it_is(stage: &mut Stage) {
    made(stage);
    let (path, mut holder) = keyed(stage, "a reader", "read");
    let told = holder.get("/api/v1/whoami").data(200);
    assert_eq!((&told["account"]["id"], &told["key"]["name"]), (&json!("acme"), &json!("a reader")));
    assert!(path.ends_with(told["key"]["id"].as_str().expect("an id")));
    assert_eq!(told["is_admin"], false);
}

pub fn let_another_service_manage_the_webhooks(stage: &mut Stage) {
    let receiver = endpoint(200);
    made(stage);
    let (old, mut service) = keyed(stage, "the crm", "manage");
    let webhook = json!({"url": receiver.url("/"), "events": ["*"]});
    service.post("/api/v1/webhooks", &webhook).data(201);
    // Its key is exchanged without a gap.
    let (_, mut renewed) = keyed(stage, "the crm, anew", "manage");
    assert_eq!(stage.client.request("DELETE", &old, b"").status, 204);
    assert_eq!(service.post("/api/v1/webhooks", &webhook).status, 401);
    renewed.post("/api/v1/webhooks", &webhook).data(201);
    assert_eq!(column(&mut stage.client, "/api/v1/accounts/acme/keys", "name"), ["the crm, anew"]);
}

pub fn see_quotas_and_what_is_used_of_them(stage: &mut Stage) {
    let receiver = endpoint(200);
    made(stage);
    let mut acting = stage.server.client().acting_for("acme");
    acting.post("/api/v1/webhooks", &json!({"url": receiver.url("/"), "events": ["*"]})).data(201);
    publish(&mut acting, json!({"type": "task.created", "data": 1}));
    let used = stage.client.get("/api/v1/accounts/acme/usage").data(200);
    assert_eq!(used["webhooks"], json!({"used": 1, "limit": 3}));
    assert_eq!(used["events_per_day"]["used"], 1);
}

pub fn count_events_and_attempts_over_time(stage: &mut Stage) {
    let receiver = endpoint(500);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    for event in ["one", "two"] {
        stage.publish(event);
        stage.ended(&webhook, event);
    }
    let stats = until(&mut stage.client, "/api/v1/stats?step=day", |stats| stats["total"]["failed"] == 2);
    assert_eq!((&stats["total"]["accepted"], &stats["step"]), (&json!(2), &json!("day")));
    let points = stats["points"].as_array().expect("points");
    assert_eq!(points.iter().filter_map(|point| point["attempts"].as_u64()).sum::<u64>(), 2);
}

pub fn export_how_things_are_set_up(stage: &mut Stage) {
    let receiver = endpoint(200);
    stage.webhook(&receiver.url("/"), json!({"name": "mine"}));
    publish(&mut stage.client, json!({"type": "task.created", "id": "e", "data": {"n": 1}}));
    let reply = stage.client.get("/api/v1/accounts/default/export");
    let text = String::from_utf8(reply.message.body).expect("UTF-8");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |kind: &str| lines.iter().find(|line| line["kind"] == kind).unwrap_or_else(|| panic!("no {kind}: {text}"));
    assert_eq!(of("account")["id"], "default");
    assert_eq!((&of("webhook")["name"], &of("webhook")["url"]), (&json!("mine"), &json!(receiver.url("/"))));
    assert_eq!((&of("event")["id"], &of("event")["data"]), (&json!("e"), &json!({"n": 1})));
    assert_eq!(lines.last().expect("lines")["kind"], "end", "it is whole");
}

pub fn set_things_up_from_a_file(stage: &mut Stage) {
    let receiver = endpoint(200);
    stage.client.post("/api/v1/event-types/import", &document()).data(200);
    let webhooks = json!([{"url": receiver.url("/"), "events": ["parcel.sent"], "uid": "crm"}]).to_string();
    stage.client.request("POST", "/api/v1/webhooks/batch", webhooks.as_bytes()).data(200);
    publish(&mut stage.client, json!({"type": "parcel.sent", "data": {"title": "P-1"}}));
    receiver.next();
}

pub fn open_a_portal_for_the_products_users(stage: &mut Stage) {
    made(stage);
    let portal = "/api/v1/accounts/acme/portal";
    let link = stage.client.post(portal, &json!({"abilities": ["view", "test"]})).data(201);
    let url = link["url"].as_str().expect("a link");
    let path = &url[url.find("/portal/enter/").expect("its path")..];
    let page = stage.client.get(path);
    assert_eq!(page.status, 200, "it can be opened");
    let ended = stage.client.request("DELETE", portal, b"").data(200);
    assert_eq!(ended, json!({"sessions": 0, "links": 1}), "and was not used yet");
    assert_eq!(stage.client.get(path).status, 404);
}

pub fn manage_organisations_and_their_members(stage: &mut Stage) {
    made(stage);
    let mut acting = stage.server.client().acting_for("acme");
    let user = json!({"email": "ada@example.com", "name": "Ada", "role": "viewer"});
    let invited = acting.post("/api/v1/users", &user).data(201);
    assert!(invited["link"]["url"].as_str().is_some_and(|url| url.contains("/dashboard/ticket/")), "{invited}");
    let path = format!("/api/v1/users/{}", id(&invited));
    let change = json!({"role": "owner"}).to_string();
    assert_eq!(acting.request("PATCH", &path, change.as_bytes()).data(200)["role"], "owner");
    assert_eq!(acting.get(&path).data(200)["email"], "ada@example.com");
    assert_eq!(column(&mut acting, "/api/v1/users", "id"), [invited["id"].clone()]);
    assert_eq!(list(&mut stage.client, "/api/v1/users"), [Value::Null; 0], "of no other account");
    assert_eq!(acting.request("DELETE", &path, b"").status, 204);
    assert_eq!(acting.get(&path).status, 404);
}
