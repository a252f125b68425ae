//! What the guide says of nginx and Caddy, with the real ones.

use std::io::BufRead;
use std::path::Path;

use serde_json::json;

use super::front::{CLIENT, Front, NAME, Named, SERVER, free_port, printed, put_in};
use super::told;
use crate::support::Server;
use crate::support::process::KEY;

/// Headers by which a client would pass for somebody else, by another name.
const LIES: &str = "X-Forwarded-For: 192.0.2.66\r\nForwarded: for=192.0.2.66;host=evil.example;proto=http\r\n\
                    X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: http\r\n";

/// The server by the first settings of the page.
fn server(dir: &Path, more: &[(&str, &str)]) -> Server {
    std::fs::write(dir.join("config.toml"), printed("toml")[0]).expect("it can be written");
    Server::start_strict(dir, &[&[("HOOKWHEEL__LOG__ACCESS", "on")], more].concat())
}

/// nginx by the first recipe for it.
fn nginx(dir: &Path, server: &Server, more: &[(&str, &str)]) -> Option<Front> {
    let (port, named) = (free_port(), Named::new(dir));
    let base = [
        (SERVER, server.address.to_string()),
        ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
        ("/etc/ssl/hooks.example.com/certificate.pem", named.certificate.clone()),
        ("/etc/ssl/hooks.example.com/key.pem", named.key.clone()),
    ];
    let base: Vec<_> = base.iter().map(|(from, to)| (*from, to.as_str())).chain(more.iter().copied()).collect();
    Front::nginx(dir, &put_in(printed("nginx")[0], &base), port, &named)
}

fn caddy(dir: &Path, server: &Server) -> Option<Front> {
    let (port, named) = (free_port(), Named::new(dir));
    let site = format!("https://{NAME}:{port} {{\n    tls {} {}\n", named.certificate, named.key);
    let recipe =
        put_in(printed("caddy")[0], &[(SERVER, &server.address.to_string()), ("hooks.example.com {\n", &site)]);
    Front::caddy(dir, &recipe, port, &named)
}

/// What holds before whichever proxy.
fn holds(front: &Front, server: &mut Server) {
    let host = format!("Host: {NAME}\r\n");
    let by_key = format!("{host}Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\n");
    let post = |path: &str, body: &[u8]| {
        front.ask(&format!("POST {path} HTTP/1.1\r\n{by_key}{LIES}Content-Length: {}\r\n", body.len()), body)
    };
    let is = |reply: &str, status: &str| assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{reply}");

    // Who asks.
    let webhook = json!({"url": "https://example.com/", "events": ["none.such"]}).to_string();
    is(&post("/api/v1/webhooks", webhook.as_bytes()), "201");
    assert_eq!(told(server), CLIENT.to_string());

    // By which name, whatever the client says.
    for name in [NAME, "evil.example"] {
        let page = front.ask(&format!("GET /docs/guide/start HTTP/1.1\r\nHost: {name}\r\n{LIES}"), b"");
        assert!(!page.contains("evil.example"), "{page}");
        assert!(name != NAME || page.contains("https://hooks.example.com"), "{page}");
    }

    // How: over TLS, so somebody may log in, and the cookie goes by nothing else.
    let form = format!("admin_key={KEY}&email=root%40example.com&name=Root&password=correct+horse+battery");
    let head = format!(
        "POST /dashboard/first HTTP/1.1\r\n{host}Origin: https://{NAME}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n",
        form.len()
    );
    let reply = front.ask(&head, form.as_bytes());
    is(&reply, "303");
    let cookie = reply.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie:")).expect("a cookie");
    assert!(cookie.contains(" __Host-hookwheel=") && cookie.contains("; Secure"), "{cookie}");
    let foreign = front.ask(&put_in(&head, &[("Origin: https://hooks", "Origin: https://evil")]), form.as_bytes());
    is(&foreign, "403");

    // As much as the server takes, which is more than proxies take by themselves.
    let event = |bytes: usize| json!({"type": "a.b", "data": "x".repeat(bytes)}).to_string();
    is(&post("/api/v1/events", event(2 << 20).as_bytes()), "202");
    is(&post("/api/v1/events", event(11 << 20).as_bytes()), "413");
}

/// A stream arrives as it comes, and goes on for longer than a proxy waits.
fn streams(front: &Front, server: &Server) {
    let head = format!("GET /api/v1/stream HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: Bearer {KEY}\r\n");
    let mut stream = front.say(&head, b"").lines().map(|line| line.expect("it goes on"));
    assert!(stream.next().expect("a status").starts_with("HTTP/1.1 200"));
    for n in 0..4 {
        let id = server.client().post("/api/v1/events", &json!({"type": "a.b", "data": n})).data(202)["id"].clone();
        let id = id.as_str().expect("an id").to_owned();
        assert!(stream.by_ref().any(|line| line.contains(&id)), "it arrives");
        // A comment each second, where nothing happens.
        assert!(stream.by_ref().any(|line| line.starts_with(':')), "it is kept alive");
    }
}

#[test]
fn behind_nginx_all_is_as_it_is_before_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = server(dir.path(), &[]);
    let Some(front) = nginx(dir.path(), &server, &[]) else { return };
    holds(&front, &mut server);
    assert!(server.terminate().success());
}

#[test]
fn behind_nginx_a_stream_arrives_at_once_and_outlives_its_patience() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = server(dir.path(), &[("HOOKWHEEL__SERVER__IDLE_SECONDS", "1")]);
    let impatient = ("proxy_http_version 1.1;", "proxy_http_version 1.1;\nproxy_read_timeout 3s;");
    let Some(front) = nginx(dir.path(), &server, &[impatient]) else { return };
    streams(&front, &server);
    assert!(server.terminate().success());
}

#[test]
fn behind_caddy_all_is_as_it_is_before_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = server(dir.path(), &[]);
    let Some(front) = caddy(dir.path(), &server) else { return };
    holds(&front, &mut server);
    streams(&front, &server);
    assert!(server.terminate().success());
}

#[test]
fn nginx_hands_connections_on_and_says_whose_they_are() {
    let dir = tempfile::tempdir().expect("a folder");
    let (port, named) = (free_port(), Named::new(dir.path()));
    let files = [
        ("/etc/hookwheel/certificate.pem", named.certificate.as_str()),
        ("/etc/hookwheel/key.pem", named.key.as_str()),
    ];
    let settings = put_in(printed("toml")[1], &files);
    std::fs::write(dir.path().join("config.toml"), settings).expect("it can be written");
    let mut server = Server::start_strict(dir.path(), &[("HOOKWHEEL__LOG__ACCESS", "on")]);
    let places = [(SERVER, server.address.to_string()), ("listen 443", format!("listen 127.0.0.1:{port}"))];
    let recipe = put_in(printed("nginx")[1], &[(SERVER, &places[0].1), (places[1].0, &places[1].1)]);
    let Some(front) = Front::nginx(dir.path(), &recipe, port, &named) else { return };
    let head = format!("GET /api/v1/webhooks HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: Bearer {KEY}\r\n{LIES}");
    let reply = front.ask(&head, b"");
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    let line = server.process.line("path=\"/api/v1/webhooks\"");
    assert!(line.contains(&format!("address=\"{CLIENT}\"")), "{line}");
    assert!(server.terminate().success());
}
