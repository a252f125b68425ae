//! The search: what each page says, as an index that a small script reads, and that the server searches where there are no scripts.
//! What stays true: both find a page by the beginnings of its words, and every word that is asked for must be on it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::block::{Block, Card, Document, Draft, Text};
use super::page::Page;
use super::{map, paths};

/// Words that are on every page, and tell nothing.
const EMPTY: &[&str] = &[
    "and", "are", "but", "for", "has", "have", "its", "not", "that", "the", "their", "there", "they", "this", "was",
    "what", "when", "where", "which", "who", "with", "all", "any", "can", "does", "from", "into", "one", "than",
    "then", "them", "these", "will",
];
/// Shorter words are not looked up by what a page says, only by its title.
const LETTERS_MIN: usize = 3;
/// What is longer is cut.
const ASKED_MAX: usize = 100;
/// More is not shown.
const FOUND_MAX: usize = 30;

/// What is known of all pages.
#[derive(Debug, Clone, Default)]
pub struct Index {
    entries: Vec<Entry>,
}

/// What is known of a page.
#[derive(Debug, Clone)]
struct Entry {
    address: String,
    title: String,
    under: String,
    headings: Vec<(String, String)>,
    words: BTreeSet<String>,
}

/// A page that was found: how good it is, and the heading that says it all.
type Found<'a> = (usize, &'a Entry, Option<&'a (String, String)>);

impl Index {
    /// Adds a page.
    pub(super) fn add(&mut self, page: &Page) {
        let headings = page.document.blocks.iter().filter_map(|block| match block {
            Block::Heading { id, text, .. } => Some((id.clone(), text.plain())),
            _ => None,
        });
        let headings: Vec<(String, String)> = headings.collect();
        let mut said = vec![page.document.summary.clone()];
        page.document.blocks.iter().for_each(|block| texts(block, &mut said));
        let titled: BTreeSet<String> =
            headings.iter().map(|(_, text)| text).chain([&page.document.title]).flat_map(|text| words(text)).collect();
        let told = said.iter().flat_map(|text| words(text));
        let told = told.filter(|word| {
            word.len() >= LETTERS_MIN && !EMPTY.contains(&word.as_str()) && !titled.contains(word) && !is_number(word)
        });
        let under = page.trail.last().map(|place| place.title.clone());
        self.entries.push(Entry {
            address: page.address.clone(),
            title: page.document.title.clone(),
            under: under.or_else(|| map::group_of(&page.entry).map(str::to_owned)).unwrap_or_default(),
            words: told.collect(),
            headings,
        });
    }

    /// As the script reads it: of each page its address, title, group, headings and words.
    pub fn to_json(&self) -> Value {
        let entry = |entry: &Entry| {
            let words: Vec<&str> = entry.words.iter().map(String::as_str).collect();
            json!({"a": entry.address, "t": entry.title, "u": entry.under, "h": entry.headings, "w": words.join(" ")})
        };
        json!({"pages": self.entries.iter().map(entry).collect::<Vec<_>>()})
    }

    /// The page that tells what is found, of at most a hundred letters that are asked for.
    pub fn page(&self, asked: &str) -> Page {
        let asked: String = asked.chars().take(ASKED_MAX).collect();
        Page { asked: Some(asked.clone()), ..Page::new(paths::SEARCH, self.found(&asked)) }
    }

    fn found(&self, asked: &str) -> Document {
        let found = self.find(asked);
        let said = match (words(asked).is_empty(), found.len()) {
            (true, _) => "Nothing was asked for: write the beginning of a word.".to_owned(),
            (_, 0) => "No page has all of these words. Fewer words, or only their beginnings, find more.".to_owned(),
            (_, n) => format!("{n} pages have all of these words, the best ones first."),
        };
        let mut draft = Draft::new(
            if asked.trim().is_empty() { "Search".into() } else { format!("Search: {}", asked.trim()) },
            said,
        );
        if !found.is_empty() {
            draft.cards(found);
        }
        draft.done()
    }

    /// The best pages first, of equals those that come first in the map.
    fn find(&self, asked: &str) -> Vec<Card> {
        let asked = words(asked);
        if asked.is_empty() {
            return Vec::new();
        }
        let mut found: Vec<Found<'_>> = self
            .entries
            .iter()
            .filter_map(|entry| {
                let each: Option<Vec<usize>> = asked.iter().map(|word| entry.weight(word)).collect();
                let heading =
                    entry.headings.iter().find(|(_, text)| asked.iter().all(|word| begins(&words(text), word)));
                Some((each?.iter().sum(), entry, heading))
            })
            .collect();
        found.sort_by_key(|(weight, ..)| std::cmp::Reverse(*weight));
        let card = |(_, entry, heading): Found<'_>| match heading {
            Some((id, text)) => {
                card(&format!("{}: {text}", entry.title), &entry.under, format!("{}#{id}", entry.address))
            }
            None => card(&entry.title, &entry.under, entry.address.clone()),
        };
        found.into_iter().take(FOUND_MAX).map(card).collect()
    }
}

fn card(title: &str, under: &str, to: String) -> Card {
    Card { title: title.into(), text: Text::from(under), to }
}

impl Entry {
    /// How well a word leads here; not at all, if nothing here begins with it.
    fn weight(&self, word: &str) -> Option<usize> {
        let title = words(&self.title);
        if title.iter().any(|known| known == word) {
            return Some(12);
        }
        if begins(&title, word) {
            return Some(8);
        }
        if self.headings.iter().any(|(_, text)| begins(&words(text), word)) {
            return Some(4);
        }
        begins(&self.words, word).then_some(1)
    }
}

fn begins<'w>(all: impl IntoIterator<Item = &'w String>, word: &str) -> bool {
    all.into_iter().any(|known| known.starts_with(word))
}

/// The words of a text, in lower case.
fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let all = lower.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    all.map(str::to_owned).collect()
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a block says; not its code.
fn texts(block: &Block, said: &mut Vec<String>) {
    match block {
        Block::Heading { .. } | Block::Code { .. } | Block::Trial(_) => {}
        Block::Paragraph(text) | Block::Note(text) => said.push(text.plain()),
        Block::Table { rows, .. } => said.extend(rows.iter().flatten().map(Text::plain)),
        Block::List { items, .. } => said.extend(items.iter().map(Text::plain)),
        Block::Tabs { tabs, .. } => tabs.iter().flat_map(|tab| &tab.blocks).for_each(|block| texts(block, said)),
        Block::Cards(cards) => said.extend(cards.iter().map(|card| card.text.plain())),
        Block::Details { summary, blocks } => {
            said.push(summary.plain());
            blocks.iter().for_each(|block| texts(block, said));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        let mut index = Index::default();
        for (name, text) in
            [("Filters", "Conditions on `task.created` events."), ("Shapes", "What filters leave. And conditions.")]
        {
            let mut draft = Draft::new(name, text);
            draft.heading(2, format!("How {} work", name.to_lowercase()));
            draft.say("Rename and drop_fields.");
            index.add(&Page::new(format!("/docs/{name}"), draft.done()));
        }
        index
    }

    #[test]
    fn all_words_must_begin_a_word_of_the_page_and_titles_go_first() {
        let found = |asked: &str| index().find(asked).into_iter().map(|card| card.to).collect::<Vec<_>>();
        assert_eq!(found("filt"), ["/docs/Filters#how-filters-work", "/docs/Shapes"]);
        assert_eq!(found("FILTERS cond"), ["/docs/Filters", "/docs/Shapes"]);
        assert_eq!(found("created"), ["/docs/Filters"]);
        assert_eq!(found("drop_f shape"), ["/docs/Shapes"]);
        assert_eq!(found("nothing"), [""; 0]);
        assert_eq!(found(" ."), [""; 0]);
    }

    #[test]
    fn the_script_gets_the_same() {
        let json = index().to_json();
        let shapes = &json["pages"][1];
        assert_eq!((&shapes["t"], &shapes["a"]), (&json!("Shapes"), &json!("/docs/Shapes")));
        assert_eq!(shapes["h"], json!([["how-shapes-work", "How shapes work"]]));
        let words: Vec<&str> = shapes["w"].as_str().expect("text").split(' ').collect();
        assert!(words.contains(&"conditions") && words.contains(&"drop_fields"), "{words:?}");
        assert!(!words.contains(&"and") && !words.contains(&"shapes"), "{words:?}");
    }
}
