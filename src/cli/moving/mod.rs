//! `hookwheel export` and `hookwheel import`: accounts, webhooks, contracts and events from server to server as NDJSON, and from
//! other webhook servers by their own APIs. What stays true: both talk to a running server as anybody does, with a key and no more
//! rights than it has; an import that is made again makes nothing twice; and what is not carried over is said by name.

mod accounts;
mod convoy;
mod dialects;
mod entry;
mod event_types;
mod events;
mod export;
mod file;
mod import;
mod importer;
mod index;
mod secrets;
mod status;
mod svix;
mod theirs;
mod there;
mod told;
mod webhooks;
mod wish;

pub use export::{ExportArgs, masked_line, run as export};
pub use import::{ImportArgs, run as import};
