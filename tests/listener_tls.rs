//! The API over TLS, with a certificate of our own: old and new versions of TLS, a certificate that changes under way, and
//! clients that speak HTTP/2.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair};
use rustix::process::Signal;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned, SupportedProtocolVersion, version,
};
use support::{DEADLINE, Server, raw};

/// The name that certificates are for.
const NAME: &str = "hooks.test";

/// A certificate that signs itself, in PEM.
struct Own {
    certificate: String,
    key: String,
}

impl Own {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![NAME.to_owned()]).expect("a name");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Self { certificate, key: key.serialize_pem() }
    }

    fn write(&self, dir: &Path) {
        fs::write(dir.join("key.pem"), &self.key).expect("it can be written");
        fs::write(dir.join("certificate.pem"), &self.certificate).expect("it can be written");
    }

    /// How a client trusts this certificate and no other.
    fn trusting(&self, versions: &[&'static SupportedProtocolVersion], protocols: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("PEM")).expect("a certificate");
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let client = client.with_protocol_versions(versions).expect("known versions");
        let mut client = client.with_root_certificates(roots).with_no_client_auth();
        client.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Arc::new(client)
    }
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Connects; an error is that of the handshake.
fn connect(address: SocketAddr, client: Arc<ClientConfig>) -> std::io::Result<Stream> {
    let connection = ClientConnection::new(client, ServerName::try_from(NAME).expect("a name")).expect("a client");
    let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    let mut stream = StreamOwned::new(connection, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// Asks over HTTP/1.1 whether the server lives, and wants to be asked over TLS only. The connection stays open.
fn is_live(stream: &mut Stream) -> bool {
    let asked = stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut reply = [0; 2048];
    let count = asked.and_then(|()| stream.read(&mut reply)).unwrap_or_default();
    let text = String::from_utf8_lossy(&reply[..count]).to_lowercase();
    text.starts_with("http/1.1 200") && text.contains("\r\nstrict-transport-security: max-age=31536000\r\n")
}

fn start(dir: &Path, env: &[(&str, &str)]) -> Server {
    let paths = ["certificate.pem", "key.pem"].map(|name| dir.join(name).to_str().expect("a plain path").to_owned());
    let tls =
        [("HOOKWHEEL__SERVER__TLS_CERTIFICATE", paths[0].as_str()), ("HOOKWHEEL__SERVER__TLS_KEY", paths[1].as_str())];
    Server::start(dir, &[&tls, env].concat())
}

#[test]
fn the_api_speaks_tls_of_both_versions() {
    let dir = tempfile::tempdir().expect("a directory");
    let own = Own::new();
    own.write(dir.path());
    let server = start(dir.path(), &[]);
    for (version, known) in [(&version::TLS12, ProtocolVersion::TLSv1_2), (&version::TLS13, ProtocolVersion::TLSv1_3)] {
        let mut stream = connect(server.address, own.trusting(&[version], &["http/1.1"])).expect("a handshake");
        assert_eq!(stream.conn.protocol_version(), Some(known));
        assert!(is_live(&mut stream) && is_live(&mut stream));
    }
    let stranger = Own::new().trusting(rustls::ALL_VERSIONS, &["http/1.1"]);
    connect(server.address, stranger).expect_err("only who trusts the certificate is served");
    // In the clear nobody is served.
    let heard = raw::say(server.address, b"GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(heard.closed && !heard.text.contains("HTTP/1.1"), "{heard:?}");
    assert!(server.terminate().success());
}

#[test]
fn a_certificate_is_read_again_when_it_changes_and_a_broken_one_is_not_taken() {
    let dir = tempfile::tempdir().expect("a directory");
    let (first, second, third) = (Own::new(), Own::new(), Own::new());
    first.write(dir.path());
    let mut server = start(dir.path(), &[]);
    let address = server.address;
    let serves = |own: &Own| {
        let stream = connect(address, own.trusting(rustls::ALL_VERSIONS, &["http/1.1"]));
        stream.is_ok_and(|mut stream| is_live(&mut stream))
    };
    let mut kept = connect(address, first.trusting(rustls::ALL_VERSIONS, &["http/1.1"])).expect("a handshake");
    assert!(is_live(&mut kept) && !serves(&second));
    second.write(dir.path());
    server.process.line("the certificate was read again");
    assert!(serves(&second) && !serves(&first));
    assert!(is_live(&mut kept), "a connection outlives its certificate");
    // Broken in each of the ways in which it can be.
    for (file, text) in [("certificate.pem", "no PEM"), ("key.pem", &third.key), ("key.pem", "")] {
        fs::write(dir.path().join(file), text).expect("it can be written");
        let line = server.process.line("cannot be served");
        assert!(line.contains(".pem"), "{line}");
        assert!(serves(&second), "{file}: the one before stays");
        second.write(dir.path());
        server.process.line("the certificate was read again");
    }
    // A signal does not wait for the next look.
    third.write(dir.path());
    server.process.signal(Signal::HUP);
    server.process.line("the certificate was read again");
    assert!(serves(&third) && is_live(&mut kept));
    assert!(server.terminate().success());
}

#[test]
fn a_start_with_a_broken_certificate_says_what_is_wrong() {
    let dir = tempfile::tempdir().expect("a directory");
    Own::new().write(dir.path());
    fs::write(dir.path().join("key.pem"), Own::new().key).expect("it can be written");
    let path = |name: &str| dir.path().join(name).to_str().expect("a plain path").to_owned();
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    let both = [("HOOKWHEEL__SERVER__TLS_CERTIFICATE", &*certificate), ("HOOKWHEEL__SERVER__TLS_KEY", &*key)];
    for (env, part) in [(&both[..], "server.tls_certificate"), (&both[..1], "go together")] {
        let ended = Server::start_process(dir.path(), env).end();
        assert!(!ended.status.success() && ended.output.contains(part), "{}", ended.output);
    }
}

#[test]
fn http2_is_not_spoken_so_frames_that_nobody_reads_fill_nothing() {
    /// What caches and the allocator keep, and what is at hand of a connection.
    const SLACK: u64 = 48 << 20;
    let dir = tempfile::tempdir().expect("a directory");
    let own = Own::new();
    own.write(dir.path());
    let server = start(dir.path(), &[]);
    connect(server.address, own.trusting(rustls::ALL_VERSIONS, &["h2"])).expect_err("no protocol is common");
    let held = raw::held_beyond(&server, || {
        for protocols in [&["h2", "http/1.1"][..], &["http/1.1"], &[]] {
            let mut stream =
                connect(server.address, own.trusting(rustls::ALL_VERSIONS, protocols)).expect("a handshake");
            assert_ne!(stream.conn.alpn_protocol(), Some(b"h2".as_slice()), "{protocols:?}");
            // By prior knowledge: the head of a request whose body nobody reads, and empty frames of it, 28 MiB of them.
            let mut sent = stream.write_all(&begun_over_http2());
            let frames = frame(DATA, 0, 1, b"").repeat(1 << 15);
            for _ in 0..100 {
                sent = sent.and_then(|()| stream.write_all(&frames));
            }
            // Whatever is said, it is no HTTP/2, and the end: an error is a close in the middle of what we send.
            let mut heard = Vec::new();
            let _ = stream.read_to_end(&mut heard);
            let heard = String::from_utf8_lossy(&heard);
            assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 400"), "{protocols:?}: {heard}");
            let mut stream =
                connect(server.address, own.trusting(rustls::ALL_VERSIONS, &["http/1.1"])).expect("a handshake");
            assert!(is_live(&mut stream), "others are served");
        }
    });
    assert!(held < SLACK, "{held} bytes are held");
    assert!(server.terminate().success());
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_HEADERS: u8 = 4;

/// The start of HTTP/2 (RFC 9113): a `POST` of which no more comes, its headers written out (RFC 7541, 6.2.2).
fn begun_over_http2() -> Vec<u8> {
    let literal = |name: u8, value: &[u8]| [&[name, value.len() as u8], value].concat();
    let fields = [&[0x83, 0x87][..], &literal(0x04, b"/health/live"), &literal(0x01, b"h")].concat();
    let head = frame(HEADERS, END_HEADERS, 1, &fields);
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(SETTINGS, 0, 0, b""), &head].concat()
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

#[test]
fn slow_handshakes_keep_nobody_else_waiting() {
    let dir = tempfile::tempdir().expect("a directory");
    let own = Own::new();
    own.write(dir.path());
    let server = start(dir.path(), &[]);
    let began = SystemTime::now();
    let slow: Vec<raw::Raw> = (0..100).map(|_| raw::Raw::connect(server.address)).collect();
    let mut stream = connect(server.address, own.trusting(rustls::ALL_VERSIONS, &["http/1.1"])).expect("a handshake");
    assert!(is_live(&mut stream));
    for raw in slow {
        assert!(raw.hear().closed, "a handshake that does not begin ends");
    }
    assert!(began.elapsed().expect("time goes on") < DEADLINE + Duration::from_secs(1));
    assert!(server.terminate().success());
}
