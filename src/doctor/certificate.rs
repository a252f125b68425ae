//! The certificate that the API is served with: whether it can be served, and from when until when it is valid.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::Config;
use crate::domain::finding::{Finding, Severity};
use crate::domain::time::{self, DAY_MS, UnixMs};
use crate::settings;

/// So long before its end somebody should know.
const SOON_MS: u64 = 21 * DAY_MS;

/// What is wrong with it.
pub fn findings(config: &Config, now: UnixMs) -> Vec<Finding> {
    let Some(path) = &config.server.tls_certificate else { return Vec::new() };
    let place = path.display().to_string();
    if let Err(error) = settings::certificate(config) {
        let what = format!("it cannot be served: {error}");
        let remedy = "put the chain and its key where server.tls_certificate and server.tls_key say";
        return vec![Finding::new(Severity::Error, "certificate", what, remedy).at(place)];
    }
    let chain = chain(path);
    chain.into_iter().filter_map(|(from, until)| of_dates(from, until, now)).map(|one| one.at(place.clone())).collect()
}

/// From when until when each certificate of the chain is valid.
fn chain(path: &Path) -> Vec<(UnixMs, UnixMs)> {
    let certificates = CertificateDer::pem_file_iter(path).into_iter().flatten().flatten();
    let dates = certificates.filter_map(|der| {
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        let validity = certificate.validity();
        let ms = |seconds: i64| u64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
        Some((ms(validity.not_before.timestamp()), ms(validity.not_after.timestamp())))
    });
    dates.collect()
}

fn of_dates(from: UnixMs, until: UnixMs, now: UnixMs) -> Option<Finding> {
    let (severity, what) = match () {
        () if now < from => (Severity::Error, format!("a certificate is valid from {} on", time::rfc3339(from))),
        () if now >= until => (Severity::Error, format!("a certificate was valid until {}", time::rfc3339(until))),
        () if now + SOON_MS >= until => {
            (Severity::Warning, format!("a certificate is valid until {}", time::rfc3339(until)))
        }
        () => return None,
    };
    let remedy = "renew it; the server reads the files again at SIGHUP, and whenever they change";
    Some(Finding::new(severity, "certificate", what, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_told_of_before_it_begins_after_it_ends_and_three_weeks_before() {
        let (from, until) = (100 * DAY_MS, 200 * DAY_MS);
        let severity = |day: u64| of_dates(from, until, day * DAY_MS).map(|one| one.severity);
        assert_eq!([99, 100, 178].map(severity), [Some(Severity::Error), None, None]);
        assert_eq!(
            [179, 199, 200].map(severity),
            [Some(Severity::Warning), Some(Severity::Warning), Some(Severity::Error)]
        );
    }

    #[test]
    fn the_dates_are_those_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["a.example".into()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 2);
        params.not_after = rcgen::date_time_ymd(2027, 1, 2);
        let made = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let path = dir.path().join("chain.pem");
        std::fs::write(&path, made.pem()).unwrap();
        let [(from, until)] = chain(&path)[..] else { panic!("there is one") };
        assert_eq!(time::rfc3339(from), "2026-01-02T00:00:00.000Z");
        assert_eq!(time::rfc3339(until), "2027-01-02T00:00:00.000Z");
    }
}
