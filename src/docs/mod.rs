//! The documentation: what a dialect's receivers read, written from its compiled values; the reference of the API, from its own
//! document; and the guide, which people write. What stays true: bodies, headers, replies and signatures in a document are made by
//! the code that makes the real ones, so a document cannot drift from what is sent; and no code here knows a product, but the table
//! of what other servers can do (`peers.toml`).

mod advice;
mod api;
mod assets;
mod block;
mod calls;
mod colour;
mod configuration;
mod contracts;
mod delivery;
mod document;
mod events;
mod expressing;
mod facts;
mod front;
mod guide;
mod html;
mod json;
mod languages;
mod library;
mod map;
mod markdown;
mod page;
mod paged;
mod paths;
mod peers;
mod prose;
mod reference;
mod sample;
mod search;
mod signing;
mod site;
mod size;
mod snippets;
mod words;

pub use api::Reference;
pub use assets::Asset;
pub use block::{Block, Document, Inline, Parameter, Text, Trial};
pub use configuration::Key as ConfigurationKey;
pub use document::document;
pub use facts::meaning;
pub use json::pretty;
pub use library::{Found, Library};
pub use page::{Page, missing};
pub use peers::{Alone, Part, Peer, Peers, Row, peers};
pub use prose::tutorial;
pub use reference::reference;
pub use sample::{Preview, preview, sent as example};
pub use search::Index;
pub use signing::in_words as signature_in_words;
pub use site::Site;
pub use snippets::{Snippet, TOLERANCE_SECONDS, best_rule, snippets};
pub use words::{after, capital, duration, list};
