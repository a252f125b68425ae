//! The operator's pages: accounts and keys by forms, the settings without their secrets, the store, the machine; and that nobody
//! else gets them.

use serde_json::{Value, json};

use crate::here::Here;
use crate::support::Client;
use crate::support::process::KEY;

const ACCOUNTS: &str = "/dashboard/server/accounts";
const STORE: &str = "/dashboard/server/store";

/// Makes a webhook of the account `default`.
fn webhook(here: &mut Here, body: &Value) -> String {
    here.client.post("/api/v1/webhooks", body).data(201)["id"].as_str().expect("an id").to_owned()
}

#[test]
fn one_comes_in_where_one_belongs() {
    let mut here = Here::start();
    let mut browser = here.first();
    browser.get("/").leads_to("/dashboard");
    browser.get("/dashboard/").leads_to("/dashboard");
    browser.get("/dashboard").leads_to("/dashboard/@default/");
    browser.get("/dashboard/@default").leads_to("/dashboard/@default/");
    here.client.post("/api/v1/accounts", &json!({"id": "acme", "name": "Acme"})).data(201);
    here.user("acme", "owner@acme.example", "owner").0.get("/dashboard").leads_to("/dashboard/@acme/");
    here.stop();
    let here = Here::start_with(|config| config.dashboard.enabled = false);
    let mut browser = crate::browser::Browser::new(here.address);
    browser.get("/").leads_to("/docs");
    assert_eq!(browser.get("/dashboard").status, 404);
    here.stop();
}

#[test]
fn an_account_is_made_changed_and_deleted_by_forms() {
    let mut here = Here::start();
    let mut browser = here.first();
    let new = format!("{ACCOUNTS}/new");
    let wrong = [("id", "a b"), ("name", "Acme <Inc>"), ("limits.keys_max", "7")];
    let page = browser.submit(&new, ACCOUNTS, &wrong);
    page.refuses(400, "id=\"field-id-wrong\"");
    page.refuses(400, "value=\"Acme &lt;Inc&gt;\"");
    let wrong = [("id", "acme"), ("name", "Acme"), ("limits.timeout", "soon")];
    browser.submit(&new, ACCOUNTS, &wrong).refuses(400, "id=\"field-limits.timeout-wrong\"");
    let right = [("id", "acme"), ("name", "Acme"), ("tags", "beta plan/pro"), ("limits.keys_max", "7")];
    browser.submit(&new, ACCOUNTS, &right).leads_to("/dashboard/server/accounts/acme?said=created");
    let told = here.client.get("/api/v1/accounts/acme").data(200);
    assert_eq!((&told["limits"]["keys_max"], &told["tags"]), (&json!(7), &json!(["beta", "plan/pro"])));

    // What is empty goes back to what the server says.
    let edit = format!("{ACCOUNTS}/acme/edit");
    let changed = [("name", "Acme 2"), ("validation", "warn"), ("dialect", "standard")];
    browser.submit(&edit, &edit, &changed).leads_to("/dashboard/server/accounts/acme?said=saved");
    let told = here.client.get("/api/v1/accounts/acme").data(200);
    assert_eq!((&told["name"], &told["limits"]["keys_max"]), (&json!("Acme 2"), &Value::Null));
    let page = browser.get(ACCOUNTS).text;
    assert!(page.contains("Acme 2") && page.contains("/dashboard/@acme/webhooks"), "{page}");
    assert!(!browser.get(&format!("{ACCOUNTS}?text=nobody")).text.contains("Acme 2"));
    assert!(browser.get(&format!("{ACCOUNTS}?text=ACME")).text.contains("Acme 2"));

    let delete = format!("{ACCOUNTS}/acme/delete");
    let asked = browser.get(&delete).text;
    assert!(asked.contains("0 webhooks") && asked.contains("There is no way back"), "{asked}");
    here.client.get("/api/v1/accounts/acme").data(200);
    let gone = browser.submit(&delete, &delete, &[]);
    assert!(gone.location().starts_with("/dashboard/@default/jobs/"), "{}: {}", gone.location(), gone.text);
    assert_eq!(here.client.get("/api/v1/accounts/acme").status, 404);
    browser.get(&format!("{ACCOUNTS}/default/delete")).refuses(409, "there from the start");
    here.stop();
}

#[test]
fn a_key_is_shown_once_and_refused_once_it_is_revoked() {
    let mut here = Here::start();
    let mut browser = here.first();
    here.client.post("/api/v1/accounts", &json!({"id": "acme", "name": "Acme"})).data(201);
    let (keys, new) = ("/dashboard/@acme/keys", "/dashboard/@acme/keys/new");
    browser.submit(new, keys, &[("name", "backend")]).refuses(400, "at least one of");
    let made = browser.submit(new, keys, &[("name", "backend"), ("scopes", "publish"), ("scopes", "read")]);
    assert_eq!(made.status, 200, "{}", made.text);
    let key = made.between("<code>hw_", "<");
    let key = format!("hw_{key}");
    let mut client = Client::new(here.address, &key);
    let whoami = client.get("/api/v1/whoami").data(200);
    assert_eq!((&whoami["key"]["scopes"], &whoami["account"]["id"]), (&json!(["publish", "read"]), &json!("acme")));
    let page = browser.get(keys).text;
    assert!(page.contains("backend") && !page.contains(&key), "it is shown once: {page}");
    let revoke = format!("{keys}/{}/revoke", whoami["key"]["id"].as_str().expect("an id"));
    let asked = browser.get(&revoke).text;
    assert!(asked.contains("backend") && asked.contains("Revoke the key"), "{asked}");
    client.get("/api/v1/whoami").data(200);
    browser.submit(&revoke, &revoke, &[]).leads_to("/dashboard/@acme/keys?said=revoked");
    assert_eq!(client.get("/api/v1/whoami").status, 401);

    let audit = browser.get("/dashboard/@acme/audit").text;
    let at = |action: &str| audit.find(&format!(">{action}<")).unwrap_or_else(|| panic!("{action}: {audit}"));
    assert!(at("key.revoked") < at("key.created") && at("key.created") < at("account.created"));
    assert!(audit.contains("root@example.com"), "a person did it: {audit}");
    let some = browser.get("/dashboard/@acme/audit?action=key.revoked").text;
    assert!(some.contains(">key.revoked<") && !some.contains(">account.created<"), "{some}");
    browser.get("/dashboard/@acme/audit?from=yesterday").refuses(400, "from");
    here.stop();
}

#[test]
fn an_export_is_a_file_without_secrets() {
    let mut here = Here::start();
    let mut browser = here.first();
    let secret = "whsec_bWFya2VyLW1hcmtlci1tYXJrZXItbWFya2Vy";
    webhook(&mut here, &json!({"url": "https://example.com/", "events": ["*"], "secret": secret}));
    let file = browser.submit(&format!("{ACCOUNTS}/default"), "/dashboard/@default/export", &[]);
    assert_eq!(file.message.header("content-disposition"), Some("attachment; filename=\"default.ndjson\""));
    assert!(file.text.contains("{\"kind\":\"webhook\"") && file.text.contains("{\"kind\":\"end\""), "{}", file.text);
    assert!(!file.text.contains(secret), "{}", file.text);
    here.stop();
}

#[test]
fn settings_are_all_there_and_no_secret_among_them() {
    let mut here = Here::start();
    let mut browser = here.first();
    let settings = "/dashboard/server/settings";
    let page = browser.get(settings).text;
    let knobs = here.client.get("/api/v1/settings").data(200);
    for knob in knobs.as_array().expect("rows") {
        assert!(page.contains(&format!("<code>{}</code>", knob["name"].as_str().expect("a name"))), "{knob}");
    }
    assert!(!page.contains(KEY), "{page}");
    let some = browser.get(&format!("{settings}?changed=on")).text;
    assert!(some.contains("auth.admin_key") && !some.contains("server.listen"), "{some}");
    let some = browser.get(&format!("{settings}?text=retention")).text;
    assert!(some.contains("retention.event_days") && !some.contains("auth.admin_key"), "{some}");
    here.stop();
}

#[test]
fn the_store_and_the_machine_say_how_they_are() {
    let mut here = Here::start();
    let mut browser = here.first();
    let store = browser.get(STORE).text;
    let keys = here.client.get("/api/v1/master-keys").data(200);
    assert!(store.contains(keys["current"].as_str().expect("a mark")), "{store}");
    assert!(store.contains("known an hour after a start"), "{store}");
    here.turn(2 * 3_600_000);
    let store = browser.get(STORE).text;
    assert!(store.contains(" a day, as in the last 2 h"), "{store}");
    let trust = format!("{STORE}/trust-clock");
    assert!(browser.get(&trust).text.contains("Is the machine"));
    browser.submit(&trust, &trust, &[]).leads_to("/dashboard/server/store?said=saved");
    browser.submit(STORE, &format!("{STORE}/master-keys"), &[]).leads_to("/dashboard/server/store?said=read-again");
    assert!(here.deeds("default").contains(&"retention_clock.trusted".to_owned()));
    let nodes = browser.get("/dashboard/server/nodes").text;
    let knows = |text: &str| assert!(nodes.contains(text), "{text}: {nodes}");
    [env!("CARGO_PKG_VERSION"), &here.address.to_string(), "commit", "engine", "sender 1"].into_iter().for_each(knows);
    here.stop();
}

#[test]
fn notices_say_who_is_told_and_what() {
    let mut here = Here::start();
    let mut browser = here.first();
    let notices = "/dashboard/@default/notices";
    let page = browser.get(notices).text;
    assert!(page.contains("Nobody is told") && page.contains("webhook.disabled"), "{page}");
    let hears = json!({"quiet_seconds": 120});
    webhook(&mut here, &json!({"url": "https://chat.example.com/", "events": ["*"], "name": "chat", "notices": hears}));
    let page = browser.get(notices).text;
    assert!(page.contains(">chat</a>") && page.contains("2 min") && page.contains("Nothing yet"), "{page}");
    here.stop();
}

#[test]
fn an_accounts_owner_gets_none_of_the_operators_pages() {
    let mut here = Here::start();
    here.first();
    here.client.post("/api/v1/accounts", &json!({"id": "acme", "name": "Acme"})).data(201);
    let (mut owner, _) = here.user("acme", "owner@acme.example", "owner");
    assert_eq!(owner.get("/dashboard/@acme/").status, 200);
    assert_eq!(owner.get("/dashboard/@acme/audit").status, 200);
    let pages = [
        "accounts",
        "accounts/new",
        "accounts/acme",
        "accounts/acme/edit",
        "accounts/acme/delete",
        "settings",
        "store",
        "store/trust-clock",
        "nodes",
    ];
    let is_refused = |status: u16| matches!(status, 403 | 404);
    for page in pages {
        let reply = owner.get(&format!("/dashboard/server/{page}"));
        assert!(is_refused(reply.status), "{page}: {}", reply.status);
    }
    for page in ["", "keys", "audit", "notices"] {
        let reply = owner.get(&format!("/dashboard/@default/{page}"));
        assert!(is_refused(reply.status), "{page}: {}", reply.status);
    }
    let token = owner.get("/dashboard/you").field("token");
    let forced = [("name", "x"), ("token", token.as_str())];
    for form in ["accounts", "accounts/acme/edit", "accounts/acme/delete", "store/trust-clock", "store/master-keys"] {
        let reply = owner.post(&format!("/dashboard/server/{form}"), &forced);
        assert!(is_refused(reply.status), "{form}: {}", reply.status);
    }
    assert_eq!(here.client.get("/api/v1/accounts/acme").data(200)["name"], "Acme");
    here.stop();
}
