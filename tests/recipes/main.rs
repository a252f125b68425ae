//! The server behind nginx and Caddy, set up as the guide prints it: what it knows of its clients, what those cannot make it
//! believe, and what comes through, also while it restarts.

#[path = "../support/mod.rs"]
mod support;

mod asking;
mod front;
mod restarts;

use asking::{Asking, until};
use front::{Behind, Front, Kind};
use serde_json::{Value, json};
use support::process::KEY;
use support::raw;

/// What a client says of itself to seem another, elsewhere.
const SPOOFED: &str = "X-Forwarded-For: 192.0.2.66\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: http\r\n\
                       Forwarded: for=192.0.2.66;host=evil.example;proto=http\r\n";

/// Runs a test behind each proxy that is here, with these lines added to the page's configuration.
fn each(more: &str, test: impl Fn(Behind)) {
    for kind in [Kind::Nginx, Kind::Caddy] {
        if let Some(behind) = Behind::start(kind, more) {
            test(behind);
        }
    }
}

#[test]
fn the_client_is_who_connects_and_not_what_it_says_of_itself() {
    each("[log]\naccess = \"on\"\n", |mut behind| {
        let user = json!({"email": "ada@example.com", "name": "Ada", "role": "viewer"});
        let made = Asking::new("POST", "/api/v1/users").with(SPOOFED).json(&user).of(&behind.front);
        let link = made.data(201)["link"]["url"].to_string();
        assert!(link.starts_with("\"https://hooks.example.com/dashboard/"), "{link}");
        assert_eq!(made.header_values("strict-transport-security"), ["max-age=31536000"]);
        let line = behind.line("path=\"/api/v1/users\"");
        assert!(line.contains("address=\"127.0.0.9\""), "{line}");
        let entry = behind.client().get("/api/v1/audit?limit=1").data(200)[0].clone();
        assert_eq!((&entry["action"], &entry["address"]), (&json!("user.invited"), &json!("127.0.0.9")));

        let page = Asking::new("GET", "/docs/api/events.publish").with(SPOOFED).of(&behind.front).text();
        assert!(page.contains("https://hooks.example.com/api/v1/events") && !page.contains("evil.example"), "{page}");
    });
}

#[test]
fn a_connection_that_is_handed_on_is_whose_the_proxy_says() {
    let Some(behind) = Behind::start(Kind::Stream, "") else { return };
    let user = json!({"email": "ada@example.com", "name": "Ada", "role": "viewer"});
    Asking::new("POST", "/api/v1/users").with(SPOOFED).json(&user).of(&behind.front).data(201);
    let entry = Asking::new("GET", "/api/v1/audit?limit=1").of(&behind.front).data(200)[0].clone();
    assert_eq!((&entry["action"], &entry["address"]), (&json!("user.invited"), &json!("127.0.0.9")));
    // Who goes past it comes from elsewhere, and needs no header of the proxy's.
    let past = Front { address: behind.address, ..behind.front.clone() };
    Asking::new("GET", "/health/live").of(&past).data(200);
}

#[test]
fn who_asks_for_another_name_is_not_let_through() {
    each("[log]\naccess = \"on\"\n", |mut behind| {
        let page = Asking::new("GET", "/docs/api/events.publish").to("evil.example").of(&behind.front);
        assert!(page.status == 421 || page.text().is_empty(), "{page:?}");
        assert_eq!(Asking::new("GET", "/docs/api").of(&behind.front).status, 200);
        // It is the first that the server hears of.
        let line = behind.line("path=");
        assert!(line.contains("path=\"/docs/api\""), "{line}");
        // Without TLS nobody is served either.
        let heard = raw::say(behind.front.address, b"GET /docs HTTP/1.1\r\nHost: hooks.example.com\r\n\r\n");
        assert!(!heard.text.contains("HTTP/1.1 200"), "{heard:?}");
    });
}

#[test]
fn who_logs_in_at_the_proxy_gets_a_cookie_for_tls_only() {
    const PASSWORD: &str = "correct+horse+battery";
    each("", |behind| {
        let first = format!("admin_key={KEY}&email=root@example.com&name=Root&password={PASSWORD}");
        let log_in = format!("email=root@example.com&password={PASSWORD}");
        for (path, form) in [("/dashboard/first", first), ("/dashboard/log-in", log_in)] {
            let evil = Asking::new("POST", path).with("Origin: https://evil.example\r\n").form(&form).of(&behind.front);
            assert_eq!(evil.status, 403, "{}", evil.text());
            let own = format!("Origin: https://hooks.example.com\r\n{SPOOFED}");
            let reply = Asking::new("POST", path).with(&own).form(&form).of(&behind.front);
            assert_eq!((reply.status, reply.header_values("location")), (303, vec!["/dashboard"]), "{}", reply.text());
            let cookie = reply.header_values("set-cookie")[0].to_owned();
            assert!(cookie.starts_with("__Host-hookwheel=") && cookie.contains("; Secure; HttpOnly;"), "{cookie}");
            let session = format!("Cookie: {}\r\n", cookie.split(';').next().expect("a value"));
            assert_eq!(Asking::new("GET", "/dashboard/you").with(&session).of(&behind.front).status, 200);
        }
    });
}

#[test]
fn a_stream_comes_at_once_and_outlives_the_proxys_patience() {
    // A stream gives a sign each second then; the proxy's patience is cut to five.
    const SIGNS: usize = 7;
    each("idle_seconds = 2\n", |behind| {
        let mut stream = Asking::new("GET", "/api/v1/stream?kind=event").begin(&behind.front);
        until(&mut stream, "retry: ");
        Asking::new("POST", "/api/v1/events")
            .json(&json!({"type": "order.paid", "data": 1}))
            .of(&behind.front)
            .data(202);
        let event: Value = serde_json::from_str(&until(&mut stream, "data: ")[6..]).expect("JSON");
        assert_eq!(event["type"], "order.paid");
        for _ in 0..SIGNS {
            until(&mut stream, ":");
        }
        Asking::new("POST", "/api/v1/events")
            .json(&json!({"type": "order.sent", "data": 1}))
            .of(&behind.front)
            .data(202);
        assert!(until(&mut stream, "data: ").contains("order.sent"));
    });
}

#[test]
fn a_body_comes_through_up_to_the_servers_limit() {
    const LIMIT: usize = 10 << 20;
    each("", |behind| {
        for (length, status) in [(LIMIT, 202), (LIMIT + 1, 413)] {
            let around = json!({"type": "order.paid", "data": ""}).to_string().len();
            let event = json!({"type": "order.paid", "data": "x".repeat(length - around)});
            let reply = Asking::new("POST", "/api/v1/events").json(&event).of(&behind.front);
            assert_eq!(reply.status, status, "{length}: {}", reply.text());
        }
    });
}
