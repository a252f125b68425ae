//! Every knob as the rest of the crate sees it: a struct a section, with its defaults.

mod deliver;
mod people;
mod server;
mod smtp;
mod store;
mod watching;

use std::collections::BTreeMap;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::knobs::{KNOBS, Takes};
use super::pages::{OidcConfig, PortalConfig};
use deliver::EVERY_DIALECT;
pub use deliver::{DeliverConfig, Roots};
pub use people::{AuthConfig, DashboardConfig};
pub use server::ServerConfig;
pub use smtp::{SmtpConfig, SmtpTls};
pub use store::{ClusterConfig, LimitsConfig, RetentionConfig, StoreConfig};
pub use watching::{Access, LogConfig, LogFormat, MetricsConfig, TracesConfig};

/// All knobs. Only the front page of the library sees the whole; each room gets settings of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// The listening side.
    pub server: ServerConfig,
    /// The data directory and the queue before it.
    pub store: StoreConfig,
    /// This node among those that share a database.
    pub cluster: ClusterConfig,
    /// What one account may have.
    pub limits: LimitsConfig,
    /// How long things are kept.
    pub retention: RetentionConfig,
    /// The sending side.
    pub deliver: DeliverConfig,
    /// The mail server that notices by mail are handed to.
    pub smtp: SmtpConfig,
    /// Who may use the API.
    pub auth: AuthConfig,
    /// The pages that people look at.
    pub dashboard: DashboardConfig,
    /// How portals look.
    pub portal: PortalConfig,
    /// Who logs in by an identity provider.
    pub oidc: OidcConfig,
    /// What is written to standard error.
    pub log: LogConfig,
    /// What is measured.
    pub metrics: MetricsConfig,
    /// Where spans go.
    pub traces: TracesConfig,
    /// The file that was read, if a secret stands in it.
    #[serde(skip)]
    pub secrets_in: Option<PathBuf>,
    /// The file that was read, to be read again.
    #[serde(skip)]
    pub read_from: Option<PathBuf>,
    /// Where each knob was set that somebody set: a file and a line, or a variable of the environment.
    #[serde(skip)]
    pub set_in: BTreeMap<String, String>,
    /// Whether the dialect of the account `default` was said beside the file, by who started it.
    #[serde(skip)]
    pub is_dialect_said: bool,
    /// Whether it was started for development: somebody tries it on his own machine.
    #[serde(skip)]
    pub is_dev: bool,
    /// Whether the server that runs over the same data directory is taken over, if there is one.
    #[serde(skip)]
    pub takes_over: bool,
}

impl Config {
    /// What `--dev` changes: `http://` endpoints and endpoints on this machine are allowed, all contracts are served unless it is
    /// said which, and the start prints a link that is logged in.
    pub fn for_development(&mut self) {
        self.is_dev = true;
        self.deliver.http_allowed = true;
        self.deliver.builtin_dialects.get_or_insert_with(|| vec![EVERY_DIALECT.into()]);
        for loopback in ["127.0.0.0/8", "::1/128"] {
            let network: IpNet = loopback.parse().expect("a network");
            if !self.deliver.allow.contains(&network) {
                self.deliver.allow.push(network);
            }
        }
    }

    /// Every knob: its name, its value and its default, in the order of the table. Of a secret only whether it is set.
    pub fn knobs(&self) -> Vec<(&'static str, Json, Json)> {
        let tree = |config: &Self| serde_json::to_value(config).expect("a configuration is plain data");
        let (set, usual) = (tree(self), tree(&Self::default()));
        let value = |tree: &Json, name: &str, takes: Takes| {
            let value = tree.pointer(&format!("/{}", name.replace('.', "/"))).cloned().unwrap_or_default();
            if takes.is_secret() && !value.is_null() { Json::from("set") } else { value }
        };
        KNOBS.iter().map(|(name, takes)| (*name, value(&set, name, *takes), value(&usual, name, *takes))).collect()
    }

    /// The knobs whose values differ, secrets among them, in the order of the table.
    pub fn changed(&self, other: &Self) -> Vec<&'static str> {
        let tree = |config: &Self| serde_json::to_value(config).expect("a configuration is plain data");
        let (one, two) = (tree(self), tree(other));
        let differs = |name: &str| {
            let at = format!("/{}", name.replace('.', "/"));
            one.pointer(&at) != two.pointer(&at)
        };
        KNOBS.iter().map(|(name, _)| *name).filter(|name| differs(name)).collect()
    }

    /// This one, with the knobs of another that a running server takes: see [`is_live`](super::is_live).
    pub fn with_live_of(&self, new: &Self) -> Self {
        let (from_server, from_deliver) = (&new.server, &new.deliver);
        let server = ServerConfig {
            calls_per_minute: from_server.calls_per_minute,
            events_per_second: from_server.events_per_second,
            url_bytes_max: from_server.url_bytes_max,
            headers_max: from_server.headers_max,
            header_bytes_max: from_server.header_bytes_max,
            body_seconds: from_server.body_seconds,
            trusted_proxies: from_server.trusted_proxies.clone(),
            proxy_protocol: from_server.proxy_protocol,
            ..self.server.clone()
        };
        let deliver = DeliverConfig {
            http_allowed: from_deliver.http_allowed,
            allow: from_deliver.allow.clone(),
            deny: from_deliver.deny.clone(),
            ports: from_deliver.ports.clone(),
            ..self.deliver.clone()
        };
        let log = LogConfig { level: new.log.level.clone(), access: new.log.access, ..self.log.clone() };
        let traces = TracesConfig { url_template: new.traces.url_template.clone(), ..self.traces.clone() };
        let (limits, retention) = (new.limits.clone(), new.retention.clone());
        Self { server, limits, retention, deliver, log, traces, ..self.clone() }
    }

    /// What is set so that less is refused than usual: the knob, and what it means.
    pub fn loosened(&self) -> Vec<(&'static str, &'static str)> {
        let no_limit = "0: no limit";
        let all = [
            (self.server.calls_per_minute == 0, "server.calls_per_minute", no_limit),
            (self.server.events_per_second == 0, "server.events_per_second", no_limit),
            (self.server.connections_max == 0, "server.connections_max", no_limit),
            (self.server.connections_per_address_max == 0, "server.connections_per_address_max", no_limit),
            (self.limits.webhooks_max == 0, "limits.webhooks_max", no_limit),
            (self.limits.keys_max == 0, "limits.keys_max", no_limit),
            (self.deliver.http_allowed, "deliver.http_allowed", "payloads may travel in the clear"),
            (!self.deliver.allow.is_empty(), "deliver.allow", "networks that are not public may be dialled"),
            (self.smtp.accounts, "smtp.accounts", "accounts may have mail sent to anybody"),
            (
                self.metrics.accounts_max > 0,
                "metrics.accounts_max",
                "/metrics, which needs no key, tells what accounts there are",
            ),
        ];
        all.into_iter().filter(|(is_loose, ..)| *is_loose).map(|(_, knob, meaning)| (knob, meaning)).collect()
    }
}
