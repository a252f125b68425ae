//! All pages of the documentation, walked as a reader walks them: from the front page along every link. What stays true: each is whole,
//! none is long, and every link leads somewhere.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;
use std::process::Command;

use hookwheel::config::documented;
use serde_json::Value;

use super::document::{self, Markdown};
use super::support::Client;
use super::{Scene, name};

/// A page that no screen is tall enough for: eight of them, of 900 pixels.
const PIXELS_MAX: u64 = 8 * 900;

/// What is told of each page: its code, its text, the ids in it, where it leads, and how tall it is, about.
fn walked(scene: &Scene) -> BTreeMap<String, Value> {
    let mut client = Client::new(scene.server.address, "no-key-at-all");
    let mut pages = BTreeMap::new();
    let mut ahead = VecDeque::from(["/docs".to_owned()]);
    let mut seen: BTreeSet<String> = ahead.iter().cloned().collect();
    while let Some(address) = ahead.pop_front() {
        let reply = client.get(&address);
        assert_eq!(reply.status, 200, "{address}");
        let page = String::from_utf8(reply.message.body).expect("UTF-8");
        for to in page.split("href=\"").skip(1).filter_map(|rest| rest.split(['"', '#']).next()) {
            let is_page = to.starts_with("/docs") && !to.starts_with("/docs/assets/") && !to.ends_with(".json");
            if is_page && seen.insert(to.to_owned()) {
                ahead.push_back(to.to_owned());
            }
        }
        pages.insert(address, page);
    }
    let dir = scene.dir.path().join("pages");
    fs::create_dir(&dir).expect("made");
    let files: BTreeMap<String, String> =
        pages.keys().enumerate().map(|(n, address)| (format!("{n}.html"), address.clone())).collect();
    for (file, address) in &files {
        fs::write(dir.join(file), &pages[address]).expect("written");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/docs/check_page.py");
    let checked =
        Command::new("python3").arg(script).args(files.keys()).current_dir(&dir).output().expect("Python runs");
    assert!(checked.status.success(), "{}\n{files:#?}", String::from_utf8_lossy(&checked.stderr));
    let mut checked: BTreeMap<String, Value> = serde_json::from_slice(&checked.stdout).expect("JSON");
    files.into_iter().map(|(file, address)| (address, checked.remove(&file).expect("it was looked at"))).collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().filter_map(Value::as_str).collect()
}

/// The pages of a document, in the order in which the navigation has them.
fn parts<'p>(pages: &'p BTreeMap<String, Value>, home: &str) -> Vec<&'p Value> {
    let below = format!("{home}/");
    let mut addresses: Vec<&str> = Vec::new();
    for to in texts(&pages[home]["links"]) {
        let to = to.split('#').next().expect("there is a first");
        if (to == home || to.starts_with(&below)) && pages.contains_key(to) && !addresses.contains(&to) {
            addresses.push(to);
        }
    }
    addresses
        .sort_by_key(|address| pages[home]["order"].as_array().and_then(|all| all.iter().position(|to| to == address)));
    addresses.iter().map(|address| &pages[*address]).collect()
}

#[test]
fn every_page_is_whole_and_every_link_leads_somewhere() {
    let scene = Scene::start();
    let pages = walked(&scene);
    assert!(pages.len() > 150, "only {} pages", pages.len());
    let mut client = Client::new(scene.server.address, "no-key-at-all");
    let mut others = BTreeSet::new();
    for (address, page) in &pages {
        let height = page["height"].as_u64().expect("a number");
        assert!(height <= PIXELS_MAX, "{address} is {height} pixels tall, about");
        for to in texts(&page["links"]) {
            let (path, anchor) = to.split_once('#').unwrap_or((to, ""));
            let target = if path.is_empty() { address.as_str() } else { path };
            if let Some(target) = pages.get(target) {
                let is_there = anchor.is_empty() || texts(&target["ids"]).contains(&anchor);
                assert!(is_there, "{address} leads to {to}, which is not on that page");
            } else if !to.starts_with("https://") && !path.starts_with("/dashboard") {
                others.insert(path.to_owned());
            }
        }
    }
    for path in others {
        assert_eq!(client.get(&path).status, 200, "{path}");
    }
}

#[test]
fn what_is_long_is_the_same_in_many_pages_and_in_one_text() {
    let mut scene = Scene::start();
    let pages = walked(&scene);
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for dialect in scene.dialects() {
        let (markdown, name) = (scene.markdown(name(&dialect)), name(&dialect));
        let parts = parts(&pages, &format!("/docs/webhooks/{name}"));
        let code: Vec<&str> = parts.iter().flat_map(|page| texts(&page["code"])).collect();
        let fenced: Vec<&str> = markdown.code().map(|(_, text)| text).collect();
        assert_eq!(code, fenced, "{name}");
        // A table of Markdown has its cells in one line.
        let text: String = parts.iter().map(|page| one_line(page["text"].as_str().expect("text"))).collect();
        assert!(text.contains(dialect["title"].as_str().expect("a title")), "{name}");
        for cell in markdown.tables().flatten().flatten() {
            assert!(text.contains(&one_line(cell)), "{name}: {cell:?} is on no page");
        }
    }
    for home in ["/docs/peers", "/docs/dialects"] {
        let markdown = Markdown::read(&scene.page(&format!("{home}?format=markdown")));
        let text: String = parts(&pages, home).iter().map(|page| page["text"].as_str().expect("text")).collect();
        for cell in markdown.tables().flatten().flatten() {
            assert!(text.contains(cell), "{home}: {cell:?} is on no page");
        }
    }
    let schema: Value = serde_json::from_str(&scene.page("/docs/dialects/schema.json")).expect("JSON");
    let printed = Markdown::read(&scene.page("/docs/dialects?format=markdown"));
    let keys = schema["properties"]["retry"]["properties"].as_object().map(serde_json::Map::len);
    assert_eq!(keys, Some(printed.table("[retry]").len()));
    let front = pages["/docs"]["text"].as_str().expect("text");
    assert!(
        scene.dialects().iter().all(|dialect| front.contains(dialect["title"].as_str().expect("a title"))),
        "{front}"
    );
}

#[test]
fn a_section_has_an_address_on_whatever_page_it_stands() {
    let scene = Scene::start();
    let ask = |path: &str| document::ask(scene.server.address, &format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n"));
    let moved = ask("/docs/webhooks/taskflow/best-practices");
    let there = match moved.header("location") {
        Some(to) => to.to_owned(),
        None => "/docs/webhooks/taskflow/best-practices".to_owned(),
    };
    let (page, anchor) = there.split_once('#').unwrap_or((&there, "best-practices"));
    assert!(scene.page(page).contains(&format!("id=\"{anchor}\"")), "{there}");
    let gone = ask("/docs/guide/nothing");
    assert!(gone.start.contains(" 404 "), "{}", gone.start);
    assert!(String::from_utf8_lossy(&gone.body).contains("<h1>No such page</h1>"));
    for path in ["/docs/webhooks/taskflow/nothing", "/docs/api/nothing", "/docs/assets/style-0.css", "/docs/a/b/c/d"] {
        assert!(ask(path).start.contains(" 404 "), "{path}");
    }
}

#[test]
fn one_language_is_shown_at_a_time() {
    let scene = Scene::start();
    let pages = walked(&scene);
    let chooses: Vec<&String> =
        pages.iter().filter(|(_, page)| page["groups"] != Value::Array(Vec::new())).map(|(a, _)| a).collect();
    assert!(chooses.iter().any(|address| address.starts_with("/docs/webhooks/taskflow")), "{chooses:?}");
    assert!(chooses.iter().any(|address| *address == "/docs/api/events.publish"), "{chooses:?}");
    assert!(chooses.iter().any(|address| *address == "/docs/guide/clients"), "{chooses:?}");
    for address in chooses {
        for group in pages[address].get("groups").and_then(Value::as_array).expect("a list") {
            let languages = texts(&group["languages"]);
            assert_eq!(languages.iter().collect::<BTreeSet<_>>().len(), languages.len(), "{address}: {languages:?}");
            assert!(languages.len() > 1, "{address}: {languages:?}");
            assert_eq!((&group["checked"], &group["shown"]), (&1.into(), &languages.len().into()), "{address}");
        }
    }
}

#[test]
fn a_search_finds_pages_with_scripts_and_without() {
    let scene = Scene::start();
    let index: Value = serde_json::from_str(&scene.page("/docs/search.json")).expect("JSON");
    let all = index["pages"].as_array().expect("a list");
    // A browser fetches it once somebody searches.
    assert!(index.to_string().len() < 1 << 20, "{} bytes", index.to_string().len());
    let page = |address: &str| all.iter().find(|page| page["a"] == address).unwrap_or_else(|| panic!("no {address}"));
    for (address, word) in [
        ("/docs/guide/webhooks", "fifo"),
        ("/docs/api/webhooks.secret.rotate", "manage"),
        ("/docs/dialects/tutorial", "parcels"),
    ] {
        let words: Vec<&str> = page(address)["w"].as_str().expect("text").split(' ').collect();
        assert!(words.contains(&word), "{address}: {word}");
    }
    assert!(all.iter().any(|page| page["a"].as_str().is_some_and(|a| a.starts_with("/docs/webhooks/evil"))));
    for (asked, found) in [
        ("dead+lett", "href=\"/docs/guide/deliveries#dead-letters-and-replays\""),
        ("ROTAT", "href=\"/docs/api/webhooks.secret.rotate\""),
        ("in_flight_max", "href=\"/docs/guide/configuration"),
    ] {
        let page = scene.page(&format!("/docs/search?q={asked}"));
        assert!(page.contains(found), "{asked}: {page}");
    }
    let none = scene.page("/docs/search?q=%3Cscript%3Ealert(1)%3C/script%3E+zzzz");
    assert!(none.contains("No page has all of these words") && !none.contains("<script>"), "{none}");
}

#[test]
fn pages_are_shown_with_files_of_our_own_and_nothing_else() {
    let scene = Scene::start();
    let ask = |path: &str| document::ask(scene.server.address, &format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n"));
    for path in ["/docs", "/docs/guide/start", "/docs/search?q=x", "/docs/api/events.publish", "/docs/nothing"] {
        let reply = ask(path);
        let policy = reply.header("content-security-policy").expect("a policy").to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        let page = String::from_utf8_lossy(&reply.body).into_owned();
        let files: Vec<&str> = page.split(['"']).filter(|text| text.starts_with("/docs/assets/")).collect();
        assert_eq!(files.len(), 3, "{path}: {files:?}");
        for file in files {
            let asset = ask(file);
            assert!(asset.start.contains(" 200 "), "{file}: {}", asset.start);
            assert!(asset.header("cache-control").is_some_and(|kept| kept.contains("immutable")), "{file}");
            assert_eq!(asset.header("x-content-type-options"), Some("nosniff"));
            let kind = asset.header("content-type").expect("a type");
            let ending = file.rsplit('.').next().expect("an ending");
            assert!(
                kind.contains(match ending {
                    "css" => "css",
                    "js" => "javascript",
                    _ => "svg",
                }),
                "{file}: {kind}"
            );
            assert!(asset.body.len() < 40 << 10, "{file} is {} bytes", asset.body.len());
        }
    }
}

#[test]
fn the_configuration_page_has_every_key() {
    let scene = Scene::start();
    let page = Markdown::read(&scene.page("/docs/guide/configuration?format=markdown"));
    let keys: BTreeSet<&str> = page.tables().flatten().filter_map(|row| row.first()).map(String::as_str).collect();
    let all = documented();
    assert!(all.len() > 60, "only {} keys", all.len());
    for key in all {
        let (section, name) = key.name.split_once('.').expect("a section and a name");
        assert!(keys.contains(name), "{section}.{name}");
    }
}

#[test]
fn the_readme_is_short_and_leads_to_each_page_of_the_guide() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("it is there");
    assert!(readme.lines().count() <= 250, "{} lines", readme.lines().count());
    for file in fs::read_dir(root.join("src/docs/guide")).expect("it is there") {
        let name = file.expect("can be read").file_name().into_string().expect("UTF-8");
        if name.ends_with(".md") {
            assert!(readme.contains(&format!("(src/docs/guide/{name})")), "the README does not lead to {name}");
        }
    }
}
