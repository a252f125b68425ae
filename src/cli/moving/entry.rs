//! What a line of an export is: one thing with its kind. What stays true: an event's data is never read as numbers and written
//! again, it stays the producer's text; and a line of a version to come is refused rather than half understood.

use clap::ValueEnum;
use serde::Deserialize;
use serde_json::Value;

/// The version of the format that is written, and the newest that is read.
pub const VERSION: u64 = 1;
/// Kinds of lines that an account's own export has besides, and that an import has no use for.
const HISTORY: [&str; 4] = ["key", "user", "delivery", "audit"];

/// What is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Accounts, with their limits, tags and portals
    Accounts,
    /// Webhooks, with their settings and states
    Webhooks,
    /// Dialects that are files
    Dialects,
    /// Event types that accounts have written down
    EventTypes,
    /// Events, with their data
    Events,
}

impl What {
    /// What one of them is called in a line.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Accounts => "account",
            Self::Webhooks => "webhook",
            Self::Dialects => "dialect",
            Self::EventTypes => "event_type",
            Self::Events => "event",
        }
    }

    /// What lines of this kind are.
    pub fn of(kind: &str) -> Option<Self> {
        Self::value_variants().iter().copied().find(|what| what.kind() == kind)
    }

    /// The word for it on the command line.
    pub fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// One thing to import.
#[derive(Debug)]
pub struct Entry {
    /// Where it stood, for people.
    pub place: String,
    /// Whose it is, where it says so.
    pub account: Option<String>,
    /// What it is.
    pub item: Item,
    /// What of it is not carried over, by name.
    pub left: Vec<String>,
}

/// What an entry is.
#[derive(Debug)]
pub enum Item {
    /// A dialect: its name and the text of its file.
    Dialect(String, String),
    /// An account, as the API shows one.
    Account(Value),
    /// An event type of an account's own, as the API shows one.
    EventType(Value),
    /// A webhook, as the API shows one, with its `secrets` if they are there.
    Webhook(Value),
    /// An event: the text of its line.
    Event(String),
}

impl Item {
    /// What it is one of.
    pub fn what(&self) -> What {
        match self {
            Self::Dialect(..) => What::Dialects,
            Self::Account(_) => What::Accounts,
            Self::EventType(_) => What::EventTypes,
            Self::Webhook(_) => What::Webhooks,
            Self::Event(_) => What::Events,
        }
    }
}

/// What a line turned out to be.
#[derive(Debug)]
pub enum Line {
    /// Something to import, and whose it is.
    Item(Item, Option<String>),
    /// The first line of an export.
    Head,
    /// The last one.
    End,
    /// History, which belongs to the server that it happened on.
    History(String),
}

#[derive(Deserialize)]
struct Head {
    kind: String,
    version: Option<u64>,
    account: Option<String>,
}

#[derive(Deserialize)]
struct DialectLine {
    name: String,
    text: String,
}

/// Reads a line; why it cannot be taken, in words.
pub fn read(text: &str) -> Result<Line, String> {
    let why = |error: serde_json::Error| format!("is not a line of an export: {error}");
    let Head { kind, version, account } = serde_json::from_str(text).map_err(why)?;
    let value = || serde_json::from_str::<Value>(text).map_err(why);
    let item = match kind.as_str() {
        "export" if version.is_none_or(|version| version > VERSION) => {
            return Err(format!(
                "is of a later version of this format than {VERSION}: import it with the hookwheel that made it"
            ));
        }
        "export" => return Ok(Line::Head),
        "end" => return Ok(Line::End),
        "dialect" => {
            let DialectLine { name, text } = serde_json::from_str(text).map_err(why)?;
            Item::Dialect(name, text)
        }
        "account" => Item::Account(value()?),
        "webhook" => Item::Webhook(value()?),
        "event_type" => Item::EventType(value()?),
        "event" => Item::Event(text.to_owned()),
        other if HISTORY.contains(&other) => return Ok(Line::History(kind)),
        _ => return Err(format!("has the kind {kind:?}, which no export has")),
    };
    Ok(Line::Item(item, account))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_its_kind_says() {
        let line = read(r#"{"kind":"event","account":"acme","id":"e1","data":{"n": 1.0}}"#).expect("an event");
        let Line::Item(Item::Event(text), Some(account)) = line else { panic!("{line:?}") };
        assert!(text.contains(r#"{"n": 1.0}"#) && account == "acme");
        assert!(matches!(read(r#"{"kind":"export","version":1}"#), Ok(Line::Head)));
        assert!(matches!(read(r#"{"kind":"end","accounts":1}"#), Ok(Line::End)));
        assert!(matches!(read(r#"{"kind":"delivery","id":"x"}"#), Ok(Line::History(kind)) if kind == "delivery"));
    }

    #[test]
    fn what_is_no_line_says_why() {
        for (text, why) in [
            ("{", "is not a line"),
            (r#"{"id":"x"}"#, "missing field `kind`"),
            (r#"{"kind":"hook"}"#, "\"hook\", which no export has"),
            (r#"{"kind":"export","version":2}"#, "later version"),
            (r#"{"kind":"dialect","name":"x"}"#, "missing field `text`"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn each_thing_has_a_kind_of_its_own() {
        for what in What::value_variants() {
            assert_eq!(What::of(what.kind()), Some(*what));
        }
        assert_eq!(What::EventTypes.word(), "event-types");
    }
}
