//! Chains of proxies that speak HTTP: `Forwarded` and `X-Forwarded-For`.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::{PROXY, call, start, told};
use crate::support::raw::Raw;

#[test]
fn of_a_chain_the_last_address_that_is_no_trusted_proxy_counts_everywhere() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = start(dir.path(), &[]);
    let elsewhere = Ipv4Addr::LOCALHOST;
    for (peer, headers, expected) in [
        (PROXY, "X-Forwarded-For: 192.0.2.66, 198.51.100.7\r\n", "198.51.100.7"),
        (PROXY, "X-Forwarded-For: 192.0.2.66, 198.51.100.7, 10.0.0.1, 127.0.0.8\r\n", "198.51.100.7"),
        (PROXY, "X-Forwarded-For: 192.0.2.66\r\nX-Forwarded-For: 2001:db8::7\r\n", "2001:db8::7"),
        (PROXY, "Forwarded: for=192.0.2.66, for=\"[2001:db8::7]:4711\";proto=https, for=10.0.0.1\r\n", "2001:db8::7"),
        (PROXY, "Forwarded: for=192.0.2.66\r\nX-Forwarded-For: 192.0.2.67\r\n", "127.0.0.9"),
        (PROXY, "Forwarded: for=_hidden\r\n", "127.0.0.9"),
        (PROXY, "", "127.0.0.9"),
        (elsewhere, "X-Forwarded-For: 198.51.100.7\r\n", "127.0.0.1"),
        (elsewhere, "Forwarded: for=198.51.100.7\r\n", "127.0.0.1"),
    ] {
        let mut asked = Raw::connect_from(peer, server.address);
        asked.send(call(server.key, headers).as_bytes());
        assert_eq!(asked.hear_out().statuses(), [201], "{headers}");
        assert_eq!(told(&mut server), expected, "{peer}: {headers}");
    }
    assert!(server.terminate().success());
}

/// Keys that are not known are answered later and later, by address: the tenth waits for 800 ms.
#[test]
fn who_guesses_keys_behind_a_proxy_is_kept_waiting_and_nobody_beside() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = start(dir.path(), &[]);
    let guess = |client: &str| {
        let mut asked = Raw::connect_from(PROXY, server.address);
        let begun = Instant::now();
        asked.send(call("hw_guessed", &format!("X-Forwarded-For: {client}\r\n")).as_bytes());
        assert_eq!(asked.hear_out().statuses(), [401]);
        begun.elapsed()
    };
    let waits: Vec<Duration> = (0..10).map(|_| guess("198.51.100.7")).collect();
    assert!(waits[9] >= Duration::from_millis(800), "{waits:?}");
    // Were it of the same address, it would wait for 1,600 ms. It is not asserted how fast it is, but that it is told as the first.
    guess("198.51.100.8");
    for client in ["198.51.100.7", "198.51.100.8"] {
        let line = server.process.line(&format!("address={client}"));
        assert!(line.contains("a key that is not known") && line.contains("count=1"), "{line}");
    }
    assert!(server.terminate().success());
}

/// A proxy that says nothing of how it was asked, and writes its own name for the server into `Host`, as nginx does by itself.
#[test]
fn what_a_silent_proxy_hands_on_is_as_public_as_the_server_and_never_local() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = start(dir.path(), &[("HOOKWHEEL__SERVER__PUBLIC_URL", "https://hooks.example.com")]);
    let form = format!("admin_key={}&email=root%40example.com&name=Root&password=correct+horse+battery", server.key);
    let post = |peer, more: &str| {
        let mut asked = Raw::connect_from(peer, server.address);
        let head = format!(
            "POST /dashboard/first HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://hooks.example.com\r\nConnection: close\r\n\
             {more}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        asked.send(head.as_bytes());
        asked.hear_out()
    };
    for sign in ["Via: 1.1 proxy\r\n", "X-Forwarded-For: 198.51.100.7\r\n"] {
        let refused = post(Ipv4Addr::LOCALHOST, sign);
        assert!(refused.statuses() == [403] && refused.text.contains("plain HTTP"), "{sign}: {}", refused.text);
    }
    let made = post(PROXY, "");
    assert!(made.statuses() == [303] && made.text.contains("__Host-hookwheel="), "{}", made.text);
    assert!(server.terminate().success());
}
