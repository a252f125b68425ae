//! Endpoints that mean harm, over real sockets. What stays true: whatever an endpoint does, the attempt ends within its
//! deadline as what it was, the server's memory stays as it was, and others are delivered to meanwhile.

mod support;

use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use hookwheel::clock::Stopwatch;
use rustix::net::sockopt::set_socket_linger;
use serde_json::{Value, json};
use support::http::read_message;
use support::{Answer, DEADLINE, Receiver, Stage};

/// The deadline of an attempt here, in seconds.
const DEADLINE_SECONDS: u64 = 2;
/// What a busy machine may add to it.
const SLACK_MS: u64 = 6_000;
/// How much more memory the server may have after all of it, in KiB.
const GROWTH_KIB: u64 = 96 * 1024;

/// What an endpoint does with a connection. An error of the socket ends it: the peer goes away when it has enough.
type Treat = fn(TcpStream) -> std::io::Result<()>;

/// An endpoint on a port of its own.
fn endpoint(treat: Treat) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || treat(stream));
        }
    });
    address
}

/// Reads the request, and gives the connection back.
fn asked(stream: TcpStream) -> std::io::Result<TcpStream> {
    let mut reading = BufReader::new(stream);
    read_message(&mut reading)?;
    Ok(reading.into_inner())
}

fn answer(stream: TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    asked(stream)?.write_all(bytes)
}

/// Answers so, and stays until the peer goes.
fn answer_and_stay(stream: TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let mut stream = asked(stream)?;
    stream.write_all(bytes)?;
    std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
}

/// Says `start`, and then `more` without an end.
fn endless(stream: TcpStream, start: &[u8], more: &[u8]) -> std::io::Result<()> {
    let mut stream = asked(stream)?;
    stream.write_all(start)?;
    loop {
        stream.write_all(more)?;
    }
}

/// Says `start`, and then one byte a second.
fn trickle(stream: TcpStream, start: &[u8]) -> std::io::Result<()> {
    let mut stream = asked(stream)?;
    stream.write_all(start)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    loop {
        stream.write_all(b"x")?;
        // The peer says nothing more: this ends after a second, or when it goes.
        if let Ok(0) = stream.read(&mut [0]) {
            return Ok(());
        }
    }
}

/// Resets the connection.
fn reset(stream: TcpStream) -> std::io::Result<()> {
    set_socket_linger(&stream, Some(Duration::ZERO))?;
    drop(stream);
    Ok(())
}

/// A gzip stream of zeros, about 650 MiB in 4 MiB: a block of fixed Huffman codes that repeats one byte for ever.
fn bomb() -> Vec<u8> {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let (mut bits, mut count) = (0_u32, 0);
    let mut push = |value: u32, length: u32, bytes: &mut Vec<u8>| {
        bits |= value << count;
        count += length;
        while count >= 8 {
            bytes.push(bits as u8);
            bits >>= 8;
            count -= 8;
        }
    };
    // The last block, of fixed codes; the literal 0; then 258 bytes more from one byte back. Codes go in reversed.
    push(0b011, 3, &mut bytes);
    push(0b0000_1100, 8, &mut bytes);
    while bytes.len() < 4 << 20 {
        push(0b1010_0011, 8, &mut bytes);
        push(0, 5, &mut bytes);
    }
    bytes
}

fn gzip(stream: TcpStream) -> std::io::Result<()> {
    static BOMB: LazyLock<Vec<u8>> = LazyLock::new(bomb);
    let (mut stream, bomb) = (asked(stream)?, &*BOMB);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", bomb.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(bomb)
}

/// What each endpoint does, and what is to be recorded: an outcome or one of two, or `ok`.
const TREATMENTS: &[(&str, &str, Treat)] = &[
    ("endless headers", "broken", |s| endless(s, b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n")),
    ("an endless header", "broken", |s| endless(s, b"HTTP/1.1 200 OK\r\nX-More: ", b"and more and more")),
    ("an endless status line", "broken", |s| endless(s, b"HTTP/1.1 200 ", b"OK, OK, OK")),
    ("an endless body", "ok", |s| endless(s, b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 4096])),
    ("an endless body in pieces", "ok", |s| {
        endless(s, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n")
    }),
    ("an endless size of a piece", "broken", |s| {
        endless(s, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"00000000")
    }),
    ("a compressed bomb", "ok", gzip),
    ("a trickle of headers", "timeout", |s| trickle(s, b"HTTP/1.1 200 OK\r\nX-Slow: ")),
    ("a trickle of a body", "timeout", |s| trickle(s, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")),
    ("silence", "timeout", |s| answer_and_stay(s, b"")),
    ("silence after half a head", "timeout", |s| answer_and_stay(s, b"HTTP/1.1 200 OK\r\n")),
    ("silence after half a body", "timeout", |s| {
        answer_and_stay(s, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    }),
    ("a body that is announced too long", "timeout", |s| {
        answer_and_stay(s, b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nshort")
    }),
    ("a body that is announced too short", "ok", |s| answer(s, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nlonger")),
    ("a negative length", "broken", |s| answer(s, b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello")),
    ("a length that is no number", "broken", |s| answer(s, b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello")),
    ("two lengths", "broken", |s| {
        answer(s, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")
    }),
    // Whether the reset comes before or after we see that we are connected is chance.
    ("reset after accept", "broken|connect", reset),
    ("reset after the request's headers", "broken", |mut s| {
        s.read_exact(&mut [0; 64])?;
        reset(s)
    }),
    ("reset after the request", "broken", |s| reset(asked(s)?)),
    ("reset amid the answer's headers", "broken", |s| {
        let mut stream = asked(s)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nX-Half")?;
        reset(stream)
    }),
    ("reset amid the body", "broken", |s| {
        let mut stream = asked(s)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")?;
        reset(stream)
    }),
    ("nothing but a line", "broken", |s| answer(s, b"<html>what HTTP/0.9 would have said</html>\r\n")),
    ("another protocol", "broken", |s| answer(s, b"220 mail.example ESMTP ready\r\n")),
    ("a header with NUL", "broken", |s| answer(s, b"HTTP/1.1 200 OK\r\nX-Nul: a\0b\r\nContent-Length: 0\r\n\r\n")),
    ("a header without a name", "broken", |s| answer(s, b"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n")),
    ("a status that is none", "broken", |s| answer(s, b"HTTP/1.1 99999 What\r\nContent-Length: 0\r\n\r\n")),
    ("a version that is none", "broken", |s| answer(s, b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n")),
];

/// The memory that the process has, in KiB.
fn resident_kib(stage: &Stage) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", stage.server.process.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn took_ms(delivery: &Value) -> u64 {
    delivery["attempts"][0]["response_time_ms"].as_u64().expect("a time")
}

#[test]
fn whatever_an_endpoint_does_the_attempt_ends_and_others_are_delivered_to() {
    let well = Receiver::start(|_, _| Answer::Status(200));
    let mut stage = Stage::start(&[]);
    let healthy = stage.webhook(&well.url("/"), json!({"timeout": 60}));
    // What is allocated once is not counted below.
    for n in 0..20 {
        stage.publish(&format!("warm{n}"));
    }
    for n in 0..20 {
        assert_eq!(stage.outcome(&healthy, &format!("warm{n}")).0, "ok");
    }
    let settings = json!({"timeout": DEADLINE_SECONDS});
    let rows: Vec<_> = TREATMENTS
        .iter()
        .map(|(what, expected, treat)| {
            (stage.webhook(&format!("http://{}/", endpoint(*treat)), settings.clone()), what, expected)
        })
        .collect();
    let before = resident_kib(&stage);
    for n in 0..5 {
        stage.publish(&format!("e{n}"));
    }
    for n in 0..5 {
        let event = format!("e{n}");
        let delivery = stage.ended(&healthy, &event);
        assert_eq!(delivery["state"], "succeeded", "{delivery}");
    }
    let mut wrong = Vec::new();
    for (webhook, what, expected) in &rows {
        for n in 0..5 {
            let event = format!("e{n}");
            let (outcome, error) = stage.outcome(webhook, &event);
            let delivery = stage.ended(webhook, &event);
            if !expected.split('|').any(|one| one == outcome) {
                wrong.push(format!("{what}: {outcome}, not {expected}: {error}"));
            }
            let took = took_ms(&delivery);
            assert!(took < DEADLINE_SECONDS * 1000 + SLACK_MS, "{what}: {delivery}");
            let kept = delivery["attempts"][0]["response_body"].as_str().unwrap_or_default().len();
            // What is no UTF-8 takes up to three bytes for each.
            assert!(kept <= 3 * 16 * 1024, "{what}: {kept} bytes were kept");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let after = resident_kib(&stage);
    assert!(after < before + GROWTH_KIB, "{before} KiB before, {after} KiB after");
    assert!(stage.server.terminate().success());
}

#[test]
fn what_is_left_over_of_one_answer_is_not_the_next_one() {
    // One connection may carry several requests: each is answered at once with one answer too many.
    let poisoning = endpoint(|stream| {
        let mut reading = BufReader::new(stream);
        while read_message(&mut reading)?.is_some() {
            let two = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 418 Poisoned\r\nContent-Length: 0\r\n\r\n";
            reading.get_mut().write_all(two)?;
        }
        Ok(())
    });
    let mut stage = Stage::start(&[("HOOKWHEEL__DELIVER__SENDERS", "1")]);
    let webhook = stage.webhook(&format!("http://{poisoning}/"), json!({"max_in_flight": 1}));
    for n in 0..5 {
        let event = format!("e{n}");
        stage.publish(&event);
        let delivery = stage.ended(&webhook, &event);
        assert_eq!(delivery["attempts"][0]["status_code"], 200, "{delivery}");
    }
}

#[test]
fn answers_before_the_answer_are_no_way_to_hold_an_attempt() {
    let flood = endpoint(|s| endless(s, b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"));
    let mut stage = Stage::start(&[]);
    let webhook = stage.webhook(&format!("http://{flood}/"), json!({"timeout": DEADLINE_SECONDS}));
    stage.publish("e");
    let delivery = stage.ended(&webhook, "e");
    assert_eq!(delivery["state"], "dead", "{delivery}");
    assert!(took_ms(&delivery) < DEADLINE_SECONDS * 1000 + SLACK_MS, "{delivery}");
}

#[test]
fn a_queue_that_is_full_is_a_timeout() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let entered = runtime.enter();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(1).unwrap().into_std().unwrap();
    drop(entered);
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        queued.push(stream);
        assert!(queued.len() < 64, "its queue does not fill up");
    }
    let mut stage = Stage::start(&[]);
    let plain = stage.webhook(&format!("http://{address}/"), json!({"timeout": 1}));
    let tls = stage.webhook(&format!("https://{address}/"), json!({"timeout": 1}));
    stage.publish("e");
    for webhook in [plain, tls] {
        let (outcome, error) = stage.outcome(&webhook, "e");
        assert_eq!(outcome, "timeout", "{error}");
    }
}

#[test]
fn a_handshake_that_is_garbage_or_reset_is_no_tls_session() {
    fn garbage(mut stream: TcpStream) -> std::io::Result<()> {
        let noise: Arc<[u8]> = vec![0x16; 100_000].into();
        stream.write_all(&noise)
    }
    fn half(mut stream: TcpStream) -> std::io::Result<()> {
        // The head of a handshake record of 16 KiB that never comes.
        stream.write_all(&[0x16, 3, 3, 0x40, 0])?;
        std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
    }
    let table: [(Treat, &str); 3] = [(garbage, "tls"), (reset, "tls|connect"), (half, "timeout")];
    let mut stage = Stage::start(&[]);
    let settings = json!({"timeout": DEADLINE_SECONDS});
    let rows = table
        .map(|(treat, expected)| (stage.webhook(&format!("https://{}/", endpoint(treat)), settings.clone()), expected));
    stage.publish("e");
    for (webhook, expected) in rows {
        let (outcome, error) = stage.outcome(&webhook, "e");
        assert!(expected.split('|').any(|one| one == outcome), "{outcome}, not {expected}: {error}");
    }
}

#[test]
fn a_webhook_says_how_many_are_out_and_what_the_others_wait_for() {
    let mut stage = Stage::start(&[]);
    let hanging = Receiver::start(|_, _| Answer::Hang);
    let limited = Receiver::start(|_, _| Answer::Status(200));
    let settings = json!({"timeout": 60, "max_in_flight": 2});
    let hanging = stage.webhook(&hanging.url("/"), settings);
    let settings = json!({"rate_limit": {"per_minute": 1, "burst": 1}});
    let limited = stage.webhook(&limited.url("/"), settings);
    let rests = lane(&mut stage, &hanging, "nothing_to_send");
    assert_eq!((&rests["window"], &rests["places"], &rests["until"]), (&json!(2), &json!(0), &Value::Null));
    (0..5).for_each(|n| stage.publish(&format!("event-{n}")));
    let full = lane(&mut stage, &hanging, "window_full");
    assert_eq!((&full["window"], &full["places"]), (&json!(2), &json!(2)));
    let waits = lane(&mut stage, &limited, "rate_limited");
    assert!(waits["until"].is_string() && waits["window"].as_u64() >= Some(4), "{waits}");
    stage.client.post(&format!("/api/v1/webhooks/{hanging}/pause"), &json!({})).data(200);
    let held = lane(&mut stage, &hanging, "held");
    assert_eq!((&held["window"], &held["places"]), (&json!(0), &json!(0)), "what was out is broken off");
    let list = stage.client.get("/api/v1/webhooks").data(200);
    assert_eq!(list[0].get("lane"), None, "a list does not ask for each");
}

/// The webhook's lane once it waits for that, and no broken-off delivery is on its way back.
#[track_caller]
fn lane(stage: &mut Stage, webhook: &str, waits_for: &str) -> Value {
    let watch = Stopwatch::start();
    loop {
        let lane = stage.client.get(&format!("/api/v1/webhooks/{webhook}")).data(200)["lane"].take();
        let (window, places) = (lane["window"].as_u64(), lane["places"].as_u64());
        if lane["waits_for"] == waits_for && places <= window {
            return lane;
        }
        assert!(watch.elapsed() < DEADLINE, "it does not wait for {waits_for}: {lane}");
        std::thread::yield_now();
    }
}
