//! Floods: of connections, and of events. Places are bounded for each address, and free again when they are left.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Instant;

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use serde_json::json;

use crate::raw::{Raw, metric, stays_flat};
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

#[test]
fn one_address_has_so_many_connections_and_all_together_so_many() {
    let dir = tempfile::tempdir().expect("a directory");
    let limits =
        [("HOOKWHEEL__SERVER__CONNECTIONS_PER_ADDRESS_MAX", "20"), ("HOOKWHEEL__SERVER__CONNECTIONS_MAX", "50")];
    let server = Server::start(dir.path(), &limits);
    let from = |host: u8| move || connect_from([127, 0, 0, host], server.address);
    let served = |raw: &mut Vec<Raw>| raw.iter_mut().map(is_served).filter(|served| *served).count();
    let mut of_one: Vec<Raw> = std::iter::repeat_with(from(2)).take(30).collect();
    assert_eq!(served(&mut of_one), 20, "of one address");
    let mut of_another: Vec<Raw> = std::iter::repeat_with(from(3)).take(20).collect();
    assert_eq!(served(&mut of_another), 20, "another has its own");
    let mut of_a_third: Vec<Raw> = std::iter::repeat_with(from(4)).take(20).collect();
    assert_eq!(served(&mut of_a_third), 10, "and all together");
    of_one.clear();
    // The places are free again as soon as the server sees it.
    let begun = Instant::now();
    while !is_served(&mut from(2)()) {
        assert!(begun.elapsed() < DEADLINE, "no place becomes free");
    }
    assert!(metric(&server, "hookwheel_connections_refused_total") >= 20);
    // A flood of them leaves nothing behind.
    stays_flat(&server, || {
        for _ in 0..2_000 {
            drop(from(3)());
        }
    });
    let begun = Instant::now();
    while metric(&server, "hookwheel_connections ") > 33 {
        assert!(begun.elapsed() < DEADLINE, "connections that ended are counted");
    }
    assert_eq!(served(&mut of_another), 20, "those that were there are served on");
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
    std::thread::sleep(std::time::Duration::from_secs(wait));
    client.post("/api/v1/events", &json!({"type": "a.b", "data": 1})).data(202);
    assert!(server.terminate().success());
}
