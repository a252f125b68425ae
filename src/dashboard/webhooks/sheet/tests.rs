//! What forms say, and what becomes of it.

use super::*;
use crate::dashboard::webhooks::known::place_of;

fn posted(text: &str) -> Sheet {
    Sheet::read(&Fields::read(text.as_bytes()), &Sheet::default())
}

fn view() -> Map<String, Value> {
    let view = json!({
        "url": "https://a.example/", "events": ["b", "a"], "dialect": "standard", "mode": "push", "name": null,
        "headers": {"X-A": "1"}, "retry": {"delays": [5, 300, 3600], "jitter_percent": 10}, "timeout": 10,
        "disable": {"gone": true, "exhausted": false, "after": null, "failures": null, "consecutive_failures": 20,
            "failing_seconds": 86400, "probe_after_seconds": null},
        "auth": {"type": "basic", "username": "me", "password": true, "token": null}, "notices": null,
        "ownership_check": false, "test_mode": false, "tags": ["x"], "metadata": {"note": "two\nlines"},
        "tls": {"ca": null, "client_certificate": "PEM", "client_key": true},
    });
    let Value::Object(view) = view else { unreachable!("it is an object") };
    view
}

#[test]
fn a_form_that_nothing_was_changed_on_says_nothing() {
    let sheet = Sheet::of(&view());
    assert_eq!(sheet.changes(&sheet), Ok(Map::new()));
    assert_eq!(Sheet::from_json(&sheet.to_json()), Some(sheet.clone()), "it goes through a hidden field");
    assert_eq!((sheet.get("retry.delays"), sheet.get("disable.failing_seconds")), ("5s, 5m, 1h", "1d"));
    assert_eq!((sheet.get("events"), sheet.get("auth.password")), ("a\nb", ""));
}

#[test]
fn only_what_was_changed_is_said_and_null_is_what_was_taken_away() {
    let before = Sheet::of(&view());
    let change = |changes: &[(&'static str, &str)]| {
        let mut sheet = before.clone();
        changes.iter().for_each(|(name, text)| sheet.set(name, text));
        Value::Object(sheet.changes(&before).expect("a form"))
    };
    assert_eq!(change(&[("url", "https://b.example/")]), json!({"url": "https://b.example/"}));
    assert_eq!(change(&[("timeout", ""), ("tags", "")]), json!({"timeout": null, "tags": null}));
    let retry = json!({"retry": {"delays": [60, 7200], "jitter_percent": 10}});
    assert_eq!(change(&[("retry.delays", "1m 2h")]), retry);
    assert_eq!(change(&[("retry.delays", "")]), json!({"retry": null}));
    assert_eq!(change(&[("disable.is", "")]), json!({"disable": null}));
    assert_eq!(
        change(&[("disable.gone", ""), ("disable.failing_seconds", "")]),
        json!({"disable": {"consecutive_failures": 20}})
    );
    assert_eq!(change(&[("auth.username", "you")]), json!({"auth": {"type": "basic", "username": "you"}}));
    assert_eq!(
        change(&[("auth.type", "bearer"), ("auth.token", "t")]),
        json!({"auth": {"type": "bearer", "token": "t"}}),
        "what belongs to another way is left out"
    );
    assert_eq!(change(&[("auth.type", "")]), json!({"auth": null}));
    assert_eq!(change(&[("tls.ca", "PEM")]), json!({"tls": {"ca": "PEM"}}), "what is not said stays");
    assert_eq!(
        change(&[("tls.client_certificate", "")]),
        json!({"tls": {"client_certificate": null, "client_key": null}})
    );
    assert_eq!(change(&[("notices.on", "on")]), json!({"notices": {}}));
    assert_eq!(change(&[("metadata", "a: b")]), json!({"metadata": {"a": "b"}}));
}

#[test]
fn what_a_form_does_not_have_stays_as_it_was_but_for_boxes() {
    let before = Sheet::of(&view());
    let said = Sheet::read(&Fields::read(b"events=a%0Ab&name=New"), &before);
    let changes = said.changes(&before).expect("a form");
    let rule = json!({"consecutive_failures": 20, "failing_seconds": 86400});
    assert_eq!(Value::Object(changes), json!({"name": "New", "disable": rule}));
}

#[test]
fn a_new_webhook_says_what_was_written_only() {
    let said = posted("mode=push&url=https%3A%2F%2Fa.example%2F&dialect=standard&event=a.b&event=c&events=d.*%0D%0A");
    let changes = said.changes(&Sheet::blank("standard")).expect("a form");
    assert_eq!(Value::Object(changes), json!({"url": "https://a.example/", "events": ["a.b", "c", "d.*"]}));
    let pulled = posted("mode=pull&events=*&rate_limit.per_second=&ownership_check=on");
    let changes = pulled.changes(&Sheet::blank("")).expect("a form");
    assert_eq!(Value::Object(changes), json!({"mode": "pull", "events": ["*"], "ownership_check": true}));
}

#[test]
fn what_cannot_be_read_is_named_and_an_error_has_a_place() {
    let wrong = |text: &str| posted(text).changes(&Sheet::default()).expect_err("it is wrong").field;
    assert_eq!(wrong("timeout=soon"), "timeout");
    assert_eq!(wrong("rate_limit.per_second=1.5"), "rate_limit.per_second");
    assert_eq!(wrong("retry.delays=5x"), "retry.delays");
    assert_eq!(wrong("headers=no+colon"), "headers");
    assert_eq!(wrong("shape=%7B"), "shape");
    for (field, place) in [
        ("url", "url"),
        ("events[2]", "events"),
        ("headers.X-A", "headers"),
        ("retry.delays[0]", "retry.delays"),
        ("rate_limit", "rate_limit.per_second"),
        ("disable.failures", "disable.failures"),
        ("metadata.a.b", "metadata"),
    ] {
        assert_eq!(place_of(field), Some(place));
    }
    assert_eq!(place_of("enabled"), None);
}

#[test]
fn a_secret_is_not_shown_again() {
    let sheet = posted("secret=s&auth.type=bearer&auth.token=t&url=x").without_secrets();
    assert_eq!((sheet.get("secret"), sheet.get("auth.token"), sheet.get("url")), ("", "", "x"));
}
