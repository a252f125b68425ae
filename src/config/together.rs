//! Which values do not go together.

use std::net::IpAddr;

use super::{Config, SmtpTls};

/// What of it contradicts itself, in sentences.
pub fn contradictions(config: &Config) -> Vec<&'static str> {
    let mut found = Vec::new();
    if config.server.proxy_protocol && config.server.trusted_proxies.is_empty() {
        found.push(
            "`server.proxy_protocol` is set, but nobody is trusted to send its header: name your proxies in \
             `server.trusted_proxies`",
        );
    }
    if config.store.queue_bytes_max < config.server.body_bytes_max {
        found.push(
            "`store.queue_bytes_max` is below `server.body_bytes_max`: the largest body would never be accepted; raise the \
             one or lower the other",
        );
    }
    if config.store.password_file.is_some() && config.store.url.is_none() {
        found.push("`store.password_file` is the password of a database: set `store.url` too, or take it away");
    }
    if config.server.tls_certificate.is_some() != config.server.tls_key.is_some() {
        found.push("`server.tls_certificate` and `server.tls_key` go together: set both to serve TLS, or none");
    }
    contradictions_of_provider(config, &mut found);
    let smtp = &config.smtp;
    if smtp.host.is_some() && smtp.from.is_none() {
        found.push("`smtp.host` needs `smtp.from`: mail has to come from somebody");
    }
    if smtp.password.is_some() && smtp.password_file.is_some() {
        found.push("`smtp.password` and `smtp.password_file` are two passwords: set one");
    }
    if smtp.username.is_some() != (smtp.password.is_some() || smtp.password_file.is_some()) {
        found.push(
            "`smtp.username` and `smtp.password` (or `smtp.password_file`) go together: set both to log in, or none",
        );
    }
    let is_here = |host: &str| host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if smtp.tls == SmtpTls::None && smtp.username.is_some() && !smtp.host.as_deref().is_some_and(is_here) {
        found.push(
            "`smtp.tls` is \"none\" and there is a password: it would travel in the clear; encrypt, or do not log in",
        );
    }
    found
}

fn contradictions_of_provider(config: &Config, found: &mut Vec<&'static str>) {
    let oidc = &config.oidc;
    if oidc.issuer.is_some() != oidc.client_id.is_some() {
        found.push(
            "`oidc.issuer` and `oidc.client_id` go together: set both to let people log in by a provider, or none",
        );
    }
    if oidc.issuer.is_some() && oidc.allowed.is_empty() {
        found.push(
            "`oidc.issuer` needs `oidc.allowed`: without a rule nobody is let in; name addresses, hosts or groups",
        );
    }
    if oidc.client_secret.is_some() && oidc.client_secret_file.is_some() {
        found.push("`oidc.client_secret` and `oidc.client_secret_file` are two secrets: set one");
    }
}
