//! From Convoy. The shapes are those of its published OpenAPI document: `models.ProjectResponse`, `models.PagedResponse`,
//! `models.EndpointResponse`, `models.SubscriptionResponse`, `models.EventTypeResponse`.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::support::{Answer, Receiver, Server};
use super::{fake, hmac, hookwheel, lines, plain, rows};

const PROJECT: &str = "01HQPROJECT0000000000000000";
const FIRST: &str = "01HQENDPOINT000000000000001";
const SECOND: &str = "01HQENDPOINT000000000000002";

fn reply(data: Value) -> Value {
    json!({"status": true, "message": "fetched", "data": data})
}

fn page(rows: Value, next: Option<&str>) -> Value {
    let pagination =
        json!({"per_page": 100, "has_next_page": next.is_some(), "next_page_cursor": next.unwrap_or_default()});
    reply(json!({"content": rows, "pagination": pagination}))
}

fn endpoint(uid: &str, url: &str) -> Value {
    json!({
        "uid": uid, "project_id": PROJECT, "owner_id": "acme", "url": url, "name": "billing", "description": "", "status": "active",
        "advanced_signatures": false, "http_timeout": 10, "rate_limit": 30, "rate_limit_duration": 60, "authentication": null,
        "content_type": "application/json", "support_email": "ops@acme.example",
        "secrets": [{"uid": "s1", "value": "the-secret-of-the-receiver", "expires_at": null, "deleted_at": null}],
    })
}

fn subscription(types: Value, filter: Value) -> Value {
    json!({"uid": "sub1", "name": "all", "type": "api", "function": null, "filter_config": {"event_types": types, "filter": filter}})
}

fn convoy(url: &str) -> Receiver {
    let project = json!({
        "uid": PROJECT, "name": "Shop", "type": "outgoing",
        "config": {
            "signature": {"header": "X-Shop-Signature", "versions": [{"uid": "v", "hash": "SHA256", "encoding": "hex"}]},
            "strategy": {"type": "linear", "duration": 60, "retry_count": 3},
        },
    });
    let of = |path: &str| format!("/api/v1/projects/{PROJECT}/{path}");
    let (first, second) =
        (of("endpoints?perPage=100&direction=next"), of("endpoints?perPage=100&direction=next&next_page_cursor=c1"));
    let wants = |uid: &str| of(&format!("subscriptions?perPage=100&direction=next&endpointId={uid}"));
    let filter = json!({"body": {"amount": {"$gt": 100}}, "headers": {}});
    let pages: [(&str, Value); 6] = [
        ("/api/v1/projects", reply(json!([project]))),
        (
            &of("event-types"),
            reply(json!([{"uid": "t0", "name": "*"}, {"uid": "t1", "name": "invoice.paid", "description": "d"}])),
        ),
        (&first, page(json!([endpoint(FIRST, url)]), Some("c1"))),
        (&second, page(json!([endpoint(SECOND, url)]), None)),
        (&wants(FIRST), page(json!([subscription(json!(["invoice.paid"]), json!({"body": {}, "headers": {}}))]), None)),
        (&wants(SECOND), page(json!([subscription(json!(["*"]), filter)]), None)),
    ];
    fake::start(&pages, &["/api/v1/projects"])
}

#[test]
fn receivers_of_convoy_verify_by_a_contract_that_is_made_of_its_project() {
    let dir = tempfile::tempdir().expect("a folder");
    let dialects = dir.path().join("contracts");
    std::fs::create_dir(&dialects).expect("made");
    let env = [("HOOKWHEEL__DELIVER__DIALECTS", plain(&dialects)), ("HOOKWHEEL__LOG__LEVEL", "info")];
    let mut server = Server::start(dir.path(), &env);
    let receiver = Receiver::start(|_, _| Answer::Status(204));
    let convoy = convoy(&receiver.url("/hook"));
    let token = dir.path().join("token");
    std::fs::write(&token, fake::TOKEN).expect("written");
    let from = convoy.url("/api");
    let import = ["import", "--from", "convoy", "--from-url", &from, "--from-token-file", plain(&token)];

    // Without a place for the contract it says what to do, and makes nothing that would speak another.
    let said = hookwheel(&server, &import);
    assert!(said.code == Some(1) && said.out.contains("--dialects DIR"), "{}{}", said.out, said.err);
    let accounts = rows(&server, "default", "/api/v1/accounts");
    assert!(accounts.iter().all(|account| account["id"] != "acme"), "{accounts:?}");

    let written = hookwheel(&server, &[&import[..], &["--what", "dialects", "--dialects", plain(&dialects)]].concat());
    assert_eq!(lines(&written.ended(0), ": made").len(), 1);
    server.process.signal(Signal::HUP);
    server.process.line("dialects were read again");
    let said = hookwheel(&server, &import);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    // The account, its event type, two webhooks.
    assert_eq!(lines(&said.out, ": made").len(), 4, "{}", said.out);
    for left in ["the filter of the subscription \"all\"", "its support e-mail", "events and their deliveries"] {
        assert!(said.err.contains(left), "{left} in {}", said.err);
    }
    let webhooks = rows(&server, "acme", "/api/v1/webhooks");
    let of = |uid: &str| webhooks.iter().find(|one| one["uid"] == uid).expect("it is there");
    assert_eq!((&of(FIRST)["events"], &of(FIRST)["timeout"]), (&json!(["invoice.paid"]), &json!(10)));
    assert_eq!(of(FIRST)["rate_limit"]["per_minute"], 30);
    assert_eq!(of(SECOND)["status"], "disabled", "it would get more than it did");

    let event = json!({"type": "invoice.paid", "data": {"amount": 1}});
    server.client().acting_for("acme").post("/api/v1/events", &event).data(202);
    let arrived = receiver.next();
    let mac = hmac(b"the-secret-of-the-receiver", &[&arrived.message.body]);
    let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(arrived.header("x-shop-signature"), Some(hex.as_str()));
    assert_eq!(arrived.message.body, br#"{"amount":1}"#);

    let again = hookwheel(&server, &import);
    assert_eq!(
        (again.code, lines(&again.out, ": made").len(), lines(&again.out, ": changed").len()),
        (Some(0), 0, 0),
        "{again:?}"
    );
}
