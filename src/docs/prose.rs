//! Pages that people wrote, read from Markdown: headings, paragraphs, lists, tables, notes, code and links. What stays true: a link
//! that leads to another page in the repository leads to the same page here, and none leads out of what is served.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::block::{Block, Document, Draft, Inline, Tab, Text};
use super::words::LANGUAGES;

/// Where the guide's pages are.
pub(super) const GUIDE: &str = "/docs/guide";

/// Reads a page: its title, a sentence, and the rest.
pub(super) fn read(source: &str) -> Document {
    let mut events = Parser::new_ext(source, Options::ENABLE_TABLES);
    let (mut title, mut draft) = (String::new(), None::<Draft>);
    while let Some(event) = events.next() {
        let Event::Start(tag) = event else { continue };
        let end = tag.to_end();
        match (&mut draft, tag) {
            (None, Tag::Heading { .. }) => title = text(&mut events, end).plain(),
            (None, Tag::Paragraph) => draft = Some(Draft::new(title.clone(), marked(&text(&mut events, end)))),
            (Some(draft), tag) => block(draft, tag, &mut events),
            (None, _) => {}
        }
    }
    let mut document = draft.unwrap_or_else(|| Draft::new(title, "")).done();
    document.blocks = tabbed(document.blocks);
    document
}

/// Reads what a tag begins.
fn block<'s>(draft: &mut Draft, tag: Tag<'s>, events: &mut Parser<'s>) {
    let end = tag.to_end();
    match tag {
        Tag::Heading { level, .. } => {
            let said = text(events, end);
            draft.heading(level as u8, said);
        }
        Tag::Paragraph => draft.say(text(events, end)),
        Tag::BlockQuote(_) => draft.note(text(events, end)),
        Tag::CodeBlock(kind) => {
            let language = match &kind {
                CodeBlockKind::Fenced(language) => known(language),
                CodeBlockKind::Indented => "text",
            };
            draft.code(language, text(events, end).plain());
        }
        Tag::List(first) => {
            let items = each(events, end, TagEnd::Item);
            if first.is_some() { draft.steps(items) } else { draft.list(items) }
        }
        Tag::Table(_) => table(draft, events),
        _ => {}
    }
}

/// Reads a table; one without names of columns gets "What" and "Here".
fn table(draft: &mut Draft, events: &mut Parser<'_>) {
    let mut rows = Vec::new();
    while let Some(event) = events.next() {
        match event {
            Event::Start(Tag::TableHead) => rows.push(each(events, TagEnd::TableHead, TagEnd::TableCell)),
            Event::Start(Tag::TableRow) => rows.push(each(events, TagEnd::TableRow, TagEnd::TableCell)),
            Event::End(TagEnd::Table) => break,
            _ => {}
        }
    }
    let mut rows = rows.into_iter();
    let names: Vec<String> = rows.next().unwrap_or_default().iter().map(Text::plain).collect();
    let named = |(n, name): (usize, &String)| match (name.is_empty(), n) {
        (false, _) => name.clone(),
        (true, 0) => "What".into(),
        (true, _) => "In words".into(),
    };
    let names: Vec<String> = names.iter().enumerate().map(named).collect();
    let heads: Vec<&str> = names.iter().map(String::as_str).collect();
    let caption = draft.last_heading().unwrap_or_else(|| "Table".into());
    draft.table(caption, &heads, rows.collect());
}

/// The texts of all parts of one kind, up to the end of what holds them.
fn each(events: &mut Parser<'_>, end: TagEnd, of: TagEnd) -> Vec<Text> {
    let mut found = Vec::new();
    while let Some(event) = events.next() {
        match event {
            Event::Start(tag) if tag.to_end() == of => found.push(text(events, of)),
            Event::End(ended) if ended == end => break,
            _ => {}
        }
    }
    found
}

/// Text with its markup, up to the end of what holds it.
fn text(events: &mut Parser<'_>, end: TagEnd) -> Text {
    let mut parts: Vec<Inline> = Vec::new();
    while let Some(event) = events.next() {
        match event {
            Event::Text(text) => push(&mut parts, &text),
            Event::SoftBreak | Event::HardBreak => push(&mut parts, " "),
            Event::Code(code) if code.starts_with("/docs") && !code.contains(['{', '…']) => {
                parts.push(Inline::Link { text: code.to_string(), to: code.to_string() });
            }
            Event::Code(code) => parts.push(Inline::Code(code.to_string())),
            Event::Start(Tag::Strong) => parts.push(Inline::Strong(text(events, TagEnd::Strong).plain())),
            Event::Start(Tag::Emphasis) => parts.push(Inline::Emphasis(text(events, TagEnd::Emphasis).plain())),
            Event::Start(Tag::Link { dest_url, .. }) => {
                let said = text(events, TagEnd::Link).plain();
                match address_of(&dest_url) {
                    Some(to) => parts.push(Inline::Link { text: said, to }),
                    None => push(&mut parts, &said),
                }
            }
            Event::End(ended) if ended == end => break,
            _ => {}
        }
    }
    Text(parts)
}

/// Adds plain text to what is there.
fn push(parts: &mut Vec<Inline>, text: &str) {
    match parts.last_mut() {
        Some(Inline::Plain(before)) => before.push_str(text),
        _ => parts.push(Inline::Plain(text.to_string())),
    }
}

/// A text with backticks around its code, as a summary is written.
fn marked(text: &Text) -> String {
    let part = |part: &Inline| match part {
        Inline::Code(code) => format!("`{code}`"),
        other => Text(vec![other.clone()]).plain(),
    };
    text.0.iter().map(part).collect()
}

/// Where a link of the repository leads here; nowhere, if what it leads to is not served.
fn address_of(to: &str) -> Option<String> {
    if to.starts_with("https://") || to.starts_with(['/', '#']) {
        return Some(to.to_string());
    }
    let (file, anchor) = to.split_at(to.find('#').unwrap_or(to.len()));
    let page = match file {
        "../tutorial.md" => "/docs/dialects/tutorial".to_string(),
        "../peers.toml" => "/docs/peers".to_string(),
        _ => format!("{GUIDE}/{}", file.strip_suffix(".md").filter(|name| !name.contains('/'))?),
    };
    Some(format!("{page}{anchor}"))
}

fn known(name: &str) -> &'static str {
    const KNOWN: [&str; 8] = ["toml", "bash", "console", "json", "text", "ini", "http", "yaml"];
    let spelled = match name {
        "sh" => "bash",
        "ts" => "typescript",
        "py" => "python",
        other => other,
    };
    let languages = LANGUAGES.iter().map(|(language, _)| *language);
    KNOWN.into_iter().chain(languages).find(|known| *known == spelled).unwrap_or("text")
}

/// Code in several languages, one right after the other, is the same in each of them.
fn tabbed(blocks: Vec<Block>) -> Vec<Block> {
    let title = |block: &Block| match block {
        Block::Code { language, .. } => {
            LANGUAGES.iter().find(|(known, _)| known == language).map(|(language, title)| (*language, *title))
        }
        _ => None,
    };
    let mut found: Vec<Block> = Vec::new();
    for block in blocks {
        let Some((language, name)) = title(&block) else {
            found.push(block);
            continue;
        };
        let tab = Tab { title: name.into(), language, blocks: vec![block] };
        match found.last_mut() {
            Some(Block::Tabs { tabs, .. }) if tabs.iter().all(|known| known.language != language) => tabs.push(tab),
            _ => found.push(Block::Tabs { level: 4, tabs: vec![tab] }),
        }
    }
    let alone = |block| match block {
        Block::Tabs { mut tabs, level } => match tabs.len() {
            1 => tabs.remove(0).blocks.remove(0),
            _ => Block::Tabs { level, tabs },
        },
        other => other,
    };
    found.into_iter().map(alone).collect()
}

/// How a dialect is written from nothing.
pub fn tutorial() -> Document {
    read(include_str!("tutorial.md"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All code of a page in this language, in order.
    fn code_of(document: &Document, wanted: &str) -> Vec<String> {
        let code = document.blocks.iter().filter_map(|block| match block {
            Block::Code { language, text } if *language == wanted => Some(text.clone()),
            _ => None,
        });
        code.collect()
    }

    #[test]
    fn a_page_is_read_as_it_is_written() {
        let page = read(
            "# Title\n\nOne `x`\nsentence.\n\n## Step `1`\n\nSee [the list](#list), [filters](filters.md#how) and\n`code`; \
             [not](../../LICENSE) **so** `/docs/api`.\n\n- one\n  more\n- two\n\n1. a\n2. b\n\n> Mind *this*.\n\n\
             ```toml\n# x\n\na = 1\n```\n\n| | b |\n|---|---|\n| `c\\|d` | e |\n",
        );
        let text = |text: &str| Text::from(text);
        assert_eq!((page.title.as_str(), page.summary.as_str()), ("Title", "One `x` sentence."));
        let said = text("See ").link("the list", "#list").and(", ").link("filters", "/docs/guide/filters#how");
        let said = said.and(" and `code`; not ").and(Text(vec![Inline::Strong("so".into())]));
        let expected = [
            Block::Heading { level: 2, id: "step-1".into(), text: text("Step `1`") },
            Block::Paragraph(said.and(" ").link("/docs/api", "/docs/api").and(".")),
            Block::List { ordered: false, items: vec![text("one more"), text("two")] },
            Block::List { ordered: true, items: vec![text("a"), text("b")] },
            Block::Note(text("Mind ").and(Text(vec![Inline::Emphasis("this".into())])).and(".")),
            Block::Code { language: "toml", text: "# x\n\na = 1".into() },
            Block::Table {
                caption: "Step 1".into(),
                head: vec!["What".into(), "b".into()],
                rows: vec![vec![text("`c|d`"), text("e")]],
            },
        ];
        assert_eq!(page.blocks, expected);
    }

    #[test]
    fn the_same_in_several_languages_is_shown_in_one_of_them() {
        let page = read("# T\n\nS.\n\n```python\na\n```\n\n```ts\nb\n```\n\nThen.\n\n```python\nc\n```\n");
        let Block::Tabs { tabs, .. } = &page.blocks[0] else { panic!("{:?}", page.blocks) };
        let titles: Vec<_> = tabs.iter().map(|tab| (tab.title.as_str(), tab.language)).collect();
        assert_eq!(titles, [("Python", "python"), ("TypeScript", "typescript")]);
        assert!(matches!(&page.blocks[2], Block::Code { language: "python", .. }));
    }

    #[test]
    fn the_tutorial_reads_the_same_when_it_is_written_again() {
        let page = tutorial();
        assert!(code_of(&page, "toml").len() > 4 && code_of(&page, "bash").len() > 4);
        let again = read(&page.to_markdown());
        // What markup could be meant by is escaped when it is written, and a page has none of it.
        assert_eq!(again, page);
    }
}
