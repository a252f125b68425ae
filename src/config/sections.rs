//! Every knob as the rest of the crate sees it: a struct a section, with its defaults.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::knobs::{KNOBS, Takes, as_texts, list, networks, sent_headers, some_list};
use super::pages::{OidcConfig, PortalConfig};
use crate::domain::proxy::Proxy;
use crate::domain::secret::Secret;

/// What stands for all dialects that are compiled in.
const EVERY_DIALECT: &str = "*";

/// All knobs. Only the front page of the library sees the whole; each room gets settings of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// The listening side.
    pub server: ServerConfig,
    /// The data directory and the queue before it.
    pub store: StoreConfig,
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
    /// Whether it was started for development: somebody tries it on his own machine.
    #[serde(skip)]
    pub is_dev: bool,
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

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerConfig {
    /// Address and port of the API. Port 0: a free one, which the start prints.
    pub listen: SocketAddr,
    /// Threads that serve the API; 0: one a core (see [`threads`](super::threads)).
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
    /// The address under which people find the server; without one: where they asked.
    pub public_url: Option<String>,
    /// The certificate chain to serve TLS with, in PEM; read again when it changes. Without one: plain HTTP.
    pub tls_certificate: Option<PathBuf>,
    /// The key of the certificate, in PEM.
    pub tls_key: Option<PathBuf>,
    /// Seconds that a stop waits for what is in flight before it is handed back.
    pub shutdown_seconds: u64,
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
            public_url: None,
            tls_certificate: None,
            tls_key: None,
            shutdown_seconds: 20,
        }
    }
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoreConfig {
    /// The data directory; a relative path counts from the working directory.
    pub path: PathBuf,
    /// The master keys that seal what is secret in the store, in base64, the one that seals first; for the environment.
    pub master_key: Option<Secret>,
    /// A file of master keys; relative in the file, it lies beside the file. Without either, the server makes one in the
    /// data directory.
    pub master_key_file: Option<PathBuf>,
    /// Bytes of pages that the store keeps in memory.
    pub cache_bytes: u64,
    /// The reserve: with fewer free bytes on the data directory's disk, events are answered 503.
    pub free_bytes_min: u64,
    /// Requests that may wait for a commit; above it, events are answered 503.
    pub queue_events_max: usize,
    /// Bytes of events that may wait for a commit; above it, events are answered 503.
    pub queue_bytes_max: usize,
    /// Events in one group commit.
    pub group_events_max: usize,
    /// Bytes of events in one group commit; a single larger event or batch is a group of its own.
    pub group_bytes_max: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data"),
            master_key: None,
            master_key_file: None,
            cache_bytes: 64 << 20,
            free_bytes_min: 256 << 20,
            queue_events_max: 8192,
            queue_bytes_max: 64 << 20,
            group_events_max: 512,
            group_bytes_max: 2 << 20,
        }
    }
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitsConfig {
    /// Webhooks of one account; 0: no limit.
    pub webhooks_max: usize,
    /// API keys of one account; 0: no limit.
    pub keys_max: usize,
    /// Event types that one account may write down; 0: no limit but 2 MiB of them.
    pub event_types_max: usize,
    /// Users of one account; 0: no limit.
    pub users_max: usize,
    /// The greatest `max_in_flight` that an account's own key may give a webhook.
    pub max_in_flight: u32,
    /// The longest `timeout` that it may, in seconds.
    pub timeout: u32,
    /// Bytes of events, deliveries and attempts that are kept of one account; above it its oldest go. 0: no limit.
    pub kept_bytes_max: u64,
    /// Events that one account may publish in a second, with all of its keys together. 0: no limit.
    pub events_per_second: u32,
    /// New events that one account may publish in a day, UTC. 0: no limit.
    pub events_per_day: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            webhooks_max: 10_000,
            keys_max: 1_000,
            event_types_max: 500,
            users_max: 100,
            max_in_flight: 64,
            timeout: 60,
            kept_bytes_max: 0,
            events_per_second: 0,
            events_per_day: 0,
        }
    }
}

/// `[retention]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetentionConfig {
    /// Days that events are kept, with their deliveries and attempts; 0: for ever.
    pub event_days: u64,
    /// Bytes of events, deliveries and attempts that are kept; above it the oldest go. 0: no limit.
    pub bytes_max: u64,
    /// Days that deliveries are held for a webhook that is not active; then they are cancelled.
    pub hold_days_max: u64,
    /// Days that the audit log is kept; 0: for ever.
    pub audit_days: u64,
    /// Entries of the audit log that are kept of one account; above it the oldest go. 0: no limit.
    pub audit_entries_max: u64,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { event_days: 90, bytes_max: 0, hold_days_max: 30, audit_days: 400, audit_entries_max: 100_000 }
    }
}

/// `[deliver]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeliverConfig {
    /// Attempts under way at once, over all webhooks: places. With fewer descriptors there are fewer.
    pub in_flight_max: usize,
    /// Bytes of bodies under way at once; smaller bodies than 8 KiB are not counted.
    pub bodies_bytes_max: usize,
    /// Threads that send; 0: one a core (see [`threads`](super::threads)).
    pub senders: usize,
    /// Whether webhooks may have `http://` URLs.
    pub http_allowed: bool,
    /// Networks that may be dialled though they are not public.
    #[serde(deserialize_with = "networks", serialize_with = "as_texts")]
    pub allow: Vec<IpNet>,
    /// The addresses that deliveries come from, as the documentation tells receivers. Those that this machine has are
    /// where connections leave from.
    #[serde(deserialize_with = "networks", serialize_with = "as_texts")]
    pub egress: Vec<IpNet>,
    /// Seconds that name resolution and connect may take together, and TLS once more.
    pub connect_seconds: u64,
    /// A directory of dialect files; relative in the file, it lies beside the file. It need not exist.
    pub dialects: PathBuf,
    /// The dialect of the account `default`, put in force at each start; without one a new account has `standard`, and one
    /// that is there keeps what it has.
    pub default_dialect: Option<String>,
    /// The dialects, of those that are compiled in, whose API and documentation are served beside `standard` and those in use;
    /// `"*"` is all. Without it `--dev` serves all.
    #[serde(deserialize_with = "some_list")]
    pub builtin_dialects: Option<Vec<String>>,
    /// Networks that are never dialled, whoever opened them.
    #[serde(deserialize_with = "networks", serialize_with = "as_texts")]
    pub deny: Vec<IpNet>,
    /// The ports that may be dialled; empty: all.
    #[serde(deserialize_with = "list")]
    pub ports: Vec<u16>,
    /// Seconds that name resolution may take.
    pub dns_seconds: u64,
    /// Name servers that are asked; empty: the system's.
    #[serde(deserialize_with = "list")]
    pub name_servers: Vec<SocketAddr>,
    /// The proxy that connections go through, with its password (see [`Proxy`]).
    pub proxy: Option<Secret>,
    /// Whether the proxy resolves names; then addresses behind names are not checked.
    pub proxy_resolves: bool,
    /// Which authorities receivers' certificates are checked against.
    pub roots: Roots,
}

impl DeliverConfig {
    /// The dialects that are served beside those in use; `None`: all.
    pub fn wanted_dialects(&self) -> Option<&[String]> {
        let wanted = self.builtin_dialects.as_deref().unwrap_or_default();
        (!wanted.iter().any(|name| name == EVERY_DIALECT)).then_some(wanted)
    }

    /// The proxy, read.
    pub fn proxy(&self) -> Option<Proxy> {
        self.proxy.as_ref().map(|text| Proxy::parse(text.reveal()).expect("it was checked when it was read"))
    }
}

/// The authorities that receivers' certificates are checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Roots {
    /// Mozilla's, as they were when this was built.
    Webpki,
    /// Those of this machine.
    Native,
}

impl Default for DeliverConfig {
    fn default() -> Self {
        Self {
            in_flight_max: 8192,
            bodies_bytes_max: 256 << 20,
            senders: 0,
            http_allowed: false,
            allow: Vec::new(),
            egress: Vec::new(),
            connect_seconds: 10,
            dialects: PathBuf::from("dialects"),
            default_dialect: None,
            builtin_dialects: None,
            deny: Vec::new(),
            ports: Vec::new(),
            dns_seconds: 5,
            name_servers: Vec::new(),
            proxy: None,
            proxy_resolves: false,
            roots: Roots::Webpki,
        }
    }
}

/// `[smtp]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SmtpConfig {
    /// Its name or address; without one no webhook sends mail. It is the operator's own, so no guard stands before it, and no
    /// proxy.
    pub host: Option<String>,
    /// Its port; 0: 587 with `starttls`, 465 with `tls`, 25 with `none`.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: SmtpTls,
    /// Authorities that its certificate is checked against, in PEM, in the place of Mozilla's; relative in the file, it lies
    /// beside the file.
    pub ca_file: Option<PathBuf>,
    /// Whom to log in as; without one nobody logs in.
    pub username: Option<String>,
    /// The password, for the environment.
    pub password: Option<Secret>,
    /// A file with the password; relative in the file, it lies beside the file.
    pub password_file: Option<PathBuf>,
    /// Whom mail comes from.
    pub from: Option<String>,
    /// Seconds that handing over one mail may take.
    pub timeout_seconds: u64,
    /// Whether accounts may make webhooks that send mail, with keys of their own. Then they can have mail sent to anybody.
    pub accounts: bool,
}

/// How a connection to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// It begins in the clear and must then be encrypted.
    Starttls,
    /// From the first byte.
    Tls,
    /// Not at all.
    None,
}

impl Default for SmtpConfig {
    fn default() -> Self {
        Self {
            host: None,
            port: 0,
            tls: SmtpTls::Starttls,
            ca_file: None,
            username: None,
            password: None,
            password_file: None,
            from: None,
            timeout_seconds: 30,
            accounts: false,
        }
    }
}

/// `[auth]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuthConfig {
    /// The admin key; without one, the first start makes one and prints it.
    pub admin_key: Option<Secret>,
}

/// `[dashboard]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DashboardConfig {
    /// Whether there is one.
    pub enabled: bool,
    /// Hours after which a session ends in which nothing was asked.
    pub session_idle_hours: u64,
    /// Days after which a session ends in any case.
    pub session_days: u64,
}

impl Default for DashboardConfig {
    fn default() -> Self {
        Self { enabled: true, session_idle_hours: 12, session_days: 14 }
    }
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,hookwheel::store=debug`.
    pub level: String,
    /// Whether there is a line for each event, each attempt and each call, and not only for what fails.
    pub access: Access,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Auto, level: "info".into(), access: Access::Auto }
    }
}

/// Whether there is a line for each event, each attempt and each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Where lines are JSON, and `log.level` shows as much as `info`.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON else.
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// `[metrics]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricsConfig {
    /// Accounts that have counters of their own on `/metrics`; those that come later share theirs. 0: none has.
    pub accounts_max: usize,
}

/// `[traces]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TracesConfig {
    /// Where spans are handed over, as OTLP over HTTP; without a path at `/v1/traces`. Without it none are made. It is the
    /// operator's own, so no guard stands before it, and no proxy.
    pub endpoint: Option<String>,
    /// The share of traces whose spans are handed over, 0 to 1, where the producer does not say.
    pub sample_ratio: f64,
    /// What is sent along, such as `Authorization=Bearer …`, several with commas; for the environment.
    pub headers: Option<Secret>,
    /// Under which name.
    pub service_name: String,
    /// Whether deliveries carry `traceparent`.
    pub propagate: bool,
    /// Where people look at a trace, with `{trace_id}` in it.
    pub url_template: Option<String>,
}

impl TracesConfig {
    /// What is sent along, read.
    pub fn sent_headers(&self) -> Vec<(String, String)> {
        let read = |text: &Secret| sent_headers(text.reveal()).expect("it was checked when it was read");
        self.headers.as_ref().map(read).unwrap_or_default()
    }
}

// The ratio was read as a number from 0 to 1.
impl Eq for TracesConfig {}

impl Default for TracesConfig {
    fn default() -> Self {
        let (endpoint, headers, url_template) = Default::default();
        let service_name = "hookwheel".into();
        Self { endpoint, sample_ratio: 1.0, headers, service_name, propagate: false, url_template }
    }
}
