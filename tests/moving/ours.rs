//! From one Hookwheel to another, by a file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hookwheel::dialect::Dialects;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::support::{Answer, Client, Receiver, Server};
use super::{hmac, hookwheel, lines, plain, rows};

/// What nobody may find where it is not asked for.
pub(super) const SECRETS: [&str; 4] = [
    "whsec_b2xkLXNlY3JldC1vZi10aGUtY3Jt",
    "whsec_bmV3LXNlY3JldC1vZi10aGUtY3Jt",
    "key-of-the-crm",
    "password-of-the-crm",
];
/// What a webhook is, beside its ids, its counters and what only a person changes.
const SETTINGS: [&str; 22] = [
    "uid",
    "dialect",
    "url",
    "events",
    "name",
    "description",
    "headers",
    "rate_limit",
    "max_in_flight",
    "timeout",
    "retry",
    "success",
    "status",
    "test_mode",
    "disable",
    "order",
    "filter",
    "channels",
    "tags",
    "metadata",
    "mode",
    "account",
];

/// A server with a folder for its own contracts.
pub(super) struct Place {
    pub dir: tempfile::TempDir,
    pub server: Server,
}

impl Place {
    pub(super) fn start(contracts: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let dialects = dir.path().join("contracts");
        fs::create_dir(&dialects).expect("made");
        contracts.iter().for_each(|(name, text)| fs::write(dialects.join(name), text).expect("written"));
        let env = [("HOOKWHEEL__DELIVER__DIALECTS", plain(&dialects)), ("HOOKWHEEL__LOG__LEVEL", "info")];
        Self { server: Server::start(dir.path(), &env), dir }
    }

    fn contracts(&self) -> PathBuf {
        self.dir.path().join("contracts")
    }

    fn acme(&self) -> Client {
        self.server.client().acting_for("acme")
    }

    fn webhook(&self, uid: &str) -> Value {
        self.acme().get(&format!("/api/v1/webhooks/{uid}")).data(200)
    }
}

/// The text of a contract of one's own: Svix's under another name.
fn own_contract() -> String {
    let all = Dialects::load(None).expect("they are sound");
    all.get("svix").expect("it is compiled in").source.replace("Svix look-alike", "Our own")
}

/// A server with an account of everything; the id of the webhook without an own id.
fn furnished(url: &str) -> (Place, String) {
    let place = Place::start(&[("own.toml", &own_contract())]);
    let mut admin = place.server.client();
    let acme = json!({
        "id": "acme", "name": "Acme", "dialect": "own", "tags": ["plan/pro"], "limits": {"events_per_second": 500}, "validation": "warn",
        "portal": {"title": "Acme hooks"},
    });
    admin.post("/api/v1/accounts", &acme).data(201);
    let mut acme = place.acme();
    let crm = json!({
        "uid": "crm", "url": url, "events": ["moved.*"], "secret": SECRETS[0], "name": "CRM",
        "headers": {"X-Team": "blue", "X-Api-Key": SECRETS[2]}, "rate_limit": {"per_second": 40}, "filter": "@.data.n > 1",
        "tags": ["beta"], "metadata": {"customer": "c_42"}, "retry": {"delays": [1, 2], "jitter_percent": 0}, "timeout": 7,
    });
    acme.post("/api/v1/webhooks", &crm).data(201);
    let rotation = json!({"secret": SECRETS[1], "overlap_seconds": 3600});
    acme.post("/api/v1/webhooks/crm/secret/rotate", &rotation).data(200);
    acme.post("/api/v1/webhooks/crm/pause", &json!({"seconds": 86_400})).data(200);
    let nameless = json!({"url": url, "events": ["other.*"], "order": "fifo"});
    let nameless = acme.post("/api/v1/webhooks", &nameless).data(201)["id"].as_str().expect("an id").to_owned();
    acme.post(&format!("/api/v1/webhooks/{nameless}/disable"), &json!({"reason": "they moved"})).data(200);
    let pulled = json!({"uid": "pulled", "mode": "pull", "events": ["*"]});
    acme.post("/api/v1/webhooks", &pulled).data(201);
    let known = json!({"type": "moved.a", "description": "d", "schema": {"type": "object"}, "sample": {"n": 1.0}});
    acme.post("/api/v1/event-types", &known).data(201);
    acme.request("PATCH", "/api/v1/event-types/moved.a", br#"{"retired": true}"#).data(200);
    for n in 0..3 {
        let event = format!(
            r#"{{"type": "moved.a", "id": "event-{n}", "data": {{"n": {n}.0, "long": 12345678901234567890123}}}}"#
        );
        acme.request("POST", "/api/v1/events", event.as_bytes()).data(202);
    }
    (place, nameless)
}

fn parsed(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).expect("it is there");
    text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

fn settings(webhook: &Value) -> Value {
    SETTINGS.iter().map(|name| ((*name).to_owned(), webhook[*name].clone())).collect()
}

#[test]
fn what_is_exported_is_there_as_it_was_once_it_is_imported() {
    let receiver = Receiver::start(|_, _| Answer::Status(204));
    let (from, nameless) = furnished(&receiver.url("/hook"));
    let file = from.dir.path().join("moved.ndjson");
    hookwheel(&from.server, &["export", plain(&file), "--secrets"]).ended(0);
    let head = &parsed(&file)[0];
    assert_eq!((&head["kind"], &head["version"], &head["secrets"]), (&json!("export"), &json!(1), &json!(true)));

    let to = Place::start(&[]);
    let import = ["import", plain(&file)];
    // Its contract is a file, which no API writes.
    let said = hookwheel(&to.server, &import);
    assert!(said.code == Some(1) && said.out.contains("the server has none of this name"), "{}{}", said.out, said.err);
    let dialects = to.contracts();
    hookwheel(&to.server, &["import", plain(&file), "--what", "dialects", "--dialects", plain(&dialects)]).ended(0);
    assert_eq!(fs::read_to_string(dialects.join("own.toml")).expect("written"), own_contract());
    to.server.process.signal(Signal::HUP);
    let mut to = to;
    to.server.process.line("dialects were read again");

    let dry = hookwheel(&to.server, &["import", plain(&file), "--dry-run"]).ended(0);
    // The account, three webhooks and an event type.
    assert_eq!(lines(&dry, ": would be made").len(), 5, "{dry}");
    assert_eq!(to.server.client().get("/api/v1/accounts/acme").status, 404, "a dry run makes nothing");
    let made = hookwheel(&to.server, &import).ended(0);
    assert_eq!((lines(&made, ": made").len(), lines(&made, ": refused").len()), (5, 0), "{made}");

    let own = format!("was-{nameless}");
    for (then, now) in [("crm", "crm"), (nameless.as_str(), own.as_str()), ("pulled", "pulled")] {
        let (mut then, now) = (settings(&from.webhook(then)), settings(&to.webhook(now)));
        if then["uid"].is_null() {
            then["uid"] = json!(own);
        }
        assert_eq!(then, now);
    }
    assert_eq!(to.webhook(&own)["status_reason"], "they moved");
    assert!(to.webhook("crm")["resume_at"].is_string());
    let account = |place: &Place| {
        let mut account = place.server.client().get("/api/v1/accounts/acme").data(200);
        account["created_at"] = Value::Null;
        account
    };
    assert_eq!(account(&from), account(&to));
    let known = to.acme().get("/api/v1/event-types/moved.a").data(200);
    assert!(known["retired_at"].is_string() && known["schema"] == json!({"type": "object"}), "{known}");

    // Both secrets sign, as they did.
    to.acme().post("/api/v1/webhooks/crm/resume", &json!({})).data(200);
    to.acme().post("/api/v1/events", &json!({"type": "moved.b", "data": {"n": 5}})).data(202);
    let arrived = receiver.next();
    let header = |name: &str| arrived.header(name).unwrap_or_else(|| panic!("no {name}")).to_owned();
    let signed = format!("{}.{}.", header("svix-id"), header("svix-timestamp"));
    let expected = [SECRETS[1], SECRETS[0]].map(|secret| {
        let key = STANDARD.decode(secret.trim_start_matches("whsec_")).expect("base64");
        format!("v1,{}", STANDARD.encode(hmac(&key, &[signed.as_bytes(), &arrived.message.body])))
    });
    assert_eq!(header("svix-signature"), expected.join(" "));
    assert_eq!(header("x-api-key"), SECRETS[2]);

    // Again: the pause is put back, and nothing is made twice.
    let again = hookwheel(&to.server, &import).ended(0);
    assert_eq!((lines(&again, ": made").len(), lines(&again, ": changed").len()), (0, 1), "{again}");
    assert_eq!(to.webhook("crm")["status"], "paused");
    let third = hookwheel(&to.server, &import).ended(0);
    assert_eq!((lines(&third, ": made").len(), lines(&third, ": changed").len()), (0, 0), "{third}");
    assert_eq!(rows(&to.server, "acme", "/api/v1/webhooks").len(), 3);
}

#[test]
fn an_export_holds_secrets_only_where_that_is_said() {
    let (from, _) = furnished("http://127.0.0.1:9/hook");
    let auth = json!({"uid": "auth", "url": "http://127.0.0.1:9/", "events": ["*"],
        "auth": {"type": "basic", "username": "u", "password": SECRETS[3]}});
    from.acme().post("/api/v1/webhooks", &auth).data(201);
    let file = from.dir.path().join("plain.ndjson");
    let arguments = ["export", plain(&file), "--accounts", "acme"];
    hookwheel(&from.server, &arguments).ended(0);
    assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).expect("it is there");
    assert!(SECRETS.iter().all(|secret| !text.contains(secret)), "{text}");
    let all = parsed(&file);
    let of = |kind: &str| all.iter().filter(|line| line["kind"] == kind).count();
    assert_eq!((of("account"), of("webhook"), of("event_type"), of("event"), of("key")), (1, 4, 1, 0, 0));
    let end = all.last().expect("a last line");
    assert_eq!((&end["kind"], &end["webhooks"], &end["accounts"]), (&json!("end"), &json!(4), &json!(1)));

    let refused = hookwheel(&from.server, &arguments);
    assert!(refused.code == Some(1) && refused.err.contains("--force"), "{}", refused.err);
    hookwheel(&from.server, &[&arguments[..], &["--force", "--secrets"]].concat()).ended(0);
    let text = fs::read_to_string(&file).expect("it is there");
    let is_in = SECRETS.map(|secret| text.contains(secret));
    assert_eq!(is_in, [true, true, true, false], "what a webhook shows to nobody is in no export");

    // What no export holds somebody has to give it, and until then nothing goes out.
    let to = Place::start(&[("own.toml", &own_contract())]);
    let said = hookwheel(&to.server, &["import", plain(&file)]);
    assert!(said.code == Some(1) && said.out.contains("it lacks auth: its password"), "{}{}", said.out, said.err);
    assert_eq!(to.webhook("auth")["status"], "disabled");
    let complete = json!({"auth": auth["auth"]}).to_string();
    to.acme().request("PATCH", "/api/v1/webhooks/auth", complete.as_bytes()).data(200);
    hookwheel(&to.server, &["import", plain(&file)]).ended(0);
    assert_eq!(to.webhook("auth")["status"], "active");
}

#[test]
fn events_are_published_again_where_that_is_said() {
    let (from, _) = furnished("http://127.0.0.1:9/hook");
    let said = hookwheel(&from.server, &["export", "-", "--accounts", "acme", "--what", "events"]);
    let to = Place::start(&[("own.toml", &own_contract())]);
    to.server.client().post("/api/v1/accounts", &json!({"id": "acme", "name": "Acme"})).data(201);
    // The newest comes first in an export.
    let turned: String = said.ended(0).lines().rev().fold(String::new(), |text, line| text + line + "\n");
    let file = to.dir.path().join("events.ndjson");
    fs::write(&file, turned).expect("written");
    let import = |more: &[&str]| hookwheel(&to.server, &[&["import", plain(&file)], more].concat());
    assert!(import(&[]).err.contains("event: 3 skipped"));
    assert_eq!(rows(&to.server, "acme", "/api/v1/events"), Vec::<Value>::new());
    let said = import(&["--publish-events"]);
    assert!(said.code == Some(0) && said.err.contains("event: 3 made"), "{}", said.err);
    let said = import(&["--publish-events"]);
    assert!(said.code == Some(0) && said.err.contains("event: 3 the same"), "{}", said.err);
    let events = rows(&to.server, "acme", "/api/v1/events");
    let ids: Vec<&str> = events.iter().map(|event| event["id"].as_str().expect("an id")).collect();
    assert_eq!(ids, ["event-2", "event-1", "event-0"]);
    let reply = to.acme().get("/api/v1/events/event-1");
    let body = String::from_utf8(reply.message.body).expect("UTF-8");
    assert!(body.contains(r#"{"n": 1.0, "long": 12345678901234567890123}"#), "{body}");
    assert_eq!(from.acme().get("/api/v1/events/event-1").data(200)["created_at"], reply_at(&to));
}

fn reply_at(to: &Place) -> Value {
    to.acme().get("/api/v1/events/event-1").data(200)["created_at"].take()
}

#[test]
fn a_line_that_cannot_be_taken_holds_up_no_other() {
    let to = Place::start(&[]);
    let file = to.dir.path().join("written-by-hand.ndjson");
    let text = [
        r#"{"kind":"account","id":"acme","name":"Acme"}"#,
        "nonsense",
        r#"{"kind":"webhook","account":"acme","uid":"a","url":"no address","events":["*"]}"#,
        r#"{"kind":"webhook","account":"nobody","uid":"a","url":"http://127.0.0.1:9/","events":["*"]}"#,
        r#"{"kind":"event_type","account":"acme","type":"a b"}"#,
        r#"{"kind":"event","account":"acme","id":"good","type":"a.b","created_at":"2026-01-15T00:00:00Z","data":1}"#,
        r#"{"kind":"event","account":"acme","id":"bad","type":"a b","created_at":"2026-01-15T00:00:00Z","data":1}"#,
        r#"{"kind":"webhook","account":"acme","uid":"b","url":"http://127.0.0.1:9/","events":["*"]}"#,
        r#"{"kind":"delivery","id":"d"}"#,
    ];
    fs::write(&file, text.join("\n")).expect("written");
    let said = hookwheel(&to.server, &["import", plain(&file), "--publish-events"]);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    let refused: Vec<&str> = lines(&said.out, ": refused").iter().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(refused, ["line 2", "line 3", "line 4", "line 5", "line 7"], "{}", said.out);
    for why in ["  url: ", "  type: ", "  is not a line of an export"] {
        assert!(said.out.contains(why), "{why} in {}", said.out);
    }
    assert!(said.err.contains("5 were refused") && said.err.contains("kind delivery"), "{}", said.err);
    assert_eq!(rows(&to.server, "acme", "/api/v1/webhooks").len(), 1);
    assert_eq!(rows(&to.server, "acme", "/api/v1/events").len(), 1);
    // A new webhook of a file without secrets has one of its own, which is not printed.
    assert!(said.out.contains("it has a new secret") && !said.out.contains("whsec_"), "{}", said.out);
}

#[test]
fn a_key_of_an_account_moves_its_own_account() {
    let (from, _) = furnished("http://127.0.0.1:9/hook");
    let key = |place: &Place| {
        let made = place.server.client().post("/api/v1/accounts/acme/keys", &json!({"scopes": ["read", "manage"]}));
        made.data(201)["key"].as_str().expect("a key").to_owned()
    };
    let file = from.dir.path().join("own.ndjson");
    let own = key(&from);
    hookwheel(&from.server, &["export", plain(&file), "--secrets", "--key", &own]).ended(0);
    let kinds: Vec<Value> = parsed(&file).into_iter().map(|mut line| line["kind"].take()).collect();
    assert_eq!(kinds, ["export", "account", "webhook", "webhook", "webhook", "event_type", "end"]);

    let to = Place::start(&[("own.toml", &own_contract())]);
    let acme = json!({"id": "acme", "name": "Another", "dialect": "own"});
    to.server.client().post("/api/v1/accounts", &acme).data(201);
    let own = key(&to);
    // Comments in the file of a contract are the operator's own.
    let mut shown = Client::new(to.server.address, &own);
    assert_eq!(shown.get("/api/v1/dialects/own").data(200)["source"], Value::Null);
    assert_eq!(shown.get("/api/v1/dialects/own?source=true").status, 403);
    let shown = to.server.client().get("/api/v1/dialects/own?source=true").data(200);
    assert_eq!(shown["source"], json!(own_contract()));
    let said = hookwheel(&to.server, &["import", plain(&file), "--key", &own]).ended(0);
    assert_eq!((lines(&said, ": made").len(), lines(&said, ": skipped").len()), (4, 1), "{said}");
    let other = fs::read_to_string(&file).expect("it is there").replace("\"acme\"", "\"other\"");
    fs::write(&file, other).expect("written");
    let said = hookwheel(&to.server, &["import", plain(&file), "--key", &own]);
    assert!(said.code == Some(1) && said.out.contains("import with an admin key"), "{}{}", said.out, said.err);
}
