//! A proxy of a test's own: it tells what it was asked for, and leads everything to one endpoint.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;

/// What a proxy was asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    /// Where to.
    pub goal: String,
    /// Who asked, as `user:password`, or what stood in `Proxy-Authorization`.
    pub login: String,
}

/// How it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// `CONNECT`.
    Http,
    /// SOCKS 5 with a user name and password.
    Socks5,
    /// `CONNECT`, and it refuses.
    Refusal,
}

/// A running proxy. It lives as long as the process.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it is asked.
    pub asked: mpsc::Receiver<Asked>,
}

impl Proxy {
    /// Leads all tunnels to `endpoint`, whatever it is asked for.
    pub fn start(speaks: Speaks, endpoint: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (tell, asked) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (tell, stream) = (tell.clone(), stream.expect("a connection"));
                // An error ends this connection only: a peer that goes away is none of the proxy's business.
                std::thread::spawn(move || drop(serve(stream, speaks, endpoint, &tell)));
            }
        });
        Self { address, asked }
    }
}

fn serve(mut stream: TcpStream, speaks: Speaks, endpoint: SocketAddr, tell: &mpsc::Sender<Asked>) -> io::Result<()> {
    let asked = match speaks {
        Speaks::Socks5 => socks(&mut stream)?,
        Speaks::Http | Speaks::Refusal => connect(&stream)?,
    };
    let told = tell.send(asked);
    let answer: &[u8] = match speaks {
        Speaks::Http => b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n",
        Speaks::Refusal => b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        Speaks::Socks5 => &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0],
    };
    stream.write_all(answer)?;
    if told.is_err() || speaks == Speaks::Refusal {
        return Ok(());
    }
    let inner = TcpStream::connect(endpoint)?;
    let (mut from, mut to) = (stream.try_clone()?, inner.try_clone()?);
    std::thread::spawn(move || {
        // Whichever side ends, the other hears of it below.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (inner, stream);
    io::copy(&mut from, &mut to)?;
    to.shutdown(Shutdown::Both)
}

fn connect(stream: &TcpStream) -> io::Result<Asked> {
    let mut asked = Asked { goal: String::new(), login: String::new() };
    // The head ends where the peer waits: nothing of what is for the endpoint is read here.
    for line in BufReader::with_capacity(4096, stream).lines() {
        let line = line?;
        if let Some(rest) = line.strip_prefix("CONNECT ") {
            asked.goal = rest.split(' ').next().unwrap_or_default().to_owned();
        } else if let Some(rest) = line.strip_prefix("Proxy-Authorization: ") {
            asked.login = rest.to_owned();
        } else if line.is_empty() {
            break;
        }
    }
    Ok(asked)
}

fn socks(stream: &mut TcpStream) -> io::Result<Asked> {
    let mut read = |length: usize| {
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).map(|()| bytes)
    };
    let greeting = read(2)?;
    let methods = read(greeting[1].into())?;
    assert!(methods.contains(&2), "a login is offered");
    let mut answering = stream.try_clone()?;
    answering.write_all(&[5, 2])?;
    let mut read = |length: usize| {
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).map(|()| bytes)
    };
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let user_length = read(2)?[1];
    let user = text(read(user_length.into())?);
    let password_length = read(1)?[0];
    let password = text(read(password_length.into())?);
    answering.write_all(&[1, 0])?;
    let head = read(4)?;
    let host = match head[3] {
        1 => Ipv4Addr::from(<[u8; 4]>::try_from(read(4)?).expect("four")).to_string(),
        4 => Ipv6Addr::from(<[u8; 16]>::try_from(read(16)?).expect("sixteen")).to_string(),
        _ => {
            let length = read(1)?[0];
            text(read(length.into())?)
        }
    };
    let port = read(2)?;
    let port = u16::from_be_bytes([port[0], port[1]]);
    Ok(Asked { goal: format!("{host}:{port}"), login: format!("{user}:{password}") })
}
