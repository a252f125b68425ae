//! TLS of outgoing connections, with authorities and certificates of the test's own. What stays true: what is not
//! trusted gets nothing, an attempt says in plain words why, and no key is ever shown.

mod support;

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::{Value, json};
use support::{Authority, Certified, DEADLINE, Server, Stage, TlsEndpoint as Endpoint};

#[test]
fn a_certificate_that_cannot_be_trusted_is_told_in_plain_words() {
    let (ours, other) = (Authority::new(), Authority::new());
    let good = ours.certify("localhost", |_| {});
    let expired = ours.certify("localhost", |params| {
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2024, 5, 6));
    });
    let early = ours.certify("localhost", |params| params.not_before = date_time_ymd(2101, 2, 3));
    let wrong_name = ours.certify("a.example", |_| {});
    let own_key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&own_key).unwrap();
    let self_signed = Certified { certificate: own.pem(), key: own_key.serialize_pem() };
    let not_known = "self-signed, or its issuer is not known";
    let table = [
        ("good", &good, Some(&ours), None),
        ("expired", &expired, Some(&ours), Some("the endpoint's certificate expired on 2024-05-06")),
        ("early", &early, Some(&ours), Some("is not valid before 2101-02-03")),
        ("wrong name", &wrong_name, Some(&ours), Some("certificate is for a.example, not for localhost")),
        ("self-signed", &self_signed, None, Some(not_known)),
        ("self-signed, another authority", &self_signed, Some(&ours), Some(not_known)),
        ("the public authorities", &good, None, Some(not_known)),
        ("another authority", &good, Some(&other), Some(not_known)),
    ];
    let mut stage = Stage::start(&[]);
    let rows: Vec<_> = table
        .iter()
        .map(|(what, certified, ca, why)| {
            let endpoint = Endpoint::good(certified);
            let tls = ca.map(|ca| json!({"ca": ca.pem}));
            (*what, stage.webhook(&endpoint.url(), json!({"tls": tls})), endpoint, *why)
        })
        .collect();
    stage.publish("e");
    for (what, webhook, endpoint, why) in &rows {
        let (outcome, error) = stage.outcome(webhook, "e");
        match why {
            None => assert_eq!(outcome, "ok", "{what}: {error}"),
            Some(why) => {
                assert_eq!(outcome, "tls", "{what}: {error}");
                assert!(error.contains(why), "{what}: {error}");
                assert_eq!(endpoint.served.try_iter().count(), 0, "{what}: a request went out");
            }
        }
    }
}

#[test]
fn an_authority_of_one_webhook_is_none_of_another_of_the_same_place() {
    let ours = Authority::new();
    let endpoint = Endpoint::good(&ours.certify("localhost", |_| {}));
    let mut stage = Stage::start(&[("HOOKWHEEL__DELIVER__SENDERS", "1")]);
    let trusting = stage.webhook(&endpoint.url(), json!({"tls": {"ca": ours.pem}}));
    let others = [json!(null), json!({"ca": Authority::new().pem})];
    let others = others.map(|tls| stage.webhook(&endpoint.url(), json!({"tls": tls})));
    for n in 0..3 {
        let event = format!("e{n}");
        stage.publish(&event);
        assert_eq!(stage.outcome(&trusting, &event).0, "ok");
        others.iter().for_each(|other| assert_eq!(stage.outcome(other, &event).0, "tls"));
    }
    assert_eq!(endpoint.served.try_iter().count(), 3);
}

#[test]
fn both_sides_can_show_certificates() {
    let (ours, clients, other) = (Authority::new(), Authority::new(), Authority::new());
    let certified = ours.certify("localhost", |_| {});
    let client = clients.certify("hookwheel.example", |_| {});
    let stranger = other.certify("hookwheel.example", |_| {});
    let mut stage = Stage::start(&[]);
    let mut event = 0;
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]] {
        let endpoint = Endpoint::start(&certified, Some(&clients), versions);
        let tls = |own: Option<&Certified>| {
            json!({"tls": {
                "ca": ours.pem, "client_certificate": own.map(|own| &own.certificate), "client_key": own.map(|own| &own.key),
            }})
        };
        let right = stage.webhook(&endpoint.url(), tls(Some(&client)));
        let none = stage.webhook(&endpoint.url(), tls(None));
        let wrong = stage.webhook(&endpoint.url(), tls(Some(&stranger)));
        event += 1;
        let event = format!("e{event}");
        stage.publish(&event);
        assert_eq!(stage.outcome(&right, &event).0, "ok", "{versions:?}");
        let (outcome, error) = stage.outcome(&none, &event);
        assert_eq!(outcome, "tls", "{versions:?}: {error}");
        assert!(error.contains("client certificate"), "{versions:?}: {error}");
        let (outcome, error) = stage.outcome(&wrong, &event);
        assert_eq!(outcome, "tls", "{versions:?}: {error}");
        assert!(error.contains("does not take our client certificate"), "{versions:?}: {error}");
        for webhook in [right, none, wrong] {
            assert_eq!(stage.client.request("DELETE", &format!("/api/v1/webhooks/{webhook}"), b"").status, 204);
        }
    }
}

#[test]
fn what_is_no_tls_is_told_from_what_is_not_trusted() {
    // In each the peer may have gone, and the connection ends when it goes.
    fn say(mut stream: TcpStream, bytes: &[u8]) {
        let _ = stream.write_all(bytes).and_then(|()| std::io::copy(&mut stream, &mut std::io::sink()));
    }
    let plain = raw(|stream| say(stream, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
    let garbage = raw(|stream| say(stream, b"SSH-2.0-OpenSSH_9.2\r\n"));
    let closing = raw(drop);
    let silent = raw(|stream| {
        let _ = std::io::copy(&mut &stream, &mut std::io::sink());
    });
    let table = [
        (plain, "tls", "does not speak TLS"),
        (garbage, "tls", "does not speak TLS"),
        (closing, "tls", "during the TLS handshake"),
        (silent, "timeout", ""),
    ];
    let mut stage = Stage::start(&[]);
    let webhooks = table.map(|(port, ..)| stage.webhook(&format!("https://localhost:{port}/"), json!({"timeout": 2})));
    stage.publish("e");
    for (webhook, (_, expected, part)) in webhooks.iter().zip(table) {
        let (outcome, error) = stage.outcome(webhook, "e");
        assert_eq!(outcome, expected, "{error}");
        assert!(error.contains(part), "{error}");
    }
}

/// A port where every connection is treated so.
fn raw(treat: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let treat = Arc::new(treat);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (treat, stream) = (treat.clone(), stream.unwrap());
            std::thread::spawn(move || treat(stream));
        }
    });
    port
}

#[test]
fn this_machines_authorities_can_be_taken() {
    let ours = Authority::new();
    let endpoint = Endpoint::good(&ours.certify("localhost", |_| {}));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &ours.pem).unwrap();
    let nothing = tempfile::tempdir().unwrap();
    let env = [
        ("HOOKWHEEL__DELIVER__ROOTS", "native"),
        ("SSL_CERT_FILE", file.path().to_str().unwrap()),
        ("SSL_CERT_DIR", nothing.path().to_str().unwrap()),
    ];
    let mut stage = Stage::start(&env);
    let webhook = stage.webhook(&endpoint.url(), json!({}));
    stage.publish("e");
    let (outcome, error) = stage.outcome(&webhook, "e");
    assert_eq!(outcome, "ok", "{error}");
    endpoint.served.recv_timeout(DEADLINE).unwrap();

    std::fs::write(file.path(), "").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let ended = Server::start_process(dir.path(), &env).end();
    assert!(!ended.status.success());
    assert!(
        ended.output.contains("deliver.roots: this machine has no certificates of authorities"),
        "{}",
        ended.output
    );
}

#[test]
fn what_cannot_be_used_is_refused_by_its_field_and_no_key_is_shown() {
    let ours = Authority::new();
    let (one, two) = (ours.certify("one.example", |_| {}), ours.certify("two.example", |_| {}));
    let endpoint = Endpoint::start(&ours.certify("localhost", |_| {}), Some(&ours), rustls::ALL_VERSIONS);
    let mut stage = Stage::start(&[]);
    let long = format!("{}{}", ours.pem, "x".repeat(20_000));
    let table = [
        (json!({"ca": "nonsense"}), "tls.ca"),
        (json!({"ca": one.key}), "tls.ca"),
        (json!({"ca": long}), "tls"),
        (json!({"client_certificate": one.certificate}), "tls.client_key"),
        (json!({"client_key": one.key}), "tls.client_certificate"),
        (json!({"client_certificate": one.certificate, "client_key": two.key}), "tls.client_key"),
        (json!({"client_certificate": one.certificate, "client_key": "nonsense"}), "tls.client_key"),
        (json!({"client_certificate": one.certificate, "client_key": one.certificate}), "tls.client_key"),
        (json!({"client_certificate": one.key, "client_key": one.key}), "tls.client_certificate"),
        (json!({"client_certificate": one.certificate, "client_key": true}), "tls.client_key"),
        (json!({"verify": false}), "tls.verify"),
    ];
    for (tls, field) in table {
        let refused = stage.try_webhook(&endpoint.url(), json!({"tls": tls}));
        let error = refused.json()["error"].clone();
        assert_eq!((refused.status, &error["field"]), (400, &json!(field)), "{tls}: {error}");
        assert!(!error.to_string().contains(&one.key[40..80]), "{error}");
    }

    let tls = json!({"ca": ours.pem, "client_certificate": one.certificate, "client_key": one.key});
    let made = stage.try_webhook(&endpoint.url(), json!({"tls": tls}));
    let webhook = made.data(201);
    let id = webhook["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/webhooks/{id}");
    let expected = json!({"ca": ours.pem, "client_certificate": one.certificate, "client_key": true});
    assert_eq!(webhook["tls"], expected);

    // What was shown can be sent back; what is left out stays.
    let mut change = |body: Value| stage.client.request("PUT", &path, body.to_string().as_bytes());
    for body in [json!({"tls": expected}), json!({"tls": {}}), json!({"name": "n"}), json!({"tls": {"ca": ours.pem}})] {
        assert_eq!(change(body.clone()).data(200)["tls"], expected, "{body}");
    }
    let refused = change(json!({"tls": {"client_certificate": two.certificate}}));
    assert_eq!((refused.status, &refused.json()["error"]["field"]), (400, &json!("tls.client_key")));
    stage.publish("kept");
    assert_eq!(stage.outcome(&id, "kept").0, "ok");

    // It is all there after a restart.
    let Stage { server, dir, .. } = stage;
    server.kill();
    let server = Server::start(dir.path(), &[]);
    let mut stage = Stage { client: server.client(), server, dir };
    stage.publish("again");
    assert_eq!(stage.outcome(&id, "again").0, "ok");
    let secret = &one.key.lines().nth(1).unwrap()[..40];
    for asked in [path.clone(), "/api/v1/webhooks".into(), format!("{path}/logs"), format!("{path}/secret")] {
        let reply = stage.client.get(&asked);
        assert!(!String::from_utf8_lossy(&reply.message.body).contains(secret), "{asked}");
    }
    let both = json!({"tls": {"client_certificate": two.certificate, "client_key": two.key}});
    let changed = stage.client.request("PATCH", &path, both.to_string().as_bytes()).data(200);
    assert_eq!(changed["tls"]["client_certificate"], json!(two.certificate));
    let gone = json!({"tls": {"client_certificate": null, "client_key": null}});
    let changed = stage.client.request("PATCH", &path, gone.to_string().as_bytes()).data(200);
    assert_eq!(changed["tls"], json!({"ca": ours.pem, "client_certificate": null, "client_key": false}));
    let changed = stage.client.request("PATCH", &path, b"{\"tls\":null}").data(200);
    assert_eq!(changed["tls"], json!(null));
}
