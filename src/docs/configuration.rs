//! The page about the configuration: what a person wrote of it, and between that every key, from the table that the reader of the
//! file goes by. What stays true: a key is here if and only if the file may have it.

use super::block::{Document, Draft, Text, row};
use super::{guide, paths};

/// A key of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its section and its name, such as `server.listen`.
    pub name: String,
    /// What it is for, in sentences.
    pub meaning: String,
    /// What it may be, in words.
    pub takes: String,
    /// What it is where nobody sets it, as a file would have it; none where it is not set.
    pub default: Option<String>,
    /// Whether a running server takes a new value at SIGHUP; else it needs a restart.
    pub is_live: bool,
}

/// The name of the page in the guide.
pub(super) const NAME: &str = "configuration";

/// What a section is about, as its heading says.
const SECTIONS: &[(&str, &str)] = &[
    ("server", "The API"),
    ("store", "The store"),
    ("limits", "What one account may have"),
    ("retention", "How long things are kept"),
    ("deliver", "Deliveries"),
    ("smtp", "Mail"),
    ("auth", "The admin key"),
    ("log", "The log"),
    ("dashboard", "Dashboard and people"),
    ("metrics", "Metrics"),
    ("traces", "Traces"),
];

/// The page: the guide's first section, the keys, and the guide's other sections.
pub(super) fn page(keys: &[Key]) -> Document {
    let written = guide::page(NAME).expect("a test reads it");
    let mut draft = Draft::new(written.title, written.summary);
    draft.take(written.blocks);
    let mut sections: Vec<&str> = Vec::new();
    for section in keys.iter().map(section_of) {
        if !sections.contains(&section) {
            sections.push(section);
        }
    }
    for section in sections {
        let title = SECTIONS.iter().find(|(name, _)| *name == section).map_or(section, |(_, title)| title);
        draft.heading(2, Text::from(format!("{title}: `[{section}]`")));
        let rows = keys.iter().filter(|key| section_of(key) == section).map(|key| {
            let name = key.name.split_once('.').map_or(key.name.as_str(), |(_, name)| name);
            let default = key.default.as_ref().map_or(Text::from("nothing"), Text::code);
            let applied = if key.is_live { "SIGHUP" } else { "a restart" };
            row![Text::code(name), key.meaning.as_str(), key.takes.as_str(), default, applied]
        });
        draft.table(
            format!("Keys of [{section}]"),
            &["Key", "What it is for", "What it may be", "If left out", "Applied by"],
            rows.collect(),
        );
    }
    draft.say(
        Text::from("An admin sees what is in force at `GET /api/v1/settings`; dialect files have ")
            .link("keys of their own", paths::DIALECTS)
            .and("."),
    );
    draft.done()
}

fn section_of(key: &Key) -> &str {
    key.name.split('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_row_in_its_section() {
        let key = |name: &str, default: Option<&str>| Key {
            name: name.into(),
            meaning: "Why, and `what`.".into(),
            takes: "a whole number".into(),
            default: default.map(Into::into),
            is_live: default == Some("1"),
        };
        let page = page(&[key("server.listen", Some("1")), key("new.a_key", None), key("server.workers", Some("0"))]);
        let markdown = page.to_markdown();
        assert!(markdown.contains("## The API: `[server]`") && markdown.contains("## new: `[new]`"), "{markdown}");
        for row in
            ["| `listen` | Why, and `what`. | a whole number | `1` | SIGHUP |", "| `0` | a restart |", "| `a_key` |"]
        {
            assert!(markdown.contains(row), "{row}: {markdown}");
        }
        assert!(markdown.contains("nothing | a restart |\n"));
    }
}
