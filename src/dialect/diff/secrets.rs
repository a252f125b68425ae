//! What secrets look like: whether those that both sides have still work, and whether those that callers choose are still
//! taken.

use super::change::{Found, Kind, Number, Safe, Side};
use crate::dialect::{KeyForm, PairRule, PublicForm, SecretRule};

const BYTES_MIN: Number = Number {
    side: Side::Callers,
    key: "secrets.bytes_min",
    safe: Safe::Down,
    up: "a call with a shorter secret is refused",
    down: "shorter secrets are taken too",
};
const BYTES_MAX: Number = Number {
    side: Side::Callers,
    key: "secrets.bytes_max",
    safe: Safe::Up,
    up: "longer secrets are taken too",
    down: "a call with a longer secret is refused",
};
const WARN_BELOW: Number = Number {
    side: Side::Callers,
    key: "secrets.warn_below_bytes",
    safe: Safe::Both,
    up: "more secrets are taken with a warning",
    down: "fewer secrets are taken with a warning",
};

/// Whether URLs are shown to everybody who reads.
pub(super) fn url(found: &mut Found, old: bool, new: bool) {
    match (old, new) {
        (false, true) => {
            let what = "keys that may not manage see only the host of a URL";
            found.breaking(Side::Callers, Kind::Changed, "url_is_secret", what);
        }
        (true, false) => {
            let what = "every key that reads sees whole URLs";
            found.compatible(Side::Callers, Kind::Changed, "url_is_secret", what);
        }
        _ => {}
    }
}

pub(super) fn compare(found: &mut Found, old: &SecretRule, new: &SecretRule) {
    // Which kind of pair it is follows from the signatures.
    let SecretRule { key, public, pair: _, prefix, bytes_min, bytes_max, warn_below_bytes, ed25519 } = old;
    let form = |form: &KeyForm| match form {
        KeyForm::Utf8 => "utf8".to_string(),
        KeyForm::Base64 => "base64".to_string(),
        KeyForm::Pkcs8 => "pkcs8".to_string(),
    };
    let why = "the same secret gives another key, so nothing verifies";
    found.must_stay(Side::Receivers, "secrets.key", (key, &new.key), why, form);
    let form = |form: &PublicForm| match form {
        PublicForm::Pem => "pem".to_string(),
        PublicForm::Base64 => "base64".to_string(),
        PublicForm::Hex => "hex".to_string(),
    };
    let why = "public keys are given in another form";
    found.must_stay(Side::Receivers, "secrets.public", (public, &new.public), why, form);
    if prefix != &new.prefix {
        let what = format!("{prefix:?} → {:?}", new.prefix);
        match new.key {
            KeyForm::Base64 => {
                let what = format!("{what}: it is no part of the key, so who takes off the old one cannot verify");
                found.breaking(Side::Receivers, Kind::Changed, "secrets.prefix", what);
            }
            KeyForm::Utf8 | KeyForm::Pkcs8 => {
                let what = format!("{what}: generated secrets begin otherwise; all of the text is the key as before");
                found.compatible(Side::Receivers, Kind::Changed, "secrets.prefix", what);
            }
        }
    }
    let bytes = |n: Option<usize>| n.map(|n| n as u64);
    // What is not stated where there are pairs only bounds nothing from below.
    BYTES_MIN.compare(found, bytes(*bytes_min).or(Some(0)), bytes(new.bytes_min).or(Some(0)));
    BYTES_MAX.compare(found, bytes(*bytes_max), bytes(new.bytes_max));
    WARN_BELOW.compare(found, Some(*warn_below_bytes as u64), Some(new.warn_below_bytes as u64));
    pairs(found, ed25519.as_ref(), new.ed25519.as_ref());
}

fn pairs(found: &mut Found, old: Option<&PairRule>, new: Option<&PairRule>) {
    const KEY: &str = "secrets.ed25519";
    match (old, new) {
        (None, None) => {}
        (None, Some(_)) => {
            found.compatible(
                Side::Receivers,
                Kind::Added,
                KEY,
                "a webhook can have a key pair in the place of a secret",
            );
        }
        (Some(_), None) => {
            found.breaking(
                Side::Receivers,
                Kind::Removed,
                KEY,
                "webhooks that have a key pair are not signed any more",
            );
        }
        (Some(PairRule { prefix, public_prefix }), Some(new)) => {
            let show = |text: &String| format!("{text:?}");
            let key = "secrets.ed25519.prefix";
            found.must_stay(
                Side::Receivers,
                key,
                (prefix, &new.prefix),
                "private keys that there are are not read",
                show,
            );
            let (key, why) = ("secrets.ed25519.public_prefix", "public keys are given in another form");
            found.must_stay(Side::Receivers, key, (public_prefix, &new.public_prefix), why, show);
        }
    }
}
