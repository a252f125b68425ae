//! Notices as people get them, over real sockets: by mail through a mail server, in a chat, and many as few. What stays true: a
//! notice is a delivery like any other, tried again and shown, and nothing that a stranger wrote in it is more than text.

mod mail_server;
#[path = "../support/mod.rs"]
mod support;

use hookwheel::clock::Stopwatch;
use mail_server::{Encrypted, MailServer, Script, config};
use serde_json::{Value, json};
use support::{Answer, Authority, DEADLINE, Receiver, Stage};

const FROM: &str = "Hookwheel <hooks@example.com>";
const MAIL: &str = "mailto:ops@example.com,night@example.org";

/// A server that hands mail to this one, and an endpoint that takes nothing but at `/well`.
struct Scene {
    stage: Stage,
    receiver: Receiver,
}

impl Scene {
    fn start(mail: Option<&MailServer>, env: &[(&str, &str)]) -> Self {
        let port = mail.map_or(1, |mail| mail.port).to_string();
        let smtp = [
            ("HOOKWHEEL__SMTP__HOST", "127.0.0.1"),
            ("HOOKWHEEL__SMTP__PORT", port.as_str()),
            ("HOOKWHEEL__SMTP__TLS", "none"),
            ("HOOKWHEEL__SMTP__FROM", FROM),
        ];
        let stage = Stage::start(&[&smtp, env].concat());
        let receiver = Receiver::start(|path, _| Answer::Status(if path.starts_with("/well") { 200 } else { 500 }));
        Self { stage, receiver }
    }

    /// A webhook whose deliveries die at once.
    fn source(&mut self, settings: Value) -> String {
        let url = self.receiver.url("/bad/secret?key=secret");
        self.stage.webhook(&url, settings)
    }

    /// The latest delivery to the webhook, with its attempts, once it is as wanted.
    #[track_caller]
    fn latest(&mut self, webhook: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let (watch, list) = (Stopwatch::start(), format!("/api/v1/webhooks/{webhook}/deliveries?limit=1"));
        loop {
            let rows = self.stage.client.get(&list).data(200);
            if let Some(id) = rows[0]["id"].as_str() {
                let delivery = self.stage.client.get(&format!("/api/v1/deliveries/{id}")).data(200);
                if wanted(&delivery) {
                    return delivery;
                }
            }
            assert!(watch.elapsed() < DEADLINE, "it does not come so; at last {rows}");
            std::thread::yield_now();
        }
    }

    /// The next body that arrives at this path.
    #[track_caller]
    fn next_at(&self, path: &str) -> Value {
        loop {
            let arrived = self.receiver.next();
            if arrived.path == path {
                return serde_json::from_slice(&arrived.message.body).expect("it is JSON");
            }
        }
    }
}

fn as_usual() -> Script {
    Box::new(|_| None)
}

#[test]
fn a_dead_delivery_is_told_by_mail() {
    let mail_server = MailServer::start(Encrypted::No, as_usual());
    let login = [("HOOKWHEEL__SMTP__USERNAME", "hooks"), ("HOOKWHEEL__SMTP__PASSWORD", "pass word")];
    let mut scene = Scene::start(Some(&mail_server), &login);
    scene.source(json!({"name": "the shop\u{202e} [pay](https://evil.example)"}));
    let mail = scene.stage.webhook(MAIL, json!({"events": ["delivery.dead"]}));
    scene.stage.publish("order-1");
    let came = mail_server.next();
    assert_eq!(
        (came.from.as_str(), came.to.join(" ")),
        ("hooks@example.com", "ops@example.com night@example.org".into())
    );
    assert_eq!(came.login.as_deref(), Some("AGhvb2tzAHBhc3Mgd29yZA=="), "who may log in does");
    let delivery = scene.latest(&mail, |delivery| delivery["state"] == "succeeded");
    let header = |name: &str| came.header(name).unwrap_or_default();
    assert_eq!(header("From"), FROM);
    assert_eq!(header("To"), "ops@example.com, night@example.org");
    assert_eq!(header("Message-ID"), format!("<{}@example.com>", delivery["id"].as_str().unwrap()));
    assert_eq!((header("Auto-Submitted").as_str(), came.header("Bcc")), ("auto-generated", None));
    assert!(
        header("Subject").starts_with("[Hookwheel] A delivery used up its retries: the shop (pay)"),
        "{}",
        came.text
    );
    let body = came.body();
    for part in ["account: default", "event id: order-1", "last error: the endpoint answered 500", "What to do: "] {
        assert!(body.contains(part), "{part}: {body}");
    }
    assert!(!came.text.contains("secret") && !body.contains("[pay]"), "{body}");

    let attempt = &delivery["attempts"][0];
    assert_eq!((&attempt["status_code"], &attempt["success"]), (&json!(250), &json!(true)), "{attempt}");
    assert_eq!((&attempt["url"], &attempt["response_body"]), (&json!(MAIL), &json!("taken as 42")), "{attempt}");
    assert!(attempt["request_headers"]["subject"].as_str().unwrap().contains("the shop"), "{attempt}");
    assert!(!attempt.to_string().contains("pass word"), "{attempt}");

    // By hand it is tested with a notice, and shows what the mail server says.
    let tested = scene.stage.client.post(&format!("/api/v1/webhooks/{mail}/test"), &json!({})).data(202);
    assert_eq!((&tested["success"], &tested["status_code"]), (&json!(true), &json!(250)), "{tested}");
    assert!(mail_server.next().header("Subject").unwrap().starts_with("[Hookwheel] This is a test"));
}

#[test]
fn a_mail_server_is_spoken_to_over_tls_and_only_over_tls() {
    let authority = Authority::new();
    let certified = authority.certify("localhost", |_| {});
    let dir = tempfile::tempdir().expect("a directory");
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, &authority.pem).expect("a file");
    for (word, encrypted) in
        [("tls", Encrypted::Whole(config(&certified))), ("starttls", Encrypted::Later(config(&certified)))]
    {
        let mail_server = MailServer::start(encrypted, as_usual());
        let env = [
            ("HOOKWHEEL__SMTP__HOST", "localhost"),
            ("HOOKWHEEL__SMTP__TLS", word),
            ("HOOKWHEEL__SMTP__CA_FILE", ca.to_str().expect("a plain path")),
        ];
        let mut scene = Scene::start(Some(&mail_server), &env);
        scene.source(json!({}));
        scene.stage.webhook(MAIL, json!({}));
        scene.stage.publish("a");
        assert!(mail_server.next().encrypted, "{word}");
    }
    // One that does not encrypt gets nothing, and neither does one that others vouch for.
    let strange = Authority::new().certify("localhost", |_| {});
    for encrypted in [Encrypted::No, Encrypted::Later(config(&strange))] {
        let mail_server = MailServer::start(encrypted, as_usual());
        let env = [
            ("HOOKWHEEL__SMTP__HOST", "localhost"),
            ("HOOKWHEEL__SMTP__TLS", "starttls"),
            ("HOOKWHEEL__SMTP__CA_FILE", ca.to_str().expect("a plain path")),
        ];
        let mut scene = Scene::start(Some(&mail_server), &env);
        scene.source(json!({}));
        let mail = scene.stage.webhook(MAIL, json!({"retry": {"delays": [600], "jitter_percent": 0}}));
        scene.stage.publish("a");
        let delivery = scene.latest(&mail, |delivery| delivery["state"] == "scheduled");
        assert!(delivery["error"].as_str().unwrap().contains("mail server"), "{delivery}");
        assert_eq!(mail_server.others(), 0);
    }
}

#[test]
fn what_a_mail_server_answers_decides_what_follows() {
    let mut refusals = 0;
    let later: Script = Box::new(move |line| {
        refusals += u32::from(line.starts_with("RCPT TO"));
        // Of the first mail both.
        (line.starts_with("RCPT TO") && refusals <= 2).then_some("451 4.7.1 greylisted, come back")
    });
    let never: Script = Box::new(|line| line.starts_with("RCPT TO").then_some("550 5.1.1 no such user"));
    let not_let_in: Script = Box::new(|line| line.starts_with("MAIL FROM").then_some("530 5.7.0 log in first"));
    for (script, state, attempts, kind) in
        [(later, "succeeded", 2, "status"), (never, "dead", 1, "status"), (not_let_in, "dead", 2, "unsendable")]
    {
        let mail_server = MailServer::start(Encrypted::No, script);
        let mut scene = Scene::start(Some(&mail_server), &[]);
        scene.source(json!({}));
        let mut settings = json!({"retry": {"delays": [0], "jitter_percent": 0}});
        if kind == "unsendable" {
            settings["disable"] = json!({"consecutive_failures": 1});
        }
        let mail = scene.stage.webhook(MAIL, settings);
        scene.stage.publish("a");
        let delivery = scene.latest(&mail, |delivery| delivery["state"] == state);
        assert_eq!(delivery["attempt_count"], attempts, "{delivery}");
        assert_eq!(delivery["attempts"][0]["outcome"], kind, "{delivery}");
        let webhook = scene.stage.client.get(&format!("/api/v1/webhooks/{mail}")).data(200);
        assert_eq!(webhook["status"], "active", "what the mail server lacks is not the recipients' fault: {webhook}");
    }
}

#[test]
fn whom_the_mail_server_does_not_know_keeps_mail_from_nobody_else() {
    let script: Script =
        Box::new(|line| line.contains("<ops@example.com>").then_some("550-5.1.1 no such user\r\n550 here"));
    let mail_server = MailServer::start(Encrypted::No, script);
    let mut scene = Scene::start(Some(&mail_server), &[]);
    scene.source(json!({}));
    let mail = scene.stage.webhook(MAIL, json!({}));
    scene.stage.publish("a");
    assert_eq!(mail_server.next().to, ["night@example.org"]);
    let delivery = scene.latest(&mail, |delivery| delivery["state"] == "succeeded");
    let said = delivery["attempts"][0]["response_body"].as_str().unwrap();
    assert!(said.starts_with("taken as 42\nrefused: ops@example.com: 550 5.1.1 no such user"), "{said}");
}

#[test]
fn what_a_mail_server_says_of_itself_is_said_of_no_recipient() {
    let when = |start: &'static str, answer: &'static str| -> Script {
        Box::new(move |line| (line.starts_with(start) && line.is_empty() == start.is_empty()).then_some(answer))
    };
    for script in [
        when("", "554 no service for you"),
        when("EHLO", "550 go away"),
        when("MAIL FROM", "553 who is that?"),
        when("MAIL FROM", "451 the disk is full"),
        when("RCPT TO", "421 shutting down"),
        when("DATA", "421 shutting down"),
    ] {
        let mail_server = MailServer::start(Encrypted::No, script);
        let mut scene = Scene::start(Some(&mail_server), &[]);
        scene.source(json!({}));
        let settings = json!({"retry": {"delays": [600], "jitter_percent": 0}, "disable": {"consecutive_failures": 1}});
        let mail = scene.stage.webhook(MAIL, settings);
        scene.stage.publish("a");
        let delivery = scene.latest(&mail, |delivery| delivery["attempt_count"] == 1);
        assert_eq!(
            (&delivery["state"], &delivery["outcome"]),
            (&json!("scheduled"), &json!("unsendable")),
            "{delivery}"
        );
        let webhook = scene.stage.client.get(&format!("/api/v1/webhooks/{mail}")).data(200);
        assert_eq!((&webhook["status"], &webhook["consecutive_failures"]), (&json!("active"), &json!(0)), "{webhook}");
    }
}

#[test]
fn mail_that_is_asked_for_by_hand_has_an_end() {
    let mail_server = MailServer::start(Encrypted::No, as_usual());
    let mut scene = Scene::start(Some(&mail_server), &[]);
    let mail = scene.stage.webhook(MAIL, json!({"rate_limit": {"per_second": 1000}}));
    let path = format!("/api/v1/webhooks/{mail}/test");
    let mut sent = 0;
    let refused = loop {
        let reply = scene.stage.client.post(&path, &json!({}));
        if reply.status != 202 {
            break reply;
        }
        sent += 1;
        assert!(sent < 50, "whoever asks has as many as it likes");
    };
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (429, Some("rate_limited")));
}

#[test]
fn without_the_mail_server_mail_waits_for_it_and_the_webhook_is_not_blamed() {
    let mut scene = Scene::start(None, &[]);
    scene.source(json!({}));
    let mail = scene.stage.webhook(MAIL, json!({"retry": {"delays": [600], "jitter_percent": 0}}));
    scene.stage.publish("a");
    let delivery = scene.latest(&mail, |delivery| delivery["state"] == "scheduled");
    assert!(delivery["error"].as_str().unwrap().contains("mail server"), "{delivery}");
    let webhook = scene.stage.client.get(&format!("/api/v1/webhooks/{mail}")).data(200);
    assert_eq!((&webhook["consecutive_failures"], &webhook["pauses"]), (&json!(0), &json!(0)), "{webhook}");
}

#[test]
fn a_chat_is_told_in_its_own_form() {
    let mut scene = Scene::start(None, &[]);
    let source = scene.source(json!({"name": "the <!channel> shop"}));
    for (dialect, path) in
        [("slack_incoming", "/well/slack"), ("teams_incoming", "/well/teams"), ("discord_incoming", "/well/discord")]
    {
        let url = scene.receiver.url(path);
        scene.stage.webhook(&url, json!({"dialect": dialect, "notices": {}, "retry": null}));
    }
    let disable = format!("/api/v1/webhooks/{source}");
    scene.stage.client.request("PATCH", &disable, br#"{"disable": {"exhausted": true}}"#).data(200);
    scene.stage.publish("a");
    let mut told = std::collections::BTreeMap::new();
    while told.len() < 6 {
        let arrived = scene.receiver.next();
        if arrived.path.starts_with("/well/") {
            let body: Value = serde_json::from_slice(&arrived.message.body).expect("JSON");
            let kind = if body.to_string().contains("disabled") { "disabled" } else { "dead" };
            told.insert((arrived.path.clone(), kind), body);
        }
    }
    let title = "A delivery used up its retries: the ‹!channel› shop";
    assert_eq!(told[&("/well/slack".into(), "dead")]["text"], title);
    assert_eq!(told[&("/well/slack".into(), "dead")]["blocks"][0]["text"]["text"], title);
    assert_eq!(told[&("/well/teams".into(), "dead")]["attachments"][0]["content"]["body"][0]["text"], title);
    let discord = &told[&("/well/discord".into(), "disabled")];
    assert!(discord["content"].as_str().unwrap().starts_with("**A webhook was disabled: the ‹!channel› shop**\n"));
    assert_eq!(discord["allowed_mentions"], json!({"parse": []}));
    assert!(told.values().all(|body| !body.to_string().contains("secret")), "{told:?}");
}

#[test]
fn many_failures_are_few_messages_and_none_is_left_out() {
    const DEAD: u64 = 300;
    let mut scene = Scene::start(None, &[]);
    scene.source(json!({"rate_limit": null}));
    let url = scene.receiver.url("/well/ear");
    scene.stage.webhook(&url, json!({"notices": {"quiet_seconds": 2}, "events": ["delivery.dead"]}));
    let events: Vec<Value> = (0..DEAD).map(|n| json!({"type": "task.created", "data": {"n": n}})).collect();
    scene.stage.client.post("/api/v1/events", &json!(events)).data(202);
    let (mut told, mut messages) = (0, 0);
    while told < DEAD {
        let body = scene.next_at("/well/ear");
        messages += 1;
        told += match body["type"].as_str() {
            Some("delivery.dead") => 1,
            Some("notice.summary") => body["data"]["count"].as_u64().expect("a count"),
            other => panic!("{other:?}"),
        };
        assert!(messages > 1 || body["type"] == "delivery.dead", "the first is told at once: {body}");
    }
    assert_eq!(told, DEAD);
    assert!(messages <= 40, "{messages} messages");
}
