//! The parts of the API, in the order of a reader's day: first what is used every minute, last what an operator looks at. The
//! first word of an operation's id is its part.

use serde_json::{Value, json};

/// A part of the API.
pub struct Tag {
    /// The first word of its operations' ids.
    pub name: &'static str,
    /// What it is about.
    description: &'static str,
    /// Whether its operations act for one account, which an admin key can name.
    pub is_of_account: bool,
}

const fn of_account(name: &'static str, description: &'static str) -> Tag {
    Tag { name, description, is_of_account: true }
}

const fn of_server(name: &'static str, description: &'static str) -> Tag {
    Tag { name, description, is_of_account: false }
}

/// All of them.
pub const TAGS: &[Tag] = &[
    of_account("events", "Facts that a product tells of: published once, and looked up with what became of them."),
    of_account(
        "webhooks",
        "Registered endpoints: what they want, how they are served, holding, testing and replaying.",
    ),
    of_account("shape", "What is made of events before they are sent, tried on one of them."),
    of_account("filter", "Which events webhooks want by what they say, tried on one of them."),
    of_account("deliveries", "One event for one webhook, with each attempt to deliver it."),
    of_account("dead_letters", "Deliveries that used up their retries, until somebody replays or discards them."),
    of_account("jobs", "What bulk calls have started, and how far it is."),
    of_account("stream", "What happens, as it happens."),
    of_account("stats", "Numbers over time."),
    of_account(
        "event_types",
        "What may be published: the types that the account has written down and those that its contract documents, with samples and schemas.",
    ),
    of_account("audit", "Who changed what, when and from where."),
    of_server("dialects", "The webhook contracts that are served here."),
    of_server("accounts", "Tenants, what they may have, and their keys. For the operator."),
    of_account("users", "People who look at an account's pages: invitations, roles, sessions. For the operator."),
    of_account("guard", "Which addresses deliveries may go to, and why. For the operator."),
    of_server("server", "The server's settings, master keys and clock. For the operator."),
    of_server("health", "Whether the server lives and takes work, and its counters. Without a key."),
    of_server("docs", "What the server says of its contracts and of itself. Without a key."),
];

/// The part that an operation belongs to.
pub fn tag_of(operation_id: &str) -> Option<&'static Tag> {
    let first = operation_id.split('.').next()?;
    TAGS.iter().find(|tag| tag.name == first)
}

/// As the document lists them.
pub fn described() -> Value {
    TAGS.iter().map(|tag| json!({"name": tag.name, "description": tag.description})).collect()
}
