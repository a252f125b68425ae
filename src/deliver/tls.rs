//! TLS of outgoing connections: whom is trusted, and what a failed handshake says in plain words. What stays true:
//! certificates are always checked, TLS is 1.2 or newer, and a webhook's own authorities hold for that webhook alone.

use std::error::Error;
use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, ClientConfig, ConfigBuilder, PeerIncompatible, RootCertStore};

use crate::domain::Invalid;
use crate::domain::time;
use crate::domain::tls::Tls;

/// Whom is trusted where a webhook says nothing; cheap to clone.
#[derive(Debug, Clone)]
pub struct Trust {
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    for_all: Arc<ClientConfig>,
}

impl Trust {
    /// Mozilla's list, as it was when this was built.
    pub fn webpki() -> Self {
        Self::of(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect())
    }

    /// The authorities of this machine. An error says that there are none that can be used.
    pub fn native() -> Result<Self, String> {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "some of this machine's authorities cannot be read");
        }
        let mut roots = RootCertStore::empty();
        let (known, _unfit) = roots.add_parsable_certificates(found.certs);
        match known {
            0 => Err("this machine has no certificates of authorities; install ca-certificates, or take webpki".into()),
            _ => Ok(Self::of(roots)),
        }
    }

    fn of(roots: RootCertStore) -> Self {
        let (provider, roots) = (Arc::new(ring::default_provider()), Arc::new(roots));
        let for_all = finished(builder(&provider, roots.clone()).with_no_client_auth());
        Self { provider, roots, for_all }
    }

    /// For webhooks without TLS settings of their own.
    pub fn for_all(&self) -> Arc<ClientConfig> {
        self.for_all.clone()
    }

    /// For a webhook with these.
    pub fn for_one(&self, tls: &Tls) -> Result<Arc<ClientConfig>, Invalid> {
        let roots = tls.roots().transpose()?.map_or_else(|| self.roots.clone(), Arc::new);
        let builder = builder(&self.provider, roots);
        let Some(identity) = &tls.identity else { return Ok(finished(builder.with_no_client_auth())) };
        let (chain, key) = identity.read()?;
        let unfit = |error: rustls::Error| Invalid::new("tls.client_key", error.to_string());
        builder.with_client_auth_cert(chain, key).map(finished).map_err(unfit)
    }
}

fn builder(provider: &Arc<CryptoProvider>, roots: Arc<RootCertStore>) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    builder.expect("ring has the suites of TLS 1.2 and 1.3").with_root_certificates(roots)
}

fn finished(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

/// Why there is no TLS session, for the person who looks at a failed attempt.
pub fn reason(error: &io::Error) -> String {
    match (tls_error(error), error.kind()) {
        (Some(error), _) => in_words(error),
        (None, io::ErrorKind::UnexpectedEof) => "the endpoint closed the connection during the TLS handshake".into(),
        (None, io::ErrorKind::ConnectionReset) => "the endpoint reset the connection during the TLS handshake".into(),
        (None, _) => error.to_string(),
    }
}

/// The TLS error inside of an error of a connection. Some only show when the answer is read: with TLS 1.3 an endpoint
/// judges our certificate after we have finished.
pub fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    let mut inner: Option<&(dyn Error + 'static)> = error.get_ref().map(|inner| inner as _);
    while let Some(error) = inner {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let nested = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner = nested.map(|nested| nested as _).or_else(|| error.source());
    }
    None
}

/// A TLS error in plain words.
pub fn in_words(error: &rustls::Error) -> String {
    use rustls::Error as E;
    match error {
        E::InvalidCertificate(error) => certificate(error),
        E::InvalidMessage(_) => {
            "the endpoint does not speak TLS on this port; is it plain HTTP, or the wrong port?".into()
        }
        E::AlertReceived(alert) => alerted(*alert),
        E::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            "the endpoint speaks only versions of TLS before 1.2".into()
        }
        E::PeerIncompatible(why) => format!("the endpoint speaks no TLS that we speak ({why:?})"),
        E::NoCertificatesPresented => "the endpoint showed no certificate".into(),
        error => error.to_string(),
    }
}

fn certificate(error: &CertificateError) -> String {
    use CertificateError as C;
    let on = |time: &UnixTime| time::rfc3339(time.as_secs() * 1000).chars().take(10).collect::<String>();
    match error {
        C::ExpiredContext { not_after, .. } => format!("the endpoint's certificate expired on {}", on(not_after)),
        C::Expired => "the endpoint's certificate has expired".into(),
        C::NotValidYetContext { not_before, .. } => {
            format!("the endpoint's certificate is not valid before {}", on(not_before))
        }
        C::NotValidYet => "the endpoint's certificate is not valid yet".into(),
        C::NotValidForNameContext { expected, presented } => {
            let presented = match presented.is_empty() {
                true => "no name at all".into(),
                false => presented.iter().map(|name| plain_name(name)).collect::<Vec<_>>().join(", "),
            };
            format!("the endpoint's certificate is for {presented}, not for {}", expected.to_str())
        }
        C::NotValidForName => "the endpoint's certificate is for another name".into(),
        C::UnknownIssuer => {
            "the endpoint's certificate is self-signed, or its issuer is not known; tls.ca names another authority"
                .into()
        }
        C::Revoked => "the endpoint's certificate was revoked".into(),
        C::BadEncoding => "the endpoint's certificate cannot be read".into(),
        C::BadSignature => "the endpoint's certificate was not signed by its issuer".into(),
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => {
            "the endpoint's certificate is not one for servers".into()
        }
        error => format!("the endpoint's certificate cannot be trusted ({})", shown(error)),
    }
}

/// rustls writes the names in a certificate as `DnsName("a.example")`.
fn plain_name(name: &str) -> &str {
    name.split_once('"').and_then(|(_, rest)| rest.split_once('"')).map_or(name, |(inner, _)| inner)
}

fn alerted(alert: AlertDescription) -> String {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired => "the endpoint wants a client certificate: set tls.client_certificate".into(),
        A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA
        | A::AccessDenied
        | A::DecryptError => {
            format!("the endpoint does not take our client certificate, or wants one ({})", shown(&alert))
        }
        A::ProtocolVersion => "the endpoint speaks no version of TLS from 1.2 on".into(),
        A::UnrecognisedName => "the endpoint knows no site of this name".into(),
        A::HandshakeFailure => {
            "the endpoint refused the TLS handshake: no common ciphers, or it wants a client certificate".into()
        }
        alert => format!("the endpoint ended the TLS session ({})", shown(&alert)),
    }
}

/// The name of a variant of rustls.
fn shown(value: &impl Debug) -> String {
    format!("{value:?}")
}
