//! How an attempt is signed. `verify` reads the same rule, so what is signed and what is verified cannot drift.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer};

use super::Dialect;
use super::encoding::Encoding;
use super::form;
use super::headers::{AttemptFacts, HeaderKey};
use super::mac::{Algorithm, SigningKey};
use super::pattern;
use super::placeholder::{Place, Placeholder};
use super::template::{Part, Template, TemplateAt};

/// One proof of who sends: mostly a header that carries a signature.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignatureRule {
    /// The header that carries it; left out: the body, where the envelope has `{signature}`.
    #[schemars(example = &"X-Signature")]
    pub header: Option<HeaderKey>,
    /// What it is.
    #[schemars(example = &"sha256")]
    pub algorithm: Algorithm,
    /// How it is written.
    #[schemars(example = &"hex")]
    pub encoding: Encoding,
    /// What is signed; left out where the proof is the secret itself.
    #[serde(default, deserialize_with = "signed")]
    #[schemars(schema_with = "pattern::signed", example = &"{body}")]
    pub signed: Template,
    /// Stands once before the texts of all keys; it ends in text, so that a receiver finds its end.
    #[serde(default, deserialize_with = "before")]
    #[schemars(schema_with = "pattern::before", example = &"t={attempt.unix},")]
    pub before: Option<Template>,
    /// The header's text for one key, with `{signature}` once in it.
    #[serde(deserialize_with = "value")]
    #[schemars(schema_with = "pattern::carrier", example = &"sha256={signature}")]
    pub value: Template,
    /// The header's text for the private key of an Ed25519 pair, which signs the same bytes; goes with `[secrets.ed25519]`.
    #[serde(default, deserialize_with = "pair_value")]
    #[schemars(schema_with = "pattern::carrier", example = &"v1a,{signature}")]
    pub ed25519: Option<Template>,
    /// What stands between the texts of several keys while a secret rotates; left out: only the newest key signs.
    #[schemars(regex(pattern = pattern::SEPARATOR), example = &" ")]
    pub several: Option<String>,
}

fn signed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Template, D::Error> {
    TemplateAt(Place::Signed).deserialize(deserializer)
}

fn before<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Template>, D::Error> {
    let template = TemplateAt(Place::Header).deserialize(deserializer)?;
    match template.parts.last() {
        Some(Part::Text(_)) => Ok(Some(template)),
        _ => Err(de::Error::custom("must end in text, such as \"t={attempt.unix},\", so that its end can be found")),
    }
}

fn value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Template, D::Error> {
    let template = TemplateAt(Place::Signature).deserialize(deserializer)?;
    match template.slots().filter(|slot| **slot == Placeholder::Signature).count() {
        1 => Ok(template),
        _ => Err(de::Error::custom("must hold {signature} once, such as \"sha256={signature}\"")),
    }
}

fn pair_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Template>, D::Error> {
    value(deserializer).map(Some)
}

/// Writes what stands for a placeholder.
pub(super) type Fill<'a> = &'a dyn Fn(&Placeholder, &mut String);

impl SignatureRule {
    /// A receiver splits the header at the separator, so it must occur in no signature.
    pub(super) fn check_several(&self) -> Result<(), &'static str> {
        let Some(separator) = &self.several else { return Ok(()) };
        let inside = |part: &Part| matches!(part, Part::Text(text) if text.contains(separator.as_str()));
        let plain = |b: u8| (0x20..0x7f).contains(&b) && !b.is_ascii_alphanumeric() && !b"+/=-".contains(&b);
        match !separator.is_empty() && separator.bytes().all(plain) && !self.item_parts().any(inside) {
            true => Ok(()),
            false => Err("must be text that cannot be part of a signature, such as a space"),
        }
    }

    /// The placeholders of the header that carries it.
    pub(super) fn own_slots(&self) -> impl Iterator<Item = &Placeholder> {
        self.before.iter().chain([&self.value]).chain(&self.ed25519).flat_map(Template::slots)
    }

    fn item_parts(&self) -> impl Iterator<Item = &Part> {
        [&self.value].into_iter().chain(&self.ed25519).flat_map(|template| &template.parts)
    }

    /// The text of one signature by such a key.
    pub(super) fn item(&self, key: &SigningKey) -> &Template {
        self.ed25519.as_ref().filter(|_| key.is_pair()).unwrap_or(&self.value)
    }

    /// The header's text for `keys`, the newest first.
    pub(super) fn header_text(&self, keys: &[SigningKey], body: &[u8], fill: Fill<'_>) -> String {
        let used = if self.several.is_some() { keys } else { &keys[..1] };
        self.text_with(used.iter().map(|key| (self.item(key), self.sign(key, body, fill))), fill)
    }

    /// The header's text with these signatures, each in its own form.
    pub(super) fn text_with<'a>(
        &'a self,
        signatures: impl Iterator<Item = (&'a Template, String)>,
        fill: Fill<'_>,
    ) -> String {
        let mut text = String::new();
        if let Some(before) = &self.before {
            before.write(&mut text, fill);
        }
        for (n, (form, signature)) in signatures.enumerate() {
            if n > 0 {
                text.push_str(self.several.as_deref().unwrap_or_default());
            }
            form.write(&mut text, |slot, out| match slot {
                Placeholder::Signature => out.push_str(&signature),
                other => fill(other, out),
            });
        }
        text
    }

    /// Whether the body, as it is or as the parameters of a form, is signed.
    pub fn signs_body(&self) -> bool {
        self.signed.slots().any(|slot| matches!(slot, Placeholder::Body | Placeholder::BodySorted))
    }

    /// The encoded signature of `body` and the facts around it.
    pub(super) fn sign(&self, key: &SigningKey, body: &[u8], fill: Fill<'_>) -> String {
        key.sign(self.algorithm, |hear| self.say_signed(body, fill, hear), |bytes| self.encoding.encode(bytes))
    }

    /// What is signed, piece by piece.
    pub(super) fn say_signed(&self, body: &[u8], fill: Fill<'_>, hear: &mut dyn FnMut(&[u8])) {
        let mut text = String::new();
        for part in &self.signed.parts {
            match part {
                Part::Text(literal) => hear(literal.as_bytes()),
                Part::Slot(Placeholder::Body) => hear(body),
                Part::Slot(Placeholder::BodySorted) => hear(form::sorted(body).as_bytes()),
                Part::Slot(slot) => {
                    text.clear();
                    fill(slot, &mut text);
                    hear(text.as_bytes());
                }
            }
        }
    }
}

impl Dialect {
    /// The signatures that headers carry.
    pub fn signatures_in_headers(&self) -> impl Iterator<Item = (&SignatureRule, &HeaderKey)> {
        self.signature.iter().filter_map(|rule| Some((rule, rule.header.as_ref()?)))
    }

    /// The signature that the body carries, with the newest key; empty where nothing is signed.
    pub(super) fn signature_in_body(&self, what: &AttemptFacts<'_>, keys: &[SigningKey]) -> String {
        let rule = self.signature.iter().find(|rule| rule.header.is_none());
        let (Some(rule), [newest, ..]) = (rule, keys) else { return String::new() };
        rule.header_text(std::slice::from_ref(newest), b"", &|slot, out| self.fact(what, slot, out))
    }
}
