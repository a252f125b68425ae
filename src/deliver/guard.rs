//! Which addresses may be dialled: those that are globally reachable, and those that the operator opened by CIDR. The
//! address that is about to be dialled is checked, whether it stands in the URL or came from DNS; what was checked is
//! what is dialled.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Special-purpose IPv4 blocks that are not globally reachable (IANA registry, RFC 6890).
const CLOSED_V4: [(Ipv4Addr, u8, &str); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared address space"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "AS112"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// Of IPv6 only global unicast is open, and of that not these blocks.
const OPEN_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const CLOSED_V6: [(Ipv6Addr, u8, &str); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "protocol assignments, Teredo"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
];

/// An address may not be dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedAddress {
    /// The address.
    pub address: IpAddr,
    /// The block that it lies in.
    pub block: &'static str,
}

impl fmt::Display for RefusedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a public address ({})", self.address, self.block)
    }
}

impl std::error::Error for RefusedAddress {}

/// The rule.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allow: Vec<IpNet>,
}

impl Guard {
    /// Public addresses, and those in `allow`.
    pub fn new(allow: Vec<IpNet>) -> Self {
        Self { allow }
    }

    /// Whether `address` may be dialled.
    pub fn check(&self, address: IpAddr) -> Result<(), RefusedAddress> {
        let address = address.to_canonical();
        if self.allow.iter().any(|net| net.contains(&address)) {
            return Ok(());
        }
        match closed_block(address) {
            Some(block) => Err(RefusedAddress { address, block }),
            None => Ok(()),
        }
    }

    /// Checks the host of a URL if it is an address. A name is checked when it has been resolved.
    pub fn check_host(&self, host: &str) -> Result<(), RefusedAddress> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().map_or(Ok(()), |address| self.check(address))
    }
}

fn closed_block(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => {
            let closed = |(base, bits, _): &&(Ipv4Addr, u8, &str)| Ipv4Net::new_assert(*base, *bits).contains(&v4);
            CLOSED_V4.iter().find(closed).map(|(.., block)| *block)
        }
        IpAddr::V6(v6) => {
            if !Ipv6Net::new_assert(OPEN_V6.0, OPEN_V6.1).contains(&v6) {
                return Some("not global unicast");
            }
            let closed = |(base, bits, _): &&(Ipv6Addr, u8, &str)| Ipv6Net::new_assert(*base, *bits).contains(&v6);
            CLOSED_V6.iter().find(closed).map(|(.., block)| *block)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_may_be_dialled() {
        let guard = Guard::default();
        for open in ["1.1.1.1", "8.8.8.8", "172.32.0.1", "2606:4700::1", "100.128.0.1"] {
            assert_eq!(guard.check(open.parse().unwrap()), Ok(()), "{open}");
        }
        let closed = [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "192.168.0.1",
            "172.31.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "ff02::1",
        ];
        for closed in closed {
            assert!(guard.check(closed.parse().unwrap()).is_err(), "{closed}");
        }
    }

    #[test]
    fn the_operator_opens_by_cidr() {
        let guard = Guard::new(vec!["10.20.0.0/16".parse().unwrap()]);
        assert_eq!(guard.check("10.20.1.1".parse().unwrap()), Ok(()));
        assert_eq!(guard.check("::ffff:10.20.1.1".parse().unwrap()), Ok(()));
        assert!(guard.check("10.21.1.1".parse().unwrap()).is_err());
        assert!(guard.check_host("[::1]").is_err());
        assert_eq!(guard.check_host("example.com"), Ok(()));
    }
}
