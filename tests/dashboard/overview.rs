//! The overview of an account: its figures are those of the API, each leads to rows that it counts, and it says what is wrong.

use crate::browser::log_in;
use crate::server::{START_MS, Server, id};
use hookwheel::domain::backoff::Strain;
use hookwheel::domain::delivery::{Attempt, AttemptSummary, Outcome};
use hookwheel::domain::disable::DisableRule;
use hookwheel::domain::id::DeliveryId;
use hookwheel::domain::retry::Next;
use hookwheel::store::Settlement;
use serde_json::json;

async fn webhook(server: &Server, filter: &str) -> String {
    let body = json!({"url": "https://example.com/hook", "events": [filter]});
    id(&server.post("/api/v1/webhooks").json(body).send().await.data(201))
}

/// Publishes an event of this type.
async fn publish(server: &Server, event_type: &str) -> DeliveryId {
    let event = json!({"type": event_type, "data": 1});
    let event = id(&server.post("/api/v1/events").json(event).send().await.data(202));
    let shown = server.get(&format!("/api/v1/events/{event}")).send().await.data(200);
    DeliveryId::parse(shown["deliveries"][0]["id"].as_str().unwrap()).unwrap()
}

/// Records what came of a delivery's n-th attempt.
async fn attempt(server: &Server, delivery: DeliveryId, number: u16, outcome: Outcome, next: Next) {
    let summary = AttemptSummary { number, started_at: server.clock.now(), duration_ms: 20, outcome };
    let attempt = Attempt { summary, ..Attempt::not_made(number, "https://example.com/hook", START_MS, "") };
    let (disable, strain) = (DisableRule::default(), Strain::Neutral);
    server.store.settle(Settlement { delivery, attempt, next, disable, strain, dice: 0.0, rate_limited: false });
    server.store.change(0, |_| Ok(())).await.unwrap();
}

/// The figure of this label: what it says, and where it leads.
fn figure(page: &str, label: &str) -> (String, String) {
    let before = page.find(&format!("<span class=\"label\">{label}</span>")).unwrap_or_else(|| panic!("{label}: {page}"));
    let start = page[..before].rfind("<a class=\"figure\" href=\"").expect("it is a link") + "<a class=\"figure\" href=\"".len();
    let href = page[start..].split('"').next().unwrap().replace("&amp;", "&");
    let said = page[before..].split("<span class=\"is\">").nth(1).unwrap().split("</span>").next().unwrap();
    (said.replace("&gt;", ">"), href)
}

#[actix_web::test]
async fn figures_are_those_of_the_api_and_each_leads_to_what_it_counts() {
    let server = Server::start().await;
    let browser = log_in(&server).await;
    webhook(&server, "task.*").await;
    for n in 0..6 {
        let delivery = publish(&server, "task.done").await;
        match n {
            0 => attempt(&server, delivery, 1, Outcome::Status(500), Next::Dead).await,
            1 => attempt(&server, delivery, 1, Outcome::TimedOut, Next::RetryAt(START_MS + 1_000_000)).await,
            _ => attempt(&server, delivery, 1, Outcome::Status(200), Next::Succeeded).await,
        }
    }
    server.clock.turn_to(START_MS + 60_000);
    let page = browser.get("/dashboard/@default/?range=1h").await;
    assert_eq!(page.status, 200, "{}", page.text);
    let told = server.get("/api/v1/stats").send().await.data(200);
    let total = &told["total"];
    assert_eq!((&total["attempts"], &total["succeeded"], &total["accepted"]), (&json!(6), &json!(4), &json!(6)));
    assert_eq!(figure(&page.text, "Success rate").0, "66.7 %");
    assert_eq!(figure(&page.text, "Response time").0, format!("{} ms", total["response_time_ms"]["p50"]));
    assert_eq!(figure(&page.text, "Dead letters").0, "1");
    assert_eq!(figure(&page.text, "Retries").0, total["retried"].to_string());
    assert_eq!(figure(&page.text, "Queue age").0, "1 min");

    // Each address is that of the API's list with the same query, where there are as many rows.
    let rows = |href: String| {
        let path = href.replace("/dashboard/@default/", "/api/v1/");
        let server = &server;
        async move { server.get(&path).send().await.data(200).as_array().unwrap().len() }
    };
    for (label, count) in
        [("Events a minute", 6), ("Deliveries a minute", 6), ("Success rate", 4), ("Dead letters", 1), ("Retries", 1)]
    {
        let (_, href) = figure(&page.text, label);
        assert!(href.starts_with("/dashboard/@default/"), "{href}");
        assert_eq!(rows(href).await, count, "{label}");
    }
    let (_, oldest) = figure(&page.text, "Queue age");
    let path = oldest.replace("/dashboard/@default/", "/api/v1/");
    let first = server.get(&path).send().await.data(200)[0].clone();
    assert_eq!((&first["state"], &first["created_at"]), (&json!("scheduled"), &told["queue"]["oldest_open_at"]));
    server.stop().await;
}

#[actix_web::test]
async fn what_is_sick_comes_first_with_why_since_when_and_for_how_many() {
    let server = Server::start().await;
    let browser = log_in(&server).await;
    let (well, failing, disabled) =
        (webhook(&server, "a.a").await, webhook(&server, "b.b").await, webhook(&server, "c.c").await);
    let page = browser.get("/dashboard/@default/").await;
    assert!(page.text.contains("All of your 3 webhooks take their deliveries."), "{}", page.text);
    let delivery = publish(&server, "b.b").await;
    for number in 1..=3 {
        attempt(&server, delivery, number, Outcome::Status(503), Next::RetryAt(START_MS + 1_000_000)).await;
    }
    let reason = json!({"reason": "moved <b>away</b>"});
    server.post(&format!("/api/v1/webhooks/{disabled}/disable")).json(reason).send().await.data(200);
    publish(&server, "c.c").await;
    let page = browser.get("/dashboard/@default/").await.text;
    let at = |id: &str| page.find(&format!("/dashboard/@default/webhooks/{id}"));
    assert!(at(&disabled).unwrap() < at(&failing).unwrap() && at(&well).is_none(), "the worst first: {page}");
    assert!(page.contains("2 webhooks need a look") && page.contains("moved &lt;b&gt;away"), "{page}");
    assert!(page.contains("3 attempts in a row failed") && page.contains("1 delivery waits for it."), "{page}");
    assert!(page.contains("1 delivery is held for it."), "{page}");
    server.stop().await;
}

#[actix_web::test]
async fn who_begins_is_told_what_to_do_until_it_is_done() {
    let server = Server::start().await;
    let browser = log_in(&server).await;
    let steps = async || browser.get("/dashboard/@default/").await.text;
    let page = steps().await;
    assert!(page.contains("First steps") && page.contains("/api/v1/webhooks") && page.contains("/api/v1/events"), "{page}");
    assert!(page.contains(&format!("curl -sS {}/api/v1/", server.url)) && !page.contains(&server.admin), "{page}");
    webhook(&server, "*").await;
    let page = steps().await;
    assert!(page.contains("First steps") && !page.contains("/api/v1/webhooks -H"), "{page}");
    publish(&server, "a.a").await;
    assert!(!steps().await.contains("First steps"));
    server.stop().await;
}

#[actix_web::test]
async fn the_range_is_in_the_address() {
    let server = Server::start().await;
    let browser = log_in(&server).await;
    webhook(&server, "*").await;
    publish(&server, "a.a").await;
    server.clock.turn_to(START_MS + 3 * 24 * 3_600_000);
    for (range, label, events) in [("1h", "1 h", 0), ("24h", "24 h", 0), ("7d", "7 d", 1), ("30d", "30 d", 1)] {
        let page = browser.get(&format!("/dashboard/@default/?range={range}")).await.text;
        assert!(page.contains(&format!("aria-current=\"true\">{label}</a>")), "{range}: {page}");
        let (_, href) = figure(&page, "Events a minute");
        let rows = server.get(&href.replace("/dashboard/@default/", "/api/v1/")).send().await.data(200);
        assert_eq!(rows.as_array().unwrap().len(), events, "{range}");
    }
    server.stop().await;
}
