//! The five contracts, held to their published guides over real sockets: each API is called as its guide calls it, and
//! what goes out is received and verified by the guide's own example receiver, a process of Node or Python. What these
//! receivers are made with is not part of Rust: see `scripts/test`.

#[path = "../support/mod.rs"]
mod support;

mod cathcr;
mod daycopilot;
mod endpoint;
mod hub;
mod like;
mod printed;
mod promises;
mod scene;
mod taskflow;
mod workspace;

use std::collections::BTreeMap;
use std::net::IpAddr;

use endpoint::{Endpoint, Got};
use like::assert_like;
use scene::{Scene, catalogue};
use serde_json::{Value, json};
use support::{Answer, Receiver, Server};

/// Each contract, its receiver, the path that its guide gives it, and the header with the event's type (or, where there
/// is none, the field of the body).
const CONTRACTS: [(&str, &str, &str, &str); 7] = [
    ("daycopilot", "daycopilot.mjs", "/webhooks/daycopilot", "/type"),
    ("workspace", "workspace.mjs", "/webhooks", "/event"),
    ("taskflow", "taskflow.py", "/webhooks/taskflow", "x-taskflow-event"),
    ("taskflow", "taskflow.mjs", "/webhooks/taskflow", "x-taskflow-event"),
    ("hub", "hub.mjs", "/webhook", "x-event-type"),
    ("cathcr", "cathcr.mjs", "/webhooks/cathcr", "x-cathcr-event"),
    ("cathcr", "cathcr.py", "/webhooks/cathcr", "x-cathcr-event"),
];

/// The one secret that all receivers can share: one of them has it written into its code.
const SECRET: &str = "your_webhook_secret";

fn event_type(got: &Got, place: &str) -> String {
    match place.strip_prefix('/') {
        Some(field) => got.json()[field].as_str().unwrap_or_default().to_owned(),
        None => got.header(place).to_owned(),
    }
}

/// A receiver of each contract, and its webhook for all events.
fn all(scene: &mut Scene) -> Vec<(Endpoint, String)> {
    let make = |(dialect, receiver, path, _): (&str, &str, &str, &str)| {
        let endpoint = scene.endpoint(receiver, SECRET);
        let webhook = json!({"url": endpoint.url(path), "events": ["*"], "secret": SECRET, "dialect": dialect, "rate_limit": {"per_second": 1000}});
        let made = scene.post("/api/v1/webhooks", webhook, 201);
        if dialect == "daycopilot" {
            assert_eq!(endpoint.next().verified().json()["type"], "webhook.verification");
        }
        (endpoint, made["data"]["id"].as_str().expect("an id").to_owned())
    };
    CONTRACTS.map(make).into()
}

#[test]
fn one_event_goes_out_in_all_five_contracts_at_once() {
    let Some(mut scene) = Scene::start() else { return };
    let endpoints = all(&mut scene);
    let reply = scene.publish_text(
        r#"{"type": "task.created", "created_at": "2025-11-02T12:00:00.789Z",
            "data": {"b": 1.0, "a": 1e16, "10": "ä\/", "9": 9007199254740993},
            "actor": {"user_id": "user_1", "email": "a@b.c"}, "metadata": {"region": "eu"}}"#,
    );
    assert_eq!(reply["data"]["deliveries"], 7);
    let js = r#"{"9":9007199254740992,"10":"ä/","b":1,"a":10000000000000000}"#;
    let exact = js.replace("740992", "740993");
    let time = "2025-11-02T12:00:00Z";
    let id = reply["data"]["id"].as_str().expect("an id").to_owned();
    let simple = id.replace('-', "");
    for ((endpoint, webhook), (dialect, receiver, _, place)) in endpoints.iter().zip(CONTRACTS) {
        let webhook = webhook.replace('-', "");
        let expected = match dialect {
            "daycopilot" => format!(
                r#"{{"id":"{id}","type":"task.created","created_at":"{time}","data":{js},"actor":{{"user_id":"user_1","email":"a@b.c"}}}}"#
            ),
            "workspace" => format!(
                r#"{{"event":"task.created","timestamp":"{time}","webhook_id":"webhook_{webhook}","data":{js}}}"#
            ),
            "taskflow" => format!(
                r#"{{"id":"evt_{simple}","type":"task.created","timestamp":"{time}","data":{exact},"metadata":{{"region":"eu","account_id":"default","triggered_by":"user_1"}}}}"#
            ),
            "hub" => js.to_owned(),
            _ => format!(
                r#"{{"event":"task.created","timestamp":"{time}","data":{exact},"webhook_id":"webhook_{webhook}"}}"#
            ),
        };
        let got = endpoint.next().verified();
        assert_eq!(got.body, expected, "{receiver}");
        assert_eq!(event_type(&got, place), "task.created", "{receiver}");
        assert_eq!(got.header("content-type"), "application/json");
    }
    let warnings = reply["warnings"].to_string();
    for dialect in ["daycopilot", "workspace", "hub"] {
        assert!(warnings.contains("data.9") || warnings.contains(dialect), "the path is named: {warnings}");
    }
    let mut faces = BTreeMap::new();
    for (path, list) in
        [("/v1/webhooks", "data"), ("/v2/webhooks", "data"), ("/api/webhooks", "data"), ("/webhooks", "webhooks")]
    {
        faces.insert(path, scene.get(path)[list].as_array().expect("a list").len());
    }
    let served = [("/api/webhooks", 1), ("/v1/webhooks", 1), ("/v2/webhooks", 2), ("/webhooks", 2)];
    assert_eq!(faces, BTreeMap::from(served), "all faces are served with the same key, each with its own webhooks");
    assert_eq!(scene.get("/api/v1/webhooks")["data"].as_array().expect("a list").len(), 7);
}

#[test]
fn a_test_call_of_every_type_of_every_catalogue_arrives_and_verifies() {
    let Some(mut scene) = Scene::start() else { return };
    let endpoints = all(&mut scene);
    for ((endpoint, webhook), (dialect, receiver, _, place)) in endpoints.iter().zip(CONTRACTS) {
        let known = catalogue(dialect);
        assert_eq!(known.len(), CATALOGUES.iter().find(|(name, _)| *name == dialect).expect("it is listed").1.len());
        for (name, sample) in known {
            let test = scene.post(&format!("/api/v1/webhooks/{webhook}/test"), json!({"event_type": name}), 202);
            assert_eq!(test["data"]["event_type"], name.as_str());
            let got = endpoint.next().verified();
            assert_eq!(event_type(&got, place), name, "{receiver}");
            let body = got.json();
            let data = if dialect == "hub" { &body } else { &body["data"] };
            assert_like(data, &sample);
        }
        endpoint.has_no_more();
    }
}

/// The types that each guide lists, in its order.
const CATALOGUES: [(&str, &[&str]); 5] = [
    (
        "daycopilot",
        &[
            "task.created",
            "task.updated",
            "task.deleted",
            "task.completed",
            "task.assigned",
            "task.comment_added",
            "event.created",
            "event.updated",
            "event.deleted",
            "event.attendee_added",
            "event.rsvp_changed",
            "context.created",
            "context.shared",
            "context.updated",
        ],
    ),
    (
        "workspace",
        &[
            "task.created",
            "task.updated",
            "task.completed",
            "task.deleted",
            "task.assigned",
            "project.created",
            "project.updated",
            "project.archived",
            "project.deleted",
            "comment.created",
            "comment.updated",
            "comment.deleted",
            "user.added",
            "user.removed",
            "user.role_changed",
        ],
    ),
    (
        "taskflow",
        &[
            "task.created",
            "task.updated",
            "task.deleted",
            "task.completed",
            "task.assigned",
            "comment.created",
            "workflow.triggered",
        ],
    ),
    ("hub", &["task.created", "task.updated", "task.completed", "task.deleted", "system.maintenance", "system.error"]),
    (
        "cathcr",
        &[
            "thought.created",
            "thought.updated",
            "thought.deleted",
            "category.created",
            "category.updated",
            "category.deleted",
            "reminder.created",
            "reminder.due",
            "reminder.completed",
            "reminder.overdue",
            "ai.processing_started",
            "ai.processing_completed",
            "ai.processing_failed",
            "user.subscription_updated",
            "user.preferences_updated",
        ],
    ),
];

#[test]
fn the_catalogues_are_the_guides() {
    for (dialect, types) in CATALOGUES {
        let names: Vec<String> = catalogue(dialect).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, types, "{dialect}");
    }
}

#[test]
fn a_wrong_secret_is_refused_by_every_receiver() {
    let Some(mut scene) = Scene::start() else { return };
    for (dialect, receiver, path, _) in CONTRACTS {
        let endpoint = scene.endpoint(receiver, SECRET);
        let body =
            json!({"url": endpoint.url(path), "events": ["*"], "dialect": dialect, "secret": "not the same secret"});
        let made = scene.post("/api/v1/webhooks", body, 201);
        if dialect == "daycopilot" {
            assert_eq!(made["data"]["status"], "unverified");
        } else {
            let test = json!({"event_type": "task.created", "data": Value::Object(Default::default())});
            scene.post(&format!("/api/v1/webhooks/{}/test", made["data"]["id"].as_str().expect("an id")), test, 202);
        }
        assert_eq!(endpoint.next().status, 401, "{receiver}");
    }
}

#[test]
fn an_endpoint_that_does_not_answer_is_given_the_guides_time() {
    let Some(mut scene) = Scene::start() else { return };
    let hanging = Receiver::start(|_, _| Answer::Hang);
    let silent = scene.endpoint("daycopilot.mjs", SECRET);
    let contracts = [("daycopilot", 5), ("workspace", 5), ("taskflow", 5), ("hub", 10), ("cathcr", 30)];
    let made = contracts.map(|(dialect, seconds)| {
        let asked = dialect == "daycopilot";
        let url = if asked { silent.url("/webhooks/daycopilot") } else { hanging.url("/") };
        let retry = json!({"delays": [900], "jitter_percent": 0});
        let body = json!({"url": url, "events": ["*"], "secret": SECRET, "dialect": dialect, "retry": retry});
        let webhook = scene.post("/api/v1/webhooks", body, 201)["data"]["id"].as_str().expect("an id").to_owned();
        (dialect, webhook, seconds)
    });
    // This one is asked whether it wants deliveries, and goes silent after that.
    assert_eq!(silent.next().verified().json()["type"], "webhook.verification");
    silent.freeze();
    let event = scene.publish(json!({"type": "task.created", "data": {}}));
    for (dialect, webhook, seconds) in &made {
        let id = scene.delivery_of(&event, webhook);
        let shown = scene.delivery_within(&id, 1, 40);
        let attempt = &shown["attempts"][0];
        assert_eq!((&attempt["outcome"], &attempt["status_code"]), (&json!("timeout"), &Value::Null), "{dialect}");
        let took = attempt["response_time_ms"].as_u64().expect("a duration");
        assert!((seconds * 1000..seconds * 1000 + 3000).contains(&took), "{dialect}: {took} ms");
        assert!(attempt["error"].is_string());
    }
    // No answer: every history says so with a null and an error.
    let [daycopilot, _, taskflow, hub, cathcr] = made.each_ref().map(|(_, webhook, _)| webhook);
    let first_row = |reply: &Value| reply.as_object().and_then(|all| all.values().next()).expect("rows")[0].clone();
    for (path, code, error) in [
        (format!("/api/v1/webhooks/{daycopilot}/logs"), "status_code", "last_error"),
        (format!("/v2/webhooks/{taskflow}/deliveries"), "status_code", "error"),
        (format!("/api/webhooks/{hub}/deliveries"), "statusCode", "error"),
        (format!("/webhooks/{cathcr}/deliveries"), "status_code", "error"),
    ] {
        let row = first_row(&scene.get(&path));
        assert_eq!(row.get(code), Some(&Value::Null), "{row}");
        assert!(row[error].is_string(), "{row}");
    }
}

#[test]
fn a_face_has_only_webhooks_of_its_own_and_understands_every_spelling() {
    let Some(mut scene) = Scene::start() else { return };
    let faces = [
        ("workspace", "/v1/webhooks"),
        ("taskflow", "/v2/webhooks"),
        ("hub", "/api/webhooks"),
        ("cathcr", "/webhooks"),
    ];
    for (dialect, base) in faces {
        let body = json!({"url": "https://example.com/", "events": ["*"], "secret": SECRET});
        let made = scene.post(base, body, 201);
        let id = made.get("data").unwrap_or(&made)["id"].as_str().expect("an id").to_owned();
        let digits = id.rsplit('_').next().expect("a part").replace('-', "");
        let uuid = uuid::Uuid::try_parse(&digits).expect("a UUID").to_string();
        for spelled in [&id, &digits, &uuid, &format!("wh_{digits}"), &format!("webhook_{uuid}")] {
            let reply = scene.get(&format!("{base}/{spelled}"));
            assert_eq!(reply.get("data").unwrap_or(&reply)["id"], id.as_str(), "{spelled}");
            assert_eq!(scene.get(&format!("/api/v1/webhooks/{spelled}"))["data"]["dialect"], dialect);
            for (_, other) in faces.iter().filter(|(_, other)| *other != base) {
                for (method, body) in [("GET", Value::Null), ("PATCH", json!({})), ("DELETE", Value::Null)] {
                    scene.ask(method, &format!("{other}/{spelled}"), body, 404);
                }
            }
        }
    }
}

#[test]
fn secrets_may_be_short_with_a_warning_and_are_bounded() {
    let Some(mut scene) = Scene::start() else { return };
    for (dialect, ..) in CATALOGUES {
        let mut create = |secret: &str, status| {
            let body = json!({"url": "https://127.0.0.1:9/", "events": ["*"], "dialect": dialect, "secret": secret});
            scene.post("/api/v1/webhooks", body, status)
        };
        let short = create("test-secret", 201);
        assert!(short["warnings"].to_string().contains("the secret is short"), "{short}");
        assert_eq!(create(&"x".repeat(16), 201)["data"]["dialect"], dialect);
        create(&"x".repeat(256), 201);
        for wrong in ["", &"x".repeat(257)] {
            assert_eq!(create(wrong, 400)["error"]["field"], "secret");
        }
    }
}

#[test]
fn without_dev_only_https_is_taken() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start_strict(dir.path(), &[("HOOKWHEEL__DELIVER__BUILTIN_DIALECTS", "*")]);
    let mut client = server.client();
    for base in ["/api/v1/webhooks", "/v1/webhooks", "/v2/webhooks", "/api/webhooks", "/webhooks"] {
        let reply = client.post(base, &json!({"url": "http://example.com/", "events": ["*"]}));
        let error = &reply.json()["error"];
        assert_eq!((reply.status, &error["code"], &error["field"]), (400, &json!("invalid_field"), &json!("url")));
        assert!(error["message"].as_str().is_some_and(|text| text.contains("https://")), "{error}");
        assert_eq!(client.post(base, &json!({"url": "https://example.com/", "events": ["*"]})).status, 201);
    }
}

#[test]
fn every_sample_fits_its_schema() {
    let Some(mut scene) = Scene::start() else { return };
    let names: Vec<String> = hookwheel::dialect::Dialects::shipped().names().map(str::to_owned).collect();
    let types = |name: &String| scene.get(&format!("/api/v1/event-types?dialect={name}"));
    let replies: Vec<Value> = names.iter().map(types).collect();
    let all: usize = replies.iter().map(|reply| reply["data"].as_array().expect("a list").len()).sum();
    let lines: String = replies.iter().map(|reply| format!("{reply}\n")).collect();
    assert_eq!(scene.program("check_schemas.py", &lines), format!("{all}\n"));
    assert!(all >= 57, "the five guides alone have 57");
}

#[test]
fn the_addresses_that_requests_come_from_are_published() {
    // The guides' own, and one of this machine, which requests then come from.
    let guides = ["203.0.113.0/24", "198.51.100.0/24", "52.89.214.238/32", "127.0.0.9/32"];
    let Some(mut scene) = Scene::start_with(&[("HOOKWHEEL__DELIVER__EGRESS", &guides.join(","))]) else { return };
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    for (dialect, ..) in CATALOGUES {
        let shown = scene.get(&format!("/api/v1/dialects/{dialect}"));
        assert_eq!(shown["data"]["egress"], json!(guides), "{dialect}");
        let document = scene.client.get(&format!("/docs/webhooks/{dialect}?format=markdown"));
        let text = String::from_utf8(document.message.body).expect("UTF-8");
        assert!(guides.iter().all(|address| text.contains(address.trim_end_matches("/32"))), "{dialect}");
    }
    scene.post("/v1/webhooks", json!({"url": receiver.url("/"), "events": ["*"]}), 201);
    scene.publish(json!({"type": "task.created", "data": {}}));
    assert_eq!(receiver.next().peer, IpAddr::from([127, 0, 0, 9]));
}
