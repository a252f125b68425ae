//! Logging in by an identity provider: who is let in and as what, and all that is not believed.

use hookwheel::domain::secret::Secret;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::here::{Here, PASSWORD, START};
use crate::provider::{CLIENT, Provider, SECRET, Signer};

/// A server whose people log in by this provider.
fn start(provider: &Provider, allowed: &[&str]) -> Here {
    let allowed = allowed.iter().map(|rule| (*rule).to_owned()).collect();
    Here::start_with(|config| {
        config.oidc.issuer = Some(provider.issuer());
        config.oidc.client_id = Some(CLIENT.into());
        config.oidc.client_secret = Some(Secret::new(SECRET));
        config.oidc.allowed = allowed;
        config.oidc.label = "Log in with <Acme>".into();
    })
}

/// The users of the server's own account.
fn users(here: &mut Here) -> Vec<Value> {
    let mut client = crate::support::Client::new(here.address, crate::support::process::KEY).acting_for("operator");
    client.get("/api/v1/users").data(200).as_array().expect("rows").clone()
}

#[test]
fn whoever_a_rule_names_becomes_a_user_and_is_the_same_one_the_next_time() {
    for signer in [Signer::rs256(), Signer::es256(), Signer::eddsa()] {
        let provider = Provider::start();
        provider.told.lock().expect("no panic").signer = signer;
        let mut here = start(&provider, &["@example.com = viewer", "group:hooks = operator"]);
        let mut browser = Browser::new(here.address);
        let page = browser.get("/dashboard/first");
        assert!(page.text.contains("Log in with &lt;Acme&gt;"), "{}", page.text);
        let page = provider.log_in(&mut browser);
        page.leads_to("/dashboard");
        assert!(browser.is_in());
        assert!(!browser.cookies.contains_key("hookwheel-sign-on"), "what was kept of the way there is gone");
        let all = users(&mut here);
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!(
            [&all[0]["email"], &all[0]["name"], &all[0]["role"], &all[0]["identity_provider"]],
            [&json!("ada@example.com"), &json!("Ada Lovelace"), &json!("viewer"), &json!(provider.issuer())]
        );
        assert_eq!(here.deeds("operator"), ["user.logged_in", "user.joined"]);
        // The role is that of now, and a change of it ends what was before.
        provider.says(json!({"groups": ["hooks", "others"], "name": "Another"}));
        let mut again = Browser::new(here.address);
        provider.log_in(&mut again).leads_to("/dashboard");
        let all = users(&mut here);
        assert_eq!((all.len(), &all[0]["role"]), (1, &json!("operator")));
        assert!(again.is_in() && !browser.is_in());
        here.stop();
    }
}

#[test]
fn one_is_sent_on_to_where_one_wanted_to_go_and_not_away() {
    let provider = Provider::start();
    let here = start(&provider, &["@example.com = owner"]);
    for (next, lands) in
        [("/dashboard/you", "/dashboard/you"), ("https://evil.example/", "/dashboard"), ("//evil", "/dashboard")]
    {
        let mut browser = Browser::new(here.address);
        let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let asked = provider.asked(&mut browser, &format!("/dashboard/sign-on?next={next}"));
        let said = |name: &str| asked[name].as_str();
        assert_eq!([said("response_type"), said("client_id"), said("scope")], ["code", CLIENT, "openid email profile"]);
        assert_eq!([said("code_challenge_method"), said("tenant")], ["S256", "1"]);
        assert_eq!(said("redirect_uri"), format!("http://{}/dashboard/sign-on/back", here.address));
        let back = provider.lets_in(&asked);
        browser.get(&back).leads_to(lands);
    }
    here.stop();
}

#[test]
fn what_a_token_says_wrong_lets_nobody_in() {
    let provider = Provider::start();
    let mut here = start(&provider, &["@example.com = owner"]);
    let seconds = START / 1000;
    let wrong = [
        (json!({"nonce": "another"}), "another log-in"),
        (json!({"nonce": null}), "another log-in"),
        (json!({"aud": "somebody else"}), "is not believed"),
        (json!({"aud": [CLIENT, "somebody else"]}), "first for another"),
        (json!({"aud": [CLIENT, "somebody else"], "azp": "somebody else"}), "first for another"),
        (json!({"azp": "somebody else"}), "first for another"),
        (json!({"aud": null}), "is not believed"),
        (json!({"iss": "https://other.example"}), "is not believed"),
        (json!({"exp": seconds - 60}), "it is over"),
        (json!({"exp": null}), "is not believed"),
        (json!({"exp": "tomorrow"}), "is not believed"),
        (json!({"iat": seconds + 61}), "a time to come"),
        (json!({"nbf": seconds + 61}), "a time to come"),
        (json!({"sub": ""}), "subject"),
        (json!({"sub": "x".repeat(256)}), "subject"),
        (json!({"email_verified": false}), "does not say that an address is yours"),
        (json!({"email_verified": null}), "does not say that an address is yours"),
        (json!({"email": null}), "does not say that an address is yours"),
        (json!({"email": "eve@other.example"}), "no rule of oidc.allowed names it"),
        (json!({"email": "eve@example.com.evil"}), "no rule of oidc.allowed names it"),
    ];
    for (claims, words) in wrong {
        provider.says(claims.clone());
        let mut browser = Browser::new(here.address);
        let page = provider.log_in(&mut browser);
        assert!(
            matches!(page.status, 400 | 403) && page.text.contains(words),
            "{claims}: {} {}",
            page.status,
            page.text
        );
        assert!(!browser.is_in(), "{claims}");
    }
    assert!(users(&mut here).is_empty());
    provider.says(json!({"exp": seconds - 59, "email_verified": "true", "aud": [CLIENT]}));
    provider.log_in(&mut Browser::new(here.address)).leads_to("/dashboard");
    here.stop();
}

#[test]
fn what_the_token_does_not_say_the_provider_is_asked_for() {
    let provider = Provider::start();
    let mut here = start(&provider, &["group:hooks=operator"]);
    let says = |userinfo: Value| {
        let mut told = provider.told.lock().expect("no panic");
        told.discovery = json!({"userinfo_endpoint": format!("{}/userinfo", provider.issuer())});
        told.claims = json!({"email": null, "email_verified": null, "name": null});
        told.userinfo = userinfo;
    };
    for (userinfo, words) in [
        (json!({"sub": "subject-2", "email": "ada@example.com", "email_verified": true}), "somebody else"),
        (json!({"email": "ada@example.com", "email_verified": true}), "cannot be read"),
        (json!({"sub": "subject-1", "email": "ada@example.com"}), "does not say that an address is yours"),
        (json!({"sub": "subject-1", "email": "ada@example.com", "email_verified": true}), "no rule of oidc.allowed"),
    ] {
        says(userinfo);
        provider.log_in(&mut Browser::new(here.address)).refuses(403, words);
    }
    says(
        json!({"sub": "subject-1", "email": "ada@example.com", "email_verified": true, "name": "Ada", "groups": "hooks"}),
    );
    provider.log_in(&mut Browser::new(here.address)).leads_to("/dashboard");
    let all = users(&mut here);
    assert_eq!(
        [&all[0]["email"], &all[0]["name"], &all[0]["role"]],
        [&json!("ada@example.com"), &json!("Ada"), &json!("operator")]
    );
    here.stop();
}

#[test]
fn a_token_that_another_signed_lets_nobody_in() {
    let provider = Provider::start();
    let mut here = start(&provider, &["@example.com = owner"]);
    // The keys that are shown are known from here on.
    provider.log_in(&mut Browser::new(here.address)).leads_to("/dashboard");
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "HS256", "kid": "secret"}),
        json!({"alg": "HS256", "kid": "one"}),
        json!({"alg": "RS256", "kid": "one"}),
        json!({"alg": "ES384", "kid": "one"}),
        json!({"alg": "ES256", "kid": "strange"}),
        json!({"alg": "EdDSA"}),
    ] {
        provider.told.lock().expect("no panic").header = Some(header.clone());
        let mut browser = Browser::new(here.address);
        let page = provider.log_in(&mut browser);
        page.refuses(403, "is not believed");
        assert!(!browser.is_in(), "{header}");
    }
    provider.told.lock().expect("no panic").header = None;
    // Its own key by name, and another's signature.
    provider.told.lock().expect("no panic").signer = Signer::es256();
    provider.log_in(&mut Browser::new(here.address)).refuses(403, "is not believed");
    assert_eq!(users(&mut here).len(), 1);
    here.stop();
}

#[test]
fn a_new_key_is_asked_for_once_a_minute_at_most() {
    let provider = Provider::start();
    let here = start(&provider, &["@example.com = owner"]);
    let asked = || provider.told.lock().expect("no panic").keys_asked;
    let renew = |id| {
        let mut told = provider.told.lock().expect("no panic");
        (told.signer, told.key_id) = (Signer::eddsa(), id);
    };
    provider.log_in(&mut Browser::new(here.address)).leads_to("/dashboard");
    provider.log_in(&mut Browser::new(here.address)).leads_to("/dashboard");
    assert_eq!(asked(), 1, "they are kept");
    renew("two");
    provider.log_in(&mut Browser::new(here.address)).refuses(403, "a key that the provider does not show");
    assert_eq!(asked(), 1, "it was asked a moment ago");
    here.turn(60_000);
    provider.log_in(&mut Browser::new(here.address)).leads_to("/dashboard");
    assert_eq!(asked(), 2);
    renew("three");
    provider.log_in(&mut Browser::new(here.address)).refuses(403, "a key that the provider does not show");
    assert_eq!(asked(), 2);
    here.stop();
}

#[test]
fn what_comes_back_is_of_this_log_in_and_of_this_browser() {
    let provider = Provider::start();
    let here = start(&provider, &["@example.com = owner"]);
    let mut browser = Browser::new(here.address);
    let asked = provider.asked(&mut browser, "/dashboard/sign-on");
    let back = provider.lets_in(&asked);
    // In another browser, as by a link that somebody sends.
    let mut other = Browser::new(here.address);
    other.get(&back).refuses(403, "begun in another browser");
    provider.asked(&mut other, "/dashboard/sign-on");
    other.get(&back).refuses(403, "another log-in (state)");
    assert!(!other.is_in());
    let before = browser.clone();
    browser.get(&back).leads_to("/dashboard");
    // The same once more, by who has kept the cookie: the code is used up.
    let mut again = before.clone();
    again.get(&back).refuses(403, "the code is good no more");
    assert!(!again.is_in());
    for (query, words) in [
        ("", "another log-in (state)"),
        ("?error=access_denied&error_description=%3Cb%3Eno&state=STATE", "did not let you in: &lt;b&gt;no"),
        ("?state=STATE", "nothing came back"),
        ("?state=STATE&code=x&iss=https://other.example", "another provider"),
    ] {
        let mut browser = Browser::new(here.address);
        let asked = provider.asked(&mut browser, "/dashboard/sign-on");
        let path = format!("/dashboard/sign-on/back{}", query.replace("STATE", &asked["state"]));
        browser.get(&path).refuses(403, words);
        assert!(!browser.is_in() && !browser.cookies.contains_key("hookwheel-sign-on"), "{query}");
    }
    let mut late = Browser::new(here.address);
    let asked = provider.asked(&mut late, "/dashboard/sign-on");
    here.turn(10 * 60_000);
    let back = provider.lets_in(&asked);
    late.get(&back).refuses(403, "longer than ten minutes");
    here.stop();
}

#[test]
fn what_is_kept_on_the_way_is_bound_to_the_host_and_not_told_in_the_clear() {
    let provider = Provider::start();
    let here = start(&provider, &["@example.com = owner"]);
    let page = Browser::at(here.address, "https://hooks.example").get("/dashboard/sign-on");
    let cookie = page.cookies()[0].to_owned();
    assert!(cookie.starts_with("__Host-hookwheel-sign-on="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"), "{cookie}");
    assert!(page.location().contains("redirect_uri=https%3A%2F%2Fhooks.example%2Fdashboard%2Fsign-on%2Fback"));
    let mut clear = Browser::at(here.address, "http://hooks.example");
    clear.get("/dashboard/sign-on").refuses(403, "plain HTTP");
    clear.get("/dashboard/sign-on/back?code=x&state=y").refuses(403, "plain HTTP");
    here.stop();
}

#[test]
fn a_provider_that_says_something_else_of_itself_is_not_asked_further() {
    for (discovery, words) in [
        (json!({"issuer": "https://other.example"}), "its discovery document is of"),
        (json!({"token_endpoint": "http://id.example/token"}), "in the clear"),
        (json!({"jwks_uri": null}), "cannot be read"),
    ] {
        let provider = Provider::start();
        provider.told.lock().expect("no panic").discovery = discovery;
        let here = start(&provider, &["@example.com = owner"]);
        let mut browser = Browser::new(here.address);
        browser.get("/dashboard/sign-on").refuses(503, words);
        // Once it is mended, that is seen after a moment.
        provider.told.lock().expect("no panic").discovery = json!({});
        browser.get("/dashboard/sign-on").refuses(503, words);
        here.turn(2_000);
        provider.log_in(&mut browser).leads_to("/dashboard");
        here.stop();
    }
}

#[test]
fn nobody_takes_the_place_of_who_has_a_password_and_who_comes_by_a_provider_has_none() {
    let provider = Provider::start();
    let mut here = start(&provider, &["@example.com = owner"]);
    here.first();
    provider.says(json!({"email": "root@example.com"}));
    provider.log_in(&mut Browser::new(here.address)).refuses(403, "logs in by a password");
    provider.says(json!({}));
    let mut ada = Browser::new(here.address);
    provider.log_in(&mut ada).leads_to("/dashboard");
    // Nor does one get one: it would let one in when the provider does so no more.
    assert!(!ada.get("/dashboard/you").text.contains("name=\"password\""));
    let set = ada.submit("/dashboard/you", "/dashboard/you/password", &[("password", PASSWORD)]);
    set.refuses(409, "by the identity provider");
    ada.submit("/dashboard/you", "/dashboard/you/codes", &[]).refuses(409, "by the identity provider");
    let all = users(&mut here);
    let ada = all.iter().find(|user| user["email"] == "ada@example.com").expect("she is there");
    let id = ada["id"].as_str().expect("an id");
    Browser::new(here.address).log_in("ada@example.com", PASSWORD).refuses(401, "do not belong together");
    let mut client = crate::support::Client::new(here.address, crate::support::process::KEY).acting_for("operator");
    let refused = client.post(&format!("/api/v1/users/{id}/reset"), &json!({}));
    assert_eq!(refused.status, 409, "{}", String::from_utf8_lossy(&refused.message.body));
    // Who is not let in any more is not, whatever the provider says.
    client.request("PATCH", &format!("/api/v1/users/{id}"), br#"{"disabled": true}"#).data(200);
    provider.log_in(&mut Browser::new(here.address)).refuses(403, "may not log in any more");
    here.stop();
}

#[test]
fn an_owner_of_another_account_does_not_take_the_address_of_whom_a_rule_names() {
    let provider = Provider::start();
    let mut here = start(&provider, &["@example.com = viewer"]);
    here.client.post("/api/v1/accounts", &json!({"id": "acme", "name": "Acme"})).data(201);
    let (mut owner, _) = here.user("acme", "owner@acme.example", "owner");
    let people = "/dashboard/@acme/people";
    let squat = [("email", "ada@example.com"), ("role", "viewer")];
    owner.submit(people, people, &squat).refuses(400, "logs in by the identity provider");
    assert_eq!(owner.submit(people, people, &[("email", "ada@acme.example"), ("role", "viewer")]).status, 200);
    provider.log_in(&mut Browser::new(here.address)).leads_to("/dashboard");
    // The operator may.
    here.invited("acme", "bob@example.com", "viewer");
    here.stop();
}

#[test]
fn without_a_provider_there_is_no_button_and_no_way() {
    let here = Here::start();
    here.first();
    let mut browser = Browser::new(here.address);
    assert!(!browser.get("/dashboard/log-in").text.contains("sign-on"));
    browser.get("/dashboard/sign-on").refuses(404, "there is no such identity provider");
    here.stop();
}
