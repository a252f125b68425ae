//! Floods: of connections, and of events. Places are bounded for each address, and free again when they are left.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use serde_json::json;

use crate::support::raw::{Raw, metric, stays_flat};
use crate::support::{Client, DEADLINE, Server};

/// A connection that comes from another address of this machine.
fn connect_from(from: [u8; 4], to: SocketAddr) -> Raw {
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&stream, &SocketAddr::new(IpAddr::V4(Ipv4Addr::from(from)), 0)).expect("an address of this machine");
    connect(&stream, &to).expect("it listens");
    let stream = TcpStream::from(stream);
    stream.set_read_timeout(Some(DEADLINE)).expect("it is open");
    Raw(stream)
}

/// Whether the connection is served.
fn is_served(raw: &mut Raw) -> bool {
    if !raw.send(b"GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n") {
        return false;
    }
    // An error is a reset: refused as well.
    matches!(raw.0.read(&mut [0; 1024]), Ok(count) if count > 0)
}

/// Whether a request begins on the connection, whose body has not come whole.
fn is_busy(raw: &mut Raw, key: &str) -> bool {
    let head = format!("POST /api/v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key}\r\n");
    if !raw.send(format!("{head}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{{").as_bytes()) {
        return false;
    }
    let (mut heard, mut buffer) = (Vec::new(), [0; 1024]);
    while let Ok(count @ 1..) = raw.0.read(&mut buffer) {
        heard.extend_from_slice(&buffer[..count]);
        if String::from_utf8_lossy(&heard).contains("100 Continue") {
            return true;
        }
    }
    false
}

#[test]
fn one_address_has_so_many_connections_and_all_together_so_many() {
    let dir = tempfile::tempdir().expect("a directory");
    let limits =
        [("HOOKWHEEL__SERVER__CONNECTIONS_PER_ADDRESS_MAX", "20"), ("HOOKWHEEL__SERVER__CONNECTIONS_MAX", "50")];
    let server = Server::start(dir.path(), &limits);
    let from = |host: u8| move || connect_from([127, 0, 0, host], server.address);
    let busy = |raw: &mut Vec<Raw>| raw.iter_mut().map(|raw| is_busy(raw, server.key)).filter(|busy| *busy).count();
    let mut of_one: Vec<Raw> = std::iter::repeat_with(from(2)).take(30).collect();
    assert_eq!(busy(&mut of_one), 20, "of one address");
    let mut of_another: Vec<Raw> = std::iter::repeat_with(from(3)).take(20).collect();
    assert_eq!(busy(&mut of_another), 20, "another has its own");
    let mut of_a_third: Vec<Raw> = std::iter::repeat_with(from(4)).take(20).collect();
    assert_eq!(busy(&mut of_a_third), 10, "and all together");
    of_one.clear();
    // The places are free again as soon as the server sees it.
    let begun = Instant::now();
    while !is_served(&mut from(2)()) {
        assert!(begun.elapsed() < DEADLINE, "no place becomes free");
    }
    // A flood of them leaves nothing behind.
    stays_flat(&server, || {
        for _ in 0..2_000 {
            drop(from(3)());
        }
    });
    let begun = Instant::now();
    while metric(&server, "hookwheel_connections_refused_total") < 2_000 {
        assert!(begun.elapsed() < DEADLINE, "connections that were refused are not counted");
    }
    while metric(&server, "hookwheel_connections ") > 33 {
        assert!(begun.elapsed() < DEADLINE, "connections that ended are counted");
    }
    let finishes = |raw: &mut Raw| raw.send(b"}") && matches!(raw.0.read(&mut [0; 1024]), Ok(count) if count > 0);
    assert!(of_another.iter_mut().all(finishes), "those that were there are served on");
    drop((of_another, of_a_third));
    assert!(server.terminate().success());
}

#[test]
fn an_address_that_has_all_it_may_gives_a_quiet_connection_for_a_new_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[("HOOKWHEEL__SERVER__CONNECTIONS_PER_ADDRESS_MAX", "4")]);
    let connect = || connect_from([127, 0, 0, 2], server.address);
    let mut old: Vec<Raw> = std::iter::repeat_with(connect).take(4).collect();
    assert!(is_busy(&mut old[0], server.key));
    // The second is the last to become quiet, by more than the watch can tell.
    let begun = Instant::now();
    for n in [2, 3, 1] {
        assert!(is_served(&mut old[n]));
    }
    while begun.elapsed() < Duration::from_millis(10) {
        assert!(is_served(&mut old[1]));
    }
    let mut new: Vec<Raw> = std::iter::repeat_with(connect).take(2).collect();
    assert!(new.iter_mut().all(is_served), "the address is not locked out");
    assert!(is_served(&mut old[1]), "the one that was used last is there");
    for n in [2, 3] {
        assert!(!is_served(&mut old[n]), "the others gave way");
    }
    assert!(old[0].send(b"}") && is_served(&mut old[0]), "nobody who is at it gives way");
    // Where all are at it, a new one is closed.
    let mut all = [old.remove(0), old.remove(0), new.remove(0), new.remove(0)];
    assert!(all.iter_mut().all(|raw| is_busy(raw, server.key)));
    assert!(!is_served(&mut connect()));
    drop(all);
    assert!(server.terminate().success());
}

#[test]
fn a_key_publishes_so_many_events_a_second_and_hears_when_to_go_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[("HOOKWHEEL__SERVER__EVENTS_PER_SECOND", "50")]);
    let mut client = server.client();
    let made = client.post("/api/v1/accounts/default/keys", &json!({"scopes": ["publish"]})).data(201);
    let mut other = Client::new(server.address, made["key"].as_str().expect("a key"));
    let batch = |count: usize| json!(vec![json!({"type": "a.b", "data": 1}); count]);
    // Larger than a second's worth, but nothing was spent before; it is owed then.
    client.post("/api/v1/events", &batch(200)).data(202);
    let refused = client.post("/api/v1/events", &json!({"type": "a.b", "data": 1}));
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (429, &json!("rate_limited")));
    let header = |name: &str| refused.message.header(name).and_then(|text| text.parse::<u64>().ok());
    assert_eq!((header("X-RateLimit-Limit"), header("X-RateLimit-Remaining")), (Some(50), Some(0)));
    let (wait, reset) = (header("Retry-After").expect("seconds"), header("X-RateLimit-Reset").expect("Unix seconds"));
    assert!((1..=4).contains(&wait), "{wait}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    assert!((now..now + 10).contains(&reset), "{reset} at {now}");
    other.post("/api/v1/events", &batch(50)).data(202);
    assert_eq!(client.get("/api/v1/events?limit=1").status, 200, "other calls are another limit");
    // It is over when it is said to be over.
    std::thread::sleep(Duration::from_secs(wait));
    client.post("/api/v1/events", &json!({"type": "a.b", "data": 1})).data(202);
    assert!(server.terminate().success());
}
