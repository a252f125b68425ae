//! How webhooks authenticate at their endpoints, over real sockets, with a token endpoint of the tests' own. What stays true: one
//! token serves all until it is over or not taken, what a token endpoint does is never said of the endpoint, and nothing goes to
//! an endpoint for which there is no token.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};

use hookwheel::clock::Stopwatch;
use serde_json::{Value, json};
use support::{Answer, Message, Receiver, Server, Stage};

/// A client that the token endpoints here know, and what they are shown by it.
const SECRET: &str = "s&cret";
const SHOWN: &str = "Basic Y2xpZW50OnMlMjZjcmV0";

/// An answer of JSON. A few bytes a test: the answers of these receivers are constants.
fn json_answer(status: u16, body: &Value) -> Answer {
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} Told\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    Answer::Bytes((head + &body).leak().as_bytes())
}

/// A token endpoint that gives `t1`, `t2` and so on, which hold for so many seconds.
fn tokens(expires_in: u64) -> Receiver {
    let count = AtomicUsize::new(0);
    Receiver::start(move |_, message| {
        if message.header("authorization") != Some(SHOWN) {
            return json_answer(401, &json!({"error": "invalid_client", "error_description": "who is that?"}));
        }
        let token = format!("t{}", count.fetch_add(1, Ordering::SeqCst) + 1);
        json_answer(200, &json!({"access_token": token, "token_type": "bearer", "expires_in": expires_in}))
    })
}

fn oauth2(tokens: &Receiver) -> Value {
    json!({"type": "oauth2", "token_url": tokens.url("/token"), "client_id": "client", "client_secret": SECRET})
}

fn patch(stage: &mut Stage, webhook: &str, change: Value) -> Value {
    let path = format!("/api/v1/webhooks/{webhook}");
    stage.client.request("PATCH", &path, change.to_string().as_bytes()).data(200)
}

/// The only attempt of a delivery that has ended.
#[track_caller]
fn attempt(stage: &mut Stage, webhook: &str, event: &str) -> Value {
    let delivery = stage.ended(webhook, event);
    let [attempt] = &delivery["attempts"].as_array().expect("attempts")[..] else { panic!("not one: {delivery}") };
    attempt.clone()
}

#[test]
fn each_way_is_a_header_behind_the_signature_and_no_attempt_keeps_it() {
    let endpoint = Receiver::start(|_, _| Answer::Status(200));
    let mut stage = Stage::start(&[]);
    let table = [
        (
            json!({"type": "basic", "username": "Aladdin", "password": "open sesame"}),
            "authorization",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        (json!({"type": "bearer", "token": "a.b"}), "authorization", "Bearer a.b"),
        (json!({"type": "header", "name": "X-Own", "value": "hush hush"}), "x-own", "hush hush"),
    ];
    for (n, (auth, name, value)) in table.into_iter().enumerate() {
        let event = format!("e{n}");
        let webhook = stage.webhook(&endpoint.url("/"), json!({"auth": auth}));
        stage.publish(&event);
        let arrived = endpoint.next();
        assert_eq!(arrived.header(name), Some(value));
        let at = |wanted: &str| arrived.message.headers.iter().position(|(name, _)| name.eq_ignore_ascii_case(wanted));
        assert!(at(name) > at("webhook-signature"), "{:?}", arrived.message.headers);
        assert_eq!(attempt(&mut stage, &webhook, &event)["request_headers"][name], "***");
        patch(&mut stage, &webhook, json!({"enabled": false}));
    }
}

#[test]
fn one_token_serves_all_deliveries_of_all_senders() {
    let (endpoint, tokens) = (Receiver::start(|_, _| Answer::Status(200)), tokens(3600));
    let mut stage = Stage::start(&[("HOOKWHEEL__DELIVER__SENDERS", "3")]);
    let mut auth = oauth2(&tokens);
    (auth["scope"], auth["audience"]) = (json!("read write"), json!("here"));
    auth["extra"] = json!({"resource": "https://a.example/"});
    let webhook = stage.webhook(&endpoint.url("/"), json!({ "auth": auth }));
    let events: Vec<String> = (0..30).map(|n| format!("e{n}")).collect();
    events.iter().for_each(|event| stage.publish(event));
    let mut fetched = 0;
    for event in &events {
        let arrived = endpoint.next();
        assert_eq!(arrived.header("authorization"), Some("Bearer t1"));
        assert!(arrived.header("webhook-signature").is_some(), "it is signed as well");
        let attempt = attempt(&mut stage, &webhook, event);
        assert_eq!((&attempt["success"], &attempt["request_headers"]["authorization"]), (&json!(true), &json!("***")));
        assert_eq!(attempt.get("reauthorized"), None);
        fetched += usize::from(attempt["timings"]["auth_ms"].is_f64());
    }
    assert_eq!(fetched, 1, "one of them fetched it, and says how long that took");
    let asked = tokens.next();
    let form = "grant_type=client_credentials&scope=read+write&audience=here&resource=https%3A%2F%2Fa.example%2F";
    assert_eq!(String::from_utf8_lossy(&asked.message.body), form);
    assert!(asked.message.start.starts_with("POST /token "), "{}", asked.message.start);
    for (name, value) in
        [("authorization", SHOWN), ("content-type", "application/x-www-form-urlencoded"), ("hookwheel-hop", "1")]
    {
        assert_eq!(asked.header(name), Some(value));
    }
    assert!(tokens.arrived.try_iter().next().is_none(), "nobody asked again");
}

#[test]
fn a_client_may_show_itself_among_the_parameters() {
    let endpoint = Receiver::start(|_, _| Answer::Status(200));
    let tokens = Receiver::start(|_, _| json_answer(200, &json!({"access_token": "t"})));
    let mut stage = Stage::start(&[]);
    let mut auth = oauth2(&tokens);
    auth["client_auth"] = json!("body");
    stage.webhook(&endpoint.url("/"), json!({ "auth": auth }));
    stage.publish("e");
    assert_eq!(endpoint.next().header("authorization"), Some("Bearer t"));
    let asked = tokens.next();
    assert_eq!(asked.header("authorization"), None);
    assert_eq!(asked.message.body, b"grant_type=client_credentials&client_id=client&client_secret=s%26cret");
}

#[test]
fn a_token_that_is_over_is_used_no_more() {
    let (endpoint, tokens) = (Receiver::start(|_, _| Answer::Status(200)), tokens(0));
    let mut stage = Stage::start(&[]);
    let webhook = stage.webhook(&endpoint.url("/"), json!({"auth": oauth2(&tokens)}));
    for (event, token) in [("e", "Bearer t1"), ("f", "Bearer t2")] {
        stage.publish(event);
        assert_eq!(stage.outcome(&webhook, event).0, "ok");
        assert_eq!(endpoint.next().header("authorization"), Some(token));
    }
}

#[test]
fn a_token_that_is_not_taken_is_fetched_anew_within_the_attempt() {
    let takes = |message: &Message| message.header("authorization") == Some("Bearer t2");
    let endpoint = Receiver::start(move |_, message| Answer::Status(if takes(message) { 200 } else { 401 }));
    let tokens = tokens(3600);
    let mut stage = Stage::start(&[]);
    let webhook = stage.webhook(&endpoint.url("/"), json!({"auth": oauth2(&tokens)}));
    stage.publish("e");
    let first = attempt(&mut stage, &webhook, "e");
    assert_eq!(
        (&first["success"], &first["status_code"], &first["reauthorized"]),
        (&json!(true), &json!(200), &json!(true))
    );
    let (refused, taken) = (endpoint.next(), endpoint.next());
    assert_eq!(
        (refused.header("authorization"), taken.header("authorization")),
        (Some("Bearer t1"), Some("Bearer t2"))
    );
    assert_eq!(refused.header("webhook-signature"), taken.header("webhook-signature"), "it is the same request");
    assert_eq!(refused.message.body, taken.message.body);
    stage.publish("f");
    assert_eq!(attempt(&mut stage, &webhook, "f").get("reauthorized"), None);
    assert_eq!(endpoint.next().header("authorization"), Some("Bearer t2"), "the new one serves from here on");
    assert_eq!(tokens.arrived.try_iter().count(), 2);
}

#[test]
fn who_takes_no_token_has_answered_401_like_anybody() {
    let (endpoint, tokens) = (Receiver::start(|_, _| Answer::Status(401)), tokens(3600));
    let mut stage = Stage::start(&[]);
    let webhook = stage.webhook(&endpoint.url("/"), json!({"auth": oauth2(&tokens)}));
    stage.publish("e");
    let refused = attempt(&mut stage, &webhook, "e");
    assert_eq!((&refused["outcome"], &refused["status_code"]), (&json!("status"), &json!(401)));
    assert_eq!(
        (endpoint.arrived.try_iter().count(), tokens.arrived.try_iter().count()),
        (2, 2),
        "once more, and no more"
    );
    // Who takes that for a success is not asked again.
    let fine = json!({"auth": oauth2(&tokens), "success": ["401"]});
    let fine = stage.webhook(&endpoint.url("/fine"), fine);
    stage.publish("f");
    let taken = attempt(&mut stage, &fine, "f");
    assert_eq!((&taken["success"], taken.get("reauthorized")), (&json!(true), None));
}

#[test]
fn a_token_endpoint_that_gives_none_is_told_of_and_spared_and_the_endpoint_is_not_asked() {
    let (endpoint, tokens) = (Receiver::start(|_, _| Answer::Status(200)), tokens(3600));
    let mut stage = Stage::start(&[]);
    let mut auth = oauth2(&tokens);
    auth["client_secret"] = json!("wrong");
    let webhook =
        stage.webhook(&endpoint.url("/"), json!({"auth": auth, "retry": {"delays": [0], "jitter_percent": 0}}));
    let watch = Stopwatch::start();
    // Fewer than make a lane pause.
    stage.publish("e");
    stage.publish("f");
    let error = "no access token: the token endpoint answered 401: invalid_client (who is that?)";
    for event in ["e", "f"] {
        let delivery = stage.ended(&webhook, event);
        let attempts = delivery["attempts"].as_array().expect("attempts");
        assert_eq!((attempts.len(), &delivery["state"]), (2, &json!("dead")), "it is tried again as ever: {delivery}");
        for attempt in attempts {
            assert_eq!((&attempt["outcome"], &attempt["error"]), (&json!("auth"), &json!(error)), "{attempt}");
            assert_eq!(
                (&attempt["status_code"], attempt["request_headers"].get("authorization")),
                (&Value::Null, None)
            );
        }
    }
    let asked = tokens.arrived.try_iter().count() as u64;
    assert!(asked <= 1 + watch.elapsed().as_secs() / 5, "four attempts asked {asked} times");
    assert_eq!(endpoint.arrived.try_iter().count(), 0, "nothing goes there without a token");

    // Whoever sets it right need not wait.
    patch(&mut stage, &webhook, json!({"auth": oauth2(&tokens)}));
    stage.publish("g");
    assert_eq!(stage.outcome(&webhook, "g").0, "ok");
    let listed = stage.client.get("/api/v1/deliveries?outcome=auth").data(200);
    assert_eq!(listed.as_array().expect("a list").len(), 2, "{listed}");
}

#[test]
fn what_comes_in_the_place_of_a_token_is_told_apart() {
    let endpoint = Receiver::start(|_, _| Answer::Status(200));
    let tokens = Receiver::start(|path, _| match path {
        "/hang" => Answer::Hang,
        "/close" => Answer::Close,
        "/endless" => Answer::Endless,
        "/html" => Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"),
        "/moved" => Answer::Bytes(b"HTTP/1.1 302 Moved\r\nLocation: /token\r\nContent-Length: 0\r\n\r\n"),
        "/mac" => json_answer(200, &json!({"access_token": "t", "token_type": "mac"})),
        "/none" => json_answer(200, &json!({"token_type": "bearer"})),
        _ => Answer::Status(503),
    });
    let mut stage = Stage::start(&[]);
    let plain = stage.webhook(&endpoint.url("/plain"), json!({}));
    let table = [
        ("/hang", "the token endpoint did not answer in time"),
        ("/close", "the connection to the token endpoint broke"),
        ("/endless", "with 16384 bytes or more"),
        ("/html", "with no JSON object that could be read"),
        ("/moved", "the token endpoint answered 302"),
        ("/mac", "with a token that is no bearer token"),
        ("/none", "without an access_token"),
        ("/503", "the token endpoint answered 503"),
    ];
    let webhooks: Vec<String> = table
        .iter()
        .map(|(path, _)| {
            let mut auth = oauth2(&tokens);
            auth["token_url"] = json!(tokens.url(path));
            stage.webhook(&endpoint.url("/"), json!({"auth": auth, "timeout": 2}))
        })
        .collect();
    stage.publish("e");
    assert_eq!(endpoint.next().path, "/plain", "who waits for no token is not held up");
    for (webhook, (path, wanted)) in webhooks.iter().zip(table) {
        let (outcome, error) = stage.outcome(webhook, "e");
        assert_eq!(outcome, "auth", "{path}: {error}");
        assert!(error.starts_with("no access token: ") && error.contains(wanted), "{path}: {error}");
    }
    assert_eq!(stage.outcome(&plain, "e").0, "ok");
    assert_eq!(endpoint.arrived.try_iter().count(), 0, "nobody else was asked");
    assert!(tokens.arrived.try_iter().all(|arrived| arrived.path != "/token"), "a redirect was followed");
}

#[test]
fn another_grant_gets_another_token_and_none_gets_none() {
    let (endpoint, tokens, others) = (Receiver::start(|_, _| Answer::Status(200)), tokens(3600), tokens(3600));
    let mut stage = Stage::start(&[]);
    let webhook = stage.webhook(&endpoint.url("/"), json!({"auth": oauth2(&tokens)}));
    let deliver = |stage: &mut Stage, event: &str| {
        stage.publish(event);
        assert_eq!(stage.outcome(&webhook, event).0, "ok");
        endpoint.next().header("authorization").map(str::to_owned)
    };
    assert_eq!(deliver(&mut stage, "a").as_deref(), Some("Bearer t1"));
    let mut scoped = oauth2(&tokens);
    scoped["scope"] = json!("more");
    patch(&mut stage, &webhook, json!({ "auth": scoped }));
    assert_eq!(deliver(&mut stage, "b").as_deref(), Some("Bearer t2"));
    patch(&mut stage, &webhook, json!({"auth": oauth2(&others)}));
    assert_eq!(deliver(&mut stage, "c").as_deref(), Some("Bearer t1"), "it is the other's first");
    patch(&mut stage, &webhook, json!({"auth": null}));
    assert_eq!(deliver(&mut stage, "d"), None);
}

#[test]
fn tests_checks_and_questions_authenticate_as_deliveries_do() {
    let (endpoint, tokens) = (Receiver::start(|_, _| Answer::Challenge), tokens(3600));
    let mut stage = Stage::start(&[]);
    let fixed = json!({"auth": {"type": "bearer", "token": "fixed"}, "ownership_check": true});
    // Once it is proven it is another webhook, which has a token of its own.
    for (settings, [asked, proven]) in [
        (fixed, ["Bearer fixed"; 2]),
        (json!({"auth": oauth2(&tokens), "ownership_check": true}), ["Bearer t1", "Bearer t2"]),
    ] {
        let webhook = stage.webhook(&endpoint.url("/"), settings);
        let path = format!("/api/v1/webhooks/{webhook}");
        assert_eq!(stage.client.get(&path).data(200)["status"], "active", "it has answered what it was asked");
        assert_eq!(stage.client.post(&format!("{path}/check"), &json!({})).data(200)["status_code"], 200);
        assert_eq!(stage.client.post(&format!("{path}/test"), &json!({})).data(202)["success"], true);
        for (what, wanted) in [("the question", asked), ("the check", proven), ("the test", proven)] {
            assert_eq!(endpoint.next().header("authorization"), Some(wanted), "{what}");
        }
    }
    assert_eq!(tokens.arrived.try_iter().count(), 2, "check and test share one token");

    let mut wrong = oauth2(&tokens);
    wrong["client_id"] = json!("nobody");
    let webhook = stage.webhook(&endpoint.url("/"), json!({"auth": wrong}));
    let checked = stage.client.post(&format!("/api/v1/webhooks/{webhook}/check"), &json!({})).data(200);
    assert_eq!(checked["reachable"], false);
    assert!(checked["error"].as_str().is_some_and(|error| error.contains("invalid_client")), "{checked}");
}

#[test]
fn a_token_endpoint_stands_behind_the_same_guard_when_it_is_set_and_when_it_is_dialled() {
    let (endpoint, tokens) = (Receiver::start(|_, _| Answer::Status(200)), tokens(3600));
    let dir = tempfile::tempdir().expect("a directory");
    let open = [("HOOKWHEEL__DELIVER__HTTP_ALLOWED", "true"), ("HOOKWHEEL__DELIVER__ALLOW", "127.0.0.0/8")];
    let server = Server::start_strict(dir.path(), &open);
    let mut webhook = json!({"url": endpoint.url("/"), "events": ["*"], "auth": oauth2(&tokens)});
    webhook["retry"] = json!({"delays": [], "jitter_percent": 0});
    let made = server.client().post("/api/v1/webhooks", &webhook).data(201);
    assert!(server.terminate().success());

    let server = Server::start_strict(dir.path(), &open[..1]);
    let mut stage = Stage { client: server.client(), server, dir };
    webhook["url"] = json!("https://example.com/");
    let refused = stage.client.post("/api/v1/webhooks", &webhook);
    let error = &refused.json()["error"];
    assert_eq!((refused.status, &error["field"]), (400, &json!("auth.token_url")));
    assert!(error["message"].as_str().is_some_and(|text| text.contains("special: loopback")), "{error}");
    stage.publish("e");
    let (outcome, error) = stage.outcome(made["id"].as_str().expect("an id"), "e");
    assert_eq!(outcome, "auth", "{error}");
    assert!(error.contains("the address of the token endpoint may not be dialled"), "{error}");
    assert_eq!(tokens.arrived.try_iter().count(), 0);
}
