//! One change, and how several are gathered.

use serde::Serialize;

/// Who is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Who gets deliveries.
    Receivers,
    /// Who calls the API: publishes events, manages webhooks.
    Callers,
}

/// What happened to a part of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It was not there before.
    Added,
    /// It is there no more.
    Removed,
    /// The same has another name or another place.
    Renamed,
    /// It is there, and otherwise.
    Changed,
}

/// A change of a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Whom it concerns.
    #[serde(rename = "for")]
    pub side: Side,
    /// What happened.
    pub kind: Kind,
    /// Which part, as the dialect file calls it, such as `envelope.data`.
    pub key: String,
    /// What it means, in a sentence.
    pub what: String,
    /// Whether all who were right before still are, without doing anything.
    pub compatible: bool,
}

/// The changes that were found, in the order of the file's keys.
#[derive(Debug, Default)]
pub(super) struct Found(pub Vec<Change>);

impl Found {
    /// Somebody who was right before is not any more.
    pub fn breaking(&mut self, side: Side, kind: Kind, key: impl Into<String>, what: impl Into<String>) {
        self.put(side, kind, key.into(), what.into(), false);
    }

    /// All who were right before still are.
    pub fn compatible(&mut self, side: Side, kind: Kind, key: impl Into<String>, what: impl Into<String>) {
        self.put(side, kind, key.into(), what.into(), true);
    }

    /// Notes a change.
    pub fn put(&mut self, side: Side, kind: Kind, key: String, what: String, compatible: bool) {
        self.0.push(Change { side, kind, key, what, compatible });
    }

    /// Notes that a value differs, if it does, where any difference breaks.
    pub fn must_stay<T: PartialEq>(
        &mut self,
        side: Side,
        key: &str,
        pair: (&T, &T),
        why: &str,
        show: impl Fn(&T) -> String,
    ) {
        if pair.0 != pair.1 {
            self.breaking(side, Kind::Changed, key, format!("{} → {}: {why}", show(pair.0), show(pair.1)));
        }
    }

    /// Notes that a text for people differs, if it does.
    pub fn words(&mut self, key: impl Into<String>, old: &str, new: &str) {
        if old != new {
            self.compatible(Side::Receivers, Kind::Changed, key, "said otherwise; nothing that is sent is");
        }
    }
}

/// Which way a number may move without harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Safe {
    /// More is better.
    Up,
    /// Less is better.
    Down,
    /// Either way somebody is worse off.
    Neither,
    /// It is no promise.
    Both,
}

/// A rule for a number: which way it may move, and what each way means.
#[derive(Debug)]
pub(super) struct Number {
    /// Whom it concerns.
    pub side: Side,
    /// As the file calls it.
    pub key: &'static str,
    /// Which way is safe.
    pub safe: Safe,
    /// What more of it means.
    pub up: &'static str,
    /// What less of it means.
    pub down: &'static str,
}

impl Number {
    /// Compares; `None` is no bound, which is more than any.
    pub fn compare(&self, found: &mut Found, old: Option<u64>, new: Option<u64>) {
        let worth = |n: Option<u64>| n.map_or(u128::MAX, u128::from);
        let is_up = match worth(new).cmp(&worth(old)) {
            std::cmp::Ordering::Equal => return,
            order => order.is_gt(),
        };
        let kind = match (old, new) {
            (None, _) => Kind::Added,
            (_, None) => Kind::Removed,
            _ => Kind::Changed,
        };
        let said = |n: Option<u64>| n.map_or("none".into(), |n| n.to_string());
        let compatible = match self.safe {
            Safe::Up => is_up,
            Safe::Down => !is_up,
            Safe::Neither => false,
            Safe::Both => true,
        };
        let means = if is_up { self.up } else { self.down };
        found.put(self.side, kind, self.key.into(), format!("{} → {}: {means}", said(old), said(new)), compatible);
    }
}
