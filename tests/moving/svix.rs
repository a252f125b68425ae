//! From Svix. The shapes are those of its published OpenAPI document: `ListResponse_ApplicationOut_`, `EndpointOut`,
//! `EndpointSecretOut`, `EndpointHeadersOut`, `EndpointTransformationOut`, `EventTypeOut`.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::support::{Answer, Receiver, Stage};
use super::{fake, hmac, hookwheel, lines, plain, rows};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const EP_1: &str = "ep_1srOrx2ZWZBpBUvZwXKQmoEYga1";
const EP_2: &str = "ep_1srOrx2ZWZBpBUvZwXKQmoEYga2";
const APP_1: &str = "app_1srOrx2ZWZBpBUvZwXKQmoEYg1";
const APP_2: &str = "app_1srOrx2ZWZBpBUvZwXKQmoEYg2";
const AT: &str = "2024-01-15T00:00:00Z";

fn app(id: &str, uid: Option<&str>) -> Value {
    json!({"id": id, "uid": uid, "name": "Acme", "metadata": {}, "createdAt": AT, "updatedAt": AT})
}

fn endpoint(id: &str, url: &str) -> Value {
    json!({
        "id": id, "uid": null, "url": url, "description": "Billing", "metadata": {"crm": "7"}, "disabled": false,
        "eventTypes": ["invoice.paid"], "channels": null, "throttleRate": 50, "createdAt": AT, "updatedAt": AT,
    })
}

fn svix(url: &str) -> Receiver {
    let below = |id: &str, last: &str| format!("/api/v1/app/{APP_1}/endpoint/{id}/{last}");
    let last = |data: Value| json!({"data": data, "done": true, "iterator": null});
    let (secret_1, secret_2) = (below(EP_1, "secret"), below(EP_2, "secret"));
    let (headers_1, headers_2) = (below(EP_1, "headers"), below(EP_2, "headers"));
    let transformation = below(EP_1, "transformation");
    let (endpoints_1, endpoints_2) =
        (format!("/api/v1/app/{APP_1}/endpoint?limit=100"), format!("/api/v1/app/{APP_2}/endpoint?limit=100"));
    let pages: [(&str, Value); 10] = [
        ("/api/v1/app?limit=100", json!({"data": [app(APP_1, Some("acme"))], "done": false, "iterator": APP_1})),
        (&format!("/api/v1/app?limit=100&iterator={APP_1}"), last(json!([app(APP_2, Some("acme.eu"))]))),
        (
            "/api/v1/event-type?limit=100&with_content=true&include_archived=true",
            last(json!([{
                "name": "invoice.paid", "description": "Somebody paid.", "deprecated": false, "archived": false,
                "schemas": {"1": {"type": "string"}, "2": {"type": "object"}}, "createdAt": AT, "updatedAt": AT,
            }])),
        ),
        (&endpoints_1, last(json!([endpoint(EP_1, url), endpoint(EP_2, url)]))),
        (&endpoints_2, last(json!([]))),
        (&secret_1, json!({"key": SECRET})),
        (&secret_2, json!({"key": SECRET.trim_start_matches("whsec_")})),
        (&headers_1, json!({"headers": {"X-Team": "blue"}, "sensitive": []})),
        (&headers_2, json!({"headers": {}, "sensitive": ["X-Api-Key"]})),
        (&transformation, json!({"enabled": false, "code": null})),
    ];
    fake::start(&pages, &["/api/v1/app?limit=100", &secret_1])
}

fn token(dir: &std::path::Path, token: &str) -> PathBuf {
    let path = dir.join("token");
    std::fs::write(&path, format!("{token}\n")).expect("written");
    path
}

#[test]
fn receivers_of_svix_go_on_with_the_secrets_that_they_have() {
    let mut stage = Stage::start(&[]);
    let receiver = Receiver::start(|_, _| Answer::Status(204));
    let (svix, token) = (svix(&receiver.url("/hook")), token(stage.dir.path(), fake::TOKEN));
    let from = svix.url("");
    let import = ["import", "--from", "svix", "--from-url", &from, "--from-token-file", plain(&token)];
    let dry = hookwheel(&stage.server, &[&import[..], &["--dry-run"]].concat()).ended(1);
    assert_eq!(lines(&dry, ": would be made").len(), 6, "{dry}");
    assert_eq!(rows(&stage.server, "default", "/api/v1/webhooks"), Vec::<Value>::new());

    let said = hookwheel(&stage.server, &import);
    // What is held for want of something is no success.
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    // Two accounts, the event type in each, two webhooks.
    assert_eq!(lines(&said.out, ": made").len(), 6, "{}", said.out);
    assert!(said.out.contains("it lacks headers: the value of X-Api-Key"), "{}", said.out);
    for left in ["its uid \"acme.eu\"", "its schemas but the newest, which is 2", "messages and their attempts"] {
        assert!(said.err.contains(left), "{left} in {}", said.err);
    }
    assert!(!format!("{}{}", said.out, said.err).contains("MfKQ9r8GKYqr"), "a secret is printed");

    let webhooks = rows(&stage.server, "acme", "/api/v1/webhooks");
    let of = |uid: &str| webhooks.iter().find(|one| one["uid"] == uid).expect("it is there");
    let first = of(EP_1);
    assert_eq!((&first["dialect"], &first["status"]), (&json!("svix"), &json!("active")));
    assert_eq!((&first["events"], &first["headers"]), (&json!(["invoice.paid"]), &json!({"X-Team": "blue"})));
    assert_eq!((&first["rate_limit"]["per_second"], &first["metadata"]), (&json!(50), &json!({"crm": "7"})));
    assert_eq!(of(EP_2)["status"], "disabled", "it lacks a header");
    let mut acme = stage.server.client().acting_for("acme");
    let known = acme.get("/api/v1/event-types/invoice.paid").data(200);
    assert_eq!((&known["schema"], &known["dialect"]), (&json!({"type": "object"}), &Value::Null));
    assert_eq!(stage.client.get(&format!("/api/v1/accounts/{APP_2}")).data(200)["dialect"], "svix");

    // As Svix's own libraries verify it.
    acme.post("/api/v1/events", &json!({"type": "invoice.paid", "id": "inv-1", "data": {"amount": 1.0}})).data(202);
    let arrived = receiver.next();
    let header = |name: &str| arrived.header(name).unwrap_or_else(|| panic!("no {name}")).to_owned();
    let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).expect("base64");
    let signed = format!("{}.{}.", header("svix-id"), header("svix-timestamp"));
    let expected = format!("v1,{}", STANDARD.encode(hmac(&key, &[signed.as_bytes(), &arrived.message.body])));
    assert_eq!(header("svix-signature"), expected);
    assert_eq!((arrived.message.body.as_slice(), header("x-team").as_str()), (&br#"{"amount":1.0}"#[..], "blue"));

    // Again, after somebody has completed the second one: nothing is made twice, and what was completed stays.
    let path = format!("/api/v1/webhooks/{EP_2}");
    let complete = json!({"headers": {"X-Api-Key": "k"}}).to_string();
    acme.request("PATCH", &path, complete.as_bytes()).data(200);
    let again = hookwheel(&stage.server, &import).ended(0);
    assert_eq!((lines(&again, ": made").len(), lines(&again, ": the same").len()), (0, 5), "{again}");
    assert_eq!(acme.get(&path).data(200)["headers"], json!({"X-Api-Key": "k"}));
    assert_eq!(acme.get(&path).data(200)["status"], "active");
    assert_eq!(rows(&stage.server, "acme", "/api/v1/webhooks").len(), 2);
}

#[test]
fn a_list_that_leads_round_is_no_import_that_went_well() {
    let stage = Stage::start(&[]);
    let token = token(stage.dir.path(), fake::TOKEN);
    let round = json!({"data": [], "done": false, "iterator": "i"});
    let pages = [
        ("/api/v1/event-type?limit=100&with_content=true&include_archived=true", json!({"data": [], "done": true})),
        ("/api/v1/app?limit=100", round.clone()),
        ("/api/v1/app?limit=100&iterator=i", round),
    ];
    let svix = fake::start(&pages, &[]);
    let from = svix.url("");
    let said = hookwheel(
        &stage.server,
        &["import", "--from", "svix", "--from-url", &from, "--from-token-file", plain(&token)],
    );
    assert!(said.code == Some(1) && said.err.contains("/api/v1/app leads round"), "{}", said.err);
}

#[test]
fn who_is_away_or_wants_to_be_left_alone_for_an_age_is_not_waited_for() {
    let stage = Stage::start(&[]);
    let token = token(stage.dir.path(), fake::TOKEN);
    let import = |from: &str| {
        hookwheel(&stage.server, &["import", "--from", "svix", "--from-url", from, "--from-token-file", plain(&token)])
    };
    let busy = Receiver::start(|_, _| {
        Answer::Bytes(
            b"HTTP/1.1 429 Told\r\nConnection: close\r\nRetry-After: 18446744073709551615\r\nContent-Length: 0\r\n\r\n",
        )
    });
    let said = import(&busy.url(""));
    assert!(said.code == Some(1) && said.err.contains("answered 429; it is not asked for longer"), "{}", said.err);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let said = import(&format!("http://{}", closed.expect("a free port")));
    assert!(said.code == Some(1) && said.err.contains("is --from-url right?"), "{}", said.err);
}

#[test]
fn a_token_that_is_refused_is_said_and_not_shown() {
    let stage = Stage::start(&[]);
    let (svix, token) = (svix("https://a.example"), token(stage.dir.path(), "testsk_wrong"));
    let from = svix.url("");
    let import = ["import", "--from", "svix", "--from-url", &from, "--from-token-file", plain(&token)];
    let said = hookwheel(&stage.server, &import);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("answered 401: Invalid token") && said.err.contains("--from-token-file"), "{}", said.err);
    assert!(!said.err.contains("testsk_wrong"), "{}", said.err);
    // One that no header can hold is none.
    std::fs::write(&token, "testsk\u{7f}wrong\n").expect("written");
    let said = hookwheel(&stage.server, &import);
    assert!(said.code == Some(2) && said.err.contains("holds no token"), "{}", said.err);
    let nameless = hookwheel(&stage.server, &["import", "--from", "svix"]);
    assert_eq!(nameless.code, Some(2), "{}", nameless.err);
}
