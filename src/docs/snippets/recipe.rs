//! What a snippet says, whatever its language: the facts that a signature rule signs, and where a request tells them. What stays
//! true: it knows no language.

use crate::dialect::{Algorithm, Dialect, Encoding, KeyForm, Part, Placeholder, SignatureRule, Template};
use crate::docs::words::capital;

/// How far a signed time may be from the receiver's clock.
pub const TOLERANCE_SECONDS: u64 = 300;

/// A function `verify(headers, body, secrets)`, and how it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// For people: `JavaScript (Node)`.
    pub title: &'static str,
    /// For code blocks, such as `javascript`.
    pub language: &'static str,
    /// The whole code.
    pub code: String,
    /// The same in a web framework.
    pub usage: String,
}

/// All that a snippet says about one signature rule.
#[derive(Debug)]
pub(super) struct Recipe<'a> {
    pub(super) rule: &'a SignatureRule,
    pub(super) key: KeyForm,
    pub(super) key_prefix: &'a str,
    /// Facts that other headers tell.
    pub(super) headers: Vec<HeaderFacts<'a>>,
    /// What stands before the signatures in their header, and facts that it tells.
    pub(super) lead: Option<HeaderFacts<'a>>,
    /// Facts that stand with each signature.
    pub(super) own: Vec<Fact>,
}

/// Facts that one header tells.
#[derive(Debug)]
pub(super) struct HeaderFacts<'a> {
    pub(super) name: &'a str,
    pub(super) template: &'a Template,
    pub(super) facts: Vec<Fact>,
}

/// A fact that is signed and so must be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) slot: Placeholder,
    /// Its name in code, in words: `event id`.
    pub(super) words: Vec<String>,
}

/// A piece of a template, as code sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Fact(Fact),
    Body,
    Signature,
}

impl<'a> Recipe<'a> {
    pub(super) fn of(dialect: &'a Dialect, rule: &'a SignatureRule) -> Self {
        let needed: Vec<&Placeholder> = rule.signed.slots().filter(|slot| **slot != Placeholder::Body).collect();
        let told_by = |template: &Template| -> Vec<Fact> {
            template.slots().filter(|slot| needed.contains(slot)).map(Fact::of).collect()
        };
        let own = told_by(&rule.value);
        let lead = rule.before.as_ref().map(|template| {
            let facts = told_by(template).into_iter().filter(|fact| !own.contains(fact)).collect();
            HeaderFacts { name: rule.header.spelled.as_str(), template, facts }
        });
        let mut headers: Vec<HeaderFacts<'a>> = Vec::new();
        for header in &dialect.headers {
            let told = |h: &HeaderFacts<'_>, fact: &Fact| h.facts.contains(fact);
            let known =
                |fact: &Fact| own.contains(fact) || lead.iter().chain(&headers).any(|header| told(header, fact));
            let facts: Vec<Fact> = told_by(&header.value).into_iter().filter(|fact| !known(fact)).collect();
            if !facts.is_empty() {
                headers.push(HeaderFacts { name: &header.key.spelled, template: &header.value, facts });
            }
        }
        let (key, key_prefix) = (dialect.secrets.key, dialect.secrets.prefix.as_str());
        Self { rule, key, key_prefix, headers, lead, own }
    }

    pub(super) fn header(&self) -> &str {
        &self.rule.header.spelled
    }

    /// The fact that must be recent, if it is signed.
    pub(super) fn time(&self) -> Option<&Fact> {
        self.facts().find(|fact| fact.slot == Placeholder::AttemptUnix)
    }

    pub(super) fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.headers.iter().chain(&self.lead).flat_map(|header| &header.facts).chain(&self.own)
    }

    /// Whether a fact is read from text that is no plain header.
    pub(super) fn has_patterns(&self) -> bool {
        let whole = |header: &HeaderFacts<'_>| header.template.alone().is_some();
        !self.own.is_empty() || self.lead.is_some() || !self.headers.iter().all(whole)
    }

    /// The variable that holds the header's signatures.
    pub(super) fn signatures(&self) -> &'static str {
        if self.lead.is_some() { "signatures" } else { "given" }
    }

    /// What is signed, in runs of text as `text` writes them, and the body.
    pub(super) fn signed(&self, text: impl Fn(&[Piece]) -> String, body: &str) -> Vec<String> {
        let pieces = pieces(&self.rule.signed);
        let mut runs = Vec::new();
        for run in pieces.chunk_by(|one, other| *one != Piece::Body && *other != Piece::Body) {
            runs.push(if run == [Piece::Body] { body.to_string() } else { text(run) });
        }
        runs
    }

    /// The signature header's text for one secret.
    pub(super) fn value(&self) -> Vec<Piece> {
        pieces(&self.rule.value)
    }

    /// The hash as most languages call it, such as `sha256`.
    pub(super) fn hash(&self) -> &'static str {
        match self.rule.algorithm {
            Algorithm::Sha1 => "sha1",
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }

    pub(super) fn is_hex(&self) -> bool {
        self.rule.encoding == Encoding::Hex
    }
}

impl Fact {
    pub(super) fn of(slot: &Placeholder) -> Self {
        let name = match slot {
            Placeholder::AttemptUnix => "timestamp".to_string(),
            other => other.to_string().trim_matches(['{', '}']).to_string(),
        };
        let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        Self { slot: slot.clone(), words: words.map(str::to_string).collect() }
    }

    /// `event_id`
    pub(super) fn snake(&self) -> String {
        self.words.join("_")
    }

    /// `eventId`
    pub(super) fn camel(&self) -> String {
        let mut words = self.words.iter();
        let first = words.next().cloned().unwrap_or_default();
        words.fold(first, |name, word| name + &capital(word))
    }
}

pub(super) fn pieces(template: &Template) -> Vec<Piece> {
    let piece = |part: &Part| match part {
        Part::Text(text) => Piece::Text(text.clone()),
        Part::Slot(Placeholder::Body) => Piece::Body,
        Part::Slot(Placeholder::Signature) => Piece::Signature,
        Part::Slot(slot) => Piece::Fact(Fact::of(slot)),
    };
    template.parts.iter().map(piece).collect()
}

/// A regular expression, without anchors, that reads `facts` out of a template's text, a group each.
pub(super) fn pattern(template: &Template, facts: &[Fact]) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => regex_text(text),
        Part::Slot(slot) if facts.iter().any(|fact| fact.slot == *slot) => "(.+?)".to_string(),
        Part::Slot(_) => ".+?".to_string(),
    };
    template.parts.iter().map(part).collect()
}

/// Text in a regular expression: the same in every language here, also between slashes.
pub(super) fn regex_text(text: &str) -> String {
    let escaped = |c: char| if ".\\+*?()|[]{}^$/#".contains(c) { format!("\\{c}") } else { c.to_string() };
    text.chars().map(escaped).collect()
}
