//! Bodies that never end, and bodies with a key that is none, by a server that nobody has configured.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::stranger::{Stranger, account};
use crate::support::Server;
use crate::support::raw::Raw;
use crate::{BODY, MIB, SLACK};

/// What is read ahead of what is done, and what belongs to a connection.
const CONNECTION: u64 = 256 << 10;

#[test]
fn bodies_that_never_end_hold_up_no_stranger() {
    const CLIENTS: u64 = 50;
    /// `server.bodies_bytes_max`, of which one account has four parts in five at most; a body that grows is there twice.
    const BUDGET: u64 = 128 * MIB;
    const HELD: u64 = 2 * BUDGET * 4 / 5;
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let (stranger, address) = (Stranger::new(&server), server.address);
    let key = account(&server, "hostile").key().to_owned();
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\nContent-Length: {BODY}\r\n\r\n"
    );
    let part = vec![b' '; BODY as usize - 1];
    stranger.beside(HELD + CLIENTS * CONNECTION + SLACK, |stop| {
        let unfinished: Vec<Raw> = std::thread::scope(|scope| {
            let sending: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| sent(address, &head, &part))).collect();
            sending.into_iter().map(|one| one.join().expect("it does not panic")).collect()
        });
        wait_for(stop);
        drop(unfinished);
    });
    assert!(server.terminate().success());
}

#[test]
fn bodies_with_a_wrong_key_hold_up_no_stranger() {
    const CLIENTS: u64 = 200;
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let (stranger, address) = (Stranger::new(&server), server.address);
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer wrong\r\nContent-Length: {BODY}\r\n\r\n"
    );
    let body = vec![b' '; BODY as usize];
    stranger.beside(CLIENTS * CONNECTION + SLACK, |stop| {
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let heard = sent(address, &head, &body).hear();
                    // A close in the middle of what is sent can overtake the reply.
                    let statuses = heard.statuses();
                    assert!(heard.closed && (statuses == [401] || statuses.is_empty()), "{heard:?}");
                });
            }
        });
        wait_for(stop);
    });
    assert!(server.terminate().success());
}

/// A connection on which a head and a body were sent, as far as the server took them.
fn sent(address: SocketAddr, head: &str, body: &[u8]) -> Raw {
    let mut raw = Raw::connect(address);
    raw.send(head.as_bytes());
    raw.send(body);
    raw
}

fn wait_for(stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(5));
    }
}
