//! What a snippet says, whatever its language: the facts that a signature rule signs, and where a request tells them. What stays
//! true: it knows no language.

use crate::dialect::{
    Algorithm, BodyFormat, Dialect, Encoding, KeyForm, Moment, PairKind, Part, Placeholder, PublicForm, SignatureRule,
    Step, Template,
};
use crate::docs::words::capital;
use crate::domain::time::TimeForm;

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
    pub(super) proof: Proof,
    pub(super) key: KeyForm,
    pub(super) key_prefix: &'a str,
    /// Facts that other headers tell.
    pub(super) headers: Vec<HeaderFacts<'a>>,
    /// What stands before the signatures in their header, and facts that it tells.
    pub(super) lead: Option<HeaderFacts<'a>>,
    /// Facts that stand with each signature.
    pub(super) own: Vec<Fact>,
    /// Facts that only the body tells, and where.
    pub(super) in_body: Vec<(Fact, Vec<Step>)>,
    /// Whether the body is a form, not JSON.
    pub(super) is_form: bool,
    /// The dialect's form of times.
    times: TimeForm,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// An HMAC of what is signed.
    Hmac,
    /// The secret itself.
    Secret,
    /// A signature by a key pair, and how its public key is written.
    Pair(PairKind, PublicForm),
}

/// Facts that one header tells.
#[derive(Debug)]
pub(super) struct HeaderFacts<'a> {
    pub(super) name: &'a str,
    /// `None`: the fact is the header's whole text, whatever it says.
    pub(super) template: Option<&'a Template>,
    pub(super) facts: Vec<Fact>,
}

impl HeaderFacts<'_> {
    /// The template, where the header says more than the one fact.
    pub(super) fn pattern(&self) -> Option<&Template> {
        self.template.filter(|template| template.only().is_none())
    }
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
        let time_in_body = dialect.time_in_body().filter(|_| rule.signs_body());
        let plain = |slot: &&Placeholder| {
            !matches!(slot, Placeholder::Body | Placeholder::BodySorted | Placeholder::AttemptMethod)
        };
        let needed: Vec<&Placeholder> = rule.signed.slots().filter(plain).collect();
        let told_by = |template: &Template| -> Vec<Fact> {
            template.slots().filter(|slot| needed.contains(slot)).map(Fact::of).collect()
        };
        let own = told_by(&rule.value);
        let name = rule.header.as_ref().map_or("", |key| key.spelled.as_str());
        let lead = rule.before.as_ref().map(|template| {
            let facts = told_by(template).into_iter().filter(|fact| !own.contains(fact)).collect();
            HeaderFacts { name, template: Some(template), facts }
        });
        let mut headers: Vec<HeaderFacts<'a>> = Vec::new();
        for (place, header) in dialect.headers.iter().enumerate() {
            let told = |h: &HeaderFacts<'_>, fact: &Fact| h.facts.contains(fact);
            let known =
                |fact: &Fact| own.contains(fact) || lead.iter().chain(&headers).any(|header| told(header, fact));
            let facts: Vec<Fact> = told_by(&header.value).into_iter().filter(|fact| !known(fact)).collect();
            let name = header.key.spelled.as_str();
            if !facts.is_empty() {
                headers.push(HeaderFacts { name, template: Some(&header.value), facts });
            }
            let is_whole = |slot: &&&Placeholder| matches!(slot, Placeholder::Header(named) if named.place == place);
            if let Some(whole) = needed.iter().find(is_whole) {
                headers.push(HeaderFacts { name, template: None, facts: vec![Fact::of(whole)] });
            }
        }
        let told =
            |fact: &Fact| own.contains(fact) || lead.iter().chain(&headers).any(|header| header.facts.contains(fact));
        let signature = rule.header.is_none().then_some(&Placeholder::Signature);
        // A time that is signed with the body is read there, whatever a header says that is not signed.
        let in_body = needed.iter().copied().chain(signature).map(Fact::of).filter(|fact| !told(fact));
        let in_body = in_body.chain(time_in_body.as_ref().map(Fact::of));
        let in_body = in_body.filter_map(|fact| Some((fact.clone(), dialect.envelope.path_of(&fact.slot)?))).collect();
        let proof = match rule.algorithm.pair() {
            Some(kind) => Proof::Pair(kind, dialect.secrets.public),
            None if rule.algorithm == Algorithm::Secret => Proof::Secret,
            None => Proof::Hmac,
        };
        let (key, key_prefix) = (dialect.secrets.key, dialect.secrets.prefix.as_str());
        let is_form = dialect.body.format == BodyFormat::Form;
        Self { rule, proof, key, key_prefix, headers, lead, own, in_body, is_form, times: dialect.times }
    }

    /// The header that carries the signature; `None` where the body does.
    pub(super) fn header(&self) -> Option<&str> {
        self.rule.header.as_ref().map(|key| key.spelled.as_str())
    }

    /// The fact that must be recent, if there is one.
    pub(super) fn time(&self) -> Option<&Fact> {
        self.facts().find(|fact| matches!(fact.slot.moment(), Some((Moment::Attempt, _))))
    }

    /// How that time is written.
    pub(super) fn time_form(&self) -> TimeForm {
        self.time().and_then(|fact| fact.slot.moment()?.1).unwrap_or(self.times)
    }

    pub(super) fn facts(&self) -> impl Iterator<Item = &Fact> {
        let told = self.headers.iter().chain(&self.lead).flat_map(|header| &header.facts).chain(&self.own);
        told.chain(self.in_body.iter().map(|(fact, _)| fact))
    }

    /// Whether a fact is read from text that is no plain header.
    pub(super) fn has_patterns(&self) -> bool {
        let in_headers = self.headers.iter().any(|header| header.pattern().is_some());
        !self.own.is_empty() || self.lead.is_some() || in_headers || self.splits_item()
    }

    /// Whether the signature itself is read out of its text, because it is decoded.
    pub(super) fn splits_item(&self) -> bool {
        matches!(self.proof, Proof::Pair(..)) && self.rule.value.only().is_none()
    }

    /// What is read out of the text of one signature.
    pub(super) fn item_facts(&self) -> Vec<Fact> {
        let signature = self.splits_item().then(|| Fact::of(&Placeholder::Signature));
        let read = |fact: &Fact| self.own.contains(fact) || signature.as_ref() == Some(fact);
        // In the order in which they stand there, as groups of a pattern do.
        self.rule.value.slots().map(Fact::of).filter(read).collect()
    }

    /// Whether the caller must say to which URL the request came.
    pub(super) fn needs_url(&self) -> bool {
        self.rule.signed.slots().any(|slot| *slot == Placeholder::WebhookUrl)
    }

    /// Whether the parameters of a form are signed, sorted.
    pub(super) fn sorts_form(&self) -> bool {
        self.rule.signed.slots().any(|slot| *slot == Placeholder::BodySorted)
    }

    /// Whether base64 is read or written.
    pub(super) fn uses_base64(&self) -> bool {
        let key = match self.proof {
            Proof::Hmac => self.key == KeyForm::Base64,
            Proof::Secret => false,
            Proof::Pair(_, form) => form == PublicForm::Base64,
        };
        key || self.rule.encoding == Encoding::Base64
    }

    /// The variable that holds the header's signatures.
    pub(super) fn signatures(&self) -> &'static str {
        match self.rule.header {
            None => "signature",
            Some(_) if self.lead.is_some() => "signatures",
            Some(_) => "given",
        }
    }

    /// What the secrets are to the reader.
    pub(super) fn secrets(&self) -> &'static str {
        match self.proof {
            Proof::Pair(..) => "the webhook's public key; while it is being rotated, the old one too",
            _ => "the webhook's secret; while it is being rotated, the old one too",
        }
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
            Algorithm::Sha512 => "sha512",
            _ => "sha256",
        }
    }

    pub(super) fn is_hex(&self) -> bool {
        self.rule.encoding == Encoding::Hex
    }
}

impl Fact {
    pub(super) fn of(slot: &Placeholder) -> Self {
        let name = match slot {
            Placeholder::WebhookUrl => "url".to_string(),
            other if matches!(other.moment(), Some((Moment::Attempt, _))) => "timestamp".into(),
            other => other.to_string().trim_matches(['{', '}']).to_ascii_lowercase(),
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
        Part::Slot(Placeholder::Body | Placeholder::BodySorted) => Piece::Body,
        Part::Slot(Placeholder::AttemptMethod) => Piece::Text("POST".into()),
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
