//! What a pass over the rows has met, told in as many findings as there are kinds: however much is wrong, it takes little memory.

use std::collections::BTreeMap;

use super::kind::Kind;
use crate::domain::finding::{Finding, PLACES_MAX};
use crate::store::layout::{Key, Tree};

/// A change that mends something: a key and its new value, or `None` to remove it.
pub type Change = (Tree, Key, Option<Vec<u8>>);

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What.
    pub kind: Kind,
    /// In which tree.
    pub tree: Tree,
    /// At which key.
    pub key: Key,
    /// What more is known of it.
    pub why: Option<String>,
    /// What mends it; nothing where it cannot be built from other rows.
    pub mend: Vec<Change>,
}

impl Wrong {
    /// Of the row at this key.
    pub fn of(kind: Kind, tree: Tree, key: &[u8]) -> Self {
        Self { kind, tree, key: key.to_vec(), why: None, mend: Vec::new() }
    }

    /// The same, and why.
    pub fn since(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }

    /// The same, and what mends it.
    pub fn mended_by(self, mend: impl IntoIterator<Item = Change>) -> Self {
        Self { mend: mend.into_iter().collect(), ..self }
    }
}

/// All that was met.
#[derive(Debug, Default)]
pub struct Noted(BTreeMap<(Kind, Tree), (u64, Vec<String>)>);

impl Noted {
    /// Something was met.
    pub fn note(&mut self, wrong: &Wrong) {
        let (count, places) = self.0.entry((wrong.kind, wrong.tree)).or_default();
        *count += 1;
        if places.len() < PLACES_MAX {
            places.push(place(wrong));
        }
    }

    /// A finding for each kind in each tree.
    pub fn findings(self) -> impl Iterator<Item = Finding> {
        self.0.into_iter().map(|((kind, tree), (count, places))| {
            let told = kind.told();
            let what = format!("{} ({})", told.what, tree.name());
            Finding { count, places, ..Finding::new(told.severity, told.check, what, told.remedy) }
        })
    }
}

fn place(Wrong { tree, key, why, .. }: &Wrong) -> String {
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let why = why.as_ref().map_or(String::new(), |why| format!(": {why}"));
    format!("{} {key}{why}", tree.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_often_it_is_met_it_is_one_finding_with_a_few_places() {
        let mut noted = Noted::default();
        (0..100).for_each(|n| noted.note(&Wrong::of(Kind::DueLost, Tree::Waiting, &[n])));
        noted.note(&Wrong::of(Kind::Row, Tree::Closed, &[7]).since("torn"));
        let all: Vec<_> = noted.findings().collect();
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].count, all[0].places.as_slice()), (1, ["closed 07: torn".to_string()].as_slice()));
        assert_eq!((all[1].count, all[1].places.len()), (100, PLACES_MAX));
    }
}
