//! Every knob of the server, with its unit and bound in its name. Read once at start: the file, then the environment
//! over it; what neither names has its default. What stays true: a [`Config`] that [`load`] returned is within every
//! bound of the table of knobs, and nothing that somebody wrote was ignored.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use config::{Environment, File, FileFormat, Map, Source, Value, ValueKind};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;
use thiserror::Error;

use crate::domain::proxy::Proxy;
use crate::domain::secret::Secret;

/// The file that is read when none is named, if it is there.
pub const DEFAULT_FILE: &str = "config.toml";
/// What every variable of the environment that sets a knob begins with.
pub const ENVIRONMENT_PREFIX: &str = "HOOKWHEEL__";

/// Reads the file at `path` (without one: `config.toml` in the working directory if it exists) and the environment.
///
/// # Errors
/// The file cannot be read, or a key is unknown or its value is not what the knob takes.
pub fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
    let default = Path::new(DEFAULT_FILE);
    match path.or_else(|| default.exists().then_some(default)) {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Unreadable { path: path.display().to_string(), source })?;
            from_sources(Some((path, &text)), None)
        }
        None => from_sources(None, None),
    }
}

/// All knobs. Only the front page of the library sees the whole; each room gets settings of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// The listening side.
    pub server: ServerConfig,
    /// The data directory and the queue before it.
    pub store: StoreConfig,
    /// How long things are kept.
    pub retention: RetentionConfig,
    /// The sending side.
    pub deliver: DeliverConfig,
    /// Who may use the API.
    pub auth: AuthConfig,
    /// What is written to standard error.
    pub log: LogConfig,
}

impl Config {
    /// What `--dev` changes: `http://` endpoints and endpoints on this machine are allowed.
    pub fn for_development(&mut self) {
        self.deliver.http_allowed = true;
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
            (self.deliver.http_allowed, "deliver.http_allowed", "payloads may travel in the clear"),
            (!self.deliver.allow.is_empty(), "deliver.allow", "networks that are not public may be dialled"),
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
    /// Threads that serve the API; 0: one a core (see [`threads`]).
    pub workers: usize,
    /// The longest request body in bytes; a longer one is answered 413.
    pub body_bytes_max: usize,
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
            group_bytes_max: 8 << 20,
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
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { event_days: 90, bytes_max: 0, hold_days_max: 30, audit_days: 400 }
    }
}

/// `[deliver]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeliverConfig {
    /// Attempts under way at once, over all webhooks.
    pub in_flight_max: usize,
    /// Threads that send; 0: one a core (see [`threads`]).
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
            in_flight_max: 512,
            senders: 0,
            http_allowed: false,
            allow: Vec::new(),
            egress: Vec::new(),
            connect_seconds: 10,
            dialects: PathBuf::from("dialects"),
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

/// `[auth]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuthConfig {
    /// The admin key; without one, the first start makes one and prints it.
    pub admin_key: Option<Secret>,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,hookwheel::store=debug`.
    pub level: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".into() }
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// The number of threads that a setting of 0 or more means: 0 is one a core.
pub fn threads(setting: usize) -> usize {
    if setting > 0 { setting } else { std::thread::available_parallelism().map_or(1, usize::from) }
}

/// Why a configuration was refused. The texts are for the person who wrote it.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file is not there or may not be read.
    #[error("cannot read the configuration file {path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no TOML, or a source could not be read at all.
    #[error("cannot read the configuration: {0}")]
    Malformed(#[from] config::ConfigError),
    /// A key that no knob has.
    #[error("{origin}: unknown key `{key}`; did you mean `{nearest}`?")]
    UnknownKey {
        /// The file, or "the environment".
        origin: String,
        /// The key as it is written there.
        key: String,
        /// The nearest known one, written the same way.
        nearest: String,
    },
    /// A value that the knob does not take.
    #[error("{origin}: `{key}` must be {takes}, but is {found}")]
    Unfit {
        /// The file, or "the environment".
        origin: String,
        /// The key as it is written there.
        key: String,
        /// What the knob takes.
        takes: String,
        /// What was found.
        found: String,
    },
    /// Two values that do not go together.
    #[error("{0}")]
    Contradiction(&'static str),
}

/// What a knob takes.
#[derive(Debug, Clone, Copy)]
enum Takes {
    Whole { min: u64, max: u64 },
    Flag,
    Address,
    Path,
    Networks,
    Key,
    MasterKey,
    LogFormat,
    LogLevel,
    Ports,
    Addresses,
    Proxy,
    Roots,
}

const GIB: u64 = 1 << 30;

/// Every knob and its bounds. A test holds it equal to the structs and to the shipped `config.toml`.
const KNOBS: &[(&str, Takes)] = &[
    ("server.listen", Takes::Address),
    ("server.workers", Takes::Whole { min: 0, max: 1024 }),
    ("server.body_bytes_max", Takes::Whole { min: 1024, max: 64 << 20 }),
    ("server.calls_per_minute", Takes::Whole { min: 0, max: 10_000_000 }),
    ("server.events_per_second", Takes::Whole { min: 0, max: 1_000_000 }),
    ("server.url_bytes_max", Takes::Whole { min: 256, max: 60_000 }),
    ("server.headers_max", Takes::Whole { min: 16, max: 96 }),
    ("server.header_bytes_max", Takes::Whole { min: 1 << 10, max: 128 << 10 }),
    ("server.head_seconds", Takes::Whole { min: 1, max: 3600 }),
    ("server.body_seconds", Takes::Whole { min: 1, max: 3600 }),
    ("server.idle_seconds", Takes::Whole { min: 1, max: 3600 }),
    ("server.connections_max", Takes::Whole { min: 0, max: 1 << 20 }),
    ("server.connections_per_address_max", Takes::Whole { min: 0, max: 1 << 20 }),
    ("server.tls_certificate", Takes::Path),
    ("server.tls_key", Takes::Path),
    ("server.shutdown_seconds", Takes::Whole { min: 0, max: 3600 }),
    ("store.path", Takes::Path),
    ("store.master_key_file", Takes::Path),
    ("store.master_key", Takes::MasterKey),
    ("store.cache_bytes", Takes::Whole { min: 1 << 20, max: 1024 * GIB }),
    ("store.free_bytes_min", Takes::Whole { min: 0, max: 1024 * GIB }),
    ("store.queue_events_max", Takes::Whole { min: 1, max: 1 << 20 }),
    ("store.queue_bytes_max", Takes::Whole { min: 1 << 10, max: 16 * GIB }),
    ("store.group_events_max", Takes::Whole { min: 1, max: 65_536 }),
    ("store.group_bytes_max", Takes::Whole { min: 1 << 10, max: GIB }),
    ("retention.event_days", Takes::Whole { min: 0, max: 36_500 }),
    ("retention.bytes_max", Takes::Whole { min: 0, max: 1024 * GIB }),
    ("retention.hold_days_max", Takes::Whole { min: 1, max: 3650 }),
    ("retention.audit_days", Takes::Whole { min: 0, max: 36_500 }),
    ("deliver.in_flight_max", Takes::Whole { min: 1, max: 65_536 }),
    ("deliver.senders", Takes::Whole { min: 0, max: 256 }),
    ("deliver.http_allowed", Takes::Flag),
    ("deliver.allow", Takes::Networks),
    ("deliver.egress", Takes::Networks),
    ("deliver.connect_seconds", Takes::Whole { min: 1, max: 300 }),
    ("deliver.dialects", Takes::Path),
    ("deliver.deny", Takes::Networks),
    ("deliver.ports", Takes::Ports),
    ("deliver.dns_seconds", Takes::Whole { min: 1, max: 60 }),
    ("deliver.name_servers", Takes::Addresses),
    ("deliver.proxy", Takes::Proxy),
    ("deliver.proxy_resolves", Takes::Flag),
    ("deliver.roots", Takes::Roots),
    ("auth.admin_key", Takes::Key),
    ("log.format", Takes::LogFormat),
    ("log.level", Takes::LogLevel),
];

fn from_sources(file: Option<(&Path, &str)>, env: Option<Map<String, String>>) -> Result<Config, ConfigError> {
    let file_source = File::from_str(file.map_or("", |(_, text)| text), FileFormat::Toml);
    // An empty variable is an unset one, as compose files write it.
    let env_source = Environment::with_prefix("HOOKWHEEL").prefix_separator("__").separator("__").ignore_empty(true);
    let env_source = env_source.source(env);
    if let Some((path, _)) = file {
        check(&Origin::File(path), file_source.collect().map_err(|cause| malformed(path, cause))?)?;
    }
    check(&Origin::Environment, env_source.collect()?)?;
    let merged = config::Config::builder().add_source(file_source).add_source(env_source).build()?;
    let mut config: Config = merged.try_deserialize()?;
    check_together(&config)?;
    if let Some(folder) = file.and_then(|(path, _)| path.parent()) {
        config.deliver.dialects = folder.join(&config.deliver.dialects);
        config.store.master_key_file = config.store.master_key_file.map(|path| folder.join(path));
        for path in [&mut config.server.tls_certificate, &mut config.server.tls_key].into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }
    Ok(config)
}

fn malformed(path: &Path, cause: config::ConfigError) -> ConfigError {
    ConfigError::Malformed(config::ConfigError::Message(format!("{}: {cause}", path.display())))
}

fn check_together(config: &Config) -> Result<(), ConfigError> {
    if config.store.queue_bytes_max < config.server.body_bytes_max {
        return Err(ConfigError::Contradiction(
            "`store.queue_bytes_max` is below `server.body_bytes_max`: the largest body would never be accepted; raise the \
             one or lower the other",
        ));
    }
    if config.server.tls_certificate.is_some() != config.server.tls_key.is_some() {
        return Err(ConfigError::Contradiction(
            "`server.tls_certificate` and `server.tls_key` go together: set both to serve TLS, or none",
        ));
    }
    Ok(())
}

/// Where a key was written, and so how it is spelt.
enum Origin<'a> {
    File(&'a Path),
    Environment,
}

impl Origin<'_> {
    fn spell(&self, key: &str) -> String {
        match self {
            Self::File(_) => key.to_owned(),
            Self::Environment => format!("{ENVIRONMENT_PREFIX}{}", key.replace('.', "__").to_uppercase()),
        }
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment => f.write_str("the environment"),
        }
    }
}

fn check(origin: &Origin<'_>, source: Map<String, Value>) -> Result<(), ConfigError> {
    let mut leaves = Vec::new();
    flatten("", source, &mut leaves);
    leaves.sort_by(|a, b| a.0.cmp(&b.0));
    let knobs: HashMap<&str, Takes> = KNOBS.iter().copied().collect();
    for (key, value) in &leaves {
        let is_section = KNOBS.iter().any(|(knob, _)| knob.split_once('.').is_some_and(|(section, _)| section == key));
        let knob = knobs.get(key.as_str()).copied();
        let takes = match knob {
            Some(takes) if !takes.accept(value) => takes.to_string(),
            Some(_) => continue,
            None if !is_section => return Err(unknown(origin, key)),
            None if matches!(value, ValueKind::Table(_)) => continue,
            None => format!("a section: write its keys under [{key}]"),
        };
        return Err(ConfigError::Unfit {
            origin: origin.to_string(),
            key: origin.spell(key),
            takes,
            found: if knob.is_some_and(Takes::is_secret) { "another text".into() } else { found(value) },
        });
    }
    Ok(())
}

/// Turns tables into dotted keys; an empty table stays, so that a mistyped empty section is seen.
fn flatten(prefix: &str, table: Map<String, Value>, leaves: &mut Vec<(String, ValueKind)>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value.kind {
            ValueKind::Table(inner) if !inner.is_empty() => flatten(&key, inner, leaves),
            kind => leaves.push((key, kind)),
        }
    }
}

fn unknown(origin: &Origin<'_>, key: &str) -> ConfigError {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    // A right name under the wrong section is nearer than any spelling.
    let distance = |known: &str| {
        let whole = strsim::damerau_levenshtein(known, key);
        if last(known) == last(key) { whole.min(1) } else { whole }
    };
    let nearest = KNOBS.iter().map(|(known, _)| *known).min_by_key(|known| distance(known)).unwrap_or_default();
    ConfigError::UnknownKey { origin: origin.to_string(), key: origin.spell(key), nearest: origin.spell(nearest) }
}

fn found(value: &ValueKind) -> String {
    match value {
        ValueKind::String(text) => format!("\"{text}\""),
        ValueKind::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| found(&item.kind)).collect();
            format!("[{}]", items.join(", "))
        }
        ValueKind::Table(_) => "a table".into(),
        other => other.to_string(),
    }
}

impl Takes {
    /// Whether what it takes is never shown.
    fn is_secret(self) -> bool {
        matches!(self, Self::Key | Self::MasterKey | Self::Proxy)
    }

    /// Whether a knob takes `value`. The environment has only texts, so a text may spell a number or a flag.
    fn accept(self, value: &ValueKind) -> bool {
        let text = match value {
            ValueKind::String(text) => Some(text.as_str()),
            _ => None,
        };
        match self {
            Self::Whole { min, max } => whole(value).is_some_and(|n| (min..=max).contains(&n)),
            Self::Flag => matches!(value, ValueKind::Boolean(_)) || matches!(text, Some("true" | "false")),
            Self::Address => text.is_some_and(|text| text.parse::<SocketAddr>().is_ok()),
            Self::Path | Self::MasterKey => text.is_some_and(|text| !text.is_empty()),
            Self::Networks => all(value, |text| network(text).is_some()),
            Self::Ports => all(value, |text| text.parse::<u16>().is_ok_and(|port| port > 0)),
            Self::Addresses => all(value, |text| text.parse::<SocketAddr>().is_ok()),
            Self::Proxy => text.is_some_and(|text| Proxy::parse(text).is_ok()),
            Self::Roots => matches!(text, Some("webpki" | "native")),
            Self::Key => text.is_some_and(|text| {
                (16..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
            }),
            Self::LogFormat => matches!(text, Some("text" | "json")),
            Self::LogLevel => {
                text.is_some_and(|text| !text.is_empty() && tracing_subscriber::EnvFilter::try_new(text).is_ok())
            }
        }
    }
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole { min, max } => return write!(f, "a whole number from {min} to {max}"),
            Self::Flag => "true or false",
            Self::Address => "an IP address and a port, such as \"127.0.0.1:7080\" or \"[::]:7080\"",
            Self::Path => "a path",
            Self::Networks => {
                "a list of networks, such as [\"10.0.0.0/8\", \"::1/128\"] (in the environment: with commas)"
            }
            Self::Key => "16 to 256 visible ASCII characters without blanks",
            Self::MasterKey => "a text of keys as `hookwheel master-key` prints them",
            Self::Ports => "a list of ports, such as [443, 8443] (in the environment: with commas)",
            Self::Addresses => {
                "a list of IP addresses with ports, such as [\"9.9.9.9:53\"] (in the environment: with commas)"
            }
            Self::Proxy => "a proxy, such as \"http://user:password@proxy.example:3128\" or \"socks5://10.0.0.1:1080\"",
            Self::Roots => "\"webpki\" or \"native\"",
            Self::LogFormat => "\"text\" or \"json\"",
            Self::LogLevel => "error, warn, info, debug or trace, or a filter such as \"info,hookwheel::store=debug\"",
        })
    }
}

fn whole(value: &ValueKind) -> Option<u64> {
    match value {
        ValueKind::I64(n) => u64::try_from(*n).ok(),
        ValueKind::U64(n) => Some(*n),
        ValueKind::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A network in CIDR form, or one address.
fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).map(|network: IpNet| network.trunc())
}

/// Whether each item of a list is one that `fits`. The environment writes lists with commas.
fn all(value: &ValueKind, fits: impl Fn(&str) -> bool) -> bool {
    match value {
        ValueKind::Array(items) => items.iter().all(|item| match &item.kind {
            ValueKind::String(text) => fits(text),
            number => whole(number).is_some_and(|number| fits(&number.to_string())),
        }),
        ValueKind::String(text) => listed(text).all(|item| fits(item.trim())),
        number => whole(number).is_some_and(|number| fits(&number.to_string())),
    }
}

fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|item| !item.trim().is_empty())
}

fn as_texts<S: Serializer>(networks: &[IpNet], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(networks.iter().map(ToString::to_string))
}

fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    written(from, network)
}

fn list<'de, D: Deserializer<'de>, T: FromStr>(from: D) -> Result<Vec<T>, D::Error> {
    written(from, |text| text.trim().parse().ok())
}

/// A list as the file or the environment writes it.
fn written<'de, D: Deserializer<'de>, T>(from: D, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Item {
        Number(u64),
        Text(String),
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        List(Vec<Item>),
        One(Item),
    }
    let items = match Written::deserialize(from)? {
        Written::List(items) => items,
        Written::One(Item::Text(text)) => listed(&text).map(|item| Item::Text(item.to_owned())).collect(),
        Written::One(number) => vec![number],
    };
    let text = |item: Item| match item {
        Item::Text(text) => text,
        Item::Number(number) => number.to_string(),
    };
    let fit = |text: String| read(&text).ok_or_else(|| serde::de::Error::custom(format!("cannot be read: {text}")));
    items.into_iter().map(text).map(fit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../config.toml");

    fn read(file: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let env = env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        from_sources(Some((Path::new("/etc/hookwheel/config.toml"), file)), Some(env))
    }

    fn refused(file: &str, env: &[(&str, &str)]) -> String {
        read(file, env).expect_err("must be refused").to_string()
    }

    #[test]
    fn the_shipped_file_names_every_knob_and_sets_its_default() {
        let mut config = read(SHIPPED, &[]).expect("the shipped file");
        config.deliver.dialects = PathBuf::from("dialects");
        assert_eq!(config, Config::default());
        let mut section = String::new();
        let mut named = Vec::new();
        for line in SHIPPED.lines() {
            let line = line.trim_start_matches("# ");
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.to_owned();
            } else if let Some((key, _)) = line.split_once(" = ") {
                named.push(format!("{section}.{key}"));
            }
        }
        let known: Vec<_> = KNOBS.iter().map(|(key, _)| (*key).to_owned()).collect();
        assert_eq!(named, known);
    }

    #[test]
    fn the_environment_is_over_the_file_and_the_file_over_the_defaults() {
        let env = [
            ("HOOKWHEEL__SERVER__LISTEN", "[::]:80"),
            ("HOOKWHEEL__DELIVER__HTTP_ALLOWED", "true"),
            ("HOOKWHEEL__DELIVER__ALLOW", "10.1.2.3/8, 127.0.0.1"),
            ("HOOKWHEEL__DELIVER__PORTS", "443, 8443"),
            ("HOOKWHEEL__DELIVER__PROXY", "socks5://user:password@proxy:1080"),
            ("HOOKWHEEL__AUTH__ADMIN_KEY", "0123456789012345"),
            ("HOOKWHEEL__STORE__PATH", ""),
            ("HOOKWHEEL_URL", "not a knob"),
        ];
        let config = read(
            "[server]\nworkers = 3\nlisten = '1.2.3.4:5'\n[deliver]\nallow = ['::1']\nname_servers = ['127.0.0.1:53']",
            &env,
        )
        .expect("fits");
        assert_eq!((config.server.listen.to_string(), config.server.workers), ("[::]:80".into(), 3));
        assert!(config.deliver.http_allowed);
        assert_eq!(config.deliver.ports, [443, 8443]);
        assert_eq!(config.deliver.name_servers, ["127.0.0.1:53".parse().expect("an address")]);
        assert_eq!(config.deliver.proxy().expect("set").to_string(), "proxy:1080");
        let allow: Vec<_> = config.deliver.allow.iter().map(IpNet::to_string).collect();
        assert_eq!(allow, ["10.0.0.0/8", "127.0.0.1/32"]);
        assert_eq!(config.auth.admin_key.expect("set").reveal(), "0123456789012345");
        assert_eq!(config.store, StoreConfig::default());
        assert_eq!(config.deliver.dialects, Path::new("/etc/hookwheel/dialects"));
        assert_eq!(from_sources(None, Some(Map::new())).expect("fits"), Config::default());
    }

    #[test]
    fn an_unknown_key_names_where_it_is_and_the_nearest_known_one() {
        for (file, key, nearest) in [
            ("[server]\nlisten_on = 'x'", "server.listen_on", "server.listen"),
            ("[srever]\nworkers = 1", "srever.workers", "server.workers"),
            ("workers = 1", "workers", "server.workers"),
            ("[deliver]\ncache_bytes = 1", "deliver.cache_bytes", "store.cache_bytes"),
        ] {
            let message = refused(file, &[]);
            let (found, meant) = message.split_once("; did you mean ").expect("a suggestion");
            assert_eq!(found, format!("/etc/hookwheel/config.toml: unknown key `{key}`"));
            assert!(meant.contains(nearest), "{message}");
        }
        assert!(refused("[lgo]", &[]).contains("unknown key `lgo`"), "an empty section is seen too");
        assert_eq!(
            refused("", &[("HOOKWHEEL__STORE__PTAH", "x")]),
            "the environment: unknown key `HOOKWHEEL__STORE__PTAH`; did you mean `HOOKWHEEL__STORE__PATH`?"
        );
    }

    #[test]
    fn an_unfit_value_names_the_key_what_it_takes_and_what_was_found() {
        for (file, part) in [
            ("[server]\nworkers = -1", "`server.workers` must be a whole number from 0 to 1024, but is -1"),
            ("[server]\nworkers = 1.5", "but is 1.5"),
            ("[server]\nlisten = 7080", "must be an IP address and a port"),
            ("[deliver]\nhttp_allowed = 'yes'", "must be true or false, but is \"yes\""),
            ("[deliver]\nallow = ['10.0.0.0/99']", "a list of networks"),
            ("[deliver]\nports = [443, 70000]", "a list of ports, such as [443, 8443]"),
            ("[deliver]\nname_servers = ['9.9.9.9']", "a list of IP addresses with ports"),
            ("[deliver]\nroots = 'all'", "\"webpki\" or \"native\", but is \"all\""),
            ("[deliver]\nproxy = 'https://u:hunter2@p:1'", "must be a proxy, such as"),
            ("[deliver]\nproxy = 'ftp://u:hunter2@p:1'", "but is another text"),
            ("[log]\nformat = 'xml'", "\"text\" or \"json\", but is \"xml\""),
            ("[log]\nlevel = 'a=b=c'", "error, warn, info"),
            ("server = 3", "`server` must be a section: write its keys under [server], but is 3"),
            ("[server]\nbody_bytes_max = 67108864\n[store]\nqueue_bytes_max = 1024", "would never be accepted"),
            ("[server]\ntls_key = 'key.pem'", "go together"),
            ("[server\n", "/etc/hookwheel/config.toml"),
        ] {
            let message = refused(file, &[]);
            assert!(message.contains(part), "{message}");
        }
        let message = refused("", &[("HOOKWHEEL__AUTH__ADMIN_KEY", "hunter2")]);
        assert!(message.contains("`HOOKWHEEL__AUTH__ADMIN_KEY` must be 16 to 256"), "{message}");
        assert!(!message.contains("hunter2"), "a key is never shown");
    }

    #[test]
    fn every_knob_is_shown_with_its_default_and_no_secret() {
        let env =
            [("HOOKWHEEL__AUTH__ADMIN_KEY", "hunter2-hunter2-hunter2"), ("HOOKWHEEL__DELIVER__ALLOW", "10.0.0.0/8")];
        let config = read("[server]\nevents_per_second = 0\ntls_certificate = 'c.pem'\ntls_key = 'k.pem'", &env);
        let config = config.expect("fits");
        let knobs = config.knobs();
        let names: Vec<_> = knobs.iter().map(|knob| knob.0).collect();
        assert_eq!(names, KNOBS.iter().map(|knob| knob.0).collect::<Vec<_>>());
        let one = |name: &str| knobs.iter().find(|knob| knob.0 == name).map(|knob| (&knob.1, &knob.2));
        assert_eq!(one("server.events_per_second"), Some((&Json::from(0), &Json::from(20_000))));
        assert_eq!(one("server.listen"), Some((&Json::from("127.0.0.1:7080"), &Json::from("127.0.0.1:7080"))));
        assert_eq!(one("deliver.allow"), Some((&serde_json::json!(["10.0.0.0/8"]), &serde_json::json!([]))));
        assert_eq!(one("server.tls_key"), Some((&Json::from("/etc/hookwheel/k.pem"), &Json::Null)));
        assert_eq!(one("auth.admin_key"), Some((&Json::from("set"), &Json::Null)));
        assert!(!format!("{knobs:?}").contains("hunter2"), "a key is never shown");
        let loosened: Vec<_> = config.loosened().into_iter().map(|(knob, _)| knob).collect();
        assert_eq!(loosened, ["server.events_per_second", "deliver.allow"]);
        assert_eq!(Config::default().loosened(), []);
    }

    #[test]
    fn development_allows_http_and_this_machine() {
        let mut config = Config::default();
        config.for_development();
        config.for_development();
        assert!(config.deliver.http_allowed);
        assert_eq!(config.deliver.allow.len(), 2);
        assert!(config.deliver.allow[0].contains(&"127.0.0.9".parse::<IpAddr>().expect("an address")));
    }

    #[test]
    fn a_file_that_is_named_must_be_there() {
        let error = load(Some(Path::new("/nowhere/hookwheel.toml"))).expect_err("must be refused");
        assert!(
            error.to_string().starts_with("cannot read the configuration file /nowhere/hookwheel.toml:"),
            "{error}"
        );
    }
}
