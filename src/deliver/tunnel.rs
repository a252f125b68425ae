//! Tunnels through a proxy. What stays true: the proxy is asked for exactly what it is given here, and what went wrong
//! says that it was the proxy.

use std::net::SocketAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;
use tokio_socks::{Error, IntoTargetAddr, TargetAddr};

use crate::domain::proxy::{Proxy, Scheme};

/// How much a proxy may say before the tunnel is there, in bytes.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Headers that it may say it in.
const HEADERS_MAX: usize = 64;

/// Where a tunnel leads.
#[derive(Debug, Clone, Copy)]
pub enum Goal<'a> {
    /// An address that was checked.
    Address(SocketAddr),
    /// A name that the proxy is to resolve, and a port.
    Name(&'a str, u16),
}

/// Opens a tunnel over a connection to the proxy. The error goes on after "the proxy".
pub async fn open(stream: TcpStream, proxy: &Proxy, goal: Goal<'_>) -> Result<TcpStream, String> {
    match proxy.scheme {
        Scheme::Http => connect(stream, proxy, goal).await,
        Scheme::Socks5 => socks(stream, proxy, goal).await,
    }
}

async fn connect(mut stream: TcpStream, proxy: &Proxy, goal: Goal<'_>) -> Result<TcpStream, String> {
    let goal = match goal {
        Goal::Address(address) => address.to_string(),
        Goal::Name(name, port) => format!("{name}:{port}"),
    };
    let login = proxy.login.as_ref().map_or(String::new(), |(user, password)| {
        let login = BASE64_STANDARD.encode(format!("{user}:{}", password.reveal()));
        format!("Proxy-Authorization: Basic {login}\r\n")
    });
    let request = format!("CONNECT {goal} HTTP/1.1\r\nHost: {goal}\r\n{login}\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| broke(&error))?;
    match status(&mut stream).await? {
        200..=299 => Ok(stream),
        407 => Err("answered 407: it wants another user name and password".into()),
        status => Err(format!("answered {status} when it was asked for {goal}")),
    }
}

/// Reads the answer to `CONNECT`. Nothing may follow it: who is behind the tunnel waits to be spoken to.
async fn status(stream: &mut TcpStream) -> Result<u16, String> {
    let mut head = Vec::with_capacity(512);
    loop {
        if head.len() >= HEAD_BYTES_MAX {
            return Err(format!("answered more than {HEAD_BYTES_MAX} bytes before the tunnel was there"));
        }
        let room = HEAD_BYTES_MAX - head.len();
        if (&mut *stream).take(room as u64).read_buf(&mut head).await.map_err(|error| broke(&error))? == 0 {
            return Err("closed the connection before it answered".into());
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut answer = httparse::Response::new(&mut headers);
        match answer.parse(&head) {
            Ok(httparse::Status::Partial) => {}
            Ok(httparse::Status::Complete(end)) => match answer.code {
                Some(200..=299) if end < head.len() => return Err("sent something before it was asked".into()),
                code => return Ok(code.unwrap_or_default()),
            },
            Err(error) => return Err(format!("does not speak HTTP ({error})")),
        }
    }
}

async fn socks(stream: TcpStream, proxy: &Proxy, goal: Goal<'_>) -> Result<TcpStream, String> {
    let goal = match goal {
        Goal::Address(address) => TargetAddr::Ip(address),
        Goal::Name(name, port) => (name, port).into_target_addr().map_err(|error| said(&error))?,
    };
    let opened = match &proxy.login {
        None => Socks5Stream::connect_with_socket(stream, goal).await,
        Some((user, password)) => {
            Socks5Stream::connect_with_password_and_socket(stream, goal, user, password.reveal()).await
        }
    };
    opened.map(Socks5Stream::into_inner).map_err(|error| said(&error))
}

fn said(error: &Error) -> String {
    format!("opened no tunnel: {error}")
}

fn broke(error: &std::io::Error) -> String {
    format!("ended the connection: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of asking a proxy that says `answer`, and then resets the connection: it has not read the request.
    async fn asked(answer: &[u8]) -> Result<u16, String> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap());
        let (ours, theirs) = tokio::join!(ours, listener.accept());
        let (mut ours, (mut theirs, _)) = (ours.unwrap(), theirs.unwrap());
        ours.write_all(b"CONNECT").await.unwrap();
        theirs.write_all(answer).await.unwrap();
        drop(theirs);
        status(&mut ours).await
    }

    #[test]
    fn a_proxy_says_its_status_and_nothing_behind_it() {
        actix_rt::System::new().block_on(async {
            assert_eq!(asked(b"HTTP/1.1 200 Fine\r\n\r\n").await, Ok(200));
            assert_eq!(asked(b"HTTP/1.1 502 No\r\n\r\nwhy").await, Ok(502), "a refusal may have a body");
            let early = asked(b"HTTP/1.1 200 Fine\r\n\r\nx").await;
            assert_eq!(early, Err("sent something before it was asked".into()));
            let broken = asked(b"HTTP/1.1 2").await.unwrap_err();
            assert!(broken.starts_with("ended the connection: "), "{broken}");
        });
    }
}
