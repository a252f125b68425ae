//! Rows about notices and the server itself.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc;

use serde_json::json;

use super::kit::{column, endpoint, id, list, next_data, until};
use super::support::{DEADLINE, Stage};

pub fn be_told_by_a_webhook_when_something_is_wrong(stage: &mut Stage) {
    let (told, gone) = (endpoint(200), endpoint(410));
    let mut operator = stage.server.client().acting_for("operator");
    let notices = json!({"url": told.url("/"), "events": ["webhook.disabled"]});
    let notices = id(&operator.post("/api/v1/webhooks", &notices).data(201));
    let webhook = stage.webhook(&gone.url("/"), json!({"disable": {"gone": true}}));
    stage.publish("e");
    assert_eq!(next_data(&told)["webhook_id"], webhook.as_str());
    assert_eq!(column(&mut operator, "/api/v1/events?type=webhook.disabled", "type"), ["webhook.disabled"]);
    // And told again.
    let deliveries = format!("/api/v1/webhooks/{notices}/deliveries");
    let rows = until(&mut operator, &deliveries, |rows| rows[0]["state"] == "succeeded");
    operator.post(&format!("/api/v1/webhooks/{notices}/replay/{}", id(&rows[0])), &json!({})).data(202);
    assert_eq!(next_data(&told)["webhook_id"], webhook.as_str());
}

/// A mail server that takes one mail.
fn mailbox() -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody comes");
        let mut lines = BufReader::new(stream.try_clone().expect("it is open")).lines().map_while(Result::ok);
        let mut say = |line: &str| stream.write_all(format!("{line}\r\n").as_bytes()).expect("it is heard");
        say("220 here");
        while let Some(line) = lines.next() {
            if line == "DATA" {
                say("354 go on");
                let mail: Vec<String> = lines.by_ref().take_while(|line| line != ".").collect();
                // Nobody waits any more where this fails.
                let _ = tell.send(mail.join("\n"));
            }
            say("250 well");
        }
    });
    (port, told)
}

pub fn be_told_by_e_mail(_: &mut Stage) {
    let (port, mail) = mailbox();
    let smtp = [
        ("HOOKWHEEL__SMTP__HOST", "127.0.0.1"),
        ("HOOKWHEEL__SMTP__PORT", &port.to_string()),
        ("HOOKWHEEL__SMTP__TLS", "none"),
        ("HOOKWHEEL__SMTP__FROM", "Hookwheel <hooks@example.com>"),
    ];
    let mut stage = Stage::start(&smtp);
    let notices = json!({"url": "mailto:people@example.org", "events": ["webhook.disabled"]});
    stage.client.post("/api/v1/webhooks", &notices).data(201);
    let gone = endpoint(410);
    stage.webhook(&gone.url("/"), json!({"name": "the crm", "disable": {"gone": true}}));
    stage.publish("e");
    let mail = mail.recv_timeout(DEADLINE).expect("a mail comes");
    assert!(mail.contains("people@example.org") && mail.contains("A webhook was disabled"), "{mail}");
}

pub fn ask_whether_the_server_lives(stage: &mut Stage) {
    assert_eq!(stage.client.get("/health/live").data(200)["status"], "live");
    assert_eq!(stage.client.get("/health/ready").data(200)["status"], "ready");
}

pub fn see_how_the_server_is_configured(stage: &mut Stage) {
    let rows = list(&mut stage.client, "/api/v1/settings");
    let value = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name}"));
        (row["value"].clone(), row["default"].clone())
    };
    assert_eq!(value("log.level"), (json!("warn"), json!("info")));
    assert_eq!(value("auth.admin_key").0, "set", "and not what it is");
}

pub fn list_the_errors_that_there_are(stage: &mut Stage) {
    let document = stage.client.get("/openapi.json").json();
    let codes = &document["components"]["schemas"]["ErrorCode"];
    let words = codes["enum"].as_array().expect("words");
    let met = stage.client.get("/api/v1/webhooks/none").json();
    assert!(words.contains(&met["error"]["code"]), "{met}");
    let said = codes["description"].as_str().expect("what they mean");
    assert!(words.iter().filter_map(|word| word.as_str()).all(|word| said.contains(word)), "{said}");
}
