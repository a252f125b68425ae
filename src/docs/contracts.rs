//! The page that leads to all dialects' documents, and says what one can be.

use super::block::{Document, Draft, Text, row};
use super::{expressing, paths, words};
use crate::dialect::Dialect;

/// The contracts that are served, and what a contract can say.
pub(super) fn page<'d>(dialects: impl Iterator<Item = &'d Dialect>) -> Document {
    let mut draft =
        Draft::new("Contracts of this server", "Every webhook contract that is served here, for those who receive.");
    draft.heading(2, "Contracts");
    draft.say("Each document is written from the contract itself: what it shows is what is sent.");
    table(&mut draft, dialects);
    expressing::write(&mut draft);
    draft.done()
}

/// A row for each contract.
pub(super) fn table<'d>(draft: &mut Draft, dialects: impl Iterator<Item = &'d Dialect>) {
    let rows = dialects.map(|dialect| {
        let base = dialect.face.as_ref().map_or("/api/v1/webhooks", |face| face.base.as_str());
        let name = Text::default().link(dialect.title.as_str(), address(&dialect.name));
        let events = words::grouped(dialect.catalogue.len() as u64);
        row![name, dialect.description.as_str(), format!("`{base}`"), events]
    });
    draft.table("Contracts", &["Name", "What it is", "API", "Events"], rows.collect());
}

/// Where the document of a dialect is.
pub(super) fn address(name: &str) -> String {
    format!("{}/{name}", paths::CONTRACTS)
}
