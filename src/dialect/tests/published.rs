//! What companies publish of their signatures with fixed values: those of their documents and of the tests of their own
//! libraries. The shipped look-alikes take what is theirs and refuse it once anything is changed.

use super::*;

/// A published request.
struct Published {
    dialect: &'static str,
    /// Where it stands.
    source: &'static str,
    secret: &'static str,
    url: Option<&'static str>,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    /// Something in the body that is signed, and what it might be changed into.
    change: (&'static str, &'static str),
}

const PUBLISHED: [Published; 9] = [
    Published {
        dialect: "paddle",
        source: "PaddleHQ/paddle-python-sdk, tests/Unit/Notification/test_Verifier.py",
        secret: "pdl_ntf_01hbpjmytsa32fhr36nqgc3kgb_WvRO0eL4Bj9rgYYIBZY6wZhG4EHy9jzh",
        url: None,
        headers: &[(
            "Paddle-Signature",
            "ts=1696195954;h1=dummy;h1=d96299976a6eb066f484d7fde011ac56fc32b38fc9940bc419d6e537fdc6ef02",
        )],
        body: "hello-world",
        change: ("hello", "hallo"),
    },
    Published {
        dialect: "square",
        source: "square/square-python-sdk, tests/integration/test_webhooks_helper.py",
        secret: "Ibxx_5AKakO-3qeNVR61Dw",
        url: Some("https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9"),
        headers: &[("x-square-hmacsha256-signature", "GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4=")],
        body: r#"{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification","event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f","created_at":"2022-07-13T20:30:59.037339943Z","data":{"type":"webhooks","id":"bc368e64-01aa-407e-b46e-3231809b1129"}}"#,
        change: ("MLE", "MLF"),
    },
    Published {
        dialect: "square",
        source: "the same, with characters that some writers of JSON escape",
        secret: "signature-key",
        url: Some("https://webhook.site/webhooks"),
        headers: &[("x-square-hmacsha256-signature", "Cxt7+aTi4rKgcA0bC4g9EHdVtLSDWdqccmL5MvihU4U=")],
        body: r#"{"data":{"type":"webhooks","id":">id<"}}"#,
        change: (">id", ">ie"),
    },
    Published {
        dialect: "twilio",
        source: "twilio/twilio-php, tests/Twilio/Unit/Security/RequestValidatorTest.php",
        secret: "12345",
        url: Some("https://mycompany.com/myapp.php?foo=1&bar=2"),
        headers: &[("X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=")],
        body: "Digits=1234&To=%2B18005551212&From=%2B14158675309&Caller=%2B14158675309&CallSid=CA1234567890ABCDE",
        change: ("1234", "1235"),
    },
    Published {
        dialect: "hubspot",
        source: "HubSpot/hubspot-api-python, tests/unit/utils/test_signature.py",
        secret: "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
        url: Some("https://www.example.com/webhook_uri"),
        headers: &[
            ("X-HubSpot-Request-Timestamp", "1693657560000"),
            ("X-HubSpot-Signature-v3", "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="),
        ],
        body: "{'example_field':'example_value'}",
        change: ("field", "fielt"),
    },
    Published {
        dialect: "hubspot",
        source: "HubSpot/hubspot-api-ruby, spec/helpers/signature_spec.rb",
        secret: "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy",
        url: Some("https://www.example.com/webhook_uri"),
        headers: &[
            ("X-HubSpot-Request-Timestamp", "1700000300000"),
            ("X-HubSpot-Signature-v3", "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw="),
        ],
        body: "{'example_field':'example_value'}",
        change: ("field", "fielt"),
    },
    Published {
        dialect: "svix",
        source: "docs.svix.com/receiving/verifying-payloads/how-manual",
        secret: "whsec_plJ3nmyCDGBKInavdOK15jsl",
        url: None,
        headers: &[
            ("svix-id", "msg_loFOjxBNrRLzqYUf"),
            ("svix-timestamp", "1731705121"),
            ("svix-signature", "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="),
        ],
        body: r#"{"event_type":"ping","data":{"success":true}}"#,
        change: ("ping", "pong"),
    },
    Published {
        dialect: "svix",
        source: "docs.svix.com/receiving/verifying-payloads/how, which Standard Webhooks shows too",
        secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        url: None,
        headers: &[
            ("svix-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("svix-timestamp", "1614265330"),
            ("svix-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ],
        body: r#"{"test": 2432232314}"#,
        change: ("2432", "2433"),
    },
    // What is signed is published, and the key to it; the body around it is as Mailgun's documents have it.
    Published {
        dialect: "mailgun",
        source: "mailgun/mailgun-php, tests/Api/WebhookTest.php",
        secret: "key-3ax6xnjp29jd6fds4gc373sgvjxteol0",
        url: None,
        headers: &[],
        body: r#"{"signature":{"timestamp":"1403645220","token":"5egbgr1vjgqxtrnp65xfznchgdccwh5d6i09vijqi3whgowmn6","signature":"9cfc5c41582e51246e73c88d34db3af0a3a2692a76fbab81492842f000256d33"},"event-data":{"event":"opened"}}"#,
        change: ("5egb", "6egb"),
    },
];

impl Published {
    fn verify(&self, url: Option<&str>, body: &str, secret: &str) -> Result<(), VerifyError> {
        self.verify_with(&|_, value| value.to_string(), url, body, secret)
    }

    fn verify_with(
        &self,
        changed: &dyn Fn(&str, &str) -> String,
        url: Option<&str>,
        body: &str,
        secret: &str,
    ) -> Result<(), VerifyError> {
        let header = |name: &str| {
            let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(known, value)| changed(known, value))
        };
        let received = Received { header: &header, url, body: body.as_bytes() };
        shipped(self.dialect).verify(received, &[Secret::new(secret)], NOW, None)
    }
}

#[test]
fn what_is_published_is_taken_and_refused_once_it_is_changed() {
    for one in &PUBLISHED {
        let (source, url) = (one.source, one.url);
        assert_eq!(one.verify(url, one.body, one.secret), Ok(()), "{source}");
        let mismatch = |result: Result<(), VerifyError>| {
            assert!(matches!(result, Err(VerifyError::Mismatch(_))), "{source}: {result:?}");
        };
        mismatch(one.verify(url, one.body, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
        mismatch(one.verify(url, &one.body.replacen(one.change.0, one.change.1, 1), one.secret));
        match url {
            Some(url) => {
                mismatch(one.verify(Some(&format!("{url}x")), one.body, one.secret));
                assert_eq!(one.verify(None, one.body, one.secret), Err(VerifyError::NoUrl), "{source}");
            }
            None => assert_eq!(one.verify(Some("https://example.com/"), one.body, one.secret), Ok(()), "{source}"),
        }
        for (name, _) in one.headers.iter().filter(|(name, _)| name.ends_with("imestamp") || name.ends_with("-id")) {
            let other = |known: &str, value: &str| if known == *name { format!("1{value}") } else { value.to_string() };
            mismatch(one.verify_with(&other, url, one.body, one.secret));
        }
    }
}

/// sendgrid/sendgrid-go, helpers/eventwebhook: the public key, the signature and the time of a request, whose body ends in a
/// line break.
#[test]
fn sendgrids_published_request_is_verified_by_its_public_key() {
    const PUBLIC: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";
    const SIGNATURE: &str =
        "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=";
    const BODY: &str = "[{\"email\":\"hello@world.com\",\"event\":\"dropped\",\"reason\":\"Bounced Address\",\"sg_event_id\":\"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA\",\"sg_message_id\":\"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0\",\"smtp-id\":\"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>\",\"timestamp\":1600112492}]\r\n";
    let dialect = Dialect::parse(
        "sendgrid.toml",
        r#"
title = "SendGrid's event webhook"
description = "It is signed with ECDSA."
timeout_seconds = 5
retry = { delays = [1] }
envelope = ["{event.data}"]
secrets = { key = "pkcs8", public = "base64" }
[headers]
X-Twilio-Email-Event-Webhook-Timestamp = "{attempt.unix}"
[[signature]]
header = "X-Twilio-Email-Event-Webhook-Signature"
algorithm = "ecdsa-p256"
encoding = "base64"
signed = "{attempt.unix}{body}"
value = "{signature}"
"#,
    )
    .unwrap();
    let verify = |time: &str, body: &str, key: &str| {
        let header = |name: &str| Some(if name.ends_with("Timestamp") { time.to_string() } else { SIGNATURE.into() });
        check(&dialect, &header, body.as_bytes(), &[Secret::new(key)], (NOW, None))
    };
    assert_eq!(verify("1600112502", BODY, PUBLIC), Ok(()));
    for (time, body) in [("1600112503", BODY), ("1600112502", BODY.trim_end())] {
        assert!(matches!(verify(time, body, PUBLIC), Err(VerifyError::Mismatch(_))));
    }
    assert_eq!(
        dialect.check_secret(PUBLIC).unwrap_err().message,
        "is a public key, which cannot sign; give the private one"
    );
    assert!(verify("1600112502", BODY, "no key").is_err());
}
