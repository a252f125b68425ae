//! An endpoint of a test's own: it hands over what arrives and answers as it is told.

use std::io::{self, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use rustls::{ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::http::{Message, read_message};
use super::tls_endpoint::showing;
use super::{Certified, DEADLINE};

/// A request that arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// Its path.
    pub path: String,
    /// All of it.
    pub message: Message,
    /// What it was answered.
    pub answer: Answer,
    /// Where it came from.
    pub peer: IpAddr,
}

impl Arrived {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.message.header(name)
    }
}

/// How a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// With this status.
    Status(u16),
    /// With 200 and the `challenge` that the request holds, as JSON.
    Challenge,
    /// Not at all: the connection is closed.
    Close,
    /// Not at all: the connection stays open until the peer closes it.
    Hang,
    /// With these bytes, whatever they are; then the connection is closed.
    Bytes(&'static [u8]),
    /// With 200 and a body that ends when the peer has enough.
    Endless,
}

/// A listening endpoint on this machine. Its connections end with their peers; it stops listening when dropped.
pub struct Receiver {
    /// Where it listens.
    pub address: SocketAddr,
    /// What arrives, in the order of each connection.
    pub arrived: mpsc::Receiver<Arrived>,
    scheme: &'static str,
    stopped: Arc<AtomicBool>,
}

impl Receiver {
    /// Answers every request as `answer` says, by path and message.
    pub fn start(answer: impl Fn(&str, &Message) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_by("http", |stream| stream, answer)
    }

    /// The same over TLS, showing `certified`, which is for 127.0.0.1.
    pub fn start_tls(certified: &Certified, answer: impl Fn(&str, &Message) -> Answer + Send + Sync + 'static) -> Self {
        let config = showing(certified, None, rustls::ALL_VERSIONS);
        let over = move |stream| StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
        Self::start_by("https", over, answer)
    }

    fn start_by<S: Read + Write>(
        scheme: &'static str,
        over: impl Fn(TcpStream) -> S + Clone + Send + 'static,
        answer: impl Fn(&str, &Message) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (tell, arrived) = mpsc::channel();
        let (answer, stopped) = (Arc::new(answer), Arc::new(AtomicBool::new(false)));
        let is_stopped = stopped.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if is_stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (answer, tell, over) = (answer.clone(), tell.clone(), over.clone());
                let stream = stream.expect("a connection");
                std::thread::spawn(move || {
                    if let Ok(peer) = stream.peer_addr() {
                        serve(over(stream), peer.ip(), &*answer, &tell);
                    }
                });
            }
        });
        Self { address, arrived, scheme, stopped }
    }

    /// The URL of `path` here.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The next request that arrives.
    #[track_caller]
    pub fn next(&self) -> Arrived {
        self.arrived.recv_timeout(DEADLINE).expect("a request arrives in time")
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that listens; if it is gone already, nothing is lost.
        let _ = TcpStream::connect(self.address);
    }
}

/// Serves one connection. Errors end it: a peer that was killed is what some tests are about.
fn serve(
    stream: impl Read + Write,
    peer: IpAddr,
    answer: &dyn Fn(&str, &Message) -> Answer,
    tell: &mpsc::Sender<Arrived>,
) {
    let mut stream = BufReader::new(stream);
    while let Ok(Some(message)) = read_message(&mut stream) {
        let path = message.start.split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = answer(&path, &message);
        // Told before it is answered: who waits for the answer's effect finds it here already.
        let told = tell.send(Arrived { path, message: message.clone(), answer, peer });
        if told.is_err() || reply(stream.get_mut(), answer, &message).is_err() {
            return;
        }
    }
}

/// Answers. An error ends the connection.
fn reply(stream: &mut (impl Read + Write), answer: Answer, to: &Message) -> io::Result<()> {
    let closed = || Err(io::ErrorKind::ConnectionAborted.into());
    match answer {
        Answer::Status(status) => {
            stream.write_all(format!("HTTP/1.1 {status} Told\r\nContent-Length: 0\r\n\r\n").as_bytes())?;
            stream.flush()
        }
        Answer::Challenge => {
            let asked: Value = serde_json::from_slice(&to.body).unwrap_or_default();
            let body = json!({ "challenge": asked["challenge"] }).to_string();
            stream.write_all(format!("HTTP/1.1 200 Told\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes())
        }
        Answer::Close => closed(),
        // The peer sends nothing more: this ends when it goes.
        Answer::Hang => stream.read(&mut [0]).and_then(|_| closed()),
        Answer::Bytes(bytes) => stream.write_all(bytes).and_then(|()| closed()),
        Answer::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            loop {
                stream.write_all(b"400\r\n")?;
                stream.write_all(&[b'x'; 0x400])?;
                stream.write_all(b"\r\n")?;
            }
        }
    }
}
