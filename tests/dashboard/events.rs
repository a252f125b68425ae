//! The pages of events: what they show, and what can be done there.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::here::Here;

const EVENTS: &str = "/dashboard/@default/events";

fn webhook(here: &mut Here, name: &str, more: Value) -> String {
    let mut body = json!({"mode": "pull", "events": ["*"], "name": name});
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    here.client.post("/api/v1/webhooks", &body).data(201)["id"].as_str().expect("an id").to_owned()
}

fn publish(here: &mut Here, event: Value) {
    here.client.post("/api/v1/events", &event).data(202);
}

/// A server with a user, a webhook that gets all and two that do not get the event `order-1`.
fn stage() -> (Here, Browser) {
    let mut here = Here::start();
    let browser = here.first();
    webhook(&mut here, "gets all", json!({}));
    webhook(&mut here, "paid only", json!({"events": ["order.paid"]}));
    webhook(&mut here, "large only", json!({"filter": "@.data.amount > 100"}));
    let data = json!({"b": "<script>alert(1)</script>", "amount": 50, "a": ["é", null]});
    publish(&mut here, json!({"type": "order.made", "id": "order-1", "data": data, "metadata": {"team": "blue"}}));
    (here, browser)
}

#[test]
fn the_list_shows_what_its_address_asks_for_and_says_what_is_wrong_with_that() {
    let (mut here, mut browser) = stage();
    publish(&mut here, json!({"type": "task.done", "id": "task-1", "data": 1}));
    let all = browser.get(EVENTS);
    assert!(all.status == 200 && all.text.contains("order-1") && all.text.contains("task-1"), "{}", all.text);
    let some = browser.get(&format!("{EVENTS}?type=task.*"));
    assert!(!some.text.contains("order-1") && some.text.contains("task-1"), "{}", some.text);
    let by_team = browser.get(&format!("{EVENTS}?filter=%40.metadata.team%20%3D%3D%20%22blue%22"));
    assert!(by_team.text.contains("order-1") && !by_team.text.contains(">task-1<"), "{}", by_team.text);
    let later = browser.get(&format!("{EVENTS}?from=2999-01-01T00:00"));
    assert!(later.text.contains("No event is like that"), "{}", later.text);
    for (query, said) in
        [("type=a%20b", "type"), ("from=today", "RFC 3339"), ("filter=%40.", "filter"), ("cursor=x", "cursor")]
    {
        let wrong = browser.get(&format!("{EVENTS}?{query}"));
        assert!(
            wrong.status == 400 && wrong.text.contains("role=\"alert\"") && wrong.text.contains(said),
            "{query}: {}",
            wrong.text
        );
    }
    let hostile = browser.get(&format!("{EVENTS}?id=%22%3E%3Cscript%3E"));
    assert!(!hostile.text.contains("\"><script>"), "{}", hostile.text);
    here.stop();
}

#[test]
fn where_there_are_none_it_says_how_to_publish_one() {
    let here = Here::start();
    let page = here.first().get(EVENTS);
    assert!(page.text.contains("There are no events yet") && page.text.contains("curl -sS http://"), "{}", page.text);
    here.stop();
}

#[test]
fn an_event_shows_what_it_says_who_got_it_and_why_others_did_not() {
    let (here, mut browser) = stage();
    let page = browser.get(&format!("{EVENTS}/order-1"));
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(!page.text.contains("<script>alert"), "it is escaped: {}", page.text);
    let at = |text: &str| page.text.find(text).unwrap_or_else(|| panic!("{text} in {}", page.text));
    assert!(at("&lt;script&gt;alert(1)") < at(">50<") && at(">50<") < at("é"), "in its own order");
    assert!(at("Webhooks that got it") < at("Webhooks that did not get it"));
    assert!(at("large only") > at("Webhooks that did not get it"));
    assert!(page.text.contains("It does not want events of this type."));
    assert!(page.text.contains("@.data.amount &gt; 100") && page.text.contains("Its filter does not hold"));
    let raw = browser.get(&format!("{EVENTS}/order-1?raw=1"));
    assert!(raw.text.contains("class=\"raw\"") && !raw.text.contains("class=\"json\""), "{}", raw.text);
    assert_eq!(browser.get(&format!("{EVENTS}/none")).status, 404);
    assert_eq!(browser.get("/dashboard/@nobody/events/order-1").status, 404);
    here.stop();
}

#[test]
fn an_event_is_sent_again_to_all_or_to_some() {
    let (mut here, mut browser) = stage();
    let at = format!("{EVENTS}/order-1");
    let asked = browser.get(&format!("{at}/replay"));
    // The one that got it is still open there, and the others do not want it.
    assert!(asked.text.contains("0 webhooks"), "{}", asked.text);
    webhook(&mut here, "later", json!({}));
    let asked = browser.get(&format!("{at}/replay"));
    assert!(asked.text.contains("1 webhook:"), "{}", asked.text);
    let done = browser.submit(&format!("{at}/replay"), &format!("{at}/replay"), &[]);
    assert!(done.status == 303 && done.location().starts_with("/dashboard/@default/jobs/"), "{done:?}");
    let delivery = here.client.get("/api/v1/events/order-1/deliveries").data(200);
    let first = delivery.as_array().expect("rows").last().expect("the first").clone();
    let text = |name: &str| first[name].as_str().expect("a text").to_owned();
    let chosen = format!("{} {}", text("webhook_id"), text("id"));
    browser.submit(&at, &format!("{at}/replay-chosen"), &[]).leads_to(&format!("{at}?said=none-chosen"));
    let again = browser.submit(&at, &format!("{at}/replay-chosen"), &[("delivery", &chosen)]);
    again.leads_to(&format!("{at}?said=replayed"));
    assert!(here.deeds("default").contains(&"delivery.replayed".to_owned()));
    here.stop();
}

#[test]
fn an_event_is_purged_and_deleted_once_that_was_said_twice() {
    let (mut here, mut browser) = stage();
    let at = format!("{EVENTS}/order-1");
    let asked = browser.get(&format!("{at}/purge"));
    assert!(asked.text.contains("1 delivery") && asked.text.contains("still open"), "{}", asked.text);
    browser.submit(&format!("{at}/purge"), &format!("{at}/purge"), &[]).leads_to(&format!("{at}?said=purged"));
    let purged = browser.get(&at);
    assert!(purged.text.contains("Its payload was purged") && !purged.text.contains("alert(1)"), "{}", purged.text);
    assert_eq!(browser.get(&format!("{at}/replay")).status, 410);
    browser.submit(&format!("{at}/delete"), &format!("{at}/delete"), &[]).leads_to(&format!("{EVENTS}?said=deleted"));
    assert_eq!(browser.get(&at).status, 404);
    assert_eq!(here.client.get("/api/v1/events/order-1").status, 404);
    assert_eq!(browser.post(&format!("{at}/delete"), &[("token", "wrong")]).status, 403);
    here.stop();
}

#[test]
fn one_is_published_by_hand_and_once() {
    let mut here = Here::start();
    let mut browser = here.first();
    let known = json!({"type": "order.paid", "description": "Paid.", "sample": {"amount": 1}});
    here.client.post("/api/v1/event-types", &known).data(201);
    let (form, path) = ("/dashboard/@default/publish?type=order.paid", "/dashboard/@default/publish");
    let page = browser.get(form);
    assert!(page.text.contains("&quot;amount&quot;: 1") && page.text.contains("value=\"order.paid\""), "{}", page.text);
    let (token, once) = (page.field("token"), page.field("once"));
    let fields = |data: &'static str| {
        [
            ("token", token.as_str()),
            ("once", once.as_str()),
            ("type", "order.paid"),
            ("data", data),
            ("id", "by-hand"),
            ("channels", "a, b"),
        ]
    };
    for (data, said) in [("{", "is not JSON"), ("1, \"test\": true", "is not JSON")] {
        let wrong = browser.post(path, &fields(data));
        assert!(wrong.status == 400 && wrong.text.contains(said), "{}", wrong.text);
        assert!(wrong.text.contains("by-hand"), "what was typed stays: {}", wrong.text);
    }
    let done = browser.post(path, &fields("{\"amount\": 1.50}"));
    assert!(
        done.status == 200 && done.text.contains("safe on disk") && done.text.contains("No webhook wants it"),
        "{}",
        done.text
    );
    let again = browser.post(path, &fields("{\"amount\": 1.50}"));
    assert!(again.text.contains("was accepted before"), "{}", again.text);
    let shown = here.client.get("/api/v1/events/by-hand");
    assert!(String::from_utf8_lossy(&shown.message.body).contains("{\"amount\": 1.50}"), "as it was typed");
    assert_eq!(shown.data(200)["channels"], json!(["a", "b"]));
    here.stop();
}

#[test]
fn who_may_only_look_changes_nothing() {
    let (mut here, _) = stage();
    let (mut viewer, _) = here.user("default", "viewer@example.com", "viewer");
    let at = format!("{EVENTS}/order-1");
    let page = viewer.get(&at);
    assert!(
        page.status == 200 && !page.text.contains("/delete\"") && !page.text.contains("name=\"delivery\""),
        "{}",
        page.text
    );
    for path in ["/dashboard/@default/publish".to_owned(), format!("{at}/replay"), format!("{at}/delete")] {
        assert_eq!(viewer.get(&path).status, 403, "{path}");
        assert_eq!(viewer.post(&path, &[]).status, 403, "{path}");
    }
    assert_eq!(here.client.get("/api/v1/events/order-1").status, 200);
    here.stop();
}
