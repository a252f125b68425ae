//! What a start says: on standard output where the server is and how to try it, and in the log what is less strict than
//! it could be.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::geteuid;

use crate::config::{Config, DeliverConfig, Exposed};
use crate::domain::guard::{Guard, is_wide};
use crate::domain::portal::origin;
use crate::settings::master_keys;
use crate::{log, profile, store};

/// How long a start waits for somebody to read the greeting.
const READ_WITHIN: Duration = Duration::from_secs(1);

/// Says where the server is and how to try it, on standard output, once it can be used. `log_in`: the path of a link that logs
/// in. `served`: the contracts whose APIs answer.
/// `takes`: whether the server takes a key.
pub fn greet(
    config: &Config,
    address: SocketAddr,
    (first_key, log_in): (Option<&str>, Option<&str>),
    served: &[&str],
    takes: impl Fn(&str) -> bool,
) {
    let mut say = Greeting { is_json: log::is_json(&config.log), text: String::new() };
    let scheme = if config.server.tls_certificate.is_some() { "https" } else { "http" };
    say.line(format!("hookwheel {} listens on {scheme}://{address}", env!("CARGO_PKG_VERSION")));
    match crate::settings::of_store(config).database {
        Some(member) => say.line(format!("database: {member}, as the node {}", member.name())),
        None => say.line(format!("data directory: {}", config.store.path.display())),
    }
    if let store::MasterKeySource::Own = master_keys(&config.store) {
        say.line(format!(
            "master key: {} (keep a copy elsewhere)",
            config.store.path.join(store::OWN_MASTER_KEYS).display()
        ));
    }
    if let Some(dialect) = &config.deliver.default_dialect {
        say.line(format!("webhooks of the account default speak {dialect} where they do not say"));
    }
    if config.deliver.wanted_dialects().is_some() {
        say.line(format!("contracts that are served: {} (deliver.builtin_dialects adds others)", served.join(", ")));
    }
    if config.deliver.http_allowed {
        say.line("http:// endpoints are allowed".into());
    }
    if !config.deliver.allow.is_empty() {
        let allow: Vec<String> = config.deliver.allow.iter().map(ToString::to_string).collect();
        say.line(format!("endpoints that are not public are allowed in {}", allow.join(", ")));
    }
    for warning in warnings(&config.deliver) {
        if !say.is_json {
            say.line(format!("warning: {warning}"));
        }
        tracing::warn!("{warning}");
    }
    if let Some(proxy) = config.deliver.proxy() {
        say.line(format!("deliveries go through the proxy {proxy}"));
    }
    if let Some(host) = &config.smtp.host {
        say.line(format!("notices by mail are handed to {host}"));
    }
    match first_key {
        Some(key) => say.always(format!("admin key: {key} (shown this once; keep it)")),
        None => say.line("admin key: the one of the first start, or HOOKWHEEL__AUTH__ADMIN_KEY".into()),
    }
    let found = || match config.server.public_url.as_deref().and_then(origin) {
        Some(url) => url,
        None => format!("{scheme}://{}", here(address)),
    };
    match log_in {
        Some(path) => say.line(format!("dashboard: {}{path} (logged in; good once, for 5 minutes)", found())),
        None if config.dashboard.enabled => say.line(format!("dashboard: {}/dashboard", found())),
        None => {}
    }
    say.line(format!("guide: {}/docs", found()));
    let url = format!("{scheme}://{}", here(address));
    // A service has no person beside it who would use one, and its home is no place for keys.
    let kept = if config.is_dev && !is_service() { keep(&url, first_key, takes) } else { None };
    if say.is_json {
        // Nobody copies a command from there.
        return;
    }
    if let Some(flags) = kept {
        // As it was called here, so that it is found where this one was.
        let program = std::env::args().next().unwrap_or_else(|| "hookwheel".into());
        say.line("try it in another terminal: a signed delivery, seen and verified".into());
        say.line(format!("  {program}{flags} listen --send task.created --count 1"));
        return;
    }
    let key = first_key.unwrap_or("$HOOKWHEEL_KEY");
    say.line("try it:".into());
    say.line(format!("  curl -sS {url}/api/v1/events -H \"Authorization: Bearer {key}\" \\"));
    say.line("    -d '{\"type\":\"task.created\",\"data\":{\"id\":1}}'".into());
}

/// Whether a supervisor has started the process and hears how it is.
fn is_service() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty())
}

/// Keeps the first key in the profile of development, and gives what a command has to say to mean it. A server goes on without.
fn keep(url: &str, first_key: Option<&str>, takes: impl Fn(&str) -> bool) -> Option<&'static str> {
    profile::keep_dev(url, first_key, takes).unwrap_or_else(|error| {
        tracing::warn!(%error, "no profile is kept: commands need --key");
        None
    })
}

/// Where the greeting goes: to standard output, or where lines are JSON into the log, so that nothing plain is among them.
struct Greeting {
    is_json: bool,
    /// For standard output.
    text: String,
}

impl Greeting {
    fn line(&mut self, text: String) {
        if self.is_json {
            tracing::info!("{text}");
        } else {
            self.text += &text;
            self.text.push('\n');
        }
    }

    /// What is never said again, whatever the log leaves out.
    fn always(&mut self, text: String) {
        if self.is_json && !tracing::enabled!(tracing::Level::INFO) {
            let line = serde_json::json!({"level": "INFO", "target": module_path!(), "message": text});
            log::line(&line.to_string());
        } else {
            self.line(text);
        }
    }
}

impl Drop for Greeting {
    /// Nobody may be there to read it, or whoever is may not read: the server goes on.
    fn drop(&mut self) {
        let (text, (done, is_done)) = (std::mem::take(&mut self.text), mpsc::sync_channel(1));
        // As said above, and whoever waits may be gone.
        let print = move || _ = io::stdout().write_all(text.as_bytes()).map(|()| done.send(()));
        // Errors mean that there can be no thread, and that it was printed in vain or takes too long.
        let _ = std::thread::Builder::new().name("greeting".into()).spawn(print);
        let _ = is_done.recv_timeout(READ_WITHIN);
    }
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
    let (address, is_clear) = (config.server.listen, config.server.tls_certificate.is_none());
    if is_clear && may_be_public(address) {
        tracing::warn!(
            %address,
            "listens in the clear where others than this machine and its network may come from: keys and payloads can be read on \
             the way; set server.tls_certificate and server.tls_key, or listen on 127.0.0.1 behind a proxy with TLS"
        );
    }
}

/// Whether strangers may reach it there: on a public address, or on all that this machine has.
fn may_be_public(address: SocketAddr) -> bool {
    address.ip().is_unspecified() || Guard::default().decide(address.ip(), address.port(), &[]).may_dial()
}

/// Takes from others the right to read what holds secrets, where it is ours to take; and says what is left.
pub fn mend(config: &Config) {
    for exposed in config.exposed() {
        let Exposed { path, holds, mode, .. } = &exposed;
        let path = path.display();
        match exposed.mend() {
            Ok(true) => tracing::warn!(%path, "others could read {holds}: its mode is {mode:o} now"),
            Ok(false) => tracing::warn!(%path, "others can read {holds}; set its mode to {mode:o}"),
            Err(error) => tracing::warn!(%path, %error, "others can read {holds}; set its mode to {mode:o}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_strangers_may_reach_is_known() {
        for (address, expected) in [
            ("127.0.0.1:7080", false),
            ("[::1]:7080", false),
            ("10.1.2.3:80", false),
            ("192.168.0.1:80", false),
            ("[fd00::1]:80", false),
            ("0.0.0.0:80", true),
            ("[::]:80", true),
            ("8.8.8.8:80", true),
            ("[2606:4700::1]:443", true),
        ] {
            assert_eq!(may_be_public(address.parse().expect("an address")), expected, "{address}");
        }
    }
}
