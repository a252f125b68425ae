//! Where connections leave from: where the operator publishes addresses of this machine, from those.

use std::io;
use std::net::{IpAddr, UdpSocket};

use ipnet::IpNet;

/// The addresses that connections leave from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Egress {
    v4: Option<IpAddr>,
    v6: Option<IpAddr>,
}

impl Egress {
    /// Of the published networks, the first address of each family that this machine has.
    pub fn of(published: &[IpNet]) -> Self {
        let single = |net: &&IpNet| net.prefix_len() == net.max_prefix_len();
        let mut here = published.iter().filter(single).map(IpNet::addr).filter(|address| is_here(*address));
        let (v4, v6): (Vec<_>, Vec<_>) = here.by_ref().partition(IpAddr::is_ipv4);
        Self { v4: v4.first().copied(), v6: v6.first().copied() }
    }

    /// Where a connection to `address` leaves from: `None` leaves it to the system. An error where addresses are
    /// published, but none of this family: the receiver's firewall would not know us.
    pub fn from(&self, address: IpAddr) -> io::Result<Option<IpAddr>> {
        let own = if address.is_ipv4() { self.v4 } else { self.v6 };
        let other = self.v4.or(self.v6);
        match (own, other) {
            (None, Some(other)) => {
                let message = format!("{address} cannot be reached from the published address {other}");
                Err(io::Error::new(io::ErrorKind::AddrNotAvailable, message))
            }
            (own, _) => Ok(own),
        }
    }
}

/// Whether this machine can send from `address`.
fn is_here(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// Whether `address` may be this machine's: also where that cannot be found out, such as without a free descriptor.
pub fn may_be_here(address: IpAddr) -> bool {
    let elsewhere = [io::ErrorKind::AddrNotAvailable, io::ErrorKind::Unsupported];
    UdpSocket::bind((address, 0)).err().is_none_or(|error| !elsewhere.contains(&error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_from_published_addresses_of_this_machine() {
        let nets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
        assert_eq!(Egress::of(&nets(&["203.0.113.0/24", "203.0.113.7/32"])), Egress::default(), "not of this machine");
        let egress = Egress::of(&nets(&["203.0.113.7/32", "127.0.0.9/32"]));
        assert_eq!(egress.from("127.0.0.1".parse().unwrap()).unwrap(), Some("127.0.0.9".parse().unwrap()));
        assert!(egress.from("::1".parse().unwrap()).is_err(), "no published address has this family");
        assert_eq!(Egress::default().from("::1".parse().unwrap()).unwrap(), None);
    }

    #[test]
    fn an_address_of_another_machine_is_not_here() {
        assert!(may_be_here("127.0.0.9".parse().unwrap()));
        assert!(!may_be_here("203.0.113.7".parse().unwrap()));
    }
}
