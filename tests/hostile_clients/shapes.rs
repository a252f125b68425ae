//! Requests that are broken, ambiguous or strange: each is refused, and nothing that hides in one is ever answered.

use serde_json::{Value, json};

use crate::support::raw::{Raw, Witness, say, stays_flat};
use crate::support::{Client, Server};

/// What is smuggled: if it were taken for a request, a second reply would come.
const HIDDEN: &str = "GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n";

#[test]
fn ambiguous_requests_are_refused_and_hide_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let witness = Witness::start(&server);
    let length = HIDDEN.len();
    let heads = [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n\r\n0\r\n\r\n"),
        format!("Content-Length: 0\r\nContent-Length: {length}\r\n\r\n"),
        "Content-Length: 0, 5\r\n\r\n".into(),
        "Content-Length: +0\r\n\r\n".into(),
        "Content-Length: -1\r\n\r\n".into(),
        "Content-Length: 0x0\r\n\r\n".into(),
        "Content-Length: 18446744073709551616\r\n\r\n".into(),
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n".into(),
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n".into(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(),
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n".into(),
        "X: a\r\n b: folded\r\n\r\n".into(),
        "X: a\r\n\tContent-Length: 0\r\n\r\n".into(),
        "X: a\0b\r\n\r\n".into(),
        "Host: another\r\n\r\n".into(),
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n".into(),
        "Transfer-Encoding: chunked\r\n\r\n-1\r\n".into(),
        "Transfer-Encoding: chunked\r\n\r\n1 \n2\r\n".into(),
        "Transfer-Encoding: chunked\r\n\r\n5\r\nabcdefgh\r\n".into(),
    ];
    for head in heads {
        let request = format!(
            "POST /api/v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\n{head}{HIDDEN}",
            server.key
        );
        let heard = say(server.address, request.as_bytes());
        assert_eq!((heard.statuses(), heard.closed), (vec![400], true), "{head:?}: {heard:?}");
    }
    for request in ["GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET /\r\n\r\n"] {
        let heard = say(server.address, format!("{request}{HIDDEN}").as_bytes());
        assert_eq!((heard.statuses(), heard.closed), (vec![400], true), "{request:?}: {heard:?}");
    }
    // Not HTTP/1.1 at all: HTTP/2 by prior knowledge, TLS to a port in the clear, noise.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".as_slice();
    for noise in [preface, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", &[0xff; 4096], b"\0\0\0\0\r\n\r\n"] {
        let heard = say(server.address, noise);
        assert!(heard.closed && heard.statuses().iter().all(|status| *status == 400), "{noise:?}: {heard:?}");
    }
    witness.end(&server);
    assert!(server.terminate().success());
}

#[test]
fn pipelined_requests_are_answered_in_turn_up_to_the_first_broken_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let heard = say(server.address, format!("{}\u{1}garbage\r\n\r\n{HIDDEN}", HIDDEN.repeat(500)).as_bytes());
    let mut expected = vec![200; 500];
    expected.push(400);
    assert_eq!((heard.statuses(), heard.closed), (expected, true));
    assert!(server.terminate().success());
}

#[test]
fn too_long_urls_and_too_many_or_too_long_headers_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let witness = Witness::start(&server);
    let get = |path: &str, headers: &str| {
        let heard = say(server.address, format!("GET {path} HTTP/1.1\r\nHost: h\r\n{headers}\r\n").as_bytes());
        let code = heard.text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str::<Value>(body).ok());
        let code = code.map_or_else(String::new, |body| body["error"]["code"].as_str().unwrap_or_default().to_owned());
        assert!(heard.closed, "{heard:?}");
        (heard.statuses(), code)
    };
    let some = |count: usize| (0..count).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let long = "x".repeat(8192);
    assert_eq!(get("/health/live", &some(60)), (vec![200], String::new()));
    assert_eq!(get(&format!("/{long}"), ""), (vec![414], "url_too_long".into()));
    assert_eq!(get(&format!("/health/live?{long}"), ""), (vec![414], "url_too_long".into()));
    assert_eq!(get("/health/live", &some(64)), (vec![431], "headers_too_large".into()));
    assert_eq!(get("/health/live", &format!("x: {}\r\n", long.repeat(5))), (vec![431], "headers_too_large".into()));
    // What the server's own code refuses it refuses without a body.
    stays_flat(&server, || {
        for _ in 0..20 {
            assert_eq!(get("/health/live", &some(5000)), (vec![431], String::new()));
            assert_eq!(get("/health/live", &format!("x: {}\r\n", long.repeat(40))), (vec![431], String::new()));
            let (statuses, _) = get(&format!("/{}", long.repeat(9)), "");
            assert_eq!(statuses, [400]);
            let (statuses, _) = get(&format!("/{}", long.repeat(40)), "");
            assert_eq!(statuses, [431]);
        }
    });
    witness.end(&server);
    assert!(server.terminate().success());
}

#[test]
fn bodies_that_are_no_proper_json_are_refused_by_every_route_that_takes_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let witness = Witness::start(&server);
    let mut client = server.client();
    let webhook = client.post("/api/v1/webhooks", &json!({"url": "https://example.com/", "events": ["never.*"]}));
    let webhook = webhook.data(201)["id"].as_str().expect("an id").to_owned();
    let routes = routes_with_a_body(&mut client, &webhook);
    assert!(routes.iter().filter(|(.., is_native)| *is_native).count() >= 13, "{routes:?}");
    for (method, path, is_native) in &routes {
        for (what, body) in broken_bodies() {
            let reply = client.request(method, path, &body);
            let fits = if *is_native { reply.status == 400 } else { (400..500).contains(&reply.status) };
            assert!(fits, "{method} {path} with {what}: {} {}", reply.status, reply.json());
            assert!(reply.json()["error"].is_object(), "{method} {path} with {what}: {}", reply.json());
        }
    }
    // Beside known fields, nested duplicates are the producer's own business: receivers get the bytes as they came.
    let doubled = br#"{"type":"a.b","data":{"x":1,"x":2},"metadata":{"y":{"z":1,"z":2}}}"#;
    client.request("POST", "/api/v1/events", doubled).data(202);
    let reply = client.request("POST", "/api/v1/events", br#"{"type":"a.b","type":"c","data":1}"#);
    assert_eq!((reply.status, &reply.json()["error"]["field"]), (400, &json!("type")));
    let reply = client.request(
        "POST",
        "/api/v1/webhooks",
        br#"{"url":"https://example.com/","events":["*"],"rate_limit":{"per_second":1,"per_second":2}}"#,
    );
    assert_eq!(reply.status, 400, "{}", reply.json());
    witness.end(&server);
    assert!(server.terminate().success());
}

/// Every route that takes a body, as method and path: those of the document, and those of the dialects' own APIs.
fn routes_with_a_body(client: &mut Client, webhook: &str) -> Vec<(String, String, bool)> {
    let document = client.get("/openapi.json").json();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let parent = if path.starts_with("/api/v1/accounts/") { "default" } else { webhook };
        let path = path.replace("{id}", parent).replace("{delivery_id}", webhook);
        for (method, operation) in item.as_object().expect("operations") {
            if operation.get("requestBody").is_some() {
                routes.push((method.to_uppercase(), path.clone(), true));
            }
        }
    }
    let faces = client.get("/docs/webhooks/workspace?format=markdown");
    assert_eq!(faces.status, 200);
    for path in ["/v2/webhooks", "/webhooks", "/api/webhooks", "/v1/webhooks"] {
        routes.push(("POST".to_owned(), path.to_owned(), false));
    }
    routes
}

fn broken_bodies() -> Vec<(&'static str, Vec<u8>)> {
    const DEEP: usize = 100_000;
    vec![
        ("deep arrays", vec![b'['; DEEP]),
        ("deep objects", br#"{"a":"#.repeat(DEEP)),
        ("deep data", [br#"{"type":"a","data":"#.as_slice(), &vec![b'['; DEEP], &vec![b']'; DEEP], b"}"].concat()),
        ("deep metadata", [br#"{"type":"a","data":1,"metadata":"#.as_slice(), &br#"{"a":"#.repeat(DEEP)].concat()),
        ("a deep name", [br#"{"name":"#.as_slice(), &vec![b'['; DEEP], &vec![b']'; DEEP], b"}"].concat()),
        ("a deep retry", [br#"{"retry":{"delays":"#.as_slice(), &vec![b'['; DEEP], &vec![b']'; DEEP], b"}}"].concat()),
        ("deep ids", [br#"{"ids":"#.as_slice(), &vec![b'['; DEEP], &vec![b']'; DEEP], b"}"].concat()),
        ("a deep unknown field", [br#"{"zzz":"#.as_slice(), &vec![b'['; DEEP], &vec![b']'; DEEP], b"}"].concat()),
        ("invalid UTF-8", b"{\"type\":\"a\xff\",\"data\":1}".to_vec()),
        ("invalid UTF-8 in a key", b"{\"\xc3\x28\":1}".to_vec()),
        ("a lone surrogate in a key", br#"{"\ud800":1}"#.to_vec()),
        ("UTF-16", b"\xff\xfe{\0}\0".to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("a field twice", br#"{"zzz":1,"zzz":2}"#.to_vec()),
        ("a huge number", [b"{\"zzz\":".as_slice(), &[b'9'; 100_000], b"}"].concat()),
        ("half of it", br#"{"type":"a","data":{"#.to_vec()),
        ("a NUL", b"{\"type\":\"a\",\"data\":1}\0".to_vec()),
        ("a list", b"[[],[]]".to_vec()),
    ]
}

#[test]
fn bodies_without_end_are_refused_and_closed() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[("HOOKWHEEL__SERVER__BODY_BYTES_MAX", "65536")]);
    let witness = Witness::start(&server);
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    stays_flat(&server, || {
        std::thread::scope(|scope| {
            for (key, status) in [(server.key, 413), (server.key, 413), ("wrong", 401), ("wrong", 401)] {
                for framing in ["Transfer-Encoding: chunked", "Content-Length: 1000000000000"] {
                    let (chunk, address) = (&chunk, server.address);
                    scope.spawn(move || {
                        let mut raw = Raw::connect(address);
                        let head =
                            format!("POST /api/v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\n");
                        raw.send(format!("{head}{framing}\r\n\r\n").as_bytes());
                        let heard = raw.drip(chunk, std::time::Duration::ZERO);
                        // A close in the middle of what we send can overtake the reply.
                        let statuses = heard.statuses();
                        assert!(heard.closed && (statuses == [status] || statuses.is_empty()), "{framing}: {heard:?}");
                    });
                }
            }
        });
    });
    let mut raw = Raw::connect(server.address);
    let head = format!("POST /api/v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\n", server.key);
    raw.send(format!("{head}Content-Length: 1000000000000\r\n\r\n").as_bytes());
    let heard = raw.hear();
    assert_eq!((heard.statuses(), heard.closed), (vec![413], true), "at once, before any of the body");
    witness.end(&server);
    assert!(server.terminate().success());
}
