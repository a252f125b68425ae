//! Just enough HTTP/1.1 for a test: messages that say how long they are, or come in chunks, on a connection that stays open.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use hookwheel::clock::Stopwatch;
use serde_json::Value;

use super::DEADLINE;
use super::contract::Exchange;

/// What is longer is not held against the document: it is long for the sake of its length.
const CHECKED_BYTES_MAX: usize = 256 * 1024;

/// A message, request or response.
#[derive(Debug, Clone)]
pub struct Message {
    /// The first line.
    pub start: String,
    /// The headers as they came.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte.
    pub body: Vec<u8>,
}

impl Message {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Reads one message; `None` if the peer closed before it began.
pub fn read_message(from: &mut impl BufRead) -> io::Result<Option<Message>> {
    let Some(start) = read_line(from)? else { return Ok(None) };
    let mut message = Message { start, headers: Vec::new(), body: Vec::new() };
    loop {
        let line = read_line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let Some((name, value)) = line.split_once(':') else { break };
        message.headers.push((name.to_owned(), value.trim().to_owned()));
    }
    if message.header("transfer-encoding").is_some() {
        read_chunks(from, &mut message.body)?;
        return Ok(Some(message));
    }
    let length = message.header("content-length").map_or(0, |text| text.parse().expect("a length"));
    message.body.resize(length, 0);
    from.read_exact(&mut message.body)?;
    Ok(Some(message))
}

/// Chunks without extensions, to the last one, which has no trailers.
fn read_chunks(from: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    let line = |from: &mut _| read_line(from)?.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof));
    loop {
        let length = usize::from_str_radix(&line(from)?, 16).expect("the length of a chunk");
        let start = body.len();
        body.resize(start + length, 0);
        from.read_exact(&mut body[start..])?;
        assert_eq!(line(from)?, "", "a chunk, and the last one, ends with a line");
        if length == 0 {
            return Ok(());
        }
    }
}

/// A line without its end; `None` if there is none.
fn read_line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    match line.strip_suffix(b"\r\n") {
        Some(line) => Ok(Some(String::from_utf8_lossy(line).into_owned())),
        None if line.is_empty() => Ok(None),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// A response.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// All of it.
    pub message: Message,
}

impl Reply {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.message.body).unwrap_or_default()
    }

    /// Asserts the status and gives `data`.
    #[track_caller]
    pub fn data(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.message.body));
        self.json()["data"].take()
    }
}

/// A client of the API on one connection, opened when it is needed.
pub struct Client {
    address: SocketAddr,
    key: String,
    account: Option<String>,
    /// Lines of headers that it sends besides.
    more: String,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    /// A client that shows `key`.
    pub fn new(address: SocketAddr, key: &str) -> Self {
        Self { address, key: key.to_owned(), account: None, more: String::new(), connection: None }
    }

    /// The same client that sends this header too.
    pub fn with_header(self, name: &str, value: &str) -> Self {
        Self { more: format!("{}{name}: {value}\r\n", self.more), ..self }
    }

    /// The same client acting for this account; its key must be an admin's.
    pub fn acting_for(self, account: &str) -> Self {
        Self { account: Some(account.to_owned()), ..self }
    }

    /// The key that it shows.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Makes one request. An error says that the reply did not come; whether the server took the request is unknown.
    pub fn try_request(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<Reply> {
        let reply = self.exchange(method, path, body);
        if reply.is_err() {
            self.connection = None;
        }
        reply
    }

    /// Makes one request to a server that must answer.
    pub fn request(&mut self, method: &str, path: &str, body: &[u8]) -> Reply {
        self.try_request(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Asks for the readiness, on this connection, until it answers so.
    #[track_caller]
    pub fn until_ready_says(&mut self, status: u16) -> Value {
        let watch = Stopwatch::start();
        loop {
            let reply = self.get("/health/ready");
            if reply.status == status {
                return reply.json();
            }
            assert!(watch.elapsed() < DEADLINE, "it does not say {status}: {}", reply.json());
            std::thread::yield_now();
        }
    }

    /// Reads something.
    pub fn get(&mut self, path: &str) -> Reply {
        self.request("GET", path, b"")
    }

    /// Posts JSON.
    pub fn post(&mut self, path: &str, body: &Value) -> Reply {
        self.request("POST", path, body.to_string().as_bytes())
    }

    fn exchange(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<Reply> {
        let (address, key, more) = (self.address, &self.key, &self.more);
        let connection = match &mut self.connection {
            Some(open) => open,
            None => self.connection.insert(connect(address)?),
        };
        let account = self.account.as_ref().map_or(String::new(), |id| format!("Hookwheel-Account: {id}\r\n"));
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n{account}{more}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        connection.get_mut().write_all(&request)?;
        let message = read_message(connection)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = message.start.split(' ').nth(1).and_then(|text| text.parse().ok()).expect("a status");
        if message.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            self.connection = None;
        }
        let (content_type, told) = ("application/json", &message.body[..]);
        let told_type = message.header("content-type").unwrap_or_default();
        let exchange = Exchange { method, path, content_type, asked: body, status, told_type, told };
        exchange.note();
        if body.len().max(told.len()) < CHECKED_BYTES_MAX {
            exchange.check();
        }
        Ok(Reply { status, message })
    }
}

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    Ok(BufReader::new(stream))
}
