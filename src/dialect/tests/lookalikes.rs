//! The look-alikes write what their companies document; that their own libraries take it is shown over sockets, in
//! `tests/lookalikes.rs`.

use super::*;
use serde_json::{Value, json};

/// Of those that are compiled in, the ones that look like nobody else's.
const OTHERS: [&str; 6] = ["standard", "cathcr", "daycopilot", "hub", "taskflow", "workspace"];
const SECRETS: [&str; 2] = ["the secret from today on", "the secret until today"];

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

#[test]
fn each_is_verified_by_its_own_rules() {
    for dialect in Dialects::shipped().iter().filter(|dialect| !OTHERS.contains(&dialect.name.as_str())) {
        let name = dialect.name.as_str();
        let secret = dialect.generate_secret(&[3; 32]).unwrap();
        assert_eq!(dialect.check_secret(secret.reveal()), Ok(None), "{name}");
        assert!((3..=6).contains(&dialect.catalogue.len()) && dialect.face.is_none(), "{name}");
        let request = send(dialect, &event("{\"a\": 1.0}", None, None), &[secret.reveal()], NOW);
        let verify =
            |body: &[u8]| check(dialect, &|h| request.header(h), body, std::slice::from_ref(&secret), (NOW, Some(300)));
        assert_eq!(verify(&request.body), Ok(()), "{name}");
        // A few vouch for who sends only.
        match dialect.signature.iter().any(crate::dialect::SignatureRule::signs_body) {
            true => assert!(verify(&[&request.body[..], b" "].concat()).is_err(), "{name}"),
            false => assert!(["mailgun", "cloudevents", "cloudevents_binary"].contains(&name), "{name}"),
        }
        let other = dialect.generate_secret(&[4; 32]).unwrap();
        let mismatch = check(dialect, &|h| request.header(h), &request.body, &[other], (NOW, Some(300)));
        assert!(matches!(mismatch, Err(VerifyError::Mismatch(_))), "{name}: {mismatch:?}");
    }
}

#[test]
fn github_signs_twice_and_sends_the_data_alone() {
    let event = Event { event_type: "push".into(), ..event("{ \"ref\": 1 }", None, None) };
    let request = send(&shipped("github"), &event, &SECRETS, NOW);
    assert_eq!(request.body, "{ \"ref\": 1 }");
    assert_eq!(request.header("X-GitHub-Event").unwrap(), "push");
    assert_eq!(request.header("X-GitHub-Delivery").unwrap(), event.id.delivery_to(1).to_string());
    assert_eq!(request.header("X-GitHub-Hook-ID").unwrap(), webhook().id.to_string());
    assert!(request.header("User-Agent").unwrap().starts_with("GitHub-Hookshot/"));
    assert_eq!(request.header("X-Hub-Signature").unwrap().len(), "sha1=".len() + 40);
    assert_eq!(request.header("X-Hub-Signature-256").unwrap().len(), "sha256=".len() + 64);
}

#[test]
fn stripe_tells_the_time_once_and_signs_with_each_secret() {
    let dialect = shipped("stripe");
    let actor = "{\"request_id\": \"req_1\"}";
    let event = event("{\"id\": \"in_1\"}", Some(actor), None);
    let request = send(&dialect, &event, &SECRETS, NOW);
    let expected = json!({
        "id": format!("evt_{}", event.id.uuid().simple()), "object": "event", "api_version": "2025-03-31.basil",
        "created": NOW / 1000, "data": {"object": {"id": "in_1"}}, "livemode": true, "pending_webhooks": 1,
        "request": {"id": "req_1", "idempotency_key": null}, "type": "task.created",
    });
    assert_eq!(body(&request), expected);
    let header = request.header("Stripe-Signature").unwrap();
    let parts: Vec<_> = header.split(',').map(|part| part.split_once('=').unwrap()).collect();
    assert_eq!(parts.iter().map(|(key, _)| *key).collect::<Vec<_>>(), ["t", "v1", "v1"]);
    assert_eq!(parts[0].1, (NOW / 1000).to_string());

    let verify = |header: &str, secret: &str, now| {
        check(&dialect, &|_| Some(header.to_string()), &request.body, &[Secret::new(secret)], (now, Some(300)))
    };
    for secret in SECRETS {
        assert_eq!(verify(&header, secret, NOW), Ok(()));
        assert!(matches!(verify(&header, secret, NOW + 301_000), Err(VerifyError::WrongTime { .. })));
    }
    let mismatch = Err(VerifyError::Mismatch("Stripe-Signature".into()));
    assert_eq!(verify(&header, "quite another secret", NOW), mismatch);
    let forged = header.replacen(parts[0].1, &(NOW / 1000 + 1).to_string(), 1);
    assert_eq!(verify(&forged, SECRETS[0], NOW), mismatch, "the time is signed");
    for form in ["v1=00", "t=12", "t=,v1=00", "t=x,v1=00", ""] {
        let error = verify(form, SECRETS[0], NOW).unwrap_err().to_string();
        assert!(error.ends_with("does not look like t={attempt.unix},v1={signature}"), "{form}: {error}");
    }
}

#[test]
fn slack_counts_retries_and_not_the_first_attempt() {
    let dialect = shipped("slack");
    let event = event("{\"type\": \"message\"}", None, None);
    let request = send(&dialect, &event, &SECRETS, NOW);
    assert_eq!(request.header("X-Slack-Retry-Num"), None);
    assert_eq!(request.header("X-Slack-Request-Timestamp").unwrap(), (NOW / 1000).to_string());
    let seen = body(&request);
    assert_eq!((&seen["type"], &seen["team_id"]), (&json!("event_callback"), &json!("acc_123")));
    assert_eq!((&seen["event"], &seen["event_time"]), (&json!({"type": "message"}), &json!(NOW / 1000)));
    let webhook = webhook();
    let asked = dialect.ask(dialect.challenge.as_ref().unwrap(), &facts(&event, &webhook, NOW, 1), &[], "xyz");
    assert_eq!(asked.body, br#"{"challenge":"xyz","type":"url_verification"}"#);
    assert_eq!(asked.check(br#"{"challenge":"xyz"}"#), Ok(()));
    let retry = send_attempt(&dialect, &event, &SECRETS, NOW, 3);
    assert_eq!(retry.header("X-Slack-Retry-Num").unwrap(), "2");
    assert_eq!(retry.body, request.body);
}

#[test]
fn shopify_names_topic_shop_and_event() {
    let event = Event { event_type: "orders/create".into(), ..event("[1]", None, None) };
    let request = send(&shipped("shopify"), &event, &SECRETS, NOW);
    assert_eq!(request.body, "[1]");
    for (header, value) in [
        ("X-Shopify-Topic", "orders/create".to_string()),
        ("X-Shopify-Shop-Domain", "acc_123.myshopify.com".into()),
        ("X-Shopify-Webhook-Id", event.id.delivery_to(1).to_string()),
        ("X-Shopify-Event-Id", event.id.to_string()),
        ("X-Shopify-Triggered-At", "2024-02-10T16:45:22.123Z".into()),
    ] {
        assert_eq!(request.header(header), Some(value), "{header}");
    }
    assert_eq!(request.header("X-Shopify-Hmac-Sha256").unwrap().len(), 44);
}
