//! Text with `{placeholders}`: the one small language of dialect files. A template is read once, when its file is
//! loaded; which placeholders may stand where is checked then, so writing one out cannot fail.

use serde::de::{self, DeserializeSeed, Deserializer, Visitor};
use std::fmt;

use super::placeholder::{Place, Placeholder};

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Sent as it is.
    Text(String),
    /// Filled in.
    Slot(Placeholder),
}

/// Text with placeholders, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    /// Never two texts side by side.
    pub parts: Vec<Part>,
    /// `{…:text}`: what stands alone in a body is text even if it is a number.
    is_text: bool,
}

impl Template {
    /// Reads a template, or says why it cannot stand in this place.
    pub(super) fn parse(text: &str, place: Place) -> Result<Self, String> {
        if place.is_header() && !text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err("must be visible ASCII: it goes into a header".into());
        }
        let mut parts = Vec::new();
        let mut rest = text;
        let mut is_text = false;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("has a { without its }")?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_string()));
            } else if matches!(parts.last(), Some(Part::Slot(_))) && place != Place::Signed {
                return Err("has two placeholders side by side; a receiver could not tell them apart".into());
            }
            let bare = name.strip_suffix(":text").filter(|_| matches!(place, Place::Envelope | Place::Question));
            is_text |= bare.is_some();
            parts.push(Part::Slot(Placeholder::named(bare.unwrap_or(name), place)?));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_string()));
        }
        if is_text && parts.len() > 1 {
            return Err("has :text in a placeholder that does not stand alone; text is what it is already".into());
        }
        Ok(Self { parts, is_text })
    }

    /// The placeholder, if there is nothing else and it is not to be text.
    pub fn alone(&self) -> Option<&Placeholder> {
        self.only().filter(|_| !self.is_text)
    }

    /// The placeholder, if there is nothing else.
    pub fn only(&self) -> Option<&Placeholder> {
        match self.parts.as_slice() {
            [Part::Slot(slot)] => Some(slot),
            _ => None,
        }
    }

    /// The text, if there is no placeholder.
    pub fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// All placeholders, in order.
    pub fn slots(&self) -> impl Iterator<Item = &Placeholder> {
        self.parts.iter().filter_map(|part| match part {
            Part::Slot(slot) => Some(slot),
            Part::Text(_) => None,
        })
    }

    /// All placeholders, to be completed once all of the file is read.
    pub(super) fn slots_mut(&mut self) -> impl Iterator<Item = &mut Placeholder> {
        self.parts.iter_mut().filter_map(|part| match part {
            Part::Slot(slot) => Some(slot),
            Part::Text(_) => None,
        })
    }

    /// Writes the text, each placeholder by `fill`.
    pub(super) fn write(&self, out: &mut String, mut fill: impl FnMut(&Placeholder, &mut String)) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Slot(slot) => fill(slot, out),
            }
        }
    }

    /// Reads back what stood for each placeholder; `None` if `text` was not written by this template.
    pub(super) fn capture<'t>(&self, text: &'t str) -> Option<Vec<(&Placeholder, &'t str)>> {
        self.capture_start(text).filter(|(_, rest)| rest.is_empty()).map(|(found, _)| found)
    }

    /// The same for the start of `text`, with what follows it. A placeholder at the end takes all there is.
    pub(super) fn capture_start<'t>(&self, text: &'t str) -> Option<(Vec<(&Placeholder, &'t str)>, &'t str)> {
        let mut found = Vec::new();
        let mut rest = text;
        let mut open = None;
        for part in &self.parts {
            match (part, open.take()) {
                (Part::Text(literal), None) => rest = rest.strip_prefix(literal.as_str())?,
                (Part::Text(literal), Some(slot)) => {
                    let (value, after) = rest.split_once(literal.as_str())?;
                    found.push((slot, value));
                    rest = after;
                }
                (Part::Slot(slot), None) => open = Some(slot),
                (Part::Slot(_), Some(_)) => return None,
            }
        }
        if let Some(slot) = open {
            found.push((slot, rest));
            rest = "";
        }
        Some((found, rest))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Slot(slot) if self.is_text => write!(f, "{}:text}}", slot.to_string().trim_end_matches('}')),
            Part::Slot(slot) => slot.fmt(f),
        })
    }
}

/// Reads a template that stands in a given place.
#[derive(Debug, Clone, Copy)]
pub(super) struct TemplateAt(pub Place);

impl<'de> DeserializeSeed<'de> for TemplateAt {
    type Value = Template;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Template, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for TemplateAt {
    type Value = Template;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text with {placeholders}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Template, E> {
        Template::parse(text, self.0).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_template_wrote_it_reads_back() {
        let template = Template::parse("t={attempt.unix},v1={signature}", Place::Signature).unwrap();
        let mut out = String::new();
        template.write(&mut out, |slot, out| out.push_str(if *slot == Placeholder::Signature { "abc" } else { "12" }));
        assert_eq!(out, "t=12,v1=abc");
        let found = template.capture(&out).unwrap();
        assert_eq!(found, [(&Placeholder::AttemptUnix, "12"), (&Placeholder::Signature, "abc")]);
        assert_eq!(template.capture("v1=abc"), None);
        assert_eq!(template.to_string(), "t={attempt.unix},v1={signature}");
    }

    #[test]
    fn a_number_may_be_text_and_a_time_has_a_form() {
        let parse = |text| Template::parse(text, Place::Envelope).unwrap();
        for text in ["{attempt.unix:text}", "{attempt.unix}", "{event.time:unix_ms}", "{attempt.time:http}"] {
            assert_eq!(parse(text).to_string(), text);
        }
        assert_eq!(parse("{attempt.time:unix}").alone(), Some(&Placeholder::AttemptUnix));
        let text = parse("{attempt.unix:text}");
        assert_eq!((text.alone(), text.only()), (None, Some(&Placeholder::AttemptUnix)));
    }

    #[test]
    fn a_placeholder_that_cannot_stand_there_is_refused_with_the_nearest() {
        let refuse = |text, place| Template::parse(text, place).unwrap_err();
        assert!(refuse("{evnt.id}", Place::Header).contains("the nearest is {event.id}"));
        assert!(refuse("{attempt.method}", Place::Envelope).contains("cannot stand here"));
        assert!(refuse("{event.time:unixms}", Place::Header).contains("the nearest is unix"));
        assert!(refuse("{delivery.id:unix}", Place::Header).contains("is not known"));
        assert!(refuse("a{attempt.unix:text}", Place::Envelope).contains("does not stand alone"));
        assert!(refuse("{attempt.unix:text}", Place::Header).contains("is not known"));
        assert!(refuse("{body}", Place::Header).contains("cannot stand here"));
        assert!(refuse("{event.id", Place::Header).contains("without its }"));
        assert!(refuse("{event.id}{event.type}", Place::Header).contains("side by side"));
    }
}
