//! Real proxies, made from what the guide prints: only addresses, ports and files are put in the place of those in it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::support::raw::Raw;
use crate::support::{Authority, Certified, prepared};

const PAGE: &str = include_str!("../../src/docs/guide/behind-a-proxy.md");
/// The name in it.
pub const NAME: &str = "hooks.example.com";
/// Where the server is in it.
pub const SERVER: &str = "127.0.0.1:7080";
/// From where the proxy's clients come.
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 77);

/// The code of the page in this language, in order.
pub fn printed(language: &str) -> Vec<&'static str> {
    let code = PAGE.split("\n```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    code.filter(|(of, _)| *of == language).map(|(_, text)| text).collect()
}

/// A text with other words in the place of some, each of which must be there.
#[track_caller]
pub fn put_in(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "no {from:?} in {text}");
        text.replace(from, to)
    })
}

/// Who vouches for the name, and files in a folder with a certificate of it.
pub struct Named {
    authority: Authority,
    pub certificate: String,
    pub key: String,
}

impl Named {
    pub fn new(dir: &Path) -> Self {
        let authority = Authority::new();
        let Certified { certificate, key } = authority.certify(NAME, |_| {});
        let write = |name: &str, text: String| {
            let file = dir.join(name);
            std::fs::write(&file, text).expect("it can be written");
            file.to_str().expect("a path").to_owned()
        };
        let (certificate, key) = (write("certificate.pem", certificate), write("key.pem", key));
        Self { authority, certificate, key }
    }
}

/// A proxy that runs. It is killed when dropped.
pub struct Front {
    process: Child,
    address: SocketAddr,
    trusting: Arc<ClientConfig>,
}

/// A conversation over TLS.
pub type Secured = BufReader<StreamOwned<ClientConnection, TcpStream>>;

impl Front {
    /// One that listens there and says so in a line with `says`.
    fn start(mut command: Command, port: u16, says: &str, named: &Named) -> Self {
        let mut process =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(process.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
        let mut said = Vec::new();
        let is_up = lines.by_ref().inspect(|line| said.push(line.clone())).any(|line| line.contains(says));
        assert!(is_up, "{command:?}: {}", said.join("\n"));
        // What it says is read on, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let client = ClientConfig::builder_with_provider(ring::default_provider().into());
        let client = client.with_safe_default_protocol_versions().expect("known versions");
        let trusting = client.with_root_certificates(named.authority.roots()).with_no_client_auth();
        Self { process, address: (Ipv4Addr::LOCALHOST, port).into(), trusting: trusting.into() }
    }

    /// nginx by this configuration, beside what concerns the machine.
    pub fn nginx(dir: &Path, recipe: &str, port: u16, named: &Named) -> Option<Self> {
        let parts = ["nginx/usr/sbin/nginx", "nginx/usr/lib/nginx/modules/ngx_stream_module.so"];
        let env = prepared("nginx before the server", &parts)?;
        let module = env.join(parts[1]);
        let of_machine = format!(
            "daemon off;\nmaster_process off;\npid {0}/nginx.pid;\nload_module {1};\nevents {{}}\n",
            dir.display(),
            module.display()
        );
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|kind| format!("{kind}_temp_path {}/{kind};\n", dir.display())).concat();
        let recipe = match recipe.trim_start().starts_with("stream") {
            true => recipe.to_owned(),
            false => format!("http {{\naccess_log off;\n{temporary}{recipe}}}\n"),
        };
        let file = dir.join("nginx.conf");
        std::fs::write(&file, of_machine + &recipe).expect("it can be written");
        let mut command = Command::new(env.join(parts[0]));
        command.arg("-p").arg(dir).arg("-c").arg(&file).args(["-e", "stderr", "-g", "error_log stderr notice;"]);
        Some(Self::start(command, port, "getrlimit", named))
    }

    /// Caddy by this one.
    pub fn caddy(dir: &Path, recipe: &str, port: u16, named: &Named) -> Option<Self> {
        let program: PathBuf =
            prepared("Caddy before the server", &["caddy/usr/bin/caddy"])?.join("caddy/usr/bin/caddy");
        let file = dir.join("Caddyfile");
        std::fs::write(&file, format!("{{\n    admin off\n    auto_https off\n}}\n{recipe}"))
            .expect("it can be written");
        let mut command = Command::new(program);
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
        command.env("HOME", dir).env("XDG_DATA_HOME", dir).env("XDG_CONFIG_HOME", dir);
        Some(Self::start(command, port, "serving initial configuration", named))
    }

    /// Connects and sends a head and a body; the reply is read by the caller.
    pub fn say(&self, head: &str, body: &[u8]) -> Secured {
        let Raw(stream) = Raw::connect_from(CLIENT, self.address);
        let name = NAME.try_into().expect("a name");
        let mut secured =
            StreamOwned::new(ClientConnection::new(self.trusting.clone(), name).expect("a client"), stream);
        secured.write_all(format!("{head}\r\n").as_bytes()).expect("it reads");
        // It may answer before all of it was sent.
        let _ = secured.write_all(body);
        BufReader::new(secured)
    }

    /// Says it, and hears all that comes.
    pub fn ask(&self, head: &str, body: &[u8]) -> String {
        let (mut reply, mut said) = (Vec::new(), self.say(&format!("{head}Connection: close\r\n"), body));
        // The end of TLS need not be told.
        let _ = said.read_to_end(&mut reply);
        String::from_utf8_lossy(&reply).into_owned()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody has.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port").local_addr().expect("bound").port()
}
