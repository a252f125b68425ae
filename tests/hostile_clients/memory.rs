//! What clients can make the server hold. Each bound is said by arithmetic: what a connection may cost, times connections.

use crate::raw::{Raw, Witness, held_beyond};
use crate::support::Server;

const MIB: u64 = 1 << 20;
/// What caches and the allocator keep of other work.
const SLACK: u64 = 48 * MIB;
/// What the server's own code has at hand of a body that nobody reads (32 KiB), of what was read before that (128 KiB), and
/// what belongs to a connection.
const CONNECTION: u64 = 256 << 10;

#[test]
fn who_is_refused_has_no_body_read() {
    const CLIENTS: u64 = 80;
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let witness = Witness::start(&server);
    let body = vec![b' '; 4 << 20];
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer wrong\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // All but the first wait for two seconds; the bodies together are 320 MiB.
    let held = held_beyond(&server, || {
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut raw = Raw::connect(server.address);
                    raw.send(head.as_bytes());
                    raw.send(&body);
                    let heard = raw.hear();
                    // A close in the middle of what we send can overtake the reply.
                    let statuses = heard.statuses();
                    assert!(heard.closed && (statuses == [401] || statuses.is_empty()), "{heard:?}");
                });
            }
        });
    });
    assert!(held < CLIENTS * CONNECTION + SLACK, "{held} bytes are held");
    witness.end(&server);
    assert!(server.terminate().success());
}
