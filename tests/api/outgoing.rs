//! What the API says of outgoing connections: openings are for admins, URLs that could never be dialled are refused, and
//! deliveries are no events.

use crate::server::{Server, id};
use serde_json::{Value, json};

async fn key(server: &Server, scopes: &[&str]) -> String {
    let made = server.post("/api/v1/accounts/default/keys").json(json!({"scopes": scopes})).send().await.data(201);
    made["key"].as_str().unwrap().to_string()
}

fn body(url: &str) -> Value {
    json!({"url": url, "events": ["*"]})
}

#[actix_web::test]
async fn only_an_admin_opens_networks_and_what_is_sent_back_changes_nothing() {
    let server = Server::start().await;
    let manager = key(&server, &["manage", "read"]).await;
    let mut opening = body("https://example.com/");
    opening["allow"] = json!(["10.20.0.0/16"]);
    let refused = server.post("/api/v1/webhooks").key(&manager).json(opening.clone()).send().await;
    assert_eq!(refused.error(403, "forbidden"), "allow");
    let mut none = body("https://example.com/");
    none["allow"] = json!([]);
    server.post("/api/v1/webhooks").key(&manager).json(none).send().await.data(201);

    let made = server.post("/api/v1/webhooks").json(opening).send().await.data(201);
    assert_eq!(made["allow"], json!(["10.20.0.0/16"]));
    let path = format!("/api/v1/webhooks/{}", id(&made));
    for allowed in [json!({"name": "n"}), json!({"allow": ["10.20.0.0/16"]}), json!({"allow": ["10.20.3.4/16"]})] {
        let changed = server.ask("PUT", &path).key(&manager).json(allowed).send().await.data(200);
        assert_eq!(changed["allow"], json!(["10.20.0.0/16"]));
    }
    for closed in [json!({"allow": null}), json!({"allow": []}), json!({"allow": ["10.20.0.0/15"]})] {
        let refused = server.ask("PATCH", &path).key(&manager).json(closed).send().await;
        assert_eq!(refused.error(403, "forbidden"), "allow");
    }
    let wide = server.ask("PATCH", &path).json(json!({"allow": ["::/0"]})).send().await;
    assert!(wide.json["warnings"][0].as_str().unwrap().contains("opens nearly everything"), "{}", wide.text);
    for (allow, field) in [
        (json!(["10.20.0.0/33"]), "allow[0]"),
        (json!(["10.0.0.1", "x"]), "allow[1]"),
        (json!(vec!["10.0.0.1"; 33]), "allow"),
    ] {
        let refused = server.ask("PATCH", &path).json(json!({"allow": allow})).send().await;
        assert_eq!(refused.error(400, "invalid_field"), field);
    }
    let reset = server.ask("PATCH", &path).json(json!({"allow": null})).send().await.data(200);
    assert_eq!(reset["allow"], json!([]));
    server.stop().await;
}

#[actix_web::test]
async fn an_address_that_could_never_be_dialled_is_refused_with_the_rule_and_the_remedy() {
    let server = Server::start().await;
    for (host, rule, remedy) in [
        ("127.0.0.1", "special: loopback (127.0.0.0/8)", "deliver.allow"),
        ("2130706433", "special: loopback", "the webhook's allow"),
        ("0x7f.1", "special: loopback", "deliver.allow"),
        ("[::ffff:10.1.1.1]", "special: private (10.0.0.0/8)", "deliver.allow"),
        ("[64:ff9b::a9fe:a9fe]", "special: link-local (169.254.0.0/16)", "deliver.allow"),
        ("198.18.0.1", "denied by deliver.deny 198.18.0.0/16", "only the operator can change deliver.deny"),
    ] {
        let refused = server.post("/api/v1/webhooks").json(body(&format!("https://{host}/"))).send().await;
        let message = refused.json["error"]["message"].as_str().unwrap().to_string();
        assert_eq!(refused.error(400, "invalid_field"), "url", "{host}");
        assert!(message.contains(rule) && message.contains(remedy), "{host}: {message}");
    }
    for open in ["8.8.8.8", "10.9.1.1", "[2606:4700::1]", "internal.example"] {
        server.post("/api/v1/webhooks").json(body(&format!("https://{open}/"))).send().await.data(201);
    }
    let mut opened = body("https://10.20.1.1/");
    opened["allow"] = json!(["10.20.0.0/16"]);
    let made = server.post("/api/v1/webhooks").json(opened).send().await.data(201);
    let path = format!("/api/v1/webhooks/{}", id(&made));
    // The opening can be closed whatever the URL is; the dial then refuses it. Another URL is looked at again.
    server.ask("PATCH", &path).json(json!({"allow": null, "url": "https://10.20.1.1/"})).send().await.data(200);
    server.ask("PATCH", &path).json(json!({"name": "still there"})).send().await.data(200);
    let refused = server.ask("PATCH", &path).json(json!({"url": "https://10.20.1.2/"})).send().await;
    assert_eq!(refused.error(400, "invalid_field"), "url");
    let both = json!({"url": "https://10.20.1.2/", "allow": ["10.20.1.2"]});
    server.ask("PATCH", &path).json(both).send().await.data(200);
    server.stop().await;
}

#[actix_web::test]
async fn an_opening_holds_for_the_host_and_port_that_it_was_given_for() {
    let server = Server::start().await;
    let manager = key(&server, &["manage", "read"]).await;
    let mut opened = body("https://10.20.1.1:8443/in");
    (opened["allow"], opened["dialect"]) = (json!(["10.20.0.0/16"]), json!("taskflow"));
    let made = id(&server.post("/api/v1/webhooks").json(opened).send().await.data(201));
    let native = format!("/api/v1/webhooks/{made}");
    // The face has ids of its own spelling.
    let listed = server.get("/v2/webhooks").send().await.json;
    let face = format!("/v2/webhooks/{}", listed["data"][0]["id"].as_str().unwrap());
    let elsewhere =
        ["https://10.20.1.2:8443/in", "https://10.20.1.1/in", "https://10.20.1.1:22/in", "https://example.com/"];
    for (method, path) in [("PATCH", &native), ("PUT", &native), ("PATCH", &face), ("PUT", &face)] {
        for url in elsewhere {
            let refused = server.ask(method, path).key(&manager).json(json!({"url": url})).send().await;
            let message = refused.json["error"]["message"].as_str().unwrap_or_default().to_string();
            assert_eq!(refused.error(403, "forbidden"), "url", "{method} {path} {url}");
            assert!(message.contains("admin key"), "{message}");
        }
    }
    assert_eq!(server.get(&native).send().await.data(200)["url"], "https://10.20.1.1:8443/in");
    // Elsewhere at the same host and port is what was opened; all else of it can be changed; and an admin may move it.
    for change in [json!({"url": "https://10.20.1.1:8443/other?x=1"}), json!({"name": "n"})] {
        server.ask("PATCH", &native).key(&manager).json(change.clone()).send().await.data(200);
    }
    server.ask("PATCH", &face).json(json!({"url": elsewhere[0]})).send().await.data(200);
    // Once it is closed, its URL is the tenant's again.
    server.ask("PATCH", &native).json(json!({"allow": null})).send().await.data(200);
    let moved = json!({"url": "https://example.com/"});
    server.ask("PATCH", &native).key(&manager).json(moved).send().await.data(200);
    server.stop().await;
}

#[actix_web::test]
async fn names_and_ports_that_no_public_endpoint_can_have_are_refused() {
    let server = Server::start().await;
    let kept = id(&server.post("/api/v1/webhooks").json(body("https://example.com/")).send().await.data(201));
    let path = format!("/api/v1/webhooks/{kept}");
    // The server's guard opens 10.9.0.0/16, which says nothing of this machine.
    for (url, part) in [
        ("https://localhost/", "special: loopback (127.0.0.0/8)"),
        ("https://LocalHost.:8443/", "special: loopback (127.0.0.0/8)"),
        ("https://a.b.localhost/", "special: loopback (127.0.0.0/8)"),
        ("https://example..com/", "host name"),
        ("https://.example.com/", "host name"),
        ("https://example.com../", "host name"),
        ("https://*.example.com/", "host name"),
        ("https://a*b.example.com/", "host name"),
        ("https://example.com:0/", "port 0"),
    ] {
        let made = server.post("/api/v1/webhooks").json(body(url)).send().await;
        let changed = server.ask("PATCH", &path).json(json!({ "url": url })).send().await;
        for refused in [made, changed] {
            let message = refused.json["error"]["message"].as_str().unwrap_or_default().to_string();
            assert_eq!(refused.error(400, "invalid_field"), "url", "{url}");
            assert!(message.contains(part), "{url}: {message}");
        }
    }
    let mut opened = body("https://localhost:3000/");
    opened["allow"] = json!(["127.0.0.1"]);
    server.post("/api/v1/webhooks").json(opened).send().await.data(201);
    server.stop().await;
}

#[actix_web::test]
async fn custom_headers_do_not_steer_the_connection() {
    let server = Server::start().await;
    for name in [
        "Connection",
        "Content-Length",
        "expect",
        "Host",
        "HTTP2-Settings",
        "Keep-Alive",
        "Proxy-Authorization",
        "Proxy-Connection",
        "proxy-x",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "",
        "a b",
        "a\u{1}",
        "a\r\nb",
        ":path",
    ] {
        let mut webhook = body("https://example.com/");
        webhook["headers"] = json!({name: "close"});
        let refused = server.post("/api/v1/webhooks").json(webhook).send().await;
        assert_eq!(refused.error(400, "invalid_field"), format!("headers.{name}"));
    }
    let mut webhook = body("https://example.com/");
    webhook["headers"] = json!({"X-Expect": "1", "Forwarded-For": "x", "Keep": "alive"});
    server.post("/api/v1/webhooks").json(webhook).send().await.data(201);
    server.stop().await;
}

#[actix_web::test]
async fn a_delivery_is_no_event_and_nobody_else_marks_requests_as_one() {
    let server = Server::start().await;
    let event = json!({"type": "a", "data": 1});
    let refused = server.post("/api/v1/events").header("Hookwheel-Hop", "1").json(event.clone()).send().await;
    refused.error(508, "loop_detected");
    server.post("/api/v1/events").json(event).send().await.data(202);
    // Nor is it a test, a replay, or a call through a face.
    let webhook = server.post("/api/v1/webhooks").json(body("https://example.com/")).send().await.data(201);
    for path in [format!("/api/v1/webhooks/{}/test", id(&webhook)), "/api/v1/dead-letters/replay".into()] {
        server.post(&path).header("Hookwheel-Hop", "1").json(json!({})).send().await.error(508, "loop_detected");
    }
    let refused = server.get("/v2/webhooks").header("Hookwheel-Hop", "1").send().await;
    assert_eq!(refused.status, 508, "{}", refused.text);
    for name in ["Hookwheel-Hop", "hookwheel-hop", "HOOKWHEEL-HOP"] {
        let mut body = body("https://example.com/");
        body["headers"] = json!({name: "0"});
        let refused = server.post("/api/v1/webhooks").json(body).send().await;
        assert_eq!(refused.error(400, "invalid_field"), format!("headers.{name}"));
    }
    server.stop().await;
}

#[actix_web::test]
async fn the_guard_explains_itself_to_admins() {
    let server = Server::start().await;
    let path = "/api/v1/guard/explain";
    let manager = key(&server, &["manage", "read", "publish"]).await;
    let asked = json!({"url": "https://0x7f.1/"});
    server.post(path).key(&manager).json(asked.clone()).send().await.error(403, "forbidden");
    let said = server.post(path).json(asked).send().await.data(200);
    let expected = json!({
        "url": "https://127.0.0.1/", "host": "127.0.0.1", "port": 443, "may_dial": false,
        "addresses": [{
            "address": "127.0.0.1", "may_dial": false, "rule": "special", "reason": "special: loopback (127.0.0.0/8)",
            "remedy": "the operator can open it with deliver.allow, an admin with the webhook's allow",
        }],
        "note": null,
    });
    assert_eq!(said, expected);
    let mut opened = body("https://10.20.1.1/");
    opened["allow"] = json!(["10.20.0.0/16"]);
    let webhook = id(&server.post("/api/v1/webhooks").json(opened).send().await.data(201));
    let asked = json!({"url": "https://10.20.1.1/", "webhook": webhook});
    let said = server.post(path).json(asked).send().await.data(200);
    assert_eq!((&said["may_dial"], &said["addresses"][0]["rule"]), (&json!(true), &json!("opened_by_webhook")));
    for (asked, field) in
        [(json!({}), "url"), (json!({"url": "ftp://x"}), "url"), (json!({"url": "https://x", "a": 1}), "a")]
    {
        assert_eq!(server.post(path).json(asked).send().await.error(400, "invalid_field"), field);
    }
    let nobody = json!({"url": "https://x/", "webhook": "none"});
    server.post(path).json(nobody).send().await.error(404, "not_found");
    server.stop().await;
}
