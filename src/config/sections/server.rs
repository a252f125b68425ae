//! The knobs of the listening side.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::config::knobs::{as_texts, networks};

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerConfig {
    /// Address and port of the API. Port 0: a free one, which the start prints.
    pub listen: SocketAddr,
    /// Threads that serve the API; 0: one a core (see [`threads`](crate::config::threads)).
    pub workers: usize,
    /// The longest request body in bytes; a longer one is answered 413.
    pub body_bytes_max: usize,
    /// Bytes of request bodies that may be on their way; beyond it they are answered 429 or 503.
    pub bodies_bytes_max: usize,
    /// Calls that a key may make in a minute, publishing aside; a tenth of them at once. 0: no limit.
    pub calls_per_minute: u32,
    /// Events that a key may publish in a second, all of them at once. 0: no limit.
    pub events_per_second: u32,
    /// The longest path and query of a request, in bytes; a longer one is answered 414.
    pub url_bytes_max: usize,
    /// The most headers of a request; with more it is answered 431.
    pub headers_max: usize,
    /// The most bytes in names and values of a request's headers; with more it is answered 431.
    pub header_bytes_max: usize,
    /// Seconds in which the first request of a connection must have come, up to its body.
    pub head_seconds: u64,
    /// Seconds in which a request's body must have come; a slower one is answered 408.
    pub body_seconds: u64,
    /// Seconds after which a connection without a request is closed.
    pub idle_seconds: u64,
    /// Connections at once; further ones are closed. 0: no limit.
    pub connections_max: usize,
    /// Connections of one address at once (IPv6: of one /64); further ones are closed. 0: no limit.
    pub connections_per_address_max: usize,
    /// Networks whose proxies are believed when they say for whom they ask.
    #[serde(deserialize_with = "networks", serialize_with = "as_texts")]
    pub trusted_proxies: Vec<IpNet>,
    /// Connections of those begin with a header of the PROXY protocol (1 or 2), which says whose they are.
    pub proxy_protocol: bool,
    /// The address under which people find the server; without one: what a trusted proxy says, or the address that was reached.
    pub public_url: Option<String>,
    /// The certificate chain to serve TLS with, in PEM; read again when it changes. Without one: plain HTTP.
    pub tls_certificate: Option<PathBuf>,
    /// The key of the certificate, in PEM.
    pub tls_key: Option<PathBuf>,
    /// Seconds that a stop waits at most for whoever has asked something, and for its answer.
    pub shutdown_seconds: u64,
    /// Seconds that a stop waits for attempts that are out, at most `shutdown_seconds`; then they are interrupted, count as
    /// not made, and are made again after the next start.
    pub shutdown_attempt_seconds: u64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 7080));
        Self {
            listen,
            workers: 0,
            body_bytes_max: 10 << 20,
            bodies_bytes_max: 128 << 20,
            calls_per_minute: 30_000,
            events_per_second: 20_000,
            url_bytes_max: 8 << 10,
            headers_max: 64,
            header_bytes_max: 32 << 10,
            head_seconds: 10,
            body_seconds: 30,
            idle_seconds: 60,
            connections_max: 4096,
            connections_per_address_max: 256,
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            public_url: None,
            tls_certificate: None,
            tls_key: None,
            shutdown_seconds: 20,
            shutdown_attempt_seconds: 2,
        }
    }
}
