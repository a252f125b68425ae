//! What a document says, against what happens.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use hookwheel::dialect::Dialect;
use hookwheel::domain::secret::Secret;

use serde_json::Value;

use super::document::{Block, Markdown, code};
use super::support::{Answer, Client, DEADLINE, Endpoint, Message, Receiver};
use super::{Scene, name};

/// Headers that every HTTP request has, or that only this sender's library adds.
const OF_HTTP: [&str; 2] = ["host", "content-length"];

/// Makes a webhook of an endpoint's dialect, and gives its id once deliveries go out.
pub fn webhook(client: &mut Client, endpoint: &Endpoint, url: String) -> String {
    let dialect = &endpoint.dialect.name;
    let input = serde_json::json!({
        "url": url, "events": ["*"], "dialect": dialect, "secret": endpoint.secret.reveal(),
    });
    let made = client.post("/api/v1/webhooks", &input).data(201);
    let id = made["id"].as_str().expect("text").to_owned();
    until(client, &format!("/api/v1/webhooks/{id}"), |shown| shown["status"] == "active");
    id
}

/// Sends a test event.
pub fn test(client: &mut Client, webhook: &str, event_type: &str) {
    let input = serde_json::json!({"event_type": event_type});
    client.post(&format!("/api/v1/webhooks/{webhook}/test"), &input).data(202);
}

/// Publishes an event, and gives the id of its one delivery.
fn publish(client: &mut Client) -> String {
    let event = client.post("/api/v1/events", &serde_json::json!({"type": "example.event", "data": {}})).data(202);
    let event = client.get(&format!("/api/v1/events/{}", event["id"].as_str().expect("an id"))).data(200);
    event["deliveries"][0]["id"].as_str().expect("an id").to_owned()
}

fn column(rows: &[Vec<String>], n: usize) -> Vec<&str> {
    rows.iter().map(|row| row[n].as_str()).collect()
}

/// The value that a table gives to a name.
fn row<'d>(rows: &'d [Vec<String>], name: &str) -> &'d str {
    let found = rows.iter().find(|row| row[0] == name);
    &found.unwrap_or_else(|| panic!("no row {name:?} in {rows:?}"))[1]
}

/// The seconds in words such as `1 minute 30 seconds`.
fn seconds(said: &str) -> u64 {
    let words: Vec<&str> = said.split(' ').collect();
    let of = |pair: &[&str]| {
        let unit = match pair[1].trim_end_matches('s') {
            "second" => 1,
            "minute" => 60,
            "hour" => 3600,
            "day" => 86_400,
            other => panic!("{other} in {said}"),
        };
        pair[0].parse::<u64>().expect("a number") * unit
    };
    words.chunks(2).map(of).sum()
}

/// The numbers of the document are those of the rules.
pub fn numbers(markdown: &Markdown, dialect: &Value) {
    let name = name(dialect);
    let limits = markdown.table("Limits");
    assert_eq!(seconds(row(limits, "Time to answer")), dialect["timeout_seconds"], "{name}");
    let of = |limit: &str| dialect["limits"][limit].as_u64();
    let digits = |said: &str| said.replace(',', "").split(|c: char| !c.is_ascii_digit()).next().map(str::to_owned);
    let same = |said: &str, limit: Option<u64>| match limit {
        None => assert_eq!(said, "no limit", "{name}"),
        Some(n) => assert_eq!(digits(said), Some(n.to_string()), "{name}: {said}"),
    };
    same(row(limits, "Webhooks of an account"), of("webhooks_per_account"));
    same(row(limits, "Deliveries to one webhook a day (UTC), retries not counted"), of("deliveries_per_day"));
    same(row(limits, "Requests under way at once, to one webhook"), of("in_flight"));
    let body = row(limits, "Length of a body");
    match of("body_bytes") {
        None => assert_eq!(body, "no limit", "{name}"),
        Some(n) => {
            let (count, unit) = body.split_once(' ').expect("a unit");
            let unit = match unit {
                "MB" => 1_000_000,
                "MiB" => 1 << 20,
                "bytes" => 1,
                other => panic!("{other}"),
            };
            assert_eq!(count.replace(',', "").parse::<u64>().expect("a number") * unit, n, "{name}");
        }
    }
    let rate = row(limits, "Requests to one webhook");
    match dialect["rate_limit"].as_object() {
        None => assert_eq!(rate, "no limit of their rate", "{name}"),
        Some(limit) => {
            let n = limit["per_minute"].as_u64().or(limit["per_second"].as_u64()).expect("a rate");
            assert!(
                rate.starts_with(&format!("{n} a ")) && rate.contains(&format!(", {} of them at once", limit["burst"])),
                "{rate}"
            );
        }
    }
    let glance = markdown.table("Overview");
    let success: Vec<&str> = dialect["success"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(success.iter().all(|range| row(glance, "Success").contains(range)), "{name}");
    let types = dialect["event_types"].as_array().expect("a list");
    if !types.is_empty() {
        assert_eq!(&column(markdown.table("Events"), 0), &types.iter().filter_map(Value::as_str).collect::<Vec<_>>());
    }
    assert!(markdown.section("Addresses").iter().any(|b| matches!(b, Block::Line(l) if l.contains(super::EGRESS))));
    assert_eq!(markdown.has("Ownership check"), dialect["ownership_check"] == true, "{name}");
}

/// Every documented event is sent as it stands there, with the headers that stand there.
pub fn requests(scene: &mut Scene, markdown: &Markdown, dialect: &Value) {
    let name = name(dialect);
    let (_, mut client) = scene.account(name);
    let endpoint = Endpoint::of(scene.dialect(name));
    let answering = endpoint.clone();
    let receiver = Receiver::start(move |_, message| answering.answer(message, Answer::Status(200)));
    let webhook = webhook(&mut client, &endpoint, receiver.url("/"));
    let known = client.get(&format!("/api/v1/event-types?dialect={name}")).data(200);
    let known: Vec<(&str, &Value)> = known
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["type"].as_str().expect("text"), &one["sample"]))
        .collect();
    // Without a documented type there are still headers to look at.
    let nothing = Value::Null;
    let sent = if known.is_empty() { vec![("example.event", &nothing)] } else { known };
    let first = sent[0].0;
    for (event_type, sample) in sent {
        test(&mut client, &webhook, event_type);
        let request = endpoint.next(&receiver);
        headers(markdown, name, &request, first, event_type);
        if event_type == first && !endpoint.dialect.signature.is_empty() {
            saved(scene.dir.path(), markdown, &endpoint, &request, &receiver.url("/"));
        }
        if !sample.is_null() {
            let is_form = request.header("content-type").is_some_and(|text| text.contains("x-www-form-urlencoded"));
            let read =
                |body: &[u8]| if is_form { parameters(body) } else { serde_json::from_slice(body).expect("JSON") };
            let documented = read(markdown.code_of(event_type).as_bytes());
            let body = read(&request.body);
            match place_of(sample, &documented) {
                Some(place) => {
                    assert_eq!(body.pointer(&place), Some(sample), "{name} {event_type}: the data is the sample");
                }
                None => {
                    assert!(!endpoint.dialect.source.contains("{event.data}"), "{name}: the sample is not in the body")
                }
            }
            same_shape(&documented, &body, &format!("{name} {event_type}"));
        }
    }
}

/// The printed command verifies a request that was saved, and refuses it with another body.
fn saved(dir: &Path, markdown: &Markdown, endpoint: &Endpoint, request: &Message, url: &str) {
    let name = &endpoint.dialect.name;
    let printed =
        code(markdown.section("Testing")).map(|(_, text)| text).find(|text| text.starts_with("hookwheel verify"));
    let command =
        printed.unwrap_or_else(|| panic!("{name}: no command")).replace("https://your-app.example/webhooks", url);
    let lines: String = request.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    fs::write(dir.join("headers.txt"), lines).expect("written");
    let verify = |body: &[u8]| {
        fs::write(dir.join("body.json"), body).expect("written");
        let script = format!("hookwheel() {{ command \"$HOOKWHEEL\" \"$@\"; }}\n{command}");
        let mut bash = Command::new("bash");
        bash.args(["-euc", &script]).current_dir(dir);
        bash.env("HOOKWHEEL", env!("CARGO_BIN_EXE_hookwheel")).env("WEBHOOK_SECRET", endpoint.known());
        let ran = bash.output().expect("bash runs");
        (ran.status.success(), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let (is_valid, said) = verify(&request.body);
    assert!(is_valid, "{name}: {command}\n{said}");
    if endpoint.dialect.signature.iter().any(hookwheel::dialect::SignatureRule::signs_body) {
        let (is_valid, said) = verify(&[&request.body[..], b" "].concat());
        assert!(!is_valid && said.contains("not valid"), "{name}: {command}\n{said}");
    }
}

/// A form as an object of texts.
fn parameters(form: &[u8]) -> Value {
    let pairs = url::form_urlencoded::parse(form).into_owned();
    Value::Object(pairs.map(|(name, value)| (name, Value::String(value))).collect())
}

/// The table of headers is exactly what a request has.
fn headers(markdown: &Markdown, dialect: &str, request: &Message, first: &str, event_type: &str) {
    let lower = |name: &str| name.to_ascii_lowercase();
    let rows = markdown.table("Headers").iter().filter(|row| !row[1].contains("only in retries"));
    let documented: Vec<String> = rows.map(|row| lower(&row[0])).collect();
    let documented: BTreeSet<String> = documented.into_iter().collect();
    let names = request.headers.iter().map(|(name, _)| lower(name)).filter(|name| !OF_HTTP.contains(&name.as_str()));
    assert_eq!(documented, names.collect(), "{dialect}: the headers that are documented (left) and sent (right)");
    for row in markdown.table("Headers").iter().filter(|row| row[1] == "Always this") {
        assert_eq!(request.header(&row[0]), Some(row[2].as_str()), "{dialect}: {}", row[0]);
    }
    for row in markdown.table("Headers") {
        let Some(sent) = request.header(&row[0]) else { continue };
        if row[2] == first {
            assert_eq!(sent, event_type, "{dialect}: {}", row[0]);
        } else if !row[1].contains("account") {
            assert_eq!(row[2].len(), sent.len(), "{dialect}: {} is {sent:?}, not like {:?}", row[0], row[2]);
        }
    }
}

/// Where `wanted` stands in `whole`, as a JSON pointer.
fn place_of(wanted: &Value, whole: &Value) -> Option<String> {
    if wanted == whole {
        return Some(String::new());
    }
    let under = |name: &str, value: &Value| {
        place_of(wanted, value).map(|rest| format!("/{}{rest}", name.replace('~', "~0").replace('/', "~1")))
    };
    match whole {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| under(name, value)),
        Value::Array(items) => items.iter().enumerate().find_map(|(n, value)| under(&n.to_string(), value)),
        _ => None,
    }
}

/// The same fields in the same order, of the same kinds. What is null on one side may be anything on the other.
pub fn same_shape(documented: &Value, found: &Value, what: &str) {
    match (documented, found) {
        (Value::Null, _) | (_, Value::Null) => {}
        (Value::Object(one), Value::Object(other)) => {
            let keys = |object: &serde_json::Map<String, Value>| object.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(one), keys(other), "{what}");
            one.iter().for_each(|(key, value)| same_shape(value, &other[key], &format!("{what}.{key}")));
        }
        (Value::Array(one), Value::Array(other)) => {
            for (n, found) in other.iter().enumerate() {
                // Rows of a list may differ in what they leave out; each is like one that is documented.
                let keys = |value: &Value| value.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
                let like = if found.is_object() { one.iter().find(|row| keys(row) == keys(found)) } else { one.get(n) };
                if let Some(like) = like.or(one.first()) {
                    same_shape(like, found, &format!("{what}[]"));
                }
            }
        }
        (Value::String(_), Value::String(_))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Number(_), Value::Number(_)) => {}
        _ => panic!("{what}: {documented} is documented, and {found} was found"),
    }
}

/// The table of retries is the schedule, and the next attempt of a failure lies where it says.
pub fn retries(scene: &mut Scene, markdown: &Markdown, dialect: &Value) {
    let name = name(dialect);
    let delays: Vec<u64> =
        dialect["retry"]["delays"].as_array().expect("a list").iter().filter_map(Value::as_u64).collect();
    if delays.is_empty() {
        assert!(
            markdown.section("Retries").iter().any(|b| matches!(b, Block::Line(l) if l.contains("not tried again")))
        );
        return;
    }
    let table = markdown.table("Retries");
    assert_eq!(table.len(), delays.len() + 1, "{name}");
    for (n, delay) in delays.iter().enumerate() {
        let said = &table[n + 1];
        assert_eq!(said[0], (n + 2).to_string(), "{name}");
        let documented =
            if said[1] == "immediately" { 0 } else { seconds(said[1].strip_prefix("after ").expect("after")) };
        assert_eq!(documented, *delay, "{name}");
        assert_eq!(seconds(&said[2]), delays[..=n].iter().sum::<u64>(), "{name}");
    }
    // The first failure, for real; where the retry comes at once, the second.
    let endpoint = Endpoint::of(scene.dialect(name));
    let answering = endpoint.clone();
    let receiver = Receiver::start(move |_, message| answering.answer(message, Answer::Status(500)));
    let (_, mut client) = scene.account(name);
    webhook(&mut client, &endpoint, receiver.url("/"));
    let delivery = publish(&mut client);
    let failures = delays.iter().take_while(|delay| **delay == 0).count() + 1;
    let Some(delay) = delays.get(failures - 1) else { return };
    let shown = until(&mut client, &format!("/api/v1/deliveries/{delivery}"), |shown| {
        shown["attempts"].as_array().is_some_and(|attempts| attempts.len() >= failures)
    });
    let last = &shown["attempts"][failures - 1];
    let ms = |time: &Value| hookwheel::domain::time::parse(time.as_str().expect("a time")).expect("RFC 3339");
    let ended = ms(&last["started_at"]) + last["response_time_ms"].as_u64().expect("a number");
    let waits = ms(&shown["next_attempt_at"]).saturating_sub(ended);
    let jitter = dialect["retry"]["jitter_percent"].as_u64().expect("a number");
    // The end of an attempt is known to the millisecond only.
    let (least, most) = (delay * 1000, delay * 1000 + delay * 10 * jitter + 5);
    assert!((least.saturating_sub(5)..=most + 1000).contains(&waits), "{name}: {waits} ms for {delay} s");
}

/// An account has as many webhooks as documented, and no more.
pub fn limit_of_webhooks(scene: &mut Scene, markdown: &Markdown, dialect: &Value) {
    let said = row(markdown.table("Limits"), "Webhooks of an account");
    let Some(limit) = said.split(' ').next().and_then(|n| n.parse::<usize>().ok()) else { return };
    let (_, mut client) = scene.account(name(dialect));
    let input = serde_json::json!({"url": "https://example.com/", "events": ["*"]});
    let mut create = || client.post("/api/v1/webhooks", &input).status;
    assert!((0..limit).all(|_| create() == 201), "{}", name(dialect));
    assert_eq!(create(), 409, "{}", name(dialect));
}

/// Asks until what is there is wanted.
fn until(client: &mut Client, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let shown = client.get(path).data(200);
        if wanted(&shown) {
            return shown;
        }
        assert!(begun.elapsed() < DEADLINE, "{path}: {shown}");
        std::thread::yield_now();
    }
}

/// Stands where the example's endpoint is not, and knows the example's secret where the command has one.
fn example_endpoint(dialect: Arc<Dialect>) -> impl Fn(&str, &Message) -> Answer {
    let secret = Secret::new("a-long-random-secret-of-your-own");
    let is_given = dialect.check_secret(secret.reveal()).is_ok();
    let endpoint = if is_given { Endpoint { dialect, secret } } else { Endpoint::of(dialect) };
    let asked = AtomicUsize::new(0);
    move |_, message| {
        let refusal = endpoint.dialect.challenge.as_ref().and_then(|rule| rule.forged_status);
        match refusal.filter(|_| !is_given && endpoint.proof(message).is_some()) {
            // Who does not know the secret that was made tells the forged question by its coming second.
            Some(status) if asked.fetch_add(1, Ordering::SeqCst) % 2 == 1 => Answer::Status(status),
            Some(_) => Answer::Status(200),
            None => endpoint.answer(message, Answer::Status(200)),
        }
    }
}

/// Runs the printed commands in their order, and holds the answers against the printed ones.
pub fn commands(scene: &mut Scene, markdown: &Markdown, dialect: &Value) {
    let name = name(dialect);
    let receiver = Receiver::start(example_endpoint(scene.dialect(name)));
    let (key, mut client) = scene.account(name);
    let (mut webhook, mut delivery, mut run) = (String::new(), String::new(), 0);
    let mut section = String::new();
    let blocks = markdown.section("Managing webhooks");
    for (n, block) in blocks.iter().enumerate() {
        match block {
            Block::Heading(_, text) => section = text.clone(),
            Block::Code(language, command) if language == "bash" => {
                let command = command.replace("https://your-app.example/webhooks", &receiver.url("/"));
                let (status, mut reply) = curl(&command, &key, &webhook, &delivery);
                let said = blocks[n + 1..].iter().find_map(|block| match block {
                    Block::Line(line) => line.strip_prefix("The answer is ")?.get(..3)?.parse::<u16>().ok(),
                    _ => None,
                });
                assert_eq!(Some(status), said, "{name}: {command}\n{reply}");
                run += 1;
                let next = blocks[n + 1..].iter().take_while(|block| !matches!(block, Block::Heading(..)));
                let documented = next.filter_map(|block| match block {
                    Block::Code(language, text) if language == "json" => serde_json::from_str::<Value>(text).ok(),
                    _ => None,
                });
                let Some(documented) = documented.last() else { continue };
                // Such as that the endpoint is on this machine.
                reply.as_object_mut().and_then(|reply| reply.shift_remove("warnings"));
                same_shape(&documented, &reply, &format!("{name}: {section}"));
                let inner = if reply["data"].is_object() { &reply["data"] } else { &reply };
                if section == "Create a webhook" {
                    webhook = inner["id"].as_str().expect("an id").to_owned();
                    // An endpoint that needs the secret for it is asked who it is a moment later.
                    until(&mut client, &format!("/api/v1/webhooks/{webhook}"), |it| it["status"] != "unverified");
                }
                if let Some(id) = ["delivery_id", "deliveryId"].iter().find_map(|field| inner[field].as_str()) {
                    delivery = id.to_owned();
                }
            }
            _ => {}
        }
    }
    assert!(run >= 6, "{name}: only {run} commands");
    assert!(code(blocks).any(|(_, text)| text.contains("-X DELETE")), "{name}");
}

/// Runs a command as it is printed. The function around `curl` only adds the status to what it prints.
fn curl(command: &str, key: &str, webhook: &str, delivery: &str) -> (u16, Value) {
    let script = format!("curl() {{ command curl -sS -m 30 -w '\\n%{{http_code}}' \"$@\"; }}\n{command}");
    let ran = Command::new("bash")
        .args(["-euc", &script])
        .env("API_KEY", key)
        .env("WEBHOOK_ID", webhook)
        .env("DELIVERY_ID", delivery)
        .output()
        .expect("bash runs");
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').unwrap_or_else(|| panic!("{command}\n{ran:?}"));
    (status.parse().expect("a status"), serde_json::from_str(body).unwrap_or_default())
}
