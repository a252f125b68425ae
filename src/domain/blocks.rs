//! The blocks of addresses that are not globally reachable, as the IANA IPv4 and IPv6 Special-Purpose Address Registries
//! list them (RFC 6890 and its updates). Where the list here is stricter than the registries, a comment says so.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A block of special-purpose addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// What it is for.
    pub name: &'static str,
    /// The addresses in it.
    pub net: IpNet,
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.net)
    }
}

/// The special-purpose block that an address lies in; `None` for what is globally reachable. AS112 (192.31.196.0/24,
/// 192.175.48.0/24) and AMT (192.52.193.0/24) are, as the registry says.
pub fn block_of(address: IpAddr) -> Option<Block> {
    match address {
        IpAddr::V4(v4) => V4.iter().find(|(net, _)| net.contains(&v4)).map(|(net, name)| Block::of(*net, name)),
        IpAddr::V6(v6) => {
            let found = V6.iter().find(|(net, _)| net.contains(&v6));
            let found = found.or((!GLOBAL_UNICAST.contains(&v6)).then_some(&NOT_GLOBAL));
            found.map(|(net, name)| Block::of(*net, name))
        }
    }
}

impl Block {
    fn of(net: impl Into<IpNet>, name: &'static str) -> Self {
        Self { name, net: net.into() }
    }
}

const fn v4(a: u8, b: u8, c: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), bits)
}

const fn v6(a: u16, b: u16, c: u16, d: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), bits)
}

const V4: [(Ipv4Net, &str); 17] = [
    (v4(0, 0, 0, 8), "this network"),
    (v4(10, 0, 0, 8), "private"),
    (v4(100, 64, 0, 10), "shared address space"),
    (v4(127, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 16), "link-local"),
    // Stricter: an ordinary address, behind which each virtual machine of Azure finds its own host.
    (Ipv4Net::new_assert(Ipv4Addr::new(168, 63, 129, 16), 32), "cloud host"),
    (v4(172, 16, 0, 12), "private"),
    // Stricter: 192.0.0.9 and .10 are anycast addresses of protocols that no webhook speaks.
    (v4(192, 0, 0, 24), "protocol assignments"),
    (v4(192, 0, 2, 24), "documentation"),
    // Stricter: deprecated by RFC 7526, and no longer stated as unreachable.
    (v4(192, 88, 99, 24), "6to4 relay"),
    (v4(192, 168, 0, 16), "private"),
    (v4(198, 18, 0, 15), "benchmarking"),
    (v4(198, 51, 100, 24), "documentation"),
    (v4(203, 0, 113, 24), "documentation"),
    // Not in the registry, since no host has such an address: a webhook goes to one.
    (v4(224, 0, 0, 4), "multicast"),
    (Ipv4Net::new_assert(Ipv4Addr::BROADCAST, 32), "broadcast"),
    (v4(240, 0, 0, 4), "reserved"),
];

const V6: [(Ipv6Net, &str); 16] = [
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), "loopback"),
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), "unspecified"),
    // Stricter: deprecated by RFC 4291; the last 32 bits are an IPv4 address.
    (v6(0, 0, 0, 0, 96), "IPv4-compatible"),
    (v6(0x64, 0xff9b, 1, 0, 48), "local NAT64"),
    (v6(0x100, 0, 0, 0, 64), "discard-only"),
    (v6(0x100, 0, 0, 1, 64), "dummy prefix"),
    // Stricter: some parts are reachable (PCP, AMT, AS112, ORCHIDv2, DRIP), and none of them is a web server. Teredo,
    // 2001::/32, holds an IPv4 address.
    (v6(0x2001, 0, 0, 0, 23), "protocol assignments, Teredo"),
    (v6(0x2001, 0xdb8, 0, 0, 32), "documentation"),
    // Stricter: the registry states nothing; it holds an IPv4 address.
    (v6(0x2002, 0, 0, 0, 16), "6to4"),
    (v6(0x3fff, 0, 0, 0, 20), "documentation"),
    (v6(0x5f00, 0, 0, 0, 16), "segment routing"),
    (v6(0xfc00, 0, 0, 0, 7), "unique local"),
    (v6(0xfe80, 0, 0, 0, 10), "link-local"),
    (v6(0xfec0, 0, 0, 0, 10), "site-local"),
    (v6(0xff00, 0, 0, 0, 8), "multicast"),
    // The 6bone, given back by RFC 3701.
    (v6(0x3ffe, 0, 0, 0, 16), "6bone"),
];

/// All that IANA has given out for hosts. Stricter: the rest of the space is reserved, so nothing there is anybody's.
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000, 0, 0, 0, 3);
const NOT_GLOBAL: (Ipv6Net, &str) = (v6(0, 0, 0, 0, 0), "not global unicast");
