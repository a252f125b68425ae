//! Dead letters and jobs on pages: asked first, done by the API's own jobs, followed to their end or stopped.

use hookwheel::clock::Stopwatch;
use serde_json::{Value, json};

use crate::browser::{Browser, Page};
use crate::deliveries::{publish, sending, text, tried, webhook};
use crate::here::Here;
use crate::support::{Answer, DEADLINE, Receiver};

const LIST: &str = "/dashboard/@default/dead-letters";
/// A page with a form of its own, and so with a token.
const LIST_FORM: &str = "/dashboard/@default/dead-letters/discard";

/// Dead letters of one webhook, whose endpoint answers as it is told.
fn with_dead(here: &mut Here, count: usize) -> (Receiver, Vec<String>) {
    let receiver = Receiver::start(|_, _| Answer::Status(500));
    webhook(&mut here.client, &receiver.url("/hook"), &[]);
    let mut dead = Vec::with_capacity(count);
    for n in 0..count {
        let delivery = publish(&mut here.client, &format!("order-{n}"));
        receiver.next();
        tried(&mut here.client, &delivery, 1);
        dead.push(delivery);
    }
    (receiver, dead)
}

fn left(here: &mut Here) -> Vec<String> {
    let rows = here.client.get("/api/v1/dead-letters").data(200);
    rows.as_array().expect("rows").iter().map(|row| text(&row["id"])).collect()
}

/// Follows a job's page to its end, and gives that page and what the API says of the job.
fn ended(here: &mut Here, browser: &mut Browser, started: &Page) -> (Page, Value) {
    assert_eq!(started.status, 303, "{}", started.text);
    let (at, said) = started.location().split_once('?').expect("what was said");
    assert_eq!(said, "said=started");
    let id = at.rsplit('/').next().expect("an id").to_owned();
    let watch = Stopwatch::start();
    loop {
        let page = browser.get(started.location());
        assert!(page.status == 200 && page.text.contains("It goes on if you leave this page."), "{}", page.text);
        if !page.text.contains("data-refresh") {
            return (page, here.client.get(&format!("/api/v1/jobs/{id}")).data(200));
        }
        assert!(page.text.contains("<progress"), "{}", page.text);
        assert!(watch.elapsed() < DEADLINE, "it does not end: {}", page.text);
    }
}

#[test]
fn all_that_match_are_replayed_by_a_form_and_the_job_ends_in_what_the_api_shows() {
    let mut here = sending();
    let (receiver, _) = with_dead(&mut here, 3);
    let mut browser = here.first();
    let list = browser.get(LIST);
    assert!(list.text.contains("3 dead letters") && list.text.contains("Acme &lt;b&gt;"), "{}", list.text);
    let ask = format!("{LIST}/replay?event_type=task.*");
    let asked = browser.get(&ask);
    assert!(asked.text.contains("Replay 3 dead letters") && asked.text.contains("task.*"), "{}", asked.text);
    assert_eq!(left(&mut here).len(), 3, "asking does nothing");
    let started = browser.submit(&ask, &format!("{LIST}/replay"), &[("event_type", "task.*")]);
    let (page, job) = ended(&mut here, &mut browser, &started);
    assert_eq!((&job["kind"], &job["of"], &job["done"]), (&json!("replay"), &json!("dead_letters"), &json!(3)));
    assert_eq!((&job["event_type"], &job["state"]), (&json!("task.*"), &json!("done")));
    assert!(page.text.contains("3 replayed.") && page.text.contains("Replay of dead letters"), "{}", page.text);
    let made = page.between("href=\"/dashboard/@default/deliveries?cause=replay", "\"").to_owned();
    let new = browser.get(&format!("/dashboard/@default/deliveries?cause=replay{}", made.replace("&amp;", "&")));
    assert!(new.text.contains("3 deliveries<"), "{}", new.text);
    let jobs = browser.get("/dashboard/@default/jobs");
    assert!(jobs.text.contains("Replay of dead letters") && jobs.text.contains(&text(&job["id"])), "{}", jobs.text);
    assert!(here.deeds("default").iter().any(|deed| deed == "replay.started"));
    for _ in 0..3 {
        receiver.next();
    }
    here.stop();
}

#[test]
fn ticked_ones_are_discarded_alone_and_no_tick_never_means_all() {
    let mut here = sending();
    let (_receiver, dead) = with_dead(&mut here, 3);
    let mut browser = here.first();
    browser.get(&format!("{LIST}/discard?ticked=yes")).refuses(400, "tick what is meant first");
    browser
        .submit(LIST_FORM, &format!("{LIST}/discard"), &[("ticked", "yes")])
        .refuses(400, "tick what is meant first");
    let ask = format!("{LIST}/discard?ticked=yes&ids={}&ids={}", dead[0], dead[2]);
    let asked = browser.get(&ask);
    assert!(asked.text.contains("Discard 2 dead letters") && asked.text.contains("that you ticked"), "{}", asked.text);
    let ids = [("ticked", "yes"), ("ids", dead[0].as_str()), ("ids", dead[2].as_str())];
    let started = browser.submit(&ask, &format!("{LIST}/discard"), &ids);
    let (page, job) = ended(&mut here, &mut browser, &started);
    assert_eq!((&job["kind"], &job["done"], &job["ids"]), (&json!("discard"), &json!(2), &json!(2)));
    assert!(page.text.contains("2 discarded."), "{}", page.text);
    assert_eq!(left(&mut here), [dead[1].as_str()]);
    let none = browser.get(&format!("{LIST}/discard?event_type=other.*"));
    assert!(none.text.contains("0 dead letters") && !none.text.contains("Discard 0"), "{}", none.text);
    browser.get(&format!("{LIST}?from=2024-02-10T16:45&to=2024-02-10T16:44")).refuses(400, "must be later");
    here.stop();
}

#[test]
fn a_job_shows_how_far_it_is_and_is_stopped_only_after_a_question() {
    let mut here = sending();
    let mut browser = here.first();
    let events: Vec<_> = (0..1_000).map(|n| json!({"type": "task.created", "data": n})).collect();
    for _ in 0..5 {
        here.client.post("/api/v1/events", &json!(events)).data(202);
    }
    let webhook = webhook(&mut here.client, "http://127.0.0.1:9/hook", &[]);
    here.client.post(&format!("/api/v1/webhooks/{webhook}/disable"), &json!({})).data(200);
    // Jobs take turns, a step of one a group: the last of many has not begun when it is looked at.
    let replay = json!({"state": "missing", "event_type": "task.created"});
    let start = |here: &mut Here| {
        text(&here.client.post(&format!("/api/v1/webhooks/{webhook}/replay"), &replay).data(202)["id"])
    };
    let jobs: Vec<_> = (0..60).map(|_| start(&mut here)).collect();
    let at = format!("/dashboard/@default/jobs/{}", jobs.last().expect("one"));
    let page = browser.get(&at);
    assert!(page.text.contains("<progress") && page.text.contains("to go"), "{}", page.text);
    assert!(page.text.contains("data-refresh=\"1\"") && page.text.contains(&format!("{at}/cancel")), "{}", page.text);
    let asked = browser.get(&format!("{at}/cancel"));
    assert!(
        asked.text.contains("Stop the job") && asked.text.contains("What it has done stays done"),
        "{}",
        asked.text
    );
    browser.submit(&format!("{at}/cancel"), &format!("{at}/cancel"), &[]).leads_to(&format!("{at}?said=cancelled"));
    let page = browser.get(&at);
    assert!(page.text.contains("cancelled") && !page.text.contains("<progress"), "{}", page.text);
    let job = here.client.get(&format!("/api/v1/jobs/{}", jobs[59])).data(200);
    assert_eq!(job["state"], "cancelled");

    here.client.post("/api/v1/accounts", &json!({"id": "acme", "name": "Acme"})).data(201);
    let (mut owner, _) = here.user("acme", "owner@acme.example", "owner");
    owner.get(&format!("/dashboard/@acme/jobs/{}", jobs[59])).refuses(404, "no such job");
    owner
        .submit("/dashboard/you", &format!("/dashboard/@acme/jobs/{}/cancel", jobs[58]), &[])
        .refuses(404, "no such job");
    let (mut viewer, _) = here.user("default", "eve@example.com", "viewer");
    assert!(!viewer.get(&at).text.contains("/cancel"));
    viewer.submit("/dashboard/you", &format!("/dashboard/@default/jobs/{}/cancel", jobs[58]), &[]).refuses(403, "");
    viewer.submit("/dashboard/you", &format!("{LIST}/discard"), &[]).refuses(403, "");
    here.stop();
}
