//! The pages of webhooks: what a form does is what the API shows afterwards, what is wrong is said at its field, and what others wrote
//! stays what it is.

use serde_json::{Value, json};

use crate::browser::Page;
use crate::here::Here;
use crate::support::receiver::{Answer, Receiver};

const LIST: &str = "/dashboard/@default/webhooks";
const NEW: &str = "/dashboard/@default/webhooks/new";

/// A server that may dial this machine.
fn here() -> Here {
    Here::start_with(|config| config.for_development())
}

fn made(here: &mut Here, webhook: &Value) -> String {
    here.client.post("/api/v1/webhooks", webhook).data(201)["id"].as_str().expect("an id").to_owned()
}

fn shown(here: &mut Here, id: &str) -> Value {
    here.client.get(&format!("/api/v1/webhooks/{id}")).data(200)
}

fn secret(here: &mut Here, id: &str) -> Value {
    here.client.get(&format!("/api/v1/webhooks/{id}/secret")).data(200)
}

#[track_caller]
fn says(page: &Page, words: &str) {
    assert!(page.status == 200 && page.text.contains(words), "no {words:?} in {}: {}", page.status, page.text);
}

#[test]
fn a_webhook_is_made_by_a_form_and_what_others_wrote_stays_what_it_is() {
    let (mut here, receiver) = (here(), Receiver::start(|_, _| Answer::Status(200)));
    let mut browser = here.first();
    let url = receiver.url("/hook");
    let fields = [
        ("mode", "push"),
        ("url", url.as_str()),
        ("dialect", "standard"),
        ("name", "Acme <script>alert(1)</script>"),
        ("event", "order.paid"),
        ("events", "task.*\r\n"),
        ("timeout", "7"),
        ("retry.delays", "5s, 2m"),
        ("metadata", "crm: javascript:alert(1)\r\ndocs: https://a.example/x"),
    ];
    let page = browser.submit(NEW, NEW, &fields);
    let webhook = here.client.get("/api/v1/webhooks").data(200)[0].clone();
    let id = webhook["id"].as_str().expect("an id");
    assert_eq!((&webhook["url"], &webhook["timeout"]), (&json!(url), &json!(7)));
    assert_eq!(webhook["events"], json!(["order.paid", "task.*"]));
    assert_eq!(webhook["retry"]["delays"], json!([5, 120]));
    assert_eq!(webhook["metadata"], json!({"crm": "javascript:alert(1)", "docs": "https://a.example/x"}));
    let secret = secret(&mut here, id)["secret"].as_str().expect("a secret").to_owned();
    says(&page, &secret);

    for at in [LIST.to_owned(), format!("{LIST}/{id}"), format!("{LIST}/{id}/edit"), format!("{LIST}/{id}/delete")] {
        let page = browser.get(&at);
        says(&page, "Acme &lt;script&gt;");
        assert!(!page.text.contains("<script>alert") && !page.text.contains("href=\"javascript:"), "{}", page.text);
        assert!(!page.text.contains(&secret), "a secret is in no page that an address leads to");
    }
    says(&browser.get(&format!("{LIST}/{id}")), "href=\"https://a.example/x\"");
    here.stop();
}

#[test]
fn an_edit_says_what_was_changed_and_leaves_what_somebody_else_changed_meanwhile() {
    let mut here = here();
    let mut browser = here.first();
    let settings =
        json!({"url": "https://example.com/", "events": ["a"], "name": "Before", "timeout": 9, "tags": ["x"]});
    let id = made(&mut here, &settings);
    let (page, edit) = (format!("{LIST}/{id}"), format!("{LIST}/{id}/edit"));
    let before = browser.get(&edit).field("before").replace("&quot;", "\"");
    let change = json!({"description": "somebody else was here"}).to_string();
    here.client.request("PATCH", &format!("/api/v1/webhooks/{id}"), change.as_bytes()).data(200);
    let fields = [
        ("before", before.as_str()),
        ("url", "https://example.com/"),
        ("events", "a\r\nb"),
        ("name", "After"),
        ("description", ""),
        ("timeout", ""),
        ("tags", "x"),
    ];
    browser.submit(&edit, &edit, &fields).leads_to(&format!("{page}?said=saved"));
    let now = shown(&mut here, &id);
    assert_eq!((&now["name"], &now["events"]), (&json!("After"), &json!(["a", "b"])));
    assert_eq!((&now["timeout"], &now["tags"]), (&Value::Null, &json!(["x"])));
    assert_eq!(now["description"], json!("somebody else was here"));
    says(&browser.get(&format!("{page}?said=saved")), "Saved.");
    here.stop();
}

#[test]
fn what_is_wrong_stands_at_its_field_and_nothing_is_made() {
    let mut here = here();
    let mut browser = here.first();
    let with = |more: &[(&'static str, &'static str)]| -> Vec<(&'static str, &'static str)> {
        let all = [("url", "https://example.com/"), ("events", "a"), ("dialect", "standard"), ("name", "Kept")];
        all.into_iter()
            .filter(|(name, _)| more.iter().all(|(other, _)| other != name))
            .chain(more.iter().copied())
            .collect()
    };
    for (wrong, place) in [
        (&[("url", "ftp://example.com/")][..], "field-url-wrong"),
        (&[("events", "")], "types-wrong"),
        (&[("events", "a b")], "types-wrong"),
        (&[("timeout", "soon")], "field-timeout-wrong"),
        (&[("timeout", "1000")], "field-timeout-wrong"),
        (&[("rate_limit.burst", "4")], "field-rate_limit.per_second-wrong"),
        (&[("headers", "no colon")], "field-headers-wrong"),
        (&[("auth.type", "basic"), ("auth.password", "hunter2")], "field-auth.username-wrong"),
    ] {
        let page = browser.submit(NEW, NEW, &with(wrong));
        page.refuses(400, &format!("id=\"{place}\""));
        assert!(page.text.contains("value=\"Kept\"") && !page.text.contains("hunter2"), "{place}: {}", page.text);
    }
    let page = browser.submit(NEW, NEW, &with(&[("again", "types")]));
    says(&page, "value=\"Kept\"");
    assert_eq!(here.client.get("/api/v1/webhooks").data(200), json!([]));
    here.stop();
}

#[test]
fn a_test_event_shows_at_once_what_the_endpoint_answered() {
    let receiver = Receiver::start(|path, _| Answer::Status(if path == "/bad" { 503 } else { 200 }));
    let mut here = here();
    let mut browser = here.first();
    for (path, words) in [("/good", "200: a success"), ("/bad", "503: no success")] {
        let id = made(&mut here, &json!({"url": receiver.url(path), "events": ["task.*"]}));
        let at = format!("{LIST}/{id}/test");
        says(&browser.get(&format!("{at}?event_type=task.created")), "value=\"task.created\"");
        browser.submit(&at, &at, &[("event_type", "task.created"), ("data", "{")]).refuses(400, "is not JSON");
        let page = browser.submit(&at, &at, &[("event_type", "task.created"), ("data", "{\"n\": 1.10}")]);
        says(&page, words);
        let arrived = receiver.next();
        let body = String::from_utf8_lossy(&arrived.message.body).into_owned();
        assert!(arrived.path == path && body.contains("\"n\""), "{body}");
        let delivery = here.client.get(&format!("/api/v1/webhooks/{id}/deliveries")).data(200)[0]["id"].clone();
        says(&page, &format!("/dashboard/@default/deliveries/{}", delivery.as_str().expect("an id")));
    }
    here.stop();
}

#[test]
fn a_webhook_is_held_rotated_and_deleted_by_its_buttons() {
    let mut here = here();
    let mut browser = here.first();
    let id = made(&mut here, &json!({"url": "https://example.com/", "events": ["a"]}));
    let page = format!("{LIST}/{id}");
    let below = |act: &str| format!("{page}/{act}");
    for (act, fields, said, status) in [
        ("pause", &[][..], "paused", "paused"),
        ("resume", &[], "resumed", "active"),
        ("disable", &[("reason", "it moves <b>")], "disabled", "disabled"),
        ("enable", &[], "enabled", "active"),
    ] {
        browser.submit(&page, &below(act), fields).leads_to(&format!("{page}?said={said}"));
        assert_eq!(shown(&mut here, &id)["status"], json!(status));
        if act == "disable" {
            says(&browser.get(&page), "it moves &lt;b&gt;");
        }
    }
    browser.submit(&page, &below("pause"), &[("seconds", "3600")]).leads_to(&format!("{page}?said=paused"));
    says(&browser.get(&page), "goes on in 1 h");
    browser.submit(&page, &below("resume"), &[]).leads_to(&format!("{page}?said=resumed"));
    browser.submit(&page, &below("pause"), &[("until", "2001-01-01T00:00")]).refuses(400, "must lie in the future");
    browser.submit(&page, &below("explode"), &[]).refuses(404, "there is no such page");

    let old = secret(&mut here, &id)["secret"].as_str().expect("a secret").to_owned();
    says(&browser.submit(&page, &below("secret"), &[]), &old);
    browser
        .submit(&below("rotate"), &below("rotate"), &[("overlap_seconds", "9999999")])
        .refuses(400, "must be between");
    let rotated = browser.submit(&below("rotate"), &below("rotate"), &[("overlap_seconds", "3600")]);
    let now = secret(&mut here, &id);
    says(&rotated, now["secret"].as_str().expect("a secret"));
    assert_eq!(now["previous"][0]["secret"], json!(old));

    let asked = browser.submit(LIST, &format!("{LIST}/many"), &[("act", "pause"), ("id", &id)]);
    says(&asked, "Pause 1 webhook");
    assert_eq!(shown(&mut here, &id)["status"], json!("active"), "it is asked first");
    let sure = [("act", "pause"), ("id", id.as_str()), ("sure", "yes")];
    browser.submit(LIST, &format!("{LIST}/many"), &sure).leads_to(&format!("{LIST}?said=done-ticked"));
    assert_eq!(shown(&mut here, &id)["status"], json!("paused"));
    let gone = [("act", "resume"), ("id", "nobody"), ("sure", "yes")];
    says(&browser.submit(LIST, &format!("{LIST}/many"), &gone), "there is no such webhook");

    here.client.post("/api/v1/events", &json!({"type": "a", "data": {}})).data(202);
    says(&browser.get(&below("delete")), "the delivery to it that is open is cancelled");
    browser.submit(&below("delete"), &below("delete"), &[]).leads_to(&format!("{LIST}?said=deleted"));
    assert_eq!(browser.get(&page).status, 404);
    let deeds = here.deeds("default");
    for deed in
        ["webhook.paused", "webhook.disabled", "webhook.secret_shown", "webhook.secret_rotated", "webhook.deleted"]
    {
        assert!(deeds.iter().any(|one| one == deed), "{deed} in {deeds:?}");
    }
    here.stop();
}

#[test]
fn the_list_shows_what_the_address_asks_for_and_the_sick_ones_first() {
    let mut here = here();
    let mut browser = here.first();
    let webhook = |name: &str, event: &str| json!({"url": "https://example.com/", "events": [event], "name": name});
    let sick = made(&mut here, &webhook("Globex", "a"));
    made(&mut here, &webhook("Acme", "b"));
    here.client.post(&format!("/api/v1/webhooks/{sick}/disable"), &json!({"reason": "it is gone"})).data(200);
    let names = |page: &Page| {
        let at = |name: &str| page.text.find(&format!(">{name}</a>"));
        (at("Acme"), at("Globex"))
    };
    let (acme, globex) = names(&browser.get(LIST));
    assert!(acme < globex && acme.is_some(), "the newest first");
    let (acme, globex) = names(&browser.get(&format!("{LIST}?first=sick")));
    assert!(globex < acme && globex.is_some());
    for (query, finds) in
        [("text=ACME", (true, false)), ("status=disabled", (false, true)), ("event_type=b", (true, false))]
    {
        let (acme, globex) = names(&browser.get(&format!("{LIST}?{query}")));
        assert_eq!((acme.is_some(), globex.is_some()), finds, "{query}");
    }
    says(&browser.get(&format!("{LIST}?text=nobody")), "No webhook is like that");
    browser.get(&format!("{LIST}?event_type=a%20b")).refuses(400, "role=\"alert\"");
    says(&browser.get(LIST), "it is gone");
    here.stop();
}

#[test]
fn one_that_is_pulled_has_no_endpoint_and_says_who_waits() {
    let mut here = here();
    let mut browser = here.first();
    let page = browser.get(&format!("{NEW}?mode=pull"));
    assert!(!page.text.contains("id=\"field-url\"") && page.text.contains("value=\"pull\""), "{}", page.text);
    says(
        &browser.submit(NEW, NEW, &[("mode", "pull"), ("dialect", "standard"), ("events", "a")]),
        "gets a from now on",
    );
    let webhook = here.client.get("/api/v1/webhooks").data(200)[0].clone();
    assert_eq!((&webhook["mode"], &webhook["url"]), (&json!("pull"), &Value::Null));
    let id = webhook["id"].as_str().expect("an id").to_owned();
    let page = browser.get(&format!("{LIST}/{id}"));
    says(&page, "none waits for deliveries now");
    assert!(!page.text.contains("Send a test event</a>"), "{}", page.text);
    assert_eq!(browser.get(&format!("{LIST}/{id}/test")).status, 409);
    here.client.post("/api/v1/events", &json!({"type": "a", "data": {}})).data(202);
    let cancel = format!("{LIST}/{id}/cancel");
    let sent_on = browser.submit(&cancel, &cancel, &[]);
    assert!(sent_on.status == 303 && sent_on.location().starts_with("/dashboard/@default/jobs/"), "{sent_on:?}");
    here.stop();
}

#[test]
fn who_may_look_only_sees_no_buttons_and_is_refused() {
    let mut here = here();
    here.client.post("/api/v1/accounts", &json!({"id": "acme", "name": "Acme"})).data(201);
    let (mut viewer, _) = here.user("acme", "viewer@acme.example", "viewer");
    let mut acme = crate::support::Client::new(here.address, here.client.key()).acting_for("acme");
    let headers = json!({"X-Api-Key": "s3cret"});
    let webhook = json!({"url": "https://example.com/", "events": ["a"], "headers": headers});
    let id = acme.post("/api/v1/webhooks", &webhook).data(201)["id"].as_str().expect("an id").to_owned();
    let list = "/dashboard/@acme/webhooks";
    let page = viewer.get(&format!("{list}/{id}"));
    says(&page, "Recent deliveries");
    for button in [">Edit<", ">Pause<", ">Delete<", "Rotate", "Show the secret", "s3cret"] {
        assert!(!page.text.contains(button), "{button}");
    }
    let all = viewer.get(list);
    assert!(!all.text.contains("New webhook") && !all.text.contains("type=\"checkbox\""), "{}", all.text);
    let token = page.field("token");
    for act in ["pause", "disable", "secret", "rotate", "delete", "edit", "test", "verify", "check", "cancel"] {
        assert_eq!(viewer.post(&format!("{list}/{id}/{act}"), &[("token", &token)]).status, 403, "{act}");
    }
    for path in [format!("{list}/new"), format!("{list}/many")] {
        assert_eq!(viewer.post(&path, &[("token", &token)]).status, 403, "{path}");
    }
    for page in ["new", &format!("{id}/edit"), &format!("{id}/rotate"), &format!("{id}/delete"), &format!("{id}/test")]
    {
        assert_eq!(viewer.get(&format!("{list}/{page}")).status, 403, "{page}");
    }
    assert_eq!(acme.get(&format!("/api/v1/webhooks/{id}")).data(200)["status"], json!("active"));
    here.stop();
}

#[test]
fn an_id_leads_to_its_page_and_of_another_account_nothing_is_found() {
    let mut here = here();
    let mut browser = here.first();
    here.client.post("/api/v1/accounts", &json!({"id": "acme", "name": "Acme"})).data(201);
    let id =
        made(&mut here, &json!({"url": "https://example.com/", "events": ["a.b"], "uid": "crm-7", "name": "Acme"}));
    here.client.post("/api/v1/events", &json!({"type": "a.b", "data": {}, "id": "order-7"})).data(202);
    let delivery = here.client.get("/api/v1/deliveries").data(200)[0]["id"].as_str().expect("an id").to_owned();
    let page = format!("/dashboard/@default/webhooks/{id}");
    for (text, at) in [
        (id.as_str(), page.clone()),
        ("crm-7", page),
        (delivery.as_str(), format!("/dashboard/@default/deliveries/{delivery}")),
        ("acme", "/dashboard/@acme/".into()),
    ] {
        browser.get(&format!("/dashboard/@default/find?text={text}")).leads_to(&at);
    }
    let found = browser.get("/dashboard/@default/find?text=order-7");
    assert!(found.location().starts_with("/dashboard/@default/events/"), "{found:?}");
    let found = browser.get("/dashboard/@default/find?text=Acm");
    says(&found, &format!("/dashboard/@default/webhooks/{id}"));
    let (mut other, _) = here.user("acme", "viewer@acme.example", "viewer");
    for text in [id.as_str(), &delivery, "default", "order-7"] {
        says(&other.get(&format!("/dashboard/@acme/find?text={text}")), "Nothing is called so");
    }
    assert_eq!(other.get(&format!("/dashboard/@acme/webhooks/{id}")).status, 404);
    here.stop();
}
