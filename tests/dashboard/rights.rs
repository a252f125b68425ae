//! Every page and every form, as the sources say them, asked for in every role, in another account, and by nobody: what one may not
//! do is refused wherever it is, and no form is taken that is not from a page of its session.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::browser::{Browser, Page};
use crate::here::Here;

/// A page, or a form.
#[derive(Debug)]
struct Way {
    is_form: bool,
    /// Where it is, of the account `acme` or of the server.
    path: String,
    /// What it asks of who comes, such as `Manage`; none: a page for who is not logged in.
    needs: Option<String>,
}

impl Way {
    /// Whether it is below an account.
    fn is_of_account(&self) -> bool {
        self.path.starts_with("/dashboard/@acme")
    }

    /// Whether it is of the operator's pages.
    fn is_of_server(&self) -> bool {
        self.path.starts_with("/dashboard/server/")
    }

    /// Whether it goes on for as long as somebody reads.
    fn is_endless(&self) -> bool {
        self.path.ends_with("/live/stream")
    }

    fn ask(&self, browser: &mut Browser, fields: &[(&str, &str)]) -> Page {
        if self.is_form { browser.post(&self.path, fields) } else { browser.get(&self.path) }
    }
}

/// All of them.
fn ways() -> Vec<Way> {
    let mut ways = Vec::new();
    read(&PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/dashboard")), &mut ways);
    assert!(ways.len() > 80, "only {} were found", ways.len());
    ways
}

fn read(folder: &Path, ways: &mut Vec<Way>) {
    for entry in fs::read_dir(folder).expect("the sources") {
        let file = entry.expect("a file").path();
        // What only a portal has is asked for in its own tests.
        if file.ends_with("dashboard/portal") || file.ends_with("brand.rs") || file.ends_with("assets.rs") {
            continue;
        }
        if file.is_dir() {
            read(&file, ways);
            continue;
        }
        let text = fs::read_to_string(&file).unwrap_or_default();
        for (start, is_form) in [("#[get(\"", false), ("#[post(\"", true)] {
            for (at, _) in text.match_indices(start) {
                let (path, rest) = text[at + start.len()..].split_once('"').expect("its end");
                let arguments =
                    rest.split_once("fn ").and_then(|(_, rest)| rest.split_once('{')).expect("a function").0;
                let needs = ["Looks<", "Posted<"].into_iter().find_map(|taken| {
                    let (_, rest) = arguments.split_once(taken)?;
                    rest.split_once('>').map(|(needs, _)| needs.to_owned())
                });
                let below = match (path.starts_with("/dashboard"), file.ends_with("trying.rs")) {
                    (true, _) => "",
                    (false, true) => "/dashboard/@acme/try",
                    (false, false) => "/dashboard/@acme",
                };
                // The server's own address leads on, whoever asks.
                if !file.ends_with("home.rs") {
                    ways.push(Way { is_form, path: format!("{below}{}", filled(path)), needs });
                }
            }
        }
    }
}

/// A path with something in each of its places.
fn filled(path: &str) -> String {
    let part = |part: &str| match part.trim_start_matches('{').split(['}', ':']).next() {
        _ if !part.starts_with('{') => part.to_owned(),
        Some("operation") => "webhooks.list".into(),
        Some("verb") => "replay".into(),
        Some("act") => "pause".into(),
        Some("leaving") => "purge".into(),
        Some("number") => "1".into(),
        _ => "none".into(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Who is there, and what they may, by the name of what a page or a form needs.
const ROLES: [(&str, &str, &[&str]); 4] = [
    ("acme", "viewer", &["Any", "Read"]),
    ("acme", "operator", &["Any", "Read", "Publish", "Replays", "ToReplay", "Tests", "Steers"]),
    (
        "acme",
        "owner",
        &["Any", "Read", "Publish", "Replays", "ToReplay", "Tests", "Steers", "Manage", "Rotates", "Peoples"],
    ),
    ("operator", "viewer", &["Any", "Read"]),
];

fn with_accounts() -> Here {
    let mut here = Here::start();
    for id in ["acme", "other"] {
        here.client.post("/api/v1/accounts", &json!({"id": id, "name": id})).data(201);
    }
    here
}

#[test]
fn each_role_gets_what_it_may_and_nothing_else() {
    let mut here = with_accounts();
    for (account, role, may) in ROLES {
        let (mut browser, _) = here.user(account, &format!("{role}@{account}.example"), role);
        let token = browser.get("/dashboard/you").field("token");
        for way in ways().iter().filter(|way| way.is_of_account() || way.is_of_server()) {
            let needs = way.needs.as_deref().unwrap_or_else(|| panic!("whoever comes gets {way:?}"));
            // All of the server's own people look at its pages.
            let looks_on = needs == "Admin" && account == "operator" && !way.is_form;
            let may = may.contains(&needs) || looks_on;
            if may && way.is_endless() {
                continue;
            }
            let page = way.ask(&mut browser, &[("token", &token)]);
            let told = format!("{role} of {account}: {way:?}: {} {}", page.status, page.text);
            match (may, way.is_of_server()) {
                (true, _) => assert!(page.status != 403 && !page.location().contains("log-in"), "{told}"),
                (false, false) => assert_eq!(page.status, 403, "{told}"),
                // To others it is as if there were none.
                (false, true) => assert!(matches!(page.status, 403 | 404), "{told}"),
            }
        }
        assert!(browser.is_in(), "{role} of {account}");
    }
    here.stop();
}

#[test]
fn nobody_reaches_another_account_and_who_is_not_logged_in_none() {
    let mut here = with_accounts();
    let (mut owner, _) = here.user("other", "owner@other.example", "owner");
    let token = owner.get("/dashboard/you").field("token");
    let mut nobody = Browser::new(here.address);
    for way in ways().iter().filter(|way| way.is_of_account() || way.is_of_server()) {
        let page = way.ask(&mut owner, &[("token", &token)]);
        assert_eq!(page.status, 404, "{way:?}: {}", page.text);
        assert!(page.text.contains("no such account"), "{way:?}: {}", page.text);
        let page = way.ask(&mut nobody, &[("token", &token)]);
        assert!(page.status == 303 && page.location().starts_with("/dashboard/log-in"), "{way:?}: {page:?}");
    }
    here.stop();
}

#[test]
fn no_form_is_taken_without_its_token_or_from_elsewhere() {
    let here = with_accounts();
    let mut root = here.first();
    let mut forms = 0;
    for way in ways().iter().filter(|way| way.is_form) {
        forms += 1;
        if way.needs.is_some() {
            for token in [&[][..], &[("token", "")], &[("token", "c3RyYW5nZQ")]] {
                way.ask(&mut root, token).refuses(403, "not from a page of this server");
            }
        }
        for foreign in ["https://evil.example", "null", ""] {
            root.from = Some(foreign);
            way.ask(&mut root, &[]).refuses(403, "did not come from a page of this server");
        }
        root.from = None;
    }
    assert!(forms > 40 && root.is_in());
    here.stop();
}

#[test]
fn where_no_page_is_a_page_says_so() {
    let here = with_accounts();
    let mut root = here.first();
    root.get("/dashboard/log-in?next=/dashboard/you&next=x").leads_to("/dashboard/you");
    for path in
        ["/dashboard/nothing", "/dashboard/@acme/nothing", "/dashboard/server/nothing", "/dashboard/@acme/try/a/b"]
    {
        let page = root.get(path);
        page.refuses(404, "<h1>Nothing is here</h1>");
        assert!(
            page.message.header("content-security-policy").is_some_and(|policy| policy.contains("'none'")),
            "{path}"
        );
    }
    here.stop();
}
