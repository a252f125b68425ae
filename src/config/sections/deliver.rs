//! The knobs of the sending side.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::config::knobs::{as_texts, list, networks, some_list};
use crate::domain::proxy::Proxy;
use crate::domain::secret::Secret;

/// What stands for all dialects that are compiled in.
pub const EVERY_DIALECT: &str = "*";

/// `[deliver]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeliverConfig {
    /// Attempts under way at once, over all webhooks: places. With fewer descriptors there are fewer.
    pub in_flight_max: usize,
    /// Bytes of bodies under way at once; smaller bodies than 8 KiB are not counted.
    pub bodies_bytes_max: usize,
    /// Threads that send; 0: one a core (see [`threads`](crate::config::threads)).
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
