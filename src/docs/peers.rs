//! What the APIs of other webhook servers can do, and how it is done here: `peers.toml` as a page. What stays true: each of their
//! operations stands in one row, and a row names operations of ours or says why there is none.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::block::{Block, Document, Draft, Text, row};
use super::words;

/// The rows, and what they were read from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peers {
    /// The servers that are looked at.
    pub peer: Vec<Peer>,
    /// The rows, by what they are about.
    pub part: Vec<Part>,
    /// What can be done here and stands in no row.
    pub alone: Vec<Alone>,
}

/// A server that is looked at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Names its operations in rows; those that it calls internal stand under `KEY_internal`.
    pub key: String,
    /// As it is called.
    pub name: String,
    /// Where its document is that was read.
    pub repository: String,
    /// The state of it that was read.
    pub commit: String,
    /// The document in it.
    pub file: String,
    /// The version that the document says.
    pub version: String,
    /// When that state was made, such as `2026-08-21`.
    pub date: String,
    /// How many operations it has.
    pub operations: usize,
    /// How many of them it calls internal.
    #[serde(default)]
    pub internal: usize,
}

/// Rows about one thing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// What they are about.
    pub title: String,
    /// The rows.
    pub row: Vec<Row>,
}

/// What one does.
#[derive(Debug, Deserialize)]
pub struct Row {
    /// It, in a few words, as no other row has them.
    pub what: String,
    /// The ids of our operations for it.
    #[serde(default)]
    pub ours: Vec<String>,
    /// How it is done here, where that does not follow.
    pub how: Option<String>,
    /// Why there is none of ours.
    pub why: Option<String>,
    /// The ids of theirs, by the key of the peer.
    #[serde(flatten)]
    pub theirs: BTreeMap<String, Vec<String>>,
}

/// What can be done here only.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alone {
    /// What one does.
    pub what: String,
    /// The ids of our operations for it.
    pub ours: Vec<String>,
}

impl Peers {
    /// All that is known.
    pub fn known() -> Self {
        toml::from_str(include_str!("peers.toml")).expect("a test reads it")
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.part.iter().flat_map(|part| &part.row)
    }
}

impl Peer {
    /// The key of what it calls internal.
    pub fn internal_key(&self) -> String {
        format!("{}_internal", self.key)
    }
}

impl Row {
    fn of(&self, key: &str) -> &[String] {
        self.theirs.get(key).map_or(&[], Vec::as_slice)
    }
}

/// The page.
pub fn peers() -> Document {
    let peers = Peers::known();
    let names: Vec<&str> = peers.peer.iter().map(|peer| peer.name.as_str()).collect();
    let summary = format!("What the APIs of {} can do, and how it is done here.", words::list(&names));
    let mut draft = Draft::new("Beside other webhook servers", summary);
    let d = &mut draft;
    d.heading(2, "What was read");
    read(d, &peers);
    for part in &peers.part {
        let here: Vec<&Row> = part.row.iter().filter(|row| row.why.is_none()).collect();
        if !here.is_empty() {
            d.heading(2, part.title.as_str());
            let cells = here.iter().map(|row| row![row.what.as_str(), here_cell(row), who(&peers, row)]);
            d.table(part.title.as_str(), &["What one does", "Here", "Also in"], cells.collect());
            by_name(d, &peers, &here);
        }
    }
    d.heading(2, "What is not here, and why");
    let missing: Vec<&Row> = peers.rows().filter(|row| row.why.is_some()).collect();
    let cells =
        missing.iter().map(|row| row![row.what.as_str(), row.why.as_deref().unwrap_or_default(), who(&peers, row)]);
    d.table("What is not here", &["What one does", "Why not here", "In"], cells.collect());
    by_name(d, &peers, &missing);
    d.heading(2, "What is only here");
    let cells = peers.alone.iter().map(|one| row![one.what.as_str(), codes(&one.ours)]);
    d.table("What is only here", &["What one does", "Here"], cells.collect());
    draft.done()
}

fn read(draft: &mut Draft, peers: &Peers) {
    draft.say(
        Text::from("Each operation of these documents stands in one row below, and each of ours (")
            .link("/openapi.json", "/openapi.json")
            .and(
                ") in one or more, or at the end. A test does what each row says that can be done here. Names of operations \
                 are theirs; what a document calls internal serves its maker's own pages, and is told apart.",
            ),
    );
    let cells = peers.peer.iter().map(|peer| {
        let count = match peer.internal {
            0 => words::grouped(peer.operations as u64),
            internal => format!("{}, of which {internal} are internal", peer.operations),
        };
        let Peer { name, repository, commit, file, version, date, .. } = peer;
        let document = format!("`{file}` of `{repository}` at `{commit}` ({date})");
        row![name.as_str(), document, version.as_str(), count]
    });
    draft.table("What was read", &["Server", "Document", "Version", "Operations"], cells.collect());
}

/// Our operations, and how it is done with them.
fn here_cell(row: &Row) -> Text {
    match &row.how {
        Some(how) => codes(&row.ours).and(". ").and(how.as_str()),
        None => codes(&row.ours),
    }
}

fn codes(ids: &[String]) -> Text {
    let mut all = Text::default();
    for (n, id) in ids.iter().enumerate() {
        all = all.and(if n == 0 { "" } else { ", " }).and(Text::code(id.as_str()));
    }
    all
}

/// Which of them have it.
fn who(peers: &Peers, row: &Row) -> String {
    let names = peers.peer.iter().filter_map(|peer| {
        let only_internal = || (!row.of(&peer.internal_key()).is_empty()).then(|| format!("{} (internal)", peer.name));
        if row.of(&peer.key).is_empty() { only_internal() } else { Some(peer.name.clone()) }
    });
    names.collect::<Vec<_>>().join(", ")
}

/// The names of their operations, row by row.
fn by_name(draft: &mut Draft, peers: &Peers, rows: &[&Row]) {
    let items = rows.iter().map(|row| {
        let mut said = Text::from(row.what.as_str());
        let mut before = ": ";
        for peer in &peers.peer {
            for (key, word) in [(peer.key.clone(), ""), (peer.internal_key(), " (internal)")] {
                let ids = row.of(&key);
                if !ids.is_empty() {
                    said = said.and(format!("{before}{}{word} ", peer.name)).and(codes(ids));
                    before = "; ";
                }
            }
        }
        said
    });
    let list = Block::List { ordered: false, items: items.collect() };
    draft.details("Their operations by name", vec![list]);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_operation_of_theirs_stands_in_one_row() {
        let peers = Peers::known();
        for peer in &peers.peer {
            let mut rows_of = BTreeMap::<&str, Vec<&str>>::new();
            let mut internal = 0;
            for row in peers.rows() {
                internal += row.of(&peer.internal_key()).len();
                for id in row.of(&peer.key).iter().chain(row.of(&peer.internal_key())) {
                    rows_of.entry(id).or_default().push(&row.what);
                }
            }
            rows_of.iter().for_each(|(id, rows)| assert_eq!(rows.len(), 1, "{}: {id} stands in {rows:?}", peer.name));
            assert_eq!((rows_of.len(), internal), (peer.operations, peer.internal), "{}", peer.name);
        }
    }

    #[test]
    fn a_row_names_ours_or_says_why_there_is_none() {
        let peers = Peers::known();
        let keys: Vec<String> = peers.peer.iter().flat_map(|peer| [peer.key.clone(), peer.internal_key()]).collect();
        for row in peers.rows() {
            let what = &row.what;
            assert_eq!(row.ours.is_empty(), row.why.is_some(), "{what}");
            assert!(row.why.is_none() || row.how.is_none(), "{what}: how, where there is nothing?");
            assert!(!row.theirs.is_empty(), "{what}: nobody else has it");
            let stray = row.theirs.keys().find(|key| !keys.contains(key));
            assert_eq!(stray, None, "{what}: no peer has this key");
        }
    }
}
