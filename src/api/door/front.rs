//! What stands before the server, and what of it is believed. What stays true: only what a trusted proxy says counts, and of a chain
//! the rightmost address that is no trusted proxy; what is before it is hearsay. What is malformed or too long is not believed: then
//! it is the peer itself.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use actix_web::http::header::HeaderMap;
use ipnet::IpNet;

/// Proxies in a row, beyond which nothing is believed.
const HOPS_MAX: usize = 32;
/// Bytes of the chain, beyond which nothing is believed.
const CHAIN_BYTES_MAX: usize = 2048;

/// What stands before the server.
#[derive(Debug, Clone, Default)]
pub struct Front {
    /// Where proxies are that are believed.
    pub trusted: Arc<[IpNet]>,
    /// Their connections begin with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// The address under which people find the server, without a slash at its end.
    pub public_url: Option<Arc<str>>,
}

impl Front {
    /// Whether that is a proxy which is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// Whether what comes from there begins with a header of the PROXY protocol.
    pub fn begins_with_header(&self, peer: IpAddr) -> bool {
        self.proxy_protocol && self.trusts(peer)
    }

    /// Whose request it is that this peer hands over.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        self.rightmost(headers).unwrap_or(peer)
    }

    /// The rightmost of the chain that is no trusted proxy, or the first of it if all are.
    fn rightmost(&self, headers: &HeaderMap) -> Option<IpAddr> {
        if is_contradictory(headers) {
            return None;
        }
        let (standard, name) = match headers.contains_key("forwarded") {
            true => (true, "forwarded"),
            false => (false, "x-forwarded-for"),
        };
        let lines: Vec<&str> = headers.get_all(name).map(|line| line.to_str().ok()).collect::<Option<_>>()?;
        if lines.iter().map(|line| line.len()).sum::<usize>() > CHAIN_BYTES_MAX {
            return None;
        }
        let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
        let mut last = None;
        for (count, hop) in hops.enumerate() {
            let told = if standard { parameter(hop, "for")? } else { hop.trim() };
            let address = node(told).filter(|_| count < HOPS_MAX)?;
            if !self.trusts(address) {
                return Some(address);
            }
            last = Some(address);
        }
        last
    }
}

/// Whether both families of headers are there. A proxy writes one and hands on what a client wrote of the other, so which of them is
/// the proxy's cannot be told.
pub fn is_contradictory(headers: &HeaderMap) -> bool {
    let others = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];
    headers.contains_key("forwarded") && others.into_iter().any(|name| headers.contains_key(name))
}

/// A parameter of one element of `Forwarded`.
pub fn parameter<'r>(element: &'r str, name: &str) -> Option<&'r str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some(value.trim_matches('"'))
}

/// An address as chains write it: bare, in brackets, with a port.
fn node(text: &str) -> Option<IpAddr> {
    let bare = || text.parse::<IpAddr>().ok();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare().or_else(bracketed).or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn client(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().unwrap());
        let front = Front { trusted: trusted.into(), ..Front::default() };
        let mut request = TestRequest::default();
        for header in headers {
            request = request.append_header(*header);
        }
        front.client(peer.parse().unwrap(), request.to_http_request().headers()).to_string()
    }

    #[test]
    fn of_a_chain_the_rightmost_that_is_not_trusted_counts() {
        let x = |peer, told| client(peer, &[("x-forwarded-for", told)]);
        assert_eq!(x("10.0.0.1", "1.1.1.1, 198.51.100.7, 10.0.0.2"), "198.51.100.7");
        assert_eq!(x("10.0.0.1", "[2001:db8::1]:443"), "2001:db8::1");
        assert_eq!(x("10.0.0.1", "10.0.0.3, 10.0.0.2"), "10.0.0.3");
        assert_eq!(x("203.0.113.9", "198.51.100.7"), "203.0.113.9", "nobody else is believed");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")]), "2.2.2.2");
        let standard = [("forwarded", "for=1.1.1.1, for=\"[2001:db8::2]:9\";proto=https")];
        assert_eq!(client("fd00::1", &standard), "2001:db8::2");
        let both = [("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "3.3.3.3")];
        assert_eq!(client("fd00::1", &both), "fd00::1", "one of them is the client's own");
    }

    #[test]
    fn what_is_malformed_or_too_long_is_not_believed() {
        for told in
            ["nobody", "", "1.1.1.1, unknown", &"10.0.0.2,".repeat(40), &format!("1.1.1.1,{}", " ".repeat(3000))]
        {
            assert_eq!(client("10.0.0.1", &[("x-forwarded-for", told)]), "10.0.0.1", "{told}");
        }
        assert_eq!(client("10.0.0.1", &[("forwarded", "proto=https"), ("x-forwarded-for", "1.1.1.1")]), "10.0.0.1");
    }
}
