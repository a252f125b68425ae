//! A mail server of a test's own: it takes mails by SMTP, hands them over, and answers as it is told. What stays true: what a
//! client sends is read line by line and never guessed.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, mpsc};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::{Certified, DEADLINE};

/// A mail that was taken.
#[derive(Debug)]
pub struct Mail {
    /// The address in `MAIL FROM`.
    pub from: String,
    /// Those in `RCPT TO`.
    pub to: Vec<String>,
    /// Headers and body, lines apart by `\n`.
    pub text: String,
    /// Who logged in, as it was sent.
    pub login: Option<String>,
    /// Whether the connection was encrypted.
    pub encrypted: bool,
}

impl Mail {
    /// A header's value, with what it goes on with on further lines.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.text.split("\n\n").next()?.replace("\n ", " ").replace("\n\t", " ");
        let start = format!("{}:", name.to_ascii_lowercase());
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&start))?.to_owned();
        Some(line[start.len()..].trim().to_owned())
    }

    /// Its body, as it was before it was made fit for mail.
    pub fn body(&self) -> String {
        let (_, body) = self.text.split_once("\n\n").expect("a mail has a body");
        let joined = body.replace("=\n", "");
        let mut bytes = Vec::new();
        let mut rest = joined.as_bytes();
        while let Some((first, more)) = rest.split_first() {
            let code = (*first == b'=').then(|| more.get(..2)).flatten();
            let byte = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
            bytes.push(byte.unwrap_or(*first));
            rest = if byte.is_some() { &more[2..] } else { more };
        }
        String::from_utf8(bytes).expect("it is UTF-8")
    }
}

/// How the connection is encrypted.
#[derive(Clone)]
pub enum Encrypted {
    /// Not at all.
    No,
    /// From the first byte.
    Whole(Arc<ServerConfig>),
    /// Once it is asked for.
    Later(Arc<ServerConfig>),
}

/// What a server with this certificate is set up with.
pub fn config(certified: &Certified) -> Arc<ServerConfig> {
    let chain = vec![CertificateDer::from_pem_slice(certified.certificate.as_bytes()).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).expect("they fit"))
}

/// A listening mail server.
pub struct MailServer {
    /// Its port.
    pub port: u16,
    mails: mpsc::Receiver<Mail>,
}

/// The answer to a command, as it came in, or to nothing yet (an empty one); none: as usual.
pub type Script = Box<dyn FnMut(&str) -> Option<&'static str> + Send>;

impl MailServer {
    /// Starts one that answers by the script.
    pub fn start(encrypted: Encrypted, mut script: Script) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (taken, mails) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                // A client that goes away is the client's matter.
                let _ = talk(stream, &encrypted, &mut script, &taken);
            }
        });
        Self { port, mails }
    }

    /// The next mail that it takes.
    #[track_caller]
    pub fn next(&self) -> Mail {
        self.mails.recv_timeout(DEADLINE).expect("a mail comes")
    }

    /// Those that have come and nobody has looked at.
    pub fn others(&self) -> usize {
        self.mails.try_iter().count()
    }
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

fn tls(stream: TcpStream, config: &Arc<ServerConfig>) -> Box<dyn Stream> {
    Box::new(StreamOwned::new(ServerConnection::new(config.clone()).expect("a session"), stream))
}

fn talk(tcp: TcpStream, encrypted: &Encrypted, script: &mut Script, taken: &mpsc::Sender<Mail>) -> io::Result<()> {
    tcp.set_read_timeout(Some(DEADLINE))?;
    let plain = tcp.try_clone()?;
    let (mut stream, mut is_encrypted): (Box<dyn Stream>, bool) = match encrypted {
        Encrypted::Whole(config) => (tls(tcp, config), true),
        Encrypted::No | Encrypted::Later(_) => (Box::new(tcp), false),
    };
    let (mut from, mut to, mut login) = (String::new(), Vec::new(), None);
    say(&mut stream, script("").unwrap_or("220 mail.test ready"))?;
    loop {
        let line = line(&mut stream)?;
        let command = line.to_ascii_uppercase();
        if let Some(answer) = script(&line) {
            say(&mut stream, answer)?;
        } else if command.starts_with("EHLO") {
            say(&mut stream, "250-mail.test")?;
            if matches!(encrypted, Encrypted::Later(_)) && !is_encrypted {
                say(&mut stream, "250-STARTTLS")?;
            }
            say(&mut stream, "250-8BITMIME\r\n250 AUTH PLAIN")?;
        } else if let (true, Encrypted::Later(config)) = (command == "STARTTLS", encrypted) {
            say(&mut stream, "220 go on")?;
            (stream, is_encrypted) = (tls(plain.try_clone()?, config), true);
        } else if command.starts_with("AUTH PLAIN") {
            login = Some(line["AUTH PLAIN".len()..].trim().to_owned());
            say(&mut stream, "235 welcome")?;
        } else if command.starts_with("MAIL FROM:") {
            from = address(&line);
            say(&mut stream, "250 ok")?;
        } else if command.starts_with("RCPT TO:") {
            to.push(address(&line));
            say(&mut stream, "250 ok")?;
        } else if command == "DATA" {
            say(&mut stream, "354 go on")?;
            let text = data(&mut stream)?;
            let mail = Mail {
                from: std::mem::take(&mut from),
                to: std::mem::take(&mut to),
                text,
                login: login.clone(),
                encrypted: is_encrypted,
            };
            // The test may have seen enough.
            let _ = taken.send(mail);
            say(&mut stream, "250 taken as 42")?;
        } else if command == "QUIT" {
            return say(&mut stream, "221 bye");
        } else {
            say(&mut stream, "500 what?")?;
        }
    }
}

fn address(line: &str) -> String {
    line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(String::new(), |(address, _)| address.into())
}

/// The lines of a mail up to the one that is a dot.
fn data(stream: &mut dyn Stream) -> io::Result<String> {
    let mut text = String::new();
    loop {
        let line = line(stream)?;
        if line == "." {
            return Ok(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push('\n');
    }
}

fn line(stream: &mut dyn Stream) -> io::Result<String> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while stream.read(&mut byte)? == 1 {
        match byte[0] {
            b'\n' => return Ok(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()),
            other => line.push(other),
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

fn say(stream: &mut dyn Stream, text: &str) -> io::Result<()> {
    stream.write_all(format!("{text}\r\n").as_bytes())?;
    stream.flush()
}
