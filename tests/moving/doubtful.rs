//! Imports of what is not as it should be: what was broken off is said, what cannot be known again is refused, and nothing that is held
//! goes out.

use std::fs;

use serde_json::json;

use super::ours::{Place, SECRETS};
use super::support::{Answer, Receiver};
use super::{hookwheel, lines, plain, rows};

#[test]
fn an_export_that_was_broken_off_is_no_import_that_went_well() {
    let to = Place::start(&[]);
    let file = to.dir.path().join("half.ndjson");
    let half = "{\"kind\":\"export\",\"version\":1}\n{\"kind\":\"account\",\"id\":\"acme\",\"name\":\"Acme\"}\n";
    fs::write(&file, half).expect("written");
    let said = hookwheel(&to.server, &["import", plain(&file)]);
    assert!(said.code == Some(1) && said.out.contains("the last line (kind end): refused"), "{}{}", said.out, said.err);
    assert_eq!(to.server.client().get("/api/v1/accounts/acme").status, 200, "what is in it is imported");
    fs::write(&file, format!("{half}{{\"kind\":\"end\"}}\n")).expect("written");
    hookwheel(&to.server, &["import", plain(&file)]).ended(0);
    fs::write(&file, b"{\"kind\":\"account\",\"id\":\"other\",\"name\":\"\xff\"}\n").expect("written");
    let said = hookwheel(&to.server, &["import", plain(&file)]);
    assert!(said.code == Some(1) && said.out.contains("is not UTF-8"), "{}{}", said.out, said.err);
}

#[test]
fn what_nothing_names_is_made_by_one_import_and_not_by_the_next() {
    let to = Place::start(&[]);
    let file = to.dir.path().join("by-hand.ndjson");
    let line =
        |events: &str| format!(r#"{{"kind":"webhook","url":"HTTP://127.0.0.1:9/T0/of-a-chat","events":["{events}"]}}"#);
    fs::write(&file, [line("a.*"), line("b.*")].join("\n")).expect("written");
    for became in [": made", ": the same"] {
        let said = hookwheel(&to.server, &["import", plain(&file)]);
        assert!(said.code == Some(1) && said.out.contains("give each line a `uid`"), "{}{}", said.out, said.err);
        assert_eq!(lines(&said.out, became).len(), 1, "{}", said.out);
        assert!(!said.out.contains("of-a-chat"), "the path of a chat's URL is its secret: {}", said.out);
        assert_eq!(rows(&to.server, "default", "/api/v1/webhooks").len(), 1);
    }
}

#[test]
fn a_webhook_that_is_disabled_here_is_not_let_out_to_be_held_as_there() {
    let receiver = Receiver::start(|_, _| Answer::Status(204));
    let to = Place::start(&[]);
    let mut admin = to.server.client();
    let webhook = json!({"uid": "crm", "url": receiver.url("/"), "events": ["*"]});
    admin.post("/api/v1/webhooks", &webhook).data(201);
    admin.post("/api/v1/webhooks/crm/disable", &json!({"reason": "here"})).data(200);
    let file = to.dir.path().join("held.ndjson");
    for held in [r#""status":"disabled","status_reason":"there""#, r#""status":"paused","resume_at":null"#] {
        let line = format!(r#"{{"kind":"webhook","uid":"crm","url":"{}","events":["*"],{held}}}"#, receiver.url("/"));
        fs::write(&file, line).expect("written");
        let said = hookwheel(&to.server, &["import", plain(&file)]).ended(0);
        assert_eq!(lines(&said, ": the same").len(), 1, "{said}");
        let shown = admin.get("/api/v1/webhooks/crm").data(200);
        assert_eq!((&shown["status"], &shown["status_reason"]), (&json!("disabled"), &json!("here")));
    }
}

#[test]
fn a_webhook_whose_newest_secret_is_refused_sends_nothing_with_an_older_one() {
    let to = Place::start(&[]);
    let file = to.dir.path().join("secrets.ndjson");
    let import = |newest: &str| {
        let secrets =
            json!([{"secret": newest, "until": null}, {"secret": SECRETS[0], "until": "2100-01-01T00:00:00Z"}]);
        let line = json!({"kind": "webhook", "uid": "crm", "dialect": "svix", "url": "http://127.0.0.1:9/", "events": ["*"], "status": "active",
            "secrets": secrets});
        fs::write(&file, line.to_string()).expect("written");
        hookwheel(&to.server, &["import", plain(&file)])
    };
    let status = || to.server.client().get("/api/v1/webhooks/crm").data(200)["status"].take();
    let refused = import("whsec_no base64");
    assert!(refused.code == Some(1) && refused.out.contains(": refused"), "{}{}", refused.out, refused.err);
    assert_eq!(status(), "disabled");
    import(SECRETS[1]).ended(0);
    assert_eq!(status(), "active");
    let secret = to.server.client().get("/api/v1/webhooks/crm/secret").data(200);
    assert_eq!(secret["secret"], SECRETS[1]);
}
