//! Somebody at 127.0.0.9 who asks over TLS, each time on a new connection.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use serde_json::Value;

use crate::front::{Front, NAME};
use crate::support::DEADLINE;
use crate::support::http::{Message, Reply, read_message};
use crate::support::process::KEY;

/// What comes back.
pub type Connection = BufReader<StreamOwned<ClientConnection, TcpStream>>;

/// A request. It shows the admin key, except where it sends a form or has a cookie.
pub struct Asking {
    start: String,
    host: String,
    headers: String,
    body: Vec<u8>,
    content_type: &'static str,
}

impl Asking {
    pub fn new(method: &str, path: &str) -> Self {
        let start = format!("{method} {path} HTTP/1.1");
        Self {
            start,
            host: NAME.to_owned(),
            headers: String::new(),
            body: Vec::new(),
            content_type: "application/json",
        }
    }

    /// The same under another name, at the same proxy.
    pub fn to(self, host: &str) -> Self {
        Self { host: host.to_owned(), ..self }
    }

    /// The same with these lines of headers.
    pub fn with(self, headers: &str) -> Self {
        Self { headers: self.headers + headers, ..self }
    }

    /// The same with this JSON.
    pub fn json(self, body: &Value) -> Self {
        Self { body: body.to_string().into_bytes(), ..self }
    }

    /// The same with a form.
    pub fn form(self, body: &str) -> Self {
        Self { body: body.as_bytes().to_vec(), content_type: "application/x-www-form-urlencoded", ..self }
    }

    /// The reply.
    #[track_caller]
    pub fn of(self, front: &Front) -> Reply {
        Self::reply(self.sent(front))
    }

    /// The reply to what was sent.
    #[track_caller]
    pub fn reply(mut connection: Connection) -> Reply {
        let message = read_message(&mut connection).expect("it is not broken off").expect("a reply");
        Reply { status: status(&message.start), message }
    }

    /// What comes behind the status line, which says 200.
    #[track_caller]
    pub fn begin(self, front: &Front) -> Connection {
        let mut connection = self.sent(front);
        assert_eq!(status(&line(&mut connection)), 200);
        connection
    }

    /// Sends it.
    pub fn sent(self, front: &Front) -> Connection {
        let name = ServerName::try_from(NAME).expect("a name");
        let tls = ClientConnection::new(front.tls.clone(), name).expect("a client");
        let mut stream = StreamOwned::new(tls, from_elsewhere(front.address).expect("the proxy listens"));
        let key = match self.content_type == "application/json" && !self.headers.contains("Cookie: ") {
            true => format!("Authorization: Bearer {KEY}\r\n"),
            false => String::new(),
        };
        let head = format!(
            "{}\r\nHost: {}\r\nConnection: close\r\n{key}{}Content-Type: {}\r\nContent-Length: {}\r\n\r\n",
            self.start,
            self.host,
            self.headers,
            self.content_type,
            self.body.len()
        );
        // An error means that the proxy takes no more: then it has answered already.
        let _ = stream.write_all(&[head.as_bytes(), &self.body].concat());
        BufReader::new(stream)
    }
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.message.body).into_owned()
    }

    /// Each value of a header.
    pub fn header_values(&self, name: &str) -> Vec<&str> {
        let Message { headers, .. } = &self.message;
        headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    }
}

/// The first line that begins so.
#[track_caller]
pub fn until(connection: &mut Connection, start: &str) -> String {
    std::iter::repeat_with(|| line(connection)).find(|line| line.starts_with(start)).expect("it never ends")
}

#[track_caller]
fn line(connection: &mut Connection) -> String {
    let mut line = String::new();
    assert!(connection.read_line(&mut line).expect("it is not broken off") > 0, "it goes on");
    line.trim_end().to_owned()
}

fn status(start: &str) -> u16 {
    start.split(' ').nth(1).and_then(|text| text.parse().ok()).expect("a status")
}

/// A connection from the client's own address.
fn from_elsewhere(to: SocketAddr) -> io::Result<TcpStream> {
    let opened = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&opened, &SocketAddr::from(([127, 0, 0, 9], 0)))?;
    connect(&opened, &to)?;
    let stream = TcpStream::from(opened);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    Ok(stream)
}
