//! Operations of the API, tried with a session: what one's role may, in one's own account, from a page of this server.

use serde_json::json;

use crate::browser::Browser;
use crate::here::Here;
use crate::support::Client;
use crate::support::process::KEY;

const AT: &str = "/dashboard/@acme/try";
const BODY: &str = r#"{"url": "https://example.com/hook", "events": ["task.*"], "name": "<b>Mine</b>"}"#;

fn with_acme() -> Here {
    let mut here = Here::start();
    here.client.post("/api/v1/accounts", &json!({"id": "acme", "name": "Acme"})).data(201);
    here
}

/// Tries an operation with what a form says, and gives what the page tells.
#[track_caller]
fn tried(browser: &mut Browser, operation: &str, fields: &[(&str, &str)]) -> String {
    let at = format!("{AT}/{operation}");
    let page = browser.submit(&at, &at, fields);
    assert_eq!(page.status, 200, "{}", page.text);
    page.text
}

fn webhooks(here: &Here) -> Vec<String> {
    let mut client = Client::new(here.address, KEY).acting_for("acme");
    let rows = client.get("/api/v1/webhooks").data(200);
    rows.as_array().expect("rows").iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn a_call_does_what_the_role_of_its_caller_may() {
    let mut here = with_acme();
    let (mut owner, _) = here.user("acme", "owner@acme.example", "owner");
    let (mut operator, _) = here.user("acme", "operator@acme.example", "operator");
    let (mut viewer, _) = here.user("acme", "viewer@acme.example", "viewer");
    owner.get("/dashboard/try/webhooks.create").leads_to(&format!("{AT}/webhooks.create"));

    assert!(tried(&mut viewer, "webhooks.create", &[("body", BODY)]).contains("Answered 403"));
    assert!(webhooks(&here).is_empty());
    let made = tried(&mut owner, "webhooks.create", &[("body", BODY)]);
    assert!(made.contains("Answered 201") && !made.contains("<b>Mine"), "{made}");
    let made = webhooks(&here);
    let id = [("path-id", made[0].as_str())];
    assert!(here.deeds("acme").contains(&"webhook.created".to_owned()), "{:?}", here.deeds("acme"));

    let listed = tried(&mut viewer, "webhooks.list", &[("query-name", "mine")]);
    assert!(listed.contains("Answered 200") && listed.contains(&made[0]), "{listed}");
    assert!(tried(&mut viewer, "webhooks.pause", &id).contains("your role does not let you steer"));
    assert!(tried(&mut operator, "webhooks.pause", &id).contains("Answered 200"));
    assert!(tried(&mut operator, "webhooks.secret.get", &id).contains("your role does not let you rotate"));
    assert!(tried(&mut operator, "webhooks.delete", &id).contains("Answered 403"));
    assert!(tried(&mut owner, "webhooks.secret.get", &id).contains("whsec_"));
    let broken = tried(&mut owner, "webhooks.change", &[id[0], ("body", "{\"timeout\": 0}")]);
    assert!(broken.contains("Answered 400") && broken.contains("timeout"), "{broken}");
    assert!(tried(&mut owner, "webhooks.get", &[("path-id", "../accounts")]).contains("Answered 404"));
    assert!(tried(&mut owner, "webhooks.delete", &id).contains("Answered 204"));
    assert!(webhooks(&here).is_empty());
    here.stop();
}

#[test]
fn a_call_is_made_from_a_page_of_the_account_and_from_nowhere_else() {
    let mut here = with_acme();
    let (mut owner, _) = here.user("acme", "owner@acme.example", "owner");
    let at = format!("{AT}/webhooks.create");
    owner.post(&at, &[("body", BODY)]).refuses(403, "form");
    owner.from = Some("https://evil.example");
    owner.submit(&at, &at, &[("body", BODY)]).refuses(403, "form");
    owner.from = None;
    assert!(webhooks(&here).is_empty());
    assert_eq!(owner.get("/dashboard/@default/try/webhooks.list").status, 404);
    for operation in ["webhooks.leases.pull", "docs.index.get", "nothing"] {
        assert_eq!(owner.get(&format!("{AT}/{operation}")).status, 404, "{operation}");
    }
    assert!(Browser::new(here.address).get(&at).location().starts_with("/dashboard/log-in"));
    // The session alone opens no route of the API.
    let direct = owner.ask("GET", "/api/v1/webhooks", &[], "");
    assert_eq!(direct.status, 401, "{}", direct.text);
    here.stop();
}

#[test]
fn links_in_what_is_answered_lead_to_where_the_server_was_asked() {
    let here = with_acme();
    let mut root = here.first();
    let told = tried(&mut root, "users.create", &[("body", r#"{"email": "ada@acme.example"}"#)]);
    assert!(told.contains(&format!("{}/dashboard/ticket/", root.origin)), "{told}");
    here.stop();
}
