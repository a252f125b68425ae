//! A stop of the server as its clients see it: who has begun a request gets its answer and is told that it was the last on
//! that connection; who asks nothing sees an orderly end.

#[path = "support/mod.rs"]
mod support;

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use support::http::{Message, read_message};
use support::{DEADLINE, Server};

const CLIENTS: usize = 32;
const ROUNDS: usize = 8;
/// Replies that each client has had when the signal comes.
const WARM: usize = 20;

fn connect(to: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    Ok(BufReader::new(stream))
}

fn ask(connection: &mut BufReader<TcpStream>, key: &str) -> io::Result<Message> {
    const EVENT: &str = r#"{"type":"a","data":1}"#;
    let length = EVENT.len();
    let head =
        format!("POST /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: {length}");
    connection.get_mut().write_all(format!("{head}\r\n\r\n{EVENT}").as_bytes())?;
    read_message(connection)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Asks on one connection until it is told to close it, and sees that closed in order.
fn ask_on(to: SocketAddr, key: &str, warm: &mpsc::Sender<()>) -> io::Result<()> {
    let mut connection = connect(to)?;
    for n in 1.. {
        let reply = ask(&mut connection, key)?;
        assert!(reply.start.contains(" 202 "), "{}", reply.start);
        if n == WARM {
            warm.send(()).expect("the test waits");
        }
        if reply.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            break;
        }
    }
    ends_in_order(&mut connection)
}

fn ends_in_order(connection: &mut BufReader<TcpStream>) -> io::Result<()> {
    let mut rest = Vec::new();
    connection.read_to_end(&mut rest)?;
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    Ok(())
}

fn signal(server: &Server) {
    kill_process(Pid::from_child(&server.process.child), Signal::TERM).expect("it runs");
}

#[test]
fn a_stop_resets_nobody_who_is_asking() {
    let mut failed = Vec::new();
    for round in 0..ROUNDS {
        let dir = tempfile::tempdir().expect("a directory");
        let server = Server::start(dir.path(), &[]);
        let (to, (tell, warm)) = (server.address, mpsc::channel());
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let tell = tell.clone();
                thread::spawn(move || ask_on(to, support::process::KEY, &tell))
            })
            .collect();
        (0..CLIENTS).for_each(|_| warm.recv_timeout(DEADLINE).expect("all clients are at it"));
        signal(&server);
        let ended = clients.into_iter().map(|client| client.join().expect("no client panics"));
        failed.extend(ended.filter_map(|ended| ended.err().map(|error| format!("round {round}: {error}"))));
        let server = server.process.end();
        assert!(server.status.success(), "{}", server.output);
        assert!(!server.output.contains("ERROR"), "{}", server.output);
    }
    assert!(failed.is_empty(), "{} of {} clients: {failed:#?}", failed.len(), ROUNDS * CLIENTS);
}

#[test]
fn a_stop_ends_quiet_connections_in_order_and_answers_what_is_half_sent() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let (to, mut quiet) = (server.address, connect(server.address).expect("it listens"));
    ask(&mut quiet, server.key).expect("it answers");
    let mut unused = connect(to).expect("it listens");
    // The head is there, so the request has begun; the body comes after the signal.
    let mut slow = connect(to).expect("it listens");
    let head = "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 21\r\n";
    write!(slow.get_mut(), "{head}Authorization: Bearer {}\r\n\r\n", server.key).expect("it reads");
    let mut goes_on = [0; 25];
    slow.read_exact(&mut goes_on).expect("it wants the body");
    assert_eq!(&goes_on, b"HTTP/1.1 100 Continue\r\n\r\n");

    signal(&server);
    for connection in [&mut quiet, &mut unused] {
        ends_in_order(connection).expect("no reset");
    }
    assert_eq!(connect(to).expect_err("nobody is let in").kind(), io::ErrorKind::ConnectionRefused);
    slow.get_mut().write_all(br#"{"type":"a","data":1}"#).expect("it reads on");
    let reply = read_message(&mut slow).expect("an answer").expect("an answer");
    assert!(reply.start.contains(" 202 "), "{}", reply.start);
    assert_eq!(reply.header("connection"), Some("close"));
    ends_in_order(&mut slow).expect("no reset");
    let ended = server.process.end();
    assert!(ended.status.success(), "{}", ended.output);
}

#[test]
fn a_reply_that_is_being_taken_when_the_server_stops_is_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let data = "x".repeat(8 << 20);
    server.client().post("/api/v1/events", &json!({"type": "a", "id": "long", "data": data})).data(202);
    let mut slow = connect(server.address).expect("it listens");
    let head = format!("GET /api/v1/events/long HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", server.key);
    slow.get_mut().write_all(head.as_bytes()).expect("it reads");
    let mut begun = [0; 12];
    slow.read_exact(&mut begun).expect("it answers");
    assert_eq!(&begun, b"HTTP/1.1 200");
    let mut unused = connect(server.address).expect("it listens");
    signal(&server);
    // What became quiet no earlier has ended, so the other one was looked at as well.
    ends_in_order(&mut unused).expect("no reset");
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).expect("no reset");
    assert!(rest.len() > data.len() && rest.ends_with(b"}"), "{} bytes came", rest.len());
    let ended = server.process.end();
    assert!(ended.status.success(), "{}", ended.output);
}
