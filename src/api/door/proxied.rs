//! What a proxy says of a connection before anything of its client comes: the PROXY protocol, versions 1 and 2
//! (haproxy.org/download/3.2/doc/proxy-protocol.txt). What stays true: it is read only where it must be there, so nobody's
//! own bytes are taken for it, and not a byte behind it is touched.

use std::io;
use std::net::SocketAddr;

use proxy_header::{ParseConfig, Protocol, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest header of version 1, with its end (section 2.1).
const TEXT_BYTES_MAX: usize = 107;
/// What each header of version 2 begins with (section 2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Its bytes up to what it says of its own length, and that.
const FIXED_BYTES: usize = 16;
/// Version and command of a connection of the proxy's own: nothing that follows counts.
const LOCAL: u8 = 0x20;
/// Of what follows: addresses, and what a proxy may add of the client's certificate.
const FURTHER_BYTES_MAX: usize = 4096;

/// A connection, as the proxy that hands it on says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proxied {
    /// Its client.
    pub client: SocketAddr,
    /// Where that has found the proxy.
    pub here: SocketAddr,
    /// The client speaks TLS with the proxy.
    pub is_tls: bool,
}

/// Reads the header; `None` for a connection that the proxy makes for itself, such as a look at whether the server is there.
///
/// # Errors
/// There is none, or it is malformed or too long. `UnexpectedEof` where the connection ends within it.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Proxied>> {
    let mut bytes = vec![0; SIGNATURE.len()];
    stream.read_exact(&mut bytes).await?;
    if bytes == *SIGNATURE {
        bytes.resize(FIXED_BYTES, 0);
        stream.read_exact(&mut bytes[SIGNATURE.len()..]).await?;
        let further = usize::from(u16::from_be_bytes([bytes[FIXED_BYTES - 2], bytes[FIXED_BYTES - 1]]));
        if further > FURTHER_BYTES_MAX {
            return Err(malformed());
        }
        bytes.resize(FIXED_BYTES + further, 0);
        stream.read_exact(&mut bytes[FIXED_BYTES..]).await?;
        if bytes[SIGNATURE.len()] == LOCAL {
            return Ok(None);
        }
    } else if bytes.starts_with(b"PROXY ") {
        // Byte by byte, since what follows the end of the line is the client's.
        while !bytes.ends_with(b"\r\n") {
            if bytes.len() == TEXT_BYTES_MAX {
                return Err(malformed());
            }
            bytes.push(stream.read_u8().await?);
        }
    } else {
        return Err(malformed());
    }
    let (header, length) = ProxyHeader::parse(&bytes, ParseConfig::default()).map_err(|_| malformed())?;
    if length != bytes.len() {
        return Err(malformed());
    }
    let is_tls = header.ssl().is_some_and(|ssl| ssl.client_ssl());
    match header.proxied_address() {
        Some(said) if said.protocol == Protocol::Datagram => Err(malformed()),
        Some(said) => Ok(Some(Proxied { client: said.source, here: said.destination, is_tls })),
        None => Ok(None),
    }
}

fn malformed() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

#[cfg(test)]
mod tests {
    use proxy_header::{ProxiedAddress, SslInfo, Tlv};

    use super::*;

    /// What is read of these bytes, and of what is left of them.
    async fn of(bytes: &[u8]) -> (Result<Option<Proxied>, io::ErrorKind>, String) {
        let mut rest = bytes;
        let read = read(&mut rest).await.map_err(|error| error.kind());
        (read, String::from_utf8_lossy(rest).into_owned())
    }

    fn two(header: &ProxyHeader<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        header.encode_v2(&mut bytes).unwrap();
        bytes
    }

    fn addresses() -> ProxiedAddress {
        ProxiedAddress::stream("[2001:db8::7]:40000".parse().unwrap(), "[2001:db8::1]:443".parse().unwrap())
    }

    #[actix_web::test]
    async fn what_a_proxy_says_is_read_and_nothing_behind_it() {
        let (client, here) = ("198.51.100.7:40000".parse().unwrap(), "203.0.113.1:443".parse().unwrap());
        let said = of(b"PROXY TCP4 198.51.100.7 203.0.113.1 40000 443\r\nGET / HTTP/1.1\r\n").await;
        assert_eq!(said, (Ok(Some(Proxied { client, here, is_tls: false })), "GET / HTTP/1.1\r\n".into()));
        assert_eq!(of(b"PROXY UNKNOWN\r\n\r\nx").await, (Ok(None), "\r\nx".into()));
        assert_eq!(of(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\nx").await, (Ok(None), "x".into()));

        let bytes = [two(&ProxyHeader::with_address(addresses())), b"\x16\x03".to_vec()].concat();
        let (said, rest) = of(&bytes).await;
        let (client, here) = (addresses().source, addresses().destination);
        assert_eq!((said, rest.len()), (Ok(Some(Proxied { client, here, is_tls: false })), 2));
        assert_eq!(of(&two(&ProxyHeader::with_local())).await, (Ok(None), String::new()));
        assert_eq!(
            of(b"\r\n\r\n\0\r\nQUIT\n\x20\x11\0\0x").await,
            (Ok(None), "x".into()),
            "of its own, in whichever family"
        );
    }

    #[actix_web::test]
    async fn a_proxy_may_say_that_its_client_speaks_tls() {
        for client_speaks in [true, false] {
            let tls = Tlv::Ssl(SslInfo::new(client_speaks, false, false, 0));
            let header = ProxyHeader::with_tlvs(Some(addresses()), [tls]);
            let said = of(&two(&header)).await.0.unwrap().unwrap();
            assert_eq!(said.is_tls, client_speaks);
        }
    }

    #[actix_web::test]
    async fn what_is_no_header_is_refused_and_one_that_is_not_whole_is_waited_for() {
        use io::ErrorKind::{InvalidData, UnexpectedEof};
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(TEXT_BYTES_MAX));
        for wrong in ["GET / HTTP/1.1\r\n\r\n", "PROXY TCP4 a b c d\r\n", "PROXYTCP4 1.1.1.1 2.2.2.2 1 2\r\n", &long] {
            assert_eq!(of(wrong.as_bytes()).await.0, Err(InvalidData), "{wrong}");
        }
        let mut too_much = two(&ProxyHeader::with_local());
        too_much[FIXED_BYTES - 2] = 0xff;
        too_much.resize(80_000, 0);
        assert_eq!(of(&too_much).await.0, Err(InvalidData));
        let datagrams = ProxiedAddress::datagram(addresses().source, addresses().destination);
        assert_eq!(of(&two(&ProxyHeader::with_address(datagrams))).await.0, Err(InvalidData));
        let two = two(&ProxyHeader::with_address(addresses()));
        let one = b"PROXY TCP4 198.51.100.7 203.0.113.1 40000 443\r\n";
        for whole in [two.as_slice(), one] {
            for length in 0..whole.len() {
                assert_eq!(of(&whole[..length]).await.0, Err(UnexpectedEof), "{length}");
            }
        }
    }
}
