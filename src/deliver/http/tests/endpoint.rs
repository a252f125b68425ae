//! Endpoints of these tests' own, over loopback: TLS with a certificate that their client trusts, HTTP/2 frame by frame, and
//! both so that a test says what becomes of which request.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::deliver::clients::Client;
use crate::deliver::descriptors::Descriptors;
use crate::deliver::dial::{Dial, Ways};
use crate::deliver::egress::Egress;
use crate::deliver::resolve::Resolver;
use crate::deliver::tls::Trust;
use crate::domain::guard::Guard;
use crate::domain::tls::Tls;

/// Addresses of endpoints.
pub const HOSTS: [&str; 3] = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];

/// Codes of HTTP/2 (RFC 9113, 7).
pub const NO_ERROR: u32 = 0;
pub const INTERNAL_ERROR: u32 = 2;
pub const REFUSED_STREAM: u32 = 7;

static CERTIFIED: LazyLock<CertifiedKey<KeyPair>> =
    LazyLock::new(|| generate_simple_self_signed(HOSTS.map(str::to_string)).unwrap());

/// A client that may dial them, and trusts them.
pub fn client(descriptors: &Arc<Descriptors>) -> Client {
    let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap()], Vec::new(), Vec::new());
    let ways = Ways { guard: Arc::new(guard), egress: Egress::default(), proxy: None, proxy_resolves: false };
    let resolver = Resolver::new(&["127.0.0.1:53".parse().unwrap()], Duration::from_secs(1));
    let tls = Trust::webpki().for_one(&Tls { ca: Some(CERTIFIED.cert.pem()), identity: None }).unwrap();
    Client { dial: Dial::new(resolver, ways, Vec::new(), descriptors.clone()), tls: tls.into() }
}

/// The endpoints' side of TLS; one that `wants` a certificate takes none but theirs.
pub fn acceptor(protocol: &str, wants: bool) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = if wants {
        let mut roots = RootCertStore::empty();
        roots.add(CERTIFIED.cert.der().clone()).unwrap();
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::try_from(CERTIFIED.signing_key.serialize_der()).unwrap();
    let mut config = builder.with_single_cert(vec![CERTIFIED.cert.der().clone()], key).unwrap();
    config.alpn_protocols = vec![protocol.into()];
    TlsAcceptor::from(Arc::new(config))
}

/// A frame that begins a request or an answer.
const HEADERS: u8 = 1;

/// A frame (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `:status: 200`, and whether that is all.
pub fn answer(stream: u32, is_all: bool) -> Vec<u8> {
    frame(HEADERS, 4 | u8::from(is_all), stream, &[0x88])
}

/// Some of a body.
pub fn data(stream: u32, bytes: &[u8]) -> Vec<u8> {
    frame(0, 0, stream, bytes)
}

/// The end of a stream that is none.
pub fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(3, 0, stream, &code.to_be_bytes())
}

/// The end of a session on which nothing was looked at.
pub fn go_away() -> Vec<u8> {
    frame(7, 0, 0, &[0; 8])
}

/// The endpoint's end of a session.
pub struct Frames<S>(pub S);

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    /// Hears the start, and says how many streams it takes: any number.
    pub async fn begin(mut stream: S) -> Self {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        let mut frames = Self(stream);
        frames.say(&frame(4, 0, 0, &[])).await;
        frames
    }

    pub async fn say(&mut self, frames: &[u8]) {
        self.0.write_all(frames).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// The stream of the next request; none at the end.
    pub async fn next(&mut self) -> Option<u32> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let [a, b, c, kind, _flags, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.0.read_exact(&mut payload).await.ok()?;
            if kind == HEADERS {
                return Some(u32::from_be_bytes(stream));
            }
        }
    }
}

/// What an endpoint does with a request.
#[derive(Debug, Clone, Copy)]
pub enum Does {
    Answer,
    Reset(u32),
    GoAway,
    /// It closes the connection without a word.
    Close,
}

/// An endpoint that speaks HTTP/2 and does so with one request after the other, over all sessions; the others it answers.
/// Gives its URL, and how many requests it has seen.
pub async fn two(host: &str, does: &'static [Does]) -> (String, Rc<Cell<usize>>) {
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let seen = Rc::new(Cell::new(0));
    let counted = seen.clone();
    actix_rt::spawn(async move {
        loop {
            let stream = acceptor("h2", false).accept(listener.accept().await.unwrap().0).await.unwrap();
            actix_rt::spawn(session(stream, does, counted.clone()));
        }
    });
    (url, seen)
}

async fn session(stream: tokio_rustls::server::TlsStream<TcpStream>, does: &[Does], seen: Rc<Cell<usize>>) {
    let mut frames = Frames::begin(stream).await;
    while let Some(id) = frames.next().await {
        let does = does.get(seen.replace(seen.get() + 1)).copied().unwrap_or(Does::Answer);
        match does {
            Does::Answer => frames.say(&answer(id, true)).await,
            Does::Reset(code) => frames.say(&reset(id, code)).await,
            Does::GoAway => frames.say(&go_away()).await,
            Does::Close => return,
        }
    }
}

/// An endpoint that speaks HTTP/1.1 and answers one connection's requests with this header. Gives its URL, and tells when
/// the connection was closed.
pub async fn one(host: &str, header: &'static str) -> (String, oneshot::Receiver<()>) {
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (tell, is_closed) = oneshot::channel();
    actix_rt::spawn(async move {
        let mut stream = listener.accept().await.unwrap().0;
        let mut request = [0; 1024];
        while stream.read(&mut request).await.unwrap_or(0) > 0 {
            stream.write_all(format!("HTTP/1.1 204 None\r\n{header}\r\n").as_bytes()).await.unwrap();
        }
        // Nobody may be waiting.
        let _ = tell.send(());
    });
    (url, is_closed)
}
