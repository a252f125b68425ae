//! What the guide promises of the product's pages, done in the dashboard by a user of the account.

use serde_json::{Value, json};

use super::stage::Stage;
use crate::support::browser::Browser;
use crate::support::{Answer, Receiver};

const WEBHOOKS: &str = "/dashboard/@default/webhooks";
const NEW: &str = "/dashboard/@default/webhooks/new";

/// A user who was invited and is logged in; `n` tells it from others.
fn user(s: &mut Stage, n: u16) -> Browser {
    let user = json!({"email": format!("reader-{n}@example.com"), "role": "owner"});
    let made = s.scene.client.post("/api/v1/users", &user).data(201);
    let link = made["link"]["url"].as_str().expect("a link");
    let mut browser = Browser::new(s.scene.server.address);
    let path = &link[link.find("/dashboard/").expect("a path")..];
    browser.post(path, &[("password", "correct horse battery")]).leads_to("/dashboard");
    browser
}

pub fn the_webhooks_are_found(s: &mut Stage) -> String {
    let mut browser = user(s, 1);
    let overview = browser.get("/dashboard/@default/").text;
    assert!(overview.contains(&format!("href=\"{WEBHOOKS}\"")), "{overview}");
    assert_eq!(browser.get(WEBHOOKS).status, 200);
    "Webhooks is on every page of the dashboard".into()
}

pub fn the_form_is_found(s: &mut Stage) -> String {
    let mut browser = user(s, 2);
    let list = browser.get(WEBHOOKS).text;
    assert!(list.contains(&format!("href=\"{NEW}\"")) && list.contains("New webhook"), "{list}");
    assert_eq!(browser.get(NEW).status, 200);
    "New webhook leads to the form".into()
}

pub fn a_form_makes_one(s: &mut Stage) -> String {
    let (mut browser, receiver) = (user(s, 3), Receiver::start(|_, _| Answer::Status(200)));
    let url = receiver.url("/webhooks");
    let fields =
        [("mode", "push"), ("url", &url), ("dialect", "workspace"), ("events", "task.created\r\ntask.updated")];
    let page = browser.submit(NEW, NEW, &fields);
    assert_eq!(page.status, 200, "{}", page.text);
    let rows = s.scene.client.get("/v1/webhooks").json()["data"].clone();
    let made = rows.as_array().expect("rows").iter().find(|row| row["url"] == url.as_str());
    assert!(made.is_some_and(|made| made["status"] == "active"), "{rows}");
    "the form made a webhook of this contract, which GET /v1/webhooks lists".into()
}

pub fn a_disabled_one_is_enabled(s: &mut Stage) -> String {
    let (own, path) = s.own("row.pages", 2, |_| Answer::Status(500));
    own.publish(&mut s.scene, json!({}));
    s.scene.until(&path, |reply| reply["data"]["status"] == "disabled");
    let (mut browser, id) = (user(s, 4), own.id.clone());
    let page = format!("{WEBHOOKS}/{id}");
    let enabled = browser.submit(&page, &format!("{page}/enable"), &[]);
    assert_eq!(enabled.status, 303, "{}", enabled.text);
    let shown: Value = s.scene.get(&path)["data"].clone();
    assert_eq!(shown["status"], "active", "{shown}");
    "a press on Enable on its page made it active".into()
}
