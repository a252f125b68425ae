//! Links that are used once: to be looked at uses none, of two at once one wins, and each has its time.

use std::sync::Barrier;

use hookwheel::domain::time::{DAY_MS, HOUR_MS};
use serde_json::json;

use crate::browser::Browser;
use crate::here::{Here, PASSWORD, path_of};
use crate::support::Server;

#[test]
fn an_invitation_is_used_once_and_to_look_at_it_uses_nothing() {
    let mut here = Here::start();
    let (link, _) = here.invited("default", "ada@example.com", "viewer");
    let mut browser = Browser::new(here.address);
    for _ in 0..3 {
        assert!(browser.get(&link).text.contains("You were invited"));
    }
    browser.post(&link, &[("password", "short")]).refuses(400, "at least 10 characters");
    browser.post(&link, &[("password", "ada@example.com")]).refuses(400, "your name or address");
    browser.post(&link, &[("password", PASSWORD)]).leads_to("/dashboard");
    assert!(browser.is_in());
    for path in [link.clone(), "/dashboard/ticket/AAAA".into()] {
        browser.get(&path).refuses(404, "good for one use");
    }
    Browser::new(here.address).post(&link, &[("password", PASSWORD)]).refuses(404, "good for one use");
    Browser::new(here.address).log_in("ada@example.com", PASSWORD).leads_to("/dashboard");
    assert_eq!(here.deeds("default")[..4], ["user.logged_in", "user.logged_in", "user.password_set", "user.invited"],);
    here.stop();
}

#[test]
fn of_two_who_use_a_link_at_the_same_moment_one_wins() {
    let mut here = Here::start();
    let (link, _) = here.invited("default", "ada@example.com", "viewer");
    let (address, together) = (here.address, Barrier::new(2));
    let came = std::thread::scope(|scope| {
        let use_it = |password: &'static str| {
            let (link, together) = (&link, &together);
            scope.spawn(move || {
                let mut browser = Browser::new(address);
                together.wait();
                let page = browser.post(link, &[("password", password)]);
                (page.status, browser.is_in(), password)
            })
        };
        ["one of two passwords", "the other of the two"].map(use_it).map(|thread| thread.join().expect("it ends"))
    });
    let winners: Vec<_> = came.iter().filter(|(status, is_in, _)| (*status, *is_in) == (303, true)).collect();
    assert_eq!(winners.len(), 1, "{came:?}");
    assert_eq!(came.iter().filter(|(status, is_in, _)| (*status, *is_in) == (404, false)).count(), 1, "{came:?}");
    Browser::new(address).log_in("ada@example.com", winners[0].2).leads_to("/dashboard");
    here.stop();
}

#[test]
fn links_have_their_time_and_a_new_one_replaces_the_old() {
    let mut here = Here::start();
    let (link, id) = here.invited("default", "ada@example.com", "viewer");
    let mut browser = Browser::new(here.address);
    here.turn(7 * DAY_MS - 1);
    assert_eq!(browser.get(&link).status, 200);
    here.turn(1);
    browser.post(&link, &[("password", PASSWORD)]).refuses(404, "has ended");
    let reset = format!("/api/v1/users/{id}/reset");
    let second = path_of(&here.client.post(&reset, &json!({})).data(200));
    let third = path_of(&here.client.post(&reset, &json!({})).data(200));
    browser.post(&second, &[("password", PASSWORD)]).refuses(404, "good for one use");
    browser.post(&third, &[("password", PASSWORD)]).leads_to("/dashboard");

    // Another password: everything of before ends, when the link is used and not when it is made.
    let link = path_of(&here.client.post(&reset, &json!({})).data(200));
    assert!(browser.is_in());
    let mut other = Browser::new(here.address);
    other.post(&link, &[("password", "another horse battery")]).leads_to("/dashboard");
    assert!(other.is_in() && !browser.is_in());
    browser.log_in("ada@example.com", PASSWORD).refuses(401, "do not belong together");
    let link = path_of(&here.client.post(&reset, &json!({})).data(200));
    here.turn(HOUR_MS);
    browser.get(&link).refuses(404, "has ended");
    here.stop();
}

#[test]
fn a_development_server_prints_a_link_that_is_logged_in_and_good_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(dir.path(), &[]);
    let line = server.process.line("dashboard: http://");
    let link = line.split_whitespace().nth(1).and_then(|url| url.split_once("/dashboard/")).expect("a link").1;
    let link = format!("/dashboard/{link}");
    let mut browser = Browser::new(server.address);
    browser.get(&link).leads_to("/dashboard");
    browser.get("/dashboard").leads_to("/dashboard/@default/");
    assert_eq!(browser.get("/dashboard/@default/people").status, 200);
    Browser::new(server.address).get(&link).refuses(404, "good for one use");
}
