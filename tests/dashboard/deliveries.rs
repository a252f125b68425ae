//! Deliveries on pages: each one's story, what was sent and came back, replays, and who may.

use std::sync::atomic::{AtomicUsize, Ordering};

use hookwheel::clock::Stopwatch;
use serde_json::{Value, json};

use crate::here::Here;
use crate::support::process::KEY;
use crate::support::{Answer, Client, DEADLINE, Receiver};

/// What an endpoint says that would like to be a part of the page.
const HOSTILE: &[u8] = b"HTTP/1.1 500 No\r\nX-Mark: \"><script>alert(1)</script>\r\nContent-Length: 33\r\n\r\n<script>alert(2)</script>\"'&\xff\x00\n</";

/// Longer than it is waited for the next attempt, whatever the one before took.
const RETRY_MS: u64 = 6_000;

/// A server that sends to this machine, and whose API may be asked as often as a test waits.
pub fn sending() -> Here {
    Here::start_with(|config| {
        config.deliver.http_allowed = true;
        config.deliver.allow = vec!["127.0.0.0/8".parse().expect("a network")];
        config.server.calls_per_minute = 0;
    })
}

/// A webhook of an account; tried again after these seconds.
pub fn webhook(client: &mut Client, url: &str, delays: &[u64]) -> String {
    let retry = json!({"delays": delays, "jitter_percent": 0});
    let webhook = json!({"url": url, "name": "Acme <b>", "events": ["*"], "retry": retry, "max_in_flight": 1});
    text(&client.post("/api/v1/webhooks", &webhook).data(201)["id"])
}

/// Publishes an event of this id, and gives the id of its one delivery.
pub fn publish(client: &mut Client, name: &str) -> String {
    let event = format!(r#"{{"type": "task.created", "id": "{name}", "data": {{"name": "it's <i>", "n": 1.10}}}}"#);
    client.request("POST", "/api/v1/events", event.as_bytes()).data(202);
    let event = client.get(&format!("/api/v1/events/{name}")).data(200);
    text(&event["deliveries"][0]["id"])
}

/// The delivery once so many attempts are written down.
pub fn tried(client: &mut Client, delivery: &str, attempts: u64) -> Value {
    let watch = Stopwatch::start();
    loop {
        let shown = client.get(&format!("/api/v1/deliveries/{delivery}")).data(200);
        if shown["attempt_count"] == attempts {
            return shown;
        }
        assert!(watch.elapsed() < DEADLINE, "it is not tried: {shown}");
        std::thread::yield_now();
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn page_of(delivery: &str) -> String {
    format!("/dashboard/@default/deliveries/{delivery}")
}

/// A delivery that failed twice, with hostile answers, and then succeeded; and its event is `order-1`.
fn mended(here: &mut Here) -> (Receiver, String) {
    let asked = AtomicUsize::new(0);
    let receiver = Receiver::start(move |_, _| match asked.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Answer::Bytes(HOSTILE),
        _ => Answer::Status(200),
    });
    webhook(&mut here.client, &receiver.url("/hook?q=1"), &[5, 5]);
    let delivery = publish(&mut here.client, "order-1");
    for attempt in 1..=3 {
        receiver.next();
        tried(&mut here.client, &delivery, attempt);
        here.turn(RETRY_MS);
    }
    (receiver, delivery)
}

#[test]
fn a_delivery_that_failed_twice_and_succeeded_reads_so() {
    let mut here = sending();
    let asked = AtomicUsize::new(0);
    let receiver =
        Receiver::start(move |_, _| Answer::Status(if asked.fetch_add(1, Ordering::SeqCst) < 2 { 500 } else { 200 }));
    webhook(&mut here.client, &receiver.url("/hook"), &[5, 5]);
    let delivery = publish(&mut here.client, "order-1");
    let mut browser = here.first();
    receiver.next();
    tried(&mut here.client, &delivery, 1);
    let page = browser.get(&page_of(&delivery));
    assert_eq!(page.status, 200, "{}", page.text);
    let story = page.between("class=\"story\"", "</p>").to_owned();
    assert!(
        story.contains("Failed once: 127.0.0.1 answers 500. Next try <time") && story.contains("in 5 s"),
        "{story}"
    );
    assert!(page.text.contains("its own log at this time says what"), "what to do: {}", page.text);
    assert!(page.text.contains("id=\"story\" data-refresh=\"5\""), "{}", page.text);
    assert!(page.text.contains("1 of at most 3"), "{}", page.text);
    for attempt in 2..=3 {
        here.turn(RETRY_MS);
        receiver.next();
        tried(&mut here.client, &delivery, attempt);
    }
    let page = browser.get(&page_of(&delivery));
    let story = page.between("class=\"story\"", "</p>");
    assert!(story.contains("Delivered at try 3, after it had failed twice: 127.0.0.1 answered 200."), "{story}");
    assert!(!page.text.contains("data-refresh") && !page.text.contains("class=\"note\""), "{}", page.text);
    for attempt in 1..=3 {
        assert!(page.text.contains(&format!("<b>Attempt {attempt}</b>")), "{attempt}: {}", page.text);
    }
    assert!(page.text.contains("<span class=\"hint\">after "), "how long it waited: {}", page.text);
    assert!(page.text.contains("/dashboard/@default/events/order-1"), "{}", page.text);
    let list = browser.get("/dashboard/@default/deliveries?state=succeeded&status_code=&event_type=task.*");
    assert!(list.text.contains(&page_of(&delivery)) && list.text.contains("1 delivery<"), "{}", list.text);
    assert!(!browser.get("/dashboard/@default/deliveries?state=dead").text.contains(&delivery));
    let wrong = browser.get("/dashboard/@default/deliveries?status_code=abc");
    wrong.refuses(400, "must be a status such as 503");
    assert!(wrong.text.contains("value=\"abc\""), "it stays to be mended: {}", wrong.text);
    here.stop();
}

#[test]
fn what_an_endpoint_answers_is_text_and_never_a_part_of_the_page() {
    let mut here = sending();
    let (_receiver, delivery) = mended(&mut here);
    let mut browser = here.first();
    let page = browser.get(&format!("{}?attempt=1", page_of(&delivery)));
    assert!(!page.text.contains("<script>alert"), "{}", page.text);
    for shown in ["&lt;script&gt;alert(1)&lt;/script&gt;", "&lt;script&gt;alert(2)&lt;/script&gt;", "Acme &lt;b&gt;"] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    let file = browser.get(&format!("{}/attempts/1/response", page_of(&delivery)));
    let header = |name: &str| file.message.header(name).map(str::to_owned);
    assert_eq!(header("content-type").as_deref(), Some("text/plain; charset=utf-8"));
    assert_eq!(header("content-disposition").as_deref(), Some("attachment; filename=\"attempt-1-response.txt\""));
    assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"));
    assert!(file.text.starts_with("<script>alert(2)</script>\"'&"), "{}", file.text);
    browser.get(&format!("{}/attempts/9/response", page_of(&delivery))).refuses(404, "no such attempt");
    here.stop();
}

#[test]
fn what_was_sent_is_shown_as_it_was_sent_and_as_a_command() {
    let mut here = sending();
    let (receiver, delivery) = mended(&mut here);
    let mut browser = here.first();
    let page = browser.get(&page_of(&delivery));
    assert!(page.text.contains("the same to the byte as what was sent"), "{}", page.text);
    let file = browser.get(&format!("{}/attempts/3/request", page_of(&delivery)));
    let sent = here.client.get(&format!("/api/v1/deliveries/{delivery}/attempts/3")).data(200);
    assert_eq!(file.text, text(&sent["request_body"]["content"]));
    let command = page.between("<div class=\"command\"><pre tabindex=\"0\"><code>", "</code>").to_owned();
    assert!(command.starts_with("curl --globoff --request POST '"), "{command}");
    assert!(command.contains(&receiver.url("/hook?q=1")), "{command}");
    assert!(
        command.contains("--header 'content-type: application/json'") && command.contains("it'\\''s &lt;i&gt;"),
        "{command}"
    );
    assert!(command.contains("1.10"), "numbers stay as they were written: {command}");
    here.stop();
}

#[test]
fn two_attempts_stand_side_by_side_with_what_differs_marked() {
    let mut here = sending();
    let (_receiver, delivery) = mended(&mut here);
    let mut browser = here.first();
    let compared = browser.get(&format!("{}/compare?a=1&b=3", page_of(&delivery)));
    assert_eq!(compared.status, 200, "{}", compared.text);
    let outcome = compared.between("<th scope=\"row\">Outcome", "</tr>");
    assert!(outcome.contains("differs") && outcome.contains("500") && outcome.contains("200"), "{outcome}");
    let header = compared.between("<th scope=\"row\">x-mark", "</tr>");
    assert!(header.contains("differs") && header.contains("&lt;script&gt;"), "{header}");
    let same = compared.between("<th scope=\"row\">content-type", "</tr>");
    assert!(!same.contains("differs"), "{same}");
    assert!(browser.get(&format!("{}/compare", page_of(&delivery))).text.contains("<h1>Attempts 2 and 3</h1>"));
    browser.get(&format!("{}/compare?a=1&b=9", page_of(&delivery))).refuses(404, "no such attempt");
    browser.get(&format!("{}/compare?a=1&b=x", page_of(&delivery))).refuses(400, "must be the number of an attempt");
    here.stop();
}

#[test]
fn a_replay_leads_to_the_new_delivery_and_ticked_ones_are_asked_about_first() {
    let mut here = sending();
    let (receiver, delivery) = mended(&mut here);
    let mut browser = here.first();
    let replayed = browser.submit(&page_of(&delivery), &format!("{}/replay", page_of(&delivery)), &[]);
    assert_eq!(replayed.status, 303, "{}", replayed.text);
    assert!(replayed.location().ends_with("?said=replayed"), "{}", replayed.location());
    let page = browser.get(replayed.location());
    assert!(
        page.text.contains("Sent again, as a new delivery.") && page.text.contains("somebody replayed"),
        "{}",
        page.text
    );
    receiver.next();

    let list = "/dashboard/@default/deliveries";
    browser.get(&format!("{list}/replay")).refuses(400, "tick what is to be replayed");
    let other = publish(&mut here.client, "order-2");
    receiver.next();
    let ask = format!("{list}/replay?ids={delivery}&ids={other}");
    let asked = browser.get(&ask);
    assert!(asked.text.contains("Replay 2 deliveries"), "{}", asked.text);
    let ids = [("ids", delivery.as_str()), ("ids", other.as_str())];
    browser.submit(&ask, &format!("{list}/replay"), &ids).leads_to(&format!("{list}?cause=replay&said=replayed-many"));
    let rows = here.client.get("/api/v1/deliveries?cause=replay").data(200);
    let olds: Vec<_> = rows.as_array().expect("rows").iter().map(|row| text(&row["replay_of"])).collect();
    assert_eq!((olds.len(), olds.iter().filter(|old| **old == other).count()), (3, 1), "{olds:?}");
    let some = [("ids", delivery.as_str()), ("ids", "nothing")];
    let told = browser.submit(&ask, &format!("{list}/replay"), &some);
    assert!(told.text.contains("1 delivery was sent again, and 1 was not"), "{}", told.text);
    here.stop();
}

#[test]
fn all_of_a_webhook_that_ended_in_one_way_are_replayed_by_a_job() {
    let mut here = sending();
    let receiver = Receiver::start(|_, _| Answer::Status(200));
    let webhook = webhook(&mut here.client, &receiver.url("/hook"), &[]);
    for name in ["order-1", "order-2"] {
        let delivery = publish(&mut here.client, name);
        receiver.next();
        tried(&mut here.client, &delivery, 1);
    }
    let list = "/dashboard/@default/deliveries";
    let mut browser = here.first();
    assert!(browser.get(&format!("{list}?webhook={webhook}&state=succeeded")).text.contains("Replay all that match"));
    assert!(
        !browser.get(&format!("{list}?state=succeeded")).text.contains("Replay all that match"),
        "of one webhook only"
    );
    let ask = format!("{list}/replay-all?webhook={webhook}&state=succeeded");
    let asked = browser.get(&ask);
    assert!(asked.text.contains("Replay 2 deliveries"), "{}", asked.text);
    let which = [("webhook", webhook.as_str()), ("state", "succeeded")];
    let started = browser.submit(&ask, &format!("{list}/replay-all"), &which);
    assert!(started.status == 303 && started.location().ends_with("?said=started"), "{}", started.text);
    (0..2).for_each(|_| drop(receiver.next()));
    let rows = here.client.get("/api/v1/deliveries?cause=replay").data(200);
    assert_eq!(rows.as_array().map(Vec::len), Some(2), "{rows}");
    browser
        .get(&format!("{list}/replay-all?webhook={webhook}"))
        .refuses(400, "must be dead, succeeded, cancelled or missing");
    here.stop();
}

#[test]
fn a_viewer_sees_all_of_it_and_replays_nothing_and_others_see_nothing() {
    let mut here = sending();
    let (_receiver, delivery) = mended(&mut here);
    here.client.post("/api/v1/accounts", &json!({"id": "acme", "name": "Acme"})).data(201);
    let (mut viewer, _) = here.user("default", "eve@example.com", "viewer");
    let page = viewer.get(&page_of(&delivery));
    assert!(page.status == 200 && !page.text.contains("/replay\"") && !page.text.contains("/pause\""), "{}", page.text);
    let list = viewer.get("/dashboard/@default/deliveries");
    assert!(list.status == 200 && !list.text.contains("name=\"ids\""), "{}", list.text);
    viewer.submit("/dashboard/you", &format!("{}/replay", page_of(&delivery)), &[]).refuses(403, "");
    viewer.get(&format!("/dashboard/@default/deliveries/replay?ids={delivery}")).refuses(403, "");

    let (mut owner, _) = here.user("acme", "owner@acme.example", "owner");
    for below in ["", "/compare?a=1&b=2", "/attempts/1/request", "/attempts/1/response"] {
        owner.get(&format!("/dashboard/@acme/deliveries/{delivery}{below}")).refuses(404, "no such delivery");
        assert_eq!(owner.get(&format!("{}{below}", page_of(&delivery))).status, 404);
    }
    let stolen = format!("/dashboard/@acme/deliveries/{delivery}/replay");
    owner.submit("/dashboard/you", &stolen, &[]).refuses(404, "no such delivery");
    let none = owner.get("/dashboard/@acme/deliveries");
    assert!(none.text.contains("There are no deliveries yet"), "{}", none.text);
    let mut client = Client::new(here.address, KEY);
    let rows = client.get("/api/v1/deliveries").data(200);
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "nothing was replayed: {rows}");
    here.stop();
}
