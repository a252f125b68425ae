//! A server of the command's own, where none runs yet: this binary, an empty store, a key of its own. It ends with the command, and
//! what it wrote goes.

use std::net::IpAddr;

use awc::http::Method;
use url::{Host, Url};

use crate::cli::error::CliError;
use crate::cli::server::ServerArgs;
use crate::cli::started::{Folder, Started, this_program};
use crate::client::{self, Call};
use crate::clock::Dice;

/// The running server.
pub struct OwnServer {
    /// How to talk to it.
    pub server: ServerArgs,
    // Before the folder: it ends first.
    _process: Started,
    _folder: Folder,
}

impl OwnServer {
    /// One at the address that was asked for; `None` where a server answers there, or could not be started there since it is no
    /// address of this machine.
    pub async fn where_none_runs(wanted: &ServerArgs) -> Result<Option<Self>, CliError> {
        let call = Call { method: Method::GET, path: "/health/ready", headers: Vec::new(), body: None };
        let asked = wanted.client()?.call(&call).await;
        let Some(listen) = loopback(&wanted.url) else { return Ok(None) };
        if !matches!(asked, Err(client::Error::Unreachable { .. })) {
            return Ok(None);
        }
        let folder = Folder::make(std::env::temp_dir(), "listen")?;
        let key = format!("listen-{:016x}{:016x}", Dice::from_system().bits(), Dice::from_system().bits());
        let server = ServerArgs { key: Some(key.clone()), ..wanted.clone() };
        let mut command = this_program()?;
        command
            .args(["serve", "--dev"])
            // Not where somebody keeps a config.toml.
            .current_dir(&folder.0)
            .env("HOOKWHEEL__SERVER__LISTEN", listen)
            .env("HOOKWHEEL__STORE__PATH", folder.0.join("data"))
            .env("HOOKWHEEL__AUTH__ADMIN_KEY", &key)
            .env("HOOKWHEEL__LOG__LEVEL", "warn");
        let (process, _) = Started::start(&mut command, &server).await?;
        Ok(Some(Self { server, _process: process, _folder: folder }))
    }
}

/// Address and port of a URL that leads to this machine, in the clear.
fn loopback(url: &str) -> Option<String> {
    let url = Url::parse(url).ok().filter(|url| url.scheme() == "http")?;
    let ip: IpAddr = match url.host()? {
        Host::Ipv4(ip) => ip.into(),
        Host::Ipv6(ip) => ip.into(),
        Host::Domain("localhost") => [127, 0, 0, 1].into(),
        Host::Domain(_) => return None,
    };
    ip.is_loopback().then(|| std::net::SocketAddr::new(ip, url.port_or_known_default().unwrap_or(80)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_on_this_machine_and_in_the_clear_is_one_started() {
        assert_eq!(loopback("http://127.0.0.1:7080").as_deref(), Some("127.0.0.1:7080"));
        assert_eq!(loopback("http://localhost").as_deref(), Some("127.0.0.1:80"));
        assert_eq!(loopback("http://[::1]:1/").as_deref(), Some("[::1]:1"));
        for elsewhere in ["https://127.0.0.1:7080", "http://192.0.2.1", "http://example.com", "no"] {
            assert_eq!(loopback(elsewhere), None, "{elsewhere}");
        }
    }
}
