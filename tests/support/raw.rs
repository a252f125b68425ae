//! Sockets by hand, and the client in good faith that everything is held against.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, socket};
use serde_json::json;

use crate::support::{Client, DEADLINE, Server};

/// A connection that says what it likes.
pub struct Raw(pub TcpStream);

/// What came of a conversation.
#[derive(Debug)]
pub struct Heard {
    /// Everything that came.
    pub text: String,
    /// Whether the server closed the connection.
    pub closed: bool,
}

impl Heard {
    /// The statuses of all replies, in order.
    pub fn statuses(&self) -> Vec<u16> {
        let heads = self.text.match_indices("HTTP/1.1 ");
        heads.map(|(at, start)| self.text[at + start.len()..][..3].parse().expect("a status")).collect()
    }
}

impl Raw {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("it listens");
        stream.set_nodelay(true).expect("it is open");
        stream.set_read_timeout(Some(DEADLINE)).expect("it is open");
        stream.set_write_timeout(Some(DEADLINE)).expect("it is open");
        Self(stream)
    }

    /// Connects from an address of this machine.
    pub fn connect_from(address: Ipv4Addr, to: SocketAddr) -> Self {
        let opened = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        bind(&opened, &SocketAddr::from((address, 0))).expect("it is this machine's");
        rustix::net::connect(&opened, &to).expect("it listens");
        let stream = TcpStream::from(opened);
        stream.set_read_timeout(Some(DEADLINE)).expect("it is open");
        stream.set_write_timeout(Some(DEADLINE)).expect("it is open");
        Self(stream)
    }

    /// Sends bytes; false once the server does not take them any more.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// All that comes until the server closes.
    #[track_caller]
    pub fn hear(mut self) -> Heard {
        let mut all = Vec::new();
        let closed = match self.0.read_to_end(&mut all) {
            Ok(_) => true,
            Err(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        };
        Heard { text: String::from_utf8_lossy(&all).into_owned(), closed }
    }

    /// All that comes after we have said that nothing more will.
    #[track_caller]
    pub fn hear_out(self) -> Heard {
        // An error means that the server has closed already.
        let _ = self.0.shutdown(Shutdown::Write);
        self.hear()
    }

    /// Sends `piece` again and again, with `pause` in between, until the server closes. Gives what came.
    #[track_caller]
    pub fn drip(mut self, piece: &[u8], pause: Duration) -> Heard {
        self.0.set_read_timeout(Some(pause.max(Duration::from_millis(1)))).expect("it is open");
        let (begun, mut all, mut buffer) = (Instant::now(), Vec::new(), [0; 4096]);
        while begun.elapsed() < DEADLINE {
            let sent = self.send(piece);
            match self.0.read(&mut buffer) {
                Ok(0) => return Heard { text: String::from_utf8_lossy(&all).into_owned(), closed: true },
                Ok(count) => all.extend_from_slice(&buffer[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) && sent => {}
                Err(_) => return Heard { text: String::from_utf8_lossy(&all).into_owned(), closed: true },
            }
        }
        panic!("the server goes on listening; it said {:?}", String::from_utf8_lossy(&all));
    }
}

/// One conversation: sends `bytes`, then hears everything.
#[track_caller]
pub fn say(address: SocketAddr, bytes: &[u8]) -> Heard {
    let mut raw = Raw::connect(address);
    raw.send(bytes);
    raw.hear_out()
}

/// The same from an address of this machine.
pub fn say_from(from: Ipv4Addr, address: SocketAddr, bytes: &[u8]) -> Heard {
    let mut raw = Raw::connect_from(from, address);
    raw.send(bytes);
    raw.hear_out()
}

/// Somebody with a right key, who publishes and looks all the while.
pub struct Witness {
    stop: Arc<AtomicBool>,
    working: JoinHandle<usize>,
}

impl Witness {
    /// Starts working.
    pub fn start(server: &Server) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut client = Client::new(server.address, server.key);
        let stopped = stop.clone();
        let working = std::thread::spawn(move || {
            let mut served = 0;
            // At least once after the word to stop: what was done before is over then.
            loop {
                let last = stopped.load(Ordering::SeqCst);
                client.post("/api/v1/events", &json!({"type": "good.faith", "data": served})).data(202);
                client.get("/api/v1/events?limit=1").data(200);
                served += 1;
                if last {
                    return served;
                }
            }
        });
        Self { stop, working }
    }

    /// Asserts that it was served to the end, and the server is whole.
    #[track_caller]
    pub fn end(self, server: &Server) {
        self.stop.store(true, Ordering::SeqCst);
        let served = self.working.join().expect("the good client is served");
        assert!(served > 1, "the good client was served {served} times");
        assert_eq!(server_errors(server), 0, "replies with 5xx");
    }
}

/// Replies with 5xx since the start.
pub fn server_errors(server: &Server) -> u64 {
    metric(server, "hookwheel_http_replies_total{class=\"5xx\"}")
}

/// A counter of the server.
#[track_caller]
pub fn metric(server: &Server, name: &str) -> u64 {
    let reply = server.client().get("/metrics");
    let text = String::from_utf8_lossy(&reply.message.body).into_owned();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("{name} is not in\n{text}"))
}

/// The memory of the server, in bytes.
pub fn memory(server: &Server) -> u64 {
    of_process(server, "VmRSS:")
}

/// How much more than before, in bytes, the server holds at most during `work`.
#[track_caller]
pub fn held_beyond(server: &Server, work: impl FnOnce()) -> u64 {
    // 5: the peak counts from now on (proc(5), clear_refs).
    std::fs::write(format!("/proc/{}/clear_refs", server.process.child.id()), "5").expect("it runs");
    let before = memory(server);
    work();
    of_process(server, "VmHWM:").saturating_sub(before)
}

fn of_process(server: &Server, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process.child.id())).expect("it runs");
    let kib = status.lines().find_map(|line| line.strip_prefix(what)?.trim().strip_suffix(" kB")?.parse().ok());
    kib.map(|kib: u64| kib * 1024).expect("a size in kB")
}

/// Asserts that `work` leaves the server's memory as it was, give or take what caches and the allocator keep.
#[track_caller]
pub fn stays_flat(server: &Server, work: impl FnOnce()) {
    const SLACK: u64 = 96 << 20;
    let before = memory(server);
    work();
    let after = memory(server);
    assert!(after < before + SLACK, "memory grew from {before} to {after} bytes");
}
