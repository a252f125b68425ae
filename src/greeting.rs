//! What a start says: on standard output where the server is and how to try it, and in the log what is less strict than
//! it could be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::process::geteuid;

use crate::config::{Config, DeliverConfig, Exposed};
use crate::domain::guard::is_wide;
use crate::domain::portal::origin;
use crate::settings::master_keys;
use crate::store;

/// Says where the server is and how to try it, on standard output, once it can be used. `log_in`: the path of a link that logs
/// in. `served`: the contracts whose APIs answer.
pub fn greet(config: &Config, address: SocketAddr, (first_key, log_in): (Option<&str>, Option<&str>), served: &[&str]) {
    let scheme = if config.server.tls_certificate.is_some() { "https" } else { "http" };
    println!("hookwheel {} listens on {scheme}://{address}", env!("CARGO_PKG_VERSION"));
    println!("data directory: {}", config.store.path.display());
    if let store::MasterKeySource::Own = master_keys(&config.store) {
        println!("master key: {} (keep a copy elsewhere)", config.store.path.join(store::OWN_MASTER_KEYS).display());
    }
    if let Some(dialect) = &config.deliver.default_dialect {
        println!("webhooks of the account default speak {dialect} where they do not say");
    }
    if config.deliver.wanted_dialects().is_some() {
        println!("contracts that are served: {} (deliver.builtin_dialects adds others)", served.join(", "));
    }
    if config.deliver.http_allowed {
        println!("http:// endpoints are allowed");
    }
    if !config.deliver.allow.is_empty() {
        let allow: Vec<String> = config.deliver.allow.iter().map(ToString::to_string).collect();
        println!("endpoints that are not public are allowed in {}", allow.join(", "));
    }
    for warning in warnings(&config.deliver) {
        println!("warning: {warning}");
        tracing::warn!("{warning}");
    }
    if let Some(proxy) = config.deliver.proxy() {
        println!("deliveries go through the proxy {proxy}");
    }
    if let Some(host) = &config.smtp.host {
        println!("notices by mail are handed to {host}");
    }
    match first_key {
        Some(key) => println!("admin key: {key} (shown this once; keep it)"),
        None => println!("admin key: the one of the first start, or HOOKWHEEL__AUTH__ADMIN_KEY"),
    }
    let found = || match config.server.public_url.as_deref().and_then(origin) {
        Some(url) => url,
        None => format!("{scheme}://{}", here(address)),
    };
    match log_in {
        Some(path) => println!("dashboard: {}{path} (logged in; good once, for 5 minutes)", found()),
        None if config.dashboard.enabled => println!("dashboard: {}/dashboard", found()),
        None => {}
    }
    let key = first_key.unwrap_or("$HOOKWHEEL_KEY");
    println!("try it:");
    println!("  curl -sS {scheme}://{address}/api/v1/events -H \"Authorization: Bearer {key}\" \\");
    println!("    -d '{{\"type\":\"task.created\",\"data\":{{\"id\":1}}}}'");
}

/// Where a browser on this machine finds a server that listens there.
fn here(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), address.port()),
        _ => address,
    }
}

/// What of the settings opens more than most want.
fn warnings(deliver: &DeliverConfig) -> Vec<String> {
    let wide = deliver.allow.iter().filter(|net| is_wide(net));
    let wide =
        wide.map(|net| format!("deliver.allow {net} opens nearly everything: webhooks may reach your own network"));
    let proxy = (deliver.proxy.is_some() && deliver.proxy_resolves).then(|| {
        "deliver.proxy_resolves is on: where names lead is not checked, so the proxy must keep webhooks out of your own \
         network"
            .to_string()
    });
    wide.chain(proxy).collect()
}

/// Tells the log what is less strict than it could be.
pub fn warn_of(config: &Config) {
    if geteuid().is_root() {
        tracing::warn!("runs as root: start it as a user of its own that owns {}", config.store.path.display());
    }
    for (knob, meaning) in config.loosened() {
        tracing::warn!(knob, "a setting is looser than its default: {meaning}");
    }
    for Exposed { path, holds, mode } in config.exposed() {
        tracing::warn!(path = %path.display(), "others can read {holds}; set its mode to {mode:o}");
    }
}
