//! Just enough Markdown to read a document back: headings, tables, lists and code.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use super::support::Message;
use super::support::http::read_message;

/// A document, block by block.
pub struct Markdown {
    blocks: Vec<Block>,
}

/// A part of it.
#[derive(Debug)]
pub enum Block {
    /// Its level and text.
    Heading(usize, String),
    /// Its language and text.
    Code(String, String),
    /// Its rows without the first, cells without markup.
    Table(Vec<Vec<String>>),
    /// Any other line.
    Line(String),
}

impl Markdown {
    /// Reads what `docs` writes.
    pub fn read(text: &str) -> Self {
        let (mut blocks, mut lines) = (Vec::new(), text.lines().peekable());
        while let Some(line) = lines.next() {
            if let Some(language) = line.strip_prefix("```") {
                let fence: String = line.chars().take_while(|c| *c == '`').collect();
                let code: Vec<&str> = lines.by_ref().take_while(|line| *line != fence).collect();
                blocks.push(Block::Code(language.trim_start_matches('`').to_owned(), code.join("\n")));
            } else if line.starts_with('#') {
                let level = line.chars().take_while(|c| *c == '#').count();
                blocks.push(Block::Heading(level, plain(line[level..].trim())));
            } else if line.starts_with("| ") {
                assert!(lines.next().is_some_and(|line| line.starts_with("|---")), "a table has a line below its head");
                let mut rows = Vec::new();
                while let Some(row) = lines.next_if(|line| line.starts_with("| ")) {
                    rows.push(cells(row));
                }
                blocks.push(Block::Table(rows));
            } else if !line.is_empty() {
                blocks.push(Block::Line(line.to_owned()));
            }
        }
        Self { blocks }
    }

    /// What stands under a heading, its smaller headings included.
    #[track_caller]
    pub fn section(&self, heading: &str) -> &[Block] {
        let is = |block: &Block| matches!(block, Block::Heading(_, text) if text == heading);
        let start = self.blocks.iter().position(is).unwrap_or_else(|| panic!("there is no {heading:?}"));
        let Block::Heading(level, _) = &self.blocks[start] else { unreachable!("it was found") };
        let ends = |block: &Block| matches!(block, Block::Heading(other, _) if other <= level);
        let rest = &self.blocks[start + 1..];
        &rest[..rest.iter().position(ends).unwrap_or(rest.len())]
    }

    /// Whether there is such a heading.
    pub fn has(&self, heading: &str) -> bool {
        self.blocks.iter().any(|block| matches!(block, Block::Heading(_, text) if text == heading))
    }

    /// The first table under a heading.
    #[track_caller]
    pub fn table(&self, heading: &str) -> &[Vec<String>] {
        tables(self.section(heading)).next().unwrap_or_else(|| panic!("no table under {heading:?}"))
    }

    /// The first code under a heading.
    #[track_caller]
    pub fn code_of(&self, heading: &str) -> &str {
        code(self.section(heading)).next().unwrap_or_else(|| panic!("no code under {heading:?}")).1
    }

    /// All code, with its language.
    pub fn code(&self) -> impl Iterator<Item = (&str, &str)> {
        code(&self.blocks)
    }

    /// All tables.
    pub fn tables(&self) -> impl Iterator<Item = &[Vec<String>]> {
        tables(&self.blocks)
    }
}

/// All code in some blocks, with its language.
pub fn code(blocks: &[Block]) -> impl Iterator<Item = (&str, &str)> {
    blocks.iter().filter_map(|block| match block {
        Block::Code(language, text) => Some((language.as_str(), text.as_str())),
        _ => None,
    })
}

fn tables(blocks: &[Block]) -> impl Iterator<Item = &[Vec<String>]> {
    blocks.iter().filter_map(|block| match block {
        Block::Table(rows) => Some(rows.as_slice()),
        _ => None,
    })
}

/// The cells of a row, without markup.
fn cells(row: &str) -> Vec<String> {
    let row = row.strip_prefix("| ").and_then(|row| row.strip_suffix(" |")).expect("a row");
    row.replace("\\|", "\u{0}").split(" | ").map(|cell| plain(&cell.replace('\u{0}', "|"))).collect()
}

/// Text without markup: code as it is, escaped characters as they are.
fn plain(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        if c == '`' {
            let ticks = rest.chars().take_while(|c| *c == '`').count();
            let fence = "`".repeat(ticks);
            let inner = &rest[ticks..];
            let end = inner.find(&fence).expect("code ends");
            let code = &inner[..end];
            let padded = code.strip_prefix(' ').and_then(|c| c.strip_suffix(' '));
            out.push_str(padded.filter(|inner| inner.starts_with('`') || inner.ends_with('`')).unwrap_or(code));
            rest = &inner[end + ticks..];
        } else if c == '\\' {
            let next = rest[1..].chars().next().expect("something is escaped");
            out.push(next);
            rest = &rest[1 + next.len_utf8()..];
        } else if let Some((text, after)) = link(rest) {
            out.push_str(&plain(text));
            rest = after;
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// The text of the link that `rest` starts with, and what follows it.
fn link(rest: &str) -> Option<(&str, &str)> {
    let (text, after) = rest.strip_prefix('[')?.split_once("](<")?;
    Some((text, after.split_once(">)")?.1))
}

/// Makes one request as it is written, without its last line break, and reads the reply.
pub fn ask(address: SocketAddr, request: &str) -> Message {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(format!("{request}Connection: close\r\n\r\n").as_bytes()).expect("written");
    let mut reading = BufReader::new(stream);
    if request.contains("If-None-Match") {
        // A 304 says how long the page would be, and has no body.
        return unchanged(&mut reading);
    }
    read_message(&mut reading).expect("read").expect("a reply")
}

fn unchanged(from: &mut BufReader<TcpStream>) -> Message {
    let mut text = Vec::new();
    std::io::Read::read_to_end(from, &mut text).expect("read");
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let start = head.lines().next().expect("a first line").to_owned();
    Message { start, headers: Vec::new(), body: body.as_bytes().to_vec() }
}
