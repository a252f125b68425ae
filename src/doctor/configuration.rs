//! The configuration: what is looser than it could be, and what others of the machine can read.

use crate::config::{Config, Exposed};
use crate::domain::finding::{Finding, Severity};

/// What is open.
pub fn findings(config: &Config) -> Vec<Finding> {
    let loosened = config.loosened().into_iter().map(|(knob, meaning)| {
        let what = format!("{knob} is looser than its default: {meaning}");
        Finding::new(Severity::Note, "configuration", what, format!("leave {knob} out, if nobody needs it so"))
    });
    let exposed = config.exposed().into_iter().map(|Exposed { path, holds, mode, .. }| {
        let what = format!("others on this machine can read {holds}");
        Finding::new(Severity::Warning, "files", what, format!("set its mode to {mode:o}"))
            .at(path.display().to_string())
    });
    let is_clear = config.server.tls_certificate.is_none() && !config.server.listen.ip().is_loopback();
    let clear = is_clear.then(|| {
        let what = "the API is served in the clear beyond this machine: keys and payloads can be read on the way";
        let remedy = "set server.tls_certificate and server.tls_key, or listen on 127.0.0.1 behind a proxy that speaks TLS, and name \
                      that in server.trusted_proxies";
        // Who has named a proxy has one that may well be on another machine.
        let is_proxied = !config.server.trusted_proxies.is_empty();
        let severity = if is_proxied { Severity::Note } else { Severity::Warning };
        Finding::new(severity, "configuration", what, remedy).at(config.server.listen.to_string())
    });
    loosened.chain(exposed).chain(clear).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loose_is_a_note_and_what_is_in_the_clear_a_warning() {
        let mut config = Config::default();
        config.store.path = "/nowhere".into();
        let told =
            |config: &Config| findings(config).into_iter().map(|one| (one.severity, one.check)).collect::<Vec<_>>();
        config.server.listen = "127.0.0.1:1".parse().expect("an address");
        assert_eq!(told(&config), []);
        config.deliver.http_allowed = true;
        assert_eq!(told(&config), [(Severity::Note, "configuration".into())]);
        config.server.listen = "0.0.0.0:1".parse().expect("an address");
        assert_eq!(told(&config).last(), Some(&(Severity::Warning, "configuration".into())));
        config.server.trusted_proxies = vec!["10.0.0.0/8".parse().expect("a network")];
        assert_eq!(told(&config).last(), Some(&(Severity::Note, "configuration".into())), "there is a proxy before it");
    }
}
