//! The overview of an account: its figures are those of the API, each leads to rows that it counts, and it says what is wrong.

use hookwheel::clock::Stopwatch;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::here::{Here, START};
use crate::support::process::KEY;
use crate::support::{Answer, DEADLINE, Receiver};

const OVERVIEW: &str = "/dashboard/@default/";

/// A server that may send to this machine.
fn here() -> Here {
    Here::start_with(|config| {
        config.deliver.http_allowed = true;
        config.deliver.allow = vec!["127.0.0.0/8".parse().expect("a network")];
    })
}

/// An endpoint that fails for `/dead` and `/again`.
fn endpoint() -> Receiver {
    Receiver::start(|path, _| Answer::Status(if path == "/well" { 200 } else { 500 }))
}

/// A webhook that wants events of this type, and is tried again after these seconds.
fn webhook(here: &mut Here, url: &str, event_type: &str, delays: &[u64]) -> String {
    let retry = json!({"delays": delays, "jitter_percent": 0});
    let body = json!({"url": url, "events": [event_type], "retry": retry});
    here.client.post("/api/v1/webhooks", &body).data(201)["id"].as_str().expect("an id").to_owned()
}

fn publish(here: &mut Here, event_type: &str) {
    here.client.post("/api/v1/events", &json!({"type": event_type, "data": 1})).data(202);
}

/// The statistics of the last hour once so many attempts were made.
fn attempted(here: &mut Here, attempts: u64) -> Value {
    let watch = Stopwatch::start();
    loop {
        let stats = here.client.get("/api/v1/stats").data(200);
        if stats["total"]["attempts"] == attempts {
            return stats;
        }
        assert!(watch.elapsed() < DEADLINE, "{stats}");
        std::thread::yield_now();
    }
}

/// The figure of this label: what it says, and where it leads.
fn figure(page: &str, label: &str) -> (String, String) {
    let start = "<a class=\"figure\" href=\"";
    let before =
        page.find(&format!("<span class=\"label\">{label}</span>")).unwrap_or_else(|| panic!("{label}: {page}"));
    let at = page[..before].rfind(start).expect("it is a link") + start.len();
    let href = page[at..].split('"').next().expect("a value").replace("&amp;", "&");
    let said = page[before..].split("<span class=\"is\">").nth(1).and_then(|rest| rest.split("</span>").next());
    (said.expect("a number").to_owned(), href)
}

/// The rows of the API's list with the query of a page's address.
fn rows(here: &mut Here, href: &str) -> Vec<Value> {
    assert!(href.starts_with(OVERVIEW), "{href}");
    let path = href.replacen(OVERVIEW, "/api/v1/", 1);
    here.client.get(&path).data(200).as_array().expect("rows").clone()
}

#[test]
fn figures_are_those_of_the_api_and_each_leads_to_what_it_counts() {
    let (mut here, endpoint) = (here(), endpoint());
    let mut browser = here.first();
    webhook(&mut here, &endpoint.url("/well"), "a.well", &[]);
    webhook(&mut here, &endpoint.url("/dead"), "a.dead", &[]);
    webhook(&mut here, &endpoint.url("/again"), "a.again", &[86_400]);
    for event_type in ["a.again", "a.well", "a.well", "a.well", "a.well", "a.dead"] {
        publish(&mut here, event_type);
    }
    attempted(&mut here, 6);
    here.turn(60_000);
    let told = attempted(&mut here, 6);
    let page = browser.get(&format!("{OVERVIEW}?range=1h")).text;
    assert_eq!(told["total"]["succeeded"], 4);
    assert_eq!(figure(&page, "Success rate").0, "66.7 %");
    assert_eq!(figure(&page, "Response time").0, format!("{} ms", told["total"]["response_time_ms"]["p50"]));
    assert_eq!(figure(&page, "Retries").0, told["total"]["retried"].to_string());
    assert_eq!((figure(&page, "Dead letters").0.as_str(), figure(&page, "Queue age").0.as_str()), ("1", "1 min"));
    for (label, count) in
        [("Events a minute", 6), ("Deliveries a minute", 6), ("Success rate", 4), ("Dead letters", 1), ("Retries", 1)]
    {
        assert_eq!(rows(&mut here, &figure(&page, label).1).len(), count, "{label}");
    }
    let oldest = rows(&mut here, &figure(&page, "Queue age").1).remove(0);
    assert_eq!((&oldest["state"], &oldest["created_at"]), (&json!("scheduled"), &told["queue"]["oldest_open_at"]));
    here.stop();
}

#[test]
fn what_is_sick_comes_first_with_why_and_for_how_many() {
    let (mut here, endpoint) = (here(), endpoint());
    let mut browser = here.first();
    let well = webhook(&mut here, &endpoint.url("/well"), "a.well", &[]);
    let failing = webhook(&mut here, &endpoint.url("/again"), "a.again", &[86_400]);
    let disabled = webhook(&mut here, &endpoint.url("/well"), "a.held", &[]);
    let page = browser.get(OVERVIEW).text;
    assert!(page.contains("All of your 3 webhooks take their deliveries."), "{page}");
    for attempts in 1..=3 {
        publish(&mut here, "a.again");
        attempted(&mut here, attempts);
    }
    let reason = json!({"reason": "moved <b>away</b>"});
    here.client.post(&format!("/api/v1/webhooks/{disabled}/disable"), &reason).data(200);
    publish(&mut here, "a.held");
    let page = browser.get(OVERVIEW).text;
    let at = |id: &str| page.find(&format!("{OVERVIEW}webhooks/{id}"));
    assert!(at(&disabled).is_some() && at(&disabled) < at(&failing) && at(&well).is_none(), "the worst first: {page}");
    assert!(page.contains("2 webhooks need a look") && page.contains("moved &lt;b&gt;away"), "{page}");
    assert!(page.contains("3 attempts in a row failed") && page.contains("3 deliveries wait for it."), "{page}");
    assert!(page.contains("1 delivery is held for it."), "{page}");
    here.stop();
}

#[test]
fn who_begins_is_told_what_to_do_until_it_is_done() {
    let mut here = here();
    let mut browser = here.first();
    let steps = |browser: &mut Browser| browser.get(OVERVIEW).text;
    let page = steps(&mut browser);
    let command = |page: &str, path: &str| page.contains(&format!("curl -sS http://{}/api/v1/{path} ", here.address));
    assert!(page.contains("First steps") && command(&page, "webhooks") && command(&page, "events"), "{page}");
    assert!(!page.contains(KEY), "a command has no key in it");
    webhook(&mut here, "http://127.0.0.1:9/", "*", &[]);
    let page = steps(&mut browser);
    let command = |page: &str, path: &str| page.contains(&format!("curl -sS http://{}/api/v1/{path} ", here.address));
    assert!(page.contains("First steps") && !command(&page, "webhooks") && command(&page, "events"), "{page}");
    publish(&mut here, "a.a");
    assert!(!steps(&mut browser).contains("First steps"));
    here.stop();
}

#[test]
fn the_range_is_in_the_address() {
    let mut here = here();
    publish(&mut here, "a.a");
    here.turn(3 * 24 * 3_600_000);
    let mut browser = here.first();
    for (range, called, events) in [("1h", "1 h", 0), ("24h", "24 h", 0), ("7d", "7 d", 1), ("30d", "30 d", 1)] {
        let page = browser.get(&format!("{OVERVIEW}?range={range}")).text;
        assert!(page.contains(&format!("aria-current=\"true\">{called}</a>")), "{range}: {page}");
        assert_eq!(rows(&mut here, &figure(&page, "Events a minute").1).len(), events, "{range}");
    }
    assert!(here.clock.now() > START);
    here.stop();
}

#[test]
fn who_may_help_a_sick_webhook_finds_the_way_there() {
    let mut here = Here::start();
    let webhook = json!({"mode": "pull", "events": ["*"], "name": "held"});
    let id = here.client.post("/api/v1/webhooks", &webhook).data(201)["id"].as_str().expect("an id").to_owned();
    here.client.post(&format!("/api/v1/webhooks/{id}/pause"), &json!({})).data(200);
    for (role, finds) in [("operator", true), ("viewer", false)] {
        let (mut browser, _) = here.user("default", &format!("{role}@example.com"), role);
        let page = browser.get("/dashboard/@default/").text;
        let way = format!("<a href=\"/dashboard/@default/webhooks/{id}\">Resume it</a>");
        assert_eq!(page.contains(&way), finds, "{role}: {page}");
        assert_eq!(page.contains("Somebody who may can resume it"), !finds, "{role}: {page}");
    }
    here.stop();
}
