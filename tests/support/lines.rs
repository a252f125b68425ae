//! A reply that does not end, read with nothing but a socket, line by line as it comes.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use crate::support::DEADLINE;

/// Its lines.
pub type Lines = BufReader<TcpStream>;

/// Asks for a path, with one header beside the host; what comes behind the status line, which says 200.
pub fn open(address: SocketAddr, path: &str, header: &str) -> Lines {
    let mut socket = TcpStream::connect_timeout(&address, DEADLINE).expect("it listens");
    socket.set_read_timeout(Some(DEADLINE)).expect("it is open");
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{header}\r\n\r\n");
    socket.write_all(head.as_bytes()).expect("it is open");
    let mut lines = BufReader::new(socket);
    assert!(line(&mut lines).starts_with("HTTP/1.1 200"));
    lines
}

/// The next line.
pub fn line(lines: &mut Lines) -> String {
    let mut line = String::new();
    assert!(lines.read_line(&mut line).expect("it is not broken off") > 0, "it goes on");
    line.trim_end().to_owned()
}

/// The first line that begins so.
pub fn until(lines: &mut Lines, start: &str) -> String {
    std::iter::repeat_with(|| line(lines)).find(|line| line.starts_with(start)).expect("it never ends")
}
