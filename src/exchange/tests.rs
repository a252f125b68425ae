//! Contracts go out and come in again: the same deliveries, byte for byte, and what cannot go is told.

use serde_json::{Value, json};

use super::{Format, Imported, export, import, left_out};
use crate::dialect::{AttemptFacts, Dialect, Dialects, SigningKey};
use crate::docs;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::event::Event;
use crate::domain::id::{EventId, IdSource, WebhookId};
use crate::domain::webhook::{EventFilter, Webhook};

const FORMATS: [Format; 2] = [Format::OpenApi, Format::AsyncApi];
const MARK: &str = "x-hookwheel";
/// 2024-02-10T16:45:22.123Z
const NOW: u64 = 1_707_583_522_123;
/// What no document says of each shipped dialect.
const LEFT: [(&str, &[&str]); 24] = [
    ("cathcr", &["disable", "face"]),
    ("cloudevents", &["disable"]),
    ("cloudevents_binary", &["disable"]),
    ("daycopilot", &["challenge"]),
    ("discord", &["challenge"]),
    ("discord_incoming", &["disable", "url_is_secret"]),
    ("github", &["limits"]),
    ("hub", &["rate_limit", "face"]),
    ("hubspot", &[]),
    ("linear", &[]),
    ("mailgun", &[]),
    ("paddle", &[]),
    ("shopify", &["disable"]),
    ("slack", &["challenge"]),
    ("slack_incoming", &["disable", "url_is_secret"]),
    ("square", &["disable"]),
    ("standard", &["disable"]),
    ("stripe", &["disable", "limits"]),
    ("svix", &["disable"]),
    ("taskflow", &["disable", "limits", "face"]),
    ("teams_incoming", &["disable", "url_is_secret"]),
    ("twilio", &[]),
    ("workspace", &["disable", "face"]),
    ("zoom", &["challenge"]),
];

/// Headers and body of one attempt.
type Sent = (Vec<(String, String)>, Vec<u8>);

/// What goes out for an event of each type, at the first attempt and at a retry.
fn deliveries(dialect: &Dialect) -> Vec<Sent> {
    let url = EndpointUrl::parse("https://example.com/hook", false).expect("a URL");
    let id = WebhookId(IdSource::after(0).next(NOW, 1, || 9));
    let webhook = Webhook { id, ..Webhook::new(1, "", url, vec![EventFilter::All]) };
    let secret = dialect.generate_secret(b"an example for documents, public").expect("one can be made");
    let keys: Vec<SigningKey> = vec![dialect.signing_key(&secret).expect("of its form")];
    let bytes = |text: &str| text.to_string().into();
    let mut sent = Vec::new();
    for known in &dialect.catalogue {
        let event = Event {
            id: EventId(IdSource::after(0).next(NOW, 0, || 7)),
            account: 1,
            name: None,
            event_type: known.name.clone(),
            created_at: NOW,
            data: bytes(known.sample.get()),
            actor: Some(bytes(r#"{"user_id":"u1","name":"Ada","object_id":7,"type":null}"#)),
            metadata: Some(bytes(r#"{"trace":"t1","account_id":"mine"}"#)),
            test: false,
            webhooks: vec![1],
            channels: Vec::new(),
            fingerprint: None,
            trace: None,
        };
        for attempt in [1, 2] {
            let delivery = event.id.delivery_to(1);
            let what =
                AttemptFacts { event: &event, webhook: &webhook, account_id: "acc_1", delivery, attempt, now: NOW + 5 };
            let body = dialect.body(&dialect.prepare(&event, "acc_1"), &what, &keys);
            let mut headers = Vec::new();
            dialect.headers(&what, &body, &keys, &mut headers);
            let text = |value: &actix_web::http::header::HeaderValue| value.to_str().expect("ASCII").to_string();
            sent.push((headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(), body.to_vec()));
        }
    }
    sent
}

fn shipped(name: &str) -> std::sync::Arc<Dialect> {
    Dialects::shipped().get(name).expect("it is shipped").clone()
}

fn parsed(imported: &Imported) -> Dialect {
    assert_eq!(imported.broken, None, "{}", imported.text);
    Dialect::parse("imported.toml", &imported.text).expect("it is not broken")
}

#[track_caller]
fn same_deliveries(one: &Dialect, other: &Dialect, what: &str) {
    let (one, other) = (deliveries(one), deliveries(other));
    assert_eq!(one.len(), other.len(), "{what}");
    for ((headers, body), (other_headers, other_body)) in one.iter().zip(&other) {
        assert_eq!(String::from_utf8_lossy(body), String::from_utf8_lossy(other_body), "{what}");
        assert_eq!(headers, other_headers, "{what}");
    }
}

#[test]
fn every_shipped_contract_comes_back_with_the_same_deliveries() {
    let all = Dialects::shipped();
    assert_eq!(all.iter().count(), LEFT.len());
    for dialect in all.iter() {
        for format in FORMATS {
            let what = format!("{} {format:?}", dialect.name);
            let document = export(dialect, format).expect("it has events").to_string();
            let imported = import(&document).unwrap_or_else(|wrong| panic!("{what}: {wrong}"));
            assert_eq!(
                (imported.guessed.as_slice(), imported.lost.as_slice()),
                ([].as_slice(), [].as_slice()),
                "{what}"
            );
            let back = parsed(&imported);
            same_deliveries(dialect, &back, &what);
            // When and for how long is tried, what is an answer, and all that is written for people.
            assert_eq!((&back.title, &back.description), (&dialect.title, &dialect.description), "{what}");
            assert_eq!((&back.retry, back.timeout_seconds), (&dialect.retry, dialect.timeout_seconds), "{what}");
            assert_eq!((&back.success, &back.secrets), (&dialect.success, &dialect.secrets), "{what}");
            assert_eq!((&back.ids, back.times, back.types), (&dialect.ids, dialect.times, dialect.types), "{what}");
            for (event, known) in back.catalogue.iter().zip(&dialect.catalogue) {
                assert_eq!((&event.name, &event.description), (&known.name, &known.description), "{what}");
                assert_eq!(event.sample.get(), known.sample.get(), "{what}");
                let bare = |mut schema: Value| {
                    schema.as_object_mut().expect("an object").shift_remove("$schema");
                    schema
                };
                assert_eq!(bare(event.schema()), bare(known.schema()), "{what}: {}", known.name);
            }
        }
    }
}

/// A contract that shapes its data.
fn shaped() -> Dialect {
    let text = "title = \"T\"\ndescription = \"T\"\ntimeout_seconds = 5\nretry = { delays = [5] }\n\
        secrets = { key = \"utf8\", bytes_min = 1, bytes_max = 256 }\n\
        shape = { drop = [\"@.data.inner\"], rename = { \"@.data.id\" = \"number\" }, set = { note = \"no {@.data.id}\" } }\n\
        envelope = { type = \"{event.type}\", data = \"{event.data}\" }\n\
        [[event]]\ntype = \"task.made\"\ndescription = \"It was made.\"\nsample = '{\"id\": 7, \"inner\": \"x\"}'\n";
    Dialect::parse("shaped.toml", text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_document_says_of_data_what_receivers_get() {
    let dialect = shaped();
    for format in FORMATS {
        let document = export(&dialect, format).expect("it has an event");
        assert!(!document.to_string().contains("inner"), "{document}");
        let back = parsed(&import(&document.to_string()).expect("a document"));
        assert_eq!(back.catalogue[0].sample.get(), r#"{"number":7,"note":"no 7"}"#);
        same_deliveries(&dialect, &back, &format!("{format:?}"));
    }
    let site = docs::Site { base_url: "https://api.example.com".into(), egress: Vec::new(), https_only: true };
    let page = docs::document(&dialect, &site).to_markdown();
    assert!(page.contains("\"note\": \"no 7\"") && !page.contains("inner"), "{page}");
}

#[test]
fn what_no_document_says_is_told() {
    for (name, keys) in LEFT {
        let told: Vec<String> = left_out(&shipped(name)).into_iter().map(|(key, _)| key).collect();
        let mut expected: Vec<&str> = keys.to_vec();
        expected.sort_unstable();
        let mut sorted = told.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, expected, "{name}");
    }
    let whole = Dialect::parse("whole.toml", include_str!("../dialect/tests/whole.toml")).expect("whole");
    let shaped = shaped();
    assert_eq!(left_out(&shaped).into_iter().map(|(key, _)| key).collect::<Vec<_>>(), ["shape"]);
    let mut told: Vec<String> = left_out(&whole).into_iter().map(|(key, _)| key).collect();
    told.sort_unstable();
    assert_eq!(told, ["challenge", "disable", "face", "limits", "max_in_flight", "rate_limit", "url_is_secret"]);
}

#[test]
fn every_key_that_is_carried_comes_back() {
    let text = include_str!("../dialect/tests/whole.toml")
        // Statuses that are no success elsewhere, and a range that OpenAPI has no word for.
        .replace("success = [\"2xx\", \"304\"]", "success = [\"200-204\", \"304\", \"410\"]");
    let whole = Dialect::parse("whole.toml", &text).expect("whole");
    for format in FORMATS {
        let imported = import(&export(&whole, format).expect("events").to_string()).expect("a document");
        let back = parsed(&imported);
        same_deliveries(&whole, &back, &format!("{format:?}"));
        assert_eq!(back.success, whole.success, "{format:?}");
        assert_eq!(back.schedule(3), whole.schedule(3), "{format:?}");
        let actor = |dialect: &Dialect| dialect.sample_actor.as_ref().map(|actor| actor.get().to_string());
        assert_eq!(actor(&back), actor(&whole));
        // All that differs is what is told of, and that schemas say which draft they are of.
        let told = ["face", "challenge", "disable", "limits", "rate_limit", "max_in_flight", "url_is_secret"];
        for change in crate::dialect::changes(&whole, &back) {
            let is_draft = change.key.starts_with("event (") && change.compatible;
            assert!(is_draft || told.iter().any(|left| change.key.starts_with(left)), "{format:?}: {change:?}");
        }
    }
}

/// The document without anything that is ours alone.
fn without_marks(document: &Value) -> Value {
    match document {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| *name != MARK)
            .map(|(name, value)| (name.clone(), without_marks(value)))
            .collect(),
        Value::Array(items) => items.iter().map(without_marks).collect(),
        plain => plain.clone(),
    }
}

#[test]
fn what_a_field_says_is_taken_from_the_field() {
    let taskflow = shipped("taskflow");
    for format in FORMATS {
        let text = export(&taskflow, format).expect("events").to_string();
        let edited = text
            .replace("X-TaskFlow-Event", "X-Task-Type")
            .replace("X-TaskFlow-Signature", "X-Task-Signature")
            .replace("\"metadata\":{\"type\":\"object\"", "\"meta\":{\"type\":\"object\"")
            .replace("task.created", "task.made")
            .replace("New task created.", "A task came.")
            .replace("Real-time notifications", "Word");
        let imported = import(&edited).expect("a document");
        let back = parsed(&imported);
        assert!(back.sets_header("X-Task-Type") && !back.sets_header("X-TaskFlow-Event"), "{format:?}");
        assert!(back.sets_header("X-Task-Signature") && back.sample("task.made").is_some());
        assert!(back.sample("task.made").is_some_and(|event| event.description.starts_with("A task came.")));
        assert!(back.description.starts_with("Word when"));
        assert!(String::from_utf8_lossy(&deliveries(&back)[0].1).contains("\"meta\":{\"trace\""), "{format:?}");
        // The extension has no copy of what a field says: without it no name is anywhere.
        let mut marks = Vec::new();
        gather_marks(&serde_json::from_str(&text).expect("JSON"), &mut marks);
        let said = marks.join(" ");
        for name in ["X-TaskFlow", "task.created", "TaskFlow", "metadata\"", "triggered_by"] {
            assert!(!said.contains(name), "{format:?}: {name} in {said}");
        }
    }
}

fn gather_marks(document: &Value, out: &mut Vec<String>) {
    match document {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| match name.as_str() {
            MARK => out.push(value.to_string()),
            _ => gather_marks(value, out),
        }),
        Value::Array(items) => items.iter().for_each(|item| gather_marks(item, out)),
        _ => {}
    }
}

#[test]
fn without_marks_a_contract_is_guessed_and_each_guess_told() {
    for format in FORMATS {
        let bare = without_marks(&export(&shipped("standard"), format).expect("events"));
        let imported = import(&bare.to_string()).expect("a document");
        let back = parsed(&imported);
        let (standard, guessed) = (deliveries(&shipped("standard")), deliveries(&back));
        for ((headers, body), (guessed_headers, guessed_body)) in standard.iter().zip(&guessed) {
            assert_eq!(String::from_utf8_lossy(body), String::from_utf8_lossy(guessed_body), "{format:?}");
            let names = |headers: &[(String, String)]| headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            assert_eq!(names(headers), names(guessed_headers), "{format:?}");
            let value = |headers: &[(String, String)], name: &str| {
                headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
            };
            for name in ["webhook-id", "webhook-timestamp", "content-type"] {
                assert_eq!(value(headers, name), value(guessed_headers, name), "{format:?} {name}");
            }
        }
        for told in ["timeout_seconds = 20", "envelope.type: {event.type}", "headers.webhook-id: {event.id}", "secrets"]
        {
            assert!(imported.guessed.iter().any(|guess| guess.starts_with(told)), "{told}: {:?}", imported.guessed);
        }
        let rule = &back.signature[0];
        assert_eq!(rule.signed.to_string(), "{event.id}.{attempt.unix}.{body}");
        assert_eq!((rule.value.to_string().as_str(), rule.several.as_deref()), ("v1,{signature}", Some(" ")));
    }
}

/// As other companies publish theirs: version 3.0 with an extension, references, a schema that holds itself, headers as
/// parameters.
fn others_openapi() -> Value {
    let parameter = |name: &str, example: &str| json!({"name": name, "in": "header", "required": true, "schema": {"type": "string"}, "example": example});
    let call = |action: &str| {
        json!({"post": {
            "summary": format!("A build was {action}."),
            "parameters": [
                {"$ref": "#/components/parameters/agent"},
                parameter("X-Acme-Event", &format!("build.{action}")),
                parameter("X-Acme-Delivery", "0b989ba4-242f-11e5-81e1-c7b6966d2516"),
                parameter("X-Acme-Signature-256", "sha256=6dcb09b5b57875f334f61aebed695e2e4193db5e"),
                parameter("X-Acme-Region", "eu"),
            ],
            "requestBody": {"content": {"application/json": {"schema": {
                "type": "object",
                "required": ["id", "type", "created", "data"],
                "properties": {
                    "id": {"type": "string"},
                    "type": {"type": "string", "enum": [format!("build.{action}")]},
                    "created": {"type": "integer"},
                    "api_version": {"type": "string", "const": "2024-01"},
                    "pending_webhooks": {"type": "integer"},
                    "data": {"$ref": "#/components/schemas/build"},
                },
            }}}},
            "responses": {"200": {"description": "Taken"}, "202": {"description": "Taken"}, "4XX": {"description": "No"}},
        }})
    };
    json!({
        "openapi": "3.0.3",
        "info": {"title": "Acme", "version": "7", "description": "Builds.\nAll of them."},
        "paths": {},
        "x-webhooks": {"build-started": call("started"), "build-done": call("done")},
        "components": {
            "parameters": {"agent": {"name": "User-Agent", "in": "header", "schema": {"type": "string"}, "example": "Acme/1"}},
            "schemas": {
                "build": {
                    "allOf": [
                        {"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "format": "uuid"}}},
                        {"type": "object", "properties": {"parent": {"$ref": "#/components/schemas/build"}, "n": {"type": "integer"}}},
                    ],
                },
            },
        },
    })
}

#[test]
fn a_document_of_somebody_else_gives_a_first_dialect() {
    let imported = import(&others_openapi().to_string()).expect("a document");
    let dialect = parsed(&imported);
    let names: Vec<&str> = dialect.catalogue.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["build.started", "build.done"]);
    assert_eq!((dialect.title.as_str(), dialect.description.as_str()), ("Acme", "Builds.\nAll of them."));
    assert_eq!(Vec::<String>::from(dialect.success.clone()), ["200", "202"]);
    let (headers, body) = &deliveries(&dialect)[0];
    let body: Value = serde_json::from_slice(body).expect("JSON");
    assert_eq!(
        (&body["type"], &body["created"], &body["api_version"]),
        (&json!("build.started"), &json!(NOW / 1000), &json!("2024-01"))
    );
    assert!(body["data"]["id"].is_string() && body["data"]["n"].is_i64(), "{body}");
    let value = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(value("x-acme-event"), Some("build.started"));
    assert!(value("x-acme-signature-256").is_some_and(|text| text.starts_with("sha256=") && text.len() == 71));
    assert!(value("x-acme-delivery").is_some_and(|text| text.len() == 36));
    // Whatever was made up or left is told, and nothing else.
    assert_eq!(
        imported.lost,
        ["the body's pending_webhooks: no fact fills it", "the header X-Acme-Region: no fact fills it"]
    );
    let starts: Vec<&str> =
        imported.guessed.iter().map(|guess| guess.split([':', '=']).next().unwrap_or("").trim()).collect();
    let expected = [
        "envelope.id",
        "envelope.created",
        "envelope.data",
        "timeout_seconds",
        "retry",
        "secrets",
        "headers.X-Acme-Event",
        "headers.X-Acme-Delivery",
        "the signature in X-Acme-Signature-256",
        "the samples of build.started, build.done",
    ];
    assert_eq!(starts, expected);
}

#[test]
fn asyncapi_2_and_payloads_in_their_own_format_are_read() {
    let payload = json!({"type": "object", "properties": {"kind": {"const": "a"}, "n": {"type": "number"}}});
    let two = json!({
        "asyncapi": "2.6.0",
        "info": {"title": "Two", "version": "1"},
        "channels": {"x": {"subscribe": {"message": {"oneOf": [
            {"name": "a.made", "summary": "Made", "payload": payload, "examples": [{"payload": {"kind": "a", "n": 2}}]},
            {"$ref": "#/components/messages/gone"},
        ]}}}},
        "components": {"messages": {"gone": {"messageId": "a.gone", "payload": payload}}},
    });
    let imported = import(&two.to_string()).expect("a document");
    let dialect = parsed(&imported);
    assert_eq!(dialect.catalogue.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["a.made", "a.gone"]);
    assert_eq!(deliveries(&dialect)[0].1, br#"{"kind":"a","n":2}"#, "all of the body is the data");
    let three = json!({
        "asyncapi": "3.0.0",
        "info": {"title": "Three", "version": "1"},
        "channels": {"x": {"messages": {"a.made": {"payload": {"schemaFormat": "application/schema+json", "schema": payload}}}}},
    });
    assert_eq!(parsed(&import(&three.to_string()).expect("a document")).catalogue.len(), 1);
}

#[test]
fn what_is_no_document_is_refused_in_words() {
    for (text, why) in [
        ("openapi: 3.1.0", "yq -o json"),
        ("{}", "neither openapi nor asyncapi"),
        (r#"{"openapi":"2.0"}"#, "OpenAPI 2.0"),
        (r#"{"asyncapi":"1.2.0"}"#, "AsyncAPI 1.2.0"),
        (r#"{"openapi":"3.1.0","paths":{}}"#, "has no event"),
    ] {
        let wrong = import(text).expect_err(text);
        assert!(wrong.contains(why), "{text}: {wrong}");
    }
    let silent = "title = \"S\"\ndescription = \"S\"\ntimeout_seconds = 5\nretry = { delays = [] }\nenvelope = \"{event.data}\"\nsecrets = { key = \"utf8\", bytes_min = 1, bytes_max = 256 }\n";
    let silent = Dialect::parse("silent.toml", silent).expect("a dialect");
    assert!(export(&silent, Format::OpenApi).is_err_and(|wrong| wrong.contains("write [[event]]")));
}

#[test]
fn references_that_lead_in_circles_end() {
    let refer = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let schemas = json!({
        "own": {"allOf": [refer("own"), refer("there")], "properties": {"inner": refer("own"), "n": {"type": "integer"}}},
        "there": refer("back"),
        "back": refer("there"),
        "many": {"allOf": [refer("many"), refer("many"), refer("many")], "properties": {"a": refer("many"), "b": refer("many")}},
        "one": {"oneOf": [refer("one")]},
        "lists": [refer("lists"), refer("lists")],
        "wide": {"type": "object", "properties": {"a": refer("wide"), "b": refer("wide"), "c": refer("wide")}},
    });
    for name in schemas.as_object().expect("schemas").keys() {
        let document = json!({
            "openapi": "3.1.0",
            "info": {"title": "R", "version": "1"},
            "webhooks": {"a.b": {"post": {"requestBody": {"content": {"application/json": {"schema": refer(name)}}}}}},
            "components": {"schemas": schemas},
        });
        let imported = import(&document.to_string()).expect("a document");
        let dialect = parsed(&imported);
        assert_eq!(dialect.catalogue.len(), 1, "{name}");
        assert!(imported.text.len() < 64 * 1024, "{name}: {}", imported.text.len());
    }
}
