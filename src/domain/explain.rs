//! What is told of where a URL leads: the same in the API and on the command line.

use serde::Serialize;
use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::schema::{Schema, SchemaType, Type};

use super::guard::{Decision, Rule};

/// Where a URL leads, and which of it may be dialled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Explained {
    /// The URL as it was understood.
    pub url: String,
    /// Its host as it was understood.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether there are addresses, and each of them may be dialled.
    pub may_dial: bool,
    /// The addresses that the host has now.
    pub addresses: Vec<Explanation>,
    /// Why there are none, or what else there is to know.
    pub note: Option<String>,
}

/// What was decided about an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Explanation {
    /// The address.
    pub address: String,
    /// Whether it may be dialled.
    pub may_dial: bool,
    /// The kind of rule that decided.
    #[schema(schema_with = rule_words)]
    pub rule: &'static str,
    /// The rule in words, with the network or block.
    pub reason: String,
    /// What can be done about a refusal.
    pub remedy: Option<&'static str>,
}

impl From<Decision> for Explanation {
    fn from(decision: Decision) -> Self {
        Self {
            address: decision.address.to_string(),
            may_dial: decision.may_dial(),
            rule: decision.rule.word(),
            reason: decision.rule.to_string(),
            remedy: decision.rule.remedy(),
        }
    }
}

impl Explained {
    /// Adds what was decided about the addresses.
    pub fn with_decisions(mut self, decisions: impl Iterator<Item = Decision>) -> Self {
        self.addresses = decisions.map(Explanation::from).collect();
        self.may_dial = !self.addresses.is_empty() && self.addresses.iter().all(|one| one.may_dial);
        self
    }
}

fn rule_words() -> Schema {
    let words =
        ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).enum_values(Some(Rule::WORDS.iter().copied()));
    words.description(Some("The kind of rule that decided.")).examples([Rule::WORDS[0]]).into()
}
