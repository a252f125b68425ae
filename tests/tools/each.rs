//! Each noun with each of its verbs, as a table and as JSON.

use serde_json::{Value, json};

use super::{Place, Said, text};

#[test]
fn each_noun_does_each_of_its_verbs() {
    let place = Place::new(500);
    contracts(&place);
    people(&place);
    let webhook = webhooks(&place);
    deliveries(&place, &webhook);
    for command in ["status", "stats"] {
        place.tool(&[command, "--json"]).done();
    }
    gone(&place, &webhook);
    place.shapes.lock().expect("not poisoned").hold();
    let used = place.used.lock().expect("not poisoned");
    let help = super::run(place.dir.path(), &["--help"], &[], None).done();
    for noun in NOUNS {
        assert!(help.lines().any(|line| line.trim_start().starts_with(noun)), "{noun} in {help}");
        for verb in verbs(&place, noun) {
            assert!(used.contains(&((*noun).to_owned(), verb.clone())), "{noun} {verb} was never said");
        }
    }
}

const NOUNS: &[&str] = &[
    "webhooks",
    "events",
    "deliveries",
    "dead-letters",
    "jobs",
    "event-types",
    "dialects",
    "accounts",
    "keys",
    "users",
    "audit",
    "nodes",
];

/// What the help of a noun lists.
fn verbs(place: &Place, noun: &str) -> Vec<String> {
    let help = super::run(place.dir.path(), &[noun, "--help"], &[], None).done();
    let lines = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let words = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    let verbs: Vec<String> = words.filter(|word| *word != "help").map(str::to_owned).collect();
    assert!(!verbs.is_empty(), "{help}");
    verbs
}

/// Looks twice: as JSON, whose shape is noted, and as a person does.
fn both(place: &Place, arguments: &[&str]) -> Said {
    place.tool(&[arguments, &["--json"]].concat()).done();
    place.tool(arguments)
}

/// The rows that the API itself lists.
fn rows(place: &Place, path: &str) -> Vec<Value> {
    place.server.client().get(path).data(200).as_array().expect("a list").clone()
}

fn contracts(place: &Place) {
    assert_eq!(place.tool(&["dialects", "list", "--json"]).objects(), rows(place, "/api/v1/dialects"));
    assert_eq!(place.tool(&["dialects", "show", "hub", "--json"]).object()["name"], "hub");
    let made = place.tool(&["event-types", "create", "task.created", "--description", "A task", "--json"]).object();
    assert_eq!((&made["type"], &made["description"]), (&json!("task.created"), &json!("A task")));
    let edit = ["event-types", "edit", "task.created", "--set", "sample={\"id\":1}", "--json"];
    assert_eq!(place.tool(&edit).object()["sample"]["id"], 1);
    assert!(both(place, &["event-types", "list"]).done().contains("task.created"));
    assert!(both(place, &["event-types", "show", "task.created"]).done().contains("A task"));
    assert_eq!(place.tool(&["event-types", "delete", "task.created", "--yes"]).done(), "delete: task.created\n");
}

fn people(place: &Place) {
    let made = place.tool(&["accounts", "create", "Acme", "--id", "acme", "--tag", "eu", "--json"]).object();
    assert_eq!((&made["id"], &made["tags"]), (&json!("acme"), &json!(["eu"])));
    assert_eq!(place.tool(&["accounts", "edit", "acme", "--name", "Acme Ltd", "--json"]).object()["name"], "Acme Ltd");
    assert_eq!(place.tool(&["accounts", "list", "--tag", "eu", "--json"]).objects().len(), 1);
    assert!(both(place, &["accounts", "show", "acme"]).done().contains("Acme Ltd"));
    assert!(both(place, &["accounts", "usage", "acme"]).done().contains("account"));

    let key = ["keys", "create", "--scope", "read", "--scope", "manage", "--name", "k", "--account", "acme", "--json"];
    let key = place.tool(&key).object();
    assert_eq!((&key["account"], &key["scopes"].as_array().map(Vec::len)), (&json!("acme"), &Some(2)));
    let of_acme = place.tool(&["keys", "list", "--account", "acme", "--json"]).objects();
    assert_eq!((of_acme.len(), &of_acme[0]["id"]), (1, &key["id"]));
    let own = place.tool(&["keys", "list", "--json"]).objects();
    assert_eq!(own[0]["account"], "default", "without an account it is the key's own");
    place.tool(&["keys", "delete", &text(&key, "id"), "--account", "acme", "--yes", "--json"]).done();
    assert!(place.tool(&["keys", "list", "--account", "acme", "--json"]).objects().is_empty());

    let user = place.tool(&["users", "create", "ann@example.com", "--role", "viewer", "--json"]).object();
    assert!(text(&user["link"], "url").contains("/dashboard/"));
    let id = text(&user, "id");
    assert_eq!(place.tool(&["users", "edit", &id, "--name", "Ann", "--json"]).object()["name"], "Ann");
    assert!(both(place, &["users", "list"]).done().contains("ann@example.com"));
    assert!(both(place, &["users", "show", &id]).done().contains("ann@example.com"));
    assert!(place.tool(&["users", "sessions", &id, "--json"]).objects().is_empty());
    place.tool(&["users", "reset", &id, "--json"]).done();
    place.tool(&["users", "log-out", &id, "--yes", "--json"]).done();
    place.tool(&["users", "delete", &id, "--yes", "--json"]).done();
    assert!(place.tool(&["users", "list", "--json"]).objects().is_empty());
    let audit = place.tool(&["audit", "list", "--limit", "1", "--json"]).object();
    assert_eq!(Some(&audit), rows(place, "/api/v1/audit?limit=1").first());
    assert!(place.tool(&["nodes", "list", "--json"]).objects().is_empty(), "nobody shares a directory");
    assert_eq!(place.tool(&["nodes", "drain", "one"]).code, Some(1));
    // A deletion is a job, which is waited for.
    assert!(place.tool(&["accounts", "delete", "acme", "--yes"]).done().contains("done"));
    assert_eq!(place.tool(&["accounts", "show", "acme"]).code, Some(1));
}

fn webhooks(place: &Place) -> String {
    let url = place.receiver.url("/hook");
    let create = ["webhooks", "create", &url, "--events", "task.*", "--events", "user.*", "--set", "max_retries=0"];
    let made = place.tool(&[&create[..], &["--json"]].concat()).object();
    assert_eq!((&made["events"], &made["max_retries"]), (&json!(["task.*", "user.*"]), &json!(0)));
    let id = text(&made, "id");
    let edited = place.tool(&["webhooks", "edit", &id, "--name", "Mine", "--timeout", "5", "--json"]).object();
    assert_eq!((&edited["name"], &edited["timeout"], &edited["url"]), (&json!("Mine"), &json!(5), &json!(url)));
    let listed = place.tool(&["webhooks", "list", "--json"]).objects();
    assert_eq!(listed, rows(place, "/api/v1/webhooks"));
    let table = place.tool(&["webhooks", "list"]).done();
    assert!(table.starts_with("ID  ") && table.contains(&id) && table.contains(&url), "nothing is shortened: {table}");
    assert!(!table.contains('\u{1b}') && !table.contains('●'), "no colour, and the bare word: {table}");
    assert_eq!(place.tool(&["webhooks", "list", "--status", "disabled", "--json"]).objects().len(), 0);
    assert!(both(place, &["webhooks", "show", &id]).done().contains("Mine"));
    assert_eq!(place.tool(&["webhooks", "test", &id, "--json"]).object()["status_code"], 500);
    assert_eq!(place.tool(&["webhooks", "check", &id, "--json"]).object()["reachable"], true);
    let verified = place.tool(&["webhooks", "verify", &id]);
    assert!(verified.code == Some(1) && verified.err.contains("no ownership check"), "{verified:?}");
    assert_eq!(place.tool(&["webhooks", "pause", &id, "--seconds", "600", "--json"]).object()["status"], "paused");
    assert_eq!(place.tool(&["webhooks", "resume", &id, "--json"]).object()["status"], "active");
    let disabled = place.tool(&["webhooks", "disable", &id, "--reason", "tests", "--json"]).object();
    assert_eq!(disabled["status"], "disabled");
    assert_eq!(place.tool(&["webhooks", "enable", &id, "--json"]).object()["status"], "active");
    let before = place.tool(&["webhooks", "secret", &id, "--json"]).object();
    let after = place.tool(&["webhooks", "rotate-secret", &id, "--overlap-seconds", "60", "--json"]).object();
    assert_ne!(before["secret"], after["secret"]);
    let nothing = place.tool(&["webhooks", "discard", &id, "--event-type", "none.such", "--yes"]);
    assert!(nothing.code == Some(1) && nothing.err.contains("there is no such open delivery"), "{nothing:?}");
    id
}

fn deliveries(place: &Place, webhook: &str) {
    place.dead_letters(2);
    let listed = place.tool(&["deliveries", "list", "--webhook", webhook, "--state", "dead", "--json"]).objects();
    assert!(listed.len() >= 2 && listed.iter().all(|one| one["status_code"] == 500), "{listed:?}");
    let (id, event) = (text(&listed[0], "id"), text(&listed[0], "event_id"));
    assert!(both(place, &["deliveries", "list"]).done().contains(&id));
    let shown = both(place, &["deliveries", "show", &id]).done();
    assert!(shown.contains("NUMBER") && shown.contains("500"), "its attempts are a table: {shown}");
    assert_eq!(place.tool(&["deliveries", "attempt", &id, "1", "--json"]).object()["number"], 1);
    assert!(both(place, &["events", "list", "--type", "task.*"]).done().contains(&event));
    assert_eq!(place.tool(&["events", "show", &event, "--json"]).object()["id"], json!(event));
    assert!(place.tool(&["events", "show", &event]).done().contains(&id));
    assert_eq!(place.tool(&["events", "deliveries", &event, "--json"]).objects().len(), 1);
    assert_eq!(place.tool(&["events", "audience", &event, "--json"]).objects()[0]["got"], true);
    let path = "/api/v1/dead-letters";
    assert_eq!(place.tool(&["dead-letters", "list", "--json"]).objects(), rows(place, path));

    let count = rows(place, path).len();
    let counted = place.tool(&["dead-letters", "replay", "--all", "--dry-run", "--json"]).object();
    assert_eq!((&counted["count"], rows(place, path).len()), (&json!(count), count), "only counted");
    let unasked = place.tool(&["dead-letters", "discard", "--all"]);
    assert!(unasked.code == Some(2) && unasked.err.contains("--yes"), "nobody is there to be asked: {unasked:?}");
    assert_eq!(rows(place, path).len(), count);
    let unsaid = place.tool(&["dead-letters", "discard", "--yes"]);
    assert_eq!(unsaid.code, Some(2), "what is not said is not all: {unsaid:?}");
    let job = place.tool(&["dead-letters", "discard", "--webhook", webhook, "--yes", "--json"]).object();
    assert_eq!((&job["state"], &job["done"]), (&json!("done"), &json!(count)), "it is waited for");
    assert!(rows(place, path).is_empty());
    let id = text(&job, "id");
    assert_eq!(place.tool(&["jobs", "show", &id, "--json"]).object()["id"], json!(id));
    assert!(both(place, &["jobs", "list"]).done().contains(&id));
    assert_eq!(place.tool(&["jobs", "cancel", &id]).code, Some(1), "it has ended");
}

fn gone(place: &Place, webhook: &str) {
    let events = place.tool(&["events", "list", "--type", "task.created", "--json"]).objects();
    let id = text(&events[0], "id");
    place.tool(&["events", "purge", &id, "--yes", "--json"]).done();
    assert!(place.tool(&["events", "show", &id, "--json"]).object()["purged_at"].is_string());
    place.tool(&["events", "delete", "--type", "task.created", "--yes", "--json"]).done();
    assert!(place.tool(&["events", "list", "--type", "task.created", "--json"]).objects().is_empty());
    place.tool(&["webhooks", "delete", webhook, "--yes", "--json"]).done();
    assert!(place.tool(&["webhooks", "list", "--json"]).objects().is_empty());
}

#[test]
fn a_list_ends_where_it_is_told_to_and_says_that_there_is_more() {
    let place = Place::new(200);
    let lines: String = (0..300).map(|n| format!("{{\"type\":\"a.b\",\"data\":{n}}}\n")).collect();
    std::fs::write(place.dir.path().join("events"), lines).expect("written");
    let sent = place.tool(&["send", "--ndjson", "events"]);
    assert!(sent.err.contains("0 deliveries; no webhook wanted 300 of the events"), "{}", sent.err);
    assert_eq!(place.tool(&["events", "list", "--json"]).objects().len(), 50);
    assert_eq!(place.tool(&["events", "list", "--all", "--json"]).objects().len(), 300, "more than a page");
    let three = place.tool(&["events", "list", "--limit", "3"]);
    assert!(three.err.contains("3 are shown, and there are more"), "{three:?}");
    assert_eq!(three.done().lines().count(), 4, "a head and three rows");
}

#[test]
fn what_is_sent_is_told_who_wants_it_and_what_is_nearest() {
    let place = Place::new(200);
    let none = place.tool(&["send", "task.created"]);
    assert!(none.code == Some(0) && none.err.contains("there are no webhooks"), "{none:?}");
    let url = place.receiver.url("/");
    place.tool(&["webhooks", "create", &url, "--events", "task.created", "--events", "user.*"]).done();
    let one = place.tool(&["send", "task.created"]);
    assert!(one.err.contains("1 webhook wants it"), "{one:?}");
    let near = place.tool(&["send", "task.craeted"]);
    assert!(near.err.contains("no webhook wants task.craeted; the nearest that one wants is task.created"), "{near:?}");
    assert_eq!(near.done().lines().count(), 1, "only the id is on standard output");
}
