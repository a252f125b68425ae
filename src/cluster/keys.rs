//! By what nodes know each other: a key pair made of each master key, which they share as it is. So there is no secret of the cluster's own
//! to hand out, to keep and to change, and no certificates either: both sides of a connection show a bare public key (RFC 7250), and
//! take no other. Which of several is meant, a client says by the name that it asks for.

use std::fmt;
use std::sync::Arc;

use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::sign::any_eddsa_type;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, ServerConfig,
    SignatureScheme,
};
use zeroize::Zeroizing;

/// What stands before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410, section 7).
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// What a node says that comes to make requests for another (ALPN). Without it, it hands on what a client says.
pub const CARRIES: &[u8] = b"hookwheel-carries";
/// What the names of keys end with: a name that is nobody's host (RFC 2606).
const NAMED: &str = ".node.hookwheel.invalid";

/// The keys of a node, the one that it shows first.
pub struct NodeKeys(Vec<NodeKey>);

struct NodeKey {
    name: String,
    key: Arc<CertifiedKey>,
}

impl NodeKeys {
    /// Of 32 bytes each, that only nodes know, and what names them without telling anything of them.
    ///
    /// # Errors
    /// There is none.
    pub fn of<N: fmt::Display>(seeds: &[(N, Zeroizing<[u8; 32]>)]) -> Result<Self, Error> {
        if seeds.is_empty() {
            return Err(Error::General("a node has no key".into()));
        }
        let key = |(name, seed): &(N, Zeroizing<[u8; 32]>)| {
            let mut der = Zeroizing::new([0; 48]);
            der[..PKCS8.len()].copy_from_slice(&PKCS8);
            der[PKCS8.len()..].copy_from_slice(&**seed);
            let signing = any_eddsa_type(&PrivatePkcs8KeyDer::from(der.as_slice()))?;
            let public = signing.public_key().ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?.to_vec();
            let key = Arc::new(CertifiedKey::new(vec![CertificateDer::from(public)], signing));
            Ok(NodeKey { name: format!("{name}{NAMED}"), key })
        };
        seeds.iter().map(key).collect::<Result<_, Error>>().map(Self)
    }

    /// How a node speaks to another one, and the name that it asks for.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn client(&self) -> Result<(ClientConfig, ServerName<'static>), Error> {
        let own = &self.0[0];
        let config = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13])?;
        let config = config.dangerous().with_custom_certificate_verifier(Arc::new(self.known()));
        let shown = AlwaysResolvesClientRawPublicKeys::new(own.key.clone());
        let name = ServerName::try_from(own.name.clone()).map_err(|error| Error::General(error.to_string()))?;
        Ok((config.with_client_cert_resolver(Arc::new(shown)), name))
    }

    /// How a node answers another one.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn server(self) -> Result<ServerConfig, Error> {
        let config = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13])?;
        let config = config.with_client_cert_verifier(Arc::new(self.known()));
        let mut config = config.with_cert_resolver(Arc::new(self));
        config.alpn_protocols = vec![CARRIES.into()];
        Ok(config)
    }

    fn known(&self) -> Known {
        let keys = self.0.iter().filter_map(|key| key.key.cert.first()).cloned().collect();
        Known { keys, algorithms: provider().signature_verification_algorithms }
    }
}

impl fmt::Debug for NodeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.name)).finish()
    }
}

impl ResolvesServerCert for NodeKeys {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name()?;
        self.0.iter().find(|key| key.name == asked).map(|key| key.key.clone())
    }

    fn only_raw_public_keys(&self) -> bool {
        true
    }
}

/// The public keys of nodes: nothing else is taken, on either side.
#[derive(Debug)]
struct Known {
    keys: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Known {
    fn vet(&self, shown: &CertificateDer<'_>) -> Result<(), Error> {
        let is_known = self.keys.iter().any(|key| key.as_ref() == shown.as_ref());
        if is_known { Ok(()) } else { Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) }
    }
}

/// What both sides verify of each other in the same way: that who shows a key has the other half of it, in TLS 1.3.
macro_rules! by_raw_public_key {
    () => {
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(PeerIncompatible::Tls12NotOffered.into())
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            shown: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let key = SubjectPublicKeyInfoDer::from(shown.as_ref());
            verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.algorithms.supported_schemes()
        }

        fn requires_raw_public_keys(&self) -> bool {
            true
        }
    };
}

impl ServerCertVerifier for Known {
    by_raw_public_key!();

    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.vet(shown).map(|()| ServerCertVerified::assertion())
    }
}

impl ClientCertVerifier for Known {
    by_raw_public_key!();

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.vet(shown).map(|()| ClientCertVerified::assertion())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    fn keys(seeds: &[u8]) -> NodeKeys {
        let seeds: Vec<_> = seeds.iter().map(|seed| (seed, Zeroizing::new([*seed; 32]))).collect();
        NodeKeys::of(&seeds).expect("there is one")
    }

    /// What a node with some keys hears of one with others, or why it does not.
    async fn heard(client: NodeKeys, server: NodeKeys) -> Result<Vec<u8>, String> {
        let (near, far) = duplex(16 * 1024);
        let (config, name) = client.client().unwrap();
        let (connector, acceptor) = (TlsConnector::from(Arc::new(config)), server.server().unwrap());
        let asking = async {
            let mut stream = connector.connect(name, near).await.map_err(|error| error.to_string())?;
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await.map_err(|error| error.to_string())?;
            Ok(heard)
        };
        let answering = async {
            if let Ok(mut stream) = TlsAcceptor::from(Arc::new(acceptor)).accept(far).await {
                stream.write_all(b"hello").await.unwrap();
                stream.shutdown().await.unwrap();
            }
        };
        tokio::join!(asking, answering).0
    }

    #[actix_web::test]
    async fn who_has_a_master_key_is_a_node_and_nobody_else() {
        assert_eq!(heard(keys(&[1]), keys(&[1])).await, Ok(b"hello".to_vec()));
        assert!(heard(keys(&[2]), keys(&[1])).await.is_err(), "another key");
        // While keys are changed: the new one was added everywhere before it is shown anywhere.
        assert_eq!(heard(keys(&[2, 1]), keys(&[1, 2])).await, Ok(b"hello".to_vec()));
        assert_eq!(heard(keys(&[1]), keys(&[2, 1])).await, Ok(b"hello".to_vec()));
        assert!(heard(keys(&[2, 1]), keys(&[1])).await.is_err(), "it was not added there");
    }

    #[actix_web::test]
    async fn a_name_is_not_enough() {
        // It asks for the right one, and shows one of its own.
        let known = keys(&[1]);
        let mut liar = keys(&[2]);
        liar.0[0].name.clone_from(&known.0[0].name);
        assert!(heard(liar, known).await.is_err());
        let known = keys(&[1]);
        let mut liar = keys(&[2]);
        liar.0[0].name.clone_from(&known.0[0].name);
        assert!(heard(known, liar).await.is_err(), "nor is it for who answers");
    }

    #[test]
    fn keys_cannot_print_themselves() {
        assert_eq!(format!("{:?}", keys(&[7])), "[\"7.node.hookwheel.invalid\"]");
        assert!(NodeKeys::of::<u8>(&[]).is_err());
    }
}
