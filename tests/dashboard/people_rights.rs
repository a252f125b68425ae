//! What people may do: by their role, in their account, from pages of this server, and only there.

use serde_json::json;

use crate::browser::Browser;
use crate::here::{Here, PASSWORD};
use crate::support::Client;
use crate::support::process::KEY;

const PEOPLE: &str = "/dashboard/@acme/people";

fn with_acme() -> Here {
    let mut here = Here::start();
    here.client.post("/api/v1/accounts", &json!({"id": "acme", "name": "Acme"})).data(201);
    here
}

#[test]
fn owners_invite_and_others_do_not_even_see_who_there_is() {
    let mut here = with_acme();
    let (mut owner, _) = here.user("acme", "owner@acme.example", "owner");
    owner.get("/dashboard").leads_to("/dashboard/@acme/");
    let invite = [("email", "eve@acme.example"), ("name", "Eve <i>"), ("role", "operator")];
    let invited = owner.submit(PEOPLE, PEOPLE, &invite);
    assert_eq!(invited.status, 200, "{}", invited.text);
    let link = format!("/dashboard/ticket/{}", invited.between("/dashboard/ticket/", "<"));
    let mut eve = Browser::new(here.address);
    eve.post(&link, &[("password", PASSWORD)]).leads_to("/dashboard");
    let page = owner.get(PEOPLE);
    assert!(page.text.contains("Eve &lt;i&gt;") && page.text.contains("owner@acme.example"), "{}", page.text);
    owner.submit(PEOPLE, PEOPLE, &invite).refuses(409, "has this address");
    owner.submit(PEOPLE, PEOPLE, &[("email", "nobody"), ("role", "viewer")]).refuses(400, "must be a mail address");
    owner
        .submit(PEOPLE, PEOPLE, &[("email", "a@x.y"), ("role", "king")])
        .refuses(400, "must be viewer, operator or owner");

    assert_eq!(eve.get("/dashboard/@acme/").status, 200);
    eve.get(PEOPLE).refuses(403, "only an owner");
    let token = eve.get("/dashboard/you").field("token");
    let forced = [("email", "mallory@acme.example"), ("role", "owner"), ("token", token.as_str())];
    eve.post(PEOPLE, &forced).refuses(403, "only an owner");
    here.stop();
}

#[test]
fn another_role_ends_all_sessions_and_nobody_takes_rights_from_himself() {
    let mut here = with_acme();
    let (mut owner, owner_id) = here.user("acme", "owner@acme.example", "owner");
    let (mut eve, eve_id) = here.user("acme", "eve@acme.example", "owner");
    assert_eq!(eve.get(PEOPLE).status, 200);
    let at = format!("{PEOPLE}/{eve_id}");
    let page = owner.submit(&at, &at, &[("name", "Eve"), ("role", "viewer")]);
    page.leads_to(&format!("{at}?said=role"));
    assert!(!eve.is_in() && owner.is_in());
    eve.log_in("eve@acme.example", PASSWORD).leads_to("/dashboard");
    eve.get(PEOPLE).refuses(403, "only an owner");

    let own = format!("{PEOPLE}/{owner_id}");
    owner.submit(PEOPLE, &own, &[("name", "Owner"), ("role", "viewer")]).refuses(409, "takes rights away from himself");
    owner.submit(PEOPLE, &format!("{own}/remove"), &[]).refuses(409, "takes rights away from himself");
    let page = owner.submit(&at, &at, &[("name", "Eve"), ("role", "viewer"), ("disabled", "on")]);
    page.leads_to(&format!("{at}?said=saved"));
    assert!(!eve.is_in());
    eve.log_in("eve@acme.example", PASSWORD).refuses(403, "may not log in any more");
    owner.submit(&format!("{at}/remove"), &format!("{at}/remove"), &[]).leads_to(&format!("{PEOPLE}?said=removed"));
    eve.log_in("eve@acme.example", PASSWORD).refuses(401, "do not belong together");
    let seen = here.deeds("acme");
    for deed in ["user.role_changed", "user.changed", "user.removed"] {
        assert!(seen.iter().any(|one| one == deed), "{deed} in {seen:?}");
    }
    // The log says who it was.
    let mut client = Client::new(here.address, KEY).acting_for("acme");
    let removed = client.get("/api/v1/audit?action=user.removed").data(200);
    assert_eq!((&removed[0]["by"], &removed[0]["user_name"]), (&json!("user"), &json!("owner@acme.example")));
    assert_eq!(removed[0]["user_id"], json!(owner_id));
    here.stop();
}

#[test]
fn an_owner_reaches_no_other_account_and_the_servers_own_people_reach_all() {
    let mut here = with_acme();
    here.client.post("/api/v1/accounts", &json!({"id": "globex", "name": "Globex"})).data(201);
    let (mut owner, _) = here.user("acme", "owner@acme.example", "owner");
    let (mut theirs, their_id) = here.user("globex", "owner@globex.example", "owner");
    owner.get("/dashboard/@globex/").refuses(404, "no such account");
    owner.get("/dashboard/@operator/").refuses(404, "no such account");
    for act in ["", "/remove", "/reset", "/end-sessions"] {
        let own_account = format!("{PEOPLE}/{their_id}{act}");
        owner.submit(PEOPLE, &own_account, &[("name", "Mine"), ("role", "viewer")]).refuses(404, "no such user");
        let their_account = format!("/dashboard/@globex/people/{their_id}{act}");
        owner.submit(PEOPLE, &their_account, &[("name", "Mine"), ("role", "viewer")]).refuses(404, "no such account");
    }
    assert!(theirs.is_in());
    let mut root = here.first();
    for account in ["acme", "globex", "default", "operator"] {
        let page = root.get(&format!("/dashboard/@{account}/people"));
        assert_eq!(page.status, 200, "{account}: {}", page.text);
    }
    let (mut viewer, _) = here.user("operator", "watch@example.com", "viewer");
    assert_eq!(viewer.get("/dashboard/@acme/").status, 200);
    viewer.get(PEOPLE).refuses(403, "only an owner");
    here.stop();
}

#[test]
fn a_form_needs_the_token_of_its_session_and_a_page_of_this_server() {
    let mut here = with_acme();
    let (mut owner, _) = here.user("acme", "owner@acme.example", "owner");
    let (mut other, _) = here.user("acme", "other@acme.example", "owner");
    let invite = [("email", "eve@acme.example"), ("role", "viewer")];
    owner.post(PEOPLE, &invite).refuses(403, "not from a page of this server");
    let stranger = other.get(PEOPLE).field("token");
    owner
        .post(PEOPLE, &[&invite[..], &[("token", stranger.as_str())]].concat())
        .refuses(403, "not from a page of this server");
    for foreign in ["https://evil.example", "null", ""] {
        owner.from = Some(foreign);
        owner.submit(PEOPLE, PEOPLE, &invite).refuses(403, "did not come from a page of this server");
        owner.submit(PEOPLE, "/dashboard/log-out", &[]).refuses(403, "did not come from a page of this server");
        let mut nobody = Browser::new(here.address);
        nobody.from = owner.from;
        nobody.log_in("owner@acme.example", PASSWORD).refuses(403, "did not come from a page of this server");
        assert!(nobody.cookies.is_empty());
    }
    owner.from = None;
    let token = owner.get(PEOPLE).field("token");
    let body =
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(invite).append_pair("token", &token).finish();
    // Where a browser says no origin, the page that it says will do.
    let from = [("Referer", format!("{}{PEOPLE}", owner.origin))];
    assert_eq!(owner.ask("POST", PEOPLE, &from, &body).status, 200);
    here.stop();
}

#[test]
fn the_api_never_takes_a_cookie_and_pages_never_a_key() {
    let here = Here::start();
    let mut root = here.first();
    for path in ["/api/v1/users", "/api/v1/webhooks", "/api/v1/whoami", "/v2/webhooks"] {
        assert_ne!(root.get(path).status, 200, "{path}");
    }
    assert_eq!(root.get("/api/v1/users").status, 401);
    let mut nobody = Browser::new(here.address);
    let key = [("Authorization", format!("Bearer {KEY}"))];
    let page = nobody.ask("GET", "/dashboard/@default/", &key, "");
    assert!(page.location().starts_with("/dashboard/log-in"), "{page:?}");
    here.stop();
}

#[test]
fn of_ones_sessions_one_ends_others_and_another_password_ends_them_all() {
    let here = Here::start();
    let mut one = here.first();
    let mut other = Browser::new(here.address);
    other.log_in("root@example.com", PASSWORD).leads_to("/dashboard");
    let page = one.get("/dashboard/you");
    assert_eq!((page.text.matches("this one").count(), page.text.matches("Firefox").count()), (1, 2), "{}", page.text);
    let end = format!("/dashboard/you/sessions/{}/end", page.between("/dashboard/you/sessions/", "/end"));
    one.submit("/dashboard/you", &end, &[]).leads_to("/dashboard/you?said=sessions");
    assert!(one.is_in() && !other.is_in());
    other.log_in("root@example.com", PASSWORD).leads_to("/dashboard");
    one.submit("/dashboard/you", "/dashboard/you/sessions/end-others", &[]).leads_to("/dashboard/you?said=sessions");
    assert!(one.is_in() && !other.is_in());

    let mut thief = one.clone();
    let new = "another horse battery";
    let wrong = one.submit("/dashboard/you", "/dashboard/you/password", &[("current", new), ("password", new)]);
    wrong.refuses(400, "is not your password");
    let set = one.submit("/dashboard/you", "/dashboard/you/password", &[("current", PASSWORD), ("password", new)]);
    set.leads_to("/dashboard/you?said=password");
    assert!(one.is_in() && !thief.is_in(), "this session goes on with another token");
    one.log_in("root@example.com", new).leads_to("/dashboard");
    here.stop();
}

#[test]
fn where_the_dashboard_is_switched_off_there_are_no_pages() {
    let mut here = Here::start_with(|config| config.dashboard.enabled = false);
    let mut browser = Browser::new(here.address);
    browser.get("/").leads_to("/docs");
    for path in ["/dashboard", "/dashboard/log-in", "/dashboard/first", "/dashboard/@default/", "/portal/"] {
        assert_eq!(browser.get(path).status, 404, "{path}");
    }
    let refused = here.client.post("/api/v1/users", &json!({"email": "ada@example.com"}));
    assert_eq!(refused.status, 409, "{:?}", refused.json());
    here.stop();
}

#[test]
fn where_no_page_is_a_page_says_so() {
    let here = with_acme();
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
