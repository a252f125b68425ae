//! What endpoints are asked before they get deliveries. An endpoint that has answered once is asked again when its URL
//! changes, so it must be able to answer for as long as it is there.

use super::change::{Found, Kind, Number, Safe, Side};
use super::envelope::{Fate, Leaf, fates, leaves, said};
use crate::dialect::{AnswerSignature, ChallengeRule, Envelope, Template};
use crate::domain::time::TimeForm;

const TIMEOUT: Number = Number {
    side: Side::Receivers,
    key: "challenge.timeout_seconds",
    safe: Safe::Up,
    up: "endpoints have longer to answer",
    down: "an endpoint that needs longer does not pass",
};

pub(super) fn compare(
    found: &mut Found,
    (old, old_times): (Option<&ChallengeRule>, TimeForm),
    (new, new_times): (Option<&ChallengeRule>, TimeForm),
) {
    let (old, new) = match (old, new) {
        (None, None) => return,
        (None, Some(_)) => {
            let what = "an endpoint that does not answer it gets nothing";
            return found.breaking(Side::Receivers, Kind::Added, "challenge", what);
        }
        (Some(_), None) => {
            return found.compatible(Side::Receivers, Kind::Removed, "challenge", "endpoints are asked nothing");
        }
        (Some(old), Some(new)) => (old, new),
    };
    let ChallengeRule { method, query, send, expect, signature, forged_status, timeout_seconds } = old;
    let why = "an endpoint must take the question another way";
    let show = |method: &crate::domain::probe::Method| method.as_str().to_string();
    found.must_stay(Side::Receivers, "challenge.method", (method, &new.method), why, show);
    let parameters = |query: &[(String, Template)], times| -> Vec<Leaf> {
        query
            .iter()
            .map(|(name, value)| Leaf {
                path: name.clone(),
                says: said(value, times),
                varies: value.constant().is_none(),
                spreads: false,
            })
            .collect()
    };
    let of = |envelope: &Option<Envelope>, times| leaves(envelope.as_ref(), times);
    asked(found, "challenge.query", &parameters(query, old_times), &parameters(&new.query, new_times));
    asked(found, "challenge.send", &of(send, old_times), &of(&new.send, new_times));
    answered(found, &of(expect, old_times), &of(&new.expect, new_times));
    let show = |signature: &Option<AnswerSignature>| match signature {
        None => "none".to_string(),
        Some(AnswerSignature { algorithm, encoding }) => format!("{algorithm:?} in {encoding:?}").to_lowercase(),
    };
    // Whether there is one at all is a matter of what is expected.
    if signature.is_some() && new.signature.is_some() {
        let why = "an answer that is signed the old way is none";
        found.must_stay(Side::Receivers, "challenge.signature", (signature, &new.signature), why, show);
    }
    match (forged_status, new.forged_status) {
        (old, new) if *old == new => {}
        (Some(old), None) => {
            let what = format!("{old}: a wrong signature need not be refused");
            found.compatible(Side::Receivers, Kind::Removed, "challenge.forged_status", what);
        }
        (old, new) => {
            let kind = if old.is_none() { Kind::Added } else { Kind::Changed };
            let what = format!("{}: a wrong signature must be answered so", new.unwrap_or_default());
            found.breaking(Side::Receivers, kind, "challenge.forged_status", what);
        }
    }
    TIMEOUT.compare(found, Some((*timeout_seconds).into()), Some(new.timeout_seconds.into()));
}

/// What a question says: more does no harm.
fn asked(found: &mut Found, part: &str, old: &[Leaf], new: &[Leaf]) {
    for fate in fates(old, new) {
        note(found, part, &fate, matches!(fate, Fate::Added(_)));
    }
}

/// What an answer must say: less does no harm.
fn answered(found: &mut Found, old: &[Leaf], new: &[Leaf]) {
    for fate in fates(old, new) {
        note(found, "challenge.expect", &fate, matches!(fate, Fate::Removed(_)));
    }
}

fn note(found: &mut Found, part: &str, fate: &Fate<'_>, compatible: bool) {
    let (leaf, kind, what) = match fate {
        Fate::Added(leaf) => (leaf, Kind::Added, leaf.says.clone()),
        Fate::Removed(leaf) => (leaf, Kind::Removed, leaf.says.clone()),
        Fate::Moved(leaf, now) => (leaf, Kind::Renamed, format!("{} is {} now", leaf.path, now.path)),
        Fate::Changed(leaf, now) => (leaf, Kind::Changed, format!("{} → {}", leaf.says, now.says)),
    };
    let key = if leaf.path.is_empty() { part.to_string() } else { format!("{part}.{}", leaf.path) };
    found.put(Side::Receivers, kind, key, what, compatible);
}
