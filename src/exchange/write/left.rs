//! What a document does not say. What stays true: a key of a file that is not known to be carried is told, so nothing is
//! left out in silence.

use crate::dialect::Dialect;

/// Keys that a document carries, in fields of its own or beside them.
const CARRIED: [&str; 17] = [
    "title",
    "description",
    "event_types",
    "timeout_seconds",
    "retries",
    "retry",
    "times",
    "success",
    "user_agent",
    "sample_actor",
    "secrets",
    "ids",
    "body",
    "envelope",
    "headers",
    "signature",
    "event",
];

/// Keys that it does not: they are no matter of what is sent.
const WORDS: [(&str, &str); 8] = [
    ("shape", "what is made of an event's data before it is sent; the document says what comes of it"),
    ("face", "the calls of the product's own API"),
    ("challenge", "what endpoints are asked before they get deliveries"),
    ("url_is_secret", "whether the URL of a webhook is a secret"),
    ("disable", "when failures disable a webhook"),
    ("limits", "what an account may ask for"),
    ("rate_limit", "how many requests an endpoint gets"),
    ("max_in_flight", "how many requests are under way at once"),
];

/// What of this contract no document says: the key of the file, and what it is about.
pub fn left_out(dialect: &Dialect) -> Vec<(String, &'static str)> {
    let table: toml::Table = dialect.source.parse().expect("a dialect was read from it");
    let words = |key: &str| WORDS.iter().find(|(known, _)| *known == key).map_or("a part of the contract", |(_, w)| *w);
    let keys = table.keys().filter(|key| !CARRIED.contains(&key.as_str()));
    keys.map(|key| (key.clone(), words(key))).collect()
}
