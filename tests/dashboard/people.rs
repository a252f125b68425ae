//! Coming in: the first user, by password, and out again.

use hookwheel::domain::time::HOUR_MS;
use serde_json::json;

use crate::browser::Browser;
use crate::here::{Here, PASSWORD};
use crate::support::process::KEY;

#[test]
fn whoever_has_the_admin_key_is_the_first_user_and_nobody_after() {
    let mut here = Here::start();
    let mut browser = Browser::new(here.address);
    browser.get("/").leads_to("/dashboard");
    browser.get("/dashboard").leads_to("/dashboard/log-in?next=%2Fdashboard");
    browser.get("/dashboard/log-in").leads_to("/dashboard/first");
    assert_eq!(browser.get("/dashboard/first").status, 200);
    let with = |key: &'static str, password: &'static str| {
        [("admin_key", key), ("email", "Root@Example.com"), ("name", "Root <b>"), ("password", password)]
    };
    let wrong = browser.post("/dashboard/first", &with("hw_not-a-key-of-this-server", PASSWORD));
    wrong.refuses(400, "is not an admin key");
    assert!(wrong.text.contains("Root &lt;b&gt;") && !wrong.text.contains(PASSWORD), "{}", wrong.text);
    browser.post("/dashboard/first", &with(KEY, "too short")).refuses(400, "at least 10 characters");
    browser.post("/dashboard/first", &with(KEY, "1234567890")).refuses(400, "guessed first");
    assert!(!browser.is_in());
    browser.post("/dashboard/first", &with(KEY, PASSWORD)).leads_to("/dashboard");
    assert!(browser.is_in());
    browser.get("/dashboard").leads_to("/dashboard/@default/");
    assert_eq!(browser.get("/dashboard/@default/").status, 200);
    let mut other = Browser::new(here.address);
    other.get("/dashboard/first").leads_to("/dashboard/log-in");
    other.post("/dashboard/first", &with(KEY, PASSWORD)).refuses(409, "was made already");
    other.log_in("root@example.com", PASSWORD).leads_to("/dashboard");
    assert_eq!(here.deeds("operator"), ["user.logged_in", "user.first_made"]);
    here.stop();
}

#[test]
fn a_cookie_is_for_this_host_and_no_script_and_each_log_in_has_another() {
    let here = Here::start();
    let mut browser = here.first();
    let first = browser.cookies.clone();
    let page = browser.log_in("root@example.com", PASSWORD);
    let cookie = page.cookies()[0].to_owned();
    assert!(cookie.starts_with("hookwheel=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
    assert_ne!(browser.cookies, first);

    let mut tls = Browser::at(here.address, "https://hooks.example");
    let page = tls.log_in("root@example.com", PASSWORD);
    page.leads_to("/dashboard");
    let cookie = page.cookies()[0].to_owned();
    let is_bound =
        cookie.starts_with("__Host-hookwheel=") && cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax");
    assert!(is_bound, "{cookie}");
    assert!(tls.is_in());
    for page in [page, browser.get("/dashboard/you"), Browser::new(here.address).get("/dashboard/log-in")] {
        assert_eq!(page.message.header("cache-control"), Some("no-store"));
    }
    here.stop();
}

#[test]
fn a_proxy_that_is_not_trusted_is_not_believed_and_links_lead_to_the_public_url() {
    let mut here = Here::start_with(|config| {
        config.server.trusted_proxies.clear();
        config.server.public_url = Some("https://hooks.example".to_owned());
    });
    here.first();
    let mut spoofed = Browser::at(here.address, "https://elsewhere.example");
    spoofed.get("/dashboard/log-in").refuses(403, "plain HTTP");
    let asked = json!({"email": "ada@example.com", "name": "Ada", "role": "viewer"});
    let user = here.client.post("/api/v1/users", &asked).data(201);
    let link = user.to_string();
    assert!(link.contains("https://hooks.example/dashboard/"), "{link}");
    here.stop();
}

#[test]
fn over_plain_http_from_elsewhere_nobody_is_asked_for_a_password() {
    let here = Here::start();
    here.first();
    let mut clear = Browser::at(here.address, "http://hooks.example");
    for page in ["/dashboard/log-in", "/dashboard/first", "/dashboard/ticket/AAAA"] {
        clear.get(page).refuses(403, "plain HTTP");
    }
    clear.log_in("root@example.com", PASSWORD).refuses(403, "X-Forwarded-Proto");
    assert!(clear.cookies.is_empty());
    // Nor does a session of this machine go on there.
    clear.cookies = here_cookies(&here);
    assert!(clear.get("/dashboard/you").location().starts_with("/dashboard/log-in"));
    here.stop();
}

fn here_cookies(here: &Here) -> std::collections::BTreeMap<String, String> {
    let mut browser = Browser::new(here.address);
    browser.log_in("root@example.com", PASSWORD).leads_to("/dashboard");
    assert!(browser.is_in());
    browser.cookies
}

#[test]
fn a_wrong_password_and_an_address_that_nobody_has_are_answered_alike() {
    let here = Here::start();
    here.first();
    let mut browser = Browser::new(here.address);
    let known = browser.log_in("root@example.com", "wrong horse battery");
    let unknown = browser.log_in("nobody@example.com", "wrong horse battery");
    let no_address = browser.log_in("nobody", "wrong horse battery");
    known.refuses(401, "do not belong together");
    let told = |page: &crate::browser::Page, email: &str| page.text.replace(email, "");
    assert_eq!(told(&known, "root@example.com"), told(&unknown, "nobody@example.com"));
    assert_eq!((unknown.status, no_address.status), (401, 401));
    assert!(browser.cookies.is_empty());
    here.stop();
}

#[test]
fn guesses_are_looked_at_later_and_later_and_do_not_fill_the_log() {
    let mut here = Here::start();
    here.first();
    let mut browser = Browser::new(here.address);
    for _ in 0..5 {
        browser.log_in("root@example.com", "wrong horse battery").refuses(401, "do not belong together");
    }
    let refused = browser.log_in("root@example.com", PASSWORD);
    refused.refuses(429, "not looked at");
    assert_eq!(refused.message.header("retry-after"), Some("1"));
    assert!(browser.cookies.is_empty(), "even if it is the right one");
    here.turn(1_000);
    browser.log_in("root@example.com", "wrong horse battery").refuses(401, "do not belong together");
    here.turn(1_000);
    browser.log_in("root@example.com", PASSWORD).refuses(429, "not looked at");
    here.turn(1_000);
    browser.log_in("root@example.com", PASSWORD).leads_to("/dashboard");
    let failed = here.deeds("operator").iter().filter(|deed| *deed == "user.login_failed").count();
    assert_eq!(failed, 3, "the first, the second and the fourth of six");
    // What was right forgets what was wrong.
    for _ in 0..4 {
        browser.log_in("root@example.com", "wrong horse battery").refuses(401, "do not belong together");
    }
    browser.log_in("root@example.com", PASSWORD).leads_to("/dashboard");
    here.stop();
}

#[test]
fn one_lands_where_one_wanted_to_go_within_this_server() {
    let here = Here::start();
    here.first();
    let mut browser = Browser::new(here.address);
    let away = browser.get("/dashboard/@default/?range=7d");
    away.leads_to("/dashboard/log-in?next=%2Fdashboard%2F%40default%2F%3Frange%3D7d");
    let page = browser.get(away.location());
    assert_eq!(page.field("next"), "/dashboard/@default/?range=7d");
    for (next, lands) in [
        ("/dashboard/@default/?range=7d", "/dashboard/@default/?range=7d"),
        ("https://evil.example/dashboard", "/dashboard"),
        ("//evil.example/dashboard", "/dashboard"),
        ("/\\evil.example", "/dashboard"),
    ] {
        let fields = [("email", "root@example.com"), ("password", PASSWORD), ("next", next)];
        browser.post("/dashboard/log-in", &fields).leads_to(lands);
    }
    browser.get("/dashboard/log-in?next=%2Fdashboard%2Fyou").leads_to("/dashboard/you");
    here.stop();
}

#[test]
fn who_logs_out_is_out_whoever_has_the_cookie() {
    let here = Here::start();
    let mut browser = here.first();
    let mut thief = browser.clone();
    assert!(thief.is_in());
    let page = browser.submit("/dashboard/you", "/dashboard/log-out", &[]);
    page.leads_to("/dashboard/log-in?said=logged-out");
    assert!(page.cookies()[0].contains("Max-Age=0") && browser.cookies.is_empty());
    assert!(browser.get("/dashboard/log-in?said=logged-out").text.contains("Logged out."));
    assert!(!thief.is_in());
    here.stop();
}

#[test]
fn a_session_ends_when_it_was_quiet_for_long_and_in_any_case_after_days() {
    let here = Here::start_with(|config| {
        (config.dashboard.session_idle_hours, config.dashboard.session_days) = (12, 2);
    });
    let mut browser = here.first();
    let mut quiet = Browser::new(here.address);
    quiet.log_in("root@example.com", PASSWORD).leads_to("/dashboard");
    for hour in (0..48).step_by(6) {
        assert!(browser.is_in(), "after {hour} hours");
        here.client_waits(&browser);
        here.turn(6 * HOUR_MS);
        if hour == 6 {
            assert!(!quiet.is_in(), "it has been quiet for 12 hours");
        }
    }
    assert!(!browser.is_in(), "it is two days old");
    here.stop();
}

impl Here {
    /// Until what the last request wrote on the side is written: a change of one's own comes behind it.
    fn client_waits(&self, browser: &Browser) {
        let mut browser = browser.clone();
        browser
            .submit("/dashboard/you", "/dashboard/you/name", &[("name", "Root")])
            .leads_to("/dashboard/you?said=renamed");
    }
}
