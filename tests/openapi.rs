//! What `/openapi.json` promises, held against the running server by a program that is not ours: schemathesis makes
//! requests of the document, right and wrong ones, and checks each reply against it. `HOOKWHEEL_SEED=n` makes the same
//! requests again.

mod support;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Answer, Client, DEADLINE, Receiver, Server, say, test_env};

/// For all requests together.
const SECONDS: u64 = 45;
/// Left out: what the document cannot say of a valid value (that a dialect is known, that a condition parses) makes
/// some be refused that it allows; and that every route needs its key is asked in `tests/api`, where a wrong one is
/// not answered later and later.
const WITHOUT: &str = "positive_data_acceptance,ignored_auth";

/// The ids that paths are filled with.
struct Seeded {
    webhook: String,
    event: String,
    delivery: String,
    job: String,
}

/// One of each thing, with a delivery that has failed for good.
fn seeded(client: &mut Client, endpoint: &str) -> Seeded {
    let text = |value: &Value| value["id"].as_str().expect("an id").to_owned();
    client.post("/api/v1/accounts", &json!({"id": LIMITED, "name": "Limited"})).data(201);
    let webhook = json!({"url": endpoint, "events": ["*"], "max_retries": 0});
    let webhook = text(&client.post("/api/v1/webhooks", &webhook).data(201));
    let event = text(&client.post("/api/v1/events", &json!({"type": "a.b", "data": {"n": 1}})).data(202));
    let begun = Instant::now();
    let delivery = loop {
        let shown = client.get(&format!("/api/v1/events/{event}")).data(200);
        let delivery = &shown["deliveries"][0];
        if delivery["state"] == "dead" {
            break text(delivery);
        }
        assert!(begun.elapsed() < DEADLINE, "{shown}");
    };
    let job = text(&client.post(&format!("/api/v1/webhooks/{webhook}/discard"), &json!({})).data(202));
    Seeded { webhook, event, delivery, job }
}

/// The account whose limits are changed: what may be kept of it decides which events it has.
const LIMITED: &str = "limited";

/// How schemathesis fills paths. What would remove a thing that others need gets ids of its own making.
fn settings(ids: &Seeded) -> String {
    let Seeded { webhook, event, delivery, job } = ids;
    let rows = [
        ("webhooks", format!("\"path.id\" = \"{webhook}\", \"path.delivery_id\" = \"{delivery}\"")),
        ("events", format!("\"path.id\" = \"{event}\"")),
        ("deliveries", format!("\"path.id\" = \"{delivery}\"")),
        ("jobs", format!("\"path.id\" = \"{job}\"")),
        ("accounts", format!("\"path.id\" = \"{LIMITED}\"")),
        ("dialects", "\"path.name\" = \"standard\"".to_owned()),
    ];
    let row = |(kind, parameters): (&str, String)| {
        format!(
            "[[operations]]\ninclude-path-regex = \"^/api/v1/{kind}/\"\nexclude-method = \"DELETE\"\n\
             parameters = {{ {parameters} }}\n"
        )
    };
    rows.map(row).concat()
}

#[test]
fn every_reply_is_as_the_document_says() {
    let Some(env) = test_env("the replies against the OpenAPI document") else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start(dir.path(), &[]);
    let receiver = Receiver::start(|_, _| Answer::Status(500));
    let ids = seeded(&mut server.client(), &receiver.url("/"));
    fs::write(dir.path().join("schemathesis.toml"), settings(&ids)).expect("it can be written");
    let mut command = Command::new(env.join("python/bin/python"));
    command.args(["-m", "schemathesis.cli"]);
    command.current_dir(dir.path()).env("NO_PROXY", "*").args(["run", &server.url("/openapi.json"), "--no-color"]);
    command.args(["-H", &format!("Authorization: Bearer {}", server.key), "--exclude-checks", WITHOUT]);
    command.args(["--max-time", &SECONDS.to_string(), "--max-examples", "25", "--request-timeout", "30"]);
    if let Ok(seed) = std::env::var("HOOKWHEEL_SEED") {
        command.args(["--seed", &seed]);
    }
    let begun = Instant::now();
    let ended = command.output().expect("schemathesis runs");
    let output = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{output}\n{}", String::from_utf8_lossy(&ended.stderr));
    let line = |part: &str| output.lines().find(|line| line.contains(part)).unwrap_or_default().trim().to_owned();
    say(&format!("{}; {} in {:?}", line("Tested:"), line(" generated, "), begun.elapsed()));
    assert!(begun.elapsed() < Duration::from_secs(3 * SECONDS));
    // Every operation was asked, and often enough to mean something.
    let count = |text: &str| text.split(|c: char| !c.is_ascii_digit()).find_map(|word| word.parse::<u32>().ok());
    assert_eq!(count(&line("Tested:")), count(&line("Selected:")), "{output}");
    assert!(count(&line(" generated, ")).is_some_and(|cases| cases > 500), "{output}");
    server.client().get("/health/ready").data(200);
    assert!(server.terminate().success());
}
