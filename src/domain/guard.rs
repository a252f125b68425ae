//! Which addresses may be dialled, and why: those that are globally reachable, those that the operator or an admin
//! opened by CIDR, and none of this server's own listener. What stays true: a decision depends on nothing but the
//! address, the port and the rules, so the API, the command line and the dial say the same; and what refuses is asked
//! before what opens.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

use super::blocks::{Block, block_of};
use super::names::LocalName;
use super::words::words;

/// NAT64's well-known prefix (RFC 6052): the last 32 bits are the IPv4 address that is reached. Networks with DNS64
/// give such addresses for every IPv4-only host, so they are judged by what they lead to.
const NAT64: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);
/// IPv4-mapped addresses (RFC 4291): another spelling of an IPv4 address.
const MAPPED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);
/// A list entry that is shorter opens so much of a family that somebody should be told: see [`is_wide`].
const WIDE_BITS: (u8, u8) = (8, 16);

/// What decided about an address, or about a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It is globally reachable.
    Public,
    /// It lies in a block that is not, and that nobody opened.
    Special(Block),
    /// The operator's list of refusals names it.
    Denied(IpNet),
    /// It is special, and the operator opened it.
    Opened(IpNet),
    /// It is special, and an admin opened it for this webhook.
    OpenedByWebhook(IpNet),
    /// This server itself listens there.
    OwnListener,
    /// The port is not among those that may be dialled.
    Port(u16),
    /// No public endpoint has this name, and nothing is opened that could be behind it.
    LocalName(LocalName),
}

words!(Rule {
    Self::Public => "public",
    Self::Special(_) => "special",
    Self::Denied(_) => "denied",
    Self::Opened(_) => "opened",
    Self::OpenedByWebhook(_) => "opened_by_webhook",
    Self::OwnListener => "own_listener",
    Self::Port(_) => "port",
    Self::LocalName(_) => "local_name",
});

impl Rule {
    /// Whether what it decides about may be dialled.
    pub fn opens(&self) -> bool {
        matches!(self, Self::Public | Self::Opened(_) | Self::OpenedByWebhook(_))
    }

    /// What to do about a refusal, as the end of a sentence.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Special(_) | Self::LocalName(_) => {
                Some("the operator can open it with deliver.allow, an admin with the webhook's allow")
            }
            Self::Denied(_) => Some("only the operator can change deliver.deny"),
            Self::OwnListener => Some("let events come from their producer, not from this server itself"),
            Self::Port(_) => Some("the operator can add it to deliver.ports"),
            Self::Public | Self::Opened(_) | Self::OpenedByWebhook(_) => None,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::Special(block) => write!(f, "special: {block}"),
            Self::Denied(net) => write!(f, "denied by deliver.deny {net}"),
            Self::Opened(net) => write!(f, "opened by deliver.allow {net}"),
            Self::OpenedByWebhook(net) => write!(f, "opened by the webhook's allow {net}"),
            Self::OwnListener => f.write_str("own listener"),
            Self::Port(port) => write!(f, "port {port} is not in deliver.ports"),
            Self::LocalName(name) => write!(f, "local name: {name}"),
        }
    }
}

/// What was decided about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The address; an IPv4-mapped one as the IPv4 address that it is.
    pub address: IpAddr,
    /// What decided.
    pub rule: Rule,
}

impl Decision {
    /// Whether the address may be dialled.
    pub fn may_dial(&self) -> bool {
        self.rule.opens()
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.address, self.rule)
    }
}

impl std::error::Error for Decision {}

/// Where this server listens.
#[derive(Debug, Clone, Copy)]
pub struct OwnListener {
    /// As it is bound.
    pub bound: SocketAddr,
    /// Whether an address is one of this machine; asked only where the port is the listener's.
    pub is_here: fn(IpAddr) -> bool,
}

impl OwnListener {
    fn is_at(&self, address: IpAddr, port: u16) -> bool {
        if port != self.bound.port() {
            return false;
        }
        let bound = self.bound.ip().to_canonical();
        // Who connects to the unspecified address reaches this machine.
        address.is_unspecified() || if bound.is_unspecified() { (self.is_here)(address) } else { address == bound }
    }
}

/// The rules. The lists may be changed while all others use them; who copies it has the same ones.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    lists: Arc<ArcSwap<Lists>>,
    /// How often they were changed.
    changes: Arc<AtomicU64>,
    own: Vec<OwnListener>,
}

#[derive(Debug, Default)]
struct Lists {
    allow: Vec<IpNet>,
    deny: Vec<IpNet>,
    ports: Vec<u16>,
}

impl Guard {
    /// Public addresses and those in `allow`, but none in `deny`; at one of `ports`, or at any if that is empty.
    pub fn new(allow: Vec<IpNet>, deny: Vec<IpNet>, ports: Vec<u16>) -> Self {
        let guard = Self::default();
        guard.apply(allow, deny, ports);
        guard
    }

    /// From now on these lists decide; the listener stays.
    pub fn apply(&self, allow: Vec<IpNet>, deny: Vec<IpNet>, ports: Vec<u16>) {
        let plain = |nets: Vec<IpNet>| nets.into_iter().map(unmapped).collect();
        self.lists.store(Arc::new(Lists { allow: plain(allow), deny: plain(deny), ports }));
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// How often the lists were changed: what was decided before the last time may be decided otherwise now.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// And never this listener, whatever was opened.
    pub fn with_listener(mut self, own: OwnListener) -> Self {
        self.own.push(own);
        self
    }

    /// Decides about an address and a port, for a webhook for which `opened` was opened too.
    pub fn decide(&self, address: IpAddr, port: u16, opened: &[IpNet]) -> Decision {
        let address = address.to_canonical();
        Decision { address, rule: self.rule(address, port, opened) }
    }

    fn rule(&self, address: IpAddr, port: u16, opened: &[IpNet]) -> Rule {
        let (reached, lists) = (reached(address), self.lists.load());
        let in_list = |nets: &[IpNet]| {
            nets.iter().map(|net| unmapped(*net)).find(|net| net.contains(&address) || net.contains(&reached))
        };
        if let Some(rule) = self.refuses_port(port) {
            return rule;
        }
        if self.own.iter().any(|own| own.is_at(address, port) || own.is_at(reached, port)) {
            return Rule::OwnListener;
        }
        if let Some(net) = in_list(&lists.deny) {
            return Rule::Denied(net);
        }
        let Some(block) = block_of(reached) else { return Rule::Public };
        let by_operator = in_list(&lists.allow).map(Rule::Opened);
        by_operator.or_else(|| in_list(opened).map(Rule::OpenedByWebhook)).unwrap_or(Rule::Special(block))
    }

    /// Decides about a URL whose host is an address, in whatever spelling. `None` for a name: where it leads is known
    /// when it is dialled.
    pub fn decide_url(&self, url: &Url, opened: &[IpNet]) -> Option<Decision> {
        let address = match url.host()? {
            Host::Ipv4(v4) => IpAddr::V4(v4),
            Host::Ipv6(v6) => IpAddr::V6(v6),
            Host::Domain(_) => return None,
        };
        Some(self.decide(address, port_of(url), opened))
    }

    /// Why this URL could never be dialled, as far as that is known without asking where its host's name leads.
    pub fn refuses_url(&self, url: &Url, opened: &[IpNet]) -> Option<Rule> {
        let port = port_of(url);
        match url.host()? {
            Host::Domain(name) => self.refuses_port(port).or_else(|| self.refuses_name(name, port, opened)),
            _ => self.decide_url(url, opened).map(|decision| decision.rule).filter(|rule| !rule.opens()),
        }
    }

    /// `localhost` is decided about as the addresses that it means. What other local names mean nobody knows here: they
    /// are refused until something is opened, and the dial sees whether that is what is behind them.
    fn refuses_name(&self, name: &str, port: u16, opened: &[IpNet]) -> Option<Rule> {
        let local = LocalName::of(name)?;
        if local == LocalName::ThisMachine {
            let rule = |address: IpAddr| self.decide(address, port, opened).rule;
            let [v4, v6] = [rule(Ipv4Addr::LOCALHOST.into()), rule(Ipv6Addr::LOCALHOST.into())];
            return (!v4.opens() && !v6.opens()).then_some(v4);
        }
        (self.lists.load().allow.is_empty() && opened.is_empty()).then_some(Rule::LocalName(local))
    }

    /// Why nothing may be dialled at this port.
    pub fn refuses_port(&self, port: u16) -> Option<Rule> {
        let lists = self.lists.load();
        (!lists.ports.is_empty() && !lists.ports.contains(&port)).then_some(Rule::Port(port))
    }
}

/// Whether a list entry opens whole families, or nearly so: it is shorter than /8 of IPv4 or /16 of IPv6, or holds all
/// of IPv4 as NAT64 writes it.
pub fn is_wide(net: &IpNet) -> bool {
    match unmapped(*net) {
        IpNet::V4(net) => net.prefix_len() < WIDE_BITS.0,
        IpNet::V6(net) => net.prefix_len() < WIDE_BITS.1 || net.contains(&NAT64),
    }
}

/// The port that a URL names or means.
pub fn port_of(url: &Url) -> u16 {
    url.port_or_known_default().unwrap_or_default()
}

/// The address that is reached by dialling `address`: behind NAT64 another than that.
fn reached(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if NAT64.contains(&v6) => {
            let [.., a, b, c, d] = v6.octets();
            Ipv4Addr::new(a, b, c, d).into()
        }
        other => other,
    }
}

/// The network as one of IPv4 if it was written as IPv4-mapped: addresses are compared as what they are.
fn unmapped(net: IpNet) -> IpNet {
    match net {
        IpNet::V6(v6) if MAPPED.contains(&v6) => {
            let [.., a, b, c, d] = v6.network().octets();
            Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), v6.prefix_len() - MAPPED.prefix_len()).into()
        }
        other => other,
    }
}
