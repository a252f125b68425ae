//! A request of one's own to a guide's receiver, as somebody would send it who saw a real one pass.

use std::io::{BufReader, Write};
use std::net::TcpStream;

use crate::endpoint::{Endpoint, Got};
use crate::support::http::read_message;

/// Sends this body to where `seen` went, with its header `signature`; what the receiver answers.
#[track_caller]
pub fn forge(endpoint: &Endpoint, seen: &Got, signature: &str, body: &str) -> u16 {
    let url = endpoint.url("");
    let host = url.strip_prefix("http://").expect("a URL");
    let mut stream = TcpStream::connect(host).expect("it listens");
    let (path, value, length) = (&seen.path, seen.header(signature), body.len());
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{signature}: {value}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let reply = read_message(&mut BufReader::new(stream)).expect("it answers").expect("it answers");
    reply.start.split(' ').nth(1).and_then(|text| text.parse().ok()).expect("a status")
}

/// Asserts that the receiver takes the same request again, and answers 401 to its signature over another body.
#[track_caller]
pub fn refuses_forgeries(endpoint: &Endpoint, seen: &Got, signature: &str) -> String {
    assert_eq!(forge(endpoint, seen, signature, &seen.body), 200, "the same again is right");
    let changed = seen.body.replacen("task", "tusk", 1);
    assert_ne!(changed, seen.body);
    assert_eq!(forge(endpoint, seen, signature, &changed), 401);
    "the guide's receiver took the request, and answered 401 to its signature over another body".into()
}
