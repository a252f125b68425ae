//! Rows about what a webhook may say of its own: headers, authentication, TLS, filters, shapes.

use serde_json::{Value, json};

use super::kit::{endpoint, list, next_data, publish};
use super::support::{Answer, Authority, Receiver, Stage, TlsEndpoint};

fn change(stage: &mut Stage, webhook: &str, fields: Value) -> Value {
    let path = format!("/api/v1/webhooks/{webhook}");
    stage.client.request("PATCH", &path, fields.to_string().as_bytes()).data(200);
    stage.client.get(&path).data(200)
}

pub fn send_headers_of_ones_own(stage: &mut Stage) {
    let receiver = endpoint(200);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    let shown = change(stage, &webhook, json!({"headers": {"X-Team": "blue"}}));
    assert_eq!(shown["headers"], json!({"X-Team": "blue"}));
    stage.publish("with");
    assert_eq!(receiver.next().header("x-team"), Some("blue"));
    assert_eq!(change(stage, &webhook, json!({"headers": null}))["headers"], json!({}));
    stage.publish("without");
    assert_eq!(receiver.next().header("x-team"), None);
}

pub fn show_a_client_certificate_trust_an_authority(stage: &mut Stage) {
    let ours = Authority::new();
    let receiver = TlsEndpoint::start(&ours.certify("localhost", |_| {}), Some(&ours), rustls::ALL_VERSIONS);
    let webhook = stage.webhook(&receiver.url(), json!({}));
    stage.publish("untrusted");
    assert_eq!(stage.outcome(&webhook, "untrusted").0, "tls");
    let client = ours.certify("client", |_| {});
    let tls = json!({"ca": ours.pem, "client_certificate": client.certificate, "client_key": client.key});
    let shown = change(stage, &webhook, json!({"tls": tls}));
    assert_eq!((&shown["tls"]["ca"], &shown["tls"]["client_key"]), (&json!(ours.pem), &json!(true)));
    stage.publish("trusted");
    assert_eq!(stage.outcome(&webhook, "trusted").0, "ok");
}

pub fn let_only_some_events_through(stage: &mut Stage) {
    let receiver = endpoint(200);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    let filter = "@.data.amount > 100 && @.data.currency == \"EUR\"";
    assert_eq!(change(stage, &webhook, json!({"filter": filter}))["filter"], filter);
    for (amount, currency) in [(100, "EUR"), (200, "USD"), (300, "EUR")] {
        let event = json!({"type": "order.paid", "data": {"amount": amount, "currency": currency}});
        publish(&mut stage.client, event);
    }
    assert_eq!(next_data(&receiver)["amount"], 300, "and nothing before it");
}

/// A token endpoint that knows this client; of others it does not.
fn tokens() -> (Receiver, Value) {
    let receiver = Receiver::start(|_, message| match message.header("authorization") {
        Some("Basic dXM6b3Vycw==") => Answer::Bytes(
            b"HTTP/1.1 200 OK\r\nContent-Length: 59\r\nConnection: close\r\n\r\n\
              {\"access_token\":\"t1\",\"token_type\":\"bearer\",\"expires_in\":60}",
        ),
        _ => Answer::Status(401),
    });
    let auth =
        json!({"type": "oauth2", "token_url": receiver.url("/token"), "client_id": "us", "client_secret": "ours"});
    (receiver, auth)
}

pub fn authenticate_at_an_endpoint_by_oauth_2(stage: &mut Stage) {
    let (receiver, (tokens, auth)) = (endpoint(200), tokens());
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    let shown = change(stage, &webhook, json!({"auth": auth}));
    assert_eq!((&shown["auth"]["type"], &shown["auth"]["client_secret"]), (&json!("oauth2"), &json!(true)));
    stage.publish("with");
    assert_eq!(receiver.next().header("authorization"), Some("Bearer t1"));
    assert_eq!(tokens.next().path, "/token");
    assert_eq!(change(stage, &webhook, json!({"auth": null}))["auth"], Value::Null);
    stage.publish("without");
    assert_eq!(receiver.next().header("authorization"), None);
}

pub fn try_the_authentication(stage: &mut Stage) {
    let (receiver, (_tokens, mut auth)) = (endpoint(200), tokens());
    for (secret, is_right) in [("ours", true), ("stolen", false)] {
        auth["client_secret"] = json!(secret);
        let webhook = stage.webhook(&receiver.url("/"), json!({"auth": auth}));
        let checked = stage.client.post(&format!("/api/v1/webhooks/{webhook}/check"), &json!({})).data(200);
        assert_eq!((&checked["reachable"], checked["error"].is_null()), (&json!(is_right), is_right), "{checked}");
    }
    assert_eq!(receiver.next().header("authorization"), Some("Bearer t1"));
}

pub fn try_a_filter(stage: &mut Stage) {
    let tried = |stage: &mut Stage, amount: u32| {
        let event = json!({"type": "order.paid", "data": {"amount": amount}});
        let body = json!({"filter": "@.data.amount > 100", "events": ["order.*"], "event": event});
        stage.client.post("/api/v1/filter/try", &body).data(200)
    };
    assert_eq!(tried(stage, 200)["matches"], true);
    let told = tried(stage, 50);
    assert_eq!((&told["matches"], &told["type_matches"]), (&json!(false), &json!(true)));
    assert_eq!((&told["why"][0]["left"], &told["why"][0]["right"]), (&json!("50"), &json!("100")));
}

/// A shape, an event that it is for, and what it makes of that.
fn shaped() -> [Value; 3] {
    let shape = json!({
        "pick": ["@.data.id", "@.data.status"], "rename": {"@.data.id": "order"},
        "map": {"@.data.status": {"1": "open"}}, "set": {"text": "Order {@.data.id}"},
    });
    let event = json!({"type": "order.made", "data": {"id": 7, "status": 1, "card": "4242"}});
    [shape, event, json!({"order": 7, "status": "open", "text": "Order 7"})]
}

pub fn send_something_else_than_the_event_says(stage: &mut Stage) {
    let [shape, event, made] = shaped();
    let receiver = endpoint(200);
    let webhook = stage.webhook(&receiver.url("/"), json!({}));
    assert_eq!(change(stage, &webhook, json!({"shape": shape}))["shape"], shape);
    publish(&mut stage.client, event.clone());
    assert_eq!(next_data(&receiver), made);
    assert_eq!(change(stage, &webhook, json!({"shape": null}))["shape"], Value::Null);
    publish(&mut stage.client, event.clone());
    assert_eq!(next_data(&receiver), event["data"]);
}

pub fn try_a_transformation(stage: &mut Stage) {
    let [shape, event, made] = shaped();
    let tried = stage.client.post("/api/v1/shape/try", &json!({"shape": shape, "event": event})).data(200);
    assert_eq!((&tried["data"], &tried["error"]), (&made, &Value::Null));
    assert_eq!(list(&mut stage.client, "/api/v1/events"), [Value::Null; 0], "nothing is kept of it");
}
