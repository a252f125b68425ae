//! Where the database is and how it is spoken to, as its URL says. What stays true: the password stands in no text that is shown, and
//! nothing leaves this machine unencrypted or to somebody else unless the URL says so.

use std::fmt;
use std::fs;
use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Config, Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

use crate::domain::secret::Secret;

/// A host that does not answer sooner is passed over.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// For all that is said before the first question.
const GREETING: Duration = Duration::from_secs(2);
/// What is sent and not acknowledged for so long: the connection is over.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(5);
/// The port of PostgreSQL, where a URL names none.
const PORT: u16 = 5432;
/// Parameters of the URL that are ours; libpq has the same.
const OURS: [&str; 4] = ["sslmode", "sslrootcert", "sslcert", "sslkey"];

/// A database.
#[derive(Clone)]
pub struct Target {
    /// How it is connected to.
    pub config: Config,
    tls: Tls,
    shown: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tls {
    /// In the clear.
    Off,
    On {
        roots: Option<PathBuf>,
        /// A certificate of our own and its key.
        own: Option<(PathBuf, PathBuf)>,
    },
}

impl Target {
    /// What a URL names. An error is a sentence without the password.
    pub fn parse(url: &Secret) -> Result<Self, String> {
        let parsed = Url::parse(url.reveal()).or_else(|_| Url::parse(&first_host(url.reveal())));
        let parsed = parsed.map_err(|error| format!("it is no URL: {error}"))?;
        if !matches!(parsed.scheme(), "postgres" | "postgresql") {
            return Err(format!("it begins with {}://; write postgres://user@host/database", parsed.scheme()));
        }
        let given = |name: &str| {
            parsed
                .query_pairs()
                .find(|(of, _)| of == name)
                .map(|(_, value)| value.into_owned())
                .filter(|v| !v.is_empty())
        };
        let rest = without_ours(url.reveal());
        // Its own error may quote what it read.
        let mut config = Config::from_str(&rest)
            .map_err(|_| "it is not understood; write postgres://user@host:5432/database?name=value".to_string())?;
        if config.get_hosts().is_empty() {
            return Err("it names no host; write postgres://user@host/database".into());
        }
        if config.get_dbname().is_none() {
            return Err("it names no database; write postgres://user@host/database".into());
        }
        if given("target_session_attrs").is_none() {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNACKNOWLEDGED_MAX);
        }
        if config.get_application_name().is_none() {
            config.application_name("hookwheel");
        }
        let own = match (given("sslcert"), given("sslkey")) {
            (Some(cert), Some(key)) => Some((cert.into(), key.into())),
            (None, None) => None,
            _ => return Err("sslcert and sslkey go together: give both, or neither".into()),
        };
        let on = Tls::On { roots: given("sslrootcert").map(PathBuf::from), own };
        let tls = match given("sslmode").as_deref() {
            Some("disable") => Tls::Off,
            Some("require" | "verify-full") => on,
            None if is_near(&config) => Tls::Off,
            None => on,
            Some(other) => {
                return Err(format!(
                    "sslmode={other} is none that is known here: verify-full or require, both of which check the \
                     certificate, or disable"
                ));
            }
        };
        config.ssl_mode(if tls == Tls::Off { SslMode::Disable } else { SslMode::Require });
        let shown = shown(&config);
        Ok(Self { config, tls, shown })
    }

    /// How long it may take until it is spoken to, by one of its hosts. Who asks for something meanwhile waits for it.
    pub fn patience(&self) -> Duration {
        let each = self.config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        each * self.config.get_hosts().len() as u32 + GREETING
    }

    /// The address from which this machine would ask: nothing is sent for the question.
    pub fn own_ip(&self) -> Option<IpAddr> {
        let ports = self.config.get_ports();
        let port = |n: usize| ports.get(n).or(ports.first()).copied().unwrap_or(PORT);
        let toward = |(n, host): (usize, &Host)| match host {
            Host::Unix(_) => Some(IpAddr::from([127, 0, 0, 1])),
            Host::Tcp(name) => ["0.0.0.0:0", "[::]:0"].into_iter().find_map(|any| {
                let socket = UdpSocket::bind(any).ok()?;
                socket.connect((name.as_str(), port(n))).ok()?;
                socket.local_addr().ok().map(|own| own.ip())
            }),
        };
        self.config.get_hosts().iter().enumerate().find_map(toward)
    }

    /// What makes its connections safe. An error is a sentence.
    pub fn connector(&self) -> Result<MakeRustlsConnect, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = versions.map_err(|error| error.to_string())?;
        let Tls::On { roots, own } = &self.tls else {
            let none = builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
            return Ok(MakeRustlsConnect::new(none));
        };
        let builder = builder.with_root_certificates(match roots {
            Some(path) => roots_in(path)?,
            None => known_roots(),
        });
        let client = match own {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let read = |path: &PathBuf, error| format!("{} cannot be read: {error}", path.display());
                let pem = fs::read(cert).map_err(|error| read(cert, error))?;
                let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
                let chain = chain.map_err(|error| format!("{} is no certificate in PEM: {error}", cert.display()))?;
                let pem = zeroize::Zeroizing::new(fs::read(key).map_err(|error| read(key, error))?);
                let own_key = PrivateKeyDer::from_pem_slice(&pem);
                let own_key = own_key.map_err(|error| format!("{} is no key in PEM: {error}", key.display()))?;
                builder.with_client_auth_cert(chain, own_key).map_err(|error| format!("{}: {error}", cert.display()))?
            }
        };
        Ok(MakeRustlsConnect::new(client))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Without its password.
fn shown(config: &Config) -> String {
    let hosts: Vec<String> = config.get_hosts().iter().map(host).collect();
    let user = config.get_user().map(|user| format!("{user}@")).unwrap_or_default();
    format!("postgres://{user}{}/{}", hosts.join(","), config.get_dbname().unwrap_or_default())
}

fn host(host: &Host) -> String {
    match host {
        Host::Tcp(host) => host.clone(),
        Host::Unix(path) => path.display().to_string(),
    }
}

/// A URL with several hosts, which others than libpq do not read: with the first of them.
fn first_host(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let first = authority.split_once(',').map_or(authority, |(first, _)| first);
    format!("{scheme}://{first}{path}")
}

/// Without the parameters that others do not know.
fn without_ours(url: &str) -> String {
    let Some((before, query)) = url.split_once('?') else { return url.to_owned() };
    let is_ours = |pair: &&str| OURS.contains(&pair.split_once('=').map_or(*pair, |(name, _)| name));
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_ours(pair)).collect();
    if kept.is_empty() { before.to_owned() } else { format!("{before}?{}", kept.join("&")) }
}

/// Whether nothing leaves this machine.
fn is_near(config: &Config) -> bool {
    let is_loopback = |name: &str| name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => is_loopback(name),
    }) && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

/// Those of a file alone.
fn roots_in(path: &PathBuf) -> Result<RootCertStore, String> {
    let pem = fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| format!("{} is no PEM: {error}", path.display()))?;
        roots.add(certificate).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if roots.is_empty() { Err(format!("{} has no certificate", path.display())) } else { Ok(roots) }
}

/// The machine's, and those that browsers know.
fn known_roots() -> RootCertStore {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<Target, String> {
        Target::parse(&Secret::new(url))
    }

    #[test]
    fn a_node_asks_from_the_address_that_is_on_the_way() {
        let own_ip = |url| parsed(url).unwrap().own_ip();
        assert_eq!(own_ip("postgres://u@127.0.0.1:6432/d"), Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(own_ip("postgres://u@%2Frun%2Fpostgresql/d"), Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(own_ip("postgres://u@[::1]/d"), "::1".parse().ok());
    }

    #[test]
    fn a_url_says_where_and_how() {
        let target =
            parsed("postgres://hook:hush@a.example,b.example:6432/wheel?sslmode=verify-full&connect_timeout=9")
                .unwrap();
        assert_eq!(target.to_string(), "postgres://hook@a.example,b.example/wheel");
        assert!(!format!("{target:?}").contains("hush"));
        assert_eq!((target.config.get_hosts().len(), target.config.get_ports()), (2, &[5432, 6432][..]));
        assert_eq!(target.config.get_connect_timeout(), Some(&Duration::from_secs(9)));
        assert_eq!(target.patience(), Duration::from_secs(2 * 9 + 2), "each host may be gone");
        assert_eq!(target.config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(target.config.get_password(), Some(&b"hush"[..]));
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted_unless_the_url_says_otherwise() {
        let tls = |url| parsed(url).unwrap().tls;
        let on = Tls::On { roots: None, own: None };
        assert_eq!(tls("postgres://u@db.example/d"), on);
        assert_eq!(tls("postgres://u@db.example/d?sslmode=require"), on);
        assert_eq!(tls("postgres://u@db.example/d?sslmode=disable"), Tls::Off);
        assert_eq!(tls("postgres://u@127.0.0.1,[::1]/d"), Tls::Off);
        assert_eq!(tls("postgres://u@127.0.0.1,db.example/d"), on);
        assert_eq!(tls("postgres://u@%2Fvar%2Frun%2Fpostgresql/d"), Tls::Off);
        let own = Tls::On { roots: Some("/ca.pem".into()), own: Some(("/c".into(), "/k".into())) };
        assert_eq!(tls("postgres://u@localhost/d?sslmode=verify-full&sslrootcert=/ca.pem&sslcert=/c&sslkey=/k"), own);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, why) in [
            ("mysql://u:hush@h/d", "it begins with mysql://"),
            ("u:hush@h", "it begins with u://"),
            ("postgres://u:hush@/d", "it is no URL: empty host"),
            ("postgres:///d", "it names no host"),
            ("postgres://u:hush@h", "it names no database"),
            ("postgres://u:hush@h/d?sslmode=prefer", "sslmode=prefer is none that is known here"),
            ("postgres://u:hush@h/d?sslcert=/c", "sslcert and sslkey go together"),
            ("postgres://u:hush@h/d?colour=hush", "it is not understood"),
        ] {
            let refused = parsed(url).expect_err(url);
            assert!(refused.starts_with(why), "{url}: {refused}");
            assert!(!refused.contains("hush"), "{refused}");
        }
    }

    #[test]
    fn certificates_that_cannot_be_read_are_named() {
        let missing = parsed("postgres://u@h/d?sslrootcert=/no/such.pem").unwrap().connector().err().unwrap();
        assert!(missing.starts_with("/no/such.pem cannot be read"), "{missing}");
        assert!(parsed("postgres://u@h/d").unwrap().connector().is_ok());
    }
}
