//! The table of knobs: what each takes, and how that is written in a file and in the environment. A test holds it equal to
//! the structs and to the shipped `config.toml`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use config::ValueKind;
use ipnet::IpNet;
use lettre::message::Mailbox;
use serde::{Deserialize, Deserializer, Serializer};
use url::Url;

use super::filter;
use crate::domain::account::{EVENTS_PER_DAY_MAX, EVENTS_PER_SECOND_MAX};
use crate::domain::colour::Colour;
use crate::domain::endpoint::EndpointUrl;
use crate::domain::names::is_host_name;
use crate::domain::portal::{TITLE_CHARS_MAX, WELCOME_CHARS_MAX, origin, vet_link, vet_words};
use crate::domain::proxy::Proxy;
use crate::domain::sign_on;
use crate::domain::trace_context::TRACE_ID_SLOT;

/// What a knob takes.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
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
    Dialect,
    Dialects,
    Host,
    Text,
    Sender,
    Password,
    SmtpTls,
    Title,
    Welcome,
    Colour,
    WebUrl,
    Origin,
    Origins,
    Issuer,
    Words,
    Rules,
    Access,
    Endpoint,
    Ratio,
    SentHeaders,
    TraceUrl,
    Database,
    Node,
    HostAndPort,
}

const GIB: u64 = 1 << 30;

/// Every knob and its bounds. A test holds it equal to the structs and to the shipped `config.toml`.
pub const KNOBS: &[(&str, Takes)] = &[
    ("server.listen", Takes::Address),
    ("server.workers", Takes::Whole { min: 0, max: 1024 }),
    ("server.body_bytes_max", Takes::Whole { min: 1024, max: 64 << 20 }),
    ("server.bodies_bytes_max", Takes::Whole { min: 1 << 20, max: 16 * GIB }),
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
    ("server.trusted_proxies", Takes::Networks),
    ("server.proxy_protocol", Takes::Flag),
    ("server.public_url", Takes::Origin),
    ("server.tls_certificate", Takes::Path),
    ("server.tls_key", Takes::Path),
    ("server.shutdown_seconds", Takes::Whole { min: 0, max: 3600 }),
    ("server.shutdown_attempt_seconds", Takes::Whole { min: 0, max: 3600 }),
    ("store.path", Takes::Path),
    ("store.url", Takes::Database),
    ("store.password_file", Takes::Path),
    ("store.master_key_file", Takes::Path),
    ("store.master_key", Takes::MasterKey),
    ("store.cache_bytes", Takes::Whole { min: 1 << 20, max: 1024 * GIB }),
    ("store.free_bytes_min", Takes::Whole { min: 0, max: 1024 * GIB }),
    ("store.queue_events_max", Takes::Whole { min: 1, max: 1 << 20 }),
    ("store.queue_bytes_max", Takes::Whole { min: 1 << 10, max: 16 * GIB }),
    ("store.group_events_max", Takes::Whole { min: 1, max: 65_536 }),
    ("store.group_bytes_max", Takes::Whole { min: 1 << 10, max: GIB }),
    ("cluster.node", Takes::Node),
    ("cluster.listen", Takes::Address),
    ("cluster.advertise", Takes::HostAndPort),
    ("cluster.carries", Takes::Flag),
    ("limits.webhooks_max", Takes::Whole { min: 0, max: 10_000_000 }),
    ("limits.keys_max", Takes::Whole { min: 0, max: 10_000_000 }),
    ("limits.event_types_max", Takes::Whole { min: 0, max: 10_000_000 }),
    ("limits.users_max", Takes::Whole { min: 0, max: 10_000 }),
    ("limits.max_in_flight", Takes::Whole { min: 1, max: 256 }),
    ("limits.timeout", Takes::Whole { min: 1, max: 120 }),
    ("limits.kept_bytes_max", Takes::Whole { min: 0, max: 1024 * GIB }),
    ("limits.events_per_second", Takes::Whole { min: 0, max: EVENTS_PER_SECOND_MAX as u64 }),
    ("limits.events_per_day", Takes::Whole { min: 0, max: EVENTS_PER_DAY_MAX }),
    ("retention.event_days", Takes::Whole { min: 0, max: 36_500 }),
    ("retention.bytes_max", Takes::Whole { min: 0, max: 1024 * GIB }),
    ("retention.hold_days_max", Takes::Whole { min: 1, max: 3650 }),
    ("retention.audit_days", Takes::Whole { min: 0, max: 36_500 }),
    ("retention.audit_entries_max", Takes::Whole { min: 0, max: 1 << 40 }),
    ("deliver.in_flight_max", Takes::Whole { min: 1, max: 65_536 }),
    ("deliver.bodies_bytes_max", Takes::Whole { min: 1 << 20, max: GIB * 64 }),
    ("deliver.senders", Takes::Whole { min: 0, max: 256 }),
    ("deliver.http_allowed", Takes::Flag),
    ("deliver.allow", Takes::Networks),
    ("deliver.egress", Takes::Networks),
    ("deliver.connect_seconds", Takes::Whole { min: 1, max: 300 }),
    ("deliver.dialects", Takes::Path),
    ("deliver.default_dialect", Takes::Dialect),
    ("deliver.builtin_dialects", Takes::Dialects),
    ("deliver.deny", Takes::Networks),
    ("deliver.ports", Takes::Ports),
    ("deliver.dns_seconds", Takes::Whole { min: 1, max: 60 }),
    ("deliver.name_servers", Takes::Addresses),
    ("deliver.proxy", Takes::Proxy),
    ("deliver.proxy_resolves", Takes::Flag),
    ("deliver.roots", Takes::Roots),
    ("smtp.host", Takes::Host),
    ("smtp.port", Takes::Whole { min: 0, max: 65_535 }),
    ("smtp.tls", Takes::SmtpTls),
    ("smtp.ca_file", Takes::Path),
    ("smtp.username", Takes::Text),
    ("smtp.password", Takes::Password),
    ("smtp.password_file", Takes::Path),
    ("smtp.from", Takes::Sender),
    ("smtp.timeout_seconds", Takes::Whole { min: 1, max: 300 }),
    ("smtp.accounts", Takes::Flag),
    ("auth.admin_key", Takes::Key),
    ("dashboard.enabled", Takes::Flag),
    ("dashboard.session_idle_hours", Takes::Whole { min: 1, max: 720 }),
    ("dashboard.session_days", Takes::Whole { min: 1, max: 365 }),
    ("portal.title", Takes::Title),
    ("portal.colour", Takes::Colour),
    ("portal.logo", Takes::Path),
    ("portal.welcome", Takes::Welcome),
    ("portal.support_url", Takes::WebUrl),
    ("portal.origins", Takes::Origins),
    ("oidc.issuer", Takes::Issuer),
    ("oidc.client_id", Takes::Text),
    ("oidc.client_secret", Takes::Password),
    ("oidc.client_secret_file", Takes::Path),
    ("oidc.scopes", Takes::Words),
    ("oidc.allowed", Takes::Rules),
    ("oidc.account", Takes::Text),
    ("oidc.label", Takes::Title),
    ("log.format", Takes::LogFormat),
    ("log.level", Takes::LogLevel),
    ("log.access", Takes::Access),
    ("metrics.accounts_max", Takes::Whole { min: 0, max: 10_000 }),
    ("traces.endpoint", Takes::Endpoint),
    ("traces.sample_ratio", Takes::Ratio),
    ("traces.headers", Takes::SentHeaders),
    ("traces.service_name", Takes::Text),
    ("traces.propagate", Takes::Flag),
    ("traces.url_template", Takes::TraceUrl),
];

impl Takes {
    /// What was meant by a value that is not taken, behind it in brackets; often nobody knows.
    pub fn hint(self, value: &ValueKind) -> String {
        match (self, value) {
            (Self::LogLevel, ValueKind::String(text)) => {
                filter::mistake(text).map_or(String::new(), |why| format!(" ({why})"))
            }
            _ => String::new(),
        }
    }

    /// Whether what it takes is never shown.
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Key | Self::MasterKey | Self::Proxy | Self::Password | Self::SentHeaders | Self::Database)
    }

    /// Whether a knob takes `value`. The environment has only texts, so a text may spell a number or a flag.
    pub fn accept(self, value: &ValueKind) -> bool {
        let text = match value {
            ValueKind::String(text) => Some(text.as_str()),
            _ => None,
        };
        match self {
            Self::Whole { min, max } => whole(value).is_some_and(|n| (min..=max).contains(&n)),
            Self::Flag => matches!(value, ValueKind::Boolean(_)) || matches!(text, Some("true" | "false")),
            Self::Address => text.is_some_and(|text| text.parse::<SocketAddr>().is_ok()),
            Self::Path | Self::MasterKey | Self::Dialect => text.is_some_and(|text| !text.is_empty()),
            Self::Networks => all(value, |text| network(text).is_some()),
            Self::Dialects => all(value, |name| !name.trim().is_empty()),
            Self::Ports => all(value, |text| text.parse::<u16>().is_ok_and(|port| port > 0)),
            Self::Addresses => all(value, |text| text.parse::<SocketAddr>().is_ok()),
            Self::Proxy => text.is_some_and(|text| Proxy::parse(text).is_ok()),
            Self::Roots => matches!(text, Some("webpki" | "native")),
            Self::Host => text.is_some_and(|text| is_host_name(text) || text.parse::<IpAddr>().is_ok()),
            Self::Text | Self::Password => {
                text.is_some_and(|text| (1..=1024).contains(&text.len()) && !text.chars().any(char::is_control))
            }
            Self::Sender => text.is_some_and(|text| text.len() <= 320 && text.parse::<Mailbox>().is_ok()),
            Self::SmtpTls => matches!(text, Some("starttls" | "tls" | "none")),
            Self::Title => {
                text.is_some_and(|text| vet_words("", text, TITLE_CHARS_MAX).is_ok_and(|text| !text.is_empty()))
            }
            Self::Welcome => text.is_some_and(|text| vet_words("", text, WELCOME_CHARS_MAX).is_ok()),
            Self::Colour => text.is_some_and(|text| Colour::read(text).is_some()),
            Self::Origin => text.is_some_and(|text| origin(text).is_some()),
            Self::WebUrl => text.is_some_and(|text| vet_link("", text).is_ok()),
            Self::Origins => all(value, |text| origin(text).is_some()),
            Self::Issuer => text.is_some_and(|text| sign_on::issuer(text).is_some()),
            Self::Words => {
                all(value, |text| !text.trim().is_empty() && text.trim().bytes().all(|byte| byte.is_ascii_graphic()))
            }
            Self::Rules => all(value, |text| sign_on::Rule::parse(text).is_some()),
            Self::Key => text.is_some_and(|text| {
                (16..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
            }),
            Self::LogFormat => matches!(text, Some("auto" | "text" | "json")),
            Self::Access => matches!(text, Some("auto" | "on" | "off")),
            Self::Endpoint => text.is_some_and(|text| EndpointUrl::parse(text, true).is_ok()),
            Self::Ratio => real(value).is_some_and(|ratio| (0.0..=1.0).contains(&ratio)),
            Self::SentHeaders => text.is_some_and(|text| sent_headers(text).is_some()),
            Self::TraceUrl => text.is_some_and(is_trace_url),
            Self::Database => text.is_some_and(|text| {
                let is_one = text.starts_with("postgres://") || text.starts_with("postgresql://");
                is_one && text.len() <= 4096 && text.bytes().all(|byte| byte.is_ascii_graphic())
            }),
            Self::Node => text.is_some_and(|text| {
                (1..=63).contains(&text.len())
                    && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
            }),
            Self::HostAndPort => text.and_then(|text| text.rsplit_once(':')).is_some_and(|(host, port)| {
                let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
                let is_host = match bare {
                    Some(bare) => bare.parse::<Ipv6Addr>().is_ok(),
                    None => is_host_name(host) || host.parse::<Ipv4Addr>().is_ok(),
                };
                is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
            }),
            Self::LogLevel => text.is_some_and(|text| filter::mistake(text).is_none()),
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
            Self::Dialect => "a dialect's name, such as \"standard\"",
            Self::Dialects => {
                "a list of dialects' names, such as [\"taskflow\"], or [\"*\"] for all (in the environment: with commas)"
            }
            Self::Key => "16 to 256 visible ASCII characters without blanks",
            Self::MasterKey => "a text of keys as `hookwheel master-key` prints them",
            Self::Ports => "a list of ports, such as [443, 8443] (in the environment: with commas)",
            Self::Addresses => {
                "a list of IP addresses with ports, such as [\"9.9.9.9:53\"] (in the environment: with commas)"
            }
            Self::Proxy => "a proxy, such as \"http://user:password@proxy.example:3128\" or \"socks5://10.0.0.1:1080\"",
            Self::Roots => "\"webpki\" or \"native\"",
            Self::Host => "a host name or an IP address, without a port",
            Self::Text | Self::Password => "1 to 1,024 characters on one line",
            Self::Sender => "a mail address, such as \"hookwheel@example.com\" or \"Hookwheel <hookwheel@example.com>\"",
            Self::SmtpTls => "\"starttls\", \"tls\" or \"none\"",
            Self::Title => "1 to 60 characters on one line",
            Self::Welcome => "at most 500 characters",
            Self::Colour => "a colour, such as \"#2f4fd0\"",
            Self::Origin => "an https:// address without a path (http:// only on this machine)",
            Self::WebUrl => "an https:// or http:// address",
            Self::Origins => {
                "a list of origins, such as [\"https://app.example.com\"], without a path, and http:// on localhost only (in the \
                 environment: with commas)"
            }
            Self::Issuer => "an identity provider's https:// address (on this machine http:// will do), without a query",
            Self::Words => "a list of words, such as [\"openid\", \"email\"] (in the environment: with commas)",
            Self::Rules => {
                "a list of rules, such as [\"ada@example.com = owner\", \"@example.com = viewer\", \"group:hooks = operator\"] \
                 (in the environment: with commas)"
            }
            Self::LogFormat => "\"auto\", \"text\" or \"json\"",
            Self::Access => "\"auto\", \"on\" or \"off\"",
            Self::Endpoint => "a URL, such as \"http://127.0.0.1:4318\"",
            Self::Ratio => "a number from 0 to 1",
            Self::SentHeaders => "headers, such as \"Authorization=Bearer …, X-Scope=main\"",
            Self::TraceUrl => "a URL with {trace_id} in it, such as \"https://traces.example.com/trace/{trace_id}\"",
            Self::Database => "a database, such as \"postgres://hookwheel@db.example.com/hookwheel\"",
            Self::HostAndPort => "a host and a port, such as \"hookwheel-1.internal:7081\"",
            Self::Node => "1 to 63 ASCII letters, digits, dots, dashes and underscores",
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

fn real(value: &ValueKind) -> Option<f64> {
    match value {
        ValueKind::Float(number) => Some(*number),
        ValueKind::String(text) => text.parse().ok(),
        value => whole(value).map(|number| number as f64),
    }
}

/// Headers as one line says them: names and values with `=` between, several with commas.
pub fn sent_headers(text: &str) -> Option<Vec<(String, String)>> {
    let one = |item: &str| {
        let (name, value) = item.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        let is_value = !value.is_empty() && value.bytes().all(|b| (b' '..=b'~').contains(&b));
        (is_name && is_value).then(|| (name.to_string(), value.to_string()))
    };
    listed(text).map(one).collect()
}

fn is_trace_url(text: &str) -> bool {
    let filled = text.replace(TRACE_ID_SLOT, "0");
    filled != text && Url::parse(&filled).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
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

pub fn as_texts<S: Serializer>(networks: &[IpNet], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(networks.iter().map(ToString::to_string))
}

pub fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    written(from, network)
}

pub fn list<'de, D: Deserializer<'de>, T: FromStr>(from: D) -> Result<Vec<T>, D::Error> {
    written(from, |text| text.trim().parse().ok())
}

pub fn some_list<'de, D: Deserializer<'de>, T: FromStr>(from: D) -> Result<Option<Vec<T>>, D::Error> {
    list(from).map(Some)
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
