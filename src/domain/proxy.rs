//! The proxy that outgoing connections go through, as the operator writes it. Its password cannot print itself.

use std::fmt;

use url::Url;

use super::secret::Secret;

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `CONNECT` of HTTP/1.1 (RFC 9110).
    Http,
    /// SOCKS 5 (RFC 1928), with a user name and password if there are some (RFC 1929).
    Socks5,
}

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// A name or an address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Who it is asked as.
    pub login: Option<(String, Secret)>,
}

impl Proxy {
    /// Reads `http://user:password@host:port` or `socks5://…`. An error never holds the text: it has a password.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "is not a URL")?;
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "socks5" => Scheme::Socks5,
            _ => return Err("must start with http:// or socks5://"),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err("must end after the port");
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("has no host")?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_string();
        // `url` leaves out the port that a scheme means: 80 was written, or none.
        let port = url.port_or_known_default().ok_or("has no port")?;
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => Some((decoded(user)?, Secret::new(decoded(password.unwrap_or_default())?))),
        };
        match &login {
            Some((user, password)) if scheme == Scheme::Socks5 => {
                let fits = |text: &str| (1..=255).contains(&text.len());
                if !fits(user) || !fits(password.reveal()) {
                    return Err("must have a user name and a password of 1 to 255 bytes, or neither");
                }
            }
            Some((user, _)) if user.contains(':') => return Err("must not have a colon in the user name"),
            _ => {}
        }
        Ok(Self { scheme, host, port, login })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Percent-decodes a user name or password.
fn decoded(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "must have a user name and password in UTF-8, percent-encoded where they hold :, /, @ or %";
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or(WRONG);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| WRONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_and_never_shows_its_password() {
        let proxy = Proxy::parse("http://us%40er:p%3Aw@proxy.example:3128").unwrap();
        assert_eq!((proxy.scheme, proxy.to_string()), (Scheme::Http, "proxy.example:3128".into()));
        let (user, password) = proxy.login.clone().unwrap();
        assert_eq!((user.as_str(), password.reveal()), ("us@er", "p:w"));
        assert!(!format!("{proxy:?}{proxy}").contains("p:w"));
        assert_eq!(Proxy::parse("socks5://[::1]:1080").unwrap().to_string(), "[::1]:1080");
        assert_eq!(Proxy::parse("http://proxy").unwrap().port, 80);
        for wrong in [
            "",
            "proxy:3128",
            "https://proxy:1",
            "socks5://proxy",
            "socks5://user@proxy:1",
            "http://p:1/x",
            "http://a%3Ab:c@p:1",
            "http://%zz:c@p:1",
        ] {
            assert!(Proxy::parse(wrong).is_err(), "{wrong}");
        }
    }
}
