//! An endpoint behind TLS, with certificates of the tests' own.

use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

use super::http::read_message;
use super::{Authority, Certified};

/// An endpoint that shows `certified`, and wants a certificate of `wanted` if there is one.
pub struct TlsEndpoint {
    /// Where it listens.
    pub address: SocketAddr,
    /// A word for each request that was served.
    pub served: mpsc::Receiver<()>,
}

impl TlsEndpoint {
    /// One that speaks these versions.
    pub fn start(
        certified: &Certified,
        wanted: Option<&Authority>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let config = showing(certified, wanted, versions);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, served) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, tell, stream) = (config.clone(), tell.clone(), stream.unwrap());
                std::thread::spawn(move || serve(stream, config, &tell));
            }
        });
        Self { address, served }
    }

    /// One that wants no certificate.
    pub fn good(certified: &Certified) -> Self {
        Self::start(certified, None, rustls::ALL_VERSIONS)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("https://localhost:{}/", self.address.port())
    }
}

/// How one that shows `certified` speaks TLS, of these versions.
pub fn showing(
    certified: &Certified,
    wanted: Option<&Authority>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions).unwrap();
    let builder = match wanted {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(authority.roots(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(certified.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).unwrap();
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}

/// Serves one connection; an error ends it: who does not trust us goes away.
fn serve(stream: TcpStream, config: Arc<ServerConfig>, tell: &mpsc::Sender<()>) {
    let mut stream = BufReader::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream));
    while let Ok(Some(_)) = read_message(&mut stream) {
        let answered = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let answered = answered.and_then(|()| stream.get_mut().flush());
        if answered.is_err() || tell.send(()).is_err() {
            return;
        }
    }
}
