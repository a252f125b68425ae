//! What a webhook's TLS is made with where it is not as for all: an authority of its own, and a certificate to show.
//! What stays true: what is stored was read whole, the key belongs to the certificate, and the key cannot print itself.
//! There is nothing here that turns checking off.

use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

use super::Invalid;
use super::secret::Secret;

/// All texts of one webhook's TLS together, in bytes.
pub const TLS_BYTES_MAX: usize = 16 * 1024;

/// A webhook's own TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// Certificates of authorities in PEM: they stand in the place of the roots for all.
    pub ca: Option<String>,
    /// The certificate that is shown to the endpoint, in PEM, and those up to its authority.
    pub identity: Option<Identity>,
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// In PEM; the first is the one that is shown.
    pub certificate: String,
    /// In PEM, not encrypted.
    pub key: Secret,
}

impl Tls {
    /// Checks that all of it can be used. The error names the field below `tls`.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.bytes() > TLS_BYTES_MAX {
            return Err(Invalid::new("tls", format!("is longer than {TLS_BYTES_MAX} bytes in all")));
        }
        self.roots().transpose()?;
        self.identity.as_ref().map(Identity::read).transpose()?;
        Ok(())
    }

    /// The bytes of all its texts.
    pub fn bytes(&self) -> usize {
        let identity = self.identity.as_ref().map_or(0, |own| own.certificate.len() + own.key.reveal().len());
        self.ca.as_ref().map_or(0, String::len) + identity
    }

    /// The authorities, if it has some of its own.
    pub fn roots(&self) -> Option<Result<RootCertStore, Invalid>> {
        self.ca.as_ref().map(|pem| {
            let mut roots = RootCertStore::empty();
            for certificate in certificates("tls.ca", pem)? {
                let unfit = |error| Invalid::new("tls.ca", format!("has a certificate that is no authority: {error}"));
                roots.add(certificate).map_err(unfit)?;
            }
            Ok(roots)
        })
    }
}

impl Identity {
    /// The certificates and the key, which belongs to the first of them.
    pub fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Invalid> {
        const CERTIFICATE: &str = "tls.client_certificate";
        const KEY: &str = "tls.client_key";
        let chain = certificates(CERTIFICATE, &self.certificate)?;
        // What is wrong inside of a key is not told: the text of an error goes to logs.
        let key = PrivateKeyDer::from_pem_slice(self.key.reveal().as_bytes())
            .map_err(|_| Invalid::new(KEY, "is not a private key in PEM (PKCS #8, PKCS #1 or SEC 1, not encrypted)"))?;
        let unfit = |error| match error {
            rustls::Error::InconsistentKeys(_) => Invalid::new(KEY, "does not belong to tls.client_certificate"),
            rustls::Error::InvalidCertificate(_) => Invalid::new(CERTIFICATE, "is not an X.509 certificate"),
            _ => Invalid::new(KEY, "is of a kind that cannot be used: take ECDSA P-256 or P-384, Ed25519 or RSA"),
        };
        CertifiedKey::from_der(chain.clone(), key.clone_key(), &ring::default_provider()).map_err(unfit)?;
        Ok((chain, key))
    }
}

fn certificates(field: &str, pem: &str) -> Result<Vec<CertificateDer<'static>>, Invalid> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(Invalid::new(field, "has no certificate in PEM (-----BEGIN CERTIFICATE-----)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_belongs_to_another_certificate_is_told_from_one_that_cannot_be_used() {
        let made = || rcgen::generate_simple_self_signed(["e.com".to_string()]).expect("a certificate");
        let (one, other) = (made(), made());
        let identity =
            |key: &rcgen::KeyPair| Identity { certificate: one.cert.pem(), key: Secret::new(key.serialize_pem()) };
        assert!(identity(&one.signing_key).read().is_ok());
        let Invalid { field, message } = identity(&other.signing_key).read().expect_err("it is another's");
        assert_eq!((&*field, &*message), ("tls.client_key", "does not belong to tls.client_certificate"));
    }

    #[test]
    fn its_texts_are_bounded_together() {
        let tls = |certificate: &str, key: &str, ca: Option<&str>| Tls {
            ca: ca.map(str::to_string),
            identity: Some(Identity { certificate: certificate.into(), key: Secret::new(key) }),
        };
        assert_eq!(tls("four", "three", Some("ab")).bytes(), 11);
        let refused = |bytes: usize| tls(&"x".repeat(bytes - 1), "y", None).check().expect_err("it is no PEM").field;
        assert_eq!(
            (refused(TLS_BYTES_MAX), refused(TLS_BYTES_MAX + 1)),
            ("tls.client_certificate".into(), "tls".into())
        );
    }
}
