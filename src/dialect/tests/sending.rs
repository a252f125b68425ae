//! What the shipped dialects send, byte for byte, and that a receiver can verify it.

use proptest::prelude::*;

use super::canonical::any_json;
use super::*;
use crate::dialect::{Numbers, canonical};
use crate::domain::disable::After;
use crate::domain::time;

const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[test]
fn standard_signs_the_published_vector() {
    let dialect = Dialect::parse(
        "vector.toml",
        &include_str!("../standard.toml")
            .replace("[envelope]\ntype = \"{event.type}\"\ntimestamp = \"{event.time}\"\ndata = \"{event.data}\"", "")
            .replacen("timeout_seconds", "envelope = \"{event.data}\"\ntimeout_seconds", 1),
    )
    .unwrap();
    let event =
        Event { name: Some("msg_p5jXN8AQM9LWM0D4loKWxJek".into()), ..event("{\"test\": 2432232314}", None, None) };
    let request = send(&dialect, &event, &[STANDARD_SECRET], 1_614_265_330_000);
    assert_eq!(request.body, "{\"test\": 2432232314}");
    assert_eq!(request.header("webhook-id").unwrap(), "msg_p5jXN8AQM9LWM0D4loKWxJek");
    assert_eq!(request.header("webhook-timestamp").unwrap(), "1614265330");
    assert_eq!(request.header("webhook-signature").unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn standard_sends_the_producers_bytes_and_one_signature_for_each_secret() {
    let dialect = shipped("standard");
    let other = dialect.generate_secret(&[7; 32]).unwrap();
    let event = event("{ \"b\": 1.0,\n \"1\": 1e400 }", None, None);
    let request = send(&dialect, &event, &[STANDARD_SECRET, other.reveal()], NOW);
    let body =
        "{\"type\":\"task.created\",\"timestamp\":\"2024-02-10T16:45:22Z\",\"data\":{ \"b\": 1.0,\n \"1\": 1e400 }}";
    assert_eq!(request.body, body);
    assert_eq!(request.header("webhook-id").unwrap(), event.public_id());
    assert_eq!(request.header("content-type").unwrap(), "application/json");
    assert!(request.header("user-agent").unwrap().starts_with("Hookwheel/"));
    let signatures = request.header("webhook-signature").unwrap();
    assert_eq!(signatures.split(' ').filter(|one| one.starts_with("v1,")).count(), 2);
    for secret in [STANDARD_SECRET, other.reveal()] {
        verify(&dialect, &request, &request.body, secret, NOW).unwrap();
    }
}

#[test]
fn taskflow_sends_what_its_guide_shows() {
    let dialect = shipped("taskflow");
    let event = event(
        "{\"title\": \"Deploy to production\", \"n\": 1.0, \"big\": 12345678901234567890}",
        Some("{\"user_id\": \"user_456\"}"),
        Some("{\"source\": [1.50], \"account_id\": \"mine\", \"2\": null}"),
    );
    let request = send(&dialect, &event, &["hush"], NOW);
    let id = event.id.uuid().simple();
    let body = format!(
        "{{\"id\":\"evt_{id}\",\"type\":\"task.created\",\"timestamp\":\"2024-02-10T16:45:22Z\",\
         \"data\":{{\"title\":\"Deploy to production\",\"n\":1,\"big\":12345678901234567890}},\
         \"metadata\":{{\"2\":null,\"source\":[1.5],\"account_id\":\"acc_123\",\"triggered_by\":\"user_456\"}}}}"
    );
    assert_eq!(request.body, body);
    assert_eq!(request.header("X-TaskFlow-Event").unwrap(), "task.created");
    let delivery = event.id.delivery_to(1).uuid().simple().to_string();
    assert_eq!(request.header("X-TaskFlow-Delivery-ID").unwrap(), format!("del_{delivery}_1"));
    let signature = request.header("X-TaskFlow-Signature").unwrap();
    let digits = signature.strip_prefix("sha256=").unwrap();
    assert!(digits.len() == 64 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
}

/// RFC 4231, test case 2: the key and the data are text.
#[test]
fn taskflow_signs_with_the_secrets_own_bytes() {
    let dialect = shipped("taskflow");
    let header = |name: &str| {
        let signature = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        name.eq_ignore_ascii_case("X-TaskFlow-Signature").then(|| signature.to_string())
    };
    let body = b"what do ya want for nothing?";
    assert_eq!(check(&dialect, &header, body, &[Secret::new("Jefe")], (NOW, Some(300))), Ok(()));
}

#[test]
fn without_actor_and_metadata_taskflow_says_null_and_adds_its_own() {
    let request = send(&shipped("taskflow"), &event("[]", None, None), &[], NOW);
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["metadata"].to_string(), r#"{"account_id":"acc_123","triggered_by":null}"#);
    assert_eq!(request.header("X-TaskFlow-Signature"), None, "without a key nothing is signed");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_taskflow_body_survives_being_parsed_and_written_again(data in any_json(), metadata in any_json()) {
        let metadata = format!("{{\"7\":1,\"account_id\":0,\"m\":{metadata},\"0\":2,\"7\":{metadata}}}");
        let body = send(&shipped("taskflow"), &event(&data, None, Some(&metadata)), &[], NOW).body;
        let mut again = Vec::new();
        canonical(&body, Numbers::Exact, &mut again);
        prop_assert_eq!(&body, &again);
    }
}

#[test]
fn a_producers_own_event_id_is_shown_as_it_is() {
    for name in ["standard", "taskflow"] {
        let dialect = shipped(name);
        assert_eq!(dialect.event_id(&Event { name: Some("order-7".into()), ..event("1", None, None) }), "order-7");
    }
}

fn verify(dialect: &Dialect, request: &Request, body: &[u8], secret: &str, now: u64) -> Result<(), VerifyError> {
    check(dialect, &|name| request.header(name), body, &[Secret::new(secret)], (now, Some(300)))
}

#[test]
fn a_receiver_accepts_what_was_sent_and_nothing_else() {
    for name in ["standard", "taskflow"] {
        let dialect = shipped(name);
        let secret = dialect.generate_secret(&[1; 32]).unwrap();
        let other = dialect.generate_secret(&[2; 32]).unwrap();
        let request = send(&dialect, &event("{\"a\":1}", None, None), &[secret.reveal()], NOW);
        assert_eq!(verify(&dialect, &request, &request.body, secret.reveal(), NOW), Ok(()), "{name}");
        assert_eq!(
            check(&dialect, &|n| request.header(n), &request.body, &[other.clone(), secret.clone()], (NOW, None)),
            Ok(())
        );

        let mut changed = request.body.to_vec();
        changed[3] ^= 1;
        let mismatch = |result| matches!(result, Err(VerifyError::Mismatch(_)));
        assert!(mismatch(verify(&dialect, &request, &changed, secret.reveal(), NOW)));
        assert!(mismatch(verify(&dialect, &request, &request.body, other.reveal(), NOW)));
        assert!(mismatch(check(&dialect, &|n| request.header(n), &request.body, &[], (NOW, None))));
        let missing = check(&dialect, &|_| None, &request.body, &[secret], (NOW, None)).unwrap_err();
        assert!(matches!(missing, VerifyError::MissingHeader(_)), "{missing}");
    }
}

#[test]
fn an_old_timestamp_is_refused_where_the_contract_sends_one() {
    let (standard, taskflow) = (shipped("standard"), shipped("taskflow"));
    let request = send(&standard, &event("1", None, None), &[STANDARD_SECRET], NOW);
    for (now, late) in [(NOW + 301_000, true), (NOW - 301_000, false)] {
        let error = verify(&standard, &request, &request.body, STANDARD_SECRET, now).unwrap_err();
        assert_eq!(error, VerifyError::WrongTime { seconds: 301, late, allowed: 300 });
    }
    assert_eq!(verify(&standard, &request, &request.body, STANDARD_SECRET, NOW + 300_000), Ok(()));
    let request = send(&taskflow, &event("1", None, None), &["hush"], NOW);
    assert_eq!(verify(&taskflow, &request, &request.body, "hush", NOW + time::DAY_MS), Ok(()));
}

#[test]
fn a_signature_header_of_another_form_is_named() {
    let dialect = shipped("taskflow");
    let error = check(&dialect, &|_| Some("md5=abc".into()), b"{}", &[Secret::new("hush")], (NOW, None)).unwrap_err();
    assert_eq!(error.to_string(), "the header X-TaskFlow-Signature does not look like sha256={signature}");
}

#[test]
fn secrets_are_checked_and_never_printed() {
    let (standard, taskflow) = (shipped("standard"), shipped("taskflow"));
    assert_eq!(standard.check_secret(STANDARD_SECRET), Ok(None));
    for bad in ["", "hush", "whsec_", "whsec_!!!", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
        assert_eq!(standard.check_secret(bad).unwrap_err().field, "secret", "{bad}");
    }
    assert_eq!(taskflow.check_secret("a secret of 20 bytes"), Ok(None));
    assert!(taskflow.check_secret("test-secret").unwrap().unwrap().contains("11 bytes"));
    assert!(taskflow.check_secret("").is_err() && taskflow.check_secret(&"x".repeat(257)).is_err());
    for dialect in [standard, taskflow] {
        let secret = dialect.generate_secret(&[255; 32]).unwrap();
        assert_eq!(dialect.check_secret(secret.reveal()), Ok(None));
        assert_eq!(format!("{:?}", dialect.signing_key(&secret).unwrap()), "SigningKey(…)");
    }
}

#[test]
fn the_rules_are_those_of_the_guides() {
    let (standard, taskflow) = (shipped("standard"), shipped("taskflow"));
    assert_eq!(taskflow.retry.delay_seconds, [5, 30, 300, 3600, 21600]);
    assert_eq!(
        (taskflow.timeout_seconds, taskflow.disable.after, taskflow.disable.gone),
        (5, After::Attempts(5), false)
    );
    assert_eq!(taskflow.limits.webhooks_per_account, Some(10));
    assert_eq!(taskflow.limits.first_attempts_per_day, Some(1000));
    assert!(standard.disable.gone && standard.disable.after == After::Never);
    assert!((15..=30).contains(&standard.timeout_seconds));
    let types: Vec<_> = taskflow.catalogue.iter().map(|known| known.name.as_str()).collect();
    assert_eq!(types.len(), 7);
    assert!(taskflow.sample("workflow.triggered").is_some() && taskflow.sample("nothing").is_none());
    assert!(taskflow.sample("task.deleted").unwrap().sample.get().starts_with("{\"id\":\"task_abc123\","));
    assert!(taskflow.sets_header("x-taskflow-signature") && !taskflow.sets_header("x-mine"));
}
