//! Dials: from a URL's host to a TCP connection, past the guard. What stays true: what was checked is what is dialled,
//! by ourselves or by the proxy that is asked for exactly that address; and an address that hangs does not keep the
//! others from being tried.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use ipnet::IpNet;
use thiserror::Error;
use tokio::net::{TcpSocket, TcpStream};

use super::descriptors::{Descriptor, Descriptors, is_ours};
use super::egress::Egress;
use super::resolve::{Resolver, Unresolved};
use super::tunnel::{self, Goal};
use crate::clock::Stopwatch;
use crate::domain::guard::{Decision, Guard, Rule};
use crate::domain::proxy::Proxy;
use crate::domain::trace::Phases;

/// How long an address is tried before the next one is tried beside it (RFC 8305 recommends 250 ms).
const HEAD_START: Duration = Duration::from_millis(250);
/// Addresses of one host that are tried. Whoever names thousands would have us knock at all of them.
const TRIED_MAX: usize = 8;

/// What is told of a proxy that made no connection.
const NOT_THROUGH: &str = "the operator's proxy made no connection to it";

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum DialError {
    /// No address of the host may be dialled: one of them, and by which rule.
    #[error("{0}")]
    Refused(String),
    /// The name could not be resolved.
    #[error("{0}")]
    Dns(String),
    /// Nobody accepted.
    #[error("{0}")]
    Connect(String),
    /// This server has no descriptors or ports left: nothing is said of the endpoint.
    #[error("{0}")]
    Ours(String),
}

/// What all dialling has in common.
#[derive(Debug, Clone)]
pub struct Ways {
    /// Which addresses may be dialled.
    pub guard: Arc<Guard>,
    /// Where connections leave from.
    pub egress: Egress,
    /// What they go through.
    pub proxy: Option<Arc<Proxy>>,
    /// Whether the proxy resolves names.
    pub proxy_resolves: bool,
}

/// Dials for one arbiter, for webhooks of one profile.
#[derive(Clone)]
pub struct Dial(Rc<Inner>);

/// A connection, and the descriptor of the budget that it has.
pub type Dialled = (TcpStream, Descriptor);

struct Inner {
    resolver: Resolver,
    ways: Ways,
    opened: Vec<IpNet>,
    descriptors: Arc<Descriptors>,
}

impl Dial {
    /// How often what may be dialled was changed.
    pub fn changes(&self) -> u64 {
        self.0.ways.guard.changes()
    }

    /// Dials past the guard, which is told what was `opened` beside.
    pub fn new(resolver: Resolver, ways: Ways, opened: Vec<IpNet>, descriptors: Arc<Descriptors>) -> Self {
        Self(Rc::new(Inner { resolver, ways, opened, descriptors }))
    }

    /// A connection to a host, a name or an address without brackets; and how long finding out where and connecting took.
    pub async fn dial(&self, host: &str, port: u16, phases: &mut Phases) -> Result<Dialled, DialError> {
        self.0.dial(host, port, phases).await
    }
}

impl Inner {
    async fn dial(&self, host: &str, port: u16, phases: &mut Phases) -> Result<Dialled, DialError> {
        let watch = Stopwatch::start();
        if let Some(proxy) = self.proxy_for(host) {
            if let Some(rule) = self.ways.guard.refuses_port(port) {
                return Err(DialError::Refused(rule.to_string()));
            }
            let dialled = self.through(proxy, Goal::Name(host, port)).await;
            phases.connect_us = Some(watch.micros());
            return dialled;
        }
        let found = self.addresses(host, port).await;
        phases.resolve_us = Some(watch.micros());
        let mut open = found?;
        open.truncate(TRIED_MAX);
        let watch = Stopwatch::start();
        let dialled = self.first_of(open.into_iter().map(|address| SocketAddr::new(address, port))).await;
        phases.connect_us = Some(watch.micros());
        dialled
    }

    /// The proxy that is given this name unresolved.
    fn proxy_for(&self, host: &str) -> Option<&Proxy> {
        let is_name = host.parse::<IpAddr>().is_err();
        self.ways.proxy.as_deref().filter(|_| self.ways.proxy_resolves && is_name)
    }

    /// The addresses of a host that may be dialled; an error if it has none of these.
    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<IpAddr>, DialError> {
        let found = self.resolver.addresses(host).await.map_err(unresolved)?;
        let mut refused = None;
        let mut open = Vec::with_capacity(found.len());
        for address in found {
            match self.ways.guard.decide(address, port, &self.opened) {
                decision if decision.may_dial() => open.push(decision.address),
                decision => refused = Some(decision),
            }
        }
        match refused {
            Some(decision) if open.is_empty() => Err(DialError::Refused(told(host, &decision))),
            _ => Ok(open),
        }
    }

    /// Tries one address after the other, each with a head start on the next, until one accepts.
    async fn first_of(&self, addresses: impl Iterator<Item = SocketAddr>) -> Result<Dialled, DialError> {
        let mut waiting = addresses.peekable();
        let mut failed = DialError::Dns("the name has no address".into());
        let mut tries = FuturesUnordered::new();
        tries.extend(waiting.next().map(|address| self.connect(address)));
        loop {
            tokio::select! {
                ended = tries.next() => match ended {
                    Some(Ok(stream)) => return Ok(stream),
                    Some(Err(error)) => {
                        // Where we failed, nobody knows what the endpoint would have done.
                        failed = if matches!(failed, DialError::Ours(_)) { failed } else { error };
                        tries.extend(waiting.next().map(|address| self.connect(address)));
                    }
                    None => return Err(failed),
                },
                () = actix_rt::time::sleep(HEAD_START), if waiting.peek().is_some() => {
                    tries.extend(waiting.next().map(|address| self.connect(address)));
                }
            }
        }
    }

    async fn connect(&self, to: SocketAddr) -> Result<Dialled, DialError> {
        match &self.ways.proxy {
            Some(proxy) => self.through(proxy, Goal::Address(to)).await,
            None => self.connect_from(to).await,
        }
    }

    async fn connect_from(&self, to: SocketAddr) -> Result<Dialled, DialError> {
        let failed = |error: io::Error| DialError::Connect(error.to_string());
        let descriptor = self.descriptor()?;
        fail::fail_point!("dial.connect", |_| Err(failed_at(to, rustix::io::Errno::ADDRNOTAVAIL.into())));
        let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.map_err(|error| failed_at(to, error))?;
        if let Some(from) = self.ways.egress.from(to.ip()).map_err(failed)? {
            socket.bind(SocketAddr::new(from, 0)).map_err(|error| match error.kind() {
                // Of no port in particular: so all of them are.
                io::ErrorKind::AddrInUse => DialError::Ours(error.to_string()),
                _ => failed(error),
            })?;
        }
        let stream = socket.connect(to).await.map_err(|error| failed_at(to, error))?;
        Ok((stream, descriptor))
    }

    fn descriptor(&self) -> Result<Descriptor, DialError> {
        let none = || DialError::Ours("all connections that this server may have are in use".into());
        self.descriptors.take().ok_or_else(none)
    }

    /// Where the proxy is and what it says is the operator's to know: that goes into the log, and whose webhook it is learns
    /// only that it was the proxy.
    async fn through(&self, proxy: &Proxy, goal: Goal<'_>) -> Result<Dialled, DialError> {
        let opened = self.tunnel(proxy, goal).await;
        opened.map_err(|error| match error {
            DialError::Connect(why) => {
                tracing::info!("no connection: {why}");
                DialError::Connect(NOT_THROUGH.into())
            }
            other => other,
        })
    }

    /// The proxy's own address is the operator's word: no guard stands before it.
    async fn tunnel(&self, proxy: &Proxy, goal: Goal<'_>) -> Result<Dialled, DialError> {
        let said = |why: String| DialError::Connect(format!("the proxy {proxy} {why}"));
        let found = self.resolver.addresses(&proxy.host).await;
        let found = found.map_err(|error| match error.is_ours {
            true => unresolved(error),
            false => said(format!("could not be resolved: {}", error.why)),
        })?;
        let descriptor = self.descriptor()?;
        let mut failed = said("has no address".into());
        for address in found.into_iter().take(TRIED_MAX) {
            let to = SocketAddr::new(address, proxy.port);
            match TcpStream::connect(to).await {
                Ok(stream) => {
                    let stream = tunnel::open(stream, proxy, goal).await.map_err(said)?;
                    return Ok((stream, descriptor));
                }
                Err(error) if is_ours(&error, to) => failed = DialError::Ours(error.to_string()),
                Err(error) => failed = said(format!("could not be reached: {error}")),
            }
        }
        Err(failed)
    }
}

fn unresolved(error: Unresolved) -> DialError {
    if error.is_ours { DialError::Ours(error.why) } else { DialError::Dns(error.why) }
}

/// What it says that `to` was not reached.
fn failed_at(to: SocketAddr, error: io::Error) -> DialError {
    match is_ours(&error, to) {
        true => DialError::Ours(error.to_string()),
        false => DialError::Connect(error.to_string()),
    }
}

/// What a refusal says to whoever made the webhook. What lies behind a name in the operator's own network is the operator's
/// to know: it is told the kind of address, and an admin can ask for more.
fn told(host: &str, decision: &Decision) -> String {
    match (host.parse::<IpAddr>(), decision.rule) {
        (Ok(_), _) => decision.to_string(),
        (Err(_), Rule::Denied(_)) => "the name leads to an address that is denied by the operator".into(),
        (Err(_), rule) => format!("the name leads to an address that is refused ({rule})"),
    }
}

/// A host as a URL writes it, without the brackets around an IPv6 address.
pub fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}
