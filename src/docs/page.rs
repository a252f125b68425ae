//! A page of `/docs`: what it shows, and where it stands among the others.

use super::block::Document;

/// A place that a page leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What it is called.
    pub title: String,
    /// Its address.
    pub address: String,
}

impl Place {
    pub(super) fn new(title: impl Into<String>, address: impl Into<String>) -> Self {
        Self { title: title.into(), address: address.into() }
    }
}

/// A page that belongs to an entry of the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Below {
    /// Where.
    pub place: Place,
    /// 1 right below the entry, 2 below one of those.
    pub depth: u8,
}

/// A page.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its own address.
    pub address: String,
    /// What it shows.
    pub document: Document,
    /// All that it is a part of, for readers of Markdown, who have it in one piece.
    pub(super) whole: Option<Document>,
    /// The anchor of its title.
    pub(super) anchor: Option<String>,
    /// The entry of the map that it belongs to.
    pub(super) entry: String,
    /// What there is between the front page and this one.
    pub(super) trail: Vec<Place>,
    /// The pages of the same entry, in order.
    pub(super) below: Vec<Below>,
    /// What a search was for, on the page that tells its results.
    pub(super) asked: Option<String>,
    /// Whether there is a dashboard that it can lead to.
    pub(super) has_dashboard: bool,
}

impl Page {
    /// A page of its own entry.
    pub(super) fn new(address: impl Into<String>, document: Document) -> Self {
        let address = address.into();
        Self {
            entry: address.clone(),
            address,
            document,
            whole: None,
            anchor: None,
            trail: Vec::new(),
            below: Vec::new(),
            asked: None,
            has_dashboard: false,
        }
    }

    /// The page of a server that has a dashboard, or has none.
    pub fn with_dashboard(self, has_dashboard: bool) -> Self {
        Self { has_dashboard, ..self }
    }

    /// As Markdown: the first page of several has all of them.
    pub fn to_markdown(&self) -> String {
        self.whole.as_ref().unwrap_or(&self.document).to_markdown()
    }

    /// The pages before and after it, of the same entry.
    pub(super) fn beside(&self) -> (Option<&Place>, Option<&Place>) {
        let at = self.below.iter().position(|below| below.place.address == self.address);
        let place = |at: Option<usize>| at.and_then(|at| self.below.get(at)).map(|below| &below.place);
        (place(at.and_then(|at| at.checked_sub(1))), place(at.map(|at| at + 1)))
    }
}

/// What is shown where there is no page.
pub fn missing() -> Page {
    let summary = "There is no page here. The search above finds pages by the beginnings of their words; all pages are beside this.";
    let document = Document { title: "No such page".into(), summary: summary.into(), blocks: Vec::new() };
    Page::new("/docs/nothing", document)
}
