//! nginx and Caddy, from Debian, before a server. What stays true: their configuration is what stands in the guide, but for ports,
//! paths and how long the proxy waits; and both are ended with the test.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::ring;

use crate::support::process::{Ended, KEY};
use crate::support::{Authority, Client, Running, Server, prepared};

const PAGE: &str = include_str!("../../src/docs/guide/behind-a-proxy.md");
/// The name in it.
pub const NAME: &str = "hooks.example.com";
/// Where proxies and servers listen, since no other test takes a port here. Connections to there come from 127.0.0.1.
const HERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 77);

/// The programs of `tests/env`, and what the second of nginx's packages adds.
const NGINX: &str = "nginx/usr/sbin/nginx";
const STREAM: &str = "nginx-stream/usr/lib/nginx/modules/ngx_stream_module.so";
const CADDY: &str = "caddy/usr/bin/caddy";

/// A proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    /// It hands connections on as they are; TLS is the server's.
    Stream,
    Caddy,
}

/// How one gets to it.
#[derive(Clone)]
pub struct Front {
    /// Where it listens.
    pub address: SocketAddr,
    /// How its clients trust it.
    pub tls: Arc<ClientConfig>,
}

/// A server behind one.
pub struct Behind {
    pub front: Front,
    /// Where the server listens.
    pub address: SocketAddr,
    server: Option<Running>,
    _proxy: Running,
    dir: tempfile::TempDir,
}

impl Behind {
    /// Starts both, with these lines behind the page's configuration of the server; `None` if the proxy is not here.
    pub fn start(kind: Kind, more: &str) -> Option<Self> {
        let parts: &[&str] = match kind {
            Kind::Nginx => &[NGINX],
            Kind::Stream => &[NGINX, STREAM],
            Kind::Caddy => &[CADDY],
        };
        let env = prepared(&format!("a server behind a proxy: {kind:?}"), parts)?;
        let dir = tempfile::tempdir().expect("a folder");
        let (at, address) = (dir.path(), free());
        let tls = certified(at);
        let config = match kind {
            Kind::Stream => with_certificate(&printed("toml", "proxy_protocol"), at),
            Kind::Nginx | Kind::Caddy => printed("toml", ""),
        };
        fs::write(at.join("config.toml"), format!("{config}\n{more}")).expect("written");
        let server = Some(serve(at, address, &[]));
        let front = Front { address: free(), tls };
        let proxy = before(kind, &env, at, front.address.port(), address);
        Some(Self { front, address, server, _proxy: proxy, dir })
    }

    /// A client that goes past the proxy.
    pub fn client(&self) -> Client {
        Client::new(self.address, KEY)
    }

    /// The next line of the server that holds this.
    #[track_caller]
    pub fn line(&mut self, part: &str) -> String {
        self.server.as_mut().expect("it runs").line(part)
    }

    /// Stops the server.
    #[track_caller]
    pub fn stop(&mut self) {
        end(self.server.take().expect("it runs").terminate());
    }

    /// Starts it anew.
    pub fn restart(&mut self) {
        self.server = Some(serve(self.dir.path(), self.address, &[]));
    }

    /// Puts another server in the place of the one that runs.
    pub fn take_over(&mut self) {
        let next = serve(self.dir.path(), self.address, &["--take-over"]);
        end(self.server.replace(next).expect("it ran").end());
    }
}

#[track_caller]
fn end(ended: Ended) {
    assert!(ended.status.success(), "{}", ended.output);
}

fn serve(dir: &Path, at: SocketAddr, more: &[&str]) -> Running {
    let at = at.to_string();
    let arguments = [&["--config", "config.toml", "serve"], more].concat();
    let mut server = Server::run(dir, &arguments, &[("HOOKWHEEL__SERVER__LISTEN", &at)]);
    server.line(" listens on http");
    server
}

/// Writes a certificate for the name, and its key. How a client trusts it.
fn certified(dir: &Path) -> Arc<ClientConfig> {
    let authority = Authority::new();
    let own = authority.certify(NAME, |_| {});
    fs::write(dir.join("front.pem"), own.certificate).expect("written");
    fs::write(dir.join("front.key"), own.key).expect("written");
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let tls = tls.with_safe_default_protocol_versions().expect("known versions");
    Arc::new(tls.with_root_certificates(authority.roots()).with_no_client_auth())
}

/// Starts the proxy before a server, and waits until it listens on this port.
fn before(kind: Kind, env: &Path, dir: &Path, port: u16, server: SocketAddr) -> Running {
    let (name, text) = match kind {
        Kind::Nginx => ("nginx.conf", nginx(dir, port, server)),
        Kind::Stream => ("nginx.conf", stream(&env.join(STREAM), dir, port, server)),
        Kind::Caddy => ("Caddyfile", caddy(dir, port, server)),
    };
    fs::write(dir.join(name), text).expect("written");
    let (program, arguments, listens): (_, &[&str], _) = match kind {
        Kind::Nginx | Kind::Stream => (NGINX, &["-p", ".", "-c", name], "using the \""),
        Kind::Caddy => (CADDY, &["run", "--adapter", "caddyfile", "--config", name], "serving initial configuration"),
    };
    let mut command = Command::new(env.join(program));
    command.env("HOME", dir).env("XDG_DATA_HOME", dir);
    let mut proxy = Running::start_by(command, Stdio::null(), dir, arguments, &[]);
    proxy.line(listens);
    proxy
}

/// What Debian's `nginx.conf` puts around a file of `conf.d`, in one process and with all of its files here.
fn nginx(dir: &Path, port: u16, server: SocketAddr) -> String {
    let at = dir.display();
    let recipe = changed(&here(&printed("nginx", ""), port, server), &[("read_timeout 60s", "read_timeout 5s")]);
    let recipe = with_certificate(&recipe, dir);
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("    {what}_temp_path {at}/{what};\n"))
        .concat();
    format!("{}http {{\n    access_log off;\n{temporary}{recipe}\n}}\n", one_process(dir))
}

/// The same for what stands beside `http`, with the module that Debian loads.
fn stream(module: &Path, dir: &Path, port: u16, server: SocketAddr) -> String {
    let recipe = here(&printed("nginx", "stream {"), port, server);
    format!("load_module {};\n{}{recipe}\n", module.display(), one_process(dir))
}

fn one_process(dir: &Path) -> String {
    let pid = dir.join("nginx.pid");
    format!("daemon off;\nmaster_process off;\npid {};\nerror_log stderr notice;\nevents {{}}\n", pid.display())
}

/// A recipe of nginx with these ports.
fn here(recipe: &str, port: u16, server: SocketAddr) -> String {
    // IPv6 may not be there.
    let (front, other) = (format!("listen {HERE}:{port}"), format!("listen 127.0.0.78:{port}"));
    let server = server.to_string();
    changed(recipe, &[("127.0.0.1:7080", &server), ("listen 443", &front), ("listen [::]:443", &other)])
}

fn with_certificate(recipe: &str, dir: &Path) -> String {
    let [certificate, key] = ["front.pem", "front.key"].map(|name| dir.join(name).display().to_string());
    let keys = ("/etc/ssl/private/hooks.example.com.key", key.as_str());
    changed(recipe, &[keys, ("/etc/ssl/hooks.example.com.pem", &certificate)])
}

/// The recipe with a certificate that is there, instead of one that comes by itself.
fn caddy(dir: &Path, port: u16, server: SocketAddr) -> String {
    let (at, server) = (dir.display(), server.to_string());
    let site = format!("{NAME} {{");
    let certified = format!("{site}\n\ttls {at}/front.pem {at}/front.key");
    let pairs = [("127.0.0.1:7080", server.as_str()), (&site, &certified)];
    let recipe = changed(&printed("caddy", ""), &pairs);
    let global = format!("admin off\n\tauto_https disable_redirects\n\thttps_port {port}\n\tdefault_bind {HERE}");
    format!("{{\n\t{global}\n}}\n{recipe}\n")
}

/// The first code of the page that is in this language and holds that.
fn printed(language: &str, part: &str) -> String {
    let start = format!("\n```{language}\n");
    let all = PAGE.split(&start).skip(1).filter_map(|rest| rest.split("\n```").next());
    let mut holding = all.filter(|code| code.contains(part));
    holding.next().expect("the page has it").to_owned()
}

/// A text with each of these in the other's place; all of them stand in it.
fn changed(text: &str, pairs: &[(&str, &str)]) -> String {
    pairs.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "no {from:?} in {text}");
        text.replace(from, to)
    })
}

/// A port that is free.
fn free() -> SocketAddr {
    let listener = TcpListener::bind((HERE, 0)).expect("a free port");
    listener.local_addr().expect("bound")
}
