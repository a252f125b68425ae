//! Writes a body: walks the envelope once and puts the event's facts in. Each name is in an object once; the producer's
//! JSON goes in unchanged or canonical, as the dialect says.

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::fmt;

use super::Dialect;
use super::canonical::{JsonForm, array_index, canonical, string};
use super::envelope::{Envelope, Member};
use super::placeholder::Placeholder;
use super::template::{Part, Template};
use crate::domain::event::Event;
use crate::domain::time;

/// What is being written.
pub(super) struct Maker<'a> {
    dialect: &'a Dialect,
    event: &'a Event,
    /// What is sent of its data.
    data: &'a [u8],
    account_id: &'a str,
    out: Vec<u8>,
    holes: Vec<(usize, Placeholder)>,
}

/// The value of a field: stated by the dialect, or the producer's.
enum Source<'a> {
    Stated(&'a Envelope),
    Sent(&'a RawValue),
}

impl<'a> Maker<'a> {
    /// The bytes of `envelope`, and where what is known only at the attempt goes into them, ascending.
    pub(super) fn make(
        dialect: &'a Dialect,
        envelope: &'a Envelope,
        (event, data): (&'a Event, &'a [u8]),
        account_id: &'a str,
    ) -> (Vec<u8>, Vec<(usize, Placeholder)>) {
        let out = Vec::with_capacity(data.len() + 256);
        let mut maker = Self { dialect, event, data, account_id, out, holes: Vec::new() };
        maker.write(envelope);
        (maker.out, maker.holes)
    }

    fn write(&mut self, envelope: &'a Envelope) {
        match envelope {
            Envelope::Text(template) => match template.alone() {
                Some(slot) => self.value(slot),
                None => self.text(template),
            },
            Envelope::Constant(text) => self.out.extend_from_slice(text.as_bytes()),
            Envelope::Array(items) => {
                self.out.push(b'[');
                for (n, item) in items.iter().enumerate() {
                    self.comma(n);
                    self.write(item);
                }
                self.out.push(b']');
            }
            Envelope::Object(members) => {
                self.out.push(b'{');
                self.members(members);
                self.out.push(b'}');
            }
        }
    }

    fn members(&mut self, members: &'a [Member]) {
        if members.iter().any(|member| matches!(member, Member::Spread(_))) {
            for (n, (key, value)) in self.spread(members).into_iter().enumerate() {
                self.key(n, &key);
                match value {
                    Source::Stated(envelope) => self.write(envelope),
                    Source::Sent(raw) => self.json(raw.get().as_bytes()),
                }
            }
        } else {
            for (n, member) in members.iter().enumerate() {
                let Member::Field(key, value) = member else { unreachable!("there is no spread") };
                self.key(n, key);
                self.write(value);
            }
        }
    }

    /// The fields with what is spread among them, each name once, in the order they are sent.
    fn spread(&self, members: &'a [Member]) -> Vec<(String, Source<'a>)> {
        let mut fields: Vec<(String, Source<'a>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut put = |key: String, value| {
            let place = *places.entry(key.clone()).or_insert(fields.len());
            match fields.get_mut(place) {
                Some((_, old)) => *old = value,
                None => fields.push((key, value)),
            }
        };
        for member in members {
            match member {
                Member::Field(key, envelope) => put(key.clone(), Source::Stated(envelope)),
                Member::Spread(slot) => {
                    for (key, raw) in self.sent(slot).map(fields_of).unwrap_or_default() {
                        put(key, Source::Sent(raw));
                    }
                }
            }
        }
        if self.dialect.body.json == JsonForm::Canonical {
            fields.sort_by_key(|(key, _)| array_index(key.as_bytes()).unwrap_or(u32::MAX));
        }
        fields
    }

    /// The producer's bytes that a placeholder stands for.
    fn sent(&self, slot: &Placeholder) -> Option<&'a [u8]> {
        match slot {
            Placeholder::EventData => Some(self.data),
            Placeholder::EventMetadata => self.event.metadata.as_deref(),
            Placeholder::EventActor => self.event.actor.as_deref(),
            Placeholder::Actor(name) => field_of(self.event.actor.as_deref()?, name),
            // Data may be anything.
            Placeholder::Data(name) if self.event.data.trim_ascii_start().starts_with(b"{") => {
                field_of(&self.event.data, name)
            }
            _ => None,
        }
    }

    fn value(&mut self, slot: &Placeholder) {
        use Placeholder::*;
        match slot {
            EventData | Data(_) | EventMetadata | EventActor | Actor(_) => match self.sent(slot) {
                Some(json) => self.json(json),
                None => self.out.extend_from_slice(b"null"),
            },
            _ if slot.is_number(self.dialect.times) => {
                self.late_or(slot, |out, text| out.extend_from_slice(text.as_bytes()))
            }
            _ if slot.is_late() => {
                self.out.push(b'"');
                self.holes.push((self.out.len(), slot.clone()));
                self.out.push(b'"');
            }
            _ => string(&self.fact(slot), &mut self.out),
        }
    }

    /// Writes a fact, or leaves a hole for one that is not known yet.
    fn late_or(&mut self, slot: &Placeholder, write: impl FnOnce(&mut Vec<u8>, &str)) {
        match slot.is_late() {
            true => self.holes.push((self.out.len(), slot.clone())),
            false => {
                let text = self.fact(slot);
                write(&mut self.out, &text);
            }
        }
    }

    /// A string in which placeholders stand among text.
    fn text(&mut self, template: &Template) {
        self.out.push(b'"');
        for part in &template.parts {
            match part {
                Part::Slot(slot) => self.late_or(slot, inside_string),
                Part::Text(text) => inside_string(&mut self.out, text),
            }
        }
        self.out.push(b'"');
    }

    /// A fact as text. The producer's own strings lose their quotes; what is absent is empty.
    fn fact(&self, slot: &Placeholder) -> String {
        match slot {
            Placeholder::EventId => self.dialect.event_id(self.event),
            Placeholder::EventUuid => self.event.id.to_string(),
            Placeholder::EventType => self.event.event_type.clone(),
            Placeholder::AccountId => self.account_id.to_string(),
            _ if slot.moment().is_some() => {
                let form = slot.moment().and_then(|(_, form)| form).unwrap_or(self.dialect.times);
                time::write(self.event.created_at, form)
            }
            _ => {
                let json = self.sent(slot).unwrap_or(b"\"\"");
                serde_json::from_slice(json).unwrap_or_else(|_| String::from_utf8_lossy(json).into_owned())
            }
        }
    }

    fn json(&mut self, json: &[u8]) {
        match self.dialect.body.json {
            JsonForm::Verbatim => self.out.extend_from_slice(json),
            JsonForm::Canonical => canonical(json, self.dialect.body.numbers, &mut self.out),
        }
    }

    fn key(&mut self, n: usize, key: &str) {
        self.comma(n);
        string(key, &mut self.out);
        self.out.push(b':');
    }

    fn comma(&mut self, n: usize) {
        if n > 0 {
            self.out.push(b',');
        }
    }
}

/// Writes what stands inside of a string's quotes.
pub(super) fn inside_string(out: &mut Vec<u8>, text: &str) {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    string(text, &mut quoted);
    out.extend_from_slice(&quoted[1..quoted.len() - 1]);
}

/// The value of one field of a JSON object, as it was sent; of several of this name, the last.
fn field_of<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    fields_of(object).into_iter().rfind(|(key, _)| key == name).map(|(_, raw)| raw.get().as_bytes())
}

/// The fields of a JSON object in order, duplicates included, values as they were sent.
pub(super) fn fields_of(object: &[u8]) -> Vec<(String, &RawValue)> {
    struct Fields;
    impl<'de> Visitor<'de> for Fields {
        type Value = Vec<(String, &'de RawValue)>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = Vec::new();
            while let Some(field) = map.next_entry()? {
                fields.push(field);
            }
            Ok(fields)
        }
    }
    serde_json::Deserializer::from_slice(object).deserialize_map(Fields).expect("the door lets only objects through")
}
