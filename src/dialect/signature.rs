//! How an attempt is signed. `verify` reads the same rule, so what is signed and what is verified cannot drift.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer};

use super::headers::HeaderKey;
use super::mac::{Algorithm, SigningKey};
use super::placeholder::{Place, Placeholder};
use super::template::{Part, Template, TemplateAt};

/// Standard base64, with or without its `=`.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How the MAC is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Lower-case hexadecimal digits.
    Hex,
    /// Standard base64 with padding.
    Base64,
}

/// One header that carries a signature.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureRule {
    /// Its name.
    pub header: HeaderKey,
    /// The MAC.
    pub algorithm: Algorithm,
    /// How the MAC is written.
    pub encoding: Encoding,
    /// What is signed.
    #[serde(deserialize_with = "signed")]
    pub signed: Template,
    /// Stands once before the texts of all keys.
    #[serde(default, deserialize_with = "before")]
    pub before: Option<Template>,
    /// The header's text for one key.
    #[serde(deserialize_with = "value")]
    pub value: Template,
    /// The header's text for the private key of an Ed25519 pair, which signs the same bytes.
    #[serde(default, deserialize_with = "pair_value")]
    pub ed25519: Option<Template>,
    /// What stands between the texts of several keys while a secret rotates; left out: only the newest key signs.
    pub several: Option<String>,
}

fn signed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Template, D::Error> {
    let template = TemplateAt(Place::Signed).deserialize(deserializer)?;
    let signs_body = template.slots().any(|slot| *slot == Placeholder::Body);
    match signs_body {
        true => Ok(template),
        false => Err(de::Error::custom("must hold {body}: what is not signed can be changed on its way")),
    }
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
    fn item(&self, key: &SigningKey) -> &Template {
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

    /// The encoded signature of `body` and the facts around it.
    pub(super) fn sign(&self, key: &SigningKey, body: &[u8], fill: Fill<'_>) -> String {
        key.sign(self.algorithm, |hear| self.say_signed(body, fill, hear), |bytes| self.encode(bytes))
    }

    /// What is signed, piece by piece.
    pub(super) fn say_signed(&self, body: &[u8], fill: Fill<'_>, hear: &mut dyn FnMut(&[u8])) {
        let mut text = String::new();
        for part in &self.signed.parts {
            match part {
                Part::Text(literal) => hear(literal.as_bytes()),
                Part::Slot(Placeholder::Body) => hear(body),
                Part::Slot(slot) => {
                    text.clear();
                    fill(slot, &mut text);
                    hear(text.as_bytes());
                }
            }
        }
    }

    fn encode(&self, bytes: &[u8]) -> String {
        match self.encoding {
            Encoding::Hex => hex(bytes),
            Encoding::Base64 => BASE64.encode(bytes),
        }
    }

    /// The bytes of an encoded signature; `None` if it is not one.
    pub(super) fn decode(&self, text: &str) -> Option<Vec<u8>> {
        match self.encoding {
            Encoding::Hex => unhex(text),
            Encoding::Base64 => BASE64.decode(text).ok(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let byte = |pair: &[u8]| Some((digit(pair.first()?)? * 16 + digit(pair.get(1)?)?) as u8);
    text.as_bytes().chunks(2).map(byte).collect()
}
