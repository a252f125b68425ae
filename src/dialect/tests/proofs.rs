//! What a file can say of proofs, bodies and questions beside what the shipped dialects say.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::dialect::{Asked, Signing};
use crate::domain::probe::Method;

/// A contract with these parts after its first lines; `{secrets}` are those of most.
fn read(parts: &str) -> Result<Dialect, crate::dialect::DialectError> {
    let secrets = match parts.contains("secrets") {
        true => "",
        false => "secrets = { key = \"utf8\", bytes_min = 1, bytes_max = 256 }\n",
    };
    let envelope = if parts.contains("envelope") { "" } else { "envelope = \"{event.data}\"\n" };
    let first = "title = \"T\"\ndescription = \"D\"\ntimeout_seconds = 5\nretry = { delays = [1, 2] }\n";
    Dialect::parse("proofs.toml", &format!("{first}{secrets}{envelope}{parts}"))
}

fn dialect(parts: &str) -> Dialect {
    read(parts).unwrap_or_else(|error| panic!("{error}"))
}

fn signature(header: &str, algorithm: &str, encoding: &str, signed: &str, value: &str) -> String {
    let line = |key: &str, text: &str| if text.is_empty() { String::new() } else { format!("{key} = \"{text}\"\n") };
    let (header, signed) = (line("header", header), line("signed", signed));
    format!(
        "[[signature]]\n{header}algorithm = \"{algorithm}\"\nencoding = \"{encoding}\"\n{signed}value = \"{value}\"\n"
    )
}

fn verified(dialect: &Dialect, request: &Request, secret: &str) -> Result<(), VerifyError> {
    check(dialect, &|name| request.header(name), &request.body, &[Secret::new(secret)], (NOW, Some(300)))
}

/// RFC 6750, 2.1 and RFC 7617, 2: the user name and the password of the example.
#[test]
fn a_proof_may_be_the_secret_itself() {
    for (encoding, value, secret, header) in [
        ("plain", "Bearer {signature}", "mF_9.B5f-4.1JqM", "Bearer mF_9.B5f-4.1JqM"),
        ("base64", "Basic {signature}", "Aladdin:open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
    ] {
        let dialect = dialect(&signature("Authorization", "secret", encoding, "", value));
        let request = send(&dialect, &event("1", None, None), &[secret, "the old one"], NOW);
        assert_eq!(request.header("authorization").as_deref(), Some(header));
        assert_eq!(verified(&dialect, &request, secret), Ok(()));
        let mismatch = Err(VerifyError::Mismatch("Authorization".into()));
        assert_eq!(verified(&dialect, &request, "another"), mismatch);
        let webhook = webhook();
        let health = dialect.health_check_headers(&facts(&event("1", None, None), &webhook, NOW, 1));
        let shown = health.iter().find(|(name, _)| name == "authorization").unwrap().1.to_str().unwrap();
        assert_eq!(shown, value.replace("{signature}", "test"), "a health check shows no secret");
        assert!(dialect.shows_secret(&"authorization".parse().unwrap()));
        assert!(!dialect.shows_secret(&"content-type".parse().unwrap()));
    }
    let plain = dialect(&signature("X-Token", "secret", "plain", "", "{signature}"));
    for odd in ["späť", "a\nb: c", " x"] {
        assert_eq!(plain.check_secret(odd).unwrap_err().field, "secret", "{odd:?}");
        assert_eq!(plain.signing_key(&Secret::new(odd)).unwrap_err().field, "secret", "{odd:?}");
    }
}

#[test]
fn the_url_the_method_and_chosen_headers_are_signed() {
    let signed = "{attempt.method}\\n{webhook.url}\\n{header.x-kind}\\n{header.X-Fixed}\\n{body}";
    let rule = signature("X-Signature", "sha512", "hex", signed, "{signature}");
    let dialect = dialect(&format!("[headers]\nX-Kind = \"a {{event.type}} b\"\nX-Fixed = \"yes\"\n{rule}"));
    let request = send(&dialect, &event("{\"a\":1}", None, None), &["hush"], NOW);
    assert_eq!(verified(&dialect, &request, "hush"), Ok(()));
    let by_hand = signing_bytes("POST\nhttps://example.com/hook\na task.created b\nyes\n{\"a\":1}", b"hush");
    assert_eq!(request.header("X-Signature"), Some(by_hand));
    let mismatch = Err(VerifyError::Mismatch("X-Signature".into()));
    for name in ["x-kind", "x-fixed"] {
        let header = |asked: &str| {
            request.header(asked).map(|text| if asked.eq_ignore_ascii_case(name) { "other".into() } else { text })
        };
        assert_eq!(check(&dialect, &header, &request.body, &[Secret::new("hush")], (NOW, None)), mismatch, "{name}");
    }
}

/// An HMAC-SHA512, worked out apart from what is tested.
fn signing_bytes(text: &str, key: &[u8]) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha512>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The keys and the signatures are OpenSSL's, of `1707583522.{"a":1}`.
#[test]
fn keys_that_others_made_sign_and_verify() {
    for (algorithm, private, public, signature_of_openssl) in [
        ("rsa-sha256", include_str!("keys/rsa.pem"), include_str!("keys/rsa.pub.pem"), include_str!("keys/rsa.sig")),
        (
            "ecdsa-p256",
            include_str!("keys/ecdsa.pem"),
            include_str!("keys/ecdsa.pub.pem"),
            include_str!("keys/ecdsa.sig"),
        ),
        (
            "ed25519",
            include_str!("keys/ed25519.pem"),
            include_str!("keys/ed25519.pub.pem"),
            include_str!("keys/ed25519.sig"),
        ),
    ] {
        let rule = signature("X-Signature", algorithm, "base64", "{attempt.unix}.{body}", "v1={signature}");
        let parts = format!("secrets = {{ key = \"pkcs8\" }}\nheaders = {{ X-Time = \"{{attempt.unix}}\" }}\n{rule}");
        let dialect = dialect(&parts);
        let request = send(&dialect, &event("{\"a\":1}", None, None), &[private], NOW);
        assert_eq!(verified(&dialect, &request, public), Ok(()), "{algorithm}");
        assert_eq!(verified(&dialect, &request, private), Ok(()), "{algorithm}");
        assert_eq!(dialect.public_key(&Secret::new(private)).as_deref(), Some(public), "{algorithm}");
        let with = |signature: &str, body: &[u8]| {
            let header =
                |name: &str| if name == "X-Signature" { Some(format!("v1={signature}")) } else { request.header(name) };
            check(&dialect, &header, body, &[Secret::new(public)], (NOW, None))
        };
        assert_eq!(with(signature_of_openssl, &request.body), Ok(()), "{algorithm}");
        let mismatch = Err(VerifyError::Mismatch("X-Signature".into()));
        assert_eq!(with(signature_of_openssl, b"{\"a\":2}"), mismatch, "{algorithm}");
        for torn in ["", "AAAA", "not base64", &signature_of_openssl[8..]] {
            assert_eq!(with(torn, &request.body), mismatch, "{algorithm}: {torn:?}");
        }
        // What both of these give is always the same; ECDSA's is not.
        if algorithm != "ecdsa-p256" {
            assert_eq!(request.header("X-Signature"), Some(format!("v1={signature_of_openssl}")), "{algorithm}");
        }
        assert_eq!(dialect.check_secret(private), Ok(None));
        let der: String = private.lines().filter(|line| !line.starts_with('-')).collect();
        assert_eq!(dialect.check_secret(&der), Ok(None), "base64 of the DER will do");
        for wrong in [public, "", "whsec_x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            assert_eq!(dialect.check_secret(wrong).unwrap_err().field, "secret", "{algorithm}: {wrong}");
        }
        let generated = dialect.generate(Signing::Hmac, &[5; 32]);
        match algorithm {
            "ed25519" => assert_eq!(dialect.check_secret(generated.unwrap().reveal()), Ok(None)),
            _ => assert!(generated.unwrap_err().message.contains("must be given"), "{algorithm}"),
        }
    }
}

#[test]
fn a_public_key_has_the_form_that_is_asked_for() {
    let with = |public: &str| {
        let rule = signature("X-Signature", "ed25519", "hex", "{body}", "{signature}");
        dialect(&format!("secrets = {{ key = \"pkcs8\", public = \"{public}\" }}\n{rule}"))
    };
    let secret = with("hex").generate_secret(&[7; 32]).unwrap();
    let (hex, base64) = (with("hex").public_key(&secret).unwrap(), with("base64").public_key(&secret).unwrap());
    let der = BASE64_STANDARD.decode(&base64).unwrap();
    let bare: String = der[12..].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((hex.len(), der.len(), hex == bare), (64, 44, true));
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n");
    assert_eq!(with("pem").public_key(&secret), Some(pem));
    let request = send(&with("hex"), &event("1", None, None), &[secret.reveal()], NOW);
    for key in [&hex, &base64] {
        assert_eq!(verified(&with("hex"), &request, key), Ok(()));
    }
}

#[test]
fn facts_of_the_attempt_and_the_signature_stand_in_the_body() {
    let envelope = "[envelope]\nat = \"{attempt.time:unix_ms}\"\ntext = \"{attempt.unix:text}\"\nurl = \"{webhook.url}\"\n\
                    try = \"{attempt.number}\"\nretry = \"{attempt.retry}\"\nsaid = \"at {attempt.time:http}\"\n\
                    token = \"{attempt.token}\"\nproof = { mac = \"{signature}\" }\ndata = \"{event.data}\"\n";
    let rule = signature("", "sha256", "hex", "{attempt.unix}{attempt.token}", "{signature}");
    // The time that is signed must be told: here it is, as text.
    let dialect = dialect(&format!("{envelope}{rule}"));
    assert!(dialect.body_varies());
    let sent = |attempt| send_attempt(&dialect, &event("[1.0]", None, None), &["hush"], NOW, attempt);
    let (first, second) = (sent(1), sent(2));
    let body: Value = serde_json::from_slice(&first.body).unwrap();
    let expected = json!({
        "at": NOW, "text": (NOW / 1000).to_string(), "url": "https://example.com/hook", "try": 1, "retry": 0,
        "said": "at Sat, 10 Feb 2024 16:45:22 GMT", "token": body["token"], "proof": body["proof"], "data": [1.0],
    });
    assert_eq!(body, expected);
    assert_eq!(body["token"].as_str().map(str::len), Some(50));
    let again: Value = serde_json::from_slice(&second.body).unwrap();
    assert_eq!((&again["try"], &again["retry"]), (&json!(2), &json!(1)));
    assert!(again["token"] != body["token"] && again["proof"] != body["proof"]);
    assert_eq!(sent(1).body, first.body, "a token is made of the attempt alone");
    for request in [&first, &second] {
        assert_eq!(verified(&dialect, request, "hush"), Ok(()));
        assert_eq!(verified(&dialect, request, "other"), Err(VerifyError::Mismatch("the body".into())));
    }
    let body = |change: &str| String::from_utf8(first.body.to_vec()).unwrap().replace("\"proof\"", change);
    let check = |body: &str, now| check(&dialect, &|_| None, body.as_bytes(), &[Secret::new("hush")], (now, Some(300)));
    assert_eq!(check(&body("\"pro\""), NOW), Err(VerifyError::MissingField("proof.mac".into())));
    assert!(matches!(check(&body("\"proof\""), NOW + 301_000), Err(VerifyError::WrongTime { late: true, .. })));
    assert!(check("[]", NOW).is_err() && check("{", NOW).is_err());
    let unsigned = send(&dialect, &event("1", None, None), &[], NOW);
    assert!(String::from_utf8_lossy(&unsigned.body).contains("\"mac\":\"\""), "without a key nothing is signed");
}

#[test]
fn what_a_body_is_told_of_a_url_stays_json() {
    let dialect = dialect("[envelope]\nurl = \"{webhook.url}\"\nin = \"<{webhook.url}>\"\n");
    let url = EndpointUrl::parse("https://example.com/?a=\\%22", false).unwrap();
    let (webhook, event) = (Webhook { url, ..webhook() }, event("1", None, None));
    let body = dialect.body(&dialect.prepare(&event, "acc"), &facts(&event, &webhook, NOW, 1), &[]);
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["url"].as_str(), Some(webhook.url.as_str()));
    assert_eq!(body["in"], format!("<{}>", webhook.url.as_str()));
    assert!(webhook.url.as_str().contains('\\'), "it has what JSON escapes");
}

#[test]
fn a_body_says_what_it_is_and_may_be_a_form() {
    let plain = dialect("[body]\ncontent_type = \"application/cloudevents+json; charset=utf-8\"\n");
    let request = send(&plain, &event("{\"a\":1}", None, None), &[], NOW);
    assert_eq!(request.header("content-type").unwrap(), "application/cloudevents+json; charset=utf-8");
    let rule = signature("X-Signature", "sha1", "base64", "{webhook.url}{body.sorted}", "{signature}");
    let form = dialect(&format!("[body]\nformat = \"form\"\n{rule}"));
    let request = send(&form, &event("{\"b\":\"x y\",\"a\":1.50,\"B\":null}", None, None), &["hush"], NOW);
    assert_eq!(request.body, "b=x+y&a=1.50&B=");
    assert_eq!(request.header("content-type").unwrap(), "application/x-www-form-urlencoded");
    assert_eq!(verified(&form, &request, "hush"), Ok(()));
    let other = Request { body: "a=1.50&B=&b=x+y".into(), headers: request.headers.clone() };
    assert_eq!(verified(&form, &other, "hush"), Ok(()), "the order of parameters does not count");
    let other = Request { body: "a=1.50&B=&b=x+z".into(), headers: request.headers };
    assert!(verified(&form, &other, "hush").is_err());
}

#[test]
fn times_have_the_form_that_the_file_says() {
    for (times, written) in [("unix_ms", json!(NOW)), ("micros", json!("2024-02-10T16:45:22.123000Z"))] {
        let dialect = dialect(&format!("times = \"{times}\"\nenvelope = {{ at = \"{{event.time}}\" }}\n"));
        let body: Value = serde_json::from_slice(&send(&dialect, &event("1", None, None), &[], NOW).body).unwrap();
        assert_eq!(body["at"], written);
    }
}

/// The question of a dialect, with what it must be answered.
fn asked(dialect: &Dialect, secrets: &[&str]) -> crate::dialect::Challenge {
    let (event, webhook) = (event("{}", None, None), webhook());
    let keys: Vec<_> = secrets.iter().map(|text| dialect.signing_key(&Secret::new(*text)).unwrap()).collect();
    dialect.ask(dialect.challenge.as_ref().unwrap(), &facts(&event, &webhook, NOW, 1), &keys, "xyz")
}

/// `printf xyz | openssl dgst -sha256 -hmac 'the secret from today on'`
#[test]
fn an_endpoint_signs_its_answer_with_any_secret_that_is_in_force() {
    const SECRET: &str = "the secret from today on";
    let zoom = shipped("zoom");
    let question = asked(&zoom, &[SECRET, "the secret until today"]);
    let body = format!(r#"{{"payload":{{"plainToken":"xyz"}},"event_ts":{NOW},"event":"endpoint.url_validation"}}"#);
    assert_eq!(String::from_utf8(question.body.clone()).unwrap(), body);
    let signed = "d8f29626d8bee7c399ce3effc3d74a3fa0284f0f5c98fd9747914cccb0e13d87";
    let answer = json!({"plainToken": "xyz", "encryptedToken": signed}).to_string();
    assert_eq!(question.check(answer.as_bytes()), Ok(()));
    let ask = Asked { method: Method::Post, query: &[], body: &question.body };
    let rule = zoom.challenge.as_ref().unwrap();
    for secret in [SECRET, "the secret until today"] {
        let key = zoom.signing_key(&Secret::new(secret)).unwrap();
        assert_eq!(question.check(rule.answer(ask, Some(&key)).unwrap().as_bytes()), Ok(()), "{secret}");
    }
    let other = zoom.signing_key(&Secret::new("quite another secret")).unwrap();
    assert!(question.check(rule.answer(ask, Some(&other)).unwrap().as_bytes()).is_err());
    assert!(question.check(br#"{"plainToken":"xyz"}"#).is_err());
    assert!(question.headers.iter().any(|(name, _)| name == "x-zm-signature"), "it is signed as deliveries are");
    let event = send(&zoom, &event("{}", None, None), &[SECRET], NOW);
    assert_eq!(rule.answer(Asked { body: &event.body, ..ask }, None), None, "an event is no question");
}

#[test]
fn a_question_may_stand_in_the_query() {
    let parts = "[challenge]\nmethod = \"GET\"\nquery = { \"hub.mode\" = \"subscribe\", \"hub.challenge\" = \"{challenge}\" }\n\
                 expect = \"{challenge}\"\n";
    let meta = dialect(parts);
    let question = asked(&meta, &["hush"]);
    let query = [("hub.mode".to_string(), "subscribe".to_string()), ("hub.challenge".into(), "xyz".into())];
    assert_eq!((question.method, &question.query[..], question.body.is_empty()), (Method::Get, &query[..], true));
    assert_eq!(question.headers.len(), 1, "it has no body, so nothing is signed: only the user agent is told");
    assert_eq!((question.check(b"xyz"), question.check(b"xy").is_err()), (Ok(()), true));
    let rule = meta.challenge.as_ref().unwrap();
    let answer = |method, query: &[(String, String)]| rule.answer(Asked { method, query, body: b"" }, None);
    assert_eq!(answer(Method::Get, &query).as_deref(), Some("xyz"));
    assert_eq!(answer(Method::Post, &query), None);
    assert_eq!(answer(Method::Get, &query[1..]), None);
}

/// Such an endpoint is asked only once its owner can have seen a secret that was made here.
#[test]
fn who_signs_an_answer_or_verifies_a_question_needs_the_secret() {
    let asks = "[challenge]\nquery = { challenge = \"{challenge}\" }\n";
    let plain = format!("{asks}expect = \"{{challenge}}\"\n");
    let answers_signed =
        format!("{asks}expect = \"{{signature}}\"\nsignature = {{ algorithm = \"sha256\", encoding = \"hex\" }}\n");
    let signed = signature("X-Signature", "sha256", "hex", "{body}", "{signature}");
    for (parts, needs) in
        [(String::new(), false), (plain.clone(), false), (answers_signed, true), (format!("{signed}{plain}"), true)]
    {
        assert_eq!(dialect(&parts).challenge_needs_secret(), needs, "{parts}");
    }
}

#[test]
fn an_endpoint_may_have_to_refuse_what_is_wrongly_signed() {
    let discord = shipped("discord");
    let secret = discord.generate_secret(&[3; 32]).unwrap();
    let question = asked(&discord, &[secret.reveal()]);
    let body: Value = serde_json::from_slice(&question.body).unwrap();
    assert_eq!((&body["type"], &body["version"]), (&json!(0), &json!(1)));
    assert_eq!(question.check(b""), Ok(()), "any success will do");
    let (forged, status) = question.forged.clone().unwrap();
    assert_eq!(status, 401);
    let verify = |headers: Vec<_>| {
        let request = Request { headers, body: question.body.clone().into() };
        verified(&discord, &request, secret.reveal())
    };
    assert_eq!(verify(question.headers.clone()), Ok(()));
    assert_eq!(verify(forged), Err(VerifyError::Mismatch("X-Signature-Ed25519".into())));
}

/// Microsoft Graph's, Dropbox's, X's, Xero's and that of Discord's interactions, as their documents have them.
#[test]
fn questions_of_other_products_can_be_said() {
    let usual = signature("X-Signature", "sha256", "base64", "{body}", "{signature}");
    let hmac = "signature = { algorithm = \"sha256\", encoding = \"base64\" }\n";
    // HMAC-SHA256 of "xyz", keyed with "hush".
    let crc = "{\"response_token\":\"sha256=CRC\"}".replace("CRC", &crc_of_xyz());
    for (challenge, method, answer) in [
        (
            "query = { validationToken = \"{challenge}\" }\nexpect = \"{challenge}\"\n".to_string(),
            Method::Post,
            "xyz".to_string(),
        ),
        (
            "method = \"GET\"\nquery = { challenge = \"{challenge}\" }\nexpect = \"{challenge}\"\n".into(),
            Method::Get,
            "xyz".into(),
        ),
        (
            format!(
                "method = \"GET\"\nquery = {{ crc_token = \"{{challenge}}\" }}\n\
                 expect = {{ response_token = \"sha256={{signature}}\" }}\n{hmac}"
            ),
            Method::Get,
            crc,
        ),
        (
            "send = { events = [], lastEventSequence = 0, entropy = \"{challenge}\" }\nforged_status = 401\n".into(),
            Method::Post,
            String::new(),
        ),
        (
            "send = { type = 1 }\nexpect = { type = 1 }\nforged_status = 401\n".into(),
            Method::Post,
            "{\"type\":1}".into(),
        ),
    ] {
        let dialect = dialect(&format!("{usual}[challenge]\n{challenge}"));
        let question = asked(&dialect, &["hush"]);
        assert_eq!((question.method, question.check(answer.as_bytes())), (method, Ok(())), "{challenge}");
        let key = dialect.signing_key(&Secret::new("hush")).unwrap();
        let ask = Asked { method, query: &question.query, body: &question.body };
        assert_eq!(dialect.challenge.as_ref().unwrap().answer(ask, Some(&key)), Some(answer), "{challenge}");
    }
}

fn crc_of_xyz() -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"hush").unwrap();
    mac.update(b"xyz");
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

#[test]
fn every_mistake_names_its_key_and_what_would_be_right() {
    let usual = signature("X-Signature", "sha256", "hex", "{body}", "{signature}");
    let pkcs8 = "secrets = { key = \"pkcs8\" }\n";
    let ed25519 = signature("X-Signature", "ed25519", "hex", "{body}", "{signature}");
    let in_body = signature("", "sha256", "hex", "{attempt.unix}", "{signature}");
    let envelope = "[envelope]\nat = \"{attempt.unix}\"\nmac = \"{signature}\"\n";
    let challenge = |parts: &str| format!("{usual}[challenge]\n{parts}");
    let ask = "send = { challenge = \"{challenge}\" }\n";
    for (parts, key, says) in [
        (usual.replace("hex", "plain"), "signature[0].encoding", "is for algorithm = \"secret\""),
        (usual.replace("sha256", "secret"), "signature[0].signed", "leave it out"),
        (usual.replace("sha256", "ed25519"), "signature[0].algorithm", "needs secrets.key = \"pkcs8\""),
        (usual.replace("signed = \"{body}\"\n", ""), "signature[0].signed", "for example: signed = \"{body}\""),
        (usual.replace("{body}", "{header.X-Not}{body}"), "signature[0].signed", "which is none of [headers]"),
        (usual.replace("{body}", "{body.sorted}"), "signature[0].signed", "needs body.format = \"form\""),
        (usual.replace("{body}", "{body}{attempt.token}"), "signature[0].signed", "no header tells"),
        (
            usual.replace("sha256", "secret").replace("signed = \"{body}\"\n", "ed25519 = \"v1a,{signature}\"\n"),
            "signature[0].ed25519",
            "",
        ),
        (format!("{pkcs8}{usual}"), "secrets.key", "needs a [[signature]] with algorithm"),
        (format!("{pkcs8}{ed25519}{}", usual.replace("X-S", "X-T")), "signature[1].algorithm", "they share a key"),
        (
            format!("secrets = {{ key = \"pkcs8\", prefix = \"x_\" }}\n{ed25519}"),
            "secrets.prefix",
            "is for shared secrets",
        ),
        (
            format!("secrets = {{ key = \"pkcs8\", public = \"hex\" }}\n{}", ed25519.replace("ed25519", "rsa-sha256")),
            "secrets.public",
            "for Ed25519 only",
        ),
        (in_body.clone(), "signature[0].header", "for example: header = \"X-Signature\", unless a field"),
        (
            format!("envelope = {{ mac = \"{{signature}}\" }}\n{in_body}"),
            "signature[0].signed",
            "no field of the body has alone",
        ),
        (
            "secrets = { key = \"utf8\", public = \"hex\", bytes_min = 1, bytes_max = 64 }\n".into(),
            "secrets.public",
            "is for key",
        ),
        (format!("{envelope}{usual}"), "envelope", "leave one's out"),
        (format!("{envelope}{in_body}{in_body}"), "signature[1].header", "the body can carry one"),
        (
            format!("{envelope}{}", in_body.replace("{attempt.unix}", "{body}")),
            "signature[0].signed",
            "cannot sign the body",
        ),
        (format!("{envelope}{}", in_body.replace("\"{signature}", "\"v1={signature}")), "signature[0].value", "alone"),
        ("[body]\ncontent_type = \"json\"\n".into(), "body.content_type", "must be a media type"),
        ("[body]\ncontent_type = \"a/b\\r\\nX: y\"\n".into(), "body.content_type", "must be a media type"),
        ("[body]\nformat = \"xml\"\n".into(), "body.format", "unknown variant"),
        ("times = \"unixms\"\n".into(), "times", "the nearest is `unix"),
        (challenge(ask), "challenge.expect", "for example: expect"),
        (challenge(&format!("{ask}expect = \"{{sig}}\"\n")), "challenge.expect", "is not known"),
        (
            challenge("send = { a = \"{event.data}\" }\nexpect = \"{challenge}\"\n"),
            "challenge.send.a",
            "cannot stand here",
        ),
        (challenge(&format!("{ask}expect = \"{{signature}}\"\n")), "challenge.signature", "goes with {signature}"),
        (
            challenge(&format!(
                "{ask}expect = \"{{signature}}\"\nsignature = {{ algorithm = \"secret\", encoding = \"hex\" }}\n"
            )),
            "challenge.signature.algorithm",
            "the endpoint signs it",
        ),
        (challenge(&format!("method = \"GET\"\n{ask}expect = \"{{challenge}}\"\n")), "challenge.send", "is for POST"),
        (challenge(&format!("{ask}forged_status = 200\n")), "challenge.forged_status", "400 to 499"),
        (format!("[challenge]\n{ask}forged_status = 401\n"), "challenge.forged_status", "a [[signature]] signs"),
    ] {
        let error = read(&parts).expect_err(&parts);
        assert_eq!(error.key, key, "{error}\n{parts}");
        assert!(error.message.contains(says), "{error}\ndoes not say {says:?}");
    }
}
