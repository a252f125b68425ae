//! The listener's certificate, read from PEM files and read again when they change. What stays true: what is served was
//! whole and fits its key; files that are broken, or half written, change nothing.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;

/// Why a certificate cannot be served.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// A file is not there, or is no PEM of what it should hold.
    #[error("{0}: {1}")]
    Unreadable(PathBuf, String),
    /// They do not belong together, or are of a kind that is not known.
    #[error("{0} and its key cannot be served: {1}")]
    Unfit(PathBuf, rustls::Error),
}

/// A certificate and its key, as they were last read whole.
#[derive(Debug)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    served: ArcSwap<CertifiedKey>,
    /// What the files looked like when they were last read, whole or not.
    seen: Mutex<[Option<Look>; 2]>,
}

/// Tells whether a file is another one than before: when it was changed, and its length.
type Look = (SystemTime, u64);

impl Certificate {
    /// Reads both files.
    ///
    /// # Errors
    /// One cannot be read, or they do not fit each other.
    pub fn load(chain: &Path, key: &Path) -> Result<Arc<Self>, CertificateError> {
        let seen = [look(chain), look(key)];
        let served = ArcSwap::from_pointee(read(chain, key)?);
        Ok(Arc::new(Self { chain: chain.into(), key: key.into(), served, seen: Mutex::new(seen) }))
    }

    /// Reads the files again if they changed since the last time. Says whether they did.
    ///
    /// # Errors
    /// They changed, but cannot be served; what was served still is.
    pub fn reload_if_changed(&self) -> Result<bool, CertificateError> {
        let now = [look(&self.chain), look(&self.key)];
        let before = std::mem::replace(&mut *self.seen.lock().expect("no holder of the lock panics"), now);
        if before == now {
            return Ok(false);
        }
        self.served.store(Arc::new(read(&self.chain, &self.key)?));
        Ok(true)
    }

    /// How a listener speaks TLS with it: version 1.2 or 1.3, and HTTP/1.1 within.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, CertificateError> {
        let versions = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let versions = versions.map_err(|error| CertificateError::Unfit(self.chain.clone(), error))?;
        let mut config = versions.with_no_client_auth().with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.served.load_full())
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn look(path: &Path) -> Option<Look> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn read(chain: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let certificates = CertificateDer::pem_file_iter(chain).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|error| unreadable(chain, &error.to_string()))?;
    if certificates.is_empty() {
        return Err(unreadable(chain, "it holds no certificate in PEM"));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error.to_string()))?;
    CertifiedKey::from_der(certificates, private, &provider())
        .map_err(|error| CertificateError::Unfit(chain.into(), error))
}

fn unreadable(path: &Path, why: &str) -> CertificateError {
    CertificateError::Unreadable(path.into(), why.into())
}
