//! The API over TLS, with a certificate of our own: old and new versions of HTTP, a certificate that changes under way,
//! and clients that mean harm over HTTP/2.

#[path = "hostile_clients/raw.rs"]
#[allow(dead_code, reason = "not all of it is for TLS")]
mod raw;
mod support;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rcgen::{CertificateParams, KeyPair};
use rustix::process::Signal;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned, SupportedProtocolVersion, version,
};
use support::{DEADLINE, Server};

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
    fn trusting(&self, versions: &[&'static SupportedProtocolVersion], protocol: &str) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("PEM")).expect("a certificate");
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let client = client.with_protocol_versions(versions).expect("known versions");
        let mut client = client.with_root_certificates(roots).with_no_client_auth();
        client.alpn_protocols = vec![protocol.into()];
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
fn the_api_speaks_tls_and_http_of_both_versions() {
    let dir = tempfile::tempdir().expect("a directory");
    let own = Own::new();
    own.write(dir.path());
    let server = start(dir.path(), &[]);
    for (version, known) in [(&version::TLS12, ProtocolVersion::TLSv1_2), (&version::TLS13, ProtocolVersion::TLSv1_3)] {
        let mut stream = connect(server.address, own.trusting(&[version], "http/1.1")).expect("a handshake");
        assert_eq!(stream.conn.protocol_version(), Some(known));
        assert!(is_live(&mut stream) && is_live(&mut stream));
    }
    let mut stream = connect(server.address, own.trusting(rustls::ALL_VERSIONS, "h2")).expect("a handshake");
    assert_eq!(stream.conn.alpn_protocol(), Some(b"h2".as_slice()));
    let mut frames = Frames::begin(&mut stream);
    frames.get(1, true);
    assert_eq!(frames.status_of(1), Some(200));
    let stranger = Own::new().trusting(rustls::ALL_VERSIONS, "http/1.1");
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
        let stream = connect(address, own.trusting(rustls::ALL_VERSIONS, "http/1.1"));
        stream.is_ok_and(|mut stream| is_live(&mut stream))
    };
    let mut kept = connect(address, first.trusting(rustls::ALL_VERSIONS, "http/1.1")).expect("a handshake");
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
fn floods_over_http2_are_bounded_and_others_are_served() {
    let dir = tempfile::tempdir().expect("a directory");
    let own = Own::new();
    own.write(dir.path());
    let limits = [("HOOKWHEEL__SERVER__IDLE_SECONDS", "2"), ("HOOKWHEEL__SERVER__BODY_SECONDS", "2")];
    let server = start(dir.path(), &limits);
    let h2 = own.trusting(rustls::ALL_VERSIONS, "h2");
    let http1 = own.trusting(rustls::ALL_VERSIONS, "http/1.1");
    let somebody_else_is_served = || {
        let mut stream = connect(server.address, http1.clone()).expect("a handshake");
        assert!(is_live(&mut stream));
    };
    let before = raw::memory(&server);

    // Requests that are taken back at once: the server ends the connection, or answers what it can.
    let mut stream = connect(server.address, h2.clone()).expect("a handshake");
    let mut frames = Frames::begin(&mut stream);
    let mut taken = 0;
    for n in 0..20_000 {
        if !frames.try_send(&[Frames::head(2 * n + 1, true), Frames::reset(2 * n + 1)].concat()) {
            break;
        }
        taken += 1;
    }
    assert!(taken > 0);
    somebody_else_is_served();
    drop(stream);

    // Requests that never end: those over the bound of a connection are answered at once, and the rest in their time.
    let mut stream = connect(server.address, h2.clone()).expect("a handshake");
    let mut frames = Frames::begin(&mut stream);
    for n in 0..400 {
        assert!(frames.try_send(&Frames::post(2 * n + 1, server.key)));
    }
    let mut statuses = std::collections::BTreeMap::<u16, u32>::new();
    for _ in 0..400 {
        let Some((_, status)) = frames.next_status() else { break };
        *statuses.entry(status).or_default() += 1;
    }
    assert_eq!(statuses.into_iter().collect::<Vec<_>>(), [(408, 256), (429, 144)]);
    somebody_else_is_served();

    // Replies that are asked for and never taken hold places too: a connection that goes on asking is ended.
    let mut stream = connect(server.address, h2.clone()).expect("a handshake");
    let mut frames = Frames::begin(&mut stream);
    frames.try_send(&Frames::frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    for n in 0..2_000 {
        if !frames.try_send(&Frames::head(2 * n + 1, true)) {
            break;
        }
    }
    let begun = Instant::now();
    let mut answered = 0;
    while let Some((kind, ..)) = frames.next_frame() {
        answered += u32::from(kind == HEADERS);
        assert!(begun.elapsed() < DEADLINE, "it stays open");
    }
    assert!(answered < 1_000, "{answered} replies wait to be taken");
    somebody_else_is_served();
    drop(stream);

    // One that answers pings and asks nothing is closed all the same.
    let mut stream = connect(server.address, h2.clone()).expect("a handshake");
    let mut frames = Frames::begin(&mut stream);
    frames.get(1, true);
    let begun = Instant::now();
    while frames.next_frame().is_some() {
        assert!(begun.elapsed() < DEADLINE, "it stays open");
    }
    let after = raw::memory(&server);
    assert!(after < before + (96 << 20), "memory grew from {before} to {after} bytes");
    somebody_else_is_served();
    assert!(server.terminate().success());
}

/// HTTP/2 by hand (RFC 9113), with headers that are written out (RFC 7541, 6.2.2).
struct Frames<'a>(&'a mut Stream);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

impl<'a> Frames<'a> {
    fn begin(stream: &'a mut Stream) -> Self {
        let mut frames = Self(stream);
        // No table of headers, so that each reply's are written out.
        let settings = Self::frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0]);
        assert!(frames.try_send(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &settings].concat()));
        frames
    }

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend_from_slice(payload);
        frame
    }

    /// A header of the static table's names, or of one of our own, whose value is written out.
    fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
        [name, &[value.len() as u8], value].concat()
    }

    fn head(stream: u32, ends: bool) -> Vec<u8> {
        let path = Self::literal(&[0x04], b"/health/live");
        let fields = [&[0x82, 0x87][..], &path, &Self::literal(&[0x01], b"h")].concat();
        Self::frame(HEADERS, END_HEADERS | if ends { END_STREAM } else { 0 }, stream, &fields)
    }

    /// The head of a request whose body never comes.
    fn post(stream: u32, key: &str) -> Vec<u8> {
        let path = Self::literal(&[0x04], b"/api/v1/events");
        let bearer = format!("Bearer {key}");
        // `authorization` is 23 in the static table: more than a literal's four bits hold.
        let key = Self::literal(&[0x0f, 23 - 15], bearer.as_bytes());
        let fields = [&[0x83, 0x87][..], &path, &Self::literal(&[0x01], b"h"), &key].concat();
        Self::frame(HEADERS, END_HEADERS, stream, &fields)
    }

    fn reset(stream: u32) -> Vec<u8> {
        Self::frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
    }

    fn get(&mut self, stream: u32, ends: bool) {
        assert!(self.try_send(&Self::head(stream, ends)));
    }

    fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).and_then(|()| self.0.flush()).is_ok()
    }

    /// The next frame's kind, stream and payload; `None` once the server has closed. Settings and pings are answered.
    fn next_frame(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        match self.0.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("nothing comes"),
            Err(_) => return None,
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).ok()?;
        let (kind, flags) = (head[3], head[4]);
        if [SETTINGS, PING].contains(&kind) && flags & ACK == 0 {
            let echo = if kind == PING { payload.as_slice() } else { b"" };
            self.try_send(&Self::frame(kind, ACK, 0, echo));
        }
        Some((kind, u32::from_be_bytes(head[5..].try_into().expect("four bytes")), payload))
    }

    /// The next reply: its stream and its status.
    fn next_status(&mut self) -> Option<(u32, u16)> {
        loop {
            let (kind, stream, payload) = self.next_frame()?;
            match kind {
                HEADERS => return Some((stream, status(&payload))),
                DATA | SETTINGS | PING => {}
                _ => {}
            }
        }
    }

    fn status_of(&mut self, stream: u32) -> Option<u16> {
        let (of, status) = self.next_status()?;
        (of == stream).then_some(status)
    }
}

/// The status that a block of headers begins with: 200 has a place in the static table, others are written out, by
/// Huffman's code or plainly.
fn status(block: &[u8]) -> u16 {
    match block {
        [0x20, rest @ ..] => status(rest),
        [0x88, ..] => 200,
        [0x08 | 0x48, 0x83, rest @ ..] => match rest {
            // Huffman: '4' is 011010, '0' is 00000, '8' is 011110, '2' is 00010, '9' is 011111.
            [0x68, 0x0f, ..] => 408,
            [0x68, 0x4f, ..] => 429,
            _ => panic!("a status: {block:x?}"),
        },
        [0x08 | 0x48, 3, a, b, c, ..] => [a, b, c].iter().fold(0, |all, digit| 10 * all + u16::from(**digit - b'0')),
        _ => panic!("a status: {block:x?}"),
    }
}

#[test]
fn slow_handshakes_keep_nobody_else_waiting() {
    let dir = tempfile::tempdir().expect("a directory");
    let own = Own::new();
    own.write(dir.path());
    let server = start(dir.path(), &[]);
    let began = SystemTime::now();
    let slow: Vec<raw::Raw> = (0..100).map(|_| raw::Raw::connect(server.address)).collect();
    let mut stream = connect(server.address, own.trusting(rustls::ALL_VERSIONS, "http/1.1")).expect("a handshake");
    assert!(is_live(&mut stream));
    for raw in slow {
        assert!(raw.hear().closed, "a handshake that does not begin ends");
    }
    assert!(began.elapsed().expect("time goes on") < DEADLINE + Duration::from_secs(1));
    assert!(server.terminate().success());
}
