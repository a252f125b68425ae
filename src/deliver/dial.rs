//! Dials: from a URL's host to a TCP connection, past the guard. What was checked is what is dialled. Where the operator
//! publishes addresses of this machine, connections leave from those.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use awc::http::Uri;
use futures_util::future::LocalBoxFuture;
use hickory_resolver::TokioResolver;
use ipnet::IpNet;
use tokio::net::{TcpSocket, TcpStream};

use super::guard::Guard;

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
        let mut here = published.iter().filter(single).map(IpNet::addr).filter(is_here);
        let (v4, v6): (Vec<_>, Vec<_>) = here.by_ref().partition(IpAddr::is_ipv4);
        Self { v4: v4.first().copied(), v6: v6.first().copied() }
    }

    /// Where a connection to `address` leaves from: `None` leaves it to the system. An error where addresses are
    /// published, but none of this family: the receiver's firewall would not know us.
    fn from(&self, address: IpAddr) -> io::Result<Option<IpAddr>> {
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
fn is_here(address: &IpAddr) -> bool {
    UdpSocket::bind((*address, 0)).is_ok()
}

/// Dials for one arbiter.
#[derive(Clone)]
pub struct Dial(Rc<Inner>);

struct Inner {
    resolver: TokioResolver,
    guard: Arc<Guard>,
    egress: Egress,
}

impl Dial {
    /// Dials past `guard`, from `egress`.
    pub fn new(resolver: TokioResolver, guard: Arc<Guard>, egress: Egress) -> Self {
        Self(Rc::new(Inner { resolver, guard, egress }))
    }
}

impl Service<ConnectInfo<Uri>> for Dial {
    type Response = Connection<Uri, TcpStream>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, ConnectError>>;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, asked: ConnectInfo<Uri>) -> Self::Future {
        let inner = self.0.clone();
        Box::pin(async move {
            let stream = inner.dial(asked.hostname(), asked.port()).await?;
            Ok(Connection::new(asked.request().clone(), stream))
        })
    }
}

impl Inner {
    /// Tries one address after the other.
    async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, ConnectError> {
        let mut failed = ConnectError::NoRecords;
        for address in self.addresses(host).await? {
            match self.connect(SocketAddr::new(address, port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = ConnectError::Io(error),
            }
        }
        Err(failed)
    }

    /// The addresses of a host that may be dialled; an error if it has some, and none may.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, ConnectError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found: Vec<IpAddr> = match bare.parse() {
            Ok(address) => vec![address],
            Err(_) => self
                .resolver
                .lookup_ip(host)
                .await
                .map_err(|error| ConnectError::Resolver(error.into()))?
                .iter()
                .collect(),
        };
        let (mut open, mut refused) = (Vec::new(), None);
        for address in found {
            match self.guard.check(address) {
                Ok(()) => open.push(address),
                Err(error) => refused = Some(error),
            }
        }
        match (open.is_empty(), refused) {
            (true, Some(error)) => Err(ConnectError::Resolver(error.into())),
            _ => Ok(open),
        }
    }

    async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(from) = self.egress.from(to.ip())? {
            socket.bind(SocketAddr::new(from, 0))?;
        }
        socket.connect(to).await
    }
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
}
