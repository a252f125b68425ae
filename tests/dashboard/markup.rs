//! What is true of the markup of every page: what a screen reader, the keyboard and the content security policy rely on.

use serde_json::json;

use crate::browser::Browser;
use crate::here::Here;

const ACCOUNT: &str = "/dashboard/@default/";

/// A server with a webhook that is pulled, an event and the delivery of it; and the pages of all.
fn stage() -> (Here, Browser, Vec<String>) {
    let mut here = Here::start();
    let browser = here.first();
    let webhook = json!({"mode": "pull", "events": ["*"], "name": "<b>one</b>"});
    let webhook = here.client.post("/api/v1/webhooks", &webhook).data(201);
    here.client.post("/api/v1/events", &json!({"type": "task.done", "id": "one", "data": {"a": [1]}})).data(202);
    let deliveries = here.client.get("/api/v1/deliveries").data(200);
    let text = |id: &serde_json::Value| id.as_str().expect("an id").to_owned();
    let (webhook, delivery) = (text(&webhook["id"]), text(&deliveries[0]["id"]));
    let of_account = [
        "",
        "webhooks",
        "webhooks/new",
        "deliveries",
        "events",
        "events/one",
        "events/one/replay",
        "publish",
        "dead-letters",
        "live",
        "contracts",
        "contracts/standard",
        "jobs",
        "keys",
        "keys/new",
        "notices",
        "audit",
        "people",
        "find?text=task",
    ];
    let mut pages: Vec<String> = of_account.iter().map(|page| format!("{ACCOUNT}{page}")).collect();
    pages.push(format!("{ACCOUNT}webhooks/{webhook}"));
    pages.push(format!("{ACCOUNT}webhooks/{webhook}/edit"));
    pages.push(format!("{ACCOUNT}webhooks/{webhook}/delete"));
    pages.push(format!("{ACCOUNT}deliveries/{delivery}"));
    let of_server = ["accounts", "accounts/default", "accounts/new", "live", "store", "settings", "nodes"];
    pages.extend(of_server.iter().map(|page| format!("/dashboard/server/{page}")));
    pages.push("/dashboard/you".into());
    (here, browser, pages)
}

/// The start tags of a page in their order; an end tag begins with `/`.
fn tags(text: &str) -> Vec<&str> {
    text.split('<').skip(1).filter_map(|rest| rest.split('>').next()).collect()
}

fn is(tag: &str, name: &str) -> bool {
    tag.split([' ', '/']).next() == Some(name)
}

#[test]
fn every_page_has_one_heading_heads_of_columns_and_no_button_within_a_link() {
    let (here, mut browser, pages) = stage();
    for page in pages {
        let shown = browser.get(&page);
        assert_eq!(shown.status, 200, "{page}: {}", shown.text);
        let (mut is_in_link, mut headings, mut level) = (false, 0, 0);
        for tag in tags(&shown.text) {
            match tag {
                "/a" => is_in_link = false,
                _ if is(tag, "a") => {
                    assert!(!is_in_link, "{page}: a link within a link: {tag}");
                    is_in_link = true;
                }
                _ if ["button", "input", "select"].iter().any(|name| is(tag, name)) => {
                    assert!(!is_in_link, "{page}: within a link: {tag}");
                }
                _ if is(tag, "th") => assert!(tag.contains("scope="), "{page}: {tag}"),
                _ if is(tag, "h1") => (headings, level) = (headings + 1, 1),
                _ if ["h2", "h3", "h4"].iter().any(|name| is(tag, name)) => {
                    let this = tag[1..2].parse::<usize>().expect("a digit");
                    assert!(level > 0 && this <= level + 1, "{page}: h{this} behind h{level}");
                    level = this;
                }
                _ => {}
            }
            assert!(!tag.contains(" style=\"") && !tag.contains(" onclick=\""), "{page}: {tag}");
        }
        assert_eq!(headings, 1, "{page}");
        assert!(!shown.text.contains("<b>one</b>"), "{page}");
    }
    here.stop();
}

#[test]
fn what_is_not_there_is_said_on_a_page() {
    let here = Here::start();
    let mut browser = here.first();
    for path in ["nothing", "@default/nothing", "@default/webhooks/nothing", "server/nothing", "@nobody/webhooks"] {
        let page = browser.get(&format!("/dashboard/{path}"));
        assert_eq!(page.status, 404, "{path}");
        assert!(page.text.contains("<h1>Nothing is here</h1>"), "{path}: {}", page.text);
    }
    here.stop();
}
