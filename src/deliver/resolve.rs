//! From a host to its addresses. What stays true: a name has a time limit of its own, and whoever wants a connection has
//! the addresses checked after this: nothing here decides what may be dialled.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;

use super::descriptors::is_want;

/// Why a host has no addresses.
#[derive(Debug)]
pub struct Unresolved {
    /// In words.
    pub why: String,
    /// This server could not ask: nothing is said of the name.
    pub is_ours: bool,
}

/// Resolves names on one arbiter; cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    names: TokioResolver,
    limit: Duration,
}

impl Resolver {
    /// Asks `servers`, or the system's if there are none, and waits for `limit` at most.
    pub fn new(servers: &[SocketAddr], limit: Duration) -> Self {
        let names = if servers.is_empty() { system() } else { asking(servers.iter().map(server).collect()) };
        Self { names, limit }
    }

    /// The addresses of a host, a name or an address without brackets. An error says why there are none.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Unresolved> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        match actix_rt::time::timeout(self.limit, self.names.lookup_ip(host)).await {
            Ok(Ok(found)) => Ok(found.iter().collect()),
            Ok(Err(error)) => {
                let is_ours = matches!(&error, NetError::Io(error) if is_want(error));
                tracing::debug!(host, %error, "a name was not resolved");
                Err(Unresolved { why: in_words(&error), is_ours })
            }
            Err(_) => {
                let why = format!("no answer within {} seconds", self.limit.as_secs());
                Err(Unresolved { why, is_ours: false })
            }
        }
    }
}

/// Why a name was not resolved, for people: the crate's own words hold values of its code.
fn in_words(error: &NetError) -> String {
    let code = match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => none.response_code,
        NetError::Dns(DnsError::ResponseCode(code)) => *code,
        NetError::Timeout => return "no name server answered in time".into(),
        NetError::Io(error) => return format!("no name server could be asked: {error}"),
        NetError::NoConnections | NetError::Busy => return "no name server could be asked".into(),
        _ => return "the name servers gave no answer that can be read".into(),
    };
    match code {
        ResponseCode::NXDomain => "there is no such name".into(),
        ResponseCode::NoError => "the name has no address".into(),
        ResponseCode::ServFail => "the name servers failed to look it up (SERVFAIL)".into(),
        ResponseCode::Refused => "the name servers refuse to look it up (REFUSED)".into(),
        other => format!("the name servers answered {:?}", other.to_str()),
    }
}

fn system() -> TokioResolver {
    let system = TokioResolver::builder_tokio().and_then(|builder| builder.build());
    system.unwrap_or_else(|error| {
        tracing::warn!(%error, "the system names no name servers; only addresses can be delivered to");
        asking(Vec::new())
    })
}

fn asking(servers: Vec<NameServerConfig>) -> TokioResolver {
    let config = ResolverConfig::from_parts(None, Vec::new(), servers);
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.build().expect("addresses and ports are a valid configuration")
}

fn server(at: &SocketAddr) -> NameServerConfig {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = at.port();
        connection
    };
    let ways = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    NameServerConfig::new(at.ip(), true, ways.into_iter().map(on_port).collect())
}
