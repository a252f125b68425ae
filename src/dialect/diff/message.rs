//! What is sent: body, headers, signatures. A receiver that is written well passes over what it does not know, so what
//! comes beside the rest breaks nobody; everything else that differs does.

use super::change::{Found, Kind, Side};
use super::envelope::{Fate, Leaf, fates, leaves, reordered, said};
use crate::dialect::{
    Algorithm, BodyFormat, BodyRule, ContentType, Dialect, Encoding, Envelope, HeaderKey, HeaderRule, JsonForm,
    Numbers, Placeholder, SignatureRule, Template, UserAgent,
};
use crate::domain::shape::Shape;
use crate::domain::time::TimeForm;

/// All templates that are sent or signed.
pub(super) struct Message<'d>(Vec<&'d Template>);

impl<'d> Message<'d> {
    pub fn of(dialect: &'d Dialect) -> Self {
        let mut templates = dialect.envelope.templates();
        templates.extend(dialect.headers.iter().map(|rule| &rule.value));
        for rule in &dialect.signature {
            templates.extend([&rule.signed, &rule.value].into_iter().chain(&rule.before).chain(&rule.ed25519));
        }
        if let Some(rule) = &dialect.challenge {
            templates.extend(rule.query.iter().map(|(_, value)| value));
            templates.extend(rule.send.iter().flat_map(Envelope::templates));
        }
        Self(templates)
    }

    fn has(&self, is_one: impl Fn(&Placeholder) -> bool) -> bool {
        self.0.iter().any(|template| template.slots().any(&is_one))
    }

    /// Whether the id of such a thing is sent in the dialect's form.
    pub fn has_id(&self, kind: &str) -> bool {
        self.has(|slot| match slot {
            Placeholder::WebhookId => kind == "webhook",
            Placeholder::EventId => kind == "event",
            Placeholder::DeliveryId | Placeholder::AttemptId => kind == "delivery",
            _ => false,
        })
    }

    /// Whether a time is sent in the dialect's own form.
    pub fn has_own_time(&self) -> bool {
        self.has(|slot| matches!(slot, Placeholder::EventTime | Placeholder::AttemptTime))
    }
}

/// How the body is written.
pub(super) fn body(found: &mut Found, old: &BodyRule, new: &BodyRule, types: [&ContentType; 2]) {
    // The content type is compared as it is sent, since a format has one of its own.
    let BodyRule { format, content_type: _, json, numbers } = old;
    let show = |format: &BodyFormat| match format {
        BodyFormat::Json => "json".to_string(),
        BodyFormat::Form => "form".to_string(),
    };
    found.must_stay(Side::Receivers, "body.format", (format, &new.format), "no receiver reads it the old way", show);
    let [old_type, new_type] = types.map(ContentType::as_str);
    if old_type != new_type {
        let essence = |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let same = essence(old_type) == essence(new_type);
        let why = if same { "only its parameters differ" } else { "who reads by the type does not read it" };
        let what = format!("{old_type} → {new_type}: {why}");
        found.put(Side::Receivers, Kind::Changed, "body.content_type".into(), what, same);
    }
    match (json, new.json) {
        (JsonForm::Verbatim, JsonForm::Canonical) => {
            let what = "verbatim → canonical: the same JSON, written as JavaScript writes it";
            found.compatible(Side::Receivers, Kind::Changed, "body.json", what);
        }
        (JsonForm::Canonical, JsonForm::Verbatim) => {
            let what = "canonical → verbatim: a receiver that verifies what it has parsed and written again fails";
            found.breaking(Side::Receivers, Kind::Changed, "body.json", what);
        }
        _ => {}
    }
    self::numbers(found, *numbers, new.numbers);
}

/// What is made of an event's data. What becomes of the documented types is told with each of them; of others nobody knows what
/// receivers read.
pub(super) fn shape(found: &mut Found, old: Option<&Shape>, new: Option<&Shape>) {
    let (kind, why) = match (old, new) {
        (old, new) if old == new => return,
        (None, _) => {
            (Kind::Added, "data is sent otherwise than it is published: a receiver may not find what it reads")
        }
        (_, None) => (Kind::Removed, "data is sent as it is published: a receiver may not find what it reads"),
        _ => (Kind::Changed, "other data is sent: a receiver may not find what it reads"),
    };
    found.breaking(Side::Receivers, kind, "shape", why);
}

fn numbers(found: &mut Found, old: Numbers, new: Numbers) {
    if old == new {
        return;
    }
    let (side, compatible, why) = match (old, new) {
        (_, Numbers::Refuse) => (Side::Callers, false, "an event with a number that JavaScript cannot hold is refused"),
        (Numbers::Refuse, _) => (Side::Callers, true, "events with numbers that JavaScript cannot hold are taken"),
        (_, Numbers::Js) => (Side::Receivers, false, "numbers that JavaScript cannot hold become others"),
        (_, Numbers::Exact) => (Side::Receivers, false, "numbers that JavaScript cannot hold come as they are"),
    };
    let what = format!("{old:?} → {new:?}: {why}");
    found.put(side, Kind::Changed, "body.numbers".into(), what.to_string(), compatible);
}

/// What the body says.
pub(super) fn envelope(
    found: &mut Found,
    (old, old_times): (&Envelope, TimeForm),
    (new, new_times): (&Envelope, TimeForm),
) {
    let (old, new) = (leaves(Some(old), old_times), leaves(Some(new), new_times));
    let key =
        |leaf: &Leaf| if leaf.path.is_empty() { "envelope".to_string() } else { format!("envelope.{}", leaf.path) };
    let place = |leaf: &Leaf| if leaf.path.is_empty() { "the whole body".to_string() } else { leaf.path.clone() };
    tell_fates(found, (&old, &new), key, place);
    if reordered(&old, &new) {
        // What is spread replaces fields before it, and is replaced by fields after it.
        let spread = old.iter().chain(&new).any(|leaf| leaf.spreads);
        let what = if spread {
            "fields stand in another order, and so replace each other otherwise where what is spread has the same names"
        } else {
            "fields stand in another order, which means nothing in JSON"
        };
        found.put(Side::Receivers, Kind::Changed, "envelope".into(), what.into(), !spread);
    }
}

/// Tells what became of each fact that receivers read: `key` names it, and `place` says where it stands.
fn tell_fates(
    found: &mut Found,
    (old, new): (&[Leaf], &[Leaf]),
    key: impl Fn(&Leaf) -> String,
    place: impl Fn(&Leaf) -> String,
) {
    for fate in fates(old, new) {
        match fate {
            Fate::Added(leaf) => {
                let what = format!("{}, which nobody has to read", leaf.says);
                found.compatible(Side::Receivers, Kind::Added, key(leaf), what);
            }
            Fate::Removed(leaf) => {
                let what = format!("{}: a receiver that reads it finds nothing", leaf.says);
                found.breaking(Side::Receivers, Kind::Removed, key(leaf), what);
            }
            Fate::Moved(leaf, now) => {
                let what = format!("{} is {} now", leaf.says, place(now));
                found.breaking(Side::Receivers, Kind::Renamed, key(leaf), what);
            }
            Fate::Changed(leaf, now) => {
                let what = format!("{} → {}", leaf.says, now.says);
                found.breaking(Side::Receivers, Kind::Changed, key(leaf), what);
            }
        }
    }
}

/// The program that says it sends.
pub(super) fn user_agent(found: &mut Found, old: &UserAgent, new: &UserAgent) {
    let (old, new) = (old.as_str(), new.as_str());
    if old != new {
        let product = |text: &str| text.split(['/', ' ']).next().unwrap_or_default().to_string();
        let same = product(old) == product(new);
        let why = if same { "the same product" } else { "who lets requests in by it does so no more" };
        let what = format!("{old} → {new}: {why}");
        found.put(Side::Receivers, Kind::Changed, "user_agent".into(), what, same);
    }
}

/// The headers beside those of signatures. Their order means nothing in HTTP.
pub(super) fn headers(
    found: &mut Found,
    (old, old_times): (&[HeaderRule], TimeForm),
    (new, new_times): (&[HeaderRule], TimeForm),
) {
    let row = |rule: &HeaderRule, times| {
        // What is constant is so in the value already.
        let HeaderRule { key, value, constant: _ } = rule;
        let path = key.name.as_str().to_string();
        let leaf = Leaf { path, says: said(value, times), varies: value.constant().is_none(), spreads: false };
        (leaf, key.clone())
    };
    let rows =
        |rules: &[HeaderRule], times| -> Vec<(Leaf, HeaderKey)> { rules.iter().map(|rule| row(rule, times)).collect() };
    let (old, new) = (rows(old, old_times), rows(new, new_times));
    let spelled = |leaf: &Leaf| {
        let known = old.iter().chain(&new).find(|(other, _)| other == leaf);
        known.map_or_else(|| leaf.path.clone(), |(_, key)| key.spelled.clone())
    };
    let key = |leaf: &Leaf| format!("headers.{}", spelled(leaf));
    let bare = |rows: &[(Leaf, HeaderKey)]| -> Vec<Leaf> { rows.iter().map(|(leaf, _)| leaf.clone()).collect() };
    let (old_leaves, new_leaves) = (bare(&old), bare(&new));
    tell_fates(found, (&old_leaves, &new_leaves), key, |leaf| format!("in {}", spelled(leaf)));
    for (leaf, key) in &old {
        let now = new.iter().find(|(other, _)| other.path == leaf.path).filter(|(_, now)| now.spelled != key.spelled);
        if let Some((_, now)) = now {
            let what = format!("{} now; HTTP does not tell upper from lower case", now.spelled);
            found.compatible(Side::Receivers, Kind::Changed, format!("headers.{}", key.spelled), what);
        }
    }
}

/// How requests are signed: each proof by the header that carries it.
pub(super) fn signatures(
    found: &mut Found,
    (old, old_times): (&[SignatureRule], TimeForm),
    (new, new_times): (&[SignatureRule], TimeForm),
) {
    let place = |rule: &SignatureRule| rule.header.as_ref().map_or("in the body".into(), |key| key.spelled.clone());
    let key = |rule: &SignatureRule| format!("signature ({})", place(rule));
    let name = |rule: &SignatureRule| rule.header.as_ref().map(|key| key.name.clone());
    let mut came: Vec<&SignatureRule> =
        new.iter().filter(|rule| !old.iter().any(|known| name(known) == name(rule))).collect();
    for rule in old {
        if let Some(now) = new.iter().find(|now| name(now) == name(rule)) {
            signature(found, &key(rule), Rule::of(rule, old_times), Rule::of(now, new_times));
            continue;
        }
        match came.iter().position(|now| Rule::of(now, new_times) == Rule::of(rule, old_times)) {
            Some(n) => {
                let what = format!("it is {} now", place(came.remove(n)));
                found.breaking(Side::Receivers, Kind::Renamed, key(rule), what);
            }
            None => {
                let what = "a receiver that verifies it finds nothing";
                found.breaking(Side::Receivers, Kind::Removed, key(rule), what);
            }
        }
    }
    for rule in came {
        found.compatible(Side::Receivers, Kind::Added, key(rule), "another proof, which nobody has to look at");
    }
}

/// A rule without its place, as a receiver has to know it.
#[derive(PartialEq)]
struct Rule {
    algorithm: Algorithm,
    encoding: Encoding,
    signed: String,
    before: Option<String>,
    value: String,
    ed25519: Option<String>,
    several: Option<String>,
}

impl Rule {
    fn of(rule: &SignatureRule, times: TimeForm) -> Self {
        let SignatureRule { header: _, algorithm, encoding, signed, before, value, ed25519, several } = rule;
        let said = |template: &Template| said(template, times);
        Self {
            algorithm: *algorithm,
            encoding: *encoding,
            signed: said(signed),
            before: before.as_ref().map(said),
            value: said(value),
            ed25519: ed25519.as_ref().map(said),
            several: several.clone(),
        }
    }
}

fn signature(found: &mut Found, key: &str, old: Rule, new: Rule) {
    let Rule { algorithm, encoding, signed, before, value, ed25519, several } = old;
    let word = |text: &str| text.to_lowercase();
    let text = |text: &Option<String>| text.clone().unwrap_or("none".into());
    let rows: [(&str, String, String); 6] = [
        ("algorithm", word(&format!("{algorithm:?}")), word(&format!("{:?}", new.algorithm))),
        ("encoding", word(&format!("{encoding:?}")), word(&format!("{:?}", new.encoding))),
        ("signed", signed, new.signed),
        ("before", text(&before), text(&new.before)),
        ("value", value, new.value),
        ("several", format!("{several:?}"), format!("{:?}", new.several)),
    ];
    for (part, old, new) in rows {
        let why = "who verifies the old way refuses what comes";
        found.must_stay(Side::Receivers, &format!("{key}.{part}"), (&old, &new), why, String::clone);
    }
    match (&ed25519, &new.ed25519) {
        // Only webhooks with a key pair get it, and there were none.
        (None, Some(form)) => found.compatible(Side::Receivers, Kind::Added, format!("{key}.ed25519"), form.clone()),
        (old, new) => {
            let why = "who verifies with a public key refuses what comes";
            found.must_stay(Side::Receivers, &format!("{key}.ed25519"), (old, new), why, text);
        }
    }
}
