//! Whose the connections are that are open. What stays true: each is counted once for its peer and once in all, however it ends.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use crate::api::door::connection::Connection;

/// Whom a bound is kept for: an IPv4 address, or the half of an IPv6 address that names a subscriber (/64).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer(IpAddr);

impl Peer {
    /// All those together for whom there is no room.
    pub const OTHERS: Self = Self(IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED));

    /// Its address, as far as it counts.
    pub fn address(self) -> IpAddr {
        self.0
    }
}

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
            v4 => v4,
        })
    }
}

/// The connections that are open, by whose they are.
#[derive(Default)]
pub struct Open {
    last: u64,
    count: usize,
    /// Each peer's, by their numbers.
    by_peer: HashMap<Peer, BTreeMap<u64, Arc<Connection>>>,
}

impl Open {
    /// Each of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Connection>> {
        self.by_peer.values().flat_map(BTreeMap::values)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many are the peer's.
    pub fn of_peer(&self, peer: Peer) -> usize {
        self.by_peer.get(&peer).map_or(0, BTreeMap::len)
    }

    /// Enters one; its number.
    pub fn add(&mut self, peer: Peer, connection: Arc<Connection>) -> u64 {
        self.last += 1;
        self.count += 1;
        self.by_peer.entry(peer).or_default().insert(self.last, connection);
        self.last
    }

    /// It is open no more; says whether it was. Twice is as good as once.
    pub fn remove(&mut self, peer: Peer, number: u64) -> bool {
        let Some(of_peer) = self.by_peer.get_mut(&peer) else { return false };
        let was_open = of_peer.remove(&number).is_some();
        self.count -= usize::from(was_open);
        if of_peer.is_empty() {
            self.by_peer.remove(&peer);
        }
        was_open
    }

    /// Ends the one of the peer's connections that has been quiet for longest. Says whether there was one.
    pub fn end_quietest(&mut self, peer: Peer, now: u64) -> bool {
        let of_peer = self.by_peer.get(&peer).into_iter().flatten();
        let quiet = of_peer.filter_map(|(number, connection)| Some((connection.quiet_since()?, *number, connection)));
        let quietest = quiet.min_by_key(|(since, number, _)| (*since, *number));
        let ended = quietest.filter(|(.., connection)| connection.yield_if_quiet(now)).map(|(_, number, _)| number);
        if let Some(number) = ended {
            self.remove(peer, number);
        }
        ended.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> Peer {
        Peer::from(text.parse::<IpAddr>().expect("an address"))
    }

    #[test]
    fn an_ipv6_subscriber_is_one_peer_and_a_mapped_address_is_what_it_maps() {
        assert_eq!(peer("2001:db8:1:2::1"), peer("2001:db8:1:2:ffff::9"));
        assert_ne!(peer("2001:db8:1:2::1"), peer("2001:db8:1:3::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
    }
}
