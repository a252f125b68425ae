//! Pages that people wrote, read from the little Markdown that they need: headings, paragraphs, lists, code and links. What stays
//! true: what is read and written again reads the same.

use super::block::{Document, Draft, Inline, Text};

/// Reads a page: its title, a sentence, and the rest. A paragraph or an item may go over several lines.
pub(super) fn read(source: &str) -> Document {
    let mut lines = source.lines().peekable();
    let title = lines.next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default();
    let mut draft: Option<Draft> = None;
    while let Some(line) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        let Some(d) = &mut draft else {
            let rest = rest_of(&mut lines);
            draft = Some(Draft::new(title, join(line, &rest)));
            continue;
        };
        if let Some(language) = line.strip_prefix("```") {
            let code: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            d.code(known_language(language), code.join("\n"));
        } else if let Some(heading) = line.strip_prefix('#') {
            let level = 1 + heading.bytes().take_while(|b| *b == b'#').count() as u8;
            d.heading(level, text(heading.trim_start_matches('#').trim()));
        } else if item(line).is_some() {
            let ordered = !line.starts_with("- ");
            let mut items = vec![line.to_string()];
            for line in rest_of(&mut lines) {
                match item(line) {
                    Some(_) => items.push(line.to_string()),
                    None => items.last_mut().expect("there is one").push_str(&format!(" {}", line.trim())),
                }
            }
            let items = items.iter().map(|line| text(item(line).unwrap_or(line)));
            if ordered { d.steps(items) } else { d.list(items) }
        } else {
            let rest = rest_of(&mut lines);
            d.say(text(&join(line, &rest)));
        }
    }
    draft.map_or_else(|| Draft::new(title, "").done(), Draft::done)
}

/// The lines up to the next empty one.
fn rest_of<'s>(lines: &mut std::iter::Peekable<impl Iterator<Item = &'s str>>) -> Vec<&'s str> {
    std::iter::from_fn(|| lines.next_if(|line| !line.trim().is_empty())).collect()
}

fn join(first: &str, rest: &[&str]) -> String {
    [&[first], rest].concat().join(" ")
}

/// What an item of a list says: `- this`, `1. this`.
fn item(line: &str) -> Option<&str> {
    let (mark, rest) = line.split_once(' ')?;
    let is_number = mark.strip_suffix('.').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    (mark == "-" || is_number).then_some(rest)
}

fn known_language(name: &str) -> &'static str {
    const KNOWN: [&str; 4] = ["toml", "bash", "json", "text"];
    KNOWN.into_iter().find(|known| *known == name).unwrap_or("text")
}

/// Text with code and links.
fn text(source: &str) -> Text {
    let mut parts = Vec::new();
    for part in Text::from(source).0 {
        match part {
            Inline::Plain(plain) => parts.extend(links(&plain)),
            other => parts.push(other),
        }
    }
    Text(parts)
}

/// Plain text with `[links](to)`.
fn links(text: &str) -> Vec<Inline> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, named)) = rest.split_once('[')
        && let Some((name, target)) = named.split_once("](")
        && let Some((to, after)) = target.split_once(')')
    {
        if !before.is_empty() {
            parts.push(Inline::Plain(before.to_string()));
        }
        parts.push(Inline::Link { text: name.to_string(), to: to.trim_matches(['<', '>']).to_string() });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Inline::Plain(rest.to_string()));
    }
    parts
}

/// How a dialect is written from nothing.
pub fn tutorial() -> Document {
    read(include_str!("tutorial.md"))
}

#[cfg(test)]
mod tests {
    use super::super::block::Block;
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
            "# Title\n\nOne\nsentence.\n\n## Step `1`\n\nSee [the list](#list) and\n`code`.\n\n- one\n  more\n- two\n\n1. a\n2. b\n\n\
             ```toml\n# x\n\na = 1\n```\n",
        );
        let text = |text: &str| Text::from(text);
        assert_eq!((page.title.as_str(), page.summary.as_str()), ("Title", "One sentence."));
        let expected = [
            Block::Heading { level: 2, id: "step-1".into(), text: text("Step `1`") },
            Block::Paragraph(text("See ").link("the list", "#list").and(" and `code`.")),
            Block::List { ordered: false, items: vec![text("one more"), text("two")] },
            Block::List { ordered: true, items: vec![text("a"), text("b")] },
            Block::Code { language: "toml", text: "# x\n\na = 1".into() },
        ];
        assert_eq!(page.blocks, expected);
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
