//! Bodies as lists of their leaves, so that two can be compared, and what became of each leaf. What stays true: two envelopes that write the same
//! have the same leaves, however their files say it.

use crate::dialect::{Envelope, Member, Moment, Part, Placeholder, Template};
use crate::domain::time::TimeForm;

/// A value of a body that has no others inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    /// Where it is, such as `metadata.account_id`; empty: it is all there is.
    pub path: String,
    /// What it says, as a file writes it, with times in the form that they have.
    pub says: String,
    /// Whether more than one value can be meant by it.
    pub varies: bool,
    /// Whether it stands for all fields of an object.
    pub spreads: bool,
}

/// What became of a leaf.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate<'a> {
    Added(&'a Leaf),
    Removed(&'a Leaf),
    /// The same value stands elsewhere.
    Moved(&'a Leaf, &'a Leaf),
    Changed(&'a Leaf, &'a Leaf),
}

/// The leaves in order; none where there is no envelope.
pub(super) fn leaves(envelope: Option<&Envelope>, times: TimeForm) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    if let Some(envelope) = envelope {
        walk(envelope, "", times, &mut leaves);
    }
    leaves
}

fn walk(envelope: &Envelope, path: &str, times: TimeForm, out: &mut Vec<Leaf>) {
    let leaf = |says: String, varies, spreads| Leaf { path: path.to_string(), says, varies, spreads };
    match envelope {
        Envelope::Text(template) => out.push(leaf(said(template, times), template.constant().is_none(), false)),
        Envelope::Constant(text) => out.push(leaf(text.clone(), false, false)),
        Envelope::Array(items) if items.is_empty() => out.push(leaf("[]".into(), false, false)),
        Envelope::Object(members) if members.is_empty() => out.push(leaf("{}".into(), false, false)),
        Envelope::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| walk(item, &format!("{path}[{n}]"), times, out));
        }
        Envelope::Object(members) => {
            for member in members {
                match member {
                    Member::Field(name, value) => walk(value, &under(path, name), times, out),
                    Member::Spread(slot) => {
                        let (path, says) = (under(path, "..."), slot.to_string());
                        out.push(Leaf { path, says, varies: true, spreads: true });
                    }
                }
            }
        }
    }
}

fn under(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

/// A template as text, each time in the form that it is written in: the dialect's own is named. Text has quotes.
pub(super) fn said(template: &Template, times: TimeForm) -> String {
    if let Some(text) = template.constant() {
        return format!("{text:?}");
    }
    let only = template.only().is_some() && template.alone().is_none();
    let mut text: String = template
        .parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Slot(slot) => in_full(slot, times).to_string(),
        })
        .collect();
    if only {
        text.insert_str(text.len() - 1, ":text");
    }
    text
}

fn in_full(slot: &Placeholder, times: TimeForm) -> Placeholder {
    match (slot, times) {
        (Placeholder::EventTime, TimeForm::Unix) => Placeholder::EventUnix,
        (Placeholder::AttemptTime, TimeForm::Unix) => Placeholder::AttemptUnix,
        (Placeholder::EventTime, form) => Placeholder::TimeAs(Moment::Event, form),
        (Placeholder::AttemptTime, form) => Placeholder::TimeAs(Moment::Attempt, form),
        (other, _) => other.clone(),
    }
}

/// What became of each leaf, in the order of the old ones; then what came.
pub(super) fn fates<'a>(old: &'a [Leaf], new: &'a [Leaf]) -> Vec<Fate<'a>> {
    let at = |leaves: &'a [Leaf], path: &str| leaves.iter().find(|leaf| leaf.path == path);
    let mut came: Vec<&Leaf> = new.iter().filter(|leaf| at(old, &leaf.path).is_none()).collect();
    let mut fates = Vec::new();
    for leaf in old {
        if let Some(now) = at(new, &leaf.path) {
            if now.says != leaf.says {
                fates.push(Fate::Changed(leaf, now));
            }
            continue;
        }
        match came.iter().position(|other| leaf.varies && other.says == leaf.says) {
            Some(n) => fates.push(Fate::Moved(leaf, came.remove(n))),
            None => fates.push(Fate::Removed(leaf)),
        }
    }
    fates.extend(came.into_iter().map(Fate::Added));
    fates
}

/// Whether those that both have stand in another order.
pub(super) fn reordered(old: &[Leaf], new: &[Leaf]) -> bool {
    let common = |leaves: &[Leaf], other: &[Leaf]| -> Vec<String> {
        let both = leaves.iter().filter(|leaf| other.iter().any(|known| known.path == leaf.path));
        both.map(|leaf| leaf.path.clone()).collect()
    };
    common(old, new) != common(new, old)
}
