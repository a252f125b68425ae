//! The portal: links that are good once, what a guest sees and may do, in whose frames it stands, how it looks, and how it ends.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::browser::{Browser, Page};
use crate::here::Here;
use crate::support::Client;
use crate::support::process::KEY;

const MINUTE: u64 = 60_000;
const PNG: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// What a browser says that shows a frame.
fn framed() -> [(&'static str, String); 2] {
    [("Sec-Fetch-Mode", "navigate".into()), ("Sec-Fetch-Dest", "iframe".into())]
}

fn account(here: &mut Here, id: &str, portal: &Value) {
    here.client.post("/api/v1/accounts", &json!({"id": id, "name": id, "portal": portal})).data(201);
}

/// The path of a link into an account's portal.
fn link(here: &mut Here, id: &str, asked: &Value) -> String {
    let made = here.client.post(&format!("/api/v1/accounts/{id}/portal"), asked).data(201);
    let url = made["url"].as_str().expect("a link");
    url[url.find("/portal/enter/").expect("its path")..].to_owned()
}

/// Ends all sessions and links.
fn end(here: &mut Here, id: &str) -> Value {
    here.client.request("DELETE", &format!("/api/v1/accounts/{id}/portal"), b"").data(200)
}

/// Somebody who has come in.
pub fn guest(here: &mut Here, id: &str, asked: &Value) -> Browser {
    let link = link(here, id, asked);
    let mut browser = Browser::new(here.address);
    browser.ask("GET", &link, &framed(), "").leads_to("/portal/?entered=1");
    browser
}

/// Who may frame it.
fn policy(page: &Page) -> &str {
    page.message.header("content-security-policy").expect("a policy").rsplit("; ").next().expect("its end")
}

#[test]
fn a_link_is_used_once_by_who_is_shown_what_is_behind_it() {
    let mut here = Here::start();
    account(&mut here, "acme", &json!({}));
    let link = link(&mut here, "acme", &json!({}));
    let [mode, to] = framed();
    let mut scanner = Browser::new(here.address);
    for headers in [
        vec![],
        vec![("Sec-Purpose", "prefetch".to_owned()), mode, to],
        vec![("Sec-Fetch-Mode", "no-cors".to_owned()), ("Sec-Fetch-Dest", "image".to_owned())],
    ] {
        let page = scanner.ask("GET", &link, &headers, "");
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains("Press to use it") && page.cookies().is_empty(), "{}", page.text);
    }

    let mut foreign = Browser::new(here.address);
    foreign.from = Some("https://evil.example");
    let refused = foreign.post(&link, &[]);
    refused.refuses(403, "did not come from a page of this server");
    assert!(!refused.text.contains("Hookwheel"), "{}", refused.text);
    let mut browser = Browser::new(here.address);
    browser.post(&link, &[]).leads_to("/portal/?entered=1");
    assert_eq!(browser.get("/portal/").status, 200);
    browser.get("/portal").leads_to("/portal/");
    let again = Browser::new(here.address).ask("GET", &link, &framed(), "");
    again.refuses(404, "good for one use");
    assert!(again.cookies().is_empty());
    for bad in ["/portal/enter/x", &format!("/portal/enter/{}", "A".repeat(48))] {
        Browser::new(here.address).ask("GET", bad, &framed(), "").refuses(404, "good for one use");
    }
    assert_eq!(here.deeds("acme")[..2], ["portal.entered", "portal.linked"]);
    here.stop();
}

#[test]
fn of_two_who_use_a_link_at_the_same_moment_one_comes_in() {
    let mut here = Here::start();
    account(&mut here, "acme", &json!({}));
    for _ in 0..4 {
        let (link, address) = (link(&mut here, "acme", &json!({})), here.address);
        let come =
            |link: String| std::thread::spawn(move || Browser::new(address).ask("GET", &link, &framed(), "").status);
        let mut both = [come(link.clone()), come(link)].map(|one| one.join().expect("it is answered"));
        both.sort_unstable();
        assert_eq!(both, [303, 404]);
    }
    here.stop();
}

#[test]
fn a_link_ends_after_ten_minutes_and_one_of_users_is_none_here() {
    let mut here = Here::start();
    account(&mut here, "acme", &json!({}));
    let late = link(&mut here, "acme", &json!({}));
    here.turn(10 * MINUTE - 1);
    let timely = link(&mut here, "acme", &json!({}));
    here.turn(1);
    Browser::new(here.address).ask("GET", &late, &framed(), "").refuses(404, "has ended");
    let (invited, _) = here.invited("acme", "ada@example.com", "owner");
    let other = invited.replace("/dashboard/ticket/", "/portal/enter/");
    Browser::new(here.address).ask("GET", &other, &framed(), "").refuses(404, "there is no such link");
    Browser::new(here.address).post(&other, &[]).refuses(404, "there is no such link");
    assert_eq!(Browser::new(here.address).get(&invited).status, 200, "it is still good");
    let mut browser = Browser::new(here.address);
    assert_eq!(browser.get(&timely.replace("/portal/enter/", "/dashboard/ticket/")).status, 404);
    browser.ask("GET", &timely, &framed(), "").leads_to("/portal/?entered=1");
    here.stop();
}

#[test]
fn a_guest_sees_one_account_and_nothing_of_the_server() {
    let mut here = Here::start();
    account(&mut here, "acme", &json!({}));
    account(&mut here, "other", &json!({}));
    let mut guest = guest(&mut here, "acme", &json!({"abilities": ["view", "manage", "rotate"]}));
    let page = guest.get("/portal/");
    assert_eq!(page.status, 200);
    for hidden in ["Hookwheel", "/dashboard/server", "/dashboard/you", "/dashboard/@", ">People<", ">Audit<", ">Keys<"]
    {
        assert!(!page.text.contains(hidden), "{hidden}: {}", page.text);
    }
    for nowhere in ["people", "keys", "audit", "notices", "server/accounts", "nothing", "@other/", "../dashboard/you"] {
        let page = guest.get(&format!("/portal/{nowhere}"));
        assert!(matches!(page.status, 403 | 404), "{nowhere}: {}", page.text);
        assert!(!page.text.contains("Hookwheel"), "{nowhere}: {}", page.text);
    }
    // The cookie of the portal is none of the dashboard, nor of the API, nor the other way round.
    for page in ["/dashboard/@acme/", "/dashboard/@other/", "/dashboard/you"] {
        assert!(guest.get(page).location().starts_with("/dashboard/log-in"), "{page}");
    }
    assert_eq!(guest.get("/api/v1/webhooks").status, 401);
    let (mut user, _) = here.user("acme", "ada@example.com", "owner");
    user.get("/portal/").refuses(401, "session has ended");
    here.stop();
}

#[test]
fn who_manages_webhooks_takes_no_events_away_and_finds_the_contract_in_the_portal() {
    let mut here = Here::start();
    account(&mut here, "acme", &json!({}));
    let mut client = Client::new(here.address, KEY).acting_for("acme");
    client.post("/api/v1/events", &json!({"type": "order.paid", "data": {}, "id": "order-1"})).data(202);
    let mut guest = guest(&mut here, "acme", &json!({"abilities": ["view", "manage", "replay"]}));
    let page = guest.get("/portal/events/order-1");
    assert!(page.status == 200 && !page.text.contains("/purge\"") && !page.text.contains("/delete\""), "{}", page.text);
    for leaving in ["purge", "delete"] {
        let at = format!("/portal/events/order-1/{leaving}");
        guest.get(&at).refuses(404, "no such page");
        guest.submit("/portal/", &at, &[]).refuses(404, "no such page");
    }
    assert_eq!(client.get("/api/v1/events/order-1").status, 200);
    let page = guest.get("/portal/contracts");
    assert!(page.text.contains("href=\"/portal/docs\"") && !page.text.contains("\"/docs"), "{}", page.text);
    here.stop();
}

#[test]
fn who_replays_stops_replays_and_no_purge_of_the_accounts_own_people() {
    let mut here = Here::start();
    account(&mut here, "acme", &json!({}));
    let mut client = Client::new(here.address, KEY).acting_for("acme");
    client.post("/api/v1/events", &json!({"type": "order.paid", "data": {}, "id": "order-1"})).data(202);
    let purge = client.post("/api/v1/events/purge", &json!({"type": "order.paid"})).data(202);
    let replay = client.post("/api/v1/dead-letters/replay", &json!({})).data(202);
    let page = |job: &Value| format!("jobs/{}/cancel", job["id"].as_str().expect("an id"));
    let mut guest = guest(&mut here, "acme", &json!({"abilities": ["view", "manage", "replay"]}));
    let refused = format!("/portal/{}", page(&purge));
    guest.get(&refused).refuses(403, "only replays and discards");
    guest.submit("/portal/", &refused, &[]).refuses(403, "only replays and discards");
    // Whether they go on still is another question.
    let taken = |status: u16| matches!(status, 303 | 409);
    let own = format!("/portal/{}", page(&replay));
    assert_eq!(guest.get(&own).status, 200);
    let page_of_own = guest.submit("/portal/", &own, &[]);
    assert!(taken(page_of_own.status), "{}", page_of_own.text);
    let (mut operator, _) = here.user("acme", "operator@acme.example", "operator");
    let stopped = operator.submit("/dashboard/you", &format!("/dashboard/@acme/{}", page(&purge)), &[]);
    assert!(taken(stopped.status), "{}", stopped.text);
    here.stop();
}

#[test]
fn each_form_needs_something_that_one_may_do_and_is_refused_to_who_may_only_look() {
    let mut here = Here::start();
    account(&mut here, "acme", &json!({}));
    let mut guest = guest(&mut here, "acme", &json!({"abilities": ["view"]}));
    let token = guest.get("/portal/").field("token");
    let mut looked_at = 0;
    for Form { path, taken, is_of_account } in forms() {
        assert!(taken == "Sent" || taken.starts_with("Posted<"), "{path} reads a form by {taken:?}");
        // What is read and changes nothing is no form in this sense.
        if !is_of_account || taken == "Posted<Read>" {
            continue;
        }
        looked_at += 1;
        assert!(!["Sent", "Posted<Any>"].contains(&taken.as_str()), "whoever is here may send {path}");
        let filled: Vec<_> = path.split('/').map(|part| if part.starts_with('{') { "none" } else { part }).collect();
        let path = format!("/portal{}", filled.join("/"));
        let page = guest.post(&path, &[("token", &token)]);
        assert!(matches!(page.status, 403 | 404), "{path} ({taken}): {} {}", page.status, page.text);
    }
    assert!(looked_at > 0);
    here.stop();
}

/// A form: where it goes, what takes it, as the sources say, and whether it is one of an account's pages.
struct Form {
    path: String,
    taken: String,
    is_of_account: bool,
}

/// Every form of the pages.
fn forms() -> Vec<Form> {
    let (mut forms, mut folders) =
        (Vec::new(), vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/dashboard"))]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the sources") {
            let file = entry.expect("a file").path();
            if file.is_dir() {
                folders.push(file);
                continue;
            }
            let text = fs::read_to_string(&file).unwrap_or_default();
            for (at, found) in text.match_indices("#[post(\"") {
                let (path, rest) = text[at + found.len()..].split_once('"').expect("its end");
                let arguments = rest.split_once('(').and_then(|(_, rest)| rest.split_once("->")).expect("a function").0;
                let taken = match arguments.find("Posted<") {
                    Some(at) => arguments[at..].split_inclusive('>').next().unwrap_or_default(),
                    None if arguments.contains(": Sent") => "Sent",
                    None => "",
                };
                let is_portals = file.parent().is_some_and(|folder| folder.ends_with("portal"));
                // What tries operations of the API asks for each by itself, and is in no portal.
                let is_trying = file.ends_with("trying.rs");
                let is_of_account = !path.starts_with("/dashboard") && !is_portals && !is_trying;
                forms.push(Form { path: path.into(), taken: taken.into(), is_of_account });
            }
        }
    }
    forms
}

#[test]
fn a_cookie_is_bound_and_goes_into_frames_over_tls() {
    let mut here = Here::start();
    account(&mut here, "acme", &json!({}));
    let one = link(&mut here, "acme", &json!({}));
    let page = Browser::new(here.address).ask("GET", &one, &framed(), "");
    let cookie = page.cookies()[0].to_owned();
    assert!(
        cookie.starts_with("hookwheel-portal=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    assert_eq!(page.message.header("referrer-policy"), Some("no-referrer"));
    let two = link(&mut here, "acme", &json!({}));
    let mut tls = Browser::at(here.address, "https://hooks.example");
    let page = tls.ask("GET", &two, &framed(), "");
    let cookie = page.cookies()[0].to_owned();
    assert!(cookie.starts_with("__Host-hookwheel-portal="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"), "{cookie}");
    assert_eq!(tls.get("/portal/").status, 200);
    let three = link(&mut here, "acme", &json!({}));
    Browser::at(here.address, "http://hooks.example").ask("GET", &three, &framed(), "").refuses(403, "plain HTTP");
    here.stop();
}

#[test]
fn it_stands_in_the_frames_of_those_who_are_named_and_in_no_other() {
    let mut here = Here::start_with(|config| config.portal.origins = vec!["https://all.example".into()]);
    account(&mut here, "acme", &json!({"origins": ["https://app.acme.example"]}));
    account(&mut here, "other", &json!({}));
    let mut acme = guest(&mut here, "acme", &json!({}));
    let mut other = guest(&mut here, "other", &json!({}));
    let mut told = guest(&mut here, "other", &json!({"origins": ["https://Third.example/"]}));
    let beside = "frame-ancestors https://all.example https://third.example";
    let both = "frame-ancestors https://all.example https://app.acme.example";
    for page in ["/portal/", "/portal/docs", "/portal/nothing"] {
        assert_eq!(policy(&acme.get(page)), both, "{page}");
        assert_eq!(policy(&other.get(page)), "frame-ancestors https://all.example", "{page}");
        assert_eq!(policy(&told.get(page)), beside, "{page}");
    }
    assert_eq!(acme.get("/portal/").message.header("cross-origin-resource-policy"), Some("cross-origin"));
    let unused = link(&mut here, "acme", &json!({}));
    assert_eq!(policy(&Browser::new(here.address).get(&unused)), both, "who is asked to press");
    let mut root = here.first();
    for page in ["/dashboard/@acme/", "/dashboard/you", "/dashboard/@acme/people"] {
        let page = root.get(page);
        assert_eq!(policy(&page), "frame-ancestors 'none'");
        assert_eq!(page.message.header("cross-origin-resource-policy"), Some("same-origin"));
    }
    assert_eq!(policy(&Browser::new(here.address).get("/dashboard/log-in")), "frame-ancestors 'none'");
    // That it has ended is told in the frame too.
    end(&mut here, "acme");
    let page = acme.get("/portal/");
    assert_eq!((page.status, policy(&page)), (401, both));
    here.stop();

    let mut here = Here::start();
    account(&mut here, "acme", &json!({}));
    let mut alone = guest(&mut here, "acme", &json!({}));
    assert_eq!(policy(&alone.get("/portal/")), "frame-ancestors 'none'", "nobody is named");
    here.stop();
}

#[test]
fn it_looks_as_the_account_says_and_what_that_says_is_escaped() {
    let mut here = Here::start_with(|config| {
        config.portal.title = Some("The server's".into());
        config.portal.support_url = Some("https://help.example/?a=1&b=2".into());
    });
    let look =
        json!({"title": "<script>alert(1)</script>", "welcome": "\"Hello\" <b>", "colour": "#ffe000", "logo": PNG});
    account(&mut here, "acme", &look);
    account(&mut here, "plain", &json!({}));
    let mut acme = guest(&mut here, "acme", &json!({"return_url": "https://app.example/?x=<y>&z"}));
    let page = acme.get("/portal/");
    for shown in [
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "&quot;Hello&quot; &lt;b&gt;",
        "href=\"https://help.example/?a=1&amp;b=2\"",
        "href=\"https://app.example/?x=%3Cy%3E&amp;z\"",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(!page.text.contains("<script>alert"), "{}", page.text);
    let colours = page.between("href=\"/portal/brand/", "\"").to_owned();
    let logo = page.between("src=\"/portal/brand/", "\"").to_owned();
    let style = acme.get(&format!("/portal/brand/{colours}"));
    assert_eq!((style.status, style.message.header("content-type")), (200, Some("text/css; charset=utf-8")));
    assert!(style.text.contains("--accent: #ffe000; --on-accent: #000000"), "{}", style.text);
    let shown = acme.get(&format!("/portal/brand/{logo}"));
    assert_eq!((shown.status, shown.message.header("content-type")), (200, Some("image/png")));
    assert_eq!(shown.message.header("x-content-type-options"), Some("nosniff"));

    let mut plain = guest(&mut here, "plain", &json!({}));
    assert!(plain.get("/portal/").text.contains("The server's"));
    assert_eq!(plain.get(&format!("/portal/brand/{logo}")).status, 404, "it is another account's");
    assert_eq!(Browser::new(here.address).get(&format!("/portal/brand/{logo}")).status, 404);
    here.stop();
}

#[test]
fn the_documentation_is_that_of_the_accounts_contract_alone() {
    let mut here = Here::start();
    account(&mut here, "acme", &json!({}));
    let mut guest = guest(&mut here, "acme", &json!({}));
    let page = guest.get("/portal/docs");
    assert_eq!(page.status, 200);
    assert!(page.text.contains("id=\"verifying-signatures\""), "{}", page.text);
    assert!(!page.text.contains("href=\"/docs"), "it leads out: {}", page.text);
    for other in ["shopify", "hubspot", "taskflow", "daycopilot"] {
        assert!(!page.text.to_lowercase().contains(other), "another product: {other}");
    }
    Browser::new(here.address).get("/portal/docs").refuses(401, "session has ended");
    here.stop();
}

#[test]
fn a_session_ends_with_its_time_by_leaving_and_with_all_others() {
    let mut here = Here::start();
    account(&mut here, "acme", &json!({}));
    account(&mut here, "other", &json!({}));
    let asked = json!({"session_minutes": 5, "return_url": "https://app.example/settings"});
    let mut short = guest(&mut here, "acme", &asked);
    here.turn(5 * MINUTE - 1);
    assert_eq!(short.get("/portal/").status, 200);
    here.turn(1);
    let page = short.get("/portal/");
    page.refuses(401, "session has ended");
    assert!(page.text.contains("href=\"https://app.example/settings\""), "the way back: {}", page.text);

    let mut leaving = guest(&mut here, "acme", &json!({}));
    let page = leaving.submit("/portal/", "/portal/leave", &[]);
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.cookies()[0].contains("Max-Age=0"), "{:?}", page.cookies());
    leaving.get("/portal/").refuses(401, "session has ended");

    let mut revoked = guest(&mut here, "acme", &asked);
    let mut other = guest(&mut here, "other", &json!({}));
    let unused = link(&mut here, "acme", &json!({}));
    assert_eq!(end(&mut here, "acme"), json!({"sessions": 1, "links": 1}));
    assert_eq!(end(&mut here, "acme"), json!({"sessions": 0, "links": 0}));
    let page = revoked.get("/portal/");
    page.refuses(401, "session has ended");
    assert!(page.text.contains("href=\"https://app.example/settings\""), "{}", page.text);
    Browser::new(here.address).ask("GET", &unused, &framed(), "").refuses(404, "good for one use");
    assert_eq!(other.get("/portal/").status, 200);
    assert_eq!(here.deeds("acme")[0], "portal.ended");
    here.stop();
}

#[test]
fn where_a_frame_keeps_no_cookie_that_is_said() {
    let mut here = Here::start();
    account(&mut here, "acme", &json!({}));
    let mut browser = guest(&mut here, "acme", &json!({}));
    assert_eq!(browser.get("/portal/?entered=1").status, 200);
    browser.cookies.clear();
    browser.get("/portal/?entered=1").refuses(401, "keeps no cookies");
    browser.get("/portal/").refuses(401, "session has ended");
    here.stop();
}

#[test]
fn what_a_guest_does_stands_in_the_log_by_the_name_that_the_link_gave() {
    let mut here = Here::start();
    account(&mut here, "acme", &json!({}));
    guest(&mut here, "acme", &json!({"name": "ada@acme.example"}));
    let mut client = Client::new(here.address, KEY).acting_for("acme");
    let rows = client.get("/api/v1/audit").data(200);
    let entered = &rows.as_array().expect("rows")[0];
    assert_eq!((&entered["action"], &entered["user_name"]), (&json!("portal.entered"), &json!("ada@acme.example")));
    here.stop();
}
