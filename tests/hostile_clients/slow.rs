//! Those who hold on to connections: each is let go in its time, whatever it has sent so far.

use std::time::Duration;

use serde_json::Value;

use crate::support::Server;
use crate::support::raw::{Raw, Witness};

const LIMITS: [(&str, &str); 3] = [
    ("HOOKWHEEL__SERVER__HEAD_SECONDS", "1"),
    ("HOOKWHEEL__SERVER__BODY_SECONDS", "1"),
    ("HOOKWHEEL__SERVER__IDLE_SECONDS", "1"),
];
const PAUSE: Duration = Duration::from_millis(20);

#[test]
fn slow_clients_are_let_go_whatever_they_have_sent() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &LIMITS);
    let witness = Witness::start(&server);
    let (address, key) = (server.address, server.key);
    let whole = "GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n";
    let post = format!("POST /api/v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\n");
    let chunked = format!("{post}Transfer-Encoding: chunked\r\n\r\n");
    let sized = format!("{post}Content-Length: 100000\r\n\r\n");
    let pages = "GET /docs HTTP/1.1\r\nHost: h\r\n\r\n".repeat(16);

    std::thread::scope(|scope| {
        // What is sent at first, what then drips, and the replies that come before the end.
        let slow: [(&str, &str, &str, Vec<u16>); 7] = [
            ("a first head", "GET / HTTP/1.1\r\nHost: h\r\nX-A: ", "a", vec![408]),
            ("endless headers", "GET / HTTP/1.1\r\nHost: h\r\n", "X: y\r\n", vec![408]),
            ("a later head", &format!("{whole}GET / HTTP/1.1\r\nX-A: "), "a", vec![200]),
            ("a sized body", &sized, " ", vec![408]),
            ("a chunked body", &chunked, "1\r\n \r\n", vec![408]),
            ("a body that nobody reads", &chunked.replace(key, "wrong"), "1\r\n \r\n", vec![401]),
            ("empty lines", "", "\r\n", vec![]),
        ];
        for (what, start, piece, replies) in slow {
            let (start, piece) = (start.to_owned(), piece.to_owned());
            scope.spawn(move || {
                let mut raw = Raw::connect(address);
                assert!(raw.send(start.as_bytes()), "{what}");
                let heard = raw.drip(piece.as_bytes(), PAUSE);
                let statuses = heard.statuses();
                let fits = statuses == replies || (what == "empty lines" && statuses == [408]);
                assert!(heard.closed && fits, "{what}: {heard:?}");
                if what.ends_with("body") {
                    let (_, body) = heard.text.split_once("\r\n\r\n").expect("a head and a body");
                    let body: Value = serde_json::from_str(body).expect("the error shape");
                    assert_eq!(body["error"]["code"], "slow_body", "{what}");
                }
            });
        }
        for (what, start) in [("nothing at all", ""), ("nothing more", whole)] {
            scope.spawn(move || {
                let mut raw = Raw::connect(address);
                raw.send(start.as_bytes());
                assert!(raw.hear().closed, "{what}");
            });
        }
        // Asks for more than the buffers of both sides hold, and takes none of it until it is closed.
        scope.spawn(|| {
            let mut raw = Raw::connect(address);
            raw.0.set_write_timeout(Some(PAUSE)).expect("it is open");
            let begun = std::time::Instant::now();
            while raw.send(pages.as_bytes()) || raw.0.take_error().is_ok_and(|error| error.is_none()) {
                if begun.elapsed() > Duration::from_secs(4) && !raw.send(pages.as_bytes()) {
                    break;
                }
                assert!(begun.elapsed() < crate::support::DEADLINE, "it is served for ever");
            }
        });
    });
    witness.end(&server);
    assert!(server.terminate().success());
}
