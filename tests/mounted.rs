//! Which contracts a server serves: those that are wanted and those in use. What nobody wants has no API there and no page,
//! and no page of another names it.

mod support;

use std::path::Path;

use hookwheel::dialect::Dialects;
use serde_json::json;
use support::{Client, Server};

/// Starts a server without `--dev` that wants these.
fn start(dir: &Path, wanted: &str) -> Server {
    match wanted {
        "" => Server::start_strict(dir, &[]),
        wanted => Server::start_strict(dir, &[("HOOKWHEEL__DELIVER__BUILTIN_DIALECTS", wanted)]),
    }
}

/// The names of all that are served, as the API and the pages tell; both say the same.
fn served(server: &Server) -> Vec<String> {
    let mut client = server.client();
    let rows = client.get("/api/v1/dialects").data(200);
    let names: Vec<String> =
        rows.as_array().expect("a list").iter().filter_map(|row| row["name"].as_str()).map(String::from).collect();
    let mut public = Client::new(server.address, "no-key-at-all");
    let index = page(&mut public, "/docs");
    for dialect in Dialects::shipped().iter() {
        let (name, is_served) = (&dialect.name, names.contains(&dialect.name));
        let status = if is_served { 200 } else { 404 };
        assert_eq!(public.get(&format!("/docs/webhooks/{name}")).status, status, "{name}");
        assert_eq!(client.get(&format!("/api/v1/dialects/{name}")).status, status, "{name}");
        assert_eq!(index.contains(&format!("/docs/webhooks/{name}\"")), is_served, "{name}");
        if let Some(face) = &dialect.face
            && face.base != "/api/v1/webhooks"
        {
            assert_eq!(client.get(&face.base).status, status, "{name}");
        }
    }
    names
}

fn page(client: &mut Client, path: &str) -> String {
    let reply = client.get(path);
    assert_eq!(reply.status, 200, "{path}");
    String::from_utf8(reply.message.body).expect("UTF-8")
}

#[test]
fn what_is_wanted_is_served_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path(), "");
    assert_eq!(served(&server), ["standard"]);
    drop(server);
    let server = start(dir.path(), "taskflow, github");
    assert_eq!(served(&server), ["github", "standard", "taskflow"]);
    drop(server);
    let server = start(dir.path(), "*");
    assert_eq!(served(&server).len(), Dialects::shipped().names().count());
    drop(server);
    let server = Server::start(dir.path(), &[]);
    assert_eq!(served(&server).len(), Dialects::shipped().names().count(), "with --dev all are");
    drop(server);
    let wrong = [("HOOKWHEEL__DELIVER__BUILTIN_DIALECTS", "taskflow,klingon")];
    let ended = Server::run(dir.path(), &["serve"], &wrong).end();
    let said = "deliver.builtin_dialects: \"klingon\" is not known; there are: cathcr, ";
    assert!(ended.status.code() == Some(1) && ended.output.contains(said), "{}", ended.output);
}

#[test]
fn no_page_names_a_product_that_is_not_served() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("dialects")).expect("made");
    let own = Dialects::shipped().get("standard").expect("it is shipped").source.clone();
    std::fs::write(dir.path().join("dialects/acme.toml"), own.replace("Standard Webhooks", "Acme")).expect("written");
    let server = start(dir.path(), "");
    assert_eq!(served(&server), ["acme", "standard"], "a file of one's own is served");
    let mut public = Client::new(server.address, "no-key-at-all");
    // Not `/docs/peers`, which is about other servers, by name.
    let paths =
        ["/docs", "/docs/webhooks/acme", "/docs/webhooks/standard", "/docs/dialects", "/docs/dialects/tutorial"];
    for path in paths {
        let text = page(&mut public, &format!("{path}?format=markdown")).to_lowercase();
        let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
        // These are words of every day too.
        let common = ["standard", "hub", "linear", "square", "workspace"];
        for dialect in Dialects::shipped().iter().filter(|dialect| !common.contains(&dialect.name.as_str())) {
            let name = dialect.name.split('_').next().unwrap_or_default();
            assert!(!words.contains(&name), "{path} names {name}");
        }
    }
}

#[test]
fn what_is_in_use_stays_served() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let hook = json!({"url": "https://example.com/", "events": ["*"]});
    let id = server.client().post("/v2/webhooks", &hook).json()["id"].as_str().expect("an id").to_owned();
    let account = json!({"id": "other", "name": "Other", "dialect": "cathcr"});
    server.client().post("/api/v1/accounts", &account).data(201);
    drop(server);
    let server = start(dir.path(), "");
    assert_eq!(served(&server), ["cathcr", "standard", "taskflow"], "of an account, of default, of a webhook");
    assert_eq!(server.client().get(&format!("/v2/webhooks/{id}")).status, 200);
}

#[test]
fn an_admin_brings_a_contract_into_use_and_nobody_else_does() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = start(dir.path(), "");
    let mut admin = server.client();
    let key = json!({"scopes": ["read", "manage"]});
    let key = admin.post("/api/v1/accounts/default/keys", &key).data(201)["key"].as_str().expect("a key").to_owned();
    let mut tenant = Client::new(server.address, &key);

    let hook = json!({"url": "https://example.com/", "events": ["*"], "dialect": "stripe"});
    let refused = tenant.post("/api/v1/webhooks", &hook);
    let error = &refused.json()["error"];
    let message = error["message"].as_str().unwrap_or_default();
    assert_eq!((refused.status, &error["field"]), (400, &json!("dialect")), "{error}");
    assert!(
        message.contains("\"stripe\" is not served here") && message.contains("deliver.builtin_dialects"),
        "{message}"
    );
    assert!(message.ends_with("there are: standard"), "{message}");
    assert_eq!(tenant.get("/api/v1/event-types?dialect=stripe").status, 400);
    assert_eq!(served(&server), ["standard"]);

    admin.post("/api/v1/webhooks", &hook).data(201);
    assert_eq!(served(&server), ["standard", "stripe"]);
    assert_eq!(admin.request("PATCH", "/api/v1/accounts/default", br#"{"dialect": "taskflow"}"#).status, 200);
    assert_eq!(served(&server), ["standard", "stripe", "taskflow"]);
    tenant.post("/api/v1/webhooks", &hook).data(201);
    assert!(server.terminate().success());
    let server = start(dir.path(), "");
    assert_eq!(served(&server), ["standard", "stripe", "taskflow"]);
}
