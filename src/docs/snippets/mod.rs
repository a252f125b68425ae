//! Code that verifies a request, for receivers in six languages, made from a dialect's own signature rule. What stays
//! true: each snippet is whole, needs nothing but what its language brings (Rust: four crates), compares in constant
//! time, takes several secrets, and refuses an old request where its time is signed.

mod go;
mod javascript;
mod php;
mod python;
mod ruby;
mod rust;

use crate::dialect::{Algorithm, Dialect, Encoding, KeyForm, Part, Placeholder, SignatureRule, Template};

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

/// A snippet a language; none where the dialect signs nothing.
pub fn snippets(dialect: &Dialect) -> Vec<Snippet> {
    let Some(rule) = best_rule(dialect) else { return Vec::new() };
    let recipe = Recipe::of(dialect, rule);
    [javascript::write, python::write, go::write, ruby::write, php::write, rust::write].map(|f| f(&recipe)).into()
}

/// The rule that receivers should verify by where there are several: the strongest, else the first.
pub fn best_rule(dialect: &Dialect) -> Option<&SignatureRule> {
    let strength = |rule: &&SignatureRule| digest_bits(rule.algorithm);
    dialect.signature.iter().rev().max_by_key(strength)
}

/// The length of a MAC.
fn digest_bits(algorithm: Algorithm) -> u32 {
    match algorithm {
        Algorithm::Sha1 => 160,
        Algorithm::Sha256 => 256,
        Algorithm::Sha512 => 512,
    }
}

/// All that a snippet says about one signature rule.
#[derive(Debug)]
struct Recipe<'a> {
    rule: &'a SignatureRule,
    key: KeyForm,
    key_prefix: &'a str,
    /// Facts that other headers tell.
    headers: Vec<HeaderFacts<'a>>,
    /// What stands before the signatures in their header, and facts that it tells.
    lead: Option<HeaderFacts<'a>>,
    /// Facts that stand with each signature.
    own: Vec<Fact>,
}

/// Facts that one header tells.
#[derive(Debug)]
struct HeaderFacts<'a> {
    name: &'a str,
    template: &'a Template,
    facts: Vec<Fact>,
}

/// A fact that is signed and so must be known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fact {
    slot: Placeholder,
    /// Its name in code, in words: `event id`.
    words: Vec<String>,
}

/// A piece of a template, as code sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Fact(Fact),
    Body,
    Signature,
}

impl<'a> Recipe<'a> {
    fn of(dialect: &'a Dialect, rule: &'a SignatureRule) -> Self {
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

    fn header(&self) -> &str {
        &self.rule.header.spelled
    }

    /// The fact that must be recent, if it is signed.
    fn time(&self) -> Option<&Fact> {
        self.facts().find(|fact| fact.slot == Placeholder::AttemptUnix)
    }

    fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.headers.iter().chain(&self.lead).flat_map(|header| &header.facts).chain(&self.own)
    }

    /// Whether a fact is read from text that is no plain header.
    fn has_patterns(&self) -> bool {
        let whole = |header: &HeaderFacts<'_>| header.template.alone().is_some();
        !self.own.is_empty() || self.lead.is_some() || !self.headers.iter().all(whole)
    }

    /// The variable that holds the header's signatures.
    fn signatures(&self) -> &'static str {
        if self.lead.is_some() { "signatures" } else { "given" }
    }

    /// What is signed, in runs of text as `text` writes them, and the body.
    fn signed(&self, text: impl Fn(&[Piece]) -> String, body: &str) -> Vec<String> {
        let pieces = pieces(&self.rule.signed);
        let mut runs = Vec::new();
        for run in pieces.chunk_by(|one, other| *one != Piece::Body && *other != Piece::Body) {
            runs.push(if run == [Piece::Body] { body.to_string() } else { text(run) });
        }
        runs
    }

    /// The signature header's text for one secret.
    fn value(&self) -> Vec<Piece> {
        pieces(&self.rule.value)
    }

    /// The hash as most languages call it, such as `sha256`.
    fn hash(&self) -> &'static str {
        match self.rule.algorithm {
            Algorithm::Sha1 => "sha1",
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }

    fn is_hex(&self) -> bool {
        self.rule.encoding == Encoding::Hex
    }
}

impl Fact {
    fn of(slot: &Placeholder) -> Self {
        let name = match slot {
            Placeholder::AttemptUnix => "timestamp".to_string(),
            other => other.to_string().trim_matches(['{', '}']).to_string(),
        };
        let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        Self { slot: slot.clone(), words: words.map(str::to_string).collect() }
    }

    /// `event_id`
    fn snake(&self) -> String {
        self.words.join("_")
    }

    /// `eventId`
    fn camel(&self) -> String {
        let mut words = self.words.iter();
        let first = words.next().cloned().unwrap_or_default();
        words.fold(first, |name, word| name + &super::words::capital(word))
    }
}

fn pieces(template: &Template) -> Vec<Piece> {
    let piece = |part: &Part| match part {
        Part::Text(text) => Piece::Text(text.clone()),
        Part::Slot(Placeholder::Body) => Piece::Body,
        Part::Slot(Placeholder::Signature) => Piece::Signature,
        Part::Slot(slot) => Piece::Fact(Fact::of(slot)),
    };
    template.parts.iter().map(piece).collect()
}

/// A regular expression, without anchors, that reads `facts` out of a template's text, a group each.
fn pattern(template: &Template, facts: &[Fact]) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => regex_text(text),
        Part::Slot(slot) if facts.iter().any(|fact| fact.slot == *slot) => "(.+?)".to_string(),
        Part::Slot(_) => ".+?".to_string(),
    };
    template.parts.iter().map(part).collect()
}

/// Text in a regular expression: the same in every language here, also between slashes.
fn regex_text(text: &str) -> String {
    let escaped = |c: char| if ".\\+*?()|[]{}^$/#".contains(c) { format!("\\{c}") } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// `name` between double quotes, for every language here: only visible ASCII stands in headers and templates.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Lines of code, indented as they are nested.
struct Lines {
    text: String,
    unit: &'static str,
    depth: usize,
}

impl Lines {
    fn new(unit: &'static str) -> Self {
        Self { text: String::new(), unit, depth: 0 }
    }

    fn line(&mut self, line: impl AsRef<str>) -> &mut Self {
        let line = line.as_ref();
        if !line.is_empty() {
            self.text.push_str(&self.unit.repeat(self.depth));
            self.text.push_str(line);
        }
        self.text.push('\n');
        self
    }

    /// Several lines.
    fn block(&mut self, lines: &str) -> &mut Self {
        for line in lines.trim_matches('\n').lines() {
            self.line(line);
        }
        self
    }

    fn deeper(&mut self) -> &mut Self {
        self.depth += 1;
        self
    }

    fn back(&mut self) -> &mut Self {
        self.depth -= 1;
        self
    }
}
