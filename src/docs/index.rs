//! The page that leads to all dialects' documents, and says what one can be.

use super::block::{Document, Draft, Text, row};
use super::{expressing, words};
use crate::dialect::Dialect;

/// The index of all documents; `path` gives where a dialect's is.
pub fn index<'d>(dialects: impl Iterator<Item = &'d Dialect>, path: impl Fn(&str) -> String) -> Document {
    let mut draft = Draft::new("Webhook documentation", "Every webhook contract of this server, as it is served.");
    draft.heading(2, "Contracts");
    draft.say("Each document is written from the contract itself: what it shows is what is sent.");
    let rows = dialects.map(|dialect| {
        let base = dialect.face.as_ref().map_or("/api/v1/webhooks", |face| face.base.as_str());
        let name = Text::default().link(dialect.title.as_str(), path(&dialect.name));
        let events = words::grouped(dialect.catalogue.len() as u64);
        row![name, dialect.description.as_str(), format!("`{base}`"), events]
    });
    draft.table("Contracts", &["Name", "What it is", "API", "Events"], rows.collect());
    expressing::write(&mut draft);
    draft.heading(2, "The native API");
    draft.say(
        Text::from("Everything else that the server can do: ")
            .link("/openapi.json", "/openapi.json")
            .and(". Who comes from another webhook server finds its operations ")
            .link("beside ours", "/docs/peers")
            .and("."),
    );
    draft.done()
}
