//! Rows about what a webhook may say of its own: headers, authentication, TLS, filters, shapes.

use serde_json::{Value, json};

use super::kit::{endpoint, next_data, publish};
use super::support::{Authority, Stage, TlsEndpoint};

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
pub fn authenticate_at_an_endpoint_by_oauth_2(_: &mut Stage) {
    todo!()
}
pub fn try_the_authentication(_: &mut Stage) {
    todo!()
}
pub fn try_a_filter(_: &mut Stage) {
    todo!()
}
pub fn send_something_else_than_the_event_says(_: &mut Stage) {
    todo!()
}
pub fn try_a_transformation(_: &mut Stage) {
    todo!()
}
