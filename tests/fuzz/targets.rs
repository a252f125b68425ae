//! What random input is thrown at: each target reads its input, and asserts what must hold whatever that is. The stable
//! harness beside this file and the crate in `cargo-fuzz` run the same functions.

use bytes::Bytes;
use hookwheel::api::fuzzing as api;
use hookwheel::dialect::{Dialect, Dialects, Numbers, Received, canonical, first_lost_number};
use hookwheel::docs::{self, Site};
use hookwheel::domain::secret::Secret;
use hookwheel::domain::time;
use hookwheel::store::fuzzing as store;

/// A reader of random input.
pub type Target = fn(&[u8]);

/// All targets by name, which is also that of their corpus.
pub const TARGETS: [(&str, Target); 6] = [
    ("dialect", dialect),
    ("events", events),
    ("signature", signature),
    ("retry_after", retry_after),
    ("cursor", cursor),
    ("record", record),
];

/// A dialect file: one that is taken can be documented.
pub fn dialect(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(dialect) = Dialect::parse("fuzzed.toml", text) {
        let site = Site { base_url: "https://example.com".into(), egress: Vec::new(), https_only: true };
        let document = docs::document(&dialect, &site);
        assert!(!document.to_html().is_empty() && !document.to_markdown().is_empty());
    }
}

/// The body of a publish: what is taken is JSON within the bounds, as it stands in the body.
pub fn events(input: &[u8]) {
    let Some((form, body)) = input.split_first() else { return };
    let body = Bytes::copy_from_slice(body);
    let Ok(events) = api::events(&body, form % 2 == 1) else { return };
    assert!((1..=1000).contains(&events.len()));
    for event in events {
        let parts = [Some(event.data), event.actor, event.metadata];
        for part in parts.into_iter().flatten() {
            assert!(body.windows(part.len()).any(|bytes| bytes == part), "it stands in the body");
            serde_json::from_slice::<&serde_json::value::RawValue>(&part).expect("what is kept is JSON");
            for numbers in [Numbers::Exact, Numbers::Js] {
                let (mut once, mut twice) = (Vec::new(), Vec::new());
                canonical(&part, numbers, &mut once);
                canonical(&once, numbers, &mut twice);
                assert_eq!(once, twice, "its canonical form is its own");
            }
            first_lost_number(&part);
        }
        assert!((1..=200).contains(&event.event_type.len()));
    }
}

/// A received request: nobody makes up a signature.
pub fn signature(input: &[u8]) {
    thread_local! {
        static SHIPPED: Dialects = Dialects::shipped();
    }
    let text = String::from_utf8_lossy(input);
    let (headers, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let header = |name: &str| {
        let mut lines = headers.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    // Any header that is not there is the whole text, so that every template is met.
    let any = |name: &str| header(name).or_else(|| Some(headers.to_owned()));
    SHIPPED.with(|shipped| {
        for dialect in shipped.iter() {
            let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
            for tolerance in [None, Some(300)] {
                let (url, body) = (Some("https://example.com/"), body.as_bytes());
                let received = Received { header: &any, url, body };
                let checked = dialect.verify(received, std::slice::from_ref(&secret), 1_700_000_000_000, tolerance);
                assert!(checked.is_err(), "{}", dialect.name);
                drop(dialect.verify(Received { header: &header, url, body }, &[], 0, tolerance));
            }
        }
    });
}

/// A `Retry-After`: seconds are never earlier than now.
pub fn retry_after(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for now in [0, 1_700_000_000_000, u64::MAX] {
        if let Some(at) = time::retry_after(&text, now) {
            let is_seconds = text.trim().bytes().all(|byte| byte.is_ascii_digit());
            assert!(!is_seconds || at >= now, "{text:?}");
        }
    }
    if let Some(at) = time::parse(&text) {
        assert_eq!(time::parse(&time::rfc3339(at)), Some(at), "{text:?}");
    }
}

/// A list's cursor: one that is taken is the one that would be given.
pub fn cursor(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(cursor) = api::cursor(&text) {
        assert_eq!(cursor.as_deref(), Some(&*text));
    }
}

/// A stored record: what can be read is written so that it reads the same.
pub fn record(input: &[u8]) {
    let Some((noun, bytes)) = input.split_first() else { return };
    if let Ok(again) = store::record(*noun, bytes) {
        assert_eq!(store::record(*noun, &again).expect("what was written can be read"), again);
    }
}
