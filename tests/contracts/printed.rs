//! The guides' verification examples as they are printed: which of them take what is sent, and which cannot, whoever sends.
//! The guide's page of published guides says the same.

use serde_json::{Value, json};

use crate::scene::Scene;
use crate::support::{Answer, Receiver};

/// What the taskflow guide has in its code.
const SECRET: &str = "your_webhook_secret";

/// The contracts, and the header with the signature.
const CONTRACTS: [(&str, &str); 5] = [
    ("daycopilot", "x-daycopilot-signature"),
    ("workspace", "x-webhook-signature"),
    ("taskflow", "x-taskflow-signature"),
    ("hub", "x-hub-signature"),
    ("cathcr", "x-cathcr-signature-256"),
];

#[test]
fn the_guides_examples_verify_or_fail_as_the_readme_says() {
    let Some(mut scene) = Scene::start() else { return };
    let receiver = Receiver::start(|path, message| {
        let is_question = path == "/daycopilot" && message.body.starts_with(br#"{"type":"webhook.verification""#);
        if is_question { Answer::Challenge } else { Answer::Status(200) }
    });
    for (dialect, _) in CONTRACTS {
        let url = receiver.url(&format!("/{dialect}"));
        let webhook = json!({"url": url, "events": ["*"], "secret": SECRET, "dialect": dialect});
        let made = scene.post("/api/v1/webhooks", webhook, 201);
        assert_eq!(made["data"]["status"], "active", "{made}");
    }
    assert_eq!(receiver.next().answer, Answer::Challenge);
    scene.publish_text(r#"{"type": "task.created", "data": {"n": 1.0, "ü": "x", "large": 9007199254740993}}"#);
    let mut arrived = json!({});
    for _ in CONTRACTS {
        let got = receiver.next();
        let (name, header) = CONTRACTS.into_iter().find(|(name, _)| got.path == format!("/{name}")).expect("a path");
        let body = String::from_utf8(got.message.body.clone()).expect("UTF-8");
        arrived[name] = json!({"body": body, "signature": got.header(header), "secret": SECRET});
    }
    let arrived = arrived.to_string();
    let results = |name: &str| serde_json::from_str::<Value>(&scene.program(name, &arrived)).expect("JSON");
    let no_secret = "ERR_INVALID_ARG_TYPE";
    assert_eq!(
        results("printed.mjs"),
        json!({
            "daycopilot, endpoint": no_secret,
            "daycopilot, usage": true,
            // It compares with the bare digest, which is shorter than the header.
            "workspace": "ERR_CRYPTO_TIMING_SAFE_EQUAL_LENGTH",
            "taskflow": true,
            // An integer beyond 2^53 goes out as it was posted there, so only the raw body verifies.
            "taskflow, written again": false,
            "hub": true,
            "cathcr": true,
            "cathcr, error handling": no_secret,
        })
    );
    let python = json!({"taskflow, endpoint": false, "taskflow": true, "cathcr": true});
    assert_eq!(results("printed.py"), python);
}
