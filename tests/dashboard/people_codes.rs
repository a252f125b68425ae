//! The second factor: set up with a code, asked for when one logs in, each code and each recovery code taken once.

use totp_rs::{Algorithm, Builder, Secret};

use crate::browser::{Browser, Page};
use crate::here::{Here, PASSWORD};

/// What an app shows.
struct App(Secret);

impl App {
    fn of(shared: &str) -> Self {
        Self(Secret::try_from_base32(shared).expect("base 32"))
    }

    fn code(&self, here: &Here) -> String {
        let totp =
            Builder::new().with_algorithm(Algorithm::SHA1).with_secret(self.0.clone()).build().expect("it is one");
        totp.generate(here.clock.wall() / 1000).to_string()
    }
}

/// Sets one up; gives the app and the recovery codes.
fn set_up(here: &Here, browser: &mut Browser) -> (App, Vec<String>) {
    browser.submit("/dashboard/you", "/dashboard/you/codes", &[]).leads_to("/dashboard/you#codes");
    let page = browser.get("/dashboard/you");
    assert!(page.text.contains("<svg class=\"qr\""), "{}", page.text);
    let app = App::of(page.between("</svg><p><span class=\"copied\"><code>", "</code>"));
    let code = app.code(here);
    let said = [("code", code.as_str()), ("your_password", PASSWORD)];
    let confirmed = browser.submit("/dashboard/you", "/dashboard/you/codes/confirm", &said);
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    let codes = confirmed.between("<pre tabindex=\"0\"><code>", "</code>").lines().map(str::to_owned).collect();
    (app, codes)
}

fn send_code(browser: &mut Browser, code: &str) -> Page {
    let halfway = browser.log_in("root@example.com", PASSWORD);
    assert_eq!(halfway.status, 200, "{}", halfway.text);
    let proof = halfway.field("proof");
    browser.post("/dashboard/log-in/code", &[("proof", &proof), ("code", code)])
}

#[test]
fn a_code_is_asked_for_behind_the_password_and_taken_once() {
    let mut here = Here::start();
    let mut browser = here.first();
    browser.submit("/dashboard/you", "/dashboard/you/codes", &[]).leads_to("/dashboard/you#codes");
    let mut other = Browser::new(here.address);
    other.log_in("root@example.com", PASSWORD).leads_to("/dashboard");
    let said = [("code", "000000"), ("your_password", PASSWORD)];
    let wrong = browser.submit("/dashboard/you", "/dashboard/you/codes/confirm", &said);
    wrong.refuses(400, "is not the one that the app shows now");
    let (app, codes) = set_up(&here, &mut browser);
    assert_eq!(codes.len(), 10);
    assert!(browser.is_in() && !other.is_in(), "all other sessions end");

    let used = app.code(&here);
    other = Browser::new(here.address);
    let halfway = other.log_in("root@example.com", PASSWORD);
    assert_eq!(halfway.status, 200);
    assert!(other.cookies.is_empty(), "the password alone opens nothing");
    send_code(&mut other, &used).refuses(400, "was used before");
    here.turn(30_000);
    let code = app.code(&here);
    send_code(&mut other, &code).leads_to("/dashboard");
    assert!(other.is_in());
    send_code(&mut Browser::new(here.address), &code).refuses(400, "was used before");
    let deeds = here.deeds("operator");
    assert!(deeds.contains(&"user.second_factor_set_up".to_owned()), "{deeds:?}");
    here.stop();
}

#[test]
fn whoever_holds_a_session_alone_sets_up_no_second_factor() {
    let mut here = Here::start();
    let mut browser = here.first();
    browser.submit("/dashboard/you", "/dashboard/you/codes", &[]).leads_to("/dashboard/you#codes");
    let page = browser.get("/dashboard/you");
    let app = App::of(page.between("</svg><p><span class=\"copied\"><code>", "</code>"));
    let mut confirm = |password: &[(&str, &str)]| {
        let code = app.code(&here);
        let said = [&[("code", code.as_str())], password].concat();
        browser.submit("/dashboard/you", "/dashboard/you/codes/confirm", &said)
    };
    confirm(&[]).refuses(400, "is not your password");
    confirm(&[("your_password", "another password")]).refuses(400, "is not your password");
    Browser::new(here.address).log_in("root@example.com", PASSWORD).leads_to("/dashboard");
    // Guesses at it count as they do where one logs in, and one that was right forgets them.
    for _ in 0..5 {
        confirm(&[("your_password", "another password")]).refuses(400, "is not your password");
    }
    confirm(&[("your_password", PASSWORD)]).refuses(429, "not looked at");
    assert!(!here.deeds("operator").contains(&"user.second_factor_set_up".to_owned()));
    here.stop();
}

#[test]
fn a_recovery_code_lets_in_once_and_the_new_ones_replace_the_old() {
    let here = Here::start();
    let mut browser = here.first();
    let (app, codes) = set_up(&here, &mut browser);
    let mut other = Browser::new(here.address);
    send_code(&mut other, &codes[3].to_uppercase()).leads_to("/dashboard");
    send_code(&mut Browser::new(here.address), &codes[3]).refuses(400, "no recovery code that is left");
    assert!(other.get("/dashboard/you").text.contains("9 recovery codes are left"));
    here.turn(30_000);
    let renewed = browser.submit("/dashboard/you", "/dashboard/you/codes/renew", &[("code", &app.code(&here))]);
    assert!(renewed.status == 200 && !renewed.text.contains(&codes[0]), "{}", renewed.text);
    send_code(&mut Browser::new(here.address), &codes[0]).refuses(400, "no recovery code that is left");
    const GIVE_UP: &str = "/dashboard/you/codes/give-up";
    let page = browser.submit(GIVE_UP, GIVE_UP, &[("code", "123456"), ("your_password", PASSWORD)]);
    page.refuses(400, "is not the one that the app shows now");
    here.turn(30_000);
    let code = app.code(&here);
    let page = browser.submit(GIVE_UP, GIVE_UP, &[("code", &code), ("your_password", "another password")]);
    page.refuses(400, "is not your password");
    assert!(other.is_in(), "the code alone, which is not used up by that, ends nothing");
    browser
        .submit(GIVE_UP, GIVE_UP, &[("code", &code), ("your_password", PASSWORD)])
        .leads_to("/dashboard/you?said=no-codes");
    assert!(!other.is_in());
    other.log_in("root@example.com", PASSWORD).leads_to("/dashboard");
    here.stop();
}

#[test]
fn guesses_at_a_code_are_looked_at_later_and_later_and_a_proof_has_its_time() {
    let here = Here::start();
    let mut browser = here.first();
    let (app, _) = set_up(&here, &mut browser);
    let mut other = Browser::new(here.address);
    let proof = other.log_in("root@example.com", PASSWORD).field("proof");
    let mut send = |code: &str| other.post("/dashboard/log-in/code", &[("proof", &proof), ("code", code)]);
    for _ in 0..5 {
        send("000000").refuses(400, "is not the one");
    }
    here.turn(999);
    send(&app.code(&here)).refuses(429, "not looked at");
    here.turn(10 * 60_000);
    send(&app.code(&here)).refuses(401, "log in again");
    // Nobody makes up a proof.
    other.post("/dashboard/log-in/code", &[("proof", "AAAA"), ("code", "000000")]).refuses(401, "log in again");
    here.stop();
}
