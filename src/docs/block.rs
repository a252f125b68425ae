//! What a document is made of: a few kinds of block, each of which every writer knows how to write. What stays true: a
//! text is data, whatever it holds; only a writer decides how it is escaped.

/// A document, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its title.
    pub title: String,
    /// What it is about, in a sentence.
    pub summary: String,
    /// From top to bottom.
    pub blocks: Vec<Block>,
}

/// A part of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A heading; the title of the document is level 1.
    Heading {
        /// 2 to 4.
        level: u8,
        /// Its anchor, once in a document.
        id: String,
        /// What it says.
        text: Text,
    },
    /// A paragraph.
    Paragraph(Text),
    /// Something to look out for.
    Note(Text),
    /// Code or JSON.
    Code {
        /// Such as `json`, `bash`, `python`.
        language: &'static str,
        /// Without a line break at its end.
        text: String,
    },
    /// A table; the first cell of a row names the row.
    Table {
        /// What it shows, for those who do not see it.
        caption: String,
        /// The columns.
        head: Vec<String>,
        /// As many cells as columns each.
        rows: Vec<Vec<Text>>,
    },
    /// A list.
    List {
        /// Whether its order matters.
        ordered: bool,
        /// Its items.
        items: Vec<Text>,
    },
    /// The same in several languages, of which one is shown at a time.
    Tabs {
        /// What the headings of languages are where all are shown.
        level: u8,
        /// The languages.
        tabs: Vec<Tab>,
    },
    /// Ways to go on.
    Cards(Vec<Card>),
    /// An operation that can be tried, on a page that can do that.
    Trial(Trial),
    /// What is shown when it is asked for.
    Details {
        /// What it is.
        summary: Text,
        /// What is in it; no headings.
        blocks: Vec<Block>,
    },
}

/// One of several languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tab {
    /// For people: `JavaScript (Node)`.
    pub title: String,
    /// Names the choice, from page to page: `javascript`.
    pub language: &'static str,
    /// What is said in it; no headings.
    pub blocks: Vec<Block>,
}

/// A way to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Where it leads to, in a few words.
    pub title: String,
    /// What is there, in a sentence.
    pub text: Text,
    /// Its address.
    pub to: String,
}

/// An operation of the API, as it can be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Its id.
    pub operation: String,
    /// Its method.
    pub method: String,
    /// Its path, with `{names}`.
    pub path: String,
    /// What stands in path and query.
    pub parameters: Vec<Parameter>,
    /// A body to begin with; none where it takes none.
    pub body: Option<String>,
}

/// A parameter that can be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Whether it is part of the path, not of the query.
    pub is_in_path: bool,
}

/// A line of text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(pub Vec<Inline>);

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inline {
    /// As it is.
    Plain(String),
    /// Code.
    Code(String),
    /// What matters.
    Strong(String),
    /// A word that is being explained.
    Emphasis(String),
    /// A link.
    Link {
        /// What is read.
        text: String,
        /// Where it goes: an anchor of the document, or a path or URL.
        to: String,
    },
}

impl Text {
    /// The text without any markup.
    pub fn plain(&self) -> String {
        let part = |part: &Inline| match part {
            Inline::Plain(text)
            | Inline::Code(text)
            | Inline::Strong(text)
            | Inline::Emphasis(text)
            | Inline::Link { text, .. } => text.clone(),
        };
        self.0.iter().map(part).collect()
    }

    /// Nothing but code.
    pub fn code(text: impl Into<String>) -> Self {
        Self(vec![Inline::Code(text.into())])
    }

    /// With a link after it.
    pub fn link(mut self, text: impl Into<String>, to: impl Into<String>) -> Self {
        self.0.push(Inline::Link { text: text.into(), to: to.into() });
        self
    }

    /// With more text after it.
    pub fn and(mut self, text: impl Into<Self>) -> Self {
        self.0.extend(text.into().0);
        self
    }
}

/// Text between backticks is code; there is no other markup.
impl From<&str> for Text {
    fn from(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, (code, after))) = rest.split_once('`').and_then(|(b, a)| Some((b, a.split_once('`')?)))
        {
            if !before.is_empty() {
                parts.push(Inline::Plain(before.to_string()));
            }
            parts.push(Inline::Code(code.to_string()));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Inline::Plain(rest.to_string()));
        }
        Self(parts)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

/// A document that is being written.
#[derive(Debug)]
pub(super) struct Draft {
    document: Document,
}

impl Draft {
    pub(super) fn new(title: impl Into<String>, summary: impl Into<String>) -> Self {
        Self { document: Document { title: title.into(), summary: summary.into(), blocks: Vec::new() } }
    }

    /// Blocks of another document; its headings keep their anchors.
    pub(super) fn take(&mut self, blocks: Vec<Block>) {
        self.document.blocks.extend(blocks);
    }

    /// What the last heading says.
    pub(super) fn last_heading(&self) -> Option<String> {
        self.document.blocks.iter().rev().find_map(|block| match block {
            Block::Heading { text, .. } => Some(text.plain()),
            _ => None,
        })
    }

    pub(super) fn done(self) -> Document {
        self.document
    }

    /// A heading. Its anchor is its text, made unique.
    pub(super) fn heading(&mut self, level: u8, text: impl Into<Text>) {
        let text = text.into();
        let stem = slug(&text.plain());
        let taken = |id: &str| {
            self.document.blocks.iter().any(|b| matches!(b, Block::Heading { id: known, .. } if known == id))
        };
        let more = (2..).map(|n| format!("{stem}-{n}"));
        let id = std::iter::once(stem.clone()).chain(more).find(|id| !taken(id)).expect("there are enough numbers");
        self.document.blocks.push(Block::Heading { level, id, text });
    }

    pub(super) fn say(&mut self, text: impl Into<Text>) {
        self.document.blocks.push(Block::Paragraph(text.into()));
    }

    pub(super) fn note(&mut self, text: impl Into<Text>) {
        self.document.blocks.push(Block::Note(text.into()));
    }

    pub(super) fn code(&mut self, language: &'static str, text: impl Into<String>) {
        self.document.blocks.push(code(language, text));
    }

    pub(super) fn table(&mut self, caption: impl Into<String>, head: &[&str], rows: Vec<Vec<Text>>) {
        assert!(rows.iter().all(|row| row.len() == head.len()), "as many cells as columns");
        let head = head.iter().map(ToString::to_string).collect();
        self.document.blocks.push(Block::Table { caption: caption.into(), head, rows });
    }

    pub(super) fn tabs(&mut self, level: u8, tabs: Vec<Tab>) {
        self.document.blocks.push(Block::Tabs { level, tabs });
    }

    pub(super) fn cards(&mut self, cards: Vec<Card>) {
        self.document.blocks.push(Block::Cards(cards));
    }

    pub(super) fn trial(&mut self, trial: Trial) {
        self.document.blocks.push(Block::Trial(trial));
    }

    pub(super) fn list<T: Into<Text>>(&mut self, items: impl IntoIterator<Item = T>) {
        self.items(false, items);
    }

    pub(super) fn steps<T: Into<Text>>(&mut self, items: impl IntoIterator<Item = T>) {
        self.items(true, items);
    }

    pub(super) fn details(&mut self, summary: impl Into<Text>, blocks: Vec<Block>) {
        self.document.blocks.push(Block::Details { summary: summary.into(), blocks });
    }

    fn items<T: Into<Text>>(&mut self, ordered: bool, items: impl IntoIterator<Item = T>) {
        let items = items.into_iter().map(Into::into).collect();
        self.document.blocks.push(Block::List { ordered, items });
    }
}

pub(super) fn code(language: &'static str, text: impl Into<String>) -> Block {
    Block::Code { language, text: text.into().trim_end_matches('\n').to_string() }
}

/// Cells of a row.
macro_rules! row {
    ($($cell:expr),* $(,)?) => { vec![$($crate::docs::block::Text::from($cell)),*] };
}
pub(super) use row;

/// A text as an anchor: lower-case words with hyphens.
pub(super) fn slug(text: &str) -> String {
    let words = text.to_lowercase();
    let words: Vec<&str> =
        words.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "part".into() } else { words.join("-") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backticks_are_code_and_nothing_else_is_markup() {
        let plain = |text: &str| Inline::Plain(text.into());
        let code = |text: &str| Inline::Code(text.into());
        assert_eq!(Text::from("a `b` *c*").0, [plain("a "), code("b"), plain(" *c*")]);
        assert_eq!(Text::from("`b``c`").0, [code("b"), code("c")]);
        assert_eq!(Text::from("one ` alone").0, [plain("one ` alone")]);
    }

    #[test]
    fn anchors_are_unique() {
        let mut draft = Draft::new("", "");
        ["`task.created`", "Task, created!", "…"].into_iter().for_each(|text| draft.heading(2, text));
        let ids = draft.done().blocks.into_iter().map(|block| match block {
            Block::Heading { id, .. } => id,
            _ => unreachable!("only headings"),
        });
        assert_eq!(ids.collect::<Vec<_>>(), ["task-created", "task-created-2", "part"]);
    }
}
