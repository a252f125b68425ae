//! Proxies that hand connections on as they are, and say before whose each is: the PROXY protocol.

use std::io::{Read, Write};
use std::net::Ipv4Addr;

use super::{PROXY, call, start, told};
use crate::support::Server;
use crate::support::raw::Raw;

const ON: (&str, &str) = ("HOOKWHEEL__SERVER__PROXY_PROTOCOL", "true");
const HEALTH: &str = "GET /health/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

/// A header of version 2 for a connection over IPv6.
fn binary(client: &str) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24".to_vec();
    for address in [client, "2001:db8::1"] {
        header.extend_from_slice(&address.parse::<std::net::Ipv6Addr>().expect("an address").octets());
    }
    header.extend_from_slice(&[0x9c, 0x40, 0x01, 0xbb]);
    header
}

/// What comes of this from there.
fn heard(server: &Server, address: Ipv4Addr, bytes: &[u8]) -> Vec<u16> {
    let mut asked = Raw::connect_from(address, server.address);
    asked.send(bytes);
    asked.hear_out().statuses()
}

#[test]
fn a_connection_is_whose_its_proxy_says() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = start(dir.path(), &[ON]);
    let asked = call(server.key, "X-Forwarded-For: 192.0.2.66\r\n").into_bytes();
    let text = b"PROXY TCP4 198.51.100.7 203.0.113.1 40000 443\r\n".to_vec();
    let own = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec();
    for (peer, header, expected) in [
        // What the client says of itself counts for nothing.
        (PROXY, text, "198.51.100.7"),
        (PROXY, binary("2001:db8::7"), "2001:db8::7"),
        // Of a chain the first trusts the second, which speaks HTTP.
        (PROXY, b"PROXY TCP4 10.0.0.1 203.0.113.1 40000 443\r\n".to_vec(), "192.0.2.66"),
        (PROXY, b"PROXY UNKNOWN\r\n".to_vec(), "192.0.2.66"),
        (PROXY, own, "192.0.2.66"),
        (Ipv4Addr::LOCALHOST, Vec::new(), "127.0.0.1"),
    ] {
        assert_eq!(heard(&server, peer, &[header, asked.clone()].concat()), [201], "{expected}");
        assert_eq!(told(&mut server), expected);
    }
    assert!(server.terminate().success());
}

#[test]
fn a_header_is_read_of_the_proxy_alone_and_must_be_there() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = start(dir.path(), &[ON]);
    let text = format!("PROXY TCP4 198.51.100.7 203.0.113.1 40000 443\r\n{HEALTH}");
    assert_eq!(heard(&server, Ipv4Addr::LOCALHOST, text.as_bytes()), [400], "nobody else is believed");
    assert_eq!(heard(&server, PROXY, HEALTH.as_bytes()), [0_u16; 0]);
    let line = server.process.line("a connection was refused");
    assert!(line.contains("server.proxy_protocol") && line.contains("127.0.0.9"), "{line}");
    assert_eq!(heard(&server, PROXY, b""), [0_u16; 0], "who only looks whether it is there");
    // One that says nothing holds up nobody, and is ended.
    let mut silent = Raw::connect_from(PROXY, server.address);
    silent.send(b"PROXY TCP4 198.51");
    assert_eq!(heard(&server, PROXY, text.as_bytes()), [200]);
    assert_eq!(silent.hear_out().statuses(), [0_u16; 0]);
    assert!(server.terminate().success());
}

#[test]
fn each_client_has_its_own_bound_of_connections() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), &[ON, ("HOOKWHEEL__SERVER__CONNECTIONS_PER_ADDRESS_MAX", "1")]);
    let of = |client: &str, rest: &str| {
        let mut asked = Raw::connect_from(PROXY, server.address);
        asked.send(format!("PROXY TCP4 {client} 203.0.113.1 40000 443\r\n{rest}").as_bytes());
        asked
    };
    // A request whose body does not come holds the one place.
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 21\r\nAuthorization: Bearer {}\r\n\r\n",
        server.key
    );
    let mut busy = of("198.51.100.7", &head);
    busy.0.read_exact(&mut [0; 25]).expect("it wants the body");
    assert_eq!(of("198.51.100.7", HEALTH).hear_out().statuses(), [0_u16; 0], "there is no room for another of it");
    assert_eq!(of("198.51.100.8", HEALTH).hear_out().statuses(), [200]);
    drop(busy);
    assert!(server.terminate().success());
}

#[test]
fn tls_begins_behind_the_header() {
    let dir = tempfile::tempdir().expect("a folder");
    let own = rcgen::generate_simple_self_signed(vec!["hooks.test".to_owned()]).expect("a certificate");
    let (certificate, key) = (dir.path().join("certificate.pem"), dir.path().join("key.pem"));
    std::fs::write(&certificate, own.cert.pem()).expect("it can be written");
    std::fs::write(&key, own.signing_key.serialize_pem()).expect("it can be written");
    let [certificate, key] = [certificate, key].map(|file| file.to_str().expect("a path").to_owned());
    let tls =
        [("HOOKWHEEL__SERVER__TLS_CERTIFICATE", certificate.as_str()), ("HOOKWHEEL__SERVER__TLS_KEY", key.as_str())];
    let mut server = start(dir.path(), &[ON, tls[0], tls[1]]);
    let Raw(mut stream) = Raw::connect_from(PROXY, server.address);
    stream.write_all(&binary("2001:db8::7")).expect("it reads");

    let mut roots = rustls::RootCertStore::empty();
    roots.add(own.cert.der().clone()).expect("a certificate");
    let client = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into());
    let client = client.with_safe_default_protocol_versions().expect("known versions").with_root_certificates(roots);
    let name = "hooks.test".try_into().expect("a name");
    let session = rustls::ClientConnection::new(client.with_no_client_auth().into(), name).expect("a client");
    let mut secured = rustls::StreamOwned::new(session, stream);
    secured.write_all(call(server.key, "").as_bytes()).expect("it reads");
    let mut reply = [0; 12];
    secured.read_exact(&mut reply).expect("it answers");
    assert_eq!(&reply, b"HTTP/1.1 201");
    let line = server.process.line("path=\"/api/v1/webhooks\"");
    assert!(line.contains("address=\"2001:db8::7\""), "{line}");
    assert!(server.terminate().success());
}
