//! The server behind proxies: whose a connection and a request are, as a trusted proxy says and nobody else; and what follows from
//! it for bounds, the audit log and the log.

#[path = "../support/mod.rs"]
mod support;

mod chains;
mod protocol;

use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::{Value, json};
use support::Server;

/// A proxy's address; that of everybody else is 127.0.0.1.
const PROXY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// A server that trusts the proxy, and logs each call.
fn start(dir: &Path, more: &[(&str, &str)]) -> Server {
    let base = [
        ("HOOKWHEEL__SERVER__TRUSTED_PROXIES", "127.0.0.9/32,127.0.0.8/32,10.0.0.0/8"),
        ("HOOKWHEEL__LOG__ACCESS", "on"),
    ];
    Server::start_strict(dir, &[&base, more].concat())
}

/// A call that the audit log tells of, and after which the server closes the connection.
fn call(key: &str, headers: &str) -> String {
    let body = json!({"url": "https://example.com/", "events": ["none.such"]}).to_string();
    format!(
        "POST /api/v1/webhooks HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// The address that the last call came from, as the audit log and the log tell; they are of one mind.
#[track_caller]
fn told(server: &mut Server) -> String {
    let line = server.process.line("path=\"/api/v1/webhooks\"");
    let entry: Value = server.client().get("/api/v1/audit?limit=1").data(200)[0].clone();
    let address = entry["address"].as_str().expect("an address").to_owned();
    assert!(line.contains(&format!("address=\"{address}\"")), "{line}: {entry}");
    address
}
