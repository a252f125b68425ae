//! Exchanges over pipes in memory and over loopback: after each way in which an answer can end, what was heard and
//! whether the connection may be used again.

mod client;
mod endpoint;
mod kept;
mod model;
mod parts;
mod secured;
mod two;

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::h1::{Reusable, exchange};
use super::{Destination, Failure, Heard, Request};
use crate::domain::delivery::RESPONSE_BODY_BYTES_MAX;
use crate::domain::probe::Method;

/// So long a test waits for what must come.
const DEADLINE: Duration = Duration::from_secs(20);

/// Runs what an actix arbiter would.
fn run<T>(work: impl Future<Output = T>) -> T {
    actix_rt::System::new().block_on(work)
}

fn destination() -> Destination {
    Destination::of("http://endpoint.example:8080/hook?a=b", 1, None).unwrap()
}

/// What came of one exchange: the status or a failure, what was heard, and the connection if it is given back.
struct Came {
    status: Result<u16, Failure>,
    heard: Heard,
    back: Option<Reusable<DuplexStream>>,
}

async fn ask(stream: DuplexStream, body: Bytes) -> Came {
    let (to, mut heard) = (destination(), Heard::default());
    let request = Request { method: Method::Post, to: &to, headers: &[], upper_case: false, body };
    let (status, back) = exchange(stream, &request, &mut heard).await;
    Came { status, heard, back }
}

/// An exchange in which the peer reads the request, says `bytes`, and closes.
async fn answered(bytes: &[u8]) -> Came {
    let (ours, mut theirs) = duplex(1 << 20);
    let say = async {
        let mut request = [0; 512];
        let read = theirs.read(&mut request).await.unwrap();
        assert!(request[..read].ends_with(b"\r\n\r\nbody"));
        theirs.write_all(bytes).await.unwrap();
        theirs.shutdown().await.unwrap();
        theirs
    };
    tokio::join!(ask(ours, Bytes::from_static(b"body")), say).0
}

#[test]
fn the_request_is_what_was_asked_for() {
    let text = run(async {
        let (ours, mut theirs) = duplex(1 << 20);
        let asking = async {
            let (to, mut heard) = (destination(), Heard::default());
            let headers =
                [("x-one", "1"), ("x-one", "2")].map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            let request = Request {
                method: Method::Post,
                to: &to,
                headers: &headers,
                upper_case: false,
                body: Bytes::from_static(b"{}"),
            };
            exchange(ours, &request, &mut heard).await.0.unwrap()
        };
        let listening = async {
            let mut request = vec![0; 1024];
            let read = theirs.read(&mut request).await.unwrap();
            theirs.write_all(b"HTTP/1.1 204 Fine\r\n\r\n").await.unwrap();
            String::from_utf8(request[..read].to_vec()).unwrap()
        };
        tokio::join!(asking, listening).1
    });
    let expected =
        "POST /hook?a=b HTTP/1.1\r\nhost: endpoint.example:8080\r\ncontent-length: 2\r\nx-one: 1\r\nx-one: 2\r\n\r\n{}";
    assert_eq!(text, expected);
    let authority = |url: &str| Destination::of(url, 1, None).unwrap().authority;
    assert_eq!(authority("https://a.example:443/"), "a.example");
    assert_eq!(authority("http://a.example:443/"), "a.example:443");
    assert_eq!(authority("http://[::1]:80"), "[::1]");
}

/// What a peer says, the status that is heard (0: a failure), the body, and whether the connection is given back.
type Row = (&'static str, u16, &'static str, bool);

const ENDINGS: &[Row] = &[
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", true),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", 200, "ok", true),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nA: b\r\n\r\n", 200, "ok", true),
    (
        "HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Go\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno",
        500,
        "no",
        true,
    ),
    ("HTTP/1.1 204 None\r\n\r\n", 204, "", true),
    ("HTTP/1.1 304 None\r\n\r\n", 304, "", true),
    // A body is announced where there is none: it may come yet.
    ("HTTP/1.1 204 None\r\nContent-Length: 2\r\n\r\n", 204, "", false),
    ("HTTP/1.1 304 None\r\nTransfer-Encoding: chunked\r\n\r\n", 304, "", false),
    ("HTTP/1.1 103 Hints\r\nContent-Length: 2\r\n\r\nHTTP/1.1 204 None\r\n\r\n", 204, "", false),
    ("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", 101, "", false),
    ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok", 200, "ok", false),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x, Close\r\n\r\nok", 200, "ok", false),
    ("HTTP/1.1 200 OK\r\n\r\nto the end", 200, "to the end", false),
    // More or less than was announced.
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay", 200, "ok", false),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 200, "ok", false),
    ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", 200, "ok", false),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore", 200, "ok", false),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", 200, "ok", false),
    // Two words about the length.
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        200,
        "ok",
        false,
    ),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, "ok", false),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nok", 200, "ok", false),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", 0, "", false),
    ("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", 0, "", false),
    ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok", 0, "", false),
    // No chunks.
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", 0, "", false),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n;x\r\n", 0, "", false),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n", 0, "ok", false),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 0, "", false),
    // No HTTP.
    ("", 0, "", false),
    ("HTTP/1.1 2", 0, "", false),
    ("HTTP/1.1 100 Go\r\n\r\n", 0, "", false),
    ("HTTP/1.1 099 What\r\n\r\n", 0, "", false),
    ("HTTP/2.0 200 OK\r\n\r\n", 0, "", false),
];

#[test]
fn after_a_bad_ending_no_connection_is_used_again() {
    for (bytes, status, body, back) in ENDINGS {
        let came = run(answered(bytes.as_bytes()));
        let heard = String::from_utf8_lossy(&came.heard.body).into_owned();
        let got = (came.status.as_ref().copied().unwrap_or(0), heard.as_str(), came.back.is_some());
        assert_eq!(got, (*status, *body, *back), "{bytes:?}: {:?}", came.status);
    }
}

#[test]
fn what_can_grow_is_bounded() {
    let head = |more: &str| format!("HTTP/1.1 200 OK\r\n{more}");
    let chunked = |more: &str| head(&format!("Transfer-Encoding: chunked\r\n\r\n{more}"));
    let table = [
        (head(&format!("X: {}", "x".repeat(1 << 18))), "the answer's headers are longer"),
        ("HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n".repeat(1 << 14), "the answer's headers are longer"),
        (head(&"X: y\r\n".repeat(200)), "not HTTP"),
        (chunked(&format!("1;{}", "x".repeat(1 << 16))), "a line before a chunk"),
        (chunked(&format!("0\r\n{}", "X: y\r\n".repeat(1 << 14))), "what follows the answer's last chunk"),
        (chunked(&format!("0\r\nX: {}", "x".repeat(1 << 16))), "what follows the answer's last chunk"),
    ];
    for (bytes, why) in table {
        match run(answered(bytes.as_bytes())).status {
            Err(Failure::Broken(said)) => assert!(said.contains(why), "{said}"),
            other => panic!("{why}: {other:?}"),
        }
    }
}

#[test]
fn what_is_cut_at_the_cap_is_not_used_again_and_what_fills_it_is() {
    for (more, back) in [(0, true), (1, false)] {
        let body = "x".repeat(RESPONSE_BODY_BYTES_MAX + more);
        let came = run(answered(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes()));
        assert_eq!((came.status.unwrap(), came.heard.body.len()), (200, RESPONSE_BODY_BYTES_MAX));
        assert_eq!(came.back.is_some(), back);
    }
}

#[test]
fn an_answer_that_comes_before_the_request_was_read_is_heard() {
    for closes in [false, true] {
        let came = run(async {
            let (ours, mut theirs) = duplex(1024);
            let say = async {
                theirs.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig").await.unwrap();
                if closes { drop(theirs) } else { std::mem::forget(theirs) }
            };
            tokio::join!(ask(ours, vec![b'x'; 100_000].into()), say).0
        });
        assert_eq!((came.status.unwrap(), came.heard.body, came.back.is_none()), (413, b"big".to_vec(), true));
    }
}

#[test]
fn how_long_the_endpoint_keeps_it_is_heard() {
    for (header, seconds) in
        [("timeout=5", Some(4)), ("max=10, timeout=1", Some(0)), ("timeout=x", None), ("max=1", None)]
    {
        let bytes = format!("HTTP/1.1 204 None\r\nKeep-Alive: {header}\r\n\r\n");
        let back = run(answered(bytes.as_bytes())).back.expect("it may be used again");
        assert_eq!(back.idle_max.map(|time| time.as_secs()), seconds, "{header}");
    }
}
