//! Finding: what each list can be asked, from which end it is told, in which form, and how many rows it has.

use hookwheel::domain::delivery::Outcome;
use hookwheel::domain::retry::Next;
use serde_json::{Value, json};

use crate::access::key;
use crate::dead_letters::ended_for;
use crate::history::attempt;
use crate::server::{START_MS, Server, id};

async fn webhook(server: &Server, settings: Value) -> String {
    let mut body = json!({"url": "https://example.com/hook", "events": ["*"]});
    body.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    id(&server.post("/api/v1/webhooks").json(body).send().await.data(201))
}

async fn publish(server: &Server, event: Value) {
    server.post("/api/v1/events").json(event).send().await.data(202);
}

/// What each row of the list has as `field`.
async fn listed(server: &Server, path: &str, field: &str) -> Vec<String> {
    let rows = server.get(path).send().await.data(200);
    rows.as_array().unwrap().iter().map(|row| row[field].as_str().unwrap_or("-").to_string()).collect()
}

/// The same over all pages, of so many rows each.
async fn all(server: &Server, path: &str, limit: usize, field: &str) -> Vec<String> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("{path}&limit={limit}{cursor}")).send().await;
        let rows = page.json["data"].as_array().expect("a page").clone();
        seen.extend(rows.iter().map(|row| row[field].as_str().unwrap().to_string()));
        match page.json["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return seen,
        }
    }
}

/// Two webhooks, and a delivery to each of the events `e0` to `e3`; those to the first: succeeded, scheduled, dead, pending.
async fn with_deliveries(server: &Server) -> [String; 2] {
    let one = webhook(server, json!({"order_key": "data.customer"})).await;
    let other = webhook(server, json!({})).await;
    for n in 0..4 {
        server.clock.turn_to(START_MS + 1_000 * n);
        let event_type = if n % 2 == 0 { "task.done" } else { "note.done" };
        publish(server, json!({"type": event_type, "id": format!("e{n}"), "data": {"customer": n}})).await;
    }
    let rows = server.get(&format!("/api/v1/webhooks/{one}/deliveries?order=oldest")).send().await.data(200);
    let delivery = |n: usize| id(&rows[n]);
    attempt(server, &delivery(0), 1, Outcome::Status(204), Next::Succeeded).await;
    attempt(server, &delivery(1), 1, Outcome::Status(503), Next::RetryAt(START_MS + 1_000_000)).await;
    attempt(server, &delivery(2), 1, Outcome::TimedOut, Next::Dead).await;
    [one, other]
}

#[actix_web::test]
async fn all_deliveries_of_an_account_are_one_list_from_either_end() {
    let server = Server::start().await;
    let [one, other] = with_deliveries(&server).await;
    let both = |n: usize| [format!("e{n}"), format!("e{n}")];
    let oldest: Vec<String> = (0..4).flat_map(both).collect();
    let newest: Vec<String> = (0..4).rev().flat_map(both).collect();
    for limit in [1, 3, 250] {
        assert_eq!(all(&server, "/api/v1/deliveries?order=oldest", limit, "event_id").await, oldest, "{limit}");
        assert_eq!(all(&server, "/api/v1/deliveries?order=newest", limit, "event_id").await, newest, "{limit}");
    }
    let mut of = listed(&server, "/api/v1/deliveries?limit=2", "webhook_id").await;
    of.sort();
    let mut webhooks = vec![one.clone(), other];
    webhooks.sort();
    assert_eq!(of, webhooks, "each row says whose it is");
    // A webhook that was deleted is not forgotten yet, and neither is what it got.
    server.ask("DELETE", &format!("/api/v1/webhooks/{one}")).send().await;
    assert_eq!(listed(&server, &format!("/api/v1/deliveries?webhook={one}&state=dead"), "event_id").await, ["e2"]);
    server.post("/api/v1/accounts").json(json!({"id": "else", "name": "Else"})).send().await.data(201);
    let stranger = key(&server, "else", &["read"]).await;
    let seen = server.get("/api/v1/deliveries").key(&stranger).send().await;
    assert_eq!((seen.json["data"].clone(), &seen.json["next_cursor"]), (json!([]), &json!(null)));
    let named = server.get(&format!("/api/v1/deliveries?webhook={one}")).key(&stranger).send().await;
    assert_eq!(named.error(404, "not_found"), "webhook");
    let publisher = key(&server, "else", &["publish"]).await;
    server.get("/api/v1/deliveries").key(&publisher).send().await.error(403, "forbidden");
    server.stop().await;
}

#[actix_web::test]
async fn deliveries_are_found_by_what_became_of_them() {
    let server = Server::start().await;
    let [one, other] = with_deliveries(&server).await;
    let found =
        async |query: &str| listed(&server, &format!("/api/v1/deliveries?order=oldest&{query}"), "event_id").await;
    for (query, events) in [
        ("state=succeeded", vec!["e0"]),
        ("status_code=503", vec!["e1"]),
        ("status_code=2xx", vec!["e0"]),
        ("outcome=timeout", vec!["e2"]),
        ("outcome=timeout&status_code=2xx", vec![]),
        ("cause=accept&state=dead", vec!["e2"]),
        ("cause=replay", vec![]),
        ("order_key=2", vec!["e2"]),
        ("order_key=x", vec![]),
        ("event_type=note.*&state=scheduled", vec!["e1"]),
        ("event_type=task.done", vec!["e0", "e0", "e2", "e2"]),
        ("from=2023-11-14T22:13:22Z&to=2023-11-14T22:13:23Z", vec!["e2", "e2"]),
        ("from=2023-11-14T22:13:23Z", vec!["e3", "e3"]),
        (&*format!("webhook={other}"), vec!["e0", "e1", "e2", "e3"]),
    ] {
        assert_eq!(found(query).await, events, "{query}");
    }
    // What one list of deliveries can be asked, those of a webhook can.
    let own = |list: &str, query: &str| format!("/api/v1/webhooks/{one}/{list}?order=oldest&{query}");
    assert_eq!(listed(&server, &own("deliveries", "event_type=task.*"), "event_id").await, ["e0", "e2"]);
    assert_eq!(listed(&server, &own("logs", "event_type=note.*"), "event_id").await, ["e1"], "e3 was not tried");
    for (query, field) in [
        ("state=x", "state"),
        ("status_code=99", "status_code"),
        ("cause=x", "cause"),
        ("outcome=x", "outcome"),
        ("event_type=*x", "event_type"),
        ("from=x", "from"),
        ("from=2024-01-02T00:00:00Z&to=2024-01-01T00:00:00Z", "to"),
        ("order=up", "order"),
        ("count=x", "count"),
        ("limit=0", "limit"),
        ("cursor=x", "cursor"),
        ("oder=newest", "oder"),
    ] {
        let reply = server.get(&format!("/api/v1/deliveries?{query}")).send().await;
        assert_eq!(reply.error(400, "invalid_field"), field, "{query}");
    }
    let twice = server.get(&format!("/api/v1/webhooks/{one}/deliveries?webhook={other}")).send().await;
    assert_eq!(twice.error(400, "invalid_field"), "webhook");
    server.stop().await;
}

#[actix_web::test]
async fn every_list_is_told_from_either_end() {
    let server = Server::start().await;
    with_deliveries(&server).await;
    let replay = json!({"event_type": "task.done"});
    for _ in 0..2 {
        let job = server.post("/api/v1/dead-letters/replay").json(replay.clone()).send().await.data(202);
        // What it makes must not come between two looks.
        ended_for(&server, &server.admin, &job).await;
    }
    server.post("/api/v1/accounts").json(json!({"id": "else", "name": "Else"})).send().await.data(201);
    for path in [
        "/api/v1/events",
        "/api/v1/events/e0/deliveries",
        "/api/v1/webhooks",
        "/api/v1/deliveries",
        "/api/v1/jobs",
        "/api/v1/audit",
        "/api/v1/accounts",
    ] {
        let newest = all(&server, &format!("{path}?order=newest"), 1, "id").await;
        let mut oldest = all(&server, &format!("{path}?order=oldest"), 2, "id").await;
        assert!(newest.len() > 1, "{path}");
        oldest.reverse();
        assert_eq!(newest, oldest, "{path}");
        let usual = listed(&server, &format!("{path}?limit=250"), "id").await;
        assert_eq!(usual, newest, "{path}");
    }
    server.stop().await;
}

#[actix_web::test]
async fn events_are_found_by_their_id_and_by_what_they_say() {
    let server = Server::start().await;
    for n in 0..5 {
        let event =
            json!({"type": "task.done", "id": format!("e{n}"), "data": {"amount": n, "customer": {"id": "c_1"}}});
        publish(&server, event).await;
    }
    publish(&server, json!({"type": "note.done", "id": "n", "data": {"amount": 9}, "actor": {"user_id": "u"}})).await;
    let found = async |query: &str| listed(&server, &format!("/api/v1/events?order=oldest&{query}"), "id").await;
    // @.data.amount > 2; @.data.customer.id == "c_1" && @.data.amount < 1; @.actor.user_id == "u"
    assert_eq!(found("filter=%40.data.amount%20%3E%202").await, ["e3", "e4", "n"]);
    assert_eq!(found("filter=%40.data.amount%20%3E%202&type=task.*").await, ["e3", "e4"]);
    let both = "filter=%40.data.customer.id%20%3D%3D%20%22c_1%22%20%26%26%20%40.data.amount%20%3C%201";
    assert_eq!(found(both).await, ["e0"]);
    assert_eq!(found("filter=%40.actor.user_id%20%3D%3D%20%22u%22").await, ["n"]);
    assert_eq!((found("id=e3").await, found("id=none").await), (vec!["e3".to_string()], vec![]));
    assert_eq!(found("id=e3&type=note.*").await, [""; 0], "all that is asked for must hold");
    let wrong = server.get("/api/v1/events?filter=x").send().await;
    assert_eq!(wrong.error(400, "invalid_field"), "filter");
    server.stop().await;
}

#[actix_web::test]
async fn webhooks_are_found_by_what_they_are() {
    let server = Server::start().await;
    let url = |host: &str| json!(format!("https://{host}/in"));
    webhook(&server, json!({"name": "Billing", "url": url("pay.example.com"), "events": ["task.*"]})).await;
    let paused =
        webhook(&server, json!({"name": "Search", "url": url("find.example.org"), "events": ["note.done"]})).await;
    webhook(&server, json!({"name": "Bill", "url": url("x.example.com"), "dialect": "taskflow"})).await;
    server.post(&format!("/api/v1/webhooks/{paused}/pause")).send().await.data(200);
    let found = async |query: &str| listed(&server, &format!("/api/v1/webhooks?order=oldest&{query}"), "name").await;
    for (query, names) in [
        ("url=PAY.example", vec!["Billing"]),
        ("url=example.com", vec!["Billing", "Bill"]),
        ("name=bill", vec!["Billing", "Bill"]),
        ("text=FIND.example", vec!["Search"]),
        ("text=bill&dialect=taskflow", vec!["Bill"]),
        ("status=paused", vec!["Search"]),
        ("event_type=task.done", vec!["Billing", "Bill"]),
        ("event_type=note.done&status=paused", vec!["Search"]),
        ("dialect=taskflow", vec!["Bill"]),
        ("dialect=none", vec![]),
    ] {
        assert_eq!(found(query).await, names, "{query}");
    }
    let wrong = async |query: &str| server.get(&format!("/api/v1/webhooks?{query}")).send().await;
    assert_eq!(wrong("status=open").await.error(400, "invalid_field"), "status");
    assert_eq!(wrong("event_type=task.*").await.error(400, "invalid_field"), "event_type");
    server.stop().await;
}

#[actix_web::test]
async fn a_count_is_of_all_pages_and_says_whether_it_is_exact() {
    let server = Server::start().await;
    let [one, _] = with_deliveries(&server).await;
    let counted = async |path: &str| {
        let reply = server.get(path).send().await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        reply.json
    };
    let page = counted("/api/v1/deliveries?count=true&limit=1&event_type=task.*").await;
    assert_eq!((page["data"].as_array().unwrap().len(), &page["count"]), (1, &json!({"at_least": 4, "exact": true})));
    let further = page["next_cursor"].as_str().unwrap();
    let page = counted(&format!("/api/v1/deliveries?count=true&limit=1&event_type=task.*&cursor={further}")).await;
    assert_eq!(page["count"]["at_least"], 4, "wherever the page is");
    assert_eq!(counted("/api/v1/deliveries").await.get("count"), None);
    let own = counted(&format!("/api/v1/webhooks/{one}/logs?count=true")).await;
    assert_eq!(own["count"], json!({"at_least": 3, "exact": true}));
    for query in
        ["", "webhook", "state=dead", "state=succeeded", "from=2000-01-01T00:00:00Z", "to=2000-01-01T00:00:00Z"]
    {
        let query = if query == "webhook" { format!("webhook={one}") } else { query.to_owned() };
        for path in ["/api/v1/deliveries", "/api/v1/dead-letters"] {
            if path.ends_with("letters") && query.starts_with("state") {
                continue;
            }
            let all = counted(&format!("{path}?{query}")).await["data"].as_array().unwrap().len();
            let page = counted(&format!("{path}?{query}&count=true&limit=1")).await;
            assert_eq!(page["count"], json!({"at_least": all, "exact": true}), "{path}?{query}");
        }
    }
    let reply = server.get("/api/v1/deliveries?count=true").header("Accept", "text/csv").send().await;
    assert_eq!(reply.error(400, "invalid_field"), "count");

    let batch: Vec<Value> = (0..1_000).map(|_| json!({"type": "many", "data": 1})).collect();
    server.post("/api/v1/accounts").json(json!({"id": "many", "name": "Many"})).send().await.data(201);
    let many = key(&server, "many", &["read", "publish"]).await;
    for _ in 0..10 {
        server.post("/api/v1/events").key(&many).json(json!(batch)).send().await.data(202);
    }
    let count = async || server.get("/api/v1/events?count=true&limit=1").key(&many).send().await.json["count"].clone();
    assert_eq!(count().await, json!({"at_least": 10_000, "exact": true}));
    server.post("/api/v1/events").key(&many).json(json!({"type": "many", "data": 1})).send().await.data(202);
    assert_eq!(count().await, json!({"at_least": 10_000, "exact": false}));
    server.stop().await;
}

#[actix_web::test]
async fn all_of_a_list_comes_line_by_line() {
    let server = Server::start().await;
    // More than are read at once, twice.
    let batch: Vec<Value> = (0..600).map(|n| json!({"type": "a.b", "id": format!("e{n}"), "data": 1})).collect();
    for half in batch.chunks(300) {
        server.post("/api/v1/events").json(json!(half)).send().await.data(202);
    }
    let lines = async |path: &str, accept: &str| server.get(path).header("Accept", accept).send().await;
    let told = lines("/api/v1/events?order=oldest", "application/x-ndjson").await;
    assert_eq!(told.header("Content-Type"), Some("application/x-ndjson"));
    assert!(told.text.ends_with('\n'));
    let rows: Vec<Value> = told.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 600);
    assert!(rows.iter().enumerate().all(|(n, row)| row["id"] == format!("e{n}")), "each once, in order");
    let page = server.get("/api/v1/events?order=oldest&limit=1").send().await;
    assert_eq!(rows[0], page.json["data"][0], "a line is what a page has");

    let some = lines("/api/v1/events?order=oldest&limit=250", "application/x-ndjson").await;
    assert_eq!(some.text.lines().count(), 250);
    let cursor = page.json["next_cursor"].as_str().unwrap();
    let rest = lines(&format!("/api/v1/events?order=oldest&cursor={cursor}"), "application/x-ndjson").await;
    assert_eq!(rest.text.lines().count(), 599);
    let none = lines("/api/v1/events?type=c", "application/x-ndjson").await;
    assert_eq!((none.status.as_u16(), none.text.as_str()), (200, ""));
    let wrong = lines("/api/v1/events?type=*x", "application/x-ndjson").await;
    assert_eq!(wrong.error(400, "invalid_field"), "type");

    let sheet = lines("/api/v1/events?order=oldest", "text/csv").await;
    assert!(sheet.header("Content-Type").unwrap().starts_with("text/csv"));
    let table: Vec<&str> = sheet.text.split("\r\n").collect();
    assert_eq!(table[0], "id,type,created_at,accepted_at,test,channels,webhooks,trace_id,purged_at");
    let (start, rest) = ("e0,a.b,2023-11-14T22:13:20.000Z,2023-11-14T22:13:20.000Z,false,[],0,", table[1]);
    let trace = rest.strip_prefix(start).and_then(|rest| rest.strip_suffix(','));
    assert!(trace.is_some_and(|trace| trace.len() == 32), "{rest}");
    assert_eq!((table.len(), table[601]), (602, ""), "a line each, below the names, and nothing behind the last");
    let none = lines("/api/v1/events?type=c", "text/csv").await;
    assert_eq!(none.text, "id,type,created_at,accepted_at,test,channels,webhooks,trace_id,purged_at\r\n");
    server.stop().await;
}

#[actix_web::test]
async fn a_sheet_holds_what_people_wrote_and_no_formula() {
    let server = Server::start().await;
    webhook(&server, json!({"name": "=HYPERLINK(\"https://evil.example\")", "description": "two\nlines, \"quoted\""}))
        .await;
    let sheet = server.get("/api/v1/webhooks").header("Accept", "text/csv").send().await;
    let mut reader = csv::Reader::from_reader(sheet.text.as_bytes());
    let columns: Vec<String> = reader.headers().unwrap().iter().map(str::to_string).collect();
    let row = reader.records().next().unwrap().unwrap();
    let cell = |name: &str| row.get(columns.iter().position(|column| column == name).expect(name)).unwrap();
    assert_eq!(cell("name"), "'=HYPERLINK(\"https://evil.example\")");
    assert_eq!(cell("description"), "two\nlines, \"quoted\"");
    assert_eq!((cell("events"), cell("enabled"), cell("timeout")), ("[\"*\"]", "true", ""));
    let secret: Vec<_> = columns.iter().map(String::as_str).filter(|column| column.contains("secret")).collect();
    assert_eq!((secret, cell("auth.client_secret")), (vec!["auth.client_secret"], ""), "whether there is one");
    server.stop().await;
}

#[actix_web::test]
async fn every_list_can_be_had_as_lines_and_as_a_sheet() {
    let server = Server::start().await;
    let [one, _] = with_deliveries(&server).await;
    let job = server.post("/api/v1/dead-letters/replay").send().await.data(202);
    ended_for(&server, &server.admin, &job).await;
    for path in [
        "/api/v1/events".to_string(),
        "/api/v1/events/e0/deliveries".into(),
        "/api/v1/webhooks".into(),
        format!("/api/v1/webhooks/{one}/deliveries"),
        format!("/api/v1/webhooks/{one}/logs"),
        "/api/v1/deliveries".into(),
        "/api/v1/dead-letters".into(),
        "/api/v1/jobs".into(),
        "/api/v1/audit".into(),
        "/api/v1/accounts".into(),
    ] {
        let rows = server.get(&path).send().await.data(200).as_array().unwrap().len();
        let lines = server.get(&path).header("Accept", "application/x-ndjson").send().await;
        assert_eq!(lines.text.lines().count(), rows, "{path}: {}", lines.text);
        let sheet = server.get(&path).header("Accept", "text/csv").send().await;
        let mut reader = csv::Reader::from_reader(sheet.text.as_bytes());
        assert_eq!(reader.headers().unwrap().get(0), Some("id"), "{path}: {}", sheet.text);
        let told: Vec<_> = reader.records().collect::<Result<_, _>>().expect("as many cells as names");
        assert_eq!(told.len(), rows, "{path}");
    }
    server.stop().await;
}
