//! A long document as several pages, none longer than a reader likes to scroll. What stays true: nothing is left out, and each
//! section has an address that follows from its heading, whatever page it stands on.

use super::block::{Block, Document, Inline, Text};
use super::size;

/// What a page should be, in pixels of a usual screen: about five screens.
const GOAL: usize = 4_500;

/// A part of a document, as a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// The anchor of its first section; empty for the first part.
    pub id: String,
    /// What it shows. Its title is that of its sections.
    pub document: Document,
    /// The anchor of its title, where its title is the heading of a section.
    pub anchor: Option<String>,
}

/// A section that stays in one piece.
#[derive(Debug)]
struct Unit {
    id: String,
    title: String,
    /// Of its heading.
    level: u8,
    /// The section of level 2 that it is in.
    within: String,
    blocks: Vec<Block>,
}

impl Unit {
    fn size(&self) -> usize {
        self.blocks.iter().map(size::of).sum()
    }
}

/// The pages of a document that is found at `home`.
pub(super) fn parts(document: &Document, home: &str) -> Vec<Part> {
    let mut units = Vec::new();
    cut(&document.blocks, 2, "", &mut units);
    let mut pages: Vec<Vec<Unit>> = Vec::new();
    let mut height = 0;
    for unit in units {
        let size = unit.size();
        if pages.is_empty() || height + size > GOAL {
            pages.push(Vec::new());
            height = 0;
        }
        height += size;
        pages.last_mut().expect("there is one").push(unit);
    }
    let ids: Vec<Vec<String>> = pages.iter().map(|page| ids_of(page)).collect();
    let starts: Vec<String> =
        pages.iter().enumerate().map(|(n, page)| if n == 0 { String::new() } else { page[0].id.clone() }).collect();
    let pages = pages.into_iter().enumerate().map(|(n, units)| {
        let mut part = part(document, &starts[n], units);
        let place = |id: &str| ids.iter().position(|ids| ids.iter().any(|known| known == id)).filter(|at| *at != n);
        let lead = |to: &str| Some(format!("{}{to}", address(home, &starts[place(to.strip_prefix('#')?)?])));
        part.document.blocks.iter_mut().for_each(|block| relink(block, &lead));
        part
    });
    pages.collect()
}

/// Where the part that begins with a section is.
pub(super) fn address(home: &str, id: &str) -> String {
    if id.is_empty() { home.to_string() } else { format!("{home}/{id}") }
}

/// Where a section of a document is, if it has one of this name.
pub(super) fn place_of(parts: &[Part], home: &str, id: &str) -> Option<String> {
    let has = |part: &&Part| {
        part.anchor.as_deref() == Some(id)
            || part.document.blocks.iter().any(|block| matches!(block, Block::Heading { id: known, .. } if known == id))
    };
    parts.iter().find(has).map(|part| format!("{}#{id}", address(home, &part.id)))
}

/// Cuts at the headings of a level; what is longer than a page, at those of the next.
fn cut(blocks: &[Block], level: u8, within: &str, units: &mut Vec<Unit>) {
    let starts = |block: &Block| matches!(block, Block::Heading { level: known, .. } if *known == level);
    let mut rest = blocks;
    while !rest.is_empty() {
        let end = rest.iter().skip(1).position(starts).map_or(rest.len(), |at| at + 1);
        let (section, after) = rest.split_at(end);
        rest = after;
        let (id, title, level_of) = match &section[0] {
            Block::Heading { level, id, text } => (id.clone(), text.plain(), *level),
            _ => (String::new(), String::new(), level),
        };
        let within = if level == 2 { title.clone() } else { within.to_string() };
        let unit = Unit { id, title, level: level_of, within: within.clone(), blocks: section.to_vec() };
        if unit.size() > GOAL && level < 4 && section.iter().skip(1).any(|block| matches!(block, Block::Heading { .. }))
        {
            cut(section, level + 1, &within, units);
        } else {
            units.push(unit);
        }
    }
}

fn ids_of(units: &[Unit]) -> Vec<String> {
    let ids = units.iter().flat_map(|unit| &unit.blocks).filter_map(|block| match block {
        Block::Heading { id, .. } => Some(id.clone()),
        _ => None,
    });
    ids.collect()
}

/// A page of some sections. One of a single section bears its title, and its headings go up by one.
fn part(document: &Document, id: &str, units: Vec<Unit>) -> Part {
    let is_first = id.is_empty();
    let title = if is_first { document.title.clone() } else { title_of(&units) };
    let takes_title = !is_first && units.len() == 1;
    let first_level = units.first().map_or(2, |unit| unit.level);
    let mut blocks: Vec<Block> = units.into_iter().flat_map(|unit| unit.blocks).collect();
    let mut anchor = None;
    if takes_title && let Some(Block::Heading { id, .. }) = blocks.first() {
        anchor = Some(id.clone());
        blocks.remove(0);
    }
    let mut up = first_level - 2 + u8::from(anchor.is_some());
    for block in &mut blocks {
        if let Block::Heading { level, .. } = block {
            if *level == 2 {
                up = 0;
            }
            *level = (*level - up.min(*level - 2)).max(2);
        }
    }
    let summary = if is_first { document.summary.clone() } else { String::new() };
    Part { id: id.to_string(), document: Document { title, summary, blocks }, anchor }
}

/// What a page is about: its sections, or where in a section it goes on.
fn title_of(units: &[Unit]) -> String {
    let wholes: Vec<&str> = units.iter().filter(|unit| unit.level == 2).map(|unit| unit.title.as_str()).collect();
    let first = &units[0];
    if first.level > 2 {
        return if first.within.is_empty() {
            first.title.clone()
        } else {
            format!("{}: {}", first.within, lower(&first.title))
        };
    }
    match wholes.as_slice() {
        [one] => (*one).to_string(),
        [one, two] => format!("{one}, {}", lower(two)),
        [one, two, three] => format!("{one}, {}, {}", lower(two), lower(three)),
        [one, two, ..] => format!("{one}, {}, and more", lower(two)),
        [] => first.title.clone(),
    }
}

/// Without a capital, but for what is spelled in capitals.
fn lower(title: &str) -> String {
    let mut chars = title.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => title.to_string(),
    }
}

/// Lets links lead where their sections are now.
fn relink(block: &mut Block, lead: &impl Fn(&str) -> Option<String>) {
    let text = |text: &mut Text| {
        for part in &mut text.0 {
            if let Inline::Link { to, .. } = part
                && let Some(there) = lead(to)
            {
                *to = there;
            }
        }
    };
    match block {
        Block::Heading { text: of, .. } | Block::Paragraph(of) | Block::Note(of) => text(of),
        Block::Table { rows, .. } => rows.iter_mut().flatten().for_each(text),
        Block::List { items, .. } => items.iter_mut().for_each(text),
        Block::Tabs { tabs, .. } => {
            tabs.iter_mut().flat_map(|tab| &mut tab.blocks).for_each(|block| relink(block, lead));
        }
        Block::Details { blocks, .. } => blocks.iter_mut().for_each(|block| relink(block, lead)),
        Block::Code { .. } | Block::Cards(_) | Block::Trial(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::block::Draft;
    use super::*;

    fn long(draft: &mut Draft) {
        (0..48).for_each(|n| draft.say(format!("{n}: {}", "word ".repeat(40))));
    }

    fn document() -> Document {
        let mut draft = Draft::new("All of it", "In a sentence.");
        draft.heading(2, "Start");
        draft.say(Text::from("See ").link("the end", "#end").and(" or ").link("here", "#start"));
        draft.heading(2, "Calls");
        draft.say("Two of them.");
        draft.heading(3, "Create it");
        long(&mut draft);
        draft.heading(4, "Its fields");
        draft.heading(3, "HTTP");
        long(&mut draft);
        draft.heading(2, "End");
        draft.say(Text::from("Back to ").link("the fields", "#its-fields"));
        draft.heading(3, "Last");
        draft.done()
    }

    #[test]
    fn pages_hold_all_and_links_lead_to_them() {
        let document = document();
        let parts = parts(&document, "/docs/x");
        let told: Vec<_> = parts.iter().map(|part| (part.id.as_str(), part.document.title.as_str())).collect();
        assert_eq!(
            told,
            [("", "All of it"), ("create-it", "Calls: create it"), ("http", "Calls: HTTP"), ("end", "End")]
        );
        let text = |part: &Part| part.document.to_markdown();
        assert!(
            text(&parts[0]).contains("[the end](</docs/x/end#end>)") && text(&parts[0]).contains("[here](<#start>)")
        );
        assert!(text(&parts[3]).contains("[the fields](</docs/x/create-it#its-fields>)"));
        let paragraphs = |blocks: &[Block]| blocks.iter().filter(|block| matches!(block, Block::Paragraph(_))).count();
        assert_eq!(
            parts.iter().map(|part| paragraphs(&part.document.blocks)).sum::<usize>(),
            paragraphs(&document.blocks)
        );
        let levels = |part: &Part| {
            let levels = part.document.blocks.iter().filter_map(|block| match block {
                Block::Heading { level, .. } => Some(*level),
                _ => None,
            });
            levels.collect::<Vec<_>>()
        };
        assert_eq!(parts.iter().map(levels).collect::<Vec<_>>(), [vec![2, 2], vec![2], vec![], vec![2]]);
    }

    #[test]
    fn each_section_has_an_address() {
        let parts = parts(&document(), "/docs/x");
        let place = |id| place_of(&parts, "/docs/x", id);
        assert_eq!(place("calls").as_deref(), Some("/docs/x#calls"));
        assert_eq!(place("its-fields").as_deref(), Some("/docs/x/create-it#its-fields"));
        assert_eq!(place("end").as_deref(), Some("/docs/x/end#end"));
        assert_eq!(place("nothing"), None);
    }
}
